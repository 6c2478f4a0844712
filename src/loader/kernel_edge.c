/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "loader/kernel_edge.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "core/le.h"
#include "loader/aesm.h"

static int sys_open(const char *path, int flags)
{
    const int fd = open(path, flags | O_CLOEXEC | O_NOCTTY);

    return fd < 0 ? -errno : fd;
}

static void sys_close(int fd)
{
    (void)close(fd);
}

static int sys_ioctl(int fd, unsigned long request, void *argument)
{
    const int r = ioctl(fd, request, argument);

    return r < 0 ? -errno : r;
}

static int sys_map(uint64_t at, size_t size, int prot, int flags, int fd)
{
    void *p = mmap((void *)(uintptr_t)at, size, prot, flags, fd, 0);

    if (p == MAP_FAILED) {
        return -errno;
    }
    if ((uint64_t)p != at) { /* a kernel that does not know MAP_FIXED_NOREPLACE */
        (void)munmap(p, size);
        return -EEXIST;
    }
    return 0;
}

static int sys_protect(uint64_t at, size_t size, int prot)
{
    return mprotect((void *)(uintptr_t)at, size, prot) < 0 ? -errno : 0;
}

static int sys_unmap(uint64_t at, size_t size)
{
    return munmap((void *)(uintptr_t)at, size) < 0 ? -errno : 0;
}

static const uint8_t *sys_vdso(void)
{
    return (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
}

static uint64_t sys_mmap_min_addr(void)
{
    _cleanup_close_ int fd = open("/proc/sys/vm/mmap_min_addr", O_RDONLY | O_CLOEXEC);
    char text[32] = {};

    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0) {
        return 65536; /* the kernel's own default */
    }
    return strtoull(text, NULL, 10);
}

static bool sys_has_sgx2(void)
{
    uint32_t a = 0, b = 0, c = 0, d = 0;

    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & 1u << 2) != 0 &&
           __get_cpuid_count(0x12, 0, &a, &b, &c, &d) != 0 && (a & 1u << 1) != 0;
}

/* --- AESM --- */

static int transfer(int fd, uint8_t *p, size_t size, bool out)
{
    while (size > 0) {
        const ssize_t n = out ? send(fd, p, size, MSG_NOSIGNAL) : recv(fd, p, size, 0);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : -EPIPE;
        }
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

static int sys_aesm(const uint8_t *request, size_t size, uint8_t **ret, size_t *ret_size)
{
    const struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = AESM_SOCKET};
    const struct timeval patience = {.tv_sec = 30};
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    _cleanup_free_ uint8_t *message = malloc(size + 4);
    _cleanup_free_ uint8_t *answer = NULL;
    uint8_t head[4];
    int r;

    if (fd < 0 || message == NULL) {
        return fd < 0 ? -errno : -ENOMEM;
    }
    le32_store(message, (uint32_t)size);
    memcpy(message + 4, request, size);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0) {
        return -errno;
    }
    r = transfer(fd, message, size + 4, /*out=*/true);
    if (r == 0) {
        r = transfer(fd, head, sizeof(head), /*out=*/false);
    }
    if (r < 0) {
        return r;
    }
    if (le32_load(head) == 0 || le32_load(head) > AESM_MESSAGE_MAX) {
        return -EMSGSIZE;
    }
    answer = malloc(le32_load(head));
    if (answer == NULL) {
        return -ENOMEM;
    }
    r = transfer(fd, answer, le32_load(head), /*out=*/false);
    if (r == 0) {
        *ret_size = le32_load(head);
        *ret = TAKE_PTR(answer);
    }
    return r;
}

const struct kernel_edge kernel_edge_system = {
    .open = sys_open,
    .close = sys_close,
    .ioctl = sys_ioctl,
    .map = sys_map,
    .protect = sys_protect,
    .unmap = sys_unmap,
    .vdso = sys_vdso,
    .mmap_min_addr = sys_mmap_min_addr,
    .has_sgx2 = sys_has_sgx2,
    .aesm = sys_aesm,
};
