// What `qubesec check` found: one line for each thing that was looked at, in groups, and what to do about it.
#pragma once

#include "base/buffer.h"

enum check_level {
    CHECK_OK,
    CHECK_WARN, // may be as it is meant to be, or could not be seen
    CHECK_FAIL, // does not work
};

enum { CHECK_LEVEL_COUNT = CHECK_FAIL + 1 };

struct check_report;

// An empty report; *ret_report is owned. Errors: NO_MEMORY.
[[nodiscard]] bool check_report_create(struct check_report **ret_report, struct error *e);

// Takes report; NULL is allowed.
void check_report_free(struct check_report *report);

// Says of which check, and in which group, the findings are that follow; both are static.
void check_report_begin(struct check_report *report, const char *check, const char *group);

// Adds a finding about subject, which is a word or two. Memory that is out shows when the report is written;
// the same holds for the next three. Characters that would do something to a
// terminal are shown as spaces: much of what is shown others have written.
[[gnu::format(printf, 4, 5)]] void check_note(struct check_report *report, enum check_level level,
                                              const char *subject, const char *format, ...);

// Says what to do about the last finding: a sentence. Every finding that is not OK has one.
[[gnu::format(printf, 2, 3)]] void check_advise(struct check_report *report, const char *format, ...);

// Notes that subject could not be looked at because of e: a warning where the caller has no right to see it,
// else a failure.
void check_note_unseen(struct check_report *report, const char *subject, const struct error *e);

// Adds the single things that the last finding is about, a line each. Only the JSON form shows them.
void check_details(struct check_report *report, const char *lines);

size_t check_report_count(const struct check_report *report, enum check_level level);

// Append the report: for people, in aligned lines; and as one JSON document
// {"version", "findings": [{"group", "check", "subject", "level", "message", "remedy", "details"}],
// "summary": {"ok", "warn", "fail"}}, where remedy and details may be absent. Errors: NO_MEMORY, INTERNAL
// (the buffer's cap).
[[nodiscard]] bool check_report_write_text(const struct check_report *report, struct buffer *text,
                                           struct error *e);
[[nodiscard]] bool check_report_write_json(const struct check_report *report, struct buffer *text,
                                           struct error *e);
