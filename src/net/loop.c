#include "net/loop.h"

#include "base/memory.h"

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <threads.h>
#include <unistd.h>

// libevent's base is touched by the loop thread only, so that libevent needs no locks. What other threads
// share with it is this: a list of posted calls and a flag, under a mutex, and an eventfd that wakes the
// loop.
struct post {
    void (*function)(void *context);
    void *context;
    uint64_t number;
    struct post *next;
};

struct signal_handler {
    struct event *event;
    void (*function)(void *context);
    void *context;
    struct signal_handler *next;
};

struct loop {
    struct event_base *base;
    struct event *wake;
    int wake_fd;
    struct signal_handler *signals;
    pthread_mutex_t lock; // guards all below
    struct post *first;
    struct post *last;
    uint64_t posted; // how many, ever
    pthread_t thread;
    bool running;
    bool stopping;
};

struct loop_timer {
    struct event *event;
    void (*function)(void *context);
    void *context;
};

static void discard_message(int severity, const char *message) {
    (void)severity;
    (void)message;
}

// What libevent can only be told once for the whole process.
static void prepare_process(void) {
    event_set_mem_functions(memory_allocate, memory_resize, memory_free);
    event_set_log_callback(discard_message);
    (void)signal(SIGPIPE, SIG_IGN);
}

// The oldest post if its number is at most limit, taken off the list; else NULL.
static struct post *take_post(struct loop *loop, uint64_t limit) {
    pthread_mutex_lock(&loop->lock);
    struct post *post = loop->first;
    if (post != nullptr && post->number > limit) {
        post = nullptr;
    }
    if (post != nullptr) {
        loop->first = post->next;
        loop->last = loop->first == nullptr ? nullptr : loop->last;
    }
    pthread_mutex_unlock(&loop->lock);
    return post;
}

// Calls what was posted so far; what these calls post is left for the next turn, so that sockets get theirs.
static void on_wake(evutil_socket_t fd, short what, void *context) {
    (void)what;
    struct loop *loop = context;
    uint64_t count;
    (void)!read(fd, &count, sizeof(count));
    pthread_mutex_lock(&loop->lock);
    uint64_t limit = loop->posted;
    pthread_mutex_unlock(&loop->lock);
    struct post *post;
    while ((post = take_post(loop, limit)) != nullptr) {
        post->function(post->context);
        memory_free(post);
    }
    pthread_mutex_lock(&loop->lock);
    bool stopping = loop->stopping;
    pthread_mutex_unlock(&loop->lock);
    if (stopping) {
        event_base_loopbreak(loop->base);
    }
}

static void wake(struct loop *loop) {
    uint64_t one = 1;
    (void)!write(loop->wake_fd, &one, sizeof(one));
}

static struct event_base *create_base(void) {
    struct event_config *config = event_config_new();
    if (config == nullptr) {
        return nullptr;
    }
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

static void no_work(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    (void)context;
}

// libevent alone knows how large an event is.
static struct event *event_at(char *events, size_t index) {
    void *at = events + index * event_get_struct_event_size();
    return at;
}

// libevent makes room for a timer when it is started, and keeps it. Who starts one could do nothing about a
// lack of memory, and would wait for ever; so the room for all is made here.
static bool make_room_for_timers(struct event_base *base) {
    char *timers = memory_allocate_zeroed(LOOP_TIMERS_MAX, event_get_struct_event_size());
    if (timers == nullptr) {
        return false;
    }
    static const struct timeval later = {.tv_sec = 3600};
    bool good = true;
    size_t count = 0;
    for (; good && count < LOOP_TIMERS_MAX; count++) {
        struct event *timer = event_at(timers, count);
        good = evtimer_assign(timer, base, no_work, nullptr) == 0 && evtimer_add(timer, &later) == 0;
    }
    while (count > 0) {
        (void)evtimer_del(event_at(timers, --count));
    }
    memory_free(timers);
    return good;
}

bool loop_create(struct loop **ret_loop, struct error *e) {
    static once_flag once = ONCE_FLAG_INIT;
    call_once(&once, prepare_process);
    (void)memory_take_failure();
    struct loop *loop = memory_allocate_zeroed(1, sizeof(*loop));
    if (loop == nullptr) {
        return error_no_memory(e, "an event loop");
    }
    pthread_mutex_init(&loop->lock, nullptr);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->base = loop->wake_fd < 0 ? nullptr : create_base();
    if (loop->base != nullptr) {
        loop->wake = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop);
    }
    if (loop->wake == nullptr || event_add(loop->wake, nullptr) != 0 || !make_room_for_timers(loop->base)) {
        loop_free(loop);
        return memory_take_failure() ? error_no_memory(e, "an event loop")
                                     : error_set(e, ERROR_INTERNAL, "the event loop could not be made");
    }
    *ret_loop = loop;
    return true;
}

void loop_free(struct loop *loop) {
    if (loop == nullptr) {
        return;
    }
    struct post *post;
    while ((post = take_post(loop, UINT64_MAX)) != nullptr) {
        memory_free(post);
    }
    while (loop->signals != nullptr) {
        struct signal_handler *handler = loop->signals;
        loop->signals = handler->next;
        int number = event_get_signal(handler->event);
        event_free(handler->event);
        (void)signal(number, SIG_IGN);
        memory_free(handler);
    }
    if (loop->wake != nullptr) {
        event_free(loop->wake);
    }
    if (loop->base != nullptr) {
        event_base_free(loop->base);
    }
    if (loop->wake_fd >= 0) {
        close(loop->wake_fd);
    }
    pthread_mutex_destroy(&loop->lock);
    memory_free(loop);
}

void loop_run(struct loop *loop) {
    pthread_mutex_lock(&loop->lock);
    loop->thread = pthread_self();
    loop->running = true;
    pthread_mutex_unlock(&loop->lock);
    (void)event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
    pthread_mutex_lock(&loop->lock);
    loop->running = false;
    loop->stopping = false;
    pthread_mutex_unlock(&loop->lock);
}

void loop_stop(struct loop *loop) {
    pthread_mutex_lock(&loop->lock);
    loop->stopping = true;
    wake(loop);
    pthread_mutex_unlock(&loop->lock);
}

bool loop_is_current(struct loop *loop) {
    pthread_mutex_lock(&loop->lock);
    bool current = loop->running && pthread_equal(loop->thread, pthread_self()) != 0;
    pthread_mutex_unlock(&loop->lock);
    return current;
}

bool loop_post(struct loop *loop, void (*function)(void *context), void *context, struct error *e) {
    struct post *post = memory_allocate(sizeof(*post));
    if (post == nullptr) {
        return error_no_memory(e, "a call on the loop thread");
    }
    *post = (struct post){.function = function, .context = context};
    pthread_mutex_lock(&loop->lock);
    post->number = ++loop->posted;
    if (loop->last == nullptr) {
        loop->first = post;
    } else {
        loop->last->next = post;
    }
    loop->last = post;
    pthread_mutex_unlock(&loop->lock);
    wake(loop); // without the lock, for which the loop thread would have to wait at once
    return true;
}

void loop_unpost(struct loop *loop, const void *context) {
    pthread_mutex_lock(&loop->lock);
    struct post **place = &loop->first;
    loop->last = nullptr;
    while (*place != nullptr) {
        struct post *post = *place;
        if (post->context == context) {
            *place = post->next;
            memory_free(post);
        } else {
            loop->last = post;
            place = &post->next;
        }
    }
    pthread_mutex_unlock(&loop->lock);
}

static void on_signal(evutil_socket_t signal, short what, void *context) {
    (void)signal;
    (void)what;
    const struct signal_handler *handler = context;
    handler->function(handler->context);
}

bool loop_on_signal(struct loop *loop, int signal, void (*function)(void *context), void *context,
                    struct error *e) {
    struct signal_handler *handler = memory_allocate(sizeof(*handler));
    if (handler == nullptr) {
        return error_no_memory(e, "a signal handler");
    }
    *handler = (struct signal_handler){.function = function, .context = context, .next = loop->signals};
    handler->event = evsignal_new(loop->base, signal, on_signal, handler);
    if (handler->event == nullptr || event_add(handler->event, nullptr) != 0) {
        if (handler->event != nullptr) {
            event_free(handler->event);
        }
        memory_free(handler);
        return error_set(e, ERROR_INTERNAL, "signal %d cannot be handled", signal);
    }
    loop->signals = handler;
    return true;
}

static void on_timer(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    const struct loop_timer *timer = context;
    timer->function(timer->context);
}

bool loop_timer_create(struct loop *loop, void (*function)(void *context), void *context,
                       struct loop_timer **ret_timer, struct error *e) {
    struct loop_timer *timer = memory_allocate(sizeof(*timer));
    if (timer == nullptr) {
        return error_no_memory(e, "a timer");
    }
    *timer = (struct loop_timer){.function = function, .context = context};
    timer->event = evtimer_new(loop->base, on_timer, timer);
    if (timer->event == nullptr) {
        memory_free(timer);
        return error_no_memory(e, "a timer");
    }
    *ret_timer = timer;
    return true;
}

void loop_timer_start(struct loop_timer *timer, uint32_t milliseconds) {
    struct timeval delay = {.tv_sec = milliseconds / 1000,
                            .tv_usec = (suseconds_t)(milliseconds % 1000) * 1000};
    (void)evtimer_add(timer->event, &delay);
}

void loop_timer_free(struct loop_timer *timer) {
    if (timer != nullptr) {
        event_free(timer->event);
        memory_free(timer);
    }
}

struct event_base *loop_event_base(struct loop *loop) {
    return loop->base;
}
