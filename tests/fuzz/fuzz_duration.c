// duration_parse: what it reads can be written in one canonical way that it reads as the same.
#include "fuzz.h"

#include "base/duration.h"

#include <inttypes.h>

// Hours, minutes and seconds, none of them empty unless all are.
static void format(int64_t seconds, char ret_text[64]) {
    (void)snprintf(ret_text, 64, "%" PRId64 "h%" PRId64 "m%" PRId64 "s", seconds / 3600, seconds / 60 % 60,
                   seconds % 60);
}

// Numbers, each with its unit, the units in their order and each once.
static bool is_well_formed(const char *text) {
    const char *units = "hms";
    while (*text != '\0') {
        size_t digits = strspn(text, "0123456789");
        const char *unit = text[digits] == '\0' ? nullptr : strchr(units, text[digits]);
        if (digits == 0 || unit == nullptr) {
            return false;
        }
        units = unit + 1;
        text += digits + 1;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_text char *text = text_of(data, size);
    int64_t seconds = -1;
    int64_t again = -1;
    char canonical[64];
    if (!duration_parse(text, &seconds)) {
        CHECK(seconds == -1);
        return 0;
    }
    CHECK(text[0] != '\0' && is_well_formed(text));
    CHECK(seconds >= 0 && seconds < INT64_C(1) << 53);
    format(seconds, canonical);
    CHECK(duration_parse(canonical, &again) && again == seconds);
    return 0;
}
