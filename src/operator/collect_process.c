#include "operator/collect_process.h"

#include "base/file.h"
#include "operator/metrics_list.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { STATM_MAX = 256 };

static double seconds_of(struct timeval time) {
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

// The process's own files: one for each open descriptor, less the one that reads them.
static void collect_descriptors(struct metrics *metrics) {
    DIR *folder = opendir("/proc/self/fd");
    if (folder == nullptr) {
        return;
    }
    double count = -1;
    for (const struct dirent *file; (file = readdir(folder)) != nullptr;) {
        count += file->d_name[0] != '.';
    }
    closedir(folder);
    metrics_set(metrics, &metric_process_open_fds, "", count);
}

// proc(5): statm begins with the pages that are mapped, and those that are in RAM.
static void collect_memory(struct metrics *metrics) {
    cleanup_buffer struct buffer text = buffer_create(STATM_MAX);
    struct error ignored;
    if (!file_read("/proc/self/statm", &text, &ignored)) {
        return;
    }
    char *rest;
    double page = (double)sysconf(_SC_PAGESIZE);
    double mapped = (double)strtoull(buffer_text(&text), &rest, 10);
    double resident = (double)strtoull(rest, nullptr, 10);
    metrics_set(metrics, &metric_process_virtual_memory_bytes, "", mapped * page);
    metrics_set(metrics, &metric_process_resident_memory_bytes, "", resident * page);
}

void collect_process(int64_t started, struct metrics *metrics) {
    struct rusage usage;
    struct rlimit files;
    metrics_set(metrics, &metric_process_start_time_seconds, "", (double)started);
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        metrics_set(metrics, &metric_process_cpu_seconds_total, "",
                    seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        metrics_set(metrics, &metric_process_max_fds, "", (double)files.rlim_cur);
    }
    collect_descriptors(metrics);
    collect_memory(metrics);
}
