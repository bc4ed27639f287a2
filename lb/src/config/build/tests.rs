//! What holds of all settings: defaults are what the reference prints, and levels share what they do not change.

use std::sync::Arc;

use crate::config::model::{Location, Settings};
use crate::config::modules::TABLE;
use crate::config::table::{Absence, Effect, HTTP, LOCATION, MAIN, Row, SERVER, UPSTREAM};
use crate::config::testing::{accepted, errors, in_http, in_location, in_main, in_server};

/// A whole configuration with `directive` where its row allows it.
fn with(row: &Row, directive: &str) -> String {
    // What a resolver is for must be there for its settings to show.
    let resolving = "upstream u { zone u 64k; server a resolve; resolver 127.0.0.1; }";
    if row.contexts.meets(LOCATION) {
        in_location(&format!("proxy_pass http://group; {directive}"))
    } else if row.contexts.meets(SERVER) {
        in_server(directive)
    } else if row.contexts.meets(HTTP) {
        in_http(&format!("{resolving} {directive}"))
    } else if row.contexts.meets(UPSTREAM) {
        let server = if row.name == "server" { "" } else { "server 127.0.0.1:1;" };
        in_http(&format!("upstream u {{ {server} {directive} }}"))
    } else {
        assert!(row.contexts.meets(MAIN), "{}", row.name);
        in_main(directive)
    }
}

#[test]
fn every_default_is_what_its_printed_text_gives() {
    let mut printed = 0;
    for row in TABLE.all() {
        let Absence::Printed(print) = row.absence else { continue };
        let arguments = print();
        if arguments.is_empty() {
            continue;
        }
        printed += 1;
        let (given, absent) = match row.name {
            // Its address has no default.
            "server" => (format!("server 127.0.0.1:1 {arguments};"), "server 127.0.0.1:1;"),
            name if row.block => (format!("{name} {{ {arguments}; }}"), ""),
            // It has to stand below a `proxy_pass`.
            "proxy_redirect" => continue,
            name => (format!("{name} {arguments};"), ""),
        };
        let given = with(row, &given);
        assert_eq!(errors(&given), Vec::<String>::new(), "{given}");
        // All of it stands in line 1, so that positions are the same.
        let (given, absent) = (accepted(&given), accepted(&with(row, absent)));
        assert_eq!(format!("{given:#?}"), format!("{absent:#?}"), "{} {arguments}", row.name);
    }
    assert!(printed > 25, "{printed}");
}

#[test]
fn few_defaults_are_words() {
    let in_words: Vec<&str> = TABLE
        .all()
        .filter(|row| !matches!(row.effect, Effect::Ignored(_) | Effect::Refused(_)))
        .filter(|row| matches!(row.absence, Absence::Words(words) if !words.is_empty()))
        .map(|row| row.name)
        .collect();
    // No arguments of theirs would say it.
    assert_eq!(in_words, ["listen", "log_format", "resolver", "resolver_timeout"]);
}

/// Which modules' settings two levels share.
fn shared(one: &Settings, other: &Settings) -> Vec<&'static str> {
    let modules = [
        ("client", Arc::ptr_eq(&one.client, &other.client)),
        ("keepalive", Arc::ptr_eq(&one.keepalive, &other.keepalive)),
        ("core", Arc::ptr_eq(&one.core, &other.core)),
        ("types", Arc::ptr_eq(&one.types, &other.types)),
        ("headers", Arc::ptr_eq(&one.headers, &other.headers)),
        ("proxy", Arc::ptr_eq(&one.proxy, &other.proxy)),
    ];
    modules.into_iter().filter(|(_, shared)| *shared).map(|(name, _)| name).collect()
}

#[test]
fn a_level_shares_what_it_does_not_change() {
    let config = accepted(&in_server(
        "send_timeout 1s; add_header X-A a; \
         location / { proxy_pass http://group; } \
         location /a { proxy_read_timeout 1s; proxy_pass http://group; \
                       location /a/b { client_body_timeout 1s; proxy_pass http://group; } } \
         location /c { proxy_pass http://group; access_log off; }",
    ));
    let server = &config.http.servers[0];
    let of = |index: usize| &server.locations[index].settings;
    let all = ["client", "keepalive", "core", "types", "headers", "proxy"];
    assert_eq!(shared(&server.fallback.settings, of(0)), all);
    assert_eq!(shared(of(0), of(2)), all);
    assert_eq!(shared(of(0), of(1)), ["client", "keepalive", "core", "types", "headers"]);
    let inner = &server.locations[1].nested[0].settings;
    assert_eq!(shared(of(1), inner), ["keepalive", "core", "types", "headers", "proxy"]);
    assert_eq!(inner.client.send_timeout, of(1).client.send_timeout, "what it changes keeps the rest");
    assert!(Arc::ptr_eq(&server.locations[0].access_logs, &server.locations[1].access_logs));
    assert!(server.locations[2].access_logs.is_empty());
}

#[test]
fn ten_thousand_locations_share_one_set_of_settings() {
    let locations: String =
        (0..10_000).map(|index| format!("location /{index}/ {{ proxy_pass http://group; }} ")).collect();
    let config = accepted(&in_server(&format!("proxy_set_header X-A $host; {locations}")));
    let server = &config.http.servers[0];
    let proxy = |location: &Location| match &location.action {
        crate::config::model::Action::Proxy(proxy) => Some(Arc::clone(proxy)),
        _ => None,
    };
    let first = proxy(&server.locations[0]).unwrap();
    // The redirects from `/0` to `/0/` stand among them.
    assert_eq!(server.locations.len(), 20_000);
    for location in &server.locations {
        assert_eq!(shared(&server.fallback.settings, &location.settings).len(), 6);
        let Some(proxy) = proxy(location) else { continue };
        assert!(Arc::ptr_eq(&first.set_headers, &proxy.set_headers));
        assert!(Arc::ptr_eq(&first.hidden_headers, &proxy.hidden_headers));
    }
    let own = size_of::<Location>() + size_of::<crate::config::model::Proxy>();
    assert!(own <= 712, "{own} bytes of its own for a location and its proxy_pass");
}
