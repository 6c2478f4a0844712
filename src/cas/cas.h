/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* The program's door: a CAS that serves until it is told to stop. */

#include "base/error.h"

#define CAS_PORT           8081
#define CAS_PROVISION_PORT 18765

struct cas_serve_options {
    const char *dir;              /* where database, keys and log live; made on first start */
    const char *listen;           /* "ADDRESS:PORT", "[v6]:PORT", ":PORT" */
    const char *provision_listen; /* the same, or "off" */
    const char *version;          /* of nacre */
    size_t name_count;            /* host names and addresses for the certificate, at first start */
    const char *const *names;
    size_t collateral_count; /* directories, or files in them: evidence.h */
    const char *const *collateral;
    size_t software_count; /* the same for software roots */
    const char *const *software;
    const char *pccs_url; /* who is asked for collateral that is not there; NULL: nobody */
    const char *pccs_ca;
    const char *attestation_dir;       /* NULL: /dev/attestation */
    unsigned max_connections;          /* 0: 512 */
    unsigned max_connections_per_peer; /* 0: 256 */
    unsigned max_rate;                 /* requests a second and peer; 0: 2000 */
    unsigned max_provision_rate;       /* the same at the provisioning door; 0: 200 */
};

/* Opens or makes everything, prints to stderr where it listens and which key to pin, and serves
 * until SIGTERM or SIGINT. */
[[nodiscard]] int cas_serve(const struct cas_serve_options *options, struct error **err);
