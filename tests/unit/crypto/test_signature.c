#include "support.h"

#include "base/memory.h"
#include "crypto/signature.h"
#include "signature_answers.h"

static const char text[] = "a message";

static const struct algorithm *find(const char *name) {
    const struct algorithm *algorithm = algorithm_find(ALGORITHM_SIGNATURE, name);
    assert_non_null(algorithm);
    return algorithm;
}

static struct pkey *generate(const char *name) {
    struct error e;
    struct pkey *pkey;
    must(pkey_generate(find(name), &pkey, &e), e);
    return pkey;
}

static struct signature_input input_of(const void *message, size_t length) {
    return (struct signature_input){.message = message, .message_length = length};
}

static bool is_valid(const struct pkey *pkey, const struct signature_input *input,
                     const struct buffer *signature) {
    struct error e;
    bool valid;
    must(signature_verify(pkey, input, signature->data, signature->length, &valid, &e), e);
    return valid;
}

static void sign(const struct pkey *pkey, const struct signature_input *input, struct buffer *signature) {
    struct error e;
    *signature = buffer_create(SIGNATURE_MAX);
    must(signature_sign(pkey, input, signature, &e), e);
    assert_int_equal(signature->length, pkey_algorithm(pkey)->signature_size);
}

static void test_ml_dsa_known_answers(void **) {
    for (size_t i = 0; i < ML_DSA_ANSWER_COUNT; i++) {
        const struct ml_dsa_answer *answer = &ml_dsa_answers[i];
        struct error e;
        cleanup_secret struct secret *seed = from_hex(answer->seed);
        cleanup_secret struct secret *message = from_hex(answer->message);
        cleanup_secret struct secret *context = from_hex(answer->context);
        cleanup_pkey struct pkey *pkey = nullptr;
        cleanup_buffer struct buffer public_key = buffer_create(10000);
        cleanup_buffer struct buffer signature = buffer_create(SIGNATURE_MAX);
        struct signature_input input = {secret_view(message), secret_length(message), secret_view(context),
                                        secret_length(context)};
        must(pkey_from_seed(find(answer->algorithm), seed, &pkey, &e), e);
        must(pkey_public(pkey, &public_key, &e), e);
        assert_sha256(public_key.data, public_key.length, answer->public_key_sha256);
        must(signature_sign_deterministic(pkey, &input, &signature, &e), e);
        assert_sha256(signature.data, signature.length, answer->signature_sha256);
        assert_true(is_valid(pkey, &input, &signature));
    }
}

static void test_slh_dsa_known_keys(void **) {
    assert_int_equal(SLH_DSA_ANSWER_COUNT, 12);
    for (size_t i = 0; i < SLH_DSA_ANSWER_COUNT; i++) {
        struct error e;
        const struct algorithm *algorithm = find(slh_dsa_answers[i].algorithm);
        cleanup_secret struct secret *wanted = from_hex(slh_dsa_answers[i].private_key);
        cleanup_secret struct secret *seed = nullptr;
        cleanup_secret struct secret *made = nullptr;
        cleanup_pkey struct pkey *pkey = nullptr;
        cleanup_buffer struct buffer public_key = buffer_create(100);
        assert_int_equal(secret_length(wanted), algorithm->private_key_size);
        must(secret_copy(secret_view(wanted), algorithm->seed_size, &seed, &e), e);
        must(pkey_from_seed(algorithm, seed, &pkey, &e), e);
        must(pkey_private(pkey, &made, &e), e);
        must(pkey_public(pkey, &public_key, &e), e);
        assert_true(secret_equals(made, secret_view(wanted), secret_length(wanted)));
        assert_int_equal(public_key.length, algorithm->public_key_size);
        assert_memory_equal(public_key.data,
                            secret_view(wanted) + algorithm->private_key_size - algorithm->public_key_size,
                            public_key.length);
    }
}

// Signs once with each set; of the slow ones, which take seconds under a sanitizer, one does for all.
static void test_every_set_signs(void **) {
    const struct algorithm *algorithm;
    struct signature_input input = input_of(text, sizeof(text));
    for (size_t i = 0; (algorithm = algorithm_at(ALGORITHM_SIGNATURE, i)) != nullptr; i++) {
        if (algorithm->instead != nullptr ||
            (algorithm->is_slow && strcmp(algorithm->name, "SLH-DSA-SHA2-128s") != 0)) {
            continue;
        }
        cleanup_pkey struct pkey *pkey = generate(algorithm->name);
        cleanup_buffer struct buffer signature = {0};
        sign(pkey, &input, &signature);
        assert_true(is_valid(pkey, &input, &signature));
        signature.data[signature.length / 2] ^= 1;
        assert_false(is_valid(pkey, &input, &signature));
    }
}

// Changes one thing after the other.
static void check_nothing_else_verifies(const char *name, const char *other_name) {
    static const char context[] = "here";
    struct signature_input input = {text, sizeof(text), context, sizeof(context)};
    cleanup_pkey struct pkey *pkey = generate(name);
    cleanup_pkey struct pkey *other = generate(other_name);
    cleanup_buffer struct buffer signature = {0};
    sign(pkey, &input, &signature);
    assert_true(is_valid(pkey, &input, &signature));
    assert_false(is_valid(other, &input, &signature));
    struct signature_input changed = input;
    changed.context_length--;
    assert_false(is_valid(pkey, &changed, &signature));
    changed.context_length = 0;
    assert_false(is_valid(pkey, &changed, &signature));
    changed = input;
    changed.message_length--;
    assert_false(is_valid(pkey, &changed, &signature));
    const size_t places[] = {0, signature.length / 2, signature.length - 1};
    for (size_t i = 0; i < 3; i++) {
        signature.data[places[i]] ^= 0x01;
        assert_false(is_valid(pkey, &input, &signature));
        signature.data[places[i]] ^= 0x01;
    }
    assert_true(is_valid(pkey, &input, &signature));
}

static void test_nothing_else_verifies(void **) {
    check_nothing_else_verifies("ML-DSA-44", "ML-DSA-44");
    check_nothing_else_verifies("ML-DSA-65", "ML-DSA-65");
    check_nothing_else_verifies("ML-DSA-87", "ML-DSA-87");
    check_nothing_else_verifies("SLH-DSA-SHA2-128f", "SLH-DSA-SHA2-128f");
    check_nothing_else_verifies("SLH-DSA-SHAKE-128f", "SLH-DSA-SHAKE-128f");
}

static void test_signing_is_hedged(void **) {
    static const char *const names[] = {"ML-DSA-65", "SLH-DSA-SHA2-128f"};
    struct signature_input input = input_of(text, sizeof(text));
    for (size_t i = 0; i < 2; i++) {
        struct error e;
        cleanup_pkey struct pkey *pkey = generate(names[i]);
        cleanup_buffer struct buffer all = buffer_create(4 * SIGNATURE_MAX); // signatures are appended
        size_t size = pkey_algorithm(pkey)->signature_size;
        must(signature_sign(pkey, &input, &all, &e), e);
        must(signature_sign(pkey, &input, &all, &e), e);
        must(signature_sign_deterministic(pkey, &input, &all, &e), e);
        must(signature_sign_deterministic(pkey, &input, &all, &e), e);
        assert_int_equal(all.length, 4 * size);
        assert_memory_not_equal(all.data, all.data + size, size);
        assert_memory_not_equal(all.data, all.data + 2 * size, size);
        assert_memory_equal(all.data + 2 * size, all.data + 3 * size, size);
    }
}

static void test_trap_46_messages_of_any_length(void **) {
    static char large[1 << 20];
    struct signature_input inputs[] = {input_of(nullptr, 0), input_of("", 0), input_of(large, 1),
                                       input_of(large, sizeof(large))};
    static const char *const names[] = {"ML-DSA-44", "ML-DSA-87", "SLH-DSA-SHAKE-128f"};
    for (size_t i = 0; i < 3; i++) {
        cleanup_pkey struct pkey *pkey = generate(names[i]);
        for (size_t j = 0; j < 4; j++) {
            cleanup_buffer struct buffer signature = {0};
            sign(pkey, &inputs[j], &signature);
            for (size_t k = 0; k < 4; k++) {
                bool same = j == k || (j < 2 && k < 2);
                assert_int_equal(is_valid(pkey, &inputs[k], &signature), same);
            }
        }
    }
}

static void test_contexts(void **) {
    static const char context[SIGNATURE_CONTEXT_MAX + 1];
    struct error e;
    cleanup_pkey struct pkey *pkey = generate("ML-DSA-44");
    for (size_t length = 0; length <= SIGNATURE_CONTEXT_MAX; length += length == 1 ? 253 : 1) {
        cleanup_buffer struct buffer signature = {0};
        struct signature_input input = {text, sizeof(text), context, length};
        sign(pkey, &input, &signature);
        assert_true(is_valid(pkey, &input, &signature));
        input.context_length = length == 1 ? 2 : 1;
        assert_false(is_valid(pkey, &input, &signature));
    }
    cleanup_buffer struct buffer signature = buffer_create(SIGNATURE_MAX);
    struct signature_input input = {text, sizeof(text), context, sizeof(context)};
    bool valid = true;
    must_fail(signature_sign(pkey, &input, &signature, &e), e, ERROR_INVALID_SPEC,
              "a context has at most 255 bytes, this one has 256");
    assert_int_equal(signature.length, 0);
    static const char zeros[2420];
    must_fail(signature_verify(pkey, &input, zeros, sizeof(zeros), &valid, &e), e, ERROR_INVALID_SPEC,
              "at most 255 bytes");
    assert_true(valid); // untouched
}

static void test_wrong_lengths(void **) {
    static const char zeros[SIGNATURE_MAX];
    struct error e;
    bool valid = true;
    cleanup_pkey struct pkey *pkey = generate("ML-DSA-65");
    struct signature_input input = input_of(text, sizeof(text));
    must_fail(signature_verify(pkey, &input, zeros, 3308, &valid, &e), e, ERROR_INVALID_SPEC,
              "a signature of ML-DSA-65 has 3309 bytes, this one has 3308");
    must_fail(signature_verify(pkey, &input, zeros, 3310, &valid, &e), e, ERROR_INVALID_SPEC, "has 3310");
    must_fail(signature_verify(pkey, &input, nullptr, 0, &valid, &e), e, ERROR_INVALID_SPEC, "has 0");
    assert_true(valid);
    cleanup_buffer struct buffer small = buffer_create(3308);
    must_fail(signature_sign(pkey, &input, &small, &e), e, ERROR_INTERNAL, "over the limit");
    assert_int_equal(small.length, 0);
}

static void test_a_public_key_verifies_and_does_not_sign(void **) {
    struct error e;
    struct signature_input input = input_of(text, sizeof(text));
    cleanup_pkey struct pkey *pkey = generate("ML-DSA-44");
    cleanup_pkey struct pkey *public_key = nullptr;
    cleanup_buffer struct buffer raw = buffer_create(10000);
    cleanup_buffer struct buffer signature = {0};
    cleanup_buffer struct buffer none = buffer_create(SIGNATURE_MAX);
    must(pkey_public(pkey, &raw, &e), e);
    must(pkey_from_public(pkey_algorithm(pkey), raw.data, raw.length, &public_key, &e), e);
    sign(pkey, &input, &signature);
    assert_true(is_valid(public_key, &input, &signature));
    must_fail(signature_sign(public_key, &input, &none, &e), e, ERROR_CRYPTO,
              "needs a private key of ML-DSA-44");
    assert_int_equal(none.length, 0);
}

static void test_pairs_are_checked(void **) {
    static const char *const names[] = {"ML-DSA-44", "ML-DSA-65", "ML-DSA-87", "SLH-DSA-SHA2-128s",
                                        "SLH-DSA-SHAKE-256f"};
    for (size_t i = 0; i < 5; i++) {
        struct error e;
        cleanup_pkey struct pkey *pkey = generate(names[i]);
        must(signature_check_pair(pkey, &e), e);
    }
}

// The public root at the end of an SLH-DSA private key is what its seeds make.
static void test_a_private_key_with_another_public_root(void **) {
    for (size_t i = 0; i < SLH_DSA_ANSWER_COUNT; i++) {
        struct error e = {0};
        const struct algorithm *algorithm = find(slh_dsa_answers[i].algorithm);
        if (algorithm->is_slow) {
            continue;
        }
        cleanup_secret struct secret *key = from_hex(slh_dsa_answers[i].private_key);
        cleanup_pkey struct pkey *pkey = nullptr;
        secret_bytes(key)[secret_length(key) - 1] ^= 1;
        bool good = pkey_from_private(algorithm, secret_view(key), secret_length(key), &pkey, &e) &&
                    signature_check_pair(pkey, &e);
        assert_false(good);
        assert_true(e.class == ERROR_INVALID_SPEC || e.class == ERROR_CRYPTO);
        assert_int_equal(ERR_peek_error(), 0);
    }
}

// A private key of ML-DSA holds hashes and halves of the public key, which must fit.
static void test_damaged_ml_dsa_private_keys(void **) {
    struct error e;
    cleanup_pkey struct pkey *pkey = generate("ML-DSA-44");
    cleanup_secret struct secret *raw = nullptr;
    must(pkey_private(pkey, &raw, &e), e);
    const size_t places[] = {0, 64, 64 + 64, secret_length(raw) / 2,
                             secret_length(raw) - 1}; // rho, tr, s1, ..., t0
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        cleanup_pkey struct pkey *damaged = nullptr;
        secret_bytes(raw)[places[i]] ^= 1;
        bool good =
            pkey_from_private(pkey_algorithm(pkey), secret_view(raw), secret_length(raw), &damaged, &e) &&
            signature_check_pair(damaged, &e);
        assert_false(good);
        secret_bytes(raw)[places[i]] ^= 1;
        ERR_clear_error();
    }
}

static void test_falcon_needs_a_provider(void **) {
    struct error e;
    must(algorithm_check_available(find("ML-DSA-65"), &e), e);
    must(algorithm_check_available(find("SLH-DSA-SHA2-256s"), &e), e);
    must_fail(algorithm_check_available(find("Falcon512"), &e), e, ERROR_INVALID_SPEC,
              "Falcon512 needs an OpenSSL provider that has it, and none is loaded; use ML-DSA-65");
    must_fail(algorithm_check_available(find("Falcon-1024"), &e), e, ERROR_INVALID_SPEC, "use ML-DSA-87");
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ml_dsa_known_answers),
        cmocka_unit_test(test_slh_dsa_known_keys),
        cmocka_unit_test(test_every_set_signs),
        cmocka_unit_test(test_nothing_else_verifies),
        cmocka_unit_test(test_signing_is_hedged),
        cmocka_unit_test(test_trap_46_messages_of_any_length),
        cmocka_unit_test(test_contexts),
        cmocka_unit_test(test_wrong_lengths),
        cmocka_unit_test(test_a_public_key_verifies_and_does_not_sign),
        cmocka_unit_test(test_pairs_are_checked),
        cmocka_unit_test(test_a_private_key_with_another_public_root),
        cmocka_unit_test(test_damaged_ml_dsa_private_keys),
        cmocka_unit_test(test_falcon_needs_a_provider),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
