#include "../base/check.h"

#include "reconcile/reconcile_id.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void ids_are_sixteen_digits_and_all_different(void **) {
    char ids[100][RECONCILE_ID_SIZE];
    for (size_t i = 0; i < 100; i++) {
        reconcile_id_next(ids[i]);
        assert_int_equal(strspn(ids[i], "0123456789abcdef"), RECONCILE_ID_SIZE - 1);
        assert_int_equal(strlen(ids[i]), RECONCILE_ID_SIZE - 1);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(ids[i], ids[j]);
        }
    }
}

// The first id of a process that has not made any.
static void first_of_a_process(char ret_id[RECONCILE_ID_SIZE]) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        char id[RECONCILE_ID_SIZE];
        reconcile_id_next(id);
        _exit(write(ends[1], id, sizeof(id)) == sizeof(id) ? 0 : 1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], ret_id, RECONCILE_ID_SIZE), RECONCILE_ID_SIZE);
    close(ends[0]);
    assert_int_equal(waitpid(child, nullptr, 0), child);
}

static void other_processes_count_elsewhere(void **) {
    char one[RECONCILE_ID_SIZE];
    char other[RECONCILE_ID_SIZE];
    first_of_a_process(one);
    first_of_a_process(other);
    assert_string_not_equal(one, other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_processes_count_elsewhere), // before this process has made any
        cmocka_unit_test(ids_are_sixteen_digits_and_all_different),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
