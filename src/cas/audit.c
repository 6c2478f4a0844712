/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cas/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "core/ct.h"
#include "core/hex.h"
#include "core/sha256.h"

/*
 * Lines are written one after the other under the lock; flushing them to the disk is shared:
 * whoever finds nobody flushing does it for all lines written so far, the others wait for him. So
 * the number of lines a second is not bounded by the number of flushes a disk can do.
 */
struct audit {
    pthread_mutex_t lock;
    pthread_cond_t flushed_more;
    int fd;
    uint64_t seq; /* of the newest line written */
    uint8_t last[AUDIT_HASH_SIZE];
    uint64_t flushed; /* seq of the newest line on the disk */
    uint8_t flushed_hash[AUDIT_HASH_SIZE];
    bool flushing;
    bool broken; /* a write failed: what is on the disk is unknown */
};

static void json_freep(json_t **j)
{
    json_decref(*j);
}
#define _cleanup_json_ _cleanup_(json_freep)

/* SHA-256 over the object without "hash", keys sorted, no white space. */
static int hash_entry(const json_t *entry, uint8_t ret[static AUDIT_HASH_SIZE])
{
    _cleanup_json_ json_t *copy = json_copy((json_t *)(uintptr_t)entry);
    _cleanup_free_ char *text = NULL;

    if (copy == NULL) {
        return -ENOMEM;
    }
    (void)json_object_del(copy, "hash");
    text = json_dumps(copy, JSON_COMPACT | JSON_SORT_KEYS);
    if (text == NULL) {
        return -ENOMEM;
    }
    sha256(text, strlen(text), ret);
    return 0;
}

/* ---- verifying ------------------------------------------------------------------------------ */

static bool hex_field(const json_t *entry, const char *key, uint8_t ret[static AUDIT_HASH_SIZE])
{
    const json_t *j = json_object_get(entry, key);
    const char *s = json_string_value(j);

    return s != NULL && hex_decode(ret, AUDIT_HASH_SIZE, s, json_string_length(j)) == 0;
}

static int check_line(const char *line, size_t len, struct audit_summary *sum,
                      const uint8_t *expect, struct error **err)
{
    const uint64_t number = sum->lines + 1;
    json_error_t e;
    _cleanup_json_ json_t *entry = json_loadb(line, len, JSON_REJECT_DUPLICATES, &e);
    uint8_t prev[AUDIT_HASH_SIZE];
    uint8_t said[AUDIT_HASH_SIZE];
    uint8_t is[AUDIT_HASH_SIZE];

    if (!json_is_object(entry)) {
        return error_set(err, EBADMSG, "line %llu is not a JSON object",
                         (unsigned long long)number);
    }
    if (json_integer_value(json_object_get(entry, "seq")) != (json_int_t)number) {
        return error_set(err, EBADMSG,
                         "line %llu does not have seq %llu: lines are missing or added",
                         (unsigned long long)number, (unsigned long long)number);
    }
    if (!hex_field(entry, "prev", prev) || !ct_equal(prev, sum->last_hash, sizeof(prev))) {
        return error_set(err, EBADMSG, "line %llu does not follow the line before it",
                         (unsigned long long)number);
    }
    if (hash_entry(entry, is) < 0) {
        return error_set_errno(err, ENOMEM, "verifying");
    }
    if (!hex_field(entry, "hash", said) || !ct_equal(said, is, sizeof(is))) {
        return error_set(err, EBADMSG, "line %llu was changed: its hash is another one",
                         (unsigned long long)number);
    }
    memcpy(sum->last_hash, is, sizeof(is));
    sum->lines = number;
    sum->found = sum->found || (expect != NULL && ct_equal(is, expect, sizeof(is)));
    return 0;
}

static int verify_stream(FILE *f, const uint8_t *expect, struct audit_summary *sum,
                         struct error **err)
{
    _cleanup_free_ char *line = malloc(AUDIT_LINE_MAX + 2);

    if (line == NULL) {
        return error_set_errno(err, ENOMEM, "verifying");
    }
    while (fgets(line, (int)AUDIT_LINE_MAX + 2, f) != NULL) {
        const size_t len = strlen(line);
        int r;

        if (len == 0 || line[len - 1] != '\n') {
            if (len > AUDIT_LINE_MAX) {
                return error_set(err, EBADMSG, "line %llu is too long",
                                 (unsigned long long)sum->lines + 1);
            }
            sum->torn = true;
            break;
        }
        r = check_line(line, len - 1, sum, expect, err);
        if (r < 0) {
            return r;
        }
        sum->complete_size += (int64_t)len;
    }
    if (ferror(f)) {
        return error_set_errno(err, EIO, "reading");
    }
    return 0;
}

int audit_verify(const char *path, const uint8_t *expect, struct audit_summary *ret,
                 struct error **err)
{
    _cleanup_fclose_ FILE *f = fopen(path, "re");
    struct audit_summary sum = {0};
    int r;

    if (f == NULL) {
        return error_set_errno(err, errno, "cannot open %s", path);
    }
    r = verify_stream(f, expect, &sum, err);
    if (r < 0) {
        (void)error_wrap(err, "%s", path);
        return r;
    }
    if (expect != NULL && !sum.found) {
        return error_set(err, ENOKEY,
                         "%s: the expected hash does not occur: this log was cut or replaced",
                         path);
    }
    *ret = sum;
    return 0;
}

/* ---- writing -------------------------------------------------------------------------------- */

static int write_all(int fd, const char *p, size_t size)
{
    while (size > 0) {
        const ssize_t n = write(fd, p, size);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

static int build_entry(const struct audit *a, int64_t now, const char *event, const json_t *fields,
                       char **ret_line, uint8_t ret_hash[static AUDIT_HASH_SIZE])
{
    _cleanup_json_ json_t *entry = NULL;
    const time_t t = (time_t)now;
    char hex[2 * AUDIT_HASH_SIZE + 1];
    char stamp[32];
    struct tm tm;

    if (gmtime_r(&t, &tm) == NULL ||
        strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) {
        return -EINVAL;
    }
    hex_encode(hex, a->last, sizeof(a->last));
    entry =
        json_pack("{s:I, s:s, s:s}", "seq", (json_int_t)a->seq + 1, "time", stamp, "event", event);
    if (entry == NULL ||
        (fields != NULL && json_object_update_missing(entry, (json_t *)(uintptr_t)fields) < 0) ||
        json_object_set_new(entry, "prev", json_string(hex)) < 0 ||
        hash_entry(entry, ret_hash) < 0) {
        return -ENOMEM;
    }
    hex_encode(hex, ret_hash, AUDIT_HASH_SIZE);
    if (json_object_set_new(entry, "hash", json_string(hex)) < 0) {
        return -ENOMEM;
    }
    *ret_line = json_dumps(entry, JSON_COMPACT);
    return *ret_line != NULL ? 0 : -ENOMEM;
}

static int append_locked(struct audit *a, int64_t now, const char *event, const json_t *fields,
                         struct error **err)
{
    _cleanup_free_ char *line = NULL;
    uint8_t hash[AUDIT_HASH_SIZE];
    size_t len;
    int r;

    if (a->broken) {
        return error_set(err, EIO, "the audit log failed before; CAS must be started again");
    }
    r = build_entry(a, now, event, fields, &line, hash);
    len = r == 0 ? strlen(line) : 0;
    if (r < 0 || len > AUDIT_LINE_MAX) {
        return error_set_errno(err, r < 0 ? -r : EMSGSIZE, "writing the audit log");
    }
    line[len] = '\n'; /* in the place of the NUL: one write, so that a line is whole or torn */
    r = write_all(a->fd, line, len + 1);
    if (r < 0) {
        a->broken = true;
        return error_set_errno(err, -r, "writing the audit log");
    }
    a->seq++;
    memcpy(a->last, hash, sizeof(hash));
    return 0;
}

/* Flushes every line written so far. With the lock held, which it gives back meanwhile. */
static void flush_locked(struct audit *a)
{
    const uint64_t seq = a->seq;
    uint8_t hash[AUDIT_HASH_SIZE];
    int r;

    memcpy(hash, a->last, sizeof(hash));
    a->flushing = true;
    (void)pthread_mutex_unlock(&a->lock);
    r = fdatasync(a->fd);
    (void)pthread_mutex_lock(&a->lock);
    a->flushing = false;
    if (r < 0) {
        a->broken = true;
    } else {
        a->flushed = seq;
        memcpy(a->flushed_hash, hash, sizeof(hash));
    }
    (void)pthread_cond_broadcast(&a->flushed_more);
}

/* Returns when line `seq` is on the disk. With the lock held. */
static int wait_flushed(struct audit *a, uint64_t seq, struct error **err)
{
    while (a->flushed < seq && !a->broken) {
        if (a->flushing) {
            (void)pthread_cond_wait(&a->flushed_more, &a->lock);
        } else {
            flush_locked(a);
        }
    }
    return a->flushed >= seq ? 0
                             : error_set(err, EIO, "the audit log cannot be flushed to the disk");
}

int audit_append(struct audit *a, int64_t now, const char *event, json_t *fields,
                 struct error **err)
{
    _cleanup_json_ json_t *own = fields;
    int r;

    (void)pthread_mutex_lock(&a->lock);
    r = append_locked(a, now, event, own, err);
    if (r == 0) {
        r = wait_flushed(a, a->seq, err);
    }
    (void)pthread_mutex_unlock(&a->lock);
    return r;
}

void audit_last(struct audit *a, uint64_t *ret_seq, uint8_t ret_hash[static AUDIT_HASH_SIZE])
{
    (void)pthread_mutex_lock(&a->lock);
    *ret_seq = a->flushed;
    memcpy(ret_hash, a->flushed_hash, AUDIT_HASH_SIZE);
    (void)pthread_mutex_unlock(&a->lock);
}

int audit_open(const char *path, struct audit **ret, struct error **err)
{
    _cleanup_audit_ struct audit *a = calloc(1, sizeof(*a));
    struct audit_summary sum;
    int r;

    if (a == NULL || pthread_mutex_init(&a->lock, NULL) != 0 ||
        pthread_cond_init(&a->flushed_more, NULL) != 0) {
        return error_set_errno(err, ENOMEM, "opening %s", path);
    }
    a->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (a->fd < 0) {
        return error_set_errno(err, errno, "cannot open the audit log %s", path);
    }
    r = audit_verify(path, NULL, &sum, err);
    if (r < 0) {
        return r;
    }
    a->seq = sum.lines;
    memcpy(a->last, sum.last_hash, sizeof(a->last));
    a->flushed = sum.lines;
    memcpy(a->flushed_hash, sum.last_hash, sizeof(a->flushed_hash));
    if (sum.torn) {
        if (ftruncate(a->fd, (off_t)sum.complete_size) < 0) {
            return error_set_errno(err, errno, "cutting the incomplete last line off %s", path);
        }
        r = audit_append(a, (int64_t)time(NULL), "audit.recovered",
                         json_pack("{s:s}", "detail", "an incomplete last line was cut off"), err);
        if (r < 0) {
            return r;
        }
    }
    *ret = TAKE_PTR(a);
    return 0;
}

struct audit *audit_close(struct audit *a)
{
    if (a != NULL) {
        if (a->fd >= 0) {
            (void)close(a->fd);
        }
        (void)pthread_cond_destroy(&a->flushed_more);
        (void)pthread_mutex_destroy(&a->lock);
        free(a);
    }
    return NULL;
}
