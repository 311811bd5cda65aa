// What tests of rotations do on a cluster in memory besides, and what they look at.
#pragma once

#include "cluster.h"

#include <inttypes.h>

static inline int64_t seconds_at(const char *text, const char *path) {
    int64_t seconds = 0;
    assert_true(clock_parse(text_at(text, path), &seconds));
    return seconds;
}

static inline int64_t now_s(void) {
    return BEGINNING_S + clock_ms / SECOND;
}

static inline void pass_to(int64_t seconds) {
    assert_true(seconds >= now_s());
    pass((seconds - now_s()) * SECOND);
}

static inline bool has_entry(const char *text, const char *key) {
    return yyjson_obj_get(data_of(text), key) != nullptr;
}

static inline void version_is(const char *text, int64_t number) {
    is_served(text);
    assert_int_equal(number_at(text, "status version"), number);
}

// Asks for a rotation, which begins if nothing holds it back.
static inline void rotate(const char *text, const char *request) {
    put(text, "metadata: {annotations: {qubesec.io/rotate: %s}}", request);
    run();
}
