// An output that is damaged, lost or another one: what becomes of it, and what is told.
#include "cluster.h"

static const char seed[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
                           "202122232425262728292a2b2c2d2e2f";

// ---- every kind that has what cannot be made again

enum what_is_done { REMOVE_PUBLIC, REMOVE_METADATA, CHANGE_PUBLIC, REMOVE_ALL, DELETE };

static const struct precious {
    const char *object;
    const char *spec;
    const char *secret;
    const char *key;      // that cannot be made again
    const char *beside;   // what can
    const char *metadata; // entry
    const char *all;      // of its entries that hold it, as null
    const char *word;     // for it, in messages
} precious[] = {
    {"qkkp it", "algorithm: ML-KEM-512", "secret it", "private_key", "public_key", "metadata",
     "private_key: null, private_key.pem: null", "private key"},
    {"qskp it", "algorithm: ML-DSA-44", "secret it", "private_key", "public_key.pem", "metadata",
     "private_key: null, private_key.pem: null", "private key"},
    {"qes it", "publicKeyRef: {name: pair}", "secret it", "shared_secret", "ciphertext", "metadata",
     "shared_secret: null, ciphertext: null", "shared secret"},
    {"qrn it", "numBytes: 32", "secret it", "random", nullptr, "metadata", "random: null", "random bytes"},
    {"qc it", "commonName: x, algorithm: ML-DSA-44", "secret it-secret", "tls.key", "tls.crt",
     "metadata.json", "tls.key: null, key.pem: null", "private key"},
};

static const struct damage {
    const char *name;
    enum what_is_done done;
    bool is_lost; // what cannot be made again is gone
} damages[] = {
    {"what is beside the key is removed", REMOVE_PUBLIC, false},
    {"what is beside the key is another one", CHANGE_PUBLIC, false},
    {"the metadata is removed", REMOVE_METADATA, false},
    {"the key is removed", REMOVE_ALL, true},
    {"the Secret is deleted", DELETE, true},
};

// False: there is no such damage of the kind.
static bool do_damage(const struct precious *of, enum what_is_done done) {
    switch (done) {
    case REMOVE_PUBLIC:
    case CHANGE_PUBLIC:
        if (of->beside != nullptr) {
            put(of->secret, "data: {%s: %s}", of->beside, done == REMOVE_PUBLIC ? "null" : "eA==");
        }
        return of->beside != nullptr;
    case REMOVE_METADATA:
        put(of->secret, "data: {%s: null}", of->metadata);
        return true;
    case REMOVE_ALL:
        put(of->secret, "data: {%s}", of->all);
        return true;
    default:
        take_away(of->secret);
        return true;
    }
}

static void check_lost(const struct precious *of, const struct damage *damage, bool fails,
                       yyjson_val *damaged, yyjson_val *status) {
    bool is_there_still = damage->done != DELETE;
    if (fails) {
        char message[200];
        snprintf(message, sizeof(message),
                 "has lost its %s; nothing new is made, as spec.onKeyLoss says. Restore the Secret",
                 of->word);
        status_is(of->object, "Failed KeyLost", message);
        assert_same(at(get(of->object), "status"), status, "fingerprint");
        assert_same(at(get(of->object), "status"), status, "secretRef");
        assert_int_equal(is_there(of->secret), is_there_still);
        if (is_there_still) {
            assert_same(get(of->secret), damaged, "data");
        }
        return;
    }
    const char *reason = is_there_still ? "SecretDamaged" : "SecretLost";
    char told[100];
    char part[100];
    is_served(of->object);
    snprintf(told, sizeof(told), "%s %s", reason, of->object);
    assert_true(find_told(told)->warning);
    snprintf(part, sizeof(part), "%s was replaced by %s (%s", json_member_text(status, "fingerprint"),
             text_at(of->object, "status fingerprint"), of->word);
    note_has(told, part);
    assert_string_not_equal(text_at(of->object, "status fingerprint"),
                            json_member_text(status, "fingerprint"));
}

static void check_repaired(const struct precious *of, const char *key) {
    char told[100];
    is_served(of->object);
    assert_string_equal(entry(of->secret, of->key), key);
    snprintf(told, sizeof(told), "SecretRepaired %s", of->object);
    assert_true(find_told(told)->warning);
    note_has(told, "was damaged; what was wrong was rebuilt around what is kept: ");
    assert_int_equal(cluster.told_count, 1);
}

static void test_trap_51_damage_to_each_kind_under_each_policy(void **state) {
    static const char *const policies[] = {"Delete", "Retain"};
    static const char *const reactions[] = {"Recreate", "Fail"};
    enum { KINDS = sizeof(precious) / sizeof(precious[0]), DAMAGES = sizeof(damages) / sizeof(damages[0]) };
    for (size_t i = 0; i < KINDS * DAMAGES * 4; i++) {
        const struct precious *of = &precious[i % KINDS];
        const struct damage *damage = &damages[i / KINDS % DAMAGES];
        const char *policy = policies[i / KINDS / DAMAGES % 2];
        const char *reaction = reactions[i / KINDS / DAMAGES / 2];
        char name[200];
        snprintf(name, sizeof(name), "%s: %s, %s, %s", of->object, damage->name, policy, reaction);
        begin_row(name, state);
        make("qkkp pair", "spec: {}");
        make(of->object, "spec: {%s, deletionPolicy: %s, onKeyLoss: %s}", of->spec, policy, reaction);
        yyjson_val *status = at(get(of->object), "status");
        const char *key = entry(of->secret, of->key);
        assert_string_not_equal(key, "");
        if (!do_damage(of, damage->done)) {
            continue;
        }
        yyjson_val *damaged = find(of->secret);
        run();
        if (damage->is_lost) {
            check_lost(of, damage, strcmp(reaction, "Fail") == 0, damaged, status);
        } else {
            check_repaired(of, key);
        }
        if (is_there(of->secret)) {
            owner_is(of->secret, strcmp(policy, "Retain") == 0 ? nullptr : of->object);
        }
    }
}

static void a_lost_key_comes_back(void **) {
    make("qkkp it", "spec: {onKeyLoss: Fail}");
    yyjson_val *before = get("secret it");
    put("secret it", "data: {private_key: null, private_key.pem: null}");
    run();
    status_is("qkkp it", "Failed KeyLost", "has lost its private key");
    put("secret it", "data: {private_key: %s}", json_text(at(before, "data private_key")));
    run();
    pass(5 * SECOND);
    is_served("qkkp it");
    assert_string_equal(entry("secret it", "public_key"), json_text(at(before, "data public_key")));
    take_away("secret it");
    run();
    status_is("qkkp it", "Failed KeyLost", "the Secret does not exist any more");
    struct error e;
    must(memory_api_restore(cluster.memory, &kube_secrets, before, &e), e);
    run();
    is_served("qkkp it");
    assert_same(get("secret it"), before, "data");
}

static void restore_content(void) {
    put_copy("secret it", "secret backup", "metadata: {}");
}

static void restore_another(void) {
    take_away("secret it");
    put_copy(
        "secret it", "secret backup",
        "metadata: {annotations: {qubesec.io/owner: QuantumKEMKeyPair/it, qubesec.io/owner-namespace: ns}, "
        "labels: {app.kubernetes.io/managed-by: qubesec}}");
}

// What is about to be replaced is put back at the last moment.
static void test_trap_35_what_is_restored_meanwhile_is_not_overwritten(void **state) {
    static const struct {
        const char *name;
        void (*restore)(void);
    } rows[] = {{"by its content", restore_content}, {"as another Secret", restore_another}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin_row(rows[i].name, state);
        make("qkkp it", "spec: {}");
        put_copy("secret backup", "secret it", "metadata: {}");
        fault((struct fault){.request = "patch secret it", .before = rows[i].restore});
        put("secret it", "data: {private_key: null, private_key.pem: null}");
        run();
        faults_are_over();
        pass(5 * SECOND);
        is_served("qkkp it");
        assert_same(get("secret it"), get("secret backup"), "data");
        owner_is("secret it", "qkkp it");
    }
}

static void an_edit_of_the_reaction_is_taken_up(void **) {
    make("qkkp it", "spec: {onKeyLoss: Fail}");
    take_away("secret it");
    run();
    status_is("qkkp it", "Failed KeyLost", "");
    told_is("!KeyLost qkkp it; ");
    put("qkkp it", "spec: {onKeyLoss: Recreate}");
    run();
    is_served("qkkp it");
    told_is("Succeeded qkkp it; !SecretLost qkkp it; ");
}

// ---- two keys that are sound

static void two_sound_keys_are_a_question_for_people(void **state) {
    static const struct {
        const char *name;
        const char *planted; // entries of another pair's Secret
        const char *removed;
        const char *message;
    } rows[] = {
        {"in one form", "private_key", "", "private_key.pem"},
        {"in the other", "private_key.pem", "", "private_key"},
        {"the only one that is left", "private_key", "private_key.pem: null", "the status has recorded"},
    };
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        const char *reaction = i % 2 == 0 ? "Recreate" : "Fail";
        begin_row(rows[i / 2].name, state);
        make("qkkp other", "spec: {}");
        make("qkkp it", "spec: {onKeyLoss: %s}", reaction);
        yyjson_val *before = get("secret it");
        const char *digest = text_at("qkkp it", "status digest");
        put("secret it", "data: {%s: %s%s%s}", rows[i / 2].planted,
            entry("secret other", rows[i / 2].planted), rows[i / 2].removed[0] == '\0' ? "" : ", ",
            rows[i / 2].removed);
        yyjson_val *planted = get("secret it");
        run();
        pass(MINUTE);
        status_is("qkkp it", "Failed KeyMismatch", rows[i / 2].message);
        assert_non_null(
            strstr(text_at("qkkp it", "status error"), text_at("qkkp other", "status fingerprint")));
        assert_same(get("secret it"), planted, "");
        assert_string_equal(text_at("qkkp it", "status digest"), digest);
        told_is("!KeyMismatch qkkp it; ");
        put("secret it", "data: {private_key: %s, private_key.pem: %s}",
            json_text(at(before, "data private_key")),
            json_text(yyjson_obj_get(yyjson_obj_get(before, "data"), "private_key.pem")));
        run();
        is_served("qkkp it");
        assert_same(get("secret it"), before, "data");
    }
}

// ---- outputs that follow from their inputs

static void what_follows_from_its_inputs_is_made_again(void **state) {
    static const struct {
        const char *object;
        const char *spec;
        const char *secret;
        const char *key;
        const char *change; // to the Secret; NULL: it is deleted
        const char *told;
        bool is_same;
    } rows[] = {
        {"qdk it", "sharedSecretRef: {name: sealed}", "secret it", "key", "key: eA==", "SecretDamaged qdk it",
         true},
        {"qdk it", "sharedSecretRef: {name: sealed}", "secret it", "key", nullptr, "SecretLost qdk it", true},
        {"qds it", "privateKeyRef: {name: pair}, ciphertextRef: {name: sealed}", "secret it", "shared_secret",
         "metadata: null", "SecretDamaged qds it", true},
        {"qds it", "privateKeyRef: {name: pair}, ciphertextRef: {name: sealed}", "secret it", "shared_secret",
         nullptr, "SecretLost qds it", true},
        {"qsm it", "privateKeyRef: {name: signer}, messageRef: {kind: Secret, name: sealed, key: ciphertext}",
         "secret it-signature", "signature", "signature: null", "SecretDamaged qsm it", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin_row(rows[i].told, state);
        make("qkkp pair", "spec: {}");
        make("qes sealed", "spec: {publicKeyRef: {name: pair}}");
        make("qskp signer", "spec: {algorithm: ML-DSA-44}");
        make(rows[i].object, "spec: {%s}", rows[i].spec);
        const char *before = entry(rows[i].secret, rows[i].key);
        if (rows[i].change == nullptr) {
            take_away(rows[i].secret);
        } else {
            put(rows[i].secret, "data: {%s}", rows[i].change);
        }
        run();
        is_served(rows[i].object);
        assert_true(find_told(rows[i].told)->warning);
        if (rows[i].is_same) {
            assert_string_equal(entry(rows[i].secret, rows[i].key), before);
            note_has(rows[i].told, "made again with the same content, ");
        } else {
            note_has(rows[i].told, "was replaced by ");
        }
    }
}

// Random bytes that are drawn from a seed are no loss either, whatever spec.onKeyLoss says.
static void random_bytes_from_a_seed_are_drawn_again(void **) {
    make("qrn it", "spec: {onKeyLoss: Fail, seed: '%s'}", seed);
    const char *before = entry("secret it", "random");
    put("secret it", "data: {random: eA==}");
    run();
    is_served("qrn it");
    assert_string_equal(entry("secret it", "random"), before);
    told_is("!SecretRepaired qrn it; ");
    take_away("secret it");
    run();
    pass(5 * SECOND);
    is_served("qrn it");
    assert_string_equal(entry("secret it", "random"), before);
    note_has("SecretLost qrn it", "made again with the same content, ");
}

// ---- again and again

static void test_trap_33_who_damages_again_is_waited_out(void **state) {
    static const struct {
        const char *name;
        const char *change; // NULL: the Secret is deleted
        const char *reason;
        const char *message;
    } rows[] = {
        {"damaged", "random: eA==", "Failed SecretDamaged",
         "Secret it is damaged again and will be put right later; its metadata.managedFields tell who"},
        {"deleted", nullptr, "Failed SecretLost",
         "the Secret was deleted again, and will be made anew later"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin_row(rows[i].name, state);
        make("qrn it", "spec: {numBytes: 32}");
        for (int64_t wait_ms = 2 * SECOND; wait_ms < MINUTE; wait_ms *= 2) {
            if (rows[i].change == nullptr) {
                take_away("secret it");
            } else {
                put("secret it", "data: {%s}", rows[i].change);
            }
            run();
            if (wait_ms > 2 * SECOND) {
                status_is("qrn it", rows[i].reason, rows[i].message);
                pass(wait_ms / 2 - STEP_MS);
                status_is("qrn it", rows[i].reason, rows[i].message);
                pass(STEP_MS);
            }
            is_served("qrn it");
        }
    }
}

// What came to nothing does not count.
static void a_repair_that_is_refused_is_tried_again_as_any_failure(void **) {
    make("qrn it", "spec: {numBytes: 32}");
    fault((struct fault){.request = "patch secret it", .class = ERROR_IO});
    put("secret it", "data: {random: eA==}");
    run();
    faults_are_over();
    pass(5);
    is_served("qrn it");
    told_is("!SecretDamaged qrn it; ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_cluster(test_trap_51_damage_to_each_kind_under_each_policy),
        in_cluster(a_lost_key_comes_back),
        in_cluster(test_trap_35_what_is_restored_meanwhile_is_not_overwritten),
        in_cluster(an_edit_of_the_reaction_is_taken_up),
        in_cluster(two_sound_keys_are_a_question_for_people),
        in_cluster(what_follows_from_its_inputs_is_made_again),
        in_cluster(random_bytes_from_a_seed_are_drawn_again),
        in_cluster(test_trap_33_who_damages_again_is_waited_out),
        in_cluster(a_repair_that_is_refused_is_tried_again_as_any_failure),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
