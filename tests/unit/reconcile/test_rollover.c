// CAs that change their key or their name: nobody is cut off.
#include "rotation_steps.h"

#include "crypto/certificate.h"
#include "crypto/encoding.h"

static const char *const leaves[] = {"secret one-secret", "secret two-secret", "secret three-secret"};
enum { LEAVES = 3 };

static struct certificate_chain read_entry(const char *text, const char *key) {
    struct certificate_chain chain = {0};
    cleanup_secret struct secret *pem = nullptr;
    struct error e;
    const char *encoded = entry(text, key);
    must(base64_decode(encoded, strlen(encoded), ENCODING_ONE_LINE, &pem, &e), e);
    must(certificate_chain_read(pem, &chain, &e), e);
    return chain;
}

static size_t count_in(const char *text, const char *key) {
    cleanup_certificate_chain struct certificate_chain chain = read_entry(text, key);
    return chain.count;
}

// Whether the certificate of one verifies with the roots of another, as a TLS client does it.
static bool verifies(const char *leaf, const char *key, const char *trusting) {
    cleanup_certificate_chain struct certificate_chain chain = read_entry(leaf, key);
    cleanup_certificate_chain struct certificate_chain roots = read_entry(trusting, "ca.crt");
    struct error ignored;
    for (size_t i = 0; i < roots.count; i++) {
        if (certificate_verify_leniently(chain.certificates[0], chain.certificates + 1, chain.count - 1,
                                         roots.certificates[i], 0, now_s(), &ignored)) {
            return true;
        }
    }
    return false;
}

static void all_verify(void) {
    for (size_t i = 0; i < LEAVES * LEAVES; i++) {
        const char *leaf = leaves[i / LEAVES];
        const char *trusting = leaves[i % LEAVES];
        if (!verifies(leaf, "tls.crt", trusting)) {
            fail_msg("%s does not verify with the roots of %s", leaf, trusting);
        }
    }
}

// So much time passes, and at each moment each leaf verifies with the roots of each other.
static void pass_watched(int64_t milliseconds) {
    int64_t step = milliseconds <= 3 * HOUR ? MINUTE : 2 * HOUR;
    for (int64_t end = clock_ms + milliseconds; clock_ms < end;) {
        int64_t left = end - clock_ms;
        pass(left < step ? left : step);
        all_verify();
    }
}

static void make_leaf(const char *name, const char *parent, const char *more) {
    char text[80];
    snprintf(text, sizeof(text), "qc %s", name);
    make(text,
         "spec: {certType: server, domain: %s.example, algorithm: ML-DSA-44, parentCARef: {name: %s}%s}",
         name, parent, more);
}

static void make_authority(const char *more) {
    make("qc root", "spec: {certType: ca, commonName: One, algorithm: ML-DSA-44%s}", more);
}

static void make_all(const char *more) {
    make_authority(more);
    make_leaf("one", "root", "");
    make_leaf("two", "root", "");
    make("qc below",
         "spec: {certType: ca, commonName: Below, algorithm: ML-DSA-44, parentCARef: {name: root}}");
    make_leaf("three", "below", "");
    all_verify();
}

// ---- the whole of it

static void an_edited_name_is_published_first(void **) {
    make_all("");
    const char *key = entry("secret root-secret", "tls.key");
    const char *first = entry("secret root-secret", "cert.pem");
    const char *leaf = entry("secret one-secret", "cert.pem");
    put("qc root", "spec: {commonName: Two}");
    run();
    version_is("qc root", 1);
    assert_string_equal(entry("secret root-secret", "cert.pem"), first);
    assert_string_equal(text_at("qc root", "status subject"), "CN=One");
    note_has("NextKeyPublished qc root", "version 2");
    assert_int_equal(seconds_at("qc root", "status nextRotationTime"), now_s() + 3600);
    assert_string_equal(text_at("qc root", "status renewalTime"),
                        text_at("qc root", "status nextRotationTime"));
    assert_int_equal(count_in("secret root-secret", "ca.crt"), 2);
    pass_watched(MINUTE);
    for (size_t i = 0; i < LEAVES; i++) {
        assert_string_equal(entry(leaves[i], "ca.crt"), entry("secret root-secret", "ca.crt"));
    }
    assert_string_equal(entry("secret one-secret", "cert.pem"), leaf);
    assert_true(has_entry("secret root-secret", ".tls.key.next"));
    assert_false(has_entry("secret root-secret", "tls.key.next"));
    forget();
    pass_watched(HOUR - 2 * MINUTE);
    version_is("qc root", 1);
    asked_is("");
    pass_watched(10 * MINUTE);
    version_is("qc root", 2);
    assert_string_equal(text_at("qc root", "status subject"), "CN=Two");
    note_has("Rotated qc root", "spec has changed");
    assert_true(strcmp(entry("secret root-secret", "tls.key"), key) == 0); // its key is to stay
    assert_string_equal(entry("secret root-secret", "cert.pem.1"), first);
    for (size_t i = 0; i < LEAVES; i++) {
        assert_string_equal(entry(leaves[i], "ca.crt"), entry("secret root-secret", "ca.crt"));
        assert_int_equal(count_in(leaves[i], "ca.crt"), 2);
    }
    assert_string_equal(text_at("qc one", "status issuer"), "CN=Two");
    assert_string_equal(text_at("qc below", "status issuer"), "CN=Two");
    note_has("Replaced qc one", "what spec.parentCARef refers to has changed: root");
    pass_watched(2 * HOUR);
    assert_int_equal(count_in("secret root-secret", "ca.crt"), 1);
    assert_int_equal(count_in("secret three-secret", "ca.crt"), 1);
    assert_false(has_entry("secret root-secret", "cert.pem.1"));
    assert_false(has_entry("secret root-secret", "tls.key.1"));
    note_has("VersionExpired qc root", "version 1");
    forget();
    pass_watched(DAY);
    asked_is("");
}

static void another_key_is_certified_by_the_one_before_it(void **) {
    make_all(", privateKey: {rotationPolicy: Always}");
    const char *key = entry("secret root-secret", "tls.key");
    put("qc root", "metadata: {annotations: {qubesec.io/renew: now}}");
    run();
    version_is("qc root", 1);
    assert_string_equal(text_at("qc root", "status lastRenewRequest"), "");
    assert_int_equal(count_in("secret root-secret", "cross.crt"), 2);
    const char *crosses = entry("secret root-secret", "cross.crt");
    pass_watched(HOUR + 10 * MINUTE);
    version_is("qc root", 2);
    assert_string_equal(text_at("qc root", "status lastRenewRequest"), "now");
    assert_string_not_equal(entry("secret root-secret", "tls.key"), key);
    assert_string_equal(entry("secret root-secret", "tls.key.1"), key);
    assert_string_equal(entry("secret root-secret", "cross.crt"), crosses);
    // Who trusts one of the roots only comes to the other by one of the two.
    cleanup_certificate_chain struct certificate_chain roots = read_entry("secret root-secret", "ca.crt");
    cleanup_certificate_chain struct certificate_chain found = read_entry("secret root-secret", "cross.crt");
    assert_int_equal(roots.count, 2);
    cleanup_certificate_chain struct certificate_chain leaf = read_entry("secret one-secret", "cert.pem");
    struct error e;
    must(certificate_verify_leniently(leaf.certificates[0], found.certificates, 1, roots.certificates[0], 0,
                                      now_s(), &e),
         e);
    must(certificate_verify(found.certificates[1], nullptr, 0, roots.certificates[1], 0, now_s(), &e), e);
    pass_watched(2 * HOUR);
    assert_false(has_entry("secret root-secret", "cross.crt"));
    assert_int_equal(count_in("secret one-secret", "ca.crt"), 1);
    assert_int_equal(yyjson_arr_size(at(get("qc root"), "status versions")), 1);
}

static void a_rotation_that_is_asked_for_brings_another_key(void **) {
    make_all("");
    const char *key = entry("secret root-secret", "tls.key");
    put("qc root", "metadata: {annotations: {qubesec.io/rotate: now}}");
    put("qc one", "metadata: {annotations: {qubesec.io/rotate: now}}");
    pass_watched(MINUTE);
    assert_string_equal(text_at("qc one", "status lastRotateRequest"), "refused: now");
    assert_string_equal(text_at("qc root", "status versions 0 state"), "Next");
    pass_watched(HOUR + 10 * MINUTE);
    version_is("qc root", 2);
    assert_string_equal(text_at("qc root", "status lastRotateRequest"), "now");
    assert_true(strcmp(entry("secret root-secret", "tls.key"), key) != 0);
    // Each text once, and a renewal beside it is one of the same key.
    put("qc root", "metadata: {annotations: {qubesec.io/renew: now}}");
    pass_watched(5 * HOUR);
    version_is("qc root", 2);
    assert_string_equal(text_at("qc root", "status lastRenewRequest"), "now");
    assert_int_equal(count_in("secret one-secret", "ca.crt"), 1);
    forget();
    pass_watched(DAY);
    asked_is("");
}

static void it_is_renewed_in_time_by_another_key(void **) {
    make_all(", duration: 240h, privateKey: {rotationPolicy: Always}");
    int64_t due = seconds_at("qc root", "status renewalTime");
    pass_watched((due - now_s() - 60) * SECOND);
    version_is("qc root", 1);
    pass_watched(3 * MINUTE);
    version_is("qc root", 1);
    assert_string_equal(text_at("qc root", "status versions 0 state"), "Next");
    pass_watched(70 * MINUTE);
    version_is("qc root", 2);
    pass_watched(2 * HOUR);
    assert_int_equal(count_in("secret two-secret", "ca.crt"), 1);
}

static void a_schedule_is_kept(void **) {
    make_all(", rotation: {every: 24h, publishAhead: 2h, keepFor: 3h}, privateKey: {rotationPolicy: Always}");
    for (int64_t number = 2; number <= 5; number++) {
        pass_watched(DAY);
        version_is("qc root", number);
        assert_int_equal(count_in("secret three-secret", "ca.crt"), count_in("secret root-secret", "ca.crt"));
    }
}

static void an_earlier_root_stays_no_longer_than_asked_for(void **) {
    make_all(", rotation: {publishAhead: 2s, keepFor: 2s}");
    put("qc root", "spec: {commonName: Two}");
    for (int second = 0; second < 20; second++) {
        pass(SECOND);
        all_verify();
    }
    version_is("qc root", 2);
    assert_int_equal(count_in("secret root-secret", "ca.crt"), 1);
    assert_int_equal(count_in("secret three-secret", "ca.crt"), 1);
}

static void what_is_renewed_as_it_was_is_no_other_version(void **) {
    make_all(", duration: 240h");
    const char *before = entry("secret root-secret", "cert.pem");
    pass_watched((int64_t)8 * DAY);
    version_is("qc root", 1);
    assert_string_not_equal(entry("secret root-secret", "cert.pem"), before);
    assert_int_equal(count_in("secret root-secret", "ca.crt"), 1);
    assert_null(at(get("qc root"), "status versions"));
    assert_string_equal(entry("secret one-secret", "ca.crt"), entry("secret root-secret", "cert.pem"));
}

// ---- turns

enum { COUNT = 30 };

// How many of the leaves have another certificate than these.
static size_t count_issued(const char *const before[COUNT]) {
    size_t issued = 0;
    for (int i = 0; i < COUNT; i++) {
        char text[40];
        snprintf(text, sizeof(text), "secret leaf%d-secret", i);
        issued += strcmp(entry(text, "cert.pem"), before[i]) != 0 ? 1U : 0U;
    }
    return issued;
}

static void they_take_turns(void **) {
    const char *before[COUNT];
    char name[20];
    char text[40];
    make_authority("");
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof(name), "leaf%d", i);
        make_leaf(name, "root", ", duration: 9000h"); // which all end with their CA's
        snprintf(text, sizeof(text), "secret %s-secret", name);
        before[i] = entry(text, "cert.pem");
    }
    put("qc root", "spec: {duration: 8000h}"); // by the same key, and at once
    run();
    for (int i = 0; i < COUNT; i++) {
        snprintf(text, sizeof(text), "qc leaf%d", i);
        is_served(text);
        if (text_at(text, "status renewalTime")[0] != '\0') { // it waits
            assert_in_range(seconds_at(text, "status renewalTime") - now_s(), 0, COUNT);
        }
    }
    size_t issued = count_issued(before);
    assert_in_range(issued, 0, 8);
    for (int second = 0; second < COUNT; second++) {
        pass(SECOND);
        size_t now = count_issued(before);
        assert_in_range(now - issued, 0, 8);
        issued = now;
    }
    assert_int_equal(issued, COUNT);
    for (int i = 0; i < COUNT; i++) {
        snprintf(text, sizeof(text), "secret leaf%d-secret", i);
        assert_true(verifies(text, "tls.crt", "secret root-secret"));
        snprintf(text, sizeof(text), "qc leaf%d", i);
        is_served(text);
        assert_string_equal(text_at(text, "status renewalTime"), "");
        assert_string_equal(text_at(text, "status notAfter"), text_at("qc root", "status notAfter"));
    }
    forget();
    pass(HOUR);
    asked_is("");
}

// Issued anew by the CA as it is now, with others, at the latest when all have had their turns.
static void who_is_damaged_meanwhile_keeps_its_turn(void **) {
    enum { FEW = 12 };
    char name[20];
    char text[40];
    int waiting = 0;
    make_authority("");
    for (int i = 0; i < FEW; i++) {
        snprintf(name, sizeof(name), "leaf%d", i);
        make_leaf(name, "root", ", duration: 9000h");
    }
    put("qc root", "spec: {duration: 8000h}");
    run();
    for (int i = 0; i < FEW; i++) {
        snprintf(text, sizeof(text), "qc leaf%d", i);
        bool waits = text_at(text, "status renewalTime")[0] != '\0';
        if (waits) {
            waiting++;
            snprintf(text, sizeof(text), "secret leaf%d-secret", i);
            put(text, "data: {pub.pem: null}");
        }
    }
    assert_true(waiting > 0);
    run();
    pass(FEW * SECOND);
    pass(5 * MINUTE);
    for (int i = 0; i < FEW; i++) {
        snprintf(text, sizeof(text), "qc leaf%d", i);
        is_served(text);
        assert_string_equal(text_at(text, "status notAfter"), text_at("qc root", "status notAfter"));
    }
}

// Nobody else waits, so that its turn has come when it is put right.
static void who_is_damaged_in_its_turn_has_it_at_once(void **) {
    make_authority("");
    make_leaf("one", "root", ", duration: 9000h");
    put("secret one-secret", "data: {pub.pem: null}");
    put("qc root", "spec: {duration: 8000h}");
    run();
    pass(2 * MINUTE);
    is_served("qc one");
    assert_string_equal(text_at("qc one", "status notAfter"), text_at("qc root", "status notAfter"));
}

// ---- what holds it up

static void a_root_stays_as_long_as_somebody_needs_it(void **) {
    make_all("");
    put("qc root", "spec: {commonName: Two}");
    pass_watched(10 * MINUTE);
    put("qc one", "spec: {renewBefore: nothing}"); // so that it stays as it is
    pass_watched(5 * HOUR);
    status_is("qc one", "Failed InvalidSpec", "renewBefore");
    version_is("qc root", 2);
    assert_int_equal(count_in("secret root-secret", "ca.crt"), 2);
    assert_string_equal(text_at("qc root", "status versions 1 state"), "Retired");
    // Nor does another root take its place.
    put("qc root", "spec: {commonName: Three}");
    pass_watched(5 * HOUR);
    version_is("qc root", 2);
    assert_int_equal(count_in("secret root-secret", "ca.crt"), 3);
    status_is("qc root", "Success Succeeded",
              "its rotation waits, since certificates below it still need version 1");
    assert_string_equal(text_at("qc root", "status versions 2 digest"),
                        text_at("qc one", "status rootDigest"));
    put("qc one", "spec: {renewBefore: null}");
    pass_watched(2 * HOUR);
    version_is("qc root", 3);
    assert_int_equal(count_in("secret root-secret", "ca.crt"), 1);
    assert_string_equal(text_at("qc one", "status issuer"), "CN=Three");
}

static void an_edit_that_is_taken_back_is_withdrawn(void **) {
    make_all("");
    const char *first = entry("secret root-secret", "cert.pem");
    put("qc root", "spec: {commonName: Two}");
    pass_watched(10 * MINUTE);
    assert_int_equal(count_in("secret one-secret", "ca.crt"), 2);
    put("qc root", "spec: {commonName: One}");
    pass_watched(10 * MINUTE);
    assert_string_equal(entry("secret root-secret", "ca.crt"), first);
    assert_string_equal(entry("secret three-secret", "ca.crt"), first);
    assert_false(has_entry("secret root-secret", "cert.pem.next"));
    assert_false(has_entry("secret root-secret", ".tls.key.next"));
    forget();
    pass_watched(DAY);
    asked_is("");
    version_is("qc root", 1);
}

// Of an annotation that goes, or a spec that asks no more, the next one is used all the same: all trust it.
static void what_was_published_is_used_whoever_asks_no_more(void **) {
    make_all("");
    put("qc root", "metadata: {annotations: {qubesec.io/rotate: now}}");
    pass_watched(10 * MINUTE);
    put("qc root", "metadata: {annotations: {qubesec.io/rotate: null}}");
    pass_watched(2 * HOUR);
    version_is("qc root", 2);
    put("qc root", "spec: {rotation: {every: 24h}}");
    pass_watched((int64_t)23 * HOUR);
    put("qc root", "spec: {rotation: {every: 8000h}}");
    pass_watched(10 * MINUTE);
    put("qc root", "spec: {commonName: Two}");
    pass_watched(10 * MINUTE);
    put("qc root", "spec: {commonName: One}"); // which is taken back before its time, beside a schedule
    pass_watched(10 * MINUTE);
    assert_false(has_entry("secret root-secret", ".tls.key.next") &&
                 count_in("secret root-secret", "ca.crt") > 2);
}

static void another_edit_takes_the_place_of_what_was_published(void **) {
    make_all("");
    put("qc root", "spec: {commonName: Two}");
    pass_watched(10 * MINUTE);
    put("qc root", "spec: {commonName: Three}");
    pass_watched(10 * MINUTE);
    assert_int_equal(count_in("secret one-secret", "ca.crt"), 2);
    pass_watched(HOUR);
    assert_string_equal(text_at("qc root", "status subject"), "CN=Three");
    assert_string_equal(text_at("qc two", "status issuer"), "CN=Three");
}

static void what_ends_soon_is_published_for_as_long_as_it_can_be(void **) {
    make_all(", duration: 1h, privateKey: {rotationPolicy: Always}");
    pass_watched((int64_t)5 * HOUR);
    assert_in_range(number_at("qc root", "status version"), 5, 12);
}

static void a_root_that_is_one_no_more_keeps_no_other(void **) {
    make_all("");
    make("qc above", "spec: {certType: ca, commonName: Above, algorithm: ML-DSA-44}");
    put("qc root", "spec: {commonName: Two}");
    pass_watched(62 * MINUTE);
    assert_true(has_entry("secret root-secret", "tls.key.1"));
    put("qc root", "spec: {parentCARef: {name: above}}");
    pass(10 * MINUTE);
    is_served("qc root");
    assert_false(has_entry("secret root-secret", "tls.key.1"));
    assert_string_equal(entry("secret root-secret", "ca.crt"), entry("secret above-secret", "cert.pem"));
    all_verify();
}

// ---- whom it must not wait for, and what must not be lost

static void a_request_is_answered_by_its_rotation_only(void **) {
    make_all("");
    const char *key = entry("secret root-secret", "tls.key");
    put("qc root", "spec: {commonName: Two}"); // by the same key
    pass_watched(10 * MINUTE);
    put("qc root", "metadata: {annotations: {qubesec.io/rotate: leaked}}");
    pass_watched(10 * MINUTE);
    put("qc root", "metadata: {annotations: {qubesec.io/renew: now}}");
    pass_watched(10 * MINUTE);
    assert_string_equal(text_at("qc root", "status lastRotateRequest"), "");
    pass_watched(2 * HOUR);
    assert_string_equal(text_at("qc root", "status lastRotateRequest"), "leaked");
    assert_true(strcmp(entry("secret root-secret", "tls.key"), key) != 0);
    make("qc lone", "spec: {certType: ca, commonName: Lone, algorithm: ML-DSA-44}");
    key = entry("secret lone-secret", "tls.key");
    put("qc lone", "metadata: {annotations: {qubesec.io/rotate: now}}");
    pass(10 * MINUTE);
    put("qc lone", "metadata: {annotations: {qubesec.io/renew: now}}"); // at once, by the present key
    pass(10 * MINUTE);
    assert_string_equal(text_at("qc lone", "status lastRenewRequest"), "now");
    assert_string_equal(text_at("qc lone", "status lastRotateRequest"), "");
    assert_true(strcmp(entry("secret lone-secret", "tls.key"), key) == 0);
    pass(2 * HOUR);
    assert_string_equal(text_at("qc lone", "status lastRotateRequest"), "now");
    assert_true(strcmp(entry("secret lone-secret", "tls.key"), key) != 0);
}

static void nobody_holds_up_a_root_until_its_end(void **) {
    make_all(", privateKey: {rotationPolicy: Always}");
    put("qc root", "spec: {commonName: Two, duration: 24h}");
    pass_watched(10 * MINUTE);
    put("qc one", "spec: {renewBefore: nothing}"); // so that it stays as it is, for a year
    pass((int64_t)4 * DAY);
    for (size_t i = 1; i < LEAVES; i++) {
        assert_true(verifies(leaves[i], "tls.crt", "secret two-secret"));
    }
    assert_true(verifies("secret one-secret", "tls.crt", "secret root-secret"));
    assert_in_range(number_at("qc root", "status version"), 4, 12);
}

static void who_was_never_issued_to_has_no_say(void **) {
    make_all("");
    make("qc other", "spec: {certType: self-signed, commonName: Other, algorithm: ML-DSA-44}");
    put("qc root", "spec: {commonName: Two}");
    put("qc other",
        "spec: {certType: server, domain: x.example, renewBefore: nothing, parentCARef: {name: root}}");
    pass_watched(5 * HOUR);
    version_is("qc root", 2);
    assert_int_equal(count_in("secret root-secret", "ca.crt"), 1);
}

static void a_root_of_the_same_key_is_needed_too(void **) {
    make_all(", duration: 240h");
    put("qc one", "spec: {renewBefore: nothing}");
    pass_watched((int64_t)165 * HOUR); // the root was renewed as it was
    put("qc root", "spec: {commonName: Two}");
    pass((int64_t)10 * HOUR);
    version_is("qc root", 2);
    assert_int_equal(count_in("secret root-secret", "ca.crt"), 2);
    assert_true(verifies("secret one-secret", "tls.crt", "secret three-secret"));
}

static void a_name_in_other_letters_is_another_name(void **) {
    make_all("");
    put("qc root", "spec: {commonName: ONE}");
    run();
    assert_string_equal(text_at("qc root", "status subject"), "CN=One");
    assert_string_equal(text_at("qc root", "status versions 0 state"), "Next");
}

static void what_becomes_a_root_is_made_at_once(void **) {
    make_all("");
    put("qc below", "spec: {parentCARef: null, commonName: New}");
    pass(MINUTE);
    is_served("qc below");
    assert_string_equal(text_at("qc below", "status issuer"), "CN=New");
}

static void a_ca_that_was_left_is_none_of_another_name(void **) {
    make_authority("");
    take_away("qc root");
    collect();
    put("qc root", "spec: {certType: ca, commonName: Another purpose, algorithm: ML-DSA-44}");
    run();
    status_is("qc root", "Failed SecretConflict", "another spec");
}

static void a_clock_that_was_ahead_waits_for_nothing(void **) {
    make_all(", privateKey: {rotationPolicy: Always}, rotation: {publishAhead: 48h}");
    const int64_t before = clock_ms;
    clock_ms += (int64_t)5 * DAY;
    put("qc root", "metadata: {annotations: {qubesec.io/renew: now}}");
    pass((int64_t)49 * HOUR);
    version_is("qc root", 2);
    clock_ms = before + HOUR;
    put("qc root", "metadata: {labels: {a: b}}");
    pass(MINUTE);
    version_is("qc root", 3);
    assert_true(seconds_at("qc root", "status notBefore") < now_s());
}

// ---- damage

static void what_is_damaged_meanwhile_is_put_right(void **) {
    static const char *const entries[] = {"ca.crt",    "cross.crt", "cert.pem.1",    "tls.crt.1", "pub.pem.1",
                                          "key.pem.1", "tls.key.1", "metadata.json", "tls.crt",   "pub.pem"};
    make_all(", privateKey: {rotationPolicy: Always}");
    put("qc root", "metadata: {annotations: {qubesec.io/renew: now}}");
    pass_watched(70 * MINUTE);
    version_is("qc root", 2);
    yyjson_val *before = get("secret root-secret");
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        print_message("%s\n", entries[i]);
        put("secret root-secret", "data: {%s: null}", entries[i]);
        pass_watched(10 * SECOND);
        version_is("qc root", 2);
        for (size_t j = 0; j < sizeof(entries) / sizeof(entries[0]); j++) {
            char path[40] = "data";
            yyjson_val *one = yyjson_obj_get(at(before, path), entries[j]);
            bool is_made_anew =
                strcmp(entries[j], "metadata.json") == 0 || strcmp(entries[j], "cross.crt") == 0;
            if (!is_made_anew &&
                !yyjson_equals(one, yyjson_obj_get(data_of("secret root-secret"), entries[j]))) {
                fail_msg("%s was removed, and %s has changed", entries[i], entries[j]);
            }
        }
        pass_watched(30 * MINUTE); // so that it is no fight
        if (!has_entry("secret root-secret", "cert.pem.1")) {
            break; // its time is over
        }
    }
}

static void an_edit_that_waits_outlives_damage(void **) {
    make_all("");
    put("qc root", "spec: {commonName: Two}");
    pass_watched(10 * MINUTE);
    put("secret root-secret", "data: {pub.pem: null}");
    pass_watched(10 * MINUTE);
    assert_string_equal(text_at("qc root", "status subject"), "CN=One");
    put("secret root-secret", "data: {metadata.json: null}");
    pass_watched(10 * MINUTE);
    assert_string_equal(text_at("qc root", "status subject"), "CN=One");
    put("secret root-secret", "data: {cert.pem: null}");
    pass_watched(10 * MINUTE);
    assert_string_equal(text_at("qc root", "status subject"), "CN=One");
    pass_watched(2 * HOUR);
    assert_string_equal(text_at("qc root", "status subject"), "CN=Two");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_cluster(an_edited_name_is_published_first),
        in_cluster(another_key_is_certified_by_the_one_before_it),
        in_cluster(a_rotation_that_is_asked_for_brings_another_key),
        in_cluster(it_is_renewed_in_time_by_another_key),
        in_cluster(a_schedule_is_kept),
        in_cluster(an_earlier_root_stays_no_longer_than_asked_for),
        in_cluster(what_is_renewed_as_it_was_is_no_other_version),
        in_cluster(they_take_turns),
        in_cluster(who_is_damaged_meanwhile_keeps_its_turn),
        in_cluster(who_is_damaged_in_its_turn_has_it_at_once),
        in_cluster(a_root_stays_as_long_as_somebody_needs_it),
        in_cluster(an_edit_that_is_taken_back_is_withdrawn),
        in_cluster(what_was_published_is_used_whoever_asks_no_more),
        in_cluster(another_edit_takes_the_place_of_what_was_published),
        in_cluster(what_ends_soon_is_published_for_as_long_as_it_can_be),
        in_cluster(a_root_that_is_one_no_more_keeps_no_other),
        in_cluster(a_request_is_answered_by_its_rotation_only),
        in_cluster(nobody_holds_up_a_root_until_its_end),
        in_cluster(who_was_never_issued_to_has_no_say),
        in_cluster(a_root_of_the_same_key_is_needed_too),
        in_cluster(a_name_in_other_letters_is_another_name),
        in_cluster(what_becomes_a_root_is_made_at_once),
        in_cluster(a_ca_that_was_left_is_none_of_another_name),
        in_cluster(a_clock_that_was_ahead_waits_for_nothing),
        in_cluster(what_is_damaged_meanwhile_is_put_right),
        in_cluster(an_edit_that_waits_outlives_damage),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
