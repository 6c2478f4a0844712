# SPDX-License-Identifier: Apache-2.0
"""P-256 with deterministic ECDSA (RFC 6979) in plain Python: slow, for making test vectors only.

Deterministic signatures make the vectors reproducible bit for bit, and no package is needed.
"""
import functools
import hashlib
import hmac

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b
G = (0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296,
     0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5)


def _double(p):
    x, y, z = p
    if not y:
        return (0, 0, 0)
    s = 4 * x * y * y % P
    m = 3 * (x - z * z) * (x + z * z) % P
    x3 = (m * m - 2 * s) % P
    return (x3, (m * (s - x3) - 8 * pow(y, 4, P)) % P, 2 * y * z % P)


def _add(p, q):
    if not p[2]:
        return q
    if not q[2]:
        return p
    z1, z2 = p[2] * p[2] % P, q[2] * q[2] % P
    u1, u2 = p[0] * z2 % P, q[0] * z1 % P
    s1, s2 = p[1] * z2 * q[2] % P, q[1] * z1 * p[2] % P
    if u1 == u2:
        return _double(p) if s1 == s2 else (0, 0, 0)
    h, r = u2 - u1, s2 - s1
    h2 = h * h % P
    h3 = h2 * h % P
    v = u1 * h2 % P
    x3 = (r * r - h3 - 2 * v) % P
    return (x3, (r * (v - x3) - s1 * h3) % P, h * p[2] * q[2] % P)


def _multiply(k):
    result, base = (0, 0, 0), (G[0], G[1], 1)
    while k:
        if k & 1:
            result = _add(result, base)
        base = _double(base)
        k >>= 1
    inverse = pow(result[2], -1, P)
    return result[0] * inverse**2 % P, result[1] * inverse**3 % P


@functools.lru_cache(maxsize=None)
def public_key(private):
    """x || y"""
    x, y = _multiply(private)
    return x.to_bytes(32, "big") + y.to_bytes(32, "big")


def private_key(name):
    """A key anyone can make again from its name."""
    return int.from_bytes(hashlib.sha256(b"nacre test key: " + name.encode()).digest(), "big") % N


def _nonce(private, digest):
    """RFC 6979 section 3.2 with SHA-256."""
    z = (int.from_bytes(digest, "big") % N).to_bytes(32, "big")
    seed = private.to_bytes(32, "big") + z
    v, k = b"\x01" * 32, b"\x00" * 32
    for separator in (b"\x00", b"\x01"):
        k = hmac.new(k, v + separator + seed, hashlib.sha256).digest()
        v = hmac.new(k, v, hashlib.sha256).digest()
    while True:
        v = hmac.new(k, v, hashlib.sha256).digest()
        candidate = int.from_bytes(v, "big")
        if 0 < candidate < N:
            return candidate
        k = hmac.new(k, v + b"\x00", hashlib.sha256).digest()
        v = hmac.new(k, v, hashlib.sha256).digest()


@functools.lru_cache(maxsize=None)
def sign(private, message):
    """r || s over SHA-256 of the message."""
    digest = hashlib.sha256(message).digest()
    k = _nonce(private, digest)
    r = _multiply(k)[0] % N
    s = pow(k, -1, N) * (int.from_bytes(digest, "big") + r * private) % N
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")
