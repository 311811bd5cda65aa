// Keeps the webhook's certificate: either the operator's own, in a Secret that all replicas share, with the
// caBundle of the ValidatingWebhookConfiguration; or one that somebody else mounts as files.
#pragma once

#include "kube/api.h"
#include "runtime/metrics.h"

struct webhook_certificate;

struct webhook_certificate_options {
    struct api api;
    struct metrics *metrics;
    const char *namespace;     // the operator's own
    const char *service;       // whose names the certificate gets
    const char *hosts;         // further host names and addresses, divided by commas; NULL: none
    const char *secret;        // name of the Secret
    const char *configuration; // name of the ValidatingWebhookConfiguration
    const char *directory;     // of somebody else's tls.crt and tls.key; NULL or "": our own certificate
    unsigned overlap_seconds;  // how long two CAs are trusted side by side, at each of the two steps; from 1
    // Has the webhook serve this certificate from now on; refuses one whose key is another. Texts are
    // borrowed for the call.
    bool (*use)(void *context, const char *chain_pem, const char *key_pem, struct error *e);
    void *context;
};

// All that options points to is borrowed until webhook_certificate_free. *ret_keeper is owned. Errors:
// INVALID_SPEC (hosts), NO_MEMORY.
[[nodiscard]] bool webhook_certificate_create(const struct webhook_certificate_options *options,
                                              struct webhook_certificate **ret_keeper, struct error *e);
void webhook_certificate_free(struct webhook_certificate *keeper); // takes keeper; NULL is allowed

// Looks once, does what is due, and says when to look again. One thread at a time, not on the loop thread. A
// failure leaves the webhook with the certificate that it has, and is to be tried again. Errors: any but
// INVALID_SPEC; CONFLICT: the Secret is somebody else's.
[[nodiscard]] bool webhook_certificate_keep(struct webhook_certificate *keeper, uint32_t *ret_again_ms,
                                            struct error *e);
