// An output that has a version for each of one of its inputs.
#include "engine/input_versions.h"
#include "engine/production_internal.h"

#include <string.h>

static const struct input *leading(const struct production *p) {
    return &p->inputs[p->decoded->kind->leading_input];
}

bool production_follows(const struct production *p) {
    return p->decoded->kind->follows && input_is_loaded(leading(p)) && leading(p)->versions != nullptr;
}

// ---- what there is to be

// Whether that digest is the bytes'.
static bool is_digest_of(const char *digest, const struct secret *bytes, bool *ret_is, struct error *e) {
    char found[DIGEST_TEXT_SIZE];
    if (!digest_format(secret_view(bytes), secret_length(bytes), found, e)) {
        return false;
    }
    *ret_is = provenance_same_digest(digest, found);
    return true;
}

// What the version is made from that follows about.
static void list_inputs(const struct production *p, const struct version *about,
                        struct input ret_inputs[KIND_INPUTS_MAX]) {
    struct input *input = &ret_inputs[p->decoded->kind->leading_input];
    memcpy(ret_inputs, p->inputs, sizeof(p->inputs));
    input->bytes = input_version_bytes(about);
    input->made_for = about->input; // "": of a key that nobody has
}

// Whether a version can be made that follows about, or nothing is left for it: its key has gone, say.
static bool can_follow(const struct production *p, const struct version *about, bool *ret_can,
                       struct error *e) {
    struct input inputs[KIND_INPUTS_MAX];
    struct version version;
    *ret_can = false;
    if (input_version_bytes(about) == nullptr) {
        return true;
    }
    list_inputs(p, about, inputs);
    *ret_can = production_make_version(p, inputs, &version, e);
    if (*ret_can) {
        version_done(&version);
        return true;
    }
    return e->class != ERROR_NO_MEMORY && e->class != ERROR_INTERNAL;
}

bool production_is_abreast(const struct production *p, bool *ret_is, struct error *e) {
    const struct versions *led_by = leading(p)->versions;
    bool is = p->versions.number == led_by->number;
    const struct version *theirs;
    size_t taken = 0; // of ours
    for (size_t i = 0; is && (theirs = versions_get(led_by, i)) != nullptr; i++) {
        const struct secret *bytes = input_version_bytes(theirs);
        const struct version *ours = versions_get(&p->versions, taken);
        bool is_there = ours != nullptr && ours->number == theirs->number && bytes != nullptr;
        bool is_missed = false;
        if (is_there ? !is_digest_of(ours->input, bytes, &is, e) : !can_follow(p, theirs, &is_missed, e)) {
            return false;
        }
        is = is && !is_missed;
        taken += is_there ? 1 : 0;
    }
    *ret_is = is && versions_get(&p->versions, taken) == nullptr;
    return true;
}

// The digest of what the present version was made from.
static const char *present_input(const struct production *p) {
    return provenance_find_input(&p->provenance, leading(p)->field);
}

bool production_present_changes(const struct production *p) {
    struct error ignored;
    bool is_same = false;
    return !is_digest_of(present_input(p), leading(p)->bytes, &is_same, &ignored) || !is_same;
}

static bool is_kept(const struct production *p, const char *digest) {
    const struct versions *versions = leading(p)->versions;
    bool found = false;
    for (size_t i = 0; versions != nullptr && !found && i < versions->kept_count; i++) {
        const struct secret *bytes = input_version_bytes(&versions->kept[i]);
        struct error ignored;
        found = bytes != nullptr && is_digest_of(digest, bytes, &found, &ignored) && found;
    }
    return found;
}

bool production_input_is_kept(const struct production *p) {
    return is_kept(p, present_input(p));
}

bool production_next_input_is_kept(const struct production *p) {
    return p->versions.has_next && is_kept(p, p->versions.next.input);
}

// ---- making it

// All that p has had, as far as it may be used again.
struct former {
    struct version present;
    struct versions others;
};

static void former_done(struct former *former) {
    version_done(&former->present);
    versions_done(&former->others);
}

// Whether version is of that number, and was made from those bytes; blindly: as far as it says from what.
static bool is_of(const struct version *version, int64_t number, const struct secret *bytes, bool blindly,
                  bool *ret_is, struct error *e) {
    bool is_known = version->input[0] != '\0'; // it is not where metadata was lost
    *ret_is = version->data.count > 0 && version->number == number && (is_known || blindly);
    return !*ret_is || !is_known || is_digest_of(version->input, bytes, ret_is, e);
}

// One that was made from the same before; taken.
static bool take_same(struct former *former, int64_t number, const struct secret *bytes, bool blindly,
                      struct version *ret_version, bool *ret_found, struct error *e) {
    struct version *version = &former->present;
    *ret_found = false;
    for (size_t i = 0; !*ret_found && version != nullptr; i++) {
        if (!is_of(version, number, bytes, blindly, ret_found, e)) {
            return false;
        }
        if (*ret_found) {
            *ret_version = *version;
            version->data.count = 0;
        }
        version = versions_at(&former->others, i);
    }
    return true;
}

// What is made, or, if it cannot be, one that nothing is known of but its number.
static bool make_or_take(const struct production *p, struct former *former, const struct input *inputs,
                         int64_t number, struct version *ret_version, struct error *e) {
    struct error ignored;
    bool found = false;
    if (production_make_version(p, inputs, ret_version, e)) {
        return true;
    }
    bool may_take = e->class != ERROR_NO_MEMORY && e->class != ERROR_INTERNAL;
    return may_take &&
           take_same(former, number, inputs[p->decoded->kind->leading_input].bytes, true, ret_version, &found,
                     &ignored) &&
           found;
}

// The output's version for one of the leading input's: inputs are those that it is made from.
static bool follow_one(const struct production *p, struct former *former, const struct input *inputs,
                       int64_t number, struct version *ret_version, struct error *e) {
    bool found;
    struct version version;
    const struct secret *bytes = inputs[p->decoded->kind->leading_input].bytes;
    if (!take_same(former, number, bytes, false, &version, &found, e) ||
        (!found && !make_or_take(p, former, inputs, number, &version, e))) {
        return false;
    }
    version.number = number;
    *ret_version = version;
    return digest_format(secret_view(bytes), secret_length(bytes), ret_version->input, e);
}

// Of a version that is not the present one nothing may be left to be made: its key may have gone.
static bool follow_other(struct production *p, struct former *former, const struct version *about,
                         bool is_next, struct error *e) {
    struct versions *versions = &p->versions;
    struct input inputs[KIND_INPUTS_MAX];
    struct version version = {0};
    if (input_version_bytes(about) == nullptr) {
        return true;
    }
    list_inputs(p, about, inputs);
    if (!follow_one(p, former, inputs, about->number, &version, e)) {
        version_done(&version);
        return e->class != ERROR_NO_MEMORY && e->class != ERROR_INTERNAL;
    }
    memcpy(version.active, about->active, sizeof(version.active));
    memcpy(version.retired, about->retired, sizeof(version.retired));
    if (is_next) {
        versions->has_next = true;
        versions->next = version;
    } else {
        versions->kept[versions->kept_count++] = version;
    }
    return true;
}

static bool follow_others(struct production *p, struct former *former, struct error *e) {
    const struct versions *led_by = leading(p)->versions;
    const struct version *about;
    for (size_t i = 0; (about = versions_get(led_by, i)) != nullptr; i++) {
        if (!follow_other(p, former, about, i == led_by->kept_count, e)) {
            return false;
        }
    }
    return true;
}

// Takes the versions besides the present one out of p: those that are as they were left; the others are
// freed.
static struct versions take_sound(struct production *p) {
    struct versions sound = p->versions;
    struct version *version;
    p->versions = (struct versions){0};
    for (size_t i = 0; (version = versions_at(&sound, i)) != nullptr; i++) {
        if (!production_is_sound(p, version)) {
            secret_data_done(&version->data);
        }
    }
    return sound;
}

bool production_follow_anew(struct production *p, struct error *e) {
    struct former former = {.others = take_sound(p)};
    bool done = true;
    if (production_follows(p)) {
        p->versions.number = leading(p)->versions->number;
        memcpy(p->versions.active, leading(p)->versions->active, sizeof(p->versions.active));
        done = follow_others(p, &former, e);
    }
    former_done(&former);
    return done;
}

bool production_follow_from(struct production *p, struct version *present, struct error *e) {
    const struct versions *led_by = leading(p)->versions;
    struct former former = {.present = *present, .others = p->versions};
    p->versions = (struct versions){0};
    *present = (struct version){0};
    bool done = follow_one(p, &former, p->inputs, led_by->number, present, e) && follow_others(p, &former, e);
    former_done(&former);
    if (!done) {
        version_done(present);
        return false;
    }
    memcpy(present->active, led_by->active, sizeof(present->active));
    present->retired[0] = '\0';
    return true;
}
