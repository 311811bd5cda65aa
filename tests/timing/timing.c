// Time and addresses must not follow from secret bytes in our own code. valgrind runs this program and takes
// the secret bytes for uninitialised: it reports every branch, and every address, that depends on one. What
// OpenSSL and the JSON parser do with them is theirs (libraries.supp). What may be known is told to it here:
// outcomes that go through secret_reveal, and what is public although it was computed from secrets (public
// keys, ciphertexts, signatures, fingerprints).
//
// Without valgrind it tests nothing; with the argument "leak" it does what must be reported.
#include "../unit/kinds/support.h"

#include "base/log.h"
#include "base/utf8.h"
#include "crypto/kem.h"
#include "crypto/pkey.h"
#include "crypto/random.h"
#include "crypto/signature.h"
#include "render/world.h"

#include <valgrind/memcheck.h>

static void hide(const void *bytes, size_t length) {
    (void)VALGRIND_MAKE_MEM_UNDEFINED(bytes, length);
}

static void reveal(const void *bytes, size_t length) {
    (void)VALGRIND_MAKE_MEM_DEFINED(bytes, length);
}

// ---- what is secret, from where the libraries give it to us on: the linker puts these in the places of the
// program's own

static void hide_secret(struct secret *secret) {
    hide(secret_view(secret), secret_length(secret));
}

bool __real_pkey_private(const struct pkey *pkey, struct secret **ret_bytes, struct error *e);
bool __wrap_pkey_private(const struct pkey *pkey, struct secret **ret_bytes, struct error *e);
bool __wrap_pkey_private(const struct pkey *pkey, struct secret **ret_bytes, struct error *e) {
    bool done = __real_pkey_private(pkey, ret_bytes, e);
    if (done) {
        hide_secret(*ret_bytes);
    }
    return done;
}

// Of PEM the last of the body, where the seed is: what is before is the same in every key.
static void hide_pem(const struct secret *pem) {
    enum { SEED_DIGITS = 32, END = sizeof("\n-----END PRIVATE KEY-----\n") - 1 };
    hide((const char *)secret_view(pem) + secret_length(pem) - END - SEED_DIGITS, SEED_DIGITS - 4);
}

bool __real_pkey_best_pem(const struct pkey *pkey, struct secret **ret_pem, struct error *e);
bool __wrap_pkey_best_pem(const struct pkey *pkey, struct secret **ret_pem, struct error *e);
bool __wrap_pkey_best_pem(const struct pkey *pkey, struct secret **ret_pem, struct error *e) {
    bool done = __real_pkey_best_pem(pkey, ret_pem, e);
    if (done) {
        hide_pem(*ret_pem);
    }
    return done;
}

bool __real_kem_encapsulate(const struct pkey *public_key, struct buffer *ciphertext,
                            struct secret **ret_shared_secret, struct error *e);
bool __wrap_kem_encapsulate(const struct pkey *public_key, struct buffer *ciphertext,
                            struct secret **ret_shared_secret, struct error *e);
bool __wrap_kem_encapsulate(const struct pkey *public_key, struct buffer *ciphertext,
                            struct secret **ret_shared_secret, struct error *e) {
    bool done = __real_kem_encapsulate(public_key, ciphertext, ret_shared_secret, e);
    if (done) {
        hide_secret(*ret_shared_secret);
    }
    return done;
}

bool __real_random_system(size_t length, struct secret **ret_secret, struct error *e);
bool __wrap_random_system(size_t length, struct secret **ret_secret, struct error *e);
bool __wrap_random_system(size_t length, struct secret **ret_secret, struct error *e) {
    bool done = __real_random_system(length, ret_secret, e);
    if (done) {
        hide_secret(*ret_secret);
    }
    return done;
}

// ---- what is public: the linker puts these in the places of the program's own

bool __real_secret_reveal(bool outcome);
bool __wrap_secret_reveal(bool outcome);
bool __wrap_secret_reveal(bool outcome) {
    bool known = __real_secret_reveal(outcome);
    reveal(&known, sizeof(known));
    return known;
}

// It calls secret_reveal within its own file, where the linker puts nothing in its place. Nor does it here:
// both are compiled into this file (short_secrets.h).
bool __real_secret_equals(const struct secret *secret, const void *bytes, size_t length);
bool __wrap_secret_equals(const struct secret *secret, const void *bytes, size_t length);
bool __wrap_secret_equals(const struct secret *secret, const void *bytes, size_t length) {
    bool equal = __real_secret_equals(secret, bytes, length);
    reveal(&equal, sizeof(equal));
    return equal;
}

bool __real_pkey_public(const struct pkey *pkey, struct buffer *bytes, struct error *e);
bool __wrap_pkey_public(const struct pkey *pkey, struct buffer *bytes, struct error *e);
bool __wrap_pkey_public(const struct pkey *pkey, struct buffer *bytes, struct error *e) {
    bool done = __real_pkey_public(pkey, bytes, e);
    reveal(bytes->data, bytes->length);
    return done;
}

bool __real_pkey_public_pem(const struct pkey *pkey, struct buffer *pem, struct error *e);
bool __wrap_pkey_public_pem(const struct pkey *pkey, struct buffer *pem, struct error *e);
bool __wrap_pkey_public_pem(const struct pkey *pkey, struct buffer *pem, struct error *e) {
    bool done = __real_pkey_public_pem(pkey, pem, e);
    reveal(pem->data, pem->length);
    return done;
}

bool __real_signature_sign(const struct pkey *private_key, const struct signature_input *input,
                           struct buffer *signature, struct error *e);
bool __wrap_signature_sign(const struct pkey *private_key, const struct signature_input *input,
                           struct buffer *signature, struct error *e);
bool __wrap_signature_sign(const struct pkey *private_key, const struct signature_input *input,
                           struct buffer *signature, struct error *e) {
    bool done = __real_signature_sign(private_key, input, signature, e);
    reveal(signature->data, signature->length);
    return done;
}

// The status tells it.
double __wrap_random_entropy(const void *bytes, size_t length);
double __real_random_entropy(const void *bytes, size_t length);
double __wrap_random_entropy(const void *bytes, size_t length) {
    double entropy = __real_random_entropy(bytes, length);
    reveal(&entropy, sizeof(entropy));
    return entropy;
}

// Digests are compared, and their first digits shown.
bool __real_digest_format(const void *bytes, size_t length, char ret_text[DIGEST_TEXT_SIZE], struct error *e);
bool __wrap_digest_format(const void *bytes, size_t length, char ret_text[DIGEST_TEXT_SIZE], struct error *e);
bool __wrap_digest_format(const void *bytes, size_t length, char ret_text[DIGEST_TEXT_SIZE],
                          struct error *e) {
    bool done = __real_digest_format(bytes, length, ret_text, e);
    reveal(ret_text, DIGEST_TEXT_SIZE);
    return done;
}

// ---- pieces

enum { LENGTH = 300 };

static void texts_are_encoded_and_decoded(void **) {
    struct error e;
    uint8_t bytes[LENGTH];
    for (size_t length = LENGTH - 4; length <= LENGTH; length++) {
        for (int form = 0; form < 2; form++) {
            cleanup_buffer struct buffer text = buffer_create(2 * LENGTH);
            cleanup_secret struct secret *one = nullptr;
            cleanup_secret struct secret *other = nullptr;
            memset(bytes, 0x5a, length);
            hide(bytes, length);
            must(form == 0 ? hex_encode(bytes, length, &text, &e) : base64_encode(bytes, length, &text, &e),
                 e);
            must(form == 0 ? hex_decode(text.data, text.length, ENCODING_ONE_LINE, &one, &e)
                           : base64_decode(text.data, text.length, ENCODING_ONE_LINE, &one, &e),
                 e);
            must(form == 0 ? hex_decode(text.data, text.length, ENCODING_SKIP_SPACES, &other, &e)
                           : base64_decode(text.data, text.length, ENCODING_SKIP_SPACES, &other, &e),
                 e);
            assert_true(__wrap_secret_equals(one, bytes, length));
            assert_true(__wrap_secret_equals(other, bytes, length));
            bytes[length - 1] ^= 1;
            assert_false(__wrap_secret_equals(one, bytes, length));
        }
    }
}

static void secrets_are_measured(void **) {
    uint8_t bytes[LENGTH];
    memset(bytes, 0x5a, sizeof(bytes));
    hide(bytes, sizeof(bytes));
    assert_true(random_entropy(bytes, sizeof(bytes)) == 0);
}

// ---- all kinds, by the reconciler: what it makes, checks, writes and reads

static const struct {
    const char *kind;
    const char *name;
    const char *spec;
} objects[] = {
    {"QuantumRandomNumber", "numbers", "{'numBytes':100}"},
    {"QuantumKEMKeyPair", "small", "{'algorithm':'ML-KEM-512'}"},
    {"QuantumKEMKeyPair", "pair", "{'algorithm':'ML-KEM-768'}"},
    {"QuantumKEMKeyPair", "large", "{'algorithm':'ML-KEM-1024'}"},
    {"QuantumEncapsulateSecret", "sealed", "{'publicKeyRef':{'name':'pair'}}"},
    {"QuantumDecapsulateSecret", "opened",
     "{'privateKeyRef':{'name':'pair'},'ciphertextRef':{'name':'sealed'}}"},
    {"QuantumDerivedKey", "derived", "{'sharedSecretRef':{'name':'opened'}}"},
    {"QuantumSignatureKeyPair", "signer", "{'algorithm':'ML-DSA-44'}"},
    {"QuantumSignatureKeyPair", "hashes", "{'algorithm':'SLH-DSA-SHA2-128f'}"},
    {"QuantumSignMessage", "signed",
     "{'privateKeyRef':{'name':'signer'},'messageRef':{'name':'numbers','key':'random'}}"},
    {"QuantumVerifySignature", "verified",
     "{'publicKeyRef':{'name':'signer'},'messageRef':{'name':'numbers','key':'random'},'signatureRef':{'name'"
     ":'signed'}}"},
    {"QuantumCertificate", "ca", "{'algorithm':'ML-DSA-87','certType':'ca','commonName':'CA'}"},
    {"QuantumCertificate", "leaf",
     "{'algorithm':'ML-DSA-65','certType':'client','commonName':'leaf','parentCARef':{'name':'ca'}}"},
};
enum { OBJECTS = sizeof(objects) / sizeof(objects[0]) };

static void ignore_event(void *, const struct kube_resource *, const struct kube_object *,
                         const struct event_content *) {}

static const struct kube_resource *resource_of(const struct world *world, const char *kind) {
    const struct kube_resource *const *at = world_resources(world);
    while (*at != nullptr && strcmp((*at)->kind, kind) != 0) {
        at++;
    }
    return *at;
}

static struct world *make_world(void) {
    static const struct world_options options = {.kinds = kind_table, .recorded = ignore_event};
    struct error e;
    struct world *world = nullptr;
    must(world_create(&options, &world, &e), e);
    for (size_t i = 0; i < OBJECTS; i++) {
        char text[1024];
        snprintf(
            text, sizeof(text),
            "{'apiVersion':'qubesec.io/v1','kind':'%s','metadata':{'namespace':'a','name':'%s','uid':'%zu'},"
            "'spec':%s}",
            objects[i].kind, objects[i].name, i, objects[i].spec);
        cleanup_json yyjson_doc *object = parse_quoted(text);
        must(memory_api_put(world_api(world), resource_of(world, objects[i].kind),
                            yyjson_doc_get_root(object), &e),
             e);
    }
    return world;
}

static bool is_secret(yyjson_val *object) {
    return json_member_is(object, "kind", kube_secrets.kind);
}

static void count_ready(void *context, yyjson_val *object) {
    int *count = context;
    yyjson_val *ready = yyjson_arr_get_first(json_find(object, "status", "conditions", nullptr));
    *count += !is_secret(object) && json_member_is(ready, "status", "True") ? 1 : 0;
}

static void put_secret(void *context, yyjson_val *object) {
    struct world *world = context;
    struct error e;
    if (is_secret(object)) {
        must(memory_api_put(world_api(world), &kube_secrets, object, &e), e);
    }
}

static void run_world(struct world *world) {
    struct error e;
    int ready = 0;
    must(world_run(world, &e), e);
    memory_api_visit(world_api(world), count_ready, &ready);
    assert_int_equal(ready, OBJECTS);
}

// In the second world the statuses are lost, so that all Secrets are looked at.
static void all_kinds_are_made_and_found_again(void **) {
    struct world *first = make_world();
    run_world(first);
    struct world *second = make_world();
    memory_api_visit(world_api(first), put_secret, second);
    run_world(second);
    world_free(first);
    world_free(second);
}

// What must be reported, so that the others can be trusted: a text that is looked at, by our own code.
static void a_leak(void **) {
    char text[] = "Z";
    hide(text, 1);
    utf8_make_valid(text);
}

int main(int count, char **) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_encoded_and_decoded),
        cmocka_unit_test(secrets_are_measured),
        cmocka_unit_test(all_kinds_are_made_and_found_again),
    };
    static const struct CMUnitTest leak[] = {cmocka_unit_test(a_leak)};
    start_or_fail();
    log_set_level(LOG_ERROR);
    return count > 1 ? cmocka_run_group_tests_name("leak", leak, nullptr, nullptr)
                     : cmocka_run_group_tests_name("timing", tests, nullptr, nullptr);
}
