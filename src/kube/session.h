// An API server for a program that asks one thing after the other: a kubeconfig, and a loop on a thread of
// its own, so that the caller can be plain sequential code.
#pragma once

#include "kube/client.h"

struct kube_session;

// path, context and runner, which is borrowed until kube_session_close, as of kube_config_load_with.
// *ret_session is owned. Errors: as kube_config_load_with, INTERNAL.
[[nodiscard]] bool kube_session_open(const char *path, const char *context, const struct exec_runner *runner,
                                     struct kube_session **ret_session, struct error *e);
void kube_session_close(struct kube_session *session); // takes session; NULL is allowed

// Borrowed from session.
struct api kube_session_api(struct kube_session *session);
const char *kube_session_namespace(const struct kube_session *session); // of the context; "default" if unset
