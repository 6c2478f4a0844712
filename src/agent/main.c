/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* nacre-agent: see agent.h. Its SHA-256 is in every manifest that names it. */
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/sgx.h"

int main(void)
{
    _cleanup_error_ struct error *err = NULL;
    struct sgx_agent sgx;

    (void)signal(SIGPIPE, SIG_IGN);
    /* No configuration file, no engines: there is nothing on disk, and nothing shall be loaded. */
    if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) != 1) {
        (void)dprintf(STDERR_FILENO, "nacre-agent: the cryptographic library does not start\n");
        return AGENT_EXIT_INTERNAL;
    }
    if (sgx_agent_open(&sgx, &err) < 0) {
        (void)dprintf(STDERR_FILENO, "nacre-agent: %s\n", error_text(err));
        return AGENT_EXIT_INTERNAL;
    }
    return agent_run(&sgx.platform, &sgx.evidence);
}
