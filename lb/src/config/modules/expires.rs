//! `expires` of nginx's `ngx_http_headers_module`: how it is written.

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, words};
use crate::config::values;
use crate::script::Template;

/// `expires`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expires {
    /// Nothing is set.
    Off,
    /// The same for every request.
    Fixed(ExpiresTime),
    /// What the text says, read by [`ExpiresTime::parse`].
    PerRequest(Template),
    /// `modified` and a text with variables: a time after that of the file.
    ModifiedPerRequest(Template),
}

/// When an answer expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpiresTime {
    /// `epoch`: before it was sent.
    Epoch,
    /// `max`: in 2037.
    Max,
    /// So many seconds after now; a negative number forbids caches.
    AfterNow(i64),
    /// So many seconds after the answer's `Last-Modified`.
    AfterModified(i64),
    /// At so many seconds after midnight, local time.
    Daily(i64),
}

const DAY: i64 = 24 * 60 * 60;

impl ExpiresTime {
    /// What a text means; `None` for `off`. An error is in nginx's words.
    pub fn parse(text: &str, after_modified: bool) -> Result<Option<Self>, &'static str> {
        if !after_modified {
            match text {
                "epoch" => return Ok(Some(Self::Epoch)),
                "max" => return Ok(Some(Self::Max)),
                "off" => return Ok(None),
                _ => {}
            }
        }
        let (sign, time, daily) = match text.as_bytes().first() {
            Some(b'@') if after_modified => {
                return Err("daily time cannot be used with \"modified\" parameter");
            }
            Some(b'@') => (1, &text[1..], true),
            Some(b'+') => (1, &text[1..], false),
            Some(b'-') => (-1, &text[1..], false),
            _ => (1, text, false),
        };
        let seconds = values::seconds(time).and_then(|time| i64::try_from(time.as_secs()).ok());
        let seconds = seconds.ok_or("invalid value")?;
        match (daily, after_modified) {
            (true, _) if seconds > DAY => Err("daily time value must be less than 24 hours"),
            (true, _) => Ok(Some(Self::Daily(seconds))),
            (false, true) => Ok(Some(Self::AfterModified(sign * seconds))),
            (false, false) => Ok(Some(Self::AfterNow(sign * seconds))),
        }
    }
}

impl Argument for Expires {
    type Value = Self;

    const ARGUMENTS: Arguments = words(1, 2, "[modified] time | epoch | max | off");

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        let after_modified = directive.arguments.len() == 2;
        if after_modified && directive.argument(0) != "modified" {
            report.emerg("\"expires\" directive invalid value", &directive.argument_position(0));
            return;
        }
        let index = usize::from(after_modified);
        let text = directive.argument(index);
        if text.contains('$') {
            let Some(template) = report.template(directive, index) else { return };
            *into = Some(match after_modified {
                false => Self::PerRequest(template),
                true => Self::ModifiedPerRequest(template),
            });
            return;
        }
        match ExpiresTime::parse(text, after_modified) {
            Ok(Some(time)) => *into = Some(Self::Fixed(time)),
            Ok(None) => *into = Some(Self::Off),
            Err(complaint) => {
                let hint = "a time such as 1h, -1, @15h30m, modified +24h, or epoch, max, off";
                report.emerg_hint(
                    format!("\"expires\" directive {complaint}"),
                    &directive.argument_position(index),
                    hint,
                );
            }
        }
    }

    fn print(value: &Self) -> String {
        match value {
            Self::Off => "off".to_owned(),
            // No default is one of these.
            Self::Fixed(_) | Self::PerRequest(_) | Self::ModifiedPerRequest(_) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ExpiresTime::{AfterModified, AfterNow, Daily, Epoch, Max};
    use super::{Expires, ExpiresTime};
    use crate::config::testing::{accepted, in_location, refused};

    #[test]
    fn each_form_is_read() {
        let of = |text: &str| {
            accepted(&in_location(text)).http.servers[0].locations[0].settings.headers.expires.clone()
        };
        let fixed = |text: &str| match of(text) {
            Expires::Fixed(time) => Some(time),
            Expires::Off => None,
            other => panic!("{text}: {other:?}"),
        };
        let cases: [(&str, Option<ExpiresTime>); 10] = [
            ("expires off;", None),
            ("expires epoch;", Some(Epoch)),
            ("expires max;", Some(Max)),
            ("expires 1h;", Some(AfterNow(3600))),
            ("expires +1h30m;", Some(AfterNow(5400))),
            ("expires -1;", Some(AfterNow(-1))),
            ("expires 0;", Some(AfterNow(0))),
            ("expires modified 1d;", Some(AfterModified(86400))),
            ("expires modified -1d;", Some(AfterModified(-86400))),
            ("expires @15h30m;", Some(Daily(55800))),
        ];
        for (text, time) in cases {
            assert_eq!(fixed(text), time, "{text}");
        }
        assert!(matches!(of("expires $arg_a;"), Expires::PerRequest(_)));
        assert!(matches!(of("expires modified $arg_a;"), Expires::ModifiedPerRequest(_)));
    }

    #[test]
    fn mistakes() {
        for (text, message) in [
            ("expires soon;", "\"expires\" directive invalid value"),
            ("expires changed 1h;", "\"expires\" directive invalid value"),
            ("expires modified epoch;", "\"expires\" directive invalid value"),
            ("expires @25h;", "\"expires\" directive daily time value must be less than 24 hours"),
            ("expires modified @1h;", "\"expires\" directive daily time cannot be used with"),
        ] {
            refused(&in_location(text), message);
        }
    }
}
