// qubesec completion: what a shell needs to complete the words of this program.
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

enum { SCRIPT_MAX = 256 * 1024 };

typedef bool write_script(const struct program *program, struct buffer *script, struct error *e);

// ---- what all have in common

// Whether a value is the name of a file or folder, which the shell completes itself.
static bool is_path(const struct flag *flag) {
    static const char *const names[] = {"FILE", "DIR", "DIRECTORY"};
    for (size_t i = 0; flag->value != nullptr && i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(flag->value, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static size_t count_flags(const struct verb *verb) {
    return verb->flags == nullptr ? 0 : verb->flags->count;
}

// What a flag is for, in one sentence without its dot.
static int sentence_length(const char *help) {
    const char *end = strstr(help, ". ");
    size_t length = end == nullptr ? strlen(help) : (size_t)(end - help);
    return (int)(length > 0 && help[length - 1] == '.' ? length - 1 : length);
}

// Appends text within single quotes; each of special gets a backslash before it.
static bool append_quoted(struct buffer *script, const char *text, int length, const char *special,
                          struct error *e) {
    for (int i = 0; i < length; i++) {
        bool is_special = strchr(special, text[i]) != nullptr;
        bool done = text[i] == '\''
                        ? buffer_append_text(script, "'\\''", e)
                        : buffer_append_format(script, e, "%s%c", is_special ? "\\" : "", text[i]);
        if (!done) {
            return false;
        }
    }
    return true;
}

// Appends each with a space before it.
static bool append_words(struct buffer *script, const char *const *words, struct error *e) {
    for (; words != nullptr && *words != nullptr; words++) {
        if (!buffer_append_format(script, e, " %s", *words)) {
            return false;
        }
    }
    return true;
}

// ---- bash

// A case for those flags that a value follows: a path is bash's to complete, of others nothing is known.
static bool append_bash_values(const struct verb *verb, bool of_paths, struct buffer *script,
                               struct error *e) {
    bool any = false;
    for (size_t i = 0; i < count_flags(verb); i++) {
        const struct flag *flag = &verb->flags->list[i];
        if (flag->value != nullptr && is_path(flag) == of_paths) {
            if (!buffer_append_format(script, e, "%s%s", any ? "|" : "            ", flag->name)) {
                return false;
            }
            any = true;
        }
    }
    return !any ||
           buffer_append_text(script, of_paths ? ") compopt -o default; return ;;\n" : ") return ;;\n", e);
}

static bool append_bash_verb(const struct verb *verb, struct buffer *script, struct error *e) {
    if (!buffer_append_format(script, e, "        %s)\n", verb->name)) {
        return false;
    }
    if (verb->flags != nullptr &&
        !(buffer_append_text(script, "            case $before in\n", e) &&
          append_bash_values(verb, true, script, e) && append_bash_values(verb, false, script, e) &&
          buffer_append_text(script, "            esac\n", e))) {
        return false;
    }
    const char *first = verb->flags == nullptr ? "--help" : ""; // else it is one of them
    if (!buffer_append_format(script, e, "            words='%s", first) ||
        !append_words(script, verb->words, e)) {
        return false;
    }
    for (size_t i = 0; i < count_flags(verb); i++) {
        if (!buffer_append_format(script, e, " %s", verb->flags->list[i].name)) {
            return false;
        }
    }
    return buffer_append_text(script, "' ;;\n", e);
}

static bool write_bash(const struct program *program, struct buffer *script, struct error *e) {
    if (!buffer_append_text(
            script,
            "# Completion for bash: source <(qubesec completion bash)\n"
            "_qubesec() {\n"
            "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words=\n"
            "    COMPREPLY=()\n"
            "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
            "        words='",
            e)) {
        return false;
    }
    for (const struct verb *const *verb = program->verbs; *verb != nullptr; verb++) {
        if (!buffer_append_format(script, e, "%s ", (*verb)->name)) {
            return false;
        }
    }
    if (!buffer_append_text(script, "--help'\n    else\n        case ${COMP_WORDS[1]} in\n", e)) {
        return false;
    }
    for (const struct verb *const *verb = program->verbs; *verb != nullptr; verb++) {
        if (!append_bash_verb(*verb, script, e)) {
            return false;
        }
    }
    return buffer_append_text(script,
                              "        esac\n"
                              "    fi\n"
                              "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
                              "}\n"
                              "complete -F _qubesec qubesec kubectl-qubesec\n",
                              e);
}

// ---- zsh

static bool append_zsh_flag(const struct flag *flag, struct buffer *script, struct error *e) {
    bool is_long = strncmp(flag->name, "--", 2) == 0;
    bool has_value = flag->value != nullptr;
    return buffer_append_format(script, e, " \\\n            '*%s%s[", flag->name,
                                has_value && is_long ? "=" : "") &&
           append_quoted(script, flag->help, sentence_length(flag->help), "[]:\\", e) &&
           buffer_append_text(script, "]", e) &&
           (!has_value ||
            buffer_append_format(script, e, ":%s:%s", flag->value, is_path(flag) ? "_files" : " ")) &&
           buffer_append_text(script, "'", e);
}

static bool append_zsh_verb(const struct verb *verb, struct buffer *script, struct error *e) {
    if (!buffer_append_format(script, e, "    %s)\n        _arguments", verb->name) ||
        (verb->words != nullptr &&
         !(buffer_append_text(script, " \\\n            '1:word:(", e) &&
           append_words(script, verb->words, e) && buffer_append_text(script, ")'", e)))) {
        return false;
    }
    for (size_t i = 0; i < count_flags(verb); i++) {
        if (!append_zsh_flag(&verb->flags->list[i], script, e)) {
            return false;
        }
    }
    return buffer_append_text(script, " ;;\n", e);
}

static bool write_zsh(const struct program *program, struct buffer *script, struct error *e) {
    if (!buffer_append_text(
            script,
            "#compdef qubesec kubectl-qubesec\n"
            "# Completion for zsh: source <(qubesec completion zsh), or in a file _qubesec of $fpath\n"
            "_qubesec() {\n"
            "    local -a verbs=(",
            e)) {
        return false;
    }
    for (const struct verb *const *verb = program->verbs; *verb != nullptr; verb++) {
        if (!buffer_append_format(script, e, "\n        '%s:", (*verb)->name) ||
            !append_quoted(script, (*verb)->help, (int)strlen((*verb)->help), ":\\", e) ||
            !buffer_append_text(script, "'", e)) {
            return false;
        }
    }
    if (!buffer_append_text(script,
                            "\n    )\n"
                            "    if (( CURRENT == 2 )); then\n"
                            "        _describe verb verbs\n"
                            "        return\n"
                            "    fi\n"
                            "    shift words\n"
                            "    (( CURRENT-- ))\n"
                            "    case $words[1] in\n",
                            e)) {
        return false;
    }
    for (const struct verb *const *verb = program->verbs; *verb != nullptr; verb++) {
        if (!append_zsh_verb(*verb, script, e)) {
            return false;
        }
    }
    return buffer_append_text(script,
                              "    esac\n"
                              "}\n"
                              "if [ \"$funcstack[1]\" = _qubesec ]; then\n"
                              "    _qubesec \"$@\"\n"
                              "else\n"
                              "    compdef _qubesec qubesec kubectl-qubesec\n"
                              "fi\n",
                              e);
}

// ---- fish

static bool append_fish_line(const char *verb, const char *rest, const char *word, const char *help,
                             int length, struct buffer *script, struct error *e) {
    bool is_verb = verb == nullptr;
    return buffer_append_format(script, e, "complete -c qubesec -n '%s%s' %s%s -d '",
                                is_verb ? "__fish_use_subcommand" : "__fish_seen_subcommand_from ",
                                is_verb ? "" : verb, rest, word) &&
           append_quoted(script, help, length, "\\", e) && buffer_append_text(script, "'\n", e);
}

static bool append_fish_flag(const struct verb *verb, const struct flag *flag, struct buffer *script,
                             struct error *e) {
    bool is_long = strncmp(flag->name, "--", 2) == 0;
    const char *value = flag->value == nullptr ? "" : is_path(flag) ? "-r -F " : "-x ";
    char kind[16];
    snprintf(kind, sizeof(kind), "%s%s", value, is_long ? "-l " : "-s ");
    return append_fish_line(verb->name, kind, flag->name + (is_long ? 2 : 1), flag->help,
                            sentence_length(flag->help), script, e);
}

static bool append_fish_verb(const struct verb *verb, struct buffer *script, struct error *e) {
    if (!append_fish_line(nullptr, "-a ", verb->name, verb->help, (int)strlen(verb->help), script, e)) {
        return false;
    }
    for (const char *const *word = verb->words; word != nullptr && *word != nullptr; word++) {
        if (!append_fish_line(verb->name, "-a ", *word, "", 0, script, e)) {
            return false;
        }
    }
    for (size_t i = 0; i < count_flags(verb); i++) {
        if (!append_fish_flag(verb, &verb->flags->list[i], script, e)) {
            return false;
        }
    }
    return true;
}

static bool write_fish(const struct program *program, struct buffer *script, struct error *e) {
    if (!buffer_append_text(script,
                            "# Completion for fish: qubesec completion fish | source\n"
                            "complete -c qubesec -f\n",
                            e)) {
        return false;
    }
    for (const struct verb *const *verb = program->verbs; *verb != nullptr; verb++) {
        if (!append_fish_verb(*verb, script, e)) {
            return false;
        }
    }
    return true;
}

// ---- the verb

static const char *const shells[] = {"bash", "zsh", "fish", nullptr};
static write_script *const writers[] = {write_bash, write_zsh, write_fish};

static write_script *find_writer(char *const *words, struct error *e) {
    bool is_one = words[0] != nullptr && words[1] == nullptr;
    for (size_t i = 0; is_one && shells[i] != nullptr; i++) {
        if (strcmp(shells[i], words[0]) == 0) {
            return writers[i];
        }
    }
    (void)error_set(e, ERROR_INVALID_SPEC, "%.64s: name one shell: bash, zsh or fish",
                    words[0] == nullptr ? "" : words[0]);
    return nullptr;
}

static int run(const struct program *program, char *const *words) {
    cleanup_buffer struct buffer script = buffer_create(SCRIPT_MAX);
    struct error e;
    write_script *write = find_writer(words, &e);
    if (write == nullptr) {
        return verb_fail(program, &verb_completion, &e, 2);
    }
    if (!write(program, &script, &e)) {
        return verb_fail(program, &verb_completion, &e, 1);
    }
    fputs(buffer_text(&script), stdout);
    return 0;
}

const struct verb verb_completion = {
    .name = "completion",
    .run = run,
    .help = "write what bash, zsh or fish needs to complete words",
    .usage = "bash|zsh|fish",
    .description = "Writes a script to standard output that completes verbs and flags:\n"
                   "  bash: source <(qubesec completion bash)\n"
                   "  zsh:  source <(qubesec completion zsh)\n"
                   "  fish: qubesec completion fish | source\n",
    .words = shells,
};
