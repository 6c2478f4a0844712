/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Keys of backups: from a passphrase (scrypt, RFC 7914) or for the holder of a P-256 key. */

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/crypto.h"
#include "cas/backup_internal.h"
#include "core/ct.h"
#include "core/cursor.h"
#include "core/hmac.h"
#include "core/le.h"
#include "core/sha256.h"

enum { LOCK_PASSPHRASE = 1, LOCK_KEY = 2 };

#define SALT_SIZE 32u

struct scrypt {
    uint32_t log_n;
    uint32_t r;
    uint32_t p;
};

static const struct scrypt scrypt_now = {.log_n = 17, .r = 8, .p = 1};

/* What somebody else's file may cost: 2 GiB. */
static bool scrypt_is_sane(const struct scrypt *s)
{
    return s->log_n >= 14 && s->log_n <= 20 && s->r >= 1 && s->r <= 16 && s->p >= 1 && s->p <= 4;
}

static int from_passphrase(const struct secret *pass, const uint8_t salt[static SALT_SIZE],
                           const struct scrypt *s, uint8_t ret[static 32], struct error **err)
{
    if (EVP_PBE_scrypt((const char *)pass->data, pass->size, salt, SALT_SIZE, 1ull << s->log_n,
                       s->r, s->p, (uint64_t)3 << 30, ret, 32) != 1) {
        ERR_clear_error();
        return error_set_errno(err, ENOMEM, "deriving the key from the passphrase");
    }
    return 0;
}

/* Our private half and their public one; `lock` is what the header says, bound to the key. */
static int agree(struct evp_pkey_st *ours, struct evp_pkey_st *theirs,
                 const uint8_t lock[static BACKUP_LOCK_SIZE], uint8_t ret[static 32],
                 struct error **err)
{
    static const char label[] = "nacre cas backup v1"; /* with its NUL */
    uint8_t info[sizeof(label) + BACKUP_LOCK_SIZE];
    uint8_t shared[32];
    size_t size = sizeof(shared);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(ours, NULL);
    int r = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
                    EVP_PKEY_derive_set_peer(ctx, theirs) == 1 &&
                    EVP_PKEY_derive(ctx, shared, &size) == 1 && size == sizeof(shared)
                ? 0
                : -EIO;

    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    if (r == 0) {
        memcpy(info, label, sizeof(label));
        memcpy(info + sizeof(label), lock, BACKUP_LOCK_SIZE);
        r = hkdf_sha256(NULL, 0, shared, sizeof(shared), info, sizeof(info), ret, 32);
    }
    ct_wipe(shared, sizeof(shared));
    return r == 0 ? 0 : error_set(err, EIO, "OpenSSL cannot agree on a key");
}

static int key_id(struct evp_pkey_st *key, uint8_t ret[static 32], struct error **err)
{
    unsigned char *der = NULL;
    const int len = i2d_PUBKEY(key, &der);

    if (len <= 0) {
        return error_set(err, EIO, "OpenSSL cannot write the public key");
    }
    sha256(der, (size_t)len, ret);
    OPENSSL_free(der);
    return 0;
}

static int make_for_key(struct evp_pkey_st *holder, uint8_t lock[static BACKUP_LOCK_SIZE],
                        uint8_t ret_key[static 32], struct error **err)
{
    _cleanup_key_ struct evp_pkey_st *own = NULL;
    int r;

    if (!crypto_is_p256(holder)) {
        return error_set(err, EINVAL, "the key of the holder must be a P-256 key");
    }
    if (crypto_p256_generate(&own) < 0 || crypto_p256_point(own, lock) < 0) {
        return error_set(err, EIO, "OpenSSL cannot make a key");
    }
    r = key_id(holder, lock + 64, err);
    return r == 0 ? agree(own, holder, lock, ret_key, err) : r;
}

int backup_key_make(const struct backup_lock *lock, uint8_t ret_header[static BACKUP_HEADER_SIZE],
                    uint8_t ret_key[static 32], struct error **err)
{
    uint8_t *body = ret_header + 16;

    memset(ret_header, 0, BACKUP_HEADER_SIZE);
    memcpy(ret_header, "nacrebak", 8);
    le32_store(ret_header + 8, 1);
    le32_store(ret_header + 12, lock->passphrase != NULL ? LOCK_PASSPHRASE : LOCK_KEY);
    if (lock->passphrase == NULL) {
        return make_for_key(lock->key, body, ret_key, err);
    }
    if (lock->passphrase->size < BACKUP_PASSPHRASE_MIN) {
        return error_set(err, EINVAL, "the passphrase must have %d characters or more",
                         BACKUP_PASSPHRASE_MIN);
    }
    if (crypto_random(body, SALT_SIZE) < 0) {
        return error_set(err, EIO, "no random numbers");
    }
    le32_store(body + 32, scrypt_now.log_n);
    le32_store(body + 36, scrypt_now.r);
    le32_store(body + 40, scrypt_now.p);
    return from_passphrase(lock->passphrase, body, &scrypt_now, ret_key, err);
}

static int open_passphrase(const struct backup_lock *lock, const uint8_t *body,
                           uint8_t ret_key[static 32], struct error **err)
{
    struct cursor c = cursor_make(body + SALT_SIZE, BACKUP_LOCK_SIZE - SALT_SIZE);
    struct scrypt s;

    if (lock->passphrase == NULL) {
        return error_set(err, ENOKEY, "this backup opens with a passphrase (--passphrase-file)");
    }
    if (cursor_u32le(&c, &s.log_n) < 0 || cursor_u32le(&c, &s.r) < 0 ||
        cursor_u32le(&c, &s.p) < 0 || !scrypt_is_sane(&s) || !ct_is_zero(c.p, c.left)) {
        return error_set(err, EBADMSG, "the backup asks for something unreasonable of scrypt");
    }
    return from_passphrase(lock->passphrase, body, &s, ret_key, err);
}

static int open_key(const struct backup_lock *lock, const uint8_t *body, uint8_t ret_key[static 32],
                    struct error **err)
{
    _cleanup_key_ struct evp_pkey_st *theirs = NULL;
    uint8_t id[32];
    int r;

    if (lock->key == NULL || !crypto_is_p256(lock->key)) {
        return error_set(err, ENOKEY,
                         "this backup opens with the P-256 key it was made for (--key)");
    }
    r = key_id(lock->key, id, err);
    if (r < 0) {
        return r;
    }
    if (!ct_equal(id, body + 64, sizeof(id))) {
        return error_set(err, EKEYREJECTED, "this backup was made for the holder of another key");
    }
    if (!ct_is_zero(body + 96, BACKUP_LOCK_SIZE - 96) ||
        crypto_p256_from_point(body, &theirs) < 0) {
        return error_set(err, EBADMSG, "the backup is damaged: its key is none");
    }
    return agree(lock->key, theirs, body, ret_key, err);
}

int backup_key_open(const struct backup_lock *lock, const uint8_t header[static BACKUP_HEADER_SIZE],
                    uint8_t ret_key[static 32], struct error **err)
{
    struct cursor c = cursor_make(header + 8, 8);
    uint32_t version = 0;
    uint32_t kind = 0;

    if (!ct_equal(header, "nacrebak", 8)) {
        return error_set(err, EINVAL, "this is not the backup of a CAS");
    }
    if (cursor_u32le(&c, &version) < 0 || cursor_u32le(&c, &kind) < 0 || version != 1) {
        return error_set(err, EPROTONOSUPPORT, "this backup was made by a newer nacre");
    }
    switch (kind) {
    case LOCK_PASSPHRASE: return open_passphrase(lock, header + 16, ret_key, err);
    case LOCK_KEY: return open_key(lock, header + 16, ret_key, err);
    default: return error_set(err, EBADMSG, "the backup is damaged: unknown kind of lock");
    }
}
