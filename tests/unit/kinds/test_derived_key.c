#include "support.h"

static const struct kind *const kind = &kind_derived_key;

// RFC 5869 appendix A.1, whose first 32 bytes a key of ours can have; A.3 is the same with neither salt nor
// info.
#define A1_SALT "000102030405060708090a0b0c"
#define A1_INFO "f0f1f2f3f4f5f6f7f8f9"
#define A1_KEY "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
#define A3_KEY "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"

// 22 bytes of 0b.
static const char a1_secret[] =
    "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b";
enum { A1_SECRET_LENGTH = sizeof(a1_secret) - 1 };

// From that secret, with this in the spec besides the reference.
static struct subject derivation(const char *more) {
    char spec[8000];
    snprintf(spec, sizeof(spec), "{'sharedSecretRef':{'name':'shared'}%s}", more);
    struct subject s = subject_read(kind, spec);
    subject_give(&s, 0, "ML-KEM-768", a1_secret, A1_SECRET_LENGTH);
    return s;
}

static void derives(const char *more, const char *digits) {
    cleanup_subject struct subject s = derivation(more);
    subject_make(&s);
    assert_entries(&s);
    assert_secret_hex(entry_of(&s, "key"), digits);
    assert_string_equal(s.provenance.algorithm, "HKDF-SHA256");
    assert_sound(&s);
}

static void known_keys_are_derived(void **) {
    derives(",'salt':'" A1_SALT "','infoHex':'" A1_INFO "'", A1_KEY);
    derives(",'salt':'000102030405060708090A0B0C','infoHex':'F0F1F2F3F4F5F6F7F8F9','algorithm':'HKDF-SHA256'",
            A1_KEY);
    derives(",'salt':'" A1_SALT "','infoHex':'" A1_INFO "','keyLength':16",
            "3cb25f25faacd57a90434f64d0362f2a");
    derives(",'salt':'" A1_SALT "','infoHex':'" A1_INFO "','keyLength':1", "3c");
    derives("", A3_KEY);
    derives(",'salt':'','info':''", A3_KEY);
    derives(",'salt':null,'infoHex':''", A3_KEY);
}

static void info_is_text_or_digits(void **) {
    cleanup_subject struct subject text = derivation(",'info':'ab'");
    cleanup_subject struct subject digits = derivation(",'infoHex':'6162'");
    cleanup_subject struct subject other = derivation(",'info':'6162'");
    subject_make(&text);
    subject_make(&digits);
    subject_make(&other);
    assert_true(secret_equals(entry_of(&text, "key"), secret_view(entry_of(&digits, "key")), 32));
    assert_false(secret_equals(entry_of(&text, "key"), secret_view(entry_of(&other, "key")), 32));
    // One character of two bytes, by Python's hmac.
    derives(",'info':'\xc3\xa9'", "20fcdd9c2dbbaaf63ef5a8fdeca284276df1419ac4a624c63a07ba1ed1a06ee3");
}

static void all_that_decides_gives_another_key(void **) {
    static const char *const specs[] = {
        "", ",'salt':'00'", ",'salt':'0000'", ",'info':'a'", ",'info':'A'", ",'salt':'61','info':'a'",
    };
    enum { COUNT = sizeof(specs) / sizeof(specs[0]) };
    struct subject made[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        made[i] = derivation(specs[i]);
        subject_make(&made[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < i; j++) {
            // HMAC pads a salt with zeros, so these two are one by the standard.
            bool same = j == 0 && (i == 1 || i == 2);
            same = same || (j == 1 && i == 2);
            assert_true(same ==
                        secret_equals(entry_of(&made[i], "key"), secret_view(entry_of(&made[j], "key")), 32));
        }
    }
    for (size_t i = 0; i < COUNT; i++) {
        subject_free(&made[i]);
    }
}

static void the_type_does_not_change_the_key(void **) {
    derives(",'keyType':'AES-256'", A3_KEY);
    derives(",'keyType':'ChaCha20'", A3_KEY);
    derives(",'keyType':'HMAC-SHA256'", A3_KEY);
    derives(",'keyType':'HMAC-SHA256','keyLength':16", "8da4e775a563c18f715f802a063c5a31");
    derives(",'keyType':null", A3_KEY);
}

static void the_status_tells_what_was_used(void **) {
    static const struct {
        const char *more;
        const char *status;
    } cases[] = {
        {"", "{'keyLength':32}"},
        {",'keyLength':5", "{'keyLength':5}"},
        {",'salt':'0A'", "{'keyLength':32,'usedSalt':'0A'}"},
        {",'info':'for files'", "{'keyLength':32,'usedInfo':'for files'}"},
        {",'infoHex':'0a'", "{'keyLength':32,'usedInfo':'0a'}"},
        {",'salt':'0a','info':'x','keyType':'AES-256'", "{'keyLength':32,'usedSalt':'0a','usedInfo':'x'}"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cleanup_subject struct subject s = derivation(cases[i].more);
        subject_make(&s);
        assert_status(&s, cases[i].status);
        assert_null(s.report.warning);
    }
}

static void a_short_key_has_no_fingerprint(void **) {
    cleanup_subject struct subject fifteen = derivation(",'keyLength':15");
    cleanup_subject struct subject sixteen = derivation(",'keyLength':16");
    subject_make(&fifteen);
    subject_make(&sixteen);
    assert_string_equal(fifteen.report.fingerprint, "");
    assert_fingerprint_of(&sixteen, secret_view(entry_of(&sixteen, "key")), 16);
    assert_sound(&fifteen);
}

// In the order in which they are looked for.
static void it_asks_for_a_shared_secret(void **) {
    cleanup_subject struct subject s = derivation("");
    assert_int_equal(s.decoded.request_count, 1);
    assert_request(&s, 0, "sharedSecretRef", "shared");
    assert_sources(&s, 0,
                   "QuantumEncapsulateSecret:shared_secret! QuantumDecapsulateSecret:shared_secret! "
                   "QuantumRandomNumber:random! Secret:");
    static const char *const kinds[] = {"QuantumEncapsulateSecret", "QuantumDecapsulateSecret",
                                        "QuantumRandomNumber"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        char spec[100];
        snprintf(spec, sizeof(spec), "{'sharedSecretRef':{'name':'a','kind':'%s'}}", kinds[i]);
        cleanup_subject struct subject named = subject_read(kind, spec);
        assert_string_equal(named.decoded.requests[0].reference.kind, kinds[i]);
    }
    assert_good_spec(kind, "{'sharedSecretRef':{'name':'a','kind':'Secret','key':'k'}}");
}

static void faults_are_told(void **) {
    assert_faults(kind, "{}", "spec.sharedSecretRef: is required");
    assert_faults(kind, "{'sharedSecretRef':{'name':'a','kind':'Secret'}}",
                  "spec.sharedSecretRef.key: is required with kind Secret");
    assert_faults(
        kind, "{'sharedSecretRef':{'name':'a','key':'k'}}",
        "spec.sharedSecretRef.key: goes only with kind Secret or ConfigMap; remove it, or set kind");
    assert_faults(kind, "{'sharedSecretRef':{'name':'a','kind':'ConfigMap','key':'k'}}",
                  "spec.sharedSecretRef.kind: ConfigMap is not one of QuantumEncapsulateSecret, "
                  "QuantumDecapsulateSecret, QuantumRandomNumber, Secret");
    assert_faults(kind, "{'sharedSecretRef':{'name':'a'},'algorithm':'HKDF-SHA512'}",
                  "spec.algorithm: HKDF-SHA512 is not one of HKDF-SHA256");
    assert_faults(kind, "{'sharedSecretRef':{'name':'a'},'keyType':'DES'}",
                  "spec.keyType: DES is not one of AES-256, ChaCha20, HMAC-SHA256");
    assert_faults(kind, "{'sharedSecretRef':{'name':'a'},'info':'a','infoHex':'61'}",
                  "spec.infoHex: does not go with spec.info; give one of them");
    assert_faults(
        kind,
        "{'secretName':'a','outputSecretName':'b','keyLength':33,'algorithm':5,'salt':'0','infoHex':'x',"
        "'keyType':'aes-256'}",
        "spec.outputSecretName: b and its other name secretName: a differ; give one of them; "
        "spec.sharedSecretRef: is required; spec.keyLength: 33 is not between 1 and 32; "
        "spec.algorithm: must be a text, not 5; "
        "spec.salt: has 1 hexadecimal digits; an even number from 0 to 2048 is allowed; "
        "spec.infoHex: must be hexadecimal; character 1 is not; "
        "spec.keyType: aes-256 is not one of AES-256, ChaCha20, HMAC-SHA256");
}

// Each of them becomes a part of a path, or of a user's name; the schema is not asked here.
static void a_name_is_no_path(void **) {
    static const struct {
        const char *before;
        const char *after;
        const char *field;
        const char *refusal;
    } fields[] = {
        {"{'sharedSecretRef':{'name':'", "'}}", "sharedSecretRef.name", "is not the name of an object"},
        {"{'sharedSecretRef':{'name':'a','namespace':'", "'}}", "sharedSecretRef.namespace",
         "is not the name of a namespace"},
        {"{'sharedSecretRef':{'name':'a'},'serviceAccountName':'", "'}", "serviceAccountName",
         "is not the name of a ServiceAccount"},
    };
    static const char *const names[] = {"a/b", "..", "../b", "a?b", "a%2Fb", "a:b", "A"};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
            char spec[200];
            char refusal[200];
            snprintf(spec, sizeof(spec), "%s%s%s", fields[i].before, names[k], fields[i].after);
            snprintf(refusal, sizeof(refusal), "spec.%s: \"%s\" %s", fields[i].field, names[k],
                     fields[i].refusal);
            assert_faults(kind, spec, refusal);
        }
    }
}

static void the_length_of_a_key_has_bounds(void **) {
    assert_faults(kind, "{'sharedSecretRef':{'name':'a'},'keyLength':0}",
                  "spec.keyLength: 0 is not between 1 and 32");
    assert_faults(kind, "{'sharedSecretRef':{'name':'a'},'keyLength':33}",
                  "spec.keyLength: 33 is not between 1 and 32");
    assert_faults(kind, "{'sharedSecretRef':{'name':'a'},'keyLength':31,'keyType':'AES-256'}",
                  "spec.keyLength: 31 does not fit keyType AES-256, which takes 32 bytes");
    assert_faults(kind, "{'sharedSecretRef':{'name':'a'},'keyLength':16,'keyType':'ChaCha20'}",
                  "spec.keyLength: 16 does not fit keyType ChaCha20, which takes 32 bytes");
    assert_good_spec(kind, "{'sharedSecretRef':{'name':'a'},'keyLength':16,'keyType':'HMAC-SHA256'}");
}

// "{'sharedSecretRef':..,'field':'aaa'}" of length characters, owned.
static char *filled(const char *field, size_t length) {
    struct error e;
    struct buffer spec = buffer_create(10000);
    must(buffer_append_format(&spec, &e, "{'sharedSecretRef':{'name':'n'},'%s':'", field), e);
    for (size_t i = 0; i < length; i++) {
        must(buffer_append_text(&spec, "a", &e), e);
    }
    must(buffer_append_text(&spec, "'}", &e), e);
    return spec.data;
}

static void salt_and_info_have_bounds(void **) {
    static const struct {
        const char *field;
        size_t max;
    } cases[] = {{"salt", 2048}, {"info", 1024}, {"infoHex", 2048}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char message[200];
        cleanup_text char *longest = filled(cases[i].field, cases[i].max);
        cleanup_text char *longer = filled(cases[i].field, cases[i].max + 1);
        snprintf(message, sizeof(message),
                 "spec.%s: must be a text of at most %zu bytes without NUL; it has %zu", cases[i].field,
                 cases[i].max, cases[i].max + 1);
        cleanup_subject struct subject s = subject_read(kind, longest);
        subject_give(&s, 0, nullptr, a1_secret, A1_SECRET_LENGTH);
        subject_make(&s);
        assert_sound(&s);
        assert_faults(kind, longer, message);
    }
}

// Whatever it came from: it could be searched for.
static void a_short_secret_is_refused(void **) {
    static const size_t lengths[] = {0, 1, 15};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct error e = {0};
        char message[200];
        cleanup_subject struct subject s = derivation("");
        subject_give(&s, 0, nullptr, a1_secret, lengths[i]);
        snprintf(message, sizeof(message),
                 "spec.sharedSecretRef: the secret has %zu bytes; at least 16 are needed", lengths[i]);
        assert_false(subject_try_make(&s, &e));
        assert_int_equal(e.class, ERROR_INVALID_SPEC);
        assert_string_equal(e.message, message);
        assert_int_equal(s.data.count, 0);
        assert_null(s.provenance.algorithm);
    }
    cleanup_subject struct subject s = derivation("");
    subject_give(&s, 0, nullptr, a1_secret, 16);
    subject_make(&s);
    assert_sound(&s);
}

static void a_long_secret_is_taken_whole(void **) {
    static char bytes[65536];
    cleanup_subject struct subject one = derivation("");
    cleanup_subject struct subject other = derivation("");
    subject_give(&one, 0, "system", bytes, sizeof(bytes));
    bytes[sizeof(bytes) - 1] = 1;
    subject_give(&other, 0, "system", bytes, sizeof(bytes));
    subject_make(&one);
    subject_make(&other);
    assert_false(secret_equals(entry_of(&one, "key"), secret_view(entry_of(&other, "key")), 32));
}

static void parameters_of(const char *one, const char *other, bool same) {
    char spec[2][300];
    snprintf(spec[0], sizeof(spec[0]), "{'sharedSecretRef':{'name':'a'}%s}", one);
    snprintf(spec[1], sizeof(spec[1]), "{'sharedSecretRef':{'name':'b'}%s}", other);
    (same ? assert_same_parameters : assert_different_parameters)(kind, spec[0], spec[1]);
}

static void the_parameters_is_of_all_that_decides(void **) {
    parameters_of(",'info':'ab'", ",'infoHex':'6162'", true);
    parameters_of(",'salt':'aB'", ",'salt':'Ab'", true);
    parameters_of(",'salt':'','info':''", "", true);
    parameters_of(",'keyLength':32,'algorithm':'HKDF-SHA256'", ",'secretName':'s'", true);
    parameters_of(",'info':'ab'", ",'info':'abc'", false);
    parameters_of(",'info':'ab'", ",'salt':'6162'", false);
    parameters_of(",'salt':'00'", ",'salt':'0000'", false);
    parameters_of(",'salt':'00'", "", false);
    parameters_of(",'keyLength':31", "", false);
    parameters_of(",'keyType':'AES-256'", "", false);
    parameters_of(",'keyType':'AES-256'", ",'keyType':'ChaCha20'", false);
}

// ---- damage

static void damage_is_found(void **) {
    static const char *const specs[] = {"", ",'keyLength':16", ",'salt':'00','info':'x','keyType':'AES-256'"};
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        cleanup_subject struct subject s = derivation(specs[i]);
        subject_make(&s);
        assert_damage_is_found(&s);
        assert_bad_metadata_is_found(&s);
        for (size_t j = 0; j < secret_length(entry_of(&s, "key")); j++) {
            change_byte(&s, "key", j);
            assert_damaged(&s, "the Secret's entry key is not the one that its metadata was written for");
            change_byte(&s, "key", j);
        }
    }
}

static void missing_entries_and_wrong_lengths_are_found(void **) {
    static const char zeros[33];
    cleanup_subject struct subject s = derivation("");
    subject_make(&s);
    replace_entry(&s, "key", zeros, 31);
    assert_inspection_fails(&s, "the Secret's entry key has 31 bytes, not 32");
    replace_entry(&s, "key", zeros, 33);
    assert_inspection_fails(&s, "the Secret's entry key has 33 bytes, not 32");
    secret_free(remove_entry(&s, "key"));
    assert_inspection_fails(&s, "the Secret's entry key is missing");
}

static void what_another_spec_derived_is_found(void **) {
    static const char *const specs[] = {"", ",'salt':'00'", ",'info':'a'", ",'keyLength':31",
                                        ",'keyType':'AES-256'"};
    enum { COUNT = sizeof(specs) / sizeof(specs[0]) };
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < COUNT; j++) {
            cleanup_subject struct subject maker = derivation(specs[i]);
            cleanup_subject struct subject judge = derivation(specs[j]);
            subject_make(&maker);
            judge.data = maker.data;
            maker.data = (struct secret_data){0};
            if (i == j) {
                assert_sound(&judge);
            } else {
                assert_damaged(&judge, "");
            }
        }
    }
    cleanup_subject struct subject s = derivation("");
    subject_make(&s);
    change_metadata(&s, "algorithm", "'ML-KEM-768'");
    assert_damaged(&s, "the Secret holds a key of ML-KEM-768, not of HKDF-SHA256");
}

static void out_of_memory_is_no_fault_of_the_spec(void **) {
    cleanup_subject struct subject s = derivation(",'salt':'00','info':'x'");
    assert_survives_lack_of_memory(&s);
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_keys_are_derived),
        cmocka_unit_test(info_is_text_or_digits),
        cmocka_unit_test(all_that_decides_gives_another_key),
        cmocka_unit_test(the_type_does_not_change_the_key),
        cmocka_unit_test(the_status_tells_what_was_used),
        cmocka_unit_test(a_short_key_has_no_fingerprint),
        cmocka_unit_test(it_asks_for_a_shared_secret),
        cmocka_unit_test(faults_are_told),
        cmocka_unit_test(a_name_is_no_path),
        cmocka_unit_test(the_length_of_a_key_has_bounds),
        cmocka_unit_test(salt_and_info_have_bounds),
        cmocka_unit_test(a_short_secret_is_refused),
        cmocka_unit_test(a_long_secret_is_taken_whole),
        cmocka_unit_test(the_parameters_is_of_all_that_decides),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(missing_entries_and_wrong_lengths_are_found),
        cmocka_unit_test(what_another_spec_derived_is_found),
        cmocka_unit_test(out_of_memory_is_no_fault_of_the_spec),
    };
    return cmocka_run_group_tests_name("kinds/derived_key", tests, nullptr, no_secret_is_left);
}
