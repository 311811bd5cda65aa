// The webhook's own CA and certificate, as all replicas share them, and the steps of their rotation. Pure: no
// I/O, no clock.
//
// A CA is replaced in three steps, and at each moment every leaf that some replica may still serve is trusted
// by every caBundle that some API server may still use:
//
//   INTRODUCE_CA   the caBundle gets the next CA too; the leaf stays        bundle: old, new   leaf of old
//   SWITCH_LEAF    an overlap after the caBundle was seen to have both      bundle: old, new   leaf of new
//   DROP_CA        an overlap later, when all replicas have the new leaf    bundle: new        leaf of new
#pragma once

#include "base/buffer.h"
#include "crypto/serving_certificate.h"

enum webhook_request { // what the Secret's annotation asks for
    WEBHOOK_REQUEST_NONE,
    WEBHOOK_REQUEST_LEAF,
    WEBHOOK_REQUEST_CA, // waits until a rotation that is under way has ended
    WEBHOOK_REQUEST_UNKNOWN,
};

enum { WEBHOOK_DAMAGE_SIZE = 256 };

// Each part is owned, and NULL where there is none or it is damaged. A certificate has its key.
struct webhook_authority {
    struct certificate *ca; // issues the leaf; NULL: nothing here is of use
    struct pkey *ca_key;
    struct certificate *next_ca; // is being introduced: trusted already, and will issue the next leaf
    struct pkey *next_key;
    struct certificate *former_ca; // still trusted. There is never a next one as well
    struct certificate *leaf;
    struct pkey *leaf_key;
    int64_t overlap_since; // seconds since 1970; 0: the overlap of the present step has not begun
    enum webhook_request request;
    char damage[WEBHOOK_DAMAGE_SIZE]; // why ca or leaf is NULL
};

void webhook_authority_done(struct webhook_authority *authority); // what is in it
#define cleanup_authority [[gnu::cleanup(webhook_authority_done)]]

enum webhook_step {
    WEBHOOK_NOTHING,
    WEBHOOK_MAKE_ALL, // a CA and a leaf from nothing
    WEBHOOK_RENEW_LEAF,
    WEBHOOK_INTRODUCE_CA,
    WEBHOOK_START_OVERLAP, // the caBundle has both CAs: time counts from now on
    WEBHOOK_SWITCH_LEAF,
    WEBHOOK_DROP_CA,
    WEBHOOK_REFUSE_REQUEST, // an annotation that nobody understands is taken away
};

struct webhook_plan {
    const struct san *names; // of the leaf; at least one, all different; borrowed
    size_t name_count;
    int64_t now;         // seconds since 1970
    int64_t overlap;     // seconds
    bool published;      // the caBundle holds just the CAs that are trusted now
    bool just_published; // and did not until now
};

// What to do next. *ret_why is static or borrowed from authority. Errors: NO_MEMORY.
[[nodiscard]] bool webhook_authority_decide(const struct webhook_authority *authority,
                                            const struct webhook_plan *plan, enum webhook_step *ret_step,
                                            const char **ret_why, struct error *e);

// Does the step. previous_ca: of the leaf that MAKE_ALL replaces; it stays trusted for an overlap; NULL: not
// known. On failure authority is as it was. Errors: CRYPTO, NO_MEMORY.
[[nodiscard]] bool webhook_authority_advance(struct webhook_authority *authority, enum webhook_step step,
                                             const struct certificate *previous_ca,
                                             const struct webhook_plan *plan, struct error *e);

// Append PEM: all CAs that are trusted, the oldest first; the leaf and its CA, as the server shows them.
// Errors: as buffer_append, CRYPTO.
[[nodiscard]] bool webhook_authority_append_bundle(const struct webhook_authority *authority,
                                                   struct buffer *pem, struct error *e);
[[nodiscard]] bool webhook_authority_append_chain(const struct webhook_authority *authority,
                                                  struct buffer *pem, struct error *e);
