// An output Secret as it is read: good ones of every kind, with what somebody has done to them. The input
// says it in JSON: {"kind": "QuantumKEMKeyPair", "data": {"private_key": null, "public_key": [0, 255],
// "metadata": "bad"}, "provenance": {"algorithm": "x"}, "recorded": true}. An entry is gone (null), is
// another text (in base64 as it stands), or has other bytes at some positions; provenance is a merge patch of
// the metadata entry; recorded: the status says what was made.
#include "outputs.h"

// ---- what was done to it

static void damage(char *bytes, size_t length, yyjson_val *edits) {
    for (size_t i = 0; length > 0 && i + 1 < yyjson_arr_size(edits); i += 2) {
        int64_t at = json_integer(yyjson_arr_get(edits, i), 0);
        int64_t byte = json_integer(yyjson_arr_get(edits, i + 1), 0);
        bytes[(size_t)at % length] = (char)byte;
    }
}

static yyjson_mut_val *encoded(yyjson_mut_doc *document, const void *bytes, size_t length) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(DOCUMENT_TEXT_MAX);
    MUST(base64_encode(bytes, length, &text, &e), e);
    return yyjson_mut_strncpy(document, buffer_text(&text), text.length);
}

static yyjson_mut_val *patched_provenance(yyjson_mut_doc *document, const struct secret *entry,
                                          yyjson_val *patch) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(DOCUMENT_TEXT_MAX);
    yyjson_doc *original = json_of(secret_view(entry), secret_length(entry));
    yyjson_doc *other = patched(yyjson_doc_get_root(original), patch);
    cleanup_json_mut yyjson_mut_doc *copy = yyjson_doc_mut_copy(other, nullptr);
    MUST(json_write(copy, &text, &e), e);
    json_free(original);
    json_free(other);
    return encoded(document, buffer_text(&text), text.length);
}

static yyjson_mut_val *edited_entry(yyjson_mut_doc *document, const struct secret_entry *entry,
                                    yyjson_val *edit) {
    if (yyjson_is_str(edit) || yyjson_is_null(edit)) {
        return yyjson_val_mut_copy(document, edit);
    }
    char *bytes = memory_copy_span((const char *)secret_view(entry->value), secret_length(entry->value));
    CHECK(bytes != nullptr);
    damage(bytes, secret_length(entry->value), edit);
    yyjson_mut_val *value = encoded(document, bytes, secret_length(entry->value));
    memory_free(bytes);
    return value;
}

// The `data` as the input leaves it, owned.
static yyjson_doc *edited(const struct made *made, yyjson_val *input) {
    struct error e;
    yyjson_doc *result = nullptr;
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    yyjson_val *edits = yyjson_obj_get(input, "data");
    yyjson_val *patch = yyjson_obj_get(input, "provenance");
    MUST(json_create(&document, &e), e);
    for (size_t i = 0; i < made->p.data.count; i++) {
        const struct secret_entry *entry = &made->p.data.entries[i];
        bool is_metadata = strcmp(entry->key, kind_metadata_entry(made->kind)) == 0;
        yyjson_val *edit = yyjson_obj_get(edits, entry->key);
        yyjson_mut_val *value = is_metadata && yyjson_is_obj(patch)
                                    ? patched_provenance(document, entry->value, patch)
                                    : edited_entry(document, entry, edit);
        if (!yyjson_mut_is_null(value)) {
            (void)yyjson_mut_obj_add(yyjson_mut_doc_get_root(document),
                                     yyjson_mut_strcpy(document, entry->key), value);
        }
    }
    MUST(json_freeze(document, &result, &e), e);
    return result;
}

// ---- what is made of it

struct seen {
    struct production p;
    enum output_state state;
    struct error damage;
};

static void examine(const struct made *made, yyjson_val *entries, bool recorded, struct seen *seen) {
    struct error e = {0};
    *seen = (struct seen){.p = made->p};
    seen->p.data = (struct secret_data){0};
    seen->p.provenance = (struct provenance){0};
    seen->p.report = (struct report){0};
    if (recorded) {
        seen->p.context.record = (struct record){.fingerprint = made->p.report.fingerprint,
                                                 .digest = made->p.report.digest,
                                                 .public_key_digest = "",
                                                 .ciphertext = "",
                                                 .public_key_pem = "",
                                                 .is_current = true};
    }
    MUST(production_examine(&seen->p, entries, &seen->state, &seen->damage, &e), e);
}

static bool is_same_entry(const struct made *made, yyjson_val *entries, const char *key) {
    return json_equals(yyjson_obj_get(yyjson_doc_get_root(made->stored), key), yyjson_obj_get(entries, key));
}

static bool has_same_entries(const struct made *made, yyjson_val *entries) {
    bool same = true;
    for (size_t i = 0; i < made->p.data.count; i++) {
        const char *key = made->p.data.entries[i].key;
        same =
            same && (strcmp(key, kind_metadata_entry(made->kind)) == 0 || is_same_entry(made, entries, key));
    }
    return same;
}

// What is stored of p now is good, and reports the same.
static void check_stored(const struct made *made, const struct production *p) {
    struct seen again;
    cleanup_json yyjson_doc *stored = stored_form(&p->data);
    examine(made, yyjson_doc_get_root(stored), false, &again);
    if (again.state != OUTPUT_GOOD) {
        (void)fprintf(stderr, "%d: %s\n", (int)again.state, again.damage.message);
    }
    CHECK(again.state == OUTPUT_GOOD);
    CHECK(strcmp(again.p.report.fingerprint, p->report.fingerprint) == 0 &&
          strcmp(again.p.report.digest, p->report.digest) == 0);
    production_done(&again.p);
}

static void check_good(const struct made *made, struct seen *seen, bool same_metadata, bool same_entries) {
    struct error e;
    CHECK(seen->damage.class == ERROR_NONE && seen->p.has_provenance);
    CHECK(same_entries || !same_metadata);
    CHECK(seen->p.report.fingerprint[0] == '\0' ||
          strcmp(seen->p.report.fingerprint, seen->p.provenance.fingerprint) == 0);
    MUST(production_rewrite_provenance(&seen->p, &e), e);
    check_stored(made, &seen->p);
}

// Puts it right, and loses nothing that was whole.
static void check_repair(const struct made *made, struct seen *seen, yyjson_val *entries, bool same_entries) {
    static const char *const precious[] = {"random",     "private_key", "shared_secret",
                                           "ciphertext", "tls.key",     "key.pem"};
    struct error e = {0};
    size_t count = seen->p.data.count;
    bool can_repair = made->kind->repair != nullptr;
    bool done = can_repair ? production_repair(&seen->p, &e) : production_make(&seen->p, &e);
    if (!done) {
        bool is_lost = e.class == ERROR_KEY_LOST || e.class == ERROR_KEY_MISMATCH;
        check_refusal(&e, is_lost ? e.class : ERROR_CRYPTO);
        CHECK(can_repair && seen->p.data.count == count);
        return;
    }
    check_stored(made, &seen->p);
    cleanup_json yyjson_doc *stored = stored_form(&seen->p.data);
    for (size_t i = 0; can_repair && same_entries && i < sizeof(precious) / sizeof(precious[0]); i++) {
        CHECK(is_same_entry(made, yyjson_doc_get_root(stored), precious[i]));
    }
    (void)entries;
}

static void run(const struct made *made, yyjson_val *input) {
    struct seen seen;
    cleanup_json yyjson_doc *document = edited(made, input);
    yyjson_val *entries = yyjson_doc_get_root(document);
    bool same_metadata = is_same_entry(made, entries, kind_metadata_entry(made->kind));
    bool same_entries = has_same_entries(made, entries);
    examine(made, entries, yyjson_is_true(yyjson_obj_get(input, "recorded")), &seen);
    CHECK(seen.state != OUTPUT_ABSENT && seen.state != OUTPUT_DUE);
    CHECK(seen.state == OUTPUT_GOOD || !same_metadata || !same_entries);
    if (seen.state == OUTPUT_GOOD) {
        check_good(made, &seen, same_metadata, same_entries);
    } else if (seen.state == OUTPUT_STALE) {
        CHECK(!same_metadata && seen.p.changed[0] != '\0' && is_valid_text(seen.p.changed));
    } else {
        check_refusal(&seen.damage, ERROR_CRYPTO);
        check_repair(made, &seen, entries, same_entries);
    }
    production_done(&seen.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_json yyjson_doc *document = json_of(data, size);
    yyjson_val *input = yyjson_doc_get_root(document);
    const char *wanted = json_member_text(input, "kind");
    if (!yyjson_is_obj(input)) {
        return 0;
    }
    start_crypto();
    const struct made *all = make_outputs();
    for (size_t i = 0; i < MADE_COUNT; i++) {
        if (wanted == nullptr || strcmp(all[i].kind->kind, wanted) == 0) {
            run(&all[i], input);
        }
    }
    return 0;
}
