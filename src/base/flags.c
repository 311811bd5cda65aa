#include "base/flags.h"

#include <stdlib.h>
#include <string.h>

static bool set(const struct flag *flag, const char *name, const char *text, void *target, struct error *e) {
    if (flag->set != nullptr) {
        return flag->set(target, name, text, e);
    }
    memcpy((char *)target + flag->text, &text, sizeof(text));
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
            return error_set(e, ERROR_INVALID_SPEC, "%s: no such flag; see qubesec %s --help", *arguments,
                             flags->verb);
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
    return read_arguments(flags, arguments, given, target, e) &&
           (*help || read_variables(flags, given, target, e));
}

bool flags_describe(const struct flags *flags, struct buffer *text, struct error *e) {
    for (size_t i = 0; i < flags->count; i++) {
        const struct flag *flag = &flags->list[i];
        if (!buffer_append_format(
                text, e, "  %s%s%s%s%s\n      %s\n", flag->name, flag->value == nullptr ? "" : " ",
                flag->value == nullptr ? "" : flag->value, flag->variable == nullptr ? "" : "   $",
                flag->variable == nullptr ? "" : flag->variable, flag->help)) {
            return false;
        }
    }
    return true;
}
