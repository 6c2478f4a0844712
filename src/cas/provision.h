/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Provisioning without sockets: a request and what its connection binds, in; a document or a
 * refusal, out. docs/formats/provisioning.md
 */

#include "cas/evidence.h"
#include "cas/service.h"

#define PROVISION_VERSION      1
#define PROVISION_BODY_MAX     ((size_t)64 * 1024)
#define PROVISION_DOCUMENT_MAX ((size_t)16 * 1024 * 1024)
#define PROVISION_LABEL        "EXPORTER-Channel-Binding" /* RFC 9266 section 2 */
#define PROVISION_EXPORTER     32
#define PROVISION_REFERENCE    16 /* characters */

/* ---- requests ------------------------------------------------------------------------------- */

struct provision_request {
    char session[POL_NAME_MAX + 1];
    char service[POL_WORD_MAX + 1];
    bool has_quote; /* false: type none */
    uint8_t *quote; /* malloc'd */
    size_t quote_size;
};

void provision_request_clear(struct provision_request *r);
#define _cleanup_provision_request_ _cleanup_(provision_request_clear)

/* Reads the body of a request. Unknown keys, wrong types and anything behind the object are
 * -EINVAL, with a message that quotes nothing of the body. */
[[nodiscard]] int provision_parse(const char *body, size_t size, struct provision_request *ret,
                                  struct error **err);

/* What the evidence must carry on the connection with this exporter value. */
void provision_report_data(const uint8_t exporter[static PROVISION_EXPORTER], const char *session,
                           const char *service, uint8_t ret[static 64]);

/* ---- answers -------------------------------------------------------------------------------- */

enum refusal {
#define X(id, name, meaning) REFUSAL_##id,
#include "cas/refusals.tbl.h"
#undef X
    REFUSAL_COUNT
};

const char *refusal_name(enum refusal r);

struct provision_call {
    const struct provision_request *request;
    const uint8_t *expected; /* 64 bytes: the report data this connection wants */
    const char *peer;        /* for the log */
};

struct provision_result {
    struct cas_bytes document;               /* JSON; after a success */
    char reference[PROVISION_REFERENCE + 1]; /* of the line in the audit log; after any other end */
};

void provision_result_clear(struct provision_result *r);
#define _cleanup_provision_result_ _cleanup_(provision_result_clear)

/* Verifies, decides, and makes the document; says so in the audit log before it returns. -EACCES:
 * denied. Everything else is the server's own trouble and may go better later. In both cases *err
 * is for the operator and never for the client. */
[[nodiscard]] int cas_provision(struct cas *c, struct evidence *e,
                                const struct provision_call *call, struct provision_result *ret,
                                struct error **err);

/* What opens a volume: both are of its own session, wherever that is. */
struct provision_volume {
    uint8_t key[32];
    uint8_t root[32];
};

/* Where imported volumes come from; checks that their session exports them to this one. */
struct provision_imports {
    int (*get)(void *ctx, const struct pol_session *s, const struct pol_volume *volume,
               struct provision_volume *ret, struct error **err);
    void *ctx;
};

/* Key and root of a volume that is the session's own. */
[[nodiscard]] int provision_volume_get(const struct pol_session *s, const struct pol_volume *volume,
                                       const struct pol_values *values,
                                       struct provision_volume *ret, struct error **err);

/* The document alone, for a service that may have it. -EINVAL: the session cannot be applied. */
[[nodiscard]] int provision_document(const struct pol_session *s, const struct pol_service *service,
                                     const struct pol_values *values,
                                     const struct provision_imports *imports, struct cas_bytes *ret,
                                     struct error **err);
