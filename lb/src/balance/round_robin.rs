//! nginx's smooth weighted round robin (`ngx_http_upstream_round_robin.c`).
//!
//! Each choice adds to every candidate its share, takes the one with the largest sum, and subtracts the total from
//! that one. Weights 5, 1, 1 give `a a b a c a a`: smooth, where a contiguous order would send five in a row. A
//! server that is not a candidate neither gains nor loses: it has no claim to the turns that it missed.

use super::candidates::Candidates;
use super::now::Now;
use super::server::Server;

/// The sums of the servers of one tier, by index.
#[derive(Debug, Clone)]
pub(super) struct RoundRobin {
    current: Vec<i64>,
}

impl RoundRobin {
    /// The state before the first choice.
    pub(super) fn new(servers: &[Server]) -> Self {
        Self { current: vec![0; servers.len()] }
    }

    /// The next server among the candidates.
    pub(super) fn choose(&mut self, candidates: &mut Candidates<'_>) -> Option<usize> {
        self.choose_where(candidates, |_| true)
    }

    /// The next server among the candidates that `matches` accepts; the others keep their sums.
    pub(super) fn choose_where(
        &mut self,
        candidates: &mut Candidates<'_>,
        matches: impl Fn(&Server) -> bool,
    ) -> Option<usize> {
        let now = candidates.now();
        let mut turn = Turn::default();
        for (index, server) in candidates.iter_mut().filter(|(_, server)| matches(server)) {
            self.add(&mut turn, index, server, now);
        }
        self.end(turn)
    }

    /// The next server among the candidates at `indices`.
    pub(super) fn choose_among(
        &mut self,
        candidates: &mut Candidates<'_>,
        indices: impl Iterator<Item = usize>,
    ) -> Option<usize> {
        let now = candidates.now();
        let mut turn = Turn::default();
        for index in indices {
            if let Some(server) = candidates.get_mut(index) {
                self.add(&mut turn, index, server, now);
            }
        }
        self.end(turn)
    }

    // Left to the compiler, `turn` goes through memory: 10 instructions more for each server of every pick.
    #[inline(always)]
    fn add(&mut self, turn: &mut Turn, index: usize, server: &mut Server, now: Now) {
        let Some(current) = self.current.get_mut(index) else { return };
        let share = server.share(now);
        *current += share;
        turn.total += share;
        server.regain_weight();
        if turn.best.is_none_or(|(_, largest)| *current > largest) {
            turn.best = Some((index, *current));
        }
    }

    fn end(&mut self, turn: Turn) -> Option<usize> {
        let (index, _) = turn.best?;
        self.current[index] -= turn.total;
        Some(index)
    }
}

/// One choice in the making.
#[derive(Default)]
struct Turn {
    best: Option<(usize, i64)>,
    total: i64,
}
