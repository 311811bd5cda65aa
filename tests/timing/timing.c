// Time and addresses must not follow from secret bytes in our own code. valgrind runs this program and takes
// the secret bytes for uninitialised: it reports every branch, and every address, that depends on one. What
// OpenSSL and the JSON parser do with them is theirs (libraries.supp). What may be known is told to it here:
// outcomes that go through secret_reveal, and what is public although it was computed from secrets (public
// keys, ciphertexts, signatures, fingerprints).
//
// Without valgrind it tests nothing; with the argument "leak" it does what must be reported.
#include "../unit/kinds/support.h"

#include "crypto/pkey.h"
#include "crypto/random.h"
#include "crypto/signature.h"

#include <valgrind/memcheck.h>

static void hide(const void *bytes, size_t length) {
    (void)VALGRIND_MAKE_MEM_UNDEFINED(bytes, length);
}

static void reveal(const void *bytes, size_t length) {
    (void)VALGRIND_MAKE_MEM_DEFINED(bytes, length);
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

// ---- a Secret, from the kind that makes it to the text that goes to the API server, and back

static bool is_secret(const char *key) {
    static const char *const keys[] = {"private_key", "shared_secret", "key", "random"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strcmp(keys[i], key) == 0) {
            return true;
        }
    }
    return false;
}

// All of a raw entry; of PEM the last of the body, where the seed is: what is before is the same in every
// key.
static void hide_entries(struct subject *s) {
    enum { SEED_DIGITS = 32, END = sizeof("\n-----END PRIVATE KEY-----\n") - 1 };
    for (size_t i = 0; i < s->data.count; i++) {
        struct secret_entry *entry = &s->data.entries[i];
        size_t length = secret_length(entry->value);
        if (is_secret(entry->key)) {
            hide(secret_bytes(entry->value), length);
        } else if (strcmp(entry->key, "private_key.pem") == 0 || strcmp(entry->key, "tls.key") == 0 ||
                   strcmp(entry->key, "key.pem") == 0) {
            hide(secret_bytes(entry->value) + length - END - SEED_DIGITS, SEED_DIGITS - 4);
        }
    }
}

static void write_text(const struct subject *s, struct buffer *body) {
    struct error e;
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    must(json_create(&document, &e), e);
    for (size_t i = 0; i < s->data.count; i++) {
        cleanup_buffer struct buffer text = buffer_create(1 << 20);
        const struct secret_entry *entry = &s->data.entries[i];
        must(base64_encode(secret_view(entry->value), secret_length(entry->value), &text, &e), e);
        assert_true(yyjson_mut_obj_add_strncpy(document, yyjson_mut_doc_get_root(document), entry->key,
                                               text.data, text.length));
    }
    must(json_write(document, body, &e), e);
}

static void read_text(struct subject *s, const struct buffer *body) {
    struct error e;
    cleanup_json yyjson_doc *document = nullptr;
    must(json_parse(body->data, body->length, &document, &e), e);
    for (size_t i = 0; i < s->data.count; i++) {
        struct secret_entry *entry = &s->data.entries[i];
        yyjson_val *value = yyjson_obj_get(yyjson_doc_get_root(document), entry->key);
        secret_free(entry->value);
        entry->value = nullptr;
        must(
            base64_decode(yyjson_get_str(value), yyjson_get_len(value), ENCODING_ONE_LINE, &entry->value, &e),
            e);
    }
}

static void goes_there_and_back(struct subject *s) {
    subject_make(s);
    hide_entries(s);
    assert_sound(s);
    cleanup_buffer struct buffer body = buffer_create(1 << 20);
    write_text(s, &body);
    read_text(s, &body);
    assert_sound(s);
}

static void key_pairs(void **) {
    static const struct {
        const struct kind *kind;
        const char *spec;
    } pairs[] = {
        {&kind_kem_key_pair, "{'algorithm':'ML-KEM-768'}"},
        {&kind_signature_key_pair, "{'algorithm':'ML-DSA-44'}"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        cleanup_subject struct subject s = subject_read(pairs[i].kind, pairs[i].spec);
        goes_there_and_back(&s);
    }
}

static void a_key_exchange(void **) {
    cleanup_subject struct subject pair = subject_read(&kind_kem_key_pair, "{'algorithm':'ML-KEM-768'}");
    goes_there_and_back(&pair);
    cleanup_subject struct subject sealed =
        subject_read(&kind_encapsulate_secret, "{'publicKeyRef':{'name':'pair'}}");
    subject_give_secret(&sealed, 0, "ML-KEM-768", entry_of(&pair, "public_key"));
    goes_there_and_back(&sealed);
    cleanup_subject struct subject opened = subject_read(
        &kind_decapsulate_secret, "{'privateKeyRef':{'name':'pair'},'ciphertextRef':{'name':'sealed'}}");
    subject_give_secret(&opened, 0, "ML-KEM-768", entry_of(&pair, "private_key"));
    subject_give_secret(&opened, 1, "ML-KEM-768", entry_of(&sealed, "ciphertext"));
    goes_there_and_back(&opened);
    cleanup_subject struct subject derived =
        subject_read(&kind_derived_key, "{'sharedSecretRef':{'name':'opened'}}");
    subject_give_secret(&derived, 0, "ML-KEM-768", entry_of(&opened, "shared_secret"));
    goes_there_and_back(&derived);
}

static void a_random_number(void **) {
    cleanup_subject struct subject s = subject_read(&kind_random_number, "{'numBytes':100}");
    goes_there_and_back(&s);
}

static void a_signature(void **) {
    cleanup_subject struct subject pair = subject_read(&kind_signature_key_pair, "{'algorithm':'ML-DSA-44'}");
    goes_there_and_back(&pair);
    cleanup_subject struct subject s = subject_read(
        &kind_sign_message, "{'privateKeyRef':{'name':'pair'},'messageRef':{'name':'m','key':'message'}}");
    subject_give_secret(&s, 0, "ML-DSA-44", entry_of(&pair, "private_key"));
    subject_give(&s, 1, nullptr, "message", 7);
    subject_make(&s);
}

static void a_certificate(void **) {
    cleanup_subject struct subject s = subject_read(
        &kind_certificate, "{'algorithm':'ML-DSA-44','certType':'self-signed','domain':'a.example'}");
    goes_there_and_back(&s);
}

// What must be reported, so that the others can be trusted.
static void a_leak(void **) {
    uint8_t byte = 0x5a;
    hide(&byte, 1);
    assert_true(byte == 0x5a);
}

int main(int count, char **) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_encoded_and_decoded),
        cmocka_unit_test(secrets_are_measured),
        cmocka_unit_test(key_pairs),
        cmocka_unit_test(a_key_exchange),
        cmocka_unit_test(a_random_number),
        cmocka_unit_test(a_signature),
        cmocka_unit_test(a_certificate),
    };
    static const struct CMUnitTest leak[] = {cmocka_unit_test(a_leak)};
    start_or_fail();
    return count > 1 ? cmocka_run_group_tests_name("leak", leak, nullptr, nullptr)
                     : cmocka_run_group_tests_name("timing", tests, nullptr, nullptr);
}
