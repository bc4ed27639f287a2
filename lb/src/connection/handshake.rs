//! The TLS handshake of a connection, before its first request.
//!
//! The client's first message is read before anything is decided: the name in it chooses the server block, whose
//! certificate and settings the handshake is done with. A client that does not speak TLS is known by its first byte.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::server::{Accepted, Acceptor};
use tokio::io::{AsyncRead, ReadBuf};

use super::transport::{Broken, Tls, Transport, Wire};
use crate::observe::handshakes::{Handshake, HandshakeFailure};
use crate::tls::{Chosen, Offered, Session, Signing};

/// What a client turned out to speak.
pub(super) enum Spoken {
    /// TLS, and what was agreed on.
    Tls(Transport, Box<Session>),
    /// Something else, of which this much was read.
    Plain(Transport, Vec<u8>),
}

/// The alert that rejects a handshake (`ssl_reject_handshake`): a record of type 21 in the version of every first
/// record, of two bytes: fatal, unrecognized_name.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// The alert of a certificate that cannot be read: internal_error.
const INTERNAL_ERROR: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

/// Size of the first read.
const FIRST_BYTES: usize = 4096;

/// Does the handshake with whatever `choose` chooses for the name that the client asks for.
pub(super) async fn handshake(
    mut transport: Transport,
    choose: impl FnOnce(Option<&str>) -> Chosen,
) -> Result<Spoken, Broken> {
    let first = first_bytes(&mut transport).await?;
    if !is_tls(&first) {
        return Ok(Spoken::Plain(transport, first));
    }
    // Boxed, so that a client that has said nothing costs little.
    Box::pin(with_first_bytes(transport, first, choose)).await
}

async fn with_first_bytes(
    mut transport: Transport,
    first: Vec<u8>,
    choose: impl FnOnce(Option<&str>) -> Chosen,
) -> Result<Spoken, Broken> {
    let accepted = client_hello(&mut transport, first).await?;
    let offered = Offered::of(&accepted.client_hello());
    let Chosen { config, demand, authorities, is_named } = choose(accepted.client_hello().server_name());
    let Some(config) = config else {
        // A client that does not take it learns it from the end of the connection.
        let _ = transport.try_write_vectored(&[IoSlice::new(&UNRECOGNIZED_NAME)]);
        return Err(Broken::Rejected);
    };
    let config = match demand {
        None => config,
        Some(demand) => {
            let name = accepted.client_hello().server_name().map(str::to_owned);
            match demand.complete(&config, name.as_deref()).await {
                Ok(config) => config,
                Err(error) => {
                    log::error!("{error} while SSL handshaking");
                    let _ = transport.try_write_vectored(&[IoSlice::new(&INTERNAL_ERROR)]);
                    return Err(Broken::Rejected);
                }
            }
        }
    };
    let signing = Signing::of(accepted.client_hello(), &config);
    let session = match accepted.into_connection(config) {
        Ok(session) => session,
        Err((error, mut alert)) => {
            let _ = alert.write(&mut Wire { below: &mut transport, cx: None });
            return Err(error.into());
        }
    };
    let mut tls = Box::new(Tls::new(transport, session));
    tls.handshake().await?;
    let early = tls.early();
    let session =
        Session::of(tls.session(), offered, is_named, authorities.as_deref(), &signing, early).into();
    Ok(Spoken::Tls(Transport::Tls(tls), session))
}

/// The label of a handshake that was done.
pub(super) fn kind(session: &Session) -> Handshake {
    match (session.protocol(), session.resumed()) {
        ("TLSv1.2", false) => Handshake::Tls12,
        ("TLSv1.2", true) => Handshake::Tls12Resumed,
        (_, false) => Handshake::Tls13,
        (_, true) => Handshake::Tls13Resumed,
    }
}

/// The label of a handshake that was not.
pub(super) fn reason(error: &Broken) -> HandshakeFailure {
    use rustls::{Error, PeerIncompatible};
    match error {
        Broken::Socket(_) => HandshakeFailure::Closed,
        Broken::Rejected => HandshakeFailure::Rejected,
        Broken::Protocol(Error::AlertReceived(_)) => HandshakeFailure::ClientAlert,
        Broken::Protocol(Error::NoApplicationProtocol) => HandshakeFailure::Alpn,
        Broken::Protocol(Error::PeerIncompatible(why)) => match why {
            PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::Tls13RequiredForQuic => HandshakeFailure::Protocol,
            _ => HandshakeFailure::Cipher,
        },
        Broken::Protocol(_) => HandshakeFailure::Invalid,
    }
}

/// Whether these are the beginning of a TLS handshake: a record of that type, or, as nginx has it, what could be one of
/// SSL 2.
fn is_tls(first: &[u8]) -> bool {
    first.first().is_some_and(|byte| *byte == 0x16 || *byte & 0x80 != 0)
}

async fn first_bytes(transport: &mut Transport) -> io::Result<Vec<u8>> {
    std::future::poll_fn(|cx| {
        let mut bytes = [std::mem::MaybeUninit::uninit(); FIRST_BYTES];
        let mut chunk = ReadBuf::uninit(&mut bytes);
        std::task::ready!(Pin::new(&mut *transport).poll_read(cx, &mut chunk))?;
        if chunk.filled().is_empty() {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        Poll::Ready(Ok(chunk.filled().to_vec()))
    })
    .await
}

/// Reads the client's first message to its end.
async fn client_hello(transport: &mut Transport, first: Vec<u8>) -> Result<Accepted, Broken> {
    let mut acceptor = Acceptor::default();
    let mut first = first.as_slice();
    while !first.is_empty() {
        acceptor.read_tls(&mut first)?;
    }
    std::future::poll_fn(|cx| poll_client_hello(&mut acceptor, transport, cx)).await
}

fn poll_client_hello(
    acceptor: &mut Acceptor,
    transport: &mut Transport,
    cx: &mut Context<'_>,
) -> Poll<Result<Accepted, Broken>> {
    loop {
        match acceptor.accept() {
            Ok(Some(accepted)) => return Poll::Ready(Ok(accepted)),
            Ok(None) => {}
            Err((error, mut alert)) => {
                let _ = alert.write(&mut Wire { below: transport, cx: None });
                return Poll::Ready(Err(error.into()));
            }
        }
        match acceptor.read_tls(&mut Wire { below: transport, cx: Some(cx) }) {
            Ok(0) => return Poll::Ready(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            Err(error) => return Poll::Ready(Err(error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_tls;

    #[test]
    fn a_handshake_is_known_by_its_first_byte() {
        assert!(is_tls(&[0x16, 3, 1]) && is_tls(&[0x80, 0x2e, 1]));
        assert!(!is_tls(b"GET / HTTP/1.1\r\n") && !is_tls(b"\r\n") && !is_tls(b""));
    }
}
