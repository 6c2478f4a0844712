/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Requests about names. A member walks paths and checks permissions itself, with what the answers
 * here tell; what must hold at the moment of a change is looked at again, under the namespace lock,
 * because other processes change names as well. The owner's own cache of names is kept true: a
 * directory knows its dentry (inode->alias) while names below it are cached.
 */

#include <linux/inotify.h>

#include "libos/family/home.h"
#include "libos/fs/dirindex.h"
#include "libos/fs/notify.h"
#include "libos/fs/overlay/overlay.h"

/* ---- attributes ---- */

static struct wire_time time_out(const struct timestamp *t)
{
    return (struct wire_time){.sec = t->sec, .nsec = t->nsec};
}

int home_attr(struct family_request *q, struct inode *inode, bool grant)
{
    struct wire_attr a = {0};
    struct kstat st;
    int r = inode_getattr(inode, &st);

    if (r == 0 && grant) {
        r = home_grant_inode(q->member, inode, &a.handle);
    }
    if (r < 0) {
        return r;
    }
    a.inode_flags = inode->flags;
    a.sb_flags = inode->sb->flags | (notify_active() ? WIRE_SB_NOTIFY : 0);
    a.seals = inode->seals;
    if (overlay_is(inode->sb) && overlay_untouched(inode) != NULL) {
        a.lower_ino = overlay_untouched(inode)->ino;
    }
    a.dev = st.dev;
    a.ino = st.ino;
    a.rdev = st.rdev;
    a.size = st.size;
    a.blocks = st.blocks;
    a.mode = st.mode;
    a.uid = st.uid;
    a.gid = st.gid;
    a.nlink = st.nlink;
    a.atime = time_out(&st.atime);
    a.mtime = time_out(&st.mtime);
    a.ctime = time_out(&st.ctime);
    a.btime = time_out(&st.btime);
    __builtin_memcpy(q->answer, &a, sizeof(a));
    q->answer_size = sizeof(a);
    return 0;
}

/* ---- names ---- */

/* A name in a directory: its dentry when the directory is in the cache (else NULL), and what it
 * means now (a reference) or NULL. Namespace lock held. */
struct found {
    struct dentry *dentry;
    struct inode *inode;
};

static int find(struct inode *dir, const struct qstr *name, struct found *ret)
{
    struct dentry *at = dir->alias;
    int r;

    *ret = (struct found){0};
    if (!S_ISDIR(dir->mode) || dir->ops->lookup == NULL) {
        return -ENOTDIR;
    }
    if ((dir->flags & INODE_DEAD_DIR) != 0) {
        return -ENOENT;
    }
    if (at != NULL) {
        r = dentry_lookup(at, name, &ret->dentry);
        if (r == 0 && ret->dentry->inode != NULL) {
            ret->inode = inode_get(ret->dentry->inode);
        }
        return r;
    }
    r = dir->ops->lookup(dir, name, &ret->inode);
    return r == -ENOENT ? 0 : r;
}

static int check_name(const struct qstr *name)
{
    if (name->len == 0 || name->len > NAME_LEN_MAX ||
        (name->s[0] == '.' && (name->len == 1 || (name->len == 2 && name->s[1] == '.')))) {
        return -EINVAL;
    }
    for (uint32_t i = 0; i < name->len; i++) {
        if (name->s[i] == '/' || name->s[i] == '\0') {
            return -EINVAL;
        }
    }
    return 0;
}

/* `size` bytes of the request as a name. */
static int take_name(struct family_request *q, size_t size, struct qstr *ret)
{
    const uint8_t *p;

    if (cursor_bytes(&q->body, size, &p) < 0) {
        return -EBADMSG;
    }
    *ret = qstr_make((const char *)p, size);
    return check_name(ret);
}

static int check_dir(const struct inode *dir)
{
    return S_ISDIR(dir->mode) ? 0 : -ENOTDIR;
}

/* The fixed part of a request and the directory it is about. */
#define TAKE_DIR(q, dst, ret) take_dir((q), (dst), sizeof(*(dst)), (ret))
static int take_dir(struct family_request *q, void *dst, size_t size, struct inode **ret)
{
    const int r = home_take_inode(q, dst, size, ret);

    return r < 0 ? r : check_dir(*ret);
}

/* … and the name that follows, all there is. */
#define TAKE_DIR_NAME(q, dst, ret, name) take_dir_name((q), (dst), sizeof(*(dst)), (ret), (name))
static int take_dir_name(struct family_request *q, void *dst, size_t size, struct inode **ret,
                         struct qstr *ret_name)
{
    const int r = take_dir(q, dst, size, ret);

    return r < 0 ? r : take_name(q, q->body.left, ret_name);
}

static int64_t serve_lookup(struct family_request *q)
{
    _cleanup_inode_ struct inode *dir = NULL;
    struct found f = {0};
    struct wire_name w;
    struct qstr name;
    int r = TAKE_DIR_NAME(q, &w, &dir, &name);

    if (r < 0) {
        return r;
    }
    ns_lock();
    r = find(dir, &name, &f);
    ns_unlock();
    if (r == 0) {
        r = f.inode == NULL ? -ENOENT : home_attr(q, f.inode, /*grant=*/true);
    }
    inode_put(f.inode);
    return r;
}

static bool may_change(const struct inode *dir)
{
    return (dir->sb->flags & SB_RDONLY) == 0;
}

static int create_locked(struct inode *dir, const struct qstr *name, const struct inode_new *what,
                         struct inode **ret)
{
    struct found f;
    int r = find(dir, name, &f);

    if (r < 0) {
        return r;
    }
    if (f.inode != NULL) {
        inode_put(f.inode);
        return -EEXIST;
    }
    if (dir->ops->create == NULL) {
        return -EACCES;
    }
    r = dir->ops->create(dir, name, what, ret);
    if (r == 0) {
        if (f.dentry != NULL) {
            dentry_fill(f.dentry, inode_get(*ret));
        }
        if (notify_active()) {
            notify_entry(dir, name->s, name->len,
                         IN_CREATE | (S_ISDIR(what->mode) ? (uint32_t)IN_ISDIR : 0), 0);
        }
    }
    return r;
}

static int64_t serve_create(struct family_request *q)
{
    _cleanup_inode_ struct inode *dir = NULL;
    _cleanup_inode_ struct inode *inode = NULL;
    struct wire_create w;
    struct inode_new what;
    struct qstr name;
    char target[PATH_MAX];
    int r = TAKE_DIR(q, &w, &dir);

    r = r < 0 ? r : take_name(q, w.name_size, &name);
    if (r < 0) {
        return r;
    }
    if (!may_change(dir)) {
        return -EROFS;
    }
    if (q->body.left >= sizeof(target)) {
        return -ENAMETOOLONG;
    }
    what = (struct inode_new){
        .mode = w.mode, .uid = w.uid, .gid = w.gid, .rdev = w.rdev, .target = target};
    if (S_ISLNK(w.mode) != (q->body.left > 0)) {
        return -EBADMSG;
    }
    __builtin_memcpy(target, q->body.p, q->body.left);
    target[q->body.left] = '\0';
    ns_lock();
    r = create_locked(dir, &name, &what, &inode);
    ns_unlock();
    return r < 0 ? r : home_attr(q, inode, /*grant=*/true);
}

static int64_t serve_tmpfile(struct family_request *q)
{
    _cleanup_inode_ struct inode *dir = NULL;
    _cleanup_inode_ struct inode *inode = NULL;
    struct wire_create w;
    int r = TAKE_DIR(q, &w, &dir);

    if (r < 0) {
        return r;
    }
    if (!may_change(dir) || dir->ops->tmpfile == NULL) {
        return !may_change(dir) ? -EROFS : -EOPNOTSUPP;
    }
    ns_lock();
    r = dir->ops->tmpfile(dir, &(struct inode_new){.mode = w.mode, .uid = w.uid, .gid = w.gid},
                          &inode);
    ns_unlock();
    return r < 0 ? r : home_attr(q, inode, /*grant=*/true);
}

static int64_t serve_link(struct family_request *q)
{
    _cleanup_inode_ struct inode *dir = NULL;
    _cleanup_inode_ struct inode *target = NULL;
    struct found f = {0};
    struct wire_link w;
    struct qstr name;
    int r = TAKE_DIR_NAME(q, &w, &dir, &name);

    target = r < 0 ? NULL : home_inode(q->member, w.target);
    if (r < 0 || target == NULL) {
        return r < 0 ? r : -EBADF;
    }
    if (target->sb != dir->sb) {
        return -EXDEV;
    }
    if (S_ISDIR(target->mode) || dir->ops->link == NULL || !may_change(dir)) {
        return !may_change(dir) ? -EROFS : -EPERM;
    }
    ns_lock();
    r = find(dir, &name, &f);
    if (r == 0) {
        r = f.inode != NULL ? -EEXIST : dir->ops->link(dir, &name, target);
    }
    if (r == 0) {
        if (f.dentry != NULL) {
            dentry_fill(f.dentry, inode_get(target));
        }
        if (notify_active()) {
            notify_inode(target, IN_ATTRIB);
            notify_entry(dir, name.s, name.len, IN_CREATE, 0);
        }
    }
    ns_unlock();
    inode_put(f.inode);
    return r < 0 ? r : home_attr(q, target, /*grant=*/false);
}

static void tell_gone(struct inode *dir, const struct qstr *name, struct inode *victim)
{
    const uint32_t is_dir = S_ISDIR(victim->mode) ? IN_ISDIR : 0;

    if (!notify_active()) {
        return;
    }
    notify_entry(dir, name->s, name->len, IN_DELETE | is_dir, 0);
    if (victim->nlink == 0 || is_dir != 0) {
        notify_inode(victim, IN_DELETE_SELF | is_dir);
        notify_gone(victim);
    } else {
        notify_inode(victim, IN_ATTRIB);
    }
}

static int remove_locked(struct inode *dir, const struct qstr *name, bool want_dir)
{
    struct found f;
    int r = find(dir, name, &f);

    if (r == 0 && f.inode == NULL) {
        r = -ENOENT;
    }
    if (r < 0) {
        return r;
    }
    if (S_ISDIR(f.inode->mode) != want_dir) {
        r = want_dir ? -ENOTDIR : -EISDIR;
    } else if (f.dentry != NULL && f.dentry->mounted != NULL) {
        r = -EBUSY;
    } else if ((want_dir ? dir->ops->rmdir : dir->ops->unlink) == NULL) {
        r = -EPERM;
    } else {
        r = want_dir ? dir->ops->rmdir(dir, name, f.inode) : dir->ops->unlink(dir, name, f.inode);
    }
    if (r == 0) {
        tell_gone(dir, name, f.inode);
        if (f.dentry != NULL) {
            dentry_gone(f.dentry);
        }
    }
    inode_put(f.inode);
    return r;
}

static int64_t remove(struct family_request *q, bool want_dir)
{
    _cleanup_inode_ struct inode *dir = NULL;
    struct wire_name w;
    struct qstr name;
    int r = TAKE_DIR_NAME(q, &w, &dir, &name);

    if (r < 0) {
        return r;
    }
    if (!may_change(dir)) {
        return -EROFS;
    }
    ns_lock();
    r = remove_locked(dir, &name, want_dir);
    ns_unlock();
    return r;
}

static int64_t serve_unlink(struct family_request *q)
{
    return remove(q, /*want_dir=*/false);
}

static int64_t serve_rmdir(struct family_request *q)
{
    return remove(q, /*want_dir=*/true);
}

/* ---- rename ---- */

struct move {
    struct inode *from, *to;
    struct qstr from_name, to_name;
    struct found source, target;
    uint32_t flags;
};

/* What rename(2) demands, at the moment of the change. */
static int move_check(const struct move *m)
{
    const struct inode *s = m->source.inode;
    const struct inode *t = m->target.inode;

    if (s == NULL) {
        return -ENOENT;
    }
    if ((m->flags & RENAME_NOREPLACE) != 0 && t != NULL) {
        return -EEXIST;
    }
    if ((m->flags & RENAME_EXCHANGE) != 0 && t == NULL) {
        return -ENOENT;
    }
    if ((m->source.dentry != NULL && m->source.dentry->mounted != NULL) ||
        (m->target.dentry != NULL && m->target.dentry->mounted != NULL)) {
        return -EBUSY;
    }
    /* A directory never goes below itself. Without dentries there is nothing below in use. */
    if (m->source.dentry != NULL && m->to->alias != NULL &&
        dentry_is_ancestor(m->source.dentry, m->to->alias)) {
        return -EINVAL;
    }
    if (m->target.dentry != NULL && m->from->alias != NULL &&
        dentry_is_ancestor(m->target.dentry, m->from->alias)) {
        return (m->flags & RENAME_EXCHANGE) != 0 ? -EINVAL : -ENOTEMPTY;
    }
    if (t != NULL && (m->flags & RENAME_EXCHANGE) == 0 && S_ISDIR(s->mode) != S_ISDIR(t->mode)) {
        return S_ISDIR(s->mode) ? -ENOTDIR : -EISDIR;
    }
    return m->from->ops->rename == NULL ? -EPERM : 0;
}

/* The cache of names after the file system did it. */
static void move_dentries(struct move *m)
{
    struct dentry *s = m->source.dentry;
    struct dentry *t = m->target.dentry;

    if ((m->flags & RENAME_EXCHANGE) != 0 && s != NULL && t != NULL) {
        dentry_swap(s, t);
        return;
    }
    if (s != NULL && m->to->alias != NULL && (m->flags & RENAME_EXCHANGE) == 0) {
        if (dentry_move(s, m->to->alias, &m->to_name) == 0) {
            return;
        }
    }
    /* Both are asked for again at the next walk. */
    if (s != NULL) {
        dentry_gone(s);
    }
    if (t != NULL) {
        dentry_gone(t);
    }
}

static void move_tell(struct move *m)
{
    const uint32_t is_dir = S_ISDIR(m->source.inode->mode) ? IN_ISDIR : 0;
    const uint32_t cookie = notify_cookie();
    struct inode *replaced = (m->flags & RENAME_EXCHANGE) != 0 ? NULL : m->target.inode;

    notify_entry(m->from, m->from_name.s, m->from_name.len, IN_MOVED_FROM | is_dir, cookie);
    notify_entry(m->to, m->to_name.s, m->to_name.len, IN_MOVED_TO | is_dir, cookie);
    notify_inode(m->source.inode, IN_MOVE_SELF);
    if (replaced != NULL) {
        notify_inode(replaced, replaced->nlink == 0 ? IN_DELETE_SELF : IN_ATTRIB);
        if (replaced->nlink == 0) {
            notify_gone(replaced);
        }
    }
}

static int move_locked(struct move *m)
{
    struct path keep = {0};
    int r = find(m->from, &m->from_name, &m->source);

    if (r < 0) {
        return r;
    }
    keep.dentry = m->source.dentry; /* a volatile file system may drop it at the next look */
    path_get(&keep);
    r = find(m->to, &m->to_name, &m->target);
    r = r < 0 ? r : move_check(m);
    if (r == 0 && m->source.inode != m->target.inode) {
        r = m->from->ops->rename(m->from, &m->from_name, m->source.inode, m->to, &m->to_name,
                                 m->target.inode, m->flags & RENAME_EXCHANGE);
        if (r == 0) {
            if (notify_active()) {
                move_tell(m);
            }
            move_dentries(m);
        }
    }
    path_put(&keep);
    return r;
}

static int64_t serve_rename(struct family_request *q)
{
    _cleanup_inode_ struct inode *from = NULL;
    _cleanup_inode_ struct inode *to = NULL;
    struct wire_rename w;
    struct move m = {0};
    int r = TAKE_DIR(q, &w, &from);

    to = r < 0 ? NULL : home_inode(q->member, w.to);
    r = r < 0 ? r : to == NULL ? -EBADF : check_dir(to);
    r = r < 0 ? r : take_name(q, w.from_size, &m.from_name);
    r = r < 0 ? r : take_name(q, w.to_size, &m.to_name);
    if (r < 0 || q->body.left != 0) {
        return r < 0 ? r : -EBADMSG;
    }
    if (from->sb != to->sb) {
        return -EXDEV;
    }
    if (!may_change(from)) {
        return -EROFS;
    }
    m.from = from;
    m.to = to;
    m.flags = w.flags;
    ns_lock();
    r = move_locked(&m);
    ns_unlock();
    inode_put(m.source.inode);
    inode_put(m.target.inode);
    return r;
}

/* ---- listing ---- */

struct listing {
    struct dir_context ctx;
    struct family_request *q;
};

static bool list_one(struct dir_context *ctx, const char *name, size_t len, uint64_t ino,
                     uint8_t type, uint64_t next)
{
    struct family_request *q = container_of(ctx, struct listing, ctx)->q;
    const struct wire_entry e = {.ino = ino, .next = next, .type = type, .name_size = (uint8_t)len};

    if (len > NAME_LEN_MAX || q->cap - q->answer_size < sizeof(e) + len) {
        return false;
    }
    __builtin_memcpy(q->answer + q->answer_size, &e, sizeof(e));
    __builtin_memcpy(q->answer + q->answer_size + sizeof(e), name, len);
    q->answer_size += sizeof(e) + len;
    return true;
}

static int64_t serve_readdir(struct family_request *q)
{
    _cleanup_inode_ struct inode *dir = NULL;
    struct wire_readdir w;
    struct listing l = {.ctx.emit = list_one, .q = q};
    int r = TAKE_DIR(q, &w, &dir);

    if (r < 0) {
        return r;
    }
    q->cap = MIN(q->cap, (size_t)32 << 10);
    l.ctx.pos = w.pos;
    ns_lock();
    r = (dir->flags & INODE_DEAD_DIR) != 0 ? 0 : dir->ops->readdir(dir, &l.ctx);
    ns_unlock();
    return r;
}

/* ---- single objects ---- */

static int64_t serve_readlink(struct family_request *q)
{
    _cleanup_inode_ struct inode *inode = NULL;
    uint32_t handle;
    int n = HOME_TAKE_INODE(q, &handle, &inode);

    if (n < 0 || inode->ops->readlink == NULL) {
        return n < 0 ? n : -EINVAL;
    }
    ns_lock();
    n = inode->ops->readlink(inode, (char *)q->answer, PATH_MAX);
    ns_unlock();
    q->answer_size = n > 0 ? (size_t)n : 0;
    return n;
}

static int64_t serve_getattr(struct family_request *q)
{
    _cleanup_inode_ struct inode *inode = NULL;
    uint32_t handle;
    const int r = HOME_TAKE_INODE(q, &handle, &inode);

    return r < 0 ? r : home_attr(q, inode, /*grant=*/false);
}

static int64_t serve_setattr(struct family_request *q)
{
    _cleanup_inode_ struct inode *inode = NULL;
    struct wire_setattr w;
    struct iattr attr;
    int r = HOME_TAKE_INODE(q, &w, &inode);

    if (r < 0) {
        return r;
    }
    if ((w.valid & ATTR_SIZE) != 0 && home_may_wait(q, inode)) {
        return FAMILY_BLOCKS;
    }
    attr = (struct iattr){
        .valid = w.valid,
        .mode = w.mode,
        .uid = w.uid,
        .gid = w.gid,
        .size = w.size,
        .atime = {.sec = w.atime_sec, .nsec = w.atime_nsec},
        .mtime = {.sec = w.mtime_sec, .nsec = w.mtime_nsec},
    };
    r = inode_setattr(inode, &attr);
    return r < 0 ? r : home_attr(q, inode, /*grant=*/false); /* the member tells inotify */
}

static int64_t serve_statfs(struct family_request *q)
{
    _cleanup_inode_ struct inode *inode = NULL;
    struct kstatfs st = {0};
    uint32_t handle;
    int r = HOME_TAKE_INODE(q, &handle, &inode);

    if (r < 0) {
        return r;
    }
    if (inode->sb->ops->statfs != NULL) {
        r = inode->sb->ops->statfs(inode->sb, &st);
    }
    __builtin_memcpy(q->answer, &st, sizeof(st));
    q->answer_size = sizeof(st);
    return r;
}

/* ---- what still is as in the lower file system ---- */

static void about_to_touch(struct superblock *sb, uint64_t ino)
{
    static uint64_t g_value;
    struct wire_touched t = {.dev = sb->dev, .ino = ino};

    t.value = __atomic_add_fetch(&g_value, 1, __ATOMIC_RELAXED);
    family_notify_all(FAMILY_EVENT_touched, &t, sizeof(t), t.value);
}

struct find_super {
    uint64_t dev;
    struct superblock *sb;
};

static void match_super(const struct mount *m, void *arg)
{
    struct find_super *f = arg;

    if (m->sb->dev == f->dev && overlay_is(m->sb)) {
        f->sb = m->sb;
    }
}

static int64_t serve_touched(struct family_request *q)
{
    struct find_super f = {0};
    uint64_t from;
    size_t n;

    if (cursor_u64le(&q->body, &f.dev) < 0 || cursor_u64le(&q->body, &from) < 0) {
        return -EBADMSG;
    }
    mount_for_each(match_super, &f);
    if (f.sb == NULL) {
        return 0;
    }
    n = overlay_touched(f.sb, from, (uint64_t *)(void *)q->answer, q->cap / sizeof(uint64_t));
    q->answer_size = n * sizeof(uint64_t);
    return (int64_t)n;
}

static int64_t serve_away(struct family_request *q)
{
    uint32_t away;

    if (cursor_u32le(&q->body, &away) < 0) {
        return -EBADMSG;
    }
    family_away(q->member, away != 0);
    return 0;
}

void home_names_start(void)
{
    overlay_set_watcher(about_to_touch);
    family_serve(FAMILY_OP_touched, serve_touched);
    family_serve(FAMILY_OP_away, serve_away);
    family_serve(FAMILY_OP_lookup, serve_lookup);
    family_serve(FAMILY_OP_create, serve_create);
    family_serve(FAMILY_OP_tmpfile, serve_tmpfile);
    family_serve(FAMILY_OP_link, serve_link);
    family_serve(FAMILY_OP_unlink, serve_unlink);
    family_serve(FAMILY_OP_rmdir, serve_rmdir);
    family_serve(FAMILY_OP_rename, serve_rename);
    family_serve(FAMILY_OP_readdir, serve_readdir);
    family_serve(FAMILY_OP_readlink, serve_readlink);
    family_serve(FAMILY_OP_getattr, serve_getattr);
    family_serve(FAMILY_OP_setattr, serve_setattr);
    family_serve(FAMILY_OP_statfs, serve_statfs);
}
