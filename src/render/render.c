#include "render/render.h"

#include "base/memory.h"
#include "crypto/encoding.h"
#include "kube/yaml.h"
#include "reconcile/secret_metadata.h"
#include "reconcile/status_record.h"
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
    struct given *objects; // owned, those of the files, the last first
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

static bool take_given(void *context, const struct kube_resource *resource, yyjson_val *object,
                       struct error *e) {
    struct render *render = context;
    if (resource == nullptr) {
        note(render, "%s %s is skipped: QubeSec makes nothing of it", json_member_text(object, "kind"),
             text_at(object, "name"));
        return true;
    }
    struct given *given = memory_allocate_zeroed(1, sizeof(*given));
    if (given == nullptr) {
        return error_no_memory(e, "reading manifests");
    }
    given->resource = resource;
    given->next = render->objects;
    render->objects = given;
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
    return true;
}

static bool is_of_kind(const struct render *render, const struct kube_resource *resource) {
    return world_find_kind(render->world, resource) != nullptr;
}

// A Secret of the files must not take the place of one that an earlier run has made: its key would be lost.
static bool check_given(const struct render *render, const struct given *given, struct error *e) {
    yyjson_val *object = yyjson_doc_get_root(given->document);
    cleanup_json yyjson_doc *present = nullptr;
    struct error none;
    if (given->resource != &kube_secrets ||
        !api_get(memory_api_verbs(world_api(render->world)), given->resource, text_at(object, "namespace"),
                 text_at(object, "name"), 0, &present, &none)) {
        return true;
    }
    yyjson_val *kept = yyjson_doc_get_root(present);
    return !secret_metadata_is_marked(yyjson_obj_get(kept, "metadata")) ||
           json_equals(yyjson_obj_get(kept, "data"), yyjson_obj_get(object, "data")) ||
           error_set(e, ERROR_INVALID_SPEC,
                     "%s keeps another Secret of this name, which was made by an earlier run and is not "
                     "overwritten; rename this one, or take it out of the files",
                     render->options->state);
}

// Our objects come first, since it is by them that Secrets and ConfigMaps matter.
static bool put_given(struct render *render, bool of_kinds, struct error *e) {
    struct memory_api *memory = world_api(render->world);
    for (const struct given *given = render->objects; given != nullptr; given = given->next) {
        yyjson_val *object = yyjson_doc_get_root(given->document);
        if (is_of_kind(render, given->resource) == of_kinds &&
            !(check_given(render, given, e) && memory_api_put(memory, given->resource, object, e))) {
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
        if (is_of_kind(render, resource) == of_kinds && !memory_api_restore(memory, resource, object, e)) {
            return error_wrap(e, "document %zu", index + 1);
        }
    }
    return true;
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
    return state_save(render->state, &text, e);
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
    return json_freeze(document, &frozen, e) && append_document(yyjson_doc_get_root(frozen), text, e);
}

static bool is_output(yyjson_val *object) {
    return json_member_is(object, "kind", kube_secrets.kind) &&
           secret_metadata_is_marked(yyjson_obj_get(object, "metadata"));
}

static bool write_entries(const struct render *render, yyjson_val *secret, struct error *e) {
    size_t index;
    size_t count;
    yyjson_val *key;
    yyjson_val *value;
    yyjson_obj_foreach(yyjson_obj_get(secret, "data"), index, count, key, value) {
        cleanup_secret struct secret *bytes = nullptr;
        if (!base64_decode(yyjson_get_str(value), yyjson_get_len(value), ENCODING_ONE_LINE, &bytes, e) ||
            !state_write_entry(render->state, text_at(secret, "namespace"), text_at(secret, "name"),
                               yyjson_get_str(key), secret_view(bytes), secret_length(bytes), e)) {
            return false;
        }
    }
    return true;
}

static void show_object(void *context, yyjson_val *object) {
    struct render *render = context;
    const struct kube_resource *resource = find_resource(render, object);
    bool is_ours = is_of_kind(render, resource);
    struct error *e = &render->failure;
    if (e->class != ERROR_NONE || (!is_ours && !is_output(object))) {
        return;
    }
    if (append_applicable(object, render->manifests, e) && !is_ours && render->options->writes_entries) {
        (void)write_entries(render, object, e);
    }
}

static void tell_object(void *context, yyjson_val *object) {
    struct render *render = context;
    yyjson_val *status = yyjson_obj_get(object, "status");
    yyjson_val *ready = status_find_ready(status);
    if (!is_of_kind(render, find_resource(render, object)) || json_member_is(ready, "status", "True")) {
        return;
    }
    const char *reason = json_member_text(ready, "reason");
    const char *message = json_member_text(ready, "message");
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
    bool done = run(&render, e);
    release(&render);
    if (done) {
        *ret_ready = render.ready;
    }
    return done;
}
