// cron_parse: of what it takes each set is within its field, and starts follow each other.
#include "fuzz.h"

#include "base/window.h"

static const int64_t some_time = 1774656000; // 2026-03-28

static void check_set(uint64_t set, int low, int high) {
    CHECK(set != 0 && set >> high >> 1 == 0 && (set & ((UINT64_C(1) << low) - 1)) == 0);
}

static void check_starts(const struct cron *cron, struct time_zone *zone) {
    const struct window window = {*cron, zone, 600};
    int64_t start = -1;
    int64_t next = cron_next(cron, zone, some_time);
    if (next == 0) { // a date that does not come, such as the 31st of February
        CHECK(window_find(&window, some_time, &start) == 0 && start == -1);
        return;
    }
    CHECK(next > some_time && next <= some_time + CRON_AHEAD_SECONDS && next % 60 == 0);
    CHECK((cron->minutes >> next / 60 % 60 & 1) != 0 && (cron->hours >> next / 3600 % 24 & 1) != 0);
    CHECK(cron_next(cron, zone, next - 1) == next);
    int64_t found = window_find(&window, next + 599, &start);
    CHECK(found == next + 599 && start <= found && start >= next);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_text char *text = text_of(data, size);
    cleanup_time_zone struct time_zone *zone = nullptr;
    struct error e = {0};
    struct cron cron = {.minutes = 99};
    if (!cron_parse(text, &cron, &e)) {
        CHECK(cron.minutes == 99 && cron.hours == 0);
        check_refusal(&e, ERROR_INVALID_SPEC);
        return 0;
    }
    check_set(cron.minutes, 0, 59);
    check_set(cron.hours, 0, 23);
    check_set(cron.days, 1, 31);
    check_set(cron.months, 1, 12);
    check_set(cron.weekdays, 0, 6);
    MUST(time_zone_load("UTC", &zone, &e), e);
    check_starts(&cron, zone);
    return 0;
}
