#include "../base/check.h"
#include "../json/quoted.h"

#include "engine/kind.h"
#include "json/read.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { FAULTS_MAX = 900 };

// A spec with a field of most types.
struct toy {
    const char *name;
    const char *note;
    const char *color;
    bool is_loud;
    bool is_round;
    int64_t height;
    int64_t size;
    const char *salt;
    int64_t life;
    const struct algorithm *algorithm;
    struct reference friend;
    struct spec_texts words;
};

static bool is_short(const char *text) {
    return strlen(text) < 4;
}

static const struct text_form form_short = {.fits = is_short, .refusal = "is not short"};
static const struct spec_object sound = {.contents = " with a volume"};
static const struct spec_object room = {.outer = &sound, .contents = " with a height"};
static const char *const colors[] = {"red", "blue", nullptr};
static const char *const volumes[] = {"low", "high", nullptr};
static const char *const shapes[] = {"flat", "round", nullptr};
static const struct input_source sources[] = {{.kind = "Secret", .by_default = true}, {.kind = nullptr}};

#define AT(member) .offset = offsetof(struct toy, member)

static const struct spec_field fields[] = {
    {.name = "name",
     .alias = "called",
     .type = SPEC_TEXT,
     AT(name),
     .is_immutable = true,
     .max = 9,
     .form = &form_short},
    {.name = "note", .type = SPEC_TEXT, AT(note), .empty_is_absent = true, .max = 9, .text_fallback = "none"},
    {.name = "color",
     .type = SPEC_CHOICE,
     AT(color),
     .is_immutable = true,
     .across = "blue",
     .choices = colors},
    {.name = "sound.volume", .type = SPEC_EITHER, AT(is_loud), .object = &sound, .choices = volumes},
    {.name = "sound.shape", .type = SPEC_EITHER, AT(is_round), .object = &sound, .choices = shapes},
    {.name = "sound.room.height",
     .type = SPEC_INTEGER,
     AT(height),
     .object = &room,
     .min = 1,
     .max = 9,
     .fallback = 2},
    {.name = "size", .type = SPEC_INTEGER, AT(size), .is_immutable = true, .min = 1, .max = 9, .fallback = 5},
    {.name = "salt", .type = SPEC_HEX, AT(salt), .is_immutable = true, .max = 4},
    {.name = "life", .type = SPEC_DURATION, AT(life), .min = 60, .max = 3600},
    {.name = "algorithm",
     .type = SPEC_ALGORITHM,
     AT(algorithm),
     .is_immutable = true,
     .family = ALGORITHM_KEM,
     .text_fallback = "ML-KEM-768"},
    {.name = "friendRef", .type = SPEC_REFERENCE, AT(friend), .sources = sources},
    {.name = "friendKey", .type = SPEC_REFERENCE_KEY, AT(friend), .key_of = "friendRef"},
    {.name = "words", .type = SPEC_TEXT_LIST, AT(words), .max = 9, .max_count = 2},
    {.name = nullptr},
};

struct reading {
    yyjson_doc *document;
    struct toy toy;
    bool is_good;
    struct error e;
};

// Reads a spec in which ' stands for ".
static struct reading read_toy(const char *spec) {
    struct reading r = {.document = parse_quoted(spec)};
    struct spec_reader reader = {.faults = buffer_create(FAULTS_MAX)};
    spec_begin(&reader, yyjson_doc_get_root(r.document));
    spec_read_fields(&reader, fields, &r.toy);
    r.is_good = spec_finish(&reader, &r.e);
    return r;
}

static void reading_done(struct reading *r) {
    json_free(r->document);
}
#define cleanup_reading [[gnu::cleanup(reading_done)]]

static void what_is_absent_has_its_default(void **) {
    cleanup_reading struct reading r = read_toy("{'note':''}");
    assert_true(r.is_good);
    assert_null(r.toy.name);
    assert_string_equal(r.toy.note, "none");
    assert_ptr_equal(r.toy.color, colors[0]);
    assert_false(r.toy.is_loud);
    assert_int_equal(r.toy.height, 2);
    assert_int_equal(r.toy.size, 5);
    assert_null(r.toy.salt);
    assert_int_equal(r.toy.life, 0);
    assert_string_equal(r.toy.algorithm->name, "ML-KEM-768");
    assert_null(r.toy.friend.name);
    assert_int_equal(r.toy.words.count, 0);
}

static void each_field_goes_to_its_place(void **) {
    cleanup_reading struct reading r =
        read_toy("{'called':'abc','note':'n','color':'blue','sound':{'volume':'high','shape':'flat',"
                 "'room':{'height':3}},'size':9,"
                 "'salt':'aB','life':'2m','algorithm':'Kyber512','friendRef':{'name':'f'},'friendKey':'k',"
                 "'words':['one','two']}");
    assert_true(r.is_good);
    assert_string_equal(r.toy.name, "abc");
    assert_string_equal(r.toy.note, "n");
    assert_ptr_equal(r.toy.color, colors[1]);
    assert_true(r.toy.is_loud);
    assert_false(r.toy.is_round);
    assert_int_equal(r.toy.height, 3);
    assert_int_equal(r.toy.size, 9);
    assert_string_equal(r.toy.salt, "aB");
    assert_int_equal(r.toy.life, 120);
    assert_string_equal(r.toy.algorithm->name, "ML-KEM-512");
    assert_string_equal(r.toy.friend.name, "f");
    assert_string_equal(r.toy.friend.key, "k");
    assert_int_equal(r.toy.words.count, 2);
    assert_string_equal(r.toy.words.texts[1], "two");
}

static void fails(const char *spec, const char *message) {
    cleanup_reading struct reading r = read_toy(spec);
    assert_false(r.is_good);
    assert_int_equal(r.e.class, ERROR_INVALID_SPEC);
    assert_string_equal(r.e.message, message);
}

static void faults_come_in_the_order_of_the_table(void **) {
    fails("{'words':'x','size':0,'color':'green'}", "spec.color: green is not one of red, blue; spec.size: 0 "
                                                    "is not between 1 and 9; spec.words: must be a "
                                                    "list of at most 2 texts");
}

static void a_text_of_another_form_is_told_by_the_name_that_was_written(void **) {
    fails("{'name':'long'}", "spec.name: \"long\" is not short");
    fails("{'called':'long'}", "spec.called: \"long\" is not short");
}

static void an_object_that_is_none_is_told_once(void **) {
    fails("{'sound':5}", "spec.sound: must be an object with a volume, not 5");
    fails("{'sound':{'shape':5}}", "spec.sound.shape: must be a text, not 5");
    fails("{'sound':{'room':5}}", "spec.sound.room: must be an object with a height, not 5");
    fails("{'sound':{'room':{'height':10}}}", "spec.sound.room.height: 10 is not between 1 and 9");
}

static bool differs(const char *name, const char *before, const char *after) {
    cleanup_reading struct reading one = read_toy(before);
    cleanup_reading struct reading other = read_toy(after);
    const struct spec_field *field = fields;
    while (strcmp(field->name, name) != 0) {
        field++;
    }
    assert_true(one.is_good && other.is_good);
    return spec_field_differs(field, &one.toy, &other.toy);
}

static void only_another_value_differs(void **) {
    assert_true(differs("name", "{'name':'a'}", "{'name':'b'}"));
    assert_true(differs("name", "{'name':'a'}", "{}"));
    assert_false(differs("name", "{'name':'a'}", "{'called':'a'}"));
    assert_true(differs("size", "{'size':9}", "{}"));
    assert_false(differs("size", "{'size':5}", "{}"));
    assert_true(differs("salt", "{'salt':'ab'}", "{'salt':'ac'}"));
    assert_false(differs("salt", "{'salt':'aB'}", "{'salt':'Ab'}"));
    assert_false(differs("salt", "{'salt':''}", "{}"));
    assert_true(differs("algorithm", "{'algorithm':'ML-KEM-512'}", "{}"));
    assert_false(differs("algorithm", "{'algorithm':'Kyber768'}", "{}"));
}

static void across_a_choice_only_it_counts(void **) {
    static const char *const one_of_three[] = {"red", "blue", "green", nullptr};
    const struct spec_field field = {.name = "color",
                                     .type = SPEC_CHOICE,
                                     AT(color),
                                     .is_immutable = true,
                                     .across = "blue",
                                     .choices = one_of_three};
    const struct toy red = {.color = "red"};
    const struct toy blue = {.color = "blue"};
    const struct toy green = {.color = "green"};
    assert_false(spec_field_differs(&field, &red, &green));
    assert_true(spec_field_differs(&field, &red, &blue));
    assert_true(spec_field_differs(&field, &blue, &green));
}

static void what_may_be_edited_never_differs(void **) {
    assert_false(differs("note", "{'note':'a'}", "{'note':'b'}"));
    assert_false(differs("life", "{'life':'2m'}", "{'life':'3m'}"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_absent_has_its_default),
        cmocka_unit_test(each_field_goes_to_its_place),
        cmocka_unit_test(faults_come_in_the_order_of_the_table),
        cmocka_unit_test(a_text_of_another_form_is_told_by_the_name_that_was_written),
        cmocka_unit_test(an_object_that_is_none_is_told_once),
        cmocka_unit_test(only_another_value_differs),
        cmocka_unit_test(across_a_choice_only_it_counts),
        cmocka_unit_test(what_may_be_edited_never_differs),
    };
    return cmocka_run_group_tests_name("engine/spec_field", tests, nullptr, nullptr);
}
