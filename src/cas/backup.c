/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cas/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/state_dir.h"
#include "cas/audit.h"
#include "cas/backup_internal.h"
#include "cas/store/store.h"
#include "core/ct.h"
#include "core/le.h"

#define NAME_MAX_SIZE 64u
#define PIECE         ((size_t)32 * 1024)
#define FILE_MAX      ((uint64_t)1 << 40)

/* What a CAS is. The log comes last, so that it reaches as far as the database. */
static const struct {
    const char *name;
    unsigned mode;
} parts[] = {
    {"cas.db", 0600},       {"master.key", 0600}, {"tls-key.pem", 0600},
    {"tls-cert.pem", 0644}, {"audit.log", 0600},
};

static char *join(const char *dir, const char *name)
{
    char *p = NULL;

    return asprintf(&p, "%s/%s", dir, name) < 0 ? NULL : p;
}

static void remove_parts(const char *dir)
{
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        _cleanup_free_ char *path = join(dir, parts[i].name);

        if (path != NULL) {
            (void)unlink(path);
        }
    }
    (void)rmdir(dir);
}

/* ---- writing -------------------------------------------------------------------------------- */

/* As much of the file as it has now; a log may grow meanwhile, and then ends at a whole line. */
static int put_file(struct backup_stream *s, const char *name, const char *path, struct error **err)
{
    _cleanup_fclose_ FILE *f = fopen(path, "re");
    _cleanup_free_ uint8_t *buf = malloc(PIECE);
    uint8_t head[2 + NAME_MAX_SIZE + 8];
    const size_t len = strlen(name);
    struct stat st;
    uint64_t left;
    int r;

    if (f == NULL || buf == NULL || fstat(fileno(f), &st) < 0) {
        return error_set_errno(err, f == NULL ? errno : ENOMEM, "cannot read %s", path);
    }
    left = (uint64_t)st.st_size;
    le16_store(head, (uint16_t)len);
    memcpy(head + 2, name, len);
    le64_store(head + 2 + len, left);
    r = backup_put(s, head, 2 + len + 8);
    while (r == 0 && left > 0) {
        const size_t n = (size_t)MIN(left, (uint64_t)PIECE);

        if (fread(buf, 1, n, f) != n) {
            ct_wipe(buf, PIECE);
            return error_set(err, EIO, "cannot read %s", path);
        }
        r = backup_put(s, buf, n);
        left -= n;
    }
    ct_wipe(buf, PIECE);
    return r < 0 ? error_set_errno(err, -r, "writing the backup") : 0;
}

static int put_parts(struct backup_stream *s, const char *dir, const char *snapshot,
                     struct error **err)
{
    static const uint8_t end[2] = {0};
    int r = 0;

    for (size_t i = 0; i < ARRAY_COUNT(parts) && r == 0; i++) {
        _cleanup_free_ char *path = i == 0 ? strdup(snapshot) : join(dir, parts[i].name);

        r = path != NULL ? put_file(s, parts[i].name, path, err)
                         : error_set_errno(err, ENOMEM, "writing the backup");
    }
    if (r == 0 && (backup_put(s, end, sizeof(end)) < 0 || backup_finish(s) < 0)) {
        r = error_set(err, EIO, "writing the backup");
    }
    return r;
}

static int write_to(FILE *f, const char *dir, const char *snapshot, const struct backup_lock *lock,
                    struct error **err)
{
    _cleanup_(backup_stream_clear) struct backup_stream s = {0};
    uint8_t header[BACKUP_HEADER_SIZE];
    uint8_t key[32];
    int r = backup_key_make(lock, header, key, err);

    if (r < 0) {
        return r;
    }
    r = backup_stream_open(f, header, key, &s);
    ct_wipe(key, sizeof(key));
    if (r < 0 || fwrite(header, 1, sizeof(header), f) != sizeof(header)) {
        return error_set_errno(err, r < 0 ? -r : EIO, "writing the backup");
    }
    r = put_parts(&s, dir, snapshot, err);
    if (r == 0 && (fflush(f) != 0 || fsync(fileno(f)) < 0)) {
        r = error_set_errno(err, errno, "writing the backup");
    }
    return r;
}

/* A private copy of the database at one moment, beside it, for as long as the backup takes. */
static int with_snapshot(const char *dir, FILE *f, const struct backup_lock *lock,
                         struct error **err)
{
    _cleanup_free_ char *db = join(dir, "cas.db");
    _cleanup_free_ char *snapshot = NULL;
    int fd;
    int r;

    if (db == NULL || asprintf(&snapshot, "%s/.snapshot-XXXXXX", dir) < 0) {
        snapshot = NULL;
        return error_set_errno(err, ENOMEM, "writing the backup");
    }
    if (access(db, R_OK) < 0) {
        return error_set_errno(err, errno, "there is no CAS in %s", dir);
    }
    fd = mkostemp(snapshot, O_CLOEXEC);
    if (fd < 0) {
        return error_set_errno(err, errno, "cannot write to %s", dir);
    }
    (void)close(fd);
    r = store_sqlite_snapshot(db, snapshot, err);
    if (r == 0) {
        r = write_to(f, dir, snapshot, lock, err);
    }
    (void)unlink(snapshot);
    return r;
}

static int find_dir(const char *given, char **ret, struct error **err)
{
    int r;

    if (given == NULL) {
        return state_dir_make("cas", ret, err);
    }
    r = state_dir_make_private(given, err);
    *ret = r == 0 ? strdup(given) : NULL;
    return r == 0 && *ret == NULL ? error_set_errno(err, ENOMEM, "opening %s", given) : r;
}

int backup_write(const char *given, const struct backup_lock *lock, const char *path,
                 struct error **err)
{
    _cleanup_free_ char *dir = NULL;
    _cleanup_fclose_ FILE *f = NULL;
    int fd;
    int r;

    if (given != NULL && access(given, F_OK) < 0) {
        return error_set_errno(err, errno, "there is no CAS in %s", given);
    }
    r = find_dir(given, &dir, err);
    if (r < 0) {
        return r;
    }
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (f == NULL) {
        return error_set_errno(err, errno, "cannot make %s", path);
    }
    r = with_snapshot(dir, f, lock, err);
    if (r < 0) {
        (void)unlink(path); /* half a backup is none */
    }
    return r;
}

/* ---- restoring ------------------------------------------------------------------------------ */

static int damaged(int r, const char *path, struct error **err)
{
    return r == -EBADMSG ? error_set(err, EBADMSG, "%s is damaged, incomplete or was changed", path)
                         : error_set_errno(err, -r, "reading %s", path);
}

/* Which part a name is, and that it was not there before. */
static int find_part(const char *name, size_t len, unsigned *io_seen, size_t *ret)
{
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        if (strlen(parts[i].name) == len && strncmp(parts[i].name, name, len) == 0 &&
            (*io_seen & 1u << i) == 0) {
            *io_seen |= 1u << i;
            *ret = i;
            return 0;
        }
    }
    return -EBADMSG;
}

static int copy_out(struct backup_stream *s, int fd, uint64_t left)
{
    _cleanup_free_ uint8_t *buf = malloc(PIECE);
    int r = buf != NULL ? 0 : -ENOMEM;

    while (r == 0 && left > 0) {
        const size_t n = (size_t)MIN(left, (uint64_t)PIECE);

        r = backup_get(s, buf, n);
        if (r == 0 && write(fd, buf, n) != (ssize_t)n) {
            r = -EIO;
        }
        left -= n;
    }
    if (buf != NULL) {
        ct_wipe(buf, PIECE);
    }
    return r == 0 && fsync(fd) < 0 ? -errno : r;
}

/* One file. 1: it was the end. */
static int get_file(struct backup_stream *s, const char *dir, unsigned *io_seen)
{
    _cleanup_free_ char *path = NULL;
    _cleanup_close_ int fd = -1;
    char name[NAME_MAX_SIZE];
    uint8_t number[8];
    uint64_t size;
    size_t part;
    size_t len;
    int r = backup_get(s, number, 2);

    if (r < 0) {
        return r;
    }
    len = le16_load(number);
    if (len == 0) {
        return 1;
    }
    r = len <= sizeof(name) ? backup_get(s, name, len) : -EBADMSG;
    if (r == 0) {
        r = find_part(name, len, io_seen, &part);
    }
    if (r == 0) {
        r = backup_get(s, number, sizeof(number));
    }
    if (r < 0) {
        return r;
    }
    size = le64_load(number);
    path = join(dir, parts[part].name);
    if (path == NULL || size > FILE_MAX) {
        return path == NULL ? -ENOMEM : -EBADMSG;
    }
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, parts[part].mode);
    return fd >= 0 ? copy_out(s, fd, size) : -errno;
}

static int get_parts(struct backup_stream *s, const char *dir)
{
    unsigned seen = 0;
    int r;

    do {
        r = get_file(s, dir, &seen);
    } while (r == 0);
    if (r < 0) {
        return r;
    }
    return seen == (1u << ARRAY_COUNT(parts)) - 1 ? backup_end(s) : -EBADMSG;
}

static int read_from(const char *path, const struct backup_lock *lock, const char *dir,
                     struct error **err)
{
    _cleanup_fclose_ FILE *f = fopen(path, "re");
    _cleanup_(backup_stream_clear) struct backup_stream s = {0};
    uint8_t header[BACKUP_HEADER_SIZE];
    uint8_t key[32];
    int r;

    if (f == NULL) {
        return error_set_errno(err, errno, "cannot open %s", path);
    }
    if (fread(header, 1, sizeof(header), f) != sizeof(header)) {
        return error_set(err, EINVAL, "%s is too short for the backup of a CAS", path);
    }
    r = backup_key_open(lock, header, key, err);
    if (r < 0) {
        (void)error_wrap(err, "%s", path);
        return r;
    }
    r = backup_stream_open(f, header, key, &s);
    ct_wipe(key, sizeof(key));
    if (r == 0) {
        r = get_parts(&s, dir);
    }
    if (r == -EBADMSG && s.number <= 1) {
        return error_set(err, EKEYREJECTED,
                         "%s does not open: another passphrase, or it was changed", path);
    }
    return r < 0 ? damaged(r, path, err) : 0;
}

/* The restored log says from when on this is another life. */
static int log_restored(const char *dir, struct error **err)
{
    _cleanup_free_ char *path = join(dir, "audit.log");
    _cleanup_audit_ struct audit *a = NULL;
    int r = path != NULL ? audit_open(path, &a, err) : error_set_errno(err, ENOMEM, "restoring");

    return r == 0 ? audit_append(a, (int64_t)time(NULL), "cas.restored", NULL, err) : r;
}

int backup_restore(const char *path, const struct backup_lock *lock, const char *dir,
                   struct error **err)
{
    _cleanup_free_ char *fresh = NULL;
    int r;

    if (rmdir(dir) < 0 && errno != ENOENT) {
        return error_set(err, EEXIST, "%s is not empty: restore into a new directory", dir);
    }
    if (asprintf(&fresh, "%s.restore-XXXXXX", dir) < 0) {
        fresh = NULL;
        return error_set_errno(err, ENOMEM, "restoring");
    }
    if (mkdtemp(fresh) == NULL) {
        return error_set_errno(err, errno, "cannot make a directory beside %s", dir);
    }
    r = read_from(path, lock, fresh, err);
    if (r == 0) {
        r = log_restored(fresh, err);
    }
    if (r == 0 && rename(fresh, dir) < 0) {
        r = error_set_errno(err, errno, "cannot put the restored CAS into %s", dir);
    }
    if (r < 0) {
        remove_parts(fresh);
    }
    return r;
}
