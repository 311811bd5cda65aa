// The ConfigMap with the settings that change while the operator runs: what it says is taken whole or not at
// all, and what it does not say is as it was.
#include "answers.h"

#include "operator/dynamic_config.h"

static size_t recorded;

// In place of runtime/event.c: an Event about the ConfigMap says what is wrong with it.
void event_record(struct event_recorder *recorder, const struct kube_resource *resource,
                  const struct kube_object *object, const struct event_content *words) {
    (void)recorder;
    CHECK(resource == &kube_config_maps && object->name[0] != '\0' && words->warning);
    CHECK(words->note[0] != '\0' && is_valid_text(words->note));
    recorded++;
}

static bool is_whole(yyjson_val *config_map) {
    static const char *const needed[] = {"name", "uid", "resourceVersion"};
    bool whole = true;
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        const char *text = json_text(json_find(config_map, "metadata", needed[i], nullptr));
        whole = whole && text != nullptr && text[0] != '\0';
    }
    return whole;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct settings settings = {.log_level = LOG_WARNING, .workers = 5};
    const struct dynamic_config untouched = {.log_level = LOG_ERROR, .workers = 1234};
    struct dynamic_config live = untouched;
    struct error e = {0};
    cleanup_json yyjson_doc *document = json_of(data, size);
    struct answering answering = {.answer = yyjson_doc_get_root(document), .failure = ERROR_NOT_FOUND};
    yyjson_val *entries = yyjson_obj_get(answering.answer, "data");
    recorded = 0;
    if (dynamic_config_read((struct api){&answering, answer_request}, nullptr, "system/config", &settings,
                            &live, &e)) {
        CHECK(live.workers >= 1 && live.workers <= WORKERS_MAX);
        CHECK(live.log_level >= LOG_DEBUG && live.log_level <= LOG_ERROR);
        CHECK(live.workers == settings.workers || json_member_text(entries, "workers") != nullptr);
        CHECK(live.log_level == settings.log_level || json_member_text(entries, "log-level") != nullptr);
        CHECK(recorded == 0);
    } else {
        CHECK(live.workers == untouched.workers && live.log_level == untouched.log_level);
        check_refusal(&e, ERROR_INVALID_SPEC);
        CHECK(recorded == 1 || !is_whole(answering.answer));
    }
    return 0;
}
