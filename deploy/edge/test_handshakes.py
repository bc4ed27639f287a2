"""Handshakes that stop on the way, ten thousand of them: what they cost, and what they cost others."""

import resource
import socket
import ssl
import time
import unittest

import stage as stages
from stage import figure, until

HELD = 10_000
# Connections of one source address, so that its ports suffice.
OF_ONE_SOURCE = 1_000
CLIENTS = 50
# What docs/tls.md promises for each, and for the slowest of others' handshakes with a request.
MOST_BYTES_BEGUN, MOST_BYTES_HALF_DONE = 24 * 1024, 48 * 1024
SLOWEST_S = 1.0


class Held(unittest.TestCase):
    def setUp(self):
        self.stage = stages.current()
        self.context = ssl.create_default_context(cafile=str(self.stage.authority.certificate))
        self.sockets = []
        # Descriptors here and in the program, which inherits the limit.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self.held = min(HELD, 19_000 if most == resource.RLIM_INFINITY else most - 1_000)

    def tearDown(self):
        for held in self.sockets:
            held.close()

    def first_message(self):
        """A whole ClientHello."""
        received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = self.context.wrap_bio(received, sent, server_hostname="localhost")
        with self.assertRaises(ssl.SSLWantReadError):
            client.do_handshake()
        return sent.read()

    def slowest(self):
        """The longest that one of some clients waits for a handshake and an answer."""
        slowest = 0
        for _ in range(CLIENTS):
            began = time.monotonic()
            raw = socket.create_connection(("127.0.0.1", self.stage.ports["TLS"]), 20)
            with self.context.wrap_socket(raw, server_hostname="localhost") as secure:
                secure.sendall(b"GET /says HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                self.assertTrue(secure.recv(100).startswith(b"HTTP/1.1 200 "))
            slowest = max(slowest, time.monotonic() - began)
        return slowest

    def bytes_written(self):
        """What the program's processes have written to and share with nobody."""
        total = 0
        for process in self.stage.processes():
            with open(f"/proc/{process}/smaps_rollup", encoding="ascii") as rollup:
                total += next(int(line.split()[1]) for line in rollup if line.startswith("Private_Dirty:"))
        return total * 1024

    def descriptors(self):
        return sum(len(list(stages.Path(f"/proc/{process}/fd").iterdir())) for process in self.stage.processes())

    def hold(self, count, message):
        """Opens connections that say this and then nothing; what each costs."""
        open_before, bytes_before = self.descriptors(), self.bytes_written()
        for number in range(count):
            source = f"127.0.1.{1 + len(self.sockets) // OF_ONE_SOURCE}"
            held = socket.create_connection(("127.0.0.1", self.stage.ports["TLS"]), 20, (source, 0))
            self.sockets.append(held)
            held.sendall(message)
        until("all are accepted", lambda: self.descriptors() >= open_before + count)
        self.slowest()
        return (self.bytes_written() - bytes_before) / count

    def test_ten_thousand(self):
        """handshakes that stop in the first message, and behind it: others are served, memory is bounded"""
        message = self.first_message()
        alone = self.slowest()
        begun = self.hold(self.held // 2, message[:100])
        half_done = self.hold(self.held - self.held // 2, message)
        beside = self.slowest()
        figure(f"{self.held} handshakes held: {begun / 1000:.1f} kB each within the first message, "
               f"{half_done / 1000:.1f} kB behind it")
        figure(f"the slowest of {CLIENTS} others: {beside * 1000:.0f} ms, {alone * 1000:.0f} ms without them")
        self.assertGreaterEqual(self.held, HELD, "the limit of open files (ulimit -Hn) is too low for this test")
        self.assertLess(beside, SLOWEST_S)
        if not self.stage.is_nginx:
            self.assertLess(begun, MOST_BYTES_BEGUN)
            self.assertLess(half_done, MOST_BYTES_HALF_DONE)
        for held in self.sockets:
            held.close()
        self.sockets.clear()
        until("their connections end", lambda: self.descriptors() < 2_000)
        self.assertTrue(self.stage.is_running())
