/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Memory that two loaders of one application share, for the sealed channels between their enclaves.
 * It is a memfd whose size is sealed before anybody else sees it, so that no end can make the
 * other's pages vanish.
 */
#include "loader/hostcalls/hostcalls_internal.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* One byte, and room for one descriptor beside it. */
struct parcel {
    struct msghdr msg;
    struct iovec iov;
    char byte;
    union {
        struct cmsghdr head;
        uint8_t bytes[CMSG_SPACE(sizeof(int))];
    } control;
};

static void parcel_init(struct parcel *p)
{
    *p = (struct parcel){.byte = 'm'};
    p->iov = (struct iovec){.iov_base = &p->byte, .iov_len = 1};
    p->msg = (struct msghdr){.msg_iov = &p->iov,
                             .msg_iovlen = 1,
                             .msg_control = &p->control,
                             .msg_controllen = sizeof(p->control)};
}

static bool size_is_possible(uint64_t size)
{
    return size > 0 && size <= HOSTCALL_SHARE_MAX && size % NACRE_PAGE_SIZE == 0;
}

static int64_t map_shared(int fd, uint64_t size)
{
    return host_syscall6(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED, (uint64_t)fd, 0);
}

static int64_t send_descriptor(uint64_t to, int fd)
{
    struct parcel p;
    int64_t n;

    parcel_init(&p);
    p.control.head = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    __builtin_memcpy(CMSG_DATA(&p.control.head), &fd, sizeof(fd));
    n = host_syscall3(SYS_sendmsg, to, (uint64_t)&p.msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n == 0 ? -EAGAIN : n;
}

int64_t hostcall_share_offer(struct loader_thread *t, const uint64_t *a)
{
    int64_t address = 0;
    int64_t fd;
    int64_t r;

    if (!size_is_possible(a[1])) {
        return -EINVAL;
    }
    fd = host_syscall2(SYS_memfd_create, (uint64_t) "nacre-channel",
                       MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return fd;
    }
    r = host_syscall2(SYS_ftruncate, (uint64_t)fd, a[1]);
    r = r < 0 ? r : host_syscall3(SYS_fcntl, (uint64_t)fd, F_ADD_SEALS, SEALS);
    r = r < 0 ? r : map_shared((int)fd, a[1]);
    if (r > 0) {
        address = r;
        r = send_descriptor(a[0], (int)fd);
        if (r < 0) {
            (void)host_syscall2(SYS_munmap, (uint64_t)address, a[1]);
        }
    }
    (void)host_syscall1(SYS_close, (uint64_t)fd);
    return r < 0 ? r : address;
}

static int descriptor_in(const struct parcel *p)
{
    int fd = -1;

    if (p->msg.msg_controllen >= CMSG_LEN(sizeof(int)) &&
        p->control.head.cmsg_level == SOL_SOCKET && p->control.head.cmsg_type == SCM_RIGHTS) {
        __builtin_memcpy(&fd, CMSG_DATA(&p->control.head), sizeof(fd));
    }
    return fd;
}

int64_t hostcall_share_take(struct loader_thread *t, const uint64_t *a)
{
    struct stat st = {};
    struct parcel p;
    int64_t r;
    int fd;

    if (!size_is_possible(a[1])) {
        return -EINVAL;
    }
    parcel_init(&p);
    r = host_syscall3(SYS_recvmsg, a[0], (uint64_t)&p.msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (r <= 0) {
        return r == 0 ? -ECONNRESET : r;
    }
    fd = descriptor_in(&p);
    if (fd < 0) {
        return -ENODATA;
    }
    r = host_syscall2(SYS_fstat, (uint64_t)fd, (uint64_t)&st);
    if (r == 0) {
        const int64_t seals = host_syscall3(SYS_fcntl, (uint64_t)fd, F_GET_SEALS, 0);

        r = seals < 0 || (seals & F_SEAL_SHRINK) == 0 || (uint64_t)st.st_size < a[1]
                ? -EBADF
                : map_shared(fd, a[1]);
    }
    (void)host_syscall1(SYS_close, (uint64_t)fd);
    return r;
}
