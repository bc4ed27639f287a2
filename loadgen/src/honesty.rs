//! Whether the figures are the target's, or the generator's own. Pure.
//!
//! Three things show that a generator was the bottleneck. Its threads had no time left: then a target that
//! answered faster would have changed nothing. Or its machine had nothing left to open a connection with: then
//! requests failed that never left. Or, in an open loop, it kept waking too late: then the
//! latencies, which count from the planned time, hold its own delay. A lag makes a target look slower, never
//! faster, so a false alarm is worse than a missed one here, and the limits are generous: the verdict is
//! spoken only when the greater part of what the p99 says may be the generator's.

use std::time::Duration;

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::Serialize;

/// What the generator says of itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Generator {
    /// How much later than planned requests were written, in microseconds; open loop only.
    pub lag_us: Option<Lag>,
    /// Processor time of each thread as a part of the run's time, from 0 to 1.
    pub cpu_share: Vec<f64>,
    /// Processor time of all threads together, in microseconds per request.
    pub cpu_us_per_request: f64,
    /// Why the figures are the generator's rather than the target's; empty when they are not.
    pub saturated: Vec<String>,
}

/// Points of the distribution of lags, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the names say all")]
pub struct Lag {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

/// What one thread used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ThreadTime {
    /// Of a processor.
    pub cpu: Duration,
    /// By the clock.
    pub wall: Duration,
}

/// What the verdict is based on.
#[derive(Debug, Default)]
pub struct Facts<'a> {
    /// Lags of all requests in nanoseconds, in an open loop.
    pub lag_ns: Option<&'a Histogram<u64>>,
    /// Latencies of the successful ones in nanoseconds.
    pub latency_ns: Option<&'a Histogram<u64>>,
    /// What each thread used.
    pub threads: &'a [ThreadTime],
    /// Requests that ended.
    pub requests: u64,
    /// Those among them that failed as this machine had nothing left to open a connection with.
    pub shortages: u64,
    /// Requests that were not sent as the generator itself was too late for them, in an open loop.
    pub overdue: u64,
    /// Why threads ended before the run did.
    pub failures: &'a [&'a str],
}

/// A thread that runs for this part of the time has none left: the rest goes to the kernel's own work.
pub const BUSY_SHARE: f64 = 0.9;

/// Shorter runs say little about how busy a thread is, as starting up is a good part of them.
const SHORTEST_JUDGED: Duration = Duration::from_secs(1);

/// A lag below is what any busy machine has now and then: a slice of Linux's scheduler is 3 ms.
const LAG_FLOOR_NS: f64 = 5e6;

/// A lag above this part of the latency is the greater part of it.
const LAG_PART: f64 = 0.5;

/// Without latencies to compare with: as long as a slot of the timeline, so that a request is sent in the slot
/// in which it is booked.
const LAG_LIMIT_WITHOUT_ANSWERS_NS: f64 = 100e6;

/// One request in so many.
const OVERDUE_PART: u64 = 100;

/// A p99 of fewer is one or two requests.
const SMALLEST_SAMPLE: u64 = 200;

/// Judges the generator.
pub fn judge(facts: &Facts<'_>) -> Generator {
    let cpu: Duration = facts.threads.iter().map(|thread| thread.cpu).sum();
    let cpu_share: Vec<_> = facts.threads.iter().map(|thread| share(*thread)).collect();
    Generator {
        lag_us: facts.lag_ns.filter(|lags| !lags.is_empty()).map(|lags| Lag {
            p50: to_us(lags.value_at_quantile(0.5)),
            p99: to_us(lags.value_at_quantile(0.99)),
            max: to_us(lags.max()),
        }),
        cpu_us_per_request: match facts.requests {
            0 => 0.0,
            requests => (cpu.as_nanos() as f64 / requests as f64).round() / 1e3,
        },
        saturated: [
            lateness(facts),
            overdue(facts),
            business(facts.threads, &cpu_share),
            shortage(facts.shortages),
        ]
        .into_iter()
        .flatten()
        .chain(facts.failures.iter().map(|failure| format!("a thread ended before the run did: {failure}")))
        .collect(),
        cpu_share,
    }
}

/// Whether the schedule was not kept.
fn lateness(facts: &Facts<'_>) -> Option<String> {
    let lags = facts.lag_ns.filter(|lags| lags.len() >= SMALLEST_SAMPLE)?;
    let lag_ns = lags.value_at_quantile(0.99) as f64;
    let latency = facts.latency_ns.filter(|latencies| !latencies.is_empty());
    let latency_ns = latency.map(|latencies| latencies.value_at_quantile(0.99) as f64);
    let limit_ns = latency_ns.map_or(LAG_LIMIT_WITHOUT_ANSWERS_NS, |ns| LAG_FLOOR_NS.max(ns * LAG_PART));
    (lag_ns > limit_ns).then(|| {
        let lag_ms = lag_ns / 1e6;
        let compared = match latency_ns {
            Some(ns) => format!(", most of the p99 latency of {:.1} ms", ns / 1e6),
            None => String::new(),
        };
        format!("one request in 100 was sent {lag_ms:.1} ms or more after its time{compared}")
    })
}

/// Whether a good part of the schedule was not even tried. Fewer do not touch the p99.
fn overdue(facts: &Facts<'_>) -> Option<String> {
    let Facts { overdue, requests, .. } = facts;
    let all = overdue + requests;
    (*overdue > 0 && overdue * OVERDUE_PART >= all).then(|| {
        format!("{overdue} requests were not sent, as loadgen itself was more than 100 ms late for them")
    })
}

/// Whether no thread had time left.
fn business(threads: &[ThreadTime], shares: &[f64]) -> Option<String> {
    let is_judged = threads.iter().all(|thread| thread.wall >= SHORTEST_JUDGED);
    let least = shares.iter().copied().reduce(f64::min)?;
    (is_judged && least >= BUSY_SHARE).then(|| {
        let percent = (least * 100.0).floor();
        match shares.len() {
            1 => format!("its only thread was busy for {percent} % of the run"),
            count => format!("all {count} threads were busy for at least {percent} % of the run"),
        }
    })
}

/// Whether this machine ran out of something. One failure is enough: unlike a lag, it is never the target's.
fn shortage(failures: u64) -> Option<String> {
    let requests = if failures == 1 { "request" } else { "requests" };
    (failures > 0).then(|| {
        format!("{failures} {requests} found no file descriptor, port or memory left for a connection on this machine")
    })
}

fn share(ThreadTime { cpu, wall }: ThreadTime) -> f64 {
    if wall.is_zero() {
        return 0.0;
    }
    // The two clocks are read one after the other.
    ((cpu.as_secs_f64() / wall.as_secs_f64()).min(1.0) * 1e4).round() / 1e4
}

/// Microseconds, to the tenth: more digits are noise.
fn to_us(ns: u64) -> f64 {
    (ns as f64 / 1e2).round() / 1e1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::latency_histogram;

    /// A histogram of this many times in microseconds.
    fn times(groups: &[(u64, u64)]) -> Histogram<u64> {
        let mut all = latency_histogram();
        for (us, count) in groups {
            all.record_n(us * 1000, *count).unwrap();
        }
        all
    }

    fn threads(shares: &[f64], wall: Duration) -> Vec<ThreadTime> {
        shares.iter().map(|share| ThreadTime { cpu: wall.mul_f64(*share), wall }).collect()
    }

    #[test]
    fn busy_threads_are_told() {
        let table: &[(&[f64], u64, Option<&str>)] = &[
            (&[0.95, 0.91], 1000, Some("all 2 threads were busy for at least 91 % of the run")),
            (&[1.0], 5000, Some("its only thread was busy for 100 % of the run")),
            (&[0.95, 0.89], 1000, None),
            (&[0.0], 1000, None),
            // Too short to tell.
            (&[1.0], 999, None),
            (&[], 1000, None),
        ];
        for (shares, wall_ms, expected) in table {
            let threads = threads(shares, Duration::from_millis(*wall_ms));
            let facts = Facts { threads: &threads, requests: 1000, ..Facts::default() };
            let generator = judge(&facts);
            assert_eq!(generator.saturated.first().map(String::as_str), *expected, "{shares:?}");
            assert_eq!(generator.cpu_share, *shares);
            assert_eq!(generator.lag_us, None);
        }
    }

    #[test]
    fn a_shortage_of_this_machine_is_told() {
        let table = [
            (0, None),
            (
                1,
                Some(
                    "1 request found no file descriptor, port or memory left for a connection on this machine",
                ),
            ),
            (
                1820,
                Some(
                    "1820 requests found no file descriptor, port or memory left for a connection on this machine",
                ),
            ),
        ];
        for (shortages, expected) in table {
            let facts = Facts { requests: 4000, shortages, ..Facts::default() };
            assert_eq!(judge(&facts).saturated.first().map(String::as_str), expected, "{shortages}");
        }
    }

    #[test]
    fn requests_that_loadgen_was_too_late_for_are_told() {
        let told = "10 requests were not sent, as loadgen itself was more than 100 ms late for them";
        for (overdue, requests, expected) in
            [(0, 0, None), (10, 991, None), (10, 990, Some(told)), (10, 0, Some(told))]
        {
            let facts = Facts { requests, overdue, ..Facts::default() };
            assert_eq!(
                judge(&facts).saturated.first().map(String::as_str),
                expected,
                "{overdue} of {requests}"
            );
        }
    }

    #[test]
    fn threads_that_ended_early_are_told() {
        let facts = Facts { failures: &["one reason", "another"], ..Facts::default() };
        let told =
            ["one reason", "another"].map(|reason| format!("a thread ended before the run did: {reason}"));
        assert_eq!(judge(&facts).saturated, told);
    }

    #[test]
    fn processor_time_is_told_per_request() {
        let threads = threads(&[0.5, 0.25], Duration::from_secs(2));
        for (requests, expected) in [(100_000, 15.0), (0, 0.0)] {
            let facts = Facts { threads: &threads, requests, ..Facts::default() };
            assert_eq!(judge(&facts).cpu_us_per_request, expected);
        }
    }

    #[test]
    fn lags_that_make_the_latency_are_told() {
        let quick: &[(u64, u64)] = &[(300, 1000)];
        let slow: &[(u64, u64)] = &[(50_000, 1000)];
        type Times = &'static [(u64, u64)];
        let table: &[(Times, Times, bool)] = &[
            (&[(40, 1000)], quick, false),
            // Late now and then, or no longer than another's turn on the processor.
            (&[(40, 995), (90_000, 5)], quick, false),
            (&[(4000, 1000)], quick, false),
            (&[(40, 950), (9000, 50)], quick, true),
            // The same does not matter where answers take longer.
            (&[(40, 950), (9000, 50)], slow, false),
            (&[(40, 950), (30_000, 50)], slow, true),
            // No answers: what matters is the slot.
            (&[(30_000, 1000)], &[], false),
            (&[(300_000, 1000)], &[], true),
            // Too few to tell.
            (&[(30_000, 50)], quick, false),
            (&[], &[], false),
        ];
        for (lags, latencies, expected) in table {
            let (lag_ns, latency_ns) = (times(lags), times(latencies));
            let facts = Facts {
                lag_ns: Some(&lag_ns),
                latency_ns: Some(&latency_ns),
                requests: latency_ns.len(),
                ..Facts::default()
            };
            let generator = judge(&facts);
            assert_eq!(!generator.saturated.is_empty(), *expected, "{lags:?}: {generator:?}");
            assert_eq!(generator.lag_us.is_some(), !lags.is_empty());
        }
    }

    #[test]
    fn a_verdict_says_what_it_is_based_on() {
        let (lag_ns, latency_ns) = (times(&[(8000, 1000)]), times(&[(8500, 1000)]));
        let facts = Facts {
            lag_ns: Some(&lag_ns),
            latency_ns: Some(&latency_ns),
            requests: 1000,
            ..Facts::default()
        };
        assert_eq!(
            judge(&facts).saturated,
            ["one request in 100 was sent 8.0 ms or more after its time, most of the p99 latency of 8.5 ms"]
        );
    }
}
