/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Resource limits and names, for the areas that enforce or show them. */

#include "core/types.h"

uint64_t limit_current(int resource); /* RLIMIT_* */
uint64_t limit_maximum(int resource);
/* At boot, from the launch parameters. */
void limit_set_initial(int resource, uint64_t current, uint64_t maximum);

const char *ident_hostname(void);
void ident_set_hostname(const char *name);
const char *ident_release(void); /* uname -r */
const char *ident_version(void);

struct strbuf;

bool ident_no_new_privs(void);
/* Supplementary groups. */
bool ident_in_group(uint32_t gid);
[[nodiscard]] int ident_set_groups(const uint32_t *groups, size_t count); /* -EINVAL: too many */
void ident_format_groups(struct strbuf *out);                             /* "1 2 3" */
