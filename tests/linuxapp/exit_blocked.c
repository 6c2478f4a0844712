/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* exit() while other threads sleep in every kind of blocking call. */
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "app.h"

static int g_pipe[2];
static int g_ready;
static pthread_mutex_t g_m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t g_c = PTHREAD_COND_INITIALIZER;

static void *block(void *arg)
{
    char c;
    int word = 0;
    struct pollfd p = {.fd = g_pipe[0], .events = POLLIN};
    struct epoll_event e;
    struct sockaddr_in sin = {.sin_family = AF_INET};
    fd_set set;
    sigset_t none;
    int s;

    __atomic_add_fetch(&g_ready, 1, __ATOMIC_SEQ_CST);
    switch ((long)arg) {
    case 0: (void)!read(g_pipe[0], &c, 1); break;
    case 1: syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0); break;
    case 2: sleep(1000); break;
    case 3: poll(&p, 1, -1); break;
    case 4: epoll_wait(epoll_create1(0), &e, 1, -1); break;
    case 5:
        s = socket(AF_INET, SOCK_STREAM, 0);
        bind(s, (struct sockaddr *)&sin, sizeof(sin));
        listen(s, 1);
        accept(s, NULL, NULL);
        break;
    case 6: pause(); break;
    case 7:
        sigemptyset(&none);
        sigaddset(&none, SIGUSR2);
        sigwaitinfo(&none, NULL);
        break;
    case 8:
        FD_ZERO(&set);
        FD_SET(g_pipe[0], &set);
        select(g_pipe[0] + 1, &set, NULL, NULL, NULL);
        break;
    case 9: (void)!read(eventfd(0, 0), &word, 8); break;
    case 10:
        s = socket(AF_INET, SOCK_DGRAM, 0);
        bind(s, (struct sockaddr *)&sin, sizeof(sin));
        recv(s, &c, 1, 0);
        break;
    case 11:
        pthread_mutex_lock(&g_m);
        pthread_cond_wait(&g_c, &g_m);
        break;
    case 12:
        for (volatile unsigned long i = 0;; i++) { /* no call at all */
        }
    default: break;
    }
    puts("a blocked thread woke up");
    return NULL;
}

static void at_exit(void)
{
    puts("going");
}

int main(void)
{
    pthread_t t;

    (void)!pipe(g_pipe);
    (void)atexit(at_exit);
    for (long i = 0; i < 13; i++) {
        pthread_create(&t, NULL, block, (void *)i);
    }
    while (__atomic_load_n(&g_ready, __ATOMIC_SEQ_CST) != 13) {
        usleep(1000);
    }
    usleep(100000);
    exit(33);
}
