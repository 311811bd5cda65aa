// The annotation qubesec.io/renew: each new text issues a certificate anew, once.
#include "cluster.h"

static void request(const char *object, const char *text) {
    put(object, "metadata: {annotations: {qubesec.io/renew: '%s'}}", text);
    run();
}

static void answered_is(const char *object, const char *text) {
    assert_string_equal(text_at(object, "status lastRenewRequest"), text);
}

static const char *certificate(void) {
    return entry("secret it-secret", "tls.crt");
}

static void make_certificate(void) {
    make("qc it", "spec: {commonName: it.example.com}");
}

static void each_text_issues_it_once(void **) {
    make_certificate();
    answered_is("qc it", "");
    const char *key = entry("secret it-secret", "tls.key");
    const char *first = certificate();
    request("qc it", "one");
    const char *second = certificate();
    is_served("qc it");
    answered_is("qc it", "one");
    assert_string_not_equal(second, first);
    assert_string_equal(entry("secret it-secret", "tls.key"), key);
    note_has("Renewed qc it", "Secret it-secret: its renewal was asked for; ");
    told_is("Renewed qc it; ");
    put("qc it", "metadata: {labels: {any: x}}");
    run();
    put("qc it", "metadata: {annotations: {qubesec.io/renew: null}}");
    run();
    pass(HOUR);
    assert_string_equal(certificate(), second);
    answered_is("qc it", "one"); // somebody may put the same text there again
    request("qc it", "one");
    assert_string_equal(certificate(), second);
    request("qc it", "two");
    assert_string_not_equal(certificate(), second);
    answered_is("qc it", "two");
    told_is("Renewed qc it; ");
}

static void requests_that_come_too_often_slow_down(void **) {
    make_certificate();
    request("qc it", "one");
    const char *second = certificate();
    forget();
    request("qc it", "two");
    assert_string_equal(certificate(), second);
    answered_is("qc it", "one");
    const char *told = find_told("RenewalWaits qc it")->note;
    assert_non_null(strstr(told, "waits until 20"));
    put("qc it", "metadata: {labels: {any: x}}"); // it is looked at again, and the recorder counts the same
    run();
    assert_string_equal(cluster.told[1].note, told);
    told_is("RenewalWaits qc it; RenewalWaits qc it; ");
    pass(5 * SECOND);
    assert_string_not_equal(certificate(), second);
    answered_is("qc it", "two");
}

// What is asked for too soon waits, and nothing waits with it.
static void a_request_that_waits_holds_up_nothing_else(void **) {
    make_certificate();
    request("qc it", "one");
    const char *second = certificate();
    put("qc it", "metadata: {annotations: {qubesec.io/renew: two}}\n"
                 "spec: {deletionPolicy: Retain, secretTemplate: {labels: {team: x}}}");
    run();
    is_served("qc it");
    answered_is("qc it", "one");
    assert_string_equal(certificate(), second);
    assert_string_equal(text_at("secret it-secret", "metadata labels team"), "x");
    owner_is("secret it-secret", nullptr);
    forget();
    pass(SECOND); // it is not looked at again and again meanwhile
    asked_is("");
    pass(4 * SECOND);
    assert_string_not_equal(certificate(), second);
    answered_is("qc it", "two");
    is_served("qc it");
}

// Nor for the turn of work that takes seconds, before that is due.
static void a_slow_request_that_waits_asks_for_no_lane(void **) {
    struct object_key key;
    struct queue_attempt attempt;
    make("qc it", "spec: {commonName: it.example.com, algorithm: SLH-DSA-SHA2-128s}");
    request("qc it", "one");
    answered_is("qc it", "one");
    put("qc it", "metadata: {annotations: {qubesec.io/renew: two}}\n"
                 "spec: {secretTemplate: {labels: {team: x}}}");
    assert_true(queue_take(cluster.queue, &key, &attempt));
    controller_process(&cluster.controller, &key, &attempt);
    queue_done(cluster.queue, &key);
    assert_int_equal(cluster.outcome.result, RESULT_OK);
    assert_string_equal(text_at("secret it-secret", "metadata labels team"), "x");
    is_served("qc it");
    pass(5 * SECOND);
    answered_is("qc it", "two");
}

static void requests_leave_repairs_their_turn(void **) {
    make_certificate();
    request("qc it", "one");
    put("secret it-secret", "data: {pub.pem: eA==}");
    run();
    is_served("qc it");
    assert_string_not_equal(entry("secret it-secret", "pub.pem"), "eA==");
    pass(HOUR);
    put("secret it-secret", "data: {pub.pem: eA==}"); // and the other way round
    run();
    request("qc it", "two");
    answered_is("qc it", "two");
}

// What the watch has not shown yet.
static void a_request_that_was_withdrawn_issues_nothing(void **) {
    make_certificate();
    const char *first = certificate();
    put("qc it", "metadata: {annotations: {qubesec.io/renew: one}}");
    silence();
    put("qc it", "metadata: {annotations: {qubesec.io/renew: null}}");
    run();
    pass(MINUTE);
    hear();
    run();
    assert_string_equal(certificate(), first);
    answered_is("qc it", "");
}

static void a_request_that_was_replaced_is_answered_once(void **) {
    make_certificate();
    forget();
    put("qc it", "metadata: {annotations: {qubesec.io/renew: one}}");
    silence();
    put("qc it", "metadata: {annotations: {qubesec.io/renew: two}}");
    run();
    pass(MINUTE);
    hear();
    pass(MINUTE);
    answered_is("qc it", "two");
    assert_int_equal(count_asked("patch secret it-secret; "), 1);
}

static void a_new_key_comes_where_the_spec_says_so(void **) {
    make("qc it", "spec: {commonName: it.example.com, privateKey: {rotationPolicy: Always}}");
    const char *key = entry("secret it-secret", "tls.key");
    request("qc it", "one");
    assert_string_not_equal(entry("secret it-secret", "tls.key"), key);
}

// As an object of Git, that is made with a request of long ago.
static void what_is_made_with_a_request_has_answered_it(void **) {
    put("qc it", "metadata: {annotations: {qubesec.io/renew: one}}\nspec: {commonName: it.example.com}");
    run();
    answered_is("qc it", "one");
    told_is("Succeeded qc it; ");
    assert_int_equal(count_asked("secret it-secret; "), 1);
}

// Git or a backup brings an object back with the request of long ago, without a status, to the Secret that it
// has left: that is taken over with the key it has.
static void what_is_taken_over_has_answered_it(void **state) {
    static const char *const policies[] = {"Always", "Never"};
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        char spec[200];
        begin_row(policies[i], state);
        snprintf(
            spec, sizeof(spec),
            "spec: {commonName: it.example.com, deletionPolicy: Retain, privateKey: {rotationPolicy: %s}}",
            policies[i]);
        make("qc it", "%s", spec);
        request("qc it", "one");
        pass(HOUR);
        const char *key = entry("secret it-secret", "tls.key");
        const char *left = certificate();
        take_away("qc it");
        forget();
        put("qc it", "metadata: {annotations: {qubesec.io/renew: two}}\n%s", spec);
        run();
        is_served("qc it");
        answered_is("qc it", "two");
        told_is("Succeeded qc it; Adopted qc it; ");
        put_status("qc it", "status: {lastRenewRequest: null, status: null}");
        run(); // the Secret knows it too
        pass(HOUR);
        answered_is("qc it", "two");
        assert_string_equal(certificate(), left);
        assert_string_equal(entry("secret it-secret", "tls.key"), key);
        request("qc it", "three");
        assert_string_not_equal(certificate(), left);
    }
}

// A backup of before has another owner-uid; the object has been served, so what it asks for is meant.
static void a_new_request_is_answered_whoever_has_left_the_secret(void **state) {
    static const char *const policies[] = {"Always", "Never"};
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        begin_row(policies[i], state);
        make("qc it",
             "spec: {commonName: it.example.com, deletionPolicy: Retain, privateKey: {rotationPolicy: %s}}",
             policies[i]);
        request("qc it", "one");
        pass(HOUR);
        const char *before = certificate();
        const char *key = entry("secret it-secret", "tls.key");
        silence();
        put("secret it-secret",
            "metadata: {annotations: {qubesec.io/owner-uid: 11111111-1111-4111-8111-111111111111}}");
        put("qc it", "metadata: {annotations: {qubesec.io/renew: compromised}}");
        hear();
        run();
        is_served("qc it");
        answered_is("qc it", "compromised");
        assert_string_not_equal(certificate(), before);
        assert_int_equal(strcmp(entry("secret it-secret", "tls.key"), key) == 0, i == 1);
    }
}

// Of a status that is lost, or was never written, the Secret knows.
static void the_secret_knows_what_was_answered(void **) {
    make_certificate();
    request("qc it", "one");
    const char *second = certificate();
    put_status("qc it", "status: {lastRenewRequest: null, status: null}");
    run();
    pass(5 * SECOND);
    assert_string_equal(certificate(), second);
    answered_is("qc it", "one");
}

// A Secret of before the request, restored: the status knows.
static void the_status_knows_what_was_answered(void **) {
    make_certificate();
    put_copy("secret copy", "secret it-secret", "metadata: {}");
    const char *first = certificate();
    request("qc it", "one");
    char *data = yyjson_val_write(data_of("secret copy"), 0, nullptr);
    put("secret it-secret", "data: %s", data);
    free(data);
    run();
    pass(5 * SECOND);
    assert_string_equal(certificate(), first);
}

static void a_request_waits_for_a_repair(void **) {
    make_certificate();
    const char *first = certificate();
    put("secret it-secret", "data: {pub.pem: eA==}");
    request("qc it", "one");
    pass(HOUR);
    assert_string_not_equal(certificate(), first);
    answered_is("qc it", "one");
    is_served("qc it");
}

// Neither the status nor the Secret knows what was answered: what there is now is taken for that.
static void what_nothing_is_known_of_is_not_issued_again(void **) {
    make_certificate();
    request("qc it", "one");
    const char *key = entry("secret it-secret", "tls.key");
    pass(HOUR);
    forget();
    silence();
    put("secret it-secret", "data: {%s: eA==}", kind_metadata_entry(&kind_certificate));
    put_status("qc it", "status: null");
    hear();
    run();
    pass(HOUR);
    is_served("qc it");
    answered_is("qc it", "one");
    assert_string_equal(entry("secret it-secret", "tls.key"), key);
    assert_int_equal(count_asked("patch secret it-secret; "), 1); // the repair
}

// The status knows, where the Secret does not.
static void a_request_waits_for_a_repair_of_the_metadata(void **) {
    make_certificate();
    const char *first = certificate();
    put("secret it-secret", "data: {%s: eA==}", kind_metadata_entry(&kind_certificate));
    request("qc it", "one");
    pass(HOUR);
    assert_string_not_equal(certificate(), first);
    answered_is("qc it", "one");
}

static void metadata_has_not(const char *secret, const char *part) {
    struct error e;
    cleanup_secret struct secret *text = nullptr;
    const char *encoded = entry(secret, "metadata");
    must(base64_decode(encoded, strlen(encoded), ENCODING_ONE_LINE, &text, &e), e);
    assert_null(memmem(secret_view(text), secret_length(text), part, strlen(part)));
}

static void other_kinds_are_left_and_say_so(void **) {
    make("qkkp it", "spec: {}");
    yyjson_val *before = get("secret it");
    request("qkkp it", "one");
    assert_same(get("secret it"), before, "");
    note_has("NotRenewed qkkp it", "a QuantumKEMKeyPair is never made anew on request");
    told_is("!NotRenewed qkkp it; ");
    answered_is("qkkp it", "refused: one"); // who waits for the text waits in vain
    pass(HOUR);
    put("qkkp it", "metadata: {labels: {any: x}}");
    run();
    told_is("");
    put("secret it", "data: {metadata: eA==}"); // a repair does not write it there either
    run();
    pass(MINUTE);
    is_served("qkkp it");
    metadata_has_not("secret it", "refused");
    cluster.told_count = 0;
    char text[252]; // which has not room for what is put before it
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    request("qkkp it", text);
    told_is("!NotRenewed qkkp it; ");
    pass(HOUR);
    put("qkkp it", "metadata: {labels: {any: y}}");
    run();
    told_is("");
}

static void a_long_text_is_one_too(void **) {
    char text[1000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    make_certificate();
    const char *first = certificate();
    request("qc it", text);
    assert_string_not_equal(certificate(), first);
    assert_int_equal(strlen(text_at("qc it", "status lastRenewRequest")), DIGEST_TEXT_SIZE - 1);
    forget();
    pass(HOUR);
    asked_is("");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_cluster(each_text_issues_it_once),
        in_cluster(requests_that_come_too_often_slow_down),
        in_cluster(a_request_that_waits_holds_up_nothing_else),
        in_cluster(a_slow_request_that_waits_asks_for_no_lane),
        in_cluster(requests_leave_repairs_their_turn),
        in_cluster(a_request_that_was_withdrawn_issues_nothing),
        in_cluster(a_request_that_was_replaced_is_answered_once),
        in_cluster(a_new_key_comes_where_the_spec_says_so),
        in_cluster(what_is_made_with_a_request_has_answered_it),
        in_cluster(what_is_taken_over_has_answered_it),
        in_cluster(a_new_request_is_answered_whoever_has_left_the_secret),
        in_cluster(the_secret_knows_what_was_answered),
        in_cluster(the_status_knows_what_was_answered),
        in_cluster(a_request_waits_for_a_repair),
        in_cluster(what_nothing_is_known_of_is_not_issued_again),
        in_cluster(a_request_waits_for_a_repair_of_the_metadata),
        in_cluster(other_kinds_are_left_and_say_so),
        in_cluster(a_long_text_is_one_too),
    };
    return cmocka_run_group_tests_name("reconcile/renew_request", tests, nullptr, nullptr);
}
