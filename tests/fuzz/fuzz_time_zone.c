// time_zone_parse: what it takes has an offset at all times, which stays until the change that is announced;
// and a schedule can be followed in it.
#include "fuzz.h"

#include "base/cron.h"
#include "base/time_zone.h"

enum { OFFSET_MAX = 26 * 3600, CHANGES_MAX = 300 };

static void check_changes(const struct time_zone *zone, int64_t utc) {
    static const int64_t end = INT64_C(1) << 53;
    for (int i = 0; i < CHANGES_MAX && utc < end; i++) {
        int32_t offset = time_zone_offset(zone, utc);
        int64_t change = time_zone_next_change(zone, utc);
        CHECK(offset >= -OFFSET_MAX && offset <= OFFSET_MAX);
        CHECK(change > utc);
        change = change < end ? change : end;
        CHECK(time_zone_offset(zone, change - 1) == offset);
        CHECK(time_zone_offset(zone, utc + (change - utc) / 2) == offset);
        utc = change;
    }
}

static void check_starts(const struct time_zone *zone, const char *schedule, int64_t after) {
    struct error e;
    struct cron cron;
    MUST(cron_parse(schedule, &cron, &e), e);
    for (int i = 0; i < 3; i++) {
        int64_t next = cron_next(&cron, zone, after);
        CHECK(next > after && next <= after + CRON_AHEAD_SECONDS);
        CHECK(cron_next(&cron, zone, next - 1) == next);
        after = next;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error e = {0};
    struct time_zone *zone = nullptr;
    if (!time_zone_parse(data, size, &zone, &e)) {
        CHECK(zone == nullptr);
        check_refusal(&e, ERROR_INVALID_SPEC);
        return 0;
    }
    check_changes(zone, -(INT64_C(1) << 53));
    check_changes(zone, 0);
    check_starts(zone, "30 2 * * *", 1774656000); // 2026-03-28
    check_starts(zone, "*/7 * * * *", 2540600000);
    time_zone_free(zone);
    return 0;
}
