/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* The two doors of one CAS and what they share. */

#include "cas/api.h"
#include "cas/evidence.h"
#include "cas/keys.h"
#include "cas/listener.h"
#include "cas/pccs.h"
#include "cas/tls.h"

struct server {
    struct api api;
    struct tls_context *tls;           /* of the API */
    struct tls_context *provision_tls; /* of provisioning */
    struct listener *listener;
    struct listener *provisioning; /* NULL: switched off */
    struct cas_home home;
    struct pccs *pccs; /* NULL: none */
    char *cache_dir;
    pthread_t keeper; /* looks after the collateral */
    int keeper_stop;  /* eventfd */
};

/* listener_options.serve, with the server as context. */
void server_serve_api(void *ctx, const struct accepted *a);
void server_serve_provisioning(void *ctx, const struct accepted *a);
