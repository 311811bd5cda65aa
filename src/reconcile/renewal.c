#include "reconcile/renewal.h"

#include "base/hash.h"

// When an output that was overdue at the start is due.
static int64_t spread(const struct renewal *renewal, int64_t started, const char *uid) {
    int64_t window = (renewal->expires_at - started) / 4;
    window = window > RENEWAL_SPREAD_S ? RENEWAL_SPREAD_S : window;
    return window > 0 ? started + hash_text(uid) % window : started;
}

uint32_t renewal_wait_ms(const struct renewal *renewal, int64_t started, int64_t created, const char *uid,
                         int64_t now) {
    if (now < renewal->valid_from && now >= created) {
        return 0;
    }
    if (renewal->expires_at == 0) {
        return RENEWAL_LOOK_MS;
    }
    int64_t due = renewal->renew_at != 0 ? renewal->renew_at : renewal->expires_at;
    if (due < started) {
        due = spread(renewal, started, uid);
    }
    if (due <= now) {
        return 0;
    }
    int64_t wait_ms = due - now < RENEWAL_LOOK_MS / 1000 ? (due - now) * 1000 : RENEWAL_LOOK_MS;
    return (uint32_t)wait_ms;
}
