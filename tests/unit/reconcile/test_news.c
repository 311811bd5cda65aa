#include "../base/check.h"
#include "../base/short_memory.h"

#include "reconcile/news.h"

#define KEY "things/ns/a"
#define OBJECT "Thing/ns/a"
#define OUTPUT "Secret/ns/a"

static struct news *news;

static int set_up(void **) {
    memory_left = -1;
    news = news_create();
    return news == nullptr ? -1 : 0;
}

static int tear_down(void **) {
    memory_left = -1;
    news_free(news);
    return 0;
}

static void ends_with(const char *key, bool object, bool output) {
    struct news_held held = news_end(news, key);
    assert_int_equal(held.object, object);
    assert_int_equal(held.output, output);
}

static void what_is_in_no_hands_is_woken(void **) {
    assert_false(news_hold(news, KEY, OBJECT));
    news_expect_output(news, KEY, OUTPUT); // of nobody
    assert_false(news_hold(news, KEY, OUTPUT));
    ends_with(KEY, false, false);
}

static void test_trap_53_what_is_heard_of_the_object_in_hand_is_held(void **) {
    news_begin(news, KEY, OBJECT);
    assert_true(news_hold(news, KEY, OBJECT));
    assert_true(news_hold(news, KEY, OBJECT));
    ends_with(KEY, true, false);
    assert_false(news_hold(news, KEY, OBJECT)); // afterwards it is woken again
    news_begin(news, KEY, OBJECT);
    ends_with(KEY, false, false); // and nothing of before is left
}

static void test_trap_53_its_output_is_held_as_soon_as_it_is_known(void **) {
    news_begin(news, KEY, OBJECT);
    assert_false(news_hold(news, KEY, OUTPUT));
    news_expect_output(news, KEY, OUTPUT);
    assert_true(news_hold(news, KEY, OUTPUT));
    news_expect_output(news, KEY, "Secret/ns/other");
    assert_false(news_hold(news, KEY, OUTPUT));
    ends_with(KEY, false, true);
}

static void test_trap_53_others_that_depend_on_it_are_woken(void **) {
    news_begin(news, KEY, OBJECT);
    news_expect_output(news, KEY, OUTPUT);
    news_begin(news, "things/ns/b", "Thing/ns/b"); // in hand too, and reads both
    assert_false(news_hold(news, "things/ns/b", OBJECT));
    assert_false(news_hold(news, "things/ns/b", OUTPUT));
    assert_false(news_hold(news, "things/ns/c", OBJECT));
    assert_false(news_hold(news, KEY, "Thing/ns/b"));
    ends_with(KEY, false, false);
    ends_with("things/ns/b", false, false);
}

static void out_of_memory_holds_nothing(void **) {
    for (long left = 0; left < 4; left++) {
        memory_left = left;
        news_begin(news, KEY, OBJECT);
        memory_left = -1;
        assert_false(news_hold(news, KEY, OBJECT));
        ends_with(KEY, false, false);
    }
    news_begin(news, KEY, OBJECT);
    memory_left = 0;
    news_expect_output(news, KEY, OUTPUT);
    assert_false(news_hold(news, KEY, OUTPUT));
    assert_true(news_hold(news, KEY, OBJECT));
    ends_with(KEY, true, false);
    for (long left = 0; left < 2; left++) {
        memory_left = left;
        assert_null(news_create());
    }
    memory_left = -1;
    news_free(nullptr);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_in_no_hands_is_woken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trap_53_what_is_heard_of_the_object_in_hand_is_held, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_trap_53_its_output_is_held_as_soon_as_it_is_known, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_trap_53_others_that_depend_on_it_are_woken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(out_of_memory_holds_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("operator/news", tests, nullptr, nullptr);
}
