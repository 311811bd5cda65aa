// What the engine says of a Secret's content, and what it leaves when it fails. What each kind makes and
// keeps is in the tests of kinds.
#include "../kinds/support.h"

static const char message_spec[] = "{'privateKeyRef':{'name':'k'},'messageRef':{'name':'m'}}";

static struct subject key_pair(void) {
    struct subject s = subject_read(&kind_signature_key_pair, "{'algorithm':'ML-DSA-44'}");
    subject_make(&s);
    return s;
}

static struct subject signature(const struct subject *pair, const char *spec) {
    struct subject s = subject_read(&kind_sign_message, spec);
    subject_give_secret(&s, 0, pair->provenance.algorithm, entry_of(pair, "private_key"));
    subject_give(&s, 1, nullptr, "one", 3);
    return s;
}

// Examines what source holds as the output of s; the production is to be ended.
static enum output_state examine(struct subject *s, const struct subject *source, struct production *ret_p,
                                 struct error *ret_damage) {
    struct error e;
    enum output_state state = OUTPUT_ABSENT;
    cleanup_json yyjson_doc *secret = data_of_secret(source);
    *ret_p = (struct production){.decoded = &s->decoded, .context = s->context};
    memcpy(ret_p->inputs, s->inputs, sizeof(ret_p->inputs));
    must(production_examine(ret_p, yyjson_doc_get_root(secret), &state, ret_damage, &e), e);
    assert_true(ret_p->is_stored);
    return state;
}

static void what_was_made_is_good(void **) {
    struct production p;
    struct error damage;
    cleanup_subject struct subject pair = key_pair();
    cleanup_subject struct subject s = signature(&pair, message_spec);
    subject_make(&s);
    assert_int_equal(examine(&s, &s, &p, &damage), OUTPUT_GOOD);
    assert_int_equal(damage.class, ERROR_NONE);
    assert_string_equal(p.report.digest, s.report.digest);
    assert_true(p.has_provenance);
    production_done(&p);
}

static void another_input_or_spec_makes_it_stale(void **) {
    struct production p;
    struct error damage;
    cleanup_subject struct subject pair = key_pair();
    cleanup_subject struct subject s = signature(&pair, message_spec);
    subject_make(&s);
    cleanup_subject struct subject other_message = signature(&pair, message_spec);
    subject_give(&other_message, 1, nullptr, "two", 3);
    assert_int_equal(examine(&other_message, &s, &p, &damage), OUTPUT_STALE);
    assert_string_equal(p.changed, "what spec.messageRef refers to has changed: m");
    assert_false(p.has_other_parameters);
    production_done(&p);
    cleanup_subject struct subject other_context =
        signature(&pair, "{'privateKeyRef':{'name':'k'},'messageRef':{'name':'m'},'context':'c'}");
    assert_int_equal(examine(&other_context, &s, &p, &damage), OUTPUT_STALE);
    assert_string_equal(p.changed, "spec has changed");
    assert_true(p.has_other_parameters);
    production_done(&p);
}

// An input that was not read, such as a URL's, counts as what it was.
static void what_is_not_loaded_is_no_other_input(void **) {
    struct production p;
    struct error damage;
    cleanup_subject struct subject pair = key_pair();
    cleanup_subject struct subject s = signature(&pair, message_spec);
    subject_make(&s);
    s.inputs[1].bytes = nullptr;
    struct provenance wanted = {0};
    struct error e;
    struct production known = production_of(&s);
    must(production_describe(&known, &s.provenance, &wanted, &e), e);
    assert_true(provenance_same_inputs(&wanted, &s.provenance));
    must(production_describe(&known, nullptr, &wanted, &e), e);
    assert_string_equal(wanted.inputs[1].digest, "");
    s.inputs[1].bytes = s.input_bytes[1];
    assert_int_equal(examine(&s, &s, &p, &damage), OUTPUT_GOOD);
    production_done(&p);
}

static void a_status_that_knows_better_makes_the_metadata_wrong(void **) {
    struct production p;
    struct error damage;
    cleanup_subject struct subject pair = key_pair();
    cleanup_subject struct subject s = signature(&pair, message_spec);
    subject_make(&s);
    subject_remember(&s, &s, true);
    subject_give(&s, 1, nullptr, "two", 3);
    assert_int_equal(examine(&s, &s, &p, &damage), OUTPUT_DAMAGED);
    assert_string_equal(damage.message,
                        "the Secret's metadata says that it was made from another spec or other inputs");
    production_done(&p);
}

static void what_is_not_as_it_was_is_damaged(void **) {
    static const char *const messages[] = {"signature", "metadata"};
    struct production p;
    struct error damage;
    cleanup_subject struct subject pair = key_pair();
    for (size_t i = 0; i < 2; i++) {
        cleanup_subject struct subject s = signature(&pair, message_spec);
        subject_make(&s);
        secret_free(remove_entry(&s, messages[i]));
        assert_int_equal(examine(&s, &s, &p, &damage), OUTPUT_DAMAGED);
        assert_int_equal(damage.class, ERROR_CRYPTO);
        assert_non_null(strstr(damage.message, messages[i]));
        assert_int_equal(p.has_provenance, i == 0);
        production_done(&p);
    }
}

static void an_entry_that_is_no_base64_is_damage(void **) {
    struct error e;
    struct error damage;
    enum output_state state;
    cleanup_subject struct subject s = key_pair();
    cleanup_json yyjson_doc *secret = parse_quoted("{'public_key':'?','metadata':'e30='}");
    struct production p = {.decoded = &s.decoded, .context = s.context};
    must(production_examine(&p, yyjson_doc_get_root(secret), &state, &damage, &e), e);
    assert_int_equal(state, OUTPUT_DAMAGED);
    assert_non_null(strstr(damage.message, "public_key"));
    must(production_examine(&p, nullptr, &state, &damage, &e), e); // a Secret without data
    assert_int_equal(state, OUTPUT_DAMAGED);
    production_done(&p);
}

// What cannot be made leaves what is known of the output as it was.
static void a_failure_leaves_what_there_was(void **) {
    struct production p;
    struct error e;
    struct error damage;
    cleanup_subject struct subject pair = key_pair();
    cleanup_subject struct subject s = signature(&pair, message_spec);
    subject_make(&s);
    assert_int_equal(examine(&s, &s, &p, &damage), OUTPUT_GOOD);
    p.inputs[0].algorithm = "ML-DSA-87"; // which the key is not of
    assert_false(production_make(&p, &e));
    assert_int_equal(e.class, ERROR_INVALID_SPEC);
    assert_true(secret_equals(secret_data_get(&p.data, "signature"), secret_view(entry_of(&s, "signature")),
                              secret_length(entry_of(&s, "signature"))));
    assert_string_equal(p.provenance.algorithm, "ML-DSA-44");
    assert_null(p.context.previous);
    production_done(&p);
}

static void a_replacement_is_noted_with_what_is_gone(void **) {
    struct error e;
    cleanup_subject struct subject first = key_pair();
    struct production p = {.decoded = &first.decoded, .context = first.context};
    snprintf(p.replaced.reason, sizeof(p.replaced.reason), "SecretLost");
    snprintf(p.replaced.fingerprint, sizeof(p.replaced.fingerprint), "%s", first.report.fingerprint);
    must(production_make(&p, &e), e);
    assert_string_equal(p.provenance.replaced.gone, "private key");
    assert_string_equal(p.provenance.replaced.fingerprint, first.report.fingerprint);
    assert_string_equal(p.provenance.created, some_time);
    production_done(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_made_is_good),
        cmocka_unit_test(another_input_or_spec_makes_it_stale),
        cmocka_unit_test(what_is_not_loaded_is_no_other_input),
        cmocka_unit_test(a_status_that_knows_better_makes_the_metadata_wrong),
        cmocka_unit_test(what_is_not_as_it_was_is_damaged),
        cmocka_unit_test(an_entry_that_is_no_base64_is_damage),
        cmocka_unit_test(a_failure_leaves_what_there_was),
        cmocka_unit_test(a_replacement_is_noted_with_what_is_gone),
    };
    return cmocka_run_group_tests_name("engine/production", tests, nullptr, nullptr);
}
