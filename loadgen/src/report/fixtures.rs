//! Runs that never were, for the tests of what is shown: a calm one, a killed backend, and the odd ones at the edges.

use std::collections::BTreeMap;

use crate::failover::Failover;
use crate::honesty::{Generator, Lag};
use crate::objective::{Judged, Measure, Verdict};
use crate::record::ErrorKind;
use crate::shares::ShareVerdict;
use crate::summary::{
    BackendLatency, BackendShare, Connections, Latency, Load, Requests, Stage, Summary, Truth, TruthSource,
};
use crate::timeline::{Mark, Slot, SlotLatency, Timeline};

/// All of them by name.
pub(crate) fn all() -> Vec<(&'static str, Summary)> {
    vec![
        ("calm", calm()),
        ("killed-backend", killed_backend()),
        ("only-errors", only_errors()),
        ("two-seconds", two_seconds()),
        ("thousand-slots", thousand_slots()),
        ("sixteen-backends", sixteen_backends()),
        ("nothing", nothing()),
    ]
}

/// Numbers that look like chance and are the same every time, from 0 to 1.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / f64::from(1_u32 << 31)
    }
}

/// What one slot of a run is made from: requests per slot, p50 in milliseconds, weights of the backends.
fn slot(noise: &mut Noise, requests: f64, p50: f64, weights: &[f64]) -> Slot {
    let successful = (requests * (0.96 + 0.08 * noise.next())).round() as u64;
    let p99 = p50 * (2.4 + 1.2 * noise.next());
    let spike = if noise.next() > 0.96 { 6.0 } else { 1.0 };
    let sum: f64 = weights.iter().sum();
    Slot {
        sent: successful,
        successful,
        latency_ms: (successful > 0).then(|| SlotLatency {
            p50: p50 * (0.96 + 0.08 * noise.next()),
            p90: p50 * (1.5 + 0.2 * noise.next()),
            p99,
            max: p99 * (1.2 + 1.5 * noise.next()) * spike,
        }),
        backends: weights.iter().map(|weight| (successful as f64 * weight / sum).round() as u64).collect(),
        ..Slot::default()
    }
}

/// A summary whose totals are those of its slots.
fn of_slots(names: &[&str], slot_ms: f64, slots: Vec<Slot>, elapsed_s: f64) -> Summary {
    let successful = slots.iter().map(|slot| slot.successful).sum::<u64>();
    let mut errors: BTreeMap<_, _> = ErrorKind::ALL.into_iter().map(|kind| (kind, 0)).collect();
    for (kind, count) in slots.iter().flat_map(|slot| &slot.errors) {
        *errors.entry(*kind).or_default() += count;
    }
    let failed = errors.values().sum::<u64>();
    let mut backends: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(index, name)| BackendShare {
            name: (*name).to_owned(),
            answers: slots.iter().filter_map(|slot| slot.backends.get(index)).sum(),
            share: 0.0,
            errors: 0,
            classes: BTreeMap::new(),
            latency_ms: (successful > 0).then_some(BackendLatency {
                p50: 1.9 + index as f64 * 0.03,
                p99: 6.1,
                max: 31.5 + index as f64,
            }),
        })
        .collect();
    let answers = backends.iter().map(|backend| backend.answers).sum::<u64>();
    for backend in &mut backends {
        backend.share = backend.answers as f64 / answers.max(1) as f64;
        backend.classes = BTreeMap::from([("2xx".to_owned(), backend.answers)]);
    }
    let latency = (successful > 0).then_some(Latency {
        min: 0.62,
        mean: 2.31,
        p50: 1.98,
        p90: 3.21,
        p95: 4.02,
        p99: 6.44,
        p99_9: 14.8,
        max: 41.2,
    });
    Summary {
        targets: Vec::new(),
        url: "http://localhost:80/".into(),
        method: "GET".into(),
        connections: Connections { asked: 64, opened: 64, peak: 64 },
        threads: 2,
        interrupted: false,
        requests: Requests {
            total: successful + failed,
            successful,
            failed,
            unfinished: 0,
            hung: 0,
            unconnected: 0,
            unsent: 0,
            resent: 0,
        },
        elapsed_s,
        requests_per_second: (successful + failed) as f64 / elapsed_s,
        latency_histogram: if latency.is_some() { histogram(successful) } else { Vec::new() },
        latency_ms: latency,
        longest_gap_ms: 3.1,
        errors,
        statuses: BTreeMap::from([(200, successful)]),
        answers_without_backend: successful.saturating_sub(answers),
        backends,
        load: Load::Closed,
        service_ms: None,
        shares: None,
        shares_while_alive: None,
        timeline: Some(Timeline {
            slot_ms,
            end_ms: elapsed_s * 1e3,
            backends: names.iter().map(|name| (*name).to_owned()).collect(),
            slots,
            marks: Vec::new(),
        }),
        failovers: Vec::new(),
        generator: Generator {
            lag_us: None,
            cpu_share: vec![0.41, 0.39],
            cpu_us_per_request: 6.6,
            saturated: Vec::new(),
        },
        truth: None,
        objectives: Vec::new(),
    }
}

/// A bell over the logarithm of the latency with a small second hump, in buckets of two significant digits.
fn histogram(requests: u64) -> Vec<(f64, u64)> {
    let bell = |ms: f64, middle: f64, width: f64| (-((ms / middle).ln() / width).powi(2)).exp();
    let bounds: Vec<f64> = (62..=99)
        .map(|bound| f64::from(bound) / 100.0)
        .chain((10..=99).map(|bound| f64::from(bound) / 10.0))
        .chain((10..=41).map(f64::from))
        .collect();
    let density = |ms: f64| (bell(ms, 1.98, 0.45) + 0.02 * bell(ms, 9.0, 0.5)) / ms;
    let widths = bounds.iter().zip(bounds.iter().skip(1)).map(|(low, high)| high - low);
    let weights: Vec<f64> =
        [0.01].into_iter().chain(widths).zip(&bounds).map(|(w, ms)| w * density(*ms)).collect();
    let sum: f64 = weights.iter().sum();
    bounds.into_iter().zip(weights).map(|(ms, w)| (ms, (requests as f64 * w / sum).round() as u64)).collect()
}

const FOUR: [&str; 4] = ["backend-1", "backend-2", "backend-3", "backend-4"];

fn even_shares(count: usize) -> ShareVerdict {
    ShareVerdict {
        expected: vec![1.0 / count as f64; count],
        max_to_min: 1.004,
        chi_square: 1.73,
        degrees_of_freedom: count as u64 - 1,
        p_value: 0.63,
        even: true,
    }
}

/// Ten seconds at an even rate: all as it should be.
pub(crate) fn calm() -> Summary {
    let mut noise = Noise(1);
    let slots = (0..100).map(|_| slot(&mut noise, 1_300.0, 1.98, &[1.0; 4])).collect();
    let mut summary = of_slots(&FOUR, 100.0, slots, 9.998);
    summary.shares = Some(even_shares(4));
    summary
}

/// An open loop of thirty seconds; a backend is killed after ten and comes back after twenty.
pub(crate) fn killed_backend() -> Summary {
    let mut noise = Noise(2);
    let slots = (0..300)
        .map(|index| match index {
            100..=103 => {
                let mut slot = slot(&mut noise, 300.0, 9.0, &[1.0, 0.0, 1.0, 1.0]);
                slot.errors = BTreeMap::from([(ErrorKind::Reset, 3), (ErrorKind::TimedOut, 2)]);
                slot.unsent = 80;
                slot.sent += 5;
                slot
            }
            104..=199 => slot(&mut noise, 400.0, 2.7, &[1.0, 0.0, 1.0, 1.0]),
            _ => slot(&mut noise, 400.0, 1.98, &[1.0; 4]),
        })
        .collect();
    let mut summary = of_slots(&FOUR, 100.0, slots, 30.0);
    summary.load =
        Load::Open { stages: vec![Stage { at_s: 0.0, rate: 4000.0 }, Stage { at_s: 30.0, rate: 4000.0 }] };
    summary.service_ms =
        summary.latency_ms.clone().map(|latency| Latency { p99: 5.9, p99_9: 12.1, ..latency });
    summary.generator.lag_us = Some(Lag { p50: 12.0, p99: 84.0, max: 1_310.0 });
    summary.shares = Some(ShareVerdict {
        expected: vec![0.25; 4],
        max_to_min: 1.55,
        chi_square: 4021.7,
        degrees_of_freedom: 3,
        p_value: 0.0,
        even: false,
    });
    summary.backends[1].errors = 5;
    summary.statuses.insert(502, 4);
    summary.backends[2].classes.insert("5xx".to_owned(), 4);
    summary.failovers = vec![Failover {
        backend: "backend-2".into(),
        at_ms: 10_020.0,
        gap_ms: 340.0,
        errors: 20,
        even_after_ms: Some(1_200.0),
        back_after_ms: Some(9_980.0),
    }];
    if let Some(timeline) = &mut summary.timeline {
        let mark = |at_ms, ended_ms, command: &str| Mark {
            at_ms,
            ended_ms: Some(ended_ms),
            command: command.to_owned(),
            status: Some(0),
            error: None,
        };
        timeline.marks = vec![
            mark(10_000.0, 10_312.0, "docker kill cirque-backend-2"),
            mark(19_500.0, 19_902.0, "docker start cirque-backend-2"),
        ];
    }
    summary.truth = Some(Truth {
        sources: vec![
            TruthSource {
                url: "http://127.0.0.1:5001".into(),
                server: Some("backend-1".into()),
                counted: Some(31_207),
                error: None,
            },
            TruthSource {
                url: "http://127.0.0.1:5002".into(),
                server: None,
                counted: None,
                error: Some("connection refused".into()),
            },
        ],
        counted: 31_207,
        amplification: Some(1.002),
    });
    let judged = |objective: &str, measure, value, samples, verdict| Judged {
        objective: objective.to_owned(),
        measure,
        value: Some(value),
        samples,
        minimum_samples: 1_000,
        verdict,
    };
    summary.objectives = vec![
        judged("p99<20ms", Measure::P99, 6.44, 119_000, Verdict::Met),
        judged("errors<0.1%", Measure::Errors, 0.0168, 119_000, Verdict::Met),
        judged("gap<200ms", Measure::Gap, 340.0, 119_000, Verdict::Missed),
    ];
    summary
}

/// Nothing but refusals and resets.
pub(crate) fn only_errors() -> Summary {
    let slots = (0..42)
        .map(|index| Slot {
            sent: if index < 41 { 100 } else { 110 },
            errors: BTreeMap::from([
                (ErrorKind::Refused, 90),
                (ErrorKind::Reset, if index < 41 { 10 } else { 20 }),
            ]),
            ..Slot::default()
        })
        .collect();
    let mut summary = of_slots(&[], 100.0, slots, 4.2);
    summary.statuses.clear();
    summary.longest_gap_ms = 0.0;
    summary
}

/// Twenty slots with few requests in each.
fn two_seconds() -> Summary {
    let mut noise = Noise(3);
    let slots = (0..20)
        .map(|index| slot(&mut noise, if index < 19 { 12.0 } else { 7.0 }, 4.1, &[3.0, 1.0]))
        .collect();
    let mut summary = of_slots(&["large", "small"], 100.0, slots, 1.96);
    summary.shares = Some(ShareVerdict { expected: vec![0.75, 0.25], ..even_shares(2) });
    summary
}

/// A ramp over a thousand slots that ends in an overload, which the generator was part of.
fn thousand_slots() -> Summary {
    let mut noise = Noise(4);
    let slots = (0..1000)
        .map(|index| {
            let due = 20.0 + f64::from(index);
            let mut slot = slot(&mut noise, due.min(800.0), if index > 780 { 60.0 } else { 2.0 }, &[1.0; 3]);
            slot.unsent = (due - 800.0).max(0.0) as u64;
            slot
        })
        .collect();
    let mut summary = of_slots(&["b1", "b2", "b3"], 400.0, slots, 399.9);
    summary.load =
        Load::Open { stages: vec![Stage { at_s: 0.0, rate: 50.0 }, Stage { at_s: 400.0, rate: 2550.0 }] };
    summary.generator.saturated = vec![
        "requests were sent up to 61 ms later than planned".to_owned(),
        "thread 1 used 99 % of its time".to_owned(),
    ];
    summary
}

/// Sixteen backends, each by the twelve digits of a container's name.
fn sixteen_backends() -> Summary {
    let names: Vec<String> = (0..16_u64)
        .map(|index| format!("{:012x}", (index + 3) * 0x0123_4567_89ab % 0xffff_ffff_ffff))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut noise = Noise(5);
    let slots = (0..200).map(|_| slot(&mut noise, 640.0, 2.4, &[1.0; 16])).collect();
    let mut summary = of_slots(&names, 100.0, slots, 20.0);
    summary.shares = Some(even_shares(16));
    summary
}

/// A run that was interrupted before anything was answered.
fn nothing() -> Summary {
    let mut summary = of_slots(&[], 100.0, Vec::new(), 0.03);
    summary.interrupted = true;
    summary.requests.unfinished = 8;
    summary.requests_per_second = 0.0;
    summary.statuses.clear();
    summary.longest_gap_ms = 0.0;
    summary.timeline = None;
    summary
}
