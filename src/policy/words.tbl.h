/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The words of the keys with shape ENUM or ENUMS: X(list, id, word, refused).
 * list: WORDS_<list>; id: the value's name in ast.h enums is <list>_<id> (the position in its list);
 * refused: NULL, or why the word is not accepted.
 */

X(FSPF_UPDATE, REINITIALIZABLE, "rollback_protected_reinitializable", NULL)
X(FSPF_UPDATE, UNPROTECTED, "no_rollback_protection", NULL)

X(PERSISTENCY, NONE, "None", NULL)

X(VOLUME_UPDATE, ROLLBACK_PROTECTED, "rollback_protected", NULL)
X(VOLUME_UPDATE, EPHEMERAL, "ephemeral", NULL)
X(VOLUME_UPDATE, UNPROTECTED, "no_rollback_protection", NULL)

X(VOLUME_FILES, ENCRYPTED, "encrypted", NULL)
X(VOLUME_FILES, AUTHENTICATED, "authenticated-only", "volumes are always encrypted; remove the key or write files: encrypted")

X(SECRET_KIND, ASCII, "ascii", NULL)
X(SECRET_KIND, BINARY, "binary", NULL)
X(SECRET_KIND, PRIVATE_KEY, "private-key", NULL)
X(SECRET_KIND, PUBLIC_KEY, "public-key", NULL)
X(SECRET_KIND, X509, "x509", NULL)
X(SECRET_KIND, X509_CA, "x509-ca", NULL)
X(SECRET_KIND, AAD_TOKEN, "aad-token", "Azure AD tokens are not supported")
X(SECRET_KIND, CONFIG_FRAGMENT, "config-fragment", "fragments of sessions as secrets are not supported; write the section out, or use a template variable")
X(SECRET_KIND, PGP_KEY, "pgp-key", "PGP keys are not supported; use private-key or binary")
X(SECRET_KIND, JWT, "jwt", "JSON web tokens are not supported; use private-key and sign in the program")
X(SECRET_KIND, SESSION_CA, "session-ca", "language 0.2; use private-key and x509-ca")

X(KEY_TYPE, P256, "P-256", NULL)
X(KEY_TYPE, P384, "P-384", NULL)
X(KEY_TYPE, ED25519, "Ed25519", NULL)
X(KEY_TYPE, RSA2048, "RSA-2048", NULL)
X(KEY_TYPE, RSA3072, "RSA-3072", NULL)
X(KEY_TYPE, RSA4096, "RSA-4096", NULL)

X(ENDPOINT, SERVER, "server", NULL)
X(ENDPOINT, CLIENT, "client", NULL)

X(ATTEST_MODE, HARDWARE, "hardware", NULL)
X(ATTEST_MODE, SOFTWARE, "software", NULL)
X(ATTEST_MODE, NONE, "none", NULL)
X(ATTEST_MODE, MAA, "maa", "Microsoft Azure Attestation is not supported; use mode: hardware, which verifies the same quotes")

X(TOLERATE, DEBUG, "debug-mode", NULL)
X(TOLERATE, HYPERTHREADING, "hyperthreading", NULL)
X(TOLERATE, IGPU, "insecure-igpu", NULL)
X(TOLERATE, SW_HARDENING, "software-hardening-needed", NULL)
X(TOLERATE, AEPIC_LEAK, "aepic-leak", NULL)
X(TOLERATE, CONFIGURATION, "insecure-configuration", NULL)
X(TOLERATE, OUTDATED_TCB, "outdated-tcb", NULL)
X(TOLERATE, LOCAL_TCB, "local-attestation-trust-cas-tcb", "local attestation is not supported")
X(TOLERATE, MAA_TCB, "maa-managed-tcb", "Microsoft Azure Attestation is not supported")
