//! nginx's `hash` (`ngx_http_upstream_hash_module.c`).
//!
//! The CRC-32 of the key picks a place among the weights, compatible with Cache::Memcached; a server that cannot be asked
//! leads to a hash with the number of the rehash before the key. Without a key, and after 20 misses, round robin chooses.

use crc32fast::Hasher;

use super::candidates::{Ask, Candidates};
use super::ranges::WeightRanges;
use super::round_robin::RoundRobin;
use super::server::Server;
use super::tried::Search;

/// `hash KEY`
#[derive(Debug, Clone)]
pub(super) struct KeyHash {
    ranges: WeightRanges,
    fallback: RoundRobin,
}

impl KeyHash {
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
        while total > 0 && !ask.key.is_empty() && !search.exhausted() {
            let mut crc = Hasher::new();
            if search.rehashes > 0 {
                let mut digits = [0; 10];
                crc.update(decimal(search.rehashes, &mut digits));
            }
            crc.update(ask.key);
            let hash = search.hash.unwrap_or(0).wrapping_add((crc.finalize() >> 16) & 0x7fff);
            search.hash = Some(hash);
            search.rehashes += 1;
            let index = self.ranges.at(u64::from(hash) % total);
            if candidates.get(index).is_some() {
                return Some(index);
            }
            search.misses += 1;
        }
        self.fallback.choose(candidates)
    }
}

/// `number` in decimal digits, without an allocation.
fn decimal(mut number: u32, digits: &mut [u8; 10]) -> &[u8] {
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            return &digits[first..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::placements;
    use super::*;

    #[test]
    fn ten_thousand_keys_land_where_nginx_puts_them() {
        placements::check(
            "hash",
            |k| format!("key-{k}").into_bytes(),
            |servers| {
                let mut method = KeyHash::new(servers);
                Box::new(move |candidates, ask, search| method.choose(candidates, ask, search))
            },
        );
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [0, 7, 10, 4_294_967_295] {
            assert_eq!(decimal(number, &mut [0; 10]), number.to_string().as_bytes());
        }
    }
}
