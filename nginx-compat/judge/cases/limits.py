"""How large and how slow a request may be."""

from casebook import case, requests

SIZES = """
client_max_body_size 10;
server {
    listen 127.0.0.1:%PORT%;
    location / { proxy_pass http://%A%; }
    location /large { client_max_body_size 1k; proxy_pass http://%A%; }
    location /none { client_max_body_size 0; proxy_pass http://%A%; }
    location /return { return 200 "ok"; }
}
"""

requests("limits", SIZES, [
    ("body as large as allowed", "/", {"method": "POST", "body": b"x" * 10}),
    ("body one byte too large", "/", {"method": "POST", "body": b"x" * 11}),
    ("body of a larger limit", "/large", {"method": "POST", "body": b"x" * 1024}),
    ("body beyond a larger limit", "/large", {"method": "POST", "body": b"x" * 1025}),
    ("body without a limit", "/none", {"method": "POST", "body": b"x" * 100000}),
    ("body too large for a return", "/return", {"method": "POST", "body": b"x" * 11}),
    ("body too large of a GET", "/", {"method": "GET", "body": b"x" * 11}),
])


def chunked(path, *sizes):
    chunks = b"".join(b"%x\r\n%s\r\n" % (size, b"x" * size) for size in sizes)
    return b"POST " + path + b" HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


@case(SIZES)
def chunked_body_as_large_as_allowed(t):
    t.raw(chunked(b"/", 4, 6))


@case(SIZES)
def chunked_body_too_large(t):
    t.raw(chunked(b"/", 4, 7))


@case(SIZES)
def chunked_body_beyond_a_larger_limit(t):
    t.raw(chunked(b"/large", 1000, 1000))


@case(SIZES)
def body_announced_too_large_and_never_sent(t):
    announced(t, 1000000)


def announced(t, length):
    """A body that never comes. The client says that it is done: how long a proxy lingers for more is its affair."""
    connection = t.connect().send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % length)
    connection.read()
    connection.half_close().end()


@case("server { listen 127.0.0.1:%PORT%; location / { proxy_pass http://%A%; } }")
def default_body_limit(t):
    t.get("/", method="POST", body=b"x" * 1024 * 1024)
    announced(t, 1048577)


HEADERS = """
large_client_header_buffers 2 1k;
client_header_buffer_size 512;
server { listen 127.0.0.1:%PORT%; server_name h; location / { proxy_pass http://%A%; proxy_set_header X-Long ""; } }
"""
DEFAULTS = "server { listen 127.0.0.1:%PORT%; location / { return 200 \"ok\"; } }"


def line_of(length):
    """A request line of so many bytes, its end included."""
    return b"GET /" + b"a" * (length - len(b"GET / HTTP/1.1\r\n")) + b" HTTP/1.1\r\n"


def field_of(length):
    return b"X-Long: " + b"a" * (length - len(b"X-Long: \r\n")) + b"\r\n"


@case(HEADERS)
def request_line_within_the_buffer(t):
    t.raw(line_of(1000) + b"Host: h\r\n\r\n")


@case(HEADERS)
def request_line_beyond_the_buffer(t):
    t.raw(line_of(1100) + b"Host: h\r\n\r\n")


@case(HEADERS)
def field_within_the_buffer(t):
    t.raw(b"GET / HTTP/1.1\r\nHost: h\r\n" + field_of(1000) + b"\r\n")


@case(HEADERS)
def field_beyond_the_buffer(t):
    t.raw(b"GET / HTTP/1.1\r\nHost: h\r\n" + field_of(1100) + b"\r\n")


@case(HEADERS)
def more_fields_than_all_buffers_hold(t):
    t.raw(b"GET / HTTP/1.1\r\nHost: h\r\n" + field_of(900) * 4 + b"\r\n")


@case(DEFAULTS)
def request_line_of_8_kb(t):
    t.raw(line_of(8192) + b"Host: h\r\n\r\n")
    t.raw(line_of(8200) + b"Host: h\r\n\r\n")


@case(DEFAULTS)
def field_of_8_kb(t):
    t.raw(b"GET / HTTP/1.1\r\nHost: h\r\n" + field_of(8192) + b"\r\n")
    t.raw(b"GET / HTTP/1.1\r\nHost: h\r\n" + field_of(8300) + b"\r\n")


@case(DEFAULTS)
def header_of_20_kb_and_of_60(t):
    t.raw(b"GET / HTTP/1.1\r\nHost: h\r\n" + field_of(5000) * 4 + b"\r\n")
    t.raw(b"GET / HTTP/1.1\r\nHost: h\r\n" + field_of(5000) * 12 + b"\r\n")


@case(DEFAULTS)
def three_hundred_fields(t):
    t.raw(b"GET / HTTP/1.1\r\nHost: h\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(300)) + b"\r\n")


SLOW = """
client_header_timeout 1s;
client_body_timeout 1s;
log_format judge "$status $request";
access_log %DIR%/judge.access judge;
server { listen 127.0.0.1:%PORT%; location / { proxy_pass http://%A%; } }
"""


@case(SLOW)
def header_that_stops(t):
    t.raw(b"GET / HTTP/1.1\r\nHost: h\r\nX-")


@case(SLOW)
def connection_without_a_byte(t):
    t.raw(b"")


@case(SLOW)
def header_that_never_ends(t):
    connection = t.connect()
    connection.send("GET / HTTP/1.1\r\n")
    for _ in range(9):
        t.wait(0.2)
        connection.send("X-Slow: 1\r\n")
    connection.read()


@case(SLOW)
def header_byte_by_byte(t):
    t.connect().trickle(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 0.01).read()


@case(SLOW)
def body_that_stops(t):
    t.raw(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345")


@case(SLOW)
def body_that_is_slow_but_moves(t):
    connection = t.connect()
    connection.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n")
    for _ in range(4):
        t.wait(0.5)
        connection.send("x")
    connection.read()
    connection.end()
