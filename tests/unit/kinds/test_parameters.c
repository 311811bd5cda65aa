#include "support.h"

// The digest of these texts is in every output Secret, and tells whether the output is what the spec asks
// for. An operator that put one of them in other words would make anew whatever an earlier one has made: a
// change here is never a mere change of words. What is new in a spec may add to the text only where it is
// given.

struct golden {
    const char *spec; // ' stands for "
    const char *text;
};

static void assert_golden(const struct kind *kind, const struct golden *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        cleanup_text char *text = parameters_text(cases[i].spec, kind);
        assert_string_equal(text, cases[i].text);
    }
}
#define assert_all_golden(kind, cases) assert_golden(kind, cases, sizeof(cases) / sizeof((cases)[0]))

#define SEED                                                                                                 \
    "000102030405060708090A0B0C0D0E0F000102030405060708090A0B0C0D0E0F"                                       \
    "000102030405060708090A0B0C0D0E0F"
#define SEED_IN_LOWER_CASE                                                                                   \
    "000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f"                                       \
    "000102030405060708090a0b0c0d0e0f"

static void random_numbers(void **) {
    static const struct golden cases[] = {
        {"{}", "bytes=32 provider=system seed="},
        {"{'numBytes':1,'provider':'system','deletionPolicy':'Retain','secretName':'s'}",
         "bytes=1 provider=system seed="},
        {"{'bytes':65536,'provider':'OpenSSL'}", "bytes=65536 provider=OpenSSL seed="},
        {"{'numBytes':64,'seed':'" SEED "'}", "bytes=64 provider=system seed=" SEED_IN_LOWER_CASE},
        {"{'seedURI':'https://example.com/seed'}", "bytes=32 provider=system seed="},
    };
    assert_all_golden(&kind_random_number, cases);
}

static void decapsulations(void **) {
    static const struct golden cases[] = {
        {"{'privateKeyRef':{'name':'a'},'ciphertextRef':{'name':'b'}}", "ciphertext="},
        {"{'privateKeyRef':{'name':'a','version':12},'ciphertextRef':{'name':'b'}}",
         "ciphertext= privateKeyRef.version=12"},
        {"{'privateKeyRef':{'name':'a'},'ciphertextRef':{'name':'b'},'algorithm':'Kyber512','ciphertext':''}",
         "ciphertext="},
    };
    assert_all_golden(&kind_decapsulate_secret, cases);
}

// A ciphertext that is given inline, of 768 bytes.
static void inline_ciphertexts(void **) {
    enum { DIGITS = 2 * 768 };
    static const char before[] = "{'privateKeyRef':{'name':'a'},'ciphertext':'";
    struct error e;
    cleanup_buffer struct buffer spec = buffer_create(4096);
    cleanup_buffer struct buffer text = buffer_create(4096);
    must(buffer_append_text(&spec, before, &e) && buffer_append_text(&text, "ciphertext=", &e), e);
    for (size_t i = 0; i < DIGITS; i += 4) {
        must(buffer_append_text(&spec, "0aFB", &e) && buffer_append_text(&text, "0afb", &e), e);
    }
    must(buffer_append_text(&spec, "'}", &e), e);
    const struct golden cases[] = {{buffer_text(&spec), buffer_text(&text)}};
    assert_all_golden(&kind_decapsulate_secret, cases);
}

static void derived_keys(void **) {
    static const struct golden cases[] = {
        {"{'sharedSecretRef':{'name':'a'}}", "length=32 type= salt= info="},
        {"{'sharedSecretRef':{'name':'b','kind':'Secret','key':'k'},'algorithm':'HKDF-SHA256','salt':'','"
         "info':''}",
         "length=32 type= salt= info="},
        {"{'sharedSecretRef':{'name':'a'},'keyLength':1,'keyType':'HMAC-SHA256','salt':'00FF'}",
         "length=1 type=HMAC-SHA256 salt=00ff info="},
        {"{'sharedSecretRef':{'name':'a'},'keyType':'AES-256','info':'for files'}",
         "length=32 type=AES-256 salt= info=666f722066696c6573"},
        {"{'sharedSecretRef':{'name':'a'},'keyType':'ChaCha20','infoHex':'F0f1'}",
         "length=32 type=ChaCha20 salt= info=f0f1"},
    };
    assert_all_golden(&kind_derived_key, cases);
}

#define SIGN "{'privateKeyRef':{'name':'a'},'messageRef':{'name':'m'}"

static void signatures(void **) {
    static const struct golden cases[] = {
        {SIGN "}", "signatureKey=signature context="},
        {SIGN ",'algorithm':'ML-DSA-87','messageKey':'k','context':''}", "signatureKey=signature context="},
        {SIGN ",'context':'f\xc3\xbcr Tests','signatureKey':'message.sig'}",
         "signatureKey=message.sig context=66c3bc72205465737473"},
    };
    assert_all_golden(&kind_sign_message, cases);
}

#define BELOW "'parentCARef':{'name':'ca'}"

static void certificates(void **) {
    static const struct golden cases[] = {
        {"{'commonName':'a.example.com'}", "type=self-signed duration=31536000 pathLen=-1 keyUsage=1 "
                                           "purposes=3 CN=13:a.example.com dns=13:a.example.com"},
        {"{'domain':'b.example.com, a.example.com','days':1,'algorithm':'ML-DSA-87'}",
         "type=self-signed duration=86400 pathLen=-1 keyUsage=1 purposes=3 CN=13:b.example.com "
         "dns=13:a.example.com dns=13:b.example.com"},
        {"{'certType':'ca','organization':'Example','country':'DE','durationDays':3650}",
         "type=ca duration=315360000 pathLen=-1 keyUsage=c purposes=0 C=2:DE O=7:Example"},
        {"{'certType':'ca','commonName':'Services','pathLen':0,'duration':'87600h','renewBefore':'1%'," BELOW
         "}",
         "type=ca duration=315360000 pathLen=0 keyUsage=c purposes=0 CN=8:Services"},
        {"{'certType':'server'," BELOW
         ",'subjectAltNames':['www.example.com','*.shop.example.com','WWW.example.com',"
         "'b\xc3\xbc"
         "cher.example','192.0.2.10','2001:DB8::1','a@example.com','spiffe://example.com/web']}",
         "type=server duration=31536000 pathLen=-1 keyUsage=1 purposes=1 CN=15:www.example.com "
         "dns=18:*.shop.example.com dns=15:www.example.com dns=21:xn--bcher-kva.example ip=10:192.0.2.10 "
         "ip=11:2001:db8::1 email=13:a@example.com uri=24:spiffe://example.com/web"},
        {"{'certType':'server'," BELOW ",'commonName':'192.0.2.1'}",
         "type=server duration=31536000 pathLen=-1 keyUsage=1 purposes=1 CN=9:192.0.2.1 ip=9:192.0.2.1"},
        {"{'certType':'client'," BELOW
         ",'commonName':'a b=c','organizationalUnit':'U','state':'S','locality':'L',"
         "'organization':'\xc3\xbc','country':'DE','privateKey':{'rotationPolicy':'Always'}}",
         "type=client duration=31536000 pathLen=-1 keyUsage=1 purposes=2 C=2:DE ST=1:S L=1:L O=2:\xc3\xbc "
         "OU=1:U CN=5:a b=c"},
        {"{'certType':'client'," BELOW
         ",'commonName':'c','duration':'90m','usages':['signing','content commitment',"
         "'client auth','code signing','email protection']}",
         "type=client duration=5400 pathLen=-1 keyUsage=3 purposes=e CN=1:c"},
        {"{'certType':'ca','commonName':'c','usages':['cert sign']}",
         "type=ca duration=31536000 pathLen=-1 keyUsage=4 purposes=0 CN=1:c"},
    };
    assert_all_golden(&kind_certificate, cases);
}

// Whoever gives a further kind a parameters gives it a golden text.
static void these_are_all(void **) {
    static const struct kind *const with_parameters[] = {&kind_random_number, &kind_decapsulate_secret,
                                                         &kind_derived_key, &kind_sign_message,
                                                         &kind_certificate};
    size_t count = 0;
    for (const struct kind *const *kind = kind_table; *kind != nullptr; kind++) {
        if ((*kind)->describe_parameters != nullptr) {
            assert_ptr_equal(*kind, with_parameters[count]);
            count++;
        }
    }
    assert_int_equal(count, sizeof(with_parameters) / sizeof(with_parameters[0]));
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_numbers),     cmocka_unit_test(decapsulations),
        cmocka_unit_test(inline_ciphertexts), cmocka_unit_test(derived_keys),
        cmocka_unit_test(signatures),         cmocka_unit_test(certificates),
        cmocka_unit_test(these_are_all),
    };
    return cmocka_run_group_tests_name("kinds/parameters", tests, nullptr, no_secret_is_left);
}
