#include "../kube/objects.h"

#include "check/parts.h"
#include "kinds/table.h"

enum { UNTOUCHED = 999, YEAR = 365 * 24 * 60 * 60, FAULTS_MAX = 1024 };

// ---- version and TLS group

static void a_rotation_is_overdue_for_so_long(void **) {
    static const struct {
        const char *object;
        bool is_overdue;
    } rows[] = {
        {"{\"status\": {\"nextRotationTime\": \"2026-01-01T00:00:00Z\"}}", true},
        {"{\"status\": {\"nextRotationTime\": \"2026-01-01T00:05:00Z\"}}", false},
        {"{\"status\": {\"nextRotationTime\": \"2026-01-01T01:00:00Z\"}}", false},
        {"{\"status\": {\"nextRotationTime\": \"soon\"}}", false},
        {"{\"status\": {}}", false},
        {"{}", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error e;
        cleanup_json yyjson_doc *document = nullptr;
        must(json_parse(rows[i].object, strlen(rows[i].object), &document, &e), e);
        assert_int_equal(check_is_rotation_overdue(yyjson_doc_get_root(document), 1767225600 + 600),
                         rows[i].is_overdue);
    }
}

static void a_version_of_kubernetes_is_read(void **) {
    static const struct {
        const char *text;
        unsigned minor;
    } versions[] = {
        {"v1.31.0", 31}, {"v1.37.2", 37}, {"v1.32.4-gke.100", 32}, {"v1.33.1+k3s1", 33}, {"v1.9", 9}};
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        unsigned minor = UNTOUCHED;
        assert_true(check_parse_version(versions[i].text, &minor));
        assert_int_equal(minor, versions[i].minor);
    }
}

static void other_versions_are_not_read(void **) {
    static const char *const texts[] = {"",       "v1",   "v1.",        "v2.0.0",
                                        "1.31.0", "v1.x", "v1.99999.0", "v11.31.0"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        unsigned minor = UNTOUCHED;
        assert_false(check_parse_version(texts[i], &minor));
        assert_int_equal(minor, UNTOUCHED);
    }
}

static void versions_of_openssl_with_the_fix(void **) {
    static const struct {
        unsigned major;
        unsigned minor;
        unsigned patch;
        bool is_fixed;
    } versions[] = {
        {3, 5, 0, false}, {3, 5, 5, false}, {3, 5, 6, true},  {3, 5, 9, true},
        {3, 5, 10, true}, {3, 6, 0, false}, {3, 6, 1, false}, {3, 6, 2, true},
        {3, 7, 0, true},  {4, 0, 0, true},  {4, 5, 1, true},
    };
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        assert_int_equal(check_openssl_is_fixed(versions[i].major, versions[i].minor, versions[i].patch),
                         versions[i].is_fixed);
    }
}

static void hybrid_groups_are_post_quantum(void **) {
    assert_true(check_is_post_quantum("X25519MLKEM768"));
    assert_true(check_is_post_quantum("SecP256r1MLKEM768"));
    assert_false(check_is_post_quantum("X25519"));
    assert_false(check_is_post_quantum("secp256r1"));
    assert_false(check_is_post_quantum(""));
}

// ---- certificates

static void a_certificate_is_judged_by_its_dates(void **) {
    static const struct {
        int64_t now;
        enum check_level level;
    } cases[] = {
        {-1, CHECK_FAIL},  {0, CHECK_OK},     {899, CHECK_OK},    {900, CHECK_OK},
        {901, CHECK_WARN}, {999, CHECK_WARN}, {1000, CHECK_FAIL}, {INT64_MAX / 2, CHECK_FAIL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(check_evaluate_lifetime(0, 1000, cases[i].now), cases[i].level);
    }
    assert_int_equal(check_evaluate_lifetime(0, YEAR, YEAR - YEAR / 20), CHECK_WARN);
}

// ---- refusals

static enum check_refusal read_refusal(enum error_class class, const char *message) {
    struct error error;
    (void)error_set(&error, class, "POST /apis/x: %s (HTTP status 4xx)", message);
    return check_read_refusal(&error, "validate.qubesec.io");
}

static void who_refused_is_read_from_the_message(void **) {
    assert_int_equal(
        read_refusal(ERROR_FORBIDDEN,
                     "admission webhook \"validate.qubesec.io\" denied the request: spec.x: is wrong"),
        CHECK_REFUSED);
    assert_int_equal(read_refusal(ERROR_RETRYABLE,
                                  "Internal error occurred: failed calling webhook \"validate.qubesec.io\": "
                                  "failed to call webhook: Post \"https://x\": connection refused"),
                     CHECK_UNREACHABLE);
    assert_int_equal(read_refusal(ERROR_FORBIDDEN,
                                  "quantumcertificates.qubesec.io is forbidden: User \"u\" cannot create "
                                  "resource \"quantumcertificates\" in API group \"qubesec.io\""),
                     CHECK_NOT_PERMITTED);
    assert_int_equal(
        read_refusal(ERROR_FORBIDDEN, "admission webhook \"policy.example.com\" denied the request: no"),
        CHECK_OTHER_REFUSAL);
    assert_int_equal(read_refusal(ERROR_FORBIDDEN, "exceeded quota: objects"), CHECK_OTHER_REFUSAL);
    assert_int_equal(read_refusal(ERROR_NOT_FOUND, "namespaces \"x\" not found"), CHECK_OTHER_REFUSAL);
}

// ---- what the webhook is tried with

static bool decode(const char *json, struct error *e) {
    const struct kind *kind = &kind_certificate;
    cleanup_json yyjson_doc *document = nullptr;
    must(json_parse(json, strlen(json), &document, e), *e);
    struct spec_reader reader = {.spec = yyjson_doc_get_root(document), .faults = buffer_create(FAULTS_MAX)};
    void *spec = memory_allocate_zeroed(1, kind->spec_size);
    kind_read_spec(kind, &reader, spec);
    bool sound = spec_finish(&reader, e);
    kind->free_spec(spec);
    memory_free(spec);
    buffer_done(&reader.faults);
    return sound;
}

static void the_specs_for_dry_runs_are_what_they_are_called(void **) {
    struct error e;
    must(decode(check_valid_spec, &e), e);
    must_fail(decode(check_invalid_spec, &e), e, ERROR_INVALID_SPEC, "spec.subjectAltNames[0]: ");
}

// ---- flags

static const char *find_flag(const char *container) {
    static char value[64];
    cleanup_json yyjson_doc *document = parse_quoted(container);
    const char *found = check_find_flag(yyjson_doc_get_root(document), "--encryption-provider-config");
    if (found != nullptr) {
        snprintf(value, sizeof(value), "%s", found);
    }
    return found == nullptr ? nullptr : value;
}

static void a_flag_is_found_in_each_of_its_forms(void **) {
    assert_string_equal(
        find_flag("{'command':['kube-apiserver','--v=2','--encryption-provider-config=/etc/enc.yaml']}"),
        "/etc/enc.yaml");
    assert_string_equal(
        find_flag("{'command':['kube-apiserver','--encryption-provider-config','/etc/enc.yaml','--v=2']}"),
        "/etc/enc.yaml");
    assert_string_equal(
        find_flag("{'command':['kube-apiserver'],'args':['--encryption-provider-config=/etc/enc.yaml']}"),
        "/etc/enc.yaml");
}

static void a_flag_that_is_not_there_is_not_found(void **) {
    assert_null(find_flag("{}"));
    assert_null(find_flag("{'command':['kube-apiserver','--v=2']}"));
    assert_null(find_flag("{'command':['kube-apiserver','--encryption-provider-config']}"));
    assert_null(find_flag("{'command':['--encryption-provider-config-automatic-reload=true']}"));
    assert_null(find_flag("{'command':[7,'/bin/sh -c --encryption-provider-config=x']}"));
}

// ---- metrics

#define OPERATIONS "apiserver_storage_transformation_operations_total{resource="

// ' stands for " in metrics.
static struct check_storage read_storage(const char *metrics) {
    char *text = memory_copy_text(metrics);
    unquote(text);
    struct check_storage storage = check_read_storage(text);
    memory_free(text);
    return storage;
}

// As kube-apiserver 1.37 writes them: what is encrypted is counted again with the prefix of the key.
static void operations_on_secrets_are_counted(void **) {
    static const char *const lines[] = {
        "# TYPE apiserver_storage_transformation_operations_total counter\n",
        OPERATIONS "'configmaps',status='OK',transformation_type='to_storage',transformer_prefix=''} 100\n",
        OPERATIONS
        "'secrets',status='OK',transformation_type='from_storage',transformer_prefix='identity'} 7\n",
        OPERATIONS
        "'secrets',status='OK',transformation_type='from_storage',transformer_prefix='k8s:enc:kms:v2:'}"
        " 2.5e+06\n",
        OPERATIONS
        "'secrets',status='OK',transformation_type='from_storage',transformer_prefix='mine:'} 2.5e+06\n",
        OPERATIONS "'secrets',status='OK',transformation_type='to_storage',transformer_prefix=''} 3\n",
        OPERATIONS
        "'secrets',status='OK',transformation_type='to_storage',transformer_prefix='k8s:enc:aescbc:v1:'}"
        " 12\n",
        OPERATIONS "'secrets',status='OK',transformation_type='to_storage',transformer_prefix='key1:'} 12\n",
        OPERATIONS "'secrets',status='Unknown',transformation_type='to_storage',transformer_prefix=''} 100\n",
        "apiserver_storage_transformation_duration_seconds_count{resource='secrets'} 100\n",
    };
    cleanup_buffer struct buffer metrics = buffer_create(1 << 16);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        say(&metrics, "%s", lines[i]);
    }
    struct check_storage storage = read_storage(buffer_text(&metrics));
    assert_true(storage.encrypted_writes == 12);
    assert_true(storage.plain_writes == 3);
    assert_true(storage.encrypted_reads == 2.5e6);
    assert_true(storage.plain_reads == 7);
    assert_string_equal(storage.provider, "aescbc");
}

static void lines_that_are_no_samples_are_passed_over(void **) {
    struct check_storage storage =
        read_storage(OPERATIONS "\n" OPERATIONS "'secrets\n" OPERATIONS "'secrets'} 1\n" OPERATIONS
                                "'secrets',status='OK'");
    struct check_storage none = {0};
    assert_memory_equal(&storage, &none, sizeof(none));
}

// ---- encryption: never more is said than was seen

static void evaluate(const struct check_encryption_facts *facts, const char *unseen, enum check_level level,
                     const char *said) {
    struct error e;
    struct check_report *report = nullptr;
    cleanup_buffer struct buffer text = buffer_create(1 << 16);
    must(check_report_create(&report, &e), e);
    check_report_begin(report, "encryption", "etcd");
    check_evaluate_encryption(report, facts, unseen);
    assert_int_equal(check_report_count(report, level), 1);
    must(check_report_write_text(report, &text, &e), e);
    if (strstr(buffer_text(&text), said) == nullptr) {
        fail_msg("\"%s\" is not in %s", said, buffer_text(&text));
    }
    if ((strstr(buffer_text(&text), "->") == nullptr) != (level == CHECK_OK)) {
        fail_msg("what to do: %s", buffer_text(&text));
    }
    check_report_free(report);
}

static void encryption_is_what_was_seen(void **) {
    struct check_encryption_facts facts = {
        .metrics_read = true, .storage = {.encrypted_writes = 5, .encrypted_reads = 6, .provider = "aescbc"}};
    evaluate(&facts, "", CHECK_OK, "written 5 and read 6, all encrypted (aescbc)");
    facts.storage.plain_reads = 4;
    evaluate(&facts, "", CHECK_WARN, "has read 4 that are not");
    facts.storage.plain_writes = 3;
    evaluate(&facts, "", CHECK_WARN, "has written 3 to etcd unencrypted");
}

static void a_flag_alone_proves_nothing(void **) {
    struct check_encryption_facts facts = {.servers = 3, .configured = 3};
    evaluate(&facts, "/metrics is forbidden", CHECK_WARN,
             "whether it encrypts secrets could not be seen: /metrics is forbidden");
    facts.configured = 1;
    evaluate(&facts, "", CHECK_WARN, "2 of 3 kube-apiserver Pods have no --encryption-provider-config");
}

static void what_could_not_be_seen_is_said(void **) {
    struct check_encryption_facts facts = {0};
    evaluate(&facts, "pods are forbidden; /metrics is forbidden", CHECK_WARN,
             "could not be seen: pods are forbidden; /metrics is forbidden");
    facts.metrics_read = true;
    evaluate(&facts, "", CHECK_WARN, "the API server's metrics tell of no Secret that was encrypted");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rotation_is_overdue_for_so_long),
        cmocka_unit_test(a_version_of_kubernetes_is_read),
        cmocka_unit_test(other_versions_are_not_read),
        cmocka_unit_test(versions_of_openssl_with_the_fix),
        cmocka_unit_test(hybrid_groups_are_post_quantum),
        cmocka_unit_test(a_certificate_is_judged_by_its_dates),
        cmocka_unit_test(who_refused_is_read_from_the_message),
        cmocka_unit_test(the_specs_for_dry_runs_are_what_they_are_called),
        cmocka_unit_test(a_flag_is_found_in_each_of_its_forms),
        cmocka_unit_test(a_flag_that_is_not_there_is_not_found),
        cmocka_unit_test(operations_on_secrets_are_counted),
        cmocka_unit_test(lines_that_are_no_samples_are_passed_over),
        cmocka_unit_test(encryption_is_what_was_seen),
        cmocka_unit_test(a_flag_alone_proves_nothing),
        cmocka_unit_test(what_could_not_be_seen_is_said),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
