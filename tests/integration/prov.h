/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* An agent of tests: asks a CAS on this machine for the configuration of a service, with software
 * evidence of an enclave that never was. Ends the program when it cannot work. */

#include "abi/sgx_arch.h"
#include "core/types.h"

struct prov {
    uint16_t port;
    const char *session; /* of prov_load: a '%' becomes a number below `sessions` */
    const char *service;
    const char *bind; /* evidence for another session than the one asked for */
    bool none;        /* evidence of type none */
    bool ask;         /* prints the report data, reads the quote from standard input */
    struct sgx_report_body body;
    unsigned sessions;
};

/* The enclave that everybody may be: MRENCLAVE 11…, MRSIGNER 22…, product 1, version 2. */
void prov_init(struct prov *p);

struct prov_answer {
    int status; /* 0: none */
    char *text; /* head and body; the caller's */
    char *body;
};

/* One connection, one request. `flip`: the byte of the quote to invert, or -1. */
void prov_ask(const struct prov *p, const char *session, long flip, struct prov_answer *ret);

/* Bytes of a quote as it is made here. */
size_t prov_quote_size(const struct prov *p);

struct prov_load {
    unsigned requests;
    unsigned provisioned;
    unsigned busy; /* 429, 503 */
    double per_second;
    double p50_us;
    double p99_us;
};

#define PROV_CLIENTS_MAX 256u

/* `count` requests from `clients` threads, but none after `seconds` (0: no end). */
void prov_load(const struct prov *p, unsigned clients, unsigned count, unsigned seconds,
               struct prov_load *ret);

_noreturn_ void prov_fail(const char *what);
