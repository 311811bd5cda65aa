// Files of time zones, put together by a test.
#pragma once

#include "check.h"

#include "base/time_zone.h"

#include <stdlib.h>

// A file with two kinds of local time, of which the second is an hour ahead: the changes go to and fro.
struct zone_file {
    char version;           // '\0', '2', '3'
    int32_t offset;         // seconds east, before the first change and after each second one
    const int64_t *changes; // UTC
    size_t count;
    const char *footer;
};

static inline void zone_put(struct buffer *file, int64_t number, int size) {
    for (int i = size - 1; i >= 0; i--) {
        say(file, "%c", (int)((uint64_t)number >> 8 * i & 0xff));
    }
}

static inline void zone_put_block(const struct zone_file *zone, int time_size, struct buffer *file) {
    say(file, "TZif%c", zone->version);
    for (int i = 0; i < 15; i++) {
        say(file, "%c", 0);
    }
    const int64_t counts[] = {0, 0, 0, (int64_t)zone->count, 2, 4};
    for (size_t i = 0; i < 6; i++) {
        zone_put(file, counts[i], 4);
    }
    for (size_t i = 0; i < zone->count; i++) {
        zone_put(file, zone->changes[i], time_size);
    }
    for (size_t i = 0; i < zone->count; i++) {
        say(file, "%c", i % 2 == 0);
    }
    for (int i = 0; i < 2; i++) {
        zone_put(file, zone->offset + i * 3600, 4);
        zone_put(file, i, 1); // summer time
        zone_put(file, 0, 1); // its name
    }
    say(file, "ABC%c", 0);
}

static inline void zone_write(const struct zone_file *zone, struct buffer *file) {
    zone_put_block(zone, 4, file);
    if (zone->version != '\0') {
        zone_put_block(zone, 8, file);
        say(file, "\n%s\n", zone->footer);
    }
}

// Owned; a zone of nothing but a rule.
static inline struct time_zone *zone_of_rule(const char *rule) {
    struct error e;
    struct time_zone *zone;
    cleanup_buffer struct buffer file = buffer_create(1000);
    zone_write(&(struct zone_file){.version = '3', .footer = rule}, &file);
    must(time_zone_parse(buffer_text(&file), file.length, &zone, &e), e);
    return zone;
}

// Owned; the system's.
static inline struct time_zone *zone_load(const char *name) {
    struct error e;
    struct time_zone *zone;
    must(time_zone_load(name, &zone, &e), e);
    return zone;
}
