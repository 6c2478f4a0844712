/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Signals at every instruction: walks through a program in the enclave, through the library OS, the
 * loader and softsgx alike, step by step and with a signal now and then, and notes where the signal
 * was open. Then runs it freely to each of these places with a hardware breakpoint, and lets the
 * signal strike there. The program (step_target.c) knows what its registers must be.
 *
 *   signal_steps STEPS COMMAND...
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_MS 30000
#define END_S    60

static pid_t g_pid;

static void say(const char *text, uint64_t number)
{
    char line[160];
    const int n = snprintf(line, sizeof(line), "# %s %llu\n", text, (unsigned long long)number);

    (void)!write(1, line, (size_t)n);
}

static void on_alarm(int sig)
{
    static const char text[] = "not ok 1 - the program does not end\n";

    (void)!write(1, text, sizeof(text) - 1);
    (void)kill(g_pid, SIGKILL);
    _exit(1);
}

static int fail(const char *what)
{
    printf("not ok 1 - %s: %s\n", what, strerror(errno));
    (void)kill(g_pid, SIGKILL);
    return 1;
}

/* Starts it with its output in a pipe, and waits until it says that it is under way. */
static int start(char **argv, int *ret_from)
{
    struct pollfd p;
    char text[64];
    int fds[2];

    if (pipe(fds) < 0) {
        return -1;
    }
    g_pid = fork();
    if (g_pid == 0) {
        (void)dup2(fds[1], 1);
        (void)close(fds[0]);
        (void)close(fds[1]);
        (void)execv(argv[0], argv);
        _exit(127);
    }
    (void)close(fds[1]);
    *ret_from = fds[0];
    p = (struct pollfd){.fd = fds[0], .events = POLLIN};
    if (g_pid < 0 || poll(&p, 1, READY_MS) != 1 || read(fds[0], text, sizeof(text)) < 6) {
        return -1;
    }
    return 0;
}

/* Where the signal can strike: in order, and as a set with open addressing. */
#define PLACES_MAX 65536u
static uint64_t g_places[PLACES_MAX];
static size_t g_places_count;
#define SEEN_MAX (1u << 20)
static uint64_t g_seen[SEEN_MAX];

static int is_new(uint64_t rip)
{
    uint32_t at = (uint32_t)(rip * 0x9e3779b97f4a7c15ull >> 44);

    while (g_seen[at] != 0 && g_seen[at] != rip) {
        at = (at + 1) % SEEN_MAX;
    }
    if (g_seen[at] == rip) {
        return 0;
    }
    g_seen[at] = rip;
    return 1;
}

/* A thread that is stepped; all of the process are. */
struct walker {
    pid_t tid;
    int breakpoint; /* DR0 stands behind a repeated instruction */
};
#define WALKERS_MAX 64
static struct walker g_walkers[WALKERS_MAX];

static struct walker *walker_of(pid_t tid)
{
    struct walker *free_one = NULL;

    for (int i = 0; i < WALKERS_MAX; i++) {
        if (g_walkers[i].tid == tid) {
            return &g_walkers[i];
        }
        if (g_walkers[i].tid == 0 && free_one == NULL) {
            free_one = &g_walkers[i];
        }
    }
    if (free_one != NULL) {
        *free_one = (struct walker){.tid = tid};
    }
    return free_one;
}

static uint64_t rip_of(pid_t tid)
{
    return (uint64_t)ptrace(PTRACE_PEEKUSER, tid, (void *)offsetof(struct user_regs_struct, rip),
                            NULL);
}

/* Bytes of a repeated string instruction at `rip`, which would take a step for each byte; else 0.
 */
static unsigned repeated(pid_t tid, uint64_t rip)
{
    const uint64_t word = (uint64_t)ptrace(PTRACE_PEEKTEXT, tid, (void *)rip, NULL);
    const unsigned rex = (word >> 8 & 0xf0) == 0x40;
    const uint8_t op = (uint8_t)(word >> (8 + 8 * rex));

    if ((word & 0xff) != 0xf3 || (op != 0xa4 && op != 0xa5 && op != 0xaa && op != 0xab)) {
        return 0;
    }
    return 2 + rex;
}

/* One step, with DR0 behind a repeated instruction. A thread that is gone meanwhile needs none. */
static void step(struct walker *w, int deliver)
{
    const uint64_t rip = rip_of(w->tid);
    const unsigned size = deliver == 0 ? repeated(w->tid, rip) : 0;
    const uintptr_t dr0 = offsetof(struct user, u_debugreg[0]);
    const uintptr_t dr7 = offsetof(struct user, u_debugreg[7]);

    if (w->breakpoint != 0) {
        (void)ptrace(PTRACE_POKEUSER, w->tid, (void *)dr7, NULL);
        w->breakpoint = 0;
    }
    if (size != 0 && ptrace(PTRACE_POKEUSER, w->tid, (void *)dr0, (void *)(rip + size)) == 0 &&
        ptrace(PTRACE_POKEUSER, w->tid, (void *)dr7, (void *)1ul) == 0) {
        w->breakpoint = 1;
        (void)ptrace(PTRACE_CONT, w->tid, NULL, NULL);
    } else {
        (void)ptrace(PTRACE_SINGLESTEP, w->tid, NULL, (void *)(long)deliver);
    }
}

static int is_open(pid_t tid)
{
    uint64_t mask = ~0ull;

    return ptrace(PTRACE_GETSIGMASK, tid, (void *)sizeof(mask), &mask) == 0 &&
           (mask >> (SIGUSR1 - 1) & 1) == 0;
}

/* What stopped: a thread (its signal, 0 when it is not one for the program), or the end (-1, with
 * the status of the process). */
static int next_stop(pid_t *ret_tid, int *ret_status)
{
    for (;;) {
        const pid_t tid = waitpid(-1, ret_status, __WALL);

        if (tid < 0 || (tid == g_pid && !WIFSTOPPED(*ret_status))) {
            return -1;
        }
        if (!WIFSTOPPED(*ret_status)) {
            walker_of(tid)->tid = 0;
            continue;
        }
        *ret_tid = tid;
        return *ret_status >> 16 != 0 || WSTOPSIG(*ret_status) == SIGTRAP ? 0
                                                                          : WSTOPSIG(*ret_status);
    }
}

/* The loader tries again by a timer, of a tenth of a millisecond: a program that is stepped would
 * see nothing else. It comes after so many steps instead. */
#define RETRY_SIGNAL 63
#define RETRY_STEPS  2000
#define STRIKE_STEPS 10007

/* Notes where the signal can strike. `*tid` stands, with *deliver to be delivered. -1: the end. */
static int record(uint64_t steps, pid_t *tid, int *deliver, int *ret_status)
{
    pid_t retry = 0;

    for (uint64_t i = 1; i <= steps; i++) {
        if (*deliver == RETRY_SIGNAL) {
            *deliver = 0;
            retry = *tid;
        }
        if (*deliver == 0 && is_open(*tid)) {
            const uint64_t rip = rip_of(*tid);

            if (g_places_count < PLACES_MAX && is_new(rip)) {
                g_places[g_places_count++] = rip;
            }
            if (retry == *tid && i >= RETRY_STEPS) {
                *deliver = RETRY_SIGNAL;
                retry = 0;
            } else if (i % STRIKE_STEPS < 8) {
                *deliver = SIGUSR1;
            }
        }
        step(walker_of(*tid), *deliver);
        *deliver = next_stop(tid, ret_status);
        if (*deliver < 0) {
            return -1;
        }
    }
    return 0;
}

static void aim(pid_t tid, uint64_t rip)
{
    (void)ptrace(PTRACE_POKEUSER, tid, (void *)offsetof(struct user, u_debugreg[7]), NULL);
    (void)ptrace(PTRACE_POKEUSER, tid, (void *)offsetof(struct user, u_debugreg[0]), (void *)rip);
    (void)ptrace(PTRACE_POKEUSER, tid, (void *)offsetof(struct user, u_debugreg[7]), (void *)1ul);
}

static volatile sig_atomic_t g_too_long;

static void on_too_long(int sig)
{
    g_too_long = 1;
    (void)kill(g_pid, SIGUSR1); /* makes it stop */
}

/* Lets every thread run to each place in turn and strikes there; a place nobody comes to within the
 * time of a try (it belonged to the beginning) is left out. */
#define TRY_US 10000

static int strike(pid_t *tid, int *deliver, uint64_t *ret_struck, int *ret_status)
{
    const struct itimerval try = {.it_value = {0, TRY_US}};

    (void)signal(SIGALRM, on_too_long);
    for (size_t i = 0; i < g_places_count; i++) {
        int struck = 0;

        (void)setitimer(ITIMER_REAL, &try, NULL);
        while (!struck && !g_too_long) {
            aim(*tid, g_places[i]);
            (void)ptrace(PTRACE_CONT, *tid, NULL, (void *)(long)*deliver);
            *deliver = next_stop(tid, ret_status);
            if (*deliver < 0) {
                return -1;
            }
            if (*deliver == 0 && rip_of(*tid) == g_places[i]) {
                *deliver = SIGUSR1;
                struck = 1;
                ++*ret_struck;
            }
        }
        g_too_long = 0;
    }
    return 0;
}

/* Lets it run to its end. A step may have left TF in somebody's flags: its traps are ours. */
static void finish(pid_t tid, int deliver, int *ret_status)
{
    (void)kill(g_pid, SIGUSR2);
    while (deliver >= 0) {
        (void)ptrace(PTRACE_POKEUSER, tid, (void *)offsetof(struct user, u_debugreg[7]), NULL);
        (void)ptrace(PTRACE_CONT, tid, NULL, (void *)(long)deliver);
        deliver = next_stop(&tid, ret_status);
    }
}

int main(int argc, char **argv)
{
    uint64_t struck = 0;
    uint64_t steps;
    pid_t tid;
    int deliver = 0;
    char text[256];
    ssize_t n;
    int status;
    int from;

    if (argc < 3) {
        fprintf(stderr, "usage: signal_steps STEPS COMMAND...\n");
        return 2;
    }
    steps = strtoull(argv[1], NULL, 0);
    printf("1..1\n");
    (void)fflush(stdout);
    if (start(argv + 2, &from) < 0) {
        return fail("starting");
    }
    if (ptrace(PTRACE_SEIZE, g_pid, NULL, (void *)(PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE)) < 0 ||
        ptrace(PTRACE_INTERRUPT, g_pid, NULL, NULL) < 0 ||
        waitpid(g_pid, &status, __WALL) != g_pid) {
        if (errno == EPERM) {
            printf("ok 1 - signals at every step # SKIP this machine does not allow ptrace\n");
            (void)kill(g_pid, SIGKILL);
            return 0;
        }
        return fail("ptrace");
    }
    tid = g_pid;
    if (record(steps, &tid, &deliver, &status) == 0) {
        say("places:", g_places_count);
        if (strike(&tid, &deliver, &struck, &status) == 0) {
            (void)signal(SIGALRM, on_alarm);
            (void)alarm(END_S);
            finish(tid, deliver, &status);
        }
    }
    say("signals that struck:", struck);
    n = read(from, text, sizeof(text) - 1);
    text[n < 0 ? 0 : n] = '\0';
    if (status != 0 || strstr(text, "handled some") == NULL) {
        printf("not ok 1 - signals at every step: status 0x%x, it says: %s\n", (unsigned)status,
               text);
        return 1;
    }
    printf("ok 1 - signals at every step\n");
    return 0;
}
