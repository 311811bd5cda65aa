// Names that people know from elsewhere for what a spec says in another way, or not at all. The CRDs have
// them too, and refuse them: what a CRD does not know the API server drops before anybody sees it, unless
// validation is strict.
#pragma once

#include "engine/spec.h"

struct foreign_field {
    const char *name;   // "dnsNames", or with its objects "privateKey.size"; NULL ends a table
    const char *type;   // for the CRD: "texts", "objects", "object", "text", "integer" or "boolean"
    const char *advice; // what to do instead, as a fault goes on: "write it as renewBefore: 30%"
};

// Notes a fault for each field of the table (NULL: none) that the spec has.
void foreign_fields_refuse(struct spec_reader *reader, const struct foreign_field *fields);

// Whether the table (NULL: none) has that name.
[[nodiscard]] bool foreign_fields_have(const struct foreign_field *fields, const char *name);
