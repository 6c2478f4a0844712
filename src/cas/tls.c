/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cas/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/sha256.h"

struct tls_context {
    SSL_CTX *ctx;
};

struct tls_conn {
    SSL *ssl;
    int fd;
};

uint64_t tls_now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t tls_now_ms(void)
{
    return tls_now_us() / 1000;
}

static bool key_is_strong(const EVP_PKEY *key)
{
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448: return true;
    case EVP_PKEY_EC: return EVP_PKEY_get_bits(key) >= 256;
    case EVP_PKEY_RSA: return EVP_PKEY_get_bits(key) >= 2048;
    default: return false;
    }
}

/* Takes the place of OpenSSL's chain building: there is no authority above clients. Dates are not
 * looked at either, for rights belong to keys and not to certificates. */
static int accept_any_certificate(X509_STORE_CTX *store, void *unused)
{
    X509 *cert = X509_STORE_CTX_get0_cert(store);
    const EVP_PKEY *key = cert != NULL ? X509_get0_pubkey(cert) : NULL;

    (void)unused;
    if (key == NULL || !key_is_strong(key)) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_EE_KEY_TOO_SMALL);
        return 0;
    }
    return 1;
}

static int load_identity(SSL_CTX *ctx, const struct cas_home *home)
{
    const unsigned char *p = home->tls_key.p;
    PKCS8_PRIV_KEY_INFO *p8 = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)home->tls_key.size);
    EVP_PKEY *key = p8 != NULL ? EVP_PKCS82PKEY(p8) : NULL;
    const int ok =
        key != NULL &&
        SSL_CTX_use_certificate_ASN1(ctx, (int)home->tls_cert.size, home->tls_cert.p) == 1 &&
        SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;

    EVP_PKEY_free(key);
    PKCS8_PRIV_KEY_INFO_free(p8);
    return ok ? 0 : -EINVAL;
}

int tls_context_new(const struct cas_home *home, enum tls_use use, struct tls_context **ret,
                    struct error **err)
{
    const bool api = use == TLS_FOR_API;
    struct tls_context *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        return error_set_errno(err, ENOMEM, "setting TLS up");
    }
    c->ctx = SSL_CTX_new(TLS_server_method());
    if (c->ctx == NULL ||
        SSL_CTX_set_min_proto_version(c->ctx, api ? TLS1_2_VERSION : TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(c->ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 ||
        load_identity(c->ctx, home) < 0) {
        tls_context_free(c);
        return error_set(err, EIO, "OpenSSL cannot set TLS up with the key in %s", home->dir);
    }
    (void)SSL_CTX_set_options(c->ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                          SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
    (void)SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_num_tickets(c->ctx, 0);
    (void)SSL_CTX_set_mode(c->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                       SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_max_cert_list(c->ctx, 32 * 1024);
    if (api) {
        SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_cert_verify_callback(c->ctx, accept_any_certificate, NULL);
    }
    *ret = c;
    return 0;
}

void tls_context_free(struct tls_context *c)
{
    if (c != NULL) {
        SSL_CTX_free(c->ctx);
        free(c);
    }
}

/* Waits for what OpenSSL needs after a call returned `r` <= 0. 0: try again. */
static int wait_for(const struct tls_conn *conn, int r, uint64_t deadline_ms)
{
    const int why = SSL_get_error(conn->ssl, r);
    struct pollfd p = {.fd = conn->fd};
    uint64_t now;
    int n;

    ERR_clear_error();
    if (why == SSL_ERROR_WANT_READ) {
        p.events = POLLIN;
    } else if (why == SSL_ERROR_WANT_WRITE) {
        p.events = POLLOUT;
    } else {
        return -EPROTO;
    }
    do {
        now = tls_now_ms();
        if (now >= deadline_ms) {
            return -ETIMEDOUT;
        }
        n = poll(&p, 1, (int)MIN(deadline_ms - now, (uint64_t)60000));
    } while (n < 0 && errno == EINTR);
    return n > 0 ? 0 : n == 0 ? -ETIMEDOUT : -EPROTO;
}

int tls_accept(struct tls_context *c, int fd, uint64_t deadline_ms, struct tls_conn **ret)
{
    struct tls_conn *conn = calloc(1, sizeof(*conn));
    int r = 0;

    if (conn == NULL) {
        return -ENOMEM;
    }
    conn->fd = fd;
    conn->ssl = SSL_new(c->ctx);
    if (conn->ssl == NULL || SSL_set_fd(conn->ssl, fd) != 1) {
        r = -ENOMEM;
    }
    while (r == 0) {
        const int n = SSL_accept(conn->ssl);

        if (n == 1) {
            *ret = conn;
            return 0;
        }
        r = wait_for(conn, n, deadline_ms);
    }
    SSL_free(conn->ssl);
    free(conn);
    return r;
}

void tls_close(struct tls_conn *conn)
{
    if (conn != NULL) {
        (void)SSL_shutdown(conn->ssl);
        ERR_clear_error();
        SSL_free(conn->ssl);
        free(conn);
    }
}

int tls_read(struct tls_conn *conn, void *buf, size_t size, uint64_t deadline_ms)
{
    for (;;) {
        const int n = SSL_read(conn->ssl, buf, (int)MIN(size, (size_t)INT32_MAX));
        int r;

        if (n > 0) {
            return n;
        }
        if (SSL_get_error(conn->ssl, n) == SSL_ERROR_ZERO_RETURN) {
            return 0;
        }
        r = wait_for(conn, n, deadline_ms);
        if (r < 0) {
            return r;
        }
    }
}

int tls_write(struct tls_conn *conn, const void *buf, size_t size, uint64_t deadline_ms)
{
    const uint8_t *p = buf;

    while (size > 0) {
        const int n = SSL_write(conn->ssl, p, (int)MIN(size, (size_t)INT32_MAX));
        int r = 0;

        if (n > 0) {
            p += n;
            size -= (size_t)n;
        } else {
            r = wait_for(conn, n, deadline_ms);
        }
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

bool tls_peer_key(const struct tls_conn *conn, uint8_t ret_spki_hash[static 32])
{
    X509 *cert = SSL_get0_peer_certificate(conn->ssl);
    unsigned char *der = NULL;
    int len;

    if (cert == NULL) {
        return false;
    }
    len = i2d_PUBKEY(X509_get0_pubkey(cert), &der);
    if (len <= 0) {
        return false;
    }
    sha256(der, (size_t)len, ret_spki_hash);
    OPENSSL_free(der);
    return true;
}

int tls_exporter(const struct tls_conn *conn, const char *label, uint8_t ret[static 32])
{
    return SSL_export_keying_material(conn->ssl, ret, 32, label, strlen(label), NULL, 0, 0) == 1
               ? 0
               : -EPROTO;
}
