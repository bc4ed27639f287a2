//! Prometheus' text format, version 0.0.4, written straight from our cells.
//!
//! The `prometheus` crate was considered. It would bring a registry, metric types with a look-up by label (a lock and
//! a hash per use, unless every handle is kept, as [`cells`](super::cells) does), and protobuf; and it would have to
//! be fed from our sharded cells through collectors that build its message types first. The part of the format that
//! is needed is below, in fewer lines than those collectors.
//!
//! A family is written in one go, because it borrows the whole exposition: its samples cannot be scattered, which the
//! format forbids. Metric and label names are the program's own and are written verbatim; label values come from
//! configurations and are escaped.
//!
//! Reference: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

use std::fmt::{self, Display, Write};

use super::histogram::HistogramTotals;

/// The `Content-Type` of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of the buckets of duration histograms, in microseconds: 1 ms to 10 s, the ladder that Prometheus' own
/// client libraries use, with 1 ms and 2.5 ms added below because a proxy's own share is that small. Names and bounds
/// are frozen: each costs a line per histogram and server, and percentiles come from the finer buckets of
/// [`histogram`](super::histogram).
pub const DURATION_BOUNDS_US: [u64; 13] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000,
];

/// Label names and values of one sample.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

/// The exposition's text while it is written.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

impl Exposition {
    /// An empty text.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a family of counts that only grow. `name` ends in `_total`, `help` is one sentence.
    pub fn counter<'a>(&'a mut self, name: &'static str, help: &'static str) -> Family<'a> {
        Family { text: &mut self.text, name, help, kind: "counter", described: false }
    }

    /// Begins a family of values that go up and down.
    pub fn gauge<'a>(&'a mut self, name: &'static str, help: &'static str) -> Family<'a> {
        Family { text: &mut self.text, name, help, kind: "gauge", described: false }
    }

    /// Begins a family of duration histograms. `name` ends in `_seconds`.
    pub fn histogram<'a>(&'a mut self, name: &'static str, help: &'static str) -> HistogramFamily<'a> {
        HistogramFamily {
            family: Family { text: &mut self.text, name, help, kind: "histogram", described: false },
        }
    }

    /// The complete text.
    pub fn finish(self) -> String {
        self.text
    }
}

/// All samples of one counter or gauge. Without a sample nothing is written.
#[derive(Debug)]
pub struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
    help: &'static str,
    kind: &'static str,
    described: bool,
}

impl Family<'_> {
    /// Adds a whole number.
    pub fn sample(&mut self, labels: Labels<'_>, value: u64) -> &mut Self {
        self.line("", labels, None, value);
        self
    }

    /// Adds a number that may have a fraction.
    pub fn sample_f64(&mut self, labels: Labels<'_>, value: f64) -> &mut Self {
        self.line("", labels, None, Float(value));
        self
    }

    fn describe(&mut self) {
        if self.described {
            return;
        }
        self.described = true;
        self.text.push_str("# HELP ");
        self.text.push_str(self.name);
        self.text.push(' ');
        push_escaped(self.text, self.help, false);
        // Writing to a string does not fail, here and below.
        let _ = write!(self.text, "\n# TYPE {} {}\n", self.name, self.kind);
    }

    fn line(&mut self, suffix: &str, labels: Labels<'_>, bound: Option<&str>, value: impl Display) {
        self.describe();
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        let mut opening = '{';
        for (name, label_value) in labels.iter().copied().chain(bound.map(|bound| ("le", bound))) {
            self.text.push(opening);
            self.text.push_str(name);
            self.text.push_str("=\"");
            push_escaped(self.text, label_value, true);
            self.text.push('"');
            opening = ',';
        }
        if opening == ',' {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}

/// All histograms of one name.
#[derive(Debug)]
pub struct HistogramFamily<'a> {
    family: Family<'a>,
}

impl HistogramFamily<'_> {
    /// Adds a histogram, in seconds and cumulative, as the format requires.
    pub fn sample(&mut self, labels: Labels<'_>, totals: &HistogramTotals) -> &mut Self {
        for (count, bound_us) in totals.cumulative(DURATION_BOUNDS_US).into_iter().zip(DURATION_BOUNDS_US) {
            let bound = Float(seconds(bound_us)).to_string();
            self.family.line("_bucket", labels, Some(&bound), count);
        }
        let count = totals.count();
        self.family.line("_bucket", labels, Some("+Inf"), count);
        self.family.line("_sum", labels, None, Float(seconds(totals.sum_us())));
        self.family.line("_count", labels, None, count);
        self
    }
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

/// A number in the format's spelling.
struct Float(f64);

impl Display for Float {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            value if value.is_nan() => f.write_str("NaN"),
            f64::INFINITY => f.write_str("+Inf"),
            f64::NEG_INFINITY => f.write_str("-Inf"),
            value => write!(f, "{value}"),
        }
    }
}

/// Escapes backslash and newline everywhere, a quotation mark only in quoted text.
fn push_escaped(text: &mut String, value: &str, quoted: bool) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '"' if quoted => text.push_str("\\\""),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests;
