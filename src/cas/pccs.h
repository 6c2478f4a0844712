/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Collateral from a provisioning certificate caching service (Intel PCCS) or from Intel's own
 * service (PCS), API version 4. Everything it answers is signed by Intel and is checked when it is
 * used, so whoever stands between can withhold collateral but not make any.
 */

#include "attest/verifier.h"
#include "base/error.h"

#define PCCS_PATH "/sgx/certification/v4"

struct pccs;

/* `url`: "https://HOST[:PORT]", with or without PCCS_PATH behind it. `cache_dir` is made when it is
 * missing. `ca_file` (may be NULL): PEM certificates that vouch for the server instead of the
 * system's. */
[[nodiscard]] int pccs_new(const char *url, const char *ca_file, const char *cache_dir,
                           struct pccs **ret, struct error **err);
struct pccs *pccs_free(struct pccs *p);

/* Fetches the set of one platform into a directory below the cache, in the place of the one that is
 * there; readers see either. The context is a struct pccs. */
int pccs_fetch(void *ctx, const struct att_platform *platform, struct error **err);

/* Fetches again what lies in the cache for longer than `seconds`. Returns how many sets were
 * fetched; sets that cannot be had stay as they are, and *err says why for the last of them. */
int pccs_renew(struct pccs *p, int64_t now, int64_t seconds, struct error **err);
