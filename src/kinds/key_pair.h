// What QuantumKEMKeyPair and QuantumSignatureKeyPair share: a key pair in its raw and PEM forms.
#pragma once

#include "kinds/salvage.h"

struct key_pair_spec {
    const struct algorithm *algorithm;
};

// The output's entries.
extern const char *const key_pair_entries[];

// Reads spec.algorithm, one of family; fallback: its default.
void key_pair_decode(struct spec_reader *reader, enum algorithm_family family, const char *fallback,
                     struct key_pair_spec *spec);

// As struct kind's list_immutable.
size_t key_pair_list_immutable(const void *memory, struct immutable_field fields[KIND_IMMUTABLE_MAX]);

// As struct kind's produce, repair and inspect. What is produced has not been checked: inspect does, before
// anybody has it.
[[nodiscard]] bool key_pair_produce(const struct key_pair_spec *spec, struct secret_data *data,
                                    const char **ret_algorithm, struct error *e);
[[nodiscard]] bool key_pair_repair(const struct key_pair_spec *spec, key_pair_checker *check,
                                   const struct produce_context *context, struct secret_data *data,
                                   const char **ret_algorithm, struct error *e);
[[nodiscard]] bool key_pair_inspect(const struct key_pair_spec *spec, key_pair_checker *check,
                                    const struct secret_data *data, const struct provenance *provenance,
                                    struct report *report, struct error *e);
