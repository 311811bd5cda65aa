#include "../base/check.h"
#include "../base/short_memory.h"

#include "kube/object.h"
#include "json/write.h"

#include <pthread.h>

static const struct kube_kept whole_object = {.annotations = "our.domain/"};

static struct kube_object *make(const char *text) {
    struct error e;
    cleanup_json yyjson_doc *document = nullptr;
    struct kube_object *object = nullptr;
    must(json_parse(text, strlen(text), &document, &e), e);
    must(kube_object_create(yyjson_doc_get_root(document), &whole_object, &object, &e), e);
    return object; // the document is freed: the object must not need it
}

static const char whole[] =
    "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"n\",\"namespace\":\"ns\",\"uid\":"
    "\"u-1\","
    "\"resourceVersion\":\"12\",\"generation\":3,\"creationTimestamp\":\"2024-01-01T00:00:00Z\","
    "\"managedFields\":[{\"manager\":\"kubectl\"}],\"labels\":{\"a\":\"b\"},\"annotations\":{\"our.domain/"
    "keep\":\"me\","
    "\"our.domain\":\"no\",\"another.domain/large\":\"1\",\"a\":{},"
    "\"kubectl.kubernetes.io/last-applied-configuration\":\"{\\\"data\\\":\\\"secret\\\"}\"}},"
    "\"data\":{\"k\":\"dg==\",\"managedFields\":\"mine\"}}";

static void its_members_are_read(void **) {
    cleanup_object struct kube_object *object = make(whole);
    assert_string_equal(object->namespace, "ns");
    assert_string_equal(object->name, "n");
    assert_string_equal(object->key, "ns/n");
    assert_string_equal(object->uid, "u-1");
    assert_string_equal(object->resource_version, "12");
    assert_int_equal(object->generation, 3);
    assert_int_equal(object->created, 1704067200);
    assert_false(object->deleting);
    assert_string_equal(json_text(json_find(object->root, "data", "k", nullptr)), "dg==");
}

static void what_nobody_reads_is_left_out(void **) {
    cleanup_object struct kube_object *object = make(whole);
    yyjson_val *metadata = json_find(object->root, "metadata", nullptr);
    assert_null(json_find(metadata, "managedFields", nullptr));
    assert_int_equal(yyjson_obj_size(json_find(metadata, "annotations", nullptr)), 1);
    assert_string_equal(json_text(json_find(metadata, "annotations", "our.domain/keep", nullptr)), "me");
    assert_string_equal(json_text(json_find(metadata, "labels", "a", nullptr)), "b");
    // Only those of metadata.
    assert_string_equal(json_text(json_find(object->root, "data", "managedFields", nullptr)), "mine");
    assert_int_equal(yyjson_obj_size(object->root), 2); // metadata and data
}

static void only_metadata_can_be_kept(void **) {
    const struct kube_kept metadata = {.metadata_only = true};
    struct error e;
    cleanup_json yyjson_doc *document = nullptr;
    cleanup_object struct kube_object *object = nullptr;
    must(json_parse(whole, strlen(whole), &document, &e), e);
    must(kube_object_create(yyjson_doc_get_root(document), &metadata, &object, &e), e);
    assert_string_equal(object->uid, "u-1");
    assert_string_equal(object->key, "ns/n");
    assert_int_equal(yyjson_obj_size(object->root), 1);
    assert_null(json_find(object->root, "metadata", "managedFields", nullptr));
    assert_int_equal(yyjson_obj_size(json_find(object->root, "metadata", "annotations", nullptr)), 0);
}

// ---- long texts of a status

#define STATUS(fields)                                                                                       \
    "{\"metadata\":{\"name\":\"n\",\"uid\":\"u\",\"resourceVersion\":\"1\"},\"status\":{" fields "}}"

static struct kube_object *make_with_pem(const char *pem) {
    char text[2048];
    snprintf(text, sizeof(text), STATUS("\"algorithm\":\"a\",\"pem\":\"%s\",\"n\":7"), pem);
    return make(text);
}

static bool says(const struct kube_object *object, const char *field, const char *text) {
    struct error e;
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    must(json_create(&document, &e), e);
    return kube_status_says(json_find(object->root, "status", field, nullptr), yyjson_mut_str(document, text),
                            document);
}

static void a_long_text_of_the_status_is_a_digest(void **) {
    enum { LONG = KUBE_STATUS_TEXT_MAX + 1 };
    char text[LONG + 1] = "";
    char other[LONG + 1] = "";
    memset(text, 'p', LONG);
    memset(other, 'p', LONG);
    other[LONG - 1] = 'q';
    cleanup_object struct kube_object *object = make_with_pem(text);
    assert_false(yyjson_is_str(json_find(object->root, "status", "pem", nullptr)));
    assert_true(says(object, "pem", text));
    assert_false(says(object, "pem", other));
    assert_false(says(object, "pem", "p"));
    assert_true(says(object, "algorithm", "a"));
    assert_false(says(object, "algorithm", "b"));
    assert_false(says(object, "algorithm", text));
    assert_false(says(object, "missing", "a"));
    assert_false(says(object, "missing", text));
    assert_int_equal(json_integer(json_find(object->root, "status", "n", nullptr), 0), 7);
    text[LONG - 1] = '\0';
    cleanup_object struct kube_object *shorter = make_with_pem(text);
    assert_string_equal(json_text(json_find(shorter->root, "status", "pem", nullptr)), text);
    assert_true(says(shorter, "pem", text));
}

// As it is where somebody has written what no schema allows.
static void a_status_that_only_looks_like_a_digest_is_none(void **) {
    char text[KUBE_STATUS_TEXT_MAX + 2] = "";
    memset(text, 'p', sizeof(text) - 1);
    static const char *const fields[] = {"\"pem\":[1,2,3,4]",  "\"pem\":[]",   "\"pem\":[1,2,3]",
                                         "\"pem\":\"sha256\"", "\"pem\":null", "\"pem\":{\"a\":1}"};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        char whole_text[256];
        snprintf(whole_text, sizeof(whole_text), STATUS("%s"), fields[i]);
        cleanup_object struct kube_object *object = make(whole_text);
        assert_false(says(object, "pem", text));
    }
}

static void a_cluster_scoped_object_has_no_namespace(void **) {
    cleanup_object struct kube_object *object = make(
        "{\"metadata\":{\"name\":\"n\",\"uid\":\"u\",\"resourceVersion\":\"1\",\"creationTimestamp\":null,"
        "\"deletionTimestamp\":\"2024-01-01T00:00:00Z\"}}");
    assert_string_equal(object->namespace, "");
    assert_string_equal(object->key, "/n");
    assert_int_equal(object->created, 0);
    assert_int_equal(object->generation, 0);
    assert_true(object->deleting);
}

static void a_null_deletion_timestamp_is_none(void **) {
    cleanup_object struct kube_object *object = make(
        "{\"metadata\":{\"name\":\"n\",\"uid\":\"u\",\"resourceVersion\":\"1\",\"deletionTimestamp\":null,"
        "\"creationTimestamp\":\"soon\",\"generation\":\"x\",\"annotations\":null}}");
    assert_false(object->deleting);
    assert_int_equal(object->created, 0);
}

static void malformed_metadata_is_an_error(void **) {
    static const struct {
        const char *text;
        const char *missing;
    } rows[] = {
        {"null", "name"},
        {"[]", "name"},
        {"{}", "name"},
        {"{\"metadata\":null}", "name"},
        {"{\"metadata\":[]}", "name"},
        {"{\"metadata\":\"x\"}", "name"},
        {"{\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"1\"}}", "name"},
        {"{\"metadata\":{\"name\":\"\",\"uid\":\"u\",\"resourceVersion\":\"1\"}}", "name"},
        {"{\"metadata\":{\"name\":7,\"uid\":\"u\",\"resourceVersion\":\"1\"}}", "name"},
        {"{\"metadata\":{\"name\":\"n\\u0000\",\"uid\":\"u\",\"resourceVersion\":\"1\"}}", "name"},
        {"{\"metadata\":{\"name\":\"n\",\"resourceVersion\":\"1\"}}", "uid"},
        {"{\"metadata\":{\"name\":\"n\",\"uid\":null,\"resourceVersion\":\"1\"}}", "uid"},
        {"{\"metadata\":{\"name\":\"n\",\"uid\":\"u\"}}", "resourceVersion"},
        {"{\"metadata\":{\"name\":\"n\",\"uid\":\"u\",\"resourceVersion\":1}}", "resourceVersion"},
        {"{\"metadata\":{\"name\":\"n\",\"uid\":\"u\",\"resourceVersion\":\"\"}}", "resourceVersion"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error e;
        cleanup_json yyjson_doc *document = nullptr;
        struct kube_object *object = nullptr;
        must(json_parse(rows[i].text, strlen(rows[i].text), &document, &e), e);
        must_fail(kube_object_create(yyjson_doc_get_root(document), &whole_object, &object, &e), e,
                  ERROR_INVALID_SPEC, rows[i].missing);
        assert_null(object);
    }
}

static void *retain_and_release(void *context) {
    for (int i = 0; i < 20000; i++) {
        kube_object_release(kube_object_retain(context));
    }
    kube_object_release(context);
    return nullptr;
}

static void many_threads_may_hold_it(void **) {
    enum { THREADS = 4 };
    struct kube_object *object = make(whole);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], nullptr, retain_and_release, kube_object_retain(object));
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], nullptr);
    }
    assert_string_equal(object->key, "ns/n");
    kube_object_release(object);
    kube_object_release(nullptr);
}

static void out_of_memory_is_an_error_and_leaks_nothing(void **) {
    struct error e;
    cleanup_json yyjson_doc *document = nullptr;
    struct kube_object *object = nullptr;
    must(json_parse(whole, strlen(whole), &document, &e), e);
    long failures = 0;
    for (memory_left = 0; !kube_object_create(yyjson_doc_get_root(document), &whole_object, &object, &e);
         memory_left = ++failures) {
        assert_int_equal(e.class, ERROR_NO_MEMORY);
        assert_null(object);
    }
    memory_left = -1;
    assert_in_range(failures, 3, 20);
    assert_int_equal(yyjson_obj_size(object->root), 2); // metadata and data
    kube_object_release(object);
}

static void versions_are_compared_as_numbers_of_any_size(void **) {
    static const struct {
        const char *smaller;
        const char *greater;
    } rows[] = {
        {"9", "10"},   {"1", "2"},     {"99", "100"},
        {"", "1"},     {"0", "1"},     {"18446744073709551615", "18446744073709551616"},
        {"007", "10"}, {"0009", "10"}, {"123456789012345678901234567890", "123456789012345678901234567891"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(kube_compare_versions(rows[i].smaller, rows[i].greater) < 0);
        assert_true(kube_compare_versions(rows[i].greater, rows[i].smaller) > 0);
        assert_int_equal(kube_compare_versions(rows[i].greater, rows[i].greater), 0);
    }
    assert_int_equal(kube_compare_versions("0", ""), 0);
    assert_int_equal(kube_compare_versions("07", "7"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_members_are_read),
        cmocka_unit_test(what_nobody_reads_is_left_out),
        cmocka_unit_test(only_metadata_can_be_kept),
        cmocka_unit_test(a_long_text_of_the_status_is_a_digest),
        cmocka_unit_test(a_status_that_only_looks_like_a_digest_is_none),
        cmocka_unit_test(a_cluster_scoped_object_has_no_namespace),
        cmocka_unit_test(a_null_deletion_timestamp_is_none),
        cmocka_unit_test(malformed_metadata_is_an_error),
        cmocka_unit_test(many_threads_may_hold_it),
        cmocka_unit_test(out_of_memory_is_an_error_and_leaks_nothing),
        cmocka_unit_test(versions_are_compared_as_numbers_of_any_size),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
