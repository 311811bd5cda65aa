// The status: what is written to it, when, and what of it is left alone.
#include "cluster.h"

static const char *since_of(const char *text) {
    return json_member_text(ready_of(text), "lastTransitionTime");
}

// ---- nothing is written where nothing differs

static void test_trap_30_nothing_is_written_that_is_the_same(void **state) {
    static const struct {
        const char *name;
        const char *change; // to the object
    } rows[] = {
        {"a label", "metadata: {labels: {a: b}}"},
        {"an annotation", "metadata: {annotations: {a: b}}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin_row(rows[i].name, state);
        make("qkkp it", "spec: {}");
        yyjson_val *before = at(get("qkkp it"), "status");
        put("qkkp it", "%s", rows[i].change);
        run();
        assert_int_equal(cluster.reconciles, 1);
        asked_is("");
        told_is("");
        assert_same(at(get("qkkp it"), "status"), before, "");
    }
}

static void an_edit_that_changes_no_output_writes_its_generation(void **) {
    make("qkkp it", "spec: {}");
    const char *since = since_of("qkkp it");
    const char *written = text_at("qkkp it", "status lastUpdateTime");
    const char *id = text_at("qkkp it", "status reconcileID");
    pass(MINUTE);
    put("qkkp it", "spec: {algorithm: ML-KEM-768}");
    run();
    asked_is("get secret it; write qkkp it status; ");
    is_served("qkkp it");
    told_is("");
    assert_int_equal(number_at("qkkp it", "status observedGeneration"), 2);
    assert_int_equal(number_at("qkkp it", "status secretRef generation"), 2);
    assert_string_equal(since_of("qkkp it"), since);
    assert_string_not_equal(text_at("qkkp it", "status lastUpdateTime"), written);
    assert_string_not_equal(text_at("qkkp it", "status reconcileID"), id);
}

// ---- what others have written to it

static void test_trap_31_a_status_that_is_wiped_comes_back(void **state) {
    static const struct {
        const char *name;
        const char *patch;
    } rows[] = {
        {"all of it", "status: null"},
        {"the condition", "status: {conditions: null}"},
        {"the condition, by somebody who writes his own",
         "status: {conditions: [{type: Theirs, status: 'True'}]}"},
        {"the condition's status",
         "status: {conditions: [{type: Ready, status: 'False', reason: Succeeded}]}"},
        {"its phase", "status: {status: null}"},
        {"its generation", "status: {observedGeneration: 7}"},
        {"the Secret", "status: {secretRef: null}"},
        {"the Secret's version", "status: {secretRef: {resourceVersion: '1'}}"},
        {"the digest", "status: {digest: null}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin_row(rows[i].name, state);
        make("qkkp it", "spec: {}");
        yyjson_val *before = at(get("qkkp it"), "status");
        yyjson_val *secret = get("secret it");
        put_status("qkkp it", "%s", rows[i].patch);
        run();
        static const char *const same[] = {"status",      "observedGeneration", "secretRef", "digest",
                                           "fingerprint", "publicKeyPEM",       "algorithm"};
        for (size_t j = 0; j < sizeof(same) / sizeof(same[0]); j++) {
            assert_same(at(get("qkkp it"), "status"), before, same[j]);
        }
        is_served("qkkp it");
        assert_same(get("secret it"), secret, "");
    }
}

// By a controller that writes the list of conditions with its own alone, as often as it is put back.
static void a_fight_over_the_conditions_slows_down(void **) {
    make("qkkp it", "spec: {}");
    int count = 0;
    while (count < 100 && ready_of("qkkp it") != nullptr) {
        put_status("qkkp it", "status: {conditions: [{type: Theirs, status: 'True'}]}");
        run();
        count++;
    }
    assert_int_equal(count, 2); // at once the first time only
    pass(3 * SECOND);
    is_served("qkkp it");
}

// That the API server does not answer is no fight: it is tried again as any other write.
static void a_condition_that_cannot_be_put_back_is_no_fight(void **) {
    make("qkkp it", "spec: {}");
    fault((struct fault){.request = "write qkkp it status", .class = ERROR_IO, .count = 5});
    put_status("qkkp it", "status: {conditions: null}");
    run();
    pass(SECOND);
    is_served("qkkp it");
}

static void conditions_of_others_stay(void **) {
    make("qkkp it", "spec: {}");
    char *ready = yyjson_val_write(ready_of("qkkp it"), 0, nullptr);
    put_status("qkkp it",
               "status: {conditions: [{type: Theirs, status: 'True', reason: Theirs, message: m, "
               "lastTransitionTime: '2026-01-01T00:00:00Z'}, %s]}",
               ready);
    yyjson_val *theirs = at(get("qkkp it"), "status conditions 0");
    run();
    put("qkkp it", "spec: {algorithm: nonsense}");
    run();
    status_is("qkkp it", "Failed InvalidSpec", "spec.algorithm");
    assert_true(yyjson_equals(at(get("qkkp it"), "status conditions 0"), theirs));
    assert_int_equal(yyjson_arr_size(at(get("qkkp it"), "status conditions")), 2);
    free(ready);
}

static void fields_that_nobody_means_go_with_the_next_status(void **) {
    make("qkkp it", "spec: {}");
    put_status("qkkp it", "status: {theirs: x}");
    run();
    asked_is("");
    put("qkkp it", "spec: {algorithm: ML-KEM-768}");
    run();
    is_served("qkkp it");
    assert_null(at(get("qkkp it"), "status theirs"));
}

// ---- transitions

static void a_transition_is_one_of_the_conditions_status(void **) {
    put("qrn it", "spec: {numBytes: 0}");
    run();
    status_is("qrn it", "Failed InvalidSpec", "numBytes");
    const char *failed = since_of("qrn it");
    told_is("!InvalidSpec qrn it; ");
    pass(MINUTE);
    put("secret it", "data: {theirs: eA==}");
    put("qrn it", "spec: {numBytes: 16}");
    run();
    status_is("qrn it", "Failed SecretConflict", ""); // another reason, and as False as before
    assert_string_equal(since_of("qrn it"), failed);
    told_is("!SecretConflict qrn it; ");
    pass(MINUTE);
    take_away("secret it");
    run();
    is_served("qrn it");
    const char *served = since_of("qrn it");
    assert_string_not_equal(served, failed);
    told_is("Succeeded qrn it; ");
    pass(MINUTE);
    put("qrn it", "spec: {numBytes: 0}");
    run();
    assert_string_not_equal(since_of("qrn it"), served);
    told_is("!InvalidSpec qrn it; ");
}

static void a_message_that_changes_alone_is_no_transition(void **) {
    put("qrn it", "spec: {numBytes: 0}");
    run();
    forget();
    const char *since = since_of("qrn it");
    pass(MINUTE);
    put("qrn it", "spec: {numBytes: 16, provider: nonsense}");
    run();
    status_is("qrn it", "Failed InvalidSpec", "spec.provider");
    assert_string_equal(since_of("qrn it"), since);
    told_is("");
}

static void an_event_has_the_id_of_its_status(void **) {
    put("qkkp it", "spec: {}");
    run();
    const struct told *told = find_told("Succeeded qkkp it");
    assert_string_equal(told->id, text_at("qkkp it", "status reconcileID"));
}

// ---- what is said of a finished object

static void its_message_says_what_there_is(void **) {
    char wanted[200];
    make("qkkp it", "spec: {}");
    snprintf(wanted, sizeof(wanted), "key pair %s (ML-KEM-768) in Secret it",
             text_at("qkkp it", "status fingerprint"));
    assert_string_equal(json_member_text(ready_of("qkkp it"), "message"), wanted);
    make("qrn short", "spec: {numBytes: 8}"); // whose fingerprint would give it away
    assert_string_equal(json_member_text(ready_of("qrn short"), "message"),
                        "random bytes (system) in Secret short");
    make("qc it", "spec: {certType: ca, commonName: Root, algorithm: ML-DSA-44}");
    snprintf(wanted, sizeof(wanted), "certificate %s (ML-DSA-44) by CN=Root until %s, in Secret it-secret",
             text_at("qc it", "status fingerprint"), text_at("qc it", "status notAfter"));
    assert_string_equal(json_member_text(ready_of("qc it"), "message"), wanted);
}

// That of the condition follows from the output alone, and is written when something else is to be written.
static void the_words_of_an_earlier_release_cost_no_write(void **) {
    make("qkkp it", "spec: {}");
    put_status("qkkp it", "status: {conditions: [{type: Ready, status: 'True', reason: Succeeded, "
                          "observedGeneration: 1, lastTransitionTime: '2026-01-01T00:00:00Z', "
                          "message: the output Secret is as specified}]}");
    forget();
    restart();
    run();
    asked_is("");
    told_is("");
    put("secret it", "metadata: {labels: {theirs: x}}");
    run();
    is_served("qkkp it");
    assert_int_equal(count_asked("write qkkp it status"), 1);
    restart();
    pass(MINUTE);
    assert_int_equal(count_asked("write qkkp it status"), 1);
    told_is("");
}

static void its_event_says_what_was_done(void **) {
    put("qkkp it", "spec: {deletionPolicy: Retain, onKeyLoss: Fail}");
    run();
    note_has("Succeeded qkkp it", "Made: key pair ");
    put_status("qkkp it", "status: null");
    forget();
    run();
    note_has("Succeeded qkkp it", "Found as specified: key pair ");
    put_copy("secret kept", "secret it", "metadata: {}");
    take_away("qkkp it");
    collect();
    put("qkkp it", "spec: {deletionPolicy: Retain, onKeyLoss: Fail}");
    run();
    note_has("Succeeded qkkp it", "Taken over: key pair ");
    note_has("Adopted qkkp it", "took over Secret it with its private key");
    take_away("secret it");
    run();
    status_is("qkkp it", "Failed KeyLost", "");
    put("qkkp it", "spec: {onKeyLoss: Recreate}");
    run();
    note_has("Succeeded qkkp it", "Made anew, it was lost: key pair ");
}

// ---- what a verdict says

static void verdicts_have_reasons_of_their_own(void **) {
    make("qskp signer", "spec: {algorithm: ML-DSA-44}");
    put("configmap m", "data: {text: hello}");
    make("qsm s", "spec: {privateKeyRef: {name: signer}, messageRef: {kind: ConfigMap, name: m, key: text}}");
    put("qvs it", "spec: {publicKeyRef: {name: signer}, signatureRef: {name: s}, "
                  "messageRef: {kind: ConfigMap, name: m, key: text}}");
    run();
    status_is("qvs it", "Valid SignatureValid", "");
    told_is("SignatureValid qvs it; ");
    assert_null(at(get("qvs it"), "status secretRef"));
    put("configmap other", "data: {text: good bye}");
    put("qvs it", "spec: {messageRef: {name: other}}");
    run();
    status_is("qvs it", "Invalid SignatureInvalid", "");
    told_is("!SignatureInvalid qvs it; ");
    forget();
    restart();
    run();
    asked_is("");
    take_away("configmap other");
    run();
    status_is("qvs it", "Pending WaitingForConfigMap", "other");
    static const char *const gone[] = {"algorithm", "inputs", "fingerprint"};
    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
        assert_null(yyjson_obj_get(at(get("qvs it"), "status"), gone[i]));
    }
}

// ---- failures that pass, or last

static void refuse(const char *message) {
    cluster.fault_count = 0;
    fault((struct fault){
        .request = "create secret it", .class = ERROR_REFUSED, .message = message, .count = FOREVER});
}

static void test_trap_30_53_a_refusal_whose_text_varies_is_one_status(void **) {
    refuse("policy: request 4711 is refused");
    put("qrn it", "spec: {}");
    run();
    status_is("qrn it", "Failed RequestRefused", "request 4711");
    yyjson_val *before = at(get("qrn it"), "status");
    refuse("policy: request 4712 is refused");
    pass(8 * SECOND);
    assert_same(at(get("qrn it"), "status"), before, "");
    assert_int_equal(count_asked("write qrn it status"), 1);
    assert_in_range(count_asked("create secret it"), 5, 10);
    assert_int_equal(cluster.told_count, count_asked("create secret it")); // a series
    for (size_t i = 0; i < cluster.told_count; i++) {
        assert_string_equal(cluster.told[i].note, cluster.told[0].note);
    }
    refuse("policy: there is no room");
    pass(20 * SECOND);
    status_is("qrn it", "Failed RequestRefused", "there is no room");
    cluster.fault_count = 0;
    pass(MINUTE);
    is_served("qrn it");
}

// ---- how it is sent

// The stores do not keep all of a status, so one that leaves something alone is a patch.
static void a_status_is_sent_whole_where_nothing_of_it_is_kept(void **) {
    make("qkkp pair", "spec: {}");
    make("qes it", "spec: {publicKeyRef: {name: pair}}");
    assert_int_equal(cluster.updates, 2);
    yyjson_val *before = at(get("qes it"), "status");
    take_away("qkkp pair");
    run();
    status_is("qes it", "Pending WaitingForQuantumKEMKeyPair", "");
    assert_same(at(get("qes it"), "status"), before, "ciphertext");
    assert_int_equal(cluster.updates, 2);
    collect();
    put("qkkp pair", "spec: {}");
    run();
    pass(SECOND);
    is_served("qes it");
    assert_int_equal(cluster.updates, 4);
    assert_null(at(get("qes it"), "status error"));
}

// ---- transient ones

static void fail_transiently(const char *request, unsigned count) {
    fault((struct fault){.request = request, .class = ERROR_IO, .message = "no answer", .count = count});
}

static void what_passes_soon_is_not_shown(void **) {
    fail_transiently("create secret it", 5);
    put("qrn it", "spec: {}");
    pass(900);
    faults_are_over();
    is_served("qrn it");
    told_is("Succeeded qrn it; ");
    assert_int_equal(count_asked("write qrn it status"), 1);
}

static void what_lasts_is_shown_once(void **) {
    fail_transiently("create secret it", FOREVER);
    put("qrn it", "spec: {}");
    pass(SECOND);
    status_is("qrn it", "", "");
    pass(5 * SECOND);
    status_is("qrn it", "Pending Retrying", "writing Secret it: no answer");
    pass(10 * MINUTE - 6 * SECOND);
    assert_int_equal(count_asked("write qrn it status"), 1);
    told_is("!Retrying qrn it; ");
    assert_in_range(count_asked("create secret it"), 10, 40); // at least every minute
    cluster.fault_count = 0;
    pass(MINUTE + SECOND);
    is_served("qrn it");
    told_is("Succeeded qrn it; ");
}

static void two_tries_that_are_far_apart_are_shown_after_a_minute(void **) {
    fault((struct fault){.request = "create secret it",
                         .class = ERROR_RETRYABLE,
                         .message = "too busy",
                         .retry_after_ms = 40 * SECOND,
                         .count = FOREVER});
    put("qrn it", "spec: {}");
    pass(41 * SECOND);
    assert_int_equal(count_asked("create secret it"), 2);
    status_is("qrn it", "", "");
    pass(40 * SECOND);
    status_is("qrn it", "Pending Retrying", "too busy");
}

// A finished object stays what it is: what was made is good and in use.
static void of_a_finished_object_an_outage_is_an_event(void **) {
    make("qkkp it", "spec: {}");
    yyjson_val *before = at(get("qkkp it"), "status");
    fail_transiently("get secret it", FOREVER);
    put("secret it", "metadata: {labels: {theirs: x}}");
    pass(50 * SECOND);
    told_is("");
    pass(20 * MINUTE);
    assert_same(at(get("qkkp it"), "status"), before, "");
    told_is("!Retrying qkkp it; ");
    cluster.fault_count = 0;
    pass(MINUTE + SECOND);
    is_served("qkkp it");
    told_is("");
}

static void but_what_is_known_to_be_outdated_is_shown(void **state) {
    static const struct {
        const char *name;
        const char *object;
        const char *yaml;
        const char *request;
    } rows[] = {
        {"edited", "qes it", "spec: {algorithm: ML-KEM-768}", "get secret it"},
        {"its Secret is damaged", "secret it", "data: {ciphertext: eA==}", "list qes it"},
        {"an input is another one", "configmap peer", "data: {other: x}", "get configmap peer"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin_row(rows[i].name, state);
        make("qkkp pair", "spec: {}");
        char *pem = yyjson_val_write(at(get("qkkp pair"), "status publicKeyPEM"), 0, nullptr);
        put("configmap peer", "data: {k: %s}", pem);
        free(pem);
        make("qes it", "spec: {publicKeyRef: {kind: ConfigMap, name: peer, key: k}}");
        fail_transiently(rows[i].request, FOREVER);
        put(rows[i].object, "%s", rows[i].yaml);
        pass(10 * SECOND);
        status_is("qes it", "Pending Retrying", "no answer");
        assert_string_not_equal(text_at("qes it", "status fingerprint"), "");
        cluster.fault_count = 0;
        pass(2 * MINUTE);
        is_served("qes it");
    }
}

static void a_status_that_cannot_be_written_is_tried_again(void **) {
    fail_transiently("write qrn it status", 3);
    put("qrn it", "spec: {numBytes: 0}");
    pass(20 * SECOND);
    faults_are_over();
    status_is("qrn it", "Failed InvalidSpec", "numBytes");
    told_is("!InvalidSpec qrn it; ");
}

// Each conflict is a new look at the object, and a longer wait.
static void test_trap_32_conflicts_that_go_on_back_off(void **) {
    fault((struct fault){.request = "write qrn it status", .class = ERROR_CONFLICT, .count = 4});
    put("qrn it", "spec: {}");
    run();
    asked_is("create secret it; write qrn it status; list qrn it; ");
    for (int64_t wait_ms = 5; wait_ms < 40; wait_ms *= 2) {
        pass(wait_ms - 1);
        asked_is("");
        pass(1);
        asked_is("get secret it; write qrn it status; list qrn it; ");
        status_is("qrn it", "", "");
    }
    pass(40);
    faults_are_over();
    asked_is("get secret it; write qrn it status; ");
    is_served("qrn it");
    told_is("Succeeded qrn it; ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_cluster(test_trap_30_nothing_is_written_that_is_the_same),
        in_cluster(an_edit_that_changes_no_output_writes_its_generation),
        in_cluster(test_trap_31_a_status_that_is_wiped_comes_back),
        in_cluster(a_fight_over_the_conditions_slows_down),
        in_cluster(a_condition_that_cannot_be_put_back_is_no_fight),
        in_cluster(conditions_of_others_stay),
        in_cluster(fields_that_nobody_means_go_with_the_next_status),
        in_cluster(a_transition_is_one_of_the_conditions_status),
        in_cluster(a_message_that_changes_alone_is_no_transition),
        in_cluster(an_event_has_the_id_of_its_status),
        in_cluster(its_message_says_what_there_is),
        in_cluster(the_words_of_an_earlier_release_cost_no_write),
        in_cluster(its_event_says_what_was_done),
        in_cluster(verdicts_have_reasons_of_their_own),
        in_cluster(test_trap_30_53_a_refusal_whose_text_varies_is_one_status),
        in_cluster(a_status_is_sent_whole_where_nothing_of_it_is_kept),
        in_cluster(what_passes_soon_is_not_shown),
        in_cluster(what_lasts_is_shown_once),
        in_cluster(two_tries_that_are_far_apart_are_shown_after_a_minute),
        in_cluster(of_a_finished_object_an_outage_is_an_event),
        in_cluster(but_what_is_known_to_be_outdated_is_shown),
        in_cluster(test_trap_32_conflicts_that_go_on_back_off),
        in_cluster(a_status_that_cannot_be_written_is_tried_again),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
