#include "kube/exec_credential.h"

#include "../base/check.h"

#include <stdio.h>

#define V1 "client.authentication.k8s.io/v1"
#define HEAD "{\"apiVersion\": \"" V1 "\", \"kind\": \"ExecCredential\", \"status\": "

static struct exec_credential read_good(const char *answer) {
    struct error e;
    struct exec_credential credential;
    must(exec_credential_read(answer, strlen(answer), V1, &credential, &e), e);
    return credential;
}

static void a_token(void **) {
    struct exec_credential credential = read_good(HEAD "{\"token\": \"t\", \"clientKeyData\": \"\"}}");
    assert_string_equal(credential.token, "t");
    assert_null(credential.certificate);
    assert_null(credential.key);
    assert_false(credential.expires);
    exec_credential_done(&credential);
}

static void a_certificate_with_its_key(void **) {
    struct exec_credential credential =
        read_good(HEAD "{\"clientCertificateData\": \"c\", \"clientKeyData\": \"k\", \"token\": null}}");
    assert_null(credential.token);
    assert_string_equal(credential.certificate, "c");
    assert_string_equal(credential.key, "k");
    exec_credential_done(&credential);
}

static void times_of_all_zones(void **) {
    static const struct {
        const char *text;
        int64_t seconds;
    } times[] = {
        {"2026-11-30T12:00:00Z", 1796040000},      {"2026-11-30T12:00:00.123456Z", 1796040000},
        {"2026-11-30T14:30:00+02:30", 1796040000}, {"2026-11-30T07:00:00.5-05:00", 1796040000},
        {"1970-01-01T00:00:00+00:00", 0},
    };
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        char answer[256];
        snprintf(answer, sizeof(answer), HEAD "{\"token\": \"t\", \"expirationTimestamp\": \"%s\"}}",
                 times[i].text);
        struct exec_credential credential = read_good(answer);
        assert_true(credential.expires);
        assert_int_equal(credential.expires_at, times[i].seconds);
        exec_credential_done(&credential);
    }
}

static void what_is_no_credential_is_refused_without_a_word_of_it(void **) {
    static const struct {
        const char *answer;
        const char *says;
    } wrongs[] = {
        {"", "no JSON"},
        {"Please log in: s3cret", "no JSON"},
        {HEAD "{\"token\": \"s3cret\"}} more", "no JSON"},
        {"[]", "kind"},
        {"{\"apiVersion\": \"" V1 "\", \"kind\": \"Secret\", \"status\": {\"token\": \"s3cret\"}}", "kind"},
        {"{\"apiVersion\": \"" EXEC_VERSION_BETA "\", \"kind\": \"ExecCredential\", \"status\": "
         "{\"token\": \"s3cret\"}}",
         "apiVersion"},
        {HEAD "null}", "status: it is missing"},
        {HEAD "{}}", "neither a token nor a client certificate"},
        {HEAD "{\"token\": 7}}", "status.token"},
        {HEAD "{\"token\": \"s3cret\\u0000\"}}", "status.token"},
        {HEAD "{\"clientKeyData\": \"s3cret\"}}", "together"},
        {HEAD "{\"token\": \"s3cret\", \"clientCertificateData\": \"c\"}}", "together"},
        {HEAD "{\"token\": \"s3cret\", \"expirationTimestamp\": \"tomorrow\"}}", "expirationTimestamp"},
        {HEAD "{\"token\": \"s3cret\", \"expirationTimestamp\": 7}}", "expirationTimestamp"},
        {HEAD "{\"token\": \"s3cret\", \"expirationTimestamp\": \"+00:00\"}}", "expirationTimestamp"},
    };
    for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        struct error e;
        struct exec_credential credential;
        must_fail(exec_credential_read(wrongs[i].answer, strlen(wrongs[i].answer), V1, &credential, &e), e,
                  ERROR_INVALID_SPEC, wrongs[i].says);
        assert_null(strstr(e.message, "s3cret"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token),
        cmocka_unit_test(a_certificate_with_its_key),
        cmocka_unit_test(times_of_all_zones),
        cmocka_unit_test(what_is_no_credential_is_refused_without_a_word_of_it),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
