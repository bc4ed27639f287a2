//! The commands of a page: those that change only the page run here, the others are said.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

use super::parser::{Command, Part};
use crate::content::escape::escape_html;
use crate::script::{Case, Regex};

/// What stands for a command that fails, unless `config errmsg` or `ssi_silent_errors` say otherwise.
const ERROR: &[u8] = b"[an error occurred while processing the directive]";

/// What `encoding="url"` escapes (`NGX_ESCAPE_HTML`).
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'\'')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Who knows the variables of the request.
pub trait Values {
    /// The value of a variable by its name in lower case, without the dollar; `None` where it has none.
    fn value(&mut self, name: &str) -> Option<Vec<u8>>;
}

/// What a part comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing more.
    Nothing,
    /// These bytes go out.
    Output(Bytes),
    /// A subrequest is made, and its answer's body goes out or into a variable.
    Include(Include),
}

/// An `include`.
#[derive(Debug, PartialEq, Eq)]
pub struct Include {
    /// The URI, with its arguments, as it is written: escaped.
    pub uri: Vec<u8>,
    /// The variable that gets the body, if one does.
    pub set: Option<Box<str>>,
    /// What stands in the place of an answer that is an error or empty.
    pub stub: Option<Stub>,
}

/// The text of a `block`.
pub type Stub = Bytes;

/// What is wrong with a command, in nginx's words.
pub type Complaint = String;

/// A page while it is made.
#[derive(Debug)]
pub struct Page {
    variables: HashMap<Box<str>, Vec<u8>>,
    groups: Vec<Vec<u8>>,
    blocks: HashMap<Box<[u8]>, Bytes>,
    /// The block that is being read.
    block: Option<(Box<[u8]>, BytesMut)>,
    condition: Condition,
    error: Bytes,
    /// What is wrong with a command goes to the log alone.
    silent: bool,
    /// `config timefmt`
    time_format: Option<Box<[u8]>>,
    encoding: Encoding,
}

/// How `echo` writes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Entity,
    None,
    Url,
}

/// Where an `if` stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    /// Outside of any.
    None,
    /// In a branch that holds.
    Holds,
    /// No branch has held so far.
    Searching,
    /// A branch has held before this one.
    Over,
}

impl Page {
    /// A page whose failed commands leave a text, or nothing.
    pub fn new(silent: bool) -> Self {
        Self {
            variables: HashMap::new(),
            groups: Vec::new(),
            blocks: HashMap::new(),
            block: None,
            condition: Condition::None,
            error: Bytes::from_static(ERROR),
            silent,
            time_format: None,
            encoding: Encoding::Entity,
        }
    }

    /// What stands for a command that has failed.
    pub fn error(&self) -> Bytes {
        if self.silent { Bytes::new() } else { self.error.clone() }
    }

    /// Gives a variable the body of an answer.
    pub fn set(&mut self, name: &str, value: Vec<u8>) {
        self.variables.insert(name.into(), value);
    }

    /// `config timefmt`, in the notation of `strftime`.
    pub fn time_format(&self) -> Option<&[u8]> {
        self.time_format.as_deref()
    }

    /// What a part comes to. A complaint is for the log; [`error`](Self::error) stands in its place.
    ///
    /// # Errors
    ///
    /// When the command cannot be carried out.
    pub fn take(&mut self, part: Part, values: &mut dyn Values) -> Result<Wanted, Complaint> {
        let shows = matches!(self.condition, Condition::None | Condition::Holds);
        match part {
            Part::Text(text) => {
                match &mut self.block {
                    Some((_, gathered)) => gathered.extend_from_slice(&text),
                    None if shows => return Ok(Wanted::Output(text)),
                    None => {}
                }
                Ok(Wanted::Nothing)
            }
            Part::Malformed if shows && self.block.is_none() => Err("invalid SSI command".to_owned()),
            Part::Malformed => Ok(Wanted::Nothing),
            Part::Command(command) => self.command(&command, shows, values),
        }
    }

    fn command(
        &mut self,
        command: &Command,
        shows: bool,
        values: &mut dyn Values,
    ) -> Result<Wanted, Complaint> {
        match &*command.name {
            b"endblock" => {
                if let Some((name, text)) = self.block.take() {
                    self.blocks.insert(name, text.freeze());
                }
                Ok(Wanted::Nothing)
            }
            _ if self.block.is_some() => Ok(Wanted::Nothing),
            b"if" | b"elif" | b"else" | b"endif" => self.branch(command, values),
            _ if !shows => Ok(Wanted::Nothing),
            b"include" => self.include(command, values),
            b"echo" => self.echo(command, values),
            b"set" => {
                let name = lower(mandatory(command, "var")?);
                let value = self.evaluate(mandatory(command, "value")?, values)?;
                self.variables.insert(name, value);
                Ok(Wanted::Nothing)
            }
            b"config" => {
                if let Some(format) = command.parameter("timefmt") {
                    self.time_format = Some(format.into());
                }
                if let Some(text) = command.parameter("errmsg") {
                    self.error = Bytes::copy_from_slice(text);
                }
                Ok(Wanted::Nothing)
            }
            b"block" => {
                self.block = Some((mandatory(command, "name")?.into(), BytesMut::new()));
                Ok(Wanted::Nothing)
            }
            name => Err(format!("invalid SSI command: \"{}\"", name.escape_ascii())),
        }
    }

    /// One level of conditions, as in nginx.
    fn branch(&mut self, command: &Command, values: &mut dyn Values) -> Result<Wanted, Complaint> {
        let misplaced =
            || Err(format!("invalid context of SSI command: \"{}\"", command.name.escape_ascii()));
        match (&*command.name, self.condition) {
            (b"if", Condition::None) | (b"elif", Condition::Searching) => {
                let holds = self.holds(mandatory(command, "expr")?, values)?;
                self.condition = if holds { Condition::Holds } else { Condition::Searching };
                Ok(Wanted::Nothing)
            }
            (b"else", Condition::Searching) => {
                self.condition = Condition::Holds;
                Ok(Wanted::Nothing)
            }
            (b"elif" | b"else", Condition::Holds | Condition::Over) => {
                self.condition = Condition::Over;
                Ok(Wanted::Nothing)
            }
            (b"endif", Condition::None) => misplaced(),
            (b"endif", _) => {
                self.condition = Condition::None;
                Ok(Wanted::Nothing)
            }
            _ => misplaced(),
        }
    }

    /// `$variable`, `$variable = text`, `!=`, `= /regex/`, `!= /regex/`.
    fn holds(&mut self, expression: &[u8], values: &mut dyn Values) -> Result<bool, Complaint> {
        let Some(at) = expression.iter().position(|byte| *byte == b'=') else {
            let left = self.evaluate(expression.trim_ascii(), values)?;
            return Ok(!left.is_empty());
        };
        let (left, negated) = match expression[..at].strip_suffix(b"!") {
            Some(left) => (left, true),
            None => (&expression[..at], false),
        };
        let left = self.evaluate(left.trim_ascii(), values)?;
        let right = self.evaluate(expression[at + 1..].trim_ascii(), values)?;
        let Some(regex) = right.strip_prefix(b"/") else { return Ok((left == right) != negated) };
        let (regex, case) = match (regex.strip_suffix(b"/"), regex.strip_suffix(b"/i")) {
            (Some(regex), _) => (regex, Case::Sensitive),
            (_, Some(regex)) => (regex, Case::Insensitive),
            _ => return Err(format!("invalid expression in \"{}\"", right.escape_ascii())),
        };
        self.matches(regex, case, &left).map(|matches| matches != negated)
    }

    fn matches(&mut self, regex: &[u8], case: Case, subject: &[u8]) -> Result<bool, Complaint> {
        let failed = || format!("the regular expression \"{}\" cannot be used", regex.escape_ascii());
        let text = std::str::from_utf8(regex).map_err(|_| failed())?;
        let regex = Regex::new(text, case).map_err(|_| failed())?;
        match regex.try_captures(subject).map_err(|_| failed())? {
            None => Ok(false),
            Some(captures) => {
                self.groups = (0..10).map_while(|group| captures.get(group).map(<[u8]>::to_vec)).collect();
                Ok(true)
            }
        }
    }

    fn include(&mut self, command: &Command, values: &mut dyn Values) -> Result<Wanted, Complaint> {
        let uri = match (command.parameter("virtual"), command.parameter("file")) {
            (Some(_), Some(_)) => {
                return Err("inclusion may be either virtual=\"\" or file=\"\"".to_owned());
            }
            (Some(uri), None) | (None, Some(uri)) => uri,
            (None, None) => return Err("no parameter in \"include\" SSI command".to_owned()),
        };
        let (set, stub) = (command.parameter("set"), command.parameter("stub"));
        if set.is_some() && stub.is_some() {
            return Err("\"set\" and \"stub\" cannot be used together in \"include\" SSI command".to_owned());
        }
        match command.parameter("wait") {
            Some(_) if command.parameter("virtual").is_none() => {
                return Err("\"wait\" cannot be used with file=\"\"".to_owned());
            }
            None | Some(b"yes" | b"no") => {}
            Some(other) => {
                return Err(format!("invalid value \"{}\" in the \"wait\" parameter", other.escape_ascii()));
            }
        }
        let mut written = self.evaluate(uri, values)?;
        if written.first() != Some(&b'/') {
            // Beside the page.
            let mut path = values.value("uri").unwrap_or_default();
            path.truncate(path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1));
            path.extend_from_slice(&written);
            written = path;
        }
        let stub = match stub {
            Some(name) => match self.blocks.get(name) {
                Some(text) => Some(text.clone()),
                None => {
                    return Err(format!("\"stub\"=\"{}\" for \"include\" not found", name.escape_ascii()));
                }
            },
            None => None,
        };
        Ok(Wanted::Include(Include { uri: written, set: set.map(lower), stub }))
    }

    fn echo(&mut self, command: &Command, values: &mut dyn Values) -> Result<Wanted, Complaint> {
        let name = lower(mandatory(command, "var")?);
        let value = match self.variable(&name, values) {
            Some(value) => value,
            None => command.parameter("default").unwrap_or(b"(none)").to_vec(),
        };
        // As in nginx, it holds until another is named.
        self.encoding = match command.parameter("encoding") {
            None => self.encoding,
            Some(b"entity") => Encoding::Entity,
            Some(b"none") => Encoding::None,
            Some(b"url") => Encoding::Url,
            Some(other) => {
                return Err(format!("unknown encoding \"{}\" in the \"echo\" command", other.escape_ascii()));
            }
        };
        let escaped = match self.encoding {
            Encoding::Entity => entities(&value),
            Encoding::None => value,
            Encoding::Url => percent_encode(&value, ESCAPED).to_string().into_bytes(),
        };
        Ok(Wanted::Output(Bytes::from(escaped)))
    }

    fn variable(&self, name: &str, values: &mut dyn Values) -> Option<Vec<u8>> {
        if let Some(value) = self.variables.get(name) {
            return Some(value.clone());
        }
        if let [digit @ b'0'..=b'9'] = name.as_bytes() {
            return self.groups.get(usize::from(digit - b'0')).cloned();
        }
        values.value(name)
    }

    /// A text with `$name` and `${name}`; a backslash before a dollar takes its meaning away.
    fn evaluate(&self, text: &[u8], values: &mut dyn Values) -> Result<Vec<u8>, Complaint> {
        let mut out = Vec::new();
        let mut rest = text;
        while let Some((byte, after)) = rest.split_first() {
            rest = after;
            match byte {
                b'\\' if after.first() == Some(&b'$') => {
                    out.push(b'$');
                    rest = &after[1..];
                }
                b'$' => {
                    let (name, behind) = reference(after)
                        .ok_or_else(|| format!("invalid variable name in \"{}\"", text.escape_ascii()))?;
                    out.extend(self.variable(&lower(name), values).unwrap_or_default());
                    rest = behind;
                }
                byte => out.push(*byte),
            }
        }
        Ok(out)
    }
}

/// The name behind a dollar, and what follows it.
fn reference(text: &[u8]) -> Option<(&[u8], &[u8])> {
    if let Some(inside) = text.strip_prefix(b"{") {
        let end = inside.iter().position(|byte| *byte == b'}').filter(|end| *end > 0)?;
        return Some((&inside[..end], &inside[end + 1..]));
    }
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let length = text.iter().take_while(|byte| is_part(byte)).count();
    (length > 0).then(|| text.split_at(length))
}

fn mandatory<'c>(command: &'c Command, name: &str) -> Result<&'c [u8], Complaint> {
    command.parameter(name).ok_or_else(|| {
        format!("mandatory \"{name}\" parameter is absent in \"{}\" SSI command", command.name.escape_ascii())
    })
}

fn lower(name: &[u8]) -> Box<str> {
    String::from_utf8_lossy(name).to_ascii_lowercase().into()
}

/// Text as HTML shows it.
fn entities(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    escape_html(text, &mut out);
    out
}

#[cfg(test)]
mod tests;
