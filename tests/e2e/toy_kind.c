// A kind that is none of the project's, in one file, and a program that serves it: the generic controller
// needs no change for it. QuantumToy reverses the bytes of an entry of a Secret; what it makes with the note
// "unsound" does not pass its own check, and with the note "leaks" it loses memory.
#include "base/memory.h"
#include "base/secret.h"
#include "engine/kind.h"
#include "operator/manager.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct spec {
    struct reference source;
    const char *note;
};

static const struct input_source sources[] = {
    {.kind = "Secret", .by_default = true},
    {.kind = nullptr},
};

static const struct spec_field fields[] = {
    {.name = "sourceRef",
     .type = SPEC_REFERENCE,
     .offset = offsetof(struct spec, source),
     .is_required = true,
     .sources = sources},
    {.name = "note", .type = SPEC_TEXT, .offset = offsetof(struct spec, note), .max = 64},
    {.name = nullptr},
};

static size_t list_inputs(const void *memory, struct input_request requests[KIND_INPUTS_MAX]) {
    const struct spec *spec = memory;
    requests[0] = (struct input_request){"sourceRef", spec->source, sources};
    return 1;
}

static bool is_noted(const void *memory, const char *note) {
    const struct spec *spec = memory;
    return spec->note != nullptr && strcmp(spec->note, note) == 0;
}

static bool produce(const void *memory, const struct input *inputs, const struct produce_context *,
                    struct secret_data *data, const char **ret_algorithm, struct error *e) {
    struct secret *reversed;
    if (!secret_copy(secret_view(inputs[0].bytes), secret_length(inputs[0].bytes), &reversed, e)) {
        return false;
    }
    if (is_noted(memory, "leaks")) {
        char *volatile lost = memory_copy_text("nobody frees this");
        lost = nullptr;
        (void)lost;
    }
    unsigned char *bytes = secret_bytes(reversed);
    for (size_t i = 0, j = secret_length(reversed); i + 1 < j; i++, j--) {
        unsigned char byte = bytes[i];
        bytes[i] = bytes[j - 1];
        bytes[j - 1] = byte;
    }
    *ret_algorithm = "reversal";
    return secret_data_add(data, "reversed", reversed, e);
}

static bool inspect(const void *memory, const struct secret_data *data, const struct provenance *,
                    const struct produce_context *, struct report *report, struct error *e) {
    const struct spec *spec = memory;
    const struct secret *reversed;
    if (is_noted(memory, "unsound")) {
        return error_set(e, ERROR_CRYPTO, "it is unsound");
    }
    if (!secret_data_require(data, "reversed", &reversed, e) || !report_fingerprint(report, reversed, e)) {
        return false;
    }
    report_text(report, "usedNote", spec->note == nullptr ? "none" : spec->note);
    return true;
}

static const struct kind toy = {
    .group = QUBESEC_GROUP,
    .version = QUBESEC_API_VERSION,
    .kind = "QuantumToy",
    .plural = "quantumtoys",
    .short_name = "qtoy",
    .standard = "none",
    .entries = (const char *const[]){"reversed", nullptr},
    .secret_suffix = "-toy",
    .spec_size = sizeof(struct spec),
    .fields = fields,
    .list_inputs = list_inputs,
    .produce = produce,
    .inspect = inspect,
};

int main(int, char **arguments) {
    const struct kind *const kinds[] = {&toy, nullptr};
    struct settings settings;
    struct error e;
    if (!settings_read(arguments + 1, &settings, &e) || !manager_run(&settings, kinds, &e)) {
        fprintf(stderr, "toy_kind: %s\n", e.message);
        return 1;
    }
    return 0;
}
