#include "engine/spec_rotation.h"

#include "base/cron.h"
#include "base/time_zone.h"

#include <inttypes.h>
#include <stddef.h>

enum {
    KEEP_MAX = 16,
    // Besides the previous versions: the present one and the next.
    OTHER_VERSIONS = 2,
    EVERY_MIN = 10 * 60,        // seconds
    WINDOW_MIN = 60,            // seconds
    WINDOW_MAX = 7 * 24 * 3600, // seconds
    SCHEDULE_MAX = 256,         // bytes
    TRUSTED_AHEAD = 3600,       // seconds
};

static const int64_t length_max = (int64_t)36500 * 24 * 3600; // seconds, as of a certificate's life

// ---- the fields

static const struct text_form form_schedule = {
    .name = "five fields as of a CronJob, such as `0 2 * * 6`, or `@weekly` and the like",
    .pattern = "^\\s*(@[a-z]+|[-0-9A-Za-z*/,?]+(\\s+[-0-9A-Za-z*/,?]+){4})\\s*$",
};

static const struct text_form form_time_zone = {
    .name = "a name of the time zone database, such as `Europe/Zurich`",
    .pattern = "^([-+_0-9A-Za-z]+(/[-+_0-9A-Za-z]+)*)?$",
};

static const struct spec_object rotation_object = {
    .contents = " with every, keep, keepFor, publishAhead and window",
    .description = "When the output is made anew, and how many previous versions stay in the Secret, and how "
                   "long. Absent: there are no rotations.",
};

static const struct spec_object window_object = {
    .outer = &rotation_object,
    .contents = " with schedule, timeZone and duration",
    .description =
        "When a rotation that is due by every may begin: only while this window is open. Absent: at "
        "any time.",
};

const struct spec_field spec_rotation_fields[] = {
    {.name = "rotation.every",
     .type = SPEC_DURATION,
     .offset = offsetof(struct common_spec, rotation.every_s),
     .object = &rotation_object,
     .min = EVERY_MIN,
     .max = length_max,
     .counts_seconds = true,
     .description = "How long a version is in use until the next one takes its place, at least 10m. Default: "
                    "none, a rotation comes only on request."},
    {.name = "rotation.keep",
     .type = SPEC_INTEGER,
     .offset = offsetof(struct common_spec, rotation.keep),
     .object = &rotation_object,
     .min = 1,
     .max = KEEP_MAX,
     .fallback = 1,
     .description = "How many previous versions stay; the oldest goes with the next rotation. As many as a "
                    "Secret has room for. Of a root CA it is the most that may stay, each for as long as "
                    "something needs it."},
    {.name = "rotation.keepFor",
     .type = SPEC_DURATION,
     .offset = offsetof(struct common_spec, rotation.keep_for_s),
     .object = &rotation_object,
     .min = 1,
     .max = length_max,
     .counts_seconds = true,
     .description = "How long a previous version stays at least: a rotation that would need its place before "
                    "waits. Default: none; of a root CA publishAhead."},
    {.name = "rotation.publishAhead",
     .type = SPEC_DURATION,
     .offset = offsetof(struct common_spec, rotation.publish_ahead_s),
     .object = &rotation_object,
     .min = 1,
     .max = length_max,
     .counts_seconds = true,
     .description = "How long before its first use the next version is made, and what is public of it is "
                    "published; shorter than every. Default: none, it is used at once; of a root CA 1h, or a "
                    "quarter of every if that is less."},
    {.name = "rotation.window.schedule",
     .type = SPEC_TEXT,
     .offset = offsetof(struct common_spec, rotation.schedule),
     .object = &window_object,
     .min = 1,
     .max = SCHEDULE_MAX,
     .form = &form_schedule,
     .description = "When the window opens: minute, hour, day of the month, month and day of the week, as a "
                    "CronJob has them. Required with a window."},
    {.name = "rotation.window.timeZone",
     .type = SPEC_TEXT,
     .offset = offsetof(struct common_spec, rotation.time_zone),
     .object = &window_object,
     .empty_is_absent = true,
     .max = TIME_ZONE_NAME_MAX,
     .text_fallback = "UTC",
     .form = &form_time_zone,
     .description = "In which time zone the schedule is read."},
    {.name = "rotation.window.duration",
     .type = SPEC_DURATION,
     .offset = offsetof(struct common_spec, rotation.window_s),
     .object = &window_object,
     .min = WINDOW_MIN,
     .max = WINDOW_MAX,
     .counts_seconds = true,
     .description = "How long the window stays open, at least 1m. Required with a window."},
    {.name = nullptr},
};

// ---- what holds between them

// Notes what was found of a field, or that it was not possible to look.
static void note_refusal(struct spec_reader *reader, const char *field, const struct error *e) {
    reader->out_of_memory = reader->out_of_memory || e->class == ERROR_NO_MEMORY;
    if (e->class == ERROR_IO) {
        error_set(&reader->unreadable, ERROR_IO, "spec.%s: %s", field, e->message);
        return;
    }
    spec_field_error(reader, "%s: %s", field, e->message);
}

static void check_schedule(struct spec_reader *reader, const struct rotation_spec *rotation) {
    struct error e = {0};
    struct cron schedule;
    cleanup_time_zone struct time_zone *zone = nullptr;
    if (rotation->schedule != nullptr && !cron_parse(rotation->schedule, &schedule, &e)) {
        note_refusal(reader, "rotation.window.schedule", &e);
    }
    bool is_schedule = rotation->schedule != nullptr && e.class == ERROR_NONE;
    if (!time_zone_load(rotation->time_zone, &zone, &e)) {
        note_refusal(reader, "rotation.window.timeZone", &e);
    } else if (is_schedule && cron_next(&schedule, zone, 0) == 0) {
        spec_field_error(reader, "rotation.window.schedule: \"%.64s\" never comes; give one that does",
                         rotation->schedule);
    }
}

static void check_window(struct spec_reader *reader, const struct rotation_spec *rotation) {
    static const char *const needed[] = {"rotation.window.schedule", "rotation.window.duration"};
    if (!yyjson_is_obj(spec_value(reader, "rotation.window"))) {
        return;
    }
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (spec_value(reader, needed[i]) == nullptr) {
            spec_field_error(reader, "%s: is required with spec.rotation.window", needed[i]);
        }
    }
    if (spec_value(reader, "rotation.every") == nullptr) {
        spec_field_error(reader,
                         "rotation.window: says when a rotation may begin, and nothing says how often; "
                         "set spec.rotation.every, or remove it");
    }
    check_schedule(reader, rotation);
}

static void check_lengths(struct spec_reader *reader, const struct rotation_spec *rotation) {
    int64_t every = rotation->every_s;
    if (every == 0) {
        return;
    }
    if (rotation->publish_ahead_s >= every) {
        spec_field_error(reader,
                         "rotation.publishAhead: %" PRId64 " s is not shorter than spec.rotation.every, "
                         "%" PRId64 " s",
                         rotation->publish_ahead_s, every);
    }
    if (rotation->keep_for_s > every * rotation->keep) {
        spec_warning(reader,
                     "rotation.keepFor: %" PRId64 " s is more than spec.rotation.every times "
                     "spec.rotation.keep, %" PRId64 " s: each rotation would wait for it",
                     rotation->keep_for_s, every * rotation->keep);
    }
}

static void check_size(struct spec_reader *reader, size_t version_bytes, int64_t keep) {
    int64_t fitting = (int64_t)(ROTATION_SECRET_MAX / (version_bytes + ROTATION_VERSION_OVERHEAD));
    int64_t most = fitting - OTHER_VERSIONS;
    if (most < 1) {
        spec_field_error(reader,
                         "rotation.keep: no previous version fits into a Secret for versions of %zu bytes "
                         "each; remove spec.rotation",
                         version_bytes);
    } else if (keep > most) {
        spec_field_error(reader,
                         "rotation.keep: %" PRId64 " is too many for one Secret; at most %" PRId64
                         " fit for versions of %zu bytes each",
                         keep, most, version_bytes);
    }
}

void spec_rotation_complete(struct spec_reader *reader, struct rotation_spec *rotation) {
    int64_t quarter = rotation->every_s / 4;
    int64_t usual = quarter > 0 && quarter < TRUSTED_AHEAD ? quarter : TRUSTED_AHEAD;
    if (spec_value(reader, "rotation.publishAhead") == nullptr) {
        rotation->publish_ahead_s = usual;
    }
    if (spec_value(reader, "rotation.keepFor") == nullptr) {
        rotation->keep_for_s = rotation->publish_ahead_s;
    }
    rotation->keep = rotation->keep > 0 ? rotation->keep : 1;
}

void spec_rotation_check(struct spec_reader *reader, const struct kind *kind, const void *spec,
                         const struct rotation_spec *rotation) {
    check_window(reader, rotation);
    check_lengths(reader, rotation);
    check_size(reader, kind->version_bytes(spec), rotation->keep);
}
