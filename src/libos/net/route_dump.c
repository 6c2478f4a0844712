/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/net/route_dump.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "core/cursor.h"
#include "libos/host/host.h"
#include "libos/mm/kmem.h"
#include "libos/net/socket.h"

#define PIECE       32768u /* one datagram of the host's */
#define PIECES_MAX  64u    /* ~2 MiB: thousands of links */
#define REQUEST_SEQ 1u
#define HEADER_MAX  16u
#define NAME_MAX_   16u
#define SOCK_FLAGS  (04000 | 02000000) /* SOCK_NONBLOCK, SOCK_CLOEXEC */

/* What may be in an attribute. */
enum form { FORM_BYTES, FORM_ADDRESS /* by the message's family */, FORM_STRING };

struct attribute {
    uint16_t type;
    uint8_t form;
    uint16_t least;
    uint16_t most;
};

static const struct attribute g_link[] = {
    {IFLA_ADDRESS, FORM_BYTES, 0, 32},      {IFLA_BROADCAST, FORM_BYTES, 0, 32},
    {IFLA_IFNAME, FORM_STRING, 2, 16},      {IFLA_MTU, FORM_BYTES, 4, 4},
    {IFLA_LINK, FORM_BYTES, 4, 4},          {IFLA_QDISC, FORM_STRING, 1, 32},
    {IFLA_STATS, FORM_BYTES, 92, 96},       {IFLA_TXQLEN, FORM_BYTES, 4, 4},
    {IFLA_OPERSTATE, FORM_BYTES, 1, 1},     {IFLA_LINKMODE, FORM_BYTES, 1, 1},
    {IFLA_STATS64, FORM_BYTES, 184, 256},   {IFLA_GROUP, FORM_BYTES, 4, 4},
    {IFLA_NUM_TX_QUEUES, FORM_BYTES, 4, 4}, {IFLA_NUM_RX_QUEUES, FORM_BYTES, 4, 4},
    {IFLA_CARRIER, FORM_BYTES, 1, 1},       {IFLA_MIN_MTU, FORM_BYTES, 4, 4},
    {IFLA_MAX_MTU, FORM_BYTES, 4, 4},
};

static const struct attribute g_address[] = {
    {IFA_ADDRESS, FORM_ADDRESS, 0, 0}, {IFA_LOCAL, FORM_ADDRESS, 0, 0},
    {IFA_LABEL, FORM_STRING, 2, 16},   {IFA_BROADCAST, FORM_ADDRESS, 0, 0},
    {IFA_ANYCAST, FORM_ADDRESS, 0, 0}, {IFA_CACHEINFO, FORM_BYTES, 16, 16},
    {IFA_FLAGS, FORM_BYTES, 4, 4},
};

static const struct attribute g_route[] = {
    {RTA_DST, FORM_ADDRESS, 0, 0},     {RTA_SRC, FORM_ADDRESS, 0, 0},
    {RTA_IIF, FORM_BYTES, 4, 4},       {RTA_OIF, FORM_BYTES, 4, 4},
    {RTA_GATEWAY, FORM_ADDRESS, 0, 0}, {RTA_PRIORITY, FORM_BYTES, 4, 4},
    {RTA_PREFSRC, FORM_ADDRESS, 0, 0}, {RTA_CACHEINFO, FORM_BYTES, 32, 32},
    {RTA_TABLE, FORM_BYTES, 4, 4},     {RTA_PREF, FORM_BYTES, 1, 1},
};

static const struct kind {
    uint16_t request;
    uint16_t answer;
    uint16_t header; /* size of the fixed part; its first byte is the family in all of them */
    const struct attribute *attributes;
    size_t count;
} g_kinds[] = {
    [ROUTE_LINK] = {RTM_GETLINK, RTM_NEWLINK, sizeof(struct ifinfomsg), g_link,
                    ARRAY_COUNT(g_link)},
    [ROUTE_ADDRESS] = {RTM_GETADDR, RTM_NEWADDR, sizeof(struct ifaddrmsg), g_address,
                       ARRAY_COUNT(g_address)},
    [ROUTE_ROUTE] = {RTM_GETROUTE, RTM_NEWROUTE, sizeof(struct rtmsg), g_route,
                     ARRAY_COUNT(g_route)},
};
_Static_assert(sizeof(struct ifinfomsg) <= HEADER_MAX, "the largest of them");

static size_t address_size(uint8_t family)
{
    return family == AF_INET_ ? 4 : family == AF_INET6_ ? 16 : 0;
}

/* Fixed parts that cannot be: an index of nothing, a prefix longer than an address. */
static bool header_plausible(enum route_kind kind, const uint8_t *header)
{
    struct ifinfomsg link;
    struct ifaddrmsg address;
    struct rtmsg route;
    size_t bits;

    switch (kind) {
    case ROUTE_LINK:
        __builtin_memcpy(&link, header, sizeof(link));
        return link.ifi_family == AF_UNSPEC_ && link.ifi_index > 0;
    case ROUTE_ADDRESS:
        __builtin_memcpy(&address, header, sizeof(address));
        bits = 8 * address_size(address.ifa_family);
        return bits != 0 && address.ifa_prefixlen <= bits && address.ifa_index > 0 &&
               address.ifa_index <= INT32_MAX;
    case ROUTE_ROUTE:
        __builtin_memcpy(&route, header, sizeof(route));
        bits = 8 * address_size(route.rtm_family);
        return bits != 0 && route.rtm_dst_len <= bits && route.rtm_src_len <= bits;
    default: return false;
    }
}

static bool attribute_good(const struct attribute *a, uint8_t family, const uint8_t *p, size_t size)
{
    switch (a->form) {
    case FORM_ADDRESS: return size == address_size(family);
    case FORM_STRING:
        if (size < a->least || size > a->most || p[size - 1] != '\0') {
            return false;
        }
        for (size_t i = 0; i + 1 < size; i++) {
            if (p[i] <= ' ' || p[i] >= 0x7f || p[i] == '/') {
                return false;
            }
        }
        return true;
    default: return size >= a->least && size <= a->most;
    }
}

static void add_padded(struct strbuf *out, const void *p, size_t size)
{
    static const uint8_t zeros[4];

    strbuf_add(out, p, size);
    strbuf_add(out, zeros, nl_align(size) - size);
}

/* The known attributes of one message; false when they are not well-formed. */
static bool add_attributes(const struct kind *k, uint8_t family, struct cursor *c,
                           struct strbuf *out)
{
    while (c->left > 0) {
        uint16_t head[2]; /* length with this header, type */
        const uint8_t *p;
        size_t size;

        if (cursor_u16le(c, &head[0]) < 0 || cursor_u16le(c, &head[1]) < 0 ||
            head[0] < sizeof(head)) {
            return false;
        }
        size = head[0] - sizeof(head);
        if (cursor_bytes(c, size, &p) < 0) {
            return false;
        }
        (void)cursor_skip(c, MIN(nl_align(size) - size, c->left));
        for (size_t i = 0; i < k->count; i++) {
            if (k->attributes[i].type == head[1] &&
                attribute_good(&k->attributes[i], family, p, size)) {
                strbuf_add(out, head, sizeof(head));
                add_padded(out, p, size);
                break;
            }
        }
    }
    return true;
}

/* One message of the host's, made anew at the end of `out`; a bad one is left out. */
static void add_message(enum route_kind kind, struct cursor *c, struct nl_header head,
                        struct strbuf *out)
{
    const struct kind *k = &g_kinds[kind];
    const size_t start = out->len;
    uint8_t fixed[HEADER_MAX];

    if (cursor_copy(c, fixed, k->header) < 0 || !header_plausible(kind, fixed)) {
        return;
    }
    head.len = 0;
    head.type = k->answer;
    head.flags = NL_MULTI;
    strbuf_add(out, &head, sizeof(head));
    add_padded(out, fixed, k->header);
    if (!add_attributes(k, fixed[0], c, out) || out->failed) {
        out->len = start;
        return;
    }
    head.len = (uint32_t)(out->len - start);
    __builtin_memcpy(out->s + start, &head, sizeof(head));
}

/* One datagram: 1 when it was the last, 0 when more follow, -Exxx. */
static int add_datagram(enum route_kind kind, const uint8_t *p, size_t size, uint32_t seq,
                        uint32_t port, struct strbuf *out)
{
    struct cursor all = cursor_make(p, size);

    while (all.left > 0) {
        struct nl_header h;
        struct cursor body;

        if (cursor_copy(&all, &h, sizeof(h)) < 0 || h.len < sizeof(h) ||
            cursor_sub(&all, h.len - sizeof(h), &body) < 0) {
            return -EIO;
        }
        (void)cursor_skip(&all, MIN(nl_align(h.len) - h.len, all.left));
        if (h.seq != REQUEST_SEQ) {
            continue;
        }
        if (h.type == NL_DONE) {
            return 1;
        }
        if (h.type == NL_ERROR) {
            uint32_t error = 0;

            if (cursor_u32le(&body, &error) < 0) {
                return -EIO;
            }
            return (int32_t)error < 0 && (int32_t)error > -134 ? (int)(int32_t)error : -EIO;
        }
        if (h.type == g_kinds[kind].answer) {
            add_message(kind, &body, (struct nl_header){.seq = seq, .port = port}, out);
        }
    }
    return out->failed ? -ENOMEM : 0;
}

static int ask(int fd, enum route_kind kind, uint8_t family)
{
    struct {
        struct nl_header h;
        uint8_t body[HEADER_MAX];
    } request = {
        .h = {.len = (uint32_t)(sizeof(struct nl_header) + g_kinds[kind].header),
              .type = g_kinds[kind].request,
              .flags = NL_REQUEST | NL_DUMP,
              .seq = REQUEST_SEQ},
        .body = {family},
    };
    int64_t n = host_sendto(fd, &request, request.h.len, 0, NULL, 0);

    return n < 0 ? (int)n : n == request.h.len ? 0 : -EIO;
}

int route_dump(enum route_kind kind, uint8_t family, uint32_t seq, uint32_t port,
               struct strbuf *out)
{
    _cleanup_kfree_ uint8_t *piece = kmalloc(PIECE);
    int fd = piece == NULL ? -ENOMEM : host_socket(AF_NETLINK_, SOCK_RAW_ | SOCK_FLAGS, 0);
    int r;

    if (fd < 0) {
        return fd;
    }
    r = ask(fd, kind, family);
    for (uint32_t i = 0; r == 0; i++) {
        int64_t n =
            i == PIECES_MAX ? -ENOBUFS : host_recvfrom(fd, piece, PIECE, MSG_DONTWAIT_, NULL, NULL);

        if (n <= 0) { /* a dump is answered at once, to its end */
            r = n == -EAGAIN || n == 0 ? -EIO : (int)n;
        } else {
            r = add_datagram(kind, piece, (size_t)n, seq, port, out);
        }
    }
    (void)host_close(fd);
    return MIN(r, 0);
}
