//! Reading single arguments, with nginx's words for what is wrong and ours for what would be right.

use std::time::Duration;

use http::HeaderName;

use crate::config::diagnostics::{Position, Report};
use crate::config::field_name::FieldName;
use crate::config::syntax::Directive;
use crate::config::values;
use crate::script::{Case, Pattern, Regex, Template};

const TIME: &str = "a time such as 60s, 1m30s or 500ms";
const WHOLE_SECONDS: &str = "a time in whole seconds, such as 60s, 1m30s or 1h";
const SIZE: &str = "a size such as 4096, 8k or 1m";
const OFFSET: &str = "a size such as 4096, 8k, 1m or 1g";
const NUMBER: &str = "a number without sign";

impl Report {
    /// `on` or `off`.
    pub(in crate::config) fn flag(&mut self, directive: &Directive, index: usize) -> Option<bool> {
        let value = directive.argument(index);
        if value.eq_ignore_ascii_case("on") {
            return Some(true);
        }
        if value.eq_ignore_ascii_case("off") {
            return Some(false);
        }
        let message = format!(
            "invalid value \"{value}\" in \"{}\" directive, it must be \"on\" or \"off\"",
            directive.name
        );
        self.emerg(message, &directive.argument_position(index));
        None
    }

    pub(in crate::config) fn number(&mut self, directive: &Directive, index: usize) -> Option<u64> {
        let read = values::number(directive.argument(index));
        self.expect(read, directive, index, "invalid number", NUMBER)
    }

    pub(in crate::config) fn size(&mut self, directive: &Directive, index: usize) -> Option<u64> {
        let read = values::size(directive.argument(index));
        self.expect(read, directive, index, "invalid value", SIZE)
    }

    pub(in crate::config) fn offset(&mut self, directive: &Directive, index: usize) -> Option<u64> {
        let read = values::offset(directive.argument(index));
        self.expect(read, directive, index, "invalid value", OFFSET)
    }

    pub(in crate::config) fn milliseconds(
        &mut self,
        directive: &Directive,
        index: usize,
    ) -> Option<Duration> {
        let read = values::milliseconds(directive.argument(index));
        self.expect(read, directive, index, "invalid value", TIME)
    }

    pub(in crate::config) fn seconds(&mut self, directive: &Directive, index: usize) -> Option<Duration> {
        let read = values::seconds(directive.argument(index));
        self.expect(read, directive, index, "invalid value", WHOLE_SECONDS)
    }

    /// A string with variables.
    pub(in crate::config) fn template(&mut self, directive: &Directive, index: usize) -> Option<Template> {
        self.compile(directive.argument(index), &directive.argument_position(index))
    }

    pub(in crate::config) fn compile(&mut self, text: &str, position: &Position) -> Option<Template> {
        match Template::compile(text, position, self.names()) {
            Ok(template) => Some(template),
            Err(error) => {
                self.emerg(error.to_string(), position);
                None
            }
        }
    }

    /// A regular expression; its named groups become variables.
    pub(in crate::config) fn pattern(
        &mut self,
        pattern: &str,
        case: Case,
        position: &Position,
    ) -> Option<Pattern> {
        let read = Regex::new(pattern, case).map_err(|error| error.to_string());
        let made =
            read.and_then(|regex| Pattern::new(regex, self.names()).map_err(|error| error.to_string()));
        made.map_err(|error| self.emerg(error, position)).ok()
    }

    /// The name of a header field.
    pub(in crate::config) fn header_name(
        &mut self,
        directive: &Directive,
        index: usize,
    ) -> Option<HeaderName> {
        let read = HeaderName::from_bytes(directive.argument(index).as_bytes()).ok();
        self.expect(read, directive, index, "invalid value", "the name of a header field")
    }

    /// The name of a header field that is sent as it is written.
    pub(in crate::config) fn field_name(&mut self, directive: &Directive, index: usize) -> Option<FieldName> {
        let read = FieldName::parse(directive.argument(index));
        self.expect(read, directive, index, "invalid value", "the name of a header field")
    }

    /// The value of a header field: a string with variables, on one line.
    pub(in crate::config) fn header_value(
        &mut self,
        directive: &Directive,
        index: usize,
    ) -> Option<Template> {
        let value = directive.argument(index);
        let broken = value.bytes().any(|byte| byte != b'\t' && byte.is_ascii_control());
        self.expect(
            (!broken).then_some(()),
            directive,
            index,
            "invalid value",
            "the value of a header field",
        )?;
        self.template(directive, index)
    }

    /// `invalid parameter "x"`, with what would be accepted.
    pub(in crate::config) fn invalid_parameter(
        &mut self,
        directive: &Directive,
        index: usize,
        accepted: &str,
    ) {
        let message = format!("invalid parameter \"{}\"", directive.argument(index));
        let hint = format!("\"{}\" accepts {accepted}", directive.name);
        self.emerg_hint(message, &directive.argument_position(index), hint);
    }

    /// An argument that nginx takes and we do not.
    pub(in crate::config) fn unsupported(&mut self, directive: &Directive, index: usize, reason: &str) {
        let message = format!(
            "\"{}\" in the \"{}\" directive is not supported: {reason}",
            directive.argument(index),
            directive.name
        );
        self.emerg(message, &directive.argument_position(index));
    }

    /// An argument that nginx takes and that is still to come here.
    pub(in crate::config) fn not_yet(&mut self, directive: &Directive, index: usize) {
        let argument = directive.argument(index);
        let message = format!("\"{argument}\" in the \"{}\" directive is not supported yet", directive.name);
        self.emerg(message, &directive.argument_position(index));
    }

    fn expect<T>(
        &mut self,
        read: Option<T>,
        directive: &Directive,
        index: usize,
        complaint: &str,
        expected: &str,
    ) -> Option<T> {
        if read.is_none() {
            let message = format!("\"{}\" directive {complaint}", directive.name);
            let hint = format!("\"{}\" is not {expected}", directive.argument(index));
            self.emerg_hint(message, &directive.argument_position(index), hint);
        }
        read
    }
}
