// An object's spec, decoded by its kind.
#pragma once

#include "engine/kind.h"

// What is said of an edit of an immutable field, behind its name.
#define DECODED_IMMUTABLE                                                                                    \
    "is immutable; keep it as it was, or create a resource of another name; to delete this one is to lose "  \
    "what it has made"

struct decoded {
    const struct kind *kind;
    struct common_spec common;
    void *spec;                  // owned; what kind_read_spec filled
    char secret_name[512];       // "": the kind has no output Secret
    const char *service_account; // whose rights decide about references into other namespaces
    struct input_request requests[KIND_INPUTS_MAX];
    size_t request_count;
};

// Decodes the spec in root, an object of that name, which decoded then borrows from, as far as it can be
// decoded: *e lists the faults and the result is false when there are any, but decoded is usable (and to be
// freed) all the same, unless memory is out.
[[nodiscard]] bool decode_object(const struct kind *kind, const char *name, yyjson_val *root,
                                 struct decoded *decoded, struct error *e);

// The same of a spec (NULL: there is none) of an object of that name, which may not be stored yet; listener
// (NULL: none) hears of each fault and warning.
[[nodiscard]] bool decode_spec(const struct kind *kind, const char *name, yyjson_val *spec,
                               spec_listener *listener, void *context, struct decoded *decoded,
                               struct error *e);

// Whether an immutable field of table, one of those of the kind of both, differs between two decoded specs. A
// Secret's default name is no other when it is written out.
[[nodiscard]] bool decoded_differ(const struct decoded *before, const struct decoded *now,
                                  const struct spec_field *table, const struct spec_field *field);

// Calls refuse with each immutable field that differs between two decoded specs of one kind, which are both
// without faults.
void decoded_compare(const struct decoded *before, const struct decoded *now,
                     void (*refuse)(void *context, const struct spec_field *field), void *context);

void decoded_done(struct decoded *decoded);
#define cleanup_decoded [[gnu::cleanup(decoded_done)]]
