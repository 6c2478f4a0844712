/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/fs/memfd.h"

#include <linux/memfd.h>

#include "libos/fs/fd_table.h"
#include "libos/fs/memfs/memfs.h"
#include "libos/lib/str.h"
#include "libos/libos.h"
#include "libos/mm/user.h"
#include "libos/proc/thread.h"
#include "libos/sys/syscall.h"

#define MEMFD_PREFIX   "/memfd:"
#define MEMFD_NAME_MAX 249u
#define SEALABLE       0x80000000u /* in inode->seals: this file takes seals */
#define SEALS_KNOWN \
    ((uint32_t)(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))

int memfd_create_file(const char *name, uint32_t flags, struct file **ret)
{
    char label[sizeof(MEMFD_PREFIX) + MEMFD_NAME_MAX + 16];
    struct superblock *sb = NULL;
    struct inode *inode = NULL;
    int r = memfs_internal(&sb);

    if (r == 0) {
        r = memfs_new_inode(sb,
                            &(struct inode_new){.mode = S_IFREG | 0777,
                                                .uid = process_current()->fsuid,
                                                .gid = process_current()->fsgid},
                            &inode);
    }
    if (r < 0) {
        return r;
    }
    inode->nlink = 0;
    inode->seals = SEALABLE | ((flags & MFD_ALLOW_SEALING) != 0 ? 0 : (uint32_t)F_SEAL_SEAL);
    (void)kprintf(label, sizeof(label), MEMFD_PREFIX "%s (deleted)", name);
    r = file_on_inode(inode, label, &inode_file_ops, O_RDWR | KERNEL_O_LARGEFILE,
                      FILE_READ | FILE_WRITE, NULL, ret);
    if (r < 0) {
        inode_put(inode);
    }
    return r;
}

int64_t memfd_add_seals(struct file *f, uint32_t seals)
{
    struct inode *inode = f->inode;
    int64_t r = 0;

    if ((f->mode & FILE_WRITE) == 0) {
        return -EPERM;
    }
    if ((seals & ~SEALS_KNOWN) != 0 || (inode->seals & SEALABLE) == 0) {
        return -EINVAL;
    }
    mutex_lock(&inode->write_lock);
    if ((inode->seals & F_SEAL_SEAL) != 0) {
        r = -EPERM;
    } else {
        inode->seals |= seals;
    }
    mutex_unlock(&inode->write_lock);
    return r;
}

int64_t memfd_get_seals(const struct file *f)
{
    return (f->inode->seals & SEALABLE) == 0 ? -EINVAL : (int64_t)(f->inode->seals & SEALS_KNOWN);
}

SYSCALL_2(memfd_create, uint64_t, user_name, uint32_t, flags)
{
    char name[MEMFD_NAME_MAX + 1];
    struct file *f = NULL;

    if ((flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING)) != 0) {
        return -EINVAL; /* MFD_HUGETLB: there are no huge pages here */
    }
    int r = user_copy_string(name, sizeof(name), user_name);

    if (r < 0) {
        return r == -ENAMETOOLONG ? -EINVAL : r;
    }
    r = memfd_create_file(name, flags, &f);
    if (r < 0) {
        return r;
    }
    r = fd_install(f, (flags & MFD_CLOEXEC) != 0, 0);
    if (r < 0) {
        file_put(f);
    }
    return r;
}
