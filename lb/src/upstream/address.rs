//! Addresses of servers.

/// The address of a server: an Internet address or the path of a Unix domain socket.
pub use pingora::protocols::l4::socket::SocketAddr as Address;

/// An address as nginx writes it.
pub(super) fn name_of(address: &Address) -> String {
    match address {
        Address::Inet(address) => address.to_string(),
        Address::Unix(address) => match address.as_pathname() {
            Some(path) => format!("unix:{}", path.display()),
            None => "unix:".to_owned(),
        },
    }
}
