//! Lingering close, which does not lose the answer.
//!
//! When a socket is closed while the client still sends, the kernel answers with a reset, and the client may never
//! see an error page that is already under way. So the sending side is closed first, and further input is read and
//! discarded until the client closes too. Silence, time and bytes are bounded, because a client may never close;
//! NGINX's `lingering_close` has the same bounds but the last.

use std::io;
use std::pin::Pin;
use std::task::ready;
use std::time::Duration;

use pingora::server::ShutdownWatch;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::connection::drain::LAST_CALL;

/// The longest silence; NGINX's `lingering_timeout`.
const SILENCE: Duration = Duration::from_secs(5);
/// The longest time; NGINX's `lingering_time`.
const TOTAL: Duration = Duration::from_secs(30);
/// The most bytes discarded: a client that ignores the answer for so long will not read it.
const TOTAL_BYTES: usize = 64 * 1024 * 1024;

/// Closes `socket` with a lingering close; a graceful stop of the process cuts it short.
pub(in crate::connection) async fn linger(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    stopping: &mut ShutdownWatch,
) {
    if socket.shutdown().await.is_err() {
        return;
    }
    let discard = pingora_timeout::timeout(TOTAL, discard(&mut socket));
    tokio::pin!(discard);
    tokio::select! {
        biased;
        _ = &mut discard => return,
        _ = crate::connection::closing(stopping) => {}
    }
    let _ = tokio::time::timeout(LAST_CALL, discard).await;
}

async fn discard(socket: &mut (impl AsyncRead + Unpin)) {
    let mut left = TOTAL_BYTES;
    while let Ok(Ok(count @ 1..)) = pingora_timeout::timeout(SILENCE, discard_some(socket)).await {
        left = left.saturating_sub(count);
        if left == 0 {
            return;
        }
    }
}

async fn discard_some(socket: &mut (impl AsyncRead + Unpin)) -> io::Result<usize> {
    std::future::poll_fn(|cx| {
        let mut bytes = [std::mem::MaybeUninit::uninit(); 4096];
        let mut chunk = ReadBuf::uninit(&mut bytes);
        ready!(Pin::new(&mut *socket).poll_read(cx, &mut chunk))?;
        std::task::Poll::Ready(Ok(chunk.filled().len()))
    })
    .await
}
