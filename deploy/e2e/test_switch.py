"""Three balancers, one word: every way from one to another, and all of them side by side."""

import json
import threading
import time
import unittest

import load
import stack as stacks
from stack import figure, get, until

ALL = ("pingora", "nginx", "original")
FRONTS = {"pingora": "lb", "nginx": "nginx", "original": "nginx-original"}
BEHIND = {
    "pingora": {"backend"},
    "nginx": {"backend"},
    "original": {f"python-server-{number}" for number in range(1, 5)},
}
# Each of the six ways once, each beginning where the one before ended.
WAYS = ["nginx", "original", "pingora", "original", "nginx", "pingora"]


class Watch:
    """Asks for the page all the time and keeps the longest time without an answer."""

    def __init__(self, url):
        self._url, self._over = url, threading.Event()
        self.longest_s = 0.0
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def _ask(self):
        answered = time.monotonic()
        while not self._over.is_set():
            try:
                good = get(self._url, timeout_s=1).status == 200
            except OSError:
                good = False
            now = time.monotonic()
            if good:
                self.longest_s, answered = max(self.longest_s, now - answered), now
            time.sleep(0.01)

    def __exit__(self, *_):
        self._over.set()
        self._thread.join(5)


class Switch(unittest.TestCase):
    def setUp(self):
        self.stack = stacks.current()
        if self.stack.front == "nginx":
            self.ways = ["original", "nginx"]
            self.ours = ("nginx", "original")
        else:
            self.ways, self.ours = WAYS, ALL
        self.addCleanup(self.back_to_the_start)

    def back_to_the_start(self):
        self.stack.env_file.write_text(f"COMPOSE_PROFILES={self.stack.front}\n")
        self.stack.down()

    def answer(self):
        answer = get(f"{self.stack.url}/?switch")
        body = answer.json()
        self.assertEqual(200, answer.status)
        self.assertEqual(("ok", "Request received"), (body["status"], body["message"]))
        self.assertEqual(body["server"], answer.headers["x-backend"])
        return {"status": answer.status, "type": answer.headers["content-type"], "keys": sorted(body)}, body["server"]

    def test_every_direction(self):
        """make switch in all six directions: the same request answered before and after"""
        self.stack.down()
        self.stack.up(backends=4)
        at, (before, server) = self.stack.front, self.answer()
        for to in self.ways:
            with self.subTest(f"{at} to {to}"), Watch(f"{self.stack.url}/health") as watch:
                begin = time.monotonic()
                self.stack.run(["make", "--no-print-directory", "switch", f"TO={to}"])
                took = time.monotonic() - begin
                after, server = self.answer()
                self.assertEqual(before, after)
                self.assertEqual({FRONTS[to], *BEHIND[to]}, self.stack.running_services())
                self.assertIn(f"COMPOSE_PROFILES={to}\n", self.stack.env_file.read_text())
                # Everybody behind it gets its turn.
                names = {self.answer()[1] for _ in range(12)}
                self.assertEqual(4, len(names), names)
                if to == "original":
                    self.assertEqual(BEHIND["original"], names)
            figure(f"{at} to {to}: {took:.1f} s in all, {watch.longest_s:.2f} s without an answer; "
                   f"answered by {server}")
            at = to

    def test_a_balancer_that_does_not_start(self):
        """A switch to a balancer that cannot start leaves the old one in place"""
        self.stack.up(backends=4)
        to = "nginx" if self.stack.front == "pingora" else "pingora"
        # The backends stay; only the other balancer finds a file that it refuses.
        self.stack.run(["make", "--no-print-directory", "switch", f"TO={self.stack.front}"])
        (stacks.ARTIFACTS / "broken").mkdir(exist_ok=True)
        (stacks.ARTIFACTS / "broken" / "nginx.conf").write_text("this is no directive;\n")
        override = stacks.ARTIFACTS / "broken" / "override.json"
        override.write_text(json.dumps({"services": {FRONTS[to]: {
            "restart": "no", "volumes": [f"{stacks.ARTIFACTS}/broken:/etc/cirque:ro"]}}}))
        with self.assertRaises(AssertionError) as refused:
            self.stack.run(["env", f"COMPOSE_FILE={stacks.ROOT}/compose.yaml:{override}", "make",
                            "--no-print-directory", "switch", f"TO={to}"])
        said = str(refused.exception)
        self.assertIn(f"{FRONTS[self.stack.front]} runs again", said)
        figure(next(line for line in said.splitlines() if "runs again" in line))
        self.answer()
        self.assertIn(f"COMPOSE_PROFILES={self.stack.front}\n", self.stack.env_file.read_text())

    def test_side_by_side(self):
        """On three ports all of them run at the same time, and each shares its requests among four"""
        self.stack.down()
        ports = dict(zip(self.ours, (18080, 18081, 18082)))
        variables = {"pingora": "LB_PORT", "nginx": "NGINX_PORT", "original": "ORIGINAL_PORT"}
        environment = ["env", "LB_TLS_PORT=18440", "NGINX_TLS_PORT=18441",
                       *(f"{variables[front]}={port}" for front, port in ports.items())]
        profiles = [word for front in self.ours for word in ("--profile", front)]
        self.stack.run([*environment, "docker", "compose", *profiles, "up", "--detach", "--wait"])
        for front, port in ports.items():
            answers = [get(f"http://127.0.0.1:{port}/") for _ in range(8)]
            names = [answer.headers["x-backend"] for answer in answers]
            figure(f"{front} on {port}: {len(set(names))} servers, {answers[0].headers.get('server')}")
            self.assertEqual({200}, {answer.status for answer in answers})
            self.assertEqual(4, len(set(names)), names)

    def test_lb_with_the_configuration_of_the_original(self):
        """lb reads the original's nginx.conf: -t is content, and 400 requests are shared 100 each"""
        if self.stack.front == "nginx":
            self.skipTest("lb is not in front")
        self.stack.down()
        servers = sorted(BEHIND["original"])
        self.stack.compose("--profile", "original", "up", "--detach", "--wait", *servers)
        name = f"{stacks.PROJECT}-lb-original"
        run = ["docker", "run", "--rm", "--network", f"{stacks.PROJECT}_default", "--network-alias", "front",
               "--read-only", "--tmpfs", "/run:uid=65532,gid=65532",
               "--volume", f"{stacks.ROOT}/nginx-compat/original:/etc/cirque:ro"]
        said = self.stack.run([*run, "cirque/lb", "-t", "-c", "/etc/cirque/nginx.conf"])
        self.assertIn("test is successful", said)
        self.stack.run([*run, "--detach", "--name", name, "cirque/lb"])
        try:
            until(10, "lb is healthy", lambda: "healthy" == self.stack.run(
                ["docker", "inspect", "--format", "{{.State.Health.Status}}", name]).strip(), every_s=0.3)
            summary = load.run("original", number=400, concurrent=8)
        finally:
            self.stack.run(["docker", "rm", "--force", name])
        figure(load.describe(summary))
        load.assert_nothing_failed(self, summary)
        counts = {backend["name"]: backend["answers"] for backend in summary["backends"]}
        self.assertEqual(servers, sorted(counts))
        for server, count in counts.items():
            self.assertAlmostEqual(100, count, delta=1, msg=server)
