"""curl over TLS, with HTTP/1.1 and HTTP/2, and who the client is behind a PROXY protocol header."""

import hashlib
import socket
import ssl
import unittest

import stage as stages
from stage import figure


class Curl(unittest.TestCase):
    def setUp(self):
        self.stage = stages.current()

    def test_versions(self):
        """curl speaks both versions, over TLS and without, to the program and through it"""
        for version, scheme, port, protocol in (("--http1.1", "https", "TLS", "HTTP/1.1"), ("--http2", "https", "TLS", "HTTP/2.0"),
                                                ("--http1.1", "http", "PLAIN", "HTTP/1.1"),
                                                ("--http2-prior-knowledge", "http", "PLAIN", "HTTP/2.0"),
                                                ("--http2", "https", "NEW_ONLY", "HTTP/1.1")):
            says = self.stage.curl(version, self.stage.url(port, "/says", scheme)).decode()
            self.assertTrue(says.startswith(f"localhost|{scheme}|{protocol}|"), f"{version} {port}: {says}")
            answer = self.stage.curl(version, "--write-out", "%{http_version} %{http_code}", "--output", "/dev/null",
                                     self.stage.url(port, "/health", scheme)).decode()
            self.assertEqual(f"{protocol[5:].removesuffix('.0')} 200", answer)

    def test_large_answers(self):
        """2 MB of a file come as they are, over both versions, whole and in ranges"""
        content = bytes(range(256)) * 8192
        for version in ("--http1.1", "--http2"):
            self.assertEqual(content, self.stage.curl(version, self.stage.url("TLS", "/files/large")))
            self.assertEqual(content[70_000:170_001],
                             self.stage.curl(version, "--range", "70000-170000", self.stage.url("TLS", "/files/large")))

    def test_large_requests(self):
        """3 MB go through to a server, over both versions"""
        body = hashlib.sha256(b"edge").digest() * 100_000
        for version in ("--http1.1", "--http2"):
            code = self.stage.curl(version, "--data-binary", "@-", "--header", "Expect:", "--output", "/dev/null",
                                   "--write-out", "%{http_code}", self.stage.url("TLS", "/"), data=body).decode()
            # The demo's server takes no body: what it says of the method comes back, whatever it is.
            self.assertIn(code, ("200", "404", "405", "413"))

    def test_many_at_once(self):
        """fifty transfers at once, in one connection of HTTP/2 and in many of HTTP/1.1"""
        for version in ("--http1.1", "--http2"):
            urls = [self.stage.url("TLS", f"/files/small?{number}") for number in range(50)]
            answers = self.stage.curl("--parallel", "--parallel-max", 25, version, *urls)
            self.assertEqual(b"small\n" * 50, answers)

    def test_kept_connections(self):
        """one connection carries many requests"""
        for version in ("--http1.1", "--http2"):
            urls = [self.stage.url("TLS", "/says")] * 20
            outputs = [word for _ in urls for word in ("--output", "/dev/null")]
            counts = self.stage.curl(version, "--write-out", "%{num_connects} ", *outputs, *urls).decode().split()
            self.assertEqual(["1"] + ["0"] * 19, counts)

    def test_no_http_1_upgrade_to_http_2(self):
        """a wish for h2c by Upgrade is answered in HTTP/1.1"""
        says = self.stage.curl("--http2", self.stage.url("PLAIN", "/says", "http")).decode()
        self.assertTrue(says.startswith("localhost|http|HTTP/1.1|"), says)


class Proxied(unittest.TestCase):
    def setUp(self):
        self.stage = stages.current()
        self.context = ssl.create_default_context(cafile=str(self.stage.authority.certificate))

    def test_the_header_comes_before_tls(self):
        """a PROXY protocol header stands before the handshake, in one piece with it or apart"""
        headers = (b"PROXY TCP4 192.0.2.1 192.0.2.9 4321 443\r\n",
                   b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x09\x10\xe1\x01\xbb")
        for header in headers:
            raw = socket.create_connection(("127.0.0.1", self.stage.ports["PROXIED"]), 10)
            raw.sendall(header)
            with self.context.wrap_socket(raw, server_hostname="localhost") as secure:
                secure.sendall(b"GET /says HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                answer = b""
                while part := secure.recv(4096):
                    answer += part
            self.assertIn(b"|192.0.2.1\n", answer)

    def test_haproxy_protocol_of_curl(self):
        """curl's own header, over HTTP/2"""
        for version in ("--http1.1", "--http2"):
            says = self.stage.curl(version, "--haproxy-protocol", self.stage.url("PROXIED", "/says")).decode()
            self.assertTrue(says.endswith("|127.0.0.1\n"), says)
        figure("curl --haproxy-protocol: taken")

    def test_without_the_header(self):
        """a handshake without a header is refused"""
        raw = socket.create_connection(("127.0.0.1", self.stage.ports["PROXIED"]), 10)
        with self.assertRaises(OSError):
            self.context.wrap_socket(raw, server_hostname="localhost")
        raw.close()
