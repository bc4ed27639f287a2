"""A headless Chromium, driven by the DevTools protocol over a WebSocket client that is just enough for it."""

import base64
import contextlib
import hashlib
import http.client
import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from collections import deque
from pathlib import Path

# Answers of the browser may carry a screenshot.
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class WebSocket:
    """A client for text messages (RFC 6455): no extensions, no fragments sent."""

    def __init__(self, url, timeout_s=20.0):
        host, _, path = url.removeprefix("ws://").partition("/")
        name, _, port = host.partition(":")
        self._socket = socket.create_connection((name, int(port)), timeout=timeout_s)
        self._buffer = b""
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall((f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                              f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        while b"\r\n\r\n" not in self._buffer:
            self._receive()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        accept = base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()
        if b" 101 " not in head.splitlines()[0] or accept.lower() not in head.decode().lower():
            raise ConnectionError(f"no WebSocket: {head!r}")

    def _receive(self):
        received = self._socket.recv(65536)
        if not received:
            raise ConnectionError("the browser closed the connection")
        self._buffer += received

    def _take(self, count):
        while len(self._buffer) < count:
            self._receive()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def send(self, text, opcode=0x1):
        payload = text if isinstance(text, bytes) else text.encode()
        length = len(payload)
        if length < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | length)
        elif length < 65536:
            head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, length)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, length)
        mask = os.urandom(4)
        self._socket.sendall(head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)))

    def receive(self):
        """The next text message; control frames are answered on the way."""
        message = b""
        while True:
            first, second = self._take(2)
            length = second & 0x7F
            if length == 126:
                length, = struct.unpack("!H", self._take(2))
            elif length == 127:
                length, = struct.unpack("!Q", self._take(8))
            if length > MAX_MESSAGE_BYTES:
                raise ConnectionError(f"a message of {length} bytes")
            payload = self._take(length)
            opcode = first & 0x0F
            if opcode == 0x8:
                raise ConnectionError("the browser closed the WebSocket")
            if opcode == 0x9:
                self.send(payload, opcode=0xA)
            elif opcode in (0x0, 0x1):
                message += payload
                if first & 0x80:
                    return message.decode()

    def close(self):
        self._socket.close()


class Page:
    """One tab. Events that arrive between two calls are kept in `events`."""

    def __init__(self, socket_url):
        self._socket = WebSocket(socket_url)
        self._next_id = 0
        self.events = deque(maxlen=10_000)
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        self._next_id += 1
        self._socket.send(json.dumps({"id": self._next_id, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.receive())
            if message.get("id") == self._next_id:
                if "error" in message:
                    raise AssertionError(f"{method}: {message['error']}")
                return message["result"]
            if "method" in message:
                self.events.append(message)

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise AssertionError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def complaints(self):
        """What the browser's console would show in red."""
        self.evaluate("1")
        return [event["params"] for event in self.events
                if event["method"] == "Runtime.exceptionThrown"
                or (event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error")]

    def requested_urls(self):
        return [event["params"]["request"]["url"] for event in self.events
                if event["method"] == "Network.requestWillBeSent"]

    def close(self):
        self._socket.close()


@contextlib.contextmanager
def chromium(*switches):
    """Starts the browser and hands out its first page; both are gone afterwards."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not program:
        raise AssertionError("there is no Chromium: apt-get install chromium")
    profile = Path(tempfile.mkdtemp(prefix="cirque-chromium-"))
    # A process group of its own: the program is often a script around the real one.
    browser = subprocess.Popen(
        [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--hide-scrollbars", "--remote-debugging-port=0", f"--user-data-dir={profile}", "--window-size=1200,800",
         *switches, "about:blank"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    page = None
    try:
        page = Page(_first_page(browser, profile))
        yield page
    finally:
        if page:
            page.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(browser.pid, 15)
        try:
            browser.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(browser.pid, 9)
            browser.wait(10)
        shutil.rmtree(profile, ignore_errors=True)


def _first_page(browser, profile):
    """The debugger's address of the first tab. The browser writes its port to a file in its profile."""
    end = time.monotonic() + 40
    while time.monotonic() < end:
        if browser.poll() is not None:
            raise AssertionError(f"Chromium ended with status {browser.returncode}")
        with contextlib.suppress(OSError, IndexError, ValueError, StopIteration, http.client.HTTPException):
            port = int((profile / "DevToolsActivePort").read_text().split()[0])
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                connection.request("GET", "/json/list")
                tabs = json.loads(connection.getresponse().read())
            finally:
                connection.close()
            return next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
        time.sleep(0.1)
    raise AssertionError("Chromium did not open its debugger within 40 s")
