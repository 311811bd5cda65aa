#include "engine/decode.h"

#include "base/memory.h"
#include "engine/spec_rotation.h"

#include <stdio.h>

enum { FAULTS_MAX = 900 }; // fits an error's message

static void name_secret(const struct kind *kind, const char *name, struct decoded *decoded) {
    const char *given = decoded->common.output_secret_name;
    snprintf(decoded->secret_name, sizeof(decoded->secret_name), "%s%s", given != nullptr ? given : name,
             given != nullptr ? "" : kind->secret_suffix);
}

bool decode_spec(const struct kind *kind, const char *name, yyjson_val *spec, spec_listener *listener,
                 void *context, struct decoded *decoded, struct error *e) {
    *decoded = (struct decoded){.kind = kind, .spec = memory_allocate_zeroed(1, kind->spec_size)};
    if (decoded->spec == nullptr) {
        return error_no_memory(e, "decoding a spec");
    }
    struct spec_reader reader = {
        .faults = buffer_create(FAULTS_MAX),
        .listener = listener,
        .context = context,
    };
    spec_begin(&reader, spec);
    if (kind->entries != nullptr) {
        kind_read_common(kind, &reader, &decoded->common);
        name_secret(kind, name, decoded);
    }
    kind_read_spec(kind, &reader, decoded->spec);
    if (decoded->common.rotation.is_given) {
        spec_rotation_check(&reader, kind, decoded->spec, &decoded->common.rotation);
    }
    if (kind->serves_dependents && kind_can_rotate(kind, decoded->spec)) {
        spec_rotation_complete(&reader, &decoded->common.rotation);
    }
    if (kind->retains != nullptr && !decoded->common.policy_is_given) {
        decoded->common.retain = kind->retains(decoded->spec);
    }
    if (kind->list_inputs != nullptr) {
        spec_read_fields(&reader, spec_service_account_fields, &decoded->service_account);
        decoded->request_count = kind->list_inputs(decoded->spec, decoded->requests);
    }
    return spec_finish(&reader, e);
}

bool decode_object(const struct kind *kind, const char *name, yyjson_val *root, struct decoded *decoded,
                   struct error *e) {
    return decode_spec(kind, name, yyjson_obj_get(root, "spec"), nullptr, nullptr, decoded, e);
}

bool decoded_differ(const struct decoded *before, const struct decoded *now, const struct spec_field *table,
                    const struct spec_field *field) {
    if (table != spec_common_fields) {
        return spec_field_differs(field, before->spec, now->spec);
    }
    struct common_spec one = before->common;
    struct common_spec other = now->common;
    one.output_secret_name = before->secret_name;
    other.output_secret_name = now->secret_name;
    return spec_field_differs(field, &one, &other);
}

void decoded_compare(const struct decoded *before, const struct decoded *now,
                     void (*refuse)(void *context, const struct spec_field *field), void *context) {
    const struct spec_field *const tables[] = {now->kind->fields, spec_common_fields};
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        for (const struct spec_field *field = tables[i]; field->name != nullptr; field++) {
            if (decoded_differ(before, now, tables[i], field)) {
                refuse(context, field);
            }
        }
    }
}

void decoded_done(struct decoded *decoded) {
    if (decoded->spec != nullptr && decoded->kind->free_spec != nullptr) {
        decoded->kind->free_spec(decoded->spec);
    }
    memory_free(decoded->spec);
    *decoded = (struct decoded){0};
}
