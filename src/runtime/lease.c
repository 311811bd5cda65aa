#include "runtime/lease.h"

#include "base/clock.h"
#include "base/memory.h"

#include <string.h>

enum {
    RELEASE_TRIES_MAX = 3,
    RELEASED_SECONDS = 1,  // what a released record says, as client-go has it
    TIMEOUTS_A_RENEWAL = 3 // so many requests may get no answer before leadership is lost
};
static const double jitter = 1.2; // client-go's; theirs decides whether a deadline leaves room

enum state { WANT_GET, WANT_CREATE, WANT_UPDATE, LOST, RELEASED };

struct lease {
    char *namespace;
    char *name;
    char *identity;
    struct lease_timing timing;
    lease_random *random;
    void *random_context;
    enum state state;
    int64_t wait_until_ms;
    int64_t asked_ms;       // when the last request was given out
    yyjson_mut_doc *body;   // of that request; NULL: none
    yyjson_doc *seen;       // the last answer; NULL: none yet
    int64_t changed_ms;     // when its spec was seen to have changed
    int64_t held_until_ms;  // INT64_MIN: not leading
    bool slow;              // a wanted update comes after a read
    bool claimed;           // the record on the server may name us
    bool releasing;         // lease_release was called
    unsigned release_tries; // requests since then
};

bool lease_check_timing(const struct lease_timing *timing, struct error *e) {
    double retry_ms = timing->retry_period_ms;
    if (timing->duration_ms < 1000 || timing->duration_ms % 1000 != 0) {
        return error_set(e, ERROR_INVALID_SPEC,
                         "the lease duration (%u ms) must be whole seconds, at least one",
                         timing->duration_ms);
    }
    if (timing->retry_period_ms < 1) {
        return error_set(e, ERROR_INVALID_SPEC, "the retry period must not be 0");
    }
    if (timing->duration_ms <= timing->renew_deadline_ms) {
        return error_set(e, ERROR_INVALID_SPEC,
                         "the lease duration (%u ms) must be greater than the renew deadline (%u ms)",
                         timing->duration_ms, timing->renew_deadline_ms);
    }
    if (timing->renew_deadline_ms <= jitter * retry_ms) {
        return error_set(e, ERROR_INVALID_SPEC,
                         "the renew deadline (%u ms) must be greater than 1.2 retry periods (%u ms each)",
                         timing->renew_deadline_ms, timing->retry_period_ms);
    }
    return true;
}

bool lease_create(const struct lease_options *options, struct lease **ret_lease, struct error *e) {
    if (!lease_check_timing(&options->timing, e)) {
        return false;
    }
    struct lease *lease = memory_allocate_zeroed(1, sizeof(*lease));
    if (lease == nullptr) {
        return error_no_memory(e, "a lease");
    }
    *lease = (struct lease){
        .namespace = memory_copy_text(options->namespace),
        .name = memory_copy_text(options->name),
        .identity = memory_copy_text(options->identity),
        .timing = options->timing,
        .random = options->random,
        .random_context = options->random_context,
        .held_until_ms = INT64_MIN,
    };
    if (lease->namespace == nullptr || lease->name == nullptr || lease->identity == nullptr) {
        lease_free(lease);
        return error_no_memory(e, "a lease");
    }
    *ret_lease = lease;
    return true;
}

void lease_free(struct lease *lease) {
    if (lease != nullptr) {
        json_free(lease->seen);
        json_mut_free(lease->body);
        memory_free(lease->namespace);
        memory_free(lease->name);
        memory_free(lease->identity);
        memory_free(lease);
    }
}

// ---- the record

static yyjson_val *spec_of(yyjson_doc *document) {
    return yyjson_obj_get(yyjson_doc_get_root(document), "spec");
}

yyjson_val *lease_object(const struct lease *lease) {
    return yyjson_doc_get_root(lease->seen);
}

const char *lease_holder(const struct lease *lease) {
    const char *holder = json_member_text(spec_of(lease->seen), "holderIdentity");
    return holder == nullptr ? "" : holder;
}

static bool is_ours(const struct lease *lease) {
    return strcmp(lease_holder(lease), lease->identity) == 0;
}

int64_t lease_held_until(const struct lease *lease) {
    return lease->held_until_ms;
}

static bool is_leading(const struct lease *lease) {
    return lease->held_until_ms != INT64_MIN;
}

// When the record that was seen last, if it stays the same, has run out.
static int64_t runs_out_ms(const struct lease *lease) {
    yyjson_val *member = yyjson_obj_get(spec_of(lease->seen), "leaseDurationSeconds");
    int64_t seconds = json_integer(member, lease->timing.duration_ms / 1000);
    if (seconds < 0 || seconds > INT32_MAX) { // what its type in the API cannot be
        seconds = seconds < 0 ? 0 : INT32_MAX;
    }
    return lease->changed_ms + seconds * 1000;
}

// Judged as of when the record was asked for: it may have been renewed since the server read it.
static bool is_free(const struct lease *lease) {
    return lease_holder(lease)[0] == '\0' || lease->asked_ms >= runs_out_ms(lease);
}

// Takes document. Whether the record differs is judged by the whole spec, as it stands, so that even a
// renewTime which nobody can read shows that its writer lives.
static bool see(struct lease *lease, int64_t now_ms, yyjson_doc *document, struct error *e) {
    yyjson_val *metadata = yyjson_obj_get(yyjson_doc_get_root(document), "metadata");
    const char *version = json_member_text(metadata, "resourceVersion");
    if (version == nullptr || version[0] == '\0') { // an update that names none would be no condition
        json_free(document);
        return error_set(e, ERROR_IO, "the answer is not a Lease: it has no metadata.resourceVersion");
    }
    if (lease->seen == nullptr || !yyjson_equals(spec_of(lease->seen), spec_of(document))) {
        lease->changed_ms = now_ms;
    }
    json_free(lease->seen);
    lease->seen = document;
    lease->claimed = is_ours(lease);
    return true;
}

static void add_time(yyjson_mut_doc *document, yyjson_mut_val *spec, const char *key, int64_t wall_us) {
    char text[CLOCK_TEXT_SIZE];
    clock_format_micro(wall_us, text);
    (void)yyjson_mut_obj_add_strcpy(document, spec, key, text);
}

static void add_term(const struct lease *lease, int64_t wall_us, int64_t transitions,
                     yyjson_mut_doc *document, yyjson_mut_val *spec) {
    (void)yyjson_mut_obj_add_str(document, spec, "holderIdentity", lease->releasing ? "" : lease->identity);
    (void)yyjson_mut_obj_add_uint(document, spec, "leaseDurationSeconds",
                                  lease->releasing ? RELEASED_SECONDS : lease->timing.duration_ms / 1000);
    add_time(document, spec, "renewTime", wall_us);
    if (lease->releasing || !is_ours(lease)) { // a renewal leaves the rest as it is
        add_time(document, spec, "acquireTime", wall_us);
        (void)yyjson_mut_obj_add_sint(document, spec, "leaseTransitions", transitions);
    }
}

// What the record will say of them; the API takes no number below 0 and none of more than 32 bits.
static int64_t count_transitions(const struct lease *lease) {
    int64_t seen = json_integer(yyjson_obj_get(spec_of(lease->seen), "leaseTransitions"), 0);
    int64_t least = seen < 0 ? 0 : seen;
    return least >= INT32_MAX ? INT32_MAX : least + (lease->releasing ? 0 : 1);
}

// A whole Lease for a create, what changes in it for an update.
static bool build(struct lease *lease, int64_t wall_us, struct error *e) {
    yyjson_mut_doc *document;
    if (!json_create(&document, e)) {
        return false;
    }
    json_mut_free(lease->body);
    lease->body = document;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    int64_t transitions = 0;
    if (lease->state == WANT_CREATE) {
        (void)yyjson_mut_obj_add_str(document, root, "apiVersion", "coordination.k8s.io/v1");
        (void)yyjson_mut_obj_add_str(document, root, "kind", "Lease");
    }
    yyjson_mut_val *metadata = yyjson_mut_obj_add_obj(document, root, "metadata");
    if (lease->state == WANT_CREATE) {
        (void)yyjson_mut_obj_add_str(document, metadata, "name", lease->name);
        (void)yyjson_mut_obj_add_str(document, metadata, "namespace", lease->namespace);
    } else {
        yyjson_val *seen = lease_object(lease);
        transitions = count_transitions(lease);
        (void)yyjson_mut_obj_add_strcpy(document, metadata, "resourceVersion",
                                        json_text(json_find(seen, "metadata", "resourceVersion", nullptr)));
    }
    add_term(lease, wall_us, transitions, document, yyjson_mut_obj_add_obj(document, root, "spec"));
    return json_is_complete(document, e);
}

// ---- steps

static void want(struct lease *lease, enum state state, int64_t not_before_ms) {
    lease->state = state;
    lease->wait_until_ms = not_before_ms;
}

// A leader comes again in time, and whoever leaves does not wait. A contender spreads, looks so often that it
// knows of a renewal within a retry period, and is there when the record runs out.
static int64_t next_try(const struct lease *lease, int64_t now_ms) {
    if (lease->releasing || is_leading(lease)) {
        return lease->releasing ? now_ms : now_ms + lease->timing.retry_period_ms;
    }
    double part = (1 + lease->random(lease->random_context)) / 2;
    int64_t then_ms = now_ms + (int64_t)(part * lease->timing.retry_period_ms);
    int64_t free_ms = runs_out_ms(lease);
    return free_ms > now_ms && free_ms < then_ms ? free_ms : then_ms;
}

static void lose(struct lease *lease) {
    lease->held_until_ms = INT64_MIN;
    lease->state = LOST;
}

// What the clock or lease_release decides, whatever was to be done next.
static void decide(struct lease *lease, int64_t now_ms) {
    if (lease->state == LOST || lease->state == RELEASED) {
        return;
    }
    if (lease->releasing && (!lease->claimed || lease->release_tries >= RELEASE_TRIES_MAX)) {
        lease->state = RELEASED;
    } else if (is_leading(lease) && now_ms >= lease->held_until_ms) {
        lose(lease);
    }
}

static bool start(struct lease *lease, int64_t now_ms, int64_t wall_us, struct lease_step *ret_step) {
    static const enum lease_action actions[] = {
        [WANT_GET] = LEASE_GET, [WANT_CREATE] = LEASE_CREATE, [WANT_UPDATE] = LEASE_UPDATE};
    struct error e;
    if (lease->state != WANT_GET && !build(lease, wall_us, &e)) {
        return false;
    }
    uint32_t timeout_ms = lease->timing.renew_deadline_ms / TIMEOUTS_A_RENEWAL;
    int64_t left_ms = is_leading(lease) ? lease->held_until_ms - now_ms : timeout_ms;
    *ret_step = (struct lease_step){
        .action = actions[lease->state],
        .body = lease->state == WANT_GET ? nullptr : lease->body,
        .timeout_ms = left_ms < timeout_ms ? (uint32_t)left_ms : timeout_ms,
        .slow = lease->state == WANT_UPDATE && lease->slow && !lease->releasing,
    };
    ret_step->timeout_ms = ret_step->timeout_ms == 0 ? 1 : ret_step->timeout_ms;
    lease->asked_ms = now_ms;
    lease->claimed = lease->claimed || lease->state != WANT_GET;
    lease->release_tries += lease->releasing ? 1 : 0;
    return true;
}

void lease_next(struct lease *lease, int64_t now_ms, int64_t wall_us, struct lease_step *ret_step) {
    decide(lease, now_ms);
    if (lease->state == LOST || lease->state == RELEASED) {
        *ret_step = (struct lease_step){.action = lease->state == LOST ? LEASE_LOST : LEASE_RELEASED};
        return;
    }
    if (now_ms >= lease->wait_until_ms) {
        if (start(lease, now_ms, wall_us, ret_step)) {
            return;
        }
        lease->wait_until_ms = next_try(lease, now_ms);
    }
    int64_t until_ms = lease->wait_until_ms;
    if (is_leading(lease) && until_ms > lease->held_until_ms) {
        until_ms = lease->held_until_ms;
    }
    *ret_step = (struct lease_step){.action = LEASE_WAIT, .wait_ms = (uint32_t)(until_ms - now_ms)};
}

// ---- what came of them

// The record was read.
static void evaluate(struct lease *lease, int64_t now_ms) {
    lease->slow = is_ours(lease);
    if (is_leading(lease) && !is_ours(lease)) {
        lose(lease);
    } else if (is_ours(lease) || (is_free(lease) && !lease->releasing)) {
        want(lease, WANT_UPDATE, now_ms);
    } else {
        want(lease, WANT_GET, next_try(lease, now_ms));
    }
}

// The record was written.
static bool take_term(struct lease *lease, int64_t now_ms, struct error *e) {
    if (lease->releasing) {
        return true; // it does not name us any more
    }
    if (!is_ours(lease)) { // somebody on the way to the server has changed what was sent
        if (is_leading(lease)) {
            lose(lease);
        } else {
            want(lease, WANT_GET, next_try(lease, now_ms));
        }
        return error_set(e, ERROR_IO, "the Lease was written, and names %.200s", lease_holder(lease));
    }
    lease->held_until_ms = lease->asked_ms + lease->timing.renew_deadline_ms;
    lease->slow = false;
    want(lease, WANT_UPDATE, next_try(lease, now_ms));
    return true;
}

bool lease_answered(struct lease *lease, int64_t now_ms, yyjson_doc *document, struct error *e) {
    bool was_read = lease->state == WANT_GET;
    if (!see(lease, now_ms, document, e)) {
        want(lease, WANT_GET, next_try(lease, now_ms));
        return false;
    }
    if (was_read) {
        evaluate(lease, now_ms);
        return true;
    }
    return take_term(lease, now_ms, e);
}

void lease_failed(struct lease *lease, int64_t now_ms, const struct error *error) {
    if (lease->state == WANT_GET && error->class == ERROR_NOT_FOUND) {
        json_free(lease->seen);
        lease->seen = nullptr;
        lease->claimed = false;
        want(lease, WANT_CREATE, now_ms);
        return;
    }
    bool first = is_leading(lease) && lease->state == WANT_UPDATE && !lease->slow; // looked into at once
    int64_t then_ms = first ? now_ms : next_try(lease, now_ms);
    bool may_wait = !is_leading(lease) && !lease->releasing;
    if (may_wait && then_ms < now_ms + error->retry_after_ms) {
        then_ms = now_ms + error->retry_after_ms;
    }
    want(lease, WANT_GET, then_ms);
}

void lease_release(struct lease *lease) {
    if (lease->releasing || lease->state == LOST) {
        return;
    }
    // What is known to be ours is given back without a look; otherwise it is seen whose it is.
    bool known = is_leading(lease) && lease->state == WANT_UPDATE;
    lease->releasing = true;
    lease->held_until_ms = INT64_MIN;
    want(lease, known ? WANT_UPDATE : WANT_GET, INT64_MIN);
}
