# SPDX-License-Identifier: Apache-2.0
"""http.server in a thread, urllib clients in four others."""
import http.server
import threading
import urllib.request


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"path {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_address[1]}"
good = []


def client(n):
    for i in range(25):
        with urllib.request.urlopen(f"{base}/{n}/{i}") as r:
            good.append(r.read() == f"path /{n}/{i}".encode())


threads = [threading.Thread(target=client, args=(n,)) for n in range(4)]
for t in threads:
    t.start()
for t in threads:
    t.join()
server.shutdown()
print(len(good), all(good))
