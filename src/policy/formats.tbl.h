/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * What a macro $$SCONE::name:format$$ can ask of a secret.
 *
 * X(kind, format, result): kind = SECRET_<kind>; format = the words behind the colon ("" = none);
 * result = POL_FORMAT_<result>.
 * Formats that begin with '.' are the legacy forms $$SCONE::name.crt$$, kept for old sessions.
 * x509-ca secrets take the formats of x509.
 */

X(ASCII, "", RAW)

X(BINARY, "", RAW)
X(BINARY, "bin", RAW)
X(BINARY, "hex", HEX)
X(BINARY, "base64", BASE64)
X(BINARY, "base64url", BASE64URL)
X(BINARY, "base32", BASE32)
X(BINARY, "base32nopad", BASE32NOPAD)
X(BINARY, ".hex", HEX)

X(PRIVATE_KEY, "", KEY_PEM)
X(PRIVATE_KEY, "pem", KEY_PEM)
X(PRIVATE_KEY, "pkcs8:pem", KEY_PEM)
X(PRIVATE_KEY, "der", KEY_DER)
X(PRIVATE_KEY, "pkcs8:der", KEY_DER)

X(PUBLIC_KEY, "", SPKI_PEM)
X(PUBLIC_KEY, "spki:pem", SPKI_PEM)
X(PUBLIC_KEY, "spki:der", SPKI_DER)

X(X509, "", CRT_PEM)
X(X509, "crt", CRT_PEM)
X(X509, "crt:pem", CRT_PEM)
X(X509, "crt:der", CRT_DER)
X(X509, "privatekey", KEY_PEM)
X(X509, "privatekey:pem", KEY_PEM)
X(X509, "privatekey:pkcs8:pem", KEY_PEM)
X(X509, "privatekey:der", KEY_DER)
X(X509, "privatekey:pkcs8:der", KEY_DER)
X(X509, "chain", CHAIN)
X(X509, "pkcs12-with-private-key", PKCS12)
X(X509, ".crt", CRT_PEM)
X(X509, ".key", KEY_PEM)
X(X509, ".chain", CHAIN_ROOT_FIRST)
