#include "operator/decode.h"

#include "base/memory.h"

#include <stdio.h>

enum { FAULTS_MAX = 900 }; // fits an error's message

bool decode_object(const struct kind *kind, const struct kube_object *object, struct decoded *decoded,
                   struct error *e) {
    *decoded = (struct decoded){.spec = memory_allocate_zeroed(1, kind->spec_size)};
    if (decoded->spec == nullptr) {
        return error_no_memory(e, "decoding a spec");
    }
    struct spec_reader reader = {
        .spec = yyjson_obj_get(object->root, "spec"),
        .faults = buffer_create(FAULTS_MAX),
    };
    decoded->common = spec_common(&reader);
    kind->decode(&reader, decoded->spec);
    const char *given = decoded->common.output_secret_name;
    snprintf(decoded->secret_name, sizeof(decoded->secret_name), "%s%s",
             given != nullptr ? given : object->name, given != nullptr ? "" : kind->secret_suffix);
    if (kind->list_inputs != nullptr) {
        decoded->request_count = kind->list_inputs(decoded->spec, decoded->requests);
    }
    return spec_finish(&reader, e);
}

void decoded_free(struct decoded *decoded) {
    memory_free(decoded->spec);
    *decoded = (struct decoded){0};
}
