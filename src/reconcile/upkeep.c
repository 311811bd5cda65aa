#include "reconcile/upkeep.h"

#include "base/clock.h"
#include "json/read.h"

// An edit of the spec that was not served yet is the object's owner's own doing.
static bool is_edited(const struct reconcile *r) {
    yyjson_val *served = json_find(r->object->root, "status", "observedGeneration", nullptr);
    return json_integer(served, -1) != r->object->generation;
}

bool upkeep_may_write(struct reconcile *r, bool is_needed) {
    struct regenerate_backoff *backoff = r->parts->backoff;
    int64_t now_ms = clock_monotonic_ms();
    bool allowed =
        is_needed && (is_edited(r) || regenerate_backoff_allow(backoff, r->key, REGENERATED_METADATA, now_ms,
                                                               &r->upkeep_wait_ms));
    uint32_t peace_ms;
    r->is_contested =
        regenerate_backoff_is_contested(backoff, r->key, REGENERATED_METADATA, now_ms, &peace_ms);
    r->telling = r->is_contested && allowed ? TELL_EACH_TIME : TELL_ANEW;
    if (r->is_contested && r->upkeep_wait_ms == 0) {
        r->upkeep_wait_ms = peace_ms;
    }
    return allowed;
}

void upkeep_take_back(const struct reconcile *r) {
    if (!is_edited(r)) {
        regenerate_backoff_take_back(r->parts->backoff, r->key, REGENERATED_METADATA);
    }
}
