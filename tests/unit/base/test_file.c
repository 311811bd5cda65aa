#include "base/file.h"

#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// A new file of length letters; path ends in XXXXXX, which is replaced.
static void make_file(char *path, size_t length) {
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    for (size_t i = 0; i < length; i++) {
        fputc('a' + (int)(i % 26), file);
    }
    fclose(file);
}

static void a_file_is_read_whole(void **) {
    static const size_t lengths[] = {0, 1, 4095, 4096, 4097, 100000};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        char path[] = "/tmp/qubesec-file-XXXXXX";
        struct error e;
        cleanup_buffer struct buffer content = buffer_create(lengths[i]); // it just fits
        make_file(path, lengths[i]);
        must(file_read(path, &content, &e), e);
        unlink(path);
        assert_int_equal(content.length, lengths[i]);
        assert_true(lengths[i] == 0 ||
                    content.data[lengths[i] - 1] == (char)('a' + (int)((lengths[i] - 1) % 26)));
    }
}

static void a_file_that_is_too_long_is_refused(void **) {
    char path[] = "/tmp/qubesec-file-XXXXXX";
    struct error e;
    cleanup_buffer struct buffer content = buffer_create(5000);
    make_file(path, 5001);
    must_fail(file_read(path, &content, &e), e, ERROR_IO, "longer than 5000 bytes");
    unlink(path);
}

static void what_cannot_be_read_is_named(void **) {
    struct error e;
    cleanup_buffer struct buffer content = buffer_create(10);
    must_fail(file_read("/nowhere/at/all", &content, &e), e, ERROR_IO, "/nowhere/at/all: No such file");
    must_fail(file_read("/tmp", &content, &e), e, ERROR_IO, "/tmp: Is a directory");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_whole),
        cmocka_unit_test(a_file_that_is_too_long_is_refused),
        cmocka_unit_test(what_cannot_be_read_is_named),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
