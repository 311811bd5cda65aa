// The files of a kubeconfig and the named entries in them, merged as kubectl does: of what several files have
// the first one's counts. For this folder's own files.
#pragma once

#include "base/buffer.h"
#include "json/read.h"

struct kubeconfig_file { // both owned
    char *path;
    yyjson_doc *document;
};

struct kubeconfig_files {
    char *name; // how errors call them together; owned
    struct kubeconfig_file *items;
    size_t count;
};

// One file, which must be there. *ret_files is owned. Errors: IO, INVALID_SPEC (names the file), NO_MEMORY.
[[nodiscard]] bool kubeconfig_files_read(const char *path, struct kubeconfig_files *ret_files,
                                         struct error *e);

// Those of a list of paths with ":" between them, without those that are not there; one must be. *ret_files
// is owned. Errors: as kubeconfig_files_read.
[[nodiscard]] bool kubeconfig_files_read_list(const char *list, struct kubeconfig_files *ret_files,
                                              struct error *e);

void kubeconfig_files_done(struct kubeconfig_files *files);

// The current-context of the first file that has one; NULL: none has. Borrowed from files.
const char *kubeconfig_current_context(const struct kubeconfig_files *files);

// One named entry, or an object within it, and how errors call it; all borrowed.
struct kubeconfig_entry {
    const char *file;
    const char *kind; // "cluster", "user", "context"
    const char *name;
    const char *within; // "", or what is before its fields' names, as "exec."
    yyjson_val *object;
};

// The first entry of that name in one of the three lists. Errors: INVALID_SPEC (there is none).
[[nodiscard]] bool kubeconfig_find(const struct kubeconfig_files *files, const char *list, const char *kind,
                                   const char *name, struct kubeconfig_entry *ret_entry, struct error *e);

// INVALID_SPEC: file, entry, field, and why. Always false.
bool kubeconfig_entry_error(const struct kubeconfig_entry *entry, const char *field, const char *why,
                            struct error *e);

// Whether the value of a field says anything: it is not absent, null, false, or empty.
bool kubeconfig_is_set(yyjson_val *value);

// The field's text; NULL: absent or empty. Borrowed from the entry. Errors: INVALID_SPEC (no text).
[[nodiscard]] bool kubeconfig_text(const struct kubeconfig_entry *entry, const char *field,
                                   const char **ret_text, struct error *e);

// A copy of path, which starts in file's folder unless it is absolute, as kubectl has it; owned. Errors:
// INTERNAL (too long), NO_MEMORY.
[[nodiscard]] bool kubeconfig_resolve_path(const char *file, const char *path, char **ret_path,
                                           struct error *e);

// Appends the file's content to text. Errors: as file_read, INVALID_SPEC (a NUL in it).
[[nodiscard]] bool kubeconfig_read_file(const char *path, struct buffer *text, struct error *e);
