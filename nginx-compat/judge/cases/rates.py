"""How fast an answer goes to the client: limit_rate, what a program and a server make of it, and $limit_rate."""

import os
import time

from casebook import case, requests
from upstream import answer

requests("rates", """
limit_rate 7k;
server { listen 127.0.0.1:%PORT%;
    location / { return 200 "$limit_rate"; }
    location /own { limit_rate $arg_r; return 200 "$limit_rate"; }
    location /set { set $limit_rate $arg_r; return 200 "$limit_rate"; }
    location /if { if ($arg_r) { limit_rate 3; } return 200 "$limit_rate"; }
    location /proxied { set $limit_rate 20m; proxy_pass http://%A%; proxy_set_header X-Rate $limit_rate; }
}""", [
    ("value", "/"), ("value of a location", "/own?r=2k"), ("value that is none", "/own?r=x"), ("set", "/set?r=1m"),
    ("set to what is no size", "/set?r=fast"), ("in an if", "/if?r=1"), ("towards a server", "/proxied"),
])

LIMITED = """
server { listen 127.0.0.1:%PORT%; root %DIR%;
    location /plain { proxy_pass http://%A%; }
    location /set { set $limit_rate 1000; proxy_pass http://%A%; }
    location /limited { limit_rate 1000; proxy_pass http://%A%; }
    location /lifted { limit_rate 1000; set $limit_rate 0; proxy_pass http://%A%; }
    location /free { limit_rate 1000; limit_rate_after 4k; proxy_pass http://%A%; }
    location /file { set $limit_rate 1000; }
    location /file-lifted { limit_rate 1000; set $limit_rate 0; try_files /file =404; }
    location /by-itself { try_files /file =404; }
    location /ignored { proxy_pass http://%A%; proxy_ignore_headers X-Accel-Limit-Rate; }
}"""


def timed(name, target, slow, *fields):
    def play(t):
        file = t.directory / "file"
        file.write_text("x" * 2000)
        os.utime(file, (1_700_000_000, 1_700_000_000))
        t.a.behave = answer("x" * 2000, "200 OK", *fields)
        began = time.monotonic()
        connection = t.connect()
        connection.send(f"GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        connection.read()
        connection.receive()
        took = time.monotonic() - began
        t.note(f"slow: {took > 0.8}, as expected: {(took > 0.8) == slow}")

    case(LIMITED, name)(play)


timed("no limit", "/plain", False)
timed("of a program", "/set", True)
timed("of a location", "/limited", True)
timed("lifted by a program", "/lifted", False)
timed("after so many bytes", "/free", False)
timed("of a server", "/plain", True, "X-Accel-Limit-Rate: 1000")
timed("lifted by a server", "/limited", False, "X-Accel-Limit-Rate: 0")
timed("ignored", "/ignored", False, "X-Accel-Limit-Rate: 1000")
timed("of a file", "/file", True)
timed("of a file, lifted", "/file-lifted", False)
timed("of a server, for a file", "/plain", True, "X-Accel-Limit-Rate: 1000", "X-Accel-Redirect: /by-itself")
