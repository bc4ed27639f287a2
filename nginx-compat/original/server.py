"""One of the four servers of the original demo: it counts its requests and shows how many a second there are.

GET /             request count and current RPS, as JSON
GET /health       for health checks; not counted
GET /rps          the same numbers once a second, as server-sent events; not counted
GET /rps-display  a page that shows them; not counted
"""

import json
import logging
import os
import socket
import threading
import time
from datetime import datetime

from flask import Flask, Response, jsonify

PORT = int(os.environ.get("APP_PORT", "5000"))
SERVER_NAME = os.environ.get("SERVER_NAME") or socket.gethostname()

app = Flask(__name__)


class RequestRate:
    """Requests in all, and in the last whole second. `tick` closes a second."""

    def __init__(self):
        self._lock = threading.Lock()
        self._total = 0
        self._total_at_tick = 0
        self._last_second = 0

    def record(self):
        with self._lock:
            self._total += 1

    def tick(self):
        with self._lock:
            self._last_second = self._total - self._total_at_tick
            self._total_at_tick = self._total
            return self._last_second

    def read(self):
        with self._lock:
            return self._last_second, self._total


rate = RequestRate()


def numbers():
    current_rps, total_requests = rate.read()
    return {"server": SERVER_NAME, "current_rps": current_rps, "total_requests": total_requests}


@app.after_request
def name_the_server(response):
    response.headers["X-Backend"] = SERVER_NAME
    return response


@app.get("/")
def index():
    rate.record()
    return jsonify({"status": "ok", "message": "Request received", **numbers()})


@app.get("/health")
def health():
    return jsonify({"status": "healthy", "server": SERVER_NAME})


@app.get("/rps")
def rps():
    def events():
        while True:
            yield f"data: {json.dumps(numbers())}\n\n"
            time.sleep(1)

    return Response(events(), mimetype="text/event-stream", headers={"Cache-Control": "no-cache"})


@app.get("/rps-display")
def rps_display():
    return Response(PAGE, mimetype="text/html")


def log_every_second():
    due = time.monotonic()
    while True:
        due += 1
        time.sleep(max(0, due - time.monotonic()))
        print(f"[{datetime.now():%Y-%m-%d %H:%M:%S}] Current RPS: {rate.tick()}", flush=True)


PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Requests per second</title>
<style>
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; font-family: system-ui, sans-serif;
         color: #fff; background: linear-gradient(135deg, #5b2a86, #1f6f8b, #2d9d78); background-size: 300% 300%;
         animation: drift 18s ease infinite; }
  main { text-align: center; padding: 2rem 3rem; border-radius: 1.2rem; background: rgb(0 0 0 / .3); }
  #rps { font-size: clamp(4rem, 20vw, 9rem); font-weight: 800; font-variant-numeric: tabular-nums; line-height: 1.1; }
  #status::before { content: ""; display: inline-block; width: .7em; height: .7em; margin-right: .5em;
                    border-radius: 50%; background: #ff6b6b; }
  #status.connected::before { background: #6bff95; animation: beat 1s infinite; }
  @keyframes drift { 50% { background-position: 100% 100%; } }
  @keyframes beat { 50% { opacity: .4; } }
</style>
<main>
  <div id="rps">0</div>
  <p>requests per second at <strong id="server">…</strong></p>
  <p id="status">connecting</p>
</main>
<script>
  const show = (id, text) => { document.getElementById(id).textContent = text; };
  const status = document.getElementById("status");
  const source = new EventSource("/rps");
  source.onopen = () => { status.className = "connected"; show("status", "connected"); };
  source.onerror = () => { status.className = ""; show("status", "reconnecting"); };
  source.onmessage = (event) => {
    const numbers = JSON.parse(event.data);
    show("rps", numbers.current_rps.toLocaleString());
    show("server", numbers.server);
  };
</script>
</html>
"""


if __name__ == "__main__":
    # Flask's server would log every request; the one line a second is the log of this program.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    threading.Thread(target=log_every_second, daemon=True).start()
    app.run(host="0.0.0.0", port=PORT, threaded=True)
