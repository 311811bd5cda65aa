#include "cli/verbs.h"

#include <stdio.h>

enum { HELP_MAX = 64 * 1024 };

int verb_fail(const struct program *program, const struct verb *verb, const struct error *error, int status) {
    fprintf(stderr, "%s %s: %s\n", program->name, verb->name, error->message);
    return status;
}

int verb_show_help(const struct program *program, const struct verb *verb) {
    cleanup_buffer struct buffer text = buffer_create(HELP_MAX);
    struct error e;
    if (verb->flags != nullptr && !flags_describe(verb->flags, &text, &e)) {
        return verb_fail(program, verb, &e, 1);
    }
    printf("Usage: %s %s%s%s\n\n%s\n%s", program->name, verb->name, verb->usage[0] == '\0' ? "" : " ",
           verb->usage, verb->description, buffer_text(&text));
    return 0;
}
