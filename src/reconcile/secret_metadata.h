// The metadata of output Secrets, and of ConfigMaps with a part of an output: whose one is, and the labels,
// annotations and owner that it must carry. What is said of a Secret here holds for those ConfigMaps, too.
#pragma once

#include "engine/decode.h"
#include "kube/object.h"
#include "json/write.h"

enum ownership {
    OWNERSHIP_OURS,      // controlled by our object, or (deletionPolicy Retain) marked with its UID
    OWNERSHIP_ADOPTABLE, // nobody controls it, and its marks name our object's kind, namespace and name
    OWNERSHIP_ORPHANED,  // controlled by an object of our kind and name that is gone: about to be garbage
                         // collected
    OWNERSHIP_FOREIGN,
};

// Whose the Secret is that has this metadata.
enum ownership secret_metadata_ownership(const struct kind *kind, const struct kube_object *object,
                                         yyjson_val *metadata);

// The namespace that the marks name, borrowed; NULL: they name none.
const char *secret_metadata_namespace(yyjson_val *metadata);

// Whether object is among the owners, with whom Kubernetes collects the Secret.
bool secret_metadata_is_owned(const struct kube_object *object, yyjson_val *metadata);

// Whether it carries the marks of this version: those of version 0.1.0 did not name a namespace.
bool secret_metadata_is_of_version(const struct kube_object *object, yyjson_val *metadata);

// Whether this metadata carries the mark that every output has, whoever its owner is.
bool secret_metadata_is_marked(yyjson_val *metadata);

// What that mark says, "Kind/name", borrowed; NULL: nothing. And what it says on what is made for object.
const char *secret_metadata_marked_owner(yyjson_val *metadata);
enum { SECRET_OWNER_MARK_SIZE = 64 + 253 + 2 };
void secret_metadata_format_owner(const struct kind *kind, const struct kube_object *object,
                                  char ret_text[SECRET_OWNER_MARK_SIZE]);

// Whether it has the label that every output has.
#define SECRET_LABEL_TEXT "app.kubernetes.io/managed-by=qubesec"
bool secret_metadata_is_labelled(yyjson_val *metadata);

// Takes out of a copy of an output's metadata the mark that names its object's uid, which another API gives
// anew.
void secret_metadata_drop_uid(yyjson_mut_val *metadata);

// "Kind name" of what the Secret belongs to: of its controller, or of the mark that every output has. "" and
// false: nobody is named, or not by a name.
enum { SECRET_OWNER_SIZE = 64 + 253 + 2 };
[[nodiscard]] bool secret_metadata_name_owner(yyjson_val *metadata, char ret_owner[SECRET_OWNER_SIZE]);

// Adds to patch (an object of document) what metadata must become: labels, annotations and ownerReferences
// where they differ from current (NULL: there is no Secret yet), as a JSON merge patch. Whatever other people
// have put on the Secret stays. Whether anything was added. Memory that is out shows when document is
// written.
bool secret_metadata_patch(const struct kind *kind, const struct kube_object *object,
                           const struct common_spec *common, yyjson_val *current, yyjson_mut_doc *document,
                           yyjson_mut_val *patch);
