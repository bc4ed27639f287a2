//! How long before its time a sleeper has to be called, learnt from how late it woke before. Pure.
//!
//! From a timer's end until the task runs, the kernel takes tens of microseconds, more on some machines than on
//! others. Aiming earlier by the usual delay takes it out; whoever wakes too early then waits out the rest
//! awake. The lead follows the lower quartile of the delays, so that three in four wake a little late and
//! the fourth burns a few microseconds. A higher quantile would burn more and gain next to nothing:
//! docs/decisions/005-pacing.md has the figures.

/// The lead, in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Lead {
    ns: u64,
}

/// Small against the delays, and large enough to reach them within a hundred wake-ups.
const STEP_NS: u64 = 250;

/// Steps down for one step up: as many delays are above the lead for each one below it.
const QUARTILE: u64 = 3;

/// A machine that wakes later than this is busy, and waiting awake would make it busier.
const LIMIT_NS: u64 = 100_000;

impl Lead {
    /// How long to sleep when something is due in so many nanoseconds. Where there is no time to wake early,
    /// all of it: what comes too thick for a sleep in between is sent in small groups.
    pub(super) fn sleep_ns(&self, left_ns: u64) -> u64 {
        if left_ns > self.ns { left_ns - self.ns } else { left_ns }
    }

    /// Whether a sleeper that woke so long before its time should stay awake.
    pub(super) fn is_near(&self, left_ns: u64) -> bool {
        left_ns <= self.ns
    }

    /// Learns from a sleep that took so much longer than asked for.
    pub(super) fn learn(&mut self, late_ns: u64) {
        self.ns = if late_ns > self.ns {
            (self.ns + STEP_NS).min(LIMIT_NS)
        } else {
            self.ns.saturating_sub(STEP_NS * QUARTILE)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lead_settles_at_the_lower_quartile() {
        let mut lead = Lead::default();
        // Delays of 20 to 60 µs, spread evenly in an order that jumps about.
        for turn in 0..2000_u64 {
            lead.learn(20_000 + turn * 7919 % 40_000);
        }
        assert!(lead.ns.abs_diff(30_000) < 4000, "{lead:?}");
    }

    #[test]
    fn a_busy_machine_is_not_made_busier() {
        let mut lead = Lead::default();
        for _ in 0..10_000 {
            lead.learn(5_000_000);
        }
        assert_eq!(lead.ns, LIMIT_NS);
        for _ in 0..1000 {
            lead.learn(1000);
        }
        assert!(lead.ns < 2000, "{lead:?}");
    }

    #[test]
    fn there_is_always_a_sleep_before_staying_awake() {
        let lead = Lead { ns: 30_000 };
        for (left_ns, sleep_ns, is_near) in
            [(1_000_000, 970_000, false), (30_001, 1, false), (30_000, 30_000, true), (5, 5, true)]
        {
            assert_eq!((lead.sleep_ns(left_ns), lead.is_near(left_ns)), (sleep_ns, is_near), "{left_ns}");
        }
    }
}
