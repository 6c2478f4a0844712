/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * One lock over everything: whatever happens to a process concerns its parent, its children and its
 * group at once. Entries are found by number in buckets, and lie in one list by age.
 */
#include "libos/proc/pids.h"

#include <linux/signal.h>
#include <linux/time.h>

#include "libos/lib/list.h"
#include "libos/mm/kmem.h"
#include "libos/time/clock.h"

#define STATUS_KILLED 9u /* wait(2): killed by SIGKILL */
#define BUCKETS       512u

/* si_code of SIGCHLD */
#define CLD_EXITED_    1
#define CLD_KILLED_    2
#define CLD_DUMPED_    3
#define CLD_STOPPED_   5
#define CLD_CONTINUED_ 6

#define STATUS_STOPPED(signo) (0x7fu | (signo) << 8)
#define STATUS_CONTINUED      0xffffu

/* An enclave that hears of the end of a process. */
struct watcher {
    struct watcher *next;
    uint32_t member;
};

struct entry {
    struct entry *hash_next;
    struct list node;     /* all, by age */
    struct entry *parent; /* NULL: the first */
    int32_t pid, pgid, sid;
    uint32_t member;
    uint32_t uid, euid;
    uint32_t exit_signal;
    uint32_t death_signal;
    uint32_t status; /* of a zombie */
    uint64_t utime, stime;
    uint64_t serial;
    uint64_t start_time;
    struct watcher *watchers;
    uint32_t stop_signal; /* 0: runs */
    bool zombie;
    bool subreaper;
    bool reaps_self;
    bool executed;
    bool news_stopped; /* nobody waited for this yet */
    bool news_continued;
    char comm[PIDS_COMM];
    uint32_t command_size;
    char command[PIDS_COMMAND];
    char exe[PIDS_EXE];
};

static struct {
    struct mutex lock;
    const struct pids_ears *ears;
    struct list all;
    struct entry *buckets[BUCKETS];
    int32_t last;
    uint64_t serial; /* of the newest */
    size_t count;
} g_pids = {.all = {&g_pids.all, &g_pids.all}};

void pids_init(const struct pids_ears *ears)
{
    g_pids.ears = ears;
}

static struct entry **bucket(int32_t pid)
{
    return &g_pids.buckets[(uint32_t)pid % BUCKETS];
}

static struct entry *find(int32_t pid)
{
    struct entry *e = pid > 0 ? *bucket(pid) : NULL;

    while (e != NULL && e->pid != pid) {
        e = e->hash_next;
    }
    return e;
}

static struct entry *find_living(int32_t pid)
{
    struct entry *e = find(pid);

    return e == NULL || e->zombie ? NULL : e;
}

/* Does anybody use this number, for a group or a session as well? */
static bool in_use(int32_t pid)
{
    list_for_each (it, &g_pids.all) {
        const struct entry *e = list_entry(it, struct entry, node);

        if (e->pid == pid || e->pgid == pid || e->sid == pid) {
            return true;
        }
    }
    return false;
}

static int32_t free_number(void)
{
    for (int i = 1; i < PIDS_MAX; i++) {
        const int32_t pid = PIDS_INIT + (g_pids.last - PIDS_INIT + i) % (PIDS_MAX - PIDS_INIT);

        if (pid > PIDS_INIT && !in_use(pid)) {
            return pid;
        }
    }
    return PIDS_NO_ID;
}

static void insert(struct entry *e)
{
    struct entry **b = bucket(e->pid);

    e->hash_next = *b;
    *b = e;
    list_insert(&g_pids.all, &e->node);
    g_pids.count++;
}

/* Those of `member` only, or all. */
static void drop_watchers(struct entry *e, bool all, uint32_t member)
{
    struct watcher **at = &e->watchers;

    while (*at != NULL) {
        struct watcher *w = *at;

        if (all || w->member == member) {
            *at = w->next;
            kfree(w);
        } else {
            at = &w->next;
        }
    }
}

static void drop(struct entry *e)
{
    struct entry **at = bucket(e->pid);

    drop_watchers(e, /*all=*/true, 0);

    while (*at != e) {
        at = &(*at)->hash_next;
    }
    *at = e->hash_next;
    list_remove(&e->node);
    g_pids.count--;
    kfree(e);
}

void pids_reset(void)
{
    list_for_each_safe (it, &g_pids.all) {
        drop(list_entry(it, struct entry, node));
    }
    g_pids.last = 0;
}

static struct entry *make(int32_t pid, const char *comm)
{
    struct entry *e = kzalloc(sizeof(*e));

    if (e == NULL) {
        return NULL;
    }
    e->pid = pid;
    e->start_time = clock_now(CLOCK_MONOTONIC);
    __builtin_memcpy(e->comm, comm, PIDS_COMM);
    e->comm[PIDS_COMM - 1] = '\0';
    return e;
}

int pids_first(int32_t pid, const char comm[static PIDS_COMM])
{
    struct entry *e = make(pid, comm);

    if (e == NULL) {
        return -ENOMEM;
    }
    e->pgid = pid;
    e->sid = pid;
    mutex_lock(&g_pids.lock);
    if (find(pid) == NULL) {
        e->serial = ++g_pids.serial;
        insert(TAKE_PTR(e));
        g_pids.last = MAX(g_pids.last, pid);
    }
    mutex_unlock(&g_pids.lock);
    kfree(e);
    return 0;
}

static size_t count_of(uint32_t uid)
{
    size_t n = 0;

    list_for_each (it, &g_pids.all) {
        n += list_entry(it, struct entry, node)->uid == uid;
    }
    return n;
}

int32_t pids_create(const struct pids_new *n)
{
    struct entry *e = make(PIDS_NO_ID, n->comm);
    struct entry *parent;
    int32_t r;

    if (e == NULL) {
        return -EAGAIN;
    }
    mutex_lock(&g_pids.lock);
    parent = find_living(n->parent);
    if (parent == NULL) {
        r = -ESRCH;
    } else if (count_of(n->uid) >= n->limit || g_pids.count >= PIDS_MAX - 2) {
        r = -EAGAIN;
    } else {
        r = free_number();
        r = r == PIDS_NO_ID ? -EAGAIN : r;
    }
    if (r > 0) {
        parent->reaps_self = n->reaps_self != 0;
        e->pid = r;
        e->serial = ++g_pids.serial;
        e->parent = n->sibling != 0 && parent->parent != NULL ? parent->parent : parent;
        e->pgid = parent->pgid;
        e->sid = parent->sid;
        e->member = n->member;
        e->uid = n->uid;
        e->euid = parent->euid;
        __builtin_memcpy(e->command, parent->command, sizeof(e->command));
        e->command_size = parent->command_size;
        __builtin_memcpy(e->exe, parent->exe, sizeof(e->exe));
        e->exit_signal = n->sibling != 0 ? parent->exit_signal : n->exit_signal;
        g_pids.last = r;
        insert(TAKE_PTR(e));
    }
    mutex_unlock(&g_pids.lock);
    kfree(e);
    return r;
}

int pids_move(int32_t pid, uint32_t member)
{
    struct entry *e;

    mutex_lock(&g_pids.lock);
    e = find_living(pid);
    if (e != NULL) {
        e->member = member;
    }
    mutex_unlock(&g_pids.lock);
    return e == NULL ? -ESRCH : 0;
}

/* ---- what others hear ---- */

static void tell_signal(const struct entry *e, const struct siginfo_kernel *info)
{
    if (!e->zombie) {
        g_pids.ears->signal(e->member, e->pid, info);
    }
}

static void tell_number(const struct entry *e, uint32_t signo)
{
    const struct siginfo_kernel info = {.signo = (int32_t)signo, .code = SI_KERNEL};

    tell_signal(e, &info);
}

/* siginfo of SIGCHLD: pid, uid, status, and times in ticks behind them. */
static void tell_parent(const struct entry *e, int code, uint32_t value)
{
    struct siginfo_kernel info = {.signo = (int32_t)e->exit_signal, .code = code};
    const uint64_t ticks[2] = {e->utime / 10000000, e->stime / 10000000};

    if (e->parent == NULL || e->parent->zombie) {
        return;
    }
    info.kill.pid = e->pid;
    info.kill.uid = e->uid;
    info.kill.value = value;
    __builtin_memcpy(info.raw + 16, ticks, sizeof(ticks));
    if (e->exit_signal != 0) {
        tell_signal(e->parent, &info);
    }
    g_pids.ears->child(e->parent->member, e->parent->pid);
}

static void tell_end(const struct entry *e)
{
    const uint32_t signo = e->status & 0x7f;

    if (signo == 0) {
        tell_parent(e, CLD_EXITED_, e->status >> 8);
    } else {
        tell_parent(e, (e->status & 0x80) != 0 ? CLD_DUMPED_ : CLD_KILLED_, signo);
    }
}

static void tell_watchers(struct entry *e)
{
    for (const struct watcher *w = e->watchers; w != NULL; w = w->next) {
        g_pids.ears->ended(w->member, e->pid, e->serial);
    }
    drop_watchers(e, /*all=*/true, 0);
}

/* ---- the end ---- */

static struct entry *next_parent(const struct entry *e)
{
    for (struct entry *p = e->parent; p != NULL; p = p->parent) {
        if ((p->subreaper || p->parent == NULL) && !p->zombie) {
            return p;
        }
    }
    return NULL;
}

/* A zombie its parent does not want to hear of. */
static bool is_nobodys(const struct entry *e)
{
    return e->parent == NULL || (e->parent->reaps_self && e->exit_signal == SIGCHLD);
}

static void bury_if_nobodys(struct entry *e)
{
    if (e->zombie && is_nobodys(e)) {
        drop(e);
    }
}

static void orphan_children(struct entry *e)
{
    struct entry *heir = next_parent(e);

    list_for_each_safe (it, &g_pids.all) {
        struct entry *c = list_entry(it, struct entry, node);

        if (c->parent != e) {
            continue;
        }
        c->parent = heir;
        c->exit_signal = SIGCHLD;
        if (c->death_signal != 0) {
            tell_number(c, c->death_signal);
        }
        if (c->zombie) {
            tell_end(c);
            bury_if_nobodys(c);
        }
    }
}

static void end(struct entry *e, uint32_t status)
{
    e->zombie = true;
    e->status = status;
    e->stop_signal = 0;
    orphan_children(e);
    tell_end(e);
    tell_watchers(e);
    bury_if_nobodys(e);
}

void pids_exit(int32_t pid, uint32_t status, uint64_t utime, uint64_t stime)
{
    struct entry *e;

    mutex_lock(&g_pids.lock);
    e = find_living(pid);
    if (e != NULL) {
        e->utime = utime;
        e->stime = stime;
        end(e, status);
    }
    mutex_unlock(&g_pids.lock);
}

void pids_abandon(int32_t pid)
{
    struct entry *e;

    mutex_lock(&g_pids.lock);
    e = find(pid);
    if (e != NULL) {
        orphan_children(e); /* it never had any */
        drop(e);
    }
    mutex_unlock(&g_pids.lock);
}

void pids_member_gone(uint32_t member)
{
    bool again = true;

    mutex_lock(&g_pids.lock);
    list_for_each (it, &g_pids.all) {
        drop_watchers(list_entry(it, struct entry, node), /*all=*/false, member);
    }
    while (again) { /* the end of one can take others off the list */
        again = false;
        list_for_each (it, &g_pids.all) {
            struct entry *e = list_entry(it, struct entry, node);

            if (e->member == member && !e->zombie) {
                end(e, STATUS_KILLED);
                again = true;
                break;
            }
        }
    }
    mutex_unlock(&g_pids.lock);
}

void pids_stopped(int32_t pid, uint32_t signo)
{
    struct entry *e;

    mutex_lock(&g_pids.lock);
    e = find_living(pid);
    if (e != NULL && (e->stop_signal != 0) != (signo != 0)) {
        e->stop_signal = signo;
        e->news_stopped = signo != 0;
        e->news_continued = signo == 0;
        tell_parent(e, signo != 0 ? CLD_STOPPED_ : CLD_CONTINUED_, signo != 0 ? signo : SIGCONT);
    }
    mutex_unlock(&g_pids.lock);
}

/* ---- wait ---- */

static bool is_awaited(const struct entry *e, const struct pids_wait *w)
{
    if (e->parent == NULL || e->parent->pid != w->caller) {
        return false;
    }
    if (w->serial != 0 && e->serial != w->serial) {
        return false;
    }
    return w->id == 0 || (w->id > 0 ? e->pid == w->id : e->pgid == -w->id);
}

static bool has_news(const struct entry *e, uint32_t options, uint32_t *ret_status)
{
    if (e->zombie && (options & PIDS_WAIT_EXITED) != 0) {
        *ret_status = e->status;
        return true;
    }
    if (e->news_stopped && (options & PIDS_WAIT_STOPPED) != 0) {
        *ret_status = STATUS_STOPPED(e->stop_signal);
        return true;
    }
    if (e->news_continued && (options & PIDS_WAIT_CONTINUED) != 0) {
        *ret_status = STATUS_CONTINUED;
        return true;
    }
    return false;
}

static void take_news(struct entry *e)
{
    if (e->zombie) {
        drop(e);
        return;
    }
    e->news_stopped = false;
    e->news_continued = false;
}

int pids_wait(const struct pids_wait *w, struct pids_waited *ret)
{
    int r = -ECHILD;

    mutex_lock(&g_pids.lock);
    list_for_each (it, &g_pids.all) {
        struct entry *e = list_entry(it, struct entry, node);
        uint32_t status = 0;

        if (!is_awaited(e, w)) {
            continue;
        }
        r = 0;
        if (has_news(e, w->options, &status)) {
            *ret = (struct pids_waited){.pid = e->pid,
                                        .uid = e->uid,
                                        .status = status,
                                        .utime = e->utime,
                                        .stime = e->stime};
            if ((w->options & PIDS_WAIT_KEEP) == 0) {
                take_news(e);
            }
            r = 1;
            break;
        }
    }
    mutex_unlock(&g_pids.lock);
    return r;
}

/* ---- kill ---- */

/* kill(2): root may, and whose real or effective id is the target's real one. SIGCONT also within a
 * session. */
static bool may_signal(const struct entry *from, const struct entry *to, int signo)
{
    return from->euid == 0 || from->uid == to->uid || from->euid == to->uid ||
           (signo == SIGCONT && from->sid == to->sid);
}

static bool is_target(const struct entry *e, const struct entry *caller, int32_t target)
{
    if (target > 0) {
        return e->pid == target;
    }
    if (target == -1) {
        return e != caller && e->pid != PIDS_INIT;
    }
    return e->pgid == (target == 0 ? caller->pgid : -target);
}

/* `serial`: of the one process meant, or 0. */
static int kill_them(int32_t caller_pid, int32_t target, uint64_t serial,
                     const struct siginfo_kernel *info)
{
    const struct entry *caller;
    int r = -ESRCH;

    mutex_lock(&g_pids.lock);
    caller = find(caller_pid);
    if (caller == NULL) {
        mutex_unlock(&g_pids.lock);
        return -ESRCH;
    }
    list_for_each (it, &g_pids.all) {
        const struct entry *e = list_entry(it, struct entry, node);

        if (!is_target(e, caller, target) || (serial != 0 && e->serial != serial)) {
            continue;
        }
        if (!may_signal(caller, e, info->signo)) {
            r = r >= 0 ? r : -EPERM;
            continue;
        }
        r = MAX(r, 0);
        if (e == caller) {
            r = 1;
        } else if (info->signo != 0) {
            tell_signal(e, info);
        }
    }
    mutex_unlock(&g_pids.lock);
    return r;
}

int pids_kill(int32_t caller, int32_t target, const struct siginfo_kernel *info)
{
    return kill_them(caller, target, 0, info);
}

int pids_kill_exact(int32_t caller, int32_t pid, uint64_t serial, const struct siginfo_kernel *info)
{
    return pid <= 0 || serial == 0 ? -ESRCH : kill_them(caller, pid, serial, info);
}

/* ---- watching ---- */

int pids_watch(uint32_t member, int32_t pid, uint64_t serial)
{
    struct watcher *fresh = kzalloc(sizeof(*fresh));
    struct watcher *w;
    struct entry *e;
    int r = 0;

    mutex_lock(&g_pids.lock);
    e = find_living(pid);
    if (e == NULL || e->serial != serial) {
        r = 1;
    } else {
        for (w = e->watchers; w != NULL && w->member != member; w = w->next) {
        }
        if (w == NULL && fresh == NULL) {
            r = -ENOMEM;
        } else if (w == NULL) {
            fresh->member = member;
            fresh->next = e->watchers;
            e->watchers = TAKE_PTR(fresh);
        }
    }
    mutex_unlock(&g_pids.lock);
    kfree(fresh);
    return r;
}

/* ---- groups and sessions ---- */

static bool group_exists(int32_t pgid, int32_t sid)
{
    list_for_each (it, &g_pids.all) {
        const struct entry *e = list_entry(it, struct entry, node);

        if (e->pgid == pgid && e->sid == sid) {
            return true;
        }
    }
    return false;
}

/* The rules of setpgid(2), in the order Linux looks at them. */
static int check_setpgid(const struct entry *caller, const struct entry *e, int32_t pgid)
{
    if (e == NULL || e->zombie) {
        return -ESRCH;
    }
    if (e->parent == caller) {
        if (e->sid != caller->sid) {
            return -EPERM;
        }
        if (e->executed) {
            return -EACCES;
        }
    } else if (e != caller) {
        return -ESRCH;
    }
    if (e->sid == e->pid) {
        return -EPERM;
    }
    return pgid == e->pid || group_exists(pgid, e->sid) ? 0 : -EPERM;
}

int pids_setpgid(int32_t caller_pid, int32_t pid, int32_t pgid)
{
    struct entry *caller;
    struct entry *e;
    int r;

    if (pgid < 0) {
        return -EINVAL;
    }
    mutex_lock(&g_pids.lock);
    caller = find_living(caller_pid);
    e = pid == 0 ? caller : find(pid);
    pgid = pgid == 0 && e != NULL ? e->pid : pgid;
    r = caller == NULL ? -ESRCH : check_setpgid(caller, e, pgid);
    if (r == 0) {
        e->pgid = pgid;
    }
    mutex_unlock(&g_pids.lock);
    return r;
}

int32_t pids_setsid(int32_t caller_pid)
{
    struct entry *e;
    int32_t r = -EPERM;

    mutex_lock(&g_pids.lock);
    e = find_living(caller_pid);
    if (e != NULL) {
        bool leads = false;

        list_for_each (it, &g_pids.all) {
            leads |= list_entry(it, struct entry, node)->pgid == e->pid;
        }
        if (!leads) {
            e->sid = e->pid;
            e->pgid = e->pid;
            r = e->pid;
        }
    }
    mutex_unlock(&g_pids.lock);
    return r;
}

/* ---- the rest ---- */

int pids_set(int32_t pid, enum pids_property what, uint64_t value)
{
    struct entry *e;
    int r = 0;

    mutex_lock(&g_pids.lock);
    e = find_living(pid);
    if (e == NULL) {
        mutex_unlock(&g_pids.lock);
        return -ESRCH;
    }
    switch (what) {
    case PIDS_SUBREAPER: e->subreaper = value != 0; break;
    case PIDS_DEATH_SIGNAL: e->death_signal = (uint32_t)value; break;
    case PIDS_REAPS_SELF: e->reaps_self = value != 0; break;
    case PIDS_EXECUTED:
        e->executed = true;
        e->exit_signal = SIGCHLD;
        break;
    case PIDS_UID:
        e->uid = (uint32_t)(value >> 32);
        e->euid = (uint32_t)value;
        break;
    default: r = -EINVAL; break;
    }
    mutex_unlock(&g_pids.lock);
    return r;
}

int pids_rename(const struct pids_name *n)
{
    struct entry *e;

    if (n->command_size > sizeof(n->command)) {
        return -EINVAL;
    }
    mutex_lock(&g_pids.lock);
    e = find_living(n->pid);
    if (e != NULL) {
        __builtin_memcpy(e->comm, n->comm, PIDS_COMM);
        e->comm[PIDS_COMM - 1] = '\0';
        __builtin_memcpy(e->command, n->command, PIDS_COMMAND);
        e->command_size = n->command_size;
        __builtin_memcpy(e->exe, n->exe, PIDS_EXE);
        e->exe[PIDS_EXE - 1] = '\0';
    }
    mutex_unlock(&g_pids.lock);
    return e == NULL ? -ESRCH : 0;
}

int pids_describe(int32_t pid, struct pids_info *ret)
{
    const struct entry *e;

    mutex_lock(&g_pids.lock);
    e = find(pid);
    if (e != NULL) {
        *ret = (struct pids_info){
            .pid = e->pid,
            .ppid = e->parent == NULL ? 0 : e->parent->pid,
            .pgid = e->pgid,
            .sid = e->sid,
            .uid = e->uid,
            .euid = e->euid,
            .member = e->member,
            .state = e->zombie             ? 'Z'
                     : e->stop_signal != 0 ? 'T'
                                           : 'R',
            .status = e->status,
            .subreaper = e->subreaper,
            .serial = e->serial,
            .start_time = e->start_time,
            .utime = e->utime,
            .stime = e->stime,
            .command_size = e->command_size,
        };
        __builtin_memcpy(ret->comm, e->comm, sizeof(ret->comm));
        __builtin_memcpy(ret->command, e->command, sizeof(ret->command));
        __builtin_memcpy(ret->exe, e->exe, sizeof(ret->exe));
    }
    mutex_unlock(&g_pids.lock);
    return e == NULL ? -ESRCH : 0;
}

int32_t pids_next(int32_t pid)
{
    int32_t best = 0;

    mutex_lock(&g_pids.lock);
    list_for_each (it, &g_pids.all) {
        const struct entry *e = list_entry(it, struct entry, node);

        if (e->pid > pid && (best == 0 || e->pid < best)) {
            best = e->pid;
        }
    }
    mutex_unlock(&g_pids.lock);
    return best;
}
