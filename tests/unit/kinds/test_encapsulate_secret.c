#include "support.h"

#include "crypto/kem.h"
#include "crypto/keyform.h"

static const struct kind *const kind = &kind_encapsulate_secret;

enum { ALGORITHM_COUNT = 3 };
static const char *const algorithms[ALGORITHM_COUNT] = {"ML-KEM-512", "ML-KEM-768", "ML-KEM-1024"};
static const char *const aliases[ALGORITHM_COUNT] = {"Kyber512", "Kyber768", "Kyber1024"};

// A key pair of each algorithm, made once.
static struct pkey *pairs[ALGORITHM_COUNT];
static struct buffer raw[ALGORITHM_COUNT];
static struct buffer pem[ALGORITHM_COUNT];

static bool make_pair(size_t i, struct error *e) {
    raw[i] = buffer_create(4096);
    pem[i] = buffer_create(4096);
    return pkey_generate(algorithm_find(ALGORITHM_KEM, algorithms[i]), &pairs[i], e) &&
           pkey_public(pairs[i], &raw[i], e) && pkey_public_pem(pairs[i], &pem[i], e);
}

static void free_pair(size_t i) {
    pkey_free(pairs[i]);
    buffer_done(&raw[i]);
    buffer_done(&pem[i]);
}

static int set_up(void **) {
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        struct error e;
        bool made = make_pair(i, &e);
        while (made && buffer_text(&raw[i])[0] == '\x30') { // one in 256 begins as DER does
            free_pair(i);
            made = make_pair(i, &e);
        }
        if (!made) {
            print_error("%s\n", e.message);
            return -1;
        }
    }
    return 0;
}

static int tear_down(void **state) {
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        free_pair(i);
    }
    return no_secret_is_left(state);
}

// For the peer of that index, with this in the spec besides the reference, and this as the key pair's
// algorithm.
static struct subject encapsulation(size_t index, const char *more, const char *own_algorithm) {
    char spec[300];
    snprintf(spec, sizeof(spec), "{'publicKeyRef':{'name':'peer'}%s}", more);
    struct subject s = subject_read(kind, spec);
    subject_give(&s, 0, own_algorithm, raw[index].data, raw[index].length);
    return s;
}

// What the holder of the private key gets is what was stored.
static void assert_comes_out(const struct subject *s, size_t index) {
    struct error e;
    cleanup_secret struct secret *shared_secret = nullptr;
    const struct secret *ciphertext = entry_of(s, "ciphertext");
    must(
        kem_decapsulate(pairs[index], secret_view(ciphertext), secret_length(ciphertext), &shared_secret, &e),
        e);
    assert_true(secret_equals(entry_of(s, "shared_secret"), secret_view(shared_secret), 32));
}

static void assert_made(struct subject *s, size_t index) {
    subject_make(s);
    assert_entries(s);
    assert_string_equal(s->provenance.algorithm, algorithms[index]);
    assert_int_equal(secret_length(entry_of(s, "shared_secret")), 32);
    assert_int_equal(secret_length(entry_of(s, "ciphertext")),
                     algorithm_find(ALGORITHM_KEM, algorithms[index])->ciphertext_size);
    assert_comes_out(s, index);
    assert_sound(s);
}

static void a_key_pair_of_ours_is_encapsulated_for(void **) {
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        char named[64];
        char aliased[64];
        snprintf(named, sizeof(named), ",'algorithm':'%s'", algorithms[i]);
        snprintf(aliased, sizeof(aliased), ",'algorithm':'%s'", aliases[i]);
        const char *const more[] = {"", named, aliased, ",'algorithm':null"};
        for (size_t j = 0; j < sizeof(more) / sizeof(more[0]); j++) {
            cleanup_subject struct subject s = encapsulation(i, more[j], algorithms[i]);
            assert_made(&s, i);
        }
    }
}

static void give_base64(struct subject *s, const void *bytes, size_t length, size_t line) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(10000);
    cleanup_buffer struct buffer lines = buffer_create(20000);
    must(base64_encode(bytes, length, &text, &e), e);
    for (size_t i = 0; i < text.length; i += line) {
        size_t rest = text.length - i < line ? text.length - i : line;
        must(buffer_append(&lines, text.data + i, rest, &e) && buffer_append_text(&lines, "\r\n", &e), e);
    }
    subject_give(s, 0, nullptr, lines.data, lines.length);
}

// A peer's key from a Secret or a ConfigMap, in any form, with and without the algorithm's name.
static void a_peer_may_write_its_key_in_many_forms(void **) {
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        char spec[200];
        for (int named = 0; named <= 1; named++) {
            for (int form = 0; form < 5; form++) {
                snprintf(spec, sizeof(spec), "{'publicKeyRef':{'name':'peer','kind':'%s','key':'k'}%s%s%s}",
                         form % 2 == 0 ? "Secret" : "ConfigMap", named ? ",'algorithm':'" : "",
                         named ? aliases[i] : "", named ? "'" : "");
                cleanup_subject struct subject s = subject_read(kind, spec);
                switch (form) {
                case 0:
                    subject_give(&s, 0, nullptr, raw[i].data, raw[i].length);
                    break;
                case 1:
                    subject_give(&s, 0, nullptr, pem[i].data, pem[i].length);
                    break;
                case 2:
                    give_base64(&s, raw[i].data, raw[i].length, 100000);
                    break;
                case 3:
                    give_base64(&s, raw[i].data, raw[i].length, 64);
                    break;
                default:
                    give_base64(&s, pem[i].data, pem[i].length, 76);
                    break;
                }
                assert_normal(&s, 0, raw[i].data, raw[i].length);
                assert_made(&s, i);
            }
        }
    }
}

static void what_is_no_key_has_no_normal_form(void **) {
    struct error e;
    struct secret *normal = nullptr;
    cleanup_subject struct subject s = encapsulation(1, "", nullptr);
    subject_give(&s, 0, nullptr, "no key", 6);
    must_fail(kind->normalize(s.decoded.spec, s.inputs, 0, &normal, &e), e, ERROR_INVALID_SPEC,
              "spec.publicKeyRef: ");
    cleanup_subject struct subject other = encapsulation(1, ",'algorithm':'ML-KEM-512'", "ML-KEM-768");
    must_fail(kind->normalize(other.decoded.spec, other.inputs, 0, &normal, &e), e, ERROR_INVALID_SPEC,
              "spec.algorithm: ML-KEM-512 does not match spec.publicKeyRef");
    assert_null(normal);
}

static void each_encapsulation_is_another_one(void **) {
    cleanup_subject struct subject one = encapsulation(1, "", "ML-KEM-768");
    cleanup_subject struct subject other = encapsulation(1, "", "ML-KEM-768");
    subject_make(&one);
    subject_make(&other);
    assert_false(
        secret_equals(entry_of(&one, "shared_secret"), secret_view(entry_of(&other, "shared_secret")), 32));
    assert_string_not_equal(one.report.fingerprint, other.report.fingerprint);
    assert_string_not_equal(status_text(&one, "ciphertext"), status_text(&other, "ciphertext"));
}

static void the_status_carries_the_ciphertext(void **) {
    struct error e;
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        cleanup_subject struct subject s = encapsulation(i, "", algorithms[i]);
        subject_make(&s);
        const struct secret *ciphertext = entry_of(&s, "ciphertext");
        char fingerprint[FINGERPRINT_SIZE];
        assert_secret_hex(ciphertext, status_text(&s, "ciphertext"));
        must(fingerprint_compute(secret_view(ciphertext), secret_length(ciphertext), fingerprint, &e), e);
        assert_string_equal(status_text(&s, "ciphertextFingerprint"), fingerprint);
        assert_fingerprint_of(&s, secret_view(entry_of(&s, "shared_secret")), 32);
        // And for whom it is.
        char digest[DIGEST_TEXT_SIZE];
        must(digest_format(raw[i].data, raw[i].length, digest, &e), e);
        assert_string_equal(status_text(&s, "publicKeyDigest"), digest);
        assert_digest_of(&s, secret_view(ciphertext), secret_length(ciphertext));
        assert_int_equal(yyjson_mut_obj_size(yyjson_mut_doc_get_root(s.report.status)), 3);
        assert_null(s.report.warning);
    }
}

static void the_status_does_not_carry_the_secret(void **) {
    struct error e;
    cleanup_subject struct subject s = encapsulation(1, "", nullptr);
    subject_make(&s);
    cleanup_buffer struct buffer status = buffer_create(STATUS_MAX);
    cleanup_buffer struct buffer hex = buffer_create(64);
    must(json_write(s.report.status, &status, &e), e);
    must(hex_encode(secret_view(entry_of(&s, "shared_secret")), 32, &hex, &e), e);
    assert_null(strstr(buffer_text(&status), buffer_text(&hex)));
}

static void it_asks_for_a_public_key(void **) {
    cleanup_subject struct subject s = encapsulation(1, "", nullptr);
    assert_int_equal(s.decoded.request_count, 1);
    assert_request(&s, 0, "publicKeyRef", "peer");
    assert_sources(&s, 0, "QuantumKEMKeyPair:public_key! Secret: ConfigMap:");
    assert_null(kind->describe_parameters); // the reference may change without a change of the key
    cleanup_subject struct subject named =
        subject_read(kind, "{'publicKeyRef':{'name':'a','namespace':'b','kind':'ConfigMap','key':'c'}}");
    assert_string_equal(named.decoded.requests[0].reference.namespace, "b");
    assert_string_equal(named.decoded.requests[0].reference.kind, "ConfigMap");
    assert_string_equal(named.decoded.requests[0].reference.key, "c");
}

static void faults_are_told(void **) {
    assert_faults(kind, "{}", "spec.publicKeyRef: is required");
    assert_faults(kind, "{'publicKeyRef':{'name':'a','kind':'QuantumEncapsulateSecret'}}",
                  "spec.publicKeyRef.kind: QuantumEncapsulateSecret is not one of QuantumKEMKeyPair, Secret, "
                  "ConfigMap");
    assert_faults(kind, "{'publicKeyRef':{'name':'a','kind':'Secret'}}",
                  "spec.publicKeyRef.key: is required with kind Secret");
    assert_faults(kind, "{'publicKeyRef':{'name':'a','key':'b'}}",
                  "spec.publicKeyRef.key: goes only with kind Secret or ConfigMap; remove it, or set kind");
    assert_faults(
        kind, "{'algorithm':'X25519','publicKeyRef':{'kind':'ConfigMap'},'outputSecretName':''}",
        "spec.outputSecretName: \"\" is not a DNS name: lower-case letters, digits, '-' and '.', and a "
        "letter or digit at both ends; "
        "spec.algorithm: X25519 is not one of ML-KEM-512, ML-KEM-768, "
        "ML-KEM-1024; "
        "spec.publicKeyRef.name: is required; spec.publicKeyRef.key: is required with kind ConfigMap");
}

// ---- inputs that cannot be used

static void assert_unusable(struct subject *s, const char *part) {
    struct error e;
    must_fail(subject_try_make(s, &e), e, ERROR_INVALID_SPEC, part);
    assert_int_equal(s->data.count, 0);
    assert_null(s->provenance.algorithm);
}

static void another_algorithm_than_the_key_pairs_is_named(void **) {
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        for (size_t j = 0; j < ALGORITHM_COUNT; j++) {
            char more[64];
            char message[200];
            snprintf(more, sizeof(more), ",'algorithm':'%s'", aliases[j]);
            snprintf(message, sizeof(message),
                     "spec.algorithm: %s does not match spec.publicKeyRef, which is of %s", algorithms[j],
                     algorithms[i]);
            cleanup_subject struct subject s = encapsulation(i, more, algorithms[i]);
            if (i == j) {
                subject_make(&s);
            } else {
                assert_unusable(&s, message);
            }
        }
    }
}

static void another_algorithm_than_a_peers_is_named(void **) {
    cleanup_subject struct subject s =
        subject_read(kind, "{'algorithm':'Kyber768','publicKeyRef':{'name':'a','kind':'Secret','key':'k'}}");
    subject_give(&s, 0, nullptr, pem[0].data, pem[0].length);
    assert_unusable(&s, "spec.publicKeyRef: the key is of ML-KEM-512, ML-KEM-768 is wanted");
    subject_give(&s, 0, nullptr, raw[0].data, raw[0].length);
    assert_unusable(&s, "spec.publicKeyRef: neither PEM nor DER, so taken as raw bytes: ");
    give_base64(&s, raw[2].data, raw[2].length, 64);
    assert_unusable(&s, "spec.publicKeyRef: ");
}

static void what_is_no_key_is_refused(void **) {
    static const char *const texts[] = {"", "no key",
                                        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", "AAAA"};
    cleanup_subject struct subject any =
        subject_read(kind, "{'publicKeyRef':{'name':'a','kind':'Secret','key':'k'}}");
    cleanup_subject struct subject named = subject_read(
        kind, "{'algorithm':'ML-KEM-768','publicKeyRef':{'name':'a','kind':'Secret','key':'k'}}");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        subject_give(&any, 0, nullptr, texts[i], strlen(texts[i]));
        assert_unusable(&any, "spec.publicKeyRef: not a public key of any KEM that is served");
        subject_give(&named, 0, nullptr, texts[i], strlen(texts[i]));
        assert_unusable(&named, "spec.publicKeyRef: ");
    }
    // Of the right length, with a coefficient over the modulus (FIPS 203 section 7.2).
    struct error e;
    cleanup_buffer struct buffer over = buffer_create(4096);
    must(buffer_append(&over, raw[1].data, raw[1].length, &e), e);
    memset(over.data, 0xff, 3);
    subject_give(&any, 0, nullptr, over.data, over.length);
    assert_unusable(&any, "spec.publicKeyRef: not a public key");
    subject_give(&named, 0, "ML-KEM-768", over.data, over.length);
    assert_unusable(&named, "spec.publicKeyRef: ");
    subject_give(&any, 0, nullptr, raw[1].data, raw[1].length - 1);
    assert_unusable(&any, "spec.publicKeyRef: ");
    // A private key is not taken for a public one.
    cleanup_secret struct secret *private_pem = nullptr;
    must(pkey_private_pem(pairs[1], &private_pem, &e), e);
    subject_give_secret(&any, 0, nullptr, private_pem);
    assert_unusable(&any, "spec.publicKeyRef: ");
}

// ---- damage

static void damage_is_found(void **) {
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        cleanup_subject struct subject s = encapsulation(i, "", algorithms[i]);
        subject_make(&s);
        assert_damage_is_found(&s);
        assert_bad_metadata_is_found(&s);
    }
}

static void each_changed_byte_of_the_ciphertext_is_found(void **) {
    cleanup_subject struct subject s = encapsulation(0, "", algorithms[0]);
    subject_make(&s);
    for (size_t i = 0; i < secret_length(entry_of(&s, "ciphertext")); i++) {
        change_byte(&s, "ciphertext", i);
        assert_damaged(&s, "the Secret's entry ciphertext is not the one that its metadata was written for");
        change_byte(&s, "ciphertext", i);
    }
    for (size_t i = 0; i < 32; i++) {
        change_byte(&s, "shared_secret", i);
        assert_damaged(&s,
                       "the Secret's entry shared_secret is not the one that its metadata was written for");
        change_byte(&s, "shared_secret", i);
    }
    assert_sound(&s);
}

// Whatever the metadata says.
static void missing_entries_and_wrong_lengths_are_found(void **) {
    struct error e;
    static const char zeros[2000];
    cleanup_subject struct subject s = encapsulation(1, "", nullptr);
    subject_make(&s);
    replace_entry(&s, "ciphertext", zeros, 1087);
    assert_inspection_fails(&s, "the Secret's entry ciphertext has 1087 bytes, not 1088");
    replace_entry(&s, "ciphertext", zeros, 1568);
    assert_inspection_fails(&s, "the Secret's entry ciphertext has 1568 bytes, not 1088");
    secret_free(remove_entry(&s, "ciphertext"));
    assert_inspection_fails(&s, "the Secret's entry ciphertext is missing");
    must(secret_data_add_text(&s.data, "ciphertext", "", &e), e);
    replace_entry(&s, "shared_secret", zeros, 31);
    assert_inspection_fails(&s, "the Secret's entry shared_secret has 31 bytes, not 32");
    replace_entry(&s, "shared_secret", zeros, 33);
    assert_inspection_fails(&s, "the Secret's entry shared_secret has 33 bytes, not 32");
    secret_free(remove_entry(&s, "shared_secret"));
    assert_inspection_fails(&s, "the Secret's entry shared_secret is missing");
}

static void another_algorithm_is_found(void **) {
    cleanup_subject struct subject named = encapsulation(1, ",'algorithm':'Kyber768'", "ML-KEM-768");
    subject_make(&named);
    change_metadata(&named, "algorithm", "'ML-KEM-512'");
    assert_damaged(&named, "the Secret holds a shared secret of ML-KEM-512, not of ML-KEM-768");
    change_metadata(&named, "algorithm", "'HKDF-SHA256'");
    assert_damaged(&named, "the Secret holds a shared secret of HKDF-SHA256, not of ML-KEM-768");
    cleanup_subject struct subject any = encapsulation(1, "", "ML-KEM-768");
    subject_make(&any);
    change_metadata(&any, "algorithm", "'ML-KEM-512'");
    assert_damaged(&any, "the Secret's entry ciphertext has 1088 bytes, not 768");
    change_metadata(&any, "algorithm", "'HKDF-SHA256'");
    assert_damaged(&any, "the Secret holds a shared secret of HKDF-SHA256, not of a KEM");
}

static void out_of_memory_is_no_fault_of_the_spec(void **) {
    cleanup_subject struct subject named = encapsulation(1, ",'algorithm':'Kyber768'", "ML-KEM-768");
    assert_survives_lack_of_memory(&named);
    cleanup_subject struct subject any = encapsulation(1, "", nullptr);
    assert_survives_lack_of_memory(&any);
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_pair_of_ours_is_encapsulated_for),
        cmocka_unit_test(a_peer_may_write_its_key_in_many_forms),
        cmocka_unit_test(what_is_no_key_has_no_normal_form),
        cmocka_unit_test(each_encapsulation_is_another_one),
        cmocka_unit_test(the_status_carries_the_ciphertext),
        cmocka_unit_test(the_status_does_not_carry_the_secret),
        cmocka_unit_test(it_asks_for_a_public_key),
        cmocka_unit_test(faults_are_told),
        cmocka_unit_test(another_algorithm_than_the_key_pairs_is_named),
        cmocka_unit_test(another_algorithm_than_a_peers_is_named),
        cmocka_unit_test(what_is_no_key_is_refused),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(each_changed_byte_of_the_ciphertext_is_found),
        cmocka_unit_test(missing_entries_and_wrong_lengths_are_found),
        cmocka_unit_test(another_algorithm_is_found),
        cmocka_unit_test(out_of_memory_is_no_fault_of_the_spec),
    };
    return cmocka_run_group_tests_name("kinds/encapsulate_secret", tests, set_up, tear_down);
}
