use http::HeaderValue;

use crate::config::model::{
    Action, BindAddress, Destination, HttpVersion, IgnoredHeaders, Location, Matched, NextUpstream, Proxy,
    SentUri, SentValue, ServerAddress, Substitution,
};
use crate::config::testing::{accepted, in_http, in_location, in_server, refused, warnings};
use crate::script::{Named, Template, Variable};
use std::sync::Arc;
use std::time::Duration;

fn proxy_of(location: &Location) -> Arc<Proxy> {
    match &location.action {
        Action::Proxy(proxy) => Arc::clone(proxy),
        other => panic!("{other:?}"),
    }
}

fn proxy(text: &str) -> Arc<Proxy> {
    proxy_of(&accepted(&in_location(text)).http.servers[0].locations[0])
}

#[test]
fn proxy_pass_names_an_upstream_or_makes_one() {
    let config = accepted(&in_location("proxy_pass http://group/api/;"));
    let proxy = proxy_of(&config.http.servers[0].locations[0]);
    let upstream = &config.http.upstreams[proxy.upstream().unwrap().0];
    assert_eq!((upstream.name.as_str(), upstream.implicit), ("group", false));
    assert_eq!((&*proxy.host, proxy.port, &proxy.uri), ("group", 80, &SentUri::Replacing("/api/".into())));

    let config = accepted(&in_location("proxy_pass http://10.0.0.1:5001;"));
    let proxy = proxy_of(&config.http.servers[0].locations[0]);
    let upstream = &config.http.upstreams[proxy.upstream().unwrap().0];
    assert_eq!((upstream.name.as_str(), upstream.implicit), ("10.0.0.1:5001", true));
    assert_eq!(upstream.servers[0].address, ServerAddress::Inet("10.0.0.1:5001".parse().unwrap()));
    assert_eq!((&*proxy.host, proxy.port, &proxy.uri), ("10.0.0.1:5001", 5001, &SentUri::Own));
}

#[test]
fn proxy_host_leaves_out_the_port_of_the_scheme() {
    let cases = [
        ("http://a.example:80", "a.example"),
        ("http://a.example:81", "a.example:81"),
        ("http://a.example", "a.example"),
        ("http://[::1]:5001", "[::1]:5001"),
        ("http://unix:/tmp/a.sock:/x", "localhost"),
        ("https://a.example:443", "a.example"),
        ("HTTPS://a.example:80", "a.example:80"),
    ];
    for (url, host) in cases {
        assert_eq!(*proxy(&format!("proxy_pass {url};")).host, *host, "{url}");
    }
    assert_eq!(proxy("proxy_pass http://unix:/tmp/a.sock:/x;").uri, SentUri::Replacing("/x".into()));
    assert_eq!(proxy("proxy_pass http://a.example?b=c;").uri, SentUri::Replacing("/?b=c".into()));
}

#[test]
fn proxy_pass_refuses() {
    let cases = [
        ("proxy_pass group;", "invalid URL prefix"),
        ("proxy_pass http://;", "no host in upstream \"\""),
        ("proxy_pass http://a:0;", "invalid port in upstream \"a:0\""),
        ("proxy_pass http://GROUP:81;", "upstream \"GROUP\" may not have port 81"),
        ("proxy_pass https://;", "no host in upstream \"\""),
        ("proxy_pass http://$nope;", "unknown \"nope\" variable"),
        ("proxy_pass http://$;", "invalid variable name"),
        (
            "if ($host) { proxy_pass http://group/x; }",
            "\"proxy_pass\" cannot have URI part in location given by regular expression",
        ),
        ("proxy_pass \"http://a/b c\";", "\"proxy_pass\" directive invalid value"),
    ];
    for (text, message) in cases {
        refused(&in_location(text), message);
    }
}

#[test]
fn a_name_that_is_no_upstream_is_doubted() {
    let text = in_location("proxy_pass http://gruop;");
    assert!(
        warnings(&text)[0]
            .contains("\"gruop\" is no upstream and will be looked up; did you mean \"group\"?")
    );
    assert_eq!(warnings(&in_location("proxy_pass http://elsewhere;")), Vec::<String>::new());
    assert_eq!(warnings(&in_location("proxy_pass http://gruop:80;")), Vec::<String>::new());
    refused(&in_location("proxy_pass http://127.0.0.300;"), "host not found in upstream \"127.0.0.300\"");
}

#[test]
fn host_is_set_unless_the_configuration_sets_it() {
    let default = proxy("proxy_pass http://group;");
    assert_eq!(default.set_headers.len(), 1);
    assert_eq!(default.set_headers[0].value, SentValue::Constant(HeaderValue::from_static("group")));
    let own = proxy("proxy_pass http://group; proxy_set_header host $host; proxy_set_header X-A b;");
    let names: Vec<&str> = own.set_headers.iter().map(|header| header.name.name().as_str()).collect();
    assert_eq!(names, ["host", "x-a"]);
}

#[test]
fn what_a_request_cannot_change_is_made_once() {
    let proxy = proxy(
        "proxy_pass http://group; proxy_set_header X-A $proxy_host:$proxy_port; proxy_set_header X-B \"\";
         proxy_set_header X-C $host; proxy_set_header X-A more;",
    );
    let fields: Vec<_> = proxy
        .set_headers
        .iter()
        .map(|field| (field.name.name().as_str(), field.value.clone(), field.again))
        .collect();
    let constant = |text| SentValue::Constant(HeaderValue::from_static(text));
    assert_eq!(
        fields,
        [
            ("host", constant("group"), false),
            ("x-a", constant("group:80"), false),
            ("x-b", SentValue::Nothing, false),
            ("x-c", SentValue::PerRequest(Template::variable(Variable::Named(Named::Host))), false),
            ("x-a", constant("more"), true),
        ]
    );
}

#[test]
fn fields_of_the_connection_are_left_out_with_a_word_where_that_differs() {
    let silent = [
        "Connection \"\"",
        "Connection upgrade",
        "Connection $http_connection",
        "Upgrade $http_upgrade",
        "Content-Length \"\"",
    ];
    for field in silent {
        let text = in_location(&format!("proxy_pass http://group; proxy_set_header {field};"));
        assert_eq!(warnings(&text), Vec::<String>::new(), "{field}");
        assert_eq!(proxy_of(&accepted(&text).http.servers[0].locations[0]).set_headers.len(), 1, "{field}");
    }
    // HTTP/2 has this one of them.
    for field in ["TE \"\"", "TE trailers", "TE $http_te"] {
        let text = in_location(&format!("proxy_pass http://group; proxy_set_header {field};"));
        assert_eq!(warnings(&text), Vec::<String>::new(), "{field}");
        assert_eq!(proxy_of(&accepted(&text).http.servers[0].locations[0]).set_headers.len(), 2, "{field}");
    }
    let told =
        ["Connection close", "Keep-Alive x", "Transfer-Encoding chunked", "Content-Length 0", "Expect x"];
    for field in told {
        let text = in_location(&format!("proxy_pass http://group; proxy_set_header {field};"));
        let name = field.split(' ').next().unwrap();
        assert!(
            warnings(&text)[0].contains(&format!("\"proxy_set_header {name}\" has no effect")),
            "{field}"
        );
        assert_eq!(proxy_of(&accepted(&text).http.servers[0].locations[0]).set_headers.len(), 1, "{field}");
    }
    refused(&in_location("proxy_set_header \"a b\" c;"), "\"proxy_set_header\" directive invalid value");
    refused(&in_location("proxy_set_header a \"b\\nc: d\";"), "\"proxy_set_header\" directive invalid value");
    refused(&in_location("proxy_set_header a $nope;"), "unknown \"nope\" variable");
}

#[test]
fn times_version_and_buffering() {
    let read = proxy(
        "proxy_pass http://group; proxy_connect_timeout 1s; proxy_read_timeout 2m; proxy_send_timeout 3; \
         proxy_http_version 1.0; proxy_buffering off;",
    );
    assert_eq!(read.settings.connect_timeout, Duration::from_secs(1));
    assert_eq!(read.settings.read_timeout, Duration::from_secs(120));
    assert_eq!(read.settings.send_timeout, Duration::from_secs(3));
    assert!(read.settings.http_version == HttpVersion::Http10 && !read.settings.buffering);
    let default = proxy("proxy_pass http://group;");
    assert_eq!(default.settings.connect_timeout, Duration::from_secs(60));
    assert!(default.settings.http_version == HttpVersion::Http11 && default.settings.buffering);
    assert!(
        proxy("proxy_pass http://group; proxy_http_version 2;").settings.http_version == HttpVersion::Http2
    );
    refused(&in_location("proxy_http_version 1.2;"), "invalid value \"1.2\"");
    refused(&in_location("proxy_read_timeout 1x;"), "\"proxy_read_timeout\" directive invalid value");
}

#[test]
fn next_upstream_is_what_is_listed() {
    let next = |text: &str| proxy(&format!("proxy_pass http://group; {text}")).settings.next_upstream;
    let (error, timeout, off) = (NextUpstream::ERROR, NextUpstream::TIMEOUT, NextUpstream::OFF);
    for (text, expected) in [
        ("", error.with(timeout)),
        ("proxy_next_upstream error;", error),
        ("proxy_next_upstream timeout;", timeout),
        ("proxy_next_upstream off;", off),
        ("proxy_next_upstream error off;", off),
        ("proxy_next_upstream error; proxy_next_upstream timeout;", error.with(timeout)),
        ("proxy_next_upstream off; proxy_next_upstream timeout;", off),
        (
            "proxy_next_upstream denied invalid_header non_idempotent updating;",
            NextUpstream::DENIED
                .with(NextUpstream::INVALID_HEADER)
                .with(NextUpstream::NON_IDEMPOTENT)
                .with(NextUpstream::UPDATING),
        ),
        (
            "proxy_next_upstream http_500 http_502 http_503 http_504;",
            NextUpstream::HTTP_500
                .with(NextUpstream::HTTP_502)
                .with(NextUpstream::HTTP_503)
                .with(NextUpstream::HTTP_504),
        ),
        (
            "proxy_next_upstream http_403 http_404 http_429;",
            NextUpstream::HTTP_403.with(NextUpstream::HTTP_404).with(NextUpstream::HTTP_429),
        ),
    ] {
        assert_eq!(next(text), expected, "{text}");
    }
    let limits =
        proxy("proxy_pass http://group; proxy_next_upstream_tries 2; proxy_next_upstream_timeout 3s;");
    assert_eq!(limits.settings.next_upstream_tries, 2);
    assert_eq!(limits.settings.next_upstream_timeout, Duration::from_secs(3));
    refused(&in_location("proxy_next_upstream http_418;"), "invalid value \"http_418\"");
}

#[test]
fn pass_header_outweighs_hiding() {
    let names = |text: &str| {
        let proxy = proxy(&format!("proxy_pass http://group; {text}"));
        proxy.hidden_headers.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("").len(), 6);
    assert!(names("proxy_hide_header X-Powered-By;").contains(&"x-powered-by".to_owned()));
    assert!(!names("proxy_pass_header X-Pad;").contains(&"x-pad".to_owned()));
    assert_eq!(names("proxy_hide_header x-a; proxy_pass_header X-A;").len(), 6);
    assert_eq!(names("proxy_hide_header X-Pad;").len(), 6, "hidden once");
    assert_eq!(names("proxy_hide_header Server; proxy_hide_header Date;").len(), 6, "replaced anyway");
    let passes_server = |text: &str| proxy(&format!("proxy_pass http://group; {text}")).passes_server;
    assert!(passes_server("proxy_pass_header server;"));
    assert!(!passes_server("proxy_pass_header Date;"));
}

#[test]
fn what_would_change_traffic_is_refused_unless_switched_off() {
    let text = in_location("proxy_store off; proxy_pass http://group;");
    assert_eq!(warnings(&text), Vec::<String>::new());
    refused(&in_location("proxy_store x;"), "nginx's directive \"proxy_store\" is not supported");
}

#[test]
fn rewriting_is_said_rule_by_rule_or_not_at_all() {
    let rules = |text: &str| {
        let proxy = proxy(&format!("proxy_pass http://group; {text}"));
        let settings = &proxy.settings;
        (
            proxy.redirects.len(),
            settings.cookie_domains.len(),
            settings.cookie_paths.len(),
            settings.cookie_flags.len(),
        )
    };
    for (text, count) in [
        ("", (1, 0, 0, 0)),
        ("proxy_redirect off;", (0, 0, 0, 0)),
        ("proxy_redirect default; proxy_redirect /a /b; proxy_redirect ~*^x$ y;", (3, 0, 0, 0)),
        ("proxy_cookie_domain a b; proxy_cookie_domain ~c $host;", (1, 2, 0, 0)),
        ("proxy_cookie_path / /x; proxy_cookie_path off x;", (1, 0, 2, 0)),
        ("proxy_cookie_flags ~. secure $host;", (1, 0, 0, 1)),
        ("proxy_cookie_domain off; proxy_cookie_path off; proxy_cookie_flags off;", (1, 0, 0, 0)),
    ] {
        assert_eq!(rules(text), count, "{text}");
    }
    for (text, message) in [
        ("proxy_redirect x;", "invalid parameter \"x\""),
        ("proxy_redirect off; proxy_redirect off;", "\"proxy_redirect\" directive is duplicate"),
        ("proxy_redirect off; proxy_redirect a b;", "\"proxy_redirect\" directive is duplicate"),
        ("proxy_redirect a b; proxy_redirect off;", "\"proxy_redirect\" directive is duplicate"),
        ("proxy_redirect ~( x;", "pcre2_compile() failed: missing closing parenthesis in \"(\""),
        ("proxy_redirect / $nope;", "unknown \"nope\" variable"),
        ("proxy_cookie_domain x;", "invalid parameter \"x\""),
        ("proxy_cookie_path x;", "invalid parameter \"x\""),
        ("proxy_cookie_flags x;", "invalid parameter \"x\""),
        ("proxy_cookie_flags x samesite;", "invalid parameter \"samesite\""),
    ] {
        refused(&in_location(text), message);
    }
}

#[test]
fn what_is_asked_for_as_default_is_that_of_the_proxy_pass_above_it() {
    let config = accepted(&in_server(
        "location /a/ { proxy_pass http://group/x/; proxy_redirect default; location /a/b/ { proxy_pass http://group/y/; } \
         location /a/c/ { proxy_pass http://group/z/; proxy_redirect default; } } \
         location /b/ { proxy_pass http://group/x/; location /b/c/ { proxy_pass http://group/y/; } }",
    ));
    let outer = &config.http.servers[0].locations[0];
    let rule = |location: &Location| {
        let Action::Proxy(proxy) = &location.action else { panic!("{location:?}") };
        match &proxy.redirects[..] {
            [Substitution { from: Matched::Text(from), .. }] => from.as_literal().unwrap().to_owned(),
            other => panic!("{other:?}"),
        }
    };
    let rules = [outer, &outer.nested[0], &outer.nested[1]].map(|location| rule(location));
    assert_eq!(rules, ["http://group/x/", "http://group/x/", "http://group/z/"]);
    // What is not asked for is inherited as well.
    let unasked = &config.http.servers[0].locations[1];
    assert_eq!([unasked, &unasked.nested[0]].map(|location| rule(location)), ["http://group/x/"; 2]);
    let after = "\"proxy_redirect default\" should be placed after the \"proxy_pass\" directive";
    let variables = "\"proxy_redirect default\" cannot be used with \"proxy_pass\" directive with variables";
    refused(&in_location("proxy_redirect default; proxy_pass http://group;"), after);
    refused(&in_server("proxy_redirect default; location / { proxy_pass http://group; }"), after);
    refused(&in_location("proxy_pass http://$host; proxy_redirect default;"), variables);
}

#[test]
fn what_requests_are_made_of() {
    let read = proxy(
        "proxy_pass http://group; proxy_method PUT; proxy_set_body \"a $host\"; proxy_pass_request_headers off; \
         proxy_pass_request_body off; proxy_limit_rate 1k; proxy_intercept_errors on; proxy_bind 127.0.0.1;",
    );
    let settings = &read.settings;
    assert_eq!(settings.method.as_ref().unwrap().as_literal(), Some("PUT"));
    assert!(settings.set_body.is_some() && !settings.pass_request_headers && !settings.pass_request_body);
    assert!(settings.intercept_errors && settings.limit_rate == 1024);
    assert!(matches!(settings.bind, Some(BindAddress::Fixed(_))));
    let bind = |text: &str| proxy(&format!("proxy_pass http://group; {text}")).settings.bind.clone();
    assert!(bind("proxy_bind off;").is_none());
    assert!(matches!(bind("proxy_bind $server_addr;"), Some(BindAddress::PerRequest(_))));
    for (text, message) in [
        ("proxy_bind nope;", "invalid address \"nope\""),
        ("proxy_bind 127.0.0.1 x;", "invalid parameter \"x\""),
        (
            "proxy_bind $remote_addr transparent;",
            "\"transparent\" in the \"proxy_bind\" directive is not supported",
        ),
        ("proxy_limit_rate x;", "\"proxy_limit_rate\" directive invalid value"),
    ] {
        refused(&in_location(text), message);
    }
}

#[test]
fn ignored_fields_are_those_that_nginx_knows() {
    let ignored = |text: &str| proxy(&format!("proxy_pass http://group; {text}")).settings.ignore_headers;
    assert_eq!(ignored(""), IgnoredHeaders::NONE);
    let two = ignored("proxy_ignore_headers x-accel-redirect Vary; proxy_ignore_headers Expires;");
    assert!(two.has(IgnoredHeaders::X_ACCEL_REDIRECT) && two.has(IgnoredHeaders::VARY));
    assert!(two.has(IgnoredHeaders::EXPIRES) && !two.has(IgnoredHeaders::SET_COOKIE));
    refused(&in_location("proxy_ignore_headers Foo;"), "invalid value \"Foo\"");
    let twice = warnings(&in_location("proxy_pass http://group; proxy_ignore_headers Vary Vary;"));
    assert!(twice[0].contains("duplicate value \"Vary\""));
}

#[test]
fn a_url_with_variables_is_known_with_each_request() {
    let config = accepted(&in_server(
        "resolver 127.0.0.1:54 valid=5s; location /x { proxy_pass http://$host/u; resolver_timeout 2s; }
         location /whole { proxy_pass $scheme://a$uri; }",
    ));
    let locations = &config.http.servers[0].locations;
    let proxy = proxy_of(&locations[0]);
    let Destination::PerRequest { url, resolver: Some(resolver) } = &proxy.destination else {
        panic!("{proxy:?}")
    };
    assert_eq!(url.variables().count(), 1);
    assert_eq!((resolver.servers[0].port(), resolver.timeout), (54, Duration::from_secs(2)));
    assert!(proxy.redirects.is_empty() && proxy.upstream().is_none());
    assert!(matches!(proxy.set_headers[0].value, SentValue::PerRequest(_)), "Host is known later");
}

#[test]
fn tls_is_spoken_where_the_scheme_says_so() {
    let config = accepted(&in_server(
        "proxy_ssl_name a; location /a { proxy_pass https://a.example; }
         location /b { proxy_pass https://a.example; proxy_ssl_verify_depth 3; }
         location /c { proxy_pass http://a.example; } location /d { proxy_pass $scheme://a; }
         location /e { proxy_pass http://$host; } location /f { proxy_pass https://group; }",
    ));
    let http = &config.http;
    let of = |index: usize| proxy_of(&http.servers[0].locations[index]);
    let ways: Vec<_> = (0..6).map(|index| of(index).tls.map(|id| id.0)).collect();
    assert_eq!(ways, [Some(0), Some(1), None, Some(0), None, Some(0)], "equal settings are one way");
    assert_eq!(http.tls_to_servers.len(), 2);
    assert_eq!(http.tls_to_servers[0].folder.to_str(), Some("/conf"), "where the file itself is");
    assert_eq!(http.tls_to_servers[1].settings.verify_depth, 3);
    assert_eq!((of(0).port, of(2).port), (443, 80));
    let upstream = |index: usize| &http.upstreams[of(index).upstream().unwrap().0].name;
    assert_eq!((upstream(0).as_str(), upstream(2).as_str()), ("a.example:443", "a.example"));
    assert_eq!(upstream(0), upstream(1));
    for (text, message) in [
        ("proxy_ssl_verify on;", "no proxy_ssl_trusted_certificate for proxy_ssl_verify"),
        (
            "proxy_ssl_certificate a.pem;",
            "no \"proxy_ssl_certificate_key\" is defined for certificate \"a.pem\"",
        ),
        ("proxy_ssl_verify maybe;", "invalid value \"maybe\" in \"proxy_ssl_verify\" directive"),
    ] {
        refused(&in_location(&format!("proxy_pass https://a; {text}")), message);
    }
    accepted(&in_location("proxy_pass http://a; proxy_ssl_verify on; proxy_ssl_certificate a.pem;"));
    accepted(&in_location("proxy_pass https://a; proxy_ssl_certificate \"\";"));
}

#[test]
fn probes_shake_hands_where_all_locations_do() {
    for (locations, expected) in [
        ("location /a { proxy_pass https://u; }", Some(("u", false))),
        (
            "location /a { proxy_pass https://u; proxy_ssl_name b:1; } location /b { proxy_pass https://u; }",
            Some(("b:1", false)),
        ),
        ("location /a { proxy_pass https://u; proxy_ssl_name x.$proxy_host; }", Some(("x.u", false))),
        ("location /a { grpc_pass grpcs://u; }", Some(("u", true))),
        ("location /a { proxy_pass https://u; proxy_ssl_name $host; }", None),
        (
            "location /a { proxy_pass https://u; proxy_ssl_certificate $host; proxy_ssl_certificate_key k; }",
            None,
        ),
        ("location /a { proxy_pass https://u; } location /b { proxy_pass http://u; }", None),
        ("location /a { proxy_pass http://u; } location /b { proxy_pass https://u; }", None),
        ("location /a { proxy_pass http://u; }", None),
    ] {
        let config =
            accepted(&in_http(&format!("upstream u {{ server 127.0.0.1:1; }} server {{ {locations} }}")));
        let handshake = config.http.upstreams[0].handshake.as_ref();
        let found = handshake.map(|handshake| (&*handshake.name, handshake.http_2));
        assert_eq!(found, expected, "{locations}");
    }
}

#[test]
fn protocols_that_are_offered_have_a_length() {
    let config = accepted(&in_location("proxy_pass https://a; proxy_ssl_alpn h2 http/1.1;"));
    let offered: Vec<&str> = config.http.tls_to_servers[0].settings.alpn.iter().map(|one| &**one).collect();
    assert_eq!(offered, ["h2", "http/1.1"]);
    refused(&in_location("proxy_ssl_alpn \"\";"), "invalid protocol \"\"");
}
