// The program: qubesec VERB [ARGUMENT...].
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

static const struct verb *const verbs[] = {
    &verb_operator,   &verb_check,  &verb_render,  &verb_renew, &verb_rotate,
    &verb_completion, &verb_manual, &verb_version, nullptr,
};

// Called kubectl-qubesec it is a plug-in of kubectl, which people call with a space.
static const char *name_of(const char *path) {
    const char *slash = path == nullptr ? nullptr : strrchr(path, '/');
    const char *base = slash == nullptr ? path : slash + 1;
    return base != nullptr && strcmp(base, "kubectl-qubesec") == 0 ? "kubectl qubesec" : "qubesec";
}

static int show_help(const struct program *program, FILE *stream, int status) {
    fprintf(stream, "Usage: %s VERB [ARGUMENT...]\n\n", program->name);
    for (const struct verb *const *verb = program->verbs; *verb != nullptr; verb++) {
        fprintf(stream, "  %-10s %s\n", (*verb)->name, (*verb)->help);
    }
    fprintf(stream, "\n%s VERB --help says more.\n", program->name);
    return status;
}

static bool is_help(const char *word) {
    return word != nullptr && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0);
}

static int run(const struct program *program, const struct verb *verb, char *const *arguments) {
    return is_help(arguments[0]) ? verb_show_help(program, verb) : verb->run(program, arguments);
}

int main(int, char **arguments) {
    const struct program program = {.name = name_of(arguments[0]), .verbs = verbs};
    const char *name = arguments[0] == nullptr ? nullptr : arguments[1];
    if (name == nullptr) {
        return show_help(&program, stderr, 2);
    }
    if (is_help(name) || strcmp(name, "help") == 0) {
        return show_help(&program, stdout, 0);
    }
    if (strcmp(name, "--version") == 0) {
        name = "version";
    }
    for (const struct verb *const *verb = verbs; *verb != nullptr; verb++) {
        if (strcmp((*verb)->name, name) == 0) {
            return run(&program, *verb, arguments + 2);
        }
    }
    fprintf(stderr, "%s: %s: no such verb\n", program.name, name);
    return show_help(&program, stderr, 2);
}
