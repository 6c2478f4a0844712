/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Start-up: what is mounted where. */

#include "libos/fs/devfs/devfs.h"
#include "libos/fs/fd_table.h"
#include "libos/fs/file.h"
#include "libos/fs/fs_context.h"
#include "libos/fs/hostfs/hostfs.h"
#include "libos/fs/memfs/memfs.h"
#include "libos/fs/names.h"
#include "libos/fs/overlay/overlay.h"
#include "libos/fs/procfs/procfs.h"
#include "libos/fs/sysfs/sysfs.h"
#include "libos/host/host_mem.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"

static int make_root(const struct fs_config *c)
{
    struct superblock *sb = c->root_sb;
    int r = 0;

    if (sb == NULL && c->root_fd < 0) {
        r = memfs_create(&(struct memfs_options){.mode = 0755}, &sb);
        return r < 0 ? r : mount_add("/", sb, 0, "tmpfs");
    }
    if (sb == NULL) {
        r = hostfs_create(c->root_fd, /*writable=*/false, &sb);
        if (r < 0) {
            return r;
        }
    }
    if (c->root_writable) {
        r = overlay_create(sb, &sb);
        if (r < 0) {
            return r;
        }
    }
    return mount_add("/", sb, 0, c->root_writable ? "overlay" : "/dev/root");
}

/* A mount point that the root does not have is made when the root can be written, else the mount
 * is left out: an image without /sys runs without /sys. */
static int mount_optional(const char *where, struct superblock *sb, uint32_t flags,
                          const char *source)
{
    int r = mount_add(where, sb, flags, source);

    if (r == -ENOENT) {
        r = name_create(AT_FDCWD, where, &(struct inode_new){.mode = S_IFDIR | 0755}, NULL);
        r = r < 0 ? r : mount_add(where, sb, flags, source);
        if (r == -EROFS || r == -ENOENT) {
            libos_log(LOG_WARNING, "%s: not mounted, the root has no such directory", where);
            super_free(sb);
            return 0;
        }
    }
    return r;
}

static int mount_tmp(const char *where, uint32_t mode)
{
    struct superblock *sb = NULL;
    int r = memfs_create(&(struct memfs_options){.mode = mode}, &sb);

    return r < 0 ? r : mount_optional(where, sb, SB_NOSUID | SB_NODEV, "tmpfs");
}

static int mount_system(const struct fs_config *c)
{
    struct superblock *sb = NULL;
    int r = procfs_create(c, &sb);

    r = r < 0 ? r : mount_optional("/proc", sb, SB_NOSUID | SB_NODEV | SB_NOEXEC, "proc");
    r = r < 0 ? r : sysfs_create(c, &sb);
    r = r < 0 ? r
              : mount_optional("/sys", sb, SB_NOSUID | SB_NODEV | SB_NOEXEC | SB_RDONLY, "sysfs");
    r = r < 0 ? r : devfs_create(&sb);
    r = r < 0 ? r : mount_optional("/dev", sb, SB_NOSUID, "devtmpfs");
    r = r < 0 ? r : mount_tmp("/dev/shm", 01777);
    return r < 0 ? r : mount_tmp("/tmp", 01777);
}

/* Makes the directories a path goes through, and with `last` the path itself. */
static int make_directories(const char *path, bool last)
{
    _cleanup_kfree_ char *text = kstrdup(path);
    int r = text == NULL ? -ENOMEM : 0;

    for (size_t i = 1; r == 0; i++) {
        const char c = text[i];

        if (c != '/' && (c != '\0' || !last)) {
            if (c == '\0') {
                break;
            }
            continue;
        }
        text[i] = '\0';
        r = name_create(AT_FDCWD, text, &(struct inode_new){.mode = S_IFDIR | 0755}, NULL);
        r = r == -EEXIST ? 0 : r;
        text[i] = c;
        if (c == '\0') {
            break;
        }
    }
    return r;
}

static int write_all(struct file *f, const uint8_t *data, size_t size)
{
    uint64_t at = 0;

    while (at < size) {
        struct iter it;

        iter_init_kernel(&it, data + at, size - at);
        int64_t n = file_write_iter(f, &it, &at, 0);

        if (n <= 0) {
            return n < 0 ? (int)n : -EIO;
        }
    }
    return 0;
}

int fs_inject(const char *path, uint32_t mode, uint32_t uid, uint32_t gid, const void *data,
              size_t size)
{
    _cleanup_file_ struct file *f = NULL;
    int r = make_directories(path, /*last=*/false);

    if (r == 0) {
        r = name_unlink(AT_FDCWD, path);
        r = r == -ENOENT ? 0 : r;
    }
    if (r == 0) {
        r = name_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0600, 0, &f);
    }
    if (r == 0) {
        r = write_all(f, data, size);
    }
    if (r == 0) {
        r = name_chown(&f->path, uid, gid);
    }
    return r < 0 ? r : name_chmod(&f->path, mode);
}

int fs_mount_on(const char *where, struct superblock *sb, uint32_t flags, const char *source)
{
    int r = make_directories(where, /*last=*/true);

    return r < 0 ? r : mount_add(where, sb, flags, source);
}

int fs_mount_binds(const struct fs_config *c)
{
    for (size_t i = 0; i < c->bind_count; i++) {
        const struct fs_bind *b = &c->binds[i];
        struct superblock *sb = NULL;

        (void)host_fd_opened(b->host_fd);
        int r = hostfs_create(b->host_fd, b->writable, &sb);

        r = r < 0 ? r : fs_mount_on(b->target, sb, SB_NODEV | SB_NOSUID, "host");
        if (r < 0) {
            libos_log(LOG_ERROR, "mounting a host directory on %s failed: %d", b->target, r);
            return r;
        }
    }
    return 0;
}

static int open_streams(void)
{
    for (int fd = 0; fd < 3; fd++) {
        struct file *f = NULL;

        (void)host_fd_opened(fd); /* ours from now on: no other file may get this number */
        int r = hoststream_open(fd, fd == 0 ? O_RDONLY : O_WRONLY, &f);

        if (r == -EBADF) { /* closed, as a daemon's may be */
            r = file_open_kernel("/dev/null", O_RDWR, &f);
        }
        r = r < 0 ? r : fd_install_at(f, /*cloexec=*/false, fd);
        if (r < 0) {
            file_put(f);
            return r;
        }
    }
    return 0;
}

int fs_init(const struct fs_config *config)
{
    if (config->host_cache_max != 0) {
        hostfs_set_cache_max(config->host_cache_max);
    }
    if (config->root_fd >= 0) {
        (void)host_fd_opened(config->root_fd);
    }
    int r = make_root(config);

    r = r < 0 ? r : mount_system(config);
    r = r < 0 ? r : fs_mount_binds(config);
    return r < 0 ? r : open_streams();
}

int fs_init_agent(const struct fs_config *config, const struct file_ops *private_ops)
{
    struct superblock *sb = NULL;
    int r = make_root(config);

    r = r < 0 ? r : procfs_create(config, &sb);
    r = r < 0 ? r : mount_optional("/proc", sb, SB_NOSUID | SB_NODEV | SB_NOEXEC, "proc");
    r = r < 0 ? r : devfs_create_agent(private_ops, &sb);
    r = r < 0 ? r : mount_optional("/dev", sb, SB_NOSUID, "devtmpfs");
    return r < 0 ? r : open_streams();
}

int fs_switch_root(const struct fs_config *config)
{
    int r;

    fs_forget_paths();
    mount_forget_all();
    r = make_root(config);
    return r < 0 ? r : mount_system(config);
}
