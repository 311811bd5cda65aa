// The objects of our kinds that are not as they should be.
#include "base/clock.h"
#include "check/context.h"
#include "check/parts.h"

#include <stdio.h>

enum { PAGE_SIZE = 500, ROTATED_MAX = 2000, SHOWN_MAX = 3, DESCRIPTION_MAX = 8 * 1024 };

// What is looked for by status.status, which the definitions make selectable.
static const struct {
    const char *status;
    const char *label;
} searches[] = {
    {"Failed", "Failed"},
    {"Pending", "Pending"},
    {"", "not looked at by an operator"},
};
enum { SEARCH_COUNT = sizeof(searches) / sizeof(searches[0]) };

static bool is_overdue(yyjson_val *object) {
    return check_is_rotation_overdue(object, clock_wall_seconds());
}

// Appends "2 Failed: one/a, two/b" for those items of a list that are meant (NULL: all).
static bool describe(yyjson_val *list, const char *label, bool (*is_meant)(yyjson_val *object),
                     struct buffer *line, struct error *e) {
    yyjson_val *items = yyjson_obj_get(list, "items");
    const char *token = json_text(json_find(list, "metadata", "continue", nullptr));
    bool has_more = token != nullptr && token[0] != '\0';
    cleanup_buffer struct buffer names = buffer_create(DESCRIPTION_MAX);
    size_t found = 0;
    size_t index;
    size_t count;
    yyjson_val *item;
    yyjson_arr_foreach(items, index, count, item) {
        yyjson_val *metadata = yyjson_obj_get(item, "metadata");
        const char *ns = json_member_text(metadata, "namespace");
        const char *name = json_member_text(metadata, "name");
        if (is_meant != nullptr && !is_meant(item)) {
            continue;
        }
        if (found < SHOWN_MAX && ns != nullptr && name != nullptr &&
            !buffer_append_format(&names, e, "%s%s/%s", found == 0 ? ": " : ", ", ns, name)) {
            return false;
        }
        found++;
    }
    return found == 0 || buffer_append_format(line, e, "%s%zu%s %s%s%s", line->length > 0 ? "; " : "", found,
                                              has_more ? " or more" : "", label,
                                              names.length > 0 ? buffer_text(&names) : "",
                                              found > SHOWN_MAX ? ", ..." : "");
}

// Asks for the objects in ns (NULL: all namespaces) that have that status. *ret_list is owned.
static bool search_status(struct check_context *context, const struct kube_resource *resource, const char *ns,
                          const char *status, uint32_t limit, yyjson_doc **ret_list, struct error *e) {
    char selector[64];
    snprintf(selector, sizeof(selector), "status.status=%s", status);
    const struct api_request request = {
        .verb = API_LIST,
        .resource = resource,
        .namespace = ns,
        .field_selector = selector,
        .limit = limit,
    };
    return check_call(context, &request, ret_list, e);
}

// Appends what is found in ns (NULL: all namespaces).
static bool search(struct check_context *context, const struct kind *kind, const char *ns,
                   struct buffer *line, struct error *e) {
    struct kube_resource resource = {kind->group, kind->version, kind->kind, kind->plural};
    for (size_t i = 0; i < SEARCH_COUNT; i++) {
        cleanup_json yyjson_doc *list = nullptr;
        if (!search_status(context, &resource, ns, searches[i].status, PAGE_SIZE, &list, e) ||
            !describe(yyjson_doc_get_root(list), searches[i].label, nullptr, line, e)) {
            return false;
        }
    }
    cleanup_json yyjson_doc *list = nullptr;
    return !kind->is_rotatable ||
           (search_status(context, &resource, ns, "Success", ROTATED_MAX, &list, e) &&
            describe(yyjson_doc_get_root(list), "overdue for rotation", is_overdue, line, e));
}

static bool search_all(struct check_context *context, const struct kind *kind, struct buffer *line,
                       struct error *e) {
    const char *const *ns = context->options->namespaces;
    if (*ns == nullptr) {
        return search(context, kind, nullptr, line, e);
    }
    while (*ns != nullptr && search(context, kind, *ns, line, e)) {
        ns++;
    }
    return *ns == nullptr;
}

void check_objects(struct check_context *context, struct check_report *report) {
    size_t fine = 0;
    for (const struct kind *const *kind = context->options->kinds; *kind != nullptr; kind++) {
        cleanup_buffer struct buffer line = buffer_create(DESCRIPTION_MAX);
        struct error e;
        if (!search_all(context, *kind, &line, &e)) {
            if (e.class != ERROR_NOT_FOUND) { // what is not served was told above
                check_note_unseen(report, (*kind)->kind, &e);
            }
        } else if (line.length > 0) {
            check_note(report, CHECK_WARN, (*kind)->kind, "%s", buffer_text(&line));
            check_advise(report, "See why: kubectl --namespace NAMESPACE describe %s.%s NAME",
                         (*kind)->plural, (*kind)->group);
        } else {
            fine++;
        }
    }
    if (fine > 0) {
        check_note(report, CHECK_OK, "kinds",
                   "%zu have no object that is Failed, Pending, not looked at or overdue", fine);
    }
}
