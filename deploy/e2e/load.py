"""The load: our own generator in a container, beside the balancer or on the host's network."""

import json
import subprocess
import threading
import time

import stack as stacks

IMAGE = "cirque/loadgen"
# How long a run may take past its own duration before it counts as hung.
GRACE_S = 60


class Load:
    """One run of loadgen. Used as a context, it is going on inside; `finish` waits for its end.

    `number` requests or `seconds` of them, over `concurrent` connections that are kept. From inside the stack's
    network, unless `from_host`: then through the port that is published on this machine, as a user's would come.
    """

    def __init__(self, name, concurrent, number=None, seconds=None, from_host=False):
        self._name = f"{stacks.PROJECT}-load-{name}"
        self._limit_s = (seconds or 0) + GRACE_S
        stack = stacks.current()
        network, url = ("host", stack.url) if from_host else (f"{stacks.PROJECT}_default", "http://front")
        goal = ["--number", str(number)] if number else ["--duration", f"{seconds}s"]
        # --no-resend: a request that the balancer lost by closing its connection has failed.
        self._line = ["docker", "run", "--rm", "--name", self._name, "--network", network, IMAGE,
                      "--url", url, "--concurrent", str(concurrent), "--json", "--no-resend", *goal]
        self._process = None
        self._errors = []
        self._going = threading.Event()

    def __enter__(self):
        self._process = subprocess.Popen(self._line, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                         stderr=subprocess.PIPE)
        # Its progress, a line a second: the first one says that requests are answered.
        self._reader = threading.Thread(target=self._read_progress, daemon=True)
        self._reader.start()
        self._going.wait(GRACE_S)
        if self._process.poll() is not None and self._process.returncode not in (0, 1):
            raise AssertionError(f"loadgen did not start: {''.join(self._errors)}")
        return self

    def _read_progress(self):
        for line in self._process.stderr:
            self._errors.append(line)
            self._going.set()
        self._going.set()

    def finish(self):
        """Waits for the end and returns the summary, which also goes to the artifacts."""
        output, _ = self._process_output()
        summary = json.loads(output)
        (stacks.ARTIFACTS / f"{self._name}.json").write_text(output)
        return summary

    def _process_output(self):
        end = time.monotonic() + self._limit_s
        output = []
        reader = threading.Thread(target=lambda: output.append(self._process.stdout.read()), daemon=True)
        reader.start()
        reader.join(max(0.0, end - time.monotonic()))
        if not output:
            raise AssertionError(f"loadgen did not end within {self._limit_s} s: {''.join(self._errors[-5:])}")
        self._reader.join(5)
        if self._process.wait(10) not in (0, 1):
            raise AssertionError(f"loadgen failed: {''.join(self._errors[-5:])}")
        return output[0], self._errors

    def __exit__(self, *_):
        if self._process.poll() is None:
            subprocess.run(["docker", "rm", "--force", self._name], capture_output=True)
            self._process.wait(20)
        self._process.stdout.close()
        self._process.stderr.close()


def run(name, **goal):
    with Load(name, **goal) as load:
        return load.finish()


def describe(summary):
    """The figures of a summary on one line."""
    requests, latency = summary["requests"], summary["latency_ms"] or {}
    errors = ", ".join(f"{kind} {count}" for kind, count in summary["errors"].items() if count) or "none"
    return (f"{requests['total']} requests, {requests['failed']} failed ({errors}), "
            f"{summary['requests_per_second']:.0f}/s, p99 {latency.get('p99', 0):.1f} ms, "
            f"max {latency.get('max', 0):.0f} ms, longest gap {summary['longest_gap_ms']:.0f} ms")


def assert_nothing_failed(test, summary):
    test.assertGreater(summary["requests"]["successful"], 0)
    test.assertEqual(0, summary["requests"]["failed"], describe(summary))
    test.assertEqual([], [backend for backend in summary["backends"] if backend["errors"]])
