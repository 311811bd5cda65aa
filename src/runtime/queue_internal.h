// The inside of the work queue, for its own files: queue.c, and queue_describe.c which tells of it.
#pragma once

#include "base/map.h"
#include "runtime/queue.h"

#include <pthread.h>

enum { NOT_DELAYED = 0 }; // a place in the heap is counted from 1

struct list {
    struct item *first;
    struct item *last;
    size_t count;
};

// A namespace with items. Leaves its home with the last of them.
struct namespace_queue {
    struct map *home; // namespace -> tenant
    size_t item_count;
    struct list ready[QUEUE_LANES];
    struct namespace_queue *next[QUEUE_LANES]; // in the lane's round, while it has items that are ready there
    char namespace[];
};

// A key that is ready, delayed, being processed, or has failed of late; in the other case it is freed. It is
// in at most one of the lanes and the heap, so it has one time at which it is ready.
struct item {
    struct object_key key; // of texts
    struct namespace_queue *tenant;
    bool ready; // in a lane
    bool processing;
    bool dirty;           // added while being processed
    enum queue_lane lane; // where it waits, when it is ready
    enum queue_lane slot; // while it is processed: where it was taken from
    size_t place;         // in the heap, or NOT_DELAYED
    int64_t ready_ms;     // when delayed: the time to be ready (monotonic)
    unsigned failures;    // in a row, of any kind
    // The transient ones at the end of that row.
    unsigned transient_failures;
    int64_t first_failure_ms;
    int64_t last_failure_ms;
    int64_t started_ms; // as struct queue_attempt has it
    double since;       // when it became ready, then when it was started (monotonic seconds)
    struct item *next;  // among its tenant's in a lane, or among those being processed
    struct item *previous;
    char texts[]; // namespace and name, each with its NUL
};

// The tenants with items that are ready in a lane, in the order of their turns: the first gives its first
// item and goes to the end. So each waits for one item of each other, however many those have.
struct round {
    struct namespace_queue *first;
    struct namespace_queue *last;
    size_t item_count;
};

struct queue {
    struct queue_observer observer;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct map *items;               // text of the key -> item, owned
    struct map *tenants;             // namespace -> tenant, owned
    struct round lanes[QUEUE_LANES]; // items that are ready
    struct list running;
    struct item **heap; // of delayed items by ready_ms, from index 1; always has room for every item
    size_t heap_count;
    size_t heap_room;
    size_t processed[QUEUE_LANES]; // how many of a lane are
    size_t limits[QUEUE_LANES];
    size_t common_limit;         // of all lanes but QUEUE_FAST together
    enum queue_lane last_shared; // of these the one of which a key was given out last; QUEUE_FAST: none yet
    size_t releases;             // workers that are asked to leave
    bool is_shut_down;
};

// Makes ready whose time has come. With the lock held.
void queue_make_due_ready(struct queue *queue);
