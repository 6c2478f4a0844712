/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* USER of an image, in numbers: CAS has no /etc/passwd to look into. */

#include "convert/rootfs.h"
#include "policy/ast.h"

/* Resolves NAME|UID[:GROUP|GID] with the image's /etc/passwd and /etc/group as engines do: without
 * a group the user's own, and the groups that list him. `present` is false for root and nothing
 * else. -ENOENT names what the image does not know. */
[[nodiscard]] int user_resolve(const struct rootfs *fs, const char *text, struct pol_user *ret,
                               struct error **err);

/* "UID:GID:GROUP,…" as the session language writes it. */
void user_print(const struct pol_user *u, char *dst, size_t size);
