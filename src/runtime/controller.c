#include "runtime/controller.h"

#include "base/clock.h"
#include "base/log.h"

static bool queue_next(struct queue *queue, const struct object_key *key, const struct outcome *outcome,
                       struct error *e) {
    const struct queue_failure failure = {outcome->error.retry_after_ms, outcome->retry_max_ms,
                                          outcome->is_transient};
    uint32_t delay_ms;
    switch (outcome->result) {
    case RESULT_RETRY:
        return queue_retry(queue, key, &failure, &delay_ms, e);
    case RESULT_LANE:
        return queue_add_to_lane(queue, key, outcome->lane, e);
    default:
        queue_forget(queue, key);
        return outcome->requeue_after_ms == 0 || queue_add_after(queue, key, outcome->requeue_after_ms, e);
    }
}

static void follow_up(struct queue *queue, const struct object_key *key, const struct outcome *outcome) {
    struct error e;
    if (!queue_next(queue, key, outcome, &e)) {
        char text[OBJECT_KEY_TEXT_SIZE];
        object_key_format(key, text);
        LOG(LOG_ERROR, "could not queue a key again", {"key", text}, {"detail", e.message});
    }
}

void controller_process(void *context, const struct object_key *key, const struct queue_attempt *attempt) {
    const struct controller *controller = context;
    const struct controller_observer *observer = &controller->observer;
    const struct reconciler *reconciler = &controller->reconciler;
    struct outcome outcome = {0};
    if (observer->started != nullptr) {
        observer->started(observer->context, key);
    }
    double started = clock_monotonic_seconds();
    reconciler->reconcile(reconciler->context, key, attempt, &outcome);
    if (observer->ended != nullptr) {
        observer->ended(observer->context, key, &outcome, clock_monotonic_seconds() - started);
    }
    follow_up(controller->queue, key, &outcome);
}
