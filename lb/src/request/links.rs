//! `$secure_link` and `$secure_link_expires`: whether a link carries the hash of what a secret signs; `$invalid_referer`:
//! whether a request comes from a page of those that may link here.
//!
//! Source of the rules: `ngx_http_secure_link_module.c`, `ngx_http_referer_module.c`.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use md5::{Digest, Md5};

use crate::config::model::ValidReferers;

const HASH_BYTES: usize = 16;
/// A hash in Base64, with its padding.
const LONGEST_HASH: usize = 24;
/// nginx compares so much of a host and no more.
const LONGEST_HOST: usize = 256;
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A link that is signed: the hash, and when it expires.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Link<'l> {
    hash: [u8; HASH_BYTES],
    /// As written, and in seconds of Unix time.
    pub(super) expires: Option<(&'l [u8], u64)>,
}

impl<'l> Link<'l> {
    /// What `secure_link` renders to: a hash, and behind a comma a time.
    pub(super) fn parse(text: &'l [u8]) -> Option<Self> {
        let expires = Self::expires(text);
        let hash = text.split(|byte| *byte == b',').next().unwrap_or_default();
        if expires.is_none() && hash.len() < text.len() || hash.len() > LONGEST_HASH {
            return None;
        }
        Some(Self { hash: BASE64.decode(hash).ok()?.try_into().ok()?, expires })
    }

    /// The time at which a link says it expires, whatever its hash is.
    pub(super) fn expires(text: &'l [u8]) -> Option<(&'l [u8], u64)> {
        let comma = text.iter().position(|byte| *byte == b',')?;
        let written = &text[comma + 1..];
        let is_number = !written.is_empty() && written.iter().all(u8::is_ascii_digit);
        let seconds = std::str::from_utf8(written).ok().filter(|_| is_number)?.parse().ok()?;
        (1..=i64::MAX.unsigned_abs()).contains(&seconds).then_some((written, seconds))
    }

    /// The value of `$secure_link` at `now`, in seconds of Unix time, where `signed` is what is signed: 1, or 0 once
    /// expired; nothing where the hash is another's.
    pub(super) fn judge(&self, signed: &[u8], now: u64) -> Option<&'static str> {
        let is_same = is_same(&Md5::digest(signed), &self.hash);
        let has_expired = self.expires.is_some_and(|(_, seconds)| seconds < now);
        is_same.then_some(if has_expired { "0" } else { "1" })
    }
}

/// The link that a path `/prefix/hash/link` carries, where its hash is that of the link and the secret.
pub(super) fn signed_by_secret<'t>(target: &'t [u8], secret: &[u8]) -> Option<&'t [u8]> {
    let mut parts = target.get(1..)?.splitn(3, |byte| *byte == b'/');
    let (_, hash, link) = (parts.next()?, parts.next()?, parts.next()?);
    if hash.len() != 2 * HASH_BYTES || link.is_empty() {
        return None;
    }
    let mut given = [0; HASH_BYTES];
    for (byte, digits) in given.iter_mut().zip(hash.chunks(2)) {
        let digit =
            |at: usize| char::from(digits[at]).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(0)? << 4 | digit(1)?;
    }
    let made = Md5::new_with_prefix(link).chain_update(secret).finalize();
    is_same(&made, &given).then_some(link)
}

/// Takes the same time wherever the first difference is.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |different, (a, b)| different | a ^ b) == 0
}

/// Whether a request with this `Referer` comes from where it may.
pub(super) fn is_valid_referer(valid: &ValidReferers, referer: Option<&[u8]>) -> bool {
    const SHORTEST: usize = "http://i.ru".len();
    if valid.is_empty() {
        return true;
    }
    let Some(referer) = referer else { return valid.none };
    let scheme = |scheme: &str| {
        let begins = referer.get(..scheme.len())?.eq_ignore_ascii_case(scheme.as_bytes());
        (begins && referer.len() >= SHORTEST).then(|| &referer[scheme.len()..])
    };
    let Some(whole) = scheme("http://").or_else(|| scheme("https://")) else { return valid.blocked };
    let end = whole.iter().position(|byte| matches!(byte, b'/' | b':')).unwrap_or(whole.len());
    if end > LONGEST_HOST {
        return false;
    }
    let host = whole[..end].to_ascii_lowercase();
    let path = whole.iter().position(|byte| *byte == b'/').map_or(&[][..], |at| &whole[at..]);
    // An expression that gives up has not matched.
    valid.take(&host, path, whole).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::testing::Rig;

    #[test]
    fn a_link_is_signed_until_it_expires() {
        // echo -n '2147483647/s/link127.0.0.1 secret' | openssl md5 -binary | openssl base64 | tr +/ -_ | tr -d =
        const SIGNED: &[u8] = b"2147483647/s/link127.0.0.1 secret";
        const HASH: &str = "_e4Nc3iduzkWRm01TBBNYw";
        for (text, now, expected) in [
            (HASH.to_owned(), 1, Some("1")),
            (format!("{HASH}=="), 1, Some("1")),
            (format!("{HASH},2147483647"), 1, Some("1")),
            (format!("{HASH},2147483647"), 2_147_483_648, Some("0")),
            (format!("{HASH},2147483647"), 2_147_483_647, Some("1")),
            (format!("{HASH},"), 1, None),
            (format!("{HASH},0"), 1, None),
            (format!("{HASH},-1"), 1, None),
            (format!("{HASH},1,2"), 1, None),
            (format!("{HASH}===,1"), 1, None),
            ("Ae4Nc3iduzkWRm01TBBNYw".to_owned(), 1, None),
            (String::new(), 1, None),
            (",5".to_owned(), 1, None),
        ] {
            let link = Link::parse(text.as_bytes());
            let judged = link.and_then(|link| link.judge(SIGNED, now));
            assert_eq!(judged, expected, "{text} at {now}");
        }
        assert_eq!(Link::expires(b"wrong,77"), Some((&b"77"[..], 77)));
        assert_eq!(Link::expires(b"wrong"), None);
    }

    #[test]
    fn a_path_is_signed_by_a_secret() {
        const HASH: &str = "b8c06a4b6eb9bff4ac8f5c06d6e9ed9c";
        let right = format!("{:x}", Md5::digest(b"top/file.htmlword"));
        let target = |hash: &str, link: &str| format!("/p/{hash}/{link}").into_bytes();
        assert_eq!(signed_by_secret(&target(&right, "top/file.html"), b"word"), Some(&b"top/file.html"[..]));
        let upper = right.to_ascii_uppercase();
        assert!(signed_by_secret(&target(&upper, "top/file.html"), b"word").is_some());
        for (hash, link) in [(HASH, "top/file.html"), (&right[1..], "x"), (&*right, ""), ("", "x")] {
            assert_eq!(signed_by_secret(&target(hash, link), b"word"), None, "{hash} {link}");
        }
        assert_eq!(signed_by_secret(b"/p/x", b"word"), None);
        assert_eq!(signed_by_secret(b"", b"word"), None);
    }

    #[test]
    fn a_referer_is_read_as_nginx_reads_it() {
        let valid = |text: &str| {
            let rig = Rig::of(&format!("server {{ listen 81; location / {{ valid_referers {text}; }} }}"));
            rig.rules().http.servers[0].locations[0].settings.referers.valid.clone()
        };
        let (named, all) = (valid("*.example.org ~^page"), valid("none blocked www.example.org/a"));
        for (referer, by_name, by_all) in [
            (None, false, true),
            (Some("http://www.example.org/a/b"), true, true),
            (Some("https://WWW.Example.ORG:81/a"), true, true),
            (Some("https://www.example.org/b"), true, false),
            (Some("http://a.example.org"), true, false),
            (Some("ftp://www.example.org/a"), false, true),
            (Some("www.example.org"), false, true),
            (Some("http://i"), false, true),
            (Some(""), false, true),
            (Some("http://page.test/x"), true, false),
            (Some("http://else.test/page"), false, false),
        ] {
            let text = referer.map(str::as_bytes);
            let judged = (is_valid_referer(&named, text), is_valid_referer(&all, text));
            assert_eq!(judged, (by_name, by_all), "{referer:?}");
        }
        let long = format!("http://{}.example.org/", "x".repeat(257));
        assert!(!is_valid_referer(&named, Some(long.as_bytes())));
        assert!(is_valid_referer(&ValidReferers::default(), None));
    }
}
