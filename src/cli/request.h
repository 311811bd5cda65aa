// What the verbs have in common that ask the operator for something, by an annotation with the present time.
#pragma once

#include "cli/verbs.h"
#include "engine/kind.h"

struct request {
    const struct verb *verb;
    const char *annotation;
    const char *status_field; // has the text of the request that was answered last
    const char *participle;   // of the verb: "renewed"
    const char *example;      // KIND/NAME of a kind that it is for
    bool (*serves)(const struct kind *kind);
};

extern const struct flags request_flags; // of each of these verbs

// Takes what is behind the verb, NULL-terminated, asks for it, and returns the exit status, as a verb does.
int request_run(const struct request *request, const struct program *program, char *const *words);
