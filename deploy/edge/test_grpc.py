"""gRPC through the program under test: grpcio on both ends, messages as plain bytes, so that nothing has to be compiled.

The servers are processes of their own, so that one can be killed; each tells on its standard output what it is asked.
"""

import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from concurrent import futures
from pathlib import Path

import grpc

WITHIN_S = 20
SERVICE = "edge.Echo"


# The server.


def tell(*words):
    print(*words, flush=True)


def unary(request, context):
    tell("unary", request.decode(), context.time_remaining() is not None)
    context.set_trailing_metadata((("told", "at-the-end"),))
    if request == b"fail":
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "as asked")
    return request


def server_stream(request, context):
    tell("server_stream", request.decode())
    for number in range(int(request)):
        yield b"%d" % number


def client_stream(requests, context):
    tell("client_stream")
    return b"+".join(requests)


def both(requests, context):
    tell("both")
    for request in requests:
        yield b"echo " + request


def silent(request, context):
    ended = threading.Event()
    context.add_callback(ended.set)
    tell("silent", "begins")
    ended.wait(WITHIN_S)
    tell("silent", "ends")
    return b""


def serve(certificate):
    handlers = {
        "unary": grpc.unary_unary_rpc_method_handler(unary),
        "server_stream": grpc.unary_stream_rpc_method_handler(server_stream),
        "client_stream": grpc.stream_unary_rpc_method_handler(client_stream),
        "both": grpc.stream_stream_rpc_method_handler(both),
        "silent": grpc.unary_unary_rpc_method_handler(silent),
    }
    server = grpc.server(futures.ThreadPoolExecutor(16))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    if certificate:
        pair = (Path(certificate + ".key").read_bytes(), Path(certificate + ".pem").read_bytes())
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    tell(port)
    server.wait_for_termination()


class Server:
    """A server in a process of its own."""

    def __init__(self, certificate=""):
        self._process = subprocess.Popen([sys.executable, "-B", __file__, "--serve", str(certificate)],
                                         stdout=subprocess.PIPE, text=True)
        self.told = []
        self.port = int(self._process.stdout.readline())
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self):
        for line in self._process.stdout:
            self.told.append(line.strip())

    def count(self, what):
        return sum(line.startswith(what) for line in self.told)

    def kill(self):
        self._process.kill()
        self._process.wait()
        self._listener.join()
        self._process.stdout.close()


# The program under test.


def until(what, condition):
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"never: {what}")
        time.sleep(0.01)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Proxy:
    """The program under test before some servers."""

    def __init__(self, directory, http):
        self.port = free_port()
        self.directory = Path(directory)
        temporary = " ".join(f"{kind}_temp_path {directory}/{kind};"
                             for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self.directory / "nginx.conf").write_text(f"""daemon off; worker_processes 1; pid {directory}/pid;
error_log {directory}/error.log info; events {{}}
http {{ access_log off; {temporary} {http.replace("LISTEN", f"127.0.0.1:{self.port}")} }}
""")
        self._process = subprocess.Popen([os.environ["LB"], "-p", directory, "-c", f"{directory}/nginx.conf"])
        until("the proxy listens", self._listens)

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def log(self):
        return (self.directory / "error.log").read_text()

    def stop(self):
        self._process.terminate()
        self._process.wait()


def certificate(directory):
    """A certificate that vouches for itself: PREFIX.pem and PREFIX.key."""
    prefix = f"{directory}/server"
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-keyout", f"{prefix}.key", "-out", f"{prefix}.pem", "-days", "30", "-subj", "/CN=servers",
                    "-addext", "subjectAltName=DNS:servers"], check=True, capture_output=True)
    return prefix


class Calls:
    """All tests, for one scheme."""

    secure = False

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.certificate = certificate(self.directory.name) if self.secure else ""
        self.server = Server(self.certificate)
        self.others = []
        self.begin(f"server 127.0.0.1:{self.server.port};")

    def begin(self, servers, settings=""):
        scheme = "grpcs" if self.secure else "grpc"
        tls = f"""grpc_ssl_verify on; grpc_ssl_name servers; grpc_ssl_server_name on;
            grpc_ssl_trusted_certificate {self.certificate}.pem;""" if self.secure else ""
        self.proxy = Proxy(self.directory.name, f"""
            upstream servers {{ {servers} keepalive 4; }}
            server {{ listen LISTEN; http2 on; location / {{ grpc_pass {scheme}://servers; {tls} {settings} }} }}""")
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.proxy.port}",
                                             options=[("grpc.enable_retries", 0)])

    def again(self, servers, settings=""):
        self.channel.close()
        self.proxy.stop()
        self.begin(servers, settings)

    def other(self):
        other = Server(self.certificate)
        self.others.append(other)
        return other

    def tearDown(self):
        self.channel.close()
        self.proxy.stop()
        for server in (self.server, *self.others):
            server.kill()
        self.directory.cleanup()

    def call(self, name, kind="unary_unary"):
        return getattr(self.channel, kind)(f"/{SERVICE}/{name}")

    def test_unary(self):
        """a unary call, its status and what is told at its end"""
        for number in range(5):
            answer, call = self.call("unary").with_call(b"%d" % number, timeout=WITHIN_S)
            self.assertEqual(b"%d" % number, answer)
            self.assertIn(("told", "at-the-end"), [tuple(pair) for pair in call.trailing_metadata()])
        with self.assertRaises(grpc.RpcError) as failed:
            self.call("unary")(b"fail", timeout=WITHIN_S)
        self.assertEqual(grpc.StatusCode.FAILED_PRECONDITION, failed.exception.code())
        self.assertEqual("as asked", failed.exception.details())
        until("the deadline is passed on",
              lambda: sum("True" in line for line in self.server.told if "fail" not in line) == 5)

    def test_large(self):
        """a message longer than any window at its start"""
        large = os.urandom(3_000_000)
        self.again(f"server 127.0.0.1:{self.server.port};", "client_max_body_size 0;")
        answer = self.call("client_stream", "stream_unary")(iter([large]), timeout=WITHIN_S)
        self.assertEqual(large, answer)

    def test_streams(self):
        """streams from the server, from the client, and both at once, message by message"""
        answers = self.call("server_stream", "unary_stream")(b"50", timeout=WITHIN_S)
        self.assertEqual([b"%d" % number for number in range(50)], list(answers))
        answer = self.call("client_stream", "stream_unary")(iter([b"a", b"b", b"c"]), timeout=WITHIN_S)
        self.assertEqual(b"a+b+c", answer)
        messages = queue.Queue()
        answers = self.call("both", "stream_stream")(iter(messages.get, None), timeout=WITHIN_S)
        for number in range(5):
            messages.put(b"%d" % number)
            # The next is sent only when this one has come back.
            self.assertEqual(b"echo %d" % number, next(answers))
        messages.put(None)
        self.assertEqual([], list(answers))
        self.assertEqual(grpc.StatusCode.OK, answers.code())

    def test_many_at_once(self):
        """many calls in one connection"""
        calls = [self.call("unary").future(b"%d" % number, timeout=WITHIN_S) for number in range(200)]
        self.assertEqual([b"%d" % number for number in range(200)], [call.result() for call in calls])

    def test_cancelled(self):
        """a call that the client cancels ends at the server"""
        call = self.call("silent").future(b"", timeout=WITHIN_S)
        until("the call arrives", lambda: "silent begins" in self.server.told)
        call.cancel()
        until("the server hears of it", lambda: "silent ends" in self.server.told)
        self.assertEqual(b"x", self.call("unary")(b"x", timeout=WITHIN_S))

    def test_deadline(self):
        """a deadline ends a call at both ends"""
        with self.assertRaises(grpc.RpcError) as failed:
            self.call("silent")(b"", timeout=0.5)
        self.assertEqual(grpc.StatusCode.DEADLINE_EXCEEDED, failed.exception.code())
        until("the server hears of it", lambda: "silent ends" in self.server.told)

    def test_read_timeout(self):
        """a silent server runs out of time"""
        self.again(f"server 127.0.0.1:{self.server.port};", "grpc_read_timeout 300ms;")
        with self.assertRaises(grpc.RpcError) as failed:
            self.call("silent")(b"", timeout=WITHIN_S)
        self.assertEqual(grpc.StatusCode.UNAVAILABLE, failed.exception.code(), failed.exception.details())
        self.assertIn("504", failed.exception.details())

    def test_killed(self):
        """a server that dies in the midst of a call; the call goes to no other"""
        other = self.other()
        self.again(f"server 127.0.0.1:{self.server.port}; server 127.0.0.1:{other.port} backup;")
        call = self.call("silent").future(b"", timeout=WITHIN_S)
        until("the call arrives", lambda: "silent begins" in self.server.told)
        self.server.kill()
        with self.assertRaises(grpc.RpcError) as failed:
            call.result()
        self.assertEqual(grpc.StatusCode.UNAVAILABLE, failed.exception.code(), failed.exception.details())
        self.assertEqual(0, other.count("silent"))
        self.assertEqual(b"x", self.call("unary")(b"x", timeout=WITHIN_S), "the next call goes to the other")
        until("the other is asked once", lambda: other.count("unary") == 1)

    def test_nothing_sent(self):
        """a server that cannot be connected to costs no call"""
        dead = free_port()
        self.again(f"server 127.0.0.1:{dead}; server 127.0.0.1:{self.server.port};")
        for number in range(6):
            self.assertEqual(b"%d" % number, self.call("unary")(b"%d" % number, timeout=WITHIN_S))
        until("each call arrives once", lambda: self.server.count("unary") == 6)

    def test_no_server(self):
        """no server at all"""
        self.server.kill()
        with self.assertRaises(grpc.RpcError) as failed:
            self.call("unary")(b"x", timeout=WITHIN_S)
        self.assertEqual(grpc.StatusCode.UNAVAILABLE, failed.exception.code())


class Plain(Calls, unittest.TestCase):
    """grpc://"""


class Secure(Calls, unittest.TestCase):
    """grpcs://"""

    secure = True


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2])
    else:
        unittest.main(verbosity=2)
