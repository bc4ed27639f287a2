"""`X-Accel-Redirect` and intercepted answers: which location answers, and what is kept of the server's answer."""

from casebook import CASES, Case
from upstream import answer

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
