/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "attest/pck_internal.h"

#include <string.h>

#include "attest/der_internal.h"
#include "attest/reason_internal.h"

/* 1.2.840.113741.1.13.1, the arc all fields hang under. */
static const uint8_t sgx_arc[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

enum {
    FIELD_PPID = 1,
    FIELD_TCB = 2,
    FIELD_PCE_ID = 3,
    FIELD_FMSPC = 4,
    FIELD_TYPE = 5,
    FIELD_PLATFORM_INSTANCE = 6, /* platform CA only */
    FIELD_CONFIGURATION = 7,     /* platform CA only */
};
#define FIELDS_REQUIRED \
    (1u << FIELD_PPID | 1u << FIELD_TCB | 1u << FIELD_PCE_ID | 1u << FIELD_FMSPC | 1u << FIELD_TYPE)

enum {
    TCB_PCE_SVN = 17,
    TCB_CPU_SVN = 18,
};
#define TCB_REQUIRED 0x7fffeu /* bits 1 to 18 */

enum {
    CONFIG_DYNAMIC_PLATFORM = 1,
    CONFIG_CACHED_KEYS = 2,
    CONFIG_SMT = 3,
};

/* The next SEQUENCE { OID arc.parent….n, value }: its last number and a cursor at the value. Each
 * number comes at most once. */
static int next_field(struct cursor *list, const uint8_t *parent, size_t parent_size,
                      uint32_t *seen, uint8_t *ret_number, struct cursor *ret_value)
{
    struct cursor oid;
    uint8_t n;

    if (der_enter(list, DER_SEQUENCE, ret_value) != 0 || der_oid(ret_value, &oid) != 0 ||
        oid.left != parent_size + 1 || memcmp(oid.p, parent, parent_size) != 0) {
        return -EBADMSG;
    }
    n = oid.p[parent_size];
    if (n == 0 || n > 31 || (*seen & 1u << n) != 0) {
        return -EBADMSG;
    }
    *seen |= 1u << n;
    *ret_number = n;
    return 0;
}

static int read_tcb_field(struct cursor *value, uint8_t n, struct pck *pck)
{
    uint32_t v;

    if (n == TCB_CPU_SVN) {
        return der_octets(value, pck->cpu_svn, sizeof(pck->cpu_svn));
    }
    if (n > TCB_CPU_SVN || der_u32(value, DER_INTEGER, &v) != 0) {
        return -EBADMSG;
    }
    if (n == TCB_PCE_SVN) {
        if (v > UINT16_MAX) {
            return -EBADMSG;
        }
        pck->pce_svn = (uint16_t)v;
        return 0;
    }
    if (v > UINT8_MAX) {
        return -EBADMSG;
    }
    pck->components[n - 1] = (uint8_t)v;
    return 0;
}

static int read_tcb(struct cursor *value, struct pck *pck)
{
    uint8_t parent[sizeof(sgx_arc) + 1];
    struct cursor list;
    uint32_t seen = 0;

    memcpy(parent, sgx_arc, sizeof(sgx_arc));
    parent[sizeof(sgx_arc)] = FIELD_TCB;
    if (der_enter(value, DER_SEQUENCE, &list) != 0) {
        return -EBADMSG;
    }
    while (list.left != 0) {
        struct cursor item;
        uint8_t n;

        if (next_field(&list, parent, sizeof(parent), &seen, &n, &item) != 0 ||
            read_tcb_field(&item, n, pck) != 0 || cursor_done(&item) != 0) {
            return -EBADMSG;
        }
    }
    return seen == TCB_REQUIRED ? 0 : -EBADMSG;
}

/* Three booleans nobody decides anything by; they must still be what they claim to be. */
static int check_configuration(struct cursor *value)
{
    uint8_t parent[sizeof(sgx_arc) + 1];
    struct cursor list;
    uint32_t seen = 0;

    memcpy(parent, sgx_arc, sizeof(sgx_arc));
    parent[sizeof(sgx_arc)] = FIELD_CONFIGURATION;
    if (der_enter(value, DER_SEQUENCE, &list) != 0) {
        return -EBADMSG;
    }
    while (list.left != 0) {
        struct cursor item;
        uint8_t n;
        bool ignored;

        if (next_field(&list, parent, sizeof(parent), &seen, &n, &item) != 0 || n > CONFIG_SMT ||
            der_bool(&item, &ignored) != 0 || cursor_done(&item) != 0) {
            return -EBADMSG;
        }
    }
    return 0;
}

static int read_field(struct cursor *value, uint8_t n, struct pck *pck)
{
    uint8_t instance[16];

    switch (n) {
    case FIELD_PPID: return der_octets(value, pck->ppid, sizeof(pck->ppid));
    case FIELD_TCB: return read_tcb(value, pck);
    case FIELD_PCE_ID: return der_octets(value, pck->pce_id, sizeof(pck->pce_id));
    case FIELD_FMSPC: return der_octets(value, pck->fmspc, sizeof(pck->fmspc));
    case FIELD_TYPE: return der_u32(value, DER_ENUMERATED, &pck->sgx_type);
    case FIELD_PLATFORM_INSTANCE: return der_octets(value, instance, sizeof(instance));
    case FIELD_CONFIGURATION: return check_configuration(value);
    default: return -EBADMSG;
    }
}

int pck_parse(const struct x509_cert *cert, struct pck *ret, struct att_reason *why)
{
    struct cursor at = cert->sgx_extension;
    struct cursor list;
    struct pck pck = {0};
    uint32_t seen = 0;

    if (der_enter(&at, DER_SEQUENCE, &list) != 0 || cursor_done(&at) != 0) {
        return att_refuse(why, ATT_PCK_EXTENSION_MALFORMED, "PCK certificate: no SGX extension");
    }
    while (list.left != 0) {
        struct cursor item;
        uint8_t n = 0;

        if (next_field(&list, sgx_arc, sizeof(sgx_arc), &seen, &n, &item) != 0 ||
            read_field(&item, n, &pck) != 0 || cursor_done(&item) != 0) {
            return att_refuse(why, ATT_PCK_EXTENSION_MALFORMED,
                              "PCK certificate: SGX extension, field %u", n);
        }
    }
    if ((seen & FIELDS_REQUIRED) != FIELDS_REQUIRED) {
        return att_refuse(why, ATT_PCK_EXTENSION_MALFORMED,
                          "PCK certificate: SGX extension lacks a field (has 0x%x)", seen);
    }
    *ret = pck;
    return 0;
}
