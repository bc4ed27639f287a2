"""What people type every day."""

import time
import unittest

import load
import stack as stacks
from stack import agreed_over_tls, figure, get, until


class Everyday(unittest.TestCase):
    def setUp(self):
        self.stack = stacks.current()
        self.stack.up(backends=4)

    def test_ps_logs_port(self):
        """docker compose ps, logs and port tell what there is"""
        listed = self.stack.compose("ps", "--format", "{{.Service}} {{.Health}}").split("\n")
        self.assertEqual(4, listed.count("backend healthy"), listed)
        self.assertEqual(1, listed.count(f"{self.stack.service} healthy"), listed)
        self.assertRegex(self.stack.logs("backend", tail=5), r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] Current RPS: \d+")
        address = self.stack.compose("port", "--index", "2", "backend", "5000").strip()
        self.assertEqual("ok", get(f"http://{address}/").json()["status"])

    def test_https(self):
        """https://localhost/ is served with the certificate that was made on the spot"""
        self.assertEqual(("h2", 200), agreed_over_tls(stacks.TLS_PORT))

    def test_access_log_shows_the_try(self):
        """The access log on standard output shows the server that was asked, its status and its time"""
        self.assertEqual(200, get(f"{self.stack.url}/?everyday").status)
        line = until(5, "the request is in the log", lambda: next(
            (text for text in self.stack.logs(self.stack.service, tail=50).splitlines() if "/?everyday " in text), None))
        figure(line)
        self.assertRegex(line, r'"GET /\?everyday HTTP/1.1" 200 \d+ \d\.\d{3} tries=\[\d+(\.\d+){3}:5000\] '
                               r'statuses=\[200\] connect=\[\d\.\d{3}\] times=\[\d\.\d{3}\]')

    def test_restart(self):
        """docker compose restart of the balancer, and of the backends"""
        for service in (self.stack.service, "backend"):
            begin = time.monotonic()
            self.stack.compose("restart", service)
            until(10, f"port {self.stack.port} answers",
                  lambda: get(f"{self.stack.url}/").status == 200)
            figure(f"{service}: answers again {time.monotonic() - begin:.1f} s after the command began")

    def test_without_privileges(self):
        """Every container of ours: not root, no capability, a read-only root"""
        for container in [*self.stack.containers(self.stack.service), *self.stack.backends()]:
            with self.subTest(container.name):
                status = self.stack.run(["docker", "top", container.id, "-eo", "pid,uid"]).splitlines()
                self.assertTrue(all(line.split()[1] != "0" for line in status[1:]), status)
                settings = self.stack.run(["docker", "inspect", "--format", "{{.HostConfig.ReadonlyRootfs}} "
                                           "{{.HostConfig.CapDrop}} {{.Config.StopSignal}}", container.id])
                self.assertEqual("true [ALL] SIGQUIT", settings.strip())

    def test_stop_is_prompt(self):
        """docker compose stop ends an idle stack at once, with exit status 0 everywhere"""
        begin = time.monotonic()
        self.stack.compose("stop")
        took = time.monotonic() - begin
        ids = self.stack.compose("ps", "--all", "--quiet").split()
        states = [self.stack.run(["docker", "inspect", "--format", "{{.Name}} {{.State.ExitCode}}", id]).strip()
                  for id in ids]
        self.stack.compose("start")
        figure(f"docker compose stop took {took:.1f} s; exit statuses: {' '.join(states)}")
        self.assertEqual([], [state for state in states if not state.endswith(" 0")])
        self.assertLess(took, 8)

    def test_build_without_cache(self):
        """docker compose build --no-cache of one service"""
        begin = time.monotonic()
        self.stack.compose("build", "--no-cache", "python-server-1")
        figure(f"docker compose build --no-cache python-server-1: {time.monotonic() - begin:.0f} s")

    def test_loadgen_as_a_service(self):
        """docker compose run --rm loadgen --n 400 --c 4 sends to whoever is in front"""
        said = self.stack.compose("run", "--rm", "loadgen", "--n", "400", "--c", "4")
        self.assertRegex(said, r"Successful: 400\n")
        self.assertRegex(said, r"Failed: 0\n")

    def test_stress_test_script(self):
        """The original's stress-test.py"""
        said = self.stack.run(["python3", str(stacks.ROOT / "nginx-compat/original/stress-test.py"),
                               "--n", "400", "--c", "10", "--u", self.stack.url])
        figure(" | ".join(said.splitlines()[-6:]))
        self.assertRegex(said, r"Successful: 400\nFailed: 0\n")
