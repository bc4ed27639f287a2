"""Requests that are wrong, or nearly: what must never reach an upstream server, and what must."""

from casebook import raw_requests

PROXIED = """
server { listen 127.0.0.1:%PORT%; server_name example.org;
    location / { proxy_pass http://%A%; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }
}"""

HOST = b"Host: example.org\r\n"


def get(fields=b"", line=b"GET /x HTTP/1.1", host=HOST, body=b""):
    return line + b"\r\n" + host + fields + b"\r\n" + body


def post(fields, body=b""):
    return get(fields, b"POST /x HTTP/1.1", body=body)


CHUNKED = b"Transfer-Encoding: chunked\r\n"

raw_requests("malformed", PROXIED, [
    # Framing.
    ("length and chunked", post(b"Content-Length: 3\r\n" + CHUNKED, b"0\r\n\r\n")),
    ("chunked and length", post(CHUNKED + b"Content-Length: 3\r\n", b"0\r\n\r\n")),
    ("two equal lengths", post(b"Content-Length: 2\r\nContent-Length: 2\r\n", b"hi")),
    ("two different lengths", post(b"Content-Length: 2\r\nContent-Length: 3\r\n", b"hi!")),
    ("a list of lengths", post(b"Content-Length: 2, 2\r\n", b"hi")),
    ("length with a plus", post(b"Content-Length: +2\r\n", b"hi")),
    ("negative length", post(b"Content-Length: -1\r\n")),
    ("length in hexadecimal", post(b"Content-Length: 0x2\r\n", b"hi")),
    ("empty length", post(b"Content-Length:\r\n")),
    ("length beyond 64 bits", post(b"Content-Length: 99999999999999999999\r\n")),
    ("length with leading zeros", post(b"Content-Length: 002\r\n", b"hi")),
    ("length and a space", post(b"Content-Length: 2 \r\n", b"hi")),
    ("gzip and chunked", post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n")),
    ("chunked twice", post(CHUNKED + CHUNKED, b"0\r\n\r\n")),
    ("chunked listed twice", post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n")),
    ("identity", post(b"Transfer-Encoding: identity\r\n")),
    ("chunked in capitals", post(b"Transfer-Encoding: CHUNKED\r\n", b"2\r\nhi\r\n0\r\n\r\n")),
    ("chunked with a leading tab", post(b"Transfer-Encoding:\tchunked\r\n", b"2\r\nhi\r\n0\r\n\r\n")),
    ("chunked with a vertical tab", post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n")),
    ("chunked in HTTP 1.0", get(CHUNKED, b"POST /x HTTP/1.0", body=b"2\r\nhi\r\n0\r\n\r\n")),
    ("empty transfer encoding", post(b"Transfer-Encoding:\r\n")),
    ("chunk size is no number", post(CHUNKED, b"zz\r\nhi\r\n0\r\n\r\n")),
    ("chunk size with 0x", post(CHUNKED, b"0x2\r\nhi\r\n0\r\n\r\n")),
    ("chunk without a size", post(CHUNKED, b"\r\n\r\n")),
    ("chunk with an extension and no size", post(CHUNKED, b"2\r\nhi\r\n;x\r\n\r\n")),
    ("negative chunk size", post(CHUNKED, b"-2\r\nhi\r\n0\r\n\r\n")),
    ("chunk without its end", post(CHUNKED, b"2\r\nhiXX0\r\n\r\n")),
    ("chunk size beyond 64 bits", post(CHUNKED, b"11111111111111111\r\nhi\r\n")),
    ("chunk lines that end with LF", post(CHUNKED, b"2\nhi\n0\n\n")),
    ("chunk extension", post(CHUNKED, b"2;a=b\r\nhi\r\n0\r\n\r\n")),
    ("trailers", post(CHUNKED + b"Trailer: X-T\r\n", b"2\r\nhi\r\n0\r\nX-T: 1\r\n\r\n")),
    ("GET with a body", get(b"Content-Length: 2\r\n", body=b"hi")),
    # Request line.
    ("no request line", b"\r\n\r\n", 1),
    ("an empty line before it", b"\r\n" + get()),
    ("HTTP 0.9", b"GET /x\r\n"),
    ("HTTP 1.0", get(line=b"GET /x HTTP/1.0")),
    ("HTTP 1.2", get(line=b"GET /x HTTP/1.2")),
    ("HTTP 1.10", get(line=b"GET /x HTTP/1.10")),
    ("HTTP 2.0", get(line=b"GET /x HTTP/2.0")),
    ("HTTP 9.9", get(line=b"GET /x HTTP/9.9")),
    ("HTTP 2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("no version number", get(line=b"GET /x HTTP/")),
    ("protocol in lower case", get(line=b"GET /x http/1.1")),
    ("another protocol", get(line=b"GET /x RTSP/1.0")),
    ("method in lower case", get(line=b"get /x HTTP/1.1")),
    ("method with a minus", get(line=b"M-SEARCH /x HTTP/1.1")),
    ("method with an underscore", get(line=b"M_X /x HTTP/1.1")),
    ("method with a digit", get(line=b"GET1 /x HTTP/1.1")),
    ("method missing", get(line=b" /x HTTP/1.1")),
    ("two spaces after the method", get(line=b"GET  /x HTTP/1.1")),
    ("two spaces before the version", get(line=b"GET /x  HTTP/1.1")),
    ("space at the end of the line", get(line=b"GET /x HTTP/1.1 ")),
    ("tab instead of a space", get(line=b"GET\t/x HTTP/1.1")),
    ("space in the target", get(line=b"GET /x y HTTP/1.1")),
    ("control character in the target", get(line=b"GET /x\x01y HTTP/1.1")),
    ("DEL in the target", get(line=b"GET /x\x7fy HTTP/1.1")),
    ("no slash at the start of the target", get(line=b"GET x HTTP/1.1")),
    ("absolute form of another scheme", get(line=b"GET ftp://example.org/x HTTP/1.1")),
    ("absolute form without a host", get(line=b"GET http:///x HTTP/1.1")),
    ("absolute form with a bad host", get(line=b"GET http://exa_mple!.org/x HTTP/1.1")),
    ("bare LF everywhere", b"GET /x HTTP/1.1\nHost: example.org\n\n"),
    ("bare CR in the line", get(line=b"GET /x\rHTTP/1.1")),
    ("TLS to a plain port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40 + b"\r\n\r\n"),
    ("TRACE", get(line=b"TRACE /x HTTP/1.1")),
    ("CONNECT", get(line=b"CONNECT example.org:443 HTTP/1.1")),
    ("CONNECT with a path", get(line=b"CONNECT /x HTTP/1.1")),
    ("OPTIONS", get(line=b"OPTIONS /x HTTP/1.1")),
    # Fields.
    ("no Host in HTTP 1.1", get(host=b"")),
    ("two Hosts", get(host=HOST + b"Host: other.example\r\n")),
    ("two equal Hosts", get(host=HOST + HOST)),
    ("Host with a slash", get(host=b"Host: exa/mple\r\n")),
    ("Host with a space", get(host=b"Host: exa mple\r\n")),
    ("Host with an at", get(host=b"Host: user@example.org\r\n")),
    ("Host with two dots", get(host=b"Host: exa..mple\r\n")),
    ("Host with a control character", get(host=b"Host: exa\x01mple\r\n")),
    ("Host of only a port", get(host=b"Host: :80\r\n")),
    ("Host with a word as port", get(host=b"Host: example.org:http\r\n")),
    ("Host differs from the absolute form", get(line=b"GET http://other.example/x HTTP/1.1")),
    ("folded field", get(b"X-Long: a\r\n b\r\n")),
    ("first field folded", get(host=b" X: 1\r\n" + HOST)),
    ("space before the colon", get(b"X-Space : 1\r\n")),
    ("space in a name", get(b"X Space: 1\r\n")),
    ("field without a colon", get(b"X-None\r\n")),
    ("field without a name", get(b": x\r\n")),
    ("bare CR in a value", get(b"X-CR: a\rb\r\n")),
    ("zero byte in a value", get(b"X-Zero: a\0b\r\n")),
    ("zero byte in a name", get(b"X-\0: a\r\n")),
    ("control character in a value", get(b"X-Control: a\x01b\r\n")),
    ("tab in a value", get(b"X-Tab: a\tb\r\n")),
    ("parentheses in a name", get(b"X(a): 1\r\n")),
    ("eight-bit name", get(b"X-\xe4: 1\r\n")),
    ("Connection names Host", get(b"Connection: close, Host\r\n")),
    ("Connection names Content-Length", post(b"Content-Length: 2\r\nConnection: Content-Length\r\n", b"hi")),
    ("many names in Connection", get(b"Connection: close, " + b", ".join(b"x%d" % n for n in range(12)) + b"\r\n")),
    ("two Connections", get(b"Connection: keep-alive\r\nConnection: close\r\n")),
    ("two Content-Types", post(b"Content-Type: a/b\r\nContent-Type: c/d\r\nContent-Length: 2\r\n", b"hi")),
    ("two Authorizations", get(b"Authorization: Basic YQ==\r\nAuthorization: Basic Yg==\r\n")),
    ("two Expects", post(b"Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 2\r\n", b"hi")),
    ("unknown Expect", post(b"Expect: a-miracle\r\nContent-Length: 2\r\n", b"hi")),
    # A wrong request must not let a hidden one behind it through.
    ("smuggling by two framings", post(
        b"Content-Length: 6\r\n" + CHUNKED, b"0\r\n\r\nG") + get(line=b"GET /hidden HTTP/1.1"), 2),
    ("smuggling by a length of a GET", get(b"Content-Length: 43\r\n", body=b"GET /hidden HTTP/1.1\r\nHost: example.org\r\n\r\n")),
])
