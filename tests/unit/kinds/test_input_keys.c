// Keys that are handles, with no private bytes here, as those in a token are: every kind that uses a key
// works with one.
#include "certificates.h"

#include "crypto/keyform.h"

// A pair, and its private key as a handle.
static struct pkey *open_pair(const struct kind *kind, const char *spec, struct subject *ret_pair) {
    struct error e;
    struct pkey *pkey = nullptr;
    *ret_pair = subject_read(kind, spec);
    subject_make(ret_pair);
    const struct secret *bytes = entry_of(ret_pair, "private_key");
    must(pkey_from_private(algorithm_find_by_name(ret_pair->provenance.algorithm), secret_view(bytes),
                           secret_length(bytes), &pkey, &e),
         e);
    return pkey;
}

static void give_handle(struct subject *s, size_t index, const struct subject *pair, struct pkey *pkey) {
    s->inputs[index] = (struct input){
        .field = s->decoded.requests[index].field,
        .algorithm = pair->provenance.algorithm,
        .key = pkey,
    };
}

// The metadata names the key by its public one.
static void assert_named_by_public_key(const struct subject *s, const char *field,
                                       const struct subject *pair) {
    const struct secret *public_key = entry_of(pair, "public_key");
    char digest[DIGEST_TEXT_SIZE];
    struct error e;
    must(digest_format(secret_view(public_key), secret_length(public_key), digest, &e), e);
    assert_string_equal(provenance_find_input(&s->provenance, field), digest);
}

static void a_handle_signs_and_verifies(void **) {
    cleanup_subject struct subject pair;
    cleanup_pkey struct pkey *pkey = open_pair(&kind_signature_key_pair, "{'algorithm':'ML-DSA-44'}", &pair);
    cleanup_subject struct subject s =
        subject_read(&kind_sign_message, "{'privateKeyRef':{'name':'k'},'messageRef':{'name':'m'}}");
    give_handle(&s, 0, &pair, pkey);
    subject_give(&s, 1, nullptr, "message", 7);
    subject_make(&s);
    assert_sound(&s);
    assert_named_by_public_key(&s, "privateKeyRef", &pair);
    cleanup_subject struct subject verified =
        subject_read(&kind_verify_signature,
                     "{'publicKeyRef':{'name':'k'},'messageRef':{'name':'m'},'signatureRef':{'name':'s'}}");
    give_handle(&verified, 0, &pair, pkey);
    subject_give(&verified, 1, nullptr, "message", 7);
    subject_give_secret(&verified, 2, nullptr, entry_of(&s, "signature"));
    struct error e;
    must(subject_try_verdict(&verified, &e), e);
    assert_string_equal(verified.report.outcome, "Valid");
}

static void a_handle_opens_what_was_sealed_for_it(void **) {
    cleanup_subject struct subject pair;
    cleanup_pkey struct pkey *pkey = open_pair(&kind_kem_key_pair, "{'algorithm':'ML-KEM-768'}", &pair);
    cleanup_subject struct subject sealed =
        subject_read(&kind_encapsulate_secret, "{'publicKeyRef':{'name':'k'}}");
    give_handle(&sealed, 0, &pair, pkey);
    subject_make(&sealed);
    assert_sound(&sealed);
    assert_named_by_public_key(&sealed, "publicKeyRef", &pair);
    cleanup_subject struct subject opened =
        subject_read(&kind_decapsulate_secret, "{'privateKeyRef':{'name':'k'},'ciphertextRef':{'name':'c'}}");
    give_handle(&opened, 0, &pair, pkey);
    subject_give_secret(&opened, 1, sealed.provenance.algorithm, entry_of(&sealed, "ciphertext"));
    subject_make(&opened);
    assert_sound(&opened);
    assert_true(same_entry(&opened, "shared_secret", &sealed, "shared_secret"));
    assert_string_equal(status_text(&opened, "publicKeyDigest"), pair.report.digest);
}

// The certificates are public, and come as bytes.
static void a_handle_issues(void **) {
    struct error e;
    cleanup_subject struct subject root = made(root_spec, nullptr);
    const struct secret *pem = entry_of(&root, "tls.key");
    cleanup_pkey struct pkey *pkey = nullptr;
    must(keyform_read_private(algorithm_find_by_name("ML-DSA-44"), secret_view(pem), secret_length(pem),
                              &pkey, &e),
         e);
    cleanup_subject struct subject leaf = read_spec(leaf_spec);
    cleanup_buffer struct buffer chain = buffer_create(1 << 20);
    const struct secret *certificate = entry_of(&root, "tls.crt");
    for (int i = 0; i < 2; i++) { // the issuer, and the root
        must(buffer_append(&chain, secret_view(certificate), secret_length(certificate), &e), e);
    }
    subject_give(&leaf, 0, root.provenance.algorithm, chain.data, chain.length);
    leaf.inputs[0].key = pkey;
    subject_make(&leaf);
    assert_sound(&leaf);
    assert_string_equal(status_text(&leaf, "issuer"), status_text(&root, "subject"));
}

static void a_handle_of_another_algorithm_is_refused(void **) {
    struct error e;
    cleanup_subject struct subject pair;
    cleanup_pkey struct pkey *pkey = open_pair(&kind_kem_key_pair, "{'algorithm':'ML-KEM-512'}", &pair);
    cleanup_subject struct subject s =
        subject_read(&kind_encapsulate_secret, "{'algorithm':'ML-KEM-768','publicKeyRef':{'name':'k'}}");
    give_handle(&s, 0, &pair, pkey);
    s.inputs[0].algorithm = nullptr;
    must_fail(subject_try_make(&s, &e), e, ERROR_INVALID_SPEC,
              "spec.publicKeyRef: the key is of ML-KEM-512, not of ML-KEM-768");
}

static void a_handle_of_another_family_is_refused(void **) {
    struct error e;
    cleanup_subject struct subject pair;
    cleanup_pkey struct pkey *pkey = open_pair(&kind_signature_key_pair, "{'algorithm':'ML-DSA-44'}", &pair);
    cleanup_subject struct subject s =
        subject_read(&kind_encapsulate_secret, "{'publicKeyRef':{'name':'k'}}");
    give_handle(&s, 0, &pair, pkey);
    s.inputs[0].algorithm = nullptr;
    must_fail(subject_try_make(&s, &e), e, ERROR_INVALID_SPEC,
              "spec.publicKeyRef: a key of ML-DSA-44 is none for this");
}

// What is said of it quotes nothing of it.
static void a_private_key_in_the_place_of_a_public_one_is_told(void **) {
    static const char *const entries[] = {"private_key.pem", "private_key"};
    static const char *const algorithms[] = {"", ",'algorithm':'ML-KEM-768'"};
    cleanup_subject struct subject pair = subject_read(&kind_kem_key_pair, "{'algorithm':'ML-KEM-768'}");
    subject_make(&pair);
    for (size_t i = 0; i < 4; i++) {
        char spec[100];
        struct error e;
        snprintf(spec, sizeof(spec), "{'publicKeyRef':{'name':'k'}%s}", algorithms[i / 2]);
        cleanup_subject struct subject s = subject_read(&kind_encapsulate_secret, spec);
        subject_give_secret(&s, 0, nullptr, entry_of(&pair, entries[i % 2]));
        assert_false(subject_try_make(&s, &e));
        assert_int_equal(e.class, ERROR_INVALID_SPEC);
        assert_string_equal(
            e.message, "spec.publicKeyRef: this seems to be a private key, and a public one belongs here; "
                       "treat it as leaked: make another pair, and pass on the public key only");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handle_signs_and_verifies),
        cmocka_unit_test(a_handle_opens_what_was_sealed_for_it),
        cmocka_unit_test(a_handle_issues),
        cmocka_unit_test(a_handle_of_another_algorithm_is_refused),
        cmocka_unit_test(a_handle_of_another_family_is_refused),
        cmocka_unit_test(a_private_key_in_the_place_of_a_public_one_is_told),
    };
    return cmocka_run_group_tests_name("kinds/input_keys", tests, nullptr, nullptr);
}
