//! nginx's smooth weighted round robin (`ngx_http_upstream_round_robin.c`).
//!
//! Each choice adds to every candidate its share, takes the one with the largest sum, and subtracts the total from
//! that one. Weights 5, 1, 1 give `a a b a c a a`: smooth, where a contiguous order would send five in a row. A server
//! that is not a candidate neither gains nor loses: it keeps no claim to the turns that it missed.

use super::candidates::Candidates;
use super::server::Server;

/// The sums of the servers of one tier, by index.
#[derive(Debug, Clone)]
pub(super) struct RoundRobin {
    current: Vec<i64>,
}

impl RoundRobin {
    /// A sequence from its beginning.
    pub(super) fn new(servers: &[Server]) -> Self {
        Self { current: vec![0; servers.len()] }
    }

    /// The next server among the candidates.
    pub(super) fn choose(&mut self, candidates: &mut Candidates<'_>) -> Option<usize> {
        self.choose_where(candidates, |_| true)
    }

    /// The next server among the candidates that `matches` accepts; the others keep their sums.
    #[inline]
    pub(super) fn choose_where(
        &mut self,
        candidates: &mut Candidates<'_>,
        matches: impl Fn(&Server) -> bool,
    ) -> Option<usize> {
        let now = candidates.now();
        let mut best: Option<(usize, i64)> = None;
        let mut total = 0;
        for (index, server) in candidates.iter_mut().filter(|(_, server)| matches(server)) {
            let Some(current) = self.current.get_mut(index) else { continue };
            let share = server.share(now);
            *current += share;
            total += share;
            server.regain_weight();
            if best.is_none_or(|(_, largest)| *current > largest) {
                best = Some((index, *current));
            }
        }
        let (index, _) = best?;
        self.current[index] -= total;
        Some(index)
    }
}
