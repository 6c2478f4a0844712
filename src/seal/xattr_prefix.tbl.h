/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The name prefixes EROFS knows: X(index on disk, prefix, whether a name must follow). A longer
 * prefix stands before a shorter one that would match as well.
 */

X(1, "user.", true)
X(2, "system.posix_acl_access", false)
X(3, "system.posix_acl_default", false)
X(4, "trusted.", true)
X(6, "security.", true)
