#include "certificates.h"

#include "crypto/certificate.h"
#include "crypto/keyform.h"

#include <openssl/x509v3.h>

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
    assert_string_equal(status_text(&s, "notAfter"), "2026-01-12T03:03:05Z");
    assert_int_equal(strlen(status_text(&s, "serialNumber")), 40);
    assert_true(same_entry(&s, "tls.crt", &s, "cert.pem"));
    assert_true(same_entry(&s, "tls.crt", &s, "ca.crt"));
    assert_true(same_entry(&s, "tls.key", &s, "key.pem"));
    assert_int_equal(s.report.valid_from, SOME_SECONDS - 60);
    assert_int_equal(s.report.expires_at, SOME_SECONDS - 60 + 10 * DAY);
    assert_int_equal(s.report.renew_at, s.report.expires_at - (10 * DAY - 60) / 3);
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

// The certificate in an entry.
static struct certificate *certificate_of(const struct subject *s, const char *key) {
    struct error e;
    struct certificate_chain chain;
    struct certificate *copy;
    must(certificate_chain_read(entry_of(s, key), &chain, &e), e);
    must(certificate_copy(chain.certificates[0], &copy, &e), e);
    certificate_chain_done(&chain);
    return copy;
}

static int path_length_of(const struct subject *s) {
    cleanup_certificate struct certificate *certificate = certificate_of(s, "cert.pem");
    return certificate_path_length(certificate);
}

static const char ca_spec[] = ",'certType':'ca','commonName':'x','parentCARef':{'name':'p'}";

// A CA without a pathLen of its own gets what is left of those above it.
static void path_lengths_are_inherited(void **) {
    cleanup_subject struct subject root = made(",'certType':'ca','commonName':'root','pathLen':2", nullptr);
    cleanup_subject struct subject one = made(ca_spec, &root);
    cleanup_subject struct subject none = made(ca_spec, &one);
    assert_int_equal(path_length_of(&one), 1);
    assert_int_equal(path_length_of(&none), 0);
    cleanup_subject struct subject leaf = made(leaf_spec, &none);
    refused(
        ca_spec, &none, ERROR_INVALID_SPEC,
        "spec.parentCARef: that CA has pathLen 0, its own or what those above it leave, so it may issue no "
        "further CA");
    refused(",'certType':'ca','commonName':'x','pathLen':1,'parentCARef':{'name':'p'}", &one,
            ERROR_INVALID_SPEC, "spec.pathLen: 1 is not below the issuer's pathLen, which is 1");
    cleanup_subject struct subject own =
        made(",'certType':'ca','commonName':'x','pathLen':0,'parentCARef':{'name':'p'}", &root);
    assert_int_equal(path_length_of(&own), 0);
    cleanup_subject struct subject free_root = made(root_spec, nullptr);
    cleanup_subject struct subject free_middle = made(ca_spec, &free_root);
    assert_int_equal(path_length_of(&free_middle), CERTIFICATE_PATH_LENGTH_NONE);
}

// ---- what an earlier version has made

// Replaces s's certificate by one that is issued by template, with s's key and all else as its spec says.
static void issue_as(struct subject *s, struct certificate_template template, const struct subject *parent) {
    struct error e;
    const struct algorithm *algorithm = algorithm_find(ALGORITHM_SIGNATURE, "ML-DSA-44");
    cleanup_pkey struct pkey *key = nullptr;
    cleanup_pkey struct pkey *parent_key = nullptr;
    cleanup_certificate struct certificate *issuer = nullptr;
    cleanup_certificate struct certificate *leaf = nullptr;
    cleanup_buffer struct buffer pem = buffer_create(1 << 20);
    const struct secret *own = entry_of(s, "tls.key");
    must(keyform_read_private(algorithm, secret_view(own), secret_length(own), &key, &e), e);
    if (parent != nullptr) {
        const struct secret *above = entry_of(parent, "tls.key");
        issuer = certificate_of(parent, "cert.pem");
        must(keyform_read_private(algorithm, secret_view(above), secret_length(above), &parent_key, &e), e);
    }
    must(certificate_issue(&template, key, issuer, parent_key, &leaf, &e), e);
    must(certificate_append_pem(leaf, &pem, &e), e);
    replace_entry(s, "cert.pem", pem.data, pem.length);
    if (parent == nullptr) {
        replace_entry(s, "ca.crt", pem.data, pem.length);
    } else {
        take_entry(s, "ca.crt", parent);
    }
    if (parent != nullptr && !same_entry(parent, "ca.crt", parent, "cert.pem")) {
        const struct secret *chain = entry_of(parent, "tls.crt");
        must(buffer_append(&pem, secret_view(chain), secret_length(chain), &e), e);
    }
    replace_entry(s, "tls.crt", pem.data, pem.length);
}

// As version 0.1.0 did: a minute longer than asked for.
static struct certificate_template old_template(const char *name, int64_t seconds) {
    return (struct certificate_template){
        .subject = {.common_name = name},
        .not_before = SOME_SECONDS - 60,
        .not_after = SOME_SECONDS + seconds,
        .path_length = CERTIFICATE_PATH_LENGTH_NONE,
        .key_usage = CERTIFICATE_DIGITAL_SIGNATURE,
        .purposes = CERTIFICATE_SERVER_AUTH | CERTIFICATE_CLIENT_AUTH,
    };
}

static struct certificate_template old_ca_template(const char *name, int path_length) {
    struct certificate_template template = old_template(name, 365 * DAY);
    template.is_ca = true;
    template.path_length = path_length;
    template.key_usage = CERTIFICATE_CERT_SIGN | CERTIFICATE_CRL_SIGN;
    template.purposes = 0;
    return template;
}

static void assert_inspection_passes(struct subject *s) {
    struct error e;
    must(subject_inspect(s, &e), e);
}

// What it made is neither damaged nor due, and is renewed when it was to be.
static void an_older_life_is_sound_and_not_due(void **) {
    static const struct {
        const char *spec;
        int64_t life;
        int64_t before; // seconds before its end at which 0.1.0 renewed it
    } cases[] = {
        {",'domain':'a.example','days':30", 30 * DAY, 10 * DAY},
        {",'domain':'a.example','days':30,'renewBefore':'50%'", 30 * DAY, 15 * DAY},
        {",'domain':'a.example','days':30,'renewBefore':'48h'", 30 * DAY, 2 * DAY},
        {",'domain':'a.example','duration':'10m','renewBefore':'1m'", 600, 60},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cleanup_subject struct subject s = made(cases[i].spec, nullptr);
        issue_as(&s, old_template("a.example", cases[i].life), nullptr);
        assert_inspection_passes(&s);
        assert_int_equal(s.report.expires_at, SOME_SECONDS + cases[i].life);
        assert_int_equal(s.report.expires_at - s.report.renew_at, cases[i].before);
        assert_null(s.report.warning);
    }
}

static void an_older_ca_without_path_length_is_sound_and_counts(void **) {
    cleanup_subject struct subject root = made(",'certType':'ca','commonName':'root','pathLen':1", nullptr);
    cleanup_subject struct subject middle = made(ca_spec, &root);
    issue_as(&middle, old_ca_template("x", CERTIFICATE_PATH_LENGTH_NONE), &root);
    assert_inspection_passes(&middle);
    cleanup_subject struct subject leaf = made(leaf_spec, &middle);
    refused(ca_spec, &middle, ERROR_INVALID_SPEC, "that CA has pathLen 0");
    // One below it was let be, and nothing that it issued verified.
    cleanup_subject struct subject free_root = made(root_spec, nullptr);
    cleanup_subject struct subject free_middle = made(ca_spec, &free_root);
    cleanup_subject struct subject below = made(ca_spec, &free_middle);
    issue_as(&free_root, old_ca_template("root", 1), nullptr);
    issue_as(&free_middle, old_ca_template("x", CERTIFICATE_PATH_LENGTH_NONE), &free_root);
    issue_as(&below, old_ca_template("x", CERTIFICATE_PATH_LENGTH_NONE), &free_middle);
    assert_inspection_passes(&below);
    refused(leaf_spec, &below, ERROR_INVALID_SPEC,
            "spec.parentCARef: the pathLen of a CA above that CA is used up");
}

static void an_older_time_stamping_certificate_is_sound(void **) {
    cleanup_subject struct subject s = made(",'domain':'a.example','usages':['timestamping']", nullptr);
    struct certificate_template template = old_template("a.example", 365 * DAY);
    template.purposes = CERTIFICATE_TIME_STAMPING;
    template.is_ca = false;
    issue_as(&s, template, nullptr);
    assert_inspection_passes(&s);
}

static void a_hash_based_root(void **) {
    cleanup_subject struct subject root =
        subject_read(kind, "{'algorithm':'SLH-DSA-SHA2-128f','certType':'ca','commonName':'root'}");
    subject_make(&root);
    cleanup_subject struct subject leaf = made(leaf_spec, &root);
    assert_string_equal(leaf.provenance.algorithm, "ML-DSA-44");
    assert_false(kind->is_slow(leaf.decoded.spec, leaf.inputs));
    leaf.inputs[0].algorithm = "SLH-DSA-SHA2-256s"; // whose key signs
    assert_true(kind->is_slow(leaf.decoded.spec, leaf.inputs));
    cleanup_subject struct subject slow =
        subject_read(kind, "{'algorithm':'SLH-DSA-SHA2-256s','domain':'a.example'}");
    assert_true(kind->is_slow(slow.decoded.spec, slow.inputs));
}

// ---- times

static void the_end_is_the_issuers(void **) {
    cleanup_subject struct subject root = made(",'certType':'ca','commonName':'root','days':10", nullptr);
    cleanup_subject struct subject leaf =
        made(",'certType':'server','domain':'a.example','days':20,'parentCARef':{'name':'p'}", &root);
    assert_int_equal(leaf.report.expires_at, root.report.expires_at);
    assert_string_equal(leaf.report.warning_reason, "NotAfterClamped");
    assert_int_equal(leaf.report.renew_at, 0); // nothing is gained before the issuer is renewed
    cleanup_subject struct subject shorter =
        made(",'certType':'server','domain':'a.example','days':9,'parentCARef':{'name':'p'}", &root);
    assert_null(shorter.report.warning);
    assert_int_not_equal(shorter.report.renew_at, 0);
    assert_int_not_equal(root.report.renew_at, 0); // it has no issuer but itself
}

static void a_life_is_what_was_asked_for(void **) {
    static const struct {
        const char *more;
        int64_t life;
        int64_t backdated;
    } cases[] = {
        {",'days':90", 90 * DAY, 60},
        {",'duration':'10m'", 600, 60},
        {",'duration':'5m'", 300, 30},
        {",'duration':'1m'", 60, 6},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char more[100];
        snprintf(more, sizeof(more), ",'domain':'a.example'%s", cases[i].more);
        cleanup_subject struct subject s = made(more, nullptr);
        assert_int_equal(s.report.expires_at - s.report.valid_from, cases[i].life);
        assert_int_equal(SOME_SECONDS - s.report.valid_from, cases[i].backdated);
    }
    // One that is as young as its issuer is not cut, since it begins with it.
    cleanup_subject struct subject root = made(",'certType':'ca','commonName':'root','days':10", nullptr);
    cleanup_subject struct subject leaf =
        made(",'certType':'server','domain':'a.example','days':10,'parentCARef':{'name':'p'}", &root);
    assert_null(leaf.report.warning);
}

static void an_issuer_that_has_expired_is_waited_for(void **) {
    struct error e;
    cleanup_subject struct subject root = made(",'certType':'ca','commonName':'root','days':10", nullptr);
    cleanup_subject struct subject leaf = read_spec(leaf_spec);
    give_parent(&leaf, &root);
    leaf.context.now = SOME_SECONDS + 10 * DAY;
    must_fail(subject_try_make(&leaf, &e), e, ERROR_NOT_FOUND, "expired at 2026-01-12T03:03:05Z");
    assert_int_equal(e.retry_after_ms, 3600 * 1000); // another one helps, or a clock that is put right
    leaf.context.now = SOME_SECONDS - 61;
    must_fail(subject_try_make(&leaf, &e), e, ERROR_NOT_FOUND,
              "not valid before 2026-01-02T03:03:05Z; waiting for that time");
    assert_int_equal(e.retry_after_ms, 1000);
    leaf.context.now = SOME_SECONDS - 60 - 1000 * DAY; // the clock may be set meanwhile
    must_fail(subject_try_make(&leaf, &e), e, ERROR_NOT_FOUND, "not valid before");
    assert_int_equal(e.retry_after_ms, 3600 * 1000);
    leaf.context.now = SOME_SECONDS - 30; // notBefore is the issuer's then
    subject_make(&leaf);
    assert_string_equal(status_text(&leaf, "notBefore"), "2026-01-02T03:03:05Z");
}

static void when_it_is_renewed(void **) {
    static const struct {
        const char *more;
        int64_t before; // seconds before the end
    } cases[] = {
        {",'days':30", (30 * DAY - 60) / 3},
        {",'days':30,'renewBefore':'48h'", 2 * DAY},
        {",'days':30,'renewBefore':'50%'", (30 * DAY - 60) / 2},
        {",'duration':'10m','renewBefore':'8m'", 480},
        {",'duration':'10m','renewBefore':'9m57s'", 540 * 99 / 100}, // not at once
        {",'duration':'1m','renewBefore':'99%'", 54 * 99 / 100},
        {",'duration':'1m','renewBefore':'1s'", 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char more[100];
        snprintf(more, sizeof(more), ",'domain':'a.example'%s", cases[i].more);
        cleanup_subject struct subject s = made(more, nullptr);
        assert_int_equal(s.report.expires_at - s.report.renew_at, cases[i].before);
        assert_true(s.report.renew_at > SOME_SECONDS);
        s.context.now = s.report.renew_at;
        assert_sound(&s);
    }
}

// An expired certificate is due, not damaged.
static void an_old_certificate_is_sound(void **) {
    cleanup_subject struct subject root = made(",'certType':'ca','commonName':'root','days':10", nullptr);
    cleanup_subject struct subject leaf = made(leaf_spec, &root);
    static const int64_t times[] = {SOME_SECONDS - 400 * (int64_t)DAY, SOME_SECONDS,
                                    SOME_SECONDS + 4000 * (int64_t)DAY};
    for (size_t i = 0; i < 3; i++) {
        leaf.context.now = times[i];
        assert_sound(&leaf);
    }
}

// ---- the key

static void make_again(struct subject *s, struct subject *before) {
    s->context.previous = &before->data;
    subject_make(s);
    s->context.previous = nullptr;
}

static void the_key_is_kept_unless_it_is_to_rotate(void **) {
    cleanup_subject struct subject before = made(",'domain':'a.example'", nullptr);
    cleanup_subject struct subject same = read_spec(",'domain':'b.example'");
    make_again(&same, &before);
    assert_true(same_entry(&same, "tls.key", &before, "tls.key"));
    assert_null(kind->find_gone(same.decoded.spec, &before.data, &same.data));
    cleanup_subject struct subject rotated =
        read_spec(",'domain':'a.example','privateKey':{'rotationPolicy':'Always'}");
    make_again(&rotated, &before);
    assert_false(same_entry(&rotated, "tls.key", &before, "tls.key"));
    assert_string_equal(kind->find_gone(rotated.decoded.spec, &before.data, &rotated.data), "private key");
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
        s.context.previous = &before.data;
        s.context.may_lose_key = true; // it is not lost
        must_fail(subject_try_make(&s, &e), e, ERROR_KEY_MISMATCH,
                  "the Secret's entries tls.key and key.pem hold two different private keys");
        assert_int_equal(s.data.count, before.data.count);
        s.context.previous = nullptr;
    }
}

static void a_lost_key_is_made_anew_only_where_it_may_be(void **) {
    struct error e;
    cleanup_subject struct subject before = made(",'domain':'a.example'", nullptr);
    cleanup_subject struct subject s = read_spec(",'domain':'a.example'");
    secret_free(remove_entry(&before, "tls.key"));
    replace_entry(&before, "key.pem", "no key", 6);
    s.context.previous = &before.data;
    must_fail(subject_try_make(&s, &e), e, ERROR_KEY_LOST,
              "neither tls.key nor key.pem holds the private key any more");
    s.context.may_lose_key = true;
    subject_make(&s);
    assert_string_equal(kind->find_gone(s.decoded.spec, &before.data, &s.data), "private key");
    s.context.previous = nullptr;
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
        assert_int_equal(kind->retains(s.decoded.spec), cases[i].retained);
    }
}

// No key is first a CA's and then another's, or the other way round: nothing is made then, as long as the key
// would be kept. The API server refuses the edit before.
static void no_key_crosses_the_line_to_cas(void **) {
    struct error e;
    cleanup_subject struct subject ca = made(root_spec, nullptr);
    cleanup_subject struct subject other = made(",'domain':'a.example'", nullptr);
    cleanup_subject struct subject as_leaf = read_spec(",'domain':'a.example'");
    cleanup_subject struct subject as_ca = read_spec(root_spec);
    as_leaf.context.previous = &ca.data;
    must_fail(
        subject_try_make(&as_leaf, &e), e, ERROR_INVALID_SPEC,
        "spec.certType: is immutable across ca, and the Secret holds a key that was a CA's; nothing was "
        "replaced");
    as_ca.context.previous = &other.data;
    must_fail(subject_try_make(&as_ca, &e), e, ERROR_INVALID_SPEC, "a key that was not a CA's");
    take_entry(&other, "cert.pem", &ca); // another key's certificate says nothing
    make_again(&as_leaf, &other);
    take_entry(&other, "cert.pem", &as_leaf);
    take_entry(&other, "tls.crt", &ca);
    make_again(&as_leaf, &other);
    cleanup_subject struct subject rotated =
        read_spec(",'domain':'a.example','privateKey':{'rotationPolicy':'Always'}");
    make_again(&rotated, &ca);
    assert_false(same_entry(&rotated, "tls.key", &ca, "tls.key"));
}

static void what_an_edit_cannot_change(void **) {
    static const struct {
        const char *one;
        const char *other;
        bool same;
    } pairs[] = {
        {",'domain':'a.example'", ",'certType':'client','commonName':'x','parentCARef':{'name':'p'}", true},
        {",'domain':'a.example'", ",'certType':'server','domain':'b.example','parentCARef':{'name':'p'}",
         true},
        {",'domain':'a.example'", ",'certType':'ca','commonName':'x'", false},
        {",'certType':'ca','commonName':'x'", ",'certType':'ca','commonName':'x','parentCARef':{'name':'p'}",
         true},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        cleanup_subject struct subject one = read_spec(pairs[i].one);
        cleanup_subject struct subject other = read_spec(pairs[i].other);
        assert_false(spec_field_differs(&kind->fields[0], one.decoded.spec, other.decoded.spec));
        assert_string_equal(kind->fields[1].name, "certType");
        assert_int_equal(!spec_field_differs(&kind->fields[1], one.decoded.spec, other.decoded.spec),
                         pairs[i].same);
    }
}

// ---- usages

static int criticality_of_usages(const struct subject *s) {
    cleanup_certificate struct certificate *certificate = certificate_of(s, "cert.pem");
    cleanup_buffer struct buffer der = buffer_create(1 << 20);
    struct error e;
    must(certificate_append_der(certificate, &der, &e), e);
    const unsigned char *bytes = (const unsigned char *)der.data;
    X509 *x509 = d2i_X509(nullptr, &bytes, (long)der.length);
    int critical;
    EXTENDED_KEY_USAGE *usages = X509_get_ext_d2i(x509, NID_ext_key_usage, &critical, nullptr);
    EXTENDED_KEY_USAGE_free(usages);
    X509_free(x509);
    return critical;
}

static void time_stamping_is_critical(void **) {
    cleanup_subject struct subject alone =
        made(",'commonName':'x','usages':['timestamping','content commitment']", nullptr);
    assert_int_equal(criticality_of_usages(&alone), 1);
    cleanup_subject struct subject other = made(",'commonName':'x','usages':['code signing']", nullptr);
    assert_int_equal(criticality_of_usages(&other), 0);
    cleanup_subject struct subject ca = made( // it is a limit of what it may issue there
        ",'certType':'ca','commonName':'x','usages':['timestamping','ocsp signing']", nullptr);
    assert_int_equal(criticality_of_usages(&ca), 0);
}

static void a_ca_may_be_limited_to_usages(void **) {
    cleanup_subject struct subject root =
        made(",'certType':'ca','commonName':'root','usages':['server auth']", nullptr);
    cleanup_subject struct subject middle = made(ca_spec, &root);
    cleanup_subject struct subject leaf = made(leaf_spec, &root);
    cleanup_subject struct subject deep = made(leaf_spec, &middle);
    refused(
        ",'certType':'client','commonName':'x','parentCARef':{'name':'p'}", &root, ERROR_INVALID_SPEC,
        "spec.usages: client auth is not among the extended key usages that the CA of spec.parentCARef is "
        "limited to");
    refused(",'certType':'client','commonName':'x','parentCARef':{'name':'p'}", &middle, ERROR_INVALID_SPEC,
            "that a CA above that of spec.parentCARef is limited to");
    refused(",'certType':'ca','commonName':'x','usages':['server auth','code "
            "signing'],'parentCARef':{'name':'p'}",
            &root, ERROR_INVALID_SPEC, "spec.usages: code signing is not among");
}

// ---- subjects

static void what_signs_itself_is_called_by_its_names(void **) {
    static const char label[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"; // 59
    char names[4][300];
    snprintf(names[0], sizeof(names[0]), "['%s.example']", label); // 67
    snprintf(names[1], sizeof(names[1]), "['192.0.2.1','%s.example','b.example']", label);
    snprintf(names[2], sizeof(names[2]), "['2001:DB8::1','%s.example']", label);
    snprintf(names[3], sizeof(names[3]), "['spiffe://example.com/%s']", label);
    const struct {
        const char *names;
        const char *subject;
    } cases[] = {
        {"['192.0.2.1']", "CN=192.0.2.1"},
        {"['2001:DB8::1']", "CN=2001:db8::1"},
        {"['me@example.com']", "CN=me@example.com"},
        {"['spiffe://example.com/a','192.0.2.1']", "CN=spiffe://example.com/a"},
        {"['192.0.2.1','b.example','c.example']", "CN=b.example"},
        {names[0], "CN=ni:///sha-256\\;1OdYTwV4ur4dbPveyk9unfmPVCTDNXO1HIlzkmLUkzg"},
        {names[1], "CN=b.example"},
        {names[2], "CN=2001:db8::1"},
        {names[3], "CN=ni:///sha-256\\;"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char more[400];
        snprintf(more, sizeof(more), ",'subjectAltNames':%s", cases[i].names);
        cleanup_subject struct subject s = made(more, nullptr);
        const char *subject = status_text(&s, "subject");
        assert_memory_equal(subject, cases[i].subject, strlen(cases[i].subject));
        assert_string_equal(status_text(&s, "issuer"), subject);
    }
    cleanup_subject struct subject named =
        made(",'subjectAltNames':['192.0.2.1'],'organization':'O'", nullptr);
    assert_string_equal(status_text(&named, "subject"), "O=O");
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
        {",'duration':'1h','days':1", "duration: 1h and durationDays: 1 differ; give one of them"},
        {",'renewBefore':'100%'", "spec.renewBefore: \"100%\" is neither"},
        {",'renewBefore':'0%'", "spec.renewBefore: \"0%\" is neither"},
        {",'renewBefore':'0s'", "spec.renewBefore: \"0s\" is neither"},
        {",'days':1,'renewBefore':'24h'", "spec.renewBefore: 24h is not shorter than the life of 86400 s"},
        {",'subjectAltNames':['web:8443']",
         "spec.subjectAltNames[0]: \"web:8443\": not a host name: a host name has no port"},
        {",'subjectAltNames':['::ffff:192.0.2.1']", "which clients refuse; write 192.0.2.1"},
        {",'usages':['content commitment']",
         "spec.usages: content commitment alone does not go with server auth, which needs digital signature"},
        {",'certType':'client','parentCARef':{'name':'a'},'usages':['content commitment']",
         "go with client auth"},
        {",'usages':['content commitment','code signing']", "does not go with code signing"},
        {",'usages':['timestamping','server auth']",
         "spec.usages: timestamping must be the only extended key usage (RFC 3161), so server auth cannot"},
        {",'usages':['email protection','timestamping']", "so email protection cannot stand beside it"},
        {",'usages':['timestamping','cert sign']", "cert sign and crl sign are for certType ca only"},
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
        {",'trustBundle':{'configMapName':'a'}", "spec.trustBundle: goes only with certType ca"},
        {",'certType':'ca','trustBundle':{}", "spec.trustBundle.configMapName: is required with trustBundle"},
        {",'certType':'ca','trustBundle':{'labels':{'a':'b'}}", "is required with trustBundle"},
        {",'certType':'ca','trustBundle':{'configMapName':'A'}",
         "spec.trustBundle.configMapName: \"A\" is not a DNS name"},
        {",'certType':'ca','trustBundle':{'configMapName':'a','labels':{'qubesec.io/x':'y'}}",
         "spec.trustBundle.labels: qubesec.io/x is set by the operator itself"},
        {",'certType':'ca','trustBundle':'a'", "spec.trustBundle: must be an object with configMapName"},
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
    assert_good_spec(kind, "{'commonName':'x','usages':['content commitment','digital signature']}");
    assert_good_spec(kind, "{'commonName':'x','usages':['content commitment','email protection']}");
    assert_good_spec(kind, "{'commonName':'x','usages':['timestamping']}");
    assert_good_spec(kind, "{'commonName':'x','certType':'ca','trustBundle':{'configMapName':'a'}}");
}

static void test_trap_49_keys_that_sign_are_for_nothing_else(void **) {
    static const char *const usages[] = {"key encipherment", "data encipherment", "key agreement",
                                         "encipher only", "decipher only"};
    for (size_t i = 0; i < sizeof(usages) / sizeof(usages[0]); i++) {
        char text[200];
        snprintf(text, sizeof(text), ",'usages':['%s']", usages[i]);
        assert_fault(text, "is not for ML-DSA and SLH-DSA keys, which only sign (RFC 9881, RFC 9909)");
    }
}

static void parameters(void **) {
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
        assert_same_parameters(kind, same[i][0], same[i][1]);
    }
    for (size_t i = 0; i < sizeof(different) / sizeof(different[0]); i++) {
        assert_different_parameters(kind, different[i][0], different[i][1]);
    }
}

// What is stored is compared with it after an upgrade, too: these are the texts of version 0.1.0.
static void parameters_never_change(void **) {
    static const char *const texts[][2] = {
        {"{'certType':'ca','commonName':'\xc3\x9c','country':'DE','domain':'b.example,192.0.2.1,a.example','"
         "pathLen':1}",
         "type=ca duration=31536000 pathLen=1 keyUsage=c purposes=0 C=2:DE CN=2:\xc3\x9c dns=9:a.example "
         "dns=9:b.example ip=9:192.0.2.1"},
        {"{'certType':'ca','commonName':'x','parentCARef':{'name':'p'}}", // whatever is above it
         "type=ca duration=31536000 pathLen=-1 keyUsage=c purposes=0 CN=1:x"},
        {"{'certType':'ca','commonName':'x','usages':['server auth']}",
         "type=ca duration=31536000 pathLen=-1 keyUsage=c purposes=1 CN=1:x"},
        {"{'domain':'192.0.2.1,a.example,b.example','days':1}",
         "type=self-signed duration=86400 pathLen=-1 keyUsage=1 purposes=3 CN=9:a.example dns=9:a.example "
         "dns=9:b.example ip=9:192.0.2.1"},
        {"{'commonName':'192.0.2.1'}",
         "type=self-signed duration=31536000 pathLen=-1 keyUsage=1 purposes=3 CN=9:192.0.2.1 ip=9:192.0.2.1"},
        {"{'domain':'192.0.2.1','organization':'O'}",
         "type=self-signed duration=31536000 pathLen=-1 keyUsage=1 purposes=3 O=1:O ip=9:192.0.2.1"},
        {"{'certType':'server','domain':'192.0.2.1,me@a.example,HTTPS://"
         "a.example','parentCARef':{'name':'p'}}",
         "type=server duration=31536000 pathLen=-1 keyUsage=1 purposes=1 ip=9:192.0.2.1 "
         "email=12:me@a.example "
         "uri=17:HTTPS://a.example"},
        {"{'certType':'client','domain':'urn:a:b','duration':'1m','parentCARef':{'name':'p'},'renewBefore':'"
         "1s'}",
         "type=client duration=60 pathLen=-1 keyUsage=1 purposes=2 uri=7:urn:a:b"},
        {"{'commonName':'The clock','usages':['timestamping','content commitment']}",
         "type=self-signed duration=31536000 pathLen=-1 keyUsage=2 purposes=10 CN=9:The clock"},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        cleanup_text char *text = parameters_text(texts[i][0], kind);
        assert_string_equal(text, texts[i][1]);
    }
}

static void what_it_reads(void **) {
    cleanup_subject struct subject s = read_spec(leaf_spec);
    assert_request(&s, 0, "parentCARef", "p");
    assert_sources(&s, 0, "QuantumCertificate:tls.key!");
    const char *const *also = s.decoded.requests[0].sources[0].also;
    assert_string_equal(also[0], "tls.crt");
    assert_string_equal(also[1], "ca.crt");
    assert_null(also[2]);
    cleanup_subject struct subject root = read_spec(root_spec);
    assert_int_equal(root.decoded.request_count, 0);
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
        cmocka_unit_test(path_lengths_are_inherited),
        cmocka_unit_test(an_older_life_is_sound_and_not_due),
        cmocka_unit_test(an_older_ca_without_path_length_is_sound_and_counts),
        cmocka_unit_test(an_older_time_stamping_certificate_is_sound),
        cmocka_unit_test(a_hash_based_root),
        cmocka_unit_test(the_end_is_the_issuers),
        cmocka_unit_test(a_life_is_what_was_asked_for),
        cmocka_unit_test(an_issuer_that_has_expired_is_waited_for),
        cmocka_unit_test(when_it_is_renewed),
        cmocka_unit_test(an_old_certificate_is_sound),
        cmocka_unit_test(the_key_is_kept_unless_it_is_to_rotate),
        cmocka_unit_test(a_key_is_kept_whatever_is_beside_it),
        cmocka_unit_test(two_keys_are_left_for_people_to_decide_on),
        cmocka_unit_test(a_lost_key_is_made_anew_only_where_it_may_be),
        cmocka_unit_test(which_secrets_are_retained),
        cmocka_unit_test(no_key_crosses_the_line_to_cas),
        cmocka_unit_test(what_an_edit_cannot_change),
        cmocka_unit_test(time_stamping_is_critical),
        cmocka_unit_test(a_ca_may_be_limited_to_usages),
        cmocka_unit_test(what_signs_itself_is_called_by_its_names),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(bad_specs),
        cmocka_unit_test(test_trap_49_keys_that_sign_are_for_nothing_else),
        cmocka_unit_test(parameters),
        cmocka_unit_test(parameters_never_change),
        cmocka_unit_test(what_it_reads),
        cmocka_unit_test(memory_may_be_out),
    };
    return cmocka_run_group_tests_name("kinds/certificate_kind", tests, nullptr, no_secret_is_left);
}
