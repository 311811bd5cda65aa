#include "check/report.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "json/read.h"
#include "json/write.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_SIZE = 2048 };

// The report is the document of its JSON form; the text is a view of it.
struct check_report {
    yyjson_mut_doc *document;
    yyjson_mut_val *findings;
    yyjson_mut_val *last;
    const char *check;
    const char *group;
    size_t counts[CHECK_LEVEL_COUNT];
};

static const char *const level_names[CHECK_LEVEL_COUNT] = {"ok", "warn", "fail"};
static const char *const level_labels[CHECK_LEVEL_COUNT] = {"OK", "WARN", "FAIL"};

bool check_report_create(struct check_report **ret_report, struct error *e) {
    struct check_report *report = memory_allocate_zeroed(1, sizeof(*report));
    if (report == nullptr || !json_create(&report->document, e)) {
        memory_free(report);
        return error_no_memory(e, "a report");
    }
    yyjson_mut_val *root = yyjson_mut_doc_get_root(report->document);
    yyjson_mut_obj_add_str(report->document, root, "version", QUBESEC_VERSION);
    report->findings = yyjson_mut_obj_add_arr(report->document, root, "findings");
    *ret_report = report;
    return true;
}

void check_report_free(struct check_report *report) {
    if (report != nullptr) {
        json_mut_free(report->document);
        memory_free(report);
    }
}

void check_report_begin(struct check_report *report, const char *check, const char *group) {
    report->check = check;
    report->group = group;
}

// Takes out control characters: those of ASCII, and U+0080 to U+009F.
static void blank_controls(char *text) {
    for (unsigned char *c = (unsigned char *)text; *c != '\0'; c++) {
        if (c[0] == 0xc2 && c[1] < 0xa0) {
            *c++ = ' ';
            *c = ' ';
        } else if (*c < ' ' || *c == 0x7f) {
            *c = ' ';
        }
    }
}

[[gnu::format(printf, 2, 0)]] static void format_text(char ret_text[TEXT_SIZE], const char *format,
                                                      va_list arguments) {
    vsnprintf(ret_text, TEXT_SIZE, format, arguments);
    utf8_make_valid(ret_text);
    blank_controls(ret_text);
}

void check_note(struct check_report *report, enum check_level level, const char *subject, const char *format,
                ...) {
    char text[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    format_text(text, format, arguments);
    va_end(arguments);
    yyjson_mut_doc *document = report->document;
    yyjson_mut_val *finding = yyjson_mut_arr_add_obj(document, report->findings);
    yyjson_mut_obj_add_str(document, finding, "group", report->group);
    yyjson_mut_obj_add_str(document, finding, "check", report->check);
    yyjson_mut_obj_add_strcpy(document, finding, "subject", subject);
    yyjson_mut_obj_add_str(document, finding, "level", level_names[level]);
    yyjson_mut_obj_add_strcpy(document, finding, "message", text);
    report->last = finding;
    report->counts[level]++;
}

void check_advise(struct check_report *report, const char *format, ...) {
    char text[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    format_text(text, format, arguments);
    va_end(arguments);
    yyjson_mut_obj_add_strcpy(report->document, report->last, "remedy", text);
}

void check_note_unseen(struct check_report *report, const char *subject, const struct error *e) {
    if (e->class == ERROR_FORBIDDEN) {
        check_note(report, CHECK_WARN, subject, "could not be seen: %s", e->message);
        check_advise(report, "Run this check as a user who may read it, a cluster administrator say.");
    } else {
        check_note(report, CHECK_FAIL, subject, "could not be read: %s", e->message);
        check_advise(report, "Try again; if it stays so, look at the API server's log.");
    }
}

void check_details(struct check_report *report, const char *lines) {
    yyjson_mut_val *details = yyjson_mut_obj_add_arr(report->document, report->last, "details");
    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n");
        yyjson_mut_arr_add_strncpy(report->document, details, lines, length);
        lines += length + (lines[length] == '\n' ? 1 : 0);
    }
}

size_t check_report_count(const struct check_report *report, enum check_level level) {
    return report->counts[level];
}

// ---- as text

static const char *label_of(yyjson_val *finding) {
    for (size_t level = 0; level < CHECK_LEVEL_COUNT; level++) {
        if (strcmp(json_member_text(finding, "level"), level_names[level]) == 0) {
            return level_labels[level];
        }
    }
    return "";
}

// How wide the subjects of a group are.
static int subject_width(yyjson_val *findings, const char *group) {
    size_t width = 0;
    size_t index;
    size_t count;
    yyjson_val *finding;
    yyjson_arr_foreach(findings, index, count, finding) {
        size_t length = strlen(json_member_text(finding, "subject"));
        if (strcmp(json_member_text(finding, "group"), group) == 0 && length > width) {
            width = length;
        }
    }
    return (int)width;
}

static bool write_finding(yyjson_val *finding, int width, struct buffer *text, struct error *e) {
    const char *remedy = json_member_text(finding, "remedy");
    return buffer_append_format(text, e, "  %-4s  %-*s  %s\n", label_of(finding), width,
                                json_member_text(finding, "subject"), json_member_text(finding, "message")) &&
           (remedy == nullptr || buffer_append_format(text, e, "        %-*s  -> %s\n", width, "", remedy));
}

bool check_report_write_text(const struct check_report *report, struct buffer *text, struct error *e) {
    cleanup_json yyjson_doc *document = nullptr;
    if (!json_freeze(report->document, &document, e)) {
        return false;
    }
    yyjson_val *findings = yyjson_obj_get(yyjson_doc_get_root(document), "findings");
    const char *group = "";
    int width = 0;
    size_t index;
    size_t count;
    yyjson_val *finding;
    yyjson_arr_foreach(findings, index, count, finding) {
        const char *next = json_member_text(finding, "group");
        if (strcmp(next, group) != 0) {
            width = subject_width(findings, next);
            if (!buffer_append_format(text, e, "%s%s\n", index > 0 ? "\n" : "", next)) {
                return false;
            }
            group = next;
        }
        if (!write_finding(finding, width, text, e)) {
            return false;
        }
    }
    return buffer_append_format(text, e, "\n%zu OK, %zu warnings, %zu failed\n", report->counts[CHECK_OK],
                                report->counts[CHECK_WARN], report->counts[CHECK_FAIL]);
}

// ---- as JSON

bool check_report_write_json(const struct check_report *report, struct buffer *text, struct error *e) {
    yyjson_mut_doc *document = report->document;
    yyjson_mut_val *summary = yyjson_mut_obj(document);
    for (size_t level = 0; level < CHECK_LEVEL_COUNT; level++) {
        yyjson_mut_obj_add_uint(document, summary, level_names[level], report->counts[level]);
    }
    yyjson_mut_obj_put(yyjson_mut_doc_get_root(document), yyjson_mut_str(document, "summary"), summary);
    return json_write(document, text, e) && buffer_append_text(text, "\n", e);
}
