#include "runtime/background_tasks.h"

#include "base/log.h"
#include "base/memory.h"
#include "runtime/controller.h"
#include "runtime/workers.h"

#include <string.h>
#include <time.h>

enum { RETRY_FLOOR_MS = 100, RETRY_CEILING_MS = 30000, ASK_PAUSE_NS = 1000000 };

// A task is queued as if it were an object of this resource.
static const struct kube_resource task_resource = {
    .group = "", .version = "", .kind = "Task", .plural = "tasks"};

struct background_tasks {
    struct background_task list[BACKGROUND_TASKS_MAX];
    size_t count;
    struct queue *queue;
    struct workers *workers;
    struct controller controller;
};

static const struct background_task *find_task(const struct background_tasks *tasks, const char *name) {
    for (size_t i = 0; i < tasks->count; i++) {
        if (strcmp(tasks->list[i].name, name) == 0) {
            return &tasks->list[i];
        }
    }
    return nullptr;
}

static void run(void *context, const struct object_key *key, const struct queue_attempt *,
                struct outcome *ret_outcome) {
    const struct background_task *task = find_task(context, key->name);
    struct error *e = &ret_outcome->error;
    if (task->run(task->context, &ret_outcome->requeue_after_ms, e)) {
        return;
    }
    LOG(LOG_WARNING, "a task failed", {"task", key->name}, {"detail", e->message});
    if (e->class != ERROR_INVALID_SPEC) {
        ret_outcome->result = RESULT_RETRY;
        ret_outcome->retry_max_ms = RETRY_CEILING_MS;
        e->retry_after_ms = RETRY_FLOOR_MS;
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
    if (!queue_create(nullptr, &tasks->queue, e)) {
        background_tasks_free(tasks);
        return false;
    }
    tasks->controller =
        (struct controller){.queue = tasks->queue, .reconciler = {.context = tasks, .reconcile = run}};
    if (!workers_create(tasks->queue, controller_process, &tasks->controller, &tasks->workers, e) ||
        !workers_set_count(tasks->workers, 1, e)) {
        background_tasks_free(tasks);
        return false;
    }
    *ret_tasks = tasks;
    return true;
}

void background_tasks_ask(struct background_tasks *tasks, const char *name) {
    const struct object_key key = {&task_resource, "", name};
    struct error e;
    while (!queue_add(tasks->queue, &key, &e)) {
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
