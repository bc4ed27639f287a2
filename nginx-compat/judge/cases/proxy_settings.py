"""The settings of the proxy module: which server is asked next, what requests are made of, what of an answer clients see."""

from casebook import case, configurations, requests
from cases.streaming import HANDSHAKE, echo, talk
from upstream import answer, hang_up, raw, stall

# proxy_next_upstream.


def group(settings, servers="server %A%; server %B%; server %C%;"):
    """`log` tells every try."""
    return f"""
log_format judge "$status $upstream_addr $upstream_status $request_method";
access_log %DIR%/judge.access judge;
upstream u {{
    #lb: health_check off;
    {servers}
}}
server {{ listen 127.0.0.1:%PORT%;
    location / {{ proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; {settings} }}
}}"""


STATUSES = {
    "http_500": "500 Internal Server Error", "http_502": "502 Bad Gateway", "http_503": "503 Service Unavailable",
    "http_504": "504 Gateway Time-out", "http_403": "403 Forbidden", "http_404": "404 Not Found",
    "http_429": "429 Too Many Requests",
}


def one_status(word, status):
    def play(t):
        t.a.behave = answer("of A", status, "X-From: A")
        for _ in range(5):
            t.get("/")
        # The last one's answer goes to the client.
        t.b.behave = answer("of B", status, "X-From: B")
        t.c.behave = answer("of C", status, "X-From: C")
        t.get("/last")

    case(group(f"proxy_next_upstream {word};", "server %A% max_fails=3; server %B% max_fails=3; server %C% max_fails=3;"),
         f"proxy_next_upstream {word}")(play)


for word, status in STATUSES.items():
    one_status(word, status)


@case(group("proxy_next_upstream http_503;"))
def a_listed_status_takes_its_server_out(t):
    t.a.behave = answer("of A", "503 Service Unavailable")
    for _ in range(5):
        t.get("/")


@case(group("proxy_next_upstream http_404;"))
def a_listed_404_is_no_failure(t):
    t.a.behave = answer("of A", "404 Not Found")
    for _ in range(5):
        t.get("/")


@case(group("proxy_next_upstream error timeout;"))
def a_status_that_is_not_listed_is_passed_on(t):
    t.a.behave = answer("of A", "503 Service Unavailable")
    for _ in range(4):
        t.get("/")


@case(group("proxy_next_upstream http_503 http_500;"))
def a_failure_that_is_not_listed_ends_the_request(t):
    t.a.behave = hang_up
    t.b.behave = answer("of B", "500 Internal Server Error")
    for _ in range(3):
        t.get("/")


@case(group("proxy_next_upstream http_503;"))
def a_listed_status_and_a_post(t):
    t.a.behave = answer("of A", "503 Service Unavailable")
    t.get("/", method="POST", body=b"hello")
    t.get("/", method="PUT", body=b"hello")


@case(group("proxy_next_upstream http_503 non_idempotent;"))
def a_post_goes_on_where_that_is_listed(t):
    t.a.behave = answer("of A", "503 Service Unavailable")
    t.get("/", method="POST", body=b"hello" * 1000)


@case(group("proxy_next_upstream error non_idempotent;"))
def a_post_goes_on_after_an_error(t):
    t.a.behave = hang_up
    t.get("/", method="POST", body=b"hello")


@case(group("proxy_next_upstream invalid_header;"))
def an_invalid_header_is_followed_by_another_server(t):
    t.a.behave = raw(b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", close=True)
    t.get("/")
    t.get("/")


@case(group("proxy_next_upstream http_503; proxy_next_upstream_tries 2;"))
def no_more_tries_than_configured(t):
    t.a.behave = t.b.behave = answer("no", "503 Service Unavailable")
    t.get("/")


@case(group("proxy_next_upstream_tries 2;"))
def no_more_tries_after_failures_than_configured(t):
    t.a.stop()
    t.b.stop()
    t.get("/")


@case(group("proxy_next_upstream_tries 1;"))
def one_try(t):
    t.a.stop()
    t.get("/")
    t.get("/")


@case(group("proxy_next_upstream_timeout 500ms; proxy_read_timeout 1s;"))
def no_try_after_the_time(t):
    t.a.behave = stall
    t.get("/")
    t.get("/")


@case(group("proxy_next_upstream_timeout 10s; proxy_next_upstream http_503;"))
def tries_within_the_time(t):
    t.a.behave = answer("of A", "503 Service Unavailable")
    t.get("/")


@case(group("proxy_next_upstream http_503;", "server %A%;"))
def the_only_server_with_a_listed_status(t):
    t.a.behave = answer("of A", "503 Service Unavailable")
    t.get("/")
    t.get("/")


@case(group("proxy_next_upstream http_503;", "server %A%; server %B%;"))
def all_servers_out_after_listed_statuses(t):
    t.a.behave = t.b.behave = answer("no", "503 Service Unavailable")
    for _ in range(3):
        t.get("/")


# proxy_redirect.

REDIRECT = """
proxy_redirect http://above.example/ /above/;
server { listen 127.0.0.1:%PORT%; server_name s.example;
    location /inherits { proxy_pass http://%A%; }
    location /default/ { proxy_pass http://%A%/up/; proxy_redirect default; }
    location /off { proxy_pass http://%A%/up; proxy_redirect off; }
    location /strings { proxy_pass http://%A%; proxy_redirect http://one.example/ http://$host/1/;
        proxy_redirect http://two.example /2; proxy_redirect / https://three.example/; }
    location /regex { proxy_pass http://%A%; proxy_redirect ~^http://([a-z]+)\\.example(:\\d+)?/(?<rest>.*)$ /$1/$rest?port=$2;
        proxy_redirect ~*^HTTPS://x https://y$request_uri; }
    location /variable { proxy_pass http://%A%; proxy_redirect http://$proxy_host/ /; proxy_redirect http://$http_x/ /x/; }
}"""


def redirected(name, target, header, *fields):
    def play(t):
        own = f"127.0.0.1:{t.a.address[1]}"
        t.a.behave = answer("", "302 Found", header.replace("%A%", own))
        t.get(target, "example.org", *fields)

    case(REDIRECT, f"proxy_redirect {name}")(play)


for name, target, header in [
    ("inherited", "/inherits", "Location: http://above.example/x"),
    ("default", "/default/", "Location: http://%A%/up/x"),
    ("default, another", "/default/", "Location: http://above.example/x"),
    ("off", "/off", "Location: http://above.example/x"),
    ("string", "/strings", "Location: http://one.example/x?y"),
    ("string to a path", "/strings", "Location: http://two.example/x"),
    ("path to a URL", "/strings", "Location: /x"),
    ("no string", "/strings", "Location: HTTP://one.example/x"),
    ("regex", "/regex", "Location: http://abc.example:81/x/y"),
    ("regex with an empty group", "/regex", "Location: http://abc.example/x/y"),
    ("regex without case", "/regex?a=b", "Location: https://X/y"),
    ("no regex", "/regex", "Location: ftp://abc.example/"),
    ("refresh", "/strings", "Refresh: 5; url=http://one.example/x"),
    ("refresh in capitals", "/strings", "Refresh: 5; URL=http://two.example/x"),
    ("refresh without url", "/strings", "Refresh: http://one.example/x"),
    ("refresh by regex", "/regex", "Refresh: 0; url=http://abc.example/x"),
    ("both variables", "/variable", "Location: http://h.example/x"),
]:
    redirected(name, target, header, "X: h.example")


# Cookies.

COOKIES = """
server { listen 127.0.0.1:%PORT%; server_name s.example;
    location /domain { proxy_pass http://%A%; proxy_cookie_domain .up.example $host; proxy_cookie_domain ~\\.up\\.([a-z]+)$ .$1; }
    location /path { proxy_pass http://%A%; proxy_cookie_path ~^/up(/.*)$ $1; proxy_cookie_path ~*^/CASE/ /c/; proxy_cookie_path /two/ /2/; }
    location /flags { proxy_pass http://%A%; proxy_cookie_flags one nosecure httponly samesite=strict;
        proxy_cookie_flags ~^TW secure samesite=lax; proxy_cookie_flags $arg_name nosamesite nohttponly; proxy_cookie_flags none samesite=none $arg_flag; }
    location /off { proxy_pass http://%A%; proxy_cookie_path off; proxy_cookie_domain off; proxy_cookie_flags off; }
    location /all { proxy_pass http://%A%; proxy_cookie_path / /app/; proxy_cookie_domain localhost example.org; proxy_cookie_flags ~ secure; }
}"""


def cookies(name, target, *values):
    def play(t):
        t.a.behave = answer("", "200 OK", *(f"Set-Cookie: {value}" for value in values))
        t.get(target)

    case(COOKIES, f"cookies: {name}")(play)


for name, target, *values in [
    ("domain", "/domain", "a=b; Domain=up.example; Path=/", "c=d;domain=.UP.example"),
    ("domain by regex", "/domain", "a=b; domain=x.up.org", "c=d; Domain=x.UP.net;  Secure"),
    ("other domains", "/domain", "a=b; Domain=x.example", "Domain=up.example"),
    ("path", "/path", "a=b; Path=/two/x", "c=d; path=/up/y; HttpOnly", "e=f; Path=/case/z"),
    ("other paths", "/path", "a=b; Path=/", "path=/two/"),
    ("flags", "/flags", "one=1; Secure; SameSite=Lax", "two=2; secure", "ONE=1; samesite=Strict; httponly", "three=3; Secure"),
    ("flags taken away", "/flags?name=x", "x=1; SameSite=Lax; HttpOnly; Path=/", "y=1; HttpOnly"),
    ("flags by variable", "/flags?flag=httponly", "none=1; Secure", "none=2; samesite=strict"),
    ("flag that is none by variable", "/flags?flag=what", "none=1"),
    ("off", "/off", "a=b; Path=/; Domain=localhost"),
    ("all of them", "/all", "a=b; Path=/x; Domain=localhost", "c", "d=e; expires=Thu, 01 Jan 2030 00:00:00 GMT"),
    ("odd forms", "/all", " a = b ; Path = / ;; Domain=localhost ", "=x; path=/"),
]:
    cookies(name, target, *values)

# What requests are made of.

MADE = """
server { listen 127.0.0.1:%PORT%;
    location /method { proxy_pass http://%A%; proxy_method PUT; }
    location /method-by-variable { proxy_pass http://%A%; proxy_method $arg_m; }
    location /head { proxy_pass http://%A%; proxy_method GET; }
    location /body { proxy_pass http://%A%; proxy_set_body "set by $request_method"; }
    location /empty-body { proxy_pass http://%A%; proxy_set_body $arg_body; }
    location /no-fields { proxy_pass http://%A%; proxy_pass_request_headers off; proxy_set_header X-Own $http_x; }
    location /no-body { proxy_pass http://%A%; proxy_pass_request_body off; proxy_set_header Content-Length ""; }
    location /neither { proxy_pass http://%A%; proxy_pass_request_body off; proxy_pass_request_headers off;
        proxy_set_header Content-Length ""; proxy_method GET; }
    location /names { proxy_pass http://%A%; proxy_set_header X-Real-IP $remote_addr; proxy_set_header x-lower a; proxy_set_header X_Under b; }
    location /bind { proxy_pass http://%A%; proxy_bind 127.0.0.1; }
    location /bind-by-variable { proxy_pass http://%A%; proxy_bind $server_addr; }
    location /bind-nothing { proxy_pass http://%A%; proxy_bind $arg_nothing; }
}"""

requests("proxy_settings", MADE, [
    ("proxy_method", "/method", {"method": "POST", "body": b"hello"}),
    ("proxy_method by variable", "/method-by-variable?m=DELETE"),
    ("proxy_method for HEAD", "/head", {"method": "HEAD"}),
    ("proxy_set_body", "/body", {"method": "POST", "body": b"hello"}),
    ("proxy_set_body of a request without one", "/body"),
    ("proxy_set_body in place of a long one", "/body", {"method": "POST", "body": b"hello" * 20000}),
    ("proxy_set_body by variable", "/empty-body?body=abc", {"method": "PUT", "body": b"hello"}),
    ("proxy_pass_request_headers off", "/no-fields", "example.org", "X: y", "Accept: */*"),
    ("proxy_pass_request_headers off, with a body", "/no-fields", "example.org", "X: y", {"method": "POST", "body": b"hello"}),
    ("proxy_pass_request_body off", "/no-body", {"method": "POST", "body": b"hello"}),
    ("proxy_pass_request_body off, without one", "/no-body"),
    ("proxy_pass_request_body off, a long one", "/no-body", {"method": "POST", "body": b"hello" * 20000}),
    ("neither fields nor body", "/neither", "example.org", "X: y", {"method": "POST", "body": b"hello"}),
    ("names of fields go out as written", "/names"),
    ("proxy_bind", "/bind"),
    ("proxy_bind by variable", "/bind-by-variable"),
    ("proxy_bind to nothing", "/bind-nothing"),
])


@case(MADE)
def a_body_that_is_set_is_sent_to_the_next_client_too(t):
    t.raw(b"POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhelloGET /body HTTP/1.1\r\nHost: h\r\n\r\n", 2)


@case(group('proxy_set_body "for all"; proxy_next_upstream http_503 error;'))
def a_body_that_is_set_is_sent_again(t):
    t.a.behave = answer("no", "503 Service Unavailable")
    t.get("/", method="PUT", body=b"hello")


# What of an answer clients see.

SEEN = """
server { listen 127.0.0.1:%PORT%;
    location / { proxy_pass http://%A%; }
    location /pass { proxy_pass http://%A%; proxy_pass_header X-Accel-Expires; proxy_pass_header X-Accel-Limit-Rate; proxy_pass_header X-Pad; }
    location /hide { proxy_pass http://%A%; proxy_hide_header X-One; proxy_hide_header Set-Cookie; proxy_pass_header Server; }
    location /ignore { proxy_pass http://%A%; proxy_ignore_headers X-Accel-Redirect X-Accel-Limit-Rate X-Accel-Expires X-Accel-Buffering
        X-Accel-Charset Expires Cache-Control Set-Cookie Vary; }
}"""


def seen(name, target, *fields):
    def play(t):
        t.a.behave = answer("hello", "200 OK", *fields)
        t.get(target)

    case(SEEN, f"answers: {name}")(play)


ACCEL = ("X-Accel-Expires: 10", "X-Accel-Limit-Rate: 1000", "X-Accel-Buffering: no", "X-Accel-Charset: utf-8", "X-Pad: x")
seen("fields that are hidden", "/", *ACCEL)
seen("fields that are passed", "/pass", *ACCEL)
seen("fields that are hidden by hand", "/hide", "X-One: 1", "x-one: 2", "X-Two: 2", "Set-Cookie: a=b", "Server: s")
seen("ignored fields are hidden all the same", "/ignore", "X-Accel-Redirect: /x", *ACCEL, "Expires: 0", "Vary: *")


@case("""server { listen 127.0.0.1:%PORT%;
    location /limited { proxy_pass http://%A%; proxy_limit_rate 1k; }
    location /accel { proxy_pass http://%A%; }
    location /ignored { proxy_pass http://%A%; proxy_ignore_headers X-Accel-Limit-Rate; }
}""")
def an_answer_that_is_limited_takes_its_time(t):
    import time
    t.a.behave = answer("x" * 2000, "200 OK", "X-Accel-Limit-Rate: 1000")
    for target, slow in [("/limited", True), ("/accel", True), ("/ignored", False)]:
        began = time.monotonic()
        connection = t.connect()
        connection.send(f"GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        connection.read()
        connection.receive()
        took = time.monotonic() - began
        t.note(f"{target} is slow: {took > 0.8}, as expected: {(took > 0.8) == slow}")


# WebSocket, in the words that files have.

IDIOMS = {
    "the literal": 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";',
    "the literal with a capital": 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "Upgrade";',
    "the client's own": "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection;",
    "both literal": 'proxy_set_header Upgrade "websocket"; proxy_set_header Connection "Upgrade";',
}


def idiom(name, settings):
    http = f"""server {{ listen 127.0.0.1:%PORT%;
        location / {{ proxy_pass http://%A%; proxy_http_version 1.1; {settings} }} }}"""

    def upgraded(t):
        t.a.behave = echo
        connection = t.connect().send(HANDSHAKE)
        connection.read()
        talk(t, connection, b"hello", b"again")

    def ordinary(t):
        t.get("/")
        t.get("/", method="POST", body=b"hello")
        t.raw("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 2)

    case(http, f"websocket with {name}")(upgraded)
    case(http, f"no websocket with {name}")(ordinary)


for name, settings in IDIOMS.items():
    idiom(name, settings)

# What -t says.

AROUND = """server {{ listen 127.0.0.1:%PORT%; location / {{ proxy_pass http://127.0.0.1:1; {} }} }}"""
configurations("proxy_settings", [(f"-t: {text}", AROUND.format(text)) for text in (
    "proxy_next_upstream HTTP_503 http_404;",
    "proxy_next_upstream http_418;",
    "proxy_next_upstream http_500 http_500;",
    "proxy_next_upstream_tries x;",
    "proxy_redirect x;",
    "proxy_redirect off; proxy_redirect a b;",
    "proxy_redirect a b; proxy_redirect off;",
    "proxy_redirect ~( b;",
    "proxy_redirect a b c;",
    "proxy_cookie_domain x;",
    "proxy_cookie_domain off; proxy_cookie_domain off;",
    "proxy_cookie_path ~*( x;",
    "proxy_cookie_flags x;",
    "proxy_cookie_flags x samesite=strict httponly;",
    "proxy_cookie_flags x secure httponly samesite=lax nosecure;",
    "proxy_ignore_headers Foo;",
    "proxy_ignore_headers vary VARY;",
    "proxy_bind nope;",
    "proxy_bind unix:/x;",
    "proxy_bind [::1]:80;",
    "proxy_bind 127.0.0.1 x;",
    "proxy_method PUT; proxy_set_body x; proxy_pass_request_headers off; proxy_pass_request_body on;",
    "proxy_limit_rate 1g;",
    "proxy_intercept_errors maybe;",
)])
