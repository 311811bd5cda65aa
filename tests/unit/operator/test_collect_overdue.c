// Stores that are filled by hand, and what is counted of them.
#include "../kube/objects.h"

#include "kinds/table.h"
#include "operator/collect_overdue.h"
#include "operator/metrics_list.h"

#include <stdio.h>

// 2026-01-01T01:00:00Z
enum { NOW_S = 1767229200, TEXT_MAX = 1 << 16 };

static struct queue *queue;
static struct informers *informers;
static struct indexes *indexes;
static struct metrics *metrics;
static int version;

static int set_up(void **) {
    struct error e;
    struct indexes_options options = {.kinds = kind_table};
    informers = nullptr;
    indexes = nullptr;
    metrics = nullptr;
    if (!queue_create(nullptr, &queue, &e)) {
        return -1;
    }
    options.queue = queue;
    return informers_create(&informers, &e) && indexes_create(&options, informers, &indexes, &e) &&
                   metrics_create(metrics_list, &metrics, &e)
               ? 0
               : -1;
}

static int tear_down(void **) {
    metrics_free(metrics);
    informers_free(informers);
    indexes_free(indexes);
    queue_free(queue);
    return 0;
}

// An object whose Ready condition has been as it is since that time of the night.
static void put(const char *kind, const char *name, const char *status, const char *reason,
                const char *since) {
    char text[1000];
    struct error e;
    snprintf(
        text, sizeof(text),
        "{'metadata':{'namespace':'ns','name':'%s','uid':'u-%s','resourceVersion':'%d'},'spec':{},'status':"
        "{'status':'%s','conditions':[{'type':'Other','reason':'Theirs','lastTransitionTime':"
        "'2025-01-01T00:00:00Z'},{'type':'Ready','status':'False','reason':'%s','lastTransitionTime':"
        "'2026-01-01T%sZ'}]}}",
        name, name, ++version, status, reason, since);
    must(store_apply(informers_find_store(informers, kind, "ns"), object_of(text), &e), e);
}

static void overdue_are(const char *expected) {
    cleanup_buffer struct buffer text = buffer_create(TEXT_MAX);
    struct error e;
    collect_overdue(indexes, NOW_S, metrics);
    must(metrics_write(metrics, &text, &e), e);
    const char *lines = strstr(buffer_text(&text), "qubesec_objects_overdue{");
    assert_string_equal(lines == nullptr ? "" : lines, expected);
}

static void what_has_waited_long_is_counted(void **) {
    overdue_are("");
    put("QuantumDerivedKey", "new", "Pending", "WaitingForSecret", "00:45:00"); // a quarter of an hour
    put("QuantumDerivedKey", "failed", "Failed", "InvalidSpec", "00:00:00");
    put("QuantumDerivedKey", "done", "Success", "Succeeded", "00:00:00");
    overdue_are("");
    put("QuantumDerivedKey", "a", "Pending", "WaitingForSecret", "00:44:59");
    overdue_are("qubesec_objects_overdue{kind=\"QuantumDerivedKey\",reason=\"WaitingForSecret\"} 1\n");
    put("QuantumDerivedKey", "b", "Pending", "WaitingForSecret", "00:00:00");
    overdue_are("qubesec_objects_overdue{kind=\"QuantumDerivedKey\",reason=\"WaitingForSecret\"} 2\n");
    put("QuantumDerivedKey", "a", "Success", "Succeeded", "00:59:00");
    put("QuantumDerivedKey", "b", "Pending", "WaitingForSecret", "00:50:00"); // it was Ready in between
    overdue_are("");
}

// Of whatever somebody has put there the page of metrics stays one.
static void what_is_no_reason_is_unknown(void **) {
    put("QuantumDerivedKey", "a", "Pending", "x,y:z", "00:00:00");
    put("QuantumDerivedKey", "b", "Pending", "", "00:00:00");
    put("QuantumDerivedKey", "c", "Pending",
        "Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "00:00:00");
    overdue_are("qubesec_objects_overdue{kind=\"QuantumDerivedKey\",reason=\"Unknown\"} 3\n");
}

// ---- rotation

static void rotate(const char *kind, const char *name, const char *due) {
    char text[400];
    struct error e;
    snprintf(text, sizeof(text),
             "{'metadata':{'namespace':'ns','name':'%s','uid':'u-%s','resourceVersion':'%d'},'spec':{},"
             "'status':{'status':'Success','version':1,'nextRotationTime':'%s'}}",
             name, name, ++version, due);
    must(store_apply(informers_find_store(informers, kind, "ns"), object_of(text), &e), e);
}

static void rotations_overdue_are(const char *expected) {
    cleanup_buffer struct buffer text = buffer_create(TEXT_MAX);
    struct error e;
    collect_overdue(indexes, NOW_S, metrics);
    must(metrics_write(metrics, &text, &e), e);
    const char *lines = strstr(buffer_text(&text), "qubesec_rotation_overdue{");
    assert_string_equal(lines == nullptr ? "" : lines, expected);
}

static void what_was_not_rotated_in_time_is_counted(void **) {
    rotations_overdue_are("");
    rotate("QuantumKEMKeyPair", "later", "2026-01-01T02:00:00Z");
    rotate("QuantumKEMKeyPair", "just-due", "2026-01-01T00:55:00Z"); // five minutes ago
    rotate("QuantumKEMKeyPair", "odd", "yesterday");
    rotations_overdue_are("");
    rotate("QuantumKEMKeyPair", "a", "2026-01-01T00:54:59Z");
    rotations_overdue_are("qubesec_rotation_overdue{kind=\"QuantumKEMKeyPair\"} 1\n");
    rotate("QuantumKEMKeyPair", "b", "2025-12-01T00:00:00Z");
    rotations_overdue_are("qubesec_rotation_overdue{kind=\"QuantumKEMKeyPair\"} 2\n");
    rotate("QuantumKEMKeyPair", "a", "2026-02-01T00:00:00Z");
    rotate("QuantumKEMKeyPair", "b", "2026-02-01T00:00:00Z");
    rotations_overdue_are("");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_has_waited_long_is_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_reason_is_unknown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_not_rotated_in_time_is_counted, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("operator/collect_overdue", tests, nullptr, nullptr);
}
