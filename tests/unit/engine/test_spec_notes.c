// What a reader tells its listener: each fault in full, with its field, and each warning.
#include "../base/check.h"
#include "../json/quoted.h"

#include "base/memory.h"
#include "kinds/table.h"

#include <stdio.h>

enum { HEARD_MAX = 64 * 1024, FAULTS_MAX = 900 };

static struct buffer heard; // a line for each note

static void hear(void *context, enum spec_note note, const char *field, const char *message) {
    assert_ptr_equal(context, &heard);
    say(&heard, "%s %s: %s\n", note == SPEC_FAULT ? "fault" : "warning", field, message);
}

static struct spec_reader listening(void) {
    return (struct spec_reader){.faults = buffer_create(FAULTS_MAX), .listener = hear, .context = &heard};
}

// A whole spec of kind, in which ' stands for "; whether it is good.
static bool read_spec(const struct kind *kind, const char *text) {
    struct error e;
    cleanup_json yyjson_doc *document = parse_quoted(text);
    struct spec_reader reader = listening();
    void *spec = memory_allocate_zeroed(1, kind->spec_size);
    buffer_done(&heard);
    spec_begin(&reader, yyjson_doc_get_root(document));
    if (kind->entries != nullptr) {
        struct common_spec common = {0};
        kind_read_common(kind, &reader, &common);
    }
    kind_read_spec(kind, &reader, spec);
    if (kind->free_spec != nullptr) {
        kind->free_spec(spec);
    }
    memory_free(spec);
    return spec_finish(&reader, &e);
}

// It is good, and these are all warnings of it.
static void warns(const struct kind *kind, const char *text, const char *expected) {
    assert_true(read_spec(kind, text));
    assert_string_equal(buffer_text(&heard), expected);
}

static void each_fault_has_its_field(void **) {
    assert_false(read_spec(&kind_random_number,
                           "{'numBytes':0,'provider':'dice','seed':7,'secretTemplate':{'labels':{'a':1}}}"));
    assert_string_equal(buffer_text(&heard),
                        "fault spec.secretTemplate.labels: the value of a must be a text, not 1\n"
                        "fault spec.numBytes: 0 is not between 1 and 65536\n"
                        "fault spec.provider: dice is not one of system, OpenSSL\n"
                        "fault spec.seed: must be a text of hexadecimal digits\n");
    assert_false(
        read_spec(&kind_certificate, "{'commonName':'x','subjectAltNames':['a b','ok.example.com','*']}"));
    assert_ptr_equal(strstr(buffer_text(&heard), "fault spec.subjectAltNames[0]: \"a b\": "), heard.data);
    assert_non_null(strstr(buffer_text(&heard), "\nfault spec.subjectAltNames[2]: \"*\": "));
}

static void each_part_of_a_subject_is_told(void **) {
    assert_false(
        read_spec(&kind_certificate, "{'commonName':'a\\u0007','country':'de','organization':'\\n'}"));
    assert_string_equal(buffer_text(&heard),
                        "fault spec.country: must be two upper-case letters (ISO 3166)\n"
                        "fault spec.organization: must be UTF-8 without control characters\n"
                        "fault spec.commonName: must be UTF-8 without control characters\n");
}

static void a_spec_is_an_object(void **) {
    static const char *const bad[] = {"'text'", "5", "[]", "true"};
    static const char *const told[] = {"the text \"text\"", "5", "an array", "true"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char expected[100];
        snprintf(expected, sizeof(expected), "fault spec: must be an object, not %s\n", told[i]);
        assert_false(read_spec(&kind_random_number, bad[i]));
        assert_string_equal(buffer_text(&heard), expected);
        struct error e = {0};
        cleanup_json yyjson_doc *document = parse_quoted(bad[i]);
        struct spec_reader reader = listening();
        spec_begin(&reader, yyjson_doc_get_root(document));
        must_fail(spec_finish(&reader, &e), e, ERROR_INVALID_SPEC, "spec: must be an object, not ");
    }
    warns(&kind_random_number, "null", "");
}

// The joined text has no room for it all, the listener has.
static void a_long_list_of_choices_is_told_in_full(void **) {
    assert_false(read_spec(&kind_signature_key_pair, "{'algorithm':'RSA'}"));
    assert_non_null(strstr(buffer_text(&heard), "fault spec.algorithm: RSA is not one of ML-DSA-44, "));
    assert_non_null(strstr(buffer_text(&heard), ", SLH-DSA-SHAKE-256f\n"));
}

static void faults_without_number_are_all_told(void **) {
    struct error e = {0};
    struct spec_reader reader = listening();
    size_t lines = 0;
    buffer_done(&heard);
    for (int i = 0; i < 1000; i++) {
        spec_field_error(&reader, "field%d: is wrong", i);
    }
    assert_false(spec_finish(&reader, &e));
    for (const char *c = buffer_text(&heard); *c != '\0'; c++) {
        lines += *c == '\n' ? 1 : 0;
    }
    assert_int_equal(lines, 1000);
}

static void what_is_cut_stays_text(void **) {
    char long_one[2000] = "";
    for (size_t i = 0; i < 999; i++) {
        memcpy(long_one + 2 * i, "\xc3\xa9", 3);
    }
    struct error e;
    struct spec_reader reader = listening();
    buffer_done(&heard);
    spec_field_error(&reader, "a: %s", long_one);
    spec_field_error(&reader, "ab: %s", long_one);
    spec_warning(&reader, "a: %s", long_one);
    assert_false(spec_finish(&reader, &e));
    for (size_t i = 1; i < heard.length; i++) {
        bool starts = (unsigned char)heard.data[i - 1] == 0xc3;
        assert_true(starts == ((unsigned char)heard.data[i] == 0xa9));
    }
}

static void a_warning_is_no_fault(void **) {
    struct error e;
    struct spec_reader reader = listening();
    buffer_done(&heard);
    spec_warning(&reader, "%s: is %s", "field", "odd");
    assert_string_equal(buffer_text(&heard), "warning spec.field: is odd\n");
    assert_int_equal(reader.fault_count, 0);
    must(spec_finish(&reader, &e), e);
    struct spec_reader deaf = {.faults = buffer_create(FAULTS_MAX)};
    spec_warning(&deaf, "field: is odd");
    must(spec_finish(&deaf, &e), e);
}

#define ALIAS(alias, field)                                                                                  \
    "warning spec." alias ": is another name of spec." field ", which is the usual one\n"
#define SEED                                                                                                 \
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000005a"

static void other_names_are_warned_of(void **) {
    warns(&kind_random_number, "{'bytes':32,'secretName':'a'}",
          ALIAS("secretName", "outputSecretName") ALIAS("bytes", "numBytes"));
    warns(&kind_random_number, "{'numBytes':32,'outputSecretName':'a'}", "");
    warns(&kind_certificate, "{'domain':'a.example.com','days':30}",
          ALIAS("days", "durationDays") ALIAS("domain", "subjectAltNames"));
    warns(&kind_certificate, "{'subjectAltNames':['a.example.com'],'durationDays':30}", "");
    warns(&kind_kem_key_pair, "{'algorithm':'Kyber768'}",
          "warning spec.algorithm: Kyber768 is another name of ML-KEM-768, which is the usual one\n");
    warns(
        &kind_sign_message,
        "{'algorithm':'CRYSTALS-Dilithium3','privateKeyRef':{'name':'a'},'messageRef':{'name':'b'}}",
        "warning spec.algorithm: CRYSTALS-Dilithium3 is another name of ML-DSA-65, which is the usual one\n");
    warns(&kind_sign_message,
          "{'algorithm':'ML-DSA-65','privateKeyRef':{'name':'a'},'messageRef':{'name':'b'}}", "");
}

static void what_is_weak_is_warned_of(void **) {
    static const char weak[] =
        "warning spec.algorithm: ML-KEM-512 has the lowest security category, 1; take a "
        "higher one unless sizes are pressing\n";
    warns(&kind_kem_key_pair, "{'algorithm':'ML-KEM-512'}", weak);
    warns(&kind_encapsulate_secret, "{'algorithm':'ML-KEM-512','publicKeyRef':{'name':'a'}}", weak);
    warns(&kind_kem_key_pair, "{'algorithm':'ML-KEM-768'}", "");
    warns(&kind_kem_key_pair, "{}", "");
    warns(&kind_random_number, "{'numBytes':15}",
          "warning spec.numBytes: fewer than 16 bytes can be guessed; make no key of them\n");
    warns(&kind_random_number, "{'numBytes':16}", "");
    warns(&kind_derived_key, "{'keyLength':15,'sharedSecretRef':{'name':'a'}}",
          "warning spec.keyLength: a key of fewer than 16 bytes can be guessed\n");
    warns(&kind_derived_key, "{'keyLength':16,'sharedSecretRef':{'name':'a'}}", "");
}

static void seeds_are_warned_of_and_not_repeated(void **) {
    warns(&kind_random_number, "{'seed':'" SEED "'}",
          "warning spec.seed: whoever knows the seed knows these bytes; use it for test vectors only\n");
    warns(&kind_random_number, "{'seedURI':'https://host/5a5a'}",
          "warning spec.seedURI: whoever knows the seed knows these bytes; use it for test vectors only\n");
    assert_false(read_spec(&kind_random_number, "{'seed':'5a5a'}"));
    assert_null(strstr(buffer_text(&heard), "5a"));
    assert_false(read_spec(&kind_random_number, "{'seed':5050}"));
    assert_null(strstr(buffer_text(&heard), "50"));
    assert_false(read_spec(&kind_random_number, "{'seed':'" SEED "','seedURI':'https://host/'}"));
    assert_null(strstr(buffer_text(&heard), "5a"));
}

static void a_long_life_is_warned_of_where_nobody_can_revoke(void **) {
    static const char end[] =
        ": a self-signed certificate of ten years or more cannot be revoked; renew it instead\n";
    char expected[200];
    snprintf(expected, sizeof(expected), "warning spec.durationDays%s", end);
    warns(&kind_certificate, "{'commonName':'x','durationDays':3650}", expected);
    warns(&kind_certificate, "{'commonName':'x','durationDays':3649}", "");
    warns(&kind_certificate, "{'commonName':'A person'}",
          "warning spec.subjectAltNames: without names no client takes the certificate for a server's\n");
    warns(&kind_certificate, "{'commonName':'A person','certType':'ca'}", "");
    warns(&kind_certificate, "{'commonName':'x','certType':'ca','durationDays':3650}", "");
    snprintf(expected, sizeof(expected), "warning spec.duration%s", end);
    warns(&kind_certificate, "{'commonName':'x','duration':'87600h'}", expected);
    warns(&kind_certificate, "{'commonName':'x','duration':'87599h'}", "");
}

static void renewals_that_leave_no_time_are_warned_of(void **) {
    static const struct {
        const char *life;
        bool is_warned_of;
    } rows[] = {
        {"'duration':'10m','renewBefore':'99%'", true},
        {"'duration':'10m','renewBefore':'95%'", true},
        {"'duration':'10m','renewBefore':'94%'", false},
        {"'duration':'10m','renewBefore':'9m30s'", true},
        {"'duration':'10m','renewBefore':'8m31s'", true},
        {"'duration':'10m','renewBefore':'8m30s'", false},
        {"'duration':'1m','renewBefore':'25s'", true},
        {"'duration':'1m','renewBefore':'24s'", false},
        {"'duration':'1m'", false},
        {"'renewBefore':'99%'", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char spec[200];
        snprintf(spec, sizeof(spec), "{'subjectAltNames':['a.example'],%s}", rows[i].life);
        warns(&kind_certificate, spec,
              rows[i].is_warned_of
                  ? "warning spec.renewBefore: leaves less than 30 s between two renewals, which "
                    "then slow down until the certificate is about to end\n"
                  : "");
    }
}

static void test_trap_50_what_tls_cannot_serve_is_warned_of(void **) {
    static const char warning[] = "warning spec.algorithm: TLS cannot use a certificate with a key of "
                                  "SLH-DSA-SHA2-128f; take ML-DSA\n";
#define WITH(type)                                                                                           \
    "{'algorithm':'SLH-DSA-SHA2-128f','subjectAltNames':['a.example'],'certType':'" type                     \
    "','parentCARef':{'name':'a'}"                                                                           \
    "}"
    warns(&kind_certificate, WITH("server"), warning);
    warns(&kind_certificate, WITH("client"), warning);
    warns(&kind_certificate, "{'algorithm':'SLH-DSA-SHA2-128f','commonName':'a','certType':'ca'}", "");
    warns(&kind_certificate, "{'algorithm':'SLH-DSA-SHA2-128f','commonName':'a'}", "");
    warns(&kind_certificate,
          "{'algorithm':'ML-DSA-87','subjectAltNames':['a.example'],'certType':'server','parentCARef':{'name'"
          ":'a'}}",
          "");
}

static void what_is_not_read_is_warned_of(void **) {
    char spec[4000] = "{'privateKeyRef':{'name':'a'},'ciphertextRef':{'name':'b'},'ciphertext':'";
    size_t used = strlen(spec);
    memset(spec + used, '0', 1536);
    memcpy(spec + used + 1536, "'}", 3);
    warns(&kind_decapsulate_secret, spec,
          "warning spec.ciphertextRef: is not read, since spec.ciphertext is given\n");
}

// The API server cuts a warning after 256 bytes.
static void warnings_are_short(void **) {
    assert_true(
        read_spec(&kind_signature_key_pair, "{'algorithm':'SPHINCS+-SHAKE-128f-simple','secretName':'a'}"));
    for (const char *line = buffer_text(&heard); *line != '\0'; line = strchr(line, '\n') + 1) {
        assert_in_range(strcspn(line, "\n") - strlen("warning "), 1, 120);
    }
}

static int tear_down(void **) {
    buffer_done(&heard);
    return 0;
}

int main(void) {
    heard = buffer_create(HEARD_MAX);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_has_its_field),
        cmocka_unit_test(each_part_of_a_subject_is_told),
        cmocka_unit_test(a_spec_is_an_object),
        cmocka_unit_test(a_long_list_of_choices_is_told_in_full),
        cmocka_unit_test(faults_without_number_are_all_told),
        cmocka_unit_test(what_is_cut_stays_text),
        cmocka_unit_test(a_warning_is_no_fault),
        cmocka_unit_test(other_names_are_warned_of),
        cmocka_unit_test(what_is_weak_is_warned_of),
        cmocka_unit_test(seeds_are_warned_of_and_not_repeated),
        cmocka_unit_test(a_long_life_is_warned_of_where_nobody_can_revoke),
        cmocka_unit_test(renewals_that_leave_no_time_are_warned_of),
        cmocka_unit_test(test_trap_50_what_tls_cannot_serve_is_warned_of),
        cmocka_unit_test(what_is_not_read_is_warned_of),
        cmocka_unit_test(warnings_are_short),
    };
    return cmocka_run_group_tests_name("kinds/spec_notes", tests, nullptr, tear_down);
}
