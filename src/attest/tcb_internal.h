/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * TCB info and enclave identity as signed by Intel (or a software root's TCB signer). Source: Intel
 * "Provisioning Certification Service" API v3 (TCB info version 2) and v4 (version 3).
 */

#include "attest/pck_internal.h"
#include "attest/verifier.h"
#include "core/cursor.h"

#define TCB_LEVEL_MAX        128u
#define TCB_MODULE_MAX       32u
#define TCB_MODULE_LEVEL_MAX 32u
#define TCB_ADVISORY_POOL    2048u

/* Advisory ids of a level: a run in its document's pool. */
struct tcb_advisories {
    uint16_t first;
    uint16_t count;
};

struct tcb_advisory_pool {
    size_t count;
    char (*ids)[ATT_ADVISORY_NAME_SIZE]; /* owned */
    size_t room;
};

struct tcb_level {
    uint8_t sgx[TCB_COMPONENTS];
    uint8_t tdx[TCB_COMPONENTS];
    uint16_t pce_svn;
    enum att_tcb_status status;
    int64_t date;
    struct tcb_advisories advisories;
};

/* A level of an enclave or module: one number. */
struct isv_level {
    uint16_t isv_svn;
    enum att_tcb_status status; /* UpToDate, OutOfDate or Revoked */
    int64_t date;
    struct tcb_advisories advisories;
};

struct isv_levels {
    size_t count;
    struct isv_level levels[TCB_MODULE_LEVEL_MAX];
};

struct tdx_module {
    char id[16]; /* "TDX_01"; empty for the base module entry */
    uint8_t mrsigner[48];
    uint8_t attributes[8];
    uint8_t attributes_mask[8];
    struct isv_levels tcb;
};

struct tcb_info {
    bool tdx;
    uint32_t version;
    int64_t issue_date;
    int64_t next_update;
    uint8_t fmspc[6];
    uint8_t pce_id[2];
    uint32_t evaluation_number;
    bool has_base_module;
    struct tdx_module base_module; /* tdxModule: for TEE_TCB_SVN[1] == 0 */
    size_t module_count;
    struct tdx_module *modules; /* owned */
    size_t level_count;
    struct tcb_level *levels; /* owned */
    struct tcb_advisory_pool pool;
};

struct qe_identity {
    bool tdx; /* TD_QE */
    int64_t issue_date;
    int64_t next_update;
    uint32_t evaluation_number;
    uint32_t miscselect;
    uint32_t miscselect_mask;
    uint8_t attributes[16];
    uint8_t attributes_mask[16];
    uint8_t mrsigner[32];
    uint16_t isv_prod_id;
    struct isv_levels tcb;
    struct tcb_advisory_pool pool;
};

/* Splits {"<member>":{…},"signature":"…"} into the exact bytes of the inner object and the
 * signature. Exactly these two members, once each. */
[[nodiscard]] int tcb_split_signed(struct cursor document, const char *member,
                                   struct cursor *ret_inner, uint8_t ret_signature[static 64]);

[[nodiscard]] int tcb_info_parse(struct cursor inner, struct tcb_info *ret, struct att_reason *why);
void tcb_info_done(struct tcb_info *info);

[[nodiscard]] int qe_identity_parse(struct cursor inner, struct qe_identity *ret,
                                    struct att_reason *why);
void qe_identity_done(struct qe_identity *qe);

/* --- shared pieces of the two parsers --- */

[[nodiscard]] int tcb_read_isv_levels(struct cursor *c, struct isv_levels *ret,
                                      struct tcb_advisory_pool *pool);
[[nodiscard]] int tcb_read_advisories(struct cursor *c, struct tcb_advisory_pool *pool,
                                      struct tcb_advisories *ret);
[[nodiscard]] int tcb_read_status(struct cursor *c, enum att_tcb_status *ret);
/* Marks a member as seen; -EBADMSG the second time. */
[[nodiscard]] int tcb_once(uint32_t *seen, unsigned bit);

/* --- evaluation --- */

/* First level that `pck` (and, when not NULL, `tee_tcb_svn`) reaches; NULL when none. */
const struct tcb_level *tcb_find_level(const struct tcb_info *info, const struct pck *pck,
                                       const uint8_t *tee_tcb_svn);
/* First level at or below isv_svn; NULL when none. */
const struct isv_level *tcb_find_isv_level(const struct isv_levels *levels, uint16_t isv_svn);

/* What the platform's status becomes beside another part's (TDX module, quoting enclave). */
enum att_tcb_status tcb_converge(enum att_tcb_status platform, enum att_tcb_status part);
/* TD 1.5: the verdict over the TCB at launch and the TCB now. */
enum att_tcb_status tcb_relaunch(enum att_tcb_status launch, enum att_tcb_status current);
