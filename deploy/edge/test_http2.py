"""HTTP/2 as nghttp and h2load see it."""

import re
import subprocess
import unittest

import stage as stages
from stage import figure


def nghttp(*arguments, timeout=60):
    done = subprocess.run(["nghttp", "--verbose", "--timeout=20", *map(str, arguments)], capture_output=True, text=True,
                          errors="replace", timeout=timeout, check=False)
    return done.stdout + done.stderr


def statuses(text):
    return re.findall(r"recv \(stream_id=\d+\) :status: (\d+)", re.sub(r"\x1b\[[0-9;]*m", "", text))


def h2load(*arguments, timeout=120):
    """What h2load counted: requests that succeeded and that did not, and all that it said."""
    done = subprocess.run(["h2load", *map(str, arguments)], capture_output=True, text=True, timeout=timeout, check=False)
    line = re.search(r"requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", done.stdout)
    codes = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", done.stdout)
    if not line or not codes:
        raise AssertionError(f"h2load {arguments}: {done.stdout}{done.stderr}")
    return tuple(map(int, line.groups())), tuple(map(int, codes.groups())), done.stdout


class Http2(unittest.TestCase):
    def setUp(self):
        self.stage = stages.current()

    def test_streams(self):
        """nghttp: ten streams in one connection, over TLS and by prior knowledge"""
        for port, scheme in (("TLS", "https"), ("PLAIN", "http")):
            said = nghttp("--no-verify-peer", "--null-out", "--multiply=10", self.stage.url(port, "/files/large", scheme))
            self.assertEqual(["200"] * 10, statuses(said), said[-2000:])
            self.assertNotIn("RST_STREAM", said)

    def test_settings(self):
        """the connection begins with settings, and says how many streams may be open"""
        said = nghttp("--no-verify-peer", "--null-out", self.stage.url("TLS", "/says"))
        self.assertRegex(said, r"recv.* SETTINGS frame")
        self.assertRegex(said, r"SETTINGS_MAX_CONCURRENT_STREAMS\(0x03\):128")

    def test_a_body(self):
        """a request body of 100 kB goes through"""
        body = self.stage.directory / "body"
        body.write_bytes(b"x" * 100_000)
        said = nghttp("--no-verify-peer", "--null-out", f"--data={body}", self.stage.url("TLS", "/"))
        self.assertEqual(1, len(statuses(said)), said[-2000:])

    def test_small_windows(self):
        """a client with small windows gets all of a large answer"""
        said = nghttp("--no-verify-peer", "--null-out", "--window-bits=10", "--connection-window-bits=10",
                      self.stage.url("TLS", "/files/large"), timeout=120)
        self.assertEqual(["200"], statuses(said), said[-2000:])

    def test_header_fields(self):
        """long fields and many fields pass"""
        fields = [f"--header=x-field-{number}: {'v' * 100}" for number in range(50)]
        said = nghttp("--no-verify-peer", "--null-out", *fields, self.stage.url("TLS", "/health"))
        self.assertEqual(["200"], statuses(said), said[-2000:])
        said = nghttp("--no-verify-peer", "--null-out", f"--header=x-long: {'v' * 40_000}", self.stage.url("TLS", "/health"))
        self.assertNotIn("200", statuses(said))

    def test_load(self):
        """h2load: every request is answered, in HTTP/2 over TLS, by prior knowledge, and in HTTP/1.1 over TLS"""
        for name, *arguments in (("HTTP/2, 64 streams", "-m64", self.stage.url("TLS", "/says")),
                                 ("HTTP/2 through the program", "-m32", self.stage.url("TLS", "/health")),
                                 ("HTTP/2 without TLS", "-m32", self.stage.url("PLAIN", "/health", "http")),
                                 ("HTTP/2, files", "-m8", self.stage.url("TLS", "/files/large")),
                                 ("HTTP/1.1 over TLS", "--h1", self.stage.url("TLS", "/health"))):
            requests = 200 if "large" in arguments[-1] else 4000
            (succeeded, *others), codes, said = h2load("-n", requests, "-c", 8, "-t", 1, *arguments)
            rate = re.search(r"([\d.]+) req/s", said)
            figure(f"{name}: {succeeded} of {requests}, {rate[1] if rate else '?'} a second (debug build)")
            self.assertEqual((requests, [0, 0, 0], (requests, 0, 0, 0)), (succeeded, others, codes), name)
