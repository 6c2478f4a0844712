/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * SGX as the processor defines it: structures, leaves, error codes. Source: Intel SDM volume 3D,
 * chapters 35-39 (section numbers below are that volume's). All fields little-endian, all reserved
 * fields zero. Nothing here is nacre's own.
 */

#include "core/types.h"

/* --- instruction leaves (37.1, table 37-1/37-2) --- */

#define ENCLU_BYTES 0x0f, 0x01, 0xd7

enum enclu_leaf {
    ENCLU_EREPORT = 0,
    ENCLU_EGETKEY = 1,
    ENCLU_EENTER = 2,
    ENCLU_ERESUME = 3,
    ENCLU_EEXIT = 4,
    ENCLU_EACCEPT = 5,
    ENCLU_EMODPE = 6,
    ENCLU_EACCEPTCOPY = 7,
    ENCLU_EVERIFYREPORT2 = 8, /* not an SGX2 leaf; #GP on processors nacre targets */
    ENCLU_EDECCSSA = 9,
};

enum encls_leaf {
    ENCLS_ECREATE = 0x00,
    ENCLS_EADD = 0x01,
    ENCLS_EINIT = 0x02,
    ENCLS_EREMOVE = 0x03,
    ENCLS_EDBGRD = 0x04,
    ENCLS_EDBGWR = 0x05,
    ENCLS_EEXTEND = 0x06,
    ENCLS_EAUG = 0x0d,
    ENCLS_EMODPR = 0x0e,
    ENCLS_EMODT = 0x0f,
};

/* Error codes in RAX (table 37-4). */
#define SGX_ERROR_TABLE(X)          \
    X(SUCCESS, 0)                   \
    X(INVALID_SIG_STRUCT, 1)        \
    X(INVALID_ATTRIBUTE, 2)         \
    X(BLSTATE, 3)                   \
    X(INVALID_MEASUREMENT, 4)       \
    X(NOTBLOCKABLE, 5)              \
    X(PG_INVLD, 6)                  \
    X(EPC_PAGE_CONFLICT, 7)         \
    X(INVALID_SIGNATURE, 8)         \
    X(MAC_COMPARE_FAIL, 9)          \
    X(PAGE_NOT_BLOCKED, 10)         \
    X(NOT_TRACKED, 11)              \
    X(VA_SLOT_OCCUPIED, 12)         \
    X(CHILD_PRESENT, 13)            \
    X(ENCLAVE_ACT, 14)              \
    X(ENTRYEPOCH_LOCKED, 15)        \
    X(INVALID_EINITTOKEN, 16)       \
    X(PREV_TRK_INCMPL, 17)          \
    X(PG_IS_SECS, 18)               \
    X(PAGE_ATTRIBUTES_MISMATCH, 19) \
    X(PAGE_NOT_MODIFIABLE, 20)      \
    X(PAGE_NOT_DEBUGGABLE, 21)      \
    X(INVALID_COUNTER, 25)          \
    X(PG_NONEPC, 26)                \
    X(TRACK_NOT_REQUIRED, 27)       \
    X(INVALID_CPUSVN, 32)           \
    X(INVALID_ISVSVN, 64)           \
    X(UNMASKED_EVENT, 128)          \
    X(INVALID_KEYNAME, 256)

enum sgx_error {
#define X(name, value) SGX_##name = (value),
    SGX_ERROR_TABLE(X)
#undef X
};

/* --- ATTRIBUTES (35.7.1) and MISCSELECT (35.7.2) --- */

#define SGX_FLAGS_INIT          (1ull << 0)
#define SGX_FLAGS_DEBUG         (1ull << 1)
#define SGX_FLAGS_MODE64BIT     (1ull << 2)
#define SGX_FLAGS_PROVISIONKEY  (1ull << 4)
#define SGX_FLAGS_EINITTOKENKEY (1ull << 5)
#define SGX_FLAGS_CET           (1ull << 6)
#define SGX_FLAGS_KSS           (1ull << 7)
#define SGX_FLAGS_AEXNOTIFY     (1ull << 10)

#define SGX_XFRM_LEGACY 0x3ull /* x87 + SSE: always set */
#define SGX_XFRM_AVX    0x4ull
#define SGX_XFRM_AVX512 0xe0ull
#define SGX_XFRM_PKRU   0x200ull

#define SGX_MISC_EXINFO (1u << 0)

struct sgx_attributes {
    uint64_t flags;
    uint64_t xfrm;
} _packed_;
_Static_assert(sizeof(struct sgx_attributes) == 16, "SDM 35.7.1");

/* --- SECS (35.7, table 35-2) --- */

struct sgx_secs {
    uint64_t size;           /* bytes, a power of two */
    uint64_t base;           /* linear address, aligned to size */
    uint32_t ssa_frame_size; /* pages */
    uint32_t miscselect;
    uint64_t cet_leg_bitmap_offset;
    uint8_t cet_attributes;
    uint8_t reserved1[15];
    struct sgx_attributes attributes;
    uint8_t mrenclave[32];
    uint8_t reserved2[32];
    uint8_t mrsigner[32];
    uint8_t reserved3[32];
    uint8_t config_id[64];
    uint16_t isv_prod_id;
    uint16_t isv_svn;
    uint16_t config_svn;
    uint8_t reserved4[3834];
} _packed_;
_Static_assert(sizeof(struct sgx_secs) == 4096, "SDM table 35-2");
_Static_assert(offsetof(struct sgx_secs, attributes) == 48, "SDM table 35-2");
_Static_assert(offsetof(struct sgx_secs, mrenclave) == 64, "SDM table 35-2");
_Static_assert(offsetof(struct sgx_secs, mrsigner) == 128, "SDM table 35-2");
_Static_assert(offsetof(struct sgx_secs, config_id) == 192, "SDM table 35-2");
_Static_assert(offsetof(struct sgx_secs, isv_prod_id) == 256, "SDM table 35-2");

/* --- TCS (35.8, table 35-3) --- */

#define SGX_TCS_DBGOPTIN  (1ull << 0)
#define SGX_TCS_AEXNOTIFY (1ull << 1)

struct sgx_tcs {
    uint64_t state; /* the processor's own; zero when added */
    uint64_t flags;
    uint64_t ossa; /* offset from the enclave base, page aligned */
    uint32_t cssa;
    uint32_t nssa;
    uint64_t oentry;
    uint64_t aep; /* the processor's own; zero when added */
    uint64_t ofs_base;
    uint64_t ogs_base;
    uint32_t fs_limit;
    uint32_t gs_limit;
    uint64_t ocet_ssa;
    uint64_t prev_ssp;
    uint8_t reserved[4008];
} _packed_;
_Static_assert(sizeof(struct sgx_tcs) == 4096, "SDM table 35-3");
_Static_assert(offsetof(struct sgx_tcs, cssa) == 24, "SDM table 35-3");
_Static_assert(offsetof(struct sgx_tcs, ofs_base) == 48, "SDM table 35-3");
_Static_assert(offsetof(struct sgx_tcs, reserved) == 88, "SDM table 35-3");

/* --- SSA frame (35.9): XSAVE area first, GPRSGX last, MISC just below GPRSGX --- */

struct sgx_gprsgx {
    uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rflags;
    uint64_t rip;
    uint64_t ursp; /* outside stack at EENTER */
    uint64_t urbp;
    uint32_t exitinfo;
    uint8_t reserved[3];
    uint8_t aexnotify;
    uint64_t fsbase;
    uint64_t gsbase;
} _packed_;
_Static_assert(sizeof(struct sgx_gprsgx) == 184, "SDM table 35-6");
_Static_assert(offsetof(struct sgx_gprsgx, rflags) == 128, "SDM table 35-6");
_Static_assert(offsetof(struct sgx_gprsgx, exitinfo) == 160, "SDM table 35-6");
_Static_assert(offsetof(struct sgx_gprsgx, aexnotify) == 167, "SDM table 35-6");

struct sgx_exinfo {
    uint64_t maddr; /* faulting linear address (#PF), 0 for #GP */
    uint32_t errcd;
    uint32_t reserved;
} _packed_;
_Static_assert(sizeof(struct sgx_exinfo) == 16, "SDM table 35-10");

#define SGX_EXITINFO_VECTOR_MASK  0xffu
#define SGX_EXITINFO_TYPE_SHIFT   8
#define SGX_EXITINFO_TYPE_MASK    (7u << SGX_EXITINFO_TYPE_SHIFT)
#define SGX_EXITINFO_HW_EXCEPTION (3u << SGX_EXITINFO_TYPE_SHIFT)
#define SGX_EXITINFO_SW_EXCEPTION (6u << SGX_EXITINFO_TYPE_SHIFT)
#define SGX_EXITINFO_VALID        (1u << 31)

/* x86 exception vectors that EXITINFO reports (table 35-8). */
enum x86_vector {
    X86_DE = 0,
    X86_DB = 1,
    X86_BP = 3,
    X86_BR = 5,
    X86_UD = 6,
    X86_GP = 13, /* valid only with MISCSELECT.EXINFO */
    X86_PF = 14, /* valid only with MISCSELECT.EXINFO */
    X86_MF = 16,
    X86_AC = 17,
    X86_XM = 19,
};

/* #PF error code bits; SGX is set for faults raised by the EPCM (SDM vol 3A 4.7). */
#define X86_PF_P   (1u << 0)
#define X86_PF_W   (1u << 1)
#define X86_PF_U   (1u << 2)
#define X86_PF_I   (1u << 4)
#define X86_PF_SGX (1u << 15)

/* --- PAGEINFO, SECINFO (35.10, 35.11) --- */

#define SGX_SECINFO_R        (1ull << 0)
#define SGX_SECINFO_W        (1ull << 1)
#define SGX_SECINFO_X        (1ull << 2)
#define SGX_SECINFO_RWX      7ull
#define SGX_SECINFO_PENDING  (1ull << 3)
#define SGX_SECINFO_MODIFIED (1ull << 4)
#define SGX_SECINFO_PR       (1ull << 5)
#define SGX_SECINFO_PT_SHIFT 8
#define SGX_SECINFO_PT_MASK  (0xffull << SGX_SECINFO_PT_SHIFT)

enum sgx_page_type {
    SGX_PT_SECS = 0,
    SGX_PT_TCS = 1,
    SGX_PT_REG = 2,
    SGX_PT_VA = 3,
    SGX_PT_TRIM = 4,
    SGX_PT_SS_FIRST = 5,
    SGX_PT_SS_REST = 6,
};

#define SGX_SECINFO_TCS  ((uint64_t)SGX_PT_TCS << SGX_SECINFO_PT_SHIFT)
#define SGX_SECINFO_REG  ((uint64_t)SGX_PT_REG << SGX_SECINFO_PT_SHIFT)
#define SGX_SECINFO_TRIM ((uint64_t)SGX_PT_TRIM << SGX_SECINFO_PT_SHIFT)

struct sgx_secinfo {
    uint64_t flags;
    uint8_t reserved[56];
} _packed_ _aligned_(64);
_Static_assert(sizeof(struct sgx_secinfo) == 64, "SDM 35.11");

struct sgx_pageinfo {
    uint64_t linaddr;
    uint64_t srcpge;
    uint64_t secinfo;
    uint64_t secs;
} _packed_ _aligned_(32);
_Static_assert(sizeof(struct sgx_pageinfo) == 32, "SDM 35.10");

/* --- SIGSTRUCT (35.14, table 35-19) --- */

#define SGX_RSA_SIZE     384u
#define SGX_RSA_EXPONENT 3u

struct sgx_sigstruct {
    uint8_t header[16];
    uint32_t vendor; /* 0 or 0x8086 */
    uint32_t date;   /* BCD yyyymmdd */
    uint8_t header2[16];
    uint32_t swdefined;
    uint8_t reserved1[84];
    uint8_t modulus[SGX_RSA_SIZE]; /* little-endian */
    uint32_t exponent;
    uint8_t signature[SGX_RSA_SIZE]; /* little-endian, over bytes 0..127 and 900..1027 */
    uint32_t miscselect;
    uint32_t miscmask;
    uint8_t cet_attributes;
    uint8_t cet_attributes_mask;
    uint8_t reserved2[2];
    uint8_t isv_family_id[16];
    struct sgx_attributes attributes;
    struct sgx_attributes attribute_mask;
    uint8_t enclave_hash[32];
    uint8_t reserved3[16];
    uint8_t isv_ext_prod_id[16];
    uint16_t isv_prod_id;
    uint16_t isv_svn;
    uint8_t reserved4[12];
    uint8_t q1[SGX_RSA_SIZE]; /* floor(signature^2 / modulus) */
    uint8_t q2[SGX_RSA_SIZE]; /* floor((signature^3 - q1 * signature * modulus) / modulus) */
} _packed_;
_Static_assert(sizeof(struct sgx_sigstruct) == 1808, "SDM table 35-19");
_Static_assert(offsetof(struct sgx_sigstruct, modulus) == 128, "SDM table 35-19");
_Static_assert(offsetof(struct sgx_sigstruct, signature) == 516, "SDM table 35-19");
_Static_assert(offsetof(struct sgx_sigstruct, miscselect) == 900, "SDM table 35-19");
_Static_assert(offsetof(struct sgx_sigstruct, attributes) == 928, "SDM table 35-19");
_Static_assert(offsetof(struct sgx_sigstruct, enclave_hash) == 960, "SDM table 35-19");
_Static_assert(offsetof(struct sgx_sigstruct, isv_prod_id) == 1024, "SDM table 35-19");
_Static_assert(offsetof(struct sgx_sigstruct, q1) == 1040, "SDM table 35-19");

#define SGX_SIGSTRUCT_HEADER                              \
    {                                                     \
        6, 0, 0, 0, 0xe1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0 \
    }
#define SGX_SIGSTRUCT_HEADER2                                \
    {                                                        \
        1, 1, 0, 0, 0x60, 0, 0, 0, 0x60, 0, 0, 0, 1, 0, 0, 0 \
    }
/* The two ranges RSA signs, concatenated (35.14). */
#define SGX_SIGSTRUCT_SIGNED1_OFFSET 0u
#define SGX_SIGSTRUCT_SIGNED1_SIZE   128u
#define SGX_SIGSTRUCT_SIGNED2_OFFSET 900u
#define SGX_SIGSTRUCT_SIGNED2_SIZE   128u

/* --- REPORT, TARGETINFO, KEYREQUEST (35.15-35.18) --- */

struct sgx_report_body {
    uint8_t cpu_svn[16];
    uint32_t miscselect;
    uint8_t cet_attributes;
    uint8_t reserved1[11];
    uint8_t isv_ext_prod_id[16];
    struct sgx_attributes attributes;
    uint8_t mrenclave[32];
    uint8_t reserved2[32];
    uint8_t mrsigner[32];
    uint8_t reserved3[32];
    uint8_t config_id[64];
    uint16_t isv_prod_id;
    uint16_t isv_svn;
    uint16_t config_svn;
    uint8_t reserved4[42];
    uint8_t isv_family_id[16];
    uint8_t report_data[64];
} _packed_;
_Static_assert(sizeof(struct sgx_report_body) == 384, "SDM table 35-21");
_Static_assert(offsetof(struct sgx_report_body, mrenclave) == 64, "SDM table 35-21");
_Static_assert(offsetof(struct sgx_report_body, isv_prod_id) == 256, "SDM table 35-21");
_Static_assert(offsetof(struct sgx_report_body, report_data) == 320, "SDM table 35-21");

struct sgx_report {
    struct sgx_report_body body;
    uint8_t key_id[32];
    uint8_t mac[16]; /* AES-CMAC over body */
} _packed_;
_Static_assert(sizeof(struct sgx_report) == 432, "SDM table 35-21");

struct sgx_targetinfo {
    uint8_t mrenclave[32];
    struct sgx_attributes attributes;
    uint8_t cet_attributes;
    uint8_t reserved1;
    uint16_t config_svn;
    uint32_t miscselect;
    uint8_t reserved2[8];
    uint8_t config_id[64];
    uint8_t reserved3[384];
} _packed_;
_Static_assert(sizeof(struct sgx_targetinfo) == 512, "SDM table 35-22");
_Static_assert(offsetof(struct sgx_targetinfo, config_id) == 64, "SDM table 35-22");

enum sgx_key_name {
    SGX_KEY_EINITTOKEN = 0,
    SGX_KEY_PROVISION = 1,
    SGX_KEY_PROVISION_SEAL = 2,
    SGX_KEY_REPORT = 3,
    SGX_KEY_SEAL = 4,
};

#define SGX_KEYPOLICY_MRENCLAVE    (1u << 0)
#define SGX_KEYPOLICY_MRSIGNER     (1u << 1)
#define SGX_KEYPOLICY_NOISVPRODID  (1u << 2)
#define SGX_KEYPOLICY_CONFIGID     (1u << 3)
#define SGX_KEYPOLICY_ISVFAMILYID  (1u << 4)
#define SGX_KEYPOLICY_ISVEXTPRODID (1u << 5)

struct sgx_keyrequest {
    uint16_t key_name;
    uint16_t key_policy;
    uint16_t isv_svn;
    uint8_t cet_attributes_mask;
    uint8_t reserved1;
    uint8_t cpu_svn[16];
    struct sgx_attributes attribute_mask;
    uint8_t key_id[32];
    uint32_t misc_mask;
    uint16_t config_svn;
    uint8_t reserved2[434];
} _packed_;
_Static_assert(sizeof(struct sgx_keyrequest) == 512, "SDM table 35-24");
_Static_assert(offsetof(struct sgx_keyrequest, key_id) == 40, "SDM table 35-24");
_Static_assert(offsetof(struct sgx_keyrequest, misc_mask) == 72, "SDM table 35-24");

/* Alignment the leaves demand of their operands (37.4). */
#define SGX_REPORT_ALIGN     512u
#define SGX_TARGETINFO_ALIGN 512u
#define SGX_REPORTDATA_ALIGN 128u
#define SGX_KEYREQUEST_ALIGN 512u
#define SGX_KEY_ALIGN        16u
#define SGX_SECINFO_ALIGN    64u

/* --- measurement (36.4): each record is one 64-byte block, EEXTEND adds 256 bytes of data --- */

#define SGX_EEXTEND_CHUNK 256u
