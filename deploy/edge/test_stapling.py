"""The authority's word on a certificate (OCSP), asked of a responder whose answers the openssl program makes."""

import base64
import http.server
import subprocess
import threading
import time
import unittest
import urllib.parse

import stage as stages
from certificates import openssl
from stage import figure, until

# A handshake that waited for a responder would take as long as that is silent.
AT_ONCE_S = 5


class Responder:
    """Answers on a port of 127.0.0.1 in one of several manners."""

    def __init__(self, stage):
        self._stage = stage
        self._directory = stage.directory / "responder"
        self._directory.mkdir(exist_ok=True)
        self.manner, self.asked = "good", []
        self._ended = threading.Event()
        responder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                responder.asked.append((self.path, self.headers.get("Host")))
                answer, kind = responder.answer(self.path)
                if answer is None:
                    return
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", stage.ports["RESPONDER"]), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path):
        if self.manner == "silent":
            self._ended.wait(60)
            return None, None
        if self.manner == "nonsense":
            return b"nonsense", "application/ocsp-response"
        if self.manner == "page":
            return b"<p>Not here.</p>", "text/html"
        authority = self._stage.authority.directory
        serial = openssl("x509", "-noout", "-serial", "-in", authority / "ecdsa.pem").strip().partition("=")[2]
        index, asked, answered = (self._directory / name for name in ("index", "asked", "answered"))
        since = "260101000000Z" if self.manner == "revoked" else ""
        index.write_text(f"{'R' if since else 'V'}\t491231235959Z\t{since}\t{serial}\tunknown\t/CN=localhost\n")
        asked.write_bytes(base64.b64decode(urllib.parse.unquote(path.rpartition("/")[2])))
        signer = "stranger" if self.manner == "stranger" else "ca"
        keys = self._stage.directory / signer
        openssl("ocsp", "-index", index, "-CA", authority / "ca.pem", "-rsigner", keys / "ca.pem", "-rkey",
                keys / "ca.key", "-reqin", asked, "-respout", answered, "-nmin", 60)
        return answered.read_bytes(), "application/ocsp-response"


class Stapling(unittest.TestCase):
    def setUp(self):
        self.stage = stages.current()

    def shown(self, name="localhost"):
        """What a client is told of the certificate, with the handshake; and that it is told at once."""
        began = time.monotonic()
        handshake = self.stage.s_client("STAPLED", "-status", name=name)
        self.assertLess(time.monotonic() - began, AT_ONCE_S)
        self.assertEqual(200, handshake.status, handshake.text)
        if "OCSP response: no response sent" in handshake.text:
            return ""
        return next(line.strip() for line in handshake.text.splitlines() if "Cert Status:" in line)

    def test_manners(self):
        """a good answer is shown; of every other one the log says why, and handshakes go on at once without it"""
        with Responder(self.stage) as responder:
            for manner, words in (
                    ("good", None), ("revoked", 'certificate status "revoked" in the OCSP response'),
                    ("nonsense", "d2i_OCSP_RESPONSE() failed"),
                    ("page", 'OCSP responder sent invalid "Content-Type" header: "text/html"'),
                    ("stranger", "OCSP_basic_verify() failed"), ("good", None), ("silent", None)):
                responder.manner = manner
                before, asked = self.stage.log().count(words or "?"), len(responder.asked)
                self.stage.reload()
                # NGINX asks when a client does.
                until(f"{manner}: the responder is asked", lambda: self.shown() is not None and len(responder.asked) > asked)
                if manner == "good":
                    until("a good answer is shown", lambda: self.shown() == "Cert Status: good")
                    continue
                if words:
                    until(f"the log says: {words}", lambda: self.stage.log().count(words) > before)
                    self.assertIn("while requesting certificate status", self.stage.log())
                self.assertEqual("", self.shown(), manner)
            path, host = responder.asked[0]
            self.assertTrue(path.startswith("/ask/"), path)
            self.assertEqual("127.0.0.1", host)
            figure(f"{len(responder.asked)} questions; a silent responder holds up nobody")
        self.stage.reload()
