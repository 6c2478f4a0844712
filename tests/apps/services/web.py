# SPDX-License-Identifier: Apache-2.0
"""What the HTTP servers written for the tests (node, java, go, python) are asked; they answer alike."""
import hashlib
import http.client
import random
import threading

BODY = random.Random(7).randbytes(1 << 20)


def ask(connection, method, path, body=None):
    connection.request(method, path, body=body)
    r = connection.getresponse()
    data = r.read()
    return r.status, r.headers.get("content-length"), len(data), hashlib.sha256(data).hexdigest()


def client(port, number, seen, lock):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    got = [ask(c, "GET", "/hello"), ask(c, "POST", "/hash", BODY[:number * 1000]), ask(c, "GET", "/later")]
    c.close()
    with lock:
        seen.append((number, got))


def conversation(port, clients=8):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    seen = [(f"{m} {p}", ask(c, m, p, b)) for m, p, b in (
        ("GET", "/", None), ("GET", "/a/b?c=d", None), ("GET", "/big", None), ("POST", "/hash", BODY),
        ("POST", "/hash", b""), ("GET", "/missing", None), ("GET", "/later", None), ("GET", "/" + "x" * 4000, None))]
    c.close()
    found, lock = [], threading.Lock()
    threads = [threading.Thread(target=client, args=(port, i, found, lock)) for i in range(clients)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return seen + sorted(found)
