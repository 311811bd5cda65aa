#include "kube/kubeconfig_files.h"

#include "base/file.h"
#include "base/memory.h"
#include "kube/yaml.h"

#include <string.h>
#include <unistd.h>

enum { FILE_MAX = 1024 * 1024, PATH_TEXT_MAX = 8192 };

// ---- files

bool kubeconfig_read_file(const char *path, struct buffer *text, struct error *e) {
    if (!file_read(path, text, e)) {
        return false;
    }
    if (strlen(buffer_text(text)) != text->length) {
        return error_set(e, ERROR_INVALID_SPEC, "%s: it is no text", path);
    }
    return true;
}

void kubeconfig_files_done(struct kubeconfig_files *files) {
    for (size_t i = 0; i < files->count; i++) {
        memory_free(files->items[i].path);
        json_free(files->items[i].document);
    }
    memory_free(files->items);
    memory_free(files->name);
    *files = (struct kubeconfig_files){0};
}

// Room for count files that have not been read.
static bool create(const char *name, size_t count, struct kubeconfig_files *files, struct error *e) {
    *files = (struct kubeconfig_files){
        .name = memory_copy_text(name),
        .items = memory_allocate_zeroed(count, sizeof(*files->items)),
    };
    return (files->name != nullptr && files->items != nullptr) || error_no_memory(e, "reading a kubeconfig");
}

static bool add(struct kubeconfig_files *files, const char *path, struct error *e) {
    cleanup_buffer struct buffer text = buffer_create(FILE_MAX);
    struct kubeconfig_file *file = &files->items[files->count];
    if (!kubeconfig_read_file(path, &text, e)) {
        return false;
    }
    file->path = memory_copy_text(path);
    if (file->path == nullptr) {
        return error_no_memory(e, "reading a kubeconfig");
    }
    files->count++;
    return yaml_parse(buffer_text(&text), text.length, &file->document, e) || error_wrap(e, "%s", path);
}

bool kubeconfig_files_read(const char *path, struct kubeconfig_files *ret_files, struct error *e) {
    struct kubeconfig_files files;
    if (!create(path, 1, &files, e) || !add(&files, path, e)) {
        kubeconfig_files_done(&files);
        return false;
    }
    *ret_files = files;
    return true;
}

static size_t count_paths(const char *list) {
    size_t count = 1;
    for (; *list != '\0'; list++) {
        count += *list == ':' ? 1 : 0;
    }
    return count;
}

// list is written into.
static bool add_all(struct kubeconfig_files *files, char *list, struct error *e) {
    for (char *path; (path = strsep(&list, ":")) != nullptr;) {
        if (path[0] != '\0' && access(path, F_OK) == 0 && !add(files, path, e)) {
            return false;
        }
    }
    return files->count > 0 || error_set(e, ERROR_IO, "%s: none of these files is there", files->name);
}

bool kubeconfig_files_read_list(const char *list, struct kubeconfig_files *ret_files, struct error *e) {
    cleanup_text char *paths = memory_copy_text(list);
    struct kubeconfig_files files = {0};
    if (paths == nullptr) {
        return error_no_memory(e, "reading a kubeconfig");
    }
    if (!create(list, count_paths(list), &files, e) || !add_all(&files, paths, e)) {
        kubeconfig_files_done(&files);
        return false;
    }
    *ret_files = files;
    return true;
}

const char *kubeconfig_current_context(const struct kubeconfig_files *files) {
    for (size_t i = 0; i < files->count; i++) {
        const char *name = json_member_text(yyjson_doc_get_root(files->items[i].document), "current-context");
        if (name != nullptr && name[0] != '\0') {
            return name;
        }
    }
    return nullptr;
}

// ---- entries

static yyjson_val *find_item(yyjson_val *list, const char *name) {
    yyjson_val *item;
    size_t i;
    size_t count;
    yyjson_arr_foreach(list, i, count, item) {
        const char *item_name = json_member_text(item, "name");
        if (item_name != nullptr && strcmp(item_name, name) == 0) {
            return item;
        }
    }
    return nullptr;
}

bool kubeconfig_find(const struct kubeconfig_files *files, const char *list, const char *kind,
                     const char *name, struct kubeconfig_entry *ret_entry, struct error *e) {
    for (size_t i = 0; i < files->count; i++) {
        const struct kubeconfig_file *file = &files->items[i];
        yyjson_val *item = find_item(yyjson_obj_get(yyjson_doc_get_root(file->document), list), name);
        if (item != nullptr) {
            *ret_entry = (struct kubeconfig_entry){file->path, kind, name, "", yyjson_obj_get(item, kind)};
            return true;
        }
    }
    return error_set(e, ERROR_INVALID_SPEC, "%s: %s: there is none of the name \"%s\"", files->name, list,
                     name);
}

bool kubeconfig_entry_error(const struct kubeconfig_entry *entry, const char *field, const char *why,
                            struct error *e) {
    return error_set(e, ERROR_INVALID_SPEC, "%s: %s \"%s\": %s%s: %s", entry->file, entry->kind, entry->name,
                     entry->within, field, why);
}

bool kubeconfig_is_set(yyjson_val *value) {
    bool empty = value == nullptr || yyjson_is_null(value) || yyjson_is_false(value) ||
                 yyjson_equals_str(value, "") || (yyjson_is_ctn(value) && unsafe_yyjson_get_len(value) == 0);
    return !empty;
}

bool kubeconfig_text(const struct kubeconfig_entry *entry, const char *field, const char **ret_text,
                     struct error *e) {
    yyjson_val *value = yyjson_obj_get(entry->object, field);
    if (!kubeconfig_is_set(value)) {
        *ret_text = nullptr;
        return true;
    }
    if (!yyjson_is_str(value)) {
        return kubeconfig_entry_error(entry, field, "it must be a text", e);
    }
    if (strlen(yyjson_get_str(value)) != yyjson_get_len(value)) {
        return kubeconfig_entry_error(entry, field, "it holds a NUL", e);
    }
    *ret_text = yyjson_get_str(value);
    return true;
}

bool kubeconfig_resolve_path(const char *file, const char *path, char **ret_path, struct error *e) {
    const char *slash = path[0] == '/' ? nullptr : strrchr(file, '/');
    cleanup_buffer struct buffer whole = buffer_create(PATH_TEXT_MAX);
    if (!buffer_append(&whole, file, slash == nullptr ? 0 : (size_t)(slash - file) + 1, e) ||
        !buffer_append_text(&whole, path, e)) {
        return false;
    }
    char *copy = memory_copy_text(buffer_text(&whole));
    if (copy == nullptr) {
        return error_no_memory(e, "reading a kubeconfig");
    }
    *ret_path = copy;
    return true;
}
