// The admission webhook: what the API server is told of it, its certificate, and whether it is really asked.
#include "check/context.h"
#include "check/parts.h"

#include "base/clock.h"
#include "crypto/certificate.h"
#include "crypto/encoding.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const int64_t day = 24 * 60 * 60;

// ---- certificates

// Reads a chain out of PEM text in base64.
static bool read_chain(const char *base64, struct certificate_chain *chain, struct error *e) {
    cleanup_secret struct secret *pem = nullptr;
    return base64_decode(base64, strlen(base64), ENCODING_SKIP_SPACES, &pem, e) &&
           certificate_chain_read(pem, chain, e);
}

// The one that is good for longest.
static const struct certificate *find_latest(const struct certificate_chain *chain) {
    const struct certificate *latest = chain->certificates[0];
    for (size_t i = 1; i < chain->count; i++) {
        if (certificate_not_after(chain->certificates[i]) > certificate_not_after(latest)) {
            latest = chain->certificates[i];
        }
    }
    return latest;
}

static void evaluate_lifetime(struct check_report *report, const char *subject,
                              const struct certificate *certificate) {
    int64_t before = certificate_not_before(certificate);
    int64_t after = certificate_not_after(certificate);
    int64_t now = clock_wall_seconds();
    char begin[CLOCK_TEXT_SIZE];
    char end[CLOCK_TEXT_SIZE];
    clock_format(before, begin);
    clock_format(after, end);
    enum check_level level = check_evaluate_lifetime(before, after, now);
    if (now < before) {
        check_note(report, level, subject, "is not valid before %s", begin);
    } else if (now >= after) {
        check_note(report, level, subject, "has expired at %s", end);
    } else {
        check_note(report, level, subject, "is valid until %s, %" PRId64 " days more", end,
                   (after - now) / day);
    }
    if (level != CHECK_OK) {
        check_advise(report,
                     "The operator, or whoever else makes the certificate, should have renewed it: see "
                     "whether it runs and what it says.");
    }
}

static bool check_bundle(struct check_report *report, yyjson_val *webhook, struct certificate_chain *bundle) {
    const char *base64 = json_text(json_find(webhook, "clientConfig", "caBundle", nullptr));
    struct error e;
    if (base64 == nullptr || base64[0] == '\0') {
        check_note(report, CHECK_FAIL, "caBundle",
                   "is empty, and so the API server does not trust the webhook");
        check_advise(report, "The operator fills it when it runs with --webhook-bind-address: see whether it "
                             "runs, and what it says.");
        return false;
    }
    if (!read_chain(base64, bundle, &e)) {
        check_note(report, CHECK_FAIL, "caBundle", "cannot be read: %s", e.message);
        check_advise(report, "Remove what it says; the operator fills it again.");
        return false;
    }
    evaluate_lifetime(report, "caBundle", find_latest(bundle));
    return true;
}

// Whether the leaf stands under one of the bundle.
static bool is_trusted(const struct certificate_chain *chain, const struct certificate_chain *bundle,
                       int64_t now, struct error *e) {
    for (size_t i = 0; i < bundle->count; i++) {
        if (certificate_verify_leniently(chain->certificates[0], chain->certificates + 1, chain->count - 1,
                                         bundle->certificates[i], CERTIFICATE_SERVER_AUTH, now, e)) {
            return true;
        }
    }
    return false;
}

static void evaluate_leaf(struct check_report *report, yyjson_val *secret,
                          const struct certificate_chain *bundle) {
    static const char subject[] = "certificate";
    const char *base64 = json_text(json_find(secret, "data", "tls.crt", nullptr));
    cleanup_certificate_chain struct certificate_chain chain = {0};
    struct error e = {.message = "is not there"};
    if (base64 == nullptr || !read_chain(base64, &chain, &e)) {
        check_note(report, CHECK_FAIL, subject, "the Secret's tls.crt: %s", e.message);
        check_advise(report, "Delete the Secret; the operator makes it again.");
        return;
    }
    const struct certificate *leaf = chain.certificates[0];
    int64_t now = clock_wall_seconds();
    bool is_current = now >= certificate_not_before(leaf) && now < certificate_not_after(leaf);
    if (is_current && !is_trusted(&chain, bundle, now, &e)) {
        check_note(report, CHECK_FAIL, subject, "is none that caBundle vouches for: %s", e.message);
        check_advise(report, "The operator makes both fit within seconds: see whether it runs, and what it "
                             "says.");
    } else {
        evaluate_lifetime(report, subject, leaf);
    }
}

static void check_leaf(struct check_context *context, struct check_report *report,
                       const struct certificate_chain *bundle) {
    cleanup_json yyjson_doc *document = nullptr;
    struct error e;
    const struct check_options *options = context->options;
    if (check_get(context, &kube_secrets, options->namespace, options->webhook_secret, &document, &e)) {
        evaluate_leaf(report, yyjson_doc_get_root(document), bundle);
    } else if (e.class == ERROR_NOT_FOUND) {
        check_note(report, CHECK_WARN, "certificate", "there is no Secret %s/%s", options->namespace,
                   options->webhook_secret);
        check_advise(report, "That is right if the operator is given a certificate with "
                             "--webhook-certificate-directory; else see whether it runs.");
    } else {
        check_note_unseen(report, "certificate", &e);
    }
}

// ---- whether it is asked

// A dry run: nothing is stored.
static bool create(struct check_context *context, const char *spec, struct error *e) {
    static const struct kube_resource certificates = {QUBESEC_GROUP, QUBESEC_API_VERSION,
                                                      "QuantumCertificate", "quantumcertificates"};
    cleanup_json yyjson_doc *parsed = nullptr;
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (!json_parse(spec, strlen(spec), &parsed, e) || !json_create(&document, e)) {
        return false;
    }
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    (void)yyjson_mut_obj_add_str(document, root, "apiVersion", QUBESEC_GROUP "/" QUBESEC_API_VERSION);
    (void)yyjson_mut_obj_add_str(document, root, "kind", certificates.kind);
    yyjson_mut_val *metadata = yyjson_mut_obj_add_obj(document, root, "metadata");
    (void)yyjson_mut_obj_add_str(document, metadata, "generateName", "qubesec-check-");
    (void)yyjson_mut_obj_add_val(document, root, "spec",
                                 yyjson_val_mut_copy(document, yyjson_doc_get_root(parsed)));
    const struct api_request request = {
        .verb = API_CREATE,
        .resource = &certificates,
        .namespace = context->options->probe_namespace,
        .body = document,
        .dry_run = true,
    };
    return check_call(context, &request, nullptr, e);
}

static void note_refusal(struct check_report *report, const char *subject, enum check_refusal refusal,
                         const char *probe_namespace, const struct error *error) {
    switch (refusal) {
    case CHECK_UNREACHABLE:
        check_note(report, CHECK_FAIL, subject, "the API server could not call it: %s", error->message);
        check_advise(report,
                     "See that the operator's Pods are ready, that the Service's endpoints are theirs, "
                     "that no NetworkPolicy or firewall keeps the API server from their port, and "
                     "that the certificate above is right.");
        break;
    case CHECK_NOT_PERMITTED:
        check_note(report, CHECK_WARN, subject, "could not be tried: %s", error->message);
        check_advise(report,
                     "Run this check as a user who may create QuantumCertificates in namespace %s, or "
                     "name another namespace with --probe-namespace; nothing is stored.",
                     probe_namespace);
        break;
    default:
        check_note(report, CHECK_FAIL, subject, "a dry run in namespace %s was refused: %s", probe_namespace,
                   error->message);
        check_advise(report,
                     "Name another namespace with --probe-namespace, if a policy or quota of this one "
                     "is meant to refuse it.");
    }
}

// A fault that neither schema nor CEL rules find: whoever refuses it has called the webhook.
static bool probe_invalid(struct check_context *context, struct check_report *report, const char *webhook) {
    const char *ns = context->options->probe_namespace;
    struct error e;
    if (create(context, check_invalid_spec, &e)) {
        check_note(report, CHECK_FAIL, "refuses",
                   "an object with a fault was accepted in a dry run: the "
                   "webhook is not called for namespace %s",
                   ns);
        check_advise(report, "See that its rules, selectors and matchConditions are those of config/webhook; "
                             "or name a namespace that they cover with --probe-namespace.");
        return true;
    }
    enum check_refusal refusal = check_read_refusal(&e, webhook);
    if (refusal == CHECK_REFUSED) {
        check_note(report, CHECK_OK, "refuses", "an object with a fault");
        return true;
    }
    note_refusal(report, "refuses", refusal, ns, &e);
    return false;
}

static void probe_sound(struct check_context *context, struct check_report *report, const char *webhook) {
    struct error e;
    if (create(context, check_valid_spec, &e)) {
        check_note(report, CHECK_OK, "accepts", "an object without one");
    } else {
        note_refusal(report, "accepts", check_read_refusal(&e, webhook), context->options->probe_namespace,
                     &e);
    }
}

// ---- the configuration

static void check_policy(struct check_report *report, yyjson_val *webhook) {
    const char *policy = json_member_text(webhook, "failurePolicy");
    if (policy == nullptr || strcmp(policy, "Fail") == 0) {
        check_note(report, CHECK_OK, "failurePolicy", "Fail");
    } else {
        check_note(report, CHECK_WARN, "failurePolicy",
                   "%s: objects are not looked at while the webhook is away", policy);
        check_advise(report, "Set it to Fail, as config/webhook does.");
    }
}

void check_webhook(struct check_context *context, struct check_report *report) {
    cleanup_json yyjson_doc *document = nullptr;
    cleanup_certificate_chain struct certificate_chain bundle = {0};
    struct error e;
    const char *name = context->options->webhook_configuration;
    if (!check_get(context, &kube_validating_webhooks, nullptr, name, &document, &e)) {
        if (e.class == ERROR_NOT_FOUND) {
            check_note(
                report, CHECK_WARN, "configuration",
                "there is no ValidatingWebhookConfiguration %s: faults of a spec show only in its status",
                name);
            check_advise(report, "Install config/webhook, and run the operator with --webhook-bind-address.");
        } else {
            check_note_unseen(report, "configuration", &e);
        }
        return;
    }
    yyjson_val *webhook = yyjson_arr_get_first(yyjson_obj_get(yyjson_doc_get_root(document), "webhooks"));
    const char *webhook_name = json_member_text(webhook, "name");
    if (webhook_name == nullptr) {
        check_note(report, CHECK_FAIL, "configuration", "%s has no webhook", name);
        check_advise(report, "Apply config/webhook again.");
        return;
    }
    check_note(report, CHECK_OK, "configuration", "%s", webhook_name);
    check_policy(report, webhook);
    if (check_bundle(report, webhook, &bundle)) {
        check_leaf(context, report, &bundle);
    }
    if (probe_invalid(context, report, webhook_name)) {
        probe_sound(context, report, webhook_name);
    }
}
