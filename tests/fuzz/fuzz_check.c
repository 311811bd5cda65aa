// What `qubesec check` reads of a cluster: whatever is answered, each check says what it found in a line that
// can be shown, and what to do about it. The input is JSON, the answers in turn: of kind Status an error, a
// text what /metrics says; when they end nothing more is found.
#include "answers.h"
#include "memory_file.h"

#include "check/context.h"
#include "check/parts.h"
#include "kinds/table.h"

#include <time.h>

static yyjson_val *rest; // of the answers; NULL: none
static size_t rest_count;

static bool next_answer(yyjson_val **ret_answer, struct error *e) {
    if (rest_count == 0) {
        return error_set(e, ERROR_NOT_FOUND, "there is no more");
    }
    yyjson_val *answer = rest;
    rest = unsafe_yyjson_get_next(rest);
    rest_count--;
    if (json_member_is(answer, "kind", "Status")) {
        cleanup_json_mut yyjson_mut_doc *document = nullptr;
        cleanup_buffer struct buffer body = buffer_create(DOCUMENT_TEXT_MAX);
        int64_t code = json_integer(yyjson_obj_get(answer, "code"), 500);
        MUST(json_create(&document, e), *e);
        yyjson_mut_doc_set_root(document, yyjson_val_mut_copy(document, answer));
        MUST(json_write(document, &body, e), *e);
        kube_status_error(code >= 400 && code < 600 ? (int)code : 500, 0, buffer_text(&body), body.length, e);
        return false;
    }
    *ret_answer = answer;
    return true;
}

// In place of check/context.c: nobody is asked.
bool check_call(struct check_context *context, const struct api_request *request, yyjson_doc **ret_document,
                struct error *e) {
    yyjson_val *answer;
    (void)context;
    (void)request;
    if (!next_answer(&answer, e)) {
        return false;
    }
    if (ret_document != nullptr) {
        *ret_document = copy_of(answer);
    }
    return true;
}

bool check_get(struct check_context *context, const struct kube_resource *resource, const char *ns,
               const char *name, yyjson_doc **ret_document, struct error *e) {
    const struct api_request request = {.resource = resource, .namespace = ns, .name = name};
    return check_call(context, &request, ret_document, e);
}

bool check_get_path(struct check_context *context, const char *path, yyjson_doc **ret_document,
                    struct error *e) {
    (void)path;
    return check_call(context, nullptr, ret_document, e);
}

bool check_get_text(struct check_context *context, const char *path, struct buffer *text, struct error *e) {
    yyjson_val *answer;
    (void)context;
    (void)path;
    if (!next_answer(&answer, e)) {
        return false;
    }
    const char *metrics = json_text(answer);
    return buffer_append_text(text, metrics == nullptr ? "" : metrics, e);
}

// A Lease is watched by waiting.
int nanosleep(const struct timespec *time, struct timespec *left) {
    (void)time;
    (void)left;
    return 0;
}

static bool is_showable(const char *text) {
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f ||
            ((unsigned char)c[0] == 0xc2 && (unsigned char)c[1] < 0xa0)) {
            return false;
        }
    }
    return is_valid_text(text);
}

static void check_finding(yyjson_val *finding, size_t counts[CHECK_LEVEL_COUNT]) {
    static const char *const levels[CHECK_LEVEL_COUNT] = {"ok", "warn", "fail"};
    static const char *const texts[] = {"group", "check", "subject", "message"};
    const char *remedy = json_member_text(finding, "remedy");
    bool known = false;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *text = json_member_text(finding, texts[i]);
        CHECK(text != nullptr && text[0] != '\0' && is_showable(text));
    }
    for (size_t i = 0; i < CHECK_LEVEL_COUNT; i++) {
        bool is_it = json_member_is(finding, "level", levels[i]);
        counts[i] += is_it ? 1 : 0;
        known = known || is_it;
    }
    CHECK(known && (remedy == nullptr || (remedy[0] != '\0' && is_showable(remedy))));
    CHECK(remedy != nullptr || json_member_is(finding, "level", "ok"));
}

static void check_findings(const struct check_report *report) {
    struct error e;
    size_t counts[CHECK_LEVEL_COUNT] = {0};
    cleanup_buffer struct buffer text = buffer_create(DOCUMENT_TEXT_MAX);
    cleanup_buffer struct buffer json = buffer_create(DOCUMENT_TEXT_MAX);
    MUST(check_report_write_text(report, &text, &e) && check_report_write_json(report, &json, &e), e);
    cleanup_json yyjson_doc *document = json_of(json.data, json.length);
    yyjson_val *findings = yyjson_obj_get(yyjson_doc_get_root(document), "findings");
    size_t index;
    size_t count;
    yyjson_val *finding;
    yyjson_arr_foreach(findings, index, count, finding) {
        check_finding(finding, counts);
    }
    CHECK(count > 0 && strstr(buffer_text(&text), "\n\n") != nullptr);
    for (size_t level = 0; level < CHECK_LEVEL_COUNT; level++) {
        CHECK(check_report_count(report, (enum check_level)level) == counts[level]);
    }
}

static struct kube_config *some_config(void) {
    static const char text[] = "{\"clusters\":[{\"name\":\"c\",\"cluster\":{\"server\":\"https://host:1\"}}],"
                               "\"contexts\":[{\"name\":\"x\",\"context\":{\"cluster\":\"c\"}}],"
                               "\"current-context\":\"x\"}";
    static struct memory_file file;
    static struct kube_config *config;
    struct error e;
    if (config == nullptr) {
        MUST(kube_config_load(memory_file_write(&file, text, sizeof(text) - 1), nullptr, &config, &e), e);
    }
    return config;
}

static void run(check_function *function, yyjson_val *answers) {
    static const char *const everywhere[] = {nullptr};
    const struct check_options options = {.namespace = "qubesec-system",
                                          .lease = "qubesec-operator",
                                          .webhook_configuration = "qubesec",
                                          .webhook_secret = "qubesec-webhook",
                                          .probe_namespace = "default",
                                          .namespaces = everywhere,
                                          .kinds = kind_table};
    struct check_context context = {
        .options = &options, .config = some_config(), .lock = PTHREAD_MUTEX_INITIALIZER};
    struct check_report *report;
    struct error e;
    rest = yyjson_arr_get_first(answers);
    rest_count = yyjson_arr_size(answers);
    MUST(check_report_create(&report, &e), e);
    check_report_begin(report, "check", "Group");
    check_note(report, CHECK_OK, "begin", "of the report");
    function(&context, report);
    check_findings(report);
    check_report_free(report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static check_function *const checks[] = {check_api_server, check_definitions, check_rights,
                                             check_webhook,    check_deployment,  check_leader,
                                             check_encryption, check_objects};
    cleanup_json yyjson_doc *document = json_of(data, size);
    if (!yyjson_is_arr(yyjson_doc_get_root(document))) {
        return 0;
    }
    start_crypto();
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        run(checks[i], yyjson_doc_get_root(document));
    }
    return 0;
}
