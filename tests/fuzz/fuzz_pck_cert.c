/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Any bytes as a certificate. What our strict reader accepts OpenSSL must accept as well, and read
 * the same validity and the same key from it. */

#include <openssl/x509.h>
#include <string.h>

#include "attest/pck_internal.h"
#include "attest/x509_internal.h"
#include "fuzz/fuzz.h"

static void check_time(const ASN1_TIME *theirs, int64_t ours)
{
    FUZZ_CHECK(theirs != NULL && ASN1_TIME_cmp_time_t(theirs, (time_t)ours) == 0);
}

static void compare(const uint8_t *data, size_t size, const struct x509_cert *cert)
{
    const uint8_t *p = data;
    X509 *theirs = d2i_X509(NULL, &p, (long)size);
    const ASN1_BIT_STRING *key;

    FUZZ_CHECK(theirs != NULL && p == data + size);
    FUZZ_CHECK(X509_get_version(theirs) == X509_VERSION_3);
    check_time(X509_get0_notBefore(theirs), cert->not_before);
    check_time(X509_get0_notAfter(theirs), cert->not_after);
    key = X509_get0_pubkey_bitstr(theirs);
    FUZZ_CHECK(key != NULL && key->length == 1 + (int)P256_KEY_SIZE);
    FUZZ_CHECK(memcmp(key->data + 1, cert->key, P256_KEY_SIZE) == 0);
    X509_free(theirs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct x509_cert cert;
    struct att_root root;
    struct pck pck;
    char name[64];

    if (x509_cert_parse(cursor_make(data, size), &cert, NULL) == 0) {
        x509_common_name(&cert, name, sizeof(name));
        (void)!pck_parse(&cert, &pck, NULL);
        compare(data, size, &cert);
    }
    (void)!att_root_from_cert(data, size, ATT_ROOT_SOFTWARE, NULL, &root, NULL);
    return 0;
}
