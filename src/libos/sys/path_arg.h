/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Arguments that most file calls share. */

#include "libos/fs/file.h"
#include "libos/mm/kmem.h"
#include "libos/mm/user.h"

/* Resolves an application's path: AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH from `at_flags`; `follow`
 * is what happens without them. */
[[nodiscard]] static inline int path_arg(int dirfd, uint64_t user_path, int at_flags, bool follow,
                                         struct path *ret)
{
    _cleanup_kfree_ char *name = NULL;
    uint32_t lookup = 0;
    int r = user_get_path(user_path, &name);

    if (r < 0) {
        return r;
    }
    if ((at_flags & AT_SYMLINK_FOLLOW) != 0 || (follow && (at_flags & AT_SYMLINK_NOFOLLOW) == 0)) {
        lookup |= LOOKUP_FOLLOW;
    }
    if ((at_flags & AT_EMPTY_PATH) != 0) {
        lookup |= LOOKUP_EMPTY;
    }
    return path_lookup(dirfd, name, lookup, ret);
}
