// The ConfigMap with the roots of a CA.
#include "cluster.h"

static const char root[] = "spec: {certType: ca, commonName: Root, algorithm: ML-DSA-44, trustBundle: "
                           "{configMapName: roots}}";
static const char owned[] = "spec: {certType: ca, commonName: Root, algorithm: ML-DSA-44, deletionPolicy: "
                            "Delete, trustBundle: {configMapName: roots}}";

// The ConfigMap has what the Secret's entry has.
static void is_bundle(const char *config_map, const char *secret) {
    struct error e;
    const char *encoded = entry(secret, "ca.crt");
    cleanup_secret struct secret *bytes = nullptr;
    must(base64_decode(encoded, strlen(encoded), ENCODING_ONE_LINE, &bytes, &e), e);
    const char *text = text_at(config_map, "data ca.crt");
    assert_int_equal(strlen(text), secret_length(bytes));
    assert_memory_equal(text, secret_view(bytes), secret_length(bytes));
}

// The status names it as it is, and nothing is wrong with it.
static void is_recorded(const char *object, const char *config_map) {
    assert_string_equal(text_at(object, "status trustBundle name"), text_at(config_map, "metadata name"));
    assert_string_equal(text_at(object, "status trustBundle uid"), text_at(config_map, "metadata uid"));
    assert_string_equal(text_at(object, "status trustBundle resourceVersion"),
                        text_at(config_map, "metadata resourceVersion"));
    assert_int_equal(strlen(text_at(object, "status trustBundle digest")), strlen("sha256:") + 64);
    assert_string_equal(text_at(object, "status trustBundle reason"), "");
    is_served(object);
}

static void is_told(const char *object, const char *reason, const char *part) {
    is_served(object);
    assert_string_equal(text_at(object, "status trustBundle reason"), reason);
    assert_non_null(strstr(text_at(object, "status trustBundle message"), part));
    assert_string_equal(text_at(object, "status trustBundle digest"), "");
}

static void it_is_made_after_the_secret_and_before_the_status(void **) {
    put("qc a", root);
    run();
    asked_is("list qc a; create secret a-secret; create configmap roots; write qc a status; ");
    is_bundle("configmap roots", "secret a-secret");
    is_recorded("qc a", "configmap roots");
    owner_is("configmap roots", nullptr);
    note_has("TrustBundleWritten qc a", "ConfigMap roots was written, with 1 certificate in ca.crt");
    told_is("Succeeded qc a; TrustBundleWritten qc a; ");
    pass(HOUR);
    asked_is("");
}

static void without_it_nothing_is_made(void **) {
    put("qc a", "spec: {certType: ca, commonName: Root, algorithm: ML-DSA-44}");
    run();
    assert_null(at(get("qc a"), "status trustBundle"));
    asked_is("list qc a; create secret a-secret; write qc a status; ");
}

static void it_goes_with_its_object_where_the_secret_does(void **) {
    make("qc a", owned);
    owner_is("configmap roots", "qc a");
    take_away("qc a");
    collect();
    assert_false(is_there("configmap roots"));
    begin_row("and stays where that does", nullptr);
    make("qc a", root);
    put("qc a", "spec: {deletionPolicy: Delete}");
    run();
    owner_is("configmap roots", "qc a");
    put("qc a", "spec: {deletionPolicy: Retain}");
    run();
    owner_is("configmap roots", nullptr);
    is_recorded("qc a", "configmap roots");
    take_away("qc a");
    collect();
    assert_true(is_there("configmap roots"));
}

static void an_intermediate_has_one_with_the_root(void **) {
    make("qc a", "spec: {certType: ca, commonName: Root, algorithm: ML-DSA-44}");
    make("qc b", "spec: {certType: ca, commonName: Below, algorithm: ML-DSA-44, parentCARef: {name: a}, "
                 "trustBundle: {configMapName: roots}}");
    is_bundle("configmap roots", "secret a-secret");
}

// ---- it is kept

static void it_is_made_anew_when_it_is_deleted(void **) {
    make("qc a", root);
    take_away("configmap roots");
    run();
    asked_is("get secret a-secret; list qc a; create configmap roots; write qc a status; ");
    is_bundle("configmap roots", "secret a-secret");
    is_recorded("qc a", "configmap roots");
    told_is("TrustBundleWritten qc a; ");
}

static void it_is_put_right_when_it_is_changed(void **) {
    make("qc a", root);
    put("configmap roots", "data: {ca.crt: mine, more: theirs}");
    run();
    asked_is("get secret a-secret; get configmap roots; patch configmap roots; write qc a status; ");
    is_bundle("configmap roots", "secret a-secret");
    is_recorded("qc a", "configmap roots");
    assert_string_equal(text_at("configmap roots", "data more"), "theirs");
    told_is("TrustBundleWritten qc a; ");
}

static void an_entry_of_that_name_in_binary_goes(void **) {
    make("qc a", root);
    put("configmap roots", "data: {ca.crt: null}\nbinaryData: {ca.crt: AAAA, other: AAAA}");
    run();
    is_bundle("configmap roots", "secret a-secret");
    assert_null(at(get("configmap roots"), "binaryData ca.crt"));
    assert_string_equal(text_at("configmap roots", "binaryData other"), "AAAA");
}

static void its_label_and_marks_are_put_back(void **) {
    make("qc a", root);
    put("configmap roots", "metadata: {labels: {app.kubernetes.io/managed-by: helm}, annotations: "
                           "{qubesec.io/owner: null}}");
    run();
    assert_string_equal(text_at("configmap roots", "metadata labels app.kubernetes.io/managed-by"),
                        "qubesec");
    assert_string_equal(text_at("configmap roots", "metadata annotations qubesec.io/owner"),
                        "QuantumCertificate/a");
    is_recorded("qc a", "configmap roots");
    told_is(""); // its content was as it should be
}

static void it_has_labels_and_annotations_of_its_own(void **) {
    make("qc a",
         "spec: {certType: ca, commonName: Root, algorithm: ML-DSA-44, secretTemplate: {labels: {of: "
         "secret}}, trustBundle: {configMapName: roots, labels: {of: map}, annotations: {for: you}}}");
    assert_string_equal(text_at("secret a-secret", "metadata labels of"), "secret");
    assert_string_equal(text_at("configmap roots", "metadata labels of"), "map");
    assert_string_equal(text_at("configmap roots", "metadata annotations for"), "you");
    put("qc a", "spec: {trustBundle: {labels: null}}");
    run();
    assert_string_equal(text_at("configmap roots", "metadata labels of"), "");
    assert_string_equal(text_at("secret a-secret", "metadata labels of"), "secret");
}

static void it_follows_the_secret(void **) {
    make("qc a",
         "spec: {certType: ca, commonName: Root, algorithm: ML-DSA-44, durationDays: 30, trustBundle: "
         "{configMapName: roots}}");
    char before[100];
    snprintf(before, sizeof(before), "%s", text_at("qc a", "status trustBundle digest"));
    put("qc a", "metadata: {annotations: {qubesec.io/renew: now}}");
    run();
    is_bundle("configmap roots", "secret a-secret");
    is_recorded("qc a", "configmap roots");
    assert_string_not_equal(text_at("qc a", "status trustBundle digest"), before);
    note_has("TrustBundleWritten qc a", "1 certificate");
}

// While another root is on its way, both are in it.
static void it_has_all_roots_of_a_rollover(void **) {
    make("qc a", root);
    put("qc a", "spec: {commonName: Another}");
    run();
    is_bundle("configmap roots", "secret a-secret");
    is_recorded("qc a", "configmap roots");
    note_has("TrustBundleWritten qc a", "with 2 certificates in ca.crt");
}

static void who_fights_over_it_waits(void **) {
    make("qc a", root);
    for (int i = 0; i < 2; i++) {
        take_away("configmap roots");
        run();
    }
    assert_false(is_there("configmap roots"));
    is_told("qc a", "TrustBundleContested", "again and again");
    put("qc a", "metadata: {labels: {look: again}}");
    run();
    assert_false(is_there("configmap roots")); // whatever wakes its object meanwhile
    told_is("TrustBundleWritten qc a; !TrustBundleContested qc a; ");
    pass(MINUTE);
    is_bundle("configmap roots", "secret a-secret");
    pass(HOUR);
    is_recorded("qc a", "configmap roots");
}

// ---- it is not wanted any more

static void under_another_name_the_former_is_deleted(void **) {
    make("qc a", root);
    put("qc a", "spec: {trustBundle: {configMapName: others}}");
    run();
    asked_is("get secret a-secret; list qc a; create configmap others; get configmap roots; delete configmap "
             "roots; write qc a status; ");
    assert_false(is_there("configmap roots"));
    is_recorded("qc a", "configmap others");
    told_is("TrustBundleDeleted qc a; TrustBundleWritten qc a; ");
}

static void the_former_stays_until_there_is_another(void **) {
    make("qc a", root);
    put("configmap others", "data: {ca.crt: mine}");
    put("qc a", "spec: {trustBundle: {configMapName: others}}");
    run();
    is_told("qc a", "TrustBundleConflict", "ConfigMap others is not QubeSec's");
    assert_true(is_there("configmap roots"));
    take_away("configmap others");
    run();
    is_recorded("qc a", "configmap others");
    assert_false(is_there("configmap roots"));
}

static void without_the_field_it_is_deleted(void **) {
    make("qc a", root);
    put("qc a", "spec: {trustBundle: null}");
    run();
    assert_false(is_there("configmap roots"));
    assert_null(at(get("qc a"), "status trustBundle"));
    told_is("TrustBundleDeleted qc a; ");
    forget();
    pass(HOUR);
    asked_is("");
}

// As after a restore of objects without their statuses.
static void what_no_status_names_is_found_by_its_marks(void **) {
    make("qc a", root);
    put("configmap former",
        "metadata: {labels: {app.kubernetes.io/managed-by: qubesec}, annotations: "
        "{qubesec.io/owner: QuantumCertificate/a, qubesec.io/owner-uid: %s, "
        "qubesec.io/owner-namespace: ns}}",
        text_at("qc a", "metadata uid"));
    put("qc a", "spec: {trustBundle: {configMapName: others}}");
    run();
    assert_false(is_there("configmap former"));
    assert_false(is_there("configmap roots"));
    is_recorded("qc a", "configmap others");
}

// As for a Secret, our label and the status that names its uid are enough.
static void one_that_has_lost_its_marks_is_known_again(void **) {
    make("qc a", root);
    put("configmap roots", "metadata: {annotations: null}\ndata: {ca.crt: mine}");
    run();
    is_bundle("configmap roots", "secret a-secret");
    is_recorded("qc a", "configmap roots");
    assert_string_equal(text_at("configmap roots", "metadata annotations qubesec.io/owner"),
                        "QuantumCertificate/a");
}

static void what_is_not_ours_is_not_deleted(void **) {
    make("qc a", root);
    put("configmap roots", "metadata: {annotations: null, labels: null}");
    run();
    is_told("qc a", "TrustBundleConflict", "is not QubeSec's");
    put("qc a", "spec: {trustBundle: null}");
    run();
    assert_true(is_there("configmap roots"));
    assert_null(at(get("qc a"), "status trustBundle"));
    assert_int_equal(count_asked("delete"), 0);
}

// ---- it is another's

static void what_is_another_s_is_not_touched(void **) {
    put("configmap roots", "data: {ca.crt: mine}");
    put("qc a", root);
    run();
    assert_string_equal(text_at("configmap roots", "data ca.crt"), "mine");
    is_told("qc a", "TrustBundleConflict", "ConfigMap roots is not QubeSec's. Nothing was touched.");
    told_is("Succeeded qc a; !TrustBundleConflict qc a; ");
    forget();
    put("configmap roots", "data: {ca.crt: still mine}");
    run();
    asked_is("");
    take_away("configmap roots");
    run();
    is_bundle("configmap roots", "secret a-secret");
    is_recorded("qc a", "configmap roots");
    told_is("TrustBundleWritten qc a; ");
}

static void a_copy_from_elsewhere_is_another_s(void **) {
    put("configmap roots", "metadata: {labels: {app.kubernetes.io/managed-by: qubesec}, annotations: "
                           "{qubesec.io/owner: QuantumCertificate/a, qubesec.io/owner-uid: x, "
                           "qubesec.io/owner-namespace: elsewhere}}\ndata: {ca.crt: copy}");
    put("qc a", root);
    run();
    assert_string_equal(text_at("configmap roots", "data ca.crt"), "copy");
    is_told("qc a", "TrustBundleConflict", "belongs to QuantumCertificate a of another namespace");
}

static void what_an_earlier_one_has_left_is_taken_over(void **) {
    make("qc a", root);
    take_away("qc a");
    take_away("secret a-secret");
    run();
    put("qc a", root);
    run();
    is_bundle("configmap roots", "secret a-secret");
    is_recorded("qc a", "configmap roots");
    assert_string_equal(text_at("configmap roots", "metadata annotations qubesec.io/owner-uid"),
                        text_at("qc a", "metadata uid"));
}

static void what_goes_with_an_earlier_one_is_waited_for(void **) {
    make("qc a", owned);
    take_away("qc a");
    take_away("secret a-secret");
    run();
    put("qc a", owned);
    run();
    is_told("qc a", "WaitingForGarbageCollection", "waiting for Kubernetes to collect it");
    collect();
    run();
    is_recorded("qc a", "configmap roots");
    owner_is("configmap roots", "qc a");
}

static void of_two_that_name_it_the_older_has_it(void **) {
    make("qc a", root);
    clock_ms += SECOND;
    put("qc b", root);
    run();
    is_told("qc b", "TrustBundleConflict", "belongs to QuantumCertificate a");
    is_bundle("configmap roots", "secret a-secret");
    put("qc a", "spec: {trustBundle: {configMapName: others}}");
    run();
    is_bundle("configmap roots", "secret b-secret");
    is_bundle("configmap others", "secret a-secret");
    is_recorded("qc b", "configmap roots");
}

static void the_younger_does_not_come_first(void **) {
    put("qc a", root);
    fault((struct fault){.request = "create configmap roots", .class = ERROR_REFUSED, .message = "no"});
    run();
    clock_ms += SECOND;
    put("qc b", root);
    run();
    assert_false(is_there("configmap roots"));
    is_told("qc b", "TrustBundleConflict", "is claimed by QuantumCertificate a too, which is older");
    take_away("qc a");
    run();
    is_bundle("configmap roots", "secret b-secret");
}

// ---- what is refused, fails, or breaks off

static void without_the_right_the_certificate_is_ready(void **) {
    fault((struct fault){.request = "create configmap roots",
                         .count = 2,
                         .class = ERROR_FORBIDDEN,
                         .message = "configmaps is forbidden: User \"qubesec\" cannot create resource "
                                    "\"configmaps\" in API group \"\" in the namespace \"ns\""});
    put("qc a", root);
    run();
    is_told("qc a", "TrustBundleRefused", "cannot create resource \"configmaps\"");
    assert_non_null(strstr(text_at("qc a", "status trustBundle message"), "config/rbac"));
    told_is("Succeeded qc a; !TrustBundleRefused qc a; ");
    pass(10 * MINUTE + SECOND);
    told_is("");
    pass(10 * MINUTE);
    is_recorded("qc a", "configmap roots");
    faults_are_over();
}

static void nor_is_anything_deleted_without_it(void **) {
    make("qc a", root);
    fault((struct fault){.request = "delete configmap roots",
                         .class = ERROR_FORBIDDEN,
                         .message = "cannot in API group \"\""});
    put("qc a", "spec: {trustBundle: null}");
    run();
    assert_string_equal(text_at("qc a", "status trustBundle name"), "roots");
    is_told("qc a", "TrustBundleRefused", "config/rbac");
    pass(10 * MINUTE + SECOND);
    assert_false(is_there("configmap roots"));
    assert_null(at(get("qc a"), "status trustBundle"));
}

static void while_it_fails_the_certificate_is_ready(void **) {
    fault((struct fault){.request = "create configmap roots", .class = ERROR_IO});
    put("qc a", root);
    run();
    is_told("qc a", "Retrying", "tried again");
    pass(MINUTE);
    is_bundle("configmap roots", "secret a-secret");
    is_recorded("qc a", "configmap roots");
    told_is("Succeeded qc a; TrustBundleWritten qc a; ");
}

// The Secret has been renewed, and the ConfigMap is behind: the status does not say that all is well.
static void a_bundle_that_is_behind_is_no_bundle(void **) {
    make("qc a", root);
    fault((struct fault){.request = "patch configmap roots", .class = ERROR_IO});
    put("qc a", "metadata: {annotations: {qubesec.io/renew: now}}");
    run();
    is_told("qc a", "Retrying", "not as it should be yet");
    pass(MINUTE);
    is_bundle("configmap roots", "secret a-secret");
    is_recorded("qc a", "configmap roots");
}

static void what_was_made_before_a_crash_is_found(void **) {
    fault((struct fault){.request = "write qc a status", .class = ERROR_IO});
    put("qc a", root);
    run();
    assert_true(is_there("configmap roots"));
    pass(MINUTE);
    is_recorded("qc a", "configmap roots");
    assert_int_equal(count_asked("create configmap roots"), 1);
    told_is("Succeeded qc a; TrustBundleWritten qc a; ");
}

static void an_answer_that_is_lost_makes_no_second_one(void **) {
    fault((struct fault){.request = "create configmap roots", .class = ERROR_IO, .is_executed = true});
    put("qc a", root);
    run();
    pass(MINUTE);
    is_bundle("configmap roots", "secret a-secret");
    is_recorded("qc a", "configmap roots");
}

static void put_theirs(void) {
    put("configmap roots", "data: {ca.crt: mine}");
}

static void a_name_that_is_taken_meanwhile_is_looked_at(void **) {
    fault((struct fault){.request = "create configmap roots", .before = put_theirs});
    put("qc a", root);
    run();
    assert_string_equal(text_at("configmap roots", "data ca.crt"), "mine");
    is_told("qc a", "TrustBundleConflict", "Nothing was touched");
}

static void remove_object(void) {
    take_away("qc a");
}

static void nothing_is_made_for_an_object_that_is_gone(void **) {
    make("qc a", root);
    silence();
    take_away("configmap roots");
    hear();
    silence();
    fault((struct fault){.request = "list qc a", .before = remove_object});
    run();
    assert_false(is_there("configmap roots"));
    hear();
    run();
    assert_false(is_there("configmap roots"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_cluster(it_is_made_after_the_secret_and_before_the_status),
        in_cluster(without_it_nothing_is_made),
        in_cluster(it_goes_with_its_object_where_the_secret_does),
        in_cluster(an_intermediate_has_one_with_the_root),
        in_cluster(it_is_made_anew_when_it_is_deleted),
        in_cluster(it_is_put_right_when_it_is_changed),
        in_cluster(an_entry_of_that_name_in_binary_goes),
        in_cluster(its_label_and_marks_are_put_back),
        in_cluster(it_has_labels_and_annotations_of_its_own),
        in_cluster(it_follows_the_secret),
        in_cluster(it_has_all_roots_of_a_rollover),
        in_cluster(who_fights_over_it_waits),
        in_cluster(under_another_name_the_former_is_deleted),
        in_cluster(the_former_stays_until_there_is_another),
        in_cluster(without_the_field_it_is_deleted),
        in_cluster(what_no_status_names_is_found_by_its_marks),
        in_cluster(one_that_has_lost_its_marks_is_known_again),
        in_cluster(what_is_not_ours_is_not_deleted),
        in_cluster(what_is_another_s_is_not_touched),
        in_cluster(a_copy_from_elsewhere_is_another_s),
        in_cluster(what_an_earlier_one_has_left_is_taken_over),
        in_cluster(what_goes_with_an_earlier_one_is_waited_for),
        in_cluster(of_two_that_name_it_the_older_has_it),
        in_cluster(the_younger_does_not_come_first),
        in_cluster(without_the_right_the_certificate_is_ready),
        in_cluster(nor_is_anything_deleted_without_it),
        in_cluster(while_it_fails_the_certificate_is_ready),
        in_cluster(a_bundle_that_is_behind_is_no_bundle),
        in_cluster(what_was_made_before_a_crash_is_found),
        in_cluster(an_answer_that_is_lost_makes_no_second_one),
        in_cluster(a_name_that_is_taken_meanwhile_is_looked_at),
        in_cluster(nothing_is_made_for_an_object_that_is_gone),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
