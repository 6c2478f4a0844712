/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Unix sockets of the owner's: in a member every one is, as its name or its peer may be anybody's.
 */

#include "libos/family/remote.h"
#include "libos/family/rpc.h"
#include "libos/fs/fs_context.h"
#include "libos/fs/poll.h"
#include "libos/lib/str.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"
#include "libos/mm/user.h"
#include "libos/net/socket.h"
#include "libos/proc/thread.h"
#include "libos/sys/syscall.h"
#include "libos/time/clock.h"

#define IO_CHUNK  ((size_t)96 << 10)
#define RETRY_NS  2000000ull /* for what no event tells: room in another's queue */
#define PATH_SIZE 108u

struct rsock {
    struct socket base;
    struct remote_wait wait;
};
static const struct sock_ops g_remote_sock_ops;

static struct rsock *remote_of(struct socket *s)
{
    return container_of(s, struct rsock, base);
}

uint32_t remote_sock_handle(const struct file *f)
{
    struct socket *s = sock_of(f);

    return s == NULL || s->ops != &g_remote_sock_ops ? 0 : remote_of(s)->wait.handle;
}

static struct wire_sock request(struct socket *s, uint32_t word, uint32_t word2)
{
    const struct process *p = process_current();

    return (struct wire_sock){
        .handle = s == NULL ? 0 : remote_of(s)->wait.handle,
        .word = word,
        .word2 = word2,
        .pid = p->pid,
        .uid = p->euid,
        .gid = p->egid,
    };
}

static int64_t ask(struct socket *s, uint32_t op, uint32_t word, uint32_t word2)
{
    const struct wire_sock w = request(s, word, word2);

    return remote_ask(op, &w, sizeof(w), NULL, 0, NULL);
}

static int64_t ask_with(struct socket *s, uint32_t op, uint32_t word, uint32_t word2, const void *p,
                        size_t size)
{
    const struct wire_sock w = request(s, word, word2);
    const struct channel_part parts[] = {{&w, sizeof(w)}, {p, size}};
    struct family_message m = {
        .op = (enum family_op)op, .parts = parts, .part_count = ARRAY_COUNT(parts), .steady = true};

    return family_exchange(&m);
}

/* ---- making ---- */

static struct rsock *rsock_new(int type, uint32_t handle)
{
    struct rsock *r = kzalloc(sizeof(*r));

    if (r != NULL) {
        r->base.ops = &g_remote_sock_ops;
        r->base.family = AF_UNIX_;
        r->base.type = type;
        remote_wait_add(&r->wait, handle);
    }
    return r;
}

static int make(int type, bool two, uint32_t handles[2])
{
    const struct wire_sock w = request(NULL, (uint32_t)type, two ? 1 : 0);
    size_t size = 0;
    int64_t r =
        remote_ask(FAMILY_OP_sock_new, &w, sizeof(w), handles, 2 * sizeof(handles[0]), &size);

    return r < 0 ? (int)r : size == 2 * sizeof(handles[0]) ? 0 : -EIO;
}

int remote_sock_create(int type, struct socket **ret)
{
    uint32_t handles[2];
    struct rsock *s;
    int r = make(type, /*two=*/false, handles);

    if (r < 0) {
        return r;
    }
    s = rsock_new(type, handles[0]);
    if (s == NULL) {
        remote_drop(handles[0]);
        return -ENOMEM;
    }
    *ret = &s->base;
    return 0;
}

int remote_sock_pair(int type, struct socket *ret[2])
{
    uint32_t handles[2];
    struct rsock *a;
    struct rsock *b;
    int r = make(type, /*two=*/true, handles);

    if (r < 0) {
        return r;
    }
    a = rsock_new(type, handles[0]);
    b = a == NULL ? NULL : rsock_new(type, handles[1]);
    if (b == NULL) {
        if (a != NULL) {
            remote_wait_remove(&a->wait);
            kfree(a);
        }
        remote_drop(handles[0]);
        remote_drop(handles[1]);
        return -ENOMEM;
    }
    ret[0] = &a->base;
    ret[1] = &b->base;
    return 0;
}

int remote_sock_turn(struct file *f, uint32_t handle)
{
    const struct socket *old = f->priv;
    struct rsock *r = rsock_new(old->type, handle);

    if (r == NULL) {
        return -ENOMEM;
    }
    r->base.file = f;
    r->base.protocol = old->protocol;
    r->base.receive_timeout = old->receive_timeout;
    r->base.send_timeout = old->send_timeout;
    r->base.passcred = old->passcred;
    f->priv = &r->base;
    return 0;
}

static void remote_release(struct socket *s)
{
    struct rsock *r = remote_of(s);

    remote_wait_remove(&r->wait);
    remote_drop(r->wait.handle);
    kfree(r);
}

/* ---- names ---- */

/* Paths are this process's: the owner gets them absolute. */
static int absolute(struct sock_addr *a)
{
    const size_t name_size = a->size > 2 ? a->size - 2 : 0;
    char name[PATH_SIZE + 1];
    char text[PATH_SIZE + 1];
    struct path cwd;
    struct path root;
    char *at = NULL;
    int r;

    if (a->size < 3 || a->size > 2 + PATH_SIZE || a->b[2] == '\0' || a->b[2] == '/') {
        return 0;
    }
    __builtin_memcpy(name, a->b + 2, name_size);
    name[name_size] = '\0';
    fs_get_cwd(&cwd);
    fs_get_root(&root);
    r = path_text(&cwd, &root, /*strict=*/true, text, sizeof(text), &at);
    path_put(&root);
    path_put(&cwd);
    if (r < 0) {
        return r;
    }
    if (str_len(at) + 1 + str_len(name) >= PATH_SIZE) {
        return -ENAMETOOLONG;
    }
    a->size = 2 +
              (uint32_t)kprintf((char *)a->b + 2, PATH_SIZE, "%s/%s", str_equal(at, "/") ? "" : at,
                                name) +
              1;
    return 0;
}

/* What the path check of connect(2) says, with this process's eyes. */
static int check_target(const struct sock_addr *a)
{
    char name[PATH_SIZE + 1];
    struct path at = {0};
    int r;

    if (a->size < 3 || a->size > 2 + PATH_SIZE || a->b[2] == '\0') {
        return 0;
    }
    __builtin_memcpy(name, a->b + 2, a->size - 2);
    name[a->size - 2] = '\0';
    r = path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &at);
    if (r == 0) {
        r = inode_permission(path_inode(&at), MAY_WRITE, /*real=*/false);
    }
    path_put(&at);
    return r;
}

static int remote_bind(struct socket *s, const struct sock_addr *a)
{
    struct sock_addr full = *a;
    int r = absolute(&full);

    return r < 0 ? r : (int)ask_with(s, FAMILY_OP_sock_bind, 0, 0, full.b, full.size);
}

/* Waits a little, or until an event: for -EAGAIN of what may block. */
static int wait_a_little(struct rsock *r, uint64_t deadline)
{
    const uint64_t now = clock_monotonic();
    int e;

    if (deadline == 0 || now >= deadline) {
        return -EAGAIN;
    }
    e = thread_wait(MIN(deadline, now + RETRY_NS));
    return e == -EINTR ? -ERESTARTSYS : 0;
}

static int remote_connect(struct socket *s, const struct sock_addr *a)
{
    const uint64_t deadline = sock_deadline(s, 0, s->send_timeout);
    struct sock_addr full = *a;
    int r = check_target(&full);

    r = r < 0 ? r : absolute(&full);
    while (r == 0) {
        r = (int)ask_with(s, FAMILY_OP_sock_connect, 0, 0, full.b, full.size);
        if (r != -EAGAIN) {
            break;
        }
        r = wait_a_little(remote_of(s), deadline);
    }
    return r;
}

static int remote_listen(struct socket *s, int backlog)
{
    return (int)ask(s, FAMILY_OP_sock_listen, (uint32_t)backlog, 0);
}

static int remote_name(struct socket *s, bool peer, struct sock_addr *ret)
{
    const struct wire_sock w = request(s, peer ? 1 : 0, 0);
    size_t size = 0;
    int64_t r = remote_ask(FAMILY_OP_sock_name, &w, sizeof(w), ret->b, sizeof(ret->b), &size);

    ret->size = (uint32_t)size;
    return (int)r;
}

/* One try after another, waiting for the owner's word or the deadline in between. */
#define WAIT_FOR(result, s, deadline, attempt)                    \
    do {                                                          \
        struct waiter waiter_;                                    \
        waiter_init(&waiter_);                                    \
        waitq_add(&remote_of(s)->wait.waiters, &waiter_);         \
        for (;;) {                                                \
            (result) = (attempt);                                 \
            if ((result) != -EAGAIN || (deadline) == 0) {         \
                break;                                            \
            }                                                     \
            int e_ = thread_wait(deadline);                       \
            if (e_ < 0) {                                         \
                (result) = e_ == -EINTR ? -ERESTARTSYS : -EAGAIN; \
                break;                                            \
            }                                                     \
        }                                                         \
        waitq_remove(&waiter_);                                   \
    } while (0)

static int accept_once(struct socket *s, bool arm, uint32_t *ret)
{
    const struct wire_sock w = request(s, arm ? 1 : 0, 0);
    size_t size = 0;
    int64_t r = remote_ask(FAMILY_OP_sock_accept, &w, sizeof(w), ret, sizeof(*ret), &size);

    return r < 0 ? (int)r : size == sizeof(*ret) ? 0 : -EIO;
}

static int remote_accept(struct socket *s, bool wait, struct socket **ret)
{
    const uint64_t deadline = wait ? sock_deadline(s, 0, s->receive_timeout) : 0;
    struct rsock *fresh;
    uint32_t handle = 0;
    int r;

    WAIT_FOR(r, s, deadline, accept_once(s, deadline != 0, &handle));
    if (r < 0) {
        return r;
    }
    fresh = rsock_new(s->type, handle);
    if (fresh == NULL) {
        remote_drop(handle);
        return -ENOMEM;
    }
    fresh->base.passcred = s->passcred;
    *ret = &fresh->base;
    return 0;
}

/* ---- sending ---- */

/* Handles of the files that go along. */
static int share_files(struct sock_msg *m, uint32_t handles[WIRE_FILES_MAX])
{
    if (m->file_count > WIRE_FILES_MAX) {
        return -EINVAL;
    }
    for (size_t i = 0; i < m->file_count; i++) {
        int r = remote_share_file(m->files[i], &handles[i]);

        if (r < 0) {
            libos_log(LOG_INFO, "SCM_RIGHTS: this kind of file cannot be passed between processes "
                                "(docs/processes.md)");
            return r;
        }
    }
    return 0;
}

static int64_t send_once(struct socket *s, struct sock_msg *m, const uint32_t *handles, size_t size,
                         bool arm)
{
    const struct wire_sock w = request(s, (uint32_t)m->flags, arm ? 1 : 0);
    const struct wire_message wm = {
        .addr_size = m->has_addr ? m->addr.size : 0,
        .has_addr = m->has_addr ? 1 : 0,
        .has_cred = m->has_cred ? 1 : 0,
        .pid = m->cred.pid,
        .uid = m->cred.uid,
        .gid = m->cred.gid,
        .file_count = (uint32_t)m->file_count,
    };
    const struct channel_part parts[] = {{&w, sizeof(w)},
                                         {&wm, sizeof(wm)},
                                         {handles, m->file_count * sizeof(handles[0])},
                                         {m->addr.b, wm.addr_size}};
    struct family_message fm = {.op = FAMILY_OP_sock_send,
                                .parts = parts,
                                .part_count = ARRAY_COUNT(parts),
                                .from = &m->it,
                                .from_size = size,
                                .steady = true};
    struct iter saved = m->it;
    int64_t n = family_exchange(&fm);

    iter_restore(&m->it, &saved);
    if (n > 0) {
        iter_skip(&m->it, (uint64_t)n);
    }
    return n;
}

static int64_t remote_send(struct socket *s, struct sock_msg *m)
{
    const bool stream = s->type == SOCK_STREAM_;
    const uint64_t deadline = sock_deadline(s, m->flags, s->send_timeout);
    uint32_t handles[WIRE_FILES_MAX];
    int64_t done = 0;
    int64_t n = share_files(m, handles);

    if (n == 0 && m->has_addr) {
        n = check_target(&m->addr);
        n = n < 0 ? n : absolute(&m->addr);
    }
    if (n < 0) {
        return n;
    }
    if (!stream && m->it.left > IO_CHUNK) {
        return -EMSGSIZE;
    }
    do {
        const size_t size = MIN(m->it.left, IO_CHUNK);

        if (m->has_addr && s->type == SOCK_DGRAM_) {
            /* the room is another socket's: nobody tells */
            while ((n = send_once(s, m, handles, size, false)) == -EAGAIN) {
                int r = wait_a_little(remote_of(s), deadline);

                if (r < 0) {
                    n = r;
                    break;
                }
            }
        } else {
            WAIT_FOR(n, s, deadline, send_once(s, m, handles, size, deadline != 0));
        }
        if (n < 0) {
            break;
        }
        done += n;
        if (m->file_count > 0) {
            sock_msg_release(m); /* they went with the first piece */
        }
    } while (stream && m->it.left > 0);
    if (done > 0) {
        return done;
    }
    return n == -EPIPE ? sock_broken_pipe(m->flags) : n;
}

/* ---- receiving ---- */

/* Gives back what was granted with it. */
static void drop_passed(const struct wire_passed *p)
{
    remote_drop(p->handle);
    if (S_ISREG(p->mode)) {
        remote_drop(p->attr.handle);
    }
}

/* An open file that came along; taken over, also when it fails. */
static int take_file(const struct wire_passed *p, struct file **ret)
{
    struct superblock *sb;
    struct inode *inode = NULL;
    struct rsock *s;
    int r;

    if (S_ISSOCK(p->mode)) {
        s = p->family == AF_UNIX_ ? rsock_new(p->type, p->handle) : NULL;
        r = s == NULL ? -ENOMEM : sock_file(&s->base, p->flags, ret);
        if (s == NULL) {
            remote_drop(p->handle);
        } else if (r < 0) {
            remote_release(&s->base);
        }
        return r;
    }
    if (!S_ISREG(p->mode)) {
        return remote_file_make(p->handle, p->mode, p->flags, p->file_mode, ret);
    }
    sb = remote_super_of_dev(p->attr.dev);
    if (sb == NULL) {
        drop_passed(p);
        return -ENXIO;
    }
    r = remote_inode_granted(sb, &p->attr, &inode);
    if (r < 0) {
        remote_drop(p->handle);
        return r;
    }
    r = file_on_inode(inode, "/received", &inode_file_ops, p->flags, p->file_mode, NULL, ret);
    if (r < 0) {
        inode_put(inode);
        remote_drop(p->handle);
        return r;
    }
    r = remote_file_turn(*ret, p->handle);
    if (r < 0) {
        remote_drop(p->handle);
        file_put(*ret);
    }
    return r;
}

static int take_files(struct cursor *c, uint32_t count, struct sock_msg *m)
{
    if (count == 0) {
        return 0;
    }
    m->files = kzalloc(count * sizeof(*m->files));
    for (uint32_t i = 0; i < count; i++) {
        struct wire_passed p;
        struct file *f = NULL;

        if (cursor_copy(c, &p, sizeof(p)) < 0) {
            return -EIO;
        }
        if (m->files == NULL) {
            drop_passed(&p);
        } else if (take_file(&p, &f) == 0) {
            m->files[m->file_count++] = f;
        } else {
            m->out_flags |= MSG_CTRUNC_;
        }
    }
    return m->files == NULL ? -ENOMEM : 0;
}

static int64_t take_answer(struct sock_msg *m, const uint8_t *p, size_t size, int64_t result)
{
    struct cursor c = cursor_make(p, size);
    struct wire_message wm;
    int r;

    if (cursor_copy(&c, &wm, sizeof(wm)) < 0 || wm.file_count > WIRE_FILES_MAX ||
        wm.addr_size > sizeof(m->addr.b)) {
        return -EIO;
    }
    m->out_flags |= (int)wm.flags;
    m->has_cred = wm.has_cred != 0;
    m->cred = (struct ucred_){.pid = wm.pid, .uid = wm.uid, .gid = wm.gid};
    r = take_files(&c, wm.file_count, m);
    m->addr.size = wm.addr_size;
    if (r < 0 || cursor_copy(&c, m->addr.b, wm.addr_size) < 0) {
        return r < 0 ? r : -EIO;
    }
    return iter_put(&m->it, c.p, MIN(c.left, m->it.left)) < MIN(c.left, m->it.left) ? -EFAULT
                                                                                    : result;
}

static int64_t receive_once(struct socket *s, struct sock_msg *m, uint8_t *buf, bool wait)
{
    const uint32_t flags =
        ((uint32_t)m->flags & ~(uint32_t)MSG_DONTWAIT_) | (wait ? 0 : (uint32_t)MSG_DONTWAIT_);
    const struct wire_sock w = request(s, flags, (uint32_t)MIN(m->it.left, (uint64_t)IO_CHUNK));
    size_t size = 0;
    int64_t n = remote_ask(FAMILY_OP_sock_receive, &w, sizeof(w), buf, FAMILY_ANSWER_MAX, &size);

    return n < 0 ? n : take_answer(m, buf, size, n);
}

static int64_t remote_receive(struct socket *s, struct sock_msg *m)
{
    const uint64_t deadline = sock_deadline(s, m->flags, s->receive_timeout);
    const bool all =
        s->type == SOCK_STREAM_ && (m->flags & (MSG_WAITALL_ | MSG_PEEK_)) == MSG_WAITALL_;
    uint8_t *buf = kmalloc(FAMILY_ANSWER_MAX);
    int64_t done = 0;
    int64_t n;

    if (buf == NULL) {
        return -ENOMEM;
    }
    do {
        WAIT_FOR(n, s, deadline, receive_once(s, m, buf, deadline != 0));
        if (n <= 0) {
            break;
        }
        done += n;
    } while (all && m->it.left > 0 && m->file_count == 0);
    kfree(buf);
    return done > 0 ? done : n;
}

/* ---- the rest ---- */

static int remote_shutdown(struct socket *s, uint32_t how)
{
    return (int)ask(s, FAMILY_OP_sock_shutdown, how, 0);
}

static int remote_get_option(struct socket *s, int level, int option, void *val, uint32_t *size)
{
    const struct wire_sock w = request(s, (uint32_t)level, (uint32_t)option);
    size_t got = 0;
    int64_t r = remote_ask(FAMILY_OP_sock_get, &w, sizeof(w), val, *size, &got);

    *size = (uint32_t)got;
    return (int)r;
}

static int remote_set_option(struct socket *s, int level, int option, const void *val,
                             uint32_t size)
{
    return (int)ask_with(s, FAMILY_OP_sock_set, (uint32_t)level, (uint32_t)option, val, size);
}

static uint32_t remote_poll(struct socket *s, struct poll_table *pt)
{
    struct rsock *r = remote_of(s);
    const struct wire_file_word w = {.handle = r->wait.handle, .word = pt == NULL ? 0 : WIRE_ARM};
    int64_t n;

    poll_queue(pt, &r->wait.waiters);
    n = remote_ask(FAMILY_OP_file_poll, &w, sizeof(w), NULL, 0, NULL);
    return n < 0 ? EV_ERR : (uint32_t)n;
}

static int64_t remote_ioctl(struct socket *s, uint32_t request_, uint64_t arg)
{
    int64_t n = ask(s, FAMILY_OP_sock_pending, request_, 0);
    int32_t pending = (int32_t)n;

    return n < 0 ? n : user_put(arg, &pending);
}

static const struct sock_ops g_remote_sock_ops = {
    .bind = remote_bind,
    .connect = remote_connect,
    .listen = remote_listen,
    .accept = remote_accept,
    .name = remote_name,
    .send = remote_send,
    .receive = remote_receive,
    .shutdown = remote_shutdown,
    .get_option = remote_get_option,
    .set_option = remote_set_option,
    .poll = remote_poll,
    .ioctl = remote_ioctl,
    .release = remote_release,
};
