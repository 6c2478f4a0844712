/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/flatten.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "image/holes.h"

#define WHITEOUT        ".wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"
#define WHITEOUT_META   ".wh..wh." /* AUFS bookkeeping, no file of the image */

const char *img_printable(const char *name, char *dst, size_t size)
{
    size_t n = 0;

    for (; *name != '\0' && n + 5 < size; name++) {
        const uint8_t c = (uint8_t)*name;

        if (c >= ' ' && c < 0x7f) {
            dst[n++] = (char)c;
        } else {
            n += (size_t)snprintf(dst + n, size - n, "\\x%02x", c);
        }
    }
    dst[n] = '\0';
    return dst;
}

static int refuse(const char *path, int code, const char *why, struct error **err)
{
    char text[300];

    return error_set(err, code, "entry '%s' %s", img_printable(path, text, sizeof(text)), why);
}

/* Path resolution: a stack-free walk with a budget of links. */
struct walk {
    struct img_tree *t;
    const char *path; /* the whole path, for messages */
    uint16_t layer;
    bool create; /* missing directories are made */
    unsigned links;
};

static uint32_t depth_of(const struct img_tree *t, uint32_t dir)
{
    uint32_t depth = 0;

    for (; dir != IMG_ROOT; dir = img_entry_at(t, dir)->parent) {
        depth++;
    }
    return depth;
}

static int make_dir(struct walk *w, uint32_t dir, const char *name, size_t size, uint32_t *ret,
                    struct error **err)
{
    uint32_t inode;
    int r;

    if (depth_of(w->t, dir) >= IMG_DEPTH_MAX) {
        return refuse(w->path, ENAMETOOLONG, "lies too deep: more than 512 directories", err);
    }
    r = img_tree_new_inode(w->t, 0040755, &inode, err);
    if (r == 0) {
        r = img_tree_link(w->t, dir, name, size, inode, w->layer, ret, err);
    }
    if (r == 0) {
        img_tree_touch(w->t, dir, w->layer);
    }
    return r;
}

static int walk_path(struct walk *w, uint32_t dir, const char *path, size_t size, bool from_link,
                     uint32_t *ret, struct error **err);

/* Goes through a symbolic link in the middle of a path. Recursion is bounded by IMG_LINKS_MAX. */
static int follow(struct walk *w, uint32_t dir, uint32_t link, uint32_t *ret, struct error **err)
{
    const struct img_inode *i = img_inode_of(w->t, link);
    char target[IMG_PATH_MAX + 1];
    const size_t size = (size_t)i->size;

    if (++w->links > IMG_LINKS_MAX) {
        return refuse(w->path, ELOOP, "passes through too many symbolic links", err);
    }
    memcpy(target, img_arena(w->t, i->target), size); /* the arena may move while walking */
    return walk_path(w, target[0] == '/' ? IMG_ROOT : dir, target, size, true, ret, err);
}

static int step(struct walk *w, uint32_t dir, const char *name, size_t size, bool from_link,
                uint32_t *ret, struct error **err)
{
    uint32_t child;

    if (size == 1 && name[0] == '.') {
        *ret = dir;
        return 0;
    }
    if (size == 2 && name[0] == '.' && name[1] == '.') {
        if (!from_link) {
            return refuse(w->path, EPERM, "contains '..' and is refused", err);
        }
        if (dir == IMG_ROOT) {
            return refuse(w->path, EPERM,
                          "passes through a symbolic link that leaves the image and is refused",
                          err);
        }
        *ret = img_entry_at(w->t, dir)->parent;
        return 0;
    }
    if (size > IMG_NAME_MAX) {
        return refuse(w->path, ENAMETOOLONG, "has a name longer than 255 bytes", err);
    }
    child = img_tree_child(w->t, dir, name, size);
    if (child == IMG_NONE) {
        return w->create ? make_dir(w, dir, name, size, ret, err) : -ENOENT;
    }
    if (img_is_lnk(img_inode_of(w->t, child))) {
        return follow(w, dir, child, ret, err);
    }
    if (!img_is_dir(img_inode_of(w->t, child))) {
        return refuse(w->path, ENOTDIR, "goes through a name that is no directory", err);
    }
    *ret = child;
    return 0;
}

static int walk_path(struct walk *w, uint32_t dir, const char *path, size_t size, bool from_link,
                     uint32_t *ret, struct error **err)
{
    const char *p = path;
    const char *end = path + size;

    while (p < end) {
        const char *slash = memchr(p, '/', (size_t)(end - p));
        const char *stop = slash == NULL ? end : slash;

        if (stop > p) {
            int r = step(w, dir, p, (size_t)(stop - p), from_link, &dir, err);

            if (r < 0) {
                return r;
            }
        }
        p = slash == NULL ? end : slash + 1;
    }
    *ret = dir;
    return 0;
}

struct place {
    uint32_t dir;
    const char *name;
    size_t name_size; /* 0: the path is the root itself */
};

/* Splits a path into its directory, resolved, and its last name. */
static int locate(struct walk *w, struct place *ret, struct error **err)
{
    size_t size = strlen(w->path);
    size_t start;
    int r;

    if (size > IMG_PATH_MAX) {
        return refuse(w->path, ENAMETOOLONG, "has a path longer than 4095 bytes", err);
    }
    for (;;) { /* trailing slashes and "/." do not count */
        while (size > 0 && w->path[size - 1] == '/') {
            size--;
        }
        if (size == 1 && w->path[0] == '.') {
            size = 0;
        } else if (size >= 2 && w->path[size - 1] == '.' && w->path[size - 2] == '/') {
            size--;
            continue;
        }
        break;
    }
    for (start = size; start > 0 && w->path[start - 1] != '/'; start--) {
    }
    *ret = (struct place){.dir = IMG_ROOT, .name = w->path + start, .name_size = size - start};
    if (ret->name_size == 2 && memcmp(ret->name, "..", 2) == 0) {
        return refuse(w->path, EPERM, "contains '..' and is refused", err);
    }
    if (ret->name_size > IMG_NAME_MAX) {
        return refuse(w->path, ENAMETOOLONG, "has a name longer than 255 bytes", err);
    }
    r = walk_path(w, IMG_ROOT, w->path, start, false, &ret->dir, err);
    return r;
}

static int whiteout(struct img_tree *t, const struct place *at, uint16_t layer,
                    struct img_flatten_stats *stats)
{
    const char *name = at->name + strlen(WHITEOUT);
    uint32_t entry;

    if (at->name_size == strlen(WHITEOUT_OPAQUE) &&
        memcmp(at->name, WHITEOUT_OPAQUE, at->name_size) == 0) {
        img_tree_make_opaque(t, at->dir, layer);
        stats->whiteouts++;
        return 1;
    }
    if (at->name_size >= strlen(WHITEOUT_META) &&
        memcmp(at->name, WHITEOUT_META, strlen(WHITEOUT_META)) == 0) {
        return 1;
    }
    entry = img_tree_child(t, at->dir, name, at->name_size - strlen(WHITEOUT));
    stats->whiteouts++;
    if (entry == IMG_NONE) {
        return 1;
    }
    if (img_entry_at(t, entry)->layer != layer) {
        img_tree_unlink(t, entry);
    } else if (img_is_dir(img_inode_of(t, entry))) {
        /* This layer gave the name again: only what lies below from older layers goes. */
        img_tree_make_opaque(t, entry, layer);
    }
    return 1;
}

static uint32_t mode_of(char type)
{
    static const uint32_t modes[] = {0100000, 0100000, 0120000, 0020000, 0060000, 0040000, 0010000};

    return modes[type - '0'];
}

/* Attributes, all of them: an entry never inherits from what it replaces. */
static int set_attributes(struct img_tree *t, uint32_t inode, struct tar_entry *e, uint16_t layer,
                          uint32_t source, struct error **err)
{
    struct img_inode *i = &t->inodes[inode];
    int r;

    i->mode = mode_of(e->type) | e->mode;
    i->uid = e->uid;
    i->gid = e->gid;
    i->mtime = e->mtime;
    i->mtime_nsec = e->mtime_nsec;
    i->layer = layer;
    i->source = source;
    i->holes = IMG_NONE;
    if (e->type == '0') {
        i->size = e->size;
    } else if (e->type == '3' || e->type == '4') {
        i->rdev = (e->dev_minor & 0xff) | e->dev_major << 8 | (e->dev_minor & ~0xffu) << 12;
    } else if (e->type == '2') {
        const size_t size = strlen(e->link);

        if (size == 0 || size > IMG_PATH_MAX) {
            return refuse(e->path, EBADMSG, "is a symbolic link with a bad target", err);
        }
        i->mode = 0120777;
        i->size = size;
        r = img_tree_store(t, e->link, size, &t->inodes[inode].target, err);
        if (r < 0) {
            return r;
        }
    }
    return img_xattrs_store(t, &e->xattrs, inode, err);
}

/* The inode a hard link names. The path is one inside the image and its last name is not followed.
 */
static int link_target(struct img_tree *t, const struct tar_entry *e, uint16_t layer,
                       uint32_t *ret_inode, struct error **err)
{
    struct walk w = {.t = t, .path = e->link, .layer = layer};
    struct place at;
    uint32_t entry = IMG_NONE;
    int r = locate(&w, &at, err);

    if (r < 0 && r != -ENOENT) {
        (void)error_wrap(err, "hard link target");
        return r;
    }
    if (r == 0 && at.name_size > 0) {
        entry = img_tree_child(t, at.dir, at.name, at.name_size);
    }
    if (entry == IMG_NONE) {
        return refuse(e->path, ENOENT, "is a hard link to a file the image does not have", err);
    }
    if (img_is_dir(img_inode_of(t, entry))) {
        return refuse(e->path, EPERM, "is a hard link to a directory", err);
    }
    *ret_inode = img_entry_at(t, entry)->inode;
    return 0;
}

static int scan_holes(struct img_tree *t, struct tar_reader *tar, uint32_t inode, uint64_t size,
                      struct error **err)
{
    _cleanup_img_holes_ struct img_holes h = {0};
    const uint8_t *p;
    uint64_t n;
    int r = img_holes_begin(&h, size, err);

    while (r == 0 && (r = tar_data(tar, &p, &n, err)) > 0) {
        img_holes_data(&h, p, n);
        r = 0;
    }
    return r < 0 ? r : img_holes_end(&h, t, inode, err);
}

static int add_hard_link(struct img_tree *t, const struct place *at, const struct tar_entry *e,
                         uint16_t layer, struct error **err)
{
    uint32_t old = img_tree_child(t, at->dir, at->name, at->name_size);
    uint32_t inode;
    uint32_t entry;
    int r = link_target(t, e, layer, &inode, err);

    if (r < 0) {
        return r;
    }
    if (old != IMG_NONE) {
        if (img_entry_at(t, old)->inode == inode) {
            img_tree_touch(t, old, layer); /* a link to itself */
            return 0;
        }
        t->inodes[inode].links++; /* the target may lie below what is replaced */
        img_tree_unlink(t, old);
        t->inodes[inode].links--;
    }
    r = img_tree_link(t, at->dir, at->name, at->name_size, inode, layer, &entry, err);
    if (r == 0) {
        img_tree_touch(t, at->dir, layer);
    }
    return r;
}

static int add_entry(struct img_tree *t, const struct place *at, struct tar_reader *tar,
                     struct tar_entry *e, uint16_t layer, uint32_t source, struct error **err)
{
    uint32_t old = img_tree_child(t, at->dir, at->name, at->name_size);
    uint32_t inode;
    uint32_t entry;
    int r;

    if (old != IMG_NONE && e->type == '5' && img_is_dir(img_inode_of(t, old))) {
        img_tree_touch(t, old, layer);
        return set_attributes(t, img_entry_at(t, old)->inode, e, layer, source, err);
    }
    if (e->type == '5' && depth_of(t, at->dir) >= IMG_DEPTH_MAX) {
        return refuse(e->path, ENAMETOOLONG, "lies too deep: more than 512 directories", err);
    }
    if (old != IMG_NONE) {
        img_tree_unlink(t, old);
    }
    r = img_tree_new_inode(t, mode_of(e->type), &inode, err);
    if (r == 0) {
        r = img_tree_link(t, at->dir, at->name, at->name_size, inode, layer, &entry, err);
    }
    if (r == 0) {
        img_tree_touch(t, at->dir, layer);
        r = set_attributes(t, inode, e, layer, source, err);
    }
    if (r == 0 && e->type == '0' && e->size >= IMG_SPARSE_MIN) {
        r = scan_holes(t, tar, inode, e->size, err);
    }
    return r;
}

int img_flatten_entry(struct img_tree *t, struct tar_reader *tar, struct tar_entry *e,
                      uint16_t layer, uint32_t source, struct img_flatten_stats *stats,
                      struct error **err)
{
    struct walk w = {.t = t, .path = e->path, .layer = layer};
    struct place at;
    const char *slash = strrchr(e->path, '/');
    const char *base = slash == NULL ? e->path : slash + 1;
    const bool is_whiteout = strncmp(base, WHITEOUT, strlen(WHITEOUT)) == 0;
    int r;

    stats->xattrs_skipped += e->xattrs.skipped;
    if (is_whiteout && base[strlen(WHITEOUT)] == '\0') {
        return refuse(e->path, EBADMSG, "is a whiteout without a name", err);
    }
    w.create = !is_whiteout;
    r = locate(&w, &at, err);
    if (r == -ENOENT && is_whiteout) {
        return 0; /* nothing there to remove */
    }
    if (r < 0) {
        return r;
    }
    if (at.name_size == 0) {
        if (e->type != '5') {
            return refuse(e->path, EBADMSG, "would replace the image's root directory", err);
        }
        return set_attributes(t, img_entry_at(t, IMG_ROOT)->inode, e, layer, source, err);
    }
    if (is_whiteout) {
        r = whiteout(t, &at, layer, stats);
        return r < 0 ? r : 0;
    }
    if (e->type == '1') {
        return add_hard_link(t, &at, e, layer, err);
    }
    return add_entry(t, &at, tar, e, layer, source, err);
}

static int read_stream(void *ctx, const uint8_t **ret, size_t *ret_size, struct error **err)
{
    return layer_stream_read(ctx, ret, ret_size, err);
}

int img_flatten_layer(struct img_tree *t, const struct img_layer *layer, uint16_t number,
                      struct layer_keep *keep, struct img_budget *budget,
                      const struct img_progress *progress, struct img_flatten_stats *stats,
                      struct error **err)
{
    _cleanup_layer_stream_ struct layer_stream *s = NULL;
    _cleanup_tar_reader_ struct tar_reader *tar = NULL;
    struct tar_entry *e;
    uint32_t source = 0;
    int r = layer_stream_open_first(layer, number, keep, budget, progress, &s, err);

    if (r == 0) {
        r = tar_reader_new(read_stream, s, &tar, err);
    }
    while (r == 0 && (r = tar_next(tar, &e, err)) > 0) {
        if (source == UINT32_MAX) {
            return error_set(err, EFBIG, "%s has too many entries", layer->name);
        }
        r = img_flatten_entry(t, tar, e, number, source++, stats, err);
        if (r == 0) {
            r = layer_stream_tree(s, img_tree_bytes(t), err);
        }
    }
    if (r < 0) {
        (void)error_wrap(err, "%s", layer->name);
        return r;
    }
    return layer_stream_finish(s, err);
}
