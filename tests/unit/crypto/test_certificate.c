#include "../base/pem_shapes.h"
#include "../base/short_memory.h"
#include "support.h"

#include "crypto/certificate_internal.h"
#include "crypto/pkey_internal.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

enum { TEXT_MAX = 1 << 20 };

static const int64_t now = 1767323045; // 2026-01-02T03:04:05Z
static const int64_t year = 365 * 24 * 3600;

// ---- what the tests make

static struct pkey *new_key(const char *algorithm) {
    struct error e;
    struct pkey *pkey;
    must(pkey_generate(algorithm_find(ALGORITHM_SIGNATURE, algorithm), &pkey, &e), e);
    return pkey;
}

static struct certificate_template leaf_template(const char *name) {
    return (struct certificate_template){
        .subject = {.common_name = name},
        .not_before = now - 60,
        .not_after = now + year,
        .path_length = CERTIFICATE_PATH_LENGTH_NONE,
        .key_usage = CERTIFICATE_DIGITAL_SIGNATURE,
        .purposes = CERTIFICATE_SERVER_AUTH,
    };
}

static struct certificate_template ca_template(const char *name, int path_length) {
    struct certificate_template template = leaf_template(name);
    template.is_ca = true;
    template.path_length = path_length;
    template.key_usage = CERTIFICATE_CERT_SIGN | CERTIFICATE_CRL_SIGN;
    template.purposes = 0;
    return template;
}

static struct certificate *issue(const struct certificate_template *template, const struct pkey *key,
                                 const struct certificate *issuer, const struct pkey *issuer_key) {
    struct error e;
    struct certificate *certificate;
    must(certificate_issue(template, key, issuer, issuer_key, &certificate, &e), e);
    return certificate;
}

// A root, an intermediate and a leaf, with their keys.
struct family {
    struct pkey *keys[3];
    struct certificate *all[3];
};

enum { ROOT, MIDDLE, LEAF };

static struct family make_family(const char *root_algorithm) {
    struct family family = {.keys = {new_key(root_algorithm), new_key("ML-DSA-65"), new_key("ML-DSA-44")}};
    struct certificate_template root = ca_template("root", CERTIFICATE_PATH_LENGTH_NONE);
    struct certificate_template middle = ca_template("middle", 0);
    struct certificate_template leaf = leaf_template("leaf");
    family.all[ROOT] = issue(&root, family.keys[ROOT], nullptr, nullptr);
    family.all[MIDDLE] = issue(&middle, family.keys[MIDDLE], family.all[ROOT], family.keys[ROOT]);
    family.all[LEAF] = issue(&leaf, family.keys[LEAF], family.all[MIDDLE], family.keys[MIDDLE]);
    return family;
}

static void free_family(struct family *family) {
    for (size_t i = 0; i < 3; i++) {
        pkey_free(family->keys[i]);
        certificate_free(family->all[i]);
    }
}
#define cleanup_family [[gnu::cleanup(free_family)]]

// OpenSSL's own reading of it.
static X509 *reread(const struct certificate *certificate) {
    struct error e;
    cleanup_buffer struct buffer der = buffer_create(TEXT_MAX);
    must(certificate_append_der(certificate, &der, &e), e);
    const unsigned char *bytes = (const unsigned char *)der.data;
    X509 *x509 = d2i_X509(nullptr, &bytes, (long)der.length);
    assert_non_null(x509);
    return x509;
}

static int criticality(const struct certificate *certificate, int nid) {
    X509 *x509 = reread(certificate);
    int critical;
    void *value = X509_get_ext_d2i(x509, nid, &critical, nullptr);
    if (value != nullptr) {
        X509V3_EXT_METHOD *method = (X509V3_EXT_METHOD *)X509V3_EXT_get_nid(nid);
        ASN1_item_free(value, ASN1_ITEM_ptr(method->it));
    }
    X509_free(x509);
    return critical; // -1: there is none
}

typedef bool writer(const struct certificate *certificate, struct buffer *text, struct error *e);

static void assert_text(writer *write, const struct certificate *certificate, const char *wanted) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(TEXT_MAX);
    must(write(certificate, &text, &e), e);
    assert_string_equal(buffer_text(&text), wanted);
}

// ---- issuing

static void a_self_signed_certificate(void **) {
    cleanup_family struct family family = make_family("ML-DSA-87");
    const struct certificate *root = family.all[ROOT];
    X509 *x509 = reread(root);
    assert_int_equal(X509_get_version(x509), X509_VERSION_3);
    assert_int_equal(X509_self_signed(x509, 1), 1);
    assert_int_equal(X509_get_signature_nid(x509), OBJ_txt2nid("ML-DSA-87"));
    const X509_ALGOR *algorithm;
    int type;
    X509_get0_signature(nullptr, &algorithm, x509);
    X509_ALGOR_get0(nullptr, &type, nullptr, algorithm);
    assert_int_equal(type, V_ASN1_UNDEF); // RFC 9881: no parameters
    assert_int_equal(X509_NAME_cmp(X509_get_subject_name(x509), X509_get_issuer_name(x509)), 0);
    assert_int_equal(X509_get_key_usage(x509), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    assert_int_equal(EVP_PKEY_is_a(X509_get0_pubkey(x509), "ML-DSA-87"), 1);
    X509_free(x509);
    assert_true(certificate_is_ca(root));
    assert_int_equal(certificate_path_length(root), CERTIFICATE_PATH_LENGTH_NONE);
    assert_int_equal(criticality(root, NID_basic_constraints), 1);
    assert_int_equal(criticality(root, NID_key_usage), 1);
    assert_int_equal(criticality(root, NID_ext_key_usage), -1);
}

static void assert_bare(const X509_ALGOR *algorithm, const char *name) {
    const ASN1_OBJECT *object;
    int type;
    X509_ALGOR_get0(&object, &type, nullptr, algorithm);
    assert_int_equal(OBJ_obj2nid(object), OBJ_txt2nid(name));
    assert_int_equal(type, V_ASN1_UNDEF);
}

// RFC 9881 and RFC 9909: no pre-hash, and no parameters, wherever an algorithm is named.
static void test_trap_48_algorithms_are_named_without_digest_and_parameters(void **) {
    static const char *const names[] = {"ML-DSA-44", "ML-DSA-65", "ML-DSA-87", "SLH-DSA-SHA2-128f",
                                        "SLH-DSA-SHAKE-128f"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct certificate_template template = leaf_template("one");
        struct pkey *key = new_key(names[i]);
        struct certificate *certificate = issue(&template, key, nullptr, nullptr);
        X509 *x509 = reread(certificate);
        const X509_ALGOR *outer;
        X509_ALGOR *of_key;
        X509_get0_signature(nullptr, &outer, x509);
        X509_PUBKEY_get0_param(nullptr, nullptr, nullptr, &of_key, X509_get_X509_PUBKEY(x509));
        assert_bare(outer, names[i]);
        assert_bare(X509_get0_tbs_sigalg(x509), names[i]);
        assert_bare(of_key, names[i]);
        X509_free(x509);
        certificate_free(certificate);
        pkey_free(key);
    }
}

// As a server does when it starts.
static void test_trap_50_openssl_loads_what_is_for_tls(void **) {
    static const char *const names[] = {"ML-DSA-44", "ML-DSA-65", "ML-DSA-87"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct certificate_template template = leaf_template("one");
        struct pkey *key = new_key(names[i]);
        struct certificate *certificate = issue(&template, key, nullptr, nullptr);
        X509 *x509 = reread(certificate);
        SSL_CTX *context = SSL_CTX_new(TLS_server_method());
        assert_int_equal(SSL_CTX_use_certificate(context, x509), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(context, pkey_evp(key)), 1);
        assert_int_equal(SSL_CTX_check_private_key(context), 1);
        SSL_CTX_free(context);
        X509_free(x509);
        certificate_free(certificate);
        pkey_free(key);
    }
}

static void a_chain(void **) {
    cleanup_family struct family family = make_family("ML-DSA-44");
    const struct certificate *leaf = family.all[LEAF];
    assert_false(certificate_is_ca(leaf));
    assert_int_equal(certificate_path_length(family.all[MIDDLE]), 0);
    assert_int_equal(certificate_not_before(leaf), now - 60);
    assert_int_equal(certificate_not_after(leaf), now + year);
    assert_text(certificate_append_subject, leaf, "CN=leaf");
    assert_text(certificate_append_issuer, leaf, "CN=middle");
    assert_int_equal(criticality(leaf, NID_ext_key_usage), 0);
    assert_int_equal(criticality(leaf, NID_subject_alt_name), -1);
    X509 *x509 = reread(leaf);
    X509 *issuer = reread(family.all[MIDDLE]);
    assert_int_not_equal(X509_NAME_cmp(X509_get_subject_name(x509), X509_get_issuer_name(x509)), 0);
    assert_int_equal(X509_get_key_usage(x509), KU_DIGITAL_SIGNATURE);
    const ASN1_OCTET_STRING *subject_id = X509_get0_subject_key_id(issuer);
    const ASN1_OCTET_STRING *authority_id = X509_get0_authority_key_id(x509);
    assert_int_equal(ASN1_STRING_length(subject_id), 20);
    assert_int_equal(ASN1_OCTET_STRING_cmp(subject_id, authority_id), 0);
    const ASN1_BIT_STRING *key = X509_get0_pubkey_bitstr(issuer); // RFC 7093 method 1
    unsigned char digest[32];
    EVP_Q_digest(nullptr, "SHA2-256", nullptr, ASN1_STRING_get0_data(key), (size_t)ASN1_STRING_length(key),
                 digest, nullptr);
    assert_memory_equal(ASN1_STRING_get0_data(subject_id), digest, 20);
    X509_free(x509);
    X509_free(issuer);
}

static void serial_numbers_are_random_and_of_20_bytes(void **) {
    cleanup_family struct family family = make_family("ML-DSA-44");
    for (size_t i = 0; i < 3; i++) {
        X509 *x509 = reread(family.all[i]);
        const ASN1_INTEGER *serial = X509_get0_serialNumber(x509);
        assert_int_equal(ASN1_STRING_length(serial), CERTIFICATE_SERIAL_SIZE);
        assert_int_equal(ASN1_STRING_type(serial), V_ASN1_INTEGER); // positive
        assert_in_range(ASN1_STRING_get0_data(serial)[0], 0x40, 0x7f);
        for (size_t j = 0; j < i; j++) {
            X509 *other = reread(family.all[j]);
            assert_int_not_equal(ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(other)), 0);
            X509_free(other);
        }
        X509_free(x509);
    }
}

static void subjects_of_many_parts(void **) {
    struct certificate_template template = leaf_template("\xc3\x9c"
                                                         "bung");
    template.subject.country = "DE";
    template.subject.state = "Bayern";
    template.subject.locality = "M\xc3\xbcnchen";
    template.subject.organization = "B\xc3\xbc"
                                    "cher, S\xc3\xb6hne";
    template.subject.organizational_unit = "IT";
    cleanup_pkey struct pkey *key = new_key("ML-DSA-44");
    struct certificate *certificate = issue(&template, key, nullptr, nullptr);
    assert_text(certificate_append_subject, certificate,
                "CN=\xc3\x9c"
                "bung,OU=IT,O=B\xc3\xbc"
                "cher\\, S\xc3\xb6hne,L=M\xc3\xbcnchen,ST=Bayern,C=DE");
    X509 *x509 = reread(certificate);
    const X509_NAME *name = X509_get_subject_name(x509);
    static const int order[] = {NID_countryName,      NID_stateOrProvinceName,    NID_localityName,
                                NID_organizationName, NID_organizationalUnitName, NID_commonName};
    for (int i = 0; i < 6; i++) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
        assert_int_equal(OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)), order[i]);
        int type = ASN1_STRING_type(X509_NAME_ENTRY_get_data(entry));
        assert_int_equal(type, i == 0 ? V_ASN1_PRINTABLESTRING : V_ASN1_UTF8STRING);
    }
    X509_free(x509);
    certificate_free(certificate);
}

static void refuse_subject(struct certificate_subject subject, const char *part) {
    struct error e;
    must_fail(certificate_check_subject(&subject, &e), e, ERROR_INVALID_SPEC, part);
}

static void subjects_that_cannot_be(void **) {
    char long_text[140];
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[139] = '\0';
    refuse_subject((struct certificate_subject){.country = "de"}, "country: must be two upper-case letters");
    refuse_subject((struct certificate_subject){.country = "DEU"}, "country");
    refuse_subject((struct certificate_subject){.state = long_text}, "state: has 139 characters, 1 to 128");
    refuse_subject((struct certificate_subject){.common_name = long_text + 74},
                   "commonName: has 65 characters, 1 to 64");
    refuse_subject((struct certificate_subject){.organization = ""}, "organization: has 0 characters");
    refuse_subject((struct certificate_subject){.common_name = "a\nb"}, "control characters");
    refuse_subject((struct certificate_subject){.common_name = "a\x7f"}, "control characters");
    refuse_subject((struct certificate_subject){.locality = "\xff"}, "UTF-8");
    refuse_subject((struct certificate_subject){.locality = "\xed\xa0\x80"}, "UTF-8"); // a surrogate
    struct error e;
    struct certificate_subject bytes = {.common_name =
                                            "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
                                            "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
                                            "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
                                            "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
                                            "\xc3\xbc"}; // 33 characters of 66 bytes
    must(certificate_check_subject(&bytes, &e), e);
}

static void names(void **) {
    static const char *const texts[] = {"example.com", "192.0.2.1", "2001:db8::1", "me@example.com",
                                        "urn:a:b"};
    static const int types[] = {GEN_DNS, GEN_IPADD, GEN_IPADD, GEN_EMAIL, GEN_URI};
    struct error e;
    struct san names[5];
    for (size_t i = 0; i < 5; i++) {
        must(san_parse(texts[i], &names[i], &e), e);
    }
    cleanup_family struct family family = make_family("ML-DSA-44");
    struct certificate_template template = leaf_template(nullptr);
    template.names = names;
    template.name_count = 5;
    struct certificate *leaf = issue(&template, family.keys[LEAF], family.all[ROOT], family.keys[ROOT]);
    assert_int_equal(criticality(leaf, NID_subject_alt_name), 1); // its subject is empty
    X509 *x509 = reread(leaf);
    GENERAL_NAMES *found = X509_get_ext_d2i(x509, NID_subject_alt_name, nullptr, nullptr);
    assert_int_equal(sk_GENERAL_NAME_num(found), 5);
    for (int i = 0; i < 5; i++) {
        int type;
        const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(found, i), &type);
        assert_int_equal(type, types[i]);
        assert_int_equal(ASN1_STRING_length(value), i == 1 ? 4 : i == 2 ? 16 : (int)strlen(texts[i]));
    }
    GENERAL_NAMES_free(found);
    X509_free(x509);
    certificate_free(leaf);
    for (size_t i = 0; i < 5; i++) {
        san_done(&names[i]);
    }
}

static void who_needs_a_subject(void **) {
    struct error e;
    struct certificate *none = nullptr;
    cleanup_family struct family family = make_family("ML-DSA-44");
    struct certificate_template nameless = leaf_template(nullptr);
    struct certificate_template nameless_ca = ca_template(nullptr, 0);
    must_fail(certificate_issue(&nameless, family.keys[LEAF], nullptr, nullptr, &none, &e), e,
              ERROR_INVALID_SPEC, "needs a subject");
    must_fail(
        certificate_issue(&nameless_ca, family.keys[LEAF], family.all[ROOT], family.keys[ROOT], &none, &e), e,
        ERROR_INVALID_SPEC, "needs a subject");
    must_fail(certificate_issue(&nameless, family.keys[LEAF], family.all[ROOT], family.keys[ROOT], &none, &e),
              e, ERROR_INVALID_SPEC, "subject or a subject alternative name");
    assert_null(none);
}

static void dates_of_all_times(void **) {
    static const struct {
        int64_t not_after;
        int64_t wanted;
        int type;
    } dates[] = {
        {2524607999, 2524607999, V_ASN1_UTCTIME},         // 2049-12-31T23:59:59Z
        {2524608000, 2524608000, V_ASN1_GENERALIZEDTIME}, // 2050-01-01T00:00:00Z
        {4102444800, 4102444800, V_ASN1_GENERALIZEDTIME}, // 2100
        {253402300799, 253402300799, V_ASN1_GENERALIZEDTIME},
        {253402300800, 253402300799, V_ASN1_GENERALIZEDTIME}, // the year 10000 becomes the end of 9999
    };
    cleanup_pkey struct pkey *key = new_key("ML-DSA-44");
    for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
        struct certificate_template template = leaf_template("long");
        template.not_after = dates[i].not_after;
        struct certificate *certificate = issue(&template, key, nullptr, nullptr);
        assert_int_equal(certificate_not_after(certificate), dates[i].wanted);
        X509 *x509 = reread(certificate);
        assert_int_equal(ASN1_STRING_type(X509_get0_notAfter(x509)), dates[i].type);
        X509_free(x509);
        certificate_free(certificate);
    }
}

// ---- verifying

static bool verify(const struct family *family, unsigned purposes, int64_t at, struct error *e) {
    return certificate_verify(family->all[LEAF], &family->all[MIDDLE], 1, family->all[ROOT], purposes, at, e);
}

static void good_chains_verify(void **) {
    static const char *const algorithms[] = {"ML-DSA-44", "ML-DSA-87", "SLH-DSA-SHA2-128f"};
    for (size_t i = 0; i < 3; i++) {
        struct error e;
        cleanup_family struct family family = make_family(algorithms[i]);
        must(verify(&family, CERTIFICATE_SERVER_AUTH, now, &e), e);
        must(verify(&family, 0, now, &e), e);
        must(certificate_verify(family.all[ROOT], nullptr, 0, family.all[ROOT], 0, now, &e), e);
        must(certificate_check_key(family.all[LEAF], family.keys[LEAF], &e), e);
    }
}

static void bad_chains_do_not(void **) {
    struct error e;
    cleanup_family struct family family = make_family("ML-DSA-44");
    cleanup_family struct family other = make_family("ML-DSA-44");
    must_fail(verify(&family, CERTIFICATE_CLIENT_AUTH, now, &e), e, ERROR_CRYPTO,
              "\"CN=leaf\" does not verify");
    must_fail(verify(&family, CERTIFICATE_CODE_SIGNING, now, &e), e, ERROR_CRYPTO, "extended key usage");
    must_fail(verify(&family, 0, now + year + 1, &e), e, ERROR_CRYPTO, "expired");
    must_fail(verify(&family, 0, now - 61, &e), e, ERROR_CRYPTO, "not yet valid");
    must_fail(certificate_verify(family.all[LEAF], nullptr, 0, family.all[ROOT], 0, now, &e), e, ERROR_CRYPTO,
              "does not verify");
    must_fail(certificate_verify(family.all[LEAF], &family.all[MIDDLE], 1, other.all[ROOT], 0, now, &e), e,
              ERROR_CRYPTO, "does not verify");
    must_fail(certificate_check_key(family.all[LEAF], family.keys[MIDDLE], &e), e, ERROR_CRYPTO,
              "another key");
    must_fail(certificate_check_key(family.all[LEAF], other.keys[LEAF], &e), e, ERROR_CRYPTO, "another key");
}

// The same with another last byte of its signature.
static struct certificate *with_wrong_signature(const struct certificate *certificate) {
    struct error e;
    struct certificate *changed;
    X509 *x509 = reread(certificate);
    const ASN1_BIT_STRING *signature;
    X509_get0_signature(&signature, nullptr, x509);
    unsigned char *bytes = (unsigned char *)ASN1_STRING_get0_data(signature);
    bytes[ASN1_STRING_length(signature) - 1] ^= 1;
    must(certificate_wrap(x509, &changed, &e), e);
    return changed;
}

static void self_signatures_are_verified(void **) {
    struct error e;
    cleanup_family struct family family = make_family("ML-DSA-44");
    cleanup_certificate struct certificate *root = with_wrong_signature(family.all[ROOT]);
    must_fail(certificate_verify(root, nullptr, 0, root, 0, now, &e), e, ERROR_CRYPTO,
              "\"CN=root\" does not verify");
    must_fail(
        certificate_verify(family.all[LEAF], &family.all[MIDDLE], 1, root, CERTIFICATE_SERVER_AUTH, now, &e),
        e, ERROR_CRYPTO, "\"CN=root\" does not verify");
    struct certificate_template template = leaf_template("alone");
    cleanup_certificate struct certificate *alone = issue(&template, family.keys[LEAF], nullptr, nullptr);
    cleanup_certificate struct certificate *wrong = with_wrong_signature(alone);
    must(certificate_verify(alone, nullptr, 0, alone, CERTIFICATE_SERVER_AUTH, now, &e), e);
    must_fail(certificate_verify(wrong, nullptr, 0, wrong, CERTIFICATE_SERVER_AUTH, now, &e), e, ERROR_CRYPTO,
              "\"CN=alone\" does not verify");
}

// The purposes of a CA limit what is below it.
static void cas_of_some_purposes_only(void **) {
    struct error e;
    cleanup_family struct family family = make_family("ML-DSA-44");
    struct certificate_template limited = ca_template("limited", 0);
    limited.purposes = CERTIFICATE_SERVER_AUTH | CERTIFICATE_CODE_SIGNING;
    cleanup_certificate struct certificate *ca =
        issue(&limited, family.keys[MIDDLE], family.all[ROOT], family.keys[ROOT]);
    assert_int_equal(certificate_purposes(ca), limited.purposes);
    assert_int_equal(certificate_purposes(family.all[ROOT]), 0);
    must(certificate_verify(ca, nullptr, 0, family.all[ROOT], limited.purposes, now, &e), e);
    must_fail(certificate_verify(ca, nullptr, 0, family.all[ROOT], CERTIFICATE_CLIENT_AUTH, now, &e), e,
              ERROR_CRYPTO, "lacks an extended key usage");
    struct certificate_template template = leaf_template("leaf");
    cleanup_certificate struct certificate *server =
        issue(&template, family.keys[LEAF], ca, family.keys[MIDDLE]);
    template.purposes = CERTIFICATE_CLIENT_AUTH;
    cleanup_certificate struct certificate *client =
        issue(&template, family.keys[LEAF], ca, family.keys[MIDDLE]);
    must(certificate_verify(server, &ca, 1, family.all[ROOT], CERTIFICATE_SERVER_AUTH, now, &e), e);
    must_fail(certificate_verify(client, &ca, 1, family.all[ROOT], CERTIFICATE_CLIENT_AUTH, now, &e), e,
              ERROR_CRYPTO, "does not verify");
}

// RFC 3161 section 2.3, and OpenSSL's own opinion.
static void time_stamping_authorities(void **) {
    cleanup_pkey struct pkey *key = new_key("ML-DSA-44");
    struct certificate_template template = leaf_template("tsa");
    template.purposes = CERTIFICATE_TIME_STAMPING;
    cleanup_certificate struct certificate *certificate = issue(&template, key, nullptr, nullptr);
    assert_int_equal(criticality(certificate, NID_ext_key_usage), 1);
    X509 *x509 = reread(certificate);
    assert_int_equal(X509_check_purpose(x509, X509_PURPOSE_TIMESTAMP_SIGN, 0), 1);
    X509_free(x509);
    template.purposes = CERTIFICATE_OCSP_SIGNING;
    cleanup_certificate struct certificate *other = issue(&template, key, nullptr, nullptr);
    assert_int_equal(criticality(other, NID_ext_key_usage), 0);
}

// A leaf that issues, and a CA below one whose path length is 0.
static void rules_of_chains(void **) {
    struct error e;
    cleanup_family struct family family = make_family("ML-DSA-44");
    struct certificate_template below = leaf_template("below");
    struct certificate *child = issue(&below, family.keys[ROOT], family.all[LEAF], family.keys[LEAF]);
    struct certificate *path[] = {family.all[LEAF], family.all[MIDDLE]};
    must_fail(certificate_verify(child, path, 2, family.all[ROOT], 0, now, &e), e, ERROR_CRYPTO,
              "does not verify");
    certificate_free(child);
    struct certificate_template deep = ca_template("deep", CERTIFICATE_PATH_LENGTH_NONE);
    struct certificate *ca = issue(&deep, family.keys[LEAF], family.all[MIDDLE], family.keys[MIDDLE]);
    child = issue(&below, family.keys[ROOT], ca, family.keys[LEAF]);
    struct certificate *longer[] = {ca, family.all[MIDDLE]};
    must_fail(certificate_verify(child, longer, 2, family.all[ROOT], 0, now, &e), e, ERROR_CRYPTO,
              "path length");
    certificate_free(child);
    certificate_free(ca);
}

// ---- reading

static void lenient_clients_trust_any_root_but_no_other_chain(void **) {
    struct error e;
    struct family family = make_family("ML-DSA-87");
    struct family other = make_family("ML-DSA-87");
    must_fail(certificate_verify(family.all[LEAF], nullptr, 0, family.all[MIDDLE], 0, now, &e), e,
              ERROR_CRYPTO, "does not verify");
    must(certificate_verify_leniently(family.all[LEAF], nullptr, 0, family.all[MIDDLE],
                                      CERTIFICATE_SERVER_AUTH, now, &e),
         e);
    must(certificate_verify_leniently(family.all[LEAF], &family.all[MIDDLE], 1, family.all[ROOT],
                                      CERTIFICATE_SERVER_AUTH, now, &e),
         e);
    must_fail(
        certificate_verify_leniently(family.all[LEAF], &family.all[MIDDLE], 1, other.all[ROOT], 0, now, &e),
        e, ERROR_CRYPTO, "does not verify");
    must_fail(certificate_verify_leniently(family.all[LEAF], nullptr, 0, family.all[MIDDLE], 0,
                                           now + 100 * year, &e),
              e, ERROR_CRYPTO, "expired");
    free_family(&family);
    free_family(&other);
}

static void append_pem(const struct certificate *certificate, struct buffer *pem) {
    struct error e;
    must(certificate_append_pem(certificate, pem, &e), e);
}

static void what_is_written_is_read(void **) {
    struct error e;
    cleanup_family struct family family = make_family("ML-DSA-44");
    cleanup_buffer struct buffer pem = buffer_create(TEXT_MAX);
    cleanup_secret struct secret *key = nullptr;
    must(pkey_private_pem(family.keys[LEAF], &key, &e), e);
    must(buffer_append(&pem, secret_view(key), secret_length(key), &e), e); // other blocks are skipped
    must(buffer_append_text(&pem, "some words\n", &e), e);
    for (size_t i = 0; i < 3; i++) {
        append_pem(family.all[LEAF - i], &pem);
    }
    struct certificate **chain;
    size_t count;
    must(certificate_read_chain(pem.data, pem.length, &chain, &count, &e), e);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(certificate_equals(chain[i], family.all[LEAF - i]));
    }
    assert_false(certificate_equals(chain[0], chain[1]));
    certificate_free_chain(chain, count);
}

static void a_chain_is_read_as_people_have_it(void **) {
    cleanup_family struct family family = make_family("ML-DSA-44");
    cleanup_buffer struct buffer leaf = buffer_create(TEXT_MAX);
    cleanup_buffer struct buffer ca = buffer_create(TEXT_MAX);
    append_pem(family.all[LEAF], &leaf);
    append_pem(family.all[LEAF - 1], &ca);
    for (size_t i = 0; i < PEM_SHAPE_COUNT; i++) { // with no line end after it, the second is glued to it
        struct error e;
        cleanup_buffer struct buffer text = buffer_create(TEXT_MAX);
        struct certificate **chain;
        size_t count;
        pem_shape(i, buffer_text(&leaf), &text);
        pem_shape(i, buffer_text(&ca), &text);
        if (!certificate_read_chain(text.data, text.length, &chain, &count, &e)) {
            fail_msg("%s: %s", pem_shapes[i], e.message);
        }
        assert_int_equal(count, 2);
        assert_true(certificate_equals(chain[0], family.all[LEAF]));
        assert_true(certificate_equals(chain[1], family.all[LEAF - 1]));
        certificate_free_chain(chain, count);
    }
}

static void refuse_chain(const char *pem, size_t length, const char *part) {
    struct error e;
    struct certificate **chain = nullptr;
    size_t count = 4711;
    must_fail(certificate_read_chain(pem, length, &chain, &count, &e), e, ERROR_INVALID_SPEC, part);
    assert_null(chain);
    assert_int_equal(count, 4711);
}

static void what_is_no_chain(void **) {
    cleanup_family struct family family = make_family("ML-DSA-44");
    cleanup_buffer struct buffer pem = buffer_create(TEXT_MAX);
    refuse_chain("", 0, "no PEM block");
    refuse_chain("words", 5, "no PEM block");
    static const char garbage[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    refuse_chain(garbage, sizeof(garbage) - 1, "not a certificate");
    append_pem(family.all[LEAF], &pem);
    refuse_chain(pem.data, pem.length - 30, "incomplete");
    for (size_t i = 0; i < CERTIFICATE_CHAIN_MAX; i++) {
        append_pem(family.all[LEAF], &pem);
    }
    refuse_chain(pem.data, pem.length, "more than 40");
    refuse_chain(nullptr, CERTIFICATE_TEXT_MAX + 1, "too many");
}

// Every byte of a certificate's PEM damaged in turn: it is refused, or read as another one; never more.
static void damaged_certificates(void **) {
    cleanup_family struct family family = make_family("ML-DSA-44");
    cleanup_buffer struct buffer pem = buffer_create(TEXT_MAX);
    append_pem(family.all[LEAF], &pem);
    for (size_t i = 0; i < pem.length; i += 7) {
        struct error e;
        struct certificate **chain;
        size_t count;
        char before = pem.data[i];
        pem.data[i] = before == 'A' ? 'B' : 'A';
        if (certificate_read_chain(pem.data, pem.length, &chain, &count, &e)) {
            assert_int_equal(count, 1);
            assert_false(certificate_equals(chain[0], family.all[LEAF]));
            certificate_free_chain(chain, count);
        }
        ERR_clear_error();
        pem.data[i] = before;
    }
}

// ---- memory

static void memory_may_be_out(void **) {
    cleanup_family struct family family = make_family("ML-DSA-44");
    struct certificate_template template = leaf_template("leaf");
    cleanup_buffer struct buffer pem = buffer_create(TEXT_MAX);
    append_pem(family.all[LEAF], &pem);
    bool issued = false;
    for (long allocations = 0; !issued && allocations < 5000; allocations++) {
        struct error e = {0};
        struct certificate *certificate = nullptr;
        memory_left = allocations;
        issued = certificate_issue(&template, family.keys[LEAF], family.all[MIDDLE], family.keys[MIDDLE],
                                   &certificate, &e);
        memory_left = -1;
        bool failed = memory_take_failure();
        assert_true(issued || failed); // nothing else is wrong with it
        certificate_free(certificate);
        ERR_clear_error();
    }
    assert_true(issued);
    bool read = false;
    for (long allocations = 0; !read && allocations < 5000; allocations++) {
        struct error e = {0};
        struct certificate **chain = nullptr;
        size_t count = 0;
        memory_left = allocations;
        read = certificate_read_chain(pem.data, pem.length, &chain, &count, &e) &&
               certificate_verify(chain[0], &family.all[MIDDLE], 1, family.all[ROOT], 0, now, &e);
        memory_left = -1;
        bool failed = memory_take_failure();
        assert_true(read || failed);
        certificate_free_chain(chain, count);
        ERR_clear_error();
    }
    assert_true(read);
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_self_signed_certificate),
        cmocka_unit_test(test_trap_48_algorithms_are_named_without_digest_and_parameters),
        cmocka_unit_test(test_trap_50_openssl_loads_what_is_for_tls),
        cmocka_unit_test(a_chain),
        cmocka_unit_test(serial_numbers_are_random_and_of_20_bytes),
        cmocka_unit_test(subjects_of_many_parts),
        cmocka_unit_test(subjects_that_cannot_be),
        cmocka_unit_test(names),
        cmocka_unit_test(who_needs_a_subject),
        cmocka_unit_test(dates_of_all_times),
        cmocka_unit_test(good_chains_verify),
        cmocka_unit_test(bad_chains_do_not),
        cmocka_unit_test(lenient_clients_trust_any_root_but_no_other_chain),
        cmocka_unit_test(self_signatures_are_verified),
        cmocka_unit_test(cas_of_some_purposes_only),
        cmocka_unit_test(time_stamping_authorities),
        cmocka_unit_test(rules_of_chains),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_chain_is_read_as_people_have_it),
        cmocka_unit_test(what_is_no_chain),
        cmocka_unit_test(damaged_certificates),
        cmocka_unit_test(memory_may_be_out),
    };
    return cmocka_run_group_tests_name("crypto/certificate", tests, nullptr, nullptr);
}
