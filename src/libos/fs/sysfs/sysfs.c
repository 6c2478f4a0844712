/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/fs/sysfs/sysfs.h"

#include <linux/magic.h>

#include "libos/fs/hooks.h"
#include "libos/fs/memfs/memfs.h"
#include "libos/fs/procfs/procfs.h"
#include "libos/fs/pseudo.h"
#include "libos/lib/str.h"

static int show_cpu_range(uint64_t arg, struct strbuf *out)
{
    uint32_t n = procfs_cpus();

    if (n == 1) {
        strbuf_puts(out, "0\n");
    } else {
        strbuf_printf(out, "0-%u\n", n - 1);
    }
    return 0;
}

static int show_empty_line(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "\n");
    return 0;
}

static int show_kernel_max(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "8191\n");
    return 0;
}

/* arg: processor + 1 */
static int show_one(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "1\n");
    return 0;
}

static int show_zero(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "0\n");
    return 0;
}

static int show_own_number(uint64_t arg, struct strbuf *out)
{
    strbuf_printf(out, "%lu\n", arg - 1);
    return 0;
}

/* Processors as the kernel prints a mask of them: groups of 32 from the highest, the first no wider
 * than it must be. `own`: only this one, else all. */
static void put_mask(struct strbuf *out, bool all, uint64_t own)
{
    const uint32_t cpus = procfs_cpus();

    for (uint32_t group = (cpus + 31) / 32; group-- > 0;) {
        const uint32_t first = group * 32;
        const uint32_t bits = MIN(cpus - first, 32u);
        uint32_t word = all ? UINT32_MAX >> (32 - bits) : 0;

        if (!all && own / 32 == group) {
            word = 1u << (own % 32);
        }
        for (uint32_t digit = (bits + 3) / 4; digit-- > 0;) {
            strbuf_printf(out, "%x", (word >> (4 * digit)) & 0xf);
        }
        strbuf_puts(out, group == 0 ? "\n" : ",");
    }
}

static int show_own_mask(uint64_t arg, struct strbuf *out)
{
    put_mask(out, /*all=*/false, arg - 1);
    return 0;
}

static int show_all_mask(uint64_t arg, struct strbuf *out)
{
    put_mask(out, /*all=*/true, 0);
    return 0;
}

/* One package of cores with a thread each: what the host says of its processors is not asked for.
 * lscpu takes every file of this directory for granted once there is one. */
static const struct pseudo_entry g_topology[] = {
    {.name = "physical_package_id", .mode = S_IFREG | 0444, .show = show_zero},
    {.name = "die_id", .mode = S_IFREG | 0444, .show = show_zero},
    {.name = "core_id", .mode = S_IFREG | 0444, .show = show_own_number},
    {.name = "core_cpus", .mode = S_IFREG | 0444, .show = show_own_mask},
    {.name = "core_cpus_list", .mode = S_IFREG | 0444, .show = show_own_number},
    {.name = "thread_siblings", .mode = S_IFREG | 0444, .show = show_own_mask},
    {.name = "thread_siblings_list", .mode = S_IFREG | 0444, .show = show_own_number},
    {.name = "core_siblings", .mode = S_IFREG | 0444, .show = show_all_mask},
    {.name = "core_siblings_list", .mode = S_IFREG | 0444, .show = show_cpu_range},
    {.name = "die_cpus", .mode = S_IFREG | 0444, .show = show_all_mask},
    {.name = "die_cpus_list", .mode = S_IFREG | 0444, .show = show_cpu_range},
    {.name = "package_cpus", .mode = S_IFREG | 0444, .show = show_all_mask},
    {.name = "package_cpus_list", .mode = S_IFREG | 0444, .show = show_cpu_range},
    {0},
};

static const struct pseudo_entry g_one_cpu[] = {
    {.name = "online", .mode = S_IFREG | 0444, .show = show_one},
    {.name = "topology", .mode = S_IFDIR | 0555, .entries = g_topology},
    {0},
};

static const struct pseudo_entry g_cpu_dir = {.mode = S_IFDIR | 0555, .entries = g_one_cpu};

static int find_cpu(uint64_t arg, const struct qstr *name, const struct pseudo_entry **ret,
                    uint64_t *ret_arg)
{
    uint64_t n = 0;

    if (name->len < 4 || __builtin_memcmp(name->s, "cpu", 3) != 0 ||
        !str_to_u64(name->s + 3, name->len - 3, &n) || n >= procfs_cpus()) {
        return -ENOENT;
    }
    *ret = &g_cpu_dir;
    *ret_arg = n + 1;
    return 0;
}

static int list_cpus(uint64_t arg, struct dir_context *ctx)
{
    for (uint32_t i = 0; i < procfs_cpus(); i++) {
        char name[16];

        (void)kprintf(name, sizeof(name), "cpu%u", i);
        if (!pseudo_emit(ctx, name, DT_DIR, 1000 + i)) {
            return 0;
        }
    }
    return 0;
}

static const struct pseudo_entry g_cpu[] = {
    {.name = "online", .mode = S_IFREG | 0444, .show = show_cpu_range},
    {.name = "possible", .mode = S_IFREG | 0444, .show = show_cpu_range},
    {.name = "present", .mode = S_IFREG | 0444, .show = show_cpu_range},
    {.name = "offline", .mode = S_IFREG | 0444, .show = show_empty_line},
    {.name = "isolated", .mode = S_IFREG | 0444, .show = show_empty_line},
    {.name = "kernel_max", .mode = S_IFREG | 0444, .show = show_kernel_max},
    {0},
};

static const struct pseudo_entry g_node0[] = {
    {.name = "cpulist", .mode = S_IFREG | 0444, .show = show_cpu_range},
    {.name = "cpumap", .mode = S_IFREG | 0444, .show = show_all_mask},
    {0},
};

static const struct pseudo_entry g_node[] = {
    {.name = "online", .mode = S_IFREG | 0444, .show = show_zero},
    {.name = "possible", .mode = S_IFREG | 0444, .show = show_zero},
    {.name = "node0", .mode = S_IFDIR | 0555, .entries = g_node0},
    {0},
};

static const struct pseudo_entry g_system[] = {
    {.name = "cpu", .mode = S_IFDIR | 0555, .entries = g_cpu, .find = find_cpu, .list = list_cpus},
    {.name = "node", .mode = S_IFDIR | 0555, .entries = g_node},
    {0},
};

static const struct pseudo_entry g_devices[] = {
    {.name = "system", .mode = S_IFDIR | 0555, .entries = g_system},
    {0},
};

/* ---- cgroup v2 ---- */

static int show_memory_max(uint64_t arg, struct strbuf *out)
{
    if (procfs_memory_limit() == 0) {
        strbuf_puts(out, "max\n");
    } else {
        strbuf_printf(out, "%lu\n", procfs_memory_limit());
    }
    return 0;
}

static int show_max(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "max\n");
    return 0;
}

static int show_memory_current(uint64_t arg, struct strbuf *out)
{
    strbuf_printf(out, "%lu\n", procfs_memory_used());
    return 0;
}

/* As many processors as are shown, in the form "quota period". */
static int show_cpu_max(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "max 100000\n");
    return 0;
}

static int show_controllers(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "cpu memory pids\n");
    return 0;
}

static int show_cgroup_procs(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "1\n");
    return 0;
}

static const struct pseudo_entry g_cgroup[] = {
    {.name = "cgroup.controllers", .mode = S_IFREG | 0444, .show = show_controllers},
    {.name = "cgroup.procs", .mode = S_IFREG | 0444, .show = show_cgroup_procs},
    {.name = "memory.max", .mode = S_IFREG | 0444, .show = show_memory_max},
    {.name = "memory.high", .mode = S_IFREG | 0444, .show = show_max},
    {.name = "memory.current", .mode = S_IFREG | 0444, .show = show_memory_current},
    {.name = "memory.swap.max", .mode = S_IFREG | 0444, .show = show_zero},
    {.name = "cpu.max", .mode = S_IFREG | 0444, .show = show_cpu_max},
    {.name = "pids.max", .mode = S_IFREG | 0444, .show = show_max},
    {0},
};

static int show_hugepages(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "always madvise [never]\n");
    return 0;
}

static const struct pseudo_entry g_thp[] = {
    {.name = "enabled", .mode = S_IFREG | 0444, .show = show_hugepages},
    {.name = "hpage_pmd_size", .mode = S_IFREG | 0444, .show = show_zero},
    {0},
};
static const struct pseudo_entry g_mm[] = {
    {.name = "transparent_hugepage", .mode = S_IFDIR | 0555, .entries = g_thp},
    {0},
};
static const struct pseudo_entry g_kernel[] = {
    {.name = "mm", .mode = S_IFDIR | 0555, .entries = g_mm},
    {0},
};
static const struct pseudo_entry g_fs[] = {
    {.name = "cgroup", .mode = S_IFDIR | 0555, .entries = g_cgroup},
    {0},
};
static const struct pseudo_entry g_empty[] = {{0}};
static const struct pseudo_entry g_class[] = {
    {.name = "net", .mode = S_IFDIR | 0555, .entries = g_empty},
    {0},
};
static const struct pseudo_entry g_sys[] = {
    {.name = "devices", .mode = S_IFDIR | 0555, .entries = g_devices},
    {.name = "fs", .mode = S_IFDIR | 0555, .entries = g_fs},
    {.name = "kernel", .mode = S_IFDIR | 0555, .entries = g_kernel},
    {.name = "class", .mode = S_IFDIR | 0555, .entries = g_class},
    {0},
};
static const struct pseudo_entry g_root = {.mode = S_IFDIR | 0555, .entries = g_sys};

int sysfs_create(const struct fs_config *c, struct superblock **ret)
{
    return pseudo_create("sysfs", SYSFS_MAGIC, &g_root, SB_RDONLY, ret);
}
