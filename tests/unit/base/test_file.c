#include "base/file.h"

#include "check.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

static size_t count_files(const char *folder) {
    DIR *files = opendir(folder);
    size_t count = 0;
    assert_non_null(files);
    for (const struct dirent *file; (file = readdir(files)) != nullptr;) {
        count += file->d_name[0] != '.';
    }
    closedir(files);
    return count;
}

static void assert_mode(const char *path, mode_t mode) {
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, mode);
}

static void a_file_is_replaced_whole_and_for_its_owner_alone(void **) {
    char folder[] = "/tmp/qubesec-folder-XXXXXX";
    char path[100];
    struct error e;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/a/b", folder);
    must(file_make_folder(path, &e), e);
    must(file_make_folder(path, &e), e); // it is there
    assert_mode(path, 0700);
    snprintf(path, sizeof(path), "%s/a/b/file", folder);
    static const char *const contents[] = {"one", "", "three"};
    for (size_t i = 0; i < 3; i++) {
        cleanup_buffer struct buffer content = buffer_create(10);
        must(file_replace(path, contents[i], strlen(contents[i]), &e), e);
        must(file_read(path, &content, &e), e);
        assert_string_equal(buffer_text(&content), contents[i]);
        assert_mode(path, 0600);
    }
    snprintf(path, sizeof(path), "%s/a/b", folder);
    assert_int_equal(count_files(path), 1);
    // What cannot be written leaves nothing.
    must_fail(file_replace(path, "x", 1, &e), e, ERROR_IO, "/a/b: ");
    snprintf(path, sizeof(path), "%s/a", folder);
    assert_int_equal(count_files(path), 1);
    snprintf(path, sizeof(path), "%s/none/file", folder);
    must_fail(file_replace(path, "x", 1, &e), e, ERROR_IO, "/none/file: No such file");
    snprintf(path, sizeof(path), "%s/a/b/file/under", folder);
    must_fail(file_make_folder(path, &e), e, ERROR_IO, "Not a directory");
    static const char *const parts[] = {"/a/b/file", "/a/b", "/a", ""};
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s%s", folder, parts[i]);
        assert_int_equal(remove(path), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_whole),
        cmocka_unit_test(a_file_that_is_too_long_is_refused),
        cmocka_unit_test(what_cannot_be_read_is_named),
        cmocka_unit_test(a_file_is_replaced_whole_and_for_its_owner_alone),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
