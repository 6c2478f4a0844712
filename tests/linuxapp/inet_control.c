/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Control messages of datagrams: packet information, hop limits, traffic classes, time stamps. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

#include "app.h"

static char g_control[512] __attribute__((aligned(8)));

static int on(int s, int level, int option)
{
    const int one = 1;

    return setsockopt(s, level, option, &one, sizeof(one));
}

static void show(const struct cmsghdr *c)
{
    const size_t size = c->cmsg_len - CMSG_LEN(0);
    char text[INET6_ADDRSTRLEN] = "";
    struct in6_pktinfo p6;
    struct in_pktinfo p4;
    int v = 0;

    printf(" [%d/%d, %zu bytes", c->cmsg_level, c->cmsg_type, size);
    if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO && size == sizeof(p6)) {
        memcpy(&p6, CMSG_DATA(c), sizeof(p6));
        printf(" %s on %u", inet_ntop(AF_INET6, &p6.ipi6_addr, text, sizeof(text)),
               p6.ipi6_ifindex);
    } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO && size == sizeof(p4)) {
        memcpy(&p4, CMSG_DATA(c), sizeof(p4));
        printf(" %s on %d", inet_ntop(AF_INET, &p4.ipi_addr, text, sizeof(text)), p4.ipi_ifindex);
    } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
        struct timespec t;

        memcpy(&t, CMSG_DATA(c), sizeof(t));
        printf(" now %d", llabs(t.tv_sec - time(NULL)) <= 1);
    } else {
        memcpy(&v, CMSG_DATA(c), size < sizeof(v) ? size : sizeof(v));
        printf(" %d", v);
    }
    printf("]");
}

static void receive(int s, size_t room)
{
    char data[16];
    struct iovec v = {data, sizeof(data)};
    struct sockaddr_storage from;
    struct msghdr h = {.msg_name = &from,
                       .msg_namelen = sizeof(from),
                       .msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = g_control,
                       .msg_controllen = room};
    const ssize_t n = recvmsg(s, &h, 0);

    printf("received %zd, from %u bytes, flags %x:", n, h.msg_namelen, h.msg_flags);
    for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&h); c != NULL; c = CMSG_NXTHDR(&h, c)) {
        show(c);
    }
    printf(" controllen %zu\n", h.msg_controllen);
}

static int transmit(int s, const void *to, socklen_t size, int level, int type, const void *p,
                    size_t n)
{
    struct iovec v = {"data", 4};
    struct msghdr h = {.msg_name = (void *)to,
                       .msg_namelen = size,
                       .msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = g_control,
                       .msg_controllen = CMSG_SPACE(n)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&h);

    memset(g_control, 0, sizeof(g_control));
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(n);
    memcpy(CMSG_DATA(c), p, n);
    return (int)sendmsg(s, &h, 0);
}

static void version6(void)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct in6_pktinfo info = {.ipi6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t size = sizeof(a);
    const int hops = 7;
    const int class = 0x20;
    int s = socket(AF_INET6, SOCK_DGRAM, 0);

    SHOW(bind(s, (struct sockaddr *)&a, sizeof(a)));
    SHOW(getsockname(s, (struct sockaddr *)&a, &size));
    SHOW(sendto(s, "plain", 5, 0, (struct sockaddr *)&a, size));
    receive(s, sizeof(g_control));
    SHOW(on(s, IPPROTO_IPV6, IPV6_RECVPKTINFO));
    SHOW(on(s, IPPROTO_IPV6, IPV6_RECVHOPLIMIT));
    SHOW(on(s, IPPROTO_IPV6, IPV6_RECVTCLASS));
    SHOW(sendto(s, "plain", 5, 0, (struct sockaddr *)&a, size));
    receive(s, sizeof(g_control));
    SHOW(transmit(s, &a, size, IPPROTO_IPV6, IPV6_HOPLIMIT, &hops, sizeof(hops)));
    receive(s, sizeof(g_control));
    SHOW(transmit(s, &a, size, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof(class)));
    receive(s, sizeof(g_control));
    SHOW(transmit(s, &a, size, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info)));
    receive(s, CMSG_SPACE(sizeof(info)));
    SHOW(transmit(s, &a, size, IPPROTO_IPV6, IPV6_HOPLIMIT, &hops, 2));
    SHOW(transmit(s, &a, size, IPPROTO_IPV6, 9999, &hops, 4));
    SHOW(transmit(s, &a, size, IPPROTO_TCP, 1, &hops, 4)); /* a level that is passed over */
    receive(s, CMSG_LEN(sizeof(info)) - 5);
    SHOW(transmit(s, &a, size, SOL_SOCKET, 9999, &hops, 4));
    close(s);
}

static void version4(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    const int ttl = 9;
    const int tos = 0x10;
    int s = socket(AF_INET, SOCK_DGRAM, 0);

    SHOW(bind(s, (struct sockaddr *)&a, sizeof(a)));
    SHOW(getsockname(s, (struct sockaddr *)&a, &size));
    SHOW(on(s, IPPROTO_IP, IP_PKTINFO));
    SHOW(on(s, IPPROTO_IP, IP_RECVTTL));
    SHOW(on(s, IPPROTO_IP, IP_RECVTOS));
    SHOW(transmit(s, &a, size, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)));
    receive(s, sizeof(g_control));
    SHOW(transmit(s, &a, size, IPPROTO_IP, IP_TOS, &tos, sizeof(tos)));
    receive(s, sizeof(g_control));
    SHOW(transmit(s, &a, size, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info)));
    receive(s, 0);
    SHOW(transmit(s, &a, size, IPPROTO_IP, 9999, &ttl, 4));
    SHOW(transmit(s, &a, size, IPPROTO_IP, IP_TTL, &ttl, 3));
    SHOW(on(s, SOL_SOCKET, SO_TIMESTAMPNS));
    SHOW(sendto(s, "plain", 5, 0, (struct sockaddr *)&a, size));
    receive(s, sizeof(g_control));
    close(s);
}

int main(void)
{
    version6();
    version4();
    return 0;
}
