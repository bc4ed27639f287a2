"""A backend that dies costs no request, and is used again as soon as it is back."""

import time
import unittest

import load
import stack as stacks
from stack import Served, figure, get, until

CONNECTIONS = 64
BACK_WITHIN_S = 2


class Failover(unittest.TestCase):
    def setUp(self):
        self.stack = stacks.current()
        self.stack.up(backends=4)

    def test_one_backend_killed_and_started_again(self):
        """One of four killed under 64 connections: no failed GET; back in rotation within 2 s of its return"""
        victim = self.stack.backends()[1]
        with load.Load("failover", seconds=25 + self.stack.patience_s, concurrent=CONNECTIONS) as running:
            time.sleep(2)
            self.assertGreater(victim.total_requests(), 0, "the victim had no load")
            self.stack.run(["docker", "kill", victim.id])
            time.sleep(6)
            self.stack.run(["docker", "start", victim.id])
            returned = self.stack.inspect(victim.id)
            until(10, "the container answers its own health check",
                  lambda: get(f"http://{returned.ports[5000]}/health").status == 200, every_s=0.01)
            healthy = time.time()
            served = Served(returned)
            until(15 + self.stack.patience_s, "the container is sent requests again", lambda: served.count() > 0, every_s=0.01)
            used = time.time()
            summary = running.finish()
        figure(load.describe(summary))
        figure(f"back in rotation {used - healthy:.2f} s after it answered its own health check, "
               f"{used - returned.started_at:.2f} s after its container started")
        self.assertLessEqual(used - healthy, BACK_WITHIN_S + self.stack.patience_s)
        load.assert_nothing_failed(self, summary)
