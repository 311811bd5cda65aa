#include "operator/gauges.h"

#include "base/file.h"
#include "operator/expiry.h"
#include "operator/metrics_list.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LABELS_SIZE = 256, STATM_MAX = 256 };

struct measurement {
    const struct indexes *indexes;
    struct metrics *metrics;
};

static void set_objects(struct metrics *metrics, const char *kind, const char *status, size_t count) {
    char labels[LABELS_SIZE];
    snprintf(labels, sizeof(labels), "kind=\"%s\",status=\"%s\"", kind, status);
    metrics_set(metrics, &metric_objects, labels, (double)count);
}

// What has no status yet is Unknown.
static void measure_kind(void *context, const char *kind, size_t count) {
    static const char *const statuses[] = {"Pending", "Success", "Valid", "Invalid", "Failed"};
    const struct measurement *measurement = context;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        size_t in_status = indexes_count_status(measurement->indexes, kind, statuses[i]);
        set_objects(measurement->metrics, kind, statuses[i], in_status);
        count -= in_status < count ? in_status : count; // the store may change meanwhile
    }
    set_objects(measurement->metrics, kind, "Unknown", count);
}

static void measure_informer(void *context, const struct informer_state *state) {
    const struct measurement *measurement = context;
    char labels[LABELS_SIZE];
    const char *namespace = state->namespace;
    snprintf(labels, sizeof(labels), "%s%s%sresource=\"%s\"", namespace == nullptr ? "" : "namespace=\"",
             namespace == nullptr ? "" : namespace, namespace == nullptr ? "" : "\",", state->resource);
    metrics_set(measurement->metrics, &metric_watch_silence_seconds, labels,
                (double)state->silence_ms / 1000);
}

static double seconds_of(struct timeval time) {
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

// The process's own files: one for each open descriptor, less the one that reads them.
static void measure_descriptors(struct metrics *metrics) {
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
static void measure_memory(struct metrics *metrics) {
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

static void measure_process(struct metrics *metrics) {
    struct rusage usage;
    struct rlimit files;
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        metrics_set(metrics, &metric_process_cpu_seconds_total, "",
                    seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        metrics_set(metrics, &metric_process_max_fds, "", (double)files.rlim_cur);
    }
    measure_descriptors(metrics);
    measure_memory(metrics);
}

void gauges_measure(const struct informers *informers, const struct indexes *indexes, int64_t started,
                    struct metrics *metrics) {
    struct measurement measurement = {.indexes = indexes, .metrics = metrics};
    metrics_clear(metrics, &metric_watch_silence_seconds);
    indexes_count(indexes, measure_kind, &measurement);
    informers_describe(informers, measure_informer, &measurement);
    metrics_set(metrics, &metric_process_start_time_seconds, "", (double)started);
    measure_process(metrics);
    expiry_measure(indexes, metrics);
}
