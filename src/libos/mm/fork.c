/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/mm/fork.h"

#include <linux/mman.h>

#include "libos/fs/file.h"
#include "libos/lib/str.h"
#include "libos/mm/mm.h"
#include "libos/mm/page.h"
#include "libos/shm/local.h"

static bool stays_behind(const struct vma *v)
{
    return (v->flags & (VMA_DONTFORK | VMA_WIPEFORK)) != 0;
}

int mm_for_each_run(int (*emit)(void *arg, uint64_t address, uint64_t size, uint8_t prot),
                    void *arg)
{
    int r = 0;

    for (const struct vma *v = vma_first(&g_mm.tree); r == 0 && v != NULL; v = vma_next(v)) {
        if (!stays_behind(v) && v->object == NULL) {
            r = page_for_each_run(v->start, v->end - v->start, emit, arg);
        }
    }
    return r;
}

void mm_after_fork(bool kept)
{
    struct vma *next;

    for (struct vma *v = vma_first(&g_mm.tree); v != NULL; v = next) {
        next = vma_next(v);
        v->flags &= ~VMA_LOCKED; /* locks are not inherited */
        if (!kept || stays_behind(v) || v->object != NULL) {
            page_forget(v->start, v->end - v->start);
        }
        if ((v->flags & VMA_DONTFORK) != 0) {
            if (v->object != NULL) {
                shm_hide(v->start, v->end - v->start);
            }
            vma_remove(&g_mm.tree, v);
            mm_vma_free(v);
        }
    }
    g_mm.lock_future = false;
}

static bool is_shared(const struct vma *v)
{
    return (v->flags & (VMA_SHARED_ANON | VMA_DONTFORK)) == VMA_SHARED_ANON;
}

bool mm_has_shared(void)
{
    bool any = false;

    mutex_lock(&g_mm.lock);
    for (const struct vma *v = vma_first(&g_mm.tree); v != NULL; v = vma_next(v)) {
        any = any || is_shared(v) || v->object != NULL;
    }
    mutex_unlock(&g_mm.lock);
    return any;
}

int mm_share(void)
{
    int r = 0;

    mutex_lock(&g_mm.lock);
    for (struct vma *v = vma_first(&g_mm.tree); r == 0 && v != NULL; v = vma_next(v)) {
        if (is_shared(v) && v->object == NULL) {
            v->offset = 0;
            r = shm_object_make(v->start, v->end - v->start, v->prot, &v->object);
        }
    }
    mutex_unlock(&g_mm.lock);
    return r;
}

static uint32_t shared_kind(const struct vma *v)
{
    if ((v->prot & PROT_WRITE) == 0) {
        return 0;
    }
    if ((v->flags & VMA_SHARED) == 0 || v->object != NULL) {
        return 0;
    }
    return v->file->path.dentry != NULL && str_starts(v->file->path.dentry->name, "sem.")
               ? MM_SHARED_SEMAPHORE
               : MM_SHARED_FILE;
}

uint32_t mm_shared_with_children(void)
{
    uint32_t kinds = 0;

    mutex_lock(&g_mm.lock);
    for (const struct vma *v = vma_first(&g_mm.tree); v != NULL; v = vma_next(v)) {
        kinds |= shared_kind(v);
    }
    mutex_unlock(&g_mm.lock);
    return kinds;
}
