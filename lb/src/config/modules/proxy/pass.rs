//! `proxy_pass` and `grpc_pass`: where a location's requests go.

use crate::config::address::{self, ServerAddress, Target};
use crate::config::diagnostics::{Position, Report};
use crate::config::syntax::Directive;
use crate::config::table::Block;
use crate::script::Template;

/// How a server is spoken to, as the URL's scheme says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Scheme {
    /// `http://`
    Http,
    /// `https://`
    Https,
    /// `grpc://`, or nothing.
    Grpc,
    /// `grpcs://`
    Grpcs,
}

/// The module whose directive it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Module {
    /// `proxy_pass`
    Proxy,
    /// `grpc_pass`
    Grpc,
}

impl Module {
    /// How the names of its directives begin.
    pub(in crate::config) fn prefix(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Grpc => "grpc",
        }
    }
}

impl Scheme {
    /// Splits a URL.
    fn split(url: &str, module: Module) -> Option<(Self, &str)> {
        let known = match module {
            Module::Proxy => [Self::Http, Self::Https],
            Module::Grpc => [Self::Grpc, Self::Grpcs],
        };
        let found = known.into_iter().find_map(|scheme| {
            let start = url.get(..scheme.written().len())?;
            start.eq_ignore_ascii_case(scheme.written()).then(|| (scheme, &url[start.len()..]))
        });
        found.or((module == Module::Grpc).then_some((Self::Grpc, url)))
    }

    /// With what follows it in a URL.
    pub(in crate::config) fn written(self) -> &'static str {
        match self {
            Self::Http => "http://",
            Self::Https => "https://",
            Self::Grpc => "grpc://",
            Self::Grpcs => "grpcs://",
        }
    }

    /// Where none is written.
    pub(in crate::config) fn port(self) -> u16 {
        match self {
            Self::Http | Self::Grpc => 80,
            Self::Https | Self::Grpcs => 443,
        }
    }

    pub(in crate::config) fn is_grpc(self) -> bool {
        matches!(self, Self::Grpc | Self::Grpcs)
    }

    pub(in crate::config) fn is_secure(self) -> bool {
        matches!(self, Self::Https | Self::Grpcs)
    }
}

/// `proxy_pass`, or `grpc_pass`.
#[derive(Debug)]
pub(in crate::config) struct ProxyPass {
    pub(in crate::config) module: Module,
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
    pub(in crate::config) scheme: Scheme,
    /// What follows the scheme, as written.
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
    pass(Module::Proxy, block, directive, report);
}

pub(in crate::config) fn grpc_pass(block: &mut Block, directive: &Directive, report: &mut Report) {
    pass(Module::Grpc, block, directive, report);
}

fn pass(module: Module, block: &mut Block, directive: &Directive, report: &mut Report) {
    let url = directive.argument(0);
    let (position, order) = (directive.argument_position(0), directive.order);
    if url.contains('$') {
        if let Some(url) = report.template(directive, 0) {
            block.edit(|given| {
                *given = Some(ProxyPass { module, to: PassedTo::PerRequest(url), position, order })
            });
        }
        return;
    }
    let Some((scheme, written)) = Scheme::split(url, module) else {
        let hint = format!("\"{url}\" does not begin with http:// or https://");
        report.emerg_hint("invalid URL prefix", &position, hint);
        return;
    };
    match address::target(written, scheme.port()) {
        Ok(target) if module == Module::Grpc && !target.uri.is_empty() => report.emerg_hint(
            format!("invalid host in upstream \"{written}\""),
            &position,
            "\"grpc_pass\" takes an address without a path",
        ),
        Ok(target) if target.uri.bytes().any(|byte| byte <= b' ' || byte == 0x7f) => {
            report.emerg_hint(
                "\"proxy_pass\" directive invalid value",
                &position,
                "a URI holds neither blanks nor control characters",
            );
        }
        Ok(target) => {
            let to = PassedTo::Fixed(FixedPass { scheme, written: written.to_owned(), target });
            let pass = ProxyPass { module, to, position, order };
            block.edit(|given| *given = Some(pass));
        }
        Err(error) => report.emerg_hint(
            format!("{error} in upstream \"{written}\""),
            &position,
            match module {
                Module::Proxy => {
                    "\"proxy_pass\" accepts http:// or https:// and the name of an upstream or an address, with a URI if need be"
                }
                Module::Grpc => "\"grpc_pass\" accepts the name of an upstream or an address, behind grpc:// or grpcs:// if need be",
            },
        ),
    }
}
