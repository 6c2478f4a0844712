/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/*
 * The data page belongs to the application and is written here through user_copy_out(): a program
 * that unmaps or overwrites it gets wrong time, nobody else does.
 */

#include <asm/mman.h>
#include <linux/mman.h>

#include "libos/mm/mm.h"
#include "libos/mm/user.h"
#include "libos/time/clock.h"
#include "libos/time/vdso_time.h"
#include "libos/vdso/vdso.h"

/* Generated: tools/bin_to_c.py. */
extern const uint8_t vdso_image_start[];
extern const uint64_t vdso_image_size;

static uint64_t g_data; /* address of the data page; 0: none yet */

/* Called by the clock, under its lock, whenever the line changed. */
static void publish(const struct vdso_time *t)
{
    struct vdso_time copy = *t;

    if (g_data == 0) {
        return;
    }
    copy.sequence |= 1;
    if (user_put(g_data, &copy.sequence) < 0) {
        return;
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (user_put(g_data, &copy) < 0) {
        return;
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    copy.sequence++;
    (void)user_put(g_data, &copy.sequence);
}

void vdso_forget(void)
{
    g_data = 0;
}

int vdso_map(uint64_t *ret)
{
    const size_t size = (size_t)vdso_image_size;
    const uint64_t pages = page_align_up(size);
    int64_t at = mm_map(0, NACRE_PAGE_SIZE + pages, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0, "[vvar]");
    int64_t text;
    int r;

    if (at < 0) {
        return (int)at;
    }
    text = mm_map((uint64_t)at + NACRE_PAGE_SIZE, pages, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0, "[vdso]");
    if (text < 0) {
        return (int)text;
    }
    r = user_copy_out((uint64_t)text, vdso_image_start, size);
    if (r == 0) {
        r = mm_protect((uint64_t)text, pages, PROT_READ | PROT_EXEC);
    }
    if (r < 0) {
        return r;
    }
    /* Present before the clock writes to it under its lock. */
    r = user_clear((uint64_t)at, NACRE_PAGE_SIZE);
    if (r < 0) {
        return r;
    }
    g_data = (uint64_t)at;
    clock_on_change(publish);
    *ret = (uint64_t)text;
    return 0;
}
