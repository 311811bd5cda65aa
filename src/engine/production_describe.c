// What an output is made from and for, as its metadata has it.
#include "engine/production_internal.h"

#include <stdio.h>

enum { PARAMETERS_MAX_BYTES = 512 * 1024 };

static bool describe_inputs(const struct production *p, const struct provenance *known,
                            struct provenance *provenance, struct error *e) {
    provenance->input_count = p->decoded->request_count;
    for (size_t i = 0; i < provenance->input_count; i++) {
        struct provenance_input *input = &provenance->inputs[i];
        *input = (struct provenance_input){.field = p->decoded->requests[i].field};
        if (input_is_loaded(&p->inputs[i])) {
            if (!input_digest(&p->inputs[i], input->digest, e)) {
                return false;
            }
        } else if (known != nullptr) {
            snprintf(input->digest, sizeof(input->digest), "%s", provenance_find_input(known, input->field));
        }
    }
    return true;
}

bool production_describe(const struct production *p, const struct provenance *known,
                         struct provenance *provenance, struct error *e) {
    const struct kind *kind = p->decoded->kind;
    provenance->parameters[0] = '\0';
    if (!describe_inputs(p, known, provenance, e)) {
        return false;
    }
    if (kind->describe_parameters == nullptr) {
        return true;
    }
    cleanup_buffer struct buffer parameters = buffer_create(PARAMETERS_MAX_BYTES);
    return kind->describe_parameters(p->decoded->spec, &parameters, e) &&
           digest_format(buffer_text(&parameters), parameters.length, provenance->parameters, e);
}

void production_note_requests(struct provenance *provenance, const char *renew, const char *rotate) {
    snprintf(provenance->renew_request, sizeof(provenance->renew_request), "%.*s",
             PROVENANCE_SENTENCE_SIZE - 1, renew == nullptr ? "" : renew);
    snprintf(provenance->rotate_request, sizeof(provenance->rotate_request), "%.*s",
             PROVENANCE_SENTENCE_SIZE - 1, rotate == nullptr ? "" : rotate);
}
