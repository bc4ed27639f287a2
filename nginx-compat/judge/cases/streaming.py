"""What is passed on while it comes: events, upgrades, large bodies."""

import hashlib
import threading
import time

from casebook import case
from upstream import answer, pieces, raw

EVENTS = """
server { listen 127.0.0.1:%PORT%;
    location / { proxy_pass http://%A%; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }
}"""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


@case(EVENTS)
def events_come_at_once(t):
    t.a.behave = pieces(HEAD, chunk(b"data: 1\n\n"), 0.4, chunk(b"data: 2\n\n"), 0.4, chunk(b"data: 3\n\n"), b"0\r\n\r\n", close=False)
    connection = t.connect().send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    started, seen, times = time.monotonic(), b"", []
    while b"0\r\n\r\n" not in seen:
        data = connection.receive()
        if not data:
            break
        seen += data
        times += [time.monotonic() - started] * (seen.count(b"data:") - len(times))
    t.note(f"events: {len(times)}")
    t.note(f"each within 0.3 s of its sending: {all(abs(at - 0.4 * n) < 0.3 for n, at in enumerate(times))}")


@case(EVENTS)
def a_slow_body_of_known_length_comes_as_it_comes(t):
    t.a.behave = pieces(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none", 0.8, b"two", close=False)
    connection = t.connect().send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    started, seen = time.monotonic(), b""
    while b"one" not in seen:
        data = connection.receive()
        if not data:
            break
        seen += data
    t.note(f"the first half came early: {time.monotonic() - started < 0.5}")
    while b"two" not in seen:
        data = connection.receive()
        if not data:
            break
        seen += data
    t.note(f"whole: {seen.endswith(b'onetwo')}")


@case(EVENTS)
def an_upstream_learns_that_the_listener_left(t):
    left = []

    def endless(_request, connection):
        connection.sendall(HEAD)
        connection.settimeout(3)
        for _ in range(60):
            connection.sendall(chunk(b"data: x\n\n"))
            connection.settimeout(0.05)
            try:
                if not connection.recv(1):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            return False
        left.append(True)
        return False

    t.a.behave = endless
    connection = t.connect().send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    connection.receive()
    connection.close()
    t.eventually("the upstream connection was closed", lambda: bool(left), within_s=2)


UPGRADE = """
server { listen 127.0.0.1:%PORT%;
    location / {
        proxy_pass http://%A%; proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";
    }
    location /plain { proxy_pass http://%A%; }
}"""
HANDSHAKE = ("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")


def echo(_request, connection):
    connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
    connection.settimeout(5)
    while data := connection.recv(4096):
        connection.sendall(data.upper())
    return False


def talk(t, connection, *words):
    for word in words:
        connection.send(word)
        heard = b""
        while len(heard) < len(word):
            data = connection.receive()
            if not data:
                break
            heard += data
        t.note(f"heard {heard!r}")


@case(UPGRADE)
def websocket(t):
    t.a.behave = echo
    connection = t.connect().send(HANDSHAKE)
    connection.read()
    talk(t, connection, b"hello", b"\x81\x05again", b"x" * 20)


@case(UPGRADE)
def websocket_with_bytes_right_behind(t):
    t.a.behave = echo
    connection = t.connect().send(HANDSHAKE + "early")
    connection.read()
    t.note(f"heard {connection.receive()!r}")
    talk(t, connection, b"later")


@case(UPGRADE)
def websocket_refused(t):
    t.a.behave = answer("no", "403 Forbidden")
    t.raw(HANDSHAKE)


@case("server { listen 127.0.0.1:%PORT%; location / { proxy_pass http://%A%; } }")
def request_behind_an_upgrade_that_is_not_granted(t):
    t.raw("GET /asks HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
          "GET /behind HTTP/1.1\r\nHost: h\r\n\r\n", 2)


@case("server { listen 127.0.0.1:%PORT%; location / { proxy_pass http://%A%; } }")
def upgrade_that_connection_does_not_name(t):
    t.raw("GET /plain HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\n\r\nGET /behind HTTP/1.1\r\nHost: h\r\n\r\n", 2)


@case(UPGRADE)
def websocket_closed_by_the_upstream(t):
    def goodbye(_request, connection):
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nbye")
        return False

    t.a.behave = goodbye
    connection = t.connect().send(HANDSHAKE)
    connection.read()
    t.note(f"heard {connection.receive()!r}", f"then {connection.receive()!r}")


@case(UPGRADE)
def websocket_closed_by_the_client(t):
    ended = []

    def listen(request, connection):
        echo(request, connection)
        ended.append(True)
        return False

    t.a.behave = listen
    connection = t.connect().send(HANDSHAKE)
    connection.read()
    talk(t, connection, b"one")
    connection.close()
    t.eventually("the upstream connection was closed", lambda: bool(ended))


BULK = """
client_max_body_size 8m;
server { listen 127.0.0.1:%PORT%;
    location / { proxy_pass http://%A%; proxy_http_version 1.1; proxy_set_header Connection ""; }
}"""


@case(BULK)
def large_answer_to_a_slow_reader(t):
    t.a.behave = answer(b"0123456789" * 200000)
    connection = t.connect().send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    seen = b""
    for _ in range(5):
        seen += connection.receive()
        t.wait(0.1)
    while data := connection.receive():
        seen += data
    body = seen.partition(b"\r\n\r\n")[2]
    t.note(f"{len(body)} bytes, sha1 {hashlib.sha1(body).hexdigest()}")


@case(BULK)
def large_upload(t):
    t.get("/", method="POST", body=b"0123456789" * 400000)


@case(BULK)
def large_chunked_upload(t):
    body = b"".join(chunk(b"0123456789" * 1000) for _ in range(200)) + b"0\r\n\r\n"
    t.raw(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + body)


@case(BULK)
def many_chunks(t):
    t.a.behave = pieces(HEAD, *(chunk(b"%d\n" % n) for n in range(200)), b"0\r\n\r\n", close=False)
    t.get("/")


HINTS = """
server { listen 127.0.0.1:%PORT%;
    early_hints $arg_early $arg_hints;
    location / { proxy_pass http://%A%; proxy_http_version 1.1; }
    location /off { early_hints 0 ""; proxy_pass http://%A%; proxy_http_version 1.1; }
}"""


def hinted(name, *arguments, **more):
    @case(HINTS, f"early hints, {name}")
    def play(t):
        t.a.behave = raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
                         b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        connection = t.connect()
        version = more.get("version", "1.1")
        connection.send(f"GET {arguments[0]} HTTP/{version}\r\nHost: h\r\nConnection: close\r\n\r\n")
        answer = connection.read()
        if answer is not None and answer.status == 103:
            connection.read()


hinted("wanted", "/?early=1")
hinted("wanted by the second", "/?early=0&hints=x")
hinted("not wanted", "/")
hinted("not wanted there", "/off?early=1")
hinted("HTTP/1.0", "/?early=1", version="1.0")

ABORT = """
log_format judge "$request_uri $status";
access_log %DIR%/judge.access judge;
server { listen 127.0.0.1:%PORT%;
    location / { proxy_pass http://%A%; }
    location /on { proxy_pass http://%A%; proxy_ignore_client_abort on; }
}"""


def aborted(name, target):
    @case(ABORT, f"a client that leaves, {name}")
    def play(t):
        told = threading.Event()
        left = threading.Event()

        def behave(_request, connection):
            left.wait(3)
            connection.settimeout(0.7)
            try:
                gone = connection.recv(1) == b""
            except OSError:
                gone = False
            t.note(f"the server is left, too: {gone}")
            if not gone:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            told.set()
            return not gone

        t.a.behave = behave
        connection = t.connect()
        connection.send(f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n")
        t.eventually("asked", lambda: t.seen() > 0)
        connection.close()
        left.set()
        told.wait(5)


aborted("ignored", "/on")
aborted("not ignored", "/")
