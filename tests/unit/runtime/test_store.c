#include "store_fixture.h"

// ---- applying and removing

static void changes_are_reported(void **state) {
    struct fixture *fixture = *state;
    apply(fixture, make("a", "1"));
    expect_log(fixture, "+a@1 ");
    apply(fixture, make("a", "2"));
    expect_log(fixture, "~a@1>2 ");
    apply(fixture, make("b", "3"));
    assert_int_equal(store_count(fixture->store), 2);
    store_remove(fixture->store, make("a", "4"));
    expect_log(fixture, "+b@3 -a@2 ");
    assert_int_equal(store_count(fixture->store), 1);
    expect_version(fixture, "a", nullptr);
    expect_version(fixture, "b", "3");
    store_remove(fixture->store, make("a", "4")); // not stored, but somebody may wait for its end
    expect_log(fixture, "-a@4 ");
}

static void a_known_or_older_version_changes_nothing(void **state) {
    struct fixture *fixture = *state;
    apply(fixture, make("a", "9"));
    apply(fixture, make("a", "10"));
    expect_log(fixture, "+a@9 ~a@9>10 ");
    apply(fixture, make("a", "10"));
    apply(fixture, make("a", "9"));
    expect_log(fixture, "");
    expect_version(fixture, "a", "10");
    const char *key = "d/a";
    assert_true(store_has_version(fixture->store, key, "9"));
    assert_true(store_has_version(fixture->store, key, "10"));
    assert_false(store_has_version(fixture->store, key, "11"));
    assert_false(store_has_version(fixture->store, "d/b", "1"));
}

static void test_trap_29_an_own_write_is_read_at_once_and_its_echo_is_silent(void **state) {
    struct fixture *fixture = *state;
    apply(fixture, make("a", "5"));
    apply_own(fixture, make("a", "7"));
    expect_version(fixture, "a", "7");
    expect_log(fixture, "+a@5 ~a@5>7 ");
    apply(fixture, make("a", "6")); // somebody else's write, on the way when ours was made
    apply(fixture, make("a", "7"));
    expect_log(fixture, "");
    expect_version(fixture, "a", "7");
}

static void an_own_write_that_the_watch_has_passed_is_dropped(void **state) {
    struct fixture *fixture = *state;
    apply(fixture, make("a", "5"));
    store_remove(fixture->store, make("a", "8"));
    expect_log(fixture, "+a@5 -a@5 ");
    apply_own(fixture, make("a", "7")); // written before the deletion, heard of after it
    expect_version(fixture, "a", nullptr);
    store_advance(fixture->store, "20");
    apply_own(fixture, make("b", "19"));
    apply_own(fixture, make("b", "20"));
    expect_version(fixture, "b", nullptr);
    store_advance(fixture->store, "9"); // does not go back
    apply_own(fixture, make("b", "19"));
    expect_version(fixture, "b", nullptr);
    expect_log(fixture, "");
    apply_own(fixture, make("b", "21"));
    expect_log(fixture, "+b@21 ");
}

static void every_event_moves_how_far_the_watch_has_come(void **state) {
    struct fixture *fixture = *state;
    apply(fixture, make("other", "10"));
    apply_own(fixture, make("a", "9"));
    expect_version(fixture, "a", nullptr);
    apply(fixture, make_as("unwanted", "u", "12", ",\"drop\":true"));
    apply_own(fixture, make("a", "11"));
    expect_version(fixture, "a", nullptr);
    replace(fixture, "15", 0);
    apply_own(fixture, make("a", "14"));
    expect_version(fixture, "a", nullptr);
}

static void a_read_is_dropped_when_anything_was_removed_meanwhile(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    store_advance(fixture->store, "50");
    uint64_t removals = store_removals(fixture->store);
    must(store_apply_read(fixture->store, make("a", "7"), removals, &e),
         e); // older than the watch, and welcome
    expect_log(fixture, "+a@7 ");
    must(store_apply_read(fixture->store, make("a", "7"), removals, &e), e);
    must(store_apply_read(fixture->store, make("a", "6"), removals, &e), e);
    expect_log(fixture, "");
    store_remove(fixture->store, make("b", "51"));
    must(store_apply_read(fixture->store, make("b", "8"), removals, &e), e);
    expect_version(fixture, "b", nullptr);
    removals = store_removals(fixture->store);
    replace(fixture, "60", 0);
    must(store_apply_read(fixture->store, make("b", "8"), removals, &e), e);
    expect_version(fixture, "b", nullptr);
}

static void an_object_made_anew_is_another_one(void **state) {
    struct fixture *fixture = *state;
    apply(fixture, make_as("a", "first", "5", ""));
    apply(fixture, make_as("a", "second", "9", ""));
    expect_log(fixture, "+a@5/first -a@5/first +a@9/second ");
    store_remove(fixture->store, make_as("a", "first", "8", "")); // late news of the first
    expect_log(fixture, "");
    expect_version(fixture, "a", "9");
    store_remove(fixture->store, make_as("a", "third", "12", "")); // the end of one that was never seen
    expect_log(fixture, "-a@9/second ");
    apply_own(fixture, make_as("a", "fourth", "20", ""));
    store_remove(fixture->store, make_as("a", "fourth", "19", "")); // its own end is final
    expect_log(fixture, "+a@20/fourth -a@20/fourth ");
}

static void test_trap_20_what_is_not_worth_keeping_is_as_good_as_gone(void **state) {
    struct fixture *fixture = *state;
    apply(fixture, make_as("a", "u", "5", ",\"drop\":true"));
    expect_log(fixture, "");
    expect_version(fixture, "a", nullptr);
    apply(fixture, make("a", "6"));
    apply(fixture, make_as("a", "u", "5", ",\"drop\":true")); // old news
    expect_log(fixture, "+a@6 ");
    apply(fixture, make_as("a", "u", "7", ",\"drop\":true"));
    expect_log(fixture, "-a@6 ");
    assert_int_equal(store_count(fixture->store), 0);
    store_remove(fixture->store, make_as("a", "u", "8", ",\"drop\":true"));
    expect_log(fixture, "");
    apply(fixture, make("a", "9"));
    replace(fixture, "10", 1, make_as("a", "u", "10", ",\"drop\":true"));
    expect_log(fixture, "+a@9 -a@9 ");
}

// ---- lists

static void test_trap_12_a_list_is_compared_with_what_is_stored(void **state) {
    struct fixture *fixture = *state;
    replace(fixture, "10", 3, make("same", "1"), make("changed", "2"), make("gone", "3"));
    expect_log_sorted(fixture, "+changed@2 +gone@3 +same@1 ");
    replace(fixture, "20", 3, make("same", "1"), make("changed", "12"), make("new", "13"));
    expect_log_sorted(fixture, "+new@13 -gone@3 ~changed@2>12 ");
    assert_int_equal(store_count(fixture->store), 3);
    expect_version(fixture, "gone", nullptr);
    replace(fixture, "21", 0);
    expect_log_sorted(fixture, "-changed@12 -new@13 -same@1 ");
    assert_int_equal(store_count(fixture->store), 0);
}

static void a_list_reports_an_object_made_anew(void **state) {
    struct fixture *fixture = *state;
    replace(fixture, "10", 1, make_as("a", "first", "1", ""));
    replace(fixture, "20", 1, make_as("a", "second", "15", ""));
    expect_log(fixture, "+a@1/first -a@1/first +a@15/second ");
}

static void test_trap_29_a_list_keeps_newer_own_writes(void **state) {
    struct fixture *fixture = *state;
    replace(fixture, "10", 1, make("a", "5"));
    apply_own(fixture, make("a", "25"));
    apply_own(fixture, make("b", "26"));
    apply_own(fixture, make("c", "19"));
    expect_log(fixture, "+a@5 ~a@5>25 +b@26 +c@19 ");
    replace(fixture, "20", 1, make("a", "15")); // as of a time before the first two, after the third
    expect_log(fixture, "-c@19 ");
    expect_version(fixture, "a", "25");
    expect_version(fixture, "b", "26");
}

static void test_trap_10_a_list_from_a_restored_server_is_the_truth(void **state) {
    struct fixture *fixture = *state;
    replace(fixture, "1000", 3, make("same", "5"), make("back", "900"), make("lost", "950"));
    apply_own(fixture, make("own", "1100"));
    apply(fixture, make_as("twin", "u", "990", ",\"v\":1"));
    apply(fixture, make("twin2", "991"));
    expect_log_sorted(fixture, "+back@900 +lost@950 +own@1100 +same@5 +twin2@991 +twin@990 ");
    // Versions are given out for the second time: one number with other content is a change.
    replace(fixture, "995", 4, make("same", "5"), make("back", "800"),
            make_as("twin", "u", "990", ",\"v\":2"), make("twin2", "991"));
    expect_log_sorted(fixture, "-lost@950 -own@1100 ~back@900>800 ~twin@990>990 ");
    apply_own(fixture, make("a", "994")); // how far the watch has come went back, too
    expect_version(fixture, "a", nullptr);
    apply_own(fixture, make("a", "996"));
    expect_version(fixture, "a", "996");
}

// Nobody counts back if the revision was raised in the restore, as etcd's manual has it: what the list shows
// as older was changed after the snapshot, and that is lost.
static void test_trap_10_a_list_of_a_server_that_skipped_ahead_is_the_truth(void **state) {
    struct fixture *fixture = *state;
    replace(fixture, "1000", 3, make("same", "5"), make("back", "900"), make("lost", "950"));
    apply_own(fixture, make("own", "1100"));
    expect_log_sorted(fixture, "+back@900 +lost@950 +own@1100 +same@5 ");
    replace(fixture, "1000001000", 3, make("same", "5"), make("back", "800"), make("own", "700"));
    expect_log_sorted(fixture, "-lost@950 ~back@900>800 ~own@1100>700 ");
    apply(fixture, make("back", "1000001001"));
    expect_log(fixture, "~back@800>1000001001 ");
}

static void of_one_key_twice_in_a_list_the_newer_counts(void **state) {
    struct fixture *fixture = *state;
    replace(fixture, "10", 3, make("a", "4"), make("a", "6"), make("a", "5"));
    expect_log(fixture, "+a@6 ");
}

// ---- the index

static void the_index_follows_the_objects(void **state) {
    struct fixture *fixture = *state;
    expect_found(fixture, "x", "");
    apply(fixture, make_as("a", "u", "1", ",\"refs\":[\"x\",\"y\"]"));
    apply(fixture, make_as("b", "u", "2", ",\"refs\":[\"y\",\"y\"]"));
    expect_found(fixture, "x", "d/a ");
    expect_found(fixture, "y", "d/a d/b ");
    assert_int_equal(store_index_count(fixture->store, "y"), 2);
    assert_int_equal(store_index_count(fixture->store, "z"), 0);
    apply(fixture, make_as("a", "u", "3", ",\"refs\":[\"y\",\"z\"]"));
    expect_found(fixture, "x", "");
    expect_found(fixture, "y", "d/a d/b ");
    expect_found(fixture, "z", "d/a ");
    store_remove(fixture->store, make("a", "4")); // the last state may lack what was indexed
    expect_found(fixture, "y", "d/b ");
    expect_found(fixture, "z", "");
    apply(fixture, make_as("b", "u", "5", ",\"drop\":true"));
    expect_found(fixture, "y", "");
}

static void the_index_follows_lists(void **state) {
    struct fixture *fixture = *state;
    replace(fixture, "10", 2, make_as("a", "u", "1", ",\"refs\":[\"x\"]"),
            make_as("b", "u", "2", ",\"refs\":[\"x\"]"));
    apply_own(fixture, make_as("own", "u", "30", ",\"refs\":[\"x\"]"));
    replace(fixture, "20", 2, make_as("a", "u", "1", ",\"refs\":[\"x\"]"),
            make_as("c", "u", "15", ",\"refs\":[\"x\",\"y\"]"));
    expect_found(fixture, "x", "d/a d/c d/own ");
    expect_found(fixture, "y", "d/c ");
    replace(fixture, "40", 0);
    expect_found(fixture, "x", "");
    expect_found(fixture, "y", "");
}

struct removal {
    struct fixture *fixture;
    int visits;
};

static void remove_all(void *context, const struct kube_object *) {
    struct removal *removal = context;
    removal->visits++;
    replace(removal->fixture, "90", 0);
}

static void a_visit_may_change_the_store(void **state) {
    struct fixture *fixture = *state;
    apply(fixture, make_as("a", "u", "1", ",\"refs\":[\"x\"]"));
    apply(fixture, make_as("b", "u", "2", ",\"refs\":[\"x\"]"));
    struct removal removal = {.fixture = fixture};
    store_index_visit(fixture->store, "x", remove_all, &removal);
    assert_int_equal(removal.visits, 2); // it was a copy
    assert_int_equal(store_count(fixture->store), 0);
}

static void all_are_visited_even_without_memory(void **state) {
    struct fixture *fixture = *state;
    for (int i = 0; i < 20; i++) {
        char name[8];
        snprintf(name, sizeof(name), "n%02d", i);
        apply(fixture, make_as(name, "u", "1", ",\"refs\":[\"x\"]"));
    }
    for (int round = 0; round < 2; round++) {
        struct buffer found = buffer_create(1 << 20);
        char *room;
        struct error e;
        must(buffer_reserve(&found, 1000, &room, &e), e);
        memory_left = round == 0 ? -1 : 0;
        store_index_visit(fixture->store, "x", note_key, &found);
        store_index_visit(fixture->store, "nothing", note_key, &found);
        memory_left = -1;
        for (int i = 0; i < 20; i++) {
            char key[8];
            snprintf(key, sizeof(key), "d/n%02d ", i);
            assert_non_null(strstr(buffer_text(&found), key));
        }
        assert_int_equal(found.length, 20 * 6);
        buffer_done(&found);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        with_store(changes_are_reported),
        with_store(a_known_or_older_version_changes_nothing),
        with_store(test_trap_29_an_own_write_is_read_at_once_and_its_echo_is_silent),
        with_store(an_own_write_that_the_watch_has_passed_is_dropped),
        with_store(every_event_moves_how_far_the_watch_has_come),
        with_store(a_read_is_dropped_when_anything_was_removed_meanwhile),
        with_store(an_object_made_anew_is_another_one),
        with_store(test_trap_20_what_is_not_worth_keeping_is_as_good_as_gone),
        with_store(test_trap_12_a_list_is_compared_with_what_is_stored),
        with_store(a_list_reports_an_object_made_anew),
        with_store(test_trap_29_a_list_keeps_newer_own_writes),
        with_store(test_trap_10_a_list_from_a_restored_server_is_the_truth),
        with_store(test_trap_10_a_list_of_a_server_that_skipped_ahead_is_the_truth),
        with_store(of_one_key_twice_in_a_list_the_newer_counts),
        with_store(the_index_follows_the_objects),
        with_store(the_index_follows_lists),
        with_store(a_visit_may_change_the_store),
        with_store(all_are_visited_even_without_memory),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
