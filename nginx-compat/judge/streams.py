"""Scripted servers that speak HTTP/2: what a behaviour answers with, frame by frame.

A behaviour takes the request and its [`Stream`]; what it returns says whether the connection goes on. Settings, window
updates and pings of the client are answered here, and nothing of them is written down.
"""

import struct
import time

from frames import (ACK, CODES, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM,
                    SETTINGS, WINDOW_UPDATE, Decoder, block, frame)
from upstream import Request

INITIAL_WINDOW = 65535
INITIAL_WINDOW_SIZE = 4
LARGEST_FRAME = 16384


def answer(body=b"", status="200", *fields, trailers=None):
    """An answer with a body, and trailers where they are given."""
    body = body.encode() if isinstance(body, str) else body

    def behave(_request, stream):
        stream.head(status, *fields, end=not body and trailers is None)
        if body:
            stream.data(body, end=trailers is None)
        if trailers is not None:
            stream.fields(*trailers, end=True)
        return True

    return behave


def message(payload):
    """One message of gRPC, not compressed."""
    return struct.pack(">BI", 0, len(payload)) + payload


def grpc(*payloads, status="0", words=None, fields=()):
    """An answer of gRPC; its status is in the trailers, or with no message at all in the header."""
    ending = [("grpc-status", status)] + ([("grpc-message", words)] if words is not None else [])
    kind = [("content-type", "application/grpc"), *fields]

    def behave(_request, stream):
        if not payloads:
            stream.head("200", *kind, *ending, end=True)
            return True
        stream.head("200", *kind)
        for payload in payloads:
            stream.data(message(payload))
        stream.fields(*ending, end=True)
        return True

    return behave


def in_two(first, second, pause_s=0.2):
    """Two behaviours, with a pause between: what is said first has been passed on by then."""

    def behave(request, stream):
        first(request, stream)
        time.sleep(pause_s)
        return second(request, stream)

    return behave


def frames(*parts, kept=True):
    """Exactly these frames: functions of the stream's number, or bytes."""

    def behave(_request, stream):
        stream.write(b"".join(part(stream.number) if callable(part) else part for part in parts))
        return kept

    return behave


def resets(code=8):
    """The stream ends without an answer."""
    return frames(lambda number: frame(RST_STREAM, 0, number, struct.pack(">I", code)))


def goes_away(last=0, code=0, kept=True):
    """No request behind `last` is worked on."""
    return frames(frame(GOAWAY, 0, 0, struct.pack(">II", last, code)), kept=kept)


class Stream:
    """The answer to one request."""

    def __init__(self, connection, number):
        self._connection, self.number = connection, number

    def head(self, status, *fields, end=False):
        return self.fields((":status", status), *fields, end=end)

    def fields(self, *fields, end=False):
        return self.write(frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), self.number, block(fields)))

    def data(self, data, end=False):
        while True:
            piece = data[:self._connection.room(self.number)]
            data = data[len(piece):]
            self._connection.spend(self.number, len(piece))
            self.write(frame(DATA, END_STREAM if end and not data else 0, self.number, piece))
            if not data:
                return self

    def write(self, data):
        self._connection.socket.sendall(data)
        return self


class Streams:
    """One connection of a server; each request is given to `take`."""

    def __init__(self, connection, take, early=lambda: False):
        """With `early`, a request is taken when its header is there."""
        self.socket, self._take, self._early = connection, take, early
        self._decoder, self._buffer = Decoder(), bytearray()
        self._blocks, self._heads, self._bodies, self._credit = {}, {}, {}, {}
        self._whole, self._initial = INITIAL_WINDOW, INITIAL_WINDOW
        self._going = True

    def serve(self):
        if self._exactly(len(PREFACE)) != PREFACE:
            return
        self.socket.sendall(frame(SETTINGS, 0, 0))
        while self._going and self._one():
            pass

    def room(self, stream):
        """How many bytes of a body may be sent now; waits until there is one."""
        while True:
            room = min(self._whole, self._credit.get(stream, self._initial), LARGEST_FRAME)
            if room > 0:
                return room
            if not self._one():
                raise OSError("the client went away")

    def spend(self, stream, count):
        self._whole -= count
        self._credit[stream] = self._credit.get(stream, self._initial) - count

    def _exactly(self, count):
        while len(self._buffer) < count:
            part = self.socket.recv(65536)
            if not part:
                return None
            self._buffer += part
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def _one(self):
        """Reads one frame; false at the end of the connection."""
        head = self._exactly(9)
        payload = head and self._exactly(int.from_bytes(head[:3], "big"))
        if payload is None:
            return False
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
        if kind == SETTINGS and not flags & ACK:
            for name, value in struct.iter_unpack(">HI", payload):
                if name == INITIAL_WINDOW_SIZE:
                    self._credit = {known: left + value - self._initial for known, left in self._credit.items()}
                    self._initial = value
            self.socket.sendall(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            self.socket.sendall(frame(PING, ACK, 0, payload))
        elif kind == WINDOW_UPDATE:
            more = int.from_bytes(payload, "big")
            if stream:
                self._credit[stream] = self._credit.get(stream, self._initial) + more
            else:
                self._whole += more
        elif kind in (HEADERS, CONTINUATION):
            self._header(kind, flags, stream, payload)
        elif kind == DATA:
            self._bodies[stream] = self._bodies.get(stream, b"") + payload
            if payload:
                more = struct.pack(">I", len(payload))
                self.socket.sendall(frame(WINDOW_UPDATE, 0, 0, more) + frame(WINDOW_UPDATE, 0, stream, more))
            if flags & END_STREAM:
                self._whole_request(stream, True)
        elif kind == RST_STREAM and stream in self._heads:
            self._whole_request(stream, CODES[int.from_bytes(payload, "big")])
        return True

    def _header(self, kind, flags, stream, payload):
        if kind == HEADERS:
            if flags & 0x20:
                payload = payload[5:]
            self._blocks[stream] = (b"", bool(flags & END_STREAM))
        so_far, ends = self._blocks[stream]
        self._blocks[stream] = so_far + payload, ends
        if not flags & END_HEADERS:
            return
        fields = self._decoder.fields(self._blocks.pop(stream)[0])
        # A second header of a stream is a request's trailer.
        self._heads.setdefault(stream, []).extend(fields)
        if ends:
            self._whole_request(stream, True)
        elif self._early():
            self._whole_request(stream, False)

    def _whole_request(self, stream, complete):
        fields = self._heads.pop(stream, None)
        if fields is None:
            return
        known = dict(fields)
        line = f"{known.get(':method')} {known.get(':path')} HTTP/2"
        fields = [pair for pair in fields if pair[0] not in (":method", ":path")]
        request = Request(line, fields, self._bodies.pop(stream, b""), complete is True)
        if isinstance(complete, str):
            request.ended = complete
        self._going = self._take(request, Stream(self, stream)) and self._going
