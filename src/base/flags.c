#include "base/flags.h"

#include "base/duration.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, HOUR_MS = 60 * MINUTE_MS };

// ---- values

static bool set_bool(bool *target, const char *name, const char *text, struct error *e) {
    bool is_true = strcmp(text, "true") == 0;
    if (!is_true && strcmp(text, "false") != 0) {
        return error_set(e, ERROR_INVALID_SPEC, "%s: %s is neither true nor false", name, text);
    }
    *target = is_true;
    return true;
}

// Milliseconds; -1: text is no time.
static int64_t parse_time(const char *text, int64_t max_ms) {
    size_t digits = strspn(text, "0123456789");
    bool plain = digits > 0 && digits < 10;
    int64_t number = plain ? strtoll(text, nullptr, 10) : 0;
    int64_t seconds;
    if (plain && text[digits] == '\0') {
        return number * SECOND_MS;
    }
    if (plain && strcmp(text + digits, "ms") == 0) {
        return number;
    }
    return duration_parse(text, &seconds) && seconds <= max_ms / SECOND_MS ? seconds * SECOND_MS : -1;
}

static void write_bound(int64_t ms, char ret_text[32]) {
    bool is_hours = ms % HOUR_MS == 0;
    snprintf(ret_text, 32, "%" PRId64 "%c", ms / (is_hours ? HOUR_MS : SECOND_MS), is_hours ? 'h' : 's');
}

static bool set_time(uint32_t *target, const struct flag *flag, const char *name, const char *text,
                     struct error *e) {
    char least[32];
    char most[32];
    int64_t ms = parse_time(text, flag->max_ms);
    if (ms < flag->min_ms || ms > flag->max_ms) {
        bool is_from = flag->min_ms >= SECOND_MS; // else any but none
        write_bound(flag->min_ms, least);
        write_bound(flag->max_ms, most);
        return error_set(e, ERROR_INVALID_SPEC, "%s: %.64s is not a time such as 15s or 500ms, %s%s%s%s",
                         name, text, is_from ? "from " : "up to ", is_from ? least : "",
                         is_from ? " to " : "", most);
    }
    *target = (uint32_t)ms;
    return true;
}

static bool set(const struct flag *flag, const char *name, const char *text, void *target, struct error *e) {
    void *member = (char *)target + flag->offset;
    switch (flag->type) {
    case FLAG_TEXT:
        *(const char **)member = text;
        return true;
    case FLAG_BOOL:
        return set_bool(member, name, text, e);
    case FLAG_TIME:
        return set_time(member, flag, name, text, e);
    case FLAG_SWITCH:
        *(bool *)member = true;
        return strcmp(text, "true") == 0 || error_set(e, ERROR_INVALID_SPEC, "%s: takes no value", name);
    default:
        return flag->set(target, name, text, e);
    }
}

// ---- reading

static bool set_fallbacks(const struct flags *flags, void *target, struct error *e) {
    for (size_t i = 0; i < flags->count; i++) {
        const struct flag *flag = &flags->list[i];
        if (flag->fallback != nullptr && !set(flag, flag->name, flag->fallback, target, e)) {
            return false;
        }
    }
    return true;
}

// The flag that argument is, as "--name" or "--name=value" (*ret_value: NULL or the value); NULL: none.
static const struct flag *find_flag(const struct flags *flags, const char *argument, const char **ret_value) {
    size_t length = strcspn(argument, "=");
    for (size_t i = 0; i < flags->count; i++) {
        const struct flag *flag = &flags->list[i];
        if (strlen(flag->name) == length && strncmp(flag->name, argument, length) == 0) {
            *ret_value = argument[length] == '=' ? argument + length + 1 : nullptr;
            return flag;
        }
    }
    return nullptr;
}

static bool read_arguments(const struct flags *flags, char *const *arguments, bool given[FLAGS_MAX],
                           void *target, struct error *e) {
    while (*arguments != nullptr) {
        const char *value = nullptr;
        const struct flag *flag = find_flag(flags, *arguments, &value);
        if (flag == nullptr) {
            return error_set(e, ERROR_INVALID_SPEC, "%s: no such flag; see --help", *arguments);
        }
        arguments++;
        given[flag - flags->list] = true;
        if (value == nullptr && flag->value != nullptr) {
            if (*arguments == nullptr) {
                return error_set(e, ERROR_INVALID_SPEC, "%s: needs a value, %s", flag->name, flag->value);
            }
            value = *arguments++;
        }
        if (!set(flag, flag->name, value == nullptr ? "true" : value, target, e)) {
            return false;
        }
    }
    return true;
}

static bool read_variables(const struct flags *flags, const bool given[FLAGS_MAX], void *target,
                           struct error *e) {
    for (size_t i = 0; i < flags->count; i++) {
        const struct flag *flag = &flags->list[i];
        const char *text = given[i] || flag->variable == nullptr ? nullptr : getenv(flag->variable);
        if (text != nullptr && text[0] != '\0' && !set(flag, flag->variable, text, target, e)) {
            return false;
        }
    }
    return true;
}

bool flags_read(const struct flags *flags, char *const *arguments, void *target, const bool *help,
                struct error *e) {
    bool given[FLAGS_MAX] = {0};
    return set_fallbacks(flags, target, e) && read_arguments(flags, arguments, given, target, e) &&
           (*help || read_variables(flags, given, target, e));
}

bool flags_describe(const struct flags *flags, struct buffer *text, struct error *e) {
    for (size_t i = 0; i < flags->count; i++) {
        const struct flag *flag = &flags->list[i];
        bool has_value = flag->value != nullptr;
        bool has_variable = flag->variable != nullptr;
        bool has_fallback = flag->fallback != nullptr;
        if (!buffer_append_format(text, e, "  %s%s%s%s%s\n      %s%s%s%s\n", flag->name, has_value ? " " : "",
                                  has_value ? flag->value : "", has_variable ? "   $" : "",
                                  has_variable ? flag->variable : "", flag->help,
                                  has_fallback ? " Default: " : "", has_fallback ? flag->fallback : "",
                                  has_fallback ? "." : "")) {
            return false;
        }
    }
    return true;
}
