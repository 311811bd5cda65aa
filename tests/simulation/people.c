#include "people.h"

#include "chance.h"
#include "kube/resource.h"
#include "json/read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const namespaces[NAMESPACES] = {"a", "b"};

// One of each kind, each with what it needs; "over" is of the second namespace only, and needs a grant.
const struct thing things[] = {
    {"QuantumRandomNumber", "rand", "rand", {"random"}, nullptr, "'numBytes':32"},
    {"QuantumKEMKeyPair",
     "kem",
     "kem",
     {"private_key", "private_key.pem"},
     "public_key.pem",
     "'algorithm':'ML-KEM-512'"},
    {"QuantumEncapsulateSecret",
     "enc",
     "enc",
     {"shared_secret"},
     "ciphertext",
     "'publicKeyRef':{'name':'kem'}"},
    {"QuantumEncapsulateSecret",
     "over",
     "over",
     {"shared_secret"},
     "ciphertext",
     "'publicKeyRef':{'name':'kem','namespace':'a'}"},
    {"QuantumDecapsulateSecret",
     "dec",
     "dec",
     {nullptr},
     nullptr,
     "'privateKeyRef':{'name':'kem'},'ciphertextRef':{'name':'enc'}"},
    {"QuantumDerivedKey",
     "key",
     "key",
     {nullptr},
     nullptr,
     "'sharedSecretRef':{'name':'dec'},'info':'simulation'"},
    {"QuantumSignatureKeyPair",
     "signer",
     "signer",
     {"private_key", "private_key.pem"},
     "public_key.pem",
     "'algorithm':'ML-DSA-44'"},
    {"QuantumSignMessage",
     "signed",
     "signed-signature",
     {nullptr},
     "signature",
     "'privateKeyRef':{'name':'signer'},'messageRef':{'name':'message','key':'m'}"},
    {"QuantumVerifySignature",
     "verified",
     nullptr,
     {nullptr},
     nullptr,
     "'publicKeyRef':{'name':'signer'},'messageRef':{'name':'message','key':'m'},'signatureRef':{'name':'"
     "signed'}"},
    {"QuantumCertificate",
     "ca",
     "ca-secret",
     {"tls.key", "key.pem"},
     "cert.pem",
     "'certType':'ca','commonName':'CA','algorithm':'ML-DSA-44'"},
    {"QuantumCertificate",
     "leaf",
     "leaf-secret",
     {"tls.key", "key.pem"},
     "cert.pem",
     "'certType':'server','parentCARef':{'name':'ca'},'subjectAltNames':['leaf.example'],'algorithm':'ML-DSA-"
     "44'"},
    {"QuantumCertificate",
     "below",
     "below-secret",
     {"tls.key", "key.pem"},
     "cert.pem",
     "'certType':'ca','parentCARef':{'name':'ca'},'commonName':'Below','algorithm':'ML-DSA-44'"},
    {"QuantumCertificate",
     "deep",
     "deep-secret",
     {"tls.key", "key.pem"},
     "cert.pem",
     "'certType':'server','parentCARef':{'name':'below'},'subjectAltNames':['deep.example'],'algorithm':'ML-"
     "DSA-44'"},
};
const size_t thing_count = sizeof(things) / sizeof(things[0]);

static struct cluster *cluster;
static unsigned acts;
static bool grants;
static bool fails_on_loss[NAMESPACES][16];
static bool rotates[NAMESPACES][16];
static bool is_patient; // nobody wants anything to be rotated by the clock
static char said[256];

bool people_grant(void) {
    return grants;
}

unsigned people_acts(void) {
    return acts;
}

const struct thing *people_find_thing(const char *secret) {
    for (size_t i = 0; i < thing_count; i++) {
        if (things[i].secret != nullptr && strcmp(things[i].secret, secret) == 0) {
            return &things[i];
        }
    }
    return nullptr;
}

bool people_may_rotate(const struct thing *thing) {
    static const char *const kinds[] = {"QuantumRandomNumber", "QuantumKEMKeyPair",
                                        "QuantumEncapsulateSecret", "QuantumSignatureKeyPair"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i], thing->kind) == 0) {
            return true;
        }
    }
    return false;
}

// ---- objects

// From a text in which ' stands for ". Owned.
[[gnu::format(printf, 1, 2)]] static yyjson_mut_doc *object_of(const char *format, ...) {
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    for (char *at = text; *at != '\0'; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    yyjson_doc *document = yyjson_read(text, strlen(text), 0);
    if (document == nullptr) {
        fprintf(stderr, "not JSON: %s\n", text);
        abort();
    }
    yyjson_mut_doc *copy = yyjson_doc_mut_copy(document, nullptr);
    yyjson_doc_free(document);
    return copy;
}

static void put(const char *kind, yyjson_mut_doc *object) {
    cluster_put(cluster, kind, object);
    yyjson_mut_doc_free(object);
}

// A copy of what is there that can be changed and put back. Owned.
static yyjson_mut_doc *copy_of(yyjson_val *object) {
    yyjson_mut_doc *document = yyjson_mut_doc_new(nullptr);
    yyjson_mut_doc_set_root(document, yyjson_val_mut_copy(document, object));
    return document;
}

static yyjson_mut_val *member(yyjson_mut_doc *document, yyjson_mut_val *object, const char *name) {
    yyjson_mut_val *value = yyjson_mut_obj_get(object, name);
    return value != nullptr ? value : yyjson_mut_obj_add_obj(document, object, name);
}

static bool can_be_in(const struct thing *thing, size_t home) {
    return home == 1 || strcmp(thing->name, "over") != 0;
}

static bool is_there(size_t home) {
    return json_find(cluster_find(cluster, "Namespace", "", namespaces[home]), "metadata",
                     "deletionTimestamp", nullptr) == nullptr &&
           cluster_find(cluster, "Namespace", "", namespaces[home]) != nullptr;
}

// How something is to be rotated, in a text in which ' stands for ".
static const char *draw_rotation(const struct thing *thing) {
    static char text[160];
    bool by_clock = !is_patient && chance_of(600);
    int length = snprintf(text, sizeof(text), "{'keep':%u", 1 + chance_below(3));
    if (by_clock) {
        length += snprintf(text + length, sizeof(text) - (size_t)length, ",'every':'%um'",
                           chance_of(500) ? chance_between(10, 30) : chance_between(30, 240));
    }
    if (strcmp(thing->kind, "QuantumRandomNumber") != 0 && chance_of(500)) { // clocks differ by less
        length += snprintf(text + length, sizeof(text) - (size_t)length, ",'publishAhead':'%um'",
                           chance_between(3, 8));
    }
    if (chance_of(250)) {
        length +=
            snprintf(text + length, sizeof(text) - (size_t)length, ",'keepFor':'%um'", chance_between(1, 10));
    }
    snprintf(text + length, sizeof(text) - (size_t)length, "}");
    return text;
}

// The same of a root CA. Another one is published ahead, and an earlier one kept, for minutes, so that people
// interfere, or for as long as is usual.
static const char *draw_rollover(void) {
    static char text[160];
    bool is_short = chance_of(700);
    unsigned least = is_short ? 4 : 20; // clocks differ by less
    unsigned most = is_short ? 8 : 60;
    int length = snprintf(text, sizeof(text), "{'keep':%u", 1 + chance_below(2));
    if (!is_patient && chance_of(300)) {
        length += snprintf(text + length, sizeof(text) - (size_t)length, ",'every':'%um'",
                           chance_between(most + 4, 240));
    }
    if (chance_of(800)) {
        length += snprintf(text + length, sizeof(text) - (size_t)length, ",'publishAhead':'%um'",
                           chance_between(least, most));
    }
    if (chance_of(600)) {
        length += snprintf(text + length, sizeof(text) - (size_t)length, ",'keepFor':'%um'",
                           chance_between(least, most));
    }
    snprintf(text + length, sizeof(text) - (size_t)length, "}");
    return text;
}

const char *const bundles[BUNDLES] = {"roots", "others"};

bool people_is_root(const struct thing *thing) {
    return strcmp(thing->name, "ca") == 0;
}

static void create(size_t home, size_t i) {
    const struct thing *thing = &things[i];
    bool has_output = thing->secret != nullptr;
    unsigned retains = has_output ? chance_below(3) : 0;
    bool fails = thing->forms[0] != nullptr && fails_on_loss[home][i];
    bool is_rotated = (people_may_rotate(thing) || people_is_root(thing)) && rotates[home][i];
    const char *rotation = !is_rotated ? "" : people_is_root(thing) ? draw_rollover() : draw_rotation(thing);
    const char *bundle =
        people_is_root(thing) && chance_of(600) ? ",'trustBundle':{'configMapName':'roots'}" : "";
    put(thing->kind,
        object_of("{'metadata':{'name':'%s','namespace':'%s'},'spec':{%s%s%s%s%s%s}}", thing->name,
                  namespaces[home], thing->spec, bundle,
                  retains == 0   ? ""
                  : retains == 1 ? ",'deletionPolicy':'Retain'"
                                 : ",'deletionPolicy':'Delete'",
                  fails ? ",'onKeyLoss':'Fail'" : "", is_rotated ? ",'rotation':" : "", rotation));
}

static void write_message(size_t home) {
    put("Secret", object_of("{'metadata':{'name':'message','namespace':'%s'},'data':{'m':'%08xAAAA'}}",
                            namespaces[home], (unsigned)chance_bits()));
}

static void found(size_t home) {
    put("Namespace", object_of("{'metadata':{'name':'%s'}}", namespaces[home]));
}

void people_begin(struct cluster *of) {
    cluster = of;
    acts = 0;
    grants = chance_of(700);
    is_patient = false;
    for (size_t home = 0; home < NAMESPACES; home++) {
        for (size_t i = 0; i < thing_count; i++) {
            fails_on_loss[home][i] = chance_of(200);
            rotates[home][i] = chance_of(500);
        }
    }
}

void people_settle_in(void) {
    put("Namespace", object_of("{'metadata':{'name':'system'}}"));
    for (size_t home = 0; home < NAMESPACES; home++) {
        found(home);
        if (chance_of(800)) {
            write_message(home);
        }
        uint32_t usual = home == 0 ? 800 : 400;
        for (size_t i = 0; i < thing_count; i++) {
            if (can_be_in(&things[i], home) && chance_of(usual)) {
                create(home, i);
            }
        }
    }
}

// ---- what somebody does with one thing

struct choice {
    size_t home;
    size_t index;
    const struct thing *thing;
    const char *namespace;
    yyjson_val *object; // NULL: it is not there
    yyjson_val *secret; // the same
};

static struct choice choose(void) {
    struct choice choice = {.home = chance_below(3) == 0, .index = chance_below((uint32_t)thing_count)};
    choice.thing = &things[choice.index];
    choice.namespace = namespaces[choice.home];
    choice.object = cluster_find(cluster, choice.thing->kind, choice.namespace, choice.thing->name);
    if (choice.thing->secret != nullptr) {
        choice.secret = cluster_find(cluster, "Secret", choice.namespace, choice.thing->secret);
    }
    return choice;
}

static bool do_create(const struct choice *choice) {
    if (choice->object != nullptr || !can_be_in(choice->thing, choice->home)) {
        return false;
    }
    create(choice->home, choice->index);
    return true;
}

static bool do_delete(const struct choice *choice) {
    if (choice->object == nullptr) {
        return false;
    }
    cluster_remove(cluster, choice->thing->kind, choice->namespace, choice->thing->name);
    return true;
}

static bool do_replace(const struct choice *choice) {
    return do_delete(choice) && (create(choice->home, choice->index), true);
}

static void put_rotation(yyjson_mut_doc *copy, yyjson_mut_val *spec, const struct thing *thing) {
    yyjson_mut_doc *drawn = object_of("%s", people_is_root(thing) ? draw_rollover() : draw_rotation(thing));
    (void)yyjson_mut_obj_put(spec, yyjson_mut_str(copy, "rotation"),
                             yyjson_mut_val_mut_copy(copy, yyjson_mut_doc_get_root(drawn)));
    yyjson_mut_doc_free(drawn);
}

// What may be edited of every kind with an output, and of a certificate.
static bool do_edit(const struct choice *choice) {
    if (choice->object == nullptr || choice->secret == nullptr) {
        return false;
    }
    yyjson_mut_doc *copy = copy_of(choice->object);
    yyjson_mut_val *spec = yyjson_mut_obj_get(yyjson_mut_doc_get_root(copy), "spec");
    if (people_is_root(choice->thing) && chance_of(400)) {
        (void)yyjson_mut_obj_remove_key(spec, "trustBundle");
        if (chance_of(700)) {
            (void)yyjson_mut_obj_put(member(copy, spec, "trustBundle"), yyjson_mut_str(copy, "configMapName"),
                                     yyjson_mut_str(copy, bundles[chance_below(BUNDLES)]));
        }
    } else if (strcmp(choice->thing->kind, "QuantumCertificate") == 0 && chance_of(600)) {
        (void)yyjson_mut_obj_put(spec, yyjson_mut_str(copy, "durationDays"),
                                 yyjson_mut_sint(copy, 30 + chance_below(3) * 30));
    } else if (people_may_rotate(choice->thing) && chance_of(400)) {
        (void)yyjson_mut_obj_remove_key(spec, "rotation");
        if (chance_of(800)) {
            put_rotation(copy, spec, choice->thing);
        }
    } else if (choice->thing->forms[0] != nullptr && chance_of(300)) {
        (void)yyjson_mut_obj_put(spec, yyjson_mut_str(copy, "onKeyLoss"),
                                 yyjson_mut_str(copy, chance_of(700) ? "Fail" : "Recreate"));
    } else if (chance_of(500)) {
        (void)yyjson_mut_obj_put(spec, yyjson_mut_str(copy, "deletionPolicy"),
                                 yyjson_mut_str(copy, chance_of(500) ? "Retain" : "Delete"));
    } else {
        yyjson_mut_val *labels = member(copy, member(copy, spec, "secretTemplate"), "labels");
        (void)yyjson_mut_obj_put(labels, yyjson_mut_str(copy, "team"),
                                 yyjson_mut_str(copy, chance_of(500) ? "x" : "y"));
    }
    put(choice->thing->kind, copy);
    return true;
}

// What makes another root of a CA, or says when and how one comes.
static bool do_edit_authority(const struct choice *choice) {
    static const char *const subjects[] = {"CA", "Two", "Three"};
    if (choice->object == nullptr || !people_is_root(choice->thing)) {
        return false;
    }
    yyjson_mut_doc *copy = copy_of(choice->object);
    yyjson_mut_val *spec = yyjson_mut_obj_get(yyjson_mut_doc_get_root(copy), "spec");
    uint32_t drawn = chance_below(10);
    if (drawn < 5) {
        (void)yyjson_mut_obj_put(spec, yyjson_mut_str(copy, "commonName"),
                                 yyjson_mut_str(copy, subjects[chance_below(3)]));
    } else if (drawn < 7) {
        (void)yyjson_mut_obj_put(member(copy, spec, "privateKey"), yyjson_mut_str(copy, "rotationPolicy"),
                                 yyjson_mut_str(copy, chance_of(700) ? "Always" : "Never"));
    } else {
        (void)yyjson_mut_obj_remove_key(spec, "rotation");
        if (chance_of(800)) {
            put_rotation(copy, spec, choice->thing);
        }
    }
    put(choice->thing->kind, copy);
    return true;
}

static bool annotate(const struct choice *choice, const char *name, uint32_t texts) {
    if (choice->object == nullptr) {
        return false;
    }
    yyjson_mut_doc *copy = copy_of(choice->object);
    yyjson_mut_val *metadata = yyjson_mut_obj_get(yyjson_mut_doc_get_root(copy), "metadata");
    char text[24];
    snprintf(text, sizeof(text), "%u", chance_below(texts));
    (void)yyjson_mut_obj_put(member(copy, metadata, "annotations"), yyjson_mut_str(copy, name),
                             yyjson_mut_strcpy(copy, text));
    put(choice->thing->kind, copy);
    return true;
}

static bool do_touch(const struct choice *choice) {
    return annotate(choice, "touched", 1000);
}

// Now and then with the same words again, which is nothing new, and of what is never rotated.
static bool do_rotate(const struct choice *choice) {
    return (people_may_rotate(choice->thing) || chance_of(100)) && annotate(choice, "qubesec.io/rotate", 8);
}

static bool do_renew(const struct choice *choice) {
    return strcmp(choice->thing->kind, "QuantumCertificate") == 0 && annotate(choice, "qubesec.io/renew", 8);
}

static bool do_wipe_status(const struct choice *choice) {
    if (choice->object == nullptr) {
        return false;
    }
    yyjson_mut_doc *patch = object_of("{'status':null}");
    cluster_patch_status(cluster, choice->thing->kind, choice->namespace, choice->thing->name, patch);
    yyjson_mut_doc_free(patch);
    return true;
}

static bool do_write_message(const struct choice *choice) {
    if (!is_there(choice->home)) {
        return false;
    }
    write_message(choice->home);
    return true;
}

static bool do_change_grants(const struct choice *) {
    grants = !grants;
    return true;
}

// ---- with its Secret

static bool do_delete_secret(const struct choice *choice) {
    if (choice->secret == nullptr) {
        return false;
    }
    cluster_remove(cluster, "Secret", choice->namespace, choice->thing->secret);
    return true;
}

static void spoil(yyjson_mut_doc *copy, yyjson_mut_val *data, const char *entry) {
    static const char *const bad[] = {"", "AAAA", "bm8ga2V5"};
    unsigned way = chance_below(4);
    if (way == 3) {
        (void)yyjson_mut_obj_remove_key(data, entry);
    } else {
        (void)yyjson_mut_obj_put(data, yyjson_mut_strcpy(copy, entry), yyjson_mut_str(copy, bad[way]));
    }
}

// The number of some version that is kept there; 0: none is.
static unsigned choose_version(const struct choice *choice) {
    yyjson_obj_iter entries = yyjson_obj_iter_with(yyjson_obj_get(choice->secret, "data"));
    size_t length = choice->thing->forms[0] == nullptr ? 0 : strlen(choice->thing->forms[0]);
    unsigned chosen = 0;
    unsigned seen = 0;
    for (yyjson_val *key; length > 0 && (key = yyjson_obj_iter_next(&entries)) != nullptr;) {
        const char *name = yyjson_get_str(key);
        bool is_former = strncmp(name, choice->thing->forms[0], length) == 0 && name[length] == '.';
        unsigned long number = is_former ? strtoul(name + length + 1, nullptr, 10) : 0;
        if (number > 0 && chance_below(++seen) == 0) {
            chosen = (unsigned)number;
        }
    }
    return chosen;
}

// All that holds a version that is kept.
static bool do_damage_version(const struct choice *choice) {
    unsigned number = choose_version(choice);
    if (number == 0) {
        return false;
    }
    yyjson_mut_doc *copy = copy_of(choice->secret);
    yyjson_mut_val *data = yyjson_mut_obj_get(yyjson_mut_doc_get_root(copy), "data");
    for (size_t form = 0; form < 2 && choice->thing->forms[form] != nullptr; form++) {
        char entry[64];
        snprintf(entry, sizeof(entry), "%s.%u", choice->thing->forms[form], number);
        if (form == 0 || chance_of(500)) {
            spoil(copy, data, entry);
        }
    }
    put("Secret", copy);
    return true;
}

// One of its entries, or all that hold the key.
static bool do_damage(const struct choice *choice) {
    size_t count = yyjson_obj_size(yyjson_obj_get(choice->secret, "data"));
    if (count == 0) {
        return false;
    }
    yyjson_mut_doc *copy = copy_of(choice->secret);
    yyjson_mut_val *data = yyjson_mut_obj_get(yyjson_mut_doc_get_root(copy), "data");
    if (chance_of(150) && choice->thing->forms[1] != nullptr) {
        spoil(copy, data, choice->thing->forms[0]);
        spoil(copy, data, choice->thing->forms[1]);
    } else {
        yyjson_mut_obj_iter entries = yyjson_mut_obj_iter_with(data);
        yyjson_mut_val *key = nullptr;
        for (uint32_t i = chance_below((uint32_t)count) + 1; i > 0; i--) {
            key = yyjson_mut_obj_iter_next(&entries);
        }
        char entry[64];
        snprintf(entry, sizeof(entry), "%s", yyjson_mut_get_str(key));
        spoil(copy, data, entry);
    }
    put("Secret", copy);
    return true;
}

static bool do_relabel(const struct choice *choice) {
    static const char *const members[] = {"labels", "annotations", "ownerReferences"};
    if (choice->secret == nullptr) {
        return false;
    }
    yyjson_mut_doc *copy = copy_of(choice->secret);
    yyjson_mut_val *metadata = yyjson_mut_obj_get(yyjson_mut_doc_get_root(copy), "metadata");
    (void)yyjson_mut_obj_remove_key(metadata, members[chance_below(3)]);
    put("Secret", copy);
    return true;
}

static bool do_add_foreign(const struct choice *choice) {
    if (choice->secret == nullptr) {
        return false;
    }
    yyjson_mut_doc *copy = copy_of(choice->secret);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(copy);
    yyjson_mut_val *metadata = yyjson_mut_obj_get(root, "metadata");
    yyjson_mut_val *where[] = {member(copy, root, "data"), member(copy, metadata, "labels"),
                               member(copy, metadata, "annotations")};
    (void)yyjson_mut_obj_put(where[chance_below(3)], yyjson_mut_str(copy, "others"),
                             yyjson_mut_str(copy, "b3Vycw=="));
    put("Secret", copy);
    return true;
}

// From a backup: as some earlier version was, without what ties it to objects.
static bool do_restore(const struct choice *choice) {
    size_t count;
    const struct change *const *changes = cluster_changes(cluster, &count);
    const struct change *chosen = nullptr;
    unsigned seen = 0;
    for (size_t i = 0; choice->thing->secret != nullptr && i < count; i++) {
        if (changes[i]->actor == BY_OPERATOR && !changes[i]->removed &&
            changes[i]->resource == cluster_resource("Secret") &&
            strcmp(changes[i]->namespace, choice->namespace) == 0 &&
            strcmp(changes[i]->name, choice->thing->secret) == 0 && chance_below(++seen) == 0) {
            chosen = changes[i];
        }
    }
    if (chosen == nullptr || !is_there(choice->home)) {
        return false;
    }
    yyjson_mut_doc *copy = copy_of(yyjson_doc_get_root(chosen->document));
    yyjson_mut_val *metadata = yyjson_mut_obj_get(yyjson_mut_doc_get_root(copy), "metadata");
    (void)yyjson_mut_obj_remove_key(metadata, "uid");
    (void)yyjson_mut_obj_remove_key(metadata, "ownerReferences");
    put("Secret", copy);
    return true;
}

static bool do_copy(const struct choice *choice) {
    const char *other = namespaces[1 - choice->home];
    if (choice->secret == nullptr || !is_there(1 - choice->home) ||
        cluster_find(cluster, "Secret", other, choice->thing->secret) != nullptr) {
        return false;
    }
    yyjson_mut_doc *copy = copy_of(choice->secret);
    yyjson_mut_val *metadata = yyjson_mut_obj_get(yyjson_mut_doc_get_root(copy), "metadata");
    (void)yyjson_mut_obj_remove_key(metadata, "uid");
    (void)yyjson_mut_obj_remove_key(metadata, "ownerReferences");
    (void)yyjson_mut_obj_put(metadata, yyjson_mut_str(copy, "namespace"), yyjson_mut_str(copy, other));
    put("Secret", copy);
    return true;
}

static bool do_occupy(const struct choice *choice) {
    if (choice->thing->secret == nullptr || choice->secret != nullptr || !is_there(choice->home)) {
        return false;
    }
    put("Secret", object_of("{'metadata':{'name':'%s','namespace':'%s'},'data':{'theirs':'AAAA'}}",
                            choice->thing->secret, choice->namespace));
    return true;
}

// ---- with the ConfigMap of a CA

// One of the two; *ret_name: which. NULL: it is not there.
static yyjson_val *choose_bundle(const struct choice *choice, const char **ret_name) {
    *ret_name = bundles[chance_below(BUNDLES)];
    return people_is_root(choice->thing) ? cluster_find(cluster, "ConfigMap", choice->namespace, *ret_name)
                                         : nullptr;
}

static bool do_delete_bundle(const struct choice *choice) {
    const char *name;
    if (choose_bundle(choice, &name) == nullptr) {
        return false;
    }
    cluster_remove(cluster, "ConfigMap", choice->namespace, name);
    return true;
}

// Its text, something beside it, or what says whose it is.
static bool do_edit_bundle(const struct choice *choice) {
    static const char *const marks[] = {"labels", "annotations", "ownerReferences"};
    const char *name;
    yyjson_val *found = choose_bundle(choice, &name);
    if (found == nullptr) {
        return false;
    }
    yyjson_mut_doc *copy = copy_of(found);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(copy);
    unsigned way = chance_below(4);
    if (way == 0) {
        (void)yyjson_mut_obj_remove_key(yyjson_mut_obj_get(root, "metadata"), marks[chance_below(3)]);
    } else if (way == 1) {
        (void)yyjson_mut_obj_remove_key(member(copy, root, "data"), "ca.crt");
    } else {
        (void)yyjson_mut_obj_put(member(copy, root, "data"),
                                 yyjson_mut_str(copy, way == 2 ? "ca.crt" : "more"),
                                 yyjson_mut_str(copy, "theirs"));
    }
    put("ConfigMap", copy);
    return true;
}

static bool do_occupy_bundle(const struct choice *choice) {
    const char *name;
    if (!people_is_root(choice->thing) || choose_bundle(choice, &name) != nullptr ||
        !is_there(choice->home)) {
        return false;
    }
    put("ConfigMap", object_of("{'metadata':{'name':'%s','namespace':'%s'},'data':{'ca.crt':'theirs'}}", name,
                               choice->namespace));
    return true;
}

static bool do_copy_bundle(const struct choice *choice) {
    const char *other = namespaces[1 - choice->home];
    const char *name;
    yyjson_val *found = choose_bundle(choice, &name);
    if (found == nullptr || !is_there(1 - choice->home) ||
        cluster_find(cluster, "ConfigMap", other, name) != nullptr) {
        return false;
    }
    yyjson_mut_doc *copy = copy_of(found);
    yyjson_mut_val *metadata = yyjson_mut_obj_get(yyjson_mut_doc_get_root(copy), "metadata");
    (void)yyjson_mut_obj_remove_key(metadata, "uid");
    (void)yyjson_mut_obj_remove_key(metadata, "ownerReferences");
    (void)yyjson_mut_obj_put(metadata, yyjson_mut_str(copy, "namespace"), yyjson_mut_str(copy, other));
    put("ConfigMap", copy);
    return true;
}

// What is in the way of a CA's ConfigMap goes. Whether there was something.
static bool clear_bundle(size_t home) {
    yyjson_val *object = cluster_find(cluster, "QuantumCertificate", namespaces[home], "ca");
    yyjson_val *told = json_find(object, "status", "trustBundle", nullptr);
    bool is_in_the_way = json_member_is(told, "reason", "TrustBundleConflict");
    if (is_in_the_way) {
        cluster_remove(cluster, "ConfigMap", namespaces[home], json_member_text(told, "name"));
    }
    return is_in_the_way;
}

// ---- with a namespace: the second one ends, bit by bit, and is there again

static void end_namespace(void *) {
    for (size_t i = 0; i < thing_count; i++) {
        cluster_remove(cluster, things[i].kind, namespaces[1], things[i].name);
    }
    cluster_remove(cluster, "Namespace", "", namespaces[1]);
    cluster_collect(cluster);
}

static void empty_namespace(void *) {
    for (size_t i = 0; i < thing_count; i++) {
        if (things[i].secret != nullptr) {
            cluster_remove(cluster, "Secret", namespaces[1], things[i].secret);
        }
    }
    cluster_remove(cluster, "Secret", namespaces[1], "message");
    schedule_after(chance_below(500), nullptr, end_namespace, nullptr);
}

static bool do_end_namespace(const struct choice *) {
    if (!is_there(1)) {
        return false;
    }
    put("Namespace",
        object_of("{'metadata':{'name':'%s','deletionTimestamp':'2026-11-30T00:00:00Z'}}", namespaces[1]));
    schedule_after(chance_below(500), nullptr, empty_namespace, nullptr);
    return true;
}

static bool do_found(const struct choice *) {
    if (cluster_find(cluster, "Namespace", "", namespaces[1]) != nullptr) {
        return false;
    }
    found(1);
    return true;
}

// ---- choosing

const char *people_act(void) {
    static const struct {
        const char *name;
        bool (*act)(const struct choice *choice);
        uint32_t weight;
    } ways[] = {
        {"creates", do_create, 20},
        {"deletes", do_delete, 8},
        {"deletes and creates", do_replace, 6},
        {"edits", do_edit, 14},
        {"touches", do_touch, 4},
        {"asks for the rotation of", do_rotate, 36},
        {"edits the name, key or rotation of", do_edit_authority, 40},
        {"asks for the renewal of", do_renew, 24},
        {"wipes the status of", do_wipe_status, 5},
        {"writes the message of", do_write_message, 8},
        {"changes what is granted, at", do_change_grants, 2},
        {"deletes the Secret of", do_delete_secret, 6},
        {"damages the Secret of", do_damage, 12},
        {"damages a former version of", do_damage_version, 6},
        {"relabels the Secret of", do_relabel, 6},
        {"adds to the Secret of", do_add_foreign, 5},
        {"restores the Secret of", do_restore, 5},
        {"copies to the other namespace the Secret of", do_copy, 3},
        {"takes the place of the Secret of", do_occupy, 2},
        {"deletes the ConfigMap of", do_delete_bundle, 6},
        {"edits the ConfigMap of", do_edit_bundle, 10},
        {"takes the place of the ConfigMap of", do_occupy_bundle, 4},
        {"copies to the other namespace the ConfigMap of", do_copy_bundle, 4},
        {"ends the namespace, at", do_end_namespace, 2},
        {"founds the namespace, at", do_found, 6},
    };
    enum { WAYS = sizeof(ways) / sizeof(ways[0]), TRIES = 100 };
    uint32_t sum = 0;
    for (size_t i = 0; i < WAYS; i++) {
        sum += ways[i].weight;
    }
    for (int tries = 0; tries < TRIES; tries++) {
        uint32_t drawn = chance_below(sum);
        size_t way = 0;
        while (drawn >= ways[way].weight) {
            drawn -= ways[way++].weight;
        }
        struct choice choice = choose();
        bool needs_home = ways[way].act == do_create || ways[way].act == do_replace;
        if ((!needs_home || is_there(choice.home)) && ways[way].act(&choice)) {
            acts++;
            snprintf(said, sizeof(said), "somebody %s %s %s/%s", ways[way].name, choice.thing->kind,
                     choice.namespace, choice.thing->name);
            return said;
        }
    }
    return "nobody does anything";
}

// ---- cleaning up

void people_calm_down(void) {
    is_patient = true;
    for (size_t home = 0; home < NAMESPACES; home++) {
        for (size_t i = 0; i < thing_count; i++) {
            yyjson_val *object = cluster_find(cluster, things[i].kind, namespaces[home], things[i].name);
            if (json_find(object, "spec", "rotation", "every", nullptr) != nullptr) {
                yyjson_mut_doc *copy = copy_of(object);
                yyjson_mut_val *spec = yyjson_mut_obj_get(yyjson_mut_doc_get_root(copy), "spec");
                (void)yyjson_mut_obj_remove_key(yyjson_mut_obj_get(spec, "rotation"), "every");
                put(things[i].kind, copy);
                acts++;
            }
        }
    }
}

static bool is_finished(yyjson_val *object) {
    const char *phase = json_text(json_find(object, "status", "status", nullptr));
    return phase != nullptr && (strcmp(phase, "Success") == 0 || strcmp(phase, "Valid") == 0);
}

// What an object complains of is taken away, and it is told to begin anew.
static bool help(size_t home, size_t i) {
    const struct thing *thing = &things[i];
    yyjson_val *object = cluster_find(cluster, thing->kind, namespaces[home], thing->name);
    const char *phase = json_text(json_find(object, "status", "status", nullptr));
    if (!can_be_in(thing, home) || is_finished(object)) {
        return false;
    }
    if (object == nullptr) {
        create(home, i);
    } else if (phase != nullptr && strcmp(phase, "Failed") == 0 && thing->secret != nullptr) {
        cluster_remove(cluster, "Secret", namespaces[home], thing->secret);
        yyjson_mut_doc *copy = copy_of(object);
        (void)yyjson_mut_obj_remove_key(yyjson_mut_obj_get(yyjson_mut_doc_get_root(copy), "spec"),
                                        "onKeyLoss");
        put(thing->kind, copy);
    }
    return true;
}

bool people_clean_up(void) {
    bool helped = !grants;
    grants = true;
    for (size_t home = 0; home < NAMESPACES; home++) {
        if (!is_there(home)) {
            found(home);
            helped = true;
        }
        if (cluster_find(cluster, "Secret", namespaces[home], "message") == nullptr) {
            write_message(home);
            helped = true;
        }
        for (size_t i = 0; i < thing_count; i++) {
            helped = help(home, i) || helped;
        }
        helped = clear_bundle(home) || helped;
    }
    return helped;
}
