/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Bodies of provisioning requests: refused, or a request whose names are names, and which written
 * down again reads the same.
 */

#include "fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "cas/provision.h"
#include "policy/text.h"

static void check_same(const struct provision_request *r)
{
    struct provision_request again = {0};
    char *quote = calloc(1, BASE64_SIZE(r->quote_size) + 1);
    char *body = NULL;
    int n;

    FUZZ_CHECK(quote != NULL);
    if (r->has_quote) {
        base64_encode(quote, r->quote, r->quote_size);
    }
    /* Names hold nothing that JSON would escape. */
    n = asprintf(
        &body,
        "{\"version\":1,\"session\":\"%s\",\"service\":\"%s\",\"evidence\":{\"type\":\"%s\""
        "%s%s%s}}",
        r->session, r->service, r->has_quote ? "sgx-dcap" : "none",
        r->has_quote ? ",\"quote\":\"" : "", quote, r->has_quote ? "\"" : "");
    FUZZ_CHECK(n > 0 && provision_parse(body, (size_t)n, &again, NULL) == 0);
    FUZZ_CHECK(strcmp(again.session, r->session) == 0 && strcmp(again.service, r->service) == 0);
    FUZZ_CHECK(again.has_quote == r->has_quote && again.quote_size == r->quote_size);
    FUZZ_CHECK(r->quote_size == 0 || memcmp(again.quote, r->quote, r->quote_size) == 0);
    provision_request_clear(&again);
    free(quote);
    free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_provision_request_ struct provision_request req = {0};
    _cleanup_error_ struct error *err = NULL;
    const int r = provision_parse((const char *)data, size, &req, &err);

    if (r < 0) {
        FUZZ_CHECK(r == -EINVAL || r == -EFBIG || r == -ENOMEM);
        FUZZ_CHECK(req.quote == NULL && err != NULL);
        return 0;
    }
    FUZZ_CHECK(name_session_valid(req.session) && name_word_valid(req.service));
    FUZZ_CHECK(req.has_quote ? req.quote != NULL && req.quote_size > 0 : req.quote_size == 0);
    check_same(&req);
    return 0;
}
