"""The stack under test: docker compose under a project name of its own, and what its parts say of themselves."""

import contextlib
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "target" / "e2e"
PROJECT = "cirque-e2e"
# Not 9145: a user's own stack, or the demo, may have that.
ADMIN_PORT = 19145
# HTTPS, on the port that everyone has it on.
TLS_PORT = 443

_current = None


def use(stack):
    """Makes this the stack that `current` hands to the tests."""
    global _current
    _current = stack


def current():
    return _current


def figure(text):
    """One measured fact, in the output of the run."""
    print(f"\n    {text}", end="", flush=True)


def until(deadline_s, what, probe, every_s=0.05):
    """Calls `probe` until it returns something true, and returns that. Fails with `what` when the time is over."""
    end = time.monotonic() + deadline_s
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            found = probe()
            if found:
                return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s} s: {what}")
        time.sleep(every_s)


def holder(port):
    """Who listens on a port of this machine, as far as `ss` can say."""
    if not shutil.which("ss"):
        return "install iproute2 to see which"
    listed = subprocess.run(["ss", "-Hltnp", f"sport = :{port}"], capture_output=True, text=True).stdout
    return " ".join(listed.split()) or "it has ended meanwhile"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict
    body: bytes

    def json(self):
        return json.loads(self.body)


def agreed_over_tls(port):
    """What a port of TLS agrees on with a client that can speak HTTP/2, and the status of a request in HTTP/1.1."""
    context = ssl.create_default_context()
    # The certificate was made on the spot; that it is for localhost is not what is asked here.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("localhost", port, timeout=10, context=context)
    try:
        connection.request("GET", "/health")
        status = connection.getresponse().status
    finally:
        connection.close()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("localhost", port), 10) as raw, \
            context.wrap_socket(raw, server_hostname="localhost") as secure:
        return secure.selected_alpn_protocol(), status


def get(url, timeout_s=5.0):
    """One GET on a connection of its own. Header names are in lower case."""
    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=timeout_s)
    try:
        connection.request("GET", f"/{path}")
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())
    finally:
        connection.close()


def first_event(address, timeout_s=5.0):
    """The first event of a backend's /rps: its counters, without counting as a request."""
    connection = http.client.HTTPConnection(address, timeout=timeout_s)
    try:
        connection.request("GET", "/rps")
        response = connection.getresponse()
        while line := response.readline():
            if line.startswith(b"data:"):
                return json.loads(line.removeprefix(b"data:"))
        raise ConnectionError(f"{address} sent no event")
    finally:
        connection.close()


@dataclass(frozen=True)
class Container:
    """One container, as it was when asked."""

    id: str
    name: str
    running: bool
    ip: str
    started_at: float
    """Seconds since the epoch, by this machine's clock."""
    ports: dict
    """Container port to the address it has on this machine."""

    def total_requests(self):
        """Requests so far, as of the last whole second; asking does not count as one."""
        return first_event(self.ports[5000])["total_requests"]


class Served:
    """How many requests others have sent to a backend, as of now.

    A backend publishes its counters once a second. Only the answer to a request has the number of this instant; each
    of those asked from here is taken off again.
    """

    def __init__(self, container):
        self._url = f"http://{container.ports[5000]}/"
        self._asked = 0

    def count(self):
        total = get(self._url).json()["total_requests"]
        self._asked += 1
        return total - self._asked


class Stack:
    def __init__(self, front, port):
        self.front = front
        self.port = port
        self.service = {"pingora": "lb", "nginx": "nginx"}[front]
        # How long NGINX may take longer than lb: it has no probes, and leaves a server alone for fail_timeout.
        self.patience_s = {"pingora": 0, "nginx": 35}[front]
        self.url = f"http://127.0.0.1:{port}"
        self.admin = f"http://127.0.0.1:{ADMIN_PORT}"
        # Tests change the configuration; they change a copy.
        self.config = ARTIFACTS / "config"
        self.env_file = ARTIFACTS / "env"
        self._environment = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": PROJECT,
            "COMPOSE_ENV_FILES": str(self.env_file),
            "COMPOSE_PROGRESS": "plain",
            "LB_PORT": str(port),
            "NGINX_PORT": str(port),
            "ORIGINAL_PORT": str(port),
            "LB_TLS_PORT": str(TLS_PORT),
            "NGINX_TLS_PORT": str(TLS_PORT),
            "LB_ADMIN_PORT": str(ADMIN_PORT),
        }
        self._environment.pop("COMPOSE_PROFILES", None)

    # -- life ---------------------------------------------------------------------------------------------------------

    def claim(self, more_ports=()):
        """Makes sure that nobody else has the ports, and lays out the files that tests change."""
        self.down()
        for port in (self.port, TLS_PORT, ADMIN_PORT, *more_ports):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    sys.exit(f"e2e: port {port} is taken by another program: {holder(port)}")
        shutil.rmtree(ARTIFACTS, ignore_errors=True)
        ARTIFACTS.mkdir(parents=True)
        self.reset_config()
        self.env_file.write_text(f"COMPOSE_PROFILES={self.front}\n")
        # The copy stands where the original file would.
        (ARTIFACTS / "override.json").write_text(json.dumps({"services": {
            service: {"volumes": [f"{self.config}:/etc/cirque:ro"]} for service in ("lb", "nginx")}}))

    def reset_config(self):
        self.config.mkdir(exist_ok=True)
        # Written over, not replaced: the running container sees it too.
        (self.config / "nginx.conf").write_text((ROOT / "nginx-compat" / "nginx.conf").read_text())

    def build(self):
        with open(ARTIFACTS / "build.log", "w") as log:
            built = subprocess.run(self._compose_line("--profile", "*", "build"), env=self._environment, cwd=ROOT,
                                   stdout=log, stderr=subprocess.STDOUT)
        if built.returncode != 0:
            sys.stdout.write((ARTIFACTS / "build.log").read_text()[-6000:])
            sys.exit("e2e: docker compose build failed")

    def down(self):
        subprocess.run(["docker", "compose", "--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "20"],
                       env=self._environment | {"COMPOSE_ENV_FILES": ""}, cwd=ROOT, capture_output=True)

    def save_logs(self):
        with open(ARTIFACTS / "containers.log", "w") as log:
            subprocess.run(self._compose_line("--profile", "*", "logs", "--no-color", "--timestamps", "--tail", "2000"),
                           env=self._environment, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)

    # -- docker -------------------------------------------------------------------------------------------------------

    def _compose_line(self, *arguments):
        return ["docker", "compose", "--file", str(ROOT / "compose.yaml"), "--file", str(ARTIFACTS / "override.json"),
                *arguments]

    def compose(self, *arguments, timeout_s=180):
        """Runs docker compose and returns its output; fails with it when it fails."""
        return self.run(self._compose_line(*arguments), timeout_s=timeout_s)

    def run(self, line, timeout_s=180):
        done = subprocess.run(line, env=self._environment, cwd=ROOT, text=True, timeout=timeout_s,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(line)}: exit status {done.returncode}\n{done.stdout}")
        return done.stdout

    def up(self, backends=4):
        """What `docker compose up -d` starts, and the wait until it is healthy."""
        self.compose("up", "--detach", "--wait", "--scale", f"backend={backends}")
        until(10, f"{self.url} answers", lambda: get(f"{self.url}/health").status == 200)

    def containers(self, service, all_states=False):
        """The service's containers in the order of their numbers."""
        ids = self.compose("--profile", "*", "ps", "--quiet", *(["--all"] if all_states else []), service).split()
        return sorted((self.inspect(id) for id in ids), key=lambda container: (len(container.name), container.name))

    def inspect(self, id):
        found = json.loads(self.run(["docker", "inspect", id]))[0]
        networks = found["NetworkSettings"]["Networks"]
        ports = {int(port.split("/")[0]): f"127.0.0.1:{bound[0]['HostPort']}"
                 for port, bound in found["NetworkSettings"]["Ports"].items() if bound}
        started = found["State"]["StartedAt"]
        # Docker writes nanoseconds, which datetime does not read.
        whole, _, fraction = started.removesuffix("Z").partition(".")
        started_at = datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")
        return Container(id=found["Id"], name=found["Name"].lstrip("/"), running=found["State"]["Running"],
                         ip=next(iter(networks.values()))["IPAddress"], started_at=started_at, ports=ports)

    def backends(self):
        return self.containers("backend")

    def start(self, *arguments):
        """Begins a docker compose command and does not wait for it."""
        return subprocess.Popen(self._compose_line(*arguments), env=self._environment, cwd=ROOT, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def logs(self, service, tail="all"):
        return self.compose("--profile", "*", "logs", "--no-color", "--no-log-prefix", "--tail", str(tail), service)

    def running_services(self):
        return set(self.compose("--profile", "*", "ps", "--services", "--status", "running").split())
