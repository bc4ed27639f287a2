//! Redirects to a path of this program: what the client's `Location` says of them, as nginx's header filter writes it.
//!
//! `absolute_redirect` decides whether scheme and host are named at all, `server_name_in_redirect` which host it is,
//! and `port_in_redirect` whether the port follows. A target that does not begin with a slash names its host already
//! and is left alone.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use super::host;
use crate::config::model::HttpCore;

/// What a request and its server say of where the client is.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The host that the client asked for, in any case, with or without a port; `None` where it named none.
    pub requested: Option<&'a [u8]>,
    /// The server's first name as written; empty where it has none.
    pub server_name: &'a str,
    /// TLS is spoken.
    pub secure: bool,
    /// The address that the connection came in on; `None` for a Unix socket.
    pub local: Option<SocketAddr>,
}

/// The beginning of an absolute redirect to a path: `https://host:port`. `None` where redirects are to stay relative,
/// and where nothing says which host this is.
pub fn origin(core: &HttpCore, origin: &Origin<'_>) -> Option<Vec<u8>> {
    if !core.absolute_redirect {
        return None;
    }
    let (scheme, own_port) = if origin.secure { ("https://", 443) } else { ("http://", 80) };
    let mut url = scheme.as_bytes().to_vec();
    url.extend_from_slice(&host_name(core, origin)?);
    match origin.local.map(|address| address.port()) {
        Some(port) if core.port_in_redirect && port != own_port => {
            url.extend_from_slice(format!(":{port}").as_bytes());
        }
        _ => {}
    }
    Some(url)
}

/// The `Location` of a redirect to `target`.
pub fn absolute<'t>(core: &HttpCore, of: &Origin<'_>, target: &'t [u8]) -> Cow<'t, [u8]> {
    if target.first() != Some(&b'/') {
        return Cow::Borrowed(target);
    }
    match origin(core, of) {
        Some(mut url) => {
            url.extend_from_slice(target);
            Cow::Owned(url)
        }
        None => Cow::Borrowed(target),
    }
}

/// The server's first name with `server_name_in_redirect`, else the host that the client asked for, else the address.
fn host_name<'a>(core: &HttpCore, origin: &Origin<'a>) -> Option<Cow<'a, [u8]>> {
    // nginx takes the name even where there is none, and so redirects to `http:///`.
    if core.server_name_in_redirect {
        return Some(Cow::Borrowed(origin.server_name.as_bytes()));
    }
    match origin.requested {
        Some(requested) if !requested.is_empty() => Some(host::bare_name(requested)),
        _ => match origin.local?.ip() {
            IpAddr::V4(ip) => Some(Cow::Owned(ip.to_string().into_bytes())),
            IpAddr::V6(ip) => Some(Cow::Owned(format!("[{ip}]").into_bytes())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn core(absolute: bool, port: bool, server_name: bool) -> HttpCore {
        HttpCore {
            absolute_redirect: absolute,
            port_in_redirect: port,
            server_name_in_redirect: server_name,
            ..HttpCore::default()
        }
    }

    #[test]
    fn over_tls_they_are_https_and_443_is_the_port_that_is_not_told() {
        let of = |address: &str| {
            let local = Some(address.parse().unwrap());
            let origin = Origin { requested: Some(b"a"), server_name: "", secure: true, local };
            String::from_utf8(absolute(&HttpCore::default(), &origin, b"/x").into_owned()).unwrap()
        };
        assert_eq!(of("127.0.0.1:443"), "https://a/x");
        assert_eq!(of("127.0.0.1:80"), "https://a:80/x");
    }

    #[test]
    fn the_three_switches_decide() {
        let defaults = core(true, true, false);
        let local = |text: &str| Some(text.parse().unwrap());
        for (core, requested, local, location) in [
            (&defaults, Some("A.example:99"), local("10.0.0.1:80"), "http://a.example/x"),
            (&defaults, Some("a.example"), local("10.0.0.1:8080"), "http://a.example:8080/x"),
            (&defaults, Some(""), local("10.0.0.1:80"), "http://10.0.0.1/x"),
            (&defaults, None, local("[::1]:81"), "http://[::1]:81/x"),
            (&defaults, Some("a"), None, "http://a/x"),
            (&defaults, None, None, "/x"),
            (&core(false, true, true), Some("a"), local("10.0.0.1:81"), "/x"),
            (&core(true, false, false), Some("a:81"), local("10.0.0.1:81"), "http://a/x"),
            (&core(true, true, true), Some("a"), local("10.0.0.1:81"), "http://www.example:81/x"),
            (&core(true, false, true), None, None, "http://www.example/x"),
        ] {
            let origin = Origin {
                requested: requested.map(str::as_bytes),
                server_name: "www.example",
                secure: false,
                local,
            };
            let made = absolute(core, &origin, b"/x");
            assert_eq!(String::from_utf8_lossy(&made), location, "{core:?} {origin:?}");
        }
    }

    #[test]
    fn a_target_with_a_host_of_its_own_is_left_alone() {
        let origin = Origin { requested: Some(b"a"), server_name: "", secure: false, local: None };
        for target in ["https://b/x", "x", ""] {
            let made = absolute(&HttpCore::default(), &origin, target.as_bytes());
            assert_eq!(&*made, target.as_bytes());
        }
    }
}
