#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small HTTP service to put behind a gateway: the world's countries and currencies.

The data is Debian's package iso-codes (/usr/share/iso-codes/json). Only Python's standard library is used.

    apt install iso-codes python3
    python3 examples/iso_codes_service.py 9000        # 0 or nothing: any free port, printed

    curl http://127.0.0.1:9000/countries/NL           # one country, by its two-letter code
    curl 'http://127.0.0.1:9000/countries?name=land&limit=5'   # all whose name holds `land`
    curl http://127.0.0.1:9000/currencies/EUR         # one currency
    curl http://127.0.0.1:9000/notes                  # notes taken so far; ?country=NL for one country
    curl -d '{"country":"NL","text":"call Anna"}' -H 'Content-Type: application/json' http://127.0.0.1:9000/notes

GET only reads; POST /notes has an effect (kept in memory, gone when the service ends). The service has no
authentication of its own: it listens on loopback and leaves that to the gateway, whose headers
`Fedgate-Principal` and `Fedgate-Correlation-Id` it logs, so that one can see who asked.
"""

import json
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

DATA = "/usr/share/iso-codes/json"
MAX_BODY = 64 * 1024
MAX_NOTES = 10_000


def load(name, key):
    with open(f"{DATA}/iso_{name}.json", encoding="utf-8") as file:
        return {entry[key]: entry for entry in json.load(file)[name]}


class Problem(Exception):
    def __init__(self, status, detail):
        super().__init__(detail)
        self.status = status


class Data:
    """What the service serves. The notes are the only part that changes."""

    def __init__(self):
        self.countries = load("3166-1", "alpha_2")
        self.currencies = load("4217", "alpha_3")
        self.notes = []
        self.lock = threading.Lock()

    def country(self, code):
        if code.upper() not in self.countries:
            raise Problem(404, f"no country has the code {code[:20]!r}")
        return self.countries[code.upper()]

    def currency(self, code):
        if code.upper() not in self.currencies:
            raise Problem(404, f"no currency has the code {code[:20]!r}")
        return self.currencies[code.upper()]

    def find_countries(self, query):
        part = query.get("name", "").lower()
        limit = query.get("limit", "300")
        if not limit.isdecimal():
            raise Problem(400, "limit must be a whole number")
        found = [c for c in self.countries.values() if part in c["name"].lower()]
        return {"countries": found[: int(limit)], "total": len(found)}

    def find_notes(self, query):
        code = query.get("country", "").upper()
        with self.lock:
            return {"notes": [n for n in self.notes if not code or n["country"] == code]}

    def add_note(self, body, author):
        if not isinstance(body, dict) or not all(isinstance(body.get(k), str) for k in ("country", "text")):
            raise Problem(400, 'a note is {"country": "NL", "text": "..."}')
        country = self.country(body["country"])
        with self.lock:
            if len(self.notes) >= MAX_NOTES:
                raise Problem(507, "there is no room for more notes")
            note = {"id": len(self.notes) + 1, "country": country["alpha_2"], "text": body["text"], "author": author}
            self.notes.append(note)
        return note


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections open between requests
    disable_nagle_algorithm = True
    timeout = 300
    data = None  # set in main()

    def do_GET(self):
        self.answer(self.get)

    def do_POST(self):
        self.answer(self.post)

    def get(self, path, query):
        if len(path) == 2 and path[0] == "countries":
            return 200, self.data.country(path[1])
        if len(path) == 2 and path[0] == "currencies":
            return 200, self.data.currency(path[1])
        if path == ["countries"]:
            return 200, self.data.find_countries(query)
        if path == ["notes"]:
            return 200, self.data.find_notes(query)
        raise Problem(404, "there is /countries, /countries/{alpha2}, /currencies/{code} and /notes")

    def post(self, path, _query):
        body = self.read_body()
        if path != ["notes"]:
            raise Problem(404, "only /notes takes a POST")
        return 201, self.data.add_note(body, self.headers.get("Fedgate-Principal", "unknown"))

    def read_body(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BODY:
            self.close_connection = True
            raise Problem(400, f"a body with a Content-Length of at most {MAX_BODY} is needed")
        try:
            return json.loads(self.rfile.read(int(length)))
        except ValueError as error:
            raise Problem(400, "the body is not JSON") from error

    def answer(self, serve):
        url = urlsplit(self.path)
        try:
            path = [unquote(part) for part in url.path.split("/")[1:]]
            status, body = serve(path, {name: values[0] for name, values in parse_qs(url.query).items()})
        except Problem as problem:
            status, body = problem.status, {"error": str(problem)}
        text = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format, *args):
        who = self.headers.get("Fedgate-Principal", "-") if hasattr(self, "headers") else "-"
        call = self.headers.get("Fedgate-Correlation-Id", "-") if hasattr(self, "headers") else "-"
        print(f"{who} {call} {format % args}", file=sys.stderr, flush=True)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main():
    if len(sys.argv) > 2 or (len(sys.argv) == 2 and not sys.argv[1].isdecimal()):
        sys.exit(f"usage: {sys.argv[0]} [PORT]")
    try:
        Handler.data = Data()
    except FileNotFoundError as error:
        sys.exit(f"{error.filename} is missing: apt install iso-codes")
    server = Server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) == 2 else 0), Handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"listening on 127.0.0.1:{server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
