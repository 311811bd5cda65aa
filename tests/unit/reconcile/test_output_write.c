// The output Secret while it is written: races with others, answers that are lost, and old views.
#include "cluster.h"

static void has_no_second_key(const char *first) {
    is_served("qkkp it");
    assert_string_equal(entry("secret it", "private_key"), first);
    assert_string_equal(text_at("qkkp it", "status secretRef uid"), text_at("secret it", "metadata uid"));
    assert_string_equal(text_at("qkkp it", "status secretRef resourceVersion"),
                        text_at("secret it", "metadata resourceVersion"));
}

// ---- creating

static void an_object_without_inputs_costs_two_writes(void **) {
    put("qkkp it", "spec: {}");
    run();
    asked_is("create secret it; write qkkp it status; ");
    told_is("Succeeded qkkp it; ");
    is_served("qkkp it");
    assert_string_equal(text_at("secret it", "type"), "Opaque");
    pass(DAY);
    restart();
    run();
    asked_is("");
    told_is("");
}

static void what_the_secret_carries(void **) {
    make("qkkp it", "spec: {outputSecretName: other, secretTemplate: {labels: {team: a}, "
                    "annotations: {example.com/note: b}}}");
    assert_false(is_there("secret it"));
    assert_string_equal(text_at("secret other", "metadata labels team"), "a");
    assert_string_equal(text_at("secret other", "metadata labels app.kubernetes.io/managed-by"), "qubesec");
    assert_string_equal(text_at("secret other", "metadata annotations example.com/note"), "b");
    assert_string_equal(text_at("secret other", "metadata annotations qubesec.io/owner"),
                        "QuantumKEMKeyPair/it");
    assert_string_equal(text_at("secret other", "metadata annotations qubesec.io/owner-namespace"), "ns");
    assert_string_equal(text_at("secret other", "metadata annotations qubesec.io/owner-uid"),
                        text_at("qkkp it", "metadata uid"));
    owner_is("secret other", "qkkp it");
    assert_true(yyjson_is_true(at(get("secret other"), "metadata ownerReferences 0 controller")));
}

static void the_answer_to_a_create_is_lost(void **state) {
    static const struct {
        const char *name;
        bool is_silent;
        const char *asked;
    } rows[] = {
        {"the watch shows the Secret", false, "create secret it; get secret it; write qkkp it status; "},
        {"the watch does not", true,
         "create secret it; create secret it; get secret it; write qkkp it status; "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin_row(rows[i].name, state);
        fault((struct fault){.request = "create secret it", .class = ERROR_IO, .is_executed = true});
        put("qkkp it", "spec: {}");
        cluster.is_silent = rows[i].is_silent;
        run();
        const char *first = entry("secret it", "private_key");
        pass(SECOND);
        asked_is(rows[i].asked);
        has_no_second_key(first);
        told_is("Succeeded qkkp it; ");
        hear();
        run();
        asked_is("");
    }
}

static void test_trap_29_a_store_that_is_behind_makes_no_second_key(void **) {
    put("qkkp it", "spec: {}");
    silence();
    run();
    const char *first = entry("secret it", "private_key");
    has_no_second_key(first);
    // The first status, before the Secret was there, comes again.
    put_status("qkkp it", "status: null");
    hear();
    run();
    has_no_second_key(first);
}

static void a_name_that_is_refused_as_taken_although_it_is_free(void **) {
    fault((struct fault){.request = "create secret it", .class = ERROR_CONFLICT, .message = "a policy"});
    put("qkkp it", "spec: {}");
    run();
    asked_is("create secret it; get secret it; ");
    assert_int_equal(cluster.outcome.error.class, ERROR_RETRYABLE);
    assert_string_equal(cluster.outcome.error.message, "writing Secret it: a policy");
    status_is("qkkp it", "", "");
    pass(SECOND);
    is_served("qkkp it");
}

static void a_namespace_that_ends(void **) {
    fault((struct fault){.request = "create secret it", .class = ERROR_NOT_FOUND, .count = FOREVER});
    put("qkkp it", "spec: {}");
    run();
    assert_int_equal(cluster.outcome.error.class, ERROR_RETRYABLE);
    status_is("qkkp it", "", "");
    take_away("qkkp it");
    forget();
    pass(MINUTE);
    asked_is("");
    told_is("");
}

// ---- writing to one that is there

static void touch_secret(void) {
    put("secret it", "metadata: {labels: {theirs: x}}");
}

static void drop_secret(void) {
    take_away("secret it");
}

static void edit_object(void) {
    put("qkkp it", "spec: {deletionPolicy: Delete, secretTemplate: {labels: {a: c}}}");
}

static void label_object(void) {
    put("qkkp it", "metadata: {labels: {theirs: x}}");
}

static void replace_object(void) {
    take_away("qkkp it");
    collect();
    put("qkkp it", "spec: {}");
}

static void conflicts_are_looked_at_again(void **state) {
    static const struct {
        const char *name;
        struct fault fault;
        bool is_new; // the key is another one at the end
    } rows[] = {
        {"the Secret is written to", {.request = "patch secret it", .before = touch_secret}, false},
        {"the Secret is deleted", {.request = "patch secret it", .before = drop_secret}, true},
        {"the answer to the patch is lost",
         {.request = "patch secret it", .class = ERROR_IO, .is_executed = true},
         false},
        {"the API server is busy",
         {.request = "patch secret it", .class = ERROR_RETRYABLE, .retry_after_ms = 1500},
         false},
        {"the object is edited meanwhile", {.request = "patch secret it", .before = edit_object}, false},
        {"the object's status is in conflict",
         {.request = "write qkkp it status", .before = label_object},
         false},
        {"the answer to the status is lost",
         {.request = "write qkkp it status", .class = ERROR_IO, .is_executed = true},
         false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin_row(rows[i].name, state);
        make("qkkp it", "spec: {}");
        const char *first = entry("secret it", "private_key");
        fault(rows[i].fault);
        put("qkkp it", "spec: {secretTemplate: {labels: {a: b}}}");
        run();
        faults_are_over();
        pass(5 * SECOND);
        is_served("qkkp it");
        assert_string_equal(text_at("secret it", "metadata labels a"),
                            text_at("qkkp it", "spec secretTemplate labels a"));
        if (rows[i].is_new) {
            assert_string_not_equal(entry("secret it", "private_key"), first);
        } else {
            has_no_second_key(first);
        }
    }
}

static void a_status_goes_to_no_other_object_of_the_name(void **) {
    fault((struct fault){.request = "write qkkp it status", .before = replace_object});
    put("qkkp it", "spec: {}");
    silence();
    run();
    const char *uid = text_at("qkkp it", "metadata uid");
    hear();
    pass(5 * SECOND);
    is_served("qkkp it");
    owner_is("secret it", "qkkp it");
    assert_string_equal(text_at("qkkp it", "metadata uid"), uid);
    has_no_second_key(entry("secret it", "private_key"));
}

// ---- before something new takes the place of what was there

static void test_trap_01_nothing_is_made_anew_because_of_an_old_view(void **state) {
    static const struct {
        const char *name;
        const char *asked; // with a watch that has shown only that the Secret is gone
        const char *message;
        void (*live)(void);
    } rows[] = {
        {"the object is gone", "list qkkp it; ", "has been deleted, which the watch has not shown yet",
         nullptr},
        {"the object is being deleted", "list qkkp it; ", "has been deleted", nullptr},
        {"another one has its name", "list qkkp it; ", "has been deleted", replace_object},
        {"the object was edited", "list qkkp it; ", "has been edited", edit_object},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin_row(rows[i].name, state);
        make("qkkp it", "spec: {}");
        take_away("secret it");
        silence();
        if (rows[i].live != nullptr) {
            rows[i].live();
        } else if (i == 0) {
            take_away("qkkp it");
        } else {
            put("qkkp it", "metadata: {deletionTimestamp: '2026-01-01T00:00:00Z'}");
        }
        struct object_key key;
        struct queue_attempt attempt;
        assert_true(queue_take(cluster.queue, &key, &attempt));
        controller_process(&cluster.controller, &key, &attempt);
        queue_done(cluster.queue, &key);
        asked_is(rows[i].asked);
        assert_int_equal(cluster.outcome.error.class, ERROR_RETRYABLE);
        assert_non_null(strstr(cluster.outcome.error.message, rows[i].message));
        assert_false(is_there("secret it"));
    }
}

static void what_the_recheck_has_shown_is_acted_on(void **) {
    make("qkkp it", "spec: {}");
    take_away("secret it");
    silence();
    edit_object();
    run();
    pass(SECOND);
    is_served("qkkp it"); // although the watch is silent still
    assert_string_equal(text_at("secret it", "metadata labels a"), "c");
    told_is("!SecretLost qkkp it; ");
}

static void a_secret_that_the_watch_takes_for_gone_is_not_lost(void **) {
    make("qkkp it", "spec: {}");
    const char *first = entry("secret it", "private_key");
    yyjson_val *copy = get("secret it");
    take_away("secret it"); // and it is restored, which the watch does not show
    silence();
    struct error e;
    must(memory_api_restore(cluster.memory, &kube_secrets, copy, &e), e);
    run();
    asked_is("list qkkp it; get secret it; ");
    told_is("");
    has_no_second_key(first);
}

// ---- entries of others in it

static void an_entry_of_others_is_not_overwritten(void **) {
    make("qskp signer", "spec: {algorithm: ML-DSA-44}");
    put("configmap m", "data: {text: hello}");
    make("qsm it",
         "spec: {privateKeyRef: {name: signer}, messageRef: {kind: ConfigMap, name: m, key: text}}");
    put("secret it-signature", "data: {theirs: eA==}");
    run();
    is_served("qsm it");
    yyjson_val *before = get("secret it-signature");
    put("qsm it", "spec: {signatureKey: theirs}");
    run();
    status_is("qsm it", "Failed SecretConflict",
              "Secret it-signature has an entry theirs that is not QubeSec's. Nothing was touched. Name "
              "another entry");
    assert_same(get("secret it-signature"), before, "");
    put("qsm it", "spec: {signatureKey: ours}");
    run();
    is_served("qsm it");
    assert_string_equal(entry("secret it-signature", "theirs"), "eA==");
    assert_string_not_equal(entry("secret it-signature", "ours"), "");
    assert_string_equal(entry("secret it-signature", "signature"), ""); // the earlier one is taken out
    assert_string_equal(text_at("qsm it", "status secretRef key"), "ours");
}

static void what_people_add_stays(void **) {
    make("qkkp it", "spec: {}");
    put("secret it", "metadata: {labels: {theirs: a}, annotations: {theirs: b}}\ndata: {theirs: eA==}");
    yyjson_val *changed = get("secret it");
    run();
    asked_is("get secret it; write qkkp it status; "); // its new version
    told_is("");
    assert_same(get("secret it"), changed, "");
    has_no_second_key(entry("secret it", "private_key"));
}

static void the_template_is_kept(void **) {
    make("qkkp it", "spec: {secretTemplate: {labels: {team: a, tier: b}, annotations: {gone: c}}}");
    put("secret it", "metadata: {labels: {team: x, tier: null, theirs: y}, annotations: {gone: null}}");
    run();
    assert_string_equal(text_at("secret it", "metadata labels team"), "a");
    assert_string_equal(text_at("secret it", "metadata labels tier"), "b");
    assert_string_equal(text_at("secret it", "metadata labels theirs"), "y");
    assert_string_equal(text_at("secret it", "metadata annotations gone"), "c");
    put("qkkp it", "spec: {secretTemplate: {labels: {tier: null}, annotations: null}}");
    run();
    assert_string_equal(text_at("secret it", "metadata labels team"), "a");
    assert_string_equal(text_at("secret it", "metadata labels tier"), "");
    assert_string_equal(text_at("secret it", "metadata labels theirs"), "y");
    assert_string_equal(text_at("secret it", "metadata annotations gone"), "");
    told_is("");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_cluster(an_object_without_inputs_costs_two_writes),
        in_cluster(what_the_secret_carries),
        in_cluster(the_answer_to_a_create_is_lost),
        in_cluster(test_trap_29_a_store_that_is_behind_makes_no_second_key),
        in_cluster(a_name_that_is_refused_as_taken_although_it_is_free),
        in_cluster(a_namespace_that_ends),
        in_cluster(conflicts_are_looked_at_again),
        in_cluster(a_status_goes_to_no_other_object_of_the_name),
        in_cluster(test_trap_01_nothing_is_made_anew_because_of_an_old_view),
        in_cluster(what_the_recheck_has_shown_is_acted_on),
        in_cluster(a_secret_that_the_watch_takes_for_gone_is_not_lost),
        in_cluster(an_entry_of_others_is_not_overwritten),
        in_cluster(what_people_add_stays),
        in_cluster(the_template_is_kept),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
