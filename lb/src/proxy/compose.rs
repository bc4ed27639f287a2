//! Answers that are made of several: `ssi`, `add_before_body`, `add_after_body`.
//!
//! The location's own answer is made by a subrequest that goes on from where the request stands: the same state, the same
//! file that is open. Its body passes here piece by piece, and what is to be put into it is asked for when its place has
//! come, which no filter of Pingora's could wait for. The client's session is written here alone.
//!
//! Source of the rules: `ngx_http_addition_filter_module`, `ngx_http_ssi_filter_module`.

use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_TYPE, ETAG, LAST_MODIFIED, TRANSFER_ENCODING, VARY,
};
use http::{Method, StatusCode, Version};
use percent_encoding::percent_decode;
use pingora::Result;
use pingora::http::ResponseHeader;
use pingora::protocols::http::HttpTask;
use pingora::protocols::http::subrequest::server::SubrequestHandle;
use pingora_proxy::Session;
use tokio::task::JoinHandle;

use super::context::{Request, Told, unexpected};
use super::{filtered, filtering, record, subrequest, upload};
use crate::config::model::{Location, MediaTypes};
use crate::connection::facts::Framing;
use crate::content::ssi::{Include, Page, Parser, Part, Values, Wanted};
use crate::filter::{Chain, Passed, Signal};
use crate::observe::clock;
use crate::observe::reasons::Generated;
use crate::request::headers::to_client;
use crate::request::pace::Pace;
use crate::request::{Step, Subrequest};
use crate::script::Values as _;

/// Whether answers of a location may be made of several.
pub(super) fn composes(location: &Location) -> bool {
    let addition = &location.settings.addition;
    location.settings.ssi.on || addition.before.is_some() || addition.after.is_some()
}

/// Makes the answer of a location that composes; gives the step back where the answer is passed on as it is.
pub(super) async fn run(
    session: &mut Session,
    request: &mut Request,
    step: Step,
    now: Instant,
) -> Result<Option<Step>> {
    let Some(location) = request.state.location().filter(|location| composes(location)).cloned() else {
        return Ok(Some(step));
    };
    let makes_answer = matches!(step, Step::Answer(_) | Step::Proxy(_));
    if !makes_answer || request.is_part() || request.facts.shape.upgrade {
        return Ok(Some(step));
    }
    let ends = request.state.ending.generated.is_some_and(Generated::ends_connection);
    if ends && matches!(step, Step::Answer(_)) {
        session.set_keepalive(None);
    }
    let mut body = Bytes::new();
    if request.facts.shape.framing != Framing::Empty && matches!(step, Step::Proxy(_)) {
        if !upload::read_for_copies(session, request).await? {
            return Ok(Some(step));
        }
        body = session.as_ref().get_retry_buffer().unwrap_or_default();
    }
    let Some(own) = subrequest::prepare_content(session, request, step, !body.is_empty(), now) else {
        return unexpected();
    };
    let pace = request.pace(session.req_header(), now);
    let mut composer = Composer {
        session,
        request,
        location,
        page: None,
        around: false,
        has_body: false,
        chain: None,
        pace,
        now,
    };
    let ended = composer.compose(own.handle, own.running, body).await;
    let compressed = composer.chain.as_ref().and_then(Chain::compressed);
    let returned = own.told.lock().take();
    if let Some(report) = returned {
        report.give_back(request);
    }
    request.state.compressed = compressed;
    ended.map(|()| None)
}

/// An answer on its way to the client.
struct Composer<'a> {
    session: &'a mut Session,
    request: &'a mut Request,
    location: Arc<Location>,
    /// The commands of the page, where they are carried out.
    page: Option<(Parser, Page)>,
    /// Something is put before or behind it.
    around: bool,
    has_body: bool,
    /// What the whole passes on its way to the client.
    chain: Option<Chain>,
    pace: Option<Pace>,
    now: Instant,
}

/// A task that ends with whoever waits for it.
struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Composer<'_> {
    async fn compose(
        &mut self,
        handle: SubrequestHandle,
        running: BoxFuture<'static, ()>,
        body: Bytes,
    ) -> Result<()> {
        let SubrequestHandle { tx, mut rx, mut subreq_proxy_error, .. } = handle;
        // A task of its own: pages in pages would otherwise be polled through one another.
        let mut running = Running(tokio::spawn(running));
        if !body.is_empty() && tx.send(HttpTask::Body(Some(body), true)).await.is_err() {
            return unexpected();
        }
        let mut has_header = false;
        let mut is_whole = false;
        while let Some(task) = rx.recv().await {
            match task {
                HttpTask::Header(header, _) if header.status.is_informational() => {}
                HttpTask::Header(header, _) => {
                    has_header = true;
                    self.header(header).await?;
                }
                HttpTask::Body(piece, ends) => {
                    is_whole |= ends;
                    if let Some(piece) = piece.filter(|piece| !piece.is_empty()) {
                        self.piece(piece).await?;
                    }
                    if self.chain.is_some() && rx.is_empty() {
                        // Nothing for now: what can leave has to.
                        self.pass(Bytes::new(), Signal::Flush).await?;
                    }
                }
                HttpTask::Done | HttpTask::Trailer(_) => is_whole = true,
                HttpTask::Failed(error) => return Err(error),
                HttpTask::UpgradedBody(..) => return unexpected(),
            }
        }
        let _ = (&mut running.0).await;
        drop(tx);
        if !has_header || !is_whole {
            return match subreq_proxy_error.try_recv() {
                Ok(error) => Err(error),
                Err(_) if has_header => self.end().await,
                Err(_) => unexpected(),
            };
        }
        self.end().await
    }

    async fn header(&mut self, mut header: Box<ResponseHeader>) -> Result<()> {
        let location = Arc::clone(&self.location);
        let settings = &location.settings;
        let is_empty = header.headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0");
        let is_main = self.request.state.outer().is_none();
        let carries_out = settings.ssi.on && !is_empty && has_type(&header, &settings.ssi.types);
        self.around = is_main
            && header.status == StatusCode::OK
            && (settings.addition.before.is_some() || settings.addition.after.is_some())
            && has_type(&header, &settings.addition.types);
        let has_body = to_client::has_body(header.status) && self.session.req_header().method != Method::HEAD;
        if carries_out || self.around {
            let keeps_time = !carries_out || settings.ssi.last_modified;
            if !keeps_time {
                header.remove_header(&LAST_MODIFIED);
                header.remove_header(&ETAG);
            }
            self.without_length(&mut header, has_body)?;
        }
        if carries_out && has_body {
            let longest = usize::try_from(settings.ssi.value_bytes).unwrap_or(usize::MAX);
            self.page = Some((Parser::new(longest), Page::new(settings.ssi.silent_errors)));
        }
        self.request.composes = true;
        let varied = header.headers.contains_key(VARY);
        self.chain = filtering::begin(
            &mut header,
            self.session,
            self.request,
            filtering::OfFile { varied, in_parts: false },
            self.now,
        )?;
        self.around &= has_body;
        self.has_body = has_body;
        self.session.write_response_header(header, !has_body).await?;
        match self.location.settings.addition.before.clone().filter(|_| self.around) {
            Some(uri) => self.add(uri).await,
            None => Ok(()),
        }
    }

    /// How long it will be is not known, so no part of it can be asked for.
    fn without_length(&mut self, header: &mut ResponseHeader, has_body: bool) -> Result<()> {
        header.remove_header(&CONTENT_LENGTH);
        header.remove_header(&ACCEPT_RANGES);
        let strong = header.headers.get(ETAG).filter(|tag| !tag.as_bytes().starts_with(b"W/")).cloned();
        if let Some(tag) = strong {
            header.insert_header("ETag", [b"W/", tag.as_bytes()].concat())?;
        }
        if !has_body || header.headers.contains_key(TRANSFER_ENCODING) {
            return Ok(());
        }
        let in_chunks = self.session.req_header().version >= Version::HTTP_11
            && self.location.settings.core.chunked_transfer_encoding;
        if in_chunks {
            header.insert_header("Transfer-Encoding", "chunked")?;
        } else {
            // Its end is that of the connection.
            self.session.set_keepalive(None);
        }
        Ok(())
    }

    async fn piece(&mut self, piece: Bytes) -> Result<()> {
        let Some((mut parser, mut page)) = self.page.take() else { return self.write(piece).await };
        let mut parts = Vec::new();
        parser.push(&piece, &mut parts);
        for part in parts {
            self.part(part, &mut page).await?;
        }
        self.page = Some((parser, page));
        Ok(())
    }

    async fn end(&mut self) -> Result<()> {
        if let Some((mut parser, mut page)) = self.page.take()
            && let Some(rest) = parser.finish()
        {
            self.part(rest, &mut page).await?;
        }
        if let Some(uri) = self.location.settings.addition.after.clone().filter(|_| self.around) {
            self.add(uri).await?;
        }
        match self.has_body {
            true => self.pass(Bytes::new(), Signal::End).await,
            false => Ok(()),
        }
    }

    async fn part(&mut self, part: Part, page: &mut Page) -> Result<()> {
        let time_format = page.time_format().map(<[u8]>::to_vec);
        let mut known = Known { composer: self, time_format };
        match page.take(part, &mut known) {
            Ok(Wanted::Nothing) => Ok(()),
            Ok(Wanted::Output(text)) => self.write(text).await,
            Ok(Wanted::Include(include)) => self.include(include, page).await,
            Err(complaint) => {
                record::command_failed(self.session, self.request, &complaint);
                self.write(page.error()).await
            }
        }
    }

    async fn include(&mut self, include: Include, page: &mut Page) -> Result<()> {
        let Include { uri, set, stub } = include;
        let Some(asked) = asked(&uri) else {
            let complaint = format!("unsafe URI \"{}\" was detected", uri.escape_ascii());
            record::command_failed(self.session, self.request, &complaint);
            return self.write(page.error()).await;
        };
        let gathers = set.is_some() || stub.is_some();
        let mut gathered = BytesMut::new();
        let Some((mut answer, mut running, told)) = self.begin(&asked) else {
            return self.write(page.error()).await;
        };
        while let Some(task) = answer.rx.recv().await {
            match task {
                HttpTask::Body(Some(piece), _) if gathers => gathered.extend_from_slice(&piece),
                HttpTask::Body(Some(piece), _) => self.write(piece).await?,
                _ => {}
            }
        }
        match (set, stub) {
            (Some(name), _) => page.set(&name, gathered.to_vec()),
            (None, Some(stub)) => {
                let _ = (&mut running.0).await;
                let is_page = told.lock().as_ref().is_none_or(|report| report.is_page);
                let text = if is_page || gathered.is_empty() { stub } else { gathered.freeze() };
                self.write(text).await?;
            }
            (None, None) => {}
        }
        Ok(())
    }

    /// Puts what a location answers here.
    async fn add(&mut self, uri: Box<str>) -> Result<()> {
        let asked = Subrequest { path: uri.as_bytes().to_vec(), arguments: Vec::new(), keeps_method: false };
        let Some((mut answer, _running, _told)) = self.begin(&asked) else { return Ok(()) };
        while let Some(task) = answer.rx.recv().await {
            if let HttpTask::Body(Some(piece), _) = task {
                self.write(piece).await?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, asked: &Subrequest) -> Option<(SubrequestHandle, Running, Told)> {
        let ready = subrequest::prepare_copy(self.session, self.request, asked, false, Instant::now());
        record::notes(self.session, self.request);
        let ready = ready?;
        Some((ready.handle, Running(tokio::spawn(ready.running)), ready.told))
    }

    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        match bytes.is_empty() {
            true => Ok(()),
            false => self.pass(bytes, Signal::More).await,
        }
    }

    /// Writes what comes of a piece behind the filters.
    async fn pass(&mut self, mut piece: Bytes, signal: Signal) -> Result<()> {
        loop {
            let passed = match &mut self.chain {
                Some(chain) => chain.pass(&mut piece, signal).map_err(filtered::failed)?,
                None => Passed { bytes: std::mem::take(&mut piece), more: false },
            };
            let ends = signal == Signal::End && !passed.more;
            let bytes = passed.bytes.len();
            if let Some(wait) = self.pace.as_mut().and_then(|pace| pace.before(bytes, Instant::now())) {
                pingora_timeout::sleep(wait).await;
            }
            if bytes > 0 || ends {
                self.session.write_response_body(Some(passed.bytes), ends).await?;
            }
            if !passed.more {
                return Ok(());
            }
        }
    }
}

/// The variables that a page may speak of.
struct Known<'c, 'a> {
    composer: &'c mut Composer<'a>,
    time_format: Option<Vec<u8>>,
}

impl Values for Known<'_, '_> {
    fn value(&mut self, name: &str) -> Option<Vec<u8>> {
        if let "date_local" | "date_gmt" = name {
            let format = self.time_format.as_deref().map(String::from_utf8_lossy);
            let format = format.as_deref().unwrap_or(clock::DATE);
            return Some(clock::date(name == "date_local", format).into_bytes());
        }
        let Composer { session, request, now, .. } = &mut *self.composer;
        let variable = request.snapshot().config.http.variables.get(name)?;
        let mut value = Vec::new();
        request.values(session.req_header(), None, *now).write(&variable, &mut value).then_some(value)
    }
}

fn has_type(header: &ResponseHeader, types: &MediaTypes) -> bool {
    let value = header.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| types.contains(value.split(';').next().unwrap_or_default().trim()))
}

/// What an `include` asks for; `None` for a path that climbs.
fn asked(uri: &[u8]) -> Option<Subrequest> {
    let mut parts = uri.splitn(2, |byte| *byte == b'?');
    let path: Vec<u8> = percent_decode(parts.next().unwrap_or_default()).collect();
    let arguments = parts.next().unwrap_or_default().to_vec();
    let climbs = path.split(|byte| *byte == b'/').any(|part| part == b"..");
    (!climbs && !path.contains(&0) && path.first() == Some(&b'/')).then_some(Subrequest {
        path,
        arguments,
        keeps_method: false,
    })
}
