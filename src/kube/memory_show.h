// How an API of values shows its objects: what belongs to kube/memory_api.h alone.
#pragma once

#include "kube/api.h"

// A copy of object in document, as a request is answered with one: all of it, or a PartialObjectMetadata.
yyjson_mut_val *memory_show_copy(yyjson_mut_doc *document, yyjson_val *object, bool metadata_only);

// The answer to request with that object. *ret_document is owned. Errors: NO_MEMORY.
[[nodiscard]] bool memory_show(const struct api_request *request, yyjson_val *object,
                               yyjson_doc **ret_document, struct error *e);

// Whether the member of object that selector ("metadata.name=x"; NULL: any) names has its text.
bool memory_show_selects(const char *selector, yyjson_val *object);
