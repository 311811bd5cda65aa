// The caBundle of the webhook's configuration: by it the API servers know whom to trust.
#pragma once

#include "kube/client.h"

#define WEBHOOK_NAME "validate.qubesec.io" // in the configuration

enum webhook_bundle {
    WEBHOOK_BUNDLE_ABSENT, // there is no such configuration, or it lacks our webhook: nobody calls it
    WEBHOOK_BUNDLE_SAME,   // it was so already
    WEBHOOK_BUNDLE_WRITTEN,
};

// Sees to it that the webhook's caBundle in that ValidatingWebhookConfiguration is pem, by server-side apply
// of this one field; nothing is written that is so already, and no configuration is ever made. Errors: those
// of kube_client_call, RETRYABLE (it keeps changing).
[[nodiscard]] bool webhook_bundle_publish(struct kube_client *client, const char *configuration,
                                          const struct buffer *pem, enum webhook_bundle *ret_bundle,
                                          struct error *e);
