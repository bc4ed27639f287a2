"""What of the request's target reaches the upstream server."""

from casebook import CASES, Case, case


def replacement(name, location, passed, *targets):
    """A case of several requests through one location."""
    http = f"server {{ listen 127.0.0.1:%PORT%; location {location} {{ proxy_pass http://%A%{passed}; }} }}"

    def script(t):
        for target in targets:
            t.get(target)

    CASES.append(Case(f"proxy_uri/{name}", http, script))


ODD = ("/x/%7Ea", "/x/a%20b", "/x/a%2Fb", "/x/a%2fb?c=%2f", "/x/%E4%f6", "/x/a%3Fb", "/x/a%25b", "/x/a%23b", "/x/a+b",
       "/x//y/./z/../w", "/x/a;b=c,d:e@f!g$h&i'(j)*", "/x/[a]{b}|c^d`e\\f\"g<h>", "/x/?", "/x/??a", "/x/a?b#c", "/x/%0a%7f")

replacement("no uri, byte for byte", "/", "", *ODD)
replacement("replaced by a directory", "/x/", "/y/", "/x/", "/x/a", "/x/a/b?c=d", "/x/?c")
replacement("replaced by the root", "/x/", "/", "/x/", "/x/a", "/x/a?b")
replacement("replaced without a slash", "/x/", "/y", "/x/", "/x/a")
replacement("prefix without a slash", "/x", "/y/", "/x", "/x/a", "/xa")
replacement("prefix and root", "/x", "/", "/x", "/x/a", "/xa")
replacement("both without a slash", "/x", "/y", "/x", "/x/a", "/xa?b")
replacement("exact location", "= /x", "/y", "/x", "/x?a=b")
replacement("root by a directory", "/", "/base/", "/", "/a", "/a?b", "//a")
replacement("odd characters", "/x/", "/y/", *ODD)
replacement("escapes in proxy_pass", "/x/", "/a%20b/", "/x/c")
replacement("a query in proxy_pass", "/x/", "/y?z=", "/x/a", "/x/a?b=c")
replacement("no uri, dots and slashes", "/", "", "/a/../b", "//a", "/a/./b", "/%2e%2e/b", "/a/%2e%2e/b")


for name, target in (("brackets", "/[a]"), ("braces", "/{b}"), ("pipe", "/a|b"), ("caret", "/a^b"), ("backtick", "/a`b"),
                     ("backslash", "/a\\b"), ("quote", "/a\"b"), ("angle brackets", "/<a>"), ("eight-bit", "/\xe4"),
                     ("quote in the query", "/a?b=\"c\""), ("angle brackets in the query", "/a?b=<c>")):
    replacement(f"no uri, {name}", "/", "", target)


@case("""
upstream u { server %A%; }
server { listen 127.0.0.1:%PORT%;
    location /up/ { proxy_pass http://u/deep/; }
    location /upper/ { location /upper/lower/ { proxy_pass http://u/nested/; } proxy_pass http://u; }
}""")
def named_upstream(t):
    for target in ("/up/a", "/upper/a", "/upper/lower/a"):
        t.get(target)


@case("""server { listen 127.0.0.1:%PORT%; location /x/ { proxy_pass http://%A%/y/; } }""")
def absolute_form(t):
    t.raw(b"GET http://other.example/x/a?b HTTP/1.1\r\nHost: example.org\r\n\r\n")
    t.raw(b"GET http://other.example HTTP/1.1\r\nHost: example.org\r\n\r\n")


@case("""server { listen 127.0.0.1:%PORT%; location / { proxy_pass http://%A%; proxy_set_header Host $host; } }""")
def absolute_form_without_replacement(t):
    t.raw(b"GET http://other.example/x/%7Ea?b HTTP/1.1\r\nHost: example.org\r\n\r\n")
    t.raw(b"GET http://other.example?b HTTP/1.1\r\nHost: example.org\r\n\r\n")
    t.raw(b"GET HTTP://Other.Example:81/x HTTP/1.1\r\nHost: example.org\r\n\r\n")


@case("""server { listen 127.0.0.1:%PORT%; location / { proxy_pass http://%A%; } }""")
def asterisk_form(t):
    t.raw(b"OPTIONS * HTTP/1.1\r\nHost: example.org\r\n\r\n")
