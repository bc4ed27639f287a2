"""Who the client is: the PROXY protocol, and fields of proxies that are believed."""

import socket
import struct

from casebook import CASES, Case, case, configurations, topic_of

ASK = b"GET /r HTTP/1.1\r\nHost: h\r\n\r\n"
KEEP = b"GET /r HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n"

# A port that the system has chosen is another each time.
PORT = "map $remote_port $port { default $remote_port; \"~^[3-6][0-9]{4}$\" chosen; }"
SAYS = ("$remote_addr|$proxy_protocol_addr|$proxy_protocol_port|$proxy_protocol_server_addr|$proxy_protocol_server_port|"
        "$realip_remote_addr|$server_addr")
TLVS = ("$proxy_protocol_tlv_alpn|$proxy_protocol_tlv_authority|$proxy_protocol_tlv_unique_id|$proxy_protocol_tlv_netns|"
        "$proxy_protocol_tlv_0xEA|$proxy_protocol_tlv_ssl_verify|$proxy_protocol_tlv_ssl_version|$proxy_protocol_tlv_ssl_cn|"
        "$proxy_protocol_tlv_ssl_cipher|$proxy_protocol_tlv_ssl_sig_alg|$proxy_protocol_tlv_ssl_key_alg|"
        "$proxy_protocol_tlv_ssl_0x21")


def behind_proxy(settings="", says=SAYS):
    return f"""{PORT}
log_format judge "$remote_addr|$realip_remote_addr|$proxy_protocol_addr|$status|$request";
access_log %DIR%/judge.access judge;
server {{
    listen 127.0.0.1:%PORT% proxy_protocol;
    {settings}
    location /r {{ return 200 "{says}\\n"; }}
    location / {{ proxy_pass http://%A%; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }}
}}"""


SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
INET = bytes([192, 0, 2, 1, 192, 0, 2, 9]) + struct.pack(">HH", 4321, 443)
INET6 = socket.inet_pton(socket.AF_INET6, "2001:db8::1") + socket.inet_pton(socket.AF_INET6, "::1") + struct.pack(">HH", 7, 8)


def binary(command, family, body, version=2, length=None):
    head = bytes([version << 4 | command, family]) + struct.pack(">H", len(body) if length is None else length)
    return SIGNATURE + head + body


def tlv(number, value):
    return bytes([number]) + struct.pack(">H", len(value)) + value


SSL = tlv(0x20, b"\x07" + struct.pack(">I", 0) + tlv(0x21, b"TLSv1.3") + tlv(0x22, b"client") + tlv(0x23, b"AES"))
VALUES = tlv(1, b"h2") + tlv(2, b"example.org") + tlv(4, b"") + tlv(0xEA, b"vpc") + SSL


def headers(rows, settings="", says=SAYS):
    """One case per row: its name, and the bytes before the request."""
    for name, header in rows:
        CASES.append(Case(f"{topic_of(__name__)}/{name}", behind_proxy(settings, says),
                          lambda t, header=header: t.raw(header + ASK)))


headers([
    ("proxy protocol 1", b"PROXY TCP4 192.0.2.1 192.0.2.9 4321 443\r\n"),
    ("proxy protocol 1 of IPv6", b"PROXY TCP6 2001:db8::1 ::1 7 8\r\n"),
    ("proxy protocol 1 without ports", b"PROXY TCP4 192.0.2.1 192.0.2.9 0 0\r\n"),
    ("proxy protocol 1, unknown", b"PROXY UNKNOWN\r\n"),
    ("proxy protocol 1, unknown with words", b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"),
    ("proxy protocol 1, a port too large", b"PROXY TCP4 192.0.2.1 192.0.2.9 65536 443\r\n"),
    ("proxy protocol 1, a word missing", b"PROXY TCP4 192.0.2.1 192.0.2.9 443\r\n"),
    ("proxy protocol 1, no address", b"PROXY TCP4 example 192.0.2.9 1 443\r\n"),
    ("proxy protocol 1, another protocol", b"PROXY UDP4 192.0.2.1 192.0.2.9 1 443\r\n"),
    ("proxy protocol 1, in small letters", b"proxy TCP4 192.0.2.1 192.0.2.9 1 443\r\n"),
    ("proxy protocol 1, a line end alone", b"PROXY TCP4 192.0.2.1 192.0.2.9 1 443\n"),
    ("no proxy protocol", b""),
    ("proxy protocol 2", binary(1, 0x11, INET)),
    ("proxy protocol 2 of IPv6", binary(1, 0x21, INET6)),
    ("proxy protocol 2, local", binary(0, 0x00, b"")),
    ("proxy protocol 2, local with addresses", binary(0, 0x11, INET)),
    ("proxy protocol 2, an unknown command", binary(2, 0x11, INET)),
    ("proxy protocol 2, datagrams", binary(1, 0x12, INET)),
    ("proxy protocol 2, a Unix socket", binary(1, 0x31, b"x" * 216)),
    ("proxy protocol 2, an unknown family", binary(1, 0x41, INET)),
    ("proxy protocol 2, too short for its family", binary(1, 0x11, INET[:11])),
    ("proxy protocol 2, another version", binary(1, 0x11, INET, version=3)),
    ("proxy protocol 2, more announced than may be", binary(1, 0x11, INET, length=4081)),
    ("proxy protocol twice", b"PROXY UNKNOWN\r\nPROXY TCP4 192.0.2.1 192.0.2.9 4321 443\r\n"),
])
headers([
    ("values of proxy protocol 2", binary(1, 0x11, INET + VALUES)),
    ("values of proxy protocol 2, broken behind one", binary(1, 0x11, INET + tlv(1, b"h2") + b"\x02\x00\x09x")),
    ("values of proxy protocol 2, broken before one", binary(1, 0x11, INET + b"\x02\x00\x09x" + tlv(1, b"h2"))),
    ("values of proxy protocol 2, ssl too short", binary(1, 0x11, INET + tlv(0x20, b"\x07\0\0\0"))),
    ("values of proxy protocol 1", b"PROXY TCP4 192.0.2.1 192.0.2.9 4321 443\r\n"),
], says=TLVS)
headers([
    ("the client by proxy protocol 1", b"PROXY TCP4 192.0.2.1 192.0.2.9 4321 443\r\n"),
    ("the client by proxy protocol 2", binary(1, 0x21, INET6)),
    ("the client by proxy protocol, unknown", b"PROXY UNKNOWN\r\n"),
    ("the client by proxy protocol, local", binary(0, 0x00, b"")),
], "set_real_ip_from 127.0.0.0/8; real_ip_header proxy_protocol;", SAYS + "|$port|$binary_remote_addr")


@case(behind_proxy("set_real_ip_from 127.0.0.1; real_ip_header proxy_protocol;"))
def requests_of_a_proxied_connection(t):
    connection = t.connect().send(b"PROXY TCP4 192.0.2.1 192.0.2.9 4321 443\r\n" + ASK)
    connection.read()
    connection.send(KEEP).read()
    connection.send(b"GET /a HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n").read()
    connection.end()


@case(behind_proxy())
def proxy_protocol_and_the_request_apart(t):
    connection = t.connect().send(b"PROXY TCP4 192.0.2.1 192.0.2.9 4321 443\r\n")
    t.wait(0.1)
    connection.send(ASK).read()
    connection.end()


@case(behind_proxy())
def a_proxied_request_that_is_wrong(t):
    t.raw(b"PROXY TCP4 192.0.2.1 192.0.2.9 4321 443\r\nGET /\x01 HTTP/1.1\r\n\r\n")


@case(behind_proxy("client_header_timeout 1s;"))
def no_proxy_protocol_in_time(t):
    t.connect().send(b"").read()


@case(behind_proxy())
def half_a_proxy_protocol(t):
    t.connect().send(b"PROXY TCP4 192.0.2.1").half_close().read()


@case("""
server { listen 127.0.0.1:%PORT%; location /r { return 200 "$remote_addr|$proxy_protocol_addr\\n"; } }
server { listen 127.0.0.1:%PORT%; listen 127.0.0.1:%PORT2% proxy_protocol; server_name other;
    location /r { return 200 "other: $remote_addr|$proxy_protocol_addr\\n"; } }
""")
def proxy_protocol_on_one_address(t):
    header = b"PROXY TCP4 192.0.2.1 192.0.2.9 4321 443\r\n"
    t.raw(ASK)
    t.raw(header + ASK)
    t.raw(header + ASK, port="PORT2")
    t.raw(ASK, port="PORT2")


@case("""
server { listen 127.0.0.1:%PORT%; location /r { return 200 "first: $proxy_protocol_addr\\n"; } }
server { listen 127.0.0.1:%PORT% proxy_protocol; server_name h; location /r { return 200 "h: $proxy_protocol_addr\\n"; } }
""")
def one_listen_says_it_for_all(t):
    t.raw(b"PROXY TCP4 192.0.2.1 192.0.2.9 4321 443\r\n" + ASK)
    t.raw(ASK)


@case(behind_proxy().replace("127.0.0.1:%PORT%", "%SOCK%").replace(
    "location /r", "set_real_ip_from unix:; real_ip_header proxy_protocol; location /r"))
def proxy_protocol_over_a_unix_socket(t):
    connection = t.connect(str(t.directory / "lb.sock"))
    connection.send(b"PROXY TCP4 192.0.2.1 192.0.2.9 4321 443\r\n" + ASK).read()
    connection.end()


FORWARDED = "real_ip_header X-Forwarded-For;"
RECURSIVE = FORWARDED + " real_ip_recursive on;"


def believing(settings, location="", tail=""):
    return f"""{PORT}
log_format judge "$remote_addr|$realip_remote_addr|$status";
access_log %DIR%/judge.access judge;
geo $from {{ default elsewhere; 127.0.0.0/8 here; 192.0.2.0/24 test; }}
upstream by_address {{ ip_hash; server %A%; server %B%; server %C%; }}
server {{
    listen 127.0.0.1:%PORT%; listen %SOCK%;
    {settings}
    location /r {{ {location} return 200 "$remote_addr|$port|$realip_remote_addr|$binary_remote_addr|$from\\n"; }}
    location /say {{ {location} proxy_pass http://%A%; proxy_set_header X-Says "$remote_addr|$port|$realip_remote_addr";
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }}
    location /by {{ proxy_pass http://by_address; }}
    {tail}
}}"""


def fields(name, settings, *lines, location=""):
    """A case: what /say makes of a request with these fields."""
    CASES.append(Case(f"{topic_of(__name__)}/{name}", believing(settings, location), lambda t: t.get("/say", "h", *lines)))


HERE = "set_real_ip_from 127.0.0.1; "
for name, settings in (("once", FORWARDED), ("recursive", RECURSIVE)):
    believed = HERE + "set_real_ip_from 10.0.0.0/8; set_real_ip_from 2001:db8::/32; " + settings
    for what, *values in (
        ("one address", "192.0.2.1"),
        ("two addresses", "192.0.2.1, 192.0.2.2"),
        ("behind a believed one", "192.0.2.1, 10.0.0.2"),
        ("behind many believed ones", "192.0.2.7, 192.0.2.1,10.0.0.2 , 10.0.0.3,"),
        ("believed ones alone", "10.0.0.1, 10.0.0.2"),
        ("nonsense before", "nonsense, 10.0.0.2"),
        ("nonsense behind", "192.0.2.1, nonsense"),
        ("nonsense between", "192.0.2.1, unknown, 10.0.0.2"),
        ("nothing",),
        ("an empty field", ""),
        ("commas alone", " , ,"),
        ("two fields", "192.0.2.1", "192.0.2.2"),
        ("two fields, the last believed", "192.0.2.1", "10.0.0.2"),
        ("three fields", "192.0.2.1", "192.0.2.2, 10.0.0.3", "10.0.0.4, 10.0.0.2"),
        ("two fields, nonsense in the last", "192.0.2.1", "nonsense, 10.0.0.2"),
        ("two fields, nonsense in the first", "nonsense", "10.0.0.2"),
        ("a port", "192.0.2.1:8080"),
        ("a port of a believed one", "192.0.2.1:1, 10.0.0.2:2"),
        ("IPv6", "2001:db9::1"),
        ("IPv6 in brackets with a port", "[2001:db9::1]:8080"),
        ("IPv6 in brackets", "[2001:db9::1]"),
        ("IPv6 believed", "192.0.2.1, 2001:db8::7"),
        ("IPv4 in IPv6", "::ffff:192.0.2.1"),
        ("IPv4 in IPv6, believed", "192.0.2.1, ::ffff:10.0.0.1"),
        ("port 0", "192.0.2.1:0"),
        ("a port too large", "192.0.2.1:65536"),
        ("a port that is none", "192.0.2.1:http"),
        ("a colon alone", "192.0.2.1:"),
        ("a name", "example.org"),
        ("a quoted address", "\"192.0.2.1\""),
        ("an address and more", "192.0.2.1;x"),
        ("an address too long", "192.0.2.1.5"),
        ("tabs", "192.0.2.1,\t192.0.2.2"),
    ):
        fields(f"{name}: {what}", believed, *(f"X-Forwarded-For: {value}" for value in values))

SPOOFED = ("X-Forwarded-For: 192.0.2.1", "X-Real-IP: 192.0.2.2")
fields("x-real-ip by default", HERE, *SPOOFED)
fields("x-real-ip twice", HERE, "X-Real-IP: 192.0.2.1", "X-Real-IP: 192.0.2.2")
fields("another field", HERE + "real_ip_header CF-Connecting-IP;", "CF-Connecting-IP: 192.0.2.3", *SPOOFED)
fields("another field twice", HERE + "real_ip_header X-Client;", "X-Client: 192.0.2.3", "X-Client: 192.0.2.4")
fields("x-forwarded-for in small letters is another field", HERE + "real_ip_header x-forwarded-for;",
       "X-Forwarded-For: 192.0.2.3", "X-Forwarded-For: 192.0.2.4")
fields("a field with an underscore", HERE + "real_ip_header X_Client;", "X_Client: 192.0.2.3")
fields("a field with an underscore that may be", HERE + "underscores_in_headers on; real_ip_header X_Client;",
       "X_Client: 192.0.2.3")
fields("nobody is believed", FORWARDED, *SPOOFED)
fields("somebody else is believed", "set_real_ip_from 10.0.0.0/8; " + FORWARDED, *SPOOFED)
fields("unix sockets are believed, this is none", "set_real_ip_from unix:; " + FORWARDED, *SPOOFED)
fields("a name is believed", "set_real_ip_from localhost; " + FORWARDED, *SPOOFED)
fields("everybody is believed", "set_real_ip_from 0.0.0.0/0; " + FORWARDED, *SPOOFED)
fields("proxy_protocol without any", HERE + "real_ip_header proxy_protocol;", *SPOOFED)
fields("a location believes", FORWARDED, *SPOOFED, location=HERE)
fields("a location reads another field", HERE + "real_ip_header X-None;", *SPOOFED, location="real_ip_header X-Real-IP;")
fields("the server has found somebody before the location", HERE + FORWARDED, *SPOOFED, location="real_ip_header X-Real-IP;")
fields("a location believes somebody else", HERE + "real_ip_header X-None;", *SPOOFED,
       location="set_real_ip_from 10.0.0.1; real_ip_header X-Real-IP;")


@case(believing(HERE + FORWARDED))
def each_request_of_a_connection_has_its_own_client(t):
    connection = t.connect()
    for value in ("192.0.2.1", "192.0.2.2", "nonsense", "10.0.0.1:7"):
        connection.send(f"GET /say HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: {value}\r\n\r\n").read()
    connection.end()


@case(believing("set_real_ip_from unix:; " + FORWARDED))
def a_unix_socket_is_believed(t):
    for _ in range(2):
        connection = t.connect(str(t.directory / "lb.sock"))
        connection.send(b"GET /r HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n").read()
        connection.end()
    connection = t.connect(str(t.directory / "lb.sock"))
    connection.send(ASK).read()
    connection.end()


@case(believing(HERE + FORWARDED))
def servers_and_networks_go_by_the_found_address(t):
    for value in ("192.0.2.1", "198.51.100.1", "203.0.113.1", "10.1.1.1", "10.2.2.2", "2001:db8::5"):
        t.get("/by", "h", f"X-Forwarded-For: {value}")
    for value in ("192.0.2.1:9", "198.51.100.1"):
        t.get("/r", "h", f"X-Forwarded-For: {value}")


@case(believing(HERE + FORWARDED, tail="location /e { error_page 404 /r; return 404; } location /i { rewrite ^ /say; }"))
def a_found_address_stays_through_redirects(t):
    t.get("/e", "h", "X-Forwarded-For: 192.0.2.1:9")
    t.get("/i", "h", "X-Forwarded-For: 192.0.2.1:9")


def in_server(text):
    return f"server {{ listen 127.0.0.1:%PORT%; {text} location / {{ return 200 x; }} }}"


configurations("clients", [
    ("low bits of a network", in_server("set_real_ip_from 10.0.0.1/8;")),
    ("a network that is none", in_server("set_real_ip_from 10.0.0.0/33;")),
    ("an address with a port", in_server("set_real_ip_from 10.0.0.1:80;")),
    ("a name that nobody knows", in_server("set_real_ip_from no-such-name.invalid;")),
    ("real_ip_header twice", in_server("real_ip_header a; real_ip_header b;")),
    ("real_ip_recursive maybe", in_server("real_ip_recursive maybe;")),
    ("proxy_protocol has no value", "server { listen 127.0.0.1:%PORT% proxy_protocol=on; }"),
    ("proxy_protocol_timeout is not of http", in_server("proxy_protocol_timeout 3s;")),
    ("proxy_protocol variables are not defined", in_server("set $proxy_protocol_addr x;")),
])
