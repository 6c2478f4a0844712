/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/proc/handshake.h"

#include "core/ct.h"
#include "core/hmac.h"
#include "core/sha512.h"
#include "libos/lib/simd.h"

#define LABEL "nacre fork 1"

/* One side of the exchange. */
struct side {
    struct handshake_hello hello;
    uint8_t secret[X25519_SIZE];
};

static void begin(const struct handshake_world *w, struct side *s)
{
    struct simd_state simd;

    s->hello = (struct handshake_hello){.magic = HANDSHAKE_MAGIC, .version = HANDSHAKE_VERSION};
    w->random(s->hello.nonce, sizeof(s->hello.nonce));
    w->random(s->secret, sizeof(s->secret));
    simd_begin(&simd);
    x25519_public(s->hello.public_key, s->secret);
    simd_end(&simd);
}

/* H(purpose, hello_c, hello_p): fixed sizes, so nothing can move between the parts. */
static void transcript(uint8_t purpose, const struct handshake_hello *child,
                       const struct handshake_hello *parent, uint8_t ret[static SHA512_SIZE])
{
    struct simd_state simd;
    struct sha512 h;

    simd_begin(&simd);
    sha512_init(&h);
    sha512_update(&h, LABEL, sizeof(LABEL));
    sha512_update(&h, &purpose, 1);
    sha512_update(&h, child, sizeof(*child));
    sha512_update(&h, parent, sizeof(*parent));
    sha512_final(&h, ret);
    simd_end(&simd);
}

static int check_hello(const struct handshake_hello *h)
{
    return h->magic == HANDSHAKE_MAGIC && h->version == HANDSHAKE_VERSION ? 0 : -EBADMSG;
}

static int derive(const struct side *own, const struct handshake_hello *theirs,
                  const struct handshake_hello *child, const struct handshake_hello *parent,
                  struct handshake_keys *ret)
{
    struct simd_state simd;
    uint8_t shared[X25519_SIZE];
    uint8_t salt[SHA512_SIZE];
    int r;

    transcript('k', child, parent, salt);
    simd_begin(&simd);
    r = x25519_shared(shared, own->secret, theirs->public_key);
    if (r == 0) {
        r = hkdf_sha256(salt, sizeof(salt), shared, sizeof(shared), LABEL, sizeof(LABEL), ret,
                        sizeof(*ret));
    }
    simd_end(&simd);
    ct_wipe(shared, sizeof(shared));
    return r;
}

static int send_proof(const struct handshake_world *w, void *ctx, uint8_t purpose,
                      const struct handshake_hello *child, const struct handshake_hello *parent)
{
    struct sgx_report report;
    uint8_t data[SHA512_SIZE];
    int r;

    transcript(purpose, child, parent, data);
    r = w->make_report(data, &report);
    return r < 0 ? r : w->send(ctx, &report, sizeof(report));
}

static int take_proof(const struct handshake_world *w, void *ctx, uint8_t purpose,
                      const struct handshake_hello *child, const struct handshake_hello *parent)
{
    struct sgx_report report;
    uint8_t data[SHA512_SIZE];
    int r = w->receive(ctx, &report, sizeof(report));

    if (r < 0) {
        return r;
    }
    transcript(purpose, child, parent, data);
    return w->check_report(&report, data);
}

int handshake_parent(const struct handshake_world *w, void *ctx, struct handshake_keys *ret)
{
    struct handshake_hello child;
    struct side own;
    int r = w->receive(ctx, &child, sizeof(child));

    r = r < 0 ? r : check_hello(&child);
    if (r < 0) {
        return r;
    }
    begin(w, &own);
    r = w->send(ctx, &own.hello, sizeof(own.hello));
    r = r < 0 ? r : send_proof(w, ctx, 'p', &child, &own.hello);
    r = r < 0 ? r : take_proof(w, ctx, 'c', &child, &own.hello);
    r = r < 0 ? r : derive(&own, &child, &child, &own.hello, ret);
    ct_wipe(&own, sizeof(own));
    return r;
}

int handshake_child(const struct handshake_world *w, void *ctx, struct handshake_keys *ret)
{
    struct handshake_hello parent;
    struct side own;
    int r;

    begin(w, &own);
    r = w->send(ctx, &own.hello, sizeof(own.hello));
    r = r < 0 ? r : w->receive(ctx, &parent, sizeof(parent));
    r = r < 0 ? r : check_hello(&parent);
    r = r < 0 ? r : take_proof(w, ctx, 'p', &own.hello, &parent);
    r = r < 0 ? r : send_proof(w, ctx, 'c', &own.hello, &parent);
    r = r < 0 ? r : derive(&own, &parent, &own.hello, &parent, ret);
    ct_wipe(&own, sizeof(own));
    return r;
}
