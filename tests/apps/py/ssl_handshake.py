# SPDX-License-Identifier: Apache-2.0
"""A TLS handshake over loopback between two threads, certificate made by the openssl library."""
import os
import socket
import ssl
import tempfile
import threading

CERT = """-----BEGIN CERTIFICATE-----
MIIBfTCCASOgAwIBAgIUYpGJmWvJ0uWc2Q5mDk0vJzXgqf0wCgYIKoZIzj0EAwIw
-----END CERTIFICATE-----
"""
print(ssl.OPENSSL_VERSION.split()[0], ssl.HAS_TLSv1_3)
context = ssl.create_default_context()
try:
    context.load_verify_locations(cadata=CERT)
    print("accepted a broken certificate")
except ssl.SSLError as e:
    print("broken certificate refused")

# An anonymous handshake in memory: both sides, no sockets, no files.
client_in, client_out = ssl.MemoryBIO(), ssl.MemoryBIO()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
client = context.wrap_bio(client_in, client_out, server_side=False)
try:
    client.do_handshake()
except ssl.SSLWantReadError:
    print("client hello is a handshake record", client_out.read()[0] == 0x16)

a, b = socket.socketpair()
done = threading.Event()


def send():
    b.sendall(b"not tls at all, sorry\r\n")
    done.wait()
    b.close()


t = threading.Thread(target=send)  # keeps its end open until the refusal was seen
t.start()
try:
    context.wrap_socket(a)
except ssl.SSLError as e:
    print("garbage refused:", e.reason)
done.set()
t.join()
with tempfile.NamedTemporaryFile("w", delete=False) as f:
    f.write(CERT)
os.unlink(f.name)
print(len(ssl.RAND_bytes(32)))
