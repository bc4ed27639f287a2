"""The files of nginx-compat/examples, each played as its reader would try it.

A file stands as it is but for its addresses and logs. What each request is to be answered with is written here, too:
an example that does not do what it promises is a difference, even where both programs agree.
"""

import gzip
import base64
import os
import re
import shutil
from pathlib import Path

from cases.bodies import events
from cases.proxy_settings import serve_names
from cases.streaming import HANDSHAKE, echo, talk
from casebook import CASES, Case
from upstream import answer, in_turn, stall

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
# 5 January 2026: the same tag and the same date under both.
CHANGED = 1767582245

REPLACED = (
    (r"^worker_processes auto;$", "worker_processes 1; daemon off;"),
    (r"^pid nginx\.pid;$", "pid %DIR%/pid;"),
    (r"^error_log stderr notice;$", "error_log %DIR%/error.log info;"),
    (r"^http \{$", "http { %TEMPORARY%"),
    (r"\baccess_log /dev/stdout;", "access_log off;"),
    (r"\baccess_log /dev/stdout (\w+);", r"access_log %DIR%/judge.access \1;"),
    (r"\blisten 8080\b", "listen 127.0.0.1:%PORT%"),
    (r"\bresolver 127\.0\.0\.1:5353\b", "resolver 127.0.0.1:%PORT2%"),
    *((rf"\b127\.0\.0\.1:500{number}\b", f"%{mark}%") for number, mark in enumerate("ABCD", 1)),
    *((rf":500{number}\b", f":%PORT{mark}%") for number, mark in enumerate("ABCD", 1)),
)


def text_of(name):
    text = (EXAMPLES / f"{name}.conf").read_text()
    for pattern, instead in REPLACED:
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    return text


def lay_out(t):
    """What the files name, beside the configuration: the site and the types."""
    shutil.copy(EXAMPLES / "mime.types", t.directory)
    shutil.copy(EXAMPLES / "users", t.directory)
    (t.directory / "users").chmod(0o644)
    shutil.copytree(EXAMPLES / "site", t.directory / "site")
    for folder, folders, files in os.walk(t.directory / "site"):
        os.chmod(folder, 0o755)
        for name in files + folders:
            os.utime(os.path.join(folder, name), (CHANGED, CHANGED))


def example(name):
    """A function that plays one part of the example; its name is the case's."""

    def add(script):
        title = script.__name__.replace("_", " ")
        CASES.append(Case(f"examples/{name}, {title}", "", script, text_of(name), lays_out=lay_out))
        return script

    return add


def expect(t, status, *arguments, **named):
    """`Stage.get`, and the status that the example promises."""
    got = t.get(*arguments, **named)
    if (got.status if got else 0) != status:
        t.fail(f"{arguments[0]} was to be answered with {status}")
    return got


def expect_field(t, got, name, value):
    if got is None or got.field(name) != value:
        t.fail(f"{name} was to be {value!r}")


# -- an API with limits


@example("limited-api")
def who_asks_too_fast_is_told_when_to_come_back(t):
    t.a.behave = t.b.behave = answer("{}", "200 OK", "Content-Type: application/json")
    for _ in range(3):
        expect(t, 200, "/api/login")
    for _ in range(2):
        refused = expect(t, 429, "/api/login")
        expect_field(t, refused, "retry-after", "10")
        expect_field(t, refused, "content-type", "application/json")
    expect(t, 200, "/api/orders")
    expect(t, 200, "/api/health")


@example("limited-api")
def what_stays_open_counts(t):
    t.a.behave = t.b.behave = answer("{}")
    for _ in range(5):
        expect(t, 200, "/api/orders")


# -- an admin area by address or password


def basic(user, password):
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@example("admin-area")
def the_address_or_a_password(t):
    t.a.behave = answer("ok")
    expect(t, 200, "/")
    asks = expect(t, 401, "/admin/")
    expect_field(t, asks, "www-authenticate", 'Basic realm="Administration"')
    expect(t, 200, "/admin/", "example.org", basic("ann", "let-me-in"))
    expect(t, 200, "/admin/", "example.org", basic("bob", "let-me-in"))
    expect(t, 401, "/admin/", "example.org", basic("bob", "let-me-out"))


@example("admin-area")
def both_and_reading_alone(t):
    t.a.behave = answer("ok")
    expect(t, 401, "/admin/settings/")
    expect(t, 200, "/admin/settings/", "example.org", basic("ann", "let-me-in"))
    expect(t, 403, "/admin/settings/", "example.org", basic("ann", "let-me-in"), method="POST", body=b"x")


# -- a single-page app with an API


@example("single-page-app")
def the_page_for_every_path(t):
    for target in ("/", "/index.html", "/orders/42", "/orders/42?tab=items", "/orders/"):
        got = expect(t, 200, target)
        expect_field(t, got, "cache-control", "no-cache")
    expect(t, 304, "/index.html", "example.org", "If-Modified-Since: Mon, 05 Jan 2026 03:04:05 GMT")
    expect(t, 200, "/", method="HEAD")


@example("single-page-app")
def assets_that_never_change(t):
    expect(t, 200, "/assets/main.3f2a9c.js")
    expect(t, 404, "/assets/main.old.js")
    expect(t, 404, "/assets/")


@example("single-page-app")
def the_API_without_its_prefix(t):
    expect(t, 200, "/api/orders?page=2", "app.example.org:8080", "X-Forwarded-For: 192.0.2.1")
    expect(t, 200, "/api/", method="POST", body=b'{"item":1}')
    expect(t, 301, "/api")
    t.a.behave = answer('{"error":"none"}', "404 Not Found", "Content-Type: application/json")
    expect(t, 404, "/api/orders/43")


# -- the same, compressed

GZIP = "Accept-Encoding: gzip, deflate, br"


@example("compressed-app")
def the_page_compressed(t):
    for target in ("/", "/index.html", "/orders/42"):
        got = expect(t, 200, target, "app.example.org", GZIP)
        expect_field(t, got, "content-encoding", "gzip")
        expect_field(t, got, "vary", "Accept-Encoding")
    got = expect(t, 200, "/", "app.example.org")
    expect_field(t, got, "content-encoding", None)
    if b'<html data-host="app.example.org">' not in got.body:
        t.fail("the page was to name its host")
    expect(t, 200, "/", "app.example.org", GZIP, "Via: 1.1 proxy")


@example("compressed-app")
def assets_that_the_build_has_compressed(t):
    got = expect(t, 200, "/assets/app.3f2a9c.js", "app.example.org", GZIP)
    expect_field(t, got, "etag", f'"{CHANGED:x}-{len(got.body):x}"')
    expect_field(t, expect(t, 200, "/assets/app.3f2a9c.js", "app.example.org"), "content-encoding", None)
    got = expect(t, 200, "/assets/app.77ab01.css", "app.example.org", GZIP)
    expect_field(t, got, "content-encoding", "gzip")
    expect(t, 404, "/assets/none.js", "app.example.org", GZIP)


@example("compressed-app")
def the_API_compressed_and_unpacked(t):
    orders = b'[{"number":1,"items":2,"customer":"x"},' + b'{"number":2,"items":3,"customer":"y"},' * 20 + b"{}]"
    t.a.behave = answer(orders, "200 OK", "Content-Type: application/json", 'ETag: "1"')
    got = expect(t, 200, "/api/orders", "app.example.org", GZIP)
    expect_field(t, got, "etag", 'W/"1"')
    t.a.behave = answer(gzip.compress(orders, mtime=0), "200 OK", "Content-Type: application/json", "Content-Encoding: gzip")
    got = expect(t, 200, "/api/orders", "app.example.org")
    if got.body != orders:
        t.fail("the answer was to be unpacked")
    expect_field(t, expect(t, 200, "/api/orders", "app.example.org", GZIP), "content-encoding", "gzip")


@example("compressed-app")
def compressed_events_leave_at_once(t):
    events(t, "/api/events")


# -- WebSockets


@example("websocket")
def websocket_upgraded(t):
    t.a.behave = t.b.behave = echo
    connection = t.connect().send(HANDSHAKE.replace("GET /", "GET /ws/chat"))
    connection.read()
    talk(t, connection, b"hello", b"\x81\x05again")


@example("websocket")
def no_websocket(t):
    expect(t, 200, "/")
    expect(t, 200, "/ws/poll")


# -- several hosts


@example("redirecting-hosts")
def www_to_bare(t):
    for host, target in (("www.shop.example.org", "/a%20b/?x=1&y=%2F"), ("WWW.blog.example.org:8080", "/")):
        got = expect(t, 301, target, host)
        expect_field(t, got, "location", f"http://{host.lower().split(':')[0][4:]}{target}")


@example("redirecting-hosts")
def other_names(t):
    for host in ("shop.example.net", "de.shop.example.net", "store.example.org"):
        expect_field(t, expect(t, 301, "/cart?id=7", host), "location", "http://shop.example.org/cart?id=7")
    expect_field(t, expect(t, 301, "/login", "secure.example.org:8080"), "location", "https://secure.example.org/login")


@example("redirecting-hosts")
def each_host_its_own_app(t):
    expect(t, 200, "/", "shop.example.org")
    expect(t, 200, "/2026/", "blog.example.org")
    expect(t, 302, "/sale", "shop.example.org")


@example("redirecting-hosts")
def strangers(t):
    for host in ("other.example.org", "www.other.example.org", "127.0.0.1"):
        expect(t, 0, "/", host)


# -- blue and green


@example("blue-green")
def blue_unless_asked(t):
    for fields, release in (
            ((), "blue"), (("Cookie: release=green",), "green"), (("Cookie: a=b; release=blue",), "blue"),
            (("Cookie: release=red",), "blue"), (("X-Release: green",), "green"), (("X-Release: GREEN",), "green"),
            (("X-Release: blue", "Cookie: release=green"), "blue"),
            (("X-Release: 192.0.2.1:80", "Cookie: release=green"), "green")):
        expect_field(t, expect(t, 200, "/page?a=b", "example.org", *fields), "x-release", release)


@example("blue-green")
def a_link_for_testers(t):
    got = expect(t, 302, "/release/green")
    expect_field(t, got, "set-cookie", "release=green; Path=/; HttpOnly")
    expect(t, 200, "/release/red")


# -- canary


@example("canary")
def a_share_of_the_users(t):
    for number in range(40):
        expect(t, 200, "/", "example.org", f"Cookie: user={number}")
    expect(t, 200, "/")


@example("canary")
def in_and_out_by_a_header(t):
    for value, group in (("always", "canary"), ("never", "stable")):
        expect_field(t, expect(t, 200, "/x", "example.org", f"X-Canary: {value}"), "x-group", group)


@example("canary")
def a_failing_canary(t):
    t.c.behave = answer("broken", "500 Internal Server Error")
    expect(t, 200, "/x?y", "example.org", "X-Canary: always")
    t.c.stop()
    expect(t, 200, "/x?y", "example.org", "X-Canary: always")


# -- maintenance


@example("maintenance")
def off_and_on_and_off(t):
    expect(t, 200, "/app?x")
    flag = t.directory / "site" / "maintenance.on"
    flag.touch()
    got = expect(t, 503, "/app?x")
    expect_field(t, got, "retry-after", "600")
    expect(t, 503, "/", method="HEAD")
    expect(t, 503, "/order", method="POST", body=b"a=b")
    expect(t, 200, "/errors/maintenance.html")
    expect(t, 200, "/app", "example.org", "X-Staff-Token: let-me-in")
    flag.unlink()
    expect(t, 200, "/app?x")


# -- a static site


@example("static-site")
def pages(t):
    for target in ("/", "/about", "/about.html", "/guide/", "/css/style.1.css", "/images/logo.svg"):
        expect(t, 200, target)
    expect(t, 301, "/guide")


@example("static-site")
def what_is_missing(t):
    for target in ("/none", "/none.css", "/images/none.png", "/404.html", "/.git/config", "/.env", "/.git/logo.svg",
                   "/.well-known/security.txt", "/css/"):
        expect(t, 404 if target != "/css/" else 403, target)


@example("static-site")
def asked_again(t):
    tag = expect(t, 200, "/about", method="HEAD").field("etag")
    expect(t, 304, "/about", "example.org", f"If-None-Match: {tag}")
    expect(t, 304, "/images/logo.svg", "example.org", "If-Modified-Since: Mon, 05 Jan 2026 03:04:05 GMT")
    expect(t, 206, "/about", "example.org", "Range: bytes=0-8")
    expect(t, 405, "/about", method="POST", body=b"x")


# -- names at run time


def with_names(t, script):
    _, end = serve_names(t, {"app.internal": ["127.0.0.1"], "orders.internal": ["127.0.0.1"]})
    try:
        script()
    finally:
        end()


@example("dynamic-upstream")
def names_looked_up(t):
    def play():
        expect(t, 200, "/page?a=b")
        expect(t, 200, "/services/orders/list/7?full=1")
        expect(t, 200, "/services/orders/")

    with_names(t, play)


@example("dynamic-upstream")
def a_group_by_its_name(t):
    expect(t, 200, "/accounts/17?x=%20")


@example("dynamic-upstream")
def a_name_that_nobody_has(t):
    with_names(t, lambda: expect(t, 404, "/services/nothing/x"))


# -- a backend that is down


@example("down-backend")
def pages_in_place_of_the_servers_own(t):
    for status in ("502 Bad Gateway", "503 Service Unavailable", "404 Not Found"):
        t.a.behave = answer("the server's own words", status)
        expect(t, int(status[:3]), "/page")


@example("down-backend")
def what_the_server_says(t):
    expect(t, 200, "/")
    t.a.behave = answer("the server's own words", "500 Internal Server Error")
    expect(t, 500, "/page")
    for status in ("502 Bad Gateway", "503 Service Unavailable", "404 Not Found"):
        t.a.behave = answer('{"error":"own words"}', status)
        expect(t, int(status[:3]), "/api/page")
    expect(t, 404, "/50x.html")


@example("down-backend")
def a_server_that_refuses(t):
    t.a.stop()
    expect(t, 502, "/page")
    expect(t, 502, "/page", method="HEAD")
    expect(t, 502, "/form", method="POST", body=b"a=b")
    expect(t, 503, "/api/orders")


@example("down-backend")
def a_server_that_is_slow(t):
    t.a.behave = t.b.behave = stall
    expect(t, 504, "/page")
    expect(t, 503, "/api/orders")
    expect(t, 200, "/reports/today")


# -- old addresses


@example("old-urls")
def moved_for_good(t):
    for target, to in (
            ("/about.php", "/about"), ("/press/2019.html", "/news/2019"), ("/product/saw?colour=red", "/products/saw"),
            ("/product/saw/", "/products/saw"), ("/index.php?id=17", "/products"), ("/old/page.PHP?x=1", "/old/page"),
            ("/blog/2019/05/a-saw.html", "/articles/a-saw?published=2019-05"),
            ("/blog/2019/05/a-saw.html?utm=x", "/articles/a-saw?published=2019-05&utm=x")):
        got = expect(t, 301, target)
        if not got or not (got.field("location") or "").endswith(to):
            t.fail(f"{target} was to go to {to}")
    expect_field(t, expect(t, 301, "/jobs.php"), "location", "https://jobs.example.org/")
    expect(t, 302, "/search/red%20saw")
    expect(t, 410, "/index.php?id=99")


@example("old-urls")
def unseen_by_the_client(t):
    for target in ("/de/shop/saw?x=1", "/en/", "/~ann", "/~ann/notes/1.txt?raw", "/about", "/blog/2019/5/a.html"):
        expect(t, 200, target)


# -- an origin


@example("cdn-origin")
def files_for_every_origin(t):
    file = "/static/lib/1.2.0/widget.js"
    expect_field(t, expect(t, 200, file, "example.org", "Origin: http://a.example"), "access-control-allow-origin", "*")
    expect(t, 200, file, method="HEAD")
    expect(t, 204, file, method="OPTIONS")
    expect(t, 206, file, "example.org", "Range: bytes=0-5")
    expect(t, 200, "/latest/widget.js")
    expect(t, 200, "/healthy")


@example("cdn-origin")
def nothing_else(t):
    for status, target in ((404, "/"), (404, "/static/none.js"), (404, "/latest/none.js"), (403, "/static/lib/"),
                           (404, "/static/../nginx.conf"), (301, "/static/lib"),
                           (404, "/latest/x%2f..%2f..%2fx"), (400, "/latest/..%2f..%2f..%2fx")):
        expect(t, status, target)
    expect(t, 405, "/static/lib/1.2.0/widget.js", method="POST", body=b"x")


@example("cdn-origin")
def read_only(t):
    t.a.behave = answer("made", "200 OK", "Cache-Control: private", "Set-Cookie: a=b", "Content-Type: text/plain")
    expect_field(t, expect(t, 200, "/rendered/chart?w=9"), "cache-control", "public, max-age=60")
    expect(t, 200, "/rendered/chart", method="HEAD")
    for method in ("PUT", "POST", "DELETE", "OPTIONS"):
        expect(t, 403, "/rendered/chart", method=method)


# -- a cache


@example("cached-site")
def old_pages_while_the_application_fails(t):
    t.a.behave = answer("page", "200 OK", "Content-Type: text/plain")
    expect_field(t, expect(t, 200, "/"), "x-cache", "MISS")
    expect_field(t, expect(t, 200, "/"), "x-cache", "HIT")
    t.a.behave = answer("failed", "500 Internal Server Error")
    t.wait(2.2)
    expect_field(t, expect(t, 200, "/"), "x-cache", "STALE")
    expect(t, 500, "/other")


@example("cached-site")
def nothing_for_who_has_logged_in(t):
    t.a.behave = answer("page", "200 OK", "Content-Type: text/plain")
    for _ in range(2):
        expect_field(t, expect(t, 200, "/", "example.org", "Cookie: session=1"), "x-cache", "BYPASS")
    expect_field(t, expect(t, 200, "/"), "x-cache", "MISS")
    expect(t, 200, "/api/x")


# -- load balancing


@example("load-balancing")
def the_fewest_in_flight(t):
    for number in range(9):
        expect(t, 200, f"/{number}")


@example("load-balancing")
def one_server_for_an_image(t):
    for number in range(12):
        expect(t, 200, f"/images/{number % 6}.png")


@example("load-balancing")
def one_server_for_a_session(t):
    for session in ("a", "b", "c", "a", "b"):
        expect(t, 200, "/account/", "example.org", f"Cookie: session={session}")


@example("load-balancing")
def a_failing_server_passed_over(t):
    t.a.behave = in_turn(answer("busy", "503 Service Unavailable"), answer("a"))
    t.b.behave = in_turn(answer("gone", "502 Bad Gateway"), answer("b"))
    for number in range(4):
        expect(t, 200, f"/{number}")


@example("load-balancing")
def a_POST_is_sent_once(t):
    t.a.behave = t.b.behave = answer("busy", "503 Service Unavailable")
    expect(t, 503, "/order", method="POST", body=b"a=b")


@example("load-balancing")
def the_backup(t):
    t.a.stop()
    t.b.stop()
    # One request: behind it lb knows by its probes what NGINX finds out by trying.
    expect(t, 200, "/")


# -- downloads


def allows(where, *fields):
    return answer("", "200 OK", f"X-Accel-Redirect: {where}", *fields)


@example("guarded-downloads")
def a_file_that_the_app_allows(t):
    t.a.behave = allows("/protected/handbook.txt", "Content-Disposition: attachment; filename=handbook.txt",
                        "Set-Cookie: seen=1", "Content-Type: text/plain")
    expect(t, 200, "/download/7")
    expect(t, 206, "/download/7", "example.org", "Range: bytes=0-9")
    expect(t, 200, "/download/7", method="HEAD")
    expect(t, 200, "/download/7", method="POST", body=b"why=because")


@example("guarded-downloads")
def a_file_that_the_app_forbids(t):
    t.a.behave = answer("log in first", "403 Forbidden")
    expect(t, 403, "/download/7")
    expect(t, 404, "/protected/handbook.txt")
    expect(t, 404, "/remote/handbook.txt")


@example("guarded-downloads")
def a_file_that_is_not_there(t):
    t.a.behave = allows("/protected/none.txt")
    expect(t, 404, "/download/8")


@example("guarded-downloads")
def a_file_of_another_server(t):
    t.a.behave = allows("/remote/files/7?v=2", "Content-Disposition: inline")
    expect(t, 200, "/download/7")


# -- single sign-on

BROWSER = "Accept: text/html,*/*;q=0.8"


def sign_on(request, connection):
    """A toy service: it knows two users by their cookies, logs in whoever says `name`, and guards /admin."""
    path, _, query = request.target.partition("?")
    user = dict(pair.split("=", 1) for pair in (request.field("cookie") or "").split("; ") if "=" in pair).get("session")
    if path == "/auth/check":
        if user not in ("ada", "bob"):
            return answer("", "401 Unauthorized")(request, connection)
        if (request.field("x-original-uri") or "").startswith("/admin") and user != "ada":
            return answer("", "403 Forbidden", f"X-User: {user}")(request, connection)
        fields = [f"X-User: {user}", "X-Groups: staff", f"Set-Cookie: session={user}; Path=/; HttpOnly"]
        return answer("", "204 No Content", *fields)(request, connection)
    if path == "/login" and request.method == "POST":
        name = request.body.decode().partition("name=")[2]
        fields = ["Location: /", f"Set-Cookie: session={name}; Path=/; HttpOnly"]
        return answer("", "303 See Other", *fields)(request, connection)
    if path == "/login":
        return answer(f"<form>{query}</form>", "200 OK", "Content-Type: text/html")(request, connection)
    return answer("", "404 Not Found")(request, connection)


@example("single-sign-on")
def a_browser_that_logs_in(t):
    t.b.behave = sign_on
    got = expect(t, 302, "/orders?page=2", "example.org", BROWSER)
    if got is None or not (got.field("location") or "").endswith("/sign-on/login?back=/orders?page=2"):
        t.fail("the login page was to be told")
    expect(t, 200, "/sign-on/login?back=/orders", "example.org", BROWSER)
    got = expect(t, 303, "/sign-on/login", "example.org", BROWSER, method="POST", body=b"name=bob")
    expect_field(t, got, "set-cookie", "session=bob; Path=/; HttpOnly")
    got = expect(t, 200, "/orders?page=2", "example.org", BROWSER, "Cookie: a=b; session=bob", "X-User: ada")
    expect_field(t, got, "set-cookie", "session=bob; Path=/; HttpOnly")


@example("single-sign-on")
def who_may_what(t):
    t.b.behave = sign_on
    for user, status in (("bob", 403), ("ada", 200), ("eve", 302)):
        expect(t, status, "/admin/users", "example.org", BROWSER, f"Cookie: session={user}")


@example("single-sign-on")
def the_API(t):
    t.b.behave = sign_on
    expect(t, 401, "/api/orders", "example.org", "Accept: application/json")
    expect(t, 401, "/orders", "example.org", "Accept: application/json")
    body = b'{"item":1}' * 20000
    expect(t, 200, "/api/orders", "example.org", "Cookie: session=ada", method="POST", body=body)
    expect(t, 401, "/api/orders", method="POST", body=b'{"item":1}')
    expect(t, 403, "/admin/x", "example.org", "Cookie: session=bob", method="DELETE")


@example("single-sign-on")
def without_the_service(t):
    t.b.stop()
    expect(t, 500, "/", "example.org", BROWSER)
    expect(t, 500, "/api/orders")
    expect(t, 200, "/healthy")
    expect(t, 404, "/internal/check")
    expect(t, 502, "/sign-on/login")


@example("single-sign-on")
def a_service_that_is_broken(t):
    t.b.behave = answer("oops", "500 Internal Server Error")
    expect(t, 500, "/", "example.org", BROWSER, "Cookie: session=ada")
