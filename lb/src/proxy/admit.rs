//! A server's answer as it came: judged before anything is made of it, for each try.

use http::{StatusCode, header};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::{Error, ErrorType, Result};

use super::failure::REFUSED_ANSWER;
use crate::request::answer_hygiene::{Framing, Head, Verdict, judge};

/// Refuses an answer that must not be passed on: the error is the server's, and says why in nginx's words. `None` for
/// an interim answer. `upgrade_asked`: the request for another protocol has reached the server.
pub(super) fn admit(
    answer: &mut ResponseHeader,
    request: &RequestHeader,
    upgrade_asked: bool,
) -> Result<Option<Framing>> {
    let head = Head {
        status: answer.status,
        version: answer.version,
        fields: &answer.headers,
        method: &request.method,
        upgrade_asked,
    };
    match judge(&head) {
        Ok(Verdict::Final(judged)) => {
            if judged.strip_length {
                answer.remove_header(&header::CONTENT_LENGTH);
            }
            if judged.strip_coding {
                answer.remove_header(&header::TRANSFER_ENCODING);
            }
            Ok(Some(judged.framing))
        }
        Ok(Verdict::Interim) => {
            // The session drops interim answers, but for a 100 to a client that expects one. That client has had ours.
            if answer.status == StatusCode::CONTINUE {
                answer.set_status(StatusCode::PROCESSING)?;
            }
            Ok(None)
        }
        Err(refusal) => Err(Error::explain(ErrorType::Custom(REFUSED_ANSWER), refusal.to_string()).into_up()),
    }
}
