/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/proc/family_process.h"

#include "libos/family/rpc.h"
#include "libos/fs/hooks.h"
#include "libos/lib/strbuf.h"
#include "libos/libos.h"
#include "libos/proc/pidfd.h"
#include "libos/proc/process.h"
#include "libos/proc/vfork.h"

/* Requests whose fields are not a structure of pids.h. */
struct move_request {
    int32_t pid;
    uint32_t member;
} _packed_;
struct exit_request {
    int32_t pid;
    uint32_t status;
    uint64_t utime, stime;
} _packed_;
struct stopped_request {
    int32_t pid;
    uint32_t signo;
} _packed_;
struct kill_request {
    int32_t caller, target;
    uint64_t serial;
    struct siginfo_kernel info;
} _packed_;
struct watch_request {
    int32_t pid;
    uint32_t reserved;
    uint64_t serial;
} _packed_;
struct setpgid_request {
    int32_t caller, pid, pgid;
} _packed_;
struct set_request {
    int32_t pid;
    uint32_t what;
    uint64_t value;
} _packed_;
struct signal_event {
    int32_t pid;
    struct siginfo_kernel info;
} _packed_;

_Static_assert(sizeof(struct pids_new) == 48 && sizeof(struct exit_request) == 24 &&
                   sizeof(struct pids_wait) == 20 && sizeof(struct kill_request) == 144 &&
                   sizeof(struct set_request) == 16 && sizeof(struct pids_name) == 448 &&
                   sizeof(struct signal_event) == 132 && sizeof(struct watch_request) == 16,
               "family/ops.tbl.h and events.tbl.h say so");

/* ---- in the owner ---- */

/* The request as a structure: its size was checked against the table. */
#define TAKE(q, type, name)                               \
    type name;                                            \
    if (cursor_copy(&(q)->body, &name, sizeof(name)) < 0) \
    return -EBADMSG

static int64_t answer(struct family_request *q, const void *p, size_t size, int64_t result)
{
    q->answer_size = MIN(size, q->cap);
    __builtin_memcpy(q->answer, p, q->answer_size);
    return result;
}

static int64_t serve_create(struct family_request *q)
{
    TAKE(q, struct pids_new, n);
    n.comm[PIDS_COMM - 1] = '\0';
    return pids_create(&n);
}

static int64_t serve_move(struct family_request *q)
{
    TAKE(q, struct move_request, r);
    return pids_move(r.pid, r.member);
}

static int64_t serve_abandon(struct family_request *q)
{
    TAKE(q, int32_t, pid);
    pids_abandon(pid);
    return 0;
}

static int64_t serve_exit(struct family_request *q)
{
    TAKE(q, struct exit_request, r);
    pids_exit(r.pid, r.status, r.utime, r.stime);
    return 0;
}

static int64_t serve_stopped(struct family_request *q)
{
    TAKE(q, struct stopped_request, r);
    pids_stopped(r.pid, r.signo);
    return 0;
}

static int64_t serve_wait(struct family_request *q)
{
    struct pids_waited waited;
    int r;

    TAKE(q, struct pids_wait, w);
    r = pids_wait(&w, &waited);
    return r == 1 ? answer(q, &waited, sizeof(waited), r) : r;
}

static int64_t serve_kill(struct family_request *q)
{
    TAKE(q, struct kill_request, r);
    return r.serial == 0 ? pids_kill(r.caller, r.target, &r.info)
                         : pids_kill_exact(r.caller, r.target, r.serial, &r.info);
}

static int64_t serve_watch(struct family_request *q)
{
    TAKE(q, struct watch_request, r);
    return pids_watch(q->member, r.pid, r.serial);
}

static int64_t serve_setpgid(struct family_request *q)
{
    TAKE(q, struct setpgid_request, r);
    return pids_setpgid(r.caller, r.pid, r.pgid);
}

static int64_t serve_setsid(struct family_request *q)
{
    TAKE(q, int32_t, caller);
    return pids_setsid(caller);
}

static int64_t serve_set(struct family_request *q)
{
    TAKE(q, struct set_request, r);
    return pids_set(r.pid, (enum pids_property)r.what, r.value);
}

static int64_t serve_rename(struct family_request *q)
{
    TAKE(q, struct pids_name, n);
    return pids_rename(&n);
}

static int64_t serve_describe(struct family_request *q)
{
    struct pids_info info;
    int r;

    TAKE(q, int32_t, pid);
    r = pids_describe(pid, &info);
    return r < 0 ? r : answer(q, &info, sizeof(info), 1);
}

static int64_t serve_next(struct family_request *q)
{
    TAKE(q, int32_t, pid);
    return pids_next(pid);
}

static void tell_signal(uint32_t member, int32_t pid, const struct siginfo_kernel *info)
{
    const struct signal_event e = {.pid = pid, .info = *info};

    /* A member that is not there any more has no process that could take it. */
    (void)!family_notify(member, FAMILY_EVENT_process_signal, &e, sizeof(e));
}

static void tell_child(uint32_t member, int32_t pid)
{
    (void)!family_notify(member, FAMILY_EVENT_process_child, &pid, sizeof(pid));
}

static void tell_ended(uint32_t member, int32_t pid, uint64_t serial)
{
    const struct watch_request e = {.pid = pid, .serial = serial};

    (void)!family_notify(member, FAMILY_EVENT_process_ended, &e, sizeof(e));
}

static void member_gone(uint32_t member, bool orderly)
{
    pids_member_gone(member);
}

/* ---- where the process is ---- */

static void take_signal(struct process *to, const void *arg)
{
    const struct siginfo_kernel *info = arg;

    (void)!signal_send_process(to, info->signo, info); /* a full queue: as in Linux */
}

static void hear_signal(const uint8_t *p, size_t size)
{
    struct signal_event e;

    __builtin_memcpy(&e, p, sizeof(e));
    if (e.info.signo != 0) {
        vfork_with_process(e.pid, take_signal, &e.info);
    }
}

static void take_child_news(struct process *to, const void *arg)
{
    (void)__atomic_add_fetch(&to->child_news, 1, __ATOMIC_ACQ_REL);
    waitq_wake_all(&to->child_waiters, 0);
}

static void hear_child(const uint8_t *p, size_t size)
{
    int32_t pid;

    __builtin_memcpy(&pid, p, sizeof(pid));
    vfork_with_process(pid, take_child_news, NULL);
}

static void hear_ended(const uint8_t *p, size_t size)
{
    struct watch_request e;

    __builtin_memcpy(&e, p, sizeof(e));
    pidfd_ended(e.pid, e.serial);
}

/* The first process ended or its host let it die: the container ends with it. */
static void owner_gone(void)
{
    process_vanish();
}

int family_process_init(void)
{
    static const struct pids_ears ears = {
        .signal = tell_signal, .child = tell_child, .ended = tell_ended};
    struct process *p = process_first();

    pids_init(&ears);
    family_serve(FAMILY_OP_process_create, serve_create);
    family_serve(FAMILY_OP_process_move, serve_move);
    family_serve(FAMILY_OP_process_abandon, serve_abandon);
    family_serve(FAMILY_OP_process_exit, serve_exit);
    family_serve(FAMILY_OP_process_stopped, serve_stopped);
    family_serve(FAMILY_OP_process_wait, serve_wait);
    family_serve(FAMILY_OP_process_kill, serve_kill);
    family_serve(FAMILY_OP_process_watch, serve_watch);
    family_serve(FAMILY_OP_process_setpgid, serve_setpgid);
    family_serve(FAMILY_OP_process_setsid, serve_setsid);
    family_serve(FAMILY_OP_process_set, serve_set);
    family_serve(FAMILY_OP_process_rename, serve_rename);
    family_serve(FAMILY_OP_process_describe, serve_describe);
    family_serve(FAMILY_OP_process_next, serve_next);
    family_hear(FAMILY_EVENT_process_signal, hear_signal);
    family_hear(FAMILY_EVENT_process_child, hear_child);
    family_hear(FAMILY_EVENT_process_ended, hear_ended);
    family_on_member_gone(member_gone);
    family_on_owner_gone(owner_gone);
    fs_hooks()->describe_process = family_process_describe;
    fs_hooks()->next_process = family_process_next;
    return pids_first(p->pid, p->comm);
}

void family_process_after_fork(void)
{
    pids_reset();
}

/* ---- asking ---- */

static int64_t ask(enum family_op op, const void *request, size_t size, void *ret, size_t cap)
{
    const struct channel_part part = {.p = request, .size = size};
    struct family_message m = {
        .op = op, .parts = &part, .part_count = 1, .answer = ret, .cap = cap, .steady = true};
    const int64_t r = family_exchange(&m);

    return r >= 0 && m.ret_size < cap && r != 0 ? -EBADMSG : r;
}

int32_t family_process_create(const struct pids_new *n)
{
    return (int32_t)ask(FAMILY_OP_process_create, n, sizeof(*n), NULL, 0);
}

int family_process_move(int32_t pid, uint32_t member)
{
    const struct move_request r = {.pid = pid, .member = member};

    return (int)ask(FAMILY_OP_process_move, &r, sizeof(r), NULL, 0);
}

void family_process_abandon(int32_t pid)
{
    (void)!ask(FAMILY_OP_process_abandon, &pid, sizeof(pid), NULL, 0);
}

void family_process_exit(int32_t pid, uint32_t status, uint64_t utime, uint64_t stime)
{
    const struct exit_request r = {.pid = pid, .status = status, .utime = utime, .stime = stime};

    (void)!ask(FAMILY_OP_process_exit, &r, sizeof(r), NULL, 0);
}

void family_process_stopped(int32_t pid, uint32_t signo)
{
    const struct stopped_request r = {.pid = pid, .signo = signo};

    (void)!ask(FAMILY_OP_process_stopped, &r, sizeof(r), NULL, 0);
}

int family_process_wait(const struct pids_wait *w, struct pids_waited *ret)
{
    return (int)ask(FAMILY_OP_process_wait, w, sizeof(*w), ret, sizeof(*ret));
}

int family_process_kill(int32_t caller, int32_t target, const struct siginfo_kernel *info)
{
    const struct kill_request r = {.caller = caller, .target = target, .info = *info};

    return (int)ask(FAMILY_OP_process_kill, &r, sizeof(r), NULL, 0);
}

int family_process_kill_exact(int32_t caller, int32_t pid, uint64_t serial,
                              const struct siginfo_kernel *info)
{
    const struct kill_request r = {
        .caller = caller, .target = pid, .serial = serial, .info = *info};

    return (int)ask(FAMILY_OP_process_kill, &r, sizeof(r), NULL, 0);
}

int family_process_watch(int32_t pid, uint64_t serial)
{
    const struct watch_request r = {.pid = pid, .serial = serial};

    return (int)ask(FAMILY_OP_process_watch, &r, sizeof(r), NULL, 0);
}

int family_process_setpgid(int32_t caller, int32_t pid, int32_t pgid)
{
    const struct setpgid_request r = {.caller = caller, .pid = pid, .pgid = pgid};

    return (int)ask(FAMILY_OP_process_setpgid, &r, sizeof(r), NULL, 0);
}

int32_t family_process_setsid(int32_t caller)
{
    return (int32_t)ask(FAMILY_OP_process_setsid, &caller, sizeof(caller), NULL, 0);
}

int family_process_set(int32_t pid, enum pids_property what, uint64_t value)
{
    const struct set_request r = {.pid = pid, .what = what, .value = value};

    return (int)ask(FAMILY_OP_process_set, &r, sizeof(r), NULL, 0);
}

void family_process_show(const struct process *p)
{
    struct pids_name n = {.pid = p->pid};
    struct strbuf command = {0};

    __builtin_memcpy(n.comm, p->comm, sizeof(n.comm));
    if (fs_hooks()->cmdline != NULL && fs_hooks()->cmdline(&command) == 0) {
        n.command_size = (uint32_t)MIN(command.len, sizeof(n.command));
        __builtin_memcpy(n.command, command.s, n.command_size);
    }
    strbuf_free(&command);
    if (p->exe_path != NULL && __builtin_strlen(p->exe_path) < sizeof(n.exe)) {
        __builtin_memcpy(n.exe, p->exe_path, __builtin_strlen(p->exe_path));
    }
    (void)!ask(FAMILY_OP_process_rename, &n, sizeof(n), NULL, 0);
}

int family_process_describe(int32_t pid, struct pids_info *ret)
{
    return (int)MIN(ask(FAMILY_OP_process_describe, &pid, sizeof(pid), ret, sizeof(*ret)), 0);
}

int32_t family_process_next(int32_t pid)
{
    return (int32_t)ask(FAMILY_OP_process_next, &pid, sizeof(pid), NULL, 0);
}
