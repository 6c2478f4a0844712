/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * TCB statuses as Intel names them: X(name, tolerable, what it means and what to do).
 * `tolerable` is 1 where a policy may accept the status in words; Revoked and an unknown platform
 * are never acceptable. The order is that of enum att_tcb_status.
 */

X(UpToDate, 1, "the platform is at the level the collateral asks for")
X(SWHardeningNeeded, 1,
  "the platform is current, but the enclave's own code must be hardened against the advisories")
X(ConfigurationNeeded, 1,
  "the platform is patched but needs a firmware setting (often hyper-threading or a BIOS option)")
X(ConfigurationAndSWHardeningNeeded, 1,
  "the platform needs a firmware setting and the enclave's own code must be hardened")
X(OutOfDate, 1, "the platform lacks security updates: update its BIOS and microcode")
X(OutOfDateConfigurationNeeded, 1,
  "the platform lacks security updates and a firmware setting: update and configure its BIOS")
X(TDRelaunchAdvised, 1,
  "the TDX module was updated after this TD was launched: restart the TD")
X(TDRelaunchAdvisedConfigurationNeeded, 1,
  "the TDX module was updated after this TD was launched and the platform needs a firmware "
  "setting: configure it and restart the TD")
X(Revoked, 0, "the platform, its quoting enclave or its TDX module is revoked: do not trust it")
X(TCB_NOT_SUPPORTED, 0, "no level of the collateral covers this platform")
