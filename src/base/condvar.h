// Condition variables whose time limits are on CLOCK_MONOTONIC, which setting the wall clock does not move.
#pragma once

#include <pthread.h>
#include <stdint.h>

// Prepares *condition; undone by pthread_cond_destroy.
void condvar_create(pthread_cond_t *condition);

// With lock held: waits until *condition is signalled, or clock_monotonic_ms reaches until_ms. May return
// early, as pthread_cond_wait may. False: the time is up.
bool condvar_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until_ms);
