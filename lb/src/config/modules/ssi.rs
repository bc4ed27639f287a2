//! Server side includes: `ngx_http_ssi_module`.

use super::charset::MediaTypes;
use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{
    Argument, Arguments, FLAG, Flag, IF_IN_LOCATION, LEVELS, Row, SIZE, Size, no_effect, settings,
};

settings! {
    /// Whether commands in answers are carried out.
    Ssi {
        "ssi" in LEVELS.or(IF_IN_LOCATION),
        on: bool as Switch = false,
        "Carries out the commands in answers (`<!--# include virtual=\"/x\" -->`): `include`, `echo`, `set`, `if`, `config`, `block`",
        differs "includes are made one after another; an included page has variables of its own; an answer to a request with a body longer than 64 KiB, and one that becomes another protocol, are passed on as they are";

        "ssi_types" in LEVELS,
        types: MediaTypes as MediaTypes = MediaTypes::html(),
        "The media types of answers in which commands are looked for; in `text/html` they always are, and `*` means all";

        "ssi_silent_errors" in LEVELS,
        silent_errors: bool as Flag = false,
        "Whether a command that fails leaves nothing, rather than a text that says so";

        "ssi_value_length" in LEVELS,
        value_bytes: u64 as Size = 256,
        "The longest value of a parameter";

        "ssi_last_modified" in LEVELS,
        last_modified: bool as Flag = false,
        "Whether the answer keeps `Last-Modified`, and its `ETag` as a weak one";
    }
}

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    no_effect("ssi_min_file_chunk", LEVELS, SIZE, "texts are passed on as they come").without("1k"),
    no_effect("ssi_ignore_recycled_buffers", LEVELS, FLAG, "buffers are not recycled").without("off"),
];

/// `on` makes the configuration one that makes subrequests.
struct Switch;

impl Argument for Switch {
    type Value = bool;

    const ARGUMENTS: Arguments = Flag::ARGUMENTS;

    fn read(into: &mut Option<bool>, directive: &Directive, report: &mut Report) {
        Flag::read(into, directive, report);
        if *into == Some(true) {
            report.names().ask_inside();
        }
    }

    fn print(value: &bool) -> String {
        Flag::print(value)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, in_http, in_location, refused};

    #[test]
    fn what_is_carried_out() {
        let config = accepted(&in_http(
            "ssi on; ssi_types text/plain; ssi_value_length 1k; server { location /a { } location /b { ssi off; } }",
        ));
        let locations = &config.http.servers[0].locations;
        let (first, second) = (&locations[0].settings.ssi, &locations[1].settings.ssi);
        assert_eq!((first.on, second.on, first.value_bytes), (true, false, 1024));
        assert!(first.types.contains("text/html") && first.types.contains("text/plain"));
        assert!(config.http.reads.subrequests && !accepted(&in_location("ssi off;")).http.reads.subrequests);
        refused(&in_location("ssi yes;"), "invalid value \"yes\" in \"ssi\" directive");
    }
}
