//! Following a name in DNS: `server backend:5000 resolve` with `resolver 127.0.0.11 valid=1s`.
//!
//! One task per name asks exactly the configured name servers (UDP, TCP for answers that do not fit) and publishes
//! the answers; users of the name wait for changes, so a change takes effect once it is known, and one silent name
//! server delays no other names.
//!
//! The effect of an answer, per address family, as in nginx (`ngx_http_upstream_zone_module.c`):
//!
//! - addresses replace the known ones;
//! - a proper "there is no such name" or "no such record" empties them: that is an answer, and the address may have
//!   another owner by now;
//! - anything else (no answer in time, SERVFAIL, REFUSED) is a failure of DNS, and the last good answer stays.
//!
//! nginx lets a failure of one family spoil the other; here each keeps its own last answer.
//!
//! Some name servers send more over UDP than the question allows, without the bit that says "truncated". Each
//! question names a size that every network carries (1,232 bytes); an answer that does not decode is asked for again
//! with nginx's buffer of 4,096 bytes, and then over TCP.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ProtocolConfig, ResolveHosts, ResolverConfig, ServerOrderingStrategy,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use log::{error, info};
use tokio::sync::watch;

use super::shared_task::{SharedTask, TaskUse};
use crate::config::model::Resolver;

/// The shortest and the longest time that an answer is kept without `valid=`. A TTL of 0 means "do not cache", which
/// for a program that follows the name can only mean "ask again soon"; with a TTL of days it would never notice a
/// change.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);

/// The longest wait for the next question after a failure, even if answers are valid for longer. nginx waits for
/// `resolver_timeout`.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Time after which an unanswered question goes to the next name server, within `resolver_timeout`; nginx's interval.
const PER_ATTEMPT: Duration = Duration::from_secs(5);

/// Why DNS failed where nobody answered.
const TIMED_OUT: &str = "timed out";

/// The sizes of a UDP answer that a question allows, in the order of the attempts.
const UDP_SIZES: [u16; 2] = [1232, 4096];

/// The result of one question, for one address family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FamilyAnswer {
    /// Addresses, and the time for which they are valid.
    Addresses(Vec<IpAddr>, Duration),
    /// The name, or a record of that type, does not exist.
    None,
    /// DNS failed.
    Failed(String),
    /// Not asked (`ipv6=off`).
    Off,
}

/// The addresses of one family.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Family(Vec<IpAddr>);

impl Family {
    /// The addresses after `answer`. Addresses that stay keep their order, new ones follow in ascending order: name
    /// servers shuffle their answers, which must not look like a change.
    #[must_use]
    pub fn after(&self, answer: &FamilyAnswer) -> Self {
        match answer {
            FamilyAnswer::Failed(_) => self.clone(),
            FamilyAnswer::None | FamilyAnswer::Off => Self::default(),
            FamilyAnswer::Addresses(addresses, _) => {
                let mut known: Vec<IpAddr> =
                    self.0.iter().filter(|ip| addresses.contains(ip)).copied().collect();
                let mut new: Vec<IpAddr> =
                    addresses.iter().filter(|ip| !known.contains(ip)).copied().collect();
                new.sort_unstable();
                new.dedup();
                known.extend(new);
                Self(known)
            }
        }
    }
}

/// The addresses of a name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// IPv4 addresses.
    pub ipv4: Family,
    /// IPv6 addresses.
    pub ipv6: Family,
    /// True if a question has ended, whatever its result.
    pub asked: bool,
}

impl Known {
    /// All addresses, IPv4 first.
    pub fn all(&self) -> Vec<IpAddr> {
        self.ipv4.0.iter().chain(&self.ipv6.0).copied().collect()
    }
}

/// Time until the next question: `valid`, or the shortest time to live within bounds; less after a failure.
pub fn next_query_in(valid: Option<Duration>, answers: &[FamilyAnswer]) -> Duration {
    let ttl = answers.iter().filter_map(|answer| match answer {
        FamilyAnswer::Addresses(_, ttl) => Some(*ttl),
        _ => None,
    });
    let failed = answers.iter().any(|answer| matches!(answer, FamilyAnswer::Failed(_)));
    let pause = valid.unwrap_or_else(|| ttl.min().unwrap_or(SHORTEST).min(LONGEST)).max(SHORTEST);
    if failed { pause.min(AFTER_FAILURE) } else { pause }
}

/// Identifies a followed name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct NameKey {
    pub(super) host: String,
    pub(super) resolver: Resolver,
}

/// A name that is followed while it has users, and its addresses; shared by upstreams and configurations, so that a
/// reload begins with the last good answer.
pub(super) struct NameWatch {
    key: NameKey,
    known: watch::Sender<Known>,
    task: Arc<SharedTask>,
}

impl NameWatch {
    pub(super) fn new(key: NameKey) -> Arc<Self> {
        Arc::new(Self { key, known: watch::Sender::new(Known::default()), task: Arc::default() })
    }

    /// The present addresses.
    pub(super) fn known(&self) -> Known {
        self.known.borrow().clone()
    }

    /// A channel that reports changes.
    pub(super) fn subscribe(&self) -> watch::Receiver<Known> {
        self.known.subscribe()
    }

    /// Follows the name from now on, on the current tokio runtime, until the last use is dropped.
    pub(super) fn start(self: &Arc<Self>) -> TaskUse {
        self.task.enter(|| {
            let name = Arc::clone(self);
            async move { name.follow().await }
        })
    }

    async fn follow(&self) {
        let resolvers = match Resolvers::new(&self.key.resolver) {
            Ok(resolvers) => resolvers,
            Err(error) => {
                error!("{} cannot be resolved: {error}", self.key.host);
                self.known.send_modify(|known| known.asked = true);
                return;
            }
        };
        let mut failing: Option<String> = None;
        loop {
            let began = tokio::time::Instant::now();
            let answers = self.ask(&resolvers).await;
            self.say(&answers, &mut failing);
            self.known.send_if_modified(|known| {
                let next = Known {
                    ipv4: known.ipv4.after(&answers[0]),
                    ipv6: known.ipv6.after(&answers[1]),
                    asked: true,
                };
                let changed = *known != next;
                *known = next;
                changed
            });
            tokio::time::sleep_until(began + next_query_in(self.key.resolver.valid, &answers)).await;
        }
    }

    async fn ask(&self, resolvers: &Resolvers) -> [FamilyAnswer; 2] {
        let Resolver { ipv4, ipv6, timeout, .. } = self.key.resolver;
        let host = &self.key.host;
        let (ipv4, ipv6) = tokio::join!(
            ask(resolvers, host, ipv4.then_some(RecordType::A), timeout),
            ask(resolvers, host, ipv6.then_some(RecordType::AAAA), timeout),
        );
        [ipv4, ipv6]
    }

    /// Logs once that a name does not resolve, with the reason, and once that it does again.
    fn say(&self, answers: &[FamilyAnswer], failing: &mut Option<String>) {
        let reasons = answers.iter().filter_map(|answer| match answer {
            FamilyAnswer::Failed(reason) => Some(reason.as_str()),
            _ => None,
        });
        let found = answers.iter().any(|answer| matches!(answer, FamilyAnswer::Addresses(..)));
        let reason = reasons.into_iter().next().or_else(|| (!found).then_some("host not found"));
        match (reason, &failing) {
            (Some(reason), Some(said)) if reason == said => {}
            (Some(reason), _) => {
                error!("{} could not be resolved ({reason})", self.key.host);
                *failing = Some(reason.to_owned());
            }
            (None, Some(_)) => {
                info!("{} is resolved again", self.key.host);
                *failing = None;
            }
            (None, None) => {}
        }
    }
}

impl fmt::Debug for NameWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameWatch")
            .field("host", &self.key.host)
            .field("known", &*self.known.borrow())
            .finish()
    }
}

/// A name that could not be resolved: nginx's number and words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookUpError {
    /// There is no such name, or it has no address.
    #[error("3: Host not found")]
    NotFound,
    /// No name server answered in time.
    #[error("110: Operation timed out")]
    TimedOut,
    /// DNS failed.
    #[error("2: Server failure")]
    Failed,
}

/// Asks once for the addresses of a name, and for how long they are valid.
///
/// # Errors
///
/// In nginx's words, where there is none.
pub async fn look_up_once(settings: &Resolver, host: &str) -> Result<(Vec<IpAddr>, Duration), LookUpError> {
    let Ok(resolvers) = Resolvers::new(settings) else { return Err(LookUpError::Failed) };
    let Resolver { ipv4, ipv6, timeout, .. } = *settings;
    let answers = tokio::join!(
        ask(&resolvers, host, ipv4.then_some(RecordType::A), timeout),
        ask(&resolvers, host, ipv6.then_some(RecordType::AAAA), timeout),
    );
    once(settings.valid, [answers.0, answers.1])
}

/// What two answers come to. One family that answers is enough.
fn once(valid: Option<Duration>, answers: [FamilyAnswer; 2]) -> Result<(Vec<IpAddr>, Duration), LookUpError> {
    let until_next = next_query_in(valid, &answers);
    let mut error = LookUpError::NotFound;
    let mut found = Vec::new();
    for answer in answers {
        match answer {
            FamilyAnswer::Addresses(addresses, _) => found.extend(addresses),
            FamilyAnswer::Failed(reason) if reason == TIMED_OUT => error = LookUpError::TimedOut,
            FamilyAnswer::Failed(_) => error = LookUpError::Failed,
            FamilyAnswer::None | FamilyAnswer::Off => {}
        }
    }
    if found.is_empty() { Err(error) } else { Ok((found, until_next)) }
}

/// The ways to ask the name servers, each used when the answer of the one before did not decode.
struct Resolvers {
    udp: [TokioResolver; UDP_SIZES.len()],
    tcp: TokioResolver,
}

impl Resolvers {
    fn new(settings: &Resolver) -> Result<Self, NetError> {
        let [small, large] = UDP_SIZES;
        let over_udp = |size| resolver(settings, &[ProtocolConfig::Udp, ProtocolConfig::Tcp], size);
        Ok(Self {
            udp: [over_udp(small)?, over_udp(large)?],
            tcp: resolver(settings, &[ProtocolConfig::Tcp], small)?,
        })
    }

    async fn lookup(&self, name: &Name, record: RecordType) -> Result<Lookup, NetError> {
        for resolver in &self.udp {
            let result = resolver.lookup(name.clone(), record).await;
            if !matches!(result, Err(NetError::Proto(_))) {
                return result;
            }
        }
        self.tcp.lookup(name.clone(), record).await
    }
}

/// A resolver that asks these servers and nothing else: no hosts file, no search list, no cache of its own.
fn resolver(
    settings: &Resolver,
    protocols: &[ProtocolConfig],
    udp_size: u16,
) -> Result<TokioResolver, NetError> {
    let servers = settings.servers.iter().map(|address| {
        let connections = protocols.iter().map(|protocol| {
            let mut connection = ConnectionConfig::new(protocol.clone());
            connection.port = address.port();
            connection
        });
        NameServerConfig::new(address.ip(), true, connections.collect())
    });
    let config = ResolverConfig::from_name_servers(servers.collect());
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.timeout = settings.timeout.min(PER_ATTEMPT);
    options.attempts = (settings.timeout.as_secs() / PER_ATTEMPT.as_secs()) as usize;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.server_ordering_strategy = ServerOrderingStrategy::RoundRobin;
    options.edns_payload_len = udp_size;
    builder.build()
}

async fn ask(
    resolvers: &Resolvers,
    host: &str,
    record: Option<RecordType>,
    within: Duration,
) -> FamilyAnswer {
    let Some(record) = record else { return FamilyAnswer::Off };
    let name = match Name::from_utf8(host) {
        Ok(mut name) => {
            name.set_fqdn(true);
            name
        }
        Err(error) => return FamilyAnswer::Failed(error.to_string()),
    };
    match tokio::time::timeout(within, resolvers.lookup(&name, record)).await {
        Err(_) => FamilyAnswer::Failed(TIMED_OUT.to_owned()),
        Ok(Err(error)) if error.is_no_records_found() => FamilyAnswer::None,
        Ok(Err(error)) => FamilyAnswer::Failed(error.to_string()),
        Ok(Ok(lookup)) => {
            let ttl = lookup.answers().iter().map(|record| record.ttl).min().unwrap_or(0);
            let addresses: Vec<IpAddr> =
                lookup.answers().iter().filter_map(|record| address(&record.data)).collect();
            if addresses.is_empty() {
                FamilyAnswer::None
            } else {
                FamilyAnswer::Addresses(addresses, Duration::from_secs(ttl.into()))
            }
        }
    }
}

fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(ipv4) => Some(IpAddr::V4(ipv4.0)),
        RData::AAAA(ipv6) => Some(IpAddr::V6(ipv6.0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ips(text: &str) -> Vec<IpAddr> {
        text.split_whitespace().map(|ip| ip.parse().unwrap()).collect()
    }

    fn found(text: &str, ttl_s: u64) -> FamilyAnswer {
        FamilyAnswer::Addresses(ips(text), Duration::from_secs(ttl_s))
    }

    fn failed() -> FamilyAnswer {
        FamilyAnswer::Failed("SERVFAIL".to_owned())
    }

    #[test]
    fn an_answer_replaces_a_denial_empties_and_a_failure_keeps() {
        for (before, answer, after) in [
            ("", found("10.0.0.2 10.0.0.1", 1), "10.0.0.1 10.0.0.2"),
            ("10.0.0.2 10.0.0.1", found("10.0.0.1 10.0.0.2", 1), "10.0.0.2 10.0.0.1"),
            ("10.0.0.2 10.0.0.3", found("10.0.0.9 10.0.0.1 10.0.0.3", 1), "10.0.0.3 10.0.0.1 10.0.0.9"),
            ("10.0.0.1", found("10.0.0.2 10.0.0.2", 1), "10.0.0.2"),
            ("10.0.0.1", FamilyAnswer::None, ""),
            ("10.0.0.1", FamilyAnswer::Off, ""),
            ("10.0.0.1", failed(), "10.0.0.1"),
            ("", failed(), ""),
        ] {
            assert_eq!(Family(ips(before)).after(&answer).0, ips(after), "{before} then {answer:?}");
        }
    }

    #[test]
    fn one_answer_is_enough_for_a_request() {
        let timed_out = || FamilyAnswer::Failed(TIMED_OUT.to_owned());
        for (answers, result) in [
            ([found("10.0.0.1", 9), found("::1", 8)], Ok((ips("10.0.0.1 ::1"), Duration::from_secs(8)))),
            ([found("10.0.0.1", 9), FamilyAnswer::None], Ok((ips("10.0.0.1"), Duration::from_secs(9)))),
            ([found("10.0.0.1", 9), failed()], Ok((ips("10.0.0.1"), Duration::from_secs(5)))),
            ([FamilyAnswer::None, FamilyAnswer::Off], Err(LookUpError::NotFound)),
            ([FamilyAnswer::None, failed()], Err(LookUpError::Failed)),
            ([timed_out(), FamilyAnswer::Off], Err(LookUpError::TimedOut)),
        ] {
            assert_eq!(once(None, answers.clone()), result, "{answers:?}");
        }
    }

    #[test]
    fn asks_again_when_the_answer_is_no_longer_valid() {
        for (valid_s, answers, expected_s) in [
            (Some(1), [found("10.0.0.1", 600), FamilyAnswer::None], 1),
            (Some(60), [found("10.0.0.1", 1), FamilyAnswer::None], 60),
            (Some(60), [failed(), FamilyAnswer::None], 5),
            (Some(1), [failed(), failed()], 1),
            (None, [found("10.0.0.1", 30), found("::1", 20)], 20),
            (None, [found("10.0.0.1", 0), FamilyAnswer::Off], 1),
            (None, [found("10.0.0.1", 86_400), FamilyAnswer::None], 300),
            (None, [FamilyAnswer::None, FamilyAnswer::None], 1),
            (None, [found("10.0.0.1", 600), failed()], 5),
        ] {
            let pause = next_query_in(valid_s.map(Duration::from_secs), &answers);
            assert_eq!(pause, Duration::from_secs(expected_s), "{valid_s:?} {answers:?}");
        }
    }
}
