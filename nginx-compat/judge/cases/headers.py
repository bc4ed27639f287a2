"""Fields on their way to the upstream server, and back to the client."""

from casebook import case, requests
from upstream import answer, raw

PLAIN = "server { listen 127.0.0.1:%PORT%; location / { proxy_pass http://%A%; } }"

requests("headers", PLAIN, [
    ("defaults to the upstream", "/", "example.org:81", "User-Agent: judge", "Accept: */*"),
    ("names in any case", "/", "example.org", "x-LOWER-upper: 1", "COOKIE: a=b"),
    ("repeated fields", "/", "example.org", "X-One: 1", "X-Two: 2", "X-One: 3", "Cookie: a=1", "Cookie: b=2"),
    ("hop-by-hop fields", "/", "example.org", "Connection: keep-alive", "Keep-Alive: timeout=5", "TE: trailers",
     "Proxy-Connection: keep-alive", "Trailer: X-T"),
    ("fields that Connection names", "/", "example.org", "Connection: close, X-Private", "X-Private: 1"),
    ("upgrade goes no further by default", "/", "example.org", "Connection: Upgrade", "Upgrade: websocket"),
    ("underscore in a name", "/", "example.org", "X_Under: 1", "X-Plain: 2"),
    ("odd but legal names", "/", "example.org", "X.Dot: 1", "X!~: 2", "1x: 3"),
    ("empty value", "/", "example.org", "X-Empty:", "X-Blank:   "),
    ("eight-bit value", "/", "example.org", "X-Eight: \xe4\xf6"),
    ("spaces around a value", "/", "example.org", "X-Space:    a  b   "),
    ("range and conditions pass", "/", "example.org", "Range: bytes=0-1", "If-None-Match: \"x\"",
     "If-Modified-Since: Mon, 01 Jan 2024 00:00:00 GMT", "Accept-Encoding: gzip"),
    ("authorization and referer pass", "/", "example.org", "Authorization: Basic YTpi", "Referer: http://x/"),
    ("post", "/", "example.org", "Content-Type: text/plain", {"method": "POST", "body": b"hello"}),
    ("put with an empty body", "/", "example.org", "Content-Length: 0", {"method": "PUT"}),
    ("delete", "/", {"method": "DELETE"}),
    ("unknown method", "/", {"method": "PURGE"}),
])

SET = """
proxy_set_header X-Level http;
proxy_set_header X-Http only;
server {
    listen 127.0.0.1:%PORT%; server_name first.example;
    location / { proxy_pass http://%A%; }
    location /own { proxy_pass http://%A%; proxy_set_header X-Level location; }
    location /host { proxy_pass http://%A%; proxy_set_header Host $host; }
    location /http-host { proxy_pass http://%A%; proxy_set_header Host $http_host; }
    location /fixed-host { proxy_pass http://%A%; proxy_set_header Host fixed.example; }
    location /drop { proxy_pass http://%A%; proxy_set_header Accept-Encoding ""; proxy_set_header X-None $arg_none; }
    location /forwarded {
        proxy_pass http://%A%;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Request "$request_method $request_uri $server_protocol $server_port";
    }
    location /replace { proxy_pass http://%A%; proxy_set_header User-Agent "judge $http_user_agent"; }
    location /twice { proxy_pass http://%A%; proxy_set_header X-A 1; proxy_set_header X-A 2; }
    location /case { proxy_pass http://%A%; proxy_set_header x-MiXed $host; }
    location /keep { proxy_pass http://%A%; proxy_http_version 1.1; proxy_set_header Connection ""; }
    location /old { proxy_pass http://%A%; proxy_http_version 1.0; }
    location /braces { proxy_pass http://%A%; proxy_set_header X-B "${host}x$http_x"; }
}
server {
    listen 127.0.0.1:%PORT%; server_name second.example;
    proxy_set_header X-Server second;
    location / { proxy_pass http://%A%; }
}
"""

requests("headers", SET, [
    ("set at http level", "/", "first.example"),
    ("set at server level replaces http's", "/", "second.example"),
    ("set in a location replaces all", "/own", "first.example"),
    ("Host from the request's name", "/host", "FIRST.example:81"),
    ("Host as sent", "/http-host", "FIRST.example:81"),
    ("Host of no request", "/http-host", None, {"version": "1.0"}),
    ("host of no request", "/host", None, {"version": "1.0"}),
    ("fixed Host", "/fixed-host", "first.example"),
    ("empty values drop the field", "/drop", "first.example", "Accept-Encoding: gzip", "X-None: 1"),
    ("forwarded", "/forwarded?a=b", "first.example"),
    ("forwarded once more", "/forwarded", "first.example", "X-Forwarded-For: 192.0.2.1", "X-Real-IP: 192.0.2.1"),
    ("forwarded, several fields", "/forwarded", "first.example", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.2"),
    ("a client's field is replaced", "/replace", "first.example", "User-Agent: curl"),
    ("set twice", "/twice", "first.example", "X-A: client"),
    ("a name's case", "/case", "first.example"),
    ("keep-alive to the upstream", "/keep", "first.example"),
    ("HTTP 1.0 to the upstream when asked for", "/old", "first.example"),
    ("braces around a variable", "/braces", "first.example", "X: y"),
])

ADD = """
add_header X-Http http;
server {
    listen 127.0.0.1:%PORT%;
    location / { return 200 "ok"; }
    location /own { add_header X-Own $request_method; return 200 "ok"; }
    location /404 { add_header X-Not no; add_header X-Always yes always; return 404; }
    location /500 { add_header X-Not no; add_header X-Always yes always; return 500 "oh"; }
    location /204 { add_header X-Some yes; return 204; }
    location /302 { add_header X-Some yes; return 302 /there; }
    location /empty { add_header X-Empty ""; add_header X-Unset $arg_none; return 200 "ok"; }
    location /twice { add_header X-Two 1; add_header X-Two 2; return 200 "ok"; }
    location /proxied { proxy_pass http://%A%; add_header X-Status $upstream_status; add_header X-From $upstream_http_x_from; }
    location /clash { proxy_pass http://%A%; add_header X-From judge; }
    location /type { add_header Content-Language de; return 200 "ok"; }
    location /last-modified { add_header Last-Modified "Mon, 01 Jan 2024 00:00:00 GMT"; return 200 "ok"; }
    location /cache { add_header Cache-Control "no-store" always; return 403; }
    location /unknown { proxy_pass http://%DEAD%; add_header X-Not no; add_header X-Always $status always; }
}
"""

requests("headers", ADD, [
    ("add_header is inherited", "/"),
    ("add_header replaces what is inherited", "/own"),
    ("add_header on 404", "/404"),
    ("add_header on 500", "/500"),
    ("add_header on 204", "/204"),
    ("add_header on 302", "/302"),
    ("add_header with nothing to say", "/empty"),
    ("add_header twice", "/twice"),
    ("add_header of a known field", "/type"),
    ("add_header Last-Modified", "/last-modified"),
    ("add_header Cache-Control", "/cache"),
    ("add_header on a failed upstream", "/unknown"),
])


@case(ADD)
def add_header_to_a_proxied_answer(t):
    t.a.behave = answer("hi", "200 OK", "X-From: upstream")
    t.get("/proxied")
    t.get("/clash")
    for status in ("201 Created", "206 Partial Content", "304 Not Modified", "400 Bad Request", "418 Teapot"):
        t.a.behave = answer("", status, "X-From: upstream")
        t.get("/clash")


RESPONSE = """
server {
    listen 127.0.0.1:%PORT%;
    location / { proxy_pass http://%A%; }
    location /hide { proxy_pass http://%A%; proxy_hide_header X-Secret; proxy_hide_header Set-Cookie; }
    location /pass { proxy_pass http://%A%; proxy_pass_header Server; proxy_pass_header Date; proxy_pass_header X-Pad; }
}
server {
    listen 127.0.0.1:%PORT2%;
    proxy_hide_header X-Secret;
    location / { proxy_pass http://%A%; }
    location /own { proxy_pass http://%A%; proxy_hide_header X-Other; }
}
"""
FIELDS = ("Server: up/9", "Date: Mon, 01 Jan 2024 00:00:00 GMT", "X-Secret: 1", "X-Other: 2", "Set-Cookie: a=1; Path=/",
          "Set-Cookie: b=2", "X-Powered-By: tests", "X-Pad: pad", "X-Accel-Buffering: no", "X-Accel-Expires: 0",
          "X-Accel-Charset: utf-8", "ETag: \"e\"", "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT", "Vary: Accept",
          "Cache-Control: max-age=1", "Expires: Thu, 01 Jan 1970 00:00:00 GMT", "Content-Language: en", "Via: 1.1 up",
          "Content-Type: text/plain; charset=utf-8", "Content-Disposition: inline", "Accept-Ranges: bytes", "Age: 3")


@case(RESPONSE)
def fields_of_an_answer(t):
    t.a.behave = answer("hello", "200 OK", *FIELDS)
    t.get("/")


@case(RESPONSE)
def proxy_hide_header(t):
    t.a.behave = answer("hello", "200 OK", *FIELDS)
    t.get("/hide")
    t.get("/", port="PORT2")
    t.get("/own", port="PORT2")


@case(RESPONSE)
def proxy_pass_header(t):
    t.a.behave = answer("hello", "200 OK", *FIELDS)
    t.get("/pass")


@case(RESPONSE)
def hop_by_hop_fields_of_an_answer(t):
    t.a.behave = answer("hello", "200 OK", "Connection: close, X-Hop", "X-Hop: 1", "Keep-Alive: timeout=3",
                        "Proxy-Connection: close", "Trailer: X-T", "Upgrade: h2c")
    t.get("/")


@case(RESPONSE)
def names_of_an_answer_keep_their_case(t):
    t.a.behave = answer("hello", "200 OK", "X-MiXeD-cAsE: 1", "x-lower: 2")
    connection = t.connect()
    connection.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    answer_bytes = b""
    while data := connection.receive():
        answer_bytes += data
    t.note(*sorted(line for line in answer_bytes.decode().split("\r\n") if line.lower().startswith("x-")))


@case("""
server { listen 127.0.0.1:%PORT%;
    location /one/ { proxy_pass http://%A%/two/; }
    location / { proxy_pass http://%A%; }
}""")
def a_redirect_from_the_upstream_is_brought_home(t):
    for target, location in (("/one/x", f"http://127.0.0.1:{t.a.address[1]}/two/y"), ("/x", f"http://127.0.0.1:{t.a.address[1]}/y"),
                             ("/x", "http://elsewhere.example/y"), ("/x", "/relative"), ("/one/x", "/two/relative")):
        t.a.behave = answer("", "302 Found", f"Location: {location}")
        t.get(target)


@case("server { listen 127.0.0.1:%PORT%; server_tokens off; location / { proxy_pass http://%A%; } location /404 { return 404; } }")
def server_tokens_off(t):
    t.get("/")
    t.get("/404")


@case("server { listen 127.0.0.1:%PORT%; keepalive_timeout 5s 10s; location / { proxy_pass http://%A%; } location /r { return 200; } }")
def keepalive_timeout_told_to_the_client(t):
    t.get("/")
    t.get("/r")
    t.get("/r", "h", "Connection: close")


@case(PLAIN)
def a_field_without_a_space(t):
    t.a.behave = raw(b"HTTP/1.1 200 OK\r\nContent-Length:2\r\nX-Tight:1\r\nX-Wide:    2   \r\nX-Empty:\r\n\r\nhi")
    t.get("/")
