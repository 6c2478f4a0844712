/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Inodes of the owner's. There is one here for each handle, and it counts how often the handle was
 * granted: what is given back at its end are so many grants, so that one on its way meanwhile is
 * not lost.
 */

#include "libos/family/remote_internal.h"
#include "libos/fs/locks.h"
#include "libos/mm/kmem.h"
#include "libos/proc/thread.h"
#include "libos/sys/syscall.h"

#define BUCKETS 1024u

static const struct inode_ops g_remote_ops;

static struct spinlock g_table_lock;
static struct rinode *g_table[BUCKETS];
/* Whoever waits for a lock of any file: locks are rare, and a wake for nothing is harmless. */
static struct waitq g_lock_waiters;

uint32_t remote_inode_handle(struct inode *inode)
{
    uint32_t handle = 0;

    return rinode_handle(rinode_of(inode), &handle) < 0 ? 0 : handle;
}

int64_t remote_ask(uint32_t op, const void *request, size_t size, void *answer, size_t cap,
                   size_t *ret_size)
{
    const struct channel_part part = {.p = request, .size = size};
    struct family_message m = {.op = (enum family_op)op,
                               .parts = &part,
                               .part_count = 1,
                               .answer = answer,
                               .cap = cap,
                               .steady = true};
    int64_t r = family_exchange(&m);

    if (ret_size != NULL) {
        *ret_size = m.ret_size;
    }
    return r;
}

/* ---- attributes ---- */

static struct timestamp time_in(const struct wire_time *t)
{
    return (struct timestamp){.sec = t->sec, .nsec = t->nsec};
}

static void take_attr(struct inode *inode, const struct wire_attr *a)
{
    mutex_lock(&inode->lock);
    inode->mode = a->mode;
    inode->uid = a->uid;
    inode->gid = a->gid;
    inode->nlink = a->nlink;
    /* names of a directory that somebody may change are asked for at every walk */
    inode->flags = (a->inode_flags & ~INODE_VOLATILE) |
                   (S_ISDIR(a->mode) && !rinode_untouched(rinode_of(inode)) ? INODE_VOLATILE : 0);
    inode->seals = a->seals;
    remote_notify_hint((a->sb_flags & WIRE_SB_NOTIFY) != 0);
    inode->rdev = a->rdev;
    inode->size = a->size;
    inode->blocks = a->blocks;
    inode->atime = time_in(&a->atime);
    inode->mtime = time_in(&a->mtime);
    inode->ctime = time_in(&a->ctime);
    inode->btime = time_in(&a->btime);
    mutex_unlock(&inode->lock);
}

static struct rinode **bucket_of(uint32_t handle)
{
    return &g_table[handle % BUCKETS];
}

/* Under the table's lock: the living inode of a handle, with a reference, or NULL. */
static struct rinode *find(uint32_t handle)
{
    for (struct rinode *r = *bucket_of(handle); r != NULL; r = r->next) {
        if (r->handle == handle && ref_try_get(&r->inode.refs)) {
            return r;
        }
    }
    return NULL;
}

static void give_back(uint32_t handle, uint32_t grants)
{
    const struct wire_grant g = {.handle = handle, .grants = grants};

    (void)!remote_ask(FAMILY_OP_drop, &g, sizeof(g), NULL, 0, NULL);
}

struct rinode *rinode_alloc(struct superblock *sb, uint64_t ino, const struct inode_new *what)
{
    struct rinode *r = kzalloc(sizeof(*r));

    if (r != NULL) {
        inode_init(&r->inode, sb, &g_remote_ops, ino, what);
    }
    return r;
}

void rinode_set_handle(struct rinode *r, uint32_t handle)
{
    bool first = false;

    spin_lock(&g_table_lock);
    if (r->handle == 0) {
        r->handle = handle;
        r->grants = 1;
        r->next = *bucket_of(handle);
        *bucket_of(handle) = r;
        first = true;
    }
    spin_unlock(&g_table_lock);
    if (!first) {
        give_back(handle, 1);
    }
}

/* The inode of a grant that just came. */
static int inode_for(struct superblock *sb, uint32_t handle, uint64_t ino,
                     const struct inode_new *what, struct rinode **ret)
{
    struct rinode *fresh = rinode_alloc(sb, ino, what);
    struct rinode *r;

    if (fresh == NULL) {
        give_back(handle, 1);
        return -ENOMEM;
    }
    fresh->handle = handle;
    spin_lock(&g_table_lock);
    r = find(handle);
    if (r == NULL) {
        r = TAKE_PTR(fresh);
        r->next = *bucket_of(handle);
        *bucket_of(handle) = r;
    }
    r->grants++;
    spin_unlock(&g_table_lock);
    if (fresh != NULL) {
        kfree(fresh);
    }
    *ret = r;
    return 0;
}

int remote_inode_granted(struct superblock *sb, const struct wire_attr *a, struct inode **ret)
{
    struct rinode *r;
    int e;

    if (a->handle == 0) {
        return -EIO;
    }
    e = inode_for(sb, a->handle, a->ino, &(struct inode_new){.mode = a->mode}, &r);
    if (e < 0) {
        return e;
    }
    take_attr(&r->inode, a);
    *ret = &r->inode;
    return 0;
}

int remote_inode_adopt(struct superblock *sb, uint32_t handle, const struct inode *like,
                       struct inode *lower, struct inode **ret)
{
    const struct inode_new what = {
        .mode = like->mode, .uid = like->uid, .gid = like->gid, .rdev = like->rdev};
    struct rinode *r;
    bool known;
    int e;

    spin_lock(&g_table_lock);
    r = find(handle);
    spin_unlock(&g_table_lock);
    known = r != NULL;
    if (known) { /* it was granted once, however often it is met */
        *ret = &r->inode;
        return 0;
    }
    e = inode_for(sb, handle, like->ino, &what, &r);
    if (e < 0) {
        return e;
    }
    r->inode.nlink = like->nlink;
    r->inode.size = like->size;
    r->inode.seals = like->seals;
    if (lower != NULL) {
        lower_adopt(r, lower);
    }
    r->inode.flags = (like->flags & ~INODE_VOLATILE) |
                     (S_ISDIR(like->mode) && !rinode_untouched(r) ? INODE_VOLATILE : 0);
    *ret = &r->inode;
    return 0;
}

static void remote_evict(struct inode *inode)
{
    struct rinode *r = rinode_of(inode);
    struct rinode **link;

    lower_forget(r);
    spin_lock(&g_table_lock);
    if (r->handle != 0) {
        link = bucket_of(r->handle);
        while (*link != r) {
            link = &(*link)->next;
        }
        *link = r->next;
    }
    spin_unlock(&g_table_lock);
    if (r->handle != 0) {
        give_back(r->handle, r->grants);
    }
    inode_put(r->lower);
    if (r->parent != NULL) {
        inode_put(&r->parent->inode);
    }
    inode_destroy(inode);
    kfree(r->name);
    kfree(r);
}

/* ---- names ---- */

/* A request whose answer is an inode. */
static int ask_inode(uint32_t op, struct inode *dir, const struct channel_part *parts, size_t count,
                     struct inode **ret)
{
    struct wire_attr a;
    struct family_message m = {.op = (enum family_op)op,
                               .parts = parts,
                               .part_count = count,
                               .answer = &a,
                               .cap = sizeof(a),
                               .steady = true};
    int64_t r = family_exchange(&m);

    if (r < 0) {
        return (int)r;
    }
    return m.ret_size == sizeof(a) ? remote_inode_granted(dir->sb, &a, ret) : -EIO;
}

int rinode_ask(uint32_t dir_handle, const char *name, size_t size, struct wire_attr *ret)
{
    const struct wire_name w = {.handle = dir_handle};
    const struct channel_part parts[] = {{&w, sizeof(w)}, {name, size}};
    struct family_message m = {.op = FAMILY_OP_lookup,
                               .parts = parts,
                               .part_count = ARRAY_COUNT(parts),
                               .answer = ret,
                               .cap = sizeof(*ret),
                               .steady = true};
    int64_t r = family_exchange(&m);

    return r < 0 ? (int)r : m.ret_size == sizeof(*ret) && ret->handle != 0 ? 0 : -EIO;
}

static int remote_lookup(struct inode *inode, const struct qstr *name, struct inode **ret)
{
    struct rinode *dir = rinode_of(inode);
    struct wire_attr a;
    uint32_t handle;
    int r;

    if (rinode_untouched(dir)) {
        r = lower_lookup(dir, name, ret);
        if (r != -EAGAIN) {
            return r;
        }
    }
    r = rinode_handle(dir, &handle);
    r = r < 0 ? r : rinode_ask(handle, name->s, name->len, &a);
    r = r < 0 ? r : remote_inode_granted(inode->sb, &a, ret);
    if (r == 0 && a.lower_ino != 0) {
        lower_attach(rinode_of(*ret), dir, name, a.lower_ino);
    }
    return r;
}

static int remote_create(struct inode *dir, const struct qstr *name, const struct inode_new *what,
                         struct inode **ret)
{
    const struct wire_create w = {
        .handle = remote_inode_handle(dir),
        .mode = what->mode,
        .uid = what->uid,
        .gid = what->gid,
        .rdev = what->rdev,
        .name_size = name->len,
    };
    const struct channel_part parts[] = {
        {&w, sizeof(w)},
        {name->s, name->len},
        {what->target, S_ISLNK(what->mode) ? __builtin_strlen(what->target) : 0},
    };

    return ask_inode(FAMILY_OP_create, dir, parts, ARRAY_COUNT(parts), ret);
}

static int remote_tmpfile(struct inode *dir, const struct inode_new *what, struct inode **ret)
{
    const struct wire_create w = {
        .handle = remote_inode_handle(dir), .mode = what->mode, .uid = what->uid, .gid = what->gid};
    const struct channel_part part = {&w, sizeof(w)};

    return ask_inode(FAMILY_OP_tmpfile, dir, &part, 1, ret);
}

int remote_ask_parts(uint32_t op, const struct channel_part *parts, size_t count)
{
    struct family_message m = {
        .op = (enum family_op)op, .parts = parts, .part_count = count, .steady = true};

    return (int)family_exchange(&m);
}

static int remote_link(struct inode *dir, const struct qstr *name, struct inode *target)
{
    const struct wire_link w = {.handle = remote_inode_handle(dir),
                                .target = remote_inode_handle(target)};
    const struct channel_part parts[] = {{&w, sizeof(w)}, {name->s, name->len}};

    return remote_ask_parts(FAMILY_OP_link, parts, ARRAY_COUNT(parts));
}

static int remove_name(uint32_t op, struct inode *dir, const struct qstr *name)
{
    const struct wire_name w = {.handle = remote_inode_handle(dir)};
    const struct channel_part parts[] = {{&w, sizeof(w)}, {name->s, name->len}};

    return remote_ask_parts(op, parts, ARRAY_COUNT(parts));
}

static int remote_unlink(struct inode *dir, const struct qstr *name, struct inode *victim)
{
    return remove_name(FAMILY_OP_unlink, dir, name);
}

static int remote_rmdir(struct inode *dir, const struct qstr *name, struct inode *victim)
{
    int r = remove_name(FAMILY_OP_rmdir, dir, name);

    if (r == 0) {
        victim->flags |= INODE_DEAD_DIR;
    }
    return r;
}

static int remote_rename(struct inode *from, const struct qstr *from_name, struct inode *source,
                         struct inode *to, const struct qstr *to_name, struct inode *target,
                         uint32_t flags)
{
    const struct wire_rename w = {
        .from = remote_inode_handle(from),
        .to = remote_inode_handle(to),
        .flags = flags,
        .from_size = (uint16_t)from_name->len,
        .to_size = (uint16_t)to_name->len,
    };
    const struct channel_part parts[] = {
        {&w, sizeof(w)}, {from_name->s, from_name->len}, {to_name->s, to_name->len}};

    return remote_ask_parts(FAMILY_OP_rename, parts, ARRAY_COUNT(parts));
}

static int emit_all(struct dir_context *ctx, const uint8_t *p, size_t size, bool *ret_full)
{
    struct cursor c = cursor_make(p, size);

    while (c.left > 0) {
        struct wire_entry e;
        const uint8_t *name;

        if (cursor_copy(&c, &e, sizeof(e)) < 0 || cursor_bytes(&c, e.name_size, &name) < 0) {
            return -EIO;
        }
        if (!ctx->emit(ctx, (const char *)name, e.name_size, e.ino, e.type, e.next)) {
            *ret_full = true;
            return 0;
        }
        ctx->pos = e.next;
    }
    return 0;
}

static int remote_readdir(struct inode *dir, struct dir_context *ctx)
{
    if (rinode_untouched(rinode_of(dir))) {
        return rinode_of(dir)->lower->ops->readdir(rinode_of(dir)->lower, ctx);
    }
    const size_t cap = (size_t)32 << 10;
    uint8_t *buf = kmalloc(cap);
    bool full = false;
    int r = buf == NULL ? -ENOMEM : 0;

    while (r == 0 && !full) {
        const struct wire_readdir w = {.handle = remote_inode_handle(dir), .pos = ctx->pos};
        size_t size = 0;
        int64_t n = remote_ask(FAMILY_OP_readdir, &w, sizeof(w), buf, cap, &size);

        r = n < 0 ? (int)n : emit_all(ctx, buf, size, &full);
        if (size == 0) {
            break;
        }
    }
    kfree(buf);
    return r;
}

static int remote_readlink(struct inode *inode, char *dst, size_t size)
{
    if (rinode_untouched(rinode_of(inode))) {
        return rinode_of(inode)->lower->ops->readlink(rinode_of(inode)->lower, dst, size);
    }
    const uint32_t handle = remote_inode_handle(inode);
    size_t got = 0;
    int64_t n = remote_ask(FAMILY_OP_readlink, &handle, sizeof(handle), dst, size, &got);

    return n < 0 ? (int)n : (int)got;
}

/* ---- attributes ---- */

int rinode_refresh(struct rinode *r)
{
    struct wire_attr a;
    uint32_t handle;
    size_t size = 0;
    int64_t e = rinode_handle(r, &handle);

    if (e == 0) {
        e = remote_ask(FAMILY_OP_getattr, &handle, sizeof(handle), &a, sizeof(a), &size);
    }
    if (e < 0 || size != sizeof(a)) {
        return e < 0 ? (int)e : -EIO;
    }
    take_attr(&r->inode, &a);
    return 0;
}

static int remote_getattr(struct inode *inode, struct kstat *ret)
{
    int r = rinode_untouched(rinode_of(inode)) ? 0 : rinode_refresh(rinode_of(inode));

    if (r == 0) {
        mutex_lock(&inode->lock);
        inode_stat(inode, ret);
        mutex_unlock(&inode->lock);
    }
    return r;
}

static int remote_setattr(struct inode *inode, const struct iattr *attr)
{
    const struct wire_setattr w = {
        .handle = remote_inode_handle(inode),
        .valid = attr->valid,
        .mode = attr->mode,
        .uid = attr->uid,
        .gid = attr->gid,
        .size = attr->size,
        .atime_sec = attr->atime.sec,
        .atime_nsec = attr->atime.nsec,
        .mtime_sec = attr->mtime.sec,
        .mtime_nsec = attr->mtime.nsec,
    };
    struct wire_attr a;
    size_t size = 0;
    int64_t r = remote_ask(FAMILY_OP_setattr, &w, sizeof(w), &a, sizeof(a), &size);

    if (r == 0 && size == sizeof(a)) {
        take_attr(inode, &a);
    }
    return (int)r;
}

/* ---- locks ---- */

static struct wire_lock lock_out(struct file *f, const struct lock_request *req, uint32_t how)
{
    return (struct wire_lock){
        .inode = remote_inode_handle(f->inode),
        .file = remote_is_file(f) ? remote_file_handle(f) : 0,
        .owner = (uintptr_t)f,
        .kind = (uint32_t)req->kind,
        .type = req->type,
        .start = req->start,
        .end = req->end,
        .pid = process_current()->pid,
        .how = how,
    };
}

static int remote_lock(struct file *f, const struct lock_request *req, bool wait)
{
    struct wire_lock w = lock_out(f, req, wait ? WIRE_LOCK_ARM : 0);
    struct waiter waiter;
    int64_t r;

    (void)__atomic_or_fetch(&rinode_of(f->inode)->locked, 1u << req->kind, __ATOMIC_RELAXED);
    if (!wait) {
        return (int)remote_ask(FAMILY_OP_lock, &w, sizeof(w), NULL, 0, NULL);
    }
    waiter_init(&waiter);
    waitq_add(&g_lock_waiters, &waiter);
    for (;;) {
        r = remote_ask(FAMILY_OP_lock, &w, sizeof(w), NULL, 0, NULL);
        if (r != -EAGAIN) {
            break;
        }
        if (thread_wait(WAIT_FOREVER) == -EINTR) {
            /* a test says as well that we wait no more */
            w.how = WIRE_LOCK_TEST;
            (void)!remote_ask(FAMILY_OP_lock, &w, sizeof(w), NULL, 0, NULL);
            r = -ERESTARTSYS;
            break;
        }
    }
    waitq_remove(&waiter);
    return (int)r;
}

static int remote_lock_test(struct file *f, struct lock_request *req)
{
    struct wire_lock w = lock_out(f, req, WIRE_LOCK_TEST);
    struct wire_lock answer;
    size_t size = 0;
    int64_t r = remote_ask(FAMILY_OP_lock, &w, sizeof(w), &answer, sizeof(answer), &size);

    if (r < 0 || size != sizeof(answer)) {
        return r < 0 ? (int)r : -EIO;
    }
    req->type = (int16_t)answer.type;
    req->start = answer.start;
    req->end = answer.end;
    req->pid = answer.pid;
    return 0;
}

static void drop_kind(struct file *f, enum lock_kind kind)
{
    const struct wire_unlock w = {
        .inode = remote_inode_handle(f->inode), .owner = (uintptr_t)f, .kind = (uint32_t)kind};

    if ((__atomic_load_n(&rinode_of(f->inode)->locked, __ATOMIC_RELAXED) & 1u << kind) != 0) {
        (void)!remote_ask(FAMILY_OP_unlock_owner, &w, sizeof(w), NULL, 0, NULL);
    }
}

/* Locks of an open file that processes share go with the owner's file, not with ours. */
static void remote_lock_closed(struct file *f, bool last)
{
    if (!last) {
        drop_kind(f, LOCK_KIND_POSIX);
    } else if (!remote_is_file(f)) {
        drop_kind(f, LOCK_KIND_OFD);
        drop_kind(f, LOCK_KIND_FLOCK);
    }
}

void remote_inode_event(uint32_t handle)
{
    waitq_wake_all(&g_lock_waiters, 0);
}

/* ---- opening ---- */

static int remote_open(struct inode *inode, struct file *f)
{
    if (S_ISFIFO(inode->mode)) {
        return remote_fifo_open(inode, f);
    }
    return S_ISREG(inode->mode) || S_ISDIR(inode->mode) ? 0 : -ENXIO;
}

static const struct inode_ops g_remote_ops = {
    .lookup = remote_lookup,
    .create = remote_create,
    .link = remote_link,
    .unlink = remote_unlink,
    .rmdir = remote_rmdir,
    .rename = remote_rename,
    .tmpfile = remote_tmpfile,
    .readdir = remote_readdir,
    .readlink = remote_readlink,
    .getattr = remote_getattr,
    .setattr = remote_setattr,
    .read = remote_read,
    .write = remote_write,
    .fallocate = remote_fallocate,
    .seek_data = remote_seek_data,
    .fsync = remote_fsync,
    .share = remote_share,
    .getxattr = remote_getxattr,
    .listxattr = remote_listxattr,
    .setxattr = remote_setxattr,
    .removexattr = remote_removexattr,
    .lock = remote_lock,
    .lock_test = remote_lock_test,
    .lock_closed = remote_lock_closed,
    .open = remote_open,
    .evict = remote_evict,
};

/* ---- file systems ---- */

static int remote_statfs(struct superblock *sb, struct kstatfs *ret)
{
    const uint32_t handle = sb->root == NULL ? 0 : remote_inode_handle(sb->root);
    size_t size = 0;
    int64_t r = remote_ask(FAMILY_OP_statfs, &handle, sizeof(handle), ret, sizeof(*ret), &size);

    return r < 0 ? (int)r : size == sizeof(*ret) ? 0 : -EIO;
}

static const struct super_ops g_remote_super_ops = {.statfs = remote_statfs};

bool remote_is_super(const struct superblock *sb)
{
    return sb->ops == &g_remote_super_ops;
}

/* By the owner's number; they never go. */
#define SUPERS_MAX 64u
static struct superblock *g_supers[SUPERS_MAX];
static uint32_t g_super_count;

struct superblock *remote_super_of_dev(uint64_t dev)
{
    for (uint32_t i = 0; i < g_super_count; i++) {
        if (g_supers[i]->dev == dev) {
            return g_supers[i];
        }
    }
    return NULL;
}

int remote_super_sync(struct superblock *sb)
{
    return lower_sync(sb);
}

int remote_super(const struct superblock *like, struct superblock **ret)
{
    struct superblock *sb;

    if (g_super_count == SUPERS_MAX) {
        return -ENFILE;
    }
    sb = kzalloc(sizeof(*sb));
    if (sb == NULL) {
        return -ENOMEM;
    }
    g_supers[g_super_count++] = sb;
    sb->ops = &g_remote_super_ops;
    sb->type = like->type;
    sb->dev = like->dev;                    /* one file system: one number in every process */
    sb->flags = like->flags & ~SB_VOLATILE; /* each directory says for itself */
    sb->magic = like->magic;
    *ret = sb;
    return 0;
}

static void hear_ready(const uint8_t *p, size_t size)
{
    struct wire_ready w;

    __builtin_memcpy(&w, p, sizeof(w)); /* the table's bounds were checked */
    if (!remote_file_event(w.handle)) {
        remote_inode_event(w.handle);
    }
}

void remote_start(void)
{
    if (g_lock_waiters.waiters.next == NULL) {
        waitq_init(&g_lock_waiters);
    }
    family_hear(FAMILY_EVENT_ready, hear_ready);
    lower_start();
}
