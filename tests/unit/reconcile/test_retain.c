// deletionPolicy: whether a Secret goes with its object.
#include "cluster.h"

static const char retained[] = "spec: {deletionPolicy: Retain}";

static void with_delete_the_secret_belongs_to_its_object(void **) {
    put("qkkp a", "spec: {}");
    run();
    asked_is("create secret a; write qkkp a status; ");
    owner_is("secret a", "qkkp a");
    take_away("qkkp a");
    collect();
    assert_false(is_there("secret a"));
}

static void with_retain_it_has_no_owner_and_its_object_is_asked_for(void **) {
    put("qkkp a", retained);
    run();
    asked_is("list qkkp a; create secret a; write qkkp a status; ");
    is_served("qkkp a");
    owner_is("secret a", nullptr);
    told_is("Succeeded qkkp a; ");
    take_away("qkkp a");
    collect();
    assert_true(is_there("secret a"));
}

// ---- what may happen while its key is made

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

// Its namespace went while the key was made, and is there again when the Secret would come.
static void test_trap_67_nothing_is_made_for_an_object_that_is_gone(void **) {
    fault((struct fault){.request = "list qkkp a", .before = remove_object});
    put("qkkp a", retained);
    silence();
    run();
    faults_are_over();
    pass(SECOND);
    assert_false(is_there("secret a"));
    assert_int_equal(count_asked("create secret a; "), 0);
    hear();
    run();
    told_is("");
}

static void test_trap_67_nor_for_one_that_has_its_name(void **) {
    fault((struct fault){.request = "list qkkp a", .before = replace_object});
    put("qkkp a", retained);
    silence();
    run();
    is_served("qkkp a"); // the one that is there now
    assert_int_equal(count_asked("create secret a; "), 1);
    assert_string_equal(text_at("secret a", "metadata annotations qubesec.io/owner-uid"),
                        text_at("qkkp a", "metadata uid"));
}

static void what_happens_before_it_is_made(void **state) {
    static const struct {
        const char *name;
        struct fault fault;
        const char *owner;
    } rows[] = {
        {"the API server does not answer",
         {.request = "list qkkp a", .class = ERROR_IO, .message = "no answer"},
         nullptr},
        {"it may not be asked", {.request = "list qkkp a", .class = ERROR_FORBIDDEN}, nullptr},
        {"the object is edited", {.request = "list qkkp a", .before = edit_object}, "qkkp a"},
        {"the answer to the create is lost",
         {.request = "create secret a", .class = ERROR_IO, .is_executed = true},
         nullptr},
        {"the status is refused", {.request = "write qkkp a status", .class = ERROR_IO}, nullptr},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin_row(rows[i].name, state);
        fault(rows[i].fault);
        put("qkkp a", retained);
        run();
        faults_are_over();
        pass(2 * SECOND);
        is_served("qkkp a");
        owner_is("secret a", rows[i].owner);
        assert_int_equal(count_asked("create secret a; "), 1);
    }
}

// Where nobody may change a Secret's owner, or any Secret, one that is to outlive its object is good all the
// same.
static void no_right_to_change_an_owner_is_needed(void **) {
    fault((struct fault){.request = "patch secret a", .class = ERROR_FORBIDDEN, .count = FOREVER});
    put("qkkp a", retained);
    run();
    is_served("qkkp a");
    owner_is("secret a", nullptr);
}

// ---- edits

static void the_policy_may_be_edited(void **) {
    make("qkkp a", "spec: {}");
    put("qkkp a", retained);
    run();
    asked_is("get secret a; patch secret a; write qkkp a status; ");
    owner_is("secret a", nullptr);
    is_served("qkkp a");
    put("qkkp a", "spec: {deletionPolicy: Delete}");
    run();
    asked_is("get secret a; patch secret a; write qkkp a status; ");
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

// It is given free as it is in the API server: stores have not the annotations of its template.
static void what_it_carries_is_right_when_it_is_given_free(void **) {
    make("qkkp pair", "spec: {}");
    make("qes a", "spec: {publicKeyRef: {name: pair}, secretTemplate: {annotations: {stays: a, goes: b}}}");
    take_away("qkkp pair");
    run();
    forget();
    put("qes a", "spec: {deletionPolicy: Retain, secretTemplate: {annotations: {goes: null}}}");
    run();
    asked_is("get secret a; patch secret a; write qes a status; ");
    owner_is("secret a", nullptr);
    assert_string_equal(text_at("secret a", "metadata annotations stays"), "a");
    assert_string_equal(text_at("secret a", "metadata annotations goes"), "");
}

static void one_that_is_gone_need_not_be_given_free(void **) {
    make("qkkp pair", "spec: {}");
    make("qes a", "spec: {publicKeyRef: {name: pair}}");
    take_away("qkkp pair");
    run();
    silence();
    take_away("secret a");
    hear_of(find("qes a"), false);
    put("qes a", retained);
    hear_of(find("qes a"), false);
    forget();
    run();
    asked_is("get secret a; write qes a status; ");
}

// ---- an API server that lets nobody change owners who may not delete Secrets

static void guard_owner(const char *request) {
    fault((struct fault){.request = request,
                         .class = ERROR_FORBIDDEN,
                         .message = "cannot set an ownerRef on a resource you can't delete: , <nil>"});
}

static void a_guarded_owner_is_told_and_asked_for_again(void **) {
    make("qkkp a", "spec: {}");
    guard_owner("patch secret a");
    put("qkkp a", retained);
    run();
    asked_is("get secret a; patch secret a; write qkkp a status; ");
    status_is("qkkp a", "Success OwnerGuarded", "spec.deletionPolicy not in force");
    status_is("qkkp a", "Success OwnerGuarded", "qubesec-owner-references");
    owner_is("secret a", "qkkp a");
    told_is("!OwnerGuarded qkkp a; ");
    pass(10 * MINUTE);
    is_served("qkkp a");
    owner_is("secret a", nullptr);
}

static void a_guarded_owner_holds_up_nothing_else(void **) {
    make("qkkp a", "spec: {}");
    guard_owner("patch secret a");
    put("qkkp a", "spec: {deletionPolicy: Retain, secretTemplate: {labels: {team: x}}}");
    run();
    asked_is("get secret a; patch secret a; patch secret a; write qkkp a status; ");
    status_is("qkkp a", "Success OwnerGuarded", "");
    assert_string_equal(text_at("secret a", "metadata labels team"), "x");
    forget();
    guard_owner("patch secret a");
    put("secret a", "data: {public_key: AAAA}");
    run();
    asked_is("get secret a; list qkkp a; patch secret a; patch secret a; write qkkp a status; ");
    status_is("qkkp a", "Success OwnerGuarded", "");
    owner_is("secret a", "qkkp a");
    pass(10 * MINUTE);
    is_served("qkkp a");
    owner_is("secret a", nullptr);
}

// A fight over labels slows down there as elsewhere: what was written counts, though the owner was refused.
static void a_fight_beside_a_guarded_owner_slows_down(void **) {
    make("qkkp a", "spec: {secretTemplate: {labels: {team: ours}}}");
    for (int i = 0; i < 20; i++) {
        cluster.fault_count = 0;
        guard_owner("patch secret a");
        put("secret a", "metadata: {ownerReferences: null, labels: {team: theirs}}");
        run();
    }
    assert_in_range(count_asked("patch secret a"), 2, 10);
    assert_string_equal(text_at("secret a", "metadata labels team"), "theirs");
}

// Both are told in one status, which does not change with what is asked for, and what is held back.
static void a_fight_beside_a_guarded_owner_does_not_hide_it(void **) {
    make("qkkp a", "spec: {secretTemplate: {labels: {team: ours}}}");
    guard_owner("patch secret a");
    put("qkkp a", retained);
    run();
    for (int i = 0; i < 120; i++) {
        for (int half = 0; half < 2; half++) {
            cluster.fault_count = 0;
            guard_owner("patch secret a");
            if (half == 0) {
                put("secret a", "metadata: {labels: {team: theirs%d}}", i);
                run();
            } else {
                pass(SECOND);
            }
            status_is("qkkp a", "Success OwnerGuarded", "qubesec-owner-references");
        }
    }
    status_is("qkkp a", "Success OwnerGuarded", "somebody else changes its labels");
    assert_in_range(count_asked("patch secret a"), 2, 40);
    cluster.fault_count = 0;
    pass(2 * HOUR);
    is_served("qkkp a");
    owner_is("secret a", nullptr);
}

static void a_guarded_owner_is_told_of_one_that_waits_too(void **) {
    make("qkkp pair", "spec: {}");
    make("qes a", "spec: {publicKeyRef: {name: pair}}");
    take_away("qkkp pair");
    run();
    guard_owner("patch secret a");
    put("qes a", retained);
    run();
    status_is("qes a", "Pending WaitingForQuantumKEMKeyPair", "does not exist");
    status_is("qes a", "Pending WaitingForQuantumKEMKeyPair", "besides, its owner is as before");
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
static void one_that_is_lost_is_made_again(void **) {
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
    asked_is("list qkkp a; get secret a; list qkkp a; create secret a; write qkkp a status; "
             "list qrn b; get secret b; list qrn b; create secret b; write qrn b status; ");
    told_is("!SecretLost qkkp a; !SecretLost qrn b; ");
    owner_is("secret a", nullptr);
    owner_is("secret b", nullptr);
    is_served("qkkp a");
    is_served("qrn b");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_cluster(with_delete_the_secret_belongs_to_its_object),
        in_cluster(with_retain_it_has_no_owner_and_its_object_is_asked_for),
        in_cluster(test_trap_67_nothing_is_made_for_an_object_that_is_gone),
        in_cluster(test_trap_67_nor_for_one_that_has_its_name),
        in_cluster(what_happens_before_it_is_made),
        in_cluster(no_right_to_change_an_owner_is_needed),
        in_cluster(the_policy_may_be_edited),
        in_cluster(it_is_given_free_while_its_object_waits_or_has_failed),
        in_cluster(what_it_carries_is_right_when_it_is_given_free),
        in_cluster(one_that_is_gone_need_not_be_given_free),
        in_cluster(a_guarded_owner_is_told_and_asked_for_again),
        in_cluster(a_guarded_owner_holds_up_nothing_else),
        in_cluster(a_fight_beside_a_guarded_owner_slows_down),
        in_cluster(a_fight_beside_a_guarded_owner_does_not_hide_it),
        in_cluster(a_guarded_owner_is_told_of_one_that_waits_too),
        in_cluster(a_ca_is_retained_if_nothing_is_said),
        in_cluster(one_that_is_lost_is_made_again),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
