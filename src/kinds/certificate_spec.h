// The spec of a QuantumCertificate: read, checked as far as it can be without its issuer, and as a
// parameters.
#pragma once

#include "crypto/certificate.h"
#include "engine/kind.h"

enum certificate_type { CERTIFICATE_SELF_SIGNED, CERTIFICATE_CA, CERTIFICATE_SERVER, CERTIFICATE_CLIENT };

enum {
    CERTIFICATE_NAMES_MAX = 100,
    CERTIFICATE_USAGE_COUNT = 11,
    CERTIFICATE_DIGEST_NAME_SIZE = 14 + 43 + 1, // "ni:///sha-256;" and 32 bytes in base64url
};

struct certificate_spec {
    const struct algorithm *algorithm;
    const char *type_name;
    enum certificate_type type;
    struct certificate_subject subject;
    char digest_name[CERTIFICATE_DIGEST_NAME_SIZE]; // the common name, where no name was short enough
    struct san *names;                              // owned, as what is in them
    size_t name_count;
    int64_t duration;      // seconds
    int64_t renew_before;  // seconds before the end; 0: renew_percent says
    int64_t renew_percent; // of the life; 0: neither was given
    int path_length;       // CERTIFICATE_PATH_LENGTH_NONE: no limit
    unsigned key_usage;
    unsigned purposes;
    struct reference parent; // without a name: there is none
    bool rotates_key;
    struct bundle_spec trust_bundle;

    // What the above was made from.
    struct spec_texts alt_names;
    struct spec_texts usages;
    const char *domain;  // names that commas divide
    const char *renewal; // renewBefore
    int64_t days;        // 0: not given
    int64_t given_path_length;
};

extern const struct input_source certificate_parent_sources[];
extern const struct spec_field certificate_spec_fields[];
extern const struct foreign_field certificate_foreign_fields[];

// What the spec calls types, in the order of enum certificate_type, and usages, as cert-manager does;
// NULL-terminated.
extern const char *const certificate_type_names[];
extern const char *const certificate_usage_names[CERTIFICATE_USAGE_COUNT + 1];

// Usages of other keys, NULL-terminated, and why they are refused, as a fault goes on.
extern const char *const certificate_unfit_usages[];
extern const char certificate_unfit_usage_reason[];

// As struct kind's functions; memory is a struct certificate_spec.
void certificate_spec_check(struct spec_reader *reader, void *memory);
void certificate_spec_free(void *memory);
[[nodiscard]] bool certificate_spec_describe(const void *memory, struct buffer *parameters, struct error *e);

// What spec.usages calls the first of purposes, of which there is one at least; static.
const char *certificate_spec_name_purpose(unsigned purposes);
