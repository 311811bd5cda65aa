#include "support.h"

static const char sixteen[] = "0123456789abcdef";
// The first ten digits of SHA-256 of the above, by sha256sum.
#define SIXTEEN_FINGERPRINT "9f9f5111f7"

static struct metadata whole_metadata(void) {
    struct metadata metadata = {
        .algorithm = "ML-KEM-768",
        .standard = "FIPS 203",
        .generator = "qubesec/0.1.0",
        .fingerprint = "0123456789",
        .recipe = "abcdefabcd",
        .inputs = {{"publicKeyRef", "aaaaaaaaaa"}, {"other", "bbbbbbbbbb"}},
        .input_count = 2,
    };
    memcpy(metadata.created, some_time, sizeof(some_time));
    return metadata;
}

static const char whole_text[] =
    "{'algorithm':'ML-KEM-768','standard':'FIPS 203','sizes':{'long':16,'short':15},"
    "'fingerprints':{'long':'" SIXTEEN_FINGERPRINT
    "'},'fingerprint':'0123456789','created':'2026-01-02T03:04:05Z',"
    "'generator':'qubesec/"
    "0.1.0','recipe':'abcdefabcd','inputs':{'publicKeyRef':'aaaaaaaaaa','other':'bbbbbbbbbb'}}";

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

// whole_text with one piece replaced by another, as JSON; owned.
static char *edited(const char *piece, const char *other) {
    struct error e;
    struct buffer text = buffer_create(10000);
    const char *place = strstr(whole_text, piece);
    assert_non_null(place);
    must(buffer_append(&text, whole_text, (size_t)(place - whole_text), &e), e);
    must(buffer_append_text(&text, other, &e), e);
    must(buffer_append_text(&text, place + strlen(piece), &e), e);
    unquote(text.data);
    return text.data;
}

static void refuse(const char *text, size_t length, const char *part) {
    struct error e;
    struct metadata metadata = {.algorithm = "untouched"};
    yyjson_doc *document = nullptr;
    cleanup_secret_data struct secret_data data = with_metadata(text, length);
    must_fail(metadata_load(&data, "metadata", &metadata, &document, &e), e, ERROR_CRYPTO, part);
    assert_string_equal(metadata.algorithm, "untouched");
    assert_null(document);
}

static void refuse_edited(const char *piece, const char *other, const char *part) {
    cleanup_text char *text = edited(piece, other);
    refuse(text, strlen(text), part);
}

static struct metadata accept(const char *text, size_t length, yyjson_doc **ret_document) {
    struct error e;
    struct metadata metadata = {0};
    cleanup_secret_data struct secret_data data = with_metadata(text, length);
    must(metadata_load(&data, "metadata", &metadata, ret_document, &e), e);
    return metadata;
}

static void it_writes_what_it_is_told(void **) {
    struct error e;
    cleanup_secret_data struct secret_data data = two_entries();
    struct metadata metadata = whole_metadata();
    must(metadata_store(&metadata, "metadata", &data, &e), e);
    cleanup_text char *wanted = edited("", "");
    assert_true(secret_equals(secret_data_get(&data, "metadata"), wanted, strlen(wanted)));
    assert_int_equal(data.count, 3);
}

static void it_leaves_out_what_there_is_not(void **) {
    struct error e;
    cleanup_secret_data struct secret_data data = {0};
    struct metadata metadata = whole_metadata();
    metadata.fingerprint[0] = '\0';
    metadata.recipe[0] = '\0';
    metadata.input_count = 0;
    must(metadata_store(&metadata, "metadata", &data, &e), e);
    static const char wanted[] =
        "{\"algorithm\":\"ML-KEM-768\",\"standard\":\"FIPS 203\",\"sizes\":{},\"fingerprints\":{},"
        "\"created\":\"2026-01-02T03:04:05Z\",\"generator\":\"qubesec/0.1.0\"}";
    assert_true(secret_equals(secret_data_get(&data, "metadata"), wanted, strlen(wanted)));
}

static void it_reads_what_it_wrote(void **) {
    struct error e;
    cleanup_secret_data struct secret_data data = two_entries();
    cleanup_json yyjson_doc *document = nullptr;
    struct metadata metadata = whole_metadata();
    must(metadata_store(&metadata, "metadata", &data, &e), e);
    struct metadata loaded = {0};
    must(metadata_load(&data, "metadata", &loaded, &document, &e), e);
    assert_string_equal(loaded.algorithm, metadata.algorithm);
    assert_string_equal(loaded.standard, metadata.standard);
    assert_string_equal(loaded.generator, metadata.generator);
    assert_string_equal(loaded.created, metadata.created);
    assert_string_equal(loaded.fingerprint, metadata.fingerprint);
    assert_string_equal(loaded.recipe, metadata.recipe);
    assert_int_equal(loaded.input_count, 2);
    assert_string_equal(loaded.inputs[1].field, "other");
    assert_string_equal(loaded.inputs[1].fingerprint, "bbbbbbbbbb");
    assert_true(metadata_same_inputs(&loaded, &metadata));
}

static void it_is_stored_once_and_where_there_is_room(void **) {
    struct error e;
    static const char *const keys[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    struct metadata metadata = whole_metadata();
    cleanup_secret_data struct secret_data data = {0};
    must(metadata_store(&metadata, "metadata", &data, &e), e);
    must_fail(metadata_store(&metadata, "metadata", &data, &e), e, ERROR_INTERNAL, "metadata");
    cleanup_secret_data struct secret_data full = {0};
    for (size_t i = 0; i < SECRET_DATA_MAX; i++) {
        must(secret_data_add_text(&full, keys[i], "", &e), e);
    }
    must_fail(metadata_store(&metadata, "metadata", &full, &e), e, ERROR_INTERNAL, "metadata");
}

static void what_is_optional_may_be_absent(void **) {
    cleanup_json yyjson_doc *document = nullptr;
    static const char text[] =
        "{\"created\":\"2026-01-02T03:04:05.678Z\",\"generator\":\"g\",\"standard\":\"s\","
        "\"algorithm\":\"a\",\"more\":{\"of\":[\"it\"]}}";
    struct metadata metadata = accept(text, strlen(text), &document);
    assert_string_equal(metadata.algorithm, "a");
    assert_string_equal(metadata.standard, "s");
    assert_string_equal(metadata.generator, "g");
    assert_string_equal(metadata.created, "2026-01-02T03:04:05.678Z");
    assert_string_equal(metadata.fingerprint, "");
    assert_string_equal(metadata.recipe, "");
    assert_int_equal(metadata.input_count, 0);
}

static void it_must_be_there(void **) {
    struct error e;
    struct metadata metadata = {0};
    yyjson_doc *document = nullptr;
    cleanup_secret_data struct secret_data data = two_entries();
    must_fail(metadata_load(&data, "metadata", &metadata, &document, &e), e, ERROR_CRYPTO,
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
    buffer_free(&text);
    must(buffer_append_text(&text, "{\"a\":1", &e), e);
    for (int i = 0; i < 20000; i++) {
        must(buffer_append_format(&text, &e, ",\"key%d\":%d", i % 19999, i), e);
    }
    must(buffer_append_text(&text, "}", &e), e);
    refuse(text.data, text.length, "has the key \"key0\" twice in one object");
    refuse_edited("'standard'", "'algorithm':'other','standard'", "has the key \"algorithm\" twice");
    refuse_edited("'other':'b", "'publicKeyRef':'b", "has the key \"publicKeyRef\" twice");
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
    struct metadata metadata = accept(text.data, text.length, &document);
    assert_string_equal(metadata.fingerprint, "0123456789");
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
        refuse_edited("'recipe':'abcdefabcd'", other, "no proper recipe");
        snprintf(other, sizeof(other), "'other':%s", values[j]);
        refuse_edited("'other':'bbbbbbbbbb'", other, "no proper inputs");
    }
}

static void texts_have_bounds(void **) {
    refuse_edited("0123456789", "01234567890", "no proper fingerprint");
    refuse_edited("abcdefabcd", "abcdefabcde", "no proper recipe");
    refuse_edited("bbbbbbbbbb", "bbbbbbbbbbb", "no proper inputs");
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
    cleanup_text char *four = edited("'other':'b", "'c':'c','d':'','other':'b");
    struct metadata metadata = accept(four, strlen(four), &document);
    assert_int_equal(metadata.input_count, 4);
    assert_string_equal(metadata.inputs[2].fingerprint, "");
    assert_string_equal(metadata.inputs[3].field, "other");
    refuse_edited("'other':'b", "'c':'c','d':'','e':'e','other':'b", "no proper inputs");
    refuse_edited("'inputs':{", "'inputs':[],'renamed':{", "no proper inputs");
    refuse_edited("'inputs':{", "'inputs':null,'renamed':{", "no proper inputs");
}

static void it_goes_with_the_entries_that_it_was_written_for(void **) {
    struct error e;
    struct metadata metadata = whole_metadata();
    cleanup_json yyjson_doc *document = nullptr;
    cleanup_secret_data struct secret_data data = two_entries();
    must(metadata_store(&metadata, "metadata", &data, &e), e);
    for (size_t i = 0; i < 16; i++) {
        secret_bytes(data.entries[0].value)[i] ^= 0x80;
        must_fail(metadata_load(&data, "metadata", &metadata, &document, &e), e, ERROR_CRYPTO,
                  "the Secret's entry long is not the one that its metadata was written for");
        secret_bytes(data.entries[0].value)[i] ^= 0x80;
    }
    secret_bytes(data.entries[1].value)[3] ^= 0x80; // its fingerprint could be searched for, so there is none
    must(metadata_load(&data, "metadata", &metadata, &document, &e), e);
    refuse_edited(SIXTEEN_FINGERPRINT, "9f9f5111f", "entry long is not the one");
    refuse_edited("'" SIXTEEN_FINGERPRINT "'", "5", "entry long is not the one");
    refuse_edited("'" SIXTEEN_FINGERPRINT "'", "'" SIXTEEN_FINGERPRINT "','short':''",
                  "entry short is not the one");
}

static void inputs_are_compared_by_field_and_fingerprint(void **) {
    struct metadata one = whole_metadata();
    struct metadata other = whole_metadata();
    other.algorithm = "another";
    memcpy(other.fingerprint, "9999999999", 11);
    assert_true(metadata_same_inputs(&one, &other));
    other.input_count = 1;
    assert_false(metadata_same_inputs(&one, &other));
    assert_false(metadata_same_inputs(&other, &one));
    other = whole_metadata();
    other.inputs[1].field = "another";
    assert_false(metadata_same_inputs(&one, &other));
    other = whole_metadata();
    other.inputs[1].fingerprint[9] = 'c';
    assert_false(metadata_same_inputs(&one, &other));
    one.input_count = 0;
    other.input_count = 0;
    assert_true(metadata_same_inputs(&one, &other));
}

static void out_of_memory_is_an_error_of_its_class(void **) {
    struct error e = {0};
    struct metadata metadata = whole_metadata();
    cleanup_secret_data struct secret_data data = two_entries();
    cleanup_text char *whole = edited("", "");
    long rounds = 0;
    for (bool plenty = false; !plenty; rounds++) {
        memory_left = rounds;
        bool done = metadata_store(&metadata, "metadata", &data, &e);
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
    must(metadata_store(&metadata, "metadata", &data, &e), e);
    rounds = 0;
    for (bool plenty = false; !plenty; rounds++) {
        cleanup_json yyjson_doc *document = nullptr;
        struct metadata loaded = {0};
        memory_left = rounds;
        bool done = metadata_load(&data, "metadata", &loaded, &document, &e);
        plenty = memory_left > 0;
        memory_left = -1;
        ERR_clear_error();
        assert_true(done || e.class == ERROR_NO_MEMORY);
        assert_true(done == (document != nullptr));
        assert_true(done == (loaded.algorithm != nullptr));
    }
    assert_true(rounds > 2);
    // A damaged entry is found, or memory is said to be out; it never passes.
    secret_bytes(data.entries[0].value)[0] ^= 1;
    for (long left = 0; left <= rounds; left++) {
        cleanup_json yyjson_doc *document = nullptr;
        memory_left = left;
        bool done = metadata_load(&data, "metadata", &metadata, &document, &e);
        memory_left = -1;
        ERR_clear_error();
        assert_false(done);
    }
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_writes_what_it_is_told),
        cmocka_unit_test(it_leaves_out_what_there_is_not),
        cmocka_unit_test(it_reads_what_it_wrote),
        cmocka_unit_test(it_is_stored_once_and_where_there_is_room),
        cmocka_unit_test(what_is_optional_may_be_absent),
        cmocka_unit_test(it_must_be_there),
        cmocka_unit_test(it_must_be_json),
        cmocka_unit_test(it_must_be_an_object),
        cmocka_unit_test(hostile_json_is_refused),
        cmocka_unit_test(a_huge_entry_is_read),
        cmocka_unit_test(texts_must_be_texts),
        cmocka_unit_test(texts_have_bounds),
        cmocka_unit_test(the_time_must_be_one),
        cmocka_unit_test(there_are_four_inputs_at_most),
        cmocka_unit_test(it_goes_with_the_entries_that_it_was_written_for),
        cmocka_unit_test(inputs_are_compared_by_field_and_fingerprint),
        cmocka_unit_test(out_of_memory_is_an_error_of_its_class),
    };
    return cmocka_run_group_tests_name("kinds/metadata", tests, nullptr, no_secret_is_left);
}
