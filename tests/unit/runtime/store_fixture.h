// What the tests of the store share: a store with all hooks, a log of what it reports, and objects to put in.
#pragma once

#include "../base/check.h"
#include "../base/short_memory.h"

#include "runtime/store.h"

#include <stdio.h>

// What the store reports, as "+key@version " (added), "~key@old>new " (changed) and "-key@version " (gone),
// each with
// "/uid" after the version when the uid is not "u".
struct fixture {
    struct store *store;
    struct buffer log;
};

[[maybe_unused]] static void note_version(struct buffer *log, const struct kube_object *object) {
    struct error e;
    must(buffer_append_text(log, object->resource_version, &e), e);
    if (strcmp(object->uid, "u") != 0) {
        must(buffer_append_format(log, &e, "/%s", object->uid), e);
    }
}

[[maybe_unused]] static void note_change(void *context, const struct kube_object *old,
                                         const struct kube_object *object) {
    struct fixture *fixture = context;
    struct error e;
    long left = memory_left;
    memory_left = -1; // what tests write down is not what they test
    assert_true(old != nullptr || object != nullptr);
    const char *sign = old == nullptr ? "+" : object == nullptr ? "-" : "~";
    must(buffer_append_format(&fixture->log, &e, "%s%s@", sign, (object == nullptr ? old : object)->name), e);
    if (old != nullptr) {
        note_version(&fixture->log, old);
    }
    if (old != nullptr && object != nullptr) {
        must(buffer_append_text(&fixture->log, ">", &e), e);
    }
    if (object != nullptr) {
        note_version(&fixture->log, object);
    }
    must(buffer_append_text(&fixture->log, " ", &e), e);
    memory_left = left;
}

static bool keep_unlabelled(void *, const struct kube_object *object) {
    return json_find(object->root, "drop", nullptr) == nullptr;
}

// Under each text of the object's "refs".
[[maybe_unused]] static void index_refs(void *, const struct kube_object *object,
                                        void (*add)(void *sink, const char *value), void *sink) {
    yyjson_arr_iter refs = yyjson_arr_iter_with(json_find(object->root, "refs", nullptr));
    for (yyjson_val *ref; (ref = yyjson_arr_iter_next(&refs)) != nullptr;) {
        add(sink, json_text(ref));
    }
}

[[maybe_unused]] static int set_up(void **state) {
    static struct fixture fixture;
    struct error e;
    memory_left = -1;
    fixture = (struct fixture){.log = buffer_create(1 << 20)};
    const struct store_hooks hooks = {
        .context = &fixture, .filter = keep_unlabelled, .changed = note_change, .index = index_refs};
    must(store_create(&hooks, &fixture.store, &e), e);
    *state = &fixture;
    return 0;
}

[[maybe_unused]] static int tear_down(void **state) {
    struct fixture *fixture = *state;
    store_free(fixture->store);
    buffer_done(&fixture->log);
    return 0;
}

// more: further members of the object, each after a comma, or "".
[[maybe_unused]] static struct kube_object *make_as(const char *name, const char *uid, const char *version,
                                                    const char *more) {
    char text[512];
    struct error e;
    cleanup_json yyjson_doc *document = nullptr;
    struct kube_object *object = nullptr;
    snprintf(
        text, sizeof(text),
        "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"d\",\"uid\":\"%s\",\"resourceVersion\":\"%s\"}%s}",
        name, uid, version, more);
    must(json_parse(text, strlen(text), &document, &e), e);
    must(kube_object_create(yyjson_doc_get_root(document), &(struct kube_kept){}, &object, &e), e);
    return object;
}

[[maybe_unused]] static struct kube_object *make(const char *name, const char *version) {
    return make_as(name, "u", version, "");
}

[[maybe_unused]] static void apply(struct fixture *fixture, struct kube_object *object) {
    struct error e;
    must(store_apply(fixture->store, object, &e), e);
}

[[maybe_unused]] static void apply_own(struct fixture *fixture, struct kube_object *object) {
    struct error e;
    must(store_apply_own(fixture->store, object, &e), e);
}

// What was reported since the last call.
[[maybe_unused]] static void expect_log(struct fixture *fixture, const char *expected) {
    assert_string_equal(buffer_text(&fixture->log), expected);
    buffer_consume(&fixture->log, fixture->log.length);
}

[[maybe_unused]] static int compare_marks(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// As expect_log, in any order; expected is in that of strcmp.
[[maybe_unused]] static void expect_log_sorted(struct fixture *fixture, const char *expected) {
    char *marks[64];
    size_t count = 0;
    cleanup_buffer struct buffer sorted = buffer_create(1 << 20);
    cleanup_text char *log = memory_copy_text(buffer_text(&fixture->log));
    char *rest = log;
    for (char *mark; (mark = strsep(&rest, " ")) != nullptr && *mark != '\0';) {
        marks[count++] = mark;
    }
    qsort(marks, count, sizeof(marks[0]), compare_marks);
    for (size_t i = 0; i < count; i++) {
        say(&sorted, "%s ", marks[i]);
    }
    assert_string_equal(buffer_text(&sorted), expected);
    buffer_consume(&fixture->log, fixture->log.length);
}

[[maybe_unused]] static void expect_version(struct fixture *fixture, const char *name, const char *version) {
    char key[64];
    snprintf(key, sizeof(key), "d/%s", name);
    cleanup_object struct kube_object *object = store_get(fixture->store, key);
    if (version == nullptr) {
        assert_null(object);
    } else {
        assert_non_null(object);
        assert_string_equal(object->resource_version, version);
    }
}

[[maybe_unused]] static void note_key(void *context, const struct kube_object *object) {
    struct error e;
    must(buffer_append_format(context, &e, "%s ", object->key), e);
}

// The keys under value in the index, in any order.
[[maybe_unused]] static void expect_found(struct fixture *fixture, const char *value, const char *expected) {
    struct fixture found = {.log = buffer_create(1 << 20)};
    store_index_visit(fixture->store, value, note_key, &found.log);
    expect_log_sorted(&found, expected);
    buffer_done(&found.log);
    assert_int_equal(store_index_contains(fixture->store, value), expected[0] != '\0');
}

[[maybe_unused]] static void replace(struct fixture *fixture, const char *version, size_t count, ...) {
    struct kube_object *objects[16];
    struct error e;
    va_list arguments;
    va_start(arguments, count);
    for (size_t i = 0; i < count; i++) {
        objects[i] = va_arg(arguments, struct kube_object *);
    }
    va_end(arguments);
    must(store_replace(fixture->store, objects, count, version, &e), e);
}

#define with_store(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
