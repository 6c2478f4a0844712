/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/fs/fork.h"
#include "core/types.h"
#include "libos/fs/epoll.h"

int fs_fork_prepare(void)
{
    epoll_fork_prepare();
    return 0;
}

void fs_fork_done(bool made)
{
}

void fs_after_fork(void)
{
    epoll_after_fork();
}
