#include "../kinds/support.h"

static const char sixteen[] = "0123456789abcdef";
// SHA-256 of the above, and of it without its first character, by sha256sum.
#define SIXTEEN_FINGERPRINT "9f9f5111f7"
#define SIXTEEN_DIGEST "sha256:" SIXTEEN_FINGERPRINT "b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f"
#define FIFTEEN_DIGEST "sha256:781c4a776d8642e9e68ce52941b594819bbc42369d5e2b08c63f81f77524ce58"

// A digest that begins with these four digits and goes on with them.
#define DIGEST_OF(four)                                                                                      \
    "sha256:" four four four four four four four four four four four four four four four four
#define PARAMETERS DIGEST_OF("abcd")
#define A_DIGEST DIGEST_OF("aaaa")
#define B_DIGEST DIGEST_OF("bbbb")

static struct provenance whole_metadata(void) {
    struct provenance provenance = {
        .algorithm = "ML-KEM-768",
        .standard = "FIPS 203",
        .generator = "qubesec/0.2.0",
        .fingerprint = "0123456789",
        .parameters = PARAMETERS,
        .inputs = {{"publicKeyRef", A_DIGEST}, {"other", B_DIGEST}},
        .input_count = 2,
        .replaced = {"9876543210", "SecretDamaged", "it was damaged", "private key"},
    };
    memcpy(provenance.created, some_time, sizeof(some_time));
    return provenance;
}

#define COMMON                                                                                               \
    "{'algorithm':'ML-KEM-768','standard':'FIPS 203','sizes':{'long':16,'short':15},"                        \
    "'fingerprint':'0123456789','created':'2026-01-02T03:04:05Z','generator':'qubesec/0.2.0',"
#define SHORT_DIGESTS "'recipe':'abcdabcdab','inputs':{'publicKeyRef':'aaaaaaaaaa','other':'bbbbbbbbbb'},"

static const char whole_text[] = COMMON SHORT_DIGESTS
    "'replaced':{'fingerprint':'9876543210','reason':'SecretDamaged'},'digests':{'entries':{'long':"
    "'" SIXTEEN_DIGEST "','short':'" FIFTEEN_DIGEST "'},"
    "'recipe':'" PARAMETERS "','inputs':{'publicKeyRef':'" A_DIGEST "','other':'" B_DIGEST "'}}}";

// As version 0.1.0 writes it.
static const char brief_text[] =
    "{'algorithm':'ML-KEM-768','standard':'FIPS 203','sizes':{'long':16,'short':15},"
    "'fingerprints':{'long':'" SIXTEEN_FINGERPRINT "'},'fingerprint':'0123456789',"
    "'created':'2026-01-02T03:04:05Z','generator':'qubesec/0.1.0','recipe':'abcdabcdab',"
    "'inputs':{'publicKeyRef':'aaaaaaaaaa','other':'bbbbbbbbbb'}}";

// Data of two entries, with no metadata yet.
static struct secret_data two_entries(void) {
    struct error e;
    struct secret_data data = {0};
    must(secret_data_add_text(&data, "long", sixteen, &e), e);
    must(secret_data_add_text(&data, "short", sixteen + 1, &e), e);
    return data;
}

// The two entries, and this as their metadata.
static struct secret_data with_metadata(const char *text, size_t length) {
    struct error e;
    struct secret *entry = nullptr;
    struct secret_data data = two_entries();
    must(secret_copy(text, length, &entry, &e), e);
    must(secret_data_add(&data, "metadata", entry, &e), e);
    return data;
}

// A text with one piece replaced by another, as JSON; owned.
static char *edited_text(const char *original, const char *piece, const char *other) {
    struct error e;
    struct buffer text = buffer_create(10000);
    const char *place = strstr(original, piece);
    assert_non_null(place);
    must(buffer_append(&text, original, (size_t)(place - original), &e), e);
    must(buffer_append_text(&text, other, &e), e);
    must(buffer_append_text(&text, place + strlen(piece), &e), e);
    unquote(text.data);
    return text.data;
}

static char *edited(const char *piece, const char *other) {
    return edited_text(whole_text, piece, other);
}

static void refuse(const char *text, size_t length, const char *part) {
    struct error e;
    struct provenance provenance = {.algorithm = "untouched"};
    yyjson_doc *document = nullptr;
    cleanup_secret_data struct secret_data data = with_metadata(text, length);
    must_fail(provenance_load(&data, "metadata", &provenance, &document, &e), e, ERROR_CRYPTO, part);
    assert_string_equal(provenance.algorithm, "untouched");
    assert_null(document);
}

static void refuse_edited(const char *piece, const char *other, const char *part) {
    cleanup_text char *text = edited(piece, other);
    refuse(text, strlen(text), part);
}

static void refuse_edited_brief(const char *piece, const char *other, const char *part) {
    cleanup_text char *text = edited_text(brief_text, piece, other);
    refuse(text, strlen(text), part);
}

static struct provenance accept(const char *text, size_t length, yyjson_doc **ret_document) {
    struct error e;
    struct provenance provenance = {0};
    cleanup_secret_data struct secret_data data = with_metadata(text, length);
    must(provenance_load(&data, "metadata", &provenance, ret_document, &e), e);
    return provenance;
}

static void it_writes_what_it_is_told(void **) {
    struct error e;
    cleanup_secret_data struct secret_data data = two_entries();
    struct provenance provenance = whole_metadata();
    must(provenance_store(&provenance, "metadata", &data, &e), e);
    cleanup_text char *wanted = edited("", "");
    assert_true(secret_equals(secret_data_get(&data, "metadata"), wanted, strlen(wanted)));
    assert_int_equal(data.count, 3);
}

static void it_leaves_out_what_there_is_not(void **) {
    struct error e;
    cleanup_secret_data struct secret_data data = {0};
    struct provenance provenance = whole_metadata();
    provenance.fingerprint[0] = '\0';
    provenance.parameters[0] = '\0';
    provenance.input_count = 0;
    provenance.replaced = (struct replaced){0};
    must(provenance_store(&provenance, "metadata", &data, &e), e);
    static const char wanted[] = "{\"algorithm\":\"ML-KEM-768\",\"standard\":\"FIPS 203\",\"sizes\":{},"
                                 "\"created\":\"2026-01-02T03:04:05Z\",\"generator\":\"qubesec/0.2.0\","
                                 "\"digests\":{\"entries\":{},\"inputs\":{}}}";
    assert_true(secret_equals(secret_data_get(&data, "metadata"), wanted, strlen(wanted)));
}

static void it_reads_what_it_wrote(void **) {
    struct error e;
    cleanup_secret_data struct secret_data data = two_entries();
    cleanup_json yyjson_doc *document = nullptr;
    struct provenance provenance = whole_metadata();
    must(provenance_store(&provenance, "metadata", &data, &e), e);
    struct provenance loaded = {0};
    must(provenance_load(&data, "metadata", &loaded, &document, &e), e);
    assert_string_equal(loaded.algorithm, provenance.algorithm);
    assert_string_equal(loaded.standard, provenance.standard);
    assert_string_equal(loaded.generator, provenance.generator);
    assert_string_equal(loaded.created, provenance.created);
    assert_string_equal(loaded.fingerprint, provenance.fingerprint);
    assert_string_equal(loaded.parameters, provenance.parameters);
    assert_int_equal(loaded.input_count, 2);
    assert_string_equal(loaded.inputs[1].field, "other");
    assert_string_equal(loaded.inputs[0].field, "publicKeyRef");
    assert_string_equal(loaded.inputs[0].digest, A_DIGEST);
    assert_string_equal(loaded.inputs[1].digest, B_DIGEST);
    assert_true(provenance_same_inputs(&loaded, &provenance));
    assert_false(loaded.is_brief);
    assert_int_equal(yyjson_obj_size(loaded.sizes), 2);
    assert_int_equal(yyjson_obj_size(loaded.digests), 2);
}

// What it took the place of, so that a process that comes after a crash can tell of it.
static void what_was_replaced_comes_back(void **) {
    struct error e;
    static const struct replaced all[] = {
        {"9876543210", "SecretDamaged", "it was damaged", "private key"},
        {"", "SecretLost", "it was lost", ""},
        {"", "", "", ""},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        cleanup_secret_data struct secret_data data = two_entries();
        cleanup_json yyjson_doc *document = nullptr;
        struct provenance provenance = whole_metadata();
        struct provenance loaded = {0};
        provenance.replaced = all[i];
        must(provenance_store(&provenance, "metadata", &data, &e), e);
        must(provenance_load(&data, "metadata", &loaded, &document, &e), e);
        assert_string_equal(loaded.replaced.fingerprint, all[i].fingerprint);
        assert_string_equal(loaded.replaced.reason, all[i].reason);
        // What is told of it is not taken from where others can write.
        assert_string_equal(loaded.replaced.cause, "");
        assert_string_equal(loaded.replaced.gone, "");
    }
}

// ---- what version 0.1.0 wrote, and what it can read

static void what_an_earlier_version_wrote_is_read(void **) {
    cleanup_json yyjson_doc *document = nullptr;
    cleanup_text char *brief = edited_text(brief_text, "", "");
    const struct provenance now = whole_metadata();
    struct provenance provenance = accept(brief, strlen(brief), &document);
    assert_true(provenance.is_brief);
    assert_string_equal(provenance.algorithm, "ML-KEM-768");
    assert_string_equal(provenance.fingerprint, "0123456789");
    assert_string_equal(provenance.parameters, "abcdabcdab");
    assert_int_equal(provenance.input_count, 2);
    assert_string_equal(provenance_find_input(&provenance, "other"), "bbbbbbbbbb");
    assert_int_equal(yyjson_obj_size(provenance.digests), 1);
    assert_string_equal(provenance.replaced.reason, "");
    // It is no other output for that.
    assert_true(provenance_same_inputs(&provenance, &now));
    assert_true(provenance_same_inputs(&now, &provenance));
    assert_true(provenance_same_digest(provenance.parameters, now.parameters));
}

// An input that is not read again is known by its ten digits only, which stay where it looks for them.
static void what_is_known_in_brief_is_written_in_brief(void **) {
    struct error e;
    cleanup_secret_data struct secret_data data = two_entries();
    cleanup_json yyjson_doc *document = nullptr;
    struct provenance provenance = whole_metadata();
    memcpy(provenance.inputs[1].digest, "bbbbbbbbbb", FINGERPRINT_SIZE);
    must(provenance_store(&provenance, "metadata", &data, &e), e);
    const struct secret *entry = secret_data_get(&data, "metadata");
    must(json_parse((const char *)secret_view(entry), secret_length(entry), &document, &e), e);
    yyjson_val *root = yyjson_doc_get_root(document);
    assert_string_equal(json_text(json_find(root, "inputs", "other", nullptr)), "bbbbbbbbbb");
    assert_string_equal(json_text(json_find(root, "digests", "inputs", "other", nullptr)), "bbbbbbbbbb");
}

// What could not be written again is not taken.
static void no_text_is_too_long_to_be_written(void **) {
    char text[512];
    memset(text, 'q', sizeof(text) - 1);
    text[0] = text[256] = '\'';
    text[257] = '\0'; // 255 characters
    cleanup_text char *longest = edited("'qubesec/0.2.0'", text);
    cleanup_json yyjson_doc *document = nullptr;
    (void)accept(longest, strlen(longest), &document);
    memset(text, 'q', sizeof(text) - 1);
    text[0] = text[257] = '\'';
    text[258] = '\0';
    refuse_edited("'qubesec/0.2.0'", text, "no proper generator");
    refuse_edited("'recipe':'" PARAMETERS "'", "'recipe':'sha256:\xdf\x9e'", "no proper recipe");
}

// After a rollback: the first ten digits of everything are where it looks for them.
static void an_earlier_version_reads_what_is_written(void **) {
    struct error e;
    cleanup_secret_data struct secret_data data = two_entries();
    cleanup_json yyjson_doc *document = nullptr;
    struct provenance provenance = whole_metadata();
    must(provenance_store(&provenance, "metadata", &data, &e), e);
    const struct secret *entry = secret_data_get(&data, "metadata");
    must(json_parse((const char *)secret_view(entry), secret_length(entry), &document, &e), e);
    yyjson_val *root = yyjson_doc_get_root(document);
    yyjson_val *inputs = yyjson_obj_get(root, "inputs");
    assert_string_equal(json_member_text(root, "fingerprint"), "0123456789");
    assert_string_equal(json_member_text(root, "recipe"), "abcdabcdab");
    assert_string_equal(json_member_text(inputs, "publicKeyRef"), "aaaaaaaaaa");
    assert_string_equal(json_member_text(inputs, "other"), "bbbbbbbbbb");
    assert_int_equal(yyjson_obj_size(inputs), 2);
    assert_null(yyjson_obj_get(root, "fingerprints")); // which it need not have
}

// Where there are full digests the short ones say nothing.
static void short_digests_do_not_count_beside_full_ones(void **) {
    cleanup_json yyjson_doc *document = nullptr;
    cleanup_text char *text = edited(
        SHORT_DIGESTS, "'recipe':'cccccccccc','inputs':{'x':'y'},'fingerprints':{'long':'dddddddddd'},");
    struct provenance provenance = accept(text, strlen(text), &document);
    assert_false(provenance.is_brief);
    assert_string_equal(provenance.parameters, PARAMETERS);
    assert_string_equal(provenance_find_input(&provenance, "other"), B_DIGEST);
    assert_string_equal(provenance_find_input(&provenance, "x"), "");
    assert_string_equal(json_member_text(provenance.digests, "long"), SIXTEEN_DIGEST);
}

static void it_is_stored_once_and_where_there_is_room(void **) {
    struct error e;
    static const char *const keys[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    struct provenance provenance = whole_metadata();
    cleanup_secret_data struct secret_data data = {0};
    must(provenance_store(&provenance, "metadata", &data, &e), e);
    must_fail(provenance_store(&provenance, "metadata", &data, &e), e, ERROR_INTERNAL, "metadata");
    cleanup_secret_data struct secret_data full = {0};
    for (size_t i = 0; i < SECRET_DATA_MAX; i++) {
        must(secret_data_add_text(&full, keys[i], "", &e), e);
    }
    must_fail(provenance_store(&provenance, "metadata", &full, &e), e, ERROR_INTERNAL, "metadata");
}

static void what_is_optional_may_be_absent(void **) {
    cleanup_json yyjson_doc *document = nullptr;
    static const char text[] =
        "{\"created\":\"2026-01-02T03:04:05.678Z\",\"generator\":\"g\",\"standard\":\"s\","
        "\"algorithm\":\"a\",\"more\":{\"of\":[\"it\"]}}";
    struct provenance provenance = accept(text, strlen(text), &document);
    assert_string_equal(provenance.algorithm, "a");
    assert_string_equal(provenance.standard, "s");
    assert_string_equal(provenance.generator, "g");
    assert_string_equal(provenance.created, "2026-01-02T03:04:05.678Z");
    assert_string_equal(provenance.fingerprint, "");
    assert_string_equal(provenance.parameters, "");
    assert_int_equal(provenance.input_count, 0);
}

static void it_must_be_there(void **) {
    struct error e;
    struct provenance provenance = {0};
    yyjson_doc *document = nullptr;
    cleanup_secret_data struct secret_data data = two_entries();
    must_fail(provenance_load(&data, "metadata", &provenance, &document, &e), e, ERROR_CRYPTO,
              "the Secret's entry metadata is missing");
    assert_null(document);
}

static void it_must_be_json(void **) {
    static const char *const texts[] = {"", " ", "metadata", "{", "{}{}", "{\"algorithm\":}", "\xff\xfe"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        refuse(texts[i], strlen(texts[i]), "the Secret's entry metadata: not JSON at byte");
    }
    cleanup_text char *text = edited("", "");
    for (size_t length = 0; length < strlen(text); length++) {
        refuse(text, length, "the Secret's entry metadata: ");
    }
    refuse(text, strlen(text) + 1, "the Secret's entry metadata: "); // with the NUL
}

static void it_must_be_an_object(void **) {
    static const char *const texts[] = {"{}", "[]", "null", "5", "\"algorithm\"", "[{\"algorithm\":\"a\"}]"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        refuse(texts[i], strlen(texts[i]), "the Secret's metadata entry has no proper algorithm");
    }
}

static void hostile_json_is_refused(void **) {
    enum { HUGE = 1 << 20 };
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(2 * HUGE);
    for (int i = 0; i < HUGE; i++) {
        must(buffer_append(&text, "[", 1, &e), e);
    }
    refuse(text.data, text.length, "nested over 64 levels");
    buffer_done(&text);
    must(buffer_append_text(&text, "{\"a\":1", &e), e);
    for (int i = 0; i < 20000; i++) {
        must(buffer_append_format(&text, &e, ",\"key%d\":%d", i % 19999, i), e);
    }
    must(buffer_append_text(&text, "}", &e), e);
    refuse(text.data, text.length, "has the key \"key0\" twice in one object");
    refuse_edited("'standard'", "'algorithm':'other','standard'", "has the key \"algorithm\" twice");
    refuse_edited("'other':'" B_DIGEST, "'publicKeyRef':'" B_DIGEST, "has the key \"publicKeyRef\" twice");
    refuse_edited("'long':'" SIXTEEN_DIGEST, "'short':'" SIXTEEN_DIGEST, "has the key \"short\" twice");
}

// A megabyte of other people's members, and of one value: of our members nothing is lost.
static void a_huge_entry_is_read(void **) {
    enum { HUGE = 1 << 20 };
    struct error e;
    cleanup_json yyjson_doc *document = nullptr;
    cleanup_text char *good = edited("", "");
    cleanup_buffer struct buffer text = buffer_create(2 * HUGE);
    must(buffer_append_text(&text, "{\"more\":\"", &e), e);
    while (text.length < HUGE) {
        must(buffer_append_text(&text, "mmmmmmmmmmmmmmmm", &e), e);
    }
    must(buffer_append_format(&text, &e, "\",%s", good + 1), e);
    struct provenance provenance = accept(text.data, text.length, &document);
    assert_string_equal(provenance.fingerprint, "0123456789");
}

static void texts_must_be_texts(void **) {
    static const char *const required[] = {"algorithm", "standard", "generator", "created"};
    static const char *const values[] = {"5", "null", "true", "[]", "{}", "'a\\u0000b'"};
    for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
        char piece[64];
        char other[64];
        char part[100];
        snprintf(part, sizeof(part), "the Secret's metadata entry has no proper %s", required[i]);
        snprintf(piece, sizeof(piece), "'%s':", required[i]);
        refuse_edited(piece, "'renamed':", part);
        for (size_t j = 0; j < sizeof(values) / sizeof(values[0]); j++) {
            snprintf(other, sizeof(other), "'%s':%s,'renamed':", required[i], values[j]);
            refuse_edited(piece, other, part);
        }
    }
    for (size_t j = 0; j < sizeof(values) / sizeof(values[0]); j++) {
        char other[64];
        snprintf(other, sizeof(other), "'fingerprint':%s", values[j]);
        refuse_edited("'fingerprint':'0123456789'", other, "no proper fingerprint");
        snprintf(other, sizeof(other), "'recipe':%s", values[j]);
        refuse_edited("'recipe':'" PARAMETERS "'", other, "no proper recipe");
        refuse_edited_brief("'recipe':'abcdabcdab'", other, "no proper recipe");
        snprintf(other, sizeof(other), "'other':%s", values[j]);
        refuse_edited("'other':'" B_DIGEST "'", other, "no proper inputs");
        refuse_edited_brief("'other':'bbbbbbbbbb'", other, "no proper inputs");
        snprintf(other, sizeof(other), "'reason':%s", values[j]);
        refuse_edited("'reason':'SecretDamaged'", other, "no proper reason");
    }
}

static void digests_must_be_an_object(void **) {
    static const char *const values[] = {"5", "null", "true", "[]", "'sha256:'"};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char other[64];
        snprintf(other, sizeof(other), "'digests':%s,'renamed':", values[i]);
        refuse_edited("'digests':", other, "no proper digests");
        snprintf(other, sizeof(other), "'entries':%s,'renamed':", values[i]);
        refuse_edited("'entries':", other, "no proper digests");
    }
    refuse_edited("'entries':", "'renamed':", "no proper digests");
}

static void texts_have_bounds(void **) {
    refuse_edited("0123456789", "01234567890", "no proper fingerprint");
    refuse_edited("9876543210", "98765432100", "no proper fingerprint");
    refuse_edited(PARAMETERS, PARAMETERS "a", "no proper recipe");
    refuse_edited(B_DIGEST, B_DIGEST "b", "no proper inputs");
    char word[PROVENANCE_WORD_SIZE + 1] = {0};
    memset(word, 'w', PROVENANCE_WORD_SIZE);
    refuse_edited("SecretDamaged", word, "no proper reason");
    cleanup_json yyjson_doc *document = nullptr;
    word[PROVENANCE_WORD_SIZE - 1] = '\0';
    cleanup_text char *longest = edited("SecretDamaged", word);
    struct provenance provenance = accept(longest, strlen(longest), &document);
    assert_string_equal(provenance.replaced.reason, word);
    refuse_edited("05Z", "05.00000000000000000000Z", "no proper created"); // 40 bytes
}

static void the_time_must_be_one(void **) {
    static const char *const times[] = {"",
                                        "yesterday",
                                        "2026-01-02",
                                        "2026-01-02T03:04:05+01:00",
                                        "2026-02-30T03:04:05Z",
                                        "2026-01-02T03:04:05Z "};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        refuse_edited("2026-01-02T03:04:05Z", times[i], "no proper created");
    }
}

static void there_are_four_inputs_at_most(void **) {
    cleanup_json yyjson_doc *document = nullptr;
    cleanup_text char *four = edited("'other':'" B_DIGEST, "'c':'c','d':'','other':'" B_DIGEST);
    struct provenance provenance = accept(four, strlen(four), &document);
    assert_int_equal(provenance.input_count, 4);
    assert_string_equal(provenance.inputs[2].digest, "");
    assert_string_equal(provenance.inputs[3].field, "other");
    refuse_edited("'other':'" B_DIGEST, "'c':'c','d':'','e':'e','other':'" B_DIGEST, "no proper inputs");
    refuse_edited("'inputs':{'publicKeyRef':'sha", "'inputs':[],'renamed':{'publicKeyRef':'sha",
                  "no proper inputs");
    refuse_edited("'inputs':{'publicKeyRef':'sha", "'inputs':null,'renamed':{'publicKeyRef':'sha",
                  "no proper inputs");
    refuse_edited_brief("'inputs':{", "'inputs':[],'renamed':{", "no proper inputs");
}

// ---- comparing

static enum provenance_word ask(const struct provenance *provenance, const char *key, const char *text) {
    struct error e;
    enum provenance_word word;
    cleanup_secret struct secret *bytes = nullptr;
    must(secret_copy(text, strlen(text), &bytes, &e), e);
    must(provenance_compare_entry(provenance, key, bytes, &word, &e), e);
    return word;
}

static void it_goes_with_the_entries_that_it_was_written_for(void **) {
    struct error e;
    struct provenance provenance = whole_metadata();
    cleanup_json yyjson_doc *document = nullptr;
    cleanup_secret_data struct secret_data data = two_entries();
    must(provenance_store(&provenance, "metadata", &data, &e), e);
    must(provenance_load(&data, "metadata", &provenance, &document, &e), e);
    must(provenance_check_entries(&provenance, &data, &e), e);
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < 15; j++) {
            char message[100];
            snprintf(message, sizeof(message),
                     "the Secret's entry %s is not the one that its metadata was written for",
                     data.entries[i].key);
            secret_bytes(data.entries[i].value)[j] ^= 0x80;
            must_fail(provenance_check_entries(&provenance, &data, &e), e, ERROR_CRYPTO, message);
            secret_bytes(data.entries[i].value)[j] ^= 0x80;
        }
    }
    must(provenance_check_entries(&provenance, &data, &e), e);
}

static void each_entry_can_be_asked_for(void **) {
    cleanup_json yyjson_doc *document = nullptr;
    cleanup_text char *text = edited("", "");
    struct provenance provenance = accept(text, strlen(text), &document);
    assert_int_equal(ask(&provenance, "long", sixteen), PROVENANCE_SAYS_SAME);
    assert_int_equal(ask(&provenance, "short", sixteen + 1), PROVENANCE_SAYS_SAME);
    assert_int_equal(ask(&provenance, "long", sixteen + 1), PROVENANCE_SAYS_OTHER);
    assert_int_equal(ask(&provenance, "short", sixteen), PROVENANCE_SAYS_OTHER);
    assert_int_equal(ask(&provenance, "other", sixteen), PROVENANCE_SILENT);
    assert_int_equal(ask(&provenance, "", ""), PROVENANCE_SILENT);
}

// Its digests are of ten digits, and of few bytes there are none.
static void what_an_earlier_version_wrote_can_be_asked(void **) {
    struct error e;
    cleanup_json yyjson_doc *document = nullptr;
    cleanup_text char *brief = edited_text(brief_text, "", "");
    cleanup_secret_data struct secret_data data = two_entries();
    struct provenance provenance = accept(brief, strlen(brief), &document);
    assert_int_equal(ask(&provenance, "long", sixteen), PROVENANCE_SAYS_SAME);
    assert_int_equal(ask(&provenance, "long", sixteen + 1), PROVENANCE_SAYS_OTHER);
    assert_int_equal(ask(&provenance, "short", sixteen), PROVENANCE_SILENT);
    must(provenance_check_entries(&provenance, &data, &e), e);
    secret_bytes(data.entries[1].value)[3] ^= 0x80;
    must(provenance_check_entries(&provenance, &data, &e), e);
    secret_bytes(data.entries[0].value)[3] ^= 0x80;
    must_fail(provenance_check_entries(&provenance, &data, &e), e, ERROR_CRYPTO, "entry long is not the one");
}

// What is no digest is none of anything.
static void a_digest_that_is_none_is_another_one(void **) {
    static const char *const values[] = {"5",
                                         "null",
                                         "[]",
                                         "''",
                                         "'9f9f5111f'",
                                         "'9f9f5111f7b'",
                                         "'9F9F5111F7'",
                                         "'9f9f5111f6'",
                                         "'sha256:9f9f5111f7'",
                                         "'" SIXTEEN_FINGERPRINT "b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548"
                                         "e564176929f'"};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        cleanup_json yyjson_doc *document = nullptr;
        cleanup_text char *text = edited("'" SIXTEEN_DIGEST "'", values[i]);
        struct provenance provenance = accept(text, strlen(text), &document);
        assert_int_equal(ask(&provenance, "long", sixteen), PROVENANCE_SAYS_OTHER);
    }
}

// A brief digest knows its ten digits, a full one all of them.
static void digests_are_compared_as_far_as_they_go(void **) {
    static const char full[] = SIXTEEN_DIGEST;
    assert_true(provenance_same_digest(full, full));
    assert_true(provenance_same_digest(full, SIXTEEN_FINGERPRINT));
    assert_true(provenance_same_digest(SIXTEEN_FINGERPRINT, full));
    assert_true(provenance_same_digest(SIXTEEN_FINGERPRINT, SIXTEEN_FINGERPRINT));
    assert_true(provenance_same_digest("", ""));
    assert_false(provenance_same_digest("", full));
    assert_false(provenance_same_digest(full, ""));
    assert_false(provenance_same_digest("", SIXTEEN_FINGERPRINT));
    char other[DIGEST_TEXT_SIZE];
    for (size_t i = 0; i < DIGEST_TEXT_SIZE - 1; i++) {
        memcpy(other, full, sizeof(other));
        other[i] = other[i] == '0' ? '1' : '0';
        assert_false(provenance_same_digest(full, other));
        assert_false(provenance_same_digest(other, full));
        bool in_brief = i >= DIGEST_PREFIX_LENGTH && i < DIGEST_PREFIX_LENGTH + FINGERPRINT_SIZE - 1;
        if (in_brief || i >= DIGEST_PREFIX_LENGTH) {
            assert_int_equal(provenance_same_digest(other, SIXTEEN_FINGERPRINT), !in_brief);
            assert_int_equal(provenance_same_digest(SIXTEEN_FINGERPRINT, other), !in_brief);
        }
    }
    memcpy(other, full, sizeof(other));
    other[DIGEST_TEXT_SIZE - 2] = '\0'; // one digit fewer
    assert_false(provenance_same_digest(full, other));
    assert_false(provenance_same_digest(other, SIXTEEN_FINGERPRINT));
}

// Two messages that somebody has searched for: the first ten digits of SHA-256 are the same.
static void ten_digits_that_agree_are_not_enough(void **) {
    static const char *const messages[] = {"release 1.0 approved, build 675582",
                                           "release 6.6 by mallory, build 1732000"};
    struct error e;
    struct provenance made[2] = {whole_metadata(), whole_metadata()};
    for (size_t i = 0; i < 2; i++) {
        char fingerprint[FINGERPRINT_SIZE];
        made[i].input_count = 1;
        made[i].inputs[0].field = "messageRef";
        must(digest_format(messages[i], strlen(messages[i]), made[i].inputs[0].digest, &e), e);
        fingerprint_of_digest(made[i].inputs[0].digest, fingerprint);
        assert_string_equal(fingerprint, "bb5ce23638");
    }
    assert_false(provenance_same_digest(made[0].inputs[0].digest, made[1].inputs[0].digest));
    assert_false(provenance_same_inputs(&made[0], &made[1]));
    assert_false(provenance_same_inputs(&made[1], &made[0]));
    // Nor when it has been stored meanwhile.
    cleanup_secret_data struct secret_data data = {0};
    cleanup_json yyjson_doc *document = nullptr;
    struct provenance stored = {0};
    must(secret_data_add_text(&data, "message", messages[0], &e), e);
    must(provenance_store(&made[0], "metadata", &data, &e), e);
    must(provenance_load(&data, "metadata", &stored, &document, &e), e);
    assert_true(provenance_same_inputs(&stored, &made[0]));
    assert_false(provenance_same_inputs(&stored, &made[1]));
    assert_int_equal(ask(&stored, "message", messages[0]), PROVENANCE_SAYS_SAME);
    assert_int_equal(ask(&stored, "message", messages[1]), PROVENANCE_SAYS_OTHER);
}

static void inputs_are_compared_by_field_and_digest(void **) {
    struct provenance one = whole_metadata();
    struct provenance other = whole_metadata();
    other.algorithm = "another";
    memcpy(other.fingerprint, "9999999999", 11);
    assert_true(provenance_same_inputs(&one, &other));
    other.input_count = 1;
    assert_false(provenance_same_inputs(&one, &other));
    assert_false(provenance_same_inputs(&other, &one));
    other = whole_metadata();
    other.inputs[1].field = "another";
    assert_false(provenance_same_inputs(&one, &other));
    other = whole_metadata();
    other.inputs[1].digest[DIGEST_TEXT_SIZE - 2] = 'c';
    assert_false(provenance_same_inputs(&one, &other));
    one.input_count = 0;
    other.input_count = 0;
    assert_true(provenance_same_inputs(&one, &other));
}

static void inputs_are_found_by_field(void **) {
    struct provenance provenance = whole_metadata();
    assert_string_equal(provenance_find_input(&provenance, "other"), B_DIGEST);
    assert_string_equal(provenance_find_input(&provenance, "Other"), "");
    provenance.input_count = 1;
    assert_string_equal(provenance_find_input(&provenance, "other"), "");
}

static void out_of_memory_is_an_error_of_its_class(void **) {
    struct error e = {0};
    struct provenance provenance = whole_metadata();
    cleanup_secret_data struct secret_data data = two_entries();
    cleanup_text char *whole = edited("", "");
    long rounds = 0;
    for (bool plenty = false; !plenty; rounds++) {
        memory_left = rounds;
        bool done = provenance_store(&provenance, "metadata", &data, &e);
        plenty = memory_left > 0;
        memory_left = -1;
        ERR_clear_error();
        assert_true(done || e.class == ERROR_NO_MEMORY);
        assert_int_equal(data.count, done ? 3 : 2);
        if (done) {
            assert_true(secret_equals(secret_data_get(&data, "metadata"), whole, strlen(whole)));
            secret_free(data.entries[--data.count].value);
        }
    }
    assert_true(rounds > 2);
    must(provenance_store(&provenance, "metadata", &data, &e), e);
    rounds = 0;
    for (bool plenty = false; !plenty; rounds++) {
        cleanup_json yyjson_doc *document = nullptr;
        struct provenance loaded = {0};
        memory_left = rounds;
        bool done = provenance_load(&data, "metadata", &loaded, &document, &e);
        plenty = memory_left > 0;
        memory_left = -1;
        ERR_clear_error();
        assert_true(done || e.class == ERROR_NO_MEMORY);
        assert_true(done == (document != nullptr));
        assert_true(done == (loaded.algorithm != nullptr));
    }
    assert_true(rounds > 2);
    // A damaged entry is found, or memory is said to be out; it never passes.
    cleanup_json yyjson_doc *document = nullptr;
    must(provenance_load(&data, "metadata", &provenance, &document, &e), e);
    secret_bytes(data.entries[0].value)[0] ^= 1;
    for (long left = 0; left <= rounds; left++) {
        memory_left = left;
        bool done = provenance_check_entries(&provenance, &data, &e);
        memory_left = -1;
        ERR_clear_error();
        assert_false(done);
        assert_true(e.class == ERROR_NO_MEMORY || e.class == ERROR_CRYPTO);
    }
    assert_int_equal(e.class, ERROR_CRYPTO);
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_writes_what_it_is_told),
        cmocka_unit_test(it_leaves_out_what_there_is_not),
        cmocka_unit_test(it_reads_what_it_wrote),
        cmocka_unit_test(what_was_replaced_comes_back),
        cmocka_unit_test(what_an_earlier_version_wrote_is_read),
        cmocka_unit_test(an_earlier_version_reads_what_is_written),
        cmocka_unit_test(what_is_known_in_brief_is_written_in_brief),
        cmocka_unit_test(no_text_is_too_long_to_be_written),
        cmocka_unit_test(short_digests_do_not_count_beside_full_ones),
        cmocka_unit_test(it_is_stored_once_and_where_there_is_room),
        cmocka_unit_test(what_is_optional_may_be_absent),
        cmocka_unit_test(it_must_be_there),
        cmocka_unit_test(it_must_be_json),
        cmocka_unit_test(it_must_be_an_object),
        cmocka_unit_test(hostile_json_is_refused),
        cmocka_unit_test(a_huge_entry_is_read),
        cmocka_unit_test(texts_must_be_texts),
        cmocka_unit_test(digests_must_be_an_object),
        cmocka_unit_test(texts_have_bounds),
        cmocka_unit_test(the_time_must_be_one),
        cmocka_unit_test(there_are_four_inputs_at_most),
        cmocka_unit_test(it_goes_with_the_entries_that_it_was_written_for),
        cmocka_unit_test(each_entry_can_be_asked_for),
        cmocka_unit_test(what_an_earlier_version_wrote_can_be_asked),
        cmocka_unit_test(a_digest_that_is_none_is_another_one),
        cmocka_unit_test(digests_are_compared_as_far_as_they_go),
        cmocka_unit_test(ten_digits_that_agree_are_not_enough),
        cmocka_unit_test(inputs_are_compared_by_field_and_digest),
        cmocka_unit_test(inputs_are_found_by_field),
        cmocka_unit_test(out_of_memory_is_an_error_of_its_class),
    };
    return cmocka_run_group_tests_name("kinds/metadata", tests, nullptr, no_secret_is_left);
}
