# SPDX-License-Identifier: Apache-2.0
"""gunicorn with two workers and a Flask application: answers, a reload by SIGHUP, a worker that dies, SIGTERM."""
import hashlib
import http.client
import random
import signal
import threading
import time

from .harness import Case, Failed, free_port

PACKAGE = "gunicorn"
WORKERS = 2
BODY = random.Random(11).randbytes(300000)
APPLICATION = """
import hashlib, os, signal, time
from flask import Flask, Response, jsonify, request
app = Flask(__name__)
VERSION = 'one'
@app.route('/')
def home(): return 'version ' + VERSION
@app.route('/pid')
def pid(): time.sleep(0.02); return str(os.getpid())
@app.route('/hash', methods=['POST'])
def digest(): return jsonify(length=len(request.data), sha256=hashlib.sha256(request.data).hexdigest())
@app.route('/stream')
def stream(): return Response((b'part %d\\n' % i for i in range(1000)), mimetype='text/plain')
@app.route('/error')
def error(): raise RuntimeError('on purpose')
@app.route('/change', methods=['POST'])
def change():
    text = open(__file__).read()
    open(__file__, 'w').write(text.replace("VERSION = 'one'", "VERSION = 'two'"))
    return 'changed'
@app.route('/die')
def die(): os.kill(os.getpid(), signal.SIGKILL)
"""


def ask(port, method, path, body=None):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        c.request(method, path, body=body)
        r = c.getresponse()
        data = r.read()
        return r.status, r.headers.get("content-type"), data
    finally:
        c.close()


def summary(port, method, path, body=None):
    status, kind, data = ask(port, method, path, body)
    return f"{method} {path}", status, kind, len(data), hashlib.sha256(data).hexdigest()


def conversation(port):
    return [summary(port, *words) for words in (
        ("GET", "/"), ("GET", "/stream"), ("GET", "/error"), ("GET", "/missing"), ("PUT", "/"), ("HEAD", "/"),
        ("POST", "/hash", BODY), ("POST", "/hash", b""), ("GET", "/" + "x" * 9000))]


def pids(port, clients=8):
    """The workers that answered: clients at once, as one worker alone would take them by turns."""
    seen, lock = set(), threading.Lock()

    def client():
        data = ask(port, "GET", "/pid")[2]
        with lock:
            seen.add(data)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return seen


def until(what, ready, seconds=60):
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(0.02)


def all_workers(port):
    found = set()

    def both():
        found.update(pids(port))
        return len(found) >= WORKERS

    until("both workers answer", both)
    return found


def killed(port):
    """A worker that dies in the middle of a request: its client hears nothing, the master starts another."""
    try:
        return ask(port, "GET", "/die")[0]
    except (http.client.HTTPException, OSError) as e:
        return type(e).__name__


def check(side, box):
    port = free_port()
    box.file("application.py", APPLICATION)
    server = side.start(["/usr/bin/gunicorn", "--workers", str(WORKERS), "--bind", f"127.0.0.1:{port}",
                         "--worker-tmp-dir", box.path, "--graceful-timeout", "5", "application:app"],
                        env={"PYTHONDONTWRITEBYTECODE": "1"}, cwd=box.path, ready=port)
    old = all_workers(port)
    seen = [("workers", len(old)), ("answers", conversation(port))]
    seen.append(("changed by a worker", ask(port, "POST", "/change"), ask(port, "GET", "/")))
    server.send_signal(signal.SIGHUP)
    until("the reload", lambda: server.err.count(b"Worker exiting") >= WORKERS)
    until("new workers", lambda: server.err.count(b"Booting worker") >= 2 * WORKERS)
    new = all_workers(port)
    seen += [("reloaded", ask(port, "GET", "/")), ("none of the old", len(old & new)), ("workers", len(new))]
    seen.append(("killed", killed(port)))
    until("another worker", lambda: server.err.count(b"Booting worker") >= 2 * WORKERS + 1)
    seen += [("workers again", len(all_workers(port))), ("answers after it", conversation(port))]
    seen.append(("exit status", server.stop()))
    seen += [("said", text, text in server.err) for text in (b"Handling signal: hup", b"Handling signal: term", b"Shutting down: Master")]
    return seen


CASES = [
    Case("gunicorn", "gunicorn", PACKAGE, "two workers with a Flask application: uploads, streams, an error; SIGHUP takes up code that a worker changed, a "
         "worker killed in a request is replaced, SIGTERM", check),
]
