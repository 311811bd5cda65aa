#include "../base/check.h"
#include "../base/short_memory.h"
#include "webhook_support.h"

#include "kinds/table.h"
#include "webhook/webhook.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

// How it answers is shown on a real API server, in tests/e2e/test_admission.py; here is what surrounds that.

static struct metrics *metrics;

static int set_up(void **) {
    struct error e;
    return metrics_create(webhook_metrics, &metrics, &e) ? 0 : -1;
}

static int tear_down(void **) {
    metrics_free(metrics);
    return 0;
}

static struct webhook *make(void) {
    struct error e;
    struct webhook *webhook = nullptr;
    must(webhook_create("127.0.0.1:0", kind_table, metrics, &webhook, &e), e);
    return webhook;
}

static void it_is_ready_with_a_certificate(void **) {
    struct error e;
    struct webhook *webhook = make();
    assert_true(webhook_port(webhook) != 0);
    assert_false(webhook_is_ready(webhook));
    assert_true(webhook_is_ready(nullptr)); // which is none at all
    must_fail(webhook_set_identity(webhook, "nonsense", "nonsense", &e), e, ERROR_INVALID_SPEC,
              "not one or more PEM");
    assert_false(webhook_is_ready(webhook));
    webhook_free(webhook);
}

static void a_bad_address_is_told(void **) {
    struct error e;
    struct webhook *webhook = nullptr;
    must_fail(webhook_create("nowhere", kind_table, metrics, &webhook, &e), e, ERROR_INVALID_SPEC,
              "the webhook: \"nowhere\" is not host:port");
    assert_null(webhook);
}

// Nobody can have called it, so there is nobody to wait for.
static void without_a_certificate_it_is_drained_at_once(void **) {
    struct webhook *webhook = make();
    webhook_drain(webhook, 3600000);
    webhook_wait_drained(webhook);
    webhook_free(webhook);
    webhook_drain(nullptr, 1000);
    webhook_wait_drained(nullptr);
    webhook_free(nullptr);
}

static void it_waits_for_as_long_as_callers_may_come(void **) {
    enum { GRACE = 30000, LONG_AGO = 1 << 30 };
    assert_true(webhook_may_be_called(0, LONG_AGO, GRACE)); // whoever has called may do it again
    assert_true(webhook_may_be_called(9999, LONG_AGO, GRACE));
    assert_false(webhook_may_be_called(10000, 10000, GRACE));
    assert_true(webhook_may_be_called(10000, 9999, GRACE));
    assert_true(webhook_may_be_called(24999, 0, GRACE));
    assert_false(webhook_may_be_called(25000, 0, GRACE)); // SIGKILL is near
    assert_true(webhook_may_be_answering(25999, GRACE));
    assert_false(webhook_may_be_answering(26000, GRACE)); // there is time for a little more
}

// Endpoints are not slower where the grace is longer.
static void it_waits_no_longer_where_the_grace_is_long(void **) {
    enum { GRACE = 3600000 };
    assert_true(webhook_may_be_called(29999, 1 << 30, GRACE));
    assert_false(webhook_may_be_called(30000, 30000, GRACE));
    assert_true(webhook_may_be_called(74999, 0, GRACE));
    assert_false(webhook_may_be_called(75000, 0, GRACE));
    assert_false(webhook_may_be_answering(78000, GRACE));
}

static void without_memory_there_is_none(void **) {
    bool made = false;
    for (long left = 0; !made && left < 200; left++) {
        struct error e = {0};
        struct webhook *webhook = nullptr;
        memory_left = left;
        made = webhook_create("127.0.0.1:0", kind_table, metrics, &webhook, &e);
        memory_left = -1;
        assert_true(made || e.class == ERROR_NO_MEMORY);
        webhook_free(webhook);
    }
    assert_true(made);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_ready_with_a_certificate),
        cmocka_unit_test(a_bad_address_is_told),
        cmocka_unit_test(without_a_certificate_it_is_drained_at_once),
        cmocka_unit_test(it_waits_for_as_long_as_callers_may_come),
        cmocka_unit_test(it_waits_no_longer_where_the_grace_is_long),
        cmocka_unit_test(without_memory_there_is_none),
    };
    return cmocka_run_group_tests_name("operator/webhook", tests, set_up, tear_down);
}
