"""The program under test with its certificates, its configuration and a server behind it."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from certificates import RSA, Authority

STARTS_WITHIN_S = 20
ENDS_WITHIN_S = 15
PORTS = ("TLS", "ONE_SUITE", "NEW_ONLY", "MUTUAL", "OPTIONAL", "PLAIN", "PROXIED", "STAPLED", "EARLY", "RESPONDER",
         "BACKEND")

# Only NGINX wants these to be writable.
TEMPORARY = " ".join(
    f"{kind}_temp_path {{DIR}}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))

SAYS = ('"$server_name|$scheme|$server_protocol|$ssl_protocol|$ssl_cipher|$ssl_session_reused|$ssl_server_name|'
        '$ssl_client_verify|$ssl_client_s_dn|$ssl_alpn_protocol|$remote_addr\\n"')
LOCATIONS = f"""
    location = /says {{ return 200 {SAYS}; }}
    location /files/ {{ root {{DIR}}; }}
    location / {{ proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; client_max_body_size 20m; }}
"""
CERTIFICATES = """
    ssl_certificate {DIR}/ca/ecdsa.pem; ssl_certificate_key {DIR}/ca/ecdsa.key;
    ssl_certificate {DIR}/ca/rsa.pem; ssl_certificate_key {DIR}/ca/rsa.key;
"""

CONFIGURATION = f"""
daemon off;
worker_processes 2;
pid {{DIR}}/pid;
error_log {{DIR}}/error.log info;
worker_rlimit_nofile 20000;
events {{ worker_connections 16384; }}
http {{
    {{TEMPORARY}}
    access_log off;
    upstream backend {{ server 127.0.0.1:{{BACKEND}}; keepalive 16; }}
    keepalive_requests 1000000;
    server {{
        listen 127.0.0.1:{{TLS}} ssl;
        http2 on;
        server_name localhost;
        {{CERTIFICATES}}
        ssl_session_cache shared:edge:1m;
        {{LOCATIONS}}
    }}
    server {{
        listen 127.0.0.1:{{TLS}} ssl;
        http2 on;
        server_name other.example *.wild.example;
        ssl_certificate {{DIR}}/ca/other.pem; ssl_certificate_key {{DIR}}/ca/other.key;
        {{LOCATIONS}}
    }}
    server {{
        listen 127.0.0.1:{{ONE_SUITE}} ssl;
        server_name localhost;
        {{CERTIFICATES}}
        ssl_protocols TLSv1.2;
        ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;
        ssl_session_tickets off;
        ssl_session_cache shared:one:1m;
        {{LOCATIONS}}
    }}
    server {{
        listen 127.0.0.1:{{NEW_ONLY}} ssl;
        server_name localhost;
        {{CERTIFICATES}}
        ssl_protocols TLSv1.3;
        {{LOCATIONS}}
    }}
    server {{
        listen 127.0.0.1:{{MUTUAL}} ssl;
        http2 on;
        server_name localhost;
        {{CERTIFICATES}}
        ssl_verify_client on;
        ssl_client_certificate {{DIR}}/ca/ca.pem;
        {{LOCATIONS}}
    }}
    server {{
        listen 127.0.0.1:{{OPTIONAL}} ssl;
        server_name localhost;
        {{CERTIFICATES}}
        ssl_verify_client optional;
        ssl_client_certificate {{DIR}}/ca/ca.pem;
        {{LOCATIONS}}
    }}
    server {{
        listen 127.0.0.1:{{PLAIN}};
        http2 on;
        server_name localhost;
        {{LOCATIONS}}
    }}
    server {{
        listen 127.0.0.1:{{STAPLED}} ssl;
        server_name localhost;
        ssl_certificate {{DIR}}/ca/ecdsa.pem; ssl_certificate_key {{DIR}}/ca/ecdsa.key;
        ssl_stapling on;
        ssl_stapling_responder http://127.0.0.1:{{RESPONDER}}/ask;
        ssl_stapling_verify on;
        ssl_trusted_certificate {{DIR}}/ca/ca.pem;
        {{LOCATIONS}}
    }}
    server {{
        listen 127.0.0.1:{{EARLY}} ssl;
        server_name localhost;
        {{CERTIFICATES}}
        ssl_protocols TLSv1.3;
        ssl_early_data on;
        ssl_session_cache shared:early:1m;
        location / {{ return 200 "early=$ssl_early_data,reused=$ssl_session_reused.\\n"; }}
    }}
    server {{
        listen 127.0.0.1:{{PROXIED}} ssl proxy_protocol;
        http2 on;
        server_name localhost;
        {{CERTIFICATES}}
        set_real_ip_from 127.0.0.1;
        real_ip_header proxy_protocol;
        {{LOCATIONS}}
    }}
}}
"""

_current = None


def current():
    return _current


def until(what, condition, within_s=STARTS_WITHIN_S):
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {what}")
        time.sleep(0.01)


def figure(text):
    """A line for whoever reads the output."""
    print(f"    {text}")


class Stage:
    """Everything that runs during the tests."""

    def __init__(self, program, backend):
        self._program, self._backend = program, backend
        self.is_nginx = "nginx" in program.name
        self.directory = Path(tempfile.mkdtemp(prefix="edge-"))
        self.directory.chmod(0o755)
        self.ports = {name: free_port() for name in PORTS}
        self._processes = []

    def __enter__(self):
        global _current
        _current = self
        try:
            self.authority = Authority(self.directory / "ca", "Edge Test Authority")
            self.authority.issue("ecdsa", "localhost", ["localhost", "sub.localhost"])
            self.authority.issue("rsa", "localhost", ["localhost", "sub.localhost"], key=RSA)
            self.authority.issue("other", "other.example", ["other.example", "*.wild.example"])
            self.authority.issue("client", "a client")
            Authority(self.directory / "stranger", "Somebody Else").issue("client", "a stranger")
            files = self.directory / "files"
            files.mkdir()
            (files / "large").write_bytes(bytes(range(256)) * 8192)
            (files / "small").write_bytes(b"small\n")
            self.configure()
            self._run([self._backend, "--bind", "127.0.0.1", "--port", self.ports["BACKEND"], "--name", "edge"], "backend")
            self._proxy = self._run([self._program, "-p", f"{self.directory}/", "-c", self.directory / "nginx.conf"], "output")
            until(f"the program starts; it said: {self.end_of_log()}", self._has_started)
            until("the backend starts", lambda: is_open(self.ports["BACKEND"]))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def configure(self):
        """Writes the configuration."""
        text = CONFIGURATION.replace("{LOCATIONS}", LOCATIONS).replace("{CERTIFICATES}", CERTIFICATES)
        text = text.replace("{TEMPORARY}", TEMPORARY if self.is_nginx else "").replace("{DIR}", str(self.directory))
        for name, port in self.ports.items():
            text = text.replace(f"{{{name}}}", str(port))
        (self.directory / "nginx.conf").write_text(text)

    def reload(self):
        self._proxy.send_signal(signal.SIGHUP)

    def processes(self):
        """The numbers of the program's processes."""
        own = self._proxy.pid
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(own)], capture_output=True, text=True, check=False)
        return [own, *map(int, children.stdout.split())]

    def log(self):
        """All that the error log says."""
        return (self.directory / "error.log").read_text(errors="replace")

    def is_running(self):
        return self._proxy.poll() is None

    def end_of_log(self, lines=15):
        """The last lines of what the program said."""
        said = [self.directory / "output", self.directory / "error.log"]
        text = "".join(file.read_text(errors="replace") for file in said if file.exists())
        return "\n".join(text.splitlines()[-lines:])

    def url(self, port, path="/", scheme="https"):
        return f"{scheme}://localhost:{self.ports[port]}{path}"

    def s_client(self, port, *arguments, name="localhost", path="/says", timeout=20):
        """openssl s_client with one request over what it agrees on; all that it says."""
        host = ["-servername", name] if name else ["-noservername"]
        request = f"GET {path} HTTP/1.1\r\nHost: {name or 'localhost'}\r\nConnection: close\r\n\r\n"
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{self.ports[port]}", *host, "-ign_eof",
                   "-CAfile", str(self.authority.certificate), *map(str, arguments)]
        done = subprocess.run(command, input=request.encode(), capture_output=True, timeout=timeout, check=False)
        return Handshake((done.stdout + done.stderr).decode("latin-1"))

    def curl(self, *arguments, timeout=60, data=None):
        """curl, which must succeed; its standard output."""
        command = ["curl", "--silent", "--show-error", "--max-time", str(timeout), "--noproxy", "*",
                   "--cacert", str(self.authority.certificate), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, input=data, timeout=timeout + 5, check=False)
        if done.returncode:
            raise AssertionError(f"curl {' '.join(map(str, arguments))}: {done.returncode}, {done.stderr.decode()}")
        return done.stdout

    def _run(self, command, output):
        with open(self.directory / output, "wb") as file:
            # NGINX itself reads a variable of this name.
            environment = {name: value for name, value in os.environ.items() if name not in ("NGINX", "LB_ADMIN")}
            process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                       env=environment)
        self._processes.append(process)
        return process

    def _has_started(self):
        if not self.is_running():
            raise AssertionError(f"the program ended: {self.end_of_log()}")
        pid = self.directory / "pid"
        return pid.exists() and pid.read_text().strip() != ""


class Handshake:
    """What openssl s_client said."""

    def __init__(self, text):
        self.text = text
        line = next((line for line in text.splitlines() if line.startswith(("New, ", "Reused, "))), "")
        words = line.replace(",", "").split()
        self.reused = line.startswith("Reused")
        self.protocol, self.suite = (words[1], words[-1]) if words else ("(NONE)", "(NONE)")
        self.succeeded = self.suite != "(NONE)"
        self.is_verified = "Verify return code: 0 (ok)" in text
        self.subject = self._after("subject=")
        self.alpn = self._after("ALPN protocol: ")
        self.signature = self._after("Peer signature type: ")
        head, _, body = text.partition("\r\n\r\n")
        self.status = int(head.rpartition("HTTP/1.1 ")[2][:3]) if "HTTP/1.1 " in head else 0
        self.body = body.partition("closed\n")[0]

    def _after(self, beginning):
        return next((line[len(beginning):] for line in self.text.splitlines() if line.startswith(beginning)), "")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
