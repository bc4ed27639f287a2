"""The cache: what is kept and for how long, what a client gets of it, and how often the server is asked."""

from casebook import case, configurations
from upstream import answer, hang_up, in_turn, pieces

ZONE = "proxy_cache_path %DIR%/cache levels=1:2 keys_zone=one:1m inactive=1m; "
STATUS = "add_header X-Cache $upstream_cache_status always; "


def cached(settings="", http=""):
    """A server whose location keeps answers."""
    return (f"{ZONE}{http}server {{ listen 127.0.0.1:%PORT%; location / {{ proxy_pass http://%A%; proxy_cache one; "
            f"{STATUS}{settings} }} }}")


def kept(name, *fields, settings="", status="200 OK", times=2, target="/", http="", ask=()):
    """The same request again and again: what the client gets, and what the server sees."""
    def play(t):
        t.a.behave = in_turn(*(answer(f"body {number}", status, *fields) for number in range(9)))
        for _ in range(times):
            t.get(target, "example.org", *ask)

    case(cached(settings, http), name)(play)


VALID = "proxy_cache_valid 1m; "

# What decides whether an answer is kept.
kept("nothing said")
kept("max-age", "Cache-Control: max-age=60")
kept("s-maxage", "Cache-Control: max-age=0, s-maxage=60")
kept("max-age of zero", "Cache-Control: max-age=0", settings=VALID)
kept("max-age that is none", "Cache-Control: max-age=x", settings=VALID)
kept("no-cache", "Cache-Control: no-cache", settings=VALID)
kept("no-store", "Cache-Control: max-age=60, no-store", settings=VALID)
kept("private", "Cache-Control: private", settings=VALID)
kept("expires", "Expires: Thu, 31 Dec 2037 23:55:55 GMT")
kept("expires in the past", "Expires: Thu, 01 Jan 1970 00:00:01 GMT", settings=VALID)
kept("expires and cache-control", "Expires: Thu, 01 Jan 1970 00:00:01 GMT", "Cache-Control: max-age=60")
kept("x-accel-expires", "X-Accel-Expires: 60", "Cache-Control: no-cache")
kept("x-accel-expires of zero", "X-Accel-Expires: 0", "Cache-Control: max-age=60")
kept("x-accel-expires at a time", "X-Accel-Expires: @2145916555")
kept("set-cookie", "Set-Cookie: a=b", settings=VALID)
kept("vary of everything", "Vary: *", settings=VALID)
kept("ignored fields", "Set-Cookie: a=b", "Cache-Control: private", "Vary: *", "Expires: 0", "X-Accel-Expires: 0",
     settings=VALID + "proxy_ignore_headers Set-Cookie Cache-Control Vary Expires X-Accel-Expires; ")
kept("by status", status="404 Not Found", settings=VALID)
kept("by a status that is listed", status="404 Not Found", settings="proxy_cache_valid 404 1m; ")
kept("any status", status="500 Internal Server Error", settings="proxy_cache_valid any 1m; ")
kept("no time", settings="proxy_cache_valid 200 0; proxy_cache_valid any 1m; ")
kept("no_cache", "Cache-Control: max-age=60", settings="proxy_no_cache 1; ")
kept("no_cache of nothing", settings=VALID + "proxy_no_cache $arg_none 0; ")
kept("no_cache by the answer", "X-Keep: no", settings=VALID + "proxy_no_cache $upstream_http_x_keep; ")
kept("bypass", settings=VALID + "proxy_cache_bypass $arg_new; ", target="/?new=1", times=3)
kept("min_uses", settings=VALID + "proxy_cache_min_uses 3; ", times=5)
kept("a redirect", "Location: /there", status="302 Found", settings=VALID)


@case(cached(VALID + "proxy_cache_bypass $http_x_new; "), "bypass renews")
def bypass_renews(t):
    t.a.behave = in_turn(answer("old"), answer("new"), answer("never"))
    t.get("/")
    t.get("/", "example.org", "X-New: 1")
    t.get("/")


@case(cached(VALID + 'proxy_cache_key "$host$arg_k"; '), "key")
def key(t):
    t.a.behave = in_turn(answer("one"), answer("two"), answer("three"))
    for target, host in (("/a?k=1", "example.org"), ("/b?k=1", "example.org"), ("/a?k=2", "example.org"), ("/a?k=1", "b.org")):
        t.get(target, host)


@case(f"{ZONE}server {{ listen 127.0.0.1:%PORT%; location / {{ proxy_pass http://%A%/x/; proxy_cache one; {STATUS}"
      f"{VALID} }} location /other/ {{ proxy_pass http://%A%/x/; proxy_cache one; {STATUS}{VALID} }} }}", "key by default")
def key_by_default(t):
    t.a.behave = in_turn(answer("one"), answer("two"))
    t.get("/a?b")
    t.get("/other/a?b")
    t.get("/a")


# Methods.

@case(cached(VALID), "head and get")
def head_and_get(t):
    t.a.behave = in_turn(answer("whole"), answer("never"))
    t.get("/", method="HEAD")
    t.get("/")
    t.get("/", method="HEAD")


@case(cached(VALID + "proxy_cache_convert_head off; proxy_cache_key $request_method$uri; "), "head as it is")
def head_as_it_is(t):
    def behave(request, connection):
        if not request.line.startswith("HEAD"):
            return answer("whole")(request, connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        return True

    t.a.behave = behave
    for method in ("HEAD", "HEAD", "GET", "GET"):
        t.get("/", method=method)


@case(cached(VALID), "post")
def post(t):
    t.get("/", method="POST", body=b"a")
    t.get("/", method="POST", body=b"a")


@case(cached(VALID + "proxy_cache_methods POST; "), "post that is kept")
def post_kept(t):
    t.get("/", method="POST", body=b"a")
    t.get("/", method="POST", body=b"a")


# Conditions and ranges of clients.

@case(cached(VALID), "conditions")
def conditions(t):
    t.a.behave = answer("0123456789", "200 OK", 'ETag: "x"', "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT")
    t.get("/", "example.org", 'If-None-Match: "x"')
    t.get("/", "example.org", 'If-None-Match: "x"')
    t.get("/", "example.org", "If-Modified-Since: Mon, 01 Jan 2024 00:00:00 GMT")
    t.get("/", "example.org", 'If-None-Match: "y"')


def parts(name, settings, *fields):
    def play(t):
        t.a.behave = answer("0123456789", "200 OK", 'ETag: "x"', "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT", *fields)
        t.get("/", "example.org", "Range: bytes=2-4")
        t.get("/", "example.org", "Range: bytes=-3")
        t.get("/", "example.org", "Range: bytes=2-4", 'If-Range: "y"')
        t.get("/")

    case(cached(VALID + settings), name)(play)


parts("ranges, of which the server says nothing", "")
parts("ranges", "", "Accept-Ranges: bytes")
parts("ranges that are forced", "proxy_force_ranges on; ")
parts("ranges that are not wanted", "max_ranges 0; ", "Accept-Ranges: bytes")


@case(cached(VALID + "proxy_cache_max_range_offset 5; "), "a range far behind")
def range_far_behind(t):
    t.a.behave = answer("0123456789", "200 OK", "Accept-Ranges: bytes")
    t.get("/", "example.org", "Range: bytes=7-8")
    t.get("/", "example.org", "Range: bytes=2-4")
    t.get("/", "example.org", "Range: bytes=7-8")


# Variants.

@case(cached(VALID), "vary")
def vary(t):
    t.a.behave = lambda request, connection: answer(request.field("accept-language") or "none", "200 OK",
                                                    "Vary: Accept-Language")(request, connection)
    for language in ("de", "en", "de", "en"):
        t.get("/", "example.org", f"Accept-Language: {language}")


# What is no longer fresh.

SHORT = "Cache-Control: max-age=1"


def old(name, settings, then, *fields, times=1, first=SHORT):
    """An answer that is fresh for a second, and what follows after that."""
    def play(t):
        t.a.behave = in_turn(answer("old", "200 OK", first, *fields), then)
        t.get("/")
        t.wait(2.2)
        for _ in range(times):
            t.get("/")

    case(cached(settings), name)(play)


old("expired", "", answer("new", "200 OK", "Cache-Control: max-age=60"), times=2)
old("stale, without leave", "", answer("failed", "500 Internal Server Error"))
for code in ("500", "502", "503", "504", "403", "404", "429"):
    old(f"stale on {code}", f"proxy_cache_use_stale http_{code}; ", answer("failed", f"{code} Failed"))
old("stale on another status", "proxy_cache_use_stale http_500; ", answer("failed", "503 Failed"))
# A kept-alive connection that closes would be tried once more.
old("stale on error", "proxy_cache_use_stale error; ", hang_up, "Connection: close")
old("stale on an answer that is refused", "proxy_cache_use_stale invalid_header; ",
    pieces(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"))
old("stale on a timeout", "proxy_cache_use_stale timeout; proxy_read_timeout 300ms; ", pieces(2))
old("stale-if-error, a status", "", answer("failed", "500 Failed"), "Cache-Control: stale-if-error=60")
old("stale-if-error, in two fields", "", hang_up, "Cache-Control: stale-if-error=60", "Connection: close")
old("stale-if-error", "", hang_up, "Connection: close", first="Cache-Control: max-age=1, stale-if-error=60")
old("stale-if-error that is over", "", hang_up, "Connection: close", first="Cache-Control: max-age=1, stale-if-error=0")
old("stale-while-revalidate alone", "", answer("new", "200 OK", "Cache-Control: max-age=60"),
    first="Cache-Control: max-age=1, stale-while-revalidate=60", times=2)
old("revalidated", "proxy_cache_revalidate on; ", answer("", "304 Not Modified", "Cache-Control: max-age=60"),
    'ETag: "x"', "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT", times=2)
old("not revalidated", "proxy_cache_revalidate off; ", answer("new", "200 OK", "Cache-Control: max-age=60"), 'ETag: "x"')


@case(cached("proxy_cache_use_stale error; "), "stale as the server is gone")
def gone(t):
    t.a.behave = answer("old", "200 OK", SHORT)
    t.get("/")
    t.a.stop()
    t.wait(2.2)
    t.get("/")


@case(cached("proxy_cache_use_stale updating; proxy_cache_background_update on; "), "updated behind the client")
def background(t):
    t.a.behave = in_turn(answer("old", "200 OK", SHORT), answer("new", "200 OK", "Cache-Control: max-age=60"))
    t.get("/")
    t.wait(2.2)
    t.get("/")
    t.eventually("two requests", lambda: t.seen() == 2)
    t.wait(0.3)
    t.get("/")


# Many clients at a time.

@case(cached(VALID + "proxy_cache_lock on; "), "lock")
def lock(t):
    t.a.behave = pieces(0.5, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody")
    connections = [t.connect() for _ in range(8)]
    for connection in connections:
        connection.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    for connection in connections:
        connection.read()
    t.note(f"requests: {t.seen()}")


# Configurations.

configurations("cache", [
    ("zone that is not there", "server { listen 127.0.0.1:%PORT%; location / { proxy_cache x; proxy_pass http://%A%; } }"),
    ("no zone", "proxy_cache_path %DIR%/c levels=1;"),
    ("zone twice", "proxy_cache_path %DIR%/c keys_zone=a:1m; proxy_cache_path %DIR%/d keys_zone=a:1m;"),
    ("zone too small", "proxy_cache_path %DIR%/c keys_zone=a:1k;"),
    ("zone without a size", "proxy_cache_path %DIR%/c keys_zone=a;"),
    ("levels", "proxy_cache_path %DIR%/c levels=3 keys_zone=a:1m;"),
    ("inactive", "proxy_cache_path %DIR%/c keys_zone=a:1m inactive=x;"),
    ("max_size", "proxy_cache_path %DIR%/c keys_zone=a:1m max_size=x;"),
    ("use_temp_path", "proxy_cache_path %DIR%/c keys_zone=a:1m use_temp_path=x;"),
    ("parameter", "proxy_cache_path %DIR%/c keys_zone=a:1m nope=1;"),
    ("status", "proxy_cache_valid 99 1m;"),
    ("time", "proxy_cache_valid x;"),
    ("method", "proxy_cache_methods PUT;"),
    ("use_stale", "proxy_cache_use_stale nope;"),
])
