// How an Event is written (events.k8s.io/v1).
#pragma once

#include "kube/object.h"
#include "kube/resource.h"
#include "json/write.h"

enum { EVENT_NOTE_MAX = 1024, EVENT_INSTANCE_MAX = 128 }; // bytes, as the API server has it

// Who reports Events.
struct event_source {
    const char *component;     // the reporting controller: "example.com/operator"
    const char *instance;      // this process, at most EVENT_INSTANCE_MAX bytes
    const char *id_annotation; // gets the reconcile id: "example.com/reconcile-id"
};

// What an Event says.
struct event_content {
    bool warning;             // type Warning, else Normal
    const char *reason;       // UpperCamelCase words of up to 128 bytes
    const char *action;       // the same
    const char *note;         // a sentence, cut to 1024 bytes, never with key bytes in it
    const char *reconcile_id; // of the reconcile that reports it; NULL: none
};

// All texts are owned.
struct event_body {
    char *namespace; // the Event's
    char *name;      // the Event's
    char *api_version;
    char *kind;
    char *object_namespace; // NULL: cluster-scoped
    char *object_name;
    char *uid;
    char *resource_version;
    char *reason;
    char *action;
    char *note;
    char *reconcile_id; // NULL: none
    bool warning;
    uint64_t count;
    int64_t first_us; // microseconds since 1970
    int64_t last_us;
};

// How many bytes of text to keep so that it has at most max, without cutting a UTF-8 character.
size_t event_text_cut(const char *text, size_t max);

// Fills a zeroed body, with a name that is free by chance (64 random bits) and a count of 0. False: memory is
// out.
[[nodiscard]] bool event_body_fill(struct event_body *body, const struct kube_resource *resource,
                                   const struct kube_object *object, const struct event_content *words);
void event_body_done(struct event_body *body);

// The whole Event, with its series if it happened more than once. *ret_document is owned, and borrows the
// texts of source and body. Errors: NO_MEMORY.
[[nodiscard]] bool event_body_create(const struct event_body *body, const struct event_source *source,
                                     yyjson_mut_doc **ret_document, struct error *e);

// A merge patch that brings the series up to date. *ret_document is owned. Errors: NO_MEMORY.
[[nodiscard]] bool event_body_create_series(const struct event_body *body, yyjson_mut_doc **ret_document,
                                            struct error *e);
