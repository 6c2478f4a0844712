# SPDX-License-Identifier: Apache-2.0
"""nginx: static files, ranges, keep-alive, TLS, a proxy, and its signals."""
import hashlib
import http.client
import os
import random
import re
import signal
import ssl
import subprocess
import threading

from .harness import Case, Failed, Load, connect, free_port

PACKAGE = "nginx-light"
CONF = """
daemon off; {processes} error_log /dev/stderr {level}; pid {box}/nginx.pid; worker_rlimit_nofile 4096;
events {{ worker_connections 1024; }}
http {{
    log_format short '$request_method $uri $status $body_bytes_sent';
    include /etc/nginx/mime.types; access_log {log}; sendfile on; tcp_nopush on; keepalive_requests 1000000;
    client_body_temp_path {box}/t1; proxy_temp_path {box}/t2; fastcgi_temp_path {box}/t3;
    uwsgi_temp_path {box}/t4; scgi_temp_path {box}/t5; client_max_body_size 16m;
    server {{ listen 127.0.0.1:{port}; {tls} root {box}/www; autoindex on;
        location /proxy/ {{ proxy_pass http://127.0.0.1:{port2}/; proxy_http_version 1.1; }}
        location = /hello {{ return 200 "hello\\n"; }}
        location /upload {{ proxy_pass http://127.0.0.1:{port2}/count; }} }}
    server {{ listen 127.0.0.1:{port2}; root {box}/www; gzip on; gzip_min_length 100; gzip_types *;
        location = /count {{ client_body_buffer_size 32m; return 200 "$content_length\\n"; }} }}
}}
"""
SINGLE = "master_process off;"


def content(size):
    return random.Random(size).randbytes(size)


def prepare(box, port, port2, processes, log="off", tls="", level="warn"):
    for name, size in (("1k", 1024), ("10k", 10240), ("1m", 1 << 20), ("empty", 0)):
        box.file(f"www/{name}", content(size))
    box.file("www/text.html", "<p>" + "nacre " * 5000)
    # nginx drops its privileges when it has workers
    for folder, _, _ in os.walk(box.path):
        os.chmod(folder, 0o755)
    return box.file("nginx.conf", CONF.format(box=box.path, port=port, port2=port2, processes=processes,
                                              log=log, tls=tls, level=level))


def start(side, box, processes=SINGLE, log="off", level="warn"):
    port, port2 = free_port(), free_port()
    conf = prepare(box, port, port2, processes, log, level=level)
    return port, side.start(["nginx", "-c", conf], ready=port)


def summary(response):
    body = response.read()
    kept = ("content-type", "content-length", "content-range", "etag", "content-encoding", "accept-ranges",
            "transfer-encoding", "location", "connection")
    headers = {k.lower(): v for k, v in response.getheaders() if k.lower() in kept}
    if "etag" in headers:
        headers["etag"] = re.sub(r"[0-9a-f]+-", "TIME-", headers["etag"])
    return response.status, headers, len(body), hashlib.sha256(body).hexdigest()


def requests(connection):
    seen = []
    for method, path, headers in (
            ("GET", "/1k", {}), ("GET", "/10k", {}), ("GET", "/1m", {}), ("GET", "/empty", {}), ("HEAD", "/1m", {}),
            ("GET", "/1m", {"Range": "bytes=1000-1999"}), ("GET", "/1m", {"Range": "bytes=-10"}),
            ("GET", "/1m", {"Range": "bytes=0-9,100-109"}), ("GET", "/1m", {"Range": "bytes=2000000-"}),
            ("GET", "/missing", {}), ("GET", "/../../etc/passwd", {}), ("GET", "/hello", {}),
            ("GET", "/proxy/1m", {}), ("GET", "/proxy/text.html", {"Accept-Encoding": "gzip"}), ("POST", "/1k", {}),
            ("GET", "/%00", {})):
        connection.request(method, path, headers=headers)
        status = summary(connection.getresponse())
        if "bytes=0-9,100-109" in headers.get("Range", ""):
            status = status[:1]  # its parts are divided by a random word
        seen.append((f"{method} {path} {headers}", status))
    connection.request("POST", "/upload", body=content(3 << 20))
    seen.append(("upload", connection.getresponse().read()))
    return seen


def parallel(port, count=8, each=25):
    """Digests that `count` clients got, each over one connection."""
    seen, lock = set(), threading.Lock()

    def client():
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for i in range(each):
            name = ("1k", "10k", "1m")[i % 3]
            try:
                c.request("GET", "/" + name)
                digest = hashlib.sha256(c.getresponse().read()).hexdigest()
            except OSError as e:
                digest = repr(e)
            with lock:
                seen.add((name, digest))
        c.close()

    threads = [threading.Thread(target=client) for _ in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return sorted(seen)


def malformed(port):
    with connect(port) as s:
        s.sendall(b"GET / HTTP/9.9\r\n\r\n")
        data = b""
        while chunk := s.recv(4096):
            data += chunk
    return data.split(b"\r\n")[0]


def check(side, box):
    port, server = start(side, box, log="/dev/stdout short")
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    seen = requests(c)
    c.close()
    seen += [("malformed", malformed(port)), ("parallel", parallel(port))]
    seen.append(("exit status", server.stop()))
    seen.append(("access log", sorted(server.out.splitlines())))
    return seen


def certificate(box):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-keyout", box.file("key.pem"), "-out", box.file("cert.pem")], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def check_tls(side, box):
    certificate(box)
    port = free_port()
    port2 = free_port()
    conf = prepare(box, port, port2, SINGLE, tls=f"ssl_certificate {box.path}/cert.pem; "
                   f"ssl_certificate_key {box.path}/key.pem; ssl_protocols TLSv1.2 TLSv1.3;")
    with open(conf, encoding="ascii") as f:
        text = f.read()
    box.file("nginx.conf", text.replace(f"listen 127.0.0.1:{port};", f"listen 127.0.0.1:{port} ssl;"))
    server = side.start(["nginx", "-c", conf], ready=port)
    seen = []
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context(cafile=box.file("cert.pem"))
        context.check_hostname = False
        context.minimum_version = context.maximum_version = version
        c = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context)
        seen += requests(c)
        seen.append(("cipher", c.sock.version() if c.sock else None))
        c.close()
    seen.append(("exit status", server.stop()))
    return seen


def check_large(side, box):
    size = 300 << 20
    with open(box.file("www/large", b""), "wb") as f:
        f.truncate(size)
        f.seek(123 << 20)
        f.write(content(1 << 20))
    port, server = start(side, box)
    seen = []
    for headers in ({}, {"Range": f"bytes={(123 << 20) - 5}-{(124 << 20) + 4}"}):
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        c.request("GET", "/large", headers=headers)
        response, digest, count = c.getresponse(), hashlib.sha256(), 0
        while chunk := response.read(1 << 20):
            digest.update(chunk)
            count += len(chunk)
        seen.append(("large", response.status, count, digest.hexdigest()))
        c.close()
    seen.append(("graceful stop", server.stop(signal.SIGQUIT)))
    return seen


def wrk(port, path, seconds=2, threads=1, connections=16):
    out = subprocess.run(["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}", f"http://127.0.0.1:{port}{path}"],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False).stdout.decode()
    done = re.search(r"(\d+) requests in ([0-9.]+)s", out)
    if not done or "Non-2xx" in out or "Socket errors" in out:
        raise Failed(f"wrk is not content: {out[-400:]}")
    return Load(int(done.group(1)), float(done.group(2)))


def load(side, box):
    port, _ = start(side, box)
    return wrk(port, "/10k")


def idle(side, box):
    start(side, box)


def check_workers(side, box):
    port, server = start(side, box, processes="worker_processes 4;", log="/dev/stdout short", level="notice")
    seen = [("parallel", parallel(port))]
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    seen += requests(c)
    server.send_signal(signal.SIGHUP)
    server.wait_until(lambda: server.err.count(b"exited with code 0") >= 4, 20)  # the old workers
    seen.append(("after the reload", parallel(port)))
    seen.append(("exit status", server.stop(signal.SIGQUIT)))
    return seen


# Debian's own configuration listens at port 80 and writes below /run and /var/log: in namespaces of our own.
PACKAGED = """
mount -t tmpfs none /var/log/nginx && mount -t tmpfs none /run && ip link set lo up || exit 90
"$@" & server=$!
ask() { curl -s -i -m 20 "$@" | grep -avi '^date:'; echo "curl ${PIPESTATUS[0]}"; }
all() {
    ask http://127.0.0.1/; ask -I 'http://[::1]/'; ask http://127.0.0.1/missing; ask http://127.0.0.1/../../etc/passwd
    ask -H 'Range: bytes=0-9' http://127.0.0.1/; ask -d x http://127.0.0.1/; ask --compressed http://127.0.0.1/index.nginx-debian.html
}
for i in $(seq 300); do curl -s -o /dev/null http://127.0.0.1/ && break; kill -0 $server || exit 91; sleep 0.1; done
all; kill -HUP $server; sleep 2; all; kill -QUIT $server; wait $server; echo "status $?"
"""


def check_packaged(side, box):
    if os.geteuid() != 0:
        raise Failed("namespaces with a port 80 and a /run of their own need root")
    seen = [("configuration", side.run(["nginx", "-T"]))]
    side.prefix = ["unshare", "--net", "--mount", "bash", "-c", PACKAGED, "bash"]
    code, out, err = side.run(["nginx", "-g", "daemon off;"], seconds=120)
    if code != 0 or out.count(b"HTTP/1.1 200") < 6 or b"status 0" not in out:
        raise Failed(f"exit status {code}: {out[-1200:]!r} {err[-600:]!r}")
    return seen + [("answers", out.splitlines()),
                   ("errors", err.splitlines())]


CASES = [
    Case("nginx", "nginx", PACKAGE, "one process: static files, ranges, proxy, gzip, uploads, 8 clients, logs to /dev/stdout "
         "and /dev/stderr, SIGTERM", check, fast=True, load=load, idle=idle, operation="10 KiB file, 16 connections of wrk",
         needs=("wrk",)),
    Case("nginx-workers", "nginx", PACKAGE, "a master and four workers, 8 clients, SIGHUP, SIGQUIT", check_workers),
    Case("nginx-packaged", "nginx", PACKAGE, "Debian's own configuration as it is, in the foreground: port 80 by IPv4 and IPv6, user www-data, as "
         "many workers as processors, modules-enabled, sites-enabled, SIGHUP, SIGQUIT", check_packaged, needs=("unshare", "curl", "ip"),
         limits="a log file lies in the enclave's memory unless it is /dev/stdout or a volume"),
    Case("nginx-tls", "nginx", PACKAGE, "TLS 1.2 and 1.3", check_tls, needs=("openssl",)),
    Case("nginx-large", "nginx", PACKAGE, "a file of 300 MiB, whole and in part; graceful stop", check_large),
]
