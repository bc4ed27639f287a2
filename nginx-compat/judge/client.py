"""A client that sends exactly the bytes it is given and writes down exactly what comes back."""

import re
import socket
import time
import zlib
from email.utils import parsedate_to_datetime

from upstream import shown, shown_name

ANSWERS_WITHIN_S = 5
# An answer that says "close" is followed by a close soon; one that does not is given this long to close anyhow.
CLOSES_WITHIN_S = 3
STAYS_OPEN_S = 0.06

SERVER = re.compile(r"(?i)^(nginx|cirque|lb)(/[\w.+-]+)?$")
PAGE_FOOT = re.compile(r"<hr><center>([^<]*)</center>")
PAGE = re.compile(
    r"<html>\r\n<head><title>(.*)</title></head>\r\n<body>\r\n<center><h1>(.*)</h1></center>\r\n"
    r"(?:<center>(.*)</center>\r\n)?<hr><center>(.*)</center>\r\n</body>\r\n</html>\r\n")
DATE = re.compile(r"^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$")
# A Date further from now than this was not made for this answer.
FRESH_WITHIN_S = 60
# An Expires that is ahead, and no further than this, was counted from now.
LONGEST_LIFE_S = 366 * 86400


def name_and_version(value):
    """NGINX and lb tell their names; what is compared is only whether, and whether with a version."""
    match = SERVER.match(value)
    return ("NAME/VERSION" if match[2] else "NAME") if match else value


def is_fresh(date):
    return abs(parsedate_to_datetime(date).timestamp() - time.time()) < FRESH_WITHIN_S


def unpacked(body):
    """The text of a gzip stream, as far as it came; None where it is none."""
    stream = zlib.decompressobj(31)
    try:
        text = stream.decompress(body)
    except zlib.error:
        return None
    return text, stream.eof and not stream.unused_data


class Answer:
    """One answer as it came."""

    def __init__(self, line, fields, body, note):
        self.line, self.fields, self.body, self.note = line, fields, body, note
        self.status = int(line.split()[1]) if re.match(r"HTTP/\d\.\d \d{3}\b", line) else 0

    def field(self, name):
        return next((value for key, value in self.fields if key.lower() == name), None)

    def _after_its_date(self, value):
        """A time to live that was counted from now is told by its length, any other moment as it is."""
        date, expires = self.field("date"), parsedate_to_datetime(value).timestamp()
        if not date or not is_fresh(date) or not -FRESH_WITHIN_S < expires - time.time() < LONGEST_LIFE_S:
            return value
        return f"(now + {expires - parsedate_to_datetime(date).timestamp():.0f} s)"

    def _text(self):
        """The body, unpacked where it is compressed: how well is not compared. Behind it a word about that."""
        if (self.field("content-encoding") or "").lower() == "gzip" and (found := unpacked(self.body)):
            text, whole = found
            return text.decode("latin-1"), ", compressed" if whole else ", compressed, without its end"
        return self.body.decode("latin-1"), ""

    def transcript(self):
        body, coding = self._text()
        foot = PAGE_FOOT.search(body)
        plain = PAGE_FOOT.sub(lambda match: f"<hr><center>{name_and_version(match[1])}</center>", body)
        lines = []
        for name, value in self.fields:
            written, name = shown_name(name), name.lower()
            if name == "server":
                value = name_and_version(value)
            elif name == "date" and DATE.match(value) and is_fresh(value):
                value = "(now)"
            elif name == "expires" and DATE.match(value):
                value = self._after_its_date(value)
            elif name == "content-length" and foot and value == str(len(body)):
                value = "(the page's)"
            lines.append(f"   {written}: {value}")
        # Stable: fields of one name keep their order.
        lines.sort(key=lambda line: line.split(":")[0].lower())
        lines.insert(0, f"<- {self.line}")
        page = PAGE.fullmatch(plain)
        if page:
            lines.append(f"   page: {' | '.join(part for part in page.groups() if part)}{coding}")
        elif plain:
            lines.append(f"   body {shown(plain.encode('latin-1'))}{coding}")
        if self.note:
            lines.append(f"   ({self.note})")
        return lines


class Connection:
    """One client connection; what it sees goes to `write`."""

    def __init__(self, address, write, source=None):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self._socket = socket.socket(family)
        self._socket.settimeout(ANSWERS_WITHIN_S)
        if source:
            self._socket.bind((source, 0))
        self._socket.connect(address)
        self._buffer = b""
        self._write = write
        self._says_close = False

    def write_to(self, write):
        """Lines go there from now on: `write` takes a list of them."""
        self._write = lambda *lines: write(lines)

    def send(self, data):
        """All bytes, unless the other side has closed: then what it said before counts."""
        try:
            self._socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))
        except OSError:
            pass
        return self

    def trickle(self, data, pause):
        """Byte by byte."""
        for byte in data:
            self.send(bytes([byte]))
            time.sleep(pause)
        return self

    def half_close(self):
        self._socket.shutdown(socket.SHUT_WR)
        return self

    def close(self):
        self._socket.close()

    def receive(self):
        """Some bytes, or b"" at the end."""
        if self._buffer:
            data, self._buffer = self._buffer, b""
            return data
        try:
            return self._socket.recv(65536)
        except TimeoutError:
            raise
        except OSError:
            return b""

    def read(self, method="GET"):
        """Reads and writes down one answer, interim ones before it; None when there is none."""
        while True:
            answer = self._read_one(method)
            if answer:
                self._write(*answer.transcript())
                self._says_close = (answer.field("connection") or "").lower() == "close"
            if answer is None or not 100 <= answer.status < 200 or answer.status == 101:
                return answer

    def end(self):
        """Writes down whether the connection is kept or closed, and closes it."""
        self._socket.settimeout(CLOSES_WITHIN_S if self._says_close else STAYS_OPEN_S)
        try:
            data = self.receive()
            if data:
                self._write(f"   more bytes: {shown(data)}")
            else:
                self._write("   closed")
        except TimeoutError:
            self._write("   kept" if not self._says_close else "   kept, in spite of what it said")
        self.close()

    def _fill(self):
        try:
            part = self._socket.recv(65536)
        except TimeoutError:
            raise
        except OSError:
            part = b""
        self._buffer += part
        return bool(part)

    def _read_one(self, method):
        try:
            while b"\r\n\r\n" not in self._buffer:
                if not self._fill():
                    if self._buffer:
                        self._write(f"<- no HTTP: {shown(self._buffer)}")
                        self._buffer = b""
                    else:
                        self._write("<- nothing")
                    return None
        except TimeoutError:
            self._write(f"<- nothing within {ANSWERS_WITHIN_S} s" + (f" but {shown(self._buffer)}" if self._buffer else ""))
            return None
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        answer = Answer(line, [tuple(p.strip() for p in field.partition(":")[::2]) for field in fields], b"", "")
        if method == "HEAD" or 100 <= answer.status < 200 or answer.status in (204, 304):
            return answer
        try:
            answer.body, answer.note = self._read_body(answer)
        except TimeoutError:
            answer.body, self._buffer = self._buffer, b""
            answer.note = f"body not complete within {ANSWERS_WITHIN_S} s"
        return answer

    def _read_body(self, answer):
        if (answer.field("transfer-encoding") or "").lower().endswith("chunked"):
            return self._read_chunked()
        length = answer.field("content-length")
        if length is None:
            while self._fill():
                pass
            body, self._buffer = self._buffer, b""
            return body, "up to the end of the connection"
        while len(self._buffer) < int(length):
            if not self._fill():
                body, self._buffer = self._buffer, b""
                return body, f"cut: {len(body)} of {length} bytes"
        body, self._buffer = self._buffer[:int(length)], self._buffer[int(length):]
        return body, ""

    def _read_chunked(self):
        body = b""
        while True:
            while b"\r\n" not in self._buffer:
                if not self._fill():
                    return body, "cut inside a chunked body"
            line, _, rest = self._buffer.partition(b"\r\n")
            size = int(line.split(b";")[0], 16)
            while len(rest) < size + 2:
                if not self._fill():
                    return body + rest[:size], "cut inside a chunk"
                _, _, rest = self._buffer.partition(b"\r\n")
            body += rest[:size]
            self._buffer = rest[size + 2:]
            if size == 0:
                return body, ""
