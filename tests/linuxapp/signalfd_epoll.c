/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* signalfd, timerfd, eventfd and a pipe in one epoll loop, as event libraries do it. */
/* not: musl it has no pthread_sigqueue */
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "app.h"

static pthread_t g_main;
static int g_event;
static int g_pipe[2];

static void *poker(void *arg)
{
    uint64_t one = 1;

    for (int i = 0; i < 50; i++) {
        const union sigval v = {.sival_int = i};

        pthread_sigqueue(g_main, SIGRTMIN, v);
        (void)!write(g_event, &one, 8);
        (void)!write(g_pipe[1], "abc", 3);
        if (i % 10 == 0) {
            usleep(2000);
        }
    }
    kill(getpid(), SIGTERM);
    return NULL;
}

int main(void)
{
    struct itimerspec every = {{0, 2000000}, {0, 2000000}};
    struct epoll_event e[4];
    sigset_t set;
    pthread_t t;
    uint64_t ticks = 0;
    uint64_t events = 0;
    long bytes = 0;
    int next = 0;
    int disorder = 0;
    int term = 0;
    int sfd;
    int tfd;
    int ep;

    g_main = pthread_self();
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    sfd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    tfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    g_event = eventfd(0, EFD_NONBLOCK);
    (void)!pipe2(g_pipe, O_NONBLOCK);
    timerfd_settime(tfd, 0, &every, NULL);
    ep = epoll_create1(0);
    for (int i = 0; i < 4; i++) {
        const int fd = (int[]){sfd, tfd, g_event, g_pipe[0]}[i];

        e[0] = (struct epoll_event){.events = EPOLLIN | (i % 2 ? 0 : EPOLLET), .data.fd = fd};
        SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e[0]));
    }
    pthread_create(&t, NULL, poker, NULL);
    while (!term || ticks < 5) {
        const int n = epoll_wait(ep, e, 4, 3000);

        if (n <= 0) {
            printf("nothing came: %d\n", n);
            break;
        }
        for (int i = 0; i < n; i++) {
            if (e[i].data.fd == sfd) {
                struct signalfd_siginfo si[3];
                ssize_t got;

                while ((got = read(sfd, si, sizeof(si))) > 0) {
                    for (int k = 0; k < got / (ssize_t)sizeof(si[0]); k++) {
                        if (si[k].ssi_signo == SIGTERM) {
                            term = 1;
                        } else {
                            disorder += si[k].ssi_int != next++;
                        }
                    }
                }
            } else if (e[i].data.fd == tfd) {
                uint64_t more = 0;

                (void)!read(tfd, &more, 8);
                ticks += more;
            } else if (e[i].data.fd == g_event) {
                uint64_t more = 0;

                (void)!read(g_event, &more, 8);
                events += more;
            } else {
                char buf[64];
                ssize_t got;

                while ((got = read(g_pipe[0], buf, sizeof(buf))) > 0) {
                    bytes += got;
                }
            }
        }
    }
    pthread_join(t, NULL);
    for (uint64_t more = 0; read(g_event, &more, 8) > 0;) {
        events += more;
    }
    for (char buf[64]; read(g_pipe[0], buf, 1) > 0;) {
        bytes++;
    }
    printf("signals %d, out of order %d, events %lu, bytes %ld, ticks %d, term %d\n", next,
           disorder, (unsigned long)events, bytes, ticks >= 5, term);
    return 0;
}
