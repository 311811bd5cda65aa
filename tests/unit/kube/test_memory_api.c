#include "objects.h"

#include "kube/access_review.h"
#include "kube/memory_api.h"

#include <stdio.h>

static const struct kube_resource widgets = {"qubesec.io", "v1", "Widget", "widgets"};
static const struct kube_resource nodes = {"", "v1", "Node", "nodes"};

enum { TEXT_SIZE = 4096 };

struct world {
    struct memory_api *memory;
    struct api api;
    int64_t now;
    bool denies;
    char asked[TEXT_SIZE];   // the last review's spec
    int changes;             // that the owner was told of
    char changed[TEXT_SIZE]; // the last object of them
    char seen[TEXT_SIZE];    // names that were visited
};

static void write_text(yyjson_val *value, char ret_text[TEXT_SIZE]) {
    char *text = yyjson_val_write(value, 0, nullptr);
    snprintf(ret_text, TEXT_SIZE, "%s", text);
    free(text);
}

static int64_t tell_time(void *context) {
    return ((struct world *)context)->now;
}

static bool allow(void *context, yyjson_val *spec) {
    struct world *world = context;
    write_text(spec, world->asked);
    return !world->denies;
}

static void note_change(void *context, const struct kube_resource *resource, yyjson_val *object) {
    struct world *world = context;
    assert_string_equal(json_member_text(object, "kind"), resource->kind);
    world->changes++;
    write_text(object, world->changed);
}

static int set_up(void **state) {
    static struct world world;
    struct error e;
    memory_left = -1;
    world = (struct world){.now = 1767323045};
    const struct memory_api_options options = {
        .now = tell_time, .allows = allow, .changed = note_change, .context = &world};
    must(memory_api_create(&options, &world.memory, &e), e);
    world.api = memory_api_verbs(world.memory);
    *state = &world;
    return 0;
}

static int tear_down(void **state) {
    memory_left = -1;
    memory_api_free(((struct world *)*state)->memory);
    return 0;
}

#define with_world(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

// ---- asking; in all texts ' stands for "

static yyjson_mut_doc *body_of(const char *text) {
    struct error e;
    cleanup_json yyjson_doc *parsed = parse_quoted(text);
    yyjson_mut_doc *document = nullptr;
    must(json_create(&document, &e), e);
    yyjson_mut_doc_set_root(document, yyjson_val_mut_copy(document, yyjson_doc_get_root(parsed)));
    return document;
}

static bool send(struct world *world, struct api_request request, const char *body, yyjson_doc **ret_document,
                 struct error *e) {
    cleanup_json_mut yyjson_mut_doc *document = body == nullptr ? nullptr : body_of(body);
    request.body = document;
    return api_call(world->api, &request, ret_document, e);
}

// That the request succeeds, and its answer.
static void expect(struct world *world, struct api_request request, const char *body, const char *answer) {
    struct error e;
    char text[TEXT_SIZE];
    cleanup_json yyjson_doc *document = nullptr;
    must(send(world, request, body, &document, &e), e);
    write_text(yyjson_doc_get_root(document), text);
    assert_same_json(text, answer);
}

static void expect_error(struct world *world, struct api_request request, const char *body,
                         enum error_class class, const char *message) {
    struct error e = {0};
    yyjson_doc *document = nullptr;
    int changes = world->changes;
    must_fail(send(world, request, body, &document, &e), e, class, message);
    assert_null(document);
    assert_int_equal(world->changes, changes);
}

static void put(struct world *world, const struct kube_resource *resource, const char *text) {
    struct error e;
    cleanup_json yyjson_doc *document = parse_quoted(text);
    must(memory_api_put(world->memory, resource, yyjson_doc_get_root(document), &e), e);
}

static const struct api_request get = {
    .verb = API_GET, .resource = &widgets, .namespace = "ns", .name = "it"};
static const struct api_request patch = {
    .verb = API_PATCH, .resource = &widgets, .namespace = "ns", .name = "it"};
static const struct api_request patch_status = {
    .verb = API_PATCH, .resource = &widgets, .namespace = "ns", .name = "it", .subresource = "status"};
static const struct api_request create = {.verb = API_CREATE, .resource = &widgets, .namespace = "ns"};
static const struct api_request list = {.verb = API_LIST, .resource = &widgets, .namespace = "ns"};

#define PATH "/apis/qubesec.io/v1/namespaces/ns/widgets"
#define FIRST_UID "00000000-0000-4000-8000-000000000002"
#define WIDGET(version, generation, rest)                                                                    \
    "{'apiVersion':'qubesec.io/v1','kind':'Widget','metadata':{'name':'it','namespace':'ns','uid':"          \
    "'" FIRST_UID "','creationTimestamp':'2026-01-02T03:04:05Z','resourceVersion':'" version                 \
    "','generation':" generation "}" rest "}"

static void create_widget(struct world *world) {
    expect(world, create, "{'metadata':{'name':'it'},'spec':{'a':1,'b':{'c':'d'}}}",
           WIDGET("2", "1", ",'spec':{'a':1,'b':{'c':'d'}}"));
}

// ---- creating and reading

static void what_is_created_can_be_read(void **state) {
    struct world *world = *state;
    expect_error(world, get, nullptr, ERROR_NOT_FOUND,
                 "GET " PATH "/it: widgets.qubesec.io \"it\" not found (HTTP status 404)");
    create_widget(world);
    world->now += 1000; // of no consequence
    expect(world, get, nullptr, WIDGET("2", "1", ",'spec':{'a':1,'b':{'c':'d'}}"));
    assert_int_equal(world->changes, 1);
    assert_same_json(world->changed, WIDGET("2", "1", ",'spec':{'a':1,'b':{'c':'d'}}"));
}

static void what_the_api_says_of_an_object_is_not_taken_from_the_body(void **state) {
    struct world *world = *state;
    expect(world, create,
           "{'apiVersion':'x/v7','kind':'Y','metadata':{'name':'it','namespace':'ns','uid':'mine',"
           "'creationTimestamp':'1970-01-01T00:00:00Z','resourceVersion':'77','generation':7},'spec':{},"
           "'status':{'done':true}}",
           WIDGET("2", "1", ",'spec':{}"));
    expect(world, patch,
           "{'apiVersion':'x/v7','kind':'Y','metadata':{'name':'other','namespace':'other',"
           "'creationTimestamp':'1970-01-01T00:00:00Z','generation':7},'spec':{'a':1}}",
           WIDGET("3", "2", ",'spec':{'a':1}"));
}

static void an_object_without_a_spec_has_no_generation(void **state) {
    struct world *world = *state;
    struct api_request request = create;
    request.resource = &kube_secrets;
    expect(world, request, "{'metadata':{'name':'it'},'data':{'k':'AAAA'}}",
           "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'it','namespace':'ns','uid':'" FIRST_UID
           "','creationTimestamp':'2026-01-02T03:04:05Z','resourceVersion':'2'},'data':{'k':'AAAA'}}");
}

static void a_name_that_is_taken_is_a_conflict(void **state) {
    struct world *world = *state;
    create_widget(world);
    expect_error(world, create, "{'metadata':{'name':'it'}}", ERROR_CONFLICT,
                 "POST " PATH ": widgets.qubesec.io \"it\" already exists (HTTP status 409)");
    struct api_request elsewhere = create;
    elsewhere.namespace = "other";
    struct error e;
    must(send(world, elsewhere, "{'metadata':{'name':'it'}}", nullptr, &e), e);
    elsewhere.resource = &kube_secrets;
    must(send(world, elsewhere, "{'metadata':{'name':'it'}}", nullptr, &e), e);
}

static void a_body_without_a_name_of_its_own_place_is_refused(void **state) {
    struct world *world = *state;
    char text[TEXT_SIZE];
    static const char *const nameless[] = {"{}", "{'metadata':7}", "{'metadata':{'name':''}}",
                                           "{'metadata':{'name':'a/b'}}"};
    for (size_t i = 0; i < sizeof(nameless) / sizeof(nameless[0]); i++) {
        expect_error(world, create, nameless[i], ERROR_REFUSED, "(HTTP status 422)");
    }
    snprintf(text, sizeof(text), "{'metadata':{'name':'%0254d'}}", 1);
    expect_error(world, create, text, ERROR_REFUSED, "(HTTP status 422)");
    expect_error(world, create, "{'metadata':{'name':'it','namespace':'other'}}", ERROR_REFUSED,
                 "(HTTP status 400)");
}

static void a_body_that_is_no_json_is_refused(void **state) {
    struct world *world = *state;
    struct error e;
    cleanup_json_mut yyjson_mut_doc *document = body_of("{'metadata':{'name':'it'}}");
    yyjson_mut_obj_add_null(document, yyjson_mut_doc_get_root(document), "metadata"); // a second one
    must_fail(api_create(world->api, &widgets, "ns", document, 0, nullptr, &e), e, ERROR_REFUSED,
              "POST " PATH ": the body: ");
}

static void a_dry_run_stores_nothing(void **state) {
    struct world *world = *state;
    struct api_request request = create;
    request.dry_run = true;
    expect(world, request, "{'metadata':{'name':'it'}}",
           "{'apiVersion':'qubesec.io/v1','kind':'Widget','metadata':{'name':'it','namespace':'ns','uid':"
           "'" FIRST_UID "','creationTimestamp':'2026-01-02T03:04:05Z','resourceVersion':'2'}}");
    expect_error(world, get, nullptr, ERROR_NOT_FOUND, "not found");
    assert_int_equal(world->changes, 0);
}

static void a_version_that_is_not_there_yet_is_gone(void **state) {
    struct world *world = *state;
    create_widget(world);
    struct api_request request = get;
    request.resource_version = "2";
    expect(world, request, nullptr, WIDGET("2", "1", ",'spec':{'a':1,'b':{'c':'d'}}"));
    request.resource_version = "3";
    expect_error(world, request, nullptr, ERROR_GONE, "(HTTP status 504)");
}

static void metadata_is_shown_alone(void **state) {
    struct world *world = *state;
    create_widget(world);
    struct api_request request = get;
    request.metadata_only = true;
#define PARTIAL                                                                                              \
    "{'apiVersion':'meta.k8s.io/v1','kind':'PartialObjectMetadata','metadata':{'name':'it','namespace':"     \
    "'ns','uid':'" FIRST_UID                                                                                 \
    "','creationTimestamp':'2026-01-02T03:04:05Z','resourceVersion':'2','generation':1}}"
    expect(world, request, nullptr, PARTIAL);
    request = list;
    request.metadata_only = true;
    expect(world, request, nullptr,
           "{'apiVersion':'meta.k8s.io/v1','kind':'PartialObjectMetadataList','metadata':{'resourceVersion':"
           "'2'},'items':[" PARTIAL "]}");
    request = create;
    request.metadata_only = true;
    expect(world, request, "{'metadata':{'name':'b'},'spec':{'a':1}}",
           "{'apiVersion':'meta.k8s.io/v1','kind':'PartialObjectMetadata','metadata':{'name':'b','namespace':"
           "'ns','uid':'00000000-0000-4000-8000-000000000003','creationTimestamp':'2026-01-02T03:04:05Z',"
           "'resourceVersion':'3','generation':1}}");
}

// ---- lists

static void expect_names(struct world *world, const struct api_request *request, const char *expected) {
    struct error e;
    cleanup_json yyjson_doc *document = nullptr;
    char names[TEXT_SIZE] = "";
    size_t index;
    size_t count;
    yyjson_val *item;
    must(api_call(world->api, request, &document, &e), e);
    yyjson_val *root = yyjson_doc_get_root(document);
    assert_string_equal(json_member_text(root, "kind"), "WidgetList");
    assert_string_equal(json_member_text(root, "apiVersion"), "qubesec.io/v1");
    yyjson_arr_foreach(yyjson_obj_get(root, "items"), index, count, item) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof(names) - used, " %s",
                 json_text(json_find(item, "metadata", "name", nullptr)));
    }
    assert_string_equal(names, expected);
}

static void a_list_has_what_is_asked_for_by_name(void **state) {
    struct world *world = *state;
    put(world, &widgets, "{'metadata':{'name':'b','namespace':'ns'},'spec':{'p':{'q':'r'}}}");
    put(world, &widgets, "{'metadata':{'name':'c','namespace':'ns-2'}}");
    put(world, &widgets, "{'metadata':{'name':'a','namespace':'ns'}}");
    put(world, &kube_secrets, "{'metadata':{'name':'s','namespace':'ns'}}");
    put(world, &nodes, "{'metadata':{'name':'n'}}");
    struct api_request request = list;
    expect_names(world, &request, " a b");
    request.limit = 1;
    expect_names(world, &request, " a b");
    request.field_selector = "metadata.name=b";
    expect_names(world, &request, " b");
    request.field_selector = "spec.p.q=r";
    expect_names(world, &request, " b");
    static const char *const selecting_nothing[] = {"metadata.name=c", "metadata.name", "spec.p=r", "=b", ""};
    for (size_t i = 0; i < sizeof(selecting_nothing) / sizeof(selecting_nothing[0]); i++) {
        request.field_selector = selecting_nothing[i];
        expect_names(world, &request, "");
    }
    request = (struct api_request){.verb = API_LIST, .resource = &widgets};
    expect_names(world, &request, " c a b"); // "ns-2/" is before "ns/"
    request.namespace = "n";
    expect_names(world, &request, "");
    request.label_selector = "a=b";
    expect_error(world, request, nullptr, ERROR_REFUSED, "(HTTP status 400)");
    request = (struct api_request){.verb = API_GET, .resource = &nodes, .name = "n"};
    expect(world, request, nullptr,
           "{'apiVersion':'v1','kind':'Node','metadata':{'name':'n','uid':"
           "'00000000-0000-4000-8000-000000000006','creationTimestamp':'2026-01-02T03:04:05Z',"
           "'resourceVersion':'6'}}");
}

static void many_objects_are_all_found(void **state) {
    struct world *world = *state;
    enum { MANY = 300 };
    for (int i = 0; i < MANY; i++) {
        char text[TEXT_SIZE];
        snprintf(text, sizeof(text), "{'metadata':{'name':'n%d','namespace':'ns'}}", i * 7 % MANY);
        put(world, &widgets, text);
    }
    for (int i = 0; i < MANY; i++) {
        struct error e;
        char name[16];
        snprintf(name, sizeof(name), "n%d", i);
        must(api_get(world->api, &widgets, "ns", name, 0, nullptr, &e), e);
    }
    assert_int_equal(world->changes, MANY);
}

// ---- patches

static void a_patch_is_merged(void **state) {
    struct world *world = *state;
    create_widget(world);
    expect(world, patch, "{'spec':{'a':null,'b':{'e':[1]}},'more':'x'}",
           WIDGET("3", "2", ",'spec':{'b':{'c':'d','e':[1]}},'more':'x'"));
    assert_same_json(world->changed, WIDGET("3", "2", ",'spec':{'b':{'c':'d','e':[1]}},'more':'x'"));
    expect_error(world, (struct api_request){.verb = API_PATCH, .resource = &widgets, .name = "no"}, "{}",
                 ERROR_NOT_FOUND,
                 "PATCH /apis/qubesec.io/v1/widgets/no: widgets.qubesec.io \"no\" not found");
    expect_error(world, patch, "{'metadata':null}", ERROR_REFUSED, "(HTTP status 422)");
}

static void the_generation_rises_with_the_spec_only(void **state) {
    struct world *world = *state;
    create_widget(world);
    expect(world, patch, "{'spec':{'a':1,'b':null}}", WIDGET("3", "2", ",'spec':{'a':1}"));
    expect(world, patch, "{'data':{}}", WIDGET("4", "2", ",'spec':{'a':1},'data':{}"));
    expect(world, patch_status, "{'status':{'done':true}}",
           WIDGET("5", "2", ",'spec':{'a':1},'data':{},'status':{'done':true}"));
}

static void a_patch_that_changes_nothing_is_no_write(void **state) {
    struct world *world = *state;
    create_widget(world);
    expect(world, patch, "{'spec':{'b':{'c':'d'}},'none':null}",
           WIDGET("2", "1", ",'spec':{'a':1,'b':{'c':'d'}}"));
    expect(world, patch_status, "{'status':null}", WIDGET("2", "1", ",'spec':{'a':1,'b':{'c':'d'}}"));
    assert_int_equal(world->changes, 1);
}

static void the_status_is_written_through_its_subresource_only(void **state) {
    struct world *world = *state;
    create_widget(world);
    expect(world, patch_status,
           "{'metadata':{'labels':{'a':'b'}},'spec':{'a':2},'status':{'done':true,'why':'x'}}",
           WIDGET("3", "1", ",'spec':{'a':1,'b':{'c':'d'}},'status':{'done':true,'why':'x'}"));
    expect(world, patch, "{'spec':{'b':null},'status':{'done':false}}",
           WIDGET("4", "2", ",'spec':{'a':1},'status':{'done':true,'why':'x'}"));
    expect(world, patch, "{'spec':{'a':2},'status':null}",
           WIDGET("5", "3", ",'spec':{'a':2},'status':{'done':true,'why':'x'}"));
    expect(world, patch_status, "{'status':{'why':null}}",
           WIDGET("6", "3", ",'spec':{'a':2},'status':{'done':true}"));
    struct api_request request = patch_status;
    request.subresource = "scale";
    expect_error(world, request, "{}", ERROR_NOT_FOUND, "PATCH " PATH "/it/scale: ");
}

static void an_update_is_all_that_there_is_then(void **state) {
    struct world *world = *state;
    create_widget(world);
    struct api_request request = patch;
    request.verb = API_UPDATE;
    expect_error(world, request, "{'metadata':{},'spec':{}}", ERROR_REFUSED,
                 "PUT " PATH "/it: widgets.qubesec.io \"it\" metadata.resourceVersion: must be specified");
    expect_error(world, request, "{'metadata':{'resourceVersion':'1'}}", ERROR_CONFLICT, "has been modified");
    expect(world, request, "{'metadata':{'resourceVersion':'2'},'spec':{'b':1},'status':{'done':true}}",
           WIDGET("3", "2", ",'spec':{'b':1}"));
    request.subresource = "status";
    expect(world, request,
           "{'metadata':{'resourceVersion':'3'},'spec':{'b':2},'status':{'done':true,'why':'x'}}",
           WIDGET("4", "2", ",'spec':{'b':1},'status':{'done':true,'why':'x'}"));
    expect(world, request, "{'metadata':{'resourceVersion':'4'},'status':{'done':false}}",
           WIDGET("5", "2", ",'spec':{'b':1},'status':{'done':false}"));
    request.name = "no";
    expect_error(world, request, "{}", ERROR_NOT_FOUND, "not found");
}

static void a_patch_of_another_uid_or_version_is_a_conflict(void **state) {
    struct world *world = *state;
    create_widget(world);
    const struct api_request *const patches[] = {&patch, &patch_status};
    for (size_t i = 0; i < 2; i++) {
        expect_error(world, *patches[i], "{'metadata':{'resourceVersion':'1'},'status':{}}", ERROR_CONFLICT,
                     "widgets.qubesec.io \"it\" has been modified (HTTP status 409)");
        expect_error(world, *patches[i], "{'metadata':{'uid':'other'},'status':{}}", ERROR_CONFLICT,
                     "widgets.qubesec.io \"it\" has another uid (HTTP status 409)");
    }
    expect(world, patch, "{'metadata':{'resourceVersion':'2','uid':'" FIRST_UID "'},'spec':null}",
           WIDGET("3", "2", ""));
}

static void there_is_no_apply(void **state) {
    struct world *world = *state;
    create_widget(world);
    struct api_request request = patch;
    request.verb = API_APPLY;
    request.field_manager = "me";
    expect_error(world, request, "{}", ERROR_REFUSED, "PATCH " PATH "/it?fieldManager=me&force=true: ");
}

// ---- deletions

static void what_is_deleted_is_what_was_read(void **state) {
    struct world *world = *state;
    struct error e;
    put(world, &kube_config_maps, "{'metadata':{'name':'it','namespace':'ns','uid':'own'}}");
    must_fail(api_delete_config_map(world->api, "ns", "it", "other", "2", &e), e, ERROR_CONFLICT,
              "DELETE /api/v1/namespaces/ns/configmaps/it: configmaps \"it\" has another uid");
    must_fail(api_delete_config_map(world->api, "ns", "it", "own", "1", &e), e, ERROR_CONFLICT,
              "has been modified");
    must(api_get(world->api, &kube_config_maps, "ns", "it", 0, nullptr, &e), e);
    must(api_delete_config_map(world->api, "ns", "it", "own", "2", &e), e);
    must_fail(api_delete_config_map(world->api, "ns", "it", "own", "2", &e), e, ERROR_NOT_FOUND, "not found");
}

// ---- from outside

static void what_is_put_replaces_all_but_uid_and_status(void **state) {
    struct world *world = *state;
    create_widget(world);
    expect(world, patch_status, "{'status':{'done':true}}",
           WIDGET("3", "1", ",'spec':{'a':1,'b':{'c':'d'}},'status':{'done':true}"));
    put(world, &widgets,
        "{'metadata':{'name':'it','namespace':'ns','uid':'other'},'spec':{'a':2},'status':{'done':false}}");
    assert_same_json(world->changed, WIDGET("4", "2", ",'spec':{'a':2},'status':{'done':true}"));
    put(world, &widgets, "{'metadata':{'name':'it','namespace':'ns'},'spec':{'a':2}}");
    assert_int_equal(world->changes, 3); // the last was none
    expect(world, get, nullptr, WIDGET("4", "2", ",'spec':{'a':2},'status':{'done':true}"));
}

static void a_new_object_may_bring_its_uid(void **state) {
    struct world *world = *state;
    put(world, &widgets, "{'metadata':{'name':'it','namespace':'ns','uid':'own'},'status':{'x':1}}");
    assert_same_json(world->changed,
                     "{'apiVersion':'qubesec.io/v1','kind':'Widget','metadata':{'name':'it','namespace':'ns',"
                     "'uid':'own','creationTimestamp':'2026-01-02T03:04:05Z','resourceVersion':'2'}}");
    struct error e;
    cleanup_json yyjson_doc *nameless = parse_quoted("{'metadata':{}}");
    must_fail(memory_api_put(world->memory, &widgets, yyjson_doc_get_root(nameless), &e), e, ERROR_REFUSED,
              "widgets.qubesec.io");
}

static void note_name(void *context, yyjson_val *object) {
    struct world *world = context;
    size_t used = strlen(world->seen);
    snprintf(world->seen + used, sizeof(world->seen) - used, " %s/%s", json_member_text(object, "kind"),
             json_text(json_find(object, "metadata", "name", nullptr)));
}

static void all_objects_are_visited_in_order(void **state) {
    struct world *world = *state;
    memory_api_visit(world->memory, note_name, world);
    assert_string_equal(world->seen, "");
    put(world, &widgets, "{'metadata':{'name':'b','namespace':'ns'}}");
    put(world, &kube_secrets, "{'metadata':{'name':'s','namespace':'ns'}}");
    put(world, &widgets, "{'metadata':{'name':'a','namespace':'ns'}}");
    memory_api_visit(world->memory, note_name, world);
    assert_string_equal(world->seen, " Secret/s Widget/a Widget/b");
}

// ---- reviews

static bool review(struct world *world) {
    struct error e;
    struct access_reviewer *reviewer = nullptr;
    bool allowed = false;
    const struct access_review_spec question = {"here", "default", "get", &kube_secrets, "there", "it"};
    must(access_reviewer_create(world->api, &reviewer, &e), e);
    must(access_review(reviewer, &question, &allowed, &e), e);
    access_reviewer_free(reviewer);
    return allowed;
}

static void a_review_is_answered_by_the_owner(void **state) {
    struct world *world = *state;
    assert_true(review(world));
    assert_non_null(strstr(world->asked, "system:serviceaccount:here:default"));
    world->denies = true;
    assert_false(review(world));
    assert_int_equal(world->changes, 0);
    memory_api_visit(world->memory, note_name, world);
    assert_string_equal(world->seen, ""); // none is kept
    struct api_request request = create;
    request.resource = &kube_access_reviews;
    expect(world, request, "{'spec':{'a':1},'status':{'allowed':true}}",
           "{'spec':{'a':1},'status':{'allowed':false}}");
}

static void without_callbacks_all_is_allowed_and_nobody_told(void **) {
    struct error e;
    struct world world = {.now = 0};
    const struct memory_api_options options = {.now = tell_time, .context = &world};
    must(memory_api_create(&options, &world.memory, &e), e);
    world.api = memory_api_verbs(world.memory);
    assert_true(review(&world));
    put(&world, &widgets, "{'metadata':{'name':'it','namespace':'ns'}}");
    memory_api_free(world.memory);
    memory_api_free(nullptr);
}

// ---- out of memory

// Repeats the request with ever more memory until it succeeds: until then nothing changes.
static void starve(struct world *world, struct api_request request, const char *body) {
    cleanup_json_mut yyjson_mut_doc *document = body == nullptr ? nullptr : body_of(body);
    int changes = world->changes;
    yyjson_doc *answer = nullptr;
    struct error e = {0};
    request.body = document;
    for (long left = 0;; left++) {
        memory_left = left;
        bool done = api_call(world->api, &request, &answer, &e);
        memory_left = -1;
        if (done) {
            assert_true(left > 0);
            break;
        }
        assert_int_equal(e.class, ERROR_NO_MEMORY);
        assert_null(answer);
        assert_int_equal(world->changes, changes);
    }
    assert_non_null(answer);
    json_free(answer);
}

static void memory_that_runs_out_changes_nothing(void **state) {
    struct world *world = *state;
    struct api_request with_metadata = list;
    struct api_request review_request = create;
    with_metadata.metadata_only = true;
    review_request.resource = &kube_access_reviews;
    starve(world, create, "{'metadata':{'name':'it'},'spec':{'a':1}}");
    starve(world, patch, "{'spec':{'a':2},'metadata':{'uid':'" FIRST_UID "'}}");
    starve(world, patch_status, "{'status':{'a':2}}");
    starve(world, get, nullptr);
    starve(world, list, nullptr);
    starve(world, with_metadata, nullptr);
    starve(world, review_request, "{'spec':{}}");
    expect(world, get, nullptr, WIDGET("4", "2", ",'spec':{'a':2},'status':{'a':2}"));
    assert_int_equal(world->changes, 3);
}

static void memory_that_runs_out_is_told_of(void **state) {
    struct world *world = *state;
    struct error e = {0};
    cleanup_json yyjson_doc *object = parse_quoted("{'metadata':{'name':'it','namespace':'ns'}}");
    struct memory_api *memory = nullptr;
    const struct memory_api_options options = {.now = tell_time, .context = world};
    memory_left = 0;
    must_fail(memory_api_create(&options, &memory, &e), e, ERROR_NO_MEMORY, "");
    assert_null(memory);
    for (long left = 0;; left++) {
        memory_left = left;
        bool done = memory_api_put(world->memory, &widgets, yyjson_doc_get_root(object), &e);
        memory_left = -1;
        if (done) {
            break;
        }
        assert_int_equal(e.class, ERROR_NO_MEMORY);
    }
    assert_int_equal(world->changes, 1);
}

// What one run has shown is there in the next, as it was.
static void what_was_visited_is_restored(void **state) {
    struct world *world = *state;
    struct error e;
    static const char text[] =
        "{'apiVersion':'qubesec.io/v1','kind':'Widget','metadata':{'name':'a','namespace':'ns',"
        "'uid':'u-1','resourceVersion':'41','generation':3},'spec':{'x':1},'status':{'y':2}}";
    cleanup_json yyjson_doc *object = parse_quoted(text);
    cleanup_json yyjson_doc *found = nullptr;
    must(memory_api_restore(world->memory, &widgets, yyjson_doc_get_root(object), &e), e);
    assert_int_equal(world->changes, 1);
    must(api_get(world->api, &widgets, "ns", "a", 0, &found, &e), e);
    assert_true(json_equals(yyjson_doc_get_root(found), yyjson_doc_get_root(object)));
    must_fail(memory_api_restore(world->memory, &widgets, yyjson_doc_get_root(object), &e), e, ERROR_CONFLICT,
              "already exists");
    // The same again from outside is no change; another spec is one, with a version after those restored.
    must(memory_api_put(world->memory, &widgets, yyjson_doc_get_root(object), &e), e);
    assert_int_equal(world->changes, 1);
    cleanup_json yyjson_doc *edited =
        parse_quoted("{'metadata':{'name':'a','namespace':'ns'},'spec':{'x':5}}");
    must(memory_api_put(world->memory, &widgets, yyjson_doc_get_root(edited), &e), e);
    assert_non_null(strstr(world->changed, "\"resourceVersion\":\"42\""));
    assert_non_null(strstr(world->changed, "\"generation\":4"));
    assert_non_null(strstr(world->changed, "\"uid\":\"u-1\""));
    assert_non_null(strstr(world->changed, "\"status\":{\"y\":2}"));
    static const char *const bad[] = {"{}", "{'metadata':{'name':'b','namespace':'ns','uid':'u'}}",
                                      "{'metadata':{'name':'b','namespace':'ns','resourceVersion':'1'}}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cleanup_json yyjson_doc *document = parse_quoted(bad[i]);
        must_fail(memory_api_restore(world->memory, &widgets, yyjson_doc_get_root(document), &e), e,
                  ERROR_REFUSED, "has no name, uid or resourceVersion");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        with_world(what_is_created_can_be_read),
        with_world(what_the_api_says_of_an_object_is_not_taken_from_the_body),
        with_world(an_object_without_a_spec_has_no_generation),
        with_world(a_name_that_is_taken_is_a_conflict),
        with_world(a_body_without_a_name_of_its_own_place_is_refused),
        with_world(a_body_that_is_no_json_is_refused),
        with_world(a_dry_run_stores_nothing),
        with_world(a_version_that_is_not_there_yet_is_gone),
        with_world(metadata_is_shown_alone),
        with_world(a_list_has_what_is_asked_for_by_name),
        with_world(many_objects_are_all_found),
        with_world(a_patch_is_merged),
        with_world(the_generation_rises_with_the_spec_only),
        with_world(a_patch_that_changes_nothing_is_no_write),
        with_world(the_status_is_written_through_its_subresource_only),
        with_world(an_update_is_all_that_there_is_then),
        with_world(a_patch_of_another_uid_or_version_is_a_conflict),
        with_world(there_is_no_apply),
        with_world(what_is_deleted_is_what_was_read),
        with_world(what_is_deleted_is_what_was_read),
        with_world(what_is_put_replaces_all_but_uid_and_status),
        with_world(a_new_object_may_bring_its_uid),
        with_world(all_objects_are_visited_in_order),
        with_world(a_review_is_answered_by_the_owner),
        with_world(what_was_visited_is_restored),
        cmocka_unit_test(without_callbacks_all_is_allowed_and_nobody_told),
        with_world(memory_that_runs_out_changes_nothing),
        with_world(memory_that_runs_out_is_told_of),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
