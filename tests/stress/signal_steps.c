/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Signals at every instruction: steps through a program in the enclave, through the library OS, the
 * loader and softsgx alike, and lets a signal strike every so many steps, often in the middle of
 * handling the one before. The program (step_target.c) knows what its registers must be.
 *
 *   signal_steps STEPS SEED COMMAND...
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
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_MS 30000
#define END_S    60

static pid_t g_pid;

static void say(const char *text, uint64_t number)
{
    char line[160];
    const int n = snprintf(line, sizeof(line), "# %s 0x%llx\n", text, (unsigned long long)number);

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

/* xorshift: the same distances for the same seed. */
static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Short distances strike inside the handling of the signal before, long ones let it come to its
 * end. */
static uint32_t distance(uint32_t *state)
{
    const uint32_t r = next_random(state);

    return 1 + (r >> 8) % ((r & 3) == 0 ? 40 : (r & 3) == 1 ? 200 : 900);
}

/* Where signals struck already: a set of addresses, open addressing. */
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

static uint64_t rip_now(void)
{
    return (uint64_t)ptrace(PTRACE_PEEKUSER, g_pid, (void *)offsetof(struct user_regs_struct, rip),
                            NULL);
}

/* Bytes of a repeated string instruction at `rip`, which would take a step for each byte; else 0.
 */
static unsigned repeated(uint64_t rip)
{
    const uint64_t word = (uint64_t)ptrace(PTRACE_PEEKTEXT, g_pid, (void *)rip, NULL);
    const unsigned rex = (word >> 8 & 0xf0) == 0x40;
    const uint8_t op = (uint8_t)(word >> (8 + 8 * rex));

    if ((word & 0xff) != 0xf3 || (op != 0xa4 && op != 0xa5 && op != 0xaa && op != 0xab)) {
        return 0;
    }
    return 2 + rex;
}

/* One step, with DR0 behind a repeated instruction. */
static int step(int deliver, int *ret_status)
{
    const uint64_t rip = rip_now();
    const unsigned size = deliver == 0 ? repeated(rip) : 0;
    const uintptr_t dr0 = offsetof(struct user, u_debugreg[0]);
    const uintptr_t dr7 = offsetof(struct user, u_debugreg[7]);
    long r;

    if (size == 0 || ptrace(PTRACE_POKEUSER, g_pid, (void *)dr0, (void *)(rip + size)) < 0 ||
        ptrace(PTRACE_POKEUSER, g_pid, (void *)dr7, (void *)1ul) < 0) {
        r = ptrace(PTRACE_SINGLESTEP, g_pid, NULL, (void *)(long)deliver);
        return r < 0 || waitpid(g_pid, ret_status, __WALL) != g_pid ? -1 : 0;
    }
    r = ptrace(PTRACE_CONT, g_pid, NULL, NULL);
    if (r < 0 || waitpid(g_pid, ret_status, __WALL) != g_pid) {
        return -1;
    }
    if (WIFSTOPPED(*ret_status)) {
        (void)ptrace(PTRACE_POKEUSER, g_pid, (void *)dr7, NULL);
    }
    return 0;
}

/* Addresses of a static program, and of what the library OS puts near it: every instruction there is
 * struck, the first time it is met. */
#define APPLICATION_END (1ull << 32)

static int strike_here(uint32_t left)
{
    const uint64_t rip = rip_now();

    return (left == 0 || rip < APPLICATION_END) && is_new(rip);
}

static int walk(uint64_t steps, uint32_t seed, uint64_t *ret_struck)
{
    uint32_t left = distance(&seed);
    int deliver = 0;
    int status;

    for (uint64_t i = 0; i < steps;) {
        if (step(deliver, &status) < 0) {
            return -1;
        }
        if (!WIFSTOPPED(status)) {
            return status;
        }
        deliver = status >> 16 != 0 || WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
        if (deliver != 0) {
            continue;
        }
        i++;
        if (strike_here(left)) {
            deliver = SIGUSR1;
            left = distance(&seed);
            ++*ret_struck;
        } else if (left > 0) {
            left--;
        }
    }
    return 0;
}

/* Lets it run to its end. A step may have left TF in somebody's flags: its traps are ours. */
static int finish(void)
{
    int deliver = SIGUSR2;
    int status;

    for (;;) {
        if (ptrace(PTRACE_CONT, g_pid, NULL, (void *)(long)deliver) < 0 ||
            waitpid(g_pid, &status, __WALL) != g_pid) {
            return -1;
        }
        if (!WIFSTOPPED(status)) {
            return status;
        }
        deliver = status >> 16 != 0 || WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
    }
}

int main(int argc, char **argv)
{
    uint64_t struck = 0;
    uint64_t steps;
    uint32_t seed;
    char text[256];
    ssize_t n;
    int status;
    int from;

    if (argc < 4) {
        fprintf(stderr, "usage: signal_steps STEPS SEED COMMAND...\n");
        return 2;
    }
    steps = strtoull(argv[1], NULL, 0);
    seed = (uint32_t)strtoul(argv[2], NULL, 0);
    printf("1..1\n");
    (void)fflush(stdout);
    if (start(argv + 3, &from) < 0) {
        return fail("starting");
    }
    if (ptrace(PTRACE_SEIZE, g_pid, NULL, (void *)PTRACE_O_EXITKILL) < 0 ||
        ptrace(PTRACE_INTERRUPT, g_pid, NULL, NULL) < 0 ||
        waitpid(g_pid, &status, __WALL) != g_pid) {
        if (errno == EPERM) {
            printf("ok 1 - signals at every step # SKIP this machine does not allow ptrace\n");
            (void)kill(g_pid, SIGKILL);
            return 0;
        }
        return fail("ptrace");
    }
    status = walk(steps, seed == 0 ? 1 : seed, &struck);
    say("signals that struck:", struck);
    if (status == 0) {
        (void)signal(SIGALRM, on_alarm);
        (void)alarm(END_S);
        status = finish();
    }
    n = read(from, text, sizeof(text) - 1);
    text[n < 0 ? 0 : n] = '\0';
    if (status != 0 || strstr(text, "handled some") == NULL) {
        printf("not ok 1 - signals at every step: seed %u, status 0x%x, it says: %s\n", seed,
               (unsigned)status, text);
        return 1;
    }
    printf("ok 1 - signals at every step\n");
    return 0;
}
