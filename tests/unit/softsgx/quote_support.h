/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Machines with software roots, and verifying what they quote. Failures end the test. */

#include "attest/verifier.h"
#include "softsgx/root.h"

/* A path in the test's own directory; the last eight results stay valid. */
const char *in_dir(const char *name);

/* From here on this process runs on the machine of that name: a state directory of its own. */
void on_machine(const char *name);

struct soft_root *open_root(void);

/* One collateral set, from a directory as `nacre softsgx root --export` writes it. */
struct set {
    uint8_t *data[5]; /* in the order of soft_collateral_files */
    size_t size[5];
    struct att_root root;
};
void export_set(const struct soft_root *root, const char *name, struct set *ret);
void free_set(struct set *s);
int load_set(const struct set *s, const struct att_root *root, struct att_collateral **ret,
             struct att_reason *why);

int quote_setup(void **state);
int quote_teardown(void **state);
