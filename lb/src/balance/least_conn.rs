//! nginx's `least_conn` (`ngx_http_upstream_least_conn_module.c`): the server with the fewest requests in flight in
//! proportion to its weight; among equal ones, smooth weighted round robin.

use super::candidates::Candidates;
use super::round_robin::RoundRobin;
use super::server::Server;

/// The sequence among equal servers.
#[derive(Debug, Clone)]
pub(super) struct LeastConn {
    ties: RoundRobin,
}

/// Requests in flight and the weight that they are divided by.
#[derive(Clone, Copy)]
struct Ratio {
    in_flight: u64,
    weight: u64,
}

impl Ratio {
    fn of(server: &Server) -> Self {
        Self { in_flight: server.in_flight() as u64, weight: u64::from(server.config().weight) }
    }

    fn cross(self, other: Self) -> (u64, u64) {
        (self.in_flight.saturating_mul(other.weight), other.in_flight.saturating_mul(self.weight))
    }

    fn is_below(self, other: Self) -> bool {
        let (mine, theirs) = self.cross(other);
        mine < theirs
    }

    fn equals(self, other: Self) -> bool {
        let (mine, theirs) = self.cross(other);
        mine == theirs
    }
}

impl LeastConn {
    pub(super) fn new(servers: &[Server]) -> Self {
        Self { ties: RoundRobin::new(servers) }
    }

    pub(super) fn choose(&mut self, candidates: &mut Candidates<'_>) -> Option<usize> {
        let mut best: Option<(usize, Ratio)> = None;
        let mut tied = false;
        for (index, server) in candidates.iter_mut() {
            let ratio = Ratio::of(server);
            match best {
                Some((_, least)) if least.equals(ratio) => tied = true,
                Some((_, least)) if !ratio.is_below(least) => {}
                _ => {
                    best = Some((index, ratio));
                    tied = false;
                }
            }
        }
        let (index, least) = best?;
        if !tied {
            return Some(index);
        }
        // Requests may have ended since: then a server is no longer equal, and the first one found stands.
        let among_equals = self.ties.choose_where(candidates, |server| Ratio::of(server).equals(least));
        Some(among_equals.unwrap_or(index))
    }
}

#[cfg(test)]
mod tests {
    use super::super::candidates::Candidates;
    use super::super::now::Now;
    use super::super::server::testing::servers;
    use super::super::tried::SlotSet;
    use super::*;

    /// The choices for requests that come one after the other and stay, as letters.
    fn choices(weights: &[u32], in_flight: &[usize], count: usize) -> String {
        let mut servers = servers(weights);
        for (server, busy) in servers.iter().zip(in_flight) {
            (0..*busy).for_each(|_| server.load().add());
        }
        let mut method = LeastConn::new(&servers);
        let tried = SlotSet::new();
        (0..count)
            .map(|_| {
                let mut candidates = Candidates::new(&mut servers, &tried, Now::default());
                let index = method.choose(&mut candidates).unwrap_or(usize::MAX);
                servers[index].load().add();
                char::from(b'a' + u8::try_from(index).unwrap_or(0))
            })
            .collect()
    }

    /// The sequences from nothing in flight are those of nginx 1.22 with requests that it keeps open.
    #[test]
    fn the_least_busy_in_proportion_to_the_weight_is_chosen() {
        for (weights, in_flight, expected) in [
            (vec![1, 1, 1], vec![0, 0, 0], "abccbaabccbaabccba"),
            (vec![2, 1], vec![0, 0], "ababaaabaababaaaba"),
            (vec![1, 3], vec![0, 0], "babbabbbbabbbabbba"),
            (vec![5, 2, 1], vec![0, 0, 0], "abcaabaabacaabaaac"),
            (vec![1, 1, 1], vec![2, 0, 1], "b"),
            (vec![1, 1], vec![5, 0], "bbbbb"),
        ] {
            assert_eq!(choices(&weights, &in_flight, expected.len()), expected, "{weights:?} {in_flight:?}");
        }
    }
}
