// The versions of an output that is rotated: read, verified, rebuilt and changed as a whole with the present
// one.
#include "engine/production_internal.h"

#include "json/write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static size_t leading(const struct production *p) {
    return p->decoded->kind->leading_input;
}

// ---- reading

static void fill_time(char text[CLOCK_TEXT_SIZE], int64_t seconds) {
    int64_t ignored;
    if (!clock_parse(text, &ignored)) {
        clock_format(seconds, text);
    }
}

// What nothing tells of is as if it had come to be now: it is kept for longer, and not for less long.
static void recall_all(struct production *p) {
    struct versions *versions = &p->versions;
    int64_t recorded = p->context.record.version;
    struct versions told;
    versions_recall(p->context.record.versions, recorded, &told);
    versions->number = recorded >= versions->number ? recorded : versions->number;
    bool is_next_told = told.has_next && told.next.number > versions->number;
    versions->next.number = is_next_told ? told.next.number : versions->number + 1;
    for (size_t i = 0; i < versions->kept_count; i++) {
        struct version *version = &versions->kept[i];
        version_recall(p->context.record.versions, version);
        fill_time(version->created, p->context.now);
        fill_time(version->active, p->context.now);
        fill_time(version->retired, p->context.now);
    }
    struct version present = {.number = versions->number};
    version_recall(p->context.record.versions, &present);
    fill_time(present.active, p->context.now);
    memcpy(versions->active, present.active, sizeof(versions->active));
    if (versions->has_next) {
        version_recall(p->context.record.versions, &versions->next);
        fill_time(versions->next.created, p->context.now);
    }
}

static void note_read(struct production *p) {
    const struct versions *versions = &p->versions;
    p->read_count = versions->kept_count;
    p->has_read_next = versions->has_next;
    for (size_t i = 0; i < versions->kept_count; i++) {
        const struct version *version = &versions->kept[i];
        p->read[i] = (struct version_name){.number = version->number};
        memcpy(p->read[i].fingerprint, version->fingerprint, sizeof(version->fingerprint));
    }
}

bool production_read_versions(struct production *p, yyjson_val *entries, struct error *ret_damage,
                              struct error *e) {
    const struct kind *kind = p->decoded->kind;
    versions_done(&p->versions);
    if (p->has_provenance &&
        !versions_load(yyjson_doc_get_root(p->provenance_text), p->provenance.created, &p->versions, e)) {
        return false;
    }
    if (!p->has_provenance) {
        versions_find(kind, entries, &p->versions);
        recall_all(p);
    }
    note_read(p);
    return versions_read(&p->versions, kind, entries, ret_damage, e);
}

// ---- verifying

// Metadata of its own for one version, as a kind looks at it.
static struct provenance provenance_of(const struct production *p, const struct version *version) {
    struct provenance provenance = {
        .algorithm = version->algorithm[0] != '\0' ? version->algorithm : p->provenance.algorithm,
        .digests = version->digests,
        .input_count = version->input[0] != '\0' && p->decoded->request_count > 0 ? 1 : 0,
    };
    memcpy(provenance.created, version->created, sizeof(provenance.created));
    memcpy(provenance.fingerprint, version->fingerprint, sizeof(provenance.fingerprint));
    if (provenance.input_count > 0) {
        provenance.inputs[0].field = p->decoded->requests[leading(p)].field;
        memcpy(provenance.inputs[0].digest, version->input, sizeof(version->input));
    }
    return provenance;
}

static struct produce_context context_of(const struct production *p, const struct version *version) {
    struct produce_context context = p->context;
    context.previous = nullptr;
    context.previous_provenance = nullptr;
    context.previous_is_current = true;
    context.previous_stays = true;
    context.may_lose_key = false;
    context.is_version = true;
    context.record = record_of_nothing;
    context.record.fingerprint = version->fingerprint;
    context.record.digest = version->digest;
    context.record.public_key_digest = version->input;
    return context;
}

// Lets the kind inspect one version, whose fingerprint and digest become those of what it holds. inputs: that
// it was made from, as far as they are known.
static bool inspect(const struct production *p, const struct input *inputs, struct version *version,
                    struct error *e) {
    const struct provenance provenance = provenance_of(p, version);
    struct produce_context context = context_of(p, version);
    context.inputs = inputs;
    struct report report = {0};
    bool good =
        json_create(&report.status, e) &&
        kind_inspect(p->decoded->kind, p->decoded->spec, &version->data, &provenance, &context, &report, e);
    if (good) {
        memcpy(version->fingerprint, report.fingerprint, sizeof(version->fingerprint));
        memcpy(version->digest, report.digest, sizeof(version->digest));
    }
    json_mut_free(report.status);
    return good;
}

// Whether all its entries are there, and those that metadata was written for: they were checked then.
static bool is_as_written(const struct production *p, const struct version *version) {
    const char *entry;
    for (size_t i = 0; (entry = p->decoded->kind->entries[i]) != nullptr; i++) {
        bool is_there = secret_data_get(&version->data, entry) != nullptr &&
                        yyjson_obj_get(version->digests, entry) != nullptr;
        if (!is_there && kind_find_list(p->decoded->kind, entry) == nullptr) {
            return false;
        }
    }
    return true;
}

static bool is_nothing_or(const char *said, const char *found) {
    return said[0] == '\0' || strcmp(said, found) == 0;
}

// Whether its fingerprint and digest are those of what it holds, its first entry and its first public one:
// others know the version by them.
static bool check_names(const struct production *p, const struct version *version, struct error *e) {
    const struct kind *kind = p->decoded->kind;
    const struct secret *named = secret_data_get(&version->data, kind->entries[0]);
    const struct secret *public =
        kind->public_entries == nullptr ? nullptr : secret_data_get(&version->data, kind->public_entries[0]);
    char fingerprint[FINGERPRINT_SIZE] = "";
    char digest[DIGEST_TEXT_SIZE] = "";
    if ((named != nullptr &&
         !fingerprint_compute(secret_view(named), secret_length(named), fingerprint, e)) ||
        (public != nullptr && !digest_format(secret_view(public), secret_length(public), digest, e))) {
        return false;
    }
    return ((fingerprint[0] == '\0' || is_nothing_or(version->fingerprint, fingerprint)) &&
            (digest[0] == '\0' || is_nothing_or(version->digest, digest))) ||
           error_set(e, ERROR_CRYPTO, "it is not what the metadata says that it is");
}

// What a kind reads to know its name is inspected each time.
static bool verify(const struct production *p, const struct version *version, struct error *e) {
    struct version found = *version;
    const struct provenance provenance = provenance_of(p, version);
    bool is_read = p->decoded->kind->is_other_version != nullptr;
    if (!provenance_check_entries(&provenance, &version->data, e) ||
        (!is_read && !check_names(p, version, e))) {
        return false;
    }
    if (!is_read && is_as_written(p, version)) {
        return true;
    }
    if (!inspect(p, p->inputs, &found, e)) {
        return false;
    }
    return (strcmp(found.fingerprint, version->fingerprint) == 0 &&
            (!is_read || is_nothing_or(version->digest, found.digest))) ||
           error_set(e, ERROR_CRYPTO, "its fingerprint is %s, and the metadata says %s", found.fingerprint,
                     version->fingerprint);
}

bool production_is_sound(const struct production *p, const struct version *version) {
    struct error ignored;
    bool is_known = version->digests != nullptr || version->fingerprint[0] != '\0';
    return is_known && verify(p, version, &ignored);
}

bool production_verify_versions(struct production *p, struct error *e) {
    const struct version *version;
    for (size_t i = 0; (version = versions_get(&p->versions, i)) != nullptr; i++) {
        if (!verify(p, version, e)) {
            return error_wrap(e, "version %" PRId64 " of the %s", version->number, p->decoded->kind->output);
        }
    }
    return true;
}

// ---- rebuilding

// Whether what was rebuilt is what metadata or status know of the version: somebody may have put another key
// there.
static bool is_the_same(const struct version *known, const struct version *rebuilt, struct error *e) {
    bool same_digest = known->digest[0] == '\0' || strcmp(known->digest, rebuilt->digest) == 0;
    bool same_name = known->fingerprint[0] == '\0' || strcmp(known->fingerprint, rebuilt->fingerprint) == 0;
    return (same_digest && same_name) ||
           error_set(
               e, ERROR_KEY_MISMATCH,
               "what the Secret holds of it is sound, and is %s, not %s; nothing was written. Restore the "
               "whole Secret; or remove what there is of that version",
               rebuilt->fingerprint, known->fingerprint);
}

static bool repair(struct production *p, struct version *version, struct error *e) {
    const struct provenance provenance = provenance_of(p, version);
    struct produce_context context = context_of(p, version);
    struct version rebuilt = *version;
    const char *algorithm = "";
    rebuilt.data = (struct secret_data){0};
    context.previous = &version->data;
    context.previous_provenance = version->digests != nullptr ? &provenance : nullptr;
    bool done =
        kind_repair(p->decoded->kind, p->decoded->spec, p->inputs, &context, &rebuilt.data, &algorithm, e);
    snprintf(rebuilt.algorithm, sizeof(rebuilt.algorithm), "%s", algorithm);
    if (!done || !inspect(p, p->inputs, &rebuilt, e) || !is_the_same(version, &rebuilt, e)) {
        secret_data_done(&rebuilt.data);
        return false;
    }
    rebuilt.digests = nullptr;
    production_remove_lists(p->decoded->kind, &rebuilt.data);
    secret_data_done(&version->data);
    *version = rebuilt;
    return true;
}

static bool repair_kept(struct production *p, size_t index, bool *ret_is_kept, struct error *e) {
    struct version *version = &p->versions.kept[index];
    struct error ignored;
    if (is_as_written(p, version) && verify(p, version, &ignored)) {
        *ret_is_kept = true;
        return true;
    }
    *ret_is_kept = repair(p, version, e);
    if (*ret_is_kept) {
        return true;
    }
    if (e->class == ERROR_KEY_LOST && p->context.may_lose_key) {
        versions_drop(&p->versions, index);
        return true;
    }
    p->is_version_lost = e->class == ERROR_KEY_LOST;
    return error_wrap(e, "version %" PRId64, version->number);
}

bool production_repair_versions(struct production *p, struct error *e) {
    struct versions *versions = &p->versions;
    p->is_version_lost = false;
    for (size_t i = 0; i < versions->kept_count;) {
        bool is_kept;
        if (!repair_kept(p, i, &is_kept, e)) {
            return false;
        }
        i += is_kept ? 1 : 0;
    }
    if (!versions->has_next || repair(p, &versions->next, e)) {
        return true;
    }
    if (e->class != ERROR_KEY_LOST) {
        return false;
    }
    version_done(&versions->next); // nobody has used it: another one is published in its place
    versions->has_next = false;
    return true;
}

// ---- changing

void production_number(struct production *p) {
    struct versions *versions = &p->versions;
    int64_t recorded = p->context.record.version;
    int64_t newest = versions->number > 0 || versions->kept_count > 0 ? versions_newest(versions) : 0;
    versions->number = (recorded > newest ? recorded : newest) + 1;
    if (versions->has_next) { // it stays what it is, and comes later
        versions->next.number = versions->number + 1;
    }
    clock_format(p->context.now, versions->active);
}

// Notes in version what it is made from.
static bool note_origin(const struct production *p, const struct input *led_by, struct version *version,
                        struct error *e) {
    struct provenance wanted = {0};
    if (p->decoded->request_count > 0) {
        return input_digest(led_by, version->input, e);
    }
    if (p->decoded->kind->is_other_version == nullptr) {
        return true;
    }
    if (!production_describe(p, nullptr, &wanted, e)) {
        return false;
    }
    memcpy(version->input, wanted.parameters, sizeof(version->input));
    return true;
}

// Fills version with what is made from inputs.
static bool fill(const struct production *p, const struct input *inputs, struct version *version,
                 struct error *e) {
    const struct kind *kind = p->decoded->kind;
    const struct input *led_by = &inputs[leading(p)];
    struct produce_context context = context_of(p, version);
    const char *algorithm = "";
    context.inputs = inputs;
    context.previous_is_current = false;
    context.previous_is_verified = true;
    context.previous = kind->is_other_version != nullptr ? &p->data : nullptr; // whose key may stay
    context.record = record_of_nothing;
    if (p->decoded->request_count > 0 && !input_is_loaded(led_by)) {
        return error_set(e, ERROR_INTERNAL, "spec.%s was not read for another version", led_by->field);
    }
    if (!kind_produce(kind, p->decoded->spec, inputs, &context, &version->data, &algorithm, e) ||
        !note_origin(p, led_by, version, e)) {
        return false;
    }
    production_remove_lists(kind, &version->data);
    clock_format(p->context.now, version->created);
    snprintf(version->algorithm, sizeof(version->algorithm), "%s", algorithm);
    if (!inspect(p, inputs, version, e)) {
        e->class = e->class == ERROR_NO_MEMORY ? ERROR_NO_MEMORY : ERROR_CRYPTO;
        return error_wrap(e, "checking what was made");
    }
    return true;
}

bool production_make_version(const struct production *p, const struct input *inputs,
                             struct version *ret_version, struct error *e) {
    int64_t recorded = p->context.record.version;
    int64_t newest = versions_newest(&p->versions);
    struct version version = {.number = (recorded > newest ? recorded : newest) + 1};
    if (!fill(p, inputs, &version, e)) {
        version_done(&version);
        return false;
    }
    *ret_version = version;
    return true;
}
