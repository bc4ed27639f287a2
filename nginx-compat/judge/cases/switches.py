"""Small switches: names of fields, slashes, redirects, chunks."""

from casebook import case, configurations, requests
from upstream import raw

NAMES = """
server {
    listen 127.0.0.1:%PORT%;
    underscores_in_headers on;
    location / { proxy_pass http://%A%; }
}
server {
    listen 127.0.0.1:%PORT2%;
    ignore_invalid_headers off;
    location / { proxy_pass http://%A%; }
}
"""

FIELDS = ("X_Under: 1", "X.Dot: 2", "X-Plain: 3", "X!~: 4", "_Lead: 5")

requests("switches", NAMES, [
    ("underscores_in_headers on", "/", "example.org", *FIELDS),
    ("ignore_invalid_headers off", "/", "example.org", *FIELDS, {"port": "PORT2"}),
])

requests("switches", """
server { listen 127.0.0.1:%PORT%; underscores_in_headers on; ignore_invalid_headers off; server_name default;
    location / { proxy_pass http://%A%; } }
server { listen 127.0.0.1:%PORT%; server_name other; location / { proxy_pass http://%A%; } }
server { listen 127.0.0.1:%PORT2%; max_headers 3; location / { return 200 "ok"; } }
""", [
    ("names are those of the server that Host names", "/", "other", *FIELDS),
    ("max_headers, as many", "/", "example.org", "X-1: 1", "X-2: 2", {"port": "PORT2"}),
    ("max_headers, one more", "/", "example.org", "X-1: 1", "X-2: 2", "X-3: 3", {"port": "PORT2"}),
])

SLASHES = """
server { listen 127.0.0.1:%PORT%; merge_slashes off;
    location / { return 200 "root $uri"; }
    location /a/ { return 200 "a $uri"; }
    location //a/ { return 200 "empty, a $uri"; }
    location /to/ { proxy_pass http://%A%/x/; }
}
server { listen 127.0.0.1:%PORT2%; location / { return 200 "root $uri"; } location /a/ { return 200 "a $uri"; } }
"""

requests("switches", SLASHES, [
    *((f"merge_slashes off {path}", path) for path in (
        "/a/b", "//a/b", "/a//b", "/a///", "/a%2F%2fb", "//a/./b", "/a//../b", "/a/..//a/b", "//..", "/to//y//z", "/../")),
    *((f"merge_slashes on {path}", path, {"port": "PORT2"}) for path in ("//a//b", "/a%2F%2fb", "/a//../b")),
])

REDIRECTS = """
server { listen 127.0.0.1:%PORT%; server_name first.example second.example;
    location /default { return 301 /x; }
    location /relative { absolute_redirect off; return 301 /x; }
    location /relative-host { absolute_redirect off; return 301 http://other.example/x; }
    location /no-port { port_in_redirect off; return 302 /x?a=b; }
    location /named { server_name_in_redirect on; return 307 /x; }
    location /named-no-port { server_name_in_redirect on; port_in_redirect off; return 308 /x; }
    location /proxied { proxy_pass http://%A%/; absolute_redirect off; }
    location /proxied-named { proxy_pass http://%A%/; server_name_in_redirect on; }
}
server { listen 127.0.0.1:%PORT2%; server_name_in_redirect on; return 301 /x; }
"""

requests("switches", REDIRECTS, [
    *((f"redirect {path}", f"/{path}", "second.example:81") for path in (
        "default", "relative", "relative-host", "no-port", "named", "named-no-port")),
    ("redirect relative, no Host", "/relative", None, {"version": "1.0"}),
    ("redirect named, no Host", "/named", None, {"version": "1.0"}),
    ("redirect named without a name", "/", "shown.example", {"port": "PORT2"}),
])


@case(REDIRECTS)
def a_server_redirects_to_itself(t):
    t.a.behave = raw(
        f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{t.a.address[1]}/y\r\nContent-Length: 0\r\n\r\n".encode())
    t.get("/proxied", "second.example")
    t.get("/proxied-named", "second.example")


CHUNKS = """
server { listen 127.0.0.1:%PORT%; chunked_transfer_encoding off; location / { proxy_pass http://%A%; } }
server { listen 127.0.0.1:%PORT2%; location / { proxy_pass http://%A%; } }
"""


@case(CHUNKS)
def chunked_transfer_encoding_off(t):
    t.a.behave = raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    t.get("/")
    t.get("/", version="1.0")
    t.get("/", port="PORT2")


@case(CHUNKS)
def chunked_transfer_encoding_off_with_a_length(t):
    t.a.behave = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    t.get("/")
    t.get("/", method="HEAD")


SERVER = "server {{ listen 127.0.0.1:%PORT%; {} }}"

configurations("switches", [
    ("invalid merge_slashes", SERVER.format("merge_slashes perhaps;")),
    ("merge_slashes in a location", SERVER.format("location / { merge_slashes off; }")),
    ("underscores_in_headers in a location", SERVER.format("location / { underscores_in_headers on; }")),
    ("settings of other protocols", "fastcgi_read_timeout 5m; " + SERVER.format(
        "fastcgi_param SCRIPT_NAME x; uwsgi_read_timeout 1m; scgi_param A b; memcached_read_timeout 1s;")),
    ("fastcgi_param in main", "#main\nfastcgi_param A b;\nevents { }\n"),
])
