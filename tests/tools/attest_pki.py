# SPDX-License-Identifier: Apache-2.0
"""The software PKI of the attestation vectors: DER, certificates, CRLs, signed JSON, quotes.

Everything is a function of its arguments, so the same call gives the same bytes for ever.
"""
import base64
import datetime
import hashlib
import json
import struct

import p256

SGX_OID = "1.2.840.113741.1.13.1"


# --- DER ---

def tlv(tag, body):
    n = len(body)
    if n < 0x80:
        length = bytes([n])
    else:
        digits = n.to_bytes((n.bit_length() + 7) // 8, "big")
        length = bytes([0x80 | len(digits)]) + digits
    return bytes([tag]) + length + body


def seq(*parts):
    return tlv(0x30, b"".join(parts))


def integer(value, tag=0x02):
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def octets(data):
    return tlv(0x04, data)


def boolean(value):
    return tlv(0x01, b"\xff" if value else b"\x00")


def bits(data, unused=0):
    return tlv(0x03, bytes([unused]) + data)


def oid(text):
    numbers = [int(x) for x in text.split(".")]
    out = b""
    for n in [numbers[0] * 40 + numbers[1]] + numbers[2:]:
        chunk = bytes([n & 0x7f])
        while n > 0x7f:
            n >>= 7
            chunk = bytes([0x80 | n & 0x7f]) + chunk
        out += chunk
    return tlv(0x06, out)


def when(unix):
    t = datetime.datetime.fromtimestamp(unix, datetime.timezone.utc)
    if t.year < 2050:
        return tlv(0x17, t.strftime("%y%m%d%H%M%SZ").encode())
    return tlv(0x18, t.strftime("%Y%m%d%H%M%SZ").encode())


def name(common):
    def attribute(number, value):
        return tlv(0x31, seq(oid(f"2.5.4.{number}"), tlv(0x0c, value.encode())))
    return seq(attribute(3, common), attribute(10, "nacre test PKI, worthless"))


ECDSA_SHA256 = seq(oid("1.2.840.10045.4.3.2"))


def signed(tbs, key):
    rs = p256.sign(key, tbs)
    pair = seq(integer(int.from_bytes(rs[:32], "big")), integer(int.from_bytes(rs[32:], "big")))
    return seq(tbs, ECDSA_SHA256, bits(pair))


def extension(number, value, critical=False):
    return seq(oid(number), *([boolean(True)] if critical else []), octets(value))


def key_id(public):
    return hashlib.sha1(b"\x04" + public).digest()


def serial_of(text):
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:19], "big") | 1 << 150


# --- certificates ---

def certificate(subject, issuer, key, issuer_key, period, *, ca=False, path_length=None,
                usage=0xc0, extra=(), serial=None, authority=None, off_curve=False,
                without=None):
    """authority: the key the certificate says signed it, when that is not the truth. without: the
    index of an extension to leave out (2: key usage, 3: basic constraints)."""
    public = p256.public_key(key)
    if off_curve:
        public = public[:-1] + bytes([public[-1] ^ 1])
    constraints = seq(*([boolean(True)] if ca else []),
                      *([integer(path_length)] if path_length is not None else []))
    unused = (usage & -usage).bit_length() - 1
    extensions = [
        extension("2.5.29.35", seq(tlv(0x80, key_id(p256.public_key(authority or issuer_key))))),
        extension("2.5.29.14", octets(key_id(public))),
        extension("2.5.29.15", bits(bytes([usage]), unused), True),
        extension("2.5.29.19", constraints, True),
        *extra,
    ]
    if without is not None:
        del extensions[without]
    tbs = seq(
        tlv(0xa0, integer(2)),
        integer(serial_of(subject) if serial is None else serial),
        ECDSA_SHA256,
        name(issuer),
        seq(when(period[0]), when(period[1])),
        name(subject),
        seq(seq(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")), bits(b"\x04" + public)),
        tlv(0xa3, seq(*extensions)),
    )
    return signed(tbs, issuer_key)


def pck_extension(components, pce_svn, pce_id, fmspc, ppid):
    def field(suffix, value):
        return seq(oid(f"{SGX_OID}.{suffix}"), value)
    tcb = [field(f"2.{i + 1}", integer(c)) for i, c in enumerate(components)]
    tcb += [field("2.17", integer(pce_svn)), field("2.18", octets(bytes(components)))]
    return extension(SGX_OID, seq(
        field("1", octets(ppid)),
        field("2", seq(*tcb)),
        field("3", octets(pce_id)),
        field("4", octets(fmspc)),
        field("5", integer(1, 0x0a)),
        field("6", octets(hashlib.sha256(ppid).digest()[:16])),
        field("7", seq(field("7.1", boolean(True)), field("7.2", boolean(False)),
                       field("7.3", boolean(True)))),
    ))


def crl(issuer, key, period, serials, *, version=1, extra=(), open_end=False, entry_extra=()):
    entries = [seq(integer(s), when(period[0]), seq(extension("2.5.29.21", tlv(0x0a, b"\x01")),
                                                  *entry_extra)) for s in serials]
    tbs = seq(
        integer(version), ECDSA_SHA256, name(issuer), when(period[0]),
        *([] if open_end else [when(period[1])]),
        *([seq(*entries)] if entries else []),
        tlv(0xa0, seq(extension("2.5.29.20", integer(7)),
                      extension("2.5.29.35", seq(tlv(0x80, key_id(p256.public_key(key))))),
                      *extra)),
    )
    return signed(tbs, key)


def pem(*certificates):
    out = ""
    for der in certificates:
        text = base64.b64encode(der).decode()
        lines = "\n".join(text[i:i + 64] for i in range(0, len(text), 64))
        out += f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"
    return out.encode()


# --- signed documents ---

def iso(unix):
    return datetime.datetime.fromtimestamp(unix, datetime.timezone.utc).strftime(
        "%Y-%m-%dT%H:%M:%SZ")


def document(member, inner, key):
    text = json.dumps(inner, separators=(",", ":"))
    signature = p256.sign(key, text.encode()).hex()
    return f'{{"{member}":{text},"signature":"{signature}"}}'.encode()


# --- reports and quotes ---

def sgx_report(*, cpu_svn, miscselect=0, flags=0x5, xfrm=0xe7, mrenclave, mrsigner, prod_id, svn,
               report_data, reserved=0):
    body = struct.pack("<16sIB11s16sQQ32s32s32s32s64sHHH42s16s64s", cpu_svn, miscselect, 0,
                       bytes(11), bytes(16), flags, xfrm, mrenclave, bytes(32), mrsigner,
                       bytes([reserved]) + bytes(31), bytes(64), prod_id, svn, 0, bytes(42),
                       bytes(16), report_data)
    assert len(body) == 384
    return body


def td_report(*, svn, svn2=None, mrsignerseam=bytes(48), seam_attributes=bytes(8),
              td_attributes=bytes(8), report_data):
    def digest(label):
        return hashlib.sha384(label.encode()).digest()
    body = (svn + digest("mrseam") + mrsignerseam + seam_attributes + td_attributes +
            bytes.fromhex("e702060000000000") + digest("mrtd") + bytes(144) +
            b"".join(digest(f"rtmr{i}") for i in range(4)) + report_data)
    assert len(body) == 584
    if svn2 is not None:
        body += svn2 + bytes(48)
    return body


INTEL_QE_VENDOR = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")


def quote(*, version, body_type, body, att_key, qe_report, pck_key, auth, cert_type, cert_data,
          key_type=2, tee=None, vendor=INTEL_QE_VENDOR, said_body_type=None, said_body_size=None,
          outer_type=6, after_cert=b"", after_outer=b""):
    """body_type as in v5: 1 SGX, 2 TD 1.0, 3 TD 1.5. The rest makes quotes that are signed and wrong."""
    if tee is None:
        tee = 0 if body_type == 1 else 0x81
    head = struct.pack("<HHIHH16s20s", version, key_type, tee, 8, 13, vendor,
                       b"nacre test vector\0\0\0")
    if version == 5:
        head += struct.pack("<HI", said_body_type or body_type, said_body_size or len(body))
    to_sign = head + body
    qe_part = (qe_report + p256.sign(pck_key, qe_report) + struct.pack("<H", len(auth)) + auth +
               struct.pack("<HI", cert_type, len(cert_data)) + cert_data + after_cert)
    if version >= 4:
        qe_part = struct.pack("<HI", outer_type, len(qe_part)) + qe_part + after_outer
    signature = p256.sign(att_key, to_sign) + p256.public_key(att_key) + qe_part
    return to_sign + struct.pack("<I", len(signature)) + signature
