// What the checks of `qubesec check` have in common. Each is a function of this form, a row in the table of
// check.c, and a file of its own.
#pragma once

#include "check/check.h"
#include "kube/client.h"

#include <pthread.h>

enum { CHECK_GROUP_SIZE = 64, CHECK_ANSWER_MAX = 64 * 1024 * 1024 };

struct check_context {
    const struct check_options *options;
    struct loop *loop;
    struct kube_config *config; // NULL: there is none, because of config_error
    struct error config_error;
    struct http_client *http;
    struct kube_client *client;
    bool api_is_unreachable;
    pthread_mutex_t lock;
    char tls_group[CHECK_GROUP_SIZE]; // of the last connection, guarded by lock; "": none
};

typedef void check_function(struct check_context *context, struct check_report *report);

check_function check_openssl;
check_function check_api_server; // the first to ask the API server; sets api_is_unreachable
check_function check_definitions;
check_function check_rights;
check_function check_webhook;
check_function check_deployment;
check_function check_leader;
check_function check_encryption;
check_function check_objects;

// Sends request as api_call does, with the timeout of the options in the place of its own.
[[nodiscard]] bool check_call(struct check_context *context, const struct api_request *request,
                              yyjson_doc **ret_document, struct error *e);

// The same for one object as it is now.
[[nodiscard]] bool check_get(struct check_context *context, const struct kube_resource *resource,
                             const char *ns, const char *name, yyjson_doc **ret_document, struct error *e);

// GET of a path that is no resource's. *ret_document is owned. Errors: as kube_client_call.
[[nodiscard]] bool check_get_path(struct check_context *context, const char *path, yyjson_doc **ret_document,
                                  struct error *e);

// GET of a path that answers with text, which is appended to text. Errors: as kube_client_call.
[[nodiscard]] bool check_get_text(struct check_context *context, const char *path, struct buffer *text,
                                  struct error *e);
