// Runs a fuzz target over every file of a folder: what libFuzzer found or somebody thought of stays a test of
// every build. A folder without files is a failure, since nothing would be tested.
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_plain(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

// Each input lies in a block of its very size, so that a sanitizer sees a read beyond its end.
static void run(int folder, const char *name, size_t *count) {
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    struct stat status;
    CHECK(fd >= 0 && fstat(fd, &status) == 0);
    if (S_ISREG(status.st_mode)) {
        size_t size = (size_t)status.st_size;
        uint8_t *input = malloc(size);
        CHECK((input != nullptr || size == 0) && read(fd, input, size) == (ssize_t)size);
        (void)printf("%s\n", name); // the last one that is named is the one that fails
        (void)fflush(stdout);
        (void)LLVMFuzzerTestOneInput(input, size);
        free(input);
        (*count)++;
    }
    close(fd);
}

int main(int argc, char **argv) {
    struct dirent **entries = nullptr;
    size_t count = 0;
    int folder = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int found = folder < 0 ? -1 : scandirat(folder, ".", &entries, is_plain, alphasort);
    for (int i = 0; i < found; i++) {
        run(folder, entries[i]->d_name, &count);
        free(entries[i]);
    }
    free(entries);
    if (folder >= 0) {
        close(folder);
    }
    (void)fprintf(stderr, "%zu inputs of %s\n", count, argc == 2 ? argv[1] : "nowhere: name one folder");
    return count > 0 ? 0 : 1;
}
