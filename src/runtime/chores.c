#include "runtime/chores.h"

#include "base/log.h"
#include "base/memory.h"
#include "runtime/workers.h"

#include <string.h>
#include <time.h>

enum { RETRY_FLOOR_MS = 100, RETRY_CEILING_MS = 30000, ASK_PAUSE_NS = 1000000 };

struct chores {
    struct chore list[CHORES_MAX];
    size_t count;
    struct queue *queue;
    struct workers *workers;
};

static const struct chore *find_chore(const struct chores *chores, const char *name) {
    for (size_t i = 0; i < chores->count; i++) {
        if (strcmp(chores->list[i].name, name) == 0) {
            return &chores->list[i];
        }
    }
    return nullptr;
}

static bool queue_next(struct chores *chores, const char *name, bool again, uint32_t delay_ms,
                       struct error *e) {
    uint32_t ignored_ms;
    if (again) {
        return queue_retry(chores->queue, name, RETRY_FLOOR_MS, RETRY_CEILING_MS, &ignored_ms, e);
    }
    queue_forget(chores->queue, name);
    return delay_ms == 0 || queue_add_after(chores->queue, name, delay_ms, e);
}

static void work(void *context, const char *name, bool) {
    struct chores *chores = context;
    const struct chore *chore = find_chore(chores, name);
    struct error e = {0};
    uint32_t again_ms = 0;
    bool failed = !chore->run(chore->context, &again_ms, &e);
    if (failed) {
        LOG(LOG_WARNING, "a chore failed", {"chore", name}, {"detail", e.message});
    }
    if (!queue_next(chores, name, failed && e.class != ERROR_INVALID_SPEC, again_ms, &e)) {
        LOG(LOG_ERROR, "could not queue a chore again", {"chore", name}, {"detail", e.message});
    }
}

bool chores_create(const struct chore *list, size_t count, struct chores **ret_chores, struct error *e) {
    struct chores *chores = memory_allocate_zeroed(1, sizeof(*chores));
    if (chores == nullptr) {
        return error_no_memory(e, "chores");
    }
    memcpy(chores->list, list, count * sizeof(*list));
    chores->count = count;
    if (!queue_create(nullptr, &chores->queue, e) ||
        !workers_create(chores->queue, work, chores, &chores->workers, e) ||
        !workers_set_count(chores->workers, 1, e)) {
        chores_free(chores);
        return false;
    }
    *ret_chores = chores;
    return true;
}

void chores_ask(struct chores *chores, const char *name) {
    struct error e;
    while (!queue_add(chores->queue, name, &e)) {
        (void)nanosleep(&(struct timespec){.tv_nsec = ASK_PAUSE_NS}, nullptr);
    }
}

void chores_stop(struct chores *chores) {
    if (chores->queue != nullptr) {
        queue_shut_down(chores->queue);
    }
    if (chores->workers != nullptr) {
        workers_join(chores->workers);
    }
}

void chores_free(struct chores *chores) {
    if (chores != nullptr) {
        chores_stop(chores);
        workers_free(chores->workers);
        queue_free(chores->queue);
        memory_free(chores);
    }
}
