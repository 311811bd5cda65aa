#include "kinds/certificate_spec.h"

#include "base/duration.h"
#include "base/memory.h"
#include "crypto/digest.h"
#include "crypto/encoding.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    COMMON_NAME_MAX = 64, // characters, RFC 5280 appendix A.1
    DAY = 24 * 60 * 60,   // seconds
};

static const int64_t long_life = 3650 * (int64_t)DAY;

// ---- names

static bool has_name(const struct certificate_spec *spec, const struct san *name) {
    for (size_t i = 0; i < spec->name_count; i++) {
        if (san_equals(&spec->names[i], name)) {
            return true;
        }
    }
    return false;
}

// Adds the name that text is, once. path names the field in messages.
static void add_name(struct spec_reader *reader, struct certificate_spec *spec, const char *path,
                     const char *text) {
    struct san name;
    struct error e;
    if (!san_parse(text, &name, &e)) {
        reader->out_of_memory = reader->out_of_memory || e.class == ERROR_NO_MEMORY;
        spec_field_error(reader, "%s: \"%.64s\": %s", path, text, e.message);
        return;
    }
    if (has_name(spec, &name)) {
        san_done(&name);
        return;
    }
    if (spec->name_count == CERTIFICATE_NAMES_MAX) {
        san_done(&name);
        spec_field_error(reader, "%s: there are more than %d names", path, CERTIFICATE_NAMES_MAX);
        return;
    }
    spec->names[spec->name_count++] = name;
}

// The names of a list that commas divide.
static void add_domains(struct spec_reader *reader, struct certificate_spec *spec, const char *text) {
    while (text != nullptr) {
        const char *comma = strchr(text, ',');
        size_t length = comma == nullptr ? strlen(text) : (size_t)(comma - text);
        size_t spaces = strspn(text, " \t");
        while (length > spaces && strchr(" \t", text[length - 1]) != nullptr) {
            length--;
        }
        length = length < spaces ? spaces : length;
        cleanup_text char *name = memory_copy_span(text + spaces, length - spaces);
        if (name == nullptr) {
            reader->out_of_memory = true;
            return;
        }
        if (name[0] == '\0') {
            spec_field_error(reader, "domain: has an empty name; names are divided by single commas");
        } else {
            add_name(reader, spec, "domain", name);
        }
        text = comma == nullptr ? nullptr : comma + 1;
    }
}

static void read_names(struct spec_reader *reader, struct certificate_spec *spec) {
    spec->names = memory_allocate_zeroed(CERTIFICATE_NAMES_MAX, sizeof(*spec->names));
    if (spec->names == nullptr) {
        reader->out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < spec->alt_names.count; i++) {
        char path[48];
        snprintf(path, sizeof(path), "subjectAltNames[%zu]", i);
        add_name(reader, spec, path, spec->alt_names.texts[i]);
    }
    if (spec->domain != nullptr) {
        spec_warning(reader, "domain: is another name of spec.subjectAltNames, which is the usual one");
    }
    add_domains(reader, spec, spec->domain);
}

// ---- the subject

// A certificate that has only names is called by the first host name among them.
static const char *default_common_name(const struct certificate_spec *spec) {
    for (size_t i = 0; i < spec->name_count; i++) {
        if (spec->names[i].type == SAN_DNS) {
            return strlen(spec->names[i].text) <= COMMON_NAME_MAX ? spec->names[i].text : nullptr;
        }
    }
    return nullptr;
}

// The URI of a text's digest (RFC 6920 section 3): no client takes it for a host's name.
static bool write_digest_name(const char *text, char ret_name[CERTIFICATE_DIGEST_NAME_SIZE],
                              struct error *e) {
    uint8_t digest[DIGEST_SIZE];
    cleanup_buffer struct buffer base64 = buffer_create(CERTIFICATE_DIGEST_NAME_SIZE);
    if (!digest_compute(text, strlen(text), digest, e) ||
        !base64_encode(digest, sizeof(digest), &base64, e)) {
        return false;
    }
    int length =
        snprintf(ret_name, CERTIFICATE_DIGEST_NAME_SIZE, "ni:///sha-256;%.43s", buffer_text(&base64));
    for (char *at = ret_name + 14; at < ret_name + length; at++) { // RFC 4648 section 5
        if (*at == '+') {
            *at = '-';
        } else if (*at == '/') {
            *at = '_';
        }
    }
    return true;
}

// What a certificate that signs itself is called when it has nothing but names: by one of them, since it must
// not be empty, nor another's; else by the digest of the first.
static void name_issuer(struct spec_reader *reader, struct certificate_spec *spec) {
    const char *any = nullptr;
    struct error e;
    for (size_t i = 0; i < spec->name_count; i++) {
        bool fits = strlen(spec->names[i].text) <= COMMON_NAME_MAX;
        if (fits && spec->names[i].type == SAN_DNS) {
            spec->subject.common_name = spec->names[i].text;
            return;
        }
        any = fits && any == nullptr ? spec->names[i].text : any;
    }
    spec->subject.common_name = any;
    if (any == nullptr && spec->name_count > 0) {
        if (write_digest_name(spec->names[0].text, spec->digest_name, &e)) {
            spec->subject.common_name = spec->digest_name;
        } else {
            reader->out_of_memory = true; // nothing else can go wrong
        }
    }
}

// Each part by itself, so that all that is wrong is told.
static void check_subject(struct spec_reader *reader, const struct certificate_subject *subject) {
    const struct certificate_subject parts[] = {
        {.country = subject->country},
        {.state = subject->state},
        {.locality = subject->locality},
        {.organization = subject->organization},
        {.organizational_unit = subject->organizational_unit},
        {.common_name = subject->common_name},
    };
    struct error e;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (!certificate_check_subject(&parts[i], &e)) {
            spec_field_error(reader, "%s", e.message);
        }
    }
}

static bool has_subject(const struct certificate_spec *spec) {
    const struct certificate_subject *subject = &spec->subject;
    return subject->country != nullptr || subject->state != nullptr || subject->locality != nullptr ||
           subject->organization != nullptr || subject->organizational_unit != nullptr ||
           subject->common_name != nullptr;
}

static void complete_subject(struct spec_reader *reader, struct certificate_spec *spec) {
    check_subject(reader, &spec->subject);
    bool is_end_entity_of_hosts = spec->type == CERTIFICATE_SELF_SIGNED || spec->type == CERTIFICATE_SERVER;
    if (spec->subject.common_name == nullptr && is_end_entity_of_hosts) {
        spec->subject.common_name = default_common_name(spec);
    }
    if (spec->type == CERTIFICATE_SELF_SIGNED && !has_subject(spec)) {
        name_issuer(reader, spec);
    }
}

// Clients look at the names only: a common name that is a host name or an address becomes one where there is
// none.
static void add_common_name(struct spec_reader *reader, struct certificate_spec *spec) {
    const char *name = spec->subject.common_name;
    struct san san;
    struct error e = {0};
    bool serves_hosts = spec->type == CERTIFICATE_SELF_SIGNED || spec->type == CERTIFICATE_SERVER;
    bool needed = serves_hosts && spec->names != nullptr && spec->name_count == 0 && name != nullptr;
    if (needed && san_parse(name, &san, &e)) {
        if (san.type == SAN_DNS || san.type == SAN_IP) {
            spec->names[spec->name_count++] = san;
        } else {
            san_done(&san);
        }
    }
    reader->out_of_memory = reader->out_of_memory || e.class == ERROR_NO_MEMORY;
    if (spec->type == CERTIFICATE_SERVER && spec->name_count == 0) {
        spec_field_error(reader, "subjectAltNames: a server's certificate needs a host name or an address");
    }
}

static void check_identity(struct spec_reader *reader, const struct certificate_spec *spec) {
    bool issues = spec->type == CERTIFICATE_CA || spec->type == CERTIFICATE_SELF_SIGNED;
    if (issues && !has_subject(spec)) {
        spec_field_error(
            reader,
            "commonName: is required with certType %s, or another part of the subject: an issuer has a name",
            certificate_type_names[spec->type]);
    } else if (!has_subject(spec) && spec->name_count == 0) {
        spec_field_error(reader,
                         "commonName: is required, or another part of the subject, or subjectAltNames");
    } else if (spec->type == CERTIFICATE_SELF_SIGNED && spec->name_count == 0 && reader->fault_count == 0) {
        spec_warning(reader, "subjectAltNames: without names no client takes the certificate for a server's");
    }
}

// ---- times

static void choose_duration(struct spec_reader *reader, struct certificate_spec *spec) {
    int64_t days = spec->days;
    int64_t seconds = spec->duration;
    if (days != 0 && seconds != 0 && days * DAY != seconds) {
        spec_field_error(reader, "duration: %.32s and durationDays: %" PRId64 " differ; give one of them",
                         json_text(spec_value(reader, "duration")), days);
    }
    spec->duration = seconds != 0 ? seconds : (days != 0 ? days : 365) * DAY;
    if (spec->type == CERTIFICATE_SELF_SIGNED && spec->duration >= long_life) {
        spec_warning(reader,
                     "%s: a self-signed certificate of ten years or more cannot be revoked; renew it instead",
                     seconds != 0 ? "duration" : "durationDays");
    }
}

// "33%"; 0: text is no percentage, or not one between 1 and 99.
static int64_t parse_percentage(const char *text) {
    char *end;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 2 || strcmp(text + digits, "%") != 0) {
        return 0;
    }
    return strtoll(text, &end, 10);
}

// Of what is left of the life, less what is in the past when it is issued.
static void warn_of_pace(struct spec_reader *reader, const struct certificate_spec *spec) {
    enum { PACE_S = 30, BACKDATED_S = 60 };
    int64_t past = spec->duration / 10 < BACKDATED_S ? spec->duration / 10 : BACKDATED_S;
    int64_t left = spec->duration - past;
    int64_t before = spec->renew_percent != 0 ? left * spec->renew_percent / 100 : spec->renew_before;
    if (left - before < PACE_S) {
        spec_warning(
            reader,
            "renewBefore: leaves less than %d s between two renewals, which then slow down until the "
            "certificate is about to end",
            PACE_S);
    }
}

static void read_renewal(struct spec_reader *reader, struct certificate_spec *spec) {
    const char *text = spec->renewal;
    if (text == nullptr) {
        return;
    }
    spec->renew_percent = parse_percentage(text);
    if (spec->renew_percent != 0) {
        warn_of_pace(reader, spec);
        return;
    }
    if (!duration_parse(text, &spec->renew_before) || spec->renew_before < 1) {
        spec_field_error(
            reader,
            "renewBefore: \"%.64s\" is neither a length of time such as 720h (a day is 24h) nor a part of "
            "the life from 1%% to 99%%",
            text);
    } else if (spec->renew_before >= spec->duration) {
        spec_field_error(reader, "renewBefore: %.64s is not shorter than the life of %" PRId64 " s", text,
                         spec->duration);
    } else {
        warn_of_pace(reader, spec);
    }
}

// ---- usages

struct usage {
    unsigned key_usage;
    unsigned purpose;
};

static const struct usage usages[CERTIFICATE_USAGE_COUNT] = {
    // as certificate_usage_names has them
    {CERTIFICATE_DIGITAL_SIGNATURE, 0},  {CERTIFICATE_DIGITAL_SIGNATURE, 0},
    {CERTIFICATE_CONTENT_COMMITMENT, 0}, {CERTIFICATE_CERT_SIGN, 0},
    {CERTIFICATE_CRL_SIGN, 0},           {0, CERTIFICATE_SERVER_AUTH},
    {0, CERTIFICATE_CLIENT_AUTH},        {0, CERTIFICATE_CODE_SIGNING},
    {0, CERTIFICATE_EMAIL_PROTECTION},   {0, CERTIFICATE_TIME_STAMPING},
    {0, CERTIFICATE_OCSP_SIGNING},
};

const char *certificate_spec_name_purpose(unsigned purposes) {
    size_t i = 0;
    while (i + 1 < CERTIFICATE_USAGE_COUNT && (usages[i].purpose & purposes) == 0) {
        i++;
    }
    return certificate_usage_names[i];
}

static const struct usage *find_usage(const char *name) {
    for (size_t i = 0; i < CERTIFICATE_USAGE_COUNT; i++) {
        if (strcmp(certificate_usage_names[i], name) == 0) {
            return &usages[i];
        }
    }
    return nullptr;
}

static void refuse_usage(struct spec_reader *reader, size_t index, const char *name) {
    for (const char *const *unfit = certificate_unfit_usages; *unfit != nullptr; unfit++) {
        if (strcmp(*unfit, name) == 0) {
            spec_field_error(reader, "usages[%zu]: %s %s", index, name, certificate_unfit_usage_reason);
            return;
        }
    }
    cleanup_buffer struct buffer names = buffer_create(512);
    struct error ignored;
    for (size_t i = 0; i < CERTIFICATE_USAGE_COUNT; i++) {
        (void)buffer_append_format(&names, &ignored, "%s%s", i == 0 ? "" : ", ", certificate_usage_names[i]);
    }
    spec_field_error(reader, "usages[%zu]: \"%.64s\" is not one of %s", index, name, buffer_text(&names));
}

static void set_default_usages(struct certificate_spec *spec) {
    static const unsigned purposes[] = {
        [CERTIFICATE_SELF_SIGNED] = CERTIFICATE_SERVER_AUTH | CERTIFICATE_CLIENT_AUTH,
        [CERTIFICATE_CA] = 0,
        [CERTIFICATE_SERVER] = CERTIFICATE_SERVER_AUTH,
        [CERTIFICATE_CLIENT] = CERTIFICATE_CLIENT_AUTH,
    };
    bool is_ca = spec->type == CERTIFICATE_CA;
    spec->key_usage = is_ca ? CERTIFICATE_CERT_SIGN | CERTIFICATE_CRL_SIGN : CERTIFICATE_DIGITAL_SIGNATURE;
    spec->purposes = purposes[spec->type];
}

// What an end entity's usages must not be together (RFC 5280 section 4.2.1.12, RFC 3161 section 2.3).
static void check_end_entity(struct spec_reader *reader, const struct certificate_spec *spec) {
    unsigned for_signing = CERTIFICATE_SERVER_AUTH | CERTIFICATE_CLIENT_AUTH | CERTIFICATE_CODE_SIGNING;
    unsigned signing = spec->purposes & for_signing;
    if ((spec->key_usage & (CERTIFICATE_CERT_SIGN | CERTIFICATE_CRL_SIGN)) != 0) {
        spec_field_error(reader, "usages: cert sign and crl sign are for certType ca only");
    } else if (signing != 0 && (spec->key_usage & CERTIFICATE_DIGITAL_SIGNATURE) == 0) {
        spec_field_error(
            reader,
            "usages: content commitment alone does not go with %s, which needs digital signature; add "
            "that, or name another extended key usage",
            certificate_spec_name_purpose(signing));
    }
    if ((spec->purposes & CERTIFICATE_TIME_STAMPING) != 0 && spec->purposes != CERTIFICATE_TIME_STAMPING) {
        spec_field_error(
            reader,
            "usages: timestamping must be the only extended key usage (RFC 3161), so %s cannot stand "
            "beside it; issue two certificates",
            certificate_spec_name_purpose(spec->purposes & ~(unsigned)CERTIFICATE_TIME_STAMPING));
    }
}

// Key usages that are given replace the default ones, and so do extended key usages.
static void read_usages(struct spec_reader *reader, struct certificate_spec *spec) {
    unsigned key_usage = 0;
    unsigned purposes = 0;
    set_default_usages(spec);
    for (size_t i = 0; i < spec->usages.count; i++) {
        const struct usage *usage = find_usage(spec->usages.texts[i]);
        if (usage == nullptr) {
            refuse_usage(reader, i, spec->usages.texts[i]);
        } else {
            key_usage |= usage->key_usage;
            purposes |= usage->purpose;
        }
    }
    spec->key_usage = key_usage != 0 ? key_usage : spec->key_usage;
    spec->purposes = purposes != 0 ? purposes : spec->purposes;
    bool signs = (spec->key_usage & CERTIFICATE_CERT_SIGN) != 0;
    if (spec->type == CERTIFICATE_CA && !signs) {
        spec_field_error(reader, "usages: a ca needs cert sign among its key usages");
    } else if (spec->type != CERTIFICATE_CA) {
        check_end_entity(reader, spec);
    }
}

// ---- the issuer

static void check_issuer(struct spec_reader *reader, const struct certificate_spec *spec) {
    bool given = spec->parent.name != nullptr;
    if (spec->type == CERTIFICATE_SELF_SIGNED && given) {
        spec_field_error(
            reader,
            "parentCARef: does not go with certType self-signed; set certType to ca, server or client");
    }
    if ((spec->type == CERTIFICATE_SERVER || spec->type == CERTIFICATE_CLIENT) && !given) {
        spec_field_error(
            reader,
            "parentCARef: is required with certType %s; a certificate without a CA is of certType "
            "self-signed",
            certificate_type_names[spec->type]);
    }
    if (spec_value(reader, "rotation") != nullptr && (spec->type != CERTIFICATE_CA || given)) {
        spec_field_error(
            reader, "rotation: goes only with certType ca without parentCARef, a root; what a CA issues is "
                    "renewed (renewBefore), with privateKey.rotationPolicy Always by another key");
    }
    if (spec->path_length != CERTIFICATE_PATH_LENGTH_NONE && spec->type != CERTIFICATE_CA) {
        spec_field_error(reader, "pathLen: goes only with certType ca");
    }
}

static void check_bundle(struct spec_reader *reader, const struct certificate_spec *spec) {
    if (!yyjson_is_obj(spec_value(reader, "trustBundle"))) {
        return;
    }
    if (spec->type != CERTIFICATE_CA) {
        spec_field_error(reader, "trustBundle: goes only with certType ca");
    } else if (spec->trust_bundle.config_map_name == nullptr &&
               spec_value(reader, "trustBundle.configMapName") == nullptr) {
        spec_field_error(reader, "trustBundle.configMapName: is required with trustBundle");
    }
}

static enum certificate_type find_type(const char *name) {
    size_t type = 0;
    while (certificate_type_names[type] != name) {
        type++;
    }
    return (enum certificate_type)type;
}

// TLS knows no signature scheme of FIPS 205, so OpenSSL does not even load such a certificate into a server.
static void warn_of_use(struct spec_reader *reader, const struct certificate_spec *spec) {
    bool is_for_tls = spec->type == CERTIFICATE_SERVER || spec->type == CERTIFICATE_CLIENT;
    if (is_for_tls && strcmp(spec->algorithm->standard, "FIPS 205") == 0) {
        spec_warning(reader, "algorithm: TLS cannot use a certificate with a key of %s; take ML-DSA",
                     spec->algorithm->name);
    }
}

void certificate_spec_check(struct spec_reader *reader, void *memory) {
    struct certificate_spec *spec = memory;
    spec->type = find_type(spec->type_name);
    spec->path_length = (int)spec->given_path_length;
    warn_of_use(reader, spec);
    read_names(reader, spec);
    complete_subject(reader, spec);
    add_common_name(reader, spec);
    check_identity(reader, spec);
    choose_duration(reader, spec);
    read_renewal(reader, spec);
    read_usages(reader, spec);
    check_issuer(reader, spec);
    check_bundle(reader, spec);
}

void certificate_spec_free(void *memory) {
    struct certificate_spec *spec = memory;
    for (size_t i = 0; i < spec->name_count; i++) {
        san_done(&spec->names[i]);
    }
    memory_free(spec->names);
}

// ---- the parameters

static int compare_names(const void *a, const void *b) {
    const struct san *one = *(const struct san *const *)a;
    const struct san *other = *(const struct san *const *)b;
    return one->type != other->type ? (int)one->type - (int)other->type : strcmp(one->text, other->text);
}

// Texts come with their lengths, so that no text can look like the next field.
static bool append_part(const char *name, const char *text, struct buffer *parameters, struct error *e) {
    return text == nullptr || buffer_append_format(parameters, e, " %s=%zu:%s", name, strlen(text), text);
}

static bool append_subject(const struct certificate_subject *subject, struct buffer *parameters,
                           struct error *e) {
    return append_part("C", subject->country, parameters, e) &&
           append_part("ST", subject->state, parameters, e) &&
           append_part("L", subject->locality, parameters, e) &&
           append_part("O", subject->organization, parameters, e) &&
           append_part("OU", subject->organizational_unit, parameters, e) &&
           append_part("CN", subject->common_name, parameters, e);
}

// In an order of their own: the same names in another order are no other certificate.
static bool append_names(const struct certificate_spec *spec, struct buffer *parameters, struct error *e) {
    static const char *const prefixes[] = {
        [SAN_DNS] = "dns", [SAN_IP] = "ip", [SAN_EMAIL] = "email", [SAN_URI] = "uri"};
    const struct san *sorted[CERTIFICATE_NAMES_MAX];
    for (size_t i = 0; i < spec->name_count; i++) {
        sorted[i] = &spec->names[i];
    }
    qsort(sorted, spec->name_count, sizeof(sorted[0]), compare_names);
    for (size_t i = 0; i < spec->name_count; i++) {
        if (!append_part(prefixes[sorted[i]->type], sorted[i]->text, parameters, e)) {
            return false;
        }
    }
    return true;
}

bool certificate_spec_describe(const void *memory, struct buffer *parameters, struct error *e) {
    const struct certificate_spec *spec = memory;
    return buffer_append_format(parameters, e,
                                "type=%s duration=%" PRId64 " pathLen=%d keyUsage=%x purposes=%x",
                                certificate_type_names[spec->type], spec->duration, spec->path_length,
                                spec->key_usage, spec->purposes) &&
           append_subject(&spec->subject, parameters, e) && append_names(spec, parameters, e);
}
