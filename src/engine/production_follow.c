// An output that has a version for each of one of its inputs.
#include "engine/input_versions.h"
#include "engine/production_internal.h"

#include <stdio.h>
#include <string.h>

static const struct input *leading(const struct production *p) {
    return &p->inputs[p->decoded->kind->leading_input];
}

bool production_follows(const struct production *p) {
    return p->decoded->kind->follows && input_is_loaded(leading(p)) && leading(p)->versions != nullptr;
}

// ---- what there is to be

enum place { PLACE_PRESENT, PLACE_NEXT, PLACE_KEPT, PLACE_COUNT = PLACE_KEPT + VERSIONS_KEPT_MAX };

// The version in that place, of those besides the present one; NULL: there is none.
static const struct version *version_in(const struct versions *versions, size_t place) {
    if (place == PLACE_NEXT) {
        return versions->has_next ? &versions->next : nullptr;
    }
    return place - PLACE_KEPT < versions->kept_count ? &versions->kept[place - PLACE_KEPT] : nullptr;
}

// The bytes of the leading input's version in that place; NULL: there is none, or it has none.
static const struct secret *find(const struct production *p, size_t place, const struct version **ret_about) {
    const struct version *version = version_in(leading(p)->versions, place);
    *ret_about = version;
    return version == nullptr ? nullptr : input_version_bytes(version);
}

// Whether version was made from those bytes, in the version of that number.
static bool is_of(const struct version *version, int64_t number, const struct secret *bytes, bool *ret_is,
                  struct error *e) {
    char digest[DIGEST_TEXT_SIZE];
    if (!digest_format(secret_view(bytes), secret_length(bytes), digest, e)) {
        return false;
    }
    bool is_known = version->input[0] != '\0'; // it is not where metadata was lost
    *ret_is = version->number == number && (!is_known || provenance_same_digest(version->input, digest));
    return true;
}

bool production_is_abreast(const struct production *p, bool *ret_is, struct error *e) {
    *ret_is = p->versions.number == leading(p)->versions->number;
    for (size_t place = PLACE_NEXT; *ret_is && place < PLACE_COUNT; place++) {
        const struct version *about;
        const struct secret *bytes = find(p, place, &about);
        const struct version *version = version_in(&p->versions, place);
        if (bytes == nullptr || version == nullptr) {
            *ret_is = bytes == nullptr && version == nullptr;
        } else if (!is_of(version, about->number, bytes, ret_is, e)) {
            return false;
        }
    }
    return true;
}

bool production_present_changes(const struct production *p) {
    struct version present = {0};
    struct error ignored;
    bool is_same = false;
    snprintf(present.input, sizeof(present.input), "%s",
             provenance_find_input(&p->provenance, leading(p)->field));
    return !is_of(&present, 0, leading(p)->bytes, &is_same, &ignored) || !is_same;
}

bool production_input_is_kept(const struct production *p) {
    const struct versions *versions = leading(p)->versions;
    struct version present = {0};
    bool is_kept = false;
    snprintf(present.input, sizeof(present.input), "%s",
             provenance_find_input(&p->provenance, leading(p)->field));
    for (size_t i = 0; versions != nullptr && !is_kept && i < versions->kept_count; i++) {
        const struct secret *bytes = input_version_bytes(&versions->kept[i]);
        struct error ignored;
        is_kept = bytes != nullptr && is_of(&present, 0, bytes, &is_kept, &ignored) && is_kept;
    }
    return is_kept;
}

// ---- making it

// All that p has had, by their places.
struct former {
    struct version versions[PLACE_COUNT];
};

static void take_former(struct production *p, struct version *present, struct former *former) {
    struct versions *versions = &p->versions;
    former->versions[PLACE_PRESENT] = *present;
    former->versions[PLACE_NEXT] = versions->next;
    for (size_t i = 0; i < versions->kept_count; i++) {
        former->versions[PLACE_KEPT + i] = versions->kept[i];
    }
    *versions = (struct versions){0};
}

static void former_done(struct former *former) {
    for (size_t i = 0; i < PLACE_COUNT; i++) {
        version_done(&former->versions[i]);
    }
}

// One that was made from the same before; taken.
static bool take_same(struct former *former, int64_t number, const struct secret *bytes,
                      struct version *ret_version, bool *ret_found, struct error *e) {
    *ret_found = false;
    for (size_t i = 0; !*ret_found && i < PLACE_COUNT; i++) {
        struct version *version = &former->versions[i];
        if (version->data.count > 0 && !is_of(version, number, bytes, ret_found, e)) {
            return false;
        }
        if (*ret_found) {
            *ret_version = *version;
            *version = (struct version){0};
        }
    }
    return true;
}

// The output's version for one of the leading input's: inputs are those that it is made from.
static bool follow_one(const struct production *p, struct former *former, const struct input *inputs,
                       int64_t number, struct version *ret_version, struct error *e) {
    bool found;
    const struct secret *bytes = inputs[p->decoded->kind->leading_input].bytes;
    if (!take_same(former, number, bytes, ret_version, &found, e) ||
        (!found && !production_make_version(p, inputs, ret_version, e))) {
        return false;
    }
    ret_version->number = number;
    return true;
}

// Of a version that is not the present one nothing may be left to be made: its key may have gone.
static bool follow_other(struct production *p, struct former *former, size_t place, struct error *e) {
    struct versions *versions = &p->versions;
    struct input inputs[KIND_INPUTS_MAX];
    struct version version;
    const struct version *about;
    const struct secret *bytes = find(p, place, &about);
    if (bytes == nullptr) {
        return true;
    }
    memcpy(inputs, p->inputs, sizeof(inputs));
    inputs[p->decoded->kind->leading_input].bytes = bytes;
    inputs[p->decoded->kind->leading_input].made_for = about->input; // "": of a key that nobody has
    if (!follow_one(p, former, inputs, about->number, &version, e)) {
        return e->class != ERROR_NO_MEMORY && e->class != ERROR_INTERNAL;
    }
    memcpy(version.active, about->active, sizeof(version.active));
    memcpy(version.retired, about->retired, sizeof(version.retired));
    if (place == PLACE_NEXT) {
        versions->has_next = true;
        versions->next = version;
    } else {
        versions->kept[versions->kept_count++] = version;
    }
    return true;
}

static bool follow_others(struct production *p, struct former *former, struct error *e) {
    for (size_t place = PLACE_NEXT; place < PLACE_COUNT; place++) {
        if (!follow_other(p, former, place, e)) {
            return false;
        }
    }
    return true;
}

static void note_dropped(struct production *p) {
    for (size_t i = 0; i < p->read_count; i++) {
        bool is_kept = false;
        for (size_t j = 0; j < p->versions.kept_count; j++) {
            is_kept = is_kept || p->versions.kept[j].number == p->read[i];
        }
        if (!is_kept) {
            production_note_dropped(p, &(struct version){.number = p->read[i]});
        }
    }
}

// Of the versions besides the present one those that are as they were left; the others are freed.
static void take_sound(struct production *p, struct former *former) {
    struct version nothing = {0};
    take_former(p, &nothing, former);
    for (size_t i = PLACE_NEXT; i < PLACE_COUNT; i++) {
        struct version *version = &former->versions[i];
        if (version->data.count > 0 && !production_is_sound(p, version)) {
            version_done(version);
        }
    }
}

bool production_follow_anew(struct production *p, struct error *e) {
    struct former former = {0};
    take_sound(p, &former);
    if (production_follows(p)) {
        p->versions.number = leading(p)->versions->number;
        memcpy(p->versions.active, leading(p)->versions->active, sizeof(p->versions.active));
        if (!follow_others(p, &former, e)) {
            former_done(&former);
            return false;
        }
    }
    former_done(&former);
    note_dropped(p);
    return true;
}

bool production_follow_from(struct production *p, struct version *present, struct error *e) {
    const struct versions *led_by = leading(p)->versions;
    struct former former = {0};
    struct version made;
    take_former(p, present, &former);
    bool done = follow_one(p, &former, p->inputs, led_by->number, &made, e);
    if (done) {
        memcpy(made.active, led_by->active, sizeof(made.active));
        made.retired[0] = '\0';
        *present = made;
        done = follow_others(p, &former, e);
    } else {
        *present = (struct version){0};
    }
    former_done(&former);
    if (!done) {
        version_done(present);
        return false;
    }
    note_dropped(p);
    return true;
}
