#include "fiber.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
enum { STACK_SIZE = 2 * 1024 * 1024 };
#else
enum { STACK_SIZE = 512 * 1024 };
#endif

struct fiber {
    void (*run)(void *context);
    void *context;
    ucontext_t at;
    void *stack;
    bool ended;
    struct fiber *next_unused;
};

static struct fiber *current;
static struct fiber *unused; // their stacks are used again
static ucontext_t scheduler;

// The address sanitizer is told which stack is in use.
struct switching {
    void *fake_stack;
};

static void leave(struct switching *switching, const void *stack, size_t size, bool for_ever) {
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(for_ever ? nullptr : &switching->fake_stack, stack, size);
#else
    (void)switching, (void)stack, (void)size, (void)for_ever;
#endif
}

static const void *scheduler_stack;
static size_t scheduler_size;

static void arrive(const struct switching *switching) {
#ifdef __SANITIZE_ADDRESS__
    const void *stack;
    size_t size;
    __sanitizer_finish_switch_fiber(switching->fake_stack, &stack, &size);
    if (current != nullptr) {
        scheduler_stack = stack;
        scheduler_size = size;
    }
#else
    (void)switching;
#endif
}

static void begin(void) {
    struct fiber *fiber = current;
    struct switching switching = {0};
    arrive(&switching);
    fiber->run(fiber->context);
    fiber->ended = true;
    leave(&switching, scheduler_stack, scheduler_size, true);
    current = nullptr;
    setcontext(&scheduler);
}

struct fiber *fiber_create(void (*run)(void *context), void *context) {
    struct fiber *fiber = unused;
    if (fiber != nullptr) {
        unused = fiber->next_unused;
    } else {
        fiber = calloc(1, sizeof(*fiber));
        void *stack = mmap(nullptr, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (fiber == nullptr || stack == MAP_FAILED) {
            perror("a fiber");
            abort();
        }
        fiber->stack = stack;
    }
    fiber->run = run;
    fiber->context = context;
    fiber->ended = false;
    getcontext(&fiber->at);
    fiber->at.uc_stack = (stack_t){.ss_sp = fiber->stack, .ss_size = STACK_SIZE};
    makecontext(&fiber->at, begin, 0);
    return fiber;
}

void fiber_free(struct fiber *fiber) {
    if (fiber != nullptr) {
        fiber->next_unused = unused;
        unused = fiber;
    }
}

void fiber_resume(struct fiber *fiber) {
    struct switching switching = {0};
    current = fiber;
    leave(&switching, fiber->stack, STACK_SIZE, false);
    swapcontext(&scheduler, &fiber->at);
    current = nullptr;
    arrive(&switching);
}

void fiber_pause(void) {
    struct fiber *fiber = current;
    struct switching switching = {0};
    leave(&switching, scheduler_stack, scheduler_size, false);
    swapcontext(&fiber->at, &scheduler);
    arrive(&switching);
}

struct fiber *fiber_current(void) {
    return current;
}

bool fiber_has_ended(const struct fiber *fiber) {
    return fiber->ended;
}
