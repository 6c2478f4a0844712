/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/boot/protected_internal.h"

#include "core/ct.h"
#include "core/sha256.h"
#include "libos/boot/boot.h"
#include "libos/elf/exec.h"
#include "libos/fs/names.h"
#include "libos/host/host.h"
#include "libos/host/host_mem.h"
#include "libos/lib/str.h"
#include "libos/mm/kmem.h"

#define AGENT_PATH  "/agent"
#define AGENT_MAX   ((uint64_t)64 << 20)
#define CHUNK_PAGES 128u

struct protected_info g_protected;

const char *protected_option(const char *name, size_t index)
{
    const size_t len = str_len(name);

    for (size_t i = 0; i < g_boot.option_count; i++) {
        const char *o = g_boot.options[i];

        if (str_starts(o, name) && o[len] == '=' && index-- == 0) {
            return o + len + 1;
        }
    }
    return NULL;
}

const char *protected_descriptor(const char *value, int *ret_fd)
{
    const char *end = value == NULL ? NULL : str_chr(value, '=');
    uint64_t fd;

    if (end == NULL || !str_to_u64(value, (size_t)(end - value), &fd) || fd >= HOST_FD_MAX) {
        return NULL;
    }
    *ret_fd = (int)fd;
    return end + 1;
}

/* One pass: each piece is copied in, hashed and stored, so that what runs is what was hashed. */
static int copy_agent(int fd, struct file *to, uint8_t ret_hash[static SHA256_SIZE])
{
    uint8_t *chunk = kpages_alloc(CHUNK_PAGES);
    struct sha256 hash;
    uint64_t at = 0;
    int64_t n = chunk == NULL ? -ENOMEM : 1;

    sha256_init(&hash);
    while (n > 0 && at <= AGENT_MAX) {
        n = host_pread(fd, chunk, CHUNK_PAGES << NACRE_PAGE_SHIFT, at);
        if (n > 0) {
            struct iter it;

            sha256_update(&hash, chunk, (size_t)n);
            iter_init_kernel(&it, chunk, (size_t)n);
            n = file_write_iter(to, &it, &at, 0);
        }
    }
    if (chunk != NULL) {
        kpages_free(chunk, CHUNK_PAGES);
    }
    sha256_final(&hash, ret_hash);
    return n < 0 ? (int)n : at > AGENT_MAX ? -EFBIG : 0;
}

/* The program the manifest names, from the host into a file in memory. */
static int load_agent(const struct manifest *m)
{
    const char *text = boot_option("agent-fd");
    uint8_t hash[SHA256_SIZE];
    struct file *f = NULL;
    uint64_t fd;
    int r;

    if (text == NULL || !str_to_u64(text, str_len(text), &fd) || fd >= HOST_FD_MAX) {
        libos_log(LOG_ERROR, "the manifest wants an agent, and the host gives none");
        return -ENOENT;
    }
    r = host_fd_opened((int64_t)fd);
    if (r >= 0) {
        r = name_open(AT_FDCWD, AGENT_PATH, O_WRONLY | O_CREAT | O_EXCL, 0500, 0, &f);
    }
    if (r >= 0) {
        r = copy_agent((int)fd, f, hash);
        file_put(f);
    }
    if (r < 0) {
        libos_log(LOG_ERROR, "the agent cannot be read: error %d", -r);
        return r;
    }
    (void)host_close((int)fd);
    if (!ct_equal(hash, m->header.agent, sizeof(hash))) {
        libos_log(LOG_ERROR, "the agent is not the one the manifest names");
        return -EKEYREJECTED;
    }
    return 0;
}

int protected_start(const struct manifest *m, const void *bytes, size_t size,
                    const struct fs_config *config)
{
    static const char *const argv[] = {AGENT_PATH, NULL};
    static const char *const envp[] = {NULL};
    const struct fs_config agent = {.root_fd = -1,
                                    .hostname = config->hostname,
                                    .memory_limit = config->memory_limit,
                                    .cpus = config->cpus};
    int r;

    if ((m->header.flags & MANIFEST_AGENT) == 0) {
        libos_log(LOG_ERROR, "the manifest wants key and arguments from a CAS, not from the host, "
                             "but names no agent to get them");
        return -EPERM;
    }
    g_protected.manifest = *m;
    g_protected.bytes = bytes;
    g_protected.size = size;
    g_protected.config = *config;
    r = fs_init_agent(&agent, &g_agent_device_ops);
    if (r == 0) {
        r = load_agent(m);
    }
    if (r == 0) {
        r = exec_first(argv, envp, "/");
    }
    if (r == 0) {
        r = name_unlink(AT_FDCWD, AGENT_PATH); /* its memory goes when the program goes */
    }
    if (r == 0) {
        g_protected.state = AGENT_RUNS;
    }
    return r;
}
