/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "loader/measure.h"

#include <stdlib.h>
#include <string.h>

#include "core/le.h"
#include "core/overflow.h"

#define RECORD_SIZE 64u

struct sgx_enclave {
    struct sha256 hash;
    uint64_t size;
};

/* --- records (36.4.1.1, 36.4.1.2): tag, fields, zeros up to 64 bytes --- */

static void hash_ecreate(struct sha256 *h, uint32_t ssa_frame_size, uint64_t size)
{
    uint8_t record[RECORD_SIZE] = "ECREATE";

    le32_store(record + 8, ssa_frame_size);
    le64_store(record + 12, size);
    sha256_update(h, record, sizeof(record));
}

static void hash_eadd(struct sha256 *h, uint64_t offset, uint64_t secinfo_flags)
{
    uint8_t record[RECORD_SIZE] = "EADD";

    le64_store(record + 8, offset);
    le64_store(record + 16, secinfo_flags); /* the first 48 bytes of SECINFO, 40 of them zero */
    sha256_update(h, record, sizeof(record));
}

static void hash_eextend(struct sha256 *h, uint64_t offset, const uint8_t *data)
{
    uint8_t record[RECORD_SIZE] = "EEXTEND";

    le64_store(record + 8, offset);
    sha256_update(h, record, sizeof(record));
    sha256_update(h, data, SGX_EEXTEND_CHUNK);
}

/* --- the backend --- */

static int op_probe(struct error **err)
{
    return 0;
}

static int op_create(const struct sgx_secs *secs, struct sgx_enclave **ret, struct error **err)
{
    struct sgx_enclave *e;

    if (secs->size < 2 * NACRE_PAGE_SIZE || (secs->size & (secs->size - 1)) != 0) {
        return error_set(err, EINVAL, "SECS.SIZE 0x%jx is not a power of two of two pages or more",
                         (uintmax_t)secs->size);
    }
    if (secs->ssa_frame_size == 0) {
        return error_set(err, EINVAL, "SECS.SSAFRAMESIZE is 0");
    }
    e = calloc(1, sizeof(*e));
    if (e == NULL) {
        return error_set_errno(err, ENOMEM, "measuring");
    }
    e->size = secs->size;
    sha256_init(&e->hash);
    hash_ecreate(&e->hash, secs->ssa_frame_size, secs->size);
    *ret = e;
    return 0;
}

static int op_add_pages(struct sgx_enclave *e, uint64_t offset, const void *src, size_t size,
                        uint64_t secinfo_flags, bool measure, struct error **err)
{
    const uint8_t *p = src;

    /* EADD takes a TCS without permissions (35.11); R, W and X in its SECINFO are ignored and
     * measured as zero by the processor (EADD, "SCRATCH_SECINFO.FLAGS"). */
    if ((secinfo_flags & SGX_SECINFO_PT_MASK) == SGX_SECINFO_TCS) {
        secinfo_flags &= ~SGX_SECINFO_RWX;
    }
    if (!is_page_aligned(offset) || !is_page_aligned(size) ||
        !range_within(offset, size, 0, e->size)) {
        return error_set(err, EINVAL, "pages 0x%jx + 0x%zx are not whole or not in the enclave",
                         (uintmax_t)offset, size);
    }
    for (size_t page = 0; page < size; page += NACRE_PAGE_SIZE) {
        hash_eadd(&e->hash, offset + page, secinfo_flags);
        for (size_t at = page; measure && at < page + NACRE_PAGE_SIZE; at += SGX_EEXTEND_CHUNK) {
            hash_eextend(&e->hash, offset + at, p + at);
        }
    }
    return 0;
}

static int op_hint_slots(struct sgx_enclave *e, const uint64_t *offsets, size_t count,
                         struct error **err)
{
    return 0;
}

static int op_init(struct sgx_enclave *e, const struct sgx_sigstruct *sigstruct, struct error **err)
{
    uint8_t mrenclave[SHA256_SIZE];

    measure_result(e, mrenclave);
    if (memcmp(mrenclave, sigstruct->enclave_hash, sizeof(mrenclave)) != 0) {
        return error_set(err, EINVAL,
                         "the SIGSTRUCT's ENCLAVEHASH is not the enclave's measurement");
    }
    return 0;
}

static int op_map(struct sgx_enclave *e, uint64_t offset, size_t size, int prot, struct error **err)
{
    return 0;
}

static int op_augment(struct sgx_enclave *e, uint64_t offset, size_t size)
{
    return -EOPNOTSUPP;
}

static int op_restrict_permissions(struct sgx_enclave *e, uint64_t offset, size_t size,
                                   uint64_t secinfo_perm, uint64_t *ret_result)
{
    return -EOPNOTSUPP;
}

static int op_modify_types(struct sgx_enclave *e, uint64_t offset, size_t size,
                           enum sgx_page_type type, uint64_t *ret_result)
{
    return -EOPNOTSUPP;
}

static int op_remove_pages(struct sgx_enclave *e, uint64_t offset, size_t size)
{
    return -EOPNOTSUPP;
}

static int op_thread_attach(struct sgx_enclave *e, struct error **err)
{
    return error_set(err, EOPNOTSUPP, "the measuring backend runs nothing");
}

static void op_thread_detach(void)
{
}

static vdso_sgx_enter_enclave_t op_enter_function(struct sgx_enclave *e)
{
    return NULL;
}

static int op_sigaction(int sig, void (*handler)(int, siginfo_t *, void *), int flags,
                        struct error **err)
{
    return error_set(err, EOPNOTSUPP, "the measuring backend runs nothing");
}

static bool op_is_at_aep(const ucontext_t *uc)
{
    return false;
}

static int op_quote_target(struct sgx_targetinfo *ret, struct error **err)
{
    return error_set(err, EOPNOTSUPP, "the measuring backend quotes nothing");
}

static int op_quote(const struct sgx_report *report, uint8_t **ret_quote, size_t *ret_size,
                    struct error **err)
{
    return error_set(err, EOPNOTSUPP, "the measuring backend quotes nothing");
}

static void op_destroy(struct sgx_enclave *e)
{
    free(e);
}

const struct sgx_backend measure_backend = {
    .name = "measure",
    .probe = op_probe,
    .create = op_create,
    .add_pages = op_add_pages,
    .hint_slots = op_hint_slots,
    .init = op_init,
    .map = op_map,
    .augment = op_augment,
    .restrict_permissions = op_restrict_permissions,
    .modify_types = op_modify_types,
    .remove_pages = op_remove_pages,
    .thread_attach = op_thread_attach,
    .thread_detach = op_thread_detach,
    .enter_function = op_enter_function,
    .sigaction = op_sigaction,
    .is_at_aep = op_is_at_aep,
    .quote_target = op_quote_target,
    .quote = op_quote,
    .destroy = op_destroy,
};

void measure_result(const struct sgx_enclave *e, uint8_t ret[static SHA256_SIZE])
{
    struct sha256 copy = e->hash;

    sha256_final(&copy, ret);
}
