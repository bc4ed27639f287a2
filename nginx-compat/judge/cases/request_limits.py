"""`limit_req` and `limit_conn`: who waits, who is refused, and what the log says of it."""

import re
import time

from cases.http2 import connect
from casebook import CASES, Case, case, configurations
from upstream import answer, pieces

# What both programs' error logs begin with is theirs; and how much has drained meanwhile depends on the machine.
LINE = re.compile(r"\[(\w+)\][^*]*?(?:\*\d+ )?((?:limiting|delaying|the value of|access forbidden|user |no user|open\(\)|pread\(\)|client "
                  r"prematurely|could not).*)$")


def told(t, *words):
    """Notes the lines of the error log that have one of these words, without what depends on the moment."""
    t.wait(0.05)
    for line in (t.directory / "error.log").read_text(errors="replace").splitlines():
        found = LINE.search(line)
        if found and any(word in line for word in words):
            said = re.sub(r"excess: \d+\.\d{3}", "excess: N", found[2])
            t.note(f"log: [{found[1]}] {said}")


RATES = """
limit_req_zone $arg_key zone=slow:1m rate=1r/m;
limit_req_zone $binary_remote_addr$arg_key zone=both:1m rate=2r/m;
limit_req_zone $arg_none$arg_other zone=other:32k rate=1r/m;
limit_req_zone $arg_key zone=fast:1m rate=5r/s;
limit_req_zone $uri zone=long:1m rate=1r/s;
log_format judge "$uri $status $limit_req_status";
server {
    listen 127.0.0.1:%PORT%;
    access_log %DIR%/judge.access judge;
    location = /poll { access_log off; return 200 zero; }
    location / { limit_req zone=slow; proxy_pass http://%A%; add_header X-Limited $limit_req_status always; }
    location /burst { limit_req zone=slow burst=2 nodelay; proxy_pass http://%A%; }
    location /status { limit_req zone=slow; limit_req_status 429; proxy_pass http://%A%; }
    location /page { limit_req zone=slow; error_page 503 =410 @page; proxy_pass http://%A%; }
    location @page { limit_req zone=both; return 200 "page $limit_req_status"; }
    location /two { limit_req zone=slow burst=1 nodelay; limit_req zone=both burst=3 nodelay; proxy_pass http://%A%; }
    location /swapped { limit_req zone=both burst=3 nodelay; limit_req zone=slow burst=1 nodelay; proxy_pass http://%A%; }
    location /partly { limit_req zone=slow burst=1 nodelay; limit_req zone=other; proxy_pass http://%A%; }
    location /dry { limit_req zone=slow burst=1; limit_req_dry_run on; proxy_pass http://%A%; add_header X-Limited $limit_req_status; }
    location /delay { limit_req zone=fast burst=3; proxy_pass http://%A%; }
    location /free { limit_req zone=fast burst=4 delay=2; limit_req_log_level warn; proxy_pass http://%A%; }
    location /quiet { limit_req zone=slow; limit_req_log_level info; proxy_pass http://%A%; }
    location /return { limit_req zone=slow; return 200 "first"; }
    location /try { limit_req zone=slow burst=5 nodelay; try_files /none @named; }
    location @named { limit_req zone=slow; limit_req zone=both; return 200 "named $limit_req_status"; }
    location /denied { limit_req zone=slow; deny all; proxy_pass http://%A%; }
}
"""


def repeated(name, target, times, *words):
    def script(t):
        t.a.behave = answer("ok")
        for _ in range(times):
            t.get(target)
        told(t, *(words or ("limiting",)))

    CASES.append(Case(f"request_limits/{name}", RATES, script))


repeated("one a minute", "/?key=a", 3)
repeated("a key without a value", "/", 3)
repeated("a burst", "/burst?key=a", 5)
repeated("another status", "/status?key=a", 2)
repeated("a page of its own", "/page?key=a", 3)
repeated("two zones", "/two?key=a", 4)
repeated("two zones the other way", "/swapped?key=a", 4)
repeated("a zone whose key is empty", "/partly?key=a", 4)
repeated("a dry run", "/dry?key=a", 4, "limiting", "delaying")
repeated("a lower level of the log", "/quiet?key=a", 2)
repeated("return comes first", "/return?key=a", 3)
repeated("counted once with a named location", "/try?key=a", 3)
repeated("before deny", "/denied?key=a", 3, "limiting", "forbidden")


@case(RATES)
def keys_are_apart(t):
    t.a.behave = answer("ok")
    for key in ("a", "b", "a", "c", "b"):
        t.get(f"/?key={key}")
    told(t, "limiting")


@case(RATES)
def locations_share_a_zone(t):
    t.a.behave = answer("ok")
    for target in ("/?key=a", "/burst?key=a", "/burst?key=a", "/burst?key=a", "/?key=a", "/status?key=a"):
        t.get(target)
    told(t, "limiting")


def took(t, target, least, most):
    began = time.monotonic()
    t.get(target)
    passed = time.monotonic() - began
    if not least <= passed <= most:
        t.fail(f"{target} took {passed:.2f} s")


@case(RATES)
def what_is_beyond_the_rate_waits(t):
    t.a.behave = answer("ok")
    took(t, "/delay?key=a", 0, 0.15)
    took(t, "/delay?key=a", 0.1, 0.6)
    took(t, "/delay?key=a", 0.1, 0.8)
    told(t, "limiting", "delaying")


@case(RATES)
def the_free_part_does_not_wait(t):
    t.a.behave = answer("ok")
    for _ in range(3):
        took(t, "/free?key=a", 0, 0.15)
    took(t, "/free?key=a", 0.05, 0.6)
    told(t, "limiting", "delaying")


@case(RATES)
def who_leaves_while_he_waits_is_let_go(t):
    t.a.behave = answer("ok")
    for _ in range(3):
        t.get("/free?key=a")
    connection = t.connect()
    connection.send(b"GET /free?key=a HTTP/1.1\r\nHost: h\r\n\r\n")
    t.wait(0.02)
    connection.close()
    t.wait(0.5)
    t.note(f"seen {t.seen()}")


@case(RATES)
def a_request_behind_a_delayed_one_on_its_connection(t):
    t.a.behave = answer("ok")
    for _ in range(3):
        t.get("/free?key=a")
    t.raw(b"GET /free?key=a HTTP/1.1\r\nHost: h\r\n\r\nGET /burst HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 2)


@case(RATES)
def a_delayed_request_with_a_body(t):
    t.a.behave = answer("ok")
    for _ in range(3):
        t.get("/free?key=a")
    t.get("/free?key=a", method="POST", body=b"hello")


@case(RATES)
def counts_live_on_in_a_reload(t):
    t.a.behave = answer("ok")
    t.get("/?key=a")
    reloaded(t, RATES, "one")
    t.get("/?key=a")
    # Another rate, the same counts.
    reloaded(t, RATES.replace("zone=slow:1m rate=1r/m", "zone=slow:1m rate=2r/m"), "two")
    t.get("/?key=a")


@case(RATES)
def another_key_refuses_the_reload(t):
    t.reload(RATES.replace("zone $arg_key zone=slow", "zone $uri zone=slow").replace("return 200 zero", "return 200 other"))
    t.wait(0.4)
    t.note(f"answered as before: {asked(t, '/poll').endswith(b'zero')}")


def reloaded(t, http, word):
    """Reloads, and waits until what answers is the new configuration."""
    t.reload(http.replace("return 200 zero", f"return 200 {word}"))
    t.eventually(f"the configuration is number {word}", lambda: asked(t, "/poll").endswith(word.encode()), 8)
    t.wait(0.3)  # an old worker of NGINX may still take one


def asked(t, target):
    """An answer's bytes, which nobody notes."""
    connection = t.connect(write=lambda *_: None)
    connection.send(f"GET {target} HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n".encode())
    got = b""
    while piece := connection.receive():
        got += piece
    connection.close()
    return got


FULL = """
limit_req_zone $arg_key zone=full:32k rate=1r/m;
server { listen 127.0.0.1:%PORT%; location / { limit_req zone=full; proxy_pass http://%A%; } }
"""


@case(FULL)
def the_oldest_make_room(t):
    t.a.behave = answer("ok")
    connection = t.connect(write=lambda *_: None)
    for number in range(300):
        connection.send(f"GET /?key={number} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        got = connection.read()
        if got.status != 200:
            t.fail(f"key {number} was refused")
    for number in (299, 250, 0, 299):
        connection.send(f"GET /?key={number} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        t.note(f"key {number}: {connection.read().status}")
    connection.close()


CONNECTIONS = """
log_format judge "$uri $status $limit_conn_status";
limit_conn_zone $arg_key zone=few:1m;
limit_conn_zone $server_name zone=server:32k;
server {
    listen 127.0.0.1:%PORT%;
    server_name example.org;
    access_log %DIR%/judge.access judge;
    location = /poll { access_log off; return 200 zero; }
    location / { limit_conn few 1; proxy_pass http://%A%; }
    location /two { limit_conn few 2; proxy_pass http://%A%; }
    location /both { limit_conn server 1; limit_conn few 5; limit_conn_status 429; limit_conn_log_level notice; proxy_pass http://%A%; }
    location /dry { limit_conn few 1; limit_conn_dry_run on; proxy_pass http://%A%; add_header X-Limited $limit_conn_status; }
    location /page { limit_conn few 1; error_page 503 /other; proxy_pass http://%A%; }
    location /other { limit_conn few 1; return 200 "other $limit_conn_status"; }
    location /slow { limit_conn few 1; proxy_pass http://%B%; }
}
"""

SLOW = (1.5, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow")


def held(t, target="/slow?key=a", write=None):
    """A request that is under way for more than a second."""
    t.b.behave = pieces(*SLOW)
    before = t.seen()
    connection = t.connect(write=write)
    connection.send(f"GET {target} HTTP/1.1\r\nHost: example.org\r\n\r\n".encode())
    deadline = time.monotonic() + 2
    while t.seen() == before and time.monotonic() < deadline:
        time.sleep(0.005)
    return connection


for path in ("/", "/two", "/dry", "/page", "/both"):
    @case(CONNECTIONS, f"one at a time, {path}")
    def one_at_a_time(t, path=path):
        t.a.behave = answer("ok")
        connection = held(t)
        t.get(f"{path}?key=a")
        t.get(f"{path}?key=b")
        t.get(path)
        connection.read()
        t.wait(0.05)
        t.get(f"{path}?key=a")
        told(t, "limiting")


@case(CONNECTIONS)
def who_leaves_gives_his_place_back(t):
    t.a.behave = answer("ok")
    held(t).close()
    t.wait(0.3)
    t.get("/?key=a")


@case(CONNECTIONS)
def places_are_held_through_a_reload(t):
    t.a.behave = answer("ok")
    # What the old worker of NGINX says of its connection is its affair.
    connection = held(t, write=lambda *_: None)
    reloaded(t, CONNECTIONS, "one")
    t.get("/?key=a")
    connection.read()
    t.wait(0.05)
    t.get("/?key=a")


STREAMS = CONNECTIONS.replace("listen 127.0.0.1:%PORT%;", "listen 127.0.0.1:%PORT%; http2 on;")


@case(STREAMS)
def every_stream_is_one(t):
    t.a.behave = answer("ok")
    t.b.behave = pieces(*SLOW)
    client = connect(t)
    client.ask(1, [(":method", "GET"), (":scheme", "http"), (":path", "/slow?key=a"), (":authority", "example.org")])
    deadline = time.monotonic() + 2
    while t.seen() == 0 and time.monotonic() < deadline:
        time.sleep(0.005)
    client.ask(3, [(":method", "GET"), (":scheme", "http"), (":path", "/?key=a"), (":authority", "example.org")])
    client.read(3)
    client.read(1)
    t.wait(0.05)
    client.ask(5, [(":method", "GET"), (":scheme", "http"), (":path", "/?key=a"), (":authority", "example.org")])
    client.read(5)


configurations("request_limits", [
    (text, f"{text} server {{ listen 127.0.0.1:%PORT%; }}") for text in (
        "limit_req_zone $host zone=a:1m rate=1r/s; limit_req zone=a;", "limit_req zone=a;", "limit_conn a 1;",
        "limit_req_zone $host zone=a:1m rate=1r/s; limit_req zone=a; limit_req zone=a;",
        "limit_req_zone $host zone=a:1m rate=1r/s; limit_conn a 1;", "limit_req_zone $host zone=a:1m rate=0r/s;",
        "limit_req_zone $host zone=a:1m rate=1r/h;", "limit_req_zone $host zone=a:1m rate=10;", "limit_req_zone $host zone=a:1m;",
        "limit_req_zone $host zone=a rate=1r/s;", "limit_req_zone $host zone=a:x rate=1r/s;", "limit_req_zone $host zone=a:4k rate=1r/s;",
        "limit_req_zone $host rate=1r/s rate=1r/s;", "limit_req_zone $host zone=a:1m rate=1r/s sync;",
        "limit_req_zone $host zone=a:1m rate=1r/s; limit_req_zone $uri zone=a:1m rate=1r/s;",
        "limit_req_zone $host zone=a:1m rate=1r/s; limit_req_zone $host zone=a:2m rate=1r/s;",
        "limit_req burst=1;", "limit_req zone=a burst=0;", "limit_req zone=a burst=x;", "limit_req zone=a delay=0;", "limit_req zone=a now;",
        "limit_req_status 399;", "limit_req_status 600;", "limit_req_status x;", "limit_req_log_level crit;", "limit_req_log_level WARN;",
        "limit_req_dry_run maybe;", "limit_conn_zone $host zone=a:1m; limit_conn a 0;", "limit_conn_zone $host zone=a:1m; limit_conn a x;",
        "limit_conn_zone $host zone=a:1m; limit_conn a 65535;", "limit_conn_zone $host zone=a:1m; limit_conn a 65536;",
        "limit_conn_zone $host zone=a:1m; limit_conn a 1; limit_conn a 2;", "limit_conn_zone $host a:1m;", "limit_conn_zone zone=a:1m;",
        "limit_conn_zone $host zone=a:1m; limit_conn_zone $uri zone=a:1m;", "limit_conn_status 200;", "limit_conn_log_level debug;")
])
