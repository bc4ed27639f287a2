//! The charts with time from left to right: throughput, latency, shares.

use super::chart::Room;
use super::colours::Colours;
use super::columns::{self, Column};
use super::flags::Flags;
use crate::report::figures;
use crate::report::svg::markup::{At, Markup};
use crate::report::svg::scale::Scale;
use crate::report::svg::shape::{self, Step};
use crate::report::svg::ticks;
use crate::summary::Summary;
use crate::timeline::SlotLatency;

/// More columns than this cannot be told apart on a screen.
const AT_MOST: usize = 300;

/// More points than this cannot either; points are finer than columns.
const POINTS_AT_MOST: usize = 900;

/// Shares of fewer answers than this are noise: with 40 answers of four backends, chance alone moves a share by 7 %.
const ANSWERS_PER_COLUMN: u64 = 40;

/// What all of them are drawn from.
#[derive(Debug)]
pub(super) struct OverTime<'a> {
    /// The run.
    pub(super) summary: &'a Summary,
    /// Its timeline.
    pub(super) columns: &'a [Column],
    /// Names of the backends, in the order of the columns'.
    pub(super) names: &'a [String],
    /// The end of the last column.
    pub(super) end_ms: f64,
}

/// A layer of the chart of throughput: its class, what lies below it and how much it is.
type Layer = (&'static str, fn(&Column) -> [u64; 2]);

/// A line of the chart of latency: its name and its value.
type Percentile = (&'static str, fn(&SlotLatency) -> f64);
/// The wildest first, so that the calm lines lie above.
pub(super) const PERCENTILES: [Percentile; 4] =
    [("max", |l| l.max), ("p99", |l| l.p99), ("p90", |l| l.p90), ("p50", |l| l.p50)];

impl OverTime<'_> {
    fn draw(&self, out: &mut Markup, room: &Room, label: &str, inside: impl FnOnce(&mut Markup)) {
        // For the script that shows values under the pointer.
        let (left, right) = (room.left(), room.right());
        let extra: &[(&'static str, &dyn std::fmt::Display)] =
            &[("data-left", &left), ("data-right", &right), ("data-end", &self.end_ms)];
        room.draw(out, "over-time", label, extra, |chart| {
            self.gaps_and(chart, room, inside);
            self.flags(room).draw(chart, room);
            let (top, bottom) = (At(room.top()), At(room.bottom()));
            chart.empty(
                "line",
                &[("class", &"pointer"), ("x1", &"-9"), ("x2", &"-9"), ("y1", &top), ("y2", &bottom)],
            );
        });
    }

    fn flags(&self, room: &Room) -> Flags {
        Flags::new(self.summary, room, self.end_ms)
    }

    /// The room of a chart with what its flags take.
    fn with_flags(&self, room: &Room) -> Room {
        room.with_more_above(self.flags(room).more_above())
    }

    fn gaps_and(&self, chart: &mut Markup, room: &Room, inside: impl FnOnce(&mut Markup)) {
        room.gaps(chart, self.summary, self.end_ms);
        inside(chart);
        room.time_axis(chart, self.end_ms);
    }

    /// Requests per second: successful, failed and unsent ones on top of each other.
    pub(super) fn throughput(&self, out: &mut Markup, room: &Room) {
        let room = &self.with_flags(room);
        let group = columns::group_for(self.columns, if room.is_wide { AT_MOST } else { AT_MOST / 2 });
        let columns = columns::grouped(self.columns, group);
        let all = |column: &Column| column.per_second(column.successful + column.failed + column.unsent);
        let high = columns.iter().map(all).fold(0.0, f64::max);
        let ticks = ticks::linear(high, 4);
        let scale = room.upwards(ticks.last().copied().unwrap_or(1.0));
        let label = format!("Requests per second over time, at most {}", figures::rate(high));
        self.draw(out, room, &label, |chart| {
            room.grid(chart, scale, &ticks, ticks::label);
            let counts: [Layer; 3] = [
                ("successful", |column| [0, column.successful]),
                ("unsent", |column| [column.successful + column.failed, column.unsent]),
                ("failed", |column| [column.successful, column.failed]),
            ];
            for (class, count) in counts {
                let heights = |column: &Column| {
                    let [below, own] = count(column);
                    (own > 0 || class == "successful")
                        .then(|| (column.per_second(below), column.per_second(below + own)))
                };
                // One failure among thousands is what the chart is looked at for.
                let least = if class == "failed" { 2.5 } else { 0.0 };
                self.area(chart, room, &columns, scale, class, least, heights);
            }
        });
    }

    /// Percentiles of latency.
    pub(super) fn latency(&self, out: &mut Markup, room: &Room) {
        let room = &self.with_flags(room);
        let group = columns::group_for(self.columns, if room.is_wide { POINTS_AT_MOST } else { AT_MOST });
        let columns = columns::grouped(self.columns, group);
        let latencies = || columns.iter().filter_map(|column| column.latency_ms);
        let high = latencies().map(|latency| latency.max).fold(0.0, f64::max);
        // A value of zero is one below the resolution; it has no logarithm.
        let low = latencies().map(|latency| latency.p50).fold(f64::INFINITY, f64::min).max(0.01);
        let is_logarithmic = is_wide_spread(low, high);
        let (ticks, scale) = if is_logarithmic {
            let ticks = ticks::logarithmic(low, high, 8);
            let (first, last) =
                (ticks.first().copied().unwrap_or(1.0), ticks.last().copied().unwrap_or(10.0));
            (ticks, Scale::logarithmic(first, last, room.bottom(), room.top()))
        } else {
            let ticks = ticks::linear(high, 4);
            let last = ticks.last().copied().unwrap_or(1.0);
            (ticks, room.upwards(last))
        };
        let label = format!("Latency over time, at most {}", figures::ms(high));
        self.draw(out, room, &label, |chart| {
            room.grid(chart, scale, &ticks, ticks::latency_label);
            let time = room.time(self.end_ms);
            for (name, value) in PERCENTILES {
                let points = columns.iter().map(|column| {
                    let latency = column.latency_ms.as_ref()?;
                    Some((time.at(column.middle_ms()), scale.at(value(latency))))
                });
                let class = format!("line-{name}");
                chart.empty("path", &[("class", &class), ("d", &shape::line(points))]);
            }
        });
    }

    /// How many slots stand behind one point of the latency chart.
    pub(super) fn slots_per_point(&self) -> usize {
        columns::group_for(self.columns, POINTS_AT_MOST)
    }

    /// The backends' parts of the answers, on top of each other to 100 %.
    pub(super) fn shares(&self, out: &mut Markup, room: &Room, colours: &Colours) {
        let room = &self.with_flags(room);
        let group = self.slots_per_share_column(room);
        let columns = columns::grouped(self.columns, group);
        let scale = room.upwards(1.0);
        self.draw(out, room, "Each backend's part of the answers over time", |chart| {
            let colour_of: Vec<_> = self.names.iter().map(|name| colours.of(name)).collect();
            for colour in colours.all() {
                // Those of the same colour lie in one area.
                let is_one = |index: usize| colour_of.get(index) == Some(&colour);
                let is_below = |index: usize| colour_of.get(index).is_some_and(|other| *other < colour);
                let heights = |column: &Column| {
                    let sum = |chosen: &dyn Fn(usize) -> bool| -> u64 {
                        let counts = column.backends.iter().enumerate();
                        counts.filter(|(index, _)| chosen(*index)).map(|(_, count)| count).sum()
                    };
                    let (all, below, own) = (sum(&|_| true), sum(&is_below), sum(&is_one));
                    let part = |count: u64| count as f64 / all as f64;
                    (own > 0).then(|| (part(below), part(below + own)))
                };
                self.area(chart, room, &columns, scale, &colour.class(), 0.0, heights);
                if colour.is_hatched() {
                    self.area(chart, room, &columns, scale, "hatched", 0.0, heights);
                }
            }
            // Above the areas, which fill everything.
            room.grid(chart, scale, &[0.0, 0.25, 0.5, 0.75, 1.0], |part| format!("{:.0} %", part * 100.0));
        });
    }

    /// How many slots stand behind one column of the chart of shares.
    pub(super) fn slots_per_share_column(&self, room: &Room) -> usize {
        let at_most = if room.is_wide { AT_MOST } else { AT_MOST / 2 };
        columns::group_for_shares(self.columns, at_most, ANSWERS_PER_COLUMN)
    }

    #[expect(clippy::too_many_arguments, reason = "a struct for one call would only name them twice")]
    fn area(
        &self,
        chart: &mut Markup,
        room: &Room,
        columns: &[Column],
        scale: Scale,
        class: &str,
        least_height: f64,
        heights: impl Fn(&Column) -> Option<(f64, f64)>,
    ) {
        let time = room.time(self.end_ms);
        let step = |column: &Column| {
            let (low, high) = heights(column)?;
            let low_y = scale.at(low);
            let high_y = scale.at(high).min(low_y - least_height);
            Some(Step { from_x: time.at(column.start_ms), to_x: time.at(column.end_ms), low_y, high_y })
        };
        let steps: Vec<_> = columns.iter().filter_map(step).collect();
        if !steps.is_empty() {
            let class = format!("area {class}");
            chart.empty("path", &[("class", &class), ("d", &shape::area(&steps))]);
        }
    }
}

/// Whether values are so far apart that the low ones would lie flat on a linear axis.
fn is_wide_spread(low: f64, high: f64) -> bool {
    high > low * 15.0
}
