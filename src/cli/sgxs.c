/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/sgxs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/cursor.h"
#include "core/le.h"

#define RECORD_SIZE 64u
#define BASE_START  0x200000000000ull
#define BASE_END    0x500000000000ull

int sgxs_base(uint64_t size, uint64_t *ret_base, struct error **err)
{
    uint64_t base;

    if (size == 0 || size > BASE_END - BASE_START) {
        return error_set(err, EINVAL, "an enclave of 0x%llx bytes has no room in this process",
                         (unsigned long long)size);
    }
    base = (BASE_START + size - 1) & ~(size - 1);
    if (base > BASE_END - size) {
        return error_set(err, EINVAL, "an enclave of 0x%llx bytes has no room in this process",
                         (unsigned long long)size);
    }
    *ret_base = base;
    return 0;
}

struct pending { /* the page whose records are being read */
    uint64_t offset;
    uint64_t flags;
    size_t filled;
    uint8_t *page; /* one aligned page */
};

static int flush(const struct sgx_backend *b, struct sgx_enclave *e, struct pending *p,
                 struct error **err)
{
    int r;

    if (p->filled != 0 && p->filled != NACRE_PAGE_SIZE) {
        return error_set(err, EINVAL,
                         "the page at offset 0x%llx is measured in part (%zu bytes); drivers "
                         "measure whole pages",
                         (unsigned long long)p->offset, p->filled);
    }
    r = b->add_pages(e, p->offset, p->page, NACRE_PAGE_SIZE, p->flags, p->filled != 0, err);
    memset(p->page, 0, NACRE_PAGE_SIZE);
    p->filled = 0;
    return r;
}

static int extend(struct pending *p, struct cursor *c, const uint8_t *record, struct error **err)
{
    uint64_t at = le64_load(record + 8) - p->offset;
    const uint8_t *data;

    if (at != p->filled || cursor_bytes(c, SGX_EEXTEND_CHUNK, &data) < 0) {
        return error_set(err, EINVAL,
                         "the page at offset 0x%llx is measured out of order; drivers measure "
                         "pages from their start",
                         (unsigned long long)p->offset);
    }
    memcpy(p->page + at, data, SGX_EEXTEND_CHUNK);
    p->filled += SGX_EEXTEND_CHUNK;
    return 0;
}

int sgxs_load(const struct sgx_backend *b, struct sgx_enclave *e, const uint8_t *stream,
              size_t size, uint64_t tcs, uint64_t *ret_tcs, struct error **err)
{
    _cleanup_free_ uint8_t *page = aligned_alloc(NACRE_PAGE_SIZE, NACRE_PAGE_SIZE);
    struct cursor c = cursor_make(stream, size);
    struct pending p = {.page = page};
    bool have = false;
    const uint8_t *record;
    uint64_t seen = 0;
    int r = 0;

    if (page == NULL) {
        return error_set(err, ENOMEM, "out of memory");
    }
    memset(page, 0, NACRE_PAGE_SIZE);
    while (r == 0 && c.left > 0) {
        if (cursor_bytes(&c, RECORD_SIZE, &record) < 0) {
            return error_set(err, EINVAL, "a record of 64 bytes is cut off");
        }
        if (memcmp(record, "EEXTEND", 8) == 0) {
            r = have ? extend(&p, &c, record, err)
                     : error_set(err, EINVAL, "EEXTEND before the first EADD");
        } else if (memcmp(record, "EADD\0\0\0", 8) == 0) {
            r = have ? flush(b, e, &p, err) : 0;
            have = true;
            p.offset = le64_load(record + 8);
            p.flags = le64_load(record + 16);
            if (((p.flags & SGX_SECINFO_PT_MASK) == SGX_SECINFO_TCS) && seen++ == tcs) {
                *ret_tcs = p.offset;
            }
        }
    }
    return r == 0 && have ? flush(b, e, &p, err) : r;
}
