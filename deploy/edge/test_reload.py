"""Reloads under load over TLS, each with other certificates: no request fails, and each new handshake has the new one."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import unittest

import stage as stages
from certificates import RSA
from stage import figure, until

RELOADS = int(os.environ.get("EDGE_RELOADS", "20"))
# Between two reloads, so that every configuration serves some of the load.
PAUSE_S = 0.2


class Clients:
    """Threads that open a TLS connection for each few requests, and one that keeps its own; they count what fails."""

    def __init__(self, stage):
        self._context = ssl.create_default_context(cafile=str(stage.authority.certificate))
        self._port = stage.ports["TLS"]
        self._end = threading.Event()
        self.answers, self.failures = [0, 0], []
        self._threads = [threading.Thread(target=self._run, args=(index, per))
                         for index, per in enumerate((3, 1_000_000))]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _run(self, index, requests_per_connection):
        while not self._end.is_set():
            try:
                raw = socket.create_connection(("127.0.0.1", self._port), 20)
                with self._context.wrap_socket(raw, server_hostname="localhost") as connection:
                    self._converse(connection, index, requests_per_connection)
            except OSError as error:
                self.failures.append(f"client {index}: {type(error).__name__}: {error}")

    def _converse(self, connection, index, requests):
        for _ in range(requests):
            connection.sendall(b"GET /files/small HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while not answer.endswith(b"small\n"):
                part = connection.recv(4096)
                if not part:
                    self.failures.append(f"client {index}: the connection ended behind {answer!r}")
                    return
                answer += part
            self.answers[index] += 1
            if b" 200 " not in answer:
                self.failures.append(f"client {index}: {answer!r}")
            if self._end.is_set():
                return


class Reload(unittest.TestCase):
    def setUp(self):
        self.stage = stages.current()

    def serial(self):
        """The serial number of the certificate that a new connection is shown."""
        pem = ssl.get_server_certificate(("127.0.0.1", self.stage.ports["TLS"]), timeout=20)
        shown = subprocess.run(["openssl", "x509", "-noout", "-serial"], input=pem, capture_output=True, text=True, check=True)
        return shown.stdout.strip()

    def test_changing_certificates(self):
        """reloads with changing certificates under TLS and HTTP/2 load: no failed request"""
        directory = self.stage.directory / "ca"
        kept = {name: (directory / name).read_bytes() for name in ("ecdsa.pem", "ecdsa.key", "rsa.pem", "rsa.key")}
        # Two pairs to change between, of either kind; the names of the files stay.
        for pair in ("first", "second"):
            self.stage.authority.issue(f"{pair}-ecdsa", f"localhost {pair}", ["localhost"])
            self.stage.authority.issue(f"{pair}-rsa", f"localhost {pair}", ["localhost"], key=RSA)
        seconds = RELOADS * (PAUSE_S + 0.3) + 5
        load = subprocess.Popen(["h2load", "-D", str(int(seconds)), "-c", "8", "-m", "10", "-t", "1",
                                 self.stage.url("TLS", "/health")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        seen = [self.serial()]
        try:
            with Clients(self.stage) as clients:
                for number in range(RELOADS):
                    pair = ("first", "second")[number % 2]
                    for kind in ("ecdsa", "rsa"):
                        for ending in ("pem", "key"):
                            # Renamed into place: half a file is never there.
                            shutil.copy(directory / f"{pair}-{kind}.{ending}", directory / "next")
                            os.replace(directory / "next", directory / f"{kind}.{ending}")
                    before = seen[-1]
                    self.stage.reload()
                    until(f"reload {number} shows another certificate", lambda: self.serial() != before)
                    seen.append(self.serial())
                    time.sleep(PAUSE_S)
                said, _ = load.communicate(timeout=seconds + 60)
        finally:
            load.kill()
            for name, content in kept.items():
                (directory / name).write_bytes(content)
            self.stage.reload()
        figure(f"{RELOADS} reloads, {clients.answers} answers over HTTP/1.1")
        line = re.search(r"requests: .*", said)
        figure(f"h2load: {line[0] if line else said[-500:]}")
        self.assertEqual([], clients.failures[:5])
        self.assertTrue(all(count > RELOADS for count in clients.answers), clients.answers)
        counts = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", said)
        self.assertIsNotNone(counts, said)
        self.assertEqual((0, 0, 0), tuple(map(int, counts.groups()[2:])), said)
        self.assertGreater(int(counts[2]), 1000)
        codes = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", said)
        self.assertEqual((0, 0, 0), tuple(map(int, codes.groups()[1:])), said)
        self.assertTrue(self.stage.is_running())

    def test_a_bad_certificate_changes_nothing(self):
        """a reload with a broken certificate is refused, and the old one stays"""
        file = self.stage.directory / "ca" / "ecdsa.pem"
        kept, before = file.read_bytes(), self.serial()
        try:
            for broken in (b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n", b"", kept[:200]):
                file.write_bytes(broken)
                marks = self.stage.end_of_log(2000).count("[emerg]")
                self.stage.reload()
                until("the log says why", lambda: self.stage.end_of_log(2000).count("[emerg]") > marks)
                self.assertEqual(before, self.serial())
        finally:
            file.write_bytes(kept)
        self.assertEqual(200, self.stage.s_client("TLS").status)
