#include "../base/check.h"

#include "operator/settings.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const variables[] = {
    "QUBESEC_KUBECONFIG",
    "QUBESEC_CONTEXT",
    "QUBESEC_BIND_ADDRESS",
    "QUBESEC_NAMESPACE",
    "QUBESEC_CONFIG_MAP",
    "QUBESEC_LOG_LEVEL",
    "QUBESEC_WORKERS",
    "QUBESEC_SEED_URL_PREFIX",
    "QUBESEC_ALLOW_MEMORY_DUMP",
    "POD_NAMESPACE",
    "QUBESEC_LEADER_ELECT",
    "QUBESEC_LEADER_ELECTION_LEASE",
    "QUBESEC_LEADER_ELECTION_LEASE_DURATION",
    "QUBESEC_LEADER_ELECTION_RENEW_DEADLINE",
    "QUBESEC_LEADER_ELECTION_RETRY_PERIOD",
    "QUBESEC_NAMESPACES",
    "QUBESEC_EXCLUDE_NAMESPACES",
    "QUBESEC_GRANT_CHECK_INTERVAL",
    "QUBESEC_WATCH_TIMEOUT",
    "QUBESEC_DEBUG_ENDPOINTS",
    "QUBESEC_WEBHOOK_BIND_ADDRESS",
    "QUBESEC_WEBHOOK_CERTIFICATE_DIRECTORY",
};
enum { VARIABLE_COUNT = sizeof(variables) / sizeof(variables[0]) };

// Each test starts in an environment that says nothing.
static int clear_environment(void **) {
    for (size_t i = 0; i < VARIABLE_COUNT; i++) {
        if (unsetenv(variables[i]) != 0) {
            return -1;
        }
    }
    return 0;
}

static void set(const char *variable, const char *value) {
    assert_int_equal(setenv(variable, value, 1), 0);
}

// Reads the arguments, NULL-terminated.
#define READ(settings, e, ...) settings_read((char *const[]){__VA_ARGS__ __VA_OPT__(, ) nullptr}, settings, e)

#define REFUSE(said, ...)                                                                                    \
    do {                                                                                                     \
        struct error refused = {0};                                                                          \
        struct settings untouched = {.workers = 999};                                                        \
        assert_false(READ(&untouched, &refused, __VA_ARGS__));                                               \
        assert_int_equal(refused.class, ERROR_INVALID_SPEC);                                                 \
        assert_string_equal(refused.message, said);                                                          \
        assert_int_equal(untouched.workers, 999);                                                            \
    } while (0)

static void check_timing(const struct settings *settings, unsigned duration_ms, unsigned renew_deadline_ms,
                         unsigned retry_period_ms) {
    assert_int_equal(settings->leader_election.duration_ms, duration_ms);
    assert_int_equal(settings->leader_election.renew_deadline_ms, renew_deadline_ms);
    assert_int_equal(settings->leader_election.retry_period_ms, retry_period_ms);
}

static void nothing_given_is_the_default(void **) {
    struct error e;
    struct settings settings;
    must(READ(&settings, &e), e);
    assert_null(settings.kubeconfig);
    assert_null(settings.context);
    assert_string_equal(settings.bind_address, ":8080");
    assert_null(settings.webhook_bind_address);
    assert_null(settings.webhook_certificate_directory);
    assert_null(settings.namespace);
    assert_string_equal(settings.config_map, "qubesec-operator");
    assert_null(settings.seed_url_prefixes[0]);
    assert_int_equal(settings.log_level, LOG_INFO);
    assert_in_range(settings.workers, 8, 64); // by the cores
    assert_null(settings.namespaces);
    assert_null(settings.excluded_namespaces);
    assert_int_equal(settings.grant_check_ms, 300000);
    assert_int_equal(settings.watch_timeout_ms, 600000);
    assert_int_equal(settings.termination_grace_ms, 30000);
    assert_null(settings.webhook_hosts);
    assert_string_equal(settings.webhook_service, "qubesec-webhook");
    assert_string_equal(settings.webhook_configuration, "qubesec");
    assert_string_equal(settings.webhook_certificate_secret, "qubesec-webhook-certificate");
    assert_null(settings.webhook_certificate_directory);
    assert_int_equal(settings.webhook_overlap_ms, 60000);
    assert_true(settings.leader_elect);
    assert_string_equal(settings.leader_election_lease, "qubesec-operator");
    check_timing(&settings, 15000, 10000, 2000);
    assert_false(settings.allow_memory_dump);
    assert_false(settings.debug_endpoints);
    assert_false(settings.help);
}

static void the_webhooks_certificate_has_its_flags(void **) {
    struct error e;
    struct settings settings;
    must(READ(&settings, &e, "--webhook-host", "127.0.0.1,a.example", "--webhook-service=s",
              "--webhook-configuration=c", "--webhook-certificate-secret=n",
              "--webhook-certificate-directory=/d", "--webhook-rotation-overlap=2m"),
         e);
    assert_string_equal(settings.webhook_hosts, "127.0.0.1,a.example");
    assert_string_equal(settings.webhook_service, "s");
    assert_string_equal(settings.webhook_configuration, "c");
    assert_string_equal(settings.webhook_certificate_secret, "n");
    assert_string_equal(settings.webhook_certificate_directory, "/d");
    assert_int_equal(settings.webhook_overlap_ms, 120000);
    REFUSE("--webhook-rotation-overlap: 0s is not a time such as 15s or 500ms, from 1s to 1h",
           "--webhook-rotation-overlap", "0s");
    REFUSE("--webhook-rotation-overlap: 61m is not a time such as 15s or 500ms, from 1s to 1h",
           "--webhook-rotation-overlap", "61m");
}

static void namespaces_are_names(void **) {
    struct error e;
    struct settings settings;
    must(READ(&settings, &e, "--namespaces", "team-a, team-b", "--exclude-namespaces=kube-system"), e);
    assert_string_equal(settings.namespaces, "team-a, team-b");
    assert_string_equal(settings.excluded_namespaces, "kube-system");
    REFUSE("--namespaces: \"Team\" is not the name of a namespace", "--namespaces", "a,Team");
    REFUSE("--exclude-namespaces: \"a.b\" is not the name of a namespace", "--exclude-namespaces", "a.b");
    REFUSE("--exclude-namespaces: \"-a\" is not the name of a namespace", "--exclude-namespaces", "-a");
    char many[256] = "";
    for (int i = 0; i < NAMESPACES_MAX + 1; i++) {
        snprintf(many + strlen(many), sizeof(many) - strlen(many), "a,");
    }
    REFUSE("--namespaces: has 65 namespaces; 1 to 64 are allowed", "--namespaces", many);
    REFUSE("--namespaces: has 0 namespaces; 1 to 64 are allowed", "--namespaces", " , "); // not all of them
}

static void the_grant_check_interval_is_a_length_of_time(void **) {
    struct error e;
    struct settings settings;
    must(READ(&settings, &e, "--grant-check-interval", "1h30m"), e);
    assert_int_equal(settings.grant_check_ms, 5400000);
    REFUSE("--grant-check-interval: 0s is not a time such as 15s or 500ms, from 1s to 24h",
           "--grant-check-interval", "0s");
    REFUSE("--grant-check-interval: 25h is not a time such as 15s or 500ms, from 1s to 24h",
           "--grant-check-interval", "25h");
    REFUSE("--grant-check-interval: 5d is not a time such as 15s or 500ms, from 1s to 24h",
           "--grant-check-interval", "5d");
}

static void the_grace_period_is_a_length_of_time(void **) {
    struct settings settings;
    struct error e;
    must(READ(&settings, &e, "--termination-grace-period", "2m"), e);
    assert_int_equal(settings.termination_grace_ms, 120000);
    must(READ(&settings, &e, "--termination-grace-period", "45"), e); // as in a Pod
    assert_int_equal(settings.termination_grace_ms, 45000);
    REFUSE("--termination-grace-period: 0s is not a time such as 15s or 500ms, from 1s to 1h",
           "--termination-grace-period", "0s");
}

static void the_watch_timeout_is_a_length_of_time(void **) {
    struct error e;
    struct settings settings;
    must(READ(&settings, &e, "--watch-timeout", "45s"), e);
    assert_int_equal(settings.watch_timeout_ms, 45000);
    REFUSE("--watch-timeout: 4s is not a time such as 15s or 500ms, from 5s to 1h", "--watch-timeout", "4s");
    REFUSE("--watch-timeout: 2h is not a time such as 15s or 500ms, from 5s to 1h", "--watch-timeout", "2h");
}

static void each_flag_is_read(void **) {
    struct error e;
    struct settings settings;
    must(READ(&settings, &e, "--kubeconfig", "/etc/k", "--context", "c", "--bind-address", "127.0.0.1:0",
              "--namespace", "ns", "--config-map", "cm", "--log-level", "debug", "--workers", "64",
              "--seed-url-prefix", "https://host/a/", "--allow-memory-dump", "--debug-endpoints",
              "--webhook-bind-address", ":9443", "--webhook-certificate-directory", "/tls", "--help"),
         e);
    assert_string_equal(settings.kubeconfig, "/etc/k");
    assert_string_equal(settings.context, "c");
    assert_string_equal(settings.bind_address, "127.0.0.1:0");
    assert_string_equal(settings.webhook_bind_address, ":9443");
    assert_string_equal(settings.webhook_certificate_directory, "/tls");
    assert_string_equal(settings.namespace, "ns");
    assert_string_equal(settings.config_map, "cm");
    assert_int_equal(settings.log_level, LOG_DEBUG);
    assert_int_equal(settings.workers, 64);
    assert_string_equal(settings.seed_url_prefixes[0], "https://host/a/");
    assert_null(settings.seed_url_prefixes[1]);
    assert_true(settings.allow_memory_dump);
    assert_true(settings.debug_endpoints);
    assert_true(settings.help);
}

static void a_value_may_follow_an_equals_sign(void **) {
    struct error e;
    struct settings settings;
    must(READ(&settings, &e, "--workers=7", "--context=a=b", "--allow-memory-dump=false",
              "--kubeconfig=--workers"),
         e);
    assert_int_equal(settings.workers, 7);
    assert_string_equal(settings.context, "a=b");
    assert_false(settings.allow_memory_dump);
    assert_string_equal(settings.kubeconfig, "--workers");
    must(READ(&settings, &e, "--allow-memory-dump=true"), e);
    assert_true(settings.allow_memory_dump);
}

static void of_a_repeated_flag_the_last_counts(void **) {
    struct error e;
    struct settings settings;
    must(READ(&settings, &e, "--workers", "5", "--workers=6"), e);
    assert_int_equal(settings.workers, 6);
}

static void each_variable_is_read(void **) {
    struct error e;
    struct settings settings;
    set("QUBESEC_KUBECONFIG", "/etc/k");
    set("QUBESEC_CONTEXT", "c");
    set("QUBESEC_BIND_ADDRESS", "[::1]:9");
    set("QUBESEC_NAMESPACE", "ns");
    set("QUBESEC_CONFIG_MAP", "cm");
    set("QUBESEC_LOG_LEVEL", "error");
    set("QUBESEC_WORKERS", "1");
    set("QUBESEC_SEED_URL_PREFIX", "http://host/");
    set("QUBESEC_ALLOW_MEMORY_DUMP", "true");
    set("QUBESEC_DEBUG_ENDPOINTS", "true");
    must(READ(&settings, &e), e);
    assert_string_equal(settings.kubeconfig, "/etc/k");
    assert_string_equal(settings.context, "c");
    assert_string_equal(settings.bind_address, "[::1]:9");
    assert_string_equal(settings.namespace, "ns");
    assert_string_equal(settings.config_map, "cm");
    assert_int_equal(settings.log_level, LOG_ERROR);
    assert_int_equal(settings.workers, 1);
    assert_string_equal(settings.seed_url_prefixes[0], "http://host/");
    assert_null(settings.seed_url_prefixes[1]);
    assert_true(settings.debug_endpoints);
    assert_true(settings.allow_memory_dump);
    assert_false(settings.help);
}

static void an_empty_variable_is_none(void **) {
    struct error e;
    struct settings settings;
    for (size_t i = 0; i < VARIABLE_COUNT; i++) {
        set(variables[i], "");
    }
    must(READ(&settings, &e), e);
    assert_null(settings.kubeconfig);
    assert_null(settings.namespace);
    assert_string_equal(settings.bind_address, ":8080");
    assert_string_equal(settings.config_map, "qubesec-operator");
    assert_in_range(settings.workers, 8, 64); // by the cores
    assert_null(settings.seed_url_prefixes[0]);
}

static void a_flag_wins_over_its_variable(void **) {
    struct error e;
    struct settings settings;
    set("QUBESEC_WORKERS", "9");
    set("QUBESEC_CONTEXT", "variable");
    set("QUBESEC_ALLOW_MEMORY_DUMP", "true");
    set("QUBESEC_LOG_LEVEL", "no level"); // not looked at
    must(READ(&settings, &e, "--context", "flag", "--allow-memory-dump=false", "--log-level=warning"), e);
    assert_string_equal(settings.context, "flag");
    assert_false(settings.allow_memory_dump);
    assert_int_equal(settings.log_level, LOG_WARNING);
    assert_int_equal(settings.workers, 9);
}

// Also where a flag can be given many times: what only the variable allows is not allowed.
static void the_flags_prefixes_take_the_place_of_the_variables(void **) {
    struct error e;
    struct settings settings;
    set("QUBESEC_SEED_URL_PREFIX", "https://variable/");
    must(READ(&settings, &e, "--seed-url-prefix", "https://one/", "--seed-url-prefix=https://two/"), e);
    assert_string_equal(settings.seed_url_prefixes[0], "https://one/");
    assert_string_equal(settings.seed_url_prefixes[1], "https://two/");
    assert_null(settings.seed_url_prefixes[2]);
}

static void the_namespace_may_be_the_pods(void **) {
    struct error e;
    struct settings settings;
    set("POD_NAMESPACE", "pod");
    must(READ(&settings, &e), e);
    assert_string_equal(settings.namespace, "pod");
    set("QUBESEC_NAMESPACE", "variable");
    must(READ(&settings, &e), e);
    assert_string_equal(settings.namespace, "variable");
    must(READ(&settings, &e, "--namespace=flag"), e);
    assert_string_equal(settings.namespace, "flag");
}

static void help_is_shown_whatever_the_variables_say(void **) {
    struct error e;
    struct settings settings;
    set("QUBESEC_WORKERS", "many");
    must(READ(&settings, &e, "--help"), e);
    assert_true(settings.help);
    REFUSE("QUBESEC_WORKERS: many is not a number from 1 to 64");
}

static void what_is_no_flag_is_refused(void **) {
    REFUSE("--worker: no such flag; see --help", "--worker");
    REFUSE("--workersx=5: no such flag; see --help", "--workersx=5");
    REFUSE("-h: no such flag; see --help", "-h");
    REFUSE("run: no such flag; see --help", "--workers", "5", "run");
    REFUSE(": no such flag; see --help", "");
    REFUSE("--: no such flag; see --help", "--");
    REFUSE("--WORKERS: no such flag; see --help", "--WORKERS", "5");
    REFUSE("true: no such flag; see --help", "--allow-memory-dump", "true");
}

static void a_missing_value_is_named(void **) {
    REFUSE("--workers: needs a value, N", "--workers");
    REFUSE("--kubeconfig: needs a value, FILE", "--workers", "5", "--kubeconfig");
    REFUSE("--bind-address: needs a value, [HOST]:PORT", "--bind-address");
    REFUSE("--seed-url-prefix: needs a value, URL", "--seed-url-prefix");
}

static void the_number_of_workers_has_bounds(void **) {
    REFUSE("--workers: 0 is not a number from 1 to 64", "--workers", "0");
    REFUSE("--workers: 65 is not a number from 1 to 64", "--workers", "65");
    REFUSE("--workers: -1 is not a number from 1 to 64", "--workers", "-1");
    REFUSE("--workers: +1 is not a number from 1 to 64", "--workers", "+1");
    REFUSE("--workers:  5 is not a number from 1 to 64", "--workers", " 5");
    REFUSE("--workers: 5x is not a number from 1 to 64", "--workers", "5x");
    REFUSE("--workers: 0x5 is not a number from 1 to 64", "--workers", "0x5");
    REFUSE("--workers:  is not a number from 1 to 64", "--workers=");
    REFUSE("--workers: 4294967297 is not a number from 1 to 64", "--workers=4294967297");
    REFUSE("--workers: 99999999999999999999999 is not a number from 1 to 64",
           "--workers=99999999999999999999999");
    set("QUBESEC_WORKERS", "65");
    REFUSE("QUBESEC_WORKERS: 65 is not a number from 1 to 64");
    struct error e;
    unsigned workers = 0;
    must(settings_parse_workers("workers", "1", &workers, &e), e);
    assert_int_equal(workers, 1);
    must(settings_parse_workers("workers", "09", &workers, &e), e);
    assert_int_equal(workers, 9);
    must(settings_parse_workers("workers", "64", &workers, &e), e);
    assert_int_equal(workers, 64);
    must_fail(settings_parse_workers("workers", "none", &workers, &e), e, ERROR_INVALID_SPEC,
              "workers: none is not a number from 1 to 64");
    assert_int_equal(workers, 64);
}

static void the_log_level_is_one_of_four(void **) {
    static const struct {
        const char *text;
        enum log_level level;
    } levels[] = {{"debug", LOG_DEBUG}, {"info", LOG_INFO}, {"warning", LOG_WARNING}, {"error", LOG_ERROR}};
    struct error e;
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        enum log_level level = LOG_ERROR;
        must(settings_parse_level("log-level", levels[i].text, &level, &e), e);
        assert_int_equal(level, levels[i].level);
    }
    REFUSE("--log-level: Info is not one of debug, info, warning, error", "--log-level=Info");
    REFUSE("--log-level:  is not one of debug, info, warning, error", "--log-level=");
    set("QUBESEC_LOG_LEVEL", "loud");
    REFUSE("QUBESEC_LOG_LEVEL: loud is not one of debug, info, warning, error");
}

static void a_prefix_is_of_a_whole_host(void **) {
    static const char *const bad[] = {"host/path",     "https://host",  "https://",
                                      "http://",       "https:///path", "ftp://host/",
                                      "HTTPS://host/", "file:///etc/",  ""};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char message[200];
        snprintf(message, sizeof(message),
                 "--seed-url-prefix: %s is not a URL prefix such as https://host/path/", bad[i]);
        REFUSE(message, "--seed-url-prefix", (char *)bad[i]);
    }
    struct error e;
    struct settings settings;
    must(READ(&settings, &e, "--seed-url-prefix", "http://host/", "--seed-url-prefix",
              "https://host:8443/a/b?c="),
         e);
    assert_string_equal(settings.seed_url_prefixes[1], "https://host:8443/a/b?c=");
    set("QUBESEC_SEED_URL_PREFIX", "nonsense");
    REFUSE("QUBESEC_SEED_URL_PREFIX: nonsense is not a URL prefix such as https://host/path/");
}

static void there_are_16_prefixes_at_most(void **) {
    char *arguments[2 * (SEED_URL_PREFIXES_MAX + 1) + 1] = {nullptr};
    struct error e = {0};
    struct settings settings;
    for (size_t i = 0; i < SEED_URL_PREFIXES_MAX; i++) {
        arguments[2 * i] = "--seed-url-prefix";
        arguments[2 * i + 1] = "https://host/";
    }
    must(settings_read(arguments, &settings, &e), e);
    assert_non_null(settings.seed_url_prefixes[SEED_URL_PREFIXES_MAX - 1]);
    assert_null(settings.seed_url_prefixes[SEED_URL_PREFIXES_MAX]);
    arguments[2 * SEED_URL_PREFIXES_MAX] = "--seed-url-prefix";
    arguments[2 * SEED_URL_PREFIXES_MAX + 1] = "https://host/";
    must_fail(settings_read(arguments, &settings, &e), e, ERROR_INVALID_SPEC,
              "--seed-url-prefix: more than 16 are given");
}

static void a_switch_is_true_or_false(void **) {
    REFUSE("--debug-endpoints: on is neither true nor false", "--debug-endpoints=on");
    REFUSE("--allow-memory-dump: yes is neither true nor false", "--allow-memory-dump=yes");
    REFUSE("--allow-memory-dump:  is neither true nor false", "--allow-memory-dump=");
    set("QUBESEC_ALLOW_MEMORY_DUMP", "1");
    REFUSE("QUBESEC_ALLOW_MEMORY_DUMP: 1 is neither true nor false");
}

static void leader_election_is_read(void **) {
    struct error e;
    struct settings settings;
    must(READ(&settings, &e, "--leader-elect=false", "--leader-election-lease", "other",
              "--leader-election-lease-duration", "1m", "--leader-election-renew-deadline=40",
              "--leader-election-retry-period=500ms"),
         e);
    assert_false(settings.leader_elect);
    assert_string_equal(settings.leader_election_lease, "other");
    check_timing(&settings, 60000, 40000, 500);
    set("QUBESEC_LEADER_ELECT", "false");
    set("QUBESEC_LEADER_ELECTION_LEASE", "third");
    set("QUBESEC_LEADER_ELECTION_LEASE_DURATION", "3s");
    set("QUBESEC_LEADER_ELECTION_RENEW_DEADLINE", "2");
    set("QUBESEC_LEADER_ELECTION_RETRY_PERIOD", "1s");
    must(READ(&settings, &e), e);
    assert_false(settings.leader_elect);
    assert_string_equal(settings.leader_election_lease, "third");
    check_timing(&settings, 3000, 2000, 1000);
    must(READ(&settings, &e, "--leader-elect"), e);
    assert_true(settings.leader_elect);
}

static void times_of_leader_election_have_bounds(void **) {
    static const char *const bad[] = {"",  "0",   "0s",   "0ms",       "-1s",  "1.5s",        "15 s",
                                      "s", "61m", "3601", "3600001ms", "15us", "999999999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char message[200];
        char argument[100];
        snprintf(argument, sizeof(argument), "--leader-election-retry-period=%s", bad[i]);
        snprintf(message, sizeof(message),
                 "--leader-election-retry-period: %s is not a time such as 15s or 500ms, up to 1h", bad[i]);
        REFUSE(message, argument);
    }
    REFUSE("the lease duration (10000 ms) must be greater than the renew deadline (10000 ms)",
           "--leader-election-lease-duration=10s");
    REFUSE("the renew deadline (10000 ms) must be greater than 1.2 retry periods (9000 ms each)",
           "--leader-election-retry-period=9s");
    REFUSE("--leader-elect: maybe is neither true nor false", "--leader-elect=maybe");
    struct error e;
    struct settings settings;
    must(READ(&settings, &e, "--leader-election-lease-duration=1h"), e);
    check_timing(&settings, 3600000, 10000, 2000);
}

static void help_tells_of_every_flag_and_variable(void **) {
    static const char *const flags[] = {"--kubeconfig FILE",
                                        "--context NAME",
                                        "--bind-address [HOST]:PORT",
                                        "--webhook-bind-address [HOST]:PORT",
                                        "--webhook-certificate-directory DIRECTORY",
                                        "--namespace NAME",
                                        "--config-map NAME",
                                        "--log-level LEVEL",
                                        "--workers N",
                                        "--seed-url-prefix URL",
                                        "--leader-elect",
                                        "--leader-election-lease NAME",
                                        "--leader-election-lease-duration TIME",
                                        "--leader-election-renew-deadline TIME",
                                        "--leader-election-retry-period TIME",
                                        "--debug-endpoints",
                                        "--allow-memory-dump",
                                        "--help"};
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(64 * 1024);
    must(flags_describe(&settings_flags, &text, &e), e);
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        const char *flag = strstr(buffer_text(&text), flags[i]);
        assert_non_null(flag);
        assert_memory_equal(flag - 2, "  ", 2);
    }
    for (size_t i = 0; i < VARIABLE_COUNT; i++) {
        char variable[64];
        snprintf(variable, sizeof(variable), "$%s", variables[i]);
        assert_non_null(strstr(buffer_text(&text), variable));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(namespaces_are_names, clear_environment),
        cmocka_unit_test_setup(the_grant_check_interval_is_a_length_of_time, clear_environment),
        cmocka_unit_test_setup(the_grace_period_is_a_length_of_time, clear_environment),
        cmocka_unit_test_setup(the_watch_timeout_is_a_length_of_time, clear_environment),
        cmocka_unit_test_setup(nothing_given_is_the_default, clear_environment),
        cmocka_unit_test_setup(the_webhooks_certificate_has_its_flags, clear_environment),
        cmocka_unit_test_setup(each_flag_is_read, clear_environment),
        cmocka_unit_test_setup(a_value_may_follow_an_equals_sign, clear_environment),
        cmocka_unit_test_setup(of_a_repeated_flag_the_last_counts, clear_environment),
        cmocka_unit_test_setup(each_variable_is_read, clear_environment),
        cmocka_unit_test_setup(an_empty_variable_is_none, clear_environment),
        cmocka_unit_test_setup(a_flag_wins_over_its_variable, clear_environment),
        cmocka_unit_test_setup(the_flags_prefixes_take_the_place_of_the_variables, clear_environment),
        cmocka_unit_test_setup(the_namespace_may_be_the_pods, clear_environment),
        cmocka_unit_test_setup(help_is_shown_whatever_the_variables_say, clear_environment),
        cmocka_unit_test_setup(what_is_no_flag_is_refused, clear_environment),
        cmocka_unit_test_setup(a_missing_value_is_named, clear_environment),
        cmocka_unit_test_setup(the_number_of_workers_has_bounds, clear_environment),
        cmocka_unit_test_setup(the_log_level_is_one_of_four, clear_environment),
        cmocka_unit_test_setup(a_prefix_is_of_a_whole_host, clear_environment),
        cmocka_unit_test_setup(there_are_16_prefixes_at_most, clear_environment),
        cmocka_unit_test_setup(a_switch_is_true_or_false, clear_environment),
        cmocka_unit_test_setup(leader_election_is_read, clear_environment),
        cmocka_unit_test_setup(times_of_leader_election_have_bounds, clear_environment),
        cmocka_unit_test_setup(help_tells_of_every_flag_and_variable, clear_environment),
    };
    return cmocka_run_group_tests_name("operator/settings", tests, nullptr, nullptr);
}
