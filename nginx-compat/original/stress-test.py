#!/usr/bin/env python3
"""Sends requests and prints how they went: stress-test.py --n 20000 --c 50 --u http://localhost:80

The original demo's script, re-created. It measures Python as much as the server: for figures use `loadgen`, which
takes the same switches.
"""

import argparse
import http.client
import sys
import threading
import time
from urllib.parse import urlsplit

RULE = "-" * 60
TIMEOUT_SECONDS = 30


def parse_arguments():
    parser = argparse.ArgumentParser(description="Send many requests to a server and time them.")
    parser.add_argument("-n", "--n", "--number", dest="number", type=positive, default=1000, metavar="N",
                        help="how many requests to send (default: 1000)")
    parser.add_argument("-c", "--c", "--concurrent", dest="concurrent", type=positive, default=1, metavar="C",
                        help="how many at the same time (default: 1)")
    parser.add_argument("-u", "--u", "--url", dest="url", type=http_url, default="http://localhost:80",
                        help="where to send them (default: http://localhost:80)")
    return parser.parse_args()


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def http_url(text):
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise argparse.ArgumentTypeError(f"{text} is not an http:// or https:// URL")
    return text


class Report:
    """What all workers found, and the order in which they print it."""

    def __init__(self):
        self._lock = threading.Lock()
        self.sent = 0
        self.successful = 0
        self.failed = 0
        self.seconds = 0.0

    def answered(self, status, seconds):
        with self._lock:
            self._count(200 <= status < 400, seconds)
            print(f"Request {self.sent}: Status {status}, Time: {seconds:.3f}s")

    def broke(self, error, seconds):
        with self._lock:
            self._count(False, seconds)
            print(f"Request {self.sent}: Error {error or type(error).__name__}, Time: {seconds:.3f}s")

    def _count(self, success, seconds):
        self.sent += 1
        self.seconds += seconds
        if success:
            self.successful += 1
        else:
            self.failed += 1


class Tickets:
    """Hands out the right to send one request, `number` times."""

    def __init__(self, number):
        self._lock = threading.Lock()
        self._left = number

    def take(self):
        with self._lock:
            if self._left == 0:
                return False
            self._left -= 1
            return True


def work(url, tickets, report):
    parts = urlsplit(url)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    while tickets.take():
        # One connection for each request, as the original's client made them.
        connection = connect(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS)
        begin = time.perf_counter()
        try:
            connection.request("GET", target)
            response = connection.getresponse()
            response.read()
            report.answered(response.status, time.perf_counter() - begin)
        except (OSError, http.client.HTTPException) as error:
            report.broke(error, time.perf_counter() - begin)
        finally:
            connection.close()


def main():
    arguments = parse_arguments()
    print(f"Sending {arguments.number} requests to {arguments.url}")
    print(f"Concurrency: {arguments.concurrent}")
    print(RULE)
    tickets, report = Tickets(arguments.number), Report()
    workers = [threading.Thread(target=work, args=(arguments.url, tickets, report), daemon=True)
               for _ in range(min(arguments.concurrent, arguments.number))]
    begin = time.perf_counter()
    for worker in workers:
        worker.start()
    try:
        for worker in workers:
            worker.join()
    except KeyboardInterrupt:
        print("interrupted; so far:", file=sys.stderr)
    total = time.perf_counter() - begin
    print(RULE)
    print(f"Total requests: {report.sent}")
    print(f"Successful: {report.successful}")
    print(f"Failed: {report.failed}")
    print(f"Average response time: {report.seconds / max(report.sent, 1):.3f}s")
    print(f"Total time: {total:.3f}s")
    print(f"Requests per second: {report.sent / total:.2f}")
    return 0 if report.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
