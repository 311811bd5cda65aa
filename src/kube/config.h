// How to reach the API server and who we are there: a kubeconfig file, or a pod's service account. Tokens and
// CAs that live in files are read again while running.
#pragma once

#include "base/error.h"
#include "net/http_client.h"

struct kube_config;

// path NULL: the files of $KUBECONFIG if set, else in-cluster if KUBERNETES_SERVICE_HOST is set, else
// ~/.kube/config. context NULL: the current-context. Client certificates, tokens and token files, CA data or
// files, tls-server-name and proxy-url are served; exec is run by runner (NULL: it is refused), for the first
// time here; auth-provider plug-ins, basic auth and insecure-skip-tls-verify are refused with a clear error.
// *ret_config is owned; safe to use from many threads; runner is borrowed until it is freed. Errors: IO,
// INVALID_SPEC (names file and field), NO_MEMORY, those of runner.
struct exec_runner;
[[nodiscard]] bool kube_config_load_with(const char *path, const char *context,
                                         const struct exec_runner *runner, struct kube_config **ret_config,
                                         struct error *e);

// The same without a runner.
[[nodiscard]] bool kube_config_load(const char *path, const char *context, struct kube_config **ret_config,
                                    struct error *e);

// As a pod: service account files in directory, server from KUBERNETES_SERVICE_HOST and _PORT.
[[nodiscard]] bool kube_config_load_in_cluster(const char *directory, struct kube_config **ret_config,
                                               struct error *e);

// Takes config; no thread may be using it. NULL is allowed.
void kube_config_free(struct kube_config *config);

const char *kube_config_server(const struct kube_config *config); // "https://host:port", no slash at the end
const char *
kube_config_namespace(const struct kube_config *config); // of the context or the pod; "default" if unset

const char *kube_config_proxy(const struct kube_config *config); // NULL: as the environment says

// What the next request needs: trust and identity (*ret_tls: a count that is the caller's) and the
// Authorization header line (*ret_authorization, owned by the caller, or NULL). Files are read again once
// they were read 50 s ago; an empty or broken file keeps the old value. A plug-in is run again once what it
// gave has expired or was rejected. Errors: NO_MEMORY, and of a plug-in those of kube_config_load_with.
[[nodiscard]] bool kube_config_credentials(struct kube_config *config, struct http_tls **ret_tls,
                                           char **ret_authorization, struct error *e);

// The server answered 401 to a request that started at started_ms (monotonic): a token that was read before
// then is dropped, so that the next request reads it, or asks the plug-in for it, anew.
void kube_config_reject_token(struct kube_config *config, int64_t started_ms);
