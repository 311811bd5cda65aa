// spec.rotation: what is read of it, and what holds between its fields and the rest of a spec.
#include "../kinds/support.h"

#include "engine/spec_rotation.h"

#include <sys/resource.h>

static char warnings[1024];

static void hear_warnings(void *, enum spec_note note, const char *field, const char *message) {
    size_t length = strlen(warnings);
    if (note == SPEC_WARNING) {
        snprintf(warnings + length, sizeof(warnings) - length, "%s: %s\n", field, message);
    }
}

static void assert_warns(const struct kind *kind, const char *spec, const char *expected) {
    struct error e;
    cleanup_json yyjson_doc *document = parse_quoted(spec);
    cleanup_decoded struct decoded decoded = {0};
    warnings[0] = '\0';
    must(decode_spec(kind, "it", yyjson_doc_get_root(document), hear_warnings, nullptr, &decoded, &e), e);
    assert_string_equal(warnings, expected);
}

static struct rotation_spec rotation_of(const struct kind *kind, const char *spec) {
    cleanup_subject struct subject s = subject_read(kind, spec);
    struct rotation_spec rotation = s.decoded.common.rotation;
    rotation.schedule = nullptr; // which is borrowed from what is freed now
    rotation.time_zone = nullptr;
    return rotation;
}

// Another time it may be good.
static void a_time_zone_that_cannot_be_read_now_is_no_fault(void **) {
    struct error e;
    struct rlimit limit;
    cleanup_decoded struct decoded decoded = {0};
    cleanup_json yyjson_doc *document =
        parse_quoted("{'rotation':{'every':'24h','window':{'schedule':'0 3 * * *','timeZone':'Europe/Oslo',"
                     "'duration':'1h'}}}");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    bool good =
        decode_spec(&kind_random_number, "it", yyjson_doc_get_root(document), nullptr, nullptr, &decoded, &e);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_false(good);
    assert_int_equal(e.class, ERROR_IO);
    assert_non_null(strstr(e.message, "spec.rotation.window.timeZone: the time zone Europe/Oslo: "));
}

static void without_it_there_are_no_rotations(void **) {
    for (const struct kind *const *kind = kind_table; *kind != nullptr; kind++) {
        if ((*kind)->is_rotatable) {
            static const char *const absent[] = {
                "{'publicKeyRef':{'name':'a'},'certType':'ca','commonName':'x'}",
                "{'publicKeyRef':{'name':'a'},'certType':'ca','commonName':'x','rotation':null}"};
            for (size_t i = 0; i < 2; i++) {
                struct rotation_spec rotation = rotation_of(*kind, absent[i]);
                assert_false(rotation.is_given);
                assert_int_equal(rotation.every_s, 0);
            }
        }
    }
    // What only other kinds have is as if it were not there.
    static const char signed_message[] =
        "{'privateKeyRef':{'name':'x'},'messageRef':{'name':'x'},'rotation':{'every':'1h'}}";
    assert_false(rotation_of(&kind_sign_message, signed_message).is_given);
}

static void an_empty_one_is_on_request(void **) {
    cleanup_subject struct subject s = subject_read(&kind_random_number, "{'rotation':{}}");
    const struct rotation_spec *rotation = &s.decoded.common.rotation;
    assert_true(rotation->is_given);
    assert_int_equal(rotation->every_s, 0);
    assert_int_equal(rotation->keep, 1);
    assert_int_equal(rotation->keep_for_s, 0);
    assert_int_equal(rotation->publish_ahead_s, 0);
    assert_null(rotation->schedule);
    assert_string_equal(rotation->time_zone, "UTC");
    assert_int_equal(rotation->window_s, 0);
}

static void each_field_goes_to_its_place(void **) {
    cleanup_subject struct subject s =
        subject_read(&kind_kem_key_pair,
                     "{'rotation':{'every':'720h','keep':3,'keepFor':'24h','publishAhead':'90m','window':"
                     "{'schedule':'0 2 * * SAT','timeZone':'Europe/Zurich','duration':'4h'}}}");
    const struct rotation_spec *rotation = &s.decoded.common.rotation;
    assert_true(rotation->is_given);
    assert_int_equal(rotation->every_s, 720 * 3600);
    assert_int_equal(rotation->keep, 3);
    assert_int_equal(rotation->keep_for_s, 24 * 3600);
    assert_int_equal(rotation->publish_ahead_s, 90 * 60);
    assert_string_equal(rotation->schedule, "0 2 * * SAT");
    assert_string_equal(rotation->time_zone, "Europe/Zurich");
    assert_int_equal(rotation->window_s, 4 * 3600);
}

static void each_field_has_bounds(void **) {
    assert_good_spec(&kind_kem_key_pair, "{'rotation':{'every':'10m','publishAhead':'1s','keepFor':'1s'}}");
    assert_good_spec(&kind_kem_key_pair, "{'rotation':{'every':'876000h','keep':16}}");
    assert_faults(&kind_kem_key_pair, "{'rotation':{'every':'599s'}}",
                  "spec.rotation.every: 599s is not between 600 s and 3153600000 s");
    assert_faults(&kind_kem_key_pair, "{'rotation':{'keep':17}}",
                  "spec.rotation.keep: 17 is not between 1 and 16");
    assert_faults(&kind_kem_key_pair,
                  "{'rotation':{'every':'1h','window':{'schedule':'@daily','duration':'169h','timeZone':7}}}",
                  "spec.rotation.window.timeZone: must be a text, not 7; "
                  "spec.rotation.window.duration: 169h is not between 60 s and 604800 s");
    assert_faults(&kind_kem_key_pair, "{'rotation':'weekly'}",
                  "spec.rotation: must be an object with every, keep, keepFor, publishAhead and window, not "
                  "the text \"weekly\"");
    assert_faults(
        &kind_kem_key_pair, "{'rotation':{'every':'1h','window':[]}}",
        "spec.rotation.window: must be an object with schedule, timeZone and duration, not an array");
}

static void what_is_published_ahead_is_ahead_of_one_rotation(void **) {
    assert_good_spec(&kind_kem_key_pair, "{'rotation':{'every':'1h','publishAhead':'3599s'}}");
    assert_faults(&kind_kem_key_pair, "{'rotation':{'every':'1h','publishAhead':'60m'}}",
                  "spec.rotation.publishAhead: 3600 s is not shorter than spec.rotation.every, 3600 s");
    // On request it is published and used so long after.
    assert_good_spec(&kind_kem_key_pair, "{'rotation':{'publishAhead':'60m'}}");
}

static void a_window_is_whole(void **) {
    assert_faults(&kind_kem_key_pair, "{'rotation':{'every':'1h','window':{}}}",
                  "spec.rotation.window.schedule: is required with spec.rotation.window; "
                  "spec.rotation.window.duration: is required with spec.rotation.window");
    assert_faults(&kind_kem_key_pair, "{'rotation':{'window':{'schedule':'@daily','duration':'1h'}}}",
                  "spec.rotation.window: says when a rotation may begin, and nothing says how often; set "
                  "spec.rotation.every, or remove it");
    // One fault is told once.
    assert_faults(
        &kind_kem_key_pair, "{'rotation':{'every':'soon','window':{'schedule':'@daily','duration':'1h'}}}",
        "spec.rotation.every: \"soon\" is not a length of time such as 90m, 1h30m or 2160h; a day is "
        "24h");
}

static void assert_fault_of(const char *spec, const char *start) {
    struct error e = {0};
    cleanup_subject struct subject s = {0};
    assert_false(subject_try_read(&kind_kem_key_pair, spec, &s, &e));
    assert_int_equal(e.class, ERROR_INVALID_SPEC);
    assert_memory_equal(e.message, start, strlen(start));
    assert_null(strstr(e.message, "; spec."));
}

static void schedule_and_zone_must_be_understood(void **) {
    assert_good_spec(&kind_kem_key_pair,
                     "{'rotation':{'every':'1h','window':{'schedule':'*/5 1-3 1,15 jan *','duration':'1m',"
                     "'timeZone':''}}}");
    assert_fault_of("{'rotation':{'every':'1h','window':{'schedule':'60 * * * *','duration':'1m'}}}",
                    "spec.rotation.window.schedule: ");
    assert_fault_of("{'rotation':{'every':'1h','window':{'schedule':'','duration':'1m'}}}",
                    "spec.rotation.window.schedule: ");
    assert_fault_of("{'rotation':{'every':'1h','window':{'schedule':'@daily','duration':'1m',"
                    "'timeZone':'Europe/Atlantis'}}}",
                    "spec.rotation.window.timeZone: ");
    assert_fault_of("{'rotation':{'every':'1h','window':{'schedule':'@daily','duration':'1m',"
                    "'timeZone':'../passwd'}}}",
                    "spec.rotation.window.timeZone: ");
}

static void what_would_always_wait_is_warned_of(void **) {
    assert_warns(&kind_kem_key_pair, "{'rotation':{'every':'1h','keep':2,'keepFor':'2h'}}", "");
    assert_warns(
        &kind_kem_key_pair, "{'rotation':{'every':'1h','keep':2,'keepFor':'7201s'}}",
        "spec.rotation.keepFor: 7201 s is more than spec.rotation.every times spec.rotation.keep, 7200 "
        "s: each rotation would wait for it\n");
    assert_warns(&kind_kem_key_pair, "{'rotation':{'keepFor':'7201s'}}", "");
    assert_warns(&kind_kem_key_pair, "{'rotation':{'every':'876000h','keep':16,'keepFor':'876000h'}}", "");
}

// ---- that all versions fit into one Secret

static void as_many_are_kept_as_fit(void **) {
    assert_good_spec(&kind_random_number, "{'numBytes':65536,'rotation':{'keep':12}}");
    assert_faults(&kind_random_number, "{'numBytes':65536,'rotation':{'keep':13}}",
                  "spec.rotation.keep: 13 is too many for one Secret; at most 12 fit for versions of 65536 "
                  "bytes each");
    assert_good_spec(&kind_random_number, "{'numBytes':54101,'rotation':{'keep':16}}");
    assert_good_spec(&kind_random_number, "{'numBytes':65536}");
    // Of keys all fit.
    static const char *const algorithms[] = {"ML-DSA-87", "SLH-DSA-SHA2-256f"};
    for (size_t i = 0; i < 2; i++) {
        char spec[100];
        snprintf(spec, sizeof(spec), "{'algorithm':'%s','rotation':{'keep':16}}", algorithms[i]);
        assert_good_spec(&kind_signature_key_pair, spec);
    }
}

static size_t toy_bytes;

static size_t bytes_of_toy(const void *) {
    return toy_bytes;
}

// Whether keep previous versions of bytes each may be kept; else *e says why not.
static bool fits(size_t bytes, int64_t keep, struct error *e) {
    const struct kind toy = {.kind = "Toy", .is_rotatable = true, .version_bytes = bytes_of_toy};
    const struct rotation_spec rotation = {.is_given = true, .keep = keep, .time_zone = "UTC"};
    struct spec_reader reader = {.faults = buffer_create(900)};
    spec_begin(&reader, nullptr);
    toy_bytes = bytes;
    spec_rotation_check(&reader, &toy, nullptr, &rotation);
    return spec_finish(&reader, e);
}

static void the_bound_is_exact(void **) {
    struct error e;
    char most_text[64];
    for (int64_t keep = 1; keep <= 16; keep++) {
        size_t most = ROTATION_SECRET_MAX / (size_t)(keep + 2) - ROTATION_VERSION_OVERHEAD;
        must(fits(most, keep, &e), e);
        snprintf(most_text, sizeof(most_text), "at most %d fit", (int)keep);
        must_fail(fits(most, keep + 1, &e), e, ERROR_INVALID_SPEC, most_text);
        assert_false(fits(most + 1, keep, &e));
    }
}

static void that_none_fits_is_said(void **) {
    struct error e;
    must_fail(fits(400000, 1, &e), e, ERROR_INVALID_SPEC,
              "spec.rotation.keep: no previous version fits into a Secret for versions of 400000 bytes each; "
              "remove spec.rotation");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_zone_that_cannot_be_read_now_is_no_fault),
        cmocka_unit_test(without_it_there_are_no_rotations),
        cmocka_unit_test(an_empty_one_is_on_request),
        cmocka_unit_test(each_field_goes_to_its_place),
        cmocka_unit_test(each_field_has_bounds),
        cmocka_unit_test(what_is_published_ahead_is_ahead_of_one_rotation),
        cmocka_unit_test(a_window_is_whole),
        cmocka_unit_test(schedule_and_zone_must_be_understood),
        cmocka_unit_test(what_would_always_wait_is_warned_of),
        cmocka_unit_test(as_many_are_kept_as_fit),
        cmocka_unit_test(the_bound_is_exact),
        cmocka_unit_test(that_none_fits_is_said),
    };
    return cmocka_run_group_tests_name("engine/spec_rotation", tests, nullptr, nullptr);
}
