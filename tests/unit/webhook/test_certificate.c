#include "webhook_api.h"

#include "base/log.h"
#include "crypto/encoding.h"

#include <sys/stat.h>
#include <time.h>

static yyjson_val *root_of(const struct stored *stored) {
    return yyjson_doc_get_root(stored->object);
}

static const char *bundle_in(const struct world *world) {
    yyjson_val *webhooks = yyjson_obj_get(root_of(&world->configuration), "webhooks");
    return json_text(json_find(yyjson_arr_get_first(webhooks), "clientConfig", "caBundle", nullptr));
}

static bool is_trusted(const struct world *world, const struct replica *replica) {
    struct error e;
    struct secret *bytes;
    const char *text = bundle_in(world);
    cleanup_buffer struct buffer bundle = buffer_create(TEXT_MAX);
    must(base64_decode(text, strlen(text), ENCODING_ONE_LINE, &bytes, &e), e);
    must(buffer_append(&bundle, secret_view(bytes), secret_length(bytes), &e), e);
    secret_free(bytes);
    return is_accepted(&replica->chain, &bundle, time(nullptr));
}

static const char *annotation(const struct world *world, const char *name) {
    return json_text(json_find(root_of(&world->secret), "metadata", "annotations", name, nullptr));
}

static void request_rotation(struct world *world, const char *what) {
    cleanup_json_mut yyjson_mut_doc *document = yyjson_doc_mut_copy(world->secret.object, nullptr);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    yyjson_mut_val *annotations = yyjson_mut_obj_get(yyjson_mut_obj_get(root, "metadata"), "annotations");
    yyjson_mut_obj_add_str(document, annotations, WEBHOOK_ROTATE_ANNOTATION, what);
    replace_object(world, &world->secret, document, root);
    world->secret.writes = 0;
}

static void all_is_made_and_published(void **state) {
    struct world *world = *state;
    cleanup_replica struct replica replica;
    start_replica(world, &replica);
    keep(&replica);
    assert_int_equal(world->secret.writes, 1);
    assert_int_equal(world->configuration.writes, 1);
    assert_int_equal(replica.uses, 1);
    assert_true(is_trusted(world, &replica));
    assert_string_equal(
        json_text(json_find(root_of(&world->configuration), "metadata", "labels", "a", nullptr)), "b");
    keep(&replica); // there is nothing to do any more
    assert_int_equal(world->secret.writes + world->configuration.writes, 2);
    assert_int_equal(replica.uses, 1);
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(TEXT_MAX);
    must(metrics_write(world->metrics, &text, &e), e);
    assert_non_null(strstr(buffer_text(&text), "certwatcher_read_certificate_total{} 2\n"));
    assert_non_null(strstr(buffer_text(&text), "certwatcher_read_certificate_errors_total{} 0\n"));
    assert_non_null(
        strstr(buffer_text(&text), "qubesec_webhook_certificate_expiration_timestamp_seconds{} "));
}

static void a_race_that_was_lost_is_no_failure(void **state) {
    struct world *world = *state;
    cleanup_replica struct replica replica;
    start_replica(world, &replica);
    world->lose = 5;
    keep(&replica);
    assert_int_equal(world->secret.writes, 1);
    assert_true(is_trusted(world, &replica));
    struct error e;
    uint32_t again_ms;
    world->lose = 1000;
    request_rotation(world, "leaf");
    must_fail(webhook_certificate_keep(replica.keeper, &again_ms, &e), e, ERROR_RETRYABLE, "keeps changing");
    assert_int_equal(replica.uses, 1);
}

static void a_new_leaf_is_handed_over(void **state) {
    struct world *world = *state;
    cleanup_replica struct replica replica;
    cleanup_replica struct replica other;
    start_replica(world, &replica);
    start_replica(world, &other);
    keep(&replica);
    keep(&other);
    request_rotation(world, "leaf");
    keep(&replica);
    assert_int_equal(world->secret.writes, 1);
    assert_int_equal(world->configuration.writes, 1); // the first one
    assert_null(annotation(world, WEBHOOK_ROTATE_ANNOTATION));
    assert_int_equal(replica.uses, 2);
    keep(&other);
    assert_int_equal(other.uses, 2);
    assert_string_equal(buffer_text(&replica.chain), buffer_text(&other.chain));
    assert_int_equal(world->secret.writes, 1);
}

static void a_server_that_refuses_is_asked_again(void **state) {
    struct world *world = *state;
    struct error e;
    uint32_t again_ms;
    cleanup_replica struct replica replica;
    start_replica(world, &replica);
    replica.refuses = true;
    must_fail(webhook_certificate_keep(replica.keeper, &again_ms, &e), e, ERROR_CRYPTO,
              "no room in the server");
    replica.refuses = false;
    keep(&replica);
    assert_int_equal(replica.uses, 1);
}

static void a_lost_secret_is_made_anew(void **state) {
    struct world *world = *state;
    cleanup_replica struct replica replica;
    cleanup_replica struct replica other;
    world->overlap_seconds = 3600; // nothing of this is after it
    start_replica(world, &replica);
    start_replica(world, &other);
    keep(&replica);
    keep(&other);
    json_free(world->secret.object);
    world->secret.object = nullptr;
    // First the API servers are told of the new CA, then its leaf is served; the former CA stays trusted.
    assert_true(keep(&replica) <= 1000);
    assert_int_equal(replica.uses, 1);
    assert_true(is_trusted(world, &replica));
    assert_non_null(annotation(world, WEBHOOK_OVERLAP_ANNOTATION));
    keep(&replica);
    assert_int_equal(replica.uses, 2);
    assert_true(is_trusted(world, &replica) && is_trusted(world, &other));
}

static void an_overwritten_bundle_is_restored(void **state) {
    struct world *world = *state;
    cleanup_replica struct replica replica;
    start_replica(world, &replica);
    keep(&replica);
    put_object(world, &world->configuration,
               "{'metadata':{'name':'qubesec'},'webhooks':[{'name':'validate.qubesec.io',"
               "'clientConfig':{'caBundle':'YQ=='}}]}");
    keep(&replica);
    assert_true(is_trusted(world, &replica));
    assert_int_equal(world->configuration.writes, 2);
    assert_int_equal(world->secret.writes, 1);
}

static void test_trap_38_no_configuration_is_ever_made(void **state) {
    struct world *world = *state;
    cleanup_replica struct replica replica;
    start_replica(world, &replica);
    static const char *const others[] = {"{'metadata':{'name':'qubesec'}}",
                                         "{'metadata':{'name':'qubesec'},'webhooks':[]}",
                                         "{'metadata':{'name':'qubesec'},'webhooks':[{'name':'else'}]}"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        put_object(world, &world->configuration, others[i]);
        keep(&replica);
    }
    json_free(world->configuration.object);
    world->configuration.object = nullptr;
    keep(&replica);
    assert_int_equal(world->configuration.writes, 0);
    assert_int_equal(replica.uses, 1); // it serves all the same
    put_object(world, &world->configuration, configuration_text);
    keep(&replica);
    assert_true(is_trusted(world, &replica));
}

static void a_configuration_out_of_reach_keeps_no_leaf_from_being_served(void **state) {
    struct world *world = *state;
    struct error e;
    uint32_t again_ms;
    cleanup_replica struct replica replica;
    world->overlap_seconds = 3600; // nothing of this is after it
    start_replica(world, &replica);
    world->configuration.refusal = 403;
    must_fail(webhook_certificate_keep(replica.keeper, &again_ms, &e), e, ERROR_FORBIDDEN, "publishing");
    assert_int_equal(replica.uses, 1);
    request_rotation(world, "ca");
    must_fail(webhook_certificate_keep(replica.keeper, &again_ms, &e), e, ERROR_FORBIDDEN, "publishing");
    must_fail(webhook_certificate_keep(replica.keeper, &again_ms, &e), e, ERROR_FORBIDDEN, "publishing");
    assert_int_equal(world->secret.writes, 1); // introduced, and there it waits
    world->configuration.refusal = 422;
    must_fail(webhook_certificate_keep(replica.keeper, &again_ms, &e), e, ERROR_REFUSED, "publishing");
    world->configuration.refusal = 0;
    keep(&replica);
    assert_non_null(annotation(world, WEBHOOK_OVERLAP_ANNOTATION));
}

static void what_is_somebody_elses_is_not_touched(void **state) {
    struct world *world = *state;
    struct error e;
    uint32_t again_ms;
    cleanup_replica struct replica replica;
    start_replica(world, &replica);
    put_object(world, &world->secret,
               "{'metadata':{'name':'it'},'data':{'tls.crt':'YQ==','tls.key':'YQ=='}}");
    must_fail(webhook_certificate_keep(replica.keeper, &again_ms, &e), e, ERROR_CONFLICT,
              "is not the operator's");
    assert_int_equal(world->secret.writes + world->configuration.writes + replica.uses, 0);
    put_object(world, &world->secret, "{'metadata':{'name':'it'},'data':{'tls.crt':'','tls.key':''}}");
    keep(&replica);
    assert_true(is_trusted(world, &replica));
}

static void an_api_server_out_of_reach_changes_nothing(void **state) {
    struct world *world = *state;
    struct error e;
    uint32_t again_ms;
    cleanup_replica struct replica replica;
    start_replica(world, &replica);
    keep(&replica);
    world->secret.refusal = 500;
    must_fail(webhook_certificate_keep(replica.keeper, &again_ms, &e), e, ERROR_RETRYABLE, "");
    assert_int_equal(replica.uses, 1);
}

// ---- an old state does not overwrite a newer one

// Other replicas go on while this one has read the first of the two objects.
static void overtake(struct world *world) {
    put_object(world, &world->configuration,
               "{'metadata':{'name':'qubesec'},'webhooks':[{'name':'validate.qubesec.io',"
               "'clientConfig':{'caBundle':'bmV3ZXI='}}]}");
    json_free(world->secret.object);
    world->secret.object = nullptr;
}

static void an_old_state_does_not_overwrite_a_newer_one(void **state) {
    struct world *world = *state;
    cleanup_replica struct replica replica;
    world->overlap_seconds = 3600; // nothing of this is after it
    start_replica(world, &replica);
    keep(&replica);
    char *before = strdup(bundle_in(world));
    world->after_read = overtake;
    keep(&replica);
    assert_null(world->after_read);
    assert_string_not_equal(bundle_in(world), before); // but that of the Secret which was made after it
    assert_true(is_trusted(world, &replica));
    free(before);
}

// ---- many replicas

static void *keep_until_it_is_done(void *context) {
    struct replica *replica = context;
    struct world *world = replica->world;
    for (bool done = false; !done;) {
        struct error e;
        uint32_t again_ms;
        (void)webhook_certificate_keep(replica->keeper, &again_ms, &e); // may lose too many races
        pthread_mutex_lock(&world->gate);
        done = replica->uses > 0 && annotation(world, WEBHOOK_OVERLAP_ANNOTATION) == nullptr &&
               annotation(world, WEBHOOK_ROTATE_ANNOTATION) == nullptr &&
               json_find(root_of(&world->secret), "data", WEBHOOK_NEXT_CA_KEY_ENTRY, nullptr) == nullptr;
        pthread_mutex_unlock(&world->gate);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, nullptr);
    }
    return nullptr;
}

static void run_all(struct replica *replicas) {
    pthread_t threads[KEEPERS_MAX];
    for (size_t i = 0; i < KEEPERS_MAX; i++) {
        pthread_create(&threads[i], nullptr, keep_until_it_is_done, &replicas[i]);
    }
    for (size_t i = 0; i < KEEPERS_MAX; i++) {
        pthread_join(threads[i], nullptr);
    }
}

static void check_agreement(const struct world *world, struct replica *replicas) {
    for (size_t i = 0; i < KEEPERS_MAX; i++) {
        keep(&replicas[i]);
        keep(&replicas[i]);
        assert_string_equal(buffer_text(&replicas[i].chain), buffer_text(&replicas[0].chain));
    }
    assert_true(is_trusted(world, &replicas[0]));
}

static void many_replicas_make_one_ca(void **state) {
    struct world *world = *state;
    struct replica replicas[KEEPERS_MAX];
    for (size_t i = 0; i < KEEPERS_MAX; i++) {
        start_replica(world, &replicas[i]);
    }
    run_all(replicas);
    check_agreement(world, replicas);
    assert_int_equal(world->secret.writes, 1);
    assert_int_equal(world->configuration.writes, 1);

    char *before = strdup(bundle_in(world));
    request_rotation(world, "ca");
    world->configuration.writes = 0;
    run_all(replicas);
    check_agreement(world, replicas);
    assert_int_equal(world->secret.writes, 4); // introduced, published, switched, dropped: each of them once
    assert_int_equal(world->configuration.writes, 2);
    assert_string_not_equal(bundle_in(world), before);
    free(before);
    for (size_t i = 0; i < KEEPERS_MAX; i++) {
        assert_int_equal(replicas[i].uses, 2);
        replica_free(&replicas[i]);
    }
}

// ---- somebody else's files

struct mount {
    char folder[64];
    struct replica replica;
};

static void put_pair(const struct mount *mount, const char *version, const struct identity *certificate,
                     const struct identity *key) {
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", mount->folder, version);
    (void)mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/%s/tls.crt", mount->folder, version);
    write_file(path, certificate->certificate_pem);
    snprintf(path, sizeof(path), "%s/%s/tls.key", mount->folder, version);
    write_file(path, key->key_pem);
}

// As the kubelet does it: files point into ..data, which is moved over.
static void show_version(const struct mount *mount, const char *version) {
    char path[128];
    char next[128];
    snprintf(path, sizeof(path), "%s/..data", mount->folder);
    snprintf(next, sizeof(next), "%s/..data_tmp", mount->folder);
    assert_int_equal(symlink(version, next), 0);
    assert_int_equal(rename(next, path), 0);
}

static void start_mount(struct world *world, struct mount *mount) {
    struct error e;
    char path[128];
    *mount = (struct mount){.folder = "/tmp/qubesec-test-XXXXXX"};
    assert_non_null(mkdtemp(mount->folder));
    mount->replica = (struct replica){.world = world, .chain = buffer_create(TEXT_MAX)};
    struct webhook_certificate_options options = options_of(&mount->replica);
    options.directory = mount->folder;
    must(webhook_certificate_create(&options, &mount->replica.keeper, &e), e);
    snprintf(path, sizeof(path), "%s/tls.crt", mount->folder);
    assert_int_equal(symlink("..data/tls.crt", path), 0);
    snprintf(path, sizeof(path), "%s/tls.key", mount->folder);
    assert_int_equal(symlink("..data/tls.key", path), 0);
}

static void stop_mount(struct mount *mount) {
    static const char *const names[] = {"1/tls.crt", "1/tls.key", "2/tls.crt", "2/tls.key",
                                        "tls.crt",   "tls.key",   "..data"};
    char path[128];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", mount->folder, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/1", mount->folder);
    rmdir(path);
    snprintf(path, sizeof(path), "%s/2", mount->folder);
    rmdir(path);
    assert_int_equal(rmdir(mount->folder), 0);
    replica_free(&mount->replica);
}

static void test_trap_23_mounted_files_are_served(void **state) {
    struct world *world = *state;
    struct mount mount;
    struct identity ca = make_identity("CA", nullptr);
    struct identity first = make_identity("first", &ca);
    struct identity second = make_identity("second", &ca);
    start_mount(world, &mount);
    keep(&mount.replica); // nothing is there yet
    assert_int_equal(mount.replica.uses, 0);
    put_pair(&mount, "1", &first, &first);
    show_version(&mount, "1");
    keep(&mount.replica);
    keep(&mount.replica);
    assert_int_equal(mount.replica.uses, 1);
    assert_string_equal(buffer_text(&mount.replica.chain), first.certificate_pem);
    put_pair(&mount, "2", &second, &second);
    show_version(&mount, "2");
    keep(&mount.replica);
    assert_int_equal(mount.replica.uses, 2);
    assert_string_equal(buffer_text(&mount.replica.chain), second.certificate_pem);
    assert_int_equal(world->secret.writes + world->configuration.writes, 0);
    stop_mount(&mount);
    free_identity(&second);
    free_identity(&first);
    free_identity(&ca);
}

static void test_trap_23_half_a_pair_is_not_served(void **state) {
    struct world *world = *state;
    struct mount mount;
    struct identity ca = make_identity("CA", nullptr);
    struct identity first = make_identity("first", &ca);
    struct identity second = make_identity("second", &ca);
    struct identity empty = {.certificate_pem = "", .key_pem = ""};
    start_mount(world, &mount);
    put_pair(&mount, "1", &first, &first);
    show_version(&mount, "1");
    keep(&mount.replica);
    const struct identity *const halves[][2] = {
        {&second, &first}, {&first, &second}, {&empty, &empty}, {&second, &empty}, {&empty, &second}};
    for (size_t i = 0; i < sizeof(halves) / sizeof(halves[0]); i++) {
        put_pair(&mount, "1", halves[i][0], halves[i][1]);
        keep(&mount.replica);
        assert_int_equal(mount.replica.uses, 1);
        assert_string_equal(buffer_text(&mount.replica.chain), first.certificate_pem);
    }
    put_pair(&mount, "1", &second, &second);
    keep(&mount.replica);
    assert_int_equal(mount.replica.uses, 2);
    stop_mount(&mount);
    free_identity(&second);
    free_identity(&first);
    free_identity(&ca);
}

// ---- names

static void hosts_become_names(void **state) {
    struct world *world = *state;
    struct error e;
    struct replica replica = {.world = world, .chain = buffer_create(TEXT_MAX)};
    struct webhook_certificate_options options = options_of(&replica);
    options.hosts = "127.0.0.1, webhook.example.com,127.0.0.1,,::1,qubesec-webhook.qubesec-system.svc";
    must(webhook_certificate_create(&options, &replica.keeper, &e), e);
    keep(&replica);
    struct certificate **chain;
    size_t count;
    must(certificate_read_chain(replica.chain.data, replica.chain.length, &chain, &count, &e), e);
    static const char *const texts[] = {"qubesec-webhook.qubesec-system.svc",
                                        "qubesec-webhook.qubesec-system.svc.cluster.local", "127.0.0.1",
                                        "webhook.example.com", "::1"};
    struct san wanted[5];
    for (size_t i = 0; i < 5; i++) {
        must(san_parse(texts[i], &wanted[i], &e), e);
    }
    assert_true(certificate_has_names(chain[0], wanted, 5));
    for (size_t i = 0; i < 5; i++) {
        san_done(&wanted[i]);
    }
    certificate_free_chain(chain, count);
    replica_free(&replica);
    struct webhook_certificate *none;
    options.hosts = "a b@c";
    must_fail(webhook_certificate_create(&options, &none, &e), e, ERROR_INVALID_SPEC, "b@c");
    options.hosts = "spiffe://a/b";
    must_fail(webhook_certificate_create(&options, &none, &e), e, ERROR_INVALID_SPEC,
              "neither a host name nor an address");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_world, stop_world)

int main(void) {
    static const struct CMUnitTest tests[] = {
        TEST(all_is_made_and_published),
        TEST(a_race_that_was_lost_is_no_failure),
        TEST(a_new_leaf_is_handed_over),
        TEST(a_server_that_refuses_is_asked_again),
        TEST(a_lost_secret_is_made_anew),
        TEST(an_overwritten_bundle_is_restored),
        TEST(test_trap_38_no_configuration_is_ever_made),
        TEST(a_configuration_out_of_reach_keeps_no_leaf_from_being_served),
        TEST(what_is_somebody_elses_is_not_touched),
        TEST(an_api_server_out_of_reach_changes_nothing),
        TEST(an_old_state_does_not_overwrite_a_newer_one),
        TEST(many_replicas_make_one_ca),
        TEST(test_trap_23_mounted_files_are_served),
        TEST(test_trap_23_half_a_pair_is_not_served),
        TEST(hosts_become_names),
    };
    start_webhook_tests();
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
