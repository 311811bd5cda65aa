#include "reconcile/reconcile.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "reconcile/kept.h"

#include <stdio.h>
#include <string.h>

void reconcile_log(const struct reconcile *r, enum log_level level, const char *what, const char *detail) {
    LOG(level, what, {"controller", r->kind->kind}, {"namespace", r->object->namespace},
        {"name", r->object->name}, {"reconcileID", r->id}, {"detail", detail});
}

void reconcile_record(const struct reconcile *r, bool warning, const char *reason, const char *action,
                      const char *note) {
    const struct event_content words = {warning, reason, action, note, r->id};
    r->parts->record(r->parts->record_context, r->key->resource, r->object, &words);
}

int64_t reconcile_started(const struct reconcile *r) {
    enum { CLOCK_STEP_S = 60 }; // less is as good as the same time, and gives the same answer each time
    const struct reconciler_parts *parts = r->parts;
    int64_t now = r->production.context.now;
    int64_t started = now - (clock_monotonic_ms() - parts->started_ms) / 1000;
    int64_t step = started - parts->started;
    if (parts->started == 0 || (step <= CLOCK_STEP_S && step >= -CLOCK_STEP_S)) {
        started = parts->started;
    }
    return started < now ? started : now;
}

bool reconcile_is_due(const struct reconcile *r, const struct renewal *renewal, uint32_t *ret_wait_ms) {
    uint32_t wait_ms = renewal_wait_ms(renewal, reconcile_started(r), r->object->created, r->object->uid,
                                       r->production.context.now);
    bool expires = renewal->expires_at != 0;
    *ret_wait_ms = expires ? wait_ms : 0;
    return expires && wait_ms == 0;
}

bool reconcile_output_is_due(const struct reconcile *r, uint32_t *ret_wait_ms) {
    const struct report *report = &r->production.report;
    const struct renewal renewal = {
        .expires_at = report->expires_at,
        .valid_from = report->valid_from,
        .renew_at = report->renew_at,
    };
    return reconcile_is_due(r, &renewal, ret_wait_ms);
}

bool reconcile_request(const struct reconcile *r, const struct api_request *request,
                       yyjson_doc **ret_document, struct error *e) {
    if (api_call(r->parts->api, request, ret_document, e)) {
        return true;
    }
    bool is_read = request->verb == API_GET || request->verb == API_LIST;
    if (e->class == ERROR_FORBIDDEN) {
        e->class = is_read ? ERROR_RETRYABLE : ERROR_REFUSED;
    }
    return false;
}

bool reconcile_get(const struct reconcile *r, const struct kube_resource *resource, const char *namespace,
                   const char *name, const char *version, yyjson_doc **ret_document, struct error *e) {
    const struct api_request request = {.verb = API_GET,
                                        .resource = resource,
                                        .namespace = namespace,
                                        .name = name,
                                        .resource_version = version};
    return reconcile_request(r, &request, ret_document, e);
}

struct kube_object *reconcile_find(const struct reconcile *r, const char *kind, const char *namespace,
                                   const char *name) {
    char key[KUBE_KEY_SIZE];
    struct store *store = informers_find_store(r->parts->informers, kind, namespace);
    kube_format_key(namespace, name, key);
    return store == nullptr ? nullptr : store_get(store, key);
}

const struct kube_resource *reconcile_resource(const struct reconcile *r, const char *kind) {
    if (strcmp(kind, kube_secrets.kind) == 0) {
        return &kube_secrets;
    }
    if (strcmp(kind, kube_config_maps.kind) == 0) {
        return &kube_config_maps;
    }
    return indexes_find_resource(r->parts->indexes, kind);
}

bool reconcile_list(const struct reconcile *r, const struct kube_resource *resource, const char *namespace,
                    const char *name, yyjson_doc **ret_list, struct error *e) {
    char selector[KUBE_KEY_SIZE];
    (void)snprintf(selector, sizeof(selector), "metadata.name=%s", name);
    const struct api_request request = {
        .verb = API_LIST, .resource = resource, .namespace = namespace, .field_selector = selector};
    return reconcile_request(r, &request, ret_list, e);
}

static bool read_metadata(const struct reconcile *r, const struct kube_resource *resource,
                          const char *namespace, const char *name, struct kube_object **ret_object,
                          struct error *e) {
    cleanup_json yyjson_doc *document = nullptr;
    const struct api_request request = {
        .verb = API_GET, .resource = resource, .namespace = namespace, .name = name, .metadata_only = true};
    return reconcile_request(r, &request, &document, e) &&
           kube_object_create(yyjson_doc_get_root(document), &kept_of_secrets, ret_object, e);
}

static bool read_listed(const struct reconcile *r, const struct kube_resource *resource,
                        const char *namespace, const char *name, struct kube_object **ret_object,
                        struct error *e) {
    cleanup_json yyjson_doc *list = nullptr;
    if (!reconcile_list(r, resource, namespace, name, &list, e)) {
        return false;
    }
    yyjson_val *item = yyjson_arr_get_first(yyjson_obj_get(yyjson_doc_get_root(list), "items"));
    return item == nullptr || kube_object_create(item, &kept_of_kinds, ret_object, e);
}

bool reconcile_look_up(const struct reconcile *r, const char *kind, const char *namespace, const char *name,
                       struct kube_object **ret_object, struct error *e) {
    struct store *store = informers_find_store(r->parts->informers, kind, namespace);
    struct kube_object *found = nullptr;
    if (store == nullptr || store_is_complete(store)) {
        *ret_object = reconcile_find(r, kind, namespace, name);
        return true;
    }
    const struct kube_resource *resource = reconcile_resource(r, kind);
    bool is_ours = resource != &kube_secrets && resource != &kube_config_maps;
    if (!(is_ours ? read_listed : read_metadata)(r, resource, namespace, name, &found, e) &&
        e->class != ERROR_NOT_FOUND) {
        return error_wrap(e, "asking for %s %s/%s, since not all of them are known", kind, namespace, name);
    }
    *ret_object = found;
    return true;
}

void source_format_from(const char *kind, const char *name, char ret_from[SOURCE_FROM_SIZE]) {
    snprintf(ret_from, SOURCE_FROM_SIZE, "%s/%s", kind, name);
}

void source_show(const char *name, char ret_shown[SOURCE_SHOWN_SIZE]) {
    const char *scheme = strstr(name, "://");
    const char *host = scheme == nullptr ? name : scheme + 3;
    size_t length = strcspn(host, "?#");
    const char *at = memrchr(host, '@', length);
    const char *shown = at == nullptr ? host : at + 1;
    if (strchr(host + length, '@') != nullptr) { // where the credentials end is a matter of opinion
        shown = host + length;
    }
    snprintf(ret_shown, SOURCE_SHOWN_SIZE, "%.*s%.*s", (int)(host - name), name, (int)(host + length - shown),
             shown);
    utf8_make_valid(ret_shown);
}

bool source_is_named(const struct source *source, yyjson_val *recorded) {
    char shown[SOURCE_SHOWN_SIZE];
    source_show(source->name, shown);
    return json_member_is(recorded, "name", shown) || json_member_is(recorded, "name", source->name);
}

const char *source_kind(const struct source *source) {
    return source->resource == nullptr ? SOURCE_URL : source->resource->kind;
}
