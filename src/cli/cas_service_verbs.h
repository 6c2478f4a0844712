/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* The verbs of `nacre cas`, and what they share. */

#include "cli/cas_verbs.h"

/* Puts the collateral of this machine's software root in the place of "local"; *ret_path (the
 * caller's to free) is what the list then points to. */
int cas_use_local_root(struct arg_list *roots, char **ret_path, struct error **err);

int cas_backup_verb(int argc, char **argv, struct error **err);
int cas_restore_verb(int argc, char **argv, struct error **err);
int cas_attest_verb(int argc, char **argv, struct error **err);
int cas_status_verb(int argc, char **argv, struct error **err);
