/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * An image's files as the program inside will see them: names, links and bytes, with paths resolved
 * inside the image and nowhere else. Behind a table, because the files lie in a sealed image in one
 * case and in a tree not sealed yet in the other. Everything read is foreign.
 */

#include "base/error.h"

#define ROOTFS_PATH_MAX  4095u
#define ROOTFS_LINKS_MAX 40u /* as Linux */

struct rootfs_node {
    uint64_t id;
    uint32_t mode; /* type and permissions */
    uint64_t size;
};

struct rootfs {
    /* The node of a name; -ENOENT. */
    int (*lookup)(void *ctx, const struct rootfs_node *dir, const char *name, size_t size,
                  struct rootfs_node *ret, struct error **err);
    /* The target of a link, at most ROOTFS_PATH_MAX bytes, NUL-terminated. */
    int (*readlink)(void *ctx, const struct rootfs_node *link, char *dst, struct error **err);
    /* Up to `size` bytes; *ret_size is short only at the end of the file. */
    int (*read)(void *ctx, const struct rootfs_node *file, uint64_t offset, void *dst, size_t size,
                size_t *ret_size, struct error **err);
    /* Told of every name a resolution steps on, links and directories included. May be NULL. */
    int (*visit)(void *ctx, const struct rootfs_node *node, struct error **err);
    void *ctx;
    struct rootfs_node root;
};

struct rootfs_file {
    struct rootfs_node node;
    char path[ROOTFS_PATH_MAX + 1]; /* absolute, without links */
};

/* Resolves `path` (relative to `cwd`, an absolute path) with all links followed. -ENOENT, -ENOTDIR,
 * -ELOOP, -ENAMETOOLONG without a message: the caller knows what he wanted. Other failures have
 * one. */
[[nodiscard]] int rootfs_resolve(const struct rootfs *fs, const char *cwd, const char *path,
                                 struct rootfs_file *ret, struct error **err);

/* Reads a whole file of at most `max` bytes: malloc'd, NUL behind it. -EFBIG with a message. */
[[nodiscard]] int rootfs_read_all(const struct rootfs *fs, const struct rootfs_file *f, size_t max,
                                  char **ret, size_t *ret_size, struct error **err);

struct sealed_file;
struct erofs;

/* Fills `ret` for an open sealed image; both are borrowed. */
void rootfs_sealed(struct erofs *fs, struct sealed_file *file, struct rootfs *ret);
