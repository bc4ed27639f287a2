"""Round robin is exact, and everybody who counts counts the same."""

import time
import unittest

import load
import metrics
import stack as stacks
from stack import figure

REQUESTS = 10_000


class Shares(unittest.TestCase):
    def setUp(self):
        self.stack = stacks.current()
        self.stack.up(backends=4)

    def test_ten_thousand_requests_over_four_backends(self):
        """10,000 requests through the published port: 2,500 for each of four, within 1, whoever counts"""
        backends = self.stack.backends()
        self.assertEqual(4, len(backends))
        served_before = {backend.ip: backend.total_requests() for backend in backends}
        sent_before = metrics.requests_per_server() if self.stack.front == "pingora" else {}

        summary = load.run("shares", number=REQUESTS, concurrent=50, from_host=True)

        load.assert_nothing_failed(self, summary)
        self.assertEqual(REQUESTS, summary["requests"]["successful"])
        # The backends publish their counters once a second; what is later than that did not come from this load.
        time.sleep(1.5)
        served = {backend.ip: backend.total_requests() - served_before[backend.ip] for backend in backends}
        figure(load.describe(summary))
        figure(f"counted at the backends: {sorted(served.values())}")
        named = {backend["name"]: backend["answers"] for backend in summary["backends"]}
        figure(f"counted at the client, by X-Backend: {sorted(named.values())}")
        self.assertEqual(REQUESTS, sum(served.values()))
        for ip, count in served.items():
            self.assertAlmostEqual(REQUESTS / 4, count, delta=1, msg=ip)
        self.assertEqual(sorted(served.values()), sorted(named.values()))
        self.assertEqual({backend.id[:12] for backend in backends}, set(named))

        if self.stack.front == "pingora":
            sent_after = metrics.requests_per_server()
            sent = {server: count - sent_before.get(server, 0) for server, count in sent_after.items()}
            figure(f"counted by lb, in /metrics: {sorted(sent.values())}")
            self.assertEqual({f"{ip}:5000": count for ip, count in served.items()},
                             {server: count for server, count in sent.items() if count})

    def test_health_of_the_balancer(self):
        """The admin listener is there, on this host's loopback address only"""
        if self.stack.front != "pingora":
            self.skipTest("NGINX has no admin listener")
        self.assertEqual(200, stacks.get(f"{self.stack.admin}/healthz").status)
        published = self.stack.run(["docker", "port", self.stack.containers("lb")[0].id, "9145"])
        self.assertEqual([f"127.0.0.1:{stacks.ADMIN_PORT}"], published.split())
        self.assertEqual(404, stacks.get(f"{self.stack.url}/metrics").status, "/metrics on the traffic port")
