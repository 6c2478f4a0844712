/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Path walking (path_resolution(7), openat2(2)). The namespace lock is held from the first
 * component to the last, so a walk sees one state of the tree.
 */

#include "libos/fs/dirindex.h"
#include "libos/fs/file.h"
#include "libos/fs/fs_context.h"
#include "libos/fs/mount.h"
#include "libos/lib/str.h"
#include "libos/mm/kmem.h"

static bool is_dir(const struct path *p)
{
    return p->dentry->inode != NULL && S_ISDIR(p->dentry->inode->mode);
}

/* Where a walk starts: references in *ret. */
static int start_path(int dirfd, const char *name, uint32_t flags, struct path *ret)
{
    bool absolute = name[0] == '/';

    if (absolute && (flags & LOOKUP_BENEATH) != 0) {
        return -EXDEV;
    }
    if (absolute && (flags & LOOKUP_IN_ROOT) == 0) {
        fs_get_root(ret);
        return 0;
    }
    if (dirfd == AT_FDCWD) {
        fs_get_cwd(ret);
        return 0;
    }
    _cleanup_file_ struct file *f = fd_get_path(dirfd);

    if (f == NULL) {
        return -EBADF;
    }
    if (f->path.dentry == NULL || !is_dir(&f->path)) {
        return -ENOTDIR;
    }
    *ret = f->path;
    path_get(ret);
    return 0;
}

static int may_walk(const struct path *dir)
{
    if (!is_dir(dir)) {
        return -ENOTDIR;
    }
    return inode_permission(dir->dentry->inode, MAY_EXEC, /*real=*/false);
}

static int walk_up(struct name_walk *w)
{
    struct path p = w->cur;

    if (path_equal(&p, &w->start) && (w->flags & LOOKUP_BENEATH) != 0) {
        return -EXDEV;
    }
    if (path_equal(&p, &w->root)) {
        return 0;
    }
    while (p.dentry == p.mnt->root) {
        if (p.mnt->parent == NULL) {
            return 0;
        }
        if ((w->flags & LOOKUP_NO_XDEV) != 0) {
            return -EXDEV;
        }
        p = (struct path){.mnt = p.mnt->parent, .dentry = p.mnt->mountpoint};
        if (path_equal(&p, &w->root)) {
            w->cur = p;
            return 0;
        }
    }
    p.dentry = p.dentry->parent;
    w->cur = p;
    return 0;
}

/* Continues at the text of `link` followed by what is left of the path. */
static int follow_text(struct name_walk *w, struct dentry *link)
{
    size_t rest = str_len(w->rest);
    char *buffer = kmalloc(PATH_MAX + rest + 2);

    if (buffer == NULL) {
        return -ENOMEM;
    }
    int n = link->inode->ops->readlink(link->inode, buffer, PATH_MAX);

    if (n <= 0) {
        kfree(buffer);
        return n == 0 ? -ENOENT : n;
    }
    if (rest > 0) {
        buffer[n] = '/';
        __builtin_memcpy(buffer + n + 1, w->rest, rest + 1);
    } else {
        buffer[n] = '\0';
    }
    kfree(w->buffer);
    w->buffer = buffer;
    w->rest = buffer;
    if (buffer[0] == '/') {
        if ((w->flags & LOOKUP_BENEATH) != 0 ||
            ((w->flags & LOOKUP_NO_XDEV) != 0 && w->cur.mnt != w->root.mnt)) {
            return -EXDEV;
        }
        w->cur = w->root;
    }
    return 0;
}

static int follow_magic(struct name_walk *w, struct inode *link)
{
    struct path target = {0};

    if ((w->flags & (LOOKUP_NO_MAGICLINKS | LOOKUP_BENEATH | LOOKUP_IN_ROOT)) != 0) {
        return (w->flags & LOOKUP_NO_MAGICLINKS) != 0 ? -ELOOP : -EXDEV;
    }
    int r = link->ops->magic_link(link, &target);

    if (r < 0) {
        return r;
    }
    if ((w->flags & LOOKUP_NO_XDEV) != 0 && target.mnt != w->cur.mnt) {
        path_put(&target);
        return -EXDEV;
    }
    path_put(&w->held);
    w->held = target;
    w->cur = target;
    return 0;
}

/* 1: a magic link led straight to an object, which is w->cur now; 0: the walk goes on in text. */
static int follow(struct name_walk *w, struct dentry *link)
{
    if ((w->flags & LOOKUP_NO_SYMLINKS) != 0 || ++w->links > MAX_SYMLINKS) {
        return -ELOOP;
    }
    if (link->inode->ops->magic_link != NULL) {
        int r = follow_magic(w, link->inode);

        return r < 0 ? r : 1;
    }
    return follow_text(w, link);
}

static int step_into(struct name_walk *w, struct dentry *child)
{
    struct path p = {.mnt = w->cur.mnt, .dentry = child};

    mount_cross(&p);
    if (p.mnt != w->cur.mnt && (w->flags & LOOKUP_NO_XDEV) != 0) {
        return -EXDEV;
    }
    w->cur = p;
    return 0;
}

static enum last_type classify(const char *s, size_t len)
{
    if (len == 1 && s[0] == '.') {
        return LAST_DOT;
    }
    return len == 2 && s[0] == '.' && s[1] == '.' ? LAST_DOTDOT : LAST_NORM;
}

/* One component that is not the last. */
static int step(struct name_walk *w, const struct qstr *name)
{
    struct dentry *child = NULL;
    int r = may_walk(&w->cur);

    if (r < 0) {
        return r;
    }
    switch (classify(name->s, name->len)) {
    case LAST_DOT: return 0;
    case LAST_DOTDOT: return walk_up(w);
    default: break;
    }
    r = dentry_lookup(w->cur.dentry, name, &child);
    if (r < 0) {
        return r;
    }
    if (child->inode == NULL) {
        return -ENOENT;
    }
    if (S_ISLNK(child->inode->mode)) {
        r = follow(w, child);
        if (r <= 0) {
            return r;
        }
    } else {
        r = step_into(w, child);
        if (r < 0) {
            return r;
        }
    }
    return is_dir(&w->cur) ? 0 : -ENOTDIR;
}

/* Walks w->rest up to its last component. */
static int walk_run(struct name_walk *w)
{
    w->type = LAST_ROOT;
    for (;;) {
        const char *s = w->rest;

        while (*s == '/') {
            s++;
        }
        if (*s == '\0') {
            return 0; /* nothing but slashes: the last component is where we are */
        }
        size_t len = 0;

        while (s[len] != '\0' && s[len] != '/') {
            len++;
        }
        const char *after = s + len;

        while (*after == '/') {
            after++;
        }
        w->rest = after;
        if (*after == '\0') {
            w->last = qstr_make(s, len);
            w->type = classify(s, len);
            w->trailing_slash = s[len] == '/' || w->trailing_slash;
            return 0;
        }
        struct qstr name = qstr_make(s, len);
        int r = step(w, &name);

        if (r < 0) {
            return r;
        }
    }
}

int path_parent_begin(struct name_walk *w, int dirfd, const char *name, uint32_t flags)
{
    *w = (struct name_walk){.rest = name, .flags = flags};
    if (name[0] == '\0') {
        return -ENOENT;
    }
    int r = start_path(dirfd, name, flags, &w->held);

    if (r < 0) {
        return r;
    }
    w->cur = w->held;
    w->start = w->held;
    fs_get_root(&w->root);
    path_get(&w->start); /* `held` changes when a magic link is followed */
    if ((flags & LOOKUP_IN_ROOT) != 0) {
        path_put(&w->root);
        w->root = w->start;
        path_get(&w->root);
    }
    ns_lock();
    r = walk_run(w);
    if (r < 0) {
        path_parent_end(w);
    }
    return r;
}

void path_parent_end(struct name_walk *w)
{
    path_put(&w->root);
    path_put(&w->start);
    path_put(&w->held);
    ns_unlock();
    kfree(w->buffer);
    w->buffer = NULL;
}

int path_child(struct name_walk *w, struct dentry **ret)
{
    int r = may_walk(&w->cur);

    return r < 0 ? r : dentry_lookup(w->cur.dentry, &w->last, ret);
}

int path_follow_last(struct name_walk *w, struct dentry *link)
{
    w->rest = "";
    int r = follow(w, link);

    if (r < 0) {
        return r;
    }
    if (r == 1) {
        w->type = LAST_ROOT;
        return 0;
    }
    return walk_run(w);
}

/* Resolves the last component; w->cur becomes the object. */
static int finish(struct name_walk *w)
{
    for (;;) {
        struct dentry *child = NULL;
        int r = 0;

        switch (w->type) {
        case LAST_ROOT: return 0;
        case LAST_DOT: return may_walk(&w->cur);
        case LAST_DOTDOT: r = may_walk(&w->cur); return r < 0 ? r : walk_up(w);
        case LAST_NORM: break;
        }
        r = path_child(w, &child);
        if (r < 0) {
            return r;
        }
        if (child->inode == NULL) {
            return -ENOENT;
        }
        if (!S_ISLNK(child->inode->mode) ||
            ((w->flags & LOOKUP_FOLLOW) == 0 && !w->trailing_slash)) {
            return step_into(w, child);
        }
        r = path_follow_last(w, child);
        if (r < 0) {
            return r;
        }
    }
}

static int lookup_empty(int dirfd, struct path *ret)
{
    if (dirfd == AT_FDCWD) {
        fs_get_cwd(ret);
        return 0;
    }
    _cleanup_file_ struct file *f = fd_get_path(dirfd);

    if (f == NULL) {
        return -EBADF;
    }
    *ret = f->path;
    path_get(ret);
    return 0;
}

int path_lookup(int dirfd, const char *name, uint32_t flags, struct path *ret)
{
    struct name_walk w;

    if (name[0] == '\0' && (flags & LOOKUP_EMPTY) != 0) {
        return lookup_empty(dirfd, ret);
    }
    int r = path_parent_begin(&w, dirfd, name, flags);

    if (r < 0) {
        return r;
    }
    r = finish(&w);
    if (r == 0 && (w.trailing_slash || (flags & LOOKUP_DIRECTORY) != 0) && !is_dir(&w.cur)) {
        r = -ENOTDIR;
    }
    if (r == 0) {
        *ret = w.cur;
        path_get(ret);
    }
    path_parent_end(&w);
    return r;
}

/* Puts `s` in front of what is in buf already. */
static bool prepend(char *buf, size_t *at, const char *s, size_t len)
{
    if (*at < len) {
        return false;
    }
    *at -= len;
    __builtin_memcpy(buf + *at, s, len);
    return true;
}

static bool is_anonymous(const struct path *p)
{
    return p->dentry->parent == p->dentry && (p->mnt == NULL || p->dentry != p->mnt->root);
}

static int text_locked(const struct path *p, const struct path *root, bool strict, char *buf,
                       size_t size, char **ret)
{
    static const char deleted[] = " (deleted)";
    size_t at = size;
    struct path c = *p;
    bool fits = prepend(buf, &at, "", 1);

    if (is_anonymous(p)) {
        fits = fits && prepend(buf, &at, c.dentry->name, c.dentry->name_len);
        *ret = buf + at;
        return fits ? 0 : -ENAMETOOLONG;
    }
    if (!c.dentry->hashed && c.dentry->parent != c.dentry) {
        if (strict) {
            return -ENOENT;
        }
        fits = fits && prepend(buf, &at, deleted, sizeof(deleted) - 1);
    }
    size_t end = at;

    while (fits && !path_equal(&c, root)) {
        if (c.dentry == c.mnt->root) {
            if (c.mnt->parent == NULL) {
                if (strict && !path_equal(&c, root)) {
                    fits = prepend(buf, &at, "(unreachable)", 13);
                }
                break;
            }
            c = (struct path){.mnt = c.mnt->parent, .dentry = c.mnt->mountpoint};
            continue;
        }
        fits = prepend(buf, &at, c.dentry->name, c.dentry->name_len) && prepend(buf, &at, "/", 1);
        c.dentry = c.dentry->parent;
    }
    if (at == end) {
        fits = fits && prepend(buf, &at, "/", 1);
    }
    *ret = buf + at;
    return fits ? 0 : -ENAMETOOLONG;
}

int path_text(const struct path *p, const struct path *root, bool strict, char *buf, size_t size,
              char **ret)
{
    if (p->dentry == NULL) {
        return -ENOENT;
    }
    ns_lock();
    int r = text_locked(p, root, strict, buf, size, ret);

    ns_unlock();
    return r;
}
