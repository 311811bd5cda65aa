// What cannot be listed, such as Secrets of which the API server can decrypt one no more: nothing is
// concluded from what is not known, and what can be read for itself is worked with.
#include "cluster.h"

static const char undecryptable[] = "Internal error occurred: unable to transform key "
                                    "\"/registry/secrets/ns/pair\" (HTTP status 500)";

// Reads of that Secret fail.
static void lose_key_of_pair(void) {
    fault((struct fault){
        .request = "get secret pair", .class = ERROR_RETRYABLE, .message = undecryptable, .count = FOREVER});
}

static void make_chain(void) {
    make("qkkp pair", "spec: {}");
    make("qes sealed", "spec: {publicKeyRef: {name: pair}}");
    make("qdk derived", "spec: {sharedSecretRef: {name: sealed}}");
}

// Each asks for the metadata of what its status names, and no more.
static void a_restart_over_finished_objects_writes_nothing(void **) {
    make_chain();
    restart_without("Secret");
    run();
    assert_int_equal(count_asked("create ") + count_asked("patch "), 0);
    told_is("");
    is_served("qkkp pair");
    forget();
    list("Secret");
    run();
    asked_is("");
}

static void a_secret_that_cannot_be_read_is_not_made_anew(void **) {
    make_chain();
    make("qrn other", "spec: {}");
    yyjson_val *pair = data_of("secret pair");
    lose_key_of_pair();
    restart_without("Secret");
    pass(10 * SECOND);
    put("qrn new", "spec: {}"); // work on others goes on
    put("qrn other", "spec: {secretTemplate: {labels: {team: a}}}");
    run();
    is_served("qrn new");
    is_served("qrn other");
    assert_string_equal(text_at("secret other", "metadata labels team"), "a");
    put("qkkp pair", "spec: {algorithm: ML-KEM-1024}"); // and what is asked for waits
    pass(600 * SECOND);
    status_is("qkkp pair", "Pending Retrying", undecryptable);
    assert_int_equal(count_asked("create secret pair") + count_asked("patch secret pair"), 0);
    assert_same(pair, data_of("secret pair"), "");
    put("qkkp pair", "spec: {algorithm: ML-KEM-768}");
    run();
    faults_are_over();
    pass(60 * SECOND);
    is_served("qkkp pair");
    assert_same(pair, data_of("secret pair"), "");
    list("Secret");
    run();
    is_served("qdk derived");
}

// The status of a finished object goes on saying what it does: nothing is known against it. It is told once.
static void what_is_finished_stays_so_and_an_event_tells_of_it(void **) {
    make("qkkp pair", "spec: {}");
    lose_key_of_pair();
    restart_without("Secret");
    pass(600 * SECOND);
    is_served("qkkp pair");
    note_has("Retrying qkkp pair", undecryptable);
    told_is("!Retrying qkkp pair; ");
    faults_are_over();
}

static void one_that_needs_it_waits_and_says_for_what(void **) {
    make("qkkp pair", "spec: {}");
    lose_key_of_pair();
    restart_without("Secret");
    put("qes it", "spec: {publicKeyRef: {name: pair}}");
    pass(10 * SECOND);
    status_is("qes it", "Pending Retrying",
              "spec.publicKeyRef: asking for Secret ns/pair, since not all of them are known: "
              "Internal error occurred: "
              "unable to transform key \"/registry/secrets/ns/pair\"");
    faults_are_over();
    pass(60 * SECOND);
    is_served("qes it");
}

// Who may use a key pair of another namespace need not know what its Secret is called.
static void of_another_namespace_no_more_is_told(void **) {
    put("qkkp there/pair", "spec: {outputSecretName: hidden}");
    run();
    grant("ns:default use quantumkemkeypairs there/pair");
    fault((struct fault){.request = "get secret there/hidden",
                         .class = ERROR_RETRYABLE,
                         .message = undecryptable,
                         .count = FOREVER});
    restart_without("Secret");
    put("qes it", "spec: {publicKeyRef: {name: pair, namespace: there}}");
    pass(10 * SECOND);
    status_is("qes it", "Pending Retrying",
              "spec.publicKeyRef: what namespace there has of it cannot be looked at now; the operator's log "
              "says why");
    faults_are_over();
    pass(60 * SECOND);
    is_served("qes it");
}

// Its absence is proven by the answer to a question for it.
static void a_secret_that_is_gone_is_made_anew(void **) {
    make("qkkp pair", "spec: {}");
    take_away("secret pair");
    run(); // it is made anew once
    forget();
    restart_without("Secret");
    take_away("secret pair");
    put("qkkp pair", "spec: {secretTemplate: {labels: {team: a}}}");
    run();
    is_served("qkkp pair");
    assert_true(is_there("secret pair"));
    note_has("SecretLost qkkp pair", "lost");
}

static void a_chain_is_made_while_no_secret_is_listed(void **) {
    restart_without("Secret");
    put("qdk derived", "spec: {sharedSecretRef: {name: sealed}}");
    put("qes sealed", "spec: {publicKeyRef: {name: pair}}");
    put("qkkp pair", "spec: {}");
    pass(60 * SECOND);
    is_served("qkkp pair");
    is_served("qes sealed");
    is_served("qdk derived");
}

// An input of an input has changed, which no watch shows.
static void what_its_upstream_has_not_taken_up_is_not_used(void **) {
    make("qkkp pair", "spec: {}");
    put_copy("secret peer", "secret pair", "metadata: {labels: {theirs: x}}");
    make("qes sealed", "spec: {publicKeyRef: {kind: Secret, name: peer, key: public_key}}");
    restart_without("Secret");
    run();
    put("secret peer", "metadata: {labels: {theirs: y}}");
    put("qdk it", "spec: {sharedSecretRef: {name: sealed}}");
    run();
    assert_string_equal(cluster.outcome.error.message,
                        "spec.sharedSecretRef: QuantumEncapsulateSecret sealed "
                        "has not taken up its changed input yet");
    list("Secret");
    pass(60 * SECOND);
    is_served("qes sealed");
    is_served("qdk it");
}

// ---- one of our kinds

static void one_of_our_kinds_is_asked_for(void **) {
    make("qkkp pair", "spec: {}");
    restart_without("QuantumKEMKeyPair");
    put("qes it", "spec: {publicKeyRef: {name: pair}}");
    forget();
    run();
    is_served("qes it");
    assert_true(count_asked("list qkkp pair") > 0);
}

// Where a name may mean several kinds, none of them is taken to have no such object.
static void no_other_is_taken_in_its_place(void **) {
    put("secret it", "data: {k: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}");
    make("qkkp pair", "spec: {}");
    make("qrn numbers", "spec: {outputSecretName: other}");
    make("qes numbers", "spec: {publicKeyRef: {name: pair}}");
    fault((struct fault){
        .request = "list qes", .class = ERROR_FORBIDDEN, .message = "cannot list", .count = FOREVER});
    restart_without("QuantumEncapsulateSecret");
    put("qdk it", "spec: {sharedSecretRef: {name: numbers}, outputSecretName: third}");
    pass(10 * SECOND);
    status_is(
        "qdk it", "Pending Retrying",
        "spec.sharedSecretRef: asking for QuantumEncapsulateSecret ns/numbers, since not all of them are "
        "known: "
        "cannot list");
    faults_are_over();
    list("QuantumEncapsulateSecret");
    pass(600 * SECOND);
    is_served("qdk it");
    assert_string_equal(text_at("qdk it", "status inputs 0 from"), "QuantumEncapsulateSecret/numbers");
}

// What nobody may read is nothing that is known against what is finished.
static void a_right_that_is_taken_away_fails_nothing_that_is_finished(void **) {
    make_chain();
    fault((struct fault){.request = "get secret",
                         .class = ERROR_FORBIDDEN,
                         .message = "may not get secrets",
                         .count = FOREVER});
    restart_without("Secret");
    pass(600 * SECOND);
    is_served("qkkp pair");
    is_served("qes sealed");
    is_served("qdk derived");
    note_has("Retrying qkkp pair", "may not get secrets");
    faults_are_over();
}

// Nothing wakes an object for what is not watched.
static void what_is_waited_for_is_looked_for_again(void **) {
    restart_without("Secret");
    put("qdk it", "spec: {sharedSecretRef: {kind: Secret, name: peer, key: k}}");
    pass(10 * SECOND);
    status_is("qdk it", "Pending WaitingForSecret", "does not exist");
    put("secret peer", "data: {k: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}");
    pass(60 * SECOND);
    is_served("qdk it");
}

// Retain is in force from when it is asked for, also where no watch tells of the Secret.
static void a_secret_is_given_free_without_its_watch(void **) {
    make("qkkp pair", "spec: {}");
    make("qes it", "spec: {publicKeyRef: {name: pair}}");
    take_away("qkkp pair");
    restart_without("Secret");
    run();
    put("qes it", "spec: {deletionPolicy: Retain}");
    run();
    status_is("qes it", "Pending WaitingForQuantumKEMKeyPair", "does not exist");
    assert_int_equal(yyjson_arr_size(at(get("secret it"), "metadata ownerReferences")), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_cluster(a_restart_over_finished_objects_writes_nothing),
        in_cluster(a_secret_that_cannot_be_read_is_not_made_anew),
        in_cluster(what_is_finished_stays_so_and_an_event_tells_of_it),
        in_cluster(one_that_needs_it_waits_and_says_for_what),
        in_cluster(of_another_namespace_no_more_is_told),
        in_cluster(a_secret_that_is_gone_is_made_anew),
        in_cluster(a_chain_is_made_while_no_secret_is_listed),
        in_cluster(what_its_upstream_has_not_taken_up_is_not_used),
        in_cluster(one_of_our_kinds_is_asked_for),
        in_cluster(no_other_is_taken_in_its_place),
        in_cluster(a_right_that_is_taken_away_fails_nothing_that_is_finished),
        in_cluster(what_is_waited_for_is_looked_for_again),
        in_cluster(a_secret_is_given_free_without_its_watch),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
