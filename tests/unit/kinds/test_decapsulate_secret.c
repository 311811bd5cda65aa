#include "support.h"

#include "crypto/kem.h"
#include "crypto/pkey.h"

static const struct kind *const kind = &kind_decapsulate_secret;

enum { ALGORITHM_COUNT = 3 };
static const char *const algorithms[ALGORITHM_COUNT] = {"ML-KEM-512", "ML-KEM-768", "ML-KEM-1024"};
static const char *const aliases[ALGORITHM_COUNT] = {"Kyber512", "Kyber768", "Kyber1024"};

// A key pair and an encapsulation of each algorithm, as their kinds make them.
static struct subject pairs[ALGORITHM_COUNT];
static struct subject encapsulations[ALGORITHM_COUNT];

static int set_up(void **) {
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        struct error e;
        char spec[64];
        snprintf(spec, sizeof(spec), "{'algorithm':'%s'}", algorithms[i]);
        pairs[i] = subject_read(&kind_kem_key_pair, spec);
        encapsulations[i] = subject_read(&kind_encapsulate_secret, "{'publicKeyRef':{'name':'pair'}}");
        if (!subject_try_make(&pairs[i], &e)) {
            print_error("%s\n", e.message);
            return -1;
        }
        subject_give_secret(&encapsulations[i], 0, algorithms[i], entry_of(&pairs[i], "public_key"));
        if (!subject_try_make(&encapsulations[i], &e)) {
            print_error("%s\n", e.message);
            return -1;
        }
    }
    return 0;
}

static int tear_down(void **state) {
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        subject_free(&pairs[i]);
        subject_free(&encapsulations[i]);
    }
    return no_secret_is_left(state);
}

static const struct secret *ciphertext_of(size_t index) {
    return entry_of(&encapsulations[index], "ciphertext");
}

static const struct secret *secret_of(size_t index) {
    return entry_of(&encapsulations[index], "shared_secret");
}

static void give_private(struct subject *s, size_t index) {
    subject_give_secret(s, 0, algorithms[index], entry_of(&pairs[index], "private_key"));
}

// With the key pair and the encapsulation of that index, and this in the spec besides the references.
static struct subject decapsulation(size_t index, const char *more) {
    char spec[300];
    snprintf(spec, sizeof(spec), "{'privateKeyRef':{'name':'pair'},'ciphertextRef':{'name':'other'}%s}",
             more);
    struct subject s = subject_read(kind, spec);
    give_private(&s, index);
    subject_give_secret(&s, 1, algorithms[index], ciphertext_of(index));
    return s;
}

// The ciphertext inline, as digits of length bytes of it, with something else in the spec before.
static char *inline_spec(const char *before, size_t index, size_t length) {
    struct error e;
    struct buffer spec = buffer_create(10000);
    must(buffer_append_format(&spec, &e, "{'privateKeyRef':{'name':'pair'},%s'ciphertext':'", before), e);
    must(hex_encode(secret_view(ciphertext_of(index)), length, &spec, &e), e);
    must(buffer_append_text(&spec, "'}", &e), e);
    return spec.data;
}

// The status tells whose private key it was, and nothing else.
static void assert_status_names_key(const struct subject *s, size_t index) {
    char status[200];
    snprintf(status, sizeof(status), "{'publicKeyDigest':'%s'}", pairs[index].report.digest);
    assert_status(s, status);
}

static void assert_agrees(struct subject *s, size_t index) {
    subject_make(s);
    assert_entries(s);
    assert_string_equal(s->provenance.algorithm, algorithms[index]);
    assert_true(secret_equals(entry_of(s, "shared_secret"), secret_view(secret_of(index)), 32));
    assert_string_equal(s->report.fingerprint, encapsulations[index].report.fingerprint);
    assert_status_names_key(s, index);
    assert_string_equal(s->report.digest, ""); // nothing of it is public
    assert_null(s->report.warning);
    assert_sound(s);
}

static void both_sides_have_the_same_secret(void **) {
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        char named[64];
        char aliased[64];
        snprintf(named, sizeof(named), ",'algorithm':'%s'", algorithms[i]);
        snprintf(aliased, sizeof(aliased), ",'algorithm':'%s'", aliases[i]);
        const char *const more[] = {"", named, aliased};
        for (size_t j = 0; j < sizeof(more) / sizeof(more[0]); j++) {
            cleanup_subject struct subject s = decapsulation(i, more[j]);
            assert_agrees(&s, i);
        }
    }
}

static void the_ciphertext_may_be_inline(void **) {
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        cleanup_text char *spec = inline_spec("", i, secret_length(ciphertext_of(i)));
        cleanup_subject struct subject s = subject_read(kind, spec);
        assert_int_equal(s.decoded.request_count, 1);
        give_private(&s, i);
        assert_agrees(&s, i);
        for (char *digit = strstr(spec, "'ciphertext':'") + 14; *digit != '\''; digit++) {
            *digit = (char)(*digit >= 'a' ? *digit - 'a' + 'A' : *digit);
        }
        cleanup_subject struct subject large = subject_read(kind, spec);
        give_private(&large, i);
        assert_agrees(&large, i);
    }
}

// It wins: what the reference names is not even asked for.
static void an_inline_ciphertext_wins(void **) {
    cleanup_text char *spec =
        inline_spec("'ciphertextRef':{'name':'other'},", 1, secret_length(ciphertext_of(1)));
    cleanup_subject struct subject s = subject_read(kind, spec);
    assert_int_equal(s.decoded.request_count, 1);
    assert_string_equal(s.decoded.requests[0].field, "privateKeyRef");
    give_private(&s, 1);
    assert_agrees(&s, 1);
}

static void an_empty_ciphertext_is_none(void **) {
    cleanup_subject struct subject s = decapsulation(1, ",'ciphertext':''");
    assert_int_equal(s.decoded.request_count, 2);
    assert_agrees(&s, 1);
    assert_faults(kind, "{'privateKeyRef':{'name':'a'},'ciphertext':''}",
                  "spec.ciphertextRef: is required, unless spec.ciphertext is given");
    assert_same_parameters(kind,
                           "{'privateKeyRef':{'name':'a'},'ciphertextRef':{'name':'b'},'ciphertext':''}",
                           "{'privateKeyRef':{'name':'a'},'ciphertextRef':{'name':'b'}}");
}

// From a Secret or a ConfigMap: as it is, as digits, as base64, each with spaces anywhere.
static void a_peer_may_write_its_ciphertext_in_many_forms(void **) {
    struct error e;
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        const struct secret *ciphertext = ciphertext_of(i);
        struct buffer forms[4];
        for (size_t j = 0; j < 4; j++) {
            forms[j] = buffer_create(10000);
        }
        must(buffer_append(&forms[0], secret_view(ciphertext), secret_length(ciphertext), &e), e);
        must(hex_encode(secret_view(ciphertext), secret_length(ciphertext), &forms[1], &e), e);
        must(base64_encode(secret_view(ciphertext), secret_length(ciphertext), &forms[2], &e), e);
        must(buffer_append(&forms[3], " ", 1, &e), e);
        must(buffer_append(&forms[3], forms[2].data, 64, &e), e);
        must(buffer_append_text(&forms[3], "\r\n", &e), e);
        must(buffer_append(&forms[3], forms[2].data + 64, forms[2].length - 64, &e), e);
        must(buffer_append_text(&forms[3], "\n", &e), e);
        for (size_t j = 0; j < 4; j++) {
            cleanup_subject struct subject s = subject_read(
                kind,
                j % 2 == 0
                    ? "{'privateKeyRef':{'name':'a'},'ciphertextRef':{'name':'b','kind':'Secret','key':'c'}}"
                    : "{'privateKeyRef':{'name':'a'},'ciphertextRef':{'name':'b','kind':'ConfigMap','key':'c'"
                      "}}");
            give_private(&s, i);
            subject_give(&s, 1, nullptr, forms[j].data, forms[j].length);
            assert_normal(&s, 1, secret_view(ciphertext), secret_length(ciphertext));
            assert_agrees(&s, i);
            buffer_done(&forms[j]);
        }
    }
}

static void inputs_have_a_normal_form(void **) {
    struct error e;
    struct secret *normal = nullptr;
    cleanup_subject struct subject s = decapsulation(1, "");
    must(kind->normalize(s.decoded.spec, s.inputs, 0, &normal, &e), e);
    assert_null(normal); // a private key of ours has one form
    assert_normal(&s, 1, secret_view(ciphertext_of(1)), secret_length(ciphertext_of(1)));
    subject_give(&s, 1, nullptr, "no ciphertext", 13);
    must_fail(kind->normalize(s.decoded.spec, s.inputs, 1, &normal, &e), e, ERROR_INVALID_SPEC,
              "spec.ciphertextRef: ");
    cleanup_subject struct subject other = decapsulation(1, ",'algorithm':'ML-KEM-512'");
    must_fail(kind->normalize(other.decoded.spec, other.inputs, 1, &normal, &e), e, ERROR_INVALID_SPEC,
              "spec.algorithm: ML-KEM-512 does not match spec.privateKeyRef");
    assert_null(normal);
}

static void it_asks_for_a_private_key_and_a_ciphertext(void **) {
    cleanup_subject struct subject s = decapsulation(1, "");
    assert_int_equal(s.decoded.request_count, 2);
    assert_request(&s, 0, "privateKeyRef", "pair");
    assert_sources(&s, 0, "QuantumKEMKeyPair:private_key!");
    assert_request(&s, 1, "ciphertextRef", "other");
    assert_sources(&s, 1, "QuantumEncapsulateSecret:ciphertext! Secret: ConfigMap:");
}

static void faults_are_told(void **) {
    assert_faults(kind, "{}",
                  "spec.privateKeyRef: is required; "
                  "spec.ciphertextRef: is required, unless spec.ciphertext is given");
    assert_faults(kind, "{'ciphertextRef':{'name':'b'}}", "spec.privateKeyRef: is required");
    assert_faults(kind, "{'privateKeyRef':{'name':'a'}}",
                  "spec.ciphertextRef: is required, unless spec.ciphertext is given");
    assert_faults(kind,
                  "{'privateKeyRef':{'name':'a','kind':'Secret','key':'k'},'ciphertextRef':{'name':'b'}}",
                  "spec.privateKeyRef.kind: Secret is not one of QuantumKEMKeyPair");
    assert_faults(kind, "{'privateKeyRef':{'name':'a','key':'k'},'ciphertextRef':{'name':'b','key':'k'}}",
                  "spec.privateKeyRef.key: goes only with kind Secret or ConfigMap; remove it, or set kind; "
                  "spec.ciphertextRef.key: goes only with kind Secret or ConfigMap; remove it, or set kind");
    assert_faults(
        kind, "{'privateKeyRef':{'name':'a'},'ciphertextRef':{'name':'b','kind':'QuantumKEMKeyPair'}}",
        "spec.ciphertextRef.kind: QuantumKEMKeyPair is not one of QuantumEncapsulateSecret, Secret, "
        "ConfigMap");
    // One that is at fault is not missing as well.
    assert_faults(kind, "{'privateKeyRef':{'name':'a'},'ciphertext':'xyz'}",
                  "spec.ciphertext: must be hexadecimal; character 1 is not");
    assert_faults(kind, "{'privateKeyRef':{'name':'a'},'ciphertextRef':{}}",
                  "spec.ciphertextRef.name: is required");
    // A missing one is told along with all others.
    assert_faults(kind, "{'algorithm':'RSA','deletionPolicy':'Keep'}",
                  "spec.deletionPolicy: Keep is not one of Delete, Retain; "
                  "spec.algorithm: RSA is not one of ML-KEM-512, ML-KEM-768, "
                  "ML-KEM-1024; spec.privateKeyRef: is required; "
                  "spec.ciphertextRef: is required, unless spec.ciphertext is given");
}

static void an_inline_ciphertext_has_bounds(void **) {
    struct error e;
    cleanup_buffer struct buffer spec = buffer_create(10000);
    must(buffer_append_text(&spec, "{'privateKeyRef':{'name':'a'},'ciphertext':'", &e), e);
    size_t start = spec.length;
    for (size_t i = 0; i < 2 * 1568; i++) {
        must(buffer_append_text(&spec, "a", &e), e);
    }
    must(buffer_append_text(&spec, "'}", &e), e);
    assert_good_spec(kind, buffer_text(&spec));
    spec.length -= 2;
    must(buffer_append_text(&spec, "a'}", &e), e);
    assert_faults(kind, buffer_text(&spec),
                  "spec.ciphertext: must be a text of at most 3136 bytes without NUL; it has 3137");
    spec.length = start;
    must(buffer_append_text(&spec, "aaa'}", &e), e);
    assert_faults(kind, buffer_text(&spec),
                  "spec.ciphertext: has 3 hexadecimal digits; an even number from 0 to 3136 is allowed");
}

// ---- inputs that cannot be used, and such that can

static void assert_unusable(struct subject *s, const char *message) {
    struct error e = {0};
    assert_false(subject_try_make(s, &e));
    assert_int_equal(e.class, ERROR_INVALID_SPEC);
    assert_string_equal(e.message, message);
    assert_int_equal(s->data.count, 0);
    assert_null(s->provenance.algorithm);
}

// FIPS 203 section 3.2: implicit rejection.
static void test_trap_47_a_changed_ciphertext_gives_another_secret(void **) {
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        const size_t length = secret_length(ciphertext_of(i));
        const size_t positions[] = {0, length / 2, length - 1};
        for (size_t j = 0; j < sizeof(positions) / sizeof(positions[0]); j++) {
            cleanup_subject struct subject s = decapsulation(i, "");
            secret_bytes(s.input_bytes[1])[positions[j]] ^= 0x20;
            subject_make(&s);
            assert_int_equal(secret_length(entry_of(&s, "shared_secret")), 32);
            assert_false(secret_equals(entry_of(&s, "shared_secret"), secret_view(secret_of(i)), 32));
            assert_sound(&s);
            // The same one each time.
            cleanup_subject struct subject again = decapsulation(i, "");
            secret_bytes(again.input_bytes[1])[positions[j]] ^= 0x20;
            subject_make(&again);
            assert_string_equal(again.report.fingerprint, s.report.fingerprint);
        }
    }
}

static void another_key_pair_gives_another_secret(void **) {
    cleanup_subject struct subject pair = subject_read(&kind_kem_key_pair, "{}");
    subject_make(&pair);
    cleanup_subject struct subject s = decapsulation(1, "");
    subject_give_secret(&s, 0, "ML-KEM-768", entry_of(&pair, "private_key"));
    subject_make(&s);
    assert_false(secret_equals(entry_of(&s, "shared_secret"), secret_view(secret_of(1)), 32));
}

static void test_trap_47_a_wrong_length_is_named(void **) {
    static const char *const messages[] = {
        "spec.ciphertextRef: a ciphertext of ML-KEM-768 has 1088 bytes, this one has 1087 as raw bytes",
        "spec.ciphertextRef: a ciphertext of ML-KEM-768 has 1088 bytes, this one has 1 as raw bytes"};
    static const size_t lengths[] = {1087, 1};
    cleanup_text char *spec = inline_spec("", 1, 768); // which one of ML-KEM-512 would have
    cleanup_subject struct subject s = subject_read(kind, spec);
    give_private(&s, 1);
    assert_unusable(&s, "spec.ciphertext: a ciphertext of ML-KEM-768 has 1088 bytes, this one has 768");
    for (size_t i = 0; i < 2; i++) {
        cleanup_subject struct subject by_reference = decapsulation(1, "");
        cleanup_secret struct secret *cut = nullptr;
        struct error e;
        must(secret_copy(secret_view(ciphertext_of(1)), lengths[i], &cut, &e), e);
        secret_bytes(cut)[0] = 0xff; // neither hex nor base64
        subject_give_secret(&by_reference, 1, nullptr, cut);
        assert_unusable(&by_reference, messages[i]);
    }
    cleanup_subject struct subject empty = decapsulation(1, "");
    subject_give(&empty, 1, nullptr, "", 0);
    struct error e;
    must_fail(subject_try_make(&empty, &e), e, ERROR_INVALID_SPEC,
              "spec.ciphertextRef: a ciphertext of ML-KEM-768 has 1088 bytes, this one has 0");
}

static void another_algorithm_than_the_key_pairs_is_named(void **) {
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        for (size_t j = 0; j < ALGORITHM_COUNT; j++) {
            char more[64];
            char message[200];
            snprintf(more, sizeof(more), ",'algorithm':'%s'", aliases[j]);
            cleanup_subject struct subject s = decapsulation(i, more);
            snprintf(message, sizeof(message),
                     "spec.algorithm: %s does not match spec.privateKeyRef, which is of %s; leave "
                     "spec.algorithm out, or refer to another key",
                     algorithms[j], algorithms[i]);
            if (i != j) {
                assert_unusable(&s, message);
            }
        }
    }
}

static void another_algorithm_than_the_ciphertexts_is_named(void **) {
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        for (size_t j = 0; j < ALGORITHM_COUNT; j++) {
            if (i == j) {
                continue;
            }
            char message[200];
            cleanup_subject struct subject s = decapsulation(i, "");
            subject_give_secret(&s, 1, algorithms[j], ciphertext_of(j));
            snprintf(message, sizeof(message), "spec.ciphertextRef is of %s, and spec.privateKeyRef of %s",
                     algorithms[j], algorithms[i]);
            assert_unusable(&s, message);
            // A peer's does not say what it is of, but has another length.
            struct error e;
            subject_give_secret(&s, 1, nullptr, ciphertext_of(j));
            must_fail(subject_try_make(&s, &e), e, ERROR_INVALID_SPEC,
                      "spec.ciphertextRef: a ciphertext of ");
            // Inline likewise.
            cleanup_text char *spec = inline_spec("", j, secret_length(ciphertext_of(j)));
            cleanup_subject struct subject within = subject_read(kind, spec);
            give_private(&within, i);
            must_fail(subject_try_make(&within, &e), e, ERROR_INVALID_SPEC,
                      "spec.ciphertext: a ciphertext of ");
        }
    }
}

static void a_damaged_private_key_is_named(void **) {
    struct error e;
    cleanup_subject struct subject s = decapsulation(1, "");
    secret_bytes(s.input_bytes[0])[2400 - 64] ^= 1; // the hash of the public key
    must_fail(subject_try_make(&s, &e), e, ERROR_INVALID_SPEC, "spec.privateKeyRef: ");
    subject_give(&s, 0, "ML-KEM-768", "short", 5);
    must_fail(subject_try_make(&s, &e), e, ERROR_INVALID_SPEC, "spec.privateKeyRef: ");
    assert_int_equal(s.data.count, 0);
}

// Every key pair of ours says it in its status.
static void a_key_pair_that_does_not_say_its_algorithm_is_a_fault_of_ours(void **) {
    struct error e;
    cleanup_subject struct subject s = decapsulation(1, "");
    subject_give_secret(&s, 0, nullptr, entry_of(&pairs[1], "private_key"));
    must_fail(subject_try_make(&s, &e), e, ERROR_INTERNAL, "spec.privateKeyRef does not say its algorithm");
    cleanup_subject struct subject named = decapsulation(1, ",'algorithm':'ML-KEM-768'");
    subject_give_secret(&named, 0, nullptr, entry_of(&pairs[1], "private_key"));
    assert_agrees(&named, 1);
}

// A spec whose ciphertext is so many times the two digits.
static char *repeated_spec(const char *before, const char *digits, size_t times) {
    struct error e;
    struct buffer spec = buffer_create(10000);
    must(buffer_append_format(&spec, &e, "{'privateKeyRef':{'name':'a'},%s'ciphertext':'", before), e);
    for (size_t i = 0; i < times; i++) {
        must(buffer_append_text(&spec, digits, &e), e);
    }
    must(buffer_append_text(&spec, "'}", &e), e);
    return spec.data;
}

static void the_parameters_is_of_an_inline_ciphertext(void **) {
    static const char by_reference[] = "{'privateKeyRef':{'name':'a'},'ciphertextRef':{'name':'b'}}";
    cleanup_text char *one = repeated_spec("", "0a", 768);
    cleanup_text char *besides = repeated_spec("'ciphertextRef':{'name':'b'},", "0a", 768);
    cleanup_text char *large = repeated_spec("", "0A", 768);
    cleanup_text char *other = repeated_spec("", "0b", 768);
    assert_same_parameters(kind, by_reference,
                           "{'privateKeyRef':{'name':'c'},'ciphertextRef':{'name':'d'},'secretName':'e'}");
    assert_same_parameters(kind, one, besides);
    assert_same_parameters(kind, one, large);
    assert_different_parameters(kind, one, other);
    assert_different_parameters(kind, one, by_reference);
}

static void an_inline_ciphertext_has_a_length_of_the_algorithm(void **) {
    static const size_t bad[] = {1, 767, 769, 1087, 1089, 1567};
    char message[256];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cleanup_text char *spec = repeated_spec("", "00", bad[i]);
        snprintf(message, sizeof(message),
                 "spec.ciphertext: has %zu bytes; it is 768 of ML-KEM-512, 1088 of ML-KEM-768, 1568 of "
                 "ML-KEM-1024",
                 bad[i]);
        assert_faults(kind, spec, message);
    }
    cleanup_text char *own = repeated_spec("'algorithm':'Kyber512',", "00", 768);
    assert_good_spec(kind, own);
    cleanup_text char *of_another = repeated_spec("'algorithm':'Kyber512',", "00", 1088);
    assert_faults(kind, of_another,
                  "spec.ciphertext: has 1088 bytes; it is 768 of ML-KEM-512, 1088 of ML-KEM-768, 1568 of "
                  "ML-KEM-1024");
}

// ---- damage

static void damage_is_found(void **) {
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        cleanup_subject struct subject s = decapsulation(i, "");
        subject_make(&s);
        assert_damage_is_found(&s);
        assert_bad_metadata_is_found(&s);
        for (size_t j = 0; j < 32; j++) {
            change_byte(&s, "shared_secret", j);
            assert_damaged(
                &s, "the Secret's entry shared_secret is not the one that its metadata was written for");
            change_byte(&s, "shared_secret", j);
        }
    }
}

static void missing_entries_and_wrong_lengths_are_found(void **) {
    static const char zeros[33];
    cleanup_subject struct subject s = decapsulation(1, "");
    subject_make(&s);
    replace_entry(&s, "shared_secret", zeros, 31);
    assert_inspection_fails(&s, "the Secret's entry shared_secret has 31 bytes, not 32");
    replace_entry(&s, "shared_secret", zeros, 33);
    assert_inspection_fails(&s, "the Secret's entry shared_secret has 33 bytes, not 32");
    secret_free(remove_entry(&s, "shared_secret"));
    assert_inspection_fails(&s, "the Secret's entry shared_secret is missing");
}

static void another_algorithm_is_found(void **) {
    cleanup_subject struct subject s = decapsulation(1, ",'algorithm':'ML-KEM-768'");
    subject_make(&s);
    change_metadata(&s, "algorithm", "'ML-KEM-1024'");
    assert_damaged(&s, "the Secret holds a shared secret of ML-KEM-1024, not of ML-KEM-768");
    cleanup_subject struct subject any = decapsulation(1, "");
    subject_make(&any);
    change_metadata(&any, "algorithm", "'system'");
    assert_damaged(&any, "the Secret holds a shared secret of system, not of a KEM");
}

static void out_of_memory_is_no_fault_of_the_spec(void **) {
    cleanup_subject struct subject s = decapsulation(1, "");
    assert_survives_lack_of_memory(&s);
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_have_the_same_secret),
        cmocka_unit_test(the_ciphertext_may_be_inline),
        cmocka_unit_test(an_inline_ciphertext_wins),
        cmocka_unit_test(an_empty_ciphertext_is_none),
        cmocka_unit_test(a_peer_may_write_its_ciphertext_in_many_forms),
        cmocka_unit_test(inputs_have_a_normal_form),
        cmocka_unit_test(it_asks_for_a_private_key_and_a_ciphertext),
        cmocka_unit_test(faults_are_told),
        cmocka_unit_test(an_inline_ciphertext_has_bounds),
        cmocka_unit_test(test_trap_47_a_changed_ciphertext_gives_another_secret),
        cmocka_unit_test(another_key_pair_gives_another_secret),
        cmocka_unit_test(test_trap_47_a_wrong_length_is_named),
        cmocka_unit_test(another_algorithm_than_the_key_pairs_is_named),
        cmocka_unit_test(another_algorithm_than_the_ciphertexts_is_named),
        cmocka_unit_test(a_damaged_private_key_is_named),
        cmocka_unit_test(a_key_pair_that_does_not_say_its_algorithm_is_a_fault_of_ours),
        cmocka_unit_test(the_parameters_is_of_an_inline_ciphertext),
        cmocka_unit_test(an_inline_ciphertext_has_a_length_of_the_algorithm),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(missing_entries_and_wrong_lengths_are_found),
        cmocka_unit_test(another_algorithm_is_found),
        cmocka_unit_test(out_of_memory_is_no_fault_of_the_spec),
    };
    return cmocka_run_group_tests_name("kinds/decapsulate_secret", tests, set_up, tear_down);
}
