// deletionPolicy: whether a Secret goes with its object.
#include "cluster.h"

static const char retained[] = "spec: {deletionPolicy: Retain}";

static void with_delete_the_secret_belongs_to_its_object(void **) {
    put("qkkp a", "spec: {}");
    run();
    asked_is("create secret a; patch qkkp a status; ");
    owner_is("secret a", "qkkp a");
    take_away("qkkp a");
    collect();
    assert_false(is_there("secret a"));
}

static void with_retain_it_is_given_free_once_its_object_is_seen_to_be_there(void **) {
    put("qkkp a", retained);
    run();
    asked_is("create secret a; list qkkp a; patch secret a; patch qkkp a status; ");
    is_served("qkkp a");
    owner_is("secret a", nullptr);
    assert_string_equal(text_at("qkkp a", "status secretRef resourceVersion"),
                        text_at("secret a", "metadata resourceVersion"));
    told_is("Succeeded qkkp a; ");
    take_away("qkkp a");
    collect();
    assert_true(is_there("secret a"));
}

// ---- what may happen before it is given free

static void remove_object(void) {
    take_away("qkkp a");
}

static void replace_object(void) {
    take_away("qkkp a");
    put("qkkp a", retained);
}

static void edit_object(void) {
    put("qkkp a", "spec: {deletionPolicy: Delete}");
}

static void label_secret(void) {
    put("secret a", "metadata: {labels: {theirs: x}}");
}

static void watch_goes_past(void) {
    store_advance(informers_find_store(cluster.informers, "Secret", "ns"), "1000000");
}

// Its namespace went while the key was made, and is there again when the Secret comes.
static void test_trap_67_what_is_made_for_an_object_that_is_gone_stays_its_own(void **) {
    fault((struct fault){.request = "create secret a", .before = remove_object});
    put("qkkp a", retained);
    silence();
    run();
    faults_are_over();
    assert_true(is_there("secret a"));
    collect();
    assert_false(is_there("secret a"));
    asked_is("create secret a; list qkkp a; ");
    hear();
    run();
    asked_is("");
    told_is("");
}

static void test_trap_67_nor_does_it_go_to_an_object_of_the_same_name(void **) {
    fault((struct fault){.request = "create secret a", .before = replace_object});
    put("qkkp a", retained);
    silence();
    run();
    status_is("qkkp a", "Pending WaitingForGarbageCollection", "waiting for Kubernetes to collect it");
    const char *before = entry("secret a", "public_key");
    hear();
    collect();
    run();
    is_served("qkkp a");
    owner_is("secret a", nullptr);
    assert_string_not_equal(entry("secret a", "public_key"), before);
}

static void what_happens_before_it_is_given_free(void **state) {
    static const struct {
        const char *name;
        struct fault fault;
        int64_t wait_ms;
        const char *owner;
    } rows[] = {
        {"the API server does not answer",
         {.request = "list qkkp a", .class = ERROR_IO, .message = "no answer"},
         SECOND,
         nullptr},
        {"it may not be asked", {.request = "list qkkp a", .class = ERROR_FORBIDDEN}, 2 * SECOND, nullptr},
        {"the object is edited", {.request = "list qkkp a", .before = edit_object}, SECOND, "qkkp a"},
        {"the Secret is labelled", {.request = "patch secret a", .before = label_secret}, SECOND, nullptr},
        {"the patch is refused",
         {.request = "patch secret a", .class = ERROR_REFUSED, .message = "a policy"},
         2 * SECOND,
         nullptr},
        {"the answer to the patch is lost",
         {.request = "patch secret a", .class = ERROR_IO, .is_executed = true},
         SECOND,
         nullptr},
        {"the status is refused", {.request = "patch qkkp a status", .class = ERROR_IO}, SECOND, nullptr},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin_row(rows[i].name, state);
        fault(rows[i].fault);
        put("qkkp a", retained);
        run();
        faults_are_over();
        const char *before = entry("secret a", "private_key");
        pass(rows[i].wait_ms);
        is_served("qkkp a");
        assert_string_equal(entry("secret a", "private_key"), before);
        owner_is("secret a", rows[i].owner);
        assert_int_equal(count_asked("create secret a; "), 1);
    }
}

static void the_next_process_gives_free_what_one_that_ended_has_made(void **) {
    fault((struct fault){.request = "list qkkp a", .class = ERROR_IO, .count = FOREVER});
    put("qkkp a", retained);
    run();
    status_is("qkkp a", "", "");
    owner_is("secret a", "qkkp a");
    const char *before = entry("secret a", "private_key");
    faults_are_over();
    restart();
    forget();
    run();
    asked_is("get secret a; list qkkp a; patch secret a; patch qkkp a status; ");
    owner_is("secret a", nullptr);
    assert_string_equal(entry("secret a", "private_key"), before);
    told_is("Succeeded qkkp a; ");
}

// Nor does that process, whose watch may be as old.
static void test_trap_67_the_next_process_asks_for_the_object_too(void **) {
    fault((struct fault){.request = "list qkkp a", .class = ERROR_IO});
    put("qkkp a", retained);
    run();
    silence();
    take_away("qkkp a");
    pass(SECOND);
    assert_int_equal(yyjson_arr_size(at(get("secret a"), "metadata ownerReferences")), 1);
    collect();
    assert_false(is_there("secret a"));
}

// ---- edits

static void the_policy_may_be_edited(void **) {
    make("qkkp a", "spec: {}");
    put("qkkp a", retained);
    run();
    asked_is("get secret a; list qkkp a; patch secret a; patch qkkp a status; ");
    owner_is("secret a", nullptr);
    is_served("qkkp a");
    put("qkkp a", "spec: {deletionPolicy: Delete}");
    run();
    asked_is("get secret a; patch secret a; patch qkkp a status; ");
    owner_is("secret a", "qkkp a");
    is_served("qkkp a");
    told_is("");
}

static void it_is_given_free_while_its_object_waits_or_has_failed(void **) {
    make("qkkp pair", "spec: {}");
    make("qes a", "spec: {publicKeyRef: {name: pair}}");
    take_away("qkkp pair");
    run();
    status_is("qes a", "Pending WaitingForQuantumKEMKeyPair", "does not exist");
    put("qes a", retained);
    run();
    status_is("qes a", "Pending WaitingForQuantumKEMKeyPair", "does not exist");
    owner_is("secret a", nullptr);
    put("qes a", "spec: {deletionPolicy: Delete}");
    run();
    owner_is("secret a", nullptr); // it goes on when it is served
    collect();
    put("qkkp pair", "spec: {}");
    run();
    pass(SECOND);
    is_served("qes a");
    owner_is("secret a", "qes a");
    put("qes a", "spec: {algorithm: ML-KEM-1024, deletionPolicy: Retain}");
    run();
    status_is("qes a", "Failed InvalidSpec", "does not match");
    owner_is("secret a", nullptr);
}

static void a_ca_is_retained_if_nothing_is_said(void **) {
    static const struct {
        const char *type;
        const char *policy;
        bool is_retained;
    } rows[] = {
        {"ca", "", true},
        {"ca", ", deletionPolicy: Delete", false},
        {"self-signed", "", false},
        {"self-signed", ", deletionPolicy: Retain", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char name[20];
        char secret[40];
        snprintf(name, sizeof(name), "qc c%zu", i);
        snprintf(secret, sizeof(secret), "secret c%zu-secret", i);
        make(name, "spec: {commonName: x, certType: %s%s}", rows[i].type, rows[i].policy);
        owner_is(secret, rows[i].is_retained ? nullptr : name);
    }
}

// What is made anew in the place of a retained Secret begins in the same way.
static void one_that_is_lost_is_made_and_given_free_again(void **) {
    make("qkkp a", retained);
    put("qrn b", "spec: {seed: '%s', deletionPolicy: Retain}",
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
        "202122232425262728292a2b2c2d2e2f");
    run();
    is_served("qrn b");
    forget();
    take_away("secret a");
    take_away("secret b");
    run();
    asked_is("list qkkp a; get secret a; create secret a; list qkkp a; patch secret a; patch qkkp a status; "
             "list qrn b; get secret b; create secret b; list qrn b; patch secret b; patch qrn b status; ");
    told_is("!SecretLost qkkp a; !SecretLost qrn b; ");
    owner_is("secret a", nullptr);
    owner_is("secret b", nullptr);
    is_served("qkkp a");
    is_served("qrn b");
}

// It is known by the answer to the create, also where the store takes that for old.
static void it_is_given_free_whatever_the_watch_has_shown(void **) {
    fault((struct fault){.request = "create secret a", .before = watch_goes_past});
    put("qkkp a", retained);
    silence();
    run();
    owner_is("secret a", nullptr);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_cluster(with_delete_the_secret_belongs_to_its_object),
        in_cluster(with_retain_it_is_given_free_once_its_object_is_seen_to_be_there),
        in_cluster(test_trap_67_what_is_made_for_an_object_that_is_gone_stays_its_own),
        in_cluster(test_trap_67_nor_does_it_go_to_an_object_of_the_same_name),
        in_cluster(what_happens_before_it_is_given_free),
        in_cluster(the_next_process_gives_free_what_one_that_ended_has_made),
        in_cluster(test_trap_67_the_next_process_asks_for_the_object_too),
        in_cluster(the_policy_may_be_edited),
        in_cluster(it_is_given_free_while_its_object_waits_or_has_failed),
        in_cluster(a_ca_is_retained_if_nothing_is_said),
        in_cluster(one_that_is_lost_is_made_and_given_free_again),
        in_cluster(it_is_given_free_whatever_the_watch_has_shown),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
