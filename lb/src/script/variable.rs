//! Variables: which names there are, what each stands for, and what the rest of nginx's names are told.
//!
//! A name is looked up once, when the configuration is read. A request meets a [`Variable`], never a name.

use std::sync::Arc;

use http::HeaderName;

use super::defined::Defined;
use super::tlv::Tlv;

/// A variable, resolved when the configuration is read: an unknown name is an error there, never at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// `$http_NAME`: a request field.
    RequestHeader(HeaderName),
    /// `$sent_http_NAME`: a field of the answer as sent.
    SentHeader(HeaderName),
    /// `$sent_trailer_NAME`: a field behind the answer's body, which there is none of.
    SentTrailer(Box<str>),
    /// `$upstream_http_NAME`: a field of the upstream's answer.
    UpstreamHeader(HeaderName),
    /// `$arg_NAME`: a query argument.
    Argument(Box<str>),
    /// `$jwt_claim_NAME`: what a token says.
    TokenClaim(Box<str>),
    /// `$jwt_header_NAME`: what a token's header says.
    TokenHeader(Box<str>),
    /// `$cookie_NAME`
    Cookie(Box<str>),
    /// `$proxy_protocol_tlv_NAME`: a value of the PROXY protocol header.
    ProxyProtocolTlv(Tlv),
    /// `$1` to `$9`: a group of the regular expression that matched last.
    Capture(u8),
    /// Any other that nginx brings, by its fixed name.
    Named(Named),
    /// One that the configuration defines; its value is in a slot of the request.
    Defined(Arc<Defined>),
}

/// Variables with fixed names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Named {
    /// `$args`, `$query_string`
    Args,
    /// `$body_bytes_sent`
    BodyBytesSent,
    /// `$bytes_sent`
    BytesSent,
    /// `$connection`: serial number.
    Connection,
    /// `$connection_requests`
    ConnectionRequests,
    /// `$connections_active`
    ConnectionsActive,
    /// `$connections_reading`
    ConnectionsReading,
    /// `$connections_waiting`
    ConnectionsWaiting,
    /// `$connections_writing`
    ConnectionsWriting,
    /// `$content_length`
    ContentLength,
    /// `$content_type`
    ContentType,
    /// `$document_root`: `root` or `alias`.
    DocumentRoot,
    /// `$document_uri`, `$uri`: the normalised path.
    Uri,
    /// `$gzip_ratio`: how many times shorter the body has become.
    GzipRatio,
    /// `$host`
    Host,
    /// `$http2`
    Http2,
    /// `$hostname`
    Hostname,
    /// `$https`: `on` over TLS.
    Https,
    /// `$invalid_referer`: `1` where the request comes from a page of others.
    InvalidReferer,
    /// `$is_args`
    IsArgs,
    /// `$jwt_payload`: all that a token says.
    TokenPayload,
    /// `$limit_conn_status`: what became of the request under `limit_conn`.
    LimitConnStatus,
    /// `$limit_req_status`: what became of the request under `limit_req`.
    LimitReqStatus,
    /// `$limit_rate`: bytes a second of the answer, once `set` or a server has said them.
    LimitRate,
    /// `$msec`
    Msec,
    /// `$nginx_version`: our own version.
    Version,
    /// `$pid`
    Pid,
    /// `$pipe`
    Pipe,
    /// `$proxy_add_x_forwarded_for`
    ProxyAddXForwardedFor,
    /// `$proxy_host`
    ProxyHost,
    /// `$proxy_port`
    ProxyPort,
    /// `$proxy_protocol_addr`: the client, as the PROXY protocol header names it.
    ProxyProtocolAddr,
    /// `$proxy_protocol_port`
    ProxyProtocolPort,
    /// `$proxy_protocol_server_addr`: whom the client wanted to reach.
    ProxyProtocolServerAddr,
    /// `$proxy_protocol_server_port`
    ProxyProtocolServerPort,
    /// `$realip_remote_addr`: the other end of the connection, whoever the client is.
    RealipRemoteAddr,
    /// `$realip_remote_port`
    RealipRemotePort,
    /// `$binary_remote_addr`
    BinaryRemoteAddr,
    /// `$remote_addr`
    RemoteAddr,
    /// `$remote_port`
    RemotePort,
    /// `$remote_user`
    RemoteUser,
    /// `$request`: the request line.
    Request,
    /// `$request_completion`
    RequestCompletion,
    /// `$request_filename`: the path that the URI names.
    RequestFilename,
    /// `$request_id`
    RequestId,
    /// `$request_length`
    RequestLength,
    /// `$request_method`
    RequestMethod,
    /// `$request_time`
    RequestTime,
    /// `$request_uri`: the target as sent.
    RequestUri,
    /// `$scheme`
    Scheme,
    /// `$secure_link`: whether a link is signed.
    SecureLink,
    /// `$secure_link_expires`: when a link expires.
    SecureLinkExpires,
    /// `$server_addr`
    ServerAddr,
    /// `$server_name`
    ServerName,
    /// `$server_port`
    ServerPort,
    /// `$server_protocol`
    ServerProtocol,
    /// `$ssl_*`
    Tls(TlsVariable),
    /// `$status`
    Status,
    /// `$date_gmt`
    DateGmt,
    /// `$date_local`
    DateLocal,
    /// `$time_iso8601`
    TimeIso8601,
    /// `$time_local`
    TimeLocal,
    /// `$upstream_addr`: every try, comma separated.
    UpstreamAddr,
    /// `$upstream_bytes_received`
    UpstreamBytesReceived,
    /// `$upstream_bytes_sent`
    UpstreamBytesSent,
    /// `$upstream_cache_etag`
    UpstreamCacheEtag,
    /// `$upstream_cache_key`
    UpstreamCacheKey,
    /// `$upstream_cache_last_modified`
    UpstreamCacheLastModified,
    /// `$upstream_cache_status`
    UpstreamCacheStatus,
    /// `$upstream_connect_time`
    UpstreamConnectTime,
    /// `$upstream_header_time`
    UpstreamHeaderTime,
    /// `$upstream_response_length`
    UpstreamResponseLength,
    /// `$upstream_response_time`
    UpstreamResponseTime,
    /// `$upstream_status`
    UpstreamStatus,
}

/// What a TLS handshake has agreed on: `$ssl_` and the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TlsVariable {
    /// `$ssl_alpn_protocol`
    AlpnProtocol,
    /// `$ssl_cipher`
    Cipher,
    /// `$ssl_ciphers`: those that the client offers.
    Ciphers,
    /// `$ssl_client_cert`
    ClientCert,
    /// `$ssl_client_escaped_cert`
    ClientEscapedCert,
    /// `$ssl_client_fingerprint`
    ClientFingerprint,
    /// `$ssl_client_i_dn`
    ClientIssuer,
    /// `$ssl_client_i_dn_legacy`
    ClientIssuerLegacy,
    /// `$ssl_client_raw_cert`
    ClientRawCert,
    /// `$ssl_client_serial`
    ClientSerial,
    /// `$ssl_client_s_dn`
    ClientSubject,
    /// `$ssl_client_s_dn_legacy`
    ClientSubjectLegacy,
    /// `$ssl_client_v_remain`
    ClientValidDays,
    /// `$ssl_client_v_start`
    ClientValidFrom,
    /// `$ssl_client_v_end`
    ClientValidTo,
    /// `$ssl_client_verify`
    ClientVerify,
    /// `$ssl_curve`
    Curve,
    /// `$ssl_curves`: those that the client offers.
    Curves,
    /// `$ssl_early_data`
    EarlyData,
    /// `$ssl_protocol`
    Protocol,
    /// `$ssl_server_name`
    ServerName,
    /// `$ssl_session_reused`
    SessionReused,
    /// `$ssl_sigalg`: how the server has signed.
    SignatureScheme,
}

/// Every variable with a fixed name.
const NAMED: &[(&str, Named)] = &[
    ("args", Named::Args),
    ("binary_remote_addr", Named::BinaryRemoteAddr),
    ("body_bytes_sent", Named::BodyBytesSent),
    ("bytes_sent", Named::BytesSent),
    ("connection", Named::Connection),
    ("connection_requests", Named::ConnectionRequests),
    ("connections_active", Named::ConnectionsActive),
    ("connections_reading", Named::ConnectionsReading),
    ("connections_waiting", Named::ConnectionsWaiting),
    ("connections_writing", Named::ConnectionsWriting),
    ("content_length", Named::ContentLength),
    ("content_type", Named::ContentType),
    ("date_gmt", Named::DateGmt),
    ("date_local", Named::DateLocal),
    ("document_root", Named::DocumentRoot),
    ("document_uri", Named::Uri),
    ("gzip_ratio", Named::GzipRatio),
    ("host", Named::Host),
    ("hostname", Named::Hostname),
    ("http2", Named::Http2),
    ("https", Named::Https),
    ("invalid_referer", Named::InvalidReferer),
    ("is_args", Named::IsArgs),
    ("jwt_payload", Named::TokenPayload),
    ("limit_conn_status", Named::LimitConnStatus),
    ("limit_rate", Named::LimitRate),
    ("limit_req_status", Named::LimitReqStatus),
    ("msec", Named::Msec),
    ("nginx_version", Named::Version),
    ("pid", Named::Pid),
    ("pipe", Named::Pipe),
    ("proxy_add_x_forwarded_for", Named::ProxyAddXForwardedFor),
    ("proxy_host", Named::ProxyHost),
    ("proxy_port", Named::ProxyPort),
    ("proxy_protocol_addr", Named::ProxyProtocolAddr),
    ("proxy_protocol_port", Named::ProxyProtocolPort),
    ("proxy_protocol_server_addr", Named::ProxyProtocolServerAddr),
    ("proxy_protocol_server_port", Named::ProxyProtocolServerPort),
    ("query_string", Named::Args),
    ("realip_remote_addr", Named::RealipRemoteAddr),
    ("realip_remote_port", Named::RealipRemotePort),
    ("remote_addr", Named::RemoteAddr),
    ("remote_port", Named::RemotePort),
    ("remote_user", Named::RemoteUser),
    ("request", Named::Request),
    ("request_completion", Named::RequestCompletion),
    ("request_filename", Named::RequestFilename),
    ("request_id", Named::RequestId),
    ("request_length", Named::RequestLength),
    ("request_method", Named::RequestMethod),
    ("request_time", Named::RequestTime),
    ("request_uri", Named::RequestUri),
    ("scheme", Named::Scheme),
    ("secure_link", Named::SecureLink),
    ("secure_link_expires", Named::SecureLinkExpires),
    ("server_addr", Named::ServerAddr),
    ("server_name", Named::ServerName),
    ("server_port", Named::ServerPort),
    ("server_protocol", Named::ServerProtocol),
    ("ssl_alpn_protocol", Named::Tls(TlsVariable::AlpnProtocol)),
    ("ssl_cipher", Named::Tls(TlsVariable::Cipher)),
    ("ssl_ciphers", Named::Tls(TlsVariable::Ciphers)),
    ("ssl_client_cert", Named::Tls(TlsVariable::ClientCert)),
    ("ssl_client_escaped_cert", Named::Tls(TlsVariable::ClientEscapedCert)),
    ("ssl_client_fingerprint", Named::Tls(TlsVariable::ClientFingerprint)),
    ("ssl_client_i_dn", Named::Tls(TlsVariable::ClientIssuer)),
    ("ssl_client_i_dn_legacy", Named::Tls(TlsVariable::ClientIssuerLegacy)),
    ("ssl_client_raw_cert", Named::Tls(TlsVariable::ClientRawCert)),
    ("ssl_client_s_dn", Named::Tls(TlsVariable::ClientSubject)),
    ("ssl_client_s_dn_legacy", Named::Tls(TlsVariable::ClientSubjectLegacy)),
    ("ssl_client_serial", Named::Tls(TlsVariable::ClientSerial)),
    ("ssl_client_v_end", Named::Tls(TlsVariable::ClientValidTo)),
    ("ssl_client_v_remain", Named::Tls(TlsVariable::ClientValidDays)),
    ("ssl_client_v_start", Named::Tls(TlsVariable::ClientValidFrom)),
    ("ssl_client_verify", Named::Tls(TlsVariable::ClientVerify)),
    ("ssl_curve", Named::Tls(TlsVariable::Curve)),
    ("ssl_curves", Named::Tls(TlsVariable::Curves)),
    ("ssl_early_data", Named::Tls(TlsVariable::EarlyData)),
    ("ssl_protocol", Named::Tls(TlsVariable::Protocol)),
    ("ssl_server_name", Named::Tls(TlsVariable::ServerName)),
    ("ssl_session_reused", Named::Tls(TlsVariable::SessionReused)),
    ("ssl_sigalg", Named::Tls(TlsVariable::SignatureScheme)),
    ("status", Named::Status),
    ("time_iso8601", Named::TimeIso8601),
    ("time_local", Named::TimeLocal),
    ("upstream_addr", Named::UpstreamAddr),
    ("upstream_bytes_received", Named::UpstreamBytesReceived),
    ("upstream_bytes_sent", Named::UpstreamBytesSent),
    ("upstream_cache_etag", Named::UpstreamCacheEtag),
    ("upstream_cache_key", Named::UpstreamCacheKey),
    ("upstream_cache_last_modified", Named::UpstreamCacheLastModified),
    ("upstream_cache_status", Named::UpstreamCacheStatus),
    ("upstream_connect_time", Named::UpstreamConnectTime),
    ("upstream_header_time", Named::UpstreamHeaderTime),
    ("upstream_response_length", Named::UpstreamResponseLength),
    ("upstream_response_time", Named::UpstreamResponseTime),
    ("upstream_status", Named::UpstreamStatus),
    ("uri", Named::Uri),
];

/// The families of variables whose names end with what they ask for.
const FAMILIES: [&str; 9] = [
    "http_",
    "sent_http_",
    "sent_trailer_",
    "upstream_http_",
    "arg_",
    "cookie_",
    "jwt_claim_",
    "jwt_header_",
    PROXY_PROTOCOL_TLV,
];
const PROXY_PROTOCOL_TLV: &str = "proxy_protocol_tlv_";

/// Variables of nginx that have no value here: worth another word than a misspelt name.
const KNOWN_TO_NGINX: &[&str] = &[
    "ancient_browser",
    "connection_time",
    "fastcgi_path_info",
    "fastcgi_script_name",
    "http2",
    "http3",
    "is_request_port",
    "memcached_key",
    "modern_browser",
    "msie",
    "proxy_internal_body_length",
    "realpath_root",
    "request_body",
    "request_body_file",
    "request_port",
    "slice_range",
    "tcpinfo_rcv_space",
    "tcpinfo_rtt",
    "tcpinfo_rttvar",
    "tcpinfo_snd_cwnd",
    "uid_got",
    "uid_reset",
    "uid_set",
    "upstream_cache_age",
    "upstream_first_byte_time",
    "upstream_last_server_name",
    "upstream_queue_time",
    "upstream_session_time",
];

/// The names of all variables, families as `http_NAME`; for the reference.
pub fn variable_names() -> impl Iterator<Item = String> {
    let families = FAMILIES.iter().map(|family| format!("{family}NAME"));
    NAMED.iter().map(|(name, _)| (*name).to_owned()).chain(families)
}

/// The variable of nginx's own that `name` stands for, in lower case, as nginx compares names.
pub(super) fn built_in(name: &str) -> Option<Variable> {
    if let [digit @ b'1'..=b'9'] = name.as_bytes() {
        return Some(Variable::Capture(digit - b'0'));
    }
    if let Ok(index) = NAMED.binary_search_by_key(&name, |(known, _)| known) {
        return Some(Variable::Named(NAMED[index].1));
    }
    let header = |part: &str| HeaderName::from_bytes(part.replace('_', "-").as_bytes()).ok();
    if let Some(part) = name.strip_prefix("http_") {
        header(part).map(Variable::RequestHeader)
    } else if let Some(part) = name.strip_prefix("sent_http_") {
        header(part).map(Variable::SentHeader)
    } else if let Some(part) = name.strip_prefix("sent_trailer_") {
        (!part.is_empty()).then(|| Variable::SentTrailer(part.into()))
    } else if let Some(part) = name.strip_prefix("upstream_http_") {
        header(part).map(Variable::UpstreamHeader)
    } else if let Some(part) = name.strip_prefix("arg_") {
        (!part.is_empty()).then(|| Variable::Argument(part.into()))
    } else if let Some(part) = name.strip_prefix("cookie_") {
        (!part.is_empty()).then(|| Variable::Cookie(part.into()))
    } else if let Some(part) = name.strip_prefix("jwt_claim_") {
        (!part.is_empty()).then(|| Variable::TokenClaim(part.into()))
    } else if let Some(part) = name.strip_prefix("jwt_header_") {
        (!part.is_empty()).then(|| Variable::TokenHeader(part.into()))
    } else if let Some(part) = name.strip_prefix(PROXY_PROTOCOL_TLV) {
        Tlv::named(part).map(Variable::ProxyProtocolTlv)
    } else {
        None
    }
}

/// Whether the configuration may not define `name`: nginx's names, but not those of its families.
pub(super) fn is_fixed(name: &str) -> bool {
    matches!(built_in(name), Some(Variable::Named(_) | Variable::Capture(_)))
}

/// What would help whoever wrote a name that stands for nothing.
pub(super) fn hint(name: &str) -> Option<String> {
    let families_of_nginx = ["ssl_", "upstream_trailer_", "upstream_cookie_", "geoip_"];
    if KNOWN_TO_NGINX.contains(&name) || families_of_nginx.iter().any(|family| name.starts_with(family)) {
        return Some("nginx has it, lb has not".to_owned());
    }
    if name.starts_with(PROXY_PROTOCOL_TLV) {
        return Some(format!("behind \"{PROXY_PROTOCOL_TLV}\" stands one of {}", Tlv::NAMES));
    }
    let nearest = crate::suggestion::nearest(name, NAMED.iter().map(|(known, _)| *known))?;
    Some(format!("did you mean \"${nearest}\"?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_names_is_sorted() {
        assert!(NAMED.is_sorted_by_key(|(name, _)| *name), "binary search needs it");
    }

    #[test]
    fn families_carry_their_name() {
        let header = |name: &'static str| HeaderName::from_static(name);
        for (name, expected) in [
            ("http_x_forwarded_for", Some(Variable::RequestHeader(header("x-forwarded-for")))),
            ("sent_http_etag", Some(Variable::SentHeader(header("etag")))),
            ("upstream_http_x_a", Some(Variable::UpstreamHeader(header("x-a")))),
            ("arg_page", Some(Variable::Argument("page".into()))),
            ("cookie_session", Some(Variable::Cookie("session".into()))),
            ("proxy_protocol_tlv_ssl_cn", Some(Variable::ProxyProtocolTlv(Tlv::InSsl(0x22)))),
            ("proxy_protocol_tlv_nope", None),
            ("1", Some(Variable::Capture(1))),
            ("0", None),
            ("http_", None),
            ("arg_", None),
            ("nope", None),
        ] {
            assert_eq!(built_in(name), expected, "{name}");
        }
    }

    #[test]
    fn a_name_without_meaning_is_told_what_would_help() {
        assert_eq!(hint("remote_adr").as_deref(), Some("did you mean \"$remote_addr\"?"));
        assert_eq!(hint("ssl_session_id").as_deref(), Some("nginx has it, lb has not"));
        assert_eq!(hint("quite_something"), None);
    }
}
