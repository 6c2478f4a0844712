/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* open, openat, openat2, creat, close, close_range. */

#include <linux/openat2.h>

#include "libos/fs/fd_table.h"
#include "libos/fs/fs_context.h"
#include "libos/fs/names.h"
#include "libos/proc/thread.h"
#include "libos/sys/path_arg.h"
#include "libos/sys/syscall.h"

#define OPEN_FLAGS_KNOWN                                                                       \
    ((uint32_t)(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK |    \
                O_DSYNC | FASYNC | O_DIRECT | O_LARGEFILE | KERNEL_O_LARGEFILE | O_DIRECTORY | \
                O_NOFOLLOW | O_NOATIME | O_CLOEXEC | __O_SYNC | O_PATH | __O_TMPFILE))

static int64_t open_common(int dirfd, uint64_t user_path, uint32_t flags, uint32_t mode,
                           uint32_t lookup)
{
    _cleanup_kfree_ char *name = NULL;
    struct file *f = NULL;
    int r = user_get_path(user_path, &name);

    if (r < 0) {
        return r;
    }
    r = name_open(dirfd, name, flags | KERNEL_O_LARGEFILE, mode, lookup, &f);
    if (r < 0) {
        return r;
    }
    r = fd_install(f, (flags & O_CLOEXEC) != 0, 0);
    if (r < 0) {
        file_put(f);
    }
    return r;
}

/* open(2) ignores what it does not know; openat2(2) refuses it. */
SYSCALL_3(open, uint64_t, path, int, flags, uint32_t, mode)
{
    return open_common(AT_FDCWD, path, (uint32_t)flags & OPEN_FLAGS_KNOWN, mode, 0);
}

SYSCALL_4(openat, int, dirfd, uint64_t, path, int, flags, uint32_t, mode)
{
    return open_common(dirfd, path, (uint32_t)flags & OPEN_FLAGS_KNOWN, mode, 0);
}

SYSCALL_2(creat, uint64_t, path, uint32_t, mode)
{
    return open_common(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode, 0);
}

/* openat2: the structure may grow; what we do not know must be zero. */
static int get_how(uint64_t user_how, uint64_t size, struct open_how *ret)
{
    uint8_t tail[64];
    int r;

    if (size < sizeof(*ret)) {
        return -EINVAL;
    }
    if (size > NACRE_PAGE_SIZE) {
        return -E2BIG;
    }
    r = user_copy_in(ret, user_how, sizeof(*ret));
    for (uint64_t at = sizeof(*ret); r == 0 && at < size; at += sizeof(tail)) {
        size_t n = MIN(size - at, sizeof(tail));

        r = user_copy_in(tail, user_how + at, n);
        for (size_t i = 0; r == 0 && i < n; i++) {
            r = tail[i] == 0 ? 0 : -E2BIG;
        }
    }
    return r;
}

static int lookup_of_resolve(uint64_t resolve, uint32_t *ret)
{
    static const struct {
        uint64_t bit;
        uint32_t lookup;
    } map[] = {
        {RESOLVE_NO_XDEV, LOOKUP_NO_XDEV},         {RESOLVE_NO_MAGICLINKS, LOOKUP_NO_MAGICLINKS},
        {RESOLVE_NO_SYMLINKS, LOOKUP_NO_SYMLINKS}, {RESOLVE_BENEATH, LOOKUP_BENEATH},
        {RESOLVE_IN_ROOT, LOOKUP_IN_ROOT},         {RESOLVE_CACHED, 0},
    };

    *ret = 0;
    for (size_t i = 0; i < ARRAY_COUNT(map); i++) {
        if ((resolve & map[i].bit) != 0) {
            *ret |= map[i].lookup;
            resolve &= ~map[i].bit;
        }
    }
    if (resolve != 0 ||
        (*ret & (LOOKUP_BENEATH | LOOKUP_IN_ROOT)) == (LOOKUP_BENEATH | LOOKUP_IN_ROOT)) {
        return -EINVAL;
    }
    return 0;
}

SYSCALL_4(openat2, int, dirfd, uint64_t, path, uint64_t, user_how, uint64_t, size)
{
    struct open_how how;
    uint32_t lookup = 0;
    int r = get_how(user_how, size, &how);

    if (r == 0) {
        r = lookup_of_resolve(how.resolve, &lookup);
    }
    if (r < 0) {
        return r;
    }
    if ((how.flags & ~(uint64_t)OPEN_FLAGS_KNOWN) != 0 || (how.mode & ~07777ull) != 0) {
        return -EINVAL;
    }
    if (how.mode != 0 && (how.flags & (O_CREAT | __O_TMPFILE)) == 0) {
        return -EINVAL;
    }
    if ((how.flags & O_PATH) != 0 &&
        (how.flags & ~(uint64_t)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) != 0) {
        return -EINVAL;
    }
    if ((how.resolve & RESOLVE_CACHED) != 0 &&
        (how.flags & (O_TRUNC | O_CREAT | __O_TMPFILE)) != 0) {
        return -EAGAIN; /* what changes something is never done from the cache alone */
    }
    return open_common(dirfd, path, (uint32_t)how.flags, (uint32_t)how.mode, lookup);
}

SYSCALL_1(close, int, fd)
{
    return fd_close(fd);
}

SYSCALL_3(close_range, uint32_t, first, uint32_t, last, uint32_t, flags)
{
    /* CLOSE_RANGE_UNSHARE (2): the table is not shared with another process, nothing to do */
    if ((flags & ~6u) != 0) {
        return -EINVAL;
    }
    return fd_close_range(first, last, /*cloexec_only=*/(flags & 4u) != 0);
}

SYSCALL_1(umask, uint32_t, mask)
{
    return __atomic_exchange_n(&process_current()->fs->umask, mask & 0777, __ATOMIC_RELAXED);
}
