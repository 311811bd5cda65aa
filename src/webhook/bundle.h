// The caBundle of the webhook's configuration: by it the API servers know whom to trust.
#pragma once

#include "kube/api.h"

#define WEBHOOK_NAME "validate.qubesec.io" // in the configuration

enum webhook_bundle {
    WEBHOOK_BUNDLE_ABSENT, // there is no such configuration, or it lacks our webhook: nobody calls it
    WEBHOOK_BUNDLE_SAME,   // it was so already
    WEBHOOK_BUNDLE_WRITTEN,
    WEBHOOK_BUNDLE_LOST, // the configuration was changed since it was read
};

// Reads the ValidatingWebhookConfiguration of that name. *ret_configuration is owned; NULL: there is none.
// Errors: those of api_call.
[[nodiscard]] bool webhook_bundle_read(struct api api, const char *name, yyjson_doc **ret_configuration,
                                       struct error *e);

// Sees to it that the webhook's caBundle is pem, by server-side apply of this one field; nothing is written
// that is so already, and no configuration is ever made. What pem is made from must have been read after
// configuration: then an old state never overwrites a newer one. configuration may be NULL. Errors: those of
// api_call.
[[nodiscard]] bool webhook_bundle_publish(struct api api, yyjson_doc *configuration, const struct buffer *pem,
                                          enum webhook_bundle *ret_bundle, struct error *e);
