/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Requests about unix sockets. Everything that has a name or a peer in the family lives here; a
 * member's credentials travel with its requests (both are the same code: they are what the kernel
 * would know). Nothing waits: see home_data.c.
 */

#include "libos/family/home.h"
#include "libos/mm/kmem.h"
#include "libos/net/socket.h"
#include "libos/proc/thread.h"
#include "libos/sys/syscall.h"

#define VALUE_MAX 4096u

/* A request's socket. The file keeps it. */
static int take_sock(struct family_request *q, struct wire_sock *w, struct file **ret_file,
                     struct socket **ret)
{
    const int r = HOME_TAKE_FILE(q, w, ret_file);

    *ret = r < 0 ? NULL : sock_of(*ret_file);
    return r < 0 ? r : *ret == NULL ? -ENOTSOCK : 0;
}

static int take_addr(struct family_request *q, size_t size, struct sock_addr *ret)
{
    *ret = (struct sock_addr){.size = (uint32_t)size};
    return size > sizeof(ret->b) || cursor_copy(&q->body, ret->b, size) < 0 ? -EBADMSG : 0;
}

/* … and the address that follows, all there is. */
static int take_sock_addr(struct family_request *q, struct wire_sock *w, struct file **ret_file,
                          struct socket **ret, struct sock_addr *ret_addr)
{
    const int r = take_sock(q, w, ret_file, ret);

    return r < 0 ? r : take_addr(q, q->body.left, ret_addr);
}

/* A socket as an open file with a grant; takes the socket over. */
static int grant_sock(struct family_request *q, struct socket *s, uint32_t *ret)
{
    _cleanup_file_ struct file *f = NULL;
    int r = sock_file(s, 0, &f);

    if (r < 0) {
        s->ops->release(s);
        return r;
    }
    return home_grant_file(q->member, f, ret);
}

static int64_t serve_new(struct family_request *q)
{
    struct socket *s[2] = {NULL, NULL};
    uint32_t handles[2] = {0, 0};
    struct wire_sock w;
    int r;

    if (HOME_TAKE(q, &w) < 0) {
        return -EBADMSG;
    }
    r = w.word2 != 0 ? unix_pair((int)w.word, s) : unix_create((int)w.word, 0, &s[0]);
    if (r < 0) {
        return r;
    }
    r = grant_sock(q, s[0], &handles[0]);
    if (s[1] != NULL && r < 0) {
        s[1]->ops->release(s[1]);
    } else if (s[1] != NULL) {
        r = grant_sock(q, s[1], &handles[1]);
        if (r < 0) {
            home_drop(q->member, handles[0], 1);
        }
    }
    __builtin_memcpy(q->answer, handles, sizeof(handles));
    q->answer_size = r < 0 ? 0 : sizeof(handles);
    return r;
}

static int64_t serve_bind(struct family_request *q)
{
    _cleanup_file_ struct file *f = NULL;
    struct sock_addr a;
    struct wire_sock w;
    struct socket *s;
    const int r = take_sock_addr(q, &w, &f, &s, &a);

    return r < 0 ? r : s->ops->bind(s, &a);
}

static int64_t serve_connect(struct family_request *q)
{
    _cleanup_file_ struct file *f = NULL;
    struct sock_addr a;
    struct wire_sock w;
    struct socket *s;
    const int r = take_sock_addr(q, &w, &f, &s, &a);

    return r < 0 ? r : home_no_wait(s->ops->connect(s, &a));
}

static int64_t serve_listen(struct family_request *q)
{
    _cleanup_file_ struct file *f = NULL;
    struct wire_sock w;
    struct socket *s;
    int r = take_sock(q, &w, &f, &s);

    return r < 0 ? r : s->ops->listen(s, (int)w.word);
}

static int64_t serve_accept(struct family_request *q)
{
    _cleanup_file_ struct file *f = NULL;
    struct socket *fresh = NULL;
    struct wire_sock w;
    struct socket *s;
    uint32_t handle = 0;
    int64_t r = take_sock(q, &w, &f, &s);

    if (r < 0) {
        return r;
    }
    r = home_no_wait(s->ops->accept(s, /*wait=*/false, &fresh));
    if (r == -EAGAIN && w.word != 0) {
        r = home_arm(q->member, w.handle);
        r = r < 0 ? r : home_no_wait(s->ops->accept(s, /*wait=*/false, &fresh));
    }
    r = r < 0 ? r : grant_sock(q, fresh, &handle);
    if (r == 0) {
        __builtin_memcpy(q->answer, &handle, sizeof(handle));
        q->answer_size = sizeof(handle);
    }
    return r;
}

static int64_t serve_name(struct family_request *q)
{
    _cleanup_file_ struct file *f = NULL;
    struct sock_addr a = {0};
    struct wire_sock w;
    struct socket *s;
    int r = take_sock(q, &w, &f, &s);

    r = r < 0 ? r : s->ops->name(s, w.word != 0, &a);
    if (r == 0) {
        q->answer_size = MIN(a.size, (uint32_t)sizeof(a.b));
        __builtin_memcpy(q->answer, a.b, q->answer_size);
    }
    return r;
}

static int64_t serve_shutdown(struct family_request *q)
{
    _cleanup_file_ struct file *f = NULL;
    struct wire_sock w;
    struct socket *s;
    int r = take_sock(q, &w, &f, &s);

    return r < 0 ? r : s->ops->shutdown(s, w.word);
}

static int64_t serve_get(struct family_request *q)
{
    _cleanup_file_ struct file *f = NULL;
    struct wire_sock w;
    struct socket *s;
    uint32_t size = VALUE_MAX;
    int r = take_sock(q, &w, &f, &s);

    r = r < 0 ? r : s->ops->get_option(s, (int)w.word, (int)w.word2, q->answer, &size);
    q->answer_size = r < 0 ? 0 : size;
    return r;
}

static int64_t serve_set(struct family_request *q)
{
    _cleanup_file_ struct file *f = NULL;
    struct wire_sock w;
    struct socket *s;
    int r = take_sock(q, &w, &f, &s);

    return r < 0 ? r
                 : s->ops->set_option(s, (int)w.word, (int)w.word2, q->body.p,
                                      (uint32_t)q->body.left);
}

static int64_t serve_pending(struct family_request *q)
{
    _cleanup_file_ struct file *f = NULL;
    struct wire_sock w;
    struct socket *s;
    int r = take_sock(q, &w, &f, &s);

    if (r < 0) {
        return r;
    }
    return s->family == AF_UNIX_ ? unix_pending(s, w.word) : -ENOTTY;
}

/* ---- messages ---- */

/* The open files that go along, by the sender's handles. */
static int take_files(struct family_request *q, uint32_t count, struct sock_msg *m)
{
    if (count == 0) {
        return 0;
    }
    if (count > WIRE_FILES_MAX) {
        return -EINVAL;
    }
    m->files = kzalloc(count * sizeof(*m->files));
    if (m->files == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t handle;

        if (cursor_u32le(&q->body, &handle) < 0) {
            return -EBADMSG;
        }
        m->files[i] = home_file(q->member, handle);
        if (m->files[i] == NULL) {
            return -EBADF;
        }
        m->file_count++;
    }
    return 0;
}

static int64_t serve_send(struct family_request *q)
{
    _cleanup_file_ struct file *f = NULL;
    struct wire_message wm;
    struct sock_msg m = {0};
    struct wire_sock w;
    struct socket *s;
    int64_t r = take_sock(q, &w, &f, &s);

    if (r == 0 && HOME_TAKE(q, &wm) < 0) {
        r = -EBADMSG;
    }
    r = r < 0 ? r : take_files(q, wm.file_count, &m);
    r = r < 0 ? r : take_addr(q, wm.addr_size, &m.addr);
    if (r == 0) {
        const struct ucred_ acting = {.pid = w.pid, .uid = w.uid, .gid = w.gid};

        m.flags = (int)w.word | MSG_DONTWAIT_ | MSG_NOSIGNAL_;
        m.has_addr = wm.has_addr != 0;
        m.has_cred = wm.has_cred != 0;
        m.cred = (struct ucred_){.pid = wm.pid, .uid = wm.uid, .gid = wm.gid};
        iter_init_kernel(&m.it, q->body.p, q->body.left);
        thread_current()->acting = &acting;
        r = home_no_wait(s->ops->send(s, &m));
        if (r == -EAGAIN && w.word2 != 0) {
            r = home_arm(q->member, w.handle);
            r = r < 0 ? r : home_no_wait(s->ops->send(s, &m));
        }
        thread_current()->acting = NULL;
    }
    sock_msg_release(&m);
    return r;
}

/* How a received file goes to the member. */
static int pass_file(struct family_request *q, struct file *f, struct wire_passed *ret)
{
    const struct socket *s = sock_of(f);
    int r;

    *ret = (struct wire_passed){.mode = f->inode == NULL ? 0 : f->inode->mode & S_IFMT,
                                .flags = f->flags,
                                .file_mode = f->mode & (FILE_READ | FILE_WRITE | FILE_STREAM)};
    if (s != NULL) {
        ret->family = s->family;
        ret->type = s->type;
    }
    r = home_grant_file(q->member, f, &ret->handle);
    if (r == 0 && S_ISREG(ret->mode)) {
        const size_t size = q->answer_size;

        r = home_attr(q, f->inode, /*grant=*/true); /* written to the answer's start … */
        if (r == 0) {
            __builtin_memcpy(&ret->attr, q->answer, sizeof(ret->attr));
        }
        q->answer_size = size; /* … and taken from there: the answer is put together later */
        if (r < 0) {
            home_drop(q->member, ret->handle, 1);
        }
    }
    return r;
}

static int64_t put_received(struct family_request *q, struct sock_msg *m, const uint8_t *data,
                            int64_t n, size_t stored)
{
    struct wire_passed *passed = NULL;
    struct wire_message wm = {.flags = (uint32_t)m->out_flags,
                              .addr_size = MIN(m->addr.size, (uint32_t)sizeof(m->addr.b)),
                              .has_cred = m->has_cred ? 1 : 0,
                              .pid = m->cred.pid,
                              .uid = m->cred.uid,
                              .gid = m->cred.gid};
    uint8_t *at;

    if (m->file_count > 0) {
        passed = kzalloc(m->file_count * sizeof(*passed));
        for (size_t i = 0; passed != NULL && i < m->file_count; i++) {
            if (wm.file_count < WIRE_FILES_MAX &&
                pass_file(q, m->files[i], &passed[wm.file_count]) == 0) {
                wm.file_count++;
            }
        }
        if (wm.file_count < m->file_count) {
            wm.flags |= MSG_CTRUNC_;
        }
    }
    at = q->answer;
    __builtin_memcpy(at, &wm, sizeof(wm));
    at += sizeof(wm);
    for (uint32_t i = 0; i < wm.file_count; i++) {
        __builtin_memcpy(at, &passed[i], sizeof(passed[i]));
        at += sizeof(passed[i]);
    }
    __builtin_memcpy(at, m->addr.b, wm.addr_size);
    at += wm.addr_size;
    __builtin_memmove(at, data, stored);
    q->answer_size = (size_t)(at - q->answer) + stored;
    kfree(passed);
    return n;
}

static int64_t serve_receive(struct family_request *q)
{
    /* Behind everything else an answer can have; it moves up when that is known. */
    const size_t before =
        sizeof(struct wire_message) + WIRE_FILES_MAX * sizeof(struct wire_passed) + SOCK_ADDR_MAX;
    _cleanup_file_ struct file *f = NULL;
    uint8_t *data = q->answer + before;
    struct sock_msg m = {0};
    struct wire_sock w;
    struct socket *s;
    size_t want;
    int64_t n = take_sock(q, &w, &f, &s);

    if (n < 0) {
        return n;
    }
    want = MIN((size_t)w.word2, q->cap - before);
    m.flags = ((int)w.word & ~MSG_WAITALL_) | MSG_DONTWAIT_;
    iter_init_kernel(&m.it, data, want);
    n = home_no_wait(s->ops->receive(s, &m));
    if (n == -EAGAIN && ((int)w.word & MSG_DONTWAIT_) == 0) {
        n = home_arm(q->member, w.handle);
        n = n < 0 ? n : home_no_wait(s->ops->receive(s, &m));
    }
    if (n >= 0) {
        n = put_received(q, &m, data, n, want - m.it.left);
    }
    sock_msg_release(&m);
    return n;
}

/* Runs a handler as the member's process, for the credentials it leaves behind. */
static int64_t as_member(struct family_request *q, family_handler handler)
{
    struct wire_sock w;
    struct ucred_ acting;
    struct cursor peek = q->body;
    int64_t r;

    if (cursor_copy(&peek, &w, sizeof(w)) < 0) {
        return -EBADMSG;
    }
    acting = (struct ucred_){.pid = w.pid, .uid = w.uid, .gid = w.gid};
    thread_current()->acting = &acting;
    r = handler(q);
    thread_current()->acting = NULL;
    return r;
}

#define AS_MEMBER(name)                                        \
    static int64_t serve_##name##_as(struct family_request *q) \
    {                                                          \
        return as_member(q, serve_##name);                     \
    }
AS_MEMBER(new)
AS_MEMBER(connect)
AS_MEMBER(listen)

void home_sock_start(void)
{
    family_serve(FAMILY_OP_sock_new, serve_new_as);
    family_serve(FAMILY_OP_sock_bind, serve_bind);
    family_serve(FAMILY_OP_sock_connect, serve_connect_as);
    family_serve(FAMILY_OP_sock_listen, serve_listen_as);
    family_serve(FAMILY_OP_sock_accept, serve_accept);
    family_serve(FAMILY_OP_sock_name, serve_name);
    family_serve(FAMILY_OP_sock_shutdown, serve_shutdown);
    family_serve(FAMILY_OP_sock_get, serve_get);
    family_serve(FAMILY_OP_sock_set, serve_set);
    family_serve(FAMILY_OP_sock_send, serve_send);
    family_serve(FAMILY_OP_sock_receive, serve_receive);
    family_serve(FAMILY_OP_sock_pending, serve_pending);
}
