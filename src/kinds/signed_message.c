#include "kinds/signed_message.h"

#include <string.h>

static const char *const usual_keys[] = {"message", "content", nullptr};

const struct input_source signed_message_sources[] = {
    {.kind = "Secret", .by_default = true, .usual_keys = usual_keys},
    {.kind = "ConfigMap", .usual_keys = usual_keys},
    {.kind = nullptr},
};

struct signature_input signed_message_input(const struct signed_message_spec *spec,
                                            const struct input *message) {
    return (struct signature_input){
        .message = secret_view(message->bytes),
        .message_length = secret_length(message->bytes),
        .context = spec->context,
        .context_length = spec->context == nullptr ? 0 : strlen(spec->context),
    };
}
