// Reading and writing small files.
#pragma once

#include "base/buffer.h"

// Appends the file's content to content, up to its cap. Errors: IO (cannot be opened or read; too long),
// NO_MEMORY.
[[nodiscard]] bool file_read(const char *path, struct buffer *content, struct error *e);

// Writes a file that only its owner can read (mode 0600), whole or not at all: what path names afterwards is
// what it was, or all of bytes, on the disk. Meanwhile they are in "..new"
// beside it, which the next one replaces. One at a time for each folder. Errors: IO.
[[nodiscard]] bool file_replace(const char *path, const void *bytes, size_t length, struct error *e);

// Makes the folder and all above it that are not there, each for its owner alone (mode 0700). Errors: IO.
[[nodiscard]] bool file_make_folder(const char *path, struct error *e);
