# SPDX-License-Identifier: Apache-2.0
"""A small REST service with data nobody else should read: patients and a score for each.

    POST /patient/ID    form fields below -> the patient as JSON; 403 when the ID is taken
    GET  /patient/ID    -> the patient;   404 when there is none
    GET  /score/ID      -> {"id": ID, "score": S}

It knows nothing of enclaves. Its certificate and key are files (TLS_DIR, default /tls), its store is a
dictionary, or redis over mutual TLS when REDIS_HOST is set.
"""
import json
import os
import random
import ssl
import sys
import threading

from flask import Flask, jsonify, request

FIELDS = ("fname", "lname", "address", "city", "state", "ssn", "email", "dob", "contactphone",
          "drugallergies", "preexistingconditions", "dateadmitted", "insurancedetails")
TLS_DIR = os.environ.get("TLS_DIR", "/tls")


class MemoryStore:
    """Patients live as long as the process."""

    def __init__(self):
        self._patients = {}
        self._lock = threading.Lock()

    def add(self, key, patient):
        with self._lock:
            if key in self._patients:
                return False
            self._patients[key] = patient
            return True

    def get(self, key):
        with self._lock:
            return self._patients.get(key)


class RedisStore:
    """Patients live in redis; both sides prove themselves with certificates of one session."""

    def __init__(self, host, port):
        import redis  # pylint: disable=import-outside-toplevel
        self._db = redis.Redis(host=host, port=port, ssl=True, ssl_cert_reqs="required",
                               ssl_certfile=f"{TLS_DIR}/client.crt",
                               ssl_keyfile=f"{TLS_DIR}/client.key",
                               ssl_ca_certs=f"{TLS_DIR}/redis-ca.crt")
        self._db.info()

    def add(self, key, patient):
        return bool(self._db.set(f"patient:{key}", json.dumps(patient), nx=True))

    def get(self, key):
        text = self._db.get(f"patient:{key}")
        return None if text is None else json.loads(text)


def make_app(store):
    app = Flask(__name__)

    @app.post("/patient/<patient_id>")
    def create(patient_id):
        patient = {name: request.form.get(name, "") for name in FIELDS}
        patient["id"] = patient_id
        patient["score"] = random.random()
        if not store.add(patient_id, patient):
            return jsonify(error="already exists"), 403
        return jsonify(patient)

    @app.get("/patient/<patient_id>")
    def read(patient_id):
        patient = store.get(patient_id)
        if patient is None:
            return jsonify(error="unknown patient_id"), 404
        return jsonify(patient)

    @app.get("/score/<patient_id>")
    def score(patient_id):
        patient = store.get(patient_id)
        if patient is None:
            return jsonify(error="unknown patient"), 404
        return jsonify(id=patient_id, score=patient["score"])

    return app


def main():
    host = os.environ.get("REDIS_HOST")
    store = RedisStore(host, int(os.environ.get("REDIS_PORT", "6379"))) if host else MemoryStore()
    tls = None
    if os.environ.get("FLASK_TLS", "on") != "off":
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.minimum_version = ssl.TLSVersion.TLSv1_2
        tls.load_cert_chain(f"{TLS_DIR}/flask.crt", f"{TLS_DIR}/flask.key")
    port = int(os.environ.get("PORT", "4996"))
    make_app(store).run(host="0.0.0.0", port=port, threaded=True, ssl_context=tls)


if __name__ == "__main__":
    sys.exit(main())
