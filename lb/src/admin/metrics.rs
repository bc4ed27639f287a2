//! `/metrics`: all counts, in Prometheus' text format.
//!
//! Labels come from the configuration and from DNS alone, never from a request: their number is bounded by the
//! number of servers. Names are frozen once released; a test lists them.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::balance::Availability;
use crate::cache::{Eviction, Status, Zones};
use crate::observe::exposition::Exposition;
use crate::observe::handshakes::{Handshake, HandshakeFailure};
use crate::observe::histogram::HistogramTotals;
use crate::observe::panics;
use crate::observe::process_metrics;
use crate::observe::reasons::{Generated, RetryReason};
use crate::observe::status::StatusClass;
use crate::server::ServerState;
use crate::upstream::{self, HealthTotals, PeerState, PeerTotals, Upstreams};

/// The states of `lb_upstream_server_state`. Exactly one of a server's is 1.
const STATES: [&str; 5] = ["up", "unhealthy", "unavailable", "draining", "down"];

/// Renders the whole page.
pub(super) fn render(state: &ServerState) -> String {
    let mut page = Exposition::new();
    clients(&mut page, state);
    process(&mut page, state);
    servers(&mut page, &state.current().upstreams);
    caches(&mut page, &state.current().caches);
    process_metrics::write(&mut page);
    page.finish()
}

fn caches(page: &mut Exposition, zones: &Zones) {
    let mut family = page.counter(
        "lb_cache_requests_total",
        "Requests by what the zone of the cache had for them, as `$upstream_cache_status` says.",
    );
    for zone in zones.iter() {
        for (status, count) in Status::ALL.iter().zip(zone.counts.requests.totals()) {
            family.sample(&[("zone", zone.name()), ("status", status.label())], count);
        }
    }
    let mut family =
        page.counter("lb_cache_read_bytes_total", "Bytes of answers' bodies that came from the cache.");
    for zone in zones.iter() {
        family.sample(&[("zone", zone.name())], zone.counts.bytes_read.total());
    }
    let mut family = page.counter("lb_cache_written_bytes_total", "Bytes of answers' bodies that were kept.");
    for zone in zones.iter() {
        family.sample(&[("zone", zone.name())], zone.counts.bytes_written.total());
    }
    let mut family =
        page.counter("lb_cache_evictions_total", "Answers that were removed from the cache, by reason.");
    for zone in zones.iter() {
        for (reason, count) in Eviction::ALL.iter().zip(zone.counts.evictions.totals()) {
            family.sample(&[("zone", zone.name()), ("reason", reason.label())], count);
        }
    }
    let mut family = page.counter(
        "lb_cache_failures_total",
        "Answers that could not be kept since the system failed, such as a full disk.",
    );
    for zone in zones.iter() {
        family.sample(&[("zone", zone.name())], zone.counts.failures.total());
    }
    let mut family = page.gauge("lb_cache_answers", "Answers in the cache.");
    for zone in zones.iter() {
        family.sample(&[("zone", zone.name())], zone.sizes().answers);
    }
    let mut family = page.gauge("lb_cache_bytes", "What the answers in the cache take, in bytes.");
    for zone in zones.iter() {
        family.sample(&[("zone", zone.name())], zone.sizes().bytes);
    }
    let mut family =
        page.gauge("lb_cache_max_bytes", "What they may take (`max_size`), where that is limited.");
    for zone in zones.iter() {
        if let Some(most) = zone.sizes().max_bytes {
            family.sample(&[("zone", zone.name())], most);
        }
    }
}

fn clients(page: &mut Exposition, state: &ServerState) {
    let totals = &state.totals;
    let connections = state.drain.totals();
    let mut family = page.counter(
        "lb_http_requests_total",
        "Requests by the class of the status that the client got; none for those that ended without an answer.",
    );
    for (class, count) in StatusClass::ALL.iter().zip(totals.requests.totals()) {
        family.sample(&[("code", class.label("none"))], count);
    }
    page.histogram(
        "lb_http_request_duration_seconds",
        "From a request's first byte to the end of its answer, as the client saw it.",
    )
    .sample(&[], &totals.durations.totals());
    let mut family = page.counter(
        "lb_responses_generated_total",
        "Answers made here and not by a server, by the reason for them.",
    );
    for (reason, count) in Generated::ALL.iter().zip(totals.generated.totals()) {
        family.sample(&[("reason", reason.label())], count);
    }
    page.counter(
        "lb_http_requests_refused_total",
        "Requests refused before they were routed: malformed, too long, too slow.",
    )
    .sample(&[], totals.refused.total());
    let mut family =
        page.counter("lb_retries_total", "Further tries of a request, by the failure before them.");
    for (reason, count) in RetryReason::ALL.iter().zip(totals.retries.totals()) {
        family.sample(&[("reason", reason.label())], count);
    }
    tls(page, state);
    page.counter("lb_connections_accepted_total", "Client connections accepted.")
        .sample(&[], connections.accepted);
    page.gauge(
        "lb_connections",
        "Client connections by what they do: read a header, have a request in flight, wait.",
    )
    .sample(&[("state", "reading")], connections.reading)
    .sample(&[("state", "writing")], connections.writing)
    .sample(&[("state", "waiting")], connections.waiting);
}

fn tls(page: &mut Exposition, state: &ServerState) {
    let totals = &state.totals;
    let mut family = page.counter(
        "lb_tls_handshakes_total",
        "TLS handshakes with clients, by version, and by whether an earlier session was resumed.",
    );
    for (handshake, count) in Handshake::ALL.iter().zip(totals.handshakes.totals()) {
        let (protocol, session) = handshake.labels();
        family.sample(&[("protocol", protocol), ("session", session)], count);
    }
    let mut family = page.counter(
        "lb_tls_handshake_failures_total",
        "TLS handshakes with clients that were not done, by the reason.",
    );
    for (failure, count) in HandshakeFailure::ALL.iter().zip(totals.failed_handshakes.totals()) {
        family.sample(&[("reason", failure.label())], count);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as i64;
    let mut family = page.gauge(
        "lb_tls_certificate_expires_in_seconds",
        "How long a certificate that clients are shown is still valid; negative afterwards.",
    );
    for shown in state.current().tls.shown() {
        family.sample_f64(&[("file", &shown.file)], (shown.until - now) as f64);
    }
}

fn process(page: &mut Exposition, state: &ServerState) {
    let totals = &state.totals;
    page.counter(
        "lb_config_reloads_total",
        "Reloads asked for, by whether the new configuration took effect.",
    )
    .sample(&[("result", "success")], totals.reloads_succeeded.total())
    .sample(&[("result", "failure")], totals.reloads_failed.total());
    page.gauge(
        "lb_config_last_reload_success_timestamp_seconds",
        "When the configuration in force was read, since unix epoch in seconds.",
    )
    .sample(&[], totals.last_reload_unix_seconds.load(Relaxed));
    page.counter(
        "lb_panics_total",
        "Faults of this program that cost a connection each; the error log says where.",
    )
    .sample(&[], panics::count());
    let files = state.log_files.totals();
    let mut family = page.counter("lb_log_lines_total", "Lines taken for a log file.");
    for file in &files {
        family.sample(&[("file", &file.name)], file.lines);
    }
    let mut family = page.counter(
        "lb_log_lines_dropped_total",
        "Lines of a log file that were lost because the file took them too slowly.",
    );
    for file in &files {
        family.sample(&[("file", &file.name)], file.dropped);
    }
}

/// The values of the servers that share one pair of labels: an address that appears twice in an upstream has one
/// line, with the sums.
struct Row<'a> {
    upstream: &'a str,
    server: String,
    totals: PeerTotals,
    health: HealthTotals,
    in_flight: u64,
    weight: u64,
    state: &'static str,
    histograms: [HistogramTotals; 3],
}

fn rows(upstreams: &Upstreams) -> Vec<Row<'_>> {
    let now = upstream::now();
    let mut rows = Vec::new();
    for upstream in upstreams.iter() {
        let mut by_server: BTreeMap<String, Row<'_>> = BTreeMap::new();
        for state in upstream.states(now) {
            let row = row(upstream.name(), &state);
            match by_server.get_mut(&row.server) {
                Some(first) => first.join(&row),
                None => {
                    by_server.insert(row.server.clone(), row);
                }
            }
        }
        rows.extend(by_server.into_values());
    }
    rows
}

fn row<'a>(upstream: &'a str, state: &PeerState) -> Row<'a> {
    let peer = &state.peer;
    let metrics = &peer.metrics;
    Row {
        upstream,
        server: peer.name().to_owned(),
        totals: metrics.totals(),
        health: peer.health().totals(),
        in_flight: peer.in_flight() as u64,
        weight: u64::from(state.config.weight),
        state: state_label(state.state),
        histograms: [
            metrics.connect_time.totals(),
            metrics.header_time.totals(),
            metrics.response_time.totals(),
        ],
    }
}

fn state_label(state: Availability) -> &'static str {
    match state {
        Availability::Up => "up",
        Availability::Unreachable => "unhealthy",
        Availability::Ejected => "unavailable",
        Availability::Draining => "draining",
        Availability::Down => "down",
    }
}

impl Row<'_> {
    fn join(&mut self, other: &Row<'_>) {
        self.totals.add(&other.totals);
        self.in_flight += other.in_flight;
        self.weight += other.weight;
        if other.state == "up" {
            self.state = "up";
        }
        for (mine, theirs) in self.histograms.iter_mut().zip(&other.histograms) {
            mine.add(theirs);
        }
    }
}

fn servers(page: &mut Exposition, upstreams: &Upstreams) {
    let rows = rows(upstreams);
    let mut family =
        page.counter("lb_upstream_requests_total", "Answers of a server, by the class of their status.");
    for row in &rows {
        for (class, count) in StatusClass::ALL.iter().zip(row.totals.answers) {
            let code = class.label("other");
            family.sample(&[("upstream", row.upstream), ("server", &row.server), ("code", code)], count);
        }
    }
    let mut family = page.counter("lb_upstream_failures_total", "Tries that a server failed.");
    for row in &rows {
        let totals = &row.totals;
        for (reason, count) in [
            ("connect", totals.connect_failures),
            ("timeout", totals.timeouts),
            ("other", totals.other_failures),
        ] {
            family.sample(&[("upstream", row.upstream), ("server", &row.server), ("reason", reason)], count);
        }
    }
    type Value = fn(&Row<'_>) -> u64;
    let counters: [(&str, &str, Value); 6] = [
        ("lb_upstream_picks_total", "How often a server was picked for a try.", |row| row.totals.picks),
        ("lb_upstream_ejections_total", "How often failures took a server out of use (max_fails).", |row| {
            row.totals.ejections
        }),
        ("lb_upstream_sent_bytes_total", "Bytes of request bodies sent to a server.", |row| {
            row.totals.bytes_sent
        }),
        ("lb_upstream_received_bytes_total", "Bytes of answers' bodies received from a server.", |row| {
            row.totals.bytes_received
        }),
        ("lb_health_checks_total", "Probes of a server's address.", |row| row.health.checks),
        ("lb_health_checks_failed_total", "Probes of a server's address that failed.", |row| {
            row.health.fails
        }),
    ];
    for (name, help, value) in counters {
        let mut family = page.counter(name, help);
        for row in &rows {
            family.sample(&[("upstream", row.upstream), ("server", &row.server)], value(row));
        }
    }
    let gauges: [(&str, &str, Value); 2] = [
        ("lb_upstream_active_requests", "Requests in flight at a server.", |row| row.in_flight),
        ("lb_upstream_server_weight", "A server's configured weight.", |row| row.weight),
    ];
    for (name, help, value) in gauges {
        let mut family = page.gauge(name, help);
        for row in &rows {
            family.sample(&[("upstream", row.upstream), ("server", &row.server)], value(row));
        }
    }
    let mut family = page.gauge(
        "lb_upstream_server_state",
        "1 for the state a server is in: up, unhealthy (by probes), unavailable (by failures), draining, down (by configuration).",
    );
    for row in &rows {
        for state in STATES {
            let labels = [("upstream", row.upstream), ("server", row.server.as_str()), ("state", state)];
            family.sample(&labels, u64::from(row.state == state));
        }
    }
    let histograms = [
        (
            "lb_upstream_connect_seconds",
            "From picking a server to the new connection; reused ones are not counted.",
        ),
        ("lb_upstream_header_seconds", "From picking a server to the end of its answer's header."),
        ("lb_upstream_response_seconds", "From picking a server to the end of its answer."),
    ];
    for (index, (name, help)) in histograms.into_iter().enumerate() {
        let mut family = page.histogram(name, help);
        for row in &rows {
            family.sample(&[("upstream", row.upstream), ("server", &row.server)], &row.histograms[index]);
        }
    }
}
