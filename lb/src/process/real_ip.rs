//! Looks up the names of `set_real_ip_from`, once for each configuration, as nginx does.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::config::diagnostics::Diagnostic;
use crate::config::model::{Http, Server, Trusted};
use crate::upstream::look_up;

/// Tells every setting the addresses of its names. May wait for DNS.
///
/// # Errors
///
/// Every name that is not found, in nginx's words.
pub(super) fn look_up_names(http: &Http) -> Result<(), Vec<Diagnostic>> {
    let mut known: HashMap<&str, Option<Vec<SocketAddr>>> = HashMap::new();
    let mut errors: Vec<Diagnostic> = Vec::new();
    for trusted in http.servers.iter().flat_map(trusted_by) {
        let mut addresses = Vec::new();
        for name in &trusted.names {
            match known.entry(&name.host).or_insert_with(|| look_up(&name.host, 0)) {
                Some(found) => addresses.extend(found.iter().map(SocketAddr::ip)),
                None => {
                    let message = format!("host not found in set_real_ip_from \"{}\"", name.host);
                    let error = Diagnostic::emerg(message, name.position.clone());
                    // Levels that inherit it share the fault.
                    if !errors.contains(&error) {
                        errors.push(error);
                    }
                }
            }
        }
        trusted.settle(addresses);
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn trusted_by(server: &Server) -> impl Iterator<Item = &Trusted> {
    let all = server.all_locations().map(|location| &location.settings.real_ip.trusted);
    all.filter(|trusted| !trusted.names.is_empty())
}
