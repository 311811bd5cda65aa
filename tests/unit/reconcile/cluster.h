// What tests do on a cluster in memory (cluster_parts.h), and what they look at.
#pragma once

#include "cluster_parts.h"

// ---- doing

// Reconciles until nothing is left that is to be done now.
static inline void run(void) {
    struct object_key key;
    struct queue_attempt attempt;
    unsigned rounds = 0;
    for (; rounds < ROUNDS_MAX && queue_depth(cluster.queue) > 0; rounds++) {
        assert_true(queue_take(cluster.queue, &key, &attempt));
        controller_process(&cluster.controller, &key, &attempt);
        queue_done(cluster.queue, &key);
    }
    if (rounds == ROUNDS_MAX) {
        fail_msg("it does not come to an end");
    }
    if (cluster.failure.class != ERROR_NONE) {
        torture_note_failure("a store", &cluster.failure);
        fail_msg("a store: %s", cluster.failure.message);
    }
}

// So much time passes, and what becomes due meanwhile is done.
static inline void pass(int64_t milliseconds) {
    int64_t step = milliseconds <= 10 * SECOND ? SHORT_STEP_MS : STEP_MS;
    for (int64_t end = clock_ms + milliseconds; clock_ms < end;) {
        clock_ms += end - clock_ms < step ? end - clock_ms : step;
        run();
    }
}

// What is there now under that name, and stays as it is until the test ends; NULL: nothing.
static inline yyjson_val *find(const char *text) {
    struct error e;
    const struct id id = id_of(text);
    yyjson_doc *document = nullptr;
    if (!api_get(memory_api_verbs(cluster.memory), id.resource, id.namespace, id.name, 0, &document, &e)) {
        return nullptr;
    }
    return yyjson_doc_get_root(add_change(&cluster.kept, document, false)->document);
}

static inline yyjson_val *get(const char *text) {
    yyjson_val *found = find(text);
    if (found == nullptr) {
        fail_msg("there is no %s", text);
    }
    return found;
}

static inline yyjson_val *parse_yaml(const char *format, va_list arguments) {
    char text[TEXT_MAX];
    struct error e;
    yyjson_doc *document = nullptr;
    assert_in_range(vsnprintf(text, sizeof(text), format, arguments), 0, sizeof(text) - 1);
    must(yaml_parse(text, strlen(text), &document, &e), e);
    return yyjson_doc_get_root(add_change(&cluster.kept, document, false)->document);
}

// Creates an object, or edits it as `kubectl patch` does: the members that the YAML has are put there, and
// taken away where it has null.
[[gnu::format(printf, 2, 3)]] static inline void put(const char *text, const char *format, ...) {
    struct error e;
    const struct id id = id_of(text);
    va_list arguments;
    va_start(arguments, format);
    yyjson_val *patch = parse_yaml(format, arguments);
    va_end(arguments);
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    cleanup_json yyjson_doc *merged = nullptr;
    must(json_create(&document, &e), e);
    yyjson_mut_doc_set_root(document, yyjson_merge_patch(document, find(text), patch));
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    if (yyjson_mut_obj_get(root, "metadata") == nullptr) {
        (void)yyjson_mut_obj_add_obj(document, root, "metadata");
    }
    yyjson_mut_val *metadata = yyjson_mut_obj_get(root, "metadata");
    (void)yyjson_mut_obj_put(metadata, yyjson_mut_str(document, "namespace"),
                             yyjson_mut_strcpy(document, id.namespace));
    (void)yyjson_mut_obj_put(metadata, yyjson_mut_str(document, "name"),
                             yyjson_mut_strcpy(document, id.name));
    must(json_freeze(document, &merged, &e), e);
    must(memory_api_put(cluster.memory, id.resource, yyjson_doc_get_root(merged), &e), e);
}

// Patches the status of an object, as somebody else would who may do that.
[[gnu::format(printf, 2, 3)]] static inline void put_status(const char *text, const char *format, ...) {
    struct error e;
    const struct id id = id_of(text);
    va_list arguments;
    va_start(arguments, format);
    yyjson_val *patch = parse_yaml(format, arguments);
    va_end(arguments);
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    must(json_create(&document, &e), e);
    yyjson_mut_doc_set_root(document, yyjson_val_mut_copy(document, patch));
    const struct api_request request = {.verb = API_PATCH,
                                        .resource = id.resource,
                                        .namespace = id.namespace,
                                        .name = id.name,
                                        .subresource = "status",
                                        .body = document};
    must(api_call(memory_api_verbs(cluster.memory), &request, nullptr, &e), e);
}

static inline void take_away(const char *text) {
    struct error e;
    const struct id id = id_of(text);
    must(memory_api_remove(cluster.memory, id.resource, id.namespace, id.name, &e), e);
}

// What Kubernetes' garbage collector does.
static inline void collect(void) {
    struct error e;
    must(memory_api_collect(cluster.memory, nullptr, &e), e);
}

// A Secret that holds what another one does, with that metadata; it may be there already.
[[gnu::format(printf, 3, 4)]] static inline void put_copy(const char *text, const char *source,
                                                          const char *format, ...) {
    char metadata[4000];
    va_list arguments;
    va_start(arguments, format);
    assert_in_range(vsnprintf(metadata, sizeof(metadata), format, arguments), 0, sizeof(metadata) - 1);
    va_end(arguments);
    char *data = yyjson_val_write(yyjson_obj_get(find(source), "data"), 0, nullptr);
    put(text, "%s\ntype: Opaque\ndata: %s", metadata, data);
    free(data);
}

// ---- looking

static inline bool is_there(const char *text) {
    return find(text) != nullptr;
}

// The value at a path of members and indexes that are divided by spaces; NULL: there is none.
static inline yyjson_val *at(yyjson_val *value, const char *path) {
    while (*path != '\0') {
        size_t length = strcspn(path, " ");
        bool is_index = path[0] >= '0' && path[0] <= '9' && yyjson_is_arr(value);
        value = is_index ? yyjson_arr_get(value, strtoul(path, nullptr, 10))
                         : yyjson_obj_getn(value, path, length);
        path += length + (path[length] == ' ' ? 1 : 0);
    }
    return value;
}

// The text at a path of an object; "": there is none.
static inline const char *text_at(const char *text, const char *path) {
    const char *found = json_text(at(get(text), path));
    return found == nullptr ? "" : found;
}

static inline int64_t number_at(const char *text, const char *path) {
    return json_integer(at(get(text), path), -1);
}

static inline yyjson_val *data_of(const char *text) {
    return yyjson_obj_get(get(text), "data");
}

// What an entry holds, in base64; what matters is only whether it is the same.
static inline const char *entry(const char *text, const char *key) {
    const char *found = json_text(yyjson_obj_get(data_of(text), key));
    return found == nullptr ? "" : found;
}

// One is the other, member for member, or both are absent; path: of both.
static inline void assert_same(yyjson_val *one, yyjson_val *other, const char *path) {
    if (at(one, path) != at(other, path) && !yyjson_equals(at(one, path), at(other, path))) {
        fail_msg("%s has changed", path);
    }
}

// The object's uid is the only owner of the Secret; object NULL: it has none.
static inline void owner_is(const char *secret, const char *object) {
    yyjson_val *owners = at(get(secret), "metadata ownerReferences");
    assert_int_equal(yyjson_arr_size(owners), object == nullptr ? 0 : 1);
    if (object != nullptr) {
        assert_string_equal(text_at(secret, "metadata ownerReferences 0 uid"),
                            text_at(object, "metadata uid"));
    }
}

static inline yyjson_val *ready_of(const char *text) {
    size_t index;
    size_t count;
    yyjson_val *condition;
    yyjson_val *found = nullptr;
    yyjson_arr_foreach(at(get(text), "status conditions"), index, count, condition) {
        if (json_member_is(condition, "type", "Ready")) {
            assert_null(found);
            found = condition;
        }
    }
    return found;
}

// What the status says: "Failed InvalidSpec", as status.status and as the reason of its Ready condition, with
// part in its message; "": there is no status. All that it says has to be of one piece.
static inline void status_is(const char *text, const char *expected, const char *part) {
    char found[200] = "";
    yyjson_val *status = yyjson_obj_get(get(text), "status");
    yyjson_val *ready = ready_of(text);
    const char *message = json_member_text(ready, "message");
    if (status != nullptr) {
        snprintf(found, sizeof(found), "%s %s", text_at(text, "status status"),
                 json_member_text(ready, "reason"));
    }
    if (strcmp(found, expected) != 0) {
        fail_msg("%s is \"%s\" (%s), wanted \"%s\"", text, found, message == nullptr ? "" : message,
                 expected);
    }
    if (status == nullptr) {
        return;
    }
    bool is_failed = json_member_is(status, "status", "Failed");
    bool is_ready = !is_failed && !json_member_is(status, "status", "Pending");
    if (strstr(message, part) == nullptr) {
        fail_msg("%s says \"%s\", which has no \"%s\"", text, message, part);
    }
    assert_string_equal(json_member_text(ready, "status"), is_ready ? "True" : "False");
    assert_int_equal(json_integer(yyjson_obj_get(ready, "observedGeneration"), -1),
                     json_integer(yyjson_obj_get(status, "observedGeneration"), -2));
    assert_string_equal(text_at(text, "status error"), is_failed ? message : "");
    assert_int_equal(strlen(text_at(text, "status reconcileID")), RECONCILE_ID_SIZE - 1);
}

static inline void is_served(const char *text) {
    status_is(text, "Success Succeeded", " in Secret ");
    assert_int_equal(number_at(text, "status observedGeneration"), number_at(text, "metadata generation"));
}

// Exactly these requests were made since the last question: "create secret a; write qkkp a status; ".
static inline void asked_is(const char *expected) {
    assert_string_equal(cluster.asked, expected);
    cluster.asked[0] = '\0';
    cluster.reconciles = 0;
}

static inline size_t count_asked(const char *request) {
    size_t count = 0;
    for (const char *found = cluster.asked; (found = strstr(found, request)) != nullptr; found++) {
        count++;
    }
    return count;
}

// Exactly these Events were recorded since the last question: "Succeeded qkkp a; !SecretLost qkkp a; ", the
// warnings with "!".
static inline void told_is(const char *expected) {
    char found[TEXT_MAX] = "";
    for (size_t i = 0; i < cluster.told_count; i++) {
        size_t used = strlen(found);
        snprintf(found + used, sizeof(found) - used, "%s%s; ", cluster.told[i].warning ? "!" : "",
                 cluster.told[i].what);
    }
    assert_string_equal(found, expected);
    cluster.told_count = 0;
}

// The last Event of that reason and object; not after told_is.
static inline const struct told *find_told(const char *what) {
    for (size_t i = cluster.told_count; i > 0; i--) {
        if (strcmp(cluster.told[i - 1].what, what) == 0) {
            return &cluster.told[i - 1];
        }
    }
    fail_msg("nothing was told of %s", what);
    return nullptr;
}

static inline void note_has(const char *what, const char *part) {
    const char *note = find_told(what)->note;
    if (strstr(note, part) == nullptr) {
        fail_msg("%s: \"%s\" has no \"%s\"", what, note, part);
    }
}

// All that was asked and told so far is of no interest.
static inline void forget(void) {
    cluster.asked[0] = '\0';
    cluster.told_count = 0;
    cluster.reconciles = 0;
}

// An object is made, runs, and succeeds; nothing of that is of interest.
[[gnu::format(printf, 2, 3)]] static inline void make(const char *text, const char *format, ...) {
    char yaml[8000];
    va_list arguments;
    va_start(arguments, format);
    assert_in_range(vsnprintf(yaml, sizeof(yaml), format, arguments), 0, sizeof(yaml) - 1);
    va_end(arguments);
    put(text, "%s", yaml);
    run();
    is_served(text);
    forget();
}

// A test that has a cluster of its own.
#define in_cluster(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

// The next row of a table begins, with a cluster of its own.
static inline void begin_row(const char *name, void **state) {
    print_message("%s\n", name);
    (void)tear_down(state);
    assert_int_equal(set_up(state), 0);
}
