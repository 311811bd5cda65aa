#include "operator/dynamic_config.h"

#include "base/memory.h"
#include "operator/reasons.h"

#include <string.h>

enum { PATH_SIZE = KUBE_KEY_SIZE * 4 };

static bool apply(yyjson_val *data, struct dynamic_config *live, struct error *e) {
    const char *level = json_member_text(data, "log-level");
    const char *workers = json_member_text(data, "workers");
    return (level == nullptr || settings_parse_level("log-level", level, &live->log_level, e)) &&
           (workers == nullptr || settings_parse_workers("workers", workers, &live->workers, e));
}

static bool find_path(const char *key, struct buffer *path, struct error *e) {
    const char *slash = strchr(key, '/');
    cleanup_text char *namespace = memory_copy_span(key, (size_t)(slash - key));
    return namespace == nullptr
               ? error_no_memory(e, "settings")
               : kube_resource_path(&kube_config_maps, namespace, slash + 1, nullptr, path, e);
}

// People look at the object that they have edited.
static void record_invalid(struct event_recorder *recorder, yyjson_val *config_map, const char *message) {
    const struct event_content words = {true, REASON_INVALID_SETTINGS, "Reload", message, nullptr};
    cleanup_object struct kube_object *object = nullptr;
    struct error ignored;
    if (kube_object_create_metadata(config_map, &object, &ignored)) {
        event_record(recorder, &kube_config_maps, object, &words);
    }
}

bool dynamic_config_read(struct kube_client *client, struct event_recorder *recorder, const char *key,
                         const struct settings *settings, struct dynamic_config *ret_live, struct error *e) {
    cleanup_buffer struct buffer path = buffer_create(PATH_SIZE);
    cleanup_json yyjson_doc *document = nullptr;
    struct dynamic_config live = {.log_level = settings->log_level, .workers = settings->workers};
    if (!find_path(key, &path, e)) {
        return false;
    }
    struct kube_request request = {.method = "GET", .path = buffer_text(&path)};
    if (!kube_client_call(client, &request, &document, e) && e->class != ERROR_NOT_FOUND) {
        return false;
    }
    yyjson_val *root = document == nullptr ? nullptr : yyjson_doc_get_root(document);
    if (!apply(yyjson_obj_get(root, "data"), &live, e)) {
        record_invalid(recorder, root, e->message);
        return false;
    }
    *ret_live = live;
    return true;
}
