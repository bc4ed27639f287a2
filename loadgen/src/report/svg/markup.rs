//! Elements of HTML and SVG, written so that every one is closed and no text breaks out of its place.
//!
//! What a report shows comes from the network in part: names of backends, and whatever a target calls itself. There is
//! one way for text to get in, and it escapes. Only constants of this program go in as they are.

use std::fmt::{self, Display, Write};

use crate::report::figures::steers;

/// A document, or a piece of one, while it is written.
#[derive(Debug, Default)]
pub struct Markup {
    written: String,
}

/// Names and values of an element's attributes.
pub type Attributes<'a> = &'a [(&'static str, &'a dyn Display)];

impl Markup {
    /// An element with what `inside` writes.
    pub fn element(&mut self, name: &'static str, attributes: Attributes, inside: impl FnOnce(&mut Self)) {
        self.open(name, attributes);
        self.written.push('>');
        inside(self);
        self.written.push_str("</");
        self.written.push_str(name);
        self.written.push('>');
    }

    /// An element with text in it.
    pub fn text_element(&mut self, name: &'static str, attributes: Attributes, text: impl Display) {
        self.element(name, attributes, |inside| inside.text(text));
    }

    /// An element that has no inside, such as `meta` in HTML or `path` in SVG.
    pub fn empty(&mut self, name: &'static str, attributes: Attributes) {
        self.open(name, attributes);
        self.written.push_str("/>");
    }

    /// Text, escaped.
    pub fn text(&mut self, text: impl Display) {
        // Writing to a string cannot fail, here and below.
        let _ = write!(Escaped(&mut self.written), "{text}");
    }

    /// Something of this program's own, as it is.
    pub fn constant(&mut self, markup: &'static str) {
        self.written.push_str(markup);
    }

    /// A script element with data in it: JSON, in which nothing can end the element.
    pub fn json(&mut self, id: &'static str, value: &serde_json::Value) {
        self.open("script", &[("type", &"application/json"), ("id", &id)]);
        self.written.push('>');
        for c in value.to_string().chars() {
            match c {
                // JSON has it only in strings, where this means the same.
                '<' => self.written.push_str("\\u003c"),
                c if steers(c) => self.written.push('\u{fffd}'),
                c => self.written.push(c),
            }
        }
        self.written.push_str("</script>");
    }

    /// What was written.
    pub fn finish(self) -> String {
        self.written
    }

    fn open(&mut self, name: &'static str, attributes: Attributes) {
        self.written.push('<');
        self.written.push_str(name);
        for (name, value) in attributes {
            let _ = write!(self.written, " {name}=\"");
            let _ = write!(Escaped(&mut self.written), "{value}");
            self.written.push('"');
        }
    }
}

/// Replaces what means something in markup, and what could steer a terminal that shows the source.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c if steers(c) => self.0.push('\u{fffd}'),
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

/// A coordinate: a tenth of a unit is finer than any screen shows.
#[derive(Debug, Clone, Copy)]
pub struct At(pub f64);

impl Display for At {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 * 10.0).round();
        // What is no number belongs nowhere; zero at least keeps the shape valid.
        let tenths = if tenths.is_finite() { tenths as i64 } else { 0 };
        let sign = if tenths < 0 { "-" } else { "" };
        match tenths.abs() {
            whole if whole % 10 == 0 => write!(formatter, "{sign}{}", whole / 10),
            part => write!(formatter, "{sign}{}.{}", part / 10, part % 10),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Whether every element is closed in order and every attribute quoted; the names of the elements.
    pub(crate) fn elements(document: &str) -> Result<Vec<String>, String> {
        let (mut open, mut seen) = (Vec::<String>::new(), Vec::new());
        let mut rest = document;
        while let Some(begin) = rest.find('<') {
            let (before, tag) = rest.split_at(begin);
            if before.contains('>') {
                return Err(format!("a bare '>' in {before:?}"));
            }
            let mut quoted = false;
            let end = tag
                .char_indices()
                .find(|(_, c)| {
                    quoted ^= *c == '"';
                    *c == '>' && !quoted
                })
                .ok_or_else(|| format!("a tag without end: {:.60}", tag))?
                .0;
            let inside = &tag[1..end];
            rest = &tag[end + 1..];
            if inside.starts_with('!') {
                continue;
            }
            if let Some(name) = inside.strip_prefix('/') {
                let last = open.pop();
                if last.as_deref() != Some(name) {
                    return Err(format!("{name} closes {last:?}"));
                }
                continue;
            }
            if inside[..inside.len() - usize::from(inside.ends_with('/'))].contains('<') {
                return Err(format!("a '<' in {inside}"));
            }
            let name = inside.split([' ', '/']).next().unwrap_or_default().to_owned();
            seen.push(name.clone());
            if inside.ends_with('/') {
                continue;
            }
            if name == "script" || name == "style" {
                let close = format!("</{name}>");
                let end = rest.find(&close).ok_or_else(|| format!("{name} without end"))?;
                rest = &rest[end + close.len()..];
                continue;
            }
            open.push(name);
        }
        if open.is_empty() { Ok(seen) } else { Err(format!("not closed: {open:?}")) }
    }

    #[test]
    fn the_check_finds_what_is_wrong() {
        for broken in ["<a>", "<a></b>", "<a x=\"1></a>", "</a>", "a > b<br/>", "<script>1", "<a <b></a>"] {
            assert!(elements(broken).is_err(), "{broken}");
        }
        assert_eq!(elements("<a x=\"<>\">1<b/></a>").unwrap_err(), "a '<' in a x=\"<>\"");
        assert_eq!(elements("<!DOCTYPE html><a x=\"1\">1<b/></a>").unwrap(), ["a", "b"]);
    }

    #[test]
    fn no_text_breaks_out() {
        let evil = "</script><script>alert(\"1\")</script>'&\x1b\u{202e}";
        let mut markup = Markup::default();
        markup.element("a", &[("title", &evil)], |a| a.text(evil));
        markup.json("data", &serde_json::json!([evil]));
        let written = markup.finish();
        assert_eq!(elements(&written).unwrap(), ["a", "script"]);
        assert_eq!(written.matches("</script>").count(), 1, "{written}");
        assert!(!written.contains("<script>") && !written.contains('\x1b') && !written.contains('\u{202e}'));
    }

    #[test]
    fn coordinates_are_short() {
        let written = [0.0, -0.04, 12.0, 12.34, -3.26, f64::NAN, f64::INFINITY].map(|x| At(x).to_string());
        assert_eq!(written, ["0", "0", "12", "12.3", "-3.3", "0", "0"]);
    }
}
