#include "support.h"

#include "crypto/kem.h"
#include "kem_answers.h"

#include <pthread.h>

// A key pair of a known seed, and what it encapsulates under a known m.
struct exchange {
    const struct kem_answer *answer;
    const struct algorithm *algorithm;
    struct pkey *pkey;          // owned
    struct buffer ciphertext;   // owned
    struct secret *shared;      // owned
    struct secret *private_key; // owned, raw
};

static struct exchange exchanges[KEM_ANSWER_COUNT];

static int set_up(void **) {
    cleanup_secret struct secret *seed = from_hex(round3_seed);
    cleanup_secret struct secret *m = from_hex(round3_m);
    for (size_t i = 0; i < KEM_ANSWER_COUNT; i++) {
        struct error e;
        struct exchange *exchange = &exchanges[i];
        exchange->answer = &kem_answers[i];
        exchange->algorithm = algorithm_find(ALGORITHM_KEM, kem_answers[i].algorithm);
        exchange->ciphertext = buffer_create(exchange->algorithm->ciphertext_size);
        if (!pkey_from_seed(exchange->algorithm, seed, &exchange->pkey, &e) ||
            !pkey_private(exchange->pkey, &exchange->private_key, &e) ||
            !kem_encapsulate_with(exchange->pkey, m, &exchange->ciphertext, &exchange->shared, &e)) {
            print_error("%s\n", e.message);
            return -1;
        }
    }
    return 0;
}

static int tear_down(void **) {
    for (size_t i = 0; i < KEM_ANSWER_COUNT; i++) {
        pkey_free(exchanges[i].pkey);
        buffer_done(&exchanges[i].ciphertext);
        secret_free(exchanges[i].shared);
        secret_free(exchanges[i].private_key);
    }
    return 0;
}

static void test_encapsulation_known_answers(void **) {
    for (size_t i = 0; i < KEM_ANSWER_COUNT; i++) {
        const struct exchange *exchange = &exchanges[i];
        assert_int_equal(exchange->ciphertext.length, exchange->algorithm->ciphertext_size);
        assert_sha256(exchange->ciphertext.data, exchange->ciphertext.length,
                      exchange->answer->ciphertext_sha256);
        assert_secret_hex(exchange->shared, exchange->answer->shared_secret);
    }
}

static void test_decapsulation_known_answers(void **) {
    struct error e;
    for (size_t i = 0; i < KEM_ANSWER_COUNT; i++) {
        const struct exchange *exchange = &exchanges[i];
        cleanup_secret struct secret *shared = nullptr;
        must(kem_decapsulate(exchange->pkey, exchange->ciphertext.data, exchange->ciphertext.length, &shared,
                             &e),
             e);
        assert_secret_hex(shared, exchange->answer->shared_secret);
    }
}

// FIPS 203 algorithm 18, lines 7 and 10: K = J(z || c), where J is SHAKE256 to 32 bytes.
static void compute_rejection(const struct exchange *exchange, const char *ciphertext,
                              unsigned char ret_secret[32]) {
    const uint8_t *z = secret_view(exchange->private_key) + secret_length(exchange->private_key) - 32;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestInit_ex2(context, EVP_shake256(), nullptr), 1);
    assert_int_equal(EVP_DigestUpdate(context, z, 32), 1);
    assert_int_equal(EVP_DigestUpdate(context, ciphertext, exchange->algorithm->ciphertext_size), 1);
    assert_int_equal(EVP_DigestFinalXOF(context, ret_secret, 32), 1);
    EVP_MD_CTX_free(context);
}

static void test_trap_47_changed_ciphertext_is_rejected_implicitly(void **) {
    struct error e;
    for (size_t i = 0; i < KEM_ANSWER_COUNT; i++) {
        struct exchange *exchange = &exchanges[i];
        char *ciphertext = exchange->ciphertext.data;
        size_t length = exchange->ciphertext.length;
        const size_t places[] = {0, length / 2, length - 1};
        for (size_t j = 0; j < 3; j++) {
            unsigned char wanted[32];
            cleanup_secret struct secret *shared = nullptr;
            ciphertext[places[j]] ^= 0x10;
            must(kem_decapsulate(exchange->pkey, ciphertext, length, &shared, &e), e);
            compute_rejection(exchange, ciphertext, wanted);
            ciphertext[places[j]] ^= 0x10;
            assert_true(secret_equals(shared, wanted, sizeof(wanted)));
            assert_false(secret_equals(shared, secret_view(exchange->shared), 32));
        }
    }
}

static void test_another_key_gets_another_secret(void **) {
    struct error e;
    for (size_t i = 0; i < KEM_ANSWER_COUNT; i++) {
        const struct exchange *exchange = &exchanges[i];
        cleanup_pkey struct pkey *other = nullptr;
        cleanup_secret struct secret *shared = nullptr;
        must(pkey_generate(exchange->algorithm, &other, &e), e);
        must(kem_decapsulate(other, exchange->ciphertext.data, exchange->ciphertext.length, &shared, &e), e);
        assert_false(secret_equals(shared, secret_view(exchange->shared), 32));
    }
}

static void test_random_encapsulations_differ_and_come_out(void **) {
    struct error e;
    for (size_t i = 0; i < KEM_ANSWER_COUNT; i++) {
        const struct exchange *exchange = &exchanges[i];
        size_t length = exchange->algorithm->ciphertext_size;
        cleanup_buffer struct buffer both =
            buffer_create(2 * length); // a ciphertext is appended to what is there
        cleanup_secret struct secret *one = nullptr;
        cleanup_secret struct secret *other = nullptr;
        cleanup_secret struct secret *back = nullptr;
        must(kem_encapsulate(exchange->pkey, &both, &one, &e), e);
        must(kem_encapsulate(exchange->pkey, &both, &other, &e), e);
        assert_int_equal(both.length, 2 * length);
        assert_int_equal(secret_length(one), 32);
        assert_false(secret_equals(one, secret_view(other), 32));
        assert_memory_not_equal(both.data, both.data + length, length);
        must(kem_decapsulate(exchange->pkey, both.data + length, length, &back, &e), e);
        assert_true(secret_equals(back, secret_view(other), 32));
    }
}

static void test_a_public_key_is_enough_to_encapsulate(void **) {
    struct error e;
    const struct exchange *exchange = &exchanges[1];
    cleanup_buffer struct buffer raw = buffer_create(10000);
    cleanup_buffer struct buffer ciphertext = buffer_create(10000);
    cleanup_pkey struct pkey *public_key = nullptr;
    cleanup_secret struct secret *sent = nullptr;
    cleanup_secret struct secret *received = nullptr;
    must(pkey_public(exchange->pkey, &raw, &e), e);
    must(pkey_from_public(exchange->algorithm, raw.data, raw.length, &public_key, &e), e);
    must(kem_encapsulate(public_key, &ciphertext, &sent, &e), e);
    must(kem_decapsulate(exchange->pkey, ciphertext.data, ciphertext.length, &received, &e), e);
    assert_true(secret_equals(received, secret_view(sent), 32));
    struct secret *none = nullptr;
    must_fail(kem_decapsulate(public_key, ciphertext.data, ciphertext.length, &none, &e), e, ERROR_CRYPTO,
              "needs a private key");
    assert_null(none);
}

static void test_wrong_lengths(void **) {
    struct error e;
    struct secret *none = nullptr;
    static const char zeros[2000];
    for (size_t i = 0; i < KEM_ANSWER_COUNT; i++) {
        const struct exchange *exchange = &exchanges[i];
        size_t length = exchange->algorithm->ciphertext_size;
        must_fail(kem_decapsulate(exchange->pkey, zeros, length - 1, &none, &e), e, ERROR_INVALID_SPEC,
                  "this one has");
        must_fail(kem_decapsulate(exchange->pkey, zeros, length + 1, &none, &e), e, ERROR_INVALID_SPEC,
                  "this one has");
        must_fail(kem_decapsulate(exchange->pkey, nullptr, 0, &none, &e), e, ERROR_INVALID_SPEC,
                  "this one has 0");
        cleanup_buffer struct buffer small = buffer_create(length - 1);
        must_fail(kem_encapsulate(exchange->pkey, &small, &none, &e), e, ERROR_INTERNAL, "over the limit");
        assert_int_equal(small.length, 0);
        for (size_t size = 31; size <= 33; size += 2) {
            cleanup_buffer struct buffer ciphertext = buffer_create(10000);
            cleanup_secret struct secret *m = nullptr;
            must(secret_create(size, &m, &e), e);
            must_fail(kem_encapsulate_with(exchange->pkey, m, &ciphertext, &none, &e), e, ERROR_INVALID_SPEC,
                      "encapsulation takes 32");
        }
    }
    must_fail(kem_decapsulate(exchanges[1].pkey, zeros, 768, &none, &e), e, ERROR_INVALID_SPEC,
              "a ciphertext of ML-KEM-768 has 1088 bytes, this one has 768");
    assert_null(none);
}

static void *exchange_often(void *arg) {
    const struct exchange *exchange = arg;
    struct error e;
    for (int i = 0; i < 50; i++) {
        if (!kem_check_pair(exchange->pkey, &e)) {
            return "failed";
        }
    }
    return nullptr;
}

static void test_threads_share_a_key(void **) {
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], nullptr, exchange_often, &exchanges[1]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        void *result = "not joined";
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_null(result);
    }
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encapsulation_known_answers),
        cmocka_unit_test(test_decapsulation_known_answers),
        cmocka_unit_test(test_trap_47_changed_ciphertext_is_rejected_implicitly),
        cmocka_unit_test(test_another_key_gets_another_secret),
        cmocka_unit_test(test_random_encapsulations_differ_and_come_out),
        cmocka_unit_test(test_a_public_key_is_enough_to_encapsulate),
        cmocka_unit_test(test_wrong_lengths),
        cmocka_unit_test(test_threads_share_a_key),
    };
    return cmocka_run_group_tests_name("crypto/kem", tests, set_up, tear_down);
}
