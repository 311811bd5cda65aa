#include "base/time_zone.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/time_zone_rule.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FOLDER "/usr/share/zoneinfo/"

enum {
    FILE_MAX = 65536, // bytes
    HEADER_SIZE = 44,
    COUNTS_AT = 20,
    TYPE_SIZE = 6,
    OFFSET_MAX = 26 * 60 * 60, // seconds
    CACHED_MAX = 8,            // zones
};

struct change {
    int64_t at; // UTC
    int32_t offset;
};

struct time_zone {
    int32_t first_offset; // before the first change
    bool has_rule;
    struct time_zone_rule rule; // from the last change on, if it has one
    size_t count;
    struct change changes[]; // in the order of time
};

// A header and what follows it: RFC 9636, section 3.
struct block {
    uint32_t ut_count;
    uint32_t standard_count;
    uint32_t leap_count;
    uint32_t change_count;
    uint32_t type_count;
    uint32_t text_length;
    size_t time_size;           // 4 or 8 bytes
    const unsigned char *times; // type_count and so on long, one after the other
    const unsigned char *indices;
    const unsigned char *types;
    const unsigned char *end;
};

static uint64_t read_number(const unsigned char *bytes, size_t size) {
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++) {
        number = number << 8 | bytes[i];
    }
    return number;
}

static int64_t read_time(const struct block *block, size_t index) {
    uint64_t number = read_number(block->times + index * block->time_size, block->time_size);
    return block->time_size == 4 ? (int32_t)number : (int64_t)number;
}

static bool refuse(struct error *e, const char *why) {
    return error_set(e, ERROR_INVALID_SPEC, "%s", why);
}

static bool cut(struct error *e) {
    return refuse(e, "the file is cut, or counts more than it has");
}

// Takes a header with its block off the front of bytes. The counts are bounded before they are added up.
static bool take_block(const unsigned char **bytes, const unsigned char *end, size_t time_size,
                       struct block *ret_block, struct error *e) {
    struct block block = {.time_size = time_size};
    uint32_t *const counts[] = {&block.ut_count,     &block.standard_count, &block.leap_count,
                                &block.change_count, &block.type_count,     &block.text_length};
    if (end - *bytes < HEADER_SIZE) {
        return cut(e);
    }
    if (strncmp((const char *)*bytes, "TZif", 4) != 0) {
        return refuse(e, "the file is none of a time zone");
    }
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        *counts[i] = (uint32_t)read_number(*bytes + COUNTS_AT + 4 * i, 4);
        if (*counts[i] > FILE_MAX) {
            return cut(e);
        }
    }
    block.times = *bytes + HEADER_SIZE;
    size_t types_at = block.change_count * (time_size + 1);
    size_t size = types_at + block.type_count * (size_t)TYPE_SIZE + block.text_length +
                  block.leap_count * (time_size + 4) + block.standard_count + block.ut_count;
    if (size > (size_t)(end - block.times)) {
        return cut(e);
    }
    block.indices = block.times + block.change_count * time_size;
    block.types = block.times + types_at;
    block.end = block.times + size;
    *bytes = block.end;
    *ret_block = block;
    return true;
}

// The offset of one of the block's types.
static bool read_offset(const struct block *block, size_t type, int32_t *ret_offset, struct error *e) {
    if (type >= block->type_count) {
        return refuse(e, "the file names a kind of local time that it does not have");
    }
    int32_t offset = (int32_t)read_number(block->types + type * TYPE_SIZE, 4);
    if (offset < -OFFSET_MAX || offset > OFFSET_MAX) {
        return refuse(e, "the file has a local time that is more than 26 hours off UTC");
    }
    *ret_offset = offset;
    return true;
}

static bool read_changes(const struct block *block, struct time_zone *zone, struct error *e) {
    if (!read_offset(block, 0, &zone->first_offset, e)) {
        return false;
    }
    for (size_t i = 0; i < block->change_count; i++) {
        struct change *change = &zone->changes[i];
        change->at = read_time(block, i);
        if (i > 0 && change->at <= change[-1].at) {
            return refuse(e, "the changes in the file are in no order");
        }
        if (!read_offset(block, block->indices[i], &change->offset, e)) {
            return false;
        }
    }
    zone->count = block->change_count;
    return true;
}

// What is between two line feeds after the second block. Where it cannot be read, the last offset stays.
static void read_rule(const unsigned char *bytes, const unsigned char *end, struct time_zone *zone) {
    if (bytes == end || *bytes != '\n') {
        return;
    }
    const char *begin = (const char *)bytes + 1;
    const char *line_end = memchr(begin, '\n', (size_t)(end - bytes) - 1);
    zone->has_rule = line_end != nullptr && time_zone_rule_parse((struct span){begin, line_end}, &zone->rule);
}

static struct time_zone *allocate(size_t count, struct error *e) {
    struct time_zone *zone =
        memory_allocate_zeroed(1, sizeof(struct time_zone) + count * sizeof(struct change));
    if (zone == nullptr) {
        error_no_memory(e, "a time zone");
    }
    return zone;
}

bool time_zone_parse(const void *bytes, size_t length, struct time_zone **ret_zone, struct error *e) {
    const unsigned char *at = bytes;
    const unsigned char *end = at + length;
    struct block block = {0};
    if (length > FILE_MAX) {
        return refuse(e, "the file is longer than 64 KiB");
    }
    if (!take_block(&at, end, 4, &block, e)) {
        return false;
    }
    const char version = ((const char *)bytes)[4];
    if (version != '\0' && !take_block(&at, end, 8, &block, e)) {
        return false;
    }
    if (block.leap_count > 0) {
        return refuse(e, "the file counts leap seconds");
    }
    struct time_zone *zone = allocate(block.change_count, e);
    if (zone == nullptr) {
        return false;
    }
    if (!read_changes(&block, zone, e)) {
        time_zone_free(zone);
        return false;
    }
    if (version != '\0') {
        read_rule(at, end, zone);
    }
    *ret_zone = zone;
    return true;
}

static bool is_name(const char *name) {
    size_t length = strnlen(name, TIME_ZONE_NAME_MAX + 1);
    for (size_t i = 0; i < length; i++) {
        if (!is_letter(name[i]) && !is_digit(name[i]) && !is_one_of(name[i], "_-+/")) {
            return false;
        }
    }
    return length <= TIME_ZONE_NAME_MAX && name[0] != '/';
}

// ---- what was read before

// The zones that were read last, each with what its file was then.
static struct {
    pthread_mutex_t lock;
    size_t next; // to be taken the place of
    struct cached {
        char name[TIME_ZONE_NAME_MAX + 1];
        struct stat file;
        struct time_zone *zone; // owned; NULL: there is none
    } zones[CACHED_MAX];
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct time_zone *copy(const struct time_zone *zone, struct error *e) {
    struct time_zone *made = allocate(zone->count, e);
    if (made != nullptr) {
        memcpy(made, zone, sizeof(*zone) + zone->count * sizeof(zone->changes[0]));
    }
    return made;
}

static bool is_same_file(const struct stat *one, const struct stat *other) {
    return one->st_dev == other->st_dev && one->st_ino == other->st_ino && one->st_size == other->st_size &&
           one->st_mtim.tv_sec == other->st_mtim.tv_sec && one->st_mtim.tv_nsec == other->st_mtim.tv_nsec;
}

// *ret_zone is owned; NULL: it is not there.
static bool recall(const char *name, const struct stat *file, struct time_zone **ret_zone, struct error *e) {
    bool done = true;
    *ret_zone = nullptr;
    pthread_mutex_lock(&cache.lock);
    for (size_t i = 0; i < CACHED_MAX && *ret_zone == nullptr && done; i++) {
        const struct cached *cached = &cache.zones[i];
        if (cached->zone != nullptr && strcmp(cached->name, name) == 0 && is_same_file(&cached->file, file)) {
            *ret_zone = copy(cached->zone, e);
            done = *ret_zone != nullptr;
        }
    }
    pthread_mutex_unlock(&cache.lock);
    return done;
}

// Without memory it is read again the next time.
static void remember(const char *name, const struct stat *file, const struct time_zone *zone) {
    struct error ignored;
    struct time_zone *kept = copy(zone, &ignored);
    if (kept == nullptr) {
        return;
    }
    pthread_mutex_lock(&cache.lock);
    struct cached *cached = &cache.zones[cache.next];
    time_zone_free(cached->zone);
    *cached = (struct cached){.file = *file, .zone = kept};
    (void)snprintf(cached->name, sizeof(cached->name), "%s", name);
    cache.next = (cache.next + 1) % CACHED_MAX;
    pthread_mutex_unlock(&cache.lock);
}

// ---- loading

// Errors: INVALID_SPEC (there is no such file), IO (it cannot be told).
static bool find_file(const char *path, struct stat *ret_file, struct error *e) {
    if (stat(path, ret_file) != 0) {
        bool is_absent = errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG || errno == ELOOP;
        return error_set(e, is_absent ? ERROR_INVALID_SPEC : ERROR_IO, "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(ret_file->st_mode) || ret_file->st_size > FILE_MAX) {
        return error_set(e, ERROR_INVALID_SPEC, "%s: it is no file of at most 64 KiB", path);
    }
    return true;
}

static bool load_file(const char *name, struct time_zone **ret_zone, struct error *e) {
    char path[sizeof(FOLDER) + TIME_ZONE_NAME_MAX];
    struct stat file;
    struct time_zone *zone;
    cleanup_buffer struct buffer content = buffer_create(FILE_MAX);
    (void)snprintf(path, sizeof(path), FOLDER "%s", name);
    if (!find_file(path, &file, e) || !recall(name, &file, &zone, e)) {
        return false;
    }
    if (zone == nullptr) {
        if (!file_read(path, &content, e) ||
            !time_zone_parse(buffer_text(&content), content.length, &zone, e)) {
            return false;
        }
        if (zone != nullptr) {
            remember(name, &file, zone);
        }
    }
    *ret_zone = zone;
    return true;
}

bool time_zone_load(const char *name, struct time_zone **ret_zone, struct error *e) {
    if (!is_name(name)) {
        return error_set(
            e, ERROR_INVALID_SPEC,
            "\"%.*s\" is not the name of a time zone: letters, digits, and _ - + / between them, at "
            "most %d, such as Europe/Zurich",
            TIME_ZONE_NAME_MAX, name, TIME_ZONE_NAME_MAX);
    }
    if (name[0] == '\0' || strcmp(name, "UTC") == 0 || strcmp(name, "Etc/UTC") == 0) {
        struct time_zone *zone = allocate(0, e);
        if (zone != nullptr) {
            *ret_zone = zone;
        }
        return zone != nullptr;
    }
    if (!load_file(name, ret_zone, e)) {
        return e->class != ERROR_INVALID_SPEC
                   ? error_wrap(e, "the time zone %s", name)
                   : error_set(e, ERROR_INVALID_SPEC,
                               "\"%s\" is not a time zone that this system knows, such as Europe/Zurich: %s",
                               name, e->message);
    }
    return true;
}

// How many of the changes are at or before utc.
static size_t count_until(const struct time_zone *zone, int64_t utc) {
    size_t low = 0;
    size_t high = zone->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->changes[middle].at <= utc) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

int32_t time_zone_offset(const struct time_zone *zone, int64_t utc) {
    size_t count = count_until(zone, utc);
    if (count == zone->count && zone->has_rule) {
        return time_zone_rule_at(&zone->rule, utc).offset;
    }
    return count == 0 ? zone->first_offset : zone->changes[count - 1].offset;
}

int64_t time_zone_next_change(const struct time_zone *zone, int64_t utc) {
    size_t count = count_until(zone, utc);
    if (count < zone->count) {
        return zone->changes[count].at;
    }
    return zone->has_rule ? time_zone_rule_at(&zone->rule, utc).end : INT64_MAX;
}

void time_zone_free(struct time_zone *zone) {
    memory_free(zone);
}
