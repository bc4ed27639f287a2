//! When each request of an open loop is due. Pure.
//!
//! The rate is given as points over time, joined by straight lines, so the number of requests due by a time
//! is the area under that line: piecewise quadratic, never falling. Request `i` is due when the area
//! reaches `i`, the first at the moment when the rate leaves zero; a stretch without a rate is skipped.
//! Nothing is random: two runs of one schedule ask the same of their targets, and the question "how many
//! were due by now" has one answer.
//!
//! Areas are kept as whole numbers, so that a request in the tenth hour is due as exactly as the first; only
//! the root within one ramp is taken in floating point, which is right to the nanosecond for ramps of hours.
//!
//! Every thread of several takes every so-manieth request ([`Schedule::due_ns`] answers for any index), so
//! they share nothing, and all of them together follow the line.

use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// Requests per second, in millionths: exact, and fine enough for one request in eleven days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(u64);

/// A point of the line that the rate follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Since the start of the run.
    pub at: Duration,
    /// The rate at that time.
    pub rate: Rate,
}

/// An open loop's requests, from the first to the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    points: Vec<Point>,
    segments: Vec<Segment>,
    total: u64,
}

/// A straight piece of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    start_ns: u64,
    length_ns: u64,
    start_rate: Rate,
    end_rate: Rate,
    /// The area before it.
    before: u128,
}

/// What is wrong with a rate or with the points of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScheduleError {
    /// Not a number, below zero, or too high.
    #[error("'{0}' is no rate; expected requests per second up to 10m, such as 1000, 20k or 0.5")]
    Rate(String),
    /// A rate that never sends anything.
    #[error("the rate is never above zero; nothing would be sent")]
    Silent,
    /// Fewer than two points.
    #[error("expected at least two points, a first one at 0 and one where the run ends")]
    TooFew,
    /// The first point is not at the start.
    #[error("the first point has to be at 0, where the run starts")]
    LateStart,
    /// A point lies before the one in front of it, or all of them are at 0.
    #[error("the times have to rise; only a jump in the rate may use the same time twice")]
    Backwards,
    /// The run would not end within a year.
    #[error("the run would take longer than a year")]
    Endless,
}

/// One request, as an area: a rate counts millionths, a time nanoseconds, and areas are kept twice as large
/// so that half of a sum of two rates stays whole.
const REQUEST: u128 = 2 * 1_000_000 * 1_000_000_000;

/// More than any machine sends; below it, no product of rates and times overflows.
const RATE_LIMIT: u64 = 10_000_000;

/// Above any test, and far below where times overflow.
const LENGTH_LIMIT: Duration = Duration::from_secs(366 * 24 * 3600);

impl Rate {
    /// In requests per second.
    pub fn per_second(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl FromStr for Rate {
    type Err = ScheduleError;

    /// Reads requests per second; `k` stands for thousands and `m` for millions.
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let (number, unit) = match text.as_bytes().last() {
            Some(b'k' | b'K') => (&text[..text.len() - 1], 1e3),
            Some(b'm' | b'M') => (&text[..text.len() - 1], 1e6),
            _ => (text, 1.0),
        };
        // The standard library also reads `inf`, `1e3` and a sign, which nobody means here.
        let is_plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let rate = number.parse::<f64>().ok().filter(|_| is_plain).map(|number| number * unit);
        rate.filter(|rate| *rate <= RATE_LIMIT as f64)
            .map(|rate| Self((rate * 1e6).round() as u64))
            .ok_or_else(|| ScheduleError::Rate(text.to_owned()))
    }
}

impl Schedule {
    /// The rate follows these points; the last one's time is the run's length.
    ///
    /// # Errors
    /// When the points are too few, do not start at zero, go back in time, end after more than a year, or
    /// hold no request.
    pub fn through(points: Vec<Point>) -> Result<Self, ScheduleError> {
        let (Some(first), Some(last), true) = (points.first(), points.last(), points.len() > 1) else {
            return Err(ScheduleError::TooFew);
        };
        if !first.at.is_zero() {
            return Err(ScheduleError::LateStart);
        }
        if last.at.is_zero() || points.windows(2).any(|pair| pair[1].at < pair[0].at) {
            return Err(ScheduleError::Backwards);
        }
        if last.at > LENGTH_LIMIT {
            return Err(ScheduleError::Endless);
        }
        let mut before = 0;
        let mut segments = Vec::with_capacity(points.len() - 1);
        for pair in points.windows(2) {
            let (start, end) = (pair[0], pair[1]);
            let segment = Segment {
                // A year fits.
                start_ns: start.at.as_nanos() as u64,
                length_ns: (end.at - start.at).as_nanos() as u64,
                start_rate: start.rate,
                end_rate: end.rate,
                before,
            };
            before += segment.area();
            if segment.length_ns > 0 {
                segments.push(segment);
            }
        }
        // One at 0, 1, 2 … as long as the area is above that: three for an area of 2.5, two for one of 2.
        let total = u64::try_from(before.div_ceil(REQUEST)).map_err(|_| ScheduleError::Endless)?;
        if total == 0 {
            return Err(ScheduleError::Silent);
        }
        Ok(Self { points, segments, total })
    }

    /// One rate for a time.
    ///
    /// # Errors
    /// When the rate is zero or the time longer than a year.
    pub fn constant(rate: Rate, length: Duration) -> Result<Self, ScheduleError> {
        Self::through(vec![Point { at: Duration::ZERO, rate }, Point { at: length, rate }])
    }

    /// One rate for a number of requests.
    ///
    /// # Errors
    /// When the rate is zero, or too low to send the number within a year.
    pub fn count(rate: Rate, number: NonZeroU64) -> Result<Self, ScheduleError> {
        if rate.0 == 0 {
            return Err(ScheduleError::Silent);
        }
        let length_ns = (u128::from(number.get()) * REQUEST).div_ceil(2 * u128::from(rate.0));
        let length_ns = u64::try_from(length_ns).map_err(|_| ScheduleError::Endless)?;
        let mut schedule = Self::constant(rate, Duration::from_nanos(length_ns))?;
        // The length was rounded up, which may let in one more.
        schedule.total = number.get();
        Ok(schedule)
    }

    /// The points that the rate follows.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// How long the run takes.
    pub fn length(&self) -> Duration {
        self.points.last().map_or(Duration::ZERO, |point| point.at)
    }

    /// How many requests there are.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// When a request is due, in nanoseconds since the start of the run; `None` when there is no such request.
    /// Indices count from zero, and a later request is never due earlier. Runs once per request.
    pub fn due_ns(&self, index: u64) -> Option<u64> {
        if index >= self.total {
            return None;
        }
        let area = u128::from(index) * REQUEST;
        // The last one that starts at or below the area, which leaves out stretches without a rate.
        let next = self.segments.partition_point(|segment| segment.before <= area);
        let segment = self.segments.get(next.checked_sub(1)?)?;
        Some(segment.start_ns + segment.reaches_ns(area - segment.before))
    }
}

impl Segment {
    fn area(&self) -> u128 {
        (u128::from(self.start_rate.0) + u128::from(self.end_rate.0)) * u128::from(self.length_ns)
    }

    /// How long after the segment's start the area below it reaches a value, rounded down.
    fn reaches_ns(&self, area: u128) -> u64 {
        let (start, end) = (self.start_rate.0, self.end_rate.0);
        let gain_per_ns = end.abs_diff(start) as f64 / self.length_ns as f64;
        let reached_ns = match start.cmp(&end) {
            std::cmp::Ordering::Equal => (area / (2 * u128::from(start).max(1))) as u64,
            std::cmp::Ordering::Less => rise_ns(area, start, gain_per_ns) as u64,
            // A falling ramp is a rising one seen from its end. Solved from its start, the last requests
            // before a rate of zero would be differences of two large numbers.
            std::cmp::Ordering::Greater => {
                let rest_ns = rise_ns(self.area().saturating_sub(area), end, gain_per_ns).ceil();
                self.length_ns.saturating_sub(rest_ns as u64)
            }
        };
        reached_ns.min(self.length_ns)
    }
}

/// The time `t` at which `2·rate·t + gain·t²`, the doubled area below a rising line, reaches `area`. This form
/// of the quadratic's root stays exact when the gain is next to nothing.
fn rise_ns(area: u128, rate: u64, gain_per_ns: f64) -> f64 {
    if area == 0 {
        return 0.0;
    }
    let (area, rate) = (area as f64, rate as f64);
    area / (rate + (rate * rate + gain_per_ns * area).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    fn rate(text: &str) -> Rate {
        text.parse().unwrap()
    }

    /// Points such as `0:1k 30:20k`, times in seconds.
    fn through(points: &str) -> Result<Schedule, ScheduleError> {
        Schedule::through(
            points
                .split_whitespace()
                .map(|point| {
                    let (at_s, rate) = point.split_once(':').unwrap();
                    Point { at: Duration::from_secs_f64(at_s.parse().unwrap()), rate: rate.parse().unwrap() }
                })
                .collect(),
        )
    }

    #[test]
    fn rates_are_read() {
        let table = [
            ("1000", Some(1000.0)),
            ("20k", Some(20_000.0)),
            ("1.5K", Some(1500.0)),
            ("0.5", Some(0.5)),
            ("0", Some(0.0)),
            ("10m", Some(10_000_000.0)),
            ("11m", None),
            ("", None),
            ("k", None),
            ("-1", None),
            ("+1", None),
            ("1e3", None),
            ("inf", None),
            ("nan", None),
            ("1 k", None),
            ("1kk", None),
            ("1ö", None),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse::<Rate>().ok().map(Rate::per_second), expected, "{text:?}");
        }
    }

    #[test]
    fn requests_are_due_where_the_area_says() {
        // Points, the total, and some requests with their times in seconds.
        type Requests = &'static [(u64, f64)];
        let table: &[(&str, u64, Requests)] = &[
            ("0:1k 10:1k", 10_000, &[(0, 0.0), (1, 0.001), (9_999, 9.999)]),
            // Fractions: at 0, 2 and 4 seconds.
            ("0:0.5 5:0.5", 3, &[(0, 0.0), (1, 2.0), (2, 4.0)]),
            ("0:0.3 10:0.3", 3, &[(1, 10.0 / 3.0), (2, 20.0 / 3.0)]),
            // Up from zero: the area is 5·t².
            ("0:0 10:100", 500, &[(0, 0.0), (5, 1.0), (20, 2.0), (499, 9.989_994_995)]),
            // Down to zero: the same from the other end.
            ("0:100 10:0", 500, &[(0, 0.0), (375, 5.0), (495, 9.0), (499, 9.552_786_405)]),
            ("0:10 10:30", 200, &[(75, 5.0)]),
            // Steps.
            ("0:10 1:10 1:20 2:20", 30, &[(9, 0.9), (10, 1.0), (11, 1.05), (29, 1.95)]),
            // Without a rate for a while, at the start, in between and at the end.
            ("0:0 5:0 5:10 6:10", 10, &[(0, 5.0), (1, 5.1)]),
            ("0:10 1:10 1:0 3:0 3:10 4:10 4:0 9:0", 20, &[(9, 0.9), (10, 3.0), (19, 3.9)]),
            ("0:0 1:0 2:2 3:0 4:0", 2, &[(0, 1.0), (1, 2.0)]),
        ];
        for (points, total, requests) in table {
            let schedule = through(points).unwrap();
            assert_eq!(schedule.total(), *total, "{points}");
            assert_eq!(schedule.due_ns(*total), None, "{points}");
            for (index, at_s) in *requests {
                let due_s = schedule.due_ns(*index).unwrap() as f64 / 1e9;
                assert!((due_s - at_s).abs() <= 2e-9, "{points}: request {index} at {due_s}, not {at_s}");
            }
        }
    }

    #[test]
    fn a_number_ends_a_constant_rate() {
        let count = |text: &str, number| Schedule::count(rate(text), NonZeroU64::new(number).unwrap());
        for (text, number, last_ns) in
            [("1k", 1000, 999_000_000), ("3", 10, 3 * SECOND_NS), ("0.5", 1, 0), ("7", 2, 142_857_142)]
        {
            let schedule = count(text, number).unwrap();
            assert_eq!(schedule.total(), number, "{text}");
            assert_eq!(schedule.due_ns(number - 1), Some(last_ns), "{text}");
            assert_eq!(schedule.due_ns(number), None, "{text}");
        }
        assert_eq!(count("0", 5), Err(ScheduleError::Silent));
        assert_eq!(count("0.000001", 1000), Err(ScheduleError::Endless));
        assert_eq!(count("1", u64::MAX), Err(ScheduleError::Endless));
    }

    #[test]
    fn hours_later_a_request_is_as_exact_as_the_first() {
        let constant = through("0:100k 86400:100k").unwrap();
        assert_eq!(constant.total(), 8_640_000_000);
        assert_eq!(constant.due_ns(8_639_999_999), Some(86_400 * SECOND_NS - 10_000));
        // Ramps of four hours; the middle of the area is at √½ of a rise from zero.
        let (up, down) = (through("0:0 14400:100k").unwrap(), through("0:100k 14400:0").unwrap());
        let middle_ns = (14_400e9 * 0.5_f64.sqrt()) as u64;
        assert!(up.due_ns(360_000_000).unwrap().abs_diff(middle_ns) <= 1);
        assert!(down.due_ns(360_000_000).unwrap().abs_diff(14_400 * SECOND_NS - middle_ns) <= 1);
        // The last before a rate of zero: the rest of the area, one request, takes √(2/gain) seconds.
        let rest_ns = ((2.0_f64 * 14_400.0 / 100e3).sqrt() * 1e9) as u64;
        assert!(down.due_ns(719_999_999).unwrap().abs_diff(14_400 * SECOND_NS - rest_ns) <= 2);
    }

    #[test]
    fn points_that_make_no_schedule_are_refused() {
        let table = [
            ("", ScheduleError::TooFew),
            ("0:5", ScheduleError::TooFew),
            ("1:5 2:5", ScheduleError::LateStart),
            ("0:5 2:5 1:5", ScheduleError::Backwards),
            ("0:5 0:6", ScheduleError::Backwards),
            ("0:0 10:0", ScheduleError::Silent),
            ("0:1 40000000:1", ScheduleError::Endless),
        ];
        for (points, expected) in table {
            assert_eq!(through(points), Err(expected), "{points}");
        }
    }

    /// The area below the line up to a time, in requests, by adding up trapezoids.
    fn area(points: &[Point], at_s: f64) -> f64 {
        let mut area = 0.0;
        for pair in points.windows(2) {
            let (start_s, end_s) = (pair[0].at.as_secs_f64(), pair[1].at.as_secs_f64());
            let (start, end) = (pair[0].rate.per_second(), pair[1].rate.per_second());
            let part_s = (at_s - start_s).min(end_s - start_s);
            if part_s > 0.0 {
                let reached = start + (end - start) * part_s / (end_s - start_s);
                area += (start + reached) / 2.0 * part_s;
            }
        }
        area
    }

    #[test]
    fn random_schedules_follow_their_line() {
        let mut seed = 3_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for round in 0..300 {
            let mut at = Duration::ZERO;
            let points: Vec<_> = (0..2 + random(5))
                .map(|index| {
                    if index > 0 {
                        at += Duration::from_millis(random(4) * random(1500));
                    }
                    Point { at, rate: Rate(random(3) * random(900_000_000)) }
                })
                .collect();
            let Ok(schedule) = Schedule::through(points.clone()) else { continue };
            let whole = area(&points, at.as_secs_f64());
            let off = schedule.total() as f64 - whole;
            assert!((-1e-6..1.0).contains(&off), "round {round}: {} of {whole}", schedule.total());

            let mut before_ns = 0;
            for index in 0..schedule.total() {
                let due_ns = schedule.due_ns(index).unwrap();
                assert!(due_ns >= before_ns, "round {round}: request {index} goes back in time: {points:?}");
                before_ns = due_ns;
                // Rounded down to the nanosecond, so the area is just below the index.
                let reached = area(&points, due_ns as f64 / 1e9);
                assert!((reached - index as f64).abs() < 1e-4, "round {round}: {index} at {reached}");
            }
            assert!(Duration::from_nanos(before_ns) <= at);
        }
    }

    #[test]
    fn threads_together_take_every_request_once() {
        let schedule = through("0:100 1:300 2:0").unwrap();
        let mut shared: Vec<_> = (0..3_u64)
            .flat_map(|thread| (thread..).step_by(3).map_while(|index| schedule.due_ns(index)))
            .collect();
        shared.sort_unstable();
        let all: Vec<_> = (0..schedule.total()).filter_map(|index| schedule.due_ns(index)).collect();
        assert_eq!(shared, all);
    }
}
