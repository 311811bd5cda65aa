#include "support.h"

#include "crypto/algorithm.h"

// FIPS 203 table 3.
static void test_sizes(void **) {
    static const struct {
        const char *name;
        size_t public_key;
        size_t private_key;
        size_t ciphertext;
    } rows[] = {
        {"ML-KEM-512", 800, 1632, 768},
        {"ML-KEM-768", 1184, 2400, 1088},
        {"ML-KEM-1024", 1568, 3168, 1568},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct algorithm *algorithm = algorithm_find(ALGORITHM_KEM, rows[i].name);
        assert_non_null(algorithm);
        assert_string_equal(algorithm->name, rows[i].name);
        assert_string_equal(algorithm->standard, "FIPS 203");
        assert_int_equal(algorithm->family, ALGORITHM_KEM);
        assert_int_equal(algorithm->public_key_size, rows[i].public_key);
        assert_int_equal(algorithm->private_key_size, rows[i].private_key);
        assert_int_equal(algorithm->ciphertext_size, rows[i].ciphertext);
        assert_int_equal(algorithm->shared_secret_size, 32);
        assert_int_equal(algorithm->seed_size, 64);
        assert_int_equal(algorithm->signature_size, 0);
        assert_ptr_equal(algorithm_find_by_public_key_size(ALGORITHM_KEM, rows[i].public_key), algorithm);
    }
}

static void test_aliases_find_the_same_row(void **) {
    assert_ptr_equal(algorithm_find(ALGORITHM_KEM, "Kyber512"), algorithm_find(ALGORITHM_KEM, "ML-KEM-512"));
    assert_ptr_equal(algorithm_find(ALGORITHM_KEM, "Kyber768"), algorithm_find(ALGORITHM_KEM, "ML-KEM-768"));
    assert_ptr_equal(algorithm_find(ALGORITHM_KEM, "Kyber1024"),
                     algorithm_find(ALGORITHM_KEM, "ML-KEM-1024"));
}

static void test_other_names_find_nothing(void **) {
    static const char *const names[] = {"",      "ML-KEM",   "ml-kem-512", "ML-KEM-512 ",
                                        "Kyber", "kyber512", "RSA"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_null(algorithm_find(ALGORITHM_KEM, names[i]));
    }
    assert_null(algorithm_find(ALGORITHM_SIGNATURE, "ML-KEM-512"));
    assert_null(algorithm_find_by_public_key_size(ALGORITHM_KEM, 801));
    assert_null(algorithm_find_by_public_key_size(ALGORITHM_SIGNATURE, 800));
}

static void test_rows_come_in_order(void **) {
    assert_string_equal(algorithm_at(ALGORITHM_KEM, 0)->name, "ML-KEM-512");
    assert_string_equal(algorithm_at(ALGORITHM_KEM, 1)->name, "ML-KEM-768");
    assert_string_equal(algorithm_at(ALGORITHM_KEM, 2)->name, "ML-KEM-1024");
    assert_null(algorithm_at(ALGORITHM_KEM, 3));
    assert_null(algorithm_at(ALGORITHM_SIGNATURE, 0));
}

static void test_names_are_described(void **) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(200);
    must(algorithm_describe_names(ALGORITHM_KEM, &text, &e), e);
    assert_string_equal(buffer_text(&text),
                        "ML-KEM-512 (= Kyber512), ML-KEM-768 (= Kyber768), ML-KEM-1024 (= Kyber1024)");
    cleanup_buffer struct buffer small = buffer_create(20);
    must_fail(algorithm_describe_names(ALGORITHM_KEM, &small, &e), e, ERROR_INTERNAL, "over the limit");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_aliases_find_the_same_row),
        cmocka_unit_test(test_other_names_find_nothing),
        cmocka_unit_test(test_rows_come_in_order),
        cmocka_unit_test(test_names_are_described),
    };
    return cmocka_run_group_tests_name("crypto/algorithm", tests, nullptr, nullptr);
}
