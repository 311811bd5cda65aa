#include "runtime/metrics.h"

#include "base/map.h"
#include "base/memory.h"

#include <pthread.h>

static const double bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                0.5,   1,      2.5,   5,    10,    30,   60};
enum { BOUND_COUNT = sizeof(bounds) / sizeof(bounds[0]) };

struct series {
    double value;                // counter, gauge; a histogram's sum
    double count;                // a histogram's number of observations
    double buckets[BOUND_COUNT]; // observations up to and including each bound, not cumulated
};

struct family {
    const struct metric *metric;
    struct map *series; // labels -> struct series
};

struct metrics {
    pthread_mutex_t lock;
    size_t count;
    struct family families[];
};

bool metrics_create(const struct metric *const *list, struct metrics **ret_metrics, struct error *e) {
    size_t count = 0;
    while (list[count] != nullptr) {
        count++;
    }
    struct metrics *metrics =
        memory_allocate_zeroed(1, sizeof(*metrics) + count * sizeof(metrics->families[0]));
    if (metrics == nullptr) {
        return error_no_memory(e, "metrics");
    }
    pthread_mutex_init(&metrics->lock, nullptr);
    metrics->count = count;
    for (size_t i = 0; i < count; i++) {
        metrics->families[i] = (struct family){list[i], map_create(memory_free)};
        if (metrics->families[i].series == nullptr) {
            metrics_free(metrics);
            return error_no_memory(e, "metrics");
        }
    }
    *ret_metrics = metrics;
    return true;
}

void metrics_free(struct metrics *metrics) {
    if (metrics != nullptr) {
        for (size_t i = 0; i < metrics->count; i++) {
            map_free(metrics->families[i].series);
        }
        pthread_mutex_destroy(&metrics->lock);
        memory_free(metrics);
    }
}

// One that is not in the list is a fault of the program.
static struct map *find_family(const struct metrics *metrics, const struct metric *metric) {
    size_t i = 0;
    while (i + 1 < metrics->count && metrics->families[i].metric != metric) {
        i++;
    }
    return metrics->families[i].series;
}

// Under the lock; NULL: memory is out.
static struct series *find(struct metrics *metrics, const struct metric *metric, const char *labels) {
    struct map *family = find_family(metrics, metric);
    struct series *series = map_get(family, labels);
    if (series != nullptr) {
        return series;
    }
    series = memory_allocate_zeroed(1, sizeof(*series));
    if (series != nullptr && !map_put(family, labels, series)) {
        memory_free(series);
        series = nullptr;
    }
    return series;
}

static void observe_bucket(struct series *series, double seconds) {
    series->count += 1;
    for (size_t i = 0; i < BOUND_COUNT; i++) {
        if (seconds <= bounds[i]) {
            series->buckets[i] += 1;
            return;
        }
    }
}

void metrics_add(struct metrics *metrics, const struct metric *metric, const char *labels, double amount) {
    pthread_mutex_lock(&metrics->lock);
    struct series *series = find(metrics, metric, labels);
    if (series != nullptr) {
        series->value += amount;
    }
    pthread_mutex_unlock(&metrics->lock);
}

void metrics_set(struct metrics *metrics, const struct metric *metric, const char *labels, double value) {
    pthread_mutex_lock(&metrics->lock);
    struct series *series = find(metrics, metric, labels);
    if (series != nullptr) {
        series->value = value;
    }
    pthread_mutex_unlock(&metrics->lock);
}

void metrics_clear(struct metrics *metrics, const struct metric *metric) {
    pthread_mutex_lock(&metrics->lock);
    size_t position = 0;
    const char *labels;
    void *value;
    struct map *family = find_family(metrics, metric);
    while (map_next(family, &position, &labels, &value)) {
        (void)map_remove(family, labels);
    }
    pthread_mutex_unlock(&metrics->lock);
}

void metrics_observe(struct metrics *metrics, const struct metric *metric, const char *labels,
                     double seconds) {
    pthread_mutex_lock(&metrics->lock);
    struct series *series = find(metrics, metric, labels);
    if (series != nullptr) {
        series->value += seconds;
        observe_bucket(series, seconds);
    }
    pthread_mutex_unlock(&metrics->lock);
}

static bool write_histogram(const struct metric *metric, const char *labels, const struct series *series,
                            struct buffer *text, struct error *e) {
    const char *comma = labels[0] == '\0' ? "" : ",";
    double cumulated = 0;
    for (size_t i = 0; i < BOUND_COUNT; i++) {
        cumulated += series->buckets[i];
        if (!buffer_append_format(text, e, "%s_bucket{%s%sle=\"%g\"} %.0f\n", metric->name, labels, comma,
                                  bounds[i], cumulated)) {
            return false;
        }
    }
    return buffer_append_format(text, e,
                                "%s_bucket{%s%sle=\"+Inf\"} %.0f\n%s_sum{%s} %.15g\n%s_count{%s} %.0f\n",
                                metric->name, labels, comma, series->count, metric->name, labels,
                                series->value, metric->name, labels, series->count);
}

bool metrics_write_head(const struct metric *metric, struct buffer *text, struct error *e) {
    static const char *const types[] = {"counter", "gauge", "histogram"};
    return buffer_append_format(text, e, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help,
                                metric->name, types[metric->type]);
}

bool metrics_write_sample(const struct metric *metric, const char *labels, double value, struct buffer *text,
                          struct error *e) {
    return buffer_append_format(text, e, "%s{%s} %.15g\n", metric->name, labels, value);
}

static bool write_family(const struct metric *metric, const struct map *all, struct buffer *text,
                         struct error *e) {
    if (map_count(all) == 0) {
        return true;
    }
    if (!metrics_write_head(metric, text, e)) {
        return false;
    }
    size_t position = 0;
    const char *labels;
    void *value;
    while (map_next(all, &position, &labels, &value)) {
        const struct series *series = value;
        bool written = metric->type == METRIC_HISTOGRAM
                           ? write_histogram(metric, labels, series, text, e)
                           : metrics_write_sample(metric, labels, series->value, text, e);
        if (!written) {
            return false;
        }
    }
    return true;
}

bool metrics_write(struct metrics *metrics, struct buffer *text, struct error *e) {
    pthread_mutex_lock(&metrics->lock);
    bool written = true;
    for (size_t i = 0; i < metrics->count && written; i++) {
        written = write_family(metrics->families[i].metric, metrics->families[i].series, text, e);
    }
    pthread_mutex_unlock(&metrics->lock);
    return written;
}
