/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <string.h>

#include "core/cursor.h"
#include "core/le.h"
#include "loader/build.h"
#include "loader/loader.h"
#include "loader/measure.h"

int loader_measure(const struct loader_image *image, struct loader_measurement *ret,
                   struct error **err)
{
    const struct sgx_attributes attributes = {.flags = SGX_FLAGS_MODE64BIT,
                                              .xfrm = SGX_XFRM_LEGACY}; /* enter no measurement */
    struct elf_image elf;
    struct sgx_enclave *e;
    struct layout l;
    int r = elf_image_parse(image->elf, image->elf_size, &elf, err);

    if (r == 0) {
        r = layout_make(&elf, image->manifest, image->manifest_size, &l, err);
    }
    if (r < 0) {
        return r;
    }
    r = build_pages(&measure_backend, &l, 0, &attributes, 0, &e, err);
    if (r == 0) {
        *ret = (struct loader_measurement){
            .size = l.measured_size,
            .elrange = ENCLAVE_SIZE,
            .ssa_frame_pages = l.ssa_frame_pages,
            .threads = l.threads,
            .segments = (uint32_t)elf.segment_count,
        };
        measure_result(e, ret->mrenclave);
        measure_backend.destroy(e);
    }
    layout_free(&l);
    return r;
}

/* --- record streams --- */

#define RECORD_SIZE 64u

struct stream {
    struct cursor c;
    size_t total;
    struct loader_measurement m;
    uint64_t page; /* offset of the last EADD */
    bool have_page;
    struct sha256 hash; /* of the bytes as they stand: what is measured */
    struct error **err;
};

static bool tag_is(const uint8_t *record, const char *tag)
{
    char full[8] = {};

    memcpy(full, tag, strlen(tag));
    return memcmp(record, full, sizeof(full)) == 0;
}

static bool all_zero(const uint8_t *p, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (p[i] != 0) {
            return false;
        }
    }
    return true;
}

static int stream_ecreate(struct stream *s, const uint8_t *record, size_t at)
{
    if (at != 0) {
        return error_set(s->err, EINVAL, "byte %zu: a second ECREATE", at);
    }
    s->m.ssa_frame_pages = le32_load(record + 8);
    s->m.elrange = le64_load(record + 12);
    if (s->m.ssa_frame_pages == 0) {
        return error_set(s->err, EINVAL, "ECREATE: SSAFRAMESIZE is 0");
    }
    if (s->m.elrange < 2 * NACRE_PAGE_SIZE || (s->m.elrange & (s->m.elrange - 1)) != 0) {
        return error_set(s->err, EINVAL,
                         "ECREATE: SIZE 0x%jx is not a power of two of 8192 or more",
                         (uintmax_t)s->m.elrange);
    }
    if (!all_zero(record + 20, RECORD_SIZE - 20)) {
        return error_set(s->err, EINVAL, "ECREATE: the reserved bytes are not zero");
    }
    return 0;
}

static int stream_eadd(struct stream *s, const uint8_t *record, size_t at)
{
    const uint64_t flags = le64_load(record + 16);

    s->page = le64_load(record + 8);
    s->have_page = true;
    if (!is_page_aligned(s->page) || s->page >= s->m.elrange) {
        return error_set(s->err, EINVAL,
                         "byte %zu: EADD: offset 0x%jx is not a page of the enclave", at,
                         (uintmax_t)s->page);
    }
    if ((flags & SGX_SECINFO_PT_MASK) != SGX_SECINFO_TCS &&
        (flags & SGX_SECINFO_PT_MASK) != SGX_SECINFO_REG) {
        return error_set(s->err, EINVAL, "byte %zu: EADD: SECINFO.FLAGS 0x%jx names no page type",
                         at, (uintmax_t)flags);
    }
    if ((flags & ~(SGX_SECINFO_PT_MASK | SGX_SECINFO_RWX)) != 0 ||
        !all_zero(record + 24, RECORD_SIZE - 24)) {
        return error_set(s->err, EINVAL, "byte %zu: EADD: the reserved bytes are not zero", at);
    }
    s->m.size += NACRE_PAGE_SIZE;
    s->m.threads += (flags & SGX_SECINFO_PT_MASK) == SGX_SECINFO_TCS ? 1 : 0;
    return 0;
}

static int stream_eextend(struct stream *s, const uint8_t *record, size_t at)
{
    const uint64_t offset = le64_load(record + 8);
    const uint8_t *data;

    if (!s->have_page || offset % SGX_EEXTEND_CHUNK != 0 || page_align_down(offset) != s->page) {
        return error_set(s->err, EINVAL,
                         "byte %zu: EEXTEND: offset 0x%jx is not a chunk of the page added before",
                         at, (uintmax_t)offset);
    }
    if (!all_zero(record + 16, RECORD_SIZE - 16)) {
        return error_set(s->err, EINVAL, "byte %zu: EEXTEND: the reserved bytes are not zero", at);
    }
    if (cursor_bytes(&s->c, SGX_EEXTEND_CHUNK, &data) < 0) {
        return error_set(s->err, EINVAL, "byte %zu: EEXTEND: its 256 bytes are cut off", at);
    }
    sha256_update(&s->hash, data, SGX_EEXTEND_CHUNK);
    return 0;
}

static int stream_record(struct stream *s)
{
    const size_t at = s->total - s->c.left;
    const uint8_t *record;

    if (cursor_bytes(&s->c, RECORD_SIZE, &record) < 0) {
        return error_set(s->err, EINVAL, "byte %zu: a record of 64 bytes is cut off", at);
    }
    if (at == 0 && !tag_is(record, "ECREATE")) {
        return error_set(s->err, EINVAL, "the stream does not begin with ECREATE");
    }
    sha256_update(&s->hash, record, RECORD_SIZE);
    if (tag_is(record, "ECREATE")) {
        return stream_ecreate(s, record, at);
    }
    if (tag_is(record, "EADD")) {
        return stream_eadd(s, record, at);
    }
    if (tag_is(record, "EEXTEND")) {
        return stream_eextend(s, record, at);
    }
    return error_set(s->err, EINVAL, "byte %zu: the record is not ECREATE, EADD or EEXTEND", at);
}

int loader_measure_sgxs(const uint8_t *data, size_t size, struct loader_measurement *ret,
                        struct error **err)
{
    struct stream s = {.c = cursor_make(data, size), .total = size, .err = err};

    sha256_init(&s.hash);
    if (size == 0) {
        return error_set(err, EINVAL, "the stream is empty");
    }
    while (s.c.left > 0) {
        int r = stream_record(&s);

        if (r < 0) {
            return r;
        }
    }
    sha256_final(&s.hash, s.m.mrenclave);
    *ret = s.m;
    return 0;
}
