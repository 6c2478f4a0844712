/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/layer_write.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "base/alloc.h"
#include "core/ct.h"

#define COPY_SIZE    (256u * 1024)
#define PACKED_SIZE  (512u * 1024)
#define OCTAL_SIZE   (1ull << 33) /* what eleven octal digits hold */
#define ZSTD_LEVEL   1            /* sealed data does not shrink; the rest is small */
#define DEFLATE_WORK ISAL_DEF_LVL1_DEFAULT

struct packer {
    enum img_out_compress compress;
    struct img_out *out;
    uint64_t at;
    struct sha256 digest;
    struct sha256 diff_id;
    uint64_t size;
    ZSTD_CCtx *zstd;
    struct isal_zstream gzip;
    uint8_t gzip_work[DEFLATE_WORK];
    uint8_t packed[PACKED_SIZE];
    uint8_t copy[COPY_SIZE];
};

void tar_make_header(uint8_t dst[static TAR_HEADER_SIZE], const char *name, uint32_t mode,
                     uint64_t size, int64_t mtime)
{
    char *h = (char *)dst;
    unsigned sum = 0;

    memset(h, 0, TAR_HEADER_SIZE);
    (void)snprintf(h, 100, "%s", name);
    (void)snprintf(h + 100, 8, "%07o", mode & 07777);
    (void)snprintf(h + 108, 8, "%07o", 0u);
    (void)snprintf(h + 116, 8, "%07o", 0u);
    if (size < OCTAL_SIZE) {
        (void)snprintf(h + 124, 12, "%011llo", (unsigned long long)size);
    } else {
        dst[124] = 0x80;
        for (int i = 0; i < 8; i++) {
            dst[135 - i] = (uint8_t)(size >> 8 * i);
        }
    }
    (void)snprintf(h + 136, 12, "%011llo", (unsigned long long)mtime & 077777777777ull);
    memset(h + 148, ' ', 8);
    h[156] = (mode & 0170000) == 0040000 ? '5' : '0';
    memcpy(h + 257, "ustar\00000", 8);
    (void)snprintf(h + 329, 8, "%07o", 0u);
    (void)snprintf(h + 337, 8, "%07o", 0u);
    for (size_t i = 0; i < TAR_HEADER_SIZE; i++) {
        sum += dst[i];
    }
    (void)snprintf(h + 148, 8, "%06o", sum);
}

static int put_packed(struct packer *p, const uint8_t *data, size_t size, struct error **err)
{
    int r = img_out_write(p->out, p->at, data, size, err);

    sha256_update(&p->digest, data, size);
    p->at += size;
    p->size += size;
    return r;
}

static int put_zstd(struct packer *p, const void *data, size_t size, bool last, struct error **err)
{
    ZSTD_inBuffer in = {.src = data, .size = size};
    size_t left;

    do {
        ZSTD_outBuffer out = {.dst = p->packed, .size = PACKED_SIZE};
        int r;

        left = ZSTD_compressStream2(p->zstd, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left)) {
            return error_set(err, EIO, "compressing the layer: %s", ZSTD_getErrorName(left));
        }
        r = put_packed(p, p->packed, out.pos, err);
        if (r < 0) {
            return r;
        }
    } while (in.pos < in.size || (last && left > 0));
    return 0;
}

static int put_gzip(struct packer *p, const void *data, size_t size, bool last, struct error **err)
{
    uint8_t *in;

    memcpy(&in, &data, sizeof(in)); /* the library's pointer is not const, its use is */
    p->gzip.next_in = in;
    p->gzip.avail_in = (uint32_t)size;
    p->gzip.end_of_stream = last;
    do {
        int r;

        p->gzip.next_out = p->packed;
        p->gzip.avail_out = PACKED_SIZE;
        if (isal_deflate(&p->gzip) != COMP_OK) {
            return error_set(err, EIO, "compressing the layer failed");
        }
        r = put_packed(p, p->packed, PACKED_SIZE - p->gzip.avail_out, err);
        if (r < 0) {
            return r;
        }
    } while (p->gzip.avail_out == 0 || p->gzip.avail_in > 0 ||
             (last && p->gzip.internal_state.state != ZSTATE_END));
    return 0;
}

/* Bytes of the tar; none and `last` ends it. */
static int put(struct packer *p, const void *data, size_t size, bool last, struct error **err)
{
    if (p->compress == IMG_OUT_PLAIN) { /* one digest is both */
        return put_packed(p, data, size, err);
    }
    sha256_update(&p->diff_id, data, size);
    return p->compress == IMG_OUT_GZIP ? put_gzip(p, data, size, last, err)
                                       : put_zstd(p, data, size, last, err);
}

static int put_file(struct packer *p, const struct img_out_entry *e, struct error **err)
{
    static const uint8_t zeros[TAR_HEADER_SIZE];
    uint64_t at = 0;
    int r = 0;

    while (r == 0 && at < e->size) {
        const size_t want = (size_t)MIN(e->size - at, (uint64_t)COPY_SIZE);
        ssize_t n = (ssize_t)want;

        if (e->data != NULL) {
            r = put(p, (const uint8_t *)e->data + at, want, false, err);
        } else {
            n = pread(e->fd, p->copy, want, (off_t)at);
            if (n < 0 && errno == EINTR) {
                continue;
            }
            if (n <= 0) {
                return error_set_errno(err, n < 0 ? errno : EIO, "cannot read %s", e->path);
            }
            r = put(p, p->copy, (size_t)n, false, err);
        }
        at += (uint64_t)n;
    }
    if (r == 0 && e->size % TAR_HEADER_SIZE > 0) {
        r = put(p, zeros, TAR_HEADER_SIZE - e->size % TAR_HEADER_SIZE, false, err);
    }
    return r;
}

static int put_entry(struct packer *p, const struct img_out_entry *e, int64_t time,
                     struct error **err)
{
    const bool dir = (e->mode & 0170000) == 0040000;
    uint8_t header[TAR_HEADER_SIZE];
    char name[IMG_OUT_NAME_MAX + 1];
    int r;

    (void)snprintf(name, sizeof(name), "%s%s", e->path, dir ? "/" : "");
    tar_make_header(header, name, e->mode, dir ? 0 : e->size, time);
    r = put(p, header, sizeof(header), false, err);
    return r < 0 || dir ? r : put_file(p, e, err);
}

static int packer_init(struct packer *p, struct error **err)
{
    sha256_init(&p->digest);
    sha256_init(&p->diff_id);
    if (p->compress == IMG_OUT_ZSTD) {
        p->zstd = ZSTD_createCCtx();
        if (p->zstd == NULL ||
            ZSTD_isError(ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL))) {
            return error_set_errno(err, ENOMEM, "compressing the layer");
        }
    } else if (p->compress == IMG_OUT_GZIP) {
        isal_deflate_init(&p->gzip);
        p->gzip.level = 1;
        p->gzip.level_buf = p->gzip_work;
        p->gzip.level_buf_size = sizeof(p->gzip_work);
        p->gzip.gzip_flag = IGZIP_GZIP;
    }
    return 0;
}

static const char *media_type(enum img_out_compress c)
{
    switch (c) {
    case IMG_OUT_GZIP: return "application/vnd.oci.image.layer.v1.tar+gzip";
    case IMG_OUT_ZSTD: return "application/vnd.oci.image.layer.v1.tar+zstd";
    case IMG_OUT_PLAIN: break;
    }
    return "application/vnd.oci.image.layer.v1.tar";
}

/* By the first bytes, as the layer reader does. */
static enum img_out_compress packing_of(const uint8_t *p, size_t size)
{
    if (size >= 2 && p[0] == 0x1f && p[1] == 0x8b) {
        return IMG_OUT_GZIP;
    }
    return size >= 4 && ((p[0] == 0x28 && p[1] == 0xb5) || ((p[0] & 0xf0) == 0x50 && p[1] == 0x2a))
               ? IMG_OUT_ZSTD
               : IMG_OUT_PLAIN;
}

static int copy_base(const struct img_layer *l, struct img_out *out, uint64_t at,
                     struct layer_written *ret, struct error **err)
{
    _cleanup_free_ uint8_t *buf = malloc(COPY_SIZE);
    struct sha256 ctx;
    uint64_t done = 0;

    if (buf == NULL) {
        return error_set_errno(err, ENOMEM, "copying %s", l->name);
    }
    sha256_init(&ctx);
    while (done < l->region.size) {
        const size_t want = (size_t)MIN(l->region.size - done, (uint64_t)COPY_SIZE);
        ssize_t n = pread(l->region.fd, buf, want, (off_t)(l->region.offset + done));
        int r;

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return error_set_errno(err, n < 0 ? errno : EIO, "cannot read %s", l->name);
        }
        if (done == 0) {
            ret->media_type = media_type(packing_of(buf, (size_t)n));
        }
        sha256_update(&ctx, buf, (size_t)n);
        r = img_out_write(out, at + done, buf, (size_t)n, err);
        if (r < 0) {
            return r;
        }
        done += (uint64_t)n;
    }
    sha256_final(&ctx, ret->digest);
    if (l->has_digest && !ct_equal(ret->digest, l->digest, SHA256_SIZE)) {
        return error_set(err, EBADMSG, "%s does not match its digest", l->name);
    }
    if (!l->has_diff_id || done == 0) {
        return error_set(err, EINVAL, "%s has no diff_id and cannot be passed on", l->name);
    }
    memcpy(ret->diff_id, l->diff_id, sizeof(ret->diff_id));
    ret->size = done;
    return 0;
}

static int write_own(const struct img_out_image *im, struct img_out *out, uint64_t at,
                     struct layer_written *ret, struct error **err)
{
    static const uint8_t end[2 * TAR_HEADER_SIZE];
    _cleanup_free_ struct packer *p = calloc(1, sizeof(*p));
    int r;

    if (p == NULL) {
        return error_set_errno(err, ENOMEM, "writing the layer");
    }
    p->compress = im->compress;
    p->out = out;
    p->at = at;
    r = packer_init(p, err);
    for (size_t i = 0; r == 0 && i < im->count; i++) {
        r = put_entry(p, &im->entries[i], im->time, err);
    }
    if (r == 0) {
        r = put(p, end, sizeof(end), true, err);
    }
    (void)ZSTD_freeCCtx(p->zstd);
    if (r < 0) {
        return r;
    }
    ret->media_type = media_type(im->compress);
    ret->size = p->size;
    sha256_final(&p->digest, ret->digest);
    if (im->compress == IMG_OUT_PLAIN) {
        memcpy(ret->diff_id, ret->digest, sizeof(ret->diff_id));
    } else {
        sha256_final(&p->diff_id, ret->diff_id);
    }
    return 0;
}

int layer_write(const struct img_out_image *im, size_t index, struct img_out *out, uint64_t at,
                struct layer_written *ret, struct error **err)
{
    return index < im->base_count ? copy_base(&im->base[index], out, at, ret, err)
                                  : write_own(im, out, at, ret, err);
}
