#include "check.h"
#include "short_memory.h"

#include "base/map.h"

#include <stdio.h>

enum { MANY = 5000 };

static char *number_key(int number) {
    static char key[32];
    snprintf(key, sizeof(key), "key-%d", number);
    return key;
}

static void it_finds_what_was_put(void **) {
    cleanup_map struct map *map = map_create(nullptr);
    int values[MANY];
    assert_null(map_get(map, "nothing yet"));
    assert_false(map_remove(map, "nothing yet"));
    for (int i = 0; i < MANY; i++) {
        assert_true(map_put(map, number_key(i), &values[i]));
    }
    assert_int_equal(map_count(map), MANY);
    for (int i = 0; i < MANY; i++) {
        assert_ptr_equal(map_get(map, number_key(i)), &values[i]);
    }
    assert_null(map_get(map, ""));
    assert_null(map_get(map, "key-"));
}

static void it_survives_much_coming_and_going(void **) {
    cleanup_map struct map *map = map_create(nullptr);
    int values[MANY];
    for (int round = 0; round < 20; round++) {
        for (int i = round; i < round + 200; i++) {
            assert_true(map_put(map, number_key(i), &values[i]));
        }
        for (int i = round; i < round + 200; i += 2) {
            assert_true(map_remove(map, number_key(i)));
            assert_false(map_remove(map, number_key(i)));
            assert_null(map_get(map, number_key(i)));
        }
        for (int i = round + 1; i < round + 200; i += 2) {
            assert_ptr_equal(map_get(map, number_key(i)), &values[i]);
        }
    }
    size_t left = map_count(map);
    size_t seen = 0;
    const char *key;
    void *value;
    for (size_t position = 0; map_next(map, &position, &key, &value); seen++) {
        assert_ptr_equal(map_get(map, key), value);
    }
    assert_int_equal(seen, left);
}

static int freed;

static void count_free(void *value) {
    freed++;
    memory_free(value);
}

static void it_owns_its_values(void **) {
    freed = 0;
    struct map *map = map_create(count_free);
    assert_true(map_put(map, "a", memory_copy_text("1")));
    assert_true(map_put(map, "a", memory_copy_text("2")));
    assert_int_equal(freed, 1);
    assert_string_equal(map_get(map, "a"), "2");
    assert_int_equal(map_count(map), 1);
    assert_true(map_put(map, "b", memory_copy_text("3")));
    assert_true(map_remove(map, "a"));
    assert_int_equal(freed, 2);
    map_free(map);
    assert_int_equal(freed, 3);
    map_free(nullptr);
}

static void entries_may_be_removed_while_going_through(void **) {
    cleanup_map struct map *map = map_create(nullptr);
    bool visited[MANY] = {0};
    for (int i = 0; i < MANY; i++) {
        assert_true(map_put(map, number_key(i), &visited[i]));
    }
    const char *key;
    void *value;
    for (size_t position = 0; map_next(map, &position, &key, &value);) {
        bool *mine = value;
        assert_false(*mine);
        *mine = true;
        assert_true(map_remove(map, key));
    }
    assert_int_equal(map_count(map), 0);
    for (int i = 0; i < MANY; i++) {
        assert_true(visited[i]);
    }
}

static void the_key_is_copied(void **) {
    cleanup_map struct map *map = map_create(nullptr);
    char key[] = "mine";
    assert_true(map_put(map, key, key));
    key[0] = 'X';
    assert_ptr_equal(map_get(map, "mine"), key);
    assert_null(map_get(map, key));
}

static void out_of_memory_leaves_it_as_it_was(void **) {
    freed = 0;
    struct map *map = map_create(count_free);
    for (int i = 0; i < 300; i++) {
        char *value = memory_copy_text("value");
        int failures = 0;
        for (memory_left = 0; !map_put(map, number_key(i), value); memory_left = ++failures) {
            assert_int_equal(freed, 0);
            assert_int_equal(map_count(map), i);
            assert_null(map_get(map, number_key(i)));
        }
        memory_left = -1;
        assert_in_range(failures, 1, 2);
        assert_ptr_equal(map_get(map, number_key(i)), value);
    }
    memory_left = 0;
    assert_true(map_put(map, number_key(7), nullptr)); // replacing needs no memory
    memory_left = -1;
    assert_int_equal(freed, 1);
    map_free(map);
    memory_left = 0;
    assert_null(map_create(nullptr));
    memory_left = -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_finds_what_was_put), cmocka_unit_test(it_survives_much_coming_and_going),
        cmocka_unit_test(it_owns_its_values),    cmocka_unit_test(entries_may_be_removed_while_going_through),
        cmocka_unit_test(the_key_is_copied),     cmocka_unit_test(out_of_memory_leaves_it_as_it_was),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
