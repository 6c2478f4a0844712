/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The HTTP API. X(method, path, handler, answer, summary)
 *   path     {name} at the end takes the rest of the path, slashes included
 *   handler  api_<handler> in api.c
 *   answer   what a good answer is, for the OpenAPI document: a key of openapi.c's schemas
 */

X(GET, "/v1/version", version, Version, "version of CAS and of the session language")
X(GET, "/v1/health/live", live, Status, "200 while the process answers")
X(GET, "/v1/health/ready", ready, Status, "200 while the store answers too, else 503")
X(GET, "/v1/status", status, CasStatus, "what this CAS is and has: key, sessions, collateral, uptime")
X(GET, "/v1/attest", attest, Attest,
  "evidence of CAS itself, bound to its TLS key and to the caller's ?nonce= of 64 hex digits")
X(GET, "/metrics", metrics, Text, "Prometheus metrics")
X(GET, "/v1/openapi.json", openapi, Any, "this document")
X(GET, "/v1/audit", audit, Audit, "number and hash of the newest line of the audit log")
X(POST, "/v1/sessions", put, Put,
  "create a session, or update it when the document has a predecessor; ?verify=true only checks")
X(GET, "/v1/sessions", list, List,
  "the sessions below ?namespace= that the caller may know of, behind ?after=")
X(GET, "/v1/sessions/{name}", read, Read, "a session, or the version ?hash= of it")
X(DELETE, "/v1/sessions/{name}", delete, Put,
  "delete a session; with ?hash= only while that is its current version")
X(GET, "/v1/values/{name}", values, Values,
  "public values of session=NAME, or one of them with session=NAME,secret=SECRET")
