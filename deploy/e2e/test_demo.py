"""`make demo`: the same without Docker, on loopback ports."""

import os
import socket
import subprocess
import time
import unittest
from collections import Counter

import stack as stacks
from stack import agreed_over_tls, figure, get, until

FRONT = "http://127.0.0.1:8080"
ADMIN = "http://127.0.0.1:9145"
PORTS = (8080, 8443, 9145, 5001, 5002, 5003, 5004)


def taken(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Demo(unittest.TestCase):
    def setUp(self):
        if stacks.current().front == "nginx":
            self.skipTest("the demo is lb's")
        # Compiling is not what is measured here, and may take minutes.
        if not os.environ.get("DEMO_PROGRAMS"):
            subprocess.run(["make", "--no-print-directory", "build"], cwd=stacks.ROOT, check=True)
        self.assertEqual([], [port for port in PORTS if taken(port)], "ports that others have taken")
        self.log = stacks.ARTIFACTS / "demo.log"

    def start(self):
        with open(self.log, "w") as log:
            return subprocess.Popen(["make", "--no-print-directory", "demo"], cwd=stacks.ROOT, stdin=subprocess.DEVNULL,
                                    stdout=log, stderr=subprocess.STDOUT, start_new_session=True)

    def end(self, demo):
        subprocess.run(["make", "--no-print-directory", "demo-stop"], cwd=stacks.ROOT, capture_output=True)
        try:
            demo.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(demo.pid, 9)
            demo.wait(5)

    def test_serves_and_stops(self):
        """make demo serves on 8080 from four backends; a second one is refused clearly; make demo-stop ends all"""
        begin = time.monotonic()
        demo = self.start()
        try:
            until(60, f"the demo answers; it said: {self.log.read_text()[-500:]}",
                  lambda: get(f"{FRONT}/").status == 200)
            figure(f"{FRONT}/ answers {time.monotonic() - begin:.1f} s after make demo")
            names = Counter(get(f"{FRONT}/").headers["x-backend"] for _ in range(40))
            figure(f"40 requests: {dict(sorted(names.items()))}")
            self.assertEqual({f"backend-{number}": 10 for number in range(1, 5)}, dict(names))
            self.assertEqual(("h2", 200), agreed_over_tls(8443))
            self.assertIn(b'id="rps"', get(f"{FRONT}/rps-display").body)
            self.assertEqual(200, get(f"{ADMIN}/healthz").status)
            self.assertIn(b"lb_upstream_requests_total", get(f"{ADMIN}/metrics").body)

            second = subprocess.run(["make", "--no-print-directory", "demo"], cwd=stacks.ROOT, text=True,
                                    capture_output=True, timeout=60)
            self.assertNotEqual(0, second.returncode)
            self.assertIn("running already", second.stderr)

            begin = time.monotonic()
            subprocess.run(["make", "--no-print-directory", "demo-stop"], cwd=stacks.ROOT, check=True,
                           capture_output=True)
            figure(f"make demo-stop: {time.monotonic() - begin:.1f} s")
            self.assertEqual([], [port for port in PORTS if taken(port)])
        finally:
            self.end(demo)

    def test_a_taken_port(self):
        """make demo says which port is taken, and starts nothing"""
        with socket.create_server(("127.0.0.1", 5003)):
            demo = self.start()
            try:
                self.assertNotEqual(0, demo.wait(60))
            finally:
                self.end(demo)
        self.assertIn("127.0.0.1:5003 is taken", self.log.read_text())
        self.assertEqual([], [port for port in PORTS if taken(port)])
