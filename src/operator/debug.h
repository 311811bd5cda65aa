// The debug pages: what the operator is doing, as JSON. They name objects, and hold nothing secret.
#pragma once

#include "base/buffer.h"
#include "runtime/informers.h"
#include "runtime/queue.h"
#include "runtime/workers.h"

// All borrowed.
struct debug_view {
    const struct informers *informers;
    struct queue *queue;
    struct workers *workers;
    int64_t started; // of the process, in seconds since 1970
    bool is_leader;
};

// Answers /debug/state and /debug/queue, as an http_server_handler does. False: path is neither. Loop thread.
[[nodiscard]] bool debug_answer(const struct debug_view *view, const char *path, struct buffer *body,
                                int *ret_status);
