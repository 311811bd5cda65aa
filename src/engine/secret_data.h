// The data of one output Secret: named byte strings, each in secret memory.
#pragma once

#include "base/secret.h"
#include "json/read.h"

enum { SECRET_DATA_MAX = 10 };

struct secret_data {
    struct secret_entry {
        const char *key; // static, or borrowed from whatever the data was read from
        struct secret *value;
    } entries[SECRET_DATA_MAX];
    size_t count;
};

// Adds an entry. Takes value, also on failure. Errors: INTERNAL (full, or key is there already).
[[nodiscard]] bool secret_data_add(struct secret_data *data, const char *key, struct secret *value,
                                   struct error *e);

// Adds a copy of text.
[[nodiscard]] bool secret_data_add_text(struct secret_data *data, const char *key, const char *text,
                                        struct error *e);

// Adds what a Secret's data has under name as value, in base64; what is absent is not added. What is no
// base64 is not either: *damage says so. Errors: NO_MEMORY, INTERNAL.
[[nodiscard]] bool secret_data_read(struct secret_data *data, const char *key, yyjson_val *value,
                                    const char *name, struct error *damage, struct error *e);

// Takes the entry of that key out and frees it; nothing happens where there is none.
void secret_data_remove(struct secret_data *data, const char *key);

// The value under key, borrowed until data is freed; NULL: absent.
const struct secret *secret_data_get(const struct secret_data *data, const char *key);

// As secret_data_get, for a value that must be there. Errors: CRYPTO, naming the key.
[[nodiscard]] bool secret_data_require(const struct secret_data *data, const char *key,
                                       const struct secret **ret_value, struct error *e);

// As secret_data_require, and the value must have exactly length bytes.
[[nodiscard]] bool secret_data_require_length(const struct secret_data *data, const char *key, size_t length,
                                              const struct secret **ret_value, struct error *e);

// Makes of an error that was met in reading the entry of that key one of damage: what is no key or
// certificate there is no fault of a spec. Always false.
bool secret_data_damaged(const char *key, struct error *e);

// Frees all entries; data is empty afterwards.
void secret_data_done(struct secret_data *data);
#define cleanup_secret_data [[gnu::cleanup(secret_data_done)]]
