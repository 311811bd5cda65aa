#include "check/rights.h"

#include "check/context.h"

#include <stdio.h>
#include <string.h>

static const char service_account[] = "qubesec-operator";
static const char tenants[] = "ServiceAccounts"; // the subject of what is found about all of them

static const char *lease_name(const struct check_options *options) {
    return options->lease;
}

static const char *webhook_name(const struct check_options *options) {
    return options->webhook_configuration;
}

static const char *webhook_secret_name(const struct check_options *options) {
    return options->webhook_secret;
}

const struct right rights_needed[] = {
    {.group = QUBESEC_GROUP, .verbs = {"list", "watch"}, .purpose = "learn what is wanted"},
    {.group = QUBESEC_GROUP,
     .subresource = "status",
     .verbs = {"update", "patch"},
     .purpose = "say what was done"},
    {.group = "",
     .resource = "secrets",
     .verbs = {"get", "list", "watch", "create", "patch"},
     .purpose = "read inputs and keep outputs"},
    {.group = "", .resource = "configmaps", .verbs = {"get", "list", "watch"}, .purpose = "read inputs"},
    {.group = "",
     .resource = "configmaps",
     .verbs = {"create", "patch", "delete"},
     .purpose = "keep the trust bundles of CAs"},
    {.group = "events.k8s.io",
     .resource = "events",
     .verbs = {"create", "patch"},
     .purpose = "report each transition"},
    {.group = "authorization.k8s.io",
     .resource = "localsubjectaccessreviews",
     .verbs = {"create"},
     .purpose = "decide on references into other namespaces"},
    {.group = "",
     .resource = "configmaps",
     .place = RIGHT_OWN,
     .verbs = {"get", "list", "watch"},
     .purpose = "read its settings"},
    {.group = "",
     .resource = "secrets",
     .place = RIGHT_OWN,
     .verbs = {"create"},
     .purpose = "make the webhook's certificate"},
    {.group = "",
     .resource = "secrets",
     .name = webhook_secret_name,
     .place = RIGHT_OWN,
     .verbs = {"get", "patch"},
     .purpose = "keep the webhook's certificate"},
    {.group = "events.k8s.io",
     .resource = "events",
     .place = RIGHT_OWN,
     .verbs = {"create", "patch"},
     .purpose = "report what concerns itself"},
    {.group = "coordination.k8s.io",
     .resource = "leases",
     .place = RIGHT_OWN,
     .verbs = {"create"},
     .purpose = "elect a leader for the first time"},
    {.group = "coordination.k8s.io",
     .resource = "leases",
     .name = lease_name,
     .place = RIGHT_OWN,
     .verbs = {"get", "patch"},
     .purpose = "elect a leader"},
    {.group = "admissionregistration.k8s.io",
     .resource = "validatingwebhookconfigurations",
     .name = webhook_name,
     .place = RIGHT_CLUSTER,
     .is_of_webhook = true,
     .verbs = {"get", "patch"},
     .purpose = "tell the API server whom to trust as its webhook"},
    {0},
};

const struct right rights_in_excess[] = {
    {.group = QUBESEC_GROUP,
     .verbs = {"update", "patch", "delete"},
     .purpose = "the operator neither changes nor deletes its users' resources"},
    {0},
};

// In excess, but where owners are guarded.
static const struct right right_to_change_owners[] = {
    {.group = "",
     .resource = "secrets",
     .verbs = {"delete"},
     .purpose = "the operator deletes no Secret",
     .advice =
         "Where the API server has the admission plug-in OwnerReferencesPermissionEnforcement, this is what "
         "the role qubesec-owner-references is for. Else: "},
    {0},
};

// Asked about where nobody lends anything, the operator's own namespace: who has it there has it everywhere.
const struct right rights_to_borrow[] = {
    {.group = QUBESEC_GROUP,
     .place = RIGHT_OWN,
     .verbs = {"use"},
     .purpose = "have every namespace's keys used"},
    {0},
};

// ---- one question

// Who is asked about, and by which review.
enum about {
    ABOUT_OPERATOR,    // SubjectAccessReview
    ABOUT_ONESELF,     // SelfSubjectAccessReview: whoever makes the check is the operator
    ABOUT_ALL_TENANTS, // LocalSubjectAccessReview, which the operator may ask, too: all ServiceAccounts
};

struct inquiry {
    struct check_context *context;
    char operator[192]; // the operator's user name
    enum about about;
};

struct question {
    const struct right *right;
    const char *resource;
    const char *verb;
    const char *namespace; // NULL: all of them, or none
    const char *name;      // NULL: any
};

enum { QUESTION_SIZE = 512 };

// As kubectl auth can-i has it, with the place behind it.
static void describe_question(const struct question *question, char ret_text[QUESTION_SIZE]) {
    const struct right *right = question->right;
    snprintf(ret_text, QUESTION_SIZE, "%s %s%s%s%s%s%s%s%s%s", question->verb, question->resource,
             right->group[0] == '\0' ? "" : ".", right->group, right->subresource == nullptr ? "" : "/",
             right->subresource == nullptr ? "" : right->subresource, question->name == nullptr ? "" : " ",
             question->name == nullptr ? "" : question->name, question->namespace == nullptr ? "" : " in ",
             question->namespace == nullptr ? "" : question->namespace);
}

static void add_optional(yyjson_mut_doc *document, yyjson_mut_val *object, const char *member,
                         const char *text) {
    if (text != nullptr) {
        yyjson_mut_obj_add_str(document, object, member, text);
    }
}

static void add_identity(const struct inquiry *inquiry, yyjson_mut_doc *document, yyjson_mut_val *spec) {
    char group[96];
    if (inquiry->about == ABOUT_ONESELF) {
        return;
    }
    yyjson_mut_val *groups = yyjson_mut_obj_add_arr(document, spec, "groups");
    yyjson_mut_arr_add_str(document, groups, "system:serviceaccounts");
    yyjson_mut_arr_add_str(document, groups, "system:authenticated");
    if (inquiry->about == ABOUT_OPERATOR) {
        snprintf(group, sizeof(group), "system:serviceaccounts:%.63s", inquiry->context->options->namespace);
        yyjson_mut_arr_add_strcpy(document, groups, group);
        yyjson_mut_obj_add_str(document, spec, "user", inquiry->operator);
    }
}

// What asks about whom.
static const struct kube_resource *find_review(enum about about) {
    static const struct kube_resource about_operator = {"authorization.k8s.io", "v1", "SubjectAccessReview",
                                                        "subjectaccessreviews"};
    static const struct kube_resource about_oneself = {"authorization.k8s.io", "v1",
                                                       "SelfSubjectAccessReview", "selfsubjectaccessreviews"};
    static const struct kube_resource *const reviews[] = {[ABOUT_OPERATOR] = &about_operator,
                                                          [ABOUT_ONESELF] = &about_oneself,
                                                          [ABOUT_ALL_TENANTS] = &kube_access_reviews};
    return reviews[about];
}

static bool ask(const struct inquiry *inquiry, const struct question *question, bool *ret_granted,
                struct error *e) {
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    cleanup_json yyjson_doc *answer = nullptr;
    const struct kube_resource *review = find_review(inquiry->about);
    const char *home = inquiry->about == ABOUT_ALL_TENANTS ? question->namespace : nullptr;
    if (!json_create(&document, e)) {
        return false;
    }
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    yyjson_mut_obj_add_str(document, root, "apiVersion", "authorization.k8s.io/v1");
    yyjson_mut_obj_add_str(document, root, "kind", review->kind);
    if (home != nullptr) {
        yyjson_mut_val *metadata = yyjson_mut_obj_add_obj(document, root, "metadata");
        yyjson_mut_obj_add_str(document, metadata, "namespace", home);
    }
    yyjson_mut_val *spec = yyjson_mut_obj_add_obj(document, root, "spec");
    yyjson_mut_val *attributes = yyjson_mut_obj_add_obj(document, spec, "resourceAttributes");
    yyjson_mut_obj_add_str(document, attributes, "verb", question->verb);
    yyjson_mut_obj_add_str(document, attributes, "group", question->right->group);
    yyjson_mut_obj_add_str(document, attributes, "resource", question->resource);
    add_optional(document, attributes, "subresource", question->right->subresource);
    add_optional(document, attributes, "namespace", question->namespace);
    add_optional(document, attributes, "name", question->name);
    add_identity(inquiry, document, spec);
    const struct api_request request = {
        .verb = API_CREATE, .resource = review, .namespace = home, .body = document};
    if (!check_call(inquiry->context, &request, &answer, e)) {
        return false;
    }
    *ret_granted = yyjson_get_bool(json_find(yyjson_doc_get_root(answer), "status", "allowed", nullptr));
    return true;
}

// ---- one row

enum { SHOWN_MAX = 4, ASKED_MAX = 256 * 1024, REST_SIZE = 32 };

// Questions of one kind of answer: the first of them, for a message, and how many there are.
struct outcome {
    char shown[SHOWN_MAX * QUESTION_SIZE];
    size_t count;
};

// What was asked because of one row.
struct row {
    const struct inquiry *inquiry;
    const struct right *right;
    struct buffer asked; // a line each
    struct outcome granted;
    struct outcome refused;
};

static void outcome_add(struct outcome *outcome, const char *text) {
    size_t used = strlen(outcome->shown);
    if (outcome->count++ < SHOWN_MAX) {
        snprintf(outcome->shown + used, sizeof(outcome->shown) - used, "%s%s", used > 0 ? ", " : "", text);
    }
}

static bool ask_about(struct row *row, const char *ns, const char *resource, struct error *e) {
    const struct right *right = row->right;
    struct question question = {.right = right, .resource = resource, .namespace = ns};
    question.name = right->name == nullptr ? nullptr : right->name(row->inquiry->context->options);
    for (size_t i = 0; right->verbs[i] != nullptr; i++) {
        char text[QUESTION_SIZE];
        bool granted;
        question.verb = right->verbs[i];
        describe_question(&question, text);
        if (!ask(row->inquiry, &question, &granted, e) ||
            !buffer_append_format(&row->asked, e, "%s\n", text)) {
            return false;
        }
        outcome_add(granted ? &row->granted : &row->refused, text);
    }
    return true;
}

static bool ask_in(struct row *row, const char *ns, struct error *e) {
    if (row->right->resource != nullptr) {
        return ask_about(row, ns, row->right->resource, e);
    }
    const struct kind *const *kind = row->inquiry->context->options->kinds;
    while (*kind != nullptr && ask_about(row, ns, (*kind)->plural, e)) {
        kind++;
    }
    return *kind == nullptr;
}

static bool ask_row(struct row *row, struct error *e) {
    const struct check_options *options = row->inquiry->context->options;
    const char *const *ns = options->namespaces;
    if (row->right->place != RIGHT_SERVED || *ns == nullptr) {
        return ask_in(row, row->right->place == RIGHT_OWN ? options->namespace : nullptr, e);
    }
    while (*ns != nullptr && ask_in(row, *ns, e)) {
        ns++;
    }
    return *ns == nullptr;
}

static const char *subject_of(const struct right *right) {
    const char *ours = right->subresource == nullptr ? "our resources" : "their status";
    return right->resource == nullptr ? ours : right->resource;
}

// How many of outcome are not shown, as a text.
static void format_rest(const struct outcome *outcome, char ret_text[REST_SIZE]) {
    ret_text[0] = '\0';
    if (outcome->count > SHOWN_MAX) {
        snprintf(ret_text, REST_SIZE, " and %zu more", outcome->count - SHOWN_MAX);
    }
}

// Notes what was answered to a row's questions.
typedef void note_function(struct check_report *report, const struct row *row);

static void note_needed(struct check_report *report, const struct row *row) {
    const struct right *right = row->right;
    const char *base = right->is_of_webhook ? "config/webhook" : "config/rbac";
    char rest[REST_SIZE];
    format_rest(&row->refused, rest);
    if (row->refused.count == 0) {
        check_note(report, CHECK_OK, subject_of(right), "may %s", right->purpose);
        return;
    }
    check_note(report, right->is_of_webhook ? CHECK_WARN : CHECK_FAIL, subject_of(right),
               "cannot %s: may not %s%s", right->purpose, row->refused.shown, rest);
    check_advise(report, "Apply the operator's roles of this version%s: kubectl apply --kustomize %s",
                 right->is_of_webhook ? ", if it is to have a webhook" : "", base);
}

static void note_excess(struct check_report *report, const struct row *row) {
    const struct right *right = row->right;
    char rest[REST_SIZE];
    format_rest(&row->granted, rest);
    if (row->granted.count == 0) {
        check_note(report, CHECK_OK, subject_of(right), "%s, and may not", right->purpose);
        return;
    }
    check_note(report, CHECK_WARN, subject_of(right), "%s, but may %s%s", right->purpose, row->granted.shown,
               rest);
    check_advise(
        report,
        "%sFind the role or binding that gives the operator more than config/rbac does, and remove it.",
        right->advice == nullptr ? "" : right->advice);
}

// The admission plug-in OwnerReferencesPermissionEnforcement lets only those change an object's owner who may
// delete it. Nothing tells that it is on, but every OpenShift has it. Errors: that it cannot be known.
static bool find_owner_guard(struct check_context *context, bool *ret_guards, struct error *e) {
    cleanup_json yyjson_doc *document = nullptr;
    *ret_guards = check_get_path(context, "/apis/security.openshift.io", &document, e);
    return *ret_guards || e->class == ERROR_NOT_FOUND;
}

static void note_change_of_owners(struct check_report *report, const struct row *row) {
    const char *subject = subject_of(row->right);
    char rest[REST_SIZE];
    struct error e;
    bool guards;
    if (!find_owner_guard(row->inquiry->context, &guards, &e)) {
        check_note_unseen(report, subject, &e);
    } else if (!guards) {
        note_excess(report, row);
    } else if (row->refused.count == 0) {
        check_note(report, CHECK_OK, subject, "may be given owners, which here takes a right to delete them");
    } else {
        format_rest(&row->refused, rest);
        check_note(report, CHECK_WARN, subject,
                   "cannot take over one that was restored, or follow an edit of deletionPolicy: OpenShift "
                   "guards owners, and the operator may not %s%s",
                   row->refused.shown, rest);
        check_advise(report, "Where that is wanted, add the role qubesec-owner-references: the component "
                             "config/components/owner-references, or helm's rbac.ownerReferences=true.");
    }
}

static void note_lent_to_all(struct check_report *report, const struct row *row) {
    char rest[REST_SIZE];
    format_rest(&row->granted, rest);
    if (row->granted.count == 0) {
        check_note(report, CHECK_OK, tenants, "not all of them may %s", row->right->purpose);
        return;
    }
    check_note(report, CHECK_WARN, tenants, "all of them may %s: %s%s", row->right->purpose,
               row->granted.shown, rest);
    check_advise(report, "Find the binding of the group system:serviceaccounts or system:authenticated to a "
                         "role with the verb use, or *, on resources of qubesec.io, and bind single "
                         "ServiceAccounts in its place.");
}

// False: there was no answer, and a finding about subject says why.
static bool check_rows(const struct inquiry *inquiry, const struct right *rights, note_function *note,
                       const char *subject, struct check_report *report) {
    bool answered = true;
    for (const struct right *right = rights; answered && right->verbs[0] != nullptr; right++) {
        struct row row = {.inquiry = inquiry, .right = right, .asked = buffer_create(ASKED_MAX)};
        struct error e;
        answered = ask_row(&row, &e);
        if (answered) {
            note(report, &row);
            check_details(report, buffer_text(&row.asked));
        } else {
            check_note_unseen(report, subject, &e);
        }
        buffer_done(&row.asked);
    }
    return answered;
}

// ---- who asks

static bool find_user(struct check_context *context, yyjson_doc **ret_answer, struct error *e) {
    static const struct kube_resource review = {"authentication.k8s.io", "v1", "SelfSubjectReview",
                                                "selfsubjectreviews"};
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (!json_create(&document, e)) {
        return false;
    }
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    yyjson_mut_obj_add_str(document, root, "apiVersion", "authentication.k8s.io/v1");
    yyjson_mut_obj_add_str(document, root, "kind", review.kind);
    const struct api_request request = {.verb = API_CREATE, .resource = &review, .body = document};
    return check_call(context, &request, ret_answer, e);
}

void check_rights(struct check_context *context, struct check_report *report) {
    cleanup_json yyjson_doc *answer = nullptr;
    struct inquiry inquiry = {.context = context};
    struct error e;
    if (!find_user(context, &answer, &e)) {
        check_note_unseen(report, "user", &e);
        return;
    }
    const char *user =
        json_text(json_find(yyjson_doc_get_root(answer), "status", "userInfo", "username", nullptr));
    snprintf(inquiry.operator, sizeof(inquiry.operator), "system:serviceaccount:%.63s:%s",
             context->options->namespace, service_account);
    bool is_operator = user != nullptr && strcmp(user, inquiry.operator) == 0;
    inquiry.about = is_operator ? ABOUT_ONESELF : ABOUT_OPERATOR;
    check_note(report, CHECK_OK, "asked", "%s about %s", user == nullptr ? "somebody" : user,
               is_operator ? "itself" : inquiry.operator);
    if (!check_rows(&inquiry, rights_needed, note_needed, "operator", report) ||
        !check_rows(&inquiry, right_to_change_owners, note_change_of_owners, "operator", report) ||
        !check_rows(&inquiry, rights_in_excess, note_excess, "operator", report)) {
        return;
    }
    inquiry.about = ABOUT_ALL_TENANTS;
    (void)check_rows(&inquiry, rights_to_borrow, note_lent_to_all, tenants, report);
}
