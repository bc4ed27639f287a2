"""`mirror`: copies of requests, whose answers nobody waits for."""

from casebook import case, configurations
from upstream import answer, hang_up, pieces

MIRRORED = r"""
default_type text/plain;
log_format sub '$request_method $uri $status $request_uri';
access_log %DIR%/judge.access sub;
server {
    listen 127.0.0.1:%PORT%; server_name example.org; client_max_body_size 10m;
    location / { mirror /copy; proxy_pass http://%A%; }
    location /twice { mirror /copy; mirror /other; proxy_pass http://%A%; }
    location /local { mirror /copy; try_files /none @local; }
    location @local { mirror off; return 200 "local $request_method"; }
    location /without { mirror /bare; mirror_request_body off; proxy_pass http://%A%; }
    location /chunks { mirror /plain; proxy_pass http://%A%; }
    location = /plain { internal; proxy_pass http://%B%; }
    location /off { mirror off; proxy_pass http://%A%; }
    location /dead { mirror /nobody; proxy_pass http://%A%; }
    location /return { mirror /copy; return 200 "before mirror"; }
    location /logged { log_subrequest on; mirror /logged-copy; proxy_pass http://%A%; }
    location = /copy { internal; proxy_set_header X-Seen "$uri $args $request_uri $request_method"; proxy_pass http://%B%$request_uri; }
    location = /other { internal; proxy_pass http://%C%/other$is_args$args; }
    location = /bare { internal; proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_pass http://%B%; }
    location = /nobody { internal; proxy_pass http://127.0.0.1:1; }
    location = /logged-copy { internal; access_log %DIR%/copy.access sub; log_subrequest on; mirror /other; proxy_pass http://%B%; }
}
"""


def seen(t, number):
    """Waits until so many requests have reached the servers, in an order that is the same each time."""
    t.eventually(f"{number} requests seen", lambda: t.seen() >= number)
    t._records.sort(key=lambda one: one[0])


def play(name, target, number, *fields, **more):
    def script(t):
        t.get(target, "example.org", *fields, **more)
        seen(t, number)
    case(MIRRORED, name)(script)


play("a copy", "/x?y=z", 2, "Cookie: a=b")
play("a copy with a body", "/x", 2, "Content-Type: text/x-mine", method="POST", body=b"xyz")
play("a copy with a large body", "/x", 2, method="PUT", body=b"0123456789" * 50000)
play("HEAD", "/x", 2, method="HEAD")
play("DELETE", "/x?a", 2, method="DELETE")
play("two copies", "/twice?a=b", 3, method="POST", body=b"xyz")
play("without the body", "/without", 2, method="POST", body=b"xyz")
play("off", "/off", 1)
play("a server that is dead", "/dead", 1, method="POST", body=b"xyz")
play("behind try_files, in the place of which another location answers", "/local", 0)
play("return stands before it", "/return", 0)
play("in the log", "/logged", 2)
play("a copy for HTTP/1.0", "/x", 2, version="1.0")


@case(MIRRORED)
def a_body_in_chunks(t):
    t.raw(b"POST /chunks HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", method="POST")
    seen(t, 2)


@case(MIRRORED)
def an_answer_that_is_ignored(t):
    t.b.behave = answer("x" * 100000, "500 No", "X-From: copy")
    t.get("/x")
    t.b.behave = hang_up
    t.get("/x")
    seen(t, 4)


@case(MIRRORED)
def a_slow_copy_keeps_no_answer_back(t):
    t.b.behave = pieces(0.5, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    t.get("/x", method="POST", body=b"xyz")
    seen(t, 2)


configurations("mirror", [
    ("off and on", "server { mirror off; mirror /a; }"),
    ("on and off", "server { mirror /a; mirror off; }"),
    ("several", "server { mirror /a; mirror /b; mirror_request_body off; }"),
    ("no argument", "server { mirror; }"),
    ("in if", "server { location / { if ($host) { mirror /a; } } }"),
])
