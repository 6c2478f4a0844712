/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The owner's side of shared objects: which member holds what. Every handle keeps a reference, so a
 * file that a child has open stays open, and a removed one stays until the last process of the
 * family closed it. A member's handles go with it.
 */

#include "libos/family/rpc.h"
#include "libos/family/wire.h"
#include "libos/fs/file.h"

enum home_kind { HOME_FREE, HOME_INODE, HOME_FILE };

/* Sets the handlers. Once, when the process becomes the owner. */
void home_start(void);

/* One more grant of an object to a member; takes a reference of its own with the first. */
[[nodiscard]] int home_grant_inode(uint32_t member, struct inode *inode, uint32_t *ret);
[[nodiscard]] int home_grant_file(uint32_t member, struct file *f, uint32_t *ret);
/* No second grant when the member has one. */
[[nodiscard]] int home_grant_inode_once(uint32_t member, struct inode *inode, uint32_t *ret);
[[nodiscard]] int home_grant_file_once(uint32_t member, struct file *f, uint32_t *ret);
void home_drop(uint32_t member, uint32_t handle, uint32_t grants);
/* With a reference; NULL: no such handle of that member's, or of another kind. */
struct inode *home_inode(uint32_t member, uint32_t handle);
struct file *home_file(uint32_t member, uint32_t handle);
/* In a child of the owner: what members hold is the parent's affair. The references they account
 * for go without any object noticing; what is left without one is a copy that nobody uses. */
void home_after_fork(void);
/* Everything `from` holds, for `to`, under the same numbers. */
[[nodiscard]] int home_clone(uint32_t from, uint32_t to);
/* Tells the member (once) when something changes about the object: for a file what its poll
 * operation queues on, for an inode its locks. */
[[nodiscard]] int home_arm(uint32_t member, uint32_t handle);
void home_disarm(uint32_t member, uint32_t handle);

/* The attributes of an inode, with a grant. */
[[nodiscard]] int home_attr(struct family_request *q, struct inode *inode, bool grant);

/* home_names.c, home_data.c, home_object.c, home_sock.c */
void home_names_start(void);
void home_data_start(void);
void home_object_start(void);
void home_sock_start(void);

/* A result on the service thread, where nothing may wait: "a signal came" is what a wait says
 * there, and -EAGAIN what the member hears. */
int64_t home_no_wait(int64_t r);

/* Data of this file may have to come from another process first: not on the thread for calls. */
static inline bool home_may_wait(const struct family_request *q, const struct inode *inode)
{
    return !q->may_block && inode != NULL && (inode->flags & INODE_SHARED) != 0;
}

/* A request's fixed part. */
#define HOME_TAKE(q, dst)            (cursor_copy(&(q)->body, (dst), sizeof(*(dst))))
/* The fixed part of one that begins with a handle, and the object of that handle with a reference.
 * -EBADMSG, -EBADF. */
#define HOME_TAKE_INODE(q, dst, ret) home_take_inode((q), (dst), sizeof(*(dst)), (ret))
#define HOME_TAKE_FILE(q, dst, ret)  home_take_file((q), (dst), sizeof(*(dst)), (ret))
[[nodiscard]] int home_take_inode(struct family_request *q, void *dst, size_t size,
                                  struct inode **ret);
[[nodiscard]] int home_take_file(struct family_request *q, void *dst, size_t size,
                                 struct file **ret);
