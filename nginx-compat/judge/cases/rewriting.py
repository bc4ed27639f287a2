"""nginx's rewriting: `rewrite`, `set`, `if`, `break`, and what a server sees of it."""

from casebook import requests

REWRITE = r"""
default_type text/plain;
server {
    listen 127.0.0.1:%PORT%; server_name example.org;
    location / { return 200 "$uri?$args|$is_args|$request_uri"; }
    location /plain/ { rewrite ^/plain/(.*)$ /new/$1; }
    location /drop/ { rewrite ^/drop/(.*)$ /new/$1?; }
    location /query/ { rewrite ^/query/(.*)$ /new?name=$1; }
    location /query-drop/ { rewrite ^/query-drop/(.*)$ /new?name=$1?; }
    location /named/ { rewrite ^/named/(?<first>[^/]*)/(?<second>.*)$ /new/$second/$first; }
    location /chain { rewrite ^/chain(.*)$ /second$1; rewrite ^/second(.*)$ /third$1; }
    location /last { rewrite ^/last(.*)$ /second$1 last; rewrite ^/second(.*)$ /third$1; }
    location /break { rewrite ^/break(.*)$ /second$1 break; rewrite ^/second(.*)$ /third$1; return 200 unreached; }
    location /stop { rewrite ^/stop(.*)$ /second$1; break; rewrite ^/second(.*)$ /third$1; return 200 unreached; }
    location /redirect/ { rewrite ^/redirect/(.*)$ /new/$1 redirect; }
    location /permanent/ { rewrite ^/permanent/(.*)$ /new/$1 permanent; }
    location /permanent-drop/ { rewrite ^/permanent-drop/(.*)$ /new/$1? permanent; }
    location /permanent-query/ { rewrite ^/permanent-query/(.*)$ /new?a=$1 permanent; }
    location /elsewhere/ { rewrite ^/elsewhere/(.*)$ http://other.example/$1; }
    location /scheme/ { rewrite ^/scheme/(.*)$ $scheme://other.example/$1 permanent; }
    location /loop { rewrite ^/loop /loop; }
    location /case { rewrite (?i)^/CASE/(.*)$ /new/$1; }
    location /behind { rewrite ^/behind/(?!no)(.*)$ /new/$1; }
    location /empty { rewrite ^ $arg_none; }
    location /relative { rewrite ^ new; }
    location /args { set $args "x=$arg_y"; return 200 "$args|$arg_x|$is_args"; }
    location /group { rewrite ^/group/(a)?(b)?$ /new/[$1][$2]; }
    location /question/ { rewrite ^/question/(.*)$ /new?$1; }
}
"""

requests("rewriting", REWRITE, [
    *((f"rewrite {path}", path) for path in (
        "/plain/a?b=c", "/plain/a", "/plain/a%20b", "/plain/a%2Fb?c", "/plain/", "/drop/a?b=c", "/query/a?b=c", "/query/a",
        "/query/a%20b%26c", "/query/a+b", "/query-drop/a?b=c", "/named/a/b/c", "/chain/x", "/last/x", "/stop/x",
        "/redirect/a?b=c", "/redirect/a%20b", "/redirect/a%3Fb", "/permanent/a?b=c", "/permanent/", "/permanent-drop/a?b=c",
        "/permanent-query/a?b=c", "/permanent-query/a%20b?c", "/elsewhere/a?b=c", "/scheme/a?b", "/loop", "/case/x",
        "/behind/yes", "/behind/no", "/args?y=1&x=2", "/group/a", "/group/b", "/group/ab", "/group/", "/question/a=b?c",
        "/empty")),
    ("HEAD of a rewritten redirect", "/redirect/a", {"method": "HEAD"}),
])

SERVER = r"""
default_type text/plain;
server {
    listen 127.0.0.1:%PORT%; server_name example.org;
    set $from server;
    rewrite ^/moved/(.*)$ /here/$1 permanent;
    rewrite ^/inside/(.*)$ /secret/$1;
    if ($http_x_secret = open) { set $from header; rewrite ^/door$ /secret/door; }
    if ($request_method = POST) { return 405; }
    if ($arg_gone) { return 410; }
    if ($http_user_agent ~* "bot/([0-9]+)") { set $bot $1; rewrite ^ /bots last; }
    location / { return 200 "$uri from $from"; }
    location /secret/ { internal; return 200 "secret $uri from $from"; }
    location /bots { return 200 "bot $bot"; }
    location /inherit { set $from location; return 200 $from; }
}
server {
    listen 127.0.0.1:%PORT2%;
    if ($host ~ ^(?<tenant>[a-z]+)\.example\.org$) { return 200 "tenant $tenant $1"; }
    if ($host !~ \.) { return 301 http://$host.example.org$request_uri; }
    return 404;
}
"""

requests("rewriting", SERVER, [
    *((f"in a server, {path}", path) for path in (
        "/moved/a?b", "/inside/a", "/secret/a", "/door", "/x?gone=1", "/x?gone=0", "/x?gone=", "/inherit", "/x")),
    ("in a server, a header opens", "/door", "example.org", "X-Secret: open"),
    ("in a server, a method", "/x", {"method": "POST", "body": b"x"}),
    ("in a server, a group of an if", "/x", "example.org", "User-Agent: Some-Bot/42"),
    ("a named group of a host", "/x", "red.example.org", {"port": "PORT2"}),
    ("no group of a host", "/x?y=%20", "red", {"port": "PORT2"}),
    ("another host", "/x", "red.example.com", {"port": "PORT2"}),
])

CONDITIONS = r"""
default_type text/plain;
server {
    listen 127.0.0.1:%PORT%; server_name example.org;
    location / {
        set $is "";
        if ($arg_v) { set $is "$is true"; }
        if ($arg_v = "") { set $is "$is empty"; }
        if ($arg_v = a) { set $is "$is equal"; }
        if ($arg_v != a) { set $is "$is unequal"; }
        if ($arg_v ~ ^a(.*)) { set $is "$is match[$1]"; }
        if ($arg_v ~* ^A) { set $is "$is matchany"; }
        if ($arg_v !~ b) { set $is "$is nomatch"; }
        if ($arg_v !~* B) { set $is "$is nomatchany"; }
        if (-f /etc/passwd) { set $is "$is file"; }
        if (!-f /etc) { set $is "$is nofile"; }
        if (-d /etc) { set $is "$is directory"; }
        if (!-d /etc/passwd) { set $is "$is nodirectory"; }
        if (-e /etc) { set $is "$is there"; }
        if (!-e /etc/$arg_v.none) { set $is "$is notthere"; }
        if (-x /bin/sh) { set $is "$is executable"; }
        if (!-x /etc/passwd) { set $is "$is notexecutable"; }
        return 200 "$is|$1";
    }
    location /headers {
        add_header X-Where outer;
        if ($arg_inner) { add_header X-Where inner; add_header X-Again again always; }
        return 200 text;
    }
    location /pass {
        if ($arg_other) { proxy_pass http://%B%; }
        proxy_set_header X-Sent yes;
        proxy_pass http://%A%;
    }
    location /kept { if ($arg_x) { set $y $arg_x; } proxy_set_header X-Y "y=$y"; proxy_pass http://%A%; }
    location /two {
        if ($arg_a) { add_header X-A a; }
        if ($arg_b) { add_header X-B b; }
        return 200 text;
    }
}
"""

requests("rewriting", CONDITIONS, [
    *((f"conditions, {path}", path) for path in (
        "/?v=", "/?v=0", "/?v=00", "/?v=a", "/?v=ab", "/?v=A", "/?v=b", "/?v=B", "/",
        "/headers", "/headers?inner=1", "/pass", "/pass?other=1", "/kept", "/kept?x=z",
        "/two", "/two?a=1", "/two?b=1", "/two?a=1&b=1")),
])

TO_SERVERS = r"""
server {
    listen 127.0.0.1:%PORT%; server_name example.org;
    location /strip/ { rewrite ^/strip/(.*)$ /$1 break; proxy_pass http://%A%; }
    location /uri/ { rewrite ^/uri/(.*)$ /changed/$1 break; proxy_pass http://%A%/ignored/; }
    location /last/ { rewrite ^/last/(.*)$ /target/$1 last; }
    location /target/ { proxy_pass http://%A%/base/; }
    location /plain/ { rewrite ^/plain/(.*)$ /target2/$1; }
    location /target2/ { proxy_pass http://%A%; }
    location /args/ { set $args "a=$arg_b"; proxy_pass http://%A%; }
    location /args-uri/ { set $args "a=$arg_b"; proxy_pass http://%A%/x/; }
    location /same/ { rewrite ^ $request_uri break; proxy_pass http://%A%; }
    location /query/ { rewrite ^/query/(.*)$ /q?name=$1 break; proxy_pass http://%A%; }
    location /if/ { if ($arg_x) { rewrite ^/if/(.*)$ /then/$1 break; } proxy_pass http://%A%; }
    location /nothing/ { rewrite ^/other /x break; proxy_pass http://%A%/n/; }
}
"""

requests("rewriting", TO_SERVERS, [
    *((f"to a server, {path}", path) for path in (
        "/strip/a?b=c", "/strip/a%20b", "/strip/a%2Fb?%20", "/strip/%E4", "/strip/a//b", "/uri/a?b", "/last/a?b=c", "/plain/a?b",
        "/plain/a%20b", "/args/x?b=1", "/args/x%20y?b=1", "/args-uri/x%20y?b=1", "/same/a%20b?c", "/query/a?b",
        "/query/a%20b", "/if/a?x=1", "/if/a%20b", "/nothing/a%20b?c")),
    ("to a server, a body", "/last/a", {"method": "POST", "body": b"x" * 1000}),
])
