/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* /proc/PID and /proc/PID/task/TID. arg: the process's pid, or a thread's tid. */

#include <linux/magic.h>

#include "libos/fs/epoll.h"
#include "libos/fs/fd_table.h"
#include "libos/fs/fs_context.h"
#include "libos/fs/hooks.h"
#include "libos/fs/mount.h"
#include "libos/fs/names.h"
#include "libos/fs/procfs/procfs.h"
#include "libos/lib/str.h"
#include "libos/mm/kmem.h"
#include "libos/proc/pids.h"
#include "libos/proc/thread.h"
#include "libos/signal/signal.h"
#include "libos/sys/limits.h"
#include "libos/time/clock.h"

/* Calls f on the thread with this tid (or the first, for the pid) while the list is locked. */
static int with_thread(uint64_t tid, void (*f)(struct thread *t, void *arg), void *arg)
{
    struct process *p = process_current();
    struct thread *found = NULL;

    mutex_lock(&p->threads_lock);
    list_for_each (it, &p->threads) {
        struct thread *t = list_entry(it, struct thread, node);

        if ((uint64_t)t->tid == tid) {
            found = t;
            break;
        }
    }
    if (found != NULL) {
        f(found, arg);
    }
    mutex_unlock(&p->threads_lock);
    return found == NULL ? -ESRCH : 0;
}

static void copy_comm(struct thread *t, void *arg)
{
    str_copy(arg, sizeof(t->comm), t->comm);
}

static void get_comm(uint64_t tid, char comm[static 16])
{
    str_copy(comm, 16, process_current()->comm);
    (void)with_thread(tid, copy_comm, comm);
}

static int show_comm(uint64_t arg, struct strbuf *out)
{
    char comm[16];

    get_comm(arg, comm);
    strbuf_printf(out, "%s\n", comm);
    return 0;
}

static void set_comm(struct thread *t, void *arg)
{
    str_copy(t->comm, sizeof(t->comm), arg);
}

static int store_comm(uint64_t arg, const char *text, size_t len)
{
    char comm[16];

    str_copy(comm, sizeof(comm), text);
    return with_thread(arg, set_comm, comm);
}

static void sizes(uint64_t *virt, uint64_t *res, uint64_t *data)
{
    *virt = *res = *data = 0;
    if (fs_hooks()->memory_sizes != NULL) {
        fs_hooks()->memory_sizes(virt, res, data);
    }
}

static void copy_sets(struct thread *t, void *arg)
{
    signal_get_sets(t, arg);
}

/* The table knows who took the place of a parent that ended. */
static int32_t parent_of(const struct process *p)
{
    struct pids_info i;

    return fs_hooks()->describe_process != NULL && fs_hooks()->describe_process(p->pid, &i) == 0
               ? i.ppid
               : p->ppid;
}

static int show_status(uint64_t arg, struct strbuf *out)
{
    const struct process *p = process_current();
    struct signal_sets sets = {0};
    uint64_t virt;
    uint64_t res;
    uint64_t data;
    char comm[16];

    get_comm(arg, comm);
    sizes(&virt, &res, &data);
    (void)with_thread(arg, copy_sets, &sets);
    strbuf_printf(out, "Name:\t%s\nUmask:\t%04o\nState:\tR (running)\nTgid:\t%d\nNgid:\t0\n", comm,
                  fs_umask(), p->pid);
    strbuf_printf(out, "Pid:\t%lu\nPPid:\t%d\nTracerPid:\t0\n", arg, parent_of(p));
    strbuf_printf(out, "Uid:\t%u\t%u\t%u\t%u\n", p->uid, p->euid, p->suid, p->fsuid);
    strbuf_printf(out, "Gid:\t%u\t%u\t%u\t%u\n", p->gid, p->egid, p->sgid, p->fsgid);
    strbuf_printf(out, "FDSize:\t%zu\nGroups:\t", fd_table_size(p->files));
    if (fs_hooks()->format_groups != NULL) {
        fs_hooks()->format_groups(out);
    }
    strbuf_printf(out, " \nNStgid:\t%d\nNSpid:\t%lu\n", p->pid, arg);
    strbuf_printf(out,
                  "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t       0 kB\nVmPin:\t       0 kB\n"
                  "VmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\nRssAnon:\t%8lu kB\nRssFile:\t       0 kB\n"
                  "RssShmem:\t       0 kB\nVmData:\t%8lu kB\nVmStk:\t     132 kB\n"
                  "VmSwap:\t       0 kB\n",
                  virt * 4, virt * 4, res * 4, res * 4, res * 4, data * 4);
    strbuf_printf(out, "Threads:\t%zu\nSigQ:\t0/65536\nSigPnd:\t%016lx\nShdPnd:\t%016lx\n",
                  p->thread_count, sets.pending, sets.shared_pending);
    strbuf_printf(out, "SigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n", sets.blocked,
                  sets.ignored, sets.caught);
    if (fs_hooks()->format_privileges != NULL) {
        fs_hooks()->format_privileges(out);
    }
    strbuf_puts(out, "Seccomp:\t0\nSeccomp_filters:\t0\n");
    strbuf_printf(out,
                  "Cpus_allowed:\t%x\nCpus_allowed_list:\t0-%u\nMems_allowed:\t1\n"
                  "Mems_allowed_list:\t0\nvoluntary_ctxt_switches:\t0\n"
                  "nonvoluntary_ctxt_switches:\t0\n",
                  procfs_cpus() >= 32 ? UINT32_MAX : (1u << procfs_cpus()) - 1, procfs_cpus() - 1);
    return 0;
}

static int show_stat(uint64_t arg, struct strbuf *out)
{
    const struct process *p = process_current();
    uint64_t user = 0;
    uint64_t system = 0;
    uint64_t virt;
    uint64_t res;
    uint64_t data;
    char comm[16];

    struct pids_info where = {.ppid = p->ppid, .pgid = p->pid, .sid = p->pid};

    get_comm(arg, comm);
    sizes(&virt, &res, &data);
    if (fs_hooks()->describe_process != NULL) {
        (void)fs_hooks()->describe_process(p->pid, &where);
    }
    if (fs_hooks()->cpu_times != NULL) {
        fs_hooks()->cpu_times(&user, &system);
    }
    strbuf_printf(out, "%lu (%s) R %d %d %d 0 -1 4194304 0 0 0 0 %lu %lu 0 0 20 0 %zu 0 ", arg,
                  comm, where.ppid, where.pgid, where.sid, user / 10000000u, system / 10000000u,
                  p->thread_count);
    strbuf_printf(out,
                  "%lu %lu %lu 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 "
                  "0 0 0 0\n",
                  p->start_time / 10000000u, virt * 4096, res);
    return 0;
}

static int show_statm(uint64_t arg, struct strbuf *out)
{
    uint64_t virt;
    uint64_t res;
    uint64_t data;

    sizes(&virt, &res, &data);
    strbuf_printf(out, "%lu %lu 0 0 0 %lu 0\n", virt, res, data);
    return 0;
}

static int by_hook(int (*hook)(struct strbuf *), struct strbuf *out)
{
    return hook == NULL ? 0 : hook(out);
}

static int show_cmdline(uint64_t arg, struct strbuf *out)
{
    return by_hook(fs_hooks()->cmdline, out);
}

static int show_environ(uint64_t arg, struct strbuf *out)
{
    return by_hook(fs_hooks()->environ, out);
}

static int show_auxv(uint64_t arg, struct strbuf *out)
{
    return by_hook(fs_hooks()->auxv, out);
}

static int show_maps(uint64_t arg, struct strbuf *out)
{
    return fs_hooks()->format_maps == NULL ? 0 : fs_hooks()->format_maps(out, /*smaps=*/false);
}

static int show_smaps(uint64_t arg, struct strbuf *out)
{
    return fs_hooks()->format_maps == NULL ? 0 : fs_hooks()->format_maps(out, /*smaps=*/true);
}

static int show_smaps_rollup(uint64_t arg, struct strbuf *out)
{
    uint64_t virt;
    uint64_t res;
    uint64_t data;

    sizes(&virt, &res, &data);
    strbuf_printf(out,
                  "00010000-7ffff000 ---p 00000000 00:00 0 [rollup]\nRss: %lu kB\nPss: %lu kB\n"
                  "Private_Dirty: %lu kB\nSwap: 0 kB\n",
                  res * 4, res * 4, res * 4);
    return 0;
}

/* ---- links to objects ---- */

static int magic_cwd(uint64_t arg, struct path *ret)
{
    fs_get_cwd(ret);
    return 0;
}

static int magic_root(uint64_t arg, struct path *ret)
{
    fs_get_root(ret);
    return 0;
}

static int magic_exe(uint64_t arg, struct path *ret)
{
    const struct file *f = process_current()->exe_file;
    const char *exe = process_current()->exe_path;

    if (f != NULL) {
        *ret = f->path;
        path_get(ret);
        return 0;
    }
    if (exe == NULL) {
        return -ENOENT;
    }
    return path_lookup(AT_FDCWD, exe, LOOKUP_FOLLOW, ret);
}

static int magic_fd(uint64_t arg, struct path *ret)
{
    _cleanup_file_ struct file *f = fd_get_path((int)arg);

    if (f == NULL) {
        return -ENOENT;
    }
    *ret = f->path;
    path_get(ret);
    return 0;
}

static int show_fdinfo(uint64_t arg, struct strbuf *out)
{
    _cleanup_file_ struct file *f = fd_get_path((int)arg);

    if (f == NULL) {
        return -ENOENT;
    }
    int cloexec = fd_get_cloexec((int)arg);

    strbuf_printf(out, "pos:\t%lu\nflags:\t0%o\nmnt_id:\t%d\nino:\t%lu\n", f->pos,
                  f->flags | (cloexec > 0 ? (uint32_t)O_CLOEXEC : 0),
                  f->path.mnt == NULL ? 0 : f->path.mnt->id, f->inode->ino);
    if (f->ops->fdinfo != NULL) {
        f->ops->fdinfo(f, out);
    }
    return 0;
}

static const struct pseudo_entry g_fd_link = {.mode = S_IFLNK | 0700, .magic = magic_fd};
static const struct pseudo_entry g_fdinfo_file = {.mode = S_IFREG | 0444, .show = show_fdinfo};

static int find_number(const struct qstr *name, uint64_t *ret)
{
    uint64_t n = 0;

    if (!str_to_u64(name->s, name->len, &n) || n > INT32_MAX) {
        return -ENOENT;
    }
    _cleanup_file_ struct file *f = fd_get_path((int)n);

    *ret = n;
    return f == NULL ? -ENOENT : 0;
}

static int find_fd(uint64_t arg, const struct qstr *name, const struct pseudo_entry **ret,
                   uint64_t *ret_arg)
{
    *ret = &g_fd_link;
    return find_number(name, ret_arg);
}

static int find_fdinfo(uint64_t arg, const struct qstr *name, const struct pseudo_entry **ret,
                       uint64_t *ret_arg)
{
    *ret = &g_fdinfo_file;
    return find_number(name, ret_arg);
}

static int list_fds(uint64_t arg, struct dir_context *ctx)
{
    int fd = ctx->pos > 1000 ? (int)(ctx->pos - 1000) : 0;
    struct file *f = NULL;

    while ((fd = fd_next(fd, &f)) >= 0) {
        char name[16];

        file_put(f);
        (void)kprintf(name, sizeof(name), "%d", fd);
        if (!pseudo_emit(ctx, name, arg == 0 ? DT_REG : DT_LNK, 1000 + (uint64_t)fd)) {
            return 0;
        }
        fd++;
    }
    return 0;
}

/* ---- task ---- */

static const struct pseudo_entry g_task_dir = {.mode = S_IFDIR | 0555, .entries = procfs_self};

static void nothing(struct thread *t, void *arg)
{
}

static int find_task(uint64_t arg, const struct qstr *name, const struct pseudo_entry **ret,
                     uint64_t *ret_arg)
{
    if (!str_to_u64(name->s, name->len, ret_arg) || with_thread(*ret_arg, nothing, NULL) < 0) {
        return -ENOENT;
    }
    *ret = &g_task_dir;
    return 0;
}

/* Cookies are the tids: a thread that ends between two reads leaves the others' places alone. */
static int list_tasks(uint64_t arg, struct dir_context *ctx)
{
    struct process *p = process_current();
    uint64_t after = ctx->pos > 1000 ? ctx->pos - 1000 : 0;

    for (;;) {
        uint64_t next = UINT64_MAX;
        char name[16];

        mutex_lock(&p->threads_lock);
        list_for_each (it, &p->threads) {
            uint64_t tid = (uint64_t)list_entry(it, struct thread, node)->tid;

            if (tid >= after && tid < next) {
                next = tid;
            }
        }
        mutex_unlock(&p->threads_lock);
        if (next == UINT64_MAX) {
            return 0;
        }
        (void)kprintf(name, sizeof(name), "%lu", next);
        if (!pseudo_emit(ctx, name, DT_DIR, 1000 + next)) {
            return 0;
        }
        after = next + 1;
    }
}

/* ---- mounts ---- */

static void flags_text(const struct mount *m, struct strbuf *out)
{
    uint32_t flags = m->flags | m->sb->flags;

    strbuf_puts(out, (flags & SB_RDONLY) != 0 ? "ro" : "rw");
    strbuf_puts(out, (flags & SB_NOSUID) != 0 ? ",nosuid" : "");
    strbuf_puts(out, (flags & SB_NODEV) != 0 ? ",nodev" : "");
    strbuf_puts(out, (flags & SB_NOEXEC) != 0 ? ",noexec" : "");
    strbuf_puts(out, ",relatime");
}

static char *mount_text(const struct mount *m, char *buf, size_t size)
{
    struct path at = {.mnt = (struct mount *)(uintptr_t)m, .dentry = m->root};
    struct path root;
    char *text = NULL;

    fs_get_root(&root);
    int r = path_text(&at, &root, /*strict=*/false, buf, size, &text);

    path_put(&root);
    return r < 0 ? NULL : text;
}

struct mount_show {
    struct strbuf *out;
    char *buf;
};

static void one_mount(const struct mount *m, void *arg)
{
    struct mount_show *s = arg;
    const char *where = mount_text(m, s->buf, PATH_MAX);

    if (where != NULL) {
        strbuf_printf(s->out, "%s %s %s ", m->source, where, m->sb->type);
        flags_text(m, s->out);
        strbuf_puts(s->out, " 0 0\n");
    }
}

static void one_mountinfo(const struct mount *m, void *arg)
{
    struct mount_show *s = arg;
    const char *where = mount_text(m, s->buf, PATH_MAX);

    if (where != NULL) {
        strbuf_printf(s->out, "%d %d %lu:%lu / %s ", m->id, m->parent == NULL ? 1 : m->parent->id,
                      m->sb->dev >> 8, m->sb->dev & 0xff, where);
        flags_text(m, s->out);
        strbuf_printf(s->out, " - %s %s %s\n", m->sb->type, m->source,
                      (m->sb->flags & SB_RDONLY) != 0 ? "ro" : "rw");
    }
}

static int show_with(void (*f)(const struct mount *, void *), struct strbuf *out)
{
    struct mount_show s = {.out = out, .buf = kmalloc(PATH_MAX)};

    if (s.buf == NULL) {
        return -ENOMEM;
    }
    mount_for_each(f, &s);
    kfree(s.buf);
    return 0;
}

static int show_mounts(uint64_t arg, struct strbuf *out)
{
    return show_with(one_mount, out);
}

static int show_mountinfo(uint64_t arg, struct strbuf *out)
{
    return show_with(one_mountinfo, out);
}

/* ---- the rest ---- */

static int show_limits(uint64_t arg, struct strbuf *out)
{
    static const struct {
        const char *name;
        const char *unit;
    } rows[16] = {
        {"Max cpu time", "seconds"},     {"Max file size", "bytes"},
        {"Max data size", "bytes"},      {"Max stack size", "bytes"},
        {"Max core file size", "bytes"}, {"Max resident set", "bytes"},
        {"Max processes", "processes"},  {"Max open files", "files"},
        {"Max locked memory", "bytes"},  {"Max address space", "bytes"},
        {"Max file locks", "locks"},     {"Max pending signals", "signals"},
        {"Max msgqueue size", "bytes"},  {"Max nice priority", ""},
        {"Max realtime priority", ""},   {"Max realtime timeout", "us"},
    };

    strbuf_printf(out, "%s%s%s%s\n", "Limit                     ", "Soft Limit           ",
                  "Hard Limit           ", "Units     ");
    for (int i = 0; i < 16; i++) {
        const uint64_t v[2] = {limit_current(i), limit_maximum(i)};

        size_t start = out->len;

        strbuf_puts(out, rows[i].name);
        for (int k = 0; k < 2; k++) {
            while (!out->failed && out->len - start < 26u + (size_t)k * 21u) {
                strbuf_puts(out, " ");
            }
            if (v[k] == UINT64_MAX) {
                strbuf_puts(out, "unlimited");
            } else {
                strbuf_printf(out, "%lu", v[k]);
            }
        }
        while (!out->failed && out->len - start < 68) {
            strbuf_puts(out, " ");
        }
        strbuf_printf(out, "%s\n", rows[i].unit);
    }
    return 0;
}

static int show_cgroup(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "0::/\n");
    return 0;
}

static int32_t g_oom_score_adj;

static int show_oom_adj(uint64_t arg, struct strbuf *out)
{
    strbuf_printf(out, "%d\n", g_oom_score_adj);
    return 0;
}

static int store_oom_adj(uint64_t arg, const char *text, size_t len)
{
    bool negative = len > 0 && text[0] == '-';
    uint64_t v = 0;

    if (!str_to_u64(text + (negative ? 1 : 0), len - (negative ? 1 : 0), &v) || v > 1000) {
        return -EINVAL;
    }
    g_oom_score_adj = negative ? -(int32_t)v : (int32_t)v;
    return 0;
}

static int show_zero(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "0\n");
    return 0;
}

static int show_io(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\n"
                     "cancelled_write_bytes: 0\n");
    return 0;
}

static int show_personality(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "00000000\n");
    return 0;
}

static int show_id_map(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "         0          0 4294967295\n");
    return 0;
}

static int show_setgroups(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "allow\n");
    return 0;
}

const struct pseudo_entry procfs_self[] = {
    {.name = "auxv", .mode = S_IFREG | 0400, .show = show_auxv},
    {.name = "cgroup", .mode = S_IFREG | 0444, .show = show_cgroup},
    {.name = "cmdline", .mode = S_IFREG | 0444, .show = show_cmdline},
    {.name = "comm", .mode = S_IFREG | 0644, .show = show_comm, .store = store_comm},
    {.name = "cwd", .mode = S_IFLNK | 0777, .magic = magic_cwd},
    {.name = "environ", .mode = S_IFREG | 0400, .show = show_environ},
    {.name = "exe", .mode = S_IFLNK | 0777, .magic = magic_exe},
    {.name = "fd", .mode = S_IFDIR | 0500, .find = find_fd, .list = list_fds},
    {.name = "fdinfo", .mode = S_IFDIR | 0555, .find = find_fdinfo, .list = list_fds},
    {.name = "gid_map", .mode = S_IFREG | 0644, .show = show_id_map},
    {.name = "io", .mode = S_IFREG | 0400, .show = show_io},
    {.name = "limits", .mode = S_IFREG | 0444, .show = show_limits},
    {.name = "maps", .mode = S_IFREG | 0444, .show = show_maps},
    {.name = "mountinfo", .mode = S_IFREG | 0444, .show = show_mountinfo},
    {.name = "mounts", .mode = S_IFREG | 0444, .show = show_mounts},
    {.name = "net", .mode = S_IFDIR | 0555, .entries = procfs_net},
    {.name = "oom_adj", .mode = S_IFREG | 0644, .show = show_zero, .store = store_oom_adj},
    {.name = "oom_score", .mode = S_IFREG | 0444, .show = show_zero},
    {.name = "oom_score_adj", .mode = S_IFREG | 0644, .show = show_oom_adj, .store = store_oom_adj},
    {.name = "personality", .mode = S_IFREG | 0400, .show = show_personality},
    {.name = "root", .mode = S_IFLNK | 0777, .magic = magic_root},
    {.name = "setgroups", .mode = S_IFREG | 0644, .show = show_setgroups},
    {.name = "smaps", .mode = S_IFREG | 0444, .show = show_smaps},
    {.name = "smaps_rollup", .mode = S_IFREG | 0444, .show = show_smaps_rollup},
    {.name = "stat", .mode = S_IFREG | 0444, .show = show_stat},
    {.name = "statm", .mode = S_IFREG | 0444, .show = show_statm},
    {.name = "status", .mode = S_IFREG | 0444, .show = show_status},
    {.name = "task", .mode = S_IFDIR | 0555, .find = find_task, .list = list_tasks},
    {.name = "uid_map", .mode = S_IFREG | 0644, .show = show_id_map},
    {0},
};
