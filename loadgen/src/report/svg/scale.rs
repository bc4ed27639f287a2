//! From values to coordinates. Pure.

/// A straight or a logarithmic line from one coordinate to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    logarithmic: bool,
}

impl Scale {
    /// `low` comes to lie at `from` and `high` at `to`.
    pub fn linear(low: f64, high: f64, from: f64, to: f64) -> Self {
        Self { low, high, from, to, logarithmic: false }
    }

    /// The same for values above zero, by their logarithms.
    pub fn logarithmic(low: f64, high: f64, from: f64, to: f64) -> Self {
        Self { low: low.log10(), high: high.log10(), from, to, logarithmic: true }
    }

    /// Where a value lies; what is outside lies at the nearer end.
    pub fn at(&self, value: f64) -> f64 {
        let value = if self.logarithmic { value.max(f64::MIN_POSITIVE).log10() } else { value };
        let part = if self.high > self.low { (value - self.low) / (self.high - self.low) } else { 0.0 };
        self.from + (self.to - self.from) * part.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_lie_at_ends_and_nothing_lies_outside() {
        let linear = Scale::linear(0.0, 10.0, 100.0, 0.0);
        assert_eq!(
            [-5.0, 0.0, 5.0, 10.0, 20.0].map(|value| linear.at(value)),
            [100.0, 100.0, 50.0, 0.0, 0.0]
        );
        let logarithmic = Scale::logarithmic(0.1, 10.0, 0.0, 100.0);
        assert_eq!([0.0, 0.1, 1.0, 10.0].map(|value| logarithmic.at(value)), [0.0, 0.0, 50.0, 100.0]);
        assert_eq!(Scale::linear(3.0, 3.0, 7.0, 9.0).at(3.0), 7.0);
    }
}
