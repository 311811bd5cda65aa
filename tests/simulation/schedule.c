#include "schedule.h"

#include "base/condvar.h"
#include "chance.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

enum { START_MS = 5000 * 1000, START_WALL_S = 1793500000 }; // in November 2026

struct entry {
    int64_t at_ms;
    uint64_t number; // of two at the same time the earlier one is first
    struct process *process;
    schedule_action *action; // NULL: resumes fiber
    void *context;
    struct fiber *fiber;
};

// A fiber that waits.
struct waiter {
    const void *what;
    struct process *process;
    struct fiber *fiber;
    bool signalled;
    struct waiter *next;
};

static struct entry *heap; // from index 0
static size_t heap_count;
static size_t heap_room;
static int64_t now_ms;
static uint64_t number;
static uint64_t count;
static struct process *running;
static struct waiter *waiters;

void schedule_begin(void) {
    now_ms = START_MS;
    heap_count = 0;
    number = 0;
    count = 0;
    running = nullptr;
    waiters = nullptr;
}

void schedule_end(void) {
    heap_count = 0;
}

int64_t schedule_now_ms(void) {
    return now_ms;
}

int64_t schedule_wall_s(void) {
    return START_WALL_S + now_ms / 1000;
}

uint64_t schedule_count(void) {
    return count;
}

struct process *schedule_process(void) {
    return running;
}

static bool is_before(const struct entry *a, const struct entry *b) {
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->number < b->number;
}

static void add(struct entry entry) {
    if (heap_count == heap_room) {
        heap_room = heap_room == 0 ? 256 : heap_room * 2;
        heap = realloc(heap, heap_room * sizeof(*heap));
        if (heap == nullptr) {
            abort();
        }
    }
    entry.number = number++;
    size_t place = heap_count++;
    while (place > 0 && is_before(&entry, &heap[(place - 1) / 2])) {
        heap[place] = heap[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    heap[place] = entry;
}

static struct entry take(void) {
    struct entry first = heap[0];
    struct entry last = heap[--heap_count];
    size_t place = 0;
    for (size_t child; (child = 2 * place + 1) < heap_count; place = child) {
        if (child + 1 < heap_count && is_before(&heap[child + 1], &heap[child])) {
            child++;
        }
        if (!is_before(&heap[child], &last)) {
            break;
        }
        heap[place] = heap[child];
    }
    heap[place] = last;
    return first;
}

void schedule_after(int64_t delay_ms, struct process *process, schedule_action *action, void *context) {
    add((struct entry){.at_ms = now_ms + delay_ms, .process = process, .action = action, .context = context});
}

void schedule_wake(struct process *process, struct fiber *fiber, int64_t delay_ms) {
    add((struct entry){.at_ms = now_ms + delay_ms, .process = process, .fiber = fiber});
}

static void happen(const struct entry *entry) {
    struct process *process = entry->process;
    count++;
    running = process;
    if (entry->action == nullptr) {
        if (!fiber_has_ended(entry->fiber)) {
            fiber_resume(entry->fiber);
        }
    } else if (process == nullptr || !process->dead) {
        entry->action(entry->context);
    }
    running = nullptr;
}

bool schedule_step(int64_t until_ms) {
    if (heap_count == 0 || heap[0].at_ms > until_ms) {
        now_ms = until_ms > now_ms ? until_ms : now_ms;
        return false;
    }
    struct entry entry = take();
    now_ms = entry.at_ms > now_ms ? entry.at_ms : now_ms;
    if (entry.process != nullptr && !entry.process->dead && entry.process->paused_until_ms > now_ms) {
        entry.at_ms = entry.process->paused_until_ms + chance_below(3); // all at once, in another order
        add(entry);
        return true;
    }
    happen(&entry);
    return true;
}

// ---- waiting
//
// A fiber may be woken more than once, and for nothing: whoever waits looks again, as with threads. So that
// it is not resumed in another wait than the one it was woken for, each wait is a waiter of its own.

static void remove_waiter(struct waiter *waiter) {
    struct waiter **place = &waiters;
    while (*place != waiter) {
        place = &(*place)->next;
    }
    *place = waiter->next;
}

bool schedule_wait(const void *what, int64_t until_ms) {
    struct process *process = running;
    struct waiter waiter = {what, process, fiber_current(), false, waiters};
    if (waiter.fiber == nullptr) {
        fprintf(stderr, "something waits that is no fiber\n");
        abort();
    }
    waiters = &waiter;
    if (until_ms != INT64_MAX) {
        schedule_wake(process, waiter.fiber, until_ms > now_ms ? until_ms - now_ms : 0);
    }
    while (!waiter.signalled && now_ms < until_ms && !(process != nullptr && process->dead)) {
        fiber_pause();
    }
    remove_waiter(&waiter);
    return waiter.signalled;
}

void schedule_signal(const void *what, bool all) {
    for (struct waiter *waiter = waiters; waiter != nullptr; waiter = waiter->next) {
        if (waiter->what == what && !waiter->signalled) {
            waiter->signalled = true;
            schedule_wake(waiter->process, waiter->fiber, chance_below(2));
            if (!all) {
                return;
            }
        }
    }
}

void schedule_sleep(int64_t delay_ms) {
    static const int never;
    (void)schedule_wait(&never, delay_ms == INT64_MAX ? INT64_MAX : now_ms + delay_ms);
}

// ---- in the place of the real ones, for all that is linked into the simulation (see CMakeLists.txt)

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock);
bool __wrap_condvar_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until_ms);
int __wrap_pthread_cond_signal(pthread_cond_t *condition);
int __wrap_pthread_cond_broadcast(pthread_cond_t *condition);
uint64_t __wrap_rand_bits(void);
ssize_t __real_getrandom(void *bytes, size_t length, unsigned flags);
ssize_t __wrap_getrandom(void *bytes, size_t length, unsigned flags);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time) {
    int64_t ms = now_ms;
    if (clock == CLOCK_REALTIME) {
        ms += (START_WALL_S + (running == nullptr ? 0 : running->wall_error_s)) * 1000;
    }
    *ret_time = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    return 0;
}

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock) {
    pthread_mutex_unlock(lock);
    (void)schedule_wait(condition, INT64_MAX);
    pthread_mutex_lock(lock);
    return 0;
}

bool __wrap_condvar_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until_ms) {
    pthread_mutex_unlock(lock);
    bool signalled = schedule_wait(condition, until_ms);
    pthread_mutex_lock(lock);
    return signalled;
}

int __wrap_pthread_cond_signal(pthread_cond_t *condition) {
    schedule_signal(condition, false);
    return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *condition) {
    schedule_signal(condition, true);
    return 0;
}

// What depends on it does not decide what happens: identifiers.
uint64_t __wrap_rand_bits(void) {
    return chance_constant();
}

// Of 64 bits it is the order in which a map is gone through, which does decide. Keys are never the same
// twice; what happens does not depend on them.
ssize_t __wrap_getrandom(void *bytes, size_t length, unsigned flags) {
    uint64_t constant = chance_constant();
    if (length != sizeof(constant)) {
        return __real_getrandom(bytes, length, flags);
    }
    memcpy(bytes, &constant, sizeof(constant));
    return sizeof(constant);
}
