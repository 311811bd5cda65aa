// What the operator would make of manifests, made without a cluster: the reconciler works on an API of values
// in memory, and stops when nothing is left to do.
#pragma once

#include "base/buffer.h"
#include "engine/kind.h"

struct render_options {
    const struct kind *const *kinds; // NULL-terminated
    const char *const *files;        // of manifests, "-" is standard input; NULL-terminated
    const char *namespace;           // of what names none
    const char *state;               // the folder that keeps what was made; NULL: nothing is kept
    bool writes_entries;             // into state, each entry of each Secret as a file
    // Told of what should be known, for people: a file's object that is skipped, an Event that is a warning,
    // an object that is not Ready; text is borrowed during the call.
    void (*note)(void *context, const char *text);
    void *context;
};

// Reads the files, and what state has of earlier runs, and makes what is missing; nothing that is there is
// made again. Appends to manifests, as YAML, the Secrets and the objects with their statuses, in a form that
// kubectl applies. *ret_ready: all objects are Ready. Errors: IO, INVALID_SPEC (a file is no manifest:
// nothing was made), CONFLICT (another run uses state), NO_MEMORY, INTERNAL.
[[nodiscard]] bool render_run(const struct render_options *options, struct buffer *manifests, bool *ret_ready,
                              struct error *e);
