#include "reconcile/upkeep.h"

#include "base/clock.h"
#include "json/read.h"

#include <stdio.h>

// An edit of the spec that was not served yet is the object's owner's own doing.
static bool is_edited(const struct reconcile *r) {
    yyjson_val *served = json_find(r->object->root, "status", "observedGeneration", nullptr);
    return json_integer(served, -1) != r->object->generation;
}

bool upkeep_may_write(struct reconcile *r, bool is_needed) {
    struct remakes *remakes = r->controller->remakes;
    char key[KUBE_KEY_SIZE + 64];
    int64_t now_ms = clock_monotonic_ms();
    snprintf(key, sizeof(key), "%s/%s/metadata", r->kind->plural, r->object->key);
    bool allowed = is_needed && (is_edited(r) || remakes_allow(remakes, key, now_ms, &r->upkeep_wait_ms));
    uint32_t peace_ms;
    r->is_contested = remakes_are_contested(remakes, key, now_ms, &peace_ms);
    r->is_retried = r->is_contested && allowed;
    if (r->is_contested && r->upkeep_wait_ms == 0) {
        r->upkeep_wait_ms = peace_ms;
    }
    return allowed;
}
