//! `stub_status` of nginx's `ngx_http_stub_status_module`: a location that answers with the counts of connections.

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::Effect::Reads;
use crate::config::table::{Block, LOCATION, Row, SERVER, row, words};

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("stub_status", SERVER.or(LOCATION), words(0, 1, ""), Reads(stub_status),
        "Answers with the counts of connections and requests, as nginx writes them. The admin listener has many more"),
];

/// A level has `stub_status`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) struct StubStatus(pub(in crate::config) bool);

/// As in nginx, what stands behind it means nothing.
fn stub_status(block: &mut Block, _: &Directive, _: &mut Report) {
    block.edit(|status: &mut StubStatus| status.0 = true);
}

#[cfg(test)]
mod tests {
    use crate::config::model::Action;
    use crate::config::testing::{accepted, in_http, in_location, refused};

    #[test]
    fn it_answers_where_it_stands() {
        let http = accepted(&in_http("server { stub_status; location / { return 204; } }")).http;
        assert!(matches!(http.servers[0].fallback.action, Action::Connections));
        assert!(matches!(http.servers[0].locations[0].action, Action::Files));
        let http = accepted(&in_location("stub_status on;")).http;
        assert!(matches!(http.servers[0].locations[0].action, Action::Connections));
        refused(
            &in_location("stub_status; proxy_pass http://127.0.0.1:1;"),
            "\"stub_status\" and \"proxy_pass\" in one location",
        );
    }
}
