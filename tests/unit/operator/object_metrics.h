// Stores that are filled by hand, and what is written of them in parts.
#pragma once

#include "../base/short_memory.h"
#include "../kube/objects.h"

#include "kinds/table.h"
#include "operator/object_metrics.h"

#include <stdio.h>
#include <stdlib.h>

enum { PART_MAX = 128 * 1024, TEXT_MAX = 64 * 1024 * 1024 };

static struct queue *queue;
static struct informers *informers;
static struct indexes *indexes;
static struct buffer text;
static size_t parts;

static int set_up(void **) {
    struct indexes_options options = {.kinds = kind_table};
    struct error e;
    memory_left = -1;
    text = buffer_create(TEXT_MAX);
    must(queue_create(nullptr, &queue, &e), e);
    options.queue = queue;
    must(informers_create(&informers, &e), e);
    must(indexes_create(&options, informers, &indexes, &e), e);
    return 0;
}

static int tear_down(void **) {
    memory_left = -1;
    informers_free(informers);
    indexes_free(indexes);
    queue_free(queue);
    buffer_done(&text);
    return 0;
}

// Appends all of those families to text, in as many parts as it takes.
static inline void write_families(const struct object_metrics_family *const *families) {
    struct error e;
    struct object_metrics *all;
    bool more = true;
    must(object_metrics_create(indexes, families, &all, &e), e);
    for (parts = 0; more; parts++) {
        cleanup_buffer struct buffer part = buffer_create(PART_MAX);
        must(object_metrics_write(all, &part, &e), e);
        more = part.length > 0;
        must(buffer_append(&text, buffer_text(&part), part.length, &e), e);
    }
    object_metrics_free(all);
}

// Creating them fails as it should for as long as there is too little memory, and ends well once there is
// enough.
static inline void create_short_of_memory(const struct object_metrics_family *const *families) {
    bool made = false;
    for (long left = 0; !made && left < 20; left++) {
        struct error e = {0};
        struct object_metrics *all = nullptr;
        memory_left = left;
        made = object_metrics_create(indexes, families, &all, &e);
        memory_left = -1;
        assert_true(made || e.class == ERROR_NO_MEMORY);
        object_metrics_free(all);
    }
    assert_true(made);
}
