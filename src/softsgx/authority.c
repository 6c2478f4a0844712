/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "softsgx/root_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "base/secret.h"
#include "base/state_dir.h"
#include "core/sha256.h"

#define CERT_FILE_MAX 16384u

/* 2049-12-31T23:59:59Z: the last second of UTCTime. A software root protects nothing that a shorter
 * life would protect better, and one that ends stops machines for nothing. */
#define FOREVER   ((time_t)2524607999)
/* Clocks of machines differ. */
#define BACKDATED ((time_t)24 * 3600)

static const char *const authority_names[] = {"root", "pck_ca", "tcb_signing"};

static struct soft_identity_pair *pair_at(struct soft_authority *a, size_t i)
{
    struct soft_identity_pair *const pairs[] = {&a->root, &a->ca, &a->tcb};

    return pairs[i];
}

void soft_pair_done(struct soft_identity_pair *p)
{
    p->key = crypto_key_free(p->key);
    X509_free(p->cert);
    p->cert = NULL;
}

void soft_authority_done(struct soft_authority *a)
{
    for (size_t i = 0; i < ARRAY_COUNT(authority_names); i++) {
        soft_pair_done(pair_at(a, i));
    }
}

int soft_pair_make(const char *common_name, enum pki_role role,
                   const struct soft_identity_pair *issuer, const uint8_t *sgx_extension,
                   size_t sgx_extension_size, time_t now, struct soft_identity_pair *ret)
{
    struct soft_identity_pair pair = {0};
    struct pki_request q = {
        .common_name = common_name,
        .role = role,
        .issuer = issuer != NULL ? issuer->cert : NULL,
        .issuer_key = issuer != NULL ? issuer->key : NULL,
        .not_before = now - BACKDATED,
        .not_after = FOREVER,
        .sgx_extension = sgx_extension,
        .sgx_extension_size = sgx_extension_size,
    };
    int r = 0;

    if (ret->key == NULL) {
        r = crypto_p256_generate(&pair.key);
    } else {
        pair.key = TAKE_PTR(ret->key); /* certified anew */
    }
    q.key = pair.key;
    r = r < 0 ? r : pki_issue(&q, &pair.cert);
    if (r < 0) {
        soft_pair_done(&pair);
        return r;
    }
    soft_pair_done(ret);
    *ret = pair;
    return 0;
}

int soft_authority_make(time_t now, struct soft_authority *ret)
{
    struct soft_authority a = {0};
    int r = soft_pair_make(SOFT_ROOT_NAME, PKI_ROOT, NULL, NULL, 0, now, &a.root);

    r = r < 0 ? r : soft_pair_make(SOFT_PCK_CA_NAME, PKI_CA, &a.root, NULL, 0, now, &a.ca);
    r = r < 0 ? r
              : soft_pair_make(SOFT_TCB_SIGNING_NAME, PKI_SIGNER, &a.root, NULL, 0, now, &a.tcb);
    if (r < 0) {
        soft_authority_done(&a);
        return r;
    }
    *ret = a;
    return 0;
}

int soft_root_fmspc(X509 *root_cert, uint8_t ret[static 6])
{
    uint8_t point[CRYPTO_P256_SIZE];
    uint8_t digest[SHA256_SIZE];
    EVP_PKEY *key = X509_get0_pubkey(root_cert);
    int r = key != NULL ? crypto_p256_point(key, point) : -EINVAL;

    if (r < 0) {
        return r;
    }
    sha256(point, sizeof(point), digest);
    ret[0] = 0xff; /* Intel's begin with 00 */
    memcpy(ret + 1, digest, 5);
    return 0;
}

/* --- files --- */

static int path_in(const char *dir, const char *name, const char *suffix, char **ret,
                   struct error **err)
{
    char *path;

    if (asprintf(&path, "%s/%s%s", dir, name, suffix) < 0) {
        return error_set_errno(err, ENOMEM, "the software root");
    }
    *ret = path;
    return 0;
}

int soft_key_save(const char *dir, const char *name, EVP_PKEY *key, struct error **err)
{
    _cleanup_free_ char *path = NULL;
    char *pem = NULL;
    size_t size = 0;
    int r = path_in(dir, name, ".key", &path, err);

    if (r < 0) {
        return r;
    }
    r = crypto_pem_write_private(key, NULL, &pem, &size);
    if (r < 0) {
        return error_set_errno(err, -r, "encoding %s", path);
    }
    r = fs_write_file_atomic(path, pem, size, 0600, err);
    crypto_pem_wipe(pem, size);
    return r;
}

int soft_key_load(const char *dir, const char *name, EVP_PKEY **ret, struct error **err)
{
    _cleanup_free_ char *path = NULL;
    _cleanup_secret_ struct secret *pem = NULL;
    _cleanup_key_ EVP_PKEY *key = NULL;
    struct stat st;
    int r = path_in(dir, name, ".key", &path, err);

    if (r == 0 && stat(path, &st) == 0 && (st.st_mode & 077) != 0) {
        return error_set(err, EPERM, "%s is open to other users (mode %04o); 'chmod 600' it", path,
                         st.st_mode & 07777);
    }
    r = r < 0 ? r : secret_read_file(path, CERT_FILE_MAX, &pem, err);
    r = r < 0 ? r : crypto_pem_read_private(pem->data, pem->size, path, NULL, &key, err);
    if (r < 0) {
        return r;
    }
    if (!crypto_is_p256(key)) {
        return error_set(err, EBADMSG, "%s is not a P-256 key", path);
    }
    *ret = TAKE_PTR(key);
    return 0;
}

int soft_cert_save(const char *dir, const char *name, X509 *cert, struct error **err)
{
    _cleanup_free_ char *path = NULL;
    _cleanup_free_ char *pem = NULL;
    int r = path_in(dir, name, ".pem", &path, err);

    if (r < 0) {
        return r;
    }
    r = pki_cert_to_pem(cert, &pem);
    if (r < 0) {
        return error_set_errno(err, -r, "encoding %s", path);
    }
    return fs_write_file_atomic(path, pem, strlen(pem), 0644, err);
}

int soft_cert_load(const char *dir, const char *name, X509 **ret, struct error **err)
{
    _cleanup_free_ char *path = NULL;
    _cleanup_free_ uint8_t *pem = NULL;
    size_t size;
    int r = path_in(dir, name, ".pem", &path, err);

    r = r < 0 ? r : fs_read_file(path, CERT_FILE_MAX, &pem, &size, err);
    if (r < 0) {
        return r;
    }
    if (pki_cert_from_pem((const char *)pem, size, ret) < 0) {
        return error_set(err, EBADMSG, "%s does not hold a certificate", path);
    }
    return 0;
}

int soft_authority_save(const struct soft_authority *a, const char *dir, struct error **err)
{
    struct soft_authority copy = *a;

    /* The root's certificate comes last: who sees it sees everything. */
    for (size_t i = ARRAY_COUNT(authority_names); i-- > 0;) {
        const struct soft_identity_pair *p = pair_at(&copy, i);
        int r = soft_key_save(dir, authority_names[i], p->key, err);

        r = r < 0 ? r : soft_cert_save(dir, authority_names[i], p->cert, err);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* Each certificate is of its key and signed by the root's: a mixture of two roots says so here and
 * not in somebody's verifier. */
static int check_authority(struct soft_authority *a, const char *dir, struct error **err)
{
    for (size_t i = 0; i < ARRAY_COUNT(authority_names); i++) {
        const struct soft_identity_pair *p = pair_at(a, i);

        if (X509_check_private_key(p->cert, p->key) != 1) {
            return error_set(err, EBADMSG, "%s: %s.key is not the key of %s.pem", dir,
                             authority_names[i], authority_names[i]);
        }
        if (X509_verify(p->cert, a->root.key) != 1) {
            return error_set(err, EBADMSG, "%s: %s.pem was not issued by root.pem", dir,
                             authority_names[i]);
        }
    }
    return 0;
}

int soft_authority_load(const char *dir, struct soft_authority *ret, struct error **err)
{
    struct soft_authority a = {0};
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_COUNT(authority_names); i++) {
        struct soft_identity_pair *p = pair_at(&a, i);

        r = soft_cert_load(dir, authority_names[i], &p->cert, err);
        r = r < 0 ? r : soft_key_load(dir, authority_names[i], &p->key, err);
    }
    r = r < 0 ? r : check_authority(&a, dir, err);
    if (r < 0) {
        soft_authority_done(&a);
        return r;
    }
    *ret = a;
    return 0;
}

/* The authorities of a lab: those in `dir`, or new ones left there. */
int soft_authority_of_lab(const char *dir, time_t now, struct soft_authority *ret,
                          struct error **err)
{
    _cleanup_free_ char *marker = NULL;
    _cleanup_close_ int lock = -1;
    struct stat st;
    int r = path_in(dir, "root", ".pem", &marker, err);

    if (r < 0) {
        return r;
    }
    if (stat(marker, &st) < 0) {
        r = state_dir_make_private(dir, err);
        r = r < 0 ? r : state_dir_lock(dir, &lock, err);
        if (r == 0 && stat(marker, &st) < 0) {
            r = soft_authority_make(now, ret);
            if (r < 0) {
                return error_set_errno(err, -r, "making the lab root");
            }
            r = soft_authority_save(ret, dir, err);
            if (r < 0) {
                soft_authority_done(ret);
            }
            return r;
        }
    }
    return r < 0 ? r : soft_authority_load(dir, ret, err);
}
