/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Every verb: X(name, function, one-line summary). Sorted by name. */

X("audit", cmd_audit, "check the audit log of CAS")
X("bench", cmd_bench, "measure native Linux and nacre side by side")
X("cas", cmd_cas, "run the configuration and attestation service")
X("convert", cmd_convert, "turn a container image into a confidential one")
X("device", cmd_device, "print docker options for this machine's SGX devices")
X("diff", cmd_diff, "say why two converted images measure differently")
X("doctor", cmd_doctor, "say what this machine has and what would run")
X("exec", cmd_exec, "run a program in an enclave, unprotected")
X("inspect", cmd_inspect, "say what a converted image is")
X("keygen", cmd_keygen, "make a key that signs enclaves")
X("manifest", cmd_manifest, "write or show what an enclave is measured with")
X("measure", cmd_measure, "print the MRENCLAVE of an enclave")
X("mount", cmd_mount, "show a sealed image as a read-only directory")
X("quote", cmd_quote, "show or verify an attestation quote")
X("run", cmd_run, "run a converted image without a container engine")
X("seal", cmd_seal, "turn a container image into a sealed one")
X("session", cmd_session, "check session documents; create, read and update them on CAS")
X("sign", cmd_sign, "sign an enclave, here or with an offline key")
X("sigstruct", cmd_sigstruct, "show or verify an enclave's SIGSTRUCT")
X("softsgx", cmd_softsgx, "the processor in software and its root")
X("trace", cmd_trace, "say which directories of an image an application uses")
X("unseal", cmd_unseal, "decrypt a sealed image with its key")
X("verify", cmd_verify, "check a sealed image")
X("version", cmd_version, "print nacre's version")
