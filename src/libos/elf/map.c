/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Segments into the address space. */

#include <linux/mman.h>

#include "libos/boot/boot.h"
#include "libos/elf/exec.h"
#include "libos/lib/random.h"
#include "libos/libos.h"
#include "libos/mm/mm.h"
#include "libos/mm/user.h"
#include "libos/vdso/vdso.h"

/* Position-independent programs start somewhere in [320 GiB, 384 GiB), heaps up to 32 MiB behind
 * the program, the stack in the last 8 GiB of the application's part, mappings below it. */
#define PIE_LOW     (320ull << 30)
#define PIE_PAGES   (1ull << 24)
#define BRK_PAGES   (1ull << 13)
#define STACK_PAGES (1ull << 21)
#define STACK_FIRST ((uint64_t)132 << 10) /* mapped at the start; it grows from there */

static uint64_t random_pages(uint64_t below)
{
    return (random_u64() & (below - 1)) << NACRE_PAGE_SHIFT;
}

/* The file part: whole pages, private. */
static int map_file_part(struct file *f, const struct elf_load *l, uint64_t bias)
{
    const uint64_t start = page_align_down(l->vaddr);
    const uint64_t end = page_align_up(l->vaddr + l->file_size);
    int64_t r = mm_map(bias + start, end - start, l->prot, MAP_PRIVATE | MAP_FIXED, f,
                       page_align_down(l->offset), NULL);

    return r < 0 ? (int)r : 0;
}

/* What lies behind the file part: the rest of its last page is cleared, further pages are new. */
static int map_zero_part(const struct elf_load *l, uint64_t bias)
{
    const uint64_t file_end = bias + l->vaddr + l->file_size;
    const uint64_t page_end =
        l->file_size == 0 ? page_align_down(file_end) : page_align_up(file_end);
    const uint64_t end = page_align_up(bias + l->vaddr + l->memory_size);
    int64_t r;

    if (l->file_size != 0 && page_end > file_end && (l->prot & PROT_WRITE) != 0) {
        int c = user_clear(file_end, page_end - file_end);

        if (c < 0) {
            return c;
        }
    }
    if (end <= page_end) {
        return 0;
    }
    r = mm_map(page_end, end - page_end, l->prot, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, NULL, 0,
               NULL);
    return r < 0 ? (int)r : 0;
}

static int map_segments(struct file *f, const struct elf_info *info, uint64_t bias)
{
    for (size_t i = 0; i < info->load_count; i++) {
        const struct elf_load *l = &info->loads[i];
        int r = 0;

        if (l->file_size != 0) {
            r = map_file_part(f, l, bias);
        }
        if (r == 0 && l->memory_size > l->file_size) {
            r = map_zero_part(l, bias);
        }
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* Finds room for all segments together. What is added to the addresses in the file. */
static int place(const struct elf_info *info, uint64_t preferred, uint64_t *ret_bias)
{
    const uint64_t span = info->high - info->low;
    const uint64_t room = span + info->align - NACRE_PAGE_SIZE;
    uint64_t at;

    if (!info->dynamic) {
        if (info->low < g_user_start || info->high > g_user_end) {
            libos_log(LOG_ERROR,
                      "the program is linked for address 0x%lx, which this enclave does not have",
                      info->low);
            return -ENOMEM;
        }
        *ret_bias = 0;
        return 0;
    }
    mutex_lock(&g_mm.lock);
    at = preferred != 0 && vma_range_free(&g_mm.tree, preferred, preferred + room)
             ? preferred
             : vma_find_gap(&g_mm.tree, room, g_user_start, g_mm.mmap_top);
    mutex_unlock(&g_mm.lock);
    if (at == 0) {
        return -ENOMEM;
    }
    at = (at + info->align - 1) & ~(info->align - 1);
    *ret_bias = at - info->low;
    return 0;
}

static int map_stack(bool executable, uint64_t *ret_top)
{
    const uint64_t top = g_user_end - NACRE_PAGE_SIZE - random_pages(STACK_PAGES);
    const uint32_t prot = PROT_READ | PROT_WRITE | (executable ? (uint32_t)PROT_EXEC : 0u);
    int64_t r = mm_map(top - STACK_FIRST, STACK_FIRST, prot,
                       MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_GROWSDOWN, NULL, 0, "[stack]");

    if (r < 0) {
        return (int)r;
    }
    *ret_top = top;
    return 0;
}

int program_map(const struct program *p, struct program_layout *ret)
{
    const uint64_t pie = g_enclave_base + PIE_LOW + random_pages(PIE_PAGES);
    struct program_layout l = {0};
    uint64_t bias;
    int r;

    mm_randomize();
    r = map_stack(p->info.exec_stack, &l.stack_top);
    if (r == 0) {
        r = place(&p->info, pie, &bias);
    }
    if (r == 0) {
        r = map_segments(p->file, &p->info, bias);
    }
    if (r < 0) {
        return r;
    }
    l.program_entry = bias + p->info.entry;
    l.entry = l.program_entry;
    l.phdr = p->info.phdr_vaddr == 0 ? 0 : bias + p->info.phdr_vaddr;
    l.brk = bias + p->info.high + NACRE_PAGE_SIZE + random_pages(BRK_PAGES);
    if (p->interp_file != NULL) {
        r = place(&p->interp, 0, &bias);
        if (r == 0) {
            r = map_segments(p->interp_file, &p->interp, bias);
        }
        if (r < 0) {
            return r;
        }
        l.entry = bias + p->interp.entry;
        l.interp_base = bias + p->interp.low;
    }
    r = vdso_map(&l.vdso);
    if (r < 0) {
        return r;
    }
    *ret = l;
    return 0;
}
