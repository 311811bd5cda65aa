// A key that was lost or left, and has come back: it is the one that counts, whatever is to be done with its
// certificate.
#include "cluster.h"

static void wait_for_days(int count) {
    for (int i = 0; i < count * 24; i++) {
        clock_ms += HOUR;
        run();
    }
}

// As `kubectl replace` does, with what the backup has.
static void put_back(const char *metadata) {
    char *data = yyjson_val_write(data_of("secret copy"), 0, nullptr);
    put("secret it-secret", "metadata: {annotations: {%s}}\ndata: %s", metadata, data);
    free(data);
}

// Its key is lost and another one made, after a backup.
static const char *lose_key(void) {
    put_copy("secret copy", "secret it-secret", "metadata: {}");
    const char *key = entry("secret it-secret", "tls.key");
    take_away("secret it-secret");
    run();
    pass(MINUTE);
    is_served("qc it");
    assert_string_not_equal(entry("secret it-secret", "tls.key"), key);
    return key;
}

static void assert_put_back(const char *key, const char *cause) {
    char part[100];
    is_served("qc it");
    assert_string_equal(entry("secret it-secret", "tls.key"), key);
    assert_string_not_equal(entry("secret it-secret", "tls.crt"), entry("secret copy", "tls.crt"));
    assert_true(find_told("KeyReplaced qc it")->warning);
    snprintf(part, sizeof(part), "Secret it-secret: %s; ", cause);
    note_has("KeyReplaced qc it", part);
    note_has("KeyReplaced qc it", " (with another private key, which somebody has put there)");
    told_is("!KeyReplaced qc it; ");
    restart();
    run();
    pass(HOUR);
    told_is("");
}

static void a_key_that_is_put_back_is_kept_when_its_certificate_is_due(void **state) {
    static const struct {
        const char *name;
        const char *metadata; // of the Secret that comes back
        const char *request;
        const char *cause;
    } rows[] = {
        {"due", "", nullptr, "it was due for renewal"},
        {"due, of an earlier object", "qubesec.io/owner-uid: 11111111-1111-4111-8111-111111111111", nullptr,
         "it was due for renewal"},
        {"asked for", "", "one", "its renewal was asked for"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin_row(rows[i].name, state);
        make("qc it",
             "spec: {commonName: x, algorithm: ML-DSA-44, durationDays: 30, deletionPolicy: Retain}");
        const char *key = lose_key();
        wait_for_days(rows[i].request == nullptr ? 20 : 1);
        pass(MINUTE);
        forget();
        silence();
        put_back(rows[i].metadata);
        if (rows[i].request != nullptr) {
            put("qc it", "metadata: {annotations: {qubesec.io/renew: %s}}", rows[i].request);
        }
        hear();
        run();
        pass(10 * MINUTE);
        assert_put_back(key, rows[i].cause);
    }
}

static void make_leaf(const char *policy) {
    make("qc root", "spec: {certType: ca, commonName: Root, algorithm: ML-DSA-44, durationDays: 3650}");
    make("qc it",
         "spec: {certType: server, domain: a.example, algorithm: ML-DSA-44, deletionPolicy: Retain, "
         "parentCARef: {name: root}, privateKey: {rotationPolicy: %s}}",
         policy);
}

static void issue_root_again(void) {
    put("qc root", "metadata: {annotations: {qubesec.io/renew: one}}");
    run();
    pass(HOUR);
}

static void nor_is_it_lost_when_its_ca_was_issued_again(void **) {
    make_leaf("Never");
    const char *key = lose_key();
    issue_root_again();
    is_served("qc it");
    forget();
    put_back("");
    run();
    pass(HOUR);
    assert_put_back(key, "what spec.parentCARef refers to has changed: root");
}

// Then nobody vouches for a key that the status does not know.
static void a_key_that_the_metadata_does_not_know_is_not_taken_unseen(void **) {
    make_leaf("Never");
    make("qc other", "spec: {commonName: x, algorithm: ML-DSA-44}");
    put("qc root", "metadata: {annotations: {qubesec.io/renew: one}}");
    silence();
    const char *theirs = entry("secret other-secret", "tls.key");
    put("secret it-secret", "data: {tls.key: %s, key.pem: %s}", theirs, theirs);
    hear();
    run();
    pass(HOUR);
    status_is("qc it", "Failed KeyMismatch", "not the one that the status has recorded");
}

// rotationPolicy is about what follows.
static void what_is_taken_over_keeps_its_key(void **state) {
    static const struct {
        const char *name;
        const char *policy;
        void (*meanwhile)(void);
        const char *request;
    } rows[] = {
        {"CA issued again, Always", "Always", issue_root_again, nullptr},
        {"CA issued again, Always, made with a request", "Always", issue_root_again, "two"},
        {"CA issued again, Never", "Never", issue_root_again, nullptr},
        {"due, Always", "Always", nullptr, nullptr},
        {"due, Always, made with a request", "Always", nullptr, "two"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin_row(rows[i].name, state);
        make_leaf(rows[i].policy);
        char *spec = yyjson_val_write(at(get("qc it"), "spec"), 0, nullptr);
        const char *key = entry("secret it-secret", "tls.key");
        const char *left = entry("secret it-secret", "tls.crt");
        take_away("qc it");
        run();
        if (rows[i].meanwhile != nullptr) {
            rows[i].meanwhile();
        } else {
            clock_ms += 250 * (int64_t)DAY;
        }
        forget();
        put("qc it", "metadata: {annotations: {qubesec.io/renew: %s}}\nspec: %s",
            rows[i].request == nullptr ? "null" : rows[i].request, spec);
        free(spec);
        pass(10 * MINUTE);
        is_served("qc it");
        assert_string_not_equal(entry("secret it-secret", "tls.crt"), left);
        assert_string_equal(entry("secret it-secret", "tls.key"), key);
        if (strcmp(rows[i].policy, "Always") == 0) { // from the next time on
            put("qc it", "metadata: {annotations: {qubesec.io/renew: three}}");
            run();
            pass(MINUTE);
            assert_string_not_equal(entry("secret it-secret", "tls.key"), key);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_cluster(a_key_that_is_put_back_is_kept_when_its_certificate_is_due),
        in_cluster(nor_is_it_lost_when_its_ca_was_issued_again),
        in_cluster(a_key_that_the_metadata_does_not_know_is_not_taken_unseen),
        in_cluster(what_is_taken_over_keeps_its_key),
    };
    return cmocka_run_group_tests_name("reconcile/put_back", tests, nullptr, nullptr);
}
