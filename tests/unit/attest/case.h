/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* A verification case: a folder in the layout of the shared vectors, or of tests/vectors/attest. */

#include <jansson.h>

#include "attest/verifier.h"
#include "base/alloc.h"
#include "base/fs.h"

struct bytes {
    uint8_t *data;
    size_t size;
};

struct test_case {
    char *dir;
    struct bytes quote;
    struct bytes tcb_info;
    struct bytes qe_identity;
    struct bytes signing_chain;
    struct bytes pck_crl;
    struct bytes root_crl;
    struct bytes pck_chain;
    json_t *expected;
};

/* Fails the test when a file cannot be read. */
void case_load(const char *dir, struct test_case *ret);
void case_free(struct test_case *c);

struct att_collateral_input case_input(const struct test_case *c);

/* Parses the collateral and verifies the quote, both from scratch. */
int case_verify(const struct test_case *c, const struct att_root *root, int64_t time,
                struct att_claims *ret_claims, struct att_reason *why);

/* Reads one file; fails the test when it is not there. */
struct bytes read_bytes(const char *dir, const char *name);

/* $NACRE_VECTORS/sub, or NULL after printing why the test is skipped. The caller frees it. */
char *vectors_dir(const char *sub);
/* The project's own vectors. */
char *own_vectors_dir(const char *sub);
void own_root(const char *file, enum att_root_class root_class, struct att_root *ret);
void own_case(const char *name, struct test_case *ret);
#define OWN_VERIFY_TIME INT64_C(1770000000)

/* Sorted names of the folders in `dir` that begin with `prefix`. Returns the count;
 * NULL-terminated.
 */
size_t list_cases(const char *dir, const char *prefix, char ***ret);
void free_names(char **names);
