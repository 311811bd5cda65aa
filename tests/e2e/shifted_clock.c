// A library to be loaded before a program's others, for clocks of its own:
// - The wall clock is off by SHIFTED_CLOCK_SECONDS. TLS, which asks time(2), goes on as ever.
// - The monotonic clock, by which the loop thread's deadlines are measured, is ahead by as many seconds as
// the
//   file SHIFTED_CLOCK_FILE says at that moment, an int64_t. A second one says how many more it would be if
//   the clock went on while the machine sleeps, as the one does by which a Lease is. A thread that waits on a
//   condition is woken by the kernel's clock, though.
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const _Atomic int64_t nothing[2];
static const _Atomic int64_t *ahead = nothing;

[[gnu::constructor]] static void map_file(void) {
    const char *path = getenv("SHIFTED_CLOCK_FILE");
    int file = path == nullptr ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        void *mapped = mmap(nullptr, sizeof(nothing), PROT_READ, MAP_SHARED, file, 0);
        ahead = mapped == MAP_FAILED ? nothing : mapped;
        (void)close(file);
    }
}

int clock_gettime(clockid_t clock, struct timespec *ret_time) {
    const char *shift = getenv("SHIFTED_CLOCK_SECONDS");
    int result = (int)syscall(SYS_clock_gettime, clock, ret_time);
    if (clock == CLOCK_REALTIME && shift != nullptr) {
        ret_time->tv_sec += strtol(shift, nullptr, 10);
    }
    if (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_MONOTONIC_RAW) {
        ret_time->tv_sec += atomic_load(&ahead[0]);
    } else if (clock == CLOCK_BOOTTIME) {
        ret_time->tv_sec += atomic_load(&ahead[0]) + atomic_load(&ahead[1]);
    }
    return result;
}
