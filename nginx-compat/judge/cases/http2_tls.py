"""Clients of HTTP/2 over TLS: what is agreed on, and what belongs to the handshake."""

import ssl

from http2 import Http2, request
from secure import case, connect, context, get

A = "ssl_certificate %DIR%/a.pem; ssl_certificate_key %DIR%/a.key;"
B = "ssl_certificate %DIR%/b.pem; ssl_certificate_key %DIR%/b.key;"
SAYS = 'return 200 "$scheme $https $server_protocol $http2 $ssl_alpn_protocol $ssl_server_name $ssl_protocol";'


def over(t, name="a.test", port="PORT", alpn=("h2", "http/1.1"), **offer):
    """A connection with HTTP/2 over TLS, or None, which is noted."""
    within = context(directory=t.directory, alpn=alpn, **offer)
    try:
        connection = Http2(("127.0.0.1", t.port(port)), t.note, wrap=lambda plain: within.wrap_socket(plain, server_hostname=name))
    except (ssl.SSLError, OSError):
        t.note("no handshake")
        return None
    t.keep(connection)
    t.note(f"agreed on {connection._socket.selected_alpn_protocol()}")
    return connection


def ask(t, *fields, path="/", authority="a.test", scheme="https", **offer):
    connection = over(t, **offer)
    if connection:
        connection.ask(1, request(path, *fields, authority=authority, scheme=scheme)).read(1)
    return connection


@case(f"server {{ listen %PORT% ssl; http2 on; {A} {SAYS} }}")
def what_is_agreed_on(t):
    for alpn in (("h2", "http/1.1"), ("http/1.1", "h2"), ("h2",), ("http/1.1",), (), ("smtp", "h2")):
        t.note(f"offered {alpn}")
        if alpn and "h2" in alpn:
            ask(t, alpn=alpn)
        else:
            get(t, alpn=alpn)


@case(f"server {{ listen %PORT% ssl; {A} {SAYS} }}")
def not_spoken(t):
    connection = connect(t, alpn=("h2", "http/1.1"))
    t.note(f"agreed on {connection.tls.selected_alpn_protocol()}")
    get(t)


@case(f"server {{ listen %PORT% ssl; http2 on; {A} {SAYS} }}")
def without_agreement(t):
    connection = over(t, alpn=())
    connection.ask(1, request("/", authority="a.test", scheme="https")).read(1)


@case(f"""
server {{ listen %PORT% ssl; server_name a.test; http2 on; {A} {SAYS} }}
server {{ listen %PORT% ssl; server_name b.test; http2 off; {B} {SAYS} }}
""")
def two_servers_of_one_address(t):
    for name in ("a.test", "b.test"):
        connection = connect(t, name, alpn=("h2", "http/1.1"))
        t.note(f"{name}: {connection.tls.selected_alpn_protocol()}")


@case(f"""
server {{ listen %PORT% ssl; server_name a.test; http2 on; {A} {SAYS} }}
server {{ listen %PORT% ssl; server_name b.test; http2 on; {B} ssl_client_certificate %DIR%/ca.pem; ssl_verify_client optional; {SAYS} }}
""")
def a_host_of_another_server(t):
    ask(t, authority="b.test")
    ask(t, authority="a.test", name="b.test")


@case(f"""server {{ listen %PORT% ssl; http2 on; {A} ssl_client_certificate %DIR%/ca.pem; ssl_verify_client on;
          return 200 "$ssl_client_verify"; }}""")
def certificates_of_clients(t):
    for certificate in (None, "client", "stranger"):
        for version in ("1.2", "1.3"):
            ask(t, certificate=certificate, version=version)


@case(f"server {{ listen %PORT% ssl; http2 on; {A} location / {{ proxy_pass http://%A%; proxy_set_header X-Tls \"$ssl_protocol $scheme\"; }} }}")
def a_server_behind_it(t):
    connection = ask(t, ("x-a", "b"))
    connection.ask(3, request("/again", authority="a.test", scheme="https", method="POST"), b"body").read(3)


@case(f"server {{ listen %PORT% ssl; http2 on; {A} {SAYS} }}")
def a_scheme_that_is_not_the_connection_s(t):
    ask(t, scheme="http")


@case(f"server {{ listen %PORT% ssl; http2 on; {A} location /dir {{ return 301 /there; }} }}")
def redirects_are_https(t):
    ask(t, path="/dir")


@case(f"server {{ listen %PORT% ssl; http2 on; {A} {SAYS} }}")
def plain_http_2_where_tls_is_spoken(t):
    connection = Http2(("127.0.0.1", t.port("PORT")), t.note)
    t.keep(connection)
    connection.ask(1, request("/", authority="a.test", scheme="https")).read(1)


@case(f"""
log_format judge '$status $request $scheme $http2 $ssl_protocol $ssl_alpn_protocol';
server {{ listen %PORT% ssl; http2 on; {A} access_log %DIR%/tls.access judge; location / {{ return 200 body; }} }}""")
def the_log(t):
    connection = ask(t)
    connection.ask(3, request("/x", authority="a.test", scheme="https")).read(3)
