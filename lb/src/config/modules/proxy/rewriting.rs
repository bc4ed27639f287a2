//! What a server says of itself and clients must not see: `proxy_redirect`, `proxy_cookie_domain`, `proxy_cookie_path`
//! and `proxy_cookie_flags`.

use crate::config::diagnostics::{Position, Report};
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, words};
use crate::script::{Captures, Case, Regex, Template, Values};

/// One rule: what a value is compared with, and what takes its place.
#[derive(Debug, Clone)]
pub struct Substitution {
    /// What a value is compared with.
    pub from: Matched,
    /// What takes the place of what matched.
    pub to: Substitute,
}

/// What a value is compared with.
#[derive(Debug, Clone)]
pub enum Matched {
    /// A text; whether the value must begin with it or be it, and whether case counts, is the directive's.
    Text(Template),
    /// `~regex` or `~*regex`. The whole value is replaced.
    Regex(Regex),
}

/// A replacement, in which `$1` and named groups stand for what the rule's own regular expression captured.
#[derive(Debug, Clone)]
pub struct Substitute(Vec<Piece>);

#[derive(Debug, Clone)]
enum Piece {
    Text(Template),
    Group(usize),
}

/// One `proxy_redirect`.
#[derive(Debug, Clone)]
pub enum RedirectRule {
    /// What holds where nothing is said: the URL of `proxy_pass` becomes the location's path; nothing does where that has
    /// variables.
    Default,
    /// `default`: the same for the `proxy_pass` above it, also in locations inside.
    Asked {
        /// Where it stands.
        position: Position,
        /// When it was read.
        order: usize,
    },
    /// A rule of one's own.
    Substitution(Substitution),
}

/// One `proxy_cookie_flags`.
#[derive(Debug, Clone)]
pub struct CookieFlags {
    /// Which cookies, by name.
    pub cookie: Matched,
    /// What happens to their attributes.
    pub flags: Vec<CookieFlag>,
}

/// One flag, known when the configuration is read or with each request.
#[derive(Debug, Clone)]
pub enum CookieFlag {
    /// One of [`FlagChange`].
    Known(FlagChange),
    /// A string with variables that renders to the name of one, or to nothing.
    PerRequest(Template),
}

/// A change of a cookie's attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagChange {
    /// `secure`, `nosecure`
    Secure(bool),
    /// `httponly`, `nohttponly`
    HttpOnly(bool),
    /// `samesite=strict`, `samesite=lax`, `samesite=none`, `nosamesite`
    SameSite(Option<&'static str>),
}

impl FlagChange {
    /// By its name, in any case.
    pub fn named(name: &[u8]) -> Option<Self> {
        const NAMES: [(&str, FlagChange); 8] = [
            ("secure", FlagChange::Secure(true)),
            ("nosecure", FlagChange::Secure(false)),
            ("httponly", FlagChange::HttpOnly(true)),
            ("nohttponly", FlagChange::HttpOnly(false)),
            ("samesite=strict", FlagChange::SameSite(Some("Strict"))),
            ("samesite=lax", FlagChange::SameSite(Some("Lax"))),
            ("samesite=none", FlagChange::SameSite(Some("None"))),
            ("nosamesite", FlagChange::SameSite(None)),
        ];
        NAMES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes())).map(|(_, change)| *change)
    }
}

impl Substitute {
    /// A replacement without captures.
    pub fn plain(text: Template) -> Self {
        Self(vec![Piece::Text(text)])
    }

    /// Appends the replacement, with what the rule's regular expression captured.
    pub fn render(&self, captures: Option<&Captures>, values: &mut dyn Values, out: &mut Vec<u8>) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => text.render(values, out),
                Piece::Group(group) => {
                    let captured = captures.and_then(|captures| captures.get(*group));
                    out.extend_from_slice(captured.unwrap_or_default());
                }
            }
        }
    }

    fn compile(text: &str, regex: Option<&Regex>, position: &Position, report: &mut Report) -> Option<Self> {
        let Some(regex) = regex else { return Some(Self::plain(report.compile(text, position)?)) };
        let (mut pieces, mut begun, mut at) = (Vec::new(), 0, 0);
        while let Some(dollar) = text[at..].find('$').map(|found| at + found) {
            match group(&text[dollar + 1..], regex) {
                Some((group, length)) => {
                    pieces.push(Piece::Text(report.compile(&text[begun..dollar], position)?));
                    pieces.push(Piece::Group(group));
                    begun = dollar + 1 + length;
                    at = begun;
                }
                None => at = dollar + 1,
            }
        }
        pieces.push(Piece::Text(report.compile(&text[begun..], position)?));
        Some(Self(pieces))
    }
}

/// The group that what follows a dollar means, and how many bytes say so.
fn group(after: &str, regex: &Regex) -> Option<(usize, usize)> {
    if let Some(digit @ b'1'..=b'9') = after.bytes().next() {
        return Some((usize::from(digit - b'0'), 1));
    }
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let (name, length) = match after.strip_prefix('{') {
        Some(braced) => {
            let end = braced.find('}')?;
            (&braced[..end], end + 2)
        }
        None => {
            let end = after.bytes().position(|byte| !is_name(&byte)).unwrap_or(after.len());
            (&after[..end], end)
        }
    };
    if let [digit @ b'1'..=b'9'] = name.as_bytes() {
        return Some((usize::from(digit - b'0'), length));
    }
    let named = regex.names().iter().find(|(known, _)| name.eq_ignore_ascii_case(known))?;
    Some((named.1, length))
}

/// How a directive's first argument is read.
#[derive(Clone, Copy)]
struct Form {
    /// Regular expressions ignore case without `~*` too.
    caseless: bool,
    /// A dot at the beginning of a text means nothing, in the replacement neither.
    domain: bool,
}

impl Form {
    const PREFIX: Self = Self { caseless: false, domain: false };
    const DOMAIN: Self = Self { caseless: true, domain: true };
    const NAME: Self = Self { caseless: true, domain: false };

    fn matched(self, directive: &Directive, report: &mut Report) -> Option<Matched> {
        let (text, position) = (directive.argument(0), directive.argument_position(0));
        let Some(pattern) = text.strip_prefix('~') else {
            let text = if self.domain { text.strip_prefix('.').unwrap_or(text) } else { text };
            return Some(Matched::Text(report.compile(text, &position)?));
        };
        let (pattern, case) = match pattern.strip_prefix('*') {
            Some(pattern) => (pattern, Case::Insensitive),
            None if self.caseless => (pattern, Case::Insensitive),
            None => (pattern, Case::Sensitive),
        };
        match Regex::new(pattern, case) {
            Ok(regex) => Some(Matched::Regex(regex)),
            Err(error) => {
                report.emerg(error.to_string(), &position);
                None
            }
        }
    }

    fn rewriting(self, directive: &Directive, report: &mut Report) -> Option<Substitution> {
        let from = self.matched(directive, report)?;
        let (text, position) = (directive.argument(1), directive.argument_position(1));
        let regex = match &from {
            Matched::Regex(regex) => Some(regex),
            Matched::Text(_) => None,
        };
        let undotted = self.domain && regex.is_none();
        let text = if undotted { text.strip_prefix('.').unwrap_or(text) } else { text };
        let to = Substitute::compile(text, regex, &position, report)?;
        Some(Substitution { from, to })
    }
}

/// Reads `off`, or adds what `rule` makes of the directive. `off` stands alone at its level.
fn read_rule<R>(
    into: &mut Option<Vec<R>>,
    directive: &Directive,
    report: &mut Report,
    rule: impl FnOnce(&Directive, &mut Report) -> Option<R>,
) {
    let off = directive.arguments.len() == 1 && directive.argument(0) == "off";
    let said_off = into.as_ref().is_some_and(Vec::is_empty);
    if said_off || (off && into.is_some()) {
        let message = format!("\"{}\" directive is duplicate", directive.name);
        report.emerg(message, &directive.position);
    } else if off {
        *into = Some(Vec::new());
    } else if let Some(rule) = rule(directive, report) {
        into.get_or_insert_default().push(rule);
    }
}

fn invalid_parameter<T>(directive: &Directive, report: &mut Report, accepted: &str) -> Option<T> {
    report.invalid_parameter(directive, 0, accepted);
    None
}

/// `proxy_redirect`; none are `off`.
pub(super) struct Redirects;

impl Argument for Redirects {
    type Value = Vec<RedirectRule>;

    const ARGUMENTS: Arguments = words(1, 2, "default | off | redirect replacement");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Self::Value>, directive: &Directive, report: &mut Report) {
        read_rule(into, directive, report, |directive, report| match directive.arguments.len() {
            1 if directive.argument(0) == "default" => {
                let (position, order) = (directive.position.clone(), directive.order);
                Some(RedirectRule::Asked { position, order })
            }
            1 => invalid_parameter(directive, report, "\"default\", \"off\" or two arguments"),
            _ => Form::PREFIX.rewriting(directive, report).map(RedirectRule::Substitution),
        });
    }

    /// The only defaults there are.
    fn print(rules: &Self::Value) -> String {
        if rules.is_empty() { "off" } else { "default" }.to_owned()
    }
}

/// `proxy_cookie_domain`; none are `off`.
pub(super) struct CookieDomains;

impl Argument for CookieDomains {
    type Value = Vec<Substitution>;

    const ARGUMENTS: Arguments = words(1, 2, "off | domain replacement");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Self::Value>, directive: &Directive, report: &mut Report) {
        read_rule(into, directive, report, |directive, report| match directive.arguments.len() {
            1 => invalid_parameter(directive, report, "\"off\" or two arguments"),
            _ => Form::DOMAIN.rewriting(directive, report),
        });
    }

    fn print(_: &Self::Value) -> String {
        "off".to_owned()
    }
}

/// `proxy_cookie_path`; none are `off`.
pub(super) struct CookiePaths;

impl Argument for CookiePaths {
    type Value = Vec<Substitution>;

    const ARGUMENTS: Arguments = words(1, 2, "off | path replacement");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Self::Value>, directive: &Directive, report: &mut Report) {
        read_rule(into, directive, report, |directive, report| match directive.arguments.len() {
            1 => invalid_parameter(directive, report, "\"off\" or two arguments"),
            _ => Form::PREFIX.rewriting(directive, report),
        });
    }

    fn print(_: &Self::Value) -> String {
        "off".to_owned()
    }
}

/// `proxy_cookie_flags`; none are `off`.
impl Argument for CookieFlags {
    type Value = Vec<Self>;

    const ARGUMENTS: Arguments = words(1, 4, "off | cookie [flag …]");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Self::Value>, directive: &Directive, report: &mut Report) {
        read_rule(into, directive, report, |directive, report| {
            if directive.arguments.len() == 1 {
                return invalid_parameter(directive, report, "\"off\", or a cookie and its flags");
            }
            let cookie = Form::NAME.matched(directive, report)?;
            let flags: Vec<_> = (1..directive.arguments.len())
                .filter_map(|index| cookie_flag(directive, index, report))
                .collect();
            Some(Self { cookie, flags })
        });
    }

    fn print(_: &Self::Value) -> String {
        "off".to_owned()
    }
}

fn cookie_flag(directive: &Directive, index: usize, report: &mut Report) -> Option<CookieFlag> {
    let template = report.template(directive, index)?;
    let Some(name) = template.as_literal() else { return Some(CookieFlag::PerRequest(template)) };
    let known = FlagChange::named(name.as_bytes());
    if known.is_none() {
        report.invalid_parameter(
            directive,
            index,
            "secure, httponly, samesite=strict, samesite=lax, samesite=none, and each with \"no\" before its name",
        );
    }
    known.map(CookieFlag::Known)
}
