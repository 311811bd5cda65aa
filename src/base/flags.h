// Flags of a verb of the command line, each with an environment variable if it has one: a table says what
// there is, and where it goes.
#pragma once

#include "base/buffer.h"

struct flag {
    const char *name;     // "--workers"; "--workers 4" and "--workers=4" are the same
    const char *variable; // the environment variable for the same; NULL: none
    const char *value;    // what help calls it; NULL: the flag stands alone and means "true"
    size_t text;          // where in the target the text goes, a const char * that borrows it, if set is NULL
    bool (*set)(void *target, const char *name, const char *text, struct error *e); // name: for messages
    const char *help;
};

enum { FLAGS_MAX = 64 };

struct flags {
    const char *verb; // "operator"
    const struct flag *list;
    size_t count; // at most FLAGS_MAX
};

// Reads the arguments after the verb (NULL-terminated) into target, and then, unless *help is set by then,
// the variables of those flags that were not given. Errors: INVALID_SPEC (names the flag or variable), those
// of set.
[[nodiscard]] bool flags_read(const struct flags *flags, char *const *arguments, void *target,
                              const bool *help, struct error *e);

// Appends what help says of each. Errors: as buffer_append.
[[nodiscard]] bool flags_describe(const struct flags *flags, struct buffer *text, struct error *e);
