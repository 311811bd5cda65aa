// What a seedURI answers with: it is a seed in hexadecimal, or nothing is made of it; the same seed makes the
// same bytes as when the spec has it.
#include "answers.h"

#include "crypto/ctr_drbg.h"
#include "engine/production.h"
#include "kinds/table.h"

static const char url_spec[] = "{\"numBytes\":40,\"seedURI\":\"https://seeds.example/one\"}";

// The digits without white space, owned; NULL: there is something else.
static char *digits_of(const uint8_t *data, size_t size) {
    char *digits = memory_allocate(size + 1);
    size_t length = 0;
    CHECK(digits != nullptr);
    for (size_t i = 0; i < size; i++) {
        if (data[i] != '\0' && strchr(" \t\r\n", data[i]) != nullptr) {
            continue;
        }
        if (data[i] == '\0' || strchr("0123456789abcdefABCDEF", data[i]) == nullptr) {
            memory_free(digits);
            return nullptr;
        }
        digits[length++] = (char)data[i];
    }
    digits[length] = '\0';
    return digits;
}

static void make(const char *spec, size_t length, const struct secret *answer, struct production *p,
                 bool *ret_made, struct error *e) {
    cleanup_json yyjson_doc *document = json_of(spec, length);
    cleanup_decoded struct decoded decoded = {0};
    MUST(decode_spec(&kind_random_number, "it", yyjson_doc_get_root(document), nullptr, nullptr, &decoded, e),
         *e);
    *p =
        (struct production){.decoded = &decoded,
                            .context = {.now = 1767323045, .secret_name = "it", .record = record_of_nothing}};
    p->inputs[0] = (struct input){.field = "seedURI", .bytes = answer};
    *e = (struct error){0};
    *ret_made = production_make(p, e);
    p->decoded = nullptr;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error e = {0};
    struct production p;
    struct production expected;
    bool made;
    cleanup_secret struct secret *answer = nullptr;
    cleanup_text char *digits = digits_of(data, size);
    start_crypto();
    MUST(secret_copy(data, size, &answer, &e), e);
    make(url_spec, sizeof(url_spec) - 1, answer, &p, &made, &e);
    size_t length = digits == nullptr ? 0 : strlen(digits) / 2;
    bool is_seed = digits != nullptr && strlen(digits) % 2 == 0 && length >= CTR_DRBG_ENTROPY_SIZE &&
                   length <= 2 * CTR_DRBG_ENTROPY_SIZE;
    CHECK(made == is_seed);
    if (made) {
        bool made_again;
        cleanup_buffer struct buffer text = buffer_create(4096);
        MUST(buffer_append_format(&text, &e, "{\"numBytes\":40,\"seed\":\"%s\"}", digits), e);
        make(buffer_text(&text), text.length, nullptr, &expected, &made_again, &e);
        const struct secret *one = secret_data_get(&p.data, "random");
        const struct secret *other = secret_data_get(&expected.data, "random");
        CHECK(made_again && secret_length(one) == 40);
        CHECK(secret_equals(one, secret_view(other), secret_length(other)));
        production_done(&expected);
    } else {
        CHECK(p.data.count == 0);
        check_refusal(&e, ERROR_INVALID_SPEC);
        CHECK(strncmp(e.message, "spec.seedURI: ", 14) == 0);
    }
    production_done(&p);
    return 0;
}
