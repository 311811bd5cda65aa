#include "kinds/kind.h"

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
