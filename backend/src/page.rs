//! The live page. It holds everything it needs, so that it also works through a balancer that sends each of its
//! requests to another server.

use actix_web::{
    HttpResponse,
    http::header::{self, HeaderValue},
};

const PAGE: &str = include_str!("page.html");

/// Answers with the page.
pub(crate) async fn respond() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")))
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-cache")))
        .body(PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        for foreign in ["src=\"", "@import", "url(http", "//cdn", "https://"] {
            assert!(!PAGE.contains(foreign), "{foreign}");
        }
        assert!(PAGE.len() < 30_000, "{} bytes", PAGE.len());
    }

    #[test]
    fn what_browser_tests_look_for_is_there() {
        for id in ["server", "rps", "total", "peak", "status", "sparkline"] {
            assert_eq!(PAGE.matches(&format!("id=\"{id}\"")).count(), 1, "{id}");
        }
    }
}
