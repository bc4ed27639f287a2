"""A client of HTTP/2 that sends exactly the frames it is given, and writes down what comes back of each stream.

Settings, window updates and pings are answered as they must be and not written down: how often they come is no
behaviour. Frames of a body are put together.
"""

import socket
import struct

from client import ANSWERS_WITHIN_S, Answer
from frames import (ACK, CODES, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM,
                    SETTINGS, WINDOW_UPDATE, Decoder, block, frame)
from upstream import shown


def request(path="/", *fields, method="GET", authority="example.org", scheme="http"):
    """The fields of a request; what is None is left out."""
    pseudo = [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path)]
    return [pair for pair in pseudo if pair[1] is not None] + list(fields)


class Http2:
    """One connection; what it sees goes to `write`."""

    def __init__(self, address, write, settings=(), wrap=None):
        self._socket = socket.create_connection(address)
        self._socket.settimeout(ANSWERS_WITHIN_S)
        if wrap:
            self._socket = wrap(self._socket)
        self._write, self._decoder = write, Decoder()
        self._blocks, self._heads, self._bodies, self._notes = {}, {}, {}, {}
        self._ended, self.lengths = set(), []
        self.settings, self.goaway, self.closed = {}, None, False
        # The last answer that was read.
        self.last = None
        payload = b"".join(struct.pack(">HI", name, value) for name, value in settings)
        self.send(PREFACE + frame(SETTINGS, 0, 0, payload))

    def send(self, data):
        try:
            self._socket.sendall(data)
        except OSError:
            self.closed = True
        return self

    def ask(self, stream, fields, *body, end=True):
        """A request; its body in frames of these pieces."""
        self.send(frame(HEADERS, END_HEADERS | (END_STREAM if end and not body else 0), stream, block(fields)))
        for index, piece in enumerate(body):
            self.data(stream, piece, end=end and index + 1 == len(body))
        return self

    def data(self, stream, piece, end=False):
        return self.send(frame(DATA, END_STREAM if end else 0, stream, piece))

    def reset(self, stream, code=8):
        return self.send(frame(RST_STREAM, 0, stream, struct.pack(">I", code)))

    def read(self, stream):
        """Writes down what comes of a stream, up to its end."""
        try:
            while stream not in self._ended and not self.closed:
                self._one()
        except TimeoutError:
            self._notes.setdefault(stream, []).append(f"nothing more within {ANSWERS_WITHIN_S} s")
        for fields in self._heads.pop(stream, []):
            fields = dict.fromkeys(fields)
            status = next((value for name, value in fields if name == ":status"), "none")
            answer = Answer(f"HTTP/2 {status}", [pair for pair in fields if pair[0] != ":status"], b"", "")
            if not status.startswith("1"):
                self.last = answer
                answer.body = self._bodies.pop(stream, b"")
            self._write(*answer.transcript())
        if self._bodies.get(stream):
            self._write(f"   body {shown(self._bodies.pop(stream))}")
        for note in self._notes.pop(stream, []):
            self._write(f"   {note}")
        if stream not in self._ended:
            self._write("   no end of the stream")
        return self

    def end(self, within_s=ANSWERS_WITHIN_S):
        """Writes down how the connection ends, within this time."""
        self._socket.settimeout(within_s)
        try:
            while not self.closed:
                self._one()
        except TimeoutError:
            pass
        self._write(f"   {'goaway ' + self.goaway if self.goaway else 'no goaway'}, {'closed' if self.closed else 'kept'}")
        self.close()

    def close(self):
        self._socket.close()

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            try:
                part = self._socket.recv(count - len(data))
            except TimeoutError:
                raise
            except OSError:
                part = b""
            if not part:
                self.closed = True
                return None
            data += part
        return data

    def _one(self):
        """Reads one frame."""
        head = self._exactly(9)
        payload = head and self._exactly(int.from_bytes(head[:3], "big"))
        if payload is None:
            return
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
        if kind == SETTINGS and not flags & ACK:
            self.settings.update(struct.iter_unpack(">HI", payload))
            self.send(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            self.send(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            self.goaway = CODES[int.from_bytes(payload[4:8], "big")]
        elif kind in (HEADERS, CONTINUATION):
            self._blocks[stream] = self._blocks.get(stream, b"") + payload
            if flags & END_HEADERS:
                self._heads.setdefault(stream, []).append(self._decoder.fields(self._blocks.pop(stream)))
            if kind == HEADERS and flags & END_STREAM:
                self._ended.add(stream)
        elif kind == DATA:
            self.lengths.append(len(payload))
            self._bodies[stream] = self._bodies.get(stream, b"") + payload
            if payload:
                more = struct.pack(">I", len(payload))
                self.send(frame(WINDOW_UPDATE, 0, 0, more) + frame(WINDOW_UPDATE, 0, stream, more))
            if flags & END_STREAM:
                self._ended.add(stream)
        elif kind == RST_STREAM:
            # One that says that the rest of the request is not wanted follows a whole answer.
            if stream not in self._ended:
                self._notes.setdefault(stream, []).append(f"reset {CODES[int.from_bytes(payload, 'big')]}")
            self._ended.add(stream)
