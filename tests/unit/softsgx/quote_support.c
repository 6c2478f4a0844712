/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/state_dir.h"
#include "softsgx/root_internal.h"

#include "quote_support.h"

static char g_dir[] = "/tmp/nacre-test-quote-XXXXXX";

const char *in_dir(const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % ARRAY_COUNT(paths)];

    (void)snprintf(path, sizeof(paths[0]), "%s/%s", g_dir, name);
    return path;
}

void on_machine(const char *name)
{
    assert_int_equal(setenv(STATE_DIR_ENV, in_dir(name), 1), 0);
}

struct soft_root *open_root(void)
{
    _cleanup_error_ struct error *err = NULL;
    struct soft_root *root = NULL;

    if (soft_root_open(&root, &err) < 0) {
        fail_msg("%s", error_text(err));
    }
    return root;
}

static void read_set(const char *dir, struct set *ret)
{
    _cleanup_free_ uint8_t *root = NULL;
    struct att_reason why = {0};
    char path[512];
    size_t size;

    for (size_t i = 0; i < 5; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, soft_collateral_files[i]);
        assert_int_equal(fs_read_file(path, 65536, &ret->data[i], &ret->size[i], NULL), 0);
    }
    (void)snprintf(path, sizeof(path), "%s/root_ca.pem", dir);
    assert_int_equal(fs_read_file(path, 65536, &root, &size, NULL), 0);
    if (att_root_from_cert(root, size, ATT_ROOT_SOFTWARE, NULL, &ret->root, &why) < 0) {
        fail_msg("%s: %s", att_code_sentence(why.code), why.detail);
    }
}

void free_set(struct set *s)
{
    for (size_t i = 0; i < 5; i++) {
        free(s->data[i]);
    }
}

int load_set(const struct set *s, const struct att_root *root, struct att_collateral **ret,
             struct att_reason *why)
{
    const struct att_collateral_input in = {
        .tcb_info = {s->data[0], s->size[0]},
        .qe_identity = {s->data[1], s->size[1]},
        .tcb_signing_chain = {s->data[2], s->size[2]},
        .pck_crl = {s->data[3], s->size[3]},
        .root_ca_crl = {s->data[4], s->size[4]},
    };

    return att_collateral_new(&in, root, 1, ret, why);
}

void export_set(const struct soft_root *root, const char *name, struct set *ret)
{
    assert_int_equal(soft_root_export(root, in_dir(name), NULL), 0);
    read_set(in_dir(name), ret);
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    return kind == FTW_DP ? rmdir(path) : unlink(path);
}

int quote_setup(void **state)
{
    return mkdtemp(g_dir) == NULL ? -ENOENT : 0;
}

int quote_teardown(void **state)
{
    return nftw(g_dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}
