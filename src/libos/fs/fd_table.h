/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Descriptor tables: descriptor -> (file, close-on-exec). */

#include "core/types.h"

struct fd_table;
struct file;
struct process;

#define FD_TABLE_LIMIT (1u << 20) /* never more, whatever the resource limit says */

[[nodiscard]] int fd_table_create(struct fd_table **ret);
/* A copy for fork: the same open files, each with one more reference. */
[[nodiscard]] int fd_table_clone(struct fd_table *t, struct fd_table **ret);
/* execve: closes what is marked. */
void fd_table_close_on_exec(struct fd_table *t);
/* Closes everything and frees the table; NULL is fine. */
void fd_table_destroy(struct fd_table *t);
/* RLIMIT_NOFILE, the soft limit, and never more than FD_TABLE_LIMIT. */
uint64_t fd_table_limit(void);

/* The lowest free descriptor not below `min`. Takes over the reference on success. */
[[nodiscard]] int fd_install(struct file *f, bool cloexec, int min);
/* Puts a file at exactly `fd`, closing what was there. Takes over the reference on success. */
[[nodiscard]] int fd_install_at(struct file *f, bool cloexec, int fd);
[[nodiscard]] int fd_close(int fd);
/* Closes, or marks close-on-exec, [first, last]. */
[[nodiscard]] int fd_close_range(uint32_t first, uint32_t last, bool cloexec_only);
[[nodiscard]] int fd_get_cloexec(int fd);
[[nodiscard]] int fd_set_cloexec(int fd, bool on);
/* For /proc: the next used descriptor >= fd, with a reference of its file; -1 at the end. */
int fd_next(int fd, struct file **ret);
/* Every open file of a table, once for each descriptor. Nobody else uses the table meanwhile. */
void fd_table_for_each(struct fd_table *t, void (*f)(struct file *f, void *arg), void *arg);
size_t fd_table_size(const struct fd_table *t); /* for FDSize in /proc/self/status */
