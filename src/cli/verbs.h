// The verbs of the command line, one file each. Usage, completion and the manual page are all written from
// what is here.
#pragma once

#include "base/flags.h"

struct program;

struct verb {
    const char *name;
    // Takes what is behind the verb, NULL-terminated, and returns the exit status: 0 done, 1 failed, 2
    // wrongly called.
    int (*run)(const struct program *program, char *const *arguments);
    const char *help;          // one line
    const char *usage;         // what is behind the verb
    const char *description;   // lines, each ended
    const struct flags *flags; // NULL: it has none
    const char *const *words;  // what may be the first argument, NULL-terminated; NULL: no word
};

struct program {
    const char *name;                // as people call it: "qubesec", "kubectl qubesec"
    const struct verb *const *verbs; // NULL-terminated
};

extern const struct verb verb_check;
extern const struct verb verb_completion;
extern const struct verb verb_manual;
extern const struct verb verb_operator;
extern const struct verb verb_render;
extern const struct verb verb_renew;
extern const struct verb verb_rotate;
extern const struct verb verb_version;

// Prints what --help says of a verb, and returns the exit status.
int verb_show_help(const struct program *program, const struct verb *verb);

// Prints the error of a verb on standard error, and returns status.
int verb_fail(const struct program *program, const struct verb *verb, const struct error *error, int status);
