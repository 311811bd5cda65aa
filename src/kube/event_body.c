#include "kube/event_body.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/rand.h"
#include "base/utf8.h"
#include "json/write.h"

#include <stdio.h>
#include <string.h>

enum {
    NAME_MAX_LENGTH = 253, // of a DNS subdomain
    SUFFIX_LENGTH = 17,    // "." and 16 hex digits
};

size_t event_text_cut(const char *text, size_t max) {
    size_t length = strnlen(text, max + 1);
    if (length <= max) {
        return length;
    }
    length = max;
    while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80) {
        length--;
    }
    return length;
}

// "<object's name>.<hex>", the name cut so that it stays a DNS subdomain: what is before the "." ends in a
// letter or a digit.
static char *make_name(const char *object_name) {
    char name[NAME_MAX_LENGTH + 1];
    size_t length = strnlen(object_name, NAME_MAX_LENGTH - SUFFIX_LENGTH);
    while (length > 0 && strchr(".-", object_name[length - 1]) != nullptr) {
        length--;
    }
    (void)snprintf(name, sizeof(name), "%.*s.%016llx", (int)length, object_name,
                   (unsigned long long)rand_bits());
    return memory_copy_text(name);
}

bool event_body_fill(struct event_body *body, const struct kube_resource *resource,
                     const struct kube_object *object, const struct event_content *words) {
    bool cluster_scoped = object->namespace[0] == '\0';
    char api_version[KUBE_API_VERSION_SIZE];
    kube_format_api_version(resource, api_version);
    body->warning = words->warning;
    body->first_us = clock_wall_microseconds();
    body->last_us = body->first_us;
    body->namespace = memory_copy_text(cluster_scoped ? "default" : object->namespace);
    body->name = make_name(object->name);
    body->api_version = memory_copy_text(api_version);
    body->kind = memory_copy_text(resource->kind);
    body->object_namespace = cluster_scoped ? nullptr : memory_copy_text(object->namespace);
    body->object_name = memory_copy_text(object->name);
    body->uid = memory_copy_text(object->uid);
    body->resource_version = memory_copy_text(object->resource_version);
    body->reason = memory_copy_text(words->reason);
    body->action = memory_copy_text(words->action);
    body->note = memory_copy_span(words->note, event_text_cut(words->note, EVENT_NOTE_MAX));
    body->reconcile_id = words->reconcile_id == nullptr ? nullptr : memory_copy_text(words->reconcile_id);
    const char *const needed[] = {body->namespace,   body->name, body->api_version,      body->kind,
                                  body->object_name, body->uid,  body->resource_version, body->reason,
                                  body->action,      body->note};
    bool whole = (cluster_scoped || body->object_namespace != nullptr) &&
                 (words->reconcile_id == nullptr || body->reconcile_id != nullptr);
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        whole = whole && needed[i] != nullptr;
    }
    if (whole) {
        utf8_make_valid(body->note);
    }
    return whole;
}

void event_body_done(struct event_body *body) {
    memory_free(body->namespace);
    memory_free(body->name);
    memory_free(body->api_version);
    memory_free(body->kind);
    memory_free(body->object_namespace);
    memory_free(body->object_name);
    memory_free(body->uid);
    memory_free(body->resource_version);
    memory_free(body->reason);
    memory_free(body->action);
    memory_free(body->note);
    memory_free(body->reconcile_id);
    *body = (struct event_body){0};
}

static bool add_text(yyjson_mut_doc *document, yyjson_mut_val *object, const char *key, const char *text) {
    return text == nullptr || yyjson_mut_obj_add_str(document, object, key, text);
}

static bool add_time(yyjson_mut_doc *document, yyjson_mut_val *object, const char *key,
                     int64_t microseconds) {
    char text[CLOCK_TEXT_SIZE];
    clock_format_micro(microseconds, text);
    return yyjson_mut_obj_add_strcpy(document, object, key, text);
}

static bool add_series(yyjson_mut_doc *document, const struct event_body *body) {
    yyjson_mut_val *series = yyjson_mut_obj_add_obj(document, yyjson_mut_doc_get_root(document), "series");
    uint64_t count = body->count > INT32_MAX ? INT32_MAX : body->count;
    return yyjson_mut_obj_add_uint(document, series, "count", count) &&
           add_time(document, series, "lastObservedTime", body->last_us);
}

static bool add_metadata(yyjson_mut_doc *document, yyjson_mut_val *root, const struct event_body *body,
                         const char *id_annotation) {
    yyjson_mut_val *metadata = yyjson_mut_obj_add_obj(document, root, "metadata");
    if (body->reconcile_id != nullptr) {
        yyjson_mut_val *annotations = yyjson_mut_obj_add_obj(document, metadata, "annotations");
        (void)add_text(document, annotations, id_annotation, body->reconcile_id);
    }
    return add_text(document, metadata, "name", body->name) &&
           add_text(document, metadata, "namespace", body->namespace);
}

static bool add_regarding(yyjson_mut_doc *document, yyjson_mut_val *root, const struct event_body *body) {
    yyjson_mut_val *regarding = yyjson_mut_obj_add_obj(document, root, "regarding");
    return add_text(document, regarding, "apiVersion", body->api_version) &&
           add_text(document, regarding, "kind", body->kind) &&
           add_text(document, regarding, "namespace", body->object_namespace) &&
           add_text(document, regarding, "name", body->object_name) &&
           add_text(document, regarding, "uid", body->uid) &&
           add_text(document, regarding, "resourceVersion", body->resource_version);
}

static bool add_words(yyjson_mut_doc *document, yyjson_mut_val *root, const struct event_body *body) {
    return add_text(document, root, "type", body->warning ? "Warning" : "Normal") &&
           add_text(document, root, "reason", body->reason) &&
           add_text(document, root, "action", body->action) && add_text(document, root, "note", body->note);
}

// Takes document, unless it is handed out.
static bool hand_out(yyjson_mut_doc *document, bool is_built, yyjson_mut_doc **ret_document,
                     struct error *e) {
    if (!is_built) {
        json_mut_free(document);
        return error_no_memory(e, "an Event");
    }
    *ret_document = document;
    return true;
}

bool event_body_create(const struct event_body *body, const struct event_source *source,
                       yyjson_mut_doc **ret_document, struct error *e) {
    yyjson_mut_doc *document;
    if (!json_create(&document, e)) {
        return false;
    }
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    bool built = add_text(document, root, "apiVersion", "events.k8s.io/v1") &&
                 add_text(document, root, "kind", "Event") &&
                 add_metadata(document, root, body, source->id_annotation) &&
                 add_time(document, root, "eventTime", body->first_us) &&
                 add_text(document, root, "reportingController", source->component) &&
                 add_text(document, root, "reportingInstance", source->instance) &&
                 add_regarding(document, root, body) && add_words(document, root, body) &&
                 (body->count < 2 || add_series(document, body));
    return hand_out(document, built, ret_document, e);
}

bool event_body_create_series(const struct event_body *body, yyjson_mut_doc **ret_document, struct error *e) {
    yyjson_mut_doc *document;
    return json_create(&document, e) && hand_out(document, add_series(document, body), ret_document, e);
}
