//! `proxy_pass`: where a location's requests go.

use crate::config::address::{self, ServerAddress, Target};
use crate::config::diagnostics::{Position, Report};
use crate::config::modules::elsewhere::TLS_TO_SERVERS;
use crate::config::syntax::Directive;
use crate::config::table::Block;
use crate::script::Template;

/// The port that `http://` means.
const DEFAULT_PORT: u16 = 80;

/// `proxy_pass`.
#[derive(Debug)]
pub(in crate::config) struct ProxyPass {
    pub(in crate::config) to: PassedTo,
    pub(in crate::config) position: Position,
    /// When it was read.
    pub(in crate::config) order: usize,
}

/// Where it goes.
#[derive(Debug)]
pub(in crate::config) enum PassedTo {
    /// A URL without variables.
    Fixed(FixedPass),
    /// A URL that is known with each request.
    PerRequest(Template),
}

/// A URL without variables.
#[derive(Debug)]
pub(in crate::config) struct FixedPass {
    /// What follows `http://`, as written.
    pub(in crate::config) written: String,
    pub(in crate::config) target: Target,
}

impl FixedPass {
    /// Whether it can mean an upstream of that name.
    pub(in crate::config) fn names_upstream(&self, name: &str) -> bool {
        !matches!(self.target.address, ServerAddress::Unix(_)) && self.target.host.eq_ignore_ascii_case(name)
    }
}

pub(super) fn proxy_pass(block: &mut Block, directive: &Directive, report: &mut Report) {
    let url = directive.argument(0);
    let (position, order) = (directive.argument_position(0), directive.order);
    let scheme = |name: &str| url.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    if scheme("https://") {
        let message = format!("\"{url}\" in the \"proxy_pass\" directive is not supported yet");
        report.pending(&TLS_TO_SERVERS, "proxy_pass https://…".to_owned(), message, &position);
        return;
    }
    if url.contains('$') {
        if let Some(url) = report.template(directive, 0) {
            block.edit(|given| *given = Some(ProxyPass { to: PassedTo::PerRequest(url), position, order }));
        }
        return;
    }
    if !scheme("http://") {
        report.emerg_hint("invalid URL prefix", &position, format!("\"{url}\" does not begin with http://"));
        return;
    }
    let written = &url["http://".len()..];
    match address::target(written, DEFAULT_PORT) {
        Ok(target) if target.uri.bytes().any(|byte| byte <= b' ' || byte == 0x7f) => {
            report.emerg_hint(
                "\"proxy_pass\" directive invalid value",
                &position,
                "a URI holds neither blanks nor control characters",
            );
        }
        Ok(target) => {
            let to = PassedTo::Fixed(FixedPass { written: written.to_owned(), target });
            let pass = ProxyPass { to, position, order };
            block.edit(|given| *given = Some(pass));
        }
        Err(error) => report.emerg_hint(
            format!("{error} in upstream \"{written}\""),
            &position,
            "\"proxy_pass\" accepts http:// and the name of an upstream or an address, with a URI if need be",
        ),
    }
}
