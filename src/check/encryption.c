// Whether Secrets are encrypted in etcd. The API has no place that says so: what shows are the flags of
// kube-apiserver, where it runs in Pods, and its metrics.
#include "check/context.h"
#include "check/parts.h"

static const struct kube_resource pods = {"", "v1", "Pod", "pods"};

enum { REASONS_MAX = 2 * ERROR_MESSAGE_SIZE + 64 };

static void add_reason(struct buffer *reasons, const char *why) {
    struct error ignored; // two reasons have room
    (void)buffer_append_format(reasons, &ignored, "%s%s", reasons->length > 0 ? "; " : "", why);
}

static bool has_flag(yyjson_val *pod) {
    yyjson_val *containers = json_find(pod, "spec", "containers", nullptr);
    size_t index;
    size_t count;
    yyjson_val *container;
    yyjson_arr_foreach(containers, index, count, container) {
        if (check_find_flag(container, "--encryption-provider-config") != nullptr) {
            return true;
        }
    }
    return false;
}

static void look_at_pods(struct check_context *context, struct check_encryption_facts *facts,
                         struct buffer *reasons) {
    cleanup_json yyjson_doc *document = nullptr;
    struct error e;
    const struct api_request request = {
        .verb = API_LIST,
        .resource = &pods,
        .namespace = "kube-system",
        .label_selector = "component=kube-apiserver",
    };
    if (!check_call(context, &request, &document, &e)) {
        add_reason(reasons, e.message);
        return;
    }
    yyjson_val *items = yyjson_obj_get(yyjson_doc_get_root(document), "items");
    size_t index;
    size_t count;
    yyjson_val *pod;
    yyjson_arr_foreach(items, index, count, pod) {
        facts->servers++;
        facts->configured += has_flag(pod) ? 1 : 0;
    }
    if (facts->servers == 0) {
        add_reason(reasons, "kube-apiserver does not run in Pods of this cluster");
    }
}

static void look_at_metrics(struct check_context *context, struct check_encryption_facts *facts,
                            struct buffer *reasons) {
    cleanup_buffer struct buffer metrics = buffer_create(CHECK_ANSWER_MAX);
    struct error e;
    if (check_get_text(context, "/metrics", &metrics, &e)) {
        facts->metrics_read = true;
        facts->storage = check_read_storage(buffer_text(&metrics));
    } else {
        add_reason(reasons, e.message);
    }
}

void check_encryption(struct check_context *context, struct check_report *report) {
    cleanup_buffer struct buffer reasons = buffer_create(REASONS_MAX);
    struct check_encryption_facts facts = {0};
    look_at_pods(context, &facts, &reasons);
    look_at_metrics(context, &facts, &reasons);
    check_evaluate_encryption(report, &facts, buffer_text(&reasons));
}
