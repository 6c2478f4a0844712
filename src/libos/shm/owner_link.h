/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Between shm/link.c and family/owner_guests.c. */

#include "core/types.h"

/* A member's channel for pages stands on this descriptor: the pager reads it from now on. */
[[nodiscard]] int shm_link_admit(int fd, uint32_t member);
