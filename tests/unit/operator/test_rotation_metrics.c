// Stores that are filled by hand, and what is written of them.
#include "object_metrics.h"

#include "operator/certificate_metrics.h"
#include "operator/rotation_metrics.h"

enum { MANY = 2000 };

#define NEXT "qubesec_rotation_next_timestamp_seconds"
#define OLDEST "qubesec_rotation_oldest_version_timestamp_seconds"

static const struct object_metrics_family *const families[] = {&certificate_metrics, &rotation_metrics,
                                                               nullptr};

static void apply(const char *kind, const char *name, const char *status) {
    char object[2000];
    struct error e;
    snprintf(object, sizeof(object),
             "{'metadata':{'namespace':'ns','name':'%s','uid':'uid-%s','resourceVersion':'1'},'status':{%s}}",
             name, name, status);
    must(store_apply(informers_find_store(informers, kind, "ns"), object_of(object), &e), e);
}

static const char *write_all(void) {
    buffer_done(&text);
    write_families(families);
    return buffer_text(&text);
}

static size_t count(const char *part) {
    size_t count = 0;
    for (const char *at = buffer_text(&text); (at = strstr(at, part)) != nullptr; at++) {
        count++;
    }
    return count;
}

static void what_was_never_rotated_has_none(void **) {
    assert_string_equal(write_all(), "");
    apply("QuantumKEMKeyPair", "pair", "'status':'Success','version':1");
    assert_string_equal(write_all(), "");
}

static void the_oldest_version_is_one_that_is_kept(void **) {
    apply("QuantumKEMKeyPair", "pair",
          "'version':7,'nextRotationTime':'1970-01-01T00:16:40Z','versions':["
          "{'version':8,'state':'Next','createdTime':'1970-01-01T00:00:01Z'},"
          "{'version':7,'state':'Active','activeTime':'1970-01-01T00:00:02Z'},"
          "{'version':6,'state':'Retired','createdTime':'1970-01-01T00:00:03Z',"
          "'activeTime':'1970-01-01T00:01:40Z'},"
          "{'version':5,'state':'Retired','createdTime':'1970-01-01T00:00:03Z',"
          "'activeTime':'1970-01-01T00:01:30Z'}]");
    assert_string_equal(
        write_all(),
        "# HELP " NEXT " When the object is to be rotated, in seconds since 1970\n"
        "# TYPE " NEXT " gauge\n" NEXT "{name=\"pair\",namespace=\"ns\",kind=\"QuantumKEMKeyPair\"} 1000\n"
        "# HELP " OLDEST " When the oldest of the previous versions that are kept came into use, in seconds "
        "since 1970\n"
        "# TYPE " OLDEST " gauge\n" OLDEST
        "{name=\"pair\",namespace=\"ns\",kind=\"QuantumKEMKeyPair\"} 90\n");
}

static void each_is_there_where_the_status_says_so(void **) {
    apply("QuantumRandomNumber", "first",
          "'nextRotationTime':'1970-01-01T00:16:40Z','versions':["
          "{'version':1,'state':'Active'}]");
    apply("QuantumDerivedKey", "follower",
          "'versions':[{'version':2,'state':'Active','activeTime':'1970-01-01T00:00:02Z'},"
          "{'version':1,'state':'Retired','createdTime':'1970-01-01T00:00:05Z'},"
          "{'version':0,'state':'Retired','createdTime':'never'}]");
    apply("QuantumSignatureKeyPair", "odd", "'nextRotationTime':5,'versions':['a',{'state':'Retired'}]");
    write_all();
    assert_int_equal(count(NEXT "{"), 1);
    assert_int_equal(count(NEXT "{name=\"first\",namespace=\"ns\",kind=\"QuantumRandomNumber\"} 1000\n"), 1);
    assert_int_equal(count(OLDEST "{"), 1);
    assert_int_equal(count(OLDEST "{name=\"follower\",namespace=\"ns\",kind=\"QuantumDerivedKey\"} 5\n"), 1);
}

// In parts, each metric whole and with one heading, whatever comes before it.
static void there_may_be_many_beside_as_many_certificates(void **) {
    for (int i = 0; i < MANY; i++) {
        char name[40];
        snprintf(name, sizeof(name), "number-%d", i);
        apply("QuantumRandomNumber", name,
              "'nextRotationTime':'2030-01-01T00:00:00Z','versions':[{'state':'Retired',"
              "'activeTime':'2029-01-01T00:00:00Z'}]");
        apply("QuantumCertificate", name, "'notAfter':'2030-01-01T00:00:00Z'");
    }
    write_all();
    assert_true(text.length > (size_t)4 * PART_MAX);
    assert_int_equal(count(NEXT "{"), MANY);
    assert_int_equal(count(OLDEST "{"), MANY);
    assert_int_equal(count("qubesec_certificate_expiration_timestamp_seconds{"), MANY);
    assert_int_equal(count("qubesec_certificate_ready_status{"), 3 * (size_t)MANY);
    assert_int_equal(count("# TYPE "), 4);
    const char *heading = strstr(buffer_text(&text), "# HELP " OLDEST);
    assert_non_null(heading);
    assert_null(strstr(heading, NEXT "{"));
}

static void without_memory_there_are_none(void **) {
    apply("QuantumRandomNumber", "it", "'nextRotationTime':'2030-01-01T00:00:00Z'");
    create_short_of_memory(families);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_never_rotated_has_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_oldest_version_is_one_that_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_is_there_where_the_status_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(there_may_be_many_beside_as_many_certificates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_memory_there_are_none, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("operator/rotation_metrics", tests, nullptr, nullptr);
}
