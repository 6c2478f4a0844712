/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/fs/fork.h"
#include "core/types.h"
#include "libos/family/share.h"
#include "libos/fs/epoll.h"

int fs_fork_prepare(void)
{
    share_prepare();
    epoll_fork_prepare();
    return 0;
}

void fs_fork_done(bool made)
{
    share_done();
}

void fs_after_fork(void)
{
    epoll_after_fork();
}
