"""`auth_request`: another location says whether a request may come in."""

from casebook import case, configurations, requests
from http2 import Http2, request
from upstream import answer, hang_up, stall

GUARDED = r"""
default_type text/plain;
upstream auth { server %B%; keepalive 4; }
map $http_x_map $mapped { default "none"; yes "mapped"; }
log_format sub '$request_method $uri $status $request_uri';
access_log %DIR%/judge.access sub;
server {
    listen 127.0.0.1:%PORT%; server_name example.org;
    auth_request /auth;
    auth_request_set $user $upstream_http_x_user;
    auth_request_set $code $upstream_status;
    auth_request_set $cookie $upstream_http_set_cookie;
    location / {
        proxy_set_header X-User $user; proxy_set_header X-Code $code;
        add_header Set-Cookie $cookie; add_header X-Seen "$user $code" always;
        proxy_pass http://%A%;
    }
    location = /auth {
        internal;
        proxy_pass http://auth/validate;
        proxy_pass_request_body off; proxy_set_header Content-Length "";
        proxy_set_header X-Original-URI $request_uri; proxy_set_header X-Original-Method $request_method;
        proxy_set_header X-Seen "$uri|$args|$request|$host|$remote_addr|$server_protocol|$content_length|$http_x_map";
    }
    location /open { auth_request off; return 200 open; }
    location /own { auth_request /own-auth; return 200 "never behind return"; }
    location /own-file { auth_request /own-auth; try_files /none @own; }
    location @own { proxy_pass http://%A%; }
    location /own-auth { return 204; }
    location /page { error_page 401 =200 @login; error_page 403 /denied; error_page 500 = @broken; proxy_pass http://%A%; }
    location @login { auth_request off; return 302 "/login?back=$request_uri"; }
    location /denied { auth_request off; return 403 "denied $uri"; }
    location @broken { auth_request off; return 503 "broken $code"; }
    location /text { auth_request off; auth_request /text-auth; proxy_pass http://%A%; }
}
""".replace("    location /text { auth_request off; auth_request /text-auth; proxy_pass http://%A%; }\n", "")


def as_told(request, connection):
    """Answers with the status that the request names, as an authenticating service would."""
    status = request.field("x-status") or "200 OK"
    fields = ["X-User: somebody", "Set-Cookie: session=new"]
    if status.startswith("401"):
        fields += ['WWW-Authenticate: Bearer realm="a"', 'WWW-Authenticate: Basic realm="b"']
    return answer("said", status, *fields)(request, connection)


@case(GUARDED)
def statuses(t):
    t.b.behave = as_told
    for status in ("200 OK", "204 No Content", "299 Fine", "401 Unauthorized", "403 Forbidden", "302 Found",
                   "404 Not Found", "500 Internal Server Error", "503 Service Unavailable"):
        t.get("/app/x?y=z", "example.org", f"X-Status: {status}", "Cookie: a=b", "X-Map: yes")


@case(GUARDED)
def methods_and_bodies(t):
    t.b.behave = as_told
    for method, body in (("HEAD", b""), ("POST", b"xyz"), ("PUT", b"x" * 100000), ("DELETE", b""), ("OPTIONS", b"")):
        t.get("/app?q=%20", "example.org", "Content-Type: text/x-mine", method=method, body=body)
    t.get("/app", "example.org", "X-Status: 401 No", method="POST", body=b"xyz")
    t.get("/app", "example.org", "X-Status: 403 No", method="POST", body=b"xyz")


@case(GUARDED)
def the_connection_goes_on(t):
    t.b.behave = as_told
    connection = t.connect()
    for status, body in (("200 OK", b"abc"), ("401 No", b"abc"), ("200 OK", b""), ("403 No", b""), ("204 No Content", b"")):
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        connection.send(f"POST /x HTTP/1.1\r\nHost: example.org\r\nX-Status: {status}\r\n{length}\r\n".encode() + body)
        connection.read("POST")


@case(GUARDED)
def a_client_that_waits_for_100(t):
    t.b.behave = as_told
    connection = t.connect()
    connection.send(b"POST /x HTTP/1.1\r\nHost: example.org\r\nX-Status: 403 No\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    connection.read("POST")


@case(GUARDED)
def pages(t):
    t.b.behave = as_told
    for status in ("200 OK", "401 No", "403 No", "404 No"):
        t.get("/page/x?y", "example.org", f"X-Status: {status}")


@case(GUARDED)
def other_locations(t):
    t.b.behave = as_told
    for target in ("/open", "/own", "/own-file", "/auth", "/own-auth"):
        t.get(target, "example.org", "X-Status: 403 No")


@case(GUARDED)
def a_dead_service(t):
    t.b.stop()
    t.get("/x")
    t.get("/page")


@case(GUARDED)
def a_service_that_hangs_up(t):
    t.b.behave = hang_up
    t.get("/x")


@case(GUARDED.replace("location = /auth {", "location = /auth { proxy_read_timeout 300ms;"))
def a_service_that_is_silent(t):
    t.b.behave = stall
    t.get("/x")


@case(GUARDED)
def fields_of_the_answer(t):
    t.b.behave = answer("x" * 3000, "200 OK", "X-User: a", "X-User: b", "Set-Cookie: a=1", "Set-Cookie: b=2")
    t.get("/x")
    t.b.behave = answer("", "401 No", "WWW-Authenticate: Negotiate")
    t.get("/x", method="HEAD")


@case(GUARDED.replace("access_log %DIR%/judge.access sub;", "access_log %DIR%/judge.access sub; log_subrequest on;"))
def lines_in_the_log(t):
    t.b.behave = as_told
    t.get("/x?y", "example.org", method="POST", body=b"xyz")
    t.get("/x?y", "example.org", "X-Status: 401 No")
    t.get("/own")


PARTS = r"""
default_type text/plain;
server {
    listen 127.0.0.1:%PORT%; server_name example.org;
    set $shared "from the server";
    root %DIR%;
    location /allowed { auth_request /yes; proxy_pass http://%A%; }
    location = /yes { return 200; }
    location /text { auth_request /text-yes; proxy_pass http://%A%; }
    location = /text-yes { return 200 "a long text"; }
    location /refused { auth_request /no; proxy_pass http://%A%; }
    location = /no { return 403; }
    location /unknown { auth_request /who; proxy_pass http://%A%; }
    location = /who { return 401; }
    location /challenged { auth_request /challenge; proxy_pass http://%A%; }
    location = /challenge { add_header WWW-Authenticate "Basic realm=here" always; return 401; }
    location /silent { auth_request /hush; proxy_pass http://%A%; }
    location = /hush { return 444; }
    location /empty { auth_request /nothing-there; proxy_pass http://%A%; }
    location = /nothing-there { }
    location /file { auth_request /present.txt; proxy_pass http://%A%; }
    location = /present.txt { }
    location /set { auth_request /sets; auth_request_set $sent $sent_http_x_sent; auth_request_set $where $uri;
        auth_request_set $status_seen $status; add_header X-All "$shared $sent $where $status_seen $sets" always;
        proxy_pass http://%A%; }
    location = /sets { set $shared "from the subrequest"; set $sets 1; add_header X-Sent here; return 204; }
    location /args { auth_request /sets; auth_request_set $args "a=b"; proxy_pass http://%A%; }
    location /query { auth_request /with?query; proxy_pass http://%A%; }
    location /with { return 200; }
    location = /with { return 403; }
    location /variable { auth_request /$host; proxy_pass http://%A%; }
    location = /$host { return 204; }
    location /rewritten { auth_request /rewrites; proxy_pass http://%A%; }
    location = /rewrites { rewrite ^ /yes last; }
    location /in-page { auth_request /paged; proxy_pass http://%A%; }
    location = /paged { error_page 404 =204 /yes; return 404; }
    location /deny-inside { auth_request /denied; proxy_pass http://%A%; }
    location = /denied { deny all; return 204; }
    location /nested { auth_request /asks; proxy_pass http://%A%; }
    location = /asks { auth_request /no; return 204; }
    location /named { auth_request /goes-on; proxy_pass http://%A%; }
    location = /goes-on { try_files /none @there; }
    location @there { return 204; }
    location /large { auth_request /small; client_max_body_size 100; proxy_pass http://%A%; }
    location = /small { client_max_body_size 2; return 204; }
    location /limited { auth_request /limits; proxy_pass http://%A%; }
    location = /limits { limit_except GET { deny all; } return 204; }
    location /accel { auth_request /asks-accel; proxy_pass http://%A%; }
    location = /asks-accel { proxy_pass http://%B%; }
    location /moved { proxy_pass http://%B%; }
    location /inner { internal; auth_request /no; proxy_pass http://%A%; }
    location /open-inner { internal; auth_request /yes; proxy_pass http://%A%; }
    location /if { auth_request /if-auth; proxy_pass http://%A%; }
    location = /if-auth { if ($http_x_token = "") { return 401; } if ($request_method = POST) { return 403; } return 204; }
    location /return-first { auth_request /no; return 200 "returned"; }
    location /tries { auth_request /two; auth_request_set $tried $upstream_addr; auth_request_set $tried_status $upstream_status;
        add_header X-Tried $tried_status always; proxy_pass http://%A%; }
    location = /two { proxy_pass http://two; proxy_next_upstream error timeout http_503; }
}
upstream two { server %C%; server %D% backup; }
"""

requests("auth_request", PARTS, [
    *((f"by a location of the program, {path}", path) for path in (
        "/allowed", "/text", "/refused", "/unknown", "/challenged", "/silent", "/empty", "/set", "/args?x=y", "/query",
        "/variable", "/rewritten", "/in-page", "/deny-inside", "/nested", "/named", "/if", "/return-first", "/file")),
    ("a body beyond the limit of the asked location", "/large", {"method": "POST", "body": b"xyz"}),
    ("a method that the asked location refuses", "/limited", {"method": "POST", "body": b"xyz"}),
    ("conditions are about the answer to the client", "/text", "example.org", "If-None-Match: x",
     "If-Unmodified-Since: Mon, 05 Jan 1990 03:04:05 GMT", "Range: bytes=0-1"),
    ("the method is told", "/if", "example.org", "X-Token: x", {"method": "POST", "body": b"xyz"}),
    ("a token is seen", "/if", "example.org", "X-Token: x"),
    ("HTTP/1.0", "/allowed", {"version": "1.0"}),
])


@case(PARTS)
def a_body_in_chunks_goes_on(t):
    t.raw(b"POST /allowed HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", method="POST")


@case(PARTS)
def another_location_asks_again(t):
    for target in ("/inner", "/open-inner"):
        t.b.behave = answer("", "200 OK", f"X-Accel-Redirect: {target}")
        t.get("/moved", "example.org", "Cookie: a=b", method="POST", body=b"xyz")


@case(PARTS)
def an_asked_server_may_send_elsewhere(t):
    t.b.behave = answer("", "403 No", "X-Accel-Redirect: /yes")
    t.get("/accel")
    t.b.behave = answer("", "200 OK", "X-Accel-Redirect: /no")
    t.get("/accel")


@case(PARTS)
def another_server_is_asked(t):
    t.c.behave = answer("", "503 No")
    t.get("/tries")
    t.c.stop()
    t.get("/tries")
    t.d.stop()
    t.get("/tries")


LIMITED = r"""
limit_req_zone $host zone=all:1m rate=1r/m; limit_req_zone $host zone=asked:1m rate=1r/m;
server {
    listen 127.0.0.1:%PORT%; server_name example.org;
    auth_request /yes;
    location = /yes { limit_req zone=asked burst=1 nodelay; return 204; }
    location /counted { limit_req zone=all burst=3 nodelay; proxy_pass http://%A%; }
    location /asked { proxy_pass http://%A%; }
    location /any { satisfy any; deny all; proxy_pass http://%A%; }
    location /any-refused { satisfy any; deny all; auth_request /no; proxy_pass http://%A%; }
    location = /no { return 401; }
}
"""


@case(LIMITED)
def limits(t):
    for _ in range(3):
        t.get("/counted")
    for _ in range(3):
        t.get("/asked")


@case(LIMITED)
def any_of_several(t):
    t.get("/any")
    t.get("/any-refused")


configurations("auth_request", [
    ("no argument", "server { auth_request; }"),
    ("twice", "server { auth_request /a; auth_request /b; }"),
    ("off and then on", "server { auth_request off; auth_request /b; }"),
    ("in if", "server { location / { if ($host) { auth_request /a; } } }"),
    ("set without a dollar", "server { auth_request_set user x; }"),
    ("set of a variable of nginx's", "server { auth_request_set $uri x; }"),
    ("in http", "auth_request /a; auth_request_set $a $upstream_status; server { return 200 $a; }"),
])


@case(GUARDED.replace("server_name example.org;", "server_name example.org; http2 on;"))
def over_HTTP_2(t):
    t.b.behave = as_told
    connection = Http2(("127.0.0.1", t.port("PORT")), t.note, ())
    t.keep(connection)
    for number, (fields, body) in enumerate((
            (request("/x?y", ("x-status", "200 OK"), ("cookie", "a=b")), ()),
            (request("/x", ("x-status", "401 No")), ()),
            (request("/x", ("x-status", "200 OK"), ("content-length", "6"), method="POST"), (b"abc", b"def")),
            (request("/x", ("x-status", "403 No"), ("content-length", "3"), method="POST"), (b"abc",)))):
        connection.ask(2 * number + 1, fields, *body).read(2 * number + 1)
    connection.close()
