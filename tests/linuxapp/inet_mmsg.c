/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* sendmmsg and recvmmsg: counts, addresses, time-outs, errors in the middle. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "app.h"

#define N 8

int main(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in from[N];
    socklen_t size = sizeof(a);
    char in[N][8];
    char out[N][8];
    struct iovec iv[N];
    struct iovec ov[N];
    struct mmsghdr im[N] = {0};
    struct mmsghdr om[N] = {0};
    struct timespec t = {0, 20000000};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    int c = socket(AF_INET, SOCK_DGRAM, 0);

    SHOW(bind(s, (struct sockaddr *)&a, sizeof(a)));
    SHOW(getsockname(s, (struct sockaddr *)&a, &size));
    for (int i = 0; i < N; i++) {
        (void)snprintf(out[i], sizeof(out[i]), "msg %d", i);
        ov[i] = (struct iovec){out[i], 5u - (unsigned)i % 2};
        iv[i] = (struct iovec){in[i], sizeof(in[i])};
        om[i].msg_hdr = (struct msghdr){
            .msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = &ov[i], .msg_iovlen = 1};
        im[i].msg_hdr = (struct msghdr){.msg_name = &from[i],
                                        .msg_namelen = sizeof(from[i]),
                                        .msg_iov = &iv[i],
                                        .msg_iovlen = 1};
    }
    SHOW(sendmmsg(c, om, N, 0));
    for (int i = 0; i < N; i++) {
        printf("%u ", om[i].msg_len);
    }
    printf("\n");
    SHOW(recvmmsg(s, im, 3, 0, NULL));
    SHOW(recvmmsg(s, im + 3, N - 3, MSG_WAITFORONE, NULL));
    for (int i = 0; i < N; i++) {
        printf("%u %.*s from %d, ", im[i].msg_len, (int)im[i].msg_len, in[i],
               from[i].sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    }
    printf("\n");
    SHOW(recvmmsg(s, im, N, MSG_DONTWAIT, NULL));
    SHOW(sendmmsg(c, om, 2, 0));
    SHOW(recvmmsg(s, im, 2, 0, &t));
    t.tv_nsec = -1;
    SHOW(recvmmsg(s, im, N, 0, &t));
    SHOW(sendmmsg(c, om, 0, 0));
    SHOW(recvmmsg(s, im, 0, 0, NULL));
    /* the third one has no address */
    om[2].msg_hdr.msg_name = NULL;
    SHOW(sendmmsg(c, om, N, 0));
    SHOW(sendmmsg(c, om + 2, 1, 0));
    om[0].msg_hdr.msg_iov = (void *)8;
    SHOW(sendmmsg(c, om, N, 0));
    SHOW(sendmmsg(c, NULL, 1, 0));
    SHOW(recvmmsg(0, im, 1, 0, NULL) < 0 ? -1 : 0);
    return 0;
}
