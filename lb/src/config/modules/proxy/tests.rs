use http::HeaderValue;

use crate::config::model::{Action, Location, NextUpstream, Proxy, SentValue, ServerAddress};
use crate::config::testing::{accepted, in_location, refused, warnings};
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
    let upstream = &config.http.upstreams[proxy.upstream.0];
    assert_eq!((upstream.name.as_str(), upstream.implicit), ("group", false));
    assert_eq!((proxy.host.as_str(), proxy.port, proxy.uri.as_deref()), ("group", 80, Some("/api/")));

    let config = accepted(&in_location("proxy_pass http://10.0.0.1:5001;"));
    let proxy = proxy_of(&config.http.servers[0].locations[0]);
    let upstream = &config.http.upstreams[proxy.upstream.0];
    assert_eq!((upstream.name.as_str(), upstream.implicit), ("10.0.0.1:5001", true));
    assert_eq!(upstream.servers[0].address, ServerAddress::Inet("10.0.0.1:5001".parse().unwrap()));
    assert_eq!((proxy.host.as_str(), proxy.port, proxy.uri.as_deref()), ("10.0.0.1:5001", 5001, None));
}

#[test]
fn proxy_host_leaves_out_the_port_of_the_scheme() {
    let cases = [
        ("http://a.example:80", "a.example"),
        ("http://a.example:81", "a.example:81"),
        ("http://a.example", "a.example"),
        ("http://[::1]:5001", "[::1]:5001"),
        ("http://unix:/tmp/a.sock:/x", "localhost"),
    ];
    for (url, host) in cases {
        assert_eq!(proxy(&format!("proxy_pass {url};")).host, host, "{url}");
    }
    assert_eq!(proxy("proxy_pass http://unix:/tmp/a.sock:/x;").uri.as_deref(), Some("/x"));
    assert_eq!(proxy("proxy_pass http://a.example?b=c;").uri.as_deref(), Some("/?b=c"));
}

#[test]
fn proxy_pass_refuses() {
    let cases = [
        ("proxy_pass group;", "invalid URL prefix"),
        ("proxy_pass http://;", "no host in upstream \"\""),
        ("proxy_pass http://a:0;", "invalid port in upstream \"a:0\""),
        ("proxy_pass http://GROUP:81;", "upstream \"GROUP\" may not have port 81"),
        ("proxy_pass https://a;", "\"https://a\" in the \"proxy_pass\" directive is not supported"),
        ("proxy_pass http://$host;", "\"http://$host\" in the \"proxy_pass\" directive is not supported"),
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
    let silent = ["Connection \"\"", "Connection upgrade", "Upgrade $http_upgrade", "TE \"\""];
    for field in silent {
        let text = in_location(&format!("proxy_pass http://group; proxy_set_header {field};"));
        assert_eq!(warnings(&text), Vec::<String>::new(), "{field}");
        assert_eq!(proxy_of(&accepted(&text).http.servers[0].locations[0]).set_headers.len(), 1, "{field}");
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
    assert!(read.settings.http_1_0 && !read.settings.buffering);
    let default = proxy("proxy_pass http://group;");
    assert_eq!(default.settings.connect_timeout, Duration::from_secs(60));
    assert!(!default.settings.http_1_0 && default.settings.buffering);
    refused(
        &in_location("proxy_http_version 2;"),
        "\"2\" in the \"proxy_http_version\" directive is not supported yet",
    );
    refused(&in_location("proxy_http_version 1.2;"), "invalid value \"1.2\"");
    refused(&in_location("proxy_read_timeout 1x;"), "\"proxy_read_timeout\" directive invalid value");
}

#[test]
fn next_upstream_is_what_is_listed() {
    let next = |text: &str| proxy(&format!("proxy_pass http://group; {text}")).settings.next_upstream;
    let both = |error, timeout| NextUpstream { error, timeout };
    assert_eq!(next(""), both(true, true));
    assert_eq!(next("proxy_next_upstream error;"), both(true, false));
    assert_eq!(next("proxy_next_upstream timeout;"), both(false, true));
    assert_eq!(next("proxy_next_upstream off;"), both(false, false));
    assert_eq!(next("proxy_next_upstream error off;"), both(false, false));
    assert_eq!(next("proxy_next_upstream error; proxy_next_upstream timeout;"), both(true, true));
    assert_eq!(next("proxy_next_upstream off; proxy_next_upstream timeout;"), both(false, false));
    refused(
        &in_location("proxy_next_upstream http_503;"),
        "\"http_503\" in the \"proxy_next_upstream\" directive is not supported yet",
    );
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
    for name in ["proxy_cache", "proxy_bind", "proxy_store"] {
        let text = in_location(&format!("{name} off; proxy_pass http://group;"));
        assert_eq!(warnings(&text), Vec::<String>::new());
        refused(
            &in_location(&format!("{name} x;")),
            &format!("nginx's directive \"{name}\" is not supported"),
        );
    }
}
