// What goes from an API in memory, and where nothing new can come.
#include "objects.h"

#include "kube/memory_api.h"

#include <stdio.h>

static const struct kube_resource widgets = {"qubesec.io", "v1", "Widget", "widgets"};
static const struct kube_resource nodes = {"", "v1", "Node", "nodes"};

enum { TEXT_SIZE = 1024 };

struct world {
    struct memory_api *memory;
    struct api api;
    char removed[TEXT_SIZE]; // "namespace/name@version " of each
};

static int64_t tell_time(void *) {
    return 1767323045;
}

static void note_removal(void *context, yyjson_val *object) {
    struct world *world = context;
    size_t used = strlen(world->removed);
    const char *namespace = json_text(json_find(object, "metadata", "namespace", nullptr));
    snprintf(world->removed + used, TEXT_SIZE - used, "%s/%s@%s ", namespace == nullptr ? "" : namespace,
             json_text(json_find(object, "metadata", "name", nullptr)),
             json_text(json_find(object, "metadata", "resourceVersion", nullptr)));
}

static void begin(struct world *world, bool has_namespaces) {
    struct error e;
    const struct memory_api_options options = {
        .now = tell_time, .removed = note_removal, .context = world, .has_namespaces = has_namespaces};
    *world = (struct world){0};
    must(memory_api_create(&options, &world->memory, &e), e);
    world->api = memory_api_verbs(world->memory);
}

static void put(struct world *world, const struct kube_resource *resource, const char *text) {
    struct error e;
    cleanup_json yyjson_doc *document = parse_quoted(text);
    must(memory_api_put(world->memory, resource, yyjson_doc_get_root(document), &e), e);
}

static void collect(struct world *world, size_t expected, const char *removed) {
    struct error e;
    size_t count;
    must(memory_api_collect(world->memory, &count, &e), e);
    assert_int_equal(count, expected);
    assert_string_equal(world->removed, removed);
    world->removed[0] = '\0';
}

static bool create(struct world *world, const char *namespace, struct error *e) {
    cleanup_json_mut yyjson_mut_doc *body = nullptr;
    must(json_create(&body, e), *e);
    yyjson_mut_val *metadata = yyjson_mut_obj_add_obj(body, yyjson_mut_doc_get_root(body), "metadata");
    yyjson_mut_obj_add_str(body, metadata, "name", "new");
    return api_create(world->api, &widgets, namespace, body, 0, nullptr, e);
}

static void what_is_removed_is_gone_and_told_with_a_version_of_its_own(void **) {
    struct world world;
    struct error e;
    begin(&world, false);
    put(&world, &widgets, "{'metadata':{'name':'a','namespace':'ns'},'spec':{}}");
    put(&world, &nodes, "{'metadata':{'name':'n'}}");
    must(memory_api_remove(world.memory, &widgets, "ns", "a", &e), e);
    must(memory_api_remove(world.memory, &nodes, nullptr, "n", &e), e);
    assert_string_equal(world.removed, "ns/a@4 /n@5 ");
    yyjson_doc *found = nullptr;
    must_fail(api_get(world.api, &widgets, "ns", "a", 0, &found, &e), e, ERROR_NOT_FOUND, "not found");
    must_fail(memory_api_remove(world.memory, &widgets, "ns", "a", &e), e, ERROR_NOT_FOUND, "not found");
    put(&world, &widgets, "{'metadata':{'name':'a','namespace':'ns'},'spec':{}}");
    must(api_get(world.api, &widgets, "ns", "a", 0, &found, &e), e);
    assert_string_equal(
        json_text(json_find(yyjson_doc_get_root(found), "metadata", "resourceVersion", nullptr)), "6");
    json_free(found);
    memory_api_free(world.memory);
}

#define OWNED(name, owners) "{'metadata':{'name':'" name "','namespace':'ns','ownerReferences':[" owners "]}}"
#define OWNER(kind, name, uid) "{'kind':'" kind "','name':'" name "','uid':'" uid "'}"

static void what_has_lost_all_its_owners_is_collected(void **) {
    struct world world;
    struct error e;
    begin(&world, false);
    put(&world, &widgets, "{'metadata':{'name':'a','namespace':'ns','uid':'u-a'}}");
    put(&world, &widgets, "{'metadata':{'name':'b','namespace':'ns','uid':'u-b'}}");
    put(&world, &widgets, "{'metadata':{'name':'a','namespace':'other','uid':'u-other'}}");
    put(&world, &nodes, "{'metadata':{'name':'n','uid':'u-n'}}");
    put(&world, &kube_secrets, OWNED("none", ""));
    put(&world, &kube_secrets, OWNED("of-a", OWNER("Widget", "a", "u-a")));
    put(&world, &kube_secrets, OWNED("of-both", OWNER("Widget", "a", "u-a") "," OWNER("Widget", "b", "u-b")));
    put(&world, &kube_secrets, OWNED("of-node", OWNER("Node", "n", "u-n")));
    put(&world, &kube_config_maps, OWNED("of-secret", OWNER("Secret", "of-a", "u-s")));
    collect(&world, 1, "ns/of-secret@11 "); // another uid
    put(&world, &kube_secrets, OWNED("of-widget-elsewhere", OWNER("Widget", "a", "u-other")));
    collect(&world, 1, "ns/of-widget-elsewhere@13 ");
    put(&world, &kube_secrets, OWNED("of-another-kind", OWNER("Gadget", "a", "u-a")));
    put(&world, &kube_secrets, OWNED("of-another-name", OWNER("Widget", "z", "u-a")));
    collect(&world, 2, "ns/of-another-kind@16 ns/of-another-name@17 ");
    must(memory_api_remove(world.memory, &widgets, "ns", "a", &e), e);
    world.removed[0] = '\0';
    collect(&world, 1, "ns/of-a@19 ");
    collect(&world, 0, "");
    memory_api_free(world.memory);
}

static void nothing_comes_into_a_namespace_that_is_not_there_or_goes(void **) {
    struct world world;
    struct error e;
    begin(&world, true);
    must_fail(create(&world, "ns", &e), e, ERROR_NOT_FOUND, "namespaces \"ns\" not found (HTTP status 404)");
    put(&world, &kube_namespaces, "{'metadata':{'name':'ns'}}");
    must(create(&world, "ns", &e), e);
    put(&world, &kube_namespaces, "{'metadata':{'name':'end','deletionTimestamp':'2026-01-02T03:04:05Z'}}");
    must_fail(create(&world, "end", &e), e, ERROR_NOT_FOUND,
              "unable to create new content in a namespace that is being terminated (HTTP status 403)");
    must(memory_api_remove(world.memory, &kube_namespaces, nullptr, "ns", &e), e);
    world.removed[0] = '\0';
    collect(&world, 1, "ns/new@6 ");
    memory_api_free(world.memory);
    begin(&world, false);
    must(create(&world, "any", &e), e);
    collect(&world, 0, "");
    memory_api_free(world.memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_removed_is_gone_and_told_with_a_version_of_its_own),
        cmocka_unit_test(what_has_lost_all_its_owners_is_collected),
        cmocka_unit_test(nothing_comes_into_a_namespace_that_is_not_there_or_goes),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
