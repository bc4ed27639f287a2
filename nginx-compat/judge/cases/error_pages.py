"""`error_page`: what answers in place of a status, and with which status."""

from casebook import requests

PAGES = r"""
default_type text/plain;
error_page 410 /http-level;
server {
    listen 127.0.0.1:%PORT%; server_name example.org;
    error_page 404 /missing; error_page 403 =200 /page; error_page 405 = /page;
    error_page 401 http://other.example/login; error_page 402 =301 http://other.example/pay; error_page 429 =303 /relative;
    error_page 500 502 503 504 /broken?a=b; error_page 409 @named; error_page 418 =204 @named; error_page 451 @nowhere;
    error_page 406 $scheme://$host/var; error_page 407 /var/$host?x=$args;
    location / { return 404; }
    location = /missing { internal; return 200 "missing $uri $args $request_method $request_uri"; }
    location = /page { return 200 "page $uri $request_method"; }
    location = /broken { return 200 "broken $args"; }
    location /var/ { return 200 "$uri $args"; }
    location @named { return 200 "named $uri $request_method"; }
    location /403 { return 403; } location /405 { return 405; } location /401 { return 401; } location /402 { return 402; }
    location /429 { return 429; } location /503 { return 503; } location /409 { return 409; } location /418 { return 418; }
    location /451 { return 451; } location /406 { return 406; } location /407 { return 407; } location /410 { return 410; }
    location /text { return 404 "a text"; }
    location /own { error_page 404 =410 /page; return 404; }
    location /none { error_page 599 /page; return 404; }
    location /chain { error_page 404 /chained; return 404; }
    location /chained { error_page 403 /page; return 403; }
    location /recursive { recursive_error_pages on; error_page 404 /recursive2; return 404; }
    location /recursive2 { recursive_error_pages on; error_page 404 403 /page; return 403; }
    location /cycle { recursive_error_pages on; error_page 404 /cycle; return 404; }
    location /from301 { error_page 301 /page; return 301 /x; }
    location /large { client_max_body_size 1; error_page 413 /page; return 200 never; }
    location /headers { add_header X-In headers always; error_page 404 /headers2; return 404; }
    location /headers2 { add_header X-In headers2; return 200 x; }
    location /in-if { if ($arg_x) { error_page 404 =200 /page; return 404; } return 404; }
}
server { listen 127.0.0.1:%PORT2%; return 410; location = /http-level { return 200 unreached; } }
"""

requests("error_pages", PAGES, [
    *((f"page {path}", path) for path in (
        "/x", "/x?a=b", "/missing", "/403", "/405", "/401", "/402", "/429", "/503", "/409", "/418", "/451", "/406", "/407?q",
        "/410", "/text", "/own", "/none", "/chain", "/recursive", "/cycle", "/from301", "/headers", "/in-if?x=1", "/in-if")),
    ("page, POST", "/403", {"method": "POST", "body": b"xy"}),
    ("page, HEAD", "/403", {"method": "HEAD"}),
    ("named page, POST", "/409", {"method": "POST", "body": b"xy"}),
    ("page for a large body", "/large", {"method": "POST", "body": b"xy"}),
    ("page in a server that answers by itself", "/x", {"port": "PORT2"}),
])

SERVERS = r"""
default_type text/plain;
server {
    listen 127.0.0.1:%PORT%; server_name example.org;
    proxy_connect_timeout 2s;
    error_page 502 504 /down; error_page 404 /missing;
    location = /down { return 200 "down"; }
    location = /missing { return 200 "missing"; }
    location /refused { proxy_pass http://127.0.0.1:1; }
    location /other { error_page 502 =200 @other; proxy_pass http://127.0.0.1:1; }
    location /other-uri { error_page 502 = /other-location/x?y; proxy_pass http://127.0.0.1:1; }
    location /other-location { proxy_pass http://%A%; }
    location @other { proxy_set_header X-From other; proxy_pass http://%A%; }
    location /passed { proxy_pass http://%A%; }
}
"""

requests("error_pages", SERVERS, [
    *((f"for a server, {path}", path) for path in ("/refused", "/other?a=b", "/other-uri", "/passed")),
    ("for a server, a body goes on", "/other", {"method": "POST", "body": b"x" * 100}),
    ("for a server, a page for a body", "/refused", {"method": "POST", "body": b"x" * 100}),
])
