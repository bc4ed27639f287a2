"""The programs a measurement needs, on loopback, in a directory of their own: started, waited for, ended.

One text of configuration drives NGINX and lb alike (`PROXY`); only paths and the listening port differ. Every
process is ended by its id, and whatever it leaves behind goes with the directory.
"""

import os
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

STARTS_WITHIN_S = 10
STOPS_WITHIN_S = 5

# Name in the URL, and how many bytes stand behind it.
ANSWERS = {"60": 60, "100k": 100 * 1024, "1m": 1024 * 1024}

UPSTREAM = """
worker_processes 1;
daemon off;
pid {directory}/pid;
error_log {directory}/error.log;
events {{ worker_connections 8192; }}
http {{
    {temporary_paths}
    access_log off;
    # Cheap, so that it is never what a run waits for.
    sendfile on;
    tcp_nopush on;
    open_file_cache max=16;
    keepalive_requests 1000000;
    server {{
{listens}
        location / {{ root {answers}; }}
        location = /status {{ stub_status; }}
    }}
}}
"""

PROXY = """
worker_processes 1;
daemon off;
pid {directory}/pid;
error_log {directory}/error.log {log_level};
events {{ worker_connections 8192; }}
http {{
    {temporary_paths}
    access_log off;
    upstream backend {{
{servers}
{keepalive}
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://backend;
{connection}
        }}
    }}
}}
"""

# What makes NGINX keep connections to upstream servers; the original's configuration has none of it.
KEEPALIVE = "        keepalive 64;"
KEEPALIVE_CONNECTION = '            proxy_http_version 1.1;\n            proxy_set_header Connection "";'


class CannotMeasure(Exception):
    """A run that would say nothing: something did not start, or answered wrongly."""


@contextmanager
def pinned_to(cores):
    """Whatever is started inside may run on `cores` only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_ports(count):
    """Ports nobody listens on at this moment, below the range that outgoing connections take theirs from."""
    ports = []
    first = 20000 + os.getpid() % 8000
    for port in [*range(first, 28000), *range(20000, first)]:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise CannotMeasure(f"no {count} free ports between 20000 and 28000 on 127.0.0.1")


class Server:
    """One running program and its children."""

    def __init__(self, program, configuration, directory, port, cores):
        self.port = port
        self.error_log = directory / "error.log"
        directory.mkdir()
        os.chmod(directory, 0o755)
        self._file = directory / "nginx.conf"
        self._file.write_text(configuration)
        self._output = directory / "output"
        with pinned_to(cores), open(self._output, "wb") as output:
            self._process = subprocess.Popen(
                [str(program), "-p", str(directory), "-c", str(self._file)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )
        try:
            self._wait(program)
        except BaseException:
            self.stop()
            raise

    def _wait(self, program):
        deadline = time.monotonic() + STARTS_WITHIN_S
        while True:
            if self._process.poll() is not None:
                raise CannotMeasure(f"{program} ended at once: {self._output.read_text(errors='replace').strip()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise CannotMeasure(f"{program} does not listen on 127.0.0.1:{self.port}") from None
                time.sleep(0.02)

    def pids(self):
        """The process and its children, the master's workers among them."""
        found = [self._process.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*"):
                found += [int(child) for child in (task / "children").read_text().split()]
        return found

    def stop(self):
        """Ends it and its children; by force when asking does not help."""
        if self._process.poll() is not None:
            return
        children = self.pids()[1:]
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            for child in children:
                try:
                    os.kill(child, signal.SIGKILL)
                except ProcessLookupError:
                    pass


class Field:
    """The upstream and the proxies before it, all in one temporary directory."""

    def __init__(self, directory, nginx, proxy_cores, other_cores):
        self._directory = directory
        self._nginx = nginx
        self._proxy_cores = proxy_cores
        self._running = []
        os.chmod(directory, 0o755)  # NGINX's workers are nobody when its master is root
        answers = directory / "answers"
        answers.mkdir()
        os.chmod(answers, 0o755)
        for name, size in ANSWERS.items():
            (answers / name).write_bytes(b"x" * size)
        self._upstream_ports = free_ports(4)
        upstream = directory / "upstream"
        self._upstream = Server(
            nginx,
            UPSTREAM.format(
                directory=upstream,
                answers=answers,
                temporary_paths=temporary_paths(upstream),
                listens="\n".join(f"        listen 127.0.0.1:{port};" for port in self._upstream_ports),
            ),
            upstream, self._upstream_ports[0], other_cores,
        )
        self._running.append(self._upstream)

    def start(self, name, program, keepalive, log_level="error"):
        """A proxy before the upstream. With `warn`, NGINX tells of every body that it writes to a temporary file."""
        directory = self._directory / name
        (port,) = free_ports(1)
        text = PROXY.format(
            directory=directory,
            log_level=log_level,
            port=port,
            # Paths that NGINX wants writable and that lb has no use for.
            temporary_paths=temporary_paths(directory) if program == self._nginx else "",
            servers="\n".join(
                f"        server 127.0.0.1:{upstream} max_fails=1 fail_timeout=30s;" for upstream in self._upstream_ports
            ),
            keepalive=KEEPALIVE if keepalive else "",
            connection=KEEPALIVE_CONNECTION if keepalive else "",
        )
        server = Server(program, text, directory, port, self._proxy_cores)
        self._running.append(server)
        return server

    def upstream_connections(self):
        """How many connections the upstream has accepted so far, its own status page's among them."""
        _, body = fetch(self._upstream.port, "/status")
        return int(body.split(b"\n")[2].split()[0])

    def stop(self):
        """Ends everything that was started, last first."""
        while self._running:
            self._running.pop().stop()


def temporary_paths(directory):
    """NGINX's five directories for bodies, which by default lie where only root may write."""
    return " ".join(
        f"{kind}_temp_path {directory}/{kind}_temp;" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )


def fetch(port, path):
    """One request on a connection of its own: status and body."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 "):
        raise CannotMeasure(f"127.0.0.1:{port}{path} answered {head[:80]!r}")
    if b"transfer-encoding: chunked" in head.lower():
        body = unchunked(body)
    return int(head.split()[1]), body


def unchunked(body):
    """The payload of a chunked body."""
    payload = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        size = int(size, 16)
        payload += body[:size]
        body = body[size + 2:]
    return payload
