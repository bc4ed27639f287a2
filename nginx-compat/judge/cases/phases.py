"""The order of things: programs and `limit_except`, groups of expressions that do not match, conditions, `$status`."""

from casebook import case, requests
from upstream import raw

PHASES = """
server {
    listen 127.0.0.1:%PORT%; server_name example.org;
    location ~ ^/groups/(.*)$ { if ($host ~ ^/old/(.*)$) { } return 200 "$1|"; }
    location ~ ^/negated/(.*)$ { if ($host !~* index) { } return 200 "$1|"; }
    location ~ ^/rewrite/(?<kept>.*)$ { rewrite ^/none / last; return 200 "$1|$kept"; }
    location ~ ^/passed/(.*)$ { if ($host ~ ^/old/(.*)$) { } proxy_pass http://%A%/$1?x=1; }
    location ~ ^/spaced/(.*)$ { proxy_pass http://%A%/$1; }
    location /limited { limit_except GET { } set $x 1; if ($x) { return 404 "x"; } }
    location /allowed { limit_except POST { allow all; } return 301 /elsewhere; }
    location /tried { limit_except POST { } try_files /none =418; }
    location /denied { limit_except POST { deny all; } return 200 "x"; }
    location /proxied { limit_except POST { allow all; } return 200 "x"; proxy_pass http://%A%; }
    location /internal/ { internal; proxy_pass http://%A%; }
    location /status/text { return 201 "$status"; }
    location /status/redirect { return 302 http://other.example/$status; }
    location /status/page { error_page 404 /status/of; return 404; }
    location /status/of { return 200 "$status"; }
    location /text { return 200 "x"; }
    location /text/page { error_page 412 /status/of; return 200 "x"; }
    location /created { return 201 "x"; }
    location /empty { add_header X-Type "$sent_http_content_type|"; return 204; }
    location /types { default_type ""; types { } return 200 "x"; }
    location /two-hosts { proxy_set_header Host h; proxy_set_header Host other; proxy_pass http://%A%; }
    location /one-of-two { proxy_set_header Host ""; proxy_set_header Host other; proxy_pass http://%A%; }
    error_page 401 =200 /given/page;
    location /given { proxy_pass http://%A%; }
    location /given/error { return 401; }
}
server {
    listen 127.0.0.1:%PORT2% default_server; server_name first;
    add_header X-Server first always;
}
server {
    listen 127.0.0.1:%PORT2%; server_name second;
    add_header X-Server second always; charset utf-8;
    return 200 "second";
}
"""

NEVER = "Thu, 01 Jan 2015 00:00:00 GMT"

requests("phases", PHASES, [
    ("an if that does not match leaves no groups", "/groups/a"),
    ("an if that must not match leaves no groups", "/negated/a"),
    ("a rewrite that does not match leaves the named groups", "/rewrite/a"),
    ("no group for a server", "/passed/a"),
    ("a space in a group for a server", "/spaced/a%20b"),
    ("a number sign in a group for a server", "/spaced/a%23b/c"),
    ("limit_except has no return, GET", "/allowed"),
    ("limit_except has no return, PUT", "/limited", {"method": "PUT"}),
    ("limit_except leaves the return to its methods", "/limited"),
    ("limit_except has no try_files", "/tried"),
    ("limit_except denies before a return", "/denied"),
    ("limit_except has the proxy_pass", "/proxied"),
    ("an internal location has no redirect to its slash", "/internal"),
    ("the status of a text", "/status/text"),
    ("the status of a redirect", "/status/redirect"),
    ("the status of an error page", "/status/page"),
    ("a text for no tag", "/text", "example.org", "If-None-Match: *"),
    ("a text for another tag", "/text", "example.org", 'If-None-Match: "x"'),
    ("a text changed since", "/text", "example.org", f"If-Modified-Since: {NEVER}"),
    ("a text of another status", "/created", "example.org", "If-None-Match: *"),
    ("the type of an answer without content", "/empty"),
    ("an empty type", "/types"),
    ("two hosts", "/two-hosts"),
    ("a host that is empty and another", "/one-of-two"),
    ("a host that makes sense", "/", "second", {"port": "PORT2"}),
    ("a path that makes no sense", "/..", "second", {"port": "PORT2"}),
    ("a tag for a text", "/text", "example.org", 'If-Match: "x"'),
    ("a text unchanged since", "/text", "example.org", f"If-Unmodified-Since: {NEVER}"),
    ("a page for a text that is refused", "/text/page", "example.org", 'If-Match: "x"'),
])


@case(PHASES)
def a_304_that_becomes_a_200(t):
    t.a.behave = raw(b"HTTP/1.1 304 Not Modified\r\n\r\n")
    t.get("/given/error")
    t.get("/given/error", "example.org", method="HEAD")
