/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * What an inode of the owner's has in it: data and extended attributes. While the inode is
 * untouched our own lower file system answers; else the owner does.
 */

#include "libos/family/remote_internal.h"

#include "libos/shm/link.h"

#define IO_CHUNK ((size_t)120 << 10)

/* ---- data ---- */

int64_t remote_read(struct inode *inode, struct iter *to, uint64_t offset)
{
    if (rinode_untouched(rinode_of(inode))) {
        return rinode_of(inode)->lower->ops->read(rinode_of(inode)->lower, to, offset);
    }
    int64_t done = 0;

    while (to->left > 0) {
        const uint32_t want = (uint32_t)MIN(to->left, (uint64_t)IO_CHUNK);
        const struct wire_io w = {
            .handle = remote_inode_handle(inode), .word = want, .offset = offset + (uint64_t)done};
        const struct channel_part part = {&w, sizeof(w)};
        struct family_message m = {
            .op = FAMILY_OP_read, .parts = &part, .part_count = 1, .to = to, .steady = true};
        int64_t n = family_exchange(&m);

        if (n < 0) {
            return done > 0 ? done : n;
        }
        done += (int64_t)m.ret_to;
        if (m.ret_to < want) {
            break;
        }
    }
    return done;
}

int64_t remote_write(struct inode *inode, struct iter *from, uint64_t *offset, bool append)
{
    uint64_t at = *offset;
    int64_t done = 0;

    while (from->left > 0) {
        const struct wire_io_size w = {
            .io = {.handle = remote_inode_handle(inode), .word = append ? 1 : 0, .offset = at},
            .size = MIN(from->left, (uint64_t)IO_CHUNK)};
        const struct channel_part part = {&w, sizeof(w)};
        struct wire_written out = {0};
        struct family_message m = {.op = FAMILY_OP_write,
                                   .parts = &part,
                                   .part_count = 1,
                                   .from = from,
                                   .from_size = w.size,
                                   .answer = &out,
                                   .cap = sizeof(out),
                                   .steady = true};
        int64_t n = family_exchange(&m);

        if (n < 0) {
            return done > 0 ? done : n;
        }
        if (m.ret_size != sizeof(out)) {
            return -EIO;
        }
        if (done == 0) {
            *offset = out.offset;
        }
        at = out.offset + (uint64_t)n;
        done += n;
        mutex_lock(&inode->lock);
        inode->size = out.size;
        mutex_unlock(&inode->lock);
        if ((uint64_t)n < w.size) {
            break;
        }
    }
    return done;
}

int remote_fallocate(struct inode *inode, int mode, uint64_t offset, uint64_t size)
{
    const struct wire_io_size w = {
        .io = {.handle = remote_inode_handle(inode), .word = (uint32_t)mode, .offset = offset},
        .size = size};

    return (int)remote_ask(FAMILY_OP_fallocate, &w, sizeof(w), NULL, 0, NULL);
}

int64_t remote_seek_data(struct inode *inode, uint64_t offset, bool hole)
{
    if (rinode_untouched(rinode_of(inode)) && rinode_of(inode)->lower->ops->seek_data != NULL) {
        return rinode_of(inode)->lower->ops->seek_data(rinode_of(inode)->lower, offset, hole);
    }
    const struct wire_io w = {
        .handle = remote_inode_handle(inode), .word = hole ? 1 : 0, .offset = offset};

    return remote_ask(FAMILY_OP_seek_data, &w, sizeof(w), NULL, 0, NULL);
}

int remote_fsync(struct inode *inode, bool data_only)
{
    return 0; /* every write is at the owner's when it returns */
}

int remote_share(struct inode *inode, uint32_t member, uint64_t *ret)
{
    const uint32_t handle = remote_inode_handle(inode);
    size_t size = 0;
    int64_t r = handle == 0 ? -ESTALE : shm_link_start();

    if (r == 0) {
        r = remote_ask(FAMILY_OP_shm_inode, &handle, sizeof(handle), ret, sizeof(*ret), &size);
        r = r == 0 && size != sizeof(*ret) ? -EIO : r;
    }
    return (int)r;
}

/* ---- extended attributes ---- */

int64_t remote_getxattr(struct inode *inode, const char *name, void *dst, size_t size)
{
    if (rinode_untouched(rinode_of(inode))) {
        const struct inode_ops *ops = rinode_of(inode)->lower->ops;

        return ops->getxattr == NULL ? -ENODATA
                                     : ops->getxattr(rinode_of(inode)->lower, name, dst, size);
    }
    const struct wire_xattr w = {.handle = remote_inode_handle(inode),
                                 .size = (uint32_t)MIN(size, (size_t)FAMILY_ANSWER_MAX)};
    const struct channel_part parts[] = {{&w, sizeof(w)}, {name, __builtin_strlen(name)}};
    struct family_message m = {.op = FAMILY_OP_getxattr,
                               .parts = parts,
                               .part_count = ARRAY_COUNT(parts),
                               .answer = dst,
                               .cap = size,
                               .steady = true};

    return family_exchange(&m);
}

int64_t remote_listxattr(struct inode *inode, char *dst, size_t size)
{
    if (rinode_untouched(rinode_of(inode))) {
        const struct inode_ops *ops = rinode_of(inode)->lower->ops;

        return ops->listxattr == NULL ? 0 : ops->listxattr(rinode_of(inode)->lower, dst, size);
    }
    const struct wire_xattr w = {.handle = remote_inode_handle(inode),
                                 .size = (uint32_t)MIN(size, (size_t)FAMILY_ANSWER_MAX)};

    return remote_ask(FAMILY_OP_listxattr, &w, sizeof(w), dst, size, NULL);
}

int remote_setxattr(struct inode *inode, const char *name, const void *src, size_t size, int flags)
{
    const struct wire_setxattr w = {.handle = remote_inode_handle(inode),
                                    .flags = (uint32_t)flags,
                                    .name_size = (uint32_t)__builtin_strlen(name)};
    const struct channel_part parts[] = {{&w, sizeof(w)}, {name, w.name_size}, {src, size}};

    return remote_ask_parts(FAMILY_OP_setxattr, parts, ARRAY_COUNT(parts));
}

int remote_removexattr(struct inode *inode, const char *name)
{
    const struct wire_name w = {.handle = remote_inode_handle(inode)};
    const struct channel_part parts[] = {{&w, sizeof(w)}, {name, __builtin_strlen(name)}};

    return remote_ask_parts(FAMILY_OP_removexattr, parts, ARRAY_COUNT(parts));
}
