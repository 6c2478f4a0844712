/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/net/interface.h"

#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/sockios.h>

#include "core/cursor.h"
#include "libos/host/host.h"
#include "libos/lib/str.h"
#include "libos/mm/user.h"
#include "libos/net/route_dump.h"
#include "libos/net/socket.h"

#define NAME_SIZE 16u

/* struct ifreq of x86-64: a name and one of many things. */
struct request {
    char name[NAME_SIZE];
    union {
        uint8_t bytes[24];
        int32_t number;
        uint16_t family; /* of a struct sockaddr */
        struct {
            uint16_t family;
            uint16_t port;
            uint32_t ip;
        } inet;
    };
};
_Static_assert(sizeof(struct request) == 40, "struct ifreq");

struct config {
    int32_t size;
    int32_t pad;
    uint64_t buf;
};

bool interface_request(uint32_t request)
{
    return request >= SIOCGIFNAME && request <= SIOCSIFTXQLEN;
}

/* What each request answers: whether the host's answer has the form it must have. */
static bool answer_good(uint32_t request, const struct request *r)
{
    switch (request) {
    case SIOCGIFNAME: return r->name[0] != '\0' && r->name[NAME_SIZE - 1] == '\0';
    case SIOCGIFINDEX: return r->number > 0;
    case SIOCGIFMTU:
    case SIOCGIFTXQLEN: return r->number >= 0;
    case SIOCGIFADDR:
    case SIOCGIFDSTADDR:
    case SIOCGIFBRDADDR:
    case SIOCGIFNETMASK: return r->family == AF_INET_;
    default: return true; /* flags, metric, a hardware address: any bits */
    }
}

static int64_t ask_host(uint32_t request, uint64_t user_arg)
{
    _aligned_(8) struct request q;
    struct request asked;
    int64_t r;
    int fd;

    if (user_get(&q, user_arg) < 0) {
        return -EFAULT;
    }
    q.name[NAME_SIZE - 1] = '\0';
    asked = q;
    fd = host_socket(AF_INET_, SOCK_DGRAM_ | 02000000 /* SOCK_CLOEXEC */, 0);
    if (fd < 0) {
        return fd;
    }
    r = host_ioctl(fd, request, &q, sizeof(q));
    (void)host_close(fd);
    if (r < 0) {
        return r;
    }
    if (!answer_good(request, &q)) {
        return -EIO;
    }
    if (request != SIOCGIFNAME) { /* the name is what was asked for, not what comes back */
        __builtin_memcpy(q.name, asked.name, sizeof(q.name));
    }
    return user_put(user_arg, &q);
}

/* One IPv4 address of a dump as SIOCGIFCONF shows it; false: has no label. */
static bool config_entry(const char *message, size_t size, struct request *ret)
{
    struct cursor c = cursor_make(message, size);
    struct ifaddrmsg head;
    uint16_t attr[2];
    bool named = false;

    *ret = (struct request){.inet.family = AF_INET_};
    if (cursor_skip(&c, sizeof(struct nl_header)) < 0 || cursor_copy(&c, &head, sizeof(head)) < 0) {
        return false;
    }
    /* route_dump made it: well-formed, strings end with NUL, addresses have 4 bytes */
    while (cursor_copy(&c, attr, sizeof(attr)) == 0) {
        const size_t n = attr[0] - sizeof(attr);
        const uint8_t *p;

        if (cursor_bytes(&c, n, &p) < 0) {
            return false;
        }
        if (attr[1] == IFA_LABEL) {
            __builtin_memcpy(ret->name, p, n);
            named = true;
        } else if (attr[1] == IFA_LOCAL) {
            __builtin_memcpy(&ret->inet.ip, p, sizeof(ret->inet.ip));
        }
        (void)cursor_skip(&c, MIN(nl_align(n) - n, c.left));
    }
    return named;
}

static int64_t list_addresses(uint64_t user_arg)
{
    struct config config;
    struct strbuf out = {0};
    int32_t used = 0;
    int r;

    if (user_get(&config, user_arg) < 0) {
        return -EFAULT;
    }
    r = config.size < 0 ? -EINVAL : route_dump(ROUTE_ADDRESS, AF_INET_, 0, 0, &out);
    for (size_t at = 0; r == 0 && at < out.len;) {
        struct nl_header h;
        struct request entry;

        __builtin_memcpy(&h, out.s + at, sizeof(h));
        if (config_entry(out.s + at, h.len, &entry)) {
            if (config.buf != 0) {
                if (config.size - used < (int32_t)sizeof(entry)) {
                    break;
                }
                r = user_put(config.buf + (uint64_t)used, &entry);
            }
            used += (int32_t)sizeof(entry);
        }
        at += h.len;
    }
    strbuf_free(&out);
    config.size = used;
    return r < 0 ? r : user_put(user_arg, &config);
}

int64_t interface_ioctl(uint32_t request, uint64_t user_arg)
{
    switch (request) {
    case SIOCGIFCONF: return list_addresses(user_arg);
    case SIOCGIFNAME:
    case SIOCGIFINDEX:
    case SIOCGIFFLAGS:
    case SIOCGIFADDR:
    case SIOCGIFDSTADDR:
    case SIOCGIFBRDADDR:
    case SIOCGIFNETMASK:
    case SIOCGIFMETRIC:
    case SIOCGIFMTU:
    case SIOCGIFHWADDR:
    case SIOCGIFTXQLEN: return ask_host(request, user_arg);
    default: return -EPERM;
    }
}
