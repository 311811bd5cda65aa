// clock_parse, which reads the times in leases and objects: what it takes is RFC 3339, and is written alike.
#include "fuzz.h"

#include "base/clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_text char *text = text_of(data, size);
    int64_t seconds = INT64_MIN;
    int64_t again;
    char canonical[CLOCK_TEXT_SIZE];
    if (!clock_parse(text, &seconds)) {
        CHECK(seconds == INT64_MIN);
        return 0;
    }
    clock_format(seconds, canonical);
    size_t date = strlen(canonical) - 1; // all but the Z
    CHECK(strncmp(text, canonical, date) == 0 && (text[date] == 'Z' || text[date] == '.'));
    CHECK(clock_parse(canonical, &again) && again == seconds);
    return 0;
}
