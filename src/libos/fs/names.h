/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Opening, making and removing names: what the system calls of sys/ do, with library OS strings. */

#include "libos/fs/file.h"

/* open(2), openat2(2): `lookup` has LOOKUP_* of RESOLVE_*; `mode` without umask applied. */
[[nodiscard]] int name_open(int dirfd, const char *name, uint32_t flags, uint32_t mode,
                            uint32_t lookup, struct file **ret);
/* mkdir, mknod, symlink: what->mode without umask applied. `ret` may be NULL. */
[[nodiscard]] int name_create(int dirfd, const char *name, struct inode_new *what,
                              struct path *ret);
[[nodiscard]] int name_unlink(int dirfd, const char *name);
[[nodiscard]] int name_rmdir(int dirfd, const char *name);
[[nodiscard]] int name_link(int from_dirfd, const char *from, int to_dirfd, const char *to,
                            int flags);
[[nodiscard]] int name_rename(int from_dirfd, const char *from, int to_dirfd, const char *to,
                              uint32_t flags);
/* Attributes of what a path names; checks who may. */
[[nodiscard]] int name_setattr(const struct path *p, struct iattr *attr);
[[nodiscard]] int name_chmod(const struct path *p, uint32_t mode);
[[nodiscard]] int name_chown(const struct path *p, uint32_t uid, uint32_t gid);
