/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "sign/key_file.h"

#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "core/hex.h"
#include "core/sha256.h"
#include "sign/sigstruct.h"

int key_file_passphrase(const char *file, struct secret **ret, struct error **err)
{
    _cleanup_secret_ struct secret *s = NULL;
    const char *env = getenv(KEY_FILE_PASSPHRASE_ENV);
    const uint8_t *end;
    int r;

    if (file == NULL && (env == NULL || env[0] == '\0')) {
        *ret = NULL;
        return 0;
    }
    if (file != NULL) {
        r = secret_read_file(file, KEY_FILE_PASSPHRASE_MAX, &s, err);
        if (r < 0) {
            (void)error_wrap(err, "the passphrase");
            return r;
        }
    } else if (strlen(env) > KEY_FILE_PASSPHRASE_MAX) {
        return error_set(err, EINVAL, "the passphrase in %s is longer than %u bytes",
                         KEY_FILE_PASSPHRASE_ENV, KEY_FILE_PASSPHRASE_MAX);
    } else {
        r = secret_copy(env, strlen(env), &s);
        if (r < 0) {
            return error_set_errno(err, -r, "the passphrase");
        }
    }
    end = memchr(s->data, '\n', s->size);
    if (end != NULL) {
        secret_truncate(s, (size_t)(end - s->data));
    }
    if (s->size == 0 || memchr(s->data, '\0', s->size) != NULL) {
        return error_set(err, EINVAL, "the passphrase is empty or holds a NUL byte");
    }
    *ret = TAKE_PTR(s);
    return 0;
}

int key_file_load(const char *path, const struct secret *passphrase, struct evp_pkey_st **ret,
                  struct error **err)
{
    _cleanup_secret_ struct secret *pem = NULL;
    _cleanup_key_ struct evp_pkey_st *key = NULL;
    int r = secret_read_file(path, CRYPTO_PEM_MAX, &pem, err);

    r = r < 0 ? r
              : crypto_pem_read_private(pem->data, pem->size, path,
                                        passphrase != NULL ? (const char *)passphrase->data : NULL,
                                        &key, err);
    if (r == -ENOKEY) {
        (void)error_wrap(err, "give --passphrase-file or set " KEY_FILE_PASSPHRASE_ENV);
    }
    if (r < 0) {
        return r;
    }
    r = crypto_rsa3072_check(key, err);
    if (r < 0) {
        (void)error_wrap(err, "%s cannot sign enclaves", path);
        return r;
    }
    *ret = TAKE_PTR(key);
    return 0;
}

int key_file_load_public(const char *path, struct evp_pkey_st **ret, struct error **err)
{
    _cleanup_free_ uint8_t *pem = NULL;
    _cleanup_key_ struct evp_pkey_st *key = NULL;
    size_t size;
    int r = fs_read_file(path, CRYPTO_PEM_MAX, &pem, &size, err);

    r = r < 0 ? r : crypto_pem_read_public(pem, size, path, &key, err);
    if (r < 0) {
        return r;
    }
    r = crypto_rsa3072_check(key, err);
    if (r < 0) {
        (void)error_wrap(err, "%s is no key for enclaves", path);
        return r;
    }
    *ret = TAKE_PTR(key);
    return 0;
}

static int save(const char *path, const char *pem, size_t size, unsigned mode, bool force,
                struct error **err)
{
    int r = force ? fs_write_file_atomic(path, pem, size, mode, err)
                  : fs_write_file_new(path, pem, size, mode, err);

    if (r == -EEXIST) {
        return error_set(err, EEXIST,
                         "%s exists already and is left as it is; --force would replace it", path);
    }
    return r;
}

int key_file_save(const char *path, struct evp_pkey_st *key, const struct secret *passphrase,
                  bool force, struct error **err)
{
    char *pem = NULL;
    size_t size = 0;
    int r = crypto_pem_write_private(
        key, passphrase != NULL ? (const char *)passphrase->data : NULL, &pem, &size);

    if (r < 0) {
        return error_set_errno(err, -r, "encoding the key for %s", path);
    }
    r = save(path, pem, size, 0600, force, err);
    crypto_pem_wipe(pem, size);
    return r;
}

int key_file_save_public(const char *path, struct evp_pkey_st *key, bool force, struct error **err)
{
    _cleanup_free_ char *pem = NULL;
    size_t size = 0;
    int r = crypto_pem_write_public(key, &pem, &size);

    if (r < 0) {
        return error_set_errno(err, -r, "encoding the key for %s", path);
    }
    return save(path, pem, size, 0644, force, err);
}

bool key_file_is_exposed(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077) != 0;
}

/* What the holder of the key reads before he signs. */
static int sidecar(const char *path, const struct sgx_sigstruct *s, const uint8_t *bytes,
                   struct error **err)
{
    _cleanup_free_ char *name = NULL;
    _cleanup_free_ char *json = NULL;
    _cleanup_free_ char *text = NULL;
    char hex[2 * SHA256_SIZE + 1];
    uint8_t digest[SHA256_SIZE];
    json_t *o = json_object();
    int bad;

    sha256(bytes, SIGSTRUCT_SIGNED_SIZE, digest);
    hex_encode(hex, digest, sizeof(digest));
    bad = json_object_set_new(o, "format", json_string("nacre-sigstruct-to-be-signed"));
    bad |= json_object_set_new(o, "version", json_integer(1));
    bad |= json_object_set_new(o, "size", json_integer(SIGSTRUCT_SIGNED_SIZE));
    bad |= json_object_set_new(o, "sha256", json_string(hex));
    bad |= json_object_set_new(o, "scheme", json_string("RSA-3072 e=3 PKCS#1 v1.5 SHA-256"));
    bad |= json_object_set_new(o, "sigstruct", sigstruct_json(s));
    json = bad == 0 ? json_dumps(o, JSON_INDENT(2)) : NULL;
    json_decref(o);
    if (json == NULL || asprintf(&text, "%s\n", json) < 0) {
        text = NULL;
        return error_set_errno(err, ENOMEM, "describing %s", path);
    }
    if (asprintf(&name, "%s.json", path) < 0) {
        name = NULL;
        return error_set_errno(err, ENOMEM, "describing %s", path);
    }
    return fs_write_file_atomic(name, text, strlen(text), 0644, err);
}

int key_file_dump(const char *path, const struct sgx_sigstruct *s, struct error **err)
{
    uint8_t bytes[SIGSTRUCT_SIGNED_SIZE];
    int r;

    sigstruct_signed_bytes(s, bytes);
    r = fs_write_file_atomic(path, bytes, sizeof(bytes), 0644, err);
    if (r < 0 || strcmp(path, "-") == 0) {
        return r;
    }
    return sidecar(path, s, bytes, err);
}

int key_file_import(const char *path, const char *signature_path, const char *public_path,
                    struct sgx_sigstruct *ret, struct error **err)
{
    _cleanup_key_ struct evp_pkey_st *key = NULL;
    _cleanup_free_ uint8_t *bytes = NULL;
    _cleanup_free_ uint8_t *raw = NULL;
    uint8_t modulus[SGX_RSA_SIZE];
    uint8_t signature[SGX_RSA_SIZE];
    struct sgx_sigstruct s;
    size_t bytes_size;
    size_t raw_size;
    int r = fs_read_file(path, 4096, &bytes, &bytes_size, err);

    r = r < 0 ? r : fs_read_file(signature_path, 4096, &raw, &raw_size, err);
    r = r < 0 ? r : key_file_load_public(public_path, &key, err);
    if (r < 0) {
        return r;
    }
    r = sigstruct_from_signed_bytes(bytes, bytes_size, &s, err);
    if (r < 0) {
        (void)error_wrap(err, "%s", path);
        return r;
    }
    if (raw_size != SGX_RSA_SIZE) {
        return error_set(err, EBADMSG,
                         "%s: an RSA-3072 signature has %u raw bytes, this file has %zu (not "
                         "base64, hex or a container)",
                         signature_path, SGX_RSA_SIZE, raw_size);
    }
    r = crypto_rsa3072_modulus(key, modulus);
    if (r < 0) {
        return error_set_errno(err, -r, "reading the modulus of %s", public_path);
    }
    crypto_rsa3072_reverse(signature, raw);
    r = sigstruct_set_signature(&s, modulus, signature, err);
    if (r == -EBADMSG && crypto_rsa3072_verify(modulus, raw, bytes, bytes_size) == 0) {
        return error_set(err, EBADMSG, "%s is little-endian; reverse its bytes", signature_path);
    }
    if (r < 0) {
        (void)error_wrap(err, "%s", signature_path);
        return r;
    }
    *ret = s;
    return 0;
}
