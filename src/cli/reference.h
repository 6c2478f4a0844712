/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Image names without a transport, as people type them for docker. */

#include "base/error.h"

/*
 * A name with a transport ("oci:…") stays. A bare one to read is an OCI layout of that name in the
 * working directory, else an image of the docker daemon, else of podman's storage; a bare one to
 * write is an image of the docker daemon, or without one an OCI layout in the working directory.
 * Malloc'd.
 */
[[nodiscard]] int reference_complete(const char *name, bool to_write, char **ret,
                                     struct error **err);
