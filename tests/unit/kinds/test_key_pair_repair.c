// What becomes of a key pair's Secret that somebody has damaged: the private key stays, whatever was lost
// besides.
#include "repair.h"

#include "crypto/kem.h"
#include "crypto/keyform.h"
#include "crypto/signature.h"

static const struct sort {
    const struct kind *kind;
    enum algorithm_family family;
    const char *algorithm;
    bool is_whole_in_either_form; // the raw form has the seed
} sorts[] = {
    {&kind_kem_key_pair, ALGORITHM_KEM, "ML-KEM-512", false},
    {&kind_kem_key_pair, ALGORITHM_KEM, "ML-KEM-768", false},
    {&kind_kem_key_pair, ALGORITHM_KEM, "ML-KEM-1024", false},
    {&kind_signature_key_pair, ALGORITHM_SIGNATURE, "ML-DSA-44", false},
    {&kind_signature_key_pair, ALGORITHM_SIGNATURE, "ML-DSA-65", false},
    {&kind_signature_key_pair, ALGORITHM_SIGNATURE, "ML-DSA-87", false},
    {&kind_signature_key_pair, ALGORITHM_SIGNATURE, "SLH-DSA-SHA2-128f", true},
};
enum { SORT_COUNT = sizeof(sorts) / sizeof(sorts[0]), OF_SLH_DSA = SORT_COUNT - 1, OF_ML_KEM = 1 };

static const char seed_is_lost[] = "the seed of the private key is lost: private_key.pem has the expanded "
                                   "key, which not every program reads";
static const char key_is_lost[] = "neither private_key.pem nor private_key holds the private key any more";

static struct subject made(const struct sort *sort) {
    char spec[64];
    snprintf(spec, sizeof(spec), "{'algorithm':'%s'}", sort->algorithm);
    struct subject s = subject_read(sort->kind, spec);
    subject_make(&s);
    return s;
}

static bool is_private(const char *key) {
    return strncmp(key, "private_key", strlen("private_key")) == 0;
}

// The message that two keys are refused with. recorded: the status's fingerprint, or "".
static void format_mismatch(const char *of_pem, const char *of_raw, const char *recorded, char *message,
                            size_t size) {
    snprintf(message, size,
             "the Secret's entries private_key.pem and private_key hold two different private keys, of the "
             "public keys %s and %s%s%s; nothing was written. Decide which of them is right, and remove or "
             "empty the "
             "other entry: the operator then rebuilds it",
             of_pem, of_raw, recorded[0] == '\0' ? "" : "; the status has recorded ", recorded);
}

// The PEM holds the raw key.
static void assert_reads_back(const struct subject *s, const struct sort *sort) {
    struct error e;
    cleanup_pkey struct pkey *pkey = nullptr;
    cleanup_secret struct secret *raw = nullptr;
    const struct secret *pem = entry_of(s, "private_key.pem");
    must(keyform_read_private(algorithm_find(sort->family, sort->algorithm), secret_view(pem),
                              secret_length(pem), &pkey, &e),
         e);
    must(pkey_private(pkey, &raw, &e), e);
    assert_true(entry_is(s, "private_key", raw));
    must(sort->family == ALGORITHM_KEM ? kem_check_pair(pkey, &e) : signature_check_pair(pkey, &e), e);
}

// All that there was, byte by byte; without a seed the PEM is another one, of the same key.
static void assert_same_pair(const struct subject *s, const struct sort *sort,
                             const struct secret_data *whole, bool has_seed) {
    for (const char *const *key = sort->kind->entries; *key != nullptr; key++) {
        if (has_seed || strcmp(*key, "private_key.pem") != 0) {
            assert_true(entry_is(s, *key, secret_data_get(whole, *key)));
        } else {
            assert_false(entry_is(s, *key, secret_data_get(whole, *key)));
        }
    }
    assert_reads_back(s, sort);
    if (has_seed) {
        assert_null(s->report.warning);
    } else {
        assert_string_equal(s->report.warning, seed_is_lost);
    }
}

// ---- one entry

// The PEM of a damaged entry may still be read: a line end more or less is no harm.
static bool keeps_seed(const struct sort *sort, const char *key, enum damage damage) {
    return sort->is_whole_in_either_form || strcmp(key, "private_key.pem") != 0 || damage == CUT ||
           damage == LENGTHENED;
}

static void repair_one(const struct sort *sort, const char *key, enum damage damage, bool with_metadata,
                       bool is_recorded) {
    cleanup_subject struct subject s = made(sort);
    cleanup_subject struct subject other = made(sort);
    cleanup_secret_data struct secret_data whole = {0};
    copy_data(&s.data, &whole);
    if (is_recorded) {
        subject_remember(&s, &s, true);
    }
    if (!with_metadata) {
        secret_free(remove_entry(&s, "metadata"));
    }
    damage_entry(&s, key, damage, &other);
    if (damage == OF_ANOTHER && is_private(key)) {
        char message[600];
        bool is_raw = strcmp(key, "private_key") == 0;
        format_mismatch(is_raw ? s.report.fingerprint : other.report.fingerprint,
                        is_raw ? other.report.fingerprint : s.report.fingerprint,
                        s.context.record.fingerprint, message, sizeof(message));
        assert_not_repaired(&s, with_metadata, ERROR_KEY_MISMATCH, message);
        assert_true(same_entry(&s, key, &other, key)); // nothing was written
        return;
    }
    subject_repair(&s, with_metadata);
    assert_same_pair(&s, sort, &whole, keeps_seed(sort, key, damage));
}

static void the_private_key_outlives_damage_to_one_entry(void **) {
    for (size_t i = 0; i < SORT_COUNT; i++) {
        for (const char *const *key = sorts[i].kind->entries; *key != nullptr; key++) {
            for (int damage = 0; damage < DAMAGE_COUNT; damage++) {
                repair_one(&sorts[i], *key, (enum damage)damage, true, true);
                repair_one(&sorts[i], *key, (enum damage)damage, false, true);
                repair_one(&sorts[i], *key, (enum damage)damage, false, false);
            }
        }
    }
}

// Nor does it matter what the metadata says, or that it is another pair's.
static void the_private_key_outlives_damage_to_the_metadata(void **) {
    for (size_t i = 0; i < SORT_COUNT; i++) {
        for (int damage = 0; damage < DAMAGE_COUNT; damage++) {
            cleanup_subject struct subject s = made(&sorts[i]);
            cleanup_subject struct subject other = made(&sorts[i]);
            cleanup_secret_data struct secret_data whole = {0};
            copy_data(&s.data, &whole);
            damage_entry(&s, "metadata", (enum damage)damage, &other);
            if (damage != LENGTHENED) { // by a line end, which JSON may have
                assert_damaged(&s, "");
            }
            subject_repair(&s, damage == OF_ANOTHER || damage == LENGTHENED);
            assert_same_pair(&s, &sorts[i], &whole, true);
        }
    }
}

// ---- what is left of all entries

static struct subject left_with(const struct sort *sort, const char *only, struct secret_data *whole) {
    struct subject s = made(sort);
    copy_data(&s.data, whole);
    for (const char *const *key = sort->kind->entries; *key != nullptr; key++) {
        if (strcmp(*key, only) != 0) {
            secret_free(remove_entry(&s, *key));
        }
    }
    secret_free(remove_entry(&s, "metadata"));
    return s;
}

static void the_raw_private_key_is_enough(void **) {
    for (size_t i = 0; i < SORT_COUNT; i++) {
        struct error e;
        cleanup_secret_data struct secret_data whole = {0};
        cleanup_subject struct subject s = left_with(&sorts[i], "private_key", &whole);
        subject_repair(&s, false);
        assert_same_pair(&s, &sorts[i], &whole, sorts[i].is_whole_in_either_form);
        // It is said each time that it is looked at, and it stays so whatever is lost next.
        must(subject_inspect(&s, &e), e);
        assert_same_pair(&s, &sorts[i], &whole, sorts[i].is_whole_in_either_form);
        secret_free(remove_entry(&s, "private_key"));
        subject_repair(&s, true);
        assert_same_pair(&s, &sorts[i], &whole, sorts[i].is_whole_in_either_form);
    }
}

static void the_pem_of_the_private_key_is_enough(void **) {
    for (size_t i = 0; i < SORT_COUNT; i++) {
        cleanup_secret_data struct secret_data whole = {0};
        cleanup_subject struct subject s = left_with(&sorts[i], "private_key.pem", &whole);
        subject_repair(&s, false);
        assert_same_pair(&s, &sorts[i], &whole, true);
    }
}

// When the seed comes back, from a backup, it is taken up again.
static void a_seed_may_come_back(void **) {
    for (size_t i = 0; i < SORT_COUNT; i++) {
        struct error e;
        struct secret *pem = nullptr;
        cleanup_secret_data struct secret_data whole = {0};
        cleanup_subject struct subject s = left_with(&sorts[i], "private_key", &whole);
        subject_repair(&s, false);
        const struct secret *lost = secret_data_get(&whole, "private_key.pem");
        must(secret_copy(secret_view(lost), secret_length(lost), &pem, &e), e);
        secret_free(remove_entry(&s, "private_key.pem"));
        must(secret_data_add(&s.data, "private_key.pem", pem, &e), e);
        subject_repair(&s, true);
        assert_same_pair(&s, &sorts[i], &whole, true);
    }
}

// Whatever form is found under whichever name: no seed is given up for the sake of order.
static void forms_may_have_changed_places(void **) {
    for (size_t i = 0; i < SORT_COUNT; i++) {
        cleanup_subject struct subject s = made(&sorts[i]);
        cleanup_secret_data struct secret_data whole = {0};
        copy_data(&s.data, &whole);
        cleanup_secret struct secret *raw = copy_entry(&s, "private_key");
        cleanup_secret struct secret *pem = copy_entry(&s, "private_key.pem");
        replace_entry(&s, "private_key", secret_view(pem), secret_length(pem));
        replace_entry(&s, "private_key.pem", secret_view(raw), secret_length(raw));
        assert_inspection_fails(&s, "");
        subject_repair(&s, true);
        assert_same_pair(&s, &sorts[i], &whole, true);
    }
}

static void without_either_form_the_key_is_lost(void **) {
    static const struct {
        enum damage raw;
        enum damage pem;
    } cases[] = {{REMOVED, REMOVED}, {EMPTIED, EMPTIED}, {CUT, REMOVED}, {LENGTHENED, EMPTIED}};
    for (size_t i = 0; i < SORT_COUNT; i++) {
        for (size_t j = 0; j < sizeof(cases) / sizeof(cases[0]); j++) {
            cleanup_subject struct subject s = made(&sorts[i]);
            subject_remember(&s, &s, true);
            damage_entry(&s, "private_key", cases[j].raw, nullptr);
            damage_entry(&s, "private_key.pem", cases[j].pem, nullptr);
            assert_not_repaired(&s, true, ERROR_KEY_LOST, key_is_lost);
            assert_not_repaired(&s, false, ERROR_KEY_LOST, key_is_lost);
        }
        // Nor is the key of another algorithm this one's.
        cleanup_subject struct subject s = made(&sorts[i]);
        cleanup_subject struct subject other = made(&sorts[i == 0 ? 1 : i == 3 ? 4 : i == 6 ? 5 : i - 1]);
        take_entry(&s, "private_key", &other);
        take_entry(&s, "private_key.pem", &other);
        assert_not_repaired(&s, true, ERROR_KEY_LOST, key_is_lost);
        // And nothing at all is nothing.
        secret_data_done(&s.data);
        assert_not_repaired(&s, false, ERROR_KEY_LOST, key_is_lost);
    }
}

// ---- which of two

// Both forms of another pair: that is a key, and which one is told by whoever compares the fingerprints.
static void all_of_another_private_key_is_a_private_key(void **) {
    for (size_t i = 0; i < SORT_COUNT; i++) {
        cleanup_subject struct subject s = made(&sorts[i]);
        cleanup_subject struct subject other = made(&sorts[i]);
        subject_remember(&s, &s, true);
        take_entry(&s, "private_key", &other);
        take_entry(&s, "private_key.pem", &other);
        subject_repair(&s, true);
        assert_same_pair(&s, &sorts[i], &other.data, true);
        assert_string_equal(s.report.digest, other.report.digest);
        assert_string_not_equal(s.report.digest, s.context.record.digest);
    }
}

static void change_seed(struct subject *s, const char *key, size_t position) {
    if (strcmp(key, "private_key") == 0) {
        change_byte(s, key, position);
        return;
    }
    struct error e;
    cleanup_pkey struct pkey *pkey = nullptr;
    cleanup_secret struct secret *raw = copy_entry(s, "private_key");
    cleanup_secret struct secret *pem = nullptr;
    const struct algorithm *algorithm = algorithm_find(ALGORITHM_SIGNATURE, sorts[OF_SLH_DSA].algorithm);
    secret_bytes(raw)[position] ^= 1;
    must(pkey_from_private(algorithm, secret_view(raw), secret_length(raw), &pkey, &e), e);
    must(pkey_private_pem(pkey, &pem, &e), e);
    replace_entry(s, key, secret_view(pem), secret_length(pem));
}

// FIPS 205: any 64 bytes can be read as a private key, of which the first 16 must lead to the root.
static void of_two_forms_only_one_may_be_a_pair(void **) {
    static const char *const keys[] = {"private_key", "private_key.pem"};
    for (size_t i = 0; i < 2; i++) {
        cleanup_subject struct subject s = made(&sorts[OF_SLH_DSA]);
        cleanup_secret_data struct secret_data whole = {0};
        copy_data(&s.data, &whole);
        change_seed(&s, keys[i], 3);
        subject_repair(&s, true);
        assert_same_pair(&s, &sorts[OF_SLH_DSA], &whole, true);
        // With the other one gone nothing is made, nor thrown away: a check may fail for other reasons.
        change_seed(&s, keys[i], 3);
        secret_free(remove_entry(&s, keys[1 - i]));
        assert_not_repaired(
            &s, true, ERROR_CRYPTO,
            "what is left of the private key; remove private_key.pem and private_key to have a new one made: "
            "checking a key pair of SLH-DSA-SHA2-128f: OpenSSL gave no reason");
    }
}

static void of_two_forms_none_may_be_a_pair(void **) {
    char message[600];
    cleanup_subject struct subject s = made(&sorts[OF_SLH_DSA]);
    change_seed(&s, "private_key.pem", 5);
    change_seed(&s, "private_key", 3);
    format_mismatch(s.report.fingerprint, s.report.fingerprint, "", message, sizeof(message));
    assert_not_repaired(&s, true, ERROR_KEY_MISMATCH, message);
}

// FIPS 203: the last 32 bytes of a private key are any bytes, of which what is said to a wrong ciphertext
// follows.
static void keys_of_one_public_key_may_differ(void **) {
    char message[600];
    cleanup_subject struct subject s = made(&sorts[OF_ML_KEM]);
    subject_remember(&s, &s, true);
    change_byte(&s, "private_key", secret_length(entry_of(&s, "private_key")) - 1);
    format_mismatch(s.report.fingerprint, s.report.fingerprint, s.report.fingerprint, message,
                    sizeof(message));
    assert_not_repaired(&s, true, ERROR_KEY_MISMATCH, message);
}

// ---- no memory

static void out_of_memory_is_no_loss(void **) {
    static const size_t some[] = {OF_ML_KEM, 3, OF_SLH_DSA};
    for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
        const struct sort *sort = &sorts[some[i]];
        cleanup_subject struct subject s = made(sort);
        cleanup_subject struct subject other = made(sort);
        secret_free(remove_entry(&s, "public_key"));
        assert_repair_survives_lack_of_memory(&s, true, ERROR_NONE);
        secret_free(remove_entry(&s, "private_key"));
        assert_repair_survives_lack_of_memory(&s, true, ERROR_NONE);
        take_entry(&s, "private_key.pem", &other);
        assert_repair_survives_lack_of_memory(&s, false, ERROR_NONE);
        cleanup_subject struct subject raw = made(sort);
        secret_free(remove_entry(&raw, "private_key.pem"));
        assert_repair_survives_lack_of_memory(&raw, true, ERROR_NONE);
        cleanup_subject struct subject two = made(sort);
        take_entry(&two, "private_key", &other);
        assert_repair_survives_lack_of_memory(&two, true, ERROR_KEY_MISMATCH);
    }
}

// What is left is a key, and not the one that the status has recorded: it is neither taken nor overwritten.
static void a_key_that_is_not_the_recorded_one_is_not_taken(void **) {
    cleanup_subject struct subject s = subject_read(&kind_kem_key_pair, "{}");
    cleanup_subject struct subject other = subject_read(&kind_kem_key_pair, "{}");
    struct error e;
    char message[500];
    subject_make(&s);
    subject_make(&other);
    cleanup_text char *pem = memory_copy_text(status_text(&s, "publicKeyPEM"));
    snprintf(
        message, sizeof(message),
        "the Secret is damaged, and the private key that it still holds is not the one that the status has "
        "recorded: it is that of the public key %s, not of %s; nothing was written. Restore the whole "
        "Secret; or, to have another key made, delete the Secret",
        other.report.fingerprint, s.report.fingerprint);
    s.context.record.public_key_pem = pem;
    take_entry(&s, "private_key", &other);
    secret_free(remove_entry(&s, "private_key.pem"));
    assert_false(subject_try_repair(&s, true, &e));
    assert_int_equal(e.class, ERROR_KEY_MISMATCH);
    assert_string_equal(e.message, message);
    take_entry(&other, "public_key", &s);
    cleanup_text char *own = memory_copy_text(status_text(&other, "publicKeyPEM"));
    other.context.record.public_key_pem = own;
    must(subject_try_repair(&other, true, &e), e);
    other.context.record.public_key_pem = "no key";
    must(subject_try_repair(&other, false, &e), e);
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_that_is_not_the_recorded_one_is_not_taken),
        cmocka_unit_test(the_private_key_outlives_damage_to_one_entry),
        cmocka_unit_test(the_private_key_outlives_damage_to_the_metadata),
        cmocka_unit_test(the_raw_private_key_is_enough),
        cmocka_unit_test(the_pem_of_the_private_key_is_enough),
        cmocka_unit_test(a_seed_may_come_back),
        cmocka_unit_test(forms_may_have_changed_places),
        cmocka_unit_test(without_either_form_the_key_is_lost),
        cmocka_unit_test(all_of_another_private_key_is_a_private_key),
        cmocka_unit_test(of_two_forms_only_one_may_be_a_pair),
        cmocka_unit_test(of_two_forms_none_may_be_a_pair),
        cmocka_unit_test(keys_of_one_public_key_may_differ),
        cmocka_unit_test(out_of_memory_is_no_loss),
    };
    return cmocka_run_group_tests_name("kinds/key_pair_repair", tests, nullptr, no_secret_is_left);
}
