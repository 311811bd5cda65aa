// Whether the object of a reconcile is still there: a watch that has been cut off without a sign, or that is
// slow, shows objects which are gone. Without this question what is made for such an object would be
// collected by Kubernetes, made again, and so on.
#include "operator/reconcile.h"

#include <string.h>

// All that is of that name, in *ret_list: asked for as a list, which is a right that watching needs anyway.
static bool list_by_name(const struct reconcile *r, yyjson_doc **ret_list, struct error *e) {
    cleanup_buffer struct buffer path = buffer_create(PATH_MAX_BYTES);
    if (!kube_resource_path(r->resource, r->object->namespace, nullptr, nullptr, &path, e) ||
        !buffer_append_format(&path, e, "?fieldSelector=metadata.name%%3D%s", r->object->name)) {
        return false;
    }
    struct kube_request request = {.method = "GET", .path = buffer_text(&path)};
    return reconcile_request(r, &request, ret_list, e);
}

bool presence_confirm(const struct reconcile *r, struct error *e) {
    struct store *store = watches_find_store(r->controller->watches, r->kind->kind, r->object->namespace);
    cleanup_json yyjson_doc *list = nullptr;
    if (!list_by_name(r, &list, e)) {
        return false;
    }
    yyjson_val *item = yyjson_arr_get_first(yyjson_obj_get(yyjson_doc_get_root(list), "items"));
    cleanup_object struct kube_object *live = nullptr;
    if (item != nullptr && !kube_object_create(item, &live, e)) {
        return false;
    }
    bool same = live != nullptr && strcmp(live->uid, r->object->uid) == 0;
    if (!same) {
        store_remove(store, kube_object_retain(r->object));
    }
    if (live != nullptr && !store_apply_own(store, kube_object_retain(live), e)) {
        return false;
    }
    return (same && !live->deleting) ||
           error_set(e, ERROR_RETRYABLE, "the object has been deleted, which the watch has not shown yet");
}
