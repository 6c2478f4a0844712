/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* netdevice(7): what there is to ask about network interfaces by ioctl, on a socket of any family.
 */

#include "core/types.h"

bool interface_request(uint32_t request);
/* Reads pass to the host and are checked; changes are -EPERM. */
[[nodiscard]] int64_t interface_ioctl(uint32_t request, uint64_t user_arg);
