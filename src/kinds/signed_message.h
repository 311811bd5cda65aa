// What QuantumSignMessage and QuantumVerifySignature share: the message and the context that is signed with
// it.
#pragma once

#include "crypto/signature.h"
#include "engine/kind.h"

#include <stddef.h>

struct signed_message_spec {
    struct reference message;
    const char *context; // NULL: empty
};

extern const struct input_source signed_message_sources[];

// The fields messageRef, which meaning says more of, messageKey and context, of a struct spec with such a
// member.
#define SIGNED_MESSAGE_FIELDS(member, meaning)                                                               \
    {.name = "messageRef",                                                                                   \
     .type = SPEC_REFERENCE,                                                                                 \
     .offset = offsetof(struct spec, member.message),                                                        \
     .is_required = true,                                                                                    \
     .sources = signed_message_sources,                                                                      \
     .description = (meaning)},                                                                              \
        {.name = "messageKey",                                                                               \
         .type = SPEC_REFERENCE_KEY,                                                                         \
         .offset = offsetof(struct spec, member.message),                                                    \
         .key_of = "messageRef",                                                                             \
         .description = ""},                                                                                 \
        {.name = "context",                                                                                  \
         .type = SPEC_TEXT,                                                                                  \
         .offset = offsetof(struct spec, member.context),                                                    \
         .max = SIGNATURE_CONTEXT_MAX,                                                                       \
         .description = "The context that is signed with the message (FIPS 204 section 5.2, FIPS 205 "       \
                        "section 10.2): at most 255 bytes of UTF-8, which both sides must give alike. "      \
                        "Default: empty."}

// The input of a signature: the message's bytes, which stay borrowed, with the context.
struct signature_input signed_message_input(const struct signed_message_spec *spec,
                                            const struct input *message);
