#include "../base/check.h"
#include "../base/short_memory.h"
#include "../json/quoted.h"

#include "base/duration.h"
#include "crypto/algorithm.h"
#include "engine/kind.h"
#include "engine/spec_internal.h"

#include <stdio.h>

enum { FAULTS_MAX = 900 };

// A spec that is being read; ' stands for " in its text.
struct reading {
    yyjson_doc *document; // owned
    struct spec_reader reader;
};

static struct reading begin(const char *text) {
    struct reading r = {.document = parse_quoted(text), .reader.faults = buffer_create(FAULTS_MAX)};
    r.reader.spec = yyjson_doc_get_root(r.document);
    return r;
}

// Nothing was wrong.
static void end_good(struct reading *r) {
    struct error e;
    must(spec_finish(&r->reader, &e), e);
    json_free(r->document);
}

// This, in full, was wrong.
static void end_bad(struct reading *r, const char *message) {
    struct error e = {0};
    assert_false(spec_finish(&r->reader, &e));
    assert_int_equal(e.class, ERROR_INVALID_SPEC);
    assert_string_equal(e.message, message);
    json_free(r->document);
}

// Of length bytes, owned: "{'field':'xxx...'}".
static char *long_text(const char *field, char filling, size_t length) {
    struct error e;
    struct buffer text = buffer_create(100000);
    must(buffer_append_format(&text, &e, "{'%s':'", field), e);
    for (size_t i = 0; i < length; i++) {
        must(buffer_append(&text, &filling, 1, &e), e);
    }
    must(buffer_append_text(&text, "'}", &e), e);
    return text.data;
}

// ---- texts

static void text_is(const char *json, const char *expected) {
    struct reading r = begin(json);
    const char *text = spec_text(&r.reader, "field", 5);
    if (expected == nullptr) {
        assert_null(text);
    } else {
        assert_string_equal(text, expected);
    }
    end_good(&r);
}

static void text_fails(const char *json, const char *message) {
    struct reading r = begin(json);
    assert_null(spec_text(&r.reader, "field", 5));
    end_bad(&r, message);
}

static void a_text_is_read(void **) {
    text_is("{'field':'12345'}", "12345");
    text_is("{'field':''}", "");
    text_is("{'field':'\xc3\xa9\xc3\xa9'}", "\xc3\xa9\xc3\xa9");
    text_is("{'field':null}", nullptr);
    text_is("{'Field':'x'}", nullptr);
    text_is("{}", nullptr);
}

static void a_text_of_another_sort_is_named(void **) {
    text_fails("{'field':'123456'}", "spec.field: must be a text of at most 5 bytes without NUL; it has 6");
    text_fails("{'field':'\xc3\xa9\xc3\xa9\xc3\xa9'}",
               "spec.field: must be a text of at most 5 bytes without NUL; it has 6");
    text_fails("{'field':'a\\u0000b'}",
               "spec.field: must be a text of at most 5 bytes without NUL; it has 3");
    text_fails("{'field':112233}", "spec.field: must be a text, not 112233");
    text_fails("{'field':-7}", "spec.field: must be a text, not -7");
    text_fails("{'field':1.5}", "spec.field: must be a text, not the real number 1.5");
    text_fails("{'field':true}", "spec.field: must be a text, not true");
    text_fails("{'field':false}", "spec.field: must be a text, not false");
    text_fails("{'field':['a']}", "spec.field: must be a text, not an array");
    text_fails("{'field':{'a':1}}", "spec.field: must be a text, not an object");
}

static struct common_spec read_common(struct spec_reader *reader) {
    struct common_spec common = {0};
    spec_read_fields(reader, spec_common_fields, &common);
    return common;
}

static void there_may_be_no_spec_at_all(void **) {
    static const char *const choices[] = {"one", "two", nullptr};
    static const struct input_source sources[] = {{.kind = "A", .data_key = "a", .by_default = true},
                                                  {.kind = nullptr}};
    struct spec_reader reader = {.faults = buffer_create(FAULTS_MAX)};
    struct error e;
    assert_null(spec_text(&reader, "field", 5));
    assert_int_equal(spec_integer(&reader, "field", "alias", 1, 9, 4), 4);
    assert_string_equal(spec_choice(&reader, "field", choices), "one");
    assert_null(spec_hex(&reader, "field", 1, 2));
    assert_null(spec_algorithm(&reader, "algorithm", ALGORITHM_KEM));
    assert_null(spec_reference(&reader, "field", sources, false).name);
    struct common_spec common = read_common(&reader);
    assert_null(common.output_secret_name);
    assert_false(common.retain);
    assert_null(common.labels);
    assert_null(common.annotations);
    must(spec_finish(&reader, &e), e);
}

static const char *read_alias(struct reading *r) {
    return spec_text_alias(&r->reader, "field", "alias", 253);
}

static void either_name_of_a_text_will_do(void **) {
    static const char *const specs[] = {"{'field':'x'}", "{'alias':'x'}", "{'field':'x','alias':'x'}",
                                        "{'field':'x','alias':null}", "{'field':null,'alias':'x'}"};
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        struct reading r = begin(specs[i]);
        assert_string_equal(read_alias(&r), "x");
        end_good(&r);
    }
    struct reading r = begin("{}");
    assert_null(read_alias(&r));
    end_good(&r);
}

static void two_names_of_a_text_must_agree(void **) {
    struct reading r = begin("{'alias':'y','field':'x'}");
    assert_string_equal(read_alias(&r), "x");
    end_bad(&r, "spec.field: x and its other name alias: y differ; give one of them");
    r = begin("{'alias':7}");
    assert_null(read_alias(&r));
    end_bad(&r, "spec.alias: must be a text, not 7");
}

// A message is part of a JSON text, so it must not end in the middle of a character.
static void a_long_value_is_cut_between_characters(void **) {
    static const char *const choices[] = {"one", nullptr};
    for (size_t shift = 0; shift < 4; shift++) {
        char value[200] = {0};
        char wanted[200] = {0};
        char spec[300];
        char message[400];
        memset(value, 'x', shift);
        while (strlen(value) < 120) {
            size_t used = strlen(value);
            snprintf(value + used, sizeof(value) - used, "\xf0\x9f\x94\x91"); // one character
        }
        snprintf(wanted, sizeof(wanted), "%.*s", (int)(shift == 0 ? 64 : 60 + shift), value);
        snprintf(spec, sizeof(spec), "{'field':'%s','alias':'other'}", value);
        struct reading r = begin(spec);
        assert_string_equal(spec_choice(&r.reader, "field", choices), "one");
        snprintf(message, sizeof(message), "spec.field: %s is not one of one", wanted);
        end_bad(&r, message);
        r = begin(spec);
        (void)read_alias(&r);
        snprintf(message, sizeof(message),
                 "spec.field: %s and its other name alias: other differ; give one of them", wanted);
        end_bad(&r, message);
    }
}

// ---- integers

static int64_t read_integer(struct reading *r) {
    return spec_integer(&r->reader, "field", "alias", 1, 65536, 32);
}

static void integer_is(const char *json, int64_t expected) {
    struct reading r = begin(json);
    assert_int_equal(read_integer(&r), expected);
    end_good(&r);
}

static void integer_fails(const char *json, const char *message) {
    struct reading r = begin(json);
    (void)read_integer(&r);
    end_bad(&r, message);
}

static void an_integer_is_read_up_to_its_bounds(void **) {
    integer_is("{}", 32);
    integer_is("{'field':null,'alias':null}", 32);
    integer_is("{'field':1}", 1);
    integer_is("{'field':65536}", 65536);
    integer_is("{'alias':1}", 1);
    integer_is("{'alias':65536}", 65536);
    integer_is("{'field':7,'alias':7}", 7);
    integer_is("{'field':null,'alias':7}", 7);
}

static void an_integer_out_of_its_bounds_is_named(void **) {
    integer_fails("{'field':0}", "spec.field: 0 is not between 1 and 65536");
    integer_fails("{'field':65537}", "spec.field: 65537 is not between 1 and 65536");
    integer_fails("{'field':-1}", "spec.field: -1 is not between 1 and 65536");
    integer_fails("{'alias':0}", "spec.alias: 0 is not between 1 and 65536");
    integer_fails("{'field':0,'alias':0}", "spec.field: 0 is not between 1 and 65536");
    integer_fails("{'field':4294967297}", "spec.field: 4294967297 is not between 1 and 65536");
    integer_fails("{'field':9223372036854775807}",
                  "spec.field: 9223372036854775807 is not between 1 and 65536");
    integer_fails("{'field':18446744073709551615}",
                  "spec.field: 18446744073709551615 is not between 1 and 65536");
    integer_fails("{'field':-9223372036854775808}",
                  "spec.field: -9223372036854775808 is not between 1 and 65536");
}

static void what_is_no_integer_is_named(void **) {
    integer_fails("{'field':1.5}", "spec.field: must be a whole number, not the real number 1.5");
    integer_fails("{'field':1e300}", "spec.field: must be a whole number, not the real number 1e+300");
    integer_fails("{'field':'32'}", "spec.field: must be a whole number, not the text \"32\"");
    integer_fails("{'field':true}", "spec.field: must be a whole number, not true");
    integer_fails("{'alias':[]}", "spec.alias: must be a whole number, not an array");
    integer_fails("{'alias':{}}", "spec.alias: must be a whole number, not an object");
}

static void two_names_of_an_integer_must_agree(void **) {
    integer_fails("{'field':7,'alias':8}",
                  "spec.field: 7 and its other name alias: 8 differ; give one of them");
    integer_fails("{'field':0,'alias':8}",
                  "spec.field: 0 and its other name alias: 8 differ; give one of them; "
                  "spec.field: 0 is not between 1 and 65536");
    integer_fails("{'field':7,'alias':'7'}",
                  "spec.field: 7 and its other name alias: the text \"7\" differ; give one of them");
}

static void an_integer_may_have_one_name_only(void **) {
    struct reading r = begin("{'':5,'field':6}");
    assert_int_equal(spec_integer(&r.reader, "field", nullptr, 6, 6, 1), 6);
    assert_int_equal(spec_integer(&r.reader, "other", nullptr, 6, 6, -3), -3); // a default may be anything
    end_good(&r);
}

// ---- choices

static void a_choice_is_one_of_those(void **) {
    static const char *const choices[] = {"one", "two", nullptr};
    struct reading r = begin("{'a':'one','b':'two','c':null}");
    assert_ptr_equal(spec_choice(&r.reader, "a", choices), choices[0]);
    assert_ptr_equal(spec_choice(&r.reader, "b", choices), choices[1]);
    assert_ptr_equal(spec_choice(&r.reader, "c", choices), choices[0]);
    assert_ptr_equal(spec_choice(&r.reader, "d", choices), choices[0]);
    end_good(&r);
    r = begin("{'a':'One','b':'','c':3,'d':'two '}");
    for (const char *field = "a\0b\0c\0d\0"; *field != '\0'; field += 2) {
        assert_ptr_equal(spec_choice(&r.reader, field, choices), choices[0]);
    }
    end_bad(&r, "spec.a: One is not one of one, two; spec.b:  is not one of one, two; "
                "spec.c: must be a text, not 3; spec.d: two  is not one of one, two");
}

static void an_empty_choice_is_not_offered(void **) {
    static const char *const choices[] = {"", "one", "two", nullptr};
    struct reading r = begin("{'field':'three'}");
    assert_string_equal(spec_choice(&r.reader, "other", choices), "");
    assert_string_equal(spec_choice(&r.reader, "field", choices), "");
    end_bad(&r, "spec.field: three is not one of one, two");
}

// ---- hexadecimal

static void hex_is(const char *json, const char *expected) {
    struct reading r = begin(json);
    assert_string_equal(spec_hex(&r.reader, "field", 2, 4), expected);
    end_good(&r);
}

static void hex_fails(const char *json, const char *message) {
    struct reading r = begin(json);
    assert_null(spec_hex(&r.reader, "field", 2, 4));
    end_bad(&r, message);
}

static void hex_digits_are_read_up_to_their_bounds(void **) {
    hex_is("{'field':'0aF9'}", "0aF9");
    hex_is("{'field':'89abCDef'}", "89abCDef");
}

static void wrong_hex_is_named_but_not_shown(void **) {
    static const char number[] =
        "spec.field: has %d hexadecimal digits; an even number from 4 to 8 is allowed";
    char message[200];
    static const struct {
        const char *json;
        int digits;
    } cases[] = {{"{'field':''}", 0},    {"{'field':'a'}", 1},     {"{'field':'aa'}", 2},
                 {"{'field':'aaa'}", 3}, {"{'field':'aaaaa'}", 5}, {"{'field':'aaaaaaa'}", 7}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)snprintf(message, sizeof(message), number, cases[i].digits);
        hex_fails(cases[i].json, message);
    }
    hex_fails("{'field':'aaaaaaaaa'}", "spec.field: must be a text of at most 8 bytes without NUL; it has 9");
    hex_fails("{'field':'g000'}", "spec.field: must be hexadecimal; character 1 is not");
    hex_fails("{'field':'000 '}", "spec.field: must be hexadecimal; character 4 is not");
    hex_fails("{'field':'0x00'}", "spec.field: must be hexadecimal; character 2 is not");
    hex_fails("{'field':'00\\n00'}", "spec.field: must be hexadecimal; character 3 is not");
    hex_fails("{'field':112233}", "spec.field: must be a text of hexadecimal digits");
}

static void digits_have_one_spelling(void **) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(20);
    must(buffer_append_text(&text, "seed=", &e), e);
    must(spec_append_hex("00AbCDef", &text, &e), e);
    must(spec_append_hex("", &text, &e), e);
    must(spec_append_hex(nullptr, &text, &e), e);
    assert_string_equal(buffer_text(&text), "seed=00abcdef");
    must_fail(spec_append_hex("00112233", &text, &e), e, ERROR_INTERNAL, "");
    assert_string_equal(buffer_text(&text), "seed=00abcdef");
    must(spec_append_hex("001122F", &text, &e), e);
    assert_string_equal(buffer_text(&text), "seed=00abcdef001122f");
}

// ---- algorithms

static void duration_is(const char *text, int64_t expected) {
    int64_t seconds = -1;
    assert_int_equal(duration_parse(text, &seconds), expected >= 0);
    assert_int_equal(seconds, expected); // untouched where it is none
}

static void a_length_of_time_is_of_hours_minutes_and_seconds(void **) {
    duration_is("1h30m15s", 5415);
    duration_is("2160h", 7776000);
    duration_is("90m", 5400);
    duration_is("0s", 0);
    duration_is("9007199254740991s", INT64_C(9007199254740991));
    duration_is("2501999792983h36m31s", INT64_C(9007199254740991));
    duration_is("9007199254740992s", -1);
    duration_is("2501999792983h36m32s", -1);
    duration_is("9999999999999999h9999999999999999m", -1);
    duration_is("", -1);
    duration_is("90", -1);
    duration_is("1m1h", -1);
    duration_is("1h1h", -1);
    duration_is("-1h", -1);
    duration_is("1.5h", -1);
    duration_is("1d", -1);
}

static void an_algorithm_has_several_names(void **) {
    static const char *const names[][2] = {
        {"ML-KEM-512", "ML-KEM-512"}, {"Kyber512", "ML-KEM-512"},     {"ML-KEM-768", "ML-KEM-768"},
        {"Kyber768", "ML-KEM-768"},   {"ML-KEM-1024", "ML-KEM-1024"}, {"Kyber1024", "ML-KEM-1024"},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char spec[64];
        snprintf(spec, sizeof(spec), "{'algorithm':'%s'}", names[i][0]);
        struct reading r = begin(spec);
        assert_string_equal(spec_algorithm(&r.reader, "algorithm", ALGORITHM_KEM)->name, names[i][1]);
        end_good(&r);
    }
}

static void algorithm_fails(const char *value, const char *shown) {
    char spec[200];
    char message[300];
    snprintf(spec, sizeof(spec), "{'algorithm':'%s'}", value);
    snprintf(message, sizeof(message),
             "spec.algorithm: %s is not one of ML-KEM-512, ML-KEM-768, "
             "ML-KEM-1024",
             shown);
    struct reading r = begin(spec);
    assert_null(spec_algorithm(&r.reader, "algorithm", ALGORITHM_KEM));
    end_bad(&r, message);
}

static void an_unknown_algorithm_is_named(void **) {
    algorithm_fails("RSA", "RSA");
    algorithm_fails("", "");
    algorithm_fails("kyber768", "kyber768");
    algorithm_fails("ML-KEM-768 ", "ML-KEM-768 ");
    algorithm_fails("ML-DSA-65", "ML-DSA-65");
    char longest[64] = {0};
    memset(longest, 'A', 63);
    algorithm_fails(longest, longest);
    char *longer = long_text("algorithm", 'A', 64);
    struct reading r = begin(longer);
    assert_null(spec_algorithm(&r.reader, "algorithm", ALGORITHM_KEM));
    end_bad(&r, "spec.algorithm: must be a text of at most 63 bytes without NUL; it has 64");
    memory_free(longer);
}

// ---- references

static const struct input_source sources[] = {{.kind = "Pair", .data_key = "public_key", .by_default = true},
                                              {.kind = "Secret"},
                                              {.kind = "ConfigMap"},
                                              {.kind = nullptr}};

static struct reference read_reference(struct reading *r) {
    return spec_reference(&r->reader, "ref", sources, true);
}

static void reference_fails(const char *json, const char *message) {
    struct reading r = begin(json);
    (void)read_reference(&r);
    end_bad(&r, message);
}

static void a_reference_is_read(void **) {
    struct reading r = begin("{'ref':{'name':'n'}}");
    struct reference reference = read_reference(&r);
    assert_string_equal(reference.name, "n");
    assert_null(reference.namespace);
    assert_null(reference.kind);
    assert_null(reference.key);
    end_good(&r);
    r = begin("{'ref':{'name':'n','namespace':'ns','kind':'Secret','key':'k'}}");
    reference = read_reference(&r);
    assert_string_equal(reference.name, "n");
    assert_string_equal(reference.namespace, "ns");
    assert_string_equal(reference.kind, "Secret");
    assert_string_equal(reference.key, "k");
    end_good(&r);
    // As Kubernetes has it, empty is as good as absent.
    r = begin("{'ref':{'name':'n','namespace':'','kind':'','key':''}}");
    reference = read_reference(&r);
    assert_null(reference.namespace);
    assert_null(reference.kind);
    assert_null(reference.key);
    end_good(&r);
    r = begin("{'ref':{'name':'n','namespace':null,'kind':'Pair','key':null,'uid':5}}");
    assert_string_equal(read_reference(&r).kind, "Pair");
    end_good(&r);
}

static void a_reference_may_be_optional(void **) {
    reference_fails("{}", "spec.ref: is required");
    reference_fails("{'ref':null}", "spec.ref: is required");
    struct reading r = begin("{'ref':null}");
    assert_null(spec_reference(&r.reader, "ref", sources, false).name);
    assert_null(spec_reference(&r.reader, "other", sources, false).name);
    end_good(&r);
    r = begin("{'ref':{}}"); // there, so it must be a good one
    assert_null(spec_reference(&r.reader, "ref", sources, false).name);
    end_bad(&r, "spec.ref.name: is required");
}

static void what_is_no_reference_is_named(void **) {
    reference_fails("{'ref':'pair'}", "spec.ref: must be an object with a name, not the text \"pair\"");
    reference_fails("{'ref':['pair']}", "spec.ref: must be an object with a name, not an array");
    reference_fails("{'ref':5}", "spec.ref: must be an object with a name, not 5");
    reference_fails("{'ref':{}}", "spec.ref.name: is required");
    reference_fails("{'ref':{'name':''}}", "spec.ref.name: is required");
    reference_fails("{'ref':{'name':null}}", "spec.ref.name: is required");
    reference_fails("{'ref':{'name':5}}", "spec.ref.name: must be a text, not 5; spec.ref.name: is required");
    reference_fails("{'ref':{'name':'n','namespace':5}}", "spec.ref.namespace: must be a text, not 5");
}

static void the_kind_of_a_reference_is_one_of_its_sources(void **) {
    reference_fails("{'ref':{'name':'n','kind':'pair'}}",
                    "spec.ref.kind: pair is not one of Pair, Secret, ConfigMap");
    reference_fails("{'ref':{'name':'n','kind':'URL'}}",
                    "spec.ref.kind: URL is not one of Pair, Secret, ConfigMap");
    reference_fails("{'ref':{'name':'n','kind':true}}", "spec.ref.kind: must be a text, not true");
}

static void a_key_goes_with_kinds_that_have_one(void **) {
    reference_fails("{'ref':{'name':'n','kind':'Secret'}}", "spec.ref.key: is required with kind Secret");
    reference_fails("{'ref':{'name':'n','kind':'ConfigMap','key':''}}",
                    "spec.ref.key: is required with kind ConfigMap");
    static const char message[] =
        "spec.ref.key: goes only with kind Secret or ConfigMap; remove it, or set kind";
    reference_fails("{'ref':{'name':'n','kind':'Pair','key':'k'}}", message);
    reference_fails("{'ref':{'name':'n','key':'k'}}", message);
    // Where a Secret is what is meant by default, its key needs no kind.
    static const struct input_source by_default[] = {
        {.kind = "Secret", .by_default = true}, {.kind = "Pair", .data_key = "a"}, {.kind = nullptr}};
    struct reading r = begin("{'ref':{'name':'n','key':'k'},'keyless':{'name':'n'}}");
    assert_string_equal(spec_reference(&r.reader, "ref", by_default, true).key, "k");
    assert_null(spec_reference(&r.reader, "keyless", by_default, true).key);
    end_good(&r);
}

// A path to the API server is made of them.
static void names_in_a_reference_are_such(void **) {
    static const char *const bad[] = {".",   "..",  "A",     "a_b", "-a",  "a-",
                                      "a/b", "a?b", "a%2fb", "a b", "a..b"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char spec[100];
        char message[200];
        snprintf(spec, sizeof(spec), "{'ref':{'name':'%s','namespace':'%s'}}", bad[i], bad[i]);
        snprintf(message, sizeof(message),
                 "spec.ref.name: \"%s\" is not the name of an object; "
                 "spec.ref.namespace: \"%s\" is not the name of a namespace",
                 bad[i], bad[i]);
        reference_fails(spec, message);
    }
    reference_fails("{'ref':{'name':'a.b','namespace':'a.b'}}",
                    "spec.ref.namespace: \"a.b\" is not the name of a namespace");
    struct reading r = begin("{'ref':{'name':'a-0.b','namespace':'a-0'}}");
    assert_string_equal(read_reference(&r).name, "a-0.b");
    end_good(&r);
}

static const char *read_service_account(struct reading *r) {
    const char *name = nullptr;
    spec_read_fields(&r->reader, spec_service_account_fields, &name);
    return name;
}

static void service_account_is(const char *json, const char *expected) {
    struct reading r = begin(json);
    assert_string_equal(read_service_account(&r), expected);
    end_good(&r);
}

static void a_service_account_has_a_name(void **) {
    service_account_is("{}", "default");
    service_account_is("{'serviceAccountName':''}", "default");
    service_account_is("{'serviceAccountName':'key-reader.v2'}", "key-reader.v2");
    struct reading r = begin("{'serviceAccountName':'a:b'}");
    (void)read_service_account(&r);
    end_bad(&r, "spec.serviceAccountName: \"a:b\" is not the name of a ServiceAccount");
}

static void members_of_a_reference_have_bounds(void **) {
    static const struct {
        const char *member;
        size_t max;
    } members[] = {{"name", 253}, {"namespace", 63}, {"key", 253}};
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        for (size_t over = 0; over <= 1; over++) {
            struct error e;
            char message[200];
            cleanup_buffer struct buffer spec = buffer_create(1000);
            bool is_name = strcmp(members[i].member, "name") == 0;
            must(buffer_append_format(&spec, &e, "{'ref':{'kind':'Secret',%s%s'%s':'",
                                      strcmp(members[i].member, "key") == 0 ? "" : "'key':'k',",
                                      is_name ? "" : "'name':'n',", members[i].member),
                 e);
            for (size_t j = 0; j < members[i].max + over; j++) {
                must(buffer_append(&spec, "a", 1, &e), e);
            }
            must(buffer_append_text(&spec, "'}}", &e), e);
            struct reading r = begin(buffer_text(&spec));
            (void)read_reference(&r);
            snprintf(message, sizeof(message),
                     "spec.ref.%s: must be a text of at most %zu bytes without NUL; it has %zu%s%s",
                     members[i].member, members[i].max, members[i].max + 1,
                     is_name ? "; spec.ref.name: is required" : "",
                     strcmp(members[i].member, "key") == 0 ? "; spec.ref.key: is required with kind Secret"
                                                           : "");
            if (over == 0) {
                end_good(&r);
            } else {
                end_bad(&r, message);
            }
        }
    }
}

// ---- what all kinds have

static struct common_spec common_is_good(struct reading *r) {
    struct common_spec common = read_common(&r->reader);
    assert_int_equal(r->reader.fault_count, 0);
    return common;
}

static void common_fails(const char *json, const char *message) {
    struct reading r = begin(json);
    (void)read_common(&r.reader);
    end_bad(&r, message);
}

static void all_of_it_may_be_left_out(void **) {
    struct reading r = begin("{'deletionPolicy':null,'secretTemplate':null,'outputSecretName':null}");
    struct common_spec common = common_is_good(&r);
    assert_null(common.output_secret_name);
    assert_false(common.retain);
    assert_null(common.labels);
    assert_null(common.annotations);
    end_good(&r);
}

static void the_output_secret_has_two_names(void **) {
    struct reading r = begin("{'outputSecretName':'a'}");
    assert_string_equal(common_is_good(&r).output_secret_name, "a");
    end_good(&r);
    r = begin("{'secretName':'b'}");
    assert_string_equal(common_is_good(&r).output_secret_name, "b");
    end_good(&r);
    common_fails("{'outputSecretName':'a','secretName':'b'}",
                 "spec.outputSecretName: a and its other name secretName: b differ; give one of them");
}

static void the_output_secret_has_a_dns_name(void **) {
    static const char *const good[] = {"a", "0", "a-b", "a--b", "a.b", "a0.b1-c.d", "1.2.3", "z9"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char spec[100];
        snprintf(spec, sizeof(spec), "{'outputSecretName':'%s'}", good[i]);
        struct reading r = begin(spec);
        assert_string_equal(common_is_good(&r).output_secret_name, good[i]);
        end_good(&r);
    }
    static const char *const bad[] = {"",    "A",   "-a",  "a-", ".a",   "a.",    "a..b", "a.-b",    "a-.b",
                                      "a_b", "a b", "a/b", "..", "../x", "a%2fb", "a\\n", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        for (int alias = 0; alias <= 1; alias++) {
            char spec[100];
            char start[100];
            struct error e = {0};
            const char *field = alias == 0 ? "outputSecretName" : "secretName";
            snprintf(spec, sizeof(spec), "{'%s':'%s'}", field, bad[i]);
            snprintf(start, sizeof(start), "spec.%s: \"", field);
            struct reading r = begin(spec);
            assert_null(read_common(&r.reader).output_secret_name);
            assert_false(spec_finish(&r.reader, &e));
            assert_memory_equal(e.message, start, strlen(start));
            assert_non_null(strstr(e.message, "\" is not a DNS name"));
            json_free(r.document);
        }
    }
    char *longest = long_text("outputSecretName", 'a', 253);
    struct reading r = begin(longest);
    assert_int_equal(strlen(common_is_good(&r).output_secret_name), 253);
    end_good(&r);
    memory_free(longest);
    char *longer = long_text("secretName", 'a', 254);
    common_fails(longer, "spec.secretName: must be a text of at most 253 bytes without NUL; it has 254");
    memory_free(longer);
}

static void the_secret_may_be_retained(void **) {
    struct reading r = begin("{'deletionPolicy':'Retain'}");
    assert_true(common_is_good(&r).retain);
    end_good(&r);
    r = begin("{'deletionPolicy':'Delete'}");
    assert_false(common_is_good(&r).retain);
    end_good(&r);
    common_fails("{'deletionPolicy':'retain'}", "spec.deletionPolicy: retain is not one of Delete, Retain");
}

static void the_template_is_handed_on(void **) {
    struct reading r = begin("{'secretTemplate':{'labels':{'a':'b','c':''},'annotations':{'d':'e f'}}}");
    struct common_spec common = common_is_good(&r);
    assert_int_equal(yyjson_obj_size(common.labels), 2);
    assert_string_equal(json_member_text(common.labels, "a"), "b");
    assert_string_equal(json_member_text(common.annotations, "d"), "e f");
    end_good(&r);
    r = begin("{'secretTemplate':{'labels':{},'annotations':null}}");
    common = common_is_good(&r);
    assert_int_equal(yyjson_obj_size(common.labels), 0);
    assert_null(common.annotations);
    end_good(&r);
}

static void a_template_is_of_texts(void **) {
    common_fails("{'secretTemplate':['a']}",
                 "spec.secretTemplate: must be an object with labels and annotations, not an array");
    common_fails("{'secretTemplate':'a'}",
                 "spec.secretTemplate: must be an object with labels and annotations, not the text \"a\"");
    common_fails("{'secretTemplate':{'labels':['a'],'annotations':'b'}}",
                 "spec.secretTemplate.labels: must be an object of at most 64 texts; "
                 "spec.secretTemplate.annotations: must be an object of at most 64 texts");
    common_fails("{'secretTemplate':{'labels':{'a':'b','c':5,'d':null},'annotations':{'e':{}}}}",
                 "spec.secretTemplate.labels: the value of c must be a text, not 5; "
                 "spec.secretTemplate.labels: the value of d must be a text, not null; "
                 "spec.secretTemplate.annotations: the value of e must be a text, not an object");
}

static void a_template_has_64_entries_at_most(void **) {
    for (int count = 64; count <= 65; count++) {
        struct error e;
        cleanup_buffer struct buffer spec = buffer_create(10000);
        must(buffer_append_text(&spec, "{'secretTemplate':{'annotations':{'0':''", &e), e);
        for (int i = 1; i < count; i++) {
            must(buffer_append_format(&spec, &e, ",'%d':''", i), e);
        }
        must(buffer_append_text(&spec, "}}}", &e), e);
        if (count == 65) {
            common_fails(buffer_text(&spec),
                         "spec.secretTemplate.annotations: must be an object of at most 64 texts");
            continue;
        }
        struct reading r = begin(buffer_text(&spec));
        assert_int_equal(yyjson_obj_size(common_is_good(&r).annotations), 64);
        end_good(&r);
    }
}

static void a_template_leaves_our_own_keys_alone(void **) {
    static const char *const reserved[] = {"app.kubernetes.io/managed-by", "qubesec.io/owner", "qubesec.io/",
                                           "x.qubesec.io/y", "a.b.qubesec.io/c"};
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        char spec[200];
        char message[300];
        snprintf(spec, sizeof(spec), "{'secretTemplate':{'labels':{'%s':'x'},'annotations':{'%s':'x'}}}",
                 reserved[i], reserved[i]);
        snprintf(message, sizeof(message),
                 "spec.secretTemplate.labels: %s is set by the operator itself; "
                 "spec.secretTemplate.annotations: %s is set by the operator itself",
                 reserved[i], reserved[i]);
        common_fails(spec, message);
    }
    struct reading r = begin(
        "{'secretTemplate':{'labels':{'app.kubernetes.io/name':'x','notqubesec.io/y':'','qubesec.io':'',"
        "'qubesec.io.example/x':'','managed-by':'','a/qubesec.io':'','x/y':'','ubesec.io/x':''}}}");
    assert_int_equal(yyjson_obj_size(common_is_good(&r).labels), 8);
    end_good(&r);
}

static void a_key_of_a_template_is_not_cut_at_a_zero(void **) {
    common_fails(
        "{'secretTemplate':{'labels':{'a\\u0000b':'x'}}}",
        "spec.secretTemplate.labels: \"a\\u0000b\" is not a key: NAME or PREFIX/NAME, where NAME has at "
        "most 63 letters, digits, '-', '_' and '.', and PREFIX is a DNS name");
}

static void an_annotation_may_have_a_prefix_in_capital_letters(void **) {
    for (int is_annotation = 0; is_annotation <= 1; is_annotation++) {
        assert_true(spec_is_label_key("a.example/B_c", is_annotation));
        assert_true(spec_is_label_key("A", is_annotation));
        assert_false(spec_is_label_key("a_b/c", is_annotation));
        assert_false(spec_is_label_key("/c", is_annotation));
        assert_false(spec_is_label_key("a/", is_annotation));
        assert_false(spec_is_label_key("a/b/c", is_annotation));
        assert_int_equal(spec_is_label_key("A.Example/b", is_annotation), is_annotation);
    }
}

// ---- faults

static void all_faults_are_told_at_once(void **) {
    struct reading r = begin("{'algorithm':'RSA','field':0,'ref':{'kind':'Secret'},'deletionPolicy':'x'}");
    (void)read_common(&r.reader);
    (void)read_integer(&r);
    (void)read_reference(&r);
    spec_field_error(&r.reader, "%s and %d", "this", 5);
    end_bad(&r,
            "spec.deletionPolicy: x is not one of Delete, Retain; spec.field: 0 is not between 1 and 65536; "
            "spec.ref.name: is required; spec.ref.key: is required with kind Secret; spec.this and 5");
}

static void of_too_many_faults_the_first_are_told(void **) {
    struct error e = {0};
    struct spec_reader reader = {.faults = buffer_create(FAULTS_MAX)};
    for (int i = 0; i < 1000; i++) {
        spec_field_error(&reader, "field%03d is wrong", i);
    }
    assert_int_equal(reader.fault_count, 1000);
    assert_false(spec_finish(&reader, &e));
    assert_memory_equal(e.message, "spec.field000 is wrong; spec.field001 is wrong; ", 48);
    assert_in_range(strlen(e.message), FAULTS_MAX - 24, FAULTS_MAX);
    assert_string_equal(e.message + strlen(e.message) - 9, " is wrong");
}

static void a_fault_that_cannot_be_noted_is_one_all_the_same(void **) {
    struct error e = {0};
    struct spec_reader reader = {.faults = buffer_create(FAULTS_MAX)};
    memory_left = 0;
    spec_field_error(&reader, "field is wrong");
    memory_left = -1;
    assert_false(spec_finish(&reader, &e));
    assert_int_equal(e.class, ERROR_NO_MEMORY);
    reader = (struct spec_reader){.faults = buffer_create(4)};
    spec_field_error(&reader, "field is wrong");
    assert_false(spec_finish(&reader, &e));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_read),
        cmocka_unit_test(a_text_of_another_sort_is_named),
        cmocka_unit_test(there_may_be_no_spec_at_all),
        cmocka_unit_test(either_name_of_a_text_will_do),
        cmocka_unit_test(two_names_of_a_text_must_agree),
        cmocka_unit_test(a_long_value_is_cut_between_characters),
        cmocka_unit_test(an_integer_is_read_up_to_its_bounds),
        cmocka_unit_test(an_integer_out_of_its_bounds_is_named),
        cmocka_unit_test(what_is_no_integer_is_named),
        cmocka_unit_test(two_names_of_an_integer_must_agree),
        cmocka_unit_test(an_integer_may_have_one_name_only),
        cmocka_unit_test(a_choice_is_one_of_those),
        cmocka_unit_test(an_empty_choice_is_not_offered),
        cmocka_unit_test(hex_digits_are_read_up_to_their_bounds),
        cmocka_unit_test(wrong_hex_is_named_but_not_shown),
        cmocka_unit_test(digits_have_one_spelling),
        cmocka_unit_test(a_length_of_time_is_of_hours_minutes_and_seconds),
        cmocka_unit_test(an_algorithm_has_several_names),
        cmocka_unit_test(an_unknown_algorithm_is_named),
        cmocka_unit_test(a_reference_is_read),
        cmocka_unit_test(a_reference_may_be_optional),
        cmocka_unit_test(what_is_no_reference_is_named),
        cmocka_unit_test(the_kind_of_a_reference_is_one_of_its_sources),
        cmocka_unit_test(a_key_goes_with_kinds_that_have_one),
        cmocka_unit_test(names_in_a_reference_are_such),
        cmocka_unit_test(a_service_account_has_a_name),
        cmocka_unit_test(members_of_a_reference_have_bounds),
        cmocka_unit_test(all_of_it_may_be_left_out),
        cmocka_unit_test(the_output_secret_has_two_names),
        cmocka_unit_test(the_output_secret_has_a_dns_name),
        cmocka_unit_test(the_secret_may_be_retained),
        cmocka_unit_test(the_template_is_handed_on),
        cmocka_unit_test(a_template_is_of_texts),
        cmocka_unit_test(a_template_has_64_entries_at_most),
        cmocka_unit_test(a_template_leaves_our_own_keys_alone),
        cmocka_unit_test(a_key_of_a_template_is_not_cut_at_a_zero),
        cmocka_unit_test(an_annotation_may_have_a_prefix_in_capital_letters),
        cmocka_unit_test(all_faults_are_told_at_once),
        cmocka_unit_test(of_too_many_faults_the_first_are_told),
        cmocka_unit_test(a_fault_that_cannot_be_noted_is_one_all_the_same),
    };
    return cmocka_run_group_tests_name("kinds/spec", tests, nullptr, nullptr);
}
