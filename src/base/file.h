// Reading small files.
#pragma once

#include "base/buffer.h"

// Appends the file's content to content, up to its cap. Errors: IO (cannot be opened or read; too long),
// NO_MEMORY.
[[nodiscard]] bool file_read(const char *path, struct buffer *content, struct error *e);
