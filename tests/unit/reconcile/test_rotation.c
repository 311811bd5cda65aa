// Outputs that are rotated: when, what is kept and for how long, and what follows.
#include "rotation_steps.h"

// ---- by the clock

static void a_key_is_rotated_when_it_is_due_and_the_old_one_stays(void **) {
    make("qkkp pair", "spec: {rotation: {every: 24h}}");
    version_is("qkkp pair", 1);
    const char *first = entry("secret pair", "private_key");
    const char *first_pem = entry("secret pair", "public_key.pem");
    const char *first_fingerprint = text_at("qkkp pair", "status fingerprint");
    int64_t due = seconds_at("qkkp pair", "status nextRotationTime");
    assert_in_range(due, BEGINNING_S + 22 * 3600, BEGINNING_S + 24 * 3600);
    pass_to(due - 60);
    version_is("qkkp pair", 1);
    asked_is("");
    pass(2 * MINUTE);
    version_is("qkkp pair", 2);
    assert_string_not_equal(entry("secret pair", "private_key"), first);
    assert_string_equal(entry("secret pair", "private_key.1"), first);
    assert_string_equal(entry("secret pair", "public_key.pem.1"), first_pem);
    assert_string_equal(text_at("qkkp pair", "status versions 0 state"), "Active");
    assert_string_equal(text_at("qkkp pair", "status versions 1 state"), "Retired");
    assert_int_equal(number_at("qkkp pair", "status versions 1 version"), 1);
    assert_string_equal(text_at("qkkp pair", "status versions 1 fingerprint"), first_fingerprint);
    assert_int_equal(seconds_at("qkkp pair", "status versions 1 expiryTime"),
                     seconds_at("qkkp pair", "status nextRotationTime"));
    assert_false(find_told("Rotated qkkp pair")->warning);
    note_has("Rotated qkkp pair", first_fingerprint);
    forget();
    const char *second = entry("secret pair", "private_key");
    pass(DAY);
    version_is("qkkp pair", 3);
    assert_string_equal(entry("secret pair", "private_key.2"), second);
    assert_false(has_entry("secret pair", "private_key.1"));
    assert_false(has_entry("secret pair", "public_key.pem.1"));
    note_has("VersionExpired qkkp pair", first_fingerprint);
}

static void without_a_schedule_a_key_stays(void **) {
    make("qkkp pair", "spec: {}");
    const char *before = entry("secret pair", "metadata");
    pass((int64_t)40 * DAY);
    version_is("qkkp pair", 1);
    assert_string_equal(entry("secret pair", "metadata"), before);
    assert_string_equal(text_at("qkkp pair", "status nextRotationTime"), "");
    assert_null(at(get("qkkp pair"), "status versions"));
    asked_is("");
}

static void as_many_versions_stay_as_are_asked_for(void **) {
    make("qrn it", "spec: {numBytes: 32, rotation: {every: 1h, keep: 3}}");
    pass(6 * HOUR);
    assert_in_range(number_at("qrn it", "status version"), 6, 8);
    assert_int_equal(yyjson_arr_size(at(get("qrn it"), "status versions")), 4);
    put("qrn it", "spec: {rotation: {keep: 1}}");
    run();
    assert_int_equal(yyjson_arr_size(at(get("qrn it"), "status versions")), 2);
    is_served("qrn it");
}

static void what_was_overdue_is_rotated_once(void **) {
    make("qrn it", "spec: {rotation: {every: 1h, keep: 5}}");
    cluster.is_silent = true;
    clock_ms += (int64_t)10 * DAY;
    cluster.is_silent = false;
    put("qrn it", "metadata: {labels: {a: b}}");
    pass(10 * MINUTE);
    version_is("qrn it", 2);
}

static void a_clock_that_is_set_back_rotates_nothing_twice(void **) {
    make("qrn it", "spec: {rotation: {every: 1h}}");
    pass(HOUR);
    version_is("qrn it", 2);
    clock_ms -= 10 * MINUTE;
    put("qrn it", "metadata: {labels: {a: b}}");
    pass(9 * MINUTE);
    version_is("qrn it", 2);
}

static void it_waits_for_the_window(void **) {
    make("qrn it", "spec: {rotation: {every: 1h, window: {schedule: '0 3 * * *', duration: 1h}}}");
    int64_t due = seconds_at("qrn it", "status nextRotationTime");
    assert_in_range(due, BEGINNING_S + 3 * 3600, BEGINNING_S + 4 * 3600);
    pass(2 * HOUR + 55 * MINUTE);
    version_is("qrn it", 1);
    pass(65 * MINUTE);
    version_is("qrn it", 2);
    pass(20 * HOUR);
    version_is("qrn it", 2);
}

// ---- ahead of its use

static void the_next_key_is_published_ahead(void **) {
    make("qkkp pair", "spec: {rotation: {every: 24h, publishAhead: 2h}}");
    const char *first = entry("secret pair", "private_key");
    int64_t due = seconds_at("qkkp pair", "status nextRotationTime");
    pass_to(due - 2 * 3600 + 60);
    version_is("qkkp pair", 1);
    assert_string_equal(entry("secret pair", "private_key"), first);
    const char *next = entry("secret pair", "public_key.next");
    const char *hidden = entry("secret pair", ".private_key.next");
    assert_string_not_equal(next, "");
    assert_string_not_equal(hidden, "");
    assert_false(has_entry("secret pair", "private_key.next"));
    assert_string_equal(text_at("qkkp pair", "status versions 0 state"), "Next");
    assert_int_equal(number_at("qkkp pair", "status versions 0 version"), 2);
    note_has("NextKeyPublished qkkp pair", text_at("qkkp pair", "status versions 0 fingerprint"));
    int64_t then = seconds_at("qkkp pair", "status nextRotationTime");
    assert_in_range(then, due, due + 120);
    pass_to(then + 60);
    version_is("qkkp pair", 2);
    assert_string_equal(entry("secret pair", "public_key"), next);
    assert_string_equal(entry("secret pair", "private_key"), hidden);
    assert_false(has_entry("secret pair", "public_key.next"));
    assert_false(has_entry("secret pair", ".private_key.next"));
    assert_string_equal(entry("secret pair", "private_key.1"), first);
}

static void a_version_is_kept_for_as_long_as_it_is_asked_for(void **) {
    make("qrn it", "spec: {rotation: {every: 1h, keep: 1, keepFor: 3h}}");
    pass(61 * MINUTE);
    version_is("qrn it", 2);
    int64_t retired = seconds_at("qrn it", "status versions 1 retiredTime");
    assert_int_equal(seconds_at("qrn it", "status nextRotationTime"), retired + 3 * 3600);
    status_is("qrn it", "Success Succeeded", "waits");
    pass(2 * HOUR);
    version_is("qrn it", 2);
    pass(HOUR);
    version_is("qrn it", 3);
}

// ---- on request

static void each_request_rotates_once(void **) {
    make("qkkp pair", "spec: {}");
    const char *first = entry("secret pair", "private_key");
    put("qkkp pair", "metadata: {annotations: {qubesec.io/rotate: one}}");
    run();
    version_is("qkkp pair", 2);
    assert_string_equal(text_at("qkkp pair", "status lastRotateRequest"), "one");
    assert_string_equal(entry("secret pair", "private_key.1"), first);
    pass(DAY);
    put("qkkp pair", "metadata: {labels: {a: b}}");
    put("secret pair", "metadata: {labels: {c: d}}");
    pass(DAY);
    version_is("qkkp pair", 2);
    put("qkkp pair", "metadata: {annotations: {qubesec.io/rotate: two}}");
    run();
    version_is("qkkp pair", 3);
    assert_false(has_entry("secret pair", "private_key.1"));
    put("qkkp pair", "metadata: {annotations: {qubesec.io/rotate: null}}");
    pass(MINUTE);
    version_is("qkkp pair", 3);
    assert_string_equal(text_at("qkkp pair", "status lastRotateRequest"), "two");
}

static void a_request_publishes_ahead_too(void **) {
    make("qkkp pair", "spec: {rotation: {publishAhead: 10m}}");
    put("qkkp pair", "metadata: {annotations: {qubesec.io/rotate: one}}");
    run();
    version_is("qkkp pair", 1);
    assert_string_equal(text_at("qkkp pair", "status lastRotateRequest"), "");
    pass(9 * MINUTE);
    version_is("qkkp pair", 1);
    pass(2 * MINUTE);
    version_is("qkkp pair", 2);
    assert_string_equal(text_at("qkkp pair", "status lastRotateRequest"), "one");
    pass(DAY);
    version_is("qkkp pair", 2);
}

static void what_is_not_rotated_refuses(void **) {
    make("qkkp pair", "spec: {}");
    make("qes it", "spec: {publicKeyRef: {name: pair}}");
    make("qds it2", "spec: {privateKeyRef: {name: pair}, ciphertextRef: {name: it}}");
    put("qds it2", "metadata: {annotations: {qubesec.io/rotate: one}}");
    run();
    assert_true(find_told("NotRotated qds it2")->warning);
    assert_string_equal(text_at("qds it2", "status lastRotateRequest"), "refused: one");
    put("qkkp pair", "metadata: {annotations: {qubesec.io/renew: one}}");
    run();
    note_has("NotRenewed qkkp pair", "qubesec.io/rotate");
    version_is("qkkp pair", 1);
}

// ---- what follows

static void what_hangs_on_a_key_follows_with_its_versions(void **) {
    make("qkkp pair", "spec: {}");
    make("qes sealed", "spec: {publicKeyRef: {name: pair}}");
    make("qds opened", "spec: {privateKeyRef: {name: pair}, ciphertextRef: {name: sealed}}");
    make("qdk one", "spec: {sharedSecretRef: {name: sealed}}");
    make("qdk other", "spec: {sharedSecretRef: {name: opened}}");
    const char *first = entry("secret one", "key");
    assert_string_equal(entry("secret other", "key"), first);
    put("qkkp pair", "metadata: {annotations: {qubesec.io/rotate: one}}");
    run();
    pass(10 * SECOND);
    version_is("qkkp pair", 2);
    version_is("qes sealed", 2);
    version_is("qds opened", 2);
    version_is("qdk one", 2);
    version_is("qdk other", 2);
    assert_string_not_equal(entry("secret one", "key"), first);
    assert_string_equal(entry("secret one", "key"), entry("secret other", "key"));
    assert_string_equal(entry("secret one", "key.1"), first);
    assert_string_equal(entry("secret other", "key.1"), first);
    assert_string_equal(entry("secret opened", "shared_secret.1"), entry("secret sealed", "shared_secret.1"));
    assert_string_equal(text_at("qds opened", "status publicKeyDigest"),
                        text_at("qkkp pair", "status digest"));
    assert_false(find_told("Rotated qdk other")->warning);
    forget();
    put("qkkp pair", "metadata: {annotations: {qubesec.io/rotate: two}}");
    run();
    pass(20 * SECOND);
    version_is("qdk other", 3);
    assert_false(has_entry("secret other", "key.1"));
    assert_false(has_entry("secret opened", "shared_secret.1"));
    assert_string_equal(entry("secret one", "key"), entry("secret other", "key"));
    assert_string_equal(entry("secret one", "key.2"), entry("secret other", "key.2"));
}

static void a_shared_secret_is_rotated_ahead_for_both_sides(void **) {
    make("qkkp pair", "spec: {}");
    make("qes sealed", "spec: {publicKeyRef: {name: pair}, rotation: {every: 24h, publishAhead: 1h}}");
    make("qds opened", "spec: {privateKeyRef: {name: pair}, ciphertextRef: {name: sealed}}");
    make("qdk one", "spec: {sharedSecretRef: {name: sealed}}");
    make("qdk other", "spec: {sharedSecretRef: {name: opened}}");
    int64_t due = seconds_at("qes sealed", "status nextRotationTime");
    pass_to(due - 3600 + 60);
    const char *next = entry("secret one", ".key.next");
    assert_string_not_equal(next, "");
    assert_string_equal(entry("secret other", ".key.next"), next);
    version_is("qdk other", 1);
    pass(65 * MINUTE);
    version_is("qdk other", 2);
    assert_string_equal(entry("secret one", "key"), next);
    assert_string_equal(entry("secret other", "key"), next);
    assert_string_equal(entry("secret one", "key.1"), entry("secret other", "key.1"));
}

// What was published for a key that is gone, nobody could read.
static void what_was_published_for_a_lost_key_is_never_used(void **state) {
    for (size_t stays = 0; stays < 2; stays++) {
        begin_row(stays ? "publishAhead stays" : "publishAhead goes", state);
        make("qkkp pair", "spec: {}");
        make("qes sealed", "spec: {publicKeyRef: {name: pair}, rotation: {publishAhead: 10m}}");
        make("qds opened", "spec: {privateKeyRef: {name: pair}, ciphertextRef: {name: sealed}}");
        put("qes sealed", "metadata: {annotations: {qubesec.io/rotate: one}}");
        run();
        const char *next = entry("secret sealed", ".shared_secret.next");
        assert_string_not_equal(next, "");
        take_away("secret pair");
        pass(MINUTE);
        is_served("qes sealed");
        if (!stays) {
            put("qes sealed", "spec: {rotation: {publishAhead: null}}");
        }
        pass(HOUR);
        is_served("qds opened");
        assert_string_not_equal(entry("secret sealed", "shared_secret"), next);
        assert_string_equal(entry("secret sealed", "shared_secret"), entry("secret opened", "shared_secret"));
    }
}

// However often in a short time: a side that has not got the next key yet could not read what the other one
// writes.
static void what_follows_is_never_held_back(void **) {
    make("qkkp pair", "spec: {}");
    make("qes sealed", "spec: {publicKeyRef: {name: pair}, rotation: {publishAhead: 10s}}");
    make("qds opened", "spec: {privateKeyRef: {name: pair}, ciphertextRef: {name: sealed}}");
    make("qdk other", "spec: {sharedSecretRef: {name: opened}}");
    for (int64_t version = 2; version < 8; version++) {
        put("qes sealed", "metadata: {annotations: {qubesec.io/rotate: request %" PRId64 "}}", version);
        for (int i = 0; i < 600 && !has_entry("secret sealed", ".shared_secret.next"); i++) {
            pass(SECOND); // requests are held back themselves
        }
        pass(2 * SECOND);
        const char *next = entry("secret other", ".key.next");
        assert_string_not_equal(next, "");
        pass(12 * SECOND);
        version_is("qes sealed", version);
        version_is("qdk other", version);
        assert_string_equal(entry("secret other", "key"), next);
    }
}

static void a_signature_of_a_retired_key_is_valid_while_that_is_kept(void **) {
    put("configmap m", "data: {text: hello}");
    make("qskp signer", "spec: {algorithm: ML-DSA-44}");
    make("qsm it",
         "spec: {privateKeyRef: {name: signer}, messageRef: {kind: ConfigMap, name: m, key: text}}");
    assert_int_equal(number_at("qsm it", "status keyVersion"), 1);
    put_copy("secret old", "secret it-signature", "metadata: {}");
    put("qvs old", "spec: {publicKeyRef: {name: signer}, messageRef: {kind: ConfigMap, name: m, key: text}, "
                   "signatureRef: {kind: Secret, name: old, key: signature}}");
    put("qvs new", "spec: {publicKeyRef: {name: signer}, messageRef: {kind: ConfigMap, name: m, key: text}, "
                   "signatureRef: {name: it}}");
    run();
    put("qskp signer", "metadata: {annotations: {qubesec.io/rotate: one}}");
    run();
    pass(10 * SECOND);
    assert_int_equal(number_at("qsm it", "status keyVersion"), 2);
    status_is("qvs new", "Valid SignatureValid", "");
    assert_int_equal(number_at("qvs new", "status keyVersion"), 2);
    status_is("qvs old", "Valid SignatureValid", "");
    assert_int_equal(number_at("qvs old", "status keyVersion"), 1);
    put("qvs pinned",
        "spec: {publicKeyRef: {name: signer, version: 2}, messageRef: {kind: ConfigMap, name: m, key: text}, "
        "signatureRef: {kind: Secret, name: old, key: signature}}");
    run();
    status_is("qvs pinned", "Invalid SignatureInvalid", "");
    put("qskp signer", "metadata: {annotations: {qubesec.io/rotate: two}}");
    run();
    pass(20 * SECOND);
    status_is("qvs old", "Invalid SignatureInvalid", "");
}

static void what_follows_may_have_to_wait_and_is_not_forgotten(void **) {
    make("qkkp pair", "spec: {rotation: {keep: 4}}");
    make("qes sealed", "spec: {publicKeyRef: {name: pair}, rotation: {keep: 1, keepFor: 3h}}");
    rotate("qkkp pair", "one");
    pass(MINUTE);
    version_is("qes sealed", 2);
    const char *present = entry("secret sealed", "shared_secret");
    rotate("qkkp pair", "two");
    pass(2 * HOUR);
    status_is("qes sealed", "Success Succeeded", "waits until");
    version_is("qes sealed", 2);
    assert_string_equal(entry("secret sealed", "shared_secret"), present);
    assert_string_equal(text_at("qes sealed", "status publicKeyDigest"),
                        text_at("qkkp pair", "status versions 1 digest"));
    put("qes sealed", "metadata: {labels: {a: b}}");
    put("secret sealed", "metadata: {labels: {a: b}}");
    pass(59 * MINUTE);
    assert_string_equal(entry("secret sealed", "shared_secret"), present);
    pass(3 * MINUTE);
    version_is("qes sealed", 3);
    assert_string_equal(entry("secret sealed", "shared_secret.2"), present);
    assert_string_equal(text_at("qes sealed", "status publicKeyDigest"),
                        text_at("qkkp pair", "status digest"));
}

static void what_follows_often_is_put_off_and_not_forgotten(void **) {
    make("qkkp pair", "spec: {rotation: {keep: 16}}");
    make("qes sealed", "spec: {publicKeyRef: {name: pair}, rotation: {keep: 16}}");
    make("qds opened", "spec: {privateKeyRef: {name: pair}, ciphertextRef: {name: sealed}}");
    for (size_t i = 0; i < 8; i++) {
        char request[8];
        snprintf(request, sizeof(request), "n%zu", i);
        rotate("qkkp pair", request);
        pass((int64_t)i * 2 * SECOND);
    }
    pass(20 * MINUTE);
    assert_string_equal(text_at("qkkp pair", "status lastRotateRequest"), "n7");
    assert_string_equal(text_at("qes sealed", "status publicKeyDigest"),
                        text_at("qkkp pair", "status digest"));
    assert_string_equal(text_at("qds opened", "status publicKeyDigest"),
                        text_at("qkkp pair", "status digest"));
    assert_string_equal(entry("secret opened", "shared_secret"), entry("secret sealed", "shared_secret"));
    assert_int_equal(number_at("qds opened", "status version"), number_at("qes sealed", "status version"));
}

static void a_follower_that_is_damaged_is_made_again_with_its_versions(void **) {
    make("qkkp pair", "spec: {}");
    make("qes sealed", "spec: {publicKeyRef: {name: pair}}");
    make("qds opened", "spec: {privateKeyRef: {name: pair}, ciphertextRef: {name: sealed}}");
    make("qdk it", "spec: {sharedSecretRef: {name: opened}}");
    put("qkkp pair", "metadata: {annotations: {qubesec.io/rotate: one}}");
    run();
    pass(10 * SECOND);
    version_is("qdk it", 2);
    const char *present = entry("secret it", "key");
    const char *old = entry("secret it", "key.1");
    put("secret it", "data: {key: null}");
    run();
    pass(5 * SECOND);
    version_is("qdk it", 2);
    assert_string_equal(entry("secret it", "key"), present);
    assert_string_equal(entry("secret it", "key.1"), old);
    put("secret it", "data: {key.1: null}");
    put("secret opened", "data: {shared_secret.1: null}");
    run();
    pass(20 * SECOND);
    version_is("qdk it", 2);
    assert_string_equal(entry("secret it", "key.1"), old);
    take_away("secret it");
    pass(20 * SECOND);
    version_is("qdk it", 2);
    assert_string_equal(entry("secret it", "key"), present);
    assert_string_equal(entry("secret it", "key.1"), old);
}

static void a_version_can_be_pinned(void **) {
    make("qkkp pair", "spec: {}");
    make("qes sealed", "spec: {publicKeyRef: {name: pair}}");
    const char *first = entry("secret sealed", "shared_secret");
    put("qkkp pair", "metadata: {annotations: {qubesec.io/rotate: one}}");
    run();
    pass(10 * SECOND);
    version_is("qes sealed", 2);
    make("qds old", "spec: {privateKeyRef: {name: pair}, ciphertextRef: {name: sealed, version: 1}}");
    assert_string_equal(entry("secret old", "shared_secret"), first);
    make("qes back", "spec: {publicKeyRef: {name: pair, version: 1}}");
    assert_string_equal(text_at("qes back", "status publicKeyDigest"),
                        text_at("qkkp pair", "status versions 1 digest"));
    put("qdk none", "spec: {sharedSecretRef: {name: sealed, version: 9}}");
    run();
    status_is("qdk none", "Pending WaitingForQuantumEncapsulateSecret", "has no version 9");
    put("qdk bad", "spec: {sharedSecretRef: {kind: Secret, name: sealed, key: shared_secret, version: 1}}");
    run();
    status_is("qdk bad", "Failed InvalidSpec", "spec.sharedSecretRef.version: goes only with");
}

static void what_is_put_off_is_no_loop(void **) {
    make("qkkp pair", "spec: {}");
    for (size_t i = 0; i < 6; i++) {
        put("qkkp pair", "metadata: {annotations: {qubesec.io/rotate: 'n%zu'}}", i);
        run();
    }
    cluster.reconciles = 0;
    pass(10 * SECOND);
    assert_in_range(cluster.reconciles, 0, 20);
    pass(10 * MINUTE);
    assert_string_equal(text_at("qkkp pair", "status lastRotateRequest"), "n5");
}

// ---- what is listed

static yyjson_val *listed(const char *secret) {
    struct error e;
    struct secret *text;
    yyjson_doc *document = nullptr;
    const char *encoded = entry(secret, "public_keys.jwks");
    must(base64_decode(encoded, strlen(encoded), ENCODING_ONE_LINE, &text, &e), e);
    must(json_parse((const char *)secret_view(text), secret_length(text), &document, &e), e);
    secret_free(text);
    return yyjson_obj_get(yyjson_doc_get_root(add_change(&cluster.kept, document, false)->document), "keys");
}

static void public_keys_are_listed_for_programs_elsewhere(void **) {
    make("qskp signer", "spec: {algorithm: ML-DSA-44}");
    assert_false(has_entry("secret signer", "public_keys.jwks"));
    put("qskp signer", "spec: {rotation: {every: 24h, keep: 2, publishAhead: 1h}}");
    run();
    version_is("qskp signer", 1);
    assert_int_equal(yyjson_arr_size(listed("secret signer")), 1);
    int64_t due = seconds_at("qskp signer", "status nextRotationTime");
    pass_to(due + 120);
    pass_to(seconds_at("qskp signer", "status nextRotationTime") - 1800);
    version_is("qskp signer", 2);
    yyjson_val *keys = listed("secret signer");
    assert_int_equal(yyjson_arr_size(keys), 3);
    static const char *const states[] = {"1", "0", "2"}; // of status.versions, in the list's order
    for (size_t i = 0; i < 3; i++) {
        char path[64];
        yyjson_val *key = yyjson_arr_get(keys, i);
        snprintf(path, sizeof(path), "status versions %s digest", states[i]);
        assert_true(json_member_is(key, "kid", text_at("qskp signer", path)));
        assert_true(json_member_is(key, "kty", "AKP"));
        assert_true(json_member_is(key, "alg", "ML-DSA-44"));
        assert_int_equal(yyjson_get_len(yyjson_obj_get(key, "pub")), (1312 * 4 + 2) / 3);
    }
    for (size_t i = 0; i < 3; i++) { // who obeys it would refuse a key that is still good
        assert_null(yyjson_obj_get(yyjson_arr_get(keys, i), "exp"));
    }
    forget();
    pass(MINUTE);
    asked_is("");
    put("secret signer", "data: {public_keys.jwks: e30=}");
    run();
    assert_int_equal(yyjson_arr_size(listed("secret signer")), 3);
}

// ---- damage and loss

static void a_version_that_is_damaged_is_rebuilt(void **) {
    make("qkkp pair", "spec: {}");
    put("qkkp pair", "metadata: {annotations: {qubesec.io/rotate: one}}");
    run();
    const char *old = entry("secret pair", "private_key.1");
    const char *present = entry("secret pair", "private_key");
    put("secret pair", "data: {private_key.1: null, public_key.pem.1: null}");
    run();
    version_is("qkkp pair", 2);
    assert_string_equal(entry("secret pair", "private_key.1"), old);
    assert_string_equal(entry("secret pair", "private_key"), present);
    assert_string_not_equal(entry("secret pair", "public_key.pem.1"), "");
    assert_true(find_told("SecretRepaired qkkp pair")->warning);
}

static void metadata_that_is_lost_is_found_again(void **) {
    make("qkkp pair", "spec: {rotation: {every: 24h, keep: 2}}");
    pass(49 * HOUR);
    int64_t version = number_at("qkkp pair", "status version");
    yyjson_val *before = get("qkkp pair");
    const char *old = entry("secret pair", "private_key.1");
    assert_in_range(version, 3, 3);
    put("secret pair", "data: {metadata: null}");
    run();
    version_is("qkkp pair", version);
    assert_string_equal(entry("secret pair", "private_key.1"), old);
    assert_same(get("qkkp pair"), before, "status versions");
    assert_same(get("qkkp pair"), before, "status nextRotationTime");
}

static void a_version_that_is_lost_is_told_and_the_present_one_stays(void **state) {
    for (size_t fails = 0; fails < 2; fails++) {
        begin_row(fails ? "onKeyLoss Fail" : "onKeyLoss Recreate", state);
        make("qkkp pair", "spec: {onKeyLoss: %s}", fails ? "Fail" : "Recreate");
        put("qkkp pair", "metadata: {annotations: {qubesec.io/rotate: one}}");
        run();
        const char *present = entry("secret pair", "private_key");
        put("secret pair", "data: {private_key.1: null, private_key.pem.1: null}");
        run();
        pass(5 * SECOND);
        assert_string_equal(entry("secret pair", "private_key"), present);
        if (fails) {
            status_is("qkkp pair", "Failed KeyLost", "version 1");
            assert_true(has_entry("secret pair", "public_key.1"));
        } else {
            version_is("qkkp pair", 2);
            assert_false(has_entry("secret pair", "public_key.1"));
            assert_true(find_told("VersionLost qkkp pair")->warning);
        }
    }
}

static void a_key_that_is_lost_gets_a_number_of_its_own(void **) {
    make("qkkp pair", "spec: {}");
    put("qkkp pair", "metadata: {annotations: {qubesec.io/rotate: one}}");
    run();
    take_away("secret pair");
    pass(10 * SECOND);
    version_is("qkkp pair", 3);
    assert_true(find_told("SecretLost qkkp pair")->warning);
}

static void what_is_restored_keeps_its_versions(void **) {
    make("qkkp pair", "spec: {rotation: {every: 24h}, deletionPolicy: Retain}");
    pass(25 * HOUR);
    version_is("qkkp pair", 2);
    const char *present = entry("secret pair", "private_key");
    const char *old = entry("secret pair", "private_key.1");
    take_away("qkkp pair");
    run();
    put("qkkp pair", "spec: {rotation: {every: 24h}, deletionPolicy: Retain}");
    run();
    version_is("qkkp pair", 2);
    assert_string_equal(entry("secret pair", "private_key"), present);
    assert_string_equal(entry("secret pair", "private_key.1"), old);
}

static void an_older_secret_that_is_put_back_is_told_and_shares_no_number(void **) {
    make("qkkp pair", "spec: {rotation: {every: 24h}}");
    put_copy("secret backup", "secret pair", "metadata: {}");
    pass(25 * HOUR);
    pass(24 * HOUR);
    version_is("qkkp pair", 3);
    const char *lost = text_at("qkkp pair", "status fingerprint");
    forget();
    put("secret pair", "data: null");
    put_copy("secret pair", "secret backup", "metadata: {}");
    run();
    pass(10 * MINUTE);
    version_is("qkkp pair", 4);
    assert_true(find_told("KeyReplaced qkkp pair")->warning);
    note_has("KeyReplaced qkkp pair", lost);
    assert_string_equal(entry("secret pair", "private_key.1"), entry("secret backup", "private_key"));
}

static void an_entry_of_somebody_else_is_not_written_over(void **) {
    make("qkkp pair", "spec: {}");
    put("secret pair", "data: {private_key.1: Zm9yZWlnbg==}");
    run();
    put("qkkp pair", "metadata: {annotations: {qubesec.io/rotate: one}}");
    run();
    pass(5 * SECOND);
    status_is("qkkp pair", "Success Succeeded", "private_key.1");
    note_has("RotationRefused qkkp pair", "private_key.1");
    assert_string_equal(entry("secret pair", "private_key.1"), "Zm9yZWlnbg==");
    assert_int_equal(number_at("qkkp pair", "status version"), 1);
}

static void a_crash_between_secret_and_status_rotates_nothing_twice(void **) {
    make("qkkp pair", "spec: {}");
    put("qkkp pair", "metadata: {annotations: {qubesec.io/rotate: one}}");
    fault((struct fault){
        .request = "write qkkp pair status", .class = ERROR_RETRYABLE, .message = "the operator has ended"});
    run();
    pass(10 * SECOND);
    version_is("qkkp pair", 2);
    assert_string_equal(text_at("qkkp pair", "status lastRotateRequest"), "one");
    assert_false(find_told("Rotated qkkp pair")->warning);
}

static void of_as_many_as_can_be_kept_none_stays_longer(void **) {
    make("qrn it", "spec: {rotation: {every: 1h, keep: 16}}");
    pass((int64_t)20 * HOUR);
    assert_in_range(number_at("qrn it", "status version"), 20, 22);
    int64_t version = number_at("qrn it", "status version");
    assert_int_equal(yyjson_arr_size(at(get("qrn it"), "status versions")), 17);
    for (int64_t i = 1; i < version; i++) {
        char name[32];
        snprintf(name, sizeof(name), "random.%d", (int)i);
        assert_int_equal(has_entry("secret it", name), i >= version - 16);
    }
    assert_false(find_told("VersionExpired qrn it")->warning);
}

static void a_clock_that_was_far_ahead_holds_nothing_up(void **) {
    make("qrn it", "spec: {rotation: {every: 24h, keep: 1}}");
    wall_ahead_s = 30 * (DAY / SECOND);
    put("qrn it", "metadata: {labels: {a: b}}");
    pass(10 * MINUTE);
    version_is("qrn it", 2);
    wall_ahead_s = 0;
    put("qrn it", "metadata: {labels: {a: c}}");
    pass(HOUR);
    version_is("qrn it", 2);
    pass(DAY);
    version_is("qrn it", 3);
    put("qrn it", "metadata: {annotations: {qubesec.io/rotate: one}}");
    pass(MINUTE);
    version_is("qrn it", 4);
}

static void what_comes_from_a_seed_is_not_rotated(void **) {
    make("qrn it", "spec: {numBytes: 32, seed: "
                   "'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b"
                   "2c2d2e2f'}");
    put("qrn it", "metadata: {annotations: {qubesec.io/rotate: one}}");
    run();
    version_is("qrn it", 1);
    assert_true(find_told("NotRotated qrn it")->warning);
    assert_string_equal(text_at("qrn it", "status lastRotateRequest"), "refused: one");
    forget();
    pass(HOUR);
    asked_is("");
}

static void without_a_schedule_what_was_published_waits_for_a_request(void **) {
    make("qkkp pair", "spec: {rotation: {every: 24h, keep: 3, publishAhead: 2h}}");
    pass(3 * DAY);
    pass_to(seconds_at("qkkp pair", "status nextRotationTime") - 3600);
    int64_t version = number_at("qkkp pair", "status version");
    const char *next = entry("secret pair", "public_key.next");
    assert_string_not_equal(next, "");
    put("qkkp pair", "spec: {rotation: null}");
    pass(2 * DAY);
    version_is("qkkp pair", version);
    assert_int_equal(yyjson_arr_size(at(get("qkkp pair"), "status versions")),
                     2 + (version < 4 ? version - 1 : 3));
    put("qkkp pair", "metadata: {annotations: {qubesec.io/rotate: one}}");
    pass(MINUTE);
    version_is("qkkp pair", version + 1);
    assert_string_equal(entry("secret pair", "public_key"), next);
}

static void a_secret_in_use_is_kept_when_its_key_goes_while_it_waits(void **) {
    make("qkkp pair", "spec: {}");
    make("qes sealed", "spec: {publicKeyRef: {name: pair}, rotation: {publishAhead: 1h}}");
    make("qds opened", "spec: {privateKeyRef: {name: pair}, ciphertextRef: {name: sealed}}");
    const char *first = entry("secret sealed", "shared_secret");
    rotate("qkkp pair", "one");
    pass(10 * MINUTE);
    assert_string_equal(entry("secret sealed", "shared_secret"), first);
    rotate("qkkp pair", "two"); // nobody can open it any more
    pass(MINUTE);
    assert_int_equal(number_at("qes sealed", "status versions 2 version"), 1);
    assert_string_equal(entry("secret sealed", "shared_secret.1"), first);
    assert_string_equal(entry("secret opened", "shared_secret.1"), first);
    assert_string_equal(entry("secret opened", "shared_secret"), entry("secret sealed", "shared_secret"));
    assert_string_equal(text_at("qes sealed", "status publicKeyDigest"),
                        text_at("qkkp pair", "status versions 1 digest"));
    pass(61 * MINUTE);
    assert_string_equal(text_at("qes sealed", "status publicKeyDigest"),
                        text_at("qkkp pair", "status digest"));
}

static void metadata_that_is_lost_while_it_waits_makes_it_claim_no_other_key(void **) {
    make("qkkp pair", "spec: {rotation: {keep: 4}}");
    make("qes sealed", "spec: {publicKeyRef: {name: pair}, rotation: {keepFor: 3h}}");
    rotate("qkkp pair", "one");
    pass(MINUTE);
    rotate("qkkp pair", "two");
    pass(HOUR);
    const char *used = text_at("qes sealed", "status publicKeyDigest");
    assert_string_equal(used, text_at("qkkp pair", "status versions 1 digest"));
    forget();
    put("secret sealed", "data: {metadata: null}");
    run();
    pass(10 * SECOND);
    assert_string_equal(text_at("qes sealed", "status publicKeyDigest"), used);
    make("qds opened", "spec: {privateKeyRef: {name: pair}, ciphertextRef: {name: sealed}}");
    assert_string_equal(entry("secret opened", "shared_secret"), entry("secret sealed", "shared_secret"));
    pass(5 * HOUR);
    assert_string_equal(text_at("qes sealed", "status publicKeyDigest"),
                        text_at("qkkp pair", "status digest"));
}

static void a_key_that_is_planted_in_a_version_is_refused(void **) {
    make("qskp other", "spec: {algorithm: ML-DSA-44}");
    make("qskp signer", "spec: {algorithm: ML-DSA-44}");
    rotate("qskp signer", "one");
    put("secret signer", "data: {private_key.1: %s, private_key.pem.1: %s}",
        entry("secret other", "private_key"), entry("secret other", "private_key.pem"));
    run();
    pass(5 * SECOND);
    status_is("qskp signer", "Failed KeyMismatch",
              "version 1: what the Secret holds of it is sound, and is ");
}

static void what_follows_and_is_damaged_keeps_versions_whose_key_has_gone(void **) {
    make("qkkp pair", "spec: {}");
    make("qes sealed", "spec: {publicKeyRef: {name: pair}, rotation: {keep: 4}}");
    make("qds opened", "spec: {privateKeyRef: {name: pair}, ciphertextRef: {name: sealed}}");
    const char *first = entry("secret opened", "shared_secret");
    static const char *const requests[] = {"one", "two", "three"};
    for (size_t i = 0; i < 3; i++) {
        rotate("qkkp pair", requests[i]);
        pass(20 * MINUTE);
    }
    version_is("qds opened", 4);
    assert_string_equal(entry("secret opened", "shared_secret.1"), first);
    const char *present = entry("secret opened", "shared_secret");
    put("secret opened", "data: {shared_secret: null}");
    run();
    pass(5 * SECOND);
    version_is("qds opened", 4);
    assert_string_equal(entry("secret opened", "shared_secret"), present);
    assert_string_equal(entry("secret opened", "shared_secret.1"), first);
    put("secret opened", "data: {metadata: null}");
    run();
    pass(5 * SECOND);
    version_is("qds opened", 4);
    assert_string_equal(entry("secret opened", "shared_secret.1"), first);
}

static void what_follows_another_one_of_the_name_takes_nothing_of_the_old(void **) {
    make("qkkp pair", "spec: {}");
    make("qes sealed", "spec: {publicKeyRef: {name: pair}}");
    make("qds opened", "spec: {privateKeyRef: {name: pair}, ciphertextRef: {name: sealed}}");
    put("qes sealed", "metadata: {annotations: {qubesec.io/rotate: one}}");
    run();
    pass(MINUTE);
    version_is("qds opened", 2);
    put("secret opened", "data: {metadata: null}");
    run();
    pass(20 * MINUTE);
    take_away("qes sealed");
    collect();
    pass(MINUTE);
    put("qes sealed", "spec: {publicKeyRef: {name: pair}}");
    pass(20 * MINUTE);
    version_is("qds opened", number_at("qes sealed", "status version"));
    assert_string_equal(entry("secret opened", "shared_secret"), entry("secret sealed", "shared_secret"));
}

static void a_key_from_outside_that_changes_leaves_what_is_to_be_kept(void **) {
    make("qkkp one", "spec: {}");
    make("qkkp two", "spec: {}");
    make("qkkp three", "spec: {}");
    put("configmap peer", "binaryData: {key: %s}", entry("secret one", "public_key"));
    make("qes sealed",
         "spec: {publicKeyRef: {kind: ConfigMap, name: peer, key: key}, rotation: {keep: 1, keepFor: 3h}}");
    const char *first = entry("secret sealed", "shared_secret");
    put("configmap peer", "binaryData: {key: %s}", entry("secret two", "public_key"));
    pass(MINUTE);
    version_is("qes sealed", 2);
    put("configmap peer", "binaryData: {key: %s}", entry("secret three", "public_key"));
    pass(HOUR);
    version_is("qes sealed", 2);
    assert_string_equal(entry("secret sealed", "shared_secret.1"), first);
    pass((int64_t)3 * HOUR);
    version_is("qes sealed", 3);
}

static void where_a_key_has_gone_nothing_goes_that_is_to_be_kept(void **) {
    make("qkkp pair", "spec: {}");
    make("qes sealed", "spec: {publicKeyRef: {name: pair}, rotation: {keep: 1, keepFor: 3h}}");
    const char *first = entry("secret sealed", "shared_secret");
    for (size_t i = 0; i < 2; i++) {
        take_away("secret pair");
        pass(10 * MINUTE);
    }
    version_is("qes sealed", 3);
    assert_string_equal(entry("secret sealed", "shared_secret.1"), first);
    put("qes sealed", "metadata: {labels: {a: b}}");
    pass((int64_t)4 * HOUR);
    assert_false(has_entry("secret sealed", "shared_secret.1"));
    assert_true(has_entry("secret sealed", "shared_secret.2"));
}

static void what_an_edit_takes_away_is_not_lost(void **) {
    make("qrn one", "spec: {}");
    make("qrn other", "spec: {}");
    make("qdk it", "spec: {sharedSecretRef: {name: one}}");
    put("qrn one", "metadata: {annotations: {qubesec.io/rotate: one}}");
    pass(MINUTE);
    version_is("qdk it", 2);
    forget();
    put("qdk it", "spec: {sharedSecretRef: {name: other}}");
    pass(MINUTE);
    assert_false(has_entry("secret it", "key.1"));
    assert_false(find_told("VersionExpired qdk it")->warning);
}

static void a_number_is_given_once(void **) {
    make("qkkp pair", "spec: {}");
    make("qes sealed", "spec: {publicKeyRef: {name: pair}, rotation: {publishAhead: 1h, keep: 4}}");
    put("qes sealed", "metadata: {annotations: {qubesec.io/rotate: one}}");
    run();
    int64_t first = number_at("qes sealed", "status versions 0 version");
    rotate("qkkp pair", "one");
    pass(10 * MINUTE);
    assert_int_equal(number_at("qes sealed", "status versions 0 version"), first);
    rotate("qkkp pair", "two"); // nobody could open what was published any more
    pass(10 * MINUTE);
    assert_in_range(number_at("qes sealed", "status version"), first + 1, first + 2);
}

static void a_ciphertext_from_outside_is_opened_again_with_the_key_that_is_kept(void **) {
    make("qkkp pair", "spec: {}");
    make("qes sealed", "spec: {publicKeyRef: {name: pair}}");
    put_copy("secret outside", "secret sealed", "metadata: {}");
    make(
        "qds opened",
        "spec: {privateKeyRef: {name: pair}, ciphertextRef: {kind: Secret, name: outside, key: ciphertext}}");
    const char *first = entry("secret opened", "shared_secret");
    rotate("qkkp pair", "one");
    pass(10 * MINUTE);
    is_served("qds opened");
    put("secret opened", "data: {metadata: null}");
    run();
    pass(10 * MINUTE);
    is_served("qds opened");
    take_away("secret opened");
    pass(20 * MINUTE);
    is_served("qds opened");
    assert_string_equal(entry("secret opened", "shared_secret"), first);
    assert_string_equal(text_at("qds opened", "status publicKeyDigest"),
                        text_at("qkkp pair", "status versions 1 digest"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_cluster(a_key_is_rotated_when_it_is_due_and_the_old_one_stays),
        in_cluster(without_a_schedule_a_key_stays),
        in_cluster(as_many_versions_stay_as_are_asked_for),
        in_cluster(what_was_overdue_is_rotated_once),
        in_cluster(a_clock_that_is_set_back_rotates_nothing_twice),
        in_cluster(it_waits_for_the_window),
        in_cluster(the_next_key_is_published_ahead),
        in_cluster(a_version_is_kept_for_as_long_as_it_is_asked_for),
        in_cluster(each_request_rotates_once),
        in_cluster(a_request_publishes_ahead_too),
        in_cluster(what_is_not_rotated_refuses),
        in_cluster(what_hangs_on_a_key_follows_with_its_versions),
        in_cluster(a_shared_secret_is_rotated_ahead_for_both_sides),
        in_cluster(what_was_published_for_a_lost_key_is_never_used),
        in_cluster(what_follows_is_never_held_back),
        in_cluster(a_signature_of_a_retired_key_is_valid_while_that_is_kept),
        in_cluster(what_follows_may_have_to_wait_and_is_not_forgotten),
        in_cluster(what_follows_often_is_put_off_and_not_forgotten),
        in_cluster(a_follower_that_is_damaged_is_made_again_with_its_versions),
        in_cluster(a_version_can_be_pinned),
        in_cluster(what_is_put_off_is_no_loop),
        in_cluster(public_keys_are_listed_for_programs_elsewhere),
        in_cluster(a_version_that_is_damaged_is_rebuilt),
        in_cluster(metadata_that_is_lost_is_found_again),
        in_cluster(a_version_that_is_lost_is_told_and_the_present_one_stays),
        in_cluster(a_key_that_is_lost_gets_a_number_of_its_own),
        in_cluster(what_is_restored_keeps_its_versions),
        in_cluster(an_older_secret_that_is_put_back_is_told_and_shares_no_number),
        in_cluster(an_entry_of_somebody_else_is_not_written_over),
        in_cluster(of_as_many_as_can_be_kept_none_stays_longer),
        in_cluster(a_clock_that_was_far_ahead_holds_nothing_up),
        in_cluster(what_comes_from_a_seed_is_not_rotated),
        in_cluster(without_a_schedule_what_was_published_waits_for_a_request),
        in_cluster(a_secret_in_use_is_kept_when_its_key_goes_while_it_waits),
        in_cluster(metadata_that_is_lost_while_it_waits_makes_it_claim_no_other_key),
        in_cluster(a_key_that_is_planted_in_a_version_is_refused),
        in_cluster(what_follows_and_is_damaged_keeps_versions_whose_key_has_gone),
        in_cluster(what_follows_another_one_of_the_name_takes_nothing_of_the_old),
        in_cluster(a_key_from_outside_that_changes_leaves_what_is_to_be_kept),
        in_cluster(where_a_key_has_gone_nothing_goes_that_is_to_be_kept),
        in_cluster(what_an_edit_takes_away_is_not_lost),
        in_cluster(a_number_is_given_once),
        in_cluster(a_ciphertext_from_outside_is_opened_again_with_the_key_that_is_kept),
        in_cluster(a_crash_between_secret_and_status_rotates_nothing_twice),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
