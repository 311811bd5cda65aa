// A simulated cluster: an API of values with all that ever changed in it, and a network before it that is
// slow, loses requests and answers, and shows old states where a real one may.
#pragma once

#include "kube/memory_api.h"
#include "schedule.h"

enum actor { BY_USER, BY_CLUSTER, BY_OPERATOR };

struct link;

// One change of one object.
struct change {
    uint64_t version;
    int64_t at_ms;
    int64_t sent_ms;            // when the request for it left
    const struct link *sent_by; // NULL: by nobody's process
    enum actor actor;
    bool removed;
    const struct kube_resource *resource; // of cluster_resources
    const char *namespace;                // "": cluster-scoped; of document, as name is
    const char *name;
    yyjson_doc *document; // owned; of what was removed its last state
    const struct change
        *before; // the same object's last change before; NULL: there is none, or it was removed
};

// How bad the network and the servers are; zeroed: they are quick and without fault. In so many of 1,000
// cases.
struct weather {
    uint32_t latency_ms; // up to
    uint32_t slow;       // requests that take up to 40 s
    uint32_t lost;       // requests that never arrive
    uint32_t unanswered; // requests that are carried out, whose answer does not come
    uint32_t refused;    // 429, 500, 503
    uint32_t conflicts;  // patches that fail as if somebody had been faster
    uint32_t stale; // processes whose API server is behind by up to 20 s, with all that it shows from memory
    uint32_t cut;   // watches that break off, at each delivery
    uint32_t stalled; // watches that say nothing any more, at each delivery
    uint32_t expired; // versions that are too old, at each list page or watch
    uint32_t dropped; // events that a watch never shows
    uint32_t crash;   // processes that end, at each request
};

struct cluster_options {
    void (*changed)(void *context, const struct change *change);
    bool (*allows)(void *context, yyjson_val *spec); // of access reviews
    void *context;
};

struct cluster;

// Owned. Ends the program when memory is out, as everything in this folder does.
struct cluster *cluster_create(const struct cluster_options *options);
void cluster_free(struct cluster *cluster);

struct weather *cluster_weather(struct cluster *cluster);

// The resources that there are: those of the kinds, Secrets, ConfigMaps, Leases and Namespaces. NULL: none of
// them.
const struct kube_resource *cluster_resource(const char *kind);

// All changes so far, oldest first; borrowed until the next one.
const struct change *const *cluster_changes(const struct cluster *cluster, size_t *ret_count);

// What there is of an object now; NULL: nothing. Borrowed until the next change.
yyjson_val *cluster_find(const struct cluster *cluster, const char *kind, const char *namespace,
                         const char *name);

// The last change of an object before that version is passed; NULL: there was none.
const struct change *cluster_change_of(const struct cluster *cluster, const struct kube_resource *resource,
                                       const char *namespace, const char *name, uint64_t version);

uint64_t cluster_version(const struct cluster *cluster); // the newest

// How far behind a new process's API server is, in milliseconds.
int64_t cluster_draw_delay(const struct cluster *cluster);

// Until when, in schedule_now_ms, an API server that is so far behind shows what changed; and the version
// that this is. While the weather is good none is behind.
int64_t cluster_shown_until(const struct cluster *cluster, int64_t behind_ms);
uint64_t cluster_shown_version(const struct cluster *cluster, int64_t behind_ms);

uint64_t cluster_oldest(const struct cluster *cluster); // watches from before it are refused
void cluster_compact(struct cluster *cluster);

// When a process last asked for an object itself, and not for what a watch has shown of it: in
// schedule_now_ms, and the version of that moment. False: it never has.
bool cluster_live_read(const struct link *link, const struct kube_resource *resource, const char *namespace,
                       const char *name, int64_t *ret_at_ms, uint64_t *ret_version);

// What people do; the object is copied. A removal of what is not there is none.
void cluster_put(struct cluster *cluster, const char *kind, yyjson_mut_doc *object);
void cluster_remove(struct cluster *cluster, const char *kind, const char *namespace, const char *name);

// A patch of an object's status, as people write it: a merge patch of the whole object.
void cluster_patch_status(struct cluster *cluster, const char *kind, const char *namespace, const char *name,
                          yyjson_mut_doc *patch);

// What the cluster's own controllers do: what lost its owners or its namespace goes.
void cluster_collect(struct cluster *cluster);

// A process's way to the API.
struct link {
    struct cluster *cluster;
    struct process *process;
    int64_t behind_ms;              // its API server
    bool (*may_write)(void *owner); // asked before a write is sent; NULL: it may always
    void (*crash)(void *owner);
    void *owner;
    struct live_read *live_reads;
    unsigned reads; // so far
    unsigned writes;
};

// The verbs over link, which is borrowed; they block the fiber that calls them.
struct api link_api(struct link *link);
void link_done(struct link *link);
