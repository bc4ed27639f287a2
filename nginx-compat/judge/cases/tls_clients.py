"""Certificates of clients, and sessions that are resumed."""

from secure import case, connect, context, get

A = "ssl_certificate %DIR%/a.pem; ssl_certificate_key %DIR%/a.key;"
B = "ssl_certificate %DIR%/b.pem; ssl_certificate_key %DIR%/b.key;"
CA = "ssl_client_certificate %DIR%/ca.pem;"
CLIENTS = (None, "client", "deep", "stranger", "self", "revoked")


def verification(how, more=""):
    return f"server {{ listen %PORT% ssl; {A} {CA} ssl_verify_client {how}; {more} return 200 \"$ssl_client_verify\"; }}"


def everybody(t):
    for certificate in CLIENTS:
        for version in ("1.2", "1.3"):
            t.note(f"{certificate} over {version}")
            get(t, certificate=certificate, version=version)


case(verification("on"), "on")(everybody)
case(verification("optional"), "optional")(everybody)
case(verification("optional_no_ca"), "optional_no_ca")(everybody)
case(verification("off"), "off")(everybody)
case(verification("optional_no_ca", "ssl_verify_depth 0;"), "no authority between")(everybody)


@case(f"""server {{ listen %PORT% ssl; {A} ssl_trusted_certificate %DIR%/ca.pem; ssl_verify_client optional_no_ca;
          return 200 "$ssl_client_verify"; }}""")
def trusted_and_not_told(t):
    get(t, certificate="client")
    get(t, certificate="stranger")


@case(f"""server {{ listen %PORT% ssl; {A} {CA} ssl_crl %DIR%/crl.pem; ssl_verify_client optional_no_ca;
          location / {{ return 200 "$ssl_client_verify"; }} }}""")
def revoked(t):
    for certificate in ("client", "revoked"):
        get(t, certificate=certificate)


@case(f"""server {{ listen %PORT% ssl; {A} {CA} ssl_verify_client optional_no_ca;
    location / {{ return 200 "$ssl_client_s_dn|$ssl_client_i_dn|$ssl_client_s_dn_legacy|$ssl_client_i_dn_legacy"; }}
    location /dates {{ return 200 "$ssl_client_serial|$ssl_client_fingerprint|$ssl_client_v_start|$ssl_client_v_end|$ssl_client_v_remain"; }}
    location /raw {{ return 200 "$ssl_client_raw_cert"; }}
    location /escaped {{ return 200 "$ssl_client_escaped_cert"; }} }}""")
def what_is_told_of_a_client(t):
    for target in ("/", "/dates", "/raw", "/escaped"):
        get(t, target, certificate="client")
    get(t)


@case(f"""
server {{ listen %PORT% ssl; server_name a.test; {A} return 200 a; }}
server {{ listen %PORT% ssl; server_name b.test; {B} {CA} ssl_verify_client optional; return 200 b; }}
server {{ listen %PORT% ssl; server_name c.test; {B} error_page 421 /e; location / {{ return 200 c; }} location = /e {{ return 200 e; }} }}
""")
def a_host_of_another_server(t):
    for name, host in (("a.test", "b.test"), ("a.test", "c.test"), ("b.test", "a.test"), ("b.test", "B.test:1"),
                       ("c.test", "b.test"), ("else.test", "b.test"), (None, "b.test")):
        t.note(f"{name} and {host}")
        get(t, host=host, server_name=name)


@case(f"""server {{ listen %PORT% ssl; {A} {CA} ssl_verify_client on; error_page 495 =200 /no; error_page 496 https://elsewhere/;
    location / {{ return 200 in; }} location = /no {{ return 200 "$ssl_client_verify"; }} }}""")
def pages_of_their_own(t):
    get(t)
    get(t, certificate="stranger")
    get(t, certificate="client")


def twice(t, version, port="PORT", second="PORT"):
    offer = context(version=version)
    first = connect(t, port=port, within=offer)
    first.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").read()
    again = connect(t, port=second, within=offer, session=first.tls.session)
    again.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").read()


def resumption(name, settings, versions=("1.2", "1.3")):
    http = f"server {{ listen %PORT% ssl; {A} {settings} return 200 \"$ssl_session_reused\"; }}"
    case(http, name)(lambda t: [twice(t, version) for version in versions])


def topic(script):
    script.__module__ = __name__
    return script


resumption("sessions by tickets", "")
resumption("no sessions", "ssl_session_tickets off;")
resumption("sessions in a shared cache", "ssl_session_tickets off; ssl_session_cache shared:s:1m;")
resumption("sessions in a builtin cache", "ssl_session_tickets off; ssl_session_cache builtin:100;")
resumption("sessions with a file of keys", "ssl_session_ticket_key %DIR%/ticket1; ssl_session_ticket_key %DIR%/ticket2;")


@case(f"""
server {{ listen %PORT% ssl; {A} ssl_session_ticket_key %DIR%/ticket1; return 200 "$ssl_session_reused"; }}
server {{ listen %PORT2% ssl; {A} ssl_session_ticket_key %DIR%/ticket2; ssl_session_ticket_key %DIR%/ticket1; return 200 "$ssl_session_reused"; }}
""")
def keys_are_exchanged(t):
    for version in ("1.2", "1.3"):
        twice(t, version, "PORT", "PORT2")
        twice(t, version, "PORT2", "PORT")
