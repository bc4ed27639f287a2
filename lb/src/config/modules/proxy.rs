//! Proxying: nginx's `ngx_http_proxy_module`.

mod answer;
mod next_upstream;
mod pass;
mod request;
mod rewriting;
mod set_header;
#[cfg(test)]
mod tests;
pub(super) mod tls;

use std::time::Duration;

use http::HeaderName;

use self::answer::FieldNames;
use self::pass::proxy_pass;
use self::request::Bind;
use self::rewriting::{CookieDomains, CookiePaths, Redirects};
use crate::config::table::Effect::Reads;
use crate::config::table::{
    Flag, IF_IN_LOCATION, LEVELS, LIMIT_EXCEPT, LOCATION, Maybe, Number, Row, Size, Text, Time, one, row,
    settings,
};
use crate::script::Template;

pub use self::answer::IgnoredHeaders;
pub use self::next_upstream::NextUpstream;
pub(in crate::config) use self::pass::{FixedPass, Module, PassedTo, ProxyPass, Scheme, grpc_pass};
pub use self::request::{BindAddress, HttpVersion};
pub use self::rewriting::{
    CookieFlag, CookieFlags, FlagChange, Matched, RedirectRule, Substitute, Substitution,
};
pub use self::set_header::SetHeader;
pub use self::tls::TlsToServers;

#[rustfmt::skip]
pub(super) const PASS: &[Row] = &[
    row("proxy_pass", LOCATION.or(IF_IN_LOCATION).or(LIMIT_EXCEPT), one("http://upstream[URI] | http://address[:port][URI] | https://…"), Reads(proxy_pass),
        "Passes requests on. With a URI part, that replaces what the location matched of the normalised path; without, the request's own URI goes as it came. With variables the URL is known with each request: a host that names no upstream is looked up with `resolver`, and its URI is sent as it is. With `https://` TLS is spoken, as `proxy_ssl_*` say"),
];

settings! {
    /// How requests go to servers and what becomes of their answers.
    ProxySettings {
        "proxy_set_header" in LEVELS,
        set_headers: Vec<SetHeader> as SetHeader = vec![SetHeader::default_host()],
        "Sets a request field; an empty value sends none. A level that has any inherits none",
        differs "one `Host` is sent, the first that is not empty; `Connection`, `Upgrade` and the fields that frame a message are set by the connection itself, and WebSocket works without them";

        "proxy_http_version" in LEVELS,
        http_version: HttpVersion as HttpVersion = HttpVersion::Http11,
        "The HTTP version towards servers. With 2, over TLS it is agreed on in the handshake, and a server without TLS must expect it; requests share connections",
        differs "the request says HTTP/1.1 in any case; 1.0 means one request for each connection";

        "proxy_connect_timeout" in LEVELS,
        connect_timeout: Duration as Time = Duration::from_secs(60),
        "How long connecting to a server may take";

        "proxy_read_timeout" in LEVELS,
        read_timeout: Duration as Time = Duration::from_secs(60),
        "How long a server may pause within an answer",
        differs "while a client owes bytes of its body it is at least `client_body_timeout` and a second";

        "proxy_send_timeout" in LEVELS,
        send_timeout: Duration as Time = Duration::from_secs(60),
        "How long a server may take no byte of a request",
        differs "it times each write of up to 64 KiB, not the pause within it";

        "proxy_socket_keepalive" in LEVELS,
        socket_keepalive: bool as Flag = false,
        "Whether the system probes an idle connection to a server (`SO_KEEPALIVE`), at its own times";

        "proxy_next_upstream" in LEVELS,
        next_upstream: NextUpstream as NextUpstream = NextUpstream::ERROR.with(NextUpstream::TIMEOUT),
        "On which failures and statuses of a server another is asked",
        differs "a body that can no longer be sent again goes to one server only; `denied` and `updating` never occur";

        "proxy_next_upstream_tries" in LEVELS,
        next_upstream_tries: u64 as Number = 0,
        "How many servers one request may be sent to; 0 for all of the upstream";

        "proxy_next_upstream_timeout" in LEVELS,
        next_upstream_timeout: Duration as Time = Duration::ZERO,
        "How long after the first try another server may still be asked; 0 for any time";

        "proxy_hide_header" in LEVELS,
        hide_headers: Vec<HeaderName> as FieldNames = Vec::new(),
        "Fields of servers' answers that clients do not get, beside `Date`, `Server`, `X-Pad` and `X-Accel-Expires`, `-Redirect`, `-Limit-Rate`, `-Buffering` and `-Charset`";

        "proxy_pass_header" in LEVELS,
        pass_headers: Vec<HeaderName> as FieldNames = Vec::new(),
        "Fields that clients get although they are hidden otherwise";

        "proxy_redirect" in LEVELS,
        redirects: Vec<RedirectRule> as Redirects = vec![RedirectRule::Default],
        "Rewrites the beginning of `Location` and of the URL in `Refresh`, or with `~` and `~*` all of it; the first rule that matches. `default` turns the address of `proxy_pass` into the location's path. A level that has any inherits none";

        "proxy_cookie_domain" in LEVELS,
        cookie_domains: Vec<Substitution> as CookieDomains = Vec::new(),
        "Rewrites the `Domain` of cookies, equal to a text or matched by `~`; the first rule that matches. A level that has any inherits none";

        "proxy_cookie_path" in LEVELS,
        cookie_paths: Vec<Substitution> as CookiePaths = Vec::new(),
        "Rewrites the beginning of the `Path` of cookies, or with `~` and `~*` all of it; the first rule that matches. A level that has any inherits none";

        "proxy_cookie_flags" in LEVELS,
        cookie_flags: Vec<CookieFlags> as CookieFlags = Vec::new(),
        "Adds to cookies of a name, or one matched by `~`, `secure`, `httponly` and `samesite=`, or takes them away with `no` before; the first that names the cookie. A level that has any inherits none";

        "proxy_buffering" in LEVELS,
        buffering: bool as Flag = true,
        "Whether answers are buffered",
        differs "accepted both ways; answers are streamed through in any case";

        "proxy_request_buffering" in LEVELS,
        request_buffering: bool as Flag = true,
        "Whether a request body is read before a server is picked",
        differs "a body beyond 64 KiB is streamed in any case";

        "proxy_intercept_errors" in LEVELS,
        intercept_errors: bool as Flag = false,
        "Whether an `error_page` answers in place of a server's answer with such a status";

        "proxy_ignore_headers" in LEVELS,
        ignore_headers: IgnoredHeaders as IgnoredHeaders = IgnoredHeaders::NONE,
        "Fields of servers' answers that steer nothing. Of those that steer something in nginx, `X-Accel-Redirect`, `X-Accel-Limit-Rate` and `X-Accel-Charset` do here",
        differs "the others concern a cache or buffers that are not there";

        "proxy_ignore_client_abort" in LEVELS,
        ignore_client_abort: bool as Flag = false,
        "Whether a server is heard out although the client has closed its side";

        "proxy_force_ranges" in LEVELS,
        force_ranges: bool as Flag = false,
        "Whether a range is cut out of a server's whole answer, if that tells its length; several at a time are not";

        "proxy_method" in LEVELS,
        method: Option<Template> as Maybe<Text> = None,
        "The method towards servers, in place of the client's";

        "proxy_pass_request_headers" in LEVELS,
        pass_request_headers: bool as Flag = true,
        "Whether the client's fields go to servers; those of `proxy_set_header` and the length of the body do in any case";

        "proxy_pass_trailers" in LEVELS,
        pass_trailers: bool as Flag = false,
        "Whether the fields behind the body of a server's answer go to the client",
        differs "over HTTP/2 on both sides alone";

        "proxy_pass_request_body" in LEVELS,
        pass_request_body: bool as Flag = true,
        "Whether the client's body goes to servers",
        differs "without it the length is 0; nginx sends the client's unless `proxy_set_header Content-Length \"\"` takes it away";

        "proxy_set_body" in LEVELS,
        set_body: Option<Template> as Maybe<Text> = None,
        "The body towards servers, in place of the client's";

        "proxy_bind" in LEVELS,
        bind: Option<BindAddress> as Bind = None,
        "The address that connections to servers come from",
        differs "`transparent` is refused";

        "proxy_limit_rate" in LEVELS,
        limit_rate: u64 as Size = 0,
        "How many bytes a second are taken from a server's answer; 0 for no limit",
        differs "pieces of an answer are not cut, and wait as a whole";
    }
}
