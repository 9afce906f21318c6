"""Saves a user's statement, reads the holdings and what has happened, and receives the webhook.

BROKER_URL, SERVICE_KEY and WEBHOOK_SECRET are in the environment:

    python3 web/clients/python/example.py demo:python statement.pdf PASSWORD
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import sys
import time
from urllib.parse import quote

import requests

broker = requests.Session()
broker.headers["Authorization"] = "Bearer " + os.environ["SERVICE_KEY"]


def call(method, path, **options):
    """Returns what the broker answers, or exits with its problem, such as 422 invalid_password."""
    answer = broker.request(method, os.environ["BROKER_URL"] + path, timeout=180, **options)
    if not answer.ok:
        problem = answer.json()
        sys.exit(f"{problem['status']} {problem['code']} {problem['detail']}")
    return answer.json()


def main(user, path, password):
    server = http.server.HTTPServer(("127.0.0.1", 9000), Receiver)
    server.timeout = 60

    at = "/v1/users/" + quote(user, safe="")
    with open(path, "rb") as pdf:
        saved = call("POST", at + "/statements", files={"pdf_file": pdf}, data={"password": password})
    page = call("GET", f"{at}/portfolios/{saved['id']}/holdings", params={"limit": 100})
    for h in page["holdings"]:
        print(saved["provenance"], h["class"], h["name"], h["value"])

    after, seen = None, set()
    while user not in seen:
        answer = call("GET", "/v1/events", params={"after": after, "wait": 30})
        for e in answer["events"]:
            print("event", e["type"], e["data"].get("subject"))
            seen.add(e["data"].get("subject"))
        after = answer["next_after"]  # a back end keeps it
    while user not in received:
        server.handle_request()


received = set()


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes webhooks, and refuses those that the broker has not signed."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            event = verify(self.headers, body)
        except ValueError:
            self.send_response(400)
            self.end_headers()
            return
        self.send_response(204)  # at least once: remember event["id"]
        self.end_headers()
        print("webhook", event["type"], event["data"].get("subject"))
        received.add(event["data"].get("subject"))

    def log_message(self, *args):
        pass


def verify(headers, body):
    """Returns the event in a webhook that was signed in the last five minutes."""
    key = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))
    stamp = headers.get("webhook-timestamp", "0")
    signed = f"{headers.get('webhook-id')}.{stamp}.".encode() + body
    want = b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    signatures = headers.get("webhook-signature", "").encode().split(b" ")
    if abs(time.time() - int(stamp)) > 300 or not any(hmac.compare_digest(want, s) for s in signatures):
        raise ValueError("not signed by the broker")
    return json.loads(body)


if __name__ == "__main__":
    main(*sys.argv[1:])
