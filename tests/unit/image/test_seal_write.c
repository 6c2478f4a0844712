/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/sha.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "image/seal_write.h"
#include "image/sealed_file.h"

#define BLOCKS 5

static const uint8_t key[32] = {1, 2, 3};
static const uint8_t salt[32] = {4, 5, 6};
static uint8_t g_plain[BLOCKS * 4096];
static char g_dir[] = "/tmp/nacre-test-sealw-XXXXXX";
static char g_path[128];

static int setup(void **state)
{
    for (size_t i = 0; i < sizeof(g_plain); i++) {
        g_plain[i] = (uint8_t)(i * i / 5);
    }
    if (mkdtemp(g_dir) == NULL) {
        return -1;
    }
    (void)snprintf(g_path, sizeof(g_path), "%s/out", g_dir);
    return 0;
}

static int teardown(void **state)
{
    return rmdir(g_dir);
}

static size_t files_in_dir(void)
{
    DIR *d = opendir(g_dir);
    size_t n = 0;

    assert_non_null(d);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        n += e->d_name[0] != '.';
    }
    closedir(d);
    return n;
}

static void seal_plain(uint8_t root[static 32])
{
    _cleanup_seal_writer_ struct seal_writer *w = NULL;

    assert_int_equal(seal_writer_new(g_path, BLOCKS, key, salt, &w, NULL), 0);
    assert_int_equal(seal_writer_put(w, 0, g_plain, BLOCKS, NULL), 0);
    assert_int_equal(seal_writer_finish(w, root, NULL), 0);
}

static void openssl_expand(const char *label, uint8_t *out, size_t size)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);

    assert_non_null(ctx);
    assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_hkdf_mode(ctx, EVP_PKEY_HKDEF_MODE_EXPAND_ONLY), 1);
    assert_int_equal(EVP_PKEY_CTX_set_hkdf_md(ctx, EVP_sha256()), 1);
    assert_int_equal(EVP_PKEY_CTX_set1_hkdf_key(ctx, key, sizeof(key)), 1);
    assert_int_equal(EVP_PKEY_CTX_add1_hkdf_info(ctx, (const uint8_t *)label, (int)strlen(label)),
                     1);
    assert_int_equal(EVP_PKEY_derive(ctx, out, &size), 1);
    EVP_PKEY_CTX_free(ctx);
}

/* The document, followed step by step with OpenSSL only: what a third party would write. */
static void test_seal_write_file_follows_the_document(void **state)
{
    _cleanup_free_ uint8_t *f = NULL;
    uint8_t root[32];
    uint8_t data_key[32];
    uint8_t mac_key[32];
    uint8_t id[16];
    uint8_t mac[32];
    uint8_t hash[32];
    uint8_t page[1 + 4096];
    uint8_t sb[26 + 4096];
    size_t size;
    unsigned n;

    seal_plain(root);
    assert_int_equal(fs_read_file(g_path, 1 << 20, &f, &size, NULL), 0);
    assert_int_equal(size, 4096 * (1 + BLOCKS + 1 + 1));
    assert_memory_equal(f, "\x89NSEAL\r\n\x01\0\0\0\x01\x01\x0c\0\x05\0\0\0\0\0\0\0", 24);
    assert_memory_equal(f + 48, salt, 32);
    openssl_expand("nacre sealed image v1 data", data_key, 32);
    openssl_expand("nacre sealed image v1 superblock", mac_key, 32);
    openssl_expand("nacre sealed image v1 key id", id, 16);
    assert_memory_equal(f + 80, id, 16);
    for (size_t i = 0; i < BLOCKS; i++) {
        EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
        uint8_t nonce[12] = {(uint8_t)i};
        uint8_t got[4096];
        int len;

        assert_int_equal(EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, data_key, nonce), 1);
        assert_int_equal(EVP_DecryptUpdate(ctx, got, &len, f + 4096 * (1 + i), 4096), 1);
        assert_int_equal(
            EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, 16, f + 4096 * (1 + BLOCKS) + 16 * i),
            1);
        assert_int_equal(EVP_DecryptFinal_ex(ctx, got + len, &len), 1);
        assert_memory_equal(got, g_plain + 4096 * i, 4096);
        EVP_CIPHER_CTX_free(ctx);
    }
    page[0] = 0;
    memcpy(page + 1, f + 4096 * (1 + BLOCKS), 4096);
    SHA256(page, sizeof(page), hash);
    assert_memory_equal(f + 4096 * (2 + BLOCKS), hash, 32);
    page[0] = 1;
    memcpy(page + 1, f + 4096 * (2 + BLOCKS), 4096);
    SHA256(page, sizeof(page), hash);
    assert_memory_equal(f + 96, hash, 32);
    memcpy(sb, "nacre sealed image v1 root", 26);
    memcpy(sb + 26, f, 4096);
    SHA256(sb, sizeof(sb), hash);
    assert_memory_equal(root, hash, 32);
    memset(sb + 26 + 128, 0, 32);
    assert_non_null(HMAC(EVP_sha256(), mac_key, 32, sb + 26, 4096, mac, &n));
    assert_memory_equal(f + 128, mac, 32);
    assert_int_equal(unlink(g_path), 0);
}

static void test_seal_write_same_inputs_give_the_same_bits(void **state)
{
    _cleanup_free_ uint8_t *a = NULL;
    _cleanup_free_ uint8_t *b = NULL;
    uint8_t root_a[32];
    uint8_t root_b[32];
    size_t size_a;
    size_t size_b;

    seal_plain(root_a);
    assert_int_equal(fs_read_file(g_path, 1 << 20, &a, &size_a, NULL), 0);
    seal_plain(root_b); /* replaces the first */
    assert_int_equal(fs_read_file(g_path, 1 << 20, &b, &size_b, NULL), 0);
    assert_int_equal(size_a, size_b);
    assert_memory_equal(a, b, size_a);
    assert_memory_equal(root_a, root_b, 32);
    assert_int_equal(unlink(g_path), 0);
}

#define MANY 1500u /* blocks: enough for the thread that writes */

/* What a writer makes of `count` blocks that come in pieces: the second half first, in pieces of
 * growing size, or all of them at once. */
static uint8_t *seal_pieces(const uint8_t *plain, uint64_t count, bool pieces,
                            uint8_t root[static 32])
{
    _cleanup_seal_writer_ struct seal_writer *w = NULL;
    uint8_t *file = NULL;
    size_t step = 1;
    size_t size;

    assert_int_equal(seal_writer_new(g_path, count, key, salt, &w, NULL), 0);
    if (!pieces) {
        assert_int_equal(seal_writer_put(w, 0, plain, count, NULL), 0);
    }
    for (uint64_t half = 0; half < 2 && pieces; half++) {
        const uint64_t end = half == 0 ? count : count / 2;

        for (uint64_t at = half == 0 ? count / 2 : 0; at < end; step = step * 3 % 197) {
            const size_t n = MIN(step, (size_t)(end - at));

            assert_int_equal(seal_writer_put(w, at, plain + at * 4096, n, NULL), 0);
            at += n;
        }
    }
    assert_int_equal(seal_writer_finish(w, root, NULL), 0);
    assert_int_equal(fs_read_file(g_path, 16 << 20, &file, &size, NULL), 0);
    assert_true(size > count * 4096);
    assert_int_equal(unlink(g_path), 0);
    return file;
}

static void test_seal_write_pieces_of_any_size_and_order(void **state)
{
    static const uint64_t counts[] = {1, 62, 63, 64, 65, 127, 300, MANY};
    _cleanup_free_ uint8_t *plain = malloc(MANY * 4096);

    assert_non_null(plain);
    for (size_t i = 0; i < MANY * 4096; i++) {
        plain[i] = (uint8_t)(i * 2654435761u >> 13);
    }
    for (size_t i = 0; i < ARRAY_COUNT(counts); i++) {
        uint8_t root[2][32];
        _cleanup_free_ uint8_t *whole = seal_pieces(plain, counts[i], false, root[0]);
        _cleanup_free_ uint8_t *parts = seal_pieces(plain, counts[i], true, root[1]);

        assert_memory_equal(root[0], root[1], 32);
        assert_memory_equal(whole, parts, counts[i] * 4096);
    }
}

static void test_seal_write_a_block_twice_or_never_is_refused(void **state)
{
    _cleanup_seal_writer_ struct seal_writer *w = NULL;
    _cleanup_error_ struct error *err = NULL;
    uint8_t root[32];

    assert_int_equal(seal_writer_new(g_path, BLOCKS, key, salt, &w, NULL), 0);
    assert_int_equal(seal_writer_put(w, 0, g_plain, BLOCKS - 1, NULL), 0);
    assert_int_equal(seal_writer_put(w, 1, g_plain, 1, &err), -EEXIST);
    assert_int_equal(seal_writer_put(w, BLOCKS, g_plain, 1, &err), -EINVAL);
    assert_int_equal(seal_writer_finish(w, root, &err), -EINVAL);
    assert_non_null(strstr(error_text(err), "1 of 5 blocks"));
    assert_int_equal(files_in_dir(), 0);
}

static void test_seal_write_killed_leaves_nothing_behind(void **state)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        struct seal_writer *w;

        if (seal_writer_new(g_path, BLOCKS, key, salt, &w, NULL) < 0 ||
            seal_writer_put(w, 0, g_plain, 2, NULL) < 0) {
            _exit(1);
        }
        (void)raise(SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(files_in_dir(), 0);
}

static void test_seal_write_full_disk_is_a_clean_error(void **state)
{
    _cleanup_seal_writer_ struct seal_writer *w = NULL;
    _cleanup_error_ struct error *err = NULL;
    int r;

    if (mount("tmpfs", g_dir, "tmpfs", 0, "size=16k") < 0) {
        print_message("# skipped: mounting a small tmpfs: %s\n", strerror(errno));
        skip();
    }
    r = seal_writer_new(g_path, BLOCKS, key, salt, &w, &err);
    if (r == 0) {
        r = seal_writer_put(w, 0, g_plain, BLOCKS, &err);
    }
    w = seal_writer_free(w);
    assert_int_equal(files_in_dir(), 0);
    assert_int_equal(umount(g_dir), 0);
    assert_int_equal(r, -ENOSPC);
    assert_non_null(strstr(error_text(err), "No space left"));
    assert_non_null(strstr(error_text(err), g_path));
}

/* Enough of them that a thread of its own writes. */
#define MANY 1500u

static int put_many(struct seal_writer *w, struct error **err)
{
    static uint8_t blocks[100][4096];
    int r = 0;

    for (uint64_t at = 0; r == 0 && at < MANY; at += ARRAY_COUNT(blocks)) {
        for (size_t i = 0; i < ARRAY_COUNT(blocks); i++) {
            const uint64_t number = at + i;

            memset(blocks[i], (int)(number % 251), sizeof(blocks[i]));
            memcpy(blocks[i], &number, sizeof(number));
        }
        r = seal_writer_put(w, at, blocks[0], ARRAY_COUNT(blocks), err);
    }
    return r;
}

static void test_seal_write_many_blocks_are_written_beside_encrypting(void **state)
{
    _cleanup_seal_writer_ struct seal_writer *w = NULL;
    _cleanup_sealed_file_ struct sealed_file *f = NULL;
    uint8_t root[32];

    assert_int_equal(seal_writer_new(g_path, MANY, key, salt, &w, NULL), 0);
    assert_int_equal(put_many(w, NULL), 0);
    assert_int_equal(seal_writer_wait(w, NULL), 0);
    assert_int_equal(seal_writer_wait(w, NULL), 0);
    assert_int_equal(seal_writer_finish(w, root, NULL), 0);
    assert_int_equal(sealed_file_open(g_path, key, root, &f, NULL), 0);
    for (uint64_t i = 0; i < MANY; i++) {
        uint8_t block[4096];
        uint64_t number;

        assert_int_equal(sealed_file_read_block(f, i, block), 0);
        memcpy(&number, block, sizeof(number));
        assert_int_equal(number, i);
        assert_int_equal(block[4095], i % 251);
    }
    assert_int_equal(unlink(g_path), 0);
}

/* The thread that writes finds the disk full: a later call says so, and the image gets no name. */
static void test_seal_write_a_write_that_fails_later_is_told(void **state)
{
    for (int wait = 0; wait < 2; wait++) {
        _cleanup_seal_writer_ struct seal_writer *w = NULL;
        _cleanup_error_ struct error *err = NULL;
        _cleanup_close_ int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
        uint8_t root[32];
        int fd;
        int r;

        assert_true(full >= 0);
        fd = dup(full); /* the descriptor that the writer will get */
        assert_int_equal(close(fd), 0);
        assert_int_equal(seal_writer_new(g_path, MANY, key, salt, &w, NULL), 0);
        assert_int_equal(dup2(full, fd), fd);
        r = put_many(w, &err);
        if (r == 0) {
            r = wait != 0 ? seal_writer_wait(w, &err) : seal_writer_finish(w, root, &err);
        }
        assert_int_equal(r, -ENOSPC);
        assert_non_null(strstr(error_text(err), "No space left"));
        assert_true(seal_writer_finish(w, root, NULL) < 0);
        w = seal_writer_free(w);
        assert_int_equal(files_in_dir(), 0);
    }
}

static void test_sealed_file_tells_what_and_where(void **state)
{
    _cleanup_sealed_file_ struct sealed_file *f = NULL;
    _cleanup_error_ struct error *err = NULL;
    const uint8_t *data;
    uint8_t root[32];
    uint8_t wrong[32] = {9};
    FILE *io;
    int r;

    seal_plain(root);
    assert_int_equal(sealed_file_open(g_path, wrong, NULL, &f, &err), -EKEYREJECTED);
    assert_non_null(strstr(error_text(err), "another key"));
    assert_int_equal(sealed_file_open(g_path, key, wrong, &f, &err), -EKEYREJECTED);
    assert_non_null(strstr(error_text(err), "not the pinned image"));
    io = fopen(g_path, "r+");
    assert_non_null(io);
    assert_int_equal(fseek(io, 2 * 4096 + 7, SEEK_SET), 0);
    assert_int_equal(fputc('!', io), '!');
    assert_int_equal(fclose(io), 0);
    assert_int_equal(sealed_file_open(g_path, key, root, &f, &err), 0);
    for (uint64_t i = 0; i < BLOCKS; i++) {
        r = sealed_file_get(f, i, &data);
        assert_int_equal(r, i == 1 ? -EBADMSG : 0);
        if (r == 0) {
            assert_memory_equal(data, g_plain + 4096 * i, 4096);
        } else {
            assert_int_equal(sealed_file_error(f, r, &err), -EBADMSG);
            assert_non_null(strstr(error_text(err), "data block that was changed (at byte 8192)"));
        }
    }
    assert_int_equal(unlink(g_path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seal_write_file_follows_the_document),
        cmocka_unit_test(test_seal_write_same_inputs_give_the_same_bits),
        cmocka_unit_test(test_seal_write_pieces_of_any_size_and_order),
        cmocka_unit_test(test_seal_write_a_block_twice_or_never_is_refused),
        cmocka_unit_test(test_seal_write_killed_leaves_nothing_behind),
        cmocka_unit_test(test_seal_write_full_disk_is_a_clean_error),
        cmocka_unit_test(test_seal_write_many_blocks_are_written_beside_encrypting),
        cmocka_unit_test(test_seal_write_a_write_that_fails_later_is_told),
        cmocka_unit_test(test_sealed_file_tells_what_and_where),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
