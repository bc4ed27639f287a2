"""`X-Accel-Redirect` and intercepted answers: which location answers, and what is kept of the server's answer."""

from casebook import CASES, Case
from upstream import answer, pieces, raw

HTTP = """
default_type text/plain;
server { listen 127.0.0.1:%PORT%; server_name example.org;
    error_page 404 /missing; error_page 401 /login;
    location / { proxy_pass http://%A%; proxy_intercept_errors on; }
    location /ignored { proxy_pass http://%A%; proxy_ignore_headers X-Accel-Redirect; }
    location /inside/ { internal; return 200 "$uri?$args $request_method"; }
    location @named { return 200 "named $uri $request_method"; }
    location /other { internal; proxy_pass http://%B%; }
    location = /missing { internal; return 200 "missing"; }
    location = /login { internal; return 200 "login"; }
    location = /text { internal; return 403 "a text"; }
    location /list/ { internal; root %DIR%; autoindex on; }
    location = /paged { internal; return 403; error_page 403 /inside/page; }
    location = /none { internal; return 404; }
}"""

FIELDS = ("Content-Type: text/x-own", "Set-Cookie: a=1", "Set-Cookie: b=2", "Content-Disposition: attachment; filename=x",
          "Cache-Control: private", "Expires: Mon, 01 Jan 2035 00:00:00 GMT", "ETag: \"e\"", "X-Own: y", "Vary: Accept",
          "WWW-Authenticate: Basic realm=x")


def one(name, status, *fields, target="/x?q", **asked):
    def script(t):
        t.a.behave = answer("the server's body", status, *fields)
        t.get(target, **asked)

    CASES.append(Case(f"accel_redirect/{name}", HTTP, script))


def exactly(name, behave, **asked):
    """The same question twice, which one connection takes where it is kept."""

    def script(t):
        t.a.behave = behave
        for _ in range(2):
            t.get("/x?q", **asked)

    CASES.append(Case(f"accel_redirect/{name}", HTTP, script))


one("a path", "200 OK", "X-Accel-Redirect: /inside/a?b=c", *FIELDS)
one("a path with escapes", "200 OK", "X-Accel-Redirect: /inside/a%20b%3Fc?d=%20", *FIELDS)
one("a named location", "200 OK", "X-Accel-Redirect: @named", *FIELDS)
one("another server", "200 OK", "X-Accel-Redirect: /other?x=y", *FIELDS)
one("a path that is not there", "200 OK", "X-Accel-Redirect: /none", *FIELDS)
one("a text with another status", "200 OK", "X-Accel-Redirect: /text", *FIELDS)
one("a page with a text", "200 OK", "X-Accel-Redirect: /paged", *FIELDS)
CASES.append(Case("accel_redirect/a list", HTTP, lambda t: (
    setattr(t.a, "behave", answer("x", "200 OK", "X-Accel-Redirect: /list/", *FIELDS)), t.get("/x")),
    lays_out=lambda t: (t.directory / "list").mkdir()))
one("a status", "404 Not Found", "X-Accel-Redirect: /inside/a", *FIELDS)
one("after a POST", "200 OK", "X-Accel-Redirect: /inside/a", method="POST", body=b"xy")
one("after a HEAD", "200 OK", "X-Accel-Redirect: /inside/a", *FIELDS, method="HEAD")
one("ignored", "200 OK", "X-Accel-Redirect: /inside/a", *FIELDS, target="/ignored")
one("an intercepted 404", "404 Not Found", *FIELDS)
one("an intercepted 401", "401 Unauthorized", *FIELDS)
one("a 403 without a page", "403 Forbidden", *FIELDS)
one("an intercepted 404 of a HEAD", "404 Not Found", *FIELDS, method="HEAD")

INSIDE = b"HTTP/1.1 %s\r\nX-Accel-Redirect: /inside/a\r\n%s\r\n"
exactly("a 204", raw(INSIDE % (b"204 No Content", b"")))
exactly("a 304", raw(INSIDE % (b"304 Not Modified", b"")))
exactly("length 0", raw(INSIDE % (b"200 OK", b"Content-Length: 0\r\n")))
exactly("in chunks", raw(INSIDE % (b"200 OK", b"Transfer-Encoding: chunked\r\n") + b"3\r\nown\r\n0\r\n\r\n"))
exactly("until the connection ends", raw(INSIDE % (b"200 OK", b"") + b"own", close=True))
exactly("cut off", pieces(INSIDE % (b"200 OK", b"Content-Length: 9\r\n") + b"own", 0.1, b"own"))
exactly("an intercepted 404 of length 0", answer("", "404 Not Found"))
