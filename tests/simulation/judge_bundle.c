#include "judge_bundle.h"

#include "judge.h"
#include "truth.h"
#include "json/read.h"

#include <string.h>

// A decision to delete it is as old as the view that it came from, at most: as in judge.c.
enum { DECISION_MS = 180 * 1000 };

static const char entry[] = "ca.crt";

static const struct thing *find_ca(void) {
    return people_find_thing("ca-secret");
}

static const char *text_of(yyjson_val *object) {
    return json_text(json_find(object, "data", entry, nullptr));
}

static yyjson_val *root_of(const struct change *change) {
    return change == nullptr || change->removed ? nullptr : yyjson_doc_get_root(change->document);
}

// Whether the Secret has ever held that text.
static bool was_in_secret(const struct cluster *cluster, const char *namespace, const char *text) {
    size_t count;
    const struct change *const *changes = cluster_changes(cluster, &count);
    for (size_t i = count; i > 0; i--) {
        const struct change *change = changes[i - 1];
        if (change->resource == cluster_resource("Secret") && strcmp(change->name, "ca-secret") == 0 &&
            strcmp(change->namespace, namespace) == 0 && truth_is_text_of(text, text_of(root_of(change)))) {
            return true;
        }
    }
    return false;
}

static bool asks_for(yyjson_val *object, const char *name) {
    return json_member_is(json_find(object, "spec", "trustBundle", nullptr), "configMapName", name);
}

// Whether the object has asked for that name all the time in which it may have been looked at.
static bool was_always_asked_for(const struct cluster *cluster, const struct change *deletion) {
    const struct change *at = cluster_change_of(cluster, cluster_resource("QuantumCertificate"),
                                                deletion->namespace, "ca", UINT64_MAX);
    for (; at != nullptr; at = at->before) {
        if (!asks_for(root_of(at), deletion->name)) {
            return false;
        }
        if (at->at_ms < deletion->sent_ms - DECISION_MS) {
            return true;
        }
    }
    return false;
}

static void judge_members(const struct change *change, yyjson_val *before, yyjson_val *after) {
    yyjson_obj_iter members = yyjson_obj_iter_with(before);
    for (yyjson_val *name; (name = yyjson_obj_iter_next(&members)) != nullptr;) {
        const char *text = yyjson_get_str(name);
        if (strcmp(text, entry) != 0 &&
            !yyjson_equals(yyjson_obj_iter_get_val(name), yyjson_obj_get(after, text))) {
            judge_fault("ConfigMap %s/%s: the operator changed %s, which is somebody else's",
                        change->namespace, change->name, text);
        }
    }
}

void judge_bundle_change(struct cluster *cluster, const struct change *change) {
    const char *namespace = change->namespace;
    if (change->before != nullptr && !judge_is_ours(change, find_ca())) {
        judge_fault("ConfigMap %s/%s: is somebody else's, and was written to", namespace, change->name);
    }
    if (change->removed) {
        if (was_always_asked_for(cluster, change)) {
            judge_fault("ConfigMap %s/%s: was deleted, and is asked for", namespace, change->name);
        }
        return;
    }
    judge_members(change, yyjson_obj_get(root_of(change->before), "data"),
                  yyjson_obj_get(root_of(change), "data"));
    if (!was_in_secret(cluster, namespace, text_of(root_of(change)))) {
        judge_fault("ConfigMap %s/%s: was written with what no Secret has had", namespace, change->name);
    }
}

static void judge_wanted(const struct cluster *cluster, const char *namespace, yyjson_val *object,
                         const char *name, bool all_finished) {
    yyjson_val *told = json_find(object, "status", "trustBundle", nullptr);
    yyjson_val *config_map = cluster_find(cluster, "ConfigMap", namespace, name);
    const char *reason = json_member_text(told, "reason");
    if (!json_member_is(told, "name", name) || (reason != nullptr && all_finished)) {
        judge_fault("ConfigMap %s/%s: at rest its CA says of it: %s", namespace, name,
                    reason == nullptr ? "nothing" : reason);
        return;
    }
    if (reason != nullptr) {
        return;
    }
    yyjson_val *secret = cluster_find(cluster, "Secret", namespace, "ca-secret");
    if (!truth_is_text_of(text_of(config_map), text_of(secret)) ||
        !yyjson_equals(yyjson_obj_get(told, "resourceVersion"),
                       json_find(config_map, "metadata", "resourceVersion", nullptr))) {
        judge_fault("ConfigMap %s/%s: at rest it is not what the Secret and the status say", namespace, name);
    }
}

// Whether the marks of a ConfigMap have that object's uid.
static bool is_of(yyjson_val *config_map, yyjson_val *object) {
    yyjson_val *metadata = yyjson_obj_get(config_map, "metadata");
    yyjson_val *annotations = yyjson_obj_get(metadata, "annotations");
    return yyjson_equals(yyjson_obj_get(annotations, "qubesec.io/owner-uid"),
                         json_find(object, "metadata", "uid", nullptr)) &&
           json_member_is(annotations, "qubesec.io/owner", "QuantumCertificate/ca") &&
           json_member_is(annotations, "qubesec.io/owner-namespace",
                          json_text(json_find(object, "metadata", "namespace", nullptr)));
}

void judge_bundle_rest(const struct cluster *cluster, const char *namespace, const struct thing *thing,
                       yyjson_val *object, bool all_finished) {
    if (thing != find_ca()) {
        return;
    }
    yyjson_val *told = json_find(object, "status", "trustBundle", nullptr);
    bool is_in_place = json_member_text(told, "reason") == nullptr;
    for (size_t i = 0; i < BUNDLES; i++) {
        if (asks_for(object, bundles[i])) {
            judge_wanted(cluster, namespace, object, bundles[i], all_finished);
        } else if (is_in_place && is_of(cluster_find(cluster, "ConfigMap", namespace, bundles[i]), object)) {
            judge_fault("ConfigMap %s/%s: at rest it is there, and is not asked for", namespace, bundles[i]);
        }
    }
}
