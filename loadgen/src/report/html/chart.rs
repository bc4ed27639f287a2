//! What all charts share: the room they have, grid, axes, and gaps.
//!
//! Every chart is drawn twice, wide and narrow, and the style sheet shows the one that fits: letters keep their size on
//! a phone without a script that draws.

use crate::report::svg::markup::{At, Attributes, Markup};
use crate::report::svg::scale::Scale;
use crate::report::svg::ticks;
use crate::summary::Summary;

/// The room of one chart, in units of its view box.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    /// Which of the two it is.
    pub(super) is_wide: bool,
}

/// For screens and paper.
pub(super) const WIDE: Room =
    Room { width: 920.0, height: 250.0, left: 56.0, right: 12.0, top: 26.0, bottom: 28.0, is_wide: true };
/// For phones.
pub(super) const NARROW: Room =
    Room { width: 350.0, height: 220.0, left: 46.0, right: 8.0, top: 26.0, bottom: 28.0, is_wide: false };

/// About how wide a character of the small print is.
pub(super) const CHARACTER_WIDTH: f64 = 6.2;

impl Room {
    /// The same with as much more above the drawing.
    pub(super) fn with_more_above(self, more: f64) -> Self {
        Self { height: self.height + more, top: self.top + more, ..self }
    }

    /// How wide it is, from edge to edge.
    pub(super) fn width(&self) -> f64 {
        self.width
    }

    /// Where the drawing begins on the left.
    pub(super) fn left(&self) -> f64 {
        self.left
    }

    /// Where it ends on the right.
    pub(super) fn right(&self) -> f64 {
        self.width - self.right
    }

    /// Where it begins at the top.
    pub(super) fn top(&self) -> f64 {
        self.top
    }

    /// Where it ends at the bottom: the horizontal axis.
    pub(super) fn bottom(&self) -> f64 {
        self.height - self.bottom
    }

    /// Time from the start to `end_ms`, from left to right.
    pub(super) fn time(&self, end_ms: f64) -> Scale {
        Scale::linear(0.0, end_ms, self.left(), self.right())
    }

    /// Values from zero to `high`, from the bottom upwards.
    pub(super) fn upwards(&self, high: f64) -> Scale {
        Scale::linear(0.0, high, self.bottom(), self.top())
    }

    /// About how many labels stand side by side.
    pub(super) fn labels_across(&self) -> usize {
        if self.is_wide { 10 } else { 4 }
    }

    /// The element that holds a chart. `kind` is its class; `label` says what it shows to those who do not see it.
    pub(super) fn draw(
        &self,
        out: &mut Markup,
        kind: &str,
        label: &str,
        extra: Attributes,
        inside: impl FnOnce(&mut Markup),
    ) {
        let class = format!("chart {} {kind}", if self.is_wide { "wide" } else { "narrow" });
        let view = format!("0 0 {} {}", self.width, self.height);
        let own: Attributes =
            &[("class", &class), ("viewBox", &view), ("role", &"img"), ("aria-label", &label)];
        out.element("svg", &[own, extra].concat(), inside);
    }

    /// Horizontal lines with labels.
    pub(super) fn grid(&self, out: &mut Markup, scale: Scale, ticks: &[f64], label: impl Fn(f64) -> String) {
        out.element("g", &[("class", &"grid")], |grid| {
            for tick in ticks {
                let y = scale.at(*tick);
                let class = if (y - self.bottom()).abs() < 0.05 { "axis" } else { "line" };
                let (x1, x2) = (At(self.left()), At(self.right()));
                let y_at = At(y);
                grid.empty(
                    "line",
                    &[("class", &class), ("x1", &x1), ("x2", &x2), ("y1", &y_at), ("y2", &y_at)],
                );
                let x = At(self.left() - 8.0);
                grid.text_element("text", &[("class", &"end"), ("x", &x), ("y", &At(y + 4.0))], label(*tick));
            }
        });
    }

    /// Labels below the horizontal axis.
    pub(super) fn below(&self, out: &mut Markup, scale: Scale, ticks: &[f64], label: impl Fn(f64) -> String) {
        out.element("g", &[("class", &"grid")], |axis| {
            for tick in ticks {
                let x = scale.at(*tick);
                let (top, bottom) = (At(self.bottom()), At(self.bottom() + 4.0));
                axis.empty(
                    "line",
                    &[("class", &"axis"), ("x1", &At(x)), ("x2", &At(x)), ("y1", &top), ("y2", &bottom)],
                );
                let text = label(*tick);
                // Labels at the edges lean inwards rather than being cut off.
                let half = text.chars().count() as f64 * CHARACTER_WIDTH / 2.0;
                let class = if x + half > self.width {
                    "end"
                } else if x - half < 0.0 {
                    "start"
                } else {
                    "middle"
                };
                let y = At(self.bottom() + 18.0);
                axis.text_element("text", &[("class", &class), ("x", &At(x)), ("y", &y)], text);
            }
        });
    }

    /// The axis of time.
    pub(super) fn time_axis(&self, out: &mut Markup, end_ms: f64) {
        let ticks = ticks::time_ms(end_ms, self.labels_across());
        self.below(out, self.time(end_ms), &ticks, |at_ms| ticks::time_label(at_ms, end_ms));
    }

    /// Gaps shaded, below what is drawn.
    pub(super) fn gaps(&self, out: &mut Markup, summary: &Summary, end_ms: f64) {
        let time = self.time(end_ms);
        for failover in summary.failovers.iter().filter(|failover| failover.gap_ms > 0.0) {
            let begin = time.at(failover.at_ms);
            // Even the shortest gap is seen.
            let width = (time.at(failover.at_ms + failover.gap_ms) - begin).max(2.0);
            let height = At(self.bottom() - self.top());
            out.element(
                "rect",
                &[
                    ("class", &"gap"),
                    ("x", &At(begin)),
                    ("y", &At(self.top())),
                    ("width", &At(width)),
                    ("height", &height),
                ],
                |gap| gap.text_element("title", &[], failover),
            );
        }
    }
}
