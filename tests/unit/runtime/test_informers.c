// A set of informers, with an API server and without.
#include "../kube/api_fixture.h"
#include "../kube/objects.h"

#include "base/clock.h"
#include "runtime/informers.h"

#include <sys/random.h>

// The C library's, for the whole program: what is drawn at random is the least, so waits are as short as can
// be.
ssize_t getrandom(void *bytes, size_t length, unsigned flags) {
    (void)flags;
    memset(bytes, 0, length);
    return (ssize_t)length;
}

static const struct kube_resource widgets = {"example.com", "v1", "Widget", "widgets"};
static const struct kube_resource gadgets = {"example.com", "v1", "Gadget", "gadgets"};

static struct informers *informers;
static struct buffer log_text; // of changes and of what is told; guarded by lock
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_news = PTHREAD_COND_INITIALIZER;

static void note(const char *what, const char *detail) {
    struct error e;
    pthread_mutex_lock(&lock);
    must(buffer_append_format(&log_text, &e, "%s%s ", what, detail), e);
    pthread_cond_broadcast(&has_news);
    pthread_mutex_unlock(&lock);
}

static int set_up(void **) {
    struct error e;
    log_text = buffer_create(1 << 16);
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

// What is not late may be absent.
static struct store *informer(const struct kube_resource *resource, const char *namespace, bool is_late) {
    const struct informer_options options = {.resource = resource,
                                             .namespace = namespace,
                                             .is_late = is_late,
                                             .may_be_absent = !is_late,
                                             .hooks = {.changed = changed}};
    struct store *store = nullptr;
    struct error e;
    must(informers_add(informers, &options, &store, &e), e);
    return store;
}

static void describe(void *context, const struct informer_state *state) {
    struct error e;
    must(buffer_append_format(context, &e, "%s%s%s %zu %s%s%s; ", state->resource,
                              state->namespace == nullptr ? "" : " ",
                              state->namespace == nullptr ? "" : state->namespace, state->object_count,
                              state->condition, state->detail[0] == '\0' ? "" : ": ", state->detail),
         e);
    assert_int_equal(state->is_up, strcmp(state->condition, "up") == 0);
    assert_true(state->has_synced || !state->is_up);
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
    struct error e;
    struct store *store = informer(&widgets, nullptr, false);
    (void)informer(&gadgets, "one", true);
    must(store_apply(store,
                     object_of("{'metadata':{'namespace':'ns','name':'a','uid':'u','resourceVersion':'1'}}"),
                     &e),
         e);
    assert_string_equal(buffer_text(&log_text), "+a ");
    description_is("widgets 1 not listed yet; gadgets one 0 not listed yet; ");
    assert_true(store_is_complete(store));
    informers_stop(informers); // nothing runs
    description_is("widgets 1 not listed yet; gadgets one 0 not listed yet; ");
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
    description_is("widgets 0 not listed yet; ");
}

// ---- with one

// What the server answers to lists, the last one for ever; guarded by lock.
struct answers {
    const int *statuses;
    size_t next;
};

static struct answers of_gadgets;
static struct answers of_widgets;
static const int good[] = {200, 0};

enum {
    BROKEN = -1, // a list with the status 200 that ends after a few bytes, each time after more
    BARE = -2,   // a 500 without a reason, as where etcd is away
};

static int take_answer(struct answers *answers) {
    pthread_mutex_lock(&lock);
    int status = answers->statuses[answers->next];
    answers->next += answers->statuses[answers->next + 1] != 0;
    pthread_mutex_unlock(&lock);
    return status;
}

static void will_answer(struct answers *answers, const int *statuses) {
    pthread_mutex_lock(&lock);
    *answers = (struct answers){.statuses = statuses};
    pthread_mutex_unlock(&lock);
}

static atomic_bool may_not_watch;

// Watches have a bookmark, and stay open.
static bool answer_watch(struct connection *connection) {
    static const char bookmark[] =
        "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"6\"}}}\n";
    if (atomic_load(&may_not_watch)) {
        server_reply(connection, 403, "", "{}");
        return true;
    }
    char chunk[200];
    snprintf(chunk, sizeof(chunk), "%zx\r\n%s\r\n", strlen(bookmark), bookmark);
    server_send(connection, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    server_send(connection, chunk);
    server_hang(connection);
    return false;
}

// Lists are noted.
static bool answer(void *, struct connection *connection, const struct received *request) {
    if (strstr(request->path, "watch=1") != nullptr) {
        return answer_watch(connection);
    }
    bool is_of_gadgets = strstr(request->path, "/gadgets?") != nullptr;
    note("list:", is_of_gadgets ? "gadgets" : "widgets");
    static atomic_uint tries;
    int status = take_answer(is_of_gadgets ? &of_gadgets : &of_widgets);
    if (status == BROKEN) {
        note("broken", "");
        server_send(connection, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{");
        for (unsigned i = atomic_fetch_add(&tries, 1) % 500; i > 0; i--) {
            server_send(connection, " ");
        }
        return false;
    }
    char words[120];
    snprintf(words, sizeof(words), "{\"kind\":\"Status\",\"message\":\"stream ID %u was refused\"%s}",
             atomic_fetch_add(&tries, 1), status == BARE ? "" : ",\"reason\":\"InternalError\"");
    bool has_words = status == 500 || status == 422 || status == BARE;
    server_reply(connection, status == BARE ? 500 : status, "",
                 status == 200 ? "{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[]}"
                 : has_words   ? words
                               : "{}");
    return true;
}

static void tell_failed(void *, const struct kube_resource *resource, const char *namespace,
                        const struct error *error, bool known) {
    assert_int_not_equal(error->class, ERROR_NONE);
    assert_null(namespace);
    note(known ? "known:" : "failed:", resource->plural);
}

static void tell_recovered(void *, const struct kube_resource *resource, const char *namespace) {
    assert_null(namespace);
    note("recovered:", resource->plural);
}

static void tell_settled(void *) {
    note("settled", "");
}

static void start(void *context) {
    const struct api_fixture *fixture = context;
    const struct informers_options options = {
        .loop = fixture->net.loop,
        .client = fixture->client,
        .watch_seconds = 600,
        .failed = tell_failed,
        .recovered = tell_recovered,
        .settled = tell_settled,
    };
    struct error e;
    must(informers_start(informers, &options, &e), e);
}

static void begin(struct api_fixture *fixture, const int *answers_of_gadgets, const int *answers_of_widgets) {
    will_answer(&of_gadgets, answers_of_gadgets);
    will_answer(&of_widgets, answers_of_widgets);
    api_start(fixture, answer, nullptr);
    fixture_do(&fixture->net, start, fixture);
}

static void stop(void *) {
    informers_stop(informers);
}

static void end(struct api_fixture *fixture) {
    fixture_do(&fixture->net, stop, nullptr);
    api_stop(fixture);
}

static size_t count(const char *what) {
    size_t found = 0;
    for (const char *at = buffer_text(&log_text); (at = strstr(at, what)) != nullptr; at++) {
        found++;
    }
    return found;
}

// Until it was noted so often.
static void wait_for(const char *what, size_t times) {
    pthread_mutex_lock(&lock);
    while (count(what) < times) {
        pthread_cond_wait(&has_news, &lock);
    }
    pthread_mutex_unlock(&lock);
}

static bool has_noted(const char *what, size_t times) {
    pthread_mutex_lock(&lock);
    bool has = count(what) >= times;
    pthread_mutex_unlock(&lock);
    return has;
}

static void look(void *context) {
    informers_describe(informers, describe, context);
}

// Comes to be shown, within a minute.
static void server_shows(struct api_fixture *fixture, const char *expected) {
    int64_t last_ms = clock_monotonic_ms() + 60000;
    for (bool is_late = false;; is_late = clock_monotonic_ms() > last_ms) {
        cleanup_buffer struct buffer text = buffer_create(1000);
        fixture_do(&fixture->net, look, &text);
        if (strcmp(buffer_text(&text), expected) == 0) {
            return;
        }
        if (is_late) {
            assert_string_equal(buffer_text(&text), expected);
        }
    }
}

static const char both_up[] = "gadgets 0 up; widgets 0 up; ";

// Those that are late list when all others have.
static void they_start_in_two_waves(void **) {
    static const int fails_once[] = {500, 200, 0};
    struct api_fixture fixture;
    struct store *early = informer(&gadgets, nullptr, false);
    struct store *late = informer(&widgets, nullptr, true);
    begin(&fixture, fails_once, good);
    wait_for("settled", 1);
    server_shows(&fixture, both_up);
    assert_true(store_is_complete(early) && store_is_complete(late));
    end(&fixture);
    assert_string_equal(buffer_text(&log_text), "list:gadgets failed:gadgets list:gadgets recovered:gadgets "
                                                "list:widgets settled ");
    description_is("gadgets 0 not listed yet; widgets 0 not listed yet; "); // the stores stay
}

// What is not there, and may be so, is as good as listed, and comes later.
static void one_that_is_absent_is_empty_and_watched_for(void **) {
    static const int absent[] = {404, 0};
    struct api_fixture fixture;
    struct store *early = informer(&gadgets, nullptr, false);
    (void)informer(&widgets, nullptr, true);
    begin(&fixture, absent, good);
    wait_for("settled", 1);
    server_shows(&fixture,
                 "gadgets 0 no such resource yet: listing gadgets: the API server has no such "
                 "resource (HTTP status 404): is its CustomResourceDefinition gone?; widgets 0 up; ");
    assert_true(store_is_complete(early));
    will_answer(&of_gadgets, good);
    wait_for("recovered:gadgets", 1);
    server_shows(&fixture, both_up);
    assert_true(store_is_complete(early));
    end(&fixture);
    assert_int_equal(count("settled"), 1);
}

// It is no more said not to be there: whether it has objects is not known.
static void one_that_is_absent_no_more_is_not_known(void **) {
    static const int comes[] = {404, 403, 0};
    struct api_fixture fixture;
    struct store *early = informer(&gadgets, nullptr, false);
    (void)informer(&widgets, nullptr, true);
    begin(&fixture, comes, good);
    wait_for("settled", 1);
    wait_for("failed:gadgets", 2);
    assert_false(store_is_complete(early));
    end(&fixture);
}

static void one_that_is_refused_is_not_waited_for(void **) {
    static const int forbidden[] = {403, 0};
    static const int absent[] = {404, 0}; // which these may not be
    struct api_fixture fixture;
    struct store *first = informer(&widgets, nullptr, false);
    struct store *late = informer(&gadgets, nullptr, true);
    begin(&fixture, absent, good);
    wait_for("settled", 1);
    assert_true(has_noted("list:gadgets", 5)); // a few refusals come while a server starts
    assert_true(store_is_complete(first));
    assert_false(store_is_complete(late));
    will_answer(&of_gadgets, forbidden);
    wait_for("failed:gadgets", 2);
    server_shows(&fixture, "widgets 0 up; gadgets 0 not listed yet: listing gadgets: the API server refused "
                           "(HTTP status 403); ");
    assert_false(store_is_complete(late));
    will_answer(&of_gadgets, good);
    wait_for("recovered:gadgets", 1);
    server_shows(&fixture, "widgets 0 up; gadgets 0 up; ");
    assert_true(store_is_complete(late));
    end(&fixture);
    assert_int_equal(count("settled"), 1);
}

// Then it is the server that is not well, and not one resource.
static void when_all_are_refused_they_are_waited_for(void **) {
    static const int down[] = {500, 0};
    struct api_fixture fixture;
    (void)informer(&gadgets, nullptr, false);
    (void)informer(&widgets, nullptr, false);
    begin(&fixture, down, down);
    wait_for("known:gadgets", 10);
    wait_for("known:widgets", 10);
    assert_false(has_noted("settled", 1));
    will_answer(&of_widgets, good);
    wait_for("settled", 1);
    will_answer(&of_gadgets, good);
    wait_for("recovered:gadgets", 1);
    server_shows(&fixture, both_up);
    end(&fixture);
}

// Each of its objects would be asked for by itself: no help to a server that has too much to do.
static void one_that_is_busy_is_waited_for(void **) {
    static const int busy[] = {503, BARE, 408, 503, BARE, 408, BARE, 0};
    struct api_fixture fixture;
    (void)informer(&gadgets, nullptr, false);
    (void)informer(&widgets, nullptr, false);
    begin(&fixture, busy, good);
    wait_for("known:gadgets", 10);
    assert_false(has_noted("settled", 1));
    will_answer(&of_gadgets, good);
    wait_for("settled", 1);
    server_shows(&fixture, both_up);
    end(&fixture);
}

static void wait_for_completeness(const struct store *store, bool is_complete) {
    for (int64_t last_ms = clock_monotonic_ms() + 60000; store_is_complete(store) != is_complete;) {
        assert_true(clock_monotonic_ms() < last_ms);
    }
}

// What changes is not heard of then, so that what is not stored may be there.
static void one_that_is_refused_after_its_list_is_not_complete(void **) {
    static const int refused[] = {200, 403, 0}; // when it is to be checked, or listed anew
    struct api_fixture fixture;
    struct store *store = informer(&widgets, nullptr, false);
    atomic_store(&may_not_watch, true);
    begin(&fixture, good, refused);
    wait_for("settled", 1);
    wait_for_completeness(store, false);
    assert_true(
        has_noted("known:widgets", 3)); // a few refusals come while a server starts; the last is told then
    server_shows(&fixture, "widgets 0 refused: listing widgets: the API server refused (HTTP status 403); ");
    assert_false(store_is_complete(store));
    will_answer(&of_widgets, good);
    atomic_store(&may_not_watch, false);
    wait_for("recovered:widgets", 1);
    wait_for_completeness(store, true);
    server_shows(&fixture, "widgets 0 up; ");
    assert_true(store_is_complete(store));
    end(&fixture);
}

static void take_words(void *context, const struct informer_state *state) {
    struct error e;
    must(buffer_append_format(context, &e, "%s", state->is_answer ? state->detail : "none"), e);
}

static void look_for_words(void *context) {
    informers_describe(informers, take_words, context);
}

// Of the next three lists the first may have been answered already; the third is asked for once the second
// has failed.
static void wait_for_next_lists(void) {
    pthread_mutex_lock(&lock);
    size_t lists = count("list:widgets");
    pthread_mutex_unlock(&lock);
    wait_for("list:widgets", lists + 3);
}

// They are a metric's label, of which each other text is another series.
static void the_words_of_a_server_stay_while_they_say_the_same(void **) {
    static const int fails[] = {500, 0};
    static const int breaks[] = {BROKEN, 0};
    struct api_fixture fixture;
    cleanup_buffer struct buffer first = buffer_create(1000);
    cleanup_buffer struct buffer last = buffer_create(1000);
    cleanup_buffer struct buffer broken = buffer_create(1000);
    cleanup_buffer struct buffer again = buffer_create(1000);
    cleanup_buffer struct buffer other = buffer_create(1000);
    static const int refuses[] = {422, 0};
    (void)informer(&widgets, nullptr, false);
    begin(&fixture, good, fails);
    wait_for("failed:widgets", 1);
    fixture_do(&fixture.net, look_for_words, &first);
    assert_non_null(strstr(buffer_text(&first), "stream ID"));
    wait_for("known:widgets", 3);
    fixture_do(&fixture.net, look_for_words, &last);
    assert_string_equal(buffer_text(&first), buffer_text(&last));
    will_answer(&of_widgets, breaks);
    wait_for("broken", 3);
    fixture_do(&fixture.net, look_for_words, &broken);
    assert_string_equal(buffer_text(&broken), "none"); // the words are of the network
    will_answer(&of_widgets, fails);                   // it says the same as before that
    wait_for_next_lists();
    fixture_do(&fixture.net, look_for_words, &again);
    assert_string_equal(buffer_text(&again), buffer_text(&first));
    will_answer(&of_widgets, refuses); // other than by the number at the end
    wait_for_next_lists();
    fixture_do(&fixture.net, look_for_words, &other);
    assert_non_null(strstr(buffer_text(&other), "(HTTP status 422)"));
    end(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(stores_are_found_by_kind_and_namespace, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stores_can_be_filled_by_hand, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_memory_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(they_start_in_two_waves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_is_absent_is_empty_and_watched_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_is_absent_no_more_is_not_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_is_refused_is_not_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_is_busy_is_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_words_of_a_server_stay_while_they_say_the_same, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_that_is_refused_after_its_list_is_not_complete, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(when_all_are_refused_they_are_waited_for, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
