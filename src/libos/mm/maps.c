/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* What /proc shows of the address space. */

#include <linux/mman.h>

#include "libos/fs/file.h"
#include "libos/lib/strbuf.h"
#include "libos/mm/kmem.h"
#include "libos/mm/mm.h"
#include "libos/mm/page.h"

void mm_sizes(uint64_t *ret_virtual, uint64_t *ret_resident, uint64_t *ret_data)
{
    uint64_t all = 0;
    uint64_t resident = 0;
    uint64_t data = 0;

    mutex_lock(&g_mm.lock);
    for (const struct vma *v = vma_first(&g_mm.tree); v != NULL; v = vma_next(v)) {
        const uint64_t pages = (v->end - v->start) >> NACRE_PAGE_SHIFT;

        all += pages;
        resident += page_count_committed(v->start, v->end - v->start);
        if ((v->prot & PROT_WRITE) != 0 && (v->flags & VMA_SHARED) == 0) {
            data += pages;
        }
    }
    mutex_unlock(&g_mm.lock);
    *ret_virtual = all;
    *ret_resident = resident;
    *ret_data = data;
}

#define PATH_TEXT 4096u

/* "start-end perms offset dev inode  name", as /proc/PID/maps has it. */
static void format_line(struct strbuf *out, const struct vma *v, char *path)
{
    struct kstat st = {0};
    const char *name = v->name != NULL ? v->name : "";
    const size_t before = out->len;
    char *text;

    if (v->file != NULL) {
        (void)!file_stat(v->file, &st);
        if (file_path_text(v->file, path, PATH_TEXT, &text) == 0) {
            name = text;
        }
    }
    strbuf_printf(out, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", v->start, v->end,
                  (v->prot & PROT_READ) != 0 ? 'r' : '-', (v->prot & PROT_WRITE) != 0 ? 'w' : '-',
                  (v->prot & PROT_EXEC) != 0 ? 'x' : '-', (v->flags & VMA_SHARED) != 0 ? 's' : 'p',
                  v->offset, (unsigned)(st.dev >> 8), (unsigned)(st.dev & 0xff), st.ino);
    if (name[0] != '\0') {
        while (out->len - before < 73) {
            strbuf_puts(out, " ");
            if (out->failed) {
                return;
            }
        }
        strbuf_puts(out, name);
    }
    strbuf_puts(out, "\n");
}

static void format_smaps(struct strbuf *out, const struct vma *v)
{
    const uint64_t size = (v->end - v->start) >> 10;
    const uint64_t resident = page_count_committed(v->start, v->end - v->start) * 4;
    const bool shared = (v->flags & VMA_SHARED) != 0;
    const bool writable = (v->prot & PROT_WRITE) != 0;

    strbuf_printf(out, "Size: %18lu kB\nKernelPageSize: %8u kB\nMMUPageSize: %11u kB\n", size, 4u,
                  4u);
    strbuf_printf(out, "Rss: %19lu kB\nPss: %19lu kB\n", resident, resident);
    strbuf_printf(out, "Shared_Clean: %10u kB\nShared_Dirty: %10u kB\n", 0u, 0u);
    strbuf_printf(out, "Private_Clean: %9lu kB\nPrivate_Dirty: %9lu kB\n",
                  writable ? 0ul : resident, writable ? resident : 0ul);
    strbuf_printf(out, "Referenced: %12lu kB\nAnonymous: %13lu kB\nSwap: %18u kB\n", resident,
                  v->file == NULL ? resident : 0ul, 0u);
    strbuf_printf(out, "Locked: %16lu kB\nVmFlags:%s%s%s%s mr mw me%s\n",
                  (v->flags & VMA_LOCKED) != 0 ? resident : 0ul,
                  (v->prot & PROT_READ) != 0 ? " rd" : "", writable ? " wr" : "",
                  (v->prot & PROT_EXEC) != 0 ? " ex" : "", shared ? " sh" : "",
                  (v->flags & VMA_GROWSDOWN) != 0 ? " gd" : "");
}

int mm_format_maps(struct strbuf *out, bool smaps)
{
    char *path = kmalloc(PATH_TEXT);

    if (path == NULL) {
        return -ENOMEM;
    }
    mutex_lock(&g_mm.lock);
    for (const struct vma *v = vma_first(&g_mm.tree); v != NULL; v = vma_next(v)) {
        format_line(out, v, path);
        if (smaps) {
            format_smaps(out, v);
        }
    }
    mutex_unlock(&g_mm.lock);
    kfree(path);
    return out->failed ? -ENOMEM : 0;
}
