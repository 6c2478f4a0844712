/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "softsgx/root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "base/state_dir.h"
#include "core/sha256.h"
#include "softsgx/keys.h"
#include "softsgx/root_internal.h"

/* The name carries the version of what is inside: a later nacre that needs other keys or another
 * TCB level makes its own. */
#define ROOT_DIR     "root-1"
#define ROOT_NEW_DIR ROOT_DIR ".new"

#define RENEW_SECONDS ((int64_t)182 * 24 * 3600)

#define FILE_MAX ((size_t)256 * 1024)

struct soft_root *soft_root_free(struct soft_root *root)
{
    if (root != NULL) {
        soft_pair_done(&root->pck);
        X509_free(root->root_cert);
        (void)crypto_key_free(root->att_key);
        free(root->pck_chain);
        free(root->dir);
        free(root);
    }
    return NULL;
}

static int join(const char *dir, const char *name, char **ret, struct error **err)
{
    char *path;

    if (asprintf(&path, "%s/%s", dir, name) < 0) {
        return error_set_errno(err, ENOMEM, "the software root");
    }
    *ret = path;
    return 0;
}

/* --- the platform: what one machine has --- */

static int ppid_of(EVP_PKEY *pck_key, uint8_t ret[static 16])
{
    uint8_t point[CRYPTO_P256_SIZE];
    uint8_t digest[SHA256_SIZE];
    int r = crypto_p256_point(pck_key, point);

    if (r == 0) {
        sha256(point, sizeof(point), digest);
        memcpy(ret, digest, 16);
    }
    return r;
}

static int make_pck(const struct soft_authority *a, time_t now, struct soft_identity_pair *ret)
{
    struct pki_sgx_platform p = {.pce_svn = SOFT_PCE_SVN};
    uint8_t extension[PKI_SGX_EXTENSION_MAX];
    struct soft_identity_pair pck = {0};
    int r = crypto_p256_generate(&pck.key);

    r = r < 0 ? r : ppid_of(pck.key, p.ppid); /* before the certificate that carries it */
    r = r < 0 ? r : soft_root_fmspc(a->root.cert, p.fmspc);
    if (r == 0) {
        memset(p.components, SOFT_TCB_COMPONENT, sizeof(p.components));
        memcpy(p.cpu_svn, soft_cpu_svn, sizeof(p.cpu_svn));
        r = soft_pair_make(SOFT_PCK_NAME, PKI_SIGNER, &a->ca, extension,
                           pki_sgx_extension(&p, extension), now, &pck);
    }
    if (r < 0) {
        soft_pair_done(&pck);
        return r;
    }
    *ret = pck;
    return 0;
}

static int make_platform(const struct soft_authority *a, const char *dir, time_t now,
                         struct error **err)
{
    struct soft_identity_pair pck = {0};
    EVP_PKEY *att = NULL;
    int r = make_pck(a, now, &pck);

    r = r < 0 ? r : crypto_p256_generate(&att);
    if (r < 0) {
        (void)error_set_errno(err, -r, "making the platform keys");
    }
    r = r < 0 ? r : soft_key_save(dir, "pck", pck.key, err);
    r = r < 0 ? r : soft_cert_save(dir, "pck", pck.cert, err);
    r = r < 0 ? r : soft_key_save(dir, "att", att, err);
    soft_pair_done(&pck);
    (void)crypto_key_free(att);
    return r;
}

/* --- making the whole --- */

static int fill(const char *dir, const char *lab_dir, struct error **err)
{
    _cleanup_authority_ struct soft_authority a = {0};
    _cleanup_free_ char *collateral = NULL;
    const time_t now = time(NULL);
    int64_t not_after;
    int r;

    if (lab_dir != NULL) {
        r = soft_authority_of_lab(lab_dir, now, &a, err);
    } else {
        r = soft_authority_make(now, &a);
        if (r < 0) {
            return error_set_errno(err, -r, "making the software root's keys");
        }
    }
    r = r < 0 ? r : soft_authority_save(&a, dir, err);
    r = r < 0 ? r : make_platform(&a, dir, now, err);
    r = r < 0 ? r : join(dir, SOFT_COLLATERAL_DIR, &collateral, err);
    if (r == 0 && mkdir(collateral, 0700) < 0) {
        return error_set_errno(err, errno, "cannot make %s", collateral);
    }
    return r < 0 ? r : soft_collateral_write(&a, collateral, now, &not_after, err);
}

/* Under the lock. Builds beside the final name and renames: nobody ever sees half a root. */
static int make_root(const char *parent, const char *final, const char *lab_dir, bool replace,
                     struct error **err)
{
    _cleanup_free_ char *fresh = NULL;
    int r = join(parent, ROOT_NEW_DIR, &fresh, err);

    if (r < 0) {
        return r;
    }
    (void)fs_remove_tree(fresh); /* of a process that died here */
    if (mkdir(fresh, 0700) < 0) {
        return error_set_errno(err, errno, "cannot make %s", fresh);
    }
    r = fill(fresh, lab_dir, err);
    if (r == 0 && renameat2(AT_FDCWD, fresh, AT_FDCWD, final, replace ? RENAME_EXCHANGE : 0) < 0) {
        r = error_set_errno(err, errno, "cannot put the software root at %s", final);
    }
    if (r < 0 || replace) {
        (void)fs_remove_tree(fresh);
    }
    return r;
}

static bool exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static int locate(char **ret_parent, char **ret_dir, struct error **err)
{
    _cleanup_free_ char *parent = NULL;
    int r = state_dir_make("softsgx", &parent, err);

    r = r < 0 ? r : join(parent, ROOT_DIR, ret_dir, err);
    if (r == 0) {
        *ret_parent = TAKE_PTR(parent);
    }
    return r;
}

int soft_root_init(const char *lab_dir, bool force, struct error **err)
{
    _cleanup_free_ char *parent = NULL;
    _cleanup_free_ char *dir = NULL;
    _cleanup_close_ int lock = -1;
    bool replace;
    int r = locate(&parent, &dir, err);

    r = r < 0 ? r : state_dir_lock(parent, &lock, err);
    if (r < 0) {
        return r;
    }
    replace = exists(dir);
    if (replace && !force) {
        return error_set(err, EEXIST,
                         "this machine has a software root already (%s); --force would replace "
                         "it, and verifiers would have to learn the new one",
                         dir);
    }
    return make_root(parent, dir, lab_dir, replace, err);
}

static int ensure(const char *parent, const char *dir, bool *ret_fresh, struct error **err)
{
    _cleanup_close_ int lock = -1;
    int r;

    *ret_fresh = false;
    if (exists(dir)) {
        return 0;
    }
    r = state_dir_lock(parent, &lock, err);
    if (r < 0 || exists(dir)) {
        return r; /* another process was faster */
    }
    r = make_root(parent, dir, NULL, /*replace=*/false, err);
    *ret_fresh = r == 0;
    return r;
}

/* --- opening --- */

static int load_chain(struct soft_root *root, struct error **err)
{
    _cleanup_cert_ X509 *ca = NULL;
    _cleanup_free_ char *leaf_pem = NULL;
    _cleanup_free_ char *ca_pem = NULL;
    _cleanup_free_ char *root_pem = NULL;
    int r = soft_cert_load(root->dir, "pck_ca", &ca, err);

    if (r < 0) {
        return r;
    }
    r = pki_cert_to_pem(root->pck.cert, &leaf_pem);
    r = r < 0 ? r : pki_cert_to_pem(ca, &ca_pem);
    r = r < 0 ? r : pki_cert_to_pem(root->root_cert, &root_pem);
    if (r == 0 && asprintf(&root->pck_chain, "%s%s%s", leaf_pem, ca_pem, root_pem) < 0) {
        root->pck_chain = NULL;
        r = -ENOMEM;
    }
    return r < 0 ? error_set_errno(err, -r, "the PCK chain") : 0;
}

static int load(struct soft_root *root, struct error **err)
{
    int r = soft_cert_load(root->dir, "root", &root->root_cert, err);

    r = r < 0 ? r : soft_cert_load(root->dir, "pck", &root->pck.cert, err);
    r = r < 0 ? r : soft_key_load(root->dir, "pck", &root->pck.key, err);
    r = r < 0 ? r : soft_key_load(root->dir, "att", &root->att_key, err);
    r = r < 0 ? r : load_chain(root, err);
    if (r < 0) {
        return r;
    }
    if (X509_check_private_key(root->pck.cert, root->pck.key) != 1) {
        return error_set(err, EBADMSG, "%s: pck.key is not the key of pck.pem", root->dir);
    }
    r = soft_root_fmspc(root->root_cert, root->fmspc);
    r = r < 0 ? r : ppid_of(root->pck.key, root->ppid);
    return r < 0 ? error_set_errno(err, -r, "reading %s", root->dir) : 0;
}

/* Renews collateral that ends soon. Quoting does not need it, so a state directory that cannot be
 * written is no reason to fail. */
static void renew(struct soft_root *root, const char *parent)
{
    _cleanup_authority_ struct soft_authority a = {0};
    _cleanup_free_ char *collateral = NULL;
    _cleanup_close_ int lock = -1;
    const time_t now = time(NULL);

    if (join(root->dir, SOFT_COLLATERAL_DIR, &collateral, NULL) < 0) {
        return;
    }
    if (soft_collateral_not_after(collateral, &root->collateral_not_after) == 0 &&
        root->collateral_not_after - now > RENEW_SECONDS) {
        return;
    }
    if (state_dir_lock(parent, &lock, NULL) < 0 ||
        (soft_collateral_not_after(collateral, &root->collateral_not_after) == 0 &&
         root->collateral_not_after - now > RENEW_SECONDS)) {
        return;
    }
    if (mkdir(collateral, 0700) < 0 && errno != EEXIST) {
        return;
    }
    if (soft_authority_load(root->dir, &a, NULL) == 0) {
        (void)soft_collateral_write(&a, collateral, now, &root->collateral_not_after, NULL);
    }
}

int soft_root_open(struct soft_root **ret, struct error **err)
{
    _cleanup_soft_root_ struct soft_root *root = calloc(1, sizeof(*root));
    _cleanup_free_ char *parent = NULL;
    int r;

    if (root == NULL) {
        return error_set_errno(err, ENOMEM, "the software root");
    }
    r = locate(&parent, &root->dir, err);
    r = r < 0 ? r : ensure(parent, root->dir, &root->fresh, err);
    if (r < 0) {
        return r;
    }
    r = load(root, err);
    if (r < 0) {
        (void)error_wrap(err, "the software root is damaged ('nacre softsgx root --init --force' "
                              "makes a new one)");
        return r;
    }
    renew(root, parent);
    *ret = TAKE_PTR(root);
    return 0;
}

void soft_root_info(const struct soft_root *root, struct soft_root_info *ret)
{
    struct soft_root_info info = {
        .dir = root->dir,
        .collateral_not_after = root->collateral_not_after,
        .fresh = root->fresh,
    };
    unsigned size = sizeof(info.fingerprint);
    time_t t = 0;

    (void)X509_digest(root->root_cert, EVP_sha256(), info.fingerprint, &size);
    if (pki_cert_not_after(root->root_cert, &t) == 0) {
        info.not_after = t;
    }
    memcpy(info.fmspc, root->fmspc, sizeof(info.fmspc));
    memcpy(info.ppid, root->ppid, sizeof(info.ppid));
    *ret = info;
}

/* --- export --- */

static int copy_file(const char *from_dir, const char *from, const char *to_dir, const char *to,
                     struct error **err)
{
    _cleanup_free_ char *source = NULL;
    _cleanup_free_ char *target = NULL;
    _cleanup_free_ uint8_t *data = NULL;
    size_t size;
    int r = join(from_dir, from, &source, err);

    r = r < 0 ? r : join(to_dir, to, &target, err);
    r = r < 0 ? r : fs_read_file(source, FILE_MAX, &data, &size, err);
    return r < 0 ? r : fs_write_file_atomic(target, data, size, 0644, err);
}

int soft_root_export(const struct soft_root *root, const char *dir, struct error **err)
{
    _cleanup_free_ char *collateral = NULL;
    int r = join(root->dir, SOFT_COLLATERAL_DIR, &collateral, err);

    if (r < 0) {
        return r;
    }
    if (root->collateral_not_after < time(NULL)) {
        return error_set(err, ESTALE,
                         "the collateral in %s has ended and cannot be renewed; is it writable?",
                         collateral);
    }
    if (mkdir(dir, 0755) < 0 && errno != EEXIST) {
        return error_set_errno(err, errno, "cannot make the directory %s", dir);
    }
    r = copy_file(root->dir, "root.pem", dir, "root_ca.pem", err);
    for (size_t i = 0; r == 0 && soft_collateral_files[i] != NULL; i++) {
        r = copy_file(collateral, soft_collateral_files[i], dir, soft_collateral_files[i], err);
    }
    return r;
}
