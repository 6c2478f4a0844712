/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Making and naming sockets, options; messages are in sys/message.c. */

#include "libos/net/socket.h"

#include "libos/family/remote.h"
#include "libos/family/rpc.h"
#include "libos/fs/fd_table.h"
#include "libos/mm/kmem.h"
#include "libos/sys/sock_arg.h"
#include "libos/sys/syscall.h"
#include "libos/time/clock.h"

#define SOCK_NONBLOCK_ 04000
#define SOCK_CLOEXEC_  02000000
#define OPTION_MAX     4096u

int sock_get(int fd, struct file **ret_file, struct socket **ret)
{
    struct file *f = fd_get(fd);

    if (f == NULL) {
        return -EBADF;
    }
    *ret = sock_of(f);
    if (*ret == NULL) {
        file_put(f);
        return -ENOTSOCK;
    }
    *ret_file = f;
    return 0;
}

int sock_get_addr(uint64_t user, uint64_t size, struct sock_addr *ret)
{
    if (size > SOCK_ADDR_MAX) {
        return -EINVAL;
    }
    *ret = (struct sock_addr){.size = (uint32_t)size};
    return size == 0 ? 0 : user_copy_in(ret->b, user, size);
}

int sock_put_addr(const struct sock_addr *a, uint64_t user, uint64_t user_size)
{
    int32_t room;

    if (user == 0) {
        return 0;
    }
    int r = user_get(&room, user_size);

    if (r < 0) {
        return r;
    }
    if (room < 0) {
        return -EINVAL;
    }
    r = user_copy_out(user, a->b, MIN((uint32_t)room, a->size));
    return r < 0 ? r : user_put(user_size, &a->size);
}

static int install(struct socket *s, int flags)
{
    struct file *f = NULL;
    int r = sock_file(s, (uint32_t)flags, &f);

    if (r < 0) {
        s->ops->release(s);
        return r;
    }
    r = fd_install(f, (flags & SOCK_CLOEXEC_) != 0, 0);
    if (r < 0) {
        file_put(f);
    }
    return r;
}

SYSCALL_3(socket, int, family, int, type, int, protocol)
{
    int flags = type & ~SOCK_TYPE_MASK_;
    struct socket *s = NULL;
    int r;

    if ((flags & ~(SOCK_NONBLOCK_ | SOCK_CLOEXEC_)) != 0) {
        return -EINVAL;
    }
    switch (family) {
    case AF_UNIX_:
        r = unix_create(type & SOCK_TYPE_MASK_, protocol, &s);
        if (r == 0 && family_is_member()) { /* its names and peers are the family's */
            const int kind = s->type;

            s->ops->release(s);
            r = remote_sock_create(kind, &s);
        }
        break;
    case AF_INET_:
    case AF_INET6_: r = inet_create(family, type & SOCK_TYPE_MASK_, protocol, &s); break;
    case AF_NETLINK_: r = netlink_create(type & SOCK_TYPE_MASK_, protocol, &s); break;
    default: r = -EAFNOSUPPORT; break;
    }
    return r < 0 ? r : install(s, flags);
}

SYSCALL_4(socketpair, int, family, int, type, int, protocol, uint64_t, user_fds)
{
    int flags = type & ~SOCK_TYPE_MASK_;
    struct socket *s[2] = {NULL, NULL};
    int32_t fds[2];

    if ((flags & ~(SOCK_NONBLOCK_ | SOCK_CLOEXEC_)) != 0) {
        return -EINVAL;
    }
    if (family != AF_UNIX_) {
        return family == AF_INET_ || family == AF_INET6_ ? -EOPNOTSUPP : -EAFNOSUPPORT;
    }
    if (protocol != 0 && protocol != AF_UNIX_) {
        return -EPROTONOSUPPORT;
    }
    int r = family_is_member() ? remote_sock_pair(type & SOCK_TYPE_MASK_, s)
                               : unix_pair(type & SOCK_TYPE_MASK_, s);

    if (r < 0) {
        return r;
    }
    r = fds[0] = install(s[0], flags);
    if (r < 0) {
        s[1]->ops->release(s[1]);
        return r;
    }
    r = fds[1] = install(s[1], flags);
    if (r < 0) {
        (void)fd_close(fds[0]);
        return r;
    }
    r = user_put(user_fds, &fds);
    if (r < 0) {
        (void)fd_close(fds[0]);
        (void)fd_close(fds[1]);
    }
    return r;
}

SYSCALL_3(bind, int, fd, uint64_t, addr, int, size)
{
    _cleanup_file_ struct file *f = NULL;
    struct socket *s = NULL;
    struct sock_addr a;
    int r = sock_get(fd, &f, &s);

    if (r == 0) {
        r = size < 0 ? -EINVAL : sock_get_addr(addr, (uint32_t)size, &a);
    }
    return r < 0 ? r : s->ops->bind(s, &a);
}

SYSCALL_3(connect, int, fd, uint64_t, addr, int, size)
{
    _cleanup_file_ struct file *f = NULL;
    struct socket *s = NULL;
    struct sock_addr a;
    int r = sock_get(fd, &f, &s);

    if (r == 0) {
        r = size < 0 ? -EINVAL : sock_get_addr(addr, (uint32_t)size, &a);
    }
    return r < 0 ? r : s->ops->connect(s, &a);
}

SYSCALL_2(listen, int, fd, int, backlog)
{
    _cleanup_file_ struct file *f = NULL;
    struct socket *s = NULL;
    int r = sock_get(fd, &f, &s);

    return r < 0 ? r : s->ops->listen(s, backlog);
}

static int64_t accept_common(int fd, uint64_t addr, uint64_t addr_size, int flags)
{
    _cleanup_file_ struct file *f = NULL;
    struct socket *s = NULL;
    struct socket *fresh = NULL;
    struct sock_addr a;

    if ((flags & ~(SOCK_NONBLOCK_ | SOCK_CLOEXEC_)) != 0) {
        return -EINVAL;
    }
    int r = sock_get(fd, &f, &s);

    r = r < 0 ? r : s->ops->accept(s, /*wait=*/true, &fresh);
    if (r < 0) {
        return r;
    }
    if (addr != 0) {
        r = fresh->ops->name(fresh, /*peer=*/true, &a);
        r = r < 0 ? -ECONNABORTED : sock_put_addr(&a, addr, addr_size);
        if (r < 0) {
            fresh->ops->release(fresh);
            return r;
        }
    }
    return install(fresh, flags);
}

SYSCALL_3(accept, int, fd, uint64_t, addr, uint64_t, size)
{
    return accept_common(fd, addr, size, 0);
}

SYSCALL_4(accept4, int, fd, uint64_t, addr, uint64_t, size, int, flags)
{
    return accept_common(fd, addr, size, flags);
}

static int64_t name_common(int fd, bool peer, uint64_t addr, uint64_t size)
{
    _cleanup_file_ struct file *f = NULL;
    struct socket *s = NULL;
    struct sock_addr a;
    int r = sock_get(fd, &f, &s);

    if (r == 0) {
        r = s->ops->name(s, peer, &a);
    }
    if (r == 0) {
        r = addr == 0 ? -EFAULT : sock_put_addr(&a, addr, size);
    }
    return r;
}

SYSCALL_3(getsockname, int, fd, uint64_t, addr, uint64_t, size)
{
    return name_common(fd, /*peer=*/false, addr, size);
}

SYSCALL_3(getpeername, int, fd, uint64_t, addr, uint64_t, size)
{
    return name_common(fd, /*peer=*/true, addr, size);
}

SYSCALL_2(shutdown, int, fd, int, how)
{
    _cleanup_file_ struct file *f = NULL;
    struct socket *s = NULL;
    int r = sock_get(fd, &f, &s);

    if (r < 0) {
        return r;
    }
    return how < 0 || how > 2 ? -EINVAL : s->ops->shutdown(s, (uint32_t)how + 1);
}

/* ---- options ---- */

/* SO_RCVTIMEO and SO_SNDTIMEO: struct timeval; waiting is ours, so they stay inside. */
static int set_timeout(uint64_t *timeout, const void *val, uint32_t size)
{
    struct kernel_timespec64 tv;
    uint64_t ns = 0;

    if (size < sizeof(tv)) {
        return -EINVAL;
    }
    __builtin_memcpy(&tv, val, sizeof(tv));
    if (tv.nsec < 0 || tv.nsec >= 1000000) {
        return -EDOM;
    }
    if (tv.sec < 0) {
        *timeout = 1; /* in the past: do not wait */
        return 0;
    }
    tv.nsec *= 1000;
    int r = timespec_to_ns(&tv, &ns);

    *timeout = ns;
    return r;
}

static int get_timeout(uint64_t timeout, void *val, uint32_t *size)
{
    struct kernel_timespec64 tv = ns_to_timespec(timeout);

    tv.nsec /= 1000;
    *size = MIN(*size, (uint32_t)sizeof(tv));
    __builtin_memcpy(val, &tv, *size);
    return 0;
}

static int get_number(int32_t v, void *val, uint32_t *size)
{
    *size = MIN(*size, (uint32_t)sizeof(v));
    __builtin_memcpy(val, &v, *size);
    return 0;
}

static int get_option(struct socket *s, int level, int option, void *val, uint32_t *size)
{
    if (level == SOL_SOCKET_) {
        switch (option) {
        case SO_TYPE_: return get_number(s->type, val, size);
        case SO_DOMAIN_: return get_number(s->family, val, size);
        case SO_PROTOCOL_: return get_number(s->protocol, val, size);
        case SO_PASSCRED_: return get_number(s->passcred, val, size);
        case SO_RCVTIMEO_:
        case SO_RCVTIMEO_NEW_: return get_timeout(s->receive_timeout, val, size);
        case SO_SNDTIMEO_:
        case SO_SNDTIMEO_NEW_: return get_timeout(s->send_timeout, val, size);
        default: break;
        }
    }
    return s->ops->get_option(s, level, option, val, size);
}

static int set_option(struct socket *s, int level, int option, const void *val, uint32_t size)
{
    int32_t v = 0;

    if (level == SOL_SOCKET_) {
        switch (option) {
        case SO_TYPE_:
        case SO_DOMAIN_:
        case SO_PROTOCOL_:
        case SO_ERROR_: return -ENOPROTOOPT;
        case SO_PASSCRED_:
            if (size < sizeof(v)) {
                return -EINVAL;
            }
            __builtin_memcpy(&v, val, sizeof(v));
            s->passcred = v != 0;
            return 0;
        case SO_RCVTIMEO_:
        case SO_RCVTIMEO_NEW_: return set_timeout(&s->receive_timeout, val, size);
        case SO_SNDTIMEO_:
        case SO_SNDTIMEO_NEW_: return set_timeout(&s->send_timeout, val, size);
        default: break;
        }
    }
    return s->ops->set_option(s, level, option, val, size);
}

SYSCALL_5(getsockopt, int, fd, int, level, int, option, uint64_t, user_val, uint64_t, user_size)
{
    _cleanup_file_ struct file *f = NULL;
    _cleanup_kfree_ uint8_t *val = NULL;
    struct socket *s = NULL;
    int32_t want = 0;
    int r = sock_get(fd, &f, &s);

    if (r == 0) {
        r = user_get(&want, user_size);
    }
    if (r == 0 && want < 0) {
        r = -EINVAL;
    }
    if (r < 0) {
        return r;
    }
    uint32_t size = MIN((uint32_t)want, OPTION_MAX);

    val = kzalloc(MAX(size, 16u));
    if (val == NULL) {
        return -ENOMEM;
    }
    r = user_copy_in(val, user_val, size);
    r = r < 0 ? r : get_option(s, level, option, val, &size);
    r = r < 0 ? r : user_copy_out(user_val, val, size);
    return r < 0 ? r : user_put(user_size, &size);
}

SYSCALL_5(setsockopt, int, fd, int, level, int, option, uint64_t, user_val, int, size)
{
    _cleanup_file_ struct file *f = NULL;
    _cleanup_kfree_ uint8_t *val = NULL;
    struct socket *s = NULL;
    int r = sock_get(fd, &f, &s);

    if (r == 0 && (size < 0 || (uint32_t)size > OPTION_MAX)) {
        r = -EINVAL;
    }
    if (r < 0) {
        return r;
    }
    val = kzalloc(MAX((size_t)size, (size_t)16));
    if (val == NULL) {
        return -ENOMEM;
    }
    r = user_copy_in(val, user_val, (size_t)size);
    return r < 0 ? r : set_option(s, level, option, val, (uint32_t)size);
}
