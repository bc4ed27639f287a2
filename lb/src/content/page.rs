//! The standard pages of a status: NGINX's layout and wording, our name.
//!
//! NGINX has such a page for redirects and errors that it produces itself and none for the rest (`return 418` sends
//! no body), and so has this program. Scripts and monitors match these texts, hence the exact wording, old phrases
//! ("Request-URI Too Large") included. Every page is built once, at first use; a request only clones a `Bytes`.

use std::sync::LazyLock;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

/// `Server:` and the page's foot with `server_tokens on`.
const NAME_AND_VERSION: &str = concat!("cirque/", env!("CARGO_PKG_VERSION"));
/// The same with `server_tokens off`.
const NAME: &str = "cirque";

/// The text of the `Server` field and of a standard page's foot.
pub const fn server_name(server_tokens: bool) -> &'static str {
    if server_tokens { NAME_AND_VERSION } else { NAME }
}

/// [`server_name`] as a field value.
pub fn server_field(server_tokens: bool) -> HeaderValue {
    HeaderValue::from_static(server_name(server_tokens))
}

/// The media type of every standard page. NGINX adds no charset either.
pub const PAGE_TYPE: HeaderValue = HeaderValue::from_static("text/html");

/// The statuses NGINX has a page for, with the phrase of the page and of the status line.
const PAGES: [(u16, &str); 30] = [
    (301, "Moved Permanently"),
    (302, "Found"),
    (303, "See Other"),
    (307, "Temporary Redirect"),
    (308, "Permanent Redirect"),
    (400, "Bad Request"),
    (401, "Authorization Required"),
    (402, "Payment Required"),
    (403, "Forbidden"),
    (404, "Not Found"),
    (405, "Not Allowed"),
    (406, "Not Acceptable"),
    (408, "Request Time-out"),
    (409, "Conflict"),
    (410, "Gone"),
    (411, "Length Required"),
    (412, "Precondition Failed"),
    (413, "Request Entity Too Large"),
    (414, "Request-URI Too Large"),
    (415, "Unsupported Media Type"),
    (416, "Requested Range Not Satisfiable"),
    (421, "Misdirected Request"),
    (429, "Too Many Requests"),
    (500, "Internal Server Error"),
    (501, "Not Implemented"),
    (502, "Bad Gateway"),
    (503, "Service Temporarily Unavailable"),
    (504, "Gateway Time-out"),
    (505, "HTTP Version Not Supported"),
    (507, "Insufficient Storage"),
];

/// Each page twice: without and with the version.
static BUILT: LazyLock<Vec<[Bytes; 2]>> = LazyLock::new(|| {
    PAGES
        .iter()
        .map(|(status, phrase)| [false, true].map(|tokens| page(*status, phrase, None, tokens)))
        .collect()
});

static HEADER_TOO_LARGE: LazyLock<[Bytes; 2]> = LazyLock::new(|| {
    [false, true].map(|tokens| page(400, "Bad Request", Some("Request Header Or Cookie Too Large"), tokens))
});

/// NGINX's own statuses around TLS, which clients see as 400.
const TLS_DETAILS: [&str; 3] = [
    "The SSL certificate error",
    "No required SSL certificate was sent",
    "The plain HTTP request was sent to HTTPS port",
];
const FIRST_OF_TLS: u16 = 495;

static OF_TLS: LazyLock<Vec<[Bytes; 2]>> = LazyLock::new(|| {
    let made =
        |detail: &&'static str| [false, true].map(|tokens| page(400, "Bad Request", Some(detail), tokens));
    TLS_DETAILS.iter().map(made).collect()
});

/// The status that clients see for `status`: 400 for NGINX's own statuses of the certificate error (495), the missing
/// certificate (496) and the plain request where TLS is spoken (497), which `error_page` knows by their own numbers.
pub fn seen_as(status: StatusCode) -> StatusCode {
    if of_tls(status).is_some() { StatusCode::BAD_REQUEST } else { status }
}

fn of_tls(status: StatusCode) -> Option<usize> {
    let index = usize::from(status.as_u16().checked_sub(FIRST_OF_TLS)?);
    (index < TLS_DETAILS.len()).then_some(index)
}

/// The page of `status`; empty where NGINX has none.
pub fn standard_page(status: StatusCode, server_tokens: bool) -> Bytes {
    if let Some(index) = of_tls(status) {
        return OF_TLS[index][usize::from(server_tokens)].clone();
    }
    match PAGES.binary_search_by_key(&status.as_u16(), |(code, _)| *code) {
        Ok(index) => BUILT[index][usize::from(server_tokens)].clone(),
        Err(_) => Bytes::new(),
    }
}

/// The page of a request whose header exceeds `large_client_header_buffers` (NGINX's internal status 494, sent
/// as 400).
pub fn header_too_large_page(server_tokens: bool) -> Bytes {
    HEADER_TOO_LARGE[usize::from(server_tokens)].clone()
}

/// The phrase of the status line as NGINX words it; the registered one where NGINX has none, and empty for an
/// unregistered status.
pub fn status_phrase(status: StatusCode) -> &'static str {
    // The two statuses whose line and page NGINX words differently.
    match status {
        StatusCode::FOUND => return "Moved Temporarily",
        StatusCode::UNAUTHORIZED => return "Unauthorized",
        _ => {}
    }
    match PAGES.binary_search_by_key(&status.as_u16(), |(code, _)| *code) {
        Ok(index) => PAGES[index].1,
        Err(_) => status.canonical_reason().unwrap_or(""),
    }
}

fn page(status: u16, phrase: &str, detail: Option<&str>, server_tokens: bool) -> Bytes {
    let title = detail.unwrap_or(phrase);
    let detail = detail.map(|text| format!("<center>{text}</center>\r\n")).unwrap_or_default();
    let name = server_name(server_tokens);
    Bytes::from(format!(
        "<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n\
         <center><h1>{status} {phrase}</h1></center>\r\n{detail}<hr><center>{name}</center>\r\n\
         </body>\r\n</html>\r\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_for_the_search_and_every_status_is_found() {
        assert!(PAGES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (code, phrase) in PAGES {
            let status = StatusCode::from_u16(code).unwrap();
            let page = standard_page(status, false);
            let text = std::str::from_utf8(&page).unwrap();
            assert!(text.contains(&format!("<title>{code} {phrase}</title>")), "{text}");
        }
    }

    #[test]
    fn a_page_is_laid_out_as_nginx_does() {
        assert_eq!(
            standard_page(StatusCode::NOT_FOUND, false),
            "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1>\
             </center>\r\n<hr><center>cirque</center>\r\n</body>\r\n</html>\r\n"
        );
        assert_eq!(
            header_too_large_page(false),
            "<html>\r\n<head><title>400 Request Header Or Cookie Too Large</title></head>\r\n<body>\r\n\
             <center><h1>400 Bad Request</h1></center>\r\n<center>Request Header Or Cookie Too Large</center>\r\n\
             <hr><center>cirque</center>\r\n</body>\r\n</html>\r\n"
        );
    }

    #[test]
    fn the_statuses_around_tls_are_seen_as_400_with_words_of_their_own() {
        let status = StatusCode::from_u16(497).unwrap();
        assert_eq!(seen_as(status), StatusCode::BAD_REQUEST);
        assert_eq!(seen_as(StatusCode::NOT_FOUND), StatusCode::NOT_FOUND);
        assert_eq!(
            standard_page(status, false),
            "<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>\r\n<body>\r\n\
             <center><h1>400 Bad Request</h1></center>\r\n\
             <center>The plain HTTP request was sent to HTTPS port</center>\r\n<hr><center>cirque</center>\r\n\
             </body>\r\n</html>\r\n"
        );
    }

    #[test]
    fn the_version_is_told_only_with_server_tokens() {
        let version = env!("CARGO_PKG_VERSION");
        let with = standard_page(StatusCode::BAD_GATEWAY, true);
        assert!(std::str::from_utf8(&with).unwrap().contains(&format!("cirque/{version}")));
        let without = standard_page(StatusCode::BAD_GATEWAY, false);
        assert!(!std::str::from_utf8(&without).unwrap().contains(version));
    }

    #[test]
    fn a_status_without_a_page_has_an_empty_one_and_a_registered_phrase() {
        assert!(standard_page(StatusCode::IM_A_TEAPOT, true).is_empty());
        assert!(standard_page(StatusCode::OK, true).is_empty());
        assert_eq!(status_phrase(StatusCode::IM_A_TEAPOT), "I'm a teapot");
        assert_eq!(status_phrase(StatusCode::from_u16(599).unwrap()), "");
        assert_eq!(status_phrase(StatusCode::FOUND), "Moved Temporarily");
        assert_eq!(status_phrase(StatusCode::UNAUTHORIZED), "Unauthorized");
        assert_eq!(status_phrase(StatusCode::SERVICE_UNAVAILABLE), "Service Temporarily Unavailable");
    }
}
