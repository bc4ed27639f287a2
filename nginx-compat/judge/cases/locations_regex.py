"""Locations by regular expression: which one is chosen, and in which order they are asked."""

from casebook import case, configurations, requests

LOCATIONS = r"""
server {
    listen 127.0.0.1:%PORT%;
    location / { return 200 "root $uri\n"; }
    location = /exact.php { return 200 "exact $uri\n"; }
    location ^~ /static/ { return 200 "static $uri\n"; }
    location ~ \.php$ { return 200 "php $uri\n"; }
    location ~* \.(gif|jpe?g)$ { return 200 "image $uri\n"; }
    location ~^/one-word { return 200 "one word $uri\n"; }
    location ~*^/caseless { return 200 "caseless $uri\n"; }
    location ~ ^/(?!private/)p { return 200 "not private $uri\n"; }
    location ~ ^/(\w)\1$ { return 200 "twice $uri\n"; }
    location ~ "^/quoted [{]" { return 200 "quoted $uri\n"; }
    location ~ ^/dollar$ { return 200 "dollar $uri\n"; }
    location ~ ^/end\Z { return 200 "end $uri\n"; }
    location ~ ^/any.byte$ { return 200 "any byte $uri\n"; }
    location ~ "^/count/\d{2,3}$" { return 200 "count $uri\n"; }
    location ~ ^/possessive/a++b { return 200 "possessive $uri\n"; }
    location ~ ^/posix/[[:digit:]]+$ { return 200 "posix $uri\n"; }
    location ~ (*UTF8)^/utf/.$ { return 200 "utf $uri\n"; }
    location ~ ^/first { return 200 "first $uri\n"; }
    location ~ ^/first/second { return 200 "second $uri\n"; }
    location /prefix/of/some/length { return 200 "prefix $uri\n"; }
    location ~ ^/prefix/of { return 200 "before the prefix $uri\n"; }
    location /outer/ {
        location ~ inner$ { return 200 "inner $uri\n"; }
        location = /outer/exact/inner { return 200 "nested exact $uri\n"; }
        location ^~ /outer/final/ { return 200 "nested final $uri\n"; }
        return 200 "outer $uri\n";
    }
    location ^~ /closed/ {
        location ~ inner$ { return 200 "inner of closed $uri\n"; }
        return 200 "closed $uri\n";
    }
    location ~ (inner|outer)$ { return 200 "beside $uri\n"; }
    location ~ ^/user/ {
        location ~ \.png$ { return 200 "user's png $uri\n"; }
        location ~ ^/user/(..)/ {
            location ~ deep$ { return 200 "deep $uri\n"; }
            return 200 "user's two $uri\n";
        }
        return 200 "user $uri\n";
    }
    location @named { return 200 "named\n"; }
}
"""

requests("locations_regex", LOCATIONS, [
    ("no expression", "/x"),
    ("expression", "/x.php"),
    ("expression with a query", "/x.php?y=.gif"),
    ("expression is not in the query", "/x?y.php"),
    ("exact before expression", "/exact.php"),
    ("prefix that stops", "/static/x.php"),
    ("case counts", "/x.PHP"),
    ("case does not count", "/x.JPeG"),
    ("one word", "/one-word/x"),
    ("one word, without case", "/CASEless/x"),
    ("look-ahead", "/public"),
    ("look-ahead that fails", "/private/x"),
    ("back-reference", "/aa"),
    ("back-reference that fails", "/ab"),
    ("in quotes", "/quoted%20%7B"),
    ("dollar", "/dollar"),
    ("dollar before a newline", "/dollar%0A"),
    ("dollar before two newlines", "/dollar%0A%0A"),
    ("end before a newline", "/end%0A"),
    ("a dot is any byte", "/any%FFbyte"),
    ("a dot is no newline", "/any%0Abyte"),
    ("count", "/count/12"),
    ("count too small", "/count/1"),
    ("count too large", "/count/1234"),
    ("possessive", "/possessive/aab"),
    ("POSIX class", "/posix/123"),
    ("UTF-8", "/utf/%C3%A9"),
    ("order of appearance", "/first/second"),
    ("expression before a longer prefix", "/prefix/of/some/length/x"),
    ("inside a prefix", "/outer/x/inner"),
    ("inside a prefix, exact", "/outer/exact/inner"),
    ("inside a prefix, beside it", "/outer/x/outer"),
    ("inside a prefix, none", "/outer/x"),
    ("nested prefix that stops, inner expression", "/outer/final/inner"),
    ("nested prefix that stops, outer expression", "/outer/final/outer"),
    ("closed prefix, inside", "/closed/inner"),
    ("closed prefix, beside", "/closed/outer"),
    ("inside an expression", "/user/x.png"),
    ("inside an expression, two deep", "/user/de/deep"),
    ("inside an expression, one deep", "/user/de/x"),
    ("inside an expression, none", "/user/deutsch"),
    ("a named location is no path", "/@named"),
    ("merged slashes", "//user//x.png"),
    ("dot segments", "/z/../user/./x.png"),
])

SERVERS = r"""
server { listen 127.0.0.1:%PORT%; server_name first.example; return 200 "first\n"; }
server { listen 127.0.0.1:%PORT%; server_name ~^(?!www\.)(.+)\.example$; return 200 "not www $host\n"; }
server { listen 127.0.0.1:%PORT%; server_name ~^WWW\.; return 200 "www $host\n"; }
server { listen 127.0.0.1:%PORT%; server_name ~^(.)\1$; return 200 "twice $host\n"; }
"""

requests("locations_regex", SERVERS, [
    ("server by look-ahead", "/", "x.example"),
    ("server by upper case", "/", "www.example"),
    ("server by back-reference", "/", "aa"),
    ("server by none", "/", "ab"),
    ("server by exact name first", "/", "first.example"),
])


@case(r"""
server {
    listen 127.0.0.1:%PORT%;
    location ~ ^/pass/ { proxy_pass http://%A%; }
    location / { return 200 "root\n"; }
}
""")
def an_expression_passes_the_path_as_it_came(t):
    t.get("/pass/a%20b?c=%2F")
    t.get("//pass/./x")


def server(location):
    return f"server {{ listen 127.0.0.1:%PORT%; {location} }}"


configurations("locations_regex", [
    ("missing parenthesis", server("location ~ ( { return 204; }")),
    ("nothing to repeat", server("location ~ *x { return 204; }")),
    ("range out of order", server("location ~ [z-a] { return 204; }")),
    ("two groups of one name", server("location ~ (?<a>.)(?<a>.) { return 204; }")),
    ("group with the name of a variable", server("location ~ (?<host>.) { return 204; }")),
    ("prefix inside an expression", server("location ~ ^/x { location /x/y { return 204; } }")),
    ("expression inside an exact location", server("location = /x { location ~ y { return 204; } }")),
    ("location inside a named one", server("location @x { location /y { return 204; } }")),
    ("named location inside another", server("location /x { location @y { return 204; } }")),
    ("path of proxy_pass in an expression", server("location ~ x { proxy_pass http://%A%/; }")),
    ("path of proxy_pass in a named location", server("location @x { proxy_pass http://%A%/; }")),
])
