/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Why evidence was refused: X(code, name, errno, sentence, what to do next). The name is stable:
 * audit lines and JSON carry it; the sentence and the advice are for people and may
 * change. docs/attestation.md carries this table and a test compares the two.
 */

X(NONE, none, 0, "nothing was refused", "")
X(INTERNAL, internal, ENOMEM, "the verifier could not do its work (memory or the cryptographic library)",
  "try again")
X(EVIDENCE_UNKNOWN, evidence_unknown, EBADMSG, "no verifier knows this kind of evidence",
  "hand in a DCAP ECDSA quote of version 3, 4 or 5")
X(QUOTE_MALFORMED, quote_malformed, EBADMSG, "the quote's bytes do not follow its format",
  "fetch the quote again, in binary and without padding")
X(QUOTE_UNSUPPORTED, quote_unsupported, EBADMSG, "the quote uses a version, key type, TEE or quoting enclave vendor that "
  "is not supported", "use Intel's ECDSA P-256 quoting enclave")
X(RESERVED_NOT_ZERO, reserved_not_zero, EBADMSG, "a reserved field of a report is not zero",
  "fetch the quote again; if it stays, do not trust it")
X(CERT_DATA_UNSUPPORTED, cert_data_unsupported, EBADMSG, "the quote's certification data carries no PCK chain",
  "provide the PCK chain in the collateral (pck_chain.pem)")
X(PEM_MALFORMED, pem_malformed, EBADMSG, "a certificate list is not well-formed PEM", "fetch the chain again")
X(CERT_MALFORMED, cert_malformed, EBADMSG, "a certificate is malformed or outside the P-256 profile",
  "fetch the chain again")
X(PCK_EXTENSION_MALFORMED, pck_extension_malformed, EBADMSG, "the PCK certificate's SGX extension is malformed",
  "fetch the PCK chain again")
X(CRL_MALFORMED, crl_malformed, EBADMSG, "a certificate revocation list is malformed", "fetch the CRL again, as DER")
X(TCB_INFO_MALFORMED, tcb_info_malformed, EBADMSG, "the TCB info is malformed",
  "fetch the TCB info again and keep its exact bytes")
X(QE_IDENTITY_MALFORMED, qe_identity_malformed, EBADMSG, "the quoting enclave identity is malformed",
  "fetch the QE identity again and keep its exact bytes")
X(CHAIN_INCOMPLETE, chain_incomplete, EKEYREJECTED, "a certificate chain lacks or repeats one of its certificates",
  "provide leaf, issuer and root, once each")
X(CHAIN_BROKEN, chain_broken, EKEYREJECTED, "a certificate chain does not hold together (names, usage or signature)",
  "fetch the chain again")
X(ROOT_UNTRUSTED, root_untrusted, EKEYREJECTED, "the chain ends in a root that is not trusted",
  "name the root you trust, or refuse this evidence")
X(ROOTS_DIFFER, roots_differ, EKEYREJECTED, "the quote and the collateral end in different roots",
  "use the collateral of the quote's own issuer")
X(CERT_NOT_YET_VALID, cert_not_yet_valid, EKEYEXPIRED, "a certificate is not yet valid at the given time",
  "check the clock")
X(CERT_EXPIRED, cert_expired, EKEYEXPIRED, "a certificate has expired at the given time",
  "fetch a fresh chain; check the clock")
X(CRL_NOT_YET_VALID, crl_not_yet_valid, EKEYEXPIRED, "a revocation list is not yet valid at the given time",
  "check the clock")
X(CRL_EXPIRED, crl_expired, EKEYEXPIRED, "a revocation list has expired at the given time",
  "fetch fresh collateral")
X(CRL_WRONG_ISSUER, crl_wrong_issuer, EKEYREJECTED, "a revocation list is not from the issuer of the certificate",
  "fetch the PCK CRL of the right CA (platform or processor)")
X(CRL_SIGNATURE, crl_signature, EKEYREJECTED, "a revocation list's signature does not verify",
  "fetch fresh collateral")
X(CERT_REVOKED, cert_revoked, EKEYREVOKED, "a certificate is revoked", "do not trust this platform")
X(TCB_INFO_SIGNATURE, tcb_info_signature, EKEYREJECTED, "the TCB info's signature does not verify",
  "fetch fresh collateral")
X(TCB_INFO_NOT_YET_VALID, tcb_info_not_yet_valid, EKEYEXPIRED, "the TCB info is not yet valid at the given time",
  "check the clock")
X(TCB_INFO_EXPIRED, tcb_info_expired, EKEYEXPIRED, "the TCB info has expired at the given time",
  "fetch fresh collateral")
X(QE_IDENTITY_SIGNATURE, qe_identity_signature, EKEYREJECTED, "the quoting enclave identity's signature does not verify",
  "fetch fresh collateral")
X(QE_IDENTITY_NOT_YET_VALID, qe_identity_not_yet_valid, EKEYEXPIRED,
  "the quoting enclave identity is not yet valid at the given time", "check the clock")
X(QE_IDENTITY_EXPIRED, qe_identity_expired, EKEYEXPIRED, "the quoting enclave identity has expired at the given time",
  "fetch fresh collateral")
X(TEE_MISMATCH, tee_mismatch, EKEYREJECTED, "the collateral is for another kind of TEE than the quote",
  "fetch the SGX collateral for an SGX quote, the TDX collateral for a TDX quote")
X(FMSPC_MISMATCH, fmspc_mismatch, EKEYREJECTED, "the TCB info is for another platform (FMSPC)",
  "fetch the TCB info of the PCK certificate's FMSPC")
X(PCE_ID_MISMATCH, pce_id_mismatch, EKEYREJECTED, "the TCB info is for another provisioning enclave (PCE-ID)",
  "fetch the TCB info that belongs to the PCK certificate")
X(PPID_MISMATCH, ppid_mismatch, EKEYREJECTED, "the PCK certificate is not of the platform the quote names",
  "provide the PCK chain of that platform")
X(QE_REPORT_SIGNATURE, qe_report_signature, EKEYREJECTED, "the quoting enclave's report is not signed by the PCK key",
  "fetch the quote again; if it stays, do not trust it")
X(QE_BINDING, qe_binding, EKEYREJECTED, "the quoting enclave's report does not name the attestation key",
  "fetch the quote again; if it stays, do not trust it")
X(QUOTE_SIGNATURE, quote_signature, EKEYREJECTED, "the quote is not signed by its attestation key",
  "fetch the quote again; if it stays, do not trust it")
X(QE_IDENTITY_MISMATCH, qe_identity_mismatch, EKEYREJECTED, "the report is not from the expected quoting enclave",
  "do not trust this quote")
X(TDX_MODULE_MISMATCH, tdx_module_mismatch, EKEYREJECTED, "the TDX module is not one the collateral knows",
  "fetch fresh TDX collateral; if it stays, do not trust this TD")
X(TCB_STATUS, tcb_status, EACCES, "the platform's TCB status is not acceptable",
  "update the platform, or tolerate the status in words")
X(ADVISORY, advisory, EACCES, "an advisory applies that is not ignored",
  "update the platform, or ignore the advisory in words")
X(DEBUG, debug, EACCES, "the enclave or TD is debuggable: its memory can be read from outside",
  "run a production build, or allow debug in words")
X(ROOT_CLASS, root_class, EACCES, "the evidence ends in a software root, which proves nothing about hardware",
  "run on SGX hardware, or accept this software root in words")
