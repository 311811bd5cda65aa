// References into another namespace: whose rights decide, and what is told of them.
#include "cluster.h"

#define GET_PAIR "ns:default get quantumkemkeypairs there/pair"
#define USE_PAIR "ns:default use quantumkemkeypairs there/pair"
#define GET_SEALED "ns:default get quantumencapsulatesecrets there/sealed"
#define USE_SEALED "ns:default use quantumencapsulatesecrets there/sealed"
#define GET_PAIR_SECRET "ns:default get secrets there/pair"
#define GET_SEALED_SECRET "ns:default get secrets there/sealed"

static const char public_key[] = "publicKeyRef: {name: pair, namespace: there}";
static const char private_key[] =
    "privateKeyRef: {name: pair, namespace: there}, ciphertextRef: {name: sealed, namespace: there}";
static const char of_secret[] = "sharedSecretRef: {kind: Secret, name: peer, namespace: there, key: k}";
static const char of_sealed[] =
    "sharedSecretRef: {kind: QuantumEncapsulateSecret, name: sealed, namespace: there}";
static const char of_config[] =
    "privateKeyRef: {name: signer}, messageRef: {kind: ConfigMap, name: m, namespace: there, key: text}";

static void make_there(void) {
    make("qkkp there/pair", "spec: {}");
    make("qes there/sealed", "spec: {publicKeyRef: {name: pair}}");
    make("qskp signer", "spec: {algorithm: ML-DSA-44}");
    put("secret there/peer", "data: {k: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}");
    put("configmap there/m", "data: {text: hello}");
}

// ---- each way

static const struct way {
    const char *name;
    const char *object;
    const char *spec;
    const char *rights[3]; // that are enough; none: it is denied
    const char *message;   // of the denial
} ways[] = {
    {"public key, by get", "qes it", public_key, {GET_PAIR}, nullptr},
    {"public key, by use", "qes it", public_key, {USE_PAIR}, nullptr},
    {"public key, by nothing",
     "qes it",
     public_key,
     {nullptr},
     "spec.publicKeyRef: ServiceAccount default of namespace ns may neither use nor get "
     "quantumkemkeypairs.qubesec.io pair in namespace there; grant \"use\" or \"get\" on it with a Role and "
     "a "
     "RoleBinding there, or name another one in spec.serviceAccountName"},
    {"public key, by a right on its Secret",
     "qes it",
     public_key,
     {GET_PAIR_SECRET},
     "may neither use nor get quantumkemkeypairs.qubesec.io pair"},
    {"public key, by another one's right",
     "qes it",
     public_key,
     {"other:default get quantumkemkeypairs there/pair"},
     "may neither use nor get"},
    {"public key, by the right to another name",
     "qes it",
     public_key,
     {"ns:default get quantumkemkeypairs there/other"},
     "may neither use nor get"},
    {"public key, by the right in another namespace",
     "qes it",
     public_key,
     {"ns:default get quantumkemkeypairs ns/pair"},
     "may neither use nor get"},
    {"shared secret, by get of both", "qdk it", of_sealed, {GET_SEALED, GET_SEALED_SECRET}, nullptr},
    {"shared secret, by use", "qdk it", of_sealed, {USE_SEALED}, nullptr},
    {"shared secret, by get of the resource alone",
     "qdk it",
     of_sealed,
     {GET_SEALED},
     "ServiceAccount default of namespace ns may not use quantumencapsulatesecrets.qubesec.io sealed in "
     "namespace there, nor get secrets sealed, which holds it; grant \"use\" on it, or \"get\" on it and on "
     "its Secret, with a Role and a RoleBinding there"},
    {"shared secret, by get of the Secret alone",
     "qdk it",
     of_sealed,
     {GET_SEALED_SECRET},
     "may neither use nor get quantumencapsulatesecrets.qubesec.io sealed in namespace there; grant \"use\" "
     "on "
     "it, or \"get\" on it and on its Secret (by default sealed), with a Role and a RoleBinding there"},
    {"private key and ciphertext, by use", "qds it", private_key, {USE_PAIR, USE_SEALED}, nullptr},
    {"private key and ciphertext, by both ways", "qds it", private_key, {USE_PAIR, GET_SEALED}, nullptr},
    {"private key and ciphertext, by one", "qds it", private_key, {USE_SEALED}, "spec.privateKeyRef: "},
    {"a Secret, by get", "qdk it", of_secret, {"ns:default get secrets there/peer"}, nullptr},
    {"a Secret, by use",
     "qdk it",
     of_secret,
     {"ns:default use secrets there/peer"},
     "may not get secrets peer in namespace there; grant it with a Role"},
    {"a ConfigMap, by get", "qsm it", of_config, {"ns:default get configmaps there/m"}, nullptr},
    {"a ConfigMap, by use",
     "qsm it",
     of_config,
     {"ns:default use configmaps there/m"},
     "may not get configmaps m in namespace there"},
};

static void each_way_and_each_right(void **state) {
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        const struct way *way = &ways[i];
        char told[100];
        begin_row(way->name, state);
        make_there();
        for (size_t right = 0; right < 3 && way->rights[right] != nullptr; right++) {
            grant(way->rights[right]);
        }
        put(way->object, "spec: {%s}", way->spec);
        run();
        if (way->message == nullptr) {
            is_served(way->object);
            continue;
        }
        status_is(way->object, "Failed AccessDenied", way->message);
        assert_false(is_there("secret it"));
        snprintf(told, sizeof(told), "!AccessDenied %s; ", way->object);
        told_is(told);
        assert_int_equal(count_asked("get secret there"), 0); // nothing over there is read
        assert_int_equal(count_asked("get configmap there"), 0);
    }
}

// ---- granted, taken back, and granted again

static void a_grant_that_comes_is_noticed(void **) {
    make_there();
    put("qes it", "spec: {%s}", public_key);
    run();
    status_is("qes it", "Failed AccessDenied", "");
    grant(GET_PAIR);
    pass(70 * SECOND);
    is_served("qes it");
    told_is("!AccessDenied qes it; Succeeded qes it; ");
}

static void a_grant_that_is_taken_back_takes_nothing_away(void **) {
    make_there();
    grant(USE_PAIR);
    make("qes it", "spec: {%s}", public_key);
    yyjson_val *before = get("secret it");
    const char *fingerprint = text_at("qes it", "status fingerprint");
    cluster.grant_count = 0;
    pass(GRANT_CHECK_MS);
    status_is("qes it", "Failed AccessDenied", "may neither use nor get");
    told_is("!AccessDenied qes it; ");
    assert_same(get("secret it"), before, "");
    assert_string_equal(text_at("qes it", "status fingerprint"), fingerprint);
    assert_string_equal(text_at("qes it", "status inputs 0 namespace"), "there");
    pass(5 * MINUTE);
    told_is(""); // it is one Event
    grant(GET_PAIR);
    pass(70 * SECOND);
    is_served("qes it");
    assert_same(get("secret it"), before, "");
    told_is("Succeeded qes it; ");
}

// A verdict ends with the right to look.
static void a_verdict_ends_with_its_grant(void **) {
    make_there();
    grant("ns:default get configmaps there/m");
    make("qsm s", "spec: {%s}", of_config);
    put("qvs it", "spec: {publicKeyRef: {name: signer}, signatureRef: {name: s}, "
                  "messageRef: {kind: ConfigMap, name: m, namespace: there, key: text}}");
    run();
    status_is("qvs it", "Valid SignatureValid", "");
    cluster.grant_count = 0;
    pass(GRANT_CHECK_MS);
    status_is("qvs it", "Failed AccessDenied", "");
    assert_null(at(get("qvs it"), "status inputs"));
    assert_null(at(get("qvs it"), "status algorithm"));
}

// ---- what is not told, and who is not asked

static void a_refusal_does_not_tell_what_exists(void **) {
    make_there();
    put("qes there", "spec: {%s}", public_key);
    put("qes nowhere", "spec: {publicKeyRef: {name: nothing, namespace: there}}");
    put("qes no-space", "spec: {publicKeyRef: {name: pair, namespace: nowhere}}");
    run();
    status_is("qes there", "Failed AccessDenied", "may neither use nor get");
    status_is("qes nowhere", "Failed AccessDenied", "may neither use nor get");
    status_is("qes no-space", "Failed AccessDenied", "may neither use nor get");
    forget();
    put("qkkp there/nothing", "spec: {}");
    run();
    take_away("qkkp there/nothing");
    run();
    assert_int_equal(count_asked("patch qes"), 0);
    asked_is("create secret there/nothing; write qkkp there/nothing status; ");
}

static void what_is_granted_may_be_missing(void **) {
    grant("ns:default get quantumkemkeypairs there/pair");
    put("qes it", "spec: {%s}", public_key);
    run();
    status_is("qes it", "Pending WaitingForQuantumKEMKeyPair",
              "waiting for QuantumKEMKeyPair there/pair, which does not exist");
    put("qkkp there/pair", "spec: {}");
    run();
    is_served("qes it");
}

static void one_that_may_be_of_several_kinds(void **) {
    make_there();
    grant(USE_SEALED);
    put("qdk it", "spec: {sharedSecretRef: {name: sealed, namespace: there}}");
    run();
    is_served("qdk it");
    assert_string_equal(text_at("qdk it", "status inputs 0 from"), "QuantumEncapsulateSecret/sealed");
    // What it was made from is not replaced by what may still be read.
    yyjson_val *before = get("secret it");
    cluster.grant_count = 0;
    grant("ns:default get quantumrandomnumbers there/sealed");
    put("qrn there/sealed", "spec: {outputSecretName: other}");
    pass(GRANT_CHECK_MS + SECOND);
    status_is("qdk it", "Failed AccessDenied", "quantumencapsulatesecrets.qubesec.io sealed");
    assert_same(get("secret it"), before, "");
}

static void the_service_account_that_the_spec_names(void **) {
    make_there();
    grant("ns:builder get quantumkemkeypairs there/pair");
    put("qes it", "spec: {%s}", public_key);
    put("qes other", "spec: {%s, serviceAccountName: builder}", public_key);
    run();
    status_is("qes it", "Failed AccessDenied", "ServiceAccount default");
    is_served("qes other");
    put("qes it", "spec: {serviceAccountName: builder}");
    run();
    is_served("qes it");
}

static void in_ones_own_namespace_nobody_is_asked(void **) {
    make("qkkp pair", "spec: {}");
    put("qes it", "spec: {publicKeyRef: {name: pair, namespace: ns}}");
    put("qes other", "spec: {publicKeyRef: {name: pair, namespace: ''}}");
    run();
    is_served("qes it");
    is_served("qes other");
    assert_int_equal(count_asked("review"), 0);
}

static void an_answer_is_kept_for_a_while(void **) {
    make_there();
    grant(GET_PAIR);
    put("qes a", "spec: {%s}", public_key);
    put("qes b", "spec: {%s}", public_key);
    run();
    assert_int_equal(count_asked("create review there/pair"), 1);
    pass(GRANT_CHECK_MS + SECOND);
    assert_int_equal(count_asked("create review there/pair"), 2);
}

// ---- when it cannot be asked

static void who_cannot_be_asked(void **state) {
    static const struct {
        const char *name;
        enum error_class class;
        const char *status; // "": it is not told at once
    } rows[] = {
        {"the operator may not ask", ERROR_FORBIDDEN, ""},
        {"the question is refused", ERROR_REFUSED, "Failed RequestRefused"},
        {"the question is none", ERROR_INVALID_SPEC, "Failed RequestRefused"},
        {"nobody answers", ERROR_IO, ""},
        {"the API server is busy", ERROR_RETRYABLE, ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin_row(rows[i].name, state);
        make_there();
        grant(GET_PAIR);
        fault((struct fault){.request = "create review", .class = rows[i].class, .message = "so it is"});
        put("qes it", "spec: {%s}", public_key);
        run();
        status_is("qes it", rows[i].status, "so it is");
        assert_int_equal(cluster.outcome.result, RESULT_RETRY);
        pass(2 * SECOND);
        is_served("qes it");
    }
}

// The grant is asked for again and again; that this may not be is nothing against the object.
static void what_is_finished_stays_so_while_the_operator_may_not_ask(void **) {
    make_there();
    grant(GET_PAIR);
    put("qes it", "spec: {%s}", public_key);
    run();
    is_served("qes it");
    forget();
    fault((struct fault){.request = "create review", .class = ERROR_FORBIDDEN, .count = FOREVER});
    pass(10 * MINUTE);
    is_served("qes it");
    told_is("!Retrying qes it; ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_cluster(each_way_and_each_right),
        in_cluster(a_grant_that_comes_is_noticed),
        in_cluster(a_grant_that_is_taken_back_takes_nothing_away),
        in_cluster(a_verdict_ends_with_its_grant),
        in_cluster(a_refusal_does_not_tell_what_exists),
        in_cluster(what_is_granted_may_be_missing),
        in_cluster(one_that_may_be_of_several_kinds),
        in_cluster(the_service_account_that_the_spec_names),
        in_cluster(in_ones_own_namespace_nobody_is_asked),
        in_cluster(an_answer_is_kept_for_a_while),
        in_cluster(who_cannot_be_asked),
        in_cluster(what_is_finished_stays_so_while_the_operator_may_not_ask),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
