#include "runtime/informers.h"

#include "base/memory.h"

#include <string.h>

enum { SILENCE_MAX_MS = 300000 };

struct informer {
    struct informers *set;
    struct informer *next;
    struct informer_options options;
    struct store *store;
    struct watch *watch;      // NULL: not started
    enum error_class failure; // what it failed with the last time; ERROR_NONE: it works. Loop thread
};

struct informers {
    struct informers_options options; // once started
    struct informer *first;           // owned, as all that follow it
    struct informer **end;            // where the next one is put
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

// The first one of those that are not late, or of all, that has not listed yet; NULL: all have.
static const struct informer *find_unsynced(const struct informers *informers, bool with_late) {
    const struct informer *informer = informers->first;
    while (informer != nullptr && (has_synced(informer) || (informer->options.is_late && !with_late))) {
        informer = informer->next;
    }
    return informer;
}

static void tell_failed(void *context, const struct kube_resource *resource, const struct error *error) {
    struct informer *informer = context;
    const struct informers_options *options = &informer->set->options;
    bool known = informer->failure == error->class;
    informer->failure = error->class;
    options->failed(options->context, resource, error, known);
}

static void tell_recovered(void *context, const struct kube_resource *resource) {
    struct informer *informer = context;
    const struct informers_options *options = &informer->set->options;
    informer->failure = ERROR_NONE;
    options->recovered(options->context, resource);
}

static bool start_wave(struct informers *informers, bool is_late, struct error *e);

// The last one of a wave to list starts the next.
static void note_synced(void *context, const struct kube_resource *resource) {
    struct informer *informer = context;
    struct informers *informers = informer->set;
    struct error e;
    if (!informer->options.is_late && find_unsynced(informers, false) == nullptr &&
        !start_wave(informers, true, &e)) {
        tell_failed(informer, resource, &e);
    }
    if (find_unsynced(informers, true) == nullptr) {
        informers->options.synced(informers->options.context);
    }
}

static bool start(struct informer *informer, struct error *e) {
    const struct informers_options *set = &informer->set->options;
    const struct watch_options options = {
        .resource = informer->options.resource,
        .namespace = informer->options.namespace,
        .metadata_only = informer->options.metadata_only,
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
    return start_wave(informers, false, e);
}

// ---- what is known

bool informers_are_alive(const struct informers *informers, const char **ret_missing, const char **ret_why) {
    const struct informer *unsynced = find_unsynced(informers, true);
    if (unsynced != nullptr) {
        *ret_missing = unsynced->options.resource->plural;
        *ret_why = "not listed yet";
        return false;
    }
    for (const struct informer *informer = informers->first; informer != nullptr; informer = informer->next) {
        bool refused = watch_is_refused(informer->watch);
        if (refused || watch_silence_ms(informer->watch) > SILENCE_MAX_MS) {
            *ret_missing = informer->options.resource->plural;
            *ret_why =
                refused ? "the API server answers with errors, the log tells them" : "not heard of lately";
            return false;
        }
    }
    return true;
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
        struct informer_state state = {.resource = informer->options.resource->plural,
                                       .namespace = informer->options.namespace,
                                       .object_count = store_count(informer->store)};
        if (informer->watch != nullptr) {
            state.has_synced = watch_has_synced(informer->watch);
            state.silence_ms = watch_silence_ms(informer->watch);
        }
        visit(context, &state);
    }
}
