/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The application's address space. One lock, mm_lock, over the mappings and their pages. It is held
 * across host calls (pages, file content) but never while application memory is accessed, because
 * such an access may fault and the fault handler takes it.
 */

#include "libos/lib/sync.h"
#include "libos/mm/vma.h"

struct strbuf;

struct mm {
    struct mutex lock;
    struct vma_tree tree;
    uint64_t mmap_top;  /* search starts below */
    uint64_t brk_start; /* heap */
    uint64_t brk_end;
    uint64_t stack_limit; /* bytes the main stack may grow to */
    bool lock_future;     /* mlockall(MCL_FUTURE) */
    bool clearing;        /* mm_clear is at work: trampolines go too */
};
extern struct mm g_mm;

[[nodiscard]] int mm_init(void);
/* Drops every mapping of the application (execve). */
void mm_clear(void);
/* New random places for stack, heap and mmap area. */
void mm_randomize(void);

/* mmap as the system call has it, after the arguments were checked for nonsense; `file` is borrowed
 * (NULL: anonymous). Address, or -Exxx. */
[[nodiscard]] int64_t mm_map(uint64_t address, uint64_t size, uint32_t prot, uint32_t flags,
                             struct file *file, uint64_t offset, const char *name);
/* A shared object of `size` bytes that this process was granted one more attachment of
 * (shm/local.h), which goes with a failure. `flags`: MAP_FIXED, MAP_FIXED_NOREPLACE or 0. */
[[nodiscard]] int64_t mm_map_object(uint64_t address, uint64_t size, uint32_t prot, uint32_t flags,
                                    uint64_t object);
/* What was mapped so at `address`, and is left of it; -EINVAL: nothing. */
[[nodiscard]] int mm_unmap_object(uint64_t address, uint64_t *ret_object);
[[nodiscard]] int mm_unmap(uint64_t address, uint64_t size);
[[nodiscard]] int mm_protect(uint64_t address, uint64_t size, uint32_t prot);

/* A page fault: x86 error code, address; `rsp` of the application for stacks that grow (UINT64_MAX:
 * access of the library OS). 0: go on. -EFAULT: nothing mapped; -EACCES: mapped, not allowed;
 * -ENOMEM: no memory left; -EIO: behind the end of a mapped file. */
[[nodiscard]] int mm_fault(uint64_t address, uint32_t code, uint64_t rsp);

/* Makes the pages of a range present, as far as they are mapped (populate, mlock). */
[[nodiscard]] int mm_populate(uint64_t address, uint64_t size);

/* Start of the growing mapping `address` lies in (PROT_GROWSDOWN). -ENOMEM, -EINVAL: it is none. */
[[nodiscard]] int mm_stack_start(uint64_t address, uint64_t *ret);
/* Is there a mapping with these PROT_* bits over the whole range? */
bool mm_range_has(uint64_t address, uint64_t size, uint32_t prot);

/* Writes pages of shared file mappings back. */
[[nodiscard]] int mm_sync_range(uint64_t address, uint64_t size);
void mm_sync_all(void);

/* For /proc/self/maps, status, statm. */
[[nodiscard]] int mm_format_maps(struct strbuf *out, bool smaps);
void mm_sizes(uint64_t *ret_virtual, uint64_t *ret_resident, uint64_t *ret_data);

/* --- inside mm/ --- */
uint8_t mm_page_prot(uint32_t prot);
struct vma *mm_vma_alloc(void);
void mm_vma_free(struct vma *v);
/* Splits so that a mapping begins at `at` (if one crosses it). */
[[nodiscard]] int mm_split_at(uint64_t at);
/* Joins `v` with its neighbours where they are alike; returns the mapping that now holds it. */
struct vma *mm_merge(struct vma *v);
[[nodiscard]] int mm_unmap_locked(uint64_t address, uint64_t size);
[[nodiscard]] int mm_populate_locked(struct vma *v, uint64_t start, uint64_t end);
/* Pages of a shared mapping that can be written back are filled without PAGE_W: a page that has it
 * may differ from the file. */
uint8_t mm_fill_prot(const struct vma *v);
/* Writes those of [start, end) back. `stays`: the mapping goes on, so what is written from here on
 * is noticed again. */
[[nodiscard]] int mm_sync_vma(struct vma *v, uint64_t start, uint64_t end, bool stays);
