// yyjson on base/memory: what a document held is cleansed when it is freed.
#pragma once

#include <yyjson.h>

extern const yyjson_alc json_allocator;

// The same, and remembers in *failed (borrowed by the result) that memory was out.
yyjson_alc json_watched_allocator(bool *failed);
