/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/fs/procfs/procfs.h"

#include <linux/magic.h>

#include "libos/fs/fs_context.h"
#include "libos/fs/hooks.h"
#include "libos/fs/memfs/memfs.h"
#include "libos/fs/mount.h"
#include "libos/host/host.h"
#include "libos/lib/str.h"
#include "libos/proc/thread.h"
#include "libos/sys/limits.h"
#include "libos/time/clock.h"

#define MEMORY_DEFAULT (4ull << 30) /* shown when no limit is set */
#define SECOND         ((uint64_t)NS_PER_S)
#define CPUS_MAX       512u
#define PIDS_COOKIE    1000u /* behind the fixed entries */

static uint32_t g_cpus = 1;
static uint64_t g_memory_limit;

uint32_t procfs_cpus(void)
{
    return g_cpus;
}

uint64_t procfs_memory_limit(void)
{
    return g_memory_limit;
}

uint64_t procfs_memory_used(void)
{
    return fs_hooks()->memory_used != NULL ? fs_hooks()->memory_used() : memfs_bytes_used();
}

static int show_meminfo(uint64_t arg, struct strbuf *out)
{
    uint64_t total = (g_memory_limit == 0 ? MEMORY_DEFAULT : g_memory_limit) / 1024;
    uint64_t used = MIN(procfs_memory_used() / 1024, total);
    const struct {
        const char *name;
        uint64_t kb;
    } rows[] = {
        {"MemTotal:", total},
        {"MemFree:", total - used},
        {"MemAvailable:", total - used},
        {"Buffers:", 0},
        {"Cached:", memfs_bytes_used() / 1024},
        {"SwapCached:", 0},
        {"Active:", used},
        {"Inactive:", 0},
        {"SwapTotal:", 0},
        {"SwapFree:", 0},
        {"Dirty:", 0},
        {"Writeback:", 0},
        {"AnonPages:", used},
        {"Mapped:", 0},
        {"Shmem:", memfs_bytes_used() / 1024},
        {"Slab:", 0},
        {"CommitLimit:", total},
        {"Committed_AS:", used},
        {"VmallocTotal:", 0},
        {"HugePages_Total:", 0},
    };

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        strbuf_printf(out, "%s %lu kB\n", rows[i].name, rows[i].kb);
    }
    strbuf_puts(out, "Hugepagesize: 2048 kB\n");
    return 0;
}

static void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
    __builtin_memset(r, 0, 4 * sizeof(*r));
    if (fs_hooks()->cpuid != NULL) {
        fs_hooks()->cpuid(leaf, sub, r);
    }
}

struct flag {
    uint8_t leaf; /* 1, 7; 8: 0x80000001 */
    uint8_t reg;  /* 1 ebx, 2 ecx, 3 edx */
    uint8_t bit;
    const char *name;
};

static const struct flag g_flags[] = {
    {1, 3, 0, "fpu"},
    {1, 3, 4, "tsc"},
    {1, 3, 8, "cx8"},
    {1, 3, 15, "cmov"},
    {1, 3, 19, "clflush"},
    {1, 3, 23, "mmx"},
    {1, 3, 24, "fxsr"},
    {1, 3, 25, "sse"},
    {1, 3, 26, "sse2"},
    {1, 3, 28, "ht"},
    {8, 3, 11, "syscall"},
    {8, 3, 20, "nx"},
    {8, 3, 27, "rdtscp"},
    {8, 3, 29, "lm"},
    {1, 2, 0, "pni"},
    {1, 2, 1, "pclmulqdq"},
    {1, 2, 9, "ssse3"},
    {1, 2, 12, "fma"},
    {1, 2, 13, "cx16"},
    {1, 2, 19, "sse4_1"},
    {1, 2, 20, "sse4_2"},
    {1, 2, 22, "movbe"},
    {1, 2, 23, "popcnt"},
    {1, 2, 25, "aes"},
    {1, 2, 26, "xsave"},
    {1, 2, 28, "avx"},
    {1, 2, 29, "f16c"},
    {1, 2, 30, "rdrand"},
    {8, 2, 0, "lahf_lm"},
    {8, 2, 5, "abm"},
    {8, 2, 8, "3dnowprefetch"},
    {7, 1, 0, "fsgsbase"},
    {7, 1, 3, "bmi1"},
    {7, 1, 5, "avx2"},
    {7, 1, 8, "bmi2"},
    {7, 1, 9, "erms"},
    {7, 1, 16, "avx512f"},
    {7, 1, 17, "avx512dq"},
    {7, 1, 18, "rdseed"},
    {7, 1, 19, "adx"},
    {7, 1, 21, "avx512ifma"},
    {7, 1, 23, "clflushopt"},
    {7, 1, 24, "clwb"},
    {7, 1, 28, "avx512cd"},
    {7, 1, 29, "sha_ni"},
    {7, 1, 30, "avx512bw"},
    {7, 1, 31, "avx512vl"},
    {7, 2, 1, "avx512vbmi"},
    {7, 2, 6, "avx512_vbmi2"},
    {7, 2, 8, "gfni"},
    {7, 2, 9, "vaes"},
    {7, 2, 10, "vpclmulqdq"},
    {7, 2, 11, "avx512_vnni"},
    {7, 2, 12, "avx512_bitalg"},
    {7, 2, 14, "avx512_vpopcntdq"},
};

/* CPUID faults inside an enclave and is served by the exception handler from host answers: hints.
 */
static int show_cpuinfo(uint64_t arg, struct strbuf *out)
{
    uint32_t v[4];
    uint32_t one[4];
    uint32_t seven[4];
    uint32_t extended[4];
    const uint64_t khz = clock_tsc_hz() / 1000;
    char vendor[13] = {0};

    cpuid(0, 0, v);
    __builtin_memcpy(vendor, &v[1], 4);
    __builtin_memcpy(vendor + 4, &v[3], 4);
    __builtin_memcpy(vendor + 8, &v[2], 4);
    cpuid(1, 0, one);
    cpuid(7, 0, seven);
    cpuid(0x80000001u, 0, extended);
    for (uint32_t i = 0; i < g_cpus; i++) {
        strbuf_printf(out, "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\n", i,
                      vendor, (one[0] >> 8 & 0xf) + (one[0] >> 20 & 0xff),
                      (one[0] >> 4 & 0xf) | (one[0] >> 12 & 0xf0));
        strbuf_printf(out,
                      "model name\t: %s processor in an enclave\nstepping\t: %u\n"
                      "cpu MHz\t\t: %lu.%03lu\n"
                      "physical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\n",
                      vendor, one[0] & 0xf, khz / 1000, khz % 1000, g_cpus, i, g_cpus);
        strbuf_puts(out, "fpu\t\t: yes\nflags\t\t:");
        for (size_t k = 0; k < ARRAY_COUNT(g_flags); k++) {
            const uint32_t *regs = g_flags[k].leaf == 1   ? one
                                   : g_flags[k].leaf == 7 ? seven
                                                          : extended;

            if ((regs[g_flags[k].reg] >> g_flags[k].bit & 1) != 0) {
                strbuf_printf(out, " %s", g_flags[k].name);
            }
        }
        strbuf_puts(out, "\nclflush size\t: 64\ncache_alignment\t: 64\n\n");
    }
    return 0;
}

static int show_stat(uint64_t arg, struct strbuf *out)
{
    uint64_t user = 0;
    uint64_t system = 0;
    uint64_t up = clock_now(/*CLOCK_BOOTTIME*/ 7) / 10000000u; /* in 1/100 s */

    if (fs_hooks()->cpu_times != NULL) {
        fs_hooks()->cpu_times(&user, &system);
    }
    user /= 10000000u;
    system /= 10000000u;
    uint64_t idle = up * g_cpus > user + system ? up * g_cpus - user - system : 0;

    strbuf_printf(out, "cpu  %lu 0 %lu %lu 0 0 0 0 0 0\n", user, system, idle);
    for (uint32_t i = 0; i < g_cpus; i++) {
        strbuf_printf(out, "cpu%u %lu 0 %lu %lu 0 0 0 0 0 0\n", i, user / g_cpus, system / g_cpus,
                      idle / g_cpus);
    }
    strbuf_printf(out, "intr 0\nctxt 0\nbtime %lu\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n",
                  (clock_now(0) - clock_now(7)) / SECOND);
    return 0;
}

static int show_uptime(uint64_t arg, struct strbuf *out)
{
    uint64_t up = clock_now(7);

    strbuf_printf(out, "%lu.%02lu %lu.00\n", up / SECOND, up % SECOND / 10000000u,
                  up / SECOND * g_cpus);
    return 0;
}

static int show_loadavg(uint64_t arg, struct strbuf *out)
{
    const struct process *p = process_current();

    strbuf_printf(out, "0.00 0.00 0.00 1/%zu %d\n", p->thread_count, p->pid);
    return 0;
}

static int show_version(uint64_t arg, struct strbuf *out)
{
    strbuf_printf(out, "Linux version %s (nacre) %s\n", ident_release(), ident_version());
    return 0;
}

static int show_filesystems(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\nnodev\toverlay\n"
                     "\terofs\n");
    return 0;
}

static int show_cgroups(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t0\t1\t1\n"
                     "memory\t0\t1\t1\npids\t0\t1\t1\n");
    return 0;
}

static int show_cmdline(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "nacre\n");
    return 0;
}

static int show_empty(uint64_t arg, struct strbuf *out)
{
    return 0;
}

static int link_mounts(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "self/mounts");
    return 0;
}

static int link_self(uint64_t arg, struct strbuf *out)
{
    strbuf_printf(out, "%d", process_current()->pid);
    return 0;
}

static int link_thread_self(uint64_t arg, struct strbuf *out)
{
    strbuf_printf(out, "%d/task/%d", process_current()->pid, thread_current()->tid);
    return 0;
}

static const struct pseudo_entry g_self_dir = {.mode = S_IFDIR | 0555, .entries = procfs_self};

static int find_pid(uint64_t arg, const struct qstr *name, const struct pseudo_entry **ret,
                    uint64_t *ret_arg)
{
    uint64_t pid = 0;

    if (!str_to_u64(name->s, name->len, &pid) || pid > INT32_MAX) {
        return -ENOENT;
    }
    *ret_arg = pid;
    if (pid == (uint64_t)process_current()->pid) {
        *ret = &g_self_dir;
        return 0;
    }
    return procfs_find_other((int32_t)pid, ret);
}

/* The numbers in use are the cookies. */
static int list_pids(uint64_t arg, struct dir_context *ctx)
{
    const int32_t own = process_current()->pid;
    int32_t pid = ctx->pos <= PIDS_COOKIE ? 0 : (int32_t)(ctx->pos - PIDS_COOKIE);
    char name[16];

    if (fs_hooks()->next_process == NULL) {
        (void)kprintf(name, sizeof(name), "%d", own);
        (void)pseudo_emit(ctx, name, DT_DIR, PIDS_COOKIE + (uint64_t)own);
        return 0;
    }
    while ((pid = fs_hooks()->next_process(pid)) > 0) {
        (void)kprintf(name, sizeof(name), "%d", pid);
        if (!pseudo_emit(ctx, name, DT_DIR, PIDS_COOKIE + (uint64_t)pid)) {
            break;
        }
    }
    return 0;
}

static const struct pseudo_entry g_proc[] = {
    {.name = "self", .mode = S_IFLNK | 0777, .link = link_self},
    {.name = "thread-self", .mode = S_IFLNK | 0777, .link = link_thread_self},
    {.name = "cpuinfo", .mode = S_IFREG | 0444, .show = show_cpuinfo},
    {.name = "meminfo", .mode = S_IFREG | 0444, .show = show_meminfo},
    {.name = "stat", .mode = S_IFREG | 0444, .show = show_stat},
    {.name = "uptime", .mode = S_IFREG | 0444, .show = show_uptime},
    {.name = "loadavg", .mode = S_IFREG | 0444, .show = show_loadavg},
    {.name = "version", .mode = S_IFREG | 0444, .show = show_version},
    {.name = "filesystems", .mode = S_IFREG | 0444, .show = show_filesystems},
    {.name = "cgroups", .mode = S_IFREG | 0444, .show = show_cgroups},
    {.name = "cmdline", .mode = S_IFREG | 0444, .show = show_cmdline},
    {.name = "swaps", .mode = S_IFREG | 0444, .show = show_empty},
    {.name = "partitions", .mode = S_IFREG | 0444, .show = show_empty},
    {.name = "locks", .mode = S_IFREG | 0444, .show = show_empty},
    {.name = "mounts", .mode = S_IFLNK | 0777, .link = link_mounts},
    {.name = "net", .mode = S_IFDIR | 0555, .entries = procfs_net},
    {.name = "sys", .mode = S_IFDIR | 0555, .entries = procfs_sys},
    {0},
};

static const struct pseudo_entry g_root = {
    .mode = S_IFDIR | 0555, .entries = g_proc, .find = find_pid, .list = list_pids};

/* The host's word on processors is a hint for thread pools; anything absurd becomes one. */
static uint32_t ask_cpus(void)
{
    uint64_t set[CPUS_MAX / 64] = {0};
    uint32_t n = 0;

    if (host_getaffinity(set, sizeof(set)) < 0) {
        return 1;
    }
    for (uint32_t i = 0; i < CPUS_MAX; i++) {
        n += (uint32_t)(set[i / 64] >> (i % 64) & 1);
    }
    return MAX(n, 1u);
}

int procfs_create(const struct fs_config *c, struct superblock **ret)
{
    g_cpus = c->cpus != 0 ? MIN(c->cpus, CPUS_MAX) : ask_cpus();
    g_memory_limit = c->memory_limit;
    if (c->hostname != NULL) {
        ident_set_hostname(c->hostname);
    }
    return pseudo_create("proc", PROC_SUPER_MAGIC, &g_root, 0, ret);
}
