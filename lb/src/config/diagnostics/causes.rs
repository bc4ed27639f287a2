//! Findings of one cause as one line, and the sum of what is still to come.
//!
//! A configuration that was written for nginx may hold a hundred directives of one module that is not here. What its
//! author must learn is that the module is missing, which directives say so and where; a hundred lines hide that, and
//! the misspelt word between them. Mistakes are never merged: each is told with its place.

use super::{Diagnostic, Position, Severity};

/// How many further places a line names.
const PLACES: usize = 3;
/// How many names the sum gives for each package.
const NAMES: usize = 3;

/// Something that is still to come, as a whole.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::config) struct Package {
    /// Its name in messages.
    pub(in crate::config) name: &'static str,
    /// What switches it on: directives, separated by blanks. The others set it up, and do nothing by themselves.
    pub(in crate::config) switches: &'static str,
    /// What the others wait for, as messages name it.
    pub(in crate::config) switched_on_by: &'static str,
}

impl Package {
    /// Whether `what` asks for the package: one of the switches, a parameter (which has a blank) or a variable.
    fn is_asked_for_by(&self, what: &str) -> bool {
        what.contains([' ', '$']) || self.switches.split(' ').any(|switch| switch == what)
    }
}

/// What findings have in common that become one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) enum Cause {
    /// Refused for one reason.
    Refused { what: String, reason: &'static str },
    /// Accepted without effect for one reason.
    NoEffect { what: String, reason: &'static str },
    /// Of a package that is still to come.
    Pending { what: String, package: &'static Package },
}

impl Cause {
    fn what(&self) -> &str {
        match self {
            Self::Refused { what, .. } | Self::NoEffect { what, .. } | Self::Pending { what, .. } => what,
        }
    }

    fn is_that_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Refused { reason, .. }, Self::Refused { reason: other, .. })
            | (Self::NoEffect { reason, .. }, Self::NoEffect { reason: other, .. }) => reason == other,
            (Self::Pending { package, .. }, Self::Pending { package: other, .. }) => package == other,
            _ => false,
        }
    }
}

/// Turns the settings of each package that nothing asks for into warnings: without `listen … ssl` nginx makes nothing
/// of `ssl_protocols` either.
pub(super) fn settle(findings: &mut [Diagnostic]) {
    let asked_for: Vec<&'static Package> = findings
        .iter()
        .filter_map(|finding| match finding.cause.as_deref() {
            Some(Cause::Pending { what, package }) if package.is_asked_for_by(what) => Some(*package),
            _ => None,
        })
        .collect();
    for finding in findings {
        let Some(Cause::Pending { what, package }) = finding.cause.as_deref() else { continue };
        if asked_for.contains(package) {
            continue;
        }
        let reason = package.switched_on_by;
        finding.severity = Severity::Warn;
        finding.message = format!("\"{what}\" has no effect here: {reason}");
        finding.cause = Some(Box::new(Cause::NoEffect { what: what.clone(), reason }));
    }
}

/// The findings with those of one cause in one, at the place of the first, and the sum of what is still to come.
pub(super) fn merged(findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut groups: Vec<Vec<Diagnostic>> = Vec::new();
    for finding in findings {
        let alike = |group: &&mut Vec<Diagnostic>| match (&group[0].cause, &finding.cause) {
            (Some(cause), Some(other)) => cause.is_that_of(other),
            _ => false,
        };
        match groups.iter_mut().find(alike) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    let sum = sum(&groups);
    groups.into_iter().filter_map(one_of).chain(sum).collect()
}

/// One finding for all of a group, which are of one cause.
fn one_of(group: Vec<Diagnostic>) -> Option<Diagnostic> {
    let also = further_places(&group);
    let message = common_message(&group);
    let mut first = group.into_iter().next()?;
    if let Some(message) = message {
        first.message = message;
    }
    first.hint = match (first.hint.take(), also) {
        (Some(hint), Some(also)) => Some(format!("{hint}; {also}")),
        (hint, also) => hint.or(also),
    };
    Some(first)
}

/// What a group of several names says; none where they all say the same.
fn common_message(group: &[Diagnostic]) -> Option<String> {
    let cause = group.first()?.cause.as_deref()?;
    let names = names(group);
    if names.len() < 2 {
        return None;
    }
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let listed = listed(&quoted);
    Some(match cause {
        Cause::Refused { reason, .. } => format!("nginx's directives {listed} are not supported: {reason}"),
        Cause::NoEffect { reason, .. } => format!("{listed} have no effect here: {reason}"),
        Cause::Pending { package, .. } => format!("{} is not supported yet: {listed}", package.name),
    })
}

/// `14 directives in 3 groups are not supported yet: …`; nothing where one line has said it all.
fn sum(groups: &[Vec<Diagnostic>]) -> Option<Diagnostic> {
    let mut count = 0;
    let mut packages = Vec::new();
    for group in groups {
        let Some(Cause::Pending { package, .. }) = group.first().and_then(|first| first.cause.as_deref())
        else {
            continue;
        };
        let names = names(group);
        count += names.len();
        let shown = names.get(..NAMES).unwrap_or(&names).join(", ");
        packages.push(match names.len() > NAMES {
            true => format!("{} ({shown}, …; {})", package.name, names.len()),
            false => format!("{} ({shown})", package.name),
        });
    }
    if count < 2 {
        return None;
    }
    let plural = if packages.len() == 1 { "group" } else { "groups" };
    let message = format!(
        "{count} directives in {} {plural} are not supported yet: {}",
        packages.len(),
        packages.join(", ")
    );
    Some(Diagnostic::notice(message, None))
}

/// What the findings of a group are about, each once, in order.
fn names(group: &[Diagnostic]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for name in group.iter().filter_map(|finding| finding.cause.as_deref()).map(Cause::what) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// `also in lines 14, 20, b.conf:3 and 12 more`: a file is named where it is another than that of the first finding.
fn further_places(group: &[Diagnostic]) -> Option<String> {
    let mut places: Vec<&Position> = group.iter().filter_map(|finding| finding.position.as_ref()).collect();
    places.dedup();
    let (first, places) = places.split_first()?;
    let shown: Vec<String> = places
        .iter()
        .take(PLACES)
        .map(|place| if place.file == first.file { place.line.to_string() } else { place.to_string() })
        .collect();
    let of_lines = match places.iter().take(PLACES).filter(|place| place.file == first.file).count() {
        0 => "",
        1 => "line ",
        _ => "lines ",
    };
    let text = match places.len().saturating_sub(PLACES) {
        0 => listed(&shown),
        more => format!("{} and {more} more", shown.join(", ")),
    };
    (!places.is_empty()).then(|| format!("also in {of_lines}{text}"))
}

/// `a`, `a and b`, `a, b and c`.
fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static TLS: Package = Package { name: "TLS", switches: "ssl", switched_on_by: "nothing listens" };
    static GZIP: Package = Package { name: "gzip", switches: "gzip gunzip", switched_on_by: "no gzip" };

    fn at(file: &str, line: u32) -> Position {
        Position { file: file.into(), line }
    }

    fn pending(what: &str, package: &'static Package, line: u32) -> Diagnostic {
        let cause = Cause::Pending { what: what.to_owned(), package };
        Diagnostic::emerg(format!("\"{what}\" alone"), at("a.conf", line)).because(cause)
    }

    fn refused(what: &str, reason: &'static str, file: &str, line: u32) -> Diagnostic {
        let cause = Cause::Refused { what: what.to_owned(), reason };
        let message = format!("nginx's directive \"{what}\" is not supported: {reason}");
        Diagnostic::emerg(message, at(file, line)).because(cause)
    }

    fn said(findings: Vec<Diagnostic>) -> Vec<String> {
        merged(findings).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn one_cause_is_one_line_with_the_places() {
        assert_eq!(
            said(vec![refused("a", "no", "a.conf", 1)]),
            ["[emerg] nginx's directive \"a\" is not supported: no in a.conf:1"]
        );
        let two = vec![
            refused("a", "no", "a.conf", 1),
            Diagnostic::emerg("a slip", at("a.conf", 2)),
            refused("b", "yes", "a.conf", 3),
            refused("a", "no", "a.conf", 4),
            Diagnostic::emerg("a slip", at("a.conf", 5)),
        ];
        assert_eq!(
            said(two),
            [
                "[emerg] nginx's directive \"a\" is not supported: no in a.conf:1 (also in line 4)",
                "[emerg] a slip in a.conf:2",
                "[emerg] nginx's directive \"b\" is not supported: yes in a.conf:3",
                "[emerg] a slip in a.conf:5",
            ],
            "mistakes are told one by one"
        );
        let many = (1..=16).map(|line| refused("a", "no", "a.conf", line)).collect();
        assert!(said(many)[0].ends_with("in a.conf:1 (also in lines 2, 3, 4 and 12 more)"));
        let files = vec![
            refused("a", "no", "a.conf", 1),
            refused("b", "no", "a.conf", 2),
            refused("a", "no", "b.conf", 3),
        ];
        assert_eq!(
            said(files),
            ["[emerg] nginx's directives \"a\" and \"b\" are not supported: no in a.conf:1 \
              (also in line 2 and b.conf:3)"]
        );
    }

    #[test]
    fn what_is_to_come_is_summed_up_by_package() {
        assert_eq!(said(vec![pending("gzip", &GZIP, 1)]), ["[emerg] \"gzip\" alone in a.conf:1"]);
        let findings = vec![
            pending("listen … ssl", &TLS, 1),
            pending("gzip", &GZIP, 2),
            pending("ssl_a", &TLS, 3),
            pending("ssl_b", &TLS, 4),
            pending("ssl_a", &TLS, 5),
            pending("ssl_c", &TLS, 6),
        ];
        assert_eq!(
            said(findings),
            [
                "[emerg] TLS is not supported yet: \"listen … ssl\", \"ssl_a\", \"ssl_b\" and \"ssl_c\" in a.conf:1 \
                 (also in lines 3, 4, 5 and 1 more)",
                "[emerg] \"gzip\" alone in a.conf:2",
                "[notice] 5 directives in 2 groups are not supported yet: TLS (listen … ssl, ssl_a, ssl_b, …; 4), \
                 gzip (gzip)",
            ]
        );
    }

    #[test]
    fn settings_that_nothing_switches_on_do_nothing() {
        let settled = |names: &[&str]| {
            let mut findings: Vec<Diagnostic> = names.iter().map(|name| pending(name, &GZIP, 1)).collect();
            settle(&mut findings);
            findings.iter().map(|finding| finding.severity).collect::<Vec<_>>()
        };
        assert_eq!(settled(&["gzip_types", "gzip_vary"]), [Severity::Warn, Severity::Warn]);
        assert_eq!(settled(&["gzip_types", "gzip"]), [Severity::Emerg, Severity::Emerg]);
        assert_eq!(settled(&["gzip_types", "$gzip_ratio"]), [Severity::Emerg, Severity::Emerg]);
        let mut alone = vec![pending("ssl_ciphers", &TLS, 1), pending("gzip", &GZIP, 2)];
        settle(&mut alone);
        assert_eq!(
            said(alone),
            [
                "[warn] \"ssl_ciphers\" has no effect here: nothing listens in a.conf:1",
                "[emerg] \"gzip\" alone in a.conf:2"
            ]
        );
    }
}
