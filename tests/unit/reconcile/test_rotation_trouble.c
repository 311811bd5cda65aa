// Rotations that meet with trouble: refusals, keys that somebody has planted, clocks that are wrong, and what
// is lost on the way.
#include "rotation_steps.h"

// ---- refused

static size_t count_told(const char *what) {
    size_t count = 0;
    for (size_t i = 0; i < cluster.told_count; i++) {
        count += strcmp(cluster.told[i].what, what) == 0 ? 1 : 0;
    }
    return count;
}

static void a_rotation_that_is_refused_leaves_the_key_as_it_was(void **state) {
    static const char *const rows[] = {"at once", "ahead", "by the clock"};
    for (size_t i = 0; i < 3; i++) {
        begin_row(rows[i], state);
        make("qkkp pair", "spec: {%s}",
             i == 0   ? ""
             : i == 1 ? "rotation: {publishAhead: 1h}"
                      : "rotation: {every: 24h}");
        make("qes sealed", "spec: {publicKeyRef: {name: pair}}");
        const char *key = entry("secret pair", "private_key");
        fault((struct fault){.request = "patch secret pair",
                             .count = FOREVER,
                             .class = ERROR_REFUSED,
                             .message = "field is immutable when `immutable` is set"});
        if (i < 2) {
            rotate("qkkp pair", "one");
        }
        pass(i < 2 ? 30 * SECOND : 25 * HOUR);
        version_is("qkkp pair", 1);
        status_is("qkkp pair", "Success Succeeded", "; its rotation was refused and is tried again: ");
        assert_non_null(strstr(text_at("qkkp pair", "status warning"), "field is immutable"));
        assert_string_equal(entry("secret pair", "private_key"), key);
        assert_string_equal(text_at("qkkp pair", "status lastRotateRequest"), "");
        assert_true(find_told("RotationRefused qkkp pair")->warning);
        note_has("RotationRefused qkkp pair", "field is immutable");
        is_served("qes sealed");
        faults_are_over();
        forget();
        pass(12 * MINUTE); // the longest wait
        if (i == 1) {
            pass(HOUR);
        }
        version_is("qkkp pair", 2);
        assert_string_equal(entry("secret pair", "private_key.1"), key);
        assert_string_equal(text_at("qkkp pair", "status warning"), "");
        pass(MINUTE);
        version_is("qes sealed", 2);
    }
}

static void a_refused_rotation_is_tried_ever_more_slowly(void **) {
    make("qkkp pair", "spec: {}");
    fault((struct fault){.request = "patch secret pair", .count = FOREVER, .class = ERROR_REFUSED});
    rotate("qkkp pair", "one");
    pass(HOUR);
    assert_in_range(count_asked("patch secret pair"), 8, 16);
    assert_int_equal(count_told("RotationRefused qkkp pair"), count_asked("patch secret pair"));
    assert_int_equal(count_told("RenewalWaits qkkp pair"), 0);
    assert_in_range(count_asked("write qkkp pair status"), 1, 2);
}

static void what_was_published_and_is_refused_is_tried_again(void **) {
    make("qkkp pair", "spec: {rotation: {publishAhead: 1h}}");
    rotate("qkkp pair", "one");
    const char *next = entry("secret pair", ".private_key.next");
    fault((struct fault){.request = "patch secret pair", .count = FOREVER, .class = ERROR_REFUSED});
    pass(2 * HOUR);
    version_is("qkkp pair", 1);
    assert_in_range(count_asked("patch secret pair"), 10, 70);
    faults_are_over();
    pass(2 * MINUTE);
    version_is("qkkp pair", 2);
    assert_string_equal(entry("secret pair", "private_key"), next);
}

// Its own output is good without what is only to come; it is not when the secret that it is made from has
// changed.
static void what_follows_and_is_refused_says_what_is_wrong(void **) {
    make("qkkp pair", "spec: {}");
    make("qes sealed", "spec: {publicKeyRef: {name: pair}, rotation: {publishAhead: 10m}}");
    make("qdk it", "spec: {sharedSecretRef: {name: sealed}}");
    fault((struct fault){.request = "patch secret it", .count = FOREVER, .class = ERROR_REFUSED});
    rotate("qes sealed", "one");
    pass(MINUTE);
    status_is("qdk it", "Success Succeeded", "its rotation was refused");
    pass(10 * MINUTE);
    version_is("qes sealed", 2);
    status_is("qdk it", "Failed RequestRefused", "");
    faults_are_over();
    pass(20 * MINUTE);
    version_is("qdk it", 2);
}

// ---- what is decapsulated

static const char *ciphertext_of(const char *text) {
    return text_at(text, "status ciphertext");
}

static void a_version_of_the_key_can_be_edited(void **) {
    make("qkkp pair", "spec: {}");
    make("qes sealed", "spec: {publicKeyRef: {name: pair}}");
    make("qds it", "spec: {privateKeyRef: {name: pair}, ciphertext: %s}", ciphertext_of("qes sealed"));
    const char *first = entry("secret it", "shared_secret");
    rotate("qkkp pair", "one");
    pass(MINUTE);
    put("qds it", "spec: {privateKeyRef: {name: pair, version: 2}}");
    run();
    is_served("qds it");
    assert_int_equal(number_at("qds it", "status inputs 0 version"), 2);
    assert_string_equal(text_at("qds it", "status publicKeyDigest"), text_at("qkkp pair", "status digest"));
    assert_string_not_equal(entry("secret it", "shared_secret"), first);
    pass(10 * MINUTE);
    put("qds it", "spec: {privateKeyRef: {name: pair, version: 1}}");
    pass(MINUTE);
    is_served("qds it");
    assert_string_equal(entry("secret it", "shared_secret"), first);
    assert_string_equal(text_at("qds it", "status publicKeyDigest"),
                        text_at("qkkp pair", "status versions 1 digest"));
}

static void the_key_of_a_shared_secret_is_told_when_it_has_gone(void **) {
    make("qkkp pair", "spec: {rotation: {keep: 2}}");
    make("qes sealed", "spec: {publicKeyRef: {name: pair}}");
    make("qds it", "spec: {privateKeyRef: {name: pair}, ciphertext: %s}", ciphertext_of("qes sealed"));
    const char *used = text_at("qds it", "status publicKeyDigest");
    assert_string_equal(used, text_at("qkkp pair", "status digest"));
    rotate("qkkp pair", "one");
    pass(10 * MINUTE);
    rotate("qkkp pair", "two");
    pass(10 * MINUTE);
    is_served("qds it");
    put("qkkp pair", "spec: {rotation: {keep: 1}}");
    pass(10 * MINUTE);
    assert_false(has_entry("secret pair", "private_key.1"));
    is_served("qds it");
    assert_string_equal(text_at("qds it", "status publicKeyDigest"), used);
}

// ---- clocks

static void what_was_retired_far_ahead_is_told_to_go_when_it_does(void **) {
    make("qrn it", "spec: {rotation: {every: 24h, keep: 1, keepFor: 2h}}");
    wall_ahead_s = 400 * (DAY / SECOND);
    put("qrn it", "metadata: {labels: {a: b}}");
    pass(10 * MINUTE);
    version_is("qrn it", 2);
    wall_ahead_s = 0;
    put("qrn it", "metadata: {labels: {a: c}}");
    pass(HOUR);
    assert_int_equal(seconds_at("qrn it", "status versions 1 expiryTime"),
                     seconds_at("qrn it", "status nextRotationTime"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_cluster(a_rotation_that_is_refused_leaves_the_key_as_it_was),
        in_cluster(a_refused_rotation_is_tried_ever_more_slowly),
        in_cluster(what_was_published_and_is_refused_is_tried_again),
        in_cluster(what_follows_and_is_refused_says_what_is_wrong),
        in_cluster(a_version_of_the_key_can_be_edited),
        in_cluster(the_key_of_a_shared_secret_is_told_when_it_has_gone),
        in_cluster(what_was_retired_far_ahead_is_told_to_go_when_it_does),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
