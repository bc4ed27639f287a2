//! What `limit_req` and `limit_conn` have in common: their zones, statuses and levels of logging.

use http::StatusCode;

use crate::config::diagnostics::{Report, Severity};
use crate::config::model::{LimitZone, ZoneKind};
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, one};
use crate::config::values;

/// The least that nginx takes: eight pages.
const LEAST_BYTES: u64 = 8 * 4096;

/// Declares the zone that `zone=name:size` at `index` names, by the key that is the first argument.
pub(super) fn declare(
    directive: &Directive,
    module: &'static str,
    (name, bytes): (&str, u64),
    kind: ZoneKind,
    report: &mut Report,
) {
    let Some(key) = report.template(directive, 0) else { return };
    let position = &directive.position;
    let key_text = directive.argument(0).into();
    let zone = LimitZone { name: name.into(), bytes, key, key_text, kind, position: position.clone() };
    let declared = report.zones().of(name, module, position);
    let declared = declared.and_then(|id| report.zones().declare(id, &directive.name, zone));
    if let Err(message) = declared {
        report.emerg(message, position);
    }
}

/// The name and the size of a zone, of what stands behind `zone=` at `index`.
pub(super) fn name_and_size<'d>(
    directive: &'d Directive,
    index: usize,
    report: &mut Report,
) -> Option<(&'d str, u64)> {
    let word = directive.argument(index);
    let position = directive.argument_position(index);
    let parts = word.strip_prefix("zone=").and_then(|zone| zone.split_once(':'));
    let sized = parts.and_then(|(name, size)| Some((name, values::size(size)?)));
    match sized {
        None => {
            let hint = "it is written: zone=name:size, with a size such as 10m";
            report.emerg_hint(format!("invalid zone size \"{word}\""), &position, hint);
            None
        }
        Some((_, bytes)) if bytes < LEAST_BYTES => {
            report.emerg_hint(format!("zone \"{word}\" is too small"), &position, "32k at least");
            None
        }
        sized => sized,
    }
}

/// `limit_req_log_level`, `limit_conn_log_level`: `info` to `error`.
pub(super) struct Level;

impl Argument for Level {
    type Value = Severity;

    const ARGUMENTS: Arguments = one("info | notice | warn | error");

    fn read(into: &mut Option<Severity>, directive: &Directive, report: &mut Report) {
        let written = directive.argument(0);
        let known = [Severity::Info, Severity::Notice, Severity::Warn, Severity::Error];
        *into = known.into_iter().find(|level| level.name().eq_ignore_ascii_case(written));
        if into.is_none() {
            let message = format!("invalid value \"{written}\"");
            let hint = format!("\"{}\" accepts info, notice, warn, error", directive.name);
            report.emerg_hint(message, &directive.argument_position(0), hint);
        }
    }

    fn print(value: &Severity) -> String {
        value.name().to_owned()
    }
}

/// `limit_req_status`, `limit_conn_status`: 400 to 599.
pub(super) struct Status;

impl Argument for Status {
    type Value = StatusCode;

    const ARGUMENTS: Arguments = one("code");

    fn read(into: &mut Option<StatusCode>, directive: &Directive, report: &mut Report) {
        let Some(number) = report.number(directive, 0) else { return };
        let status = u16::try_from(number).ok().filter(|code| (400..=599).contains(code));
        *into = status.and_then(|code| StatusCode::from_u16(code).ok());
        if into.is_none() {
            report.emerg("value must be between 400 and 599", &directive.argument_position(0));
        }
    }

    fn print(value: &StatusCode) -> String {
        value.as_u16().to_string()
    }
}
