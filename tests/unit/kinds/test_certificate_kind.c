#include "certificates.h"

#include "crypto/certificate.h"

static const struct kind *const kind = &kind_certificate;

static void refused(const char *more, const struct subject *parent, enum error_class class,
                    const char *part) {
    struct error e;
    cleanup_subject struct subject s = read_spec(more);
    give_parent(&s, parent);
    must_fail(subject_try_make(&s, &e), e, class, part);
}

static size_t count_certificates(const struct subject *s, const char *key) {
    struct error e;
    struct certificate **chain;
    size_t count;
    const struct secret *entry = entry_of(s, key);
    must(certificate_read_chain(secret_view(entry), secret_length(entry), &chain, &count, &e), e);
    certificate_free_chain(chain, count);
    return count;
}

// ---- what is made

static void self_signed(void **) {
    cleanup_subject struct subject s = made(",'domain':'example.com, www.example.com','days':10", nullptr);
    assert_string_equal(status_text(&s, "subject"), "CN=example.com");
    assert_string_equal(status_text(&s, "issuer"), "CN=example.com");
    assert_string_equal(status_text(&s, "notBefore"), "2026-01-02T03:03:05Z");
    assert_string_equal(status_text(&s, "notAfter"), "2026-01-12T03:04:05Z");
    assert_int_equal(strlen(status_text(&s, "serialNumber")), 40);
    assert_true(same_entry(&s, "tls.crt", &s, "cert.pem"));
    assert_true(same_entry(&s, "tls.crt", &s, "ca.crt"));
    assert_true(same_entry(&s, "tls.key", &s, "key.pem"));
    assert_int_equal(s.report.expires_at, SOME_SECONDS + 10 * DAY);
    assert_int_equal(s.report.renew_at, s.report.expires_at - 10 * DAY / 3);
    assert_false(s.report.renewal_waits && s.report.renew_at <= SOME_SECONDS);
    assert_null(s.report.warning);
    cleanup_buffer struct buffer text = buffer_create(STATUS_MAX);
    cleanup_buffer struct buffer der = buffer_create(STATUS_MAX);
    cleanup_certificate_chain struct certificate_chain chain = {0};
    struct error e;
    must(certificate_chain_read(entry_of(&s, "cert.pem"), &chain, &e), e);
    must(certificate_append_der(chain.certificates[0], &der, &e), e);
    assert_fingerprint_of(&s, der.data, der.length);
    assert_digest_of(&s, der.data, der.length);
    must(json_write(s.report.status, &text, &e), e);
    assert_null(strstr(buffer_text(&text), "PRIVATE"));
}

static void chains(void **) {
    cleanup_subject struct subject root = made(root_spec, nullptr);
    cleanup_subject struct subject middle =
        made(",'certType':'ca','commonName':'middle','pathLen':0,'parentCARef':{'name':'p'}", &root);
    cleanup_subject struct subject leaf = made(leaf_spec, &middle);
    assert_int_equal(count_certificates(&root, "tls.crt"), 1);
    assert_int_equal(count_certificates(&middle, "tls.crt"), 1); // without the root
    assert_int_equal(count_certificates(&leaf, "tls.crt"), 2);
    assert_true(same_entry(&leaf, "ca.crt", &root, "cert.pem"));
    assert_string_equal(status_text(&leaf, "issuer"), "CN=middle");
    refused(",'certType':'ca','commonName':'x','parentCARef':{'name':'p'}", &middle, ERROR_INVALID_SPEC,
            "pathLen 0");
    refused(leaf_spec, &leaf, ERROR_INVALID_SPEC, "not of certType ca");
    cleanup_subject struct subject two = made(",'certType':'ca','commonName':'two','pathLen':2", nullptr);
    refused(",'certType':'ca','commonName':'x','pathLen':2,'parentCARef':{'name':'p'}", &two,
            ERROR_INVALID_SPEC, "spec.pathLen: 2 is not below the issuer's pathLen, which is 2");
}

static void a_hash_based_root(void **) {
    cleanup_subject struct subject root =
        subject_read(kind, "{'algorithm':'SLH-DSA-SHA2-128f','certType':'ca','commonName':'root'}");
    subject_make(&root);
    cleanup_subject struct subject leaf = made(leaf_spec, &root);
    assert_string_equal(leaf.metadata.algorithm, "ML-DSA-44");
    assert_false(kind->is_slow(leaf.spec, leaf.inputs));
    leaf.inputs[0].algorithm = "SLH-DSA-SHA2-256s"; // whose key signs
    assert_true(kind->is_slow(leaf.spec, leaf.inputs));
    cleanup_subject struct subject slow =
        subject_read(kind, "{'algorithm':'SLH-DSA-SHA2-256s','domain':'a.example'}");
    assert_true(kind->is_slow(slow.spec, slow.inputs));
}

// ---- times

static void the_end_is_the_issuers(void **) {
    cleanup_subject struct subject root = made(",'certType':'ca','commonName':'root','days':10", nullptr);
    cleanup_subject struct subject leaf =
        made(",'certType':'server','domain':'a.example','days':20,'parentCARef':{'name':'p'}", &root);
    assert_int_equal(leaf.report.expires_at, root.report.expires_at);
    assert_string_equal(leaf.report.warning_reason, "NotAfterClamped");
    assert_true(leaf.report.renewal_waits); // nothing is gained before the issuer is renewed
    cleanup_subject struct subject shorter =
        made(",'certType':'server','domain':'a.example','days':9,'parentCARef':{'name':'p'}", &root);
    assert_null(shorter.report.warning);
}

static void an_issuer_that_has_expired_is_waited_for(void **) {
    struct error e;
    cleanup_subject struct subject root = made(",'certType':'ca','commonName':'root','days':10", nullptr);
    cleanup_subject struct subject leaf = read_spec(leaf_spec);
    give_parent(&leaf, &root);
    leaf.occasion.now = SOME_SECONDS + 10 * DAY;
    must_fail(subject_try_make(&leaf, &e), e, ERROR_NOT_FOUND, "expired at 2026-01-12T03:04:05Z");
    leaf.occasion.now = SOME_SECONDS - 61;
    must_fail(subject_try_make(&leaf, &e), e, ERROR_NOT_FOUND, "not valid before 2026-01-02T03:03:05Z");
    leaf.occasion.now = SOME_SECONDS - 30; // notBefore is the issuer's then
    subject_make(&leaf);
    assert_string_equal(status_text(&leaf, "notBefore"), "2026-01-02T03:03:05Z");
}

static void when_it_is_renewed(void **) {
    static const struct {
        const char *more;
        int64_t before; // seconds before the end
    } cases[] = {
        {",'days':30", 30 * DAY / 3},
        {",'days':30,'renewBefore':'48h'", 2 * DAY},
        {",'days':30,'renewBefore':'50%'", 30 * DAY / 2},
        {",'duration':'10m','renewBefore':'9m57s'", 597},
        {",'duration':'1m','renewBefore':'99%'", 60 * 99 / 100},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char more[100];
        snprintf(more, sizeof(more), ",'domain':'a.example'%s", cases[i].more);
        cleanup_subject struct subject s = made(more, nullptr);
        assert_int_equal(s.report.expires_at - s.report.renew_at, cases[i].before);
        s.occasion.now = s.report.renew_at;
        assert_sound(&s);
        assert_false(s.report.renewal_waits);
    }
}

// An expired certificate is due, not damaged.
static void an_old_certificate_is_sound(void **) {
    cleanup_subject struct subject root = made(",'certType':'ca','commonName':'root','days':10", nullptr);
    cleanup_subject struct subject leaf = made(leaf_spec, &root);
    static const int64_t times[] = {SOME_SECONDS - 400 * (int64_t)DAY, SOME_SECONDS,
                                    SOME_SECONDS + 4000 * (int64_t)DAY};
    for (size_t i = 0; i < 3; i++) {
        leaf.occasion.now = times[i];
        assert_sound(&leaf);
    }
}

// ---- the key

static void make_again(struct subject *s, struct subject *before) {
    s->occasion.previous = &before->data;
    subject_make(s);
    s->occasion.previous = nullptr;
}

static void the_key_is_kept_unless_it_is_to_rotate(void **) {
    cleanup_subject struct subject before = made(",'domain':'a.example'", nullptr);
    cleanup_subject struct subject same = read_spec(",'domain':'b.example'");
    make_again(&same, &before);
    assert_true(same_entry(&same, "tls.key", &before, "tls.key"));
    assert_null(kind->find_gone(same.spec, &before.data, &same.data));
    cleanup_subject struct subject rotated =
        read_spec(",'domain':'a.example','privateKey':{'rotationPolicy':'Always'}");
    make_again(&rotated, &before);
    assert_false(same_entry(&rotated, "tls.key", &before, "tls.key"));
    assert_string_equal(kind->find_gone(rotated.spec, &before.data, &rotated.data), "private key");
}

// Public things, and either copy of the key, may be what they like.
static void a_key_is_kept_whatever_is_beside_it(void **) {
    for (const char *const *key = kind->entries; *key != nullptr; key++) {
        cleanup_subject struct subject before = made(",'domain':'a.example'", nullptr);
        cleanup_subject struct subject s = read_spec(",'domain':'b.example'");
        cleanup_secret struct secret *own = copy_entry(&before, "tls.key");
        replace_entry(&before, *key, "nothing", 7);
        make_again(&s, &before);
        assert_true(entry_is(&s, "tls.key", own));
        assert_true(entry_is(&s, "key.pem", own));
        secret_free(remove_entry(&before, *key));
        make_again(&s, &before);
        assert_true(entry_is(&s, "tls.key", own));
        assert_sound(&s);
    }
}

static void two_keys_are_left_for_people_to_decide_on(void **) {
    struct error e;
    static const char *const keys[] = {"tls.key", "key.pem"};
    for (size_t i = 0; i < 2; i++) {
        cleanup_subject struct subject before = made(",'domain':'a.example'", nullptr);
        cleanup_subject struct subject other = made(",'domain':'a.example'", nullptr);
        cleanup_subject struct subject s = read_spec(",'domain':'b.example'");
        take_entry(&before, keys[i], &other);
        s.occasion.previous = &before.data;
        s.occasion.may_lose_key = true; // it is not lost
        must_fail(subject_try_make(&s, &e), e, ERROR_KEY_MISMATCH,
                  "the Secret's entries tls.key and key.pem hold two different private keys");
        assert_int_equal(s.data.count, 0);
        s.occasion.previous = nullptr;
    }
}

static void a_lost_key_is_made_anew_only_where_it_may_be(void **) {
    struct error e;
    cleanup_subject struct subject before = made(",'domain':'a.example'", nullptr);
    cleanup_subject struct subject s = read_spec(",'domain':'a.example'");
    secret_free(remove_entry(&before, "tls.key"));
    replace_entry(&before, "key.pem", "no key", 6);
    s.occasion.previous = &before.data;
    must_fail(subject_try_make(&s, &e), e, ERROR_KEY_LOST,
              "neither tls.key nor key.pem holds the private key any more");
    s.occasion.may_lose_key = true;
    subject_make(&s);
    assert_string_equal(kind->find_gone(s.spec, &before.data, &s.data), "private key");
    s.occasion.previous = nullptr;
}

// A CA outlives its object, unless the spec says otherwise.
static void which_secrets_are_retained(void **) {
    static const struct {
        const char *more;
        bool retained;
    } cases[] = {
        {",'certType':'ca'", true},
        {",'certType':'ca','parentCARef':{'name':'p'}", true},
        {"", false},
        {",'certType':'server','domain':'a.example','parentCARef':{'name':'p'}", false},
        {",'certType':'client','parentCARef':{'name':'p'}", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char more[200];
        snprintf(more, sizeof(more), ",'commonName':'x'%s", cases[i].more);
        cleanup_subject struct subject s = read_spec(more);
        assert_int_equal(kind->retains(s.spec), cases[i].retained);
    }
}

// ---- damage

static void damage_is_found(void **) {
    cleanup_subject struct subject root = made(root_spec, nullptr);
    cleanup_subject struct subject leaf = made(leaf_spec, &root);
    cleanup_subject struct subject other = made(leaf_spec, &root);
    cleanup_subject struct subject other_root = made(root_spec, nullptr);
    static const char *const keys[] = {"tls.crt", "tls.key", "cert.pem", "key.pem", "pub.pem"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        cleanup_secret struct secret *own = nullptr;
        struct error e;
        const struct secret *entry = entry_of(&leaf, keys[i]);
        must(secret_copy(secret_view(entry), secret_length(entry), &own, &e), e);
        take_entry(&leaf, keys[i], &other);
        assert_inspection_fails(&leaf, "");
        replace_entry(&leaf, keys[i], secret_view(own), secret_length(own));
        assert_sound(&leaf);
        struct secret *whole = remove_entry(&leaf, keys[i]);
        assert_inspection_fails(&leaf, keys[i]);
        must(secret_data_add(&leaf.data, keys[i], whole, &e), e);
    }
    take_entry(&leaf, "ca.crt", &other_root);
    assert_inspection_fails(&leaf, "does not verify");
    replace_entry(&leaf, "ca.crt", "no certificate", 14);
    assert_inspection_fails(&leaf, "the Secret's entry ca.crt: there is no PEM block");
}

// ---- specs

static void assert_fault(const char *more, const char *part) {
    struct error e;
    char spec[1000];
    cleanup_subject struct subject s = {0};
    snprintf(spec, sizeof(spec), "{'commonName':'x'%s}", more);
    must_fail(subject_try_read(kind, spec, &s, &e), e, ERROR_INVALID_SPEC, part);
}

static void bad_specs(void **) {
    static const char *const faults[][2] = {
        {",'certType':'leaf'", "spec.certType: leaf is not one of self-signed, ca, server, client"},
        {",'algorithm':'RSA'", "spec.algorithm: RSA is not one of"},
        {",'subjectAltNames':['ok.example','a_b']", "spec.subjectAltNames[1]: \"a_b\": not a host name"},
        {",'subjectAltNames':'a.example'", "spec.subjectAltNames: must be a list of at most 100 texts"},
        {",'subjectAltNames':[1]", "spec.subjectAltNames[0]: must be a text, not 1"},
        {",'domain':'a.example,,b.example'", "spec.domain: has an empty name"},
        {",'domain':','", "spec.domain: has an empty name"},
        {",'country':'de'", "spec.country: must be two upper-case letters"},
        {",'durationDays':0", "spec.durationDays: 0 is not between 1 and 36500"},
        {",'days':1,'durationDays':2", "differ; give one of them"},
        {",'duration':'10 m'", "spec.duration: \"10 m\" is not a length of time"},
        {",'duration':'m'", "is not a length of time"},
        {",'duration':'1m1h'", "is not a length of time"},
        {",'duration':''", "is not a length of time"},
        {",'duration':'59s'", "spec.duration: 59s is not between 60 s and"},
        {",'duration':'99999999999999h'", "is not a length of time"},
        {",'duration':'1h','days':1", "differ; give one of them"},
        {",'renewBefore':'100%'", "spec.renewBefore: \"100%\" is neither"},
        {",'renewBefore':'0%'", "spec.renewBefore: \"0%\" is neither"},
        {",'renewBefore':'0s'", "spec.renewBefore: \"0s\" is neither"},
        {",'days':1,'renewBefore':'24h'", "spec.renewBefore: 24h is not shorter than the life of 86400 s"},
        {",'usages':['key encipherment']", "RFC 9881"},
        {",'usages':['flying']", "spec.usages[0]: \"flying\" is not one of signing, digital signature"},
        {",'usages':['cert sign']", "cert sign and crl sign are for certType ca only"},
        {",'certType':'ca','usages':['crl sign']", "a ca needs cert sign"},
        {",'pathLen':1", "spec.pathLen: goes only with certType ca"},
        {",'certType':'ca','pathLen':31", "spec.pathLen: 31 is not between 0 and 30"},
        {",'certType':'client'", "spec.parentCARef: is required with certType client"},
        {",'parentCARef':{'name':'a'}", "spec.parentCARef: does not go with certType self-signed"},
        {",'parentCARef':{'name':'a','kind':'Secret'}",
         "spec.parentCARef.kind: Secret is not one of QuantumCertificate"},
        {",'privateKey':{'rotationPolicy':'Often'}",
         "spec.privateKey.rotationPolicy: Often is not one of Never, Always"},
        {",'privateKey':1", "spec.privateKey: must be an object, not 1"},
    };
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        assert_fault(faults[i][0], faults[i][1]);
    }
    assert_faults(
        kind, "{}",
        "spec.commonName: is required with certType self-signed, or another part of the subject: an issuer "
        "has a name");
    assert_faults(kind, "{'certType':'server','commonName':'No host','parentCARef':{'name':'a'}}",
                  "spec.subjectAltNames: a server's certificate needs a host name or an address");
    assert_good_spec(kind, "{'certType':'client','domain':'a.example','parentCARef':{'name':'a'}}");
}

static void test_trap_49_keys_that_sign_are_for_nothing_else(void **) {
    static const char *const usages[] = {"key encipherment", "data encipherment", "key agreement",
                                         "encipher only", "decipher only"};
    for (size_t i = 0; i < sizeof(usages) / sizeof(usages[0]); i++) {
        char text[200];
        snprintf(text, sizeof(text), ",'usages':['%s']", usages[i]);
        assert_fault(text, "is not for signature keys (RFC 9881, RFC 9909)");
    }
}

static void recipes(void **) {
    static const char *const same[][2] = {
        {"{'domain':'a.example','days':1}", "{'subjectAltNames':['A.example'],'duration':'24h'}"},
        {"{'domain':'a.example'}",
         "{'domain':'a.example','durationDays':365,'renewBefore':'10%','certType':'self-signed'}"},
        {"{'domain':'a.example'}", "{'domain':'a.example','privateKey':{'rotationPolicy':'Always'}}"},
        {"{'domain':'a.example'}",
         "{'commonName':'a.example','usages':['client auth','server auth','signing']}"},
        {"{'commonName':'x','domain':'a.example,b.example'}",
         "{'commonName':'x','domain':'b.example,a.example,a.example'}"},
    };
    static const char *const different[][2] = {
        {"{'domain':'a.example'}", "{'domain':'a.example,b.example'}"},
        {"{'domain':'a.example'}", "{'domain':'a.example','days':364}"},
        {"{'domain':'a.example'}", "{'domain':'a.example','organization':'O'}"},
        {"{'domain':'a.example'}", "{'domain':'a.example','usages':['client auth']}"},
        {"{'certType':'ca','commonName':'x'}", "{'certType':'ca','commonName':'x','pathLen':0}"},
        {"{'commonName':'x','organization':'a OU=1:b'}",
         "{'commonName':'x','organization':'a','organizationalUnit':'b'}"},
    };
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        assert_same_recipe(kind, same[i][0], same[i][1]);
    }
    for (size_t i = 0; i < sizeof(different) / sizeof(different[0]); i++) {
        assert_different_recipe(kind, different[i][0], different[i][1]);
    }
    // What is stored is compared with it after an upgrade, too.
    cleanup_text char *text = recipe_text("{'certType':'ca','commonName':'\xc3\x9c','country':'DE','domain':'"
                                          "b.example,192.0.2.1,a.example','pathLen':1}",
                                          kind);
    assert_string_equal(text,
                        "type=ca duration=31536000 pathLen=1 keyUsage=c purposes=0 C=2:DE CN=2:\xc3\x9c "
                        "dns=9:a.example dns=9:b.example ip=9:192.0.2.1");
}

static void what_it_reads(void **) {
    cleanup_subject struct subject s = read_spec(leaf_spec);
    assert_request(&s, 0, "parentCARef", "p");
    assert_sources(&s, 0, "QuantumCertificate:tls.key!");
    const char *const *also = s.requests[0].sources[0].also;
    assert_string_equal(also[0], "tls.crt");
    assert_string_equal(also[1], "ca.crt");
    assert_null(also[2]);
    cleanup_subject struct subject root = read_spec(root_spec);
    assert_int_equal(root.request_count, 0);
}

static void memory_may_be_out(void **) {
    cleanup_subject struct subject root = made(root_spec, nullptr);
    cleanup_subject struct subject leaf = read_spec(leaf_spec);
    give_parent(&leaf, &root);
    assert_survives_lack_of_memory(&leaf);
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(self_signed),
        cmocka_unit_test(chains),
        cmocka_unit_test(a_hash_based_root),
        cmocka_unit_test(the_end_is_the_issuers),
        cmocka_unit_test(an_issuer_that_has_expired_is_waited_for),
        cmocka_unit_test(when_it_is_renewed),
        cmocka_unit_test(an_old_certificate_is_sound),
        cmocka_unit_test(the_key_is_kept_unless_it_is_to_rotate),
        cmocka_unit_test(a_key_is_kept_whatever_is_beside_it),
        cmocka_unit_test(two_keys_are_left_for_people_to_decide_on),
        cmocka_unit_test(a_lost_key_is_made_anew_only_where_it_may_be),
        cmocka_unit_test(which_secrets_are_retained),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(bad_specs),
        cmocka_unit_test(test_trap_49_keys_that_sign_are_for_nothing_else),
        cmocka_unit_test(recipes),
        cmocka_unit_test(what_it_reads),
        cmocka_unit_test(memory_may_be_out),
    };
    return cmocka_run_group_tests_name("kinds/certificate_kind", tests, nullptr, no_secret_is_left);
}
