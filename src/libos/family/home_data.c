/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Requests about content: open files (their position, pipes, event counters), inodes at an offset,
 * extended attributes, locks. They run on the service thread, where nothing may wait: what would
 * have to says -EAGAIN, and the member waits at home for the event that home_arm() promised it.
 */

#include "libos/family/home.h"
#include "libos/fs/locks.h"
#include "libos/fs/pipe.h"
#include "libos/fs/poll.h"
#include "libos/fs/shared.h"
#include "libos/fs/xattr.h"
#include "libos/mm/kmem.h"
#include "libos/net/socket.h"
#include "libos/proc/thread.h"
#include "libos/sys/syscall.h"

/* ---- open files ---- */

typedef int64_t transfer_fn(struct file *f, struct iter *it, uint64_t *pos, uint32_t flags);

static int64_t transfer(struct file *f, const struct wire_file_io *w, struct iter *it,
                        transfer_fn *fn)
{
    uint64_t pos = w->pos;
    int64_t n;

    if ((w->how & WIRE_AT) != 0) {
        return fn(f, it, &pos, w->flags | RWF_NOWAIT);
    }
    if ((f->mode & FILE_STREAM) != 0) {
        return fn(f, it, NULL, w->flags | RWF_NOWAIT);
    }
    mutex_lock(&f->pos_lock);
    pos = f->pos;
    n = fn(f, it, &pos, w->flags | RWF_NOWAIT);
    if (n > 0) {
        f->pos = pos;
    }
    mutex_unlock(&f->pos_lock);
    return n;
}

/* First the promise to tell, then the look: what changes in between is told. */
static int64_t armed(struct family_request *q, const struct wire_file_io *w, struct file *f,
                     struct iter *it, transfer_fn *fn)
{
    int64_t n;
    int r;

    n = home_no_wait(transfer(f, w, it, fn));
    if (n != -EAGAIN || (w->how & WIRE_ARM) == 0) {
        return n;
    }
    r = home_arm(q->member, w->handle);
    if (r < 0) {
        return r;
    }
    n = home_no_wait(transfer(f, w, it, fn));
    if (n != -EAGAIN) {
        home_disarm(q->member, w->handle);
    }
    return n;
}

/* ---- pipes: who has to wait does so in the pipe, and is answered from there ---- */

struct kept {
    struct pipe_later later;
    struct family_reply *reply;
    struct file *f; /* a reference */
    uint8_t data[];
};

static void kept_answer(struct kept *k, int64_t result)
{
    const bool bytes = !k->later.write && result > 0;

    family_answer(k->reply, result, bytes ? k->data : NULL, bytes ? (size_t)result : 0);
    file_put(k->f);
    kfree(k);
}

static void kept_finish(struct pipe_later *l)
{
    kept_answer(container_of(l, struct kept, later), l->result);
}

/* The caller was interrupted, or is gone. */
static void kept_cancel(struct family_reply *reply, void *ctx)
{
    struct kept *k = ctx;

    if (pipe_never_mind(pipe_of(k->f), &k->later)) {
        kept_answer(k, k->later.done > 0 ? (int64_t)k->later.done : -EINTR);
    }
}

/* FAMILY_LATER, or -EAGAIN: the caller is told when to try again. */
static int64_t keep(struct family_request *q, struct file *f, struct iter *it, size_t size,
                    bool write)
{
    struct kept *k = kmalloc(sizeof(*k) + size);

    if (k == NULL) {
        return -EAGAIN;
    }
    *k = (struct kept){
        .later = {.write = write, .data = k->data, .size = (uint32_t)size, .finish = kept_finish},
        .f = file_get(f)};
    list_init(&k->later.node);
    if (write) {
        (void)iter_take(it, k->data, size);
    }
    k->reply = family_later(q, kept_cancel, k);
    if (k->reply == NULL) {
        file_put(f);
        kfree(k);
        return -EAGAIN;
    }
    pipe_later(pipe_of(f), &k->later);
    return FAMILY_LATER;
}

static bool waits_in_pipe(const struct file *f, const struct wire_file_io *w, uint32_t mode)
{
    return pipe_of(f) != NULL && (w->how & WIRE_ARM) != 0 && (f->mode & mode) != 0;
}

static int64_t serve_file_read(struct family_request *q)
{
    _cleanup_file_ struct file *f = NULL;
    struct wire_file_io w;
    struct iter it;
    int64_t n = HOME_TAKE_FILE(q, &w, &f);

    if (n < 0) {
        return n;
    }
    if (home_may_wait(q, f->inode)) {
        return FAMILY_BLOCKS;
    }
    iter_init_kernel(&it, q->answer, MIN((size_t)w.size, q->cap));
    if (waits_in_pipe(f, &w, FILE_READ)) {
        n = home_no_wait(file_read_iter(f, &it, NULL, w.flags | RWF_NOWAIT));
        n = n == -EAGAIN ? keep(q, f, NULL, it.left, /*write=*/false) : n;
        q->answer_size = n > 0 ? (size_t)n : 0;
        if (n != -EAGAIN) {
            return n;
        }
    }
    n = armed(q, &w, f, &it, file_read_iter);
    q->answer_size = n > 0 ? (size_t)n : 0;
    return n;
}

static int64_t serve_file_write(struct family_request *q)
{
    _cleanup_file_ struct file *f = NULL;
    struct wire_file_io w;
    struct iter it;
    int r = HOME_TAKE_FILE(q, &w, &f);

    if (r < 0) {
        return r;
    }
    if (home_may_wait(q, f->inode)) {
        return FAMILY_BLOCKS;
    }
    iter_init_kernel(&it, q->body.p, q->body.left);
    if (waits_in_pipe(f, &w, FILE_WRITE) && it.left > 0) {
        int64_t n = home_no_wait(pipe_write_ahead(pipe_of(f), &it));

        n = n == -EAGAIN ? keep(q, f, &it, it.left, /*write=*/true) : n;
        if (n != -EAGAIN) {
            return n;
        }
        iter_init_kernel(&it, q->body.p, q->body.left);
    }
    return armed(q, &w, f, &it, file_write_iter);
}

static int64_t serve_file_seek(struct family_request *q)
{
    _cleanup_file_ struct file *f = NULL;
    struct wire_file_seek w;
    int64_t r = HOME_TAKE_FILE(q, &w, &f);

    if (r < 0) {
        return r;
    }
    if (f->ops->seek == NULL) {
        return -ESPIPE;
    }
    mutex_lock(&f->pos_lock);
    r = f->ops->seek(f, w.offset, w.whence);
    mutex_unlock(&f->pos_lock);
    return r;
}

/* What becomes ready by time alone nobody here will tell: whoever asked looks again by then. */
struct until_table {
    struct poll_table pt;
    uint64_t until;
};

static void take_until(struct poll_table *pt, uint64_t deadline)
{
    struct until_table *t = container_of(pt, struct until_table, pt);

    t->until = MIN(t->until, deadline);
}

static int64_t serve_file_poll(struct family_request *q)
{
    struct until_table t = {.pt.until = take_until, .until = WAIT_FOREVER};
    _cleanup_file_ struct file *f = NULL;
    struct wire_file_word w;
    uint32_t events;
    int r = HOME_TAKE_FILE(q, &w, &f);

    if (r == 0 && (w.word & WIRE_ARM) != 0) {
        r = home_arm(q->member, w.handle);
    }
    if (r < 0) {
        return r;
    }
    events = file_poll(f, &t.pt);
    if (t.until != WAIT_FOREVER) {
        __builtin_memcpy(q->answer, &t.until, sizeof(t.until));
        q->answer_size = sizeof(t.until);
    }
    return events;
}

#define SHARED_FLAGS ((uint32_t)(O_APPEND | O_NONBLOCK | O_NOATIME | O_DIRECT))

static int64_t serve_file_flags(struct family_request *q)
{
    _cleanup_file_ struct file *f = NULL;
    struct wire_file_word w;
    uint32_t flags;
    int r = HOME_TAKE_FILE(q, &w, &f);

    if (r < 0) {
        return r;
    }
    flags = (f->flags & ~SHARED_FLAGS) | (w.word & SHARED_FLAGS);
    if (f->ops->set_flags != NULL) {
        r = f->ops->set_flags(f, flags);
    }
    if (r == 0) {
        __atomic_store_n(&f->flags, flags, __ATOMIC_RELAXED);
    }
    return r;
}

static int64_t serve_file_pending(struct family_request *q)
{
    _cleanup_file_ struct file *f = NULL;
    uint32_t handle;
    int r = HOME_TAKE_FILE(q, &handle, &f);

    if (r < 0) {
        return r;
    }
    return pipe_of(f) != NULL ? (int64_t)pipe_pending(pipe_of(f)) : inotify_pending(f);
}

static int64_t serve_file_writers(struct family_request *q)
{
    _cleanup_file_ struct file *f = NULL;
    uint32_t handle;
    int r = HOME_TAKE_FILE(q, &handle, &f);

    if (r < 0 || pipe_of(f) == NULL) {
        return r < 0 ? r : -EBADF;
    }
    return (int64_t)pipe_writers(pipe_of(f));
}

static int64_t serve_file_pipe_size(struct family_request *q)
{
    _cleanup_file_ struct file *f = NULL;
    struct wire_pipe_size w;
    int r = HOME_TAKE_FILE(q, &w, &f);

    if (r < 0 || pipe_of(f) == NULL) {
        return r < 0 ? r : -EBADF;
    }
    return w.size == 0 ? (int64_t)pipe_size(pipe_of(f)) : pipe_resize(pipe_of(f), w.size);
}

/* An inode opened anew: a member's file whose position is to be shared with its child, and FIFOs.
 * The member checked what may be opened. */
static int64_t serve_file_on_inode(struct family_request *q)
{
    _cleanup_inode_ struct inode *inode = NULL;
    _cleanup_file_ struct file *f = NULL;
    struct wire_opened opened = {0};
    struct path p = {0};
    struct wire_open w;
    int r = HOME_TAKE_INODE(q, &w, &inode);

    if (r < 0) {
        return r;
    }
    if (!S_ISREG(inode->mode) && !S_ISFIFO(inode->mode)) {
        return -EINVAL;
    }
    /* A member waits at its own place for the other side of a FIFO (remote_file.c). */
    if (S_ISFIFO(inode->mode)) {
        w.flags |= (uint32_t)O_NONBLOCK;
        opened.writers = fifo_writers(inode);
    }
    r = dentry_anonymous(inode, "", &p.dentry);
    if (r < 0) {
        return r;
    }
    inode = NULL; /* the dentry has it */
    r = file_open_path(&p, w.flags, &f);
    path_put(&p);
    if (r < 0) {
        return home_no_wait(r);
    }
    f->pos = w.pos;
    r = home_grant_file(q->member, f, &opened.handle);
    if (r == 0) {
        __builtin_memcpy(q->answer, &opened, sizeof(opened));
        q->answer_size = sizeof(opened);
    }
    return r;
}

/* What /proc/self/fd of a member leads to: the same pipe, an open file of its own. */
static int64_t serve_file_again(struct family_request *q)
{
    _cleanup_file_ struct file *f = NULL;
    _cleanup_file_ struct file *again = NULL;
    struct path p = {0};
    struct wire_file_word w;
    uint32_t handle;
    int r = HOME_TAKE_FILE(q, &w, &f);

    if (r < 0) {
        return r;
    }
    if (pipe_of(f) == NULL) {
        return -EINVAL;
    }
    r = dentry_anonymous(inode_get(f->inode), "", &p.dentry);
    if (r < 0) {
        inode_put(f->inode);
        return r;
    }
    r = file_open_path(&p, w.word & (uint32_t)(O_ACCMODE | O_NONBLOCK | O_DIRECT), &again);
    path_put(&p);
    r = r < 0 ? (int)home_no_wait(r) : home_grant_file(q->member, again, &handle);
    if (r == 0) {
        __builtin_memcpy(q->answer, &handle, sizeof(handle));
        q->answer_size = sizeof(handle);
    }
    return r;
}

static int64_t serve_pipe(struct family_request *q)
{
    _cleanup_file_ struct file *rd = NULL;
    _cleanup_file_ struct file *wr = NULL;
    uint32_t handles[2];
    uint32_t flags;
    int r;

    if (cursor_u32le(&q->body, &flags) < 0) {
        return -EBADMSG;
    }
    r = pipe_create(flags & (uint32_t)(O_NONBLOCK | O_DIRECT), &rd, &wr);
    r = r < 0 ? r : home_grant_file(q->member, rd, &handles[0]);
    if (r < 0) {
        return r;
    }
    r = home_grant_file(q->member, wr, &handles[1]);
    if (r < 0) {
        home_drop(q->member, handles[0], 1);
        return r;
    }
    __builtin_memcpy(q->answer, handles, sizeof(handles));
    q->answer_size = sizeof(handles);
    return 0;
}

/* ---- content of inodes ---- */

static int64_t serve_read(struct family_request *q)
{
    _cleanup_inode_ struct inode *inode = NULL;
    struct wire_io w;
    struct iter it;
    int64_t n = HOME_TAKE_INODE(q, &w, &inode);

    if (n < 0) {
        return n;
    }
    if (home_may_wait(q, inode)) {
        return FAMILY_BLOCKS;
    }
    if (inode->ops->read == NULL || S_ISDIR(inode->mode)) {
        return -EINVAL;
    }
    iter_init_kernel(&it, q->answer, MIN((size_t)w.word, q->cap));
    n = inode->ops->read(inode, &it, w.offset);
    q->answer_size = n > 0 ? (size_t)n : 0;
    return n;
}

static int64_t serve_write(struct family_request *q)
{
    _cleanup_inode_ struct inode *inode = NULL;
    struct wire_io_size w;
    struct wire_written out;
    struct iter it;
    int64_t n = HOME_TAKE_INODE(q, &w, &inode);

    if (n < 0) {
        return n;
    }
    if (home_may_wait(q, inode)) {
        return FAMILY_BLOCKS;
    }
    if (w.size != q->body.left) {
        return -EBADMSG;
    }
    if (inode->ops->write == NULL) {
        return -EINVAL;
    }
    if ((inode->sb->flags & SB_RDONLY) != 0) {
        return -EROFS;
    }
    out.offset = w.io.offset;
    iter_init_kernel(&it, q->body.p, q->body.left);
    n = inode->ops->write(inode, &it, &out.offset, /*append=*/w.io.word != 0);
    out.size = inode->size;
    __builtin_memcpy(q->answer, &out, sizeof(out));
    q->answer_size = sizeof(out);
    return n;
}

static int64_t serve_fallocate(struct family_request *q)
{
    _cleanup_inode_ struct inode *inode = NULL;
    struct wire_io_size w;
    int64_t r = HOME_TAKE_INODE(q, &w, &inode);

    if (r < 0) {
        return r;
    }
    if (home_may_wait(q, inode)) {
        return FAMILY_BLOCKS;
    }
    if (inode->ops->fallocate == NULL) {
        return -EOPNOTSUPP;
    }
    return inode->ops->fallocate(inode, (int)w.io.word, w.io.offset, w.size);
}

static int64_t serve_seek_data(struct family_request *q)
{
    _cleanup_inode_ struct inode *inode = NULL;
    struct wire_io w;
    int64_t r = HOME_TAKE_INODE(q, &w, &inode);

    if (r < 0) {
        return r;
    }
    if (inode->ops->seek_data != NULL) {
        return inode->ops->seek_data(inode, w.offset, w.word != 0);
    }
    return w.word != 0 ? (int64_t)inode->size : (int64_t)w.offset;
}

/* ---- extended attributes ---- */

/* The name that follows, terminated, in memory of the caller's. */
static int take_string(struct cursor *c, size_t size, char *dst, size_t cap)
{
    if (size == 0 || size >= cap || cursor_copy(c, dst, size) < 0) {
        return -EBADMSG;
    }
    dst[size] = '\0';
    return 0;
}

static int64_t serve_getxattr(struct family_request *q)
{
    _cleanup_inode_ struct inode *inode = NULL;
    struct wire_xattr w;
    char name[256];
    int64_t n = HOME_TAKE_INODE(q, &w, &inode);

    n = n < 0 ? n : take_string(&q->body, q->body.left, name, sizeof(name));
    if (n < 0) {
        return n;
    }
    n = xattr_get(inode, name, q->answer, MIN((size_t)w.size, q->cap));
    q->answer_size = n > 0 && w.size != 0 ? (size_t)n : 0;
    return n;
}

static int64_t serve_listxattr(struct family_request *q)
{
    _cleanup_inode_ struct inode *inode = NULL;
    struct wire_xattr w;
    int64_t n = HOME_TAKE_INODE(q, &w, &inode);

    if (n < 0) {
        return n;
    }
    n = xattr_list(inode, (char *)q->answer, MIN((size_t)w.size, q->cap));
    q->answer_size = n > 0 && w.size != 0 ? (size_t)n : 0;
    return n;
}

static int64_t serve_setxattr(struct family_request *q)
{
    _cleanup_inode_ struct inode *inode = NULL;
    struct wire_setxattr w;
    char name[256];
    int64_t r = HOME_TAKE_INODE(q, &w, &inode);

    r = r < 0 ? r : take_string(&q->body, w.name_size, name, sizeof(name));
    return r < 0 ? r : xattr_set(inode, name, q->body.p, q->body.left, (int)w.flags);
}

static int64_t serve_removexattr(struct family_request *q)
{
    _cleanup_inode_ struct inode *inode = NULL;
    struct wire_name w;
    char name[256];
    int64_t r = HOME_TAKE_INODE(q, &w, &inode);

    r = r < 0 ? r : take_string(&q->body, q->body.left, name, sizeof(name));
    return r < 0 ? r : xattr_remove(inode, name);
}

/* ---- locks ---- */

/* Whose lock it is: the member as a process, one of its open files, or an open file of ours that
 * processes share. */
static int lock_owner(struct family_request *q, uint32_t handle, uint64_t own, uint32_t kind,
                      struct lock_owner *ret)
{
    if (kind > LOCK_KIND_FLOCK) {
        return -EBADMSG;
    }
    *ret = (struct lock_owner){.member = q->member, .id = kind == LOCK_KIND_POSIX ? 0 : own};
    if (kind != LOCK_KIND_POSIX && handle != 0) {
        struct file *f = home_file(q->member, handle);

        if (f == NULL) {
            return -EBADF;
        }
        *ret = lock_owner_file(f);
        file_put(f);
    }
    return 0;
}

static int64_t serve_lock(struct family_request *q)
{
    _cleanup_inode_ struct inode *inode = NULL;
    struct lock_request req;
    struct lock_owner owner;
    struct wire_lock w;
    int64_t r = HOME_TAKE_INODE(q, &w, &inode);

    r = r < 0 ? r : lock_owner(q, w.file, w.owner, w.kind, &owner);
    if (r < 0) {
        return r;
    }
    req = (struct lock_request){.kind = (enum lock_kind)w.kind,
                                .type = (int16_t)w.type,
                                .start = w.start,
                                .end = w.end,
                                .pid = w.pid};
    if ((w.how & WIRE_LOCK_TEST) != 0) {
        r = locks_test_for(inode, owner, &req);
        w.type = req.type;
        w.start = req.start;
        w.end = req.end;
        w.pid = req.pid;
        __builtin_memcpy(q->answer, &w, sizeof(w));
        q->answer_size = sizeof(w);
        return r;
    }
    if ((w.how & WIRE_LOCK_ARM) != 0) {
        r = home_arm(q->member, w.inode);
    }
    return r < 0 ? r : locks_set_for(inode, owner, w.pid, &req, (w.how & WIRE_LOCK_ARM) != 0);
}

static int64_t serve_unlock_owner(struct family_request *q)
{
    _cleanup_inode_ struct inode *inode = NULL;
    struct lock_owner owner;
    struct wire_unlock w;
    int64_t r = HOME_TAKE_INODE(q, &w, &inode);

    r = r < 0 ? r : lock_owner(q, w.file, w.owner, w.kind, &owner);
    if (r == 0) {
        locks_drop_owner(inode, (enum lock_kind)w.kind, owner);
    }
    return r;
}

void home_data_start(void)
{
    family_serve(FAMILY_OP_file_read, serve_file_read);
    family_serve(FAMILY_OP_file_write, serve_file_write);
    family_serve(FAMILY_OP_file_seek, serve_file_seek);
    family_serve(FAMILY_OP_file_poll, serve_file_poll);
    family_serve(FAMILY_OP_file_flags, serve_file_flags);
    family_serve(FAMILY_OP_file_pending, serve_file_pending);
    family_serve(FAMILY_OP_file_pipe_size, serve_file_pipe_size);
    family_serve(FAMILY_OP_file_writers, serve_file_writers);
    family_serve(FAMILY_OP_file_on_inode, serve_file_on_inode);
    family_serve(FAMILY_OP_file_again, serve_file_again);
    family_serve(FAMILY_OP_pipe, serve_pipe);
    family_serve(FAMILY_OP_read, serve_read);
    family_serve(FAMILY_OP_write, serve_write);
    family_serve(FAMILY_OP_fallocate, serve_fallocate);
    family_serve(FAMILY_OP_seek_data, serve_seek_data);
    family_serve(FAMILY_OP_getxattr, serve_getxattr);
    family_serve(FAMILY_OP_listxattr, serve_listxattr);
    family_serve(FAMILY_OP_setxattr, serve_setxattr);
    family_serve(FAMILY_OP_removexattr, serve_removexattr);
    family_serve(FAMILY_OP_lock, serve_lock);
    family_serve(FAMILY_OP_unlock_owner, serve_unlock_owner);
}
