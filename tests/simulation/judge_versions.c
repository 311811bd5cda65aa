#include "judge_versions.h"

#include "base/clock.h"
#include "judge.h"
#include "json/read.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NUMBERED_MAX = 4096,
    NAME_SIZE = 96,
    METADATA_MAX = 64 * 1024,
    KEEP_DEFAULT = 1,
    CLOCKS_DIFFER_S = 150, // at most, with what passes until a request arrives
    JITTER_PART = 20,      // of an interval: so much earlier a rotation may come
};

// A key that an object had under a number.
struct numbered {
    const struct thing *thing;
    const char *namespace;
    int64_t number;
    char *key;
};

static struct cluster *cluster;
static struct numbered numbered[NUMBERED_MAX];
static size_t numbered_count;
static unsigned steps;

void judge_versions_begin(struct cluster *of) {
    cluster = of;
    numbered_count = 0;
    steps = 0;
}

void judge_versions_end(void) {
    for (size_t i = 0; i < numbered_count; i++) {
        free(numbered[i].key);
    }
    numbered_count = 0;
}

unsigned judge_versions_steps(void) {
    return steps;
}

// ---- what a Secret says

static yyjson_val *root_of(const struct change *change) {
    return change == nullptr || change->removed ? nullptr : yyjson_doc_get_root(change->document);
}

static const char *entry_of(yyjson_val *secret, const char *name) {
    return json_text(json_find(secret, "data", name, nullptr));
}

static bool same(const char *a, const char *b) {
    return a == b || (a != nullptr && b != nullptr && strcmp(a, b) == 0);
}

static const char *metadata_text(yyjson_val *secret) {
    const char *text = entry_of(secret, "metadata");
    return text != nullptr ? text : entry_of(secret, "metadata.json");
}

static bool has_versions(const struct thing *thing) {
    return people_may_rotate(thing) || people_is_root(thing);
}

// Its metadata. Owned; NULL: there is none that can be read.
static yyjson_doc *metadata_of(yyjson_val *secret) {
    static unsigned char text[METADATA_MAX];
    const char *encoded = metadata_text(secret);
    size_t length = encoded == nullptr ? 0 : strlen(encoded);
    if (length == 0 || length % 4 != 0 || length / 4 * 3 > sizeof(text)) {
        return nullptr;
    }
    int decoded = EVP_DecodeBlock(text, (const unsigned char *)encoded, (int)length);
    while (decoded > 0 && text[decoded - 1] == '\0') {
        decoded--; // what the padding stands for
    }
    return decoded <= 0 ? nullptr : yyjson_read((const char *)text, (size_t)decoded, 0);
}

bool judge_versions_are_told(yyjson_val *secret) {
    yyjson_doc *metadata = metadata_of(secret);
    yyjson_doc_free(metadata);
    return metadata != nullptr;
}

static int64_t number_of(yyjson_val *version) {
    return json_integer(yyjson_obj_get(version, "version"), 1);
}

static size_t kept_count(yyjson_val *metadata) {
    return yyjson_arr_size(yyjson_obj_get(metadata, "versions"));
}

static bool has_next(yyjson_val *metadata) {
    return yyjson_obj_get(metadata, "next") != nullptr;
}

static const char *name_kept(const char *entry, int64_t number) {
    static char name[NAME_SIZE];
    snprintf(name, sizeof(name), "%s.%" PRId64, entry, number);
    return name;
}

bool judge_versions_keep(const struct change *change, const char *entry, const char *text) {
    yyjson_doc *before = metadata_of(root_of(change->before));
    bool keeps =
        before != nullptr && text != nullptr &&
        same(text, entry_of(root_of(change), name_kept(entry, number_of(yyjson_doc_get_root(before)))));
    yyjson_doc_free(before);
    return keeps;
}

// ---- one number, one key

static void forget(const struct thing *thing, const char *namespace) {
    for (size_t i = 0; i < numbered_count;) {
        struct numbered *one = &numbered[i];
        if (one->thing == thing && strcmp(one->namespace, namespace) == 0) {
            free(one->key);
            *one = numbered[--numbered_count];
        } else {
            i++;
        }
    }
}

static void note(const struct thing *thing, const char *namespace, int64_t number, const char *key) {
    if (key == nullptr) {
        return;
    }
    for (size_t i = 0; i < numbered_count; i++) {
        const struct numbered *one = &numbered[i];
        if (one->thing == thing && one->number == number && strcmp(one->namespace, namespace) == 0) {
            if (strcmp(one->key, key) != 0) {
                judge_fault("Secret %s/%s: two keys have had the number %" PRId64 ": %.12s and %.12s",
                            namespace, thing->secret, number, one->key, key);
            }
            return;
        }
    }
    if (numbered_count < NUMBERED_MAX) {
        const char *home = strcmp(namespace, namespaces[0]) == 0 ? namespaces[0] : namespaces[1];
        numbered[numbered_count++] = (struct numbered){thing, home, number, strdup(key)};
    }
}

// Whether all that the thing has of that version is as the operator has made it, by the digests of the
// entries.
static bool is_whole(yyjson_val *secret, const struct thing *thing, yyjson_val *version) {
    yyjson_obj_iter entries = yyjson_obj_iter_with(yyjson_obj_get(version, "entries"));
    size_t count = 0;
    for (yyjson_val *name; (name = yyjson_obj_iter_next(&entries)) != nullptr; count++) {
        unsigned char bytes[16 * 1024];
        unsigned char hash[EVP_MAX_MD_SIZE];
        char digest[80] = "sha256:";
        const char *text = entry_of(secret, name_kept(yyjson_get_str(name), number_of(version)));
        size_t length = text == nullptr ? 0 : strlen(text);
        if (length == 0 || length % 4 != 0 || length / 4 * 3 > sizeof(bytes)) {
            return false;
        }
        int decoded = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)length);
        decoded -= (text[length - 1] == '=' ? 1 : 0) + (text[length - 2] == '=' ? 1 : 0);
        if (decoded <= 0 || EVP_Digest(bytes, (size_t)decoded, hash, nullptr, EVP_sha256(), nullptr) != 1) {
            return false;
        }
        for (size_t i = 0; i < 32; i++) {
            snprintf(digest + 7 + 2 * i, 3, "%02x", hash[i]);
        }
        if (!same(digest, yyjson_get_str(yyjson_obj_iter_get_val(name)))) {
            return false;
        }
    }
    return count > 0 && thing->forms[0] != nullptr;
}

// All that the operator has written, or that is sound.
static void note_all(const struct change *change, const struct thing *thing, yyjson_val *metadata) {
    size_t index;
    size_t count;
    yyjson_val *version;
    const char *entry = thing->forms[0];
    const char *present = entry_of(root_of(change), entry);
    if (!same(present, entry_of(root_of(change->before), entry))) {
        note(thing, change->namespace, number_of(metadata), present);
    }
    yyjson_arr_foreach(yyjson_obj_get(metadata, "versions"), index, count, version) {
        if (is_whole(root_of(change), thing, version)) {
            note(thing, change->namespace, number_of(version),
                 entry_of(root_of(change), name_kept(entry, number_of(version))));
        }
    }
}

// ---- nothing goes before its time

// The object as the operator had it before it when it sent the change; NULL: nobody knows.
static yyjson_val *seen_by(const struct change *change, const struct thing *thing) {
    const struct kube_resource *resource = cluster_resource(thing->kind);
    int64_t at_ms;
    uint64_t version;
    if (!cluster_live_read(change->sent_by, resource, change->namespace, thing->name, &at_ms, &version)) {
        return nullptr;
    }
    return root_of(cluster_change_of(cluster, resource, change->namespace, thing->name, version));
}

static int64_t keep_of(yyjson_val *object) {
    return json_integer(json_find(object, "spec", "rotation", "keep", nullptr), KEEP_DEFAULT);
}

// A version that was sound is there still, as it was, or has had to make room.
static void judge_kept(const struct change *change, const struct thing *thing, yyjson_val *before,
                       yyjson_val *after) {
    size_t index;
    size_t count;
    yyjson_val *version;
    yyjson_val *object = seen_by(change, thing);
    yyjson_arr_foreach(yyjson_obj_get(before, "versions"), index, count, version) {
        if (!is_whole(root_of(change->before), thing, version)) {
            continue;
        }
        const char *name = name_kept(thing->forms[0], number_of(version));
        const char *was = entry_of(root_of(change->before), name);
        const char *is = entry_of(root_of(change), name);
        if (is != nullptr && !same(is, was)) {
            judge_fault("Secret %s/%s: the entry %s, which was sound, was replaced", change->namespace,
                        change->name, name);
        }
        if (is == nullptr && object != nullptr && (int64_t)kept_count(after) < keep_of(object)) {
            judge_fault("Secret %s/%s: version %" PRId64 " was removed, although only %zu are kept",
                        change->namespace, change->name, number_of(version), kept_count(after));
        }
    }
}

// ---- nothing is rotated without a reason

static int64_t minutes_of(yyjson_val *object, const char *field) {
    const char *text = json_text(json_find(object, "spec", "rotation", field, nullptr));
    return text == nullptr ? 0 : strtoll(text, nullptr, 10);
}

static bool is_requested(yyjson_val *object, yyjson_val *before) {
    const char *asked = json_text(json_find(object, "metadata", "annotations", "qubesec.io/rotate", nullptr));
    return asked != nullptr && !same(asked, json_member_text(before, "renewRequest"));
}

static bool is_due(const struct change *change, yyjson_val *object, yyjson_val *before, bool is_published) {
    const char *since = json_member_text(before, "active");
    int64_t every_s = minutes_of(object, "every") * 60;
    int64_t ahead_s = is_published ? minutes_of(object, "publishAhead") * 60 : 0;
    int64_t now_s = schedule_wall_s() - (schedule_now_ms() - change->sent_ms) / 1000;
    int64_t active_s = 0;
    since = since == nullptr ? json_member_text(before, "created") : since;
    return every_s > 0 && since != nullptr && clock_parse(since, &active_s) &&
           now_s >= active_s + every_s - every_s / JITTER_PART - ahead_s - CLOCKS_DIFFER_S;
}

static void judge_reason(const struct change *change, const struct thing *thing, yyjson_val *before,
                         bool is_published) {
    yyjson_val *object = seen_by(change, thing);
    bool follows_its_key = strcmp(thing->kind, "QuantumEncapsulateSecret") == 0;
    if (object != nullptr && !follows_its_key && !is_requested(object, before) &&
        !is_due(change, object, before, is_published)) {
        judge_fault("%s %s/%s: %s, which nobody has asked for, and which was not due", thing->kind,
                    change->namespace, thing->name, is_published ? "a next key was made" : "it was rotated");
    }
}

static void judge_step(const struct change *change, const struct thing *thing, yyjson_val *before,
                       yyjson_val *after) {
    bool is_rotated = number_of(after) > number_of(before);
    bool is_published = has_next(after) && !has_next(before);
    if (is_rotated || is_published || has_next(after) != has_next(before) ||
        kept_count(after) != kept_count(before)) {
        steps++;
    }
    if (!people_may_rotate(thing)) {
        return;
    }
    judge_kept(change, thing, before, after);
    const char *had = entry_of(root_of(change->before), thing->forms[0]);
    if (is_rotated && !has_next(before) && judge_versions_keep(change, thing->forms[0], had)) {
        judge_reason(change, thing, before, false);
    } else if (!is_rotated && is_published) {
        judge_reason(change, thing, before, true);
    }
}

// ---- changes

static void judge_secret(const struct change *change, const struct thing *thing) {
    yyjson_doc *before = metadata_of(root_of(change->before));
    yyjson_doc *after = metadata_of(root_of(change));
    if (change->actor == BY_OPERATOR && after != nullptr) {
        if (before != nullptr) {
            judge_step(change, thing, yyjson_doc_get_root(before), yyjson_doc_get_root(after));
        }
        if (has_versions(thing)) {
            note_all(change, thing, yyjson_doc_get_root(after));
        }
    }
    yyjson_doc_free(before);
    yyjson_doc_free(after);
}

// Whether from then on numbers may be those of others: nothing is left that tells which there were.
static bool begins_anew(const struct change *change, const struct thing *thing) {
    if (change->resource != cluster_resource("Secret")) {
        bool had_status = yyjson_obj_get(root_of(change->before), "status") != nullptr;
        return change->removed || change->before == nullptr ||
               (change->actor == BY_USER && had_status &&
                yyjson_obj_get(root_of(change), "status") == nullptr);
    }
    if (!change->removed) {
        return change->actor == BY_USER &&
               !same(metadata_text(root_of(change)), metadata_text(root_of(change->before)));
    }
    yyjson_doc *metadata = metadata_of(yyjson_doc_get_root(change->document));
    yyjson_val *object = cluster_find(cluster, thing->kind, change->namespace, thing->name);
    bool is_told = metadata != nullptr && json_integer(json_find(object, "status", "version", nullptr), 0) ==
                                              number_of(yyjson_doc_get_root(metadata));
    yyjson_doc_free(metadata);
    return !is_told;
}

static const struct thing *thing_of(const struct change *change) {
    bool is_secret = change->resource == cluster_resource("Secret");
    for (size_t i = 0; i < thing_count && !is_secret; i++) {
        if (strcmp(things[i].kind, change->resource->kind) == 0 &&
            strcmp(things[i].name, change->name) == 0) {
            return &things[i];
        }
    }
    return is_secret ? people_find_thing(change->name) : nullptr;
}

void judge_versions_change(const struct change *change) {
    const struct thing *thing = thing_of(change);
    if (thing == nullptr) {
        return;
    }
    if (begins_anew(change, thing)) {
        forget(thing, change->namespace);
    }
    if (change->resource == cluster_resource("Secret") && !change->removed) {
        judge_secret(change, thing);
    }
}

// ---- at rest

void judge_versions_rest(const struct thing *thing, const char *namespace, yyjson_val *object,
                         yyjson_val *secret) {
    yyjson_doc *metadata = metadata_of(secret);
    yyjson_val *root = yyjson_doc_get_root(metadata);
    bool is_rotated = json_find(object, "spec", "rotation", nullptr) != nullptr;
    if (is_rotated && (int64_t)kept_count(root) > keep_of(object)) {
        judge_fault("%s %s/%s: at rest %zu former versions are kept, of which the spec wants %" PRId64,
                    thing->kind, namespace, thing->name, kept_count(root), keep_of(object));
    }
    if (has_versions(thing) && metadata != nullptr &&
        json_integer(json_find(object, "status", "version", nullptr), 0) != number_of(root)) {
        judge_fault("%s %s/%s: at rest the status names another version than the Secret, %" PRId64,
                    thing->kind, namespace, thing->name, number_of(root));
    }
    yyjson_doc_free(metadata);
}
