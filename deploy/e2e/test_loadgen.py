"""What loadgen says of a backend that dies behind the balancer, by its own clock, and the page it writes of that."""

import json
import re
import shlex
import subprocess
import unittest

import devtools
import load
import report
import stack as stacks
from stack import figure

RATE = 800
# Both commands of a run, in seconds since its start.
KILL_AT_S, START_AT_S = 4, 7
# What is left after the start is time for the container to come up, to be found healthy, and to be used.
RUN_S = 14
# Under the balancer's first look at a dead address all connections may have to wait.
CONNECTIONS = 256
# How it went, or how it went on a machine that had no time for the generator; neither changes who died and when.
DONE, SATURATED = 0, 5


class Loadgen(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """The program from its image, run on this machine: the commands of --at need docker, which containers lack."""
        cls.program = stacks.ARTIFACTS / "loadgen"
        stack = stacks.current()
        container = stack.run(["docker", "create", load.IMAGE]).split()[-1]
        try:
            stack.run(["docker", "cp", f"{container}:/usr/local/bin/loadgen", str(cls.program)])
        finally:
            stack.run(["docker", "rm", container])

    def setUp(self):
        self.stack = stacks.current()
        self.stack.up(backends=4)

    def run_with_a_death(self, victim, *options):
        """One run in which `victim` is killed and started again; its status, what it printed, and what it said."""
        seconds = RUN_S + self.stack.patience_s
        line = [str(self.program), "--url", self.stack.url, "--rate", str(RATE), "--duration", f"{seconds}s",
                "--concurrent", str(CONNECTIONS), "--no-resend",
                "--at", f"{KILL_AT_S}s", f"docker kill {victim.id[:12]}",
                "--at", f"{START_AT_S}s", f"docker start {victim.id[:12]}", *options]
        done = subprocess.run(line, text=True, timeout=seconds + load.GRACE_S, stdin=subprocess.DEVNULL,
                              capture_output=True)
        self.assertIn(done.returncode, (DONE, SATURATED), f"{shlex.join(line)}\n{done.stdout}{done.stderr}")
        return done

    def test_a_death_under_the_right_name_and_time(self):
        """--at 'docker kill': one failover, the victim's, within one slot of the kill; the page of it in Chromium"""
        before = self.stack.backends()
        victim, survivors = before[2], [backend for backend in before if backend is not before[2]]
        page_file = stacks.ARTIFACTS / "loadgen-failover.html"
        # By the containers' addresses: the port on this machine is another one after a start.
        truth = [word for backend in before for word in ("--truth", f"http://{backend.ip}:5000")]
        done = self.run_with_a_death(victim, "--json", "--html", str(page_file), *truth)
        (stacks.ARTIFACTS / "loadgen-failover.json").write_text(done.stdout)
        summary = json.loads(done.stdout)
        figure(load.describe(summary))

        kill, start = summary["timeline"]["marks"]
        for mark in (kill, start):
            self.assertEqual((0, None), (mark["status"], mark["error"]), mark)
        self.assertEqual([victim.id[:12]], [failover["backend"] for failover in summary["failovers"]])
        failover, = summary["failovers"]
        slot_ms = summary["timeline"]["slot_ms"]
        self.assertEqual(100, slot_ms)
        # The container dies somewhere between the two.
        figure(f"killed between {kill['at_ms']:.0f} and {kill['ended_ms']:.0f} ms, lost at {failover['at_ms']:.0f} ms; "
               f"gap {failover['gap_ms']:.0f} ms, {failover['errors']} errors")
        self.assertGreaterEqual(failover["at_ms"], kill["at_ms"] - slot_ms)
        self.assertLessEqual(failover["at_ms"], kill["ended_ms"] + slot_ms)
        self.assertIsNotNone(failover["even_after_ms"], failover)
        self.assertIsNotNone(failover["back_after_ms"], failover)
        back_ms = failover["at_ms"] + failover["back_after_ms"]
        figure(f"even again after {failover['even_after_ms']:.0f} ms; started again between {start['at_ms']:.0f} and "
               f"{start['ended_ms']:.0f} ms, back at {back_ms:.0f} ms")
        # Nobody answers before he is started.
        self.assertGreaterEqual(back_ms, start["at_ms"] - slot_ms)
        load.assert_nothing_failed(self, summary)
        self.assertEqual(0, failover["errors"])
        self.assert_slots_agree(summary, victim, failover, back_ms)
        self.assert_backends_agree(summary, victim, survivors)

        with devtools.chromium() as page:
            self.assertEqual([], report.look_at(page, page_file, stacks.ARTIFACTS))
            shown = page.evaluate("document.body.textContent")
        for expected in (victim.id[:12], kill["command"], start["command"]):
            self.assertIn(expected, shown)

    def assert_slots_agree(self, summary, victim, failover, back_ms):
        """The timeline tells the same: the victim's answers end and begin where the failover says."""
        timeline = summary["timeline"]
        column = timeline["backends"].index(victim.id[:12])
        answers = [slot["backends"][column] for slot in timeline["slots"]]
        lost, back = int(failover["at_ms"] / timeline["slot_ms"]), int(back_ms / timeline["slot_ms"])
        self.assertGreater(min(answers[1:lost]), 0, answers)
        self.assertEqual([0] * (back - lost - 1), answers[lost + 1:back], answers)
        self.assertGreater(answers[back], 0, answers)

    def assert_backends_agree(self, summary, victim, survivors):
        """--truth: those that lived counted what loadgen says they answered; of the other nothing is claimed."""
        sources = {source["url"]: source for source in summary["truth"]["sources"]}
        answers = {backend["name"]: backend["answers"] for backend in summary["backends"]}
        for backend in survivors:
            source = sources[f"http://{backend.ip}:5000"]
            self.assertEqual(backend.id[:12], source["server"], source)
            self.assertEqual(answers[backend.id[:12]], source["counted"], source)
        source = sources[f"http://{victim.ip}:5000"]
        self.assertIsNone(source["counted"], source)
        self.assertIn("restarted", source["error"])
        self.assertIsNone(summary["truth"]["amplification"])

    def test_the_line_for_scripts(self):
        """The summary for people has the one line that scripts look for: failover NAME: gap … ms, N errors, …"""
        victim = self.stack.backends()[0]
        said = self.run_with_a_death(victim).stdout
        (stacks.ARTIFACTS / "loadgen-failover.txt").write_text(said)
        lines = [line for line in said.splitlines() if line.startswith("failover ")]
        figure(" | ".join(lines))
        self.assertEqual(1, len(lines), said)
        self.assertRegex(lines[0], rf"^failover {victim.id[:12]}: gap \d+ ms, 0 errors, even again after \d+\.\d s$")
        self.assertIsNotNone(re.search(r"^Failed: 0$", said, re.MULTILINE), said)
        self.assertLessEqual(max(map(len, said.splitlines())), 80, said)
