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

# proxy_pass with variables.

VARIABLES = """
log_format judge "$status $upstream_addr $proxy_host $proxy_port";
access_log %DIR%/judge.access judge;
upstream u { server %A%; }
upstream other.example { server %B%; }
server { listen 127.0.0.1:%PORT%; server_name s.example; merge_slashes off;
    location /group { set $to u; proxy_pass http://$to; }
    location /group-by-argument { proxy_pass http://$arg_to; }
    location /group-with-uri { set $to u; proxy_pass http://$to/fixed; }
    location /group-with-arguments { set $to u; proxy_pass http://$to/fixed?a=$arg_a; }
    location /own-uri { proxy_pass http://u$request_uri; }
    location /only-arguments { set $to u; proxy_pass http://$to?x=y; }
    location /address { set $to %B%; proxy_pass http://$to; }
    location /address-with-uri { set $to %B%; proxy_pass http://$to$uri$is_args$args; }
    location /whole { set $to http://%A%/whole; proxy_pass $to; }
    location /host { set $to u; proxy_pass http://$to; proxy_set_header X-Host $proxy_host; proxy_set_header X-Port $proxy_port; }
    location /in-if { if ($arg_b) { proxy_pass http://$arg_b; } proxy_pass http://u; }
    location /name { set $to nowhere.example; proxy_pass http://$to; }
    location /known { proxy_pass http://%A%; }
    location /redirect { set $to u; proxy_pass http://$to; proxy_redirect http://$proxy_host/ /; }
    location /nothing { proxy_pass http://$arg_to; error_page 500 502 /answered; }
    location /scheme { proxy_pass $arg_scheme://u; }
    location = /answered { return 200 "answered"; }
}"""

requests("proxy_settings", VARIABLES, [
    ("variables: a group", "/group?a=b"),
    ("variables: a group by argument", "/group-by-argument?to=other.example"),
    ("variables: a group in capitals", "/group-by-argument?to=OTHER.example"),
    ("variables: a group with a port", "/group-by-argument?to=u:80"),
    ("variables: a URI is sent as it is", "/group-with-uri/rest?a=b"),
    ("variables: a URI with arguments", "/group-with-arguments/rest?a=1&b=2"),
    ("variables: the request's own URI", "/own-uri/%20a?b=c"),
    ("variables: arguments alone", "/only-arguments/x"),
    ("variables: an address", "/address/x%20y?z"),
    ("variables: an address with a URI", "/address-with-uri/x?z"),
    ("variables: the whole URL", "/whole/x"),
    ("variables: what proxy_host says", "/host"),
    ("variables: in an if", "/in-if?b=other.example"),
    ("variables: beside an if", "/in-if"),
    ("variables: a name without a resolver", "/name"),
    ("variables: no host", "/group-by-argument?to="),
    ("variables: no port", "/group-by-argument?to=a:"),
    ("variables: no number", "/group-by-argument?to=u:x"),
    ("variables: an error page for no host", "/nothing?to="),
    ("variables: an error page for a name without a resolver", "/nothing?to=nowhere.example"),
    ("variables: no scheme", "/scheme?scheme="),
    ("variables: another scheme", "/scheme?scheme=ftp"),
    ("variables: a body", "/group", {"method": "POST", "body": b"hello"}),
])


def serve_names(t, names, ttl=1):
    """A name server on the second port: addresses by name; what it does not know does not exist."""
    import socket
    import threading
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", t._ports["PORT2"]))
    server.settimeout(0.2)
    asked, ended = [], threading.Event()

    def serve():
        while not ended.is_set():
            try:
                data, client = server.recvfrom(4096)
            except TimeoutError:
                continue
            labels, at = [], 12
            while data[at]:
                labels.append(data[at + 1:at + 1 + data[at]].decode())
                at += 1 + data[at]
            question = data[12:at + 5]
            name, is_a = ".".join(labels).lower(), data[at + 1:at + 3] == b"\0\1"
            asked.append(name)
            addresses = names.get(name, []) if is_a else []
            code = 0 if name in names else 3
            head = data[:2] + bytes([0x81, 0x80 | code]) + b"\0\1" + len(addresses).to_bytes(2, "big") + b"\0\0\0\0"
            records = b"".join(b"\xc0\x0c\0\1\0\1" + ttl.to_bytes(4, "big") + b"\0\4" + socket.inet_aton(address)
                               for address in addresses)
            server.sendto(head + question + records, client)
        server.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return asked, lambda: (ended.set(), thread.join())


NAMES = """
log_format judge "$status $upstream_addr";
access_log %DIR%/judge.access judge;
resolver 127.0.0.1:%PORT2% ipv6=off;
resolver_timeout 1s;
server { listen 127.0.0.1:%PORT%;
    location / { set $to a.example:%PORTA%; proxy_pass http://$to; }
    location /uri { set $to a.example; proxy_pass http://$to:%PORTA%/fixed; }
    location /unknown { set $to unknown.example; proxy_pass http://$to; error_page 502 = /answered; }
    location /plain-unknown { set $to unknown.example; proxy_pass http://$to; }
    location /no-address { set $to empty.example; proxy_pass http://$to; }
    location /off { resolver 127.0.0.1:%PORT2% valid=1h ipv6=off; set $to a.example:%PORTA%; proxy_pass http://$to; }
    location = /answered { return 200 "answered"; }
}"""


def by_name(script):
    def play(t):
        asked, end = serve_names(t, {"a.example": ["127.0.0.1"], "empty.example": []})
        try:
            script(t, asked)
        finally:
            end()

    case(NAMES, "names: " + script.__name__.replace("_", " "))(play)


@by_name
def looked_up_at_run_time(t, _asked):
    t.get("/x?y")
    t.get("/uri/x")


@by_name
def one_answer_serves_many_requests(t, asked):
    for _ in range(4):
        t.get("/off")
    t.note(f"asked {len(asked)} times")


@by_name
def asked_again_when_the_answer_is_old(t, asked):
    t.get("/")
    t.wait(2.2)
    t.get("/")
    t.note(f"asked more than once: {len(asked) > 1}")


@by_name
def unknown(t, _asked):
    t.get("/plain-unknown")
    t.get("/unknown")


@by_name
def without_an_address(t, _asked):
    t.get("/no-address")


@case(NAMES, "names: a name server that is silent")
def a_name_server_that_is_silent(t):
    t.get("/")


AROUND_SERVER = """server {{ listen 127.0.0.1:%PORT%; {} }}"""
configurations("proxy_settings", [(f"-t: {text}", AROUND_SERVER.format(text)) for text in (
    "location / { proxy_pass http://$; }",
    "location / { proxy_pass $host; }",
    "location / { if ($host) { proxy_pass http://127.0.0.1/; } }",
    "resolver 127.0.0.1 ipv6=off; location / { resolver 127.0.0.2; resolver_timeout 3s; proxy_pass http://$host; }",
)])

# proxy_redirect default, said.

SAID = """
server { listen 127.0.0.1:%PORT%;
    location /outer/ { proxy_pass http://%A%/x/; proxy_redirect default;
        location /outer/inner/ { proxy_pass http://%A%/y/; }
        location /outer/own/ { proxy_pass http://%A%/z/; proxy_redirect default; }
        location /outer/off/ { proxy_pass http://%A%/z/; proxy_redirect off; }
    }
    location /unsaid/ { proxy_pass http://%A%/x/; location /unsaid/inner/ { proxy_pass http://%A%/y/; } }
}"""

for path in ("outer/", "outer/inner/", "outer/own/", "outer/off/", "unsaid/", "unsaid/inner/"):
    @case(SAID, f"proxy_redirect default, /{path}")
    def said(t, path=path):
        for base in "xyz":
            location = f"Location: http://127.0.0.1:{t.a.address[1]}/{base}/to"
            t.a.behave = answer("", "302 Found", location)
            t.get(f"/{path}")


configurations("proxy_settings", [
    (f"proxy_redirect default, {name}", f"{http} server {{ listen 127.0.0.1:%PORT%; location / {{ {location} }} }}")
    for name, http, location in (
        ("above proxy_pass", "", "proxy_redirect default; proxy_pass http://127.0.0.1:1;"),
        ("without proxy_pass", "", "proxy_redirect default;"),
        ("in http", "proxy_redirect default;", "proxy_pass http://127.0.0.1:1;"),
        ("for a URL with variables", "", "proxy_pass http://$host; proxy_redirect default;"),
    )
])

# A body that has gone to a server whose answer is not the client's.

GONE = """
server { listen 127.0.0.1:%PORT%;
    proxy_intercept_errors on;
    location / { proxy_pass http://%A%; error_page 404 /page; }
    location /named { proxy_pass http://%A%; error_page 404 @named; }
    location /page { proxy_pass http://%B%; }
    location @named { proxy_pass http://%B%; }
}"""


for path in ("", "named"):
    for kind, size in (("small", 5), ("large", 100_000)):
        @case(GONE, f"a {kind} body goes on, /{path}")
        def a_body_goes_on(t, path=path, size=size):
            t.a.behave = answer("bad", "404 Not Found")
            t.get(f"/{path}", method="POST", body=b"x" * size)

CHARSETS = """
server { listen 127.0.0.1:%PORT%;
    location / { proxy_pass http://%A%; }
    location /utf-8 { charset utf-8; proxy_pass http://%A%; }
    location /source { charset koi8-r; source_charset koi8-r; proxy_pass http://%A%; }
    location /ignored { charset utf-8; proxy_ignore_headers X-Accel-Charset; proxy_pass http://%A%; }
    location /file { charset utf-8; root %DIR%; }
}"""


def asked_for(name, target, charset, content_type="text/html", status="200 OK", *fields):
    @case(CHARSETS, f"X-Accel-Charset, {name}")
    def play(t):
        typed = [f"Content-Type: {content_type}"] if content_type else []
        t.a.behave = answer("x", status, f"X-Accel-Charset: {charset}", *typed, *fields)
        t.get(target)


asked_for("of nobody else", "/", "utf-8")
asked_for("in another case", "/", "UTF-8")
asked_for("unknown", "/", "latin-9")
asked_for("unknown, in the place of a known one", "/utf-8", "latin-9")
asked_for("empty", "/utf-8", "")
asked_for("before that of the location", "/utf-8", "koi8-r")
asked_for("of an image", "/", "utf-8", "image/gif")
asked_for("of no type", "/", "utf-8", None)
asked_for("as the answer says", "/", "utf-8", "text/html; charset=utf-8")
asked_for("other than the answer says", "/", "utf-8", "text/html; charset=koi8-r")
asked_for("as its source", "/source", "KOI8-R")
asked_for("other than its source", "/source", "utf-8")
asked_for("ignored", "/ignored", "koi8-r")
asked_for("of a redirect", "/", "utf-8", "text/html", "302 Found", "Location: /x")
asked_for("of an error", "/", "utf-8", "text/html", "404 Not Found")

# What a server is told of the servers before it.

TOLD = """
server { listen 127.0.0.1:%PORT%;
    proxy_set_header X-Told "$upstream_status $upstream_addr,";
    location / { proxy_pass http://%A%; }
    location /second { proxy_pass http://%A%; proxy_intercept_errors on; error_page 404 @second; }
    location @second { proxy_pass http://%B%; add_header X-Told "$upstream_status $upstream_addr"; }
}"""


@case(TOLD, "variables of tries towards the first server")
def told_the_first(t):
    t.get("/")


@case(TOLD, "variables of tries towards the second server")
def told_the_second(t):
    t.a.behave = answer("no", "404 Not Found")
    t.get("/second")


# Ranges of a server that knows none.

RANGES = """
server { listen 127.0.0.1:%PORT%;
    location / { proxy_pass http://%A%; proxy_force_ranges on; }
    location /added { proxy_pass http://%A%; proxy_force_ranges on; add_header X-Status $status; }
    location /off { proxy_pass http://%A%; }
    location /none { proxy_pass http://%A%; proxy_force_ranges on; max_ranges 0; }
}"""

WHOLE = ("ETag: \"e\"", "Last-Modified: Fri, 01 Mar 2024 12:00:00 GMT", "Content-Type: text/plain", "Accept-Ranges: none")


def ranged(name, target, *fields, body="0123456789" * 20_000, status="200 OK", length=True, **more):
    @case(RANGES, f"proxy_force_ranges, {name}")
    def play(t):
        t.a.behave = answer(body, status, *WHOLE, length=length)
        t.get(target, "h", *fields, **more)


ranged("none asked for", "/")
ranged("off", "/off", "Range: bytes=2-4")
ranged("no ranges allowed", "/none", "Range: bytes=2-4")
ranged("a part", "/", "Range: bytes=2-4")
ranged("a large part", "/", "Range: bytes=100000-170000")
ranged("the end", "/", "Range: bytes=-7")
ranged("all but the beginning", "/", "Range: bytes=5-")
ranged("several", "/", "Range: bytes=2-4,7-9")
ranged("beyond the end", "/", "Range: bytes=200000-")
ranged("a part, with a field", "/added", "Range: bytes=2-4")
ranged("no range", "/", "Range: bytes=x")
ranged("with its tag", "/", "Range: bytes=2-4", "If-Range: \"e\"")
ranged("with another tag", "/", "Range: bytes=2-4", "If-Range: \"f\"")
ranged("with its time", "/", "Range: bytes=2-4", "If-Range: Fri, 01 Mar 2024 12:00:00 GMT")
ranged("of an error", "/", "Range: bytes=2-4", status="404 Not Found")
ranged("of an answer without a length", "/", "Range: bytes=2-4", length=False)
ranged("of no body", "/", "Range: bytes=2-4", body="")
