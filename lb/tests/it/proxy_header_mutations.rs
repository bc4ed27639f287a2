//! Whatever a stranger sends first: reading a PROXY protocol header ends, without a panic, and says the same however the
//! bytes arrive.
//!
//! The headers of `tests/corpus/proxy_protocol` are damaged at random, with fixed seeds. `LB_MUTATE_SECONDS` has it go on
//! for so long. (`cargo fuzz` wants a nightly compiler and everything built anew under its sanitizers; the parser is pure
//! and safe code of one file, so that a panic or a contradiction is all there is to be found.)

use std::path::Path;
use std::time::{Duration, Instant};

use lb::connection::proxy_protocol::{Broken, Progress, parse};
use lb::script::Tlv;

const MUTATIONS_PER_FILE: u64 = 20_000;
const LONGEST: usize = 4096;

const JUNK: [&[u8]; 12] = [
    b"PROXY ",
    b"UNKNOWN",
    b"TCP4 ",
    b" ",
    b"\r\n",
    b"\n",
    b"65536",
    b"::ffff:1.2.3.4",
    b"\r\n\r\n\0\r\nQUIT\n",
    b"\x21\x11\0\x0c",
    b"\xff\xff",
    b"\x20\0\x05",
];

fn damage(random: &mut fastrand::Rng, bytes: &mut Vec<u8>) {
    for _ in 0..random.usize(1..=4) {
        if bytes.is_empty() {
            return;
        }
        let at = random.usize(..bytes.len());
        match random.u8(0..6) {
            0 => bytes[at] ^= 1 << random.u8(0..8),
            1 => bytes[at] = random.u8(..),
            2 => bytes.truncate(at),
            3 => {
                let end = (at + random.usize(1..32)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let junk = JUNK[random.usize(..JUNK.len())];
                bytes.splice(at..at, junk.iter().copied());
            }
            _ => bytes.resize(bytes.len() + random.usize(1..5000), random.u8(..)),
        }
    }
}

/// Everything that must hold for any bytes.
fn check(bytes: &[u8], cut: usize, case: &str) {
    let whole = parse(bytes);
    match &whole {
        Ok(Progress::Partial) => assert!(bytes.len() < LONGEST, "{case}: waits for ever"),
        Ok(Progress::Complete { bytes: length, proxied }) => {
            assert!(*length <= bytes.len() && (15..=LONGEST).contains(length), "{case}: {length}");
            assert_eq!(parse(&bytes[..*length]), whole, "{case}: what follows counts");
            assert_eq!(parse(&bytes[..length - 1]), Ok(Progress::Partial), "{case}: it ends before its end");
            if let Some(proxied) = proxied {
                assert_eq!(proxied.source.is_ipv4(), proxied.destination.is_ipv4(), "{case}");
                for name in ["alpn", "ssl", "ssl_verify", "ssl_cn", "0xea"] {
                    let mut value = Vec::new();
                    proxied.write_tlv(Tlv::named(name).expect("a name"), &mut value);
                    assert!(value.len() <= LONGEST, "{case}");
                }
            }
        }
        Err(error) => {
            assert!(error.to_string().len() <= 500, "{case}: {error}");
            if let Broken::Header(shown) = error {
                assert!(shown.len() <= 107, "{case}");
            }
        }
    }
    // A piece of it says what the whole says, or that more is needed.
    let piece = parse(&bytes[..cut.min(bytes.len())]);
    match (&piece, &whole) {
        (Ok(Progress::Partial), _) => {}
        (Ok(Progress::Complete { .. }), _) => assert_eq!(piece, whole, "{case}, cut at {cut}"),
        (Err(_), whole) => assert!(whole.is_err(), "{case}, cut at {cut}"),
    }
}

#[test]
fn no_beginning_of_a_connection_confuses_the_parser() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/proxy_protocol");
    let mut files: Vec<_> =
        std::fs::read_dir(corpus).expect("the corpus").map(|file| file.expect("a file").path()).collect();
    files.sort();
    assert!(files.len() >= 10, "{files:?}");
    let seconds = std::env::var("LB_MUTATE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let end = Instant::now() + Duration::from_secs(seconds);
    for round in 0.. {
        for (number, file) in files.iter().enumerate() {
            let original = std::fs::read(file).expect("the corpus is readable");
            check(&original, original.len() / 2, "as it is");
            for seed in round * MUTATIONS_PER_FILE..(round + 1) * MUTATIONS_PER_FILE {
                let mut random = fastrand::Rng::with_seed(seed ^ (number as u64) << 48);
                let mut bytes = original.clone();
                damage(&mut random, &mut bytes);
                let cut = random.usize(..=bytes.len());
                check(&bytes, cut, &format!("{} with seed {seed}", file.display()));
            }
        }
        if Instant::now() >= end {
            return;
        }
    }
}
