//! What holds for the first bytes of any connection.

use super::{Broken, LONGEST_V1, LONGEST_V2, Progress, parse};
use crate::script::Tlv;

/// Reading them ends, without a panic, and says the same however they arrive.
pub(crate) fn check(bytes: &[u8]) {
    let whole = parse(bytes);
    match &whole {
        Ok(Progress::Partial) => assert!(bytes.len() < LONGEST_V2, "it waits for ever"),
        Ok(Progress::Complete { bytes: length, proxied }) => {
            assert!(*length <= bytes.len() && (15..=LONGEST_V2).contains(length), "{length} bytes");
            assert_eq!(parse(&bytes[..*length]), whole, "what follows counts");
            assert_eq!(parse(&bytes[..length - 1]), Ok(Progress::Partial), "it ends before its end");
            if let Some(proxied) = proxied {
                assert_eq!(proxied.source.is_ipv4(), proxied.destination.is_ipv4());
                for name in ["alpn", "ssl", "ssl_verify", "ssl_cn", "0xea"] {
                    let mut value = Vec::new();
                    let tlv = Tlv::named(name);
                    assert!(tlv.is_some(), "{name}");
                    tlv.map(|tlv| proxied.write_tlv(tlv, &mut value));
                    assert!(value.len() <= LONGEST_V2, "a value of {} bytes", value.len());
                }
            }
        }
        Err(error) => {
            assert!(error.to_string().len() <= 500, "{error}");
            if let Broken::Header(shown) = error {
                assert!(shown.len() <= LONGEST_V1, "{} bytes are shown", shown.len());
            }
        }
    }
    // A piece says what the whole says, or that more is needed.
    for cut in [1, 12, 16, bytes.len() / 2].into_iter().filter(|cut| *cut < bytes.len()) {
        let piece = parse(&bytes[..cut]);
        match &piece {
            Ok(Progress::Partial) => {}
            Ok(Progress::Complete { .. }) => assert_eq!(piece, whole, "cut at {cut}"),
            Err(_) => assert!(whole.is_err(), "cut at {cut}"),
        }
    }
}
