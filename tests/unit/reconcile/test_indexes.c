// Stores that are filled by hand, and what follows from it: no API server.
#include "../base/heap.h"
#include "../kube/objects.h"

#include "kinds/table.h"
#include "reconcile/indexes.h"

#include <stdio.h>
#include <stdlib.h>

static struct queue *queue;
static struct informers *informers;
static struct indexes *indexes;
static int settings_changes;

static void settings_changed(void *) {
    settings_changes++;
}

static void make(const char *const *namespaces, const char *const *excluded) {
    const struct indexes_options options = {
        .kinds = kind_table,
        .namespaces = namespaces,
        .excluded = excluded,
        .queue = queue,
        .settings_key = "system/settings",
        .settings_changed = settings_changed,
    };
    struct error e;
    must(informers_create(&informers, &e), e);
    must(indexes_create(&options, informers, &indexes, &e), e);
}

static int set_up(void **) {
    struct error e;
    memory_left = -1;
    settings_changes = 0;
    informers = nullptr;
    indexes = nullptr;
    return queue_create(nullptr, &queue, &e) ? 0 : -1;
}

static int tear_down(void **) {
    memory_left = -1;
    informers_free(informers);
    indexes_free(indexes);
    queue_free(queue);
    return 0;
}

static const struct kube_resource *resource_of(const char *kind) {
    const struct kube_resource *resource = indexes_find_resource(indexes, kind);
    assert_non_null(resource);
    return resource;
}

static struct kube_object *object(const char *name, const char *version, const char *more) {
    char text[1000];
    snprintf(text, sizeof(text),
             "{'metadata':{'namespace':'ns','name':'%s','uid':'uid-%s','resourceVersion':'%s'%s}", name, name,
             version, more);
    return object_of(text);
}

static void apply(const char *kind, struct kube_object *object) {
    struct error e;
    must(store_apply(informers_find_store(informers, kind, object->namespace), object, &e), e);
}

static void apply_key_pair(const char *name, const char *version) {
    apply("QuantumKEMKeyPair", object(name, version, "},'spec':{'algorithm':'ML-KEM-768'}"));
}

// One that refers to the key pair.
static void apply_encapsulation(const char *name, const char *key_pair) {
    char more[200];
    snprintf(more, sizeof(more), "},'spec':{'algorithm':'ML-KEM-768','publicKeyRef':{'name':'%s'}}",
             key_pair);
    apply("QuantumEncapsulateSecret", object(name, "1", more));
}

static int compare(const void *one, const void *other) {
    return strcmp(one, other);
}

// The keys that wait in the queue, which are taken out, in the order of their texts.
static void woken_are(const char *expected) {
    char keys[10][OBJECT_KEY_TEXT_SIZE];
    cleanup_buffer struct buffer text = buffer_create(4000);
    struct error e;
    size_t count = queue_depth(queue);
    assert_in_range(count, 0, 10);
    for (size_t i = 0; i < count; i++) {
        struct object_key key;
        struct queue_attempt attempt;
        assert_true(queue_take(queue, &key, &attempt));
        object_key_format(&key, keys[i]);
        queue_done(queue, &key);
    }
    qsort(keys, count, sizeof(keys[0]), compare);
    for (size_t i = 0; i < count; i++) {
        must(buffer_append_format(&text, &e, "%s ", keys[i]), e);
    }
    assert_string_equal(buffer_text(&text), expected);
}

static void an_object_and_all_that_depend_on_it_are_woken(void **) {
    make(nullptr, nullptr);
    apply_encapsulation("e", "a");
    apply_encapsulation("other", "b");
    woken_are("quantumencapsulatesecrets/ns/e quantumencapsulatesecrets/ns/other ");
    apply_key_pair("a", "1");
    woken_are("quantumencapsulatesecrets/ns/e quantumkemkeypairs/ns/a ");
    apply("Secret", object("a", "1", "}")); // the key pair's output
    woken_are("quantumkemkeypairs/ns/a ");
    store_remove(informers_find_store(informers, "QuantumKEMKeyPair", "ns"), object("a", "2", "}"));
    woken_are("quantumencapsulatesecrets/ns/e ");
}

// What is in hand is not woken by what is written to it or to its output, but by what others do.
static void test_trap_53_what_comes_back_from_an_own_write_wakes_nobody(void **) {
    make(nullptr, nullptr);
    apply_key_pair("a", "1");
    apply_encapsulation("e", "a");
    woken_are("quantumencapsulatesecrets/ns/e quantumkemkeypairs/ns/a ");
    const struct object_key key = {resource_of("QuantumKEMKeyPair"), "ns", "a"};
    indexes_take_up(indexes, &key);
    indexes_expect_output(indexes, &key, "a");
    apply("Secret", object("a", "1", "}"));
    apply_key_pair("a", "2");
    woken_are("quantumencapsulatesecrets/ns/e ");
    struct store *key_pairs = informers_find_store(informers, "QuantumKEMKeyPair", "ns");
    struct store *secrets = informers_find_store(informers, "Secret", "ns");
    cleanup_object struct kube_object *written = store_get(key_pairs, "ns/a");
    cleanup_object struct kube_object *output = store_get(secrets, "ns/a");
    indexes_lay_down(indexes, &key, written, output);
    woken_are("");

    indexes_take_up(indexes, &key);
    indexes_expect_output(indexes, &key, "a");
    apply("Secret", object("a", "2", "}"));
    indexes_lay_down(indexes, &key, written, output);
    woken_are("quantumkemkeypairs/ns/a ");

    indexes_take_up(indexes, &key);
    apply_key_pair("a", "3");
    indexes_lay_down(indexes, &key, written, nullptr);
    woken_are("quantumencapsulatesecrets/ns/e quantumkemkeypairs/ns/a ");
}

static void only_what_is_referred_to_is_kept(void **) {
    make(nullptr, nullptr);
    struct store *secrets = informers_find_store(informers, "Secret", "ns");
    struct store *config_maps = informers_find_store(informers, "ConfigMap", "ns");
    apply_key_pair("a", "1");
    apply("Secret", object("a", "1", "}"));
    apply("Secret", object("foreign", "1", "}"));
    apply("Secret", object("marked", "1",
                           ",'labels':{'app.kubernetes.io/managed-by':'qubesec'},"
                           "'annotations':{'qubesec.io/owner':'QuantumKEMKeyPair/marked'}}"));
    apply("ConfigMap", object("a", "1", "}"));
    assert_int_equal(store_count(secrets), 2);
    assert_true(store_has_version(secrets, "ns/a", "1"));
    assert_true(store_has_version(secrets, "ns/marked", "1"));
    assert_int_equal(store_count(config_maps), 0);
    assert_int_equal(settings_changes, 0);
    apply("ConfigMap", object_of("{'metadata':{'namespace':'system','name':'settings','uid':'u',"
                                 "'resourceVersion':'1'}}"));
    assert_int_equal(settings_changes, 1);
    assert_int_equal(store_count(config_maps), 1);
}

static void the_older_one_has_the_name(void **) {
    make(nullptr, nullptr);
    static const char old_time[] = ",'creationTimestamp':'2026-01-01T00:00:00Z'},"
                                   "'spec':{'algorithm':'ML-KEM-768','outputSecretName':'shared'}";
    static const char new_time[] = ",'creationTimestamp':'2026-01-01T00:00:01Z'},"
                                   "'spec':{'algorithm':'ML-KEM-768','outputSecretName':'shared'}";
    apply("QuantumKEMKeyPair", object("old", "1", old_time));
    apply("QuantumKEMKeyPair", object("new", "1", new_time));
    struct store *store = informers_find_store(informers, "QuantumKEMKeyPair", "ns");
    cleanup_object struct kube_object *old = store_get(store, "ns/old");
    cleanup_object struct kube_object *new = store_get(store, "ns/new");
    cleanup_text char *before_new =
        indexes_find_older_claim(indexes, &kind_kem_key_pair, new, &kube_secrets, "shared");
    cleanup_text char *before_old =
        indexes_find_older_claim(indexes, &kind_kem_key_pair, old, &kube_secrets, "shared");
    cleanup_text char *of_other =
        indexes_find_older_claim(indexes, &kind_kem_key_pair, new, &kube_secrets, "other");
    assert_string_equal(before_new, "QuantumKEMKeyPair old");
    assert_null(before_old);
    assert_null(of_other);
    woken_are("quantumkemkeypairs/ns/new quantumkemkeypairs/ns/old ");
    store_remove(store, kube_object_retain(old));
    woken_are("quantumkemkeypairs/ns/new ");
}

static void apply_ca(const char *name, int second) {
    char more[300];
    snprintf(more, sizeof(more),
             ",'creationTimestamp':'2026-01-01T00:00:0%dZ'},'spec':{'certType':'ca','commonName':'x',"
             "'trustBundle':{'configMapName':'roots'}}",
             second);
    apply("QuantumCertificate", object(name, "1", more));
}

#define MARKS(home)                                                                                          \
    ",'annotations':{'qubesec.io/owner':'QuantumCertificate/a','qubesec.io/owner-namespace':'" home "'}}"

static void note_name(void *context, const struct kube_object *config_map) {
    char *names = context;
    (void)snprintf(names + strlen(names), 100 - strlen(names), "%s ", config_map->name);
}

// Copies of it in other namespaces are nobody's business.
static void config_maps_that_were_made_are_kept_where_they_were_made(void **) {
    make(nullptr, nullptr);
    struct store *config_maps = informers_find_store(informers, "ConfigMap", "ns");
    char names[100] = "";
    apply("ConfigMap", object("copy", "1", MARKS("elsewhere")));
    apply("ConfigMap", object("unsaid", "1", ",'annotations':{'qubesec.io/owner':'QuantumCertificate/a'}}"));
    assert_int_equal(store_count(config_maps), 0);
    apply("ConfigMap", object("made", "1", MARKS("ns")));
    assert_int_equal(store_count(config_maps), 1);
    apply_ca("a", 0);
    struct store *store = informers_find_store(informers, "QuantumCertificate", "ns");
    cleanup_object struct kube_object *ca = store_get(store, "ns/a");
    indexes_visit_bundles(indexes, &kind_certificate, ca, note_name, names);
    assert_string_equal(names, "made ");
    apply("ConfigMap", object("made", "2",
                              ",'annotations':{'qubesec.io/owner':'QuantumCertificate/b',"
                              "'qubesec.io/owner-namespace':'ns'}}"));
    names[0] = '\0';
    indexes_visit_bundles(indexes, &kind_certificate, ca, note_name, names);
    assert_string_equal(names, "");
}

static void the_config_map_of_a_bundle_is_kept_and_wakes_its_object(void **) {
    make(nullptr, nullptr);
    apply_ca("a", 0);
    woken_are("quantumcertificates/ns/a ");
    apply("ConfigMap", object("roots", "1", "}"));
    woken_are("quantumcertificates/ns/a ");
    struct store *config_maps = informers_find_store(informers, "ConfigMap", "ns");
    assert_int_equal(store_count(config_maps), 1);
    store_remove(config_maps, object("roots", "2", "}"));
    woken_are("quantumcertificates/ns/a ");
    apply("ConfigMap", object("others", "3", "}"));
    woken_are("");
}

static void the_older_one_has_the_config_map(void **) {
    make(nullptr, nullptr);
    apply_ca("young", 1);
    apply_ca("old", 0);
    // Whoever reads it claims nothing.
    apply("QuantumVerifySignature", object("reader", "1",
                                           ",'creationTimestamp':'2025-01-01T00:00:00Z'},'spec':{"
                                           "'publicKeyRef':{'name':'roots','kind':'ConfigMap','key':'k'}}"));
    struct store *store = informers_find_store(informers, "QuantumCertificate", "ns");
    cleanup_object struct kube_object *old = store_get(store, "ns/old");
    cleanup_object struct kube_object *young = store_get(store, "ns/young");
    cleanup_text char *before_young =
        indexes_find_older_claim(indexes, &kind_certificate, young, &kube_config_maps, "roots");
    cleanup_text char *before_old =
        indexes_find_older_claim(indexes, &kind_certificate, old, &kube_config_maps, "roots");
    cleanup_text char *of_secret =
        indexes_find_older_claim(indexes, &kind_certificate, young, &kube_secrets, "roots");
    assert_string_equal(before_young, "QuantumCertificate old");
    assert_null(before_old);
    assert_null(of_secret);
    woken_are("quantumcertificates/ns/old quantumcertificates/ns/young quantumverifysignatures/ns/reader ");
    store_remove(store, kube_object_retain(old));
    woken_are("quantumcertificates/ns/young quantumverifysignatures/ns/reader ");
}

static void count(void *context, const char *kind, size_t count) {
    size_t *counts = context;
    counts[0] += count;
    counts[1] += strcmp(kind, "QuantumKEMKeyPair") == 0 ? count : 0;
}

static void note_visit(void *context, const struct kind *kind, const struct kube_object *object) {
    assert_ptr_equal(kind, &kind_kem_key_pair);
    assert_string_equal(object->name, "b");
    ++*(int *)context;
}

static void append_name(void *context, const struct kind *, const struct kube_object *object) {
    struct error e;
    must(buffer_append_format(context, &e, "%s ", object->name), e);
}

// By their status alone: what is rotated no more has versions for a while, and what follows has no time.
static void what_is_rotated_is_found(void **) {
    cleanup_buffer struct buffer names = buffer_create(1000);
    make(nullptr, nullptr);
    apply("QuantumKEMKeyPair", object("a", "1", "},'status':{'nextRotationTime':'2030-01-01T00:00:00Z'}"));
    apply("QuantumKEMKeyPair", object("b", "1", "},'status':{'versions':[]}"));
    apply("QuantumKEMKeyPair", object("c", "1", "},'status':{'version':1}"));
    apply("QuantumKEMKeyPair", object("d", "1", "},'status':{'versions':[],'nextRotationTime':'soon'}"));
    indexes_visit(indexes, INDEX_ROTATED, append_name, &names);
    assert_non_null(strstr(buffer_text(&names), "a "));
    assert_non_null(strstr(buffer_text(&names), "b "));
    assert_non_null(strstr(buffer_text(&names), "d "));
    assert_int_equal(names.length, strlen("a b d "));
}

static void objects_are_counted_by_their_status(void **) {
    size_t counts[2] = {0};
    int visits = 0;
    make(nullptr, nullptr);
    apply_key_pair("a", "1");
    apply("QuantumKEMKeyPair",
          object("b", "1", "},'status':{'status':'Failed','notAfter':'2030-01-01T00:00:00Z'}"));
    apply_encapsulation("e", "a");
    assert_int_equal(indexes_count_status(indexes, "QuantumKEMKeyPair", "Failed"), 1);
    assert_int_equal(indexes_count_status(indexes, "QuantumKEMKeyPair", "Success"), 0);
    assert_int_equal(indexes_count_status(indexes, "QuantumEncapsulateSecret", "Failed"), 0);
    indexes_count(indexes, count, counts);
    assert_int_equal(counts[0], 3);
    assert_int_equal(counts[1], 2);
    indexes_visit(indexes, INDEX_EXPIRING, note_visit, &visits);
    assert_int_equal(visits, 1);
}

static void kinds_and_their_resources_are_found(void **) {
    make(nullptr, nullptr);
    const struct kube_resource *resource = resource_of("QuantumCertificate");
    assert_string_equal(resource->group, "qubesec.io");
    assert_string_equal(resource->version, "v1");
    assert_string_equal(resource->plural, "quantumcertificates");
    assert_ptr_equal(indexes_find_kind(indexes, resource), &kind_certificate);
    assert_null(indexes_find_kind(indexes, &kube_secrets));
    assert_null(indexes_find_resource(indexes, "Secret"));
}

static void describe(void *context, const struct informer_state *state) {
    struct error e;
    if (strncmp(state->resource, "quantum", 7) != 0) {
        must(buffer_append_format(context, &e, "%s in %s; ", state->resource,
                                  state->namespace == nullptr ? "all" : state->namespace),
             e);
    }
}

static void namespaces_can_be_chosen(void **) {
    static const char *const namespaces[] = {"ns", "other", nullptr};
    static const char *const excluded[] = {"other", nullptr};
    cleanup_buffer struct buffer text = buffer_create(1000);
    make(namespaces, excluded);
    assert_true(indexes_serve(indexes, "ns"));
    assert_false(indexes_serve(indexes, "other"));
    assert_false(indexes_serve(indexes, "third"));
    informers_describe(informers, describe, &text);
    assert_string_equal(buffer_text(&text),
                        "secrets in ns; secrets in other; configmaps in ns; configmaps in "
                        "other; configmaps in system; ");
    struct store *store = informers_find_store(informers, "QuantumKEMKeyPair", "other");
    apply("QuantumKEMKeyPair",
          object_of("{'metadata':{'namespace':'other','name':'a','uid':'u','resourceVersion':'1'}}"));
    assert_int_equal(store_count(store), 0);
    woken_are("");
}

static void no_memory_is_an_error(void **) {
    static const struct kind *const kinds[] = {&kind_kem_key_pair, nullptr};
    const struct indexes_options options = {
        .kinds = kinds, .queue = queue, .settings_key = "system/settings"};
    struct error e;
    bool created = false;
    for (long left = 0; !created; left++) {
        must(informers_create(&informers, &e), e);
        memory_left = left;
        created = indexes_create(&options, informers, &indexes, &e);
        memory_left = -1;
        if (!created) {
            assert_int_equal(e.class, ERROR_NO_MEMORY);
            assert_null(indexes);
            informers_free(informers);
        }
    }
    indexes_free(nullptr);
}

// ---- what an object takes is given back with it

// What a worker does with each key that waits; with_output: it writes a Secret of the same name.
static void work(bool with_output) {
    while (queue_depth(queue) > 0) {
        struct object_key key;
        struct queue_attempt attempt;
        char name[KUBE_KEY_SIZE];
        assert_true(queue_take(queue, &key, &attempt));
        kube_format_key("ns", key.name, name);
        indexes_take_up(indexes, &key);
        indexes_expect_output(indexes, &key, key.name);
        if (with_output) {
            apply("Secret", object(key.name, "1", "}"));
        }
        cleanup_object struct kube_object *seen =
            store_get(informers_find_store(informers, key.resource->kind, "ns"), name);
        cleanup_object struct kube_object *output =
            store_get(informers_find_store(informers, "Secret", "ns"), name);
        indexes_lay_down(indexes, &key, seen, output);
        queue_forget(queue, &key);
        queue_done(queue, &key);
    }
}

// An object, one that depends on it, and their Secrets: made, worked on, and deleted.
static void come_and_go(int number) {
    static const char *const kinds[] = {"QuantumKEMKeyPair", "QuantumEncapsulateSecret"};
    char names[2][20];
    snprintf(names[0], sizeof(names[0]), "a-%06d", number);
    snprintf(names[1], sizeof(names[1]), "b-%06d", number);
    apply_encapsulation(names[1], names[0]);
    apply_key_pair(names[0], "1");
    work(true);
    for (size_t i = 0; i < 2; i++) {
        store_remove(informers_find_store(informers, kinds[i], "ns"), object(names[i], "9", "}"));
        store_remove(informers_find_store(informers, "Secret", "ns"), object(names[i], "9", "}"));
    }
    work(false);
}

static void what_an_object_takes_is_given_back(void **) {
    enum { ALLOWED = 1024 };
    const int warm = heap_rounds(200);
    const int many = heap_rounds(2000);
    make(nullptr, nullptr);
    for (int i = 0; i < warm; i++) {
        come_and_go(i);
    }
    size_t before = heap_in_use();
    for (int i = warm; i < warm + many; i++) {
        come_and_go(i);
    }
    assert_in_range(heap_in_use(), 0, before + ALLOWED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_object_and_all_that_depend_on_it_are_woken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trap_53_what_comes_back_from_an_own_write_wakes_nobody, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(only_what_is_referred_to_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(config_maps_that_were_made_are_kept_where_they_were_made, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_config_map_of_a_bundle_is_kept_and_wakes_its_object, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_older_one_has_the_config_map, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_older_one_has_the_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(objects_are_counted_by_their_status, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_rotated_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kinds_and_their_resources_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(namespaces_can_be_chosen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_an_object_takes_is_given_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_memory_is_an_error, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
