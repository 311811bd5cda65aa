#include "webhook/authority.h"

#include "base/memory.h"

#include <string.h>

// The next CA is introduced long before the last leaf of the present one would be cut short.
static const int64_t ca_reserve = 2 * (int64_t)SERVING_LEAF_SECONDS;

void webhook_authority_done(struct webhook_authority *authority) {
    certificate_free(authority->ca);
    pkey_free(authority->ca_key);
    certificate_free(authority->next_ca);
    pkey_free(authority->next_key);
    certificate_free(authority->former_ca);
    certificate_free(authority->leaf);
    pkey_free(authority->leaf_key);
    *authority = (struct webhook_authority){0};
}

// ---- what to do next

struct decision {
    enum webhook_step step;
    const char *why;
};

static struct decision evaluate_ca(const struct webhook_authority *authority,
                                   const struct webhook_plan *plan) {
    struct error ignored;
    if (authority->ca == nullptr) {
        return (struct decision){WEBHOOK_MAKE_ALL, authority->damage};
    }
    if (!certificate_is_ca(authority->ca) ||
        !certificate_verify(authority->ca, nullptr, 0, authority->ca, 0, plan->now, &ignored)) {
        return (struct decision){WEBHOOK_MAKE_ALL, "the CA is not valid now, or is none"};
    }
    return (struct decision){WEBHOOK_NOTHING, ""};
}

// What is wrong with the leaf; NULL: nothing.
static const char *find_fault(const struct webhook_authority *authority, const struct webhook_plan *plan) {
    const struct certificate *leaf = authority->leaf;
    struct error ignored;
    if (leaf == nullptr) {
        return authority->damage;
    }
    if (!certificate_verify(leaf, nullptr, 0, authority->ca, CERTIFICATE_SERVER_AUTH, plan->now, &ignored)) {
        return "it is not valid now, or not of the CA";
    }
    if (!certificate_has_names(leaf, plan->names, plan->name_count)) {
        return "it is of other names";
    }
    if (plan->now >= serving_certificate_renewal(leaf) &&
        certificate_not_after(leaf) < certificate_not_after(authority->ca)) { // a new one will live longer
        return "two thirds of its life are over";
    }
    return authority->request == WEBHOOK_REQUEST_LEAF ? "it was asked for" : nullptr;
}

// The step that ends an overlap. What another replica wrote may be a little ahead of our clock.
static struct decision evaluate_overlap(const struct webhook_authority *authority,
                                        const struct webhook_plan *plan) {
    bool introducing = authority->next_ca != nullptr;
    int64_t since = authority->overlap_since;
    bool begun = since != 0 && since - plan->now <= plan->overlap && !(introducing && plan->just_published);
    if (!plan->published || (begun && plan->now - since < plan->overlap)) {
        return (struct decision){WEBHOOK_NOTHING, ""};
    }
    if (!begun) {
        return (struct decision){WEBHOOK_START_OVERLAP, "the caBundle holds both CAs"};
    }
    return introducing ? (struct decision){WEBHOOK_SWITCH_LEAF, "every API server trusts the new CA"}
                       : (struct decision){WEBHOOK_DROP_CA, "every replica serves a leaf of the new CA"};
}

static struct decision evaluate_rotation(const struct webhook_authority *authority,
                                         const struct webhook_plan *plan) {
    if (authority->next_ca != nullptr || authority->former_ca != nullptr) {
        return evaluate_overlap(authority, plan);
    }
    if (authority->request == WEBHOOK_REQUEST_CA) {
        return (struct decision){WEBHOOK_INTRODUCE_CA, "it was asked for"};
    }
    if (certificate_not_after(authority->ca) - plan->now < ca_reserve) {
        return (struct decision){WEBHOOK_INTRODUCE_CA, "the CA nears its end"};
    }
    return (struct decision){WEBHOOK_NOTHING, ""};
}

static struct decision evaluate(const struct webhook_authority *authority, const struct webhook_plan *plan) {
    struct decision decision = evaluate_ca(authority, plan);
    if (decision.step != WEBHOOK_NOTHING) {
        return decision;
    }
    const char *fault = find_fault(authority, plan);
    if (fault != nullptr) {
        return (struct decision){WEBHOOK_RENEW_LEAF, fault};
    }
    if (authority->request == WEBHOOK_REQUEST_UNKNOWN) {
        return (struct decision){WEBHOOK_REFUSE_REQUEST, "only leaf and ca can be asked for"};
    }
    return evaluate_rotation(authority, plan);
}

bool webhook_authority_decide(const struct webhook_authority *authority, const struct webhook_plan *plan,
                              enum webhook_step *ret_step, const char **ret_why, struct error *e) {
    (void)memory_take_failure();
    struct decision decision = evaluate(authority, plan);
    if (memory_take_failure()) { // which may look like a fault of a certificate
        return error_no_memory(e, "judging the webhook's certificate");
    }
    *ret_step = decision.step;
    *ret_why = decision.why;
    return true;
}

// ---- doing it

static const struct certificate_subject ca_subject = {.organization = "qubesec.io",
                                                      .common_name = "QubeSec webhook CA"};
static const struct certificate_subject leaf_subject = {.organization = "qubesec.io",
                                                        .common_name = "QubeSec webhook"};

static bool make_ca(const struct webhook_plan *plan, struct certificate **ret_ca, struct pkey **ret_key,
                    struct error *e) {
    cleanup_pkey struct pkey *key = nullptr;
    if (!serving_key_generate(&key, e) ||
        !serving_certificate_issue_ca(&ca_subject, key, plan->now, ret_ca, e)) {
        return false;
    }
    *ret_key = key;
    key = nullptr;
    return true;
}

static bool make_leaf(const struct webhook_plan *plan, const struct certificate *ca,
                      const struct pkey *ca_key, struct certificate **ret_leaf, struct pkey **ret_key,
                      struct error *e) {
    cleanup_pkey struct pkey *key = nullptr;
    if (!serving_key_generate(&key, e) ||
        !serving_certificate_issue(&leaf_subject, plan->names, plan->name_count, key, ca, ca_key, plan->now,
                                   ret_leaf, e)) {
        return false;
    }
    *ret_key = key;
    key = nullptr;
    return true;
}

static bool make_all(struct webhook_authority *authority, const struct certificate *previous_ca,
                     const struct webhook_plan *plan, struct error *e) {
    struct webhook_authority made = {.overlap_since = previous_ca == nullptr ? 0 : plan->now};
    if ((previous_ca != nullptr && !certificate_copy(previous_ca, &made.former_ca, e)) ||
        !make_ca(plan, &made.ca, &made.ca_key, e) ||
        !make_leaf(plan, made.ca, made.ca_key, &made.leaf, &made.leaf_key, e)) {
        webhook_authority_done(&made);
        return false;
    }
    webhook_authority_done(authority);
    *authority = made;
    return true;
}

static void replace_leaf(struct webhook_authority *authority, struct certificate *leaf, struct pkey *key) {
    certificate_free(authority->leaf);
    pkey_free(authority->leaf_key);
    authority->leaf = leaf;
    authority->leaf_key = key;
}

static bool renew_leaf(struct webhook_authority *authority, const struct webhook_plan *plan,
                       struct error *e) {
    struct certificate *leaf;
    struct pkey *key;
    if (!make_leaf(plan, authority->ca, authority->ca_key, &leaf, &key, e)) {
        return false;
    }
    replace_leaf(authority, leaf, key);
    if (authority->request == WEBHOOK_REQUEST_LEAF) {
        authority->request = WEBHOOK_REQUEST_NONE;
    }
    return true;
}

static bool introduce_ca(struct webhook_authority *authority, const struct webhook_plan *plan,
                         struct error *e) {
    if (!make_ca(plan, &authority->next_ca, &authority->next_key, e)) {
        return false;
    }
    authority->overlap_since = 0;
    authority->request = WEBHOOK_REQUEST_NONE;
    return true;
}

static bool switch_leaf(struct webhook_authority *authority, const struct webhook_plan *plan,
                        struct error *e) {
    struct certificate *leaf;
    struct pkey *key;
    if (!make_leaf(plan, authority->next_ca, authority->next_key, &leaf, &key, e)) {
        return false;
    }
    replace_leaf(authority, leaf, key);
    authority->former_ca = authority->ca;
    authority->ca = authority->next_ca;
    authority->next_ca = nullptr;
    pkey_free(authority->ca_key);
    authority->ca_key = authority->next_key;
    authority->next_key = nullptr;
    authority->overlap_since = plan->now;
    return true;
}

static void drop_ca(struct webhook_authority *authority) {
    certificate_free(authority->former_ca);
    authority->former_ca = nullptr;
    authority->overlap_since = 0;
}

bool webhook_authority_advance(struct webhook_authority *authority, enum webhook_step step,
                               const struct certificate *previous_ca, const struct webhook_plan *plan,
                               struct error *e) {
    (void)memory_take_failure();
    switch (step) {
    case WEBHOOK_MAKE_ALL:
        return make_all(authority, previous_ca, plan, e);
    case WEBHOOK_RENEW_LEAF:
        return renew_leaf(authority, plan, e);
    case WEBHOOK_INTRODUCE_CA:
        return introduce_ca(authority, plan, e);
    case WEBHOOK_START_OVERLAP:
        authority->overlap_since = plan->now;
        return true;
    case WEBHOOK_SWITCH_LEAF:
        return switch_leaf(authority, plan, e);
    case WEBHOOK_DROP_CA:
        drop_ca(authority);
        return true;
    case WEBHOOK_REFUSE_REQUEST:
        authority->request = WEBHOOK_REQUEST_NONE;
        return true;
    case WEBHOOK_NOTHING:
        return true;
    }
    return error_set(e, ERROR_INTERNAL, "there is no step %d", (int)step);
}

// ---- as text

static bool append(const struct certificate *certificate, struct buffer *pem, struct error *e) {
    return certificate == nullptr || certificate_append_pem(certificate, pem, e);
}

bool webhook_authority_append_bundle(const struct webhook_authority *authority, struct buffer *pem,
                                     struct error *e) {
    return append(authority->former_ca, pem, e) && append(authority->ca, pem, e) &&
           append(authority->next_ca, pem, e);
}

bool webhook_authority_append_chain(const struct webhook_authority *authority, struct buffer *pem,
                                    struct error *e) {
    return append(authority->leaf, pem, e) && append(authority->ca, pem, e);
}
