//! Lines as datagrams to a syslog server, in the form that nginx gives them:
//! `<190>Nov 28 10:04:05 host nginx: the line`.
//!
//! The socket is made when it is first needed, and again after an error, so that a server that is not there yet, or
//! comes back, gets what is sent from then on. Nothing is kept for a server that is away: as in nginx, such lines are
//! lost, and counted.

use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::SystemTime;

use super::OpenError;
use super::sink::WriteError;
use crate::config::model::{Syslog, SyslogServer, SyslogSeverity};
use crate::observe::clock;

/// Stands behind each message where several wait: no line of a log has it.
const END: u8 = 0;

/// Messages on their way to a server.
#[derive(Debug)]
pub(super) struct Datagrams {
    syslog: Arc<Syslog>,
    /// What the server's name meant when the log was opened.
    address: Option<SocketAddr>,
    socket: Option<Socket>,
}

#[derive(Debug)]
enum Socket {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl Datagrams {
    /// Looks the server's name up; blocks for as long as DNS takes.
    pub(super) fn open(syslog: &Arc<Syslog>) -> Result<Self, OpenError> {
        let address = match &syslog.server {
            SyslogServer::Unix(_) => None,
            SyslogServer::Udp { written, host, port } => {
                let found = (&**host, *port).to_socket_addrs().ok().and_then(|mut all| all.next());
                Some(found.ok_or_else(|| OpenError::NoSyslogServer { written: written.clone() })?)
            }
        };
        Ok(Self { syslog: Arc::clone(syslog), address, socket: None })
    }

    /// Sends each message of `messages`. After an error the rest is tried all the same; the error says how many were
    /// lost, and of the first why.
    pub(super) fn send_all(&mut self, messages: &[u8]) -> Result<(), WriteError> {
        let mut lost: Option<WriteError> = None;
        for message in messages.split(|byte| *byte == END).filter(|message| !message.is_empty()) {
            if let Err(source) = self.send(message) {
                self.socket = None;
                match &mut lost {
                    Some(error) => error.lines += 1,
                    None => lost = Some(WriteError { lines: 1, source }),
                }
            }
        }
        lost.map_or(Ok(()), Err)
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            none => none.insert(connect(&self.syslog.server, self.address)?),
        };
        let sent = match socket {
            Socket::Udp(socket) => socket.send(message),
            Socket::Unix(socket) => socket.send(message),
        };
        sent.map(|_| ())
    }
}

fn connect(server: &SyslogServer, address: Option<SocketAddr>) -> io::Result<Socket> {
    match (server, address) {
        (SyslogServer::Unix(path), _) => {
            let socket = UnixDatagram::unbound()?;
            socket.connect(path)?;
            Ok(Socket::Unix(socket))
        }
        (SyslogServer::Udp { .. }, Some(address)) => {
            let any: SocketAddr = match address {
                SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
                SocketAddr::V6(_) => ([0; 8], 0).into(),
            };
            let socket = UdpSocket::bind(any)?;
            socket.connect(address)?;
            Ok(Socket::Udp(socket))
        }
        (SyslogServer::Udp { .. }, None) => Err(io::ErrorKind::AddrNotAvailable.into()),
    }
}

/// Adds the message of `line` to those that wait.
pub(super) fn push_message(
    text: &mut Vec<u8>,
    syslog: &Syslog,
    severity: SyslogSeverity,
    now: SystemTime,
    line: &[u8],
) {
    let priority = u32::from(syslog.facility) * 8 + u32::from(severity.0);
    // Writing to memory does not fail.
    let _ = write!(text, "<{priority}>");
    clock::with_text(now, |time| text.extend_from_slice(time.syslog().as_bytes()));
    text.push(b' ');
    if syslog.with_host_name {
        text.extend(crate::observe::hostname().bytes().map(|byte| byte.to_ascii_lowercase()));
        text.push(b' ');
    }
    text.extend_from_slice(syslog.tag.as_bytes());
    text.extend_from_slice(b": ");
    text.extend(line.iter().map(|byte| if *byte == END { b' ' } else { *byte }));
    text.push(END);
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn syslog(server: SyslogServer, with_host_name: bool) -> Arc<Syslog> {
        let severity = SyslogSeverity(6);
        Arc::new(Syslog { server, facility: 23, severity, tag: "nginx".into(), with_host_name })
    }

    #[test]
    fn a_message_has_priority_time_host_and_tag() {
        let to = |with_host_name| syslog(SyslogServer::Unix("/dev/log".into()), with_host_name);
        let now = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        let mut text = Vec::new();
        push_message(&mut text, &to(false), SyslogSeverity(3), now, b"a\0b");
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("<187>Sep "), "{text}");
        assert!(text.ends_with(" nginx: a b\0"), "{text}");
        assert_eq!(text.len(), "<187>Sep 21 14:13:20 nginx: a b.".len());
        let mut with = Vec::new();
        push_message(&mut with, &to(true), SyslogSeverity(3), now, b"x");
        let with = String::from_utf8(with).unwrap();
        assert!(
            with.contains(&format!(" {} nginx: x", crate::observe::hostname().to_ascii_lowercase())),
            "{with}"
        );
    }

    #[test]
    fn a_server_that_comes_back_gets_what_is_sent_then() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut datagrams = Datagrams::open(&syslog(SyslogServer::Unix(path.clone()), true)).unwrap();
        assert_eq!(datagrams.send_all(b"lost\0lost too\0").unwrap_err().lines, 2);
        let server = UnixDatagram::bind(&path).unwrap();
        datagrams.send_all(b"one\0two\0").unwrap();
        let mut buffer = [0; 16];
        for expected in ["one", "two"] {
            let length = server.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], expected.as_bytes());
        }
    }
}
