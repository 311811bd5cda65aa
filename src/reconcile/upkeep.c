// The labels, annotations and owner of a good output: brought to what they should be, and left alone for a
// while when somebody else changes them again and again.
#include "base/clock.h"
#include "reconcile/reconcile.h"
#include "reconcile/secret_metadata.h"
#include "json/write.h"

// Whether there is something to write. Memory that is out says yes: the write tells of it.
static bool is_needed(const struct reconcile *r) {
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    struct error ignored;
    return r->provenance.is_brief || !json_create(&document, &ignored) ||
           secret_metadata_patch(r->kind, r->object, &r->decoded.common,
                                 yyjson_obj_get(r->output->root, "metadata"), document,
                                 yyjson_mut_obj(document));
}

// An edit of the spec that was not served yet is the object's owner's own doing.
static bool is_edited(const struct reconcile *r) {
    yyjson_val *served = json_find(r->object->root, "status", "observedGeneration", nullptr);
    return json_integer(served, -1) != r->object->generation;
}

bool upkeep_may_write(struct reconcile *r) {
    struct regenerate_backoff *backoff = r->parts->backoff;
    bool needed = is_needed(r);
    int64_t now_ms = clock_monotonic_ms();
    bool allowed = needed && (is_edited(r) || regenerate_backoff_allow(backoff, r->key, REGENERATED_METADATA,
                                                                       now_ms, &r->upkeep_wait_ms));
    uint32_t peace_ms;
    r->is_contested =
        regenerate_backoff_is_contested(backoff, r->key, REGENERATED_METADATA, now_ms, &peace_ms);
    r->telling = r->is_contested && allowed ? TELL_EACH_TIME : TELL_ANEW;
    if (r->is_contested && r->upkeep_wait_ms == 0) {
        r->upkeep_wait_ms = peace_ms;
    }
    return allowed;
}
