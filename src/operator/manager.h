// The operator as a process: starts everything in order, answers health checks, and stops in order.
#pragma once

#include "engine/kind.h"
#include "operator/settings.h"

// Serves kinds (NULL-terminated) until SIGTERM or SIGINT, then finishes what runs, gives the Lease back, goes
// on answering admission while callers come, and returns; shortly before the grace period is over it ends the
// process with status 0 instead. To be called once, from main, before any other thread
// runs. Errors: what kept it from starting.
[[nodiscard]] bool manager_run(const struct settings *settings, const struct kind *const *kinds,
                               struct error *e);
