"""Scripted upstream servers: they answer what a case tells them to, and write down what they were asked.

A behaviour is a function of the request and the connection; `answer`, `raw` and their neighbours make the common
ones. A connection that carries no byte (a probe) is not written down.
"""

import hashlib
import socket
import struct
import threading

READS_WITHIN_S = 8


class Request:
    """One request as it came over the wire."""

    def __init__(self, line, fields, body, complete):
        self.line = line
        self.fields = fields
        self.body = body
        self.complete = complete
        # What is known of the connection's TLS, and how a stream ended that has no whole request.
        self.tls = self.ended = None
        self.method, _, rest = line.partition(" ")
        self.target, _, self.version = rest.rpartition(" ")

    def field(self, name):
        return next((value for key, value in self.fields if key.lower() == name), None)

    def transcript(self, server):
        """Lines for the comparison: names sorted; the protocol on a line of its own."""
        connection = self.field("connection")
        lines = [
            f"{server} <- {self.method} {self.target}",
            f"     over {self.version}" + (f", connection: {connection}" if connection is not None else ""),
        ]
        if self.tls:
            lines.append(f"     {self.tls}")
        # Names have no case in HTTP/2.
        written = (lambda name: name) if self.version == "HTTP/2" else shown_name
        fields = [(written(name), value) for name, value in self.fields if name.lower() != "connection"]
        lines += sorted(f"     {name}: {value}" for name, value in fields)
        if self.body or not self.complete:
            lines.append(f"     body {shown(self.body)}" + ("" if self.complete else ", cut"))
        if self.ended:
            lines.append(f"     reset {self.ended}")
        return lines


def shown_name(name):
    """A field's name: in lower case where every word of it begins with a capital, else as it was written."""
    usual = "-".join(word.capitalize() for word in name.split("-"))
    if name == usual:
        return name.lower()
    return f"{name} (in lower case)" if name == name.lower() else name


def shown(body):
    """A body short enough to read, or its size and digest."""
    if len(body) <= 400:
        return repr(body.decode("latin-1"))
    return f"of {len(body)} bytes, sha1 {hashlib.sha1(body).hexdigest()[:12]}"


def answer(body=b"", status="200 OK", *fields, length=True):
    """A plain answer; with `length` false it ends with the connection."""
    body = body.encode() if isinstance(body, str) else body
    head = [f"HTTP/1.1 {status}", *fields]
    if length:
        head.append(f"Content-Length: {len(body)}")
    return raw("\r\n".join(head).encode() + b"\r\n\r\n" + body, close=not length)


def raw(data, close=False):
    """Exactly these bytes; then the connection is closed, or waits for the next request."""

    def behave(_request, connection):
        connection.sendall(data)
        return not close

    return behave


def pieces(*parts, close=True):
    """Bytes, and pauses (numbers, seconds) between them."""

    def behave(_request, connection):
        for part in parts:
            if isinstance(part, bytes):
                connection.sendall(part)
            else:
                threading.Event().wait(part)
        return not close

    return behave


def hang_up(_request, _connection):
    """Takes the request and closes without a byte."""
    return False


def reset(_request, connection):
    """Takes the request and resets the connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def stall(_request, connection):
    """Takes the request and says nothing until the other side gives up."""
    connection.settimeout(READS_WITHIN_S)
    try:
        connection.recv(1)
    except OSError:
        pass
    return False


def in_turn(*behaviours):
    """One behaviour per request; the last one stays."""
    left = list(behaviours)

    def behave(request, connection):
        behaviour = left.pop(0) if len(left) > 1 else left[0]
        return behaviour(request, connection)

    return behave


class Upstream:
    """One server on 127.0.0.1 or on a Unix socket: `behave` may be changed at any time, `stop` makes it refuse.

    It speaks HTTP/1 in the clear. A case that wants TLS or HTTP/2 says so with `speaks` before the proxy starts.
    """

    def __init__(self, name, address, record):
        self.name = name
        self.address = address
        self.behave = answer(f"{name}\n", "200 OK", "Content-Type: text/plain")
        self.connections = 0
        # Wraps a connection and tells about it; makes HTTP/2 of a connection.
        self._tls = self._streams = None
        # With HTTP/2: a request is answered when its header is there.
        self.early = False
        self._record = record
        self._listener = None
        self._open = set()
        self._lock = threading.Lock()
        self.start()

    def speaks(self, tls=None, streams=None, behave=None):
        """`tls`: an object with `wrap` and `about`; `streams`: `streams.Streams`, for HTTP/2."""
        self._tls, self._streams = tls, streams
        if behave:
            self.behave = behave

    @property
    def is_secure(self):
        return self._tls is not None

    def start(self):
        family = socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(self.address)
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def stop(self):
        """Closes the listener and every connection: from now on it refuses."""
        if self._listener:
            # Wakes the accepting thread, which a mere close would leave waiting.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.drop()

    def drop(self):
        """Closes every connection; new ones are welcome."""
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        connection.settimeout(60)
        try:
            if self._tls:
                connection = self._tls.wrap(connection)
        except OSError:
            connection.close()
            return
        with self._lock:
            self._open.add(connection)
        about = self._tls.about(connection) if self._tls else None
        first = True

        def take(request, answers):
            nonlocal first
            if first:
                self.connections += 1
                first = False
            request.tls = about
            self._record(self.name, request)
            return self.behave(request, answers)

        try:
            if self._streams:
                self._streams(connection, take, lambda: self.early).serve()
                return
            buffer = bytearray()
            while request := read_request(connection, buffer):
                kept = take(request, connection)
                asked_to_close = request.version == "HTTP/1.0" or request.field("connection") == "close"
                if not kept or asked_to_close:
                    return
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()


def read_request(connection, buffer):
    """The next request, or None at the end of the connection."""
    while b"\r\n\r\n" not in buffer:
        part = connection.recv(65536)
        if not part:
            return None
        buffer += part
        if buffer[0] in (0x16, 0x80) or buffer.startswith(b"PRI * HTTP/2.0"):
            # TLS or HTTP/2, which is not spoken here: what a server of HTTP/1 says to it.
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            return None
    head, _, rest = bytes(buffer).partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    fields = [tuple(part.strip() for part in field.partition(":")[::2]) for field in fields]
    lower = {name.lower(): value for name, value in fields}
    buffer[:] = rest
    if "100-continue" in lower.get("expect", ""):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body, complete = read_body(connection, buffer, lower)
    return Request(line, fields, body, complete)


def read_body(connection, buffer, fields):
    """What the framing says follows: the payload, and whether all of it came."""

    def fill(enough):
        while not enough():
            try:
                part = connection.recv(65536)
            except OSError:
                return False
            if not part:
                return False
            buffer.extend(part)
        return True

    body = b""
    if "chunked" in fields.get("transfer-encoding", "").lower():
        while True:
            if not fill(lambda: b"\r\n" in buffer):
                return body, False
            line, _, _ = bytes(buffer).partition(b"\r\n")
            size = int(line.split(b";")[0], 16)
            if not fill(lambda: len(buffer) >= len(line) + 2 + size + 2):
                return body, False
            body += buffer[len(line) + 2:len(line) + 2 + size]
            del buffer[:len(line) + 2 + size + 2]
            if size == 0:
                return body, True
    length = int(fields.get("content-length", 0))
    complete = fill(lambda: len(buffer) >= length)
    body = bytes(buffer[:length])
    del buffer[:length]
    return body, complete
