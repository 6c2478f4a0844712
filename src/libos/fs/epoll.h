/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* epoll instances; the calls are in sys/poll.c. */

#include <linux/eventpoll.h>

#include "libos/fs/file.h"
#include "libos/lib/strbuf.h"

[[nodiscard]] int epoll_create_file(struct file **ret);
[[nodiscard]] int epoll_control(struct file *epf, int op, int fd, struct file *f,
                                const struct epoll_event *ev);
/* Somebody else reads from this file than the one thread that waits for it, or it is about to
 * change hands: what is on its way inside has arrived when this returns, and no more will come
 * unasked. */
void epoll_disown(struct file *f);
/* How many descriptors it watches: no more events can be ready at once. 0 when it is no epoll. */
uint32_t epoll_item_count(const struct file *f);
/* `deadline` 0: do not wait. Number of events, or -EINTR, -EINVAL. */
[[nodiscard]] int epoll_wait_events(struct file *epf, struct epoll_event *out, int max,
                                    uint64_t deadline);

/* In a child of fork: the host's epolls are shared with the parent, whose items they hold. Each
 * epoll gets one of its own; what the two processes change from here on the other does not see. */
void epoll_after_fork(void);
/* Some files have become remote ones (family/share.c): their items wait for those from now on. What
 * is ready then is told of, which can be once too often for EPOLLET. Nobody else runs. */
void epoll_files_turned(void);
/* In the parent before the copy: streams are about to be shared with the child. */
void epoll_fork_prepare(void);
