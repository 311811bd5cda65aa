// admission_review: whatever is sent, either there is a whole answer that repeats the uid and says why, or
// none.
#include "fuzz.h"

#include "engine/decode.h"
#include "kinds/table.h"
#include "webhook/admission.h"
#include "json/read.h"

enum { ANSWER_MAX = 4 * 1024 * 1024, WARNING_MAX = 256 };

static void check_status(yyjson_val *status) {
    yyjson_val *causes = json_find(status, "details", "causes", nullptr);
    yyjson_val *cause;
    size_t index;
    size_t count;
    CHECK(json_integer(yyjson_obj_get(status, "code"), 0) == 422);
    CHECK(json_member_text(status, "message") != nullptr && yyjson_arr_size(causes) > 0);
    yyjson_arr_foreach(causes, index, count, cause) {
        CHECK(json_member_text(cause, "reason")[0] != '\0' && json_member_text(cause, "field") != nullptr &&
              json_member_text(cause, "message")[0] != '\0');
    }
}

static void check_warnings(yyjson_val *warnings) {
    yyjson_val *warning;
    size_t index;
    size_t count;
    CHECK(warnings == nullptr || yyjson_arr_size(warnings) > 0);
    yyjson_arr_foreach(warnings, index, count, warning) {
        CHECK(yyjson_is_str(warning) && yyjson_get_len(warning) > 0 &&
              yyjson_get_len(warning) <= WARNING_MAX);
    }
}

// What is created anew, and allowed, the operator can decode.
static void check_decodes(yyjson_val *request, const struct admission_outcome *outcome) {
    yyjson_val *object = yyjson_obj_get(request, "object");
    const char *subresource = json_member_text(request, "subResource");
    bool created = yyjson_equals_str(yyjson_obj_get(request, "operation"), "CREATE") &&
                   (subresource == nullptr || subresource[0] == '\0') &&
                   json_find(object, "metadata", "deletionTimestamp", nullptr) == nullptr;
    for (const struct kind *const *kind = kind_table; created && *kind != nullptr; kind++) {
        if (outcome->kind != nullptr && strcmp((*kind)->kind, outcome->kind) == 0) {
            struct error e;
            cleanup_decoded struct decoded decoded = {0};
            bool decodes =
                decode_spec(*kind, "name", yyjson_obj_get(object, "spec"), nullptr, nullptr, &decoded, &e);
            CHECK(decodes || !outcome->allowed);
        }
    }
}

static void check_answer(const char *review, size_t size, const struct buffer *answer,
                         const struct admission_outcome *outcome) {
    struct error e;
    cleanup_json yyjson_doc *asked = nullptr;
    cleanup_json yyjson_doc *answered = nullptr;
    MUST(json_parse(review, size, &asked, &e), e);
    MUST(json_parse(buffer_text(answer), answer->length, &answered, &e), e);
    yyjson_val *root = yyjson_doc_get_root(answered);
    yyjson_val *request = yyjson_obj_get(yyjson_doc_get_root(asked), "request");
    yyjson_val *response = yyjson_obj_get(root, "response");
    yyjson_val *status = yyjson_obj_get(response, "status");
    CHECK(yyjson_equals_str(yyjson_obj_get(root, "apiVersion"), "admission.k8s.io/v1"));
    CHECK(yyjson_equals_str(yyjson_obj_get(root, "kind"), "AdmissionReview"));
    CHECK(json_equals(yyjson_obj_get(response, "uid"), yyjson_obj_get(request, "uid")));
    CHECK(yyjson_is_bool(yyjson_obj_get(response, "allowed")));
    CHECK(yyjson_get_bool(yyjson_obj_get(response, "allowed")) == outcome->allowed);
    CHECK((status == nullptr) == outcome->allowed);
    if (status != nullptr) {
        check_status(status);
    }
    check_warnings(yyjson_obj_get(response, "warnings"));
    check_decodes(request, outcome);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *review = (const char *)data;
    struct error e = {0};
    const struct admission_outcome untouched = {.kind = e.message};
    struct admission_outcome outcome = untouched;
    cleanup_buffer struct buffer answer = buffer_create(ANSWER_MAX);
    start_crypto();
    if (admission_review(kind_table, review, size, &answer, &outcome, &e)) {
        check_answer(review, size, &answer, &outcome);
    } else {
        CHECK(outcome.kind == untouched.kind && !outcome.allowed && answer.length == 0);
        check_refusal(&e, ERROR_INVALID_SPEC);
    }
    return 0;
}
