#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/vectors/attest: evidence and collateral under a software root of our own.

usage: make_attest_vectors.py DIR          write the vectors; what a case shares with up-to-date/ is
                                           left out of its folder
       make_attest_vectors.py --full DIR   write them with every case complete, for the CLI
       make_attest_vectors.py --check DIR  compare DIR as the first form; exit 1 when a byte differs

       make_attest_vectors.py --corpus DIR write the seeds of the fuzz targets (tests/fuzz/corpus)

The output is a function of this file: keys come from their names, signatures are RFC 6979.
"""
import hashlib
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import attest_pki as pki  # noqa: E402
import p256  # noqa: E402

DAY = 86400
NOW = 1770000000  # 2026-02-02T02:40:00Z
CERT = (NOW - 400 * DAY, NOW + 2000 * DAY)
FMSPC = bytes.fromhex("00a0b0c0d0e0")
PPID = hashlib.sha256(b"nacre test platform").digest()[:16]
QE_SIGNER = hashlib.sha256(b"nacre test quoting enclave signer").digest()

ROOT, ISSUER, LEAF, SIGNER = ("nacre test root CA", "nacre test PCK CA", "nacre test PCK",
                              "nacre test TCB signing")

# First component of the PCK certificate picks the level.
LEVELS = [
    (10, "UpToDate", []),
    (9, "SWHardeningNeeded", ["NACRE-SA-00001"]),
    (8, "ConfigurationAndSWHardeningNeeded", ["NACRE-SA-00001", "NACRE-SA-00002"]),
    (7, "ConfigurationNeeded", ["NACRE-SA-00002"]),
    (6, "OutOfDate", ["NACRE-SA-00003"]),
    (5, "OutOfDateConfigurationNeeded", ["NACRE-SA-00002", "NACRE-SA-00003"]),
    (4, "Revoked", ["NACRE-SA-00004"]),
]
ISV_LEVELS = [(8, "UpToDate", []), (6, "OutOfDate", ["NACRE-SA-00010"]),
              (5, "Revoked", ["NACRE-SA-00011"])]


def level_date(value):
    return pki.iso(1700000000 + value * DAY)


def components(first):
    return [first, 10, 2, 2, 255, 1] + [0] * 10


def isv_levels():
    return [{"tcb": {"isvsvn": v}, "tcbDate": level_date(v), "tcbStatus": s,
             **({"advisoryIDs": a} if a else {})} for v, s, a in ISV_LEVELS]


def tcb_level(first, status, advisories, version, tdx, tdx_components):
    values = components(first)
    if version == 2:
        tcb = {f"sgxtcbcomp{i + 1:02}svn": v for i, v in enumerate(values)}
    else:
        tcb = {"sgxtcbcomponents": [{"svn": v} for v in values]}
    tcb["pcesvn"] = 13
    if tdx:
        tcb["tdxtcbcomponents"] = [{"svn": v} for v in tdx_components]
    return {"tcb": tcb, "tcbDate": level_date(first), "tcbStatus": status,
            **({"advisoryIDs": advisories} if advisories else {})}


class Case:
    """The default is an SGX v3 quote that is UpToDate; a case changes what it is about."""

    def __init__(self, **changes):
        self.version = 3
        self.body_type = 1
        self.first = 10  # component of the PCK certificate
        self.pce_svn = 13
        self.fmspc = FMSPC
        self.pce_id = b"\0\0"
        self.qe_svn = 8
        self.qe_flags = 0x15  # INIT, MODE64BIT, PROVISIONKEY
        self.qe_miscselect = 0
        self.qe_signer = QE_SIGNER
        self.qe_prod_id = 1
        self.qe_padding = bytes(32)
        self.qe_reserved = 0
        self.flags = 0x5
        self.reserved = 0
        self.td_svn = bytes([8, 1, 5] + [0] * 13)
        self.td_svn2 = None
        self.td_attributes = bytes(8)
        self.seam_attributes = bytes(8)
        self.mrsignerseam = bytes(48)
        self.tdx_levels = None
        self.info_version = 3
        self.info_tdx = None
        self.info_fmspc = FMSPC
        self.info_pce_id = "0000"
        self.periods = {"root": CERT, "issuer": CERT, "leaf": CERT, "signer": CERT,
                        "root_crl": (NOW - 30 * DAY, NOW + 300 * DAY),
                        "pck_crl": (NOW - 9 * DAY, NOW + 19 * DAY),
                        "tcb_info": (NOW - 8 * DAY, NOW + 22 * DAY),
                        "qe_identity": (NOW - 10 * DAY, NOW + 20 * DAY)}
        self.root_revokes = []
        self.pck_revokes = []
        self.keys = {}
        self.issuer_ca = True
        self.leaf_issuer_key = "issuer"
        self.crl_issuer = None
        self.crl_key = "issuer"
        self.info_key = "signer"
        self.identity_key = "signer"
        self.chain_order = (0, 1, 2)
        self.chain_root_key = "root"
        self.cert_type = 5
        self.cert_data = None
        self.trailing = b""
        self.quote_changes = {}  # arguments of attest_pki.quote
        self.cert_changes = {}  # role: arguments of attest_pki.certificate
        self.names = {}  # role: a subject other than the usual one
        self.signer_key = "root"  # who signs the TCB signing certificate
        self.leaf_issuer_name = None
        self.pck_crl_changes = {}  # arguments of attest_pki.crl
        self.root_crl_changes = {}
        self.chain_more = ()  # further certificates of the PCK chain, by index
        self.signing_more = False  # the signer twice
        self.signer_is_pck = False
        self.identity_tdx = None
        self.advisories = None  # of every level
        for key, value in changes.items():
            assert hasattr(self, key), key
            setattr(self, key, value)

    def name(self, role):
        return self.names.get(role, {"root": ROOT, "issuer": ISSUER, "leaf": LEAF,
                                     "signer": SIGNER}[role])

    def key(self, role):
        return p256.private_key(role)

    def certificates(self):
        c = self.periods
        root_key = self.key(self.chain_root_key)
        root = self.root(root_key)
        issuer = pki.certificate(self.name("issuer"), self.name("root"), self.key("issuer"), root_key, c["issuer"],
                                 **{"ca": self.issuer_ca, "usage": 0x06,
                                    "path_length": 0 if self.issuer_ca else None,
                                    **self.cert_changes.get("issuer", {})})
        leaf = pki.certificate(self.name("leaf"), self.leaf_issuer_name or self.name("issuer"),
                               self.key("pck"), self.key(self.leaf_issuer_key), c["leaf"],
                               extra=[self.pck_extension()], **self.cert_changes.get("leaf", {}))
        return leaf, issuer, root

    def root(self, key):
        return pki.certificate(self.name("root"), self.name("root"), key, key, self.periods["root"],
                               **{"ca": True, "path_length": 1, "usage": 0x06,
                                  **self.cert_changes.get("root", {})})

    def pck_extension(self):
        return pki.pck_extension(components(self.first), self.pce_svn, self.pce_id, self.fmspc, PPID)

    def signing_chain(self):
        key = self.key("root")
        extra = [self.pck_extension()] if self.signer_is_pck else []
        signer = pki.certificate(self.name("signer"), self.name("root"), self.key("signer"),
                                 self.key(self.signer_key), self.periods["signer"], extra=extra,
                                 **self.cert_changes.get("signer", {}))
        return pki.pem(signer, *([signer] if self.signing_more else []), self.root(key))

    def is_tdx(self):
        return self.body_type != 1

    def tcb_info(self):
        tdx = self.is_tdx() if self.info_tdx is None else self.info_tdx
        levels = [(f, s, a, bytes([5, 0, 5] + [0] * 13)) for f, s, a in LEVELS]
        if self.tdx_levels is not None:
            levels = self.tdx_levels
        if self.advisories is not None:
            levels = [(f, s, self.advisories, t) for f, s, _, t in levels]
        period = self.periods["tcb_info"]
        info = {**({"id": "TDX" if tdx else "SGX"} if self.info_version == 3 else {}),
                "version": self.info_version, "issueDate": pki.iso(period[0]),
                "nextUpdate": pki.iso(period[1]), "fmspc": self.info_fmspc.hex(),
                "pceId": self.info_pce_id, "tcbType": 0, "tcbEvaluationDataNumber": 17}
        if tdx:
            module = {"mrsigner": "00" * 48, "attributes": "00" * 8, "attributesMask": "FF" * 8}
            info["tdxModule"] = module
            info["tdxModuleIdentities"] = [{"id": i, **module, "tcbLevels": isv_levels()}
                                           for i in ("TDX_03", "TDX_01")]
        info["tcbLevels"] = [tcb_level(f, s, a, self.info_version, tdx, t) for f, s, a, t in levels]
        return pki.document("tcbInfo", info, self.key(self.info_key))

    def qe_identity(self):
        period = self.periods["qe_identity"]
        tdx = self.is_tdx() if self.info_tdx is None else self.info_tdx
        if self.identity_tdx is not None:
            tdx = self.identity_tdx
        return pki.document("enclaveIdentity", {
            "id": "TD_QE" if tdx else "QE", "version": 2, "issueDate": pki.iso(period[0]),
            "nextUpdate": pki.iso(period[1]), "tcbEvaluationDataNumber": 17,
            "miscselect": "00000000", "miscselectMask": "FFFFFFFF",
            "attributes": "15000000000000000000000000000000",
            "attributesMask": "FFFFFFFFFFFFFFFF0000000000000000",
            "mrsigner": QE_SIGNER.hex(), "isvprodid": 1, "tcbLevels": isv_levels(),
        }, self.key(self.identity_key))

    def body(self):
        report_data = hashlib.sha512(b"nacre test report data").digest()
        if self.body_type == 1:
            return pki.sgx_report(cpu_svn=bytes(components(self.first)), flags=self.flags,
                                  mrenclave=hashlib.sha256(b"enclave").digest(),
                                  mrsigner=hashlib.sha256(b"signer").digest(), prod_id=3, svn=7,
                                  report_data=report_data, reserved=self.reserved)
        svn2 = None
        if self.body_type == 3:
            svn2 = self.td_svn if self.td_svn2 is None else self.td_svn2
        return pki.td_report(svn=self.td_svn, svn2=svn2, td_attributes=self.td_attributes,
                             seam_attributes=self.seam_attributes, mrsignerseam=self.mrsignerseam,
                             report_data=report_data)

    def quote(self, chain):
        auth = bytes(range(32))
        att_key = self.key("attestation")
        bound = hashlib.sha256(p256.public_key(att_key) + auth).digest()
        qe_report = pki.sgx_report(
            cpu_svn=bytes(components(self.first)), miscselect=self.qe_miscselect,
            flags=self.qe_flags, mrenclave=hashlib.sha256(b"quoting enclave").digest(),
            mrsigner=self.qe_signer, prod_id=self.qe_prod_id, svn=self.qe_svn,
            report_data=bound + self.qe_padding, reserved=self.qe_reserved)
        cert_data = self.cert_data
        if cert_data is None:
            cert_data = pki.pem(*(chain[i] for i in (*self.chain_order, *self.chain_more)))
        q = pki.quote(version=self.version, body_type=self.body_type, body=self.body(),
                      att_key=att_key, qe_report=qe_report, pck_key=self.key("pck"), auth=auth,
                      cert_type=self.cert_type, cert_data=cert_data, **self.quote_changes)
        return q + self.trailing

    def window(self):
        p = self.periods.values()
        return [max(a for a, _ in p), min(b for _, b in p)]

    def files(self):
        chain = self.certificates()
        serial = pki.serial_of
        out = {
            "quote.bin": self.quote(chain),
            "tcb_info.json": self.tcb_info(),
            "qe_identity.json": self.qe_identity(),
            "tcb_signing_chain.pem": self.signing_chain(),
            "pck_crl.der": pki.crl(self.crl_issuer or self.name("issuer"), self.key(self.crl_key),
                                   self.periods["pck_crl"],
                                   [serial("another PCK")] + [serial(s) for s in self.pck_revokes],
                                   **self.pck_crl_changes),
            "root_ca_crl.der": pki.crl(self.name("root"), self.key("root"), self.periods["root_crl"],
                                       [serial(s) for s in self.root_revokes],
                                       **self.root_crl_changes),
        }
        if self.cert_type != 5:
            out["pck_chain.pem"] = pki.pem(*chain)
        return out


def verdict(status, platform=None, qe="UpToDate", module=None, current=None, advisories=(),
            debug=False):
    return {"final_status": status, "platform_status": platform or status, "qe_status": qe,
            "module_status": module, "current_status": current, "advisory_ids": list(advisories),
            "debug": debug}


def refusal(code):
    return {"refusal": code}


INTEL_NAMES = {"root": "Intel SGX Root CA", "issuer": "Intel SGX PCK Platform CA",
               "leaf": "Intel SGX PCK Certificate", "signer": "Intel SGX TCB Signing"}


def narrow(item):
    case = Case()
    case.periods[item] = (NOW - DAY, NOW + DAY)
    return case


def expired(item):
    case = Case()
    case.periods[item] = (NOW - 400 * DAY, NOW - 1)
    return case


def not_yet(item):
    case = Case()
    case.periods[item] = (NOW + 1, NOW + 400 * DAY)
    return case


def svn(*values):
    return bytes(list(values) + [0] * (16 - len(values)))


def td_levels():
    """Component 2 of TEE_TCB_SVN picks the level."""
    return [(10, "UpToDate", [], svn(0, 0, 5)), (10, "OutOfDate", ["NACRE-SA-00020"], svn(0, 0, 3))]


def cases():
    yield "up-to-date", Case(), verdict("UpToDate")
    for first, status, advisories in LEVELS[1:]:
        yield f"status-{status.lower()}", Case(first=first), verdict(status, advisories=advisories)
    yield "status-tcb-not-supported", Case(first=3), verdict("TCB_NOT_SUPPORTED")
    yield "status-pce-svn-too-low", Case(pce_svn=12), verdict("TCB_NOT_SUPPORTED")
    yield "qe-out-of-date", Case(qe_svn=7), verdict(
        "OutOfDate", "UpToDate", "OutOfDate", advisories=["NACRE-SA-00010"])
    yield "qe-out-of-date-sw-hardening", Case(qe_svn=6, first=9), verdict(
        "OutOfDate", "SWHardeningNeeded", "OutOfDate",
        advisories=["NACRE-SA-00001", "NACRE-SA-00010"])
    yield "qe-out-of-date-configuration", Case(qe_svn=6, first=7), verdict(
        "OutOfDateConfigurationNeeded", "ConfigurationNeeded", "OutOfDate",
        advisories=["NACRE-SA-00002", "NACRE-SA-00010"])
    yield "qe-revoked", Case(qe_svn=5), verdict("Revoked", "UpToDate", "Revoked",
                                                advisories=["NACRE-SA-00011"])
    yield "qe-unlisted", Case(qe_svn=4), verdict("TCB_NOT_SUPPORTED", "UpToDate",
                                                 "TCB_NOT_SUPPORTED")
    yield "qe-unlisted-revoked-platform", Case(qe_svn=4, first=4), verdict(
        "TCB_NOT_SUPPORTED", "Revoked", "TCB_NOT_SUPPORTED", advisories=["NACRE-SA-00004"])
    yield "qe-revoked-platform-revoked", Case(qe_svn=5, first=4), verdict(
        "Revoked", "Revoked", "Revoked", advisories=["NACRE-SA-00004", "NACRE-SA-00011"])
    yield "tcb-info-v2", Case(info_version=2), verdict("UpToDate")
    yield "chain-any-order", Case(chain_order=(2, 0, 1)), verdict("UpToDate")
    yield "debug", Case(flags=0x7), verdict("UpToDate", debug=True)
    yield "sgx-v4", Case(version=4), verdict("UpToDate")
    yield "sgx-v5", Case(version=5, first=6), verdict("OutOfDate", advisories=["NACRE-SA-00003"])
    ppid_data = PPID + bytes(components(10)) + b"\x0d\0" + b"\0\0"
    yield "ppid-with-chain-beside", Case(cert_type=1, cert_data=ppid_data), verdict("UpToDate")

    yield "ppid-encrypted-with-chain-beside", Case(cert_type=3, cert_data=bytes(404)), verdict(
        "UpToDate")
    for item in ("leaf", "issuer", "signer", "pck_crl", "tcb_info", "qe_identity"):
        yield f"narrow-{item.replace('_', '-')}", narrow(item), verdict("UpToDate")
    # Under a hardware root each certificate must bear Intel's name; a software root does not care.
    yield "intel-names", Case(names=INTEL_NAMES), verdict("UpToDate")
    for item in ("issuer", "leaf", "signer"):
        yield f"intel-names-but-{item}", Case(
            names={k: v for k, v in INTEL_NAMES.items() if k != item}), verdict("UpToDate")

    yield "tdx-qe-out-of-date", Case(version=4, body_type=2, qe_svn=6), verdict(
        "OutOfDate", "UpToDate", "OutOfDate", module="UpToDate", advisories=["NACRE-SA-00010"])
    yield "tdx-v4", Case(version=4, body_type=2), verdict("UpToDate", module="UpToDate")
    yield "tdx-v5-10", Case(version=5, body_type=2), verdict("UpToDate", module="UpToDate")
    yield "tdx-v4-debug", Case(version=4, body_type=2, td_attributes=b"\x01" + bytes(7)), verdict(
        "UpToDate", module="UpToDate", debug=True)
    yield "tdx-v4-base-module", Case(version=4, body_type=2, td_svn=svn(5, 0, 5)), verdict("UpToDate")
    yield "tdx-module-out-of-date", Case(version=4, body_type=2, td_svn=svn(6, 1, 5)), verdict(
        "OutOfDate", "UpToDate", module="OutOfDate", advisories=["NACRE-SA-00010"])
    yield "tdx-module-revoked", Case(version=4, body_type=2, td_svn=svn(5, 3, 5)), verdict(
        "Revoked", "UpToDate", module="Revoked", advisories=["NACRE-SA-00011"])
    yield "tdx-v5-15", Case(version=5, body_type=3), verdict(
        "UpToDate", module="UpToDate", current="UpToDate")
    yield "tdx-relaunch-advised", Case(
        version=5, body_type=3, td_svn=svn(8, 1, 3), td_svn2=svn(8, 1, 5),
        tdx_levels=td_levels()), verdict(
            "TDRelaunchAdvised", "OutOfDate", module="UpToDate", current="UpToDate",
            advisories=["NACRE-SA-00020"])
    yield "tdx-relaunch-advised-module", Case(
        version=5, body_type=3, td_svn=svn(6, 1, 5), td_svn2=svn(8, 1, 5), first=7), verdict(
            "TDRelaunchAdvisedConfigurationNeeded", "ConfigurationNeeded", module="OutOfDate",
            current="ConfigurationNeeded", advisories=["NACRE-SA-00002", "NACRE-SA-00010"])
    yield "tdx-still-out-of-date", Case(
        version=5, body_type=3, td_svn=svn(6, 1, 5), td_svn2=svn(7, 1, 5)), verdict(
            "OutOfDate", "UpToDate", module="OutOfDate", current="OutOfDate",
            advisories=["NACRE-SA-00010"])

    for item, code in (("root", "cert"), ("issuer", "cert"), ("leaf", "cert"), ("signer", "cert"),
                       ("root_crl", "crl"), ("pck_crl", "crl"), ("tcb_info", "tcb_info"),
                       ("qe_identity", "qe_identity")):
        yield f"expired-{item.replace('_', '-')}", expired(item), refusal(f"{code}_expired")
        yield (f"not-yet-{item.replace('_', '-')}", not_yet(item), refusal(f"{code}_not_yet_valid"))

    yield "revoked-pck", Case(pck_revokes=[LEAF]), refusal("cert_revoked")
    yield "revoked-issuer", Case(root_revokes=[ISSUER]), refusal("cert_revoked")
    yield "revoked-signer", Case(root_revokes=[SIGNER]), refusal("cert_revoked")
    yield "wrong-fmspc", Case(info_fmspc=bytes.fromhex("00a0b0c0d0e1")), refusal("fmspc_mismatch")
    yield "wrong-pce-id", Case(pce_id=b"\0\1"), refusal("pce_id_mismatch")
    yield "wrong-tee", Case(info_tdx=True), refusal("tee_mismatch")
    yield "wrong-ppid", Case(cert_type=1, cert_data=bytes(36)), refusal("ppid_mismatch")
    yield "wrong-qe-signer", Case(qe_signer=bytes(32)), refusal("qe_identity_mismatch")
    yield "wrong-qe-product", Case(qe_prod_id=2), refusal("qe_identity_mismatch")
    yield "wrong-qe-debug", Case(qe_flags=0x17), refusal("qe_identity_mismatch")
    yield "wrong-qe-miscselect", Case(qe_miscselect=1), refusal("qe_identity_mismatch")
    yield "qe-report-data-not-padded", Case(qe_padding=b"\1" + bytes(31)), refusal("qe_binding")
    yield "qe-reserved", Case(qe_reserved=1), refusal("reserved_not_zero")
    yield "report-reserved", Case(reserved=1), refusal("reserved_not_zero")
    yield "trailing-byte", Case(trailing=b"\0"), refusal("quote_malformed")
    yield "issuer-not-ca", Case(issuer_ca=False), refusal("chain_incomplete")
    yield "leaf-by-another-key", Case(leaf_issuer_key="impostor"), refusal("chain_broken")
    yield "root-by-another-key", Case(chain_root_key="impostor"), refusal("roots_differ")
    yield "crl-by-another-key", Case(crl_key="impostor"), refusal("crl_wrong_issuer")
    yield "crl-of-another-ca", Case(crl_issuer="nacre test other CA"), refusal("crl_wrong_issuer")
    yield "tcb-info-by-another-key", Case(info_key="impostor"), refusal("tcb_info_signature")
    yield "qe-identity-by-another-key", Case(identity_key="impostor"), refusal(
        "qe_identity_signature")
    yield "no-chain", Case(cert_type=4, cert_data=b""), refusal("cert_data_unsupported")
    yield "tdx-unknown-module", Case(version=4, body_type=2, td_svn=svn(8, 9, 5)), refusal(
        "tdx_module_mismatch")
    yield "tdx-seam-attributes", Case(version=4, body_type=2,
                                      seam_attributes=b"\1" + bytes(7)), refusal(
        "tdx_module_mismatch")
    yield "tdx-seam-signer", Case(version=4, body_type=2, mrsignerseam=b"\1" + bytes(47)), refusal(
        "tdx_module_mismatch")
    critical = pki.extension("2.5.29.28", pki.seq(), True)  # issuing distribution point
    impostor = p256.private_key("impostor")
    for name, changes, code in (
            ("chain-of-four", {"chain_more": (0,)}, "chain_incomplete"),
            ("chain-of-two", {"chain_order": (0, 1)}, "chain_incomplete"),
            ("chain-root-twice", {"chain_order": (0, 2, 2)}, "chain_incomplete"),
            ("chain-leaf-twice", {"chain_order": (0, 0, 2)}, "chain_incomplete"),
            ("signing-chain-of-three", {"signing_more": True}, "chain_incomplete"),
            ("root-allows-no-ca", {"cert_changes": {"root": {"path_length": 0}}}, "chain_broken"),
            ("root-may-not-certify", {"cert_changes": {"root": {"usage": 0x02}}}, "chain_broken"),
            ("leaf-may-not-sign", {"cert_changes": {"leaf": {"usage": 0x20}}}, "chain_broken"),
            ("leaf-without-key-usage", {"cert_changes": {"leaf": {"without": 2}}},
             "cert_malformed"),
            ("leaf-without-constraints", {"cert_changes": {"leaf": {"without": 3}}},
             "cert_malformed"),
            ("leaf-other-issuer-name", {"leaf_issuer_name": "nacre test other CA"}, "chain_broken"),
            ("leaf-other-issuer-key-id", {"cert_changes": {"leaf": {"authority": impostor}}},
             "chain_broken"),
            ("leaf-key-off-curve", {"cert_changes": {"leaf": {"off_curve": True}}},
             "qe_report_signature"),
            ("issuer-key-off-curve", {"cert_changes": {"issuer": {"off_curve": True}}},
             "cert_malformed"),
            ("issuer-may-not-certify", {"cert_changes": {"issuer": {"usage": 0x02}}},
             "chain_broken"),
            ("issuer-may-not-sign-crl", {"cert_changes": {"issuer": {"usage": 0x04}}},
             "crl_wrong_issuer"),
            ("signer-may-not-sign", {"cert_changes": {"signer": {"usage": 0x20}}}, "chain_broken"),
            ("signer-by-another-key", {"signer_key": "impostor",
                                       "cert_changes": {"signer": {"authority":
                                                                   p256.private_key("root")}}},
             "chain_broken"),
            ("signer-is-ca", {"cert_changes": {"signer": {"ca": True}}}, "chain_broken"),
            ("signer-is-pck", {"signer_is_pck": True}, "chain_broken"),
            ("signer-key-off-curve", {"cert_changes": {"signer": {"off_curve": True}}},
             "cert_malformed"),
            ("identity-of-another-tee", {"identity_tdx": True}, "tee_mismatch"),
            ("too-many-advisories", {"advisories": [f"NACRE-SA-{i:05}" for i in range(129)]},
             "tcb_info_malformed"),
            ("crl-v1", {"pck_crl_changes": {"version": 0}}, "crl_malformed"),
            ("crl-critical-extension", {"root_crl_changes": {"extra": [critical]}}, "crl_malformed"),
            ("crl-critical-entry", {"pck_crl_changes": {"entry_extra": [critical]}},
             "crl_malformed"),
            ("crl-without-end", {"pck_crl_changes": {"open_end": True}}, "crl_malformed"),
            ("key-type", {"quote_changes": {"key_type": 3}}, "quote_unsupported"),
            ("qe-vendor", {"quote_changes": {"vendor": bytes(16)}}, "quote_unsupported"),
            ("tee-type", {"version": 4, "quote_changes": {"tee": 0x82}}, "evidence_unknown"),
            ("quote-version", {"version": 6}, "evidence_unknown"),
            ("body-type", {"version": 5, "quote_changes": {"said_body_type": 4}},
             "quote_unsupported"),
            ("body-type-of-another-tee", {"version": 5, "body_type": 2, "quote_changes": {"tee": 0}},
             "quote_malformed"),
            ("body-size", {"version": 5, "quote_changes": {"said_body_size": 383}},
             "quote_malformed"),
            ("outer-type", {"version": 4, "quote_changes": {"outer_type": 5}}, "quote_malformed"),
            ("byte-after-cert", {"quote_changes": {"after_cert": b"\0"}}, "quote_malformed"),
            ("byte-after-cert-v4", {"version": 4, "quote_changes": {"after_cert": b"\0"}},
             "quote_malformed"),
            ("byte-after-outer", {"version": 4, "quote_changes": {"after_outer": b"\0"}},
             "quote_malformed"),
    ):
        yield name, Case(**changes), refusal(code)
    yield "most-advisories", Case(advisories=[f"NACRE-SA-{i:05}" for i in range(128)]), verdict(
        "UpToDate", advisories=[f"NACRE-SA-{i:05}" for i in range(128)])
    yield "tdx-in-v3", Case(version=3, body_type=2), refusal("evidence_unknown")


COMMON = "up-to-date"


def all_files(full=False):
    common = {}
    root_key = p256.private_key("root")
    impostor = p256.private_key("impostor")
    yield "root.pem", pki.pem(pki.certificate(ROOT, ROOT, root_key, root_key, CERT, ca=True,
                                              path_length=1, usage=0x06))
    yield "other_root.pem", pki.pem(pki.certificate(ROOT, ROOT, impostor, impostor, CERT, ca=True,
                                                    path_length=1, usage=0x06))
    for name, case, expected in cases():
        for file, data in case.files().items():
            if name == COMMON:
                common[file] = data
            if full or name == COMMON or common.get(file) != data:
                yield f"{name}/{file}", data
        text = {"name": name, "quote_version": case.version, "verify_time": NOW,
                "window": case.window(), "refusal": None, **expected}
        yield f"{name}/expected.json", (json.dumps(text, indent=1) + "\n").encode()


def corpus_files():
    """Seeds for tests/fuzz: whole good inputs; fuzz_collateral's first byte picks the file."""
    picked = {name: case for name, case, _ in cases()}
    for name in ("up-to-date", "sgx-v4", "sgx-v5", "tdx-v4", "tdx-v5-10", "tdx-v5-15",
                 "ppid-with-chain-beside", "no-chain", "trailing-byte"):
        case = picked[name]
        yield f"quote/seed-{name}", case.quote(case.certificates())
    order = ("tcb_info.json", "qe_identity.json", "tcb_signing_chain.pem", "pck_crl.der",
             "root_ca_crl.der", "pck_chain.pem")
    for name, flag in (("up-to-date", 0), ("tdx-v5-15", 8), ("ppid-with-chain-beside", 0),
                       ("tcb-info-v2", 0), ("revoked-issuer", 0)):
        files = picked[name].files()
        for i, file in enumerate(order):
            if file in files and (name in ("up-to-date", "tdx-v5-15") or
                                  files[file] != picked[COMMON].files().get(file)):
                yield (f"collateral/seed-{name}-{file.split('.')[0]}",
                       bytes([i | flag]) + files[file])
    leaf, issuer, root = picked["up-to-date"].certificates()
    yield "pck_cert/seed-leaf", leaf
    yield "pck_cert/seed-issuer", issuer
    yield "pck_cert/seed-root", root
    yield "pck_cert/seed-root-pem", pki.pem(root)


def check(folder):
    bad = 0
    wanted = {"README.md"}  # and what is made
    for path, data in all_files():
        wanted.add(path)
        try:
            with open(os.path.join(folder, path), "rb") as f:
                same = f.read() == data
        except FileNotFoundError:
            same = False
        if not same:
            print(f"{path}: differs from what tests/tools/make_attest_vectors.py makes")
            bad += 1
    for base, _, names in os.walk(folder):
        for n in names:
            path = os.path.relpath(os.path.join(base, n), folder)
            if path not in wanted:
                print(f"{path}: not made by tests/tools/make_attest_vectors.py")
                bad += 1
    print(f"{len(wanted) - 1} files compared")
    return 1 if bad else 0


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--check":
        sys.exit(check(sys.argv[2]))
    option = sys.argv[1] if len(sys.argv) == 3 else None
    if len(sys.argv) != 2 and option not in ("--full", "--corpus"):
        sys.exit(__doc__)
    made = corpus_files() if option == "--corpus" else all_files(option == "--full")
    for path, data in made:
        where = os.path.join(sys.argv[-1], path)
        os.makedirs(os.path.dirname(where), exist_ok=True)
        with open(where, "wb") as f:
            f.write(data)


if __name__ == "__main__":
    main()
