#include "base/cpu_count.h"

#include "base/file.h"

#include <sched.h>
#include <stdlib.h>

enum { CPU_MAX_LENGTH = 64 };

unsigned cpu_count_within(unsigned cores, const char *cpu_max) {
    char *end;
    unsigned long quota = strtoul(cpu_max, &end, 10);
    unsigned long period = end == cpu_max ? 0 : strtoul(end, nullptr, 10);
    if (quota == 0 || period == 0) {
        return cores;
    }
    unsigned long allowed = quota / period + (quota % period == 0 ? 0 : 1);
    return allowed < cores ? (unsigned)allowed : cores;
}

unsigned cpu_count(void) {
    cpu_set_t mask;
    struct error ignored;
    cleanup_buffer struct buffer cpu_max = buffer_create(CPU_MAX_LENGTH);
    unsigned cores = sched_getaffinity(0, sizeof(mask), &mask) == 0 ? (unsigned)CPU_COUNT(&mask) : 1;
    if (!file_read("/sys/fs/cgroup/cpu.max", &cpu_max, &ignored)) { // cgroup v1, or not in one of its own
        return cores;
    }
    return cpu_count_within(cores, buffer_text(&cpu_max));
}
