// The output Secret before anything is made or written: whose it is, and who was faster.
#include "cluster.h"

#define OWN_LABEL "labels: {app.kubernetes.io/managed-by: qubesec}"
#define OWNED_BY(owner) "annotations: {qubesec.io/owner: " owner
#define OWN_MARKS OWN_LABEL ", " OWNED_BY("QuantumKEMKeyPair/it")
#define CONTROLLER(kind, name)                                                                               \
    "ownerReferences: [{apiVersion: qubesec.io/v1, kind: " kind ", name: " name                              \
    ", uid: other, controller: true}]"

static const char object_it[] = "metadata: {uid: u-it}\nspec: {}";

// ---- a Secret that is there before its object

static const struct found {
    const char *name;
    const char *metadata; // of the Secret
    const char *status;
    const char *message;
    const char *told;
    bool is_taken; // the Secret becomes ours, with what it holds
} found[] = {
    {"without any mark", "", "Failed SecretConflict",
     "Secret it is not QubeSec's. Nothing was touched. Create this object again with another "
     "spec.outputSecretName",
     "!SecretConflict qkkp it; ", false},
    {"of another name", OWN_LABEL ", " OWNED_BY("QuantumKEMKeyPair/other") "}", "Failed SecretConflict",
     "Secret it belongs to QuantumKEMKeyPair other. Nothing was touched", "!SecretConflict qkkp it; ", false},
    {"of another kind", OWN_LABEL ", " OWNED_BY("QuantumRandomNumber/it") "}", "Failed SecretConflict",
     "Secret it belongs to QuantumRandomNumber it. Nothing was touched", "!SecretConflict qkkp it; ", false},
    {"with our label alone", OWN_LABEL, "Failed SecretConflict", "Secret it is not QubeSec's",
     "!SecretConflict qkkp it; ", false},
    {"without our label", OWNED_BY("QuantumKEMKeyPair/it") ", qubesec.io/owner-namespace: ns}",
     "Failed SecretConflict",
     "kubectl label secret it --namespace ns --overwrite app.kubernetes.io/managed-by=qubesec",
     "!SecretConflict qkkp it; ", false},
    {"copied from another namespace", OWN_MARKS ", qubesec.io/owner-namespace: there}",
     "Failed SecretConflict",
     "of this name in namespace there. Nothing was touched. If it was restored or moved here on purpose, let "
     "it be taken over: kubectl annotate secret it --namespace ns qubesec.io/restore-to=ns",
     "!SecretConflict qkkp it; ", false},
    {"of an early version, without a namespace", OWN_MARKS "}", "Failed SecretConflict",
     "and nothing tells of which namespace", "!SecretConflict qkkp it; ", false},
    {"restored into another namespace than this",
     OWN_MARKS ", qubesec.io/owner-namespace: there, qubesec.io/restore-to: elsewhere}",
     "Failed SecretConflict", "in namespace there", "!SecretConflict qkkp it; ", false},
    {"controlled by something else", OWN_MARKS ", qubesec.io/owner-namespace: ns}, " CONTROLLER("Thing", "x"),
     "Failed SecretConflict", "Secret it belongs to Thing x. Nothing was touched",
     "!SecretConflict qkkp it; ", false},
    {"controlled by another object of the kind", CONTROLLER("QuantumKEMKeyPair", "other"),
     "Failed SecretConflict", "Secret it belongs to QuantumKEMKeyPair other", "!SecretConflict qkkp it; ",
     false},
    {"controlled by an earlier object of the name",
     OWN_MARKS ", qubesec.io/owner-namespace: ns}, " CONTROLLER("QuantumKEMKeyPair", "it"),
     "Pending WaitingForGarbageCollection",
     "Secret it belongs to a deleted object of this name; waiting for Kubernetes to collect it",
     "WaitingForGarbageCollection qkkp it; ", false},
    {"left from an earlier object", OWN_MARKS ", qubesec.io/owner-namespace: ns}", "Success Succeeded",
     " in Secret ", "Succeeded qkkp it; Adopted qkkp it; ", true},
    {"restored on purpose", OWN_MARKS ", qubesec.io/owner-namespace: there, qubesec.io/restore-to: ns}",
     "Success Succeeded", " in Secret ", "Succeeded qkkp it; Adopted qkkp it; ", true},
    {"with our object's uid, although without our label",
     OWNED_BY("QuantumKEMKeyPair/it") ", qubesec.io/owner-uid: u-it}", "Success Succeeded", " in Secret ",
     "Succeeded qkkp it; ", true},
    {"with our object's uid alone", "annotations: {qubesec.io/owner-uid: u-it}", "Success Succeeded",
     " in Secret ", "Succeeded qkkp it; ", true},
    {"controlled by our object",
     "ownerReferences: [{apiVersion: qubesec.io/v1, kind: QuantumKEMKeyPair, name: it, uid: u-it, "
     "controller: true}]",
     "Success Succeeded", " in Secret ", "Succeeded qkkp it; ", true},
};

static void assert_found(const struct found *row, yyjson_val *before) {
    yyjson_val *after = get("secret it");
    status_is("qkkp it", row->status, row->message);
    assert_same(after, before, "data");
    told_is(row->told);
    if (!row->is_taken) {
        assert_same(after, before, "");
        return;
    }
    owner_is("secret it", "qkkp it");
    assert_string_equal(text_at("secret it", "metadata annotations qubesec.io/owner"),
                        "QuantumKEMKeyPair/it");
    assert_string_equal(text_at("secret it", "metadata annotations qubesec.io/owner-uid"), "u-it");
    assert_string_equal(text_at("secret it", "metadata annotations qubesec.io/owner-namespace"), "ns");
    assert_string_equal(text_at("secret it", "metadata labels app.kubernetes.io/managed-by"), "qubesec");
}

static void test_trap_34_whose_a_secret_is_that_is_found(void **state) {
    for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++) {
        const struct found *row = &found[i];
        begin_row(row->name, state);
        make("qkkp donor", "spec: {}");
        put("qkkp it", "%s", object_it); // a Secret that nobody refers to is not kept
        put_copy("secret it", "secret donor", "metadata: {%s}", row->metadata);
        yyjson_val *before = get("secret it");
        run();
        assert_found(row, before);
        if (!row->is_taken) { // as soon as it is gone the name is free
            take_away("secret it");
            run();
            is_served("qkkp it");
            assert_string_not_equal(entry("secret it", "public_key"), entry("secret donor", "public_key"));
        }
    }
}

// The same where the watch has not shown the Secret: the name is found to be taken.
static void whose_a_secret_is_that_was_faster(void **state) {
    for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++) {
        const struct found *row = &found[i];
        begin_row(row->name, state);
        make("qkkp donor", "spec: {}");
        put("qkkp it", "%s", object_it);
        silence();
        put_copy("secret it", "secret donor", "metadata: {%s}", row->metadata);
        yyjson_val *before = get("secret it");
        run();
        assert_int_equal(count_asked("create secret it; get secret it; "), 1);
        assert_found(row, before);
    }
}

// What people do about a Secret that is in the way, as the messages say.
static void what_the_messages_advise_helps(void **state) {
    static const struct {
        const char *name;
        const char *metadata;
        const char *advice;
    } rows[] = {
        {"annotate", OWN_MARKS ", qubesec.io/owner-namespace: there}",
         "metadata: {annotations: {qubesec.io/restore-to: ns}}"},
        {"label", OWNED_BY("QuantumKEMKeyPair/it") ", qubesec.io/owner-namespace: ns}",
         "metadata: {labels: {app.kubernetes.io/managed-by: qubesec}}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin_row(rows[i].name, state);
        make("qkkp donor", "spec: {}");
        put("qkkp it", "%s", object_it);
        put_copy("secret it", "secret donor", "metadata: {%s}", rows[i].metadata);
        run();
        status_is("qkkp it", "Failed SecretConflict", rows[i].name);
        put("secret it", "%s", rows[i].advice);
        run();
        is_served("qkkp it");
        assert_string_equal(entry("secret it", "public_key"), entry("secret donor", "public_key"));
    }
}

// ---- a Secret that was ours

static void what_becomes_of_its_marks(void **state) {
    static const struct {
        const char *name;
        const char *policy;
        const char *metadata;
        const char *status;
        const char *message;
    } rows[] = {
        {"owned, all marks are gone", "Delete", "labels: null, annotations: null", "Success Succeeded", ""},
        {"owned, the owner is gone", "Delete", "ownerReferences: null", "Success Succeeded", ""},
        {"owned, the owner does not control it any more", "Delete",
         "ownerReferences: [{apiVersion: qubesec.io/v1, kind: QuantumKEMKeyPair, name: it, uid: u-it}]",
         "Success Succeeded", ""},
        {"owned, of another object by its marks", "Delete",
         "annotations: {qubesec.io/owner: QuantumKEMKeyPair/other}", "Success Succeeded", ""},
        {"retained, the label is gone", "Retain", "labels: null", "Success Succeeded", ""},
        {"retained, the annotations are gone, and the status knows its uid", "Retain", "annotations: null",
         "Success Succeeded", ""},
        {"retained, another tool's label", "Retain", "labels: {app.kubernetes.io/managed-by: Helm}",
         "Success Succeeded", ""},
        {"retained, all marks are gone", "Retain", "labels: null, annotations: null", "Failed SecretConflict",
         "The status names it as the one that this object has made, but its marks are gone. If it is, put "
         "one "
         "back: kubectl annotate secret it --namespace ns qubesec.io/owner-uid=u-it"},
        {"retained, of another object by its marks", "Retain",
         "annotations: {qubesec.io/owner: QuantumKEMKeyPair/other, qubesec.io/owner-uid: null}",
         "Failed SecretConflict", "belongs to QuantumKEMKeyPair other"},
        {"retained, somebody else controls it", "Retain", CONTROLLER("Thing", "x"), "Failed SecretConflict",
         "belongs to Thing x"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin_row(rows[i].name, state);
        make("qkkp it", "metadata: {uid: u-it}\nspec: {deletionPolicy: %s}", rows[i].policy);
        yyjson_val *before = get("secret it");
        put("secret it", "metadata: {%s}", rows[i].metadata);
        yyjson_val *changed = get("secret it");
        run();
        status_is("qkkp it", rows[i].status, rows[i].message);
        yyjson_val *after = get("secret it");
        bool is_served = strncmp(rows[i].status, "Success", 7) == 0;
        assert_same(after, before, "data");
        assert_same(after, is_served ? before : changed, "metadata labels");
        assert_same(after, is_served ? before : changed, "metadata annotations");
        assert_same(after, is_served ? before : changed, "metadata ownerReferences");
        told_is(is_served ? "" : "!SecretConflict qkkp it; ");
    }
}

static void a_mark_that_is_put_back_is_enough(void **) {
    make("qkkp it", "metadata: {uid: u-it}\nspec: {deletionPolicy: Retain}");
    yyjson_val *before = get("secret it");
    put("secret it", "metadata: {labels: null, annotations: null}");
    run();
    status_is("qkkp it", "Failed SecretConflict", "put one back");
    put("secret it", "metadata: {annotations: {qubesec.io/owner-uid: u-it}}");
    run();
    is_served("qkkp it");
    assert_same(get("secret it"), before, "data");
    assert_same(get("secret it"), before, "metadata annotations");
}

static void take_name(void) {
    take_away("secret it");
    put("secret it", "data: {password: eA==}");
}

static void one_that_comes_in_the_place_of_ours_is_not_touched(void **) {
    make("qkkp it", "spec: {}");
    const char *fingerprint = text_at("qkkp it", "status fingerprint");
    const char *uid = text_at("qkkp it", "status secretRef uid");
    take_name();
    yyjson_val *theirs = get("secret it");
    run();
    status_is("qkkp it", "Failed SecretConflict",
              "This object has made another Secret of that name, which is not there any more");
    assert_same(get("secret it"), theirs, "");
    // What identifies the one that was made stays; what was in it does not.
    assert_string_equal(text_at("qkkp it", "status fingerprint"), fingerprint);
    assert_string_equal(text_at("qkkp it", "status secretRef uid"), uid);
    assert_string_equal(text_at("qkkp it", "status publicKeyPEM"), "");
    assert_string_equal(text_at("qkkp it", "status algorithm"), "");
    told_is("!SecretConflict qkkp it; ");
    take_away("secret it");
    run();
    is_served("qkkp it");
    told_is("Succeeded qkkp it; !SecretLost qkkp it; ");
}

// ---- two objects that claim one Secret

static void test_trap_34_of_two_claims_the_older_has_it(void **) {
    put("qkkp z-older", "spec: {outputSecretName: one}");
    clock_ms += SECOND;
    put("qkkp a-younger", "spec: {outputSecretName: one}");
    put("qrn b-younger", "spec: {outputSecretName: one}");
    run();
    is_served("qkkp z-older");
    status_is("qkkp a-younger", "Failed SecretConflict", "Secret one belongs to QuantumKEMKeyPair z-older");
    status_is("qrn b-younger", "Failed SecretConflict", "Secret one belongs to QuantumKEMKeyPair z-older");
    yyjson_val *before = get("secret one");
    restart();
    run();
    pass(10 * SECOND);
    assert_same(get("secret one"), before, "");
    take_away("qkkp z-older");
    collect();
    run();
    is_served("qkkp a-younger");
    owner_is("secret one", "qkkp a-younger");
    status_is("qrn b-younger", "Failed SecretConflict", "belongs to QuantumKEMKeyPair a-younger");
}

static void the_younger_one_does_not_take_a_name_that_is_free(void **) {
    put("qkkp a-older", "spec: {outputSecretName: one, algorithm: nonsense}"); // makes nothing itself
    clock_ms += SECOND;
    put("qrn younger", "spec: {outputSecretName: one}");
    run();
    status_is("qrn younger", "Failed SecretConflict",
              "Secret one is claimed by QuantumKEMKeyPair a-older too, which is older. Nothing was touched");
    assert_false(is_there("secret one"));
    take_away("qkkp a-older");
    run();
    is_served("qrn younger");
}

// Created within one second, the kind and the name decide.
static void of_two_of_one_age_the_first_by_name_has_it(void **) {
    put("qrn b", "spec: {outputSecretName: one}");
    put("qrn a", "spec: {outputSecretName: one}");
    put("qkkp c", "spec: {outputSecretName: one}");
    run();
    is_served("qkkp c");
    status_is("qrn a", "Failed SecretConflict", "QuantumKEMKeyPair c");
    status_is("qrn b", "Failed SecretConflict", "QuantumKEMKeyPair c");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_cluster(test_trap_34_whose_a_secret_is_that_is_found),
        in_cluster(whose_a_secret_is_that_was_faster),
        in_cluster(what_the_messages_advise_helps),
        in_cluster(what_becomes_of_its_marks),
        in_cluster(a_mark_that_is_put_back_is_enough),
        in_cluster(one_that_comes_in_the_place_of_ours_is_not_touched),
        in_cluster(test_trap_34_of_two_claims_the_older_has_it),
        in_cluster(the_younger_one_does_not_take_a_name_that_is_free),
        in_cluster(of_two_of_one_age_the_first_by_name_has_it),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
