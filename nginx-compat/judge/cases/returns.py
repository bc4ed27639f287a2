"""What `return` answers, and what a body before it does."""

from casebook import case, raw_requests, requests

RETURNS = """
default_type text/plain;
server {
    listen 127.0.0.1:%PORT%; server_name example.org;
    location /204 { return 204; }
    location /200 { return 200; }
    location /200-text { return 200 "text\\n"; }
    location /200-empty { return 200 ""; }
    location /200-vars { return 200 "$request_method $host $arg_a $http_x $cookie_c $scheme $is_args$args $uri $remote_addr"; }
    location /301 { return 301 http://other.example$request_uri; }
    location /301-path { return 301 /new/path; }
    location /302-path { return 302 /new?$args; }
    location /303 { return 303 https://other.example/; }
    location /307 { return 307 /seven; }
    location /308 { return 308 /eight; }
    location /url { return http://other.example/; }
    location /url-scheme { return $scheme://other.example/; }
    location /400 { return 400; }
    location /401 { return 401; }
    location /403 { return 403; }
    location /404-text { return 404 "nothing here\\n"; }
    location /405 { return 405; }
    location /410 { return 410; }
    location /429 { return 429; }
    location /444 { return 444; }
    location /500 { return 500; }
    location /502 { return 502; }
    location /503-text { return 503 "later"; }
    location /504 { return 504; }
    location /418 { return 418; }
    location /599 { return 599 "odd"; }
    location /no-variable { return 200 "$http_none|$arg_none|$cookie_none|"; }
    location /quote { return 200 'single "double" \\'escaped\\' $host'; }
    location /dollar { return 200 "${host}name"; }
}
server { listen 127.0.0.1:%PORT2%; return 200 "whole server $uri\\n"; location / { return 404; } }
"""

requests("returns", RETURNS, [
    *((f"status {path}", f"/{path}") for path in (
        "204", "200", "200-text", "200-empty", "301", "301-path", "303", "307", "308", "url", "url-scheme", "400", "401", "403",
        "404-text", "405", "410", "429", "444", "500", "502", "503-text", "504", "418", "599", "no-variable", "quote", "dollar")),
    ("variables", "/200-vars?a=1&b=2", "example.org", "X: x y", "Cookie: b=1; c=2"),
    ("variables without a value", "/200-vars"),
    ("redirect to a path with a query", "/302-path?a=b"),
    ("redirect to a path, another Host", "/301-path", "shown.example:81"),
    ("redirect to a path, no Host", "/301-path", None, {"version": "1.0"}),
    ("redirect with the request's uri", "/301/x?y=%20z"),
    ("return in the server", "/any//path", {"port": "PORT2"}),
    ("HEAD of a text", "/200-text", {"method": "HEAD"}),
    ("HEAD of a page", "/403", {"method": "HEAD"}),
    ("HEAD of a redirect", "/301-path", {"method": "HEAD"}),
    ("POST to a text", "/200-text", {"method": "POST", "body": b"x" * 100}),
    ("POST to a page", "/403", {"method": "POST", "body": b"x" * 100}),
    ("unknown method", "/200-text", {"method": "BREW"}),
    ("a location that does nothing", "/none"),
])

TYPES = """
types { text/html html htm; application/json json; }
default_type application/octet-stream;
server {
    listen 127.0.0.1:%PORT%;
    return 200 "x";
}
server {
    listen 127.0.0.1:%PORT2%;
    location / { types { text/x-own own; } return 200 "x"; }
    location /plain { default_type text/plain; types { } return 200 "x"; }
    location /empty-type { default_type ""; types { } return 200 "x"; }
}
"""

requests("returns", TYPES, [
    ("type by extension", "/a.json"),
    ("type by extension in upper case", "/a.HTML"),
    ("type of a path without extension", "/a"),
    ("type of an unknown extension", "/a.b/c"),
    ("type by the last extension", "/a.json.htm"),
    ("type with a query", "/a?x.json"),
    ("own types", "/a.own", {"port": "PORT2"}),
    ("own types replace the outer", "/a.json", {"port": "PORT2"}),
    ("no types", "/plain.json", {"port": "PORT2"}),
])

raw_requests("returns", RETURNS, [
    ("a body is drained before the next request",
     b"POST /200-text HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhelloGET /204 HTTP/1.1\r\nHost: h\r\n\r\n", 2),
    ("a chunked body is drained before the next request",
     b"POST /200-text HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
     b"GET /204 HTTP/1.1\r\nHost: h\r\n\r\n", 2),
    ("444 among others", b"GET /200 HTTP/1.1\r\nHost: h\r\n\r\nGET /444 HTTP/1.1\r\nHost: h\r\n\r\n", 2),
])


@case(RETURNS)
def post_with_a_body_that_comes_later(t):
    connection = t.connect()
    connection.send("POST /200-text HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345")
    t.wait(0.2)
    connection.send("67890")
    connection.read()
    connection.send("GET /204 HTTP/1.1\r\nHost: h\r\n\r\n").read()
    connection.end()
