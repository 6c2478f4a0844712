/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Descriptors become ready while epoll_wait gathers them: none is lost, none comes twice in one
 * answer, and every wake is seen. */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "app.h"

#define WRITERS 3
#define OBJECTS 4
#define ROUNDS  20000

static int g_fd[WRITERS][OBJECTS];

static void *writer(void *arg)
{
    int *fds = arg;
    const uint64_t one = 1;

    for (int i = 0; i < ROUNDS; i++) {
        (void)!write(fds[i % OBJECTS], &one, sizeof(one));
    }
    return NULL;
}

/* The sum of what was read; -1 when one answer named a descriptor twice. */
static long collect(int ep, long want)
{
    struct epoll_event ev[8];
    long sum = 0;

    while (sum < want) {
        int n = epoll_wait(ep, ev, 8, 10000);
        uint64_t value;

        if (n <= 0) {
            return sum;
        }
        for (int i = 0; i < n; i++) {
            for (int k = 0; k < i; k++) {
                if (ev[k].data.fd == ev[i].data.fd) {
                    return -1;
                }
            }
            if (read(ev[i].data.fd, &value, sizeof(value)) == sizeof(value)) {
                sum += (long)value;
            }
        }
    }
    return sum;
}

static void storm(uint32_t mode)
{
    pthread_t t[WRITERS];
    int ep = epoll_create1(0);

    for (int i = 0; i < WRITERS; i++) {
        for (int k = 0; k < OBJECTS; k++) {
            struct epoll_event ev = {.events = EPOLLIN | mode};

            ev.data.fd = g_fd[i][k] = eventfd(0, EFD_NONBLOCK);
            epoll_ctl(ep, EPOLL_CTL_ADD, ev.data.fd, &ev);
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_create(&t[i], NULL, writer, g_fd[i]);
    }
    printf("%#x: %ld\n", mode, collect(ep, (long)WRITERS * ROUNDS));
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(t[i], NULL);
    }
    SHOW(epoll_wait(ep, &(struct epoll_event){0}, 1, 0));
    for (int i = 0; i < WRITERS; i++) {
        for (int k = 0; k < OBJECTS; k++) {
            close(g_fd[i][k]);
        }
    }
    close(ep);
}

/* A level-triggered descriptor that stays ready beside a socket of the host: once in each answer.
 */
static void beside_host(void)
{
    int ep = epoll_create1(0);
    int e = eventfd(1, 0);
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = e};
    struct epoll_event out[8];
    int most = 0;

    epoll_ctl(ep, EPOLL_CTL_ADD, e, &ev);
    ev.data.fd = s;
    epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev);
    for (int i = 0; i < 100; i++) {
        int n = epoll_wait(ep, out, 8, -1);

        most = n > most ? n : most;
    }
    SHOW(most);
}

int main(void)
{
    storm(0);
    storm(EPOLLET);
    beside_host();
    return 0;
}
