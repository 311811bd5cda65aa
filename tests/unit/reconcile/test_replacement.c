// What is told when an output is not the one that it was, and by whom it was made another one.
#include "cluster.h"

static const struct told *the_only_one(const char *what) {
    assert_int_equal(cluster.told_count, 1);
    return find_told(what);
}

static void put_message(const char *text) {
    char encoded[100];
    snprintf(encoded, sizeof(encoded), "%s", text);
    put("configmap m", "data: {text: '%s'}", encoded);
}

static void make_signature(void) {
    make("qskp signer", "spec: {algorithm: ML-DSA-44}");
    put_message("hello");
    make("qsm it",
         "spec: {privateKeyRef: {name: signer}, messageRef: {kind: ConfigMap, name: m, key: text}}");
}

static void make_exchange(void) {
    make("qkkp pair", "spec: {}");
    make("qes it", "spec: {publicKeyRef: {name: pair}}");
}

// ---- by the operator

static void what_can_be_made_again_is_replaced(void **) {
    make_signature();
    const char *before = text_at("qsm it", "status fingerprint");
    put_message("good bye");
    run();
    is_served("qsm it");
    char part[200];
    snprintf(part, sizeof(part),
             "Secret it-signature: what spec.messageRef refers to has changed: m; %s was replaced by %s",
             before, text_at("qsm it", "status fingerprint"));
    const struct told *told = the_only_one("Replaced qsm it");
    assert_false(told->warning);
    assert_string_equal(told->note, part);
    assert_string_equal(told->id, text_at("qsm it", "status reconcileID"));
    put("qsm it", "spec: {context: other}");
    run(); // so soon after the last time it waits
    assert_string_equal(cluster.outcome.error.message,
                        "an input has changed again and will be taken up later");
    pass(2 * SECOND);
    note_has("Replaced qsm it", "Secret it-signature: spec has changed; ");
}

static void a_key_that_is_gone_is_a_warning(void **) {
    make_exchange();
    make("qkkp other", "spec: {}");
    const char *before = text_at("qes it", "status fingerprint");
    put("qes it", "spec: {publicKeyRef: {name: other}}");
    run();
    char part[200];
    snprintf(part, sizeof(part),
             "Secret it: what spec.publicKeyRef refers to has changed: other; %s was replaced by %s (shared "
             "secret)",
             before, text_at("qes it", "status fingerprint"));
    const struct told *told = the_only_one("KeyReplaced qes it");
    assert_true(told->warning);
    assert_string_equal(told->note, part);
}

static void a_certificate_that_is_issued_again_tells_why(void **) {
    make("qc root", "spec: {certType: ca, commonName: One, algorithm: ML-DSA-44}");
    make("qc it",
         "spec: {certType: server, domain: a.example, algorithm: ML-DSA-44, parentCARef: {name: root}}");
    put("qc it", "spec: {domain: b.example}");
    run();
    is_served("qc it");
    assert_false(find_told("Replaced qc it")->warning);
    note_has("Replaced qc it", "Secret it-secret: spec has changed; ");
    forget();
    put("qc root", "spec: {commonName: Two}");
    run();
    pass(62 * MINUTE);
    is_served("qc it");
    note_has("Rotated qc root", "Secret root-secret: spec has changed; ");
    note_has("Replaced qc it", "Secret it-secret: what spec.parentCARef refers to has changed: root; ");
}

static void what_follows_from_a_lost_key_is_told_to_its_end(void **) {
    make_exchange();
    make("qds opened", "spec: {privateKeyRef: {name: pair}, ciphertextRef: {name: it}}");
    make("qdk key", "spec: {sharedSecretRef: {name: opened}}");
    const char *before = text_at("qdk key", "status fingerprint");
    take_away("secret pair");
    run();
    pass(20 * SECOND);
    is_served("qdk key");
    static const char *const told[] = {"SecretLost qkkp pair", "KeyReplaced qes it", "KeyReplaced qds opened",
                                       "KeyReplaced qdk key"};
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        assert_true(find_told(told[i])->warning);
    }
    char note[200];
    snprintf(
        note, sizeof(note),
        "Secret key: what spec.sharedSecretRef refers to has changed: opened; %s was replaced by %s (key)",
        before, text_at("qdk key", "status fingerprint"));
    assert_string_equal(find_told("KeyReplaced qdk key")->note, note);
}

static void an_input_of_the_same_content_replaces_nothing(void **) {
    make_signature();
    yyjson_val *before = get("secret it-signature");
    put("configmap m", "data: {other: x}");
    run();
    asked_is("get secret signer cached; get configmap m; get secret it-signature; write qsm it status; ");
    assert_same(get("secret it-signature"), before, "");
    take_away("configmap m");
    put_message("hello");
    pass(5 * SECOND);
    is_served("qsm it");
    assert_same(get("secret it-signature"), before, "");
    assert_string_equal(text_at("qsm it", "status inputs 1 uid"), text_at("configmap m", "metadata uid"));
}

// ---- by the clock

static void a_certificate_is_renewed_before_its_end(void **) {
    make("qc it", "spec: {commonName: x, algorithm: ML-DSA-44, durationDays: 30}");
    const char *key = entry("secret it-secret", "tls.key");
    const char *before = entry("secret it-secret", "tls.crt");
    int64_t renewal_s;
    assert_true(clock_parse(text_at("qc it", "status renewalTime"), &renewal_s));
    clock_ms = (renewal_s - BEGINNING_S) * SECOND - 10 * MINUTE;
    run();
    assert_string_equal(entry("secret it-secret", "tls.crt"), before);
    told_is("");
    pass(11 * MINUTE);
    is_served("qc it");
    assert_string_not_equal(entry("secret it-secret", "tls.crt"), before);
    assert_string_equal(entry("secret it-secret", "tls.key"), key);
    const struct told *told = the_only_one("Renewed qc it");
    assert_false(told->warning);
    note_has("Renewed qc it", "Secret it-secret: it was due for renewal; ");
}

static void a_renewal_that_fails_is_tried_again_and_the_certificate_stays(void **) {
    make("qc it", "spec: {commonName: x, algorithm: ML-DSA-44, durationDays: 30}");
    const char *before = entry("secret it-secret", "tls.crt");
    int64_t renewal_s;
    assert_true(clock_parse(text_at("qc it", "status renewalTime"), &renewal_s));
    fault((struct fault){.request = "patch secret it-secret", .class = ERROR_IO, .count = 3});
    clock_ms = (renewal_s - BEGINNING_S) * SECOND;
    run();
    assert_string_equal(entry("secret it-secret", "tls.crt"), before);
    is_served("qc it");
    pass(30 * SECOND);
    faults_are_over();
    is_served("qc it");
    assert_string_not_equal(entry("secret it-secret", "tls.crt"), before);
    told_is("Renewed qc it; ");
}

static void a_certificate_that_ends_while_it_waits_is_told_once(void **) {
    int64_t end_s;
    make("qc root", "spec: {certType: ca, commonName: Root, algorithm: ML-DSA-44, durationDays: 90}");
    make("qc it", "spec: {certType: server, domain: a.example, algorithm: ML-DSA-44, durationDays: 30, "
                  "parentCARef: {name: root}}");
    assert_true(clock_parse(text_at("qc it", "status notAfter"), &end_s));
    char ended[CLOCK_TEXT_SIZE + 64];
    snprintf(ended, sizeof(ended), "its certificate ended at %s; ", text_at("qc it", "status notAfter"));
    take_away("qc root");
    collect();
    run();
    status_is("qc it", "Pending WaitingForQuantumCertificate", "");
    forget();
    clock_ms = (end_s - BEGINNING_S) * SECOND - HOUR - SECOND;
    run();
    pass(HOUR);
    assert_null(strstr(text_at("qc it", "status conditions 0 message"), "ended"));
    told_is("");
    pass(SECOND);
    status_is("qc it", "Pending WaitingForQuantumCertificate", ended);
    told_is("!CertificateExpired qc it; ");
    put("qc it", "spec: {durationDays: 0}"); // another reason, and the same end
    run();
    status_is("qc it", "Failed InvalidSpec", ended);
    told_is("!InvalidSpec qc it; ");
    put("qc it", "spec: {durationDays: 30}");
    put("qc root", "spec: {certType: ca, commonName: Root, algorithm: ML-DSA-44, durationDays: 90}");
    run();
    pass(DAY);
    is_served("qc it");
    told_is("WaitingForQuantumCertificate qc it; Succeeded qc root; Adopted qc root; Succeeded qc it; "
            "Renewed qc it; ");
}

// However slowly it is tried by then.
static void the_end_of_a_certificate_that_cannot_be_renewed_is_told_when_it_comes(void **) {
    int64_t end_s;
    int64_t renewal_s;
    make("qc it", "spec: {commonName: x, algorithm: ML-DSA-44, durationDays: 30}");
    assert_true(clock_parse(text_at("qc it", "status notAfter"), &end_s));
    assert_true(clock_parse(text_at("qc it", "status renewalTime"), &renewal_s));
    fault((struct fault){.request = "patch secret it-secret", .class = ERROR_FORBIDDEN, .count = FOREVER});
    clock_ms = (renewal_s - BEGINNING_S) * SECOND;
    run();
    pass(3 * HOUR);
    clock_ms = (end_s - BEGINNING_S) * SECOND - 5 * MINUTE;
    run();
    forget();
    pass(5 * MINUTE - 10 * SECOND);
    status_is("qc it", "Failed RequestRefused", "writing Secret it-secret");
    told_is("");
    pass(10 * SECOND);
    status_is("qc it", "Failed RequestRefused", "its certificate ended at ");
    assert_non_null(find_told("CertificateExpired qc it"));
}

static void a_root_that_is_another_one_is_told(void **) {
    make("qc root", "spec: {certType: ca, commonName: Root, algorithm: ML-DSA-44, onKeyLoss: Recreate}");
    make("qc it",
         "spec: {certType: server, domain: a.example, algorithm: ML-DSA-44, parentCARef: {name: root}}");
    const char *key = entry("secret it-secret", "tls.key");
    take_away("secret root-secret");
    run();
    pass(5 * SECOND);
    is_served("qc root");
    is_served("qc it");
    assert_string_equal(entry("secret it-secret", "tls.key"), key);
    assert_true(find_told("SecretLost qc root")->warning);
    assert_true(find_told("KeyReplaced qc it")->warning);
    note_has("KeyReplaced qc it", "(issued under another root certificate)");
}

static void what_ends_with_its_issuer_is_told_when_it_is_made(void **) {
    make("qc root", "spec: {certType: ca, commonName: Root, algorithm: ML-DSA-44, durationDays: 30}");
    put("qc it", "spec: {certType: server, domain: a.example, algorithm: ML-DSA-44, durationDays: 90, "
                 "parentCARef: {name: root}}");
    run();
    is_served("qc it");
    told_is("!NotAfterClamped qc it; Succeeded qc it; ");
    restart();
    run();
    told_is("");
}

// ---- by somebody else, or by one that was ended

static void one_that_somebody_has_written_is_told(void **) {
    make("qkkp other", "spec: {}");
    make("qkkp it", "spec: {}");
    const char *before = text_at("qkkp it", "status fingerprint");
    const char *theirs = text_at("qkkp other", "status fingerprint");
    put_copy("secret it", "secret other", "metadata: {}");
    run();
    is_served("qkkp it");
    char part[300];
    snprintf(part, sizeof(part),
             "no longer holds what this object's status has recorded: %s was replaced by %s; who wrote",
             before, theirs);
    assert_true(the_only_one("KeyReplaced qkkp it")->warning);
    note_has("KeyReplaced qkkp it", part);
    assert_string_equal(text_at("qkkp it", "status fingerprint"), theirs);
    assert_string_equal(entry("secret it", "public_key"), entry("secret other", "public_key"));
}

static void fault_that_ends_the_process(void) {
    fault((struct fault){.request = "write qsm it status", .class = ERROR_IO, .count = FOREVER});
    fault((struct fault){.request = "write qes it status", .class = ERROR_IO, .count = FOREVER});
}

static void one_that_was_ended_is_followed_by_one_that_tells(void **) {
    make_signature();
    fault_that_ends_the_process();
    put_message("good bye");
    run();
    told_is("");
    const char *signature = entry("secret it-signature", "signature");
    cluster.fault_count = 0;
    restart();
    run();
    is_served("qsm it");
    assert_string_equal(entry("secret it-signature", "signature"), signature);
    note_has("Replaced qsm it", "in a reconcile that was interrupted");
    assert_int_equal(cluster.told_count, 1);
}

// Where something can have gone that people would miss, what the Secret claims is not believed.
static void of_what_is_precious_it_tells_as_of_somebody_elses(void **) {
    make_exchange();
    make("qkkp other", "spec: {}");
    fault_that_ends_the_process();
    put("qes it", "spec: {publicKeyRef: {name: other}}");
    run();
    told_is("");
    const char *secret = entry("secret it", "shared_secret");
    cluster.fault_count = 0;
    restart();
    run();
    is_served("qes it");
    assert_string_equal(entry("secret it", "shared_secret"), secret);
    assert_true(the_only_one("KeyReplaced qes it")->warning);
    note_has("KeyReplaced qes it", "no longer holds what this object's status has recorded");
}

// ---- one that is left, and does not fit

static void what_is_left_and_does_not_fit_is_not_touched(void **state) {
    static const struct {
        const char *name;
        const char *damage; // to the Secret that is left
        const char *spec;   // of the object that comes
        const char *message;
    } rows[] = {
        {"of another spec", "", "algorithm: ML-KEM-1024",
         "the Secret holds a key pair of ML-KEM-768, not of ML-KEM-1024"},
        {"damaged", "data: {public_key: eA==}", "algorithm: ML-KEM-768", "public_key"},
        {"without its key", "data: {private_key: null, private_key.pem: null}", "algorithm: ML-KEM-768", ""},
        {"without metadata", "data: {metadata: null}", "algorithm: ML-KEM-768", "metadata"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin_row(rows[i].name, state);
        make("qkkp it", "spec: {deletionPolicy: Retain, algorithm: ML-KEM-768}");
        take_away("qkkp it");
        collect();
        if (rows[i].damage[0] != '\0') {
            put("secret it", "%s", rows[i].damage);
        }
        yyjson_val *left = get("secret it");
        put("qkkp it", "spec: {%s}", rows[i].spec);
        run();
        status_is("qkkp it", "Failed SecretConflict",
                  "Secret it is left from an earlier QuantumKEMKeyPair of this name and is not what this one "
                  "asks for");
        status_is("qkkp it", "Failed SecretConflict", rows[i].message);
        assert_same(get("secret it"), left, "");
        told_is("!SecretConflict qkkp it; ");
    }
}

static void nor_is_what_was_made_from_other_inputs(void **) {
    make_signature();
    put("qsm it", "spec: {deletionPolicy: Retain}");
    run();
    yyjson_val *spec = at(get("qsm it"), "spec");
    take_away("qsm it");
    put_message("good bye");
    yyjson_val *left = get("secret it-signature");
    forget();
    char *text = yyjson_val_write(spec, 0, nullptr);
    put("qsm it", "spec: %s", text);
    run();
    status_is("qsm it", "Failed SecretConflict", "(it was made from another spec or other inputs)");
    assert_same(get("secret it-signature"), left, "");
    put_message("hello");
    run();
    is_served("qsm it");
    told_is("!SecretConflict qsm it; Succeeded qsm it; Adopted qsm it; ");
    free(text);
}

// Of a certificate the key is kept, whoever issues it now.
static void a_certificate_of_another_state_of_its_issuer_is_taken_over(void **) {
    make("qc root", "spec: {certType: ca, commonName: Root, algorithm: ML-DSA-44}");
    make("qc it", "spec: {certType: server, domain: a.example, algorithm: ML-DSA-44, deletionPolicy: Retain, "
                  "parentCARef: {name: root}}");
    const char *key = entry("secret it-secret", "tls.key");
    take_away("qc it");
    take_away("secret root-secret");
    run();
    pass(5 * SECOND);
    is_served("qc root");
    forget();
    put("qc it", "spec: {certType: server, domain: a.example, algorithm: ML-DSA-44, deletionPolicy: Retain, "
                 "parentCARef: {name: root}}");
    run();
    is_served("qc it");
    assert_string_equal(entry("secret it-secret", "tls.key"), key);
    assert_true(find_told("KeyReplaced qc it")->warning);
}

// ---- an old view

static void edit_exchange(void) {
    put("qes it", "spec: {publicKeyRef: {name: pair}}");
}

static void change_pair(void) {
    put("qkkp other", "spec: {secretTemplate: {labels: {a: b}}}");
}

static void label_secret_of_pair(void) {
    put("secret other", "metadata: {labels: {theirs: x}}");
}

static void test_trap_52_nothing_is_replaced_because_of_an_old_view(void **state) {
    static const struct {
        const char *name;
        void (*live)(void);
        const char *message;
    } rows[] = {
        {"of the object", edit_exchange, "the object has been edited, which the watch has not shown yet"},
        {"of an input", change_pair,
         "spec.publicKeyRef: QuantumKEMKeyPair other has changed, which the watch has not shown yet"},
        {"of the Secret of an input", label_secret_of_pair,
         "spec.publicKeyRef: QuantumKEMKeyPair other has changed, which the watch has not shown yet"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin_row(rows[i].name, state);
        make_exchange();
        make("qkkp other", "spec: {}");
        const char *secret = entry("secret it", "shared_secret");
        put("qes it", "spec: {publicKeyRef: {name: other}}");
        silence();
        fault((struct fault){.request = "list qes it", .before = rows[i].live});
        struct object_key key;
        struct queue_attempt attempt;
        assert_true(queue_take(cluster.queue, &key, &attempt));
        controller_process(&cluster.controller, &key, &attempt);
        queue_done(cluster.queue, &key);
        assert_string_equal(cluster.outcome.error.message, rows[i].message);
        assert_int_equal(cluster.outcome.error.class, ERROR_RETRYABLE);
        assert_string_equal(entry("secret it", "shared_secret"), secret);
        hear();
        pass(5 * SECOND);
        is_served("qes it");
        if (i == 0) { // it is as it was
            assert_string_equal(entry("secret it", "shared_secret"), secret);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_cluster(what_can_be_made_again_is_replaced),
        in_cluster(a_key_that_is_gone_is_a_warning),
        in_cluster(a_certificate_that_is_issued_again_tells_why),
        in_cluster(what_follows_from_a_lost_key_is_told_to_its_end),
        in_cluster(an_input_of_the_same_content_replaces_nothing),
        in_cluster(a_certificate_is_renewed_before_its_end),
        in_cluster(a_certificate_that_ends_while_it_waits_is_told_once),
        in_cluster(a_renewal_that_fails_is_tried_again_and_the_certificate_stays),
        in_cluster(the_end_of_a_certificate_that_cannot_be_renewed_is_told_when_it_comes),
        in_cluster(a_root_that_is_another_one_is_told),
        in_cluster(what_ends_with_its_issuer_is_told_when_it_is_made),
        in_cluster(one_that_somebody_has_written_is_told),
        in_cluster(one_that_was_ended_is_followed_by_one_that_tells),
        in_cluster(of_what_is_precious_it_tells_as_of_somebody_elses),
        in_cluster(what_is_left_and_does_not_fit_is_not_touched),
        in_cluster(nor_is_what_was_made_from_other_inputs),
        in_cluster(a_certificate_of_another_state_of_its_issuer_is_taken_over),
        in_cluster(test_trap_52_nothing_is_replaced_because_of_an_old_view),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
