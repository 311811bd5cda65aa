#include "kube/memory_api.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/rand.h"
#include "kube/memory_owners.h"
#include "kube/memory_show.h"
#include "kube/object.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAME_LENGTH_MAX = 253, // of a DNS subdomain
    KEY_SIZE = 1024,       // more than any key of allowed names has
    VERSION_SIZE = 24,
    UID_SIZE = 64,
};

struct memory_api {
    struct memory_api_options options;
    struct memory_table objects; // by format_key
    uint64_t version;            // of the last change
};

bool memory_api_create(const struct memory_api_options *options, struct memory_api **ret_memory,
                       struct error *e) {
    struct memory_api *memory = memory_allocate(sizeof(*memory));
    if (memory == nullptr) {
        return error_no_memory(e, "an API in memory");
    }
    *memory = (struct memory_api){.options = *options, .version = 1}; // 0 has a meaning of its own
    *ret_memory = memory;
    return true;
}

void memory_api_free(struct memory_api *memory) {
    if (memory == nullptr) {
        return;
    }
    memory_table_done(&memory->objects);
    memory_free(memory);
}

// ---- errors

// As an API server puts it.
static bool refuse(const struct api_request *request, enum error_class class, int status, const char *why,
                   struct error *e) {
    const struct kube_resource *resource = request->resource;
    bool named = request->name != nullptr;
    return error_set(e, class, "%s%s%s%s%.253s%s %s (HTTP status %d)", resource->plural,
                     resource->group[0] == '\0' ? "" : ".", resource->group, named ? " \"" : "",
                     named ? request->name : "", named ? "\"" : "", why, status);
}

// ---- where objects are

// An object's key; of a list: what the keys of its items begin with. A name that is too long to be one is
// cut, and found nowhere.
static void format_key(const struct api_request *request, char ret_key[KEY_SIZE]) {
    const struct kube_resource *resource = request->resource;
    bool of_all = request->verb == API_LIST && request->namespace == nullptr;
    (void)snprintf(ret_key, KEY_SIZE, "%s/%s/%s%s%s", resource->group, resource->plural,
                   request->namespace == nullptr ? "" : request->namespace, of_all ? "" : "/",
                   request->name == nullptr ? "" : request->name);
}

// NULL: there is none.
static struct stored *find(const struct memory_api *memory, const struct api_request *request) {
    char key[KEY_SIZE];
    format_key(request, key);
    return memory_table_find(&memory->objects, key);
}

static yyjson_val *object_of(const struct stored *stored) {
    return stored == nullptr ? nullptr : yyjson_doc_get_root(stored->document);
}

// Takes document, unless it fails, in the place of stored, or as a new object (NULL).
static bool store(struct memory_api *memory, const struct api_request *request, struct stored *stored,
                  yyjson_doc *document, struct error *e) {
    char key[KEY_SIZE];
    format_key(request, key);
    if (stored == nullptr && !memory_table_insert(&memory->objects, key, document)) {
        return error_no_memory(e, "an API in memory");
    }
    if (stored != nullptr) {
        json_free(stored->document);
        stored->document = document;
    }
    memory->version++;
    if (memory->options.changed != nullptr) {
        memory->options.changed(memory->options.context, request->resource, yyjson_doc_get_root(document));
    }
    return true;
}

// ---- reading

static bool get_object(struct memory_api *memory, const struct api_request *request,
                       yyjson_doc **ret_document, struct error *e) {
    char now[VERSION_SIZE];
    const struct stored *stored = find(memory, request);
    snprintf(now, sizeof(now), "%" PRIu64, memory->version);
    if (request->resource_version != nullptr && kube_compare_versions(request->resource_version, now) > 0) {
        return refuse(request, ERROR_GONE, 504, "is asked for at too large a resource version", e);
    }
    return stored == nullptr ? refuse(request, ERROR_NOT_FOUND, 404, "not found", e)
                             : memory_show(request, object_of(stored), ret_document, e);
}

static void add_list_head(const struct memory_api *memory, const struct api_request *request,
                          yyjson_mut_doc *document) {
    const struct kube_resource *resource = request->resource;
    char api_version[KUBE_API_VERSION_SIZE];
    char kind[128];
    char version[VERSION_SIZE];
    kube_format_api_version(resource, api_version);
    snprintf(kind, sizeof(kind), "%sList", request->metadata_only ? "PartialObjectMetadata" : resource->kind);
    snprintf(version, sizeof(version), "%" PRIu64, memory->version);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    (void)yyjson_mut_obj_add_strcpy(document, root, "apiVersion",
                                    request->metadata_only ? "meta.k8s.io/v1" : api_version);
    (void)yyjson_mut_obj_add_strcpy(document, root, "kind", kind);
    yyjson_mut_val *metadata = yyjson_mut_obj_add_obj(document, root, "metadata");
    (void)yyjson_mut_obj_add_strcpy(document, metadata, "resourceVersion", version);
}

static bool list_objects(struct memory_api *memory, const struct api_request *request,
                         yyjson_doc **ret_document, struct error *e) {
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    char prefix[KEY_SIZE];
    if (request->label_selector != nullptr) {
        return refuse(request, ERROR_REFUSED, 400, "cannot be selected by labels here", e);
    }
    if (!json_create(&document, e)) {
        return false;
    }
    add_list_head(memory, request, document);
    yyjson_mut_val *items = yyjson_mut_obj_add_arr(document, yyjson_mut_doc_get_root(document), "items");
    format_key(request, prefix);
    size_t length = strlen(prefix);
    const struct memory_table *objects = &memory->objects;
    for (size_t i = memory_table_index(objects, prefix);
         i < objects->count && strncmp(objects->items[i].key, prefix, length) == 0; i++) {
        yyjson_val *object = object_of(&objects->items[i]);
        if (memory_show_selects(request->field_selector, object)) {
            (void)yyjson_mut_arr_add_val(items, memory_show_copy(document, object, request->metadata_only));
        }
    }
    return json_freeze(document, ret_document, e);
}

// ---- writing
//
// What yyjson's adding functions return is ignored, here and below: a document remembers that memory was out.

// An object that is to be stored.
struct draft {
    const struct api_request *request; // with the name
    struct stored *stored;             // what it replaces; NULL: nothing
    yyjson_mut_doc *document;
    yyjson_mut_val *root; // in document
};

// text NULL: no such member.
static void put_text(const struct draft *draft, yyjson_mut_val *object, const char *key, const char *text) {
    (void)yyjson_mut_obj_put(object, yyjson_mut_str(draft->document, key),
                             yyjson_mut_strcpy(draft->document, text));
}

// Member key of object becomes that of other, or goes with it.
static void put_from(const struct draft *draft, yyjson_mut_val *object, const char *key, yyjson_val *other) {
    (void)yyjson_mut_obj_put(object, yyjson_mut_str(draft->document, key),
                             yyjson_val_mut_copy(draft->document, yyjson_obj_get(other, key)));
}

// Writes what is not the caller's to say: as it was, or as it begins. A uid that a new object has stays.
static void put_identity(const struct memory_api *memory, const struct draft *draft) {
    static const char *const kept[] = {"uid", "creationTimestamp", "generation", "resourceVersion"};
    const struct api_request *request = draft->request;
    yyjson_mut_val *metadata = yyjson_mut_obj_get(draft->root, "metadata");
    char text[KUBE_API_VERSION_SIZE];
    kube_format_api_version(request->resource, text);
    put_text(draft, draft->root, "apiVersion", text);
    put_text(draft, draft->root, "kind", request->resource->kind);
    put_text(draft, metadata, "name", request->name);
    put_text(draft, metadata, "namespace", request->namespace);
    if (draft->stored != nullptr) {
        yyjson_val *before = yyjson_obj_get(object_of(draft->stored), "metadata");
        for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
            put_from(draft, metadata, kept[i], before);
        }
        return;
    }
    char created[CLOCK_TEXT_SIZE];
    clock_format(memory->options.now(memory->options.context), created);
    put_text(draft, metadata, "creationTimestamp", created);
    if (!yyjson_mut_is_str(yyjson_mut_obj_get(metadata, "uid"))) {
        char uid[UID_SIZE];
        snprintf(uid, sizeof(uid), "00000000-0000-4000-8000-%012" PRIx64, memory->version + 1);
        if (memory->options.has_random_uids) {
            rand_uuid(uid);
        }
        put_text(draft, metadata, "uid", uid);
    }
}

// The change's own: next is the object as put_identity left it.
static void put_version(const struct memory_api *memory, const struct draft *draft, yyjson_val *next) {
    yyjson_val *before = object_of(draft->stored);
    yyjson_val *spec = yyjson_obj_get(next, "spec");
    yyjson_mut_val *metadata = yyjson_mut_obj_get(draft->root, "metadata");
    char version[VERSION_SIZE];
    snprintf(version, sizeof(version), "%" PRIu64, memory->version + 1);
    put_text(draft, metadata, "resourceVersion", version);
    int64_t generation = json_integer(json_find(before, "metadata", "generation", nullptr), 0);
    generation += json_equals(spec, yyjson_obj_get(before, "spec")) ? 0 : 1;
    (void)yyjson_mut_obj_put(metadata, yyjson_mut_str(draft->document, "generation"),
                             generation == 0 ? nullptr : yyjson_mut_sint(draft->document, generation));
}

// Stores the draft, and answers with what is there then.
static bool finish(struct memory_api *memory, const struct draft *draft, yyjson_doc **ret_document,
                   struct error *e) {
    cleanup_json yyjson_doc *unversioned = nullptr;
    cleanup_json yyjson_doc *next = nullptr;
    cleanup_json yyjson_doc *shown = nullptr;
    if (!json_is_complete(draft->document, e)) {
        return false;
    }
    if (!yyjson_mut_is_obj(yyjson_mut_obj_get(draft->root, "metadata"))) {
        return refuse(draft->request, ERROR_REFUSED, 422, "has no metadata", e);
    }
    put_identity(memory, draft);
    if (!json_freeze(draft->document, &unversioned, e)) {
        return false;
    }
    bool same = json_equals(yyjson_doc_get_root(unversioned), object_of(draft->stored));
    put_version(memory, draft, yyjson_doc_get_root(unversioned));
    if (!json_freeze(draft->document, &next, e) ||
        !memory_show(draft->request, yyjson_doc_get_root(same ? unversioned : next), &shown, e)) {
        return false;
    }
    if (!same && !draft->request->dry_run) {
        if (!store(memory, draft->request, draft->stored, next, e)) {
            return false;
        }
        next = nullptr;
    }
    *ret_document = shown;
    shown = nullptr;
    return true;
}

// What is sent goes the way that it goes to a server.
static bool read_body(const struct api_request *request, yyjson_doc **ret_sent, struct error *e) {
    cleanup_buffer struct buffer text = buffer_create(API_BODY_MAX);
    if (!json_write(request->body, &text, e)) {
        return false;
    }
    if (!json_parse(buffer_text(&text), text.length, ret_sent, e)) {
        e->class = e->class == ERROR_INVALID_SPEC ? ERROR_REFUSED : e->class;
        return error_wrap(e, "the body");
    }
    return true;
}

// A new object of that content, or one in the place of another, with that one's status. request: with the
// name.
static bool write_whole(struct memory_api *memory, const struct api_request *request, yyjson_val *content,
                        bool keep_uid, yyjson_doc **ret_document, struct error *e) {
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (request->name == nullptr || request->name[0] == '\0' || strchr(request->name, '/') != nullptr ||
        strlen(request->name) > NAME_LENGTH_MAX) {
        return refuse(request, ERROR_REFUSED, 422, "has no name that an object can have", e);
    }
    if (!json_create(&document, e)) {
        return false;
    }
    const struct draft draft = {request, find(memory, request), document,
                                yyjson_val_mut_copy(document, content)};
    yyjson_mut_doc_set_root(document, draft.root);
    put_from(&draft, draft.root, "status", object_of(draft.stored));
    if (!keep_uid) {
        (void)yyjson_mut_obj_remove_key(yyjson_mut_obj_get(draft.root, "metadata"), "uid");
    }
    return finish(memory, &draft, ret_document, e);
}

// Both answers are of the class that "not found" is: see kube_status_error.
static bool check_namespace(const struct memory_api *memory, const struct api_request *request,
                            struct error *e) {
    const struct api_request home = {
        .verb = API_GET, .resource = &kube_namespaces, .name = request->namespace};
    if (!memory->options.has_namespaces || request->namespace == nullptr) {
        return true;
    }
    const struct stored *stored = find(memory, &home);
    if (stored == nullptr) {
        return refuse(&home, ERROR_NOT_FOUND, 404, "not found", e);
    }
    return json_find(object_of(stored), "metadata", "deletionTimestamp", nullptr) == nullptr ||
           refuse(request, ERROR_NOT_FOUND, 403,
                  "is forbidden: unable to create new content in a namespace that is being terminated", e);
}

static bool create_object(struct memory_api *memory, const struct api_request *request,
                          yyjson_doc **ret_document, struct error *e) {
    cleanup_json yyjson_doc *sent = nullptr;
    if (!read_body(request, &sent, e)) {
        return false;
    }
    struct api_request named = *request;
    yyjson_val *metadata = yyjson_obj_get(yyjson_doc_get_root(sent), "metadata");
    const char *home = json_member_text(metadata, "namespace");
    named.name = json_member_text(metadata, "name");
    if (home != nullptr && (request->namespace == nullptr || strcmp(home, request->namespace) != 0)) {
        return refuse(&named, ERROR_REFUSED, 400, "is of another namespace than the request", e);
    }
    if (find(memory, &named) != nullptr) {
        return refuse(&named, ERROR_CONFLICT, 409, "already exists", e);
    }
    return check_namespace(memory, &named, e) &&
           write_whole(memory, &named, yyjson_doc_get_root(sent), false, ret_document, e);
}

bool memory_api_put(struct memory_api *memory, const struct kube_resource *resource, yyjson_val *object,
                    struct error *e) {
    yyjson_val *metadata = yyjson_obj_get(object, "metadata");
    cleanup_json yyjson_doc *ignored = nullptr;
    const struct api_request request = {
        .verb = API_CREATE,
        .resource = resource,
        .namespace = json_member_text(metadata, "namespace"),
        .name = json_member_text(metadata, "name"),
    };
    return write_whole(memory, &request, object, true, &ignored, e);
}

bool memory_api_restore(struct memory_api *memory, const struct kube_resource *resource, yyjson_val *object,
                        struct error *e) {
    yyjson_val *metadata = yyjson_obj_get(object, "metadata");
    const char *version = json_member_text(metadata, "resourceVersion");
    const struct api_request request = {
        .verb = API_CREATE,
        .resource = resource,
        .namespace = json_member_text(metadata, "namespace"),
        .name = json_member_text(metadata, "name"),
    };
    if (request.name == nullptr || version == nullptr || json_member_text(metadata, "uid") == nullptr) {
        return refuse(&request, ERROR_REFUSED, 422, "has no name, uid or resourceVersion", e);
    }
    if (find(memory, &request) != nullptr) {
        return refuse(&request, ERROR_CONFLICT, 409, "already exists", e);
    }
    char *end;
    uint64_t number = strtoull(version, &end, 10);
    if (*end != '\0' || version[0] < '0' || version[0] > '9' || number > INT64_MAX) {
        return refuse(&request, ERROR_REFUSED, 422, "has a resourceVersion that is none of this API", e);
    }
    yyjson_doc *copy = nullptr;
    if (!memory_show(&request, object, &copy, e)) {
        return false;
    }
    if (!store(memory, &request, nullptr, copy, e)) {
        json_free(copy);
        return false;
    }
    memory->version = memory->version < number ? number : memory->version;
    return true;
}

// ---- removing

// The object at index, with the version of its removal: what a watch shows of it.
static bool remove_at(struct memory_api *memory, size_t index, struct error *e) {
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    cleanup_json yyjson_doc *last = nullptr;
    char version[VERSION_SIZE];
    if (!json_create(&document, e)) {
        return false;
    }
    yyjson_mut_val *root = yyjson_val_mut_copy(document, object_of(&memory->objects.items[index]));
    snprintf(version, sizeof(version), "%" PRIu64, memory->version + 1);
    yyjson_mut_doc_set_root(document, root);
    (void)yyjson_mut_obj_put(yyjson_mut_obj_get(root, "metadata"),
                             yyjson_mut_str(document, "resourceVersion"), yyjson_mut_str(document, version));
    if (!json_freeze(document, &last, e)) {
        return false;
    }
    json_free(memory_table_remove(&memory->objects, index));
    memory->version++;
    if (memory->options.removed != nullptr) {
        memory->options.removed(memory->options.context, yyjson_doc_get_root(last));
    }
    return true;
}

bool memory_api_remove(struct memory_api *memory, const struct kube_resource *resource, const char *namespace,
                       const char *name, struct error *e) {
    const struct api_request request = {
        .verb = API_GET, .resource = resource, .namespace = namespace, .name = name};
    const struct stored *stored = find(memory, &request);
    return stored == nullptr ? refuse(&request, ERROR_NOT_FOUND, 404, "not found", e)
                             : remove_at(memory, (size_t)(stored - memory->objects.items), e);
}

static bool is_left_behind(const struct memory_api *memory, yyjson_val *object) {
    yyjson_val *metadata = yyjson_obj_get(object, "metadata");
    const char *namespace = json_member_text(metadata, "namespace");
    const struct api_request home = {.verb = API_GET, .resource = &kube_namespaces, .name = namespace};
    if (memory->options.has_namespaces && namespace != nullptr && find(memory, &home) == nullptr) {
        return true;
    }
    return memory_owners_are_gone(&memory->objects, object);
}

bool memory_api_collect(struct memory_api *memory, size_t *ret_count, struct error *e) {
    size_t removed = 0;
    for (size_t i = 0; i < memory->objects.count;) {
        if (!is_left_behind(memory, object_of(&memory->objects.items[i]))) {
            i++;
            continue;
        }
        if (!remove_at(memory, i, e)) {
            return false;
        }
        removed++;
        i = 0; // it may have been an owner itself
    }
    if (ret_count != nullptr) {
        *ret_count = removed;
    }
    return true;
}

// ---- changing

// Optimistic concurrency. conditions: a body's metadata, or the preconditions of a deletion.
static bool check_preconditions(const struct api_request *request, yyjson_val *conditions,
                                yyjson_val *present, struct error *e) {
    static const char *const members[] = {"uid", "resourceVersion"};
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        const char *wanted = json_member_text(conditions, members[i]);
        if (wanted == nullptr && i == 1 && request->verb == API_UPDATE) {
            return refuse(request, ERROR_REFUSED, 422, "metadata.resourceVersion: must be specified", e);
        }
        if (wanted != nullptr &&
            !yyjson_equals_str(json_find(present, "metadata", members[i], nullptr), wanted)) {
            return refuse(request, ERROR_CONFLICT, 409, i == 0 ? "has another uid" : "has been modified", e);
        }
    }
    return true;
}

// A merge patch, or the whole object.
static bool change_object(struct memory_api *memory, const struct api_request *request,
                          yyjson_doc **ret_document, struct error *e) {
    cleanup_json yyjson_doc *sent = nullptr;
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    struct stored *stored = find(memory, request);
    if (stored == nullptr) {
        return refuse(request, ERROR_NOT_FOUND, 404, "not found", e);
    }
    yyjson_val *present = object_of(stored);
    if (!read_body(request, &sent, e) || !json_create(&document, e)) {
        return false;
    }
    yyjson_val *content = yyjson_doc_get_root(sent);
    if (!check_preconditions(request, yyjson_obj_get(content, "metadata"), present, e)) {
        return false;
    }
    yyjson_mut_val *changed = request->verb == API_UPDATE ? yyjson_val_mut_copy(document, content)
                                                          : yyjson_merge_patch(document, present, content);
    struct draft draft = {request, stored, document, changed};
    if (request->subresource == nullptr) {
        put_from(&draft, draft.root, "status", present);
    } else {
        yyjson_mut_val *status = yyjson_mut_obj_remove_key(draft.root, "status");
        draft.root = yyjson_val_mut_copy(document, present);
        (void)yyjson_mut_obj_put(draft.root, yyjson_mut_str(document, "status"), status);
    }
    yyjson_mut_doc_set_root(document, draft.root);
    return finish(memory, &draft, ret_document, e);
}

// The answer is the object as it was last: a caller cannot tell it from the Status that a server may give.
static bool delete_object(struct memory_api *memory, const struct api_request *request,
                          yyjson_doc **ret_document, struct error *e) {
    cleanup_json yyjson_doc *sent = nullptr;
    const struct stored *stored = find(memory, request);
    if (stored == nullptr) {
        return refuse(request, ERROR_NOT_FOUND, 404, "not found", e);
    }
    yyjson_val *present = object_of(stored);
    if (!read_body(request, &sent, e) ||
        !check_preconditions(request, yyjson_obj_get(yyjson_doc_get_root(sent), "preconditions"), present,
                             e) ||
        !memory_show(request, present, ret_document, e)) {
        return false;
    }
    return remove_at(memory, (size_t)(stored - memory->objects.items), e);
}

static bool refuse_apply(struct memory_api *, const struct api_request *request, yyjson_doc **,
                         struct error *e) {
    return refuse(request, ERROR_REFUSED, 400, "cannot be applied here, where there are no schemas", e);
}

// ---- reviews

static bool is_review(const struct kube_resource *resource) {
    return strcmp(resource->group, kube_access_reviews.group) == 0;
}

static bool review(struct memory_api *memory, const struct api_request *request, yyjson_doc **ret_document,
                   struct error *e) {
    cleanup_json yyjson_doc *sent = nullptr;
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (!read_body(request, &sent, e) || !json_create(&document, e)) {
        return false;
    }
    const struct memory_api_options *options = &memory->options;
    yyjson_val *spec = yyjson_obj_get(yyjson_doc_get_root(sent), "spec");
    bool allowed = options->allows == nullptr || options->allows(options->context, spec);
    yyjson_mut_val *root = yyjson_val_mut_copy(document, yyjson_doc_get_root(sent));
    yyjson_mut_val *status = yyjson_mut_obj(document);
    (void)yyjson_mut_obj_add_bool(document, status, "allowed", allowed);
    (void)yyjson_mut_obj_put(root, yyjson_mut_str(document, "status"), status);
    yyjson_mut_doc_set_root(document, root);
    return json_freeze(document, ret_document, e);
}

static bool create_or_review(struct memory_api *memory, const struct api_request *request,
                             yyjson_doc **ret_document, struct error *e) {
    return is_review(request->resource) ? review(memory, request, ret_document, e)
                                        : create_object(memory, request, ret_document, e);
}

// ---- the verbs

static bool serve(void *memory, const struct api_request *request, yyjson_doc **ret_document,
                  struct error *e) {
    static bool (*const verbs[])(struct memory_api *, const struct api_request *, yyjson_doc **,
                                 struct error *) = {
        [API_GET] = get_object,       [API_LIST] = list_objects,    [API_CREATE] = create_or_review,
        [API_PATCH] = change_object,  [API_UPDATE] = change_object, [API_APPLY] = refuse_apply,
        [API_DELETE] = delete_object,
    };
    cleanup_buffer struct buffer path = buffer_create(API_PATH_MAX);
    if (!api_append_path(request, &path, e)) {
        return false;
    }
    cleanup_json yyjson_doc *answer = nullptr;
    bool is_known = request->subresource == nullptr || strcmp(request->subresource, "status") == 0;
    if (!(is_known ? verbs[request->verb](memory, request, &answer, e)
                   : refuse(request, ERROR_NOT_FOUND, 404, "has no such subresource", e))) {
        return error_wrap(e, "%s %.500s", api_method(request->verb), buffer_text(&path));
    }
    if (ret_document != nullptr) {
        *ret_document = answer;
        answer = nullptr;
    }
    return true;
}

struct api memory_api_verbs(struct memory_api *memory) {
    return (struct api){.context = memory, .call = serve};
}

void memory_api_visit(const struct memory_api *memory, void (*visit)(void *context, yyjson_val *object),
                      void *context) {
    for (size_t i = 0; i < memory->objects.count; i++) {
        visit(context, object_of(&memory->objects.items[i]));
    }
}
