#include "../kube/api_fixture.h"

#include "kube/event_body.h"
#include "runtime/event.h"
#include "json/read.h"

#include <unistd.h>

enum { REQUESTS_MAX = 4096 };

static const struct event_source source = {"example.com/operator", "host-1", "example.com/reconcile-id"};
static const struct kube_resource widgets = {
    .group = "example.com", .version = "v1", .kind = "Widget", .plural = "widgets"};

// Notes what arrives, and answers with `status` while `held` is not set.
struct desk {
    struct api_fixture api;
    struct event_recorder *recorder;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int count;
    char method[REQUESTS_MAX][8];
    char path[REQUESTS_MAX][400];
    yyjson_doc *body[REQUESTS_MAX];
    int status;
    bool held;
};

static bool answer(void *context, struct connection *connection, const struct received *request) {
    struct desk *desk = context;
    struct error e;
    pthread_mutex_lock(&desk->lock);
    assert_true(desk->count < REQUESTS_MAX);
    snprintf(desk->method[desk->count], 8, "%.7s", request->method);
    snprintf(desk->path[desk->count], 400, "%.399s", request->path);
    must(json_parse(request->body, request->body_length, &desk->body[desk->count], &e), e);
    desk->count++;
    pthread_cond_broadcast(&desk->changed);
    while (desk->held) {
        pthread_cond_wait(&desk->changed, &desk->lock);
    }
    int status = desk->status;
    pthread_mutex_unlock(&desk->lock);
    server_reply(connection, status, "", "{}");
    return true;
}

static int set_up(void **state) {
    static struct desk desk;
    struct error e;
    memset(&desk, 0, sizeof(desk));
    pthread_mutex_init(&desk.lock, nullptr);
    pthread_cond_init(&desk.changed, nullptr);
    desk.status = 201;
    api_start(&desk.api, answer, &desk);
    const struct event_rate_limit unlimited = {0};
    must(event_recorder_create(kube_client_api(desk.api.client), &source, &unlimited, &desk.recorder, &e), e);
    *state = &desk;
    return 0;
}

static int tear_down(void **state) {
    struct desk *desk = *state;
    event_recorder_free(desk->recorder);
    api_stop(&desk->api);
    for (int i = 0; i < desk->count; i++) {
        json_free(desk->body[i]);
    }
    return 0;
}

static void hold(struct desk *desk, bool held) {
    pthread_mutex_lock(&desk->lock);
    desk->held = held;
    pthread_cond_broadcast(&desk->changed);
    pthread_mutex_unlock(&desk->lock);
}

static void wait_for(struct desk *desk, int count) {
    pthread_mutex_lock(&desk->lock);
    while (desk->count < count) {
        pthread_cond_wait(&desk->changed, &desk->lock);
    }
    pthread_mutex_unlock(&desk->lock);
}

static struct kube_object *make_object(const char *namespace, const char *name, const char *uid) {
    char text[1024];
    struct error e;
    cleanup_json yyjson_doc *document = nullptr;
    struct kube_object *object;
    snprintf(text, sizeof(text),
             "{\"metadata\":{%s%s%s\"name\":\"%s\",\"uid\":\"%s\",\"resourceVersion\":\"12\"}}",
             namespace == nullptr ? "" : "\"namespace\":\"", namespace == nullptr ? "" : namespace,
             namespace == nullptr ? "" : "\",", name, uid);
    must(json_parse(text, strlen(text), &document, &e), e);
    must(kube_object_create(yyjson_doc_get_root(document), &(struct kube_kept){}, &object, &e), e);
    return object;
}

static void record(struct desk *desk, const struct kube_object *object, const char *reason,
                   const char *note) {
    const struct event_content words = {.reason = reason, .action = "Make", .note = note};
    event_record(desk->recorder, &widgets, object, &words);
}

static void warn(struct desk *desk, const struct kube_object *object, const char *note) {
    const struct event_content words = {.warning = true, .reason = "Failed", .action = "Make", .note = note};
    event_record(desk->recorder, &widgets, object, &words);
}

// What is recorded from now on waits until hold(desk, false).
static void block(struct desk *desk, const struct kube_object *object) {
    hold(desk, true);
    record(desk, object, "Made", "blocker");
    wait_for(desk, 1);
}

static const char *text_at(const struct desk *desk, int i, const char *first, const char *second) {
    yyjson_val *root = yyjson_doc_get_root(desk->body[i]);
    return second == nullptr ? json_member_text(root, first)
                             : json_text(json_find(root, first, second, nullptr));
}

// RFC 3339 with six digits, as metav1.MicroTime needs it.
static void check_time(const char *text) {
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.ddddddZ";
    assert_non_null(text);
    assert_int_equal(strlen(text), strlen(shape));
    for (size_t i = 0; shape[i] != '\0'; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        assert_true(shape[i] == 'd' ? digit : text[i] == shape[i]);
    }
    assert_true(strtol(text, nullptr, 10) >= 2024);
}

static void test_trap_39_an_event_has_all_its_fields(void **state) {
    struct desk *desk = *state;
    cleanup_object struct kube_object *object = make_object("team-a", "key-1", "uid-1");
    const struct event_content words = {true, "SecretDamaged", "Remake", "a note", "0123"};
    event_record(desk->recorder, &widgets, object, &words);
    wait_for(desk, 1);
    assert_string_equal(desk->method[0], "POST");
    assert_string_equal(desk->path[0], "/apis/events.k8s.io/v1/namespaces/team-a/events");
    assert_string_equal(text_at(desk, 0, "apiVersion", nullptr), "events.k8s.io/v1");
    assert_string_equal(text_at(desk, 0, "kind", nullptr), "Event");
    assert_string_equal(text_at(desk, 0, "metadata", "namespace"), "team-a");
    const char *name = text_at(desk, 0, "metadata", "name");
    assert_int_equal(strlen(name), strlen("key-1.") + 16);
    assert_int_equal(strncmp(name, "key-1.", 6), 0);
    assert_int_equal(strspn(name + 6, "0123456789abcdef"), 16);
    check_time(text_at(desk, 0, "eventTime", nullptr));
    assert_string_equal(text_at(desk, 0, "reportingController", nullptr), "example.com/operator");
    assert_string_equal(text_at(desk, 0, "reportingInstance", nullptr), "host-1");
    assert_string_equal(text_at(desk, 0, "type", nullptr), "Warning");
    assert_string_equal(text_at(desk, 0, "reason", nullptr), "SecretDamaged");
    assert_string_equal(text_at(desk, 0, "action", nullptr), "Remake");
    assert_string_equal(text_at(desk, 0, "note", nullptr), "a note");
    assert_string_equal(text_at(desk, 0, "regarding", "apiVersion"), "example.com/v1");
    assert_string_equal(text_at(desk, 0, "regarding", "kind"), "Widget");
    assert_string_equal(text_at(desk, 0, "regarding", "namespace"), "team-a");
    assert_string_equal(text_at(desk, 0, "regarding", "name"), "key-1");
    assert_string_equal(text_at(desk, 0, "regarding", "uid"), "uid-1");
    assert_string_equal(text_at(desk, 0, "regarding", "resourceVersion"), "12");
    const char *id = json_text(json_find(yyjson_doc_get_root(desk->body[0]), "metadata", "annotations",
                                         "example.com/reconcile-id", nullptr));
    assert_string_equal(id, "0123");
    assert_null(json_find(yyjson_doc_get_root(desk->body[0]), "series", nullptr));
    assert_int_equal(yyjson_obj_size(yyjson_doc_get_root(desk->body[0])), 11);
}

static void test_trap_39_cluster_scoped_objects_are_in_default(void **state) {
    struct desk *desk = *state;
    cleanup_object struct kube_object *object = make_object(nullptr, "key", "uid");
    const struct event_content words = {.reason = "Made", .action = "Make", .note = "a note"};
    event_record(desk->recorder, &kube_secrets, object, &words);
    wait_for(desk, 1);
    assert_string_equal(desk->path[0], "/apis/events.k8s.io/v1/namespaces/default/events");
    assert_string_equal(text_at(desk, 0, "metadata", "namespace"), "default");
    assert_string_equal(text_at(desk, 0, "regarding", "apiVersion"), "v1");
    assert_string_equal(text_at(desk, 0, "type", nullptr), "Normal");
    assert_null(json_find(yyjson_doc_get_root(desk->body[0]), "regarding", "namespace", nullptr));
    assert_null(json_find(yyjson_doc_get_root(desk->body[0]), "metadata", "annotations", nullptr));
}

static int64_t series_count(const struct desk *desk, int i) {
    return json_integer(json_find(yyjson_doc_get_root(desk->body[i]), "series", "count", nullptr), 0);
}

static void test_trap_39_a_repetition_becomes_a_series(void **state) {
    struct desk *desk = *state;
    cleanup_object struct kube_object *object = make_object("ns", "key", "uid");
    for (int i = 0; i < 3; i++) {
        record(desk, object, "Made", "a note");
        wait_for(desk, i + 1);
    }
    record(desk, object, "Made", "another note");
    wait_for(desk, 4);
    char expected[800];
    snprintf(expected, sizeof(expected), "%s/%s", desk->path[0], text_at(desk, 0, "metadata", "name"));
    for (int i = 1; i < 3; i++) {
        assert_string_equal(desk->method[i], "PATCH");
        assert_string_equal(desk->path[i], expected);
        assert_int_equal(series_count(desk, i), i + 1);
        check_time(text_at(desk, i, "series", "lastObservedTime"));
        assert_int_equal(yyjson_obj_size(yyjson_doc_get_root(desk->body[i])), 1);
    }
    assert_string_equal(desk->method[3], "POST");
    assert_int_equal(series_count(desk, 3), 0);
}

static void different_objects_reasons_and_notes_are_different_events(void **state) {
    struct desk *desk = *state;
    cleanup_object struct kube_object *one = make_object("ns", "key", "uid-1");
    cleanup_object struct kube_object *again = make_object("ns", "key", "uid-2");
    record(desk, one, "Made", "note");
    record(desk, again, "Made", "note");
    record(desk, one, "Failed", "note");
    record(desk, one, "Made", "other");
    const struct event_content warning = {
        .warning = true, .reason = "Made", .action = "Make", .note = "note"};
    event_record(desk->recorder, &widgets, one, &warning);
    wait_for(desk, 5);
    for (int i = 0; i < 5; i++) {
        assert_string_equal(desk->method[i], "POST");
    }
}

static void what_repeats_before_it_is_sent_is_sent_once(void **state) {
    struct desk *desk = *state;
    cleanup_object struct kube_object *blocker = make_object("ns", "blocker", "uid-0");
    cleanup_object struct kube_object *object = make_object("ns", "key", "uid-1");
    hold(desk, true);
    record(desk, blocker, "Made", "note");
    wait_for(desk, 1);
    for (int i = 0; i < 5; i++) {
        record(desk, object, "Made", "note");
    }
    record(desk, blocker, "Made", "note"); // while its first is being sent
    hold(desk, false);
    wait_for(desk, 3);
    assert_string_equal(desk->method[1], "POST");
    assert_int_equal(series_count(desk, 1), 5);
    check_time(text_at(desk, 1, "series", "lastObservedTime"));
    assert_string_equal(desk->method[2], "PATCH");
    assert_int_equal(series_count(desk, 2), 2);
}

static void set_status(struct desk *desk, int status) {
    pthread_mutex_lock(&desk->lock);
    desk->status = status;
    pthread_mutex_unlock(&desk->lock);
}

static void a_forgotten_event_is_made_anew(void **state) {
    struct desk *desk = *state;
    cleanup_object struct kube_object *object = make_object("ns", "key", "uid");
    record(desk, object, "Made", "note");
    wait_for(desk, 1);
    set_status(desk, 404);
    record(desk, object, "Made", "note");
    wait_for(desk, 3);
    assert_string_equal(desk->method[1], "PATCH");
    assert_string_equal(desk->method[2], "POST");
    assert_int_equal(series_count(desk, 2), 2);
    set_status(desk, 201); // that failed too: the next makes it
    record(desk, object, "Made", "note");
    wait_for(desk, 4);
    assert_string_equal(desk->method[3], "POST");
    assert_int_equal(series_count(desk, 3), 3);
}

static void a_failure_is_dropped(void **state) {
    struct desk *desk = *state;
    cleanup_object struct kube_object *one = make_object("ns", "one", "uid-1");
    cleanup_object struct kube_object *two = make_object("ns", "two", "uid-2");
    set_status(desk, 403);
    record(desk, one, "Made", "note");
    wait_for(desk, 1);
    set_status(desk, 201);
    record(desk, two, "Made", "note");
    wait_for(desk, 2);
    assert_string_equal(text_at(desk, 1, "regarding", "name"), "two");
}

// 1000 entries at most: the thousand that wait are kept, what comes then is dropped, and there is room again
// later.
static void too_many_are_dropped(void **state) {
    struct desk *desk = *state;
    cleanup_object struct kube_object *object = make_object("ns", "key", "uid");
    block(desk, object);
    char note[32];
    for (int i = 0; i < 1100; i++) {
        snprintf(note, sizeof(note), "note %d", i);
        warn(desk, object, note);
    }
    hold(desk, false);
    wait_for(desk, 1000);
    assert_string_equal(text_at(desk, 999, "note", nullptr), "note 998");
    record(desk, object, "Made", "late");
    wait_for(desk, 1001);
    assert_string_equal(text_at(desk, 1000, "note", nullptr), "late");
    record(desk, object, "Made", "blocker"); // the oldest, which made room
    wait_for(desk, 1002);
    assert_string_equal(desk->method[1001], "POST");
}

// 500 that are no warning may wait, and a warning overtakes them.
static void there_is_room_for_warnings(void **state) {
    struct desk *desk = *state;
    cleanup_object struct kube_object *object = make_object("ns", "key", "uid");
    block(desk, object);
    char note[32];
    for (int i = 0; i < 600; i++) {
        snprintf(note, sizeof(note), "note %d", i);
        record(desk, object, "Made", note);
    }
    warn(desk, object, "urgent");
    hold(desk, false);
    wait_for(desk, 502);
    assert_string_equal(text_at(desk, 1, "note", nullptr), "urgent");
    assert_string_equal(text_at(desk, 2, "note", nullptr), "note 0");
    assert_string_equal(text_at(desk, 501, "note", nullptr), "note 499");
}

// One, and two ahead of the pace; the next is due in an hour, or when the recorder ends.
static void they_are_sent_at_a_pace(void **state) {
    struct desk *desk = *state;
    struct error e;
    const struct event_rate_limit slow = {.interval_ms = 60 * 60 * 1000, .burst = 2};
    cleanup_object struct kube_object *object = make_object("ns", "key", "uid");
    event_recorder_free(desk->recorder);
    must(event_recorder_create(kube_client_api(desk->api.client), &source, &slow, &desk->recorder, &e), e);
    for (int i = 0; i < 4; i++) {
        char note[] = {'0', '\0'};
        note[0] = (char)(note[0] + i);
        record(desk, object, "Made", note);
    }
    wait_for(desk, 3);
    usleep(100 * 1000);
    pthread_mutex_lock(&desk->lock);
    assert_int_equal(desk->count, 3);
    pthread_mutex_unlock(&desk->lock);
    event_recorder_free(desk->recorder);
    desk->recorder = nullptr;
    assert_int_equal(desk->count, 4);
}

static void test_trap_39_long_texts_are_cut(void **state) {
    (void)state;
    assert_int_equal(event_text_cut("abc", 3), 3);
    assert_int_equal(event_text_cut("abcd", 3), 3);
    assert_int_equal(event_text_cut("ab\xC3\xA9", 3), 2);
    assert_int_equal(event_text_cut("ab\xC3\xA9", 4), 4);
    assert_int_equal(event_text_cut("\xF0\x9F\x94\x91", 3), 0);
    assert_int_equal(event_text_cut("", 0), 0);
    char name[254];
    memset(name, 'a', 253);
    name[253] = '\0';
    name[234] = '.';
    name[235] = '-';
    char note[1500];
    memset(note, 'n', sizeof(note));
    memcpy(note + 1023, "\xC3\xA9", 2);
    memcpy(note + 500, "\xFF", 1);
    note[1499] = '\0';
    cleanup_object struct kube_object *object = make_object("ns", name, "uid");
    struct event_body body = {0};
    assert_true(event_body_fill(&body, &widgets, object,
                                &(struct event_content){.reason = "R", .action = "A", .note = note}));
    assert_int_equal(strlen(body.note), 1023);
    assert_int_equal(body.note[500], '?');
    assert_int_equal(strlen(body.name), 234 + 17);
    assert_int_equal(body.name[234], '.');
    assert_int_equal(body.name[233], 'a');
    event_body_done(&body);
}

static void what_waits_is_sent_at_the_end(void **state) {
    struct desk *desk = *state;
    struct error e;
    cleanup_object struct kube_object *object = make_object("ns", "key", "uid");
    hold(desk, true);
    record(desk, object, "Made", "note 1");
    wait_for(desk, 1);
    record(desk, object, "Made", "note 2");
    hold(desk, false);
    event_recorder_free(desk->recorder);
    assert_int_equal(desk->count, 2);
    // And one that never gets an answer does not keep it.
    must(event_recorder_create(kube_client_api(desk->api.client), &source, &(struct event_rate_limit){0},
                               &desk->recorder, &e),
         e);
    hold(desk, true);
    record(desk, object, "Made", "note 3");
    record(desk, object, "Made", "note 4");
    event_recorder_free(desk->recorder);
    desk->recorder = nullptr;
    hold(desk, false);
}

static void *record_often(void *context) {
    struct desk *desk = context;
    cleanup_object struct kube_object *object = make_object("ns", "key", "uid");
    char note[32];
    for (int i = 0; i < 300; i++) {
        snprintf(note, sizeof(note), "note %d", i % 7);
        record(desk, object, "Made", note);
    }
    return nullptr;
}

// How often the seven notes happened by what has arrived so far. With the lock held.
static int64_t count_all(const struct desk *desk, int *ret_posts) {
    int64_t last[7] = {0};
    char names[7][300] = {0};
    int64_t total = 0;
    *ret_posts = 0;
    for (int i = 0; i < desk->count; i++) {
        bool post = strcmp(desk->method[i], "POST") == 0;
        int which = 0;
        if (post) {
            which = (int)strtol(text_at(desk, i, "note", nullptr) + strlen("note "), nullptr, 10);
            snprintf(names[which], sizeof(names[which]), "%s", text_at(desk, i, "metadata", "name"));
            ++*ret_posts;
        }
        for (int n = 0; !post && n < 7; n++) {
            which = strstr(desk->path[i], names[n]) != nullptr && names[n][0] != '\0' ? n : which;
        }
        int64_t count = series_count(desk, i);
        assert_true(post || count > last[which]);
        last[which] = count == 0 ? 1 : count;
    }
    for (int n = 0; n < 7; n++) {
        total += last[n];
    }
    return total;
}

static void many_threads_record_at_once(void **state) {
    struct desk *desk = *state;
    pthread_t threads[4];
    int posts;
    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], nullptr, record_often, desk);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], nullptr);
    }
    pthread_mutex_lock(&desk->lock);
    while (count_all(desk, &posts) < 4 * 300) {
        pthread_cond_wait(&desk->changed, &desk->lock);
    }
    assert_int_equal(count_all(desk, &posts), 4 * 300);
    pthread_mutex_unlock(&desk->lock);
    assert_int_equal(posts, 7);
}

int main(void) {
    use_own_heap();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_trap_39_an_event_has_all_its_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trap_39_cluster_scoped_objects_are_in_default, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_trap_39_a_repetition_becomes_a_series, set_up, tear_down),
        cmocka_unit_test_setup_teardown(different_objects_reasons_and_notes_are_different_events, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_repeats_before_it_is_sent_is_sent_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_forgotten_event_is_made_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failure_is_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many_are_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(there_is_room_for_warnings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(they_are_sent_at_a_pace, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trap_39_long_texts_are_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_waits_is_sent_at_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_threads_record_at_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
