//! What a client may send, and how slowly: the limits of nginx's `ngx_http_core_module`.

use std::time::Duration;

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, HTTP, LEVELS, Offset, SERVER, Time, settings, words};
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
        "How long a client may take for the whole request header; then 408";

        "large_client_header_buffers" in HTTP.or(SERVER),
        header_limits: HeaderLimits as HeaderLimits = HeaderLimits::of_buffers(4, 8 << 10),
        "Limits of the request header: a line (414), a field (400) of at most `size`, all of at most `number` times as much";

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
