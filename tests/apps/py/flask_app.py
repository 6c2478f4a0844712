# SPDX-License-Identifier: Apache-2.0
"""A Flask service under four client threads."""
import json
import logging
import threading
import urllib.error
import urllib.request

from flask import Flask, jsonify, request
from werkzeug.serving import make_server

logging.getLogger("werkzeug").setLevel(logging.ERROR)
app = Flask(__name__)
patients = {}


@app.route("/patient/<name>", methods=["GET", "POST"])
def patient(name):
    if request.method == "POST":
        if name in patients:
            return jsonify(error="already exists"), 403
        patients[name] = dict(request.form)
    if name not in patients:
        return jsonify(error="unknown patient"), 404
    return jsonify(id=name, **patients[name])


server = make_server("127.0.0.1", 0, app, threaded=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}"
results = []


def call(path, data=None):
    try:
        with urllib.request.urlopen(base + path, data) as r:
            return r.status, json.load(r)
    except urllib.error.HTTPError as e:
        return e.code, json.load(e)


def client(n):
    for i in range(20):
        who = f"/patient/p{n}-{i}"
        results.append(call(who)[0] == 404)
        results.append(call(who, f"fname=Jane{i}&lname=Doe".encode())[0] == 200)
        results.append(call(who)[1] == {"fname": f"Jane{i}", "lname": "Doe", "id": f"p{n}-{i}"})
        results.append(call(who, b"fname=x")[0] == 403)


threads = [threading.Thread(target=client, args=(n,)) for n in range(4)]
for t in threads:
    t.start()
for t in threads:
    t.join()
server.shutdown()
print(len(results), all(results), len(patients))
