// Specs with one fault each, and edits that are refused, as they follow from a kind's table of fields.
#pragma once

#include "engine/kind.h"
#include "json/write.h"

struct bad_spec {
    const struct kind *kind;
    const char *field;      // that a fault must name: "messageRef.key"
    const char *what;       // is wrong, in a word or two
    const char *refused_by; // "both", or "validator": the CRD's schema cannot say it
    yyjson_mut_doc *spec;
};

typedef void bad_spec_listener(void *context, const struct bad_spec *bad);

// Tells listener of each bad spec in turn; what it gets is borrowed during the call. Nothing is told of a
// spec for which there is no memory.
void bad_specs_list(const struct kind *kind, bad_spec_listener *listener, void *context);

struct bad_edit {
    const struct spec_field *field;
    yyjson_mut_doc *before; // both are good
    yyjson_mut_doc *after;
};

typedef void bad_edit_listener(void *context, const struct bad_edit *edit);

// The same of edits of immutable fields, but for those that have only one value.
void bad_edits_list(const struct kind *kind, bad_edit_listener *listener, void *context);

// The good spec that they differ from, with little more than the kind needs; *ret_spec is owned. Errors:
// NO_MEMORY.
[[nodiscard]] bool bad_specs_good_one(const struct kind *kind, yyjson_mut_doc **ret_spec, struct error *e);
