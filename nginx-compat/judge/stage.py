"""One case under one proxy: its configuration written, its upstream servers up, the proxy started, the script
played, everything ended; what remains is a transcript, free of ports and paths, that can be compared."""

import hashlib
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

from client import Connection
from upstream import Upstream

STARTS_WITHIN_S = 15
ENDS_WITHIN_S = 3
# Longer lines (a request line at the limit) are told by their beginning, length and digest.
LONGEST_LINE = 500

MAIN = """worker_processes 1;
daemon off;
pid %DIR%/pid;
error_log %DIR%/error.log info;
events {}
http {
%TEMPORARY%
%QUIET%
%HTTP%
}
"""

# Directories that NGINX wants writable, and lb has no use for; on one line, so that both count the same lines.
TEMPORARY = " ".join(
    f"{kind}_temp_path %DIR%/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))


def text_of(path):
    """What stands in a file; nothing when there is none, even if it goes away while one looks."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


class Ports:
    """Ports for all cases of a run, below the range that outgoing connections take theirs from."""

    def __init__(self):
        self._lock = threading.Lock()
        # Two judges that were started one after the other are far from each other.
        self._next = 20000 + os.getpid() * 61 % 12000

    def take(self):
        with self._lock:
            while True:
                self._next = self._next + 1 if self._next < 31999 else 20000
                with socket.socket() as probe:
                    try:
                        probe.bind(("127.0.0.1", self._next))
                    except OSError:
                        continue
                return self._next


class Stage:
    """What a case's script holds in its hand."""

    def __init__(self, case, program, is_nginx, directory, ports):
        """`ports` maps the marks that a configuration may use (PORT, PORT2, A to D, DEAD) to numbers."""
        self._case = case
        self._program = program
        self._is_nginx = is_nginx
        self.directory = directory
        self._ports = ports
        self._lines = []
        self._records = []
        self._lock = threading.Lock()
        self._connections = []
        self._forgotten = None
        self._blurs = []
        directory.mkdir(parents=True)
        os.chmod(directory, 0o755)
        self.a, self.b, self.c, self.d = (
            Upstream(name, ("127.0.0.1", ports[name]), self._record) for name in "ABCD")
        self.unix = Upstream("U", str(directory / "up.sock"), self._record) if "%UP_SOCK%" in case.http else None
        if self.unix:
            os.chmod(directory / "up.sock", 0o666)

    def play(self):
        """The transcript of the case."""
        configuration = self._directory_file("nginx.conf", self._render(self._case.main or MAIN))
        command = [self._program, "-p", str(self.directory), "-c", str(configuration)]
        try:
            if self._case.lays_out:
                self._case.lays_out(self)
            if self._case.checks_only:
                self._check(command + ["-t"])
            else:
                self._run(command)
        finally:
            for upstream in (self.a, self.b, self.c, self.d, self.unix):
                if upstream:
                    upstream.stop()
        return [self._neutral(line) for line in self._lines]

    # What scripts use.

    def get(self, target="/", host="example.org", *fields, method="GET", body=b"", version="1.1", port="PORT"):
        """One well-formed request on a connection of its own."""
        lines = [f"{method} {target} HTTP/{version}"]
        if host is not None:
            lines.append(f"Host: {host}")
        lines += fields
        if body:
            lines.append(f"Content-Length: {len(body)}")
        data = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
        return self.raw(data, method=method, port=port)

    def raw(self, data, answers=1, method="GET", port="PORT"):
        """Exactly these bytes on a connection of its own; so many answers are awaited."""
        connection = self.connect(port)
        connection.send(data)
        answer = None
        for _ in range(answers):
            answer = connection.read(method)
            if answer is None:
                break
        if answer is not None and answer.status != 101:
            connection.end()
        connection.close()
        return answer

    def connect(self, port="PORT", source=None, write=None):
        """A connection to play with; `port` may also be the path of a Unix socket. It comes from the address `source`,
        and what it sees goes to `write` instead of the transcript, where they are given."""
        address = port if port.startswith("/") else ("127.0.0.1", self._ports[port])
        connection = Connection(address, write or self.note, source)
        self._connections.append(connection)
        return connection

    def port(self, mark):
        """The number behind a mark."""
        return self._ports[mark]

    def keep(self, connection):
        """Closes a connection when the proxy ends."""
        self._connections.append(connection)

    def note(self, *lines):
        """Lines into the transcript."""
        with self._lock:
            self._lines += lines

    def fail(self, what):
        """Notes what neither program may do: a difference even where both do it."""
        self.note(f"{'NGINX' if self._is_nginx else 'lb'} fails: {what}")

    def reload(self, http):
        """Puts another configuration in place of the first and sends HUP."""
        self._directory_file("nginx.conf", self._render(MAIN, http))
        self._process.send_signal(signal.SIGHUP)

    def forget(self, target):
        """Leaves requests for this target out of what the upstream servers saw, and of the log."""
        self._forgotten = target

    def blur(self, pattern, instead):
        """Replaces what may differ between two runs (moments, durations) in the log."""
        self._blurs.append((pattern, instead))

    def wait(self, seconds):
        time.sleep(seconds)

    def seen(self):
        """How many requests have reached the upstream servers."""
        with self._lock:
            return len(self._records)

    def eventually(self, what, condition, within_s=3):
        """Notes whether `condition` came true in time."""
        deadline = time.monotonic() + within_s
        held = condition()
        while not held and time.monotonic() < deadline:
            time.sleep(0.01)
            held = condition()
        self.note(f"{what}: {'yes' if held else 'no'}")

    # How it is done.

    def _record(self, server, request):
        with self._lock:
            self._records.append((server, request))

    def _run(self, command):
        output = self.directory / "output"
        with open(output, "wb") as file:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        try:
            if not self._started():
                self.note("the proxy did not start", *output.read_text(errors="replace").splitlines()[:3])
                return
            self._case.script(self)
        finally:
            self._end()
        for server, request in self._records:
            if request.target != self._forgotten:
                self._lines += request.transcript(server)
        for log in sorted(self.directory.glob("*.access")):
            for line in log.read_text("latin-1").splitlines():
                for pattern, instead in self._blurs:
                    line = re.sub(pattern, instead, line)
                self._lines.append(f"{log.stem}.access: {line}")

    def _started(self):
        # The pid file stands once the listening sockets do, in both.
        deadline = time.monotonic() + STARTS_WITHIN_S
        pid = self.directory / "pid"
        while not text_of(pid).strip():
            if self._process.poll() is not None or time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True

    def _end(self):
        for connection in self._connections:
            connection.close()
        if self._process.poll() is not None:
            self.note(f"the proxy ended by itself: {self._process.returncode}")
            return
        self._process.send_signal(signal.SIGQUIT)
        try:
            self._process.wait(ENDS_WITHIN_S)
            self.note(f"exit {self._process.returncode}")
        except subprocess.TimeoutExpired:
            self.note(f"the proxy did not end within {ENDS_WITHIN_S} s of QUIT")
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _check(self, command):
        """What -t says: the first complaint of each, and the exit code."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=STARTS_WITHIN_S, check=False)
        output = done.stdout + done.stderr
        output = re.sub(r"(\[\w+\] )\d+#\d+: ", r"\1", output)
        complaint = re.search(r"\[(emerg|warn)\] .*", output)
        last = output.strip().splitlines()[-1:] or ["(silent)"]
        self.note(f"exit {done.returncode}", complaint[0] if complaint else "no complaint",
                  re.sub(r"^\w+: ", "", last[0]))

    def _directory_file(self, name, text):
        path = self.directory / name
        path.write_text(text)
        return path

    def _render(self, text, http=None):
        http = http or self._case.http
        text = text.replace("%QUIET%", "" if "access_log" in http else "access_log off;").replace("%HTTP%", http)
        text = text.replace("%TEMPORARY%", TEMPORARY if self._is_nginx else "")
        for mark, port in self._ports.items():
            text = text.replace(f"%{mark}%", str(port) if mark.startswith("PORT") else f"127.0.0.1:{port}")
        for mark in "ABCD":
            text = text.replace(f"%PORT{mark}%", str(self._ports[mark]))
        text = text.replace("%UP_SOCK%", f"unix:{self.directory}/up.sock").replace("%SOCK%", f"unix:{self.directory}/lb.sock")
        return text.replace("%DIR%", str(self.directory))

    def _neutral(self, line):
        for mark, port in self._ports.items():
            line = re.sub(rf"\b{port}\b", mark, line)
        line = line.replace(str(self.directory), "%DIR%")
        line = "".join(character if character.isprintable() else repr(character)[1:-1] for character in line)
        if len(line) > LONGEST_LINE:
            digest = hashlib.sha1(line.encode()).hexdigest()[:12]
            line = f"{line[:60]}… ({len(line)} characters, sha1 {digest})"
        return line
