/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "fuzz/attest_fixture.h"

#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "fuzz/fuzz.h"

#define VECTORS FUZZ_SOURCE_ROOT "/tests/vectors/attest"

/* Kept for the life of the process. */
static struct att_blob load(const char *name, const char *file)
{
    _cleanup_error_ struct error *err = NULL;
    char path[512];
    uint8_t *data;
    struct att_blob blob;

    (void)snprintf(path, sizeof(path), VECTORS "/%s/%s", name, file);
    if (access(path, R_OK) != 0) { /* shared with the common case */
        (void)snprintf(path, sizeof(path), VECTORS "/up-to-date/%s", file);
    }
    if (fs_read_file(path, ATT_CRL_MAX, &data, &blob.size, &err) < 0) {
        fprintf(stderr, "%s\n", error_text(err));
        exit(1);
    }
    blob.data = data;
    return blob;
}

static void load_case(const char *name, struct fixture *f)
{
    struct att_blob root = load(".", "root.pem");

    f->quote = load(name, "quote.bin");
    f->ppid_quote = load("ppid-with-chain-beside", "quote.bin");
    f->input = (struct att_collateral_input){
        .tcb_info = load(name, "tcb_info.json"),
        .qe_identity = load(name, "qe_identity.json"),
        .tcb_signing_chain = load(name, "tcb_signing_chain.pem"),
        .pck_crl = load(name, "pck_crl.der"),
        .root_ca_crl = load(name, "root_ca_crl.der"),
        .pck_chain = load("ppid-with-chain-beside", "pck_chain.pem"),
    };
    FUZZ_CHECK(att_root_from_cert(root.data, root.size, ATT_ROOT_SOFTWARE, NULL, &f->root, NULL) ==
               0);
    free((void *)(uintptr_t)root.data);
    FUZZ_CHECK(att_collateral_new(&f->input, &f->root, 1, &f->collateral, NULL) == 0);
}

const struct fixture *fixture_sgx(void)
{
    static struct fixture f;

    if (f.collateral == NULL) {
        load_case("up-to-date", &f);
    }
    return &f;
}

const struct fixture *fixture_tdx(void)
{
    static struct fixture f;

    if (f.collateral == NULL) {
        load_case("tdx-v5-15", &f);
    }
    return &f;
}
