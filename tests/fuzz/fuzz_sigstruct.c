/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Any bytes as a SIGSTRUCT and as the signed part of one. */

#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "fuzz/fuzz.h"
#include "sign/sigstruct.h"

static void print(const struct sgx_sigstruct *s)
{
    static FILE *sink;

    if (sink == NULL) {
        sink = fopen("/dev/null", "w");
        FUZZ_CHECK(sink != NULL);
    }
    FUZZ_CHECK(sigstruct_print(s, sink) == 0);
    FUZZ_CHECK(sigstruct_print_json(s, sink) == 0);
}

static void try_whole(const uint8_t *data, size_t size)
{
    _cleanup_error_ struct error *err = NULL;
    uint8_t signed_bytes[SIGSTRUCT_SIGNED_SIZE];
    struct sgx_sigstruct s;
    struct sgx_sigstruct again;

    if (sigstruct_parse(data, size, &s, &err) < 0) {
        FUZZ_CHECK(size != SIGSTRUCT_SIZE && err != NULL);
        return;
    }
    print(&s);
    if (sigstruct_verify(&s, &err) < 0) {
        FUZZ_CHECK(err != NULL);
        return;
    }
    /* What verifies is what the builder would have made: no byte is left to anybody's choice. */
    sigstruct_signed_bytes(&s, signed_bytes);
    FUZZ_CHECK(sigstruct_from_signed_bytes(signed_bytes, sizeof(signed_bytes), &again, &err) == 0);
    FUZZ_CHECK(sigstruct_set_signature(&again, s.modulus, s.signature, &err) == 0);
    FUZZ_CHECK(memcmp(&s, &again, sizeof(s)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sgx_sigstruct s;

    try_whole(data, size);
    if (sigstruct_from_signed_bytes(data, size, &s, NULL) == 0) {
        FUZZ_CHECK(size == SIGSTRUCT_SIGNED_SIZE);
        print(&s);
        FUZZ_CHECK(sigstruct_verify(&s, NULL) < 0); /* unsigned */
    }
    return 0;
}
