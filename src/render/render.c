#include "render/render.h"

#include "base/memory.h"
#include "crypto/encoding.h"
#include "engine/unknown_field.h"
#include "kube/yaml.h"
#include "reconcile/reasons.h"
#include "reconcile/secret_metadata.h"
#include "reconcile/status_record.h"
#include "render/edit_check.h"
#include "render/manifests.h"
#include "render/state.h"
#include "render/world.h"
#include "json/write.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { STATE_MAX_BYTES = 256 * 1024 * 1024, NOTE_MAX_BYTES = 4 * 1024 };

// One object that was read.
struct given {
    const struct kube_resource *resource;
    yyjson_doc *document; // owned
    struct given *next;
};

struct render {
    const struct render_options *options;
    struct world *world;
    struct state *state;   // NULL: nothing is kept
    struct given *objects; // owned, those of the files, in their order
    struct given **end;    // where the next one goes
    struct buffer *manifests;
    bool ready;
    struct error failure; // of a visit; class NONE: none failed
};

[[gnu::format(printf, 2, 3)]] static void note(const struct render *render, const char *format, ...) {
    char text[NOTE_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    render->options->note(render->options->context, text);
}

// ---- what there is

static const char *text_at(yyjson_val *object, const char *key) {
    const char *text = json_text(json_find(object, "metadata", key, nullptr));
    return text == nullptr ? "" : text;
}

static bool copy_document(yyjson_val *value, yyjson_doc **ret_document, struct error *e) {
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (!json_create(&document, e)) {
        return false;
    }
    yyjson_mut_doc_set_root(document, yyjson_val_mut_copy(document, value));
    return json_freeze(document, ret_document, e);
}

static bool is_same(const struct given *given, const struct kube_resource *resource, yyjson_val *object) {
    yyjson_val *other = yyjson_doc_get_root(given->document);
    return given->resource == resource && strcmp(text_at(other, "name"), text_at(object, "name")) == 0 &&
           strcmp(text_at(other, "namespace"), text_at(object, "namespace")) == 0;
}

static bool is_given(const struct render *render, const struct kube_resource *resource, yyjson_val *object) {
    const struct given *given = render->objects;
    while (given != nullptr && !is_same(given, resource, object)) {
        given = given->next;
    }
    return given != nullptr;
}

// What an API server would refuse, or somebody has not meant.
static bool check_object(const struct render *render, const struct kube_resource *resource,
                         yyjson_val *object, struct error *e) {
    const char *namespace = text_at(object, "namespace");
    const char *name = text_at(object, "name");
    const char *uid = text_at(object, "uid");
    if (is_given(render, resource, object)) {
        return error_set(e, ERROR_INVALID_SPEC, "%s %s/%s is among the files twice", resource->kind,
                         namespace, name);
    }
    for (const struct given *given = render->objects; given != nullptr; given = given->next) {
        if (uid[0] != '\0' && strcmp(uid, text_at(yyjson_doc_get_root(given->document), "uid")) == 0) {
            return error_set(e, ERROR_INVALID_SPEC,
                             "%s %s/%s: metadata.uid is that of another object, too; remove it from the copy",
                             resource->kind, namespace, name);
        }
    }
    const struct kind *kind = world_find_kind(render->world, resource);
    char unknown[UNKNOWN_FIELD_SIZE];
    return kind == nullptr || !unknown_field_find(kind, yyjson_obj_get(object, "spec"), unknown) ||
           error_set(e, ERROR_INVALID_SPEC, "%s %s/%s: unknown field \"%s\"", resource->kind, namespace, name,
                     unknown);
}

static bool take_given(void *context, const struct kube_resource *resource, yyjson_val *object,
                       struct error *e) {
    struct render *render = context;
    if (resource == nullptr) {
        note(render, "%s %s is skipped: QubeSec makes nothing of it", json_member_text(object, "kind"),
             text_at(object, "name"));
        return true;
    }
    if (!check_object(render, resource, object, e)) {
        return false;
    }
    struct given *given = memory_allocate_zeroed(1, sizeof(*given));
    if (given == nullptr) {
        return error_no_memory(e, "reading manifests");
    }
    given->resource = resource;
    *render->end = given;
    render->end = &given->next;
    return copy_document(object, &given->document, e);
}

static bool read_files(struct render *render, struct error *e) {
    const struct manifest_options manifests = {
        .resources = world_resources(render->world),
        .namespace = render->options->namespace,
        .visit = take_given,
        .context = render,
    };
    for (const char *const *file = render->options->files; *file != nullptr; file++) {
        if (!manifests_read(*file, &manifests, e)) {
            return false;
        }
    }
    for (const struct given *given = render->objects; given != nullptr; given = given->next) {
        if (world_find_kind(render->world, given->resource) != nullptr) {
            return true;
        }
    }
    return error_set(e, ERROR_INVALID_SPEC, "there is no resource of QubeSec's among the files");
}

static bool is_of_kind(const struct render *render, const struct kube_resource *resource) {
    return world_find_kind(render->world, resource) != nullptr;
}

// What an earlier run has of a given object; NULL: nothing.
static yyjson_doc *find_kept(const struct render *render, const struct given *given) {
    yyjson_val *object = yyjson_doc_get_root(given->document);
    yyjson_doc *kept = nullptr;
    struct error none;
    bool found = api_get(memory_api_verbs(world_api(render->world)), given->resource,
                         text_at(object, "namespace"), text_at(object, "name"), 0, &kept, &none);
    return found ? kept : nullptr;
}

struct search {
    yyjson_val *made;
    const char *field; // of the status that would name it
    bool found;
    const char *kind; // of the object whose status names it; NULL: none does
};

static void look_for_output(void *context, yyjson_val *object) {
    struct search *search = context;
    const char *uid = json_text(json_find(object, "status", search->field, "uid", nullptr));
    if (uid != nullptr && strcmp(uid, text_at(search->made, "uid")) == 0) {
        search->found = true;
        search->kind = json_member_text(object, "kind");
    }
}

// Whether an object's status names it, and nobody has just claimed so in its marks.
static bool is_output(const struct render *render, yyjson_val *object) {
    bool is_secret = json_member_is(object, "kind", kube_secrets.kind);
    struct search search = {.made = object, .field = is_secret ? "secretRef" : "trustBundle"};
    if (is_secret || json_member_is(object, "kind", kube_config_maps.kind)) {
        memory_api_visit(world_api(render->world), look_for_output, &search);
    }
    return search.found;
}

// A Secret of the files must not take the place of one that an earlier run has made: its key would be lost.
// Nor does a ConfigMap.
static bool check_made(const struct render *render, yyjson_val *kept, yyjson_val *object, struct error *e) {
    return json_equals(yyjson_obj_get(kept, "data"), yyjson_obj_get(object, "data")) ||
           error_set(e, ERROR_INVALID_SPEC,
                     "%s keeps another %s of this name, which was made by an earlier run and is not "
                     "overwritten; rename this one, or take it out of the files",
                     render->options->state, json_member_text(kept, "kind"));
}

struct uid_search {
    yyjson_val *object;
    struct error *e;
    bool found;
};

static void look_for_uid(void *context, yyjson_val *other) {
    struct uid_search *search = context;
    const char *uid = text_at(search->object, "uid");
    const char *kind = json_member_text(other, "kind");
    bool is_itself = json_member_is(search->object, "kind", kind) &&
                     strcmp(text_at(search->object, "namespace"), text_at(other, "namespace")) == 0 &&
                     strcmp(text_at(search->object, "name"), text_at(other, "name")) == 0;
    if (!is_itself && strcmp(uid, text_at(other, "uid")) == 0) {
        search->found = true;
        error_set(search->e, ERROR_INVALID_SPEC,
                  "metadata.uid %.64s is that of %s %s/%s, too; remove it from the copy", uid, kind,
                  text_at(other, "namespace"), text_at(other, "name"));
    }
}

// A uid says who owns a Secret: of one that two objects have both would write the same one, without an end.
static bool check_uid(const struct render *render, yyjson_val *object, struct error *e) {
    struct uid_search search = {.object = object, .e = e};
    if (text_at(object, "uid")[0] != '\0') {
        memory_api_visit(world_api(render->world), look_for_uid, &search);
    }
    return !search.found;
}

// What an earlier run has made stays as it is, marks included, when it is among the files, too.
static bool put_one(const struct render *render, const struct given *given, struct error *e) {
    yyjson_val *object = yyjson_doc_get_root(given->document);
    const struct kind *kind = world_find_kind(render->world, given->resource);
    cleanup_json yyjson_doc *document = find_kept(render, given);
    yyjson_val *kept = yyjson_doc_get_root(document);
    if (!check_uid(render, object, e)) {
        return false;
    }
    if (kept != nullptr && is_output(render, kept)) {
        return check_made(render, kept, object, e);
    }
    return (kind == nullptr || kept == nullptr || edit_check(kind, kept, object, e)) &&
           memory_api_put(world_api(render->world), given->resource, object, e);
}

// Our objects come first, since it is by them that Secrets and ConfigMaps matter.
static bool put_given(struct render *render, bool of_kinds, struct error *e) {
    for (const struct given *given = render->objects; given != nullptr; given = given->next) {
        yyjson_val *object = yyjson_doc_get_root(given->document);
        if (is_of_kind(render, given->resource) == of_kinds && !put_one(render, given, e)) {
            return error_wrap(e, "%s %s/%s", given->resource->kind, text_at(object, "namespace"),
                              text_at(object, "name"));
        }
    }
    return true;
}

static const struct kube_resource *find_resource(const struct render *render, yyjson_val *object) {
    for (const struct kube_resource *const *at = world_resources(render->world); *at != nullptr; at++) {
        if (json_member_is(object, "kind", (*at)->kind)) {
            return *at;
        }
    }
    return nullptr;
}

// Whether nothing was made of it and the files do not have it any more: a mistake that was taken back.
static bool is_forgotten(const struct render *render, const struct kube_resource *resource,
                         yyjson_val *object) {
    return is_of_kind(render, resource) && !is_given(render, resource, object) &&
           json_find(object, "status", "secretRef", "name", nullptr) == nullptr;
}

static bool restore(struct render *render, yyjson_val *objects, bool of_kinds, struct error *e) {
    struct memory_api *memory = world_api(render->world);
    size_t index;
    size_t count;
    yyjson_val *object;
    yyjson_arr_foreach(objects, index, count, object) {
        const struct kube_resource *resource = find_resource(render, object);
        if (resource == nullptr) {
            return error_set(e, ERROR_INVALID_SPEC, "document %zu is of no kind that is kept here",
                             index + 1);
        }
        if (!manifests_is_namespace(text_at(object, "namespace"))) {
            return error_set(e, ERROR_INVALID_SPEC, "document %zu is in no namespace", index + 1);
        }
        if (is_of_kind(render, resource) == of_kinds && !is_forgotten(render, resource, object) &&
            !(check_uid(render, object, e) && memory_api_restore(memory, resource, object, e))) {
            e->class = e->class == ERROR_NO_MEMORY ? ERROR_NO_MEMORY : ERROR_INVALID_SPEC;
            return error_wrap(e, "document %zu", index + 1);
        }
    }
    return count > 0 || error_set(e, ERROR_INVALID_SPEC, "it is empty");
}

// What an earlier run has left.
static bool restore_state(struct render *render, struct error *e) {
    cleanup_buffer struct buffer text = buffer_create(STATE_MAX_BYTES);
    cleanup_json yyjson_doc *stream = nullptr;
    if (render->options->state == nullptr) {
        return true;
    }
    if (!state_open(render->options->state, &render->state, e) || !state_load(render->state, &text, e)) {
        return false;
    }
    if (text.data == nullptr) {
        return true; // this is the first
    }
    if (!yaml_parse_stream(buffer_text(&text), text.length, &stream, e) ||
        !restore(render, yyjson_doc_get_root(stream), true, e) ||
        !restore(render, yyjson_doc_get_root(stream), false, e)) {
        return error_wrap(e, "what %s has of earlier runs", render->options->state);
    }
    return true;
}

// ---- what has become of it

static bool append_document(yyjson_val *object, struct buffer *text, struct error *e) {
    return (text->length == 0 || buffer_append_text(text, "---\n", e)) && yaml_write(object, text, e);
}

static void save_object(void *context, yyjson_val *object) {
    struct render *render = context;
    if (render->failure.class == ERROR_NONE) {
        (void)append_document(object, render->manifests, &render->failure);
    }
}

struct reading {
    yyjson_val *stream;
    size_t index;
    bool same;
};

static void compare_object(void *context, yyjson_val *object) {
    struct reading *reading = context;
    reading->same = reading->same && json_equals(yyjson_arr_get(reading->stream, reading->index), object);
    reading->index++;
}

// Whether the next run will read what this one has: it holds keys that cannot be made again.
static bool check_saved(const struct render *render, const struct buffer *text, struct error *e) {
    cleanup_json yyjson_doc *stream = nullptr;
    if (!yaml_parse_stream(buffer_text(text), text->length, &stream, e)) {
        return error_wrap(e, "reading back what is to be saved");
    }
    struct reading reading = {.stream = yyjson_doc_get_root(stream), .same = true};
    memory_api_visit(world_api(render->world), compare_object, &reading);
    return (reading.same && reading.index == yyjson_arr_size(reading.stream)) ||
           error_set(e, ERROR_INTERNAL, "what is to be saved reads back as something else");
}

// Before anything is shown: what is shown once is there in the next run.
static bool save_state(struct render *render, struct error *e) {
    cleanup_buffer struct buffer text = buffer_create(STATE_MAX_BYTES);
    struct buffer *manifests = render->manifests;
    if (render->state == nullptr) {
        return true;
    }
    render->manifests = &text;
    memory_api_visit(world_api(render->world), save_object, render);
    render->manifests = manifests;
    if (render->failure.class != ERROR_NONE) {
        *e = render->failure;
        return false;
    }
    return check_saved(render, &text, e) && state_save(render->state, &text, e);
}

// Without what only the API of this run has said, so that it can be applied to any.
static bool append_applicable(yyjson_val *object, struct buffer *text, struct error *e) {
    static const char *const of_the_api[] = {"uid", "resourceVersion", "generation", "creationTimestamp",
                                             "ownerReferences"};
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    cleanup_json yyjson_doc *frozen = nullptr;
    if (!json_create(&document, e)) {
        return false;
    }
    yyjson_mut_val *root = yyjson_val_mut_copy(document, object);
    yyjson_mut_doc_set_root(document, root);
    for (size_t i = 0; i < sizeof(of_the_api) / sizeof(of_the_api[0]); i++) {
        (void)yyjson_mut_obj_remove_key(yyjson_mut_obj_get(root, "metadata"), of_the_api[i]);
    }
    secret_metadata_drop_uid(yyjson_mut_obj_get(root, "metadata"));
    return json_freeze(document, &frozen, e) && append_document(yyjson_doc_get_root(frozen), text, e);
}

struct kept_secret {
    const struct kind *const *kinds;
    const char *owner; // kind of the object whose output it is
    yyjson_val *data;
};

// Whether that was an entry of a version, and the Secret does not hold it any more.
static bool is_gone_version(void *context, const char *key) {
    const struct kept_secret *kept = context;
    bool is_version = false;
    for (const struct kind *const *kind = kept->kinds; *kind != nullptr; kind++) {
        is_version =
            is_version || (strcmp((*kind)->kind, kept->owner) == 0 && version_is_entry_name(*kind, key));
    }
    return is_version && yyjson_obj_get(kept->data, key) == nullptr;
}

// What was a file of a version that has gone since: a private key, mostly.
static bool remove_versions(const struct render *render, yyjson_val *secret, struct error *e) {
    struct search search = {.made = secret, .field = "secretRef"};
    memory_api_visit(world_api(render->world), look_for_output, &search);
    if (search.kind == nullptr) {
        return true;
    }
    struct kept_secret kept = {render->options->kinds, search.kind, yyjson_obj_get(secret, "data")};
    return state_remove_entries(render->state, text_at(secret, "namespace"), text_at(secret, "name"),
                                is_gone_version, &kept, e);
}

static bool write_entries(const struct render *render, yyjson_val *secret, struct error *e) {
    yyjson_obj_iter entries = yyjson_obj_iter_with(yyjson_obj_get(secret, "data"));
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&entries)) != nullptr;) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        cleanup_secret struct secret *bytes = nullptr;
        if (!base64_decode(yyjson_get_str(value), yyjson_get_len(value), ENCODING_ONE_LINE, &bytes, e) ||
            !state_write_entry(render->state, text_at(secret, "namespace"), text_at(secret, "name"), key,
                               secret_view(bytes), secret_length(bytes), e)) {
            return false;
        }
    }
    return remove_versions(render, secret, e);
}

static void show_object(void *context, yyjson_val *object) {
    struct render *render = context;
    const struct kube_resource *resource = find_resource(render, object);
    bool is_ours = is_of_kind(render, resource);
    struct error *e = &render->failure;
    if (e->class != ERROR_NONE || (!is_ours && !is_output(render, object))) {
        return;
    }
    bool has_entries = resource == &kube_secrets && render->options->writes_entries;
    if (append_applicable(object, render->manifests, e) && has_entries) {
        (void)write_entries(render, object, e);
    }
}

static void tell_object(void *context, yyjson_val *object) {
    struct render *render = context;
    yyjson_val *status = yyjson_obj_get(object, "status");
    yyjson_val *ready = status_is_written(status) ? status_find_ready(status) : nullptr;
    const struct kube_resource *resource = find_resource(render, object);
    if (!is_of_kind(render, resource)) {
        return;
    }
    const struct object_key key = {resource, text_at(object, "namespace"), text_at(object, "name")};
    const struct outcome *unfinished = world_find_unfinished(render->world, &key);
    bool is_ready = json_member_is(ready, "status", "True");
    if (is_ready && unfinished == nullptr) {
        return;
    }
    const char *reason = is_ready ? REASON_RETRYING : json_member_text(ready, "reason");
    const char *message = is_ready ? unfinished->error.message : json_member_text(ready, "message");
    render->ready = false;
    note(render, "%s %s/%s is not Ready: %s: %s", json_member_text(object, "kind"),
         text_at(object, "namespace"), text_at(object, "name"), reason == nullptr ? "Unknown" : reason,
         message == nullptr ? "nothing was told of it" : message);
}

// What the status says at the end, too, is told there.
static void record(void *context, const struct kube_resource *resource, const struct kube_object *object,
                   const struct event_content *content) {
    if (content->warning && strcmp(content->action, "Reconcile") != 0) {
        note(context, "%s %s: %s: %s", resource->kind, object->key, content->reason, content->note);
    }
}

// ---- all of it

static bool run(struct render *render, struct error *e) {
    const struct world_options world = {render->options->kinds, record, render};
    if (!world_create(&world, &render->world, e) || !read_files(render, e) || !restore_state(render, e) ||
        !put_given(render, true, e) || !put_given(render, false, e) || !world_run(render->world, e) ||
        !save_state(render, e)) {
        return false;
    }
    memory_api_visit(world_api(render->world), tell_object, render);
    memory_api_visit(world_api(render->world), show_object, render);
    if (render->failure.class != ERROR_NONE) {
        *e = render->failure;
        e->class = e->class == ERROR_INVALID_SPEC ? ERROR_IO : e->class; // what was made is kept by now
        return false;
    }
    return true;
}

static void release(struct render *render) {
    for (struct given *given = render->objects; given != nullptr;) {
        struct given *next = given->next;
        json_free(given->document);
        memory_free(given);
        given = next;
    }
    state_close(render->state);
    world_free(render->world);
}

bool render_run(const struct render_options *options, struct buffer *manifests, bool *ret_ready,
                struct error *e) {
    struct render render = {.options = options, .manifests = manifests, .ready = true};
    render.end = &render.objects;
    bool done = run(&render, e);
    release(&render);
    if (done) {
        *ret_ready = render.ready;
    }
    return done;
}
