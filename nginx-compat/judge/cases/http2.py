"""HTTP/2 with prior knowledge: requests, bodies, what is refused, what the settings do, how connections end."""

import time

from casebook import CASES, Case, case, configurations
from frames import CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, SETTINGS, block, frame
from http2 import Http2, request
from upstream import answer, raw, stall

LOG = 'log_format judge "$status $request $server_protocol $http2 $connection_requests $body_bytes_sent"; access_log %DIR%/judge.access judge;'
LOCATIONS = """
    location / { proxy_pass http://%A%; proxy_set_header Http2 $http2; }
    location /r { return 200 "$server_protocol $http2 $http_cookie $host\\n"; }
    location /silent { return 444; }
    location /none { return 204; }
    location /moved { return 301 /there; }
    location /hints { early_hints $http2 0; proxy_pass http://%A%; }
    location /nohints { early_hints 0 ""; proxy_pass http://%A%; }
    location /unbuffered { proxy_pass http://%A%; proxy_request_buffering off; }"""


def server(settings="", locations=LOCATIONS):
    return f"{LOG}\nserver {{ listen 127.0.0.1:%PORT%; http2 on; {settings}{locations}\n}}"


def connect(t, settings=(), port="PORT"):
    connection = Http2(("127.0.0.1", t._ports[port]), t.note, settings)
    t._connections.append(connection)
    return connection


def one(name, fields, *body, settings="", behave=None, ends=False, **asked):
    """One request on a connection of its own."""

    def script(t):
        if behave:
            t.a.behave = behave
        connection = connect(t).ask(1, fields, *body, **asked).read(1)
        if ends:
            connection.end()
        else:
            # The connection goes on.
            connection.ask(3, request("/r")).read(3).close()

    CASES.append(Case(f"http2/{name}", server(settings), script))


one("a request to a server", request("/a?b=c", ("x-a", "y")))
one("an answer of the program's own", request("/r", ("cookie", "a=1"), ("cookie", "b=2")))
one("cookies to a server", request("/", ("cookie", "a=1"), ("x-a", "y"), ("cookie", "b=2")))
one("HEAD", request("/r", method="HEAD"))
one("HEAD to a server", request("/", method="HEAD"), behave=raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"))
one("204", request("/none"))
one("301", request("/moved"))
one("444", request("/silent"))
one("304 of a server", request("/"), behave=raw(b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n'))
one("an answer in chunks", request("/"), behave=raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
one("an answer up to the end", request("/"), behave=raw(b"HTTP/1.1 200 OK\r\n\r\nabc", close=True))
one("an answer that breaks off", request("/"), behave=raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", close=True))
one("an answer with fields of a connection", request("/"),
    behave=raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: X-A\r\nX-A: b\r\nKeep-Alive: 5\r\nUpgrade: x\r\n\r\na"))
HINTS = raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na")
one("early hints", request("/hints"), behave=HINTS)
one("early hints that are not wanted", request("/nohints"), behave=HINTS)
one("early hints without the setting", request("/"), behave=HINTS)
one("502", request("/"), behave=raw(b"", close=True))
one("a large answer", request("/"), behave=answer(b"x" * 300_000))

one("a body with a length", request("/", ("content-length", "5"), method="POST"), b"hello")
one("a body without a length", request("/", method="POST"), b"hel", b"lo")
one("a body without a length, not buffered", request("/unbuffered", method="POST"), b"hel", b"lo")
one("an empty body behind the header", request("/", method="POST"), b"")
one("a large body", request("/", ("content-length", "60000"), method="POST"), *[b"x" * 12000] * 5)
one("a body that is too long for its length", request("/", ("content-length", "3"), method="POST"), b"hello")
one("a body that is too short for its length", request("/", ("content-length", "9"), method="POST"), b"hello")
one("a body beyond client_max_body_size", request("/", ("content-length", "11"), method="POST"), b"hello", end=False,
    settings="client_max_body_size 10;")
one("a body beyond client_max_body_size, without a length", request("/", method="POST"), b"hello", b"hello!", end=False,
    settings="client_max_body_size 10;")
one("a body that stops", request("/", ("content-length", "9"), method="POST"), b"hello", end=False,
    settings="client_body_timeout 1s;")

one("host and authority that agree", request("/r", ("host", "example.org")))
one("host and authority that do not", request("/r", ("host", "other")))
one("host alone", request("/r", ("host", "other"), authority=None))
one("neither host nor authority", request("/r", authority=None))
one("two hosts", request("/r", ("host", "a"), ("host", "a"), authority=None))
one("an invalid authority", request("/r", authority="a/b"))
one("a user in the authority", request("/r", authority="u@a"))
one("an empty authority", request("/r", authority=""))
one("an authority with a port", request("/r", authority="a.example:8080"))

for name, field in (("connection", "close"), ("keep-alive", "5"), ("proxy-connection", "close"), ("transfer-encoding", "chunked"),
                    ("upgrade", "h2c"), ("te", "gzip"), ("te", "trailers")):
    one(f"the field {name}: {field}", request("/", (name, field)))
for name in ("X-A", "x a", "x(a", "x\0a", ""):
    one(f"the name {name!r}", request("/r", (name, "b")))
for value in ("a\nb", "a\rb", "a\0b", " a "):
    one(f"the value {value!r}", request("/", ("x-a", value)))
one("an underscore in a name", request("/", ("x_a", "b")))

one("no method", request("/r", method=None))
one("no scheme", request("/r", scheme=None))
one("no path", request(None))
one("an empty path", request(""))
one("a path without a slash", request("r"))
one("an asterisk", request("*", method="OPTIONS"))
one("a path with a blank", request("/r b"))
one("a path with a broken escape", request("/r%zz"))
one("a path twice", request("/r", (":path", "/b")))
one("a pseudo-header behind a field", request(None, ("x-a", "b"), (":path", "/r")))
one("an unknown pseudo-header", request("/r", (":new", "b")))
one("a status", request("/r", (":status", "200")))
one("a method in lower case", request("/r", method="get"))
one("TRACE", request("/r", method="TRACE"))
one("CONNECT", [(":method", "CONNECT"), (":authority", "a:443")])

WEBSOCKET = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/r"), (":authority", "a"),
             ("sec-websocket-version", "13")]
one("a WebSocket (RFC 8441)", WEBSOCKET)


@case(server())
def a_websocket_is_not_offered(t):
    connection = connect(t).ask(1, request("/r")).read(1)
    # SETTINGS_ENABLE_CONNECT_PROTOCOL: without it browsers open their WebSockets with HTTP/1.
    t.note(f"extended CONNECT: {connection.settings.get(8, 0)}")
    connection.close()


for length in ("", "+1", "x", "1, 1", "99999999999999999999"):
    one(f"the length {length!r}", request("/", ("content-length", length), method="POST"), b"a")
one("two lengths", request("/", ("content-length", "1"), ("content-length", "1"), method="POST"), b"a")
one("a length and no body", request("/", ("content-length", "1"), method="POST"))

SMALL = "large_client_header_buffers 4 1k;"
one("a path that is too long", request("/r" + "x" * 2000), settings=SMALL)
one("a field that is too long", request("/r", ("x-a", "b" * 2000)), settings=SMALL)
one("fields that are too many bytes", request("/r", *[("x-a", "b" * 900)] * 6), settings=SMALL)
one("fields that are too many", request("/r", *[("x-a", "b")] * 30), settings="max_headers 20;")


@case(server())
def several_streams_at_once(t):
    def slow(request, connection):
        if request.target == "/slow":
            time.sleep(0.3)
        return answer(request.target)(request, connection)

    t.a.behave = slow
    connection = connect(t).ask(1, request("/slow")).ask(3, request("/r")).ask(5, request("/fast"))
    for stream in (3, 5, 1):
        connection.read(stream)
    connection.close()


@case(server("http2_max_concurrent_streams 2;"))
def more_streams_than_http2_max_concurrent_streams(t):
    t.a.behave = stall
    connection = connect(t)
    for stream in (1, 3, 5, 7):
        connection.ask(stream, request(f"/{stream}"))
        t.wait(0.1)
    connection.read(5).read(7)
    t.note(f"allowed: {connection.settings.get(3)}")
    connection.close()


@case(server("http2_body_preread_size 1000;"))
def http2_body_preread_size(t):
    connection = connect(t).ask(1, request("/r")).read(1)
    t.note(f"window: {connection.settings.get(4)}")
    connection.close()


@case(server("http2_chunk_size 1000;"))
def http2_chunk_size(t):
    t.a.behave = answer(b"x" * 3500)
    connection = connect(t).ask(1, request("/")).read(1)
    t.note(f"longest frame: {max(connection.lengths)}")
    connection.close()


@case(server("keepalive_requests 2;"))
def keepalive_requests(t):
    connection = connect(t)
    for stream in (1, 3):
        connection.ask(stream, request("/r")).read(stream)
    connection.end()


@case(server("keepalive_time 1s;"))
def keepalive_time(t):
    connection = connect(t).ask(1, request("/r")).read(1)
    t.wait(1.2)
    connection.ask(3, request("/r")).read(3).end()


@case(server("keepalive_timeout 1s;"))
def keepalive_timeout(t):
    connect(t).ask(1, request("/r")).read(1).end()


@case(server("client_header_timeout 1s;"))
def client_header_timeout(t):
    connect(t).send(frame(HEADERS, END_STREAM, 1, block(request("/r")))).end()


@case(server())
def a_header_in_pieces(t):
    whole = block(request("/r"))
    connection = connect(t).send(frame(HEADERS, END_STREAM, 1, whole[:5]) + frame(CONTINUATION, 0, 1, whole[5:9]))
    connection.send(frame(CONTINUATION, END_HEADERS, 1, whole[9:])).read(1).close()


@case(server())
def a_stream_that_is_given_up(t):
    t.a.behave = stall
    connection = connect(t).ask(1, request("/"))
    t.eventually("the request reaches the server", lambda: t.seen() == 1)
    connection.reset(1)
    t.wait(0.2)
    connection.ask(3, request("/r")).read(3).close()


@case(server().replace("$status", "$request_length $status"))
def request_length(t):
    connection = connect(t).ask(1, request("/r")).read(1).ask(3, request("/", method="POST"), b"hel", b"lo").read(3)
    whole = block(request("/r"))
    connection.send(frame(HEADERS, END_STREAM, 5, whole[:5]) + frame(CONTINUATION, END_HEADERS, 5, whole[5:])).read(5).close()


@case(server())
def a_ping(t):
    connection = connect(t).send(frame(PING, 0, 0, b"12345678")).ask(1, request("/r")).read(1)
    connection.close()


def ends(name, data):
    """Frames that end the connection, and how."""
    CASES.append(Case(f"http2/{name}", server(), lambda t: connect(t).send(data).end()))


ends("too long a frame", frame(DATA, 0, 1, b"x" * 20000))
ends("data of no stream", frame(DATA, 0, 0, b"x"))
ends("an even stream", frame(HEADERS, END_HEADERS | END_STREAM, 2, block(request())))
ends("a broken header block", frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff" * 8))
ends("settings of a wrong length", frame(SETTINGS, 0, 0, b"x" * 5))
ends("a ping within a header", frame(HEADERS, END_STREAM, 1, b"") + frame(PING, 0, 0, b"x" * 8))


@case(server())
def http_1_beside_it(t):
    t.get("/r")


@case("server { listen 127.0.0.1:%PORT%; return 200 \"r\\n\"; }")
def the_preface_without_http2(t):
    t.raw(PREFACE)


@case("server { listen 127.0.0.1:%PORT% http2; return 200 \"$http2\\n\"; }")
def the_older_word_in_listen(t):
    connect(t).ask(1, request()).read(1).close()


@case("server { listen 127.0.0.1:%PORT%; return 200 \"1\\n\"; } server { listen 127.0.0.1:%PORT%; server_name b; http2 on; return 200 2; }")
def http2_of_another_server_than_the_default(t):
    t.raw(PREFACE)


configurations("http2", (
    ("http2 takes on and off", "server { listen 127.0.0.1:1; http2 maybe; }"),
    ("http2 once", "server { listen 127.0.0.1:1; http2 on; http2 on; }"),
    ("http2 in a location", "server { listen 127.0.0.1:1; location / { http2 on; } }"),
    ("a preread size that is no window", "server { listen 127.0.0.1:1; http2_body_preread_size 2147483648; }"),
    ("streams that are no number", "server { listen 127.0.0.1:1; http2_max_concurrent_streams many; }"),
    ("listen http2", "server { listen 127.0.0.1:1 http2; }"),
    ("http2_push", "server { listen 127.0.0.1:1; http2_push /a; }"),
    ("http2_max_field_size", "server { listen 127.0.0.1:1; http2_max_field_size 8k; }"),
    ("http2_idle_timeout", "server { listen 127.0.0.1:1; http2_idle_timeout 1m; }"),
    ("http2_recv_buffer_size in a server", "server { listen 127.0.0.1:1; http2_recv_buffer_size 1k; }"),
))
