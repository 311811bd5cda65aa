#include "operator/debug.h"

#include "base/clock.h"
#include "base/log.h"
#include "json/write.h"

#include <string.h>

enum { KEYS_MAX = 1000, STATUS_OK = 200, STATUS_INTERNAL = 500 };

// Where keys or watches go.
struct list {
    yyjson_mut_doc *document;
    yyjson_mut_val *array;
    size_t count;
};

static struct list add_list(yyjson_mut_doc *document, yyjson_mut_val *object, const char *field) {
    return (struct list){document, yyjson_mut_obj_add_arr(document, object, field), 0};
}

static yyjson_mut_val *add_key(struct list *list, const struct queue_key *key) {
    yyjson_mut_val *object = yyjson_mut_arr_add_obj(list->document, list->array);
    char text[OBJECT_KEY_TEXT_SIZE];
    object_key_format(key->key, text);
    (void)yyjson_mut_obj_add_strcpy(list->document, object, "key", text);
    list->count++;
    return object;
}

static bool add_running(void *context, const struct queue_key *key) {
    struct list *list = context;
    if (key->state != QUEUE_KEY_RUNNING) {
        return false; // they come first
    }
    (void)yyjson_mut_obj_add_real(list->document, add_key(list, key), "seconds", key->seconds);
    return list->count < KEYS_MAX;
}

static const char *const lanes[] = {
    [QUEUE_FAST] = "fast",
    [QUEUE_SLOW] = "slow",
    [QUEUE_REMOTE] = "remote",
};

static bool add_waiting(void *context, const struct queue_key *key) {
    struct list *list = context;
    if (key->state == QUEUE_KEY_RUNNING) {
        return true;
    }
    bool ready = key->state == QUEUE_KEY_READY;
    yyjson_mut_val *object = add_key(list, key);
    (void)yyjson_mut_obj_add_str(list->document, object, "lane", lanes[key->lane]);
    (void)yyjson_mut_obj_add_uint(list->document, object, "failures", key->failures);
    (void)yyjson_mut_obj_add_real(list->document, object, ready ? "waitingSeconds" : "backoffSeconds",
                                  key->seconds);
    return list->count < KEYS_MAX;
}

static void add_informer(void *context, const struct informer_state *state) {
    const struct list *list = context;
    yyjson_mut_val *object = yyjson_mut_arr_add_obj(list->document, list->array);
    (void)yyjson_mut_obj_add_str(list->document, object, "resource", state->resource);
    if (state->namespace != nullptr) {
        (void)yyjson_mut_obj_add_str(list->document, object, "namespace", state->namespace);
    }
    (void)yyjson_mut_obj_add_bool(list->document, object, "synced", state->has_synced);
    (void)yyjson_mut_obj_add_str(list->document, object, "condition", state->condition);
    (void)yyjson_mut_obj_add_strcpy(list->document, object, "detail", state->detail);
    (void)yyjson_mut_obj_add_sint(list->document, object, "silenceMilliseconds", state->silence_ms);
    (void)yyjson_mut_obj_add_uint(list->document, object, "objects", state->object_count);
}

static void show_state(const struct debug_view *view, yyjson_mut_doc *document, yyjson_mut_val *root) {
    (void)yyjson_mut_obj_add_str(document, root, "version", QUBESEC_VERSION);
    (void)yyjson_mut_obj_add_sint(document, root, "uptimeSeconds", clock_wall_seconds() - view->started);
    (void)yyjson_mut_obj_add_bool(document, root, "leader", view->is_leader);
    (void)yyjson_mut_obj_add_str(document, root, "logLevel", log_level_name(log_get_level()));
    (void)yyjson_mut_obj_add_uint(document, root, "workers", workers_count(view->workers));
    (void)yyjson_mut_obj_add_uint(document, root, "queueDepth", queue_depth(view->queue));
    struct list running = add_list(document, root, "running");
    queue_describe(view->queue, add_running, &running);
    struct list watches = add_list(document, root, "watches");
    informers_describe(view->informers, add_informer, &watches);
}

static void show_queue(const struct debug_view *view, yyjson_mut_doc *document, yyjson_mut_val *root) {
    struct list waiting = add_list(document, root, "waiting");
    queue_describe(view->queue, add_waiting, &waiting);
}

static const struct page {
    const char *path;
    void (*show)(const struct debug_view *view, yyjson_mut_doc *document, yyjson_mut_val *root);
} pages[] = {
    {"/debug/state", show_state},
    {"/debug/queue", show_queue},
};

static bool write_page(const struct page *page, const struct debug_view *view, struct buffer *body,
                       struct error *e) {
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (!json_create(&document, e)) {
        return false;
    }
    page->show(view, document, yyjson_mut_doc_get_root(document));
    return json_write(document, body, e) && buffer_append_text(body, "\n", e);
}

bool debug_answer(const struct debug_view *view, const char *path, struct buffer *body, int *ret_status) {
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (strcmp(path, pages[i].path) == 0) {
            struct error ignored;
            *ret_status = write_page(&pages[i], view, body, &ignored) ? STATUS_OK : STATUS_INTERNAL;
            return true;
        }
    }
    return false;
}
