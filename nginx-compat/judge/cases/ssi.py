"""`ssi`, `add_before_body`, `add_after_body`: answers that are made of several."""

from casebook import CASES, Case, case, configurations
from upstream import answer, pieces

INCLUDING = r"""
default_type text/html;
map $arg_m $mapped { default "unmapped"; yes "<mapped>"; }
log_format sub '$request_method $uri $status';
access_log %DIR%/judge.access sub;
server {
    listen 127.0.0.1:%PORT%; server_name example.org; ssi on; root %DIR%/pages;
    set $mine "a value";
    location / { }
    location /server/ { proxy_pass http://%A%; }
    location /off/ { ssi off; proxy_pass http://%A%; }
    location /types/ { ssi_types text/plain; proxy_pass http://%A%; }
    location /silent/ { ssi_silent_errors on; proxy_pass http://%A%; }
    location /short/ { ssi_value_length 8; proxy_pass http://%A%; }
    location /modified/ { ssi_last_modified on; proxy_pass http://%A%; }
    location /text { return 200 "text <!--#echo var='uri' --> <!--#include virtual='/part?a=b' -->."; }
    location /part { return 200 "[$uri $args $request_uri $request_method $http_x_a]"; }
    location /nested { return 200 "(<!--#include virtual='/part?<!-- -->' --><!--#echo var='arg_a' -->)"; }
    location /empty { return 200 ""; }
    location /missing { return 404 "not there"; }
    location /internal { internal; return 200 "inside"; }
    location /from-server { proxy_pass http://%B%; }
    location /dead { proxy_pass http://127.0.0.1:1; }
    location /cycle { return 200 "c<!--#include virtual='/cycle' -->"; }
    error_page 404 /not-found; location = /not-found { internal; return 404 "no <!--#echo var='uri' -->"; }
}
"""


def lay_out(t):
    pages = t.directory / "pages"
    pages.mkdir()
    pages.chmod(0o755)
    (pages / "index.html").write_text("<p><!--#include virtual='/menu.html' --></p><!--# echo var=\"mine\" -->\n")
    (pages / "menu.html").write_text("menu of <!--#echo var='uri' -->, <!--#echo var='document_uri' default='none' -->\n")
    (pages / "plain.txt").write_text("<!--#echo var='uri' -->\n")
    (pages / "file.html").write_text("<!--#include file='menu.html' -->")


def page(name, text, target="/server/x?a=1%20b&m=yes", *fields, **more):
    def script(t):
        t.a.behave = answer(text, "200 OK", "Content-Type: text/html", 'ETag: "tag"', "Accept-Ranges: bytes",
                            "Last-Modified: Mon, 05 Jan 2026 03:04:05 GMT")
        t.get(target, "example.org", "X-A: field", *fields, **more)
    CASES.append(Case(f"ssi/{name}", INCLUDING, script, lays_out=lay_out))


page("nothing to do", "plain <!-- comment --> text")
page("echo", '<!--#echo var="arg_a" -->|<!--#echo var="mapped" -->|<!--#echo var="MAPPED" encoding="none" -->|'
     '<!--#echo var="mapped" encoding="url" -->|<!--#echo var="http_x_a" -->|<!--#echo var="nothing" -->|'
     '<!--#echo var="nothing" default="x" -->|<!--#echo var="mine" -->|<!--#echo var="request_uri" -->')
page("set", '<!--#set var="a" value="1$arg_m${http_x_a}" --><!--#echo var="a" --><!--#set var="a" value="\\$x" --><!--#echo var="a" -->')
page("include", 'a<!--#include virtual="/part?x=y" -->b<!--# include virtual="/part" wait="yes" -->c')
page("include with variables", '<!--#include virtual="/part?x=$arg_m" -->')
page("include of a server", '<!--#include virtual="/from-server/z?q" -->.')
page("include of a page with commands", '<!--#include virtual="/nested?a=b" -->.')
page("include of nothing", 'a<!--#include virtual="/empty" -->b')
page("include of what is missing", 'a<!--#include virtual="/missing" -->b')
page("include of a dead server", 'a<!--#include virtual="/dead" -->b')
page("include of an internal location", 'a<!--#include virtual="/internal" -->b')
page("include beside the page", 'a<!--#include virtual="part" -->b')
page("include into a variable", '<!--#include virtual="/part" set="p" -->(<!--#echo var="p" -->)')
page("include with a stub", '<!--#block name="s" -->stub<!--#endblock -->a<!--#include virtual="/missing" stub="s" -->b'
     '<!--#include virtual="/part" stub="s" -->')
page("include with a stub in the place of a standard page", '<!--#block name="s" -->stub<!--#endblock -->'
     'a<!--#include virtual="/dead" stub="s" -->b<!--#include virtual="/from-server" stub="s" -->c')
page("include that climbs", 'a<!--#include virtual="/../part" -->b')
page("if", *['<!--#if expr="$arg_m" -->1<!--#else -->2<!--#endif -->'
             '<!--#if expr="$nothing" -->3<!--#elif expr="$arg_m = yes" -->4<!--#else -->5<!--#endif -->'
             '<!--#if expr="$arg_m != yes" -->6<!--#elif expr="$arg_m" -->7<!--#elif expr="$arg_m" -->8<!--#endif -->'
             '<!--#if expr="$arg_m = /y(.)s/" -->9<!--#echo var="1" --><!--#endif -->'
             '<!--#if expr="$arg_m != /Y/" -->10<!--#endif -->'])
page("mistakes", 'a<!--#nothing -->b<!--#echo -->c<!--#include -->d<!--#echo var=x -->e<!--#if -->f<!--#endif -->g'
     '<!--#endif -->h<!--#include virtual="/a" file="/b" -->i<!--#include virtual="/a" stub="none" -->j')
page("mistakes with a text of one's own", '<!--#config errmsg="oops" -->a<!--#nothing -->b')
page("mistakes, silent", 'a<!--#nothing -->b<!--#echo -->c', "/silent/")
page("a command without an end", 'a<!--#echo var="uri"')
page("a value that is too long", 'a<!--#echo var="12345678" -->b<!--#echo var="123456789" -->c', "/short/")
page("off", '<!--#echo var="uri" -->', "/off/")
page("last modified", '<!--#echo var="uri" -->', "/modified/")
page("HEAD", '<!--#echo var="uri" -->', method="HEAD")
page("POST", '<!--#echo var="request_method" --><!--#include virtual="/part" -->', method="POST", body=b"xyz")
page("HTTP/1.0", '<!--#echo var="uri" --><!--#include virtual="/part" -->', version="1.0")
page("other types", '<!--#echo var="uri" -->', "/types/")
page("a page that includes itself", 'x<!--#include virtual="/cycle" -->')

for name, target, *fields in (
        ("a file", "/index.html"), ("a directory", "/"), ("a file of another type", "/plain.txt"), ("a text", "/text"),
        ("an error page", "/none"), ("a file beside the page", "/file.html"), ("a part of a file", "/index.html", "Range: bytes=0-1"),
        ("an empty answer", "/empty")):
    CASES.append(Case(f"ssi/{name}", INCLUDING, lambda t, a=target, f=fields: t.get(a, "example.org", *f), lays_out=lay_out))


@case(INCLUDING)
def commands_in_pieces(t):
    t.a.behave = pieces(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na<!--\r\n", 0.05,
                        b"4\r\n#ech\r\n", 0.05, b'12\r\no var="uri" -->bcd\r\n', b"0\r\n\r\n", close=False)
    t.get("/server/x")


@case(INCLUDING)
def an_answer_of_another_type(t):
    t.a.behave = answer('<!--#echo var="uri" -->', "200 OK", "Content-Type: text/css")
    t.get("/server/x")
    t.get("/types/x")
    t.a.behave = answer('<!--#echo var="uri" -->', "200 OK", "Content-Type: text/plain; charset=utf-8")
    t.get("/types/x")
    t.a.behave = answer('<!--#echo var="uri" -->', "404 Not Found", "Content-Type: text/html")
    t.get("/server/x")


BOTH = INCLUDING.replace("ssi on;", 'ssi on; gzip on; gzip_min_length 1; gzip_vary on; sub_filter own "<!--#echo var=\'uri\' -->";')

for name, target, *fields in (
        ("a compressed page", "/server/x", "Accept-Encoding: gzip"), ("a compressed file", "/index.html", "Accept-Encoding: gzip"),
        ("a page for who takes no gzip", "/server/x"), ("a compressed page of another type", "/plain.txt", "Accept-Encoding: gzip")):
    def script(t, target=target, fields=fields):
        t.a.behave = answer('own <!--#include virtual="/part" --> <!--#include virtual="/from-server" -->', "200 OK",
                            "Content-Type: text/html")
        t.b.behave = answer("their own", "200 OK", "Content-Type: text/html")
        t.get(target, "example.org", *fields)
    CASES.append(Case(f"ssi/filters, {name}", BOTH, script, lays_out=lay_out))

ADDING = r"""
default_type text/html;
server {
    listen 127.0.0.1:%PORT%; server_name example.org;
    add_before_body /before; add_after_body /after?x;
    location / { proxy_pass http://%A%; }
    location /text { return 200 "text"; }
    location /missing { return 404 "missing"; }
    location = /before { return 200 "[$uri $request_uri $request_method]"; }
    location = /after { return 200 "never"; }
    location /after { return 200 "[$uri $args]"; }
    location /only { add_after_body ""; proxy_pass http://%A%; }
    location /types { addition_types text/css; proxy_pass http://%A%; }
    location /servers { add_before_body /from-server; add_after_body /dead; proxy_pass http://%A%; }
    location /from-server { proxy_pass http://%B%; }
    location /dead { proxy_pass http://127.0.0.1:1; }
}
"""


def added(name, target, *fields, behave=None, **more):
    def script(t):
        t.a.behave = behave or answer("own", "200 OK", "Content-Type: text/html", 'ETag: "tag"', "Accept-Ranges: bytes",
                                      "Last-Modified: Mon, 05 Jan 2026 03:04:05 GMT")
        t.get(target, "example.org", *fields, **more)
    CASES.append(Case(f"ssi/addition, {name}", ADDING, script))


added("around a server's answer", "/x?y")
added("around a text", "/text")
added("around an error", "/missing")
added("before alone", "/only")
added("of servers", "/servers")
added("HEAD", "/x", method="HEAD")
added("POST", "/x", method="POST", body=b"xyz")
added("HTTP/1.0", "/x", version="1.0")
added("around another type", "/x", behave=answer("a{}", "200 OK", "Content-Type: text/css"))
added("around a type that is named", "/types", behave=answer("a{}", "200 OK", "Content-Type: text/css"))
added("around nothing", "/x", behave=answer("", "200 OK", "Content-Type: text/html"))
added("around a 304", "/x", behave=answer("", "304 Not Modified", "Content-Type: text/html"))
added("around a body in chunks", "/x",
      behave=pieces(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", close=False))

configurations("ssi", [
    ("all settings", "ssi on; ssi_types text/plain; ssi_silent_errors on; ssi_value_length 1k; ssi_last_modified on; server { }"),
    ("a wrong flag", "ssi yes; server { }"),
    ("in if", "server { location / { if ($host) { ssi on; } } }"),
    ("addition", "add_before_body /a; add_after_body \"\"; addition_types text/plain; server { }"),
    ("addition in if", "server { location / { if ($host) { add_before_body /a; } } }"),
])
