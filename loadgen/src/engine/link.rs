//! What a connection's requests travel over: one open stream for each place that it sends to, plain TCP or
//! TLS. Opens, reads and writes; what the bytes mean and how long anything may take is the caller's affair.
//!
//! Reading and writing run once per request. Both kinds of stream are variants of one enum, so that a plain
//! request pays for the possibility of TLS with one comparison, and neither kind with an allocation or a
//! call through a table. (A TLS stream lies in a box of its own, made when it is opened: it is a hundred
//! times as large as a socket.)

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls;

use crate::reach::Endpoint;

/// An open stream.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A stream with its past.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) stream: Stream,
    /// Complete answers that it has carried.
    pub(super) answers: u64,
}

/// How many links are open, and the most that ever were; one for all connections of a thread.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    open: Cell<u64>,
    peak: Cell<u64>,
}

/// What becomes of a link after a complete answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Afterlife {
    /// It carries the next request.
    Reuse,
    /// Both sides know that nothing follows.
    Part,
    /// It cannot be used, and the peer may not know it.
    Drop,
}

/// What one connection keeps from request to request: its links, by the number of the endpoint.
#[derive(Debug)]
pub(super) struct Links {
    slots: Vec<Slot>,
    gauge: Rc<Gauge>,
    /// Where it stands in the order of the URLs.
    pub(super) place: usize,
}

#[derive(Debug, Default)]
struct Slot {
    link: Option<Link>,
    /// The link before, which the peer is about to close. Who closes first has to keep the port for a
    /// minute more (TIME_WAIT), which would use up a client's ports within seconds at one request per
    /// connection; a server has no such limit. So the peer is given until the next link parts.
    parting: Option<Stream>,
}

impl Stream {
    /// Connects, and shakes hands where there is TLS.
    pub(super) async fn open(endpoint: &Endpoint) -> io::Result<Self> {
        let stream = TcpStream::connect(endpoint.address).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &endpoint.tls else { return Ok(Self::Plain(stream)) };
        let connector = TlsConnector::from(Arc::clone(&tls.config));
        Ok(Self::Tls(Box::new(connector.connect(tls.server_name.clone(), stream).await?)))
    }

    /// Takes over a plain stream that is open already.
    pub(super) fn adopt(stream: std::net::TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Self::Plain(TcpStream::from_std(stream)?))
    }

    /// Reads what is there; nothing read means that the peer has closed. An end of TLS without its alert
    /// is an error of kind `UnexpectedEof`.
    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_read(context, buffer),
        }
    }

    /// Writes what there is room for. With TLS some of it may stay behind until [`Stream::poll_flush`].
    pub(super) fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_write(context, bytes),
        }
    }

    /// Sends what TLS kept back.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_flush(context),
        }
    }
}

impl Links {
    /// No link to any of so many endpoints, at this place in the order of the URLs; `gauge` learns of those that
    /// are opened.
    pub(super) fn new(endpoints: usize, place: usize, gauge: Rc<Gauge>) -> Self {
        let mut slots = Vec::new();
        slots.resize_with(endpoints, Slot::default);
        Self { slots, gauge, place }
    }

    /// The open link to an endpoint, if there is one.
    pub(super) fn at(&mut self, endpoint: usize) -> Option<&mut Link> {
        self.slots[endpoint].link.as_mut()
    }

    /// Takes a stream to an endpoint that was just opened, where none was.
    pub(super) fn add(&mut self, endpoint: usize, stream: Stream) -> &mut Link {
        self.gauge.opened();
        self.slots[endpoint].link.insert(Link { stream, answers: 0 })
    }

    /// Whether the link has carried an answer already.
    pub(super) fn is_reused(&self, endpoint: usize) -> bool {
        self.slots[endpoint].link.as_ref().is_some_and(|link| link.answers > 0)
    }

    /// Closes the link at once.
    pub(super) fn drop(&mut self, endpoint: usize) {
        if self.slots[endpoint].link.take().is_some() {
            self.gauge.closed();
        }
    }

    /// The link has carried a complete answer.
    pub(super) fn answered(&mut self, endpoint: usize, afterlife: Afterlife) {
        let slot = &mut self.slots[endpoint];
        match afterlife {
            Afterlife::Reuse => {
                if let Some(link) = &mut slot.link {
                    link.answers += 1;
                }
            }
            // What is parting carries nothing more.
            Afterlife::Part => {
                slot.parting = slot.link.take().map(|link| link.stream);
                self.gauge.closed();
            }
            Afterlife::Drop => self.drop(endpoint),
        }
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        self.slots.iter().filter(|slot| slot.link.is_some()).for_each(|_| self.gauge.closed());
    }
}

impl Gauge {
    fn opened(&self) {
        self.open.set(self.open.get() + 1);
        self.peak.set(self.peak.get().max(self.open.get()));
    }

    fn closed(&self) {
        self.open.set(self.open.get().saturating_sub(1));
    }

    /// The most links that were open at once.
    pub(super) fn peak(&self) -> u64 {
        self.peak.get()
    }
}

/// Whether TLS itself failed: a certificate, a protocol, an alert, a record that does not decrypt.
pub(super) fn is_tls(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}
