#include "../base/check.h"

#include "kube/object_key.h"

#include <string.h>

static const struct kube_resource things = {"example.com", "v1", "Thing", "things"};

static void text_is(const char *namespace, const char *name, const char *expected) {
    char text[OBJECT_KEY_TEXT_SIZE];
    object_key_format(&(struct object_key){&things, namespace, name}, text);
    assert_string_equal(text, expected);
}

static void it_is_written_as_people_know_it(void **) {
    text_is("ns", "a", "things/ns/a");
    text_is("", "a", "things//a");
}

static void the_longest_fits(void **) {
    char plural[64] = {0};
    char namespace[64] = {0};
    char name[254] = {0};
    char text[OBJECT_KEY_TEXT_SIZE];
    memset(plural, 'p', sizeof(plural) - 1);
    memset(namespace, 's', sizeof(namespace) - 1);
    memset(name, 'n', sizeof(name) - 1);
    const struct kube_resource longest = {.plural = plural};
    object_key_format(&(struct object_key){&longest, namespace, name}, text);
    assert_int_equal(strlen(text), 63 + 1 + 63 + 1 + 253);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_written_as_people_know_it),
        cmocka_unit_test(the_longest_fits),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
