#include "../base/check.h"
#include "../base/pem_shapes.h"
#include "../net/scripted_server.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "crypto/encoding.h"
#include "kube/config_time.h"
#include "kube/exec_plugin.h"

#include <sys/stat.h>

// A folder of its own for each test, with certificates that all of them share.
struct fixture {
    char folder[64];
    struct identity ca;
    struct identity other_ca;
    struct identity alice;
    struct identity bob;
};

static int set_up_group(void **state) {
    static struct fixture fixture;
    fixture.ca = make_identity("CA", nullptr);
    fixture.other_ca = make_identity("other CA", nullptr);
    fixture.alice = make_identity("alice", &fixture.ca);
    fixture.bob = make_identity("bob", &fixture.ca);
    *state = &fixture;
    return 0;
}

static int tear_down_group(void **state) {
    struct fixture *fixture = *state;
    free_identity(&fixture->alice);
    free_identity(&fixture->bob);
    free_identity(&fixture->ca);
    free_identity(&fixture->other_ca);
    return 0;
}

static int set_up(void **state) {
    struct fixture *fixture = *state;
    snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/qubesec-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    static const char *const variables[] = {"KUBECONFIG", "KUBERNETES_SERVICE_HOST",
                                            "KUBERNETES_SERVICE_PORT"};
    for (size_t i = 0; i < 3; i++) {
        unsetenv(variables[i]);
    }
    return 0;
}

static const char *path_of(const struct fixture *fixture, const char *name) {
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", fixture->folder, name);
    return path;
}

static int tear_down(void **state) {
    const struct fixture *fixture = *state;
    static const char *const names[] = {"config", "ca.crt",       "client.crt", "client.key",
                                        "token",  "sub/token",    "sub/config", "namespace",
                                        "sub",    ".kube/config", ".kube"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)remove(path_of(fixture, names[i]));
    }
    return rmdir(fixture->folder);
}

static void put(const struct fixture *fixture, const char *name, const char *text) {
    FILE *file = fopen(path_of(fixture, name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static const char *base64(const char *text) {
    static char encoded[4][16384];
    static int turn;
    struct error e;
    cleanup_buffer struct buffer buffer = buffer_create(sizeof(encoded[0]) - 1);
    must(base64_encode(text, strlen(text), &buffer, &e), e);
    char *slot = encoded[turn++ % 4];
    snprintf(slot, sizeof(encoded[0]), "%s", buffer_text(&buffer));
    return slot;
}

// A kubeconfig with one context "c", cluster "k", user "u"; each part is the inside of a flow mapping.
static void put_config(const struct fixture *fixture, const char *context, const char *cluster,
                       const char *user) {
    static char text[65536];
    snprintf(text, sizeof(text),
             "apiVersion: v1\nkind: Config\ncurrent-context: c\npreferences: {}\n"
             "contexts:\n- name: c\n  context: {%s}\n"
             "clusters:\n- cluster: {%s}\n  name: k\n"
             "users:\n- name: u\n  user: {%s}\n",
             context, cluster, user);
    put(fixture, "config", text);
}

static struct kube_config *load(const struct fixture *fixture, const char *context) {
    struct error e;
    struct kube_config *config;
    must(kube_config_load(path_of(fixture, "config"), context, &config, &e), e);
    return config;
}

static void refuse(const struct fixture *fixture, enum error_class class, const char *says) {
    struct error e;
    struct kube_config *config = nullptr;
    must_fail(kube_config_load(path_of(fixture, "config"), nullptr, &config, &e), e, class, says);
    assert_non_null(strstr(e.message, path_of(fixture, "config")));
    assert_null(config);
}

// The Authorization line at a moment that is so many milliseconds after the load; NULL: none.
static const char *authorization(struct kube_config *config, int64_t later_ms) {
    static char line[1024];
    struct error e;
    struct http_tls *tls;
    char *owned;
    must(kube_config_credentials_at(config, clock_monotonic_ms() + later_ms, &tls, &owned, &e), e);
    http_tls_release(tls);
    if (owned == nullptr) {
        return nullptr;
    }
    snprintf(line, sizeof(line), "%s", owned);
    memory_free(owned);
    return line;
}

// Only to be compared: the count is given back at once.
static const struct http_tls *tls_at(struct kube_config *config, int64_t later_ms) {
    struct error e;
    struct http_tls *tls;
    char *owned;
    must(kube_config_credentials_at(config, clock_monotonic_ms() + later_ms, &tls, &owned, &e), e);
    http_tls_release(tls);
    memory_free(owned);
    return tls;
}

static void a_plain_token_and_no_ca(void **state) {
    const struct fixture *fixture = *state;
    put_config(fixture, "cluster: k, user: u", "server: 'https://example.test:6443/'", "token: abc.def");
    struct kube_config *config = load(fixture, nullptr);
    assert_string_equal(kube_config_server(config), "https://example.test:6443");
    assert_string_equal(kube_config_namespace(config), "default");
    assert_string_equal(authorization(config, 0), "Authorization: Bearer abc.def");
    kube_config_reject_token(config, INT64_MAX);
    assert_string_equal(authorization(config, 0), "Authorization: Bearer abc.def");
    kube_config_free(config);
}

static void data_of_all_kinds(void **state) {
    const struct fixture *fixture = *state;
    static char cluster[16384];
    static char user[32768];
    snprintf(cluster, sizeof(cluster), "server: https://a/b/c//, certificate-authority-data: %s",
             base64(fixture->ca.certificate_pem));
    snprintf(user, sizeof(user), "client-certificate-data: %s, client-key-data: %s",
             base64(fixture->alice.certificate_pem), base64(fixture->alice.key_pem));
    put_config(fixture, "cluster: k, user: u, namespace: team-a", cluster, user);
    struct kube_config *config = load(fixture, nullptr);
    assert_string_equal(kube_config_server(config), "https://a/b/c");
    assert_string_equal(kube_config_namespace(config), "team-a");
    assert_null(authorization(config, 0));
    assert_non_null(tls_at(config, 0));
    kube_config_free(config);
}

static void files_are_relative_to_the_kubeconfig(void **state) {
    const struct fixture *fixture = *state;
    char user[512];
    assert_int_equal(mkdir(path_of(fixture, "sub"), 0700), 0);
    put(fixture, "sub/token", "  from-file\r\n\n");
    put(fixture, "ca.crt", fixture->ca.certificate_pem);
    put(fixture, "client.crt", fixture->alice.certificate_pem);
    put(fixture, "client.key", fixture->alice.key_pem);
    snprintf(user, sizeof(user),
             "tokenFile: sub/token, token: unused, client-key: %s, client-certificate: client.crt",
             path_of(fixture, "client.key"));
    put_config(fixture, "cluster: k, user: u", "server: https://a, certificate-authority: ./ca.crt", user);
    struct kube_config *config = load(fixture, nullptr);
    assert_string_equal(authorization(config, 0), "Authorization: Bearer from-file");
    kube_config_free(config);
}

static void data_wins_over_files(void **state) {
    const struct fixture *fixture = *state;
    static char cluster[16384];
    snprintf(cluster, sizeof(cluster),
             "server: https://a, certificate-authority: missing, certificate-authority-data: %s",
             base64(fixture->ca.certificate_pem));
    put_config(fixture, "cluster: k, user: u", cluster, "token: t");
    kube_config_free(load(fixture, nullptr));
}

static void a_context_is_chosen_by_name(void **state) {
    const struct fixture *fixture = *state;
    put(fixture, "config",
        "{\"current-context\": \"one\","
        "\"contexts\": [{\"name\": \"one\", \"context\": {\"cluster\": \"k1\", \"user\": \"u1\"}},"
        "{\"name\": \"two\", \"context\": {\"cluster\": \"k2\", \"namespace\": \"n2\"}},"
        "{\"name\": \"two\", \"context\": {\"cluster\": \"k1\", \"namespace\": \"n1\"}}],"
        "\"clusters\": [{\"name\": \"k1\", \"cluster\": {\"server\": \"https://one\"}},"
        "{\"name\": \"k2\", \"cluster\": {\"server\": \"https://two\"}}],"
        "\"users\": [{\"name\": \"u1\", \"user\": {\"token\": \"t1\"}}, {\"name\": \"u2\", \"user\": "
        "{\"exec\": {\"command\": \"x\"}}}]}");
    struct kube_config *one = load(fixture, nullptr);
    struct kube_config *two = load(fixture, "two");
    assert_string_equal(kube_config_server(one), "https://one");
    assert_string_equal(authorization(one, 0), "Authorization: Bearer t1");
    assert_string_equal(kube_config_server(two), "https://two");
    assert_string_equal(kube_config_namespace(two), "n2");
    assert_null(authorization(two, 0));
    kube_config_free(one);
    kube_config_free(two);
    kube_config_free(nullptr);
}

#define BETA "client.authentication.k8s.io/v1beta1"
#define PLUGIN "exec: {apiVersion: " BETA ", command: sub/login"

struct wrong {
    const char *context;
    const char *cluster;
    const char *user;
    const char *says;
};

static void what_is_not_served_is_refused_by_name(void **state) {
    const struct fixture *fixture = *state;
    static const char both[] = "cluster: k, user: u";
    static const char server[] = "server: https://a";
    static const struct wrong wrongs[] = {
        {both, server, PLUGIN "}", "user \"u\": exec: credential plug-ins are not run here"},
        {both, server, "exec: {command: aws}", "user \"u\": exec.apiVersion: "},
        {both, server, "exec: {apiVersion: client.authentication.k8s.io/v1alpha1}", "exec.apiVersion: "},
        {both, server, "exec: {apiVersion: client.authentication.k8s.io/v1, command: a}",
         "exec.interactiveMode: "},
        {both, server, "exec: {apiVersion: " BETA ", interactiveMode: never}", "exec.interactiveMode: "},
        {both, server, "exec: {apiVersion: " BETA "}", "exec.command: "},
        {both, server, "exec: {apiVersion: " BETA ", command: a, args: b}", "exec.args: "},
        {both, server, "exec: {apiVersion: " BETA ", command: a, args: [7]}", "exec.args: "},
        {both, server, "exec: {apiVersion: " BETA ", command: a, env: {b: c}}", "exec.env: "},
        {both, server, "exec: {apiVersion: " BETA ", command: a, env: [{name: b}]}", "exec.env: "},
        {both, server, "exec: {apiVersion: " BETA ", command: a, env: [{name: b=c, value: d}]}",
         "exec.env: "},
        {both, server, "exec: {apiVersion: " BETA ", command: a, provideClusterInfo: 1}",
         "exec.provideClusterInfo: "},
        {both, server, "auth-provider: {name: gcp}", "user \"u\": auth-provider: "},
        {both, server, "username: admin", "user \"u\": username: "},
        {both, server, "password: x", "user \"u\": password: "},
        {both, server, "token: t, as: root", "user \"u\": as: "},
        {both, server, "token: t, as-groups: [a]", "user \"u\": as-groups: "},
        {both, "server: https://a, insecure-skip-tls-verify: true", "token: t",
         "cluster \"k\": insecure-skip"},
        {both, "server: https://a, tls-server-name: 'b/c'", "token: t", "cluster \"k\": tls-server-name: "},
        {both, "server: https://a, tls-server-name: 'b c'", "token: t", "cluster \"k\": tls-server-name: "},
        {both, "server: https://a, proxy-url: 'p:3128'", "token: t", "cluster \"k\": proxy-url: "},
        {both, "server: https://a, proxy-url: 'ftp://p'", "token: t", "cluster \"k\": proxy-url: "},
        {both, "server: https://a, proxy-url: 'http://'", "token: t", "cluster \"k\": proxy-url: "},
        {both, "server: https://a, proxy-url: 'http://u:w@'", "token: t", "cluster \"k\": proxy-url: "},
        {both, "server: https://a, proxy-url: 'http://a b'", "token: t", "cluster \"k\": proxy-url: "},
        {both, "server: https://a, tls-server-name: b, proxy-url: 'https://p:1'", "token: t",
         "cluster \"k\": proxy-url: with tls-server-name it must be http://"},
        {both, "server: 'http://a'", "token: t", "cluster \"k\": server: "},
        {both, "server: 'a:6443'", "token: t", "cluster \"k\": server: "},
        {both, "server: 'https://'", "token: t", "cluster \"k\": server: "},
        {both, "server: 'https:///path'", "token: t", "cluster \"k\": server: "},
        {both, "server: 'https://u:p@a'", "token: t", "cluster \"k\": server: "},
        {both, "server: 'https://a?b'", "token: t", "cluster \"k\": server: "},
        {both, "server: \"https://a\\r\\nb\"", "token: t", "cluster \"k\": server: "},
        {both, "server: \"https://a\\x01b\"", "token: t", "cluster \"k\": server: "},
        {both, "server: \"https://a\\x7f\"", "token: t", "cluster \"k\": server: "},
        {both, "server: 7", "token: t", "cluster \"k\": server: "},
        {both, "", "token: t", "cluster \"k\": server: "},
        {both, "server: https://a, certificate-authority-data: '%%%'", "token: t",
         "certificate-authority-data: "},
        {both, "server: https://a, certificate-authority-data: YQA=", "token: t",
         "certificate-authority-data: "},
        {both, "server: https://a, certificate-authority-data: aGVsbG8=", "token: t", "the CA"},
        {both, server, "client-certificate-data: aGVsbG8=", "together"},
        {both, server, "client-key-data: aGVsbG8=", "together"},
        {both, server, "token: [a]", "user \"u\": token: "},
        {both, server, "token: 'a b'", "token"},
        {both, server, "token: \"a\\nb\"", "token"},
        {both, server, "token: \"a\\0b\"", "user \"u\": token: "},
        {"cluster: k, user: v", server, "token: t", "users: there is none of the name \"v\""},
        {"cluster: l, user: u", server, "token: t", "clusters: there is none of the name \"l\""},
        {"user: u", server, "token: t", "context \"c\": cluster: "},
        {"cluster: 1, user: u", server, "token: t", "context \"c\": cluster: "},
        {"cluster: k, user: u, namespace: [n]", server, "token: t", "context \"c\": namespace: "},
    };
    for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        put_config(fixture, wrongs[i].context, wrongs[i].cluster, wrongs[i].user);
        refuse(fixture, ERROR_INVALID_SPEC, wrongs[i].says);
    }
}

// What a field says when it says nothing is no reason to refuse.
static void empty_fields_are_as_absent(void **state) {
    const struct fixture *fixture = *state;
    put_config(
        fixture, "cluster: k, user: u, namespace: ''",
        "server: https://a, insecure-skip-tls-verify: false, proxy-url: '', certificate-authority-data: ~",
        "exec: null, token: '', as-groups: [], as-user-extra: {}, tokenFile: ''");
    struct kube_config *config = load(fixture, nullptr);
    assert_string_equal(kube_config_namespace(config), "default");
    assert_null(authorization(config, 0));
    kube_config_free(config);
}

static void broken_files_are_refused(void **state) {
    const struct fixture *fixture = *state;
    refuse(fixture, ERROR_IO, "No such file");
    static const char *const texts[] = {"",
                                        "[]",
                                        "7",
                                        "a: [",
                                        "current-context: c",
                                        "contexts: {c: d}",
                                        "\t- x",
                                        "current-context: c\ncontexts: [7, {name: c}]"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        put(fixture, "config", texts[i]);
        refuse(fixture, ERROR_INVALID_SPEC, "");
    }
    static char deep[200000];
    memset(deep, '[', sizeof(deep) - 1);
    put(fixture, "config", deep);
    refuse(fixture, ERROR_INVALID_SPEC, "nested");
    char *large = malloc(1024 * 1024 + 2);
    memset(large, '#', 1024 * 1024 + 1);
    large[1024 * 1024 + 1] = '\0';
    put(fixture, "config", large);
    refuse(fixture, ERROR_IO, "longer than");
    free(large);
}

static void files_that_are_missing_or_bad_are_named(void **state) {
    const struct fixture *fixture = *state;
    put_config(fixture, "cluster: k, user: u", "server: https://a, certificate-authority: ca.crt",
               "token: t");
    refuse(fixture, ERROR_IO, "/ca.crt: No such file");
    put(fixture, "ca.crt", "not PEM");
    refuse(fixture, ERROR_INVALID_SPEC, "the CA");
    put_config(fixture, "cluster: k, user: u", "server: https://a", "tokenFile: token");
    refuse(fixture, ERROR_IO, "/token: No such file");
    put(fixture, "token", " \n");
    refuse(fixture, ERROR_INVALID_SPEC, "/token: the token is empty");
    put(fixture, "token", "two words");
    refuse(fixture, ERROR_INVALID_SPEC, "/token: ");
    put(fixture, "client.crt", fixture->alice.certificate_pem);
    put(fixture, "client.key", fixture->bob.key_pem);
    put_config(fixture, "cluster: k, user: u", "server: https://a",
               "client-certificate: client.crt, client-key: client.key");
    refuse(fixture, ERROR_INVALID_SPEC, "does not belong");
}

static void test_trap_21_a_token_file_is_read_again_in_time(void **state) {
    const struct fixture *fixture = *state;
    put(fixture, "token", "first");
    put_config(fixture, "cluster: k, user: u", "server: https://a", "tokenFile: token");
    struct kube_config *config = load(fixture, nullptr);
    put(fixture, "token", "second");
    assert_string_equal(authorization(config, 0), "Authorization: Bearer first");
    assert_string_equal(authorization(config, CONFIG_REFRESH_MS + 1), "Authorization: Bearer second");
    static const char *const bad[] = {"", " \n", "a b", "a\x01"};
    for (int i = 0; i < 4; i++) {
        put(fixture, "token", bad[i]);
        assert_string_equal(authorization(config, (i + 2) * (CONFIG_REFRESH_MS + 1)),
                            "Authorization: Bearer second");
    }
    assert_int_equal(remove(path_of(fixture, "token")), 0);
    assert_string_equal(authorization(config, 7 * (CONFIG_REFRESH_MS + 1)), "Authorization: Bearer second");
    put(fixture, "token", "third");
    assert_string_equal(authorization(config, 8 * (CONFIG_REFRESH_MS + 1)), "Authorization: Bearer third");
    kube_config_free(config);
}

static void test_trap_21_a_rejected_token_is_read_again_at_once(void **state) {
    const struct fixture *fixture = *state;
    put(fixture, "token", "first");
    put_config(fixture, "cluster: k, user: u", "server: https://a", "tokenFile: token");
    int64_t before = clock_monotonic_ms() - 1;
    struct kube_config *config = load(fixture, nullptr);
    put(fixture, "token", "second");
    kube_config_reject_token(config, before); // the request had started before the token was read
    assert_string_equal(authorization(config, 0), "Authorization: Bearer first");
    put(fixture, "token", "");
    kube_config_reject_token(config, INT64_MAX);
    assert_string_equal(authorization(config, 0), "Authorization: Bearer first"); // better than none
    put(fixture, "token", "second");
    assert_string_equal(authorization(config, 0), "Authorization: Bearer second");
    put(fixture, "token", "third");
    assert_string_equal(authorization(config, 0), "Authorization: Bearer second");
    kube_config_free(config);
}

static void test_trap_22_a_ca_file_is_read_again_in_time(void **state) {
    const struct fixture *fixture = *state;
    put(fixture, "ca.crt", fixture->ca.certificate_pem);
    put_config(fixture, "cluster: k, user: u", "server: https://a, certificate-authority: ca.crt",
               "token: t");
    struct kube_config *config = load(fixture, nullptr);
    const struct http_tls *first = tls_at(config, 0);
    assert_ptr_equal(tls_at(config, CONFIG_REFRESH_MS + 1), first); // read, and the same
    put(fixture, "ca.crt", "");
    assert_ptr_equal(tls_at(config, 2 * (CONFIG_REFRESH_MS + 1)), first);
    put(fixture, "ca.crt", "-----BEGIN CERTIFICATE-----\n");
    assert_ptr_equal(tls_at(config, 3 * (CONFIG_REFRESH_MS + 1)), first);
    put(fixture, "ca.crt", fixture->other_ca.certificate_pem);
    assert_ptr_equal(tls_at(config, 3 * (CONFIG_REFRESH_MS + 1)), first); // not yet
    struct error e;
    struct http_tls *held;
    char *line;
    must(kube_config_credentials_at(config, clock_monotonic_ms(), &held, &line, &e),
         e); // so that no address comes twice
    memory_free(line);
    assert_ptr_not_equal(tls_at(config, 4 * (CONFIG_REFRESH_MS + 2)), first);
    http_tls_release(held);
    kube_config_free(config);
}

static void a_client_certificate_is_taken_with_its_key(void **state) {
    const struct fixture *fixture = *state;
    put(fixture, "client.crt", fixture->alice.certificate_pem);
    put(fixture, "client.key", fixture->alice.key_pem);
    put_config(fixture, "cluster: k, user: u", "server: https://a",
               "client-certificate: client.crt, client-key: client.key");
    struct kube_config *config = load(fixture, nullptr);
    struct error e;
    struct http_tls *held;
    char *line;
    must(kube_config_credentials_at(config, clock_monotonic_ms(), &held, &line, &e), e);
    put(fixture, "client.crt", fixture->bob.certificate_pem); // its key is not there yet
    assert_ptr_equal(tls_at(config, CONFIG_REFRESH_MS + 1), held);
    put(fixture, "client.key", fixture->bob.key_pem);
    assert_ptr_not_equal(tls_at(config, 2 * (CONFIG_REFRESH_MS + 1)), held);
    http_tls_release(held);
    kube_config_free(config);
}

static void a_pod_has_its_service_account(void **state) {
    const struct fixture *fixture = *state;
    struct error e;
    struct kube_config *config = nullptr;
    must_fail(kube_config_load_in_cluster(fixture->folder, &config, &e), e, ERROR_INVALID_SPEC,
              "KUBERNETES_SERVICE");
    setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1);
    setenv("KUBERNETES_SERVICE_PORT", "443x", 1);
    must_fail(kube_config_load_in_cluster(fixture->folder, &config, &e), e, ERROR_INVALID_SPEC,
              "KUBERNETES_SERVICE");
    setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    must_fail(kube_config_load_in_cluster(fixture->folder, &config, &e), e, ERROR_IO, "/ca.crt");
    put(fixture, "ca.crt", fixture->ca.certificate_pem);
    must_fail(kube_config_load_in_cluster(fixture->folder, &config, &e), e, ERROR_IO, "/token");
    put(fixture, "token", "pod-token");
    must(kube_config_load_in_cluster(fixture->folder, &config, &e), e);
    assert_string_equal(kube_config_server(config), "https://10.0.0.1:443");
    assert_string_equal(kube_config_namespace(config), "default");
    assert_string_equal(authorization(config, 0), "Authorization: Bearer pod-token");
    kube_config_free(config);
    put(fixture, "namespace", "team-b\n");
    setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    must(kube_config_load_in_cluster(fixture->folder, &config, &e), e);
    assert_string_equal(kube_config_server(config), "https://[fd00::1]:443");
    assert_string_equal(kube_config_namespace(config), "team-b");
    kube_config_free(config);
}

static void the_environment_names_the_file(void **state) {
    const struct fixture *fixture = *state;
    struct error e;
    struct kube_config *config = nullptr;
    char list[512];
    put_config(fixture, "cluster: k, user: u", "server: https://first", "token: t");
    snprintf(list, sizeof(list), ":%s:/nowhere", path_of(fixture, "config"));
    setenv("KUBECONFIG", list, 1);
    must(kube_config_load(nullptr, nullptr, &config, &e), e);
    assert_string_equal(kube_config_server(config), "https://first");
    kube_config_free(config);
    setenv("KUBECONFIG", "", 1);
    setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1);
    must_fail(kube_config_load(nullptr, nullptr, &config, &e), e, ERROR_INVALID_SPEC,
              "KUBERNETES_SERVICE_PORT");
    unsetenv("KUBERNETES_SERVICE_HOST");
    setenv("HOME", fixture->folder, 1);
    must_fail(kube_config_load(nullptr, nullptr, &config, &e), e, ERROR_IO, "/.kube/config");
    assert_int_equal(mkdir(path_of(fixture, ".kube"), 0700), 0);
    snprintf(list, sizeof(list), "%s", path_of(fixture, "config"));
    assert_int_equal(rename(list, path_of(fixture, ".kube/config")), 0);
    must(kube_config_load(nullptr, nullptr, &config, &e), e);
    assert_string_equal(kube_config_server(config), "https://first");
    kube_config_free(config);
    unsetenv("HOME");
    must_fail(kube_config_load(nullptr, nullptr, &config, &e), e, ERROR_INVALID_SPEC, "HOME");
}

// As kubectl merges them: of what is in several files the first one's counts, whole; what a file names is
// where that file is.
static void files_of_the_environment_are_merged(void **state) {
    const struct fixture *fixture = *state;
    struct error e;
    struct kube_config *config = nullptr;
    char list[1024];
    assert_int_equal(mkdir(path_of(fixture, "sub"), 0700), 0);
    put(fixture, "sub/token", "of-the-second");
    put(fixture, "token", "of-the-first");
    put(fixture, "config",
        "clusters: [{name: k, cluster: {server: 'https://first'}}]\n"
        "users: [{name: v, user: {tokenFile: token}}]\n");
    put(fixture, "sub/config",
        "current-context: c\n"
        "contexts: [{name: c, context: {cluster: k, user: u, namespace: n}},\n"
        "  {name: d, context: {cluster: k, user: v}}]\n"
        "clusters: [{name: k, cluster: {server: 'https://second', proxy-url: 'http://p'}}]\n"
        "users: [{name: u, user: {tokenFile: token}}, {name: v, user: {token: second}}]\n");
    snprintf(list, sizeof(list), "/nowhere/config:%s/config::%s/sub/config", fixture->folder,
             fixture->folder);
    setenv("KUBECONFIG", list, 1);
    must(kube_config_load(nullptr, nullptr, &config, &e), e);
    assert_string_equal(kube_config_server(config), "https://first");
    assert_null(kube_config_proxy(config));
    assert_string_equal(kube_config_namespace(config), "n");
    assert_string_equal(authorization(config, 0), "Authorization: Bearer of-the-second");
    kube_config_free(config);
    must(kube_config_load(nullptr, "d", &config, &e), e);
    assert_string_equal(authorization(config, 0), "Authorization: Bearer of-the-first");
    kube_config_free(config);
    must_fail(kube_config_load(nullptr, "e", &config, &e), e, ERROR_INVALID_SPEC, list);
    put(fixture, "sub/config", "[");
    must_fail(kube_config_load(nullptr, nullptr, &config, &e), e, ERROR_INVALID_SPEC, "sub/config");
    setenv("KUBECONFIG", "/nowhere/a:/nowhere/b", 1);
    must_fail(kube_config_load(nullptr, nullptr, &config, &e), e, ERROR_IO, "none of these files is there");
}

// ---- a credential plug-in, whose part is taken by the test

struct plugin {
    struct exec_runner runner;
    const char *answer;
    int runs;
    char program[256];
    char information[1024];
    bool is_interactive;
};

static bool run_plugin(void *context, const struct exec_command *command, struct buffer *answer,
                       struct error *e) {
    static const char name[] = "KUBERNETES_EXEC_INFO=";
    struct plugin *plugin = context;
    plugin->runs++;
    plugin->is_interactive = command->is_interactive;
    snprintf(plugin->program, sizeof(plugin->program), "%s", command->arguments[0]);
    for (const char *const *variable = command->variables; *variable != nullptr; variable++) {
        if (strncmp(*variable, name, sizeof(name) - 1) == 0) {
            snprintf(plugin->information, sizeof(plugin->information), "%s", *variable + sizeof(name) - 1);
        }
    }
    return plugin->answer == nullptr ? error_set(e, ERROR_IO, "it failed")
                                     : buffer_append_text(answer, plugin->answer, e);
}

static struct plugin make_plugin(const char *answer) {
    return (struct plugin){.runner = {.run = run_plugin}, .answer = answer};
}

#define ANSWER "{\"apiVersion\": \"" BETA "\", \"kind\": \"ExecCredential\", \"status\": "

static struct kube_config *load_with(const struct fixture *fixture, struct plugin *plugin) {
    struct error e;
    struct kube_config *config;
    plugin->runner.context = plugin;
    must(kube_config_load_with(path_of(fixture, "config"), nullptr, &plugin->runner, &config, &e), e);
    return config;
}

static void a_plugin_is_asked_once_until_it_is_rejected(void **state) {
    const struct fixture *fixture = *state;
    struct plugin plugin =
        make_plugin(ANSWER "{\"token\": \"t\", \"expirationTimestamp\": \"2999-01-01T00:00:00Z\"}}");
    put_config(
        fixture, "cluster: k, user: u",
        "server: https://a, extensions: [{name: client.authentication.k8s.io/exec, extension: {x: y}}]",
        PLUGIN ", provideClusterInfo: true}");
    struct kube_config *config = load_with(fixture, &plugin);
    assert_string_equal(plugin.program, path_of(fixture, "sub/login"));
    assert_string_equal(plugin.information,
                        "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" BETA "\",\"spec\":{\"cluster\":"
                        "{\"server\":\"https://a\",\"config\":{\"x\":\"y\"}},\"interactive\":false}}");
    assert_string_equal(authorization(config, 0), "Authorization: Bearer t");
    assert_string_equal(authorization(config, 10L * CONFIG_REFRESH_MS), "Authorization: Bearer t");
    assert_int_equal(plugin.runs, 1);
    plugin.answer = ANSWER "{\"token\": \"u\"}}";
    kube_config_reject_token(config, INT64_MAX);
    assert_string_equal(authorization(config, 0), "Authorization: Bearer u");
    assert_string_equal(authorization(config, 0), "Authorization: Bearer u");
    assert_int_equal(plugin.runs, 2);
    kube_config_free(config);
}

static void what_has_expired_is_asked_for_again(void **state) {
    const struct fixture *fixture = *state;
    struct error e;
    struct http_tls *tls;
    char *line;
    struct plugin plugin =
        make_plugin(ANSWER "{\"token\": \"t\", \"expirationTimestamp\": \"2001-01-01T00:00:00Z\"}}");
    put_config(fixture, "cluster: k, user: u", "server: https://a", PLUGIN "}");
    struct kube_config *config = load_with(fixture, &plugin);
    assert_string_equal(authorization(config, 0), "Authorization: Bearer t");
    assert_string_equal(authorization(config, 0), "Authorization: Bearer t");
    assert_int_equal(plugin.runs, 3);
    plugin.answer = nullptr;
    must_fail(kube_config_credentials(config, &tls, &line, &e), e, ERROR_IO, "user \"u\": exec: it failed");
    kube_config_free(config);
}

static void a_plugin_may_give_a_certificate(void **state) {
    const struct fixture *fixture = *state;
    static char answer[16384];
    struct plugin plugin = make_plugin(answer);
    cleanup_buffer struct buffer text = buffer_create(sizeof(answer) - 1);
    const struct identity *const both[] = {&fixture->alice, &fixture->bob};
    const struct http_tls *seen = nullptr;
    put_config(fixture, "cluster: k, user: u", "server: https://a", PLUGIN "}");
    struct kube_config *config = nullptr;
    for (size_t i = 0; i < 2; i++) {
        buffer_clear(&text, 0);
        say(&text, ANSWER "{\"clientCertificateData\": \"");
        replace_line_ends(both[i]->certificate_pem, "\\n", &text);
        say(&text, "\", \"clientKeyData\": \"");
        replace_line_ends(both[i]->key_pem, "\\n", &text);
        say(&text, "\"}}");
        snprintf(answer, sizeof(answer), "%s", buffer_text(&text));
        if (config == nullptr) {
            config = load_with(fixture, &plugin);
        }
        kube_config_reject_token(config, INT64_MAX);
        assert_ptr_not_equal(tls_at(config, 0), seen);
        assert_ptr_equal(tls_at(config, 0), tls_at(config, 10L * CONFIG_REFRESH_MS));
        seen = tls_at(config, 0);
    }
    kube_config_free(config);
}

static void a_token_of_the_kubeconfig_wins_over_a_plugin(void **state) {
    const struct fixture *fixture = *state;
    put_config(fixture, "cluster: k, user: u", "server: https://a", "token: t, " PLUGIN "}");
    struct kube_config *config = load(fixture, nullptr);
    assert_string_equal(authorization(config, 0), "Authorization: Bearer t");
    kube_config_free(config);
}

static void plugins_that_give_nothing_useful(void **state) {
    const struct fixture *fixture = *state;
    static const struct {
        const char *user;
        const char *answer;
        enum error_class class;
        const char *says;
    } wrongs[] = {
        {PLUGIN "}", nullptr, ERROR_IO, "user \"u\": exec: it failed"},
        {PLUGIN ", installHint: get it}", nullptr, ERROR_IO, "exec (its installHint: get it): it failed"},
        {PLUGIN "}", "log in first", ERROR_INVALID_SPEC, "user \"u\": exec: its answer is no JSON"},
        {PLUGIN "}", ANSWER "{\"token\": \"a b\"}}", ERROR_INVALID_SPEC, "a character that no token has"},
        {PLUGIN "}", ANSWER "{\"clientCertificateData\": \"x\", \"clientKeyData\": \"y\"}}",
         ERROR_INVALID_SPEC, "exec: the client certificate is not"},
        {PLUGIN ", interactiveMode: Always}", ANSWER "{\"token\": \"t\"}}", ERROR_INVALID_SPEC,
         "exec.interactiveMode: it is Always, and standard input is no terminal"},
    };
    for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        struct error e;
        struct kube_config *config;
        struct plugin plugin = make_plugin(wrongs[i].answer);
        plugin.runner.context = &plugin;
        put_config(fixture, "cluster: k, user: u", "server: https://a", wrongs[i].user);
        must_fail(kube_config_load_with(path_of(fixture, "config"), nullptr, &plugin.runner, &config, &e), e,
                  wrongs[i].class, wrongs[i].says);
    }
}

static void a_terminal_is_given_to_those_that_want_it(void **state) {
    const struct fixture *fixture = *state;
    static const struct {
        const char *mode;
        bool is_interactive;
    } modes[] = {{"Never", false}, {"IfAvailable", true}, {"Always", true}};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        char user[256];
        struct plugin plugin = make_plugin(ANSWER "{\"token\": \"t\"}}");
        plugin.runner.has_terminal = true;
        snprintf(user, sizeof(user), PLUGIN ", interactiveMode: %s}", modes[i].mode);
        put_config(fixture, "cluster: k, user: u", "server: https://a", user);
        kube_config_free(load_with(fixture, &plugin));
        assert_int_equal(plugin.is_interactive, modes[i].is_interactive);
        assert_non_null(strstr(plugin.information,
                               modes[i].is_interactive ? "\"interactive\":true" : "\"interactive\":false"));
    }
}

static void *use_config(void *context) {
    struct kube_config *config = context;
    for (int i = 0; i < 200; i++) {
        struct error e;
        struct http_tls *tls;
        char *line;
        must(kube_config_credentials_at(config, clock_monotonic_ms() + i * (CONFIG_REFRESH_MS + 1), &tls,
                                        &line, &e),
             e);
        http_tls_release(tls);
        memory_free(line);
        kube_config_reject_token(config, INT64_MAX);
    }
    return nullptr;
}

static void many_threads_use_it_at_once(void **state) {
    const struct fixture *fixture = *state;
    put(fixture, "token", "t");
    put(fixture, "ca.crt", fixture->ca.certificate_pem);
    put_config(fixture, "cluster: k, user: u", "server: https://a, certificate-authority: ca.crt",
               "tokenFile: token");
    struct kube_config *config = load(fixture, nullptr);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], nullptr, use_config, config);
    }
    put(fixture, "ca.crt", fixture->other_ca.certificate_pem);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], nullptr);
    }
    kube_config_free(config);
}

int main(void) {
    use_own_heap();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_plain_token_and_no_ca, set_up, tear_down),
        cmocka_unit_test_setup_teardown(data_of_all_kinds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_are_relative_to_the_kubeconfig, set_up, tear_down),
        cmocka_unit_test_setup_teardown(data_wins_over_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_context_is_chosen_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_served_is_refused_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(empty_fields_are_as_absent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_files_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_that_are_missing_or_bad_are_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trap_21_a_token_file_is_read_again_in_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trap_21_a_rejected_token_is_read_again_at_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_trap_22_a_ca_file_is_read_again_in_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_client_certificate_is_taken_with_its_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_pod_has_its_service_account, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_environment_names_the_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_of_the_environment_are_merged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_plugin_is_asked_once_until_it_is_rejected, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_has_expired_is_asked_for_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_plugin_may_give_a_certificate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_token_of_the_kubeconfig_wins_over_a_plugin, set_up, tear_down),
        cmocka_unit_test_setup_teardown(plugins_that_give_nothing_useful, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_terminal_is_given_to_those_that_want_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_threads_use_it_at_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
