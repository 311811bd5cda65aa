#include "operator/dynamic_config.h"

#include "base/memory.h"
#include "operator/reasons.h"

#include <string.h>

static bool apply(yyjson_val *data, struct dynamic_config *live, struct error *e) {
    const char *level = json_member_text(data, "log-level");
    const char *workers = json_member_text(data, "workers");
    return (level == nullptr || settings_parse_level("log-level", level, &live->log_level, e)) &&
           (workers == nullptr || settings_parse_workers("workers", workers, &live->workers, e));
}

// *ret_document stays NULL where there is none.
static bool read_config_map(struct api api, const char *key, yyjson_doc **ret_document, struct error *e) {
    const char *slash = strchr(key, '/');
    cleanup_text char *namespace = memory_copy_span(key, (size_t)(slash - key));
    if (namespace == nullptr) {
        return error_no_memory(e, "settings");
    }
    return api_get(api, &kube_config_maps, namespace, slash + 1, 0, ret_document, e) ||
           e->class == ERROR_NOT_FOUND;
}

// People look at the object that they have edited.
static void record_invalid(struct event_recorder *recorder, yyjson_val *config_map, const char *message) {
    const struct event_content words = {true, REASON_INVALID_SETTINGS, "Reload", message, nullptr};
    cleanup_object struct kube_object *object = nullptr;
    struct error ignored;
    const struct kube_kept identity = {.metadata_only = true};
    if (kube_object_create(config_map, &identity, &object, &ignored)) {
        event_record(recorder, &kube_config_maps, object, &words);
    }
}

bool dynamic_config_read(struct api api, struct event_recorder *recorder, const char *key,
                         const struct settings *settings, struct dynamic_config *ret_live, struct error *e) {
    cleanup_json yyjson_doc *document = nullptr;
    struct dynamic_config live = {.log_level = settings->log_level, .workers = settings->workers};
    if (!read_config_map(api, key, &document, e)) {
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
