/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* send and receive calls and their control messages. */

#include "libos/fs/fd_table.h"
#include "libos/mm/kmem.h"
#include "libos/net/control.h"
#include "libos/proc/thread.h"
#include "libos/sys/sock_arg.h"
#include "libos/sys/syscall.h"
#include "libos/time/clock.h"

#define CONTROL_MAX      20480u /* net.core.optmem_max */
#define SCM_RIGHTS_      1
#define SCM_CREDENTIALS_ 2
#define MMSG_MAX         1024u

/* struct msghdr of x86-64 */
struct user_msghdr {
    uint64_t name;
    int32_t name_size;
    int32_t pad;
    uint64_t iov;
    uint64_t iov_count;
    uint64_t control;
    uint64_t control_size;
    int32_t flags;
    int32_t pad2;
};

/* ---- sending ---- */

static int add_files(struct sock_msg *m, const uint8_t *data, size_t size)
{
    size_t count = size / 4;

    if (count == 0) {
        return 0;
    }
    if (size % 4 != 0 || m->file_count + count > SCM_FILES_MAX) {
        return -EINVAL;
    }
    struct file **files = krealloc(m->files, (m->file_count + count) * sizeof(files[0]));

    if (files == NULL) {
        return -ENOMEM;
    }
    m->files = files;
    for (size_t i = 0; i < count; i++) {
        int32_t fd;

        __builtin_memcpy(&fd, data + i * 4, 4);
        struct file *f = fd_get_path(fd);

        if (f == NULL) {
            return -EBADF;
        }
        m->files[m->file_count++] = f;
    }
    return 0;
}

static int add_cred(struct sock_msg *m, const uint8_t *data, size_t size)
{
    const struct process *p = process_current();

    if (size != sizeof(m->cred)) {
        return -EINVAL;
    }
    __builtin_memcpy(&m->cred, data, sizeof(m->cred));
    bool own = m->cred.pid == p->pid &&
               (m->cred.uid == p->uid || m->cred.uid == p->euid || m->cred.uid == p->suid) &&
               (m->cred.gid == p->gid || m->cred.gid == p->egid || m->cred.gid == p->sgid);

    if (!own && !capable_root()) {
        return -EPERM;
    }
    m->has_cred = true;
    return 0;
}

/* One control message of a send: AF_UNIX's stay inside, the others are the host socket's. */
static int take_sent(const struct socket *s, struct sock_msg *m, const struct cmsg_head *h,
                     const uint8_t *data)
{
    const size_t size = h->len - sizeof(*h);

    if (s->family != AF_UNIX_) {
        if (h->level == SOL_SOCKET_ && h->type != SCM_RIGHTS_ && h->type != SCM_CREDENTIALS_) {
            return -EINVAL;
        }
        return control_add_sent(m, h, data);
    }
    if (h->level != SOL_SOCKET_) {
        return 0;
    }
    switch (h->type) {
    case SCM_RIGHTS_: return add_files(m, data, size);
    case SCM_CREDENTIALS_: return add_cred(m, data, size);
    default: return -EINVAL;
    }
}

static int parse_control(const struct socket *s, struct sock_msg *m, const uint8_t *p, size_t size)
{
    while (size >= sizeof(struct cmsg_head)) {
        struct cmsg_head h;
        int r = 0;

        __builtin_memcpy(&h, p, sizeof(h));
        if (h.len < sizeof(h) || h.len > size) {
            return -EINVAL;
        }
        r = take_sent(s, m, &h, p + sizeof(h));
        if (r < 0) {
            return r;
        }
        size_t step = MIN(cmsg_align(h.len), size);

        p += step;
        size -= step;
    }
    return 0;
}

static int get_control(const struct socket *s, struct sock_msg *m, const struct user_msghdr *h)
{
    _cleanup_kfree_ uint8_t *buf = NULL;

    if (h->control_size == 0 || h->control == 0) {
        return 0;
    }
    if (h->control_size > CONTROL_MAX) {
        return -ENOBUFS;
    }
    buf = kmalloc(h->control_size);
    if (buf == NULL) {
        return -ENOMEM;
    }
    int r = user_copy_in(buf, h->control, h->control_size);

    return r < 0 ? r : parse_control(s, m, buf, h->control_size);
}

static int64_t send_header(struct socket *s, const struct user_msghdr *h, int flags)
{
    struct sock_msg m = {.flags = flags};
    struct user_iov iov;
    int r = 0;

    if (h->name != 0 && h->name_size != 0) {
        r = h->name_size < 0
                ? -EINVAL
                : sock_get_addr(h->name, MIN((uint32_t)h->name_size, SOCK_ADDR_MAX), &m.addr);
        m.has_addr = true;
    }
    if (r == 0 && h->iov_count > 1024) {
        r = -EMSGSIZE;
    }
    r = r < 0 ? r : user_get_iov(&iov, h->iov, h->iov_count);
    if (r < 0) {
        return r;
    }
    iter_init_iov(&m.it, &iov);
    int64_t n = get_control(s, &m, h);

    if (n == 0) {
        n = s->ops->send(s, &m);
    }
    sock_msg_release(&m);
    user_iov_free(&iov);
    return n;
}

SYSCALL_3(sendmsg, int, fd, uint64_t, user_msg, int, flags)
{
    _cleanup_file_ struct file *f = NULL;
    struct socket *s = NULL;
    struct user_msghdr h;
    int r = sock_get(fd, &f, &s);

    r = r < 0 ? r : user_get(&h, user_msg);
    return r < 0 ? r : send_header(s, &h, flags);
}

SYSCALL_4(sendmmsg, int, fd, uint64_t, user_msgs, uint32_t, count, int, flags)
{
    _cleanup_file_ struct file *f = NULL;
    struct socket *s = NULL;
    int64_t r = sock_get(fd, &f, &s);
    uint32_t done = 0;

    count = MIN(count, MMSG_MAX);
    while (r >= 0 && done < count) {
        uint64_t at = user_msgs + done * 64ull; /* struct mmsghdr */
        struct user_msghdr h;

        r = user_get(&h, at);
        r = r < 0 ? r : send_header(s, &h, flags);
        if (r >= 0) {
            uint32_t n = (uint32_t)r;

            r = user_put(at + sizeof(h), &n);
            done++;
        }
    }
    return done > 0 ? (int64_t)done : r;
}

SYSCALL_6(sendto, int, fd, uint64_t, buf, uint64_t, size, int, flags, uint64_t, addr, int,
          addr_size)
{
    _cleanup_file_ struct file *f = NULL;
    struct socket *s = NULL;
    struct sock_msg m = {.flags = flags};
    int r = sock_get(fd, &f, &s);

    if (r == 0 && addr != 0 && addr_size != 0) {
        r = addr_size < 0 ? -EINVAL : sock_get_addr(addr, (uint32_t)addr_size, &m.addr);
        m.has_addr = true;
    }
    if (r < 0) {
        return r;
    }
    iter_init_user(&m.it, buf, MIN(size, 0x7ffff000ull));
    return s->ops->send(s, &m);
}

/* ---- receiving ---- */

/* Control data being written for the application. */
struct control_out {
    uint64_t at;
    uint64_t left;
    uint64_t used;
    int flags;
};

static int put_cmsg(struct control_out *c, int level, int type, const void *data, size_t size)
{
    struct cmsg_head h = {.len = sizeof(h) + size, .level = level, .type = type};

    if (c->left < sizeof(h)) {
        c->flags |= MSG_CTRUNC_;
        return 0;
    }
    if (c->left < h.len) {
        c->flags |= MSG_CTRUNC_;
        size = c->left - sizeof(h);
        h.len = c->left;
    }
    int r = user_put(c->at, &h);

    r = r < 0 ? r : user_copy_out(c->at + sizeof(h), data, size);
    uint64_t step = MIN(cmsg_align(h.len), c->left);

    c->at += step;
    c->left -= step;
    c->used += step;
    return r;
}

/* Descriptors for as many files as there is room for; the rest are dropped and MSG_CTRUNC says so.
 */
static int put_files(struct control_out *c, struct sock_msg *m, bool cloexec)
{
    int32_t fds[SCM_FILES_MAX];
    size_t room = c->left < sizeof(struct cmsg_head) ? 0 : (c->left - sizeof(struct cmsg_head)) / 4;
    size_t n = 0;

    while (n < m->file_count && n < room) {
        int fd = fd_install(m->files[n], cloexec, 0);

        if (fd < 0) {
            break;
        }
        m->files[n] = NULL; /* the table's now */
        fds[n++] = fd;
    }
    if (n < m->file_count) {
        c->flags |= MSG_CTRUNC_;
    }
    return n == 0 ? 0 : put_cmsg(c, SOL_SOCKET_, SCM_RIGHTS_, fds, n * 4);
}

/* What came with a datagram of the host's; well-formed (control_take_received made it). */
static int put_received(struct control_out *c, const struct sock_msg *m)
{
    int r = 0;

    for (size_t at = 0; r == 0 && at < m->control_size;) {
        struct cmsg_head h;

        __builtin_memcpy(&h, m->control + at, sizeof(h));
        r = put_cmsg(c, h.level, h.type, m->control + at + sizeof(h), h.len - sizeof(h));
        at += cmsg_align(h.len);
    }
    return r;
}

static int put_control(struct socket *s, struct sock_msg *m, struct control_out *c)
{
    int r = put_received(c, m);

    if (r == 0 && s->passcred && m->has_cred) {
        r = put_cmsg(c, SOL_SOCKET_, SCM_CREDENTIALS_, &m->cred, sizeof(m->cred));
    }
    if (r == 0 && m->file_count > 0) {
        r = put_files(c, m, (m->flags & MSG_CMSG_CLOEXEC_) != 0);
    }
    return r;
}

static int64_t receive_header(struct socket *s, uint64_t user_msg, int flags)
{
    struct sock_msg m = {.flags = flags};
    struct user_msghdr h;
    struct user_iov iov;
    int r = user_get(&h, user_msg);

    if (r == 0 && h.name_size < 0) {
        r = -EINVAL;
    }
    if (r == 0 && h.iov_count > 1024) {
        r = -EMSGSIZE;
    }
    r = r < 0 ? r : user_get_iov(&iov, h.iov, h.iov_count);
    if (r < 0) {
        return r;
    }
    iter_init_iov(&m.it, &iov);
    m.has_addr = h.name != 0;
    m.wants_control = true; /* without room for them MSG_CTRUNC tells that some came */
    int64_t n = s->ops->receive(s, &m);

    user_iov_free(&iov);
    if (n >= 0) {
        struct control_out c = {
            .at = h.control, .left = h.control == 0 ? 0 : h.control_size, .flags = m.out_flags};

        r = put_control(s, &m, &c);
        if (r == 0 && m.has_addr && m.addr.size > 0) {
            r = user_copy_out(h.name, m.addr.b, MIN((uint32_t)h.name_size, m.addr.size));
        }
        h.name_size = (int32_t)m.addr.size;
        h.control_size = c.used;
        h.flags = c.flags | (flags & MSG_CMSG_CLOEXEC_);
        r = r < 0 ? r : user_put(user_msg, &h);
        n = r < 0 ? r : n;
    }
    sock_msg_release(&m);
    return n;
}

SYSCALL_3(recvmsg, int, fd, uint64_t, user_msg, int, flags)
{
    _cleanup_file_ struct file *f = NULL;
    struct socket *s = NULL;
    int r = sock_get(fd, &f, &s);

    return r < 0 ? r : receive_header(s, user_msg, flags);
}

SYSCALL_5(recvmmsg, int, fd, uint64_t, user_msgs, uint32_t, count, int, flags, uint64_t, user_ts)
{
    _cleanup_file_ struct file *f = NULL;
    struct socket *s = NULL;
    uint64_t deadline = WAIT_FOREVER;
    int64_t r = sock_get(fd, &f, &s);
    uint32_t done = 0;

    r = r < 0 || user_ts == 0 ? r : timespec_user_deadline(user_ts, &deadline);
    count = MIN(count, MMSG_MAX);
    while (r >= 0 && done < count) {
        uint64_t at = user_msgs + done * 64ull;

        r = receive_header(s, at, flags & ~MSG_WAITFORONE_);
        if (r >= 0) {
            uint32_t n = (uint32_t)r;

            r = user_put(at + sizeof(struct user_msghdr), &n);
            done++;
        }
        if ((flags & MSG_WAITFORONE_) != 0) {
            flags |= MSG_DONTWAIT_;
        }
        if (deadline != WAIT_FOREVER && clock_monotonic() >= deadline) {
            break;
        }
    }
    return done > 0 ? (int64_t)done : r;
}

SYSCALL_6(recvfrom, int, fd, uint64_t, buf, uint64_t, size, int, flags, uint64_t, addr, uint64_t,
          addr_size)
{
    _cleanup_file_ struct file *f = NULL;
    struct socket *s = NULL;
    struct sock_msg m = {.flags = flags, .has_addr = addr != 0};
    int64_t n = sock_get(fd, &f, &s);

    if (n < 0) {
        return n;
    }
    iter_init_user(&m.it, buf, MIN(size, 0x7ffff000ull));
    n = s->ops->receive(s, &m);
    sock_msg_release(&m);
    if (n >= 0 && addr != 0) {
        int r = sock_put_addr(&m.addr, addr, addr_size);

        n = r < 0 ? r : n;
    }
    return n;
}
