/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Keys of this processor (SDM 40.4, EGETKEY; table 40-64): a fuse key that belongs to the machine,
 * and AES-CMAC over everything a key depends on. Also what the software quoting enclave needs: it
 * stands outside of any enclave and yet has to check REPORT MACs directed to it.
 */

#include "abi/sgx_arch.h"
#include "base/error.h"

/* Loads the machine's fuse key, making it on first use: $NACRE_STATE_DIR, for root /var/lib/nacre,
 * else $XDG_STATE_HOME/nacre or ~/.local/state/nacre; file softsgx/fuses, mode 0600. Once a
 * process; later calls return at once. */
[[nodiscard]] int soft_fuse_load(struct error **err);

/* CPUSVN of this processor. */
extern const uint8_t soft_cpu_svn[16];

/* KEYID that reports of this process carry; random, as CR_REPORT_KEYID after a reset. */
const uint8_t *soft_report_key_id(void);

/* The report key of any target enclave: what the MAC of a REPORT directed to `target` with
 * REPORT.KEYID `key_id` is made with. After soft_fuse_load(). */
void soft_report_key(const struct sgx_targetinfo *target, const uint8_t key_id[static 32],
                     uint8_t ret_key[static 16]);

/* Checks REPORT.MAC as the enclave `target` would after EGETKEY. After soft_fuse_load(). */
[[nodiscard]] bool soft_report_verify(const struct sgx_report *report,
                                      const struct sgx_targetinfo *target);

/* Everything any key can depend on. Zero where a key does not. */
struct soft_key_deps {
    uint16_t key_name;
    uint16_t key_policy;
    uint16_t isv_prod_id;
    uint16_t isv_svn;
    uint16_t config_svn;
    uint16_t reserved;
    uint32_t miscselect;
    uint32_t misc_mask;
    uint8_t owner_epoch[16];
    struct sgx_attributes attributes;
    struct sgx_attributes attribute_mask;
    uint8_t mrenclave[32];
    uint8_t mrsigner[32];
    uint8_t key_id[32];
    uint8_t cpu_svn[16];
    uint8_t isv_family_id[16];
    uint8_t isv_ext_prod_id[16];
    uint8_t config_id[64];
    uint8_t padding[12];
} _packed_;
_Static_assert(sizeof(struct soft_key_deps) == 288, "key derivation input");

/* `provisioning`: from the fuses that a change of owner does not touch. */
void soft_derive_key(const struct soft_key_deps *deps, bool provisioning,
                     uint8_t ret_key[static 16]);
