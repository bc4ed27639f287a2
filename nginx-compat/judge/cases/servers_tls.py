"""`proxy_pass https://`: what a server is told and shown, which servers are trusted, and what comes of a failure."""

import certificates
from casebook import CASES, Case
from secure_servers import case, speaking
from upstream import answer, hang_up, in_turn

ALL = ("name", "version", "certificate")
TRUSTED = "proxy_ssl_verify on; proxy_ssl_trusted_certificate %DIR%/ca.pem;"
CLIENT = "proxy_ssl_certificate %DIR%/client.pem; proxy_ssl_certificate_key %DIR%/client.key;"
FALLBACK = "error_page 502 504 =200 /failed; location = /failed { return 200 \"failed: $upstream_status\"; }"


def server(settings, to="%A%", more=FALLBACK):
    return f"server {{ listen %PORT%; location / {{ proxy_pass https://{to}; {settings} }} {more} }}"


def one(name, settings, to="%A%", times=1, http=None, **offer):
    """One request, or several, each on a connection of its own to the proxy."""

    def script(t):
        for _ in range(times):
            t.get("/x", "b.test")

    case(http or server(settings, to), speaking(**({"says": ALL} | offer)), name)(script).__module__ = __name__


# What the server is told.
one("no settings", "")
one("SNI of an address", "proxy_ssl_server_name on;")
one("SNI of a name", "proxy_ssl_server_name on; proxy_ssl_name a.test;")
one("a name without SNI", "proxy_ssl_name a.test;")
one("a name with a port", "proxy_ssl_server_name on; proxy_ssl_name a.test:443;")
one("a name with variables", "proxy_ssl_server_name on; proxy_ssl_name $host;")
one("SNI of an upstream's name", "", http="upstream group.test { server %A%; } " + server("proxy_ssl_server_name on;", "group.test"))
one("an address out of a variable", "", http="server { listen %PORT%; location / { set $to %A%; proxy_ssl_server_name on; "
    f"proxy_ssl_name a.test; proxy_pass https://$to; }} {FALLBACK} }}")
one("a scheme out of a variable", "", http="server { listen %PORT%; location / { set $how https; "
    f"proxy_pass $how://%A%; }} {FALLBACK} }}")

# Who is trusted.
for name, settings, offer in [
    ("trusted", "proxy_ssl_name a.test;", {}),
    ("another name", "proxy_ssl_name else.test;", {}),
    ("the address as the name", "", {}),
    ("an address in the certificate", "", {"certificate": "dns"}),
    ("a wildcard", "proxy_ssl_name x.wild.test;", {"certificate": "dns"}),
    ("two labels for a wildcard", "proxy_ssl_name x.y.wild.test;", {"certificate": "dns"}),
    ("a stranger's authority", "proxy_ssl_name stranger.test;", {"certificate": "stranger"}),
    ("nobody's authority", "proxy_ssl_name self.test;", {"certificate": "self"}),
    ("an authority between", "proxy_ssl_name chain.test;", {"certificate": "chain"}),
    ("an authority between and depth 0", "proxy_ssl_name chain.test; proxy_ssl_verify_depth 0;", {"certificate": "chain"}),
    ("depth 0", "proxy_ssl_name a.test; proxy_ssl_verify_depth 0;", {}),
    ("a list of revoked ones", "proxy_ssl_name a.test; proxy_ssl_crl %DIR%/crl.pem;", {}),
    ("a revoked one", "proxy_ssl_name revoked.test; proxy_ssl_crl %DIR%/crl.pem;", {"certificate": "revoked"}),
    ("a revoked one without a list", "proxy_ssl_name revoked.test;", {"certificate": "revoked"}),
]:
    one(f"verify, {name}", TRUSTED + settings, **offer)
one("verify, itself trusted", "proxy_ssl_verify on; proxy_ssl_trusted_certificate %DIR%/self.pem; proxy_ssl_name self.test;",
    certificate="self")
one("verify off, anybody", "proxy_ssl_verify off;", certificate="self")
one("verify off and another name", "proxy_ssl_name else.test; proxy_ssl_server_name on;")

# What the server is shown.
one("a certificate", CLIENT, wants="ca.pem")
one("no certificate", "", wants="ca.pem")
one("a stranger's certificate", "proxy_ssl_certificate %DIR%/stranger.pem; proxy_ssl_certificate_key %DIR%/stranger.key;",
    wants="ca.pem")
one("a certificate that is not asked for", CLIENT)
one("a certificate of RSA", "proxy_ssl_certificate %DIR%/rsa.pem; proxy_ssl_certificate_key %DIR%/rsa.key;", wants="ca.pem")
one("a certificate with an authority between",
    "proxy_ssl_certificate %DIR%/deep.pem; proxy_ssl_certificate_key %DIR%/deep.key;", wants="ca.pem")
one("a certificate that a level takes away", "", wants="ca.pem",
    http=f"server {{ listen %PORT%; {CLIENT} location / {{ proxy_ssl_certificate \"\"; proxy_pass https://%A%; }} }}")

# Versions and suites.
one("TLS 1.2 of the server", "", version="1.2", says=("version", "cipher"))
one("TLS 1.3 of the server", "", version="1.3", says=("version",))
one("TLS 1.2 alone", "proxy_ssl_protocols TLSv1.2;", says=("version",))
one("TLS 1.3 alone", "proxy_ssl_protocols TLSv1.3;", says=("version",))
one("TLS 1.3 alone to a server of 1.2", "proxy_ssl_protocols TLSv1.3;", version="1.2")
one("a suite of TLS 1.2", "proxy_ssl_protocols TLSv1.2; proxy_ssl_ciphers ECDHE-ECDSA-CHACHA20-POLY1305;", says=("version", "cipher"))
one("no suite in common", "proxy_ssl_protocols TLSv1.2; proxy_ssl_ciphers ECDHE-ECDSA-CHACHA20-POLY1305;",
    ciphers="ECDHE-ECDSA-AES128-GCM-SHA256", version="1.2")
one("a suite of TLS 1.3", "proxy_ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256;", says=("version", "cipher"))
one("the greatest version by a command", "proxy_ssl_conf_command MaxProtocol TLSv1.2;", says=("version",))

# Keys under a passphrase, and certificates that a request names.
SECRET = "proxy_ssl_certificate %DIR%/a.pem; proxy_ssl_password_file %DIR%/passwords; proxy_ssl_certificate_key"
one("a key under a passphrase", f"{SECRET} %DIR%/p8.key;", wants="ca.pem", certificate="b")
one("a key under a passphrase, in the older form", f"{SECRET} %DIR%/old.key;", wants="ca.pem", certificate="b")
BY_REQUEST = "proxy_ssl_certificate %DIR%/$arg_who.pem; proxy_ssl_certificate_key %DIR%/$arg_who.key;"


@case(server(BY_REQUEST + 'proxy_http_version 1.1; proxy_set_header Connection "";', "u", FALLBACK) + " upstream u { server %A%; keepalive 4; }",
      speaking(says=("certificate",), wants="ca.pem"))
def certificates_that_requests_name(t):
    # Each ends its connection, since NGINX would show the next server what the first was shown.
    t.a.behave = answer("to the end", length=False)
    for who in ("client", "b", "client", "none"):
        t.get(f"/?who={who}")


@case(server('proxy_ssl_certificate $arg_file; proxy_ssl_certificate_key %DIR%/client.key;'), speaking(says=("certificate",), wants="ca.pem"))
def a_certificate_that_a_request_leaves_out(t):
    t.a.behave = answer("to the end", length=False)
    t.get("/")


@case(server(BY_REQUEST + "proxy_ssl_certificate_cache max=2 inactive=20s valid=20s;"), speaking(says=("certificate",), wants="ca.pem"))
def certificates_that_are_kept(t):
    t.a.behave = answer("to the end", length=False)
    t.get("/?who=client")
    (t.directory / "client.pem").unlink()
    t.get("/?who=client")
    t.get("/?who=b")


@case(server(BY_REQUEST.replace("$arg_who.key", "p8.key") + "proxy_ssl_password_file %DIR%/passwords;"),
      speaking(says=("certificate",), wants="ca.pem", certificate="b"))
def a_key_under_a_passphrase_that_requests_name(t):
    t.get("/?who=a")

# Sessions.
def sessions(how, version):
    def script(t):
        t.a.behave = answer("to the end", length=False)
        for _ in range(3):
            t.get("/")

    case(server(f"proxy_ssl_session_reuse {how};"), speaking(version=version, says=("resumed",)),
         f"sessions {how}, TLS {version}")(script).__module__ = __name__


for version in ("1.2", "1.3"):
    for how in ("on", "off"):
        sessions(how, version)


# Connections that are kept.
@case("upstream u { server %A%; keepalive 4; } server { listen %PORT%; proxy_http_version 1.1; proxy_set_header Connection \"\";"
      " location / { proxy_pass https://u; } location /named { proxy_ssl_server_name on; proxy_ssl_name a.test; proxy_pass https://u; } }",
      speaking(says=("name",)))
def kept_connections(t):
    for target in ("/1", "/2", "/3"):
        t.get(target)
    t.note(f"{t.a.connections} connections")
    t.get("/named")


# Failures.
TWO = "upstream u { server %A%; server %B%; } "


def tries(name, settings, prepare, target="/"):
    http = f"{TWO} server {{ listen %PORT%; location / {{ proxy_pass https://u; {settings} }} {FALLBACK} }}"

    def script(t):
        for _ in range(4):
            t.get(target)

    case(http, prepare, name)(script).__module__ = __name__


tries("a server that does not speak TLS", "", speaking(servers="b"))
tries("a server that does not speak TLS, off", "proxy_next_upstream off;", speaking(servers="b"))
tries("a server that does not speak TLS, timeout alone", "proxy_next_upstream timeout;", speaking(servers="b"))


def different(stage):
    speaking(servers="a", certificate="stranger", says=ALL)(stage)
    speaking(servers="b", certificate="b", says=ALL)(stage)


tries("a server that is not trusted", TRUSTED + "proxy_ssl_name b.test;", different)
tries("a server that is not trusted, off", TRUSTED + "proxy_ssl_name b.test; proxy_next_upstream off;", different)


@case(server("proxy_read_timeout 300ms;"), speaking())
def answers_and_their_ends(t):
    for behave in (answer("x" * 100_000), answer("to the end", length=False), hang_up):
        t.a.behave = behave
        t.get("/")


@case(server(""), speaking())
def long_bodies(t):
    t.a.behave = answer("y" * 300_000)
    t.get("/", method="POST", body=b"z" * 300_000)


@case(f"{TWO} server {{ listen %PORT%; location / {{ proxy_pass https://u; proxy_next_upstream http_503; }} {FALLBACK} }}",
      speaking(servers="ab"))
def a_refusal_is_tried_again(t):
    t.a.behave = t.b.behave = in_turn(answer("no", "503 No"), answer("yes"))
    t.get("/")


# What stands in files.
def configurations(rows):
    for name, settings in rows:
        CASES.append(Case(f"servers_tls/{name}", server(settings), lambda t: None, checks_only=True,
                          lays_out=certificates.lay_out))


configurations([
    ("configuration, verify without authorities", "proxy_ssl_verify on;"),
    ("configuration, authorities that are not there", "proxy_ssl_verify on; proxy_ssl_trusted_certificate none.pem;"),
    ("configuration, a certificate without a key", "proxy_ssl_certificate a.pem;"),
    ("configuration, a key without a certificate", "proxy_ssl_certificate_key a.key;"),
    ("configuration, a certificate that is not there", "proxy_ssl_certificate none.pem; proxy_ssl_certificate_key a.key;"),
    ("configuration, a key that is not there", "proxy_ssl_certificate a.pem; proxy_ssl_certificate_key none.key;"),
    ("configuration, the key of another certificate", "proxy_ssl_certificate a.pem; proxy_ssl_certificate_key b.key;"),
    ("configuration, a key that is no key", "proxy_ssl_certificate a.pem; proxy_ssl_certificate_key passwords;"),
    ("configuration, a list that is not there", f"{TRUSTED} proxy_ssl_crl none.pem;"),
    ("configuration, a list that is none", f"{TRUSTED} proxy_ssl_crl a.pem;"),
    ("configuration, a version that is none", "proxy_ssl_protocols TLSv9;"),
    ("configuration, no suite", "proxy_ssl_ciphers nonsense;"),
    ("configuration, a key without its passphrase", "proxy_ssl_certificate a.pem; proxy_ssl_certificate_key p8.key; proxy_ssl_password_file /dev/null;"),
    ("configuration, passphrases that are not there", "proxy_ssl_certificate a.pem; proxy_ssl_certificate_key p8.key; proxy_ssl_password_file none;"),
    ("configuration, a cache without a size", "proxy_ssl_certificate_cache inactive=3s;"),
    ("configuration, a cache of a time that is none", "proxy_ssl_certificate_cache max=2 valid=x;"),
    ("configuration, a cache", "proxy_ssl_certificate_cache max=2 valid=1m inactive=2m;"),
    ("configuration, no cache", "proxy_ssl_certificate_cache off;"),
    ("configuration, a depth that is none", "proxy_ssl_verify_depth x;"),
    ("configuration, everything", f"{TRUSTED} {CLIENT} proxy_ssl_crl crl.pem; proxy_ssl_verify_depth 2; proxy_ssl_name $host; "
     "proxy_ssl_server_name on; proxy_ssl_session_reuse off;"),
])
