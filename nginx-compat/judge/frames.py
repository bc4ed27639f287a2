"""Frames of HTTP/2 and header blocks, written and read: what the judge's client and its servers have in common.

Blocks are written without a table; they are read with one that forgets nothing, which is enough for a case.
"""

import struct

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
