/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * What stands in a backup, behind its encryption: any plaintext either restores or leaves nothing.
 * The input is sealed here under a key of our own, so that the fuzzer gets at the list of files.
 */

#include "fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "cas/backup_internal.h"

static char g_dir[] = "/tmp/nacre-fuzz-backup-XXXXXX";
static char g_file[64];
static char g_target[64];
static struct evp_pkey_st *g_key;

static void start(void)
{
    static const uint8_t scalar[32] = {[31] = 7};

    if (g_key == NULL) {
        FUZZ_CHECK(mkdtemp(g_dir) != NULL);
        (void)snprintf(g_file, sizeof(g_file), "%s/b", g_dir);
        (void)snprintf(g_target, sizeof(g_target), "%s/t", g_dir);
        FUZZ_CHECK(crypto_p256_from_scalar(scalar, &g_key) == 0);
    }
}

static void seal(const struct backup_lock *lock, const uint8_t *data, size_t size)
{
    _cleanup_(backup_stream_clear) struct backup_stream s = {0};
    uint8_t header[BACKUP_HEADER_SIZE];
    uint8_t key[32];
    FILE *f = fopen(g_file, "we");

    FUZZ_CHECK(f != NULL && backup_key_make(lock, header, key, NULL) == 0);
    FUZZ_CHECK(fwrite(header, 1, sizeof(header), f) == sizeof(header));
    FUZZ_CHECK(backup_stream_open(f, header, key, &s) == 0 && backup_put(&s, data, size) == 0 &&
               backup_finish(&s) == 0);
    (void)fclose(f);
}

static void clean(void)
{
    static const char *const names[] = {"cas.db", "master.key", "tls-key.pem", "tls-cert.pem",
                                        "audit.log"};
    char path[128];

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", g_target, names[i]);
        (void)unlink(path);
    }
    FUZZ_CHECK(rmdir(g_target) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct backup_lock lock = {0};
    int r;

    start();
    lock.key = g_key;
    seal(&lock, data, size);
    r = backup_restore(g_file, &lock, g_target, NULL);
    if (r == 0) {
        clean();
    }
    /* Nothing else may be left beside the file; then the folder goes, and comes back. */
    FUZZ_CHECK(unlink(g_file) == 0);
    FUZZ_CHECK(rmdir(g_dir) == 0);
    (void)snprintf(g_dir + sizeof(g_dir) - 7, 7, "XXXXXX");
    g_key = crypto_key_free(g_key);
    return 0;
}
