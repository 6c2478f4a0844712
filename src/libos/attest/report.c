/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/attest/report.h"

#include "core/ct.h"
#include "libos/mm/enclu.h"
#include "libos/mm/kmem.h"

/* Operands of a leaf in a page of their own: aligned as 37.4 demands. */
struct operands {
    struct sgx_targetinfo target;
    uint8_t data[SGX_REPORT_ALIGN - REPORT_DATA_SIZE];
    uint8_t pad[REPORT_DATA_SIZE];
    struct sgx_report report;
};
_Static_assert(offsetof(struct operands, data) % SGX_REPORTDATA_ALIGN == 0, "SDM EREPORT");
_Static_assert(offsetof(struct operands, report) % SGX_REPORT_ALIGN == 0, "SDM EREPORT");

int attest_report(const struct sgx_targetinfo *target, const uint8_t data[static REPORT_DATA_SIZE],
                  struct sgx_report *ret)
{
    static const struct sgx_targetinfo shape;
    struct operands *o = kpages_alloc(1);

    if (o == NULL) {
        return -ENOMEM;
    }
    __builtin_memset(o, 0, sizeof(*o));
    o->target = *target;
    /* Reserved bytes that are set would be #GP: what an application wrote must not end it. */
    if (target->reserved1 != 0 ||
        __builtin_memcmp(target->reserved2, shape.reserved2, sizeof(shape.reserved2)) != 0 ||
        __builtin_memcmp(target->reserved3, shape.reserved3, sizeof(shape.reserved3)) != 0) {
        kpages_free(o, 1);
        return -EINVAL;
    }
    __builtin_memcpy(o->data, data, REPORT_DATA_SIZE);
    (void)enclu(ENCLU_EREPORT, &o->target, (uint64_t)o->data, (uint64_t)&o->report);
    *ret = o->report;
    kpages_free(o, 1);
    return 0;
}

int attest_own_target(struct sgx_targetinfo *ret)
{
    static const struct sgx_targetinfo nobody;
    static const uint8_t nothing[REPORT_DATA_SIZE];
    struct sgx_report report;
    int r = attest_report(&nobody, nothing, &report);

    if (r < 0) {
        return r;
    }
    *ret = (struct sgx_targetinfo){
        .attributes = report.body.attributes,
        .cet_attributes = report.body.cet_attributes,
        .config_svn = report.body.config_svn,
        .miscselect = report.body.miscselect,
    };
    __builtin_memcpy(ret->mrenclave, report.body.mrenclave, sizeof(ret->mrenclave));
    __builtin_memcpy(ret->config_id, report.body.config_id, sizeof(ret->config_id));
    return 0;
}

int attest_seal_key(uint16_t policy, uint8_t ret[static 16])
{
    static const struct sgx_targetinfo nobody;
    static const uint8_t nothing[REPORT_DATA_SIZE];
    struct {
        struct sgx_keyrequest request;
        uint8_t key[16];
    } *o = kpages_alloc(1);
    struct sgx_report report;
    int r = o == NULL ? -ENOMEM : attest_report(&nobody, nothing, &report);

    if (r == 0) {
        __builtin_memset(o, 0, sizeof(*o));
        o->request = (struct sgx_keyrequest){
            .key_name = SGX_KEY_SEAL,
            .key_policy = policy,
            .isv_svn = report.body.isv_svn,
            .attribute_mask = {.flags = SGX_FLAGS_INIT | SGX_FLAGS_DEBUG},
            .config_svn = report.body.config_svn,
        };
        __builtin_memcpy(o->request.cpu_svn, report.body.cpu_svn, sizeof(report.body.cpu_svn));
        r = enclu(ENCLU_EGETKEY, &o->request, (uint64_t)o->key, 0) == SGX_SUCCESS ? 0 : -EACCES;
        if (r == 0) {
            __builtin_memcpy(ret, o->key, sizeof(o->key));
        }
        ct_wipe(o->key, sizeof(o->key));
    }
    if (o != NULL) {
        kpages_free(o, 1);
    }
    return r;
}
