#include "../kube/objects.h"

#include "check/report.h"

static struct check_report *report;
static struct buffer text;

static int set_up(void **) {
    struct error e;
    text = buffer_create(1 << 20);
    return check_report_create(&report, &e) ? 0 : -1;
}

static int tear_down(void **) {
    check_report_free(report);
    buffer_done(&text);
    return 0;
}

static void fill(void) {
    check_report_begin(report, "api", "API server");
    check_note(report, CHECK_OK, "version", "v1.%d", 37);
    check_note(report, CHECK_WARN, "TLS", "%s", "X25519");
    check_advise(report, "Upgrade to %s.", "1.33");
    check_report_begin(report, "rights", "Rights");
    check_note(report, CHECK_FAIL, "secrets", "may not get them");
    check_advise(report, "Apply the roles.");
    check_details(report, "get secrets\nlist secrets");
}

static void text_is_aligned_in_groups(void **) {
    struct error e;
    fill();
    must(check_report_write_text(report, &text, &e), e);
    assert_string_equal(buffer_text(&text), "API server\n"
                                            "  OK    version  v1.37\n"
                                            "  WARN  TLS      X25519\n"
                                            "                 -> Upgrade to 1.33.\n"
                                            "\n"
                                            "Rights\n"
                                            "  FAIL  secrets  may not get them\n"
                                            "                 -> Apply the roles.\n"
                                            "\n"
                                            "1 OK, 1 warnings, 1 failed\n");
}

// Of what others have written nothing is done by a terminal that it is shown on.
static void control_characters_are_shown_as_spaces(void **) {
    struct error e;
    check_report_begin(report, "api", "API server");
    check_note(report, CHECK_WARN, "holder", "%s",
               "a\x1b[2Jb\r\nc\x7f\xc2\x9b"
               "d\xc3\xa9");
    check_advise(report, "Look at %s.", "\x07it");
    must(check_report_write_text(report, &text, &e), e);
    assert_string_equal(buffer_text(&text), "API server\n"
                                            "  WARN  holder  a [2Jb  c   d\xc3\xa9\n"
                                            "                -> Look at  it.\n"
                                            "\n"
                                            "0 OK, 1 warnings, 0 failed\n");
}

static const char expected[] =
    "{'version':'" QUBESEC_VERSION "','findings':["
    "{'group':'API server','check':'api','subject':'version','level':'ok','message':'v1.37'},"
    "{'group':'API server','check':'api','subject':'TLS','level':'warn','message':'X25519',"
    "'remedy':'Upgrade to 1.33.'},"
    "{'group':'Rights','check':'rights','subject':'secrets','level':'fail','message':'may not get them',"
    "'remedy':'Apply the roles.','details':['get secrets','list secrets']}],"
    "'summary':{'ok':1,'warn':1,'fail':1}}";

static void json_says_the_same(void **) {
    struct error e;
    fill();
    must(check_report_write_json(report, &text, &e), e);
    assert_same_json(buffer_text(&text), expected);
    assert_int_equal(buffer_text(&text)[text.length - 1], '\n');
}

static void json_can_be_written_again_after_more_was_found(void **) {
    struct error e;
    must(check_report_write_json(report, &text, &e), e);
    assert_same_json(buffer_text(&text),
                     "{'version':'" QUBESEC_VERSION "','findings':[],'summary':{'ok':0,'warn':0,'fail':0}}");
    buffer_done(&text);
    fill();
    must(check_report_write_json(report, &text, &e), e);
    assert_same_json(buffer_text(&text), expected);
}

static void findings_are_counted_by_level(void **) {
    fill();
    check_note(report, CHECK_FAIL, "leases", "may not get them");
    assert_int_equal(check_report_count(report, CHECK_OK), 1);
    assert_int_equal(check_report_count(report, CHECK_WARN), 1);
    assert_int_equal(check_report_count(report, CHECK_FAIL), 2);
}

// What a server said may hold anything, and is cut where it is long.
static void any_text_can_be_shown(void **) {
    struct error e;
    char said[4096];
    memset(said, 'x', sizeof(said));
    said[sizeof(said) - 1] = '\0';
    check_report_begin(report, "api", "API server");
    check_note(report, CHECK_FAIL, "reachable", "a\xff\x80z \"%s\"", "quoted");
    check_note(report, CHECK_FAIL, "reachable", "%s", said);
    must(check_report_write_json(report, &text, &e), e);
    assert_non_null(strstr(buffer_text(&text), "a??z \\\"quoted\\\""));
    must(check_report_write_text(report, &text, &e), e);
}

static void memory_that_is_out_shows_when_it_is_written(void **) {
    check_report_free(report);
    report = nullptr;
    for (size_t allowed = 0; report == nullptr; allowed++) {
        struct error e = {0};
        struct check_report *made = nullptr;
        atomic_store(&memory_left, (long)allowed);
        bool done = check_report_create(&made, &e);
        if (done) {
            report = made;
            fill();
            done = check_report_write_text(report, &text, &e);
        }
        atomic_store(&memory_left, -1);
        buffer_done(&text);
        if (!done) {
            assert_int_equal(e.class, ERROR_NO_MEMORY);
            check_report_free(report);
            report = nullptr;
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(text_is_aligned_in_groups, set_up, tear_down),
        cmocka_unit_test_setup_teardown(control_characters_are_shown_as_spaces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_says_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_can_be_written_again_after_more_was_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(findings_are_counted_by_level, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_text_can_be_shown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_that_is_out_shows_when_it_is_written, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
