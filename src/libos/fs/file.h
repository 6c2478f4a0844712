/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Open files (what Linux calls a file description) and the calls other areas need: descriptors to
 * files, reading a file from inside the library OS (ELF loader, file mappings), start-up.
 */

#include "libos/fs/dentry.h"
#include "libos/proc/wait.h"

struct poll_table;
struct shared_state;
struct strbuf;

#define FILE_READ   0x01u /* may be read */
#define FILE_WRITE  0x02u
#define FILE_STREAM 0x04u /* no position: pipes, sockets, terminals */
#define FILE_PATH   0x08u /* O_PATH */
#define FILE_REMOTE 0x20u /* an open file of the family's owner, and so is its position */
#define FILE_ANON   0x10u /* no name in the tree: /proc shows ops->name */

struct file_ops {
    /* What /proc shows for descriptors without a name: "anon_inode:[eventfd]" …; "pipe:[%lu]" and
     * "socket:[%lu]" get the inode number. */
    const char *name;
    /* One object for a process and its children: after a fork the owner of the family keeps it. */
    bool shared;
    bool timed; /* its readiness can come by time alone: poll_until */
    /* `pos` is NULL for streams, and where a remote file is to use its own position. `flags`: RWF_*
     * of this call. */
    int64_t (*read)(struct file *f, struct iter *to, uint64_t *pos, uint32_t flags);
    int64_t (*write)(struct file *f, struct iter *from, uint64_t *pos, uint32_t flags);
    int64_t (*seek)(struct file *f, int64_t offset, int whence); /* NULL: ESPIPE */
    int (*readdir)(struct file *f, struct dir_context *ctx);
    /* EPOLL* events that hold now; registers with `pt` (when not NULL) for changes: fs/poll.h. */
    uint32_t (*poll)(struct file *f, struct poll_table *pt);
    int64_t (*ioctl)(struct file *f, uint32_t request, uint64_t arg); /* -ENOTTY when unknown */
    int (*fsync)(struct file *f, bool data_only);
    /* The host descriptor whose readiness is this file's, or -1. */
    int (*host_fd)(const struct file *f);
    /* Streams of the host whose data an epoll may take along (fs/epoll.c). `watch`: thread `tid` is
     * the only one that waits for and reads this one from now on, 0: no longer; false: this file is
     * no such stream. `arrived` takes data over (kmalloc'd, or NULL and -errno). */
    bool (*watch)(struct file *f, int32_t tid);
    void (*arrived)(struct file *f, uint8_t *data, int32_t size);
    int (*set_flags)(struct file *f, uint32_t flags);       /* F_SETFL is about to change them */
    void (*pack)(struct file *f, struct shared_state *ret); /* fs/shared.h; the caller sets flags */
    void (*fdinfo)(struct file *f, struct strbuf *out);
    void (*release)(struct file *f); /* the last reference went */
};

struct file {
    struct refcount refs;
    const struct file_ops *ops;
    struct path path;    /* holds references; dentry may be anonymous */
    struct inode *inode; /* borrowed from the dentry */
    uint32_t flags;      /* O_ACCMODE | status flags; under flags_lock */
    uint32_t mode;       /* FILE_* */
    struct mutex pos_lock;
    uint64_t pos;
    void *priv;
    uint32_t family_handle; /* family/share.c, while a child is made */
    int32_t owner;          /* F_SETOWN */
    int32_t owner_signal;   /* F_SETSIG */
    struct spinlock epoll_lock;
    struct list epoll_items; /* fs/epoll.c */
};

/* ---- descriptors ---- */

/* The file behind a descriptor of the current process, with a reference; NULL: EBADF. O_PATH
 * descriptors are NULL too; fd_get_path gives them as well. */
struct file *fd_get(int fd);
struct file *fd_get_path(int fd);
void file_put(struct file *f); /* NULL is fine */
static inline struct file *file_get(struct file *f)
{
    ref_get(&f->refs);
    return f;
}
static inline void file_putp(struct file **f)
{
    file_put(*f);
}
#define _cleanup_file_ _cleanup_(file_putp)

/* RLIMIT_FSIZE was met: SIGXFSZ, and -EFBIG. */
[[nodiscard]] int file_too_big(void);

/* ---- for the loader and memory mappings ---- */

/* Opens a path with O_* flags and the current process's identity and root. */
[[nodiscard]] int file_open_kernel(const char *path, int flags, struct file **ret);
/* Reads at an offset into library OS memory, without moving the position; short at the end of the
 * file only. May leave the enclave for host files: call without the lock of the memory map when
 * `dst` can fault. Takes no lock that is held while application memory is accessed. */
[[nodiscard]] int64_t file_pread(struct file *f, void *dst, size_t size, uint64_t offset);
/* Writes back a shared mapping: never extends the file. */
[[nodiscard]] int64_t file_pwrite(struct file *f, const void *src, size_t size, uint64_t offset);
[[nodiscard]] int file_stat(struct file *f, struct kstat *ret);
/* May this file be mapped with PROT_*; `shared` and `write` as asked. 0, -EACCES, -EPERM (seals),
 * -ENODEV (not mappable). */
[[nodiscard]] int file_may_map(struct file *f, bool exec, bool write, bool shared);
/* Text for /proc/self/maps and exe: absolute path as seen from the process's root. */
[[nodiscard]] int file_path_text(struct file *f, char *buf, size_t size, char **ret);
/* While a file runs as a program it cannot be written: -ETXTBSY if it is open for writing now. */
[[nodiscard]] int file_deny_write(struct file *f);
void file_allow_write(struct file *f);

/* ---- inside fs/ and net/ ---- */

/* A file on an existing object; takes its own references. Runs inode->ops->open. */
[[nodiscard]] int file_open_path(const struct path *path, uint32_t flags, struct file **ret);
/* A file without a name: `type` S_IFIFO, S_IFSOCK, S_IFREG …; mode FILE_*. */
[[nodiscard]] int file_anonymous(const struct file_ops *ops, uint32_t type, uint32_t flags,
                                 uint32_t mode, void *priv, struct file **ret);
/* The same on an inode of the caller's, whose reference it takes over on success. */
[[nodiscard]] int file_on_inode(struct inode *inode, const char *name, const struct file_ops *ops,
                                uint32_t flags, uint32_t mode, void *priv, struct file **ret);
void file_label(const struct file_ops *ops, uint64_t ino, char *dst, size_t size);
[[nodiscard]] int64_t file_read_iter(struct file *f, struct iter *to, uint64_t *pos,
                                     uint32_t flags);
[[nodiscard]] int64_t file_write_iter(struct file *f, struct iter *from, uint64_t *pos,
                                      uint32_t flags);
[[nodiscard]] int file_truncate(struct inode *inode, uint64_t size);
uint32_t file_poll(struct file *f, struct poll_table *pt);
/* For objects that let themselves be sought without effect. */
int64_t file_seek_nothing(struct file *f, int64_t offset, int whence);
/* Where it stands, wherever that is kept. */
uint64_t file_position(struct file *f);
extern const struct file_ops inode_file_ops; /* regular files and directories by inode ops */
static inline bool file_nonblock(const struct file *f)
{
    return (__atomic_load_n(&f->flags, __ATOMIC_RELAXED) & O_NONBLOCK) != 0;
}

/* ---- start-up ---- */

struct fs_config {
    /* Developer mode: an open host directory that becomes the read-only lower of the root. -1: the
     * root is empty (in-memory) unless root_sb is given. */
    int root_fd;
    struct superblock *root_sb; /* a sealed root (EROFS): takes precedence */
    bool root_writable;         /* in-memory overlay above the root */
    size_t host_cache_max;      /* bytes of host file content kept; 0: default */
    const char *hostname;       /* NULL: "nacre" */
    uint64_t memory_limit;      /* what /proc/meminfo and cgroup files show; 0: unlimited */
    uint32_t cpus;              /* how many processors are shown; 0: ask the host */
    /* passed-through directories */
    const struct fs_bind {
        const char *target; /* absolute */
        int host_fd;
        bool writable;
    } * binds;
    size_t bind_count;
};
/* Mounts /, /proc, /sys, /dev, /dev/shm, /tmp and the binds, and opens the standard streams as
 * descriptors 0, 1 and 2 of the current process (which has files and fs set by fs_process_init). */
[[nodiscard]] int fs_init(const struct fs_config *config);
/* A protected start: an empty root in memory with /proc and a /dev that has the private device, and
 * the streams. */
struct file_ops;
[[nodiscard]] int fs_init_agent(const struct fs_config *config, const struct file_ops *private_ops);
/* The application's tree in place of the agent's, streams as they are. The binds are left to
 * fs_mount_binds, so that nothing put into the tree before can end up in a host directory. What was
 * mounted stays when it fails half-way: the caller must not go on. */
[[nodiscard]] int fs_switch_root(const struct fs_config *config);
[[nodiscard]] int fs_mount_binds(const struct fs_config *config);
/* A file system (taken over on success) on a directory, which is made if need be. */
[[nodiscard]] int fs_mount_on(const char *where, struct superblock *sb, uint32_t flags,
                              const char *source);
/* A file in memory at an absolute path, in place of what is there (a directory is -EISDIR);
 * directories on the way are made with mode 0755. */
[[nodiscard]] int fs_inject(const char *path, uint32_t mode, uint32_t uid, uint32_t gid,
                            const void *data, size_t size);
