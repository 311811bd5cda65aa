#include "runtime/workers.h"

#include "base/cpu_count.h"
#include "base/memory.h"

#include <pthread.h>
#include <string.h>

struct workers {
    struct queue *queue;
    workers_function *work;
    void *context;
    pthread_mutex_t lock;
    pthread_cond_t left;
    unsigned count; // as set
    bool held;
    unsigned wanted;
    unsigned running; // threads that have not left yet, those asked to leave included
};

bool workers_create(struct queue *queue, workers_function *work, void *context, struct workers **ret_workers,
                    struct error *e) {
    struct workers *workers = memory_allocate_zeroed(1, sizeof(*workers));
    if (workers == nullptr) {
        return error_no_memory(e, "workers");
    }
    workers->queue = queue;
    workers->work = work;
    workers->context = context;
    pthread_mutex_init(&workers->lock, nullptr);
    pthread_cond_init(&workers->left, nullptr);
    *ret_workers = workers;
    return true;
}

static void *run(void *context) {
    struct workers *workers = context;
    struct object_key key;
    struct queue_attempt attempt;
    while (queue_take(workers->queue, &key, &attempt)) {
        workers->work(workers->context, &key, &attempt);
        queue_done(workers->queue, &key);
    }
    pthread_mutex_lock(&workers->lock);
    workers->running--;
    pthread_cond_broadcast(&workers->left);
    pthread_mutex_unlock(&workers->lock);
    return nullptr;
}

// With the lock held.
static bool start_one(struct workers *workers, struct error *e) {
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int failure = pthread_create(&thread, &attributes, run, workers);
    pthread_attr_destroy(&attributes);
    if (failure != 0) {
        return error_set(e, ERROR_INTERNAL, "starting a worker thread: %s", strerror(failure));
    }
    workers->running++;
    workers->wanted++;
    return true;
}

// With the lock held.
static bool adjust(struct workers *workers, struct error *e) {
    unsigned count = workers->held ? 0 : workers->count;
    bool started = true;
    while (started && workers->wanted < count) {
        started = start_one(workers, e);
    }
    while (workers->wanted > count) {
        workers->wanted--;
        queue_release_worker(workers->queue);
    }
    return started;
}

bool workers_set_count(struct workers *workers, unsigned count, struct error *e) {
    unsigned cores = cpu_count();
    unsigned spared = cores > 1 ? cores - 1 : 1;
    queue_set_limit(workers->queue, QUEUE_SLOW, count / 2 < spared ? count / 2 : spared);
    queue_set_limit(workers->queue, QUEUE_REMOTE, count / 4);
    queue_set_common_limit(workers->queue, count > 0 ? count - 1 : 0);
    pthread_mutex_lock(&workers->lock);
    workers->count = count;
    bool started = adjust(workers, e);
    pthread_mutex_unlock(&workers->lock);
    return started;
}

void workers_hold(struct workers *workers) {
    pthread_mutex_lock(&workers->lock);
    workers->held = true;
    pthread_mutex_unlock(&workers->lock);
}

bool workers_begin(struct workers *workers, struct error *e) {
    pthread_mutex_lock(&workers->lock);
    workers->held = false;
    bool started = adjust(workers, e);
    pthread_mutex_unlock(&workers->lock);
    return started;
}

unsigned workers_count(struct workers *workers) {
    pthread_mutex_lock(&workers->lock);
    unsigned count = workers->count;
    pthread_mutex_unlock(&workers->lock);
    return count;
}

void workers_join(struct workers *workers) {
    pthread_mutex_lock(&workers->lock);
    while (workers->running > 0) {
        pthread_cond_wait(&workers->left, &workers->lock);
    }
    pthread_mutex_unlock(&workers->lock);
}

void workers_free(struct workers *workers) {
    if (workers != nullptr) {
        pthread_cond_destroy(&workers->left);
        pthread_mutex_destroy(&workers->lock);
        memory_free(workers);
    }
}
