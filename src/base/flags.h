// Flags of a verb of the command line, each with an environment variable if it has one: a table says what
// there is, where it goes, what it may be, and what it is when it is not given.
#pragma once

#include "base/buffer.h"

enum flag_type {
    FLAG_TEXT,   // const char *, borrowed; NULL when neither given nor in fallback
    FLAG_BOOL,   // bool: "true" or "false"
    FLAG_TIME,   // uint32_t: milliseconds, min_ms to max_ms: "15s", "500ms", "1m30s", or a bare number of
                 // seconds
    FLAG_SWITCH, // bool: true when it is given, which is without a value
    FLAG_OWN,    // as set takes it
};

struct flag {
    const char *name;     // "--workers"; "--workers 4" and "--workers=4" are the same
    const char *variable; // the environment variable for the same; NULL: none
    const char *value;    // what help calls it; NULL: the flag stands alone and means "true"
    size_t offset;        // where in the target it goes
    int64_t min_ms;
    int64_t max_ms;
    const char
        *fallback; // what it is when it is not given, as it could be given; NULL: as the target was before
    bool (*set)(void *target, const char *name, const char *text, struct error *e); // name: for messages
    const char *help;                                                               // without fallback
    enum flag_type type;
};

enum { FLAGS_MAX = 64 };

struct flags {
    const struct flag *list;
    size_t count; // at most FLAGS_MAX
};

// Two rows, the same wherever a program is told how to reach the API server; the offsets are of what holds
// their texts.
#define FLAGS_OF_KUBECONFIG(file_offset, context_offset)                                                     \
    {.name = "--kubeconfig",                                                                                 \
     .type = FLAG_TEXT,                                                                                      \
     .variable = "QUBESEC_KUBECONFIG",                                                                       \
     .value = "FILE",                                                                                        \
     .offset = (file_offset),                                                                                \
     .help = "How to reach the API server. Default: $KUBECONFIG; in a pod its service account; "             \
             "~/.kube/config."},                                                                             \
        {.name = "--context",                                                                                \
         .type = FLAG_TEXT,                                                                                  \
         .variable = "QUBESEC_CONTEXT",                                                                      \
         .value = "NAME",                                                                                    \
         .offset = (context_offset),                                                                         \
         .help = "Context of the kubeconfig. Default: its current-context."}

// Sets target to the fallbacks, reads the arguments after the verb (NULL-terminated) into it, and then,
// unless *help is set by then, the variables of those flags that were not given. Errors: INVALID_SPEC (names
// the flag or variable, and what is allowed), those of set.
[[nodiscard]] bool flags_read(const struct flags *flags, char *const *arguments, void *target,
                              const bool *help, struct error *e);

// Appends what help says of each. Errors: as buffer_append.
[[nodiscard]] bool flags_describe(const struct flags *flags, struct buffer *text, struct error *e);
