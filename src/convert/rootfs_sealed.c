/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* The files of a sealed image whose key is at hand. */

#include <errno.h>
#include <string.h>

#include "convert/rootfs.h"
#include "image/sealed_file.h"
#include "seal/erofs.h"

/* Only the erofs is handed around; its own context is the sealed file. */
static int failed(const struct erofs *fs, int r, struct error **err)
{
    return r == -EBADMSG || r == -EIO ? sealed_file_error(fs->ctx, r, err)
                                      : error_set_errno(err, -r, "reading back the sealed image");
}

static int node_of(const struct erofs *fs, uint64_t nid, struct rootfs_node *ret,
                   struct error **err)
{
    struct erofs_inode in;
    int r = erofs_inode_read(fs, nid, &in);

    if (r < 0) {
        return failed(fs, r, err);
    }
    *ret = (struct rootfs_node){.id = nid, .mode = in.mode, .size = in.size};
    return 0;
}

static int sealed_lookup(void *ctx, const struct rootfs_node *dir, const char *name, size_t size,
                         struct rootfs_node *ret, struct error **err)
{
    const struct erofs *fs = ctx;
    enum erofs_file_type type;
    struct erofs_inode in;
    uint64_t nid;
    int r = erofs_inode_read(fs, dir->id, &in);

    if (r == 0) {
        r = erofs_lookup(fs, &in, name, size, &nid, &type);
    }
    if (r == -ENOENT || r == -ENOTDIR || r == -ENAMETOOLONG) {
        return r;
    }
    return r < 0 ? failed(fs, r, err) : node_of(fs, nid, ret, err);
}

static int sealed_readlink(void *ctx, const struct rootfs_node *link, char *dst, struct error **err)
{
    const struct erofs *fs = ctx;
    struct erofs_inode in;
    size_t size = 0;
    int r = erofs_inode_read(fs, link->id, &in);

    if (r == 0) {
        r = erofs_readlink(fs, &in, dst, ROOTFS_PATH_MAX, &size);
    }
    if (r < 0) {
        return failed(fs, r, err);
    }
    dst[size] = '\0';
    return 0;
}

static int sealed_read(void *ctx, const struct rootfs_node *file, uint64_t offset, void *dst,
                       size_t size, size_t *ret_size, struct error **err)
{
    const struct erofs *fs = ctx;
    struct erofs_inode in;
    int r = erofs_inode_read(fs, file->id, &in);

    if (r == 0) {
        r = erofs_read(fs, &in, offset, dst, size, ret_size);
    }
    return r < 0 ? failed(fs, r, err) : 0;
}

void rootfs_sealed(struct erofs *fs, struct sealed_file *file, struct rootfs *ret)
{
    fs->ctx = file;
    *ret = (struct rootfs){
        .lookup = sealed_lookup,
        .readlink = sealed_readlink,
        .read = sealed_read,
        .ctx = fs,
        .root = {.id = fs->root_nid, .mode = 0040755},
    };
}
