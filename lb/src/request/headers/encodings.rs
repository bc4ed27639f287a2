//! Which compressed answers a client takes, as nginx and the modules for Brotli and Zstandard read `Accept-Encoding`.
//!
//! They read it by hand and not by the grammar: `*` means nothing to them, and of several fields the first one counts.
//! Source: `ngx_http_gzip_ok`, `ngx_http_gzip_accept_encoding`; `check_accept_encoding` of ngx_brotli;
//! `ngx_http_zstd_accept_encoding`.

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL, ETAG, EXPIRES, HeaderValue, LAST_MODIFIED, USER_AGENT, VIA,
};
use http::{HeaderMap, Version};

use crate::config::model::{Gzip, GzipDisable, GzipProxied};
use crate::content::file::http_time;

/// Whether nginx would send a client with the header `request` gzip. `answer` is what is known of the answer, and `now`
/// gives the time in seconds after 1970.
pub fn takes_gzip(
    request: &HeaderMap,
    version: Version,
    settings: &Gzip,
    answer: &HeaderMap,
    now: impl FnOnce() -> i64,
) -> bool {
    let Some(accepted) = request.get(ACCEPT_ENCODING) else { return false };
    if !accepts(accepted.as_bytes(), b"gzip") {
        return false;
    }
    let agent = request.get(USER_AGENT).map(HeaderValue::as_bytes);
    let disable = &settings.disable;
    if disable.msie6 && agent.is_some_and(is_msie6) {
        return false;
    }
    if version < Version::HTTP_11 && !(settings.http_1_0 && version == Version::HTTP_10) {
        return false;
    }
    if request.contains_key(VIA) && !proxied(request, settings.proxied, answer, now) {
        return false;
    }
    !agent.is_some_and(|agent| is_disabled(agent, disable))
}

/// A coding by name that is alone, or has a quality above 0: nginx's reading.
fn accepts(accepted: &[u8], coding: &[u8]) -> bool {
    let Some(mut rest) = behind_coding(accepted, coding) else { return false };
    loop {
        match rest.split_first() {
            None | Some((b',', _)) => return true,
            Some((b' ', behind)) => rest = behind,
            Some((b';', behind)) => return has_quality(behind),
            Some(_) => return false,
        }
    }
}

/// What follows the name where it stands at the beginning, or behind a comma or a space.
fn behind_coding<'a>(accepted: &'a [u8], coding: &[u8]) -> Option<&'a [u8]> {
    let mut from = 0;
    loop {
        let found =
            accepted[from..].windows(coding.len()).position(|part| part.eq_ignore_ascii_case(coding))?;
        let at = from + found;
        from = at + coding.len();
        if at == 0 || matches!(accepted[at - 1], b',' | b' ') {
            return Some(&accepted[from..]);
        }
    }
}

/// `q=` and more than 0. Nothing at all behind the semicolon is 1.
fn has_quality(parameter: &[u8]) -> bool {
    match parameter.trim_ascii_start() {
        [] => true,
        [b'q' | b'Q', b'=', number @ ..] => is_positive(number),
        _ => false,
    }
}

/// Above 0 and at most 1, with at most three decimals.
fn is_positive(number: &[u8]) -> bool {
    let end = number.iter().position(|byte| matches!(byte, b',' | b' ')).unwrap_or(number.len());
    let (whole, decimals) = match &number[..end] {
        [whole @ (b'0' | b'1')] => (*whole, &[][..]),
        [whole @ (b'0' | b'1'), b'.', decimals @ ..] => (*whole, decimals),
        _ => return false,
    };
    if decimals.len() > 3 || !decimals.iter().all(u8::is_ascii_digit) {
        return false;
    }
    // nginx adds the digits up, so `1.001` is too much and `0.001` is not nothing.
    let sum: u32 = decimals.iter().map(|digit| u32::from(digit - b'0')).sum();
    match whole {
        b'1' => sum == 0,
        _ => sum > 0,
    }
}

/// Whether the client takes Brotli, as ngx_brotli reads it: only a quality of 0 refuses it.
pub fn takes_brotli(request: &HeaderMap) -> bool {
    let Some(accepted) = request.get(ACCEPT_ENCODING) else { return false };
    let accepted = accepted.as_bytes();
    let mut from = 0;
    while let Some(found) = accepted[from..].windows(2).position(|part| part.eq_ignore_ascii_case(b"br")) {
        let at = from + found;
        from = at + 2;
        let stands_alone = (at == 0 || matches!(accepted[at - 1], b',' | b' '))
            && matches!(accepted.get(from), None | Some(b',' | b' ' | b';'));
        if stands_alone {
            return !is_refused(&accepted[from..]);
        }
    }
    false
}

/// `;q=0`, with zeros behind it or nothing.
fn is_refused(parameter: &[u8]) -> bool {
    let mut rest = parameter;
    for expected in b";q=" {
        match rest.trim_ascii_start().split_first() {
            Some((byte, behind)) if byte == expected => rest = behind,
            _ => return false,
        }
    }
    match rest.trim_ascii_start() {
        [b'0', b'.', decimals @ ..] => {
            !decimals.iter().take(3).take_while(|byte| byte.is_ascii_digit()).any(|byte| *byte != b'0')
        }
        [b'0', ..] => true,
        _ => false,
    }
}

/// Whether the client takes Zstandard: read as gzip is.
pub fn takes_zstd(request: &HeaderMap) -> bool {
    request.get(ACCEPT_ENCODING).is_some_and(|accepted| accepts(accepted.as_bytes(), b"zstd"))
}

/// Internet Explorer 4 to 6, as nginx recognises it: `MSIE`, and not the 6 of Windows XP's second service pack.
fn is_msie6(agent: &[u8]) -> bool {
    let Some(at) = agent.windows(5).position(|part| part == b"MSIE ") else { return false };
    match &agent[at + 5..] {
        [b'4' | b'5', b'.', _, ..] => true,
        [b'6', b'.', _, rest @ ..] => !rest.windows(3).any(|part| part == b"SV1"),
        _ => false,
    }
}

fn is_disabled(agent: &[u8], disable: &GzipDisable) -> bool {
    // A match that is given up is none, as in nginx.
    disable.patterns.iter().any(|pattern| pattern.is_match(agent))
}

/// `gzip_proxied`
fn proxied(request: &HeaderMap, allowed: GzipProxied, answer: &HeaderMap, now: impl FnOnce() -> i64) -> bool {
    if allowed.has(GzipProxied::OFF) {
        return false;
    }
    if allowed.has(GzipProxied::ANY)
        || (allowed.has(GzipProxied::AUTH) && request.contains_key(AUTHORIZATION))
    {
        return true;
    }
    if let Some(expires) = answer.get(EXPIRES) {
        // A server's `Date` does not reach the client, and counts for nothing.
        let expired = http_time::read(expires.as_bytes()).is_some_and(|expires| expires < now());
        return allowed.has(GzipProxied::EXPIRED) && expired;
    }
    if answer.contains_key(CACHE_CONTROL) {
        return [
            (GzipProxied::NO_CACHE, &b"no-cache"[..]),
            (GzipProxied::NO_STORE, b"no-store"),
            (GzipProxied::PRIVATE, b"private"),
        ]
        .iter()
        .any(|(word, directive)| allowed.has(*word) && says(answer, directive));
    }
    let says_its_age = allowed.has(GzipProxied::NO_LAST_MODIFIED) && answer.contains_key(LAST_MODIFIED);
    let has_tag = allowed.has(GzipProxied::NO_ETAG) && answer.contains_key(ETAG);
    !says_its_age && !has_tag
}

/// Whether a `Cache-Control` has a directive, without a value.
fn says(answer: &HeaderMap, directive: &[u8]) -> bool {
    answer.get_all(CACHE_CONTROL).iter().any(|value| {
        value
            .as_bytes()
            .split(|byte| matches!(byte, b',' | b';'))
            .any(|part| part.trim_ascii().eq_ignore_ascii_case(directive))
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;
    use crate::config::testing::{accepted, in_location};

    fn settings(text: &str) -> Gzip {
        Gzip::clone(&accepted(&in_location(text)).http.servers[0].locations[0].settings.gzip)
    }

    fn header(fields: &[(&'static str, &str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn takes(
        fields: &[(&'static str, &str)],
        version: Version,
        text: &str,
        answer: &[(&'static str, &str)],
    ) -> bool {
        takes_gzip(&header(fields), version, &settings(text), &header(answer), || 1_000_000_000)
    }

    #[test]
    fn accept_encoding_is_read_as_nginx_reads_it() {
        for (field, gzip, brotli, zstd) in [
            ("gzip", true, false, false),
            ("gzip, deflate, br, zstd", true, true, true),
            ("deflate, GZIP", true, false, false),
            ("gzip;q=0.5, br;q=1", true, true, false),
            ("gzip; q=1.0", true, false, false),
            ("gzip;q=0", false, false, false),
            ("gzip;q=0.000", false, false, false),
            ("gzip;q=0.001", true, false, false),
            ("gzip;q=0.0001", false, false, false),
            ("gzip;q=1.001", false, false, false),
            ("gzip;q=2", false, false, false),
            ("gzip;q=x", false, false, false),
            ("gzip;", true, false, false),
            ("gzip x", false, false, false),
            ("xgzip", false, false, false),
            ("xgzip, gzip", true, false, false),
            ("x-gzip", false, false, false),
            ("*", false, false, false),
            ("identity", false, false, false),
            ("", false, false, false),
            ("br;q=0", false, false, false),
            ("br;q=0.0, zstd;q=0", false, false, false),
            ("br;q=0.01", false, true, false),
            ("brx, zstd;q=0.1", false, false, true),
            ("x, br ; q = 0", false, false, false),
        ] {
            let fields = [("accept-encoding", field)];
            let request = header(&fields);
            let all =
                (takes(&fields, Version::HTTP_11, "", &[]), takes_brotli(&request), takes_zstd(&request));
            assert_eq!(all, (gzip, brotli, zstd), "{field}");
        }
        assert!(!takes(&[], Version::HTTP_11, "", &[]));
    }

    #[test]
    fn version_and_client_may_rule_it_out() {
        let gzip = ("accept-encoding", "gzip");
        let agent = |text| [gzip, ("user-agent", text)];
        assert!(!takes(&[gzip], Version::HTTP_10, "", &[]));
        assert!(takes(&[gzip], Version::HTTP_10, "gzip_http_version 1.0;", &[]));
        assert!(takes(&[gzip], Version::HTTP_2, "", &[]));
        for (text, taken) in [
            ("Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)", false),
            ("Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)", true),
            ("Mozilla/4.0 (compatible; MSIE 5.5; x)", false),
            ("Mozilla/4.0 (compatible; MSIE 7.0; x)", true),
            ("curl", true),
        ] {
            assert_eq!(takes(&agent(text), Version::HTTP_11, "gzip_disable msie6;", &[]), taken, "{text}");
            assert!(takes(&agent(text), Version::HTTP_11, "", &[]), "{text}");
        }
        assert!(!takes(&agent("My Robot 1"), Version::HTTP_11, "gzip_disable x 'robot \\d';", &[]));
    }

    #[test]
    fn answers_to_proxies_follow_gzip_proxied() {
        let past = ("expires", "Thu, 01 Jan 1970 00:00:01 GMT");
        let future = ("expires", "Thu, 01 Jan 2099 00:00:01 GMT");
        let modified = ("last-modified", "Thu, 01 Jan 1970 00:00:01 GMT");
        let control = |text| ("cache-control", text);
        for (text, answer, taken) in [
            ("", &[][..], false),
            ("gzip_proxied any;", &[], true),
            ("gzip_proxied expired;", &[], true),
            ("gzip_proxied expired;", &[past], true),
            ("gzip_proxied expired;", &[future], false),
            ("gzip_proxied no-store;", &[past], false),
            ("gzip_proxied no-store;", &[control("public, No-Store")], true),
            ("gzip_proxied no-store;", &[control("private")], false),
            ("gzip_proxied private;", &[control("private=\"x\"")], false),
            ("gzip_proxied no_last_modified;", &[modified], false),
            ("gzip_proxied no_last_modified;", &[], true),
            ("gzip_proxied no_etag;", &[("etag", "\"a\"")], false),
            ("gzip_proxied auth;", &[("etag", "\"a\"")], true),
        ] {
            let fields = [("accept-encoding", "gzip"), ("via", "1.1 x"), ("authorization", "x")];
            assert_eq!(takes(&fields, Version::HTTP_11, text, answer), taken, "{text} {answer:?}");
        }
    }
}
