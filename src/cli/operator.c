// qubesec operator: the controller.
#include "base/failpoint.h"
#include "cli/verbs.h"
#include "kinds/table.h"
#include "operator/manager.h"

#include <stdio.h>

enum { HELP_MAX = 16 * 1024 };

static int show_help(void) {
    cleanup_buffer struct buffer text = buffer_create(HELP_MAX);
    struct error e;
    if (!settings_describe(&text, &e)) {
        fprintf(stderr, "qubesec operator: %s\n", e.message);
        return 1;
    }
    fputs(buffer_text(&text), stdout);
    return 0;
}

int verb_operator(char *const *arguments) {
    struct settings settings;
    struct error e;
    if (!settings_read(arguments, &settings, &e) || !failpoints_arm(&e)) {
        fprintf(stderr, "qubesec operator: %s\n", e.message);
        return 2;
    }
    if (settings.help) {
        return show_help();
    }
    if (!manager_run(&settings, kind_table, &e)) {
        LOG(LOG_ERROR, "could not start", {"detail", e.message});
        return 1;
    }
    return 0;
}
