//! Where nginx 1.22 puts keys, as recorded from a running one, for the tests of the methods with a key.
//!
//! `placements.txt` holds a line for each case: the method, the servers' weights (`d` for `down`), and for each of
//! 10,000 keys the digit of the server that answered. The servers were written `127.0.0.1:18601` and so on; the keys
//! were `key-0`, `key-1`, … for `hash $arg_k`, and the addresses of [`address`] for `ip_hash`.
#![allow(clippy::unwrap_used)]

use super::candidates::{Ask, Candidates};
use super::now::Now;
use super::server::Server;
use super::server::testing::server;
use super::tried::{Search, SlotSet};

const RECORDED: &str = include_str!("placements.txt");

/// A method with the state of one tier.
pub(super) type Choose = Box<dyn FnMut(&mut Candidates<'_>, &Ask<'_>, &mut Search) -> Option<usize>>;

/// The client address of the `k`th request.
pub(super) fn address(k: usize) -> [u8; 4] {
    let byte = |value: usize| u8::try_from(value).unwrap();
    [byte(k * 7 % 223 + 1), byte(k * 13 % 256), byte(k % 256), byte(k % 250 + 1)]
}

/// Where the keys went for these weights.
pub(super) fn of(method: &str, weights: &str) -> &'static str {
    let mut cases = cases(method);
    cases.find(|(recorded, _)| *recorded == weights).unwrap().1
}

/// Holds a method against every recorded case.
pub(super) fn check(method: &str, key: impl Fn(usize) -> Vec<u8>, choose: impl Fn(&[Server]) -> Choose) {
    assert!(cases(method).next().is_some());
    for (weights, recorded) in cases(method) {
        let mut servers: Vec<Server> = (0..)
            .zip(weights.split(','))
            .map(|(slot, weight)| {
                let weight_alone = weight.trim_end_matches('d');
                let down = weight_alone.len() < weight.len();
                let name = format!("127.0.0.1:{}", 18601 + slot);
                server(slot, weight_alone.parse().unwrap(), down).with_name(name.into())
            })
            .collect();
        let mut choose = choose(&servers);
        for (k, expected) in recorded.bytes().enumerate() {
            let tried = SlotSet::new();
            let mut candidates = Candidates::new(&mut servers, &tried, Now::default());
            let key = key(k);
            let ask = Ask { now: Now::default(), key: &key };
            let chosen = choose(&mut candidates, &ask, &mut Search::default()).unwrap();
            assert_eq!(chosen, usize::from(expected - b'0'), "{method} {weights}: key {k}");
        }
    }
}

fn cases(method: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = RECORDED.lines().map(|line| {
        let mut fields = line.split(' ');
        [fields.next().unwrap(), fields.next().unwrap(), fields.next().unwrap()]
    });
    lines.filter(move |[name, ..]| *name == method).map(|[_, weights, recorded]| (weights, recorded))
}
