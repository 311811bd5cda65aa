#include "engine/kind.h"

#include "base/memory.h"
#include "engine/spec_internal.h"

#include <string.h>

const struct record record_of_nothing = {.fingerprint = "",
                                         .digest = "",
                                         .public_key_digest = "",
                                         .ciphertext = "",
                                         .public_key_pem = "",
                                         .renew_request = "",
                                         .rotate_request = ""};

const char *kind_entry(const struct kind *kind, const void *spec, size_t index) {
    if (kind->name_entry != nullptr) {
        return index == 0 ? kind->name_entry(spec) : nullptr;
    }
    return kind->entries[index];
}

const char *kind_metadata_entry(const struct kind *kind) {
    return kind->provenance_entry != nullptr ? kind->provenance_entry : "metadata";
}

const struct bundle_spec *kind_bundle(const struct kind *kind, const void *spec) {
    const struct bundle_spec *bundle = kind->find_bundle == nullptr ? nullptr : kind->find_bundle(spec);
    return bundle == nullptr || bundle->config_map_name == nullptr ? nullptr : bundle;
}

const struct list_entry *kind_find_list(const struct kind *kind, const char *name) {
    const struct list_entry *list = kind->lists;
    while (list != nullptr && list->name != nullptr && strcmp(list->name, name) != 0) {
        list++;
    }
    return list == nullptr || list->name == nullptr ? nullptr : list;
}

bool kind_can_rotate(const struct kind *kind, const void *spec) {
    return kind->is_rotatable && (kind->can_rotate == nullptr || kind->can_rotate(spec));
}

bool kind_has_versions(const struct kind *kind) {
    return kind->is_rotatable || kind->follows;
}

static bool has_reference(const struct kind *kind) {
    const struct spec_field *field = kind->fields;
    while (field->name != nullptr && field->type != SPEC_REFERENCE) {
        field++;
    }
    return field->name != nullptr;
}

void kind_list_fields(const struct kind *kind, const struct spec_field *ret_tables[KIND_TABLES_MAX + 1]) {
    size_t count = 0;
    ret_tables[count++] = kind->fields;
    if (has_reference(kind)) {
        ret_tables[count++] = spec_service_account_fields;
    }
    if (kind->entries != nullptr) {
        ret_tables[count++] = spec_common_fields;
    }
    if (kind->repair != nullptr) {
        ret_tables[count++] = spec_key_loss_fields;
    }
    if (kind->is_rotatable) {
        ret_tables[count++] = spec_rotation_fields;
    }
    ret_tables[count] = nullptr;
}

void kind_read_spec(const struct kind *kind, struct spec_reader *reader, void *memory) {
    spec_read_fields(reader, kind->fields, memory);
    foreign_fields_refuse(reader, kind->foreign_fields);
    if (kind->check != nullptr) {
        kind->check(reader, memory);
    }
}

void kind_read_common(const struct kind *kind, struct spec_reader *reader, struct common_spec *common) {
    spec_read_fields(reader, spec_common_fields, common);
    common->policy_is_given = spec_value(reader, "deletionPolicy") != nullptr;
    if (kind->repair != nullptr) {
        spec_read_fields(reader, spec_key_loss_fields, common);
    }
    if (kind->is_rotatable) {
        spec_read_fields(reader, spec_rotation_fields, common);
        common->rotation.is_given = yyjson_is_obj(spec_value(reader, "rotation"));
    }
}

static bool trust(bool done, const struct kind *kind, struct error *e) {
    return memory_take_failure() ? error_no_memory(e, kind->kind) : done;
}

bool kind_normalize(const struct kind *kind, const void *spec, const struct input *inputs, size_t index,
                    struct secret **ret_bytes, struct error *e) {
    struct secret *bytes = nullptr;
    if (kind->normalize == nullptr) {
        return true;
    }
    (void)memory_take_failure();
    if (!trust(kind->normalize(spec, inputs, index, &bytes, e), kind, e)) {
        secret_free(bytes);
        return false;
    }
    if (bytes != nullptr) {
        *ret_bytes = bytes;
    }
    return true;
}

bool kind_produce(const struct kind *kind, const void *spec, const struct input *inputs,
                  const struct produce_context *context, struct secret_data *data, const char **ret_algorithm,
                  struct error *e) {
    (void)memory_take_failure();
    return trust(kind->produce(spec, inputs, context, data, ret_algorithm, e), kind, e);
}

bool kind_repair(const struct kind *kind, const void *spec, const struct input *inputs,
                 const struct produce_context *context, struct secret_data *data, const char **ret_algorithm,
                 struct error *e) {
    (void)memory_take_failure();
    return trust(kind->repair(spec, inputs, context, data, ret_algorithm, e), kind, e);
}

bool kind_inspect(const struct kind *kind, const void *spec, const struct secret_data *data,
                  const struct provenance *provenance, const struct produce_context *context,
                  struct report *report, struct error *e) {
    (void)memory_take_failure();
    return trust(kind->inspect(spec, data, provenance, context, report, e), kind, e);
}

bool kind_evaluate(const struct kind *kind, const void *spec, const struct input *inputs,
                   const struct produce_context *context, struct report *report, const char **ret_algorithm,
                   struct error *e) {
    (void)memory_take_failure();
    return trust(kind->evaluate(spec, inputs, context, report, ret_algorithm, e), kind, e);
}
