#include "api_fixture.h"

#include "base/clock.h"
#include "kube/access_review.h"

// The clock, in the place of the library's: it stands still at this time when that is not negative.
static atomic_llong stopped = -1;

int64_t __real_clock_monotonic_ms(void);
int64_t __wrap_clock_monotonic_ms(void);
int64_t __wrap_clock_monotonic_ms(void) {
    int64_t at = atomic_load(&stopped);
    return at >= 0 ? at : __real_clock_monotonic_ms();
}

static int64_t stop_clock(void) {
    int64_t now = __real_clock_monotonic_ms();
    atomic_store(&stopped, now);
    return now;
}

// A server that says yes to those who ask for "mine", no to others, and fails for "broken".
struct script {
    struct api_fixture api;
    struct access_reviewer *access;
    atomic_int calls;
    atomic_bool revoked; // what is "mine", too, is refused
    char last[4096];
};

static bool answer(void *context, struct connection *connection, const struct received *request) {
    struct script *script = context;
    atomic_fetch_add(&script->calls, 1);
    snprintf(script->last, sizeof(script->last), "%s", request->body);
    if (strstr(request->body, "\"name\":\"broken\"") != nullptr) {
        server_reply(connection, 403, "", "{\"kind\":\"Status\",\"message\":\"not for you\",\"code\":403}");
    } else if (strstr(request->body, "\"name\":\"mine\"") != nullptr && !atomic_load(&script->revoked)) {
        server_reply(connection, 201, "", "{\"status\":{\"allowed\":true}}");
    } else if (strstr(request->body, "\"name\":\"doubtful\"") != nullptr) {
        server_reply(connection, 201, "", "{\"status\":{\"allowed\":true,\"denied\":true}}");
    } else if (strstr(request->body, "\"name\":\"odd\"") != nullptr) {
        server_reply(connection, 201, "", "{\"status\":{\"allowed\":\"true\"}}");
    } else {
        server_reply(connection, 201, "", "{\"status\":{\"allowed\":false}}");
    }
    return true;
}

static int set_up(void **state) {
    static struct script script;
    struct error e;
    script = (struct script){0};
    api_start(&script.api, answer, &script);
    must(access_reviewer_create(kube_client_api(script.api.client), &script.access, &e), e);
    *state = &script;
    return 0;
}

static int tear_down(void **state) {
    struct script *script = *state;
    access_reviewer_free(script->access);
    api_stop(&script->api);
    atomic_store(&stopped, -1);
    return 0;
}

static struct access_review_spec question(const char *name) {
    return (struct access_review_spec){
        .service_account_namespace = "here",
        .service_account = "default",
        .verb = "get",
        .resource = &kube_secrets,
        .namespace = "there",
        .name = name,
    };
}

static bool review(struct script *script, const char *name) {
    struct error e;
    struct access_review_spec asked = question(name);
    bool allowed = false;
    must(access_review(script->access, &asked, &allowed, &e), e);
    return allowed;
}

static void the_answer_is_the_servers(void **state) {
    struct script *script = *state;
    assert_true(review(script, "mine"));
    assert_false(review(script, "yours"));
    assert_false(review(script, "doubtful"));
    assert_false(review(script, "odd"));
}

static void the_question_names_the_service_account_as_the_server_knows_it(void **state) {
    struct script *script = *state;
    bool allowed;
    struct error e;
    struct access_review_spec asked = question("mine");
    asked.verb = "use";
    must(access_review(script->access, &asked, &allowed, &e), e);
    static const char *const parts[] = {
        "\"kind\":\"LocalSubjectAccessReview\"",
        "\"metadata\":{\"namespace\":\"there\"}",
        "\"user\":\"system:serviceaccount:here:default\"",
        "\"groups\":[\"system:serviceaccounts\",\"system:serviceaccounts:here\",\"system:authenticated\"]",
        "\"namespace\":\"there\",\"verb\":\"use\",\"group\":\"\",\"version\":\"v1\",\"resource\":\"secrets\","
        "\"name\":"
        "\"mine\"",
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        assert_non_null(strstr(script->last, parts[i]));
    }
}

static void an_answer_is_kept_for_the_same_question_only(void **state) {
    struct script *script = *state;
    for (int i = 0; i < 3; i++) {
        assert_true(review(script, "mine"));
        assert_false(review(script, "yours"));
    }
    assert_int_equal(atomic_load(&script->calls), 2);
    struct error e;
    bool allowed;
    struct access_review_spec other = question("mine");
    other.service_account = "another";
    must(access_review(script->access, &other, &allowed, &e), e);
    other.service_account_namespace = "elsewhere";
    must(access_review(script->access, &other, &allowed, &e), e);
    other.namespace = "elsewhere";
    must(access_review(script->access, &other, &allowed, &e), e);
    other.resource = &kube_config_maps;
    must(access_review(script->access, &other, &allowed, &e), e);
    assert_int_equal(atomic_load(&script->calls), 6);
    other.verb = "use";
    must(access_review(script->access, &other, &allowed, &e), e);
    assert_int_equal(atomic_load(&script->calls), 7);
}

static void an_answer_expires(void **state) {
    struct script *script = *state;
    int64_t asked_at = stop_clock();
    assert_true(review(script, "mine"));
    atomic_store(&script->revoked, true);
    atomic_store(&stopped, asked_at + ACCESS_KEPT_MS - 1);
    assert_true(review(script, "mine"));
    assert_int_equal(atomic_load(&script->calls), 1);
    atomic_store(&stopped, asked_at + ACCESS_KEPT_MS);
    assert_false(review(script, "mine"));
    assert_int_equal(atomic_load(&script->calls), 2);
}

static void more_questions_than_there_is_room_for_are_answered_all_the_same(void **state) {
    enum { MANY = 4200 };
    struct script *script = *state;
    int64_t asked_at = stop_clock();
    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof(name), "n%d", i);
        assert_false(review(script, name));
    }
    for (int i = 1; i <= 2; i++) { // not kept
        assert_true(review(script, "mine"));
        assert_int_equal(atomic_load(&script->calls), MANY + i);
    }
    atomic_store(&stopped, asked_at + ACCESS_KEPT_MS); // all others are too old by now
    for (int i = 1; i <= 2; i++) {
        assert_true(review(script, "mine"));
        assert_int_equal(atomic_load(&script->calls), MANY + 3);
    }
}

static void no_answer_is_an_error_and_not_kept(void **state) {
    struct script *script = *state;
    struct access_review_spec asked = question("broken");
    for (int i = 1; i <= 2; i++) {
        struct error e = {0};
        bool allowed = true;
        must_fail(access_review(script->access, &asked, &allowed, &e), e, ERROR_FORBIDDEN,
                  "asking whether ServiceAccount here/default may get secrets there/broken: POST "
                  "/apis/authorization.k8s.io/v1/namespaces/there/localsubjectaccessreviews: not for you "
                  "(HTTP status 403)");
        assert_true(allowed); // untouched
        assert_int_equal(atomic_load(&script->calls), i);
    }
}

static void no_answer_is_kept_for_longer_than_the_limit(void **state) {
    struct script *script = *state;
    access_reviewer_limit(script->access, 3600 * 1000); // more than there can be: kept as ever
    assert_true(review(script, "mine"));
    assert_true(review(script, "mine"));
    assert_int_equal(atomic_load(&script->calls), 1);
    access_reviewer_limit(script->access, 0);
    assert_true(review(script, "mine"));
    assert_true(review(script, "mine"));
    assert_int_equal(atomic_load(&script->calls), 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_answer_is_the_servers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_question_names_the_service_account_as_the_server_knows_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_answer_is_kept_for_the_same_question_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_expires, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_questions_than_there_is_room_for_are_answered_all_the_same,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_answer_is_an_error_and_not_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_answer_is_kept_for_longer_than_the_limit, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
