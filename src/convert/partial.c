/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "convert/partial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "image/fetch.h"
#include "image/tar_write.h"

#define OPAQUE_NAME  "trusted.overlay.opaque"
#define OPAQUE_VALUE "y"

/* ---- the tree as files ---------------------------------------------------------------------- */

static struct rootfs_node node_at(const struct img_tree *t, uint32_t entry)
{
    const struct img_inode *i = img_inode_of(t, entry);

    return (struct rootfs_node){.id = entry, .mode = i->mode, .size = i->size};
}

static int tree_lookup(void *ctx, const struct rootfs_node *dir, const char *name, size_t size,
                       struct rootfs_node *ret, struct error **err)
{
    const struct partial *p = ctx;
    uint32_t e;

    if (size > IMG_NAME_MAX) {
        return -ENAMETOOLONG;
    }
    e = img_tree_child(p->tree, partial_entry(dir), name, size);
    if (e == IMG_NONE) {
        return -ENOENT;
    }
    *ret = node_at(p->tree, e);
    return 0;
}

static int tree_readlink(void *ctx, const struct rootfs_node *link, char *dst, struct error **err)
{
    const struct partial *p = ctx;
    const struct img_inode *i = img_inode_of(p->tree, partial_entry(link));

    if (i->size > ROOTFS_PATH_MAX) {
        return -ENAMETOOLONG;
    }
    memcpy(dst, img_arena(p->tree, i->target), (size_t)i->size);
    dst[i->size] = '\0';
    return 0;
}

static int tree_read(void *ctx, const struct rootfs_node *file, uint64_t offset, void *dst,
                     size_t size, size_t *ret_size, struct error **err)
{
    struct partial *p = ctx;
    const uint32_t inode = p->tree->entries[partial_entry(file)].inode;
    uint8_t *at = dst;
    size_t have = 0;
    int r = 0;

    if (p->cached_fd < 0 || p->cached_inode != inode) {
        closep(&p->cached_fd);
        p->cached_fd = -1;
        p->cached_inode = inode;
        r = img_fetch_one(p->source, p->tree, p->unpacked_max, inode, &p->cached_fd, err);
    }
    if (r < 0) {
        return r;
    }
    while (have < size) {
        const ssize_t n = pread(p->cached_fd, at + have, size - have, (off_t)(offset + have));

        if (n < 0 && errno != EINTR) {
            return error_set_errno(err, errno, "reading a scratch file");
        }
        if (n == 0) {
            break;
        }
        have += n > 0 ? (size_t)n : 0;
    }
    *ret_size = have;
    return 0;
}

/* ---- marks ---------------------------------------------------------------------------------- */

/* The name and every directory above it. */
static void mark_up(struct img_tree *t, uint32_t e)
{
    for (;; e = t->entries[e].parent) {
        t->entries[e].mark |= PARTIAL_SEALED;
        if (e == IMG_ROOT) {
            return;
        }
    }
}

static int tree_visit(void *ctx, const struct rootfs_node *n, struct error **err)
{
    struct partial *p = ctx;

    if (p->marking) {
        mark_up(p->tree, partial_entry(n));
    }
    return 0;
}

/* The entry that follows `e` and everything below it. */
static uint32_t behind(const struct img_tree *t, uint32_t e)
{
    while (e != IMG_ROOT && t->entries[e].next == IMG_NONE) {
        e = t->entries[e].parent;
    }
    return e == IMG_ROOT ? IMG_NONE : t->entries[e].next;
}

static void mark_down(struct img_tree *t, uint32_t from, bool sealed)
{
    const uint32_t end = behind(t, from);

    for (uint32_t e = from; e != end; e = img_tree_next(t, e)) {
        t->entries[e].mark = sealed ? PARTIAL_SEALED : 0;
        if (sealed && img_is_dir(img_inode_of(t, e))) {
            t->entries[e].mark |= PARTIAL_WHOLE;
        }
    }
}

int partial_init(struct partial *p, const struct img_source *source, struct img_tree *tree,
                 uint64_t unpacked_max)
{
    *p = (struct partial){
        .tree = tree,
        .source = source,
        .unpacked_max = unpacked_max,
        .cached_fd = -1,
        .fs = {.lookup = tree_lookup,
               .readlink = tree_readlink,
               .read = tree_read,
               .visit = tree_visit,
               .root = {.id = IMG_ROOT, .mode = 0040755}},
    };
    p->fs.ctx = p;
    mark_up(tree, IMG_ROOT);
    return 0;
}

void partial_done(struct partial *p)
{
    closep(&p->cached_fd);
    p->cached_fd = -1;
}

static int resolve(struct partial *p, const char *path, bool marking, uint32_t *ret,
                   struct error **err)
{
    _cleanup_free_ struct rootfs_file *f = malloc(sizeof(*f));
    int r;

    if (f == NULL) {
        return error_set_errno(err, ENOMEM, "looking at the image");
    }
    if (path[0] != '/') {
        return error_set(err, EINVAL, "'%.300s' is not an absolute path", path);
    }
    p->marking = marking;
    r = rootfs_resolve(&p->fs, "/", path, f, err);
    p->marking = false;
    if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -ENAMETOOLONG) {
        return error_set(err, ENOENT, "the image has no %.300s", path);
    }
    *ret = r == 0 ? partial_entry(&f->node) : IMG_NONE;
    return r;
}

int partial_seal(struct partial *p, const char *path, struct error **err)
{
    uint32_t e;
    int r = resolve(p, path, /*marking=*/true, &e, err);

    if (r == 0) {
        mark_up(p->tree, e);
        mark_down(p->tree, e, /*sealed=*/true);
    }
    return r;
}

int partial_unseal(struct partial *p, const char *path, struct error **err)
{
    uint32_t e;
    int r = resolve(p, path, /*marking=*/false, &e, err);

    if (r < 0) {
        return r;
    }
    if (e == IMG_ROOT) {
        return error_set(err, EINVAL, "--plain / would leave nothing to seal");
    }
    mark_down(p->tree, e, /*sealed=*/false);
    do { /* what lies above lets it show through */
        e = p->tree->entries[e].parent;
        p->tree->entries[e].mark &= (uint8_t)~PARTIAL_WHOLE;
    } while (e != IMG_ROOT);
    return 0;
}

void partial_seal_all(struct partial *p)
{
    mark_down(p->tree, IMG_ROOT, /*sealed=*/true);
}

/* ---- names that must not be ----------------------------------------------------------------- */

/* A directory of the tree by its path, made where it is missing. Links are followed and sealed. */
static int make_dirs(struct partial *p, const char *path, uint32_t *ret, struct error **err)
{
    _cleanup_free_ struct rootfs_file *f = malloc(sizeof(*f));
    _cleanup_free_ char *parent = NULL;
    const char *slash = strrchr(path, '/');
    uint32_t inode;
    int r;

    if (f == NULL) {
        return error_set_errno(err, ENOMEM, "sealing %s", path);
    }
    p->marking = true;
    r = rootfs_resolve(&p->fs, "/", path, f, err);
    p->marking = false;
    if (r == 0) {
        *ret = partial_entry(&f->node);
        return img_is_dir(img_inode_of(p->tree, *ret)) ? 0 : -ENOTDIR;
    }
    if (r != -ENOENT || slash == NULL) {
        return r;
    }
    parent = slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
    if (parent == NULL) {
        return error_set_errno(err, ENOMEM, "sealing %s", path);
    }
    r = make_dirs(p, parent, ret, err); /* ends at the root, which is there */
    if (r == 0 && img_tree_child(p->tree, *ret, slash + 1, strlen(slash + 1)) != IMG_NONE) {
        return error_set(err, ENOTSUP,
                         "the library directory %s is a link that leads nowhere, and a host could "
                         "put something there; seal the whole image, or remove the link",
                         path);
    }
    r = r < 0 ? r : img_tree_new_inode(p->tree, 0040755, &inode, err);
    r = r < 0 ? r : img_tree_link(p->tree, *ret, slash + 1, strlen(slash + 1), inode, 0, ret, err);
    if (r == 0) {
        mark_up(p->tree, *ret);
    }
    return r;
}

static int make_nowhere(struct partial *p, struct error **err)
{
    uint32_t e;
    int r = make_dirs(p, PARTIAL_NOWHERE, &e, err);

    if (r < 0) {
        return r == -ENOTDIR ? error_set(err, EEXIST, "the image has a file " PARTIAL_NOWHERE) : r;
    }
    if (p->tree->entries[e].first != IMG_NONE) {
        return error_set(err, EEXIST,
                         "the image has a directory " PARTIAL_NOWHERE
                         " with something in it; that name is reserved");
    }
    p->tree->entries[e].mark |= PARTIAL_SEALED | PARTIAL_WHOLE;
    return 0;
}

int partial_hide(struct partial *p, const char *dir, const char *name, struct error **err)
{
    char target[sizeof(PARTIAL_NOWHERE) + 1 + IMG_NAME_MAX];
    const size_t size = strlen(name);
    uint32_t inode;
    uint32_t e;
    int r = make_nowhere(p, err);

    r = r < 0 ? r : make_dirs(p, dir, &e, err);
    if (r == -ENOTDIR || r == -ELOOP) {
        return 0; /* the path to it is sealed and leads nowhere: nothing can be there */
    }
    if (r < 0 || size > IMG_NAME_MAX || (p->tree->entries[e].mark & PARTIAL_WHOLE) != 0 ||
        img_tree_child(p->tree, e, name, size) != IMG_NONE) {
        return r;
    }
    (void)snprintf(target, sizeof(target), PARTIAL_NOWHERE "/%s", name);
    r = img_tree_new_inode(p->tree, 0120777, &inode, err);
    r = r < 0
            ? r
            : img_tree_store(p->tree, target, strlen(target), &p->tree->inodes[inode].target, err);
    if (r < 0) {
        return r;
    }
    p->tree->inodes[inode].size = strlen(target);
    r = img_tree_link(p->tree, e, name, size, inode, 0, &e, err);
    if (r == 0) {
        mark_up(p->tree, e);
    }
    return r;
}

/* ---- splitting ------------------------------------------------------------------------------ */

int partial_settle_links(struct partial *p, struct error **err)
{
    struct img_tree *t = p->tree;
    _cleanup_free_ uint8_t *inside = calloc(t->inode_count / 8 + 1, 1);

    if (inside == NULL) {
        return error_set_errno(err, ENOMEM, "splitting the image");
    }
    for (uint32_t e = IMG_ROOT; e != IMG_NONE; e = img_tree_next(t, e)) {
        const uint32_t i = t->entries[e].inode;

        if ((t->entries[e].mark & PARTIAL_SEALED) != 0 && !img_is_dir(&t->inodes[i])) {
            inside[i / 8] |= (uint8_t)(1u << i % 8);
        }
    }
    for (uint32_t e = IMG_ROOT; e != IMG_NONE; e = img_tree_next(t, e)) {
        const uint32_t i = t->entries[e].inode;

        if ((inside[i / 8] & 1u << i % 8) != 0) {
            mark_up(t, e);
        }
    }
    return 0;
}

/* Directories that let the host show through stand on both sides: their attributes are the image's
 * in the seal, and the way to what lies below in the layer. */
static bool is_outside(void *ctx, const struct img_tree *t, uint32_t e)
{
    const uint8_t mark = t->entries[e].mark;

    return (mark & PARTIAL_SEALED) == 0 ||
           (img_is_dir(img_inode_of(t, e)) && (mark & PARTIAL_WHOLE) == 0 &&
            t->entries[e].layer != 0);
}

static int make_whole(struct img_tree *t, uint32_t inode, struct error **err)
{
    _cleanup_img_xattrs_ struct img_xattrs x = {0};
    int r = img_xattrs_load(t, inode, &x, err);

    r = r < 0 ? r : img_xattrs_add(&x, OPAQUE_NAME, OPAQUE_VALUE, strlen(OPAQUE_VALUE), err);
    return r < 0 ? r : img_xattrs_store(t, &x, inode, err);
}

static int prune(struct img_tree *t, struct error **err)
{
    int r = 0;

    for (uint32_t e = IMG_ROOT; r == 0 && e != IMG_NONE;) {
        const uint8_t mark = t->entries[e].mark;

        if ((mark & PARTIAL_SEALED) == 0) {
            const uint32_t next = behind(t, e);

            img_tree_unlink(t, e);
            e = next;
            continue;
        }
        if ((mark & PARTIAL_WHOLE) != 0) {
            r = make_whole(t, t->entries[e].inode, err);
        }
        e = img_tree_next(t, e);
    }
    return r;
}

static uint64_t count_outside(const struct img_tree *t)
{
    uint64_t n = 0;

    for (uint32_t e = IMG_ROOT; e != IMG_NONE; e = img_tree_next(t, e)) {
        n += (t->entries[e].mark & PARTIAL_SEALED) == 0;
    }
    return n;
}

int partial_split(struct partial *p, const struct img_progress *progress, int *ret_fd,
                  struct img_layer *ret_layer, uint64_t *ret_names, struct error **err)
{
    const struct img_tar_options o = {
        .unpacked_max = p->unpacked_max,
        .progress = *progress,
        .wants = is_outside,
    };
    uint64_t written;
    int r = img_tar_write(p->source, p->tree, &o, ret_fd, ret_layer, &written, err);

    *ret_names = count_outside(p->tree);
    return r < 0 ? r : prune(p->tree, err);
}
