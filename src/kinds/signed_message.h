// What QuantumSignMessage and QuantumVerifySignature share: the message and the context that is signed with
// it.
#pragma once

#include "crypto/signature.h"
#include "engine/kind.h"

struct signed_message_spec {
    struct reference message;
    const char *context; // NULL: empty
};

extern const struct input_source signed_message_sources[];

// Reads messageRef, messageKey and context.
void signed_message_decode(struct spec_reader *reader, struct signed_message_spec *spec);

// The input of a signature: the message's bytes, which stay borrowed, with the context.
struct signature_input signed_message_input(const struct signed_message_spec *spec,
                                            const struct input *message);
