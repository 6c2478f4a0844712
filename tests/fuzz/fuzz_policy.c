/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Session documents. A document either gets an error with a message, or it parses, and then its
 * canonical text parses to a session with the same text and the same hash. The first byte decides
 * whether template variables are replaced.
 */

#include "fuzz/fuzz.h"

#include <string.h>

#include "base/alloc.h"
#include "policy/policy.h"

static const char *get_variable(void *ctx, const char *name, size_t len)
{
    static const char *const values[] = {"", "x", "a: b\n- $c $$ $$SCONE::d$$", "\xc3\xbc\n\n  y"};

    (void)ctx;
    return len == 1 && name[0] == 'N' ? NULL : values[(len + (uint8_t)name[0]) % 4];
}

static void check_again(const char *text, const uint8_t hash[static POL_HASH_SIZE])
{
    _cleanup_session_ struct pol_session *s = NULL;
    _cleanup_diags_ struct pol_diags d = {0};
    _cleanup_free_ char *again = NULL;
    uint8_t hash_again[POL_HASH_SIZE];
    int r = pol_parse(text, strlen(text), NULL, &d, &s);

    if (r == -ENOMEM || strlen(text) > POL_TEXT_MAX) {
        return; /* the canonical text may be longer than what was read, and past the limit */
    }
    FUZZ_CHECK(r == 0);
    FUZZ_CHECK(pol_print(s, 0, &again) == 0);
    FUZZ_CHECK(strcmp(text, again) == 0);
    FUZZ_CHECK(pol_hash(s, hash_again) == 0);
    FUZZ_CHECK(memcmp(hash, hash_again, POL_HASH_SIZE) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct pol_variables vars = {.get = get_variable};
    _cleanup_session_ struct pol_session *s = NULL;
    _cleanup_diags_ struct pol_diags d = {0};
    _cleanup_free_ char *text = NULL;
    uint8_t hash[POL_HASH_SIZE];
    int r;

    if (size < 1) {
        return 0;
    }
    r = pol_parse((const char *)data + 1, size - 1, data[0] % 2 != 0 ? &vars : NULL, &d, &s);
    FUZZ_CHECK(r == 0 || r == -EINVAL || r == -ENOMEM);
    FUZZ_CHECK(r == -ENOMEM || (r < 0) == (d.errors > 0));
    if (r == 0) {
        FUZZ_CHECK(pol_print(s, 0, &text) == 0);
        FUZZ_CHECK(pol_hash(s, hash) == 0);
        check_again(text, hash);
    }
    return 0;
}
