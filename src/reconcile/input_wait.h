// What is said of an input that is waited for; and how what it waits for itself is read from that again.
#pragma once

#include "reconcile/reconcile.h"

#define WAITING_FOR "waiting for "
#define WHICH ", which "

// "waiting for Kind name, which why", of class NOT_FOUND, with the reason WaitingForKind. Always false.
bool input_wait_for(struct reconcile *r, const struct source *source, const char *name, const char *why,
                    struct error *e);
