/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Pages on demand: zero-filled ones, file content, growing stacks. */

#include <linux/mman.h>

#include "abi/sgx_arch.h"
#include "libos/boot/boot.h"
#include "libos/fs/file.h"
#include "libos/mm/kmem.h"
#include "libos/mm/mm.h"
#include "libos/mm/page.h"
#include "libos/proc/thread.h"
#include "libos/shm/local.h"

/* A fault brings in this much around it, as far as the mapping goes: an exception costs as much as
 * dozens of pages. */
#define FAULT_AROUND_ANON ((uint64_t)64 << 10)
#define FAULT_AHEAD_ANON  ((uint64_t)256 << 10)
#define FAULT_AROUND_FILE ((uint64_t)128 << 10)

static bool single_threaded(void)
{
    const struct process *p = process_current();

    return p == NULL || __atomic_load_n(&p->thread_count, __ATOMIC_RELAXED) <= 1;
}

/* ---- file content ---- */

static int read_fully(struct file *f, uint8_t *dst, uint64_t size, uint64_t offset)
{
    uint64_t done = 0;

    while (done < size) {
        int64_t n = file_pread(f, dst + done, size - done, offset + done);

        if (n < 0) {
            return (int)n;
        }
        if (n == 0) {
            break; /* the end of the file: the rest of its last page is zero */
        }
        done += (uint64_t)n;
    }
    return 0;
}

/* Pages filled by way of a buffer at once. */
#define HIDDEN_PAGES 32u

/* Of a shared mapping: somebody wrote to the page between its birth and the end of its write
 * permission. Nobody can any more, so looking now is final. */
static int find_early_writes(const struct vma *v, uint64_t start, uint64_t size,
                             const uint8_t *buffer)
{
    int r = 0;

    for (uint64_t i = 0; i < size && r == 0; i += NACRE_PAGE_SIZE) {
        if (__builtin_memcmp((const void *)(start + i), buffer + i, NACRE_PAGE_SIZE) != 0) {
            r = page_protect(start + i, NACRE_PAGE_SIZE, mm_page_prot(v->prot));
        }
    }
    return r;
}

/* Other threads run: they must not see a page half filled, nor write where they may not. */
static int fill_hidden(const struct vma *v, uint64_t start, uint64_t size, uint8_t *buffer)
{
    const uint8_t prot = mm_fill_prot(v);
    int r;

    __builtin_memset(buffer, 0, size);
    r = read_fully(v->file, buffer, size, v->offset + (start - v->start));
    for (uint64_t i = 0; i < size && r == 0; i += NACRE_PAGE_SIZE) {
        r = page_commit_copy(start + i, buffer + i, prot);
    }
    if (r == 0) {
        r = page_protect(start, size, prot);
    }
    if (r == 0 && prot != mm_page_prot(v->prot)) {
        r = find_early_writes(v, start, size, buffer);
    }
    return r;
}

static int fill_run_hidden(const struct vma *v, uint64_t start, uint64_t end)
{
    const uint64_t pages = MIN((end - start) >> NACRE_PAGE_SHIFT, (uint64_t)HIDDEN_PAGES);
    uint8_t *buffer = kpages_alloc(pages);
    int r = buffer == NULL ? -ENOMEM : 0;

    while (r == 0 && start < end) {
        const uint64_t size = MIN(end - start, pages << NACRE_PAGE_SHIFT);

        r = fill_hidden(v, start, size, buffer);
        start += size;
    }
    kpages_free(buffer, pages);
    return r;
}

/* A run of uncommitted pages. */
static int fill_run(const struct vma *v, uint64_t start, uint64_t end)
{
    const uint8_t prot = mm_fill_prot(v);
    int r;

    if (!single_threaded()) {
        return fill_run_hidden(v, start, end);
    }
    r = page_commit(start, end - start, PAGE_R | PAGE_W);
    if (r == 0) {
        r = read_fully(v->file, (uint8_t *)start, end - start, v->offset + (start - v->start));
    }
    if (r == 0 && prot != (PAGE_R | PAGE_W)) {
        r = page_protect(start, end - start, prot);
    }
    return r;
}

static int populate_file(const struct vma *v, uint64_t start, uint64_t end)
{
    while (start < end) {
        uint64_t run = start;
        int r;

        if ((page_state(start) & PAGE_COMMITTED) != 0) {
            start += NACRE_PAGE_SIZE;
            continue;
        }
        while (run < end && (page_state(run) & PAGE_COMMITTED) == 0) {
            run += NACRE_PAGE_SIZE;
        }
        r = fill_run(v, start, run);
        if (r < 0) {
            return r;
        }
        start = run;
    }
    return 0;
}

/* First address of the mapping that lies behind the end of the file (whole pages). */
static uint64_t file_end(const struct vma *v)
{
    struct kstat st;
    uint64_t pages_end;

    if (file_stat(v->file, &st) < 0) {
        return v->start;
    }
    pages_end = page_align_up((uint64_t)st.size);
    if (pages_end <= v->offset) {
        return v->start;
    }
    return MIN(v->end, v->start + (pages_end - v->offset));
}

int mm_populate_locked(struct vma *v, uint64_t start, uint64_t end)
{
    if (v->prot == PROT_NONE || v->object != NULL) {
        return 0; /* pages of others come when they are touched */
    }
    if (v->file == NULL) {
        return page_commit(start, end - start, mm_page_prot(v->prot));
    }
    end = MIN(end, file_end(v));
    return start < end ? populate_file(v, start, end) : 0;
}

int mm_populate(uint64_t address, uint64_t size)
{
    const uint64_t end = address + size;
    struct vma *v;
    uint64_t at = address;
    int r = 0;

    mutex_lock(&g_mm.lock);
    v = vma_find(&g_mm.tree, address);
    while (r == 0 && at < end) {
        if (v == NULL || v->start > at) {
            r = -ENOMEM;
            break;
        }
        r = mm_populate_locked(v, MAX(at, v->start), MIN(end, v->end));
        at = v->end;
        v = vma_next(v);
    }
    mutex_unlock(&g_mm.lock);
    return r;
}

/* ---- the fault ---- */

/* A stack that grows down to `address`: as Linux, any distance the limit allows, but never closer
 * to the mapping below than the guard gap, unless that one is a guard itself. */
#define GUARD_GAP ((uint64_t)256 << NACRE_PAGE_SHIFT)

static bool grow_stack(struct vma *v, uint64_t address)
{
    const struct vma *prev = vma_prev(v);
    const uint64_t start = page_align_down(address);
    const uint64_t floor = prev == NULL ? g_mm.tree.low : prev->end;
    const bool guarded =
        prev != NULL && (prev->prot == PROT_NONE || (prev->flags & VMA_GROWSDOWN) != 0);

    if ((v->flags & VMA_GROWSDOWN) == 0 || v->end - start > g_mm.stack_limit || start < floor ||
        (!guarded && start - floor < GUARD_GAP)) {
        return false;
    }
    vma_resize(&g_mm.tree, v, start, v->end);
    return true;
}

static bool allowed(const struct vma *v, uint32_t code)
{
    if ((code & X86_PF_W) != 0) {
        return (v->prot & PROT_WRITE) != 0;
    }
    if ((code & X86_PF_I) != 0) {
        return (v->prot & PROT_EXEC) != 0;
    }
    return v->prot != PROT_NONE;
}

static int commit_around(struct vma *v, uint64_t page)
{
    const uint64_t around = v->file != NULL ? FAULT_AROUND_FILE : FAULT_AROUND_ANON;
    uint64_t start = MAX(v->start, page & ~(around - 1));
    uint64_t end = MIN(v->end, (page & ~(around - 1)) + around);
    int r;

    /* Memory that is walked through upwards: more at a time. */
    if (v->file == NULL && start > v->start &&
        (page_state(start - NACRE_PAGE_SIZE) & PAGE_COMMITTED) != 0) {
        end = MIN(v->end, start + FAULT_AHEAD_ANON);
    }
    if (v->file != NULL && page >= file_end(v)) {
        return -EIO;
    }
    r = mm_populate_locked(v, start, end);
    if (r == -ENOMEM) {
        /* The page itself may still fit. */
        r = mm_populate_locked(v, page, page + NACRE_PAGE_SIZE);
    }
    return r;
}

/* The first write to a page of a shared mapping, or to its neighbours: from here on they count as
 * changed. */
static int begin_writing(struct vma *v, uint64_t page)
{
    const uint64_t start = MAX(v->start, page & ~(FAULT_AROUND_ANON - 1));
    const uint64_t end = MIN(v->end, (page & ~(FAULT_AROUND_ANON - 1)) + FAULT_AROUND_ANON);

    return page_protect(start, end - start, mm_page_prot(v->prot));
}

/* 1: it is for the pager, who is asked without the lock. */
static int fault_locked(uint64_t address, uint32_t code)
{
    const uint64_t page = page_align_down(address);
    struct vma *v = vma_find(&g_mm.tree, address);
    uint8_t state;
    uint8_t have;
    uint8_t fill;
    uint8_t full;

    if (v == NULL || (v->start > address && !grow_stack(v, address))) {
        return -EFAULT;
    }
    if (!allowed(v, code)) {
        return -EACCES;
    }
    if (v->object != NULL) {
        return page - v->start + v->offset < shm_object_size(v->object) ? 1 : -EIO;
    }
    fill = mm_fill_prot(v);
    full = mm_page_prot(v->prot);
    state = page_state(page);
    if ((state & PAGE_COMMITTED) == 0) {
        int r = commit_around(v, page);

        if (r < 0) {
            return r != -ENOMEM ? -EIO : r;
        }
        state = page_state(page);
    }
    have = state & PAGE_RWX;
    if ((code & X86_PF_W) != 0 && have == fill && fill != full) {
        return begin_writing(v, page);
    }
    /* Another thread was faster, or the page's own permissions lag behind. */
    return have == full || have == fill ? 0 : page_protect(page, NACRE_PAGE_SIZE, fill);
}

int mm_fault(uint64_t address, uint32_t code, uint64_t rsp)
{
    int r;

    if (address < g_user_start || address >= g_user_end) {
        return -EFAULT;
    }
    if (g_mm.lock.owner == thread_current() && g_mm.lock.owner != NULL) {
        return -EFAULT; /* ours, under the lock: a bug; the caller reports it */
    }
    mutex_lock(&g_mm.lock);
    r = fault_locked(address, code);
    mutex_unlock(&g_mm.lock);
    return r > 0 ? shm_fault(address, (code & X86_PF_W) != 0, /*give_way=*/rsp != UINT64_MAX) : r;
}
