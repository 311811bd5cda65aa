// What becomes of a key exchange when its Secret is damaged, or when one of the keys is not the one it was.
#include "repair.h"

#include "crypto/kem.h"

static const char secret_is_lost[] = "shared_secret does not hold what was made any more";
static const char ciphertext_is_lost[] = "ciphertext does not hold what was made any more";

static const char *const algorithms[] = {"ML-KEM-512", "ML-KEM-768", "ML-KEM-1024"};
enum { ALGORITHM_COUNT = sizeof(algorithms) / sizeof(algorithms[0]), SOME = 1 };

static struct subject pair_of(const char *algorithm) {
    char spec[64];
    snprintf(spec, sizeof(spec), "{'algorithm':'%s'}", algorithm);
    struct subject s = subject_read(&kind_kem_key_pair, spec);
    subject_make(&s);
    return s;
}

static struct subject encapsulation(const struct subject *pair) {
    struct subject s = subject_read(&kind_encapsulate_secret, "{'publicKeyRef':{'name':'pair'}}");
    subject_give_secret(&s, 0, pair->provenance.algorithm, entry_of(pair, "public_key"));
    subject_make(&s);
    return s;
}

// ---- encapsulations

// They are the same as they were, and belong together.
static void assert_kept(const struct subject *s, const struct subject *pair,
                        const struct secret_data *whole) {
    assert_true(entry_is(s, "shared_secret", secret_data_get(whole, "shared_secret")));
    assert_true(entry_is(s, "ciphertext", secret_data_get(whole, "ciphertext")));
    assert_string_equal(status_text(s, "publicKeyDigest"), pair->report.digest);
}

static void what_was_made_outlives_damage_to_the_metadata(void **) {
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        cleanup_subject struct subject pair = pair_of(algorithms[i]);
        for (int damage = 0; damage < DAMAGE_COUNT; damage++) {
            for (int recorded = 0; recorded < 2; recorded++) {
                cleanup_subject struct subject s = encapsulation(&pair);
                cleanup_subject struct subject other = encapsulation(&pair);
                cleanup_secret_data struct secret_data whole = {0};
                copy_data(&s.data, &whole);
                s.context.previous_is_current = true;
                if (recorded == 1) {
                    subject_remember(&s, &s, true);
                }
                damage_entry(&s, "metadata", (enum damage)damage, &other);
                if (damage == OF_ANOTHER && recorded == 0) { // whose word is all that there is
                    assert_not_repaired(&s, true, ERROR_KEY_LOST, secret_is_lost);
                    continue;
                }
                subject_repair(&s, damage == OF_ANOTHER || damage == LENGTHENED);
                assert_kept(&s, &pair, &whole);
            }
        }
    }
}

static void a_shared_secret_is_not_to_be_had_again(void **) {
    cleanup_subject struct subject pair = pair_of(algorithms[SOME]);
    for (int damage = 0; damage < DAMAGE_COUNT; damage++) {
        cleanup_subject struct subject s = encapsulation(&pair);
        cleanup_subject struct subject other = encapsulation(&pair);
        subject_remember(&s, &s, true);
        damage_entry(&s, "shared_secret", (enum damage)damage, &other);
        assert_not_repaired(&s, true, ERROR_KEY_LOST, secret_is_lost);
        assert_not_repaired(&s, false, ERROR_KEY_LOST, secret_is_lost); // by the status
        subject_forget(&s);
        assert_not_repaired(&s, true, ERROR_KEY_LOST, secret_is_lost); // by the metadata
    }
}

static void the_status_has_the_ciphertext_still(void **) {
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        cleanup_subject struct subject pair = pair_of(algorithms[i]);
        for (int damage = 0; damage < DAMAGE_COUNT; damage++) {
            for (int with_metadata = 0; with_metadata < 2; with_metadata++) {
                cleanup_subject struct subject s = encapsulation(&pair);
                cleanup_subject struct subject other = encapsulation(&pair);
                cleanup_secret_data struct secret_data whole = {0};
                copy_data(&s.data, &whole);
                subject_remember(&s, &s, true);
                damage_entry(&s, "ciphertext", (enum damage)damage, &other);
                subject_repair(&s, with_metadata == 1);
                assert_kept(&s, &pair, &whole);
            }
        }
    }
}

static void without_its_ciphertext_a_shared_secret_is_lost(void **) {
    cleanup_subject struct subject pair = pair_of(algorithms[SOME]);
    for (int damage = 0; damage < DAMAGE_COUNT; damage++) {
        cleanup_subject struct subject s = encapsulation(&pair);
        cleanup_subject struct subject other = encapsulation(&pair);
        s.context.previous_is_current = true;
        damage_entry(&s, "ciphertext", (enum damage)damage, &other);
        assert_not_repaired(&s, true, ERROR_KEY_LOST, ciphertext_is_lost);
    }
}

// Wherever it comes from, it must be the one.
static void another_ciphertext_in_the_status_is_refused(void **) {
    cleanup_subject struct subject pair = pair_of(algorithms[SOME]);
    cleanup_subject struct subject s = encapsulation(&pair);
    cleanup_subject struct subject other = encapsulation(&pair);
    cleanup_subject struct subject longer_pair = pair_of("ML-KEM-1024");
    cleanup_subject struct subject longer = encapsulation(&longer_pair);
    cleanup_secret_data struct secret_data whole = {0};
    copy_data(&s.data, &whole);
    subject_remember(&s, &s, true);
    secret_free(remove_entry(&s, "ciphertext"));
    const char *const bad[] = {status_text(&other, "ciphertext"), status_text(&longer, "ciphertext"), "",
                               "no digits", "00"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        s.context.record.ciphertext = bad[i];
        assert_not_repaired(&s, true, ERROR_KEY_LOST, ciphertext_is_lost);  // by the metadata
        assert_not_repaired(&s, false, ERROR_KEY_LOST, ciphertext_is_lost); // by the status's digest
        s.context.record.digest = "";
        assert_not_repaired(&s, true, ERROR_KEY_LOST, ciphertext_is_lost);
        s.context.record.digest = s.recorded[1];
    }
    s.context.record.ciphertext = s.recorded[3];
    subject_repair(&s, true);
    assert_kept(&s, &pair, &whole);
}

// One wrong digest in the metadata is no loss: the status proves both.
static void a_wrong_digest_of_either_is_outvoted_by_the_status(void **) {
    static const char *const entries[] = {"\"shared_secret\":\"sha256:", "\"ciphertext\":\"sha256:"};
    cleanup_subject struct subject pair = pair_of(algorithms[SOME]);
    for (size_t i = 0; i < 2; i++) {
        cleanup_subject struct subject s = encapsulation(&pair);
        cleanup_secret_data struct secret_data whole = {0};
        copy_data(&s.data, &whole);
        subject_remember(&s, &s, true);
        const struct secret *metadata = secret_data_get(&s.data, "metadata");
        char *text = (char *)secret_view(metadata);
        char *at = memmem(text, secret_length(metadata), entries[i], strlen(entries[i]));
        assert_non_null(at);
        at += strlen(entries[i]);
        *at = *at == '0' ? '1' : '0';
        subject_repair(&s, true);
        assert_kept(&s, &pair, &whole);
    }
}

// It was made anew, and the process ended before the status said so: the ciphertext in that is the one
// before.
static void a_status_of_the_output_before_is_no_help(void **) {
    cleanup_subject struct subject pair = pair_of(algorithms[SOME]);
    cleanup_subject struct subject before = encapsulation(&pair);
    cleanup_subject struct subject s = encapsulation(&pair);
    subject_remember(&s, &before, true);
    secret_free(remove_entry(&s, "ciphertext"));
    assert_not_repaired(&s, true, ERROR_KEY_LOST, ciphertext_is_lost);
}

// The same, and the metadata has lost its word on the ciphertext: what it says of the shared secret proves
// nothing of an older ciphertext.
static void nor_is_it_where_the_metadata_is_silent(void **) {
    static const char entry[] = "\"ciphertext\":\"sha256:";
    cleanup_subject struct subject pair = pair_of(algorithms[SOME]);
    cleanup_subject struct subject before = encapsulation(&pair);
    cleanup_subject struct subject s = encapsulation(&pair);
    subject_remember(&s, &before, true);
    secret_free(remove_entry(&s, "ciphertext"));
    const struct secret *metadata = secret_data_get(&s.data, "metadata");
    char *at = memmem(secret_view(metadata), secret_length(metadata), entry, strlen(entry));
    assert_non_null(at);
    at[1] = 'C';
    assert_not_repaired(&s, true, ERROR_KEY_LOST, ciphertext_is_lost);
}

// Without metadata nothing in the Secret tells for whom it was made: what would be written of that must be
// true.
static void for_whom_it_was_made_must_be_known(void **) {
    char message[300];
    cleanup_subject struct subject pair = pair_of(algorithms[SOME]);
    cleanup_subject struct subject other = pair_of(algorithms[SOME]);
    cleanup_subject struct subject s = encapsulation(&pair);
    cleanup_secret_data struct secret_data whole = {0};
    copy_data(&s.data, &whole);
    // The status says so.
    subject_remember(&s, &s, false);
    subject_repair(&s, false);
    assert_kept(&s, &pair, &whole);
    // The key is another one now.
    subject_give_secret(&s, 0, algorithms[SOME], entry_of(&other, "public_key"));
    snprintf(message, sizeof(message), "it was made for the public key %s, and spec.publicKeyRef is now %s",
             pair.report.digest, other.report.digest);
    assert_not_repaired(&s, false, ERROR_KEY_LOST, message);
    // Nobody says anything.
    subject_forget(&s);
    snprintf(message, sizeof(message),
             "neither the Secret's metadata nor the status tells that it was made for the public key %s; "
             "nothing was written. Restore the metadata, or remove the Secret to have another one made",
             other.report.digest);
    assert_not_repaired(&s, false, ERROR_KEY_MISMATCH, message);
    // Where nothing is left it is lost, whomever it was for.
    secret_data_done(&s.data);
    assert_not_repaired(&s, false, ERROR_KEY_LOST, secret_is_lost);
}

static void a_key_that_cannot_be_read_loses_nothing(void **) {
    struct error e;
    cleanup_subject struct subject pair = pair_of(algorithms[SOME]);
    cleanup_subject struct subject s = encapsulation(&pair);
    subject_remember(&s, &s, true);
    secret_free(remove_entry(&s, "ciphertext"));
    subject_give(&s, 0, nullptr, "no key", 6);
    must_fail(subject_try_repair(&s, true, &e), e, ERROR_INVALID_SPEC, "spec.publicKeyRef: ");
}

static void out_of_memory_is_no_loss(void **) {
    cleanup_subject struct subject pair = pair_of(algorithms[SOME]);
    cleanup_subject struct subject s = encapsulation(&pair);
    subject_remember(&s, &s, false);
    assert_repair_survives_lack_of_memory(&s, true, ERROR_NONE);
    assert_repair_survives_lack_of_memory(&s, false, ERROR_NONE);
    secret_free(remove_entry(&s, "ciphertext")); // which the status has
    assert_repair_survives_lack_of_memory(&s, true, ERROR_NONE);
    assert_repair_survives_lack_of_memory(&s, false, ERROR_NONE);
}

// ---- decapsulations: whether a ciphertext is for a key, the result of opening it does not tell

enum { PRIVATE_KEY, CIPHERTEXT };

static struct subject decapsulation(const struct subject *pair, const struct subject *sealed) {
    struct subject s = subject_read(&kind_decapsulate_secret,
                                    "{'privateKeyRef':{'name':'pair'},'ciphertextRef':{'name':'sealed'}}");
    subject_give_secret(&s, PRIVATE_KEY, pair->provenance.algorithm, entry_of(pair, "private_key"));
    subject_give_secret(&s, CIPHERTEXT, sealed->provenance.algorithm, entry_of(sealed, "ciphertext"));
    return s;
}

static void assert_not_made(struct subject *s, const char *message) {
    struct error e = {0};
    assert_false(subject_try_make(s, &e));
    assert_string_equal(e.message, message);
    assert_int_equal(e.class, ERROR_KEY_MISMATCH);
    assert_int_equal(s->data.count, 0);
}

static void format_made_for(const struct subject *sealed, const struct subject *pair, char *message,
                            size_t size) {
    snprintf(message, size,
             "spec.ciphertextRef: the ciphertext was made for the public key %s, and the private key of "
             "spec.privateKeyRef belongs to %s; refer to a pair of both. Nothing was made",
             status_text(sealed, "publicKeyDigest"), pair->report.digest);
}

// has_output: there is one, of which at least the metadata can be read.
static void format_changed(const struct subject *pair, bool has_output, char *message, size_t size) {
    snprintf(message, size,
             "spec.privateKeyRef: the private key is another one than before, now that of the public key %s, "
             "and nothing tells that the ciphertext was made for it. %s. Restore the private key; "
             "or, to decapsulate with the new one, refer to a ciphertext that was made for it",
             pair->report.digest, has_output ? "What was made before stays" : "Nothing was made");
}

static void a_ciphertext_of_ours_is_opened_by_its_key_only(void **) {
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        char message[600];
        cleanup_subject struct subject pair = pair_of(algorithms[i]);
        cleanup_subject struct subject other = pair_of(algorithms[i]);
        cleanup_subject struct subject sealed = encapsulation(&pair);
        cleanup_subject struct subject right = decapsulation(&pair, &sealed);
        right.inputs[CIPHERTEXT].made_for = status_text(&sealed, "publicKeyDigest");
        subject_make(&right);
        assert_true(same_entry(&right, "shared_secret", &sealed, "shared_secret"));
        // At the first making already, and whether the spec is new or not.
        cleanup_subject struct subject wrong = decapsulation(&other, &sealed);
        wrong.inputs[CIPHERTEXT].made_for = status_text(&sealed, "publicKeyDigest");
        format_made_for(&sealed, &other, message, sizeof(message));
        assert_not_made(&wrong, message);
        wrong.inputs[PRIVATE_KEY].is_of_old_origin = true;
        assert_not_made(&wrong, message);
        subject_remember(&wrong, &right, true);
        assert_not_made(&wrong, message);
    }
}

// Nor does it matter then what was before.
static void a_ciphertext_of_ours_follows_its_key(void **) {
    cleanup_subject struct subject old_pair = pair_of(algorithms[SOME]);
    cleanup_subject struct subject old_sealed = encapsulation(&old_pair);
    cleanup_subject struct subject before = decapsulation(&old_pair, &old_sealed);
    subject_make(&before);
    cleanup_subject struct subject pair = pair_of(algorithms[SOME]);
    cleanup_subject struct subject sealed = encapsulation(&pair);
    cleanup_subject struct subject s = decapsulation(&pair, &sealed);
    s.inputs[CIPHERTEXT].made_for = status_text(&sealed, "publicKeyDigest");
    s.inputs[PRIVATE_KEY].is_of_old_origin = true;
    subject_remember(&s, &before, false);
    s.context.previous_provenance = &before.provenance;
    subject_make(&s);
    s.context.previous_provenance = nullptr;
    assert_true(same_entry(&s, "shared_secret", &sealed, "shared_secret"));
    assert_string_equal(status_text(&s, "publicKeyDigest"), pair.report.digest);
}

// Who knows which private key it was before.
enum knowledge { NOBODY, THE_METADATA, BRIEF_METADATA, THE_STATUS, KNOWLEDGE_COUNT };

// Lets s be the next one after before.
static void follow(struct subject *s, const struct subject *before, enum knowledge knowledge,
                   struct provenance *provenance) {
    *provenance = before->provenance;
    if (knowledge == BRIEF_METADATA) {
        for (size_t i = 0; i < provenance->input_count; i++) {
            char fingerprint[FINGERPRINT_SIZE];
            fingerprint_of_digest(provenance->inputs[i].digest, fingerprint);
            memcpy(provenance->inputs[i].digest, fingerprint, sizeof(fingerprint));
        }
    }
    bool is_read = knowledge == THE_METADATA || knowledge == BRIEF_METADATA;
    s->context.previous_provenance = is_read ? provenance : nullptr;
    if (knowledge == THE_STATUS) {
        subject_remember(s, before, false);
    }
}

static void a_foreign_ciphertext_stays_with_its_key(void **) {
    for (int knowledge = 0; knowledge < KNOWLEDGE_COUNT; knowledge++) {
        for (int is_inline = 0; is_inline < 2; is_inline++) {
            char message[600];
            char spec[4000];
            struct provenance provenance;
            cleanup_subject struct subject pair = pair_of(algorithms[SOME]);
            cleanup_subject struct subject other = pair_of(algorithms[SOME]);
            cleanup_subject struct subject sealed = encapsulation(&pair);
            cleanup_subject struct subject before = decapsulation(&pair, &sealed);
            cleanup_subject struct subject s = decapsulation(&other, &sealed);
            if (is_inline == 1) {
                snprintf(spec, sizeof(spec), "{'privateKeyRef':{'name':'pair'},'ciphertext':'%s'}",
                         status_text(&sealed, "ciphertext"));
                subject_free(&before);
                subject_free(&s);
                before = subject_read(&kind_decapsulate_secret, spec);
                s = subject_read(&kind_decapsulate_secret, spec);
                subject_give_secret(&before, PRIVATE_KEY, algorithms[SOME], entry_of(&pair, "private_key"));
                subject_give_secret(&s, PRIVATE_KEY, algorithms[SOME], entry_of(&other, "private_key"));
            }
            subject_make(&before);
            follow(&s, &before, (enum knowledge)knowledge, &provenance);
            // It was lost and made again under the same name.
            s.inputs[PRIVATE_KEY].is_of_old_origin = true;
            s.inputs[CIPHERTEXT].is_of_old_origin = true;
            if (knowledge == NOBODY) {
                subject_make(&s);
            } else {
                format_changed(&other, s.context.previous_provenance != nullptr, message, sizeof(message));
                assert_not_made(&s, message);
            }
            // Somebody has referred to another one, or to another ciphertext.
            s.inputs[CIPHERTEXT].is_of_old_origin = false;
            if (is_inline == 0) {
                subject_make(&s);
            }
            s.inputs[CIPHERTEXT].is_of_old_origin = true;
            s.inputs[PRIVATE_KEY].is_of_old_origin = false;
            subject_make(&s);
            assert_string_equal(status_text(&s, "publicKeyDigest"), other.report.digest);
            // It is the same one, and was restored.
            subject_give_secret(&s, PRIVATE_KEY, algorithms[SOME], entry_of(&pair, "private_key"));
            s.inputs[PRIVATE_KEY].is_of_old_origin = true;
            subject_make(&s);
            assert_true(same_entry(&s, "shared_secret", &sealed, "shared_secret"));
            s.context.previous_provenance = nullptr;
        }
    }
}

// What is stored is of the key that there is: whoever inspects it says whose.
static void the_status_names_the_key_of_what_is_stored(void **) {
    struct error e;
    cleanup_subject struct subject pair = pair_of(algorithms[SOME]);
    cleanup_subject struct subject sealed = encapsulation(&pair);
    cleanup_subject struct subject s = decapsulation(&pair, &sealed);
    subject_make(&s);
    assert_sound(&s);
    assert_string_equal(status_text(&s, "publicKeyDigest"), pair.report.digest);
    assert_string_equal(s.report.digest, "");
    // Without a key nothing is said.
    subject_give(&s, PRIVATE_KEY, algorithms[SOME], "no key", 6);
    must_fail(subject_inspect(&s, &e), e, ERROR_CRYPTO,
              "the Secret holds a shared secret of ML-KEM-768: a private key of ML-KEM-768 has 2400 bytes");
}

static void out_of_memory_is_no_mismatch(void **) {
    struct provenance provenance;
    cleanup_subject struct subject pair = pair_of(algorithms[SOME]);
    cleanup_subject struct subject sealed = encapsulation(&pair);
    cleanup_subject struct subject before = decapsulation(&pair, &sealed);
    cleanup_subject struct subject s = decapsulation(&pair, &sealed);
    subject_make(&before);
    follow(&s, &before, THE_METADATA, &provenance);
    s.inputs[PRIVATE_KEY].is_of_old_origin = true;
    assert_survives_lack_of_memory(&s);
    s.inputs[CIPHERTEXT].made_for = status_text(&sealed, "publicKeyDigest");
    assert_survives_lack_of_memory(&s);
    s.context.previous_provenance = nullptr;
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_made_outlives_damage_to_the_metadata),
        cmocka_unit_test(a_shared_secret_is_not_to_be_had_again),
        cmocka_unit_test(the_status_has_the_ciphertext_still),
        cmocka_unit_test(a_wrong_digest_of_either_is_outvoted_by_the_status),
        cmocka_unit_test(a_status_of_the_output_before_is_no_help),
        cmocka_unit_test(nor_is_it_where_the_metadata_is_silent),
        cmocka_unit_test(without_its_ciphertext_a_shared_secret_is_lost),
        cmocka_unit_test(another_ciphertext_in_the_status_is_refused),
        cmocka_unit_test(for_whom_it_was_made_must_be_known),
        cmocka_unit_test(a_key_that_cannot_be_read_loses_nothing),
        cmocka_unit_test(out_of_memory_is_no_loss),
        cmocka_unit_test(a_ciphertext_of_ours_is_opened_by_its_key_only),
        cmocka_unit_test(a_ciphertext_of_ours_follows_its_key),
        cmocka_unit_test(a_foreign_ciphertext_stays_with_its_key),
        cmocka_unit_test(the_status_names_the_key_of_what_is_stored),
        cmocka_unit_test(out_of_memory_is_no_mismatch),
    };
    return cmocka_run_group_tests_name("kinds/kem_secret_repair", tests, nullptr, no_secret_is_left);
}
