/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Resource limits and names, for the areas that enforce or show them. */

#include "core/types.h"
#include "libos/lib/sync.h"

#define IDENTITY_LIMITS 16u /* RLIM_NLIMITS */
#define IDENTITY_GROUPS 64u
#define IDENTITY_SLACK  50000u /* PR_SET_TIMERSLACK, ns */

struct limit {
    uint64_t current, maximum;
};
/* What a process is and may, beside its user ids; children start with a copy. */
struct identity {
    struct spinlock lock;
    struct limit limits[IDENTITY_LIMITS]; /* by RLIMIT_* */
    uint32_t persona;
    uint64_t timer_slack;
    uint32_t groups[IDENTITY_GROUPS];
    uint32_t group_count;
    bool dumpable;
    bool no_new_privs;
    bool child_subreaper; /* children do not inherit it */
};
/* The first process's. */
extern const struct identity identity_initial;

uint64_t limit_current(int resource); /* RLIMIT_* */
uint64_t limit_maximum(int resource);

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
