// qubesec manual: the manual page.
#include "cli/verbs.h"

#include <stdio.h>

enum { PAGE_MAX = 256 * 1024 };

// What is read as a command of roff at the start of a line, or as a dash that is no minus, is told apart.
static bool append_text(struct buffer *page, const char *text, struct error *e) {
    bool starts_line = true;
    for (; *text != '\0'; text++) {
        const char *before = starts_line && (*text == '.' || *text == '\'') ? "\\&" : "";
        bool done = *text == '\\'  ? buffer_append_format(page, e, "%s\\e", before)
                    : *text == '-' ? buffer_append_text(page, "\\-", e)
                                   : buffer_append_format(page, e, "%s%c", before, *text);
        if (!done) {
            return false;
        }
        starts_line = *text == '\n';
    }
    return true;
}

static bool append_flag(const struct flag *flag, struct buffer *page, struct error *e) {
    return buffer_append_text(page, ".TP\n.B ", e) && append_text(page, flag->name, e) &&
           (flag->value == nullptr ||
            (buffer_append_text(page, " ", e) && append_text(page, flag->value, e))) &&
           buffer_append_text(page, "\n", e) && append_text(page, flag->help, e) &&
           (flag->fallback == nullptr ||
            (buffer_append_text(page, "\nDefault: ", e) && append_text(page, flag->fallback, e) &&
             buffer_append_text(page, ".", e))) &&
           (flag->variable == nullptr ||
            buffer_append_format(page, e, "\nEnvironment variable: %s.", flag->variable)) &&
           buffer_append_text(page, "\n", e);
}

static bool append_verb(const struct verb *verb, struct buffer *page, struct error *e) {
    if (!buffer_append_format(page, e, ".SS qubesec %s ", verb->name) || !append_text(page, verb->usage, e) ||
        !buffer_append_text(page, "\n.nf\n", e) || !append_text(page, verb->description, e) ||
        !buffer_append_text(page, ".fi\n", e)) {
        return false;
    }
    for (size_t i = 0; verb->flags != nullptr && i < verb->flags->count; i++) {
        if (!append_flag(&verb->flags->list[i], page, e)) {
            return false;
        }
    }
    return true;
}

static bool write_page(const struct program *program, struct buffer *page, struct error *e) {
    if (!buffer_append_text(
            page,
            ".TH QUBESEC 1 \"\" \"qubesec " QUBESEC_VERSION "\" \"QubeSec\"\n"
            ".SH NAME\n"
            "qubesec \\- post\\-quantum keys and certificates for Kubernetes\n"
            ".SH SYNOPSIS\n"
            ".B qubesec\n"
            ".I VERB\n"
            "[ARGUMENT...]\n"
            ".PP\n"
            ".B kubectl qubesec\n"
            ".I VERB\n"
            "[ARGUMENT...]\n"
            ".SH DESCRIPTION\n"
            "The operator and its tools in one program. Called kubectl\\-qubesec and in PATH it is a "
            "plug\\-in of kubectl.\n"
            ".SH VERBS\n",
            e)) {
        return false;
    }
    for (const struct verb *const *verb = program->verbs; *verb != nullptr; verb++) {
        if (!append_verb(*verb, page, e)) {
            return false;
        }
    }
    return buffer_append_text(page,
                              ".SH EXIT STATUS\n"
                              "0: done. 1: failed. 2: wrongly called.\n",
                              e);
}

static int run(const struct program *program, char *const *words) {
    cleanup_buffer struct buffer page = buffer_create(PAGE_MAX);
    struct error e;
    if (words[0] != nullptr) {
        (void)error_set(&e, ERROR_INVALID_SPEC, "%.64s: it takes no argument", words[0]);
        return verb_fail(program, &verb_manual, &e, 2);
    }
    if (!write_page(program, &page, &e)) {
        return verb_fail(program, &verb_manual, &e, 1);
    }
    fputs(buffer_text(&page), stdout);
    return 0;
}

const struct verb verb_manual = {
    .name = "manual",
    .run = run,
    .help = "write the manual page",
    .usage = "",
    .description = "Writes the manual page of all verbs to standard output, as man reads it:\n"
                   "  qubesec manual >~/.local/share/man/man1/qubesec.1\n",
};
