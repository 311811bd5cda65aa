#include "operator/collect_objects.h"

#include "operator/metrics_list.h"

#include <stdio.h>

enum { LABELS_SIZE = 256, DETAIL_SIZE = 2 * ERROR_MESSAGE_SIZE };

struct collection {
    const struct indexes *indexes;
    struct metrics *metrics;
};

static void set_objects(struct metrics *metrics, const char *kind, const char *status, size_t count) {
    char labels[LABELS_SIZE];
    snprintf(labels, sizeof(labels), "kind=\"%s\",status=\"%s\"", kind, status);
    metrics_set(metrics, &metric_objects, labels, (double)count);
}

// What has no status yet is Unknown.
static void collect_kind(void *context, const char *kind, size_t count) {
    static const char *const statuses[] = {"Pending", "Success", "Valid", "Invalid", "Failed"};
    const struct collection *collection = context;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        size_t in_status = indexes_count_status(collection->indexes, kind, statuses[i]);
        set_objects(collection->metrics, kind, statuses[i], in_status);
        count -= in_status < count ? in_status : count; // the store may change meanwhile
    }
    set_objects(collection->metrics, kind, "Unknown", count);
}

// Of text, which is valid UTF-8 of one line, as the value of a label has it.
static void escape(const char *text, char ret_value[DETAIL_SIZE]) {
    size_t used = 0;
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            ret_value[used++] = '\\';
        }
        ret_value[used++] = *text;
    }
    ret_value[used] = '\0';
}

static void collect_informer(void *context, const struct informer_state *state) {
    const struct collection *collection = context;
    char labels[LABELS_SIZE];
    char detail[DETAIL_SIZE];
    char with_detail[LABELS_SIZE + DETAIL_SIZE + 16];
    const char *namespace = state->namespace;
    snprintf(labels, sizeof(labels), "%s%s%sresource=\"%s\"", namespace == nullptr ? "" : "namespace=\"",
             namespace == nullptr ? "" : namespace, namespace == nullptr ? "" : "\",", state->resource);
    metrics_set(collection->metrics, &metric_watch_silence_seconds, labels, (double)state->silence_ms / 1000);
    // Of the network's words, which tell how many milliseconds something took, each would be another series.
    escape(state->is_up || !state->is_answer ? "" : state->detail, detail);
    snprintf(with_detail, sizeof(with_detail), "detail=\"%s\",%s", detail, labels);
    metrics_set(collection->metrics, &metric_watch_up, with_detail, state->is_up);
}

void collect_objects(const struct informers *informers, const struct indexes *indexes,
                     struct metrics *metrics) {
    struct collection collection = {.indexes = indexes, .metrics = metrics};
    metrics_clear(metrics, &metric_watch_silence_seconds);
    metrics_clear(metrics, &metric_watch_up);
    indexes_count(indexes, collect_kind, &collection);
    informers_describe(informers, collect_informer, &collection);
}
