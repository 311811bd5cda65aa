#include "../kube/objects.h"

#include "engine/decode.h"

#include "kinds/table.h"
#include <stddef.h>

#include <stddef.h>
#include <stdio.h>

// A kind of the test's own.
struct toy_spec {
    const char *color;
    struct reference friend;
    bool was_checked;
};

static const struct input_source friend_sources[] = {
    {.kind = "QuantumToy", .data_key = "toy", .by_default = true},
    {.kind = "Secret"},
    {.kind = nullptr},
};

static const struct spec_field toy_fields[] = {
    {.name = "color", .type = SPEC_TEXT, .offset = offsetof(struct toy_spec, color), .max = 10},
    {.name = "friendRef",
     .type = SPEC_REFERENCE,
     .offset = offsetof(struct toy_spec, friend),
     .sources = friend_sources},
    {.name = nullptr},
};

static void check_toy(struct spec_reader *reader, void *memory) {
    struct toy_spec *spec = memory;
    assert_non_null(reader);
    spec->was_checked = true;
}

static size_t list_toy_inputs(const void *memory, struct input_request requests[KIND_INPUTS_MAX]) {
    const struct toy_spec *spec = memory;
    requests[0] = (struct input_request){"friendRef", spec->friend, friend_sources};
    return spec->friend.name == nullptr ? 0 : 1;
}

static const struct kind toy = {
    .kind = "QuantumToy",
    .entries = (const char *const[]){"toy", nullptr},
    .secret_suffix = "-toy",
    .spec_size = sizeof(struct toy_spec),
    .fields = toy_fields,
    .check = check_toy,
    .list_inputs = list_toy_inputs,
};

static struct kube_object *toy_of(const char *spec) {
    char text[4000];
    snprintf(text, sizeof(text),
             "{'metadata':{'namespace':'ns','name':'mine','uid':'u','resourceVersion':'1'}%s%s}",
             spec == nullptr ? "" : ",'spec':", spec == nullptr ? "" : spec);
    return object_of(text);
}

static const struct toy_spec *spec_of(const struct decoded *decoded) {
    return decoded->spec;
}

static void a_spec_is_decoded_by_its_kind(void **) {
    struct error e;
    cleanup_decoded struct decoded decoded = {0};
    cleanup_object struct kube_object *object =
        toy_of("{'color':'blue','friendRef':{'name':'other'},'deletionPolicy':'Retain',"
               "'secretTemplate':{'labels':{'a':'b'},'annotations':{'c':'d'}}}");
    must(decode_object(&toy, object->name, object->root, &decoded, &e), e);
    assert_string_equal(spec_of(&decoded)->color, "blue");
    assert_true(spec_of(&decoded)->was_checked);
    assert_true(decoded.common.retain);
    assert_null(decoded.common.output_secret_name);
    assert_string_equal(json_member_text(decoded.common.labels, "a"), "b");
    assert_string_equal(json_member_text(decoded.common.annotations, "c"), "d");
    assert_int_equal(decoded.request_count, 1);
    assert_string_equal(decoded.requests[0].field, "friendRef");
    assert_string_equal(decoded.requests[0].reference.name, "other");
    assert_ptr_equal(decoded.requests[0].sources, friend_sources);
}

static void name_is(const struct kind *kind, const char *spec, const char *expected) {
    struct error e;
    cleanup_decoded struct decoded decoded = {0};
    cleanup_object struct kube_object *object = toy_of(spec);
    must(decode_object(kind, object->name, object->root, &decoded, &e), e);
    assert_string_equal(decoded.secret_name, expected);
}

static void the_secret_has_the_objects_name_and_the_kinds_suffix(void **) {
    name_is(&toy, "{}", "mine-toy");
    name_is(&toy, "{'outputSecretName':null}", "mine-toy");
    for (const struct kind *const *kind = kind_table; *kind != nullptr; kind++) {
        char expected[64] = "";
        if ((*kind)->entries != nullptr) {
            snprintf(expected, sizeof(expected), "mine%s", (*kind)->secret_suffix);
        }
        name_is(*kind,
                "{'publicKeyRef':{'name':'a'},'privateKeyRef':{'name':'a'},'ciphertextRef':{'name':'a'},"
                "'sharedSecretRef':{'name':'a'},'messageRef':{'name':'a'},'signatureRef':{'name':'a'},"
                "'commonName':'a'}",
                expected);
    }
}

static void a_given_name_has_no_suffix(void **) {
    name_is(&toy, "{'outputSecretName':'given'}", "given");
    name_is(&toy, "{'secretName':'given'}", "given");
    name_is(&toy, "{'outputSecretName':'given','secretName':'given'}", "given");
    char spec[300] = "{'secretName':'";
    char longest[254] = {0};
    memset(longest, 'n', 253);
    snprintf(spec + strlen(spec), sizeof(spec) - strlen(spec), "%s'}", longest);
    name_is(&toy, spec, longest);
}

static void a_long_name_keeps_its_suffix(void **) {
    struct error e;
    char text[400];
    char longest[254] = {0};
    char expected[300];
    memset(longest, 'n', 253);
    snprintf(text, sizeof(text), "{'metadata':{'name':'%s','uid':'u','resourceVersion':'1'}}", longest);
    snprintf(expected, sizeof(expected), "%s-toy", longest);
    cleanup_decoded struct decoded decoded = {0};
    cleanup_object struct kube_object *object = object_of(text);
    must(decode_object(&toy, object->name, object->root, &decoded, &e), e);
    assert_string_equal(decoded.secret_name, expected);
}

static void there_may_be_no_spec(void **) {
    struct error e;
    static const char *const specs[] = {nullptr, "null", "{}"};
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        cleanup_decoded struct decoded decoded = {0};
        cleanup_object struct kube_object *object = toy_of(specs[i]);
        must(decode_object(&toy, object->name, object->root, &decoded, &e), e);
        assert_null(spec_of(&decoded)->color);
        assert_int_equal(decoded.request_count, 0);
        assert_false(decoded.common.retain);
    }
}

static void a_kind_may_have_no_inputs(void **) {
    struct error e;
    cleanup_decoded struct decoded decoded = {0};
    cleanup_object struct kube_object *object = toy_of("{'algorithm':'Kyber512'}");
    assert_null(kind_kem_key_pair.list_inputs);
    must(decode_object(&kind_kem_key_pair, object->name, object->root, &decoded, &e), e);
    assert_int_equal(decoded.request_count, 0);
}

static void faults_of_all_parts_are_told_at_once(void **) {
    struct error e = {0};
    cleanup_decoded struct decoded decoded = {0};
    cleanup_object struct kube_object *object =
        toy_of("{'color':'a color of too many "
               "bytes','friendRef':{'kind':'Foe','name':'f'},'deletionPolicy':'Keep','secretName':5}");
    assert_false(decode_object(&toy, object->name, object->root, &decoded, &e));
    assert_int_equal(e.class, ERROR_INVALID_SPEC);
    assert_string_equal(e.message, "spec.secretName: must be a text, not 5; "
                                   "spec.deletionPolicy: Keep is not one of Delete, Retain; "
                                   "spec.color: must be a text of at most 10 bytes without NUL; it has 25; "
                                   "spec.friendRef.kind: Foe is not one of QuantumToy, Secret");
}

// What can be read of a faulty spec is there: its references are followed by the index all the same.
static void a_faulty_spec_is_decoded_as_far_as_can_be(void **) {
    struct error e = {0};
    cleanup_decoded struct decoded decoded = {0};
    cleanup_object struct kube_object *object =
        toy_of("{'color':7,'friendRef':{'name':'other'},'secretName':'given'}");
    assert_false(decode_object(&toy, object->name, object->root, &decoded, &e));
    assert_string_equal(decoded.secret_name, "given");
    assert_null(spec_of(&decoded)->color);
    assert_int_equal(decoded.request_count, 1);
    assert_string_equal(decoded.requests[0].reference.name, "other");
}

static void a_message_is_never_cut(void **) {
    struct error e = {0};
    char spec[3500] = "{'secretTemplate':{'labels':{'0':0";
    for (int i = 1; i < 60; i++) {
        snprintf(spec + strlen(spec), sizeof(spec) - strlen(spec), ",'%d':%d", i, i);
    }
    snprintf(spec + strlen(spec), sizeof(spec) - strlen(spec), "}},'color':5}");
    cleanup_decoded struct decoded decoded = {0};
    cleanup_object struct kube_object *object = toy_of(spec);
    assert_false(decode_object(&toy, object->name, object->root, &decoded, &e));
    assert_null(strstr(e.message, "..."));
    assert_memory_equal(e.message, "spec.secretTemplate.labels: the value of 0 must be a text, not 0; ", 66);
    assert_true(strlen(e.message) > 700);
}

static void it_is_empty_after_it_was_freed(void **) {
    struct error e;
    struct decoded decoded = {0};
    decoded_done(&decoded);
    cleanup_object struct kube_object *object = toy_of("{'friendRef':{'name':'other'}}");
    must(decode_object(&toy, object->name, object->root, &decoded, &e), e);
    decoded_done(&decoded);
    assert_null(decoded.spec);
    assert_int_equal(decoded.request_count, 0);
    decoded_done(&decoded);
}

// ---- what is done when a key is lost, and which Secrets outlive their objects

// A good spec of every kind, but for what is put before.
#define EVERY_REFERENCE                                                                                      \
    "'publicKeyRef':{'name':'a'},'privateKeyRef':{'name':'a'},'ciphertextRef':{'name':'a'},"                 \
    "'sharedSecretRef':{'name':'a'},'messageRef':{'name':'a'},'signatureRef':{'name':'a'},'commonName':'a'"

static struct common_spec common_of(const struct kind *kind, const char *more) {
    struct error e;
    char spec[600];
    cleanup_decoded struct decoded decoded = {0};
    snprintf(spec, sizeof(spec), "{%s" EVERY_REFERENCE "}", more);
    cleanup_object struct kube_object *object = toy_of(spec);
    must(decode_object(kind, object->name, object->root, &decoded, &e), e);
    return decoded.common;
}

static const char *const kinds_with_a_key[] = {"QuantumRandomNumber", "QuantumKEMKeyPair",
                                               "QuantumEncapsulateSecret", "QuantumSignatureKeyPair",
                                               "QuantumCertificate"};

static bool has_a_key(const struct kind *kind) {
    for (size_t i = 0; i < sizeof(kinds_with_a_key) / sizeof(kinds_with_a_key[0]); i++) {
        if (strcmp(kinds_with_a_key[i], kind->kind) == 0) {
            return true;
        }
    }
    return false;
}

static void what_cannot_be_made_again_may_fail_when_it_is_lost(void **) {
    static const char *const bad[][2] = {
        {"'fail'", "spec.onKeyLoss: fail is not one of Recreate, Fail"},
        {"''", "spec.onKeyLoss:  is not one of Recreate, Fail"},
        {"'Keep'", "spec.onKeyLoss: Keep is not one of Recreate, Fail"},
        {"true", "spec.onKeyLoss: must be a text, not true"},
    };
    size_t count = 0;
    for (const struct kind *const *kind = kind_table; *kind != nullptr; kind++) {
        assert_int_equal(has_a_key(*kind), (*kind)->repair != nullptr);
        count += has_a_key(*kind) ? 1 : 0;
        assert_false(common_of(*kind, "").fails_on_key_loss);
        assert_false(common_of(*kind, "'onKeyLoss':null,").fails_on_key_loss);
        assert_false(common_of(*kind, "'onKeyLoss':'Recreate',").fails_on_key_loss);
        assert_int_equal(common_of(*kind, "'onKeyLoss':'Fail',").fails_on_key_loss, has_a_key(*kind));
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
            struct error e = {0};
            char spec[600];
            cleanup_decoded struct decoded decoded = {0};
            snprintf(spec, sizeof(spec), "{'onKeyLoss':%s," EVERY_REFERENCE "}", bad[i][0]);
            cleanup_object struct kube_object *object = toy_of(spec);
            assert_int_equal(decode_object(*kind, object->name, object->root, &decoded, &e),
                             !has_a_key(*kind));
            assert_string_equal(e.message, has_a_key(*kind) ? bad[i][1] : "");
            assert_int_equal(e.class, has_a_key(*kind) ? ERROR_INVALID_SPEC : ERROR_NONE);
        }
    }
    assert_int_equal(count, 5);
}

// A CA's does, and whatever the spec says does.
static void which_secrets_outlive_their_objects(void **) {
    static const char ca[] = "'certType':'ca',";
    for (const struct kind *const *kind = kind_table; *kind != nullptr; kind++) {
        bool has_secret = (*kind)->entries != nullptr;
        bool is_certificate = strcmp((*kind)->kind, "QuantumCertificate") == 0;
        char more[100];
        assert_false(common_of(*kind, "").retain);
        assert_false(common_of(*kind, "'deletionPolicy':'Delete',").retain);
        assert_int_equal(common_of(*kind, "'deletionPolicy':'Retain',").retain, has_secret);
        assert_int_equal(common_of(*kind, ca).retain, is_certificate);
        snprintf(more, sizeof(more), "'deletionPolicy':null,%s", ca);
        assert_int_equal(common_of(*kind, more).retain, is_certificate);
        snprintf(more, sizeof(more), "'deletionPolicy':'Delete',%s", ca);
        assert_false(common_of(*kind, more).retain);
        snprintf(more, sizeof(more), "'deletionPolicy':'Retain',%s", ca);
        assert_int_equal(common_of(*kind, more).retain, has_secret);
    }
}

// With no memory left there is an error, never a good spec out of a bad one.
static void out_of_memory_is_an_error(void **) {
    struct error e = {0};
    cleanup_object struct kube_object *good = toy_of("{'color':'blue'}");
    cleanup_object struct kube_object *bad = toy_of("{'color':5,'deletionPolicy':'Keep'}");
    for (long left = 0; left < 20; left++) {
        cleanup_decoded struct decoded decoded = {0};
        e = (struct error){0};
        memory_left = left;
        bool done = decode_object(&toy, bad->name, bad->root, &decoded, &e);
        memory_left = -1;
        assert_false(done);
        assert_true(e.class == ERROR_NO_MEMORY || e.class == ERROR_INVALID_SPEC);
        assert_true(left > 0 || e.class == ERROR_NO_MEMORY);
    }
    assert_int_equal(e.class, ERROR_INVALID_SPEC);
    cleanup_decoded struct decoded decoded = {0};
    memory_left = 0;
    must_fail(decode_object(&toy, good->name, good->root, &decoded, &e), e, ERROR_NO_MEMORY,
              "decoding a spec");
    memory_left = 1;
    must(decode_object(&toy, good->name, good->root, &decoded, &e), e);
    memory_left = -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spec_is_decoded_by_its_kind),
        cmocka_unit_test(the_secret_has_the_objects_name_and_the_kinds_suffix),
        cmocka_unit_test(a_given_name_has_no_suffix),
        cmocka_unit_test(a_long_name_keeps_its_suffix),
        cmocka_unit_test(there_may_be_no_spec),
        cmocka_unit_test(a_kind_may_have_no_inputs),
        cmocka_unit_test(faults_of_all_parts_are_told_at_once),
        cmocka_unit_test(a_faulty_spec_is_decoded_as_far_as_can_be),
        cmocka_unit_test(a_message_is_never_cut),
        cmocka_unit_test(it_is_empty_after_it_was_freed),
        cmocka_unit_test(what_cannot_be_made_again_may_fail_when_it_is_lost),
        cmocka_unit_test(which_secrets_outlive_their_objects),
        cmocka_unit_test(out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests_name("operator/decode", tests, nullptr, nullptr);
}
