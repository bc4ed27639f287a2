//! Compression otherwise: nginx's `ngx_http_gunzip_filter_module`, and the modules ngx_brotli (`brotli`) of Google and
//! zstd-nginx-module (`zstd`) of Alex Zhang, with their names and defaults.

use super::charset::MediaTypes;
use super::gzip::{bounded, window_bits};
use super::static_files::GzipStatic;
use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{
    Argument, Arguments, Flag, IF_IN_LOCATION, LEVELS, Number, Row, no_effect, one, settings, words,
};

settings! {
    /// How answers are compressed otherwise, and unpacked.
    Compression {
        "gunzip" in LEVELS,
        gunzip: bool as Flag = false,
        "Whether an answer with `Content-Encoding: gzip` is unpacked for clients that do not take gzip";

        "brotli" in LEVELS.or(IF_IN_LOCATION),
        brotli: bool as Flag = false,
        "Whether answers with 200, 403 and 404 of a media type of `brotli_types` are compressed for clients that take `br`, before `zstd` and `gzip`";

        "brotli_comp_level" in LEVELS,
        brotli_level: u8 as BrotliLevel = 6,
        "How much time is spent on a smaller answer: 0 to 11";

        "brotli_min_length" in LEVELS,
        brotli_min_length: u64 as Number = 20,
        "A body with a `Content-Length` below this is not compressed";

        "brotli_types" in LEVELS,
        brotli_types: MediaTypes as MediaTypes = MediaTypes::html(),
        "The media types that are compressed; `text/html` always is, and `*` means all";

        "brotli_window" in LEVELS,
        brotli_window_bits: u8 as BrotliWindow = 19,
        "How far back the compressor looks: `1k` to `16m`";

        "brotli_static" in LEVELS,
        brotli_static: GzipStatic as GzipStatic = GzipStatic::Off,
        "Whether the file with `.br` at the end of its name is sent in place of it: never, to clients that take `br`, or always; before `zstd_static` and `gzip_static`";

        "zstd" in LEVELS.or(IF_IN_LOCATION),
        zstd: bool as Flag = false,
        "Whether answers with 200, 403 and 404 of a media type of `zstd_types` are compressed for clients that take `zstd`, before `gzip`";

        "zstd_comp_level" in LEVELS,
        zstd_level: u8 as ZstdLevel = 1,
        "How much time is spent on a smaller answer: 1 to 22";

        "zstd_min_length" in LEVELS,
        zstd_min_length: u64 as Number = 20,
        "A body with a `Content-Length` below this is not compressed";

        "zstd_types" in LEVELS,
        zstd_types: MediaTypes as MediaTypes = MediaTypes::html(),
        "The media types that are compressed; `text/html` always is, and `*` means all";

        "zstd_static" in LEVELS,
        zstd_static: GzipStatic as GzipStatic = GzipStatic::Off,
        "Whether the file with `.zst` at the end of its name is sent in place of it: never, to clients that take `zstd`, or always; before `gzip_static`";
    }
}

const AT_ONCE: &str = "what is made goes on at once";

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    no_effect("gunzip_buffers", LEVELS, words(2, 2, "number size"), AT_ONCE),
    no_effect("brotli_buffers", LEVELS, words(2, 2, "number size"), AT_ONCE),
    no_effect("zstd_buffers", LEVELS, words(2, 2, "number size"), AT_ONCE),
];

struct BrotliLevel;

impl Argument for BrotliLevel {
    type Value = u8;

    const ARGUMENTS: Arguments = one("level");

    fn read(into: &mut Option<u8>, directive: &Directive, report: &mut Report) {
        *into = bounded(directive, report, 0, 11);
    }

    fn print(value: &u8) -> String {
        value.to_string()
    }
}

struct ZstdLevel;

impl Argument for ZstdLevel {
    type Value = u8;

    const ARGUMENTS: Arguments = one("level");

    fn read(into: &mut Option<u8>, directive: &Directive, report: &mut Report) {
        *into = bounded(directive, report, 1, 22);
    }

    fn print(value: &u8) -> String {
        value.to_string()
    }
}

struct BrotliWindow;

impl Argument for BrotliWindow {
    type Value = u8;

    const ARGUMENTS: Arguments = one("size");

    fn read(into: &mut Option<u8>, directive: &Directive, report: &mut Report) {
        let words = "must be 1k, 2k, 4k, 8k, 16k, 32k, 64k, 128k, 256k, 512k, 1m, 2m, 4m, 8m or 16m";
        *into = window_bits(directive, report, 10, 24, words);
    }

    fn print(value: &u8) -> String {
        crate::config::values::written_bytes(1 << value)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::model::{Compression, GzipStatic};
    use crate::config::testing::{accepted, in_location, in_server, refused};

    fn settings(text: &str) -> Compression {
        let config = accepted(&in_server(&format!("{text} location / {{ }}")));
        Compression::clone(&config.http.servers[0].locations[0].settings.compression)
    }

    #[test]
    fn what_is_said_is_kept() {
        let said = settings(
            "gunzip on; brotli on; brotli_comp_level 11; brotli_window 1m; brotli_types text/css; brotli_static on; \
             zstd on; zstd_comp_level 22; zstd_min_length 7; zstd_static always;",
        );
        assert!(said.gunzip && said.brotli && said.zstd && said.brotli_types.contains("text/css"));
        assert_eq!((said.brotli_level, said.brotli_window_bits), (11, 20));
        assert_eq!((said.zstd_level, said.zstd_min_length), (22, 7));
        assert_eq!((said.brotli_static, said.zstd_static), (GzipStatic::On, GzipStatic::Always));
    }

    #[test]
    fn mistakes() {
        for (text, message) in [
            ("brotli_comp_level 12;", "value must be between 0 and 11"),
            ("brotli_window 3k;", "\"brotli_window\" directive must be 1k, 2k"),
            ("zstd_comp_level 0;", "value must be between 1 and 22"),
        ] {
            refused(&in_location(text), message);
        }
    }
}
