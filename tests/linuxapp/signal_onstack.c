/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* sigaltstack in all its states: nesting, SS_DISABLE, SS_AUTODISARM, sizes, threads. */
#include <pthread.h>
#include <signal.h>

#include "app.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif

static char g_a[65536] __attribute__((aligned(16)));
static char g_b[65536] __attribute__((aligned(16)));
static int g_nested;

static const char *where(void *p)
{
    char *c = p;

    return c >= g_a && c < g_a + sizeof(g_a)   ? "a"
           : c >= g_b && c < g_b + sizeof(g_b) ? "b"
                                               : "the normal stack";
}

static void show_state(const char *what)
{
    stack_t s;

    sigaltstack(NULL, &s);
    printf("%s: %s flags %x size %zu\n", what, s.ss_sp == NULL ? "none" : where(s.ss_sp),
           (unsigned)s.ss_flags, s.ss_size);
}

static void on_signal(int sig)
{
    char here;
    stack_t s = {.ss_sp = g_b, .ss_size = sizeof(g_b)};

    printf("handler of %d on %s\n", sig, where(&here));
    show_state("in the handler");
    if (sig == SIGUSR1 && g_nested) {
        g_nested = 0;
        SHOW(sigaltstack(&s, NULL)); /* EPERM while we are on it */
        raise(SIGUSR2);
        raise(SIGUSR1);
    }
}

static void set(void *sp, size_t size, int flags)
{
    stack_t s = {.ss_sp = sp, .ss_size = size, .ss_flags = flags};

    SHOW(sigaltstack(&s, NULL));
}

static void *thread(void *arg)
{
    show_state("a new thread");
    raise(SIGUSR1);
    set(g_b, sizeof(g_b), 0);
    raise(SIGUSR1);
    return NULL;
}

int main(void)
{
    struct sigaction on = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_NODEFER};
    struct sigaction off = {.sa_handler = on_signal};
    pthread_t t;

    sigaction(SIGUSR1, &on, NULL);
    sigaction(SIGUSR2, &off, NULL);
    show_state("at first");
    raise(SIGUSR1);
    set(g_a, 100, 0);
    set(g_a, sizeof(g_a), 77);
    set(g_a, sizeof(g_a), 0);
    show_state("set");
    raise(SIGUSR2);
    g_nested = 1;
    raise(SIGUSR1);
    set(g_a, sizeof(g_a), (int)SS_AUTODISARM);
    show_state("autodisarm");
    g_nested = 1;
    raise(SIGUSR1);
    show_state("armed again");
    set(NULL, 0, SS_DISABLE);
    show_state("disabled");
    raise(SIGUSR1);
    set(g_a, sizeof(g_a), SS_ONSTACK);
    show_state("set with SS_ONSTACK");
    pthread_create(&t, NULL, thread, NULL);
    pthread_join(t, NULL);
    show_state("main kept its own");
    return 0;
}
