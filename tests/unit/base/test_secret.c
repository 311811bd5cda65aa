#include "check.h"

#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void a_new_secret_is_zero(void **) {
    struct error e;
    cleanup_secret struct secret *secret = nullptr;
    must(secret_create(100000, &secret, &e), e);
    assert_int_equal(secret_length(secret), 100000);
    for (size_t i = 0; i < 100000; i++) {
        assert_int_equal(secret_view(secret)[i], 0);
    }
    memset(secret_bytes(secret), 0xff, 100000); // all of it is there
}

static void a_copy_holds_the_bytes(void **) {
    struct error e;
    cleanup_secret struct secret *secret = nullptr;
    must(secret_copy("\x00\x01key", 5, &secret, &e), e);
    assert_int_equal(secret_length(secret), 5);
    assert_memory_equal(secret_view(secret), "\x00\x01key", 5);
}

static void an_empty_secret_is_one_too(void **) {
    struct error e;
    cleanup_secret struct secret *secret = nullptr;
    must(secret_copy(nullptr, 0, &secret, &e), e);
    assert_int_equal(secret_length(secret), 0);
    assert_true(secret_equals(secret, "", 0));
    secret_free(nullptr);
}

static void too_large_a_secret_is_refused(void **) {
    struct error e;
    struct secret *secret = nullptr;
    must(secret_create(16 * 1024 * 1024, &secret, &e), e);
    secret_free(secret);
    secret = nullptr;
    must_fail(secret_create(16 * 1024 * 1024 + 1, &secret, &e), e, ERROR_INTERNAL, "limit");
    assert_null(secret);
    must_fail(secret_copy("x", SIZE_MAX, &secret, &e), e, ERROR_INTERNAL, "limit");
    assert_null(secret);
}

static void equality_is_of_length_and_every_byte(void **) {
    struct error e;
    cleanup_secret struct secret *secret = nullptr;
    must(secret_copy("0123456789", 10, &secret, &e), e);
    assert_true(secret_equals(secret, "0123456789", 10));
    assert_false(secret_equals(secret, "0123456789", 9));
    assert_false(secret_equals(secret, "0123456789\0", 11));
    for (size_t i = 0; i < 10; i++) {
        char other[] = "0123456789";
        other[i] = (char)(other[i] ^ 0x80);
        assert_false(secret_equals(secret, other, 10));
    }
}

static void shortening_cleanses_the_rest(void **) {
    struct error e;
    cleanup_secret struct secret *secret = nullptr;
    must(secret_copy("keep-drop", 9, &secret, &e), e);
    secret_shorten(secret, 5);
    assert_int_equal(secret_length(secret), 5);
    assert_memory_equal(secret_view(secret), "keep-\0\0\0\0", 9);
    secret_shorten(secret, 7); // does not make it longer
    assert_int_equal(secret_length(secret), 5);
}

// The pages of one that is gone may serve the next one, which finds nothing in them.
static void nothing_is_left_for_the_next_one(void **) {
    struct error e;
    secret_keep_mappings();
    for (size_t length = 1; length < 100000; length *= 3) {
        struct secret *secrets[20];
        for (int i = 0; i < 20; i++) {
            must(secret_create(length, &secrets[i], &e), e);
            for (size_t k = 0; k < length; k++) {
                assert_int_equal(secret_view(secrets[i])[k], 0);
            }
            memset(secret_bytes(secrets[i]), 0xff, length);
        }
        for (int i = 0; i < 20; i++) {
            secret_free(secrets[i]);
        }
    }
}

static void a_fork_does_not_inherit_it(void **) {
    struct error e;
    cleanup_secret struct secret *secret = nullptr;
    must(secret_copy("inherited", 9, &secret, &e), e);
    const uint8_t *bytes = secret_view(secret);
    pid_t child = fork();
    if (child == 0) {
        _exit(memcmp(bytes, "\0\0\0\0\0\0\0\0\0", 9) == 0 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_memory_equal(bytes, "inherited", 9);
}

// The flags of the mapping that holds address, from /proc/self/smaps; "" if they are not there.
static void read_flags(const void *address, char flags[512]) {
    FILE *file = fopen("/proc/self/smaps", "re");
    assert_non_null(file);
    char line[512];
    bool inside = false;
    flags[0] = '\0';
    while (flags[0] == '\0' && fgets(line, sizeof(line), file) != nullptr) {
        char *rest;
        unsigned long from = strtoul(line, &rest, 16);
        if (rest != line && *rest == '-') { // the head of a mapping: "from-to ..."
            unsigned long to = strtoul(rest + 1, nullptr, 16);
            inside = (uintptr_t)address >= from && (uintptr_t)address < to;
        }
        if (inside && strncmp(line, "VmFlags:", 8) == 0) {
            memcpy(flags, line, sizeof(line));
        }
    }
    assert_int_equal(fclose(file), 0);
}

static void it_is_left_out_of_core_dumps(void **) {
    struct error e;
    char flags[512];
    cleanup_secret struct secret *secret = nullptr;
    must(secret_create(32, &secret, &e), e);
    read_flags(secret_view(secret), flags);
    if (flags[0] == '\0') {
        skip(); // no smaps in this kernel
    }
    assert_non_null(strstr(flags, " dd")); // VM_DONTDUMP
    assert_non_null(strstr(flags, " wf")); // VM_WIPEONFORK
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_secret_is_zero),
        cmocka_unit_test(a_copy_holds_the_bytes),
        cmocka_unit_test(an_empty_secret_is_one_too),
        cmocka_unit_test(too_large_a_secret_is_refused),
        cmocka_unit_test(equality_is_of_length_and_every_byte),
        cmocka_unit_test(shortening_cleanses_the_rest),
        cmocka_unit_test(nothing_is_left_for_the_next_one),
        cmocka_unit_test(a_fork_does_not_inherit_it),
        cmocka_unit_test(it_is_left_out_of_core_dumps),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
