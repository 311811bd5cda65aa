// The program: qubesec VERB [ARGUMENT...].
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

static const struct verb {
    const char *name;
    int (*run)(char *const *arguments);
    const char *help;
} verbs[] = {
    {"operator", verb_operator, "serve the resources of qubesec.io in a cluster"},
    {"check", verb_check, "tell what is missing in an installation, and what to do about it"},
    {"render", verb_render, "make what the operator would make, without a cluster"},
    {"renew", verb_renew, "ask for a certificate to be issued anew, before it is due"},
    {"version", verb_version, "show the versions of this program and of OpenSSL"},
};
enum { VERB_COUNT = sizeof(verbs) / sizeof(verbs[0]) };

static int show_help(FILE *stream, int status) {
    fprintf(stream, "Usage: qubesec VERB [ARGUMENT...]\n\n");
    for (size_t i = 0; i < VERB_COUNT; i++) {
        fprintf(stream, "  %-10s %s\n", verbs[i].name, verbs[i].help);
    }
    fprintf(stream, "\nqubesec VERB --help says more.\n");
    return status;
}

int main(int, char **arguments) {
    const char *name = arguments[0] == nullptr ? nullptr : arguments[1];
    if (name == nullptr) {
        return show_help(stderr, 2);
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        return show_help(stdout, 0);
    }
    if (strcmp(name, "--version") == 0) {
        name = "version";
    }
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return verbs[i].run(arguments + 2);
        }
    }
    fprintf(stderr, "qubesec: %s: no such verb\n", name);
    return show_help(stderr, 2);
}
