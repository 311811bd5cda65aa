#include "kube/object_key.h"

#include <stdio.h>

void object_key_format(const struct object_key *key, char ret_text[OBJECT_KEY_TEXT_SIZE]) {
    (void)snprintf(ret_text, OBJECT_KEY_TEXT_SIZE, "%s/%s/%s", key->resource->plural, key->namespace,
                   key->name);
}
