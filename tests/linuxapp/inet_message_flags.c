/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MSG_DONTWAIT, MSG_MORE, MSG_OOB and time-outs on TCP and UDP.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "app.h"

static int g_slow;

static void pair(int s[2])
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    int l = socket(AF_INET, SOCK_STREAM, 0);

    bind(l, (struct sockaddr *)&a, sizeof(a));
    listen(l, 1);
    getsockname(l, (struct sockaddr *)&a, &size);
    s[0] = socket(AF_INET, SOCK_STREAM, 0);
    connect(s[0], (struct sockaddr *)&a, sizeof(a));
    s[1] = accept(l, NULL, NULL);
    close(l);
}

static void *slow_writer(void *arg)
{
    for (int i = 0; i < 5; i++) {
        usleep(5000);
        (void)!write(g_slow, "abc", 3);
    }
    shutdown(g_slow, SHUT_WR);
    return NULL;
}

int main(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval soon = {0, 20000};
    socklen_t size = sizeof(a);
    char buf[64] = "";
    pthread_t t;
    int waiting = -1;
    int s[2];
    int u;

    pair(s);
    SHOW(recv(s[0], buf, 10, MSG_DONTWAIT));
    SHOW(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)));
    SHOW(recv(s[0], buf, 10, 0));
    SHOW(send(s[1], "hello ", 6, MSG_MORE));
    SHOW(send(s[1], "world", 5, 0));
    usleep(20000);
    SHOW(ioctl(s[0], FIONREAD, &waiting));
    printf("waiting %d\n", waiting);
    SHOW(recv(s[0], buf, 5, MSG_PEEK));
    SHOW(recv(s[0], buf, 60, MSG_PEEK));
    SHOW(recv(s[0], buf, 3, 0));
    SHOW(recv(s[0], NULL, 3, MSG_TRUNC)); /* thrown away */
    SHOW(recv(s[0], buf, 60, 0));
    printf("%.5s\n", buf);
    SHOW(recv(s[0], buf, 10, MSG_WAITALL)); /* the time-out cuts it */
    SHOW(send(s[1], "half", 4, 0));
    SHOW(recv(s[0], buf, 10, MSG_WAITALL));
    g_slow = s[1];
    pthread_create(&t, NULL, slow_writer, NULL);
    SHOW(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){0}, sizeof(soon)));
    SHOW(recv(s[0], buf, 12, MSG_WAITALL));
    SHOW(recv(s[0], buf, 12, MSG_WAITALL)); /* the end cuts it */
    SHOW(recv(s[0], buf, 12, MSG_WAITALL));
    pthread_join(t, NULL);
    close(s[0]);
    close(s[1]);

    pair(s);
    SHOW(send(s[1], "ab", 2, 0));
    SHOW(send(s[1], "!", 1, MSG_OOB));
    SHOW(send(s[1], "cd", 2, 0));
    usleep(20000);
    SHOW(ioctl(s[0], SIOCATMARK, &waiting));
    printf("at mark %d\n", waiting);
    SHOW(recv(s[0], buf, 60, 0));
    SHOW(ioctl(s[0], SIOCATMARK, &waiting));
    printf("at mark %d\n", waiting);
    SHOW(recv(s[0], buf, 1, MSG_OOB));
    printf("%c\n", buf[0]);
    SHOW(recv(s[0], buf, 60, 0));
    printf("%.2s\n", buf);

    u = socket(AF_INET, SOCK_DGRAM, 0);
    SHOW(bind(u, (struct sockaddr *)&a, sizeof(a)));
    SHOW(getsockname(u, (struct sockaddr *)&a, &size));
    SHOW(sendto(u, "a datagram", 10, 0, (struct sockaddr *)&a, size));
    SHOW(recv(u, buf, 4, MSG_PEEK));
    SHOW(recv(u, buf, 4, MSG_PEEK | MSG_TRUNC));
    SHOW(recv(u, buf, 4, 0));
    SHOW(recv(u, buf, 4, MSG_DONTWAIT)); /* the rest is gone */
    SHOW(sendto(u, "", 0, 0, (struct sockaddr *)&a, size));
    SHOW(recv(u, buf, 4, 0));
    SHOW(sendto(u, buf, 70000, 0, (struct sockaddr *)&a, size) < 0 ? -1 : 0);
    SHOW(send(u, "x", 1, 0));
    SHOW(sendto(u, "x", 1, 0, (struct sockaddr *)&a, 3));
    return 0;
}
