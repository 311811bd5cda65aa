#include "reconcile/trust_bundle.h"

#include "base/clock.h"
#include "base/memory.h"
#include "reconcile/kept.h"
#include "reconcile/reasons.h"
#include "reconcile/recheck.h"
#include "reconcile/secret_metadata.h"
#include "reconcile/status_record.h"

#include <stdio.h>
#include <string.h>

enum {
    REFUSED_LOOK_MS = 600000, // a role that is given wakes nobody
    CLAIM_LOOK_MS = 600000,   // nor does another object's edit
    STALE_MAX = 16,           // at a time
};

static const char status_field[] = "trustBundle";

static yyjson_val *recorded_of(const struct reconcile *r) {
    return json_find(r->object->root, "status", status_field, nullptr);
}

static const struct bundle_spec *wanted_by(const struct reconcile *r) {
    return kind_bundle(r->kind, r->decoded.spec);
}

static struct store *config_maps(const struct reconcile *r) {
    return informers_find_store(r->parts->informers, kube_config_maps.kind, r->object->namespace);
}

static yyjson_val *metadata_of(const struct kube_object *object) {
    return yyjson_obj_get(object->root, "metadata");
}

static enum ownership ownership_of(const struct reconcile *r, const struct kube_object *config_map) {
    return secret_metadata_ownership(r->kind, r->object, metadata_of(config_map));
}

// ---- what is told

// The first that is found is told. why: owned by nobody, for its text.
static void note(struct reconcile *r, const char *reason, const char *name, uint32_t wait_ms,
                 const struct error *why) {
    struct bundle_outcome *bundle = &r->bundle;
    if (bundle->reason == nullptr) {
        bundle->reason = reason;
        bundle->why = *why;
        (void)snprintf(bundle->name, sizeof(bundle->name), "%s", name);
    }
    if (wait_ms > 0 && (bundle->wait_ms == 0 || bundle->wait_ms > wait_ms)) {
        bundle->wait_ms = wait_ms;
    }
}

static void note_foreign(struct reconcile *r, const char *name, yyjson_val *metadata) {
    struct error why;
    char owner[SECRET_OWNER_SIZE];
    char own[SECRET_OWNER_SIZE];
    bool owned = secret_metadata_name_owner(metadata, owner);
    (void)snprintf(own, sizeof(own), "%.64s %.253s", r->kind->kind, r->object->name);
    bool is_copy = owned && strcmp(owner, own) == 0;
    error_set(&why, ERROR_CONFLICT,
              "ConfigMap %s %s%s%s. Nothing was touched. Name another one in spec.trustBundle.configMapName; "
              "delete that one only if nobody needs it",
              name, owned ? "belongs to " : "is not QubeSec's", owner,
              is_copy ? " of another namespace, or lacks the label " SECRET_LABEL_TEXT : "");
    note(r, REASON_TRUST_BUNDLE_CONFLICT, name, 0, &why);
}

static void note_claim(struct reconcile *r, const char *name, const char *older) {
    struct error why;
    error_set(&why, ERROR_CONFLICT,
              "ConfigMap %s is claimed by %s too, which is older. Nothing was touched. Name another one in "
              "spec.trustBundle.configMapName",
              name, older);
    note(r, REASON_TRUST_BUNDLE_CONFLICT, name, CLAIM_LOOK_MS, &why);
}

static void note_orphaned(struct reconcile *r, const char *name) {
    struct error why;
    error_set(&why, ERROR_NOT_FOUND,
              "ConfigMap %s belongs to a deleted object of this name; waiting for Kubernetes to collect it",
              name);
    note(r, REASON_WAITING_FOR_GARBAGE_COLLECTION, name, 0, &why);
}

static void note_contested(struct reconcile *r, const char *name, uint32_t wait_ms) {
    struct error why;
    error_set(&why, ERROR_RETRYABLE,
              "somebody else changes or deletes ConfigMap %s again and again; it is put right ever more "
              "slowly. Its metadata.managedFields tell who writes to it",
              name);
    note(r, REASON_TRUST_BUNDLE_CONTESTED, name, wait_ms, &why);
}

static void note_refused(struct reconcile *r, const char *name, const struct error *refusal) {
    struct error why;
    bool is_right = strstr(refusal->message, " in API group ") != nullptr; // as authorization has it
    error_set(&why, ERROR_REFUSED, "ConfigMap %s cannot be kept as it should be: %s%s", name,
              is_right ? "the operator lacks a right that config/rbac has: " : "", refusal->message);
    note(r, REASON_TRUST_BUNDLE_REFUSED, name, REFUSED_LOOK_MS, &why);
}

// In the same words each time: what failed is told as any failure is that may pass.
static void note_failed(struct reconcile *r, const char *name) {
    struct error why;
    error_set(&why, ERROR_RETRYABLE, "ConfigMap %s is not as it should be yet; it is tried again", name);
    note(r, REASON_RETRYING, name, 0, &why);
}

// ---- reading

// The ConfigMap of some name.
struct found {
    struct kube_object *object; // owned: its metadata; NULL: there is none
    yyjson_doc *live;           // owned: all of it; NULL: it is known to be another's, and was not read
};

static void found_done(struct found *found) {
    kube_object_release(found->object);
    json_free(found->live);
}
#define cleanup_found [[gnu::cleanup(found_done)]]

static bool read_live(const struct reconcile *r, const char *name, bool metadata_only, struct found *found,
                      struct error *e) {
    uint64_t removals = store_removals(config_maps(r));
    const struct api_request request = {.verb = API_GET,
                                        .resource = &kube_config_maps,
                                        .namespace = r->object->namespace,
                                        .name = name,
                                        .metadata_only = metadata_only};
    found_done(found);
    *found = (struct found){0};
    if (!reconcile_request(r, &request, &found->live, e)) {
        return e->class == ERROR_NOT_FOUND;
    }
    return kube_object_create(yyjson_doc_get_root(found->live), &kept_of_secrets, &found->object, e) &&
           store_apply_read(config_maps(r), kube_object_retain(found->object), removals, e);
}

// As the watch shows it, where that is enough.
static bool look_for(const struct reconcile *r, const char *name, bool metadata_only, struct found *found,
                     struct error *e) {
    found->object = reconcile_find(r, kube_config_maps.kind, r->object->namespace, name);
    if (found->object == nullptr ? store_is_complete(config_maps(r))
                                 : ownership_of(r, found->object) == OWNERSHIP_FOREIGN) {
        return true;
    }
    return read_live(r, name, metadata_only, found, e);
}

// ---- writing

static const struct secret *entry_of(const struct reconcile *r) {
    return secret_data_get(&r->production.data, r->kind->bundle_entry);
}

// Adds to root what the entry must become, where it is not so; live NULL: there is no ConfigMap. Whether
// anything was added. What people have put beside it stays, but for an entry of the same name.
static bool add_content(const struct reconcile *r, yyjson_val *live, yyjson_mut_doc *document,
                        yyjson_mut_val *root) {
    const char *name = r->kind->bundle_entry;
    const struct secret *entry = entry_of(r);
    const char *text = (const char *)secret_view(entry);
    bool is_same = yyjson_equals_strn(json_find(live, "data", name, nullptr), text, secret_length(entry));
    bool is_doubled = json_find(live, "binaryData", name, nullptr) != nullptr;
    if (!is_same) {
        yyjson_mut_val *data = yyjson_mut_obj_add_obj(document, root, "data");
        (void)yyjson_mut_obj_add_strncpy(document, data, name, text, secret_length(entry));
    }
    if (is_doubled) {
        yyjson_mut_val *data = yyjson_mut_obj_add_obj(document, root, "binaryData");
        (void)yyjson_mut_obj_add_null(document, data, name);
    }
    return !is_same || is_doubled;
}

// Sends document, and takes the metadata of what comes back.
static bool send(struct reconcile *r, enum api_verb verb, const char *name, const yyjson_mut_doc *document,
                 struct error *e) {
    cleanup_json yyjson_doc *answer = nullptr;
    const struct api_request request = {.verb = verb,
                                        .resource = &kube_config_maps,
                                        .namespace = r->object->namespace,
                                        .name = verb == API_CREATE ? nullptr : name,
                                        .body = document,
                                        .metadata_only = true};
    return reconcile_request(r, &request, &answer, e) &&
           kube_object_create(yyjson_doc_get_root(answer), &kept_of_secrets, &r->bundle.config_map, e) &&
           store_apply_own(config_maps(r), kube_object_retain(r->bundle.config_map), e);
}

// The document that makes of live (NULL: nothing) what the ConfigMap must be. *ret_differs: there is
// something to be written; *ret_is_content: of its content.
static bool describe(const struct reconcile *r, yyjson_val *live, yyjson_mut_doc *document, bool *ret_differs,
                     bool *ret_is_content, struct error *e) {
    const struct bundle_spec *wanted = wanted_by(r);
    const struct common_spec common = {
        .retain = r->decoded.common.retain, .labels = wanted->labels, .annotations = wanted->annotations};
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    json_add_text(document, root, "apiVersion", "v1");
    json_add_text(document, root, "kind", kube_config_maps.kind);
    yyjson_mut_val *metadata = yyjson_mut_obj_add_obj(document, root, "metadata");
    bool differs = secret_metadata_patch(r->kind, r->object, &common, yyjson_obj_get(live, "metadata"),
                                         document, metadata);
    json_add_text(document, metadata, "name", wanted->config_map_name);
    *ret_is_content = add_content(r, live, document, root);
    *ret_differs = differs || *ret_is_content;
    return json_is_complete(document, e);
}

// Whether the ConfigMap was as it should be, as the status says, or is known not to be left alone.
static bool was_good(const struct reconcile *r) {
    yyjson_val *recorded = recorded_of(r);
    return status_is_of_generation(r, yyjson_obj_get(r->object->root, "status")) &&
           json_member_is(recorded, "name", wanted_by(r)->config_map_name) &&
           (json_member_is(recorded, "digest", r->bundle.digest) ||
            json_member_is(recorded, "reason", REASON_TRUST_BUNDLE_CONTESTED));
}

// What was good and is not any more is put right at once, and ever more slowly when that is needed again and
// again. is_needed: something is to be written.
static bool may_write(struct reconcile *r, bool is_needed) {
    struct regenerate_backoff *backoff = r->parts->backoff;
    int64_t now_ms = clock_monotonic_ms();
    uint32_t wait_ms = 0;
    uint32_t peace_ms = 0;
    bool allowed = is_needed;
    if (is_needed && was_good(r) && !r->bundle.is_counted) {
        allowed = regenerate_backoff_allow(backoff, r->key, REGENERATED_BUNDLE, now_ms, &wait_ms);
        r->bundle.is_counted = allowed;
    }
    if (regenerate_backoff_is_contested(backoff, r->key, REGENERATED_BUNDLE, now_ms, &peace_ms)) {
        note_contested(r, wanted_by(r)->config_map_name, wait_ms > 0 ? wait_ms : peace_ms);
    }
    return allowed;
}

static bool update(struct reconcile *r, const struct found *found, struct error *e) {
    const char *name = wanted_by(r)->config_map_name;
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    bool differs;
    bool is_content;
    enum ownership ownership = ownership_of(r, found->object);
    r->bundle.is_written = false;
    if (ownership == OWNERSHIP_ORPHANED || ownership == OWNERSHIP_FOREIGN) {
        ownership == OWNERSHIP_ORPHANED ? note_orphaned(r, name)
                                        : note_foreign(r, name, metadata_of(found->object));
        return true;
    }
    if (!json_create(&document, e) ||
        !describe(r, yyjson_doc_get_root(found->live), document, &differs, &is_content, e)) {
        return false;
    }
    if (!may_write(r, differs)) {
        r->bundle.config_map = differs ? nullptr : kube_object_retain(found->object);
        return true;
    }
    yyjson_mut_val *metadata = yyjson_mut_obj_get(yyjson_mut_doc_get_root(document), "metadata");
    json_add_text(document, metadata, "uid", found->object->uid);
    json_add_text(document, metadata, "resourceVersion", found->object->resource_version);
    r->bundle.is_written = is_content;
    if (send(r, API_PATCH, name, document, e)) {
        return true;
    }
    // Someone else wrote it meanwhile: look at it again.
    e->class = e->class == ERROR_CONFLICT || e->class == ERROR_NOT_FOUND ? ERROR_RETRYABLE : e->class;
    return false;
}

// What has no owner is made only for an object that is there: nobody would collect it.
static bool create(struct reconcile *r, struct error *e) {
    const char *name = wanted_by(r)->config_map_name;
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    bool differs;
    if (!json_create(&document, e) || !describe(r, nullptr, document, &differs, &r->bundle.is_written, e)) {
        return false;
    }
    bool is_asked_for = r->live != nullptr; // when the Secret was made
    bool is_wanted = !r->decoded.common.retain || is_asked_for || recheck_object(r, e);
    status_read_record(r); // which borrows from what was read live
    if (!is_wanted || send(r, API_CREATE, name, document, e)) {
        return is_wanted;
    }
    e->class = e->class == ERROR_NOT_FOUND ? ERROR_RETRYABLE : e->class; // no such namespace any more
    return false;
}

// There is none, as far as the watch says.
static bool create_or_update(struct reconcile *r, struct found *found, struct error *e) {
    const char *name = wanted_by(r)->config_map_name;
    cleanup_text char *older =
        indexes_find_older_claim(r->parts->indexes, r->kind, r->object, &kube_config_maps, name);
    if (older != nullptr) {
        note_claim(r, name, older);
        return true;
    }
    if (!may_write(r, true) || create(r, e)) {
        return true;
    }
    if (e->class != ERROR_CONFLICT) {
        return false;
    }
    struct error said = *e;
    if (!read_live(r, name, false, found, e)) {
        return false;
    }
    if (found->object == nullptr) { // it has just gone
        *e = said;
        e->class = ERROR_RETRYABLE;
        return false;
    }
    return update(r, found, e);
}

static size_t count_certificates(const struct secret *text) {
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    const char *at = (const char *)secret_view(text);
    const char *end = at + secret_length(text);
    size_t count = 0;
    while ((at = memmem(at, (size_t)(end - at), begin, sizeof(begin) - 1)) != nullptr) {
        count++;
        at += sizeof(begin) - 1;
    }
    return count;
}

static bool keep_wanted(struct reconcile *r, struct error *e) {
    const char *name = wanted_by(r)->config_map_name;
    const struct secret *entry = entry_of(r);
    cleanup_found struct found found = {0};
    if (entry == nullptr) {
        return error_set(e, ERROR_INTERNAL, "the output has no entry %s", r->kind->bundle_entry);
    }
    r->bundle.certificate_count = count_certificates(entry);
    if (!digest_format(secret_view(entry), secret_length(entry), r->bundle.digest, e) ||
        !look_for(r, name, false, &found, e)) {
        return false;
    }
    return found.object == nullptr ? create_or_update(r, &found, e) : update(r, &found, e);
}

// ---- what is not wanted any more

struct stale_search {
    const struct reconcile *r;
    const char *wanted;           // NULL: none is
    char name[SPEC_NAME_MAX + 1]; // "": nothing was found
};

static void look_at(void *context, const struct kube_object *config_map) {
    struct stale_search *search = context;
    bool is_wanted = search->wanted != nullptr && strcmp(config_map->name, search->wanted) == 0;
    if (!is_wanted && search->name[0] == '\0' && ownership_of(search->r, config_map) == OWNERSHIP_OURS) {
        (void)snprintf(search->name, sizeof(search->name), "%s", config_map->name);
    }
}

// A ConfigMap that was made for r's object, and that its spec does not ask for.
static bool find_stale(const struct reconcile *r, char ret_name[SPEC_NAME_MAX + 1]) {
    const struct bundle_spec *wanted = wanted_by(r);
    struct stale_search search = {.r = r, .wanted = wanted == nullptr ? nullptr : wanted->config_map_name};
    indexes_visit_bundles(r->parts->indexes, r->kind, r->object, look_at, &search);
    (void)snprintf(ret_name, SPEC_NAME_MAX + 1, "%s", search.name);
    return search.name[0] != '\0';
}

static bool delete_stale(struct reconcile *r, const char *name, struct error *e) {
    cleanup_found struct found found = {0};
    struct error text;
    if (!look_for(r, name, true, &found, e)) {
        return false;
    }
    if (found.object == nullptr || ownership_of(r, found.object) != OWNERSHIP_OURS) {
        return true;
    }
    if (!api_delete_config_map(r->parts->api, found.object->namespace, name, found.object->uid,
                               found.object->resource_version, e)) {
        e->class = e->class == ERROR_FORBIDDEN  ? ERROR_REFUSED
                   : e->class == ERROR_CONFLICT ? ERROR_RETRYABLE
                                                : e->class;
        return e->class == ERROR_NOT_FOUND;
    }
    store_remove(config_maps(r), kube_object_retain(found.object));
    error_set(&text, ERROR_NONE, "ConfigMap %s was deleted: spec.trustBundle does not ask for it any more",
              name);
    reconcile_record(r, false, REASON_TRUST_BUNDLE_DELETED, "Publish", text.message);
    reconcile_log(r, LOG_INFO, REASON_TRUST_BUNDLE_DELETED, text.message);
    return true;
}

static bool delete_all_stale(struct reconcile *r, char ret_name[SPEC_NAME_MAX + 1], struct error *e) {
    const struct bundle_spec *wanted = wanted_by(r);
    const char *recorded = json_member_text(recorded_of(r), "name");
    bool is_wanted =
        wanted != nullptr && recorded != nullptr && strcmp(recorded, wanted->config_map_name) == 0;
    if (recorded != nullptr && !is_wanted) { // its marks may be gone
        (void)snprintf(ret_name, SPEC_NAME_MAX + 1, "%s", recorded);
        if (!delete_stale(r, ret_name, e)) {
            return false;
        }
    }
    for (size_t i = 0; i < STALE_MAX && find_stale(r, ret_name); i++) {
        if (!delete_stale(r, ret_name, e)) {
            return false;
        }
    }
    return true;
}

// ---- all of it

// What is refused is told in the status; all else that has failed is an error, which may pass.
static bool take_failure(struct reconcile *r, const char *name, const struct error *e) {
    if (r->bundle.is_counted) {
        regenerate_backoff_take_back(r->parts->backoff, r->key, REGENERATED_BUNDLE);
    }
    if (e->class == ERROR_REFUSED) {
        note_refused(r, name, e);
        return true;
    }
    note_failed(r, name);
    return false;
}

bool trust_bundle_keep(struct reconcile *r, struct error *e) {
    const struct bundle_spec *wanted = wanted_by(r);
    char name[SPEC_NAME_MAX + 1];
    if (r->kind->find_bundle == nullptr) {
        return true;
    }
    if (wanted != nullptr && !keep_wanted(r, e) && !take_failure(r, wanted->config_map_name, e)) {
        return error_wrap(e, "ConfigMap %s", wanted->config_map_name);
    }
    if (wanted != nullptr && r->bundle.config_map == nullptr) {
        return true; // what is there stays until something is in its place
    }
    if (!delete_all_stale(r, name, e) && !take_failure(r, name, e)) {
        return error_wrap(e, "ConfigMap %s", name);
    }
    return true;
}

bool trust_bundle_is_settled(const struct reconcile *r) {
    const struct bundle_spec *wanted = wanted_by(r);
    yyjson_val *recorded = recorded_of(r);
    const char *reason = json_member_text(recorded, "reason");
    char name[SPEC_NAME_MAX + 1];
    if (r->kind->find_bundle == nullptr) {
        return true;
    }
    if (wanted == nullptr) {
        return recorded == nullptr && !find_stale(r, name);
    }
    struct error ignored; // it is met again when the ConfigMap is looked at
    cleanup_object struct kube_object *seen = nullptr;
    if (!json_member_is(recorded, "name", wanted->config_map_name) ||
        !reconcile_look_up(r, kube_config_maps.kind, r->object->namespace, wanted->config_map_name, &seen,
                           &ignored) ||
        seen == nullptr) {
        return false;
    }
    enum ownership ownership = ownership_of(r, seen);
    if (json_member_is(recorded, "reason", REASON_TRUST_BUNDLE_CONFLICT)) {
        return ownership == OWNERSHIP_FOREIGN;
    }
    return reason == nullptr && ownership == OWNERSHIP_OURS && status_names(recorded, seen) &&
           !find_stale(r, name);
}

void trust_bundle_report(const struct reconcile *r, yyjson_mut_doc *document, yyjson_mut_val *status) {
    const struct bundle_spec *wanted = wanted_by(r);
    const struct bundle_outcome *bundle = &r->bundle;
    if (wanted == nullptr && bundle->reason == nullptr) {
        return;
    }
    yyjson_mut_val *told = yyjson_mut_obj_add_obj(document, status, status_field);
    json_add_text(document, told, "name", wanted != nullptr ? wanted->config_map_name : bundle->name);
    if (bundle->config_map != nullptr) {
        json_add_text(document, told, "uid", bundle->config_map->uid);
        json_add_text(document, told, "resourceVersion", bundle->config_map->resource_version);
        json_add_text(document, told, "digest", bundle->digest);
    }
    if (bundle->reason != nullptr) {
        json_add_text(document, told, "reason", bundle->reason);
        json_add_text(document, told, "message", bundle->why.message);
    }
}

// ---- what is told of it

static void tell_written(const struct reconcile *r) {
    const struct bundle_outcome *bundle = &r->bundle;
    struct error text;
    error_set(&text, ERROR_NONE, "ConfigMap %s was written, with %zu certificate%s in %s",
              bundle->config_map->name, bundle->certificate_count, bundle->certificate_count == 1 ? "" : "s",
              r->kind->bundle_entry);
    reconcile_record(r, false, REASON_TRUST_BUNDLE_WRITTEN, "Publish", text.message);
    reconcile_log(r, LOG_INFO, REASON_TRUST_BUNDLE_WRITTEN, text.message);
}

// What was written before a crash is told after it: by the digest that the status has not.
void trust_bundle_tell(const struct reconcile *r) {
    const struct bundle_outcome *bundle = &r->bundle;
    yyjson_val *recorded = recorded_of(r);
    bool is_news = !json_member_is(recorded, "digest", bundle->digest);
    if (bundle->config_map != nullptr && (bundle->is_written || is_news)) {
        tell_written(r);
    }
    bool is_problem = bundle->reason != nullptr && strcmp(bundle->reason, REASON_RETRYING) != 0 &&
                      strcmp(bundle->reason, REASON_WAITING_FOR_GARBAGE_COLLECTION) != 0;
    if (is_problem && !json_member_is(recorded, "reason", bundle->reason)) {
        reconcile_record(r, true, bundle->reason, "Publish", bundle->why.message);
        reconcile_log(r, LOG_WARNING, bundle->reason, bundle->why.message);
    }
}

void trust_bundle_done(struct reconcile *r) {
    kube_object_release(r->bundle.config_map);
    r->bundle.config_map = nullptr;
}
