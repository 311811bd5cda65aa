#include "support.h"

#include "crypto/algorithm.h"

static void assert_sizes(enum algorithm_family family, size_t size, const char *names) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(1000);
    must(algorithm_describe_sizes(family, size, &text, &e), e);
    assert_string_equal(buffer_text(&text), names);
}

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
        assert_sizes(ALGORITHM_KEM, rows[i].public_key, rows[i].name);
    }
}

// FIPS 204 table 2 and FIPS 205 table 2.
static void test_signature_sizes(void **) {
    static const struct {
        const char *name;
        size_t seed;
        size_t public_key;
        size_t private_key;
        size_t signature;
    } rows[] = {
        {"ML-DSA-44", 32, 1312, 2560, 2420},        {"ML-DSA-65", 32, 1952, 4032, 3309},
        {"ML-DSA-87", 32, 2592, 4896, 4627},        {"SLH-DSA-SHA2-128s", 48, 32, 64, 7856},
        {"SLH-DSA-SHA2-128f", 48, 32, 64, 17088},   {"SLH-DSA-SHA2-192s", 72, 48, 96, 16224},
        {"SLH-DSA-SHA2-192f", 72, 48, 96, 35664},   {"SLH-DSA-SHA2-256s", 96, 64, 128, 29792},
        {"SLH-DSA-SHA2-256f", 96, 64, 128, 49856},  {"SLH-DSA-SHAKE-128s", 48, 32, 64, 7856},
        {"SLH-DSA-SHAKE-128f", 48, 32, 64, 17088},  {"SLH-DSA-SHAKE-192s", 72, 48, 96, 16224},
        {"SLH-DSA-SHAKE-192f", 72, 48, 96, 35664},  {"SLH-DSA-SHAKE-256s", 96, 64, 128, 29792},
        {"SLH-DSA-SHAKE-256f", 96, 64, 128, 49856},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct algorithm *algorithm = algorithm_find(ALGORITHM_SIGNATURE, rows[i].name);
        assert_non_null(algorithm);
        assert_ptr_equal(algorithm_find_by_name(rows[i].name), algorithm);
        assert_string_equal(algorithm->name, rows[i].name);
        assert_string_equal(algorithm->standard, i < 3 ? "FIPS 204" : "FIPS 205");
        assert_int_equal(algorithm->seed_size, rows[i].seed);
        assert_int_equal(algorithm->public_key_size, rows[i].public_key);
        assert_int_equal(algorithm->private_key_size, rows[i].private_key);
        assert_int_equal(algorithm->signature_size, rows[i].signature);
        assert_int_equal(algorithm->is_slow, rows[i].name[strlen(rows[i].name) - 1] == 's');
        assert_false(algorithm->signature_varies);
        assert_null(algorithm->instead);
    }
    assert_sizes(ALGORITHM_SIGNATURE, 1952, "ML-DSA-65");
    assert_sizes(ALGORITHM_SIGNATURE, 48,
                 "SLH-DSA-SHA2-192s, SLH-DSA-SHA2-192f, SLH-DSA-SHAKE-192s, SLH-DSA-SHAKE-192f");
}

static void test_signature_aliases(void **) {
    static const char *const names[][2] = {
        {"Dilithium2", "ML-DSA-44"},
        {"Dilithium3", "ML-DSA-65"},
        {"Dilithium5", "ML-DSA-87"},
        {"CRYSTALS-Dilithium2", "ML-DSA-44"},
        {"CRYSTALS-Dilithium3", "ML-DSA-65"},
        {"CRYSTALS-Dilithium5", "ML-DSA-87"},
        {"SPHINCS+-SHA2-128f-simple", "SLH-DSA-SHA2-128f"},
        {"SPHINCS+-SHAKE-256s-simple", "SLH-DSA-SHAKE-256s"},
        {"Falcon-512", "Falcon512"},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_non_null(algorithm_find_by_name(names[i][0]));
        assert_string_equal(algorithm_find_by_name(names[i][0])->name, names[i][1]);
    }
    assert_null(algorithm_find_by_name("Dilithium4"));
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
    assert_sizes(ALGORITHM_KEM, 801, "");
    assert_sizes(ALGORITHM_SIGNATURE, 800, "");
}

static void test_rows_come_in_order(void **) {
    assert_string_equal(algorithm_at(ALGORITHM_KEM, 0)->name, "ML-KEM-512");
    assert_string_equal(algorithm_at(ALGORITHM_KEM, 1)->name, "ML-KEM-768");
    assert_string_equal(algorithm_at(ALGORITHM_KEM, 2)->name, "ML-KEM-1024");
    assert_null(algorithm_at(ALGORITHM_KEM, 3));
    assert_string_equal(algorithm_at(ALGORITHM_SIGNATURE, 0)->name, "ML-DSA-44");
    assert_string_equal(algorithm_at(ALGORITHM_SIGNATURE, 16)->name, "Falcon1024");
    assert_null(algorithm_at(ALGORITHM_SIGNATURE, 17));
}

static void test_names_are_described(void **) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(200);
    must(algorithm_describe_names(ALGORITHM_KEM, &text, &e), e);
    assert_string_equal(buffer_text(&text), "ML-KEM-512, ML-KEM-768, ML-KEM-1024");
    cleanup_buffer struct buffer small = buffer_create(20);
    must_fail(algorithm_describe_names(ALGORITHM_KEM, &small, &e), e, ERROR_INTERNAL, "over the limit");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_signature_sizes),
        cmocka_unit_test(test_signature_aliases),
        cmocka_unit_test(test_aliases_find_the_same_row),
        cmocka_unit_test(test_other_names_find_nothing),
        cmocka_unit_test(test_rows_come_in_order),
        cmocka_unit_test(test_names_are_described),
    };
    return cmocka_run_group_tests_name("crypto/algorithm", tests, nullptr, nullptr);
}
