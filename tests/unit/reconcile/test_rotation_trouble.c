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

// ---- planted

static void put_data(const char *secret, const char *source) {
    put(secret, "data: null");
    put_copy(secret, source, "metadata: {}");
}

// A pair at rest with its first version; and Secrets that are what a rotation of it has made, of which the
// status tells nothing.
static void make_pair_and_plants(void) {
    make("qkkp pair", "spec: {rotation: {publishAhead: 1h}}");
    char *status = yyjson_val_write(yyjson_obj_get(get("qkkp pair"), "status"), 0, nullptr);
    put_copy("secret first", "secret pair", "metadata: {}");
    rotate("qkkp pair", "one");
    put_copy("secret next", "secret pair", "metadata: {}");
    pass(61 * MINUTE);
    put_copy("secret active", "secret pair", "metadata: {}");
    put_data("secret pair", "secret first");
    put_status("qkkp pair", "status: %s", status);
    put_status("qkkp pair", "status: {lastRotateRequest: one, nextRotationTime: null}");
    free(status);
    run();
    version_is("qkkp pair", 1);
    forget();
}

static void a_version_that_somebody_has_put_there_is_told(void **state) {
    static const char *const rows[] = {"secret next", "secret active"};
    for (size_t i = 0; i < 2; i++) {
        begin_row(rows[i], state);
        make_pair_and_plants();
        put_data("secret pair", rows[i]);
        run();
        assert_true(find_told("KeyReplaced qkkp pair")->warning);
        assert_int_equal(count_told("KeyReplaced qkkp pair"), 1);
        assert_true(i == 0 || count_told("Rotated qkkp pair") == 0);
        note_has("KeyReplaced qkkp pair", i == 0 ? "a version 2, " : "no longer holds what");
        note_has("KeyReplaced qkkp pair", text_at("qkkp pair", "status versions 0 fingerprint"));
    }
}

static void digest_of(const char *secret, const char *key, char ret_digest[DIGEST_TEXT_SIZE]) {
    struct error e;
    struct secret *bytes;
    const char *encoded = entry(secret, key);
    must(base64_decode(encoded, strlen(encoded), ENCODING_ONE_LINE, &bytes, &e), e);
    must(digest_format(secret_view(bytes), secret_length(bytes), ret_digest, &e), e);
    secret_free(bytes);
}

static void replace_all(char *text, const char *old, const char *new) {
    assert_int_equal(strlen(old), strlen(new));
    for (char *at = strstr(text, old); at != nullptr; at = strstr(at, old)) {
        memcpy(at, new, strlen(new));
    }
}

// Puts the other pair's key in the place of the version that is kept, with metadata that fits.
static void plant_kept(bool with_its_name) {
    static const char *const names[] = {"public_key", "public_key.pem", "private_key", "private_key.pem"};
    struct error e;
    struct secret *bytes;
    cleanup_buffer struct buffer encoded = buffer_create(TEXT_MAX);
    const char *metadata = entry("secret pair", "metadata");
    must(base64_decode(metadata, strlen(metadata), ENCODING_ONE_LINE, &bytes, &e), e);
    char *text = strndup((const char *)secret_view(bytes), secret_length(bytes));
    for (size_t i = 0; i < 4; i++) {
        char kept[64];
        char old[DIGEST_TEXT_SIZE];
        char new[DIGEST_TEXT_SIZE];
        snprintf(kept, sizeof(kept), "%s.1", names[i]);
        digest_of("secret pair", kept, old);
        digest_of("secret other", names[i], new);
        replace_all(text, old, new);
        put("secret pair", "data: {%s: %s}", kept, entry("secret other", names[i]));
    }
    if (with_its_name) {
        replace_all(text, text_at("qkkp pair", "status versions 1 fingerprint"),
                    text_at("qkkp other", "status fingerprint"));
    }
    must(base64_encode(text, strlen(text), &encoded, &e), e);
    put("secret pair", "data: {metadata: %s}", buffer_text(&encoded));
    free(text);
    secret_free(bytes);
}

static void an_earlier_version_that_somebody_has_put_there_is_told_or_refused(void **state) {
    for (size_t named = 0; named < 2; named++) {
        begin_row(named ? "by its name" : "by the name of another", state);
        make("qkkp other", "spec: {}");
        make("qkkp pair", "spec: {}");
        rotate("qkkp pair", "one");
        pass(MINUTE);
        forget();
        plant_kept(named);
        run();
        pass(5 * SECOND);
        if (named) {
            is_served("qkkp pair");
            assert_int_equal(count_told("KeyReplaced qkkp pair"), 1);
            note_has("KeyReplaced qkkp pair", "a version 1, ");
            note_has("KeyReplaced qkkp pair", text_at("qkkp other", "status fingerprint"));
        } else {
            status_is("qkkp pair", "Failed KeyMismatch", "version 1: what the Secret holds of it is sound");
        }
    }
}

// What was due is no news, though the operator ended before it could write the status.
static void a_step_that_was_due_is_told_as_one_after_a_crash(void **state) {
    static const char *const rows[] = {"ahead", "at once"};
    for (size_t i = 0; i < 2; i++) {
        begin_row(rows[i], state);
        make("qkkp pair", "spec: {rotation: {every: 24h%s}}", i == 0 ? ", publishAhead: 1h" : "");
        fault((struct fault){.request = "write qkkp pair status",
                             .count = 2,
                             .class = ERROR_RETRYABLE,
                             .message = "the operator has ended"});
        pass(26 * HOUR);
        version_is("qkkp pair", 2);
        assert_int_equal(count_told("KeyReplaced qkkp pair"), 0);
        assert_false(find_told("Rotated qkkp pair")->warning);
    }
}

// ---- what is lost

static void what_was_published_and_is_lost_is_published_again(void **) {
    make("qkkp pair", "spec: {}");
    make("qes sealed", "spec: {publicKeyRef: {name: pair}, rotation: {publishAhead: 4h}}");
    rotate("qkkp pair", "one");
    pass(MINUTE);
    assert_true(has_entry("secret sealed", "ciphertext.next"));
    put("secret sealed", "data: {.shared_secret.next: null, ciphertext.next: null}");
    run();
    pass(10 * MINUTE);
    assert_true(has_entry("secret sealed", "ciphertext.next"));
    pass(4 * HOUR);
    version_is("qes sealed", number_at("qes sealed", "status versions 0 version"));
    assert_string_equal(text_at("qes sealed", "status publicKeyDigest"),
                        text_at("qkkp pair", "status digest"));
}

// Whose key is gone: it is good for what was sent with it, all the same.
static void a_shared_secret_without_metadata_is_retired_and_not_replaced(void **) {
    make("qkkp pair", "spec: {}");
    make("qes sealed", "spec: {publicKeyRef: {name: pair}, rotation: {keep: 2}}");
    const char *first = entry("secret sealed", "shared_secret");
    const char *used = text_at("qes sealed", "status publicKeyDigest");
    silence();
    put("secret sealed", "data: {metadata: null}");
    take_away("secret pair");
    hear();
    run();
    pass(MINUTE);
    is_served("qes sealed");
    assert_string_equal(entry("secret sealed", "shared_secret.1"), first);
    assert_string_equal(text_at("qes sealed", "status versions 1 publicKeyDigest"), used);
    assert_string_equal(text_at("qes sealed", "status publicKeyDigest"),
                        text_at("qkkp pair", "status digest"));
    assert_int_equal(count_told("SecretDamaged qes sealed"), 0);
    assert_true(find_told("SecretRepaired qes sealed")->warning);
}

static void each_version_knows_its_key_after_its_metadata_was_lost(void **) {
    make("qkkp pair", "spec: {rotation: {keep: 4}}");
    make("qes sealed", "spec: {publicKeyRef: {name: pair}, rotation: {keep: 4, publishAhead: 2h}}");
    make("qds opened", "spec: {privateKeyRef: {name: pair}, ciphertextRef: {name: sealed}}");
    for (size_t i = 0; i < 3; i++) {
        rotate("qkkp pair", i == 0 ? "one" : i == 1 ? "two" : "three");
        pass(i < 2 ? 3 * HOUR : HOUR); // the last time the next one is published only
    }
    yyjson_val *before = get("qes sealed");
    assert_int_equal(yyjson_arr_size(at(before, "status versions")), 4);
    for (size_t i = 0; i < 4; i++) {
        char ours[64];
        char theirs[64];
        snprintf(ours, sizeof(ours), "status versions %zu publicKeyDigest", i);
        snprintf(theirs, sizeof(theirs), "status versions %zu digest", i);
        assert_string_equal(text_at("qes sealed", ours), text_at("qkkp pair", theirs));
    }
    put("secret sealed", "data: {metadata: null}");
    run();
    pass(MINUTE);
    assert_same(get("qes sealed"), before, "status versions");
    put("secret opened", "data: {metadata: null, shared_secret.1: null, shared_secret.2: null}");
    run();
    pass(MINUTE);
    is_served("qds opened");
    assert_string_equal(entry("secret opened", "shared_secret.1"), entry("secret sealed", "shared_secret.1"));
    assert_string_equal(entry("secret opened", "shared_secret.2"), entry("secret sealed", "shared_secret.2"));
}

// ---- what follows

// What was published comes into use in its time, for a key that is still kept.
static void a_key_that_is_rotated_often_puts_nothing_off(void **) {
    make("qkkp pair", "spec: {rotation: {keep: 16}}");
    make("qes sealed", "spec: {publicKeyRef: {name: pair}, rotation: {keep: 4, publishAhead: 2h}}");
    make("qds opened", "spec: {privateKeyRef: {name: pair}, ciphertextRef: {name: sealed}}");
    for (int i = 0; i < 10; i++) {
        put("qkkp pair", "metadata: {annotations: {qubesec.io/rotate: 'n%d'}}", i);
        pass(40 * MINUTE);
        is_served("qes sealed");
        is_served("qds opened");
        assert_string_equal(entry("secret opened", "shared_secret"), entry("secret sealed", "shared_secret"));
        if (i < 3) { // published with the first rotation, and not earlier in use than two hours later
            version_is("qes sealed", 1);
            assert_string_equal(text_at("qes sealed", "status versions 0 publicKeyDigest"),
                                text_at("qkkp pair", i == 0   ? "status versions 0 digest"
                                                     : i == 1 ? "status versions 1 digest"
                                                              : "status versions 2 digest"));
        }
    }
    assert_in_range(number_at("qes sealed", "status version"), 3, 4);
    pass(5 * HOUR);
    assert_string_equal(text_at("qes sealed", "status publicKeyDigest"),
                        text_at("qkkp pair", "status digest"));
}

static void a_version_that_cannot_be_opened_costs_nothing(void **) {
    make("qkkp pair", "spec: {}");
    make("qes sealed", "spec: {publicKeyRef: {name: pair}, rotation: {keep: 4}}");
    for (int i = 0; i < 3; i++) {
        put("qkkp pair", "metadata: {annotations: {qubesec.io/rotate: 'n%d'}}", i);
        pass(10 * MINUTE);
    }
    make("qds late", "spec: {privateKeyRef: {name: pair}, ciphertextRef: {name: sealed}}");
    make("qdk key", "spec: {sharedSecretRef: {name: late}}");
    assert_false(has_entry("secret late", "shared_secret.1"));
    assert_true(has_entry("secret late", "shared_secret.3"));
    for (int i = 0; i < 6; i++) { // each time it is looked at
        put("secret late", "metadata: {labels: {a: b%d}}", i);
        put("secret key", "metadata: {labels: {a: b%d}}", i);
        run();
        is_served("qds late");
        is_served("qdk key");
    }
    assert_int_equal(count_asked("patch secret late"), 0);
    assert_int_equal(count_asked("patch secret key"), 0);
    put("qkkp pair", "metadata: {annotations: {qubesec.io/rotate: last}}");
    pass(10 * MINUTE);
    version_is("qds late", 5);
    assert_string_equal(entry("secret late", "shared_secret.3"), entry("secret sealed", "shared_secret.3"));
    assert_string_equal(entry("secret late", "shared_secret.4"), entry("secret sealed", "shared_secret.4"));
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

static void an_operator_that_was_started_far_ahead_rotates_in_time(void **) {
    make("qrn it", "spec: {rotation: {every: 24h}}");
    clock_ms += 25 * HOUR;
    wall_ahead_s = 30 * (DAY / SECOND);
    restart();
    wall_ahead_s = 0;
    for (int i = 0; i < 20; i++) { // whatever it is looked at for
        put("qrn it", "metadata: {labels: {a: c%d}}", i);
        pass(30 * SECOND);
    }
    version_is("qrn it", 2);
}

static void what_came_into_use_far_ahead_is_so_now_and_once(void **state) {
    for (size_t i = 0; i < 2; i++) {
        begin_row(i == 0 ? "the first version" : "a later one", state);
        put("qskp it", "spec: {algorithm: ML-DSA-44, rotation: {every: 24h}}");
        if (i > 0) {
            run();
        }
        wall_ahead_s = 30 * (DAY / SECOND);
        put("qskp it", "metadata: {labels: {a: b}}");
        pass(10 * MINUTE);
        version_is("qskp it", (int64_t)i + 1);
        wall_ahead_s = 0;
        for (int k = 0; k < 3; k++) {
            put("qskp it", "metadata: {labels: {a: c%d}}", k);
            pass(6 * HOUR);
            restart();
        }
        version_is("qskp it", (int64_t)i + 1);
        assert_in_range(now_s() - seconds_at("qskp it", "status versions 0 activeTime"), 17 * 3600,
                        18 * 3600);
        forget();
        put("qskp it", "metadata: {labels: {a: d}}");
        pass(7 * HOUR);
        version_is("qskp it", (int64_t)i + 2);
        assert_int_equal(count_asked("patch secret it"), 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_cluster(a_rotation_that_is_refused_leaves_the_key_as_it_was),
        in_cluster(a_refused_rotation_is_tried_ever_more_slowly),
        in_cluster(what_was_published_and_is_refused_is_tried_again),
        in_cluster(what_follows_and_is_refused_says_what_is_wrong),
        in_cluster(a_version_of_the_key_can_be_edited),
        in_cluster(the_key_of_a_shared_secret_is_told_when_it_has_gone),
        in_cluster(a_version_that_somebody_has_put_there_is_told),
        in_cluster(an_earlier_version_that_somebody_has_put_there_is_told_or_refused),
        in_cluster(a_step_that_was_due_is_told_as_one_after_a_crash),
        in_cluster(what_was_published_and_is_lost_is_published_again),
        in_cluster(a_shared_secret_without_metadata_is_retired_and_not_replaced),
        in_cluster(each_version_knows_its_key_after_its_metadata_was_lost),
        in_cluster(a_key_that_is_rotated_often_puts_nothing_off),
        in_cluster(a_version_that_cannot_be_opened_costs_nothing),
        in_cluster(what_was_retired_far_ahead_is_told_to_go_when_it_does),
        in_cluster(an_operator_that_was_started_far_ahead_rotates_in_time),
        in_cluster(what_came_into_use_far_ahead_is_so_now_and_once),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
