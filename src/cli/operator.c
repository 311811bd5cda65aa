// qubesec operator: the controller.
#include "base/failpoint.h"
#include "cli/verbs.h"
#include "kinds/table.h"
#include "operator/manager.h"

static int run(const struct program *program, char *const *arguments) {
    struct settings settings;
    struct error e;
    if (!settings_read(arguments, &settings, &e) || !failpoints_arm(&e)) {
        return verb_fail(program, &verb_operator, &e, 2);
    }
    if (settings.help) {
        return verb_show_help(program, &verb_operator);
    }
    if (!manager_run(&settings, kind_table, &e)) {
        LOG(LOG_ERROR, "could not start", {"detail", e.message});
        return 1;
    }
    return 0;
}

const struct verb verb_operator = {
    .name = "operator",
    .run = run,
    .help = "serve the resources of qubesec.io in a cluster",
    .usage = "[FLAG...]",
    .description = "Serves the resources of the group qubesec.io until it gets SIGTERM or SIGINT.\n"
                   "Each flag can also be set by the environment variable after it; the flag wins.\n",
    .flags = &settings_flags,
};
