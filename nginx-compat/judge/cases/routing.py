"""Which server block, which location, and what the path is before that is asked."""

from casebook import case, requests

NAMES = """
server { listen 127.0.0.1:%PORT%; server_name first.example; return 200 "first $server_name $host\\n"; }
server { listen 127.0.0.1:%PORT% default_server; server_name _; return 200 "default $server_name $host\\n"; }
server { listen 127.0.0.1:%PORT%; server_name *.a.example; return 200 "*.a $server_name $host\\n"; }
server { listen 127.0.0.1:%PORT%; server_name www.a.example; return 200 "www.a $server_name\\n"; }
server { listen 127.0.0.1:%PORT%; server_name *.deep.a.example; return 200 "*.deep.a\\n"; }
server { listen 127.0.0.1:%PORT%; server_name .b.example; return 200 ".b $server_name\\n"; }
server { listen 127.0.0.1:%PORT%; server_name mail.*; return 200 "mail.*\\n"; }
server { listen 127.0.0.1:%PORT%; server_name mail.c.*; return 200 "mail.c.*\\n"; }
server { listen 127.0.0.1:%PORT%; server_name ~^n\\d+\\.example$; return 200 "regex one\\n"; }
server { listen 127.0.0.1:%PORT%; server_name ~^n1\\.example$ n2.example; return 200 "regex two\\n"; }
server { listen 127.0.0.1:%PORT%; server_name ""; return 200 "no name\\n"; }
"""

requests("routing", NAMES, [
    ("exact name", "/", "first.example"),
    ("unknown name", "/", "unknown.example"),
    ("exact name before wildcard", "/", "www.a.example"),
    ("leading wildcard", "/", "x.a.example"),
    ("leading wildcard takes several labels", "/", "x.y.a.example"),
    ("leading wildcard wants a label", "/", "a.example"),
    ("longest leading wildcard", "/", "x.deep.a.example"),
    ("dot name, the domain", "/", "b.example"),
    ("dot name, below it", "/", "x.b.example"),
    ("trailing wildcard", "/", "mail.example"),
    ("longest trailing wildcard", "/", "mail.c.example"),
    ("leading wildcard before trailing", "/", "mail.a.example"),
    ("first regular expression", "/", "n1.example"),
    ("exact name before regular expression", "/", "n2.example"),
    ("name in upper case", "/", "FIRST.Example"),
    ("name with port", "/", "first.example:8080"),
    ("name with trailing dot", "/", "first.example."),
    ("no Host in HTTP 1.0", "/", None, {"version": "1.0"}),
    ("empty Host", "/", ""),
    ("IPv6 Host", "/", "[::1]:80"),
    ("address as Host", "/", "127.0.0.1"),
])

LOCATIONS = """
server {
    listen 127.0.0.1:%PORT%;
    location / { return 200 "root $uri $request_uri [$args]\\n"; }
    location = / { return 200 "exactly root\\n"; }
    location = /exact { return 200 "exact $uri\\n"; }
    location /exact { return 200 "prefix of exact $uri\\n"; }
    location /a { return 200 "a $uri\\n"; }
    location /a/b { return 200 "a/b $uri $request_uri\\n"; }
    location ^~ /a/b/c { return 200 "a/b/c $uri\\n"; }
    location /outer/ {
        location /outer/inner/ { return 200 "inner $uri\\n"; }
        location = /outer/one { return 200 "one $uri\\n"; }
        return 200 "outer $uri\\n";
    }
    location "/with space" { return 200 "with space $uri\\n"; }
}
"""

requests("routing", LOCATIONS, [
    ("exactly the root", "/"),
    ("root with a query", "/?x=1"),
    ("exact location", "/exact"),
    ("exact location with a query", "/exact?q"),
    ("exact is not a prefix", "/exact/"),
    ("longest prefix", "/a/bb"),
    ("prefix may end inside a name", "/abc"),
    ("shorter prefix", "/a/x"),
    ("prefix that stops", "/a/b/c/d"),
    ("nested location", "/outer/inner/x"),
    ("nested exact location", "/outer/one"),
    ("outer location", "/outer/two"),
    ("location with a space", "/with%20space/x"),
    ("case matters in paths", "/A/b"),
    ("slashes are merged", "//a///b//x"),
    ("dot segments go", "/x/./../a/./b/x"),
    ("dot dot at the end", "/a/b/.."),
    ("dot dot above the root", "/../a"),
    ("encoded dot dot", "/x/%2e%2e/a/b"),
    ("encoded slash divides", "/a%2fb"),
    ("encoded letter", "/%61/b"),
    ("broken escape", "/a%zz"),
    ("escape cut short", "/a%2"),
    ("zero byte", "/a%00b"),
    ("fragment", "/a/b#c"),
    ("query is left alone", "/a/b/../x?y=%2e%2e/..//"),
    ("plus is not a space", "/a+b"),
    ("eight-bit path", "/a/\xe4"),
    ("encoded eight-bit path", "/a/%E4"),
    ("encoded question mark", "/a/b%3fx"),
])


@case("""
server { listen 127.0.0.1:%PORT%; server_name same; return 200 "one\\n"; }
server { listen 127.0.0.1:%PORT2%; server_name same; return 200 "two\\n"; }
""")
def the_address_decides_first(t):
    t.get("/", "same")
    t.get("/", "same", port="PORT2")


@case("""
server { listen 127.0.0.1:%PORT%; server_name one; return 200 "one\\n"; }
server { listen 127.0.0.1:%PORT%; server_name two; return 200 "two\\n"; }
""")
def a_connection_may_change_its_server(t):
    connection = t.connect()
    for name in ("one", "two", "three"):
        connection.send(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n").read()
    connection.end()


@case("""
server { listen %SOCK%; return 200 "over a socket $server_addr $remote_addr\\n"; }
server { listen 127.0.0.1:%PORT%; return 200 "tcp\\n"; }
""")
def unix_socket(t):
    t.get("/", port=f"{t.directory}/lb.sock")


@case("""server { listen 127.0.0.1:%PORT%; location /x/ { proxy_pass http://%A%; } location / { return 404; } }""")
def slash_is_added_for_a_proxied_prefix(t):
    t.get("/x")
    t.get("/x?q=1", "example.org:81")
    t.get("/x", None, version="1.0")


@case("""server { listen 127.0.0.1:%PORT%; location /a { return 200 "a"; } }""")
def no_location_matches(t):
    t.get("/b")
    t.get("/")
