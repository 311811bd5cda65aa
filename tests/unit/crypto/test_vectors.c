// Runs every vector of the public collections that this layer serves: Wycheproof's ML-KEM, ML-DSA and
// HKDF-SHA256 files and the examples of RFC 9935 and RFC 9881. They are no part of the project: the
// environment variable QUBESEC_VECTORS names their folder. Where it is not set, that is shared/vectors beside
// the checkout, and the tests are skipped if it is absent.
#include "support.h"

#include "crypto/kdf.h"
#include "crypto/kem.h"
#include "crypto/keyform.h"
#include "crypto/signature.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <yyjson.h>
#include <zlib.h>

enum { FILE_MAX = 64 * 1024 * 1024 };

static const char *folder(void) {
    const char *given = getenv("QUBESEC_VECTORS");
    bool is_given = given != nullptr && given[0] != '\0';
    const char *path = is_given ? given : QUBESEC_VECTORS;
    struct stat status;
    if (stat(path, &status) != 0) {
        if (is_given) {
            fail_msg("QUBESEC_VECTORS: there is no folder %s", path);
        }
        print_message("no folder %s (QUBESEC_VECTORS): its vectors are not run\n", path);
        skip();
    }
    return path;
}

// Plain files are read as they are.
static struct buffer read_file(const char *subfolder, const char *name) {
    struct error e;
    char path[4096];
    struct buffer content = buffer_create(FILE_MAX);
    snprintf(path, sizeof(path), "%s/%s/%s", folder(), subfolder, name);
    gzFile file = gzopen(path, "rb");
    if (file == nullptr) {
        fail_msg("%s cannot be opened", path);
    }
    for (;;) {
        char *room;
        must(buffer_reserve(&content, 65536, &room, &e), e);
        int got = gzread(file, room, 65536);
        if (got < 0) {
            fail_msg("%s cannot be read", path);
        }
        if (got == 0) {
            break;
        }
        buffer_advance(&content, (size_t)got);
    }
    gzclose(file);
    return content;
}

static struct secret *get_bytes(yyjson_val *test, const char *key) {
    const char *digits = yyjson_get_str(yyjson_obj_get(test, key));
    assert_non_null(digits);
    return from_hex(digits);
}

static void assert_same(const struct secret *one, const struct secret *other) {
    assert_true(secret_equals(one, secret_view(other), secret_length(other)));
}

// Runs one vector of a group; what a vector that is not valid must come to is that it is refused.
typedef void runner(yyjson_val *group, yyjson_val *test, bool valid);

static void run_file(const char *name, runner *run) {
    struct buffer content = read_file("wycheproof", name);
    yyjson_doc *document = yyjson_read(content.data, content.length, 0);
    assert_non_null(document);
    yyjson_val *root = yyjson_doc_get_root(document);
    size_t wanted = (size_t)yyjson_get_uint(yyjson_obj_get(root, "numberOfTests"));
    size_t done = 0;
    size_t i;
    size_t count;
    yyjson_val *group;
    yyjson_arr_foreach(yyjson_obj_get(root, "testGroups"), i, count, group) {
        size_t j;
        size_t tests;
        yyjson_val *test;
        yyjson_arr_foreach(yyjson_obj_get(group, "tests"), j, tests, test) {
            const char *result = yyjson_get_str(yyjson_obj_get(test, "result"));
            assert_non_null(result);
            bool valid = strcmp(result, "valid") == 0;
            assert_true(valid || strcmp(result, "invalid") == 0);
            run(group, test, valid);
            done++;
        }
    }
    assert_true(done > 0);
    assert_int_equal(done, wanted);
    print_message("%s: %zu vectors\n", name, done);
    yyjson_doc_free(document);
    buffer_done(&content);
}

static const struct algorithm *algorithm_of(yyjson_val *group) {
    const char *name = yyjson_get_str(yyjson_obj_get(group, "parameterSet"));
    const struct algorithm *algorithm = algorithm_find(ALGORITHM_KEM, name);
    assert_non_null(algorithm);
    return algorithm;
}

static bool decapsulate(const struct algorithm *algorithm, const struct secret *seed,
                        const struct secret *ciphertext, struct buffer *public_key,
                        struct secret **ret_shared, struct error *e) {
    cleanup_pkey struct pkey *pkey = nullptr;
    return pkey_from_seed(algorithm, seed, &pkey, e) && pkey_public(pkey, public_key, e) &&
           kem_decapsulate(pkey, secret_view(ciphertext), secret_length(ciphertext), ret_shared, e);
}

static void run_decapsulation(yyjson_val *group, yyjson_val *test, bool valid) {
    struct error e;
    cleanup_secret struct secret *seed = get_bytes(test, "seed");
    cleanup_secret struct secret *ciphertext = get_bytes(test, "c");
    cleanup_secret struct secret *shared = nullptr;
    cleanup_buffer struct buffer public_key = buffer_create(10000);
    bool done = decapsulate(algorithm_of(group), seed, ciphertext, &public_key, &shared, &e);
    assert_int_equal(done, valid);
    if (!valid) {
        assert_int_equal(e.class, ERROR_INVALID_SPEC);
        return;
    }
    cleanup_secret struct secret *wanted_shared = get_bytes(test, "K");
    cleanup_secret struct secret *wanted_public = get_bytes(test, "ek");
    assert_same(shared, wanted_shared);
    assert_true(secret_equals(wanted_public, public_key.data, public_key.length));
}

static bool encapsulate(const struct algorithm *algorithm, const struct secret *public_bytes,
                        const struct secret *m, struct buffer *ciphertext, struct secret **ret_shared,
                        struct error *e) {
    cleanup_pkey struct pkey *pkey = nullptr;
    return pkey_from_public(algorithm, secret_view(public_bytes), secret_length(public_bytes), &pkey, e) &&
           kem_encapsulate_with(pkey, m, ciphertext, ret_shared, e);
}

static void run_encapsulation(yyjson_val *group, yyjson_val *test, bool valid) {
    struct error e;
    cleanup_secret struct secret *public_bytes = get_bytes(test, "ek");
    cleanup_secret struct secret *m = get_bytes(test, "m");
    cleanup_secret struct secret *shared = nullptr;
    cleanup_buffer struct buffer ciphertext = buffer_create(10000);
    bool done = encapsulate(algorithm_of(group), public_bytes, m, &ciphertext, &shared, &e);
    assert_int_equal(done, valid);
    if (!valid) {
        assert_int_equal(e.class, ERROR_INVALID_SPEC);
        return;
    }
    cleanup_secret struct secret *wanted_shared = get_bytes(test, "K");
    cleanup_secret struct secret *wanted_ciphertext = get_bytes(test, "c");
    assert_same(shared, wanted_shared);
    assert_true(secret_equals(wanted_ciphertext, ciphertext.data, ciphertext.length));
}

static void run_hkdf(yyjson_val *, yyjson_val *test, bool valid) {
    struct error e;
    cleanup_secret struct secret *input = get_bytes(test, "ikm");
    cleanup_secret struct secret *salt = get_bytes(test, "salt");
    cleanup_secret struct secret *info = get_bytes(test, "info");
    cleanup_secret struct secret *key = nullptr;
    size_t length = (size_t)yyjson_get_uint(yyjson_obj_get(test, "size"));
    bool done = kdf_hkdf_sha256(input, secret_view(salt), secret_length(salt), secret_view(info),
                                secret_length(info), length, &key, &e);
    assert_int_equal(done, valid);
    if (!valid) {
        assert_int_equal(e.class, ERROR_INVALID_SPEC);
        return;
    }
    cleanup_secret struct secret *wanted = get_bytes(test, "okm");
    assert_same(key, wanted);
}

static void test_wycheproof_mlkem_512(void **) {
    run_file("mlkem_512_test.json.gz", run_decapsulation);
}

static void test_wycheproof_mlkem_768(void **) {
    run_file("mlkem_768_test.json.gz", run_decapsulation);
}

static void test_wycheproof_mlkem_1024(void **) {
    run_file("mlkem_1024_test.json.gz", run_decapsulation);
}

static void test_wycheproof_mlkem_768_encaps(void **) {
    run_file("mlkem_768_encaps_test.json.gz", run_encapsulation);
}

static void test_wycheproof_hkdf(void **) {
    run_file("hkdf_sha256_test.json.gz", run_hkdf);
}

// ---- ML-DSA

static const char *ml_dsa_name; // of the file's parameter set, which some files do not say

static struct secret *get_optional(yyjson_val *test, const char *key) {
    const char *digits = yyjson_get_str(yyjson_obj_get(test, key));
    return from_hex(digits == nullptr ? "" : digits);
}

// Whether the signature is valid; what is no signature at all is as good as a wrong one.
static bool verifies(const struct algorithm *algorithm, const struct secret *public_bytes,
                     const struct signature_input *input, const struct secret *signature) {
    struct error e;
    cleanup_pkey struct pkey *pkey = nullptr;
    bool valid = false;
    if (!pkey_from_public(algorithm, secret_view(public_bytes), secret_length(public_bytes), &pkey, &e) ||
        !signature_verify(pkey, input, secret_view(signature), secret_length(signature), &valid, &e)) {
        assert_int_equal(e.class, ERROR_INVALID_SPEC);
        return false;
    }
    return valid;
}

static void run_ml_dsa_verification(yyjson_val *group, yyjson_val *test, bool valid) {
    cleanup_secret struct secret *public_bytes = get_bytes(group, "publicKey");
    cleanup_secret struct secret *message = get_bytes(test, "msg");
    cleanup_secret struct secret *context = get_optional(test, "ctx");
    cleanup_secret struct secret *signature = get_bytes(test, "sig");
    struct signature_input input = {secret_view(message), secret_length(message), secret_view(context),
                                    secret_length(context)};
    const struct algorithm *algorithm = algorithm_find(ALGORITHM_SIGNATURE, ml_dsa_name);
    assert_int_equal(verifies(algorithm, public_bytes, &input, signature), valid);
}

// Signs what can be signed: a vector with randomness of its own, or with a message digest (mu) in place of a
// message, is beyond what this layer takes; if it has a message, its signature is verified instead.
static void run_ml_dsa_signing(yyjson_val *group, yyjson_val *test, bool valid) {
    struct error e;
    bool is_deterministic = yyjson_obj_get(test, "rnd") == nullptr;
    if (yyjson_obj_get(test, "msg") == nullptr) {
        return;
    }
    cleanup_secret struct secret *seed = get_bytes(group, "privateSeed");
    cleanup_secret struct secret *message = get_bytes(test, "msg");
    cleanup_secret struct secret *context = get_optional(test, "ctx");
    cleanup_pkey struct pkey *pkey = nullptr;
    cleanup_buffer struct buffer signature = buffer_create(SIGNATURE_MAX);
    struct signature_input input = {secret_view(message), secret_length(message), secret_view(context),
                                    secret_length(context)};
    bool done = pkey_from_seed(algorithm_find(ALGORITHM_SIGNATURE, ml_dsa_name), seed, &pkey, &e) &&
                signature_sign_deterministic(pkey, &input, &signature, &e);
    assert_int_equal(done, valid);
    if (!valid) {
        assert_int_equal(e.class, ERROR_INVALID_SPEC);
        return;
    }
    cleanup_secret struct secret *wanted = get_bytes(test, "sig");
    cleanup_buffer struct buffer public_bytes = buffer_create(10000);
    must(pkey_public(pkey, &public_bytes, &e), e);
    bool verified;
    must(signature_verify(pkey, &input, secret_view(wanted), secret_length(wanted), &verified, &e), e);
    assert_true(verified);
    assert_int_equal(secret_equals(wanted, signature.data, signature.length), is_deterministic);
}

static void run_ml_dsa_files(const char *size) {
    char name[16];
    char file[64];
    snprintf(name, sizeof(name), "ML-DSA-%s", size);
    ml_dsa_name = name;
    snprintf(file, sizeof(file), "mldsa_%s_verify_test.json.gz", size);
    run_file(file, run_ml_dsa_verification);
    snprintf(file, sizeof(file), "mldsa_%s_sign_seed_test.json.gz", size);
    run_file(file, run_ml_dsa_signing);
}

static void test_wycheproof_ml_dsa_44(void **) {
    run_ml_dsa_files("44");
}

static void test_wycheproof_ml_dsa_65(void **) {
    run_ml_dsa_files("65");
}

static void test_wycheproof_ml_dsa_87(void **) {
    run_ml_dsa_files("87");
}

// ---- the RFCs' examples

static const char *rfc_of(const struct algorithm *algorithm) {
    return algorithm->family == ALGORITHM_KEM ? "rfc9935" : "rfc9881";
}

static bool check_pair(const struct pkey *pkey, struct error *e) {
    return pkey_algorithm(pkey)->family == ALGORITHM_KEM ? kem_check_pair(pkey, e)
                                                         : signature_check_pair(pkey, e);
}

static struct pkey *read_example(const struct algorithm *algorithm, const char *suffix, bool private_key) {
    struct error e;
    char name[100];
    struct pkey *pkey = nullptr;
    snprintf(name, sizeof(name), "%s%s", algorithm->name, suffix);
    cleanup_buffer struct buffer content = read_file(rfc_of(algorithm), name);
    if (private_key) {
        must(keyform_read_private(algorithm, content.data, content.length, &pkey, &e), e);
        must(check_pair(pkey, &e), e);
    } else {
        must(keyform_read_public(algorithm, content.data, content.length, &pkey, &e), e);
    }
    return pkey;
}

static void run_examples(const struct algorithm *algorithm) {
    struct error e;
    char name[100];
    cleanup_pkey struct pkey *seed = read_example(algorithm, "-seed.priv", true);
    cleanup_pkey struct pkey *expanded = read_example(algorithm, "-expanded.priv", true);
    cleanup_pkey struct pkey *both = read_example(algorithm, "-both.priv", true);
    cleanup_pkey struct pkey *public_key = read_example(algorithm, ".pub", false);
    cleanup_pkey struct pkey *certificate = read_example(algorithm, ".crt", false);
    must(pkey_check_same(seed, expanded, &e), e);
    must(pkey_check_same(seed, both, &e), e);
    must(pkey_check_same(seed, public_key, &e), e);
    must(pkey_check_same(seed, certificate, &e), e);

    // What is written is what the RFC shows, to the byte.
    snprintf(name, sizeof(name), "%s-seed.priv", algorithm->name);
    cleanup_buffer struct buffer seed_file = read_file(rfc_of(algorithm), name);
    snprintf(name, sizeof(name), "%s.pub", algorithm->name);
    cleanup_buffer struct buffer public_file = read_file(rfc_of(algorithm), name);
    cleanup_secret struct secret *private_pem = nullptr;
    cleanup_buffer struct buffer public_pem = buffer_create(10000);
    must(pkey_private_pem(both, &private_pem, &e), e);
    must(pkey_public_pem(expanded, &public_pem, &e), e);
    assert_true(secret_equals(private_pem, seed_file.data, seed_file.length));
    snprintf(name, sizeof(name), "%s-expanded.priv", algorithm->name);
    cleanup_buffer struct buffer expanded_file = read_file(rfc_of(algorithm), name);
    cleanup_secret struct secret *expanded_pem = nullptr;
    must(pkey_expanded_pem(expanded, &expanded_pem, &e), e);
    assert_true(secret_equals(expanded_pem, expanded_file.data, expanded_file.length));
    assert_string_equal(buffer_text(&public_pem), buffer_text(&public_file));
}

static void test_rfc9935_examples(void **) {
    (void)folder();
    run_examples(algorithm_find(ALGORITHM_KEM, "ML-KEM-512"));
    run_examples(algorithm_find(ALGORITHM_KEM, "ML-KEM-768"));
    run_examples(algorithm_find(ALGORITHM_KEM, "ML-KEM-1024"));
}

static void test_rfc9881_examples(void **) {
    (void)folder();
    run_examples(algorithm_find(ALGORITHM_SIGNATURE, "ML-DSA-44"));
    run_examples(algorithm_find(ALGORITHM_SIGNATURE, "ML-DSA-65"));
    run_examples(algorithm_find(ALGORITHM_SIGNATURE, "ML-DSA-87"));
}

// The algorithm that a file name like bad-ML-KEM-512-1.priv speaks of; NULL: it is no such name.
static const struct algorithm *bad_key_algorithm(enum algorithm_family family, const char *file) {
    const struct algorithm *algorithm;
    for (size_t i = 0; (algorithm = algorithm_at(family, i)) != nullptr; i++) {
        char prefix[40];
        snprintf(prefix, sizeof(prefix), "bad-%s-", algorithm->name);
        if (strncmp(file, prefix, strlen(prefix)) == 0) {
            return algorithm;
        }
    }
    return nullptr;
}

static size_t refuse_bad_keys(enum algorithm_family family, const char *subfolder) {
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder(), subfolder);
    DIR *directory = opendir(path);
    size_t refused = 0;
    if (directory == nullptr) {
        fail_msg("%s cannot be opened", path);
        return 0;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != nullptr;) {
        const struct algorithm *algorithm = bad_key_algorithm(family, entry->d_name);
        if (algorithm == nullptr) {
            continue;
        }
        struct error e;
        struct pkey *none = nullptr;
        cleanup_buffer struct buffer content = read_file(subfolder, entry->d_name);
        must_fail(keyform_read_private(algorithm, content.data, content.length, &none, &e), e,
                  ERROR_INVALID_SPEC, "private key of ML-");
        assert_null(none);
        print_message("%s: %s\n", entry->d_name, e.message);
        refused++;
    }
    closedir(directory);
    return refused;
}

static void test_trap_43_rfc9935_bad_keys(void **) {
    assert_true(refuse_bad_keys(ALGORITHM_KEM, "rfc9935") >= 4);
}

static void test_trap_43_rfc9881_bad_keys(void **) {
    assert_true(refuse_bad_keys(ALGORITHM_SIGNATURE, "rfc9881") >= 3);
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wycheproof_mlkem_512),     cmocka_unit_test(test_wycheproof_mlkem_768),
        cmocka_unit_test(test_wycheproof_mlkem_1024),    cmocka_unit_test(test_wycheproof_mlkem_768_encaps),
        cmocka_unit_test(test_wycheproof_hkdf),          cmocka_unit_test(test_rfc9935_examples),
        cmocka_unit_test(test_trap_43_rfc9935_bad_keys), cmocka_unit_test(test_rfc9881_examples),
        cmocka_unit_test(test_trap_43_rfc9881_bad_keys), cmocka_unit_test(test_wycheproof_ml_dsa_44),
        cmocka_unit_test(test_wycheproof_ml_dsa_65),     cmocka_unit_test(test_wycheproof_ml_dsa_87),
    };
    return cmocka_run_group_tests_name("crypto/vectors", tests, nullptr, nullptr);
}
