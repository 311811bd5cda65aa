#include "../kube/objects.h"

#include "kinds/table.h"
#include "webhook/admission.h"

#include <stdio.h>

enum { ANSWER_MAX = 4 * 1024 * 1024 };

#define SEED                                                                                                 \
    "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000ab"
#define OTHER_SEED                                                                                           \
    "1111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111ab"

// A review that is answered, and its answer; owned.
struct asked {
    yyjson_doc *answer;
    yyjson_val *response;
    struct admission_outcome outcome;
};

static void asked_free(struct asked *asked) {
    json_free(asked->answer);
}
#define cleanup_asked [[gnu::cleanup(asked_free)]]

// Asks about a request's members, in which ' stands for ".
static struct asked ask(const char *request) {
    struct error e;
    struct asked asked = {0};
    cleanup_buffer struct buffer review = buffer_create(ANSWER_MAX);
    cleanup_buffer struct buffer answer = buffer_create(ANSWER_MAX);
    say(&review, "{'apiVersion':'admission.k8s.io/v1','kind':'AdmissionReview','request':{'uid':'u-1',%s}}",
        request);
    unquote(review.data);
    must(admission_review(kind_table, review.data, review.length, &answer, &asked.outcome, &e), e);
    must(json_parse(answer.data, answer.length, &asked.answer, &e), e);
    yyjson_val *root = yyjson_doc_get_root(asked.answer);
    assert_string_equal(json_member_text(root, "apiVersion"), "admission.k8s.io/v1");
    assert_string_equal(json_member_text(root, "kind"), "AdmissionReview");
    asked.response = yyjson_obj_get(root, "response");
    assert_string_equal(json_member_text(asked.response, "uid"), "u-1");
    assert_int_equal(yyjson_get_bool(yyjson_obj_get(asked.response, "allowed")), asked.outcome.allowed);
    assert_int_equal(yyjson_obj_get(asked.response, "status") == nullptr, asked.outcome.allowed);
    return asked;
}

#define KIND(name) "'kind':{'group':'qubesec.io','version':'v1','kind':'" name "'},"
#define METADATA "'metadata':{'name':'x','namespace':'n'},"

static struct asked create(const char *kind, const char *spec) {
    cleanup_buffer struct buffer request = buffer_create(ANSWER_MAX);
    say(&request,
        "'kind':{'group':'qubesec.io','version':'v1','kind':'%s'},'operation':'CREATE','name':'x',"
        "'object':{" METADATA "'spec':%s},'oldObject':null",
        kind, spec);
    return ask(buffer_text(&request));
}

static struct asked update(const char *kind, const char *old_spec, const char *spec) {
    cleanup_buffer struct buffer request = buffer_create(ANSWER_MAX);
    say(&request,
        "'kind':{'group':'qubesec.io','version':'v1','kind':'%s'},'operation':'UPDATE','name':'x',"
        "'object':{" METADATA "'spec':%s},'oldObject':{" METADATA "'spec':%s}",
        kind, spec, old_spec);
    return ask(buffer_text(&request));
}

static yyjson_val *causes_of(const struct asked *asked) {
    return json_find(asked->response, "status", "details", "causes", nullptr);
}

static const char *message_of(const struct asked *asked) {
    return json_text(json_find(asked->response, "status", "message", nullptr));
}

// It was allowed, without a warning.
static void is_allowed(struct asked asked) {
    if (!asked.outcome.allowed) {
        fail_msg("refused: %s", message_of(&asked));
    }
    assert_null(yyjson_obj_get(asked.response, "warnings"));
    asked_free(&asked);
}

// The causes are these, one "reason field: message" a line.
static void is_refused(struct asked asked, const char *expected) {
    cleanup_buffer struct buffer lines = buffer_create(ANSWER_MAX);
    size_t index;
    size_t count;
    yyjson_val *cause;
    assert_false(asked.outcome.allowed);
    yyjson_arr_foreach(causes_of(&asked), index, count, cause) {
        say(&lines, "%s %s: %s\n", json_member_text(cause, "reason"), json_member_text(cause, "field"),
            json_member_text(cause, "message"));
    }
    assert_string_equal(buffer_text(&lines), expected);
    asked_free(&asked);
}

// ---- creation

static void a_good_object_is_allowed(void **) {
    struct asked asked = create("QuantumRandomNumber", "{'numBytes':32}");
    assert_string_equal(asked.outcome.kind, "QuantumRandomNumber");
    is_allowed(asked);
    is_allowed(create("QuantumRandomNumber", "{}"));
    is_allowed(create("QuantumKEMKeyPair", "null"));
}

static void all_faults_are_causes(void **) {
    cleanup_asked struct asked asked =
        create("QuantumRandomNumber", "{'numBytes':0,'provider':'dice','secretName':'A'}");
    assert_string_equal(
        message_of(&asked),
        "spec.secretName: \"A\" is not a DNS name: lower-case letters, digits, '-' and '.', and a "
        "letter or digit at both ends; spec.numBytes: 0 is not between 1 and 65536; "
        "spec.provider: dice is not one of system, OpenSSL");
    yyjson_val *status = yyjson_obj_get(asked.response, "status");
    assert_int_equal(json_integer(yyjson_obj_get(status, "code"), 0), 422);
    assert_string_equal(json_member_text(status, "reason"), "Invalid");
    assert_string_equal(json_member_text(status, "status"), "Failure");
    yyjson_val *details = yyjson_obj_get(status, "details");
    assert_string_equal(json_member_text(details, "group"), "qubesec.io");
    assert_string_equal(json_member_text(details, "kind"), "QuantumRandomNumber");
    assert_string_equal(json_member_text(details, "name"), "x");
    yyjson_val *causes = causes_of(&asked);
    assert_int_equal(yyjson_arr_size(causes), 3);
    yyjson_val *second = yyjson_arr_get(causes, 1);
    assert_string_equal(json_member_text(second, "reason"), "FieldValueInvalid");
    assert_string_equal(json_member_text(second, "field"), "spec.numBytes");
    assert_string_equal(json_member_text(second, "message"), "0 is not between 1 and 65536");
}

static void a_spec_that_is_no_object_is_refused(void **) {
    is_refused(create("QuantumKEMKeyPair", "'text'"),
               "FieldValueInvalid spec: must be an object, not the text \"text\"\n");
    is_refused(create("QuantumKEMKeyPair", "[1]"),
               "FieldValueInvalid spec: must be an object, not an array\n");
}

static void there_may_be_very_many_faults(void **) {
    cleanup_buffer struct buffer spec = buffer_create(ANSWER_MAX);
    say(&spec, "{'secretTemplate':{'labels':{'0':0");
    for (int i = 1; i < 64; i++) {
        say(&spec, ",'%0200d':%d", i, i);
    }
    say(&spec, "},'annotations':{'0':0");
    for (int i = 1; i < 64; i++) {
        say(&spec, ",'%0200d':%d", i, i);
    }
    say(&spec, "}}}");
    cleanup_asked struct asked asked = create("QuantumKEMKeyPair", buffer_text(&spec));
    assert_int_equal(yyjson_arr_size(causes_of(&asked)), 2 + 4 * 63);
    assert_in_range(strlen(message_of(&asked)), 10000, 33000);
}

static void a_name_may_be_made_later(void **) {
    cleanup_asked struct asked asked = ask(KIND(
        "QuantumRandomNumber") "'operation':'CREATE','name':'','object':{'metadata':{'generateName':'x-'},"
                               "'spec':{'numBytes':0}}");
    assert_string_equal(json_text(json_find(asked.response, "status", "details", "name", nullptr)), "");
    cleanup_asked struct asked inside =
        ask(KIND("QuantumRandomNumber") "'operation':'CREATE','object':{'metadata':{'name':'y'},'spec':{'"
                                        "numBytes':0}}");
    assert_string_equal(json_text(json_find(inside.response, "status", "details", "name", nullptr)), "y");
}

// ---- warnings

static void warnings_are_passed_on(void **) {
    cleanup_asked struct asked asked =
        create("QuantumKEMKeyPair", "{'algorithm':'Kyber512','secretName':'s'}");
    assert_true(asked.outcome.allowed);
    yyjson_val *warnings = yyjson_obj_get(asked.response, "warnings");
    assert_int_equal(yyjson_arr_size(warnings), 3);
    assert_string_equal(json_text(yyjson_arr_get(warnings, 0)),
                        "spec.secretName: is another name of spec.outputSecretName, which is the usual one");
    cleanup_asked struct asked refused = create("QuantumRandomNumber", "{'seed':'" SEED "','numBytes':0}");
    assert_false(refused.outcome.allowed);
    assert_int_equal(yyjson_arr_size(yyjson_obj_get(refused.response, "warnings")), 1);
}

// ---- updates

static void metadata_alone_may_change(void **) {
    static const char bad[] = "{'numBytes':0,'provider':'system'}";
    is_allowed(update("QuantumRandomNumber", bad, bad));
    is_allowed(update("QuantumRandomNumber", bad, "{'provider':'system','numBytes':0}")); // in another order
    is_allowed(update("QuantumKEMKeyPair", "{'algorithm':'Kyber512'}", "{'algorithm':'Kyber512'}"));
    is_allowed(ask(KIND("QuantumKEMKeyPair") "'operation':'UPDATE','object':{" METADATA
                                             "'a':1},'oldObject':{" METADATA "'a':2}"));
    is_refused(update("QuantumRandomNumber", bad, "{'numBytes':0}"),
               "FieldValueInvalid spec.numBytes: 0 is not between 1 and 65536\n");
}

static void what_is_being_deleted_may_change(void **) {
    is_allowed(ask(KIND(
        "QuantumRandomNumber") "'operation':'UPDATE','object':{'metadata':{'name':'x','deletionTimestamp':"
                               "'2026-01-01T00:00:00Z'},'spec':{'numBytes':0}},"
                               "'oldObject':{" METADATA "'spec':{'numBytes':1}}"));
}

#define IMMUTABLE(field)                                                                                     \
    "FieldValueForbidden spec." field ": is immutable; keep it as it was, or create a resource of another "  \
    "name; to delete this one is to lose what it has made\n"

static void what_was_made_from_it_stays(void **) {
    is_refused(update("QuantumRandomNumber", "{'numBytes':32}", "{'numBytes':33}"), IMMUTABLE("numBytes"));
    is_refused(update("QuantumRandomNumber", "{}", "{'numBytes':33,'provider':'OpenSSL'}"),
               IMMUTABLE("numBytes") IMMUTABLE("provider"));
    is_refused(update("QuantumRandomNumber", "{'numBytes':33}", "{}"), IMMUTABLE("numBytes"));
    is_refused(update("QuantumRandomNumber", "{'outputSecretName':'a'}", "{'outputSecretName':'b'}"),
               IMMUTABLE("outputSecretName"));
    is_refused(
        update("QuantumCertificate", "{'commonName':'x'}", "{'commonName':'x','outputSecretName':'x'}"),
        IMMUTABLE("outputSecretName"));
    is_refused(update("QuantumRandomNumber", "{'seedURI':'https://a/'}", "{'seedURI':'https://b/'}"),
               IMMUTABLE("seedURI"));
    is_refused(update("QuantumKEMKeyPair", "{'algorithm':'Kyber768'}", "{'algorithm':'ML-KEM-1024'}"),
               IMMUTABLE("algorithm"));
    is_refused(update("QuantumKEMKeyPair", "{'algorithm':'ML-KEM-512'}", "{}"), IMMUTABLE("algorithm"));
    is_refused(update("QuantumSignatureKeyPair", "{}", "{'algorithm':'ML-DSA-87'}"), IMMUTABLE("algorithm"));
    is_refused(update("QuantumEncapsulateSecret", "{'publicKeyRef':{'name':'a'}}",
                      "{'publicKeyRef':{'name':'a'},'algorithm':'ML-KEM-768'}"),
               IMMUTABLE("algorithm"));
    is_refused(update("QuantumDecapsulateSecret",
                      "{'privateKeyRef':{'name':'a'},'ciphertextRef':{'name':'a'}}",
                      "{'privateKeyRef':{'name':'a'},'ciphertextRef':{'name':'a'},'algorithm':'ML-KEM-768'}"),
               IMMUTABLE("algorithm"));
    is_refused(
        update("QuantumCertificate", "{'commonName':'x'}", "{'commonName':'y','algorithm':'ML-DSA-87'}"),
        IMMUTABLE("algorithm"));
    is_refused(update("QuantumCertificate", "{'commonName':'x'}", "{'commonName':'x','certType':'ca'}"),
               IMMUTABLE("certType"));
    is_refused(update("QuantumCertificate", "{'commonName':'x','certType':'ca'}",
                      "{'commonName':'x','certType':'client','parentCARef':{'name':'a'}}"),
               IMMUTABLE("certType"));
    is_refused(
        update(
            "QuantumDerivedKey", "{'sharedSecretRef':{'name':'a'},'salt':'00','info':'a'}",
            "{'sharedSecretRef':{'name':'a'},'salt':'01','info':'b','keyLength':16,'keyType':'HMAC-SHA256'}"),
        IMMUTABLE("keyLength") IMMUTABLE("salt") IMMUTABLE("info") IMMUTABLE("keyType"));
    is_refused(update("QuantumDerivedKey", "{'sharedSecretRef':{'name':'a'},'infoHex':'00'}",
                      "{'sharedSecretRef':{'name':'a'},'infoHex':'01'}"),
               IMMUTABLE("infoHex"));
    is_refused(update("QuantumSignMessage", "{'privateKeyRef':{'name':'a'},'messageRef':{'name':'a'}}",
                      "{'privateKeyRef':{'name':'a'},'messageRef':{'name':'a'},'outputSecretName':'b'}"),
               IMMUTABLE("outputSecretName"));
}

static void the_name_that_was_written_is_the_one_told(void **) {
    is_refused(update("QuantumRandomNumber", "{'numBytes':32}", "{'bytes':33}"), IMMUTABLE("bytes"));
    is_refused(update("QuantumRandomNumber", "{}", "{'secretName':'b'}"), IMMUTABLE("secretName"));
}

static void another_spelling_is_no_change(void **) {
    static const struct {
        const char *kind;
        const char *old_spec;
        const char *spec;
    } same[] = {
        {"QuantumRandomNumber", "{'bytes':48}", "{'numBytes':48}"},
        {"QuantumRandomNumber", "{}", "{'numBytes':32,'provider':'system'}"},
        {"QuantumRandomNumber", "{'secretName':'a'}", "{'outputSecretName':'a'}"},
        {"QuantumRandomNumber", "{}", "{'outputSecretName':'x'}"},
        {"QuantumRandomNumber", "{'secretName':'x'}", "{}"},
        {"QuantumCertificate", "{'commonName':'x'}", "{'commonName':'x','outputSecretName':'x-secret'}"},
        {"QuantumKEMKeyPair", "{'algorithm':'Kyber768'}", "{'algorithm':'ML-KEM-768'}"},
        {"QuantumKEMKeyPair", "{'algorithm':'Kyber768'}", "{}"},
        {"QuantumSignatureKeyPair", "{'algorithm':'Dilithium3'}", "{'algorithm':'ML-DSA-65'}"},
        {"QuantumDerivedKey", "{'sharedSecretRef':{'name':'a'},'salt':'aB','info':''}",
         "{'sharedSecretRef':{'name':'b'},'salt':'Ab'}"},
    };
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        is_allowed(update(same[i].kind, same[i].old_spec, same[i].spec));
    }
    cleanup_asked struct asked seeded =
        update("QuantumRandomNumber", "{'seed':'" SEED "'}", "{'seed':'" SEED "','deletionPolicy':'Retain'}");
    assert_true(seeded.outcome.allowed);
    cleanup_asked struct asked other =
        update("QuantumRandomNumber", "{'seed':'" SEED "'}", "{'seed':'" OTHER_SEED "'}");
    assert_string_equal(
        message_of(&other),
        "spec.seed: is immutable; keep it as it was, or create a resource of another name; to "
        "delete this one is to lose what it has made");
}

static void all_else_may_change(void **) {
    is_allowed(update("QuantumRandomNumber", "{}",
                      "{'deletionPolicy':'Retain','secretTemplate':{'labels':{'a':'b'}}}"));
    is_allowed(
        update("QuantumCertificate", "{'commonName':'x'}",
               "{'subjectAltNames':['a.example.com'],'durationDays':9,'certType':'client','commonName':'c',"
               "'parentCARef':{'name':'a'}}"));
    is_allowed(update(
        "QuantumVerifySignature",
        "{'publicKeyRef':{'name':'a'},'messageRef':{'name':'a'},'signatureRef':{'name':'a'}}",
        "{'publicKeyRef':{'name':'b'},'messageRef':{'name':'b'},'signatureRef':{'name':'b'},'context':'c'}"));
}

// Whatever such an object was made into, it was not by the spec that it has.
static void what_was_bad_may_become_good(void **) {
    is_allowed(update("QuantumRandomNumber", "{'numBytes':0}", "{'numBytes':33}"));
    is_allowed(update("QuantumKEMKeyPair", "{'algorithm':'RSA'}", "{'algorithm':'ML-KEM-1024'}"));
    is_refused(update("QuantumRandomNumber", "{'numBytes':0}", "{'numBytes':-1}"),
               "FieldValueInvalid spec.numBytes: -1 is not between 1 and 65536\n");
}

// ---- what else may be asked

static void only_what_writes_a_spec_is_judged(void **) {
    static const char bad[] = "{'metadata':{'name':'x'},'spec':{'numBytes':0}}";
    static const char *const requests[] = {
        KIND("QuantumRandomNumber") "'operation':'DELETE','object':null,'oldObject':%s",
        KIND("QuantumRandomNumber") "'operation':'CONNECT','object':%s",
        KIND("QuantumRandomNumber") "'operation':'CREATE','subResource':'status','object':%s",
        KIND("QuantumRandomNumber") "'operation':'UPDATE','subResource':'status','object':%s,'oldObject':{'"
                                    "spec':{}}",
    };
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        cleanup_buffer struct buffer request = buffer_create(ANSWER_MAX);
        const char *place = strstr(requests[i], "%s");
        say(&request, "%.*s%s%s", (int)(place - requests[i]), requests[i], bad, place + 2);
        is_allowed(ask(buffer_text(&request)));
    }
}

static void test_trap_42_a_dry_run_is_the_same(void **) {
    is_refused(
        ask(KIND(
            "QuantumRandomNumber") "'operation':'CREATE','dryRun':true,'object':{'spec':{'numBytes':0}}"),
        "FieldValueInvalid spec.numBytes: 0 is not between 1 and 65536\n");
}

static void an_unknown_kind_of_ours_is_refused(void **) {
    struct asked asked = create("QuantumToaster", "{}");
    assert_null(asked.outcome.kind);
    is_refused(asked,
               "FieldValueNotSupported kind: this version of the operator does not serve it; update the "
               "operator, or remove the CRD\n");
    is_refused(
        ask("'kind':{'group':'qubesec.io','version':'v2','kind':'QuantumRandomNumber'},'operation':'CREATE',"
            "'object':{}"),
        "FieldValueNotSupported apiVersion: this version of the operator does not serve it; update the "
        "operator, or remove the CRD\n");
}

static void what_is_not_ours_is_left_alone(void **) {
    cleanup_asked struct asked asked =
        ask("'kind':{'group':'','version':'v1','kind':'Secret'},'operation':'CREATE','object':{'spec':5}");
    assert_true(asked.outcome.allowed);
    assert_null(asked.outcome.kind);
    assert_string_equal(json_text(yyjson_arr_get(yyjson_obj_get(asked.response, "warnings"), 0)),
                        "validate.qubesec.io was asked about an object that is none of qubesec.io");
}

// ---- what is no review

static void is_no_review(const char *text, const char *says) {
    struct error e;
    struct admission_outcome outcome;
    cleanup_buffer struct buffer answer = buffer_create(ANSWER_MAX);
    char *json = memory_copy_text(text);
    unquote(json);
    must_fail(admission_review(kind_table, json, strlen(json), &answer, &outcome, &e), e, ERROR_INVALID_SPEC,
              says);
    memory_free(json);
    assert_int_equal(answer.length, 0);
}

#define REVIEW "{'apiVersion':'admission.k8s.io/v1','kind':'AdmissionReview',"

static void what_is_no_review_is_an_error(void **) {
    is_no_review("", "not JSON");
    is_no_review("nonsense", "not JSON");
    is_no_review("5", "not an AdmissionReview");
    is_no_review("[]", "not an AdmissionReview");
    is_no_review("{}", "not an AdmissionReview");
    is_no_review("{'apiVersion':'admission.k8s.io/v1beta1','kind':'AdmissionReview'}",
                 "not an AdmissionReview");
    is_no_review("{'apiVersion':'admission.k8s.io/v1','kind':'Pod'}", "not an AdmissionReview");
    is_no_review(REVIEW "'request':{}}", "lacks uid, operation or kind");
    is_no_review(REVIEW "'request':5}", "lacks uid, operation or kind");
    is_no_review(REVIEW "'request':{'uid':5,'operation':'CREATE','kind':{'kind':'a'}}}", "lacks uid");
    is_no_review(REVIEW "'request':{'uid':'u','operation':'CREATE','kind':'a'}}", "lacks uid");
    is_no_review(REVIEW "'request':{'uid':'u','operation':'CREATE','kind':{'kind':'a'}}}",
                 "lacks its object");
    is_no_review(REVIEW "'request':{'uid':'u','operation':'CREATE','kind':{'kind':'a'},'object':5}}",
                 "is no object");
    is_no_review(REVIEW "'request':{'uid':'u','operation':'UPDATE','kind':{'kind':'a'},'object':{}}}",
                 "or oldObject");
    is_no_review(REVIEW "'request':{'uid':'u','uid':'v'}}", "the key \"uid\" twice");
    char long_uid[500];
    snprintf(long_uid, sizeof(long_uid),
             REVIEW "'request':{'uid':'%0300d','operation':'DELETE','kind':{'kind':'a'}}}", 0);
    is_no_review(long_uid, "uid or kind has more than 253 bytes");
}

static void nesting_has_an_end(void **) {
    enum { DEEP = 100000 };
    struct error e;
    struct admission_outcome outcome;
    cleanup_buffer struct buffer answer = buffer_create(ANSWER_MAX);
    char *deep = memory_allocate(DEEP);
    memset(deep, '[', DEEP);
    must_fail(admission_review(kind_table, deep, DEEP, &answer, &outcome, &e), e, ERROR_INVALID_SPEC,
              "nested over 64 levels");
    memory_free(deep);
}

static void without_memory_there_is_no_answer(void **) {
    static const char *const specs[] = {
        "{'numBytes':0,'provider':'dice','bytes':7,'secretTemplate':{'labels':{'a':5}}}",
        "{'bytes':32,'secretTemplate':{'labels':{'a':'b'}}}",
    };
    for (size_t i = 0; i < 2; i++) {
        struct error e = {0};
        struct admission_outcome outcome;
        bool done = false;
        cleanup_buffer struct buffer review = buffer_create(ANSWER_MAX);
        say(&review,
            REVIEW "'request':{'uid':'u'," KIND(
                "QuantumRandomNumber") "'operation':'UPDATE',"
                                       "'object':{'spec':%s},'oldObject':{'spec':{}}}}",
            specs[i]);
        unquote(review.data);
        long left = 0;
        for (; !done && left < 500; left++) {
            cleanup_buffer struct buffer answer = buffer_create(ANSWER_MAX);
            memory_left = left;
            done = admission_review(kind_table, review.data, review.length, &answer, &outcome, &e);
            memory_left = -1;
            assert_true(done || (e.class == ERROR_NO_MEMORY && answer.length == 0));
        }
        assert_true(done && left > 5);
        assert_int_equal(outcome.allowed, i == 1);
    }
}

// ---- names from elsewhere, and names that were dropped

static const char kubectl_apply[] = "kubectl-client-side-apply";

// What is written by that manager, with the annotation of kubectl apply before and now.
static struct asked write_applied(const char *operation, const char *manager, const char *before,
                                  const char *now) {
    static const char object[] =
        "{'apiVersion':'qubesec.io/v1','kind':'QuantumCertificate','metadata':{'name':'x','annotations':"
        "{'kubectl.kubernetes.io/last-applied-configuration':'%s'}},'spec':{'commonName':'%s'}}";
    cleanup_buffer struct buffer request = buffer_create(ANSWER_MAX);
    say(&request, KIND("QuantumCertificate") "'operation':'%s','name':'x','options':{'fieldManager':'%s'}",
        operation, manager);
    say(&request, ",'object':");
    say(&request, object, now, "a");
    if (strcmp(operation, "UPDATE") == 0) {
        say(&request, ",'oldObject':");
        say(&request, object, before, "b");
    }
    return ask(buffer_text(&request));
}

static struct asked apply(const char *operation, const char *before, const char *now) {
    return write_applied(operation, kubectl_apply, before, now);
}

static void names_of_cert_manager_are_refused_with_ours(void **) {
    is_refused(create("QuantumCertificate",
                      "{'commonName':'a','dnsNames':['a.example'],'isCA':false,'issuerRef':{'name':'x'},"
                      "'privateKey':{'size':256},'renewBeforePercentage':30}"),
               "FieldValueInvalid spec.dnsNames: is not a field here: names of every form go into "
               "subjectAltNames\n"
               "FieldValueInvalid spec.issuerRef: is not a field here: name a QuantumCertificate of certType "
               "ca by parentCARef, and set certType to server or client\n"
               "FieldValueInvalid spec.isCA: is not a field here: set certType to ca, or remove it\n"
               "FieldValueInvalid spec.renewBeforePercentage: is not a field here: write it as renewBefore, "
               "with a percent sign: 33%\n"
               "FieldValueInvalid spec.privateKey.size: is not a field here: spec.algorithm says both, such "
               "as ML-DSA-65; keys are in PKCS#8\n");
    is_allowed(create("QuantumCertificate", "{'commonName':'a','dnsNames':null}"));
}

#define APPLIED(version, kind, name, spec)                                                                   \
    "{\\'apiVersion\\':\\'" version "\\',\\'kind\\':\\'" kind "\\',"                                         \
    "\\'metadata\\':{\\'name\\':\\'" name "\\'},\\'spec\\':" spec "}"
#define DROPPED "{\\'subjectAltName\\':[\\'a\\']}"

static const char applied_bad[] = APPLIED("qubesec.io/v1", "QuantumCertificate", "x", DROPPED);
static const char applied_good[] =
    APPLIED("qubesec.io/v1", "QuantumCertificate", "x", "{\\'commonName\\':\\'a\\'}");

static void a_name_that_was_dropped_is_a_fault_of_the_apply_that_gave_it(void **) {
    static const char fault[] = "FieldValueInvalid spec.subjectAltName: there is no such field, and the API "
                                "server has dropped it, as "
                                "validation is off (--validate=false); correct the name, or remove it\n";
    is_refused(apply("CREATE", "", applied_bad), fault);
    is_refused(apply("UPDATE", applied_good, applied_bad), fault);
    is_allowed(apply("UPDATE", applied_bad, applied_bad)); // somebody else's edit, after it
    is_allowed(apply("UPDATE", applied_bad, applied_good));
    is_allowed(apply("UPDATE", applied_good, "no JSON"));
}

// An object from a backup, with the annotation of a day when nobody looked at it.
static void what_an_earlier_apply_gave_is_only_warned_of(void **) {
    static const char *const managers[] = {"velero-server", "argocd-controller", ""};
    for (size_t i = 0; i < 2 * sizeof(managers) / sizeof(managers[0]); i++) {
        cleanup_asked struct asked asked =
            write_applied(i % 2 == 0 ? "CREATE" : "UPDATE", managers[i / 2], applied_good, applied_bad);
        assert_true(asked.outcome.allowed);
        yyjson_val *warnings = yyjson_obj_get(asked.response, "warnings");
        assert_int_equal(yyjson_arr_size(warnings), 1);
        assert_string_equal(
            yyjson_get_str(yyjson_arr_get_first(warnings)),
            "spec.subjectAltName: there is no such field; the annotation of an earlier kubectl "
            "apply has it, the object has not");
    }
    is_allowed(write_applied("CREATE", "velero-server", "", applied_good));
}

static void an_annotation_of_another_object_is_not_read(void **) {
    static const char *const others[] = {
        APPLIED("qubesec.io/v1alpha1", "QuantumCertificate", "x", DROPPED),
        APPLIED("qubesec.io/v1", "QuantumKEMKeyPair", "x", DROPPED),
        APPLIED("qubesec.io/v1", "QuantumCertificate", "y", DROPPED),
        "{\\'spec\\':" DROPPED "}",
        "[]",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        is_allowed(apply("CREATE", "", others[i]));
        is_allowed(apply("UPDATE", applied_good, others[i]));
        is_allowed(write_applied("CREATE", "velero-server", "", others[i]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_cert_manager_are_refused_with_ours),
        cmocka_unit_test(a_name_that_was_dropped_is_a_fault_of_the_apply_that_gave_it),
        cmocka_unit_test(what_an_earlier_apply_gave_is_only_warned_of),
        cmocka_unit_test(an_annotation_of_another_object_is_not_read),
        cmocka_unit_test(a_good_object_is_allowed),
        cmocka_unit_test(all_faults_are_causes),
        cmocka_unit_test(a_spec_that_is_no_object_is_refused),
        cmocka_unit_test(there_may_be_very_many_faults),
        cmocka_unit_test(a_name_may_be_made_later),
        cmocka_unit_test(warnings_are_passed_on),
        cmocka_unit_test(metadata_alone_may_change),
        cmocka_unit_test(what_is_being_deleted_may_change),
        cmocka_unit_test(what_was_made_from_it_stays),
        cmocka_unit_test(the_name_that_was_written_is_the_one_told),
        cmocka_unit_test(another_spelling_is_no_change),
        cmocka_unit_test(all_else_may_change),
        cmocka_unit_test(what_was_bad_may_become_good),
        cmocka_unit_test(only_what_writes_a_spec_is_judged),
        cmocka_unit_test(test_trap_42_a_dry_run_is_the_same),
        cmocka_unit_test(an_unknown_kind_of_ours_is_refused),
        cmocka_unit_test(what_is_not_ours_is_left_alone),
        cmocka_unit_test(what_is_no_review_is_an_error),
        cmocka_unit_test(nesting_has_an_end),
        cmocka_unit_test(without_memory_there_is_no_answer),
    };
    return cmocka_run_group_tests_name("operator/admission", tests, nullptr, nullptr);
}
