/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Options of sockets: what is set is what is read, sizes, limits, levels. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "app.h"

static int g_s;

static int get(int level, int option)
{
    int v = 0;
    socklen_t size = sizeof(v);

    return getsockopt(g_s, level, option, &v, &size) < 0 ? -1 : v;
}

static int set(int level, int option, int v)
{
    return setsockopt(g_s, level, option, &v, sizeof(v));
}

static void both(const char *name, int level, int option, int v)
{
    const int before = get(level, option);
    const int r = set(level, option, v);
    const int error = errno;

    printf("%s: %d, set %d: %s, now %d\n", name, before, v, r == 0 ? "ok" : strerrorname_(error),
           get(level, option));
}

int main(void)
{
    struct linger l = {1, 7};
    struct timeval tv = {1, 500000};
    socklen_t size = sizeof(l);
    char text[32] = "";
    int v;

    g_s = socket(AF_INET, SOCK_STREAM, 0);
    printf("type %d domain %d protocol %d accepting %d error %d\n", get(SOL_SOCKET, SO_TYPE),
           get(SOL_SOCKET, SO_DOMAIN), get(SOL_SOCKET, SO_PROTOCOL), get(SOL_SOCKET, SO_ACCEPTCONN),
           get(SOL_SOCKET, SO_ERROR));
    both("reuseaddr", SOL_SOCKET, SO_REUSEADDR, 1);
    both("reuseport", SOL_SOCKET, SO_REUSEPORT, 5);
    both("keepalive", SOL_SOCKET, SO_KEEPALIVE, 1);
    both("broadcast", SOL_SOCKET, SO_BROADCAST, 1);
    both("oobinline", SOL_SOCKET, SO_OOBINLINE, 1);
    both("dontroute", SOL_SOCKET, SO_DONTROUTE, 1);
    both("priority", SOL_SOCKET, SO_PRIORITY, 3);
    both("rcvlowat", SOL_SOCKET, SO_RCVLOWAT, 10);
    both("nodelay", IPPROTO_TCP, TCP_NODELAY, 1);
    both("cork", IPPROTO_TCP, TCP_CORK, 1);
    both("keepidle", IPPROTO_TCP, TCP_KEEPIDLE, 11);
    both("keepintvl", IPPROTO_TCP, TCP_KEEPINTVL, 12);
    both("keepcnt", IPPROTO_TCP, TCP_KEEPCNT, 13);
    both("keepcnt too big", IPPROTO_TCP, TCP_KEEPCNT, 1000);
    both("user timeout", IPPROTO_TCP, TCP_USER_TIMEOUT, 4000);
    both("defer accept", IPPROTO_TCP, TCP_DEFER_ACCEPT, 0);
    both("ttl", IPPROTO_IP, IP_TTL, 33);
    both("ttl too big", IPPROTO_IP, IP_TTL, 300);
    both("tos", IPPROTO_IP, IP_TOS, 16);
    SHOW(set(SOL_SOCKET, SO_RCVBUF, 8192));
    printf("rcvbuf doubled %d\n", get(SOL_SOCKET, SO_RCVBUF) == 16384);
    SHOW(set(SOL_SOCKET, SO_SNDBUF, 1));
    printf("sndbuf has a floor %d\n", get(SOL_SOCKET, SO_SNDBUF) > 1000);
    SHOW(setsockopt(g_s, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
    memset(&l, 0, sizeof(l));
    SHOW(getsockopt(g_s, SOL_SOCKET, SO_LINGER, &l, &size));
    printf("linger %d %d\n", l.l_onoff, l.l_linger);
    SHOW(setsockopt(g_s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
    memset(&tv, 0, sizeof(tv));
    size = sizeof(tv);
    SHOW(getsockopt(g_s, SOL_SOCKET, SO_RCVTIMEO, &tv, &size));
    printf("timeout %ld.%06ld\n", (long)tv.tv_sec, (long)tv.tv_usec);
    tv.tv_usec = 1000000;
    SHOW(setsockopt(g_s, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
    SHOW(setsockopt(g_s, SOL_SOCKET, SO_SNDTIMEO, &tv, 4));
    size = sizeof(text);
    SHOW(getsockopt(g_s, IPPROTO_TCP, TCP_CONGESTION, text, &size));
    printf("congestion named %d\n", text[0] != '\0');
    SHOW(set(SOL_SOCKET, SO_TYPE, 1));
    SHOW(set(SOL_SOCKET, 9999, 1));
    SHOW(set(9999, 1, 1));
    SHOW(get(SOL_SOCKET, 9999));
    SHOW(setsockopt(g_s, SOL_SOCKET, SO_KEEPALIVE, "1", 1));
    SHOW(setsockopt(g_s, SOL_SOCKET, SO_KEEPALIVE, NULL, 4));
    size = 2;
    v = -1;
    SHOW(getsockopt(g_s, SOL_SOCKET, SO_KEEPALIVE, &v, &size));
    printf("short read %x size %u\n", (unsigned)v, size);
    size = (socklen_t)-1;
    SHOW(getsockopt(g_s, SOL_SOCKET, SO_KEEPALIVE, &v, &size));
    g_s = socket(AF_INET6, SOCK_DGRAM, 0);
    both("v6only", IPPROTO_IPV6, IPV6_V6ONLY, 1);
    both("hops", IPPROTO_IPV6, IPV6_UNICAST_HOPS, 22);
    both("tclass", IPPROTO_IPV6, IPV6_TCLASS, 5);
    both("recvpktinfo", IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    return 0;
}
