//! Who may come in by address: `allow` and `deny` of nginx's `ngx_http_access_module`.
//!
//! The first rule that the address fits decides; an address that fits none may come in. A level that has any rule
//! inherits none. `satisfy` and what asks for names and passwords belong to other modules.

use std::net::IpAddr;
use std::sync::Arc;

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::Effect::Reads;
use crate::config::table::{Block, LEVELS, LIMIT_EXCEPT, Row, one, row};
use crate::script::Network;

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("allow", LEVELS.or(LIMIT_EXCEPT), one("address | CIDR | unix: | all"), Reads(allow),
        "Lets clients of these addresses in, if no rule above it decides otherwise. A level that has any rule inherits none").repeatable(),
    row("deny", LEVELS.or(LIMIT_EXCEPT), one("address | CIDR | unix: | all"), Reads(deny),
        "Answers clients of these addresses with 403, if no rule above it decides otherwise. A level that has any rule inherits none").repeatable(),
];

/// The `allow` and `deny` of one level, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessRules(Arc<[AccessRule]>);

/// One `allow` or `deny`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct AccessRule {
    clients: Clients,
    denies: bool,
}

/// Whom a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clients {
    All,
    /// Those of Unix sockets.
    OfUnixSockets,
    Of(Network),
}

impl AccessRules {
    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a client is let in, where a rule fits it; one of a Unix socket has no address.
    pub fn judge(&self, client: Option<IpAddr>) -> Option<bool> {
        let fits = |rule: &&AccessRule| match (rule.clients, client) {
            (Clients::All, _) | (Clients::OfUnixSockets, None) => true,
            (Clients::Of(network), Some(address)) => network.contains(address),
            (Clients::OfUnixSockets, Some(_)) | (Clients::Of(_), None) => false,
        };
        self.0.iter().find(fits).map(|rule| !rule.denies)
    }
}

/// The rules of a level, while it is read.
#[derive(Debug, Default)]
struct Given(Vec<AccessRule>);

fn allow(block: &mut Block, directive: &Directive, report: &mut Report) {
    read(block, directive, false, report);
}

fn deny(block: &mut Block, directive: &Directive, report: &mut Report) {
    read(block, directive, true, report);
}

fn read(block: &mut Block, directive: &Directive, denies: bool, report: &mut Report) {
    let clients = match directive.argument(0) {
        "all" => Clients::All,
        "unix:" => Clients::OfUnixSockets,
        text => match Network::parse(text) {
            Some((network, has_low_bits)) => {
                if has_low_bits {
                    let message = format!("low address bits of {text} are meaningless");
                    report.warn(message, &directive.argument_position(0));
                }
                Clients::Of(network)
            }
            None => {
                report.invalid_parameter(directive, 0, "an address, a CIDR, \"unix:\" and \"all\"");
                return;
            }
        },
    };
    block.edit(|given: &mut Given| given.0.push(AccessRule { clients, denies }));
}

/// Takes the rules of a level, where it has any.
pub(in crate::config) fn take(block: &mut Block) -> Option<AccessRules> {
    block.take::<Given>().map(|Given(rules)| AccessRules(rules.into()))
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, in_http, in_location, refused, warnings};

    #[test]
    fn the_first_rule_that_fits_decides() {
        let config = accepted(&in_location(
            "allow 10.1.0.0/16; deny 10.0.0.0/8; deny 2001:db8::/32; allow 2001:db8::1; deny unix:; allow 10.0.0.1;",
        ));
        let rules = &config.http.servers[0].locations[0].access;
        assert_eq!(rules.judge(Some("11.0.0.1".parse().unwrap())), None, "no rule fits");
        for (client, refused) in [
            (Some("10.1.2.3"), false),
            (Some("10.2.0.1"), true),
            (Some("10.0.0.1"), true),
            (Some("2001:db8::1"), true),
            (Some("::ffff:10.2.0.1"), true),
            (None, true),
        ] {
            let address = client.map(|text| text.parse().unwrap());
            assert_eq!(rules.judge(address), Some(!refused), "{client:?}");
        }
    }

    #[test]
    fn a_level_with_a_rule_inherits_none() {
        let config = accepted(&in_http(
            "deny all; server { location /a { } location /b { allow 1.1.1.1; } location /c { limit_except GET { } } \
             location /d { allow all; limit_except GET { deny 1.1.1.1; } } }",
        ));
        let locations = &config.http.servers[0].locations;
        let client = Some("1.1.1.1".parse().unwrap());
        let refuses = |index: usize| locations[index].access.judge(client) == Some(false);
        assert_eq!([refuses(0), refuses(1), refuses(2), refuses(3)], [true, false, true, false]);
        let limited = |index: usize| {
            let limit = locations[index].limit_except.as_ref().unwrap();
            limit.location.access.judge(client) == Some(false)
        };
        assert_eq!([limited(2), limited(3)], [true, true]);
    }

    #[test]
    fn mistakes() {
        for (text, message) in [
            ("deny 10.0.0.0/33;", "invalid parameter \"10.0.0.0/33\""),
            ("allow localhost;", "invalid parameter \"localhost\""),
            ("allow all all;", "invalid number of arguments in \"allow\" directive"),
            ("if ($host) { deny all; }", "\"deny\" directive is not allowed here"),
        ] {
            refused(&in_location(text), message);
        }
        let said = warnings(&in_location("deny 10.0.0.1/8;"));
        assert!(said[0].contains("low address bits of 10.0.0.1/8 are meaningless"), "{said:?}");
    }
}
