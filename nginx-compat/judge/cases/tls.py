"""TLS to clients: what is agreed on, which certificate is shown, what variables say of it."""

import secure
from secure import case, configurations, connect, get, shown

A = "ssl_certificate %DIR%/a.pem; ssl_certificate_key %DIR%/a.key;"
B = "ssl_certificate %DIR%/b.pem; ssl_certificate_key %DIR%/b.key;"
RSA = "ssl_certificate %DIR%/rsa.pem; ssl_certificate_key %DIR%/rsa.key;"
SAYS = 'return 200 "$scheme $https $ssl_protocol $ssl_cipher $ssl_server_name $ssl_alpn_protocol $ssl_session_reused\\n";'


@case(f"server {{ listen %PORT% ssl; {A} {SAYS} }}")
def both_versions(t):
    for version in ("1.2", "1.3"):
        get(t, version=version)
    get(t, server_name=None)
    get(t, alpn=None)


@case(f"""
server {{ listen %PORT% ssl; server_name a.test; {A} return 200 a; }}
server {{ listen %PORT% ssl; server_name b.test *.wild.test; {B} return 200 b; }}
server {{ listen %PORT% ssl; server_name ~^r\\d+\\.test$; {RSA} return 200 $ssl_server_name; }}
server {{ listen %PORT% ssl; server_name bare.test; return 200 bare; }}
""")
def certificates_by_name(t):
    for name in ("a.test", "b.test", "x.wild.test", "r12.test", "bare.test", "else.test", None):
        connection = connect(t, name)
        if connection:
            t.note(f"{name} is shown {shown(connection)}")
            connection.close()
    for name, host in (("b.test", "b.test"), ("b.test", "a.test"), ("bare.test", "bare.test"), ("else.test", "else.test")):
        get(t, host=host, server_name=name)


@case(f"""
server {{ listen %PORT% ssl; server_name a.test; {A} return 200 a; }}
server {{ listen %PORT% ssl; server_name b.test; {B} return 200 b; }}
""")
def http_1_0_without_a_host_is_the_address_default(t):
    for name in ("a.test", "b.test"):
        connection = connect(t, name)
        connection.send("GET / HTTP/1.0\r\n\r\n").read()
        connection.close()


@case(f'server {{ listen %PORT% ssl; {A} return 200 "$ssl_sigalg.\\n"; }}')
def how_the_server_signs(t):
    # With RSA each library has its own preference.
    for version in ("1.2", "1.3"):
        get(t, version=version)


@case(f"server {{ listen %PORT% ssl; {RSA} {A} {SAYS} }}")
def two_kinds_of_keys(t):
    for ciphers in ("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"):
        get(t, version="1.2", ciphers=ciphers)
    connection = connect(t)
    t.note(f"TLS 1.3 is shown {shown(connection)}")


@case(f"server {{ listen %PORT% ssl; ssl_certificate %DIR%/chain.pem; ssl_certificate_key %DIR%/chain.key; {SAYS} }}")
def a_chain(t):
    connection = connect(t)
    t.note(f"shown {shown(connection)}")


@case(f"""
server {{ listen %PORT% ssl; {A} ssl_protocols TLSv1.3; {SAYS} }}
server {{ listen %PORT2% ssl; {A} ssl_protocols TLSv1.2; {SAYS} }}
""")
def one_version_only(t):
    for port in ("PORT", "PORT2"):
        for version in ("1.2", "1.3"):
            get(t, port=port, version=version)


@case(f"""
server {{ listen %PORT% ssl; {A} ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305; {SAYS} }}
server {{ listen %PORT2% ssl; {A} ssl_protocols TLSv1.2; ssl_prefer_server_ciphers on;
          ssl_ciphers ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384; {SAYS} }}
""")
def suites(t):
    for port in ("PORT", "PORT2"):
        get(t, port=port)
        get(t, port=port, ciphers="ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305")
        get(t, port=port, ciphers="ECDHE-ECDSA-AES128-GCM-SHA256")


@case(f"server {{ listen %PORT% ssl; {A} ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256; {SAYS} }}")
def suites_of_tls_1_3(t):
    get(t)


@case(f"""
server {{ listen %PORT% ssl; {A} ssl_ecdh_curve secp384r1; return 200 "$ssl_curve"; }}
server {{ listen %PORT2% ssl; {A} ssl_ecdh_curve X25519:prime256v1; return 200 "$ssl_curve"; }}
""")
def curves(t):
    for port in ("PORT", "PORT2"):
        get(t, port=port)
        get(t, port=port, curve="prime256v1")


@case(f"""
server {{ listen %PORT% ssl default_server; ssl_reject_handshake on; }}
server {{ listen %PORT% ssl; server_name a.test; {A} return 200 a; }}
""")
def rejected_handshakes(t):
    get(t)
    get(t, server_name="else.test")
    get(t, server_name=None)


@case(f"server {{ listen %PORT% ssl; {A} {SAYS} }}")
def no_protocol_in_common(t):
    get(t, alpn=("smtp",))
    get(t, alpn=("smtp", "http/1.0"))


@case(f"""
server {{ listen %PORT% ssl; {A} return 200 secret; }}
server {{ listen %PORT% ssl; server_name redirects; error_page 497 https://$host$request_uri; return 200 secret; }}
server {{ listen %PORT% ssl; server_name moves; error_page 497 =301 https://$host$request_uri; return 200 secret; }}
server {{ listen %PORT% ssl; server_name page; error_page 497 /page; location / {{ return 200 secret; }} location = /page {{ return 200 $scheme; }} }}
server {{ listen %PORT% ssl; server_name general; error_page 400 /page; location / {{ return 200 secret; }} location = /page {{ return 200 $scheme; }} }}
""")
def plain_http_where_tls_is_spoken(t):
    for host in ("a.test", "redirects", "moves", "page", "general"):
        t.get("/x?y=z", host)
    t.raw(b"nonsense\r\n\r\n")
    t.raw(b"GET / HTTP/1.1\r\n\r\n")


@case(f"""
log_format tls '$status $scheme $request_length $bytes_sent $ssl_protocol $https';
server {{ listen %PORT% ssl; {A} access_log %DIR%/tls.access tls; location / {{ return 200 body; }} }}
""")
def the_log(t):
    get(t)
    t.get("/")


@case(f"""
server {{ listen %PORT% ssl; {A} location / {{ proxy_pass http://%A%; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Tls "$ssl_protocol $ssl_server_name"; }} }}
""")
def a_server_behind_it(t):
    get(t)
    connection = connect(t)
    for _ in range(3):
        connection.send("GET /again HTTP/1.1\r\nHost: a.test\r\n\r\n").read()
    connection.end()


@case(f"server {{ listen %PORT% ssl; {A} absolute_redirect on; location /dir {{ return 301 /there; }} }}")
def redirects_are_https(t):
    get(t, "/dir")


@case(f"""
server {{ listen %PORT% ssl; ssl_certificate %DIR%/a.pem; ssl_certificate_key %DIR%/old.key; ssl_password_file %DIR%/passwords; return 200 old; }}
server {{ listen %PORT2% ssl; ssl_certificate %DIR%/a.pem; ssl_certificate_key %DIR%/p8.key; ssl_password_file %DIR%/passwords; return 200 p8; }}
""")
def keys_under_a_passphrase(t):
    get(t)
    get(t, port="PORT2")


@case(f"server {{ listen %PORT%; listen %PORT2% ssl; {A} return 200 $scheme; }}")
def one_server_with_and_without(t):
    t.get("/")
    get(t, port="PORT2")


@case(f"server {{ listen %PORT% ssl; {A} ssl_buffer_size 4k; location / {{ proxy_pass http://%A%; }} }}")
def small_records(t):
    get(t)


@case("server { listen %PORT% ssl; ssl_certificate %DIR%/$ssl_server_name.pem; ssl_certificate_key %DIR%/$ssl_server_name.key; return 200 yes; }")
def certificates_that_clients_name(t):
    for name in ("a", "b", "a", "none", None):
        connection = connect(t, name)
        if connection:
            t.note(f"{name} gets {shown(connection)}")
            connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").read()


@case("server { listen %PORT% ssl; ssl_certificate_cache max=2 valid=20s inactive=20s; ssl_certificate %DIR%/$ssl_server_name.pem; "
      "ssl_certificate_key %DIR%/a.key; return 200 yes; }")
def certificates_that_are_kept(t):
    connect(t, "a")
    (t.directory / "a.pem").unlink()
    t.note("kept" if connect(t, "a") else "read again")


configurations("tls", [
    ("a cache of certificates", f"server {{ listen %PORT% ssl; {A} ssl_certificate_cache max=10 inactive=1m valid=1h; }}"),
    ("a cache of certificates without a size", f"server {{ listen %PORT% ssl; {A} ssl_certificate_cache valid=1h; }}"),
    ("no certificate", "server { listen %PORT% ssl; }"),
    ("no key", "server { listen %PORT% ssl; ssl_certificate %DIR%/a.pem; }"),
    ("a certificate that is not there", "server { listen %PORT% ssl; ssl_certificate %DIR%/none.pem; ssl_certificate_key %DIR%/a.key; }"),
    ("a key that is not there", "server { listen %PORT% ssl; ssl_certificate %DIR%/a.pem; ssl_certificate_key %DIR%/none.key; }"),
    ("a key that is no key", "server { listen %PORT% ssl; ssl_certificate %DIR%/a.pem; ssl_certificate_key %DIR%/passwords; }"),
    ("the key of another certificate", "server { listen %PORT% ssl; ssl_certificate %DIR%/a.pem; ssl_certificate_key %DIR%/b.key; }"),
    ("a relative path", "server { listen %PORT% ssl; ssl_certificate a.pem; ssl_certificate_key a.key; }"),
    ("a passphrase without a file", f"server {{ listen %PORT% ssl; ssl_certificate a.pem; ssl_certificate_key old.key; ssl_password_file /dev/null; }}"),
    ("a rejecting default and a server without", "server { listen %PORT% ssl; ssl_reject_handshake on; } server { listen %PORT% ssl; server_name a; }"),
    ("verification without authorities", f"server {{ listen %PORT% ssl; {A} ssl_verify_client on; }}"),
    ("verification without a certificate", "server { listen %PORT%; ssl_verify_client on; }"),
    ("invalid protocol", f"server {{ listen %PORT% ssl; {A} ssl_protocols TLSv9; }}"),
    ("no suite", f"server {{ listen %PORT% ssl; {A} ssl_ciphers nonsense; }}"),
    ("no curve", f"server {{ listen %PORT% ssl; {A} ssl_ecdh_curve nonsense; }}"),
    ("a small cache", f"server {{ listen %PORT% ssl; {A} ssl_session_cache shared:s:1k; }}"),
    ("a cache without a size", f"server {{ listen %PORT% ssl; {A} ssl_session_cache shared:s; }}"),
    ("a short ticket key", f"server {{ listen %PORT% ssl; {A} ssl_session_ticket_key passwords; }}"),
    ("a verification that is none", f"server {{ listen %PORT% ssl; {A} ssl_verify_client maybe; }}"),
    ("everything", f"server {{ listen %PORT% ssl; {A} ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers HIGH:!aNULL:!MD5; "
     "ssl_prefer_server_ciphers on; ssl_ecdh_curve auto; ssl_session_cache shared:s:1m; ssl_session_timeout 1d; "
     "ssl_session_tickets off; ssl_buffer_size 8k; ssl_verify_client optional; ssl_client_certificate ca.pem; "
     "ssl_trusted_certificate other.pem; ssl_crl crl.pem; ssl_verify_depth 2; }"),
    ("ssl on", "server { listen %PORT%; ssl on; }"),
])
