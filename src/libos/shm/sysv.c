/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/shm/sysv.h"

#include <linux/ipc.h>
#include <linux/sem.h>
#include <linux/shm.h>
#include <linux/time.h>

#include "libos/family/rpc.h"
#include "libos/lib/list.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"
#include "libos/shm/home.h"
#include "libos/shm/link.h"
#include "libos/time/clock.h"

#define SETS_MAX    1024u /* segments, and sets of semaphores */
#define SEQ_MAX     0xffffu
#define BLOCKED_MAX 4096u
#define MAY_R       4u
#define MAY_W       2u

struct entry {
    bool used;
    bool removed; /* a segment that goes with its last attachment */
    uint32_t seq;
    int32_t key;
    uint32_t uid, gid, cuid, cgid, mode;
    int64_t ctime;
};

struct segment {
    struct entry e;
    uint64_t object, size;
    int64_t atime, dtime;
    int32_t cpid, lpid;
};

struct sem {
    uint16_t value;
    int32_t pid;
};

struct set {
    struct entry e;
    uint32_t count;
    int64_t otime;
    struct sem *sems;
};

/* What a process's semop with SEM_UNDO is to be taken back by. */
struct undo {
    struct list node;
    uint32_t member;
    int32_t id;
    int16_t *adjust;
};

/* Who waits for what, for GETNCNT and GETZCNT. */
struct blocked {
    struct list node;
    uint32_t member;
    int64_t token;
    int32_t id;
    uint16_t sem;
    bool zero;
};

static struct mutex g_lock;
static struct segment *g_segments; /* SETS_MAX, from the first use on */
static struct set *g_sets;
static struct list g_undos = {&g_undos, &g_undos};
static struct list g_blocked = {&g_blocked, &g_blocked};
static uint32_t g_blocked_count;

static int64_t seconds(void)
{
    return (int64_t)(clock_now(CLOCK_REALTIME) / 1000000000);
}

/* ---- identifiers and permissions ---- */

static bool may(const struct entry *e, const struct sysv_request *q, uint32_t want)
{
    uint32_t have = e->mode;

    if (q->uid == 0) {
        return true;
    }
    have >>= q->uid == e->uid || q->uid == e->cuid   ? 6
             : q->gid == e->gid || q->gid == e->cgid ? 3
                                                     : 0;
    return (have & want) == want;
}

static bool owns(const struct entry *e, const struct sysv_request *q)
{
    return q->uid == 0 || q->uid == e->uid || q->uid == e->cuid;
}

static void begin(struct entry *e, const struct sysv_request *q)
{
    const uint32_t seq = (e->seq + 1) & SEQ_MAX;

    *e = (struct entry){.used = true,
                        .seq = seq,
                        .key = (int32_t)q->a,
                        .uid = q->uid,
                        .gid = q->gid,
                        .cuid = q->uid,
                        .cgid = q->gid,
                        .mode = (uint32_t)q->c & 0777,
                        .ctime = seconds()};
}

static int32_t id_of(const struct entry *e, size_t index)
{
    return (int32_t)(e->seq << 15 | (uint32_t)index);
}

static void describe(const struct entry *e, struct ipc64_perm *ret)
{
    *ret = (struct ipc64_perm){.key = e->key,
                               .uid = e->uid,
                               .gid = e->gid,
                               .cuid = e->cuid,
                               .cgid = e->cgid,
                               .mode = e->mode,
                               .seq = (unsigned short)e->seq};
}

static int change(struct entry *e, struct family_request *q, const struct sysv_request *r)
{
    struct sysv_set set;

    if (cursor_copy(&q->body, &set, sizeof(set)) < 0) {
        return -EBADMSG;
    }
    if (!owns(e, r)) {
        return -EPERM;
    }
    e->uid = set.uid;
    e->gid = set.gid;
    e->mode = (e->mode & ~0777u) | (set.mode & 0777);
    e->ctime = seconds();
    return 0;
}

/* ---- segments ---- */

/* Segments that were removed go with the last process that has them. */
static void sweep(void)
{
    for (size_t i = 0; i < SETS_MAX; i++) {
        struct segment *s = &g_segments[i];
        uint64_t left;

        if (s->e.used && s->e.removed) {
            shm_lock();
            left = directory_attachments(s->object);
            shm_unlock();
            s->e.used = left > 0;
        }
    }
}

static struct segment *segment_of(int64_t id)
{
    struct segment *s = id < 0 ? NULL : &g_segments[SYSV_INDEX(id) % SETS_MAX];

    return s != NULL && s->e.used && SYSV_INDEX(id) < SETS_MAX && id_of(&s->e, SYSV_INDEX(id)) == id
               ? s
               : NULL;
}

static int64_t shmget_new(const struct sysv_request *q)
{
    const uint64_t size = (uint64_t)q->b;

    if (size == 0 || size > SHM_PAGES_MAX << NACRE_PAGE_SHIFT) {
        return -EINVAL;
    }
    for (size_t i = 0; i < SETS_MAX; i++) {
        struct segment *s = &g_segments[i];
        int r;

        if (s->e.used) {
            continue;
        }
        r = shm_home_create(NULL, NULL, page_align_up(size) >> NACRE_PAGE_SHIFT, &s->object);
        if (r < 0) {
            return r;
        }
        begin(&s->e, q);
        s->size = size;
        s->atime = 0;
        s->dtime = 0;
        s->cpid = q->pid;
        s->lpid = 0;
        return id_of(&s->e, i);
    }
    return -ENOSPC;
}

static int64_t shmget(const struct sysv_request *q)
{
    const uint32_t flags = (uint32_t)q->c;

    for (size_t i = 0; q->a != IPC_PRIVATE && i < SETS_MAX; i++) {
        const struct segment *s = &g_segments[i];

        if (!s->e.used || s->e.removed || s->e.key != (int32_t)q->a) {
            continue;
        }
        if ((flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL)) {
            return -EEXIST;
        }
        if (!may(&s->e, q, flags >> 6 & 6)) {
            return -EACCES;
        }
        return (uint64_t)q->b > s->size ? -EINVAL : id_of(&s->e, i);
    }
    return q->a == IPC_PRIVATE || (flags & IPC_CREAT) != 0 ? shmget_new(q) : -ENOENT;
}

static int64_t shmat(struct family_request *q, const struct sysv_request *r)
{
    struct segment *s = segment_of(r->a);
    struct sysv_attached out;
    int e;

    if (s == NULL) {
        return -EINVAL;
    }
    if (!may(&s->e, r, r->c != 0 ? MAY_R | MAY_W : MAY_R)) {
        return -EACCES;
    }
    e = shm_home_attach(q->member, s->object);
    if (e < 0) {
        return e;
    }
    s->atime = seconds();
    s->lpid = r->pid;
    out = (struct sysv_attached){.object = s->object, .size = s->size};
    __builtin_memcpy(q->answer, &out, sizeof(out));
    q->answer_size = sizeof(out);
    return 0;
}

static int64_t shmdt(const struct sysv_request *q)
{
    for (size_t i = 0; i < SETS_MAX; i++) {
        if (g_segments[i].e.used && g_segments[i].object == (uint64_t)q->a) {
            g_segments[i].dtime = seconds();
            g_segments[i].lpid = q->pid;
        }
    }
    return 0;
}

static int64_t shmstat(struct family_request *q, const struct sysv_request *r)
{
    const size_t index = (size_t)SYSV_INDEX(r->a);
    const struct segment *s = r->c == 0                                      ? segment_of(r->a)
                              : index < SETS_MAX && g_segments[index].e.used ? &g_segments[index]
                                                                             : NULL;
    struct shmid64_ds out = {0};

    if (s == NULL) {
        return -EINVAL;
    }
    if (!may(&s->e, r, MAY_R)) {
        return -EACCES;
    }
    describe(&s->e, &out.shm_perm);
    out.shm_perm.mode |= s->e.removed ? 01000 /* SHM_DEST */ : 0;
    out.shm_segsz = s->size;
    out.shm_atime = s->atime;
    out.shm_dtime = s->dtime;
    out.shm_ctime = s->e.ctime;
    out.shm_cpid = s->cpid;
    out.shm_lpid = s->lpid;
    shm_lock();
    out.shm_nattch = directory_attachments(s->object);
    shm_unlock();
    __builtin_memcpy(q->answer, &out, sizeof(out));
    q->answer_size = sizeof(out);
    return r->c == 0 ? 0 : id_of(&s->e, index);
}

static int64_t shmrm(const struct sysv_request *q)
{
    struct segment *s = segment_of(q->a);

    if (s == NULL) {
        return -EINVAL;
    }
    if (!owns(&s->e, q)) {
        return -EPERM;
    }
    if (!s->e.removed) {
        s->e.removed = true;
        s->e.key = IPC_PRIVATE;
        shm_home_drop(s->object);
        sweep();
    }
    return 0;
}

/* ---- sets of semaphores ---- */

static struct set *set_of(int64_t id)
{
    struct set *s = id < 0 ? NULL : &g_sets[SYSV_INDEX(id) % SETS_MAX];

    return s != NULL && s->e.used && SYSV_INDEX(id) < SETS_MAX && id_of(&s->e, SYSV_INDEX(id)) == id
               ? s
               : NULL;
}

/* Everybody who waits for the set looks again. */
static void wake_all(int64_t id)
{
    shm_home_wake(SYSV_SEM_OBJECT, SYSV_INDEX(id) * sizeof(uint32_t));
}

static int64_t semget(const struct sysv_request *q)
{
    const uint32_t flags = (uint32_t)q->c;

    if (q->b < 0 || q->b > (int64_t)SYSV_SEMS_MAX) {
        return -EINVAL;
    }
    for (size_t i = 0; q->a != IPC_PRIVATE && i < SETS_MAX; i++) {
        const struct set *s = &g_sets[i];

        if (!s->e.used || s->e.key != (int32_t)q->a) {
            continue;
        }
        if ((flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL)) {
            return -EEXIST;
        }
        if (!may(&s->e, q, flags >> 6 & 6)) {
            return -EACCES;
        }
        return (uint64_t)q->b > s->count ? -EINVAL : id_of(&s->e, i);
    }
    if (q->a != IPC_PRIVATE && (flags & IPC_CREAT) == 0) {
        return -ENOENT;
    }
    for (size_t i = 0; i < SETS_MAX; i++) {
        struct set *s = &g_sets[i];

        if (s->e.used) {
            continue;
        }
        if (q->b == 0) {
            return -EINVAL;
        }
        s->sems = kzalloc((size_t)q->b * sizeof(struct sem));
        if (s->sems == NULL) {
            return -ENOMEM;
        }
        begin(&s->e, q);
        s->count = (uint32_t)q->b;
        s->otime = 0;
        return id_of(&s->e, i);
    }
    return -ENOSPC;
}

static void unblock(uint32_t member, int64_t token, bool all)
{
    list_for_each_safe (it, &g_blocked) {
        struct blocked *b = list_entry(it, struct blocked, node);

        if (b->member == member && (all || b->token == token)) {
            list_remove(it);
            kfree(b);
            g_blocked_count--;
        }
    }
}

static void block(uint32_t member, const struct sysv_request *q, const struct sembuf *op)
{
    struct blocked *b = g_blocked_count < BLOCKED_MAX ? kzalloc(sizeof(*b)) : NULL;

    if (b != NULL) { /* else it is not counted */
        *b = (struct blocked){.member = member,
                              .token = q->b,
                              .id = (int32_t)q->a,
                              .sem = op->sem_num,
                              .zero = op->sem_op == 0};
        list_insert(&g_blocked, &b->node);
        g_blocked_count++;
    }
}

static struct undo *undo_of(uint32_t member, int32_t id, const struct set *s)
{
    struct undo *u;

    list_for_each (it, &g_undos) {
        u = list_entry(it, struct undo, node);
        if (u->member == member && u->id == id) {
            return u;
        }
    }
    u = kzalloc(sizeof(*u));
    if (u != NULL) {
        u->member = member;
        u->id = id;
        u->adjust = kzalloc(s->count * sizeof(int16_t));
        if (u->adjust == NULL) {
            kfree(u);
            return NULL;
        }
        list_insert(&g_undos, &u->node);
    }
    return u;
}

/* All or nothing on `values`, a copy. 0, -EAGAIN with *ret_which, or what is wrong. */
static int try_ops(const struct set *s, const struct sembuf *ops, size_t count, uint16_t *values,
                   size_t *ret_which)
{
    for (size_t i = 0; i < count; i++) {
        const int32_t now = values[ops[i].sem_num];
        const int32_t then = now + ops[i].sem_op;

        *ret_which = i;
        if ((ops[i].sem_op == 0 && now != 0) || then < 0) {
            return -EAGAIN;
        }
        if (then > SYSV_SEM_MAX) {
            return -ERANGE;
        }
        values[ops[i].sem_num] = (uint16_t)then;
    }
    return 0;
}

static void take_over(struct set *s, const struct sysv_request *q, const struct sembuf *ops,
                      size_t count, const uint16_t *values, struct undo *u)
{
    for (size_t i = 0; i < count; i++) {
        struct sem *sem = &s->sems[ops[i].sem_num];

        sem->value = values[ops[i].sem_num];
        sem->pid = q->pid;
        if ((ops[i].sem_flg & SEM_UNDO) != 0) {
            u->adjust[ops[i].sem_num] = (int16_t)(u->adjust[ops[i].sem_num] - ops[i].sem_op);
        }
    }
    s->otime = seconds();
}

static int64_t semop_on(struct set *s, uint32_t member, const struct sysv_request *q,
                        const struct sembuf *ops, size_t count)
{
    _cleanup_kfree_ uint16_t *values = kmalloc(s->count * sizeof(uint16_t));
    struct undo *u = NULL;
    bool alter = false;
    bool undo = false;
    size_t which = 0;
    int r;

    if (values == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        if (ops[i].sem_num >= s->count) {
            return -EFBIG;
        }
        alter = alter || ops[i].sem_op != 0;
        undo = undo || (ops[i].sem_flg & SEM_UNDO) != 0;
    }
    if (!may(&s->e, q, alter ? MAY_W : MAY_R)) {
        return -EACCES;
    }
    if (undo) {
        u = undo_of(member, (int32_t)q->a, s);
        if (u == NULL) {
            return -ENOMEM;
        }
    }
    for (uint32_t i = 0; i < s->count; i++) {
        values[i] = s->sems[i].value;
    }
    r = try_ops(s, ops, count, values, &which);
    if (r == -EAGAIN && (ops[which].sem_flg & IPC_NOWAIT) == 0) {
        if (q->c != 0) {
            block(member, q, &ops[which]);
        }
        return -EINPROGRESS;
    }
    if (r < 0) {
        return r;
    }
    take_over(s, q, ops, count, values, u);
    if (alter) {
        wake_all(q->a);
    }
    return 0;
}

static int64_t semop(struct family_request *q, const struct sysv_request *r)
{
    struct set *s = set_of(r->a);
    const size_t count = q->body.left / sizeof(struct sembuf);
    _cleanup_kfree_ struct sembuf *ops = NULL;

    unblock(q->member, r->b, /*all=*/false);
    if (count == 0 || count > SYSV_SEMOPS_MAX || q->body.left % sizeof(struct sembuf) != 0) {
        return -EBADMSG;
    }
    if (s == NULL) {
        return -EINVAL;
    }
    ops = kmalloc(q->body.left);
    if (ops == NULL) {
        return -ENOMEM;
    }
    __builtin_memcpy(ops, q->body.p, q->body.left);
    return semop_on(s, q->member, r, ops, count);
}

static int64_t semstat(struct family_request *q, const struct sysv_request *r)
{
    const size_t index = (size_t)SYSV_INDEX(r->a);
    const struct set *s = r->c == 0                                  ? set_of(r->a)
                          : index < SETS_MAX && g_sets[index].e.used ? &g_sets[index]
                                                                     : NULL;
    struct semid64_ds out = {0};

    if (s == NULL) {
        return -EINVAL;
    }
    if (!may(&s->e, r, MAY_R)) {
        return -EACCES;
    }
    describe(&s->e, &out.sem_perm);
    out.sem_otime = s->otime;
    out.sem_ctime = s->e.ctime;
    out.sem_nsems = s->count;
    __builtin_memcpy(q->answer, &out, sizeof(out));
    q->answer_size = sizeof(out);
    return r->c == 0 ? 0 : id_of(&s->e, index);
}

static void forget_undos(int64_t id, int64_t sem)
{
    list_for_each_safe (it, &g_undos) {
        struct undo *u = list_entry(it, struct undo, node);

        if (u->id != (int32_t)id) {
            continue;
        }
        if (sem >= 0) {
            u->adjust[sem] = 0;
            continue;
        }
        list_remove(it);
        kfree(u->adjust);
        kfree(u);
    }
}

static int64_t semrm(const struct sysv_request *q)
{
    struct set *s = set_of(q->a);

    if (s == NULL) {
        return -EINVAL;
    }
    if (!owns(&s->e, q)) {
        return -EPERM;
    }
    forget_undos(q->a, -1);
    kfree(s->sems);
    s->sems = NULL;
    s->e.used = false;
    wake_all(q->a); /* they find it gone: EIDRM */
    return 0;
}

static int64_t count_blocked(int64_t id, uint16_t sem, bool zero)
{
    int64_t n = 0;

    list_for_each (it, &g_blocked) {
        const struct blocked *b = list_entry(it, struct blocked, node);

        n += b->id == (int32_t)id && b->sem == sem && b->zero == zero;
    }
    return n;
}

static int64_t semread(const struct sysv_request *q)
{
    const struct set *s = set_of(q->a);

    if (s == NULL || q->b < 0 || q->b >= (int64_t)s->count) {
        return -EINVAL;
    }
    if (!may(&s->e, q, MAY_R)) {
        return -EACCES;
    }
    switch (q->c) {
    case GETVAL: return s->sems[q->b].value;
    case GETPID: return s->sems[q->b].pid;
    case GETNCNT: return count_blocked(q->a, (uint16_t)q->b, false);
    case GETZCNT: return count_blocked(q->a, (uint16_t)q->b, true);
    default: return -EINVAL;
    }
}

static int64_t semall(struct family_request *q, const struct sysv_request *r)
{
    const struct set *s = set_of(r->a);

    if (s == NULL) {
        return -EINVAL;
    }
    if (!may(&s->e, r, MAY_R)) {
        return -EACCES;
    }
    for (uint32_t i = 0; i < s->count; i++) {
        __builtin_memcpy(q->answer + i * sizeof(uint16_t), &s->sems[i].value, sizeof(uint16_t));
    }
    q->answer_size = s->count * sizeof(uint16_t);
    return 0;
}

static int64_t semput(struct family_request *q, const struct sysv_request *r)
{
    struct set *s = set_of(r->a);
    const bool all = r->b < 0;
    const uint32_t first = all ? 0 : (uint32_t)r->b;

    if (s == NULL || (!all && r->b >= (int64_t)s->count)) {
        return -EINVAL;
    }
    if (!may(&s->e, r, MAY_W)) {
        return -EACCES;
    }
    if (q->body.left != (all ? s->count : 1) * sizeof(uint16_t)) {
        return -EINVAL;
    }
    for (uint32_t i = first; q->body.left > 0; i++) {
        uint16_t value;

        if (cursor_copy(&q->body, &value, sizeof(value)) < 0) {
            return -EBADMSG;
        }
        s->sems[i].value = value;
        s->sems[i].pid = r->pid;
        forget_undos(r->a, i);
    }
    s->e.ctime = seconds();
    wake_all(r->a);
    return 0;
}

/* SEM_UNDO of a process that ends; never below zero, as Linux. */
static int64_t leave(uint32_t member, int32_t pid)
{
    unblock(member, 0, /*all=*/true);
    list_for_each_safe (it, &g_undos) {
        struct undo *u = list_entry(it, struct undo, node);
        struct set *s;

        if (u->member != member) {
            continue;
        }
        s = set_of(u->id);
        for (uint32_t i = 0; s != NULL && i < s->count; i++) {
            const int32_t value = s->sems[i].value + u->adjust[i];

            if (u->adjust[i] != 0) {
                s->sems[i].value = (uint16_t)MIN(MAX(value, 0), SYSV_SEM_MAX);
                s->sems[i].pid = pid;
            }
        }
        list_remove(it);
        wake_all(u->id);
        kfree(u->adjust);
        kfree(u);
    }
    return 0;
}

/* ---- the call ---- */

static int64_t serve_locked(struct family_request *q, const struct sysv_request *r)
{
    struct segment *segment;
    struct set *set;

    switch (r->what) {
    case SYSV_SHMGET: return shmget(r);
    case SYSV_SHMAT: return shmat(q, r);
    case SYSV_SHMDT: return shmdt(r);
    case SYSV_SHMSTAT: return shmstat(q, r);
    case SYSV_SHMSET:
        segment = segment_of(r->a);
        return segment == NULL ? -EINVAL : change(&segment->e, q, r);
    case SYSV_SHMRM: return shmrm(r);
    case SYSV_SEMGET: return semget(r);
    case SYSV_SEMOP: return semop(q, r);
    case SYSV_SEMQUIT: unblock(q->member, r->b, /*all=*/false); return 0;
    case SYSV_SEMSTAT: return semstat(q, r);
    case SYSV_SEMSET: set = set_of(r->a); return set == NULL ? -EINVAL : change(&set->e, q, r);
    case SYSV_SEMRM: return semrm(r);
    case SYSV_SEMREAD: return semread(r);
    case SYSV_SEMALL: return semall(q, r);
    case SYSV_SEMPUT: return semput(q, r);
    case SYSV_LEAVE: return leave(q->member, r->pid);
    default: return -EBADMSG;
    }
}

void sysv_gone(uint32_t member)
{
    mutex_lock(&g_lock);
    (void)leave(member, 0);
    mutex_unlock(&g_lock);
}

static bool tables(void)
{
    if (g_segments == NULL) {
        g_segments = kzalloc(SETS_MAX * sizeof(*g_segments));
    }
    if (g_sets == NULL) {
        g_sets = kzalloc(SETS_MAX * sizeof(*g_sets));
    }
    return g_segments != NULL && g_sets != NULL;
}

static int64_t serve(struct family_request *q)
{
    struct sysv_request r;
    int64_t n;

    if (cursor_copy(&q->body, &r, sizeof(r)) < 0) {
        return -EBADMSG;
    }
    if (q->member != FAMILY_OWNER_ID && shm_link_start() < 0) {
        return -EAGAIN; /* nobody would hear of its end */
    }
    mutex_lock(&g_lock);
    if (!tables()) {
        n = -ENOMEM;
    } else {
        sweep();
        n = serve_locked(q, &r);
    }
    mutex_unlock(&g_lock);
    return n;
}

void sysv_start(void)
{
    family_serve(FAMILY_OP_sysv, serve);
}

void sysv_after_fork(void)
{
    for (size_t i = 0; g_sets != NULL && i < SETS_MAX; i++) {
        kfree(g_sets[i].sems);
    }
    kfree(g_sets);
    kfree(g_segments);
    g_sets = NULL;
    g_segments = NULL;
    list_for_each_safe (it, &g_undos) {
        struct undo *u = list_entry(it, struct undo, node);

        list_remove(it);
        kfree(u->adjust);
        kfree(u);
    }
    list_for_each_safe (it, &g_blocked) {
        list_remove(it);
        kfree(list_entry(it, struct blocked, node));
    }
    g_blocked_count = 0;
    g_lock = (struct mutex){0};
}
