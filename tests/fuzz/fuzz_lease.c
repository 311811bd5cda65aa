// The Lease as the API server shows it, an answer a line; a line that is no JSON is a request that has
// failed. Whatever is answered: two never lead by what is known here, every write is conditional, and time
// goes on.
#include "answers.h"

#include "runtime/lease.h"

enum { STEPS_MAX = 64, DURATION_MS = 15000, DEADLINE_MS = 10000, RETRY_MS = 2000 };

static const char identity[] = "us";
static const int64_t begin_us = 1767323045000000;

struct contender {
    struct lease *lease;
    int64_t now_ms;
    int64_t seen_ms;     // when the record was seen to have changed
    int64_t promised_ms; // for how long it then promised to keep others away
    bool knows_other;    // another holds the record that was seen last
    yyjson_doc *spec;    // owned: of that record
    int64_t asked_ms;
};

static double draw(void *context) {
    (void)context;
    return 0.5;
}

// What a write says: a record that is ours for our time, or nobody's, and of a version that was seen.
static void check_body(const struct contender *contender, const struct lease_step *step) {
    struct error e;
    cleanup_json yyjson_doc *document = nullptr;
    MUST(json_freeze(step->body, &document, &e), e);
    yyjson_val *root = yyjson_doc_get_root(document);
    yyjson_val *spec = yyjson_obj_get(root, "spec");
    const char *holder = json_member_text(spec, "holderIdentity");
    const char *version = json_text(json_find(root, "metadata", "resourceVersion", nullptr));
    int64_t transitions = json_integer(yyjson_obj_get(spec, "leaseTransitions"), 0);
    CHECK(holder != nullptr && (holder[0] == '\0' || strcmp(holder, identity) == 0));
    CHECK(transitions >= 0 && transitions <= INT32_MAX); // the API takes no other
    if (step->action == LEASE_UPDATE) {
        const char *seen =
            json_text(json_find(lease_object(contender->lease), "metadata", "resourceVersion", nullptr));
        CHECK(version != nullptr && version[0] != '\0' && strcmp(version, seen) == 0);
    }
    // Another's record that has not run out is left alone.
    CHECK(step->action != LEASE_UPDATE || !contender->knows_other ||
          contender->now_ms >= contender->seen_ms + contender->promised_ms);
}

// What is done next, waits passed over. False: it is over.
static bool next(struct contender *contender, struct lease_step *step) {
    for (;;) {
        bool led = lease_held_until(contender->lease) != INT64_MIN;
        lease_next(contender->lease, contender->now_ms, begin_us + contender->now_ms * 1000, step);
        if (step->action == LEASE_LOST || step->action == LEASE_RELEASED) {
            CHECK(lease_held_until(contender->lease) == INT64_MIN);
            return false;
        }
        if (step->action != LEASE_WAIT) {
            CHECK(step->timeout_ms > 0 && step->timeout_ms <= DEADLINE_MS);
            contender->asked_ms = contender->now_ms;
            if (step->action != LEASE_GET) {
                check_body(contender, step);
            }
            return true;
        }
        CHECK(step->wait_ms > 0 && step->wait_ms <= DEADLINE_MS);
        CHECK(!led || contender->now_ms + step->wait_ms <= lease_held_until(contender->lease));
        contender->now_ms += step->wait_ms;
    }
}

static void note_seen(struct contender *contender, yyjson_val *answer) {
    yyjson_val *spec = yyjson_obj_get(answer, "spec");
    const char *holder = lease_holder(contender->lease);
    int64_t seconds = json_integer(yyjson_obj_get(spec, "leaseDurationSeconds"), DURATION_MS / 1000);
    if (contender->spec == nullptr || !yyjson_equals(yyjson_doc_get_root(contender->spec), spec)) {
        contender->seen_ms = contender->now_ms;
    }
    json_free(contender->spec);
    contender->spec = spec == nullptr ? nullptr : copy_of(spec);
    contender->promised_ms = seconds < 0           ? 0
                             : seconds > INT32_MAX ? (int64_t)INT32_MAX * 1000
                                                   : seconds * 1000;
    contender->knows_other = holder[0] != '\0' && strcmp(holder, identity) != 0;
}

static void answer(struct contender *contender, enum lease_action action, const char *text, size_t length) {
    struct error e = {0};
    yyjson_doc *document = json_of(text, length);
    contender->now_ms += 10;
    if (document == nullptr) {
        static const enum error_class classes[] = {ERROR_NOT_FOUND, ERROR_CONFLICT, ERROR_RETRYABLE,
                                                   ERROR_FORBIDDEN, ERROR_IO};
        error_set(&e, classes[length % (sizeof(classes) / sizeof(classes[0]))], "it failed");
        lease_failed(contender->lease, contender->now_ms, &e);
        if (action == LEASE_GET && e.class == ERROR_NOT_FOUND) {
            json_free(contender->spec);
            contender->spec = nullptr;
            contender->knows_other = false;
        }
        return;
    }
    cleanup_json yyjson_doc *copy = copy_of(yyjson_doc_get_root(document));
    bool taken = lease_answered(contender->lease, contender->now_ms, document, &e);
    if (!taken) {
        check_refusal(&e, ERROR_IO);
    }
    const char *version =
        json_text(json_find(yyjson_doc_get_root(copy), "metadata", "resourceVersion", nullptr));
    if (version != nullptr && version[0] != '\0') {
        note_seen(contender, yyjson_doc_get_root(copy));
    }
    int64_t until_ms = lease_held_until(contender->lease);
    if (until_ms != INT64_MIN) {
        CHECK(!contender->knows_other && until_ms <= contender->asked_ms + DEADLINE_MS);
    }
    CHECK(taken || until_ms == INT64_MIN || until_ms < contender->asked_ms + DEADLINE_MS);
}

// With the last line leadership is given back, if the input ends in a line end.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct lease_options options = {.namespace = "system",
                                          .name = "lease",
                                          .identity = identity,
                                          .timing = {DURATION_MS, DEADLINE_MS, RETRY_MS},
                                          .random = draw};
    struct contender contender = {.now_ms = 1000};
    struct lease_step step;
    struct error e;
    const char *text = (const char *)data;
    bool releases = size > 0 && text[size - 1] == '\n';
    MUST(lease_create(&options, &contender.lease, &e), e);
    bool goes_on = next(&contender, &step);
    for (size_t i = 0; i < STEPS_MAX && size > 0 && goes_on; i++) {
        const char *end = memchr(text, '\n', size);
        size_t length = end == nullptr ? size : (size_t)(end - text);
        answer(&contender, step.action, text, length);
        size_t taken = length + (end == nullptr ? 0 : 1);
        text += taken;
        size -= taken;
        goes_on = next(&contender, &step);
    }
    if (goes_on && releases) {
        lease_failed(contender.lease, contender.now_ms,
                     &(struct error){.class = ERROR_IO, .message = "cut off"});
        lease_release(contender.lease);
        for (size_t i = 0; next(&contender, &step); i++) {
            CHECK(i < STEPS_MAX);
            lease_failed(contender.lease, contender.now_ms,
                         &(struct error){.class = ERROR_IO, .message = "gone"});
        }
        CHECK(step.action == LEASE_RELEASED);
    }
    lease_free(contender.lease);
    json_free(contender.spec);
    return 0;
}
