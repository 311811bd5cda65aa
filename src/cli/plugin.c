#include "cli/plugin.h"

#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STANDARD_FILES = 3, CHUNK = 16 * 1024, ASK_MS = 50 };

// One that runs. All is given back by finish.
struct child {
    const char *name;
    pid_t pid;
    int pidfd;      // ready when it has ended; negative: the system has no such thing
    int output;     // its standard output
    bool has_group; // those that it starts can be ended with it
};

// ---- starting

static bool is_named(const char *variable, const char *const *names) {
    size_t length = strcspn(variable, "=");
    for (; *names != nullptr; names++) {
        if (strncmp(*names, variable, length + 1) == 0) {
            return true;
        }
    }
    return false;
}

// Ours, and over them those of added; the array is owned, the texts are not. NULL: memory is out.
static char **make_environment(const char *const *added) {
    size_t count = 0;
    size_t ours = 0;
    while (environ[ours] != nullptr) {
        ours++;
    }
    while (added[count] != nullptr) {
        count++;
    }
    char **all = memory_allocate_zeroed(ours + count + 1, sizeof(*all));
    if (all == nullptr) {
        return nullptr;
    }
    char **next = all;
    for (size_t i = 0; i < ours; i++) {
        if (!is_named(environ[i], added)) {
            *next++ = environ[i];
        }
    }
    memcpy(next, added, count * sizeof(*added));
    return all;
}

// Where people can be asked it stays in our group, so that it has the terminal and their Ctrl-C.
static int set_attributes(posix_spawnattr_t *attributes, bool has_group) {
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    (void)posix_spawnattr_setsigmask(attributes, &none);
    (void)posix_spawnattr_setsigdefault(attributes, &all);
    return posix_spawnattr_setflags(attributes, (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                        (has_group ? POSIX_SPAWN_SETPGROUP : 0)));
}

// It has its three files, and of ours no other; what it says to people they see.
static int set_files(posix_spawn_file_actions_t *files, bool is_interactive, int output) {
    int failed = posix_spawn_file_actions_adddup2(files, output, STDOUT_FILENO);
    if (failed == 0 && !is_interactive) {
        failed = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    }
    return failed != 0 ? failed : posix_spawn_file_actions_addclosefrom_np(files, STANDARD_FILES);
}

// Returns an errno.
static int spawn(const struct exec_command *command, int output, struct child *child) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    char **environment = make_environment(command->variables);
    if (environment == nullptr) {
        return ENOMEM;
    }
    (void)posix_spawn_file_actions_init(&files);
    (void)posix_spawnattr_init(&attributes);
    int failed = set_files(&files, command->is_interactive, output);
    failed = failed != 0 ? failed : set_attributes(&attributes, child->has_group);
    failed = failed != 0 ? failed
                         : posix_spawnp(&child->pid, child->name, &files, &attributes,
                                        (char *const *)command->arguments, environment);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&files);
    memory_free(environment);
    return failed;
}

static bool start(const struct exec_command *command, struct child *ret_child, struct error *e) {
    struct child child = {.name = command->arguments[0], .has_group = !command->is_interactive};
    int ends[2];
    (void)signal(SIGCHLD, SIG_DFL); // where our parent ignores it we do, and nobody gets an exit status
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return error_set(e, ERROR_IO, "%s: %s", child.name, strerror(errno));
    }
    int failed = spawn(command, ends[1], &child);
    close(ends[1]);
    child.output = ends[0];
    if (failed != 0) {
        close(ends[0]);
        return failed == ENOMEM
                   ? error_no_memory(e, "starting a credential plug-in")
                   : error_set(e, ERROR_IO, "%s cannot be run: %s", child.name, strerror(failed));
    }
    child.pidfd = pidfd_open(child.pid, 0);
    *ret_child = child;
    return true;
}

// ---- reading

// *ret_more false: nothing more will come.
static bool read_some(const struct child *child, struct buffer *answer, bool *ret_more, struct error *e) {
    char *room;
    size_t free_bytes = answer->cap - answer->length;
    size_t most = free_bytes < CHUNK ? free_bytes : CHUNK;
    if (most == 0) {
        return error_set(e, ERROR_IO, "%s prints more than %d bytes", child->name, EXEC_ANSWER_MAX);
    }
    if (!buffer_reserve(answer, most, &room, e)) {
        return false;
    }
    ssize_t length = read(child->output, room, most);
    buffer_advance(answer, length > 0 ? (size_t)length : 0);
    *ret_more = length > 0 || (length < 0 && errno == EINTR);
    return true;
}

// It stays there to be waited for; one that is not there any more has ended, too.
static bool has_ended(const struct child *child) {
    siginfo_t end = {0};
    int failed = waitid(P_PID, (id_t)child->pid, &end, WEXITED | WNOHANG | WNOWAIT);
    return failed != 0 ? errno == ECHILD : end.si_pid == child->pid;
}

// Reads until the program has ended; what others have that it has left behind is not waited for.
static bool read_answer(const struct child *child, int64_t deadline, struct buffer *answer, struct error *e) {
    struct pollfd waits[] = {{.fd = child->output, .events = POLLIN}, {.fd = child->pidfd, .events = POLLIN}};
    for (bool more = true;;) {
        bool ended = has_ended(child); // before it is seen whether there is more of its output
        int64_t left = deadline - clock_monotonic_ms();
        if (left <= 0) {
            return error_set(e, ERROR_IO, "%s does not end; it was given up", child->name);
        }
        left = child->pidfd < 0 && left > ASK_MS ? ASK_MS : left;
        int ready = poll(waits, 2, ended ? 0 : (int)left);
        if (ready >= 0 && waits[0].revents == 0 && ended) {
            return true;
        }
        if (ready > 0 && waits[0].revents != 0 && !read_some(child, answer, &more, e)) {
            return false;
        }
        waits[0].fd = more ? child->output : -1;
    }
}

// ---- ending

static bool finish(struct child *child, bool is_ended, struct error *e) {
    int status = 0;
    if (!is_ended) {
        (void)kill(child->has_group ? -child->pid : child->pid, SIGKILL);
    }
    pid_t waited;
    while ((waited = waitpid(child->pid, &status, 0)) < 0 && errno == EINTR) {
    }
    close(child->output);
    if (child->pidfd >= 0) {
        close(child->pidfd);
    }
    if (!is_ended) {
        return false;
    }
    if (waited < 0) {
        return error_set(e, ERROR_IO, "%s ended, and how is not known", child->name);
    }
    if (WIFSIGNALED(status)) {
        return error_set(e, ERROR_IO, "%s was ended by signal %d", child->name, WTERMSIG(status));
    }
    return WEXITSTATUS(status) == 0 ||
           error_set(e, ERROR_IO, "%s ended with exit status %d", child->name, WEXITSTATUS(status));
}

static bool run(void *context, const struct exec_command *command, struct buffer *answer, struct error *e) {
    const struct plugin_runner *plugins = context;
    struct child child = {0};
    int64_t deadline = clock_monotonic_ms() + plugins->timeout_ms;
    return start(command, &child, e) && finish(&child, read_answer(&child, deadline, answer, e), e);
}

void plugin_runner_create(uint32_t timeout_ms, struct plugin_runner *ret_runner) {
    *ret_runner = (struct plugin_runner){
        .runner = {.run = run, .context = ret_runner, .has_terminal = isatty(STDIN_FILENO) == 1},
        .timeout_ms = timeout_ms,
    };
}
