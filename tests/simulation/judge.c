#include "judge.h"

#include "judge_bundle.h"
#include "judge_rollover.h"
#include "judge_versions.h"
#include "people.h"
#include "reconcile/status_record.h"
#include "truth.h"
#include "json/read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// From what is read live to what is sent because of it no more time passes: requests that are given up after
// 30 s each, and a pause of 40 s.
enum { KEYS_MAX = 4096, TEXT_SIZE = 2048, DECISION_MS = 180 * 1000 };

// A key that the operator has made: what it wrote of it, in base64. Both forms of a key are of the same
// number.
struct key {
    const struct thing *thing;
    const char *namespace;
    char *forms[2];
    char *without_seed; // the second form, made from a first one that had outlived it; NULL: never
    char *public_form;  // what of it is no secret; NULL: nothing
    char *fingerprint;  // as a status said first; NULL: none has
};

static struct cluster *cluster;
static struct key keys[KEYS_MAX];
static size_t key_count;
static char verdict[TEXT_SIZE];

void judge_begin(struct cluster *of) {
    cluster = of;
    key_count = 0;
    verdict[0] = '\0';
    judge_versions_begin(of);
    judge_rollover_begin(of);
}

void judge_end(void) {
    for (size_t i = 0; i < key_count; i++) {
        free(keys[i].forms[0]);
        free(keys[i].forms[1]);
        free(keys[i].without_seed);
        free(keys[i].public_form);
        free(keys[i].fingerprint);
    }
    key_count = 0;
    judge_versions_end();
}

void judge_fault(const char *format, ...) {
    va_list arguments;
    if (verdict[0] == '\0') {
        va_start(arguments, format);
        vsnprintf(verdict, sizeof(verdict), format, arguments);
        va_end(arguments);
    }
}

const char *judge_verdict(void) {
    return verdict[0] == '\0' ? nullptr : verdict;
}

// ---- keys

static yyjson_val *root_of(const struct change *change) {
    return change == nullptr || change->removed ? nullptr : yyjson_doc_get_root(change->document);
}

static const char *entry_of(yyjson_val *secret, const char *name) {
    const char *text = name == nullptr ? nullptr : json_text(json_find(secret, "data", name, nullptr));
    return text == nullptr || text[0] == '\0' ? nullptr : text;
}

static char *copy(const char *text) {
    return text == nullptr ? nullptr : strdup(text);
}

static bool same(const char *a, const char *b) {
    return a == b || (a != nullptr && b != nullptr && strcmp(a, b) == 0);
}

// The key that text is a form of; NULL: none that the operator has made.
static struct key *find_key(size_t form, const char *text) {
    for (size_t i = 0; text != nullptr && i < key_count; i++) {
        if (same(keys[i].forms[form], text) || (form == 1 && same(keys[i].without_seed, text))) {
            return &keys[i];
        }
    }
    return nullptr;
}

// A Secret as it was at that time; NULL: it was not there.
static yyjson_val *secret_at(const char *namespace, const char *name, int64_t at_ms) {
    size_t count;
    const struct change *const *changes = cluster_changes(cluster, &count);
    for (size_t i = count; i > 0; i--) {
        const struct change *change = changes[i - 1];
        if (change->at_ms <= at_ms && change->resource == cluster_resource("Secret") &&
            strcmp(change->name, name) == 0 && strcmp(change->namespace, namespace) == 0) {
            return root_of(change);
        }
    }
    return nullptr;
}

static bool is_shared(const struct thing *thing) {
    return strcmp(thing->kind, "QuantumEncapsulateSecret") == 0;
}

// The key pair that a shared secret is for, as it was at that time.
static yyjson_val *basis_at(const struct change *change, const struct thing *thing, int64_t at_ms) {
    return secret_at(strcmp(thing->name, "over") == 0 ? namespaces[0] : change->namespace, "kem", at_ms);
}

// Whether a shared secret was of no use any more, since its key pair had become another one.
static bool has_other_basis(const struct key *key, const struct change *change) {
    return is_shared(key->thing) &&
           (!truth_is_for(basis_at(change, key->thing, change->sent_ms), key->public_form, key->forms[0]) ||
            !truth_is_for(basis_at(change, key->thing, change->at_ms), key->public_form, key->forms[0]));
}

// The last key that was made for it there; NULL: none was.
static const struct key *find_last(const struct thing *thing, const char *namespace) {
    for (size_t i = key_count; i > 0; i--) {
        if (keys[i - 1].thing == thing && strcmp(keys[i - 1].namespace, namespace) == 0) {
            return &keys[i - 1];
        }
    }
    return nullptr;
}

// A form as the Secret has it of a version that is to come.
static const char *next_entry_of(yyjson_val *secret, const char *form, bool is_public) {
    char name[64];
    snprintf(name, sizeof(name), "%s%s.next", is_public ? "" : ".", form == nullptr ? "" : form);
    return form == nullptr ? nullptr : entry_of(secret, name);
}

static void note_one(const struct change *change, const struct thing *thing, const char *first,
                     const char *second, const char *public_form) {
    if (first != nullptr && find_key(0, first) == nullptr && key_count < KEYS_MAX) {
        keys[key_count++] = (struct key){
            .thing = thing,
            .namespace = change->namespace,
            .forms = {copy(first), copy(second)},
            .public_form = copy(public_form),
        };
    }
}

// Whatever the operator itself writes there is one of its keys from then on.
static void note_key(const struct change *change, const struct thing *thing) {
    yyjson_val *secret = root_of(change);
    yyjson_val *before = root_of(change->before);
    const char *first = entry_of(secret, thing->forms[0]);
    const char *next = next_entry_of(secret, thing->forms[0], false);
    if (!same(first, entry_of(before, thing->forms[0]))) {
        note_one(change, thing, first, entry_of(secret, thing->forms[1]),
                 entry_of(secret, thing->public_form));
    }
    if (!same(next, next_entry_of(before, thing->forms[0], false))) {
        note_one(change, thing, next, next_entry_of(secret, thing->forms[1], false),
                 next_entry_of(secret, thing->public_form, true));
    }
}

// A shared secret without its ciphertext is known to nobody else.
static bool is_half(const struct key *key, yyjson_val *secret) {
    return is_shared(key->thing) && !same(key->public_form, entry_of(secret, key->thing->public_form));
}

// Nor can a shared secret, or random bytes, be told from any other bytes where people have changed its
// Secret, and the status tells of another one, or of another version.
static bool is_unproved(const struct key *key, const struct change *change) {
    yyjson_val *object = cluster_find(cluster, key->thing->kind, change->namespace, key->thing->name);
    const char *told = json_text(json_find(object, "status", "fingerprint", nullptr));
    bool is_untold = (key->fingerprint == nullptr || !same(key->fingerprint, told)) &&
                     !judge_versions_are_told(root_of(change->before));
    return key->thing->forms[1] == nullptr && change->before->actor == BY_USER &&
           (is_untold || !yyjson_equals(json_find(object, "status", "secretRef", "uid", nullptr),
                                        json_find(root_of(change->before), "metadata", "uid", nullptr)));
}

// Whether text, the second form, is the same key: of a pair the first form has no seed, so that once the
// second is lost another one takes its place.
static bool is_rewritten(struct key *key, size_t form, const char *text) {
    if (form != 1 || text == nullptr) {
        return false;
    }
    if (!same(key->without_seed, text)) {
        if (!truth_is_same_key(key->forms[1], text)) {
            return false;
        }
        free(key->without_seed);
        key->without_seed = copy(text);
    }
    return true;
}

// Whether the object has named an output all the time since then.
static bool has_said_output_since(const struct change *last, int64_t since_ms) {
    for (const struct change *at = last; at != nullptr; at = at->before) {
        if (json_find(root_of(at), "status", "secretRef", nullptr) == nullptr) {
            return false;
        }
        if (at->at_ms <= since_ms) {
            return true;
        }
    }
    return false;
}

// A key takes the place of one that is told of: before that the object was asked for itself, and did not
// forbid it.
static void judge_new_key(const struct change *change, const struct thing *thing, const struct key *had) {
    const struct kube_resource *resource = cluster_resource(thing->kind);
    const struct change *last =
        cluster_change_of(cluster, resource, change->namespace, thing->name, UINT64_MAX);
    int64_t since_ms = change->sent_ms - DECISION_MS;
    int64_t at_ms;
    uint64_t version;
    if (last == nullptr || last->removed || !has_said_output_since(last, since_ms)) {
        return;
    }
    if (!cluster_live_read(change->sent_by, resource, change->namespace, thing->name, &at_ms, &version) ||
        at_ms < since_ms) {
        judge_fault("%s %s/%s: a key was replaced because of an old view", thing->kind, change->namespace,
                    thing->name);
        return;
    }
    const struct change *seen = cluster_change_of(cluster, resource, change->namespace, thing->name, version);
    const struct key *lost = had != nullptr ? had : find_last(thing, change->namespace);
    bool is_replaced = lost != nullptr && has_other_basis(lost, change);
    if (json_member_is(yyjson_obj_get(root_of(seen), "spec"), "onKeyLoss", "Fail") && !is_replaced) {
        judge_fault("%s %s/%s: a new key was made although spec.onKeyLoss is Fail", thing->kind,
                    change->namespace, thing->name);
    }
}

// What the operator wrote into a Secret that has what cannot be made again.
static void judge_keys(const struct change *change, const struct thing *thing) {
    yyjson_val *before = root_of(change->before);
    yyjson_val *after = root_of(change);
    struct key *had[2];
    for (size_t form = 0; form < 2; form++) {
        had[form] = find_key(form, entry_of(before, thing->forms[form]));
    }
    struct key *key = had[0] != nullptr ? had[0] : had[1];
    if (key != nullptr && (is_half(key, before) || is_unproved(key, change))) {
        key = nullptr;
    }
    bool disagree = had[0] != nullptr && had[1] != nullptr && had[0] != had[1];
    for (size_t form = 0; form < 2 && thing->forms[form] != nullptr; form++) {
        const char *is = entry_of(after, thing->forms[form]);
        const char *must = disagree         ? entry_of(before, thing->forms[form])
                           : key != nullptr ? key->forms[form]
                                            : nullptr;
        if (key != nullptr && !same(is, must) && !same(is, entry_of(before, thing->forms[form])) &&
            !judge_versions_keep(change, thing->forms[form], entry_of(before, thing->forms[form])) &&
            !has_other_basis(key, change) && !is_rewritten(key, form, is)) {
            judge_fault(
                "Secret %s/%s: the entry %s was replaced, although a key was there that could be kept",
                change->namespace, change->name, thing->forms[form]);
        }
        const struct key *now = find_key(form, is);
        if (now != nullptr && (now->thing != thing || strcmp(now->namespace, change->namespace) != 0) &&
            key != now) {
            judge_fault("Secret %s/%s: the entry %s is the key of %s/%s", change->namespace, change->name,
                        thing->forms[form], now->namespace, now->thing->name);
        }
        if (is == nullptr && entry_of(before, thing->forms[form]) != nullptr) {
            judge_fault("Secret %s/%s: the entry %s was written empty", change->namespace, change->name,
                        thing->forms[form]);
        }
    }
    const char *made = entry_of(after, thing->forms[0]);
    bool is_another = (key == nullptr || !same(made, key->forms[0])) &&
                      !judge_versions_keep(change, thing->forms[0], entry_of(before, thing->forms[0]));
    if (is_another && find_key(0, made) == nullptr && !same(made, entry_of(before, thing->forms[0]))) {
        judge_new_key(change, thing, key);
    }
}

// ---- what is not the operator's

// Those of former versions, and of one that is to come, have something behind their names.
static bool is_own_entry(const char *name) {
    static const char *const entries[] = {"random",        "metadata",         "public_key", "public_key.pem",
                                          "private_key",   "private_key.pem",  "ciphertext", "shared_secret",
                                          "key",           "signature",        "tls.crt",    "tls.key",
                                          "key.pem",       "cert.pem",         "pub.pem",    "ca.crt",
                                          "metadata.json", "public_keys.jwks", "cross.crt"};
    const char *bare = name[0] == '.' ? name + 1 : name;
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        size_t length = strlen(entries[i]);
        const char *behind = bare + length;
        if (strncmp(entries[i], bare, length) == 0 &&
            (behind[0] == '\0' || strcmp(behind, ".next") == 0 ||
             (behind[0] == '.' && behind[1] != '\0' &&
              behind[1 + strspn(behind + 1, "0123456789")] == '\0'))) {
            return true;
        }
    }
    return false;
}

static bool is_own_mark(const char *name) {
    return strncmp(name, "qubesec.io/", 11) == 0 || strcmp(name, "app.kubernetes.io/managed-by") == 0 ||
           strcmp(name, "team") == 0;
}

static void judge_foreign_members(const struct change *change, yyjson_val *before, yyjson_val *after,
                                  bool (*is_own)(const char *name)) {
    yyjson_obj_iter members = yyjson_obj_iter_with(before);
    for (yyjson_val *name; (name = yyjson_obj_iter_next(&members)) != nullptr;) {
        yyjson_val *value = yyjson_obj_iter_get_val(name);
        const char *text = yyjson_get_str(name);
        if (!is_own(text) && !yyjson_equals(value, yyjson_obj_get(after, text))) {
            judge_fault("Secret %s/%s: the operator changed %s, which is somebody else's", change->namespace,
                        change->name, text);
        }
    }
}

// Whether the owner that controls a Secret is an object of that kind and name.
static bool is_controlled_by(yyjson_val *metadata, const struct thing *thing) {
    size_t index;
    size_t count;
    yyjson_val *reference;
    yyjson_arr_foreach(yyjson_obj_get(metadata, "ownerReferences"), index, count, reference) {
        if (yyjson_is_true(yyjson_obj_get(reference, "controller")) &&
            json_member_is(reference, "kind", thing->kind) &&
            json_member_is(reference, "name", thing->name)) {
            return true;
        }
    }
    return false;
}

// Whether a Secret's annotations say that it is that object's, in words of its own namespace.
static bool is_marked(yyjson_val *metadata, const struct thing *thing, const char *namespace) {
    char owner[256];
    yyjson_val *annotations = yyjson_obj_get(metadata, "annotations");
    snprintf(owner, sizeof(owner), "%s/%s", thing->kind, thing->name);
    return json_member_is(annotations, "qubesec.io/owner", owner) &&
           json_member_is(annotations, "qubesec.io/owner-namespace", namespace);
}

// Whether the Secret before the change was the operator's to write to: it has made it or taken it over, or
// the Secret says so, in words of its own namespace.
bool judge_is_ours(const struct change *change, const struct thing *thing) {
    yyjson_val *metadata = yyjson_obj_get(root_of(change->before), "metadata");
    yyjson_val *uid = yyjson_obj_get(metadata, "uid");
    if (is_marked(metadata, thing, change->namespace) || is_controlled_by(metadata, thing)) {
        return true;
    }
    for (const struct change *at = change->before; at != nullptr; at = at->before) {
        if (at->actor == BY_OPERATOR &&
            yyjson_equals(uid, json_find(root_of(at), "metadata", "uid", nullptr))) {
            return true;
        }
    }
    return false;
}

static void judge_secret(const struct change *change) {
    const struct thing *thing = people_find_thing(change->name);
    yyjson_val *before = root_of(change->before);
    yyjson_val *after = root_of(change);
    if (thing == nullptr) {
        judge_fault("Secret %s/%s: nobody asked for it", change->namespace, change->name);
        return;
    }
    if (before != nullptr) {
        if (!judge_is_ours(change, thing)) {
            judge_fault("Secret %s/%s: is somebody else's, and was written to", change->namespace,
                        change->name);
        }
        judge_foreign_members(change, yyjson_obj_get(before, "data"), yyjson_obj_get(after, "data"),
                              is_own_entry);
        judge_foreign_members(change, json_find(before, "metadata", "labels", nullptr),
                              json_find(after, "metadata", "labels", nullptr), is_own_mark);
        judge_foreign_members(change, json_find(before, "metadata", "annotations", nullptr),
                              json_find(after, "metadata", "annotations", nullptr), is_own_mark);
    }
    if (thing->forms[0] != nullptr) {
        judge_keys(change, thing);
        note_key(change, thing);
    }
}

// What Kubernetes collects is lost: that must be what was asked for.
static void judge_collected(const struct change *change) {
    const struct thing *thing = people_find_thing(change->name);
    yyjson_val *metadata = yyjson_obj_get(yyjson_doc_get_root(change->document), "metadata");
    const char *owner = json_text(json_find(metadata, "annotations", "qubesec.io/owner-uid", nullptr));
    if (thing == nullptr || owner == nullptr || thing->secret == nullptr ||
        cluster_find(cluster, "Namespace", "", change->namespace) == nullptr) {
        return;
    }
    const struct change *last =
        cluster_change_of(cluster, cluster_resource(thing->kind), change->namespace, thing->name, UINT64_MAX);
    yyjson_val *object = last == nullptr ? nullptr : yyjson_doc_get_root(last->document);
    const char *uid = json_text(json_find(object, "metadata", "uid", nullptr));
    if (uid == nullptr || strcmp(uid, owner) != 0) {
        return; // of an object before that one
    }
    if (!last->removed) {
        judge_fault("Secret %s/%s: was collected although its object is there", change->namespace,
                    change->name);
    }
    bool retains = json_member_is(yyjson_obj_get(object, "spec"), "deletionPolicy", "Retain");
    yyjson_val *recorded = json_find(object, "status", "secretRef", nullptr);
    bool is_recorded = yyjson_equals(yyjson_obj_get(recorded, "uid"), yyjson_obj_get(metadata, "uid")) &&
                       yyjson_equals(yyjson_obj_get(recorded, "generation"),
                                     json_find(object, "metadata", "generation", nullptr));
    if (retains && is_recorded) {
        judge_fault("Secret %s/%s: was collected although its object said Retain, and had finished",
                    change->namespace, change->name);
    }
}

// ---- statuses

static yyjson_val *ready_status(const struct change *change) {
    return yyjson_obj_get(status_find_ready(yyjson_obj_get(root_of(change), "status")), "status");
}

// The change with which the Ready condition came to have the status that it has in change: its writer's clock
// gave the time, which later writers have carried on.
static const struct change *find_transition(const struct change *change) {
    while (change->before != nullptr && !change->before->removed &&
           yyjson_equals(ready_status(change->before), ready_status(change))) {
        change = change->before;
    }
    return change;
}

static void judge_transition(const struct change *change, yyjson_val *before, yyjson_val *after) {
    yyjson_val *old = status_find_ready(before);
    yyjson_val *ready = status_find_ready(after);
    bool flipped = !yyjson_equals(yyjson_obj_get(old, "status"), yyjson_obj_get(ready, "status"));
    bool moved = !yyjson_equals(yyjson_obj_get(old, "lastTransitionTime"),
                                yyjson_obj_get(ready, "lastTransitionTime"));
    const struct change *last = find_transition(change->before);
    bool is_same_clock = change->sent_by != nullptr && last->sent_by == change->sent_by;
    bool is_later = change->sent_ms - last->at_ms > 2000;
    if (old != nullptr && flipped && !moved && is_same_clock && is_later) {
        judge_fault("%s %s/%s: the Ready condition changed, and its time did not", change->resource->kind,
                    change->namespace, change->name);
    }
    if (ready == nullptr || (old != nullptr && !flipped && moved)) {
        judge_fault("%s %s/%s: the status has no Ready condition, or its time moved without it",
                    change->resource->kind, change->namespace, change->name);
    }
}

// Whether it is said that there is an output: that Secret was there, in that version, with that content.
static void judge_output_said(const struct change *change, const struct thing *thing, yyjson_val *status) {
    yyjson_val *said = yyjson_obj_get(status, "secretRef");
    const char *version = json_member_text(said, "resourceVersion");
    uint64_t number = version == nullptr ? 0 : strtoull(version, nullptr, 10);
    const struct change *secret =
        cluster_change_of(cluster, cluster_resource("Secret"), change->namespace, thing->secret, number);
    if (secret == nullptr || secret->removed || secret->version != number ||
        !yyjson_equals(yyjson_obj_get(said, "uid"), json_find(root_of(secret), "metadata", "uid", nullptr))) {
        judge_fault("%s %s/%s: the status names version %s of the Secret, which never was", thing->kind,
                    change->namespace, thing->name, version == nullptr ? "none" : version);
        return;
    }
    truth_compare_status(thing, change->namespace, root_of(secret), status);
    struct key *key = find_key(0, entry_of(root_of(secret), thing->forms[0]));
    const char *fingerprint = json_member_text(status, "fingerprint");
    if (key == nullptr || fingerprint == nullptr || strcmp(thing->kind, "QuantumCertificate") == 0) {
        return;
    }
    if (key->fingerprint != nullptr && strcmp(key->fingerprint, fingerprint) != 0) {
        judge_fault("%s %s/%s: one key has two fingerprints, %s and %s", thing->kind, change->namespace,
                    thing->name, key->fingerprint, fingerprint);
    }
    for (size_t i = 0; i < key_count; i++) {
        if (&keys[i] != key && keys[i].thing == thing && same(keys[i].fingerprint, fingerprint) &&
            keys[i].fingerprint != nullptr) {
            judge_fault("%s %s/%s: two keys have the fingerprint %s", thing->kind, change->namespace,
                        thing->name, fingerprint);
        }
    }
    key->fingerprint = key->fingerprint != nullptr ? key->fingerprint : copy(fingerprint);
}

static const struct thing *thing_of(const struct change *change) {
    for (size_t i = 0; i < thing_count; i++) {
        if (strcmp(things[i].kind, change->resource->kind) == 0 &&
            strcmp(things[i].name, change->name) == 0) {
            return &things[i];
        }
    }
    return nullptr;
}

static void judge_status(const struct change *change) {
    const struct thing *thing = thing_of(change);
    yyjson_val *before = root_of(change->before);
    yyjson_val *after = root_of(change);
    yyjson_val *status = yyjson_obj_get(after, "status");
    if (thing == nullptr || change->before == nullptr) {
        judge_fault("%s %s/%s: the operator made an object of people", change->resource->kind,
                    change->namespace, change->name);
        return;
    }
    if (!yyjson_equals(yyjson_obj_get(before, "spec"), yyjson_obj_get(after, "spec"))) {
        judge_fault("%s %s/%s: the operator changed a spec", change->resource->kind, change->namespace,
                    change->name);
    }
    judge_transition(change, yyjson_obj_get(before, "status"), status);
    if (json_integer(yyjson_obj_get(status, "observedGeneration"), 0) >
        json_integer(json_find(after, "metadata", "generation", nullptr), 0)) {
        judge_fault("%s %s/%s: the status is of a generation that is still to come", thing->kind,
                    change->namespace, thing->name);
    }
    if (thing->secret != nullptr && json_member_is(status, "status", "Success")) {
        judge_output_said(change, thing, status);
    }
}

// Whether text has a part of a key in it, in base64: of a short one all, of a long one what is behind its
// head.
static bool shows_key(const char *text) {
    enum { HEAD = 96, PART = 40 };
    for (size_t i = 0; i < key_count; i++) {
        for (size_t form = 0; form < 2; form++) {
            const char *bytes = keys[i].forms[form];
            char part[PART + 1];
            if (bytes == nullptr || strlen(bytes) < PART) { // AAAA is no secret
                continue;
            }
            snprintf(part, sizeof(part), "%s", bytes + (strlen(bytes) < HEAD + PART ? 0 : HEAD));
            if (strstr(text, part) != nullptr) {
                return true;
            }
        }
    }
    return false;
}

static void judge_secrecy(const struct change *change) {
    size_t length;
    char *text = yyjson_val_write(yyjson_obj_get(root_of(change), "status"), 0, &length);
    if (text != nullptr && shows_key(text)) {
        judge_fault("%s %s/%s: its status shows a key", change->resource->kind, change->namespace,
                    change->name);
    }
    free(text);
}

void judge_event(const struct kube_object *object, const struct event_content *content) {
    if (shows_key(content->note)) {
        judge_fault("an Event of %s shows a key", object->key);
    }
}

void judge_change(const struct change *change) {
    judge_versions_change(change);
    judge_rollover_change(change);
    bool is_secret = change->resource == cluster_resource("Secret");
    if (change->actor == BY_OPERATOR && change->resource == cluster_resource("ConfigMap")) {
        judge_bundle_change(cluster, change);
    } else if (change->removed) {
        if (is_secret && change->actor == BY_CLUSTER) {
            judge_collected(change);
        }
        if (change->actor == BY_OPERATOR) {
            judge_fault("%s %s/%s: the operator removed it", change->resource->kind, change->namespace,
                        change->name);
        }
    } else if (change->actor == BY_OPERATOR && is_secret) {
        judge_secret(change);
    } else if (change->actor == BY_OPERATOR) {
        judge_status(change);
        judge_secrecy(change);
    }
}

// ---- at rest

static void judge_inputs(const struct thing *thing, const char *namespace, yyjson_val *status) {
    size_t index;
    size_t count;
    yyjson_val *input;
    yyjson_arr_foreach(yyjson_obj_get(status, "inputs"), index, count, input) {
        const char *home = json_member_text(input, "namespace");
        yyjson_val *found = cluster_find(cluster, json_member_text(input, "kind"),
                                         home == nullptr ? namespace : home, json_member_text(input, "name"));
        if (!yyjson_equals(yyjson_obj_get(input, "resourceVersion"),
                           json_find(found, "metadata", "resourceVersion", nullptr))) {
            judge_fault("%s %s/%s: at rest the status names another version of its input %s than there is",
                        thing->kind, namespace, thing->name, json_member_text(input, "name"));
        }
    }
}

// The Secret's owner and labels are as the spec says.
static void judge_metadata(const struct thing *thing, const char *namespace, yyjson_val *object,
                           yyjson_val *secret) {
    yyjson_val *spec = yyjson_obj_get(object, "spec");
    yyjson_val *metadata = yyjson_obj_get(secret, "metadata");
    const char *policy = json_member_text(spec, "deletionPolicy");
    bool retains =
        policy == nullptr ? strstr(thing->spec, "'certType':'ca'") != nullptr : strcmp(policy, "Retain") == 0;
    yyjson_val *owner_uid = nullptr;
    size_t index;
    size_t count;
    yyjson_val *reference;
    yyjson_arr_foreach(yyjson_obj_get(metadata, "ownerReferences"), index, count, reference) {
        owner_uid = yyjson_obj_get(reference, "uid");
    }
    bool is_owned = yyjson_equals(owner_uid, json_find(object, "metadata", "uid", nullptr));
    if (is_owned == retains) {
        judge_fault("%s %s/%s: at rest its Secret has %s owner", thing->kind, namespace, thing->name,
                    is_owned ? "an" : "no");
    }
    yyjson_val *team = json_find(spec, "secretTemplate", "labels", "team", nullptr);
    if (team != nullptr && !yyjson_equals(team, json_find(metadata, "labels", "team", nullptr))) {
        judge_fault("%s %s/%s: at rest its Secret has not the label that the spec wants", thing->kind,
                    namespace, thing->name);
    }
}

// Whether its Secret is there as the operator has last written it, but for who owns it, and is marked as that
// object's.
static bool is_left_whole(const struct thing *thing, const char *namespace) {
    yyjson_val *secret = cluster_find(cluster, "Secret", namespace, thing->secret);
    yyjson_val *data = yyjson_obj_get(secret, "data");
    yyjson_val *metadata = yyjson_obj_get(secret, "metadata");
    if (!is_marked(metadata, thing, namespace) ||
        !json_member_is(yyjson_obj_get(metadata, "labels"), "app.kubernetes.io/managed-by", "qubesec")) {
        return false;
    }
    size_t count;
    const struct change *const *changes = cluster_changes(cluster, &count);
    for (size_t i = count; i > 0; i--) {
        const struct change *change = changes[i - 1];
        if (change->actor == BY_OPERATOR && change->resource == cluster_resource("Secret") &&
            strcmp(change->name, thing->secret) == 0 && strcmp(change->namespace, namespace) == 0 &&
            !yyjson_equals(yyjson_obj_get(root_of(change), "data"),
                           yyjson_obj_get(root_of(change->before), "data"))) {
            return yyjson_equals(data, yyjson_obj_get(yyjson_doc_get_root(change->document), "data"));
        }
    }
    return false;
}

// Of what needs nothing else: whether there is no reason not to be finished.
static bool must_be_finished(const struct thing *thing, const char *namespace, yyjson_val *object) {
    // A certificate that was left may have been made from another spec.
    bool needs_nothing = strstr(thing->spec, "Ref") == nullptr && strstr(thing->spec, "certType") == nullptr;
    bool is_there = cluster_find(cluster, "Secret", namespace, thing->secret) != nullptr;
    bool may_fail = json_member_is(yyjson_obj_get(object, "spec"), "onKeyLoss", "Fail");
    return needs_nothing && (is_there ? is_left_whole(thing, namespace) : !may_fail);
}

static void judge_object(const struct thing *thing, const char *namespace, yyjson_val *object,
                         bool all_finished) {
    yyjson_val *status = yyjson_obj_get(object, "status");
    const char *phase = json_member_text(status, "status");
    const char *message = json_member_text(status_find_ready(status), "message");
    bool finished = phase != nullptr && (strcmp(phase, "Success") == 0 || strcmp(phase, "Valid") == 0);
    bool must_be = all_finished || (thing->secret != nullptr && must_be_finished(thing, namespace, object));
    if (phase == nullptr || (must_be && !finished)) {
        judge_fault("%s %s/%s: is at rest with the status %s: %s", thing->kind, namespace, thing->name,
                    phase == nullptr ? "none" : phase, message == nullptr ? "" : message);
        return;
    }
    if (!yyjson_equals(yyjson_obj_get(status, "observedGeneration"),
                       json_find(object, "metadata", "generation", nullptr))) {
        judge_fault("%s %s/%s: at rest the status is of an earlier generation", thing->kind, namespace,
                    thing->name);
    }
    if (!finished) {
        return;
    }
    if (strcmp(thing->name, "over") == 0 && !people_grant()) {
        judge_fault("%s %s/%s: is finished at rest, and may not use what it refers to", thing->kind,
                    namespace, thing->name);
    }
    judge_inputs(thing, namespace, status);
    if (thing->secret != nullptr) {
        yyjson_val *secret = cluster_find(cluster, "Secret", namespace, thing->secret);
        yyjson_val *said = yyjson_obj_get(status, "secretRef");
        if (secret == nullptr || !yyjson_equals(yyjson_obj_get(said, "resourceVersion"),
                                                json_find(secret, "metadata", "resourceVersion", nullptr))) {
            judge_fault("%s %s/%s: at rest the status is not of the Secret that there is", thing->kind,
                        namespace, thing->name);
        }
        judge_metadata(thing, namespace, object, secret);
        judge_versions_rest(thing, namespace, object, secret);
        judge_bundle_rest(cluster, namespace, thing, object, all_finished);
    }
}

void judge_rest(bool all_finished) {
    for (size_t home = 0; home < NAMESPACES; home++) {
        for (size_t i = 0; i < thing_count; i++) {
            yyjson_val *object = cluster_find(cluster, things[i].kind, namespaces[home], things[i].name);
            if (object != nullptr) {
                judge_object(&things[i], namespaces[home], object, all_finished);
            }
        }
        judge_rollover_rest(namespaces[home]);
        truth_judge(cluster, namespaces[home]);
    }
}
