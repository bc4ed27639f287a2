"""`proxy_http_version 2`: servers that speak HTTP/2, with TLS and without."""

from casebook import CASES, Case, configurations
from http2 import Http2, request
from secure_servers import clear_http_2, speaking
from streams import answer, goes_away, in_two, resets
from upstream import hang_up

PLAIN = ("content-type", "text/plain")


def server(settings="", more="", to="http://%A%"):
    return f"server {{ listen %PORT%; http2 on; location / {{ proxy_http_version 2; proxy_pass {to}; {settings} }} {more} }}"


def one(name, settings="", behave=None, more="", to="http://%A%", prepare=clear_http_2, targets=("/x?y=z",), fields=(), **asked):
    def script(t):
        if behave:
            t.a.behave = behave
        for target in targets:
            t.get(target, "example.org", *fields, **asked)

    CASES.append(Case(f"servers_http2/{name}", server(settings, more, to), script, lays_out=prepare))


one("a request")
one("a body", method="POST", body=b"abc")
one("a long body", method="POST", body=b"abc" * 100_000, behave=answer("x" * 300_000, "200", PLAIN))
one("a body without buffering", "proxy_request_buffering off;", method="POST", body=b"abc")
one("no body", "proxy_pass_request_body off;", method="POST", body=b"abc")
one("a body of its own", 'proxy_set_body "set $request_method";', method="POST", body=b"abc")
one("a body of its own for none", 'proxy_set_body "set $request_method";')
one("HEAD", method="HEAD", behave=answer("", "200", ("content-length", "5")))
one("a path of its own", to="http://%A%/base/", targets=("/x?y=z", "/a%20b"))
one("set headers", "proxy_set_header Host $host; proxy_set_header X-A b; proxy_set_header Connection close; proxy_set_header TE trailers;")
one("fields of a connection", fields=("TE: trailers", "Connection: te, keep-alive", "Keep-Alive: 5", "Upgrade: x"))
one("cookies", fields=("Cookie: a=1; b=2", "Accept: x"))
one("another version of HTTP", version="1.0")
one("answers", targets=("/1", "/2"), behave=answer("body", "404", ("x-a", "b"), ("server", "theirs"), ("content-length", "4")))
one("204", behave=answer("", "204"))
one("304", behave=answer("", "304", ("etag", '"a"')))
one("a redirect", behave=answer("", "302", ("location", "http://%A%/there")))
one("cookies of a server", "proxy_cookie_path / /c;", answer("", "200", ("set-cookie", "a=1; path=/"), ("set-cookie", "b=2; path=/")))
one("intercepted", "proxy_intercept_errors on; error_page 404 =200 /page;", answer("no", "404"), more="location /page { return 200 page; }")
one("trailers to HTTP/1", behave=answer("body", "200", PLAIN, trailers=[("x-trailer", "t")]))
one("a reset", behave=resets(2))
one("a refusal", behave=resets(7))
one("a connection that goes away", behave=goes_away())
one("a connection that ends", behave=hang_up)
one("no time left", "proxy_read_timeout 300ms;", lambda request, stream: True)
one("an answer that breaks off", "proxy_buffering off;",
    in_two(lambda request, stream: stream.head("200", PLAIN).data(b"abc"), lambda request, stream: False))
one("a length that is too long", behave=answer("abc", "200", ("content-length", "9")))
one("a server of HTTP/1", prepare=lambda stage: None)
one("TLS", to="https://%A%", prepare=speaking(http_2=True, says=("name", "alpn")))
one("TLS with a name", "proxy_ssl_server_name on; proxy_ssl_name a.test;", to="https://%A%",
    prepare=speaking(http_2=True, says=("name", "alpn")))
one("TLS of a server that agrees on nothing", to="https://%A%", prepare=speaking(http_2=True, alpn=(), says=("alpn",)))


def from_http_2(name, settings="", behave=None, fields=(), **asked):
    def script(t):
        if behave:
            t.a.behave = behave
        connection = Http2(("127.0.0.1", t.port("PORT")), t.note)
        t.keep(connection)
        connection.ask(1, request("/x", *fields, **asked)).read(1).close()

    CASES.append(Case(f"servers_http2/from HTTP/2, {name}", server(settings), script, lays_out=clear_http_2))


from_http_2("a request")
from_http_2("te", fields=[("te", "trailers")])
TRAILERS = answer("body", "200", PLAIN, trailers=[("x-trailer", "t"), ("grpc-status", "0")])
from_http_2("trailers", behave=TRAILERS)
from_http_2("trailers that are wanted", behave=TRAILERS, fields=[("te", "trailers")])
from_http_2("trailers on", "proxy_pass_trailers on;", TRAILERS)
from_http_2("trailers on that are wanted", "proxy_pass_trailers on;", TRAILERS, fields=[("te", "trailers")])
from_http_2("trailers off", "proxy_pass_trailers off;", TRAILERS, fields=[("te", "trailers")])

configurations("servers_http2", [
    ("configuration, trailers", "server { listen %PORT%; location / { proxy_pass http://127.0.0.1:1; proxy_pass_trailers on; } }"),
    ("configuration, trailers maybe", "server { listen %PORT%; location / { proxy_pass_trailers maybe; } }"),
    ("configuration, another version", "server { listen %PORT%; location / { proxy_http_version 3; } }"),
])
