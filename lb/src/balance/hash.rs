//! nginx's `hash` without and with `consistent` (`ngx_http_upstream_hash_module.c`).
//!
//! Without: the CRC-32 of the key picks a place among the weights, compatible with Cache::Memcached; a server that
//! cannot be asked leads to a hash with the number of the rehash before the key. Consistent: each server has 160
//! points per weight on a ring (ketama, compatible with Cache::Memcached::Fast), and the key belongs to the next point;
//! a server that cannot be asked leads to the point behind it.
//!
//! Both go over to round robin without a key and after 20 misses.

use std::collections::HashMap;
use std::sync::Arc;

use crc32fast::Hasher;

use super::candidates::{Ask, Candidates};
use super::ranges::WeightRanges;
use super::round_robin::RoundRobin;
use super::server::Server;
use super::tried::Search;

/// nginx's number of points for each unit of weight.
const POINTS_PER_WEIGHT: u64 = 160;

/// `hash KEY`
#[derive(Debug, Clone)]
pub(super) struct KeyHash {
    ranges: WeightRanges,
    fallback: RoundRobin,
}

/// `hash KEY consistent`
#[derive(Debug, Clone)]
pub(super) struct ConsistentHash {
    /// Hashes in ascending order, each once, with an index into `names`. Shared, since a change of the set copies the
    /// method.
    points: Arc<[(u32, u32)]>,
    /// The indices of the servers of each name as written: a name that resolves to several addresses has one set of
    /// points for all of them.
    names: Arc<[Vec<usize>]>,
    turns: RoundRobin,
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

impl ConsistentHash {
    pub(super) fn new(servers: &[Server]) -> Self {
        let mut points = Vec::new();
        let mut names: Vec<Vec<usize>> = Vec::new();
        let mut by_name: HashMap<&str, u32> = HashMap::new();
        for (index, server) in servers.iter().enumerate() {
            let next = u32::try_from(names.len()).unwrap_or(u32::MAX);
            let name = *by_name.entry(server.name()).or_insert_with(|| {
                names.push(Vec::new());
                next
            });
            names[name as usize].push(index);
            points.extend(points_of(server).map(|hash| (hash, name)));
        }
        points.sort_by_key(|(hash, _)| *hash);
        points.dedup_by_key(|(hash, _)| *hash);
        Self { points: points.into(), names: names.into(), turns: RoundRobin::new(servers) }
    }

    pub(super) fn choose(
        &mut self,
        candidates: &mut Candidates<'_>,
        ask: &Ask<'_>,
        search: &mut Search,
    ) -> Option<usize> {
        let count = self.points.len();
        while count > 0 && !ask.key.is_empty() && !search.exhausted() {
            let place = match search.hash {
                Some(place) => place as usize,
                None => {
                    let hash = crc32fast::hash(ask.key);
                    self.points.partition_point(|(point, _)| *point < hash)
                }
            };
            search.hash = Some(u32::try_from(place).unwrap_or(u32::MAX));
            let (_, name) = self.points[place % count];
            let same_name = self.names[name as usize].iter().copied();
            if let Some(index) = self.turns.choose_among(candidates, same_name) {
                return Some(index);
            }
            search.hash = search.hash.map(|place| place.wrapping_add(1));
            search.misses += 1;
        }
        self.turns.choose(candidates)
    }
}

/// The points of a server: each the CRC-32 of host, NUL, port and the point before it.
fn points_of(server: &Server) -> impl Iterator<Item = u32> {
    let (host, port) = host_and_port(server.name());
    let mut base = Hasher::new();
    base.update(host.as_bytes());
    base.update(&[0]);
    base.update(port.as_bytes());
    let mut previous: u32 = 0;
    (0..u64::from(server.config().weight) * POINTS_PER_WEIGHT).map(move |_| {
        let mut crc = base.clone();
        crc.update(&previous.to_le_bytes());
        previous = crc.finalize();
        previous
    })
}

/// A server as written, as nginx splits it for this purpose.
fn host_and_port(name: &str) -> (&str, &str) {
    if name.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("unix:")) {
        return (&name[5..], "");
    }
    match name.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, port),
        _ => (name, ""),
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

    fn key(k: usize) -> Vec<u8> {
        format!("key-{k}").into_bytes()
    }

    #[test]
    fn ten_thousand_keys_land_where_nginx_puts_them() {
        placements::check("hash", key, |servers| {
            let mut method = KeyHash::new(servers);
            Box::new(move |candidates, ask, search| method.choose(candidates, ask, search))
        });
    }

    #[test]
    fn ten_thousand_keys_land_where_nginx_puts_them_on_its_ring() {
        placements::check("consistent", key, |servers| {
            let mut method = ConsistentHash::new(servers);
            Box::new(move |candidates, ask, search| method.choose(candidates, ask, search))
        });
    }

    #[test]
    fn a_removed_server_moves_only_its_own_keys_on_the_ring() {
        let [before, after] =
            [placements::of("consistent", "5,2,1,1"), placements::of("consistent", "5,2,1")];
        for (k, (was, is)) in before.bytes().zip(after.bytes()).enumerate() {
            assert!(was == is || was == b'3', "key {k} moved from {was} to {is}");
        }
    }

    #[test]
    fn names_are_split_as_nginx_splits_them() {
        for (name, host, port) in [
            ("127.0.0.1:80", "127.0.0.1", "80"),
            ("backend", "backend", ""),
            ("[::1]:8080", "[::1]", "8080"),
            ("[::1]", "[::1]", ""),
            ("unix:/run/app.sock", "/run/app.sock", ""),
            ("UNIX:/run/app.sock", "/run/app.sock", ""),
            ("backend:", "backend", ""),
        ] {
            assert_eq!(host_and_port(name), (host, port), "{name}");
        }
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [0, 7, 10, 4_294_967_295] {
            assert_eq!(decimal(number, &mut [0; 10]), number.to_string().as_bytes());
        }
    }
}
