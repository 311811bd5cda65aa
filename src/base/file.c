#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 4096 };

static bool read_all(int fd, struct buffer *content, struct error *e) {
    for (;;) {
        size_t room = content->cap - content->length;
        char *place;
        if (!buffer_reserve(content, room < CHUNK ? room : CHUNK, &place, e)) {
            return false;
        }
        // One byte more than fits shows that the file is too long.
        char beyond;
        ssize_t length = room == 0 ? read(fd, &beyond, 1) : read(fd, place, room < CHUNK ? room : CHUNK);
        if (length < 0 && errno == EINTR) {
            continue;
        }
        if (length < 0) {
            return error_set(e, ERROR_IO, "%s", strerror(errno));
        }
        if (length > 0 && room == 0) {
            return error_set(e, ERROR_IO, "it is longer than %zu bytes", content->cap);
        }
        if (length == 0) {
            return true;
        }
        buffer_advance(content, (size_t)length);
    }
}

bool file_read(const char *path, struct buffer *content, struct error *e) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return error_set(e, ERROR_IO, "%s: %s", path, strerror(errno));
    }
    bool done = read_all(fd, content, e) || error_wrap(e, "%s", path);
    close(fd);
    return done;
}
