/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* /dev: the devices every program expects. Random numbers come from the processor. */

#include "libos/fs/inode.h"

struct file_ops;

[[nodiscard]] int devfs_create(struct superblock **ret);
/* The same for the agent of a protected start: with /dev/nacre (abi/agent_device.h), which no other
 * tree ever has. `private_ops` stays borrowed. */
[[nodiscard]] int devfs_create_agent(const struct file_ops *private_ops, struct superblock **ret);
