/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "sign/key_file.h"
#include "sign/sigstruct.h"

static char g_dir[] = "/tmp/nacre-test-key-file-XXXXXX";
static struct evp_pkey_st *g_key; /* one: generating takes a while */

static const char *in_dir(const char *name)
{
    static char paths[8][128];
    static unsigned next;
    char *path = paths[next++ % ARRAY_COUNT(paths)];

    (void)snprintf(path, sizeof(paths[0]), "%s/%s", g_dir, name);
    return path;
}

static void put(const char *name, const void *data, size_t size)
{
    assert_int_equal(fs_write_file_atomic(in_dir(name), data, size, 0600, NULL), 0);
}

static void test_save_makes_a_private_file_and_never_replaces_unasked(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    _cleanup_key_ struct evp_pkey_st *back = NULL;
    const char *path = in_dir("a.pem");
    uint8_t want[384];
    uint8_t got[384];
    struct stat st;

    assert_int_equal(key_file_save(path, g_key, NULL, /*force=*/false, &err), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_false(key_file_is_exposed(path));
    assert_int_equal(key_file_save(path, g_key, NULL, /*force=*/false, &err), -EEXIST);
    assert_non_null(strstr(error_text(err), "--force"));
    assert_int_equal(key_file_save(path, g_key, NULL, /*force=*/true, &err), 0);
    assert_int_equal(key_file_load(path, NULL, &back, &err), 0);
    assert_int_equal(crypto_rsa3072_modulus(g_key, want), 0);
    assert_int_equal(crypto_rsa3072_modulus(back, got), 0);
    assert_memory_equal(got, want, sizeof(want));
    assert_int_equal(chmod(path, 0644), 0);
    assert_true(key_file_is_exposed(path));
}

static void test_passphrase_comes_from_file_then_environment(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    _cleanup_secret_ struct secret *from_file = NULL;
    _cleanup_secret_ struct secret *from_env = NULL;
    struct secret *none = NULL;

    assert_int_equal(unsetenv(KEY_FILE_PASSPHRASE_ENV), 0);
    assert_int_equal(key_file_passphrase(NULL, &none, &err), 0);
    assert_null(none);
    put("pass", "first\nsecond\n", 13);
    assert_int_equal(setenv(KEY_FILE_PASSPHRASE_ENV, "env", 1), 0);
    assert_int_equal(key_file_passphrase(in_dir("pass"), &from_file, &err), 0);
    assert_string_equal((char *)from_file->data, "first");
    assert_int_equal(key_file_passphrase(NULL, &from_env, &err), 0);
    assert_string_equal((char *)from_env->data, "env");
    put("pass", "\n", 1);
    assert_int_equal(key_file_passphrase(in_dir("pass"), &none, &err), -EINVAL);
    put("pass", "a\0b", 3);
    assert_int_equal(key_file_passphrase(in_dir("pass"), &none, &err), -EINVAL);
    assert_int_equal(unsetenv(KEY_FILE_PASSPHRASE_ENV), 0);
}

static void test_encrypted_key_needs_its_passphrase(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    _cleanup_secret_ struct secret *pass = NULL;
    _cleanup_key_ struct evp_pkey_st *back = NULL;
    struct evp_pkey_st *none = NULL;

    assert_int_equal(secret_copy("correct horse", 13, &pass), 0);
    assert_int_equal(key_file_save(in_dir("enc.pem"), g_key, pass, /*force=*/false, &err), 0);
    assert_int_equal(key_file_load(in_dir("enc.pem"), NULL, &none, &err), -ENOKEY);
    assert_non_null(strstr(error_text(err), "--passphrase-file"));
    assert_int_equal(key_file_load(in_dir("enc.pem"), pass, &back, &err), 0);
    pass->data[0] = 'C';
    assert_int_equal(key_file_load(in_dir("enc.pem"), pass, &none, &err), -EKEYREJECTED);
    assert_null(none);
}

static void test_load_refuses_a_p256_key_by_its_type(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    _cleanup_key_ struct evp_pkey_st *ec = NULL;
    struct evp_pkey_st *none = NULL;
    char *pem = NULL;
    size_t size;

    assert_int_equal(crypto_p256_generate(&ec), 0);
    assert_int_equal(crypto_pem_write_private(ec, NULL, &pem, &size), 0);
    put("ec.pem", pem, size);
    crypto_pem_wipe(pem, size);
    assert_int_equal(key_file_load(in_dir("ec.pem"), NULL, &none, &err), -EINVAL);
    assert_non_null(strstr(error_text(err), "type EC"));
    assert_int_equal(key_file_load_public(in_dir("ec.pem"), &none, &err), -EINVAL);
    assert_int_equal(key_file_load(in_dir("missing.pem"), NULL, &none, &err), -ENOENT);
    assert_null(none);
}

/* What an offline signer does with the dumped bytes. */
static void sign_elsewhere(const char *name)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    uint8_t little[384];
    uint8_t big[384];
    size_t size;

    assert_int_equal(fs_read_file(in_dir(name), 4096, &bytes, &size, NULL), 0);
    assert_int_equal(size, SIGSTRUCT_SIGNED_SIZE);
    assert_int_equal(crypto_rsa3072_sign(g_key, bytes, size, little), 0);
    crypto_rsa3072_reverse(big, little);
    put("tbs.sig", big, sizeof(big));
    put("tbs.le.sig", little, sizeof(little));
    put("tbs.short.sig", big, sizeof(big) - 1);
    big[100] ^= 1;
    put("tbs.bad.sig", big, sizeof(big));
    assert_int_equal(key_file_save_public(in_dir("pub.pem"), g_key, /*force=*/true, NULL), 0);
}

static void test_detached_signing_gives_the_same_sigstruct_and_refuses_wrong_parts(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    _cleanup_free_ uint8_t *json = NULL;
    struct sigstruct_params p;
    struct sgx_sigstruct here;
    struct sgx_sigstruct there;
    size_t size;

    sigstruct_params_default(&p);
    p.date = 0x20261122;
    p.mrenclave[5] = 9;
    assert_int_equal(sigstruct_build(&p, &here, &err), 0);
    assert_int_equal(key_file_dump(in_dir("tbs"), &here, &err), 0);
    assert_int_equal(fs_read_file(in_dir("tbs.json"), 65536, &json, &size, &err), 0);
    assert_non_null(strstr((char *)json, "\"date\": \"2026-11-22\""));
    assert_int_equal(sigstruct_sign(&here, g_key, &err), 0);
    sign_elsewhere("tbs");
    assert_int_equal(
        key_file_import(in_dir("tbs"), in_dir("tbs.sig"), in_dir("pub.pem"), &there, &err), 0);
    assert_memory_equal(&here, &there, sizeof(here));

    assert_int_equal(
        key_file_import(in_dir("tbs"), in_dir("tbs.bad.sig"), in_dir("pub.pem"), &there, &err),
        -EBADMSG);
    assert_int_equal(
        key_file_import(in_dir("tbs"), in_dir("tbs.le.sig"), in_dir("pub.pem"), &there, &err),
        -EBADMSG);
    assert_non_null(strstr(error_text(err), "reverse"));
    assert_int_equal(
        key_file_import(in_dir("tbs"), in_dir("tbs.short.sig"), in_dir("pub.pem"), &there, &err),
        -EBADMSG);
    assert_non_null(strstr(error_text(err), "383"));
    assert_int_equal(
        key_file_import(in_dir("tbs.json"), in_dir("tbs.sig"), in_dir("pub.pem"), &there, &err),
        -EINVAL);
}

static int setup(void **state)
{
    return mkdtemp(g_dir) == NULL ? -ENOENT : crypto_rsa3072_generate(&g_key);
}

static int teardown(void **state)
{
    static const char *const names[] = {"a.pem",       "pass",          "enc.pem", "ec.pem",
                                        "tbs",         "tbs.json",      "tbs.sig", "tbs.le.sig",
                                        "tbs.bad.sig", "tbs.short.sig", "pub.pem"};

    g_key = crypto_key_free(g_key);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        (void)unlink(in_dir(names[i]));
    }
    return rmdir(g_dir); /* fails when a temporary file was left behind */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_save_makes_a_private_file_and_never_replaces_unasked),
        cmocka_unit_test(test_passphrase_comes_from_file_then_environment),
        cmocka_unit_test(test_encrypted_key_needs_its_passphrase),
        cmocka_unit_test(test_load_refuses_a_p256_key_by_its_type),
        cmocka_unit_test(test_detached_signing_gives_the_same_sigstruct_and_refuses_wrong_parts),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
