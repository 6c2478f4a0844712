/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Iago fuzzing: every answer of the host, and what it writes into the bounce area, comes from the
 * input while a fixed sequence of file, socket and epoll calls runs in the hosted library OS. No
 * crash, no access out of bounds, no loop without end: when the input is used up every call fails.
 */

#include <linux/eventpoll.h>
#include <string.h>

#include "fuzz.h"
#include "libos/fs/file.h"
#include "libos/fs/hostfs/hostfs.h"
#include "unit/libos/call.h"
#include "unit/libos/fake_host.h"
#include "unit/libos/fake_kernel.h"

#include <asm/stat.h>

static void files(void)
{
    static char buf[65536];
    struct stat st;
    int fd = (int)SYS(open, "/host/some/file", O_RDONLY | O_NONBLOCK, 0);

    if (fd >= 0) {
        (void)SYS(read, fd, buf, sizeof(buf));
        (void)SYS(pread64, fd, buf, 100, 8000);
        (void)SYS(fstat, fd, &st);
        (void)SYS(close, fd);
    }
    (void)SYS(stat, "/host/a/../b", &st);
    (void)SYS(readlink, "/host/link", buf, 4096);
    fd = (int)SYS(open, "/host", O_RDONLY | O_DIRECTORY, 0);
    if (fd >= 0) {
        for (int i = 0; i < 8 && SYS(getdents64, fd, buf, 4096) > 0; i++) {
        }
        (void)SYS(close, fd);
    }
    fd = (int)SYS(open, "/pass/new", O_CREAT | O_RDWR, 0600);
    if (fd >= 0) {
        (void)SYS(write, fd, buf, 5000);
        (void)SYS(lseek, fd, 0, SEEK_END);
        (void)SYS(ftruncate, fd, 10);
        (void)SYS(close, fd);
    }
    (void)SYS(rename, "/pass/new", "/pass/old");
    (void)SYS(unlink, "/pass/old");
}

static void sockets(void)
{
    char addr[128] = {2};
    uint32_t size = sizeof(addr);
    char buf[512];
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT, .data = 1};
    struct epoll_event out[4];
    int s = (int)SYS(socket, 2, 1 | 04000, 0);
    int ep = (int)SYS(epoll_create1, 0);

    (void)SYS(bind, s, addr, 16);
    (void)SYS(listen, s, 5);
    (void)SYS(getsockname, s, addr, &size);
    (void)SYS(connect, s, addr, 16);
    (void)SYS(epoll_ctl, ep, EPOLL_CTL_ADD, s, &ev);
    (void)SYS(epoll_wait, ep, out, 4, 0);
    (void)SYS(write, s, buf, sizeof(buf));
    (void)SYS(read, s, buf, sizeof(buf));
    size = sizeof(buf);
    (void)SYS(getsockopt, s, 1, 4, buf, &size);
    int a = (int)SYS(accept4, s, 0, 0, 04000);

    if (a >= 0) {
        size = sizeof(addr);
        (void)SYS(recvfrom, a, buf, sizeof(buf), 0x40, addr, &size);
        (void)SYS(close, a);
    }
    (void)SYS(close, s);
    (void)SYS(close, ep);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct superblock *ro = NULL;
    struct superblock *rw = NULL;

    fake_boot(-1, 1);
    (void)SYS(mkdir, "/host", 0755);
    (void)SYS(mkdir, "/pass", 0755);
    fake_host_fuzz(data, size);
    if (hostfs_create(90, /*writable=*/false, &ro) == 0) {
        (void)!mount_add("/host", ro, 0, "host");
    }
    if (hostfs_create(91, /*writable=*/true, &rw) == 0) {
        (void)!mount_add("/pass", rw, 0, "host");
    }
    files();
    sockets();
    fake_shutdown();
    return 0;
}
