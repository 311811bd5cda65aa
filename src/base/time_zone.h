// Time zones, as the system's time zone database has them (TZif, RFC 9636). All but time_zone_load is pure;
// that reads a file only when it is another one than before. Any thread.
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct time_zone;

enum { TIME_ZONE_NAME_MAX = 64 }; // bytes

// The zone of that name, such as Europe/Zurich, from /usr/share/zoneinfo; "", "UTC" and "Etc/UTC" need no
// file. *ret_zone is owned. Errors: INVALID_SPEC (no name of a zone, no such zone, or its file is damaged),
// IO (the file cannot be read now), NO_MEMORY.
[[nodiscard]] bool time_zone_load(const char *name, struct time_zone **ret_zone, struct error *e);

// The same from the bytes of a TZif file, version 1 or later. *ret_zone is owned. Errors: INVALID_SPEC (they
// are none, or count leap seconds), NO_MEMORY.
[[nodiscard]] bool time_zone_parse(const void *bytes, size_t length, struct time_zone **ret_zone,
                                   struct error *e);

// Seconds to add to utc (seconds since 1970-01-01T00:00:00Z, within 2^53 of it) for the local time there and
// then: positive east of Greenwich; at most 26 hours either way. After the file's last change its rule
// decides
// ("CET-1CEST,M3.5.0,M10.5.0/3"); where it has none, or one whose days are not of the form M3.5.0, the last
// offset stays.
int32_t time_zone_offset(const struct time_zone *zone, int64_t utc);

// When the offset may change next: a time after utc, and until then it stays the same. INT64_MAX: never.
int64_t time_zone_next_change(const struct time_zone *zone, int64_t utc);

// Takes zone; NULL is allowed.
void time_zone_free(struct time_zone *zone);

// For [[gnu::cleanup]].
static inline void time_zone_free_variable(struct time_zone **zone) {
    time_zone_free(*zone);
}
#define cleanup_time_zone [[gnu::cleanup(time_zone_free_variable)]]
