//! Whatever a file holds, reading it ends, and without a panic.
//!
//! Realistic files are damaged at random, with fixed seeds, so that a failure can be repeated: the message names
//! the seed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use lb::config::files::InMemory;
use lb::config::{Source, load_from};

const MUTATIONS_PER_FILE: u64 = 1_000;

/// The files to damage, and the one that they include.
const FILES: [&str; 3] = ["original.conf", "everything.conf", "ten-mistakes.conf"];
const INCLUDED: &str = "mime.types";

const JUNK: [&[u8]; 20] = [
    b"{",
    b"}",
    b";",
    b"\"",
    b"'",
    b"\\",
    b"$",
    b"${",
    b"#",
    b"#lb:",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"include mime.types;",
    b"include nginx.conf;",
    b"include *;",
    b"99999999999999999999",
    b"server {",
    b"~(",
    b"location / { location /",
];

struct Mutator {
    random: fastrand::Rng,
}

impl Mutator {
    fn damage(&mut self, text: &[u8]) -> Vec<u8> {
        let mut text = text.to_vec();
        for _ in 0..self.random.usize(1..=6) {
            self.damage_once(&mut text);
        }
        text
    }

    fn damage_once(&mut self, text: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        let at = self.random.usize(..text.len());
        match self.random.u8(0..8) {
            0 => text[at] ^= 1 << self.random.u8(0..8),
            1 => text.truncate(at),
            2 => {
                let junk = JUNK[self.random.usize(..JUNK.len())];
                text.splice(at..at, junk.iter().copied());
            }
            3 => {
                // A brace goes, or a semicolon.
                let marks: Vec<usize> = text
                    .iter()
                    .enumerate()
                    .filter(|(_, byte)| b"{};".contains(byte))
                    .map(|(at, _)| at)
                    .collect();
                if !marks.is_empty() {
                    text.remove(marks[self.random.usize(..marks.len())]);
                }
            }
            4..=6 => self.move_tokens(text),
            _ => {
                let end = (at + self.random.usize(1..200)).min(text.len());
                let piece = text[at..end].to_vec();
                let to = self.random.usize(..=text.len());
                text.splice(to..to, piece);
            }
        }
    }

    /// Deletes, doubles or swaps words.
    fn move_tokens(&mut self, text: &mut Vec<u8>) {
        let mut words: Vec<Vec<u8>> =
            text.split_inclusive(|byte| b" \n;{}".contains(byte)).map(<[u8]>::to_vec).collect();
        let at = self.random.usize(..words.len());
        match self.random.u8(0..3) {
            0 => drop(words.remove(at)),
            1 => words.insert(at, words[at].clone()),
            _ => {
                let other = self.random.usize(..words.len());
                words.swap(at, other);
            }
        }
        *text = words.concat();
    }
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config").join(name))
        .expect("a fixture of this repository")
}

#[test]
fn damaged_files_are_read_to_their_end() {
    let (mut refused, mut accepted) = (0, 0);
    for name in FILES {
        let original = fixture(name);
        for seed in 0..MUTATIONS_PER_FILE {
            let damaged = Mutator { random: fastrand::Rng::with_seed(seed) }.damage(&original);
            let files = InMemory::default().with("/conf/nginx.conf", damaged).with(
                PathBuf::from("/conf").join(INCLUDED),
                Mutator { random: fastrand::Rng::with_seed(!seed) }.damage(&fixture(INCLUDED)),
            );
            let source =
                Source { path: "/conf/nginx.conf".into(), prefix: "/prefix".into(), ..Source::default() };
            let outcome = catch_unwind(AssertUnwindSafe(|| load_from(&source, &files, true)));
            match outcome {
                Ok(Ok(_)) => accepted += 1,
                Ok(Err(findings)) => {
                    assert!(!findings.is_empty(), "{name} with seed {seed} is refused without a reason");
                    refused += 1;
                }
                Err(_) => panic!("reading {name} with seed {seed} panics"),
            }
        }
    }
    // Were all accepted or all refused, the damage would be none or too great to reach the readers.
    assert!(accepted > 50 && refused > 1_000, "accepted {accepted}, refused {refused}");
}

#[test]
fn the_files_themselves_are_as_they_should_be() {
    for name in ["original.conf", "everything.conf"] {
        let files = InMemory::default()
            .with("/conf/nginx.conf", fixture(name))
            .with(PathBuf::from("/conf").join(INCLUDED), fixture(INCLUDED));
        let source = Source { path: "/conf/nginx.conf".into(), ..Source::default() };
        let result = load_from(&source, &files, true);
        assert!(result.is_ok(), "{name}: {:#?}", result.err());
    }
}
