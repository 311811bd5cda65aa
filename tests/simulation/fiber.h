// Stacks of their own on one thread: sequential code that waits in the midst of itself. A fiber runs until it
// pauses; who goes on is decided by whoever resumes.
#pragma once

struct fiber;

// A fiber that has not begun. Ends the program when memory is out. Owned.
struct fiber *fiber_create(void (*run)(void *context), void *context);

// Takes fiber, which must have ended; NULL is allowed.
void fiber_free(struct fiber *fiber);

// Begins it, or lets it go on, until it pauses or ends. Not from within a fiber.
void fiber_resume(struct fiber *fiber);

// From within a fiber: returns when it is resumed.
void fiber_pause(void);

struct fiber *fiber_current(void); // NULL: none runs
bool fiber_has_ended(const struct fiber *fiber);
