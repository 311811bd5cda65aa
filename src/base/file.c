#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
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

static bool fail(const char *path, struct error *e) {
    return error_set(e, ERROR_IO, "%s: %s", path, strerror(errno));
}

static bool write_all(int fd, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        bytes += written > 0 ? written : 0;
        length -= written > 0 ? (size_t)written : 0;
    }
    return fsync(fd) == 0;
}

// So that a name which was just given to a file outlives a power cut too.
static bool sync_folder_of(char *path) {
    char *slash = strrchr(path, '/');
    if (slash != nullptr) {
        *(slash == path ? slash + 1 : slash) = '\0';
    }
    int fd = open(slash == nullptr ? "." : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return done;
}

// "..new" beside path, so that no name becomes too long; no entry of a Secret can be called so.
static bool format_new_path(const char *path, char ret_path[PATH_MAX]) {
    const char *slash = strrchr(path, '/');
    int folder = slash == nullptr ? 0 : (int)(slash + 1 - path);
    errno = ENAMETOOLONG;
    return snprintf(ret_path, PATH_MAX, "%.*s..new", folder, path) < PATH_MAX;
}

bool file_replace(const char *path, const void *bytes, size_t length, struct error *e) {
    char new_path[PATH_MAX];
    if (!format_new_path(path, new_path)) {
        return fail(path, e);
    }
    (void)unlink(new_path); // which a run that was broken off has left
    int fd = open(new_path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return fail(path, e);
    }
    bool written = write_all(fd, bytes, length);
    if (!written || rename(new_path, path) != 0) {
        (void)fail(path, e);
        (void)unlink(new_path);
        close(fd);
        return false;
    }
    close(fd);
    return sync_folder_of(new_path) || fail(path, e);
}

static bool make_one(const char *path) {
    char parent[PATH_MAX];
    if (mkdir(path, 0700) != 0) {
        return errno == EEXIST;
    }
    snprintf(parent, sizeof(parent), "%s", path);
    return sync_folder_of(parent);
}

bool file_make_folder(const char *path, struct error *e) {
    char part[PATH_MAX];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof(part)) {
        errno = length == 0 ? ENOENT : ENAMETOOLONG;
        return fail(path, e);
    }
    for (size_t i = 1; i <= length; i++) {
        if (path[i] == '/' || path[i] == '\0') {
            snprintf(part, sizeof(part), "%.*s", (int)i, path);
            if (!make_one(part)) {
                return fail(part, e);
            }
        }
    }
    return true;
}
