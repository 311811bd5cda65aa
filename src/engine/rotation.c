#include "engine/rotation.h"

#include "base/hash.h"
#include "base/window.h"

enum {
    JITTER_PART = 20,         // of the interval: an output is rotated up to so much earlier, never later
    OVERDUE_SPREAD_S = 300,   // over which what was overdue at the start is spread
    OVERDUE_SPREAD_PART = 20, // and never over more than this part of the interval
    NEEDED_LOOK_MIN_S = 5,  // after which it is asked again whether somebody needs an earlier version: after
    NEEDED_LOOK_MAX_S = 60, // as long as it stays anyway, within these
    UNHEARD_LOOK_S = 5,     // and whether the next one was heard of by all
    UNHEARD_MAX_S = 60,     // for no longer than this and publishAhead once more
    AFTER_STOP_S = 120,     // in which all hear of what was published before a stop
};

// Of the object and its version, so that each time is another one, and the same whenever it is asked for.
static int64_t spread(const struct rotation_question *q, int64_t range) {
    uint32_t hash = hash_text(q->uid) + (uint32_t)q->versions->number * 2654435761U;
    return range > 0 ? (int64_t)(hash % (uint64_t)range) : 0;
}

// Whether the clock was ahead by more than tolerance_s when it was at that time. (Where it is behind now, the
// object was made in the future.) One that is set back by less puts off what is due, and makes nothing due
// twice.
static bool is_far_ahead(const struct rotation_question *q, int64_t time, int64_t tolerance_s) {
    return time > q->now + tolerance_s && q->now >= q->created;
}

// Whether there is a next version that may be used one day.
static bool has_next(const struct rotation_question *q) {
    return q->versions->has_next && !q->is_next_outdated &&
           !is_far_ahead(q, clock_read(q->versions->next.created), q->spec->publish_ahead_s);
}

// Whether the present version came into use while the clock was ahead.
static bool is_active_ahead(const struct rotation_question *q) {
    int64_t every_s = q->spec->every_s;
    return every_s > 0 && is_far_ahead(q, clock_read(q->versions->active), every_s / JITTER_PART);
}

// When the schedule, without its window, wants the present version to be replaced; 0: never.
static int64_t scheduled(const struct rotation_question *q) {
    const struct rotation_spec *spec = q->spec;
    int64_t active = is_active_ahead(q) ? q->now : clock_read(q->versions->active);
    if (spec->every_s == 0) {
        return 0;
    }
    int64_t due = active + spec->every_s - spread(q, spec->every_s / JITTER_PART);
    if (due < q->started) {
        int64_t part = spec->every_s / OVERDUE_SPREAD_PART;
        due = q->started + spread(q, part < OVERDUE_SPREAD_S ? part : OVERDUE_SPREAD_S);
    }
    return due;
}

// The first time from due on that the window allows. What waits for a window to open is spread over it.
static bool find_in_window(const struct rotation_question *q, int64_t due, int64_t *ret_at, struct error *e) {
    const struct rotation_spec *spec = q->spec;
    struct window window = {.duration_s = spec->window_s};
    int64_t start = 0;
    *ret_at = due;
    if (spec->schedule == nullptr || due == 0) {
        return true;
    }
    if (!cron_parse(spec->schedule, &window.schedule, e) ||
        !time_zone_load(spec->time_zone == nullptr ? "UTC" : spec->time_zone, &window.zone, e)) {
        return error_wrap(e, "spec.rotation.window");
    }
    int64_t at = window_find(&window, due > q->now ? due : q->now, &start);
    time_zone_free(window.zone);
    int64_t opened = due < start ? start + spread(q, window.duration_s / 4 * 3) : due;
    *ret_at = at == 0 ? 0 : at > opened ? at : opened;
    return true;
}

// Until when a version that was retired is kept, as spec.keepFor says; 0: it need not be. One that was
// retired while the clock was far ahead is kept for no longer than if that had been now.
static int64_t kept_until(const struct rotation_question *q, size_t index) {
    int64_t keep_for_s = q->spec->keep_for_s;
    int64_t retired = clock_read(q->versions->kept[index].retired);
    return keep_for_s == 0 || is_far_ahead(q, retired, keep_for_s) ? 0 : retired + keep_for_s;
}

static int64_t next_look(const struct rotation_question *q) {
    int64_t wait = q->spec->keep_for_s;
    wait = wait > NEEDED_LOOK_MAX_S ? NEEDED_LOOK_MAX_S : wait;
    return q->now + (wait < NEEDED_LOOK_MIN_S ? NEEDED_LOOK_MIN_S : wait);
}

static bool is_needed(const struct rotation_question *q, size_t index) {
    return (q->needed & 1U << index) != 0;
}

// When what has to go for another version may; *ret_held_by: the version that stays longest.
static int64_t held_until(const struct rotation_question *q, int64_t *ret_held_by) {
    const struct versions *versions = q->versions;
    size_t staying = (size_t)q->spec->keep - 1; // besides the present one
    int64_t until = 0;
    *ret_held_by = 0;
    for (size_t i = staying; i < versions->kept_count; i++) {
        int64_t end = kept_until(q, i);
        if (end > until) {
            until = end;
            *ret_held_by = versions->kept[i].number;
        }
    }
    return until;
}

// The same, but that a request waits for no window.
static bool find_allowed(const struct rotation_question *q, int64_t due, int64_t *ret_at, struct error *e) {
    *ret_at = due;
    return q->is_requested || find_in_window(q, due, ret_at, e);
}

// When the next version may be used: after publishAhead; of one that others trust not before they had some of
// that time to hear of it after a stop of this program, too.
static int64_t use_from(const struct rotation_question *q) {
    int64_t ahead_s = q->spec->publish_ahead_s;
    int64_t created = clock_read(q->versions->next.created);
    int64_t after_stop = q->started + (ahead_s < AFTER_STOP_S ? ahead_s : AFTER_STOP_S);
    bool is_stopped = q->serves_dependents && created < q->started && after_stop > created + ahead_s;
    return is_stopped ? after_stop : created + ahead_s;
}

// When what was published is used, or would be if it were published now. Without a spec it waits for a
// request.
static int64_t find_earliest(const struct rotation_question *q) {
    int64_t ahead_s = q->spec->publish_ahead_s;
    if (has_next(q)) {
        bool is_used = q->spec->is_given || q->is_requested || q->serves_dependents;
        return is_used ? use_from(q) : 0;
    }
    return q->is_requested ? q->now + ahead_s : 0;
}

// When the present version is replaced, and by whom that is held up.
static bool find_activation(const struct rotation_question *q, struct rotation *rotation, struct error *e) {
    int64_t at = q->is_requested ? q->now : scheduled(q);
    int64_t earliest = find_earliest(q);
    int64_t held_by;
    int64_t until = held_until(q, &held_by);
    if (!find_allowed(q, at, &at, e) ||
        (at < earliest &&
         !find_allowed(q, earliest, &at, e))) { // what was published is used, if nothing else asks
        return false;
    }
    if (at != 0 && at < until) {
        rotation->held_by = held_by;
        if (!find_allowed(q, until, &at, e)) {
            return false;
        }
    }
    rotation->next_at = at;
    return true;
}

// How many earlier versions stay beside a new one: as many as are to be kept, and those that may not go yet,
// for which there is room.
static size_t count_staying(const struct rotation_question *q) {
    size_t staying = (size_t)q->spec->keep;
    for (size_t i = staying - 1; i < q->versions->kept_count && i + 1 < VERSIONS_KEPT_MAX; i++) {
        staying = is_needed(q, i) || kept_until(q, i) > q->now ? i + 2 : staying;
    }
    return staying;
}

// Earlier versions that keep does not have room for go when they may; of those that others trust, each does.
static void plan_expiry(const struct rotation_question *q, struct rotation *rotation) {
    const struct versions *versions = q->versions;
    size_t staying = q->serves_dependents ? 0 : (size_t)q->spec->keep;
    rotation->kept = versions->kept_count;
    if (!q->spec->is_given && !q->serves_dependents) {
        return;
    }
    while (rotation->kept > staying) {
        int64_t end = kept_until(q, rotation->kept - 1);
        end = is_needed(q, rotation->kept - 1) && end <= q->now ? next_look(q) : end;
        if (end > q->now) {
            rotation->step_at = end;
            return;
        }
        rotation->kept--;
    }
}

// Whether the present version is so near its end that the next one waits for nobody: half of the time is over
// in which it could.
static bool is_end_near(const struct rotation_question *q) {
    int64_t from = has_next(q) ? use_from(q) : q->now;
    return q->ends_at != 0 && q->now >= from + (q->ends_at - from) / 2;
}

// When to look again at a rotation that is due and waits for somebody who trusts the versions: until all have
// heard of the next one, and nobody needs one that would have to go; 0: it does not wait.
static int64_t find_wait(const struct rotation_question *q, struct rotation *rotation) {
    if (rotation->next_at == 0 || rotation->next_at > q->now || is_end_near(q)) {
        return 0;
    }
    for (size_t i = (size_t)q->spec->keep - 1; i < q->versions->kept_count; i++) {
        if (is_needed(q, i)) {
            rotation->held_by = q->versions->kept[i].number;
            rotation->is_held_by_need = true;
            return next_look(q);
        }
    }
    int64_t created = clock_read(q->versions->next.created);
    int64_t since = created > q->started ? created : q->started;
    bool is_long = q->now - since >= 2 * q->spec->publish_ahead_s + UNHEARD_MAX_S;
    return has_next(q) && q->is_unheard_of && !is_long ? q->now + UNHEARD_LOOK_S : 0;
}

// What is to be done now, where no next version is to be published.
static void choose_step(const struct rotation_question *q, bool is_due, struct rotation *rotation) {
    bool withdraws = q->serves_dependents && q->versions->has_next && !has_next(q);
    if (is_due) {
        rotation->step = ROTATION_ACTIVATE;
        rotation->kept = count_staying(q);
    } else if (rotation->kept < q->versions->kept_count || withdraws) {
        rotation->step = ROTATION_EXPIRE;
        rotation->withdraws_next = withdraws;
    } else if (is_active_ahead(q)) {
        rotation->step = ROTATION_RETIME;
    }
}

// What waits for no time. Whether there is such a thing.
static bool plan_at_once(const struct rotation_question *q, struct rotation *ret_rotation) {
    const struct versions *versions = q->versions;
    if (q->are_all_to_go) {
        bool has_others = versions->kept_count > 0 || versions->has_next;
        *ret_rotation = (struct rotation){.step = has_others ? ROTATION_EXPIRE : ROTATION_NONE,
                                          .withdraws_next = versions->has_next};
    } else if (q->is_pressing) {
        *ret_rotation = (struct rotation){
            .step = ROTATION_ACTIVATE, .step_at = q->now, .next_at = q->now, .kept = count_staying(q)};
    }
    return q->are_all_to_go || q->is_pressing;
}

bool rotation_plan(const struct rotation_question *q, struct rotation *ret_rotation, struct error *e) {
    struct rotation rotation = {0};
    if (plan_at_once(q, ret_rotation)) {
        return true;
    }
    if (!find_activation(q, &rotation, e)) {
        return false;
    }
    plan_expiry(q, &rotation);
    int64_t wait = find_wait(q, &rotation);
    bool is_due = rotation.next_at != 0 && rotation.next_at <= q->now && wait == 0;
    int64_t publish_at = rotation.next_at - q->spec->publish_ahead_s;
    bool publishes = rotation.next_at != 0 && q->spec->publish_ahead_s > 0 && !has_next(q);
    int64_t at = publishes ? publish_at : wait != 0 ? wait : rotation.next_at;
    if (publishes && publish_at <= q->now) {
        rotation.step = ROTATION_PUBLISH;
    } else {
        choose_step(q, is_due, &rotation);
    }
    if (at != 0 && (rotation.step_at == 0 || at < rotation.step_at)) {
        rotation.step_at = at;
    }
    *ret_rotation = rotation;
    return true;
}

int64_t rotation_expiry(const struct rotation_question *q, size_t index, int64_t next_at) {
    const struct rotation_spec *spec = q->spec;
    int64_t end = kept_until(q, index);
    int64_t rotations = spec->keep - 1 - (int64_t)index; // that it outlives
    if (next_at == 0 || (rotations > 0 && spec->every_s == 0)) {
        return 0;
    }
    int64_t at = next_at + (rotations > 0 ? rotations * spec->every_s : 0);
    return at > end ? at : end;
}
