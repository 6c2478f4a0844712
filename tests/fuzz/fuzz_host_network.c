/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Iago fuzzing of what the network side of the host says: rtnetlink dumps, interface ioctls,
 * datagrams with control messages, options, poll. As in fuzz_host_answers, every answer comes from
 * the input. What the application gets out of a dump must be well-formed: that is asserted here.
 */

#include <linux/eventpoll.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "libos/fs/file.h"
#include "unit/libos/call.h"
#include "unit/libos/fake_host.h"
#include "unit/libos/fake_kernel.h"

#define DUMP (0x301u << 16)

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_attributes(const uint8_t *p, size_t size)
{
    while (size > 0) {
        uint16_t len;

        must(size >= 4);
        memcpy(&len, p, 2);
        must(len >= 4 && len <= size);
        const size_t step = ((size_t)len + 3) & ~(size_t)3;

        must(step <= size);
        p += step;
        size -= step;
    }
}

static void check_messages(const uint8_t *p, size_t size)
{
    static const size_t fixed[] = {[16] = 16, [20] = 8, [24] = 12};

    while (size > 0) {
        uint32_t len;
        uint16_t type;

        must(size >= 16);
        memcpy(&len, p, 4);
        memcpy(&type, p + 4, 2);
        must(len >= 16 && len <= size && len % 4 == 0);
        must(type == 2 || type == 3 || type == 16 || type == 20 || type == 24);
        if (type >= 16) {
            must(len >= 16 + fixed[type]);
            check_attributes(p + 16 + fixed[type], len - 16 - fixed[type]);
        }
        p += len;
        size -= len;
    }
}

static void dump(uint32_t type)
{
    static _aligned_(8) uint8_t buf[1 << 16];
    const uint32_t request[8] = {32, type | DUMP, 7, 0};
    int s = (int)SYS(socket, 16, 3, 0);

    (void)SYS(sendto, s, request, 32, 0, 0, 0);
    for (int64_t n; (n = SYS(recvfrom, s, buf, sizeof(buf), 0x40, 0, 0)) > 0;) {
        check_messages(buf, (size_t)n);
    }
    (void)SYS(close, s);
}

static void interfaces(int s)
{
    static const uint32_t requests[] = {0x8910, 0x8913, 0x8915, 0x8921, 0x8927, 0x8933};
    char request[40] = "lo";
    struct {
        int32_t size;
        int32_t pad;
        uint64_t buf;
    } config;
    uint8_t entries[40 * 8];

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        (void)SYS(ioctl, s, requests[i], request);
    }
    config.size = sizeof(entries);
    config.buf = (uintptr_t)entries;
    if (SYS(ioctl, s, 0x8912, &config) == 0) {
        must(config.size >= 0 && config.size <= (int32_t)sizeof(entries));
    }
}

static void datagrams(int s)
{
    uint8_t control[512];
    uint8_t name[128] = {2};
    char data[256] = "data";
    const int one = 1;
    uint32_t size = 4;
    uint64_t iov[2] = {(uintptr_t)data, sizeof(data)};
    uint64_t h[7] = {(uintptr_t)name, 16, (uintptr_t)iov, 1, (uintptr_t)control, 0, 0};
    const uint64_t ttl[3] = {20, 0 | (uint64_t)2 << 32, 9};

    (void)SYS(setsockopt, s, 0, 8, &one, 4);
    (void)SYS(getsockopt, s, 1, 4, data, &size);
    memcpy(control, ttl, sizeof(ttl));
    h[5] = sizeof(ttl);
    (void)SYS(sendmsg, s, h, 0x40);
    for (int i = 0; i < 4; i++) {
        h[1] = sizeof(name);
        h[5] = sizeof(control) >> i * 3;
        const uint64_t room = h[5];
        const int64_t n = SYS(recvmsg, s, h, 0x40);

        must(n <= (int64_t)sizeof(data) && (n < 0 || h[5] <= room));
    }
}

static void streams(void)
{
    char buf[300];
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | (uint32_t)EPOLLET, .data = 1};
    struct epoll_event out[4];
    struct {
        int32_t fd;
        int16_t events;
        int16_t revents;
    } p = {.events = 5};
    const int s = (int)SYS(socket, 10, 1 | 04000, 0);
    const int ep = (int)SYS(epoll_create1, 0);

    p.fd = s;
    (void)SYS(epoll_ctl, ep, EPOLL_CTL_ADD, s, &ev);
    (void)SYS(connect, s, buf, 28);
    must(SYS(epoll_wait, ep, out, 4, 0) <= 4);
    must(SYS(poll, &p, 1, 0) <= 1);
    must(SYS(recvfrom, s, buf, sizeof(buf), 0x60, 0, 0) <= (int64_t)sizeof(buf));
    must(SYS(sendto, s, buf, sizeof(buf), 0x40, 0, 0) <= (int64_t)sizeof(buf));
    (void)SYS(shutdown, s, 2);
    (void)SYS(close, s);
    (void)SYS(close, ep);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int s;

    fake_boot(-1, 1);
    fake_host_fuzz(data, size);
    dump(18);
    dump(22);
    dump(26);
    s = (int)SYS(socket, 2, 2, 0);
    interfaces(s);
    datagrams(s);
    (void)SYS(close, s);
    streams();
    fake_shutdown();
    return 0;
}
