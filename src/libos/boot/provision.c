/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * From the agent to the application. The record says what the CAS granted; the measured manifest
 * says what may be granted at all: the sealed root is the one it names, and host directories are
 * those it names, with its flags. Files are put in before any host directory is mounted, so that no
 * path, whatever links are on it, leads one of them out of the enclave. What goes wrong is told
 * without the names in the record: the agent's words are read by the host.
 */

#include "libos/boot/protected_internal.h"

#include "core/ct.h"
#include "libos/attest/record.h"
#include "libos/boot/boot.h"
#include "libos/boot/sealed_root.h"
#include "libos/elf/exec.h"
#include "libos/fs/fd_table.h"
#include "libos/host/host.h"
#include "libos/host/host_mem.h"
#include "libos/lib/errno_name.h"
#include "libos/lib/str.h"
#include "libos/mm/kmem.h"
#include "libos/net/host_names.h"
#include "libos/sys/limits.h"

struct provision {
    struct record record;
    char *message;
    struct superblock *root;
    struct superblock *volumes[AGENT_VOLUMES_MAX];
    const char **argv;
    const char **envp;
};

#define FAIL(p, r, ...) (kprintf((p)->message, AGENT_MESSAGE_SIZE, __VA_ARGS__), (r))

/* ---- what can fail without a trace ---- */

static int check_root(struct provision *p)
{
    const struct manifest_header *m = &g_protected.manifest.header;
    const bool wanted = (m->flags & MANIFEST_SEALED_ROOT) != 0;

    if (wanted != (p->record.root != NULL)) {
        return FAIL(p, -EINVAL, "%s",
                    wanted ? "the answer has no key for the sealed root"
                           : "the answer has a sealed root, this enclave has none");
    }
    if (wanted && !ct_equal(p->record.root, m->sealed_root, MANIFEST_HASH_SIZE)) {
        return FAIL(p, -EKEYREJECTED,
                    "the sealed root is not the one this enclave is measured with");
    }
    return 0;
}

static int open_root(struct provision *p)
{
    const char *text = boot_option("sealed-fd");
    uint64_t fd;
    int r;

    if (p->record.root == NULL) {
        return 0;
    }
    if (text == NULL || !str_to_u64(text, str_len(text), &fd) || fd >= HOST_FD_MAX) {
        return FAIL(p, -ENOENT, "the host offers no sealed image");
    }
    r = boot_sealed_open((int)fd, p->record.key, p->record.root, &p->root);
    if (r < 0) {
        return FAIL(p, r, "the sealed image cannot be opened: %s", errno_name(-r));
    }
    if ((g_protected.manifest.header.flags & MANIFEST_HOST_BELOW) != 0) {
        r = boot_host_below(&p->root);
    }
    return r < 0 ? FAIL(p, r, "no host directory for below the sealed image") : 0;
}

static int find_volume(const char *name, int *ret_fd)
{
    const char *offered;

    for (size_t i = 0; (offered = protected_option("volume", i)) != NULL; i++) {
        const char *have = protected_descriptor(offered, ret_fd);

        if (have != NULL && str_equal(have, name)) {
            return 0;
        }
    }
    return -ENOENT;
}

static int open_volumes(struct provision *p)
{
    struct cursor c = p->record.volumes;
    struct record_volume v;

    for (size_t i = 0; record_next_volume(&c, &v) > 0; i++) {
        int fd;
        int r = find_volume(v.name, &fd);

        r = r < 0 ? r : boot_sealed_open(fd, v.key, v.root, &p->volumes[i]);
        if (r < 0) {
            return FAIL(p, r, "volume %u: %s", (unsigned)i + 1,
                        r == -ENOENT ? "the host does not offer it" : errno_name(-r));
        }
    }
    return 0;
}

static int make_list(struct cursor c, size_t count, const char ***ret)
{
    const char **v = kzalloc((count + 1) * sizeof(*v));

    for (size_t i = 0; v != NULL && record_next_string(&c, &v[i]) > 0; i++) {
    }
    *ret = v;
    return v == NULL ? -ENOMEM : 0;
}

/* ---- from here on the old tree is gone ---- */

static int mount_volumes(struct provision *p)
{
    struct cursor c = p->record.volumes;
    struct record_volume v;

    for (size_t i = 0; record_next_volume(&c, &v) > 0; i++) {
        int r = fs_mount_on(v.path, p->volumes[i], SB_RDONLY | SB_NODEV | SB_NOSUID, "volume");

        if (r < 0) {
            return FAIL(p, r, "volume %u cannot be mounted: %s", (unsigned)i + 1, errno_name(-r));
        }
    }
    return 0;
}

/* A host directory mounted later would hide the file. */
static bool under_host_directory(const char *path)
{
    struct cursor c = g_protected.manifest.mounts;
    const char *at;
    uint8_t flags;

    while (manifest_next_mount(&c, &flags, &at) > 0) {
        if (str_starts(path, at) && (path[str_len(at)] == '/' || path[str_len(at)] == '\0')) {
            return true;
        }
    }
    return false;
}

static int inject_files(struct provision *p)
{
    struct cursor c = p->record.files;
    struct record_file f;

    for (unsigned n = 1; record_next_file(&c, &f) > 0; n++) {
        int r = under_host_directory(f.path)
                    ? -EXDEV
                    : fs_inject(f.path, f.mode, f.uid, f.gid, f.data, f.size);

        if (r < 0) {
            return FAIL(p, r, "file %u of the answer: %s", n,
                        r == -EXDEV ? "lies in a host directory" : errno_name(-r));
        }
    }
    return 0;
}

/* One of the files that a container engine writes for each container. An image whose /etc is no
 * directory goes without. */
static int make_names(struct provision *p, const char *path, const char *option,
                      void (*make)(const char *text, struct strbuf *out))
{
    struct strbuf text = {0};
    int r;

    make(boot_option(option), &text);
    r = text.failed ? -ENOMEM : fs_inject(path, 0644, 0, 0, text.s, text.len);
    strbuf_free(&text);
    return r == -ENOMEM ? FAIL(p, r, "no memory for %s", path) : 0;
}

/* Host directories: those of the manifest, as far as the host offers them. */
static int mount_host_directories(struct provision *p)
{
    struct cursor c = g_protected.manifest.mounts;
    const char *at;
    uint8_t flags;

    while (manifest_next_mount(&c, &flags, &at) > 0) {
        const char *offered;

        for (size_t i = 0; (offered = protected_option("mount", i)) != NULL; i++) {
            struct fs_bind bind = {.target = at,
                                   .writable = (flags & MANIFEST_MOUNT_WRITABLE) != 0};
            const char *have = protected_descriptor(offered, &bind.host_fd);
            int r;

            if (have == NULL || !str_equal(have, at)) {
                continue;
            }
            r = fs_mount_binds(&(struct fs_config){.binds = &bind, .bind_count = 1});
            if (r < 0) {
                return FAIL(p, r, "host directory %s: %s", at, errno_name(-r));
            }
            break;
        }
    }
    return 0;
}

static int become_user(struct provision *p)
{
    struct process *proc = process_current();

    proc->uid = proc->euid = proc->suid = proc->fsuid = p->record.uid;
    proc->gid = proc->egid = proc->sgid = proc->fsgid = p->record.gid;
    return ident_set_groups(p->record.groups, p->record.group_count);
}

/* Nothing of the agent runs after this. */
static void close_for_ever(void)
{
    g_protected.state = AGENT_DONE;
    (void)fd_close_range(3, UINT32_MAX, /*cloexec_only=*/false);
}

static int replace_agent(struct provision *p)
{
    struct fs_config config = g_protected.config;
    int r;

    config.root_fd = -1;
    config.root_sb = p->root;
    config.root_writable = true;
    g_protected.state = AGENT_FAILED; /* until it went well */
    r = fs_switch_root(&config);
    if (r < 0) {
        return FAIL(p, r, "the root cannot be mounted: %s", errno_name(-r));
    }
    r = mount_volumes(p);
    r = r < 0 ? r : make_names(p, "/etc/hosts", "etc-hosts", host_names_hosts);
    r = r < 0 ? r : make_names(p, "/etc/resolv.conf", "etc-resolv", host_names_resolv);
    r = r < 0 ? r : inject_files(p);
    r = r < 0 ? r : mount_host_directories(p);
    r = r < 0 ? r : become_user(p);
    if (r < 0) {
        return r;
    }
    r = exec_instead(p->argv, p->envp, p->record.pwd, close_for_ever);
    return r < 0 ? FAIL(p, r, "the program cannot be run: %s", errno_name(-r)) : 0;
}

static void give_up(struct provision *p)
{
    if (g_protected.state != AGENT_RUNS) {
        return; /* mounted, and the enclave is about to end */
    }
    for (size_t i = 0; i < AGENT_VOLUMES_MAX; i++) {
        if (p->volumes[i] != NULL) {
            super_free(p->volumes[i]);
        }
    }
    if (p->root != NULL) {
        super_free(p->root);
    }
}

int provision_start(const void *record, size_t size, char message[static AGENT_MESSAGE_SIZE])
{
    struct provision *p = kzalloc(sizeof(*p));
    const char *what = NULL;
    int r = p == NULL ? -ENOMEM : record_parse(record, size, &p->record, &what);

    if (r < 0) {
        kprintf(message, AGENT_MESSAGE_SIZE, "the record cannot be used: %s",
                what == NULL ? "no memory" : what);
        kfree(p);
        return r;
    }
    p->message = message;
    r = check_root(p);
    r = r < 0 ? r : make_list(p->record.args, p->record.arg_count, &p->argv);
    r = r < 0 ? r : make_list(p->record.env, p->record.env_count, &p->envp);
    r = r < 0 ? r : open_root(p);
    r = r < 0 ? r : open_volumes(p);
    r = r < 0 ? r : replace_agent(p);
    if (r < 0) {
        give_up(p);
    }
    kfree(p->argv);
    kfree(p->envp);
    kfree(p);
    return r;
}
