//! `ssl_certificate_cache` and its namesakes for servers: how long certificates are kept whose names have variables.

use std::time::Duration;

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, words};
use crate::config::values;

/// What becomes of a certificate that was read for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateCache {
    /// It is read for each connection.
    Off,
    /// It is kept.
    Kept {
        /// At most so many are; the one that is not used longest goes.
        most: usize,
        /// It goes when it is not used for so long.
        inactive: Duration,
        /// It is read again when it is so old.
        valid: Duration,
    },
}

impl Argument for CertificateCache {
    type Value = Self;

    const ARGUMENTS: Arguments = words(1, 3, "off | max=N [inactive=time] [valid=time]");

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        let (mut most, mut inactive, mut valid) = (None, Duration::from_secs(10), Duration::from_secs(60));
        let mut off = false;
        for (index, word) in directive.words().enumerate() {
            let read = match word.split_once('=') {
                Some(("max", number)) => {
                    number.parse().ok().filter(|number| *number > 0).map(|number| most = Some(number))
                }
                Some(("inactive", time)) => values::seconds(time).map(|time| inactive = time),
                Some(("valid", time)) => values::seconds(time).map(|time| valid = time),
                None if word == "off" => {
                    off = true;
                    Some(())
                }
                _ => None,
            };
            if read.is_none() {
                report.emerg(format!("invalid parameter \"{word}\""), &directive.argument_position(index));
                return;
            }
        }
        *into = match most {
            _ if off => Some(Self::Off),
            Some(most) => Some(Self::Kept { most, inactive, valid }),
            None => {
                let message = format!("\"{}\" must have the \"max\" parameter", directive.name);
                report.emerg(message, &directive.position);
                return;
            }
        };
    }

    fn print(value: &Self) -> String {
        match value {
            Self::Off => "off".to_owned(),
            Self::Kept { most, inactive, valid } => {
                format!("max={most} inactive={}s valid={}s", inactive.as_secs(), valid.as_secs())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{accepted, in_server, refused};

    #[test]
    fn a_cache_has_a_size_and_two_times() {
        let read = |text: &str| {
            let config = accepted(&in_server(&format!("ssl_certificate_cache {text};")));
            config.http.servers[0].fallback.settings.tls.certificate_cache
        };
        let kept = |most, inactive, valid| CertificateCache::Kept {
            most,
            inactive: Duration::from_secs(inactive),
            valid: Duration::from_secs(valid),
        };
        assert_eq!(read("off"), CertificateCache::Off);
        assert_eq!(read("max=10"), kept(10, 10, 60));
        assert_eq!(read("max=10 inactive=1m valid=2s"), kept(10, 60, 2));
        for (text, message) in [
            ("inactive=1m", "\"ssl_certificate_cache\" must have the \"max\" parameter"),
            ("max=0", "invalid parameter \"max=0\""),
            ("max=1 valid=x", "invalid parameter \"valid=x\""),
            ("on", "invalid parameter \"on\""),
        ] {
            refused(&in_server(&format!("ssl_certificate_cache {text};")), message);
        }
    }
}
