//! nginx itself as the judge: what `nginx -t` accepts we accept, what it refuses we refuse, in its words.
//!
//! Each case is one snippet. Where the two are meant to differ, the case says so and why; a difference that is not
//! listed fails, and so does a listed one that is gone. The nginx at hand is 1.22, ours follows 1.30.

use std::path::Path;
use std::process::Command;

use lb::config::diagnostics::Diagnostic;
use lb::config::model::Severity;
use lb::config::{Source, load};

/// Where a snippet stands.
#[derive(Clone, Copy)]
enum In {
    Main,
    Http,
    Server,
    Location,
    Upstream,
    /// The snippet is the whole file.
    File,
}

/// Who accepts it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Both,
    /// Both refuse it, and we say what nginx says.
    Neither,
    /// Both refuse it, each in its own words.
    NeitherAlike(&'static str),
    OnlyNginx(&'static str),
    OnlyLb(&'static str),
}

use In::{File, Http, Location, Main, Server, Upstream};
use Verdict::{Both, Neither, NeitherAlike, OnlyLb, OnlyNginx};

const OLD: &str = "nginx 1.22 is older than the language we follow";

const CASES: &[(In, &str, Verdict)] = &[
    // Syntax.
    (Http, "server { listen 18080;# no space before a comment\n }", Both),
    (Http, "server {# comment right after the brace\n listen 18080; }", Both),
    (Http, "server {\r\n listen 18080;\r\n }\r\n", Both),
    (Location, "return 200 \"a b\";", Both),
    (Location, "return 200 'it\\'s';", Both),
    (Location, "return 200 a\\;b;", Both),
    (Location, "return 200 a#b;", Both),
    (Location, "return 200 a\"b\"c;", Both),
    (Location, "return 200 \"\";", Both),
    (Location, "return 200 ${uri}x;", Both),
    (Location, "return 200 a}b;", Both),
    (Location, "return 200 \"{}\";", Both),
    (Location, "return 200 \"a\"b;", Neither),
    (Location, "return 200 a{b;", Neither),
    (Location, "return 200\n\n  ok\n ;", Both),
    (Location, "\"return\" 200;", Both),
    (Location, "return 200 \"line\nbreak\";", Both),
    (Location, ";", Neither),
    (Location, "{ }", Neither),
    (Location, "}", Neither),
    (Location, "return 200 }", Neither),
    (Location, "return 200", Neither),
    (Location, "return 200 \"open;", Neither),
    (File, "events {} http { server { listen 18080; ", Neither),
    (File, "events {} }", Neither),
    (File, "\u{feff}events {}", Neither),
    (File, "", Neither),
    (File, "events {}", Both),
    (File, "http {}", Neither),
    (File, "events {} events {}", Neither),
    (File, "events {} http {} http {}", Neither),
    (Location, "return 200 $;", Neither),
    (Location, "return 200 ${uri;", Neither),
    (Location, "return 200 $nosuch;", Neither),
    (Location, "return 200 $1;", Both),
    (Location, "return 200 $document_root$request_filename;", Both),
    // Table checks.
    (Http, "serverr { }", Neither),
    (Http, "listen 80;", Neither),
    (Server, "keepalive_timeout;", Neither),
    (Server, "keepalive_timeout 1 2 3;", Neither),
    (Server, "keepalive_timeout 1; keepalive_timeout 2;", Neither),
    (Server, "keepalive_timeout { }", Neither),
    (Http, "server;", Neither),
    (Http, "sendfile on;", Both),
    (Http, "sendfile maybe;", Neither),
    (Http, "types_hash_max_size 1x;", Neither),
    (Main, "worker_connections 1;", Neither),
    // Values.
    (Server, "send_timeout 1m30s;", Both),
    (Server, "send_timeout 500ms;", Both),
    (Server, "send_timeout \"1m 30s\";", Both),
    (Server, "send_timeout 30s1m;", Neither),
    (Server, "send_timeout -1;", Neither),
    (Server, "send_timeout 1.5s;", Neither),
    (Server, "send_timeout 1M;", Neither),
    (Server, "keepalive_timeout 10 1M;", Both),
    (Server, "keepalive_timeout 10 5ms;", Neither),
    (Server, "client_max_body_size 1g;", Both),
    (Server, "client_max_body_size 0;", Both),
    (Server, "client_max_body_size 10mb;", Neither),
    (Server, "client_max_body_size 9999999999999999999;", Neither),
    (Server, "large_client_header_buffers 4 8k;", Both),
    (Server, "large_client_header_buffers 0 8k;", Neither),
    (Server, "large_client_header_buffers 4 1g;", Neither),
    (Server, "large_client_header_buffers 4 100;", Neither),
    (Server, "keepalive_requests many;", Neither),
    (Server, "server_tokens off;", Both),
    (Server, "server_tokens build;", Both),
    (Server, "server_tokens maybe;", Neither),
    (Server, "merge_slashes off; underscores_in_headers on; ignore_invalid_headers off;", Both),
    (Server, "merge_slashes perhaps;", Neither),
    (Location, "merge_slashes off;", Neither),
    (Location, "underscores_in_headers on;", Neither),
    (Location, "absolute_redirect off; port_in_redirect off; server_name_in_redirect on;", Both),
    (Location, "chunked_transfer_encoding off;", Both),
    (Server, "max_headers 10;", Both),
    // Settings of what is not here, and what would use them.
    (Http, "fastcgi_param A b; uwsgi_read_timeout 1m; scgi_temp_path a; memcached_buffer_size 4k;", Both),
    (Main, "fastcgi_param A b;", Neither),
    (Location, "fastcgi_pass 127.0.0.1:9000;", OnlyNginx("FastCGI is not spoken")),
    (Http, "ssl_protocols TLSv1.2; ssl_prefer_server_ciphers on;", Both),
    (Http, "gzip_types a/b; gzip_vary on; gzip off;", Both),
    (Http, "gzip on; gzip_comp_level 6; gzip_proxied any; gzip_disable msie6;", Both),
    (Location, "sub_filter a b; sub_filter c $host; sub_filter_once off;", Both),
    (Location, "limit_req zone=a;", Neither),
    (Location, "auth_basic x; auth_basic_user_file users; satisfy any; auth_delay 1s;", Both),
    (Location, "auth_jwt x; auth_jwt_key_file keys;", OnlyLb("NGINX Plus has it")),
    (Location, "secure_link $arg_a; secure_link_secret b;", Neither),
    (Location, "valid_referers none;", Neither),
    (Http, "limit_conn_zone $host zone=a:1m; limit_conn a 5;", Both),
    (Http, "limit_req_zone $binary_remote_addr zone=a:1m rate=1r/s;", Both),
    (Http, "types { text/html html htm; }", Both),
    (Http, "types { text/html html; text/plain html; }", Both),
    (Http, "types { text/html { } }", Neither),
    // Main context.
    (Main, "worker_processes auto;", Both),
    (Main, "worker_processes 2;", Both),
    (Main, "worker_processes two;", Neither),
    (Main, "worker_processes 0;", OnlyNginx("nothing would serve")),
    (Main, "worker_shutdown_timeout 10s;", Both),
    (Main, "worker_rlimit_nofile x;", Neither),
    (Main, "daemon on; master_process on;", Both),
    (Main, "daemon perhaps;", Neither),
    (Main, "env PATH; env A=b;", Both),
    (Main, "error_log stderr loud;", Neither),
    (Main, "error_log stderr notice;", Both),
    (Location, "error_log stderr loud;", Neither),
    (Main, "include nothing-here-*.conf;", Both),
    (Main, "include nothing-here.conf;", Neither),
    (Main, "include;", Neither),
    // listen and server_name.
    (Server, "listen 127.0.0.1:18081 backlog=64;", Both),
    (Server, "listen *:18081 default_server;", Both),
    (Server, "listen unix:test.sock;", Both),
    (Server, "listen 18081-18083;", Both),
    (Server, "listen 0;", Neither),
    (Server, "listen 1=2;", Neither),
    (Server, "listen 99999;", Neither),
    (Server, "listen 127.0.0.1:abc;", Neither),
    (Server, "listen 127.0.0.1/8;", Neither),
    (Server, "listen unix:;", Neither),
    (Server, "listen 18081 frobnicate;", Neither),
    (Server, "listen 18081 backlog=0;", Neither),
    (Server, "listen 18081 reuseport deferred so_keepalive=on rcvbuf=8k;", Both),
    (Server, "listen 18081 so_keepalive=perhaps;", Neither),
    (Server, "listen 18081 ssl;", Neither),
    (Server, "listen 18081 proxy_protocol;", Both),
    (Server, "listen 18081 proxy_protocol=on;", Neither),
    (
        Location,
        "set_real_ip_from 10.0.0.0/8; set_real_ip_from unix:; real_ip_header X-A; real_ip_recursive on;",
        Both,
    ),
    (Location, "set_real_ip_from 10.0.0.1/8;", Both),
    (Location, "set_real_ip_from 10.0.0.0/33;", Neither),
    (Location, "real_ip_header a; real_ip_header b;", Neither),
    (
        Http,
        "server { location / { return 200 $proxy_protocol_addr$realip_remote_port$proxy_protocol_tlv_ssl_cn; } }",
        OnlyLb(OLD),
    ),
    (
        Location,
        "return 200 $proxy_protocol_tlv_nope;",
        NeitherAlike("nginx of today takes it and complains for each request"),
    ),
    (Server, "listen 18081; listen *:18081;", Neither),
    (Http, "server { listen 18081 default_server; } server { listen 18081 default_server; }", Neither),
    (Http, "server { listen 18081 backlog=9; } server { listen 18081 backlog=8; }", Neither),
    (Http, "server { listen 18081; } server { listen 18081; }", Both),
    (Server, "server_name example.org *.example.org www.example.* .example.net ~^www\\d+\\.;", Both),
    (Server, "server_name \"~^w{2,3}$\";", Both),
    (Server, "server_name ~^w{2,3}$;", Neither),
    (Server, "server_name \"\";", Both),
    (Server, "server_name a.*.org;", OnlyNginx("it looks at names only where servers share an address")),
    (Server, "server_name ~;", Neither),
    (Server, "server_name *;", Neither),
    (Server, "server_name \"~^a{,3}$\";", Both),
    (Server, "server_name ~(;", Neither),
    (Server, "server_name ~^(?!www).*$;", Both),
    (Server, "server_name ~^(?<sub>.+)\\.example$; return 200 $sub;", Both),
    (Server, "server_name \"~^(?<host>.+)$\";", Neither),
    // location and return.
    (Server, "location /a { return 204; } location = /a { return 204; }", Both),
    (Server, "location /a { return 204; } location /a { return 204; }", Neither),
    (Server, "location /a { return 204; } location ^~ /a { return 204; }", Neither),
    (Server, "location =/a { return 204; }", Both),
    (Server, "location ! /a { return 204; }", Neither),
    (Server, "location /a { location /a/b { return 204; } }", Both),
    (Server, "location /a { location /b { return 204; } }", Neither),
    (Server, "location = /a { location /a/b { return 204; } }", Neither),
    (Server, "location ~ \\.php$ { return 204; }", Both),
    (Server, "location ~* \\.php$ { return 204; } location ~\\.php$ { return 204; }", Both),
    (Server, "location ~ \"\" { return 204; }", Both),
    (Server, "location ~ { return 204; }", Both),
    (Server, "location ~ ( { return 204; }", Neither),
    (Server, "location ~ a)b { return 204; }", Neither),
    (Server, "location ~ *a { return 204; }", Neither),
    (Server, "location ~ [z-a] { return 204; }", Neither),
    (Server, "location ~ ^/u/ { location /u/x { return 204; } }", Neither),
    (Server, "location ~ ^/u/ { location ~ x { return 204; } }", Both),
    (Server, "location /u { location ~ x { return 204; } }", Both),
    (Server, "location = /u { location ~ x { return 204; } }", Neither),
    (Server, "location ~ (?<host>.) { return 204; }", Neither),
    (Server, "location ~ (?<lang>.) { return 204; } location / { return 200 $lang; }", Both),
    (Server, "location ~ x { proxy_pass http://127.0.0.1:1/; }", Neither),
    (Server, "location ~ x { proxy_pass http://127.0.0.1:1; }", Both),
    (Server, "location @x { proxy_pass http://127.0.0.1:1/; }", Neither),
    (Server, "location @named { return 204; }", Both),
    // map, geo, split_clients.
    (
        Http,
        "map $host $x { default 1; a 2; ~^b 3; ~*^c$ 4; \\\\~d 5; \"\" 6; } server { return 200 $x; }",
        Both,
    ),
    (Http, "map $host$uri $x { hostnames; volatile; *.a 1; .b 2; c.* 3; d 4; }", Both),
    (Http, "map $host $x { a 1; a 2; }", Neither),
    (Http, "map $host $x { a 1; A 2; }", Neither),
    (Http, "map $host $x { hostnames; .a.b 1; a.b 2; }", Neither),
    (Http, "map $host $x { hostnames; .a.b 1; *.a.b 2; }", Neither),
    (Http, "map $host $x { hostnames; a.*.b 1; }", Neither),
    (Http, "map $host $x { *.b 1; hostnames; *.b 2; }", Both),
    (Http, "map $host $x { a; }", Neither),
    (Http, "map $host $x { a b c; }", Neither),
    (Http, "map $host $x { default 1; default 2; }", Neither),
    (Http, "map $host $x { a { } }", Neither),
    (Http, "map $host $x { ~( 1; }", Neither),
    (Http, "map $host $x { ~ 1; }", Both),
    (Http, "map $host $x { a $nosuch; }", Neither),
    (Http, "map $host $x { a \"x$\"; }", Neither),
    (Http, "map $host x { }", Neither),
    (Http, "map $host $ { }", Neither),
    (Http, "map $host { }", Neither),
    (Http, "map $host $host { }", Neither),
    (Http, "map $host $args { }", OnlyNginx("nginx's own variables are not redefined")),
    (Http, "map $host $x { } map $uri $x { } geo $x { }", Both),
    (Http, "map_hash_max_size 64; map_hash_bucket_size 128;", Both),
    (Server, "map $host $x { }", Neither),
    (Http, "geo $x { default 0; 10.0.0.0/8 1; 10.1.0.0/16 2; delete 10.1.0.0/16; ::1 6; }", Both),
    (
        Http,
        "geo $remote_addr $x { proxy 10.0.0.0/8; proxy ::1; proxy_recursive; ::/64 a; 255.255.255.255 b; }",
        Both,
    ),
    (Http, "geo $x { 10.0.0.0/8 1; 10.0.0.0/8 2; 10.0.0.1/8 3; delete 11.0.0.0/8; }", Both),
    (Http, "geo $x { 10.0.0.0/33 1; }", Neither),
    (Http, "geo $x { 300.0.0.0 1; }", Neither),
    (Http, "geo $x { a; }", Neither),
    (Http, "geo $x { a b c; }", Neither),
    (Http, "geo $x { proxy x; }", Neither),
    (Http, "geo $x { default 1; ranges; }", Neither),
    (Http, "geo $x { ranges; 10.0.0.0-10.3.0.9 1; 10.1.0.5-10.1.0.9 2; delete 10.1.0.5-10.1.0.9; }", Both),
    (Http, "geo $x { ranges; 10.0.0.5-10.0.0.9 1; 10.0.0.0-10.0.0.255 2; }", Neither),
    (Http, "geo $x { ranges; 10.0.0.9-10.0.0.1 2; }", Neither),
    (Http, "geo $x { ranges; 10.0.0.0-255.255.255.255 2; }", Neither),
    (Http, "geo $x { ranges; ::1-::2 2; }", Neither),
    (Http, "geo $x { ranges; 10.0.0.0/8 2; }", Neither),
    (Http, "geo x { }", Neither),
    (Http, "geo $nosuch $x { }", Neither),
    (Http, "split_clients $host $x { 50% a; 0.5% b; .5% c; 1.% d; * e; }", Both),
    (Http, "split_clients $host $x { 50% a; 50.5% b; }", Neither),
    (Http, "split_clients $host $x { * b; 50% a; }", Neither),
    (Http, "split_clients $host $x { * a; * b; }", Both),
    (Http, "split_clients $host $x { 0% a; }", Neither),
    (Http, "split_clients $host $x { 1.234% a; }", Neither),
    (Http, "split_clients $host $x { a b; }", Neither),
    (Http, "split_clients $host x { 1% a; }", Neither),
    (Http, "split_clients $host $x { }", Both),
    (Server, "location @named { return 204; } location @named { return 204; }", Both),
    (Server, "location @named { location /x { return 204; } }", Neither),
    (Server, "location /x { location @named { return 204; } }", Neither),
    (Server, "location /x { location = @named { return 204; } }", Neither),
    (Server, "return 301 https://$host$request_uri;", Both),
    (Server, "return https://example.org/;", Both),
    (Server, "return /elsewhere;", Neither),
    (Server, "return 1000;", Neither),
    (Server, "return 99;", OnlyNginx("no answer could have that status")),
    (Server, "return 200 a b;", Neither),
    (Server, "return 444;", Both),
    // Headers and logs.
    (Location, "add_header X-A $host always;", Both),
    (Location, "add_header X-A b sometimes;", Neither),
    (Location, "add_header X-A;", Neither),
    (Location, "add_header \"X A\" b;", OnlyNginx("a blank in the name of a field breaks the answer")),
    (
        Location,
        "add_header Transfer-Encoding chunked;",
        OnlyNginx("it would break the framing of the answer"),
    ),
    (Http, "log_format main escape=json '$remote_addr' \" $status\"; access_log access.log main;", Both),
    (Http, "log_format combined '$status';", Neither),
    (Http, "log_format a '$status'; log_format a '$status';", Neither),
    (Http, "log_format a escape=xml '$status';", Neither),
    (Http, "log_format a;", Neither),
    (Http, "access_log access.log nosuch;", Neither),
    (Http, "access_log access.log later; log_format later '$status';", Neither),
    (Http, "access_log access.log combined buffer=32k flush=1m;", Both),
    (Http, "access_log access.log combined buffer=lots;", Neither),
    (Http, "access_log access.log combined if=$host;", Both),
    (Http, "access_log off;", Both),
    (Http, "access_log off combined;", Neither),
    // Upstream.
    (Http, "upstream u { }", Neither),
    (Http, "upstream u { server 127.0.0.1; } upstream u { server 127.0.0.1; }", Neither),
    (Http, "upstream u { server 127.0.0.1 backup; }", Neither),
    (Upstream, "server 127.0.0.1:1 weight=2 max_fails=3 fail_timeout=30s down;", Both),
    (Upstream, "server 127.0.0.1:1 weight=0;", Neither),
    (Upstream, "server 127.0.0.1:1 weight=-1;", Neither),
    (Upstream, "server 127.0.0.1:1 max_fails=x;", Neither),
    (Upstream, "server 127.0.0.1:1 fail_timeout=5ms;", Neither),
    (Upstream, "server 127.0.0.1:1 wieght=1;", Neither),
    (Upstream, "server 127.0.0.1:99999;", Neither),
    (Upstream, "server 127.0.0.1/uri;", Neither),
    (Upstream, "server unx:/run/a.sock;", Neither),
    (Upstream, "server weight=3;", Neither),
    (Upstream, "server unix:/tmp/a.sock;", Both),
    (Upstream, "server 127.0.0.1:1 max_conns=5;", OnlyNginx("not yet")),
    (Upstream, "server localhost:1 resolve;", NeitherAlike("nginx 1.22 knows no resolve; we want a zone")),
    (Upstream, "zone u 64k; resolver 127.0.0.1; server localhost:1 resolve;", OnlyLb(OLD)),
    (Upstream, "zone u 64k;", Both),
    (Upstream, "zone u 1k;", Neither),
    (Upstream, "zone u lots;", Neither),
    (Upstream, "zone u;", NeitherAlike("nginx names no place")),
    (Upstream, "keepalive 16; keepalive_requests 10; keepalive_timeout 5s;", Both),
    (Upstream, "keepalive 16; keepalive 16;", Neither),
    (Upstream, "keepalive x;", Neither),
    (Upstream, "keepalive 0;", OnlyLb(OLD)),
    (Upstream, "least_conn;", Both),
    (Upstream, "least_conn; least_conn; server 127.0.0.1:1 backup;", Both),
    (Upstream, "least_conn 1;", Neither),
    (Upstream, "random;", Both),
    (Upstream, "random two;", Both),
    (Upstream, "random two least_conn;", Both),
    (Upstream, "random three;", Neither),
    (Upstream, "random two most_conn;", Neither),
    (Upstream, "random two least_time=header;", NeitherAlike("NGINX Plus has it, and we say so")),
    (Upstream, "random two; server 127.0.0.1:1 backup;", Neither),
    (Upstream, "ip_hash;", Both),
    (Upstream, "hash $arg_k;", Both),
    (Upstream, "hash \"\";", Both),
    (Upstream, "hash $arg_k consistent;", Both),
    (Upstream, "hash $arg_k consistent x;", Neither),
    (Upstream, "hash $arg_k consistent; server 127.0.0.1:1 backup;", Neither),
    (Upstream, "hash;", Neither),
    (Upstream, "hash $arg_k continuous;", Neither),
    (Upstream, "hash $no_such;", Neither),
    (Upstream, "hash ${uri;", Neither),
    (Upstream, "hash $uri; server 127.0.0.1:1 backup;", Neither),
    (Upstream, "ip_hash x;", Neither),
    (Upstream, "ip_hash; server 127.0.0.1:1 backup;", Neither),
    (Upstream, "server 127.0.0.1:1 weight=2 backup; ip_hash;", Both),
    (Upstream, "ip_hash; least_conn; server 127.0.0.1:1 backup;", Both),
    (Http, "resolver 127.0.0.1 valid=1s ipv6=off;", Both),
    (Http, "resolver 127.0.0.1 valid=soon;", Neither),
    (Http, "resolver 127.0.0.1 ipv6=perhaps;", Neither),
    (Http, "resolver 127.0.0.1 ipv4=off;", OnlyLb(OLD)),
    (Http, "resolver valid=1s;", Neither),
    // Proxy.
    (Location, "proxy_pass http://u;", Both),
    (Location, "proxy_pass http://u/path/;", Both),
    (Location, "proxy_pass http://u:8080;", Neither),
    (Location, "proxy_pass http://127.0.0.1:1?a=b;", Both),
    (Location, "proxy_pass HTTP://127.0.0.1:1;", Both),
    (Location, "proxy_pass http://unix:/tmp/a.sock:/uri;", Both),
    (Location, "proxy_pass http://;", Neither),
    (Location, "proxy_pass http://127.0.0.1:0;", Neither),
    (Location, "proxy_pass u;", Neither),
    (Location, "proxy_pass http://u; proxy_pass http://u;", Neither),
    (Server, "proxy_pass http://u;", Neither),
    (Location, "proxy_pass http://$host;", Both),
    (Location, "proxy_pass $scheme://$host$uri;", Both),
    (Location, "if ($host) { proxy_pass http://127.0.0.1/uri; }", Neither),
    (
        Location,
        "proxy_redirect off; proxy_cookie_path / /app/; proxy_cookie_domain ~a b; proxy_cookie_flags a secure;",
        Both,
    ),
    (Location, "proxy_redirect x;", Neither),
    (
        Location,
        "proxy_method PUT; proxy_set_body x; proxy_pass_request_headers off; proxy_bind 127.0.0.1;",
        Both,
    ),
    (Location, "proxy_ignore_headers Foo;", Neither),
    (Location, "proxy_pass https://127.0.0.1:1;", Both),
    (Location, "proxy_pass https://127.0.0.1:1; proxy_ssl_name $host; proxy_ssl_server_name on;", Both),
    (Location, "proxy_pass https://127.0.0.1:1; proxy_ssl_verify on;", Neither),
    (Location, "proxy_pass http://127.0.0.1:1; proxy_ssl_verify on;", Both),
    (Location, "proxy_pass https://127.0.0.1:1; proxy_ssl_certificate a.pem;", Neither),
    (Location, "proxy_pass https://127.0.0.1:1; proxy_ssl_verify_depth x;", Neither),
    (Location, "proxy_pass https://127.0.0.1:1; proxy_ssl_session_reuse off;", Both),
    (Location, "proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr;", Both),
    (Location, "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\";", Both),
    (Location, "proxy_set_header Host;", Neither),
    (Location, "proxy_http_version 1.1;", Both),
    (Location, "proxy_http_version 3;", Neither),
    (Location, "proxy_connect_timeout 5s; proxy_read_timeout 5s; proxy_send_timeout 5s;", Both),
    (Location, "proxy_connect_timeout soon;", Neither),
    (Location, "proxy_next_upstream error timeout;", Both),
    (Location, "proxy_next_upstream error error;", Both),
    (Location, "proxy_next_upstream off;", Both),
    (Location, "proxy_next_upstream error; proxy_next_upstream timeout;", Both),
    (Http, "types_hash_bucket_size 1k;", Neither),
    (Location, "proxy_next_upstream sometimes;", Neither),
    (Location, "proxy_next_upstream http_502 http_403 invalid_header non_idempotent;", Both),
    (Location, "proxy_next_upstream_tries 2; proxy_next_upstream_timeout 3s;", Both),
    (Location, "proxy_hide_header X-A; proxy_hide_header X-B; proxy_pass_header Server;", Both),
    (Location, "proxy_buffering off; proxy_request_buffering off; proxy_redirect off;", Both),
    (Location, "proxy_pass http://u; proxy_redirect default;", Both),
    (Location, "proxy_pass http://u; proxy_redirect http://u/ /;", Both),
    (Location, "proxy_buffers 8 16k; proxy_buffer_size 16k;", Both),
    // What must not be ignored.
    (Location, "deny all;", Both),
    (Http, "deny 10.0.0.0/8; allow 2001:db8::/32; deny unix:;", Both),
    (Location, "limit_except GET { deny 10.0.0.0/8; proxy_pass http://u; access_log off; }", Both),
    (Location, "limit_except GET { proxy_pass http://u/x; }", Neither),
    (Location, "deny 10.0.0.0/33;", Neither),
    (Location, "allow all;", Both),
    (Http, "ssi on; ssi_types text/plain; ssi_value_length 1k; ssi_silent_errors on;", Both),
    (Http, "ssi yes;", Neither),
    (Location, "auth_request /a; auth_request_set $a $upstream_status; return 200 $a;", Both),
    (Location, "auth_request /a; auth_request /b;", Neither),
    (Location, "auth_request_set a b;", Neither),
    (Location, "mirror /a; mirror /b; mirror_request_body off;", Both),
    (Location, "mirror off; mirror /b;", Neither),
    (Location, "add_before_body /a; add_after_body \"\"; addition_types text/plain;", Both),
    (Location, "log_subrequest on;", Both),
    (Http, "gzip off;", Both),
    // Files.
    (Location, "root /var/www;", Both),
    (Http, "root www/$host;", Both),
    (Location, "root /a; root /b;", Neither),
    (Location, "root /a; alias /b;", Neither),
    (Location, "root $document_root;", Neither),
    (Server, "alias /a;", Neither),
    (Location, "index a b /c; index d;", Both),
    (Location, "index \"\";", Neither),
    (Location, "try_files $uri $uri/ =404;", Both),
    (Server, "try_files $uri /index.html;", Both),
    (Location, "try_files $uri;", Neither),
    (Location, "try_files $uri =1000;", Neither),
    (Location, "try_files a b; try_files a b;", Neither),
    (Http, "autoindex on; autoindex_format jsonp; autoindex_exact_size off; autoindex_localtime on;", Both),
    (Location, "autoindex_format yaml;", Neither),
    (Location, "if_modified_since before; etag off; max_ranges 0; log_not_found off;", Both),
    (Location, "if_modified_since sometimes;", Neither),
    (Location, "disable_symlinks if_not_owner from=$uri;", Both),
    (Location, "disable_symlinks on from=/a;", Both),
    (Location, "disable_symlinks off from=/a;", Neither),
    (Location, "disable_symlinks from=/a;", Neither),
    (Location, "disable_symlinks sometimes;", Neither),
    (Location, "sendfile on; aio threads; directio 4m; open_file_cache max=10; output_buffers 2 32k;", Both),
    (Location, "limit_rate 10k; limit_rate_after $arg_a;", Both),
    (Location, "limit_rate fast;", Neither),
    (Location, "limit_except GET POST { deny all; }", Both),
    (Location, "limit_except FETCH { deny all; }", Neither),
    (Location, "limit_except GET { return 403; }", Neither),
    (Location, "limit_except GET { allow 10.0.0.0/8; deny all; }", Both),
    (Location, "set $limit_rate 4k; proxy_ignore_client_abort on;", Both),
    (Location, "early_hints $http_a;", OnlyLb(OLD)),
    (Location, "proxy_redirect default;", Neither),
    (Location, "proxy_pass http://$host; proxy_redirect default;", Neither),
    (Location, "expires -1;", Both),
    (Location, "expires modified +24h;", Both),
    (Location, "expires @15h30m;", Both),
    (Location, "expires $arg_a;", Both),
    (Location, "expires soon;", Neither),
    (Location, "expires @25h;", Neither),
    (Location, "expires modified @1h;", Neither),
    (Location, "expires changed 1h;", Neither),
    (Location, "add_header_inherit merge;", OnlyLb("nginx has it since 1.29.3")),
    (Http, "charset utf-8; charset_types text/css application/json; override_charset off;", Both),
    (Location, "charset $arg_a;", Both),
    (Location, "charset utf-8; source_charset koi8-r;", Neither),
    (Http, "map $host $a { default 1; }", Both),
    // Rewriting.
    (Server, "if ($host = a) { return 204; }", Both),
    (Location, "if ($host = a) { return 204; }", Both),
    (Location, "if ( $host = \"\" ) { return 204; }", Both),
    (Location, "if ($host) { set $a b; break; rewrite ^ /x; }", Both),
    (Location, "if ($host !~* \"^a{2}(b)\") { return 200 $1; }", Both),
    (Location, "if (!-f /etc/$host) { return 404; }", Both),
    (Location, "if ($host == a) { return 204; }", Neither),
    (Location, "if ($host = a b) { return 204; }", Neither),
    (Location, "if (host) { return 204; }", Neither),
    (Location, "if $host { return 204; }", Neither),
    (Location, "if ($host { return 204; }", Neither),
    (Location, "if (-q /x) { return 204; }", Neither),
    (Location, "if ($host ~ \"(\") { return 204; }", NeitherAlike("pcre2_compile() failed")),
    (Location, "if ($host) { if ($uri) { return 204; } }", Neither),
    (Location, "if ($host) { location /x { return 204; } }", Neither),
    (Server, "if ($host) { proxy_pass http://127.0.0.1:9; }", Neither),
    (Location, "if ($nosuch) { return 204; }", Neither),
    (Http, "if ($host) { return 204; }", Neither),
    (Server, "rewrite ^/a/(.*)$ /b/$1 last;", Both),
    (Location, "rewrite ^/a/(?<rest>.*)$ /b/$rest?x=$args break;", Both),
    (Location, "rewrite ^ https://$host$request_uri? permanent;", Both),
    (Location, "rewrite ^ \"\";", Neither),
    (Location, "rewrite ^ /x now;", Neither),
    (Location, "rewrite ^;", Neither),
    (Location, "rewrite ( /x;", NeitherAlike("pcre2_compile() failed")),
    (Http, "rewrite ^ /x;", Neither),
    (Server, "set $a b; return 200 $a;", Both),
    (Location, "return 200 $later; set $later b;", Both),
    (Location, "set $http_x b; return 200 $http_x;", Both),
    (Location, "set $args a=b;", Both),
    (Location, "set a b;", Neither),
    (Location, "set $host b;", Neither),
    (Location, "set $uri b;", Neither),
    (Location, "set $a;", Neither),
    (Location, "break;", Both),
    (Location, "break now;", Neither),
    (Http, "rewrite_log on; uninitialized_variable_warn off;", Both),
    // Error pages.
    (Http, "error_page 500 502 503 504 /50x.html;", Both),
    (Location, "error_page 404 =200 /x?a=$args; error_page 403 = @x;", Both),
    (Location, "error_page 404 =301 http://a/;", Both),
    (Location, "error_page 404;", Neither),
    (Location, "error_page 299 /x;", Neither),
    (Location, "error_page 499 /x;", NeitherAlike("invalid value")),
    (Location, "error_page = /x;", NeitherAlike("invalid value")),
    (Location, "error_page 404 =x /x;", NeitherAlike("invalid value")),
    (Location, "internal; recursive_error_pages on;", Both),
    (Server, "internal;", Neither),
    (Location, "proxy_intercept_errors on;", Both),
    // Ours.
    (Upstream, "#lb: health_check off;\n", Both),
    (Upstream, "health_check off;", OnlyLb("it is ours")),
    (Upstream, "#lb: nonsense;\n", OnlyNginx("to nginx it is a comment")),
];

fn whole(place: In, snippet: &str) -> String {
    let head = "pid test.pid;\nevents {}\n";
    let http = "http {\naccess_log off;\n";
    let upstream = "upstream u { server 127.0.0.1:1; }\n";
    let server = "server {\nlisten 18080;\n";
    match place {
        File => snippet.to_owned(),
        Main => format!("pid test.pid;\n{snippet}\nevents {{}}\n"),
        Http if snippet.contains("access_log") => format!("{head}http {{\n{snippet}\n}}\n"),
        Http => format!("{head}{http}{snippet}\n}}\n"),
        Upstream => format!("{head}{http}upstream v {{\nserver 127.0.0.1:2;\n{snippet}\n}}\n}}\n"),
        Server => format!("{head}{http}{upstream}{server}{snippet}\n}}\n}}\n"),
        Location => format!("{head}{http}{upstream}{server}location / {{\n{snippet}\n}}\n}}\n}}\n"),
    }
}

/// The first `[emerg]` of nginx, or nothing when it accepts the file.
fn ask_nginx(directory: &Path) -> Option<String> {
    let output = Command::new("nginx")
        .args(["-t", "-p"])
        .arg(directory)
        .arg("-c")
        .arg(directory.join("nginx.conf"))
        .output()
        .expect("nginx must be installed: it is the judge of this test");
    if output.status.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line =
        text.lines().find_map(|line| line.split_once("[emerg] ").map(|(_, message)| message.to_owned()));
    Some(line.unwrap_or(text))
}

fn ask_lb(directory: &Path) -> Result<(), Vec<Diagnostic>> {
    let source = Source {
        path: directory.join("nginx.conf"),
        prefix: directory.to_owned(),
        global_directives: None,
        default_error_log: None,
    };
    load(&source).map(|_| ())
}

/// What is left of a message without the place, which nginx gives for the end of a directive and we for its
/// beginning.
fn without_place<'a>(message: &'a str, directory: &Path) -> &'a str {
    let file = format!(" in {}", directory.join("nginx.conf").display());
    let message = message.split(&file).next().unwrap_or(message);
    // nginx puts its process and thread in front.
    message.split_once("#").and_then(|(_, rest)| rest.split_once(": ")).map_or(message, |(_, rest)| rest)
}

#[test]
fn accepts_and_refuses_what_nginx_does() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let mut wrong = Vec::new();
    for &(place, snippet, expected) in CASES {
        let text = whole(place, snippet);
        std::fs::write(directory.join("nginx.conf"), &text).unwrap();
        let (nginx, lb) = (ask_nginx(directory), ask_lb(directory));
        let messages: Vec<String> = match &lb {
            Ok(()) => Vec::new(),
            Err(findings) => findings.iter().map(ToString::to_string).collect(),
        };
        let as_expected = match (expected, &nginx, &lb) {
            (Both, None, Ok(())) | (OnlyNginx(_), None, Err(_)) | (OnlyLb(_), Some(_), Ok(())) => true,
            (NeitherAlike(_), Some(_), Err(_)) => true,
            (Neither, Some(said), Err(findings)) => {
                let said = without_place(said, directory);
                findings.iter().any(|finding| finding.message == said)
            }
            _ => false,
        };
        if !as_expected {
            wrong.push(format!(
                "{snippet}\n  expected {expected:?}\n  nginx: {nginx:?}\n  lb:    {messages:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
}

/// A configuration without anything that only one of the two knows, to be edited at random.
const TO_EDIT: &str = r#"worker_processes 2;
error_log stderr notice;
pid test.pid;
env PATH;
events { worker_connections 64; }
http {
    types { text/html html htm; text/css css; }
    default_type text/plain;
    log_format main '$remote_addr "$request" $status ${body_bytes_sent}' " $http_referer";
    access_log access.log main;
    keepalive_timeout 65s 60s;
    client_max_body_size 8m;
    upstream app {
        zone app 64k;
        server 127.0.0.1:5001 weight=3 max_fails=2 fail_timeout=1m;
        server unix:/run/app.sock backup;
        keepalive 64;
    }
    server {
        listen 18080 default_server backlog=64;
        listen 127.0.0.1:18081;
        server_name example.org *.example.org www.example.* "~^api\d{1,3}\.example\.com$";
        add_header X-A "b c" always;
        location / {
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Host $host;   # comment
            proxy_connect_timeout 2s;
            proxy_next_upstream error timeout;
            proxy_buffering off;
        }
        location /api/ {
            proxy_pass http://app/v1/;
            location /api/health { return 200 "ok\n"; }
        }
        location = /old { return 301 $scheme://$host/new?from=${request_uri}; }
    }
    server { listen 18080; server_name ""; return 444; }
}
"#;

/// What nginx may refuse alone: it asks DNS and the network, we do not while reading.
const OF_THE_WORLD: [&str; 2] = ["host not found in ", "bind() to "];

/// What we may refuse alone, as the cases above say.
const OF_OURS: [&str; 3] = [
    "invalid return code ",
    "\"add_header\" directive invalid value",
    "\"proxy_set_header\" directive invalid value",
];

/// One slip of the hand: a byte replaced, lost or added, a word lost, doubled or swapped.
fn edited(random: &mut fastrand::Rng) -> Vec<u8> {
    const TYPED: [&[u8]; 14] =
        [b"{", b"}", b";", b"\"", b"'", b"\\", b"$", b"${", b"#", b"\r\n", b" x ", b"1", b"-", b"="];
    let mut text = TO_EDIT.as_bytes().to_vec();
    let at = random.usize(..text.len());
    let typed = TYPED[random.usize(..TYPED.len())];
    match random.u8(0..6) {
        0 => drop(text.splice(at..=at, typed.iter().copied())),
        1 => drop(text.remove(at)),
        2 => drop(text.splice(at..at, typed.iter().copied())),
        which => {
            let mut words: Vec<&[u8]> = text.split_inclusive(|byte| b" \n;{}".contains(byte)).collect();
            let (one, other) = (random.usize(..words.len()), random.usize(..words.len()));
            match which {
                3 => drop(words.remove(one)),
                4 => words.insert(one, words[other]),
                _ => words.swap(one, other),
            }
            text = words.concat();
        }
    }
    text
}

#[test]
fn a_slip_gets_the_verdict_that_nginx_gives_it() {
    const SLIPS: u64 = 400;
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let (mut wrong, mut refused_by_both) = (Vec::new(), 0);
    for seed in 0..SLIPS {
        let text = edited(&mut fastrand::Rng::with_seed(seed));
        std::fs::write(directory.join("nginx.conf"), &text).unwrap();
        let (nginx, lb) = (ask_nginx(directory), ask_lb(directory));
        let alike = match (&nginx, &lb) {
            (None, Ok(())) => true,
            (Some(_), Err(_)) => {
                refused_by_both += 1;
                true
            }
            (Some(said), Ok(())) => OF_THE_WORLD.iter().any(|world| said.contains(world)),
            (None, Err(findings)) => findings
                .iter()
                .filter(|finding| finding.severity == Severity::Emerg)
                .all(|finding| OF_OURS.iter().any(|ours| finding.message.starts_with(ours))),
        };
        if !alike {
            wrong.push(format!("seed {seed}\n  nginx: {nginx:?}\n  lb:    {lb:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused_by_both > 100, "only {refused_by_both} slips were mistakes");
}
