//! What a client may send, and how slowly: the limits of nginx's `ngx_http_core_module`.

use std::time::Duration;

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{
    Argument, Arguments, Flag, HTTP, LEVELS, NUMBER, Offset, SERVER, Time, settings, words,
};
use crate::config::values;

/// nginx's default `connection_pool_size`, below which it refuses header buffers.
const SMALLEST_HEADER_BUFFER: u64 = 512;

/// nginx's default `client_header_buffer_size`: the buffer before the large ones.
const FIRST_HEADER_BUFFER: usize = 1024;

settings! {
    /// What a client may send, and how slowly it may send and take.
    Client {
        "client_header_timeout" in HTTP.or(SERVER),
        header_timeout: Duration as Time = Duration::from_secs(60),
        "How long a client may take for the whole request header",
        differs "408 is answered, where nginx closes the connection without an answer";

        "large_client_header_buffers" in HTTP.or(SERVER),
        header_limits: HeaderLimits as HeaderLimits = HeaderLimits::of_buffers(4, 8 << 10),
        "Limits of the request header: a line (414), a field (400) of at most `size`, all of at most `number` times as much";

        "max_headers" in HTTP.or(SERVER),
        max_headers: usize as MaxHeaders = 1000,
        "How many fields a request header may have; beyond that 400",
        differs "more than 256 are refused in any case; the number of the default server holds for the whole address";

        "ignore_invalid_headers" in HTTP.or(SERVER),
        ignore_invalid_headers: bool as Flag = true,
        "Whether fields whose names hold other characters than letters, digits, hyphens and (with `underscores_in_headers`) underscores are dropped",
        differs "characters that HTTP forbids in a name (blanks, brackets, `@` and the like) make a request 400 in any case";

        "underscores_in_headers" in HTTP.or(SERVER),
        underscores_in_headers: bool as Flag = false,
        "Whether names of fields may hold underscores",
        differs "it is that of the server which `Host` names for all fields; nginx asks the default server for those before `Host`";

        "client_body_timeout" in LEVELS,
        body_timeout: Duration as Time = Duration::from_secs(60),
        "How long a client may pause within a request body; then 408";

        "client_max_body_size" in LEVELS,
        max_body_bytes: Option<u64> as BodyLimit = Some(1 << 20),
        "The largest request body (413); 0 is no limit";

        "send_timeout" in LEVELS,
        send_timeout: Duration as Time = Duration::from_secs(60),
        "How long a client may take no byte of an answer; then the connection is closed";
    }
}

impl Client {
    /// The fields of a request that servers do not get because of their names.
    pub fn dropped_names(&self) -> DroppedNames {
        match (self.ignore_invalid_headers, self.underscores_in_headers) {
            (false, _) => DroppedNames::Nothing,
            (true, true) => DroppedNames::Special,
            (true, false) => DroppedNames::SpecialAndUnderscores,
        }
    }
}

/// Which fields of a request are dropped because of their names, as `ignore_invalid_headers` and
/// `underscores_in_headers` say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DroppedNames {
    /// None.
    Nothing,
    /// Those with other characters than letters, digits, hyphens and underscores.
    Special,
    /// Those with other characters than letters, digits and hyphens.
    #[default]
    SpecialAndUnderscores,
}

impl DroppedNames {
    /// Whether a field of this name is dropped.
    pub fn drops(self, name: &str) -> bool {
        let keeps = |byte: u8| {
            byte.is_ascii_alphanumeric() || byte == b'-' || (byte == b'_' && self == Self::Special)
        };
        self != Self::Nothing && !name.bytes().all(keeps)
    }
}

/// The number of fields that Pingora's parser has room for.
const MOST_HEADERS: usize = 256;

/// `max_headers`
struct MaxHeaders;

impl Argument for MaxHeaders {
    type Value = usize;

    const ARGUMENTS: Arguments = NUMBER;

    fn read(into: &mut Option<usize>, directive: &Directive, report: &mut Report) {
        *into = report.number(directive, 0).map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        if into.is_some_and(|number| number > MOST_HEADERS) {
            let message = format!("\"max_headers\" above {MOST_HEADERS} means {MOST_HEADERS} here");
            report.warn(message, &directive.argument_position(0));
        }
    }

    fn print(value: &usize) -> String {
        value.to_string()
    }
}

/// `large_client_header_buffers number size`, read as limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderLimits {
    /// The longest request line (else 414) and the longest header field (else 400), in bytes.
    pub line_bytes: usize,
    /// The whole header (else 400), in bytes: number x size, plus nginx's 1 KiB first buffer.
    pub total_bytes: usize,
}

impl HeaderLimits {
    fn of_buffers(number: usize, line_bytes: usize) -> Self {
        let total_bytes = line_bytes.saturating_mul(number).saturating_add(FIRST_HEADER_BUFFER);
        Self { line_bytes, total_bytes }
    }
}

impl Argument for HeaderLimits {
    type Value = Self;

    const ARGUMENTS: Arguments = words(2, 2, "number size");

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        let number = values::number(directive.argument(0)).filter(|&number| number > 0);
        let size = values::size(directive.argument(1)).filter(|&size| size > 0);
        let (Some(number), Some(size)) = (number, size) else {
            let hint = format!(
                "\"{} {}\" is not a number and a size such as 4 8k",
                directive.argument(0),
                directive.argument(1)
            );
            report.emerg_hint(
                "\"large_client_header_buffers\" directive invalid value",
                &directive.argument_position(0),
                hint,
            );
            return;
        };
        if size < SMALLEST_HEADER_BUFFER {
            report.emerg_hint(
                "the \"large_client_header_buffers\" size must be equal to or greater than \"connection_pool_size\"",
                &directive.argument_position(1),
                format!("{SMALLEST_HEADER_BUFFER} bytes at least"),
            );
            return;
        }
        let bounded = |number| usize::try_from(number).unwrap_or(usize::MAX);
        *into = Some(Self::of_buffers(bounded(number), bounded(size)));
    }

    fn print(value: &Self) -> String {
        let number = value.total_bytes.saturating_sub(FIRST_HEADER_BUFFER) / value.line_bytes.max(1);
        format!("{number} {}", values::written_bytes(value.line_bytes as u64))
    }
}

/// `client_max_body_size`: bytes, or none for no limit, which is written 0.
struct BodyLimit;

impl Argument for BodyLimit {
    type Value = Option<u64>;

    const ARGUMENTS: Arguments = Offset::ARGUMENTS;

    fn read(into: &mut Option<Option<u64>>, directive: &Directive, report: &mut Report) {
        *into = report.offset(directive, 0).map(|bytes| (bytes > 0).then_some(bytes));
    }

    fn print(value: &Option<u64>) -> String {
        Offset::print(&value.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::DroppedNames::{self, Nothing, Special, SpecialAndUnderscores};
    use crate::config::testing::{accepted, in_server, warnings};

    #[test]
    fn two_switches_decide_which_names_are_dropped() {
        for (text, dropped) in [
            ("", SpecialAndUnderscores),
            ("underscores_in_headers on;", Special),
            ("ignore_invalid_headers off;", Nothing),
            ("ignore_invalid_headers off; underscores_in_headers on;", Nothing),
        ] {
            let config = accepted(&in_server(text));
            assert_eq!(config.http.servers[0].fallback.settings.client.dropped_names(), dropped, "{text}");
        }
        let drops = |dropped: DroppedNames| ["x-a1", "x_a", "x.a"].map(|name| dropped.drops(name));
        assert_eq!(drops(Nothing), [false, false, false]);
        assert_eq!(drops(Special), [false, false, true]);
        assert_eq!(drops(SpecialAndUnderscores), [false, true, true]);
    }

    #[test]
    fn more_fields_than_there_is_room_for_are_warned_of() {
        let client = |text: &str| accepted(&in_server(text)).http.servers[0].fallback.settings.client.clone();
        assert_eq!(client("max_headers 20;").max_headers, 20);
        assert!(warnings(&in_server("max_headers 257;"))[0].contains("means 256 here"));
        assert!(warnings(&in_server("max_headers 256;")).is_empty());
    }
}
