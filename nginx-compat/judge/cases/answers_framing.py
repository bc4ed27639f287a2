"""Answers whose end could be seen in more than one place, and what follows an answer."""

from casebook import CASES, Case
from upstream import answer, raw

HTTP = """
log_format judge "$status $upstream_status";
access_log %DIR%/judge.access judge;
server { listen 127.0.0.1:%PORT%;
    location / { proxy_pass http://%A%; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_read_timeout 3s; }
}"""


def head(*fields, line=b"HTTP/1.1 200 OK"):
    return b"\r\n".join([line, *fields]) + b"\r\n\r\n"


def one(name, data, close=True, fields=(), **asked):
    """One request to a server that answers with these bytes."""

    def script(t):
        t.a.behave = raw(data, close)
        t.get("/", "example.org", *fields, **asked)

    CASES.append(Case(f"answers/{name}", HTTP, script))


def surplus(name, data, method="GET"):
    """Two requests on one connection: the server sends more than an answer, and then an answer of another body."""

    def script(t):
        client = t.connect()
        for behave in (raw(data + head(b"Content-Length: 4") + b"EVIL"), answer("next")):
            t.a.behave = behave
            client.send(f"{method} / HTTP/1.1\r\nHost: example.org\r\n\r\n").read(method)
            t.wait(0.05)
        client.end()
        t.note(f"connections to the server: {t.a.connections}")

    CASES.append(Case(f"answers/surplus behind {name}", HTTP, script))


THREE = b"3\r\nabc\r\n0\r\n\r\n"
for coding in (b"identity", b"cow", b"", b"chunked, gzip", b"chunked;a=b", b"Chunked", b"\tchunked "):
    one(f"coding '{coding.decode().strip()}'", head(b"Transfer-Encoding: " + coding) + THREE)
for first, second in ((b"chunked", b"chunked"), (b"cow", b"chunked"), (b"chunked", b"identity")):
    one(f"codings '{first.decode()}' and '{second.decode()}'",
        head(b"Transfer-Encoding: " + first, b"Transfer-Encoding: " + second) + THREE)
one("length and another coding", head(b"Content-Length: 3", b"Transfer-Encoding: identity") + b"abc")
one("chunked in HTTP 1.0", head(b"Transfer-Encoding: chunked", line=b"HTTP/1.0 200 OK") + THREE)

for length in (b"2, 2", b"+2", b"", b"0x2", b"02", b"99999999999999999999"):
    one(f"length '{length.decode()}'", head(b"Content-Length: " + length) + b"hi")

for line in (b"HTTP/1.1 099 Odd", b"HTTP/1.1 600 Odd", b"http/1.1 200 OK", b"HTTP/1.2 200 OK", b"HTTP/1.1  200 OK", b"ICY 200 OK"):
    one(f"line '{line.decode()}'", head(b"Content-Length: 2", line=line) + b"hi")
for name, field in (("a control byte", b"X\x01A: 1"), ("a zero byte", b"X\0A: 1"), ("a space", b"X A: 1"), ("no byte", b": 1"),
                    ("a parenthesis", b"X(A: 1"), ("an eight-bit byte", b"X\xe4: 1")):
    one(f"name with {name}", head(field, b"Content-Length: 2") + b"hi")
one("folded first field", head(b" X: 1", b"Content-Length: 2") + b"hi")
one("control byte in a value", head(b"X-A: a\x01b", b"Content-Length: 2") + b"hi")

surplus("a length", head(b"Content-Length: 2") + b"hi")
surplus("chunks", head(b"Transfer-Encoding: chunked") + THREE)
surplus("204", head(line=b"HTTP/1.1 204 No Content"))
surplus("304", head(line=b"HTTP/1.1 304 Not Modified"))
surplus("an answer to HEAD", head(b"Content-Length: 5"), "HEAD")

for line in (b"HTTP/1.1 204 No Content", b"HTTP/1.1 304 Not Modified"):
    one(f"{line[9:12].decode()} with chunks", head(b"Transfer-Encoding: chunked", line=line), close=False)
    one(f"{line[9:12].decode()} with chunks, to HTTP 1.0", head(b"Transfer-Encoding: chunked", line=line), False, version="1.0")
    one(f"{line[9:12].decode()} to HTTP 1.0 that keeps the connection", head(line=line), False, fields=["Connection: keep-alive"], version="1.0")
one("204 with a longer length", head(b"Content-Length: 5", line=b"HTTP/1.1 204 No Content"), close=False)

SWITCHED = head(b"Upgrade: x", b"Connection: Upgrade", line=b"HTTP/1.1 101 Switching Protocols") + b"HTTP/1.1 200 OK\r\n\r\n"
one("101 that nobody asked for", SWITCHED)
one("101 that a client of HTTP 1.0 asked for", SWITCHED, fields=["Connection: Upgrade", "Upgrade: x"], version="1.0")
