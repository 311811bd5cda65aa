#include "runtime/informers.h"

#include "base/memory.h"
#include "kube/server_words.h"

#include <string.h>

enum { SILENCE_MAX_MS = 300000 };

static const char condition_up[] = "up";

struct informer {
    struct informers *set;
    struct informer *next;
    struct informer_options options;
    struct store *store;
    struct watch *watch; // NULL: not started
    // What it failed with the last time; its class is NONE: it works. Loop thread
    struct error failure;
    bool is_answer; // failure is what the server has said
    // What the server said the last time, in the words of the first of those that say the same; with the HTTP
    // status, 0: it never did.
    struct error answer;
    int answer_status;
    bool is_absent; // there is no such resource, and it may be so. Loop thread
};

struct informers {
    struct informers_options options; // once started
    struct informer *first;           // owned, as all that follow it
    struct informer **end;            // where the next one is put
    bool have_settled;                // which was told
};

bool informers_create(struct informers **ret_informers, struct error *e) {
    struct informers *informers = memory_allocate_zeroed(1, sizeof(*informers));
    if (informers == nullptr) {
        return error_no_memory(e, "informers");
    }
    informers->end = &informers->first;
    *ret_informers = informers;
    return true;
}

void informers_stop(struct informers *informers) {
    for (struct informer *informer = informers->first; informer != nullptr; informer = informer->next) {
        watch_free(informer->watch);
        informer->watch = nullptr;
    }
}

void informers_free(struct informers *informers) {
    if (informers == nullptr) {
        return;
    }
    informers_stop(informers);
    while (informers->first != nullptr) {
        struct informer *informer = informers->first;
        informers->first = informer->next;
        store_free(informer->store);
        memory_free(informer);
    }
    memory_free(informers);
}

bool informers_add(struct informers *informers, const struct informer_options *options,
                   struct store **ret_store, struct error *e) {
    struct informer *informer = memory_allocate_zeroed(1, sizeof(*informer));
    if (informer == nullptr) {
        return error_no_memory(e, "an informer");
    }
    if (!store_create(&options->hooks, &informer->store, e)) {
        memory_free(informer);
        return false;
    }
    informer->set = informers;
    informer->options = *options;
    *informers->end = informer;
    informers->end = &informer->next;
    if (ret_store != nullptr) {
        *ret_store = informer->store;
    }
    return true;
}

// ---- watches

static bool has_synced(const struct informer *informer) {
    return informer->watch != nullptr && watch_has_synced(informer->watch);
}

static bool is_silent(const struct informer *informer) {
    return watch_silence_ms(informer->watch) > SILENCE_MAX_MS;
}

// Whether the server answers as it should: if it is refused or silent, then not because it is away.
static bool any_has_synced(const struct informers *informers) {
    const struct informer *informer = informers->first;
    while (informer != nullptr && !has_synced(informer)) {
        informer = informer->next;
    }
    return informer != nullptr;
}

static bool has_settled(const struct informer *informer) {
    return informer->watch != nullptr &&
           (informer->is_absent || has_synced(informer) ||
            (any_has_synced(informer->set) && (watch_is_refused(informer->watch) || is_silent(informer))));
}

// Whether all have settled that are not late, or all.
static bool have_settled(const struct informers *informers, bool with_late) {
    const struct informer *informer = informers->first;
    while (informer != nullptr && (has_settled(informer) || (informer->options.is_late && !with_late))) {
        informer = informer->next;
    }
    return informer == nullptr;
}

static bool start_wave(struct informers *informers, bool is_late, struct error *e);

// The last one of a wave to settle starts the next.
static void note_settled(struct informer *informer) {
    struct informers *informers = informer->set;
    struct error e;
    if (informers->have_settled || !have_settled(informers, false)) {
        return;
    }
    if (!start_wave(informers, true, &e)) {
        const struct informers_options *options = &informers->options;
        options->failed(options->context, informer->options.resource, informer->options.namespace, &e, false);
    } else if (have_settled(informers, true)) {
        informers->have_settled = true;
        informers->options.settled(informers->options.context);
    }
}

// The server's words stay for as long as they say the same, whatever the network says in between, since they
// go into a metric's label.
static void keep_failure(struct informer *informer, const struct error *error) {
    int status = watch_denial(informer->watch);
    informer->is_answer = status != 0;
    informer->failure = *error;
    if (!informer->is_answer) {
        return;
    }
    if (status == informer->answer_status &&
        server_words_are_alike(informer->answer.message, error->message)) {
        informer->failure = informer->answer;
        informer->failure.class = error->class;
    } else {
        informer->answer = *error;
        informer->answer_status = status;
    }
}

// What is not heard of is not known.
static void note_refusal(struct informer *informer, const struct error *error) {
    if (!has_synced(informer)) {
        informer->is_absent = informer->options.may_be_absent && error->class == ERROR_NOT_FOUND;
        store_set_complete(informer->store, informer->is_absent);
    } else if (watch_is_refused(informer->watch)) {
        store_set_complete(informer->store, false);
    }
}

static void tell_failed(void *context, const struct kube_resource *resource, const struct error *error) {
    struct informer *informer = context;
    const struct informers_options *options = &informer->set->options;
    bool known = informer->failure.class == error->class;
    keep_failure(informer, error);
    note_refusal(informer, error);
    options->failed(options->context, resource, informer->options.namespace, error, known);
    note_settled(informer);
}

static void tell_recovered(void *context, const struct kube_resource *resource) {
    struct informer *informer = context;
    const struct informers_options *options = &informer->set->options;
    informer->failure.class = ERROR_NONE;
    if (has_synced(informer)) {
        store_set_complete(informer->store, true);
    }
    options->recovered(options->context, resource, informer->options.namespace);
}

static void note_synced(void *context, const struct kube_resource *) {
    struct informer *informer = context;
    informer->is_absent = false;
    store_set_complete(informer->store, true);
    note_settled(informer);
}

static bool start(struct informer *informer, struct error *e) {
    const struct informers_options *set = &informer->set->options;
    const struct watch_options options = {
        .resource = informer->options.resource,
        .namespace = informer->options.namespace,
        .kept = informer->options.kept,
        .watch_seconds = set->watch_seconds,
        .failed = tell_failed,
        .recovered = tell_recovered,
        .synced = note_synced,
        .context = informer,
    };
    return watch_create(set->loop, set->client, informer->store, &options, &informer->watch, e);
}

static bool start_wave(struct informers *informers, bool is_late, struct error *e) {
    bool started = true;
    for (struct informer *informer = informers->first; started && informer != nullptr;
         informer = informer->next) {
        bool is_due = informer->options.is_late == is_late && informer->watch == nullptr;
        started = !is_due || start(informer, e);
    }
    return started;
}

bool informers_start(struct informers *informers, const struct informers_options *options, struct error *e) {
    informers->options = *options;
    for (struct informer *informer = informers->first; informer != nullptr; informer = informer->next) {
        store_set_complete(informer->store, false);
    }
    return start_wave(informers, false, e);
}

// ---- what is known

// Of what is being watched, or is to be.
static const char *condition_of(const struct informer *informer) {
    if (!has_synced(informer)) {
        return informer->is_absent ? "no such resource yet" : "not listed yet";
    }
    if (watch_is_refused(informer->watch)) {
        return "refused";
    }
    return is_silent(informer) ? "not heard of lately" : condition_up;
}

struct store *informers_find_store(const struct informers *informers, const char *kind,
                                   const char *namespace) {
    for (const struct informer *informer = informers->first; informer != nullptr; informer = informer->next) {
        const struct informer_options *options = &informer->options;
        if (strcmp(options->resource->kind, kind) == 0 &&
            (options->namespace == nullptr || strcmp(options->namespace, namespace) == 0)) {
            return informer->store;
        }
    }
    return nullptr;
}

void informers_describe(const struct informers *informers,
                        void (*visit)(void *context, const struct informer_state *state), void *context) {
    for (const struct informer *informer = informers->first; informer != nullptr; informer = informer->next) {
        const char *condition = condition_of(informer);
        const struct informer_state state = {
            .resource = informer->options.resource->plural,
            .namespace = informer->options.namespace,
            .condition = condition,
            .detail = informer->failure.class == ERROR_NONE ? "" : informer->failure.message,
            .is_answer = informer->is_answer,
            .is_up = condition == condition_up,
            .has_synced = has_synced(informer),
            .silence_ms = informer->watch == nullptr ? 0 : watch_silence_ms(informer->watch),
            .object_count = store_count(informer->store),
        };
        visit(context, &state);
    }
}
