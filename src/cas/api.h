/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* HTTP requests → service calls → HTTP answers. Knows no sockets. */

#include <pthread.h>

#include "cas/evidence.h"
#include "cas/http.h"
#include "cas/listener.h"
#include "cas/service.h"

/* What the server counts for /metrics. */
struct api_counters {
    uint64_t requests[6]; /* by hundreds of the status */
    uint64_t request_micros;
    uint64_t provision_answers[6];
    uint64_t provision_micros;
    struct listener_counters api_door;
    struct listener_counters provision_door;
    uint64_t handshakes_failed;
    uint64_t rate_limited;
};

struct api {
    struct cas *cas;
    struct evidence *evidence;
    const char *version;         /* of nacre */
    const char *attestation_dir; /* where the TEE offers evidence: self.h */
    pthread_mutex_t self_lock;
    uint8_t key_id[32]; /* of the TLS key */
    bool provisioning;  /* the door is open */
    bool tee;           /* CAS itself has evidence */
    uint64_t started_ms;
    struct api_counters counters; /* atomically */
};

struct api_answer {
    int status;
    const char *type; /* content type; static */
    struct cas_bytes body;
    char trouble[400]; /* for the operator's log; never for the client */
};

void api_answer_clear(struct api_answer *a);
#define _cleanup_answer_ _cleanup_(api_answer_clear)

/* Always fills *ret. `body` has req->content_length bytes and a NUL behind. */
void api_handle(struct api *api, const struct cas_caller *who, const struct http_request *req,
                const char *body, struct api_answer *ret);

/* {"msg": [text]} */
void api_error(struct api_answer *ret, int status, const char *text);

/* The OpenAPI 3.0 document, made from routes.tbl.h. */
json_t *api_openapi(const char *version);
