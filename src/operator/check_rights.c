#include "operator/check_rights.h"

#include "operator/check_context.h"

#include <stdio.h>
#include <string.h>

static const char service_account[] = "qubesec-operator";

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
    {.group = "qubesec.io", .verbs = {"list", "watch"}, .purpose = "learn what is wanted"},
    {.group = "qubesec.io", .subresource = "status", .verbs = {"patch"}, .purpose = "say what was done"},
    {.group = "",
     .resource = "secrets",
     .verbs = {"get", "list", "watch", "create", "patch"},
     .purpose = "read inputs and keep outputs"},
    {.group = "", .resource = "configmaps", .verbs = {"get", "list", "watch"}, .purpose = "read inputs"},
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
    {.group = "", .resource = "secrets", .verbs = {"delete"}, .purpose = "the operator deletes no Secret"},
    {.group = "qubesec.io",
     .verbs = {"update", "patch", "delete"},
     .purpose = "the operator neither changes nor deletes its users' resources"},
    {0},
};

// ---- one question

// Who is asked about.
struct inquiry {
    struct check_context *context;
    char operator[192]; // the operator's user name
    bool about_oneself; // whoever makes the check is the operator
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
    snprintf(group, sizeof(group), "system:serviceaccounts:%.63s", inquiry->context->options->namespace);
    yyjson_mut_obj_add_str(document, spec, "user", inquiry->operator);
    yyjson_mut_val *groups = yyjson_mut_obj_add_arr(document, spec, "groups");
    yyjson_mut_arr_add_str(document, groups, "system:serviceaccounts");
    yyjson_mut_arr_add_strcpy(document, groups, group);
    yyjson_mut_arr_add_str(document, groups, "system:authenticated");
}

static bool ask(const struct inquiry *inquiry, const struct question *question, bool *ret_granted,
                struct error *e) {
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    cleanup_json yyjson_doc *answer = nullptr;
    if (!json_create(&document, e)) {
        return false;
    }
    bool self = inquiry->about_oneself;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    yyjson_mut_obj_add_str(document, root, "apiVersion", "authorization.k8s.io/v1");
    yyjson_mut_obj_add_str(document, root, "kind", self ? "SelfSubjectAccessReview" : "SubjectAccessReview");
    yyjson_mut_val *spec = yyjson_mut_obj_add_obj(document, root, "spec");
    yyjson_mut_val *attributes = yyjson_mut_obj_add_obj(document, spec, "resourceAttributes");
    yyjson_mut_obj_add_str(document, attributes, "verb", question->verb);
    yyjson_mut_obj_add_str(document, attributes, "group", question->right->group);
    yyjson_mut_obj_add_str(document, attributes, "resource", question->resource);
    add_optional(document, attributes, "subresource", question->right->subresource);
    add_optional(document, attributes, "namespace", question->namespace);
    add_optional(document, attributes, "name", question->name);
    if (!self) {
        add_identity(inquiry, document, spec);
    }
    if (!check_post(inquiry->context,
                    self ? "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
                         : "/apis/authorization.k8s.io/v1/subjectaccessreviews",
                    document, &answer, e)) {
        return false;
    }
    *ret_granted = yyjson_get_bool(json_find(yyjson_doc_get_root(answer), "status", "allowed", nullptr));
    return true;
}

// ---- one row

enum { SHOWN_MAX = 4, ASKED_MAX = 256 * 1024 };

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

static void note_lack(struct check_report *report, const struct right *right, const char *lacking,
                      const char *more) {
    const char *base = right->is_of_webhook ? "config/webhook" : "config/rbac";
    check_note(report, right->is_of_webhook ? CHECK_WARN : CHECK_FAIL, subject_of(right),
               "cannot %s: may not %s%s", right->purpose, lacking, more);
    check_advise(report, "Apply the operator's roles of this version%s: kubectl apply --kustomize %s",
                 right->is_of_webhook ? ", if it is to have a webhook" : "", base);
}

static void note_row(struct check_report *report, const struct row *row, bool is_needed) {
    const struct outcome *wrong = is_needed ? &row->refused : &row->granted;
    const char *subject = subject_of(row->right);
    char more[32] = "";
    if (wrong->count > SHOWN_MAX) {
        snprintf(more, sizeof(more), " and %zu more", wrong->count - SHOWN_MAX);
    }
    if (wrong->count == 0) {
        check_note(report, CHECK_OK, subject, is_needed ? "may %s" : "%s, and may not", row->right->purpose);
    } else if (is_needed) {
        note_lack(report, row->right, wrong->shown, more);
    } else {
        check_note(report, CHECK_WARN, subject, "%s, but may %s%s", row->right->purpose, wrong->shown, more);
        check_advise(report, "Find the role or binding that gives the operator more than config/rbac does, "
                             "and remove it.");
    }
    check_details(report, buffer_text(&row->asked));
}

// False: there was no answer, and a finding says why.
static bool check_rows(const struct inquiry *inquiry, const struct right *rights, bool are_needed,
                       struct check_report *report) {
    bool answered = true;
    for (const struct right *right = rights; answered && right->verbs[0] != nullptr; right++) {
        struct row row = {.inquiry = inquiry, .right = right, .asked = buffer_create(ASKED_MAX)};
        struct error e;
        answered = ask_row(&row, &e);
        if (answered) {
            note_row(report, &row, are_needed);
        } else {
            check_note_unseen(report, "operator", &e);
        }
        buffer_free(&row.asked);
    }
    return answered;
}

// ---- who asks

static bool find_user(struct check_context *context, yyjson_doc **ret_answer, struct error *e) {
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (!json_create(&document, e)) {
        return false;
    }
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    yyjson_mut_obj_add_str(document, root, "apiVersion", "authentication.k8s.io/v1");
    yyjson_mut_obj_add_str(document, root, "kind", "SelfSubjectReview");
    return check_post(context, "/apis/authentication.k8s.io/v1/selfsubjectreviews", document, ret_answer, e);
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
    inquiry.about_oneself = user != nullptr && strcmp(user, inquiry.operator) == 0;
    check_note(report, CHECK_OK, "asked", "%s about %s", user == nullptr ? "somebody" : user,
               inquiry.about_oneself ? "itself" : inquiry.operator);
    if (check_rows(&inquiry, rights_needed, true, report)) {
        (void)check_rows(&inquiry, rights_in_excess, false, report);
    }
}
