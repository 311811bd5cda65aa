#include "base/clock.h"
#include "runtime/queue_internal.h"

// Whether visit wants more.
static bool describe_list(const struct list *list, struct queue_key *key, double now,
                          bool (*visit)(void *context, const struct queue_key *key), void *context) {
    for (const struct item *item = list->first; item != nullptr; item = item->next) {
        key->key = &item->key;
        key->lane = item->lane;
        key->failures = item->failures;
        key->seconds = now - item->since;
        if (!visit(context, key)) {
            return false;
        }
    }
    return true;
}

static bool describe_lane(const struct queue *queue, enum queue_lane lane, struct queue_key *key, double now,
                          bool (*visit)(void *context, const struct queue_key *key), void *context) {
    const struct namespace_queue *tenant = queue->lanes[lane].first;
    while (tenant != nullptr && describe_list(&tenant->ready[lane], key, now, visit, context)) {
        tenant = tenant->next[lane];
    }
    return tenant == nullptr;
}

static void describe_delayed(const struct queue *queue,
                             bool (*visit)(void *context, const struct queue_key *key), void *context) {
    int64_t now = clock_monotonic_ms();
    bool more = true;
    for (size_t place = 1; place <= queue->heap_count && more; place++) {
        const struct item *item = queue->heap[place];
        struct queue_key key = {.key = &item->key,
                                .state = QUEUE_KEY_DELAYED,
                                .lane = item->lane,
                                .failures = item->failures,
                                .seconds = (double)(item->ready_ms - now) / 1000};
        more = visit(context, &key);
    }
}

void queue_describe(struct queue *queue, bool (*visit)(void *context, const struct queue_key *key),
                    void *context) {
    struct queue_key running = {.state = QUEUE_KEY_RUNNING};
    struct queue_key ready = {.state = QUEUE_KEY_READY};
    pthread_mutex_lock(&queue->lock);
    queue_make_due_ready(queue);
    double now = clock_monotonic_seconds();
    bool more = describe_list(&queue->running, &running, now, visit, context);
    for (enum queue_lane lane = 0; more && lane < QUEUE_LANES; lane++) {
        more = describe_lane(queue, lane, &ready, now, visit, context);
    }
    if (more) {
        describe_delayed(queue, visit, context);
    }
    pthread_mutex_unlock(&queue->lock);
}

double queue_longest_running(struct queue *queue, double *ret_unfinished_sum) {
    double longest = 0;
    double sum = 0;
    pthread_mutex_lock(&queue->lock);
    double now = clock_monotonic_seconds();
    for (const struct item *item = queue->running.first; item != nullptr; item = item->next) {
        double seconds = now - item->since;
        longest = seconds > longest ? seconds : longest;
        sum += seconds;
    }
    pthread_mutex_unlock(&queue->lock);
    if (ret_unfinished_sum != nullptr) {
        *ret_unfinished_sum = sum;
    }
    return longest;
}
