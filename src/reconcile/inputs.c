#include "reconcile/inputs.h"

#include "base/memory.h"
#include "engine/input_entry.h"
#include "reconcile/grants.h"
#include "reconcile/input_url.h"
#include "reconcile/input_wait.h"
#include "reconcile/kept.h"
#include "reconcile/reasons.h"
#include "reconcile/status_record.h"

#include <stdio.h>
#include <string.h>

enum { RECHECK_MS = 1000 };
enum { UPSTREAM_CHAIN_MAX = 32, WAIT_SIZE = 64 + 1 + 253 + 1 + 253 + 1 };

// The upstream is about to be looked at again itself; its new status wakes this object before the time is
// over.
static bool come_back(const struct source *source, const char *why, struct error *e) {
    error_set(e, ERROR_RETRYABLE, "spec.%s: %s %s %s", source->request->field, source->from->kind,
              source->request->reference.name, why);
    e->retry_after_ms = RECHECK_MS;
    return false;
}

// As reconcile_look_up. What is in another namespace may be hidden from whoever reads the object's status, so
// that why it cannot be looked at is for the log.
static bool look_up(const struct reconcile *r, const struct source *source, const char *kind,
                    const char *namespace, const char *name, struct kube_object **ret_object,
                    struct error *e) {
    if (reconcile_look_up(r, kind, namespace, name, ret_object, e)) {
        return true;
    }
    if (strcmp(namespace, r->object->namespace) == 0) {
        return error_wrap(e, "spec.%s", source->request->field);
    }
    const struct error said = *e;
    reconcile_log(r, LOG_WARNING, "an input in another namespace cannot be looked at", said.message);
    error_set(e, said.class,
              "spec.%s: what namespace %s has of it cannot be looked at now; the operator's log says why",
              source->request->field, namespace);
    e->retry_after_ms = said.retry_after_ms;
    return false;
}

// *ret_is_so: whether the watch shows nothing else than the very version of an object that a status names.
// (It may show nothing at all of one that is read live then.)
static bool is_as_recorded(const struct reconcile *r, const struct source *source, const char *kind,
                           const char *namespace, yyjson_val *recorded, bool *ret_is_so, struct error *e) {
    const char *name = json_member_text(recorded, "name");
    cleanup_object struct kube_object *seen = nullptr;
    if (kind != nullptr && name != nullptr && !look_up(r, source, kind, namespace, name, &seen, e)) {
        return false;
    }
    *ret_is_so = kind != nullptr && name != nullptr && (seen == nullptr || status_names(recorded, seen));
    return true;
}

// Whether an upstream's output was made from what its inputs are now. If one of them has changed, the
// upstream will make it anew: what it holds now must not be combined with the changed input by others.
static bool has_current_inputs(const struct reconcile *r, const struct source *source, struct error *e) {
    const struct kube_object *upstream = source->upstream;
    size_t index;
    size_t count;
    yyjson_val *input;
    yyjson_arr_foreach(json_find(upstream->root, "status", "inputs", nullptr), index, count, input) {
        const char *namespace = json_member_text(input, "namespace");
        bool is_current = false;
        if (!is_as_recorded(r, source, json_member_text(input, "kind"),
                            namespace == nullptr ? upstream->namespace : namespace, input, &is_current, e)) {
            return false;
        }
        if (!is_current) {
            return come_back(source, "has not taken up its changed input yet", e);
        }
    }
    return true;
}

// A reference without a namespace points into that of the object which has it.
static const char *namespace_of(const struct kube_object *object, const char *namespace) {
    return namespace == nullptr || namespace[0] == '\0' ? object->namespace : namespace;
}

// Whether there is nothing to tell of the wait: upstream is about to be looked at for the first time, and
// what is found, its first status, wakes this object. In a burst that spares one write for each that depends
// on another.
static bool is_brief(const struct reconcile *r, const struct kube_object *upstream) {
    const char *told = json_text(json_find(r->object->root, "status", "status", nullptr));
    return !status_is_written(yyjson_obj_get(upstream->root, "status")) && !upstream->deleting &&
           (told == nullptr || strcmp(told, "Pending") == 0);
}

// What an upstream of this namespace says that it waits for itself: "QuantumCertificate root". Nothing but
// that is taken of its message, which wait_for has written, so that texts do not grow from object to object.
// "": it does not say so.
static void read_wait(const struct reconcile *r, const struct source *source, yyjson_val *ready,
                      char ret_wait[WAIT_SIZE]) {
    const char *message = json_member_text(ready, "message");
    const char *begin = message == nullptr ? nullptr : strstr(message, WAITING_FOR);
    const char *end = begin == nullptr ? nullptr : strstr(begin, WHICH);
    const char *what = begin == nullptr ? nullptr : begin + sizeof(WAITING_FOR) - 1;
    bool is_told = source_is_own(r, source) && end != nullptr && end - what < WAIT_SIZE;
    snprintf(ret_wait, WAIT_SIZE, "%.*s", is_told ? (int)(end - what) : 0, is_told ? what : "");
}

static bool wait_for_upstream(struct reconcile *r, const struct source *source, yyjson_val *status,
                              const char *phase, struct error *e) {
    r->telling = is_brief(r, source->upstream) ? TELL_NOTHING : r->telling;
    char why[WAIT_SIZE + 64] = "is not finished";
    char wait[WAIT_SIZE];
    yyjson_val *ready = status_find_ready(status);
    const char *reason = json_member_text(ready, "reason");
    read_wait(r, source, ready, wait);
    if (wait[0] != '\0') {
        snprintf(why, sizeof(why), "itself waits for %s", wait);
    }
    if (phase != nullptr && strcmp(phase, "Failed") == 0 && reason != nullptr) {
        snprintf(why, sizeof(why), "has failed (%.*s); its own status says why", OUTCOME_REASON_SIZE, reason);
    }
    return input_wait_for(r, source, source->request->reference.name, why, e);
}

// Where a kind refers to its own kind: whether the same field, followed from object to object, ends without
// coming back to this one. (A cycle would wait for itself.)
static bool check_chain(struct reconcile *r, const struct source *source, struct error *e) {
    const char *field = source->request->field;
    cleanup_object struct kube_object *at = kube_object_retain(source->upstream);
    for (unsigned i = 0; at != nullptr && i < UPSTREAM_CHAIN_MAX; i++) {
        if (strcmp(at->key, r->object->key) == 0) {
            return error_set(e, ERROR_INVALID_SPEC,
                             "spec.%s: leads from %s %s back to itself; refer to another one", field,
                             r->kind->kind, r->object->name);
        }
        const char *next = json_text(json_find(at->root, "spec", field, "name", nullptr));
        const char *namespace =
            namespace_of(at, json_text(json_find(at->root, "spec", field, "namespace", nullptr)));
        struct kube_object *upstream = nullptr;
        if (next != nullptr && !look_up(r, source, r->kind->kind, namespace, next, &upstream, e)) {
            return false;
        }
        kube_object_release(at);
        at = upstream;
    }
    return at == nullptr ||
           error_set(e, ERROR_INVALID_SPEC, "spec.%s: leads through more than %d resources, or in a circle",
                     field, UPSTREAM_CHAIN_MAX);
}

// Whether nobody verifies the Secret just now, and whoever uses it sees for himself whether it holds what was
// verified: its object waits, has failed, or is being deleted.
static bool is_verified_by_content(const struct source *source) {
    const char *phase = json_text(json_find(source->upstream->root, "status", "status", nullptr));
    return source->from->outlives_readiness &&
           (source->upstream->deleting || phase == nullptr || strcmp(phase, "Success") != 0);
}

// Whether what the upstream has made is what it will hold for now: what it is about to make anew is waited
// for. recorded: its status.secretRef.
static bool is_steady(struct reconcile *r, const struct source *source, yyjson_val *status,
                      yyjson_val *recorded, struct error *e) {
    const struct kube_object *upstream = source->upstream;
    const char *phase = json_member_text(status, "status");
    bool is_finished = phase != nullptr && strcmp(phase, "Success") == 0;
    bool outlives = source->from->outlives_readiness;
    if (source->name == nullptr || (!is_finished && !outlives)) {
        return wait_for_upstream(r, source, status, phase, e);
    }
    // Nobody looks again at one that is being deleted, which is an edit too.
    bool is_left = outlives && upstream->deleting;
    bool is_edited = json_integer(yyjson_obj_get(status, "observedGeneration"), -1) != upstream->generation;
    if (is_edited && !is_left) {
        return come_back(source, "was edited", e);
    }
    bool is_verified = is_verified_by_content(source);
    if (!is_verified &&
        !is_as_recorded(r, source, kube_secrets.kind, source->namespace, recorded, &is_verified, e)) {
        return false;
    }
    if (!is_verified) {
        return come_back(source, "has not verified its changed Secret yet", e);
    }
    return outlives || has_current_inputs(r, source, e);
}

// One of our own resources: its bytes are in its output Secret, in the very version that it has verified.
static bool resolve_upstream(struct reconcile *r, struct source *source, struct error *e) {
    yyjson_val *status = yyjson_obj_get(source->upstream->root, "status");
    yyjson_val *secret = yyjson_obj_get(status, "secretRef");
    const char *chosen_key = json_member_text(secret, "key");
    source->resource = &kube_secrets;
    source->name = json_member_text(secret, "name");
    source->data_key = chosen_key != nullptr ? chosen_key : source->from->data_key;
    if (strcmp(source->from->kind, r->kind->kind) == 0 && !check_chain(r, source, e)) {
        return false;
    }
    if (!is_steady(r, source, status, secret, e)) {
        return false;
    }
    return look_up(r, source, kube_secrets.kind, source->namespace, source->name, &source->seen, e) &&
           (source->from->is_public || grants_check_secret(r, source, e));
}

static bool resolve_foreign(struct reconcile *r, struct source *source, struct error *e) {
    const struct reference *reference = &source->request->reference;
    bool is_secret = strcmp(source->from->kind, kube_secrets.kind) == 0;
    if (is_secret && source_is_own(r, source) && strcmp(reference->name, r->decoded.secret_name) == 0) {
        return error_set(
            e, ERROR_INVALID_SPEC,
            "spec.%s: Secret %s is this object's own output; refer to another one, or choose another "
            "spec.outputSecretName",
            source->request->field, reference->name);
    }
    source->resource = is_secret ? &kube_secrets : &kube_config_maps;
    source->name = reference->name;
    source->data_key = reference->key;
    return look_up(r, source, source->resource->kind, source->namespace, reference->name, &source->seen, e);
}

// Where the input came from when the output was made: the text of status.inputs[].from, "" for what is none
// of ours, NULL when nothing was made yet.
static const char *made_from(const struct reconcile *r, const struct source *source) {
    size_t index;
    size_t count;
    yyjson_val *input;
    yyjson_arr_foreach(json_find(r->object->root, "status", "inputs", nullptr), index, count, input) {
        const char *field = json_member_text(input, "field");
        const char *from = json_member_text(input, "from");
        if (field != nullptr && strcmp(field, source->request->field) == 0) {
            return from != nullptr ? from : "";
        }
    }
    return nullptr;
}

static bool was_made_from(const struct reconcile *r, const struct source *source, const char *kind) {
    char from[SOURCE_FROM_SIZE];
    source_format_from(kind, source->request->reference.name, from);
    const char *recorded = made_from(r, source);
    return recorded != nullptr && strcmp(recorded, from) == 0;
}

// Whether the output was made from what a reference means by from.
static bool is_recorded(const struct reconcile *r, const struct source *source,
                        const struct input_source *from) {
    const char *recorded = made_from(r, source);
    bool was_foreign = recorded != nullptr && recorded[0] == '\0';
    return from->data_key == nullptr ? was_foreign : was_made_from(r, source, from->kind);
}

// What a reference may mean, of all that its field allows. What is in another namespace and may not be read
// does not exist for it, except that it is told of it when the output was made from that, or when nothing
// else is there: a grant would help.
struct candidates {
    bool may_be[KIND_SOURCES_MAX];
    struct error denial; // the first; class NONE: all may be read
};

static bool find_candidates(struct reconcile *r, struct source *source, struct candidates *candidates,
                            struct error *e) {
    const struct reference *reference = &source->request->reference;
    const struct input_source *from = source->request->sources;
    bool any = false;
    *candidates = (struct candidates){0};
    for (size_t i = 0; from->kind != nullptr; i++, from++) {
        bool meant = reference->kind == nullptr ? from->by_default : strcmp(reference->kind, from->kind) == 0;
        struct error refusal = {0};
        candidates->may_be[i] = meant && grants_check(r, source, from, &refusal);
        if (refusal.class != ERROR_NONE &&
            (refusal.class != ERROR_FORBIDDEN || is_recorded(r, source, from))) {
            *e = refusal;
            return false;
        }
        any = any || candidates->may_be[i];
        candidates->denial = candidates->denial.class == ERROR_NONE ? refusal : candidates->denial;
    }
    if (!any) {
        *e = candidates->denial;
    }
    return any;
}

// Finds the first of our own kinds that has an object of the name, or the one that the output was made from
// already. *ret_foreign: what else the reference may mean.
static bool find_upstream(struct reconcile *r, struct source *source, const struct candidates *candidates,
                          const struct input_source **ret_foreign, struct error *e) {
    const struct reference *reference = &source->request->reference;
    const struct input_source *from = source->request->sources;
    for (size_t i = 0; from->kind != nullptr; i++, from++) {
        if (!candidates->may_be[i]) {
            continue;
        }
        if (from->data_key == nullptr) {
            *ret_foreign = from;
            continue;
        }
        struct kube_object *upstream = nullptr;
        if (!look_up(r, source, from->kind, source->namespace, reference->name, &upstream, e)) {
            return false;
        }
        bool known = upstream != nullptr && was_made_from(r, source, from->kind);
        if (upstream != nullptr && (source->upstream == nullptr || known)) {
            kube_object_release(source->upstream);
            source->upstream = upstream;
            source->from = from;
        } else {
            kube_object_release(upstream);
        }
        source->from = source->from == nullptr ? from : source->from;
    }
    return true;
}

// Chooses where the input comes from: the kind that the reference names; else the one that it came from
// before, so that another object of the name changes nothing; else the first one of which there is such an
// object, and at last a Secret. Errors: those of find_candidates; NOT_FOUND: there is no such object.
static bool choose_source(struct reconcile *r, struct source *source, struct error *e) {
    struct candidates candidates;
    const struct input_source *foreign = nullptr;
    if (!find_candidates(r, source, &candidates, e) || !find_upstream(r, source, &candidates, &foreign, e)) {
        return false;
    }
    if (foreign != nullptr && (source->upstream == nullptr || is_recorded(r, source, foreign))) {
        kube_object_release(source->upstream);
        source->upstream = nullptr;
        source->from = foreign;
    }
    if (source->upstream != nullptr || foreign != nullptr) {
        return true;
    }
    if (candidates.denial.class != ERROR_NONE) {
        *e = candidates.denial;
        return false;
    }
    return input_wait_for(r, source, source->request->reference.name,
                          "does not exist; create it, or correct the reference", e);
}

static bool resolve(struct reconcile *r, struct source *source, struct error *e) {
    const char *namespace = source->request->reference.namespace;
    source->namespace = namespace_of(r->object, namespace);
    if (!choose_source(r, source, e)) {
        return false;
    }
    r->is_granted = r->is_granted || !source_is_own(r, source);
    if (source->upstream != nullptr) {
        return resolve_upstream(r, source, e);
    }
    if (strcmp(source->from->kind, SOURCE_URL) == 0) {
        return input_url_resolve(r, source, e);
    }
    return resolve_foreign(r, source, e);
}

bool inputs_have_url(const struct reconcile *r) {
    bool found = false;
    for (size_t i = 0; i < r->decoded.request_count; i++) {
        found = found || strcmp(r->decoded.requests[i].sources[0].kind, SOURCE_URL) == 0;
    }
    return found;
}

bool inputs_resolve(struct reconcile *r, struct error *e) {
    for (size_t i = 0; i < r->decoded.request_count; i++) {
        r->sources[i].request = &r->decoded.requests[i];
        if (!resolve(r, &r->sources[i], e)) {
            return false;
        }
    }
    return true;
}

static bool take_bytes(struct reconcile *r, struct source *source, yyjson_val *root, struct error *e) {
    bool is_secret = source->resource == &kube_secrets;
    struct error problem;
    if (input_entry_read(source->from, source->data_key, root, is_secret, &source->bytes, &problem) &&
        (source->from->beside == nullptr ||
         input_entry_read_one(source->from->beside, root, is_secret, &source->beside, &problem)) &&
        (source->upstream == nullptr || !source->from->has_versions ||
         input_versions_read(source->from, source->data_key, root, source->request->reference.version,
                             &source->bytes, &source->version, &problem))) {
        return true;
    }
    if (problem.class == ERROR_NOT_FOUND) {
        return input_wait_for(r, source, source->name, problem.message, e);
    }
    *e = problem;
    return false;
}

// The version that an upstream's owner verified, which is exactly what check_version asks for. A Secret of
// others has none: it is read as it is now, which may be newer than what the watch has shown.
static const char *known_version(const struct source *source) {
    return source->upstream == nullptr || source->seen == nullptr ? nullptr : source->seen->resource_version;
}

// What was read must be what its owner verified.
static bool check_version(const struct source *source, struct error *e) {
    if (source->upstream == nullptr || is_verified_by_content(source)) {
        return true;
    }
    const char *verified =
        json_text(json_find(source->upstream->root, "status", "secretRef", "resourceVersion", nullptr));
    if (verified == nullptr || strcmp(verified, source->read->resource_version) != 0) {
        error_set(e, ERROR_RETRYABLE, "spec.%s: Secret %s was changed after %s %s verified it",
                  source->request->field, source->name, source->from->kind, source->request->reference.name);
        e->retry_after_ms = RECHECK_MS;
        return false;
    }
    return true;
}

// A reference without a kind means a Secret and never a ConfigMap, although its field may refer to one.
static const char *advise_absent(const struct source *source) {
    const struct input_source *from = source->request->sources;
    while (from->kind != nullptr && strcmp(from->kind, kube_config_maps.kind) != 0) {
        from++;
    }
    return from->kind != nullptr && source->resource == &kube_secrets
               ? "does not exist; create it, or correct the reference: one to a ConfigMap says kind: "
                 "ConfigMap"
               : "does not exist; create it, or correct the reference";
}

static bool load(struct reconcile *r, struct source *source, struct error *e) {
    struct store *store =
        informers_find_store(r->parts->informers, source->resource->kind, source->namespace);
    uint64_t removals = store_removals(store);
    cleanup_json yyjson_doc *document = nullptr;
    if (!reconcile_get(r, source->resource, source->namespace, source->name, known_version(source), &document,
                       e)) {
        if (source->upstream == nullptr && source->request->reference.kind == nullptr) {
            source->from = source->request->sources; // what the reference means in the first place
        }
        if (e->class != ERROR_NOT_FOUND) {
            return false;
        }
        return source->upstream == nullptr
                   ? input_wait_for(r, source, source->name, advise_absent(source), e)
                   : input_wait_for(r, source, source->upstream->name,
                                    "has lost its Secret; its own status says why", e);
    }
    yyjson_val *root = yyjson_doc_get_root(document);
    if (!kube_object_create(root, &kept_of_secrets, &source->read, e) || !check_version(source, e) ||
        !take_bytes(r, source, root, e)) {
        return false;
    }
    return store_apply_read(store, kube_object_retain(source->read), removals, e);
}

void inputs_explain(const struct reconcile *r, struct error *e) {
    for (size_t i = 0; i < r->decoded.request_count; i++) {
        const struct source *source = &r->sources[i];
        const char *field = source->request->field;
        char beginning[OUTCOME_REASON_SIZE];
        int length = snprintf(beginning, sizeof(beginning), "spec.%s: ", field);
        if (source->from == nullptr || strncmp(e->message, beginning, (size_t)length) != 0) {
            continue;
        }
        const struct error said = *e;
        const char *entry = source->upstream == nullptr ? source->data_key : nullptr;
        char shown[SOURCE_SHOWN_SIZE];
        source_show(source->request->reference.name, shown);
        error_set(e, said.class, "%s%s %s%s%s: %s%s", beginning, source->from->kind, shown,
                  entry == nullptr ? "" : ", entry ", entry == nullptr ? "" : entry, said.message + length,
                  said.class == ERROR_INVALID_SPEC ? "; put it right there, or refer to another object" : "");
        e->retry_after_ms = said.retry_after_ms;
        return;
    }
}

void inputs_list(const struct reconcile *r, struct input ret_inputs[KIND_INPUTS_MAX]) {
    for (size_t i = 0; i < r->decoded.request_count; i++) {
        const struct source *source = &r->sources[i];
        bool is_shown = source->upstream != nullptr && source->from->is_public;
        ret_inputs[i] = (struct input){
            .field = source->request->field,
            .bytes = source->bytes,
            .beside = source->beside,
            .is_confidential = source->resource == &kube_secrets && !is_shown,
            .is_of_old_origin = status_has_origin(r, source),
            .is_version_edited = !status_has_version(r, source),
            .version = source->version.number,
            .versions = source->version.versions,
        };
        if (source->upstream != nullptr) {
            yyjson_val *status = yyjson_obj_get(source->upstream->root, "status");
            ret_inputs[i].algorithm = json_member_text(status, "algorithm");
            ret_inputs[i].made_for = source->version.is_chosen ? source->version.made_for
                                                               : json_member_text(status, "publicKeyDigest");
            const char *digest = json_member_text(status, "digest");
            ret_inputs[i].verified = digest != nullptr ? digest : json_member_text(status, "fingerprint");
        }
    }
}

static bool normalize(struct reconcile *r, struct error *e) {
    struct input inputs[KIND_INPUTS_MAX];
    inputs_list(r, inputs);
    for (size_t i = 0; i < r->decoded.request_count; i++) {
        struct secret *normal = nullptr;
        if (!kind_normalize(r->kind, r->decoded.spec, inputs, i, &normal, e)) {
            inputs_explain(r, e);
            return false;
        }
        if (normal != nullptr) {
            secret_free(r->sources[i].bytes);
            r->sources[i].bytes = normal;
            inputs[i].bytes = normal;
        }
    }
    return true;
}

bool inputs_load(struct reconcile *r, struct error *e) {
    for (size_t i = 0; i < r->decoded.request_count; i++) {
        if (r->sources[i].resource != nullptr && !load(r, &r->sources[i], e)) {
            return false;
        }
    }
    return normalize(r, e);
}

bool inputs_load_urls(struct reconcile *r, struct error *e) {
    for (size_t i = 0; i < r->decoded.request_count; i++) {
        struct source *source = &r->sources[i];
        if (source->resource == nullptr && source->bytes == nullptr && !input_url_load(r, source, e)) {
            return false;
        }
    }
    return true;
}

void inputs_done(struct reconcile *r) {
    for (size_t i = 0; i < KIND_INPUTS_MAX; i++) {
        struct source *source = &r->sources[i];
        kube_object_release(source->upstream);
        kube_object_release(source->seen);
        kube_object_release(source->read);
        secret_free(source->bytes);
        secret_free(source->beside);
        input_versions_free(source->version.versions);
        *source = (struct source){0};
    }
}
