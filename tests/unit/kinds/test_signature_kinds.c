// QuantumSignatureKeyPair, QuantumSignMessage and QuantumVerifySignature, each with what the one before made.
#include "support.h"

#include "crypto/signature.h"

static const struct kind *const pair_kind = &kind_signature_key_pair;
static const struct kind *const sign_kind = &kind_sign_message;
static const struct kind *const verify_kind = &kind_verify_signature;

static const char message[] = "a message";

// ---- key pairs

static struct subject pair_of(const char *algorithm) {
    char spec[100];
    snprintf(spec, sizeof(spec), "{'algorithm':'%s'}", algorithm);
    struct subject s = subject_read(pair_kind, spec);
    subject_make(&s);
    return s;
}

static void each_algorithm_has_its_pair(void **) {
    static const char *const names[][2] = {{"ML-DSA-44", "ML-DSA-44"},
                                           {"Dilithium3", "ML-DSA-65"},
                                           {"CRYSTALS-Dilithium5", "ML-DSA-87"},
                                           {"SPHINCS+-SHA2-128f-simple", "SLH-DSA-SHA2-128f"},
                                           {"SLH-DSA-SHAKE-256s", "SLH-DSA-SHAKE-256s"}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        cleanup_subject struct subject s = pair_of(names[i][0]);
        const struct algorithm *algorithm = algorithm_find(ALGORITHM_SIGNATURE, names[i][1]);
        assert_entries(&s);
        assert_sound(&s);
        assert_string_equal(s.provenance.algorithm, names[i][1]);
        assert_int_equal(secret_length(entry_of(&s, "public_key")), algorithm->public_key_size);
        assert_int_equal(secret_length(entry_of(&s, "private_key")), algorithm->private_key_size);
        assert_int_equal(pair_kind->is_slow(s.decoded.spec, s.inputs), algorithm->is_slow);
    }
    cleanup_subject struct subject s = subject_read(pair_kind, "{}");
    subject_make(&s);
    assert_string_equal(s.provenance.algorithm, "ML-DSA-65");
}

static void damaged_pairs_are_found(void **) {
    static const char *const names[] = {"ML-DSA-44", "SLH-DSA-SHA2-128f"};
    for (size_t i = 0; i < 2; i++) {
        cleanup_subject struct subject s = pair_of(names[i]);
        cleanup_subject struct subject other = pair_of(names[i]);
        assert_damage_is_found(&s);
        for (const char *const *key = pair_kind->entries; *key != nullptr; key++) {
            cleanup_secret struct secret *own = nullptr;
            struct error e;
            must(secret_copy(secret_view(entry_of(&s, *key)), secret_length(entry_of(&s, *key)), &own, &e),
                 e);
            take_entry(&s, *key, &other);
            assert_inspection_fails(&s, "");
            replace_entry(&s, *key, secret_view(own), secret_length(own));
        }
        assert_sound(&s);
    }
}

static void falcon_is_refused(void **) {
    struct error e;
    cleanup_subject struct subject s = {0};
    must_fail(subject_try_read(pair_kind, "{'algorithm':'Falcon512'}", &s, &e), e, ERROR_INVALID_SPEC,
              "spec.algorithm: Falcon512 needs an OpenSSL provider");
}

static void bad_pair_specs(void **) {
    struct error e;
    cleanup_subject struct subject s = {0};
    must_fail(subject_try_read(pair_kind, "{'algorithm':'ML-KEM-768'}", &s, &e), e, ERROR_INVALID_SPEC,
              "spec.algorithm: ML-KEM-768 is not one of ML-DSA-44, ML-DSA-65");
}

static void a_pair_without_memory(void **) {
    cleanup_subject struct subject s = subject_read(pair_kind, "{'algorithm':'ML-DSA-44'}");
    assert_survives_lack_of_memory(&s);
}

// ---- signatures

static void give_message(struct subject *s) {
    subject_give(s, 1, nullptr, message, sizeof(message) - 1);
}

// A signing with that pair's key, and with more in the spec.
static struct subject signing(const struct subject *pair, const char *more) {
    char spec[600];
    snprintf(spec, sizeof(spec), "{'privateKeyRef':{'name':'pair'},'messageRef':{'name':'m'}%s}", more);
    struct subject s = subject_read(sign_kind, spec);
    subject_give_secret(&s, 0, pair->provenance.algorithm, entry_of(pair, "private_key"));
    give_message(&s);
    return s;
}

static struct subject verifying(const struct subject *pair, const struct subject *signed_one,
                                const char *more) {
    char spec[600];
    snprintf(spec, sizeof(spec),
             "{'publicKeyRef':{'name':'pair'},'messageRef':{'name':'m'},'signatureRef':{'name':'s'}%s}",
             more);
    struct subject s = subject_read(verify_kind, spec);
    subject_give_secret(&s, 0, pair->provenance.algorithm, entry_of(pair, "public_key.pem"));
    give_message(&s);
    subject_give_secret(&s, 2, signed_one->provenance.algorithm, entry_of(signed_one, "signature"));
    return s;
}

static void assert_verdict(struct subject *s, bool valid) {
    struct error e;
    must(subject_try_verdict(s, &e), e);
    assert_string_equal(s->report.outcome, valid ? "Valid" : "Invalid");
    assert_string_equal(s->report.reason, valid ? "SignatureValid" : "SignatureInvalid");
    assert_int_equal(s->report.is_alarming, !valid);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(s->report.status);
    assert_int_equal(yyjson_mut_get_bool(yyjson_mut_obj_get(root, "verified")), valid);
    assert_string_equal(status_text(s, "lastCheckedTime"), some_time);
}

static void what_is_signed_verifies(void **) {
    static const char *const names[] = {"ML-DSA-44", "ML-DSA-87", "SLH-DSA-SHAKE-128f"};
    for (size_t i = 0; i < 3; i++) {
        cleanup_subject struct subject pair = pair_of(names[i]);
        cleanup_subject struct subject s = signing(&pair, ",'context':'c'");
        subject_make(&s);
        assert_entries(&s);
        assert_sound(&s);
        assert_damage_is_found(&s);
        assert_public_digest(&s, entry_of(&s, "signature"));
        yyjson_mut_val *root = yyjson_mut_doc_get_root(s.report.status);
        yyjson_mut_val *reference = yyjson_mut_obj_get(root, "signatureReference");
        assert_string_equal(yyjson_mut_get_str(yyjson_mut_obj_get(reference, "name")), "the-secret");
        assert_string_equal(yyjson_mut_get_str(yyjson_mut_obj_get(reference, "key")), "signature");
        cleanup_subject struct subject right = verifying(&pair, &s, ",'context':'c'");
        assert_verdict(&right, true);
        assert_public_digest(&right, entry_of(&pair, "public_key"));
        cleanup_subject struct subject wrong = verifying(&pair, &s, "");
        assert_verdict(&wrong, false);
        assert_string_equal(
            wrong.report.message,
            "the signature is not the public key's over this message without a context; where "
            "the signer has used one, spec.context must be the same");
        cleanup_subject struct subject other = verifying(&pair, &s, ",'context':'d'");
        assert_verdict(&other, false);
        assert_string_equal(other.report.message,
                            "the signature is not the public key's over this message and context");
    }
}

// A message of a Secret that is short could be searched for; what is no secret may be as short as it likes.
static void a_short_secret_message_has_no_fingerprint(void **) {
    static const char text[] = "0123456789abcdef0123456789abcdef0123456789";
    static const struct {
        size_t length;
        bool is_confidential;
        bool is_shown;
    } cases[] = {{0, true, false}, {1, true, false}, {31, true, false}, {32, true, true}, {33, true, true},
                 {0, false, true}, {1, false, true}, {31, false, true}, {32, false, true}};
    struct error e;
    cleanup_subject struct subject pair = pair_of("ML-DSA-44");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char fingerprint[FINGERPRINT_SIZE] = "";
        cleanup_subject struct subject s = signing(&pair, "");
        subject_give(&s, 1, nullptr, text, cases[i].length);
        s.inputs[1].is_confidential = cases[i].is_confidential;
        subject_make(&s);
        cleanup_subject struct subject verdict = verifying(&pair, &s, "");
        subject_give(&verdict, 1, nullptr, text, cases[i].length);
        verdict.inputs[1].is_confidential = cases[i].is_confidential;
        assert_verdict(&verdict, true);
        if (cases[i].is_shown) {
            must(fingerprint_compute(text, cases[i].length, fingerprint, &e), e);
        }
        assert_string_equal(status_member(&s.report, "messageFingerprint"), fingerprint);
        assert_string_equal(status_member(&verdict.report, "messageFingerprint"), fingerprint);
        assert_sound(&s);
        assert_string_equal(status_member(&s.report, "messageFingerprint"), fingerprint);
    }
}

// A signature is longer than that, wherever it comes from; the public key has its full digest, too.
static void what_is_judged_is_named(void **) {
    cleanup_subject struct subject pair = pair_of("ML-DSA-44");
    cleanup_subject struct subject s = signing(&pair, "");
    subject_make(&s);
    cleanup_subject struct subject verdict = verifying(&pair, &s, "");
    verdict.inputs[2].is_confidential = true;
    assert_verdict(&verdict, true);
    assert_string_equal(status_text(&verdict, "signatureFingerprint"), s.report.fingerprint);
    assert_string_equal(status_text(&verdict, "publicKeyFingerprint"), pair.report.fingerprint);
    assert_string_equal(verdict.report.digest, pair.report.digest);
}

static void the_entry_is_the_specs(void **) {
    cleanup_subject struct subject pair = pair_of("ML-DSA-44");
    cleanup_subject struct subject s = signing(&pair, ",'signatureKey':'my.sig'");
    assert_string_equal(kind_entry(sign_kind, s.decoded.spec, 0), "my.sig");
    assert_null(kind_entry(sign_kind, s.decoded.spec, 1));
    subject_make(&s);
    (void)entry_of(&s, "my.sig");
    assert_null(secret_data_get(&s.data, "signature"));
}

static void slow_sets_are_announced(void **) {
    cleanup_subject struct subject pair = pair_of("ML-DSA-44");
    cleanup_subject struct subject s = signing(&pair, "");
    assert_false(sign_kind->is_slow(s.decoded.spec, s.inputs));
    s.inputs[0].algorithm = "SLH-DSA-SHA2-256s";
    assert_true(sign_kind->is_slow(s.decoded.spec, s.inputs));
}

static void parameters(void **) {
    static const char base[] = "{'privateKeyRef':{'name':'a'},'messageRef':{'name':'m'}";
    char one[200];
    char other[200];
    snprintf(one, sizeof(one), "%s}", base);
    snprintf(other, sizeof(other), "%s,'context':'','signatureKey':'signature','messageKey':'x'}", base);
    assert_same_parameters(sign_kind, one, other);
    snprintf(other, sizeof(other), "%s,'context':'c'}", base);
    assert_different_parameters(sign_kind, one, other);
    snprintf(other, sizeof(other), "%s,'signatureKey':'s'}", base);
    assert_different_parameters(sign_kind, one, other);
    snprintf(other, sizeof(other), "%s,'context':'\xc3\xbc','signatureKey':'s'}", base);
    cleanup_text char *text = parameters_text(other, sign_kind);
    assert_string_equal(text, "signatureKey=s context=c3bc");
}

static void bad_signing_specs(void **) {
    assert_faults(sign_kind, "{}", "spec.privateKeyRef: is required; spec.messageRef: is required");
    assert_faults(sign_kind,
                  "{'privateKeyRef':{'name':'a'},'messageRef':{'name':'m','key':'a'},'messageKey':'b'}",
                  "spec.messageRef.key: a and its other name messageKey: b differ; give one of them");
    assert_faults(sign_kind, "{'privateKeyRef':{'name':'a'},'messageRef':{'name':'m'},'messageKey':'a/b'}",
                  "spec.messageKey: \"a/b\" is not the name of an entry: letters, digits, '-', '_' and '.'");
    assert_faults(sign_kind, "{'privateKeyRef':{'name':'a'},'messageRef':{'name':'m','kind':'Pod'}}",
                  "spec.messageRef.kind: Pod is not one of Secret, ConfigMap");
    assert_faults(
        sign_kind, "{'privateKeyRef':{'name':'a'},'messageRef':{'name':'m'},'signatureKey':'metadata'}",
        "spec.signatureKey: \"metadata\" is not allowed: letters, digits, '-', '_' and '.', and not "
        "metadata, which the Secret has besides");
    char context[257] = {0};
    char spec[500];
    memset(context, 'c', 256);
    snprintf(spec, sizeof(spec), "{'privateKeyRef':{'name':'a'},'messageRef':{'name':'m'},'context':'%s'}",
             context);
    assert_faults(sign_kind, spec,
                  "spec.context: must be a text of at most 255 bytes without NUL; it has 256");
    assert_good_spec(sign_kind,
                     "{'privateKeyRef':{'name':'a'},'messageRef':{'name':'m','kind':'ConfigMap'}}");
}

static void another_algorithm_than_the_keys(void **) {
    struct error e;
    cleanup_subject struct subject pair = pair_of("ML-DSA-44");
    cleanup_subject struct subject s = signing(&pair, ",'algorithm':'ML-DSA-65'");
    must_fail(subject_try_make(&s, &e), e, ERROR_INVALID_SPEC,
              "spec.algorithm: ML-DSA-65 does not match spec.privateKeyRef, which is of ML-DSA-44");
}

static void a_signature_without_memory(void **) {
    cleanup_subject struct subject pair = pair_of("ML-DSA-44");
    cleanup_subject struct subject s = signing(&pair, "");
    assert_survives_lack_of_memory(&s);
}

// ---- verification

static void what_a_verification_reads(void **) {
    cleanup_subject struct subject pair = pair_of("ML-DSA-44");
    cleanup_subject struct subject signed_one = signing(&pair, "");
    subject_make(&signed_one);
    cleanup_subject struct subject s = verifying(&pair, &signed_one, "");
    assert_request(&s, 0, "publicKeyRef", "pair");
    assert_request(&s, 1, "messageRef", "m");
    assert_request(&s, 2, "signatureRef", "s");
    assert_sources(&s, 0,
                   "QuantumSignatureKeyPair:public_key.pem! QuantumCertificate:cert.pem Secret: ConfigMap:");
    assert_sources(&s, 1, "Secret:! ConfigMap:");
    assert_sources(&s, 2, "QuantumSignMessage:signature! Secret:! ConfigMap:");
    assert_null(verify_kind->entries);
}

static void normal_forms(void **) {
    struct error e;
    cleanup_subject struct subject pair = pair_of("ML-DSA-44");
    cleanup_subject struct subject signed_one = signing(&pair, "");
    subject_make(&signed_one);
    cleanup_subject struct subject s = verifying(&pair, &signed_one, "");
    const struct secret *pem = entry_of(&pair, "public_key.pem");
    const struct secret *signature = entry_of(&signed_one, "signature");
    subject_give_secret(&s, 0, nullptr, entry_of(&pair, "public_key")); // raw
    assert_normal(&s, 0, secret_view(pem), secret_length(pem));
    cleanup_buffer struct buffer text = buffer_create(10000);
    must(base64_encode(secret_view(signature), secret_length(signature), &text, &e), e);
    subject_give(&s, 2, nullptr, text.data, text.length);
    assert_normal(&s, 2, secret_view(signature), secret_length(signature));
    struct secret *none = nullptr;
    must(verify_kind->normalize(s.decoded.spec, s.inputs, 1, &none, &e), e);
    assert_null(none); // a message is as it is
}

static void what_cannot_be_judged(void **) {
    struct error e;
    struct secret *none = nullptr;
    cleanup_subject struct subject pair = pair_of("ML-DSA-44");
    cleanup_subject struct subject signed_one = signing(&pair, "");
    subject_make(&signed_one);
    cleanup_subject struct subject s = verifying(&pair, &signed_one, "");
    subject_give(&s, 2, nullptr, "short", 5);
    must_fail(verify_kind->normalize(s.decoded.spec, s.inputs, 2, &none, &e), e, ERROR_INVALID_SPEC,
              "spec.signatureRef: a signature of ML-DSA-44 has 2420 bytes");
    subject_give(&s, 2, "ML-DSA-65", "short", 5);
    must_fail(verify_kind->normalize(s.decoded.spec, s.inputs, 2, &none, &e), e, ERROR_INVALID_SPEC,
              "spec.signatureRef is of ML-DSA-65, and spec.publicKeyRef of ML-DSA-44");
    subject_give(&s, 0, nullptr, "no key", 6);
    must_fail(verify_kind->normalize(s.decoded.spec, s.inputs, 0, &none, &e), e, ERROR_INVALID_SPEC,
              "spec.publicKeyRef: not a public key of any signature algorithm");
    assert_null(none);
}

static void a_verification_without_memory(void **) {
    cleanup_subject struct subject pair = pair_of("ML-DSA-44");
    cleanup_subject struct subject signed_one = signing(&pair, "");
    subject_make(&signed_one);
    cleanup_subject struct subject s = verifying(&pair, &signed_one, "");
    assert_verdict(&s, true);
    bool evaluated = false;
    for (long rounds = 0; !evaluated && rounds < OUT_OF_MEMORY_ROUNDS; rounds++) {
        struct error e;
        memory_left = rounds;
        evaluated = subject_try_verdict(&s, &e);
        memory_left = -1;
        assert_true(evaluated || e.class == ERROR_NO_MEMORY); // never that the signature is wrong
    }
    assert_verdict(&s, true);
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_algorithm_has_its_pair),
        cmocka_unit_test(damaged_pairs_are_found),
        cmocka_unit_test(falcon_is_refused),
        cmocka_unit_test(bad_pair_specs),
        cmocka_unit_test(a_pair_without_memory),
        cmocka_unit_test(what_is_signed_verifies),
        cmocka_unit_test(a_short_secret_message_has_no_fingerprint),
        cmocka_unit_test(what_is_judged_is_named),
        cmocka_unit_test(the_entry_is_the_specs),
        cmocka_unit_test(slow_sets_are_announced),
        cmocka_unit_test(parameters),
        cmocka_unit_test(bad_signing_specs),
        cmocka_unit_test(another_algorithm_than_the_keys),
        cmocka_unit_test(a_signature_without_memory),
        cmocka_unit_test(what_a_verification_reads),
        cmocka_unit_test(normal_forms),
        cmocka_unit_test(what_cannot_be_judged),
        cmocka_unit_test(a_verification_without_memory),
    };
    return cmocka_run_group_tests_name("kinds/signature_kinds", tests, nullptr, no_secret_is_left);
}
