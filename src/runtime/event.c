#include "runtime/event.h"

#include "base/clock.h"
#include "base/condvar.h"
#include "base/map.h"
#include "base/memory.h"
#include "kube/event_body.h"

#include <pthread.h>
#include <string.h>

// One entry for each (object, reason, note): what is to be sent, and what was. Entries stay for a while, so
// that a repetition becomes a series. They are kept in the order of their last use; those with something to
// send wait in two more lists, first in, first out: warnings, and what can wait until they are sent. The
// sending thread copies an entry, and talks to the server without the lock.
enum {
    ENTRIES_MAX = 1000,
    NORMAL_WAITING_MAX = 500,        // more are dropped, so that there is room for warnings
    SERIES_IDLE_MS = 20 * 60 * 1000, // a repetition after this long is a new Event
    SEND_MS = 3000,                  // for one request
    DRAIN_MS = 1000,
    KEY_MAX = 8192,
};

struct entry {
    char *key; // also the map's
    struct event_body body;
    bool created; // the Event exists on the server
    bool waiting; // in the sending list
    bool sending; // being sent: must not be freed
    int64_t used_ms;
    struct entry *older;
    struct entry *newer;
    struct entry *next_waiting;
};

struct waiting {
    struct entry *first;
    struct entry *last;
    size_t count;
};

struct event_recorder {
    struct api api;
    struct event_rate_limit pace;
    char *component; // of the source
    char *instance;
    char *id_annotation;
    pthread_t thread;
    pthread_mutex_t lock; // guards all below
    pthread_cond_t wake;
    struct map *entries; // key -> struct entry *, borrowed
    struct entry *oldest;
    struct entry *newest;
    struct waiting warnings;
    struct waiting normal;
    int64_t paced_ms; // when the requests so far would have been sent at a steady pace
    bool closing;
    int64_t drain_until_ms; // once closing
};

static void free_entry(struct entry *entry) {
    event_body_done(&entry->body);
    memory_free(entry->key);
    memory_free(entry);
}

// ---- the order of use; with the lock held

static void unlink_entry(struct event_recorder *recorder, struct entry *entry) {
    *(entry->older == nullptr ? &recorder->oldest : &entry->older->newer) = entry->newer;
    *(entry->newer == nullptr ? &recorder->newest : &entry->newer->older) = entry->older;
}

static void link_newest(struct event_recorder *recorder, struct entry *entry) {
    entry->older = recorder->newest;
    entry->newer = nullptr;
    *(entry->older == nullptr ? &recorder->oldest : &entry->older->newer) = entry;
    recorder->newest = entry;
}

// Makes room for one more; false: all entries still have something to send.
static bool make_room(struct event_recorder *recorder) {
    if (map_count(recorder->entries) < ENTRIES_MAX) {
        return true;
    }
    struct entry *entry = recorder->oldest;
    while (entry != nullptr && (entry->waiting || entry->sending)) {
        entry = entry->newer;
    }
    if (entry == nullptr) {
        return false;
    }
    unlink_entry(recorder, entry);
    (void)map_remove(recorder->entries, entry->key);
    free_entry(entry);
    return true;
}

static void put_waiting(struct event_recorder *recorder, struct entry *entry) {
    struct waiting *list = entry->body.warning ? &recorder->warnings : &recorder->normal;
    entry->waiting = true;
    entry->next_waiting = nullptr;
    *(list->last == nullptr ? &list->first : &list->last->next_waiting) = entry;
    list->last = entry;
    list->count++;
    pthread_cond_signal(&recorder->wake);
}

static struct entry *take_waiting(struct event_recorder *recorder) {
    struct waiting *list = recorder->warnings.count > 0 ? &recorder->warnings : &recorder->normal;
    struct entry *entry = list->first;
    if (entry != nullptr) {
        list->first = entry->next_waiting;
        list->last = list->first == nullptr ? nullptr : list->last;
        list->count--;
        entry->waiting = false;
    }
    return entry;
}

static bool is_any_waiting(const struct event_recorder *recorder) {
    return recorder->warnings.count + recorder->normal.count > 0;
}

// ---- sending; on the recorder's thread

static bool create_event(struct event_recorder *recorder, const struct event_body *body, uint32_t timeout_ms,
                         struct error *e) {
    const struct event_source source = {recorder->component, recorder->instance, recorder->id_annotation};
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    return event_body_create(body, &source, &document, e) &&
           api_create(recorder->api, &kube_events, body->namespace, document, timeout_ms, nullptr, e);
}

static bool continue_series(struct event_recorder *recorder, const struct event_body *body,
                            uint32_t timeout_ms, struct error *e) {
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    return event_body_create_series(body, &document, e) &&
           api_patch(recorder->api, &kube_events, body->namespace, body->name, document, timeout_ms, nullptr,
                     e);
}

// Whether the Event exists afterwards. One that the server has forgotten meanwhile is made anew.
static bool send_body(struct event_recorder *recorder, const struct event_body *body, bool created,
                      uint32_t timeout_ms) {
    struct error e;
    if (created && (continue_series(recorder, body, timeout_ms, &e) || e.class != ERROR_NOT_FOUND)) {
        return true;
    }
    return create_event(recorder, body, timeout_ms, &e) || e.class == ERROR_CONFLICT;
}

// With the lock held, which is given back while the server is asked. An entry that is being sent is not
// freed; the texts of its body do not change, and the numbers are copied.
static void send_entry(struct event_recorder *recorder, struct entry *entry, uint32_t timeout_ms) {
    const struct event_body body = entry->body;
    bool created = entry->created;
    entry->sending = true;
    pthread_mutex_unlock(&recorder->lock);
    bool exists = send_body(recorder, &body, created, timeout_ms);
    pthread_mutex_lock(&recorder->lock);
    entry->sending = false;
    entry->created = exists;
}

// When the next request may be sent: at once while fewer than a burst are ahead of the steady pace.
static int64_t next_send_ms(const struct event_recorder *recorder) {
    return recorder->paced_ms - (int64_t)recorder->pace.burst * recorder->pace.interval_ms;
}

static void send_next(struct event_recorder *recorder, uint32_t timeout_ms) {
    int64_t now_ms = clock_monotonic_ms();
    recorder->paced_ms =
        (recorder->paced_ms > now_ms ? recorder->paced_ms : now_ms) + recorder->pace.interval_ms;
    send_entry(recorder, take_waiting(recorder), timeout_ms);
}

// All that waits, as fast as it goes, while there is time.
static void drain(struct event_recorder *recorder) {
    int64_t left_ms;
    while (is_any_waiting(recorder) && (left_ms = recorder->drain_until_ms - clock_monotonic_ms()) > 0) {
        send_next(recorder, (uint32_t)(left_ms < SEND_MS ? left_ms : SEND_MS));
    }
}

static void *run(void *context) {
    struct event_recorder *recorder = context;
    pthread_mutex_lock(&recorder->lock);
    while (!recorder->closing) {
        if (!is_any_waiting(recorder)) {
            pthread_cond_wait(&recorder->wake, &recorder->lock);
        } else if (next_send_ms(recorder) > clock_monotonic_ms()) {
            (void)condvar_wait_until(&recorder->wake, &recorder->lock, next_send_ms(recorder));
        } else {
            send_next(recorder, SEND_MS);
        }
    }
    drain(recorder);
    pthread_mutex_unlock(&recorder->lock);
    return nullptr;
}

// ---- recording

static bool write_key(const struct kube_object *object, const struct event_content *words,
                      struct buffer *key) {
    struct error ignored;
    return buffer_append_format(key, &ignored, "%s\n%s\n%d\n%s\n%s", object->uid, object->key, words->warning,
                                words->reason, words->note);
}

// A new entry, linked and in the map; NULL: no room. With the lock held.
static struct entry *add_entry(struct event_recorder *recorder, const char *key) {
    if (!make_room(recorder)) {
        return nullptr;
    }
    struct entry *entry = memory_allocate_zeroed(1, sizeof(*entry));
    if (entry == nullptr) {
        return nullptr;
    }
    entry->key = memory_copy_text(key);
    if (entry->key == nullptr || !map_put(recorder->entries, key, entry)) {
        free_entry(entry);
        return nullptr;
    }
    link_newest(recorder, entry);
    return entry;
}

static void drop_entry(struct event_recorder *recorder, struct entry *entry) {
    unlink_entry(recorder, entry);
    (void)map_remove(recorder->entries, entry->key);
    free_entry(entry);
}

// The entry to count in: one whose series still runs, or a new one. NULL: the event is dropped. With the lock
// held.
static struct entry *find_entry(struct event_recorder *recorder, const char *key,
                                const struct kube_resource *resource, const struct kube_object *object,
                                const struct event_content *words) {
    struct entry *entry = map_get(recorder->entries, key);
    bool busy = entry != nullptr && (entry->waiting || entry->sending);
    if (entry != nullptr && !busy && clock_monotonic_ms() - entry->used_ms > SERIES_IDLE_MS) {
        drop_entry(recorder, entry);
        entry = nullptr;
    }
    if (entry != nullptr) {
        unlink_entry(recorder, entry);
        link_newest(recorder, entry);
        return entry;
    }
    bool crowded = !words->warning && recorder->normal.count >= NORMAL_WAITING_MAX;
    entry = crowded ? nullptr : add_entry(recorder, key);
    if (entry != nullptr && !event_body_fill(&entry->body, resource, object, words)) {
        drop_entry(recorder, entry);
        entry = nullptr;
    }
    return entry;
}

void event_record(struct event_recorder *recorder, const struct kube_resource *resource,
                  const struct kube_object *object, const struct event_content *words) {
    cleanup_buffer struct buffer key = buffer_create(KEY_MAX);
    if (!write_key(object, words, &key)) {
        return;
    }
    pthread_mutex_lock(&recorder->lock);
    struct entry *entry =
        recorder->closing ? nullptr : find_entry(recorder, buffer_text(&key), resource, object, words);
    if (entry != nullptr) {
        entry->used_ms = clock_monotonic_ms();
        entry->body.count++;
        entry->body.last_us = clock_wall_microseconds();
        if (!entry->waiting) {
            put_waiting(recorder, entry);
        }
    }
    pthread_mutex_unlock(&recorder->lock);
}

// ---- life

static void release(struct event_recorder *recorder) {
    while (recorder->oldest != nullptr) {
        struct entry *entry = recorder->oldest;
        recorder->oldest = entry->newer;
        free_entry(entry);
    }
    map_free(recorder->entries);
    memory_free(recorder->component);
    memory_free(recorder->instance);
    memory_free(recorder->id_annotation);
    pthread_cond_destroy(&recorder->wake);
    pthread_mutex_destroy(&recorder->lock);
    memory_free(recorder);
}

bool event_recorder_create(struct api api, const struct event_source *source,
                           const struct event_rate_limit *pace, struct event_recorder **ret_recorder,
                           struct error *e) {
    struct event_recorder *recorder = memory_allocate_zeroed(1, sizeof(*recorder));
    if (recorder == nullptr) {
        return error_no_memory(e, "an event recorder");
    }
    recorder->api = api;
    recorder->pace = *pace;
    pthread_mutex_init(&recorder->lock, nullptr);
    condvar_create(&recorder->wake);
    recorder->component = memory_copy_text(source->component);
    recorder->instance =
        memory_copy_span(source->instance, event_text_cut(source->instance, EVENT_INSTANCE_MAX));
    recorder->id_annotation = memory_copy_text(source->id_annotation);
    recorder->entries = map_create(nullptr);
    if (recorder->component == nullptr || recorder->instance == nullptr ||
        recorder->id_annotation == nullptr || recorder->entries == nullptr ||
        pthread_create(&recorder->thread, nullptr, run, recorder) != 0) {
        release(recorder);
        return error_no_memory(e, "an event recorder");
    }
    *ret_recorder = recorder;
    return true;
}

void event_recorder_free(struct event_recorder *recorder) {
    if (recorder == nullptr) {
        return;
    }
    pthread_mutex_lock(&recorder->lock);
    recorder->closing = true;
    recorder->drain_until_ms = clock_monotonic_ms() + DRAIN_MS;
    pthread_cond_signal(&recorder->wake);
    pthread_mutex_unlock(&recorder->lock);
    pthread_join(recorder->thread, nullptr);
    release(recorder);
}
