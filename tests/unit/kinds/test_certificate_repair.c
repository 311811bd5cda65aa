// What becomes of a certificate's Secret that somebody has damaged: the private key stays, and the
// certificate too where it is known to be the one that was made.
#include "certificates.h"

#include "crypto/certificate.h"
#include "crypto/keyform.h"

static const struct kind *const kind = &kind_certificate;

static const char key_is_lost[] = "neither tls.key nor key.pem holds the private key any more";

static bool is_private(const char *key) {
    return strcmp(key, "tls.key") == 0 || strcmp(key, "key.pem") == 0;
}

static void assert_same_key(const struct subject *s, const struct secret_data *whole) {
    const struct secret *key = secret_data_get(whole, "tls.key");
    assert_true(entry_is(s, "tls.key", key));
    assert_true(entry_is(s, "key.pem", key));
    assert_true(entry_is(s, "pub.pem", secret_data_get(whole, "pub.pem")));
}

// All of it is as it was, byte by byte.
static void assert_same(const struct subject *s, const struct secret_data *whole) {
    for (const char *const *key = kind->entries; *key != nullptr; key++) {
        assert_true(entry_is(s, *key, secret_data_get(whole, *key)));
    }
}

static void assert_reissued(const struct subject *s, const struct secret_data *whole) {
    assert_same_key(s, whole);
    assert_false(entry_is(s, "cert.pem", secret_data_get(whole, "cert.pem")));
    assert_false(entry_is(s, "tls.crt", secret_data_get(whole, "tls.crt")));
    assert_string_not_equal(s->report.digest, s->recorded[1]);
}

// The name of the public key, by what pub.pem holds.
static void public_fingerprint(const struct subject *s, char ret_fingerprint[FINGERPRINT_SIZE]) {
    struct error e;
    cleanup_pkey struct pkey *pkey = nullptr;
    cleanup_buffer struct buffer raw = buffer_create(10000);
    const struct secret *pem = entry_of(s, "pub.pem");
    must(keyform_read_any_public(ALGORITHM_SIGNATURE, secret_view(pem), secret_length(pem), &pkey, &e), e);
    must(pkey_public(pkey, &raw, &e), e);
    must(fingerprint_compute(raw.data, raw.length, ret_fingerprint, &e), e);
}

// ---- one entry

// What tells of the certificate, besides itself.
enum knowledge { BY_METADATA, BY_STATUS, BY_BOTH, BY_NOBODY, KNOWLEDGE_COUNT };

static void repair_one(const char *more, const struct subject *parent, const struct subject *other,
                       const char *key, enum damage damage, enum knowledge knowledge, bool is_current) {
    bool with_metadata = knowledge == BY_METADATA || knowledge == BY_BOTH;
    cleanup_subject struct subject s = made(more, parent);
    cleanup_secret_data struct secret_data whole = {0};
    copy_data(&s.data, &whole);
    subject_remember(&s, &s, is_current);
    if (knowledge == BY_METADATA || knowledge == BY_NOBODY) {
        subject_forget(&s);
    }
    damage_entry(&s, key, damage, other);
    if (damage == OF_ANOTHER && is_private(key)) {
        char message[600];
        char own[FINGERPRINT_SIZE];
        char its[FINGERPRINT_SIZE];
        public_fingerprint(&s, own);
        public_fingerprint(other, its);
        bool is_first = strcmp(key, "tls.key") == 0;
        snprintf(message, sizeof(message),
                 "the Secret's entries tls.key and key.pem hold two different private keys, of the public "
                 "keys %s and %s; nothing was written. Decide which of them is right, and remove or empty "
                 "the other "
                 "entry: the operator then rebuilds it. The certificate in cert.pem is for the key in %s",
                 is_first ? its : own, is_first ? own : its, is_first ? "key.pem" : "tls.key");
        assert_not_repaired(&s, with_metadata, ERROR_KEY_MISMATCH, message);
        return;
    }
    subject_repair(&s, with_metadata);
    if (is_current && knowledge != BY_NOBODY) {
        assert_same(&s, &whole);
        assert_string_equal(s.report.digest, s.recorded[1]);
    } else {
        assert_reissued(&s, &whole);
    }
}

static void repair_each(const char *more, const struct subject *parent, const struct subject *other) {
    for (const char *const *key = kind->entries; *key != nullptr; key++) {
        for (int damage = 0; damage < DAMAGE_COUNT; damage++) {
            for (int knowledge = 0; knowledge < KNOWLEDGE_COUNT; knowledge++) {
                repair_one(more, parent, other, *key, (enum damage)damage, (enum knowledge)knowledge, true);
                repair_one(more, parent, other, *key, (enum damage)damage, (enum knowledge)knowledge, false);
            }
        }
    }
}

static void a_leaf_outlives_damage_to_one_entry(void **) {
    cleanup_subject struct subject root = made(root_spec, nullptr);
    cleanup_subject struct subject other_root = made(root_spec, nullptr);
    cleanup_subject struct subject middle =
        made(",'certType':'ca','commonName':'middle','parentCARef':{'name':'p'}", &root);
    cleanup_subject struct subject other = made(leaf_spec, &other_root);
    repair_each(leaf_spec, &middle, &other);
}

static void a_ca_outlives_damage_to_one_entry(void **) {
    cleanup_subject struct subject other = made(root_spec, nullptr);
    repair_each(root_spec, nullptr, &other);
}

static void a_ca_below_another_outlives_damage_to_one_entry(void **) {
    static const char spec[] = ",'certType':'ca','commonName':'middle','parentCARef':{'name':'p'}";
    cleanup_subject struct subject root = made(root_spec, nullptr);
    cleanup_subject struct subject other = made(spec, &root);
    repair_each(spec, &root, &other);
}

// With a metadata entry that cannot be read the status tells, and with one of another certificate, too.
static void it_outlives_damage_to_the_metadata(void **) {
    cleanup_subject struct subject root = made(root_spec, nullptr);
    for (int damage = 0; damage < DAMAGE_COUNT; damage++) {
        cleanup_subject struct subject s = made(leaf_spec, &root);
        cleanup_subject struct subject other = made(leaf_spec, &root);
        cleanup_secret_data struct secret_data whole = {0};
        copy_data(&s.data, &whole);
        subject_remember(&s, &s, true);
        damage_entry(&s, "metadata.json", (enum damage)damage, &other);
        subject_repair(&s, damage == OF_ANOTHER || damage == LENGTHENED);
        assert_same(&s, &whole);
    }
}

// ---- which certificate

static void without_a_certificate_another_one_is_issued(void **) {
    cleanup_subject struct subject root = made(root_spec, nullptr);
    cleanup_subject struct subject s = made(leaf_spec, &root);
    cleanup_secret_data struct secret_data whole = {0};
    copy_data(&s.data, &whole);
    subject_remember(&s, &s, true);
    secret_free(remove_entry(&s, "tls.crt"));
    replace_entry(&s, "cert.pem", "no certificate", 14);
    subject_repair(&s, true);
    assert_reissued(&s, &whole);
    assert_true(same_entry(&s, "ca.crt", &root, "cert.pem"));
}

// The same key under an earlier spec: sound in every respect, and not what the spec asks for now.
static struct subject made_twice(const struct subject *root, struct subject *ret_earlier) {
    *ret_earlier = made(",'certType':'server','domain':'old.example','parentCARef':{'name':'p'}", root);
    struct subject s = read_spec(leaf_spec);
    give_parent(&s, root);
    s.context.previous = &ret_earlier->data;
    subject_make(&s);
    s.context.previous = nullptr;
    assert_true(same_entry(&s, "tls.key", ret_earlier, "tls.key"));
    return s;
}

static void an_earlier_certificate_is_not_taken_for_this_one(void **) {
    static const char *const keys[] = {"tls.crt", "cert.pem"};
    cleanup_subject struct subject root = made(root_spec, nullptr);
    for (int knowledge = 0; knowledge < KNOWLEDGE_COUNT; knowledge++) {
        bool with_metadata = knowledge == BY_METADATA || knowledge == BY_BOTH;
        bool is_known = knowledge != BY_NOBODY;
        cleanup_subject struct subject earlier = {0};
        cleanup_subject struct subject s = made_twice(&root, &earlier);
        cleanup_secret_data struct secret_data whole = {0};
        copy_data(&s.data, &whole);
        subject_remember(&s, &s, true);
        if (knowledge == BY_METADATA || !is_known) {
            subject_forget(&s);
        }
        // In one entry: the other one has the right one.
        for (size_t i = 0; i < 2 && is_known; i++) {
            take_entry(&s, keys[i], &earlier);
            subject_repair(&s, with_metadata);
            assert_same(&s, &whole);
        }
        // In both: it is not there any more.
        take_entry(&s, keys[0], &earlier);
        take_entry(&s, keys[1], &earlier);
        subject_repair(&s, with_metadata);
        assert_reissued(&s, &whole);
        assert_false(same_entry(&s, "cert.pem", &earlier, "cert.pem"));
    }
}

static void what_an_earlier_version_wrote_is_enough(void **) {
    struct error e;
    char fingerprints[64];
    char fingerprint[FINGERPRINT_SIZE];
    cleanup_subject struct subject root = made(root_spec, nullptr);
    cleanup_subject struct subject s = made(leaf_spec, &root);
    cleanup_secret_data struct secret_data whole = {0};
    copy_data(&s.data, &whole);
    s.context.previous_is_current = true;
    // Its metadata has ten digits.
    const struct secret *pem = entry_of(&s, "cert.pem");
    must(fingerprint_compute(secret_view(pem), secret_length(pem), fingerprint, &e), e);
    snprintf(fingerprints, sizeof(fingerprints), "{'cert.pem':'%s'}", fingerprint);
    change_metadata(&s, "digests", nullptr);
    add_metadata(&s, "fingerprints", fingerprints);
    secret_free(remove_entry(&s, "tls.crt"));
    subject_repair(&s, true);
    assert_same(&s, &whole);
    // So has its status.
    subject_remember(&s, &s, true);
    s.context.record.digest = "";
    secret_free(remove_entry(&s, "tls.crt"));
    subject_repair(&s, false);
    assert_same(&s, &whole);
}

// It is due, but not damaged: when it is renewed is another matter.
static void an_expired_certificate_is_kept(void **) {
    cleanup_subject struct subject root = made(root_spec, nullptr);
    cleanup_subject struct subject s = made(leaf_spec, &root);
    cleanup_secret_data struct secret_data whole = {0};
    copy_data(&s.data, &whole);
    subject_remember(&s, &s, true);
    secret_free(remove_entry(&s, "pub.pem"));
    s.context.now = SOME_SECONDS + 4000 * (int64_t)DAY;
    subject_repair(&s, true);
    assert_same(&s, &whole);
    // Another one cannot be had of an issuer that has expired: what is left stays as it is.
    secret_free(remove_entry(&s, "tls.crt"));
    secret_free(remove_entry(&s, "cert.pem"));
    struct error e;
    must_fail(subject_try_repair(&s, true, &e), e, ERROR_NOT_FOUND, "the CA's certificate expired at");
    assert_true(entry_is(&s, "tls.key", secret_data_get(&whole, "tls.key")));
}

static void the_chain_is_the_issuers_of_today(void **) {
    cleanup_subject struct subject root = made(root_spec, nullptr);
    cleanup_subject struct subject other_root = made(root_spec, nullptr);
    cleanup_subject struct subject s = made(leaf_spec, &root);
    cleanup_secret_data struct secret_data whole = {0};
    copy_data(&s.data, &whole);
    subject_remember(&s, &s, true);
    give_parent(&s, &other_root); // which the certificate is not from
    secret_free(remove_entry(&s, "pub.pem"));
    subject_repair(&s, true);
    assert_reissued(&s, &whole);
    assert_true(same_entry(&s, "ca.crt", &other_root, "cert.pem"));
}

// ---- which key

static void a_repair_is_no_time_to_rotate(void **) {
    static const char spec[] = ",'domain':'a.example','privateKey':{'rotationPolicy':'Always'}";
    for (int is_current = 0; is_current < 2; is_current++) {
        cleanup_subject struct subject s = made(spec, nullptr);
        cleanup_secret_data struct secret_data whole = {0};
        copy_data(&s.data, &whole);
        subject_remember(&s, &s, is_current == 1);
        secret_free(remove_entry(&s, "pub.pem"));
        subject_repair(&s, true);
        assert_same_key(&s, &whole);
        assert_int_equal(entry_is(&s, "cert.pem", secret_data_get(&whole, "cert.pem")), is_current);
    }
}

static void without_either_copy_the_key_is_lost(void **) {
    cleanup_subject struct subject s = made(root_spec, nullptr);
    cleanup_subject struct subject of_another_algorithm =
        subject_read(kind, "{'algorithm':'ML-DSA-65','domain':'a.example'}");
    subject_make(&of_another_algorithm);
    subject_remember(&s, &s, true);
    s.context.may_lose_key = true; // a repair never makes a key
    take_entry(&s, "tls.key", &of_another_algorithm);
    replace_entry(&s, "key.pem", "", 0);
    assert_not_repaired(&s, true, ERROR_KEY_LOST, key_is_lost);
    secret_free(remove_entry(&s, "tls.key"));
    secret_free(remove_entry(&s, "key.pem"));
    assert_not_repaired(&s, true, ERROR_KEY_LOST, key_is_lost);
    assert_not_repaired(&s, false, ERROR_KEY_LOST, key_is_lost);
}

// A key without its seed, as others write it, is a key: it stays, in the form that it can have.
static void a_key_without_its_seed_is_kept(void **) {
    struct error e;
    cleanup_subject struct subject s = made(root_spec, nullptr);
    cleanup_secret struct secret *with_seed = copy_entry(&s, "tls.key");
    cleanup_pkey struct pkey *pkey = nullptr;
    cleanup_secret struct secret *expanded = nullptr;
    must(keyform_read_private(algorithm_find_by_name("ML-DSA-44"), secret_view(with_seed),
                              secret_length(with_seed), &pkey, &e),
         e);
    must(pkey_expanded_pem(pkey, &expanded, &e), e);
    subject_remember(&s, &s, true);
    // One copy has the seed still.
    replace_entry(&s, "tls.key", secret_view(expanded), secret_length(expanded));
    subject_repair(&s, true);
    assert_true(entry_is(&s, "tls.key", with_seed));
    assert_true(entry_is(&s, "key.pem", with_seed));
    // None has.
    replace_entry(&s, "tls.key", secret_view(expanded), secret_length(expanded));
    replace_entry(&s, "key.pem", secret_view(expanded), secret_length(expanded));
    secret_free(remove_entry(&s, "pub.pem"));
    cleanup_secret struct secret *certificate = copy_entry(&s, "cert.pem");
    subject_repair(&s, true);
    assert_true(entry_is(&s, "tls.key", expanded));
    assert_true(entry_is(&s, "key.pem", expanded));
    assert_true(entry_is(&s, "cert.pem", certificate));
    // And it can be renewed.
    cleanup_subject struct subject next = read_spec(root_spec);
    next.context.previous = &s.data;
    subject_make(&next);
    next.context.previous = nullptr;
    assert_true(entry_is(&next, "tls.key", expanded));
}

// ---- what is gone when one takes the place of another

static void assert_gone(const struct subject *spec, const struct secret_data *before,
                        const struct secret_data *after, const char *gone) {
    const char *found = kind->find_gone(spec->decoded.spec, before, after);
    assert_string_equal(found == nullptr ? "" : found, gone);
    assert_int_equal(ERR_peek_error(), 0);
}

static struct subject next_of(const char *more, const struct subject *parent, const struct subject *before) {
    struct subject s = read_spec(more);
    give_parent(&s, parent);
    s.context.previous = &before->data;
    subject_make(&s);
    s.context.previous = nullptr;
    return s;
}

static void what_is_gone_is_named(void **) {
    cleanup_subject struct subject root = made(root_spec, nullptr);
    cleanup_subject struct subject other_root = made(root_spec, nullptr);
    cleanup_subject struct subject before = made(leaf_spec, &root);
    cleanup_subject struct subject renewed = next_of(leaf_spec, &root, &before);
    cleanup_subject struct subject moved = next_of(leaf_spec, &other_root, &before);
    cleanup_subject struct subject other = made(leaf_spec, &root);
    cleanup_secret_data struct secret_data left = {0};
    assert_gone(&before, &before.data, &before.data, "");
    assert_gone(&before, &before.data, &renewed.data, "");
    assert_gone(&before, &before.data, &moved.data, "issued under another root certificate");
    assert_gone(&before, &before.data, &other.data, "private key");
    assert_gone(&before, &moved.data, &other.data, "private key"); // before any root
    // A root that was issued again with its key is the same root.
    cleanup_subject struct subject root_again = read_spec(root_spec);
    root_again.context.previous = &root.data;
    subject_make(&root_again);
    root_again.context.previous = nullptr;
    cleanup_subject struct subject below = next_of(leaf_spec, &root_again, &before);
    assert_false(same_entry(&below, "ca.crt", &before, "ca.crt"));
    assert_gone(&before, &before.data, &below.data, "");
    // What was damaged: either copy of the key is enough, and what was no root is none that is missed.
    copy_data(&before.data, &left);
    secret_data_remove(&left, "tls.key");
    assert_gone(&before, &left, &renewed.data, "");
    assert_gone(&before, &left, &moved.data, "issued under another root certificate");
    secret_data_remove(&left, "ca.crt");
    assert_gone(&before, &left, &moved.data, "");
    secret_data_remove(&left, "key.pem");
    assert_gone(&before, &left, &renewed.data, "private key");
}

static void out_of_memory_is_no_loss(void **) {
    cleanup_subject struct subject root = made(root_spec, nullptr);
    cleanup_subject struct subject s = made(leaf_spec, &root);
    subject_remember(&s, &s, true);
    secret_free(remove_entry(&s, "tls.crt"));
    secret_free(remove_entry(&s, "key.pem"));
    assert_repair_survives_lack_of_memory(&s, true, ERROR_NONE);
    assert_repair_survives_lack_of_memory(&s, false, ERROR_NONE);
    secret_free(remove_entry(&s, "cert.pem"));
    assert_repair_survives_lack_of_memory(&s, true, ERROR_NONE);
    secret_free(remove_entry(&s, "tls.key"));
    assert_repair_survives_lack_of_memory(&s, true, ERROR_KEY_LOST);
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leaf_outlives_damage_to_one_entry),
        cmocka_unit_test(a_ca_outlives_damage_to_one_entry),
        cmocka_unit_test(a_ca_below_another_outlives_damage_to_one_entry),
        cmocka_unit_test(it_outlives_damage_to_the_metadata),
        cmocka_unit_test(without_a_certificate_another_one_is_issued),
        cmocka_unit_test(an_earlier_certificate_is_not_taken_for_this_one),
        cmocka_unit_test(what_an_earlier_version_wrote_is_enough),
        cmocka_unit_test(an_expired_certificate_is_kept),
        cmocka_unit_test(the_chain_is_the_issuers_of_today),
        cmocka_unit_test(a_repair_is_no_time_to_rotate),
        cmocka_unit_test(without_either_copy_the_key_is_lost),
        cmocka_unit_test(a_key_without_its_seed_is_kept),
        cmocka_unit_test(what_is_gone_is_named),
        cmocka_unit_test(out_of_memory_is_no_loss),
    };
    return cmocka_run_group_tests_name("kinds/certificate_repair", tests, nullptr, no_secret_is_left);
}
