//! nginx's `ip_hash` (`ngx_http_upstream_ip_hash_module.c`): the client's address picks the server.
//!
//! The key is the address as nginx takes it: the first three bytes of an IPv4 address, all of an IPv6 address.

use super::candidates::{Ask, Candidates};
use super::ranges::WeightRanges;
use super::round_robin::RoundRobin;
use super::server::Server;
use super::tried::Search;

/// nginx's starting value, and the modulus of its hash.
const START: u32 = 89;
const MODULUS: u32 = 6271;

#[derive(Debug, Clone)]
pub(super) struct IpHash {
    ranges: WeightRanges,
    fallback: RoundRobin,
}

impl IpHash {
    pub(super) fn new(servers: &[Server]) -> Self {
        Self { ranges: WeightRanges::new(servers), fallback: RoundRobin::new(servers) }
    }

    pub(super) fn choose(
        &mut self,
        candidates: &mut Candidates<'_>,
        ask: &Ask<'_>,
        search: &mut Search,
    ) -> Option<usize> {
        let total = self.ranges.total();
        let mut hash = search.hash.unwrap_or(START);
        while total > 0 && !search.exhausted() {
            hash = ask.key.iter().fold(hash, |hash, byte| (hash * 113 + u32::from(*byte)) % MODULUS);
            let index = self.ranges.at(u64::from(hash) % total);
            if candidates.get(index).is_some() {
                search.hash = Some(hash);
                return Some(index);
            }
            search.misses += 1;
        }
        self.fallback.choose(candidates)
    }
}

#[cfg(test)]
mod tests {
    use super::super::placements;
    use super::*;

    #[test]
    fn ten_thousand_clients_land_where_nginx_puts_them() {
        placements::check(
            "ip_hash",
            |k| placements::address(k)[..3].to_vec(),
            |servers| {
                let mut method = IpHash::new(servers);
                Box::new(move |candidates, ask, search| method.choose(candidates, ask, search))
            },
        );
    }
}
