"""Access logs: formats, escapes, and which requests stand in them."""

import gzip
import re
import socket

from casebook import CASES, Case, case, configurations
from upstream import answer, hang_up, raw


def logged(form, parameters="", location=""):
    return f"""
log_format judge {parameters} {form};
access_log %DIR%/judge.access judge;
upstream u {{
    #lb: health_check off;
    server %A%; server %B%;
}}
server {{ listen 127.0.0.1:%PORT%; server_name example.org alias.example;
    location / {{ proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; {location} }}
    location /r {{ return 200 "returned"; }}
    location /444 {{ return 444; }}
    location /off {{ access_log off; return 200 "not logged"; }}
}}"""


def line(name, form, *requests, parameters=""):
    """A case that logs these requests (arguments of `Stage.get`) in this form."""

    def script(t):
        t.a.behave = t.b.behave = answer("hello", "200 OK", "X-From: up", "Content-Type: text/plain", "Set-Cookie: a=1")
        for arguments, fields in requests or [(("/",), {})]:
            t.get(*arguments, **fields)

    CASES.append(Case(f"logs/{name}", logged(form, parameters), script))


GET = [(("/x%20y?a=1&b=%22", "example.org:81", "User-Agent: judge \"1\"", "Referer: http://r/", "Cookie: a=1; session=xyz",
         "X-Eight: \xe4\\"), {})]
POST = [(("/p", "example.org"), {"method": "POST", "body": b"hello"})]

line("request line and status", '\'"$request" $status\'', *GET)
line("escaped by default", '\'[$http_user_agent] [$http_x_eight] [$http_none]\'', *GET)
line("escaped as JSON", '\'{"ua":"$http_user_agent","eight":"$http_x_eight","none":"$http_none","uri":"$request_uri"}\'', *GET,
     parameters="escape=json")
line("not escaped", '\'$http_user_agent|$http_none|\'', *GET, parameters="escape=none")
line("parts of the target", '"$uri $document_uri $request_uri $args $query_string $is_args $arg_a $arg_b $arg_c"', *GET)
line("parts of the request", '"$request_method $scheme $server_protocol $host $http_host $remote_addr $content_length $content_type"',
     *GET, *POST)
line("who served it", '"$server_name $server_addr $server_port $proxy_host $proxy_port"', *GET, (("/", "alias.example"), {}))
line("cookies", '"$cookie_session $cookie_a $cookie_none $http_cookie"', *GET)
line("sizes of an answer", '"$body_bytes_sent $request_length"', (("/r",), {}), (("/r",), {"method": "HEAD"}), *POST)
line("what was sent", '"$sent_http_content_type $sent_http_content_length $sent_http_x_from $sent_http_none $sent_http_connection"', *GET)
line("what the upstream said", '"$upstream_status $upstream_http_x_from $upstream_http_set_cookie $upstream_addr $upstream_response_length"',
     *GET, (("/r",), {}))
line("requests of a connection", '"$connection_requests $pipe $request_completion"')
line("no proxying, no upstream", '"$upstream_addr|$upstream_status|$upstream_response_time|$proxy_host"', (("/r",), {}))
line("x-forwarded-for", '"$proxy_add_x_forwarded_for"', *GET, (("/", "h", "X-Forwarded-For: 192.0.2.1"), {}))
line("user of basic authorization", '"$remote_user"', (("/", "h", "Authorization: Basic am9lOnB3"), {}), *GET)
line("a dollar in braces", '"${status}x $status"')

TRIES = '"$status $upstream_addr $upstream_status $upstream_bytes_received"'


@case(logged(TRIES))
def each_try_in_order(t):
    t.a.stop()
    t.get("/")


@case(logged('"$status $upstream_addr $upstream_status"'))
def all_tries_failed(t):
    t.a.stop()
    t.b.behave = hang_up
    t.get("/")


@case(logged('"$upstream_connect_time $upstream_header_time $upstream_response_time $request_time"', location="proxy_connect_timeout 1s;"))
def times_have_their_form(t):
    t.a.stop()
    t.get("/")
    t.blur(r"\d\.\d{3}", "S.MMM")


@case(logged('"$time_iso8601 $time_local $msec $request_id $pid"'))
def moments_have_their_form(t):
    t.get("/r")
    t.blur(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00 \d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000 \d+\.\d{3} [0-9a-f]{32} \d+", "as nginx's")


@case(logged('"$status [$request] $body_bytes_sent"'))
def refused_requests_are_logged(t):
    t.raw(b"GET / HTTP/1.1\r\n\r\n")
    t.raw(b"GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n")
    t.raw(b"get / HTTP/1.1\r\nHost: h\r\n\r\n")
    t.raw(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n")
    t.raw(b"GET / HTTP/2.0\r\nHost: h\r\n\r\n")
    t.raw(b"TRACE / HTTP/1.1\r\nHost: h\r\n\r\n")
    t.raw(b"\x16\x03\x01\"\\\r\n\r\n")
    t.raw(b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: h\r\n\r\n")


@case(logged('"$status $request $host"'))
def requests_that_get_no_answer_are_logged(t):
    t.get("/444")
    t.get("/off")
    t.get("/r")


@case("""
log_format one "one $status";
log_format two "two $uri";
access_log %DIR%/a.access one;
server { listen 127.0.0.1:%PORT%;
    location / { return 200 "x"; }
    location /two { access_log %DIR%/a.access one; access_log %DIR%/b.access two; return 200 "x"; }
    location /own { access_log %DIR%/b.access two; return 200 "x"; }
}""")
def several_logs(t):
    for target in ("/", "/two", "/own"):
        t.get(target)


@case("""access_log %DIR%/a.access;
server { listen 127.0.0.1:%PORT%; location / { return 200 "hello"; } }""")
def combined_is_the_default(t):
    t.get("/x?y", "h", "Referer: http://r/", "User-Agent: a\"b")
    t.blur(r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]", "[time]")


@case(logged('"$status $request"'))
def a_broken_answer_is_logged(t):
    t.a.behave = t.b.behave = raw(b"garbage\r\n\r\n", close=True)
    t.get("/")


@case("""
log_format judge "$request_uri $status";
log_format plain "$status";
map $status $is_error { default 0; ~^[45] 1; }
map $arg_a $is_wanted { default ""; yes 1; }
access_log %DIR%/all.access judge if=1;
server { listen 127.0.0.1:%PORT%;
    access_log %DIR%/errors.access plain if=$is_error;
    access_log %DIR%/wanted.access judge buffer=1k flush=1s if=$is_wanted$arg_b;
    access_log %DIR%/never.access judge if=0;
    location / { return 200 x; }
    location /e { return 500 x; }
    location /own { access_log %DIR%/own.access judge if=$arg_a; return 200 x; }
}""")
def requests_that_a_condition_names(t):
    for target in ("/", "/?a=yes", "/?a=yes&b=0", "/?b=0", "/e", "/e?a=yes", "/own", "/own?a=0", "/own?a=00", "/own?a="):
        t.get(target)
    t.raw(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")


BY_PATH = """
log_format judge "$host $request_uri $status";
%s
server { listen 127.0.0.1:%%PORT%%; root %%DIR%%;
    location / { access_log %%DIR%%/$host.access judge; return 200 x; }
    location /both { access_log %%DIR%%/all.access judge; access_log %%DIR%%/$host-$arg_a.access judge if=$arg_a; return 200 x; }
    location /missing { root %%DIR%%/nothing; access_log %%DIR%%/$host.access judge; return 200 x; }
}"""


def for_everybody(t):
    """NGINX's workers are not root, and create these files."""
    t.directory.chmod(0o777)


def by_path(t):
    for target, host in (("/", "a.example"), ("/x", "b.example"), ("/both", "a.example"), ("/both?a=1", "a.example"),
                         ("/missing", "a.example"), ("/y", "a.example")):
        t.get(target, host)


CASES.append(Case("logs/paths with variables", BY_PATH % "", by_path, lays_out=for_everybody))
CASES.append(Case("logs/paths with variables that stay open", BY_PATH % "open_log_file_cache max=2 inactive=20s valid=1m;", by_path,
                  lays_out=for_everybody))


@case("""
log_format judge "$request_uri $status";
access_log %DIR%/log.gz judge gzip flush=20ms;
server { listen 127.0.0.1:%PORT%; location / { return 200 x; } }""")
def a_compressed_log_is_read_as_one_text(t):
    def text():
        try:
            return gzip.decompress((t.directory / "log.gz").read_bytes()).decode()
        except (OSError, EOFError):
            return ""

    for target in ("/one", "/two"):
        t.get(target)
        t.eventually("the buffer is written", lambda wanted=target: wanted in text())
    t.note(*text().splitlines())


@case("""
log_format judge "$request_uri $status";
access_log %DIR%/log judge buffer=64k;
server { listen 127.0.0.1:%PORT%; location / { return 200 x; } }""")
def a_buffered_log_waits(t):
    t.get("/one")
    t.wait(0.2)
    t.note(f"written: {(t.directory / 'log').read_text()!r}")


def syslog_server(t):
    t.syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    t.syslog.bind(str(t.directory / "syslog.sock"))
    t.syslog.settimeout(3)
    (t.directory / "syslog.sock").chmod(0o777)


SYSLOG_HTTP = """
log_format judge "$request_uri $status";
access_log syslog:server=unix:%DIR%/syslog.sock,facility=daemon,severity=notice,tag=judge_1,nohostname judge;
access_log syslog:server=unix:%DIR%/syslog.sock judge if=$arg_more;
server { listen 127.0.0.1:%PORT%;
    location / { return 200 x; }
    location /error { error_log syslog:server=unix:%DIR%/syslog.sock,tag=errors warn; client_max_body_size 1; return 200 x; }
}"""


def to_syslog(t):
    host = socket.gethostname().lower()

    def received():
        text = t.syslog.recv(4096).decode()
        text = re.sub(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d", "Mmm dd hh:mm:ss", text)
        text = re.sub(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d", "date", text)
        return re.sub(r"\d+#\d+: (\*\d+ )?", "", text).replace(host, "host").split(",")[0]

    t.get("/one")
    t.note(received())
    # Each destination has a thread of its own in lb: their order is not promised.
    t.get("/two?more=1")
    t.note(*sorted(received() for _ in range(2)))
    t.get("/error", method="POST", body=b"more than one byte")
    t.note(*sorted(received() for _ in range(2)))
    t.syslog.close()


CASES.append(Case("logs/to syslog", SYSLOG_HTTP, to_syslog, lays_out=syslog_server))


@case("""
log_format judge "$request_uri $status";
client_max_body_size 1;
server { listen 127.0.0.1:%PORT%; error_log %DIR%/server.error error;
    location / { return 200 x; }
    location /quiet { error_log %DIR%/quiet.error crit; return 200 x; }
    location /two { error_log %DIR%/two.error; error_log %DIR%/also.error info; return 200 x; }
}""")
def error_logs_of_levels(t):
    for target in ("/", "/quiet", "/two", "/"):
        t.get(target, method="POST", body=b"more than one byte")
    t.wait(0.1)
    for log in sorted(t.directory.glob("*.error")):
        lines = [line for line in log.read_text().splitlines() if "too large body" in line]
        t.note(f"{log.name}: {len(lines)}")


@case("""
server { listen 127.0.0.1:%PORT%;
    location / { return 200 "$connections_active $connections_reading $connections_writing $connections_waiting"; }
    location /status { stub_status; }
    location /status.html { stub_status on; add_header X-A b; }
    location /denied { stub_status; deny all; }
}""")
def counts_of_connections(t):
    t.get("/")
    t.get("/status")
    t.get("/status", method="HEAD")
    t.get("/status", method="POST", body=b"x")
    t.get("/status", method="PUT", body=b"x")
    t.get("/status.html?a")
    t.get("/denied")


configurations("logs", [(f"refused: {text}", text) for text in (
    "access_log syslog:;",
    "access_log syslog:server=;",
    "access_log syslog:facility=user;",
    "access_log syslog:server=127.0.0.1:99999;",
    "access_log syslog:server=127.0.0.1,facility=nope;",
    "access_log syslog:server=127.0.0.1,severity=nope;",
    "access_log syslog:server=127.0.0.1,tag=a-b;",
    "access_log syslog:server=127.0.0.1,tag=abcdefghijabcdefghijabcdefghijabc;",
    "access_log syslog:server=127.0.0.1,x=1;",
    "access_log syslog:server=127.0.0.1,server=127.0.0.2;",
    "access_log syslog:server=127.0.0.1 combined buffer=1k;",
    "access_log %DIR%/$host.access combined buffer=1k;",
    "access_log %DIR%/a.access combined flush=1s;",
    "access_log %DIR%/a.access combined gzip=0;",
    "access_log %DIR%/a.access combined buffer=1k; access_log %DIR%/a.access combined buffer=2k;",
    "open_log_file_cache inactive=2s;",
    "open_log_file_cache x;",
    "open_log_file_cache max=1; open_log_file_cache off;",
    "server { listen 127.0.0.1:%PORT%; error_log syslog:server=127.0.0.1,tag=a-b; }",
    "server { listen 127.0.0.1:%PORT%; location / { stub_status a b; } }",
)])
