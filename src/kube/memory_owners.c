#include "kube/memory_owners.h"

#include <string.h>

static bool is_owner(yyjson_val *owner, const char *namespace, yyjson_val *object) {
    yyjson_val *metadata = yyjson_obj_get(object, "metadata");
    const char *home = json_member_text(metadata, "namespace");
    return yyjson_equals(yyjson_obj_get(owner, "uid"), yyjson_obj_get(metadata, "uid")) &&
           yyjson_equals(yyjson_obj_get(owner, "name"), yyjson_obj_get(metadata, "name")) &&
           yyjson_equals(yyjson_obj_get(owner, "kind"), yyjson_obj_get(object, "kind")) &&
           (home == nullptr || (namespace != nullptr && strcmp(home, namespace) == 0));
}

static bool has_owner(const struct memory_table *table, yyjson_val *owner, const char *namespace) {
    for (size_t i = 0; i < table->count; i++) {
        if (is_owner(owner, namespace, yyjson_doc_get_root(table->items[i].document))) {
            return true;
        }
    }
    return false;
}

bool memory_owners_are_gone(const struct memory_table *table, yyjson_val *object) {
    yyjson_val *metadata = yyjson_obj_get(object, "metadata");
    const char *namespace = json_member_text(metadata, "namespace");
    yyjson_val *owners = yyjson_obj_get(metadata, "ownerReferences");
    size_t index;
    size_t count;
    yyjson_val *owner;
    yyjson_arr_foreach(owners, index, count, owner) {
        if (has_owner(table, owner, namespace)) {
            return false;
        }
    }
    return yyjson_arr_size(owners) > 0;
}
