// Inputs: what is waited for, what cannot be used, and what follows when they change.
#include "cluster.h"

static const char of_pair[] = "spec: {publicKeyRef: {name: pair}}";
static const char of_sealed[] = "spec: {privateKeyRef: {name: pair}, ciphertextRef: {name: sealed}}";

static void make_pair(void) {
    make("qkkp pair", "spec: {}");
}

// ---- what is waited for

static void fail_pair(void) {
    put("qkkp pair", "spec: {algorithm: nonsense}");
}

static void hinder_pair(void) {
    put("secret pair", "data: {theirs: eA==}");
    put("qkkp pair", "spec: {}");
}

static void make_signer(void) {
    make("qskp signer", "spec: {}");
}

static void no_entry(void) {
    put("configmap peer", "data: {other: x}");
    put("secret peer", "data: {other: eA==}");
}

static const struct waiting {
    const char *name;
    const char *object;
    const char *spec;
    void (*before)(void);
    const char *status;
    const char *message;
    const char *comes; // what ends it; NULL: not tried
    const char *content;
} waiting[] = {
    {"for a key pair", "qes it", "publicKeyRef: {name: pair}", nullptr, "Pending WaitingForQuantumKEMKeyPair",
     "spec.publicKeyRef: waiting for QuantumKEMKeyPair pair, which does not exist; create it, or correct the "
     "reference",
     "qkkp pair", "spec: {}"},
    {"for a random number, of all that it may be", "qdk it", "sharedSecretRef: {name: numbers}", nullptr,
     "Pending WaitingForQuantumEncapsulateSecret",
     "waiting for QuantumEncapsulateSecret numbers, which does not exist", "qrn numbers", "spec: {}"},
    {"for a random number, as the kind says", "qdk it",
     "sharedSecretRef: {kind: QuantumRandomNumber, name: numbers}", nullptr,
     "Pending WaitingForQuantumRandomNumber", "waiting for QuantumRandomNumber numbers", "qrn numbers",
     "spec: {}"},
    {"for a Secret", "qdk it", "sharedSecretRef: {kind: Secret, name: peer, key: k}", nullptr,
     "Pending WaitingForSecret",
     "spec.sharedSecretRef: waiting for Secret peer, which does not exist; create it, or correct the "
     "reference",
     "secret peer", "data: {k: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}"},
    {"for an entry of a Secret", "qdk it", "sharedSecretRef: {kind: Secret, name: peer, key: k}", no_entry,
     "Pending WaitingForSecret", "waiting for Secret peer, which has no entry k", "secret peer",
     "data: {k: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}"},
    {"for a ConfigMap", "qes it", "publicKeyRef: {kind: ConfigMap, name: peer, key: k}", nullptr,
     "Pending WaitingForConfigMap", "waiting for ConfigMap peer, which does not exist", nullptr, nullptr},
    {"for a Secret that may be meant as a ConfigMap", "qsm it",
     "privateKeyRef: {name: signer}, messageRef: {kind: Secret, name: peer}", make_signer,
     "Pending WaitingForSecret",
     "waiting for Secret peer, which does not exist; create it, or correct the reference: one to a ConfigMap "
     "says kind: ConfigMap",
     "secret peer", "data: {message: eA==}"},
    {"for an entry of a ConfigMap", "qes it", "publicKeyRef: {kind: ConfigMap, name: peer, key: k}", no_entry,
     "Pending WaitingForConfigMap", "waiting for ConfigMap peer, which has no entry k", nullptr, nullptr},
    {"for one that has failed", "qes it", "publicKeyRef: {name: pair}", fail_pair,
     "Pending WaitingForQuantumKEMKeyPair",
     "QuantumKEMKeyPair pair, which has failed (InvalidSpec); its own status says why", "qkkp pair",
     "spec: {algorithm: ML-KEM-768}"},
    {"for one whose Secret is in the way", "qes it", "publicKeyRef: {name: pair}", hinder_pair,
     "Pending WaitingForQuantumKEMKeyPair", "which has failed (SecretConflict)", nullptr, nullptr},
};

static void what_is_waited_for_and_ends_with_its_arrival(void **state) {
    for (size_t i = 0; i < sizeof(waiting) / sizeof(waiting[0]); i++) {
        const struct waiting *row = &waiting[i];
        char told[100];
        begin_row(row->name, state);
        put(row->object, "spec: {%s}", row->spec);
        if (row->before != nullptr) {
            row->before();
            run();
            forget();
        }
        run();
        status_is(row->object, row->status, row->message);
        assert_false(is_there("secret it"));
        if (row->before == nullptr) {
            snprintf(told, sizeof(told), "%s %s; ", strchr(row->status, ' ') + 1, row->object);
            told_is(told);
        }
        forget();
        pass(HOUR); // nobody polls
        asked_is("");
        assert_int_equal(cluster.reconciles, 0);
        if (row->comes != nullptr) {
            put(row->comes, "%s", row->content);
            run();
            is_served(row->object);
        }
    }
}

// Of whoever is waited for the next one only is named, so that no text grows, and what is far away is no
// write.
static void one_that_waits_itself_says_for_what(void **) {
    put("qc leaf",
        "spec: {certType: server, domain: a.example, algorithm: ML-DSA-44, parentCARef: {name: low}}");
    put("qc low", "spec: {certType: ca, commonName: Low, algorithm: ML-DSA-44, parentCARef: {name: mid}}");
    put("qc mid", "spec: {certType: ca, commonName: Mid, algorithm: ML-DSA-44, parentCARef: {name: root}}");
    run();
    pass(MINUTE);
    status_is("qc mid", "Pending WaitingForQuantumCertificate",
              "waiting for QuantumCertificate root, which does not");
    static const char *const below[][2] = {{"qc low", "mid, which itself waits for QuantumCertificate root"},
                                           {"qc leaf", "low, which itself waits for QuantumCertificate mid"}};
    for (size_t i = 0; i < 2; i++) {
        char wanted[200];
        snprintf(wanted, sizeof(wanted), "spec.parentCARef: waiting for QuantumCertificate %s", below[i][1]);
        status_is(below[i][0], "Pending WaitingForQuantumCertificate", "");
        assert_string_equal(json_member_text(ready_of(below[i][0]), "message"), wanted);
    }
    forget();
    restart();
    pass(MINUTE);
    assert_int_equal(count_asked(" status; "), 0);
    put("qc root", "spec: {certType: ca, commonName: Root, algorithm: ML-DSA-44}");
    run();
    is_served("qc leaf");
}

// In a burst of objects that need each other nothing is told of a wait that is over in a moment: neither
// where they have no status, nor where they have their definition's default.
static void a_burst_costs_no_status_of_waiting(void **state) {
    static const char *const statuses[] = {
        "status: null",
        "status: {conditions: [{type: Ready, status: Unknown, reason: WaitingForOperator, message: none, "
        "lastTransitionTime: '1970-01-01T00:00:00Z'}]}",
    };
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        begin_row(statuses[i], state);
        put("qdk it", "spec: {sharedSecretRef: {name: sealed}}");
        put("qds opened", "%s", of_sealed);
        put("qes sealed", "%s", of_pair);
        put("qkkp pair", "spec: {}");
        static const char *const objects[] = {"qdk it", "qds opened", "qes sealed", "qkkp pair"};
        for (size_t j = 0; j < sizeof(objects) / sizeof(objects[0]); j++) {
            put_status(objects[j], "%s", statuses[i]);
        }
        run();
        is_served("qdk it");
        is_served("qds opened");
        told_is("Succeeded qkkp pair; Succeeded qes sealed; Succeeded qds opened; Succeeded qdk it; ");
        assert_int_equal(count_asked(" status; "), 4);
    }
}

static void an_input_that_goes_leaves_what_was_made(void **) {
    make_pair();
    make("qes it", "%s", of_pair);
    yyjson_val *before = at(get("qes it"), "status");
    take_away("qkkp pair");
    run();
    status_is("qes it", "Pending WaitingForQuantumKEMKeyPair", "does not exist");
    static const char *const kept[] = {"fingerprint", "publicKeyDigest", "ciphertext", "secretRef", "inputs"};
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        assert_same(at(get("qes it"), "status"), before, kept[i]);
    }
    assert_true(is_there("secret it"));
}

// ---- what an upstream is about to do

static void delete_pair_slowly(void) {
    put("qkkp pair", "metadata: {deletionTimestamp: '2026-01-01T00:00:00Z'}");
}

static void edit_pair(void) {
    put("qkkp pair", "spec: {secretTemplate: {labels: {a: b}}}");
}

static void touch_secret(void) {
    put("secret pair", "metadata: {labels: {theirs: x}}");
}

// The object is reconciled before its upstream, which is to be looked at again.
static void an_upstream_that_is_not_steady(void **state) {
    static const struct {
        const char *name;
        void (*change)(void);
        const char *message;
        bool is_served_meanwhile;
    } rows[] = {
        {"was edited", edit_pair, "spec.publicKeyRef: QuantumKEMKeyPair pair was edited", false},
        {"has a Secret that was written to", touch_secret,
         "spec.publicKeyRef: QuantumKEMKeyPair pair has not verified its changed Secret yet", false},
        {"is being deleted", delete_pair_slowly, "", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin_row(rows[i].name, state);
        make_pair();
        fault((struct fault){.request = "create secret it", .class = ERROR_IO}); // made in the second try
        put("qes it", "%s", of_pair);
        run();
        rows[i].change();
        const struct object_key key = {resource_of("qes", 3), "ns", "it"};
        struct outcome outcome = {0};
        const struct queue_attempt attempt = {0};
        reconciler_reconcile(&cluster.parts, &key, &attempt, &outcome);
        if (!rows[i].is_served_meanwhile) {
            assert_int_equal(outcome.result, RESULT_RETRY);
            assert_string_equal(outcome.error.message, rows[i].message);
            status_is("qes it", "", "");
        } else {
            assert_int_equal(outcome.result, RESULT_OK);
        }
        pass(5 * SECOND);
        is_served("qes it");
    }
}

// What it holds was made from an input that has changed: it must not be combined with the changed one by
// others.
static void an_upstream_that_has_not_taken_up_its_changed_input(void **) {
    make_pair();
    make("qes sealed", "%s", of_pair);
    make("qdk it", "spec: {sharedSecretRef: {kind: QuantumEncapsulateSecret, name: sealed}}");
    put("qdk it", "spec: {keyLength: 16}");
    touch_secret();
    const struct object_key key = {resource_of("qdk", 3), "ns", "it"};
    struct outcome outcome = {0};
    reconciler_reconcile(&cluster.parts, &key, &(struct queue_attempt){0}, &outcome);
    assert_int_equal(outcome.result, RESULT_RETRY);
    assert_string_equal(outcome.error.message,
                        "spec.sharedSecretRef: QuantumEncapsulateSecret sealed has not "
                        "taken up its changed input yet");
    asked_is("");
    pass(5 * SECOND);
    is_served("qdk it");
    assert_int_equal(number_at("qdk it", "status keyLength"), 16);
}

static void a_secret_that_is_lost_meanwhile(void **) {
    make_pair();
    put("qes it", "%s", of_pair);
    silence();
    take_away("secret pair");
    run();
    status_is("qes it", "Pending WaitingForQuantumKEMKeyPair",
              "QuantumKEMKeyPair pair, which has lost its Secret; its own status says why");
    hear();
    pass(5 * SECOND);
    is_served("qkkp pair");
    is_served("qes it");
}

static void change_secret(void) {
    put("secret pair", "metadata: {labels: {theirs: y}}");
}

static void bytes_that_nobody_has_verified_are_not_used(void **) {
    make_pair();
    fault((struct fault){.request = "get secret pair", .before = change_secret});
    put("qes it", "%s", of_pair);
    silence();
    run();
    assert_string_equal(
        cluster.outcome.error.message,
        "spec.publicKeyRef: Secret pair was changed after QuantumKEMKeyPair pair verified it");
    assert_false(is_there("secret it"));
    hear();
    pass(5 * SECOND);
    is_served("qes it");
}

// ---- what cannot be used

static const struct unusable {
    const char *name;
    const char *object;
    const char *spec;
    const char *reason;
    const char *message;
} unusable[] = {
    {"a key pair of another algorithm", "qes it", "algorithm: ML-KEM-1024, publicKeyRef: {name: pair}",
     "Failed InvalidSpec",
     "spec.algorithm: ML-KEM-1024 does not match spec.publicKeyRef, which is of ML-KEM-768"},
    {"a ciphertext for another algorithm", "qds it",
     "privateKeyRef: {name: small}, ciphertextRef: {name: sealed}", "Failed InvalidSpec", "ciphertextRef"},
    {"a ciphertext for another key", "qds it", "privateKeyRef: {name: other}, ciphertextRef: {name: sealed}",
     "Failed KeyMismatch", "ciphertextRef"},
    {"no public key", "qes it", "publicKeyRef: {kind: ConfigMap, name: peer, key: text}",
     "Failed InvalidSpec", "spec.publicKeyRef: ConfigMap peer, entry text: "},
    {"a secret that is too short", "qdk it", "sharedSecretRef: {kind: Secret, name: peer, key: short}",
     "Failed InvalidSpec", "spec.sharedSecretRef: Secret peer, entry short: "},
    {"its own output", "qdk it", "sharedSecretRef: {kind: Secret, name: it, key: key}", "Failed InvalidSpec",
     "spec.sharedSecretRef: Secret it is this object's own output; refer to another one, or choose another "
     "spec.outputSecretName"},
    {"a certificate that is no CA", "qc it",
     "certType: server, domain: a.example, algorithm: ML-DSA-44, parentCARef: {name: leaf}",
     "Failed InvalidSpec", "parentCARef"},
    {"a URL that is not allowed", "qrn it", "seedURI: 'https://elsewhere.example/x'", "Failed InvalidSpec",
     "spec.seedURI: https://elsewhere.example/x is refused; the operator fetches only from URLs that start "
     "with one of its --seed-url-prefix settings"},
    {"a URL with a hidden path", "qrn it", "seedURI: 'https://seeds.example/%2e%2e/x'", "Failed InvalidSpec",
     "is refused"},
    {"a URL with a path upwards", "qrn it", "seedURI: 'https://seeds.example/../x'", "Failed InvalidSpec",
     "is refused"},
    {"a URL with credentials and a query", "qrn it",
     "seedURI: 'https://user:pass@elsewhere.example/x?token=hidden#y'", "Failed InvalidSpec",
     "spec.seedURI: https://elsewhere.example/x is refused; "},
    {"credentials that may end anywhere", "qrn it", "seedURI: 'https://user:pass?x@elsewhere.example/y'",
     "Failed InvalidSpec", "spec.seedURI: https:// is refused; "},
    {"credentials behind a path", "qrn it", "seedURI: 'https://user:pass/z@elsewhere.example/y'",
     "Failed InvalidSpec", "spec.seedURI: https://elsewhere.example/y is refused; "},
    {"a kind that it cannot be", "qes it", "publicKeyRef: {kind: QuantumRandomNumber, name: pair}",
     "Failed InvalidSpec", "spec.publicKeyRef.kind"},
    {"a name that is none", "qes it", "publicKeyRef: {name: a/b}", "Failed InvalidSpec",
     "spec.publicKeyRef.name"},
    {"no reference", "qes it", "algorithm: ML-KEM-768", "Failed InvalidSpec", "spec.publicKeyRef"},
};

static void test_trap_27_what_cannot_be_used_is_told_and_not_tried_again(void **state) {
    for (size_t i = 0; i < sizeof(unusable) / sizeof(unusable[0]); i++) {
        char told[100];
        begin_row(unusable[i].name, state);
        make_pair();
        make("qkkp other", "spec: {}");
        make("qkkp small", "spec: {algorithm: ML-KEM-512}");
        make("qes sealed", "%s", of_pair);
        make("qc leaf", "spec: {commonName: leaf, algorithm: ML-DSA-44}");
        put(unusable[i].object, "spec: {%s}", unusable[i].spec);
        put("configmap peer", "data: {text: no key}");
        put("secret peer", "data: {short: eA==}");
        run();
        status_is(unusable[i].object, unusable[i].reason, unusable[i].message);
        assert_false(is_there("secret it"));
        snprintf(told, sizeof(told), "!%s %s; ", strchr(unusable[i].reason, ' ') + 1, unusable[i].object);
        told_is(told);
        forget();
        pass(DAY);
        asked_is("");
        told_is("");
    }
}

static void a_failure_leaves_what_was_made(void **) {
    make_pair();
    make("qes it", "%s", of_pair);
    yyjson_val *before = get("secret it");
    const char *key = text_at("qes it", "status fingerprint");
    put("qes it", "spec: {algorithm: ML-KEM-1024}");
    run();
    status_is("qes it", "Failed InvalidSpec", "does not match");
    assert_same(get("secret it"), before, "");
    assert_string_equal(text_at("qes it", "status fingerprint"), key);
    put("qes it", "spec: {algorithm: ML-KEM-768}");
    run();
    is_served("qes it");
    assert_same(get("secret it"), before, "");
}

// ---- circles

static void a_reference_that_comes_back(void **) {
    put("qc a", "spec: {certType: ca, commonName: a, parentCARef: {name: b}}");
    put("qc b", "spec: {certType: ca, commonName: b, parentCARef: {name: c}}");
    put("qc c", "spec: {certType: ca, commonName: c, parentCARef: {name: a}}");
    put("qc own", "spec: {certType: ca, commonName: own, parentCARef: {name: own}}");
    run();
    status_is("qc a", "Failed InvalidSpec",
              "spec.parentCARef: leads from QuantumCertificate a back to itself; refer to another one");
    status_is("qc b", "Failed InvalidSpec", "leads from QuantumCertificate b back to itself");
    status_is("qc c", "Failed InvalidSpec", "leads from QuantumCertificate c back to itself");
    status_is("qc own", "Failed InvalidSpec", "parentCARef");
    put("qc c", "spec: {parentCARef: null}");
    run();
    is_served("qc c");
    is_served("qc b");
    is_served("qc a");
}

static void a_reference_through_too_many(void **) {
    enum { LONGEST = 32 };
    char object[20];
    put("qc c0", "spec: {certType: ca, commonName: x, algorithm: nonsense}");
    for (int i = 1; i <= LONGEST + 1; i++) {
        snprintf(object, sizeof(object), "qc c%d", i);
        put(object, "spec: {certType: ca, commonName: x, algorithm: ML-DSA-44, parentCARef: {name: c%d}}",
            i - 1);
    }
    run();
    snprintf(object, sizeof(object), "qc c%d", LONGEST);
    status_is("qc c1", "Pending WaitingForQuantumCertificate", "which has failed (InvalidSpec)");
    status_is("qc c33", "Failed InvalidSpec",
              "spec.parentCARef: leads through more than 32 resources, or in a circle");
}

// ---- changes

static void what_hangs_on_an_input_follows(void **) {
    make_pair();
    make("qes sealed", "%s", of_pair);
    make("qds opened", "%s", of_sealed);
    make("qdk it", "spec: {sharedSecretRef: {name: opened}}");
    const char *before = entry("secret it", "key");
    take_away("secret pair");
    run();
    pass(10 * SECOND);
    is_served("qkkp pair");
    is_served("qes sealed");
    is_served("qds opened");
    is_served("qdk it");
    assert_string_not_equal(entry("secret it", "key"), before);
    assert_string_equal(entry("secret opened", "shared_secret"), entry("secret sealed", "shared_secret"));
    assert_true(find_told("SecretLost qkkp pair")->warning);
    assert_true(find_told("KeyReplaced qes sealed")->warning);
    assert_true(find_told("KeyReplaced qds opened")->warning);
    assert_true(find_told("KeyReplaced qdk it")->warning);
}

static void metadata_of_an_input_is_noted_and_changes_nothing(void **) {
    make_pair();
    make("qes it", "%s", of_pair);
    yyjson_val *before = get("secret it");
    yyjson_val *conditions = at(get("qes it"), "status conditions");
    touch_secret();
    pass(5 * SECOND);
    is_served("qes it");
    assert_same(get("secret it"), before, "");
    assert_true(yyjson_equals(at(get("qes it"), "status conditions"), conditions));
    assert_string_equal(text_at("qes it", "status inputs 0 resourceVersion"),
                        text_at("secret pair", "metadata resourceVersion"));
    told_is("");
}

static void what_status_says_of_inputs(void **) {
    make_pair();
    make("qes it", "%s", of_pair);
    assert_string_equal(text_at("qes it", "status inputs 0 field"), "publicKeyRef");
    assert_string_equal(text_at("qes it", "status inputs 0 from"), "QuantumKEMKeyPair/pair");
    assert_string_equal(text_at("qes it", "status inputs 0 kind"), "Secret");
    assert_string_equal(text_at("qes it", "status inputs 0 name"), "pair");
    assert_string_equal(text_at("qes it", "status inputs 0 namespace"), "ns");
    assert_string_equal(text_at("qes it", "status inputs 0 uid"), text_at("secret pair", "metadata uid"));
    assert_int_equal(yyjson_arr_size(at(get("qes it"), "status inputs")), 1);
}

static void a_later_object_of_the_name_changes_nothing(void **) {
    make_pair();
    make("qrn x", "spec: {}");
    make("qdk it", "spec: {sharedSecretRef: {name: x}}");
    yyjson_val *before = get("secret it");
    assert_string_equal(text_at("qdk it", "status inputs 0 from"), "QuantumRandomNumber/x");
    make("qes x", "spec: {publicKeyRef: {name: pair}, outputSecretName: y}");
    pass(MINUTE);
    is_served("qdk it");
    assert_same(get("secret it"), before, "");
    restart();
    run();
    assert_same(get("secret it"), before, "");
    take_away("qrn x");
    run();
    pass(5 * SECOND);
    is_served("qdk it");
    assert_string_equal(text_at("qdk it", "status inputs 0 from"), "QuantumEncapsulateSecret/x");
}

static void an_edited_reference_is_followed(void **) {
    make("qrn a", "spec: {}");
    make("qrn b", "spec: {}");
    make("qdk it", "spec: {sharedSecretRef: {name: a}}");
    put("qdk it", "spec: {sharedSecretRef: {name: b}}");
    run();
    is_served("qdk it");
    assert_string_equal(text_at("qdk it", "status inputs 0 name"), "b");
    make("qdk other", "spec: {sharedSecretRef: {name: b}}");
    assert_string_equal(entry("secret it", "key"), entry("secret other", "key"));
}

static void test_trap_33_outputs_that_are_made_from_each_other_come_to_rest(void **) {
    put("secret start", "data: {key: MDEyMzQ1Njc4OWFiY2RlZg==}");
    put("qdk one", "spec: {sharedSecretRef: {kind: Secret, name: start, key: key}}");
    put("secret start", "metadata: {labels: {now: seen}}");
    run();
    make("qdk two", "spec: {sharedSecretRef: {kind: Secret, name: one, key: key}}");
    put("qdk one", "spec: {sharedSecretRef: {name: two}}");
    run();
    forget();
    pass(MINUTE);
    assert_in_range(count_asked("patch secret one"), 1, 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_cluster(what_is_waited_for_and_ends_with_its_arrival),
        in_cluster(one_that_waits_itself_says_for_what),
        in_cluster(a_burst_costs_no_status_of_waiting),
        in_cluster(an_input_that_goes_leaves_what_was_made),
        in_cluster(an_upstream_that_is_not_steady),
        in_cluster(an_upstream_that_has_not_taken_up_its_changed_input),
        in_cluster(a_secret_that_is_lost_meanwhile),
        in_cluster(bytes_that_nobody_has_verified_are_not_used),
        in_cluster(test_trap_27_what_cannot_be_used_is_told_and_not_tried_again),
        in_cluster(a_failure_leaves_what_was_made),
        in_cluster(a_reference_that_comes_back),
        in_cluster(a_reference_through_too_many),
        in_cluster(what_hangs_on_an_input_follows),
        in_cluster(metadata_of_an_input_is_noted_and_changes_nothing),
        in_cluster(what_status_says_of_inputs),
        in_cluster(a_later_object_of_the_name_changes_nothing),
        in_cluster(an_edited_reference_is_followed),
        in_cluster(test_trap_33_outputs_that_are_made_from_each_other_come_to_rest),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
