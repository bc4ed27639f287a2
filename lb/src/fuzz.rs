//! What must hold for any bytes that a stranger sends, and for any cipher list: the checks that `make fuzz` calls with
//! bytes that it changes until they reach new code, and the tests with every file of the corpus.
//!
//! Each check stands beside the code that it is about, whose private parts it sees. It is compiled for tests and where
//! the compiler is told `--cfg fuzzing`, which `fuzz/rustc` does: never into the program.

/// A check: panics where something does not hold.
pub type Check = fn(&[u8]);

/// The checks by the names of their folders in `fuzz/corpus`.
pub const CHECKS: [(&str, Check); 4] = [
    ("cipher_lists", crate::tls::check_cipher_list),
    ("http1", crate::connection::h1::fuzz::check),
    ("http2", crate::connection::h2::fuzz::check),
    ("proxy_protocol", crate::connection::proxy_protocol::check),
];

/// The check of this name.
pub fn check_named(name: &str) -> Option<Check> {
    CHECKS.iter().find(|(known, _)| *known == name).map(|(_, check)| *check)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::CHECKS;

    #[test]
    fn everything_holds_for_the_corpus_and_for_its_beginnings() {
        for (name, check) in CHECKS {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
            let files: Vec<_> =
                std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
            assert!(files.len() >= 8, "{name}: {}", files.len());
            for file in files {
                let bytes = std::fs::read(&file).unwrap();
                println!("{}", file.display());
                for end in 0..=bytes.len().min(600) {
                    check(&bytes[..end]);
                }
                check(&bytes);
            }
        }
    }
}
