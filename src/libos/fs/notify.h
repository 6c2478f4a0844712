/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Telling inotify what happened in here (changes by the host are not seen). */

#include "libos/fs/file.h"

/* Something happened to the object at a path: its own watches and its directory's hear of it. */
void notify_path(const struct path *p, uint32_t mask);
/* An entry of a directory came, went or moved: the directory's watches hear of it. */
void notify_entry(struct inode *dir, const char *name, size_t len, uint32_t mask, uint32_t cookie);
/* The object itself: IN_DELETE_SELF, IN_MOVE_SELF, IN_ATTRIB. */
void notify_inode(struct inode *inode, uint32_t mask);
uint32_t notify_cookie(void);
/* The inode is going away: its watches go with IN_IGNORED. */
void notify_gone(struct inode *inode);
bool notify_active(void);
