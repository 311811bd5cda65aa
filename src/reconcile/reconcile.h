// One reconcile in progress: what its steps share. For the files of this folder only.
#pragma once

#include "base/log.h"
#include "crypto/digest.h"
#include "engine/input_versions.h"
#include "engine/production.h"
#include "reconcile/reconcile_id.h"
#include "reconcile/reconciler.h"
#include "reconcile/regenerate_backoff.h"
#include "reconcile/renewal.h"

enum { SOURCE_FROM_SIZE = 64 + 253 + 1 };

// What an input's kind is where its bytes come from a URL.
#define SOURCE_URL "URL"

// One input: where it is, and, once loaded, what it is.
struct source {
    const struct input_request *request;
    const struct input_source *from;
    const struct kube_resource *resource; // Secrets or ConfigMaps; NULL: a URL
    const char *namespace;                // where the reference points to
    const char *name;                     // of the Secret, ConfigMap, or URL
    const char *data_key;
    struct kube_object *upstream; // owned: the resource of ours that the Secret belongs to; NULL: none
    struct kube_object *seen;     // owned: what the watch says of the Secret or ConfigMap; NULL: nothing
    struct kube_object *read;     // owned: its metadata as read with the bytes
    struct secret *bytes;         // owned; NULL: not loaded
    struct secret *beside;        // owned: an entry that is given by itself, too; NULL: there is none
    struct input_version version; // which bytes are; number 0: there are no versions
};

// Writes "Kind/name", as status.inputs[].from names one of our own objects.
void source_format_from(const char *kind, const char *name, char ret_from[SOURCE_FROM_SIZE]);

// The name of an input as statuses, Events and the log have it. Of a URL only scheme, host and path, cut to
// what fits: credentials and queries, in which tokens are passed, stay in the spec.
enum { SOURCE_SHOWN_SIZE = 512 };
void source_show(const char *name, char ret_shown[SOURCE_SHOWN_SIZE]);

// Whether an entry of status.inputs has its name; of a URL earlier releases wrote all.
bool source_is_named(const struct source *source, yyjson_val *recorded);

// "Secret", "ConfigMap" or "URL": where its bytes are.
const char *source_kind(const struct source *source);

// What an annotation of the object can ask for.
enum request { REQUEST_RENEW, REQUEST_ROTATE, REQUEST_COUNT };

// How a status is told, besides that a change of its Ready condition is an Event.
enum telling {
    TELL_ANEW,      // in the words of this time
    TELL_AS_BEFORE, // in the words of the last time, where it is the same but for what varies
    TELL_EACH_TIME, // the same, and it is counted in the Event
    TELL_NOTHING,   // no status at all: it is over in a moment, and what ends it wakes the object
};

// What became of the ConfigMap that has a part of the output, too, and of those under earlier names.
struct bundle_outcome {
    struct kube_object
        *config_map; // owned: it is as it should be, as it was read or written last; NULL: it is not
    char digest[DIGEST_TEXT_SIZE]; // of the text of its entry
    size_t certificate_count;      // in that
    bool is_written;               // its content was
    bool is_counted;               // that it was put right
    const char *reason;            // what is to be told of it, static; NULL: nothing
    char name[SPEC_NAME_MAX + 1];  // of the ConfigMap that this is about
    struct error why;              // the same for people
    uint32_t wait_ms;              // when to look at it again; 0: no need to
};

struct reconcile {
    const struct reconciler_parts *parts;
    const struct kind *kind;
    const struct object_key *key;
    const struct queue_attempt *attempt;
    char id[RECONCILE_ID_SIZE];  // for logs, Events and the status that it writes
    struct kube_object *object;  // owned
    struct kube_object *written; // owned: the same with the status that was written; NULL: none was
    struct decoded decoded;
    struct source sources[KIND_INPUTS_MAX];

    // How it ends. A step that stops early leaves here what its error does not say: the reason, where that is
    // not the one of the error's class; and RESULT_LANE, where it left work that takes seconds undone.
    struct outcome *outcome;
    const char *deed; // what its Event says was done, static; NULL: nothing besides the status's message
    enum telling telling;

    bool is_granted;    // some input is in another namespace, and may be read
    bool is_outdated;   // the output was found not to be what is asked for
    bool is_contested;  // the output's labels, annotations or owner are changed by others again and again
    bool keeps_refusal; // the status has told what follows, and the owner is not asked for again yet
    struct error
        owner_refusal;       // what the API server says who keeps the output's owner as it is; NONE: nobody
    uint32_t upkeep_wait_ms; // when to look at them again; 0: no need to
    struct production production;                           // what the engine makes of it
    char requests[REQUEST_COUNT][PROVENANCE_SENTENCE_SIZE]; // of the object's annotations; "": there is none
    struct rotation rotation; // what is to be done next, of an output that is rotated
    enum rotation_step taken; // what was done of it
    bool renews;              // the output that is due is issued anew, whatever is to be rotated
    struct error unrotated;   // why that was refused, of an output that stays as it was; NONE: it was not
    struct version_name
        unknown[VERSIONS_KEPT_MAX + 2]; // that the Secret held, and the status does not tell of
    size_t unknown_count;
    yyjson_doc *live;        // owned: the list with the object, as it was read live; NULL: it was not
    bool is_present_unknown; // the last of the unknown ones is the present one
    bool is_adopted;         // the output was left from an earlier object
    bool is_answered_so;     // the request for another output, by taking over: to be noted in its metadata
    bool is_counted;         // the output's remake was counted
    enum regenerated counted_as; // as what
    uint32_t renewal_wait_ms;    // when an output that serves until then is renewed; 0: it does not wait
    bool is_ready_counted;       // that Ready is put back was counted
    bool is_made;                // the output was made, and not found as it is
    yyjson_doc *secret_document; // owned: the Secret that was examined; NULL: none
    struct kube_object *output;  // owned: the output Secret's metadata as last read or written
    struct bundle_outcome bundle;
};

// Logs about r's object, with r's id; detail may be NULL.
void reconcile_log(const struct reconcile *r, enum log_level level, const char *what, const char *detail);

// Records an Event about r's object, with r's id.
void reconcile_record(const struct reconcile *r, bool warning, const char *reason, const char *action,
                      const char *note);

// Sends a request of r's as api_call does. That the operator may not do something is no answer to
// whether the object's owner may, so FORBIDDEN becomes REFUSED; of a read it becomes RETRYABLE, since nothing
// is known against the object then.
[[nodiscard]] bool reconcile_request(const struct reconcile *r, const struct api_request *request,
                                     yyjson_doc **ret_document, struct error *e);

// Reads an object as it is now, or, with version, at that version or any later one: the API server may answer
// from its memory then, without asking etcd. *ret_document is owned. Errors: as reconcile_request.
[[nodiscard]] bool reconcile_get(const struct reconcile *r, const struct kube_resource *resource,
                                 const char *namespace, const char *name, const char *version,
                                 yyjson_doc **ret_document, struct error *e);

// What the watch knows of the object of that kind, namespace and name: a count that is the caller's, or NULL.
struct kube_object *reconcile_find(const struct reconcile *r, const char *kind, const char *namespace,
                                   const char *name);

// The resource of that kind: Secrets, ConfigMaps, or one of ours; NULL: there is none.
const struct kube_resource *reconcile_resource(const struct reconcile *r, const char *kind);

// All of that kind and name, asked for as a list, which is a right that watching needs anyway. *ret_list is
// owned. Errors: as reconcile_request.
[[nodiscard]] bool reconcile_list(const struct reconcile *r, const struct kube_resource *resource,
                                  const char *namespace, const char *name, yyjson_doc **ret_list,
                                  struct error *e);

// As reconcile_find, but where the watch cannot tell, since nothing was listed yet or it is refused, the API
// server is asked: so that *ret_object is NULL says that there is no such object. Of Secrets and ConfigMaps
// only metadata is read. Errors: as reconcile_request.
[[nodiscard]] bool reconcile_look_up(const struct reconcile *r, const char *kind, const char *namespace,
                                     const char *name, struct kube_object **ret_object, struct error *e);

// When this program began to work, in seconds since 1970 by the present clock, which may have been set since.
int64_t reconcile_started(const struct reconcile *r);

// Whether an output that expires is to be renewed now; else *ret_wait_ms: when to look at it again, 0: never.
bool reconcile_is_due(const struct reconcile *r, const struct renewal *renewal, uint32_t *ret_wait_ms);

// Whether the output that r->production.report is about expires and is to be renewed now; else *ret_wait_ms:
// when to look at it again, 0: never.
bool reconcile_output_is_due(const struct reconcile *r, uint32_t *ret_wait_ms);
