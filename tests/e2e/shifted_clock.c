// A library to be loaded before a program's others: the program's own wall clock is off by
// SHIFTED_CLOCK_SECONDS. TLS, which asks time(2), and all deadlines, which are measured by CLOCK_MONOTONIC,
// go on as ever.
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *ret_time) {
    const char *shift = getenv("SHIFTED_CLOCK_SECONDS");
    int result = (int)syscall(SYS_clock_gettime, clock, ret_time);
    if (clock == CLOCK_REALTIME && shift != nullptr) {
        ret_time->tv_sec += strtol(shift, nullptr, 10);
    }
    return result;
}
