/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* /proc/sys and /proc/net: numbers that runtimes read and nobody here turns. */

#include "libos/fs/procfs/procfs.h"
#include "libos/lib/random.h"
#include "libos/lib/str.h"
#include "libos/mm/kmem.h"
#include "libos/sys/limits.h"

/* Entries whose content is a constant number: arg is the number plus one, so that it is never 0. */
static int show_number(uint64_t arg, struct strbuf *out)
{
    strbuf_printf(out, "%lu\n", arg - 1);
    return 0;
}

#define NUMBER(n, v)                                                                \
    {                                                                               \
        .name = (n), .mode = S_IFREG | 0444, .show = show_number, .arg = (v) + 1ull \
    }

static int show_release(uint64_t arg, struct strbuf *out)
{
    strbuf_printf(out, "%s\n", ident_release());
    return 0;
}

static int show_version(uint64_t arg, struct strbuf *out)
{
    strbuf_printf(out, "%s\n", ident_version());
    return 0;
}

static int show_ostype(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "Linux\n");
    return 0;
}

static int show_hostname(uint64_t arg, struct strbuf *out)
{
    strbuf_printf(out, "%s\n", ident_hostname());
    return 0;
}

static int store_hostname(uint64_t arg, const char *text, size_t len)
{
    if (len > 64) {
        return -EINVAL;
    }
    ident_set_hostname(text);
    return 0;
}

static int show_domainname(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "(none)\n");
    return 0;
}

static int show_core_pattern(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "core\n");
    return 0;
}

static void put_uuid(const uint8_t u[static 16], struct strbuf *out)
{
    for (int i = 0; i < 16; i++) {
        strbuf_printf(out, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", u[i]);
    }
    strbuf_puts(out, "\n");
}

static void make_uuid(uint8_t u[static 16])
{
    random_bytes(u, 16);
    u[6] = (uint8_t)((u[6] & 0x0f) | 0x40);
    u[8] = (uint8_t)((u[8] & 0x3f) | 0x80);
}

static int show_uuid(uint64_t arg, struct strbuf *out)
{
    uint8_t u[16];

    make_uuid(u);
    put_uuid(u, out);
    return 0;
}

/* One for as long as the enclave runs; the host's own is none of the application's business. */
static int show_boot_id(uint64_t arg, struct strbuf *out)
{
    static struct mutex g_lock;
    static uint8_t g_id[16];
    static bool g_made;

    mutex_lock(&g_lock);
    if (!g_made) {
        make_uuid(g_id);
        g_made = true;
    }
    mutex_unlock(&g_lock);
    put_uuid(g_id, out);
    return 0;
}

static const struct pseudo_entry g_random[] = {
    {.name = "boot_id", .mode = S_IFREG | 0444, .show = show_boot_id},
    {.name = "uuid", .mode = S_IFREG | 0444, .show = show_uuid},
    NUMBER("entropy_avail", 256),
    NUMBER("poolsize", 256),
    {0},
};

static const struct pseudo_entry g_kernel[] = {
    {.name = "osrelease", .mode = S_IFREG | 0444, .show = show_release},
    {.name = "ostype", .mode = S_IFREG | 0444, .show = show_ostype},
    {.name = "version", .mode = S_IFREG | 0444, .show = show_version},
    {.name = "hostname", .mode = S_IFREG | 0644, .show = show_hostname, .store = store_hostname},
    {.name = "domainname", .mode = S_IFREG | 0444, .show = show_domainname},
    {.name = "core_pattern", .mode = S_IFREG | 0444, .show = show_core_pattern},
    {.name = "random", .mode = S_IFDIR | 0555, .entries = g_random},
    NUMBER("pid_max", 4194304),
    NUMBER("threads-max", 65536),
    NUMBER("cap_last_cap", 40),
    NUMBER("ngroups_max", 65536),
    NUMBER("randomize_va_space", 2),
    NUMBER("perf_event_paranoid", 3),
    NUMBER("unprivileged_bpf_disabled", 2),
    NUMBER("shmmax", 0x7fffffffffffffffull),
    NUMBER("shmall", 0x7fffffffffffull),
    NUMBER("shmmni", 4096),
    NUMBER("msgmax", 8192),
    NUMBER("msgmnb", 16384),
    {0},
};

static const struct pseudo_entry g_vm[] = {
    NUMBER("overcommit_memory", 0),   NUMBER("overcommit_ratio", 50),
    NUMBER("max_map_count", 1048576), NUMBER("mmap_min_addr", 65536),
    NUMBER("swappiness", 60),         NUMBER("nr_hugepages", 0),
    NUMBER("drop_caches", 0),         {0},
};

static const struct pseudo_entry g_inotify[] = {
    NUMBER("max_queued_events", 16384),
    NUMBER("max_user_instances", 8192),
    NUMBER("max_user_watches", 65536),
    {0},
};

static const struct pseudo_entry g_epoll[] = {NUMBER("max_user_watches", 1048576), {0}};

static int show_file_nr(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "64\t0\t1048576\n");
    return 0;
}

static const struct pseudo_entry g_fs[] = {
    NUMBER("file-max", 1048576),
    NUMBER("nr_open", 1048576),
    NUMBER("pipe-max-size", 1048576),
    NUMBER("pipe-user-pages-soft", 16384),
    NUMBER("aio-max-nr", 0),
    NUMBER("aio-nr", 0),
    NUMBER("suid_dumpable", 0),
    NUMBER("protected_symlinks", 0),
    {.name = "file-nr", .mode = S_IFREG | 0444, .show = show_file_nr},
    {.name = "inotify", .mode = S_IFDIR | 0555, .entries = g_inotify},
    {.name = "epoll", .mode = S_IFDIR | 0555, .entries = g_epoll},
    {0},
};

static int show_port_range(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "32768\t60999\n");
    return 0;
}

static int show_tcp_mem(uint64_t arg, struct strbuf *out)
{
    strbuf_puts(out, "4096\t131072\t6291456\n");
    return 0;
}

static const struct pseudo_entry g_ipv4[] = {
    {.name = "ip_local_port_range", .mode = S_IFREG | 0444, .show = show_port_range},
    {.name = "tcp_rmem", .mode = S_IFREG | 0444, .show = show_tcp_mem},
    {.name = "tcp_wmem", .mode = S_IFREG | 0444, .show = show_tcp_mem},
    NUMBER("ip_forward", 0),
    NUMBER("ip_unprivileged_port_start", 1024),
    NUMBER("tcp_fastopen", 1),
    NUMBER("tcp_keepalive_time", 7200),
    NUMBER("tcp_keepalive_intvl", 75),
    NUMBER("tcp_keepalive_probes", 9),
    NUMBER("tcp_max_syn_backlog", 1024),
    {0},
};

static const struct pseudo_entry g_core[] = {
    NUMBER("somaxconn", 4096),          NUMBER("rmem_default", 212992),
    NUMBER("rmem_max", 212992),         NUMBER("wmem_default", 212992),
    NUMBER("wmem_max", 212992),         NUMBER("optmem_max", 20480),
    NUMBER("netdev_max_backlog", 1000), {0},
};

static const struct pseudo_entry g_ipv6_all[] = {NUMBER("disable_ipv6", 0), {0}};
static const struct pseudo_entry g_ipv6_conf[] = {
    {.name = "all", .mode = S_IFDIR | 0555, .entries = g_ipv6_all},
    {.name = "default", .mode = S_IFDIR | 0555, .entries = g_ipv6_all},
    {0},
};
static const struct pseudo_entry g_ipv6[] = {
    {.name = "conf", .mode = S_IFDIR | 0555, .entries = g_ipv6_conf},
    {0},
};

static const struct pseudo_entry g_net[] = {
    {.name = "core", .mode = S_IFDIR | 0555, .entries = g_core},
    {.name = "ipv4", .mode = S_IFDIR | 0555, .entries = g_ipv4},
    {.name = "ipv6", .mode = S_IFDIR | 0555, .entries = g_ipv6},
    {0},
};

const struct pseudo_entry procfs_sys[] = {
    {.name = "kernel", .mode = S_IFDIR | 0555, .entries = g_kernel},
    {.name = "vm", .mode = S_IFDIR | 0555, .entries = g_vm},
    {.name = "fs", .mode = S_IFDIR | 0555, .entries = g_fs},
    {.name = "net", .mode = S_IFDIR | 0555, .entries = g_net},
    {0},
};

/* What the host's network looks like is not ours to show: empty tables under their headings. */
#define NET_DEV_HEAD                                                                           \
    "Inter-|   Receive                                                |  Transmit\n"           \
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs " \
    "drop fifo colls carrier compressed\n"
#define NET_SOCKET_HEAD                                                                   \
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  " \
    "timeout inode\n"

static int show_text(uint64_t arg, struct strbuf *out)
{
    static const char *const text[] = {
        NET_DEV_HEAD,
        NET_SOCKET_HEAD,
        "Num       RefCount Protocol Flags    Type St Inode Path\n",
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n",
        "",
    };

    strbuf_puts(out, text[arg - 1]);
    return 0;
}

const struct pseudo_entry procfs_net[] = {
    {.name = "dev", .mode = S_IFREG | 0444, .show = show_text, .arg = 1},
    {.name = "tcp", .mode = S_IFREG | 0444, .show = show_text, .arg = 2},
    {.name = "tcp6", .mode = S_IFREG | 0444, .show = show_text, .arg = 2},
    {.name = "udp", .mode = S_IFREG | 0444, .show = show_text, .arg = 2},
    {.name = "udp6", .mode = S_IFREG | 0444, .show = show_text, .arg = 2},
    {.name = "unix", .mode = S_IFREG | 0444, .show = show_text, .arg = 3},
    {.name = "route", .mode = S_IFREG | 0444, .show = show_text, .arg = 4},
    {.name = "if_inet6", .mode = S_IFREG | 0444, .show = show_text, .arg = 5},
    {0},
};
