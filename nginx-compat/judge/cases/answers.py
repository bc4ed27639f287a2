"""Answers of upstream servers, from the plain to the broken."""

from casebook import CASES, Case, case
from upstream import answer, hang_up, pieces, raw, reset

HTTP = """
log_format judge "$status $upstream_status";
access_log %DIR%/judge.access judge;
server { listen 127.0.0.1:%PORT%;
    location / { proxy_pass http://%A%; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_read_timeout 3s; }
}"""


def one(name, behave, **asked):
    """One request to a server that answers like this."""

    def script(t):
        t.a.behave = behave
        t.get("/", **asked)

    CASES.append(Case(f"answers/{name}", HTTP, script))


def head(*fields, line=b"HTTP/1.1 200 OK"):
    return b"\r\n".join([line, *fields]) + b"\r\n\r\n"


CHUNKED = head(b"Transfer-Encoding: chunked", b"Content-Type: text/plain")
THREE = b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"

for status in ("201 Created", "204 No Content", "206 Partial Content", "301 Moved Permanently", "304 Not Modified",
               "400 Bad Request", "401 Unauthorized", "404 Not Found", "416 Range", "499 Odd", "500 Internal Server Error",
               "502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout", "599 Odd", "200 Fine", "200 "):
    one(f"status {status}", answer("" if status[:3] in ("204", "304") else "body", status, "Location: http://e.example/",
                                   "WWW-Authenticate: Basic realm=x", "Retry-After: 5"))

one("length 0", answer(""))
one("chunked", raw(CHUNKED + THREE))
one("chunked to HTTP 1.0", raw(CHUNKED + THREE), version="1.0")
one("chunked with extension and trailer", raw(CHUNKED + b"3;a=b\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n"))
one("up to the end of the connection", answer("abc", length=False))
one("up to the end of the connection, to HTTP 1.0", answer("abc", length=False), version="1.0")
one("of HTTP 1.0", raw(head(line=b"HTTP/1.0 200 OK") + b"abc", close=True))
one("of HTTP 1.0 with a length", raw(head(b"Content-Length: 3", line=b"HTTP/1.0 200 OK") + b"abc", close=True))
one("to HEAD with a length", raw(head(b"Content-Length: 300")), method="HEAD")
one("to HEAD chunked", raw(head(b"Transfer-Encoding: chunked")), method="HEAD")
one("204 with a length", raw(head(b"Content-Length: 0", line=b"HTTP/1.1 204 No Content")))
one("304 with a length", raw(head(b"Content-Length: 300", b"ETag: \"x\"", line=b"HTTP/1.1 304 Not Modified")))
one("continue before the answer", raw(head(line=b"HTTP/1.1 100 Continue") + head(b"Content-Length: 2") + b"hi"))
one("early hints before the answer", raw(head(b"Link: </a>", line=b"HTTP/1.1 103 Early Hints") + head(b"Content-Length: 2") + b"hi"))
one("in pieces", pieces(b"HTTP/1.1 200 O", 0.1, b"K\r\nContent-Le", 0.1, b"ngth: 5\r\n\r\nhe", 0.1, b"llo"))
one("header only, then closed", raw(head(b"Content-Length: 5"), close=True))
one("body cut", raw(head(b"Content-Length: 5") + b"he", close=True))
one("chunked body cut", raw(CHUNKED + b"5\r\nhe", close=True))
one("chunked body without its end", raw(CHUNKED + b"1\r\na\r\n", close=True))
one("chunked body without its end, to HTTP 1.0", raw(CHUNKED + b"1\r\na\r\n", close=True), version="1.0")
one("chunked body with a bad size", raw(CHUNKED + b"1\r\na\r\nzz\r\n", close=True))
one("more body than announced", raw(head(b"Content-Length: 2") + b"hi and more", close=True))
one("body stalls", pieces(head(b"Content-Length: 5") + b"he", 3.6))
one("nothing", hang_up)
one("reset", reset)
one("garbage", raw(b"garbage\r\n\r\n", close=True))
one("half a status line", raw(b"HTTP/1.1 2", close=True))
one("half a header", raw(b"HTTP/1.1 200 OK\r\nContent-Le", close=True))
one("status that is no number", raw(b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n", close=True))
one("status of two digits", raw(b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n", close=True))
one("status of four digits", raw(b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", close=True))
one("HTTP 2.0", raw(b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", close=True))
one("bare LF", raw(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", close=True))
one("field without a colon", raw(head(b"X-None", b"Content-Length: 2") + b"hi", close=True))
one("space before the colon", raw(head(b"X-A : 1", b"Content-Length: 2") + b"hi", close=True))
one("folded field", raw(head(b"X-A: 1", b" 2", b"Content-Length: 2") + b"hi", close=True))
one("zero byte in a value", raw(head(b"X-A: a\0b", b"Content-Length: 2") + b"hi", close=True))
one("bare CR in a value", raw(head(b"X-A: a\rb", b"Content-Length: 2") + b"hi", close=True))
one("eight-bit value", raw(head(b"X-A: \xe4", b"Content-Length: 2") + b"hi"))
one("underscore in a name", raw(head(b"X_A: 1", b"Content-Length: 2") + b"hi"))
one("two equal lengths", raw(head(b"Content-Length: 2", b"Content-Length: 2") + b"hi", close=True))
one("two different lengths", raw(head(b"Content-Length: 2", b"Content-Length: 3") + b"hi!", close=True))
one("length that is no number", raw(head(b"Content-Length: x") + b"hi", close=True))
one("negative length", raw(head(b"Content-Length: -1") + b"hi", close=True))
one("length and chunked", raw(head(b"Content-Length: 2", b"Transfer-Encoding: chunked") + THREE, close=True))
one("gzip and chunked", raw(head(b"Transfer-Encoding: gzip, chunked") + THREE, close=True))
one("header of 3 kB", raw(head(b"X-Long: " + b"a" * 3000, b"Content-Length: 2") + b"hi"))
one("header of 20 kB", raw(head(b"X-Long: " + b"a" * 20000, b"Content-Length: 2") + b"hi"))
one("body of 1 MB", answer(b"0123456789abcdef" * 65536))
one("upgrade nobody asked for", raw(head(b"Upgrade: x", b"Connection: Upgrade", line=b"HTTP/1.1 101 Switching Protocols"), close=True))
one("answer before the body was read", lambda request, connection: answer("early")(request, connection),
    method="POST", body=b"x" * 1000)


@case(HTTP)
def a_broken_answer_does_not_spoil_the_next(t):
    for behave in (raw(head(b"Content-Length: 2") + b"hi and more"), answer("second"), raw(b"garbage\r\n\r\n"), answer("fourth")):
        t.a.behave = behave
        t.get("/")
