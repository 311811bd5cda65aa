#include "reconcile/recheck.h"

#include "reconcile/kept.h"
#include "reconcile/renew_request.h"

#include <string.h>

// Brings what the store has of an object of ours to what a list has just shown. *ret_live is a count, NULL:
// there is no such object any more.
static bool store_news(const struct reconcile *r, struct kube_object *known, const char *kind,
                       yyjson_doc *list, struct kube_object **ret_live, struct error *e) {
    struct store *store = informers_find_store(r->parts->informers, kind, known->namespace);
    yyjson_val *item = yyjson_arr_get_first(yyjson_obj_get(yyjson_doc_get_root(list), "items"));
    cleanup_object struct kube_object *live = nullptr;
    if (item != nullptr && !kube_object_create(item, &kept_of_kinds, &live, e)) {
        return false;
    }
    if (live == nullptr || strcmp(live->uid, known->uid) != 0) {
        store_remove(store, kube_object_retain(known));
    }
    if (live != nullptr && !store_apply_own(store, kube_object_retain(live), e)) {
        return false;
    }
    *ret_live = live;
    live = nullptr;
    return true;
}

bool recheck_object(struct reconcile *r, struct error *e) {
    cleanup_object struct kube_object *live = nullptr;
    yyjson_doc *list = nullptr;
    if (!reconcile_list(r, r->key->resource, r->object->namespace, r->object->name, &list, e)) {
        return false;
    }
    json_free(r->live);
    r->live = list;
    if (!store_news(r, r->object, r->kind->kind, list, &live, e)) {
        return false;
    }
    if (live == nullptr || live->deleting || strcmp(live->uid, r->object->uid) != 0) {
        return error_set(e, ERROR_RETRYABLE,
                         "the object has been deleted, which the watch has not shown yet");
    }
    // The generation is that of the spec: an annotation does not move it.
    return (live->generation == r->object->generation && renew_request_is_the_same(r, live)) ||
           error_set(e, ERROR_RETRYABLE, "the object has been edited, which the watch has not shown yet");
}

static bool has_changed(const struct source *source, struct error *e) {
    return error_set(e, ERROR_RETRYABLE, "spec.%s: %s %s has changed, which the watch has not shown yet",
                     source->request->field, source->from->kind, source->request->reference.name);
}

// The resource of ours that an input came from.
static bool confirm_upstream(const struct reconcile *r, const struct source *source, struct error *e) {
    const struct kube_resource *resource = indexes_find_resource(r->parts->indexes, source->from->kind);
    struct kube_object *known = source->upstream;
    cleanup_object struct kube_object *live = nullptr;
    cleanup_json yyjson_doc *list = nullptr;
    return reconcile_list(r, resource, known->namespace, known->name, &list, e) &&
           store_news(r, known, source->from->kind, list, &live, e) &&
           ((live != nullptr && strcmp(live->uid, known->uid) == 0 &&
             strcmp(live->resource_version, known->resource_version) == 0) ||
            has_changed(source, e));
}

// The Secret that its bytes were read from, which may have been read from the API server's memory.
static bool confirm_bytes(const struct reconcile *r, const struct source *source, struct error *e) {
    struct store *store =
        informers_find_store(r->parts->informers, source->resource->kind, source->namespace);
    uint64_t removals = store_removals(store);
    cleanup_json yyjson_doc *document = nullptr;
    cleanup_object struct kube_object *live = nullptr;
    const struct api_request request = {.verb = API_GET,
                                        .resource = source->resource,
                                        .namespace = source->namespace,
                                        .name = source->name,
                                        .metadata_only = true};
    if (!reconcile_request(r, &request, &document, e)) {
        return e->class == ERROR_NOT_FOUND ? has_changed(source, e) : false;
    }
    if (!kube_object_create(yyjson_doc_get_root(document), &kept_of_secrets, &live, e)) {
        return false;
    }
    if (strcmp(live->uid, source->read->uid) == 0 &&
        strcmp(live->resource_version, source->read->resource_version) == 0) {
        return true;
    }
    return store_apply_read(store, kube_object_retain(live), removals, e) && has_changed(source, e);
}

bool recheck_all(struct reconcile *r, struct error *e) {
    if (!recheck_object(r, e)) {
        return false;
    }
    for (size_t i = 0; i < r->decoded.request_count; i++) {
        const struct source *source = &r->sources[i];
        // What is not one of ours has been read as it is now.
        if (source->upstream != nullptr &&
            (!confirm_upstream(r, source, e) || (source->read != nullptr && !confirm_bytes(r, source, e)))) {
            return false;
        }
    }
    return true;
}
