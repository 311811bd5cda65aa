// What the stores keep of annotations, whoever has brought an object there.
#include "cluster.h"

// How many annotations the store has of that object, all of them ours.
static size_t count_kept(const char *text) {
    const struct id id = id_of(text);
    char key[KUBE_KEY_SIZE];
    kube_format_key(id.namespace, id.name, key);
    cleanup_object struct kube_object *object =
        store_get(informers_find_store(cluster.informers, id.resource->kind, id.namespace), key);
    assert_non_null(object);
    assert_string_equal(object->resource_version, text_at(text, "metadata resourceVersion"));
    yyjson_obj_iter members =
        yyjson_obj_iter_with(json_find(object->root, "metadata", "annotations", nullptr));
    size_t count = 0;
    for (yyjson_val *key_of; (key_of = yyjson_obj_iter_next(&members)) != nullptr; count++) {
        assert_int_equal(strncmp(yyjson_get_str(key_of), "qubesec.io/", strlen("qubesec.io/")), 0);
    }
    return count;
}

static const char with_template[] = "metadata: {annotations: {theirs: a, qubesec.io/ours: b}}\n"
                                    "spec: {secretTemplate: {annotations: {note: c}}}";

static void what_was_written(void **) {
    put("qkkp it", with_template);
    silence();
    run();
    assert_string_equal(text_at("secret it", "metadata annotations note"), "c");
    assert_int_equal(count_kept("secret it"), 4); // three of its owner, and one of the template's keys
    assert_int_equal(count_kept("qkkp it"), 1);
}

static void what_the_watch_shows(void **) {
    make("qkkp it", with_template);
    put("qkkp it", "metadata: {annotations: {more: d}}");
    put("secret it", "metadata: {annotations: {more: d}}");
    assert_int_equal(count_kept("qkkp it"), 1);
    assert_int_equal(count_kept("secret it"), 4);
}

// Nobody refers to it when the watch shows it.
static void what_was_read(void **) {
    put("secret text", "metadata: {annotations: {theirs: a}}\ndata: {message: dGV4dA==}");
    make("qskp signer", "spec: {algorithm: ML-DSA-44}");
    make("qsm it",
         "spec: {privateKeyRef: {name: signer}, messageRef: {kind: Secret, name: text, key: message}}");
    assert_int_equal(count_kept("secret text"), 0);
}

// What is left out of the stores is compared, and kept, as it is in the API server.
static void annotations_of_others_and_of_the_template_stay(void **) {
    make("qkkp it", with_template);
    put("secret it", "metadata: {annotations: {theirs: a}}");
    run();
    asked_is("get secret it; write qkkp it status; ");
    put("secret it", "metadata: {annotations: {note: other}}");
    run();
    asked_is("get secret it; patch secret it; write qkkp it status; ");
    assert_string_equal(text_at("secret it", "metadata annotations note"), "c");
    assert_string_equal(text_at("secret it", "metadata annotations theirs"), "a");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_cluster(what_was_written),
        in_cluster(what_the_watch_shows),
        in_cluster(what_was_read),
        in_cluster(annotations_of_others_and_of_the_template_stay),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
