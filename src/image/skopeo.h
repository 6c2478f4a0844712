/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * skopeo, which reaches registries, docker and containers-storage. It is told where docker is, as
 * docker's own client is by DOCKER_HOST, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH; everything else it
 * takes from the environment and its own files.
 */

#include "image/store.h"

/* -ENOENT with the next step when skopeo, which `reference` needs, is not on the PATH. */
[[nodiscard]] int skopeo_have(const char *reference, struct error **err);

/* Copies an image; one of the two is a layout, "oci:DIR:TAG". Its messages go to standard error. */
[[nodiscard]] int skopeo_copy(const char *from, const char *to, struct error **err);

/* Copies an image it can reach into a temporary OCI layout, and opens that. */
[[nodiscard]] int skopeo_fetch(const char *reference, struct img_store **ret, struct error **err);
