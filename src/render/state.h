// The folder in which a render keeps what it has made: one file with all objects as they are, for the next
// run, and the entries of Secrets as files of their own, for programs. All are their owner's alone.
#pragma once

#include "json/read.h"

#include "base/buffer.h"

struct state;

// Opens the folder, which is made where it is not there, for one run at a time. path is borrowed until
// state_close. *ret_state is owned. Errors: IO (also: it is somebody else's, or others may write to it),
// CONFLICT (another run has it), NO_MEMORY.
[[nodiscard]] bool state_open(const char *path, struct state **ret_state, struct error *e);

// Gives the folder back, and takes state; NULL is allowed.
void state_close(struct state *state);

// Appends what an earlier run has saved; nothing where there was none. Errors: IO (also: a link is in its
// place), NO_MEMORY.
[[nodiscard]] bool state_load(const struct state *state, struct buffer *text, struct error *e);

// Saves text in its place, whole or not at all. Errors: IO.
[[nodiscard]] bool state_save(const struct state *state, const struct buffer *text, struct error *e);

// Writes an entry of a Secret to NAMESPACE/SECRET/KEY in the folder. Errors: IO, INVALID_SPEC (a key that is
// no file's name), NO_MEMORY.
[[nodiscard]] bool state_write_entry(const struct state *state, const char *namespace, const char *secret,
                                     yyjson_val *key, const void *bytes, size_t length, struct error *e);

// Removes those files of NAMESPACE/SECRET for which is_gone. Errors: IO, INVALID_SPEC (namespace or secret is
// no file's name).
[[nodiscard]] bool state_remove_entries(const struct state *state, const char *namespace, const char *secret,
                                        bool (*is_gone)(void *context, const char *key), void *context,
                                        struct error *e);
