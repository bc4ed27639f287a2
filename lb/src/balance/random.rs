//! nginx's `random` and `random two least_conn` (`ngx_http_upstream_random_module.c`): a server by chance in proportion
//! to the weights; or two of them, of which the one with fewer requests in flight for its weight is taken.

use super::candidates::Candidates;
use super::ranges::WeightRanges;
use super::round_robin::RoundRobin;
use super::server::Server;
use super::tried::Search;

#[derive(Debug, Clone)]
pub(super) struct Random {
    ranges: WeightRanges,
    two: bool,
    numbers: SplitMix64,
    fallback: RoundRobin,
}

/// A sequence of random numbers from a seed: fast, even, and no secret.
#[derive(Debug, Clone)]
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Random {
    pub(super) fn new(servers: &[Server], two: bool, seed: u64) -> Self {
        Self {
            ranges: WeightRanges::new(servers),
            two,
            numbers: SplitMix64(seed),
            fallback: RoundRobin::new(servers),
        }
    }

    pub(super) fn choose(&mut self, candidates: &mut Candidates<'_>, search: &mut Search) -> Option<usize> {
        let total = self.ranges.total();
        let mut first: Option<usize> = None;
        while total > 0 && !search.exhausted() {
            let index = self.ranges.at(self.numbers.next() % total);
            if first == Some(index) || candidates.get(index).is_none() {
                search.misses += 1;
                continue;
            }
            match first {
                None if self.two => first = Some(index),
                None => return Some(index),
                Some(first) => return Some(less_busy(candidates, first, index)),
            }
        }
        self.fallback.choose(candidates)
    }
}

/// The second, unless it has more requests in flight in proportion to its weight.
fn less_busy(candidates: &Candidates<'_>, first: usize, second: usize) -> usize {
    let [one, other] = [first, second].map(|index| {
        candidates
            .get(index)
            .map_or((0, 1), |server| (server.in_flight() as u64, u64::from(server.config().weight)))
    });
    if other.0.saturating_mul(one.1) > one.0.saturating_mul(other.1) { first } else { second }
}

#[cfg(test)]
mod tests {
    use super::super::now::Now;
    use super::super::server::testing::servers;
    use super::super::tried::SlotSet;
    use super::*;

    fn counts(weights: &[u32], two: bool, busy: &[usize]) -> Vec<usize> {
        let mut servers = servers(weights);
        for (server, busy) in servers.iter().zip(busy) {
            (0..*busy).for_each(|_| server.load().add());
        }
        let mut method = Random::new(&servers, two, 1);
        let mut counts = vec![0; weights.len()];
        for _ in 0..10_000 {
            let tried = SlotSet::new();
            let mut candidates = Candidates::new(&mut servers, &tried, Now::default());
            if let Some(index) = method.choose(&mut candidates, &mut Search::default()) {
                counts[index] += 1;
            }
        }
        counts
    }

    #[test]
    fn shares_follow_the_weights() {
        for (counts, expected) in [
            (counts(&[1, 1, 1, 1], false, &[]), [2_500; 4].to_vec()),
            (counts(&[5, 2, 1, 1], false, &[]), vec![5_556, 2_222, 1_111, 1_111]),
        ] {
            for (count, expected) in counts.iter().zip(&expected) {
                assert!(count.abs_diff(*expected) < 200, "{counts:?}");
            }
        }
    }

    #[test]
    fn of_two_the_less_busy_is_taken() {
        // The busiest of three loses every comparison, the idle one wins every one.
        let counts = counts(&[1, 1, 1], true, &[9, 0, 5]);
        assert_eq!(counts[0], 0);
        assert!(counts[1].abs_diff(6_667) < 200 && counts[2].abs_diff(3_333) < 200, "{counts:?}");
    }

    #[test]
    fn a_lone_candidate_is_found_by_round_robin() {
        let counts = counts(&[7], true, &[]);
        assert_eq!(counts, [10_000]);
    }
}
