/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Why a provisioning was refused, as counted in /metrics and named in the audit log:
 * X(id, name, meaning). The client is told none of it.
 */

X(EVIDENCE, "evidence", "the evidence is not genuine, or no collateral here says that it is")
X(BINDING, "binding", "the evidence was made for another connection, session or service")
X(APPRAISAL, "appraisal", "genuine, but of a platform or kind of root the session does not accept")
X(SESSION, "session", "there is no such session or service")
X(POLICY, "policy", "the evidence is not of an enclave or platform the service names")
X(CONFIGURATION, "configuration", "the session cannot be turned into a provisioning document")
