/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cas/cas_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fs.h"

struct cas *g_cas;
int64_t g_now;

static char g_folder[64];

static int64_t fake_now(void)
{
    return g_now;
}

const char *cas_fixture_path(const char *name)
{
    static char p[128];

    (void)snprintf(p, sizeof(p), "%s/%s", g_folder, name);
    return p;
}

int cas_fixture_open(void)
{
    static const uint8_t key[STORE_KEY_SIZE] = "0123456789abcdef0123456789abcde";
    struct cas_options o = {.now = fake_now};

    return store_sqlite_open(cas_fixture_path("cas.db"), key, &o.store, NULL) < 0 ||
                   audit_open(cas_fixture_path("audit.log"), &o.audit, NULL) < 0 ||
                   cas_new(&o, &g_cas, NULL) < 0
               ? -EIO
               : 0;
}

int cas_fixture_setup(void **state)
{
    (void)snprintf(g_folder, sizeof(g_folder), "/tmp/nacre-cas-test-XXXXXX");
    g_now = 1780000000;
    return mkdtemp(g_folder) != NULL ? cas_fixture_open() : -EIO;
}

int cas_fixture_teardown(void **state)
{
    cas_freep(&g_cas);
    return fs_remove_tree(g_folder);
}
