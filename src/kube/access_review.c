#include "kube/access_review.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/memory.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { ANSWERS_MAX = 4096, TEXT_MAX = 2048 };

struct answer {
    bool allowed;
    int64_t asked_ms;
};

struct access_reviewer {
    struct api api;
    int64_t kept_ms;      // how long an answer is kept
    pthread_mutex_t lock; // guards all below
    struct map *answers;  // of questions as texts; owns struct answer
};

bool access_reviewer_create(struct api api, struct access_reviewer **ret_access, struct error *e) {
    struct access_reviewer *access = memory_allocate_zeroed(1, sizeof(*access));
    struct map *answers = map_create(memory_free);
    if (access == nullptr || answers == nullptr) {
        memory_free(access);
        map_free(answers);
        return error_no_memory(e, "access reviews");
    }
    *access = (struct access_reviewer){.api = api, .kept_ms = ACCESS_KEPT_MS, .answers = answers};
    pthread_mutex_init(&access->lock, nullptr);
    *ret_access = access;
    return true;
}

void access_reviewer_free(struct access_reviewer *access) {
    if (access != nullptr) {
        map_free(access->answers);
        pthread_mutex_destroy(&access->lock);
        memory_free(access);
    }
}

void access_reviewer_limit(struct access_reviewer *access, uint32_t kept_ms) {
    access->kept_ms = kept_ms < ACCESS_KEPT_MS ? kept_ms : ACCESS_KEPT_MS;
}

// ---- what is known already

static bool is_fresh(const struct access_reviewer *access, const struct answer *answer, int64_t now_ms) {
    return now_ms - answer->asked_ms < access->kept_ms;
}

static bool recall(struct access_reviewer *access, const char *key, bool *ret_allowed) {
    pthread_mutex_lock(&access->lock);
    const struct answer *answer = map_get(access->answers, key);
    bool known = answer != nullptr && is_fresh(access, answer, clock_monotonic_ms());
    if (known) {
        *ret_allowed = answer->allowed;
    }
    pthread_mutex_unlock(&access->lock);
    return known;
}

// With the lock held.
static void drop_old(struct access_reviewer *access, int64_t now_ms) {
    size_t position = 0;
    const char *key;
    void *answer;
    while (map_next(access->answers, &position, &key, &answer)) {
        if (!is_fresh(access, answer, now_ms)) {
            (void)map_remove(access->answers, key);
        }
    }
}

// One that there is no room for is asked for again.
static void remember(struct access_reviewer *access, const char *key, bool allowed, int64_t asked_ms) {
    struct answer *answer = memory_allocate(sizeof(*answer));
    if (answer == nullptr) {
        return;
    }
    *answer = (struct answer){allowed, asked_ms};
    pthread_mutex_lock(&access->lock);
    if (map_count(access->answers) >= ANSWERS_MAX) {
        drop_old(access, clock_monotonic_ms());
    }
    bool kept = map_count(access->answers) < ANSWERS_MAX && map_put(access->answers, key, answer);
    pthread_mutex_unlock(&access->lock);
    if (!kept) {
        memory_free(answer);
    }
}

// ---- asking

// The document borrows the question's texts.
static void fill_review(const struct access_review_spec *question, yyjson_mut_doc *document) {
    char text[TEXT_MAX];
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    (void)yyjson_mut_obj_add_str(document, root, "apiVersion", "authorization.k8s.io/v1");
    (void)yyjson_mut_obj_add_str(document, root, "kind", kube_access_reviews.kind);
    yyjson_mut_val *metadata = yyjson_mut_obj_add_obj(document, root, "metadata");
    (void)yyjson_mut_obj_add_str(document, metadata, "namespace", question->namespace);
    yyjson_mut_val *spec = yyjson_mut_obj_add_obj(document, root, "spec");
    snprintf(text, sizeof(text), "system:serviceaccount:%s:%s", question->service_account_namespace,
             question->service_account);
    (void)yyjson_mut_obj_add_strcpy(document, spec, "user", text);
    // What the API server's authenticator gives every ServiceAccount.
    yyjson_mut_val *groups = yyjson_mut_obj_add_arr(document, spec, "groups");
    (void)yyjson_mut_arr_add_str(document, groups, "system:serviceaccounts");
    snprintf(text, sizeof(text), "system:serviceaccounts:%s", question->service_account_namespace);
    (void)yyjson_mut_arr_add_strcpy(document, groups, text);
    (void)yyjson_mut_arr_add_str(document, groups, "system:authenticated");
    yyjson_mut_val *attributes = yyjson_mut_obj_add_obj(document, spec, "resourceAttributes");
    (void)yyjson_mut_obj_add_str(document, attributes, "namespace", question->namespace);
    (void)yyjson_mut_obj_add_str(document, attributes, "verb", question->verb);
    (void)yyjson_mut_obj_add_str(document, attributes, "group", question->resource->group);
    (void)yyjson_mut_obj_add_str(document, attributes, "version", question->resource->version);
    (void)yyjson_mut_obj_add_str(document, attributes, "resource", question->resource->plural);
    (void)yyjson_mut_obj_add_str(document, attributes, "name", question->name);
}

// Anything but a clear yes is a no.
static bool ask(struct access_reviewer *access, const struct access_review_spec *question, bool *ret_allowed,
                struct error *e) {
    cleanup_json_mut yyjson_mut_doc *review = nullptr;
    cleanup_json yyjson_doc *answer = nullptr;
    if (!json_create(&review, e)) {
        return false;
    }
    fill_review(question, review);
    if (!api_create(access->api, &kube_access_reviews, question->namespace, review, 0, &answer, e)) {
        return error_wrap(e, "asking whether ServiceAccount %s/%s may %s %s %s/%s",
                          question->service_account_namespace, question->service_account, question->verb,
                          question->resource->plural, question->namespace, question->name);
    }
    yyjson_val *status = yyjson_obj_get(yyjson_doc_get_root(answer), "status");
    *ret_allowed = yyjson_get_bool(yyjson_obj_get(status, "allowed")) &&
                   !yyjson_get_bool(yyjson_obj_get(status, "denied"));
    return true;
}

bool access_review(struct access_reviewer *access, const struct access_review_spec *question,
                   bool *ret_allowed, struct error *e) {
    cleanup_buffer struct buffer key = buffer_create(TEXT_MAX);
    int64_t asked_ms = clock_monotonic_ms();
    bool allowed = false;
    if (!buffer_append_format(&key, e, "%s/%s/%s/%s/%s/%s/%s", question->service_account_namespace,
                              question->service_account, question->verb, question->resource->group,
                              question->resource->plural, question->namespace, question->name)) {
        return false;
    }
    if (!recall(access, buffer_text(&key), &allowed)) {
        if (!ask(access, question, &allowed, e)) {
            return false;
        }
        remember(access, buffer_text(&key), allowed, asked_ms);
    }
    *ret_allowed = allowed;
    return true;
}
