// What `qubesec render` keeps of earlier runs: objects with their statuses, and Secrets. The reconciler reads
// them back as it reads those of an API server, and whatever they say it comes to an end that the next run
// finds finished: that one makes nothing anew, writes nothing else, and says the same.
#include "memory_file.h"

#include "kinds/table.h"
#include "render/render.h"
#include "render/state.h"

enum { STATE_MAX = 16 * 1024 * 1024 };

// The files: the objects of those kinds that the state names, and all where it names none, so that no run
// makes keys that have nothing to do with its state.
static const struct manifest {
    const char *kind;
    const char *text;
} manifests[] = {
    {"QuantumRandomNumber", "metadata: {name: numbers}\n"},
    {"QuantumKEMKeyPair", "metadata: {name: pair}\nspec: {algorithm: ML-KEM-512}\n"},
    {"QuantumEncapsulateSecret", "metadata: {name: sealed}\nspec: {publicKeyRef: {name: pair}}\n"},
    {"QuantumDecapsulateSecret",
     "metadata: {name: opened}\nspec: {privateKeyRef: {name: pair}, ciphertextRef: {name: sealed}}\n"},
    {"QuantumDerivedKey", "metadata: {name: derived}\nspec: {sharedSecretRef: {name: opened}}\n"},
    {"QuantumSignatureKeyPair", "metadata: {name: signer}\nspec: {algorithm: ML-DSA-44}\n"},
    {"QuantumSignMessage",
     "metadata: {name: signed}\n"
     "spec: {privateKeyRef: {name: signer}, messageRef: {name: message, kind: ConfigMap}}\n"},
    {"QuantumVerifySignature",
     "metadata: {name: verified}\nspec: {publicKeyRef: {name: signer}, "
     "messageRef: {name: message, kind: ConfigMap}, signatureRef: {name: signed}}\n"},
    {"QuantumCertificate", "metadata: {name: root}\nspec: {commonName: example.com, algorithm: ML-DSA-44}\n"},
};
enum { MANIFEST_COUNT = sizeof(manifests) / sizeof(manifests[0]) };

static bool names(const void *state, size_t length, const char *kind) {
    return length > 0 && memmem(state, length, kind, strlen(kind)) != nullptr;
}

static void append_manifests(const void *state, size_t length, struct buffer *text) {
    struct error e;
    bool any = false;
    for (size_t i = 0; i < MANIFEST_COUNT; i++) {
        any = any || names(state, length, manifests[i].kind);
    }
    MUST(
        buffer_append_text(
            text, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: message}\ndata: {message: hello}\n", &e),
        e);
    for (size_t i = 0; i < MANIFEST_COUNT; i++) {
        if (!any || names(state, length, manifests[i].kind)) {
            MUST(buffer_append_format(text, &e, "---\napiVersion: qubesec.io/v1\nkind: %s\n%s",
                                      manifests[i].kind, manifests[i].text),
                 e);
        }
    }
}

// ---- in place of render/state.c: no folder

static const void *kept;
static size_t kept_length;
static struct buffer saved;
static bool is_saved;

bool state_open(const char *path, struct state **ret_state, struct error *e) {
    (void)path;
    (void)e;
    *ret_state = (struct state *)&saved;
    return true;
}

void state_close(struct state *state) {
    (void)state;
}

bool state_load(const struct state *state, struct buffer *text, struct error *e) {
    (void)state;
    return kept == nullptr || buffer_append(text, kept, kept_length, e);
}

bool state_save(const struct state *state, const struct buffer *text, struct error *e) {
    (void)state;
    CHECK(!is_saved);
    is_saved = true;
    buffer_done(&saved);
    saved = buffer_create(STATE_MAX);
    return buffer_append(&saved, text->data, text->length, e);
}

bool state_write_entry(const struct state *state, const char *namespace, const char *secret, yyjson_val *key,
                       const void *bytes, size_t length, struct error *e) {
    (void)state;
    (void)secret;
    (void)bytes;
    (void)length;
    (void)e;
    CHECK(namespace[0] != '\0' && yyjson_get_len(key) > 0);
    return true;
}

bool state_remove_entries(const struct state *, const char *, const char *, bool (*)(void *, const char *),
                          void *, struct error *) {
    return true;
}

// ---- two runs

struct outcome_of_run {
    struct buffer manifests;
    bool done;
    bool ready;
};

static void hear(void *context, const char *text) {
    (void)context;
    CHECK(text[0] != '\0');
}

static struct outcome_of_run run(const struct buffer *given, const void *state, size_t length,
                                 struct error *e) {
    static struct memory_file file;
    const char *const files[] = {memory_file_write(&file, given->data, given->length), nullptr};
    const struct render_options options = {
        .kinds = kind_table, .files = files, .namespace = "default", .state = "state", .note = hear};
    struct outcome_of_run outcome = {.manifests = buffer_create(STATE_MAX)};
    kept = state;
    kept_length = length;
    is_saved = false;
    *e = (struct error){0};
    outcome.done = render_run(&options, &outcome.manifests, &outcome.ready, e);
    return outcome;
}

static void check_same(const char *what, const struct buffer *one, const struct buffer *other) {
    size_t at = 0;
    while (at < one->length && at < other->length && one->data[at] == other->data[at]) {
        at++;
    }
    if (at < one->length || at < other->length) {
        size_t begin = at < 100 ? 0 : at - 100;
        (void)fprintf(stderr, "%s differ:\n%.200s\n---- and\n%.200s\n", what, buffer_text(one) + begin,
                      buffer_text(other) + begin);
    }
    CHECK(one->length == other->length && at == one->length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error e;
    start_crypto();
    cleanup_buffer struct buffer given = buffer_create(STATE_MAX);
    append_manifests(data, size, &given);
    struct outcome_of_run first = run(&given, size == 0 ? nullptr : data, size, &e);
    if (!first.done) {
        CHECK(!is_saved && first.manifests.length == 0);
        check_refusal(&e, ERROR_INVALID_SPEC);
    } else {
        struct buffer state = saved;
        saved = (struct buffer){0};
        CHECK(is_saved);
        struct outcome_of_run second = run(&given, state.data, state.length, &e);
        if (!second.done) {
            (void)fprintf(stderr, "%s\n", e.message);
        }
        CHECK(second.done && is_saved && second.ready == first.ready);
        check_same("the states", &state, &saved);
        check_same("the manifests", &first.manifests, &second.manifests);
        buffer_done(&state);
        buffer_done(&second.manifests);
    }
    buffer_done(&first.manifests);
    buffer_done(&saved);
    return 0;
}
