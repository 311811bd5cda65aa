#include "reconcile/reconcile_id.h"

#include "base/rand.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

// One count for the process, since ids are to be unique in it.
static atomic_uint_fast64_t next_id;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void choose_start(void) {
    atomic_store(&next_id, rand_bits());
}

void reconcile_id_next(char ret_id[RECONCILE_ID_SIZE]) {
    (void)pthread_once(&once, choose_start);
    snprintf(ret_id, RECONCILE_ID_SIZE, "%016llx", (unsigned long long)atomic_fetch_add(&next_id, 1));
}
