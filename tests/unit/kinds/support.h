// What the tests of this folder share: an object of a kind, taken through the steps that the controller takes
// it through, with no API server.
#pragma once

#include "../crypto/support.h"
#include "../json/quoted.h"
#include "short_secrets.h"

#include "crypto/encoding.h"
#include "engine/production.h"
#include "kinds/table.h"
#include "json/write.h"

enum {
    STATUS_MAX = 64 * 1024, // bytes
    OUT_OF_MEMORY_ROUNDS = 100000,
};

static const char some_time[] = "2026-01-02T03:04:05Z";
enum { SOME_SECONDS = 1767323045 }; // the same

struct subject {
    const struct kind *kind;
    yyjson_doc *document;                        // owned: the spec
    struct decoded decoded;                      // owned
    struct input inputs[KIND_INPUTS_MAX];        // for the test to give
    struct secret *input_bytes[KIND_INPUTS_MAX]; // owned
    struct produce_context context;              // for the test to set
    char *recorded[4];                           // owned: what context.record has of subject_remember

    struct secret_data data;         // owned
    struct provenance provenance;    // as it was made, then as it was read
    yyjson_doc *provenance_document; // owned
    struct report report;            // its status is owned
};

static inline void subject_free(struct subject *s) {
    decoded_done(&s->decoded);
    json_free(s->document);
    for (size_t i = 0; i < KIND_INPUTS_MAX; i++) {
        secret_free(s->input_bytes[i]);
    }
    for (size_t i = 0; i < sizeof(s->recorded) / sizeof(s->recorded[0]); i++) {
        memory_free(s->recorded[i]);
    }
    secret_data_done(&s->data);
    json_free(s->provenance_document);
    json_mut_free(s->report.status);
}
#define cleanup_subject [[gnu::cleanup(subject_free)]]

static inline bool subject_try_read(const struct kind *kind, const char *spec, struct subject *s,
                                    struct error *e) {
    *s = (struct subject){
        .kind = kind,
        .document = parse_quoted(spec),
        .context = {.now = SOME_SECONDS, .secret_name = "the-secret", .record = record_of_nothing},
    };
    return decode_spec(kind, "it", yyjson_doc_get_root(s->document), nullptr, nullptr, &s->decoded, e);
}

// A good spec, in which ' stands for ".
static inline struct subject subject_read(const struct kind *kind, const char *spec) {
    struct error e;
    struct subject s;
    must(subject_try_read(kind, spec, &s, &e), e);
    return s;
}

// A bad spec, and the whole message that says so.
static inline void assert_faults(const struct kind *kind, const char *spec, const char *message) {
    struct error e = {0};
    cleanup_subject struct subject s = {0};
    if (subject_try_read(kind, spec, &s, &e)) {
        fail_msg("%s was accepted, wanted: %s", spec, message);
    }
    assert_int_equal(e.class, ERROR_INVALID_SPEC);
    assert_string_equal(e.message, message);
}

static inline void assert_good_spec(const struct kind *kind, const char *spec) {
    cleanup_subject struct subject s = subject_read(kind, spec);
}

// algorithm: that of the resource which the input comes from, or NULL.
static inline void subject_give(struct subject *s, size_t index, const char *algorithm, const void *bytes,
                                size_t length) {
    struct error e;
    assert_in_range(index, 0, s->decoded.request_count - 1);
    secret_free(s->input_bytes[index]);
    must(secret_copy(bytes, length, &s->input_bytes[index], &e), e);
    s->inputs[index] = (struct input){
        .field = s->decoded.requests[index].field,
        .algorithm = algorithm,
        .bytes = s->input_bytes[index],
    };
}

static inline void subject_give_secret(struct subject *s, size_t index, const char *algorithm,
                                       const struct secret *bytes) {
    subject_give(s, index, algorithm, secret_view(bytes), secret_length(bytes));
}

// Lends the engine what s has.
static inline struct production production_of(struct subject *s) {
    struct production p = {
        .decoded = &s->decoded,
        .context = s->context,
        .data = s->data,
        .provenance = s->provenance,
        .report = s->report,
    };
    memcpy(p.inputs, s->inputs, sizeof(p.inputs));
    return p;
}

// Takes back what the engine has made of it.
static inline bool take_production(struct subject *s, struct production *p, bool done) {
    s->context = p->context;
    s->context.inputs = s->inputs;
    s->data = p->data;
    s->provenance = p->provenance;
    s->report = p->report;
    return done;
}

static inline bool subject_inspect(struct subject *s, struct error *e) {
    s->context.inputs = s->inputs;
    struct production p = production_of(s);
    return take_production(s, &p, production_inspect(&p, e));
}

// Lets one take the place of the other's data, with all its entries.
static inline void copy_data(const struct secret_data *from, struct secret_data *to) {
    struct error e;
    secret_data_done(to);
    for (size_t i = 0; i < from->count; i++) {
        struct secret *value = nullptr;
        const struct secret_entry *entry = &from->entries[i];
        must(secret_copy(secret_view(entry->value), secret_length(entry->value), &value, &e), e);
        must(secret_data_add(to, entry->key, value, &e), e);
    }
}

// Makes the output, checks it, and adds its metadata; in the place of what context.previous has, if the test
// has set it.
static inline bool subject_try_make(struct subject *s, struct error *e) {
    const struct secret_data *previous = s->context.previous;
    const struct provenance *previous_provenance = s->context.previous_provenance;
    secret_data_done(&s->data);
    struct production p = production_of(s);
    if (previous != nullptr) {
        copy_data(previous, &p.data);
    }
    if (previous != nullptr || previous_provenance != nullptr) {
        p.is_stored = true;
        p.has_provenance = previous_provenance != nullptr;
        p.provenance = p.has_provenance ? *previous_provenance : (struct provenance){0};
    }
    bool done = take_production(s, &p, production_make(&p, e));
    s->context.previous = previous;
    s->context.previous_provenance = previous_provenance;
    return done;
}

// For a kind without an output Secret: its evaluation, in report.
static inline bool subject_try_verdict(struct subject *s, struct error *e) {
    struct production p = production_of(s);
    return take_production(s, &p, production_evaluate(&p, e));
}

static inline void subject_make(struct subject *s) {
    struct error e;
    must(subject_try_make(s, &e), e);
}

static inline const char *status_member(const struct report *report, const char *field) {
    const char *text = yyjson_mut_get_str(yyjson_mut_obj_get(yyjson_mut_doc_get_root(report->status), field));
    return text == nullptr ? "" : text;
}

// Lets the object's status say of the output what source's last inspection has reported. is_current: that it
// was made from what there is now.
static inline void subject_remember(struct subject *s, const struct subject *source, bool is_current) {
    const char *const texts[] = {source->report.fingerprint, source->report.digest,
                                 status_member(&source->report, "publicKeyDigest"),
                                 status_member(&source->report, "ciphertext")};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char *copy = memory_copy_text(texts[i]);
        memory_free(s->recorded[i]);
        s->recorded[i] = copy;
    }
    s->context.record = (struct record){
        .fingerprint = s->recorded[0],
        .digest = s->recorded[1],
        .public_key_digest = s->recorded[2],
        .ciphertext = s->recorded[3],
        .public_key_pem = "",
        .is_current = is_current,
    };
    s->context.previous_is_current = is_current;
}

static inline void subject_forget(struct subject *s) {
    s->context.record = record_of_nothing;
}

// The output as the `data` of a Secret, owned.
static inline yyjson_doc *data_of_secret(const struct subject *s) {
    struct error e;
    yyjson_doc *frozen = nullptr;
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    must(json_create(&document, &e), e);
    for (size_t i = 0; i < s->data.count; i++) {
        const struct secret_entry *entry = &s->data.entries[i];
        cleanup_buffer struct buffer text = buffer_create(1 << 20);
        must(base64_encode(secret_view(entry->value), secret_length(entry->value), &text, &e), e);
        (void)yyjson_mut_obj_add_strncpy(document, yyjson_mut_doc_get_root(document), entry->key,
                                         buffer_text(&text), text.length);
    }
    must(json_freeze(document, &frozen, &e), e);
    return frozen;
}

// Examines the output as one that was read from a Secret, whatever the status has recorded.
static inline bool subject_examine(struct subject *s, struct error *e) {
    const struct produce_context context = s->context;
    cleanup_json yyjson_doc *secret = data_of_secret(s);
    enum output_state state = OUTPUT_ABSENT;
    struct error damage = {0};
    json_free(s->provenance_document);
    s->provenance_document = nullptr;
    s->context.record = record_of_nothing;
    struct production p = production_of(s);
    bool done = production_examine(&p, yyjson_doc_get_root(secret), &state, &damage, e);
    s->provenance_document = p.provenance_text;
    take_production(s, &p, done);
    s->context = context;
    if (done && state != OUTPUT_GOOD) {
        *e = damage;
        done = state != OUTPUT_DAMAGED && error_set(e, ERROR_CRYPTO, "it is stale: %s", p.changed);
    }
    return done && state == OUTPUT_GOOD;
}

static inline void assert_sound(struct subject *s) {
    struct error e;
    must(subject_examine(s, &e), e);
}

static inline void assert_damaged(struct subject *s, const char *part) {
    struct error e;
    must_fail(subject_examine(s, &e), e, ERROR_CRYPTO, part);
}

// As assert_damaged, by the kind's own inspection alone: whoever damaged the Secret made its metadata fit.
static inline void assert_inspection_fails(struct subject *s, const char *part) {
    struct error e;
    must_fail(subject_inspect(s, &e), e, ERROR_CRYPTO, part);
}

static inline const struct secret *entry_of(const struct subject *s, const char *key) {
    const struct secret *value = secret_data_get(&s->data, key);
    if (value == nullptr) {
        fail_msg("there is no entry %s", key);
    }
    return value;
}

// The output has exactly these entries and metadata.
static inline void assert_entries(const struct subject *s) {
    size_t count = 0;
    for (; s->kind->entries[count] != nullptr; count++) {
        (void)entry_of(s, s->kind->entries[count]);
    }
    (void)entry_of(s, kind_metadata_entry(s->kind));
    for (const struct list_entry *list = s->kind->lists; list != nullptr && list->name != nullptr; list++) {
        bool is_optional = strcmp(list->name, "ca.crt") != 0;
        count += is_optional && secret_data_get(&s->data, list->name) != nullptr ? 1 : 0;
    }
    assert_int_equal(s->data.count, count + 1);
}

static inline void replace_entry(struct subject *s, const char *key, const void *bytes, size_t length) {
    struct error e;
    for (size_t i = 0; i < s->data.count; i++) {
        if (strcmp(s->data.entries[i].key, key) == 0) {
            secret_free(s->data.entries[i].value);
            must(secret_copy(bytes, length, &s->data.entries[i].value, &e), e);
            return;
        }
    }
    fail_msg("there is no entry %s", key);
}

// Puts what other holds under key in the place of what s holds.
static inline void take_entry(struct subject *s, const char *key, const struct subject *other) {
    const struct secret *value = entry_of(other, key);
    replace_entry(s, key, secret_view(value), secret_length(value));
}

static inline void change_byte(struct subject *s, const char *key, size_t position) {
    for (size_t i = 0; i < s->data.count; i++) {
        if (strcmp(s->data.entries[i].key, key) == 0) {
            assert_in_range(position, 0, secret_length(s->data.entries[i].value) - 1);
            secret_bytes(s->data.entries[i].value)[position] ^= 0x01;
        }
    }
}

static inline struct secret *remove_entry(struct subject *s, const char *key) {
    for (size_t i = 0; i < s->data.count; i++) {
        if (strcmp(s->data.entries[i].key, key) == 0) {
            struct secret *value = s->data.entries[i].value;
            s->data.entries[i] = s->data.entries[--s->data.count];
            return value;
        }
    }
    fail_msg("there is no entry %s", key);
    return nullptr;
}

// Sets, or with json NULL removes, one member of the metadata entry, which must have it or must not (is_new);
// ' stands for ".
static inline void edit_metadata(struct subject *s, const char *member, const char *json, bool is_new) {
    struct error e;
    const struct secret *entry = entry_of(s, kind_metadata_entry(s->kind));
    cleanup_json yyjson_doc *document = nullptr;
    must(json_parse((const char *)secret_view(entry), secret_length(entry), &document, &e), e);
    cleanup_json_mut yyjson_mut_doc *changed = yyjson_doc_mut_copy(document, nullptr);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(changed);
    assert_int_equal(yyjson_mut_obj_remove_key(root, member) == nullptr, is_new);
    if (json != nullptr) {
        cleanup_json yyjson_doc *value = parse_quoted(json);
        assert_true(yyjson_mut_obj_add_val(changed, root, member,
                                           yyjson_val_mut_copy(changed, yyjson_doc_get_root(value))));
    }
    cleanup_buffer struct buffer text = buffer_create(STATUS_MAX);
    must(json_write(changed, &text, &e), e);
    replace_entry(s, kind_metadata_entry(s->kind), text.data, text.length);
}

static inline void change_metadata(struct subject *s, const char *member, const char *json) {
    edit_metadata(s, member, json, false);
}

static inline void add_metadata(struct subject *s, const char *member, const char *json) {
    edit_metadata(s, member, json, true);
}

// Takes out, cuts, lengthens and changes each entry in turn: none of it may pass, and all of it must be put
// right again. The output must be sound before.
static inline void assert_damage_is_found(struct subject *s) {
    assert_sound(s);
    for (const char *const *key = s->kind->entries; *key != nullptr; key++) {
        struct error e;
        struct secret *whole = remove_entry(s, *key);
        size_t length = secret_length(whole);
        assert_damaged(s, *key);
        cleanup_buffer struct buffer bytes = buffer_create(length + 1);
        must(buffer_append(&bytes, secret_view(whole), length, &e), e);
        must(buffer_append(&bytes, "\n", 1, &e), e);
        must(secret_data_add(&s->data, *key, whole, &e), e);
        const size_t lengths[] = {0, length - 1, length + 1};
        for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            replace_entry(s, *key, bytes.data, lengths[i]);
            assert_damaged(s, *key);
        }
        replace_entry(s, *key, bytes.data, length);
        const size_t positions[] = {0, 1, length / 3, length / 2, length - 2, length - 1};
        for (size_t i = 0; i < sizeof(positions) / sizeof(positions[0]); i++) {
            change_byte(s, *key, positions[i]);
            assert_damaged(s, *key);
            change_byte(s, *key, positions[i]);
        }
        assert_sound(s);
    }
}

// What is no metadata entry, and what is none of this output: nothing of it may pass.
static inline void assert_bad_metadata_is_found(struct subject *s) {
    struct error e;
    assert_sound(s);
    struct secret *whole = remove_entry(s, kind_metadata_entry(s->kind));
    assert_damaged(s, " is missing");
    cleanup_buffer struct buffer text = buffer_create(1 << 20);
    must(buffer_append(&text, secret_view(whole), secret_length(whole), &e), e);
    must(secret_data_add(&s->data, kind_metadata_entry(s->kind), whole, &e), e);
    static const char *const texts[] = {"",     "{}",           "[]",
                                        "null", "\"metadata\"", "{\"algorithm\":\"ML-KEM-768\"}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        replace_entry(s, kind_metadata_entry(s->kind), texts[i], strlen(texts[i]));
        assert_damaged(s, kind_metadata_entry(s->kind));
    }
    replace_entry(s, kind_metadata_entry(s->kind), text.data, text.length - 1);
    assert_damaged(s, kind_metadata_entry(s->kind));
    static const char *const members[] = {"algorithm", "fingerprint"};
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        replace_entry(s, kind_metadata_entry(s->kind), text.data, text.length);
        change_metadata(s, members[i], "'Rot13'");
        assert_damaged(s, "");
        replace_entry(s, kind_metadata_entry(s->kind), text.data, text.length);
        change_metadata(s, members[i], nullptr);
        assert_damaged(s, "");
    }
    replace_entry(s, kind_metadata_entry(s->kind), text.data, text.length);
    assert_sound(s);
}

// The status fields of the last inspection; ' stands for ".
static inline void assert_status(const struct subject *s, const char *expected) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(STATUS_MAX);
    must(json_write(s->report.status, &text, &e), e);
    for (size_t i = 0; i < text.length; i++) {
        text.data[i] = (char)(text.data[i] == '"' ? '\'' : text.data[i]);
    }
    assert_string_equal(buffer_text(&text), expected);
}

static inline const char *status_text(const struct subject *s, const char *field) {
    const char *text = status_member(&s->report, field);
    if (text[0] == '\0') {
        fail_msg("the status has no text %s", field);
    }
    return text;
}

static inline void assert_fingerprint_of(const struct subject *s, const void *bytes, size_t length) {
    struct error e;
    char fingerprint[FINGERPRINT_SIZE];
    must(fingerprint_compute(bytes, length, fingerprint, &e), e);
    assert_string_equal(s->report.fingerprint, fingerprint);
}

// What is public has its digest shown.
static inline void assert_digest_of(const struct subject *s, const void *bytes, size_t length) {
    struct error e;
    char digest[DIGEST_TEXT_SIZE];
    must(digest_format(bytes, length, digest, &e), e);
    assert_string_equal(s->report.digest, digest);
}

static inline void assert_public_digest(const struct subject *s, const struct secret *bytes) {
    assert_fingerprint_of(s, secret_view(bytes), secret_length(bytes));
    assert_digest_of(s, secret_view(bytes), secret_length(bytes));
}

// The parameters as text, owned.
static inline char *parameters_text(const char *spec, const struct kind *kind) {
    struct error e;
    cleanup_subject struct subject s = subject_read(kind, spec);
    cleanup_buffer struct buffer parameters = buffer_create(32 * 1024);
    must(kind->describe_parameters(s.decoded.spec, &parameters, &e), e);
    return memory_copy_text(buffer_text(&parameters));
}

static inline void assert_same_parameters(const struct kind *kind, const char *one, const char *other) {
    cleanup_text char *a = parameters_text(one, kind);
    cleanup_text char *b = parameters_text(other, kind);
    assert_string_equal(a, b);
}

static inline void assert_different_parameters(const struct kind *kind, const char *one, const char *other) {
    cleanup_text char *a = parameters_text(one, kind);
    cleanup_text char *b = parameters_text(other, kind);
    assert_string_not_equal(a, b);
}

// The normal form of an input, of which its fingerprint is made, is these bytes.
static inline void assert_normal(const struct subject *s, size_t index, const void *bytes, size_t length) {
    struct error e;
    cleanup_secret struct secret *normal = nullptr;
    must(s->kind->normalize(s->decoded.spec, s->inputs, index, &normal, &e), e);
    assert_non_null(normal);
    assert_true(secret_equals(normal, bytes, length));
}

// A request asks for what its field refers to.
static inline void assert_request(const struct subject *s, size_t index, const char *field,
                                  const char *name) {
    assert_in_range(index, 0, s->decoded.request_count - 1);
    assert_string_equal(s->decoded.requests[index].field, field);
    assert_string_equal(s->decoded.requests[index].reference.name, name);
}

// The sources of a request, as "Kind:data_key!" divided by spaces: no data_key where it is the reference's, !
// for those that are looked at by default.
static inline void assert_sources(const struct subject *s, size_t index, const char *expected) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(1024);
    for (const struct input_source *source = s->decoded.requests[index].sources; source->kind != nullptr;
         source++) {
        must(buffer_append_format(&text, &e, "%s%s:%s%s", text.length > 0 ? " " : "", source->kind,
                                  source->data_key == nullptr ? "" : source->data_key,
                                  source->by_default ? "!" : ""),
             e);
    }
    assert_string_equal(buffer_text(&text), expected);
}

// With memory for so many allocations. Whether there was some left.
static inline bool produce_short(struct subject *s, long allocations) {
    struct error e = {0};
    const char *algorithm = nullptr;
    secret_data_done(&s->data);
    memory_left = allocations;
    bool done = kind_produce(s->kind, s->decoded.spec, s->inputs, &s->context, &s->data, &algorithm, &e);
    bool plenty = memory_left > 0;
    memory_left = -1;
    ERR_clear_error();
    if (done) {
        must(subject_inspect(s, &e), e); // all of it is there
    } else if (plenty || e.class != ERROR_NO_MEMORY) {
        fail_msg("producing, allocation %ld: %s: %s", allocations, error_class_name(e.class), e.message);
    }
    return plenty;
}

// As produce_short. A status that could not be written down whole must not be written at all.
static inline bool inspect_short(struct subject *s, long allocations, const char *whole_status) {
    struct error e = {0};
    cleanup_buffer struct buffer status = buffer_create(STATUS_MAX);
    json_mut_free(s->report.status);
    s->report = (struct report){0};
    must(json_create(&s->report.status, &e), e);
    memory_left = allocations;
    bool done = kind_inspect(s->kind, s->decoded.spec, &s->data, &s->provenance, &s->context, &s->report, &e);
    bool plenty = memory_left > 0;
    memory_left = -1;
    ERR_clear_error();
    if (done && json_write(s->report.status, &status, &e)) {
        assert_string_equal(buffer_text(&status), whole_status);
        assert_string_equal(s->report.fingerprint, s->provenance.fingerprint);
    } else if (plenty || e.class != ERROR_NO_MEMORY) {
        fail_msg("inspecting, allocation %ld: %s: %s", allocations, error_class_name(e.class), e.message);
    }
    return plenty;
}

// Lets memory run out at each allocation of making and inspecting in turn: that is never a fault of the spec,
// nor a leak, nor half a result. (OpenSSL does not always say that it was memory, so CRYPTO, which is tried
// again, too, will do.)
static inline void assert_survives_lack_of_memory(struct subject *s) {
    struct error e;
    long rounds = 0;
    subject_make(s); // what OpenSSL keeps for good is there now
    while (!produce_short(s, rounds) && rounds < OUT_OF_MEMORY_ROUNDS) {
        rounds++;
    }
    assert_in_range(rounds, 2, OUT_OF_MEMORY_ROUNDS - 1);
    rounds = 0;
    subject_make(s);
    cleanup_buffer struct buffer status = buffer_create(STATUS_MAX);
    must(json_write(s->report.status, &status, &e), e);
    while (!inspect_short(s, rounds, buffer_text(&status)) && rounds < OUT_OF_MEMORY_ROUNDS) {
        rounds++;
    }
    assert_in_range(rounds, 2, OUT_OF_MEMORY_ROUNDS - 1);
}
