//! Timelines of imagined runs: requests are booked as a run books them, and the detection sees what it would see.

use super::*;
use crate::collector::Collector;
use crate::record::{ErrorKind, Outcome, Record};

const MS: u64 = 1_000_000;

/// Random numbers that are the same in every run of the tests.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, count: usize) -> usize {
        ((self.next() * count as f64) as usize).min(count - 1)
    }
}

/// Books requests, one every so often.
struct Run {
    record: Record,
    end_ms: u64,
}

/// What became of a request.
#[derive(Clone, Copy)]
enum Fate {
    /// By this backend, after so many milliseconds.
    Answered(usize, u64),
    Failed,
    /// Failed after so many milliseconds.
    TimedOut(u64),
    /// Without an answer when the run was cut off, a second after it was told to end.
    Hung,
    Unsent,
    /// Not even planned.
    Skipped,
}

const NAMES: [&[u8]; 4] = [b"b1", b"b2", b"b3", b"b4"];

impl Run {
    /// `fate` says what becomes of the request planned at this time (ms), with its number.
    fn new(end_ms: u64, per_second: u64, mut fate: impl FnMut(f64, usize) -> Fate) -> Self {
        let mut record = Record::default();
        for number in 0..end_ms * per_second / 1000 {
            let planned_ns = number * 1_000_000_000 / per_second;
            match fate(planned_ns as f64 / 1e6, number as usize) {
                Fate::Answered(backend, latency_ms) => {
                    let backend = NAMES.get(backend).map(|name| record.backends.intern(name));
                    let end_ns = planned_ns + latency_ms * MS;
                    record.add(Outcome { result: Ok(200), backend }, planned_ns, planned_ns, end_ns);
                }
                Fate::Failed => {
                    let outcome = Outcome { result: Err(ErrorKind::Reset), backend: None };
                    record.add(outcome, planned_ns, planned_ns, planned_ns + MS);
                }
                Fate::TimedOut(after_ms) => {
                    let outcome = Outcome { result: Err(ErrorKind::TimedOut), backend: None };
                    record.add(outcome, planned_ns, planned_ns, planned_ns + after_ms * MS);
                }
                Fate::Hung => record.given_up(planned_ns, (end_ms + 1000) * MS),
                Fate::Unsent => record.unsent(planned_ns),
                Fate::Skipped => {}
            }
        }
        Self { record, end_ms }
    }

    fn detect(self, is_paced: bool, weights: &[(String, f64)]) -> Vec<Failover> {
        self.look(is_paced, weights).1
    }

    fn look(mut self, is_paced: bool, weights: &[(String, f64)]) -> (Timeline, Vec<Failover>) {
        let mut collector = Collector::new(1, 100 * MS);
        let told = self.record.hand_over(0);
        collector.add(0, told.names, told.slots);
        let timeline = collector.timeline(self.end_ms * MS, Vec::new());
        let failovers = detect(&timeline, Circumstances { is_paced, weights });
        (timeline, failovers)
    }
}

fn names(failovers: &[Failover]) -> Vec<&str> {
    failovers.iter().map(|failover| failover.backend.as_str()).collect()
}

/// Asserts that a value lies within 100 ms above the expected one, which a slot blurs.
fn assert_near(actual_ms: Option<f64>, expected_ms: f64, what: &str) {
    let is_near = actual_ms.is_some_and(|actual| (expected_ms..=expected_ms + 101.0).contains(&actual));
    assert!(is_near, "{what}: {actual_ms:?}, not {expected_ms}");
}

#[test]
fn a_kill_behind_a_balancer_that_repeats_costs_nothing_but_shares() {
    // The next backend takes the dead one's requests for 800 ms, then they are spread.
    let run = Run::new(10_000, 1000, |at, n| {
        let turn = n % 3;
        let backend = match turn {
            1 if at < 4030.0 => 1,
            1 if at < 4830.0 => 2,
            1 => n / 3 % 2 * 2,
            other => other,
        };
        Fate::Answered(backend, 1)
    });
    let failovers = run.detect(true, &[]);
    assert_eq!(names(&failovers), ["b2"]);
    let failover = &failovers[0];
    assert_eq!(failover.at_ms, 4027.0);
    assert_eq!((failover.gap_ms, failover.errors, failover.back_after_ms), (0.0, 0, None));
    assert_near(failover.even_after_ms, 770.0, "even");
    let line = failover.to_string();
    assert!(line.starts_with("failover b2: gap 0 ms, 0 errors, even again after 0."), "{line}");
}

#[test]
fn a_kill_without_repeats_shows_its_errors_finer_than_a_slot() {
    let run = Run::new(10_000, 1000, |at, n| match n % 3 {
        1 if (4030.0..4371.0).contains(&at) => Fate::Failed,
        1 if at >= 4030.0 => Fate::Answered(n / 3 % 2 * 2, 1),
        backend => Fate::Answered(backend, 1),
    });
    let failovers = run.detect(true, &[]);
    assert_eq!(names(&failovers), ["b2"]);
    let failover = &failovers[0];
    // Requests 4030 mod 3 = 1, …, 4369 are b2's.
    assert!((failover.gap_ms - 339.0).abs() < 1.1, "{failover:?}");
    assert_eq!(failover.errors, (4030..4371).filter(|n| n % 3 == 1).count() as u64);
    // Those that were answered were shared evenly all the time, but not before the last error was it over.
    assert_near(failover.even_after_ms, 342.0, "even");
}

#[test]
fn shares_are_looked_at_where_everybody_lives() {
    let run = |back_ms: f64| {
        let run = Run::new(6_000, 1000, |at, n| match n % 2 {
            1 if (2000.0..back_ms).contains(&at) => Fate::Answered(0, 1),
            backend => Fate::Answered(backend, 1),
        });
        let (timeline, failovers) = run.look(true, &[]);
        slots_without_a_death(&timeline, &failovers)
            .fold([0, 0], |sums, slot| [sums[0] + slot.backends[0], sums[1] + slot.backends[1]])
    };
    // The slots of the last answer before and of the first after it are left out with those in between.
    assert_eq!(run(4_050.0), [950 + 950, 950 + 950]);
    assert_eq!(run(9_000.0), [950, 950]);
    assert_eq!(run(0.0), [3_000, 3_000]);
}

#[test]
fn requests_that_hang_and_are_repeated_are_hurt_too() {
    let run = Run::new(10_000, 1000, |at, n| match n % 2 {
        // A second until the balancer gives up on the dead one, and for half a second it keeps trying.
        1 if (3000.0..3500.0).contains(&at) => Fate::Answered(0, 1000),
        1 if at >= 3000.0 => Fate::Answered(0, 2),
        backend => Fate::Answered(backend, 2),
    });
    let failovers = run.detect(true, &[]);
    assert_eq!(names(&failovers), ["b2"]);
    assert_eq!(failovers[0].errors, 0);
    assert!((failovers[0].gap_ms - 498.0).abs() < 2.0, "{failovers:?}");
}

#[test]
fn a_restarted_backend_is_back() {
    for (down_ms, comes_back) in [(1500.0, true), (30_000.0, false)] {
        let run = Run::new(10_000, 500, |at, n| match n % 2 {
            1 if (2000.0..2000.0 + down_ms).contains(&at) => Fate::Answered(0, 1),
            backend => Fate::Answered(backend, 1),
        });
        let failovers = run.detect(true, &[]);
        assert_eq!(names(&failovers), ["b2"], "down for {down_ms} ms");
        assert_eq!(failovers[0].back_after_ms.is_some(), comes_back);
        if comes_back {
            assert!((failovers[0].back_after_ms.unwrap() - 1504.0).abs() < 5.0, "{failovers:?}");
        }
    }
}

#[test]
fn two_killed_one_after_the_other_are_two_failures() {
    let run = Run::new(12_000, 900, |at, n| {
        let alive: &[usize] = match at {
            ..3000.0 => &[0, 1, 2],
            ..3400.0 => &[0, 2],
            _ => &[2],
        };
        match n % 3 {
            0 if (3000.0..3100.0).contains(&at) => Fate::Failed,
            1 if (3400.0..3450.0).contains(&at) => Fate::Failed,
            _ => Fate::Answered(alive[n % alive.len()], 1),
        }
    });
    let failovers = run.detect(true, &[]);
    assert_eq!(names(&failovers), ["b2", "b1"]);
    assert_eq!((failovers[0].errors, failovers[1].errors), (30, 15));
    assert!(failovers[1].gap_ms < 50.0, "{failovers:?}");
    // The one that is left has everything at once.
    assert_near(failovers[1].even_after_ms, 46.0, "even");
}

#[test]
fn the_same_backend_can_die_twice() {
    let run = Run::new(20_000, 1000, |at, n| match n % 2 {
        1 if (3000.0..4000.0).contains(&at) || (12_000.0..13_000.0).contains(&at) => Fate::Answered(0, 1),
        backend => Fate::Answered(backend, 1),
    });
    let failovers = run.detect(true, &[]);
    assert_eq!(names(&failovers), ["b2", "b2"]);
    assert!((failovers[1].at_ms - 11_999.0).abs() < 2.0, "{failovers:?}");
}

#[test]
fn neither_the_begin_nor_the_end_of_a_run_is_a_death() {
    // A backend that begins late, and another that is alone at first.
    let run = Run::new(5000, 1000, |at, n| Fate::Answered(if at < 2000.0 { 0 } else { n % 3 }, 1));
    assert_eq!(run.detect(true, &[]), []);
    // A slow start: one request in the first second, from a backend that then is one of three.
    let run = Run::new(5000, 1000, |at, n| match at {
        0.0 => Fate::Answered(1, 900),
        ..1000.0 => Fate::Skipped,
        _ => Fate::Answered(n % 3, 1),
    });
    assert_eq!(run.detect(false, &[]), []);
    // Two seconds after the last request, in which some connections still ended with another backend.
    let run = Run::new(5000, 1000, |at, n| match at {
        ..3000.0 => Fate::Answered(n % 3, 1),
        ..3005.0 => Fate::Answered(0, 1),
        _ => Fate::Skipped,
    });
    assert_eq!(run.detect(false, &[]), []);
}

#[test]
fn a_trickle_and_bursts_are_alive() {
    // One in 500, as a canary gets.
    let run = Run::new(30_000, 1000, |_, n| Fate::Answered(usize::from(n % 500 == 250), 1));
    assert_eq!(run.detect(true, &[]), []);
    // Connections that stick to a backend for half a second.
    let run = Run::new(30_000, 1000, |at, _| Fate::Answered(at as usize / 500 % 3, 1));
    let failovers = run.detect(true, &[]);
    assert!(failovers.len() <= 3, "only the first burst's end of each can look like death: {failovers:?}");
}

#[test]
fn a_backend_that_dies_is_found_at_low_rates_too() {
    // Ten requests a second: most slots hold one. It takes longer to be sure, the time is right all the same.
    for per_second in [10, 30, 100] {
        let run = Run::new(60_000, per_second, |at, n| match n % 3 {
            1 if at >= 30_000.0 => Fate::Answered(2 * (n / 3 % 2), 1),
            backend => Fate::Answered(backend, 1),
        });
        let failovers = run.detect(true, &[]);
        assert_eq!(names(&failovers), ["b2"], "{per_second}/s");
        assert!((failovers[0].at_ms - 30_000.0).abs() <= 3000.0 / per_second as f64, "{failovers:?}");
    }
    // With two requests a second, three seconds prove nothing.
    let run = Run::new(13_000, 2, |at, n| Fate::Answered(if at < 10_000.0 { n % 3 } else { n % 2 * 2 }, 1));
    assert_eq!(run.detect(true, &[]), []);
}

#[test]
fn who_lives_is_hardly_ever_called_dead() {
    let mut dice = Dice(11);
    let mut alarms = 0;
    for round in 0..2000 {
        let backends = 2 + round % 3;
        // Slots of a few requests each, where silences of whole slots are common.
        let (end_ms, per_second) = [(12_000, 20), (6000, 50), (2000, 150)][round / 3 % 3];
        let run = Run::new(end_ms, per_second, |_, _| Fate::Answered(dice.below(backends), 1));
        alarms += run.detect(true, &[]).len();
    }
    // Promised is one in a thousand for each backend: 6 for these 6000.
    assert!(alarms <= 6, "{alarms} false alarms");
}

#[test]
fn who_dies_at_random_times_under_a_random_balancer_is_found() {
    let mut dice = Dice(5);
    let mut missed = 0;
    for round in 0..300 {
        let backends = 2 + round % 3;
        let died_ms = 2000.0 + dice.next() * 1500.0;
        let run = Run::new(6000, 1000, |at, _| {
            let backend = dice.below(backends);
            Fate::Answered(if backend == 1 && at >= died_ms { 0 } else { backend }, 1)
        });
        let failovers = run.detect(true, &[]);
        let found = failovers.iter().find(|failover| failover.backend == "b2");
        missed += usize::from(found.is_none_or(|found| (found.at_ms - died_ms).abs() > 50.0));
        assert!(failovers.len() <= 1, "{failovers:?}");
    }
    assert_eq!(missed, 0);
}

#[test]
fn a_service_without_names_can_fail_as_a_whole() {
    let nameless = NAMES.len();
    let run = Run::new(10_000, 1000, |at, _| match at {
        4000.0..4500.0 => Fate::Failed,
        _ => Fate::Answered(nameless, 1),
    });
    let failovers = run.detect(true, &[]);
    assert_eq!(names(&failovers), [ALL]);
    assert_eq!((failovers[0].errors, failovers[0].gap_ms), (500, 499.0));
    assert_eq!(failovers[0].back_after_ms, Some(501.0));
    assert_eq!(failovers[0].to_string(), "failover (all): gap 499 ms, 500 errors, even again after 0.5 s");
}

#[test]
fn a_closed_loop_is_sent_nothing_while_the_service_hangs() {
    // Four connections hang for two seconds, and time out.
    let run = Run::new(10_000, 1000, |at, n| match at {
        4000.0..4004.0 => Fate::Failed,
        4000.0..6000.0 => Fate::Skipped,
        _ => Fate::Answered(n % 2, 1),
    });
    let failovers = run.detect(false, &[]);
    assert_eq!(names(&failovers), [ALL]);
    assert_eq!((failovers[0].errors, failovers[0].back_after_ms), (4, Some(2001.0)));
    assert_eq!(failovers[0].gap_ms, 2000.0, "from the first that failed to the first success after");
    // A pause after which everything is answered is no failure.
    let run = Run::new(10_000, 1000, |at, n| match at {
        4000.0..4004.0 => Fate::Answered(n % 2, 2000),
        4000.0..6000.0 => Fate::Skipped,
        _ => Fate::Answered(n % 2, 1),
    });
    assert_eq!(run.detect(false, &[]), []);
    // To the end of the run.
    let run = Run::new(10_000, 1000, |at, n| match at {
        ..4000.0 => Fate::Answered(n % 2, 1),
        ..4004.0 => Fate::Failed,
        _ => Fate::Skipped,
    });
    let failovers = run.detect(false, &[]);
    assert_eq!(names(&failovers), [ALL]);
    assert_eq!((failovers[0].gap_ms, failovers[0].back_after_ms), (6000.0, None));
}

#[test]
fn a_closed_loop_measures_a_gap_by_when_requests_were_over() {
    // All eight connections come to hang at one of two backends within 8 ms, for 1.5 s.
    let hang = |fate: fn(f64) -> Fate| {
        let run = Run::new(10_000, 1000, move |at, n| match at {
            ..3000.0 => Fate::Answered(n % 2, 1),
            ..3008.0 => fate(at),
            ..4500.0 => Fate::Skipped,
            _ => Fate::Answered(0, 1),
        });
        run.detect(false, &[]).into_iter().find(|failover| failover.backend == "b2").expect("b2 died")
    };
    // Answered by the other in the end: the last, planned at 3007 ms, came after 1500 ms.
    let slow = hang(|_| Fate::Answered(0, 1500));
    assert_eq!((slow.gap_ms, slow.errors), (1507.0, 0));
    // Given up by the client.
    let failed = hang(|_| Fate::TimedOut(1500));
    assert_eq!((failed.gap_ms, failed.errors), (1507.0, 8));
    // A schedule asks on, so that planned times are enough.
    let run = Run::new(10_000, 1000, |at, n| match at {
        ..3000.0 => Fate::Answered(n % 2, 1),
        ..3500.0 => Fate::TimedOut(2000),
        _ => Fate::Answered(0, 1),
    });
    assert_eq!(run.detect(true, &[])[0].gap_ms, 499.0);
}

#[test]
fn what_hangs_until_the_run_is_cut_off_is_hurt() {
    for is_paced in [false, true] {
        let run = Run::new(8000, 1000, |at, n| match at {
            ..2000.0 => Fate::Answered(n % 2, 1),
            ..2004.0 => Fate::Hung,
            _ if is_paced => Fate::Unsent,
            _ => Fate::Skipped,
        });
        let failovers = run.detect(is_paced, &[]);
        let whole = failovers.iter().find(|failover| failover.backend == ALL).expect("the service died");
        assert_eq!((whole.errors, whole.back_after_ms), (4, None), "{failovers:?}");
        // Without a schedule, until the run was told to end.
        assert_eq!(whole.gap_ms, if is_paced { 5999.0 } else { 6000.0 });
    }
}

#[test]
fn what_could_not_be_sent_is_hurt() {
    // All connections hang for a second and are answered; what is due meanwhile cannot be sent.
    let nameless = NAMES.len();
    let run = Run::new(10_000, 1000, |at, _| match at {
        4000.0..4010.0 => Fate::Answered(nameless, 1000),
        4010.0..5000.0 => Fate::Unsent,
        _ => Fate::Answered(nameless, 1),
    });
    let failovers = run.detect(true, &[]);
    assert_eq!(names(&failovers), [ALL]);
    assert_eq!((failovers[0].gap_ms, failovers[0].errors), (999.0, 0));
    // Where a fifth is never sent, one more fifth is nothing new.
    let run = Run::new(10_000, 1000, |at, n| match n {
        _ if n % 5 == 0 => Fate::Unsent,
        _ if n % 2 == 1 && at >= 5000.0 => Fate::Answered(0, 1),
        _ => Fate::Answered(n % 2, 1),
    });
    let failovers = run.detect(true, &[]);
    assert_eq!((failovers.len(), failovers[0].gap_ms), (1, 0.0), "{failovers:?}");
}

#[test]
fn a_death_at_the_very_start_is_judged_by_what_comes_after() {
    // A quarter fails all the time, at random; b2 is dead from 100 ms to 2 s, which costs nothing, or for good.
    for back_ms in [2000.0, 60_000.0] {
        let mut dice = Dice(17);
        let run = Run::new(10_000, 1000, |at, n| match n % 2 {
            _ if dice.next() < 0.25 => Fate::Failed,
            1 if (100.0..back_ms).contains(&at) => Fate::Answered(0, 1),
            backend => Fate::Answered(backend, 1),
        });
        let failovers = run.detect(true, &[]);
        assert_eq!(names(&failovers), ["b2"]);
        assert!(failovers[0].gap_ms < 150.0, "{failovers:?}");
    }
    // A service that dies for good in its second slot has no usual failures at all.
    let run = Run::new(5000, 1000, |at, n| if at < 130.0 { Fate::Answered(n % 2, 1) } else { Fate::Failed });
    let failovers = run.detect(true, &[]);
    let whole = failovers.iter().find(|failover| failover.backend == ALL).expect("the service died");
    assert_eq!(whole.gap_ms, 4869.0);
}

#[test]
fn all_backends_at_once_are_each_named_and_the_service_too() {
    let run = Run::new(10_000, 1000, |at, n| match at {
        4000.0..5000.0 if n % 3 == 0 => Fate::Unsent,
        4000.0..5000.0 => Fate::Failed,
        _ => Fate::Answered(n % 2, 1),
    });
    let failovers = run.detect(true, &[]);
    assert_eq!(names(&failovers), ["b1", "b2", ALL]);
    // One backend is the service: once is enough.
    let run = Run::new(10_000, 1000, |at, _| match at {
        4000.0..5000.0 => Fate::Failed,
        _ => Fate::Answered(0, 1),
    });
    assert_eq!(names(&run.detect(true, &[])), ["b1"]);
}

#[test]
fn errors_that_were_there_before_are_not_the_failures() {
    let mut dice = Dice(3);
    let run = Run::new(10_000, 1000, |at, n| match n % 3 {
        _ if dice.next() < 0.02 => Fate::Failed,
        1 if at >= 5000.0 => Fate::Answered(n / 3 % 2 * 2, 1),
        backend => Fate::Answered(backend, 1),
    });
    let failovers = run.detect(true, &[]);
    assert_eq!(names(&failovers), ["b2"]);
    // A fiftieth of 5000 requests failed after the death; no more than a slot or two stick out by chance.
    assert!(failovers[0].errors < 25, "{failovers:?}");
}

#[test]
fn even_is_what_the_weights_say() {
    // Three to one to one; the first dies, and what is left is 3:1 or 1:1.
    let run = |left: [usize; 4]| {
        Run::new(10_000, 1000, move |at, n| match at {
            ..4000.0 => Fate::Answered([0, 1, 0, 2, 0][n % 5], 1),
            _ => Fate::Answered(left[n % 4], 1),
        })
    };
    let weights: Vec<_> =
        [("b1", 3.0), ("b2", 1.0), ("b3", 1.0)].map(|(name, w)| (name.to_owned(), w)).to_vec();
    for weights in [&weights[..], &[]] {
        let even = run([1, 2, 1, 2]).detect(true, weights);
        assert_eq!(names(&even), ["b1"]);
        assert_near(even[0].even_after_ms, 0.0, "even");
        let uneven = run([1, 1, 1, 2]).detect(true, weights);
        assert_eq!(uneven[0].even_after_ms, None, "{uneven:?}");
        assert!(uneven[0].to_string().ends_with("not even again"));
    }
}
