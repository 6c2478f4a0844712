/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* A CAS in a directory of its own, with a clock that stands where the test puts it. */

#include "cas/service.h"

extern struct cas *g_cas;
extern int64_t g_now;

/* A file of its directory; good until the next call. */
const char *cas_fixture_path(const char *name);

/* Group setup and teardown of cmocka. */
int cas_fixture_setup(void **state);
int cas_fixture_teardown(void **state);
/* What is in the directory, opened (again). */
[[nodiscard]] int cas_fixture_open(void);
