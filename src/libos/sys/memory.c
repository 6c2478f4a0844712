/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* mmap, munmap, mprotect, brk, msync, mincore, mlock and kin. mremap and madvise: mremap.c,
 * madvise.c. */

#include <linux/mman.h>

#include "libos/boot/boot.h"
#include "libos/fs/file.h"
#include "libos/mm/brk.h"
#include "libos/mm/mm.h"
#include "libos/mm/page.h"
#include "libos/mm/user.h"
#include "libos/sys/limits.h"
#include "libos/sys/syscall.h"

#define PROT_KNOWN (PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM | PROT_GROWSDOWN | PROT_GROWSUP)
#define PROT_BITS  (PROT_READ | PROT_WRITE | PROT_EXEC)

/* Is [address, address + size) a range of whole pages of the application? Rounds size up. */
static int check_range(uint64_t address, uint64_t *size)
{
    const uint64_t rounded = page_align_up(*size);

    if (!is_page_aligned(address) || (rounded == 0 && *size != 0)) {
        return -EINVAL;
    }
    if (address + rounded < address || address + rounded > g_user_end) {
        return -ENOMEM;
    }
    *size = rounded;
    return 0;
}

static int64_t map_file(uint64_t address, uint64_t size, uint32_t prot, uint32_t flags, int fd,
                        uint64_t offset)
{
    _cleanup_file_ struct file *f = fd_get(fd);
    const bool shared = (flags & MAP_TYPE) != MAP_PRIVATE;
    uint64_t end;
    int r;

    if (f == NULL) {
        return -EBADF;
    }
    if (__builtin_add_overflow(offset, size, &end) || (int64_t)end < 0) {
        return -EOVERFLOW;
    }
    r = file_may_map(f, (prot & PROT_EXEC) != 0, (prot & PROT_WRITE) != 0, shared);
    if (r < 0) {
        return r;
    }
    return mm_map(address, size, prot & PROT_BITS, flags, f, offset, NULL);
}

SYSCALL_6(mmap, uint64_t, address, uint64_t, size, uint32_t, prot, uint32_t, flags, int, fd,
          uint64_t, offset)
{
    const uint32_t type = flags & MAP_TYPE;

    if (!is_page_aligned(offset)) {
        return -EINVAL;
    }
    if (size == 0 || (type != MAP_PRIVATE && type != MAP_SHARED && type != MAP_SHARED_VALIDATE)) {
        return -EINVAL;
    }
    if ((flags & MAP_HUGETLB) != 0) {
        return -ENOMEM; /* what Linux says when no huge pages are set aside */
    }
    if (size > g_user_end - g_user_start || page_align_up(size) == 0) {
        return -ENOMEM;
    }
    if ((flags & MAP_ANONYMOUS) == 0) {
        if (type == MAP_SHARED_VALIDATE && (flags & MAP_SYNC) != 0) {
            return -EOPNOTSUPP;
        }
        return map_file(address, size, prot, flags, fd, offset);
    }
    return mm_map(address, size, prot & PROT_BITS, flags, NULL, 0, NULL);
}

SYSCALL_2(munmap, uint64_t, address, uint64_t, size)
{
    const uint64_t rounded = page_align_up(size);

    if (!is_page_aligned(address) || size == 0 || rounded == 0 || address + rounded < address ||
        address + rounded > g_user_end) {
        return -EINVAL;
    }
    return mm_unmap(address, rounded);
}

SYSCALL_3(mprotect, uint64_t, address, uint64_t, size, uint32_t, prot)
{
    int r = check_range(address, &size);

    if ((prot & ~(uint32_t)PROT_KNOWN) != 0) {
        return -EINVAL;
    }
    if (r < 0) {
        return r;
    }
    if (size == 0) {
        return 0;
    }
    if ((prot & PROT_GROWSUP) != 0) {
        return -EINVAL; /* nothing grows up on x86 */
    }
    if ((prot & PROT_GROWSDOWN) != 0) {
        uint64_t start;

        r = mm_stack_start(address, &start);
        if (r < 0) {
            return r;
        }
        size += address - start;
        address = start;
    }
    return mm_protect(address, size, prot & PROT_BITS);
}

SYSCALL_1(brk, uint64_t, address)
{
    return (int64_t)mm_brk(address);
}

SYSCALL_3(msync, uint64_t, address, uint64_t, size, uint32_t, flags)
{
    int r = check_range(address, &size);

    if ((flags & ~(uint32_t)(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) != 0 ||
        (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC)) {
        return -EINVAL;
    }
    if (r < 0) {
        return r;
    }
    return size == 0 ? 0 : mm_sync_range(address, size);
}

SYSCALL_3(mincore, uint64_t, address, uint64_t, size, uint64_t, vec)
{
    const uint64_t pages = page_align_up(size) >> NACRE_PAGE_SHIFT;
    int r = check_range(address, &size);
    uint8_t chunk[256];

    if (r < 0) {
        return r;
    }
    if (user_check(vec, pages) < 0) {
        return -EFAULT;
    }
    if (!mm_range_has(address, size, 0)) {
        return -ENOMEM;
    }
    for (uint64_t done = 0; done < pages;) {
        const uint64_t n = MIN(pages - done, (uint64_t)sizeof(chunk));

        mutex_lock(&g_mm.lock);
        for (uint64_t i = 0; i < n; i++) {
            chunk[i] = page_state(address + ((done + i) << NACRE_PAGE_SHIFT)) & PAGE_COMMITTED;
        }
        mutex_unlock(&g_mm.lock);
        r = user_copy_out(vec + done, chunk, n);
        if (r < 0) {
            return r;
        }
        done += n;
    }
    return 0;
}

/* ---- locking: enclave pages cannot be swapped in clear, so it means "present now" ---- */

static int set_locked(uint64_t address, uint64_t size, bool on)
{
    const uint64_t end = address + size;
    uint64_t at = address;
    struct vma *v;
    int r;

    mutex_lock(&g_mm.lock);
    r = mm_split_at(address);
    if (r == 0) {
        r = mm_split_at(end);
    }
    v = vma_find(&g_mm.tree, address);
    while (r == 0 && at < end) {
        if (v == NULL || v->start > at) {
            r = -ENOMEM;
            break;
        }
        v->flags = on ? v->flags | VMA_LOCKED : v->flags & ~VMA_LOCKED;
        at = v->end;
        v = vma_next(mm_merge(v));
    }
    mutex_unlock(&g_mm.lock);
    return r;
}

static int64_t lock_range(uint64_t address, uint64_t size, bool populate)
{
    const uint64_t start = page_align_down(address);
    uint64_t length;
    int r;

    if (__builtin_add_overflow(size, address - start, &length)) {
        return -EINVAL;
    }
    r = check_range(start, &length);
    if (r < 0 || length == 0) {
        return r;
    }
    r = set_locked(start, length, true);
    if (r == 0 && populate) {
        r = mm_populate(start, length);
    }
    return r;
}

SYSCALL_2(mlock, uint64_t, address, uint64_t, size)
{
    return lock_range(address, size, true);
}

#define MLOCK_ONFAULT_FLAG 1u

SYSCALL_3(mlock2, uint64_t, address, uint64_t, size, uint32_t, flags)
{
    if ((flags & ~MLOCK_ONFAULT_FLAG) != 0) {
        return -EINVAL;
    }
    return lock_range(address, size, (flags & MLOCK_ONFAULT_FLAG) == 0);
}

SYSCALL_2(munlock, uint64_t, address, uint64_t, size)
{
    const uint64_t start = page_align_down(address);
    uint64_t length;
    int r;

    if (__builtin_add_overflow(size, address - start, &length)) {
        return -EINVAL;
    }
    r = check_range(start, &length);
    return r < 0 || length == 0 ? r : set_locked(start, length, false);
}

SYSCALL_1(mlockall, uint32_t, flags)
{
    if (flags == 0 || (flags & ~(uint32_t)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) != 0 ||
        flags == MCL_ONFAULT) {
        return -EINVAL;
    }
    mutex_lock(&g_mm.lock);
    g_mm.lock_future = (flags & MCL_FUTURE) != 0 && (flags & MCL_ONFAULT) == 0;
    mutex_unlock(&g_mm.lock);
    return 0;
}

SYSCALL_0(munlockall)
{
    mutex_lock(&g_mm.lock);
    g_mm.lock_future = false;
    for (struct vma *v = vma_first(&g_mm.tree); v != NULL; v = vma_next(v)) {
        v->flags &= ~VMA_LOCKED;
    }
    mutex_unlock(&g_mm.lock);
    return 0;
}
