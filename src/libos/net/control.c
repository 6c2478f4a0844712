/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/net/control.h"

#include <linux/in.h>

#include "libos/mm/kmem.h"

#define LEVEL_IP   0
#define LEVEL_UDP  17
#define LEVEL_IPV6 41

#define SENT     1u
#define RECEIVED 2u

/* Numbers of in6.h, udp.h and asm/socket.h, which do not go together with in.h here. */
static const struct row {
    int32_t level;
    int32_t type;
    uint32_t size;
    uint32_t ways;
} g_rows[] = {
    {SOL_SOCKET_, 29 /* SO_TIMESTAMP */, 16, RECEIVED},
    {SOL_SOCKET_, 35 /* SO_TIMESTAMPNS */, 16, RECEIVED},
    {SOL_SOCKET_, 40 /* SO_RXQ_OVFL */, 4, RECEIVED},
    {SOL_SOCKET_, 63 /* SO_TIMESTAMP_NEW */, 16, RECEIVED},
    {SOL_SOCKET_, 64 /* SO_TIMESTAMPNS_NEW */, 16, RECEIVED},
    {LEVEL_IP, IP_TOS, 1, SENT | RECEIVED},
    {LEVEL_IP, IP_TOS, 4, SENT},
    {LEVEL_IP, IP_TTL, 4, SENT | RECEIVED},
    {LEVEL_IP, IP_PKTINFO, 12, SENT | RECEIVED},
    {LEVEL_IP, IP_RECVORIGDSTADDR, 16, RECEIVED},
    {LEVEL_IPV6, 50 /* IPV6_PKTINFO */, 20, SENT | RECEIVED},
    {LEVEL_IPV6, 52 /* IPV6_HOPLIMIT */, 4, SENT | RECEIVED},
    {LEVEL_IPV6, 62 /* IPV6_DONTFRAG */, 4, SENT},
    {LEVEL_IPV6, 67 /* IPV6_TCLASS */, 4, SENT | RECEIVED},
    {LEVEL_IPV6, 74 /* IPV6_RECVORIGDSTADDR */, 28, RECEIVED},
    {LEVEL_UDP, 103 /* UDP_SEGMENT */, 2, SENT},
    {LEVEL_UDP, 104 /* UDP_GRO */, 4, RECEIVED},
};

static bool known(const struct cmsg_head *h, uint32_t way)
{
    for (size_t i = 0; i < ARRAY_COUNT(g_rows); i++) {
        const struct row *r = &g_rows[i];

        if (r->level == h->level && r->type == h->type && (r->ways & way) != 0 &&
            h->len == sizeof(*h) + r->size) {
            return true;
        }
    }
    return false;
}

static int append(struct sock_msg *m, const struct cmsg_head *h, const uint8_t *data)
{
    const size_t size = cmsg_align(h->len);
    uint8_t *p;

    if (m->control_size + size > CONTROL_HOST_MAX) {
        return -ENOBUFS;
    }
    p = krealloc(m->control, m->control_size + size);
    if (p == NULL) {
        return -ENOMEM;
    }
    m->control = p;
    p += m->control_size;
    __builtin_memset(p, 0, size);
    __builtin_memcpy(p, h, sizeof(*h));
    __builtin_memcpy(p + sizeof(*h), data, h->len - sizeof(*h));
    m->control_size += size;
    return 0;
}

int control_add_sent(struct sock_msg *m, const struct cmsg_head *h, const uint8_t *data)
{
    if (known(h, SENT)) {
        return append(m, h, data);
    }
    return h->level == LEVEL_IP || h->level == LEVEL_IPV6 || h->level == LEVEL_UDP ? -EINVAL : 0;
}

int control_take_received(struct sock_msg *m, const uint8_t *p, size_t size)
{
    while (size >= sizeof(struct cmsg_head)) {
        struct cmsg_head h;
        size_t step;

        __builtin_memcpy(&h, p, sizeof(h));
        if (h.len < sizeof(h) || h.len > size) {
            return 0; /* malformed: what stands behind it cannot be told apart */
        }
        if (known(&h, RECEIVED)) {
            int r = append(m, &h, p + sizeof(h));

            if (r < 0) {
                return r == -ENOBUFS ? 0 : r;
            }
        }
        step = MIN(cmsg_align(h.len), size);
        p += step;
        size -= step;
    }
    return 0;
}

bool control_option(int option)
{
    for (size_t i = 0; i < ARRAY_COUNT(g_rows); i++) {
        if (g_rows[i].level == SOL_SOCKET_ && g_rows[i].type == option) {
            return true;
        }
    }
    return false;
}
