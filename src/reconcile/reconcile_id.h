// What a reconcile is called in logs, Events and the status that it writes.
#pragma once

enum { RECONCILE_ID_SIZE = 17 };

// A new id of 16 hex digits. They are counted from a random start, so that those of other replicas and of
// earlier processes are different ones. Any thread.
void reconcile_id_next(char ret_id[RECONCILE_ID_SIZE]);
