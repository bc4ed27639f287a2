"""Plays rounds under both programs: many in one configuration, each on servers of its own names.

Both programs run at a time, on ports of their own, before the same upstream servers; requests are sent one by one, so
that what a server sees belongs to the request that was sent last. A file that one of the programs refuses is played
without the rounds that the complaint points to.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path

import certificates
from client import Connection
from generator import backend, vocabulary
from generator.clients import OneByOne
from secure import SecureConnection, context
from secure_servers import Tls
from stage import TEMPORARY, text_of
from streams import Streams
from upstream import Upstream

# That an arena takes.
PORTS = 15
STARTS_WITHIN_S = 15
ENDS_WITHIN_S = 3
# As many rounds can be taken out of a file, one after the other, before it is given up.
MOST_REFUSALS = 100

MAIN = """worker_processes 1; daemon off; pid %DIR%/pid; error_log %LOG% %LEVEL%; events { worker_connections 512; }
http {
%TEMPORARY%
access_log off; server_names_hash_bucket_size 128; variables_hash_max_size 8192; server_names_hash_max_size 4096;
limit_req_zone $host$arg_a zone=requestsa:10m rate=1r/m; limit_req_zone $host$uri zone=requestsb:10m rate=1r/m;
limit_conn_zone $host zone=requests_at_once:1m;
server { listen 127.0.0.1:%PORT% default_server; server_name _; return 200 "no such server"; }
ssl_certificate %TREE%/a.pem; ssl_certificate_key %TREE%/a.key;
server { listen 127.0.0.1:%PORT3% ssl default_server; http2 on; server_name _; return 200 "no such server"; }
server { listen 127.0.0.1:%PORT2% default_server; server_name _; %SLASHES% return 200 "no such server"; }
"""


@dataclass
class Outcome:
    """What one round came to: both transcripts, by request, or why a program did not take its configuration."""

    # The configuration.
    text: str = ""
    nginx: list = field(default_factory=list)
    lb: list = field(default_factory=list)
    invalid: str = ""
    refused: str = ""


class Side:
    """One of the programs, started with a file; its ports are its own."""

    def __init__(self, name, program, directory, ports):
        self.name, self.program, self.ports = name, program, ports
        self.directory = directory
        self._process = None

    def render(self, rounds, tags, slashes):
        """The file, and for each of its lines whose it is."""
        slash = "merge_slashes off;" if slashes else ""
        text = MAIN.replace("%TEMPORARY%", TEMPORARY if self.name == "nginx" else "").replace("%SLASHES%", slash)
        lines = text.rstrip("\n").split("\n")
        owners = [None] * len(lines)
        for index, (played, tag) in enumerate(zip(rounds, tags)):
            own = played.lines(tag)
            lines += own
            owners += [index] * len(own)
        lines.append("}")
        text = "\n".join(lines) + "\n"
        for mark, port in self.ports.items():
            text = text.replace(f"%{mark}%", str(port) if mark.startswith("PORT") else f"127.0.0.1:{port}")
        text = text.replace("%LOG%", "stderr" if self.name == "lb" else f"{self.directory}/error.log").replace("%LEVEL%", "error")
        # The files are one tree for both.
        text = text.replace("%TREE%", str(self.directory.parent))
        text = text.replace("%DIR%/www", f"{self.directory.parent}/www").replace("%DIR%", str(self.directory))
        (self.directory / "nginx.conf").write_text(text)
        (self.directory / "users").write_text(vocabulary.USERS)
        return owners

    def command(self, *more):
        return [self.program, "-p", str(self.directory), "-c", str(self.directory / "nginx.conf"), *more]

    def complaints(self):
        """What -t says against the file: lines of it, and the words."""
        done = subprocess.run(self.command("-t"), capture_output=True, text=True, errors="replace", check=False)
        if done.returncode == 0:
            return None
        found = re.findall(r"\[emerg\] (?:\d+#\d+: )?(.*?) in %s/nginx\.conf:(\d+)(.*)" % re.escape(str(self.directory)),
                           done.stdout + done.stderr)
        told = [(int(line), words + rest) for words, line, rest in found]
        return told or [(0, (done.stdout + done.stderr).strip()[:300])]

    def start(self):
        output = open(self.directory / "output", "wb")
        (self.directory / "pid").unlink(missing_ok=True)
        self._process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not text_of(self.directory / "pid").strip():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self.directory / "output").read_text(errors="replace")[:500]
                log = text_of(self.directory / "error.log")[-500:]
                raise RuntimeError(f"{self.name} did not start: {said}{log}")
            time.sleep(0.003)

    def end(self):
        if not self._process or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def alive(self):
        return self._process.poll() is None


class Arena:
    """Both programs, the upstream servers, and the tree of files."""

    def __init__(self, nginx, lb, ports):
        """`ports`: so many as `PORTS` says."""
        ports = list(ports)
        self.directory = Path(tempfile.mkdtemp(prefix="judge-arena-"))
        os.chmod(self.directory, 0o755)
        vocabulary.plant(self.directory / "www")
        self._seen = []
        certificates.lay_out(self)
        shared = {name: ports.pop() for name in ("A", "B", "SA", "SB", "CA", "CB", "HA", "HB", "DEAD")}
        self.sides = []
        for name, program in (("nginx", nginx), ("lb", lb)):
            # Names of one length, as they may be told, and without a letter that an expression looks for.
            directory = self.directory / {"nginx": "zy", "lb": "zw"}[name]
            directory.mkdir()
            os.chmod(directory, 0o777)
            own = {mark: ports.pop() for mark in ("PORT", "PORT2", "PORT3")}
            self.sides.append(Side(name, str(program), directory, own | shared))
        self._upstreams = []
        for mark in ("A", "B", "SA", "SB", "CA", "CB", "HA", "HB"):
            # In the clear, with TLS, with HTTP/2 in the clear, with both.
            server = Upstream(mark[-1], ("127.0.0.1", shared[mark]), lambda who, request: self._seen.append((who, request)))
            http_2, secure = mark[0] in "CH" and mark[1:], mark[0] in "SH"
            tls = Tls(self.directory, "b", alpn=("h2",) if http_2 else ()) if secure else None
            server.speaks(tls, Streams if http_2 else None)
            server.behave = (backend.wanted_over_http_2 if http_2 else backend.wanted)(server)
            self._upstreams.append(server)

    def close(self):
        for server in self._upstreams:
            server.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def check(self, rounds):
        """Which rounds the programs refuse."""
        outcomes = [Outcome("\n".join(each.lines("x"))) for each in rounds]
        for side in self.sides:
            self._check(side, rounds, tags_of(rounds), outcomes, any(each.slashes for each in rounds))
        return outcomes

    def play(self, rounds):
        """One outcome for each round."""
        outcomes, tags = self.check(rounds), tags_of(rounds)
        slashes = any(each.slashes for each in rounds)
        playing = [index for index, outcome in enumerate(outcomes) if not outcome.invalid and not outcome.refused]
        if not playing:
            return outcomes
        for side in self.sides:
            side.render([rounds[index] for index in playing], [tags[index] for index in playing], slashes)
        try:
            for side in self.sides:
                side.start()
            for index in playing:
                for side, lines in zip(self.sides, (outcomes[index].nginx, outcomes[index].lb)):
                    self._requests(side, rounds[index], tags[index], lines)
        finally:
            for side in self.sides:
                side.end()
        return outcomes

    def _check(self, side, rounds, tags, outcomes, slashes):
        """Marks the rounds that this program refuses."""
        for _ in range(MOST_REFUSALS):
            left = [index for index, outcome in enumerate(outcomes) if not outcome.invalid and not outcome.refused]
            owners = side.render([rounds[index] for index in left], [tags[index] for index in left], slashes)
            complaints = side.complaints()
            if not complaints or not left:
                return
            # NGINX tells the first mistake, lb all of them; one without a line is somewhere.
            blamed = {owners[line - 1]: words for line, words in reversed(complaints) if 0 < line <= len(owners)}
            blamed.pop(None, None)
            if not blamed:
                if len(left) == 1:
                    blamed = {0: complaints[0][1]}
                else:
                    self._check_each(side, rounds, tags, outcomes, slashes, left)
                    return
            for index, words in blamed.items():
                setattr(outcomes[left[index]], "invalid" if side.name == "nginx" else "refused", words)

    def _check_each(self, side, rounds, tags, outcomes, slashes, left):
        for index in left:
            side.render([rounds[index]], [tags[index]], slashes)
            if complaints := side.complaints():
                setattr(outcomes[index], "invalid" if side.name == "nginx" else "refused", complaints[0][1])

    def _requests(self, side, played, tag, transcript):
        port = side.ports["PORT3" if played.clients != "http" else "PORT2" if played.slashes else "PORT"]
        lines, connection = [], None
        name = f"{tag}.test"
        for request in played.requests:
            # What differences.toml tells apart by it.
            redirects = [field for field in request.fields if field in ("X-Want: internal", "X-Want: named")]
            lines = [" ".join([f"> {request.method} {request.target}", *redirects])]
            if connection is None:
                try:
                    connection = connect(played.clients, port, name)
                except OSError as error:
                    transcript.append([*lines, f"no connection: {error}" + ("" if side.alive() else ", the program has ended")])
                    return
            connection.write_to(lines.extend)
            self._seen.clear()
            try:
                answer = connection.send(request.data(tag)).read(request.method)
            except (OSError, ValueError) as error:
                answer = None
                lines.append(f"no answer that can be read: {error}")
            for who, seen in list(self._seen):
                lines += seen.transcript(who)
            # After a 412 NGINX closes the connection, in spite of what it says: a filter ended the request.
            if answer is not None and played.clients == "http2":
                transcript.append([self._neutral(side, line, tag) for line in lines])
                continue
            if answer is None or answer.status == 412 or (answer.field("connection") or "close").lower() == "close" or "up to the end" in answer.note:
                connection.close()
                connection = None
            transcript.append([self._neutral(side, line, tag) for line in lines])
        if connection:
            connection.close()

    def _neutral(self, side, line, tag):
        for mark, port in side.ports.items():
            line = re.sub(rf"\b{port}\b", mark, line)
        line = line.replace(str(side.directory), "%DIR%").replace(str(self.directory), "%DIR%")
        line = re.sub(rf"\b{tag}\b|(?<=_){tag}\b", "%R%", line)
        return re.sub(r"^(   expires: )(.+)$", lambda match: match[1] + moment(match[2]), line)


def connect(clients, port, name):
    """A connection of a client that speaks this; `name` is the one of the server."""
    address = ("127.0.0.1", port)
    if clients == "https":
        return SecureConnection(address, None, context(), name)
    return OneByOne(address, name) if clients == "http2" else Connection(address, None)


def tags_of(rounds):
    return [f"q{index}" for index in range(len(rounds))]


def moment(date):
    """A date that lies whole minutes from now, told so; any other as it is."""
    try:
        ahead = parsedate_to_datetime(date).timestamp() - time.time()
    except (ValueError, TypeError):
        return date
    minutes = round(ahead / 60)
    return f"(now and {minutes} min)" if abs(ahead - minutes * 60) <= 2.5 else date
