// A set of informers, with an API server and without.
#include "../kube/api_fixture.h"
#include "../kube/objects.h"

#include "runtime/informers.h"

static const struct kube_resource widgets = {"example.com", "v1", "Widget", "widgets"};
static const struct kube_resource gadgets = {"example.com", "v1", "Gadget", "gadgets"};

static struct informers *informers;
static struct buffer log_text; // of changes and of what is told; guarded by lock
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_synced = PTHREAD_COND_INITIALIZER;
static bool is_synced;

static void note(const char *what, const char *detail) {
    struct error e;
    pthread_mutex_lock(&lock);
    must(buffer_append_format(&log_text, &e, "%s%s ", what, detail), e);
    pthread_mutex_unlock(&lock);
}

static int set_up(void **) {
    struct error e;
    log_text = buffer_create(1 << 16);
    is_synced = false;
    memory_left = -1;
    return informers_create(&informers, &e) ? 0 : -1;
}

static int tear_down(void **) {
    memory_left = -1;
    informers_free(informers);
    buffer_done(&log_text);
    return 0;
}

static void changed(void *, const struct kube_object *old, const struct kube_object *object) {
    note(old == nullptr ? "+" : "-", object == nullptr ? old->name : object->name);
}

static struct store *informer(const struct kube_resource *resource, const char *namespace, bool is_late) {
    const struct informer_options options = {
        .resource = resource, .namespace = namespace, .is_late = is_late, .hooks = {.changed = changed}};
    struct store *store = nullptr;
    struct error e;
    must(informers_add(informers, &options, &store, &e), e);
    return store;
}

static void describe(void *context, const struct informer_state *state) {
    struct error e;
    must(buffer_append_format(context, &e, "%s%s%s %zu%s; ", state->resource,
                              state->namespace == nullptr ? "" : " ",
                              state->namespace == nullptr ? "" : state->namespace, state->object_count,
                              state->has_synced ? " synced" : ""),
         e);
}

static void description_is(const char *expected) {
    cleanup_buffer struct buffer text = buffer_create(1000);
    informers_describe(informers, describe, &text);
    assert_string_equal(buffer_text(&text), expected);
}

// ---- without an API server

static void stores_are_found_by_kind_and_namespace(void **) {
    struct store *everywhere = informer(&widgets, nullptr, false);
    struct store *one = informer(&gadgets, "one", false);
    struct store *other = informer(&gadgets, "other", true);
    assert_ptr_equal(informers_find_store(informers, "Widget", "any"), everywhere);
    assert_ptr_equal(informers_find_store(informers, "Gadget", "one"), one);
    assert_ptr_equal(informers_find_store(informers, "Gadget", "other"), other);
    assert_null(informers_find_store(informers, "Gadget", "third"));
    assert_null(informers_find_store(informers, "Thing", "one"));
}

static void stores_can_be_filled_by_hand(void **) {
    const char *missing = nullptr;
    const char *why = nullptr;
    struct error e;
    struct store *store = informer(&widgets, nullptr, false);
    (void)informer(&gadgets, "one", true);
    must(store_apply(store,
                     object_of("{'metadata':{'namespace':'ns','name':'a','uid':'u','resourceVersion':'1'}}"),
                     &e),
         e);
    assert_string_equal(buffer_text(&log_text), "+a ");
    description_is("widgets 1; gadgets one 0; ");
    assert_false(informers_are_alive(informers, &missing, &why));
    assert_string_equal(missing, "widgets");
    assert_string_equal(why, "not listed yet");
    informers_stop(informers); // nothing runs
    description_is("widgets 1; gadgets one 0; ");
}

static void no_memory_is_an_error(void **) {
    const struct informer_options options = {.resource = &widgets};
    struct informers *none = nullptr;
    struct error e;
    memory_left = 0;
    must_fail(informers_create(&none, &e), e, ERROR_NO_MEMORY, "informers");
    memory_left = -1;
    assert_null(none);
    informers_free(nullptr);
    long failures = 0;
    for (memory_left = 0; !informers_add(informers, &options, nullptr, &e); memory_left = ++failures) {
        assert_int_equal(e.class, ERROR_NO_MEMORY);
        description_is("");
    }
    memory_left = -1;
    assert_true(failures > 1);
    description_is("widgets 0; ");
}

// ---- with one

static bool has_refused; // the server's, guarded by lock

// Lists are noted, and one of gadgets fails once; watches stay open.
static bool answer(void *, struct connection *connection, const struct received *request) {
    if (strstr(request->path, "watch=1") != nullptr) {
        server_send(connection, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        server_hang(connection);
        return false;
    }
    bool is_of_gadgets = strstr(request->path, "/gadgets?") != nullptr;
    note("list:", is_of_gadgets ? "gadgets" : "widgets");
    pthread_mutex_lock(&lock);
    bool fails = is_of_gadgets && !has_refused;
    has_refused = has_refused || fails;
    pthread_mutex_unlock(&lock);
    server_reply(connection, fails ? 500 : 200, "",
                 fails ? "{}" : "{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[]}");
    return true;
}

static void tell_failed(void *, const struct kube_resource *resource, const struct error *error, bool known) {
    assert_int_not_equal(error->class, ERROR_NONE);
    note(known ? "known:" : "failed:", resource->plural);
}

static void tell_recovered(void *, const struct kube_resource *resource) {
    note("recovered:", resource->plural);
}

static void tell_synced(void *) {
    note("synced", "");
    pthread_mutex_lock(&lock);
    is_synced = true;
    pthread_cond_signal(&has_synced);
    pthread_mutex_unlock(&lock);
}

static void start(void *context) {
    const struct api_fixture *fixture = context;
    const struct informers_options options = {
        .loop = fixture->net.loop,
        .client = fixture->client,
        .watch_seconds = 600,
        .failed = tell_failed,
        .recovered = tell_recovered,
        .synced = tell_synced,
    };
    struct error e;
    must(informers_start(informers, &options, &e), e);
}

static void look(void *) {
    const char *missing = nullptr;
    const char *why = nullptr;
    assert_true(informers_are_alive(informers, &missing, &why));
    description_is("gadgets 0 synced; widgets 0 synced; ");
}

static void stop(void *) {
    informers_stop(informers);
}

// Those that are late list when all others have.
static void they_start_in_two_waves(void **) {
    struct api_fixture fixture;
    has_refused = false;
    (void)informer(&gadgets, nullptr, false);
    (void)informer(&widgets, nullptr, true);
    api_start(&fixture, answer, nullptr);
    fixture_do(&fixture.net, start, &fixture);
    pthread_mutex_lock(&lock);
    while (!is_synced) {
        pthread_cond_wait(&has_synced, &lock);
    }
    pthread_mutex_unlock(&lock);
    fixture_do(&fixture.net, look, nullptr);
    fixture_do(&fixture.net, stop, nullptr);
    api_stop(&fixture);
    assert_string_equal(buffer_text(&log_text), "list:gadgets failed:gadgets list:gadgets recovered:gadgets "
                                                "list:widgets synced ");
    description_is("gadgets 0; widgets 0; "); // the stores stay
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(stores_are_found_by_kind_and_namespace, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stores_can_be_filled_by_hand, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_memory_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(they_start_in_two_waves, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
