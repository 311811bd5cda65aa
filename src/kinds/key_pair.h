// What QuantumKEMKeyPair and QuantumSignatureKeyPair share: a key pair in its raw and PEM forms.
#pragma once

#include "kinds/salvage.h"

#include <stddef.h>

struct key_pair_spec {
    const struct algorithm *algorithm;
};

// The only field of its own that such a kind's spec has.
#define KEY_PAIR_ALGORITHM(which, usual)                                                                     \
    {.name = "algorithm",                                                                                    \
     .type = SPEC_ALGORITHM,                                                                                 \
     .offset = offsetof(struct key_pair_spec, algorithm),                                                    \
     .is_immutable = true,                                                                                   \
     .family = (which),                                                                                      \
     .text_fallback = (usual),                                                                               \
     .description = ""}

// The output's entries.
extern const char *const key_pair_entries[];
extern const char *const key_pair_public_entries[];

// As struct kind's lists.
extern const struct list_entry key_pair_lists[];

// As struct kind's version_bytes.
size_t key_pair_version_bytes(const void *memory);

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
