/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/proc/local_report.h"

#include "abi/report_data.h"
#include "core/cmac.h"
#include "core/ct.h"
#include "libos/lib/simd.h"
#include "libos/mm/enclu.h"
#include "libos/mm/kmem.h"

/* Operands of the leaves, aligned as the SDM wants them. */
struct operands {
    struct sgx_report report _aligned_(SGX_REPORT_ALIGN);
    struct sgx_targetinfo target _aligned_(SGX_TARGETINFO_ALIGN);
    struct sgx_keyrequest request _aligned_(SGX_KEYREQUEST_ALIGN);
    uint8_t data[64] _aligned_(SGX_REPORTDATA_ALIGN);
    uint8_t key[16] _aligned_(SGX_KEY_ALIGN);
};

/* Our own identity: a report for nobody in particular says it. */
static void aim_at_self(struct operands *o)
{
    const struct sgx_report_body *b = &o->report.body;

    o->target = (struct sgx_targetinfo){0};
    (void)enclu(ENCLU_EREPORT, &o->target, (uint64_t)o->data, (uint64_t)&o->report);
    __builtin_memcpy(o->target.mrenclave, b->mrenclave, sizeof(o->target.mrenclave));
    o->target.attributes = b->attributes;
    o->target.cet_attributes = b->cet_attributes;
    o->target.config_svn = b->config_svn;
    o->target.miscselect = b->miscselect;
    __builtin_memcpy(o->target.config_id, b->config_id, sizeof(o->target.config_id));
}

static void make(struct operands *o, const uint8_t data[static 64])
{
    __builtin_memset(o->data, 0, sizeof(o->data));
    aim_at_self(o);
    __builtin_memcpy(o->data, data, sizeof(o->data));
    report_data_tag(o->data, REPORT_DATA_FAMILY); /* no application can have such a report made */
    (void)enclu(ENCLU_EREPORT, &o->target, (uint64_t)o->data, (uint64_t)&o->report);
}

int local_report_make(const uint8_t data[static 64], struct sgx_report *ret)
{
    struct operands o;

    make(&o, data);
    *ret = o.report;
    return 0;
}

/* Everything a report says of its maker equals what ours says of us, `data` included. */
static bool same_identity(const struct sgx_report_body *theirs, const struct sgx_report_body *own)
{
    return ct_equal(theirs, own, sizeof(*own));
}

int local_report_check(const struct sgx_report *r, const uint8_t data[static 64])
{
    struct simd_state simd;
    struct operands o;
    uint8_t mac[CMAC_SIZE];
    bool good;

    make(&o, data);
    o.request = (struct sgx_keyrequest){.key_name = SGX_KEY_REPORT};
    __builtin_memcpy(o.request.key_id, r->key_id, sizeof(o.request.key_id));
    if (enclu(ENCLU_EGETKEY, &o.request, (uint64_t)o.key, 0) != SGX_SUCCESS) {
        return -EACCES;
    }
    simd_begin(&simd);
    cmac_aes128(o.key, &r->body, sizeof(r->body), mac);
    simd_end(&simd);
    good = ct_equal(mac, r->mac, sizeof(mac)) && same_identity(&r->body, &o.report.body);
    ct_wipe(o.key, sizeof(o.key));
    ct_wipe(mac, sizeof(mac));
    return good ? 0 : -EACCES;
}
