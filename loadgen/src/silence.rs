//! The longest time without a successful answer, over all threads, without the threads sharing anything.
//!
//! Every thread notes the silences between its own successes ([`SilenceTracker`], once per answer, no
//! allocation unless a silence reached [`RESOLUTION_NS`]) and hands them over in regular pieces. The run was
//! silent where all threads were at once: [`Silences`] intersects the pieces as they come, so memory stays
//! flat however long the run. The price is the resolution: a run whose answers never stood further apart
//! than that reports zero.
//!
//! Times are nanoseconds since the start of the run.

use std::collections::VecDeque;
use std::mem;

/// Shorter silences are not looked at; a failover takes longer, and noting every pause would cost time.
pub const RESOLUTION_NS: u64 = 1_000_000;

/// As many pieces wait to be handed over, which is a minute's at least. A run hands them over ten times a second; where
/// nobody asks for them, as in `ab`, they must not pile up.
pub const PIECE_LIMIT: usize = 65_536;

/// A time without success in one thread, or a piece of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// When it began.
    pub start_ns: u64,
    /// When it ended; later than the start.
    pub end_ns: u64,
    /// It began with a success, not with the start of the run or where an earlier piece was cut off.
    pub after_success: bool,
    /// It ended with a success, not because it was cut off to be handed over.
    pub before_success: bool,
}

/// One thread's view.
#[derive(Debug, Default)]
pub struct SilenceTracker {
    /// The last success or cut.
    last_ns: u64,
    /// Whether there was a success at `last_ns`.
    after_success: bool,
    pieces: Vec<Piece>,
}

impl SilenceTracker {
    /// Notes a success. Runs once per answer.
    pub fn success(&mut self, now_ns: u64) {
        // What was cut has to be closed, however short the rest is.
        let is_noted = !self.after_success || now_ns.saturating_sub(self.last_ns) >= RESOLUTION_NS;
        if is_noted && now_ns > self.last_ns {
            self.note(now_ns, true);
        }
        self.last_ns = now_ns;
        self.after_success = true;
    }

    /// Hands over everything up to now; a silence that is still going on is cut in two.
    pub fn cut(&mut self, now_ns: u64) -> Vec<Piece> {
        if now_ns > self.last_ns {
            self.note(now_ns, false);
            self.last_ns = now_ns;
            self.after_success = false;
        }
        mem::take(&mut self.pieces)
    }

    fn note(&mut self, end_ns: u64, before_success: bool) {
        let Self { last_ns: start_ns, after_success, .. } = *self;
        if self.pieces.len() == PIECE_LIMIT {
            return;
        }
        self.pieces.push(Piece { start_ns, end_ns, after_success, before_success });
    }
}

/// All threads together.
#[derive(Debug)]
pub struct Silences {
    threads: Vec<Thread>,
    /// The common silence found last; it grows while pieces follow each other without a success.
    current: Option<Piece>,
    longest_ns: u64,
}

#[derive(Debug, Default)]
struct Thread {
    pieces: VecDeque<Piece>,
    /// Up to here everything was handed over.
    through_ns: u64,
}

impl Silences {
    /// For so many threads, of which nothing is known yet.
    pub fn new(threads: usize) -> Self {
        Self { threads: (0..threads).map(|_| Thread::default()).collect(), current: None, longest_ns: 0 }
    }

    /// Takes what a thread handed over at `through_ns`.
    pub fn add(&mut self, thread: usize, through_ns: u64, pieces: Vec<Piece>) {
        if let Some(thread) = self.threads.get_mut(thread) {
            thread.pieces.extend(pieces);
            thread.through_ns = through_ns;
        }
        while self.step() {}
    }

    /// A thread that ended is silent for ever after.
    pub fn finish(&mut self, thread: usize) {
        let Some(Thread { through_ns, .. }) = self.threads.get(thread) else { return };
        let (start_ns, end_ns) = (*through_ns, u64::MAX);
        let rest = Piece { start_ns, end_ns, after_success: false, before_success: false };
        self.add(thread, u64::MAX, vec![rest]);
    }

    /// The longest silence between two successes so far; zero when none reached the resolution.
    pub fn longest_ns(&self) -> u64 {
        self.longest_ns
    }

    /// Deals with the pieces that end first; `false` when more must be known before.
    fn step(&mut self) -> bool {
        let fronts = || self.threads.iter().map(|thread| thread.pieces.front());
        // A thread that has no piece waiting had successes all the time up to where it handed over, so
        // that nothing before that can be a common silence.
        let active_through_ns =
            self.threads.iter().filter(|t| t.pieces.is_empty()).map(|t| t.through_ns).max();
        let Some(end_ns) = fronts().flatten().map(|piece| piece.end_ns).min() else { return false };

        match active_through_ns {
            Some(through_ns) if end_ns > through_ns => return false,
            Some(_) => {}
            None => {
                let start_ns = fronts().flatten().map(|piece| piece.start_ns).max().unwrap_or(end_ns);
                if start_ns < end_ns {
                    let common = Piece {
                        start_ns,
                        end_ns,
                        after_success: fronts().flatten().any(|p| p.start_ns == start_ns && p.after_success),
                        before_success: fronts().flatten().any(|p| p.end_ns == end_ns && p.before_success),
                    };
                    self.join(common);
                }
            }
        }
        for thread in &mut self.threads {
            if thread.pieces.front().is_some_and(|piece| piece.end_ns == end_ns) {
                thread.pieces.pop_front();
            }
        }
        true
    }

    /// Lengthens the current silence, or begins another.
    fn join(&mut self, piece: Piece) {
        let mut whole = piece;
        if let Some(before) = self.current.filter(|before| before.end_ns == piece.start_ns) {
            if piece.after_success {
                // A success at the very moment of a cut: only what follows it knows of it.
                self.close(Piece { before_success: true, ..before });
            } else if !before.before_success {
                whole.start_ns = before.start_ns;
                whole.after_success = before.after_success;
            }
        }
        self.close(whole);
        self.current = Some(whole);
    }

    /// Counts a silence if it is one between two successes.
    fn close(&mut self, Piece { start_ns, end_ns, after_success, before_success }: Piece) {
        let length_ns = end_ns - start_ns;
        if after_success && before_success && length_ns >= RESOLUTION_NS {
            self.longest_ns = self.longest_ns.max(length_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs trackers over the successes of each thread (in ms), handing over every `cut_ms`.
    fn longest_ms(threads: &[&[u64]], cut_ms: u64, end_ms: u64) -> u64 {
        const MS: u64 = 1_000_000;
        let mut silences = Silences::new(threads.len());
        let mut trackers: Vec<_> = threads.iter().map(|_| SilenceTracker::default()).collect();
        let mut successes: Vec<_> = threads.iter().map(|times| times.iter().peekable()).collect();
        let mut now_ms = 0;
        while now_ms < end_ms {
            now_ms = (now_ms + cut_ms).min(end_ms);
            for thread in 0..threads.len() {
                while let Some(time) = successes[thread].next_if(|time| **time <= now_ms) {
                    trackers[thread].success(time * MS);
                }
                silences.add(thread, now_ms * MS, trackers[thread].cut(now_ms * MS));
            }
        }
        for thread in 0..threads.len() {
            silences.finish(thread);
        }
        silences.longest_ns() / MS
    }

    /// The same by sorting everything, as a run must not do.
    fn longest_by_sorting_ms(threads: &[&[u64]]) -> u64 {
        let mut all: Vec<_> = threads.concat();
        all.sort_unstable();
        all.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
    }

    #[test]
    fn the_longest_common_silence_is_found() {
        let table: &[(&[&[u64]], u64)] = &[
            (&[&[10, 20, 50, 60]], 30),
            // Neither the wait for the first success nor the one after the last counts.
            (&[&[500, 510]], 10),
            (&[&[5]], 0),
            (&[&[]], 0),
            // One thread fills the other's gap.
            (&[&[10, 110], &[60]], 50),
            (&[&[10, 110], &[20, 30, 100]], 70),
            // A thread that never succeeds changes nothing.
            (&[&[10, 40], &[]], 30),
            // A success of one thread amid the other's silence splits it, even on a cut.
            (&[&[0, 300], &[100]], 200),
            (&[&[0, 300], &[150]], 150),
            // Across many cuts.
            (&[&[50, 1950], &[60, 1960]], 1890),
            (&[&[10, 20], &[30, 400], &[500]], 370),
        ];
        for (threads, expected) in table {
            for cut_ms in [1, 7, 100, 150, 3000] {
                assert_eq!(longest_ms(threads, cut_ms, 3000), *expected, "{threads:?} cut every {cut_ms} ms");
            }
        }
    }

    #[test]
    fn random_successes_agree_with_sorting() {
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for round in 0..300 {
            let times: Vec<Vec<u64>> = (0..1 + random(4))
                .map(|_| {
                    let mut times: Vec<_> = (0..random(12)).map(|_| 1 + random(900)).collect();
                    times.sort_unstable();
                    times
                })
                .collect();
            let threads: Vec<&[u64]> = times.iter().map(Vec::as_slice).collect();
            let cut_ms = 1 + random(200);
            assert_eq!(
                longest_ms(&threads, cut_ms, 1000),
                longest_by_sorting_ms(&threads),
                "round {round}: {threads:?} cut every {cut_ms} ms"
            );
        }
    }

    #[test]
    fn a_success_at_the_very_moment_of_a_cut_ends_the_silence() {
        let at = |ms| ms * RESOLUTION_NS;
        let mut tracker = SilenceTracker::default();
        let mut silences = Silences::new(1);
        tracker.success(at(5));
        silences.add(0, at(20), tracker.cut(at(20)));
        tracker.success(at(20));
        tracker.success(at(24));
        silences.add(0, at(30), tracker.cut(at(30)));
        assert_eq!(silences.longest_ns(), at(15));
    }

    #[test]
    fn short_silences_are_not_even_noted() {
        let mut tracker = SilenceTracker::default();
        for time in 1..1000 {
            tracker.success(time * 1000);
        }
        let expected = [Piece { start_ns: 0, end_ns: 1000, after_success: false, before_success: true }];
        assert_eq!(tracker.pieces, expected);
    }

    #[test]
    fn nothing_piles_up_where_nobody_asks() {
        let mut tracker = SilenceTracker::default();
        for success in 0..2 * PIECE_LIMIT as u64 {
            tracker.success(success * 2 * RESOLUTION_NS);
        }
        assert_eq!(tracker.cut(u64::MAX).len(), PIECE_LIMIT);
        tracker.success(u64::MAX);
        assert!(tracker.cut(u64::MAX).is_empty());
    }

    #[test]
    fn nothing_piles_up_while_one_thread_stays_silent() {
        let mut silences = Silences::new(2);
        let mut busy = SilenceTracker::default();
        let mut idle = SilenceTracker::default();
        for tick in 1..=1000_u64 {
            for success in 0..50 {
                busy.success((tick * 100 + success * 2) * RESOLUTION_NS);
            }
            let now = (tick * 100 + 100) * RESOLUTION_NS;
            silences.add(0, now, busy.cut(now));
            silences.add(1, now, idle.cut(now));
            let waiting: usize = silences.threads.iter().map(|thread| thread.pieces.len()).sum();
            assert!(waiting <= 2, "{waiting} pieces wait after {tick} ticks");
        }
    }
}
