//! A request that waits before it goes on.

use std::time::Duration;

use pingora::Result;
use pingora_proxy::Session;

/// Waits so long. A client that leaves meanwhile ends the request; what it sends is its body, or its next request, and is
/// left where it is.
pub(super) async fn out(session: &mut Session, time: Duration) -> Result<()> {
    let waited = pingora_timeout::sleep(time);
    tokio::pin!(waited);
    // Only a body that is over can be watched past its end without taking a piece of it.
    if !session.as_mut().is_body_empty() && !session.as_mut().is_body_done() {
        waited.await;
        return Ok(());
    }
    tokio::select! {
        biased;
        () = &mut waited => Ok(()),
        idle = session.as_mut().read_body_or_idle(true) => match idle {
            // Pingora does not say whose fault it is.
            Err(left) => Err(left.into_down()),
            Ok(_) => {
                waited.await;
                Ok(())
            }
        },
    }
}
