// YAML, for the files that people write: a kubeconfig, a manifest. It becomes JSON at once, so that one set
// of readers serves both.
#pragma once

#include "base/buffer.h"
#include "json/read.h"

// Parses the first document of text (YAML 1.1, as libyaml reads it; plain scalars are typed by YAML 1.2's
// core schema, as kubectl does for JSON's types). Refused: aliases, keys that are no scalars, nesting over
// JSON_DEPTH_MAX, the same key twice. Tags are not looked at. *ret_document is owned, and null for an empty
// text. Errors: INVALID_SPEC (says the line), NO_MEMORY.
[[nodiscard]] bool yaml_parse(const char *text, size_t length, yyjson_doc **ret_document, struct error *e);

// The same of all documents of text: *ret_array is an array of them, owned; one that is empty is null.
[[nodiscard]] bool yaml_parse_stream(const char *text, size_t length, yyjson_doc **ret_array,
                                     struct error *e);

// Appends value as a YAML document, in block style, without "---": what yaml_parse reads as the same value.
// Errors: as buffer_append.
[[nodiscard]] bool yaml_write(yyjson_val *value, struct buffer *text, struct error *e);
