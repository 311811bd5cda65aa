// The reconcile as a whole: what follows from each kind of failure, and when an object is looked at again.
#include "cluster.h"

// ---- each class of error

static const struct consequence {
    const char *name;
    enum error_class class;
    const char *status;  // "": nothing is told at once
    const char *told;    // the same
    bool is_tried_again; // by itself
} consequences[] = {
    {"retryable", ERROR_RETRYABLE, "", "", true},
    {"not found: no such namespace any more", ERROR_NOT_FOUND, "", "", true},
    {"gone", ERROR_GONE, "", "", true},
    {"forbidden: what the operator may not do is no fault of the object's", ERROR_FORBIDDEN,
     "Failed RequestRefused", "!RequestRefused qkkp it; ", true},
    {"invalid spec", ERROR_INVALID_SPEC, "Failed InvalidSpec", "!InvalidSpec qkkp it; ", false},
    {"refused", ERROR_REFUSED, "Failed RequestRefused", "!RequestRefused qkkp it; ", true},
    {"key lost", ERROR_KEY_LOST, "Failed KeyLost", "!KeyLost qkkp it; ", false},
    {"key mismatch", ERROR_KEY_MISMATCH, "Failed KeyMismatch", "!KeyMismatch qkkp it; ", false},
    {"crypto", ERROR_CRYPTO, "Failed CryptoError", "!CryptoError qkkp it; ", true},
    {"input and output", ERROR_IO, "", "", true},
    {"no memory", ERROR_NO_MEMORY, "", "", true},
    {"internal", ERROR_INTERNAL, "Failed InternalError", "!InternalError qkkp it; ", true},
};

static void what_follows_from_each_class(void **state) {
    for (size_t i = 0; i < sizeof(consequences) / sizeof(consequences[0]); i++) {
        const struct consequence *row = &consequences[i];
        begin_row(row->name, state);
        fault((struct fault){.request = "create secret it", .class = row->class, .message = "so it is"});
        put("qkkp it", "spec: {}");
        run();
        faults_are_over();
        status_is("qkkp it", row->status, "so it is");
        assert_non_null(strstr(cluster.outcome.error.message, "writing Secret it: so it is"));
        told_is(row->told);
        assert_int_equal(cluster.outcome.result, row->is_tried_again ? RESULT_RETRY : RESULT_TERMINAL);
        forget();
        pass(990); // a failure that is shown seldom goes away in a few milliseconds
        assert_int_equal(cluster.reconciles, row->status[0] == '\0' ? 1 : 0);
        pass(10);
        assert_int_equal(cluster.reconciles, row->is_tried_again ? 1 : 0);
        if (row->is_tried_again) {
            is_served("qkkp it");
        } else {
            pass(DAY);
            status_is("qkkp it", row->status, "so it is");
            put("qkkp it", "spec: {secretTemplate: {labels: {a: b}}}"); // an edit does it
            run();
            is_served("qkkp it");
        }
    }
}

static void every_class_of_errors_is_in_the_table(void **) {
    // NONE is no error, and CONFLICT is looked at: see test_output.c.
    assert_int_equal(sizeof(consequences) / sizeof(consequences[0]), ERROR_CLASS_COUNT - 2);
}

static void the_time_that_a_server_asks_for_is_the_least(void **) {
    fault((struct fault){.request = "create secret it",
                         .class = ERROR_REFUSED,
                         .message = "later",
                         .retry_after_ms = 30 * SECOND});
    put("qkkp it", "spec: {}");
    run();
    forget();
    pass(30 * SECOND - STEP_MS);
    asked_is("");
    pass(STEP_MS);
    is_served("qkkp it");
}

static void an_outage_is_looked_after_every_minute(void **) {
    fault((struct fault){.request = "create secret it", .class = ERROR_IO, .count = FOREVER});
    put("qkkp it", "spec: {}");
    pass(10 * MINUTE);
    for (int i = 0; i < 10; i++) {
        forget();
        pass(MINUTE);
        assert_int_equal(cluster.reconciles, 1);
    }
}

// ---- what is not there

static void what_is_gone_or_going_is_left_alone(void **state) {
    static const struct {
        const char *name;
        bool is_gone;
    } rows[] = {{"gone", true}, {"being deleted", false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin_row(rows[i].name, state);
        put("qkkp it", "spec: {}");
        if (rows[i].is_gone) {
            take_away("qkkp it");
        } else {
            put("qkkp it", "metadata: {deletionTimestamp: '2026-01-01T00:00:00Z'}");
        }
        run();
        assert_int_equal(cluster.reconciles, 1);
        assert_int_equal(cluster.outcome.result, RESULT_OK);
        asked_is("");
        told_is("");
    }
}

static void a_spec_that_cannot_be_read(void **state) {
    static const struct {
        const char *name;
        const char *yaml;
        const char *message;
    } rows[] = {
        {"no spec", "metadata: {}", ""},
        {"a value that is not allowed", "spec: {algorithm: RSA}", "spec.algorithm: "},
        {"a value of another type", "spec: {algorithm: 5}", "spec.algorithm: "},
        {"two faults", "spec: {algorithm: RSA, deletionPolicy: Keep}", "spec.deletionPolicy: "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin_row(rows[i].name, state);
        put("qkkp it", "%s", rows[i].yaml);
        run();
        if (i == 0) { // all has defaults
            status_is("qkkp it", "Success Succeeded", "");
            continue;
        }
        status_is("qkkp it", "Failed InvalidSpec", rows[i].message);
        assert_int_equal(cluster.outcome.result, RESULT_TERMINAL);
        assert_false(is_there("secret it"));
        asked_is("write qkkp it status; ");
        put("qkkp it", "spec: {algorithm: ML-KEM-768, deletionPolicy: Delete}");
        run();
        is_served("qkkp it");
    }
}

// ---- slow work

static void test_trap_28_slow_work_waits_for_its_turn_before_anything_is_read(void **) {
    put("qskp slow", "spec: {algorithm: SLH-DSA-SHA2-128s}");
    put("qskp fast", "spec: {algorithm: ML-DSA-44}");
    run();
    is_served("qskp slow");
    is_served("qskp fast");
    assert_int_equal(cluster.reconciles, 3);
    asked_is("create secret fast; write qskp fast status; create secret slow; write qskp slow status; ");
    restart();
    run();
    assert_int_equal(cluster.reconciles, 2); // there is nothing slow to do
    asked_is("");
}

static void a_seed_from_a_url_waits_for_its_turn_in_a_lane_of_its_own(void **) {
    struct object_key key;
    struct queue_attempt attempt;
    put("qrn it", "spec: {seedURI: 'https://seeds.example/x'}");
    for (enum queue_lane lane = QUEUE_FAST; lane <= QUEUE_REMOTE; lane += QUEUE_REMOTE) {
        assert_true(queue_take(cluster.queue, &key, &attempt));
        assert_int_equal(attempt.lane, lane);
        if (lane == QUEUE_FAST) {
            controller_process(&cluster.controller, &key, &attempt);
        }
        queue_done(cluster.queue, &key);
    }
    asked_is("");
}

// ---- when it is looked at again

static void an_output_that_expires_is_looked_at_each_hour(void **) {
    make("qc it", "spec: {commonName: x, algorithm: ML-DSA-44}");
    pass(HOUR - STEP_MS);
    assert_int_equal(cluster.reconciles, 0);
    pass(3 * HOUR + STEP_MS);
    assert_int_equal(cluster.reconciles, 4);
    asked_is("");
}

static void one_that_does_not_expire_is_not(void **) {
    make("qkkp it", "spec: {}");
    pass(7 * (int64_t)DAY);
    assert_int_equal(cluster.reconciles, 0);
}

// What a CA cannot issue yet, it may when the clock is put right.
static void a_ca_that_has_ended_is_waited_for(void **) {
    make("qc root", "spec: {certType: ca, commonName: Root, algorithm: ML-DSA-44, durationDays: 1}");
    fault((struct fault){.request = "patch secret root-secret", .class = ERROR_REFUSED, .count = FOREVER});
    clock_ms += 2 * (int64_t)DAY;
    put("qc it",
        "spec: {certType: server, domain: a.example, algorithm: ML-DSA-44, parentCARef: {name: root}}");
    run();
    status_is("qc it", "Pending WaitingForInput",
              "spec.parentCARef: QuantumCertificate root: the CA's certificate expired at 2026-01-0");
    cluster.fault_count = 0;
    pass(20 * MINUTE);
    is_served("qc root");
    is_served("qc it");
}

// Whoever restores the CA's Secret alone is not believed before the CA has looked at it.
static void a_ca_that_has_not_verified_its_certificate_is_waited_for(void **) {
    make("qc other", "spec: {certType: ca, commonName: Root, algorithm: ML-DSA-44}");
    make("qc root", "spec: {certType: ca, commonName: Root, algorithm: ML-DSA-44}");
    put("qc root", "spec: {algorithm: nonsense}"); // it verifies nothing from now on
    put_copy("secret root-secret", "secret other-secret", "metadata: {}");
    run();
    forget();
    put("qc it",
        "spec: {certType: server, domain: a.example, algorithm: ML-DSA-44, parentCARef: {name: root}}");
    run();
    status_is(
        "qc it", "Pending WaitingForInput",
        "spec.parentCARef: QuantumCertificate root: the CA's Secret holds another certificate than the CA "
        "has verified; waiting for it to do so");
    assert_int_equal(cluster.outcome.result, RESULT_OK);
}

// The Secret of the CA's name is somebody else's: nothing is issued with what is in it.
static void a_ca_whose_secret_is_anothers_is_waited_for(void **) {
    make("qc other", "spec: {certType: ca, commonName: Root, algorithm: ML-DSA-44}");
    make("qc root", "spec: {certType: ca, commonName: Root, algorithm: ML-DSA-44}");
    make("qc it",
         "spec: {certType: server, domain: a.example, algorithm: ML-DSA-44, parentCARef: {name: root}}");
    take_away("secret root-secret");
    put_copy("secret root-secret", "secret other-secret", "metadata: {labels: null, annotations: null}");
    run();
    status_is("qc root", "Failed SecretConflict", "Nothing was touched");
    status_is("qc it", "Pending WaitingForInput",
              "spec.parentCARef: QuantumCertificate root: the CA does not say of which algorithm its key is");
    forget();
    pass(50 * MINUTE);
    asked_is("");
    pass(DAY); // it is looked at when its certificate may have ended, and that is all
    assert_int_equal(count_asked("write "), 0);
    told_is("");
}

// ---- somebody who goes on changing what is around a good output

static void who_goes_on_changing_labels_is_told_and_waited_out(void **) {
    make("qkkp it", "spec: {secretTemplate: {labels: {team: ours}}}");
    for (int i = 0; i < 3; i++) {
        put("secret it", "metadata: {labels: {team: theirs}}");
        run();
    }
    status_is("qkkp it", "Success MetadataContested", "somebody else changes its labels");
    assert_string_equal(text_at("secret it", "metadata labels team"), "theirs");
    told_is("!MetadataContested qkkp it; ");
    pass(10 * SECOND);
    assert_string_equal(text_at("secret it", "metadata labels team"), "ours");
    status_is("qkkp it", "Success MetadataContested", "");
    cluster.told_count = 0;
    pass(3 * HOUR); // there is peace
    is_served("qkkp it");
    told_is("Succeeded qkkp it; ");
}

// A write of ours that fails is no fight: nobody else is blamed for it.
static void labels_that_cannot_be_put_right_are_no_fight(void **) {
    make("qkkp it", "spec: {secretTemplate: {labels: {team: ours}}}");
    fault((struct fault){
        .request = "patch secret it", .class = ERROR_REFUSED, .message = "a policy", .count = FOREVER});
    put("secret it", "metadata: {labels: {team: theirs}}");
    run();
    for (int i = 0; i < 5; i++) {
        pass(20 * SECOND);
        status_is("qkkp it", "Failed RequestRefused", "a policy");
    }
    faults_are_over();
    pass(HOUR);
    is_served("qkkp it");
    assert_string_equal(text_at("secret it", "metadata labels team"), "ours");
}

// An edit is its owner's own doing.
static void labels_that_are_edited_are_no_fight(void **) {
    make("qkkp it", "spec: {}");
    for (int i = 0; i < 10; i++) {
        put("qkkp it", "spec: {secretTemplate: {labels: {count: '%d'}}}", i);
        run();
        is_served("qkkp it");
        assert_int_equal(text_at("secret it", "metadata labels count")[0], '0' + i);
    }
    told_is("");
}

// ---- many at once

static void every_kind_is_served_in_one_burst(void **) {
    put("configmap m", "data: {text: hello}");
    put("qvs verified", "spec: {publicKeyRef: {name: signer}, signatureRef: {name: signed}, "
                        "messageRef: {kind: ConfigMap, name: m, key: text}}");
    put("qsm signed",
        "spec: {privateKeyRef: {name: signer}, messageRef: {kind: ConfigMap, name: m, key: text}}");
    put("qc leaf",
        "spec: {certType: server, domain: a.example, algorithm: ML-DSA-44, parentCARef: {name: ca}}");
    put("qc ca", "spec: {certType: ca, commonName: CA, algorithm: ML-DSA-44}");
    put("qdk derived", "spec: {sharedSecretRef: {name: opened}}");
    put("qds opened", "spec: {privateKeyRef: {name: pair}, ciphertextRef: {name: sealed}}");
    put("qes sealed", "spec: {publicKeyRef: {name: pair}}");
    put("qskp signer", "spec: {algorithm: ML-DSA-44}");
    put("qkkp pair", "spec: {}");
    put("qrn numbers", "spec: {}");
    run();
    static const char *const made[] = {"qsm signed", "qc leaf",     "qc ca",     "qdk derived", "qds opened",
                                       "qes sealed", "qskp signer", "qkkp pair", "qrn numbers"};
    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
        is_served(made[i]);
    }
    status_is("qvs verified", "Valid SignatureValid", "");
    forget();
    restart();
    run();
    asked_is(""); // a restart over finished objects reads and writes nothing
    told_is("");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_cluster(what_follows_from_each_class),
        in_cluster(every_class_of_errors_is_in_the_table),
        in_cluster(the_time_that_a_server_asks_for_is_the_least),
        in_cluster(an_outage_is_looked_after_every_minute),
        in_cluster(what_is_gone_or_going_is_left_alone),
        in_cluster(a_spec_that_cannot_be_read),
        in_cluster(test_trap_28_slow_work_waits_for_its_turn_before_anything_is_read),
        in_cluster(a_seed_from_a_url_waits_for_its_turn_in_a_lane_of_its_own),
        in_cluster(an_output_that_expires_is_looked_at_each_hour),
        in_cluster(one_that_does_not_expire_is_not),
        in_cluster(a_ca_that_has_ended_is_waited_for),
        in_cluster(a_ca_that_has_not_verified_its_certificate_is_waited_for),
        in_cluster(a_ca_whose_secret_is_anothers_is_waited_for),
        in_cluster(who_goes_on_changing_labels_is_told_and_waited_out),
        in_cluster(labels_that_cannot_be_put_right_are_no_fight),
        in_cluster(labels_that_are_edited_are_no_fight),
        in_cluster(every_kind_is_served_in_one_burst),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
