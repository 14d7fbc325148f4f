"""Says which version it is, and whether its database answers."""

from __future__ import annotations

import http.server
import json
import os
import signal
import threading
import time
import urllib.parse

import psycopg

import tiny


def health() -> tuple[int, dict[str, str]]:
    """Return the HTTP status and the facts of GET /health."""
    facts = {"version": tiny.VERSION}
    if tiny.FAULT == "unready":
        return 503, facts | {"database": "not asked"}
    url = os.environ.get("DB_URL")
    if not url:
        return 200, facts | {"database": "none"}
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            row = connection.execute("select max(name) from migrations").fetchone()
    except psycopg.Error as error:
        return 503, facts | {"database": str(error)}
    return 200, facts | {"database": "answers", "schema_head": row[0] if row else ""}


def answer(path: str) -> tuple[int, dict[str, str]]:
    """Return the status and the body for a path."""
    asked = urllib.parse.urlsplit(path)
    if asked.path == "/health":
        return health()
    if asked.path == "/slow":
        time.sleep(float(urllib.parse.parse_qs(asked.query).get("seconds", ["1"])[0]))
    if asked.path == "/die" and tiny.FAULT == "dies":
        os._exit(1)
    return 200, {"version": tiny.VERSION, "greeting": f"hello from version {tiny.VERSION}"}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status, facts = answer(self.path)
        body = json.dumps(facts).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        print(self.command, self.path, *args[1:2], flush=True)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128


def main() -> None:
    """Serve until SIGTERM, then finish the requests that have begun."""
    host, port = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "5000"))
    server = Server((host, port), Handler)
    Handler.timeout = 2  # an idle connection does not hold up the end for longer
    stop = threading.Thread(target=server.shutdown)
    signal.signal(signal.SIGTERM, lambda *_: stop.start())
    print(f"tiny {tiny.VERSION} listens on {host}:{port}", flush=True)
    server.serve_forever(poll_interval=0.05)
    server.server_close()
