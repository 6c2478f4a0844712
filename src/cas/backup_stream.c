/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Encrypted chunks: whatever comes out of them was written there, in this order, up to the end. */

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "cas/backup_internal.h"
#include "core/ct.h"
#include "core/le.h"
#include "core/sha256.h"

int backup_stream_open(FILE *f, const uint8_t header[static BACKUP_HEADER_SIZE],
                       const uint8_t key[static 32], struct backup_stream *ret)
{
    *ret = (struct backup_stream){.f = f, .buf = malloc(BACKUP_CHUNK_MAX)};
    memcpy(ret->key, key, sizeof(ret->key));
    sha256(header, BACKUP_HEADER_SIZE, ret->bound);
    return ret->buf != NULL ? 0 : -ENOMEM;
}

void backup_stream_clear(struct backup_stream *s)
{
    if (s->buf != NULL) {
        ct_wipe(s->buf, BACKUP_CHUNK_MAX);
    }
    free(s->buf);
    ct_wipe(s, sizeof(*s));
}

static void next_nonce(struct backup_stream *s, uint8_t ret[static CRYPTO_GCM_NONCE_SIZE])
{
    memset(ret, 0, CRYPTO_GCM_NONCE_SIZE);
    le64_store(ret, s->number++);
}

static int write_chunk(struct backup_stream *s, bool last)
{
    uint8_t nonce[CRYPTO_GCM_NONCE_SIZE];
    uint8_t tag[CRYPTO_GCM_TAG_SIZE];
    uint8_t size[4];
    int r;

    next_nonce(s, nonce);
    s->bound[32] = last;
    le32_store(size, (uint32_t)s->used);
    r = crypto_gcm_seal(s->key, sizeof(s->key), nonce, s->bound, sizeof(s->bound), s->buf, s->used,
                        s->buf, tag);
    if (r < 0) {
        return r;
    }
    if (fwrite(size, 1, sizeof(size), s->f) != sizeof(size) ||
        fwrite(s->buf, 1, s->used, s->f) != s->used ||
        fwrite(tag, 1, sizeof(tag), s->f) != sizeof(tag)) {
        return -EIO;
    }
    s->used = 0;
    return 0;
}

int backup_put(struct backup_stream *s, const void *data, size_t size)
{
    const uint8_t *p = data;

    while (size > 0) {
        const size_t n = MIN(size, BACKUP_CHUNK_MAX - s->used);

        memcpy(s->buf + s->used, p, n);
        s->used += n;
        p += n;
        size -= n;
        if (s->used == BACKUP_CHUNK_MAX) {
            int r = write_chunk(s, /*last=*/false);

            if (r < 0) {
                return r;
            }
        }
    }
    return 0;
}

int backup_finish(struct backup_stream *s)
{
    return write_chunk(s, /*last=*/true);
}

/* Whether a chunk is the last one is not written but tried: it is when nothing follows it. */
static int read_chunk(struct backup_stream *s)
{
    uint8_t nonce[CRYPTO_GCM_NONCE_SIZE];
    uint8_t tag[CRYPTO_GCM_TAG_SIZE];
    uint8_t size[4];
    int next;

    if (s->last || fread(size, 1, sizeof(size), s->f) != sizeof(size)) {
        return -EBADMSG;
    }
    s->used = le32_load(size);
    s->at = 0;
    if (s->used > BACKUP_CHUNK_MAX || fread(s->buf, 1, s->used, s->f) != s->used ||
        fread(tag, 1, sizeof(tag), s->f) != sizeof(tag)) {
        s->used = 0;
        return -EBADMSG;
    }
    next = getc(s->f);
    s->last = next == EOF;
    if (!s->last) {
        (void)ungetc(next, s->f);
    }
    next_nonce(s, nonce);
    s->bound[32] = s->last;
    return crypto_gcm_open(s->key, sizeof(s->key), nonce, s->bound, sizeof(s->bound), s->buf,
                           s->used, tag, s->buf);
}

int backup_get(struct backup_stream *s, void *ret, size_t size)
{
    uint8_t *p = ret;

    while (size > 0) {
        size_t n;

        if (s->at == s->used) {
            int r = read_chunk(s);

            if (r < 0) {
                return r;
            }
        }
        n = MIN(size, s->used - s->at);
        memcpy(p, s->buf + s->at, n);
        s->at += n;
        p += n;
        size -= n;
    }
    return 0;
}

int backup_end(struct backup_stream *s)
{
    while (!s->last && s->at == s->used) {
        int r = read_chunk(s);

        if (r < 0) {
            return r;
        }
    }
    return s->last && s->at == s->used ? 0 : -EBADMSG;
}
