/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Every key of the session language. From this table come: unknown-key and wrong-type errors with
 * their hints, the refusals, `nacre session schema`, the tables of docs/policy-language.md.
 *
 * X(scope, id, key, shape, ref, since, refused, summary)
 *   scope    the map it stands in: SCOPE_<scope>
 *   id       KW_<scope>_<id>
 *   key      as written
 *   shape    SHAPE_<shape>: what its value may look like (keywords.h)
 *   ref      the scope of the maps below it, or the word list of an ENUM; else NONE
 *   since    0.3.<since>; NACRE for keys SCONE does not have
 *   refused  NULL when it works; else why it does not and what to do. Such a key is an error: a
 *            session must never lose a protection in silence
 *   summary  one line for the docs and editors
 */

X(SESSION, name, "name", SESSION_NAME, NONE, 0, NULL, "name of the session; '/' separates namespaces")
X(SESSION, version, "version", TEXT, NONE, 0, NULL, "version of the language, \"0.3\" to \"0.3.12\"; required")
X(SESSION, predecessor, "predecessor", HEX32_OR_NULL, NONE, 0, NULL, "hash of the version this one replaces; ~ for a new session")
X(SESSION, namespace_hash, "namespace_hash", HEX32_OR_NULL, NONE, 11, NULL, "hash the parent namespace must have at creation; not together with predecessor")
X(SESSION, salt, "salt", HEX16, NONE, 12, NULL, "random bytes that make the session hash safe to publish")
X(SESSION, creator, "creator", CREATOR, NONE, 0, NULL, "filled in by CAS: certificate (PEM) or key of whoever created the session")
X(SESSION, services, "services", LIST, SERVICE, 0, NULL, "the programs that get their configuration from this session")
X(SESSION, images, "images", LIST, IMAGE, 0, NULL, "files and volumes that services of an image see")
X(SESSION, volumes, "volumes", LIST, VOLUME, 0, NULL, "protected volumes")
X(SESSION, secrets, "secrets", LIST, SECRET, 0, NULL, "secrets to generate, to hold or to import")
X(SESSION, access_policy, "access_policy", MAP, ACCESS, 0, NULL, "who may read and change this session")
X(SESSION, security, "security", MAP, SECURITY, 1, NULL, "what evidence the services must show")
X(SESSION, secret_config, "secret_config", ANY, NONE, 10, "secrets live in CAS only; remove the section", "where secrets are stored")
X(SESSION, digest, "digest", ANY, NONE, 0, "language 0.1; write version: \"0.3\" and use 'predecessor'", "0.1: digest of the previous version")
X(SESSION, tags, "tags", ANY, NONE, 0, "language 0.1; use volumes with fspf_key and fspf_tag", "0.1: file-system tags")
X(SESSION, certificates, "certificates", ANY, NONE, 0, "language 0.2; write them under 'secrets' with kind: x509", "0.2: certificates")
X(SESSION, board_members, "board_members", ANY, NONE, 0, "language 0.1; use access_policy with require-at-least-N", "0.1: approval board")
X(SESSION, board_policy, "board_policy", ANY, NONE, 0, "language 0.1; use access_policy with require-at-least-N", "0.1: approval board")

X(SERVICE, name, "name", NAME, NONE, 0, NULL, "name of the service; SESSION/SERVICE is what the container asks for")
X(SERVICE, image_name, "image_name", NAME, NONE, 0, NULL, "the entry of 'images' whose files and volumes the service sees")
X(SERVICE, mrenclaves, "mrenclaves", HEX32S, NONE, 0, NULL, "measurements of which one must match; short for attestation.mrenclave")
X(SERVICE, attestation, "attestation", MAP_OR_LIST, ATTEST, 7, NULL, "what the enclave must be: one item of the list must match in full")
X(SERVICE, platforms, "platforms", PLATFORMS, NONE, 0, NULL, "machines that may run the service: INTEL_QE_ID:<32 hex digits>")
X(SERVICE, command, "command", COMMAND, NONE, 0, NULL, "the command line, as a text with '…' and \"…\" quoting or as a list")
X(SERVICE, environment, "environment", ENV, NONE, 0, NULL, "the whole environment of the program")
X(SERVICE, pwd, "pwd", TEXT, NONE, 0, NULL, "working directory, absolute; default /")
X(SERVICE, user, "user", TEXT, NONE, NACRE, NULL, "who the program runs as, in numbers: UID[:GID[:GROUP,…]]; default 0")
X(SERVICE, fspf_path, "fspf_path", TEXT, NONE, 0, NULL, "path of the sealed file system; kept for sessions written for SCONE")
X(SERVICE, fspf_key, "fspf_key", KEY32, NONE, 0, NULL, "key of the sealed file system: 64 hex digits or a macro of a binary secret of 32 bytes")
X(SERVICE, fspf_tag, "fspf_tag", HEX16, NONE, 0, NULL, "first 16 bytes of the sealed root")
X(SERVICE, fspf_update_policy, "fspf_update_policy", ENUM, FSPF_UPDATE, 11, NULL, "freshness of the sealed file system")
X(SERVICE, sealed_root, "sealed_root", HEX32, NONE, NACRE, NULL, "the sealed root the image must have, in full")
X(SERVICE, persistency, "persistency", ENUM, PERSISTENCY, 0, NULL, "appears when SCONE's CAS prints a session; only None")
X(SERVICE, one_time_password_shared_secret, "one_time_password_shared_secret", ANY, NONE, 8, "one-time passwords are not supported; remove the key", "TOTP secret of the service")

X(ATTEST, mrenclave, "mrenclave", HEX32S, NONE, 7, NULL, "measurement, or a list of which one must match")
X(ATTEST, signer, "signer", MAP, SIGNER, 7, NULL, "who must have signed the enclave")

X(SIGNER, mrsigner, "mrsigner", HEX32, NONE, 7, NULL, "SHA-256 of the signer's modulus, as SGX reports it")
X(SIGNER, isvprodid, "isvprodid", UINT16, NONE, 7, NULL, "product number")
X(SIGNER, isvsvn, "isvsvn", UINT16, NONE, 7, NULL, "exact security version")
X(SIGNER, isvsvn_min, "isvsvn_min", UINT16, NONE, 7, NULL, "lowest security version allowed")
X(SIGNER, isvsvn_max, "isvsvn_max", UINT16, NONE, 7, NULL, "highest security version allowed")

X(IMAGE, name, "name", NAME, NONE, 0, NULL, "name that services refer to with image_name")
X(IMAGE, volumes, "volumes", LIST, MOUNT, 0, NULL, "volumes and where they are mounted")
X(IMAGE, injection_files, "injection_files", LIST, FILE, 0, NULL, "files put in front of the program")
X(IMAGE, provide_secrets, "provide_secrets", ANY, NONE, 11, "templates on the image's disk and the secret API of the runtime are not supported; name the secret in an injection file or the environment", "secrets for templates on disk")
X(IMAGE, mrenclaves, "mrenclaves", ANY, NONE, 0, "language 0.1; measurements belong to the service", "0.1: measurements")
X(IMAGE, tags, "tags", ANY, NONE, 0, "language 0.1; use volumes", "0.1: tags")

X(MOUNT, name, "name", NAME, NONE, 0, NULL, "the entry of 'volumes'")
X(MOUNT, path, "path", TEXT, NONE, 0, NULL, "absolute path in the container; the directory must exist")
X(MOUNT, update_policy, "update_policy", ENUM, VOLUME_UPDATE, 2, NULL, "freshness of the volume; default rollback_protected")

X(FILE, path, "path", TEXT, NONE, 0, NULL, "absolute path in the container")
X(FILE, content, "content", TEXT, NONE, 0, NULL, "what the file holds; macros are replaced")
X(FILE, permission, "permission", MODE, NONE, 10, NULL, "permission bits such as 0o400; default 0o700")

X(VOLUME, name, "name", NAME, NONE, 0, NULL, "name of the volume")
X(VOLUME, fspf_key, "fspf_key", KEY32, NONE, 0, NULL, "key of an existing volume; without it CAS makes one at first use")
X(VOLUME, fspf_tag, "fspf_tag", HEX16, NONE, 0, NULL, "tag of an existing volume's state")
X(VOLUME, sealed_root, "sealed_root", HEX32, NONE, NACRE, NULL, "the sealed root of the volume's image, in full; what is mounted must have it")
X(VOLUME, files, "files", ENUM, VOLUME_FILES, 11, NULL, "encrypted is the only protection")
X(VOLUME, export, "export", EXPORTS, VOLUME_EXPORT, 0, NULL, "sessions that may import the volume")
X(VOLUME, import, "import", MAP, VOLUME_IMPORT, 0, NULL, "a volume another session exports")

X(VOLUME_EXPORT, to, "to", EXPORTS, EXPORT, 10, NULL, "the session that may import it")
X(VOLUME_EXPORT, session, "session", SESSION_REF, NONE, 0, NULL, "the session that may import it")
X(VOLUME_EXPORT, session_hash, "session_hash", HEX32, NONE, 0, NULL, "and the hash that session must have")
X(VOLUME_EXPORT, update_policy, "update_policy", ENUM, VOLUME_UPDATE, 2, NULL, "the most the importer may do")
X(VOLUME_EXPORT, volume_alias, "volume_alias", NAME, NONE, 10, NULL, "name under which it is imported")

X(VOLUME_IMPORT, session, "session", SESSION_REF, NONE, 0, NULL, "the session that exports it")
X(VOLUME_IMPORT, volume, "volume", NAME, NONE, 0, NULL, "its name there")
X(VOLUME_IMPORT, session_hash, "session_hash", HEX32, NONE, 0, NULL, "and the hash that session must have")

X(SECRET, name, "name", NAME, NONE, 0, NULL, "name of the secret")
X(SECRET, kind, "kind", ENUM, SECRET_KIND, 0, NULL, "what it is; may be left out for imports")
X(SECRET, size, "size", SIZE, NONE, 0, NULL, "ascii: characters, binary: bytes; 1 to 65536, default 20")
X(SECRET, value, "value", TEXT, NONE, 0, NULL, "explicit value: text, hex digits (binary) or PEM")
X(SECRET, key_type, "key_type", ENUM, KEY_TYPE, 4, NULL, "private-key: algorithm; default P-256")
X(SECRET, migrate, "migrate", BOOL, NONE, 7, NULL, "private-key: false makes a new key at every update of the session; by default unchanged definitions keep their key")
X(SECRET, private_key, "private_key", NAME, NONE, 3, NULL, "public-key, x509, x509-ca: the secret that holds the private key")
X(SECRET, issuer, "issuer", NAME, NONE, 0, NULL, "x509, x509-ca: the x509-ca secret that signs; self-signed without")
X(SECRET, common_name, "common_name", TEXT, NONE, 0, NULL, "x509, x509-ca: common name; default the first dns name, else the secret's name")
X(SECRET, endpoint, "endpoint", ENUM, ENDPOINT, 0, NULL, "x509: server or client (extended key usage); both without")
X(SECRET, dns, "dns", TEXTS, NONE, 0, NULL, "x509: host names")
X(SECRET, ip, "ip", TEXTS, NONE, NACRE, NULL, "x509: addresses; the same as san: \"ip:…\"")
X(SECRET, san, "san", TEXTS, NONE, 10, NULL, "x509: \"dns:NAME\" or \"ip:ADDRESS\"")
X(SECRET, valid_for, "valid_for", DURATION, NONE, 0, NULL, "x509, x509-ca: such as 90 days, 59d, 1 year; renewed before it ends; default 10 years (x509-ca: 30 years)")
X(SECRET, export, "export", EXPORTS, EXPORT, 0, NULL, "sessions or namespaces that may import it")
X(SECRET, export_public, "export_public", BOOL, NONE, 0, NULL, "anybody may read it without authentication")
X(SECRET, import, "import", MAP, IMPORT, 0, NULL, "a secret another session exports")
X(SECRET, import_akv, "import_akv", ANY, NONE, 7, "Azure Key Vault is not supported; put the value into the session", "import from Azure Key Vault")
X(SECRET, value_withheld, "value_withheld", ANY, NONE, NACRE, "the value was left out when this session was read; put the value there, or read the session with the right read_secrets", "stands in for values the reader may not see")
X(SECRET, payload, "payload", ANY, NONE, 12, "jwt secrets are not supported", "jwt: claims")
X(SECRET, alg, "alg", ANY, NONE, 12, "jwt secrets are not supported", "jwt: algorithm")
X(SECRET, signer, "signer", ANY, NONE, 12, "jwt secrets are not supported", "jwt: key")
X(SECRET, validity, "validity", ANY, NONE, 12, "jwt secrets are not supported", "jwt: validity")
X(SECRET, tenant_id, "tenant_id", ANY, NONE, 7, "aad-token secrets are not supported", "aad-token: tenant")
X(SECRET, client_id, "client_id", ANY, NONE, 7, "aad-token secrets are not supported", "aad-token: client")
X(SECRET, application_secret, "application_secret", ANY, NONE, 7, "aad-token secrets are not supported", "aad-token: password")
X(SECRET, certificate_thumbprint, "certificate_thumbprint", ANY, NONE, 7, "aad-token secrets are not supported", "aad-token: certificate")

X(EXPORT, session, "session", SESSION_REF, NONE, 0, NULL, "the session that may import it")
X(EXPORT, session_hash, "session_hash", HEX32, NONE, 0, NULL, "and the hash that session must have")
X(EXPORT, namespace, "namespace", SESSION_REF, NONE, 6, NULL, "that session and every session below it may import it")

X(IMPORT, session, "session", SESSION_REF, NONE, 0, NULL, "the session that exports it")
X(IMPORT, secret, "secret", NAME, NONE, 0, NULL, "its name there")
X(IMPORT, session_hash, "session_hash", HEX32, NONE, 0, NULL, "and the hash that session must have")
X(IMPORT, cas_url, "cas_url", ANY, NONE, 0, "imports from another CAS are not supported; copy the value or import within one CAS", "another CAS")
X(IMPORT, cas_key, "cas_key", ANY, NONE, 0, "imports from another CAS are not supported; copy the value or import within one CAS", "another CAS")
X(IMPORT, cas_software_key, "cas_software_key", ANY, NONE, 0, "imports from another CAS are not supported; copy the value or import within one CAS", "another CAS")

X(ACCESS, read, "read", RULES, ENTITY, 0, NULL, "who may read the session text; default CREATOR")
X(ACCESS, update, "update", RULES, ENTITY, 0, NULL, "who may replace or delete the session; default CREATOR")
X(ACCESS, create_sessions, "create_sessions", RULES, ENTITY, 5, NULL, "who may create sessions below this name; default as update")
X(ACCESS, list_sessions, "list_sessions", RULES, ENTITY, 12, NULL, "who may list the sessions below this name; default as read")
X(ACCESS, read_secrets, "read_secrets", RULES, ENTITY, NACRE, NULL, "who may read values of secrets; default NONE")

X(ENTITY, signer, "signer", TEXT, NONE, 10, NULL, "public key (PEM) or signer name that must have signed the request; not for read")
X(ENTITY, require_all, "require-all", RULES, ENTITY, 10, NULL, "all of the list are needed; only for update and create_sessions")
X(ENTITY, require_at_least, "require-at-least-N", RULES, ENTITY, 10, NULL, "N of the list are needed, such as require-at-least-2; only for update and create_sessions")

X(SECURITY, attestation, "attestation", MAP, SECURITY_ATTEST, 1, NULL, "which evidence is good enough")
X(SECURITY, singleton_enclaves, "singleton_enclaves", FALSE_ONLY, NONE, 9, NULL, "false; true would need SCONE's own runtime protocol")
X(SECURITY, service_access_token, "service_access_token", ANY, NONE, 9, "access tokens are readable by every reader of the session and prove nothing; bind services with attestation", "token a service must show")

X(SECURITY_ATTEST, mode, "mode", ENUM, ATTEST_MODE, 1, NULL, "hardware (default); software: also evidence below software_roots; none: no evidence at all")
X(SECURITY_ATTEST, tolerate, "tolerate", ENUMS, TOLERATE, 1, NULL, "known weaknesses that are accepted")
X(SECURITY_ATTEST, ignore_advisories, "ignore_advisories", ADVISORIES, NONE, 1, NULL, "Intel advisories that are accepted: a list, or \"*\" together with debug-mode")
X(SECURITY_ATTEST, software_roots, "software_roots", TEXTS, NONE, NACRE, NULL, "mode software: SHA-256 of the root public keys (64 hex digits) or root certificates (PEM)")
X(SECURITY_ATTEST, max_collateral_age, "max_collateral_age", DURATION, NONE, NACRE, NULL, "how old TCB information may be beyond its issue date; default: until its own nextUpdate")
X(SECURITY_ATTEST, min_tcb_evaluation, "min_tcb_evaluation", UINT32, NONE, NACRE, NULL, "lowest tcbEvaluationDataNumber accepted")
X(SECURITY_ATTEST, trusted_scone_qe_pubkeys, "trusted_scone_qe_pubkeys", ANY, NONE, 1, "SCONE's quoting enclave does not exist here; use 'platforms' of the service", "SCONE quoting enclaves")
X(SECURITY_ATTEST, must_be_sgx_local, "must_be_sgx_local", FALSE_ONLY, NONE, 11, NULL, "false; local attestation is not supported")
X(SECURITY_ATTEST, one_time_password_shared_secret, "one_time_password_shared_secret", ANY, NONE, 8, "one-time passwords are not supported; remove the key", "TOTP secret")
X(SECURITY_ATTEST, url, "url", ANY, NONE, 7, "Microsoft Azure Attestation is not supported; use mode: hardware", "MAA address")
X(SECURITY_ATTEST, certificates, "certificates", ANY, NONE, 7, "Microsoft Azure Attestation is not supported; use mode: hardware", "MAA certificates")
X(SECURITY_ATTEST, min_rsa_signing_key_size, "min_rsa_signing_key_size", ANY, NONE, 1, "deprecated by SCONE 5.8 and without meaning for DCAP; remove the key", "IAS leftovers")
