// What each verb becomes on its way to an API server.
#include "api_fixture.h"

#include "objects.h"

struct desk {
    struct api_fixture fixture;
    struct api api;
    pthread_mutex_t lock; // guards all below
    struct received last; // its body is owned
    int calls;
    int status; // of every answer
};

static bool answer(void *context, struct connection *connection, const struct received *request) {
    struct desk *desk = context;
    pthread_mutex_lock(&desk->lock);
    free(desk->last.body);
    desk->last = *request;
    desk->last.body = strdup(request->body);
    desk->calls++;
    int status = desk->status;
    pthread_mutex_unlock(&desk->lock);
    server_reply(connection, status, "", "{\"kind\":\"Status\",\"message\":\"as told\"}");
    return true;
}

static int set_up(void **state) {
    static struct desk desk;
    desk = (struct desk){.lock = PTHREAD_MUTEX_INITIALIZER, .status = 200};
    api_start(&desk.fixture, answer, &desk);
    desk.api = kube_client_api(desk.fixture.client);
    *state = &desk;
    return 0;
}

static int tear_down(void **state) {
    struct desk *desk = *state;
    api_stop(&desk->fixture);
    free(desk->last.body);
    return 0;
}

#define served(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct kube_resource widgets = {"qubesec.io", "v1", "Widget", "widgets"};

// accept and type NULL: JSON; body NULL: none.
static void expect(struct desk *desk, const char *method, const char *path, const char *accept,
                   const char *type, const char *body) {
    char value[512];
    assert_string_equal(desk->last.method, method);
    assert_string_equal(desk->last.path, path);
    assert_string_equal(header_of(&desk->last, "Accept", value),
                        accept == nullptr ? "application/json" : accept);
    const char *sent = header_of(&desk->last, "Content-Type", value);
    if (body == nullptr) {
        assert_null(sent);
        assert_string_equal(desk->last.body, "");
    } else {
        assert_string_equal(sent, type == nullptr ? "application/json" : type);
        assert_string_equal(desk->last.body, body);
    }
}

static void call(struct desk *desk, const struct api_request *request) {
    struct error e;
    must(api_call(desk->api, request, nullptr, &e), e);
}

static yyjson_mut_doc *make_body(void) {
    struct error e;
    yyjson_mut_doc *document = nullptr;
    must(json_create(&document, &e), e);
    yyjson_mut_obj_add_str(document, yyjson_mut_doc_get_root(document), "a", "b");
    return document;
}

static void an_object_is_got(void **state) {
    struct desk *desk = *state;
    struct error e;
    cleanup_json yyjson_doc *document = nullptr;
    must(api_get(desk->api, &kube_secrets, "ns", "it", 0, &document, &e), e);
    expect(desk, "GET", "/api/v1/namespaces/ns/secrets/it", nullptr, nullptr, nullptr);
    assert_string_equal(json_member_text(yyjson_doc_get_root(document), "kind"), "Status");
    must(api_get(desk->api, &kube_validating_webhooks, nullptr, "it", 5000, nullptr, &e), e);
    expect(desk, "GET", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/it", nullptr,
           nullptr, nullptr);
}

static void an_object_is_got_at_a_version_or_as_metadata(void **state) {
    struct desk *desk = *state;
    struct api_request request = {.verb = API_GET,
                                  .resource = &kube_secrets,
                                  .namespace = "ns",
                                  .name = "it",
                                  .resource_version = "7/8"};
    call(desk, &request);
    expect(desk, "GET", "/api/v1/namespaces/ns/secrets/it?resourceVersion=7%2F8", nullptr, nullptr, nullptr);
    request.resource_version = nullptr;
    request.metadata_only = true;
    call(desk, &request);
    expect(desk, "GET", "/api/v1/namespaces/ns/secrets/it", KUBE_METADATA_ONLY, nullptr, nullptr);
}

static void objects_are_listed(void **state) {
    struct desk *desk = *state;
    struct api_request request = {.verb = API_LIST, .resource = &widgets};
    call(desk, &request);
    expect(desk, "GET", "/apis/qubesec.io/v1/widgets", nullptr, nullptr, nullptr);
    request.namespace = "ns";
    request.field_selector = "metadata.name=it";
    call(desk, &request);
    expect(desk, "GET", "/apis/qubesec.io/v1/namespaces/ns/widgets?fieldSelector=metadata.name%3Dit", nullptr,
           nullptr, nullptr);
    request.label_selector = "a.b/c=d,e=f";
    request.limit = 500;
    request.metadata_only = true;
    call(desk, &request);
    expect(desk, "GET",
           "/apis/qubesec.io/v1/namespaces/ns/widgets?fieldSelector=metadata.name%3Dit&"
           "labelSelector=a.b%2Fc%3Dd%2Ce%3Df&limit=500",
           KUBE_METADATA_LIST_ONLY, nullptr, nullptr);
}

static void an_object_is_created(void **state) {
    struct desk *desk = *state;
    struct error e;
    cleanup_json_mut yyjson_mut_doc *body = make_body();
    cleanup_json yyjson_doc *document = nullptr;
    must(api_create(desk->api, &widgets, "ns", body, 0, &document, &e), e);
    expect(desk, "POST", "/apis/qubesec.io/v1/namespaces/ns/widgets", nullptr, nullptr, "{\"a\":\"b\"}");
    assert_non_null(document);
    const struct api_request request = {
        .verb = API_CREATE, .resource = &widgets, .namespace = "ns", .body = body, .dry_run = true};
    call(desk, &request);
    expect(desk, "POST", "/apis/qubesec.io/v1/namespaces/ns/widgets?dryRun=All", nullptr, nullptr,
           "{\"a\":\"b\"}");
}

static void an_object_or_its_status_is_patched(void **state) {
    struct desk *desk = *state;
    struct error e;
    cleanup_json_mut yyjson_mut_doc *body = make_body();
    must(api_patch(desk->api, &widgets, "ns", "it", body, 0, nullptr, &e), e);
    expect(desk, "PATCH", "/apis/qubesec.io/v1/namespaces/ns/widgets/it", nullptr, KUBE_MERGE_PATCH,
           "{\"a\":\"b\"}");
    const struct api_request request = {.verb = API_PATCH,
                                        .resource = &widgets,
                                        .namespace = "ns",
                                        .name = "it",
                                        .subresource = "status",
                                        .body = body,
                                        .metadata_only = true};
    call(desk, &request);
    expect(desk, "PATCH", "/apis/qubesec.io/v1/namespaces/ns/widgets/it/status", KUBE_METADATA_ONLY,
           KUBE_MERGE_PATCH, "{\"a\":\"b\"}");
}

static void an_object_is_applied_with_force(void **state) {
    struct desk *desk = *state;
    cleanup_json_mut yyjson_mut_doc *body = make_body();
    const struct api_request request = {
        .verb = API_APPLY, .resource = &widgets, .name = "it", .body = body, .field_manager = "me"};
    call(desk, &request);
    expect(desk, "PATCH", "/apis/qubesec.io/v1/widgets/it?fieldManager=me&force=true", nullptr,
           KUBE_APPLY_PATCH, "{\"a\":\"b\"}");
}

static void nothing_but_a_config_map_is_deleted(void **state) {
    struct desk *desk = *state;
    struct error e;
    cleanup_json_mut yyjson_mut_doc *body = make_body();
    must(api_delete_config_map(desk->api, "ns", "it", "u", "7", &e), e);
    expect(desk, "DELETE", "/api/v1/namespaces/ns/configmaps/it", nullptr, nullptr,
           "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"preconditions\":{\"uid\":\"u\","
           "\"resourceVersion\":\"7\"}}");
    desk->calls = 0;
    const struct kube_resource *const others[] = {&kube_secrets, &widgets, &kube_namespaces};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        const struct api_request request = {
            .verb = API_DELETE, .resource = others[i], .namespace = "ns", .name = "it", .body = body};
        must_fail(api_call(desk->api, &request, nullptr, &e), e, ERROR_INTERNAL, "nothing but ConfigMaps");
    }
    assert_int_equal(desk->calls, 0);
}

static void a_refusal_names_the_request(void **state) {
    struct desk *desk = *state;
    struct error e;
    yyjson_doc *document = nullptr;
    desk->status = 404;
    must_fail(api_get(desk->api, &kube_secrets, "ns", "it", 0, &document, &e), e, ERROR_NOT_FOUND,
              "GET /api/v1/namespaces/ns/secrets/it: as told (HTTP status 404)");
    assert_null(document);
}

static void what_cannot_be_written_is_not_sent(void **state) {
    struct desk *desk = *state;
    struct error e;
    cleanup_json_mut yyjson_mut_doc *body = make_body();
    must_fail(api_get(desk->api, &kube_secrets, "ns", "..", 0, nullptr, &e), e, ERROR_INVALID_SPEC, "..");
    cleanup_text char *text = memory_allocate(API_BODY_MAX);
    memset(text, 'x', API_BODY_MAX - 1);
    text[API_BODY_MAX - 1] = '\0';
    yyjson_mut_obj_add_str(body, yyjson_mut_doc_get_root(body), "long", text);
    must_fail(api_create(desk->api, &widgets, "ns", body, 0, nullptr, &e), e, ERROR_INTERNAL, "");
    assert_int_equal(desk->calls, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        served(an_object_is_got),
        served(an_object_is_got_at_a_version_or_as_metadata),
        served(objects_are_listed),
        served(an_object_is_created),
        served(an_object_or_its_status_is_patched),
        served(an_object_is_applied_with_force),
        served(nothing_but_a_config_map_is_deleted),
        served(a_refusal_names_the_request),
        served(what_cannot_be_written_is_not_sent),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
