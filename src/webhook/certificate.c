#include "webhook/certificate.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "crypto/fingerprint.h"
#include "webhook/bundle.h"
#include "webhook/secret.h"
#include "webhook/webhook_metrics.h"
#include "json/write.h"

#include <stdio.h>
#include <string.h>

enum {
    LOOK_MS = 10000,
    LOOK_SOON_MS = 1000,
    LOOKS_PER_OVERLAP = 4, // so that within an overlap every replica has taken what another one made
    TIMEOUT_MS = 10000,
    ROUNDS_MAX = 16, // steps, and races lost to other replicas, in one go
    HOSTS_MAX = 16,
    PATH_MAX_BYTES = 4096,
    TEXT_MAX_BYTES = 256 * 1024, // a chain or a key
};

struct webhook_certificate {
    struct webhook_certificate_options options;
    struct san names[HOSTS_MAX];
    size_t name_count;
    struct buffer chain;           // PEM of what the webhook serves; empty: nothing yet
    struct certificate *ca;        // that issued it; NULL: not ours, or nothing yet
    bool postponed;                // a new one was held back once
    char told[ERROR_MESSAGE_SIZE]; // the last warning, which is not repeated while it stays true
};

// ---- names

static bool add_name(struct webhook_certificate *keeper, const char *text, struct error *e) {
    struct san name;
    if (keeper->name_count == HOSTS_MAX) {
        return error_set(e, ERROR_INVALID_SPEC, "there are more than %d names", HOSTS_MAX);
    }
    if (!san_parse(text, &name, e)) {
        return error_wrap(e, "%.200s", text);
    }
    bool of_a_server = name.type == SAN_DNS || name.type == SAN_IP;
    bool known = false;
    for (size_t i = 0; i < keeper->name_count; i++) {
        known = known || san_equals(&keeper->names[i], &name);
    }
    if (!of_a_server || known) {
        san_done(&name);
        return of_a_server ||
               error_set(e, ERROR_INVALID_SPEC, "%.200s: neither a host name nor an address", text);
    }
    keeper->names[keeper->name_count++] = name;
    return true;
}

static bool add_hosts(struct webhook_certificate *keeper, const char *hosts, struct error *e) {
    struct text_list list;
    if (!text_split(hosts, &list, e)) {
        return false;
    }
    bool added = true;
    for (size_t i = 0; added && i < list.count; i++) {
        added = add_name(keeper, list.items[i], e);
    }
    text_list_done(&list);
    return added;
}

static bool add_service(struct webhook_certificate *keeper, const char *suffix, struct error *e) {
    char name[300];
    snprintf(name, sizeof(name), "%s.%s%s", keeper->options.service, keeper->options.namespace, suffix);
    return add_name(keeper, name, e);
}

bool webhook_certificate_create(const struct webhook_certificate_options *options,
                                struct webhook_certificate **ret_keeper, struct error *e) {
    struct webhook_certificate *keeper = memory_allocate_zeroed(1, sizeof(*keeper));
    if (keeper == nullptr) {
        return error_no_memory(e, "the webhook's certificate");
    }
    keeper->options = *options;
    keeper->chain = buffer_create(TEXT_MAX_BYTES);
    if (!add_service(keeper, ".svc", e) || !add_service(keeper, ".svc.cluster.local", e) ||
        !add_hosts(keeper, options->hosts, e)) {
        webhook_certificate_free(keeper);
        return error_wrap(e, "the names of the webhook");
    }
    *ret_keeper = keeper;
    return true;
}

void webhook_certificate_free(struct webhook_certificate *keeper) {
    if (keeper == nullptr) {
        return;
    }
    for (size_t i = 0; i < keeper->name_count; i++) {
        san_done(&keeper->names[i]);
    }
    buffer_done(&keeper->chain);
    certificate_free(keeper->ca);
    memory_free(keeper);
}

// ---- what the webhook serves

// Warns, unless that was the last warning.
static void warn(struct webhook_certificate *keeper, const char *message, const char *detail) {
    if (strcmp(keeper->told, detail) != 0) {
        snprintf(keeper->told, sizeof(keeper->told), "%s", detail);
        LOG(LOG_WARNING, message, {"detail", detail});
    }
}

static bool is_in_use(const struct webhook_certificate *keeper, const struct buffer *chain) {
    return chain->length == keeper->chain.length &&
           memcmp(buffer_text(chain), buffer_text(&keeper->chain), chain->length) == 0;
}

static void report_use(const struct webhook_certificate *keeper, const struct certificate *leaf) {
    char until[CLOCK_TEXT_SIZE];
    char fingerprint[FINGERPRINT_SIZE] = "";
    struct error ignored;
    cleanup_buffer struct buffer der = buffer_create(TEXT_MAX_BYTES);
    if (certificate_append_der(leaf, &der, &ignored)) {
        (void)fingerprint_compute(buffer_text(&der), der.length, fingerprint, &ignored);
    }
    clock_format(certificate_not_after(leaf), until);
    metrics_set(keeper->options.metrics, &metric_webhook_certificate_expiration_timestamp_seconds, "",
                (double)certificate_not_after(leaf));
    LOG(LOG_INFO, "webhook certificate in use", {"fingerprint", fingerprint}, {"notAfter", until});
}

// ca NULL: it is not ours.
static bool use(struct webhook_certificate *keeper, const struct buffer *chain, const struct buffer *key,
                const struct certificate *leaf, const struct certificate *ca, struct error *e) {
    cleanup_certificate struct certificate *kept = nullptr;
    cleanup_buffer struct buffer copy = buffer_create(TEXT_MAX_BYTES);
    if ((ca != nullptr && !certificate_copy(ca, &kept, e)) ||
        !buffer_append(&copy, buffer_text(chain), chain->length, e) ||
        !keeper->options.use(keeper->options.context, buffer_text(chain), buffer_text(key), e)) {
        return error_wrap(e, "putting the webhook's certificate to use");
    }
    buffer_done(&keeper->chain);
    keeper->chain = copy;
    copy = buffer_create(0);
    certificate_free(keeper->ca);
    keeper->ca = kept;
    kept = nullptr;
    report_use(keeper, leaf);
    return true;
}

// ---- our own certificate, in the Secret

// The Secret as it was read, and what it means.
struct snapshot {
    yyjson_doc *document; // NULL: there is none
    struct webhook_authority authority;
};

static void snapshot_done(struct snapshot *snapshot) {
    json_free(snapshot->document);
    webhook_authority_done(&snapshot->authority);
    *snapshot = (struct snapshot){0};
}
#define cleanup_snapshot [[gnu::cleanup(snapshot_done)]]

static bool read_secret(const struct webhook_certificate *keeper, struct snapshot *snapshot,
                        struct error *e) {
    const struct webhook_certificate_options *options = &keeper->options;
    snapshot_done(snapshot);
    if (!api_get(options->api, &kube_secrets, options->namespace, options->secret, TIMEOUT_MS,
                 &snapshot->document, e)) {
        snprintf(snapshot->authority.damage, WEBHOOK_DAMAGE_SIZE, "there is no Secret");
        return e->class == ERROR_NOT_FOUND;
    }
    yyjson_val *secret = yyjson_doc_get_root(snapshot->document);
    if (!webhook_secret_is_ours(secret)) {
        return error_set(e, ERROR_CONFLICT,
                         "Secret %s/%s exists and is not the operator's; it was not touched. Choose "
                         "another --webhook-certificate-secret; delete that Secret only if nobody needs it",
                         options->namespace, options->secret);
    }
    return webhook_secret_read(secret, &snapshot->authority, e);
}

// *ret_written false: another replica was first.
static bool write_secret(const struct webhook_certificate *keeper, const struct snapshot *snapshot,
                         bool *ret_written, struct error *e) {
    bool create = snapshot->document == nullptr;
    const char *name = keeper->options.secret;
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    yyjson_val *present = create ? nullptr : yyjson_doc_get_root(snapshot->document);
    if (!json_create(&document, e) ||
        !webhook_secret_write(&snapshot->authority, name, present, document, e)) {
        return false;
    }
    const struct api_request request = {
        .verb = create ? API_CREATE : API_PATCH,
        .resource = &kube_secrets,
        .namespace = keeper->options.namespace,
        .name = create ? nullptr : name,
        .body = document,
        .metadata_only = true,
        .timeout_ms = TIMEOUT_MS,
    };
    bool written = api_call(keeper->options.api, &request, nullptr, e);
    if (!written && e->class != ERROR_CONFLICT && (create || e->class != ERROR_NOT_FOUND)) {
        return false;
    }
    *ret_written = written;
    return true;
}

// What is logged of each step.
static const char *const steps[] = {
    [WEBHOOK_MAKE_ALL] = "webhook CA and certificate made",
    [WEBHOOK_RENEW_LEAF] = "webhook certificate renewed",
    [WEBHOOK_INTRODUCE_CA] = "webhook CA rotation: next CA introduced",
    [WEBHOOK_START_OVERLAP] = "webhook CA rotation: both CAs published",
    [WEBHOOK_SWITCH_LEAF] = "webhook CA rotation: certificate of the next CA made",
    [WEBHOOK_DROP_CA] = "webhook CA rotation: former CA dropped",
    [WEBHOOK_REFUSE_REQUEST] = "webhook rotation request refused",
};

static void log_step(const struct webhook_certificate *keeper, enum webhook_step step, const char *why) {
    LOG(step == WEBHOOK_REFUSE_REQUEST ? LOG_WARNING : LOG_INFO, steps[step],
        {"secret", keeper->options.secret}, {"why", why});
}

// The caBundle, in all rounds of one look. What fails here must not keep a certificate from being renewed.
struct publication {
    yyjson_doc *configuration; // as it was read in this round, before the Secret; NULL: there is none
    enum webhook_bundle bundle;
    bool written; // in this round or an earlier one
    bool failed;
    struct error error;
};

static void publication_done(struct publication *publication) {
    json_free(publication->configuration);
}
#define cleanup_publication [[gnu::cleanup(publication_done)]]

static void read_configuration(const struct webhook_certificate *keeper, struct publication *publication) {
    json_free(publication->configuration);
    publication->configuration = nullptr;
    publication->failed = !webhook_bundle_read(keeper->options.api, keeper->options.configuration,
                                               &publication->configuration, &publication->error);
}

static void publish(struct webhook_certificate *keeper, const struct webhook_authority *authority,
                    struct publication *publication) {
    cleanup_buffer struct buffer pem = buffer_create(TEXT_MAX_BYTES);
    publication->failed = publication->failed ||
                          !webhook_authority_append_bundle(authority, &pem, &publication->error) ||
                          !webhook_bundle_publish(keeper->options.api, publication->configuration, &pem,
                                                  &publication->bundle, &publication->error);
    if (publication->failed) {
        return;
    }
    if (publication->bundle == WEBHOOK_BUNDLE_WRITTEN) {
        publication->written = true;
        LOG(LOG_INFO, "caBundle written", {"configuration", keeper->options.configuration});
    }
    if (publication->bundle == WEBHOOK_BUNDLE_ABSENT) {
        warn(keeper, "nothing calls the webhook",
             "there is no ValidatingWebhookConfiguration of the name that is set with a "
             "webhook " WEBHOOK_NAME);
    } else {
        keeper->told[0] = '\0';
    }
}

// Decides what is due, and does it. *ret_settled: nothing was.
static bool do_step(struct webhook_certificate *keeper, struct snapshot *snapshot,
                    const struct webhook_plan *plan, bool *ret_settled, struct error *e) {
    enum webhook_step step;
    const char *why;
    bool written = false;
    char reason[WEBHOOK_DAMAGE_SIZE]; // why goes with the step
    if (!webhook_authority_decide(&snapshot->authority, plan, &step, &why, e)) {
        return false;
    }
    snprintf(reason, sizeof(reason), "%s", why);
    *ret_settled = step == WEBHOOK_NOTHING;
    if (*ret_settled) {
        return true;
    }
    failpoint(BEFORE_WEBHOOK_STEP, "%s", steps[step]);
    if (!webhook_authority_advance(&snapshot->authority, step, keeper->ca, plan, e) ||
        !write_secret(keeper, snapshot, &written, e)) {
        return false;
    }
    failpoint(AFTER_WEBHOOK_STEP, "%s", steps[step]);
    if (written) {
        log_step(keeper, step, reason);
    }
    return true;
}

// Reads all, and does one step if there is one to do.
static bool do_round(struct webhook_certificate *keeper, struct snapshot *snapshot,
                     struct publication *publication, bool *ret_settled, struct error *e) {
    read_configuration(keeper, publication);
    if (!read_secret(keeper, snapshot, e)) {
        return false;
    }
    publication->bundle = WEBHOOK_BUNDLE_ABSENT;
    if (snapshot->authority.ca != nullptr) {
        publish(keeper, &snapshot->authority, publication);
    }
    if (publication->bundle == WEBHOOK_BUNDLE_LOST) {
        return true;
    }
    struct webhook_plan plan = {
        .names = keeper->names,
        .name_count = keeper->name_count,
        .now = clock_wall_seconds(),
        .overlap = keeper->options.overlap_seconds,
        .published = !publication->failed,
        .just_published = publication->bundle == WEBHOOK_BUNDLE_WRITTEN,
    };
    return do_step(keeper, snapshot, &plan, ret_settled, e);
}

static bool use_own(struct webhook_certificate *keeper, const struct webhook_authority *authority,
                    bool bundle_written, uint32_t *again_ms, struct error *e) {
    cleanup_secret struct secret *pem = nullptr;
    cleanup_buffer struct buffer chain = buffer_create(TEXT_MAX_BYTES);
    cleanup_buffer struct buffer key = buffer_create(TEXT_MAX_BYTES);
    if (!webhook_authority_append_chain(authority, &chain, e)) {
        return false;
    }
    if (is_in_use(keeper, &chain)) {
        return true;
    }
    // The API servers need a moment to hear of a CA that was not expected.
    if (bundle_written && keeper->chain.length > 0 && !keeper->postponed) {
        keeper->postponed = true;
        *again_ms = *again_ms < LOOK_SOON_MS ? *again_ms : LOOK_SOON_MS;
        return true;
    }
    keeper->postponed = false;
    return pkey_private_pem(authority->leaf_key, &pem, e) &&
           buffer_append(&key, secret_view(pem), secret_length(pem), e) &&
           use(keeper, &chain, &key, authority->leaf, authority->ca, e);
}

static bool keep_own(struct webhook_certificate *keeper, uint32_t *again_ms, struct error *e) {
    cleanup_snapshot struct snapshot snapshot = {0};
    cleanup_publication struct publication publication = {0};
    bool settled = false;
    for (int round = 0; round < ROUNDS_MAX && !settled; round++) {
        if (!do_round(keeper, &snapshot, &publication, &settled, e)) {
            return false;
        }
    }
    if (!settled) {
        return error_set(e, ERROR_RETRYABLE, "the webhook's Secret or configuration keeps changing");
    }
    if (!use_own(keeper, &snapshot.authority, publication.written, again_ms, e)) {
        return false;
    }
    if (publication.failed) {
        *e = publication.error;
        return error_wrap(e, "publishing the webhook's CA");
    }
    return true;
}

// ---- somebody else's certificate, in files

static bool read_file(const struct webhook_certificate *keeper, const char *name, struct buffer *content,
                      struct error *e) {
    char path[PATH_MAX_BYTES];
    snprintf(path, sizeof(path), "%s/%s", keeper->options.directory, name);
    return file_read(path, content, e);
}

static bool read_leaf(const struct buffer *chain_pem, struct certificate **ret_leaf, struct error *e) {
    struct certificate **chain;
    size_t count;
    if (!certificate_read_chain(buffer_text(chain_pem), chain_pem->length, &chain, &count, e)) {
        return error_wrap(e, "tls.crt");
    }
    *ret_leaf = chain[0];
    chain[0] = nullptr;
    certificate_free_chain(chain, count);
    return true;
}

// Where the change of the two files is only half done, what is in use stays.
static bool use_files(struct webhook_certificate *keeper, struct error *e) {
    cleanup_certificate struct certificate *leaf = nullptr;
    cleanup_buffer struct buffer chain = buffer_create(TEXT_MAX_BYTES);
    cleanup_buffer struct buffer key = buffer_create(TEXT_MAX_BYTES);
    if (!read_file(keeper, "tls.crt", &chain, e) || !read_leaf(&chain, &leaf, e)) {
        return false;
    }
    return is_in_use(keeper, &chain) ||
           (read_file(keeper, "tls.key", &key, e) && use(keeper, &chain, &key, leaf, nullptr, e));
}

// ---- both

bool webhook_certificate_keep(struct webhook_certificate *keeper, uint32_t *ret_again_ms, struct error *e) {
    const struct webhook_certificate_options *options = &keeper->options;
    bool mounted = options->directory != nullptr && options->directory[0] != '\0';
    uint32_t again_ms = options->overlap_seconds * 1000 / LOOKS_PER_OVERLAP;
    again_ms = mounted || again_ms > LOOK_MS ? LOOK_MS : again_ms;
    metrics_add(options->metrics, &metric_certwatcher_reads_total, "", 1);
    metrics_add(options->metrics, &metric_certwatcher_read_errors_total, "", 0); // it is there from the start
    bool kept = mounted ? use_files(keeper, e) : keep_own(keeper, &again_ms, e);
    if (!kept) {
        metrics_add(options->metrics, &metric_certwatcher_read_errors_total, "", 1);
        e->class = e->class == ERROR_INVALID_SPEC ? ERROR_REFUSED : e->class;
    }
    if (!kept && mounted) { // the look-out for better files goes on as fast as ever
        warn(keeper, "the mounted webhook certificate cannot be used", e->message);
        again_ms = LOOK_SOON_MS;
        kept = true;
    } else if (mounted) {
        keeper->told[0] = '\0';
    }
    *ret_again_ms = again_ms;
    return kept;
}
