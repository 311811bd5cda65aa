// What names one object: its resource, namespace and name.
#pragma once

#include "kube/object.h"
#include "kube/resource.h"

struct object_key {
    const struct kube_resource *resource;
    const char *namespace; // "" for cluster-scoped
    const char *name;
};

enum { OBJECT_KEY_TEXT_SIZE = 63 + 1 + KUBE_KEY_SIZE }; // the longest text, with its NUL

// Writes "plural/namespace/name", as people and debug pages name an object, and as maps have it: no operator
// serves two resources of one plural. Cut where it is longer than a key can be (there is then no such
// object).
void object_key_format(const struct object_key *key, char ret_text[OBJECT_KEY_TEXT_SIZE]);
