#include "judge_rollover.h"

#include "judge.h"
#include "truth.h"
#include "json/read.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SEEN_SIZE = 256,       // verdicts that are kept, a power of two
    CLOCKS_DIFFER_S = 150, // at most, with what passes until a request arrives
    USUAL_AHEAD_S = 3600,  // at most a quarter of every
};

// The certificates, the CA first; each has the one by which it was issued.
enum member { CA, BELOW, LEAF, DEEP, MEMBERS };

static const struct member_row {
    const char *name;
    const char *secret;
    enum member issuer;
} members[MEMBERS] = {
    [CA] = {"ca", "ca-secret", CA},
    [BELOW] = {"below", "below-secret", CA},
    [LEAF] = {"leaf", "leaf-secret", CA},
    [DEEP] = {"deep", "deep-secret", BELOW},
};

// What was found of a chain and roots before: of nothing else than the texts, as no certificate expires while
// a cluster lives.
struct seen {
    uint64_t texts;
    bool is_trusted;
};

static struct cluster *cluster;
static bool is_in_order[NAMESPACES][MEMBERS];
static struct seen seen[SEEN_SIZE];
static unsigned steps;

void judge_rollover_begin(struct cluster *of) {
    cluster = of;
    memset(is_in_order, 0, sizeof(is_in_order));
    memset(seen, 0, sizeof(seen));
    steps = 0;
}

unsigned judge_rollover_steps(void) {
    return steps;
}

// ---- what there is

static yyjson_val *root_of(const struct change *change) {
    return change == nullptr || change->removed ? nullptr : yyjson_doc_get_root(change->document);
}

static yyjson_val *object_of(size_t home, enum member member) {
    return cluster_find(cluster, "QuantumCertificate", namespaces[home], members[member].name);
}

static yyjson_val *secret_of(size_t home, enum member member) {
    return cluster_find(cluster, "Secret", namespaces[home], members[member].secret);
}

static const char *entry_of(yyjson_val *secret, const char *entry) {
    return json_text(json_find(secret, "data", entry, nullptr));
}

static bool same(const char *a, const char *b) {
    return a == b || (a != nullptr && b != nullptr && strcmp(a, b) == 0);
}

static uint64_t hash_of(const char *text) {
    uint64_t hash = 0xcbf29ce484222325U;
    for (; text != nullptr && *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3U;
    }
    return hash;
}

// Whether the certificate of one is verified by the roots of the other. A root is shown to nobody, but
// trusted.
static bool is_trusted_by(size_t home, enum member member, enum member trusting) {
    const char *chain = entry_of(secret_of(home, member), "tls.crt");
    const char *roots = entry_of(secret_of(home, trusting), "ca.crt");
    if (member == CA) {
        return true;
    }
    uint64_t texts = hash_of(chain) * 31 + hash_of(roots);
    struct seen *before = &seen[texts % SEEN_SIZE];
    if (before->texts != texts) {
        *before = (struct seen){texts, truth_is_trusted(chain, roots, schedule_wall_s())};
    }
    return before->is_trusted;
}

static bool is_finished(yyjson_val *object) {
    return json_member_is(yyjson_obj_get(object, "status"), "status", "Success");
}

// Whether the status says that all is well with the Secret as it is.
static bool is_examined(size_t home, enum member member) {
    yyjson_val *object = object_of(home, member);
    yyjson_val *secret = secret_of(home, member);
    return is_finished(object) && secret != nullptr &&
           yyjson_equals(json_find(object, "status", "secretRef", "resourceVersion", nullptr),
                         json_find(secret, "metadata", "resourceVersion", nullptr));
}

// ---- who may be expected to trust whom
//
// A Secret is in order from when its object's status, which the operator writes, says so of the Secret as it
// is, until somebody else writes to it or removes it, or removes its object: then it may hold roots that are
// no more, or have lost those that are needed. The CA is so only once all trust each other, since one that
// was restored, or made anew, is another one, which could not be published to anybody before. Of what has no
// object nobody knows.

static bool is_there(size_t home, enum member member) {
    return object_of(home, member) != nullptr && secret_of(home, member) != nullptr;
}

static bool is_trust_whole(size_t home) {
    for (size_t i = 0; i < MEMBERS * MEMBERS; i++) {
        enum member one = i / MEMBERS;
        enum member other = i % MEMBERS;
        if (is_there(home, one) && is_there(home, other) && !is_trusted_by(home, one, other)) {
            return false;
        }
    }
    return true;
}

static void note_status(size_t home, enum member member) {
    if (!is_in_order[home][member] && is_examined(home, member)) {
        is_in_order[home][member] = member != CA || is_trust_whole(home);
    }
    if (!is_in_order[home][CA] && is_examined(home, CA)) {
        is_in_order[home][CA] = is_trust_whole(home);
    }
}

// ---- at a change of a Secret by the operator

static void judge_pair(size_t home, enum member one, enum member other) {
    if (!is_trusted_by(home, one, other)) {
        judge_fault("namespace %s: %s is not verified by the roots of %s", namespaces[home],
                    members[one].secret, members[other].secret);
    }
}

// Whether it, and what has issued it, may be expected to be trusted; what is just written need not have been
// in order. What waits, or has failed, hears of no other root.
static bool is_sound(size_t home, enum member member, enum member written) {
    for (enum member at = member; at != CA; at = members[at].issuer) {
        yyjson_val *object = object_of(home, at);
        bool is_served = is_in_order[home][at] && is_finished(object);
        if (object == nullptr || (at != written && !is_served)) {
            return false;
        }
    }
    return is_in_order[home][CA];
}

static void judge_trust(size_t home, enum member written) {
    for (size_t i = 0; i < MEMBERS; i++) {
        if (!is_sound(home, i, written) || !is_sound(home, written, written)) {
            continue;
        }
        judge_pair(home, i, written);
        judge_pair(home, written, i);
    }
}

// ---- at a change of the CA

static int64_t minutes_of(yyjson_val *object, const char *field) {
    const char *text = json_text(json_find(object, "spec", "rotation", field, nullptr));
    return text == nullptr ? 0 : strtoll(text, nullptr, 10);
}

static int64_t ahead_of(yyjson_val *object) {
    int64_t ahead_s = minutes_of(object, "publishAhead") * 60;
    int64_t quarter_s = minutes_of(object, "every") * 60 / 4;
    int64_t usual_s = quarter_s > 0 && quarter_s < USUAL_AHEAD_S ? quarter_s : USUAL_AHEAD_S;
    return ahead_s > 0 ? ahead_s : usual_s;
}

static int64_t keep_for_of(yyjson_val *object) {
    int64_t keep_for_s = minutes_of(object, "keepFor") * 60;
    return keep_for_s > 0 ? keep_for_s : ahead_of(object);
}

// The shortest of all such times that the CA's spec has said since then.
static int64_t find_shortest(size_t home, int64_t since_ms, int64_t (*time_of)(yyjson_val *object)) {
    const struct change *at = cluster_change_of(cluster, cluster_resource("QuantumCertificate"),
                                                namespaces[home], members[CA].name, UINT64_MAX);
    int64_t shortest_s = USUAL_AHEAD_S;
    for (; at != nullptr; at = at->before) {
        int64_t time_s = time_of(root_of(at));
        shortest_s = time_s < shortest_s ? time_s : shortest_s;
        if (at->at_ms < since_ms) {
            break;
        }
    }
    return shortest_s;
}

// Since when the Secret has had the root without a break, before the change.
static int64_t find_published(const struct change *change, const char *root) {
    int64_t since_ms = change->at_ms;
    for (const struct change *at = change->before; at != nullptr; at = at->before) {
        if (truth_find_root(root, entry_of(root_of(at), "ca.crt")) < 0) {
            break;
        }
        since_ms = at->at_ms;
    }
    return since_ms;
}

// Another root is used: it was published for as long as the spec wants it, and the one before it stays.
static void judge_activation(size_t home, const struct change *change) {
    const char *root = entry_of(root_of(change), "cert.pem");
    const char *former = entry_of(root_of(change->before), "cert.pem");
    int64_t since_ms = find_published(change, root);
    int64_t ahead_s = find_shortest(home, since_ms, ahead_of);
    int64_t published_s = (change->at_ms - since_ms) / 1000;
    if (published_s < ahead_s - CLOCKS_DIFFER_S) {
        judge_fault("Secret %s/%s: a root is used that was published for %" PRId64 " s, in place of %" PRId64,
                    change->namespace, change->name, published_s, ahead_s);
    }
    if (truth_find_root(former, entry_of(root_of(change), "ca.crt")) < 0) {
        judge_fault("Secret %s/%s: a root went when another one came into use", change->namespace,
                    change->name);
    }
}

// The root that was used before the present one goes only when its time is over.
static void judge_kept(size_t home, const struct change *change) {
    const char *present = entry_of(root_of(change->before), "cert.pem");
    const struct change *at = change->before;
    int64_t retired_ms = at->at_ms;
    for (; at != nullptr && truth_is_same_root(entry_of(root_of(at), "cert.pem"), present); at = at->before) {
        retired_ms = at->at_ms;
    }
    const char *former = entry_of(root_of(at), "cert.pem");
    int64_t kept_s = (change->at_ms - retired_ms) / 1000;
    if (truth_find_root(former, entry_of(root_of(change->before), "ca.crt")) >= 0 &&
        truth_find_root(former, entry_of(root_of(change), "ca.crt")) < 0 &&
        kept_s < find_shortest(home, retired_ms, keep_for_of) - CLOCKS_DIFFER_S) {
        judge_fault("Secret %s/%s: a root that is no more in use stayed for %" PRId64 " s only",
                    change->namespace, change->name, kept_s);
    }
}

static void judge_ca(size_t home, const struct change *change) {
    const char *before = entry_of(root_of(change->before), "cert.pem");
    const char *after = entry_of(root_of(change), "cert.pem");
    bool has_other_roots =
        !same(entry_of(root_of(change->before), "ca.crt"), entry_of(root_of(change), "ca.crt"));
    if (has_other_roots || !same(before, after)) {
        steps += MEMBERS;
    }
    if (!is_in_order[home][CA]) {
        return;
    }
    if (!same(before, after) && !truth_is_same_root(before, after)) {
        judge_activation(home, change);
    } else if (has_other_roots) {
        judge_kept(home, change);
    }
}

// ---- changes

static bool find_home(const char *namespace, size_t *ret_home) {
    for (size_t i = 0; i < NAMESPACES; i++) {
        if (strcmp(namespaces[i], namespace) == 0) {
            *ret_home = i;
            return true;
        }
    }
    return false;
}

static bool find_member(const struct change *change, bool is_secret, enum member *ret_member) {
    for (size_t i = 0; i < MEMBERS; i++) {
        if (strcmp(change->name, is_secret ? members[i].secret : members[i].name) == 0) {
            *ret_member = i;
            return true;
        }
    }
    return false;
}

void judge_rollover_change(const struct change *change) {
    bool is_secret = change->resource == cluster_resource("Secret");
    size_t home;
    enum member member;
    if ((!is_secret && change->resource != cluster_resource("QuantumCertificate")) ||
        !find_home(change->namespace, &home) || !find_member(change, is_secret, &member)) {
        return;
    }
    if (change->removed || (is_secret && change->actor != BY_OPERATOR)) {
        is_in_order[home][member] = false;
        if (member == BELOW && !is_secret) {
            is_in_order[home][DEEP] = false;
        }
    } else if (is_secret) {
        if (member == CA) {
            judge_ca(home, change);
        }
        judge_trust(home, member);
    } else if (change->actor == BY_OPERATOR) {
        note_status(home, member);
    }
}

// ---- at rest

static bool are_all_finished(size_t home) {
    for (size_t i = 0; i < MEMBERS; i++) {
        if (object_of(home, i) != nullptr && !is_finished(object_of(home, i))) {
            return false;
        }
    }
    return true;
}

static void judge_roots(size_t home, const char *namespace) {
    yyjson_val *ca = secret_of(home, CA);
    for (size_t i = 0; i < MEMBERS; i++) {
        bool is_served = is_finished(object_of(home, i)) && is_finished(object_of(home, members[i].issuer));
        if (is_served && !same(entry_of(secret_of(home, i), "ca.crt"), entry_of(ca, "ca.crt"))) {
            judge_fault("Secret %s/%s: at rest its ca.crt is not that of its CA", namespace,
                        members[i].secret);
        }
    }
}

void judge_rollover_rest(const char *namespace) {
    size_t home;
    if (!find_home(namespace, &home) || !is_finished(object_of(home, CA))) {
        return;
    }
    judge_roots(home, namespace);
    int roots = truth_count_certificates(entry_of(secret_of(home, CA), "ca.crt"));
    if (roots != 1 && are_all_finished(home)) {
        judge_fault("Secret %s/%s: at rest it has %d roots, of which one is used", namespace,
                    members[CA].secret, roots);
    }
}

bool judge_rollover_is_under_way(void) {
    for (size_t home = 0; home < NAMESPACES; home++) {
        yyjson_val *status = yyjson_obj_get(object_of(home, CA), "status");
        if (yyjson_obj_get(status, "nextRotationTime") != nullptr ||
            yyjson_arr_size(yyjson_obj_get(status, "versions")) > 1) {
            return true;
        }
    }
    return false;
}
