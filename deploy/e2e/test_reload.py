"""A reload changes what is served and costs no request; a file with a mistake changes nothing; a stop is prompt."""

import time
import unittest

import load
import stack as stacks
from stack import figure, get, until

RELOADS = 20
CONNECTIONS = 64
# Long enough for a reload to take effect, short enough for twenty of them.
EFFECT_WITHIN_S = 5
QUIT_WITHIN_S = 3


class Reload(unittest.TestCase):
    def setUp(self):
        self.stack = stacks.current()
        self.addCleanup(self.stack.reset_config)
        self.stack.reset_config()
        self.stack.up(backends=4)
        self.front = self.stack.containers(self.stack.service)[0]
        self.file = self.stack.config / "nginx.conf"
        self.original = self.file.read_text()

    def tearDown(self):
        self.stack.reset_config()
        self.hang_up()

    def hang_up(self):
        self.stack.run(["docker", "kill", "--signal", "HUP", self.front.id])

    def write_generation(self, generation):
        """The same configuration with a header that tells it from the one before."""
        changed = self.original.replace("        listen 80;\n",
                                        f"        listen 80;\n        add_header X-Generation {generation} always;\n")
        self.assertNotEqual(self.original, changed)
        self.file.write_text(changed)

    def generation(self):
        return get(f"{self.stack.url}/health").headers.get("x-generation")

    def test_twenty_reloads_under_load(self):
        """20 reloads under 64 connections, each one seen to take effect: no failed request"""
        effects = []
        with load.Load("reload", seconds=30, concurrent=CONNECTIONS) as running:
            for generation in range(1, RELOADS + 1):
                self.write_generation(generation)
                begin = time.monotonic()
                self.hang_up()
                until(EFFECT_WITHIN_S, f"reload {generation} has taken effect",
                      lambda: self.generation() == str(generation), every_s=0.01)
                effects.append(time.monotonic() - begin)
            summary = running.finish()
        figure(f"{RELOADS} reloads, in effect after {min(effects) * 1000:.0f} to {max(effects) * 1000:.0f} ms "
               "(docker kill included)")
        figure(load.describe(summary))
        self.assertEqual(self.front.started_at, self.stack.inspect(self.front.id).started_at, "it was restarted")
        # NGINX closes kept connections on a reload; that is what --no-resend counts there.
        if self.stack.front == "pingora":
            load.assert_nothing_failed(self, summary)

    def test_a_file_with_a_mistake(self):
        """A reload of a file with a mistake changes nothing and says why, with file and line"""
        self.write_generation("before")
        self.hang_up()
        until(EFFECT_WITHIN_S, "the first reload", lambda: self.generation() == "before")
        self.file.write_text(self.file.read_text().replace("listen 80;", "lisden 80;"))
        line = next(number for number, text in enumerate(self.file.read_text().splitlines(), 1) if "lisden" in text)
        self.hang_up()
        said = until(EFFECT_WITHIN_S, "an [emerg] line in the log", lambda: next(
            (text for text in self.stack.logs(self.stack.service, tail=200).splitlines()
             if "[emerg]" in text and "lisden" in text), None))
        figure(said)
        self.assertIn(f"nginx.conf:{line}", said)
        self.assertEqual("before", self.generation())
        self.assertEqual(200, get(f"{self.stack.url}/").status)

    def test_quit_when_idle(self):
        """QUIT ends an idle balancer with exit status 0, at once"""
        id = self.front.id
        begin = time.monotonic()
        self.stack.run(["docker", "kill", "--signal", "QUIT", id])
        status = self.stack.run(["docker", "wait", id]).strip()
        took = time.monotonic() - begin
        figure(f"gone {took * 1000:.0f} ms after the command began (two docker commands included)")
        self.stack.run(["docker", "start", id])
        self.assertEqual("0", status)
        # Most of it is Docker taking the container apart; the process alone is timed in lb's own tests.
        self.assertLessEqual(took, QUIT_WITHIN_S)
        until(10, "it answers again", lambda: get(f"{self.stack.url}/").status == 200)
