// An API server of two objects, a Secret and a ValidatingWebhookConfiguration, with the optimistic locking of
// a real one, and keepers of a webhook's certificate that talk to it.
#pragma once

#include "webhook_support.h"

#include "../kube/api_fixture.h"

#include "webhook/certificate.h"
#include "webhook/webhook_metrics.h"

enum { KEEPERS_MAX = 6 };

struct stored {
    yyjson_doc *object; // NULL: there is none
    int writes;         // that had an effect
    int refusal;        // HTTP status of every request for it; 0: it is served
};

struct world {
    struct api_fixture api;
    pthread_mutex_t gate; // guards all below
    struct stored secret;
    struct stored configuration;
    int version;
    int lose;                                // so many writes are answered with 409 first
    void (*after_read)(struct world *world); // called once; NULL: nothing
    struct metrics *metrics;
    uint32_t overlap_seconds; // of rotations; 0: one
};

static inline bool replace_object(struct world *world, struct stored *stored, yyjson_mut_doc *document,
                                  yyjson_mut_val *root) {
    struct error e;
    char version[16];
    yyjson_doc *frozen;
    snprintf(version, sizeof(version), "%d", ++world->version);
    yyjson_mut_val *metadata = yyjson_mut_obj_get(root, "metadata");
    yyjson_mut_obj_remove_key(metadata, "resourceVersion");
    yyjson_mut_obj_add_strcpy(document, metadata, "resourceVersion", version);
    if (yyjson_mut_obj_get(metadata, "uid") == nullptr) {
        yyjson_mut_obj_add_strcpy(document, metadata, "uid", version);
    }
    yyjson_mut_doc_set_root(document, root);
    if (!json_freeze(document, &frozen, &e)) {
        abort();
    }
    json_free(stored->object);
    stored->object = frozen;
    stored->writes++;
    return true;
}

// As a test or somebody else writes it; ' stands for ".
[[maybe_unused]] static void put_object(struct world *world, struct stored *stored, const char *text) {
    cleanup_json yyjson_doc *given = parse_quoted(text);
    cleanup_json_mut yyjson_mut_doc *document = yyjson_doc_mut_copy(given, nullptr);
    replace_object(world, stored, document, yyjson_mut_doc_get_root(document));
    stored->writes--;
}

static inline bool is_of(yyjson_val *sent, yyjson_val *present, const char *member) {
    const char *one = json_text(json_find(sent, "metadata", member, nullptr));
    const char *other = json_text(json_find(present, "metadata", member, nullptr));
    return one == nullptr || (other != nullptr && strcmp(one, other) == 0);
}

// What a write makes of the object; the status of the answer.
static inline int write_object(struct world *world, struct stored *stored, const struct received *request) {
    struct error e;
    char type[512];
    cleanup_json yyjson_doc *body = nullptr;
    must(json_parse(request->body, request->body_length, &body, &e), e);
    yyjson_val *sent = yyjson_doc_get_root(body);
    cleanup_json_mut yyjson_mut_doc *document = yyjson_mut_doc_new(nullptr);
    if (strcmp(request->method, "POST") == 0) {
        return stored->object == nullptr &&
                       replace_object(world, stored, document, yyjson_val_mut_copy(document, sent))
                   ? 201
                   : 409;
    }
    yyjson_val *present = yyjson_doc_get_root(stored->object);
    if (present == nullptr || !is_of(sent, present, "uid") || !is_of(sent, present, "resourceVersion")) {
        return present == nullptr ? 404 : 409;
    }
    assert_non_null(json_find(sent, "metadata", "resourceVersion", nullptr));
    assert_non_null(json_find(sent, "metadata", "uid", nullptr));
    bool is_apply = strcmp(header_of(request, "Content-Type", type), KUBE_APPLY_PATCH) == 0;
    assert_int_equal(is_apply, stored == &world->configuration);
    yyjson_mut_val *merged =
        is_apply ? yyjson_val_mut_copy(document, present) : yyjson_merge_patch(document, present, sent);
    if (is_apply) { // webhooks is a map by name to the server; here it has one entry
        yyjson_val *webhook = yyjson_arr_get_first(yyjson_obj_get(sent, "webhooks"));
        assert_string_equal(json_member_text(webhook, "name"), "validate.qubesec.io");
        assert_int_equal(yyjson_obj_size(webhook), 2);
        assert_int_equal(yyjson_obj_size(yyjson_obj_get(webhook, "clientConfig")), 1);
        const char *bundle = json_text(json_find(webhook, "clientConfig", "caBundle", nullptr));
        yyjson_mut_val *config = yyjson_mut_obj_get(
            yyjson_mut_arr_get_first(yyjson_mut_obj_get(merged, "webhooks")), "clientConfig");
        yyjson_mut_obj_remove_key(config, "caBundle");
        yyjson_mut_obj_add_strcpy(document, config, "caBundle", bundle);
    }
    return replace_object(world, stored, document, merged) ? 200 : 500;
}

static inline int serve_object(struct world *world, struct stored *stored, const struct received *request,
                               char **ret_text) {
    bool reads = strcmp(request->method, "GET") == 0;
    int status = 200;
    if (stored->refusal != 0) {
        status = stored->refusal;
    } else if (reads) {
        status = stored->object == nullptr ? 404 : 200;
    } else if (world->lose > 0) {
        world->lose--;
        status = 409;
    } else {
        status = write_object(world, stored, request);
    }
    *ret_text = status < 300 ? yyjson_write(stored->object, 0, nullptr) : nullptr;
    void (*after_read)(struct world *) = reads ? world->after_read : nullptr;
    if (after_read != nullptr) {
        world->after_read = nullptr;
        after_read(world);
    }
    return status;
}

static inline bool serve_world(void *context, struct connection *connection, const struct received *request) {
    struct world *world = context;
    bool secret = strstr(request->path, "/secrets") != nullptr;
    char *text;
    pthread_mutex_lock(&world->gate);
    int status = serve_object(world, secret ? &world->secret : &world->configuration, request, &text);
    pthread_mutex_unlock(&world->gate);
    server_reply(connection, status, "", text == nullptr ? "{}" : text);
    free(text);
    return true;
}

[[maybe_unused]] static const char configuration_text[] =
    "{'metadata':{'name':'qubesec','labels':{'a':'b'}},'webhooks':[{'name':'validate.qubesec.io',"
    "'clientConfig':{'url':'https://127.0.0.1/validate'}}]}";

static inline int start_world(void **state) {
    static struct world world;
    struct error e;
    world = (struct world){.gate = PTHREAD_MUTEX_INITIALIZER};
    api_start(&world.api, serve_world, &world);
    must(metrics_create(webhook_metrics, &world.metrics, &e), e);
    put_object(&world, &world.configuration, configuration_text);
    *state = &world;
    return 0;
}

static inline int stop_world(void **state) {
    struct world *world = *state;
    api_stop(&world->api);
    json_free(world->secret.object);
    json_free(world->configuration.object);
    metrics_free(world->metrics);
    return 0;
}

// A replica: its keeper and what it serves.
struct replica {
    struct world *world;
    struct webhook_certificate *keeper;
    struct buffer chain;
    int uses;
    bool refuses;
};

static inline bool belong_together(const char *chain_pem, const char *key_pem) {
    BIO *bio = BIO_new_mem_buf(chain_pem, -1);
    X509 *leaf = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    bio = BIO_new_mem_buf(key_pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    bool together = leaf != nullptr && key != nullptr && X509_check_private_key(leaf, key) == 1;
    X509_free(leaf);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return together;
}

// As the webhook does.
static inline bool take_identity(void *context, const char *chain_pem, const char *key_pem, struct error *e) {
    struct replica *replica = context;
    if (replica->refuses) {
        return error_set(e, ERROR_CRYPTO, "no room in the server");
    }
    if (!belong_together(chain_pem, key_pem)) {
        return error_set(e, ERROR_INVALID_SPEC, "the key is another");
    }
    buffer_done(&replica->chain);
    must(buffer_append_text(&replica->chain, chain_pem, e), *e);
    replica->uses++;
    return true;
}

static inline struct webhook_certificate_options options_of(struct replica *replica) {
    return (struct webhook_certificate_options){
        .api = kube_client_api(replica->world->api.client),
        .metrics = replica->world->metrics,
        .namespace = "qubesec-system",
        .service = "qubesec-webhook",
        .secret = "it",
        .configuration = "qubesec",
        .overlap_seconds = replica->world->overlap_seconds == 0 ? 1 : replica->world->overlap_seconds,
        .use = take_identity,
        .context = replica,
    };
}

static inline void start_replica(struct world *world, struct replica *replica) {
    struct error e;
    *replica = (struct replica){.world = world, .chain = buffer_create(TEXT_MAX)};
    struct webhook_certificate_options options = options_of(replica);
    must(webhook_certificate_create(&options, &replica->keeper, &e), e);
}

static inline void replica_free(struct replica *replica) {
    webhook_certificate_free(replica->keeper);
    buffer_done(&replica->chain);
}
#define cleanup_replica [[gnu::cleanup(replica_free)]]

static inline uint32_t keep(struct replica *replica) {
    struct error e;
    uint32_t again_ms = 0;
    must(webhook_certificate_keep(replica->keeper, &again_ms, &e), e);
    assert_true(again_ms > 0 && again_ms <= 10000);
    return again_ms;
}
