//! Writing an answer of our own to the client.

use http::header;
use http::{Method, StatusCode};
use pingora::Result;
use pingora::http::ResponseHeader;
use pingora_proxy::Session;

use super::context::Context;
use super::headers;
use crate::content::{Answer, page};

/// Writes `answer` with the fields that its location asks for, if it has one.
pub(super) async fn answer(session: &mut Session, context: &Context, answer: Answer) -> Result<()> {
    let mut header = ResponseHeader::build(answer.status, Some(answer.headers.len() + 4))?;
    header.set_reason_phrase(Some(page::status_phrase(answer.status)))?;
    if let Some(content_type) = answer.content_type.filter(|_| has_body(answer.status)) {
        header.insert_header(header::CONTENT_TYPE, content_type)?;
    }
    for (name, value) in answer.headers {
        header.append_header(name, value)?;
    }
    if has_body(answer.status) {
        header.set_content_length(answer.body.len())?;
    }
    let keeps_alive = session.get_keepalive().is_some();
    let (head_only, request) = {
        let request = session.req_header();
        (request.method == Method::HEAD, request)
    };
    match context.location() {
        Some(location) => {
            // What sets a `Server` here is the configuration (`add_header`), not a server.
            headers::finish_answer(&mut header, request, context, location, keeps_alive, true)?
        }
        None => header.insert_header(header::SERVER, page::server_field(true))?,
    }
    let body = (has_body(answer.status) && !head_only && !answer.body.is_empty()).then_some(answer.body);
    session.write_response_header(Box::new(header), body.is_none()).await?;
    if body.is_some() {
        session.write_response_body(body, true).await?;
    }
    Ok(())
}

fn has_body(status: StatusCode) -> bool {
    !(status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED)
}
