// Allocation-failure torture: every unit test program is linked with this, and run by it when QUBESEC_TORTURE
// says how many allocations of a test are to fail. Each test is run once to see which allocations it makes,
// then again and again in a child process, each time with one of them failing. A test may fail then, as it
// asserts success. It must not crash, hang, set off a sanitizer, leak although it passed, accept what it must
// refuse, or take the failure for something else than lack of memory.
//
// All of the program's memory comes through malloc and calloc in base/memory.c and mmap in base/secret.c;
// these calls are wrapped by the linker. Allocations that a test makes for itself never fail: who asked is
// seen by the first frame of the call stack that is neither in a library nor in the code that hands memory
// on. Reading the stack needs the sanitizer's symbolizer, so only the ASan build can do this.
#include "torture.h"

#include <errno.h>
#include <execinfo.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    FRAMES_MAX = 64,
    PLACES_MAX = 1 << 18, // allocations of one test that are told apart
    KNOWN_MAX = 1 << 16,  // addresses of code that were looked up, a power of two
    HANG_SECONDS = 60,
    SHOWN = 3000, // bytes of what a faulty run printed
};

enum origin { ORIGIN_UNKNOWN, ORIGIN_PASSED_ON, ORIGIN_TEST, ORIGIN_PROGRAM };
enum mode { MODE_OFF, MODE_COUNT, MODE_FAIL };

// How a child ends. A sanitizer's report ends it with SANITIZER (see __asan_default_options).
// cmocka's own end is FAILED_IN_THREAD where a test's other thread finds something wrong.
enum verdict { PASSED, FAILED, SPARED, LEAKED, MISTOLD, ACCEPTED, SANITIZER = 99, FAILED_IN_THREAD = 255 };

// Shared by the program and its children.
struct shared {
    atomic_long count;                    // allocations of the present run
    _Atomic(uint64_t) places[PLACES_MAX]; // call stack of each of them; 0: the test's own
    struct {
        _Atomic(uintptr_t) address;
        _Atomic(enum origin) origin;
    } known[KNOWN_MAX];
    int depth; // of the call stack that the failing allocation came from
    void *frames[FRAMES_MAX];
    atomic_int noted; // a verdict, or 0
    char told[ERROR_MESSAGE_SIZE + 200];
};

static struct shared *shared;
static enum mode mode;
static long failing; // in MODE_FAIL: the number of the allocation that fails, from 0

// The sanitizers' own, absent in other builds.
[[gnu::weak]] void __sanitizer_symbolize_pc(void *address, const char *format, char *text, size_t size);
[[gnu::weak]] int __lsan_do_recoverable_leak_check(void);
[[gnu::weak]] void __sanitizer_set_report_path(const char *path);

// A crash is the sanitizer's to report, not cmocka's to catch.
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "handle_segv=2:handle_sigbus=2:handle_sigill=2:handle_sigfpe=2:exitcode=99";
}

// ---- who asks

static bool ends_in_one_of(const char *text, const char *const *ends) {
    size_t length = strlen(text);
    for (; *ends != nullptr; ends++) {
        size_t end = strlen(*ends);
        if (length >= end && strcmp(text + length - end, *ends) == 0) {
            return true;
        }
    }
    return false;
}

static enum origin look_up(void *address) {
    static const char *const passing_on[] = {
        "base/memory.c",     "base/secret.c", "base/short_memory.h", "crypto/openssl.c", "json/allocator.c",
        "torture/torture.c", nullptr};
    char path[1000] = "";
    __sanitizer_symbolize_pc(address, "%s", path, sizeof(path)); // as -ffile-prefix-map made it
    const char *file = strncmp(path, "./", 2) == 0 ? path + 2 : path;
    if (ends_in_one_of(file, passing_on)) {
        return ORIGIN_PASSED_ON;
    }
    if (strncmp(file, "tests/", 6) == 0) {
        return ORIGIN_TEST;
    }
    return strncmp(file, "src/", 4) == 0 ? ORIGIN_PROGRAM : ORIGIN_PASSED_ON;
}

static enum origin origin_of(void *return_address) {
    uintptr_t address = (uintptr_t)return_address - 1; // in the call, not behind it
    for (size_t i = address % KNOWN_MAX;; i = (i + 1) % KNOWN_MAX) {
        uintptr_t there = atomic_load(&shared->known[i].address);
        if (there == 0) {
            enum origin origin = look_up((void *)address);
            atomic_store(&shared->known[i].origin, origin);
            uintptr_t empty = 0;
            if (atomic_compare_exchange_strong(&shared->known[i].address, &empty, address)) {
                return origin;
            }
            there = empty;
        }
        if (there == address) {
            return atomic_load(&shared->known[i].origin);
        }
    }
}

// A number for the call stack, 0 when it is the test that asks.
static uint64_t find_place(void) {
    void *frames[FRAMES_MAX];
    int depth = backtrace(frames, FRAMES_MAX);
    uint64_t place = 0xcbf29ce484222325;
    enum origin origin = ORIGIN_PASSED_ON;
    for (int i = 1; i < depth; i++) {
        if (origin == ORIGIN_PASSED_ON) {
            origin = origin_of(frames[i]);
        }
        place = (place ^ (uintptr_t)frames[i]) * 0x100000001b3;
    }
    return origin == ORIGIN_PROGRAM ? place | 1 : 0;
}

// ---- one run

static bool must_fail_now(void) {
    if (mode == MODE_OFF) {
        return false;
    }
    long number = atomic_fetch_add(&shared->count, 1);
    if (mode == MODE_COUNT) {
        if (number < PLACES_MAX) {
            atomic_store(&shared->places[number], find_place());
        }
        return false;
    }
    if (number != failing) {
        return false;
    }
    if (find_place() == 0) {
        _exit(SPARED);
    }
    shared->depth = backtrace(shared->frames, FRAMES_MAX);
    errno = ENOMEM;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_mmap(void *address, size_t length, int protection, int flags, int file, off_t offset);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_mmap(void *address, size_t length, int protection, int flags, int file, off_t offset);

void *__wrap_malloc(size_t size) {
    return must_fail_now() ? nullptr : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return must_fail_now() ? nullptr : __real_calloc(count, size);
}

void *__wrap_mmap(void *address, size_t length, int protection, int flags, int file, off_t offset) {
    return must_fail_now() ? MAP_FAILED : __real_mmap(address, length, protection, flags, file, offset);
}

static atomic_bool own_lack; // the test lets memory run out by itself

void torture_note_own_lack(void) {
    atomic_store(&own_lack, true);
}

static void note(enum verdict verdict, const char *call, const struct error *e) {
    int none = 0;
    if (mode == MODE_FAIL && !atomic_load(&own_lack) && atomic_load(&shared->count) > failing &&
        atomic_compare_exchange_strong(&shared->noted, &none, (int)verdict)) {
        snprintf(shared->told, sizeof(shared->told), "%s: %s: %s", call,
                 e == nullptr ? "succeeded" : error_class_name(e->class), e == nullptr ? "" : e->message);
    }
}

// cmocka ends a test that fails on another thread than its own with exit(), in the middle of what other
// threads do, which may never come to an end.
static void end_in_thread(void) {
    if (mode == MODE_FAIL && gettid() != getpid()) {
        int noted = atomic_load(&shared->noted);
        _exit(noted != 0 ? noted : FAILED);
    }
}

void torture_note_failure(const char *call, const struct error *e) {
    // libcurl does not always tell, as of a name that it could not look up; what may succeed later is right,
    // too.
    if (e->class != ERROR_NO_MEMORY && e->class != ERROR_RETRYABLE) {
        note(MISTOLD, call, e);
    }
    end_in_thread();
}

void torture_note_wrong(const char *call, const struct error *e) {
    if (e == nullptr) {
        note(ACCEPTED, call, e);
        end_in_thread();
    } else {
        torture_note_failure(call, e);
    }
}

int __real__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                                   CMFixtureFunction setup, CMFixtureFunction teardown);
int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                                   CMFixtureFunction setup, CMFixtureFunction teardown);

struct group {
    const char *name;
    CMFixtureFunction setup;
    CMFixtureFunction teardown;
};

[[noreturn]] static void run_child(const struct group *group, const struct CMUnitTest *test, int output) {
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    __sanitizer_set_report_path("stderr"); // it is the torture that judges
    alarm(HANG_SECONDS);
    int failed = __real__cmocka_run_group_tests(group->name, test, 1, group->setup, group->teardown);
    mode = mode == MODE_FAIL ? MODE_OFF : mode;
    fflush(nullptr);
    if (atomic_load(&shared->noted) != 0) {
        _exit(atomic_load(&shared->noted));
    }
    _exit(failed != 0 ? FAILED : __lsan_do_recoverable_leak_check() != 0 ? LEAKED : PASSED);
}

// Runs the test in a child; its wait status. What it prints is in the file then, from its beginning.
static int run_once(const struct group *group, const struct CMUnitTest *test, FILE *output) {
    atomic_store(&shared->count, 0);
    atomic_store(&shared->noted, 0);
    shared->depth = 0;
    rewind(output);
    (void)!ftruncate(fileno(output), 0);
    fflush(stdout); // or the child would print it, too
    pid_t child = fork();
    if (child == 0) {
        run_child(group, test, fileno(output));
    }
    int status;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            abort();
        }
    }
    return status;
}

// ---- all runs

// Whether it was the test itself that crashed, on something that it was not given: the innermost frame that
// is ours is its own.
static bool test_has_crashed(FILE *output) {
    char line[1000];
    rewind(output);
    while (fgets(line, sizeof(line), output) != nullptr) {
        bool is_frame = strncmp(line, "    #", 5) == 0;
        if (is_frame && strstr(line, " tests/") != nullptr) {
            return true;
        }
        if (is_frame && strstr(line, " src/") != nullptr) {
            return false;
        }
    }
    return false;
}

struct totals {
    size_t most; // allocations of a test to fail
    long failed_allocations;
    long failed_tests; // how many of them failed the test
    long faults;
};

static void show(const char *test, long number, int status, FILE *output) {
    static const char *const names[] = {[LEAKED] = "passed, and leaked",
                                        [MISTOLD] = "took it for something else",
                                        [ACCEPTED] = "accepted what it must refuse",
                                        [SANITIZER] = "a sanitizer's report"};
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    bool has_name = code >= 0 && code <= SANITIZER && names[code] != nullptr;
    printf("%s: allocation %ld failed: ", test, number);
    if (WIFSIGNALED(status)) {
        printf("%s\n", WTERMSIG(status) == SIGALRM ? "hung" : strsignal(WTERMSIG(status)));
    } else {
        printf("%s (%d) %s\n", has_name ? names[code] : "ended", code,
               atomic_load(&shared->noted) != 0 ? shared->told : "");
    }
    for (int i = 0; i < shared->depth; i++) {
        char frame[500] = "";
        __sanitizer_symbolize_pc((char *)shared->frames[i] - 1, "%f %s:%l", frame, sizeof(frame));
        printf("    in %s\n", frame);
    }
    char text[SHOWN + 1];
    rewind(output);
    size_t length = fread(text, 1, SHOWN, output);
    printf("%.*s\n", (int)length, text);
}

// The numbers of the allocations to fail: of each call stack that asked the first one; if these are more than
// most, so many of them, spread evenly. Returns how many.
static size_t choose(long count, size_t most, long *chosen) {
    size_t found = 0;
    for (long i = 0; i < count; i++) {
        uint64_t place = atomic_load(&shared->places[i]);
        bool is_new = place != 0;
        for (size_t j = 0; is_new && j < found; j++) {
            is_new = atomic_load(&shared->places[chosen[j]]) != place;
        }
        if (is_new) {
            chosen[found++] = i;
        }
    }
    size_t taken = found < most ? found : most;
    for (size_t i = 0; i < taken; i++) {
        chosen[i] = chosen[i * found / taken];
    }
    return taken;
}

static void torture_test(const struct group *group, const struct CMUnitTest *test, FILE *output,
                         struct totals *totals) {
    static long chosen[PLACES_MAX];
    mode = MODE_COUNT;
    int status = run_once(group, test, output);
    long count = atomic_load(&shared->count);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != PASSED) {
        show(test->name, -1, status, output);
        totals->faults++;
        return;
    }
    size_t taken = choose(count < PLACES_MAX ? count : PLACES_MAX, totals->most, chosen);
    mode = MODE_FAIL;
    for (size_t i = 0; i < taken; i++) {
        failing = chosen[i];
        status = run_once(group, test, output);
        int code = WIFEXITED(status) ? WEXITSTATUS(status) : SANITIZER;
        bool is_own = code == FAILED_IN_THREAD || (code == SANITIZER && test_has_crashed(output));
        code = is_own ? FAILED : code;
        totals->failed_allocations += code != SPARED;
        totals->failed_tests += code == FAILED;
        if (code > SPARED) {
            show(test->name, failing, status, output);
            totals->faults++;
        }
    }
}

static int torture_group(const struct group *group, const struct CMUnitTest *tests, size_t count,
                         const char *most) {
    struct totals totals = {.most = strtoul(most, nullptr, 10)};
    FILE *output = tmpfile();
    shared = __real_mmap(nullptr, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (output == nullptr || shared == MAP_FAILED) {
        perror("torture");
        return 1;
    }
    void *frame;
    (void)backtrace(&frame, 1); // loads what it needs
    (void)origin_of((char *)&torture_group + 1);
    for (size_t i = 0; i < count; i++) {
        struct totals before = totals;
        torture_test(group, &tests[i], output, &totals);
        printf("%s: %ld allocations failed, %ld faults\n", tests[i].name,
               totals.failed_allocations - before.failed_allocations, totals.faults - before.faults);
        fflush(stdout);
    }
    printf("torture: %zu tests, %ld allocations failed, which failed the test %ld times, %ld faults\n", count,
           totals.failed_allocations, totals.failed_tests, totals.faults);
    fclose(output);
    return totals.faults == 0 ? 0 : 1;
}

int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                                   CMFixtureFunction setup, CMFixtureFunction teardown) {
    const char *most = getenv("QUBESEC_TORTURE");
    if (most == nullptr || __sanitizer_symbolize_pc == nullptr) {
        return __real__cmocka_run_group_tests(name, tests, count, setup, teardown);
    }
    return torture_group(&(struct group){name, setup, teardown}, tests, count, most);
}
