#include "webhook_support.h"

static char *text_of(const yyjson_mut_doc *document) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(TEXT_MAX);
    must(json_write(document, &text, &e), e);
    return strdup(buffer_text(&text));
}

static void assert_same_certificate(const struct certificate *one, const struct certificate *other) {
    assert_int_equal(one == nullptr, other == nullptr);
    assert_true(one == nullptr || certificate_equals(one, other));
}

static void assert_same_authority(const struct webhook_authority *one,
                                  const struct webhook_authority *other) {
    assert_same_certificate(one->ca, other->ca);
    assert_same_certificate(one->next_ca, other->next_ca);
    assert_same_certificate(one->former_ca, other->former_ca);
    assert_same_certificate(one->leaf, other->leaf);
    assert_int_equal(one->overlap_since, other->overlap_since);
}

static void every_state_goes_through_the_secret(void **) {
    static const enum webhook_step steps[] = {WEBHOOK_NOTHING, WEBHOOK_INTRODUCE_CA, WEBHOOK_START_OVERLAP,
                                              WEBHOOK_SWITCH_LEAF, WEBHOOK_DROP_CA};
    cleanup_authority struct webhook_authority authority = made();
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        advance(&authority, steps[i], plan_at(start + (int64_t)i));
        cleanup_json yyjson_doc *secret = secret_of(&authority);
        cleanup_authority struct webhook_authority read = read_back(secret);
        assert_same_authority(&authority, &read);
        struct error e;
        must(certificate_check_key(read.ca, read.ca_key, &e), e);
        must(certificate_check_key(read.leaf, read.leaf_key, &e), e);
    }
}

static void a_new_secret_is_a_tls_secret_of_ours(void **) {
    cleanup_authority struct webhook_authority authority = made();
    cleanup_json yyjson_doc *secret = secret_of(&authority);
    yyjson_val *root = yyjson_doc_get_root(secret);
    assert_string_equal(json_member_text(root, "kind"), "Secret");
    assert_string_equal(json_member_text(root, "type"), "kubernetes.io/tls");
    assert_string_equal(json_text(json_find(root, "metadata", "name", nullptr)), "it");
    assert_string_equal(
        json_text(json_find(root, "metadata", "labels", "app.kubernetes.io/managed-by", nullptr)), "qubesec");
    assert_int_equal(yyjson_obj_size(yyjson_obj_get(root, "data")), 4);
    assert_null(json_find(root, "metadata", "annotations", WEBHOOK_OVERLAP_ANNOTATION, nullptr));
    assert_true(webhook_secret_is_ours(root));
}

static void a_patch_is_of_the_secret_that_was_read(void **) {
    struct error e;
    cleanup_authority struct webhook_authority authority = made();
    cleanup_json yyjson_doc *present =
        parse_quoted("{'metadata':{'name':'it','uid':'u','resourceVersion':'7'},'type':'Opaque'}");
    cleanup_json_mut yyjson_mut_doc *patch = nullptr;
    must(json_create(&patch, &e), e);
    must(webhook_secret_write(&authority, "it", yyjson_doc_get_root(present), patch, &e), e);
    char *text = text_of(patch);
    assert_non_null(strstr(text, "\"uid\":\"u\",\"resourceVersion\":\"7\""));
    assert_non_null(strstr(text, "\"qubesec.io/ca-overlap-since\":null,\"qubesec.io/rotate\":null"));
    assert_non_null(strstr(text, "\"ca-next.key\":null"));
    assert_null(strstr(text, "\"type\"")); // it cannot be changed
    free(text);
}

static void a_request_is_read_and_stays_until_it_is_taken_up(void **) {
    struct error e;
    static const struct {
        const char *text;
        enum webhook_request request;
    } requests[] = {{"'leaf'", WEBHOOK_REQUEST_LEAF},
                    {"'ca'", WEBHOOK_REQUEST_CA},
                    {"''", WEBHOOK_REQUEST_UNKNOWN},
                    {"'CA'", WEBHOOK_REQUEST_UNKNOWN},
                    {"7", WEBHOOK_REQUEST_UNKNOWN}};
    cleanup_authority struct webhook_authority authority = made();
    cleanup_json yyjson_doc *secret = secret_of(&authority);
    yyjson_val *data = yyjson_obj_get(yyjson_doc_get_root(secret), "data");
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        char text[200];
        snprintf(text, sizeof(text), "{'metadata':{'annotations':{'qubesec.io/rotate':%s}}}",
                 requests[i].text);
        cleanup_json yyjson_doc *annotated = parse_quoted(text);
        cleanup_json_mut yyjson_mut_doc *whole = yyjson_doc_mut_copy(annotated, nullptr);
        yyjson_mut_obj_add_val(whole, yyjson_mut_doc_get_root(whole), "data",
                               yyjson_val_mut_copy(whole, data));
        cleanup_json yyjson_doc *frozen = nullptr;
        must(json_freeze(whole, &frozen, &e), e);
        cleanup_authority struct webhook_authority read = read_back(frozen);
        assert_int_equal(read.request, requests[i].request);
        cleanup_json_mut yyjson_mut_doc *patch = nullptr;
        must(json_create(&patch, &e), e);
        must(webhook_secret_write(&read, "it", yyjson_doc_get_root(frozen), patch, &e), e);
        char *written = text_of(patch);
        assert_null(strstr(written, "qubesec.io/rotate"));
        free(written);
    }
}

static void only_a_secret_of_ours_or_an_empty_one_is_written(void **) {
    static const struct {
        const char *secret;
        bool ours;
    } cases[] = {
        {"{}", true},
        {"{'data':{}}", true},
        {"{'data':{'tls.crt':'','tls.key':''}}", true},
        {"{'data':{'tls.crt':'YQ=='}}", false},
        {"{'metadata':{'labels':{'app.kubernetes.io/managed-by':'Helm'}},'data':{'tls.crt':'YQ=='}}", false},
        {"{'metadata':{'labels':{'app.kubernetes.io/managed-by':'qubesec'}},'data':{'tls.crt':'YQ=='}}",
         true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cleanup_json yyjson_doc *secret = parse_quoted(cases[i].secret);
        assert_int_equal(webhook_secret_is_ours(yyjson_doc_get_root(secret)), cases[i].ours);
    }
}

// ---- damage

// The Secret of authority with one entry replaced; text NULL: removed.
static yyjson_doc *damaged(const struct webhook_authority *authority, const char *entry, const char *text) {
    struct error e;
    cleanup_json yyjson_doc *secret = secret_of(authority);
    cleanup_json_mut yyjson_mut_doc *changed = yyjson_doc_mut_copy(secret, nullptr);
    yyjson_mut_val *data = yyjson_mut_obj_get(yyjson_mut_doc_get_root(changed), "data");
    yyjson_doc *frozen;
    yyjson_mut_obj_remove_key(data, entry);
    if (text != nullptr) {
        yyjson_mut_obj_add_str(changed, data, entry, text);
    }
    must(json_freeze(changed, &frozen, &e), e);
    return frozen;
}

static const char *entry_of(yyjson_doc *secret, const char *entry) {
    return json_text(json_find(yyjson_doc_get_root(secret), "data", entry, nullptr));
}

// What is made of a damaged Secret is a step that ends in a sound one, which has nothing to do.
static void check_repair(const struct webhook_authority *authority, const char *entry, const char *text,
                         enum webhook_step step) {
    cleanup_json yyjson_doc *secret = damaged(authority, entry, text);
    cleanup_authority struct webhook_authority read = read_back(secret);
    if (decide(&read, plan_at(start)) != step) {
        fail_msg("%s as %.40s: step %d", entry, text == nullptr ? "nothing" : text,
                 (int)decide(&read, plan_at(start)));
    }
    assert_true(read.damage[0] != '\0' || read.leaf != nullptr);
    advance(&read, step, plan_at(start));
    cleanup_json yyjson_doc *repaired = secret_of(&read);
    cleanup_authority struct webhook_authority again = read_back(repaired);
    assert_int_equal(again.damage[0], '\0');
}

static void damage_is_repaired(void **) {
    static const struct {
        const char *name;
        enum webhook_step step;
    } entries[] = {{"tls.crt", WEBHOOK_RENEW_LEAF},
                   {"tls.key", WEBHOOK_RENEW_LEAF},
                   {"ca.crt", WEBHOOK_MAKE_ALL},
                   {"ca.key", WEBHOOK_MAKE_ALL}};
    cleanup_authority struct webhook_authority authority = made();
    cleanup_authority struct webhook_authority other = made();
    cleanup_json yyjson_doc *secret = secret_of(&authority);
    cleanup_json yyjson_doc *strange = secret_of(&other);
    static char huge[100 * 1024];
    memset(huge, 'A', sizeof(huge) - 4);
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        const char *name = entries[i].name;
        enum webhook_step step = entries[i].step;
        const char *own = entry_of(secret, name);
        char *cut = strdup(own);
        cut[strlen(cut) / 8 * 4] = '\0';
        check_repair(&authority, name, nullptr, step);
        check_repair(&authority, name, "", step);
        check_repair(&authority, name, "!", step);
        check_repair(&authority, name, "AAAA", step);
        check_repair(&authority, name, "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==", step); // a first line
        check_repair(&authority, name, cut, step);
        check_repair(&authority, name, huge, step);
        check_repair(&authority, name, entry_of(strange, name), step); // sound, but it does not belong here
        free(cut);
    }
    check_repair(&authority, "tls.crt", entry_of(secret, "ca.crt"), WEBHOOK_RENEW_LEAF);
    check_repair(&authority, "tls.key", entry_of(secret, "ca.key"), WEBHOOK_RENEW_LEAF);
    check_repair(&authority, "ca.key", entry_of(secret, "tls.key"), WEBHOOK_MAKE_ALL);
    check_repair(&authority, "ca-next.key", entry_of(strange, "ca.key"), WEBHOOK_MAKE_ALL);
    check_repair(&authority, "ca-next.key", entry_of(secret, "ca.key"), WEBHOOK_MAKE_ALL);
    check_repair(&authority, "ca-next.key", "AAAA", WEBHOOK_MAKE_ALL);
}

static void a_lost_next_key_ends_the_rotation(void **) {
    cleanup_authority struct webhook_authority authority = made();
    advance(&authority, WEBHOOK_INTRODUCE_CA, plan_at(start));
    check_repair(&authority, "ca-next.key", "AAAA", WEBHOOK_MAKE_ALL);
    cleanup_json yyjson_doc *secret = damaged(&authority, "ca-next.key", nullptr);
    cleanup_authority struct webhook_authority read = read_back(secret);
    assert_non_null(read.former_ca); // trusted for an overlap, then it goes
    expect(&read, WEBHOOK_START_OVERLAP, plan_at(start));
    expect(&read, WEBHOOK_DROP_CA, plan_at(start + OVERLAP));
    assert_int_equal(decide(&read, plan_at(start + OVERLAP)), WEBHOOK_NOTHING);
}

static void other_shapes_are_damage(void **) {
    static const char *const secrets[] = {"{}",
                                          "[]",
                                          "'text'",
                                          "null",
                                          "{'data':null}",
                                          "{'data':[]}",
                                          "{'data':{'ca.crt':7,'ca.key':null}}",
                                          "{'data':{'ca.crt':{},'ca.key':[]},'metadata':'x'}"};
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        cleanup_json yyjson_doc *secret = parse_quoted(secrets[i]);
        cleanup_authority struct webhook_authority read = read_back(secret);
        assert_null(read.ca);
        assert_int_equal(decide(&read, plan_at(start)), WEBHOOK_MAKE_ALL);
    }
}

static void a_broken_time_is_none(void **) {
    struct error e;
    static const char *const times[] = {"'yesterday'", "''", "7", "null", "'2026-13-02T03:04:05Z'"};
    cleanup_authority struct webhook_authority authority = made();
    advance(&authority, WEBHOOK_INTRODUCE_CA, plan_at(start));
    cleanup_json yyjson_doc *secret = secret_of(&authority);
    yyjson_val *data = yyjson_obj_get(yyjson_doc_get_root(secret), "data");
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        char text[200];
        snprintf(text, sizeof(text), "{'metadata':{'annotations':{'qubesec.io/ca-overlap-since':%s}}}",
                 times[i]);
        cleanup_json yyjson_doc *annotated = parse_quoted(text);
        cleanup_json_mut yyjson_mut_doc *whole = yyjson_doc_mut_copy(annotated, nullptr);
        yyjson_mut_obj_add_val(whole, yyjson_mut_doc_get_root(whole), "data",
                               yyjson_val_mut_copy(whole, data));
        cleanup_json yyjson_doc *frozen = nullptr;
        must(json_freeze(whole, &frozen, &e), e);
        cleanup_authority struct webhook_authority read = read_back(frozen);
        assert_int_equal(read.overlap_since, 0);
        assert_int_equal(decide(&read, plan_at(start)), WEBHOOK_START_OVERLAP);
    }
}

static void memory_that_runs_out_is_no_damage(void **) {
    cleanup_authority struct webhook_authority authority = made();
    advance(&authority, WEBHOOK_INTRODUCE_CA, plan_at(start));
    cleanup_json yyjson_doc *secret = secret_of(&authority);
    bool done = false;
    for (long allocations = 0; !done && allocations < 20000; allocations++) {
        struct error e = {0};
        cleanup_authority struct webhook_authority read = {0};
        memory_left = allocations;
        done = webhook_secret_read(yyjson_doc_get_root(secret), &read, &e);
        memory_left = -1;
        assert_true(done || e.class == ERROR_NO_MEMORY);
        assert_true(!done || (read.ca != nullptr && read.leaf != nullptr && read.next_ca != nullptr));
        ERR_clear_error();
    }
    assert_true(done);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_goes_through_the_secret),
        cmocka_unit_test(a_new_secret_is_a_tls_secret_of_ours),
        cmocka_unit_test(a_patch_is_of_the_secret_that_was_read),
        cmocka_unit_test(a_request_is_read_and_stays_until_it_is_taken_up),
        cmocka_unit_test(only_a_secret_of_ours_or_an_empty_one_is_written),
        cmocka_unit_test(damage_is_repaired),
        cmocka_unit_test(a_lost_next_key_ends_the_rotation),
        cmocka_unit_test(other_shapes_are_damage),
        cmocka_unit_test(a_broken_time_is_none),
        cmocka_unit_test(memory_that_runs_out_is_no_damage),
    };
    start_webhook_tests();
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
