"""Bodies that change on their way: gzip and for whom, gunzip, sub_filter; what the header says of it; streams."""

import gzip
import os
import time
import zlib

from casebook import CASES, Case, case, configurations
from cases.files import site
from upstream import answer, pieces, raw

TEXT = "".join(f"<p class=\"line\">The line number {number} of a page</p>\n" for number in range(400))
GZIP = "Accept-Encoding: gzip"


def page(*fields, text=TEXT, status="200 OK", kind="text/html"):
    return answer(text, status, f"Content-Type: {kind}", *fields)


def rows(topic, http, behave, table):
    """One case for each row, with what the server answers."""
    for name, *arguments in table:
        named = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
        said = named.pop("behave", behave)

        def script(t, a=arguments, n=named, b=said):
            t.a.behave = b
            t.get(*a, **n)

        CASES.append(Case(f"bodies/{topic}, {name}", http, script))


COMPRESSED = """
gzip on;
server { listen 127.0.0.1:%PORT%;
    location / { proxy_pass http://%A%; }
    location /vary { proxy_pass http://%A%; gzip_vary on; }
    location /types { proxy_pass http://%A%; gzip_types text/css application/json; }
    location /all { proxy_pass http://%A%; gzip_types *; }
    location /min { proxy_pass http://%A%; gzip_min_length 1000; }
    location /level { proxy_pass http://%A%; gzip_comp_level 9; gzip_buffers 4 8k; gzip_window 4k; postpone_gzipping 100; }
    location /old { proxy_pass http://%A%; gzip_http_version 1.0; }
    location /off { proxy_pass http://%A%; gzip off; }
    location /msie { proxy_pass http://%A%; gzip_disable msie6 "robot \\d"; }
    location /unbuffered { proxy_pass http://%A%; proxy_buffering off; }
    location /unchunked { proxy_pass http://%A%; chunked_transfer_encoding off; }
    location /text { default_type text/html; return 200 "a text that is long enough to be compressed"; }
    location /short { default_type text/html; return 200 "a short text"; }
    location /forbidden { default_type text/html; return 403; }
    location /missing { default_type text/html; return 404; }
    location /moved { return 301 /elsewhere; }
    location /failed { return 503; }
    location /empty { return 204; }
    location /added { proxy_pass http://%A%; gzip_vary on; add_header Vary Accept-Encoding; add_header X-Encoding $sent_http_content_encoding; }
    location /charset { proxy_pass http://%A%; charset utf-8; }
    location /intercepted { proxy_pass http://%A%; proxy_intercept_errors on; error_page 503 /page; }
    location /ranges { proxy_pass http://%A%; proxy_force_ranges on; }
    location = /page { default_type text/html; return 404 "a page in the place of an error, long enough"; }
}"""
AGENT = "User-Agent: Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1"
rows("gzip", COMPRESSED, page(), [
    ("a page", "/", "h", GZIP),
    ("who does not ask", "/", "h"),
    ("among other codings", "/", "h", "Accept-Encoding: deflate, gzip;q=0.5, br"),
    ("a quality of 0", "/", "h", "Accept-Encoding: gzip;q=0"),
    ("a quality of 0.000", "/", "h", "Accept-Encoding: gzip;q=0.000"),
    ("the least quality", "/", "h", "Accept-Encoding: gzip;q=0.001"),
    ("a quality above 1", "/", "h", "Accept-Encoding: gzip;q=1.5"),
    ("no quality at all", "/", "h", "Accept-Encoding: gzip;"),
    ("anything", "/", "h", "Accept-Encoding: *"),
    ("another name", "/", "h", "Accept-Encoding: xgzip, x-gzip"),
    ("in capitals", "/", "h", "Accept-Encoding: GZIP"),
    ("in a second field", "/", "h", "Accept-Encoding: br", "Accept-Encoding: gzip"),
    ("HEAD", "/", "h", GZIP, {"method": "HEAD"}),
    ("POST", "/", "h", GZIP, {"method": "POST", "body": b"x"}),
    ("over HTTP/1.0", "/", "h", GZIP, {"version": "1.0"}),
    ("over HTTP/1.0 where that is enough", "/old", "h", GZIP, {"version": "1.0"}),
    ("HEAD over HTTP/1.0 where that is enough", "/old", "h", GZIP, {"version": "1.0", "method": "HEAD"}),
    ("switched off", "/off", "h", GZIP),
    ("vary", "/vary", "h", GZIP),
    ("vary for who does not ask", "/vary", "h"),
    ("vary beside the server's own", "/vary", "h", GZIP, {"behave": page("Vary: Cookie")}),
    ("no vary for another type", "/vary", "h", GZIP, {"behave": page(kind="text/css")}),
    ("fields that are added", "/added", "h", GZIP),
    ("a type that is not listed", "/", "h", GZIP, {"behave": page(kind="text/css")}),
    ("a type that is listed", "/types", "h", GZIP, {"behave": page(kind="application/json")}),
    ("html where it is not listed", "/types", "h", GZIP),
    ("a type in capitals", "/types", "h", GZIP, {"behave": page(kind="TEXT/css")}),
    ("every type", "/all", "h", GZIP, {"behave": page(kind="image/x")}),
    ("no type", "/", "h", GZIP, {"behave": answer(TEXT)}),
    ("no type where all are listed", "/all", "h", GZIP, {"behave": answer(TEXT)}),
    ("a type with a character set", "/", "h", GZIP, {"behave": page(kind="text/html; charset=koi8-r")}),
    ("a type with another parameter", "/", "h", GZIP, {"behave": page(kind="text/html; level=1")}),
    ("a character set of ours", "/charset", "h", GZIP),
    ("too short", "/", "h", GZIP, {"behave": page(text="x" * 19)}),
    ("just long enough", "/", "h", GZIP, {"behave": page(text="x" * 20)}),
    ("shorter than the setting", "/min", "h", GZIP, {"behave": page(text="x" * 999)}),
    ("an empty body", "/", "h", GZIP, {"behave": page(text="")}),
    ("short, of unknown length", "/", "h", GZIP,
     {"behave": raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nx", close=True)}),
    ("empty, of unknown length", "/", "h", GZIP,
     {"behave": raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", close=True)}),
    ("in chunks", "/unbuffered", "h", GZIP,
     {"behave": raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
                    b"3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n")}),
    ("level, window, buffers", "/level", "h", GZIP),
    ("without chunks", "/unchunked", "h", GZIP),
    ("compressed by the server", "/", "h", GZIP, {"behave": page("Content-Encoding: br")}),
    ("a strong tag", "/", "h", GZIP, {"behave": page("ETag: \"abc\"", "Last-Modified: Mon, 05 Jan 2026 03:04:05 GMT")}),
    ("a weak tag", "/", "h", GZIP, {"behave": page("ETag: W/\"abc\"")}),
    ("a tag that is none", "/", "h", GZIP, {"behave": page("ETag: abc")}),
    ("ranges of the server", "/", "h", GZIP, {"behave": page("Accept-Ranges: bytes")}),
    ("a part", "/", "h", GZIP, "Range: bytes=0-99",
     {"behave": page("Content-Range: bytes 0-99/9999", text="x" * 100, status="206 Partial Content")}),
    ("a range where it is cut here", "/ranges", "h", GZIP, "Range: bytes=0-99"),
    ("a 404", "/", "h", GZIP, {"behave": page(status="404 Not Found")}),
    ("a 403", "/", "h", GZIP, {"behave": page(status="403 Forbidden")}),
    ("a 500", "/", "h", GZIP, {"behave": page(status="500 Internal Server Error")}),
    ("a 201", "/", "h", GZIP, {"behave": page(status="201 Created")}),
    ("a 304", "/", "h", GZIP, {"behave": raw(b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n")}),
    ("a page in the place of an error", "/intercepted", "h", GZIP, {"behave": page(status="503 Service Unavailable")}),
    ("a returned text", "/text", "h", GZIP),
    ("HEAD of a returned text", "/text", "h", GZIP, {"method": "HEAD"}),
    ("a short text", "/short", "h", GZIP),
    ("our own 403", "/forbidden", "h", GZIP),
    ("our own 404", "/missing", "h", GZIP),
    ("our own 404, for an old client", "/missing", "h", GZIP, {"version": "1.0"}),
    ("a redirect", "/moved", "h", GZIP),
    ("our own 503", "/failed", "h", GZIP),
    ("our own 204", "/empty", "h", GZIP),
    ("an old browser", "/msie", "h", GZIP, f"{AGENT})"),
    ("an old browser with a service pack", "/msie", "h", GZIP, f"{AGENT}; SV1)"),
    ("an agent that is ruled out", "/msie", "h", GZIP, "User-Agent: My Robot 7"),
    ("another agent", "/msie", "h", GZIP, "User-Agent: curl"),
    ("a large body", "/", "h", GZIP, {"behave": page(text=TEXT * 20)}),
])

PROXIED = "gzip on; server { listen 127.0.0.1:%PORT%;" + "".join(
    f" location /{name} {{ proxy_pass http://%A%; gzip_proxied {words}; }}" for name, words in (
        ("off", "off"), ("expired", "expired"), ("no-cache", "no-cache"), ("no-store", "no-store"), ("private", "private"),
        ("modified", "no_last_modified"), ("etag", "no_etag"), ("auth", "auth"), ("any", "any"),
        ("several", "no-store no_etag expired"))) + " location / { proxy_pass http://%A%; } }"
VIA = "Via: 1.1 proxy"
PAST, FUTURE = "Expires: Thu, 01 Jan 1970 00:00:01 GMT", "Expires: Thu, 01 Jan 2099 00:00:01 GMT"
MODIFIED = "Last-Modified: Mon, 05 Jan 2026 03:04:05 GMT"
rows("gzip_proxied", PROXIED, page(), [
    ("the default", "/", "h", GZIP, VIA),
    ("no proxy", "/off", "h", GZIP),
    ("any", "/any", "h", GZIP, VIA),
    ("any of an old proxy", "/any", "h", GZIP, VIA, {"version": "1.0"}),
    ("auth", "/auth", "h", GZIP, VIA, "Authorization: Basic x"),
    ("auth without any", "/auth", "h", GZIP, VIA, {"behave": page("Cache-Control: private")}),
    ("expired", "/expired", "h", GZIP, VIA, {"behave": page(PAST)}),
    ("expired in the future", "/expired", "h", GZIP, VIA, {"behave": page(FUTURE)}),
    ("expired at no time", "/expired", "h", GZIP, VIA, {"behave": page("Expires: 0")}),
    ("expired by the server's clock", "/expired", "h", GZIP, VIA,
     {"behave": page(FUTURE, "Date: Fri, 02 Jan 2099 00:00:00 GMT")}),
    ("expired, and not asked for", "/no-store", "h", GZIP, VIA, {"behave": page(PAST)}),
    ("no-cache", "/no-cache", "h", GZIP, VIA, {"behave": page("Cache-Control: No-Cache, x")}),
    ("no-store", "/no-store", "h", GZIP, VIA, {"behave": page("Cache-Control: max-age=1,no-store")}),
    ("private", "/private", "h", GZIP, VIA, {"behave": page("Cache-Control: x", "Cache-Control: private")}),
    ("private with a field", "/private", "h", GZIP, VIA, {"behave": page("Cache-Control: private=\"x\"")}),
    ("public", "/private", "h", GZIP, VIA, {"behave": page("Cache-Control: public")}),
    ("no_last_modified", "/modified", "h", GZIP, VIA),
    ("no_last_modified with one", "/modified", "h", GZIP, VIA, {"behave": page(MODIFIED)}),
    ("no_etag", "/etag", "h", GZIP, VIA),
    ("no_etag with one", "/etag", "h", GZIP, VIA, {"behave": page("ETag: \"a\"")}),
    ("several", "/several", "h", GZIP, VIA, {"behave": page("Cache-Control: no-store", "ETag: \"a\"")}),
])

FILES = """
gzip on; gzip_min_length 1;
types { text/html html; text/css css; text/plain txt; }
default_type application/x-other;
server { listen 127.0.0.1:%PORT%; root %DIR%/www;
    location / { gzip_types text/css; gzip_vary on; }
    location /static/ { alias %DIR%/www/; gzip_types text/css; gzip_static on; gzip_vary on; }
    location /static-only/ { alias %DIR%/www/; gzip off; gzip_static on; }
    location /always/ { alias %DIR%/www/; gzip_static always; gunzip on; }
    location /listed/ { alias %DIR%/www/list/; autoindex on; }
    location /all/ { alias %DIR%/www/; gzip_types *; limit_rate 500k; }
    location /expires/ { alias %DIR%/www/; gzip_types text/css; gzip_proxied expired; expires -1; }
    location /error/ { alias %DIR%/www/; error_page 404 /404.html; }
}"""


def files(table):
    for name, *arguments in table:
        named = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}

        def script(t, a=arguments, n=named):
            site(t)
            path = t.directory / "www" / "real.css.gz"
            path.write_bytes(gzip.compress(b"p { color: red }\n" * 40, mtime=0))
            (t.directory / "www" / "real.css").write_bytes(b"p { color: red }\n" * 40)
            for one in (path, t.directory / "www" / "real.css"):
                os.chmod(one, 0o644)
                os.utime(one, (1767582245, 1767582245))
            t.get(*a, **n)

        CASES.append(Case(f"bodies/files, {name}", FILES, script))


files([
    ("a page", "/page.html", "h", GZIP),
    ("who does not ask", "/page.html", "h"),
    ("another type", "/ten.txt", "h", GZIP),
    ("HEAD", "/page.html", "h", GZIP, {"method": "HEAD"}),
    ("an old client", "/page.html", "h", GZIP, {"version": "1.0"}),
    ("a range", "/page.html", "h", GZIP, "Range: bytes=1-2"),
    ("a range for who does not ask", "/page.html", "h", "Range: bytes=1-2"),
    ("a range beyond the end", "/page.html", "h", GZIP, "Range: bytes=100-"),
    ("an unchanged file", "/page.html", "h", GZIP, "If-Modified-Since: Mon, 05 Jan 2026 03:04:05 GMT"),
    ("an unchanged file by its weak tag", "/page.html", "h", GZIP, "If-None-Match: W/\"695b2a25-b\""),
    ("an empty file", "/empty.txt", "h", GZIP),
    ("a large file", "/all/big.bin", "h", GZIP),
    ("a directory", "/listed/", "h", GZIP),
    ("HEAD of a directory", "/listed/", "h", GZIP, {"method": "HEAD"}),
    ("a directory for an old client", "/listed/", "h", GZIP, {"version": "1.0"}),
    ("a page for a missing file", "/error/none", "h", GZIP),
    ("a missing file", "/none", "h", GZIP),
    ("static", "/static/real.css", "h", GZIP),
    ("static for who does not ask", "/static/real.css", "h"),
    ("static that is not there", "/static/page.html", "h", GZIP),
    ("static alone", "/static-only/real.css", "h", GZIP),
    ("static alone, a range", "/static-only/real.css", "h", GZIP, "Range: bytes=0-3"),
    ("static, a range", "/static/real.css", "h", GZIP, "Range: bytes=0-1"),
    ("always, unpacked", "/always/real.css", "h"),
    ("always, for who takes it", "/always/real.css", "h", GZIP),
    ("always, unpacked, a range", "/always/real.css", "h", "Range: bytes=0-3"),
    ("HEAD of what is unpacked", "/always/real.css", "h", {"method": "HEAD"}),
    ("expired for a proxy", "/expires/style.css", "h", GZIP, VIA),
])

UNPACKED = """
gunzip on; gunzip_buffers 4 8k;
server { listen 127.0.0.1:%PORT%;
    location / { proxy_pass http://%A%; }
    location /vary { proxy_pass http://%A%; gzip_vary on; }
    location /off { proxy_pass http://%A%; gunzip off; }
    location /replaced { proxy_pass http://%A%; sub_filter "number 1 " "NUMBER ONE "; }
}"""
PACKED = gzip.compress(TEXT.encode(), mtime=0)


def packed(*fields, data=PACKED, status="200 OK"):
    return answer(data, status, "Content-Type: text/html", "Content-Encoding: gzip", *fields)


rows("gunzip", UNPACKED, packed(), [
    ("a page", "/", "h"),
    ("who takes gzip", "/", "h", GZIP),
    ("HEAD", "/", "h", {"method": "HEAD"}),
    ("an old client", "/", "h", GZIP, {"version": "1.0"}),
    ("vary", "/vary", "h"),
    ("vary for who takes gzip", "/vary", "h", GZIP),
    ("switched off", "/off", "h"),
    ("a plain body", "/", "h", {"behave": page()}),
    ("another coding", "/", "h", {"behave": answer(PACKED, "200 OK", "Content-Encoding: br")}),
    ("in capitals", "/", "h", {"behave": answer(PACKED, "200 OK", "Content-Encoding: GZIP")}),
    ("validators and ranges", "/", "h", {"behave": packed("ETag: \"a\"", "Accept-Ranges: bytes", MODIFIED)}),
    ("any status", "/", "h", {"behave": packed(status="500 Internal Server Error")}),
    ("several streams", "/", "h", {"behave": packed(data=PACKED + PACKED)}),
    ("much of little", "/", "h", {"behave": packed(data=gzip.compress(b"x" * 3_000_000, mtime=0))}),
    ("with texts replaced", "/replaced", "h"),
    ("texts are not replaced in what stays packed", "/replaced", "h", GZIP),
])


@case(UNPACKED)
def what_is_no_gzip_ends_the_connection(t):
    t.a.behave = packed(data=b"no gzip at all")
    connection = t.connect().send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    seen = b""
    while data := connection.receive():
        seen += data
    t.note(f"status 200: {seen.startswith(b'HTTP/1.1 200 ')}", f"a whole body: {seen.endswith(b'0' + bytes([13, 10]) * 2)}")


REPLACED = """
server { listen 127.0.0.1:%PORT%;
    location / { proxy_pass http://%A%; sub_filter "</HEAD>" "<script></script></head>"; }
    location /all { proxy_pass http://%A%; sub_filter "line" "row"; sub_filter_once off; }
    location /several { proxy_pass http://%A%; sub_filter "line" "row"; sub_filter "LINE number" "x"; sub_filter "of a page" ""; }
    location /order { proxy_pass http://%A%; sub_filter "line number" "x"; sub_filter "line" "row"; sub_filter_once off; }
    location /variables { proxy_pass http://%A%; sub_filter "line" "$arg_to $host"; sub_filter_once off; }
    location /dynamic { proxy_pass http://%A%; sub_filter "$arg_from" "<$arg_to>"; sub_filter_once off; }
    location /modified { proxy_pass http://%A%; sub_filter "line" "row"; sub_filter_last_modified on; }
    location /types { proxy_pass http://%A%; sub_filter "line" "row"; sub_filter_types text/css; }
    location /every { proxy_pass http://%A%; sub_filter "line" "row"; sub_filter_types *; }
    location /outer { proxy_pass http://%A%; sub_filter "line" "row"; location /outer/inner { proxy_pass http://%A%; sub_filter "page" "leaf"; } }
    location /packed { proxy_pass http://%A%; sub_filter "line" "row"; gzip on; }
    location /text { default_type text/html; return 200 "one line and a line"; sub_filter "line" "row"; }
}"""
LINES = "<head></head>one line number 1 of a page, LINE number 2 of a page"
rows("sub_filter", REPLACED, page(text=LINES), [
    ("the end of a head", "/", "h"),
    ("everywhere", "/all", "h"),
    ("several", "/several", "h"),
    ("the first that is named", "/order", "h"),
    ("variables", "/variables?to=X", "h"),
    ("a text with variables", "/dynamic?from=Line&to=x", "h"),
    ("a text with variables that is empty", "/dynamic?to=x", "h"),
    ("HEAD", "/", "h", {"method": "HEAD"}),
    ("an old client", "/", "h", {"version": "1.0"}),
    ("validators", "/", "h", {"behave": page("ETag: \"a\"", MODIFIED, "Accept-Ranges: bytes", text=LINES)}),
    ("validators that are kept", "/modified", "h", {"behave": page("ETag: \"a\"", MODIFIED, text=LINES)}),
    ("another type", "/", "h", {"behave": page(text=LINES, kind="text/css")}),
    ("a type that is listed", "/types", "h", {"behave": page(text=LINES, kind="text/css")}),
    ("every type", "/every", "h", {"behave": page(text=LINES, kind="image/x")}),
    ("any status", "/all", "h", {"behave": page(text=LINES, status="503 Service Unavailable")}),
    ("an empty body", "/", "h", {"behave": page(text="")}),
    ("a level with its own", "/outer/inner", "h"),
    ("before compression", "/packed", "h", GZIP),
    ("a returned text", "/text", "h"),
    ("nothing to replace", "/", "h", {"behave": page(text="nothing")}),
    ("a large body", "/all", "h", {"behave": page(text=TEXT * 10)}),
    ("across pieces", "/all", "h", {"behave": pieces(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 24\r\n\r\none li", 0.1, b"ne, two l", 0.1, b"i", 0.1,
        b"nes, l", 0.1, b"in", close=False)}),
    ("a beginning at the end", "/all", "h", {"behave": page(text="one line and a lin")}),
])

EVENTS = """
gzip on; gzip_types text/event-stream;
server { listen 127.0.0.1:%PORT%;
    location / { proxy_pass http://%A%; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }
    location /replaced { proxy_pass http://%A%; proxy_http_version 1.1; proxy_buffering off; sub_filter data event; sub_filter_once off;
        sub_filter_types text/event-stream; }
}"""
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def events(t, target):
    def chunk(data):
        return b"%x\r\n%s\r\n" % (len(data), data)

    t.a.behave = pieces(STREAM, chunk(b"data: 1\n\n"), 0.4, chunk(b"data: 2\n\n"), 0.4, chunk(b"data: 3\n\n"), b"0\r\n\r\n",
                        close=False)
    connection = t.connect().send(f"GET {target} HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n")
    started, seen, text, times = time.monotonic(), b"", b"", []
    while not seen.endswith(b"0\r\n\r\n"):
        data = connection.receive()
        if not data:
            break
        seen += data
        text = unchunked(seen)
        times += [time.monotonic() - started] * (text.count(b"\n\n") - len(times))
    t.note(f"events: {text!r}")
    t.note(f"each within 0.3 s of its sending: {all(abs(at - 0.4 * n) < 0.3 for n, at in enumerate(times))}")


def unchunked(seen):
    """The text of a compressed body in chunks, as far as it came."""
    body, rest = b"", seen.partition(b"\r\n\r\n")[2]
    while b"\r\n" in rest:
        size, _, rest = rest.partition(b"\r\n")
        size = int(size, 16)
        if len(rest) < size or not size:
            break
        body, rest = body + rest[:size], rest[size + 2:]
    return zlib.decompressobj(31).decompress(body)


@case(EVENTS)
def a_compressed_event_leaves_at_once(t):
    events(t, "/")


@case(EVENTS)
def an_event_with_other_texts_leaves_at_once(t):
    events(t, "/replaced")


RATIO = """
log_format ratio '$uri $gzip_ratio';
server { listen 127.0.0.1:%PORT%; gzip on; access_log %DIR%/judge.access ratio;
    location / { proxy_pass http://%A%; }
    location /text { default_type text/html; return 200 "%s"; }
}""".replace("%s", "a text of the same words and the same words and the same words again")


@case(RATIO)
def the_ratio_is_logged(t):
    t.a.behave = page(text="x" * 20)
    t.get("/off", "h")
    t.blur(r"^(\S+) \d+\.\d\d$", r"\1 RATIO")
    t.get("/on", "h", GZIP)
    t.get("/text", "h", GZIP)


configurations("bodies", [
    ("a level of 0", "gzip_comp_level 0;"),
    ("a level of 10", "gzip_comp_level 10;"),
    ("a level that is none", "gzip_comp_level fast;"),
    ("a window that is none", "gzip_window 3k;"),
    ("a version that is none", "gzip_http_version 2;"),
    ("words of gzip_proxied", "gzip_proxied any some;"),
    ("a word of gzip_proxied twice", "gzip_proxied any any;"),
    ("an expression that is none", "gzip_disable \"(\";"),
    ("html among the types", "gzip_types text/html text/css text/css;"),
    ("gzip twice", "gzip on; gzip off;"),
    ("an empty text", "sub_filter '' x;"),
    ("one text", "sub_filter x;"),
    ("gunzip of another word", "gunzip yes;"),
    ("what is usual", "gzip on; gzip_vary on; gzip_proxied any; gzip_comp_level 6; gzip_types text/css application/json; gzip_disable msie6;"),
])
