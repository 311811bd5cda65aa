// The answer to an access review: only a clear yes is one, and it is kept.
#include "answers.h"

#include "kube/access_review.h"

static const struct access_review_spec question = {.service_account_namespace = "tenant",
                                                   .service_account = "robot",
                                                   .verb = "get",
                                                   .resource = &kube_secrets,
                                                   .namespace = "other",
                                                   .name = "keys"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error e = {0};
    cleanup_json yyjson_doc *document = json_of(data, size);
    struct answering answering = {.answer = yyjson_doc_get_root(document), .failure = ERROR_RETRYABLE};
    struct access_reviewer *access;
    yyjson_val *status = yyjson_obj_get(answering.answer, "status");
    bool clear = yyjson_is_true(yyjson_obj_get(status, "allowed")) &&
                 !yyjson_is_true(yyjson_obj_get(status, "denied"));
    bool allowed = !clear;
    MUST(access_reviewer_create((struct api){&answering, answer_request}, &access, &e), e);
    bool answered = access_review(access, &question, &allowed, &e);
    CHECK(answered == (document != nullptr));
    if (answered) {
        CHECK(allowed == clear);
        yyjson_val *asked = yyjson_obj_get(yyjson_doc_get_root(answering.body), "spec");
        CHECK(json_member_is(asked, "user", "system:serviceaccount:tenant:robot"));
        answering.answer = nullptr; // nobody is asked again
        allowed = !clear;
        MUST(access_review(access, &question, &allowed, &e), e);
        CHECK(allowed == clear && answering.asked == 1);
    } else {
        CHECK(allowed == !clear);
        check_refusal(&e, ERROR_RETRYABLE);
    }
    access_reviewer_free(access);
    json_free(answering.body);
    return 0;
}
