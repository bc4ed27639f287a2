"""TLS as openssl s_client sees it: protocols, suites, certificates by name, resumption, client certificates."""

import os
import socket
import subprocess
import unittest
from pathlib import Path

import stage as stages
from stage import figure

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs" / "tls.md"

PROTOCOLS = ("-tls1", "-tls1_1", "-tls1_2", "-tls1_3")
OF_OLD = ["-cipher", "ALL:@SECLEVEL=0"]


def offered_protocols(stage, port):
    """Which protocols a port takes, of those that openssl can speak."""
    taken = []
    for protocol in PROTOCOLS:
        if stage.s_client(port, protocol, *(OF_OLD if protocol in ("-tls1", "-tls1_1") else [])).succeeded:
            taken.append("TLSv" + protocol[4:].replace("_", ".") + ("" if "_" in protocol else ".0"))
    return taken


def offered_suites(stage, port):
    """Which suites a port takes: all that openssl has are offered, one at a time."""
    known = subprocess.run(["openssl", "ciphers", "-s", "-tls1_2", "ALL:@SECLEVEL=0"], capture_output=True, text=True,
                           check=True).stdout.strip().split(":")
    old = [suite for suite in known if not suite.startswith("TLS_") and "PSK" not in suite and "SRP" not in suite]
    new = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
           "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"]
    taken = [("TLSv1.3", suite) for suite in new
             if stage.s_client(port, "-tls1_3", "-ciphersuites", suite).succeeded]
    return taken + [("TLSv1.2", suite) for suite in old
                    if stage.s_client(port, "-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0").succeeded]


# As openssl names them on its command line. X25519MLKEM768 is beyond OpenSSL 3.0: lb's own tests have it.
GROUPS = ("X25519", "prime256v1", "secp384r1", "secp521r1", "X448", "ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144",
          "ffdhe8192")
BEGIN, END = "<!-- offered: begin -->\n", "<!-- offered: end -->"


def offered(stage):
    """What docs/tls.md says is offered on a port without settings: asked with openssl, one handshake for each."""
    taken = offered_protocols(stage, "TLS")
    lines = ["| version | offered |", "|---|---|"]
    lines += [f"| {name} | {'yes' if name in taken else 'no'} |" for name in ("TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")]
    lines += ["", "| suite | version | key exchange | certificate | encryption |", "|---|---|---|---|---|"]
    said = subprocess.run(["openssl", "ciphers", "-v", "ALL:@SECLEVEL=0"], capture_output=True, text=True, check=True).stdout
    words = {line.split()[0]: dict(word.split("=", 1) for word in line.split() if "=" in word) for line in said.splitlines()}
    for version, suite in sorted(offered_suites(stage, "TLS"), key=lambda one: (one[0] != "TLSv1.3", one[1])):
        known = words[suite]
        lines.append(f"| `{suite}` | {version[4:]} | {known['Kx']} | {known['Au']} | {known['Enc']} |")
    lines += ["", "| group | offered |", "|---|---|"]
    lines += [f"| {group} | {'yes' if stage.s_client('TLS', '-tls1_3', '-groups', group).succeeded else 'no'} |"
              for group in GROUPS]
    return "\n".join(lines) + "\n"


class Tls(unittest.TestCase):
    def setUp(self):
        self.stage = stages.current()

    def test_documented(self):
        """docs/tls.md says what is offered; EDGE_WRITE=1 writes it there"""
        if self.stage.is_nginx:
            return
        found, text = offered(self.stage), DOCUMENT.read_text()
        before, _, rest = text.partition(BEGIN)
        documented, _, after = rest.partition(END)
        if os.environ.get("EDGE_WRITE"):
            DOCUMENT.write_text(before + BEGIN + found + END + after)
        else:
            self.assertEqual(documented, found, "EDGE_WRITE=1 deploy/edge/run LB BACKEND test_tls writes it anew")

    def test_protocols(self):
        """by default TLS 1.2 and 1.3 are spoken; ssl_protocols leaves what it names"""
        for port, expected in (("TLS", ["TLSv1.2", "TLSv1.3"]), ("ONE_SUITE", ["TLSv1.2"]), ("NEW_ONLY", ["TLSv1.3"])):
            self.assertEqual(expected, offered_protocols(self.stage, port), port)

    def test_suites(self):
        """forward secrecy and authenticated encryption by default; ssl_ciphers leaves what it names"""
        suites = offered_suites(self.stage, "TLS")
        figure(", ".join(suite for _, suite in suites))
        self.assertLessEqual(
            {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
             "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
             "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"},
            {suite for _, suite in suites})
        for _, suite in suites:
            for weak in ("NULL", "EXP", "RC4", "DES", "MD5", "ADH", "AECDH", "anon"):
                self.assertNotIn(weak, suite)
        self.assertEqual([("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256")], offered_suites(self.stage, "ONE_SUITE"))

    def test_certificates_by_name(self):
        """the name of the handshake chooses the certificate; the default server's is for the rest"""
        for name, subject in (("localhost", "localhost"), ("other.example", "other.example"),
                              ("OTHER.example", "other.example"), ("a.wild.example", "other.example"),
                              ("nobody.example", "localhost"), (None, "localhost")):
            shake = self.stage.s_client("TLS", name=name)
            self.assertTrue(shake.succeeded, shake.text)
            self.assertTrue(shake.is_verified, shake.text)
            self.assertEqual(f"CN = {subject}", shake.subject, name)

    def test_two_keys(self):
        """RSA beside ECDSA: whoever can gets ECDSA"""
        for arguments, signature in (([], "ECDSA"), (["-sigalgs", "RSA-PSS+SHA256"], "RSA-PSS"),
                                     (["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], "RSA")):
            shake = self.stage.s_client("TLS", *arguments)
            self.assertTrue(shake.succeeded and shake.is_verified, shake.text)
            self.assertTrue(shake.signature.startswith(signature), f"{arguments}: {shake.signature}")

    def test_variables(self):
        """the request knows what was agreed on"""
        for protocol, suite in (("-tls1_2", "ECDHE-ECDSA-AES256-GCM-SHA384"), ("-tls1_3", "TLS_AES_256_GCM_SHA384")):
            choice = ["-cipher", suite] if protocol == "-tls1_2" else ["-ciphersuites", suite]
            shake = self.stage.s_client("TLS", protocol, *choice)
            version = "TLSv" + protocol[4:].replace("_", ".")
            self.assertIn(f"localhost|https|HTTP/1.1|{version}|{suite}|.|localhost|NONE|", shake.body)

    def resumes(self, port, *arguments):
        """How a second connection begins that offers the session of a first."""
        session = self.stage.directory / "session"
        session.unlink(missing_ok=True)
        first = self.stage.s_client(port, *arguments, "-sess_out", session)
        self.assertTrue(first.succeeded and not first.reused, first.text)
        return self.stage.s_client(port, *arguments, "-sess_in", session)

    def test_resumption(self):
        """a session is resumed: by ticket and by cache, in TLS 1.3 and 1.2; the request knows"""
        for port, *arguments in (("TLS", "-tls1_3"), ("TLS", "-tls1_2"), ("TLS", "-tls1_2", "-no_ticket"),
                                 ("ONE_SUITE", "-tls1_2"), ("NEW_ONLY", "-tls1_3")):
            second = self.resumes(port, *arguments)
            self.assertTrue(second.reused, f"{port} {arguments}: {second.text}")
            self.assertIn("|r|", second.body, f"{port} {arguments}")

    def test_early_data(self):
        """a request in the first message of a resumed session is answered, and the request knows"""
        session, request = self.stage.directory / "early", self.stage.directory / "request"
        request.write_bytes(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        first = self.stage.s_client("EARLY", "-tls1_3", "-sess_out", session)
        self.assertIn("early=,reused=..", first.body)
        second = self.stage.s_client("EARLY", "-tls1_3", "-sess_in", session, "-early_data", request)
        self.assertIn("Early data was accepted", second.text)
        self.assertIn("early=1,reused=r.", second.text)
        refused = self.stage.s_client("NEW_ONLY", "-tls1_3", "-sess_out", session)
        self.assertEqual(200, refused.status)
        self.assertNotIn("Max Early Data: 16384", refused.text)

    def test_a_session_belongs_to_its_server(self):
        """a session of one server is none of another's"""
        session = self.stage.directory / "session"
        self.stage.s_client("OPTIONAL", "-tls1_3", "-sess_out", session)
        other = self.stage.s_client("MUTUAL", "-tls1_3", "-sess_in", session)
        self.assertNotEqual(200, other.status, other.text)

    def test_http_to_a_port_of_tls(self):
        """HTTP spoken to a port of TLS is told so"""
        with socket.create_connection(("127.0.0.1", self.stage.ports["TLS"]), 10) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while part := plain.recv(4096):
                answer += part
        self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)
        self.assertIn(b"The plain HTTP request was sent to HTTPS port", answer)

    def test_garbage_to_a_port_of_tls(self):
        """what is no handshake ends the connection, and nothing else"""
        for bytes_sent in (b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x01\xff\xff" + b"\0" * 100, b"\x80\x01\x02", b"\x16"):
            with socket.create_connection(("127.0.0.1", self.stage.ports["TLS"]), 10) as odd:
                odd.sendall(bytes_sent)
                try:
                    odd.shutdown(socket.SHUT_WR)
                    while odd.recv(4096):
                        pass
                except OSError:
                    # It was closed already.
                    pass
        self.assertEqual(200, self.stage.s_client("TLS").status)

    def test_alpn(self):
        """h2 where both can, HTTP/1.1 where the client cannot, an alert where there is nothing in common"""
        for offered, agreed in (("h2,http/1.1", "h2"), ("http/1.1,h2", "h2"), ("http/1.1", "http/1.1")):
            self.assertEqual(agreed, self.stage.s_client("TLS", "-alpn", offered).alpn, offered)
        self.assertEqual("http/1.1", self.stage.s_client("NEW_ONLY", "-alpn", "h2,http/1.1").alpn)
        nothing = self.stage.s_client("TLS", "-alpn", "spdy/3")
        self.assertIn("alert no application protocol", nothing.text)
        self.assertEqual(0, nothing.status)
        self.assertEqual("", self.stage.s_client("TLS").alpn)


class ClientCertificates(unittest.TestCase):
    def setUp(self):
        self.stage = stages.current()
        ca, stranger = self.stage.directory / "ca", self.stage.directory / "stranger"
        self.known = ["-cert", ca / "client.pem", "-key", ca / "client.key"]
        self.unknown = ["-cert", stranger / "client.pem", "-key", stranger / "client.key"]

    def test_on(self):
        """ssl_verify_client on: 400 without a certificate or with a stranger's"""
        for version in ("-tls1_2", "-tls1_3"):
            without = self.stage.s_client("MUTUAL", version)
            self.assertEqual(400, without.status, without.text)
            self.assertIn("No required SSL certificate was sent", without.body)
            known = self.stage.s_client("MUTUAL", version, *self.known)
            self.assertEqual(200, known.status, known.text)
            self.assertIn("|SUCCESS|CN=a client|", known.body)
            unknown = self.stage.s_client("MUTUAL", version, *self.unknown)
            self.assertEqual(400, unknown.status, unknown.text)
            self.assertIn("The SSL certificate error", unknown.body)

    def test_optional(self):
        """ssl_verify_client optional: without a certificate is fine"""
        for version in ("-tls1_2", "-tls1_3"):
            without = self.stage.s_client("OPTIONAL", version)
            self.assertIn("|NONE||", without.body)
            self.assertIn("|SUCCESS|CN=a client|", self.stage.s_client("OPTIONAL", version, *self.known).body)
            self.assertEqual(400, self.stage.s_client("OPTIONAL", version, *self.unknown).status)

    def test_resumed(self):
        """a resumed session keeps the client that was verified"""
        session = self.stage.directory / "session"
        for version in ("-tls1_2", "-tls1_3"):
            first = self.stage.s_client("MUTUAL", version, *self.known, "-sess_out", session)
            self.assertEqual(200, first.status, first.text)
            second = self.stage.s_client("MUTUAL", version, "-sess_in", session)
            if second.reused:
                self.assertIn("|SUCCESS|CN=a client|", second.body, version)
            else:
                # A server may resume no such session; the client then needs its certificate again.
                self.assertEqual(400, second.status, second.text)
            figure(f"{version}: {'resumed' if second.reused else 'not resumed'}")
