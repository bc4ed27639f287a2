//! `syslog:server=…,facility=…,severity=…,tag=…,nohostname`: the form of a log's name that sends its lines to a syslog
//! server, one datagram each (RFC 3164, as nginx writes it).

use std::path::PathBuf;

use crate::config::diagnostics::Severity;

/// What a log's name begins with.
pub(super) const PREFIX: &str = "syslog:";

const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "intern", "lpr", "news", "uucp", "clock", "authpriv", "ftp",
    "ntp", "audit", "alert", "cron", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];
/// nginx's: local7.
const DEFAULT_FACILITY: u8 = 23;
const DEFAULT_TAG: &str = "nginx";
const DEFAULT_PORT: u16 = 514;
const LONGEST_TAG: usize = 32;

/// Where and how the lines of a log are sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Syslog {
    /// The server.
    pub server: SyslogServer,
    /// The facility's code, 0 to 23.
    pub facility: u8,
    /// How severe a line of an access log is said to be.
    pub severity: SyslogSeverity,
    /// What stands before the message.
    pub tag: Box<str>,
    /// Whether the name of this host stands before the tag.
    pub with_host_name: bool,
}

/// A syslog server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SyslogServer {
    /// UDP, to an address or a name that is looked up when the log is opened.
    Udp {
        /// As written, for messages.
        written: Box<str>,
        /// The name or address, without brackets.
        host: Box<str>,
        /// The port.
        port: u16,
    },
    /// A datagram socket.
    Unix(PathBuf),
}

/// syslog's code of a severity: 0 is `emerg`, 7 `debug`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SyslogSeverity(pub u8);

impl From<Severity> for SyslogSeverity {
    fn from(severity: Severity) -> Self {
        Self(match severity {
            Severity::Emerg => 0,
            Severity::Alert => 1,
            Severity::Crit => 2,
            Severity::Error => 3,
            Severity::Warn => 4,
            Severity::Notice => 5,
            Severity::Info => 6,
            Severity::Debug => 7,
        })
    }
}

impl Syslog {
    /// Reads what follows `syslog:`. The errors are nginx's words.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let (mut server, mut facility, mut severity, mut tag) = (None, None, None, None);
        let mut with_host_name = true;
        for parameter in text.split(',') {
            match parameter.split_once('=') {
                Some(("server", value)) => once("server", &mut server, SyslogServer::read(value)?)?,
                Some(("facility", value)) => once("facility", &mut facility, facility_code(value)?)?,
                Some(("severity", value)) => once("severity", &mut severity, severity_code(value)?)?,
                Some(("tag", value)) => once("tag", &mut tag, checked_tag(value)?)?,
                None if parameter == "nohostname" => with_host_name = false,
                _ => return Err(format!("unknown syslog parameter \"{parameter}\"")),
            }
        }
        Ok(Self {
            server: server.ok_or("no syslog server specified")?,
            facility: facility.unwrap_or(DEFAULT_FACILITY),
            severity: severity.unwrap_or_else(|| Severity::Info.into()),
            tag: tag.unwrap_or_else(|| DEFAULT_TAG.into()),
            with_host_name,
        })
    }
}

impl SyslogServer {
    fn read(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() {
                return Err(format!("no path in the unix domain socket in syslog server \"{text}\""));
            }
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        let invalid = |what: &str| format!("{what} in syslog server \"{text}\"");
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']').ok_or_else(|| invalid("invalid host"))?;
                if host.parse::<std::net::Ipv6Addr>().is_err() {
                    return Err(invalid("invalid IPv6 address"));
                }
                let port = match after.strip_prefix(':') {
                    Some(port) => Some(port),
                    None if after.is_empty() => None,
                    None => return Err(invalid("invalid host")),
                };
                (host, port)
            }
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        if host.is_empty() {
            return Err(invalid("no host"));
        }
        let port = match port {
            None => DEFAULT_PORT,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|port| *port > 0).ok_or_else(|| invalid("invalid port"))?
            }
            Some(_) => return Err(invalid("invalid port")),
        };
        Ok(Self::Udp { written: text.into(), host: host.into(), port })
    }
}

fn once<T>(name: &str, slot: &mut Option<T>, value: T) -> Result<(), String> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("duplicate syslog \"{name}\"")),
    }
}

fn facility_code(name: &str) -> Result<u8, String> {
    (0..)
        .zip(FACILITIES)
        .find_map(|(code, known)| (known == name).then_some(code))
        .ok_or_else(|| format!("unknown syslog facility \"{name}\""))
}

fn severity_code(name: &str) -> Result<SyslogSeverity, String> {
    Severity::named(name)
        .map(SyslogSeverity::from)
        .ok_or_else(|| format!("unknown syslog severity \"{name}\""))
}

fn checked_tag(tag: &str) -> Result<Box<str>, String> {
    if tag.len() > LONGEST_TAG {
        return Err(format!("syslog tag length exceeds {LONGEST_TAG}"));
    }
    if !tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err("syslog \"tag\" only allows alphanumeric characters and underscore".to_owned());
    }
    Ok(tag.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_written_is_nginxs_default() {
        let syslog = Syslog::read("server=10.0.0.1").unwrap();
        let server = SyslogServer::Udp { written: "10.0.0.1".into(), host: "10.0.0.1".into(), port: 514 };
        assert_eq!((syslog.server, syslog.facility, syslog.severity.0), (server, 23, 6));
        assert_eq!((&*syslog.tag, syslog.with_host_name), ("nginx", true));
    }

    #[test]
    fn every_part_is_read() {
        let syslog =
            Syslog::read("server=[::1]:5140,facility=daemon,severity=crit,tag=web_1,nohostname").unwrap();
        let server = SyslogServer::Udp { written: "[::1]:5140".into(), host: "::1".into(), port: 5140 };
        assert_eq!((syslog.server, syslog.facility, syslog.severity.0), (server, 3, 2));
        assert_eq!((&*syslog.tag, syslog.with_host_name), ("web_1", false));
        let unix = Syslog::read("server=unix:/dev/log").unwrap();
        assert_eq!(unix.server, SyslogServer::Unix("/dev/log".into()));
    }

    /// Asked of NGINX 1.30.
    #[test]
    fn mistakes_have_nginxs_words() {
        for (text, words) in [
            ("", "unknown syslog parameter \"\""),
            ("server=", "no host in syslog server \"\""),
            ("facility=user", "no syslog server specified"),
            ("server=a:99999", "invalid port in syslog server \"a:99999\""),
            ("server=a,facility=nope", "unknown syslog facility \"nope\""),
            ("server=a,severity=nope", "unknown syslog severity \"nope\""),
            ("server=a,severity=debug_http", "unknown syslog severity \"debug_http\""),
            ("server=a,tag=a-b", "syslog \"tag\" only allows alphanumeric characters and underscore"),
            ("server=a,tag=abcdefghijabcdefghijabcdefghijabc", "syslog tag length exceeds 32"),
            ("server=a,x=1", "unknown syslog parameter \"x=1\""),
            ("server=a,", "unknown syslog parameter \"\""),
            ("server=a,server=b", "duplicate syslog \"server\""),
            ("server=a,tag=a,tag=b", "duplicate syslog \"tag\""),
            ("server=a,facility=user,facility=user", "duplicate syslog \"facility\""),
            ("server=a,severity=info,severity=info", "duplicate syslog \"severity\""),
        ] {
            assert_eq!(Syslog::read(text).unwrap_err(), words, "{text}");
        }
    }
}
