// qubesec render: makes what the operator would make, without a cluster.
#include "render/render.h"
#include "base/flags.h"
#include "base/log.h"
#include "base/secret.h"
#include "cli/verbs.h"
#include "crypto/openssl.h"
#include "kinds/table.h"
#include "render/manifests.h"

#include <stdio.h>
#include <string.h>

enum { FILES_MAX = 256, TEXT_MAX = 256 * 1024 * 1024 };

struct arguments {
    const char *files[FILES_MAX + 1]; // NULL-terminated
    size_t file_count;
    const char *namespace;
    const char *state;
    bool writes_entries;
    bool help;
};

static bool set_file(void *target, const char *name, const char *text, struct error *e) {
    struct arguments *arguments = target;
    if (arguments->file_count == FILES_MAX) {
        return error_set(e, ERROR_INVALID_SPEC, "%s: more than %d files are given", name, FILES_MAX);
    }
    arguments->files[arguments->file_count++] = text;
    return true;
}

static bool set_output(void *target, const char *name, const char *text, struct error *e) {
    struct arguments *arguments = target;
    arguments->writes_entries = strcmp(text, "dir") == 0;
    return arguments->writes_entries || strcmp(text, "yaml") == 0 ||
           error_set(e, ERROR_INVALID_SPEC, "%s: %.64s is neither yaml nor dir", name, text);
}

static bool set_namespace(void *target, const char *name, const char *text, struct error *e) {
    ((struct arguments *)target)->namespace = text;
    return manifests_is_namespace(text) ||
           error_set(e, ERROR_INVALID_SPEC, "%s: \"%.64s\" is not the name of a namespace", name, text);
}

static bool set_state(void *target, const char *name, const char *text, struct error *e) {
    ((struct arguments *)target)->state = text;
    return text[0] != '\0' || error_set(e, ERROR_INVALID_SPEC, "%s: is empty; name a folder", name);
}

static const struct flag flag_list[] = {
    {.name = "--filename",
     .value = "FILE",
     .type = FLAG_OWN,
     .set = set_file,
     .help = "A file of manifests, - for standard input; may be given many times. Short: -f."},
    {.name = "-f", .value = "FILE", .type = FLAG_OWN, .set = set_file, .help = "The same."},
    {.name = "--state",
     .value = "DIR",
     .type = FLAG_OWN,
     .set = set_state,
     .help =
         "Keeps what is made in this folder, and makes nothing again that is there: keys stay, certificates "
         "are renewed when they are due. Without it everything is made anew each time."},
    {.name = "--output",
     .value = "FORMAT",
     .type = FLAG_OWN,
     .set = set_output,
     .fallback = "yaml",
     .help =
         "yaml: the Secrets and the resources with their statuses, on standard output. dir: each entry of "
         "each Secret as a file NAMESPACE/SECRET/ENTRY in the folder of --state."},
    {.name = "--namespace",
     .value = "NAME",
     .type = FLAG_OWN,
     .set = set_namespace,
     .fallback = "default",
     .help = "The namespace of manifests that name none. Short: -n."},
    {.name = "-n", .value = "NAME", .type = FLAG_OWN, .set = set_namespace, .help = "The same."},
    {.name = "--help",
     .type = FLAG_SWITCH,
     .offset = offsetof(struct arguments, help),
     .help = "Show this. Short: -h."},
    {.name = "-h", .type = FLAG_SWITCH, .offset = offsetof(struct arguments, help), .help = "The same."},
};
static const struct flags flags = {flag_list, sizeof(flag_list) / sizeof(flag_list[0])};
static_assert(sizeof(flag_list) / sizeof(flag_list[0]) <= FLAGS_MAX);

static bool read_arguments(char *const *words, struct arguments *arguments, struct error *e) {
    *arguments = (struct arguments){0};
    if (!flags_read(&flags, words, arguments, &arguments->help, e) || arguments->help) {
        return arguments->help;
    }
    if (arguments->file_count == 0) {
        return error_set(e, ERROR_INVALID_SPEC, "--filename: is required; name a file of manifests");
    }
    return !arguments->writes_entries || arguments->state != nullptr ||
           error_set(e, ERROR_INVALID_SPEC, "--output: dir needs --state, the folder that it writes to");
}

static void show_note(void *program, const char *text) {
    fprintf(stderr, "%s render: %s\n", ((const struct program *)program)->name, text);
}

static int render(const struct program *program, const struct arguments *arguments) {
    const struct render_options options = {
        .kinds = kind_table,
        .files = arguments->files,
        .namespace = arguments->namespace,
        .state = arguments->state,
        .writes_entries = arguments->writes_entries,
        .note = show_note,
        .context = (void *)program,
    };
    cleanup_buffer struct buffer manifests = buffer_create(TEXT_MAX);
    struct error e;
    bool ready = false;
    log_set_level(LOG_ERROR); // what matters is noted
    if (!secret_forbid_dumps(&e) || !crypto_start(&e) || !render_run(&options, &manifests, &ready, &e)) {
        return verb_fail(program, &verb_render, &e, e.class == ERROR_INVALID_SPEC ? 2 : 1);
    }
    bool is_shown = !arguments->writes_entries;
    if (is_shown && (fputs(buffer_text(&manifests), stdout) == EOF || fflush(stdout) != 0)) {
        show_note((void *)program, "standard output cannot be written");
        return 1;
    }
    return ready ? 0 : 1;
}

static int run(const struct program *program, char *const *words) {
    struct arguments arguments;
    struct error e;
    if (!read_arguments(words, &arguments, &e)) {
        return verb_fail(program, &verb_render, &e, 2);
    }
    return arguments.help ? verb_show_help(program, &verb_render) : render(program, &arguments);
}

const struct verb verb_render = {
    .name = "render",
    .run = run,
    .help = "make what the operator would make, without a cluster",
    .usage = "-f FILE... [FLAG...]",
    .description =
        "Makes what the operator would make of the same manifests, with no cluster: Secrets, and statuses. "
        "References are\nfollowed among the files, to Secrets and ConfigMaps too, in any order.\n"
        "Exit status: 0, all resources are Ready; 1, one is not, or something could not be written; 2, "
        "wrongly called, or\na file is no manifest.\n",
    .flags = &flags,
};
