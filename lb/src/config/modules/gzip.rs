//! Compression with gzip: nginx's `ngx_http_gzip_filter_module`, and what `ngx_http_core_module` says of who gets it.

use super::charset::MediaTypes;
use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{
    Argument, Arguments, FLAG, Flag, IF_IN_LOCATION, LEVELS, Number, Row, SIZE, at_least, no_effect, one,
    settings, words,
};
use crate::script::{Case, Regex};

settings! {
    /// How answers are compressed with gzip, and for whom.
    Gzip {
        "gzip" in LEVELS.or(IF_IN_LOCATION),
        enabled: bool as Flag = false,
        "Whether answers with 200, 403 and 404 of a media type of `gzip_types` are compressed for clients that take gzip";

        "gzip_comp_level" in LEVELS,
        level: u8 as Level = 1,
        "How much time is spent on a smaller answer: 1 to 9",
        differs "another library compresses, so the sizes differ a little";

        "gzip_min_length" in LEVELS,
        min_length: u64 as Number = 20,
        "A body with a `Content-Length` below this is not compressed";

        "gzip_types" in LEVELS,
        types: MediaTypes as MediaTypes = MediaTypes::html(),
        "The media types that are compressed; `text/html` always is, and `*` means all";

        "gzip_window" in LEVELS,
        window_bits: u8 as Window = 15,
        "How far back the compressor looks: 512 to `32k`";

        "gzip_http_version" in LEVELS,
        http_1_0: bool as LowestVersion = false,
        "The lowest version of HTTP that gets gzip";

        "gzip_proxied" in LEVELS,
        proxied: GzipProxied as GzipProxied = GzipProxied::OFF,
        "Which answers to a request with `Via` are compressed: by what they say of caches, by `Authorization`, all, or none";

        "gzip_disable" in LEVELS,
        disable: GzipDisable as GzipDisable = GzipDisable::default(),
        "Regular expressions of a `User-Agent` that gets no gzip; `msie6` is Internet Explorer 4 to 6";

        "gzip_vary" in LEVELS,
        vary: bool as Flag = false,
        "Whether an answer that `gzip`, `gunzip`, `gzip_static` and their like may change has `Vary: Accept-Encoding`";
    }
}

const OWN_ROOM: &str = "a compressor takes the memory that its level needs";

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    no_effect("gzip_buffers", LEVELS, words(2, 2, "number size"), "what is compressed goes on at once"),
    no_effect("gzip_hash", LEVELS, SIZE, OWN_ROOM),
    no_effect("gzip_no_buffer", LEVELS, FLAG, OWN_ROOM).harmless(&["off"]),
    no_effect("postpone_gzipping", LEVELS, SIZE, "compression begins with the first byte").harmless(&["0"]),
];

/// A compression level within bounds.
struct Level;

impl Argument for Level {
    type Value = u8;

    const ARGUMENTS: Arguments = one("level");

    fn read(into: &mut Option<u8>, directive: &Directive, report: &mut Report) {
        *into = bounded(directive, report, 1, 9);
    }

    fn print(value: &u8) -> String {
        value.to_string()
    }
}

/// A number between two others, in nginx's words where it is none.
pub(super) fn bounded(directive: &Directive, report: &mut Report, least: u8, most: u8) -> Option<u8> {
    let number = report.number(directive, 0)?;
    let read = u8::try_from(number).ok().filter(|number| (least..=most).contains(number));
    if read.is_none() {
        let message = format!("value must be between {least} and {most}");
        report.emerg(message, &directive.argument_position(0));
    }
    read
}

/// `gzip_window`: a power of two.
struct Window;

impl Argument for Window {
    type Value = u8;

    const ARGUMENTS: Arguments = one("size");

    fn read(into: &mut Option<u8>, directive: &Directive, report: &mut Report) {
        *into = window_bits(directive, report, 9, 15, "must be 512, 1k, 2k, 4k, 8k, 16k, or 32k");
    }

    fn print(value: &u8) -> String {
        crate::config::values::written_bytes(1 << value)
    }
}

/// The exponent of a window's size.
pub(super) fn window_bits(
    directive: &Directive,
    report: &mut Report,
    least: u8,
    most: u8,
    words: &str,
) -> Option<u8> {
    let bytes = report.size(directive, 0)?;
    let bits = (least..=most).find(|bits| bytes == 1 << bits);
    if bits.is_none() {
        report.emerg(format!("\"{}\" directive {words}", directive.name), &directive.argument_position(0));
    }
    bits
}

/// `gzip_http_version`
struct LowestVersion;

impl Argument for LowestVersion {
    type Value = bool;

    const ARGUMENTS: Arguments = one("1.0 | 1.1");

    fn read(into: &mut Option<bool>, directive: &Directive, report: &mut Report) {
        match directive.argument(0) {
            "1.0" => *into = Some(true),
            "1.1" => *into = Some(false),
            other => {
                let hint = "\"gzip_http_version\" accepts 1.0, 1.1";
                let message = format!("invalid value \"{other}\"");
                report.emerg_hint(message, &directive.argument_position(0), hint.to_owned());
            }
        }
    }

    fn print(value: &bool) -> String {
        if *value { "1.0" } else { "1.1" }.to_owned()
    }
}

/// `gzip_proxied`: for which answers to requests with `Via`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GzipProxied(u16);

impl GzipProxied {
    /// For none.
    pub const OFF: Self = Self(1);
    /// For those that have expired already.
    pub const EXPIRED: Self = Self(2);
    /// For those with `Cache-Control: no-cache`.
    pub const NO_CACHE: Self = Self(4);
    /// For those with `Cache-Control: no-store`.
    pub const NO_STORE: Self = Self(8);
    /// For those with `Cache-Control: private`.
    pub const PRIVATE: Self = Self(16);
    /// For those without `Last-Modified`.
    pub const NO_LAST_MODIFIED: Self = Self(32);
    /// For those without `ETag`.
    pub const NO_ETAG: Self = Self(64);
    /// Where the request has `Authorization`.
    pub const AUTH: Self = Self(128);
    /// For all.
    pub const ANY: Self = Self(256);

    const WORDS: [(&'static str, Self); 9] = [
        ("off", Self::OFF),
        ("expired", Self::EXPIRED),
        ("no-cache", Self::NO_CACHE),
        ("no-store", Self::NO_STORE),
        ("private", Self::PRIVATE),
        ("no_last_modified", Self::NO_LAST_MODIFIED),
        ("no_etag", Self::NO_ETAG),
        ("auth", Self::AUTH),
        ("any", Self::ANY),
    ];

    /// Whether `other` is among them.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl Argument for GzipProxied {
    type Value = Self;

    const ARGUMENTS: Arguments = at_least(
        1,
        "off | expired | no-cache | no-store | private | no_last_modified | no_etag | auth | any …",
    );

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        let mut all = 0;
        for (index, written) in directive.words().enumerate() {
            let Some((_, one)) = Self::WORDS.iter().find(|(word, _)| written.eq_ignore_ascii_case(word))
            else {
                let words: Vec<&str> = Self::WORDS.iter().map(|(word, _)| *word).collect();
                let hint = format!("\"gzip_proxied\" accepts {}", words.join(", "));
                let message = format!("invalid value \"{written}\"");
                report.emerg_hint(message, &directive.argument_position(index), hint);
                return;
            };
            if all & one.0 != 0 {
                let message = format!("duplicate value \"{written}\"");
                report.warn(message, &directive.argument_position(index));
            }
            all |= one.0;
        }
        *into = Some(Self(all));
    }

    fn print(value: &Self) -> String {
        let words = Self::WORDS.iter().filter(|(_, one)| value.has(*one)).map(|(word, _)| *word);
        words.collect::<Vec<_>>().join(" ")
    }
}

/// `gzip_disable`
#[derive(Debug, Clone, Default)]
pub struct GzipDisable {
    /// Internet Explorer 4 to 6, but for what says `SV1`.
    pub msie6: bool,
    /// Compared without case.
    pub patterns: Vec<Regex>,
}

impl Argument for GzipDisable {
    type Value = Self;

    const ARGUMENTS: Arguments = at_least(1, "regex …");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        let disable = into.get_or_insert_default();
        for (index, word) in directive.words().enumerate() {
            if word == "msie6" {
                disable.msie6 = true;
                continue;
            }
            match Regex::new(word, Case::Insensitive) {
                Ok(pattern) => disable.patterns.push(pattern),
                Err(error) => report.emerg(error.to_string(), &directive.argument_position(index)),
            }
        }
    }

    /// No default has any.
    fn print(_: &Self) -> String {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::GzipProxied;
    use crate::config::model::Gzip;
    use crate::config::testing::{accepted, in_location, in_server, refused, warnings};

    fn settings(text: &str) -> Gzip {
        let config = accepted(&in_server(&format!("{text} location / {{ }}")));
        Gzip::clone(&config.http.servers[0].locations[0].settings.gzip)
    }

    #[test]
    fn what_is_said_is_kept() {
        let said = settings(
            "gzip on; gzip_comp_level 9; gzip_min_length 1000; gzip_window 4k; gzip_http_version 1.0; gzip_vary on; \
             gzip_types text/css; gzip_proxied no-store no_etag; gzip_disable msie6 \"MSIE [1-3]\"; gzip_disable x;",
        );
        assert!(said.enabled && said.http_1_0 && said.vary && said.disable.msie6);
        assert_eq!((said.level, said.min_length, said.window_bits), (9, 1000, 12));
        assert!(said.types.contains("text/css") && said.types.contains("text/html"));
        assert_eq!(said.disable.patterns.len(), 2);
        let has = |one| said.proxied.has(one);
        assert!(has(GzipProxied::NO_STORE) && has(GzipProxied::NO_ETAG) && !has(GzipProxied::OFF));
        assert!(settings("").proxied.has(GzipProxied::OFF));
    }

    #[test]
    fn mistakes() {
        for (text, message) in [
            ("gzip_comp_level 0;", "value must be between 1 and 9"),
            ("gzip_comp_level 10;", "value must be between 1 and 9"),
            ("gzip_window 3k;", "\"gzip_window\" directive must be 512, 1k, 2k, 4k, 8k, 16k, or 32k"),
            ("gzip_proxied some;", "invalid value \"some\""),
            ("gzip_http_version 2;", "invalid value \"2\""),
            ("gzip_disable \"(\";", "pcre2_compile() failed"),
        ] {
            refused(&in_location(text), message);
        }
        assert!(warnings(&in_location("gzip_proxied auth auth;"))[0].contains("duplicate value"));
        assert!(warnings(&in_location("gzip_buffers 4 8k;"))[0].contains("has no effect here"));
    }
}
