//! What is served where. `/` and `/bytes/N` run once per request of a load test; everything else is for people,
//! browsers and probes, and is not counted.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use actix_web::{
    Error, HttpRequest, HttpResponse, Resource, ResponseError, Route,
    body::{BodySize, MessageBody},
    guard,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
    web::{self, Bytes, Data, Payload, ServiceConfig},
};
use futures_util::StreamExt;
use serde::Serialize;

use crate::{
    faults::{FaultError, FaultSwitch, Faults, Outcome},
    filler::Filler,
    page,
    refusal::Refusal,
    signals::Stopping,
    sse::{self, Readings},
    traffic::{Traffic, WorkerIndex},
};

/// The longest body that is read (and thrown away), in bytes.
const MAX_REQUEST_BODY: u64 = 1 << 30;

/// The longest body that `/bytes/N` answers with.
const MAX_FILLER: u64 = 1 << 30;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// What one worker needs to answer.
#[derive(Debug)]
pub(crate) struct Worker {
    /// The server's name.
    pub(crate) server: Arc<str>,
    /// Where requests are counted.
    pub(crate) traffic: Arc<Traffic>,
    /// Which counter is this worker's own.
    pub(crate) index: WorkerIndex,
    /// What `/rps` streams.
    pub(crate) readings: Readings,
    /// Present if faults may be asked for.
    pub(crate) faults: Option<Arc<FaultSwitch>>,
    /// Ends the requests that a fault left hanging.
    pub(crate) stopping: Stopping,
}

#[derive(Serialize)]
struct RootAnswer<'a> {
    status: &'static str,
    message: &'static str,
    current_rps: u64,
    total_requests: u64,
    server: &'a str,
}

#[derive(Serialize)]
struct HealthAnswer<'a> {
    status: &'static str,
    server: &'a str,
}

/// Registers every endpoint; those for faults only `with_faults`.
pub(crate) fn configure(services: &mut ServiceConfig, with_faults: bool) {
    services
        .service(
            resource("/", "GET, HEAD, POST, PUT")
                .route(get_or_head().to(root))
                .route(web::post().to(root))
                .route(web::put().to(root)),
        )
        .service(resource("/bytes/{length}", "GET, HEAD").route(get_or_head().to(bytes)))
        .service(resource("/health", "GET, HEAD").route(get_or_head().to(health)))
        .service(resource("/rps", "GET, HEAD").route(get_or_head().to(rps)))
        .service(resource("/rps-display", "GET, HEAD").route(get_or_head().to(page::respond)));
    if with_faults {
        services.service(
            resource("/faults", "GET, HEAD, PUT, DELETE")
                .route(get_or_head().to(show_faults))
                .route(web::put().to(set_faults))
                .route(web::delete().to(clear_faults)),
        );
    }
    services.default_service(web::to(unknown_path));
}

impl Worker {
    /// Does what faults demand of a request with `query`; `None` if it is to be answered as usual.
    async fn suffer(&self, query: &str) -> Result<Option<HttpResponse>, Refusal> {
        let Some(switch) = &self.faults else { return Ok(None) };
        let faults = switch.faults().overridden_by(query)?;
        if let Some(delay) = faults.delay() {
            tokio::time::sleep(delay).await;
        }
        match faults.outcome(fastrand::f64()) {
            Outcome::Answer => Ok(None),
            Outcome::Fail => Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "an error was asked for")),
            Outcome::Hang => {
                self.stopping.clone().wait().await;
                Ok(Some(severed()))
            }
            Outcome::Close => Ok(Some(severed())),
        }
    }
}

async fn root(request: HttpRequest, body: Payload, worker: Data<Worker>) -> Result<HttpResponse, Refusal> {
    worker.traffic.count(worker.index);
    discard(body).await?;
    if let Some(fault) = worker.suffer(request.query_string()).await? {
        return Ok(fault);
    }
    Ok(json(&RootAnswer {
        status: "ok",
        message: "Request received",
        current_rps: worker.traffic.current_rps(),
        total_requests: worker.traffic.total(),
        server: &worker.server,
    }))
}

async fn bytes(request: HttpRequest, worker: Data<Worker>) -> Result<HttpResponse, Refusal> {
    worker.traffic.count(worker.index);
    let length = request.match_info().query("length");
    let length = length.parse().ok().filter(|length| *length <= MAX_FILLER).ok_or_else(|| {
        Refusal::bad_request(format!("/bytes/{length}: expected a number of bytes from 0 to {MAX_FILLER}"))
    })?;
    if let Some(fault) = worker.suffer(request.query_string()).await? {
        return Ok(fault);
    }
    Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, OCTETS)).body(Filler::new(length)))
}

async fn health(worker: Data<Worker>) -> HttpResponse {
    json(&HealthAnswer { status: "ok", server: &worker.server })
}

async fn rps(request: HttpRequest, worker: Data<Worker>) -> HttpResponse {
    sse::respond(&request, worker.readings.clone())
}

async fn show_faults(switch: Data<FaultSwitch>) -> HttpResponse {
    json(&switch.faults())
}

async fn set_faults(body: Result<Bytes, Error>, switch: Data<FaultSwitch>) -> Result<HttpResponse, Refusal> {
    let body = body.map_err(|error| {
        Refusal::new(error.as_response_error().status_code(), format!("the body: {error}"))
    })?;
    switch.set(Faults::from_json(&body)?);
    Ok(json(&switch.faults()))
}

async fn clear_faults(switch: Data<FaultSwitch>) -> HttpResponse {
    switch.set(Faults::default());
    json(&switch.faults())
}

async fn unknown_path(request: HttpRequest) -> HttpResponse {
    Refusal::new(StatusCode::NOT_FOUND, format!("nothing is served at {}", request.path())).error_response()
}

impl From<FaultError> for Refusal {
    fn from(error: FaultError) -> Self {
        Self::bad_request(error.to_string())
    }
}

/// A resource that answers other methods than its routes' with 405 and what is `allowed`.
fn resource(path: &str, allowed: &'static str) -> Resource {
    web::resource(path).default_service(web::to(move |request: HttpRequest| async move {
        let refusal = Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            format!("{} is not allowed here, only {allowed}", request.method()),
        );
        let mut response = refusal.error_response();
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
        response
    }))
}

fn get_or_head() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

fn json(answer: &impl Serialize) -> HttpResponse {
    let body = serde_json::to_vec(answer).expect("answers of strings and numbers can be written as JSON");
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, JSON)).body(body)
}

/// Reads a request's body to its end and throws it away, piece by piece.
async fn discard(mut body: Payload) -> Result<(), Refusal> {
    let mut length = 0;
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| Refusal::bad_request(format!("the body broke off: {error}")))?;
        length += piece.len() as u64;
        if length > MAX_REQUEST_BODY {
            return Err(Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("a body may have up to {MAX_REQUEST_BODY} bytes"),
            ));
        }
    }
    Ok(())
}

/// A response that closes its connection before any of it is sent: Actix drops what it has buffered, the status line
/// included, when a body fails.
fn severed() -> HttpResponse {
    HttpResponse::Ok().body(Severed)
}

struct Severed;

impl MessageBody for Severed {
    type Error = io::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Option<Result<Bytes, io::Error>>> {
        Poll::Ready(Some(Err(io::Error::other("closed on demand"))))
    }
}
