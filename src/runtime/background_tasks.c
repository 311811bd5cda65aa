#include "runtime/background_tasks.h"

#include "base/log.h"
#include "base/memory.h"
#include "runtime/workers.h"

#include <string.h>
#include <time.h>

enum { RETRY_FLOOR_MS = 100, RETRY_CEILING_MS = 30000, ASK_PAUSE_NS = 1000000 };

struct background_tasks {
    struct background_task list[BACKGROUND_TASKS_MAX];
    size_t count;
    struct queue *queue;
    struct workers *workers;
};

static const struct background_task *find_chore(const struct background_tasks *tasks, const char *name) {
    for (size_t i = 0; i < tasks->count; i++) {
        if (strcmp(tasks->list[i].name, name) == 0) {
            return &tasks->list[i];
        }
    }
    return nullptr;
}

static bool queue_next(struct background_tasks *tasks, const char *name, bool again, uint32_t delay_ms,
                       struct error *e) {
    uint32_t ignored_ms;
    if (again) {
        return queue_retry(tasks->queue, name, RETRY_FLOOR_MS, RETRY_CEILING_MS, &ignored_ms, e);
    }
    queue_forget(tasks->queue, name);
    return delay_ms == 0 || queue_add_after(tasks->queue, name, delay_ms, e);
}

static void work(void *context, const char *name, bool) {
    struct background_tasks *tasks = context;
    const struct background_task *task = find_chore(tasks, name);
    struct error e = {0};
    uint32_t again_ms = 0;
    bool failed = !task->run(task->context, &again_ms, &e);
    if (failed) {
        LOG(LOG_WARNING, "a task failed", {"task", name}, {"detail", e.message});
    }
    if (!queue_next(tasks, name, failed && e.class != ERROR_INVALID_SPEC, again_ms, &e)) {
        LOG(LOG_ERROR, "could not queue a task again", {"task", name}, {"detail", e.message});
    }
}

bool background_tasks_create(const struct background_task *list, size_t count,
                             struct background_tasks **ret_tasks, struct error *e) {
    struct background_tasks *tasks = memory_allocate_zeroed(1, sizeof(*tasks));
    if (tasks == nullptr) {
        return error_no_memory(e, "tasks");
    }
    memcpy(tasks->list, list, count * sizeof(*list));
    tasks->count = count;
    if (!queue_create(nullptr, &tasks->queue, e) ||
        !workers_create(tasks->queue, work, tasks, &tasks->workers, e) ||
        !workers_set_count(tasks->workers, 1, e)) {
        background_tasks_free(tasks);
        return false;
    }
    *ret_tasks = tasks;
    return true;
}

void background_tasks_ask(struct background_tasks *tasks, const char *name) {
    struct error e;
    while (!queue_add(tasks->queue, name, &e)) {
        (void)nanosleep(&(struct timespec){.tv_nsec = ASK_PAUSE_NS}, nullptr);
    }
}

void background_tasks_stop(struct background_tasks *tasks) {
    if (tasks->queue != nullptr) {
        queue_shut_down(tasks->queue);
    }
    if (tasks->workers != nullptr) {
        workers_join(tasks->workers);
    }
}

void background_tasks_free(struct background_tasks *tasks) {
    if (tasks != nullptr) {
        background_tasks_stop(tasks);
        workers_free(tasks->workers);
        queue_free(tasks->queue);
        memory_free(tasks);
    }
}
