// Virtual time, and what happens when: one thing after the other, in the order of their times. Nothing waits:
// time jumps to the next thing. The clocks of src/base/clock.h show it, each process with an error of its
// own, and condition variables wait in it.
#pragma once

#include "fiber.h"

#include <stdint.h>

// A process of the simulated machines: what belongs to it does not happen while it is paused, and has an end.
struct process {
    bool dead;
    int64_t paused_until_ms;
    int64_t cut_off_until_ms; // from everybody else
    int64_t wall_error_s;
};

typedef void schedule_action(void *context);

// Begins at a time that is no particular one, with nothing to do.
void schedule_begin(void);
void schedule_end(void); // forgets all that was to happen

int64_t schedule_now_ms(void);
int64_t schedule_wall_s(void); // seconds since 1970, without error

// process NULL: of none; else the action is left out once it is dead.
void schedule_after(int64_t delay_ms, struct process *process, schedule_action *action, void *context);

// Lets the next thing happen. False: there is none, or none before until_ms, to which time has gone on.
bool schedule_step(int64_t until_ms);

// How many things have happened since schedule_begin.
uint64_t schedule_count(void);

// The process whose code runs now; NULL: none. Its clocks are the ones that are shown.
struct process *schedule_process(void);

// From within a fiber: pauses it until what is signalled, until_ms (INT64_MAX: never), or the end of its
// process, at which it returns at once. Whether it was signalled.
bool schedule_wait(const void *what, int64_t until_ms);
void schedule_signal(const void *what, bool all);

// From within a fiber: pauses it for so long, or until the end of its process.
void schedule_sleep(int64_t delay_ms);

// Begins a fiber of process, or resumes it in case that what it waits for has come. Also when the process is
// dead: so its fibers end.
void schedule_wake(struct process *process, struct fiber *fiber, int64_t delay_ms);
