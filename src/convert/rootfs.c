/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "convert/rootfs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/*
 * The walk keeps the resolved path as text beside a stack of nodes, so that ".." goes where it
 * goes inside the image. What is still to be walked stands in `rest`, into which links are spliced.
 */
#define DEPTH_MAX 1024u

struct walk {
    const struct rootfs *fs;
    struct rootfs_node stack[DEPTH_MAX];
    size_t depth; /* nodes on the stack; stack[0] is the root */
    size_t ends[DEPTH_MAX];
    unsigned links;
    char path[ROOTFS_PATH_MAX + 1];
    char rest[2 * (ROOTFS_PATH_MAX + 1)];
};

static bool is_type(const struct rootfs_node *n, uint32_t type)
{
    return (n->mode & 0170000u) == type;
}

static int push(struct walk *w, const struct rootfs_node *n, const char *name, size_t size)
{
    const size_t end = w->ends[w->depth - 1];

    if (end + 1 + size > ROOTFS_PATH_MAX || w->depth == DEPTH_MAX) {
        return -ENAMETOOLONG;
    }
    w->path[end] = '/';
    memcpy(w->path + end + 1, name, size);
    w->path[end + 1 + size] = '\0';
    w->stack[w->depth] = *n;
    w->ends[w->depth++] = end + 1 + size;
    return 0;
}

/* Puts the target of a link in front of what is left to walk. */
static int splice(struct walk *w, const struct rootfs_node *link, const char *behind,
                  struct error **err)
{
    char target[ROOTFS_PATH_MAX + 1];
    const size_t left = strlen(behind);
    size_t size;
    int r;

    if (++w->links > ROOTFS_LINKS_MAX) {
        return -ELOOP;
    }
    r = w->fs->readlink(w->fs->ctx, link, target, err);
    if (r < 0) {
        return r;
    }
    size = strlen(target);
    if (size == 0) {
        return -ENOENT;
    }
    if (size + left >= sizeof(w->rest)) {
        return -ENAMETOOLONG;
    }
    memmove(w->rest + size, behind, left + 1); /* empty, or begins with a slash */
    memcpy(w->rest, target, size);
    if (target[0] == '/') {
        w->depth = 1;
    }
    return 0;
}

/* Walks one component; *io_at is the position in `rest`, reset when a link was spliced in. */
static int step(struct walk *w, const char **io_at, struct error **err)
{
    const char *name = *io_at + strspn(*io_at, "/");
    const size_t size = strcspn(name, "/");
    struct rootfs_node n;
    int r;

    *io_at = name + size;
    if (!is_type(&w->stack[w->depth - 1], 0040000)) {
        return -ENOTDIR;
    }
    if (size == 0 || (size == 1 && name[0] == '.')) {
        return 0;
    }
    if (size == 2 && name[0] == '.' && name[1] == '.') {
        w->depth -= w->depth > 1;
        return 0;
    }
    r = w->fs->lookup(w->fs->ctx, &w->stack[w->depth - 1], name, size, &n, err);
    if (r == 0 && w->fs->visit != NULL) {
        r = w->fs->visit(w->fs->ctx, &n, err);
    }
    if (r < 0) {
        return r;
    }
    if (is_type(&n, 0120000)) {
        r = splice(w, &n, *io_at, err);
        *io_at = w->rest;
        return r;
    }
    return push(w, &n, name, size);
}

int rootfs_resolve(const struct rootfs *fs, const char *cwd, const char *path,
                   struct rootfs_file *ret, struct error **err)
{
    _cleanup_free_ struct walk *w = calloc(1, sizeof(*w));
    const char *at;
    int n;
    int r = 0;

    if (w == NULL) {
        return error_set_errno(err, ENOMEM, "looking at the image");
    }
    w->fs = fs;
    w->stack[0] = fs->root;
    w->depth = 1;
    n = snprintf(w->rest, sizeof(w->rest), "%s/%s", path[0] == '/' ? "" : cwd, path);
    if (n < 0 || (size_t)n >= sizeof(w->rest)) {
        return -ENAMETOOLONG;
    }
    for (at = w->rest; r == 0 && *at != '\0';) {
        r = step(w, &at, err);
    }
    if (r < 0) {
        return r;
    }
    ret->node = w->stack[w->depth - 1];
    w->path[w->ends[w->depth - 1]] = '\0';
    memcpy(ret->path, w->path, sizeof(ret->path));
    if (ret->path[0] == '\0') {
        memcpy(ret->path, "/", 2);
    }
    return 0;
}

int rootfs_read_all(const struct rootfs *fs, const struct rootfs_file *f, size_t max, char **ret,
                    size_t *ret_size, struct error **err)
{
    _cleanup_free_ char *data = NULL;
    size_t size;
    int r;

    if (f->node.size > max) {
        return error_set(err, EFBIG, "%s in the image is larger than %zu bytes", f->path, max);
    }
    data = malloc((size_t)f->node.size + 1);
    if (data == NULL) {
        return error_set_errno(err, ENOMEM, "reading %s in the image", f->path);
    }
    r = fs->read(fs->ctx, &f->node, 0, data, (size_t)f->node.size, &size, err);
    if (r < 0) {
        return r;
    }
    data[size] = '\0';
    *ret = TAKE_PTR(data);
    *ret_size = size;
    return 0;
}
