#include "support.h"

#include "base/memory.h"

#include <openssl/crypto.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int late_start_status = -1;

// What a process gets that uses OpenSSL first: found out in a child before this one starts.
static void try_late_start(void) {
    pid_t child = fork();
    if (child == 0) {
        struct error e;
        OPENSSL_free(OPENSSL_malloc(1));
        bool started = crypto_start(&e);
        _exit(!started && e.class == ERROR_INTERNAL ? 0 : 1);
    }
    waitpid(child, &late_start_status, 0);
}

static void test_late_start_is_refused(void **) {
    assert_true(WIFEXITED(late_start_status));
    assert_int_equal(WEXITSTATUS(late_start_status), 0);
}

static void test_start_again_does_nothing(void **) {
    struct error e;
    must(crypto_start(&e), e);
}

static void test_openssl_allocates_from_our_heap(void **) {
    CRYPTO_malloc_fn allocate;
    CRYPTO_realloc_fn resize;
    CRYPTO_free_fn release;
    CRYPTO_get_mem_functions(&allocate, &resize, &release);
    assert_ptr_not_equal(allocate, CRYPTO_malloc);
    assert_ptr_not_equal(resize, CRYPTO_realloc);
    assert_ptr_not_equal(release, CRYPTO_free);
    unsigned char *block = OPENSSL_malloc(8);
    memset(block, 7, 8);
    block = OPENSSL_realloc(block, 4096);
    assert_non_null(block);
    assert_int_equal(block[7], 7);
    memory_free(block); // one and the same heap
}

static void test_version_is_the_loaded_one(void **) {
    char version[50];
    unsigned major = OPENSSL_version_major();
    unsigned minor = OPENSSL_version_minor();
    snprintf(version, sizeof(version), "%u.%u.%u", major, minor, OPENSSL_version_patch());
    assert_string_equal(crypto_version(), version);
    assert_true(major > 3 || (major == 3 && minor >= 5));
}

static void test_loaded_providers_are_described(void **) {
    struct error e;
    char expected[64];
    cleanup_buffer struct buffer text = buffer_create(1024);
    must(crypto_describe_providers(&text, &e), e);
    snprintf(expected, sizeof(expected), "default %s", crypto_version());
    assert_non_null(strstr(buffer_text(&text), expected));
    assert_null(strstr(buffer_text(&text), "FIPS"));
    struct buffer small = buffer_create(3);
    must_fail(crypto_describe_providers(&small, &e), e, ERROR_INTERNAL, "");
}

static size_t private_key_size(const char *name) {
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(nullptr, nullptr, name);
    assert_non_null(pkey);
    PKCS8_PRIV_KEY_INFO *pkcs8 = EVP_PKEY2PKCS8(pkey);
    assert_non_null(pkcs8);
    int length = i2d_PKCS8_PRIV_KEY_INFO(pkcs8, nullptr);
    PKCS8_PRIV_KEY_INFO_free(pkcs8);
    EVP_PKEY_free(pkey);
    return (size_t)length;
}

// RFC 9935 section 6, RFC 9881 section 6: 22 bytes of ASN.1, then the seed.
static void test_trap_43_private_keys_are_written_as_seeds(void **) {
    assert_int_equal(private_key_size("ML-KEM-512"), 22 + 64);
    assert_int_equal(private_key_size("ML-KEM-768"), 22 + 64);
    assert_int_equal(private_key_size("ML-KEM-1024"), 22 + 64);
    assert_int_equal(private_key_size("ML-DSA-44"), 22 + 32);
    assert_int_equal(private_key_size("ML-DSA-65"), 22 + 32);
    assert_int_equal(private_key_size("ML-DSA-87"), 22 + 32);
}

static void test_error_tells_the_first_reason(void **) {
    struct error e;
    ERR_raise_data(ERR_LIB_EVP, EVP_R_INVALID_KEY_LENGTH, "it has %d", 3);
    ERR_raise(ERR_LIB_EVP, EVP_R_DECODE_ERROR);
    must_fail(crypto_error(&e, ERROR_CRYPTO, "doing %s", "this"), e, ERROR_CRYPTO,
              "doing this: invalid key length (it has 3)");
}

static void test_error_without_a_reason(void **) {
    struct error e;
    must_fail(crypto_error(&e, ERROR_INVALID_SPEC, "reading"), e, ERROR_INVALID_SPEC,
              "reading: OpenSSL gave no reason");
}

static void test_error_knows_when_memory_is_out(void **) {
    struct error e;
    ERR_raise(ERR_LIB_EVP, EVP_R_DECODE_ERROR);
    ERR_raise(ERR_LIB_CRYPTO, ERR_R_MALLOC_FAILURE);
    ERR_raise(ERR_LIB_EVP, EVP_R_DECODE_ERROR);
    must_fail(crypto_error(&e, ERROR_INVALID_SPEC, "reading"), e, ERROR_NO_MEMORY, "reading: decode error");
}

int main(void) {
    try_late_start();
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_late_start_is_refused),
        cmocka_unit_test(test_start_again_does_nothing),
        cmocka_unit_test(test_openssl_allocates_from_our_heap),
        cmocka_unit_test(test_version_is_the_loaded_one),
        cmocka_unit_test(test_loaded_providers_are_described),
        cmocka_unit_test(test_trap_43_private_keys_are_written_as_seeds),
        cmocka_unit_test(test_error_tells_the_first_reason),
        cmocka_unit_test(test_error_without_a_reason),
        cmocka_unit_test(test_error_knows_when_memory_is_out),
    };
    return cmocka_run_group_tests_name("crypto/openssl", tests, nullptr, nullptr);
}
