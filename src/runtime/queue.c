#include "runtime/queue_internal.h"

#include "base/clock.h"
#include "base/condvar.h"
#include "base/memory.h"

#include <string.h>

enum {
    RETRY_FIRST_MS = 5,
    RETRY_MAX_MS = 1000 * 1000,
    FAILURES_MAX = 18, // 5 ms doubled so often is over the longest delay, so there is no need to count on
};

static void free_item(void *context) {
    struct item *item = context;
    struct namespace_queue *tenant = item->tenant;
    if (tenant != nullptr && --tenant->item_count == 0) {
        map_remove(tenant->home, tenant->namespace);
    }
    memory_free(item);
}

bool queue_create(const struct queue_observer *observer, struct queue **ret_queue, struct error *e) {
    struct queue *queue = memory_allocate_zeroed(1, sizeof(*queue));
    struct map *items = map_create(free_item);
    struct map *tenants = map_create(memory_free);
    if (queue == nullptr || items == nullptr || tenants == nullptr) {
        memory_free(queue);
        map_free(items);
        map_free(tenants);
        return error_no_memory(e, "a queue");
    }
    queue->items = items;
    queue->tenants = tenants;
    queue->limits[QUEUE_FAST] = SIZE_MAX;
    queue->limits[QUEUE_SLOW] = 1;
    queue->limits[QUEUE_REMOTE] = 1;
    queue->common_limit = SIZE_MAX;
    if (observer != nullptr) {
        queue->observer = *observer;
    }
    pthread_mutex_init(&queue->lock, nullptr);
    condvar_create(&queue->changed);
    *ret_queue = queue;
    return true;
}

void queue_free(struct queue *queue) {
    if (queue != nullptr) {
        map_free(queue->items);
        map_free(queue->tenants);
        memory_free(queue->heap);
        pthread_cond_destroy(&queue->changed);
        pthread_mutex_destroy(&queue->lock);
        memory_free(queue);
    }
}

// ---- everything from here to the public functions is called with the lock held

static void list_append(struct list *list, struct item *item) {
    item->next = nullptr;
    item->previous = list->last;
    *(list->last == nullptr ? &list->first : &list->last->next) = item;
    list->last = item;
    list->count++;
}

static void list_remove(struct list *list, struct item *item) {
    *(item->previous == nullptr ? &list->first : &item->previous->next) = item->next;
    *(item->next == nullptr ? &list->last : &item->next->previous) = item->previous;
    list->count--;
}

static void heap_set(struct queue *queue, size_t place, struct item *item) {
    queue->heap[place] = item;
    item->place = place;
}

// Puts item where it belongs, starting at place, which is free.
static void heap_settle(struct queue *queue, size_t place, struct item *item) {
    struct item **heap = queue->heap;
    while (place > 1 && heap[place / 2]->ready_ms > item->ready_ms) {
        heap_set(queue, place, heap[place / 2]);
        place /= 2;
    }
    for (;;) {
        size_t child = place * 2;
        if (child < queue->heap_count && heap[child + 1]->ready_ms < heap[child]->ready_ms) {
            child++;
        }
        if (child > queue->heap_count || heap[child]->ready_ms >= item->ready_ms) {
            break;
        }
        heap_set(queue, place, heap[child]);
        place = child;
    }
    heap_set(queue, place, item);
}

static void heap_remove(struct queue *queue, struct item *item) {
    size_t place = item->place;
    if (place == NOT_DELAYED) {
        return;
    }
    struct item *last = queue->heap[queue->heap_count--];
    if (last != item) {
        heap_settle(queue, place, last);
    }
    item->place = NOT_DELAYED;
}

static bool heap_make_room(struct queue *queue) {
    size_t needed = map_count(queue->items) + 2; // one more item, and index 0 is not used
    if (needed <= queue->heap_room) {
        return true;
    }
    struct item **heap = memory_resize(queue->heap, needed * 2 * sizeof(struct item *));
    if (heap == nullptr) {
        return false;
    }
    queue->heap = heap;
    queue->heap_room = needed * 2;
    return true;
}

// ---- tenants

// The tenant of that namespace, made if it is missing; NULL: memory is out.
static struct namespace_queue *need_tenant(struct queue *queue, const char *namespace) {
    struct namespace_queue *tenant = map_get(queue->tenants, namespace);
    if (tenant != nullptr) {
        return tenant;
    }
    size_t size = strlen(namespace) + 1;
    tenant = memory_allocate_zeroed(1, sizeof(*tenant) + size);
    if (tenant == nullptr || !map_put(queue->tenants, namespace, tenant)) {
        memory_free(tenant);
        return nullptr;
    }
    tenant->home = queue->tenants;
    memcpy(tenant->namespace, namespace, size);
    return tenant;
}

static void join_round(struct queue *queue, enum queue_lane lane, struct namespace_queue *tenant) {
    struct round *round = &queue->lanes[lane];
    tenant->next[lane] = nullptr;
    *(round->first == nullptr ? &round->first : &round->last->next[lane]) = tenant;
    round->last = tenant;
}

static void lane_append(struct queue *queue, struct item *item) {
    enum queue_lane lane = item->lane;
    struct namespace_queue *tenant = item->tenant;
    if (tenant->ready[lane].count == 0) {
        join_round(queue, lane, tenant);
    }
    list_append(&tenant->ready[lane], item);
    queue->lanes[lane].item_count++;
}

// The item whose turn it is; NULL: none is ready.
static struct item *lane_first(const struct queue *queue, enum queue_lane lane) {
    const struct namespace_queue *tenant = queue->lanes[lane].first;
    return tenant == nullptr ? nullptr : tenant->ready[lane].first;
}

// Takes out the item whose turn it is. Its tenant waits for the next turn.
static void lane_remove_first(struct queue *queue, enum queue_lane lane) {
    struct round *round = &queue->lanes[lane];
    struct namespace_queue *tenant = round->first;
    list_remove(&tenant->ready[lane], tenant->ready[lane].first);
    round->item_count--;
    round->first = tenant->next[lane];
    if (tenant->ready[lane].count > 0) {
        join_round(queue, lane, tenant);
    }
}

// ---- items

// A copy of key, of which nothing else is known yet; NULL: memory is out.
static struct item *copy_key(const struct object_key *key) {
    size_t namespace_size = strlen(key->namespace) + 1;
    size_t name_size = strlen(key->name) + 1;
    struct item *item = memory_allocate_zeroed(1, sizeof(*item) + namespace_size + name_size);
    if (item != nullptr) {
        memcpy(item->texts, key->namespace, namespace_size);
        memcpy(item->texts + namespace_size, key->name, name_size);
        item->key = (struct object_key){key->resource, item->texts, item->texts + namespace_size};
    }
    return item;
}

static struct item *create_item(struct queue *queue, const struct object_key *key, const char *text) {
    struct item *item = copy_key(key);
    if (item == nullptr) {
        return nullptr;
    }
    item->tenant = need_tenant(queue, key->namespace);
    if (item->tenant != nullptr) {
        item->tenant->item_count++;
    }
    if (item->tenant == nullptr || !heap_make_room(queue) || !map_put(queue->items, text, item)) {
        free_item(item);
        return nullptr;
    }
    return item;
}

static struct item *find_item(const struct queue *queue, const struct object_key *key) {
    char text[OBJECT_KEY_TEXT_SIZE];
    object_key_format(key, text);
    return map_get(queue->items, text);
}

// The item of key, made if it is missing; NULL: memory is out.
static struct item *need_item(struct queue *queue, const struct object_key *key) {
    char text[OBJECT_KEY_TEXT_SIZE];
    object_key_format(key, text);
    struct item *item = map_get(queue->items, text);
    return item == nullptr ? create_item(queue, key, text) : item;
}

// Frees item if there is nothing to remember of it.
static void drop_idle(struct queue *queue, const struct item *item) {
    if (!item->ready && !item->processing && item->place == NOT_DELAYED && item->failures == 0) {
        char text[OBJECT_KEY_TEXT_SIZE];
        object_key_format(&item->key, text);
        map_remove(queue->items, text);
    }
}

static void tell_added(const struct queue *queue, const struct item *item) {
    if (queue->observer.added != nullptr) {
        queue->observer.added(queue->observer.context, &item->key);
    }
}

static void append_ready(struct queue *queue, struct item *item) {
    item->ready = true;
    item->since = clock_monotonic_seconds();
    lane_append(queue, item);
    pthread_cond_signal(&queue->changed);
}

// item is to be given out as soon as can be.
static void make_ready(struct queue *queue, struct item *item) {
    heap_remove(queue, item);
    if (item->ready || item->dirty) {
        return;
    }
    if (item->processing) {
        item->dirty = true;
    } else {
        append_ready(queue, item);
    }
    tell_added(queue, item);
}

void queue_make_due_ready(struct queue *queue) {
    int64_t now = clock_monotonic_ms();
    while (queue->heap_count > 0 && queue->heap[1]->ready_ms <= now) {
        make_ready(queue, queue->heap[1]);
    }
}

// item is to be ready delay_ms from now, if it is not to be ready earlier anyway.
static void delay(struct queue *queue, struct item *item, uint32_t delay_ms) {
    int64_t ready_ms = clock_monotonic_ms() + delay_ms;
    if (item->ready || item->dirty || (item->place != NOT_DELAYED && item->ready_ms <= ready_ms)) {
        return;
    }
    heap_remove(queue, item);
    item->ready_ms = ready_ms;
    heap_settle(queue, ++queue->heap_count, item);
    if (queue->heap[1] == item) {
        pthread_cond_signal(&queue->changed); // somebody has to wait less long
    }
}

static void enter_now(struct queue *queue, struct item *item, uint32_t) {
    make_ready(queue, item);
}

static void enter_lane(struct queue *queue, struct item *item, uint32_t lane) {
    item->lane = item->ready ? item->lane : (enum queue_lane)lane; // one that is in a lane stays there
    make_ready(queue, item);
}

static void wait_for_change(struct queue *queue) {
    if (queue->heap_count == 0) {
        pthread_cond_wait(&queue->changed, &queue->lock);
        return;
    }
    (void)condvar_wait_until(&queue->changed, &queue->lock, queue->heap[1]->ready_ms);
}

static bool has_room(const struct queue *queue, enum queue_lane lane) {
    size_t together = queue->processed[QUEUE_SLOW] + queue->processed[QUEUE_REMOTE];
    return queue->processed[lane] < queue->limits[lane] &&
           (lane == QUEUE_FAST || together < queue->common_limit);
}

// That of lane which may be given out; NULL: none.
static struct item *find_first(const struct queue *queue, enum queue_lane lane) {
    return has_room(queue, lane) ? lane_first(queue, lane) : nullptr;
}

// Where the common limit leaves room for one key only, lanes take turns: by the time for which a key waits,
// all that wait in one would come before the next of another. QUEUE_LANES: none has to yield.
static enum queue_lane find_yielding(const struct queue *queue) {
    size_t together = queue->processed[QUEUE_SLOW] + queue->processed[QUEUE_REMOTE];
    enum queue_lane other = queue->last_shared == QUEUE_SLOW ? QUEUE_REMOTE : QUEUE_SLOW;
    bool yields = together + 1 == queue->common_limit && queue->last_shared != QUEUE_FAST &&
                  find_first(queue, other) != nullptr;
    return yields ? queue->last_shared : QUEUE_LANES;
}

// Of those whose turn it is in each lane, and who may be given out, the one that waits longer; NULL: none.
static struct item *find_next(const struct queue *queue) {
    struct item *next = nullptr;
    enum queue_lane yielding = find_yielding(queue);
    for (enum queue_lane lane = 0; lane < QUEUE_LANES; lane++) {
        struct item *first = lane == yielding ? nullptr : find_first(queue, lane);
        if (first != nullptr && (next == nullptr || first->since < next->since)) {
            next = first;
        }
    }
    return next;
}

static void start(struct queue *queue, struct item *item) {
    double now = clock_monotonic_seconds();
    lane_remove_first(queue, item->lane); // find_next has found it there
    item->ready = false;
    item->processing = true;
    item->slot = item->lane;
    item->started_ms = clock_monotonic_ms();
    queue->processed[item->slot]++;
    queue->last_shared = item->slot == QUEUE_FAST ? queue->last_shared : item->slot;
    list_append(&queue->running, item);
    if (queue->observer.started != nullptr) {
        queue->observer.started(queue->observer.context, &item->key, now - item->since);
    }
    item->since = now;
}

// The worker has finished with item.
static void finish(struct queue *queue, struct item *item) {
    list_remove(&queue->running, item);
    item->processing = false;
    queue->processed[item->slot]--;
    if (item->slot != QUEUE_FAST) {
        pthread_cond_signal(&queue->changed); // the next one of its lane, or of another, may be waiting
    }
    if (item->dirty) {
        item->dirty = false;
        append_ready(queue, item);
    }
}

static void forget_transient(struct item *item) {
    item->transient_failures = 0;
    item->first_failure_ms = 0;
    item->last_failure_ms = 0;
}

static void count_transient(struct item *item) {
    item->last_failure_ms = item->started_ms;
    if (item->transient_failures == 0) {
        item->first_failure_ms = item->last_failure_ms;
    }
    item->transient_failures += item->transient_failures < FAILURES_MAX ? 1 : 0;
}

// Returns how long to wait after it.
static uint32_t count_failure(struct item *item, const struct queue_failure *failure) {
    uint32_t delay_ms = RETRY_FIRST_MS;
    for (unsigned i = 0; i < item->failures && delay_ms < RETRY_MAX_MS; i++) {
        delay_ms *= 2;
    }
    item->failures += item->failures < FAILURES_MAX ? 1 : 0;
    if (failure->is_transient) {
        count_transient(item);
    } else {
        forget_transient(item);
    }
    delay_ms = delay_ms < RETRY_MAX_MS ? delay_ms : RETRY_MAX_MS;
    delay_ms = failure->ceiling_ms > 0 && delay_ms > failure->ceiling_ms ? failure->ceiling_ms : delay_ms;
    return delay_ms < failure->floor_ms ? failure->floor_ms : delay_ms;
}

// ---- public

// Lets key's item, made if it is missing, enter the queue in one of three ways; detail: of the way.
static bool enter(struct queue *queue, const struct object_key *key,
                  void (*way)(struct queue *queue, struct item *item, uint32_t detail), uint32_t detail,
                  struct error *e) {
    pthread_mutex_lock(&queue->lock);
    bool done = queue->is_shut_down;
    if (!done) {
        struct item *item = need_item(queue, key);
        done = item != nullptr;
        if (done) {
            way(queue, item, detail);
        }
    }
    pthread_mutex_unlock(&queue->lock);
    return done || error_no_memory(e, "queueing a key");
}

bool queue_add(struct queue *queue, const struct object_key *key, struct error *e) {
    return enter(queue, key, enter_now, 0, e);
}

bool queue_add_to_lane(struct queue *queue, const struct object_key *key, enum queue_lane lane,
                       struct error *e) {
    return enter(queue, key, enter_lane, lane, e);
}

bool queue_add_after(struct queue *queue, const struct object_key *key, uint32_t delay_ms, struct error *e) {
    return enter(queue, key, delay, delay_ms, e);
}

void queue_set_limit(struct queue *queue, enum queue_lane lane, unsigned count) {
    pthread_mutex_lock(&queue->lock);
    queue->limits[lane] = count > 0 ? count : 1;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

void queue_set_common_limit(struct queue *queue, unsigned count) {
    pthread_mutex_lock(&queue->lock);
    queue->common_limit = count > 0 ? count : 1;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

bool queue_retry(struct queue *queue, const struct object_key *key, const struct queue_failure *failure,
                 uint32_t *ret_delay_ms, struct error *e) {
    pthread_mutex_lock(&queue->lock);
    struct item *item = need_item(queue, key);
    if (item == nullptr) {
        pthread_mutex_unlock(&queue->lock);
        return error_no_memory(e, "queueing a key");
    }
    uint32_t delay_ms = count_failure(item, failure);
    if (!queue->is_shut_down) {
        delay(queue, item, delay_ms);
    }
    if (queue->observer.retried != nullptr) {
        queue->observer.retried(queue->observer.context, key);
    }
    pthread_mutex_unlock(&queue->lock);
    *ret_delay_ms = delay_ms;
    return true;
}

void queue_forget(struct queue *queue, const struct object_key *key) {
    pthread_mutex_lock(&queue->lock);
    struct item *item = find_item(queue, key);
    if (item != nullptr) {
        item->failures = 0;
        forget_transient(item);
        item->lane = item->ready ? item->lane : QUEUE_FAST; // one that is in a lane stays there
        drop_idle(queue, item);
    }
    pthread_mutex_unlock(&queue->lock);
}

bool queue_take(struct queue *queue, struct object_key *ret_key, struct queue_attempt *ret_attempt) {
    struct item *item = nullptr;
    pthread_mutex_lock(&queue->lock);
    while (item == nullptr && !queue->is_shut_down && queue->releases == 0) {
        queue_make_due_ready(queue);
        item = find_next(queue);
        if (item == nullptr) {
            wait_for_change(queue);
        }
    }
    if (item != nullptr) {
        start(queue, item);
        *ret_key = item->key;
        *ret_attempt = (struct queue_attempt){item->lane, item->started_ms, item->transient_failures,
                                              item->first_failure_ms, item->last_failure_ms};
    } else if (!queue->is_shut_down) {
        queue->releases--;
    }
    if (find_next(queue) != nullptr || queue->heap_count > 0 || queue->releases > 0) {
        pthread_cond_signal(&queue->changed); // what woke this worker may also be for another one
    }
    pthread_mutex_unlock(&queue->lock);
    return item != nullptr;
}

void queue_done(struct queue *queue, const struct object_key *key) {
    pthread_mutex_lock(&queue->lock);
    struct item *item = find_item(queue, key);
    if (queue->observer.finished != nullptr) {
        queue->observer.finished(queue->observer.context, key, clock_monotonic_seconds() - item->since);
    }
    finish(queue, item);
    drop_idle(queue, item); // which ends key's texts
    pthread_mutex_unlock(&queue->lock);
}

void queue_release_worker(struct queue *queue) {
    pthread_mutex_lock(&queue->lock);
    queue->releases++;
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

void queue_shut_down(struct queue *queue) {
    pthread_mutex_lock(&queue->lock);
    queue->is_shut_down = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

size_t queue_depth(struct queue *queue) {
    pthread_mutex_lock(&queue->lock);
    queue_make_due_ready(queue);
    size_t depth = 0;
    for (enum queue_lane lane = 0; lane < QUEUE_LANES; lane++) {
        depth += queue->lanes[lane].item_count;
    }
    pthread_mutex_unlock(&queue->lock);
    return depth;
}
