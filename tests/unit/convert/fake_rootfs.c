/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit/convert/fake_rootfs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static size_t size_of(const struct fake_file *f)
{
    return f->size > 0 ? f->size : f->data != NULL ? strlen(f->data) : 0;
}

/* Node 0 is the root, node n + 1 is row n. */
static int lookup(void *ctx, const struct rootfs_node *dir, const char *name, size_t size,
                  struct rootfs_node *ret, struct error **err)
{
    const struct fake_file *files = ctx;
    char path[8192];

    (void)snprintf(path, sizeof(path), "%s/%.*s", dir->id == 0 ? "" : files[dir->id - 1].path,
                   (int)size, name);
    for (size_t i = 0; files[i].path != NULL; i++) {
        if (strcmp(files[i].path, path) == 0) {
            *ret = (struct rootfs_node){
                .id = i + 1, .mode = files[i].mode, .size = size_of(&files[i])};
            return 0;
        }
    }
    return -ENOENT;
}

static int read_link(void *ctx, const struct rootfs_node *link, char *dst, struct error **err)
{
    const struct fake_file *f = (const struct fake_file *)ctx + (link->id - 1);

    (void)snprintf(dst, ROOTFS_PATH_MAX + 1, "%s", f->data);
    return 0;
}

static int read_data(void *ctx, const struct rootfs_node *file, uint64_t offset, void *dst,
                     size_t size, size_t *ret_size, struct error **err)
{
    const struct fake_file *f = (const struct fake_file *)ctx + (file->id - 1);
    const size_t all = size_of(f);

    *ret_size = offset >= all ? 0 : MIN(size, all - (size_t)offset);
    memcpy(dst, f->data + MIN(offset, (uint64_t)all), *ret_size);
    return 0;
}

void fake_rootfs(const struct fake_file *files, struct rootfs *ret)
{
    void *ctx;

    memcpy(&ctx, &files, sizeof(ctx)); /* never written through */
    *ret = (struct rootfs){
        .lookup = lookup,
        .readlink = read_link,
        .read = read_data,
        .ctx = ctx,
        .root = {.mode = 0040755},
    };
}
