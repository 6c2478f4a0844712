/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* EREPORT and EGETKEY: an enclave can check the report it made for itself, and keys depend on what
 * the SDM says they depend on. */
#include "enclave/enclave.h"

#include "core/ct.h"

static _Alignas(512) struct sgx_targetinfo target;
static _Alignas(512) struct sgx_report report;
static _Alignas(512) struct sgx_report report2;
static _Alignas(512) struct sgx_keyrequest request;
static _Alignas(128) uint8_t report_data[64];
static _Alignas(16) uint8_t key[16];
static _Alignas(16) uint8_t key2[16];

static void ereport(struct sgx_report *ret)
{
    (void)enclave_enclu(ENCLU_EREPORT, (uint64_t)&target, (uint64_t)report_data, (uint64_t)ret);
}

static uint64_t egetkey(uint8_t *ret)
{
    return enclave_enclu(ENCLU_EGETKEY, (uint64_t)&request, (uint64_t)ret, 0);
}

static void seal_request(uint16_t policy)
{
    request = (struct sgx_keyrequest){
        .key_name = SGX_KEY_SEAL,
        .key_policy = policy,
        .isv_svn = report.body.isv_svn,
        .attribute_mask = {.flags = SGX_FLAGS_DEBUG | SGX_FLAGS_INIT},
    };
    __builtin_memcpy(request.cpu_svn, report.body.cpu_svn, sizeof(request.cpu_svn));
}

static void misaligned_report(void *arg)
{
    (void)enclave_enclu(ENCLU_EREPORT, (uint64_t)&target + 16, (uint64_t)report_data,
                        (uint64_t)&report);
}

static void outside_operand(void *arg)
{
    (void)enclave_enclu(ENCLU_EREPORT, (uint64_t)&target, host_bounce(), (uint64_t)&report);
}

static void test_report(void)
{
    struct expected_trap trap;

    for (size_t i = 0; i < sizeof(report_data); i++) {
        report_data[i] = (uint8_t)i;
    }
    ereport(&report);
    tap_case((report.body.attributes.flags & (SGX_FLAGS_INIT | SGX_FLAGS_MODE64BIT)) ==
                 (SGX_FLAGS_INIT | SGX_FLAGS_MODE64BIT),
             "EREPORT tells of an initialised 64-bit enclave");
    tap_case(!ct_is_zero(report.body.mrenclave, 32) && !ct_is_zero(report.body.mrsigner, 32),
             "EREPORT names MRENCLAVE and MRSIGNER");
    tap_case(ct_equal(report.body.report_data, report_data, sizeof(report_data)),
             "EREPORT carries the report data");
    tap_case((enclave_xfrm_mask & SGX_XFRM_LEGACY) == SGX_XFRM_LEGACY &&
                 enclave_xfrm_mask == report.body.attributes.xfrm,
             "XFRM has x87 and SSE");

    __builtin_memcpy(target.mrenclave, report.body.mrenclave, sizeof(target.mrenclave));
    target.attributes = report.body.attributes;
    target.miscselect = report.body.miscselect;
    ereport(&report);
    ereport(&report2);
    tap_case(ct_equal(report.mac, report2.mac, sizeof(report.mac)),
             "the same report, the same MAC");
    report_data[0] ^= 1;
    ereport(&report2);
    tap_case(!ct_equal(report.mac, report2.mac, sizeof(report.mac)),
             "other report data, another MAC");
    report_data[0] ^= 1;
    target.mrenclave[0] ^= 1;
    ereport(&report2);
    tap_case(!ct_equal(report.mac, report2.mac, sizeof(report.mac)), "another target, another MAC");
    target.mrenclave[0] ^= 1;
    tap_case(trap_try(misaligned_report, NULL, &trap) && trap.vector == X86_GP,
             "EREPORT with a misaligned TARGETINFO is #GP");
    tap_case(trap_try(outside_operand, NULL, &trap) && trap.vector == X86_GP,
             "EREPORT with report data outside the enclave is #GP");
}

void test_keys(void)
{
    test_report();

    seal_request(SGX_KEYPOLICY_MRENCLAVE);
    tap_case(egetkey(key) == SGX_SUCCESS && !ct_is_zero(key, sizeof(key)), "EGETKEY seal key");
    tap_case(egetkey(key2) == SGX_SUCCESS && ct_equal(key, key2, sizeof(key)),
             "the same request, the same key");
    request.key_id[31] = 1;
    tap_case(egetkey(key2) == SGX_SUCCESS && !ct_equal(key, key2, sizeof(key)),
             "another KEYID, another key");
    seal_request(SGX_KEYPOLICY_MRSIGNER);
    tap_case(egetkey(key2) == SGX_SUCCESS && !ct_equal(key, key2, sizeof(key)),
             "MRSIGNER policy, another key");
    request.isv_svn = (uint16_t)(report.body.isv_svn + 1);
    tap_case(egetkey(key2) == SGX_INVALID_ISVSVN, "ISVSVN beyond ours is INVALID_ISVSVN");
    seal_request(SGX_KEYPOLICY_MRENCLAVE);
    __builtin_memset(request.cpu_svn, 0xff, sizeof(request.cpu_svn));
    tap_case(egetkey(key2) == SGX_INVALID_CPUSVN, "CPUSVN beyond ours is INVALID_CPUSVN");
    seal_request(SGX_KEYPOLICY_MRENCLAVE);
    request.key_name = SGX_KEY_PROVISION;
    tap_case(egetkey(key2) == SGX_INVALID_ATTRIBUTE,
             "the provisioning key needs the PROVISIONKEY attribute");
    request.key_name = 99;
    tap_case(egetkey(key2) == SGX_INVALID_KEYNAME, "an unknown KEYNAME is INVALID_KEYNAME");
}
