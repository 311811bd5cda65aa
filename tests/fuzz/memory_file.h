// A file of an input's bytes that is in no folder, always at the same path.
#pragma once

#include "fuzz.h"

#include <linux/memfd.h>
#include <sys/syscall.h>
#include <unistd.h>

struct memory_file {
    int fd; // 0: not made yet
    char path[64];
};

// Returns its path, which stays the same.
[[maybe_unused]] static const char *memory_file_write(struct memory_file *file, const void *data,
                                                      size_t size) {
    if (file->fd == 0) {
        file->fd = (int)syscall(SYS_memfd_create, "input", MFD_CLOEXEC); // <sys/mman.h> has a pkey_free, too
        CHECK(file->fd > 0);
        (void)snprintf(file->path, sizeof(file->path), "/proc/self/fd/%d", file->fd);
    }
    CHECK(ftruncate(file->fd, (off_t)size) == 0 && pwrite(file->fd, data, size, 0) == (ssize_t)size);
    return file->path;
}
