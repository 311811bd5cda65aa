// Good outputs of every kind that has one, made anew in each process from each other.
#pragma once

#include "answers.h"

#include "crypto/encoding.h"
#include "engine/production.h"
#include "kinds/table.h"

enum { OUTPUT_NOW = 1767323045 }; // 2026-01-02T03:04:05Z

struct made {
    const struct kind *kind;
    yyjson_doc *spec;
    struct decoded decoded;
    struct production p; // that made it; its inputs are borrowed from the outputs before it
    yyjson_doc *stored;  // as the `data` of a Secret
};

// What an output is made from: the entry of another one; kind NULL: a message.
struct made_from {
    const struct kind *kind;
    const char *entries[3];
};

static const struct recipe {
    const struct kind *kind;
    const char *spec;
    struct made_from inputs[2];
} recipes[] = {
    {&kind_random_number, "{\"numBytes\":32}", {{nullptr}}},
    {&kind_kem_key_pair, "{\"algorithm\":\"ML-KEM-512\"}", {{nullptr}}},
    {&kind_encapsulate_secret,
     "{\"publicKeyRef\":{\"name\":\"pair\"}}",
     {{&kind_kem_key_pair, {"public_key"}}}},
    {&kind_decapsulate_secret,
     "{\"privateKeyRef\":{\"name\":\"pair\"},\"ciphertextRef\":{\"name\":\"sealed\"}}",
     {{&kind_kem_key_pair, {"private_key"}}, {&kind_encapsulate_secret, {"ciphertext"}}}},
    {&kind_derived_key,
     "{\"sharedSecretRef\":{\"name\":\"sealed\"}}",
     {{&kind_encapsulate_secret, {"shared_secret"}}}},
    {&kind_signature_key_pair, "{\"algorithm\":\"ML-DSA-44\"}", {{nullptr}}},
    {&kind_sign_message,
     "{\"privateKeyRef\":{\"name\":\"signer\"},\"messageRef\":{\"name\":\"message\"}}",
     {{&kind_signature_key_pair, {"private_key"}}, {nullptr, {"message"}}}},
    {&kind_certificate, "{\"commonName\":\"example.com\",\"algorithm\":\"ML-DSA-44\"}", {{nullptr}}},
};
enum { MADE_COUNT = sizeof(recipes) / sizeof(recipes[0]) };

static const struct made *find_made(const struct made *all, const struct kind *kind) {
    while (all->kind != kind) {
        all++;
    }
    return all;
}

static yyjson_doc *stored_form(const struct secret_data *data) {
    struct error e;
    yyjson_doc *stored = nullptr;
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    MUST(json_create(&document, &e), e);
    for (size_t i = 0; i < data->count; i++) {
        const struct secret_entry *entry = &data->entries[i];
        cleanup_buffer struct buffer text = buffer_create(DOCUMENT_TEXT_MAX);
        MUST(base64_encode(secret_view(entry->value), secret_length(entry->value), &text, &e), e);
        (void)yyjson_mut_obj_add_strncpy(document, yyjson_mut_doc_get_root(document), entry->key,
                                         buffer_text(&text), text.length);
    }
    MUST(json_freeze(document, &stored, &e), e);
    return stored;
}

static void make_output(struct made *all, size_t index) {
    struct error e;
    struct made *made = &all[index];
    const struct recipe *recipe = &recipes[index];
    made->kind = recipe->kind;
    made->spec = json_of(recipe->spec, strlen(recipe->spec));
    MUST(decode_spec(made->kind, "it", yyjson_doc_get_root(made->spec), nullptr, nullptr, &made->decoded, &e),
         e);
    made->p =
        (struct production){.decoded = &made->decoded,
                            .context = {.now = OUTPUT_NOW, .secret_name = "it", .record = record_of_nothing}};
    for (size_t i = 0; i < made->decoded.request_count; i++) {
        const struct made_from *from = &recipe->inputs[i];
        static struct secret *message;
        if (message == nullptr) {
            MUST(secret_copy("message", 7, &message, &e), e);
        }
        const struct made *source = from->kind == nullptr ? nullptr : find_made(all, from->kind);
        made->p.inputs[i] = (struct input){
            .field = made->decoded.requests[i].field,
            .algorithm = source == nullptr ? nullptr : source->p.provenance.algorithm,
            .bytes = source == nullptr ? message : secret_data_get(&source->p.data, from->entries[0]),
        };
    }
    MUST(production_make(&made->p, &e), e);
    made->stored = stored_form(&made->p.data);
}

// All of them, which stay until the process ends.
static const struct made *make_outputs(void) {
    static struct made all[MADE_COUNT];
    for (size_t i = 0; i < MADE_COUNT && all[i].kind == nullptr; i++) {
        make_output(all, i);
    }
    return all;
}
