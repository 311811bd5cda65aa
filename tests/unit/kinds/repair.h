// Damage to an output, and what its kind makes of it.
#pragma once

#include "support.h"

// Rebuilds the output around what is left of it, and stores and inspects that. with_metadata: its metadata
// entry is read first. Where nothing can be rebuilt the output is as it was.
static inline bool subject_try_repair(struct subject *s, bool with_metadata, struct error *e) {
    struct production p = production_of(s);
    cleanup_json yyjson_doc *document = nullptr;
    p.is_stored = true;
    p.has_provenance = with_metadata;
    p.provenance = (struct provenance){0};
    if (with_metadata) {
        must(provenance_load(&s->data, kind_metadata_entry(s->kind), &p.provenance, &document, e), *e);
    }
    bool done = take_production(s, &p, production_repair(&p, e));
    if (!done) {
        assert_int_equal(ERR_peek_error(), 0);
    }
    return done;
}

// The output is whole afterwards.
static inline void subject_repair(struct subject *s, bool with_metadata) {
    struct error e;
    must(subject_try_repair(s, with_metadata, &e), e);
    assert_entries(s);
    assert_sound(s);
}

// It cannot be rebuilt: exactly this is said, and nothing was changed.
static inline void assert_not_repaired(struct subject *s, bool with_metadata, enum error_class class,
                                       const char *message) {
    struct error e = {0};
    size_t count = s->data.count;
    if (subject_try_repair(s, with_metadata, &e)) {
        fail_msg("it was repaired, wanted: %s", message);
    }
    assert_string_equal(e.message, message);
    assert_int_equal(e.class, class);
    assert_int_equal(s->data.count, count);
}

// ---- what people and programs do to an entry

enum damage { REMOVED, EMPTIED, CUT, LENGTHENED, OF_ANOTHER, DAMAGE_COUNT };

static const char *const damage_names[] = {"removed", "emptied", "cut", "lengthened", "of another"};

// other: what has the entry that takes its place.
static inline void damage_entry(struct subject *s, const char *key, enum damage damage,
                                const struct subject *other) {
    struct error e;
    const struct secret *entry = entry_of(s, key);
    cleanup_buffer struct buffer bytes = buffer_create(1 << 20);
    must(buffer_append(&bytes, secret_view(entry), secret_length(entry), &e), e);
    switch (damage) {
    case REMOVED:
        secret_free(remove_entry(s, key));
        break;
    case EMPTIED:
        replace_entry(s, key, "", 0);
        break;
    case CUT:
        replace_entry(s, key, bytes.data, bytes.length - 1);
        break;
    case LENGTHENED:
        must(buffer_append(&bytes, "\n", 1, &e), e);
        replace_entry(s, key, bytes.data, bytes.length);
        break;
    default:
        take_entry(s, key, other);
        break;
    }
}

static inline struct secret *copy_entry(const struct subject *s, const char *key) {
    struct error e;
    struct secret *copy = nullptr;
    const struct secret *entry = entry_of(s, key);
    must(secret_copy(secret_view(entry), secret_length(entry), &copy, &e), e);
    return copy;
}

static inline bool entry_is(const struct subject *s, const char *key, const struct secret *bytes) {
    return secret_equals(entry_of(s, key), secret_view(bytes), secret_length(bytes));
}

static inline bool same_entry(const struct subject *one, const char *key, const struct subject *other,
                              const char *other_key) {
    return entry_is(one, key, entry_of(other, other_key));
}

// ---- no memory

// With memory for so many allocations. Whether there was some left.
static inline bool repair_short(struct subject *s, long allocations, enum error_class expected) {
    struct error e = {0};
    const char *algorithm = nullptr;
    cleanup_secret_data struct secret_data left = s->data;
    s->data = (struct secret_data){0};
    s->context.previous = &left;
    memory_left = allocations;
    bool done = kind_repair(s->kind, s->decoded.spec, s->inputs, &s->context, &s->data, &algorithm, &e);
    bool plenty = memory_left > 0;
    memory_left = -1;
    ERR_clear_error();
    s->context.previous = nullptr;
    bool as_expected = (done ? ERROR_NONE : e.class) == expected;
    if (!as_expected && (plenty || done || e.class != ERROR_NO_MEMORY)) {
        fail_msg("repairing, allocation %ld: %s: %s", allocations, error_class_name(e.class), e.message);
    }
    if (done) {
        must(subject_inspect(s, &e), e); // all of it is there
    }
    copy_data(&left, &s->data);
    return plenty;
}

// Lets memory run out at each allocation of a repair in turn: what is left is never taken for lost, or for
// damaged in another way than it is. expected: NONE, or how the repair fails where memory is plenty.
static inline void assert_repair_survives_lack_of_memory(struct subject *s, bool with_metadata,
                                                         enum error_class expected) {
    struct provenance provenance = {0};
    cleanup_json yyjson_doc *document = nullptr;
    long rounds = 0;
    s->context.inputs = s->inputs;
    if (with_metadata) {
        struct error e;
        must(provenance_load(&s->data, kind_metadata_entry(s->kind), &provenance, &document, &e), e);
        s->context.previous_provenance = &provenance;
    }
    while (!repair_short(s, rounds, expected) && rounds < OUT_OF_MEMORY_ROUNDS) {
        rounds++;
    }
    s->context.previous_provenance = nullptr;
    assert_in_range(rounds, 1, OUT_OF_MEMORY_ROUNDS - 1);
}
