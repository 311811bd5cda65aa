// The fields of a QuantumCertificate's spec.
#include "kinds/certificate_spec.h"

#include <stddef.h>

enum {
    TEXT_MAX = 4 * 1024,
    SUBJECT_TEXT_MAX = 512,
    NAME_CHARACTERS_MAX = 64, // RFC 5280 appendix A.1
    PLACE_CHARACTERS_MAX = 128,
    COUNTRY_CHARACTERS_MAX = 2,
    RENEWAL_CHARACTERS_MAX = 32,
    PATH_LENGTH_MAX = 30,
    DAYS_MAX = 36500,
    DAY = 24 * 60 * 60, // seconds
    DURATION_MIN = 60,
};

const char *const certificate_type_names[] = {"self-signed", "ca", "server", "client", nullptr};
static const char *const rotation_policies[] = {"Never", "Always", nullptr};
static const char *const parent_entries[] = {"tls.crt", "ca.crt", nullptr};

const char *const certificate_usage_names[CERTIFICATE_USAGE_COUNT + 1] = {
    "signing",     "digital signature", "content commitment", "cert sign",    "crl sign",     "server auth",
    "client auth", "code signing",      "email protection",   "timestamping", "ocsp signing", nullptr};

const char *const certificate_unfit_usages[] = {"key encipherment", "data encipherment", "key agreement",
                                                "encipher only",    "decipher only",     nullptr};
const char certificate_unfit_usage_reason[] =
    "is not for ML-DSA and SLH-DSA keys, which only sign (RFC 9881, RFC 9909); digital signature is what TLS "
    "needs";

const struct input_source certificate_parent_sources[] = {
    {.kind = "QuantumCertificate",
     .data_key = "tls.key",
     .by_default = true,
     .outlives_readiness = true,
     .also = parent_entries,
     .beside = "ca.crt"},
    {.kind = nullptr},
};

// ---- the fields

static const struct text_form form_country = {.name = "two upper-case letters", .pattern = "^([A-Z]{2})?$"};
static const struct text_form form_renewal = {
    .name = "`720h` or `90m`, without days, or `33%` of the life",
    .pattern = "^([1-9][0-9]?%|([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?)$"};
static const struct spec_object private_key = {.contents = "",
                                               .description = "How the private key is treated."};
static const struct spec_object trust_bundle = {
    .contents = " with configMapName, labels and annotations",
    .description = "Of a ca: a ConfigMap for those who have to trust it, and need no private key for that.",
};

const struct spec_field certificate_spec_fields[] = {
    {.name = "algorithm",
     .type = SPEC_ALGORITHM,
     .offset = offsetof(struct certificate_spec, algorithm),
     .is_immutable = true,
     .family = ALGORITHM_SIGNATURE,
     .text_fallback = "ML-DSA-65",
     .description = "Of the certificate's key."},
    {.name = "certType",
     .type = SPEC_CHOICE,
     .offset = offsetof(struct certificate_spec, type_name),
     .is_immutable = true,
     .across = "ca", // no key is first a CA's and then another's, or the other way round
     .choices = certificate_type_names,
     .description =
         "self-signed: signed by its own key, for servers and clients, and no CA. ca: may sign others; a "
         "root without parentCARef, an intermediate with one. server, client: for TLS servers or "
         "clients, signed by parentCARef."},
    {.name = "subjectAltNames",
     .type = SPEC_TEXT_LIST,
     .offset = offsetof(struct certificate_spec, alt_names),
     .max = SAN_TEXT_MAX,
     .max_count = CERTIFICATE_NAMES_MAX,
     .description =
         "Host names, addresses, e-mail addresses and URIs, told apart by their form; a prefix DNS:, IP:, "
         "email: or URI: says which it is. Host names may be international and begin with the wildcard "
         "label *, and have no port."},
    {.name = "domain",
     .type = SPEC_TEXT,
     .offset = offsetof(struct certificate_spec, domain),
     .max = TEXT_MAX,
     .description = "The same as a list that commas divide, besides subjectAltNames."},
    {.name = "country",
     .type = SPEC_TEXT,
     .offset = offsetof(struct certificate_spec, subject.country),
     .empty_is_absent = true,
     .max = SUBJECT_TEXT_MAX,
     .max_characters = COUNTRY_CHARACTERS_MAX,
     .form = &form_country,
     .description = "The subject's country, as two upper-case letters (ISO 3166)."},
    {.name = "state",
     .type = SPEC_TEXT,
     .offset = offsetof(struct certificate_spec, subject.state),
     .empty_is_absent = true,
     .max = SUBJECT_TEXT_MAX,
     .max_characters = PLACE_CHARACTERS_MAX,
     .description = "The subject's state or province."},
    {.name = "locality",
     .type = SPEC_TEXT,
     .offset = offsetof(struct certificate_spec, subject.locality),
     .empty_is_absent = true,
     .max = SUBJECT_TEXT_MAX,
     .max_characters = PLACE_CHARACTERS_MAX,
     .description = "The subject's locality, such as a town."},
    {.name = "organization",
     .type = SPEC_TEXT,
     .offset = offsetof(struct certificate_spec, subject.organization),
     .empty_is_absent = true,
     .max = SUBJECT_TEXT_MAX,
     .max_characters = NAME_CHARACTERS_MAX,
     .description = "The subject's organization."},
    {.name = "organizationalUnit",
     .type = SPEC_TEXT,
     .offset = offsetof(struct certificate_spec, subject.organizational_unit),
     .empty_is_absent = true,
     .max = SUBJECT_TEXT_MAX,
     .max_characters = NAME_CHARACTERS_MAX,
     .description = "The subject's organizational unit."},
    {.name = "commonName",
     .type = SPEC_TEXT,
     .offset = offsetof(struct certificate_spec, subject.common_name),
     .empty_is_absent = true,
     .max = SUBJECT_TEXT_MAX,
     .max_characters = NAME_CHARACTERS_MAX,
     .description =
         "The subject's common name, at most 64 characters. A server's or self-signed certificate "
         "without one is called by its first host name, if that has at most 64 characters; a self-signed "
         "one without any part of the subject else by the first of its names that has, or by the digest "
         "of its first name as a URI (RFC 6920). Where no other name is given, a common name that is a "
         "host name or an address becomes a subject alternative name."},
    {.name = "durationDays",
     .alias = "days",
     .type = SPEC_INTEGER,
     .offset = offsetof(struct certificate_spec, days),
     .min = 1,
     .max = DAYS_MAX,
     .description =
         "The certificate's life in days, of which the first minute is in the past when it is issued, for "
         "clients whose clocks are behind. Default: 365. It never ends after its issuer's."},
    {.name = "duration",
     .type = SPEC_DURATION,
     .offset = offsetof(struct certificate_spec, duration),
     .min = DURATION_MIN,
     .max = DAYS_MAX * (int64_t)DAY,
     .description =
         "The certificate's life as a length of time such as 10m, 90m, 1h30m or 2160h, at least 1m; instead "
         "of durationDays. Of a life below 10m a tenth is in the past when it is issued."},
    {.name = "renewBefore",
     .type = SPEC_TEXT,
     .offset = offsetof(struct certificate_spec, renewal),
     .min = 2,
     .max = SUBJECT_TEXT_MAX,
     .max_characters = RENEWAL_CHARACTERS_MAX,
     .form = &form_renewal,
     .description =
         "How long before its end the certificate is renewed: a length of time such as 720h, shorter than "
         "its life, or a part of its life from 1% to 99%. Default: a third of its life."},
    {.name = "usages",
     .type = SPEC_TEXT_LIST,
     .offset = offsetof(struct certificate_spec, usages),
     .max = SUBJECT_TEXT_MAX,
     .max_count = CERTIFICATE_USAGE_COUNT,
     .choices = certificate_usage_names,
     .unfit_choices = certificate_unfit_usages,
     .unfit_reason = certificate_unfit_usage_reason,
     .description =
         "Key usages and extended key usages, by cert-manager's names. Default: by certType. Key usages that "
         "are given replace the default ones, and so do extended key usages. Encipherment and key agreement "
         "are not for "
         "signature keys (RFC 9881, RFC 9909). timestamping stands beside no other extended key usage "
         "(RFC 3161), but in a ca. Of a ca, extended key usages limit what it may issue, and what CAs "
         "below it may."},
    {.name = "parentCARef",
     .type = SPEC_REFERENCE,
     .offset = offsetof(struct certificate_spec, parent),
     .sources = certificate_parent_sources,
     .description = "The CA that signs the certificate, of certType ca. Required for server and client, "
                    "refused for self-signed; a ca without it is a root."},
    {.name = "pathLen",
     .type = SPEC_INTEGER,
     .offset = offsetof(struct certificate_spec, given_path_length),
     .max = PATH_LENGTH_MAX,
     .fallback = CERTIFICATE_PATH_LENGTH_NONE,
     .description =
         "Of a ca: how many CAs may stand below it in a chain. It must be below that of its issuer. Default: "
         "one less than its issuer's, or no limit where that has none."},
    {.name = "privateKey.rotationPolicy",
     .type = SPEC_EITHER,
     .offset = offsetof(struct certificate_spec, rotates_key),
     .object = &private_key,
     .choices = rotation_policies,
     .description =
         "Never: the key stays when the certificate is issued again. Always: each certificate gets a new "
         "key."},
    {.name = "trustBundle.configMapName",
     .type = SPEC_TEXT,
     .offset = offsetof(struct certificate_spec, trust_bundle.config_map_name),
     .object = &trust_bundle,
     .min = 1,
     .max = SPEC_NAME_MAX,
     .form = &spec_form_dns_name,
     .description = "Name of the ConfigMap, in the resource's own namespace. It has what the entry ca.crt of "
                    "the output Secret has, under the same name, and becomes of it what becomes of the "
                    "Secret. Under another name here another one is made, and this one deleted. Required "
                    "with trustBundle."},
    {.name = "trustBundle.labels",
     .type = SPEC_LABELS,
     .offset = offsetof(struct certificate_spec, trust_bundle.labels),
     .object = &trust_bundle,
     .max = SPEC_LABEL_MAX,
     .max_count = SPEC_TEMPLATE_ENTRIES_MAX,
     .description = "Labels that the ConfigMap gets besides the operator's own. Those of secretTemplate are "
                    "for the Secret alone."},
    {.name = "trustBundle.annotations",
     .type = SPEC_ANNOTATIONS,
     .offset = offsetof(struct certificate_spec, trust_bundle.annotations),
     .object = &trust_bundle,
     .max = SPEC_ANNOTATION_MAX,
     .max_count = SPEC_TEMPLATE_ENTRIES_MAX,
     .description = "Annotations that the ConfigMap gets besides the operator's own, for a program that "
                    "copies it into other namespaces, say."},
    {.name = nullptr},
};
