// pem_form_normalize: what it makes it leaves as it is, and of a text nothing is lost but white space.
#include "fuzz.h"

#include "base/pem_form.h"

static void check_nothing_is_lost(const uint8_t *data, size_t size, const struct buffer *made) {
    static const char white[] = " \t\r\n";
    const char *at = buffer_text(made);
    const char *end = at + made->length;
    for (size_t i = 0; i < size; i++) {
        if (memchr(white, data[i], sizeof(white) - 1) != nullptr) {
            continue;
        }
        while (at < end && memchr(white, *at, sizeof(white) - 1) != nullptr) {
            at++;
        }
        CHECK(at < end && (uint8_t)*at == data[i]);
        at++;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error e;
    cleanup_buffer struct buffer once = {0};
    cleanup_buffer struct buffer twice = {0};
    MUST(pem_form_normalize(data, size, &once, &e), e);
    check_nothing_is_lost(data, size, &once);
    MUST(pem_form_normalize(once.data, once.length, &twice, &e), e);
    CHECK(once.length == twice.length);
    CHECK(once.length == 0 || memcmp(once.data, twice.data, once.length) == 0);
    return 0;
}
