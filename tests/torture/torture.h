// What unit tests tell the torture (torture.c) while it lets one allocation fail. At all other times nothing.
#pragma once

#include "base/error.h"

// Before a test fails because a call did not succeed: which class it gave as the reason. Any but NO_MEMORY
// and RETRYABLE is a fault, since the same call succeeds where memory is not out.
void torture_note_failure(const char *call, const struct error *e);

// Before a test fails because a call did not fail as it must: it succeeded (e is NULL), which is a fault, or
// gave another class than the one expected, which is one as well unless it is one of these two.
void torture_note_wrong(const char *call, const struct error *e);

// Memory has run out because the test wants it so: what it finds wrong from here on may be its own doing.
void torture_note_own_lack(void);
