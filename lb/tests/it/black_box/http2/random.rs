//! Frames drawn from a seed, in orders that make sense and in others: nothing ends but the connection.

use super::super::support::{Backend, Balancer, get as http1_get};
use super::http2;
use super::raw::{Raw, block, frame, get, post, request};

/// xorshift64*: the same sequence everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % most
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.below(256) as u8).collect()
    }
}

/// One frame; `newest` is the newest stream.
fn any(random: &mut Random, newest: &mut u32) -> Vec<u8> {
    let known = (random.below(u64::from(*newest / 2) + 1) * 2 + 1) as u32;
    let flags = random.below(256) as u8;
    match random.below(16) {
        0..3 => {
            *newest += 2;
            get(*newest - 2, if flags < 128 { "/own" } else { "/" })
        }
        3..5 => {
            *newest += 2;
            post(*newest - 2, "/up")
        }
        5..8 => frame(0, flags & 1, known, &random.bytes(300)),
        8 => frame(3, 0, known, &[0, 0, 0, random.below(14) as u8]),
        9 => frame(8, 0, known * u32::from(flags < 128), &[0, 0, random.below(256) as u8, 1]),
        10 => frame(4, 0, 0, &[0, random.below(8) as u8, 0, 0, flags, random.below(256) as u8]),
        11 => frame(6, flags & 1, 0, &[flags; 8]),
        12 => {
            *newest += 2;
            let fields = [&request("GET", "/")[..], &[("te", "gzip")]].concat();
            frame(1, 5, *newest - 2, &block(&fields[random.below(5) as usize..]))
        }
        13 => frame(9, flags & 4, known, &random.bytes(40)),
        14 => frame(random.below(16) as u8, flags, known, &random.bytes(40)),
        _ => random.bytes(60),
    }
}

#[test]
fn random_frames_end_no_more_than_their_connection() {
    let backend = Backend::start("one");
    let mut balancer = Balancer::start(&http2(&backend, "location /own { return 200 own; }"));
    for seed in 1..=300 {
        let mut random = Random(u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15));
        let mut raw = Raw::connect(balancer.address);
        let mut newest = 1;
        for _ in 0..random.below(60) {
            if !raw.send(&any(&mut random, &mut newest)) {
                break;
            }
        }
    }
    assert_eq!(http1_get(balancer.address, "/own").body, "own");
    assert!(balancer.is_running());
    assert!(!balancer.log().contains("panicked"), "{}", balancer.log());
}
