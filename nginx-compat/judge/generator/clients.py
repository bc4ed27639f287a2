"""A client of HTTP/2 that is used as one of HTTP/1: a request as text is sent, and its answer read."""

from http2 import Http2, request
from secure import context

# Fields that HTTP/2 has no place for.
OF_CONNECTIONS = ("connection", "keep-alive", "proxy-connection", "upgrade", "te", "transfer-encoding")


class OneByOne:
    """A connection with TLS on which one request follows another."""

    def __init__(self, address, name):
        offered = context(alpn=("h2", "http/1.1"))
        self._lines, self._stream = [], -1
        self._http_2 = Http2(address, lambda *lines: self._lines.extend(lines),
                             wrap=lambda plain: offered.wrap_socket(plain, server_hostname=name))
        self._write = None

    def write_to(self, write):
        """Lines go there from now on: `write` takes a list of them."""
        self._write = write

    def send(self, data):
        """Sends a request of HTTP/1 as one of HTTP/2."""
        head, _, body = data.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        method, target, _ = line.split(" ")
        fields = [tuple(part.strip() for part in field.partition(":")[::2]) for field in fields]
        host = next(value for name, value in fields if name.lower() == "host")
        others = [(name.lower(), value) for name, value in fields if name.lower() not in ("host", *OF_CONNECTIONS)]
        self._stream += 2
        asked = request(target, *others, method=method, authority=host, scheme="https")
        self._http_2.ask(self._stream, asked, *([body] if body else []))
        return self

    def read(self, _method="GET"):
        """The answer to the last request, as HTTP/1 would have it; none when there is none or the connection ends with it."""
        self._lines.clear()
        self._http_2.read(self._stream)
        answer, self._http_2.last = self._http_2.last, None
        self._write([line.replace(" (in lower case)", "") for line in self._lines])
        return None if self._http_2.closed or self._http_2.goaway else answer

    def close(self):
        self._http_2.close()
