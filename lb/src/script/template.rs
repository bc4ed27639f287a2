//! Strings with variables (`"$scheme://$host$request_uri"`): compiled once, evaluated only where used.
//!
//! A [`Template`] knows which variables it needs, never their values; whoever renders it brings a [`Values`].
//! Rendering runs once per request and writes into the caller's buffer; it allocates only where a log value needs
//! escaping.

use super::escape::Escape;
use super::names::Names;
use super::variable::Variable;

/// A compiled string.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(Box<str>),
    Variable(Variable),
}

/// Who knows the values of variables for one request.
pub trait Values {
    /// Appends the value of `variable` to `out` and returns true; returns false, with nothing appended, where the
    /// variable has no value (nginx logs it as `-`). Asking may change what is known: a `map` keeps its value, and a
    /// regular expression in it leaves its groups.
    fn write(&mut self, variable: &Variable, out: &mut Vec<u8>) -> bool;
}

/// Why a string could not be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A dollar that no name follows.
    #[error("invalid variable name")]
    InvalidName,
    /// `${name` without its end.
    #[error("the closing bracket in \"{0}\" variable is missing")]
    Unclosed(String),
}

impl Template {
    /// Whether it renders to neither nothing nor 0: nginx's conditions (`if=`, `early_hints`).
    pub fn holds(&self, values: &mut dyn Values) -> bool {
        let mut text = Vec::new();
        self.render(values, &mut text);
        !text.is_empty() && text != b"0"
    }

    /// Compiles a string as nginx reads it: `$name` takes all letters, digits and underscores that follow,
    /// `${name}` ends where it says, and there is no way to write a plain dollar.
    ///
    /// `names` resolves each name. One that it does not know yet may be defined further down in the configuration, so
    /// it is no error here: [`Names::undefined`] tells at the end which were never defined.
    pub fn compile<P: Clone>(text: &str, at: &P, names: &mut Names<P>) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            push_literal(&mut parts, &rest[..dollar]);
            let (name, after) = split_name(&rest[dollar + 1..])?;
            parts.push(Part::Variable(names.resolve(name, at)));
            rest = after;
        }
        push_literal(&mut parts, rest);
        Ok(Self { parts })
    }

    /// A string without variables.
    pub fn literal(text: &str) -> Self {
        let mut parts = Vec::new();
        push_literal(&mut parts, text);
        Self { parts }
    }

    /// The value of one variable.
    pub fn variable(variable: Variable) -> Self {
        Self { parts: vec![Part::Variable(variable)] }
    }

    /// This, then that.
    pub fn followed_by(mut self, mut next: Self) -> Self {
        self.parts.append(&mut next.parts);
        self
    }

    /// The same with those variables replaced whose value `known` has: what is left is what a request decides.
    pub fn with_known(&self, known: impl Fn(&Variable) -> Option<String>) -> Self {
        let mut parts = Vec::with_capacity(self.parts.len());
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Variable(variable) => match known(variable) {
                    Some(value) => text.push_str(&value),
                    None => {
                        push_literal(&mut parts, &text);
                        text.clear();
                        parts.push(part.clone());
                    }
                },
            }
        }
        push_literal(&mut parts, &text);
        Self { parts }
    }

    /// The variables that it needs, in order, each as often as it stands there.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Variable(variable) => Some(variable),
        })
    }

    /// What stands before the first variable.
    pub fn literal_start(&self) -> &str {
        match self.parts.first() {
            Some(Part::Literal(text)) => text,
            Some(Part::Variable(_)) | None => "",
        }
    }

    /// The whole string, if it has no variables.
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether it is empty whatever the request.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Appends the string for one request; variables without a value leave nothing.
    pub fn render(&self, values: &mut dyn Values, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.extend_from_slice(text.as_bytes()),
                Part::Variable(variable) => {
                    values.write(variable, out);
                }
            }
        }
    }

    /// Appends the string as a log line: values escaped, missing ones marked. The format's own text stays as it is.
    pub fn render_log(&self, values: &mut dyn Values, escape: Escape, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.extend_from_slice(text.as_bytes()),
                Part::Variable(variable) => {
                    let start = out.len();
                    let known = values.write(variable, out);
                    match escape {
                        Escape::Default if !known => out.push(b'-'),
                        _ => escape.apply(out, start),
                    }
                }
            }
        }
    }
}

fn push_literal(parts: &mut Vec<Part>, text: &str) {
    if !text.is_empty() {
        parts.push(Part::Literal(text.into()));
    }
}

/// The name after a dollar, and what follows it.
fn split_name(text: &str) -> Result<(&str, &str), TemplateError> {
    let (braced, text) = match text.strip_prefix('{') {
        Some(inside) => (true, inside),
        None => (false, text),
    };
    // nginx takes one digit for a capture, whatever follows.
    let end = match text.bytes().next() {
        Some(b'1'..=b'9') => 1,
        _ => text
            .bytes()
            .position(|byte| !(byte.is_ascii_alphanumeric() || byte == b'_'))
            .unwrap_or(text.len()),
    };
    let (name, after) = text.split_at(end);
    if braced {
        let Some(after) = after.strip_prefix('}') else {
            return Err(TemplateError::Unclosed(name.to_owned()));
        };
        return if name.is_empty() { Err(TemplateError::InvalidName) } else { Ok((name, after)) };
    }
    if name.is_empty() { Err(TemplateError::InvalidName) } else { Ok((name, after)) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::script::{Definition, Named, Slots};

    /// Knows `$host`, an empty `$args`, and any request header as a hostile string.
    struct Fixed;

    impl Values for Fixed {
        fn write(&mut self, variable: &Variable, out: &mut Vec<u8>) -> bool {
            match variable {
                Variable::Named(Named::Host) => out.extend_from_slice(b"example.org"),
                Variable::Named(Named::Args) => {}
                Variable::RequestHeader(_) => out.extend_from_slice(b"a\"\\\n\x01\x7f\xc3\xa9"),
                _ => return false,
            }
            true
        }
    }

    /// Knows what the configuration defined, and nothing else.
    struct InSlots(Slots);

    impl Values for InSlots {
        fn write(&mut self, variable: &Variable, out: &mut Vec<u8>) -> bool {
            let Variable::Defined(defined) = variable else { return false };
            let value = defined.slot().and_then(|slot| self.0.get(slot));
            value.inspect(|value| out.extend_from_slice(value)).is_some()
        }
    }

    fn compiled(text: &str) -> Template {
        Template::compile(text, &(), &mut Names::default()).unwrap()
    }

    fn rendered(text: &str) -> String {
        let mut out = Vec::new();
        compiled(text).render(&mut Fixed, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn logged(text: &str, escape: Escape) -> Vec<u8> {
        let mut out = b"before ".to_vec();
        compiled(text).render_log(&mut Fixed, escape, &mut out);
        out.split_off(7)
    }

    #[test]
    fn names_end_where_nginx_ends_them() {
        assert_eq!(rendered("http://$host:80/"), "http://example.org:80/");
        assert_eq!(rendered("${host}name"), "example.orgname");
        assert_eq!(rendered("[$args$host-$status]"), "[example.org-]");
        assert_eq!(rendered("plain {} text"), "plain {} text");
        assert_eq!(rendered("$HOST"), "example.org");
    }

    #[test]
    fn what_cannot_be_a_variable_is_said() {
        let error = |text: &str| Template::compile(text, &(), &mut Names::default()).unwrap_err();
        assert_eq!(error("$"), TemplateError::InvalidName);
        assert_eq!(error("100$ net"), TemplateError::InvalidName);
        assert_eq!(error("${}"), TemplateError::InvalidName);
        assert_eq!(error("${host"), TemplateError::Unclosed("host".into()));
        assert_eq!(error("${host-x}").to_string(), "the closing bracket in \"host\" variable is missing");
    }

    #[test]
    fn a_name_may_stand_above_its_definition() {
        let mut names = Names::default();
        let template = Template::compile("<$later>", &3, &mut names).unwrap();
        assert_eq!(names.undefined().count(), 1);
        let slot = names.define("Later", Definition::Set).unwrap();
        assert_eq!(names.undefined().count(), 0);
        let mut slots = Slots::default();
        slots.set(slot, names.into_definitions().len(), *b"value");
        let mut out = Vec::new();
        template.render(&mut InSlots(slots), &mut out);
        assert_eq!(out, b"<value>");
    }

    #[test]
    fn constant_strings_are_known_as_such() {
        assert_eq!(compiled("x y").as_literal(), Some("x y"));
        assert_eq!(compiled("").as_literal(), Some(""));
        assert!(compiled("").is_empty());
        assert_eq!(compiled("x$host").as_literal(), None);
        assert_eq!(Template::literal("$host").as_literal(), Some("$host"));
    }

    #[test]
    fn what_is_known_becomes_part_of_the_text() {
        let known = |variable: &Variable| match variable {
            Variable::Named(Named::ProxyHost) => Some("group".to_owned()),
            Variable::Named(Named::ProxyPort) => Some("80".to_owned()),
            _ => None,
        };
        for (text, expected) in [
            ("", ""),
            ("$proxy_host", "group"),
            ("a $proxy_host:$proxy_port b", "a group:80 b"),
            ("$host$proxy_host", "${host}group"),
            ("$proxy_host$proxy_port$host.", "group80$host."),
        ] {
            let filled = compiled(text).with_known(known);
            assert_eq!(filled, compiled(expected), "{text}");
        }
    }

    #[test]
    fn log_lines_escape_values_and_not_the_format() {
        let text = "\"$host\" [$args] $status $http_x";
        assert_eq!(
            String::from_utf8(logged(text, Escape::Default)).unwrap(),
            r#""example.org" [] - a\x22\x5C\x0A\x01\x7F\xC3\xA9"#
        );
        assert_eq!(
            String::from_utf8(logged(text, Escape::Json)).unwrap(),
            "\"example.org\" []  a\\\"\\\\\\n\\u0001\u{7f}é"
        );
        assert_eq!(logged("$http_x", Escape::None), b"a\"\\\n\x01\x7f\xc3\xa9");
    }
}
