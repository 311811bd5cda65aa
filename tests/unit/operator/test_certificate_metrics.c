// Stores that are filled by hand, and what is written of them.
#include "object_metrics.h"

#include "operator/certificate_metrics.h"

enum { MANY = 6000, OLD_LIMIT = 16 * 1024 * 1024 };

static const struct object_metrics_family *const families[] = {&certificate_metrics, nullptr};

static void apply(const char *name, const char *more) {
    char object[2000];
    struct error e;
    snprintf(object, sizeof(object),
             "{'metadata':{'namespace':'ns','name':'%s','uid':'uid-%s','resourceVersion':'1'}%s}", name, name,
             more);
    must(store_apply(informers_find_store(informers, "QuantumCertificate", "ns"), object_of(object), &e), e);
}

static void write_all(void) {
    write_families(families);
}

static void without_certificates_there_is_no_text(void **) {
    apply("waiting", ",'status':{'status':'Pending'}");
    write_all();
    assert_string_equal(buffer_text(&text), "");
}

static void a_certificate_has_its_times_and_its_condition(void **) {
    apply("web", ",'spec':{'parentCARef':{'name':'root'}},'status':{'notBefore':'1970-01-01T00:00:01Z',"
                 "'notAfter':'1970-01-01T00:01:40Z','renewalTime':'1970-01-01T00:00:50Z',"
                 "'conditions':[{'type':'Ready','status':'False'}]}");
    write_all();
    assert_string_equal(
        buffer_text(&text),
        "# HELP qubesec_certificate_expiration_timestamp_seconds When the certificate expires, in seconds "
        "since 1970\n"
        "# TYPE qubesec_certificate_expiration_timestamp_seconds gauge\n"
        "qubesec_certificate_expiration_timestamp_seconds{name=\"web\",namespace=\"ns\",issuer_name=\"root\"}"
        " "
        "100\n"
        "# HELP qubesec_certificate_not_before_timestamp_seconds From when on the certificate is valid, in "
        "seconds since 1970\n"
        "# TYPE qubesec_certificate_not_before_timestamp_seconds gauge\n"
        "qubesec_certificate_not_before_timestamp_seconds{name=\"web\",namespace=\"ns\",issuer_name=\"root\"}"
        " "
        "1\n"
        "# HELP qubesec_certificate_renewal_timestamp_seconds When the certificate is to be renewed, in "
        "seconds since 1970\n"
        "# TYPE qubesec_certificate_renewal_timestamp_seconds gauge\n"
        "qubesec_certificate_renewal_timestamp_seconds{name=\"web\",namespace=\"ns\",issuer_name=\"root\"} "
        "50\n"
        "# HELP qubesec_certificate_ready_status 1 for the status that the certificate's Ready condition "
        "has\n"
        "# TYPE qubesec_certificate_ready_status gauge\n"
        "qubesec_certificate_ready_status{condition=\"True\",name=\"web\",namespace=\"ns\",issuer_name="
        "\"root\"} 0\n"
        "qubesec_certificate_ready_status{condition=\"False\",name=\"web\",namespace=\"ns\",issuer_name="
        "\"root\"} 1\n"
        "qubesec_certificate_ready_status{condition=\"Unknown\",name=\"web\",namespace=\"ns\",issuer_name="
        "\"root\"} 0\n");
}

static size_t count_lines(const char *start) {
    size_t count = 0;
    for (const char *line = buffer_text(&text); *line != '\0'; line = strchr(line, '\n') + 1) {
        count += strncmp(line, start, strlen(start)) == 0 ? 1 : 0;
    }
    return count;
}

// More text than one answer could hold before, and none of it is held at once.
static void there_may_be_many(void **) {
    struct error e;
    char filler[234] = ""; // names may have 253 bytes
    memset(filler, 'x', sizeof(filler) - 1);
    for (int i = 0; i < MANY; i++) {
        char name[300];
        char more[600];
        snprintf(name, sizeof(name), "certificate-%d-%s", i, filler);
        snprintf(more, sizeof(more),
                 ",'spec':{'parentCARef':{'name':'%s'}},"
                 "'status':{'notAfter':'2030-01-01T00:00:00Z','notBefore':'2029-01-01T00:00:00Z'}",
                 filler);
        apply(name, more);
    }
    must(buffer_append_text(&text, "\n", &e), e);
    write_all();
    assert_true(text.length > OLD_LIMIT);
    assert_true(parts > text.length / PART_MAX);
    assert_int_equal(count_lines("qubesec_certificate_expiration_timestamp_seconds{"), MANY);
    assert_int_equal(count_lines("qubesec_certificate_not_before_timestamp_seconds{"), MANY);
    assert_int_equal(count_lines("qubesec_certificate_ready_status{"), 3 * (size_t)MANY);
    assert_int_equal(count_lines("# TYPE "), 3); // none of them has a time of renewal
}

// What is written is what there was at the beginning, whatever happens meanwhile.
static void what_goes_meanwhile_is_written_all_the_same(void **) {
    struct error e;
    struct object_metrics *all;
    apply("web", ",'status':{'notAfter':'2030-01-01T00:00:00Z'}");
    must(object_metrics_create(indexes, families, &all, &e), e);
    struct kube_object *gone =
        object_of("{'metadata':{'namespace':'ns','name':'web','uid':'uid-web','resourceVersion':'2'}}");
    store_remove(informers_find_store(informers, "QuantumCertificate", "ns"), gone);
    must(object_metrics_write(all, &text, &e), e);
    assert_non_null(strstr(buffer_text(&text), "{name=\"web\""));
    object_metrics_free(all);
    object_metrics_free(nullptr);
}

static void without_memory_there_are_none(void **) {
    apply("web", ",'status':{'notAfter':'2030-01-01T00:00:00Z'}");
    create_short_of_memory(families);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_certificates_there_is_no_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_certificate_has_its_times_and_its_condition, set_up, tear_down),
        cmocka_unit_test_setup_teardown(there_may_be_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_goes_meanwhile_is_written_all_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_memory_there_are_none, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("operator/certificate_metrics", tests, nullptr, nullptr);
}
