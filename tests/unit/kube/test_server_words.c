#include "../base/check.h"

#include "kube/server_words.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>

static void check(const char *text, const char *expected) {
    char words[SERVER_WORDS_SIZE];
    server_words_clean(text, words);
    assert_string_equal(words, expected);
}

static void same(const char *text) {
    check(text, text);
}

static void what_servers_say_stays_as_it_is(void **) {
    same("");
    same("the API server refused");
    same("secrets \"numbers\" is forbidden: exceeded quota: few, requested: count/secrets=1, used: "
         "count/secrets=3, limited: count/secrets=3");
    same("secrets \"probe-x7k2p\" is forbidden: ValidatingAdmissionPolicy 'e2e-x7k2p' with binding "
         "'e2e-x7k2p' "
         "denied request: no Secrets today");
    same("Internal error occurred: failed calling webhook \"hook.example.com\": failed to call webhook: Post "
         "\"https://hook.web-7d9c5b8f6d.svc:443/validate?timeout=10s\": dial tcp 10.0.0.1:443: connect: "
         "connection "
         "refused");
    same("admission webhook \"validate.kyverno.svc-fail\" denied the request "
         "3fa85f64-5717-4562-b3fc-2c963f66afa6");
    same("QuantumDecapsulateSecret.qubesec.io \"a\" is invalid: spec.parentCARef: PublicKeyPEM, "
         "SLH-DSA-SHA2-128s, ValidatingWebhookConfiguration/MutatingAdmissionPolicyBinding");
    same("Operation cannot be fulfilled on quantumrandomnumbers.qubesec.io \"a\": the object has been "
         "modified");
    same("at 2026-08-01T10:00:00Z, request 4711 username= Schlüssel NAMESPACE_TERMINATING");
}

// What messages name most: fields of our definitions and of Kubernetes' own.
static void names_of_fields_stay(void **) {
    static const char *const fields[] = {
        "additionalPrinterColumns",
        "additionalProperties",
        "apiVersion",
        "certPEM",
        "certType",
        "ciphertextFingerprint",
        "ciphertextRef",
        "commonName",
        "deletionPolicy",
        "durationDays",
        "fieldPath",
        "infoHex",
        "jsonPath",
        "keyLength",
        "keyType",
        "lastCheckedTime",
        "lastGeneratedTime",
        "lastTransitionTime",
        "lastUpdateTime",
        "listKind",
        "maxItems",
        "maxLength",
        "maxProperties",
        "messageExpression",
        "messageFingerprint",
        "messageKey",
        "messageRef",
        "minLength",
        "notAfter",
        "notBefore",
        "numBytes",
        "observedGeneration",
        "onKeyLoss",
        "organizationalUnit",
        "outputSecretName",
        "parentCARef",
        "pathLen",
        "privateKey",
        "privateKeyRef",
        "publicKeyDigest",
        "publicKeyFingerprint",
        "publicKeyPEM",
        "publicKeyRef",
        "reconcileID",
        "renewBefore",
        "renewalTime",
        "resourceVersion",
        "rotationPolicy",
        "secretName",
        "secretRef",
        "secretTemplate",
        "seedURI",
        "selectableFields",
        "serialNumber",
        "serviceAccountName",
        "sharedSecretRef",
        "shortNames",
        "signatureFingerprint",
        "signatureKey",
        "signatureRef",
        "signatureReference",
        "subjectAltNames",
        "usedInfo",
        "usedSalt",
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        char text[200];
        snprintf(text, sizeof(text), "spec.%s[0] is invalid: \"%s\"; %s=1", fields[i], fields[i], fields[i]);
        same(text);
    }
}

static void it_is_one_line_without_what_is_not_seen(void **) {
    check(" \n two\r\n\tlines \n", "two lines");
    check("a\x1b[31m red", "a [31m red");
    check("a\xc2\x85"
          "b\u202ec\u2028d\u2066e",
          "a b c d e");
}

static void it_is_bounded(void **) {
    char text[100000];
    char words[SERVER_WORDS_SIZE];
    for (size_t length = 250; length < 260; length++) {
        memset(text, ' ', sizeof(text));
        for (size_t i = 0; i < length; i += 2) {
            text[i] = 'a';
        }
        text[length] = '\0';
        server_words_clean(text, words);
        assert_in_range(strlen(words), 249, 256);
        assert_int_equal(strcmp(words + strlen(words) - 3, "...") == 0, length > 256);
    }
    size_t used = 0;
    while (used + 8 < sizeof(text)) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "ü ");
    }
    server_words_clean(text, words);
    assert_in_range(strlen(words), 250, 256);
    assert_null(strchr(words, '?')); // no character was cut in the middle
    memset(text, 'A', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    check(text, "[removed]");
}

static void keys_are_removed_in_whatever_form(void **) {
    check("denied: data.random is \"q83vEjRWeJCrze8SNFZ4kA==\"!", "denied: data.random is \"[removed]\"!");
    check("value: q83vEjRWeJA=", "value: [removed]");
    check("value: abcdef0123456789", "value: [removed]");
    check("token "
          "eyJhbGciOiJSUzI1NiIsImtpZCI6IkZ.eyJpc3MiOiJrdWJlcm5ldGVzL3NlcnZpY2VhY.c2lnbmF0dXJlIG9mIHRoZQ x",
          "token [removed].[removed].[removed] x");
    check("map[random:[171 205 239 18 52 86 120 144]]", "map[random:[[removed]]]");
    check("AB:CD:EF:12:34:56:78:90 and 0xab, 0xcd, 0xef, 0x12, 0x34, 0x56, 0x78, 0x9a.",
          "[removed] and [removed].");
    check("it is \"\\xab\\xcdAb1\\x12 4\\u00ef\" there", "it is [removed] there");
    check("it is \x01\x02"
          "ab \ufffd\a there",
          "it is [removed] there");
    check("the key -----BEGIN PRIVATE KEY-----\nMIIB\nAAAA\n-----END PRIVATE KEY-----\n is refused",
          "the key [removed] is refused");
    check("the key -----BEGIN PRIVATE KEY-----\\nMI IB", "the key [removed]");
    check("key=3-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----", "key=3[removed]");
}

// ---- nothing of a key that a server quotes is left, but pieces too short to be of use

static uint64_t state = 1;

static uint8_t next_byte(void) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (uint8_t)(state >> 56);
}

static void encode_base64(const uint8_t *bytes, size_t length, const char *alphabet, bool padded,
                          char *text) {
    for (size_t i = 0; i < length; i += 3) {
        uint32_t group = (uint32_t)bytes[i] << 16;
        group |= i + 1 < length ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= i + 2 < length ? bytes[i + 2] : 0;
        size_t count = length - i < 3 ? length - i + 1 : 4;
        for (size_t j = 0; j < count; j++) {
            *text++ = alphabet[group >> (18 - 6 * j) & 63];
        }
        for (size_t j = count; padded && j < 4; j++) {
            *text++ = '=';
        }
    }
    *text = '\0';
}

static void encode_hex(const uint8_t *bytes, size_t length, char *text) {
    for (size_t i = 0; i < length; i++) {
        text += snprintf(text, 3, "%02x", bytes[i]);
    }
}

static void is_not_shown(const char *secret) {
    char text[1024];
    char words[SERVER_WORDS_SIZE];
    snprintf(text, sizeof(text), "policy p denied Secret a: the value %s is weak (%s)", secret, secret);
    server_words_clean(text, words);
    if (strcmp(words, "policy p denied Secret a: the value [removed] is weak ([removed])") != 0) {
        fail_msg("%s\nof\n%s", words, text);
    }
}

static void no_key_of_the_usual_lengths_is_shown(void **) {
    static const char usual[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char for_urls[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    static const size_t lengths[] = {16, 24, 32, 48, 64, 128};
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[128];
        char text[300];
        size_t length = lengths[i % 6];
        for (size_t j = 0; j < length; j++) {
            bytes[j] = next_byte();
        }
        encode_base64(bytes, length, usual, true, text);
        is_not_shown(text);
        encode_base64(bytes, length, for_urls, false, text);
        is_not_shown(text);
        encode_hex(bytes, length, text);
        is_not_shown(text);
    }
}

// ---- comparing

static void alike(const char *one, const char *other, bool expected) {
    assert_int_equal(server_words_are_alike(one, other), expected);
    assert_int_equal(server_words_are_alike(other, one), expected);
    assert_true(server_words_are_alike(one, one));
}

static void what_varies_makes_no_difference(void **) {
    alike("", "", true);
    alike("request 1 refused", "request 4711 refused", true);
    alike("refused (request 3fa85f64-5717-4562-b3fc-2c963f66afa6)",
          "refused (request 00000000-aaaa-bbbb-cccc-ddddeeeeffff)", true);
    alike("at 2026-08-01T10:00:00.123Z: no", "at 2026-08-01T10:00:01Z: no", true);
    alike("pod \"hook-bcdfg\" said no", "pod \"hook-zzzzz\" said no", true);
    alike("used: count/secrets=3, limited: 4", "used: count/secrets=4, limited: 4", true);
    alike("dial tcp 10.0.0.1:443: connect", "dial tcp 10.0.0.12:8443: connect", true);
}

static void what_says_something_else_does(void **) {
    alike("", "refused", false);
    alike("request 1 refused", "request 1 refused again", false);
    alike("request 1 refused", "request one refused", false);
    alike("used: count/secrets=3", "used: count/pods=3", false);
    alike("pod \"hook-bcdfg\" said no", "pod \"look-bcdfg\" said no", false);
    alike("no such policy: strict", "no such policy: stricter", false);
    alike("refused: a", "refused, a", false);
    alike("refused by-hand", "refused by-force", false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_fields_stay),
        cmocka_unit_test(what_servers_say_stays_as_it_is),
        cmocka_unit_test(it_is_one_line_without_what_is_not_seen),
        cmocka_unit_test(it_is_bounded),
        cmocka_unit_test(keys_are_removed_in_whatever_form),
        cmocka_unit_test(no_key_of_the_usual_lengths_is_shown),
        cmocka_unit_test(what_varies_makes_no_difference),
        cmocka_unit_test(what_says_something_else_does),
    };
    return cmocka_run_group_tests_name("kube/server_words", tests, nullptr, nullptr);
}
