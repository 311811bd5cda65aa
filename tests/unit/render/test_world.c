// The reconciler over an API of values: what a reconcile takes of the heap is given back.
#include "../base/check.h"
#include "../base/heap.h"
#include "../base/short_memory.h"
#include "../json/quoted.h"

#include "base/log.h"
#include "crypto/openssl.h"
#include "kinds/table.h"
#include "render/world.h"

#include <stdio.h>

static const struct {
    const char *kind;
    const char *name;
    const char *spec;
} objects[] = {
    {"QuantumRandomNumber", "numbers", "{}"},
    {"QuantumKEMKeyPair", "pair", "{}"},
    {"QuantumEncapsulateSecret", "sealed", "{'publicKeyRef':{'name':'pair'}}"},
    {"QuantumDecapsulateSecret", "opened",
     "{'privateKeyRef':{'name':'pair'},'ciphertextRef':{'name':'sealed'}}"},
    {"QuantumDerivedKey", "derived", "{'sharedSecretRef':{'name':'opened'}}"},
    {"QuantumSignatureKeyPair", "signer", "{'algorithm':'ML-DSA-44'}"},
    {"QuantumSignMessage", "signed",
     "{'privateKeyRef':{'name':'signer'},'messageRef':{'name':'numbers','key':'random'}}"},
    {"QuantumVerifySignature", "verified",
     "{'publicKeyRef':{'name':'signer'},'messageRef':{'name':'numbers','key':'random'},"
     "'signatureRef':{'name':'signed'}}"},
    {"QuantumCertificate", "ca", "{'algorithm':'ML-DSA-44','certType':'ca','commonName':'CA'}"},
    {"QuantumDerivedKey", "waiting", "{'sharedSecretRef':{'name':'absent'}}"},
    {"QuantumKEMKeyPair", "wrong", "{'algorithm':'none'}"},
};
enum { OBJECTS = sizeof(objects) / sizeof(objects[0]), NOT_READY = 2 };

static void ignore_event(void *, const struct kube_resource *, const struct kube_object *,
                         const struct event_content *) {}

static struct world *make(void) {
    static const struct world_options options = {.kinds = kind_table, .recorded = ignore_event};
    struct error e;
    struct world *world = nullptr;
    must(world_create(&options, &world, &e), e);
    return world;
}

// Puts all objects there, or edits their metadata, and lets them be reconciled.
static void reconcile_all(struct world *world, int round) {
    struct error e;
    for (size_t i = 0; i < OBJECTS; i++) {
        char text[1024];
        const struct kube_resource *const *resource = world_resources(world);
        while (strcmp((*resource)->kind, objects[i].kind) != 0) {
            resource++;
        }
        snprintf(text, sizeof(text),
                 "{'apiVersion':'qubesec.io/v1','kind':'%s','metadata':{'namespace':'a','name':'%s',"
                 "'labels':{'round':'%06d'}},'spec':%s}",
                 objects[i].kind, objects[i].name, round, objects[i].spec);
        cleanup_json yyjson_doc *object = parse_quoted(text);
        must(memory_api_put(world_api(world), *resource, yyjson_doc_get_root(object), &e), e);
    }
    must(world_run(world, &e), e);
}

static void count_ready(void *context, yyjson_val *object) {
    yyjson_val *ready = yyjson_arr_get_first(json_find(object, "status", "conditions", nullptr));
    *(int *)context += json_member_is(ready, "status", "True") ? 1 : 0;
}

static void what_a_reconcile_takes_is_given_back(void **) {
    enum { ALLOWED = 1024 };
    const int warm = heap_rounds(50);
    const int many = heap_rounds(200);
    int ready = 0;
    struct world *world = make();
    for (int round = 0; round < warm; round++) {
        reconcile_all(world, round);
    }
    memory_api_visit(world_api(world), count_ready, &ready);
    assert_int_equal(ready, OBJECTS - NOT_READY);
    size_t before = heap_in_use();
    for (int round = warm; round < warm + many; round++) {
        reconcile_all(world, round);
    }
    assert_in_range(heap_in_use(), 0, before + ALLOWED);
    world_free(world);
}

static int set_up(void **) {
    struct error e;
    log_set_level(LOG_ERROR);
    return crypto_start(&e) ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_reconcile_takes_is_given_back),
    };
    return cmocka_run_group_tests_name("render/world", tests, set_up, nullptr);
}
