// Requests to the API server: JSON in, JSON out, HTTP statuses turned into error classes.
#pragma once

#include "kube/api.h"
#include "kube/config.h"

#define KUBE_METADATA_ONLY "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
#define KUBE_METADATA_LIST_ONLY "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
#define KUBE_MERGE_PATCH "application/merge-patch+json"
#define KUBE_APPLY_PATCH "application/apply-patch+yaml" // server-side apply; JSON is YAML

struct kube_client;

// Told of every answered or failed request; code 0: no answer. Any thread.
typedef void kube_request_observer(void *context, const char *method, int code, double seconds);

// config and http are borrowed until kube_client_free; observer may be NULL. *ret_client is owned. Errors:
// NO_MEMORY.
[[nodiscard]] bool kube_client_create(struct kube_config *config, struct http_client *http,
                                      kube_request_observer *observer, void *observer_context,
                                      struct kube_client **ret_client, struct error *e);
void kube_client_free(struct kube_client *client); // takes client; NULL is allowed

// For an orderly stop: from now on no call waits to be retried, and those that do return with their last
// error. Any thread.
void kube_client_interrupt(struct kube_client *client);

// From now on every request of this client that is no GET is sent only if may_write says so, which is asked
// on the loop thread at the last moment, and again for each retry; otherwise the call fails with RETRYABLE.
// For a contender that writes only while it leads. context is borrowed until kube_client_free. Before the
// first call.
void kube_client_set_fence(struct kube_client *client, bool (*may_write)(void *context), void *context);

// The API server behind client, which is borrowed as long as the api is used. Calls are as
// kube_client_call's.
struct api kube_client_api(struct kube_client *client);

// A request that is no verb on a resource, such as GET /version; all others go through kube_client_api.
struct kube_request {
    const char *method;
    const char *path;         // with a query if there is one
    const char *content_type; // NULL: application/json
    const char *accept;       // NULL: application/json
    const char *body;         // NULL: none
    size_t body_length;
    uint32_t timeout_ms; // 0: 30 s
};

// Sends request and waits; not on the loop thread. *ret_document is owned; ret_document NULL: the answer is
// not wanted. 429 and 5xx answers with Retry-After are retried here while the timeout lasts, at most 10
// times, and a 401 once with a fresh token. A metav1.Status answer becomes the error's message. Errors by
// HTTP status: 404 NOT_FOUND, 403 FORBIDDEN, 409 CONFLICT, 410 GONE, 400, 413 and 422 REFUSED, 401, 408, 429
// and 5xx RETRYABLE (a 500 or 504 with reason "Expired", or of a version that is too large, is GONE); else
// those of http_client_call.
[[nodiscard]] bool kube_client_call(struct kube_client *client, const struct kube_request *request,
                                    yyjson_doc **ret_document, struct error *e);

// Opens a stream on the loop thread (see http_stream_open) with our credentials.
[[nodiscard]] bool kube_client_stream(struct kube_client *client, const char *path, const char *accept,
                                      uint32_t timeout_ms, const struct http_stream_events *events,
                                      void *context, struct http_stream **ret_stream, struct error *e);

// Tells the client of a stream's final status, for token renewal and for the observer.
void kube_client_stream_ended(struct kube_client *client, int status, int64_t started_ms);

// The reason that the API server gives in body, a metav1.Status, cut to fit; "": it gives none, or body is
// something else.
enum { KUBE_REASON_SIZE = 64 };
void kube_status_reason(const char *body, size_t length, char ret_reason[KUBE_REASON_SIZE]);

// Turns an HTTP status of 400 or above and its body (a metav1.Status, or anything) into *e, as
// kube_client_call does; of what the server says only what may be shown (kube/server_words.h).
void kube_status_error(int status, uint32_t retry_after_ms, const char *body, size_t length, struct error *e);
