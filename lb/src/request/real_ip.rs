//! Who the client is, where it came through proxies that are believed (`set_real_ip_from`). Runs in the post-read phase with
//! the settings of the server, and again in the pre-access phase with those of the location, until one of them has found
//! an address. That holds from then on, for whatever the request becomes.
//!
//! A connection from anywhere else changes nothing, whatever it sends. A list of addresses is read from its end, where the
//! proxy next to this one has written; what stands before that is believed as far as believed proxies have written it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::HeaderName;

use super::phases::{Around, Outcome};
use super::state::State;
use super::values::Outside;
use crate::config::model::{RealIp, RealIpHeader, Trusted};

const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

impl State {
    /// The address that a believed proxy has named; the client's end of the connection is another.
    pub fn real_client(&self) -> Option<SocketAddr> {
        self.real_client
    }

    /// Finds out who the client is, unless that is known.
    pub(super) fn find_client(&mut self, around: Around<'_>) -> Outcome {
        if self.real_client.is_none()
            && let Some(location) = self.location()
            && !location.settings.real_ip.trusted.is_nobody()
        {
            let dropped = location.settings.client.dropped_names();
            let is_dropped = |name: &HeaderName| dropped.drops(name.as_str());
            self.real_client = named_by_proxy(&location.settings.real_ip, around.outside, is_dropped);
        }
        Outcome::Next
    }
}

/// The address that the other end of the connection names, if that is believed. A field of a dropped name is not there.
fn named_by_proxy(
    settings: &RealIp,
    outside: &dyn Outside,
    is_dropped: impl Fn(&HeaderName) -> bool,
) -> Option<SocketAddr> {
    let RealIp { trusted, header, recursive } = settings;
    let is_believed = match outside.connected_from() {
        Some(address) => trusted.has(address.ip()),
        None => trusted.unix,
    };
    if !is_believed {
        return None;
    }
    let first =
        |name| outside.fields(name).first().and_then(|field| last_unbelieved(field, trusted, *recursive));
    match header {
        RealIpHeader::ProxyProtocol => outside.proxied_from(),
        RealIpHeader::XRealIp => first(&X_REAL_IP).map(|found| found.address),
        RealIpHeader::Field(name) if is_dropped(name) => None,
        RealIpHeader::Field(name) => first(name).map(|found| found.address),
        RealIpHeader::XForwardedFor => {
            let mut found: Option<SocketAddr> = None;
            for field in outside.fields(&X_FORWARDED_FOR).iter().rev() {
                let Some(next) = last_unbelieved(field, trusted, *recursive) else { break };
                found = Some(next.address);
                if !(*recursive && next.is_whole && trusted.has(next.address.ip())) {
                    break;
                }
            }
            found
        }
    }
}

/// What a list of addresses comes to.
struct Found {
    address: SocketAddr,
    /// Nothing stands before it in the list.
    is_whole: bool,
}

/// The last address of a list that a believed proxy has written; with `recursive` the first from the end that is not itself
/// believed.
fn last_unbelieved(list: &[u8], trusted: &Trusted, recursive: bool) -> Option<Found> {
    let mut found: Option<Found> = None;
    let mut rest = list;
    while !rest.is_empty() {
        let (before, text) = split_last(rest);
        let Some(address) = with_port(text) else { break };
        found = Some(Found { address, is_whole: before.is_empty() });
        if !recursive || !trusted.has(address.ip()) {
            break;
        }
        rest = before;
    }
    found
}

/// A list without its last word, and that word. Words stand apart by blanks and commas.
fn split_last(list: &[u8]) -> (&[u8], &[u8]) {
    let is_separator = |byte: &u8| matches!(byte, b' ' | b',');
    let end = list.iter().rposition(|byte| !is_separator(byte)).map_or(0, |last| last + 1);
    let start = list[..end].iter().rposition(is_separator).map_or(0, |at| at + 1);
    (&list[..start], &list[start..end])
}

/// Reads `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]` or `[::1]:80`; port 0 where there is none, and a written one must be another.
fn with_port(text: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, 0));
    }
    let in_brackets = |text: &str| text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    if let Some(address) = in_brackets(text) {
        return Some(SocketAddr::new(address.into(), 0));
    }
    let (address, port) = text.rsplit_once(':')?;
    let address = match in_brackets(address) {
        Some(address) => IpAddr::V6(address),
        None => IpAddr::V4(address.parse().ok()?),
    };
    let port = port.parse().ok().filter(|_| port.bytes().all(|digit| digit.is_ascii_digit()))?;
    (port > 0).then(|| SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::request::testing::{Asked, Rig};

    /// Who asks a server with these settings, from where and with which fields.
    fn client(settings: &str, from: &str, proxied: Option<&str>, fields: &[(&str, &str)]) -> String {
        let rig = Rig::of(&format!("server {{ listen 81; {settings} location / {{ return 204; }} }}"));
        let asked = Asked {
            fields,
            connected_from: from.parse().ok(),
            proxied_from: proxied.map(|address| address.parse().unwrap()),
            ..Asked::of("/")
        };
        let mut state = State::default();
        rig.begin(&mut state, &asked);
        state.real_client().map_or("-".to_owned(), |address| address.to_string())
    }

    #[test]
    fn only_a_believed_address_is_listened_to() {
        let settings = "set_real_ip_from 10.0.0.0/8; set_real_ip_from ::1;";
        let fields = &[("x-real-ip", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2")];
        for (settings, from, expected) in [
            (settings, "10.0.0.1:5", "1.1.1.1:0"),
            (settings, "[::ffff:10.0.0.1]:5", "1.1.1.1:0"),
            (settings, "[::1]:5", "1.1.1.1:0"),
            (settings, "11.0.0.1:5", "-"),
            (settings, "[::2]:5", "-"),
            (settings, "unix:", "-"),
            ("set_real_ip_from unix:;", "unix:", "1.1.1.1:0"),
            ("set_real_ip_from unix:;", "10.0.0.1:5", "-"),
            ("", "10.0.0.1:5", "-"),
            ("real_ip_header X-Real-IP;", "10.0.0.1:5", "-"),
        ] {
            assert_eq!(client(settings, from, None, fields), expected, "{settings} {from}");
        }
    }

    #[test]
    fn a_list_is_read_from_its_end() {
        for (forwarded, once, recursive) in [
            (&["1.1.1.1"][..], "1.1.1.1:0", "1.1.1.1:0"),
            (&["1.1.1.1, 2.2.2.2"], "2.2.2.2:0", "2.2.2.2:0"),
            (&["1.1.1.1, 10.0.0.2"], "10.0.0.2:0", "1.1.1.1:0"),
            (&["3.3.3.3, 1.1.1.1,10.0.0.2 , 10.0.0.3,"], "10.0.0.3:0", "1.1.1.1:0"),
            (&["10.0.0.2"], "10.0.0.2:0", "10.0.0.2:0"),
            (&["nonsense, 10.0.0.2"], "10.0.0.2:0", "10.0.0.2:0"),
            (&["1.1.1.1, nonsense"], "-", "-"),
            (&["1.1.1.1, unknown, 10.0.0.2"], "10.0.0.2:0", "10.0.0.2:0"),
            (&[""], "-", "-"),
            (&[" , "], "-", "-"),
            // Several fields.
            (&["1.1.1.1", "2.2.2.2"], "2.2.2.2:0", "2.2.2.2:0"),
            (&["1.1.1.1", "10.0.0.2"], "10.0.0.2:0", "1.1.1.1:0"),
            (&["1.1.1.1, 10.0.0.3", "10.0.0.4, 10.0.0.2"], "10.0.0.2:0", "1.1.1.1:0"),
            (&["1.1.1.1", "nonsense, 10.0.0.2"], "10.0.0.2:0", "10.0.0.2:0"),
            (&["nonsense", "10.0.0.2"], "10.0.0.2:0", "10.0.0.2:0"),
            (&["1.1.1.1", "", "10.0.0.2"], "10.0.0.2:0", "10.0.0.2:0"),
            // Ports and brackets.
            (&["1.1.1.1:80"], "1.1.1.1:80", "1.1.1.1:80"),
            (&["1.1.1.1, 10.0.0.2:7"], "10.0.0.2:7", "1.1.1.1:0"),
            (&["2001:db8::1"], "[2001:db8::1]:0", "[2001:db8::1]:0"),
            (&["[2001:db8::1]:80"], "[2001:db8::1]:80", "[2001:db8::1]:80"),
            (&["[2001:db8::1]"], "[2001:db8::1]:0", "[2001:db8::1]:0"),
            (&["[2001:db8::1"], "-", "-"),
            (&["[1.1.1.1]:80"], "-", "-"),
            (&["1.1.1.1:0"], "-", "-"),
            (&["1.1.1.1:65536"], "-", "-"),
            (&["1.1.1.1:+80"], "-", "-"),
            (&["1.1.1.1:"], "-", "-"),
            (&["example.org"], "-", "-"),
            (&["1.1.1.1;evil"], "-", "-"),
            (&["::ffff:1.1.1.1"], "[::ffff:1.1.1.1]:0", "[::ffff:1.1.1.1]:0"),
        ] {
            let fields: Vec<_> = forwarded.iter().map(|value| ("x-forwarded-for", *value)).collect();
            for (switch, expected) in [("off", once), ("on", recursive)] {
                let settings = format!(
                    "set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For; real_ip_recursive {switch};"
                );
                assert_eq!(
                    client(&settings, "10.0.0.1:5", None, &fields),
                    expected,
                    "{forwarded:?} {switch}"
                );
            }
        }
    }

    #[test]
    fn other_fields_are_read_where_they_come_first() {
        let two = &[
            ("x-client", "1.1.1.1"),
            ("x-client", "2.2.2.2"),
            ("x-real-ip", "3.3.3.3"),
            ("x-real-ip", "4.4.4.4"),
        ];
        for (settings, fields, expected) in [
            ("real_ip_header X-Client;", &two[..], "1.1.1.1:0"),
            ("", two, "3.3.3.3:0"),
            (
                "real_ip_header x-forwarded-for;",
                &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2")],
                "1.1.1.1:0",
            ),
            (
                "real_ip_header X-Client; real_ip_recursive on;",
                &[("x-client", "1.1.1.1, 10.0.0.1")],
                "1.1.1.1:0",
            ),
            ("real_ip_header X-Other;", two, "-"),
            ("real_ip_header X_Client;", &[("x_client", "1.1.1.1")], "-"),
            ("underscores_in_headers on; real_ip_header X_Client;", &[("x_client", "1.1.1.1")], "1.1.1.1:0"),
        ] {
            let settings = format!("set_real_ip_from 10.0.0.0/8; {settings}");
            assert_eq!(client(&settings, "10.0.0.1:5", None, fields), expected, "{settings}");
        }
    }

    #[test]
    fn the_proxy_protocol_names_an_address_with_its_port() {
        let settings = "set_real_ip_from 10.0.0.0/8; real_ip_header proxy_protocol;";
        let fields = &[("x-forwarded-for", "2.2.2.2")];
        assert_eq!(client(settings, "10.0.0.1:5", Some("1.1.1.1:77"), fields), "1.1.1.1:77");
        assert_eq!(client(settings, "10.0.0.1:5", None, fields), "-");
        assert_eq!(client(settings, "11.0.0.1:5", Some("1.1.1.1:77"), fields), "-");
    }

    #[test]
    fn a_location_has_its_own_word_unless_the_server_has_found_somebody() {
        let of_location = |server: &str, location: &str| {
            let text = format!(
                "server {{ listen 81; {server} location / {{ {location} proxy_pass http://127.0.0.1:9; }} }}"
            );
            let rig = Rig::of(&text);
            let fields = &[("x-a", "1.1.1.1"), ("x-b", "2.2.2.2")];
            let mut state = State::default();
            let from = "10.0.0.1:5".parse().ok();
            rig.begin(&mut state, &Asked { fields, connected_from: from, ..Asked::of("/") });
            state.real_client().map_or("-".to_owned(), |address| address.ip().to_string())
        };
        let (here, a, b) = ("set_real_ip_from 10.0.0.1;", "real_ip_header X-A;", "real_ip_header X-B;");
        assert_eq!(of_location("", &format!("{here} {b}")), "2.2.2.2");
        assert_eq!(of_location(&format!("{here} {a}"), b), "1.1.1.1");
        assert_eq!(of_location(&format!("{here} real_ip_header X-C;"), b), "2.2.2.2");
        assert_eq!(of_location(here, "set_real_ip_from 10.0.0.2;"), "-");
    }
}
