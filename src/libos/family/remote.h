/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * A member's side of shared objects: inodes and open files whose truth the owner holds. They are
 * another implementation of inode_ops and file_ops; nothing above knows the difference.
 *
 * Names are asked for at every walk (SB_VOLATILE); attributes with every stat. What waits, waits
 * here: the owner answers -EAGAIN and promises an event (wire.h, WIRE_ARM), so signals, poll and
 * epoll work as with objects of this process.
 */

#include "libos/family/wire.h"
#include "libos/fs/file.h"

/* Once, in every process that joins. */
void remote_start(void);

/* A file system of the owner's, seen from here. `like`: what it was before the fork. */
[[nodiscard]] int remote_super(const struct superblock *like, struct superblock **ret);
bool remote_is_super(const struct superblock *sb);
/* The inode of a handle that was granted once; attributes are taken from `like`. `lower`: what it
 * still is in all respects here (borrowed), or NULL. */
[[nodiscard]] int remote_inode_adopt(struct superblock *sb, uint32_t handle,
                                     const struct inode *like, struct inode *lower,
                                     struct inode **ret);
/* The owner's handle of a remote inode; 0 when the owner does not find it (any more). */
uint32_t remote_inode_handle(struct inode *inode);
/* Once a file system is turned: what of it the owner says has changed. */
[[nodiscard]] int remote_super_sync(struct superblock *sb);

/* Makes `f`, which nobody else uses at the moment, lead to an open file of the owner's. What it was
 * before is left as it is. */
[[nodiscard]] int remote_file_turn(struct file *f, uint32_t handle);
bool remote_is_file(const struct file *f);
uint32_t remote_file_handle(const struct file *f);
/* A pipe of the owner's. */
[[nodiscard]] int remote_pipe(uint32_t flags, struct file **ret_read, struct file **ret_write);
/* FIFOs: opens the inode at the owner's, waiting as told. */
[[nodiscard]] int remote_fifo_open(struct inode *inode, struct file *f);
/* Opens a pipe once more that this process made, by its inode (/proc/self/fd). -ENOENT: it is none
 * of those. */
[[nodiscard]] int remote_pipe_again(const struct inode *inode, struct file *f);
/* F_GETPIPE_SZ (0) and F_SETPIPE_SZ. */
[[nodiscard]] int64_t remote_pipe_size(const struct file *f, uint64_t size);

/* Who hears of changes behind a handle. */
struct remote_wait {
    struct remote_wait *next;
    uint32_t handle;
    bool timed;                /* the owner's answer to poll may say when to look again */
    const struct inode *inode; /* of a pipe made here; NULL: another file */
    struct waitq waiters;
};
void remote_wait_add(struct remote_wait *w, uint32_t handle);
void remote_wait_remove(struct remote_wait *w);
/* Gives handles of open files back. */
void remote_drop(uint32_t handle);
/* A file of this process's with its position at the owner's from now on (or one that is there
 * already): its handle. -EOPNOTSUPP: it is not the family's to share. */
[[nodiscard]] int remote_share_file(struct file *f, uint32_t *ret);
/* An object of this process's (fs/shared.h) moves to the owner; it is in nobody's hands now. */
[[nodiscard]] int remote_object_move(struct file *f);
/* On remote files of any kind: -EINVAL when it is another. */
struct itimerspec64;
[[nodiscard]] int remote_timer_set(struct file *f, int flags, uint64_t value, uint64_t interval,
                                   struct itimerspec64 *ret_old);
[[nodiscard]] int remote_timer_get(struct file *f, struct itimerspec64 *ret);
[[nodiscard]] int remote_inotify_watch(struct file *f, struct inode *inode, uint32_t mask);
[[nodiscard]] int remote_inotify_unwatch(struct file *f, int32_t wd);
/* Somebody of the family uses inotify, as far as the owner's last answers said. */
bool remote_notify_wanted(void);
void remote_notify_hint(bool wanted);
/* What happened here to an object of the owner's that the owner does not see: opened, read … */
void remote_notify(const struct path *p, uint32_t mask);
/* The file system of that number, as seen from here; NULL: none. */
struct superblock *remote_super_of_dev(uint64_t dev);
/* The inode of a grant that came with its attributes; takes the grant over, also when it fails. */
[[nodiscard]] int remote_inode_granted(struct superblock *sb, const struct wire_attr *a,
                                       struct inode **ret);
/* An open file of the owner's as one of ours; takes the handle over, also when it fails. */
[[nodiscard]] int remote_file_make(uint32_t handle, uint32_t type, uint32_t flags, uint32_t mode,
                                   struct file **ret);

/* Sockets (remote_sock.c): in a member every unix socket is the owner's. */
struct socket;
[[nodiscard]] int remote_sock_create(int type, struct socket **ret);
[[nodiscard]] int remote_sock_pair(int type, struct socket *ret[2]);
/* The socket behind `f`, a copy of the parent's, becomes the owner's. */
[[nodiscard]] int remote_sock_turn(struct file *f, uint32_t handle);
/* Its handle, or 0 when `f` is no such socket. */
uint32_t remote_sock_handle(const struct file *f);

/* Events of the owner's. */
void remote_inode_event(uint32_t handle);
bool remote_file_event(uint32_t handle);

/* One call whose request is a structure and whose answer is one. `steady`: for calls that are short
 * by design. */
[[nodiscard]] int64_t remote_ask(uint32_t op, const void *request, size_t size, void *answer,
                                 size_t cap, size_t *ret_size);
