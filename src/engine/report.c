#include "engine/kind.h"

#include <math.h>

void report_text(struct report *report, const char *field, const char *text) {
    yyjson_mut_val *root = yyjson_mut_doc_get_root(report->status);
    (void)yyjson_mut_obj_add_strcpy(report->status, root, field, text);
}

void report_span(struct report *report, const char *field, const struct secret *text) {
    yyjson_mut_val *root = yyjson_mut_doc_get_root(report->status);
    (void)yyjson_mut_obj_add_strncpy(report->status, root, field, (const char *)secret_view(text),
                                     secret_length(text));
}

void report_integer(struct report *report, const char *field, int64_t number) {
    yyjson_mut_val *root = yyjson_mut_doc_get_root(report->status);
    (void)yyjson_mut_obj_add_sint(report->status, root, field, number);
}

void report_version(struct report *report, const char *field, int64_t version) {
    if (version > 0) {
        report_integer(report, field, version);
    }
}

void report_real(struct report *report, const char *field, double number) {
    // The API server gives a whole number back without a fraction: written so, it compares equal.
    if (number == floor(number) && fabs(number) < 1e15) {
        report_integer(report, field, (int64_t)number);
        return;
    }
    yyjson_mut_val *root = yyjson_mut_doc_get_root(report->status);
    (void)yyjson_mut_obj_add_real(report->status, root, field, number);
}

void report_bool(struct report *report, const char *field, bool value) {
    yyjson_mut_val *root = yyjson_mut_doc_get_root(report->status);
    (void)yyjson_mut_obj_add_bool(report->status, root, field, value);
}

void report_time(struct report *report, const char *field, int64_t seconds) {
    char text[CLOCK_TEXT_SIZE];
    clock_format(seconds, text);
    report_text(report, field, text);
}

bool report_fingerprint(struct report *report, const struct secret *bytes, struct error *e) {
    if (secret_length(bytes) < FINGERPRINTED_BYTES_MIN) {
        return true;
    }
    return fingerprint_compute(secret_view(bytes), secret_length(bytes), report->fingerprint, e);
}

bool report_public(struct report *report, const void *bytes, size_t length, struct error *e) {
    if (!digest_format(bytes, length, report->digest, e)) {
        return false;
    }
    fingerprint_of_digest(report->digest, report->fingerprint);
    return true;
}

bool report_input(struct report *report, const char *field, const struct input *input, struct error *e) {
    char fingerprint[FINGERPRINT_SIZE];
    size_t length = secret_length(input->bytes);
    if (input->is_confidential && length < REPORTED_SECRET_MIN) {
        return true;
    }
    if (!fingerprint_compute(secret_view(input->bytes), length, fingerprint, e)) {
        return false;
    }
    report_text(report, field, fingerprint);
    return true;
}
