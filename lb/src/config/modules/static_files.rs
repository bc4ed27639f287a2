//! How files are opened and answered: the rest of nginx's `ngx_http_core_module` and `ngx_http_gzip_static_module` that
//! is about them.

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{
    Argument, Arguments, FLAG, Flag, IF_IN_LOCATION, LEVELS, Maybe, NUMBER, Number, OFFSET, Row, SECONDS,
    SIZE, at_least, no_effect, one, settings, words,
};
use crate::script::Template;

const KERNEL: &str = "files are read by threads of their own, 64 KiB at a time, or whole up to that size";
const NO_CACHE: &str = "files are opened for each request";

settings! {
    /// How files are opened and answered.
    StaticFiles {
        "etag" in LEVELS,
        etag: bool as Flag = true,
        "Whether answers with a file have an `ETag`, made of its time and its size";

        "if_modified_since" in LEVELS,
        if_modified_since: IfModifiedSince as IfModifiedSince = IfModifiedSince::Exact,
        "How `If-Modified-Since` is compared with the time of the file: not at all, for being the same, or for being not earlier";

        "max_ranges" in LEVELS,
        max_ranges: Option<u64> as Maybe<Number> = None,
        "How many ranges a request may ask for before it gets the whole file; 0 answers no ranges";

        "log_not_found" in LEVELS,
        log_not_found: bool as Flag = true,
        "Whether a missing file is an error in the log";

        "disable_symlinks" in LEVELS,
        symlinks: Symlinks as Symlinks = Symlinks::Followed,
        "Whether paths with symbolic links are refused: never, always, or where link and target have different owners; `from=` names the part of the path that is not checked",
        differs "it holds for lists of directories, too";

        "gzip_static" in LEVELS,
        gzip: GzipStatic as GzipStatic = GzipStatic::Off,
        "Whether the file with `.gz` at the end of its name is sent in place of it: never, to clients that take gzip, or always";
    }
}

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    no_effect("aio", LEVELS, words(1, 1, "on | off | threads[=pool]"), KERNEL),
    no_effect("aio_write", LEVELS, FLAG, "nothing is written to files"),
    no_effect("directio", LEVELS, words(1, 1, "size | off"), KERNEL),
    no_effect("directio_alignment", LEVELS, OFFSET, KERNEL),
    no_effect("open_file_cache", LEVELS, at_least(1, "off | max=N [inactive=time]"), NO_CACHE),
    no_effect("open_file_cache_errors", LEVELS, FLAG, NO_CACHE),
    no_effect("open_file_cache_min_uses", LEVELS, NUMBER, NO_CACHE),
    no_effect("open_file_cache_valid", LEVELS, SECONDS, NO_CACHE),
    no_effect("output_buffers", LEVELS, words(2, 2, "number size"), KERNEL),
    no_effect("read_ahead", LEVELS, SIZE, KERNEL),
    no_effect("sendfile", LEVELS.or(IF_IN_LOCATION), FLAG, KERNEL).harmless(&["off"]),
    no_effect("sendfile_max_chunk", LEVELS, SIZE, KERNEL),
    no_effect("tcp_nopush", LEVELS, FLAG, "header and first piece of a file leave in one write").harmless(&["off"]),
];

/// `if_modified_since`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfModifiedSince {
    /// The field is not looked at.
    Off,
    /// The file is unchanged if it has this very time.
    Exact,
    /// The file is unchanged if it is not newer.
    Before,
}

/// A setting that is one of a few words.
fn word<T: Copy>(into: &mut Option<T>, directive: &Directive, report: &mut Report, known: &[(&str, T)]) {
    let written = directive.argument(0);
    match known.iter().find(|(word, _)| written.eq_ignore_ascii_case(word)) {
        Some((_, value)) => *into = Some(*value),
        None => {
            let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
            let message = format!("invalid value \"{written}\"");
            let hint = format!("\"{}\" accepts {}", directive.name, words.join(", "));
            report.emerg_hint(message, &directive.argument_position(0), hint);
        }
    }
}

impl Argument for IfModifiedSince {
    type Value = Self;

    const ARGUMENTS: Arguments = one("off | exact | before");

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        word(
            into,
            directive,
            report,
            &[("off", Self::Off), ("exact", Self::Exact), ("before", Self::Before)],
        );
    }

    fn print(value: &Self) -> String {
        match value {
            Self::Off => "off",
            Self::Exact => "exact",
            Self::Before => "before",
        }
        .to_owned()
    }
}

/// `gzip_static`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GzipStatic {
    /// The file itself is sent.
    Off,
    /// To clients that take gzip, the compressed one.
    On,
    /// The compressed one, whatever the client says.
    Always,
}

impl Argument for GzipStatic {
    type Value = Self;

    const ARGUMENTS: Arguments = one("on | off | always");

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        word(into, directive, report, &[("off", Self::Off), ("on", Self::On), ("always", Self::Always)]);
    }

    fn print(value: &Self) -> String {
        match value {
            Self::Off => "off",
            Self::On => "on",
            Self::Always => "always",
        }
        .to_owned()
    }
}

/// `disable_symlinks`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Symlinks {
    /// `off`
    Followed,
    /// `on`: no part of the path may be one.
    Refused {
        /// `from=`: the beginning of the path that is not checked.
        from: Option<Template>,
    },
    /// `if_not_owner`: one that belongs to another than its target.
    OwnOnly {
        /// `from=`: the beginning of the path that is not checked.
        from: Option<Template>,
    },
}

impl Argument for Symlinks {
    type Value = Self;

    const ARGUMENTS: Arguments = words(1, 2, "off | on | if_not_owner [from=part]");

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        let (mut value, mut from) = (None, None);
        for index in 0..directive.arguments.len() {
            match directive.argument(index) {
                "off" => value = Some(Self::Followed),
                "on" => value = Some(Self::Refused { from: None }),
                "if_not_owner" => value = Some(Self::OwnOnly { from: None }),
                other => {
                    let Some(part) = other.strip_prefix("from=").filter(|part| !part.is_empty()) else {
                        report.invalid_parameter(directive, index, "off, on, if_not_owner and from=part");
                        return;
                    };
                    let Some(part) = report.compile(part, &directive.argument_position(index)) else {
                        return;
                    };
                    from = Some(part);
                }
            }
        }
        match (value, from) {
            (Some(Self::Refused { .. }), from) => *into = Some(Self::Refused { from }),
            (Some(Self::OwnOnly { .. }), from) => *into = Some(Self::OwnOnly { from }),
            (Some(Self::Followed), None) => *into = Some(Self::Followed),
            (Some(Self::Followed), Some(_)) => {
                let message = "\"from=\" cannot be used with \"off\" parameter";
                report.emerg(message, &directive.position);
            }
            (None, _) => {
                let message = "\"disable_symlinks\" must have \"off\", \"on\" or \"if_not_owner\" parameter";
                report.emerg(message, &directive.position);
            }
        }
    }

    fn print(value: &Self) -> String {
        match value {
            Self::Followed => "off",
            Self::Refused { .. } => "on",
            Self::OwnOnly { .. } => "if_not_owner",
        }
        .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{GzipStatic, IfModifiedSince, Symlinks};
    use crate::config::model::StaticFiles;
    use crate::config::testing::{accepted, in_http, in_location, in_server, refused, warnings};

    fn settings(text: &str) -> StaticFiles {
        let config = accepted(&in_server(&format!("{text} location / {{ }}")));
        StaticFiles::clone(&config.http.servers[0].locations[0].settings.static_files)
    }

    #[test]
    fn each_is_read_and_inherited() {
        let silent = settings("");
        assert!(silent.etag && silent.log_not_found);
        assert_eq!((silent.if_modified_since, silent.max_ranges), (IfModifiedSince::Exact, None));
        assert_eq!((silent.symlinks, silent.gzip), (Symlinks::Followed, GzipStatic::Off));
        let said = settings(
            "etag off; log_not_found off; if_modified_since before; max_ranges 1; gzip_static always; \
             disable_symlinks if_not_owner from=$document_uri;",
        );
        assert!(!said.etag && !said.log_not_found);
        assert_eq!((said.if_modified_since, said.max_ranges), (IfModifiedSince::Before, Some(1)));
        assert_eq!(said.gzip, GzipStatic::Always);
        assert!(matches!(said.symlinks, Symlinks::OwnOnly { from: Some(_) }));
    }

    #[test]
    fn mistakes() {
        for (text, message) in [
            ("if_modified_since sometimes;", "invalid value \"sometimes\""),
            ("gzip_static maybe;", "invalid value \"maybe\""),
            ("max_ranges -1;", "\"max_ranges\" directive invalid number"),
            ("etag yes;", "invalid value \"yes\" in \"etag\" directive"),
            ("disable_symlinks no;", "invalid parameter \"no\""),
            ("disable_symlinks off from=/a;", "\"from=\" cannot be used with \"off\" parameter"),
            ("disable_symlinks from=/a;", "\"disable_symlinks\" must have \"off\""),
        ] {
            refused(&in_location(text), message);
        }
        assert!(
            warnings(&in_http("sendfile on;"))[0].contains("\"sendfile\" has no effect here: files are read")
        );
        assert_eq!(warnings(&in_http("sendfile off; tcp_nopush off;")), Vec::<String>::new());
    }
}
