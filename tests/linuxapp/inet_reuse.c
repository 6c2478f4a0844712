/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* SO_REUSEADDR and SO_REUSEPORT: who may bind what, and that two listeners share connections. */
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "app.h"

static int g_port;

static int make_bound(int type, int option, int *ret)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)g_port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    const int one = 1;
    int r;

    *ret = socket(AF_INET, type, 0);
    if (option != 0) {
        setsockopt(*ret, SOL_SOCKET, option, &one, sizeof(one));
    }
    r = bind(*ret, (struct sockaddr *)&a, sizeof(a));
    if (r == 0) {
        getsockname(*ret, (struct sockaddr *)&a, &size);
        g_port = ntohs(a.sin_port);
    }
    return r;
}

int main(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct pollfd p[2];
    int got[2] = {0};
    int s[4];
    int c;

    SHOW(make_bound(SOCK_STREAM, SO_REUSEADDR, &s[0]));
    SHOW(make_bound(SOCK_STREAM, SO_REUSEADDR, &s[1])); /* nobody listens yet */
    SHOW(listen(s[0], 5));
    SHOW(listen(s[1], 5));
    SHOW(make_bound(SOCK_STREAM, SO_REUSEADDR, &s[2]));
    close(s[0]);
    close(s[1]);

    g_port = 0;
    SHOW(make_bound(SOCK_STREAM, SO_REUSEPORT, &s[0]));
    SHOW(make_bound(SOCK_STREAM, SO_REUSEPORT, &s[1]));
    SHOW(make_bound(SOCK_STREAM, 0, &s[2]));
    SHOW(listen(s[0], 64));
    SHOW(listen(s[1], 64));
    a.sin_port = htons((uint16_t)g_port);
    for (int i = 0; i < 40; i++) {
        c = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(c, (struct sockaddr *)&a, sizeof(a)) < 0) {
            perror("connect");
        }
    }
    while (got[0] + got[1] < 40) {
        p[0] = (struct pollfd){.fd = s[0], .events = POLLIN};
        p[1] = (struct pollfd){.fd = s[1], .events = POLLIN};
        if (poll(p, 2, 2000) <= 0) {
            break;
        }
        for (int i = 0; i < 2; i++) {
            if ((p[i].revents & POLLIN) != 0) {
                close(accept(s[i], NULL, NULL));
                got[i]++;
            }
        }
    }
    printf("all 40 accepted %d, by both %d\n", got[0] + got[1] == 40, got[0] > 0 && got[1] > 0);

    g_port = 0;
    SHOW(make_bound(SOCK_DGRAM, SO_REUSEPORT, &s[0]));
    SHOW(make_bound(SOCK_DGRAM, SO_REUSEPORT, &s[1]));
    SHOW(make_bound(SOCK_DGRAM, SO_REUSEADDR, &s[2]));
    return 0;
}
