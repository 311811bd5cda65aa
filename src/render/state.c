#include "render/state.h"

#include "base/file.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char state_file[] = "state.yaml"; // no namespace has a dot in its name

struct state {
    const char *path;
    int fd; // of the folder, locked
};

bool state_open(const char *path, struct state **ret_state, struct error *e) {
    if (!file_make_folder(path, e)) {
        return false;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return error_set(e, ERROR_IO, "%s: %s", path, strerror(errno));
    }
    struct stat status;
    if (fstat(fd, &status) != 0 || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        close(fd);
        return error_set(e, ERROR_IO, "%s: others may write to it; take that from them: chmod go-w", path);
    }
    if (status.st_uid != geteuid()) {
        close(fd);
        return error_set(e, ERROR_IO, "%s: it belongs to user %u, and this one is %u", path,
                         (unsigned)status.st_uid, (unsigned)geteuid());
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        error_set(e, errno == EWOULDBLOCK ? ERROR_CONFLICT : ERROR_IO, "%s: %s", path,
                  errno == EWOULDBLOCK ? "another run is using it" : strerror(errno));
        close(fd);
        return false;
    }
    struct state *state = memory_allocate_zeroed(1, sizeof(*state));
    if (state == nullptr) {
        close(fd);
        return error_no_memory(e, path);
    }
    *state = (struct state){.path = path, .fd = fd};
    *ret_state = state;
    return true;
}

void state_close(struct state *state) {
    if (state != nullptr) {
        close(state->fd);
        memory_free(state);
    }
}

// The path of what is under that name in the folder.
static bool format_path(const struct state *state, char ret_path[PATH_MAX], const char *name,
                        struct error *e) {
    int length = snprintf(ret_path, PATH_MAX, "%s/%s", state->path, name);
    return length < PATH_MAX ||
           error_set(e, ERROR_IO, "%s/%s: %s", state->path, name, strerror(ENAMETOOLONG));
}

bool state_load(const struct state *state, struct buffer *text, struct error *e) {
    char path[PATH_MAX];
    struct stat status;
    if (!format_path(state, path, state_file, e)) {
        return false;
    }
    if (lstat(path, &status) != 0) {
        return errno == ENOENT || error_set(e, ERROR_IO, "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return error_set(e, ERROR_IO, "%s: it must be a regular file: a link would be replaced by one", path);
    }
    return file_read(path, text, e);
}

bool state_save(const struct state *state, const struct buffer *text, struct error *e) {
    char path[PATH_MAX];
    return format_path(state, path, state_file, e) && file_replace(path, buffer_text(text), text->length, e);
}

static bool is_file_name(const char *text) {
    return text != nullptr && text[0] != '\0' && strchr(text, '/') == nullptr && strcmp(text, ".") != 0 &&
           strcmp(text, "..") != 0;
}

// NAMESPACE/SECRET in the folder.
static bool format_folder(const struct state *state, const char *namespace, const char *secret,
                          char ret_path[PATH_MAX], struct error *e) {
    char name[NAME_MAX * 2 + 2];
    snprintf(name, sizeof(name), "%s/%s", namespace, secret);
    return format_path(state, ret_path, name, e);
}

bool state_write_entry(const struct state *state, const char *namespace, const char *secret, yyjson_val *key,
                       const void *bytes, size_t length, struct error *e) {
    const char *file = json_text(key);
    char folder[PATH_MAX];
    char path[PATH_MAX];
    if (!is_file_name(namespace) || !is_file_name(secret) || !is_file_name(file)) {
        char shown[JSON_SHOWN_SIZE];
        json_show(key, shown);
        return error_set(e, ERROR_INVALID_SPEC,
                         "entry \"%s\" of Secret %.64s/%.64s: that is no path of a file", shown, namespace,
                         secret);
    }
    if (!format_folder(state, namespace, secret, folder, e) || !file_make_folder(folder, e)) {
        return false;
    }
    if (snprintf(path, sizeof(path), "%s/%s", folder, file) >= PATH_MAX) {
        return error_set(e, ERROR_IO, "%s/%s: %s", folder, file, strerror(ENAMETOOLONG));
    }
    return file_replace(path, bytes, length, e);
}

// Of a folder that is open: the files in it are removed for which is_gone. Nothing else is touched.
static bool remove_files(DIR *folder, const char *path, bool (*is_gone)(void *context, const char *key),
                         void *context, struct error *e) {
    int opened = dirfd(folder);
    if (opened < 0) {
        return error_set(e, ERROR_IO, "%s: %s", path, strerror(errno));
    }
    for (struct dirent *found; (found = readdir(folder)) != nullptr;) {
        struct stat status;
        if (fstatat(opened, found->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode) &&
            is_gone(context, found->d_name) && unlinkat(opened, found->d_name, 0) != 0) {
            return error_set(e, ERROR_IO, "%s/%s: %s", path, found->d_name, strerror(errno));
        }
    }
    return true;
}

bool state_remove_entries(const struct state *state, const char *namespace, const char *secret,
                          bool (*is_gone)(void *context, const char *key), void *context, struct error *e) {
    char path[PATH_MAX];
    if (!is_file_name(namespace) || !is_file_name(secret)) {
        return error_set(e, ERROR_INVALID_SPEC, "Secret %.64s/%.64s: that is no path of a folder", namespace,
                         secret);
    }
    if (!format_folder(state, namespace, secret, path, e)) {
        return false;
    }
    DIR *folder = opendir(path);
    if (folder == nullptr) {
        return errno == ENOENT || error_set(e, ERROR_IO, "%s: %s", path, strerror(errno));
    }
    bool done = remove_files(folder, path, is_gone, context, e);
    closedir(folder);
    return done;
}
