// What is said of a finished object: by its Ready condition what its output is, which follows from the output
// alone and so changes only with it; by the Event besides what was done.
#pragma once

#include "reconcile/reconcile.h"

// Writes what r's output is and where, as *ret_text's message: bounded and valid UTF-8.
void ready_message_describe(const struct reconcile *r, struct error *ret_text);

// What this reconcile did about the output, static: "Made".
const char *ready_message_deed(const struct reconcile *r);
