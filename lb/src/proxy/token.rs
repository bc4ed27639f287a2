//! Checks a token, off the worker: the keys are read from a file, and a signature takes its time.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use pingora_proxy::Session;

use super::checked::NoToken;
use super::context::Request;
use super::{password, record};
use crate::request::TokenCheck;
use crate::tokens::{Keys, Token};

/// Checks a token, and tells what is wrong with it; an error that says whether it is the token's fault.
pub(super) async fn check(
    session: &Session,
    request: &mut Request,
    check: TokenCheck,
) -> Result<Arc<Token>, bool> {
    let file = check.key_file.clone();
    let checked = password::off_the_worker(move || look(&check)).await;
    let checked = checked.unwrap_or_else(|error| Err(NoToken::Unreadable(error)));
    checked.map(Arc::new).map_err(|why| {
        record::no_token(session, request, &file, &why);
        matches!(why, NoToken::Refused(_))
    })
}

fn look(check: &TokenCheck) -> Result<Token, NoToken> {
    let keys = std::fs::read(&check.key_file).map_err(NoToken::Unreadable)?;
    let keys = Keys::parse(&keys).map_err(NoToken::NoKeys)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Token::verify(&check.token, &keys, now, check.leeway).map_err(NoToken::Refused)
}
