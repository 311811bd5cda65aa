// The operator as the cluster sees it: its Deployment, its Pods, and which of them leads.
#include "check/context.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char operator_name[] = "qubesec-operator"; // of the Deployment

// ---- Deployment

static const struct kube_resource deployments = {"apps", "v1", "Deployment", "deployments"};
static const struct kube_resource pods = {"", "v1", "Pod", "pods"};

static const char *image_of(yyjson_val *deployment) {
    yyjson_val *containers = json_find(deployment, "spec", "template", "spec", "containers", nullptr);
    const char *image = json_member_text(yyjson_arr_get_first(containers), "image");
    return image == nullptr ? "no image" : image;
}

static void evaluate_replicas(struct check_context *context, struct check_report *report,
                              yyjson_val *deployment) {
    yyjson_val *status = yyjson_obj_get(deployment, "status");
    int64_t wanted = json_integer(json_find(deployment, "spec", "replicas", nullptr), 1);
    int64_t ready = json_integer(yyjson_obj_get(status, "readyReplicas"), 0);
    int64_t updated = json_integer(yyjson_obj_get(status, "updatedReplicas"), 0);
    int64_t generation = json_integer(json_find(deployment, "metadata", "generation", nullptr), 0);
    bool observed = json_integer(yyjson_obj_get(status, "observedGeneration"), 0) >= generation;
    bool all = observed && ready >= wanted && updated >= wanted;
    enum check_level level = wanted == 0 || ready == 0 ? CHECK_FAIL : all ? CHECK_OK : CHECK_WARN;
    check_note(report, level, "Deployment", "%" PRId64 " of %" PRId64 " replicas ready%s, image %s", ready,
               wanted, observed && updated >= wanted ? "" : ", a change is not rolled out yet",
               image_of(deployment));
    if (wanted == 0) {
        check_advise(report, "Scale it up: kubectl --namespace %s scale deployment %s --replicas 2",
                     context->options->namespace, operator_name);
    } else if (level != CHECK_OK) {
        check_advise(report,
                     "Look at its Pods: kubectl --namespace %s describe pods; kubectl --namespace %s "
                     "logs deployment/%s",
                     context->options->namespace, context->options->namespace, operator_name);
    }
}

// Appends the Deployment's matchLabels as a selector.
static bool append_selector(yyjson_val *deployment, struct buffer *selector, struct error *e) {
    yyjson_val *labels = json_find(deployment, "spec", "selector", "matchLabels", nullptr);
    const char *separator = "";
    yyjson_obj_iter members = yyjson_obj_iter_with(labels);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr;) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        const char *text = json_text(value);
        if (!buffer_append_format(selector, e, "%s%s=%s", separator, yyjson_get_str(key),
                                  text == nullptr ? "" : text)) {
            return false;
        }
        separator = ",";
    }
    return true;
}

// A container's number of restarts, which has 32 bits: as many as there can be of them can be added up.
static int64_t restarts_of(yyjson_val *status) {
    int64_t restarts = json_integer(yyjson_obj_get(status, "restartCount"), 0);
    return restarts < 0 ? 0 : restarts > INT32_MAX ? INT32_MAX : restarts;
}

// Adds up restarts; *ret_reason: why a container waits, borrowed from the Pod, or left alone.
static int64_t count_restarts(yyjson_val *pod, const char **ret_reason) {
    yyjson_val *statuses = json_find(pod, "status", "containerStatuses", nullptr);
    int64_t restarts = 0;
    size_t index;
    size_t count;
    yyjson_val *status;
    yyjson_arr_foreach(statuses, index, count, status) {
        const char *reason = json_text(json_find(status, "state", "waiting", "reason", nullptr));
        restarts += restarts_of(status);
        *ret_reason = reason != nullptr ? reason : *ret_reason;
    }
    return restarts;
}

static void check_pods(struct check_context *context, struct check_report *report, yyjson_val *deployment) {
    cleanup_buffer struct buffer selector = buffer_create(4096);
    cleanup_json yyjson_doc *document = nullptr;
    struct api_request request = {
        .verb = API_LIST, .resource = &pods, .namespace = context->options->namespace};
    struct error e;
    bool has_selector = append_selector(deployment, &selector, &e);
    request.label_selector = buffer_text(&selector);
    if (!has_selector || !check_call(context, &request, &document, &e)) {
        check_note_unseen(report, "Pods", &e);
        return;
    }
    yyjson_val *items = yyjson_obj_get(yyjson_doc_get_root(document), "items");
    const char *reason = nullptr;
    int64_t restarts = 0;
    size_t index;
    size_t count;
    yyjson_val *pod;
    yyjson_arr_foreach(items, index, count, pod) {
        restarts += count_restarts(pod, &reason);
    }
    bool fine = restarts == 0 && reason == nullptr;
    check_note(report, fine ? CHECK_OK : CHECK_WARN, "Pods", "%zu, restarted %" PRId64 " times%s%s",
               yyjson_arr_size(items), restarts,
               reason == nullptr ? "" : ", one waits: ", reason == nullptr ? "" : reason);
    if (!fine) {
        check_advise(report,
                     "See why: kubectl --namespace %s describe pods; the log of what ended last: "
                     "kubectl --namespace %s logs deployment/%s --previous",
                     context->options->namespace, context->options->namespace, operator_name);
    }
}

void check_deployment(struct check_context *context, struct check_report *report) {
    cleanup_json yyjson_doc *document = nullptr;
    struct error e;
    const char *ns = context->options->namespace;
    if (check_get(context, &deployments, ns, operator_name, &document, &e)) {
        evaluate_replicas(context, report, yyjson_doc_get_root(document));
        check_pods(context, report, yyjson_doc_get_root(document));
    } else if (e.class == ERROR_NOT_FOUND) {
        check_note(report, CHECK_WARN, "Deployment", "there is no %s/%s", ns, operator_name);
        check_advise(report, "Install the operator, or name its namespace with --namespace; one that runs "
                             "outside of the cluster has no Deployment.");
    } else {
        check_note_unseen(report, "Deployment", &e);
    }
}

// ---- leader

enum { LEASE_SECONDS = 15, LEASE_SECONDS_MAX = 60, PAUSE_MS = 500 };

static const char *holder_of(yyjson_val *spec) {
    const char *holder = json_member_text(spec, "holderIdentity");
    return holder == nullptr ? "" : holder;
}

// Sound as long as it is renewed more often than it runs out. Clocks are not compared: whoever leads writes
// renewTime by a clock of its own, and so the Lease is watched for as long as it is good for.
static bool watch_lease(struct check_context *context, yyjson_val *first, yyjson_doc **ret_next,
                        bool *ret_changed, struct error *e) {
    yyjson_val *spec = yyjson_obj_get(first, "spec");
    int64_t seconds = json_integer(yyjson_obj_get(spec, "leaseDurationSeconds"), LEASE_SECONDS);
    int64_t patience = seconds < 1 || seconds > LEASE_SECONDS_MAX ? LEASE_SECONDS_MAX : seconds;
    int64_t deadline = clock_monotonic_ms() + patience * 1000;
    struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    for (;;) {
        yyjson_doc *next = nullptr;
        nanosleep(&pause, nullptr);
        if (!check_get(context, &kube_leases, context->options->namespace, context->options->lease, &next,
                       e)) {
            return false;
        }
        yyjson_val *now = yyjson_obj_get(yyjson_doc_get_root(next), "spec");
        *ret_changed = !json_equals(spec, now);
        if ((*ret_changed && holder_of(now)[0] != '\0') || clock_monotonic_ms() > deadline) {
            *ret_next = next;
            return true;
        }
        json_free(next);
    }
}

static void evaluate_lease(struct check_context *context, struct check_report *report, yyjson_val *object,
                           bool changed) {
    yyjson_val *spec = yyjson_obj_get(object, "spec");
    const char *holder = holder_of(spec);
    int64_t transitions = json_integer(yyjson_obj_get(spec, "leaseTransitions"), 0);
    const char *ns = context->options->namespace;
    const char *lease = context->options->lease;
    if (holder[0] == '\0') {
        check_note(report, CHECK_FAIL, "leader", "nobody holds the Lease %s/%s", ns, lease);
    } else if (!changed) {
        check_note(report, CHECK_FAIL, "leader", "%s does not renew the Lease %s/%s", holder, ns, lease);
    } else {
        check_note(report, CHECK_OK, "leader", "%s renews its Lease; leaders have changed %" PRId64 " times",
                   holder, transitions);
        return;
    }
    check_advise(report,
                 "No operator works: see whether its Pods run, and what they say of the Lease: "
                 "kubectl --namespace %s logs deployment/%s",
                 ns, operator_name);
}

void check_leader(struct check_context *context, struct check_report *report) {
    cleanup_json yyjson_doc *first = nullptr;
    cleanup_json yyjson_doc *next = nullptr;
    struct error e;
    const char *ns = context->options->namespace;
    const char *lease = context->options->lease;
    bool changed;
    if (check_get(context, &kube_leases, ns, lease, &first, &e) &&
        watch_lease(context, yyjson_doc_get_root(first), &next, &changed, &e)) {
        evaluate_lease(context, report, yyjson_doc_get_root(next), changed);
    } else if (e.class == ERROR_NOT_FOUND) {
        check_note(report, CHECK_WARN, "leader", "there is no Lease %s/%s", ns, lease);
        check_advise(report, "No operator has led yet, unless one runs with --leader-elect=false.");
    } else {
        check_note_unseen(report, "leader", &e);
    }
}
