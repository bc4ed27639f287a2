"""`grpc_pass`: what a server is sent, what clients get of its answers, and when another server is asked."""

from casebook import CASES, Case, configurations
from http2 import Http2, request
from secure_servers import case, clear_http_2, speaking
from streams import LARGEST_FRAME, answer, goes_away, grpc, in_two, message, resets
from upstream import hang_up

KIND = ("content-type", "application/grpc")
ASKED = [KIND, ("te", "trailers")]


def server(settings="", more="", to="%A%"):
    return f"server {{ listen %PORT%; http2 on; location / {{ grpc_pass {to}; {settings} }} {more} }}"


def connect(t, port="PORT", wrap=None):
    connection = Http2(("127.0.0.1", t.port(port)), t.note, wrap=wrap)
    t.keep(connection)
    return connection


def ask(t, path="/s.Service/Method", *body, fields=ASKED, method="POST", authority="example.org", payload=b"abc"):
    """One call on a connection of its own."""
    whole = message(payload)
    body = body or [whole[start:start + LARGEST_FRAME] for start in range(0, len(whole), LARGEST_FRAME)]
    connect(t).ask(1, request(path, *fields, method=method, authority=authority), *body).read(1).close()


def one(name, settings="", behave=None, more="", to="%A%", prepare=clear_http_2, times=1, **asked):
    def script(t):
        if behave:
            t.a.behave = behave
        for _ in range(times):
            ask(t, **asked)

    CASES.append(Case(f"grpc/{name}", server(settings, more, to), script, lays_out=prepare))


# What the server is sent.
one("a call", behave=grpc(b"one"))
one("a call with a scheme", to="grpc://%A%", behave=grpc(b"one"))
one("fields of the client", behave=grpc(b"one"), fields=[KIND, ("x-a", "b"), ("cookie", "a=1"), ("cookie", "b=2"),
                                                        ("grpc-timeout", "3S"), ("user-agent", "u"), ("te", "trailers")])
one("a client that wants no trailers", behave=grpc(b"one"), fields=[KIND])
one("a query", behave=grpc(b"one"), path="/a/b?c=d%20e")
one("a GET", behave=answer("plain"), method="GET", fields=[])
one("set headers", "grpc_set_header X-A b; grpc_set_header X-C $host; grpc_set_header Content-Type \"\";", grpc(b"one"))
one("a host of its own", "grpc_set_header Host else.test;", grpc(b"one"))
one("no host", "grpc_set_header Host \"\";", grpc(b"one"))
one("set te", "grpc_set_header TE \"\";", grpc(b"one"))
one("an upstream", to="up.test", more="", behave=grpc(b"one"))
CASES[-1].http = "upstream up.test { server %A%; } " + CASES[-1].http
one("a server out of a variable", to="$to", behave=grpc(b"one"))
CASES[-1].http = "map $host $to { default grpc://%A%; } " + CASES[-1].http


@case(server(), clear_http_2)
def http_1_to_grpc(t):
    t.a.behave = answer("plain", "200", ("content-type", "text/plain"))
    t.get("/x?y=z", "example.org", "X-A: b", "TE: trailers", "Connection: te")
    t.get("/x", method="POST", body=b"body")


# What clients get.
one("several messages", behave=grpc(b"one", b"two", b"three"))
one("a status without messages", behave=grpc(status="5", words="not found"))
one("a status behind a message", behave=grpc(b"one", status="13", words="broken"))
one("fields of the answer", behave=grpc(b"one", fields=[("x-a", "b"), ("server", "theirs"), ("date", "then"), ("x-accel-expires", "5"),
                                                        ("grpc-encoding", "identity")]))
one("hidden and passed fields", "grpc_hide_header X-A; grpc_pass_header Server; grpc_pass_header X-Accel-Expires;",
    grpc(b"one", fields=[("x-a", "b"), ("server", "theirs"), ("x-accel-expires", "5"), ("x-c", "d")]))
one("trailers of their own", behave=answer("body", "200", KIND, trailers=[("grpc-status", "0"), ("x-trailer", "t")]))
one("trailers behind no body", behave=answer("", "200", KIND, trailers=[("grpc-status", "0"), ("x-trailer", "t")]))
one("no status", behave=answer("body", "200", KIND))
one("another status of HTTP", behave=answer("no", "503", ("content-type", "text/plain")))
one("a redirect", behave=answer("", "302", ("location", "/there")))
one("204", behave=answer("", "204"))
one("an answer to HEAD", behave=answer("", "200", ("content-length", "5")), method="HEAD", fields=[])
one("a length that is too long", behave=answer("abc", "200", ("content-length", "9")))
one("a length that is too short", behave=answer("abcdef", "200", ("content-length", "3")))
one("a long answer", behave=grpc(b"x" * 200_000))
one("a long request", behave=grpc(b"one"), payload=b"y" * 50_000)
one("X-Accel-Redirect", behave=answer("", "200", ("x-accel-redirect", "/there")), more="location /there { return 200 there; }")
one("X-Accel-Redirect ignored", "grpc_ignore_headers X-Accel-Redirect;", answer("", "200", ("x-accel-redirect", "/there")),
    more="location /there { return 200 there; }")
one("intercepted", "grpc_intercept_errors on; error_page 404 =200 /page;", answer("no", "404"),
    more="location /page { return 200 page; }")
one("not intercepted", "error_page 404 =200 /page;", answer("no", "404"), more="location /page { return 200 page; }")
one("an informational answer first", behave=lambda request, stream: stream.head("103", ("link", "x")).head("200", KIND).fields(
    ("grpc-status", "0"), end=True))

# What is wrong with an answer.
one("a stream that is reset", behave=resets(2))
one("a stream that is refused", behave=resets(7))
one("a connection that goes away", behave=goes_away())
one("a connection that ends", behave=hang_up)
one("a body without a header", behave=lambda request, stream: stream.data(b"abc", end=True))
one("no status of HTTP", behave=lambda request, stream: stream.fields(("x-a", "b"), end=True))
one("a name in capitals", behave=lambda request, stream: stream.head("200", ("X-A", "b"), end=True))


def begins(_request, stream):
    stream.head("200", KIND).data(message(b"one"))


one("a reset behind a message", behave=in_two(begins, resets(2)))
one("an end behind a message", behave=in_two(begins, hang_up))
one("no time left", "grpc_read_timeout 300ms;", lambda request, stream: True)
one("no server", to="%DEAD%")
one("an error page of gRPC", "error_page 502 = /error;", to="%DEAD%", more="location = /error { internal; default_type application/grpc; "
    "add_header grpc-status 14; add_header grpc-message unavailable; return 204; }")

# Another server.
TWO = "upstream u { server %A%; server %B%; } "


def tries(name, behave, settings="", times=2, **asked):
    one(name, settings, behave, to="u", times=times, **asked)
    CASES[-1].http = TWO + CASES[-1].http


tries("next, a stream that is reset", resets(2))
tries("next, a stream that is refused", resets(7))
tries("next, a connection that ends", hang_up, "grpc_next_upstream error non_idempotent;")
tries("next, a connection that ends, off", hang_up, "grpc_next_upstream off;")
tries("next, a status", answer("no", "503"), "grpc_next_upstream http_503 non_idempotent;", times=2)
tries("next, a status of a POST", answer("no", "503"), "grpc_next_upstream http_503;", times=2)
tries("next, a status of gRPC is none", grpc(status="14"), "grpc_next_upstream error http_503 non_idempotent;", times=2)
tries("next, an invalid header", lambda request, stream: stream.fields(("x-a", "b"), end=True),
      "grpc_next_upstream invalid_header non_idempotent;", times=2)
tries("next, one try", hang_up, "grpc_next_upstream error non_idempotent; grpc_next_upstream_tries 1;")

# TLS.
for name, settings, offer in [
    ("a call", "", {}),
    ("a name", "grpc_ssl_server_name on; grpc_ssl_name a.test;", {}),
    ("verified", "grpc_ssl_verify on; grpc_ssl_trusted_certificate %DIR%/ca.pem; grpc_ssl_name a.test;", {}),
    ("not trusted", "grpc_ssl_verify on; grpc_ssl_trusted_certificate %DIR%/ca.pem; grpc_ssl_name self.test;",
     {"certificate": "self"}),
    ("a certificate", "grpc_ssl_certificate %DIR%/client.pem; grpc_ssl_certificate_key %DIR%/client.key;", {"wants": "ca.pem"}),
]:
    one(f"grpcs, {name}", settings, grpc(b"one"), to="grpcs://%A%",
        prepare=speaking(http_2=True, says=("name", "alpn", "certificate"), **offer))

configurations("grpc", [
    ("configuration, a path", "server { listen %PORT%; location / { grpc_pass grpc://a/b; } }"),
    ("configuration, no port", "server { listen %PORT%; location / { grpc_pass grpcs://127.0.0.1; } }"),
    ("configuration, another scheme", "server { listen %PORT%; location / { grpc_pass http://127.0.0.1; } }"),
    ("configuration, in a server", "server { listen %PORT%; grpc_pass 127.0.0.1:1; }"),
    ("configuration, twice", "server { listen %PORT%; location / { grpc_pass 127.0.0.1:1; grpc_pass 127.0.0.1:1; } }"),
    ("configuration, beside proxy_pass", "server { listen %PORT%; location / { grpc_pass 127.0.0.1:1; proxy_pass http://127.0.0.1; } }"),
    ("configuration, verify without authorities", "server { listen %PORT%; location / { grpc_ssl_verify on; grpc_pass grpcs://127.0.0.1:1; } }"),
    ("configuration, everything", "server { listen %PORT%; location / { grpc_pass 127.0.0.1:1; grpc_set_header A b; grpc_connect_timeout 1s; "
     "grpc_read_timeout 1s; grpc_send_timeout 1s; grpc_socket_keepalive on; grpc_next_upstream error timeout; "
     "grpc_next_upstream_tries 2; grpc_next_upstream_timeout 3s; grpc_hide_header A; grpc_pass_header Server; "
     "grpc_intercept_errors on; grpc_ignore_headers Expires; } }"),
])
