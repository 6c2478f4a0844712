/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* nacre cas: backup and restore. */

#include <stdio.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "base/secret.h"
#include "base/state_dir.h"
#include "cas/backup.h"
#include "cli/cas_service_verbs.h"
#include "sign/key_file.h"

static int read_public(const char *path, struct evp_pkey_st **ret, struct error **err)
{
    _cleanup_free_ uint8_t *pem = NULL;
    size_t size;
    int r = fs_read_file(path, CRYPTO_PEM_MAX, &pem, &size, err);

    return r == 0 ? crypto_pem_read_public(pem, size, path, ret, err) : r;
}

static int read_private(const char *path, const struct secret *passphrase, struct evp_pkey_st **ret,
                        struct error **err)
{
    _cleanup_secret_ struct secret *pem = NULL;
    int r = secret_read_file(path, CRYPTO_PEM_MAX, &pem, err);

    return r == 0
               ? crypto_pem_read_private(pem->data, pem->size, path,
                                         passphrase != NULL ? (const char *)passphrase->data : NULL,
                                         ret, err)
               : r;
}

int cas_backup_verb(int argc, char **argv, struct error **err)
{
    const char *dir = NULL;
    const char *file = NULL;
    const char *holder = NULL;
    const struct arg_option options[] = {
        {"dir", 0, ARG_STRING, "DIR", "the CAS (default: in the state directory)", &dir},
        {"passphrase-file", 0, ARG_STRING, "FILE",
         "its first line opens the backup ($NACRE_KEY_PASSPHRASE)", &file},
        {"holder", 0, ARG_STRING, "FILE",
         "instead: only the holder of this P-256 key opens it; public key or certificate, PEM",
         &holder},
        {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre cas backup",
        .synopsis = "[OPTIONS] FILE",
        .summary = "Write database, keys and audit log of a CAS into one encrypted file.",
        .options = options,
        .examples = "  nacre cas backup --passphrase-file pass.txt cas-2026-11-22.bak\n"
                    "  nacre cas backup --holder escrow-public.pem /mnt/backup/cas.bak",
        .notes = "The CAS may be serving meanwhile. Whoever opens the file can read every secret "
                 "and can be this CAS.",
        .min_args = 1,
        .max_args = 1,
    };
    _cleanup_secret_ struct secret *passphrase = NULL;
    _cleanup_key_ struct evp_pkey_st *key = NULL;
    struct backup_lock lock;
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    r = holder != NULL ? read_public(holder, &key, err)
                       : key_file_passphrase(file, &passphrase, err);
    if (r == 0 && key == NULL && passphrase == NULL) {
        (void)error_set(err, EINVAL, "what opens the backup? give --passphrase-file or --holder");
        return CLI_USAGE;
    }
    lock = (struct backup_lock){.passphrase = passphrase, .key = key};
    return cas_exit(r == 0 ? backup_write(dir, &lock, argv[0], err) : r);
}

static int restore(const char *path, const char *dir, const struct backup_lock *lock,
                   struct error **err)
{
    _cleanup_free_ char *own = NULL;
    int r;

    if (dir == NULL) {
        r = state_dir_make("cas", &own, err);
        if (r < 0) {
            return r;
        }
        dir = own;
    }
    r = backup_restore(path, lock, dir, err);
    if (r == 0) {
        printf("%s\n", dir);
    }
    return r;
}

int cas_restore_verb(int argc, char **argv, struct error **err)
{
    const char *dir = NULL;
    const char *file = NULL;
    const char *key_file = NULL;
    const struct arg_option options[] = {
        {"dir", 0, ARG_STRING, "DIR", "where to; new or empty (default: in the state directory)",
         &dir},
        {"passphrase-file", 0, ARG_STRING, "FILE",
         "passphrase of the backup, or of the key ($NACRE_KEY_PASSPHRASE)", &file},
        {"key", 0, ARG_STRING, "FILE", "the P-256 key the backup was made for, PEM", &key_file},
        {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre cas restore",
        .synopsis = "[OPTIONS] FILE",
        .summary = "Make a CAS out of a backup. Prints its directory.",
        .options = options,
        .examples = "  nacre cas restore --passphrase-file pass.txt cas-2026-11-22.bak\n"
                    "  nacre cas restore --key escrow.pem --dir /srv/cas cas.bak",
        .notes = "It has the same key as before, so that clients and images need no change. What "
                 "was done since the\nbackup is undone, deleted sessions are back. Exit code 3: "
                 "the passphrase or key is another one.",
        .min_args = 1,
        .max_args = 1,
    };
    _cleanup_secret_ struct secret *passphrase = NULL;
    _cleanup_key_ struct evp_pkey_st *key = NULL;
    struct backup_lock lock = {0};
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    r = key_file_passphrase(file, &passphrase, err);
    if (r == 0 && key_file != NULL) {
        r = read_private(key_file, passphrase, &key, err);
    }
    if (r == 0 && key == NULL && passphrase == NULL) {
        (void)error_set(err, EINVAL, "what opens the backup? give --passphrase-file or --key");
        return CLI_USAGE;
    }
    if (key != NULL) {
        lock.key = key;
    } else {
        lock.passphrase = passphrase;
    }
    return cas_exit(r == 0 ? restore(argv[0], dir, &lock, err) : r);
}
