//! Checks a token, off the worker: the keys are read from a file, and a signature takes its time.

use std::io;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::password::off_the_worker;
use crate::request::TokenCheck;
use crate::tokens::{Keys, Refusal, Token};

/// Why a token is not taken.
pub(super) enum NoToken {
    /// It does not hold.
    Refused(Refusal),
    /// The file with the keys cannot be read.
    Unreadable(io::Error),
    /// The file has no keys.
    NoKeys(String),
}

/// Checks a token.
pub(super) async fn check(check: Arc<TokenCheck>) -> Result<Arc<Token>, NoToken> {
    let checked = off_the_worker(move || look(&check)).await;
    checked.unwrap_or_else(|error| Err(NoToken::Unreadable(error))).map(Arc::new)
}

fn look(check: &TokenCheck) -> Result<Token, NoToken> {
    let keys = std::fs::read(&check.key_file).map_err(NoToken::Unreadable)?;
    let keys = Keys::parse(&keys).map_err(NoToken::NoKeys)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Token::verify(&check.token, &keys, now, check.leeway).map_err(NoToken::Refused)
}
