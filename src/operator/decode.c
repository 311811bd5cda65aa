#include "operator/decode.h"

#include "base/memory.h"

#include <stdio.h>

enum { FAULTS_MAX = 900 }; // fits an error's message

static void name_secret(const struct kind *kind, const struct kube_object *object, struct decoded *decoded) {
    const char *given = decoded->common.output_secret_name;
    snprintf(decoded->secret_name, sizeof(decoded->secret_name), "%s%s",
             given != nullptr ? given : object->name, given != nullptr ? "" : kind->secret_suffix);
}

bool decode_object(const struct kind *kind, const struct kube_object *object, struct decoded *decoded,
                   struct error *e) {
    *decoded = (struct decoded){.kind = kind, .spec = memory_allocate_zeroed(1, kind->spec_size)};
    if (decoded->spec == nullptr) {
        return error_no_memory(e, "decoding a spec");
    }
    struct spec_reader reader = {
        .spec = yyjson_obj_get(object->root, "spec"),
        .faults = buffer_create(FAULTS_MAX),
    };
    if (kind->entries != nullptr) {
        decoded->common = spec_common(&reader);
        name_secret(kind, object, decoded);
    }
    kind->decode(&reader, decoded->spec);
    if (kind->list_inputs != nullptr) {
        decoded->service_account = spec_service_account(&reader);
        decoded->request_count = kind->list_inputs(decoded->spec, decoded->requests);
    }
    return spec_finish(&reader, e);
}

void decoded_free(struct decoded *decoded) {
    if (decoded->spec != nullptr && decoded->kind->free_spec != nullptr) {
        decoded->kind->free_spec(decoded->spec);
    }
    memory_free(decoded->spec);
    *decoded = (struct decoded){0};
}
