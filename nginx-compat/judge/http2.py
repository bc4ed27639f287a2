"""A client of HTTP/2 that sends exactly the frames it is given, and writes down what comes back of each stream.

Settings, window updates and pings are answered as they must be and not written down: how often they come is no
behaviour. Frames of a body are put together.
"""

import socket
import struct

from client import ANSWERS_WITHIN_S, Answer
from upstream import shown

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, _PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
CODES = ("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
         "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
         "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED")

# HPACK's table (RFC 7541, appendix A): names, with values where it has one.
TABLE = [tuple(entry.partition("=")[::2]) for entry in (
    ":authority|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https|:status=200|:status=204|"
    ":status=206|:status=304|:status=400|:status=404|:status=500|accept-charset|accept-encoding=gzip, deflate|"
    "accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control|"
    "content-disposition|content-encoding|content-language|content-length|content-location|content-range|content-type|"
    "cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|"
    "last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|"
    "server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate").split("|")]

# The lengths of HPACK's codes (appendix B), a letter for each byte and for the end; the codes follow from them.
LENGTHS = ("dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6cad67777777777777777777777878djde6f56565666577666"
           "567655677777fbedskmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmmnqqkjmnmpqqqrrqopjlqrrqrollqqs"
           "rrrkoklmllnmmppooqnqrqqrrrrrsrrrrrqu")


def codes():
    lengths = [int(letter, 36) for letter in LENGTHS]
    found, code, last = {}, 0, 0
    for symbol in sorted(range(len(lengths)), key=lambda symbol: (lengths[symbol], symbol)):
        code <<= lengths[symbol] - last
        last = lengths[symbol]
        found[last, code] = symbol
        code += 1
    return found


CODES_OF_BYTES = codes()


def unpacked(data):
    """The text of a Huffman code."""
    text, code, length = bytearray(), 0, 0
    for byte in data:
        for bit in range(7, -1, -1):
            code, length = code << 1 | byte >> bit & 1, length + 1
            if (length, code) in CODES_OF_BYTES:
                text.append(CODES_OF_BYTES[length, code])
                code = length = 0
    return text.decode("latin-1")


class Decoder:
    """Reads header blocks of one connection."""

    def __init__(self):
        self._recent = []

    def fields(self, data):
        self._data, self._at, fields = data, 0, []
        while self._at < len(data):
            first = data[self._at]
            if first & 0x80:
                fields.append(self._entry(self._number(7)))
            elif first & 0xe0 == 0x20:
                self._number(5)
            else:
                index = self._number(6 if first & 0x40 else 4)
                name = self._entry(index)[0] if index else self._text()
                fields.append((name, self._text()))
                if first & 0x40:
                    self._recent.insert(0, fields[-1])
        return fields

    def _entry(self, index):
        return TABLE[index - 1] if index <= len(TABLE) else self._recent[index - len(TABLE) - 1]

    def _number(self, bits):
        most = (1 << bits) - 1
        number, shift = self._data[self._at] & most, 0
        self._at += 1
        if number == most:
            while True:
                byte = self._data[self._at]
                self._at += 1
                number += (byte & 127) << shift
                shift += 7
                if not byte & 128:
                    break
        return number

    def _text(self):
        packed = self._data[self._at] & 0x80
        length = self._number(7)
        text = self._data[self._at:self._at + length]
        self._at += length
        return unpacked(text) if packed else text.decode("latin-1")


def number(value, bits, first):
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value % 128 | 128)
        value //= 128
    return bytes(out + [value])


def block(fields):
    """A header block, every field written out."""
    out = b""
    for pair in fields:
        out += b"\0"
        for text in pair:
            text = text if isinstance(text, bytes) else text.encode("latin-1")
            out += number(len(text), 7, 0) + text
    return out


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


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
