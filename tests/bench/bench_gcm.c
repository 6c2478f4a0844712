/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * gcm-4k: raw AES-256-GCM of 4 KiB messages through core/aead (each level this processor has)
 * beside OpenSSL's. seal-write: blocks through the sealing writer into a file, tree and all.
 * seal-read: the same file back through the verifying reader, every block for the first time.
 * Medians, GB/s.
 */

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/aead.h"
#include "image/seal_write.h"
#include "image/sealed_file.h"

#define ROUNDS  9
#define BLOCKS  16384u /* 64 MiB */
#define MESSAGE 4096u

static uint8_t g_buf[256 * MESSAGE];

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
    const double d = *(const double *)a - *(const double *)b;

    return d < 0 ? -1 : d > 0;
}

static void report(const char *name, double *seconds)
{
    qsort(seconds, ROUNDS, sizeof(*seconds), by_value);
    printf("%-22s %6.2f GB/s of CPU time\n", name,
           (double)BLOCKS * MESSAGE / seconds[ROUNDS / 2] / 1e9);
}

static bool run_aead(void)
{
    static const uint8_t key[AEAD_KEY_SIZE] = {1};
    struct aead_key k;
    uint8_t nonce[AEAD_NONCE_SIZE] = {0};
    uint8_t tag[AEAD_TAG_SIZE];

    aead_key_init(&k, key);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        uint8_t *p = g_buf + i % 256 * MESSAGE;

        memcpy(nonce, &i, sizeof(i));
        aead_seal(&k, nonce, NULL, 0, p, MESSAGE, p, tag);
    }
    return tag[0] != 0 || tag[1] != 0;
}

static bool run_openssl(void)
{
    static const uint8_t key[32] = {1};
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t nonce[12] = {0};
    uint8_t tag[16];
    int n;
    bool ok = ctx != NULL && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1;

    for (uint32_t i = 0; ok && i < BLOCKS; i++) {
        uint8_t *p = g_buf + i % 256 * MESSAGE;

        memcpy(nonce, &i, sizeof(i));
        ok = EVP_EncryptInit_ex(ctx, NULL, NULL, NULL, nonce) == 1 &&
             EVP_EncryptUpdate(ctx, p, &n, p, MESSAGE) == 1 &&
             EVP_EncryptFinal_ex(ctx, p, &n) == 1 &&
             EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, 16, tag) == 1;
    }
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

static char g_path[] = "/tmp/nacre-bench-seal-XXXXXX";

static bool run_write(void)
{
    static const uint8_t key[32] = {2};
    static const uint8_t salt[32] = {3};
    _cleanup_seal_writer_ struct seal_writer *w = NULL;
    uint8_t root[32];
    int r = seal_writer_new(g_path, BLOCKS, key, salt, &w, NULL);

    for (uint64_t i = 0; r == 0 && i < BLOCKS; i += 256) {
        r = seal_writer_put(w, i, g_buf, 256, NULL);
    }
    return r == 0 && seal_writer_finish(w, root, NULL) == 0;
}

static bool run_read(void)
{
    static const uint8_t key[32] = {2};
    _cleanup_sealed_file_ struct sealed_file *f = NULL;
    int r = sealed_file_open(g_path, key, NULL, &f, NULL);

    for (uint64_t i = 0; r == 0 && i < BLOCKS; i++) {
        r = sealed_file_read_block(f, i, g_buf);
    }
    return r == 0;
}

static bool measure(const char *name, bool (*work)(void))
{
    double seconds[ROUNDS];

    for (int i = 0; i < ROUNDS; i++) {
        const double start = now();

        if (!work()) {
            fprintf(stderr, "%s failed\n", name);
            return false;
        }
        seconds[i] = now() - start;
    }
    report(name, seconds);
    return true;
}

int main(void)
{
    static const char *const names[] = {"gcm-4k (SSE)", "gcm-4k (AVX2)", "gcm-4k (AVX-512)"};
    const enum aead_level best = aead_get_level();
    int fd = mkstemp(g_path);
    bool ok = fd >= 0 && close(fd) == 0;

    for (int level = AEAD_SSE; ok && level <= (int)best; level++) {
        aead_set_level((enum aead_level)level);
        ok = measure(names[level], run_aead);
    }
    ok = ok && measure("gcm-4k (OpenSSL)", run_openssl) && measure("seal-write", run_write) &&
         measure("seal-read (first)", run_read);
    (void)unlink(g_path);
    return ok ? 0 : 1;
}
