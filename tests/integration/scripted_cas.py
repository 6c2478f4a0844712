# SPDX-License-Identifier: Apache-2.0
"""A CAS that does what a test tells it: real TLS, real channel binding, scripted answers. Standard
library and the openssl program only."""
import base64
import hashlib
import hmac
import json
import os
import socket
import ssl
import struct
import subprocess
import threading
import time

LABEL = b"EXPORTER-Channel-Binding"


def expand_label(secret, label, context, size, hash_name):
    full = b"tls13 " + label
    info = struct.pack(">HB", size, len(full)) + full + struct.pack("B", len(context)) + context
    out, block, n = b"", b"", 1
    while len(out) < size:
        block = hmac.new(secret, block + info + bytes([n]), hash_name).digest()
        out += block
        n += 1
    return out[:size]


def exporter(secret, hash_name):
    """RFC 8446 section 7.5, from the exporter master secret of a key log."""
    empty = hashlib.new(hash_name).digest()
    size = hashlib.new(hash_name).digest_size
    return expand_label(expand_label(secret, LABEL, empty, size, hash_name), b"exporter", empty, 32,
                        hash_name)


def report_data(binding, session, service):
    h = hashlib.sha512(b"nacre provisioning v1\0" + binding)
    for name in (session.encode(), service.encode()):
        h.update(struct.pack("<H", len(name)) + name)
    return b"nacre/p1" + h.digest()[:56]


def make_key(directory, name):
    """A key and a self-signed certificate; the SHA-256 of its SubjectPublicKeyInfo."""
    key, cert = (os.path.join(directory, name + end) for end in (".key", ".pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=" + name],
                   check=True, stderr=subprocess.DEVNULL)
    der = subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"], check=True,
                         stdout=subprocess.PIPE).stdout
    return key, cert, hashlib.sha256(der).hexdigest()


def http(status, body, **headers):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{k.replace('_', '-')}: {v}" for k, v in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class ScriptedCas:
    """Serves connection i with script[i] (the last one for all that follow). A step is
    ("answer", bytes) after a whole request; ("cut", "accept" | "handshake" | "request" | "head" |
    "body", bytes); ("slow", seconds, bytes); ("plain", bytes): no TLS; ("tls12",)."""

    def __init__(self, directory, script, name="cas", family=socket.AF_INET):
        self.directory = directory
        self.key, self.cert, self.pin = make_key(directory, name)
        self.script = script
        self.requests = []
        self.errors = []
        self.connections = 0
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        self.listener.listen(16)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)

    def _serve(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            step = self.script[min(self.connections, len(self.script) - 1)]
            self.connections += 1
            try:
                sock.settimeout(20)
                self._connection(sock, step)
            except (OSError, ssl.SSLError) as e:
                self.errors.append(repr(e))
            finally:
                sock.close()

    def _context(self, step, log):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(self.cert, self.key)
        if step[0] == "tls12":
            c.maximum_version = ssl.TLSVersion.TLSv1_2
        else:
            c.minimum_version = ssl.TLSVersion.TLSv1_3
        c.keylog_filename = log
        return c

    def _connection(self, sock, step):
        if step[0] == "plain":
            sock.recv(4096)
            sock.sendall(step[1])
            return
        if step[:2] == ("cut", "accept"):
            return
        if step[:2] == ("cut", "handshake"):
            sock.recv(64)
            return
        log = os.path.join(self.directory, f"keylog-{self.port}-{self.connections}")
        tls = self._context(step, log).wrap_socket(sock, server_side=True)
        try:
            request = self._request(tls, log)
            if step[:2] == ("cut", "request") or request is None:
                return
            self.requests.append(request)
            self._answer(tls, step)
        finally:
            tls.close()

    def _answer(self, tls, step):
        if step[0] == "cut":
            whole = step[2]
            head = whole.index(b"\r\n\r\n")
            tls.sendall(whole[:head // 2] if step[1] == "head" else whole[:head + 4 + (len(whole) - head) // 2])
        elif step[0] == "slow":
            for i in range(0, len(step[2]), 64):
                tls.sendall(step[2][i:i + 64])
                time.sleep(step[1])
        else:
            tls.sendall(step[1](self.requests[-1]) if callable(step[1]) else step[1])
            try:
                tls.unwrap()
            except (OSError, ssl.SSLError):
                pass  # the agent may have left

    def _request(self, tls, log):
        data = b""
        while b"\r\n\r\n" not in data:
            more = tls.recv(65536)
            if not more:
                return None
            data += more
        head, body = data.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
        while len(body) < int(headers["content-length"]):
            body += tls.recv(65536)
        doc = json.loads(body)
        with open(log, encoding="ascii") as f:
            secret = [bytes.fromhex(x.split()[2]) for x in f if x.startswith("EXPORTER_SECRET")][-1]
        binding = exporter(secret, "sha384" if "SHA384" in tls.cipher()[0] else "sha256")
        evidence = doc.get("evidence", {})
        quote = base64.b64decode(evidence.get("quote", ""))
        return {"line": lines[0], "headers": headers, "doc": doc, "quote": quote,
                "want": report_data(binding, doc["session"], doc["service"]),
                "report_data": quote[48 + 320:48 + 384], "mrenclave": quote[48 + 64:48 + 96].hex()}
