"""Scaling is followed without a setting, and costs no request."""

import contextlib
import time
import unittest

import load
import stack as stacks
from stack import Served, figure, until

TAKEN_UP_WITHIN_S = 5


class Scale(unittest.TestCase):
    def setUp(self):
        self.stack = stacks.current()
        self.stack.up(backends=4)

    def test_to_eight_and_back_to_two_under_load(self):
        """--scale backend=8 taken up within 5 s, then backend=2, no failed request meanwhile"""
        old = {backend.id for backend in self.stack.backends()}
        with load.Load("scale", seconds=45 + self.stack.patience_s, concurrent=16) as running:
            # The command waits until the new ones are healthy; they are used before that, so it is not waited for.
            scaling = self.stack.start("up", "--detach", "--no-recreate", "--scale", "backend=8")
            first_used = self.watch_new_backends(old)
            said, _ = scaling.communicate(timeout=60)
            self.assertEqual(0, scaling.returncode, said)
            figure("8 backends: sent requests " + ", ".join(f"{taken_up:.2f}" for taken_up in sorted(first_used))
                   + " s after their containers started")
            self.assertEqual(4, len(first_used))
            self.assertLessEqual(max(first_used), TAKEN_UP_WITHIN_S + self.stack.patience_s)

            # Time for all eight to be used, then down while the load goes on.
            time.sleep(3)
            begin = time.time()
            self.stack.compose("up", "--detach", "--no-recreate", "--scale", "backend=2")
            figure(f"2 backends: the command took {time.time() - begin:.1f} s")
            left = self.stack.backends()
            self.assertEqual(2, len(left))
            counts = [backend.total_requests() for backend in left]
            until(5, "both backends that are left serve on", lambda: all(
                backend.total_requests() > count + 10 for backend, count in zip(left, counts)))
            summary = running.finish()
        figure(load.describe(summary))
        self.assertEqual(8, len(summary["backends"]))
        load.assert_nothing_failed(self, summary)

    def watch_new_backends(self, old):
        """For each of the four that are not old: seconds from its container's start to its first request."""
        served, first_used = {}, {}

        def all_are_used():
            if len(served) < 4:
                for backend in self.stack.backends():
                    if backend.id not in old and backend.id not in served and 5000 in backend.ports:
                        served[backend.id] = (backend, Served(backend))
            for id, (backend, counter) in served.items():
                with contextlib.suppress(OSError):
                    if id not in first_used and counter.count() > 0:
                        first_used[id] = time.time() - backend.started_at
            return len(first_used) == 4

        until(30 + self.stack.patience_s, "four new backends have been sent requests", all_are_used)
        return list(first_used.values())
