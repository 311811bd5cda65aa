#include "kinds/kind.h"

#include "base/memory.h"

static bool trust(bool done, const struct kind *kind, struct error *e) {
    return memory_take_failure() ? error_no_memory(e, kind->kind) : done;
}

bool kind_normalize(const struct kind *kind, const void *spec, const struct input *inputs, size_t index,
                    struct secret **ret_bytes, struct error *e) {
    struct secret *bytes = nullptr;
    if (kind->normalize == nullptr) {
        return true;
    }
    (void)memory_take_failure();
    if (!trust(kind->normalize(spec, inputs, index, &bytes, e), kind, e)) {
        secret_free(bytes);
        return false;
    }
    if (bytes != nullptr) {
        *ret_bytes = bytes;
    }
    return true;
}

bool kind_produce(const struct kind *kind, const void *spec, const struct input *inputs,
                  struct secret_data *data, const char **ret_algorithm, struct error *e) {
    (void)memory_take_failure();
    return trust(kind->produce(spec, inputs, data, ret_algorithm, e), kind, e);
}

bool kind_inspect(const struct kind *kind, const void *spec, const struct secret_data *data,
                  const struct metadata *metadata, struct report *report, struct error *e) {
    (void)memory_take_failure();
    return trust(kind->inspect(spec, data, metadata, report, e), kind, e);
}
