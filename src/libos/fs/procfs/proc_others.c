/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* /proc/PID of the other processes: what ps, pgrep and pid files ask for. Sizes of memory and
 * descriptors are known in their own enclaves only, and zero here. */

#include "libos/fs/hooks.h"
#include "libos/fs/procfs/procfs.h"
#include "libos/proc/pids.h"
#include "libos/proc/thread.h"

#define TICK 10000000u /* ns in 1/100 s */

static int describe(uint64_t pid, struct pids_info *ret)
{
    const struct fs_hooks *hooks = fs_hooks();

    return hooks->describe_process == NULL ? -ESRCH : hooks->describe_process((int32_t)pid, ret);
}

static const char *state_text(uint32_t state)
{
    switch (state) {
    case 'Z': return "Z (zombie)";
    case 'T': return "T (stopped)";
    default: return "R (running)";
    }
}

static int show_status(uint64_t arg, struct strbuf *out)
{
    struct pids_info i;
    const int r = describe(arg, &i);

    if (r < 0) {
        return r;
    }
    strbuf_printf(out, "Name:\t%s\nState:\t%s\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n",
                  i.comm, state_text(i.state), i.pid, i.pid, i.ppid);
    strbuf_printf(out, "Uid:\t%u\t%u\t%u\t%u\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", i.uid, i.euid,
                  i.euid, i.euid, i.pid, i.pgid, i.sid);
    strbuf_puts(out, "Threads:\t1\n");
    return 0;
}

static int show_stat(uint64_t arg, struct strbuf *out)
{
    struct pids_info i;
    const int r = describe(arg, &i);

    if (r < 0) {
        return r;
    }
    strbuf_printf(out, "%d (%s) %c %d %d %d 0 -1 4194304 0 0 0 0 %lu %lu 0 0 20 0 1 0 ", i.pid,
                  i.comm, (char)i.state, i.ppid, i.pgid, i.sid, i.utime / TICK, i.stime / TICK);
    strbuf_printf(out,
                  "%lu 0 0 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 "
                  "0 0 0 %u\n",
                  i.start_time / TICK, i.state == 'Z' ? i.status : 0);
    return 0;
}

static int show_statm(uint64_t arg, struct strbuf *out)
{
    struct pids_info i;
    const int r = describe(arg, &i);

    if (r == 0) {
        strbuf_puts(out, "0 0 0 0 0 0 0\n");
    }
    return r;
}

static int show_comm(uint64_t arg, struct strbuf *out)
{
    struct pids_info i;
    const int r = describe(arg, &i);

    if (r == 0) {
        strbuf_printf(out, "%s\n", i.comm);
    }
    return r;
}

static int show_cmdline(uint64_t arg, struct strbuf *out)
{
    struct pids_info i;
    const int r = describe(arg, &i);

    if (r == 0 && i.state != 'Z') {
        strbuf_add(out, i.command, MIN((size_t)i.command_size, sizeof(i.command)));
    }
    return r;
}

/* Who may look into a process: root, and its user. The path is the same for all, as the family has
 * one tree. */
static int link_exe(uint64_t arg, struct strbuf *out)
{
    const struct process *p = process_current();
    struct pids_info i;
    const int r = describe(arg, &i);

    if (r < 0 || i.state == 'Z') {
        return r < 0 ? r : -ENOENT;
    }
    if (p->euid != 0 && p->euid != i.uid) {
        return -EACCES;
    }
    strbuf_puts(out, i.exe);
    return i.exe[0] == '\0' ? -EACCES : 0;
}

static const struct pseudo_entry g_nothing[] = {{0}};

/* Memory, descriptors and environment are state of another enclave, which shows them to nobody. */
static int refuse(uint64_t arg, struct strbuf *out)
{
    return -EACCES;
}

static int refuse_open(uint64_t arg)
{
    return -EACCES;
}

static int refuse_list(uint64_t arg, struct dir_context *ctx)
{
    return -EACCES;
}

static const struct pseudo_entry g_files[] = {
    {.name = "status", .mode = S_IFREG | 0444, .show = show_status},
    {.name = "stat", .mode = S_IFREG | 0444, .show = show_stat},
    {.name = "statm", .mode = S_IFREG | 0444, .show = show_statm},
    {.name = "comm", .mode = S_IFREG | 0444, .show = show_comm},
    {.name = "cmdline", .mode = S_IFREG | 0444, .show = show_cmdline},
    {.name = "exe", .mode = S_IFLNK | 0777, .link = link_exe},
    {.name = "cwd", .mode = S_IFLNK | 0777, .link = refuse},
    {.name = "root", .mode = S_IFLNK | 0777, .link = refuse},
    {.name = "environ", .mode = S_IFREG | 0400, .show = refuse, .check_open = refuse_open},
    {.name = "maps", .mode = S_IFREG | 0444, .show = refuse, .check_open = refuse_open},
    {.name = "smaps", .mode = S_IFREG | 0444, .show = refuse, .check_open = refuse_open},
    {.name = "mem", .mode = S_IFREG | 0600, .show = refuse, .check_open = refuse_open},
    {.name = "fd", .mode = S_IFDIR | 0500, .entries = g_nothing, .list = refuse_list},
    {.name = "fdinfo", .mode = S_IFDIR | 0500, .entries = g_nothing, .list = refuse_list},
    {0},
};

static const struct pseudo_entry g_other_dir = {.mode = S_IFDIR | 0555, .entries = g_files};

int procfs_find_other(int32_t pid, const struct pseudo_entry **ret)
{
    struct pids_info i;

    if (pid <= 0 || describe((uint64_t)pid, &i) < 0) {
        return -ENOENT;
    }
    *ret = &g_other_dir;
    return 0;
}
