// When an output is rotated: what its spec, its versions and the time say is to be done next. Pure.
#pragma once

#include "engine/spec.h"
#include "engine/versions.h"

// What the status calls the time of the next rotation.
#define ROTATION_FIELD "nextRotationTime"

// Seconds after that time from which on a rotation is overdue. config/monitoring/alerts.yaml and the page of
// metrics say so too.
enum { ROTATION_OVERDUE_S = 300 };

enum rotation_step {
    ROTATION_NONE,
    ROTATION_PUBLISH,  // the next version is made and published, and not used yet
    ROTATION_ACTIVATE, // the next version, or a new one, takes the place of the present one
    ROTATION_EXPIRE,   // versions that are kept no longer go
    ROTATION_LIST,     // the entry that lists the versions is not as it should be
    ROTATION_FOLLOW,   // the versions of what the output follows are other ones
    ROTATION_RETIME,   // the present version came into use while the clock was ahead: as if that were now
};

struct rotation_question {
    const struct rotation_spec *spec;
    const struct versions *versions;
    bool is_requested;     // somebody asks for it, or what the present version was made from has changed
    bool is_pressing;      // and nobody has that any more: it waits for nothing
    bool is_next_outdated; // so it is of the next version
    // Of versions that others trust: which of those kept, by their index, somebody still needs, a bit for
    // each; what nobody needs goes. And whether somebody has not heard of the next version yet.
    bool serves_dependents;
    uint32_t needed;
    bool is_unheard_of;
    bool are_all_to_go; // all versions but the present one: the output is trusted by another's root now
    int64_t ends_at;    // when the present version ends, which the next one must not wait for; 0: never
    const char *uid;    // of the object; spreads many of them
    int64_t created;    // when the object was, by the API server's clock
    int64_t started;    // when this program began to work
    int64_t now;        // all in seconds since 1970
};

struct rotation {
    enum rotation_step step; // to be done now
    int64_t step_at;         // when there is something to do, if that is not now; 0: never
    int64_t next_at;         // when the present version is to be replaced; 0: never
    int64_t held_by;         // the version that spec.keepFor keeps in the way until then; 0: none
    bool is_held_by_need;    // it is in the way since somebody needs it, for nobody knows how long
    size_t kept;             // how many earlier versions stay after the step
    bool withdraws_next;     // with the step the next version goes, which nobody asks for any more
};

// Errors: INVALID_SPEC (the window), IO (its time zone cannot be read now), NO_MEMORY.
[[nodiscard]] bool rotation_plan(const struct rotation_question *question, struct rotation *ret_rotation,
                                 struct error *e);

// When the kept version at index is expected to go, if the present one is replaced at next_at (0: never) and
// each further one in time: it may be later. 0: nothing tells.
int64_t rotation_expiry(const struct rotation_question *question, size_t index, int64_t next_at);
