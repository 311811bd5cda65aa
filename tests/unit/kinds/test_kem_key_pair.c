#include "support.h"

#include "crypto/kem.h"
#include "crypto/keyform.h"

static const struct kind *const kind = &kind_kem_key_pair;

static const struct {
    const char *spec;
    const char *algorithm;
} specs[] = {
    {"{'algorithm':'ML-KEM-512'}", "ML-KEM-512"},
    {"{'algorithm':'ML-KEM-768'}", "ML-KEM-768"},
    {"{'algorithm':'ML-KEM-1024'}", "ML-KEM-1024"},
    {"{'algorithm':'Kyber512'}", "ML-KEM-512"},
    {"{'algorithm':'Kyber768'}", "ML-KEM-768"},
    {"{'algorithm':'Kyber1024'}", "ML-KEM-1024"},
    {"{}", "ML-KEM-768"},
    {"{'algorithm':null}", "ML-KEM-768"},
    {"null", "ML-KEM-768"},
};
enum { SPEC_COUNT = sizeof(specs) / sizeof(specs[0]), ALGORITHM_COUNT = 3 };

static struct subject made(const char *spec) {
    struct subject s = subject_read(kind, spec);
    subject_make(&s);
    return s;
}

static void assert_length(const struct subject *s, const char *key, size_t length) {
    assert_int_equal(secret_length(entry_of(s, key)), length);
}

static void assert_pem(const struct subject *s, const char *key, const char *label) {
    char begin[64];
    char end[64];
    const struct secret *pem = entry_of(s, key);
    const char *text = (const char *)secret_view(pem);
    size_t length = secret_length(pem);
    snprintf(begin, sizeof(begin), "-----BEGIN %s-----\n", label);
    snprintf(end, sizeof(end), "\n-----END %s-----\n", label);
    assert_true(length > strlen(begin) + strlen(end));
    assert_memory_equal(text, begin, strlen(begin));
    assert_memory_equal(text + length - strlen(end), end, strlen(end));
    assert_null(memchr(text, '\0', length));
}

static void each_algorithm_has_its_pair(void **) {
    for (size_t i = 0; i < SPEC_COUNT; i++) {
        cleanup_subject struct subject s = made(specs[i].spec);
        const struct algorithm *algorithm = algorithm_find(ALGORITHM_KEM, specs[i].algorithm);
        assert_entries(&s);
        assert_string_equal(s.provenance.algorithm, specs[i].algorithm);
        assert_length(&s, "public_key", algorithm->public_key_size);
        assert_length(&s, "private_key", algorithm->private_key_size);
        assert_pem(&s, "public_key.pem", "PUBLIC KEY");
        assert_pem(&s, "private_key.pem", "PRIVATE KEY");
        assert_sound(&s);
    }
}

// FIPS 203 table 3, and RFC 9935's PEM of a seed.
static void the_sizes_are_those_of_the_standard(void **) {
    static const size_t sizes[ALGORITHM_COUNT][2] = {{800, 1632}, {1184, 2400}, {1568, 3168}};
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        cleanup_subject struct subject s = made(specs[i].spec);
        assert_length(&s, "public_key", sizes[i][0]);
        assert_length(&s, "private_key", sizes[i][1]);
        assert_in_range(secret_length(entry_of(&s, "private_key.pem")), 150,
                        200); // 64 bytes of seed, no more
    }
}

static void the_status_shows_the_public_key(void **) {
    cleanup_subject struct subject s = made("{}");
    const struct secret *raw = entry_of(&s, "public_key");
    const struct secret *pem = entry_of(&s, "public_key.pem");
    assert_public_digest(&s, raw);
    assert_true(secret_equals(pem, status_text(&s, "publicKeyPEM"), strlen(status_text(&s, "publicKeyPEM"))));
    assert_int_equal(yyjson_mut_obj_size(yyjson_mut_doc_get_root(s.report.status)), 1);
    assert_null(s.report.warning);
}

static void all_four_entries_are_the_same_key(void **) {
    struct error e;
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        cleanup_subject struct subject s = made(specs[i].spec);
        const struct algorithm *algorithm = algorithm_find(ALGORITHM_KEM, specs[i].algorithm);
        struct pkey *keys[4] = {nullptr};
        for (size_t j = 0; j < 4; j++) {
            const struct secret *entry = entry_of(&s, kind->entries[j]);
            bool is_private = strncmp(kind->entries[j], "private", 7) == 0;
            must((is_private ? keyform_read_private : keyform_read_public)(
                     algorithm, secret_view(entry), secret_length(entry), &keys[j], &e),
                 e);
            must(pkey_check_same(keys[0], keys[j], &e), e);
            if (is_private) {
                must(kem_check_pair(keys[j], &e), e);
            }
        }
        for (size_t j = 0; j < 4; j++) {
            pkey_free(keys[j]);
        }
    }
}

static void each_pair_is_another_one(void **) {
    cleanup_subject struct subject one = made("{}");
    cleanup_subject struct subject other = made("{}");
    for (const char *const *key = kind->entries; *key != nullptr; key++) {
        const struct secret *bytes = entry_of(&one, *key);
        assert_false(secret_equals(entry_of(&other, *key), secret_view(bytes), secret_length(bytes)));
    }
    assert_string_not_equal(one.report.fingerprint, other.report.fingerprint);
}

static void it_is_made_of_its_algorithm_alone(void **) {
    assert_null(kind->list_inputs);
    assert_null(kind->describe_parameters);
    assert_string_equal(kind->secret_suffix, "");
}

static void faults_are_told(void **) {
    static const char names[] = " is not one of ML-KEM-512, ML-KEM-768, ML-KEM-1024";
    static const char *const wrong[] = {"RSA", "ml-kem-768", "Kyber", "ML-DSA-65", "", "ML-KEM-768 "};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char spec[100];
        char message[300];
        snprintf(spec, sizeof(spec), "{'algorithm':'%s'}", wrong[i]);
        snprintf(message, sizeof(message), "spec.algorithm: %s%s", wrong[i], names);
        assert_faults(kind, spec, message);
    }
    assert_faults(kind, "{'algorithm':768,'secretName':5,'secretTemplate':{'labels':{'a':1}}}",
                  "spec.secretName: must be a text, not 5; "
                  "spec.secretTemplate.labels: the value of a must be a text, not 1; "
                  "spec.algorithm: must be a text, not 768");
}

// ---- damage

static void damage_is_found(void **) {
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        cleanup_subject struct subject s = made(specs[i].spec);
        assert_damage_is_found(&s);
        assert_bad_metadata_is_found(&s);
    }
}

// From here on the metadata does not say what the entries should be: the kind looks for itself.

static void a_missing_entry_is_found(void **) {
    struct error e;
    cleanup_subject struct subject s = made("{}");
    for (const char *const *key = kind->entries; *key != nullptr; key++) {
        char message[100];
        struct secret *entry = remove_entry(&s, *key);
        snprintf(message, sizeof(message), "the Secret's entry %s is missing", *key);
        assert_inspection_fails(&s, message);
        must(secret_data_add(&s.data, *key, entry, &e), e);
    }
    must(subject_inspect(&s, &e), e);
}

static void a_wrong_length_is_found(void **) {
    static const char zeros[4000];
    cleanup_subject struct subject s = made("{'algorithm':'ML-KEM-512'}");
    cleanup_subject struct subject good = made("{'algorithm':'ML-KEM-512'}");
    replace_entry(&s, "public_key", zeros, 799);
    assert_inspection_fails(&s, "the Secret's entry public_key has 799 bytes, not 800");
    replace_entry(&s, "public_key", zeros, 1184);
    assert_inspection_fails(&s, "the Secret's entry public_key has 1184 bytes, not 800");
    take_entry(&s, "public_key", &good);
    replace_entry(&s, "private_key", zeros, 1631);
    assert_inspection_fails(&s, "the Secret's entry private_key has 1631 bytes, not 1632");
    replace_entry(&s, "private_key", zeros, 2400);
    assert_inspection_fails(&s, "the Secret's entry private_key has 2400 bytes, not 1632");
    replace_entry(&s, "private_key", zeros, 0);
    assert_inspection_fails(&s, "the Secret's entry private_key has 0 bytes, not 1632");
}

// Every part of each entry: of the private key s, the public key in it, its hash, and the rejection value.
static void a_changed_byte_is_found(void **) {
    struct error e;
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        cleanup_subject struct subject s = made(specs[i].spec);
        for (size_t j = 0; j < 2; j++) {
            const char *key = j == 0 ? "public_key" : "private_key";
            size_t length = secret_length(entry_of(&s, key));
            const size_t positions[] = {0,           1,           length / 4,  length / 2,  length - 65,
                                        length - 64, length - 33, length - 32, length - 16, length - 1};
            for (size_t k = 0; k < sizeof(positions) / sizeof(positions[0]); k++) {
                change_byte(&s, key, positions[k]);
                assert_inspection_fails(&s, "");
                change_byte(&s, key, positions[k]);
            }
        }
        must(subject_inspect(&s, &e), e);
    }
}

// One character of base64 at a time, in the middle of a line.
static void a_changed_pem_is_found(void **) {
    struct error e;
    cleanup_subject struct subject s = made("{}");
    static const char *const keys[] = {"public_key.pem", "private_key.pem"};
    for (size_t i = 0; i < 2; i++) {
        size_t length = secret_length(entry_of(&s, keys[i]));
        for (size_t position = 40; position < length - 40; position += 13) {
            uint8_t *character = nullptr;
            for (size_t j = 0; j < s.data.count; j++) {
                if (strcmp(s.data.entries[j].key, keys[i]) == 0) {
                    character = secret_bytes(s.data.entries[j].value) + position;
                }
            }
            uint8_t before = *character;
            if (before == '\n') {
                continue;
            }
            *character = before == 'A' ? 'B' : 'A';
            assert_inspection_fails(&s, keys[i]);
            *character = before;
        }
    }
    must(subject_inspect(&s, &e), e);
}

static void a_part_of_another_pair_is_found(void **) {
    static const struct {
        unsigned entries; // those that are taken from the other pair, by their bits
        const char *part;
    } cases[] = {
        {0b0001, "the Secret's entry public_key: "},      {0b0010, "the Secret's entry public_key.pem: "},
        {0b0100, "the Secret's entry private_key.pem: "}, {0b1000, "the Secret's entry private_key.pem: "},
        {0b0011, "the Secret's entry public_key: "},      {0b1100, "the Secret's entry public_key: "},
        {0b0101, "the Secret's entry private_key.pem: "}, {0b1010, "the Secret's entry private_key.pem: "},
        {0b1001, "the Secret's entry private_key.pem: "}, {0b0110, "the Secret's entry private_key.pem: "},
        {0b0111, "the Secret's entry private_key.pem: "}, {0b1011, "the Secret's entry private_key.pem: "},
        {0b1101, "the Secret's entry public_key.pem: "},  {0b1110, "the Secret's entry public_key: "},
    };
    for (size_t algorithm = 0; algorithm < ALGORITHM_COUNT; algorithm++) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            cleanup_subject struct subject s = made(specs[algorithm].spec);
            cleanup_subject struct subject other = made(specs[algorithm].spec);
            for (size_t j = 0; j < 4; j++) {
                if ((cases[i].entries >> j & 1) != 0) {
                    take_entry(&s, kind->entries[j], &other);
                }
            }
            assert_inspection_fails(&s, cases[i].part);
        }
    }
}

// All of another pair is a pair; that it is not the one which was made, the metadata knows.
static void all_of_another_pair_is_found(void **) {
    struct error e;
    cleanup_subject struct subject s = made("{}");
    cleanup_subject struct subject other = made("{}");
    for (const char *const *key = kind->entries; *key != nullptr; key++) {
        take_entry(&s, *key, &other);
    }
    must(subject_inspect(&s, &e), e);
    assert_damaged(&s, "is not the one that its metadata was written for");
    change_metadata(&s, "digests", nullptr); // as if version 0.1.0 had written it
    assert_damaged(&s, "and its metadata says ");
}

static void a_pem_of_another_sort_is_found(void **) {
    cleanup_subject struct subject s = made("{}");
    cleanup_subject struct subject smaller = made("{'algorithm':'ML-KEM-512'}");
    cleanup_subject struct subject good = made("{}");
    take_entry(&s, "public_key.pem", &smaller);
    assert_inspection_fails(
        &s, "the Secret's entry public_key.pem: the key is of ML-KEM-512, ML-KEM-768 is wanted");
    const struct secret *pem = entry_of(&s, "private_key.pem");
    replace_entry(&s, "public_key.pem", secret_view(pem), secret_length(pem));
    assert_inspection_fails(&s, "the Secret's entry public_key.pem: the PEM block is \"PRIVATE KEY\"");
    take_entry(&good, "private_key.pem", &smaller);
    assert_inspection_fails(
        &good, "the Secret's entry private_key.pem: the key is of ML-KEM-512, ML-KEM-768 is wanted");
}

static void a_pair_of_another_algorithm_is_found(void **) {
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        for (size_t j = 0; j < ALGORITHM_COUNT; j++) {
            char message[100];
            cleanup_subject struct subject maker = made(specs[i].spec);
            cleanup_subject struct subject judge = subject_read(kind, specs[j].spec);
            judge.data = maker.data;
            maker.data = (struct secret_data){0};
            snprintf(message, sizeof(message), "the Secret holds a key pair of %s, not of %s",
                     specs[i].algorithm, specs[j].algorithm);
            if (i == j) {
                assert_sound(&judge);
            } else {
                assert_damaged(&judge, message);
                change_metadata(&judge, "algorithm", i == 0 ? "'ML-KEM-768'" : "'ML-KEM-512'");
                assert_damaged(&judge, "");
            }
        }
    }
    cleanup_subject struct subject s = made("{}");
    change_metadata(&s, "algorithm", "'Kyber768'"); // the canonical name is what we write
    assert_damaged(&s, "the Secret holds a key pair of Kyber768, not of ML-KEM-768");
}

static void out_of_memory_is_an_error_of_its_class(void **) {
    cleanup_subject struct subject s = subject_read(kind, "{}");
    assert_survives_lack_of_memory(&s);
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_algorithm_has_its_pair),
        cmocka_unit_test(the_sizes_are_those_of_the_standard),
        cmocka_unit_test(the_status_shows_the_public_key),
        cmocka_unit_test(all_four_entries_are_the_same_key),
        cmocka_unit_test(each_pair_is_another_one),
        cmocka_unit_test(it_is_made_of_its_algorithm_alone),
        cmocka_unit_test(faults_are_told),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(a_missing_entry_is_found),
        cmocka_unit_test(a_wrong_length_is_found),
        cmocka_unit_test(a_changed_byte_is_found),
        cmocka_unit_test(a_changed_pem_is_found),
        cmocka_unit_test(a_part_of_another_pair_is_found),
        cmocka_unit_test(all_of_another_pair_is_found),
        cmocka_unit_test(a_pem_of_another_sort_is_found),
        cmocka_unit_test(a_pair_of_another_algorithm_is_found),
        cmocka_unit_test(out_of_memory_is_an_error_of_its_class),
    };
    return cmocka_run_group_tests_name("kinds/kem_key_pair", tests, nullptr, no_secret_is_left);
}
